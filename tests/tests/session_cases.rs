//! Sessions and watermarks at their borders, each case by name; with 1 and with 3 workers. Times are integers, the gap is 10.
#![allow(clippy::unwrap_used)]

use deltic_tests::scene::Scene;

/// Runs a test with 1 and with 3 workers.
fn with_workers(test: impl Fn(usize)) {
    for workers in [1, 3] {
        test(workers);
    }
}

const NOTHING: [&str; 0] = [];

/// A table whose watermark only `ADVANCE` moves, and its sessions: key, start, end, count, sum, least, greatest.
fn sessions(workers: usize, options: &str, emit: &str) -> Scene {
    let sql = format!(
        "CREATE TABLE c (u INT, x INT, at BIGINT, WATERMARK FOR at) {options};
         CREATE MATERIALIZED VIEW v AS SELECT u, window_start, window_end, count(*) AS n, sum(x) AS s, min(x) AS l, max(x) AS m
           FROM c GROUP BY u, SESSION(at, 10) {emit}"
    );
    Scene::new(workers, &sql, "v").unwrap()
}

fn changes(workers: usize) -> Scene {
    sessions(workers, "", "")
}

#[test]
fn one_less_than_the_gap_links_and_so_does_the_gap_but_not_one_more() {
    with_workers(|workers| {
        let mut s = changes(workers);
        assert_eq!(s.run("INSERT INTO c VALUES (1, 1, 0), (1, 2, 9)").unwrap(), ["+1 (1, 0, 19, 2, 3, 1, 2)"]);
        assert_eq!(s.run("INSERT INTO c VALUES (2, 1, 0), (2, 2, 10)").unwrap(), ["+1 (2, 0, 20, 2, 3, 1, 2)"]);
        assert_eq!(
            s.run("INSERT INTO c VALUES (3, 1, 0), (3, 2, 11)").unwrap(),
            ["+1 (3, 0, 10, 1, 1, 1, 1)", "+1 (3, 11, 21, 1, 2, 2, 2)"]
        );
    });
}

#[test]
fn rows_of_one_time_are_one_session_until_the_last_goes() {
    with_workers(|workers| {
        let mut s = changes(workers);
        assert_eq!(s.run("INSERT INTO c VALUES (1, 1, 5), (1, 2, 5), (1, 3, 5)").unwrap(), ["+1 (1, 5, 15, 3, 6, 1, 3)"]);
        assert_eq!(s.run("DELETE FROM c WHERE x = 1").unwrap(), ["+1 (1, 5, 15, 2, 5, 2, 3)", "-1 (1, 5, 15, 3, 6, 1, 3)"]);
        assert_eq!(s.run("DELETE FROM c").unwrap(), ["-1 (1, 5, 15, 2, 5, 2, 3)"]);
    });
}

#[test]
fn copies_of_a_row_count_and_the_bridge_holds_until_its_last_copy_goes() {
    with_workers(|workers| {
        let mut s = changes(workers);
        s.run("INSERT INTO c VALUES (1, 1, 0), (1, 7, 10), (1, 7, 10), (1, 1, 20)").unwrap();
        assert_eq!(s.rows("SELECT * FROM v").unwrap(), ["(1, 0, 30, 4, 16, 1, 7)"]);
        let rows = s.db.query("SELECT * FROM c WHERE x = 7 LIMIT 1").unwrap();
        let mut one_copy = s.db.begin();
        one_copy.delete("c", rows[0].clone()).unwrap();
        one_copy.commit().unwrap();
        assert_eq!(s.run("SELECT 1").unwrap(), ["+1 (1, 0, 30, 3, 9, 1, 7)", "-1 (1, 0, 30, 4, 16, 1, 7)"]);
        assert_eq!(
            s.run("DELETE FROM c WHERE x = 7").unwrap(),
            ["+1 (1, 0, 10, 1, 1, 1, 1)", "+1 (1, 20, 30, 1, 1, 1, 1)", "-1 (1, 0, 30, 3, 9, 1, 7)"]
        );
    });
}

#[test]
fn a_row_within_a_session_changes_nothing_but_its_aggregates() {
    with_workers(|workers| {
        let mut s = Scene::new(
            workers,
            "CREATE TABLE c (u INT, x INT, at BIGINT, WATERMARK FOR at);
             CREATE MATERIALIZED VIEW v AS SELECT u, window_start, window_end, max(x) AS m FROM c GROUP BY u, SESSION(at, 10)",
            "v",
        )
        .unwrap();
        s.run("INSERT INTO c VALUES (1, 9, 0), (1, 1, 10)").unwrap();
        assert_eq!(s.run("INSERT INTO c VALUES (1, 5, 4)").unwrap(), NOTHING, "neither bounds nor maximum change");
        assert_eq!(s.run("INSERT INTO c VALUES (1, 10, 4)").unwrap(), ["+1 (1, 0, 20, 10)", "-1 (1, 0, 20, 9)"]);
        assert_eq!(s.run("DELETE FROM c WHERE x = 10").unwrap(), ["+1 (1, 0, 20, 9)", "-1 (1, 0, 20, 10)"]);
    });
}

#[test]
fn a_border_row_that_goes_makes_its_session_shorter() {
    with_workers(|workers| {
        let mut s = changes(workers);
        s.run("INSERT INTO c VALUES (1, 1, 0), (1, 2, 6), (1, 3, 12)").unwrap();
        assert_eq!(s.run("DELETE FROM c WHERE at = 12").unwrap(), ["+1 (1, 0, 16, 2, 3, 1, 2)", "-1 (1, 0, 22, 3, 6, 1, 3)"]);
        assert_eq!(s.run("DELETE FROM c WHERE at = 0").unwrap(), ["+1 (1, 6, 16, 1, 2, 2, 2)", "-1 (1, 0, 16, 2, 3, 1, 2)"]);
    });
}

#[test]
fn an_update_moves_a_row_from_one_session_to_another() {
    with_workers(|workers| {
        let mut s = changes(workers);
        s.run("INSERT INTO c VALUES (1, 1, 0), (1, 2, 5), (1, 3, 100)").unwrap();
        assert_eq!(
            s.run("UPDATE c SET at = 105 WHERE x = 2").unwrap(),
            [
                "+1 (1, 0, 10, 1, 1, 1, 1)",
                "+1 (1, 100, 115, 2, 5, 2, 3)",
                "-1 (1, 0, 15, 2, 3, 1, 2)",
                "-1 (1, 100, 110, 1, 3, 3, 3)"
            ]
        );
        // And to another key.
        assert_eq!(s.run("UPDATE c SET u = 2 WHERE x = 1").unwrap(), ["+1 (2, 0, 10, 1, 1, 1, 1)", "-1 (1, 0, 10, 1, 1, 1, 1)"]);
    });
}

#[test]
fn two_merges_in_one_epoch() {
    with_workers(|workers| {
        let mut s = changes(workers);
        s.run("INSERT INTO c VALUES (1, 1, 0), (1, 1, 20), (1, 1, 100), (1, 1, 120)").unwrap();
        assert_eq!(
            s.run("INSERT INTO c VALUES (1, 1, 10), (1, 1, 110)").unwrap(),
            [
                "+1 (1, 0, 30, 3, 3, 1, 1)",
                "+1 (1, 100, 130, 3, 3, 1, 1)",
                "-1 (1, 0, 10, 1, 1, 1, 1)",
                "-1 (1, 100, 110, 1, 1, 1, 1)",
                "-1 (1, 120, 130, 1, 1, 1, 1)",
                "-1 (1, 20, 30, 1, 1, 1, 1)",
            ]
        );
    });
}

#[test]
fn a_bridge_that_comes_and_goes_in_one_epoch_is_never_seen() {
    with_workers(|workers| {
        let mut s = changes(workers);
        s.run("INSERT INTO c VALUES (1, 1, 0), (1, 1, 20)").unwrap();
        assert_eq!(s.run("BEGIN; INSERT INTO c VALUES (1, 5, 10); DELETE FROM c WHERE x = 5; COMMIT").unwrap(), NOTHING);
        // A bridge that is exchanged for another one with equal aggregates.
        s.run("INSERT INTO c VALUES (1, 5, 10)").unwrap();
        assert_eq!(s.run("UPDATE c SET at = 11 WHERE x = 5; UPDATE c SET at = 10 WHERE x = 5").unwrap().len(), 6);
        assert_eq!(s.run("BEGIN; DELETE FROM c WHERE x = 5; INSERT INTO c VALUES (1, 5, 10); COMMIT").unwrap(), NOTHING);
    });
}

#[test]
fn a_null_key_is_a_key_and_a_null_time_is_in_no_session() {
    with_workers(|workers| {
        let mut s = Scene::new(
            workers,
            "CREATE TABLE c (u INT, x INT, at BIGINT);
             CREATE MATERIALIZED VIEW v AS SELECT u, window_start, window_end, count(*) AS n FROM c GROUP BY u, SESSION(at, 10)",
            "v",
        )
        .unwrap();
        assert_eq!(s.run("INSERT INTO c VALUES (NULL, 1, 0), (NULL, 2, 5), (1, 3, NULL)").unwrap(), ["+1 (NULL, 0, 15, 2)"]);
        assert_eq!(s.run("DELETE FROM c WHERE x = 3").unwrap(), NOTHING);
    });
}

#[test]
fn times_before_1970_and_at_the_ends_of_the_range() {
    with_workers(|workers| {
        let mut s = changes(workers);
        assert_eq!(s.run("INSERT INTO c VALUES (1, 1, -15), (1, 2, -5), (1, 3, 5)").unwrap(), ["+1 (1, -15, 15, 3, 6, 1, 3)"]);
        assert_eq!(
            s.run("INSERT INTO c VALUES (2, 1, -9223372036854775808)").unwrap(),
            ["+1 (2, -9223372036854775808, -9223372036854775798, 1, 1, 1, 1)"]
        );
        // The end of its session does not fit: an error row, and the rest goes on.
        assert_eq!(s.run("INSERT INTO c VALUES (3, 1, 9223372036854775807), (3, 2, 0)").unwrap(), ["+1 (3, 0, 10, 1, 2, 2, 2)"]);
        assert_eq!(s.rows("SHOW ERRORS FOR v").unwrap().len(), 1);
        assert_eq!(s.run("INSERT INTO c VALUES (4, 1, 9223372036854775797)").unwrap().len(), 1, "the last time with a session");
        s.run("DELETE FROM c WHERE at = 9223372036854775807").unwrap();
        assert_eq!(s.rows("SHOW ERRORS FOR v").unwrap(), NOTHING);
    });
}

#[test]
fn the_watermark_exactly_at_the_end_of_a_session_leaves_it_open_and_of_a_window_closes_it() {
    with_workers(|workers| {
        let mut s = sessions(workers, "", "EMIT ON WINDOW CLOSE");
        s.run("INSERT INTO c VALUES (1, 1, 0)").unwrap();
        assert_eq!(s.run("ADVANCE WATERMARK c TO 10").unwrap(), NOTHING);
        assert_eq!(s.run("ADVANCE WATERMARK c TO 11").unwrap(), ["+1 (1, 0, 10, 1, 1, 1, 1)"]);
        let mut s = Scene::new(
            workers,
            "CREATE TABLE c (x INT, at BIGINT, WATERMARK FOR at);
             CREATE MATERIALIZED VIEW v AS SELECT window_start, count(*) AS n FROM TUMBLE(c, at, 10) GROUP BY window_start, window_end
               EMIT ON WINDOW CLOSE",
            "v",
        )
        .unwrap();
        s.run("INSERT INTO c VALUES (1, 9)").unwrap();
        assert_eq!(s.run("ADVANCE WATERMARK c TO 9").unwrap(), NOTHING);
        assert_eq!(s.run("ADVANCE WATERMARK c TO 10").unwrap(), ["+1 (0, 1)"]);
    });
}

#[test]
fn a_row_exactly_at_the_border_of_lateness_is_accepted_and_one_before_is_late() {
    with_workers(|workers| {
        let mut s = sessions(workers, "WITH (allowed_lateness = 5)", "");
        s.run("ADVANCE WATERMARK c TO 100").unwrap();
        assert_eq!(s.run("INSERT INTO c VALUES (1, 1, 95)").unwrap(), ["+1 (1, 95, 105, 1, 1, 1, 1)"]);
        assert_eq!(s.run("INSERT INTO c VALUES (1, 2, 94)").unwrap(), NOTHING);
        assert_eq!(s.rows("SELECT u, x, at, late_reason, late_watermark FROM c$late").unwrap(), ["(1, 2, 94, late, 100)"]);
        assert_eq!(s.rows("SELECT count(*) FROM c").unwrap(), ["(1)"], "it is not in the table");
    });
}

#[test]
fn rows_of_one_commit_do_not_make_each_other_late() {
    with_workers(|workers| {
        let mut s = Scene::new(
            workers,
            "CREATE TABLE c (x INT, at BIGINT, WATERMARK FOR at AS at);
             CREATE MATERIALIZED VIEW v AS SELECT x, at FROM c",
            "v",
        )
        .unwrap();
        assert_eq!(s.run("INSERT INTO c VALUES (1, 100), (2, 0)").unwrap(), ["+1 (1, 100)", "+1 (2, 0)"]);
        assert_eq!(s.run("INSERT INTO c VALUES (3, 99), (4, 100)").unwrap(), ["+1 (4, 100)"]);
    });
}

#[test]
fn a_late_row_that_reopens_a_closed_session_under_each_policy() {
    with_workers(|workers| {
        let lateness = "WITH (allowed_lateness = 50)";
        // It extends a session that was closed at 11, so far that it is open again at 15.
        let (insert, extend) = ("INSERT INTO c VALUES (1, 1, 0)", "INSERT INTO c VALUES (1, 2, 8)");

        let mut s = sessions(workers, lateness, "EMIT CHANGES");
        assert_eq!(s.run(insert).unwrap(), ["+1 (1, 0, 10, 1, 1, 1, 1)"]);
        assert_eq!(s.run("ADVANCE WATERMARK c TO 15").unwrap(), NOTHING);
        assert_eq!(s.run(extend).unwrap(), ["+1 (1, 0, 18, 2, 3, 1, 2)", "-1 (1, 0, 10, 1, 1, 1, 1)"]);

        let mut s = sessions(workers, lateness, "EMIT ON WINDOW CLOSE");
        assert_eq!(s.run(insert).unwrap(), NOTHING);
        assert_eq!(s.run("ADVANCE WATERMARK c TO 15").unwrap(), ["+1 (1, 0, 10, 1, 1, 1, 1)"]);
        assert_eq!(s.run(extend).unwrap(), ["-1 (1, 0, 10, 1, 1, 1, 1)"], "taken back until it closes again");
        assert_eq!(s.run("ADVANCE WATERMARK c TO 19").unwrap(), ["+1 (1, 0, 18, 2, 3, 1, 2)"]);

        let mut s = sessions(workers, lateness, "EMIT FINAL");
        assert_eq!(s.run(insert).unwrap(), NOTHING);
        assert_eq!(s.run("ADVANCE WATERMARK c TO 15").unwrap(), NOTHING);
        assert_eq!(s.run(extend).unwrap(), NOTHING);
        assert_eq!(s.run("ADVANCE WATERMARK c TO 68").unwrap(), NOTHING, "68 - 50 is its end");
        assert_eq!(s.run("ADVANCE WATERMARK c TO 69").unwrap(), ["+1 (1, 0, 18, 2, 3, 1, 2)"]);
        assert_eq!(s.run("INSERT INTO c VALUES (1, 3, 18)").unwrap(), NOTHING, "late for good");

        let mut s = sessions(workers, lateness, "EMIT EVERY 20 ON WATERMARK");
        s.run("ADVANCE WATERMARK c TO 1").unwrap();
        assert_eq!(s.run(insert).unwrap(), NOTHING);
        assert_eq!(s.run("ADVANCE WATERMARK c TO 15").unwrap(), NOTHING);
        assert_eq!(s.run(extend).unwrap(), NOTHING);
        assert_eq!(s.run("ADVANCE WATERMARK c TO 20").unwrap(), ["+1 (1, 0, 18, 2, 3, 1, 2)"], "one delta per tick");
    });
}

#[test]
fn an_idle_key_closes_by_the_watermark_of_others() {
    with_workers(|workers| {
        let mut s = sessions(workers, "", "EMIT ON WINDOW CLOSE");
        s.run("INSERT INTO c VALUES (1, 1, 0), (2, 1, 0)").unwrap();
        s.run("INSERT INTO c VALUES (2, 1, 10)").unwrap();
        assert_eq!(s.run("ADVANCE WATERMARK c TO 12").unwrap(), ["+1 (1, 0, 10, 1, 1, 1, 1)"]);
    });
}

#[test]
fn late_rows_are_dropped_or_taken_as_the_source_says() {
    with_workers(|workers| {
        for (policy, taken) in [("dead_letter", 0), ("drop", 0), ("warn", 0), ("accept", 1)] {
            let mut s = sessions(workers, &format!("WITH (late_policy = '{policy}')"), "");
            s.run("ADVANCE WATERMARK c TO 100").unwrap();
            assert_eq!(s.run("INSERT INTO c VALUES (1, 1, 0)").unwrap().len(), taken, "{policy}");
        }
    });
}
