//! What views hold, beside the path of commits: reads find exactly the commits before them, however far keeping is behind.
//!
//! Can catch: reads that overtake deltas, deltas lost or kept after a drop, a shutdown that hangs, rows that workers take turns with but a view needs together.
#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use common::{database, pairs, rows, within};

#[test]
fn a_read_is_of_the_last_commit_though_keeping_is_behind() {
    const KEYS: i64 = 40_000;
    for workers in [1, 3] {
        within(Duration::from_secs(120), move || {
            let db = database(workers);
            db.execute(
                "CREATE STREAM s (k BIGINT NOT NULL, v BIGINT NOT NULL);
                 CREATE MATERIALIZED VIEW sums AS SELECT k, count(*) AS n, sum(v) AS total FROM s GROUP BY k",
            )
            .unwrap();
            // Far more rows change than the queue of the keeper takes.
            for commit in 1..=40 {
                let mut transaction = db.begin();
                let batch: Vec<(i64, i64)> = (0..KEYS).map(|key| (key, 1)).collect();
                transaction.insert("s", pairs(&batch)).unwrap();
                transaction.submit().unwrap();
                if commit % 8 == 0 {
                    let mut last = db.begin();
                    last.insert("s", pairs(&[(KEYS, 1)])).unwrap();
                    last.commit().unwrap();
                    let read = rows(&db, "SELECT count(*), min(n), max(total), sum(total) FROM sums WHERE k < 40000");
                    assert_eq!(read, [format!("{KEYS}|{commit}|{commit}|{}", KEYS * commit)]);
                    assert_eq!(rows(&db, "SELECT n, total FROM sums WHERE k = 17"), [format!("{commit}|{commit}")]);
                }
            }
            let kept = db.stats().unwrap().relations.into_iter().find(|relation| relation.name == "sums").unwrap();
            assert!(kept.entries as i64 > KEYS && (kept.entries as i64) < 8 * KEYS, "{} entries", kept.entries);
        });
    }
}

#[test]
fn a_view_of_the_same_name_starts_anew() {
    let db = database(2);
    db.execute("CREATE TABLE t (k BIGINT, v BIGINT); INSERT INTO t VALUES (1, 1), (2, 0)").unwrap();
    for round in 1..=3 {
        db.execute("CREATE MATERIALIZED VIEW w AS SELECT k, 6 / v AS q FROM t").unwrap();
        assert_eq!(rows(&db, "SELECT * FROM w").len(), round, "one row fails");
        assert_eq!(db.errors("w").unwrap()[0].num_rows(), 1);
        db.execute(&format!("INSERT INTO t VALUES ({round}, 2)")).unwrap();
        assert_eq!(rows(&db, "SELECT * FROM w").len(), round + 1);
        db.execute("DROP MATERIALIZED VIEW w").unwrap();
        assert!(db.query("SELECT * FROM w").is_err());
    }
}

#[test]
fn workers_take_turns_where_no_view_remembers_anything() {
    for workers in [1, 4] {
        let db = database(workers);
        db.execute(
            "CREATE TABLE plain (k BIGINT, v BIGINT); CREATE TABLE grouped (k BIGINT, v BIGINT);
             CREATE MATERIALIZED VIEW big AS SELECT k, v * 2 AS v2 FROM plain WHERE v > 0 UNION ALL SELECT k, v FROM plain;
             CREATE MATERIALIZED VIEW same AS SELECT k, v FROM grouped WHERE v > 0;
             CREATE MATERIALIZED VIEW sums AS SELECT k, sum(v) AS total FROM same GROUP BY k",
        )
        .unwrap();
        // From one row to several shares of a row range each.
        for (commit, size) in [1, 600, 5_000, 100_000, 3].into_iter().enumerate() {
            let batch: Vec<(i64, i64)> = (0..size).map(|row| (row % 10, commit as i64)).collect();
            let mut transaction = db.begin();
            transaction.insert("plain", pairs(&batch)).unwrap();
            transaction.insert("grouped", pairs(&batch)).unwrap();
            transaction.commit().unwrap();
        }
        let total: i64 = 600 + 2 * 5_000 + 3 * 100_000 + 4 * 3;
        let count = 2 * (600 + 5_000 + 100_000 + 3) + 1;
        assert_eq!(rows(&db, "SELECT count(*), sum(v2) FROM big"), [format!("{count}|{}", 3 * total)]);
        assert_eq!(rows(&db, "SELECT sum(total) FROM sums"), [total.to_string()]);
        db.execute("DELETE FROM plain WHERE k = 3; DELETE FROM grouped WHERE k <> 3").unwrap();
        assert_eq!(rows(&db, "SELECT count(*) FROM big WHERE k = 3"), ["0"]);
        assert_eq!(rows(&db, "SELECT k FROM sums"), ["3"]);
    }
}
