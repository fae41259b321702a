//! What `SHOW STATS` says of windows: the story of one window, firing by firing.
//!
//! Can catch: counters that are lost between operators, workers and statistics. That each is right in all cases is tested with the operators.
#![allow(clippy::unwrap_used)]

mod common;

use common::{manual, rows, stats};
use deltic::WindowMetrics;

const SETUP: &str = "CREATE TABLE t (k BIGINT, n BIGINT, WATERMARK FOR n AS n) WITH (allowed_lateness = '10');
    CREATE MATERIALIZED VIEW closed AS
        SELECT window_end, count(*) AS n FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(n), 10)) GROUP BY window_start, window_end EMIT ON WINDOW CLOSE;
    INSERT INTO t VALUES (1, 1), (1, 2), (1, 11);";

#[test]
fn firings_and_late_firings_are_counted() {
    let (db, _) = manual(0);
    db.execute(SETUP).unwrap();
    let metrics = || stats(&db, "closed").windows;
    assert_eq!(metrics(), WindowMetrics { initial_firings: 1, ..WindowMetrics::default() });
    // Late, but accepted: the window is corrected, twice.
    db.execute("INSERT INTO t VALUES (1, 3); INSERT INTO t VALUES (1, 4)").unwrap();
    let late = WindowMetrics {
        initial_firings: 1,
        late_firings: 2,
        records_in_late_firing: 4,
        windows_with_late_data: 1,
        retractions_emitted: 2,
        ..WindowMetrics::default()
    };
    assert_eq!((metrics(), rows(&db, "SELECT * FROM closed")), (late, vec!["10|4".to_owned()]));
    // Too late: dropped for this view, and not for one that is created after.
    db.execute("INSERT INTO t VALUES (1, 0)").unwrap();
    let dropped = WindowMetrics { data_dropped_after_grace: 1, ..late };
    assert_eq!(metrics(), dropped);
    db.execute("CREATE MATERIALIZED VIEW later AS SELECT * FROM t; INSERT INTO t VALUES (1, -5)").unwrap();
    assert_eq!(stats(&db, "later").windows.data_dropped_after_grace, 1);
    assert_eq!(metrics().data_dropped_after_grace, 2);
}

#[test]
fn show_stats_has_a_column_for_each() {
    let (db, _) = manual(0);
    db.execute(SETUP).unwrap();
    let shown = db.query("SHOW STATS").unwrap();
    for column in [
        "initial_firings",
        "late_firings",
        "records_in_late_firing",
        "windows_with_late_data",
        "data_dropped_after_grace",
        "session_merges",
        "session_splits",
        "retractions_emitted",
    ] {
        assert!(shown[0].schema().index_of(column).is_ok(), "{column}");
    }
}

#[test]
fn merges_and_splits_of_sessions_are_counted() {
    let (db, _) = manual(0);
    db.execute(
        "CREATE TABLE t (k BIGINT, n BIGINT, WATERMARK FOR n);
         CREATE MATERIALIZED VIEW s AS
            SELECT k, window_start, window_end, count(*) AS rows FROM TABLE(SESSION(TABLE t PARTITION BY k, DESCRIPTOR(n), 5))
            GROUP BY k, window_start, window_end;
         INSERT INTO t VALUES (1, 0), (1, 10); INSERT INTO t VALUES (1, 5)",
    )
    .unwrap();
    assert_eq!(rows(&db, "SELECT * FROM s"), ["1|0|15|3"]);
    assert_eq!((stats(&db, "s").windows.session_merges, stats(&db, "s").windows.session_splits), (1, 0));
    db.execute("DELETE FROM t WHERE n = 5").unwrap();
    assert_eq!(rows(&db, "SELECT * FROM s"), ["1|0|5|1", "1|10|15|1"]);
    assert_eq!(stats(&db, "s").windows.session_splits, 1);
}
