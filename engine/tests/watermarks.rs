//! Watermarks: how each strategy moves them, and when they stand still.
//!
//! Can catch: a watermark that goes back, comes too early, too late or in the wrong unit. What operators make of it is tested elsewhere.
#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use common::{manual, rows, time_of, watermark};
use deltic::Database;

const SECOND: i64 = 1_000_000;

#[test]
fn it_is_the_greatest_time_less_the_delay() {
    let (db, _) = manual(1);
    db.execute("CREATE STREAM s (ts TIMESTAMP, WATERMARK FOR ts AS ts - INTERVAL '5' SECOND)").unwrap();
    assert_eq!(watermark(&db, "s"), None);
    db.execute("INSERT INTO s VALUES ('2024-01-01 00:00:10'), ('2024-01-01 00:00:07')").unwrap();
    assert_eq!(watermark(&db, "s"), Some(time_of("2024-01-01 00:00:05")));
    // A row behind the greatest one is out of order, and moves nothing.
    db.execute("INSERT INTO s VALUES ('2024-01-01 00:00:06')").unwrap();
    assert_eq!(watermark(&db, "s"), Some(time_of("2024-01-01 00:00:05")));
}

#[test]
fn ascending_is_without_delay() {
    let (db, _) = manual(1);
    db.execute("CREATE TABLE t (ts TIMESTAMPTZ, WATERMARK FOR ts AS ts); INSERT INTO t VALUES ('2024-01-01 00:00:10+01')")
        .unwrap();
    assert_eq!(watermark(&db, "t"), Some(time_of("2023-12-31 23:00:10")));
}

#[test]
fn integers_and_dates_are_times() {
    let (db, _) = manual(1);
    db.execute(
        "CREATE STREAM n (k INT, WATERMARK FOR k AS k - 3); CREATE STREAM d (day DATE, WATERMARK FOR day AS day - INTERVAL '1' DAY);
         INSERT INTO n VALUES (10), (-4); INSERT INTO d VALUES ('2024-01-03')",
    )
    .unwrap();
    assert_eq!(watermark(&db, "n"), Some(7));
    assert_eq!(watermark(&db, "d"), Some(time_of("2024-01-02 00:00:00")));
}

#[test]
fn times_before_1970_are_times() {
    let (db, _) = manual(1);
    db.execute("CREATE STREAM s (ts TIMESTAMP, WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)").unwrap();
    db.execute("INSERT INTO s VALUES ('1969-12-31 23:59:59.5'), ('1960-01-01')").unwrap();
    assert_eq!(watermark(&db, "s"), Some(-3 * SECOND / 2));
}

#[test]
fn of_partitions_it_is_the_least() {
    let (db, _) = manual(1);
    db.execute("CREATE STREAM s (k TEXT, n BIGINT, WATERMARK FOR n AS n PER PARTITION (k))").unwrap();
    db.execute("INSERT INTO s VALUES ('a', 100), ('b', 50), ('a', 30)").unwrap();
    assert_eq!(watermark(&db, "s"), Some(50));
    db.execute("INSERT INTO s VALUES ('a', 200)").unwrap();
    assert_eq!(watermark(&db, "s"), Some(50));
    db.execute("INSERT INTO s VALUES ('b', 120), (NULL, 110)").unwrap();
    assert_eq!(watermark(&db, "s"), Some(110), "NULL is a partition like any other");
    // A new partition does not take it back.
    db.execute("INSERT INTO s VALUES ('new', 110), (NULL, 150)").unwrap();
    assert_eq!(watermark(&db, "s"), Some(110));
}

#[test]
fn an_idle_partition_holds_nothing_back_until_it_wakes() {
    let (db, clock) = manual(1);
    db.execute("CREATE STREAM s (k INT, n BIGINT, WATERMARK FOR n AS n PER PARTITION (k)) WITH (idle_timeout = '30s')").unwrap();
    db.execute("INSERT INTO s VALUES (1, 10), (2, 20)").unwrap();
    assert_eq!(watermark(&db, "s"), Some(10));
    clock.advance(Duration::from_secs(29));
    db.execute("INSERT INTO s VALUES (2, 30)").unwrap();
    assert_eq!(watermark(&db, "s"), Some(10));
    clock.advance(Duration::from_secs(1));
    db.tick().unwrap();
    assert_eq!(watermark(&db, "s"), Some(30), "partition 1 is idle after exactly 30 s");
    // It wakes with a row that the watermark lets in, and holds back what comes.
    db.execute("INSERT INTO s VALUES (1, 30)").unwrap();
    db.execute("INSERT INTO s VALUES (2, 99)").unwrap();
    assert_eq!(watermark(&db, "s"), Some(30));
    // What it missed while it was idle is late.
    db.execute("INSERT INTO s VALUES (1, 29)").unwrap();
    assert_eq!(rows(&db, "SELECT k, n FROM \"s$late\""), ["1|29"]);
}

#[test]
fn punctuated_only_moves_when_told_to() {
    let (db, _) = manual(1);
    db.execute("CREATE STREAM s (n BIGINT, WATERMARK FOR n)").unwrap();
    db.execute("INSERT INTO s VALUES (1000)").unwrap();
    assert_eq!(watermark(&db, "s"), None);
    db.execute("ADVANCE WATERMARK s TO 5").unwrap();
    assert_eq!(watermark(&db, "s"), Some(5));
    let epoch = db.advance_watermark("s", 6).unwrap();
    assert_eq!((watermark(&db, "s"), db.epoch()), (Some(6), epoch), "an epoch of its own");
}

#[test]
fn every_strategy_can_be_advanced_but_not_taken_back() {
    let (db, _) = manual(1);
    db.execute("CREATE TABLE t (n BIGINT, WATERMARK FOR n AS n - 5); INSERT INTO t VALUES (10); ADVANCE WATERMARK t TO 8")
        .unwrap();
    assert_eq!(watermark(&db, "t"), Some(8));
    db.execute("ADVANCE WATERMARK t TO 8").unwrap();
    let epoch = db.epoch();
    let error = db.execute("SELECT 1;\n  ADVANCE WATERMARK t TO 7").unwrap_err();
    assert_eq!((error.code(), error.line(), error.column()), ("DT4015", Some(2), Some(3)));
    assert!(error.message().contains("'t' is 8 and cannot go back to 7"), "{error}");
    assert_eq!((watermark(&db, "t"), db.epoch()), (Some(8), epoch));
    db.execute("INSERT INTO t VALUES (20)").unwrap();
    assert_eq!(watermark(&db, "t"), Some(15));
}

#[test]
fn a_transaction_advances_it_with_its_rows_or_not_at_all() {
    let (db, _) = manual(1);
    db.execute("CREATE TABLE t (n BIGINT, WATERMARK FOR n)").unwrap();
    db.execute("BEGIN; ADVANCE WATERMARK t TO 100; INSERT INTO t VALUES (1); COMMIT").unwrap();
    assert_eq!(rows(&db, "SELECT * FROM t"), ["1"], "the rows of an epoch are judged by the watermark before it");
    assert_eq!(watermark(&db, "t"), Some(100));
    db.execute("BEGIN; ADVANCE WATERMARK t TO 200; ROLLBACK").unwrap();
    assert_eq!(watermark(&db, "t"), Some(100));
    // A commit that is refused for another reason moves nothing.
    let mut transaction = db.begin();
    transaction.advance_watermark("t", 300).unwrap();
    transaction.delete("t", db.query("SELECT 555 AS n").unwrap().remove(0)).unwrap();
    assert_eq!(transaction.commit().unwrap_err().code(), "DT4005");
    assert_eq!(watermark(&db, "t"), Some(100));
}

#[test]
fn processing_time_follows_the_clock() {
    let (db, clock) = manual(time_of("2024-01-01 00:01:00"));
    db.execute("CREATE STREAM s (ts TIMESTAMP, WATERMARK FOR ts AS PROCTIME() - INTERVAL '10' SECOND)").unwrap();
    db.tick().unwrap();
    assert_eq!(watermark(&db, "s"), Some(time_of("2024-01-01 00:00:50")));
    clock.advance(Duration::from_secs(5));
    assert_eq!(watermark(&db, "s"), Some(time_of("2024-01-01 00:00:50")), "it belongs to the epoch");
    db.execute("INSERT INTO s VALUES ('2024-01-01 00:00:50'), ('2024-01-01 00:00:49.999999')").unwrap();
    assert_eq!(watermark(&db, "s"), Some(time_of("2024-01-01 00:00:55")));
    assert_eq!(rows(&db, "SELECT ts, late_watermark FROM \"s$late\""), ["2024-01-01T00:00:49.999999|2024-01-01T00:00:50"]);
}

#[test]
fn rows_that_replace_each_other_in_a_commit_all_count() {
    let (db, _) = manual(1);
    db.execute("CREATE TABLE u (k INT PRIMARY KEY, n BIGINT, WATERMARK FOR n AS n)").unwrap();
    db.execute("INSERT INTO u VALUES (1, 100), (1, 50)").unwrap();
    assert_eq!(watermark(&db, "u"), Some(100), "as if they had come one by one");
    assert_eq!(rows(&db, "SELECT * FROM u"), ["1|50"]);
}

#[test]
fn rows_from_the_far_future_do_not_move_it() {
    let (db, clock) = manual(time_of("2024-01-01 00:00:00"));
    db.execute(
        "CREATE STREAM s (ts TIMESTAMP, WATERMARK FOR ts AS ts) WITH (max_future_skew = '1 hour');
         CREATE TABLE a (ts TIMESTAMP, WATERMARK FOR ts AS ts) WITH (max_future_skew = '1 hour', late_policy = 'accept')",
    )
    .unwrap();
    for relation in ["s", "a"] {
        db.execute(&format!("INSERT INTO {relation} VALUES ('2024-01-01 01:00:00'), ('2024-01-01 01:00:00.000001')")).unwrap();
        assert_eq!(watermark(&db, relation), Some(time_of("2024-01-01 01:00:00")), "{relation}");
    }
    assert_eq!(rows(&db, "SELECT late_reason, ts FROM \"s$late\""), ["future|2024-01-01T01:00:00.000001"]);
    assert_eq!(rows(&db, "SELECT count(*) FROM a"), ["2"], "where nothing is refused, it is there all the same");
    clock.advance(Duration::from_micros(1));
    db.execute("INSERT INTO s VALUES ('2024-01-01 01:00:00.000001')").unwrap();
    assert_eq!(watermark(&db, "s"), Some(time_of("2024-01-01 01:00:00.000001")));
}

#[test]
fn a_new_source_of_the_same_name_starts_without_one() {
    let (db, _) = manual(1);
    db.execute("CREATE STREAM s (n BIGINT, WATERMARK FOR n AS n); INSERT INTO s VALUES (9); DROP STREAM s").unwrap();
    db.execute("CREATE STREAM s (n BIGINT, WATERMARK FOR n AS n)").unwrap();
    assert_eq!(watermark(&db, "s"), None);
    db.execute("INSERT INTO s VALUES (1)").unwrap();
    assert_eq!(watermark(&db, "s"), Some(1));
    assert!(rows(&db, "SELECT * FROM \"s$late\"").is_empty());
}

#[test]
fn changes_carry_the_least_watermark_of_what_is_followed() {
    let (db, _) = manual(2);
    db.execute(
        "CREATE STREAM a (n BIGINT, WATERMARK FOR n AS n); CREATE TABLE b (n BIGINT, WATERMARK FOR n AS n); CREATE TABLE c (n BIGINT);
         CREATE MATERIALIZED VIEW both AS SELECT n FROM a UNION ALL SELECT n FROM b;
         CREATE MATERIALIZED VIEW over AS SELECT count(*) AS n FROM both;
         CREATE MATERIALIZED VIEW timeless AS SELECT n FROM c",
    )
    .unwrap();
    let followed = ["a", "both", "over", "timeless"];
    let mut subscriptions: Vec<_> = followed.iter().map(|name| db.subscribe(&[name]).unwrap()).collect();
    let mut next = || -> Vec<Option<i64>> { subscriptions.iter_mut().map(|s| s.next().unwrap().unwrap().watermark).collect() };
    db.execute("INSERT INTO a VALUES (10)").unwrap();
    assert_eq!(next(), [Some(10), None, None, None], "b has none yet");
    db.execute("INSERT INTO b VALUES (7)").unwrap();
    assert_eq!(next(), [Some(10), Some(7), Some(7), None]);
    db.execute("ADVANCE WATERMARK b TO 20").unwrap();
    assert_eq!(next(), [Some(10), Some(10), Some(10), None]);
}

#[test]
fn show_stats_shows_it_as_its_column_does() {
    let (db, _) = manual(1);
    db.execute(
        "CREATE STREAM s (ts TIMESTAMP, WATERMARK FOR ts AS ts); CREATE STREAM n (n INT, WATERMARK FOR n AS n);
         INSERT INTO s VALUES ('2024-01-01 12:00:00.5'); INSERT INTO n VALUES (-3)",
    )
    .unwrap();
    let shown = |db: &Database| -> Vec<String> {
        let batches = db.query("SHOW STATS").unwrap();
        let columns = ["name", "watermark"].map(|name| batches[0].schema().index_of(name).unwrap());
        common::texts(&batches[0].project(&columns).unwrap())
    };
    assert_eq!(shown(&db), ["n|-3", "n$late|NULL", "s|2024-01-01 12:00:00.500", "s$late|NULL"]);
}

#[test]
fn what_has_no_watermark_cannot_be_advanced() {
    let (db, _) = manual(1);
    db.execute("CREATE TABLE t (n BIGINT); CREATE STREAM s (n BIGINT, WATERMARK FOR n)").unwrap();
    assert_eq!(db.advance_watermark("t", 1).unwrap_err().code(), "DT4015");
    assert_eq!(db.advance_watermark("s$late", 1).unwrap_err().code(), "DT4002");
    assert!(db.execute("ADVANCE WATERMARK t TO 1").unwrap_err().line().is_some());
    let error = db.execute("ADVANCE WATERMARK s TO 'soon'").unwrap_err();
    assert_eq!((error.line(), error.column()), (Some(1), Some(24)));
}
