//! Planning: the 22 queries of TPC-H, from text to circuit, and as views over empty tables.

use std::error::Error;
use std::time::{Duration, Instant};

use clap::Parser;
use deltic::{Config, Database};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures planning
#[derive(Parser, Debug)]
struct Args {
    /// How often each query is planned; the median counts
    #[arg(long, default_value_t = 9)]
    repetitions: usize,
}

const TABLES: &str = "
CREATE TABLE part (p_partkey BIGINT, p_name VARCHAR, p_mfgr VARCHAR, p_brand VARCHAR, p_type VARCHAR, p_size INT, p_container VARCHAR,
    p_retailprice DECIMAL(15, 2), p_comment VARCHAR);
CREATE TABLE supplier (s_suppkey BIGINT, s_name VARCHAR, s_address VARCHAR, s_nationkey BIGINT, s_phone VARCHAR, s_acctbal DECIMAL(15, 2),
    s_comment VARCHAR);
CREATE TABLE partsupp (ps_partkey BIGINT, ps_suppkey BIGINT, ps_availqty INT, ps_supplycost DECIMAL(15, 2), ps_comment VARCHAR);
CREATE TABLE customer (c_custkey BIGINT, c_name VARCHAR, c_address VARCHAR, c_nationkey BIGINT, c_phone VARCHAR, c_acctbal DECIMAL(15, 2),
    c_mktsegment VARCHAR, c_comment VARCHAR);
CREATE TABLE orders (o_orderkey BIGINT, o_custkey BIGINT, o_orderstatus VARCHAR, o_totalprice DECIMAL(15, 2), o_orderdate DATE,
    o_orderpriority VARCHAR, o_clerk VARCHAR, o_shippriority INT, o_comment VARCHAR);
CREATE TABLE lineitem (l_orderkey BIGINT, l_partkey BIGINT, l_suppkey BIGINT, l_linenumber INT, l_quantity DECIMAL(15, 2),
    l_extendedprice DECIMAL(15, 2), l_discount DECIMAL(15, 2), l_tax DECIMAL(15, 2), l_returnflag VARCHAR, l_linestatus VARCHAR,
    l_shipdate DATE, l_commitdate DATE, l_receiptdate DATE, l_shipinstruct VARCHAR, l_shipmode VARCHAR, l_comment VARCHAR);
CREATE TABLE nation (n_nationkey BIGINT, n_name VARCHAR, n_regionkey BIGINT, n_comment VARCHAR);
CREATE TABLE region (r_regionkey BIGINT, r_name VARCHAR, r_comment VARCHAR)";

macro_rules! queries {
    ($($number:literal),*) => { [$((concat!("q", $number), include_str!(concat!("../../../tests/tpch/q", $number, ".sql")))),*] };
}

const QUERIES: [(&str, &str); 22] = queries!(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22);

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let db = Database::open(Config::in_memory().workers(1))?;
    db.execute(TABLES)?;
    println!("{:<8} {:>12} {:>16}", "query", "planned, ms", "created, ms");
    let (mut planned, mut created) = (Duration::ZERO, Duration::ZERO);
    for (name, query) in QUERIES {
        let query = query.trim().trim_end_matches(';');
        let mut plans = Vec::new();
        for _ in 0..args.repetitions.max(1) {
            let started = Instant::now();
            db.query(&format!("EXPLAIN {query}"))?;
            plans.push(started.elapsed());
        }
        plans.sort_unstable();
        let plan = plans[plans.len() / 2];
        let started = Instant::now();
        db.execute(&format!("CREATE MATERIALIZED VIEW {name} AS {query}"))?;
        let create = started.elapsed();
        println!("{name:<8} {:>12.2} {:>16.2}", plan.as_secs_f64() * 1e3, create.as_secs_f64() * 1e3);
        (planned, created) = (planned + plan, created + create);
    }
    println!("{:<8} {:>12.1} {:>16.1}", "all", planned.as_secs_f64() * 1e3, created.as_secs_f64() * 1e3);
    Ok(())
}
