//! The clock: epochs that consist of time, and who makes them.
//!
//! Can catch: ticks that are missing or too many, a clock that goes back. What operators make of the time is tested elsewhere.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, RecordBatch, TimestampMicrosecondArray};
use common::{database, manual, rows, time_of, watermark};
use deltic::{Clock, Config, Database, Outcome};

#[test]
fn advance_clock_moves_it_and_makes_an_epoch() {
    let (db, clock) = manual(0);
    let outcomes = db.execute("ADVANCE CLOCK TO TIMESTAMP '2024-01-01 00:00:00'; ADVANCE CLOCK BY INTERVAL '90' SECOND").unwrap();
    assert_eq!(clock.now(), time_of("2024-01-01 00:01:30"));
    assert!(matches!(outcomes[1], Outcome::Advanced { command: "ADVANCE CLOCK", epoch: Some(2) }));
    assert_eq!((outcomes[1].to_string(), db.epoch()), ("ADVANCE CLOCK (epoch 2)".to_owned(), 2));
}

#[test]
fn it_never_goes_back() {
    let (db, clock) = manual(time_of("2024-01-01 00:00:00"));
    db.execute("CREATE STREAM s (ts TIMESTAMP, WATERMARK FOR ts AS PROCTIME())").unwrap();
    db.tick().unwrap();
    let error = db.execute("SELECT 1; ADVANCE CLOCK TO TIMESTAMP '2023-12-31 23:59:59'").unwrap_err();
    assert_eq!((error.code(), error.line(), error.column()), ("DT4015", Some(1), Some(11)));
    // Whoever owns the clock can set it back; epochs do not follow.
    clock.set(0);
    db.tick().unwrap();
    assert_eq!(watermark(&db, "s"), Some(time_of("2024-01-01 00:00:00")));
}

#[test]
fn moving_it_makes_no_epoch() {
    let (db, clock) = manual(0);
    db.execute("CREATE STREAM s (ts TIMESTAMP, WATERMARK FOR ts AS PROCTIME()); CREATE MATERIALIZED VIEW v AS SELECT * FROM s")
        .unwrap();
    let epoch = db.epoch();
    clock.advance(Duration::from_secs(3600));
    std::thread::sleep(Duration::from_millis(20));
    assert_eq!(db.epoch(), epoch);
    assert_eq!(db.tick().unwrap(), epoch + 1);
}

#[test]
fn the_clock_of_the_machine_cannot_be_moved() {
    let db = database(1);
    let error = db.execute("ADVANCE CLOCK BY INTERVAL '1' SECOND").unwrap_err();
    assert_eq!((error.code(), error.line()), ("DT4015", Some(1)));
    assert!(error.hint().unwrap().contains("ManualClock"), "{error}");
    let (db, _) = manual(0);
    assert_eq!(db.execute("BEGIN; ADVANCE CLOCK BY INTERVAL '1' SECOND").unwrap_err().code(), "DT4009");
}

#[test]
fn time_passes_by_itself_for_views_that_follow_the_clock() {
    let config = Config::in_memory().workers(2).pin_workers(false).tick_interval(Duration::from_millis(2));
    let db = Database::open(config).unwrap();
    db.execute("CREATE STREAM s (ts TIMESTAMP, WATERMARK FOR ts AS PROCTIME()); CREATE TABLE t (n BIGINT)").unwrap();
    std::thread::sleep(Duration::from_millis(30));
    assert_eq!(db.epoch(), 0, "no view reads s");
    db.execute("CREATE MATERIALIZED VIEW v AS SELECT count(*) AS n FROM s").unwrap();
    let mut subscription = db.subscribe(&["v"]).unwrap();
    let watermarks: Vec<i64> = (0..5).map(|_| subscription.next().unwrap().unwrap().watermark.unwrap()).collect();
    assert!(watermarks.is_sorted() && watermarks[0] < watermarks[4], "{watermarks:?}");
    // Ticks go on beside commits, and stop with the view.
    db.execute("INSERT INTO t VALUES (1); DROP MATERIALIZED VIEW v").unwrap();
    let epoch = db.epoch();
    std::thread::sleep(Duration::from_millis(30));
    assert!(db.epoch() <= epoch + 1);
    assert_eq!(rows(&db, "SELECT * FROM t"), ["1"]);
}

#[test]
fn windows_close_and_samples_are_taken_while_nobody_commits() {
    let config = Config::in_memory().workers(2).pin_workers(false).tick_interval(Duration::from_millis(2));
    let db = Database::open(config).unwrap();
    db.execute(
        "CREATE STREAM s (ts TIMESTAMP, WATERMARK FOR ts AS PROCTIME());
         CREATE MATERIALIZED VIEW closed AS
             SELECT count(*) AS n FROM TABLE(TUMBLE(TABLE s, DESCRIPTOR(ts), INTERVAL '20' MILLISECOND)) GROUP BY window_start, window_end
             EMIT ON WINDOW CLOSE;
         CREATE MATERIALIZED VIEW sampled AS SELECT count(*) AS n FROM s EMIT EVERY INTERVAL '20' MILLISECOND ON CLOCK",
    )
    .unwrap();
    let mut subscription = db.subscribe(&["closed", "sampled"]).unwrap();
    // A time that no watermark can have reached yet.
    let time = TimestampMicrosecondArray::from(vec![Clock::System.now() + 1_000_000]);
    let mut transaction = db.begin();
    transaction.insert("s", RecordBatch::try_from_iter([("ts", Arc::new(time) as ArrayRef)]).unwrap()).unwrap();
    transaction.commit().unwrap();
    let mut seen = HashMap::new();
    while seen.get("closed") != Some(&1) || seen.get("sampled") != Some(&0) {
        for delta in subscription.next().unwrap().unwrap().deltas {
            *seen.entry(delta.view).or_insert(0) += delta.weights.values().iter().sum::<i64>();
        }
    }
    assert_eq!([rows(&db, "SELECT * FROM closed"), rows(&db, "SELECT * FROM sampled")], [["1"], ["1"]]);
}

#[test]
fn an_idle_source_is_found_by_a_tick() {
    let config = Config::in_memory().pin_workers(false).tick_interval(Duration::from_millis(2));
    let db = Database::open(config).unwrap();
    db.execute(
        "CREATE STREAM a (n BIGINT, WATERMARK FOR n AS n) WITH (idle_timeout = '10 milliseconds'); CREATE STREAM b (n BIGINT, WATERMARK FOR n AS n);
         CREATE MATERIALIZED VIEW v AS SELECT * FROM a UNION ALL SELECT * FROM b",
    )
    .unwrap();
    let mut subscription = db.subscribe(&["v"]).unwrap();
    db.execute("INSERT INTO b VALUES (7)").unwrap();
    let idle = subscription.find(|change| change.as_ref().unwrap().watermark == Some(7)).unwrap().unwrap();
    // Nothing can change any more, so no epoch comes.
    std::thread::sleep(Duration::from_millis(20));
    assert_eq!(db.epoch(), idle.epoch);
}

#[test]
fn time_cannot_pass_every_moment() {
    let error = Database::open(Config::in_memory().tick_interval(Duration::ZERO)).unwrap_err();
    assert_eq!(error.code(), "DT4001");
}
