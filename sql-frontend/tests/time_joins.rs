//! Joins by time: bounds on two times in ON, and ASOF JOIN. The interpreter says what rows they make.

#![allow(clippy::unwrap_used, missing_docs)]

mod common;
#[path = "common/meaning.rs"]
mod meaning;

use common::{catalog_of, circuit, plan};

const SOURCES: &str = "
    CREATE STREAM l (k BIGINT, ts TIMESTAMP, v BIGINT, WATERMARK FOR ts AS ts);
    CREATE STREAM r (k BIGINT, ts TIMESTAMP, w BIGINT, WATERMARK FOR ts AS ts);
    CREATE TABLE other (k BIGINT, n INT, b BIGINT, d DATE, z TIMESTAMPTZ);
";

const TABLES: &[(&str, &str)] = &[
    ("l", "(1, '1970-01-01 00:01:00', 1), (1, '1970-01-01 00:05:00', 2), (2, '1970-01-01 00:01:00', 3), (1, NULL, 4)"),
    (
        "r",
        "(1, '1970-01-01 00:00:50', 10), (1, '1970-01-01 00:01:00', 20), (1, '1970-01-01 00:01:10', 30), (2, '1970-01-01 00:09:00', 40), (1, NULL, 50)",
    ),
];

fn rows(sql: &str) -> String {
    let catalog = catalog_of(SOURCES);
    meaning::rows(&catalog, &plan(&catalog, sql).circuit, TABLES).join(" | ")
}

#[test]
fn bounds_on_two_times_are_an_interval_join() {
    let catalog = catalog_of(SOURCES);
    for (condition, bounds, expected) in [
        ("r.ts BETWEEN l.ts - INTERVAL '10' SECOND AND l.ts + INTERVAL '5' SECOND", "-10000000 5000000", "1, 10 | 1, 20"),
        ("l.ts BETWEEN r.ts - INTERVAL '5' SECOND AND r.ts + INTERVAL '10' SECOND", "-10000000 5000000", "1, 10 | 1, 20"),
        ("r.ts > l.ts - INTERVAL '10' SECOND AND r.ts <= l.ts + INTERVAL '10' SECOND", "-9999999 10000000", "1, 20 | 1, 30"),
        ("l.ts >= r.ts AND l.ts < r.ts + INTERVAL '10' SECOND", "-9999999 0", "1, 20"),
        ("l.ts - INTERVAL '10' SECOND <= r.ts AND r.ts - INTERVAL '10' SECOND < l.ts", "-10000000 9999999", "1, 10 | 1, 20"),
        ("r.ts - l.ts BETWEEN INTERVAL '-10' SECOND AND INTERVAL '5' SECOND", "-10000000 5000000", "1, 10 | 1, 20"),
        ("INTERVAL '10' SECOND >= l.ts - r.ts AND l.ts - r.ts >= INTERVAL '-5' SECOND", "-10000000 5000000", "1, 10 | 1, 20"),
        (
            "r.ts >= l.ts AND r.ts <= l.ts + INTERVAL '1' MINUTE AND r.ts < l.ts + INTERVAL '10' SECOND AND r.w > 5",
            "0 9999999",
            "1, 20",
        ),
        (
            "CAST(r.ts AS TIMESTAMPTZ) >= l.ts AND r.ts + INTERVAL '1' HOUR <= l.ts + INTERVAL '61' MINUTE - INTERVAL '50' SECOND",
            "0 10000000",
            "1, 20 | 1, 30",
        ),
    ] {
        let sql = format!("SELECT l.v, r.w FROM l JOIN r ON l.k = r.k AND {condition}");
        let text = circuit(&catalog, &sql);
        assert!(text.contains("IntervalJoin"), "{condition}\n{text}");
        let shown: Vec<&str> = bounds.split(' ').collect();
        assert!(shown.iter().all(|bound| text.contains(bound)), "{condition}\n{text}");
        assert_eq!(rows(&sql), expected, "{condition}");
        // The same where WHERE has the condition, and where the bounds are an ordinary one.
        assert_eq!(rows(&format!("SELECT l.v, r.w FROM l, r WHERE l.k = r.k AND ({condition})")), expected, "{condition}");
        assert_eq!(
            rows(&format!("SELECT l.v, r.w FROM l JOIN r ON l.k = r.k AND (({condition}) OR l.v + r.w < 0)")),
            expected,
            "{condition}"
        );
    }
}

#[test]
fn all_kinds_of_interval_joins() {
    let on = "ON l.k = r.k AND r.ts BETWEEN l.ts - INTERVAL '10' SECOND AND l.ts AND r.w <> 10";
    for (kind, expected) in [
        ("JOIN", "1, 20"),
        ("LEFT JOIN", "1, 20 | 2, NULL | 3, NULL | 4, NULL"),
        ("RIGHT JOIN", "1, 20 | NULL, 10 | NULL, 30 | NULL, 40 | NULL, 50"),
        ("FULL JOIN", "1, 20 | 2, NULL | 3, NULL | 4, NULL | NULL, 10 | NULL, 30 | NULL, 40 | NULL, 50"),
    ] {
        let sql = format!("SELECT l.v, r.w FROM l {kind} r {on}");
        assert!(circuit(&catalog_of(SOURCES), &sql).contains("IntervalJoin"), "{kind}");
        assert_eq!(rows(&sql), expected, "{kind}");
    }
    assert_eq!(rows(&format!("SELECT l.v FROM l LEFT SEMI JOIN r {on}")), "1");
    assert_eq!(rows(&format!("SELECT l.v FROM l LEFT ANTI JOIN r {on}")), "2 | 3 | 4");
    // Without keys.
    assert_eq!(
        rows("SELECT l.v, r.w FROM l JOIN r ON r.ts BETWEEN l.ts AND l.ts + INTERVAL '10' SECOND"),
        "1, 20 | 1, 30 | 3, 20 | 3, 30"
    );
}

#[test]
fn numbers_and_days_are_times_as_well() {
    let catalog = catalog_of(SOURCES);
    for (condition, bounds) in [
        ("a.n BETWEEN b.n - 5 AND b.n + 3", ["-3", "5"]),
        ("a.n >= b.b AND a.n < b.b + 10", ["-9", "0"]),
        ("b.b - a.n BETWEEN 2 AND 4", ["2", "4"]),
        ("b.d >= a.d AND b.d < a.d + 2", ["0", "172799999999"]),
        ("b.z >= a.d AND b.z < a.d + INTERVAL '1' DAY", ["0", "86399999999"]),
    ] {
        let text = circuit(&catalog, &format!("SELECT a.k FROM other AS a JOIN other AS b ON {condition}"));
        assert!(text.contains("IntervalJoin") && bounds.iter().all(|bound| text.contains(bound)), "{condition}\n{text}");
        // With keys and without watermarks nothing could be forgotten: the join by its keys is the faster one.
        let text = circuit(&catalog, &format!("SELECT a.k FROM other AS a JOIN other AS b ON a.k = b.k AND {condition}"));
        assert!(text.contains("Join inner on left") && !text.contains("IntervalJoin"), "{condition}\n{text}");
    }
    // Bounded on one side, by two pairs, by a month, or never.
    for condition in [
        "a.n >= b.n - 5",
        "a.n >= b.n AND a.b <= b.b",
        "a.z >= b.z AND a.z < b.z + INTERVAL '1' MONTH",
        "a.n > b.n AND a.n < b.n",
        "a.n BETWEEN b.n - 5 AND b.n + b.b",
    ] {
        let text = circuit(&catalog, &format!("SELECT a.k FROM other AS a JOIN other AS b ON a.k = b.k AND {condition}"));
        assert!(!text.contains("IntervalJoin"), "{condition}\n{text}");
    }
}

#[test]
fn as_of_joins_find_the_nearest_row() {
    let catalog = catalog_of(SOURCES);
    for (join, expected) in [
        ("l ASOF JOIN r MATCH_CONDITION (l.ts >= r.ts) ON l.k = r.k", "1, 20 | 2, 30"),
        ("l ASOF JOIN r ON l.k = r.k MATCH_CONDITION (l.ts >= r.ts)", "1, 20 | 2, 30"),
        ("l ASOF JOIN r USING (k) MATCH_CONDITION (r.ts <= l.ts)", "1, 20 | 2, 30"),
        ("l ASOF JOIN r MATCH_CONDITION (l.ts > r.ts) USING (k)", "1, 10 | 2, 30"),
        ("l ASOF JOIN r ON l.k = r.k MATCH_CONDITION (l.ts <= r.ts)", "1, 20 | 3, 40"),
        ("l ASOF JOIN r ON r.k = l.k MATCH_CONDITION (r.ts > l.ts)", "1, 30 | 3, 40"),
        ("l ASOF LEFT JOIN r ON l.k = r.k MATCH_CONDITION (l.ts >= r.ts)", "1, 20 | 2, 30 | 3, NULL | 4, NULL"),
        ("l asof left outer join r MATCH_CONDITION (l.ts >= r.ts) ON l.k = r.k", "1, 20 | 2, 30 | 3, NULL | 4, NULL"),
        ("l ASOF JOIN r MATCH_CONDITION (l.ts >= r.ts)", "1, 20 | 2, 30 | 3, 20"),
        ("l ASOF JOIN r MATCH_CONDITION (l.ts - INTERVAL '5' SECOND >= r.ts) ON l.k = r.k", "1, 10 | 2, 30"),
        ("l ASOF JOIN (SELECT k, ts, w FROM r WHERE w <> 20) AS r MATCH_CONDITION (l.ts >= r.ts) ON l.k = r.k", "1, 10 | 2, 30"),
    ] {
        let sql = format!("SELECT l.v, r.w FROM {join}");
        assert!(circuit(&catalog, &sql).contains("AsOfJoin"), "{join}");
        assert_eq!(rows(&sql), expected, "{join}");
    }
    // What WHERE says of the right side is asked of the row that was found.
    assert_eq!(rows("SELECT l.v, r.w FROM l ASOF JOIN r ON l.k = r.k MATCH_CONDITION (l.ts >= r.ts) WHERE r.w <> 20"), "2, 30");
    // Among other joins, on either side, twice, and with a star.
    let left = "l JOIN other AS o ON l.k = o.k ASOF JOIN r MATCH_CONDITION (l.ts >= r.ts) ON o.k = r.k";
    let tables = &[TABLES[0], TABLES[1], ("other", "(1, 2, 3, NULL, NULL)")];
    let with_other = |sql: &str| meaning::rows(&catalog, &plan(&catalog, sql).circuit, tables).join(" | ");
    assert_eq!(with_other(&format!("SELECT l.v, o.n, r.w FROM {left}")), "1, 2, 20 | 2, 2, 30");
    assert_eq!(
        with_other(
            "SELECT l.v, r.w, o.n FROM l ASOF JOIN r ON l.k = r.k MATCH_CONDITION (l.ts >= r.ts) JOIN other AS o ON o.k = r.k"
        ),
        "1, 20, 2 | 2, 30, 2"
    );
    let twice = "l ASOF JOIN r AS a ON l.k = a.k MATCH_CONDITION (l.ts >= a.ts) ASOF LEFT JOIN r AS b ON l.k = b.k MATCH_CONDITION (l.ts < b.ts)";
    assert_eq!(rows(&format!("SELECT l.v, a.w, b.w AS later FROM {twice}")), "1, 20, 30 | 2, 30, NULL");
    assert_eq!(
        plan(&catalog, "SELECT * FROM l ASOF JOIN r USING (k) MATCH_CONDITION (l.ts >= r.ts)").circuit.schema().fields().len(),
        5
    );
    assert_eq!(rows("SELECT v, w FROM (l ASOF JOIN r USING (k) MATCH_CONDITION (l.ts >= r.ts)) WHERE k = 1 AND v = 2"), "2, 30");
}

#[test]
fn the_row_of_an_as_of_join_does_not_depend_on_what_is_selected() {
    let catalog = catalog_of(SOURCES);
    let tables = &[
        ("l", "(1, '1970-01-01 00:01:00', 1)"),
        ("other", "(1, 1, 9, NULL, '1970-01-01 00:00:30Z'), (1, 2, 5, NULL, '1970-01-01 00:00:30Z')"),
    ];
    for (columns, expected) in [("o.n, o.b", "1, 9"), ("o.b", "9"), ("o.n", "1")] {
        let sql = format!("SELECT {columns} FROM l ASOF JOIN other AS o ON l.k = o.k MATCH_CONDITION (l.ts >= o.z)");
        assert_eq!(meaning::rows(&catalog, &plan(&catalog, &sql).circuit, tables).join(" | "), expected, "{columns}");
    }
}

#[test]
fn what_an_as_of_join_cannot_be_is_refused() {
    let catalog = catalog_of(SOURCES);
    for (marked, code, part) in [
        ("SELECT 1 FROM l ASOF JOIN r ON l.k = r.k MATCH_CONDITION (^l.ts = r.ts)", "DT1016", "MATCH_CONDITION (a.ts >= b.ts)"),
        ("SELECT 1 FROM l ASOF JOIN r ON l.k = r.k MATCH_CONDITION (^l.ts >= l.ts)", "DT1016", "each side"),
        ("SELECT 1 FROM l ASOF JOIN r ON ^l.k > r.k MATCH_CONDITION (l.ts >= r.ts)", "DT1009", "equalities"),
        ("SELECT 1 FROM l ASOF JOIN r ON ^l.k = r.k AND r.w > 5 MATCH_CONDITION (l.ts >= r.ts)", "DT1009", "equalities"),
        ("SELECT 1 FROM l ASOF JOIN r ON l.k = r.k MATCH_CONDITION (l.ts >= ^r.tss)", "DT1003", "did you mean ts?"),
        ("SELECT 1 FROM l ASOF JOIN ^rr ON l.k = rr.k MATCH_CONDITION (l.ts >= rr.ts)", "DT1002", "rr"),
    ] {
        let error = common::plan_error(&catalog, marked);
        assert_eq!(error.code, code, "{marked}: {error}");
        assert!(error.to_string().contains(part), "{marked}: {error}");
    }
    for sql in [
        "SELECT 1 FROM l ASOF JOIN r ON l.k = r.k",
        "SELECT 1 FROM l ASOF RIGHT JOIN r ON l.k = r.k MATCH_CONDITION (l.ts >= r.ts)",
    ] {
        assert_eq!(deltic_sql::parse(sql).unwrap_err().code, "DT1001", "{sql}");
    }
}

#[test]
fn rows_are_looked_up_as_of_their_epoch() {
    let catalog = catalog_of(&format!(
        "{SOURCES}
         CREATE STREAM e (k BIGINT, ts TIMESTAMP, v BIGINT);
         CREATE TABLE c (id BIGINT PRIMARY KEY, name TEXT, active BOOLEAN);
         CREATE MATERIALIZED VIEW totals AS SELECT k, sum(v) AS s FROM l GROUP BY k"
    ));
    let tables = &[("e", "(1, NULL, 10), (2, NULL, 20), (3, NULL, 30)"), ("c", "(1, 'x', TRUE), (2, 'y', FALSE)")];
    for (from, expected) in [
        ("e JOIN c FOR SYSTEM_TIME AS OF e.ts AS t ON e.k = t.id", "10, x | 20, y"),
        ("e JOIN c FOR SYSTEM_TIME AS OF PROCTIME() AS t ON t.id = e.k", "10, x | 20, y"),
        ("e INNER JOIN c FOR SYSTEM_TIME AS OF now() t ON e.k = t.id AND t.active", "10, x"),
        ("e LEFT JOIN c FOR SYSTEM_TIME AS OF CURRENT_TIMESTAMP AS t ON e.k = t.id", "10, x | 20, y | 30, NULL"),
        ("e LEFT OUTER JOIN c FOR SYSTEM_TIME AS OF ts AS t ON e.k = t.id AND e.v < 20", "10, x | 20, NULL | 30, NULL"),
        ("e JOIN c FOR SYSTEM_TIME AS OF e.ts AS t ON e.k + 1 = t.id", "10, y"),
        ("(SELECT k AS id, v FROM e) AS e JOIN c FOR SYSTEM_TIME AS OF PROCTIME() AS t USING (id)", "10, x | 20, y"),
        ("e JOIN c FOR SYSTEM_TIME AS OF e.ts AS t ON e.k = t.id JOIN c AS u ON u.id = t.id AND u.active", "10, x"),
        (
            "e LEFT JOIN c FOR SYSTEM_TIME AS OF e.ts AS s ON e.k = s.id LEFT JOIN c FOR SYSTEM_TIME AS OF e.ts AS t ON s.id = t.id",
            "10, x | 20, y | 30, NULL",
        ),
    ] {
        let planned = plan(&catalog, &format!("SELECT v, t.name FROM {from}"));
        assert!(deltic_circuit::explain::text(&planned.circuit).contains("TemporalLookup"), "{from}");
        assert_eq!(meaning::rows(&catalog, &planned.circuit, tables).join(" | "), expected, "{from}");
    }
    // Nothing is remembered of a stream, and only what is read is kept of the table; of rows that can go all columns say which they are.
    let text = circuit(&catalog, "SELECT e.v, t.name FROM e JOIN c FOR SYSTEM_TIME AS OF e.ts AS t ON e.k = t.id");
    assert!(text.contains("(k BIGINT, v BIGINT)") && text.contains("(id BIGINT NOT NULL, name VARCHAR)"), "{text}");
    let state = |sql: &str| deltic_circuit::explain::state(&plan(&catalog, sql).circuit);
    let of_stream = state("SELECT e.v, t.name FROM e JOIN c FOR SYSTEM_TIME AS OF e.ts AS t ON e.k = t.id");
    assert_eq!(of_stream.lines().count(), 1, "{of_stream}");
    assert!(of_stream.contains("Index by (#0): unbounded: any later row may look it up"), "{of_stream}");
    let of_table = state("SELECT o.n, t.name FROM other AS o JOIN c FOR SYSTEM_TIME AS OF o.z AS t ON o.k = t.id");
    assert!(
        of_table.contains("TemporalLookup inner on left #") && of_table.contains("(left): unbounded: no source"),
        "{of_table}"
    );
    // The rows of a view by its groups.
    circuit(&catalog, "SELECT e.v, t.s FROM e JOIN totals FOR SYSTEM_TIME AS OF e.ts AS t ON e.k = t.k");
    for (marked, code, part) in [
        ("^SELECT 1 FROM e JOIN l FOR SYSTEM_TIME AS OF e.ts AS t ON e.k = t.k", "DT1016", "no unique key"),
        ("^SELECT 1 FROM e JOIN c FOR SYSTEM_TIME AS OF e.ts AS t ON e.k > t.id", "DT1016", "no unique key"),
        ("SELECT 1 FROM e JOIN c FOR SYSTEM_TIME AS OF ^e.v AS t ON e.k = t.id", "DT1010", "needs a time"),
        ("SELECT 1 FROM e JOIN c FOR SYSTEM_TIME AS OF ^e.tss AS t ON e.k = t.id", "DT1003", "tss"),
        ("SELECT 1 FROM e JOIN c FOR SYSTEM_TIME AS OF TIMESTAMP ^'2024-01-01' AS t ON e.k = t.id", "DT1009", "ASOF JOIN"),
        (
            "SELECT 1 FROM e RIGHT JOIN ^c FOR SYSTEM_TIME AS OF e.ts AS t ON e.k = t.id",
            "DT1009",
            "neither an inner nor a left one",
        ),
        ("SELECT 1 FROM ^c FOR SYSTEM_TIME AS OF PROCTIME() AS t", "DT1009", "right side of a JOIN"),
    ] {
        let error = common::plan_error(&catalog, marked);
        assert_eq!(error.code, code, "{marked}: {error}");
        assert!(error.to_string().contains(part), "{marked}: {error}");
    }
}
