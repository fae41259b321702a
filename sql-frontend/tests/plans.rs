//! The circuits of well-known queries, as text. They catch a planner that changes its mind (an upgrade of DataFusion, a lost rule); whether
//! the rows are right is tested elsewhere. `INSTA_UPDATE=always` writes the snapshots anew.

#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::fmt::Write;

use common::{catalog_of, circuit};

const TPCH: &str = "
CREATE TABLE region (r_regionkey BIGINT PRIMARY KEY, r_name CHAR(25), r_comment VARCHAR(152));
CREATE TABLE nation (n_nationkey BIGINT PRIMARY KEY, n_name CHAR(25), n_regionkey BIGINT, n_comment VARCHAR(152));
CREATE TABLE part (p_partkey BIGINT PRIMARY KEY, p_name VARCHAR(55), p_mfgr CHAR(25), p_brand CHAR(10), p_type VARCHAR(25), p_size INT, p_container CHAR(10), p_retailprice DECIMAL(15, 2), p_comment VARCHAR(23));
CREATE TABLE supplier (s_suppkey BIGINT PRIMARY KEY, s_name CHAR(25), s_address VARCHAR(40), s_nationkey BIGINT, s_phone CHAR(15), s_acctbal DECIMAL(15, 2), s_comment VARCHAR(101));
CREATE TABLE partsupp (ps_partkey BIGINT, ps_suppkey BIGINT, ps_availqty INT, ps_supplycost DECIMAL(15, 2), ps_comment VARCHAR(199), PRIMARY KEY (ps_partkey, ps_suppkey));
CREATE TABLE customer (c_custkey BIGINT PRIMARY KEY, c_name VARCHAR(25), c_address VARCHAR(40), c_nationkey BIGINT, c_phone CHAR(15), c_acctbal DECIMAL(15, 2), c_mktsegment CHAR(10), c_comment VARCHAR(117));
CREATE TABLE orders (o_orderkey BIGINT PRIMARY KEY, o_custkey BIGINT, o_orderstatus CHAR(1), o_totalprice DECIMAL(15, 2), o_orderdate DATE, o_orderpriority CHAR(15), o_clerk CHAR(15), o_shippriority INT, o_comment VARCHAR(79));
CREATE TABLE lineitem (l_orderkey BIGINT, l_partkey BIGINT, l_suppkey BIGINT, l_linenumber INT, l_quantity DECIMAL(15, 2), l_extendedprice DECIMAL(15, 2), l_discount DECIMAL(15, 2), l_tax DECIMAL(15, 2), l_returnflag CHAR(1), l_linestatus CHAR(1), l_shipdate DATE, l_commitdate DATE, l_receiptdate DATE, l_shipinstruct CHAR(25), l_shipmode CHAR(10), l_comment VARCHAR(44), PRIMARY KEY (l_orderkey, l_linenumber));
";

#[test]
fn nexmark() {
    let catalog =
        catalog_of(&format!("{} CREATE TABLE side_input (key BIGINT PRIMARY KEY, value VARCHAR)", deltic_nexmark::STREAMS));
    let mut text = String::new();
    for query in deltic_nexmark::QUERIES {
        writeln!(text, "== {}: {}\n{}", query.name, query.about, circuit(&catalog, query.sql)).unwrap();
    }
    insta::assert_snapshot!(text);
}

#[test]
fn tpch() {
    let catalog = catalog_of(TPCH);
    let mut text = String::new();
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/tpch");
    for number in [1, 3, 5, 6, 7, 8, 9, 10, 12, 13, 14, 19] {
        let sql = std::fs::read_to_string(format!("{directory}/q{number}.sql")).unwrap();
        writeln!(text, "== q{number}\n{}", circuit(&catalog, &sql)).unwrap();
    }
    insta::assert_snapshot!(text);
}
