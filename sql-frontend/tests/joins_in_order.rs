//! The order of inner joins, and which columns they remember: what the planner does to keep the state of a view small. The text of a query decides only
//! among equals.
#![allow(clippy::unwrap_used)]

mod common;

use common::{catalog_of, circuit};
use deltic_sql::Catalog;

/// Sales and returns have no key, the others are reached by theirs.
fn star() -> Catalog {
    catalog_of(
        "CREATE TABLE days (day INT PRIMARY KEY, year INT, name VARCHAR);
         CREATE TABLE items (item INT PRIMARY KEY, kind VARCHAR, price INT);
         CREATE TABLE stores (store INT PRIMARY KEY, city VARCHAR);
         CREATE TABLE sales (s_day INT, s_item INT, s_store INT, s_ticket INT, s_pieces INT, s_note VARCHAR);
         CREATE TABLE returns (r_item INT, r_ticket INT, r_pieces INT)",
    )
}

/// The relations in the order in which they are joined, from the left.
fn order(sql: &str) -> Vec<String> {
    let text = circuit(&star(), sql);
    let sources = text.lines().filter_map(|line| line.split_once("Source ")?.1.split(' ').next());
    sources.map(String::from).collect()
}

#[test]
fn what_is_filtered_and_reached_by_key_comes_first() {
    for from in ["sales, items, stores, days", "days, items, sales, stores", "items, stores, days, sales"] {
        let sql = format!(
            "SELECT city, kind, s_pieces FROM {from} WHERE s_day = day AND s_item = item AND s_store = store AND year = 2000"
        );
        let mut joined = order(&sql);
        joined[..2].sort_unstable();
        joined[2..].sort_unstable();
        assert_eq!(joined, ["days", "sales", "items", "stores"], "{sql}\n{}", circuit(&star(), &sql));
    }
}

#[test]
fn what_multiplies_rows_comes_last() {
    let sql = "SELECT city, s_pieces, r_pieces FROM sales, returns, stores, days
               WHERE s_ticket = r_ticket AND s_item = r_item AND s_store = store AND s_day = day AND year = 2000";
    assert_eq!(order(sql), ["sales", "days", "stores", "returns"], "{}", circuit(&star(), sql));
}

/// Orders are fewer than their lines: what belongs to them is joined to them, not to the lines.
#[test]
fn a_chain_of_references_grows_towards_the_largest() {
    let catalog = catalog_of(
        "CREATE TABLE nations (nation INT PRIMARY KEY, name VARCHAR);
         CREATE TABLE customers (customer INT PRIMARY KEY, c_nation INT, segment VARCHAR);
         CREATE TABLE orders (o_order INT PRIMARY KEY, o_customer INT);
         CREATE TABLE lines (l_order INT, l_line INT, price INT, PRIMARY KEY (l_order, l_line))",
    );
    let sql = "SELECT name, price FROM lines, orders, customers, nations
               WHERE l_order = o_order AND o_customer = customer AND c_nation = nation AND segment = 'x'";
    let text = circuit(&catalog, sql);
    let sources: Vec<&str> = text.lines().filter_map(|line| line.split_once("Source ")?.1.split(' ').next()).collect();
    assert_eq!(sources, ["customers", "nations", "orders", "lines"], "{text}");
}

#[test]
fn a_cross_product_is_the_last_resort() {
    let sql = "SELECT a.kind, b.city, c.s_pieces FROM items AS a, stores AS b, sales AS c WHERE c.s_item = a.item AND c.s_store = b.store";
    let text = circuit(&star(), sql);
    assert!(text.lines().filter(|line| line.contains("Join")).all(|line| line.contains(" on ")), "{text}");
}

#[test]
fn conditions_stay_whatever_the_order() {
    let sql = "SELECT city, s_pieces FROM stores, items, sales, days
               WHERE s_day = day AND s_item = item AND s_store = store AND price < s_pieces + year AND (name = 'x' OR kind = 'y')";
    let text = circuit(&star(), sql);
    for condition in ["'x'", "'y'", " < "] {
        assert!(text.contains(condition), "{condition} is lost: {text}");
    }
}

#[test]
fn indexes_hold_the_columns_that_are_read() {
    let sql = "SELECT city, sum(s_pieces) AS n FROM sales, days, stores WHERE s_day = day AND s_store = store AND year = 2000 GROUP BY city";
    let text = circuit(&star(), sql);
    for line in text.lines().filter(|line| line.contains("Index")) {
        for unread in ["s_note", "s_ticket", "s_item", "name", "year"] {
            assert!(!line.contains(unread), "{unread} is kept: {text}");
        }
    }
}

/// Days and reports meet by the ticket of neither: what follows from two equalities joins the two filtered ones before the large one.
#[test]
fn equalities_hold_together() {
    let catalog = catalog_of(
        "CREATE TABLE heads (head INT PRIMARY KEY, note VARCHAR);
         CREATE TABLE bodies (body INT, text VARCHAR);
         CREATE TABLE tails (tail INT PRIMARY KEY, colour VARCHAR)",
    );
    let sql = "SELECT note, text, colour FROM bodies, heads, tails
               WHERE head = body AND body = tail AND head = tail AND note = 'x' AND colour = 'y'";
    for sql in [sql, &sql.replace(" AND head = tail", "")] {
        let text = circuit(&catalog, sql);
        let sources: Vec<&str> = text.lines().filter_map(|line| line.split_once("Source ")?.1.split(' ').next()).collect();
        assert_eq!(sources, ["heads", "tails", "bodies"], "{text}");
        let joins: Vec<&str> = text.lines().filter(|line| line.contains("Join")).collect();
        assert!(joins.iter().all(|join| join.matches(" = ").count() == 1), "one key is enough: {text}");
    }
}
