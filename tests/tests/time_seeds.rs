//! The problems of event time that Deltic was founded on, each under the id it has in the project's research (`S0-..`: sessions
//! across batches; `S3-..`: records that come partition after partition; `L..`, `V..`, `Z..`: defects of session windows elsewhere).
//!
//! They show that each is solved in its smallest setting, with 1 and with 3 workers. That it holds in any setting is for the law (`law.rs`, `time.sql`).
#![allow(clippy::unwrap_used)]

use deltic_tests::scene::Scene;

/// Runs a test with 1 and with 3 workers.
fn with_workers(test: impl Fn(usize)) {
    for workers in [1, 3] {
        test(workers);
    }
}

/// A table of clicks without delay, and sessions with a gap of 2 s; `emit` ends the view.
fn sessions(workers: usize, emit: &str) -> Scene {
    sessions_with(workers, "", emit)
}

fn sessions_with(workers: usize, options: &str, emit: &str) -> Scene {
    let sql = format!(
        "CREATE TABLE c (u INT, x INT, at TIMESTAMP, WATERMARK FOR at AS at) {options};
         CREATE MATERIALIZED VIEW v AS
           SELECT u, date_part('millisecond', window_start)::INT AS s, date_part('millisecond', window_end)::INT AS e, count(*) AS n, sum(x) AS x
           FROM c GROUP BY u, SESSION(at, INTERVAL '2' SECOND) {emit}"
    );
    Scene::new(workers, &sql, "v").unwrap()
}

/// `INSERT` of user 1's rows at these seconds, each with x = 1.
fn clicks(seconds: &[f64]) -> String {
    format!("INSERT INTO c VALUES {}", values(1, seconds))
}

fn values(user: i32, seconds: &[f64]) -> String {
    let row = |second: &f64| format!("({user}, 1, TIMESTAMP '2024-01-01 00:00:{second:06.3}')");
    seconds.iter().map(row).collect::<Vec<_>>().join(", ")
}

const NOTHING: [&str; 0] = [];

#[test]
fn s0_1_s0_13_five_batches_make_one_session() {
    with_workers(|workers| {
        let mut s = sessions(workers, "EMIT ON WINDOW CLOSE");
        for second in [0.0, 0.2, 0.4, 0.6, 0.8] {
            assert_eq!(s.run(&clicks(&[second])).unwrap(), NOTHING);
        }
        assert_eq!(s.run("ADVANCE WATERMARK c TO TIMESTAMP '2024-01-01 00:00:10'").unwrap(), ["+1 (1, 0, 2800, 5, 5)"]);
        assert_eq!(s.run("ADVANCE WATERMARK c TO TIMESTAMP '2024-01-01 00:00:20'").unwrap(), NOTHING);
    });
}

#[test]
fn s0_2_l9_one_key_has_several_sessions_at_once() {
    with_workers(|workers| {
        let mut s = sessions_with(workers, "WITH (allowed_lateness = '1 minute')", "");
        s.run(&clicks(&[20.0])).unwrap();
        s.run(&clicks(&[0.0])).unwrap();
        s.run(&clicks(&[10.0])).unwrap();
        assert_eq!(
            s.rows("SELECT s, e, n FROM v ORDER BY s").unwrap(),
            ["(0, 2000, 1)", "(10000, 12000, 1)", "(20000, 22000, 1)"]
        );
    });
}

#[test]
fn s0_14_s0_16_a_row_between_two_sessions_retracts_both_and_inserts_the_merged_one() {
    with_workers(|workers| {
        let mut s = sessions_with(workers, "WITH (allowed_lateness = '1 minute')", "");
        s.run(&clicks(&[0.0, 4.0])).unwrap();
        assert_eq!(
            s.run(&clicks(&[2.0])).unwrap(),
            ["+1 (1, 0, 6000, 3, 3)", "-1 (1, 0, 2000, 1, 1)", "-1 (1, 4000, 6000, 1, 1)"]
        );
    });
}

#[test]
fn s0_15_three_sessions_merge_in_one_epoch() {
    with_workers(|workers| {
        let mut s = sessions_with(workers, "WITH (allowed_lateness = '1 minute')", "");
        s.run(&clicks(&[0.0, 4.0, 8.0])).unwrap();
        assert_eq!(
            s.run(&clicks(&[2.0, 6.0])).unwrap(),
            ["+1 (1, 0, 10000, 5, 5)", "-1 (1, 0, 2000, 1, 1)", "-1 (1, 4000, 6000, 1, 1)", "-1 (1, 8000, 10000, 1, 1)"]
        );
    });
}

#[test]
fn s0_6_s0_7_l7_a_late_bridge_takes_back_what_was_shown_at_close() {
    with_workers(|workers| {
        let mut s = sessions_with(workers, "WITH (allowed_lateness = '1 minute')", "EMIT ON WINDOW CLOSE");
        assert_eq!(
            s.run(&clicks(&[0.0, 4.0])).unwrap(),
            ["+1 (1, 0, 2000, 1, 1)"],
            "the first is closed at 4, the second is not"
        );
        assert_eq!(s.run(&clicks(&[20.0])).unwrap(), ["+1 (1, 4000, 6000, 1, 1)"]);
        assert_eq!(
            s.run(&clicks(&[2.0])).unwrap(),
            ["+1 (1, 0, 6000, 3, 3)", "-1 (1, 0, 2000, 1, 1)", "-1 (1, 4000, 6000, 1, 1)"]
        );
    });
}

#[test]
fn s0_17_every_emit_shows_the_same_sessions_in_the_end() {
    with_workers(|workers| {
        for (emit, shown) in
            [("", 1), ("EMIT CHANGES", 1), ("EMIT ON WINDOW CLOSE", 0), ("EMIT AFTER WATERMARK", 0), ("EMIT FINAL", 0)]
        {
            let mut s = sessions(workers, emit);
            assert_eq!(s.run(&clicks(&[1.0, 2.0])).unwrap().len(), shown, "{emit}");
            s.run("ADVANCE WATERMARK c TO TIMESTAMP '2024-01-01 00:00:30'").unwrap();
            assert_eq!(s.rows("SELECT * FROM v").unwrap(), ["(1, 1000, 4000, 2, 2)"], "{emit}");
        }
    });
}

#[test]
fn s0_20_no_partial_result_at_the_border_of_a_commit() {
    with_workers(|workers| {
        let mut s = sessions(workers, "");
        let delta = s.run(&format!("BEGIN; {}; {}; COMMIT", clicks(&[0.0]), clicks(&[1.0, 3.0]))).unwrap();
        assert_eq!(delta, ["+1 (1, 0, 5000, 3, 3)"], "one commit, one change");
    });
}

#[test]
fn l4_a_row_exactly_at_the_gap_merges_and_the_session_is_open_until_the_watermark_is_past_it() {
    with_workers(|workers| {
        let mut s = sessions(workers, "EMIT ON WINDOW CLOSE");
        s.run(&clicks(&[0.0])).unwrap();
        assert_eq!(
            s.run("ADVANCE WATERMARK c TO TIMESTAMP '2024-01-01 00:00:02'").unwrap(),
            NOTHING,
            "a row at 2 would still merge"
        );
        assert_eq!(s.run(&clicks(&[2.0])).unwrap(), NOTHING, "it is on time, and merges");
        assert_eq!(s.run("ADVANCE WATERMARK c TO TIMESTAMP '2024-01-01 00:00:04.000001'").unwrap(), ["+1 (1, 0, 4000, 2, 2)"]);
    });
}

#[test]
fn l1_l3_sessions_have_bounds_and_the_time_is_not_part_of_the_key() {
    with_workers(|workers| {
        let mut s = Scene::new(
            workers,
            "CREATE TABLE c (u INT, at TIMESTAMP, WATERMARK FOR at AS at);
             CREATE MATERIALIZED VIEW v AS SELECT u, SESSION_START(at, INTERVAL '2' SECOND) AS a, SESSION_END(at, INTERVAL '2' SECOND) AS b, count(*) AS n
               FROM c GROUP BY u, SESSION(at, INTERVAL '2' SECOND)",
            "v",
        )
        .unwrap();
        let rows: Vec<String> = (0..5).map(|n| format!("(1, TIMESTAMP '2024-01-01 00:00:00.{n}')")).collect();
        assert_eq!(
            s.run(&format!("INSERT INTO c VALUES {}", rows.join(", "))).unwrap(),
            ["+1 (1, 2024-01-01T00:00:00, 2024-01-01T00:00:02.400, 5)"]
        );
    });
}

#[test]
fn l5_a_row_after_the_close_corrects_and_does_not_duplicate() {
    with_workers(|workers| {
        let mut s = sessions_with(workers, "WITH (allowed_lateness = '1 minute')", "EMIT ON WINDOW CLOSE");
        s.run(&clicks(&[0.0, 1.0])).unwrap();
        assert_eq!(s.run(&clicks(&[30.0])).unwrap(), ["+1 (1, 0, 3000, 2, 2)"]);
        assert_eq!(s.run(&clicks(&[0.5])).unwrap(), ["+1 (1, 0, 3000, 3, 3)", "-1 (1, 0, 3000, 2, 2)"]);
    });
}

#[test]
fn v1_one_user_does_not_keep_the_session_of_another_open() {
    with_workers(|workers| {
        let mut s = sessions(workers, "EMIT ON WINDOW CLOSE");
        s.run(&format!("INSERT INTO c VALUES {}", values(2, &[0.0]))).unwrap();
        assert_eq!(s.run(&clicks(&[1.0, 2.0, 3.0])).unwrap(), ["+1 (2, 0, 2000, 1, 1)"]);
    });
}

#[test]
fn v2_a_row_out_of_order_extends_its_session_to_the_left() {
    with_workers(|workers| {
        let mut s = sessions_with(workers, "WITH (allowed_lateness = '1 minute')", "");
        s.run(&clicks(&[5.0])).unwrap();
        assert_eq!(s.run(&clicks(&[3.5])).unwrap(), ["+1 (1, 3500, 7000, 2, 2)", "-1 (1, 5000, 7000, 1, 1)"]);
    });
}

#[test]
fn v5_z7_the_last_session_of_an_idle_key_closes_by_the_watermark_alone() {
    with_workers(|workers| {
        let mut s = sessions(workers, "EMIT ON WINDOW CLOSE");
        s.run(&clicks(&[0.0])).unwrap();
        // Another user's row moves the watermark; user 1 is idle.
        assert_eq!(s.run(&format!("INSERT INTO c VALUES {}", values(2, &[9.0]))).unwrap(), ["+1 (1, 0, 2000, 1, 1)"]);
    });
}

#[test]
fn z1_a_row_after_the_gap_starts_a_new_session_however_late_the_clock_looks() {
    with_workers(|workers| {
        let mut s = sessions(workers, "");
        assert_eq!(s.run(&clicks(&[0.0, 2.001])).unwrap(), ["+1 (1, 0, 2000, 1, 1)", "+1 (1, 2001, 4001, 1, 1)"]);
    });
}

#[test]
fn split_on_delete_which_nobody_else_attempts() {
    with_workers(|workers| {
        let mut s = sessions_with(workers, "WITH (allowed_lateness = '1 minute')", "");
        s.run(&clicks(&[0.0, 2.0, 4.0])).unwrap();
        let delete = "DELETE FROM c WHERE at = TIMESTAMP '2024-01-01 00:00:02'";
        assert_eq!(s.run(delete).unwrap(), ["+1 (1, 0, 2000, 1, 1)", "+1 (1, 4000, 6000, 1, 1)", "-1 (1, 0, 6000, 3, 3)"]);
    });
}

#[test]
fn s0_27_more_sessions_than_allowed_are_an_error_row_and_not_a_silent_loss() {
    with_workers(|workers| {
        let mut s = Scene::new(
            workers,
            "CREATE TABLE c (u INT, x INT, at TIMESTAMP, WATERMARK FOR at AS at) WITH (allowed_lateness = '1 hour');
             CREATE MATERIALIZED VIEW v AS SELECT u, x, window_start
               FROM TABLE(SESSION(DATA => TABLE c PARTITION BY u, TIMECOL => DESCRIPTOR(at), GAP => INTERVAL '2' SECOND, max_sessions_per_key => 2))",
            "v",
        )
        .unwrap();
        s.run(&clicks(&[0.0, 10.0])).unwrap();
        assert_eq!(s.run(&clicks(&[20.0])).unwrap().len(), 2, "both rows go");
        assert_eq!(s.rows("SELECT * FROM v").unwrap(), NOTHING);
        assert_eq!(s.rows("SHOW ERRORS FOR v").unwrap().len(), 1);
        s.run("DELETE FROM c WHERE at = TIMESTAMP '2024-01-01 00:00:20'").unwrap();
        assert_eq!(s.rows("SELECT * FROM v").unwrap().len(), 2, "and come back");
        assert_eq!(s.rows("SHOW ERRORS FOR v").unwrap(), NOTHING);
    });
}

/// S3: 10,000 records one second apart, 50 traders by 100 symbols, in windows of a minute. `order` is the order of arrival.
fn partition_batched(workers: usize, order: &[usize], commit: usize, options: &str) -> Scene {
    let sql = format!(
        "CREATE STREAM trades (trader INT, symbol INT, price INT, at TIMESTAMP, WATERMARK FOR at AS at) {options};
         CREATE MATERIALIZED VIEW v AS SELECT trader, symbol, window_start, count(*) AS n, sum(price) AS s
           FROM TUMBLE(trades, at, INTERVAL '1' MINUTE) GROUP BY trader, symbol, window_start, window_end EMIT ON WINDOW CLOSE"
    );
    let mut scene = Scene::new(workers, &sql, "v").unwrap();
    for rows in order.chunks(commit) {
        let row = |&n: &usize| {
            let (minute, second) = (n / 60, n % 60);
            format!(
                "({}, {}, {n}, TIMESTAMP '2024-01-01 00:00:00' + INTERVAL '{minute} minutes {second} seconds')",
                n % 50,
                n / 50 % 100
            )
        };
        scene.run(&format!("INSERT INTO trades VALUES {}", rows.iter().map(row).collect::<Vec<_>>().join(", "))).unwrap();
    }
    scene.run("ADVANCE WATERMARK trades TO TIMESTAMP '2024-01-02 00:00:00'").unwrap();
    scene
}

#[test]
fn s3_1_to_s3_14_records_that_come_partition_after_partition_lose_nothing() {
    const RECORDS: usize = 10_000;
    with_workers(|workers| {
        let linear: Vec<usize> = (0..RECORDS).collect();
        let partitioned: Vec<usize> = (0..50).flat_map(|trader| (0..RECORDS).filter(move |n| n % 50 == trader)).collect();
        let backwards: Vec<usize> = (0..RECORDS).rev().collect();
        let whole = "SELECT count(*), sum(n), sum(s) FROM v";
        let all = format!("({RECORDS}, {RECORDS}, {})", RECORDS * (RECORDS - 1) / 2);
        for order in [&linear, &partitioned, &backwards] {
            let scene = partition_batched(workers, order, 1_000, "WITH (allowed_lateness = '4 hours')");
            assert_eq!(scene.rows(whole).unwrap(), [all.as_str()]);
        }
        // Without lateness what comes too late is counted and kept, not lost.
        let scene = partition_batched(workers, &partitioned, 1_000, "");
        let seen = scene.rows("SELECT sum(n) FROM v").unwrap().concat();
        let late = scene.rows("SELECT count(*) FROM trades$late").unwrap().concat();
        let number = |text: &str| text.trim_matches(['(', ')']).parse::<usize>().unwrap();
        assert_eq!(number(&seen) + number(&late), RECORDS);
        assert!(number(&late) > 0);
    });
}

#[test]
fn s3_16_late_firings_are_counted() {
    with_workers(|workers| {
        let mut s = sessions_with(workers, "WITH (allowed_lateness = '10 seconds')", "EMIT ON WINDOW CLOSE");
        s.run(&clicks(&[0.0, 8.0])).unwrap();
        s.run(&clicks(&[0.0])).unwrap();
        s.run(&clicks(&[30.0])).unwrap();
        s.run(&clicks(&[1.0])).unwrap();
        let stats = s.db.stats().unwrap();
        let view = stats.relations.iter().find(|relation| relation.name == "v").unwrap();
        let windows = &view.windows;
        // [0, 2) at 8 and [8, 10) at 30 were shown; a second row at 0 replaced the first; the row at 1 came too late.
        assert_eq!((windows.initial_firings, windows.late_firings), (2, 1), "{windows:?}");
        assert_eq!(windows.records_in_late_firing, 2, "{windows:?}");
        assert_eq!((windows.windows_with_late_data, windows.data_dropped_after_grace), (1, 1), "{windows:?}");
    });
}
