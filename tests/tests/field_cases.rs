//! Cases that have broken at least one other engine, each by name; with 1 and with 3 workers.
//!
//! They show that each case is right in the smallest setting. That it is right in any setting is for the law (`law.rs`).
#![allow(clippy::unwrap_used)]

use deltic_tests::scene::Scene;

/// Runs a test with 1 and with 3 workers.
fn with_workers(test: impl Fn(usize)) {
    for workers in [1, 3] {
        test(workers);
    }
}

fn scene(workers: usize, setup: &str) -> Scene {
    Scene::new(workers, setup, "v").unwrap()
}

/// No changes.
const NOTHING: [&str; 0] = [];

#[test]
fn group_emptied_and_refilled() {
    with_workers(|workers| {
        let mut s = scene(
            workers,
            "CREATE TABLE t (k INT, x INT);
             CREATE MATERIALIZED VIEW v AS SELECT k, count(*) AS n, sum(x) AS s, max(x) AS m FROM t GROUP BY k",
        );
        assert_eq!(s.run("INSERT INTO t VALUES (1, 5), (1, 6)").unwrap(), ["+1 (1, 2, 11, 6)"]);
        assert_eq!(s.run("DELETE FROM t").unwrap(), ["-1 (1, 2, 11, 6)"]);
        assert_eq!(s.run("INSERT INTO t VALUES (1, 7)").unwrap(), ["+1 (1, 1, 7, 7)"]);
        // Emptied and refilled in one epoch.
        assert_eq!(
            s.run("BEGIN; DELETE FROM t; INSERT INTO t VALUES (1, 8); COMMIT").unwrap(),
            ["+1 (1, 1, 8, 8)", "-1 (1, 1, 7, 7)"]
        );
    });
}

#[test]
fn global_aggregate_over_no_rows_has_one_row() {
    with_workers(|workers| {
        let mut s = scene(
            workers,
            "CREATE TABLE t (x INT); CREATE MATERIALIZED VIEW v AS SELECT count(*) AS n, sum(x) AS s, min(x) AS m FROM t",
        );
        assert_eq!(s.rows("SELECT * FROM v").unwrap(), ["(0, NULL, NULL)"]);
        assert_eq!(s.run("INSERT INTO t VALUES (3)").unwrap(), ["+1 (1, 3, 3)", "-1 (0, NULL, NULL)"]);
        assert_eq!(s.run("DELETE FROM t").unwrap(), ["+1 (0, NULL, NULL)", "-1 (1, 3, 3)"]);
        assert_eq!(s.rows("SELECT count(*) FROM t WHERE false").unwrap(), ["(0)"]);
    });
}

#[test]
fn union_all_of_one_table_counts_each_row_twice() {
    with_workers(|workers| {
        let mut s =
            scene(workers, "CREATE TABLE t (x INT); CREATE MATERIALIZED VIEW v AS SELECT x FROM t UNION ALL SELECT x FROM t");
        assert_eq!(s.run("INSERT INTO t VALUES (1)").unwrap(), ["+2 (1)"]);
        assert_eq!(s.run("DELETE FROM t").unwrap(), ["-2 (1)"]);
    });
}

#[test]
fn self_join_on_one_key() {
    with_workers(|workers| {
        let mut s = scene(
            workers,
            "CREATE TABLE t (k INT, x INT);
             CREATE MATERIALIZED VIEW v AS SELECT a.x AS ax, b.x AS bx FROM t AS a JOIN t AS b ON a.k = b.k",
        );
        assert_eq!(s.run("INSERT INTO t VALUES (1, 1), (1, 2)").unwrap(), ["+1 (1, 1)", "+1 (1, 2)", "+1 (2, 1)", "+1 (2, 2)"]);
        assert_eq!(s.run("DELETE FROM t WHERE x = 2").unwrap(), ["-1 (1, 2)", "-1 (2, 1)", "-1 (2, 2)"]);
    });
}

#[test]
fn a_view_used_twice_by_another() {
    with_workers(|workers| {
        let mut s = scene(
            workers,
            "CREATE TABLE t (k INT, x INT);
             CREATE MATERIALIZED VIEW g AS SELECT k, sum(x) AS s FROM t GROUP BY k;
             CREATE MATERIALIZED VIEW v AS SELECT a.k, b.s FROM g AS a JOIN g AS b ON a.s = b.s",
        );
        assert_eq!(s.run("INSERT INTO t VALUES (1, 5), (2, 5)").unwrap(), ["+2 (1, 5)", "+2 (2, 5)"]);
        assert_eq!(s.run("UPDATE t SET x = 6 WHERE k = 2").unwrap(), ["+1 (2, 6)", "-1 (1, 5)", "-2 (2, 5)"]);
    });
}

#[test]
fn both_join_sides_change_in_one_epoch() {
    with_workers(|workers| {
        let mut s = scene(
            workers,
            "CREATE TABLE l (k INT, a INT); CREATE TABLE r (k INT, b INT);
             CREATE MATERIALIZED VIEW v AS SELECT a, b FROM l JOIN r ON l.k = r.k",
        );
        assert_eq!(s.run("BEGIN; INSERT INTO l VALUES (1, 10); INSERT INTO r VALUES (1, 20); COMMIT").unwrap(), ["+1 (10, 20)"]);
        assert_eq!(s.run("BEGIN; UPDATE l SET a = 11; UPDATE r SET b = 21; COMMIT").unwrap(), ["+1 (11, 21)", "-1 (10, 20)"]);
        assert_eq!(s.run("BEGIN; DELETE FROM l; DELETE FROM r; COMMIT").unwrap(), ["-1 (11, 21)"]);
    });
}

#[test]
fn outer_join_match_that_comes_and_goes_in_one_epoch() {
    with_workers(|workers| {
        let mut s = scene(
            workers,
            "CREATE TABLE l (k INT); CREATE TABLE r (k INT, b INT);
             CREATE MATERIALIZED VIEW v AS SELECT l.k, b FROM l LEFT JOIN r ON l.k = r.k",
        );
        assert_eq!(s.run("INSERT INTO l VALUES (1)").unwrap(), ["+1 (1, NULL)"]);
        assert_eq!(s.run("BEGIN; INSERT INTO r VALUES (1, 5); DELETE FROM r; COMMIT").unwrap(), NOTHING);
        assert_eq!(s.run("INSERT INTO r VALUES (1, 6)").unwrap(), ["+1 (1, 6)", "-1 (1, NULL)"]);
        // The only match is exchanged for another: no NULL row in between.
        assert_eq!(s.run("UPDATE r SET b = 7").unwrap(), ["+1 (1, 7)", "-1 (1, 6)"]);
        assert_eq!(s.run("DELETE FROM r").unwrap(), ["+1 (1, NULL)", "-1 (1, 7)"]);
    });
}

#[test]
fn null_keys_match_only_null_safe() {
    with_workers(|workers| {
        let tables = "CREATE TABLE l (k INT, a INT); CREATE TABLE r (k INT, b INT);";
        let data = "BEGIN; INSERT INTO l VALUES (NULL, 1); INSERT INTO r VALUES (NULL, 2); COMMIT";
        let equal = "CREATE MATERIALIZED VIEW v AS SELECT a, b FROM l FULL JOIN r ON l.k = r.k";
        let mut s = scene(workers, &format!("{tables}{equal}"));
        assert_eq!(s.run(data).unwrap(), ["+1 (1, NULL)", "+1 (NULL, 2)"]);
        let null_safe = "CREATE MATERIALIZED VIEW v AS SELECT a, b FROM l JOIN r ON l.k IS NOT DISTINCT FROM r.k";
        let mut s = scene(workers, &format!("{tables}{null_safe}"));
        assert_eq!(s.run(data).unwrap(), ["+1 (1, 2)"]);
    });
}

#[test]
fn top_row_deleted_is_refilled_from_below() {
    with_workers(|workers| {
        let mut s =
            scene(workers, "CREATE TABLE t (x INT); CREATE MATERIALIZED VIEW v AS SELECT x FROM t ORDER BY x DESC LIMIT 2");
        assert_eq!(s.run("INSERT INTO t VALUES (1), (2), (3), (4)").unwrap(), ["+1 (3)", "+1 (4)"]);
        assert_eq!(s.run("DELETE FROM t WHERE x = 4").unwrap(), ["+1 (2)", "-1 (4)"]);
        assert_eq!(s.run("DELETE FROM t WHERE x < 3").unwrap(), ["-1 (2)"]);
        assert_eq!(s.run("INSERT INTO t VALUES (0)").unwrap(), ["+1 (0)"]);
    });
}

#[test]
fn ties_at_the_border_are_broken_by_the_rest_of_the_row() {
    with_workers(|workers| {
        let mut s =
            scene(workers, "CREATE TABLE t (x INT, y INT); CREATE MATERIALIZED VIEW v AS SELECT x, y FROM t ORDER BY x LIMIT 2");
        assert_eq!(s.run("INSERT INTO t VALUES (1, 3), (1, 2), (1, 1)").unwrap(), ["+1 (1, 1)", "+1 (1, 2)"]);
        assert_eq!(s.run("INSERT INTO t VALUES (1, 0)").unwrap(), ["+1 (1, 0)", "-1 (1, 2)"]);
        assert_eq!(s.run("INSERT INTO t VALUES (1, NULL)").unwrap(), NOTHING);
    });
}

#[test]
fn offset_moves_with_what_is_before_it() {
    with_workers(|workers| {
        let mut s =
            scene(workers, "CREATE TABLE t (x INT); CREATE MATERIALIZED VIEW v AS SELECT x FROM t ORDER BY x LIMIT 1 OFFSET 2");
        assert_eq!(s.run("INSERT INTO t VALUES (10), (20)").unwrap(), NOTHING);
        assert_eq!(s.run("INSERT INTO t VALUES (30)").unwrap(), ["+1 (30)"]);
        assert_eq!(s.run("INSERT INTO t VALUES (10)").unwrap(), ["+1 (20)", "-1 (30)"]);
        assert_eq!(s.run("DELETE FROM t WHERE x = 10").unwrap(), ["-1 (20)"]);
    });
}

#[test]
fn extremes_after_deleting_the_current_one() {
    with_workers(|workers| {
        let mut s = scene(
            workers,
            "CREATE TABLE t (k INT, x VARCHAR); CREATE MATERIALIZED VIEW v AS SELECT k, min(x) AS lo, max(x) AS hi FROM t GROUP BY k",
        );
        s.run("INSERT INTO t VALUES (1, 'a'), (1, 'b'), (1, 'b'), (1, 'c')").unwrap();
        assert_eq!(s.run("DELETE FROM t WHERE x = 'c'").unwrap(), ["+1 (1, a, b)", "-1 (1, a, c)"]);
        assert_eq!(s.run("DELETE FROM t WHERE x = 'a'").unwrap(), ["+1 (1, b, b)", "-1 (1, a, b)"]);
        assert_eq!(s.run("DELETE FROM t").unwrap(), ["-1 (1, b, b)"]);
    });
}

#[test]
fn distinct_aggregate_with_filter_over_copies() {
    with_workers(|workers| {
        let mut s = scene(
            workers,
            "CREATE TABLE t (x INT, ok BOOLEAN);
             CREATE MATERIALIZED VIEW v AS SELECT count(DISTINCT x) FILTER (WHERE ok) AS n, sum(DISTINCT x) AS s FROM t",
        );
        assert_eq!(
            s.run("INSERT INTO t VALUES (1, true), (1, true), (1, false), (2, false)").unwrap(),
            ["+1 (1, 3)", "-1 (0, NULL)"]
        );
        // Both copies of (1, true) go: the filtered count sees it, the sum does not.
        assert_eq!(s.run("DELETE FROM t WHERE ok").unwrap(), ["+1 (0, 3)", "-1 (1, 3)"]);
    });
}

#[test]
fn update_that_leaves_the_projected_row_unchanged_says_nothing() {
    with_workers(|workers| {
        let setup = "CREATE TABLE t (k INT PRIMARY KEY, x INT, y INT);";
        for view in [
            "SELECT k, x FROM t",
            "SELECT k, sum(x) AS s FROM t GROUP BY k",
            "SELECT DISTINCT x FROM t",
            "SELECT a.x FROM t AS a JOIN t AS b ON a.k = b.k",
            "SELECT k, x FROM t ORDER BY x LIMIT 1",
        ] {
            let mut s = scene(workers, &format!("{setup} CREATE MATERIALIZED VIEW v AS {view}"));
            s.run("INSERT INTO t VALUES (1, 1, 1)").unwrap();
            assert_eq!(s.run("UPDATE t SET y = 2").unwrap(), NOTHING, "{view}");
            assert_eq!(s.run("INSERT INTO t VALUES (1, 1, 3)").unwrap(), NOTHING, "{view}");
        }
    });
}

#[test]
fn error_rows_clear_when_the_row_is_deleted() {
    with_workers(|workers| {
        let mut s = scene(workers, "CREATE TABLE t (x INT); CREATE MATERIALIZED VIEW v AS SELECT 1 / x AS r FROM t");
        s.run("INSERT INTO t VALUES (0), (0), (1)").unwrap();
        // The row is there twice; its error is listed once, with the number of copies.
        let errors = s.rows("SHOW ERRORS FOR v").unwrap();
        assert!(errors.len() == 1 && errors[0].contains("division by zero"), "{errors:?}");
        assert_eq!(s.rows("SELECT * FROM v").unwrap(), ["(1)"]);
        assert_eq!(s.run("DELETE FROM t WHERE x = 0").unwrap(), NOTHING);
        assert_eq!(s.rows("SHOW ERRORS FOR v").unwrap().len(), 0);
    });
}

#[test]
fn view_dropped_and_created_again_while_input_runs() {
    with_workers(|workers| {
        let s = scene(workers, "CREATE TABLE t (x BIGINT); CREATE MATERIALIZED VIEW v AS SELECT sum(x) AS s FROM t");
        let create = "CREATE MATERIALIZED VIEW w AS SELECT count(*) AS n FROM t";
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                for x in 1..=300 {
                    s.db.execute(&format!("INSERT INTO t VALUES ({x})")).unwrap();
                }
            });
            while !writer.is_finished() {
                s.db.execute(create).unwrap();
                s.db.execute("CREATE MATERIALIZED VIEW ww AS SELECT n FROM w").unwrap();
                s.db.execute("DROP MATERIALIZED VIEW w CASCADE").unwrap();
            }
        });
        s.db.execute(create).unwrap();
        assert_eq!(s.rows("SELECT n FROM w").unwrap(), ["(300)"]);
        assert_eq!(s.rows("SELECT s FROM v").unwrap(), ["(45150)"]);
    });
}

#[test]
fn views_over_views_change_in_the_same_epoch() {
    with_workers(|workers| {
        let mut s = Scene::new(
            workers,
            "CREATE TABLE t (x INT);
             CREATE MATERIALIZED VIEW a AS SELECT x, count(*) AS n FROM t GROUP BY x;
             CREATE MATERIALIZED VIEW b AS SELECT n, count(*) AS m FROM a GROUP BY n;
             CREATE MATERIALIZED VIEW v AS SELECT t.x, b.m FROM t JOIN a ON t.x = a.x JOIN b ON a.n = b.n",
            "v",
        )
        .unwrap();
        assert_eq!(s.run("INSERT INTO t VALUES (1)").unwrap(), ["+1 (1, 1)"]);
        assert_eq!(s.run("INSERT INTO t VALUES (2)").unwrap(), ["+1 (1, 2)", "+1 (2, 2)", "-1 (1, 1)"]);
    });
}

#[test]
fn integer_sum_that_overflows_comes_back_when_it_fits_again() {
    with_workers(|workers| {
        let mut s = scene(workers, "CREATE TABLE t (x BIGINT); CREATE MATERIALIZED VIEW v AS SELECT sum(x) AS s FROM t");
        s.run("INSERT INTO t VALUES (9223372036854775807)").unwrap();
        assert_eq!(s.run("INSERT INTO t VALUES (1)").unwrap(), ["-1 (9223372036854775807)"]);
        assert_eq!(s.rows("SHOW ERRORS FOR v").unwrap().len(), 1);
        assert_eq!(s.run("DELETE FROM t WHERE x = 1").unwrap(), ["+1 (9223372036854775807)"]);
        assert_eq!(s.rows("SHOW ERRORS FOR v").unwrap().len(), 0);
    });
}

#[test]
fn negative_zero_and_nan_are_one_group_each() {
    with_workers(|workers| {
        let mut s =
            scene(workers, "CREATE TABLE t (x DOUBLE); CREATE MATERIALIZED VIEW v AS SELECT x, count(*) AS n FROM t GROUP BY x");
        assert_eq!(
            s.run("INSERT INTO t VALUES (0.0), (-0.0), ('NaN'), (-CAST('NaN' AS DOUBLE))").unwrap(),
            ["+1 (0.0, 2)", "+1 (NaN, 2)"]
        );
        assert_eq!(s.run("DELETE FROM t WHERE x = -0.0").unwrap(), ["-1 (0.0, 2)"]);
    });
}

#[test]
fn decimal_sums_keep_their_scale_and_are_exact() {
    with_workers(|workers| {
        let mut s = scene(workers, "CREATE TABLE t (x DECIMAL(10, 3)); CREATE MATERIALIZED VIEW v AS SELECT sum(x) AS s FROM t");
        assert_eq!(s.run("INSERT INTO t VALUES (0.1), (0.2), (0.005)").unwrap(), ["+1 (0.305)", "-1 (NULL)"]);
        assert_eq!(s.run("DELETE FROM t WHERE x = 0.005").unwrap(), ["+1 (0.300)", "-1 (0.305)"]);
    });
}

#[test]
fn deleting_a_row_that_is_not_there_refuses_the_whole_commit() {
    use arrow::array::{Int32Array, RecordBatch};
    use arrow::datatypes::{DataType, Field, Schema};
    with_workers(|workers| {
        let mut s = scene(workers, "CREATE TABLE t (x INT); CREATE MATERIALIZED VIEW v AS SELECT x FROM t");
        s.run("INSERT INTO t VALUES (1)").unwrap();
        let rows = |x: i32| {
            let schema = Schema::new(vec![Field::new("x", DataType::Int32, true)]);
            RecordBatch::try_new(schema.into(), vec![std::sync::Arc::new(Int32Array::from(vec![x]))]).unwrap()
        };
        let mut transaction = s.db.begin();
        transaction.insert("t", rows(7)).unwrap();
        transaction.delete("t", rows(2)).unwrap();
        let error = transaction.commit().unwrap_err().to_string();
        assert!(error.contains('t') && error.contains('2'), "{error}");
        assert_eq!(s.run("SELECT 1").unwrap(), NOTHING);
        assert_eq!(s.rows("SELECT * FROM t").unwrap(), ["(1)"]);
    });
}

#[test]
fn text_is_ordered_bytewise_and_nulls_last() {
    with_workers(|workers| {
        let s = scene(
            workers,
            "CREATE TABLE t (x VARCHAR);
             INSERT INTO t VALUES ('b'), ('B'), ('a'), ('é'), (NULL), ('');
             CREATE MATERIALIZED VIEW v AS SELECT x, rn FROM (SELECT x, row_number() OVER (ORDER BY x) AS rn FROM t) AS n WHERE rn <= 10",
        );
        assert_eq!(s.rows("SELECT rn, x FROM v").unwrap(), ["(1, )", "(2, B)", "(3, a)", "(4, b)", "(5, é)", "(6, NULL)"]);
    });
}
