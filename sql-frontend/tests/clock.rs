//! `now()`: in a materialized view rows come and go with it, in a statement it is a constant.

#![allow(clippy::unwrap_used, missing_docs)]

mod common;
#[path = "common/meaning.rs"]
mod meaning;

use common::{apply, catalog_of, query};
use deltic_circuit::{EpochInfo, Operator, explain};
use deltic_sql::{Catalog, SqlError, Statement, parse, plan_delete, plan_query};

const SOURCES: &str = "
    CREATE TABLE t (k BIGINT, ts TIMESTAMP);
    CREATE TABLE z (k BIGINT, ts TIMESTAMPTZ, d DATE);
    CREATE TABLE span (k BIGINT, begins TIMESTAMP, ends TIMESTAMP);
";

fn with_view(query: &str) -> Catalog {
    let mut catalog = catalog_of(SOURCES);
    apply(&mut catalog, &format!("CREATE MATERIALIZED VIEW v AS {query}")).unwrap_or_else(|error| panic!("{query}: {error}"));
    catalog
}

/// The first columns of the view's rows at `seconds`, beside each other.
fn at(query: &str, tables: &[(&str, &str)], micros: i64) -> String {
    let catalog = with_view(query);
    let circuit = catalog.relation("v").unwrap().circuit.clone().unwrap();
    assert!(circuit.reads_clock(), "{}", explain::text(&circuit));
    let info = EpochInfo { now: micros, ..EpochInfo::default() };
    meaning::rows_at(&catalog, &circuit, tables, &info).join(" | ")
}

const SECOND: i64 = 1_000_000;
/// At 0:00:10, 0:00:20 and never.
const TIMES: (&str, &str) = ("t", "(1, '1970-01-01 00:00:10'), (2, '1970-01-01 00:00:20'), (3, NULL)");

#[test]
fn comparisons_begin_and_end_to_the_microsecond() {
    for (condition, first, last) in [
        // Row 1 at 0:00:10: the first and the last microsecond at which it is in, if there are any.
        ("ts > now() - INTERVAL '30' SECOND", None, Some(40 * SECOND - 1)),
        ("ts >= now() - INTERVAL '30' SECOND", None, Some(40 * SECOND)),
        ("ts < now() - INTERVAL '30' SECOND", Some(40 * SECOND + 1), None),
        ("ts <= now() - INTERVAL '30' SECOND", Some(40 * SECOND), None),
        ("now() - INTERVAL '30' SECOND < ts", None, Some(40 * SECOND - 1)),
        ("ts + INTERVAL '30' SECOND > now()", None, Some(40 * SECOND - 1)),
        ("now() - ts < INTERVAL '30' SECOND", None, Some(40 * SECOND - 1)),
        ("now() - ts <= INTERVAL '30' SECOND", None, Some(40 * SECOND)),
        ("INTERVAL '30' SECOND < now() - ts", Some(40 * SECOND + 1), None),
        ("ts - now() > INTERVAL '-30' SECOND", None, Some(40 * SECOND - 1)),
        ("ts > CURRENT_TIMESTAMP - INTERVAL '30' SECOND", None, Some(40 * SECOND - 1)),
        ("ts > LOCALTIMESTAMP - INTERVAL '30' SECOND", None, Some(40 * SECOND - 1)),
        ("ts > now() - INTERVAL '20' SECOND - INTERVAL '10' SECOND", None, Some(40 * SECOND - 1)),
        ("ts > now() + INTERVAL '-30' SECOND", None, Some(40 * SECOND - 1)),
        ("ts <= now()", Some(10 * SECOND), None),
        ("ts < now()", Some(10 * SECOND + 1), None),
        ("ts BETWEEN now() - INTERVAL '30' SECOND AND now()", Some(10 * SECOND), Some(40 * SECOND)),
        ("now() BETWEEN ts AND ts + INTERVAL '30' SECOND", Some(10 * SECOND), Some(40 * SECOND)),
        ("now() NOT BETWEEN ts AND ts + INTERVAL '30' SECOND AND now() > ts", Some(40 * SECOND + 1), None),
        ("CAST(ts AS TIMESTAMPTZ) > now() - INTERVAL '30' SECOND", None, Some(40 * SECOND - 1)),
        ("NOT (ts > now() - INTERVAL '30' SECOND)", Some(40 * SECOND), None),
        ("ts + INTERVAL '1' MONTH > now()", None, Some((10 + 31 * 86_400) * SECOND - 1)),
        ("(k = 5 OR ts <= now()) AND ts > now() - INTERVAL '5' SECOND", Some(10 * SECOND), Some(15 * SECOND - 1)),
        ("CASE WHEN k = 1 THEN ts <= now() ELSE false END", Some(10 * SECOND), None),
    ] {
        let query = format!("SELECT k FROM t WHERE ({condition}) AND k <> 2");
        let is_in = |micros: i64| at(&query, &[TIMES], micros) == "1";
        if let Some(first) = first {
            assert!(is_in(first) && !is_in(first - 1), "{condition}");
        }
        if let Some(last) = last {
            assert!(is_in(last) && !is_in(last + 1), "{condition}");
        }
        assert!(first.is_some() || is_in(-100 * SECOND), "{condition}");
        assert!(last.is_some() || is_in(4_000_000 * SECOND), "{condition}");
    }
}

#[test]
fn days_change_at_midnight() {
    const DAY: i64 = 86_400 * SECOND;
    let rows = ("z", "(1, '1970-01-05 12:00:00Z', '1970-01-05')");
    for (condition, first, last) in [
        ("d = current_date", Some(4 * DAY), Some(5 * DAY - 1)),
        ("d >= current_date - 2", None, Some(7 * DAY - 1)),
        ("d > current_date - 2", None, Some(6 * DAY - 1)),
        ("d < current_date", Some(5 * DAY), None),
        ("d <= current_date", Some(4 * DAY), None),
        ("ts >= current_date", None, Some(5 * DAY - 1)),
        ("ts > current_date - INTERVAL '1' DAY", None, Some(6 * DAY - 1)),
        ("ts < current_date", Some(5 * DAY), None),
        ("CAST(ts AS DATE) = CAST(now() AS DATE)", Some(4 * DAY), Some(5 * DAY - 1)),
        ("CAST(now() - INTERVAL '1' HOUR AS DATE) > d", Some(5 * DAY + 3_600 * SECOND), None),
        ("now() > d", Some(4 * DAY + 1), None),
    ] {
        let query = format!("SELECT k FROM z WHERE {condition}");
        let is_in = |micros: i64| at(&query, &[rows], micros) == "1";
        if let Some(first) = first {
            assert!(is_in(first) && !is_in(first - 1), "{condition}");
        }
        if let Some(last) = last {
            assert!(is_in(last) && !is_in(last + 1), "{condition}");
        }
        assert!(first.is_some() || is_in(-10 * DAY), "{condition}");
        assert!(last.is_some() || is_in(100 * DAY), "{condition}");
    }
    // At midnight itself.
    let midnight = ("z", "(1, '1970-01-05 00:00:00Z', '1970-01-05')");
    assert_eq!(at("SELECT k FROM z WHERE ts >= current_date", &[midnight], 5 * DAY - 1), "1");
    assert_eq!(at("SELECT k FROM z WHERE ts >= current_date", &[midnight], 5 * DAY), "");
    assert_eq!(at("SELECT k FROM z WHERE ts < current_date", &[midnight], 5 * DAY - 1), "");
}

#[test]
fn flags_stand_wherever_a_condition_can() {
    let tables = &[TIMES];
    let at_15 = 15 * SECOND;
    assert_eq!(at("SELECT k, ts <= now() AS past FROM t", tables, at_15), "1, true | 2, false | 3, NULL");
    assert_eq!(at("SELECT k FROM t WHERE (ts <= now()) IS NULL OR k = 2", tables, at_15), "2 | 3");
    assert_eq!(at("SELECT count(*) FILTER (WHERE ts <= now()) AS past, count(*) AS n FROM t", tables, at_15), "1, 3");
    assert_eq!(at("SELECT sum(CASE WHEN ts > now() THEN k ELSE 100 END) AS s FROM t", tables, at_15), "202");
    assert_eq!(
        at("SELECT ts > now() AS later, count(*) AS n FROM t GROUP BY ts > now()", tables, at_15),
        "NULL, 1 | false, 1 | true, 1"
    );
    assert_eq!(at("SELECT k FROM t GROUP BY k HAVING max(ts) < now()", tables, at_15), "1");
    // Two spans of one row, and one that is used twice.
    assert_eq!(
        at(
            "SELECT k FROM span WHERE begins <= now() AND now() < ends",
            &[("span", "(1, '1970-01-01 00:00:10', '1970-01-01 00:00:15'), (2, '1970-01-01 00:00:10', '1970-01-01 00:00:16')")],
            at_15
        ),
        "2"
    );
    let twice = "SELECT ts < now() AS a, NOT (now() > ts) AS b FROM t WHERE k = 1";
    assert_eq!(at(twice, tables, at_15), "true, false");
    let flags = |query: &str| {
        let circuit = with_view(query).relation("v").unwrap().circuit.clone().unwrap();
        circuit.nodes.iter().filter(|node| matches!(node.operator, Operator::TemporalFilter { .. })).count()
    };
    assert_eq!(flags(twice), 1);
    // A row that is filtered out is not kept for the clock.
    assert_eq!(flags("SELECT k FROM span WHERE begins <= now() AND now() < ends AND k = 1"), 1);
}

#[test]
fn conditions_of_joins() {
    let tables = &[
        TIMES,
        ("span", "(1, '1970-01-01 00:00:12', '1970-01-01 00:00:30'), (2, '1970-01-01 00:00:01', '1970-01-01 00:00:02')"),
    ];
    let query = "SELECT t.k FROM t JOIN span ON t.k = span.k AND t.ts < now() AND span.begins < now()";
    assert_eq!(at(query, tables, 11 * SECOND), "");
    assert_eq!(at(query, tables, 13 * SECOND), "1");
    // Over columns of both sides.
    let query = "SELECT t.k FROM t JOIN span ON t.k = span.k AND t.ts + (span.ends - span.begins) > now()";
    assert_eq!(at(query, tables, 20 * SECOND), "1 | 2");
    assert_eq!(at(query, tables, 21 * SECOND), "1");
    // The row beside NULLs of a left join stays.
    let query = "SELECT t.k, s.k AS s FROM t LEFT JOIN (SELECT k FROM span WHERE ends > now()) AS s ON t.k = s.k";
    assert_eq!(at(query, tables, 20 * SECOND), "1, 1 | 2, NULL | 3, NULL");
}

#[test]
fn first_rows_and_unions() {
    let query = "SELECT k FROM (SELECT k, ts, row_number() OVER (ORDER BY ts DESC) AS n FROM t WHERE ts <= now()) AS x WHERE n <= 1 AND ts > now() - INTERVAL '1' MINUTE";
    assert_eq!(at(query, &[TIMES], 15 * SECOND), "1");
    assert_eq!(at(query, &[TIMES], 25 * SECOND), "2");
    assert_eq!(at(query, &[TIMES], 85 * SECOND), "");
    let union = "SELECT k FROM t WHERE ts <= now() UNION ALL SELECT k FROM t WHERE ts > now()";
    assert_eq!(at(union, &[TIMES], 15 * SECOND), "1 | 2");
}

fn refused(marked: &str) -> SqlError {
    let sql = format!("CREATE MATERIALIZED VIEW v AS {}", marked.replace('^', ""));
    let error = apply(&mut catalog_of(SOURCES), &sql).map(|_| panic!("{sql} was accepted")).unwrap_err();
    let (before, _) = marked.split_once('^').unwrap();
    assert_eq!((error.line, error.column), (1, 31 + before.chars().count()), "{marked}: {error}");
    error
}

#[test]
fn what_time_cannot_do_is_refused() {
    for (marked, part) in [
        ("SELECT k, ^now() AS n FROM t", "cannot be shown"),
        ("SELECT k FROM t WHERE ts = ^now()", "<, <=, >, >="),
        ("SELECT k FROM t WHERE ts <> ^now()", "<, <=, >, >="),
        ("SELECT k FROM t WHERE ts > ^now() - INTERVAL '1' MONTH", "months"),
        ("SELECT k FROM span WHERE begins > ^now() - (ends - begins)", "must be a constant"),
        ("SELECT k FROM t WHERE date_trunc('hour', ^now()) = ts", "cannot be undone"),
        ("SELECT k FROM t WHERE ^now() - ts > now() - ts", "both sides"),
        ("SELECT max(^now() - ts) AS m FROM t", "cannot be shown"),
        ("SELECT t.k FROM t LEFT JOIN span ON t.k = span.k AND t.ts + (span.ends - span.begins) > ^now()", "outer join"),
        ("SELECT k FROM t ORDER BY ^now() - ts LIMIT 3", ""),
        ("SELECT ^current_date AS d FROM t", "cannot be shown"),
        ("SELECT ^LOCALTIMESTAMP AS d", "cannot be shown"),
    ] {
        let error = refused(marked);
        assert_eq!(error.code, "DT1011", "{marked}: {error}");
        assert!(error.to_string().contains(part), "{marked}: {error}");
        assert!(error.hint.is_some(), "{error}");
    }
    assert_eq!(refused("SELECT k FROM t WHERE ts > ^now(3)").code, "DT1009");
    // A default is computed when a row is written, which is not now.
    assert_eq!(apply(&mut Catalog::new(), "CREATE TABLE x (a TIMESTAMP DEFAULT now())").unwrap_err().code, "DT1011");
}

#[test]
fn in_a_statement_it_is_a_constant() {
    let mut catalog = catalog_of(SOURCES);
    let rows = |catalog: &Catalog, sql: &str| {
        let planned = plan_query(catalog, &query(sql), &|| 15 * SECOND).unwrap_or_else(|error| panic!("{sql}: {error}"));
        assert!(!planned.circuit.is_timed(), "{sql}");
        meaning::rows(catalog, &planned.circuit, &[TIMES]).join(" | ")
    };
    assert_eq!(rows(&catalog, "SELECT CAST(now() AS TIMESTAMP), current_date, localtimestamp"), "00:00:15, 1970-01-01, 00:00:15");
    assert_eq!(rows(&catalog, "SELECT k FROM t WHERE ts > now()"), "2");
    assert_eq!(
        rows(&catalog, "SELECT k, now() - ts FROM t WHERE date_trunc('minute', now()) < ts AND k = 1").split(',').next(),
        Some("1")
    );
    // In a plain view it is what the query that names the view makes of it.
    apply(&mut catalog, "CREATE VIEW p AS SELECT k, ts, ts <= now() AS past, now() AS at FROM t").unwrap();
    assert_eq!(rows(&catalog, "SELECT k, past FROM p"), "1, true | 2, false | 3, NULL");
    apply(&mut catalog, "CREATE MATERIALIZED VIEW m AS SELECT k, past FROM p").unwrap();
    assert_eq!(apply(&mut catalog, "CREATE MATERIALIZED VIEW n AS SELECT k, at FROM p").unwrap_err().code, "DT1011");
    let Statement::Delete(delete) = parse("DELETE FROM t WHERE ts < now()").unwrap().remove(0).statement else { panic!() };
    let circuit = plan_delete(&catalog, &delete, &|| 15 * SECOND).unwrap();
    assert_eq!(meaning::rows(&catalog, &circuit, &[TIMES]), ["1, 00:00:10"]);
    // Who does not read the clock does not ask for it.
    plan_query(&catalog, &query("SELECT k FROM t"), &|| panic!("asked")).unwrap();
}
