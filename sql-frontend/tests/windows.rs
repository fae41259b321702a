//! Time windows in all their spellings: that they plan to the same, and, with the interpreter, what that means.

#![allow(clippy::unwrap_used, missing_docs)]

mod common;
#[path = "common/meaning.rs"]
mod meaning;

use common::{apply, catalog_of, circuit, plan, plan_error};
use deltic_sql::Catalog;

const SOURCES: &str = "
    CREATE STREAM bid (auction BIGINT, bidder BIGINT, price BIGINT, ts TIMESTAMP, WATERMARK FOR ts AS ts - INTERVAL '5' SECOND);
    CREATE TABLE n (k TEXT, t INT, d DATE, z TIMESTAMPTZ, v BIGINT);
    CREATE TABLE person (id BIGINT PRIMARY KEY, name TEXT);
";

/// Bids of two bidders: at 0:05, 0:15, 0:58, 1:02 and 0:06, 0:57, and one without a time.
const BIDS: (&str, &str) = (
    "bid",
    "(1, 7, 10, '1970-01-01 00:00:05'), (2, 7, 20, '1970-01-01 00:00:15'), (1, 7, 30, '1970-01-01 00:00:58'),
     (1, 7, 40, '1970-01-01 00:01:02'), (1, 8, 50, '1970-01-01 00:00:06'), (2, 8, 60, '1970-01-01 00:00:57'), (1, 8, 70, NULL)",
);

fn rows(sql: &str, tables: &[(&str, &str)]) -> Vec<String> {
    let catalog = catalog_of(SOURCES);
    meaning::rows(&catalog, &plan(&catalog, sql).circuit, tables)
}

fn over_bids(sql: &str) -> Vec<String> {
    rows(sql, &[BIDS])
}

#[test]
fn tumbling_windows_in_all_spellings() {
    let expected = ["00:00:00, 00:01:00, 5, 170", "00:01:00, 00:02:00, 1, 40"];
    for from in [
        "TABLE(TUMBLE(TABLE bid, DESCRIPTOR(ts), INTERVAL '1' MINUTE))",
        "TABLE(TUMBLE(TABLE bid, DESCRIPTOR(ts), INTERVAL '1' MINUTE, INTERVAL '0' SECOND)) AS w",
        "TABLE(TUMBLE(DATA => TABLE bid, TIMECOL => DESCRIPTOR(ts), SIZE => INTERVAL '60' SECOND))",
        "TABLE(TUMBLE(TABLE bid, SIZE => INTERVAL '60' SECOND, timecol => ts, \"offset\" => INTERVAL '1' HOUR))",
        "TUMBLE(TABLE bid, DESCRIPTOR(ts), INTERVAL '1' MINUTE) w",
        "TUMBLE(bid, ts, INTERVAL '1 minute')",
        "TUMBLE((SELECT ts, price FROM bid), ts, INTERVAL '1' MINUTE) AS w",
        "TUMBLE(TABLE (SELECT ts, price FROM bid), DESCRIPTOR(ts), INTERVAL '1' MINUTE) AS w",
    ] {
        let sql = format!("SELECT window_start, window_end, count(*), sum(price) FROM {from} GROUP BY window_start, window_end");
        assert_eq!(over_bids(&sql), expected, "{from}");
    }
    for (select, group) in [
        ("window_start, window_end", "TUMBLE(ts, INTERVAL '1' MINUTE)"),
        ("TUMBLE_START(ts, INTERVAL '1' MINUTE), TUMBLE_END(ts, INTERVAL '1' MINUTE)", "tumble(ts, INTERVAL '1' MINUTE)"),
        ("TUMBLE_START(b.ts, INTERVAL '1' MINUTE) AS s, window_end", "(TUMBLE(ts, INTERVAL '1' MINUTE))"),
        ("TUMBLE_START(ts, INTERVAL '1' MINUTE) AS s, TUMBLE_END(ts, INTERVAL '1' MINUTE) AS e", "s, e"),
        ("TUMBLE_START(ts, INTERVAL '1' MINUTE), TUMBLE_END(ts, INTERVAL '1' MINUTE)", "1, 2"),
    ] {
        assert_eq!(
            over_bids(&format!("SELECT {select}, count(*), sum(price) FROM bid AS b GROUP BY {group}")),
            expected,
            "{select}"
        );
    }
    let with = "WITH x AS (SELECT ts AS time, price FROM bid) SELECT window_start, window_end, count(*), sum(price)";
    assert_eq!(over_bids(&format!("{with} FROM TUMBLE(x, time, INTERVAL '1' MINUTE) GROUP BY 1, 2")), expected);
    assert_eq!(over_bids(&format!("{with} FROM x GROUP BY TUMBLE(time, INTERVAL '1' MINUTE)")), expected);
    // An offset moves the windows.
    let sql = "SELECT window_start, count(*) FROM bid GROUP BY TUMBLE(ts, INTERVAL '1' MINUTE, INTERVAL '58' SECOND)";
    assert_eq!(over_bids(sql), ["00:00:58, 2", "1969-12-31 23:59:58, 4"]);
}

#[test]
fn both_spellings_share_their_nodes() {
    let catalog = catalog_of(SOURCES);
    let function = circuit(
        &catalog,
        "SELECT bidder, window_start, window_end, count(*) FROM bid GROUP BY bidder, TUMBLE(ts, INTERVAL '1' MINUTE)",
    );
    let table = circuit(
        &catalog,
        "SELECT bidder, window_start, window_end, count(*) FROM TUMBLE(bid, ts, INTERVAL '1' MINUTE) GROUP BY bidder, window_start, window_end",
    );
    assert_eq!(function.replace("tumble_start", "window_start").replace("tumble_end", "window_end"), table);
}

#[test]
fn hopping_and_cumulating_windows() {
    let sql = "SELECT window_start, window_end, count(*) FROM TABLE(HOP(TABLE bid, DESCRIPTOR(ts), INTERVAL '30' SECOND, INTERVAL '1' MINUTE)) GROUP BY 1, 2";
    let expected = ["00:00:00, 00:01:00, 5", "00:00:30, 00:01:30, 3", "00:01:00, 00:02:00, 1", "23:59:30, 00:00:30, 3"];
    let shown = |sql: &str| -> Vec<String> {
        let mut rows: Vec<String> = over_bids(sql).into_iter().map(|row| row.replace("1969-12-31 ", "")).collect();
        rows.sort();
        rows
    };
    assert_eq!(shown(sql), expected);
    assert_eq!(
        shown("SELECT HOP_START(ts, INTERVAL '30' SECOND, INTERVAL '1' MINUTE), HOP_END(ts, INTERVAL '30' SECOND, INTERVAL '1' MINUTE), count(*)
               FROM bid GROUP BY HOP(ts, INTERVAL '30' SECOND, INTERVAL '1' MINUTE)"),
        expected
    );
    let expected = [
        "00:00:00, 00:00:20, 3",
        "00:00:00, 00:00:40, 3",
        "00:00:00, 00:01:00, 5",
        "00:01:00, 00:01:20, 1",
        "00:01:00, 00:01:40, 1",
        "00:01:00, 00:02:00, 1",
    ];
    for sql in [
        "SELECT window_start, window_end, count(*) FROM bid GROUP BY CUMULATE(ts, INTERVAL '20' SECOND, INTERVAL '1' MINUTE)",
        "SELECT window_start, window_end, count(*) FROM CUMULATE(bid, ts, INTERVAL '20' SECOND, INTERVAL '1' MINUTE) GROUP BY 1, 2",
        "SELECT CUMULATE_START(ts, INTERVAL '20' SECOND, INTERVAL '1' MINUTE), CUMULATE_END(ts, INTERVAL '20' SECOND, INTERVAL '1' MINUTE),
         count(*) FROM bid GROUP BY CUMULATE(ts, INTERVAL '20' SECOND, INTERVAL '1' MINUTE)",
    ] {
        assert_eq!(shown(sql), expected, "{sql}");
    }
    // Time that no window holds.
    let sql = "SELECT price, window_start FROM HOP(bid, ts, INTERVAL '1' MINUTE, INTERVAL '10' SECOND)";
    assert_eq!(shown(sql), ["10, 00:00:00", "40, 00:01:00", "50, 00:00:00"]);
}

#[test]
fn sessions_in_all_spellings() {
    let expected = [
        "7, 00:00:05, 00:00:25, 2, 20",
        "7, 00:00:58, 00:01:12, 2, 40",
        "8, 00:00:06, 00:00:16, 1, 50",
        "8, 00:00:57, 00:01:07, 1, 60",
    ];
    for sql in [
        "SELECT bidder, window_start, window_end, count(*), max(price) FROM TABLE(SESSION(TABLE bid PARTITION BY bidder, DESCRIPTOR(ts), INTERVAL '10' SECOND)) GROUP BY bidder, window_start, window_end",
        "SELECT bidder, window_start, window_end, count(*), max(price) FROM SESSION(DATA => TABLE bid PARTITION BY (bidder), TIMECOL => DESCRIPTOR(ts), GAP => INTERVAL '10' SECOND, max_sessions_per_key => 100) AS s GROUP BY 2, 3, bidder",
        "SELECT bidder, SESSION_START(ts, INTERVAL '10' SECOND), SESSION_END(ts, INTERVAL '10' SECOND), count(*), max(price) FROM bid GROUP BY bidder, SESSION(ts, INTERVAL '10' SECOND)",
        "SELECT bidder, window_start, window_end, count(*), max(price) FROM bid GROUP BY SESSION(ts, INTERVAL '10' SECOND), bidder",
    ] {
        assert_eq!(over_bids(sql), expected, "{sql}");
        let text = circuit(&catalog_of(SOURCES), sql);
        assert!(!text.contains("Aggregate"), "{sql}: the session keeps its aggregates\n{text}");
    }
    // Without a partition all rows are one.
    assert_eq!(
        over_bids(
            "SELECT window_start, window_end, count(*) FROM SESSION(bid, ts, INTERVAL '10' SECOND) GROUP BY window_start, window_end"
        ),
        ["00:00:05, 00:00:25, 3", "00:00:57, 00:01:12, 3"]
    );
    // The rows of sessions.
    assert_eq!(
        over_bids(
            "SELECT price, window_end FROM TABLE(SESSION(TABLE bid PARTITION BY bidder, DESCRIPTOR(ts), INTERVAL '10' SECOND)) WHERE bidder = 7"
        ),
        ["10, 00:00:25", "20, 00:00:25", "30, 00:01:12", "40, 00:01:12"]
    );
    // A session that is too many.
    let sql = "SELECT bidder, window_start FROM TABLE(SESSION(TABLE bid PARTITION BY bidder, DESCRIPTOR(ts), INTERVAL '1' SECOND, max_sessions_per_key => 2)) GROUP BY 1, 2";
    let shown = over_bids(sql);
    assert_eq!(shown[..2], ["8, 00:00:06", "8, 00:00:57"], "{shown:?}");
    assert!(shown.len() == 3 && shown[2].starts_with("error"), "{shown:?}");
}

#[test]
fn sessions_in_group_by_have_a_guard_as_well() {
    let second = "INTERVAL '1' SECOND";
    for (select, group) in [
        ("bidder, window_start", format!("bidder, SESSION(ts, {second}, max_sessions_per_key => 2)")),
        ("bidder, window_start", format!("SESSION(ts, {second}, MAX_SESSIONS_PER_KEY => 2), bidder")),
        // The bounds need not say it again.
        (&format!("bidder, SESSION_START(ts, {second})"), format!("bidder, SESSION(ts, {second}, max_sessions_per_key => 2)")),
        (
            &format!("bidder, SESSION_START(ts, {second}, max_sessions_per_key => 2)"),
            format!("bidder, SESSION(ts, {second}, max_sessions_per_key => 2) HAVING SESSION_END(ts, {second}) IS NOT NULL"),
        ),
        (&format!("bidder, SESSION_START(ts, {second}, max_sessions_per_key => 2) AS s"), "bidder, s".to_owned()),
    ] {
        let shown = over_bids(&format!("SELECT {select} FROM bid GROUP BY {group}"));
        assert_eq!(shown[..2], ["8, 00:00:06", "8, 00:00:57"], "{select} .. {group}: {shown:?}");
        assert!(shown.len() == 3 && shown[2].starts_with("error"), "{shown:?}");
    }
    let table = "SELECT bidder, window_start, window_end, count(*) FROM TABLE(SESSION(TABLE bid PARTITION BY bidder, DESCRIPTOR(ts), INTERVAL '1' SECOND, max_sessions_per_key => 9)) GROUP BY bidder, window_start, window_end";
    let group = "SELECT bidder, window_start, window_end, count(*) FROM bid GROUP BY bidder, SESSION(ts, INTERVAL '1' SECOND, max_sessions_per_key => 9)";
    let catalog = catalog_of(SOURCES);
    let renamed = circuit(&catalog, group).replace("session_start", "window_start").replace("session_end", "window_end");
    assert_eq!(renamed, circuit(&catalog, table));
}

#[test]
fn keys_of_sessions_may_be_computed() {
    assert_eq!(
        over_bids(
            "SELECT bidder % 2 AS odd, window_start, sum(price + 1) AS s, count(*) FILTER (WHERE price > 15) FROM bid WHERE bidder < 9 GROUP BY bidder % 2, SESSION(ts, INTERVAL '10' SECOND)"
        ),
        ["0, 00:00:06, 51, 1", "0, 00:00:57, 61, 1", "1, 00:00:05, 32, 1", "1, 00:00:58, 72, 2"]
    );
    // Only a constant is grouped by: one session key.
    assert_eq!(over_bids("SELECT count(*) FROM bid GROUP BY 1 + 1, SESSION(ts, INTERVAL '10' SECOND)"), ["3", "3"]);
}

#[test]
fn sessions_whose_rows_are_needed() {
    let catalog = catalog_of(SOURCES);
    for sql in [
        "SELECT bidder, window_start, count(DISTINCT auction) FROM bid GROUP BY bidder, SESSION(ts, INTERVAL '10' SECOND)",
        "SELECT bidder, max(window_end - ts) FROM SESSION(TABLE bid PARTITION BY bidder, DESCRIPTOR(ts), INTERVAL '10' SECOND) GROUP BY bidder, window_start, window_end",
        "SELECT bidder, count(*) FROM SESSION(TABLE bid PARTITION BY bidder, DESCRIPTOR(ts), INTERVAL '10' SECOND) GROUP BY bidder",
        "SELECT window_end, count(*) FROM SESSION(TABLE bid PARTITION BY bidder, DESCRIPTOR(ts), INTERVAL '10' SECOND) GROUP BY window_start, window_end",
        "SELECT bidder, count(*) FROM SESSION(TABLE bid PARTITION BY bidder, DESCRIPTOR(ts), INTERVAL '10' SECOND) WHERE price > 10 GROUP BY bidder, window_start, window_end",
    ] {
        let text = circuit(&catalog, sql);
        assert!(text.contains("Aggregate") && text.contains("Session"), "{sql}\n{text}");
    }
    assert_eq!(
        over_bids(
            "SELECT bidder, window_start, count(DISTINCT auction) FROM bid GROUP BY bidder, SESSION(ts, INTERVAL '10' SECOND)"
        ),
        ["7, 00:00:05, 2", "7, 00:00:58, 1", "8, 00:00:06, 1", "8, 00:00:57, 1"]
    );
}

#[test]
fn predicates_go_below_windows_where_that_is_right() {
    let catalog = catalog_of(SOURCES);
    let plan_of = |sql: &str| plan(&catalog, sql).logical_plan;
    let depth =
        |text: &str, word: &str| text.lines().position(|line| line.contains(word)).unwrap_or_else(|| panic!("{word} in {text}"));
    let text = plan_of(
        "SELECT price FROM TUMBLE(bid, ts, INTERVAL '1' MINUTE) WHERE price > 3 AND window_start > TIMESTAMP '1970-01-01'",
    );
    assert!(depth(&text, "window_start >") < depth(&text, "Tumble"), "{text}");
    assert!(depth(&text, "price >") > depth(&text, "Tumble"), "{text}");
    let text = plan_of(
        "SELECT price FROM SESSION(TABLE bid PARTITION BY bidder, DESCRIPTOR(ts), INTERVAL '1' MINUTE) AS s WHERE s.price > 3 AND s.bidder = 7",
    );
    assert!(depth(&text, "price >") < depth(&text, "Session"), "{text}");
    assert!(depth(&text, "bidder =") > depth(&text, "Session"), "{text}");
    // Columns that nobody reads are not carried along.
    assert!(text.contains("projection=[bidder, price, ts]"), "{text}");
    // Sessions in GROUP BY are those of the rows that WHERE leaves; HAVING looks at the sessions.
    assert_eq!(
        over_bids(
            "SELECT bidder, window_start, count(*) AS n FROM bid WHERE price <> 20 GROUP BY bidder, SESSION(ts, INTERVAL '45' SECOND) HAVING count(*) > 1"
        ),
        ["7, 00:00:58, 2"]
    );
}

#[test]
fn times_of_all_types() {
    let rows_of_n = |sql: &str| {
        rows(
            sql,
            &[("n", "('a', 7, '1970-01-02', '1970-01-01 00:00:07Z', 70), ('a', -3, '1969-12-31', '1970-01-01 00:01:00Z', 5)")],
        )
    };
    assert_eq!(rows_of_n("SELECT window_start, window_end, sum(v) FROM n GROUP BY TUMBLE(t, 5)"), ["-5, 0, 5", "5, 10, 70"]);
    assert_eq!(
        rows_of_n("SELECT window_start, window_end, v FROM HOP(n, t, 5, 10, 1)"),
        ["-4, 6, 5", "-9, 1, 5", "1, 11, 70", "6, 16, 70"].map(|row| {
            // The row at -3 is in [-9, 1) and [-4, 6).
            row.to_string()
        })
    );
    assert_eq!(rows_of_n("SELECT k, window_start, window_end, count(*) FROM n GROUP BY k, SESSION(t, 10)"), ["a, -3, 17, 2"]);
    assert_eq!(
        rows_of_n("SELECT window_start, window_end, v FROM TUMBLE(TABLE n, DESCRIPTOR(d), INTERVAL '1' DAY)"),
        ["1969-12-31 00:00:00, 00:00:00, 5", "1970-01-02 00:00:00, 1970-01-03 00:00:00, 70"]
    );
    let types = |sql: &str| -> Vec<String> {
        let catalog = catalog_of(SOURCES);
        plan(&catalog, sql).circuit.schema().fields().iter().map(|field| field.data_type().to_string()).collect()
    };
    assert_eq!(types("SELECT window_start FROM n GROUP BY TUMBLE(z, INTERVAL '1' MINUTE)"), ["Timestamp(µs, \"UTC\")"]);
    assert_eq!(types("SELECT window_end FROM TUMBLE(n, t, 5)"), ["Int64"]);
    assert_eq!(types("SELECT window_end FROM TUMBLE(n, d, INTERVAL '1' DAY)"), ["Timestamp(µs)"]);
    // A computed time.
    assert_eq!(
        rows_of_n(
            "SELECT window_start, v FROM n GROUP BY TUMBLE(CAST(z AS TIMESTAMP) + INTERVAL '1' HOUR, INTERVAL '1' HOUR), v"
        ),
        ["01:00:00, 5", "01:00:00, 70"]
    );
    assert_eq!(rows_of_n("SELECT window_start, v FROM n GROUP BY TUMBLE(t + 1, 4), v"), ["-4, 5", "8, 70"]);
}

#[test]
fn windows_of_windows_joins_and_views() {
    let catalog = catalog_of(&format!(
        "{SOURCES}
         CREATE MATERIALIZED VIEW per_minute AS SELECT bidder, window_start AS minute, window_end, count(*) AS n FROM bid GROUP BY bidder, TUMBLE(ts, INTERVAL '10' SECOND);
         CREATE VIEW plain AS SELECT bidder, ts AS at, price FROM bid WHERE price > 10"
    ));
    // Over the rows of a materialized view, and over a subquery.
    let inner = "SELECT window_start AS s, count(*) AS n FROM bid GROUP BY TUMBLE(ts, INTERVAL '10' SECOND)";
    let sql = format!("SELECT window_start, max(n) FROM ({inner}) AS x GROUP BY TUMBLE(s, INTERVAL '1' MINUTE)");
    assert_eq!(over_bids(&sql), ["00:00:00, 2", "00:01:00, 1"]);
    let text = circuit(
        &catalog,
        "SELECT TUMBLE_START(minute, INTERVAL '1' MINUTE), sum(n) FROM per_minute GROUP BY TUMBLE(minute, INTERVAL '1' MINUTE)",
    );
    assert!(text.contains("Source per_minute"), "{text}");
    // A plain view is inlined.
    let planned = plan(
        &catalog,
        "SELECT window_start, sum(price) FROM TUMBLE(plain, at, INTERVAL '1' MINUTE) GROUP BY window_start, window_end",
    );
    assert_eq!(meaning::rows(&catalog, &planned.circuit, &[BIDS]), ["00:00:00, 160", "00:01:00, 40"]);
    // Rows of two windows side by side.
    let each = |price: i64| {
        format!(
            "(SELECT window_start AS s, max(price) AS p FROM bid WHERE price > {price} GROUP BY TUMBLE(ts, INTERVAL '1' MINUTE))"
        )
    };
    let sql = format!("SELECT a.s, a.p, b.p FROM {} AS a JOIN {} AS b ON a.s = b.s", each(0), each(50));
    assert_eq!(over_bids(&sql), ["00:00:00, 60, 60"]);
    // Over a join, with columns of both sides.
    let sql = "SELECT p.name, window_start, sum(b.price) FROM bid AS b JOIN person AS p ON b.bidder = p.id GROUP BY p.name, TUMBLE(b.ts, INTERVAL '1' MINUTE)";
    let shown = rows(sql, &[BIDS, ("person", "(7, 'x'), (9, 'y')")]);
    assert_eq!(shown, ["x, 00:00:00, 60", "x, 00:01:00, 40"]);
    let sql = "SELECT p.name, w.window_start, count(*) FROM TUMBLE(bid, ts, INTERVAL '1' MINUTE) AS w JOIN person AS p ON w.bidder = p.id GROUP BY 1, 2";
    assert_eq!(rows(sql, &[BIDS, ("person", "(7, 'x')")]), ["x, 00:00:00, 3", "x, 00:01:00, 1"]);
}

#[test]
fn windows_of_windows_may_go_by_window_start() {
    // Three in the first minute: 2 + 1 of bidder 7, 2 + 1 of bidder 8 by tens of seconds.
    let inner =
        "SELECT bidder, window_start, window_end, count(*) AS n FROM bid GROUP BY bidder, TUMBLE(ts, INTERVAL '10' SECOND)";
    let expected = ["00:00:00, 00:01:00, 5", "00:01:00, 00:02:00, 1"];
    for sql in [
        format!("SELECT window_start, window_end, sum(n) FROM ({inner}) AS x GROUP BY TUMBLE(window_start, INTERVAL '1' MINUTE)"),
        format!("SELECT window_start, window_end, sum(n) FROM TUMBLE(({inner}), window_start, INTERVAL '1' MINUTE) GROUP BY window_start, window_end"),
        format!("WITH x AS ({inner}) SELECT w.window_start, window_end, sum(n) FROM TUMBLE(x, window_start, INTERVAL '1' MINUTE) AS w GROUP BY 1, 2"),
        "SELECT window_start, window_end, count(*) FROM TUMBLE(TABLE (SELECT * FROM TUMBLE(bid, ts, INTERVAL '10' SECOND)), DESCRIPTOR(window_start), INTERVAL '1' MINUTE) GROUP BY 1, 2".to_owned(),
    ] {
        assert_eq!(over_bids(&sql), expected, "{sql}");
    }
    // The bounds of the inner windows are there under other names; those of a third level too.
    let names = |sql: &str| -> Vec<String> {
        let planned = plan(&catalog_of(SOURCES), sql);
        planned.circuit.schema().fields().iter().map(|field| field.name().clone()).collect()
    };
    let two = "SELECT * FROM TUMBLE((SELECT price, window_start, window_end FROM TUMBLE(bid, ts, INTERVAL '10' SECOND)), window_start, INTERVAL '1' MINUTE)";
    assert_eq!(names(two), ["price", "inner_window_start", "inner_window_end", "window_start", "window_end"]);
    let three = format!("SELECT * FROM TUMBLE(({two}), window_start, INTERVAL '1' HOUR)");
    let bounds = [
        "inner_inner_window_start",
        "inner_inner_window_end",
        "inner_window_start",
        "inner_window_end",
        "window_start",
        "window_end",
    ];
    assert_eq!(names(&three)[1..], bounds);
    assert_eq!(
        over_bids(&format!(
            "SELECT inner_inner_window_start, inner_window_start, window_start, price FROM ({three}) AS x WHERE price > 50 OR price < 20"
        )),
        ["00:00:00, 00:00:00, 00:00:00, 10", "00:00:50, 00:00:00, 00:00:00, 60"]
    );
    // Sessions of windows, by key.
    let sql = format!(
        "SELECT bidder, window_start, window_end, sum(n) FROM SESSION(TABLE ({inner}) PARTITION BY bidder, DESCRIPTOR(window_start), INTERVAL '15' SECOND) GROUP BY 1, 2, 3"
    );
    let sessions =
        ["7, 00:00:00, 00:00:25, 2", "7, 00:00:50, 00:01:15, 2", "8, 00:00:00, 00:00:15, 1", "8, 00:00:50, 00:01:05, 1"];
    assert_eq!(over_bids(&sql), sessions);
    // Two relations with windows, and a name without one.
    let both = "SELECT window_start FROM TUMBLE(bid, ts, INTERVAL '1' MINUTE) AS a JOIN TUMBLE(bid, ts, INTERVAL '1' MINUTE) AS b ON a.bidder = b.bidder";
    let error = plan_error(&catalog_of(SOURCES), &both.replace("SELECT ", "SELECT ^"));
    assert!(error.to_string().contains("ambiguous"), "{error}");
}

#[test]
fn first_rows_of_windows() {
    let sql = "SELECT window_start, bidder, price FROM (
        SELECT *, row_number() OVER (PARTITION BY window_start, window_end ORDER BY price DESC) AS place
        FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(ts), INTERVAL '1' MINUTE))) AS x WHERE place <= 2";
    assert_eq!(over_bids(sql), ["00:00:00, 8, 50", "00:00:00, 8, 60", "00:01:00, 7, 40"]);
    let text = circuit(&catalog_of(SOURCES), sql);
    assert!(text.contains("TopK"), "{text}");
}

#[test]
fn what_is_in_the_way_of_a_window_is_named() {
    let catalog = catalog_of(SOURCES);
    for (marked, code, part) in [
        // Lengths.
        ("SELECT 1 FROM TUMBLE(bid, ts, INTERVAL ^'1' MONTH)", "DT1010", "months"),
        ("SELECT 1 FROM TUMBLE(bid, ts, ^60)", "DT1010", "INTERVAL '5' SECOND"),
        ("SELECT 1 FROM TUMBLE(n, t, INTERVAL ^'1' MINUTE)", "DT1010", "whole number"),
        ("SELECT 1 FROM ^TUMBLE(bid, ts, INTERVAL '0' SECOND)", "DT1016", "positive size"),
        ("SELECT 1 FROM ^TUMBLE(n, t, -5)", "DT1016", "positive size"),
        ("SELECT 1 FROM TUMBLE(bid, ts, ^ts)", "DT1003", "ts"),
        ("SELECT 1 FROM ^CUMULATE(n, t, 7, 10)", "DT1016", "multiple of the step"),
        ("SELECT 1 FROM ^HOP(bid, ts, INTERVAL '1 microsecond', INTERVAL '1' DAY)", "DT1016", "slide, size"),
        // Arguments.
        ("SELECT 1 FROM ^TUMBLE(bid, ts)", "DT1016", "write TUMBLE(TABLE t, DESCRIPTOR(ts), size"),
        ("SELECT 1 FROM ^SESSION(TABLE bid, DESCRIPTOR(ts))", "DT1016", "write SESSION(TABLE t PARTITION BY k"),
        ("SELECT 1 FROM TUMBLE(bid, ts, INTERVAL '1' DAY, INTERVAL '1' DAY, ^3)", "DT1016", "4 arguments"),
        ("SELECT 1 FROM SESSION(bid, ts, INTERVAL '1' DAY, INTERVAL ^'1' DAY)", "DT1016", "3 arguments"),
        (
            "SELECT 1 FROM TUMBLE(DATA => TABLE bid, ^TIMECOLL => DESCRIPTOR(ts), SIZE => INTERVAL '1' DAY)",
            "DT1016",
            "did you mean timecol?",
        ),
        ("SELECT 1 FROM TUMBLE(TABLE bid PARTITION BY ^bidder, DESCRIPTOR(ts), INTERVAL '1' DAY)", "DT1016", "PARTITION BY"),
        ("SELECT 1 FROM SESSION(TABLE bid PARTITION BY ^bidder + 1, DESCRIPTOR(ts), INTERVAL '1' DAY)", "DT1009", "PARTITION BY"),
        ("SELECT 1 FROM SESSION(bid, ts, INTERVAL '1' DAY, max_sessions_per_key => ^0)", "DT1016", "positive whole number"),
        ("SELECT 1 FROM TUMBLE(TABLE bid, DESCRIPTOR(^tss), INTERVAL '1' DAY)", "DT1003", "did you mean ts?"),
        ("SELECT 1 FROM TUMBLE(TABLE ^bids, DESCRIPTOR(ts), INTERVAL '1' DAY)", "DT1002", "did you mean bid?"),
        ("SELECT 1 FROM TUMBLE(n, ^k, INTERVAL '1' DAY)", "DT1010", "TUMBLE needs a time"),
        ("SELECT 1 FROM TUMBLE(n, ^t + 1, 5)", "DT1016", "not a column with a time"),
        ("SELECT 1 FROM TUMBLE(^1, t, 5)", "DT1016", "not the input"),
        ("SELECT 1 FROM ^TUMBEL(bid, ts, 5)", "DT1009", "TUMBEL"),
        // Bounds and GROUP BY.
        ("SELECT ^TUMBLE(ts, INTERVAL '1' DAY) FROM bid", "DT1009", "TUMBLE outside of GROUP BY"),
        ("SELECT 1 FROM bid WHERE ^HOP(ts, INTERVAL '1' DAY, INTERVAL '1' DAY) IS NULL", "DT1009", "HOP outside of GROUP BY"),
        ("SELECT ^TUMBLE_START(ts, INTERVAL '1' DAY) FROM bid", "DT1016", "TUMBLE_START needs TUMBLE in GROUP BY"),
        (
            "SELECT count(*) FROM bid WHERE ^TUMBLE_END(ts, INTERVAL '1' DAY) IS NULL GROUP BY TUMBLE(ts, INTERVAL '1' DAY)",
            "DT1016",
            "TUMBLE_END needs",
        ),
        (
            "SELECT ^TUMBLE_START(ts, INTERVAL '2' DAY) FROM bid GROUP BY TUMBLE(ts, INTERVAL '1' DAY)",
            "DT1016",
            "other arguments",
        ),
        (
            "SELECT count(*) FROM bid GROUP BY ^TUMBLE(ts, INTERVAL '1' DAY), TUMBLE(ts, INTERVAL '2' DAY)",
            "DT1009",
            "only window",
        ),
        ("SELECT count(*) FROM bid GROUP BY ^TUMBLE(ts, 5)", "DT1010", "TUMBLE: the size must be an interval"),
        ("SELECT count(*) FROM bid GROUP BY ^TUMBLE(ts, INTERVAL '1' MONTH)", "DT1010", "months"),
        ("SELECT count(*) FROM bid GROUP BY ^TUMBLE(ts)", "DT1016", "arguments time, size"),
        ("SELECT count(*) FROM n GROUP BY ^TUMBLE(k, 5)", "DT1010", "TUMBLE needs a time"),
        ("SELECT count(*) FROM n GROUP BY ^TUMBLE(t, v)", "DT1016", "must be a constant"),
        ("SELECT window_start, count(*) FROM n GROUP BY ^t", "DT1003", ""),
        ("SELECT count(*) FROM n GROUP BY ^SESSION(t, 5, 3)", "DT1016", "max_sessions_per_key => .."),
        ("SELECT count(*) FROM n GROUP BY SESSION(t, 5, max_sessions_per_key => -^1)", "DT1016", "positive whole number"),
        (
            "SELECT count(*) FROM n GROUP BY ^SESSION(t, 5, max_sessions_per_key => 1, max_sessions_per_key => 1)",
            "DT1016",
            "twice",
        ),
        ("SELECT count(*) FROM n GROUP BY ^SESSION(t, gap => 5)", "DT1009", "a named argument"),
        ("SELECT count(*) FROM n GROUP BY ^TUMBLE(t, 5, max_sessions_per_key => 1)", "DT1009", "a named argument"),
        (
            "SELECT ^SESSION_START(t, 5, max_sessions_per_key => 2), count(*) FROM n GROUP BY SESSION(t, 5, max_sessions_per_key => 1)",
            "DT1016",
            "other arguments",
        ),
    ] {
        let marked = if part.is_empty() { marked.replace('^', "") } else { marked.to_string() };
        let error = plan_error(&catalog, &marked);
        assert_eq!(error.code, code, "{marked}: {error}");
        assert!(error.to_string().contains(part), "{marked}: {error}");
    }
}

#[test]
fn names_of_windows_are_no_reserved_words() {
    let mut catalog = Catalog::new();
    apply(&mut catalog, "CREATE TABLE session (tumble INT, hop INT, window_start INT); CREATE TABLE t (a INT)").unwrap();
    plan(&catalog, "SELECT session.tumble, hop, window_start FROM session");
    plan(&catalog, "SELECT window_start, count(*) FROM session GROUP BY window_start");
    // A column of that name is what is meant.
    let planned = plan(&catalog, "SELECT window_start, count(*) FROM session GROUP BY window_start, TUMBLE(hop, 5)");
    assert_eq!(meaning::rows(&catalog, &planned.circuit, &[("session", "(1, 2, 77)")]), ["77, 1"]);
}
