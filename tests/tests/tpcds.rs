//! TPC-DS: its 99 queries (103 texts) as views over small generated data, loaded in random order and random commits, 10 % of the rows deleted and
//! inserted again on the way, compared with DataFusion's batch engine at several epochs and at the end.
//!
//! What was adapted in the queries is written down in `tpcds/README.md`. Where DataFusion cannot answer a query as it stands, `qN.oracle.sql` beside
//! it asks the same in other words. `ORDER BY .. LIMIT` is completed for it by all columns of the result, which is how Deltic breaks ties.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use deltic::{Config, Database};
use deltic_tests::feed::Feed;
use deltic_tests::{oracle, tpcds};
use deltic_zset::ZBatch;

/// The queries are shared out among this many databases, each a test of its own.
const DATABASES: usize = 4;
const COMMITS: usize = 40;
const COMPARISONS: usize = 5;
/// The data is always the same, the order in which it comes is not.
const DATA_SEED: u64 = 1;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tpcds")
}

/// A query with the text that the oracle runs.
struct Query {
    name: String,
    sql: String,
    oracle: String,
}

fn queries() -> Vec<Query> {
    let mut names: Vec<String> = std::fs::read_dir(folder())
        .unwrap()
        .filter_map(|file| file.unwrap().file_name().to_str()?.strip_suffix(".sql").map(String::from))
        .filter(|name| name.starts_with('q') && !name.ends_with(".oracle"))
        .collect();
    names.sort_by_key(|name| (name[1..].trim_end_matches(['a', 'b']).parse::<u32>().unwrap(), name.clone()));
    names
        .into_iter()
        .map(|name| {
            let sql = std::fs::read_to_string(folder().join(format!("{name}.sql"))).unwrap();
            let oracle = std::fs::read_to_string(folder().join(format!("{name}.oracle.sql"))).unwrap_or_else(|_| sql.clone());
            Query { name, sql, oracle }
        })
        .collect()
}

/// The text with an order by all columns of the result before its limit.
fn ordered(sql: &str, columns: usize) -> String {
    let Some((query, limit)) = sql.trim_end().rsplit_once("\nLIMIT ") else { return sql.into() };
    let ordinals: Vec<String> = (1..=columns).map(|column| column.to_string()).collect();
    let is_ordered = query.lines().any(|line| line.starts_with("ORDER BY "));
    let separator = if is_ordered { "," } else { "\nORDER BY" };
    format!("{query}{separator} {}\nLIMIT {limit}", ordinals.join(", "))
}

fn open() -> Database {
    let db = Database::open(Config::in_memory().workers(2).pin_workers(false)).unwrap();
    for statement in tpcds::SCHEMA.split_terminator(";\n") {
        db.execute(statement).unwrap();
    }
    db
}

/// Compares all views with the batch engine; the number of them that are not empty.
fn compare(db: &Database, feed: &Feed, queries: &[Query], when: &str) -> usize {
    let contents = feed.contents().unwrap();
    let mut answered = 0;
    for Query { name, oracle, .. } in queries {
        let schema = db.relation(name).unwrap().schema;
        let wanted = oracle::query(&ordered(oracle, schema.fields().len()), &contents)
            .unwrap_or_else(|error| panic!("{name}: DataFusion fails: {error}"));
        let got: Vec<ZBatch> =
            db.query(&format!("SELECT * FROM {name}")).unwrap().iter().map(ZBatch::from_record_batch).collect();
        let got = ZBatch::concat(&schema, &got).unwrap();
        if let Some(difference) = oracle::difference(&wanted, &got) {
            panic!("{name} {when}: {difference}");
        }
        let is_null = |column: &arrow::array::ArrayRef| column.null_count() == column.len();
        answered += usize::from(!wanted.is_empty() && !wanted.columns().iter().all(is_null));
    }
    answered
}

fn run(part: usize) {
    let seed = rand::random();
    println!("seed {seed}");
    let db = open();
    let queries = queries();
    assert_eq!(queries.len(), 103);
    let queries: Vec<Query> = queries.into_iter().skip(part).step_by(DATABASES).collect();
    for Query { name, sql, .. } in &queries {
        db.execute(&format!("CREATE MATERIALIZED VIEW {name} AS {sql}")).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    let mut feed = Feed::new(tpcds::tables(DATA_SEED), 0.1, COMMITS, seed);
    let stride = feed.len() / COMPARISONS;
    let mut commits = 0;
    while feed.commit_next(&db).unwrap() {
        commits += 1;
        if commits % stride == 0 && commits < feed.len() {
            compare(&db, &feed, &queries, &format!("after commit {commits} (seed {seed})"));
        }
    }
    let answered = compare(&db, &feed, &queries, &format!("at the end (seed {seed})"));
    println!("{} views equal batch, {answered} of them with rows", queries.len());
    for Query { name, .. } in &queries {
        assert_eq!(db.errors(name).unwrap().iter().map(RecordBatch::num_rows).sum::<usize>(), 0, "{name} has errors");
    }
}

#[test]
fn tpcds_queries_equal_batch_part_1() {
    run(0);
}

#[test]
fn tpcds_queries_equal_batch_part_2() {
    run(1);
}

#[test]
fn tpcds_queries_equal_batch_part_3() {
    run(2);
}

#[test]
fn tpcds_queries_equal_batch_part_4() {
    run(3);
}

/// Every query runs in the oracle, over all of the data. Most of them find something.
#[test]
fn the_oracle_answers_every_query() {
    let contents: Vec<_> =
        tpcds::tables(DATA_SEED).into_iter().map(|table| (table.name, ZBatch::from_record_batch(&table.rows))).collect();
    let mut empty = Vec::new();
    for Query { name, oracle, .. } in queries() {
        let rows = oracle::query(&oracle, &contents).unwrap_or_else(|error| panic!("{name}: {error}"));
        if rows.columns().iter().all(|column| column.null_count() == column.len()) {
            empty.push(name);
        }
    }
    println!("without an answer: {empty:?}");
    assert!(empty.len() <= 10, "{} queries find nothing: {empty:?}", empty.len());
}
