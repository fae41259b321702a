//! The seven fact tables. What is bought together (a ticket, an order) shares its day, customer and addresses; a third of it comes back.

use rand::Rng;
use rand::rngs::StdRng;

use super::calendar::{MINUTES, date_sk, time_sk};
use super::dimensions::{
    ADDRESSES, BIG_HOUSEHOLDS, CALL_CENTERS, CATALOG_PAGES, CUSTOMERS, DEMOGRAPHICS, HOUSEHOLDS, ITEMS, PROMOTIONS, REASONS,
    SHIP_MODES, STORES, WAREHOUSES, WEB_PAGES, WEB_SITES, skewed,
};
use super::values::{Row, Value, row, table};
use crate::feed::Table;

const TICKETS: i32 = 700;
const CATALOG_ORDERS: i32 = 450;
const WEB_ORDERS: i32 = 450;
const INVENTORY: i32 = 1_500;
/// Share of foreign keys that are NULL.
const MISSING: f64 = 0.04;
/// Share of what is sold that comes back.
const RETURNED: f64 = 0.35;

/// Months that the queries ask for.
const MONTHS: [(i32, i32); 26] = [
    (1998, 5),
    (1998, 6),
    (1998, 9),
    (1998, 11),
    (1998, 12),
    (1999, 1),
    (1999, 2),
    (1999, 3),
    (1999, 9),
    (1999, 11),
    (2000, 1),
    (2000, 2),
    (2000, 3),
    (2000, 4),
    (2000, 6),
    (2000, 8),
    (2000, 9),
    (2000, 11),
    (2001, 1),
    (2001, 2),
    (2001, 4),
    (2001, 5),
    (2001, 11),
    (2002, 1),
    (2002, 2),
    (2002, 4),
];
/// Days on which a third of all sales happen, among them those of one week that a query compares.
const BUSY_DAYS: [(i32, i32, i32); 19] = [
    (1998, 11, 2),
    (1998, 12, 10),
    (1999, 2, 26),
    (1999, 3, 1),
    (1999, 9, 10),
    (1999, 12, 11),
    (2000, 1, 3),
    (2000, 2, 11),
    (2000, 3, 12),
    (2000, 4, 2),
    (2000, 8, 27),
    (2000, 11, 25),
    (2000, 12, 11),
    (2001, 1, 15),
    (2001, 2, 15),
    (2001, 4, 20),
    (2001, 12, 5),
    (2001, 12, 5),
    (2002, 3, 15),
];
/// Days whose weeks q83 asks returns for.
const RETURN_DAYS: [(i32, i32, i32); 3] = [(2000, 6, 30), (2000, 9, 27), (2000, 11, 17)];
const HOURS: [i32; 9] = [7, 8, 9, 10, 11, 12, 17, 19, 20];

/// `store_sales`, `catalog_sales`, `web_sales`, what of them came back, and `inventory`.
pub(super) fn all(rng: &mut StdRng) -> Vec<Table> {
    let mut tables = Vec::new();
    tables.extend(channel(["store_sales", "store_returns"], (1..=TICKETS).flat_map(|number| ticket(rng, number)).collect()));
    tables.extend(channel(
        ["catalog_sales", "catalog_returns"],
        (1..=CATALOG_ORDERS).flat_map(|number| catalog_order(rng, number)).collect(),
    ));
    tables.extend(channel(["web_sales", "web_returns"], (1..=WEB_ORDERS).flat_map(|number| web_order(rng, number)).collect()));
    let inventory: Vec<Row> = (0..INVENTORY).map(|_| stock(rng)).collect();
    tables.push(table("inventory", &inventory));
    tables
}

/// Rows of sales, each with its return if there is one.
type Lines = Vec<(Row, Option<Row>)>;

/// The tables of these names for sales and returns.
fn channel([sales, returns]: [&str; 2], lines: Lines) -> [Table; 2] {
    let (sold, returned): (Vec<Row>, Vec<Option<Row>>) = lines.into_iter().unzip();
    [table(sales, &sold), table(returns, &returned.into_iter().flatten().collect::<Vec<_>>())]
}

fn sold_date(rng: &mut StdRng) -> i32 {
    if rng.random_bool(0.35) {
        let (year, month, day) = BUSY_DAYS[rng.random_range(0..BUSY_DAYS.len())];
        return date_sk(year, month, day);
    }
    let (year, month) = MONTHS[rng.random_range(0..MONTHS.len())];
    date_sk(year, month, rng.random_range(1..=28))
}

fn returned_date(rng: &mut StdRng, sold: i32) -> i32 {
    if rng.random_bool(0.15) {
        let (year, month, day) = RETURN_DAYS[rng.random_range(0..RETURN_DAYS.len())];
        return date_sk(year, month, day);
    }
    sold + rng.random_range(1..=150)
}

/// A household, and how many things it buys at once.
fn household(rng: &mut StdRng) -> (i32, i32) {
    if rng.random_bool(0.08) {
        return (rng.random_range(1..=BIG_HOUSEHOLDS), rng.random_range(14..=18));
    }
    (rng.random_range(1..=HOUSEHOLDS), rng.random_range(1..=4))
}

/// Makes one foreign key in 25 NULL, of those with these endings: items and numbers always are there.
fn forget_some(rng: &mut StdRng, row: &mut Row) {
    row.retain(|(name, _)| {
        let key = name.ends_with("_sk") && !name.ends_with("_item_sk");
        !key || !rng.random_bool(MISSING)
    });
}

/// What one line costs, in cents.
struct Price {
    quantity: i32,
    wholesale: i64,
    list: i64,
    sales: i64,
    coupon: i64,
    tax: i64,
    shipping: i64,
}

impl Price {
    fn new(rng: &mut StdRng) -> Self {
        // A tenth is sold in bulk and at a profit.
        let bulk = rng.random_bool(0.1);
        let quantity = if bulk { 100 } else { rng.random_range(1..=100) };
        let wholesale = rng.random_range(if bulk { 8_000..=9_000 } else { 100..=10_000 });
        let list = wholesale * rng.random_range(100..=200) / 100;
        let sales = if bulk { wholesale * 2 } else { list * rng.random_range(20..=100) / 100 };
        let list = list.max(sales);
        let total = sales * i64::from(quantity);
        let coupon = if rng.random_bool(0.2) { total * rng.random_range(1..=60) / 100 } else { 0 };
        let tax = (total - coupon) * rng.random_range(0..=9) / 100;
        Price { quantity, wholesale, list, sales, coupon, tax, shipping: list * i64::from(quantity) / 20 }
    }

    fn times(&self, cents: i64) -> Value {
        Value::Cents(cents * i64::from(self.quantity))
    }

    fn paid(&self) -> i64 {
        self.sales * i64::from(self.quantity) - self.coupon
    }

    fn profit(&self) -> i64 {
        self.paid() - self.wholesale * i64::from(self.quantity)
    }

    /// What comes back of it: the number of pieces and the amount.
    fn part(&self, rng: &mut StdRng) -> (i32, i64) {
        let quantity = rng.random_range(1..=self.quantity);
        (quantity, self.sales * i64::from(quantity))
    }
}

fn ticket(rng: &mut StdRng, number: i32) -> Lines {
    let (date, customer) = (sold_date(rng), skewed(rng, CUSTOMERS));
    let (household, lines) = household(rng);
    let mut head = row! {
        ss_sold_date_sk: date,
        ss_sold_time_sk: time_sk(HOURS[rng.random_range(0..HOURS.len())], MINUTES[rng.random_range(0..MINUTES.len())]),
        ss_customer_sk: customer,
        ss_cdemo_sk: skewed(rng, DEMOGRAPHICS),
        ss_hdemo_sk: household,
        ss_addr_sk: rng.random_range(1..=ADDRESSES),
        ss_store_sk: rng.random_range(1..=STORES),
    };
    forget_some(rng, &mut head);
    (0..lines).map(|_| ticket_line(rng, number, date, customer, &head)).collect()
}

fn ticket_line(rng: &mut StdRng, number: i32, date: i32, customer: i32, head: &Row) -> (Row, Option<Row>) {
    let (item, price) = (skewed(rng, ITEMS), Price::new(rng));
    let mut sale = head.clone();
    sale.extend(row! {
        ss_item_sk: item,
        ss_promo_sk: rng.random_range(1..=PROMOTIONS),
        ss_ticket_number: number,
        ss_quantity: price.quantity,
        ss_wholesale_cost: Value::Cents(price.wholesale),
        ss_list_price: Value::Cents(price.list),
        ss_sales_price: Value::Cents(price.sales),
        ss_ext_discount_amt: price.times(price.list - price.sales),
        ss_ext_sales_price: price.times(price.sales),
        ss_ext_wholesale_cost: price.times(price.wholesale),
        ss_ext_list_price: price.times(price.list),
        ss_ext_tax: Value::Cents(price.tax),
        ss_coupon_amt: Value::Cents(price.coupon),
        ss_net_paid: Value::Cents(price.paid()),
        ss_net_paid_inc_tax: Value::Cents(price.paid() + price.tax),
        ss_net_profit: Value::Cents(price.profit()),
    });
    let back = rng.random_bool(RETURNED).then(|| {
        let (quantity, amount) = price.part(rng);
        let mut back = row! {
            sr_returned_date_sk: returned_date(rng, date),
            sr_item_sk: item,
            sr_customer_sk: customer,
            sr_cdemo_sk: rng.random_range(1..=DEMOGRAPHICS),
            sr_store_sk: rng.random_range(1..=STORES),
            sr_reason_sk: rng.random_range(1..=REASONS),
            sr_ticket_number: number,
            sr_return_quantity: quantity,
            sr_return_amt: Value::Cents(amount),
            sr_fee: Value::Cents(rng.random_range(50..=10_000)),
            sr_refunded_cash: Value::Cents(amount / 2),
            sr_net_loss: Value::Cents(amount / 4),
        };
        forget_some(rng, &mut back);
        back
    });
    (sale, back)
}

fn catalog_order(rng: &mut StdRng, number: i32) -> Lines {
    let (date, customer, address) = (sold_date(rng), skewed(rng, CUSTOMERS), rng.random_range(1..=ADDRESSES));
    let (household, lines) = household(rng);
    let mut head = row! {
        cs_sold_date_sk: date,
        cs_sold_time_sk: time_sk(HOURS[rng.random_range(0..HOURS.len())], MINUTES[rng.random_range(0..MINUTES.len())]),
        cs_ship_date_sk: date + rng.random_range(1..=130),
        cs_bill_customer_sk: customer,
        cs_bill_cdemo_sk: skewed(rng, DEMOGRAPHICS),
        cs_bill_hdemo_sk: household,
        cs_bill_addr_sk: address,
        cs_ship_customer_sk: customer,
        cs_ship_addr_sk: address,
        cs_call_center_sk: rng.random_range(1..=CALL_CENTERS),
        cs_catalog_page_sk: rng.random_range(1..=CATALOG_PAGES),
        cs_ship_mode_sk: rng.random_range(1..=SHIP_MODES),
    };
    forget_some(rng, &mut head);
    let comes_back = if rng.random_bool(0.5) { 2.0 * RETURNED } else { 0.0 };
    (0..lines).map(|_| catalog_line(rng, number, date, customer, comes_back, &head)).collect()
}

fn catalog_line(rng: &mut StdRng, number: i32, date: i32, customer: i32, comes_back: f64, head: &Row) -> (Row, Option<Row>) {
    let (item, price) = (skewed(rng, ITEMS), Price::new(rng));
    let mut sale = head.clone();
    sale.extend(row! {
        cs_warehouse_sk: rng.random_range(1..=WAREHOUSES),
        cs_item_sk: item,
        cs_promo_sk: rng.random_range(1..=PROMOTIONS),
        cs_order_number: number,
        cs_quantity: price.quantity,
        cs_wholesale_cost: Value::Cents(price.wholesale),
        cs_list_price: Value::Cents(price.list),
        cs_sales_price: Value::Cents(price.sales),
        cs_ext_discount_amt: price.times(price.list - price.sales),
        cs_ext_sales_price: price.times(price.sales),
        cs_ext_wholesale_cost: price.times(price.wholesale),
        cs_ext_list_price: price.times(price.list),
        cs_ext_tax: Value::Cents(price.tax),
        cs_coupon_amt: Value::Cents(price.coupon),
        cs_ext_ship_cost: Value::Cents(price.shipping),
        cs_net_paid: Value::Cents(price.paid()),
        cs_net_paid_inc_tax: Value::Cents(price.paid() + price.tax),
        cs_net_profit: Value::Cents(price.profit()),
    });
    let back = rng.random_bool(comes_back).then(|| {
        let (quantity, amount) = price.part(rng);
        let mut back = row! {
            cr_returned_date_sk: returned_date(rng, date),
            cr_item_sk: item,
            cr_returning_customer_sk: customer,
            cr_returning_addr_sk: rng.random_range(1..=ADDRESSES),
            cr_call_center_sk: rng.random_range(1..=CALL_CENTERS),
            cr_catalog_page_sk: rng.random_range(1..=CATALOG_PAGES),
            cr_order_number: number,
            cr_return_quantity: quantity,
            cr_return_amount: Value::Cents(amount),
            cr_return_amt_inc_tax: Value::Cents(amount + amount / 20),
            cr_refunded_cash: Value::Cents(amount / 8),
            cr_reversed_charge: Value::Cents(amount / 16),
            cr_store_credit: Value::Cents(amount / 16),
            cr_net_loss: Value::Cents(amount / 4),
        };
        forget_some(rng, &mut back);
        back
    });
    (sale, back)
}

fn web_order(rng: &mut StdRng, number: i32) -> Lines {
    let (date, customer, address) = (sold_date(rng), skewed(rng, CUSTOMERS), rng.random_range(1..=ADDRESSES));
    let (household, lines) = household(rng);
    let mut head = row! {
        ws_sold_date_sk: date,
        ws_sold_time_sk: time_sk(HOURS[rng.random_range(0..HOURS.len())], MINUTES[rng.random_range(0..MINUTES.len())]),
        ws_ship_date_sk: date + rng.random_range(1..=130),
        ws_bill_customer_sk: customer,
        ws_bill_addr_sk: address,
        ws_ship_customer_sk: customer,
        ws_ship_hdemo_sk: household,
        ws_ship_addr_sk: address,
        ws_web_page_sk: rng.random_range(1..=WEB_PAGES),
        ws_web_site_sk: rng.random_range(1..=WEB_SITES),
        ws_ship_mode_sk: rng.random_range(1..=SHIP_MODES),
    };
    forget_some(rng, &mut head);
    let comes_back = if rng.random_bool(0.5) { 2.0 * RETURNED } else { 0.0 };
    (0..lines).map(|_| web_line(rng, number, date, customer, comes_back, &head)).collect()
}

fn web_line(rng: &mut StdRng, number: i32, date: i32, customer: i32, comes_back: f64, head: &Row) -> (Row, Option<Row>) {
    let (item, price) = (skewed(rng, ITEMS), Price::new(rng));
    let mut sale = head.clone();
    sale.extend(row! {
        ws_item_sk: item,
        ws_warehouse_sk: rng.random_range(1..=WAREHOUSES),
        ws_promo_sk: rng.random_range(1..=PROMOTIONS),
        ws_order_number: number,
        ws_quantity: price.quantity,
        ws_wholesale_cost: Value::Cents(price.wholesale),
        ws_list_price: Value::Cents(price.list),
        ws_sales_price: Value::Cents(price.sales),
        ws_ext_discount_amt: price.times(price.list - price.sales),
        ws_ext_sales_price: price.times(price.sales),
        ws_ext_wholesale_cost: price.times(price.wholesale),
        ws_ext_list_price: price.times(price.list),
        ws_ext_ship_cost: Value::Cents(price.shipping),
        ws_net_paid: Value::Cents(price.paid()),
        ws_net_profit: Value::Cents(price.profit()),
    });
    let back = rng.random_bool(comes_back).then(|| {
        let (quantity, amount) = price.part(rng);
        let demographics = rng.random_range(1..=DEMOGRAPHICS);
        let mut back = row! {
            wr_returned_date_sk: returned_date(rng, date),
            wr_item_sk: item,
            wr_refunded_cdemo_sk: demographics,
            wr_refunded_addr_sk: rng.random_range(1..=ADDRESSES),
            wr_returning_customer_sk: customer,
            wr_returning_cdemo_sk: demographics,
            wr_returning_addr_sk: rng.random_range(1..=ADDRESSES),
            wr_web_page_sk: rng.random_range(1..=WEB_PAGES),
            wr_reason_sk: rng.random_range(1..=REASONS),
            wr_order_number: number,
            wr_return_quantity: quantity,
            wr_return_amt: Value::Cents(amount),
            wr_fee: Value::Cents(rng.random_range(50..=10_000)),
            wr_refunded_cash: Value::Cents(amount / 2),
            wr_net_loss: Value::Cents(amount / 4),
        };
        forget_some(rng, &mut back);
        back
    });
    (sale, back)
}

/// What a warehouse holds of an item on a day: often next to nothing, so that it varies.
fn stock(rng: &mut StdRng) -> Row {
    let quantity = [0, 5, 10, 10, 15, 20, 150, 400][rng.random_range(0..8)];
    row! {
        inv_date_sk: sold_date(rng),
        inv_item_sk: skewed(rng, ITEMS),
        inv_warehouse_sk: rng.random_range(1..=WAREHOUSES),
        inv_quantity_on_hand: quantity,
    }
}
