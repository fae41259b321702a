//! `deltic::check` itself: what it prints can be run, and shows what it says.
//!
//! The failure is made up by an oracle, so this finds a search that loses the failure, or SQL that does not lead to it; not a bug that goes unnoticed.
#![allow(clippy::unwrap_used)]

mod common;

use common::{manual, rows};
use deltic::check::{BatchOracle, CheckOptions, OracleInput, check};
use deltic_zset::ZBatch;

/// Objects to any view with a row.
struct Objector;

impl BatchOracle for Objector {
    fn compare(&self, _: &str, _: &[OracleInput], rows: &ZBatch) -> Option<String> {
        (!rows.is_empty()).then(|| format!("{} rows", rows.len()))
    }
}

#[test]
fn a_failure_that_takes_time_is_printed_as_it_happened() {
    // A row is late only after the watermark has moved, and a source is idle only after the clock has.
    let setup = "CREATE TABLE t (k INT, at TIMESTAMP, WATERMARK FOR at) WITH (allowed_lateness = '1 second');
         CREATE STREAM s (n BIGINT, WATERMARK FOR n AS n PER PARTITION (n)) WITH (idle_timeout = '5 seconds');";
    for view in [
        "CREATE MATERIALIZED VIEW v AS SELECT late_watermark FROM \"t$late\" WHERE late_reason = 'late'",
        "CREATE MATERIALIZED VIEW v AS SELECT late_watermark FROM \"s$late\" WHERE late_reason = 'late' AND late_epoch > 2",
    ] {
        let options = CheckOptions { iterations: 200, seed: 7, max_workers: 3 };
        let report = check(&format!("{setup} {view}"), &options, Some(&Objector), &mut |_| {}).unwrap();
        let failure = report.failure.expect("some history has a late row");
        assert!(failure.sql.contains("ADVANCE"), "{failure}");
        let (db, _) = manual(0);
        db.execute(&failure.sql).unwrap_or_else(|error| panic!("{error}\n{failure}"));
        assert_eq!(rows(&db, "SELECT count(*) FROM v"), ["1"], "{failure}");
        // Little is left: two rows at most, and what moves the time.
        assert!(failure.sql.matches("INSERT").count() <= 4, "{failure}");
    }
}

#[test]
fn the_same_seed_gives_the_same_histories() {
    let sql = "CREATE STREAM s (n BIGINT, WATERMARK FOR n AS n) WITH (idle_timeout = '5 seconds'); CREATE MATERIALIZED VIEW v AS SELECT n FROM s";
    let options = CheckOptions { iterations: 5, seed: 3, max_workers: 2 };
    let commits = || check(sql, &options, None, &mut |_| {}).unwrap().commits;
    assert_eq!(commits(), commits());
}
