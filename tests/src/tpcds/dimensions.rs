//! Customers, items, stores and the other dimensions. Lists name what the queries ask for; a value that is listed twice is twice as frequent.

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use super::calendar::date_sk;
use super::values::{Row, Value, row, table};
use crate::feed::Table;

/// Numbers of rows; keys run from 1.
pub(super) const CUSTOMERS: i32 = 80;
pub(super) const ADDRESSES: i32 = 60;
pub(super) const HOUSEHOLDS: i32 = 60;
/// The first ones; they buy a lot at once.
pub(super) const BIG_HOUSEHOLDS: i32 = 8;
pub(super) const ITEMS: i32 = 120;
pub(super) const STORES: i32 = 6;
pub(super) const WAREHOUSES: i32 = 3;
pub(super) const PROMOTIONS: i32 = 6;
pub(super) const REASONS: i32 = 5;
pub(super) const SHIP_MODES: i32 = 6;
pub(super) const WEB_SITES: i32 = 3;
pub(super) const WEB_PAGES: i32 = 4;
pub(super) const CALL_CENTERS: i32 = 2;
pub(super) const CATALOG_PAGES: i32 = 6;
const INCOME_BANDS: i32 = 20;

const GENDERS: [&str; 2] = ["M", "F"];
const MARITAL: [&str; 4] = ["S", "M", "D", "W"];
const EDUCATION: [&str; 5] = ["College", "Unknown", "Advanced Degree", "2 yr Degree", "4 yr Degree"];
/// One for each combination of gender, marital status and education.
pub(super) const DEMOGRAPHICS: i32 = (GENDERS.len() * MARITAL.len() * EDUCATION.len()) as i32;

const ZIPS: [&str; 12] =
    ["24128", "24128", "24128", "24128", "24128", "85669", "86197", "31904", "35709", "38605", "76232", "60069"];
const STATES: [&str; 14] = ["GA", "GA", "IL", "IL", "TN", "TN", "KY", "TX", "OH", "IN", "MS", "NM", "VA", "CA"];
const COUNTIES: [&str; 5] = ["Williamson County", "Williamson County", "Rush County", "Toole County", "Dona Ana County"];
const CITIES: [&str; 5] = ["Fairview", "Midway", "Edgewood", "Edgewood", "Oakland"];
const BUY_POTENTIAL: [&str; 4] = [">10000", "Unknown", "501-1000", "0-500"];
const LAST_NAMES: [&str; 8] = ["Adams", "Brown", "Clark", "Davis", "Evans", "Fisher", "Grant", "Hill"];
const FIRST_NAMES: [&str; 6] = ["Ann", "Ben", "Carla", "Dan", "Eve", "Finn"];
const COUNTRIES: [&str; 3] = ["UNITED STATES", "GERMANY", "CHILE"];

/// A category with some of its classes and brands.
const CATEGORIES: [(&str, &[&str], &[&str]); 9] = [
    ("Books", &["reference", "self-help", "computers"], &["scholaramalgamalg #14", "scholaramalgamalg #7"]),
    ("Electronics", &["personal", "portable", "stereo"], &["exportiunivamalg #9", "scholaramalgamalg #9"]),
    ("Women", &["maternity", "fragrances", "dresses"], &["amalgimporto #1"]),
    ("Music", &["classical", "rock"], &["edu packscholar #1"]),
    ("Men", &["accessories", "pants", "shirts"], &["exportiimporto #1", "importoamalg #1"]),
    ("Jewelry", &["birdal", "rings"], &["amalgamalg #2"]),
    ("Sports", &["football", "golf"], &["edu packmaxi #3"]),
    ("Home", &["bedding", "rugs"], &["importobrand #5"]),
    ("Children", &["toddlers"], &["exportischolar #2"]),
];
const COLORS: [&str; 14] = [
    "peach",
    "peach",
    "saddle",
    "saddle",
    "slate",
    "blanched",
    "burnished",
    "purple",
    "burlywood",
    "indian",
    "floral",
    "medium",
    "powder",
    "khaki",
];
const UNITS: [&str; 5] = ["Ounce", "Oz", "Box", "Dozen", "N/A"];
const SIZES: [&str; 4] = ["medium", "extra large", "petite", "small"];
const MANUFACTURERS: [i32; 12] = [128, 977, 350, 677, 940, 694, 129, 270, 423, 740, 755, 770];
const MANAGERS: [i32; 4] = [1, 8, 28, 35];

fn pick<'a>(rng: &mut StdRng, from: &[&'a str]) -> &'a str {
    from.choose(rng).copied().unwrap_or_default()
}

/// Keys near 1 are much more frequent than those near `count`.
pub(super) fn skewed(rng: &mut StdRng, count: i32) -> i32 {
    let share: f64 = rng.random();
    1 + (f64::from(count) * share * share) as i32
}

fn rows(count: i32, mut make: impl FnMut(i32) -> Row) -> Vec<Row> {
    (1..=count).map(&mut make).collect()
}

/// All dimensions but `date_dim` and `time_dim`.
pub(super) fn all(rng: &mut StdRng) -> Vec<Table> {
    let mut tables = vec![
        table("customer", &rows(CUSTOMERS, |key| customer(rng, key))),
        table("customer_address", &rows(ADDRESSES, |key| address(rng, key))),
        table("customer_demographics", &rows(DEMOGRAPHICS, |key| demographics(rng, key))),
        table("household_demographics", &rows(HOUSEHOLDS, |key| household(rng, key))),
        table("item", &rows(ITEMS, |key| item(rng, key))),
    ];
    tables.extend(places());
    tables.extend(small());
    tables
}

fn customer(rng: &mut StdRng, key: i32) -> Row {
    row! {
        c_customer_sk: key,
        c_customer_id: format!("C{key:06}"),
        c_current_cdemo_sk: rng.random_range(1..=DEMOGRAPHICS),
        c_current_hdemo_sk: rng.random_range(1..=HOUSEHOLDS),
        c_current_addr_sk: skewed(rng, ADDRESSES),
        c_first_shipto_date_sk: date_sk(rng.random_range(1998..=2002), 6, 1),
        c_first_sales_date_sk: date_sk(rng.random_range(1998..=2002), 5, 1),
        c_salutation: pick(rng, &["Mr.", "Ms.", "Dr."]),
        c_first_name: pick(rng, &FIRST_NAMES),
        c_last_name: pick(rng, &LAST_NAMES),
        c_preferred_cust_flag: pick(rng, &["Y", "Y", "N"]),
        c_birth_day: rng.random_range(1..=28),
        c_birth_month: rng.random_range(1..=12),
        c_birth_year: rng.random_range(1930..=1990),
        c_birth_country: pick(rng, &COUNTRIES),
        c_email_address: format!("c{key}@example.org"),
    }
}

fn address(rng: &mut StdRng, key: i32) -> Row {
    row! {
        ca_address_sk: key,
        ca_address_id: format!("A{key:06}"),
        ca_street_number: format!("{}", rng.random_range(1..=999)),
        ca_street_name: pick(rng, &["Oak", "Main", "Lake"]),
        ca_street_type: pick(rng, &["Street", "Way"]),
        ca_city: pick(rng, &CITIES),
        ca_county: pick(rng, &COUNTIES),
        ca_state: pick(rng, &STATES),
        ca_zip: pick(rng, &ZIPS),
        ca_country: "United States",
        ca_gmt_offset: Value::Cents([-500, -500, -600, -700][rng.random_range(0..4)]),
        ca_location_type: pick(rng, &["condo", "apartment"]),
    }
}

fn demographics(rng: &mut StdRng, key: i32) -> Row {
    let index = (key - 1) as usize;
    row! {
        cd_demo_sk: key,
        cd_gender: GENDERS[index % GENDERS.len()],
        cd_marital_status: MARITAL[index / GENDERS.len() % MARITAL.len()],
        cd_education_status: EDUCATION[index / (GENDERS.len() * MARITAL.len())],
        cd_purchase_estimate: rng.random_range(1..=4) * 500,
        cd_credit_rating: pick(rng, &["Good", "Low Risk", "High Risk"]),
        cd_dep_count: rng.random_range(0..=3),
        cd_dep_employed_count: rng.random_range(0..=2),
        cd_dep_college_count: rng.random_range(0..=2),
    }
}

fn household(rng: &mut StdRng, key: i32) -> Row {
    let big = key <= BIG_HOUSEHOLDS;
    row! {
        hd_demo_sk: key,
        hd_income_band_sk: rng.random_range(3..=10),
        hd_buy_potential: if big { BUY_POTENTIAL[0] } else { pick(rng, &BUY_POTENTIAL) },
        hd_dep_count: if big { 6 } else { [0, 1, 2, 3, 4, 6, 7][rng.random_range(0..7)] },
        hd_vehicle_count: if big { 2 } else { rng.random_range(0..=4) },
    }
}

fn item(rng: &mut StdRng, key: i32) -> Row {
    let category = key as usize % CATEGORIES.len();
    let (name, classes, brands) = CATEGORIES[category];
    let (class, brand) = (key as usize / CATEGORIES.len() % classes.len(), key as usize / CATEGORIES.len() % brands.len());
    let manufacturer = MANUFACTURERS[rng.random_range(0..MANUFACTURERS.len())];
    // The most popular item is one that q64 asks for, the second one that q21 and q40 ask for.
    let price = match rng.random_range(0..4) {
        _ if key == 1 => 7_000,
        _ if key == 2 => 120,
        0 => rng.random_range(99..=149),
        1 | 2 => rng.random_range(6200..=9800),
        _ => rng.random_range(100..=10_000),
    };
    row! {
        i_item_sk: key,
        // Two versions of an item follow each other under one id, as in the benchmark.
        i_item_id: format!("I{:06}", (key + 1) / 2),
        i_item_desc: format!("Description of what item {} is good for", (key + 1) / 2),
        i_current_price: Value::Cents(price),
        i_wholesale_cost: Value::Cents(price / 2),
        i_brand_id: (category * 10 + brand) as i32,
        i_brand: brands[brand],
        i_class_id: class as i32,
        i_class: classes[class],
        i_category_id: category as i32,
        i_category: name,
        i_manufact_id: manufacturer,
        i_manufact: format!("maker {manufacturer}"),
        i_size: pick(rng, &SIZES),
        i_color: if key == 1 { "purple" } else { pick(rng, &COLORS) },
        i_units: pick(rng, &UNITS),
        i_manager_id: MANAGERS[rng.random_range(0..MANAGERS.len())],
        i_product_name: format!("product {key}"),
    }
}

/// Stores, warehouses, call centers and web sites.
fn places() -> Vec<Table> {
    let store = |key: i32| {
        row! {
            s_store_sk: key,
            s_store_id: format!("S{key:04}"),
            s_store_name: ["ese", "ese", "able", "ought"][key as usize % 4],
            s_number_employees: 190 + 20 * key,
            s_market_id: if key % 3 == 0 { 5 } else { 8 },
            s_company_id: 1,
            s_company_name: "Unknown",
            s_street_number: format!("{key}"),
            s_street_name: "Main",
            s_street_type: "Street",
            s_city: ["Fairview", "Midway", "Oakland"][key as usize % 3],
            s_county: if key == 5 { "Orange County" } else { "Williamson County" },
            s_state: if key == 6 { "GA" } else { "TN" },
            s_zip: ["24128", "31904", "35709"][key as usize % 3],
            s_country: "United States",
            s_gmt_offset: Value::Cents(if key == 6 { -600 } else { -500 }),
        }
    };
    let warehouse = |key: i32| {
        row! {
            w_warehouse_sk: key,
            w_warehouse_name: ["Conventional childr", "Important issues liv", "Doors canno"][key as usize % 3],
            w_warehouse_sq_ft: 100_000 * key,
            w_city: "Fairview",
            w_county: "Williamson County",
            w_state: if key == 1 { "TN" } else { "GA" },
            w_country: "United States",
        }
    };
    let call_center = |key: i32| {
        row! {
            cc_call_center_sk: key,
            cc_call_center_id: format!("CC{key}"),
            cc_name: ["NY Metro", "Mid Atlantic"][key as usize % 2],
            cc_manager: ["Bob Belcher", "Felipe Perkins"][key as usize % 2],
            cc_county: "Williamson County",
        }
    };
    let web_site = |key: i32| {
        row! {
            web_site_sk: key,
            web_site_id: format!("W{key}"),
            web_name: format!("site_{}", key / 2),
            web_company_name: if key == 3 { "able" } else { "pri" },
        }
    };
    vec![
        table("store", &rows(STORES, store)),
        table("warehouse", &rows(WAREHOUSES, warehouse)),
        table("call_center", &rows(CALL_CENTERS, call_center)),
        table("web_site", &rows(WEB_SITES, web_site)),
    ]
}

/// The dimensions of a few columns.
fn small() -> Vec<Table> {
    let promotion = |key: i32| {
        let channel = |every: i32| if key % every == 0 { "Y" } else { "N" };
        row! {
            p_promo_sk: key, p_promo_id: format!("P{key}"), p_channel_dmail: channel(2), p_channel_email: channel(3), p_channel_tv: channel(5),
            p_channel_event: channel(4),
        }
    };
    let reason = |key: i32| {
        let description = if key == 2 { "reason 28".to_string() } else { format!("Did not like number {key} of the reasons") };
        row! { r_reason_sk: key, r_reason_id: format!("R{key}"), r_reason_desc: description }
    };
    let ship_mode = |key: i32| {
        row! {
            sm_ship_mode_sk: key,
            sm_type: ["EXPRESS", "NEXT DAY", "OVERNIGHT"][key as usize % 3],
            sm_carrier: ["DHL", "BARIAN", "UPS"][key as usize % 3],
        }
    };
    let web_page = |key: i32| row! { wp_web_page_sk: key, wp_web_page_id: format!("WP{key}"), wp_char_count: 4900 + 100 * key };
    let catalog_page = |key: i32| row! { cp_catalog_page_sk: key, cp_catalog_page_id: format!("CP{key}") };
    let income_band =
        |key: i32| row! { ib_income_band_sk: key, ib_lower_bound: (key - 1) * 10_000 + 1, ib_upper_bound: key * 10_000 };
    vec![
        table("promotion", &rows(PROMOTIONS, promotion)),
        table("reason", &rows(REASONS, reason)),
        table("ship_mode", &rows(SHIP_MODES, ship_mode)),
        table("web_page", &rows(WEB_PAGES, web_page)),
        table("catalog_page", &rows(CATALOG_PAGES, catalog_page)),
        table("income_band", &rows(INCOME_BANDS, income_band)),
    ]
}
