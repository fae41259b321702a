//! Commits: atomicity, upserts, refusals, order, back-pressure.
//!
//! Can catch: lost, doubled or half-visible commits. The arithmetic of views is tested elsewhere.
#![allow(clippy::unwrap_used)]

mod common;

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{Array, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray};
use common::{database, pairs, rows, within};
use deltic::{Config, Database, OverflowPolicy};

const SETUP: &str = "CREATE TABLE t (k BIGINT, v BIGINT);
    CREATE TABLE u (k BIGINT PRIMARY KEY, v BIGINT);
    CREATE STREAM s (k BIGINT, v BIGINT);
    CREATE MATERIALIZED VIEW sums AS SELECT k, sum(v) AS total, count(*) AS n FROM t GROUP BY k;
    CREATE MATERIALIZED VIEW latest AS SELECT v, count(*) AS n FROM u GROUP BY v;
    CREATE MATERIALIZED VIEW seen AS SELECT count(*) AS n FROM s";

fn set_up(workers: usize) -> Database {
    let db = database(workers);
    db.execute(SETUP).unwrap();
    db
}

#[test]
fn a_commit_is_visible_when_it_returns() {
    for workers in [1, 2, 4] {
        let db = set_up(workers);
        for round in 0..20 {
            let mut transaction = db.begin();
            transaction.insert("t", pairs(&[(1, round), (2, 1)])).unwrap();
            transaction.insert("s", pairs(&[(1, round)])).unwrap();
            assert_eq!(transaction.commit().unwrap(), db.epoch());
            let total: i64 = (0..=round).sum();
            assert_eq!(rows(&db, "SELECT * FROM sums"), [format!("1|{total}|{}", round + 1), format!("2|{0}|{0}", round + 1)]);
            assert_eq!(rows(&db, "SELECT * FROM seen"), [(round + 1).to_string()]);
        }
    }
}

#[test]
fn a_dropped_transaction_leaves_nothing() {
    let db = set_up(2);
    let mut transaction = db.begin();
    transaction.insert("t", pairs(&[(1, 1)])).unwrap();
    drop(transaction);
    assert!(rows(&db, "SELECT * FROM t").is_empty());
    assert_eq!(db.epoch(), 0);
}

#[test]
fn deleting_a_missing_row_refuses_everything() {
    for workers in [1, 3] {
        let db = set_up(workers);
        db.execute("INSERT INTO t VALUES (1, 1)").unwrap();
        let epoch = db.epoch();
        let mut transaction = db.begin();
        transaction.insert("u", pairs(&[(5, 5)])).unwrap();
        transaction.insert("s", pairs(&[(5, 5)])).unwrap();
        transaction.delete("t", pairs(&[(1, 1), (1, 1)])).unwrap();
        let error = transaction.commit().unwrap_err();
        assert_eq!(error.code(), "DT4005");
        assert!(error.message().contains("(1, 1)") && error.message().contains("'t'"), "{error}");
        assert_eq!(rows(&db, "SELECT * FROM t"), ["1|1"]);
        assert!(rows(&db, "SELECT * FROM u").is_empty());
        assert_eq!(rows(&db, "SELECT n FROM seen"), ["0"]);
        assert_eq!(db.epoch(), epoch);
        assert_eq!(db.stats().unwrap().refused_commits, 1);
        // The database goes on.
        let mut transaction = db.begin();
        transaction.delete("t", pairs(&[(1, 1)])).unwrap();
        transaction.commit().unwrap();
        assert!(rows(&db, "SELECT * FROM sums").is_empty());
    }
}

#[test]
fn rows_come_and_go_by_weight() {
    let db = set_up(2);
    let mut transaction = db.begin();
    transaction.apply("t", pairs(&[(1, 10), (2, 20), (3, 30)]), Int64Array::from(vec![3, 0, 1])).unwrap();
    transaction.commit().unwrap();
    assert_eq!(rows(&db, "SELECT * FROM sums"), ["1|30|3", "3|30|1"]);
    transaction.apply("t", pairs(&[(1, 10), (3, 30)]), Int64Array::from(vec![-2, -1])).unwrap();
    transaction.commit().unwrap();
    assert_eq!(rows(&db, "SELECT * FROM sums"), ["1|10|1"]);
}

#[test]
fn inserting_an_existing_key_replaces_the_row() {
    for workers in [1, 2] {
        let db = set_up(workers);
        let mut transaction = db.begin();
        transaction.insert("u", pairs(&[(1, 10), (2, 10), (1, 11)])).unwrap();
        transaction.commit().unwrap();
        assert_eq!(rows(&db, "SELECT * FROM u"), ["1|11", "2|10"]);
        transaction.insert("u", pairs(&[(2, 11)])).unwrap();
        transaction.commit().unwrap();
        assert_eq!(rows(&db, "SELECT * FROM latest"), ["11|2"]);
        transaction.delete("u", pairs(&[(2, 10)])).unwrap();
        assert_eq!(transaction.commit().unwrap_err().code(), "DT4005");
        transaction.delete("u", pairs(&[(2, 11)])).unwrap();
        transaction.insert("u", pairs(&[(3, 11)])).unwrap();
        transaction.commit().unwrap();
        assert_eq!(rows(&db, "SELECT * FROM u"), ["1|11", "3|11"]);
    }
}

#[test]
fn a_stream_takes_no_deletions() {
    let db = set_up(1);
    let mut transaction = db.begin();
    assert_eq!(transaction.delete("s", pairs(&[(1, 1)])).unwrap_err().code(), "DT4006");
    assert!(transaction.is_empty());
}

#[test]
fn submitted_commits_keep_their_order() {
    let db = set_up(2);
    let mut pending = Vec::new();
    for round in 0..200 {
        let mut transaction = db.begin();
        transaction.insert("u", pairs(&[(1, round)])).unwrap();
        pending.push(transaction.submit().unwrap());
    }
    let epochs: Vec<u64> = pending.into_iter().map(|pending| pending.wait().unwrap()).collect();
    assert_eq!(epochs, (1..=200).collect::<Vec<_>>());
    assert_eq!(rows(&db, "SELECT * FROM u"), ["1|199"]);
    assert_eq!(rows(&db, "SELECT * FROM latest"), ["199|1"]);
}

#[test]
fn a_batch_must_fit_its_table() {
    let db = database(1);
    db.execute("CREATE TABLE t (k BIGINT NOT NULL, v DOUBLE DEFAULT 1.5, name VARCHAR(3))").unwrap();
    let mut transaction = db.begin();
    let wrong = RecordBatch::try_from_iter([("key", Arc::new(Int64Array::from(vec![1])) as _)]).unwrap();
    assert!(transaction.insert("t", wrong).unwrap_err().to_string().contains("no column 'key'"));
    let wrong = RecordBatch::try_from_iter([("k", Arc::new(StringArray::from(vec!["x"])) as _)]).unwrap();
    assert_eq!(transaction.insert("t", wrong).unwrap_err().code(), "DT4003");
    let null = RecordBatch::try_from_iter([("k", Arc::new(Int64Array::from(vec![Some(1), None])) as _)]).unwrap();
    let error = transaction.insert("t", null).unwrap_err();
    assert!(error.code() == "DT4004" && error.message().contains("row 2"), "{error}");
    let long = RecordBatch::try_from_iter([
        ("k", Arc::new(Int64Array::from(vec![1])) as Arc<dyn Array>),
        ("name", Arc::new(StringArray::from(vec!["long"])) as _),
    ]);
    assert!(transaction.insert("t", long.unwrap()).unwrap_err().message().contains("VARCHAR(3)"));
    assert_eq!(transaction.insert("nothing", pairs(&[(1, 1)])).unwrap_err().code(), "DT4002");
    // Casts that lose nothing, defaults for what is left out, columns in any order and case.
    let fits = RecordBatch::try_from_iter([
        ("NAME", Arc::new(StringArray::from(vec!["abc"])) as Arc<dyn Array>),
        ("k", Arc::new(Int32Array::from(vec![7])) as _),
    ]);
    transaction.insert("T", fits.unwrap()).unwrap();
    transaction.commit().unwrap();
    assert_eq!(rows(&db, "SELECT k, v, name FROM t"), ["7|1.5|abc"]);
}

#[test]
fn floats_are_made_canonical_at_the_door() {
    let db = database(1);
    db.execute("CREATE TABLE f (x DOUBLE); CREATE MATERIALIZED VIEW g AS SELECT x, count(*) AS n FROM f GROUP BY x").unwrap();
    let other_nan = f64::from_bits(0xfff8_0000_0000_0001);
    let batch = RecordBatch::try_from_iter([("x", Arc::new(Float64Array::from(vec![0.0, -0.0, f64::NAN, other_nan])) as _)]);
    let mut transaction = db.begin();
    transaction.insert("f", batch.unwrap()).unwrap();
    transaction.commit().unwrap();
    assert_eq!(rows(&db, "SELECT * FROM g"), ["0.0|2", "NaN|2"]);
}

#[test]
fn two_writers_and_two_readers_at_once() {
    within(Duration::from_secs(120), || {
        let db = database(2);
        db.execute("CREATE TABLE t (k BIGINT, v BIGINT); CREATE MATERIALIZED VIEW m AS SELECT sum(v) AS s, count(*) AS n FROM t")
            .unwrap();
        std::thread::scope(|scope| {
            for writer in 0..2 {
                let db = db.clone();
                scope.spawn(move || {
                    for round in 0..100 {
                        let mut transaction = db.begin();
                        // Every commit adds 0 to the sum and 2 to the count: half a commit would show.
                        transaction.insert("t", pairs(&[(writer, round), (writer, -round)])).unwrap();
                        transaction.commit().unwrap();
                    }
                });
            }
            for _ in 0..2 {
                let db = db.clone();
                scope.spawn(move || {
                    for _ in 0..50 {
                        let both = rows(&db, "SELECT m.s, m.n, x.n FROM m CROSS JOIN (SELECT count(*) AS n FROM t) AS x");
                        let fields: Vec<&str> = both[0].split('|').collect();
                        assert!(fields[0] == "0" || fields[0] == "NULL", "{both:?}");
                        assert_eq!(fields[1], fields[2], "table and view are of one epoch");
                        assert!(fields[1].parse::<i64>().unwrap() % 2 == 0);
                    }
                });
            }
        });
        assert_eq!(rows(&db, "SELECT * FROM m"), ["0|400"]);
        assert_eq!(db.epoch(), 200);
    });
}

#[test]
fn a_full_queue_does_as_its_policy_says() {
    let config = |policy| Config::in_memory().pin_workers(false).queue_rows(4).overflow(policy).in_flight_epochs(1);
    let setup = "CREATE STREAM s (k BIGINT, v BIGINT); CREATE MATERIALIZED VIEW n AS SELECT count(*) AS n FROM s";
    let submit = |db: &Database, commits: i64| {
        let submitted = (0..commits).map(|round| {
            let mut transaction = db.begin();
            transaction.insert("s", pairs(&[(1, round), (2, round), (3, round)]))?;
            transaction.submit()
        });
        submitted.collect::<Vec<_>>()
    };
    let db = Database::open(config(OverflowPolicy::Block)).unwrap();
    db.execute(setup).unwrap();
    submit(&db, 50).into_iter().for_each(|pending| _ = pending.unwrap().wait().unwrap());
    assert_eq!(rows(&db, "SELECT * FROM n"), ["150"]);

    let db = Database::open(config(OverflowPolicy::Drop)).unwrap();
    db.execute(setup).unwrap();
    submit(&db, 50).into_iter().for_each(|pending| _ = pending.unwrap().wait().unwrap());
    let ingest = db.stats().unwrap().relations.into_iter().find(|relation| relation.name == "s").unwrap().ingest;
    assert_eq!(ingest.acquired_rows + ingest.dropped_rows, 150);
    assert_eq!(ingest.acquired_rows, ingest.released_rows);
    assert_eq!(rows(&db, "SELECT * FROM n"), [ingest.acquired_rows.to_string()]);

    let db = Database::open(config(OverflowPolicy::Error)).unwrap();
    db.execute(setup).unwrap();
    let accepted = submit(&db, 50).into_iter().filter_map(|pending| match pending {
        Ok(pending) => Some(pending.wait().unwrap()),
        Err(error) => {
            assert_eq!(error.code(), "DT4007");
            None
        }
    });
    assert_eq!(rows(&db, "SELECT * FROM n"), [(accepted.count() * 3).to_string()]);
}

#[test]
fn handles_can_go_while_commits_are_under_way() {
    within(Duration::from_secs(60), || {
        let db = set_up(2);
        let mut transaction = db.begin();
        transaction.insert("t", pairs(&[(1, 1)])).unwrap();
        let pending = transaction.submit().unwrap();
        let mut changes = db.subscribe(&["sums"]).unwrap();
        drop((transaction, db));
        assert_eq!(pending.wait().unwrap(), 1);
        assert!(changes.all(|change| change.is_ok()), "the subscription ends when the database does");
    });
}
