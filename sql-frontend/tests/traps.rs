//! The traps of the planner below us, each closed by name. Where the shape of the circuit does not tell, the reference interpreter says
//! what it computes: these tests catch a plan that means something else, not an operator that is wrong.

#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray};
use common::{apply, catalog, catalog_of, circuit, plan, plan_error, query};
use deltic_circuit::{Circuit, interpreter, render_row};
use deltic_sql::{Catalog, Statement, parse, plan_delete, plan_insert, plan_query, plan_update};
use deltic_zset::ZBatch;

/// The rows of a circuit over `sources`, as sorted text with weights, then its errors.
fn rows(circuit: &Circuit, sources: &[(&str, ZBatch)]) -> Vec<String> {
    let sources: HashMap<String, ZBatch> = sources.iter().map(|(name, rows)| (name.to_string(), rows.clone())).collect();
    let result = interpreter::evaluate(circuit, &sources).unwrap();
    let text = |batch: &ZBatch| -> Vec<String> {
        let values = |row| render_row(batch, row).trim_start_matches('(').trim_end_matches(')').to_string();
        (0..batch.len()).map(|row| format!("{} x{}", values(row), batch.weight(row))).collect()
    };
    let mut rows = text(&result.rows);
    rows.extend(text(&result.errors).into_iter().map(|error| format!("error {error}")));
    rows.sort();
    rows
}

fn batch(catalog: &Catalog, relation: &str, columns: Vec<ArrayRef>) -> ZBatch {
    let schema = catalog.relation(relation).unwrap().schema.clone();
    ZBatch::from_record_batch(&RecordBatch::try_new(schema, columns).unwrap())
}

fn two_columns() -> Catalog {
    catalog_of("CREATE TABLE l (a BIGINT, b BIGINT); CREATE TABLE r (a BIGINT, b BIGINT)")
}

type Pair = (Option<i64>, Option<i64>);

fn pairs(catalog: &Catalog, relation: &str, rows: &[Pair]) -> ZBatch {
    let column = |get: fn(&Pair) -> Option<i64>| Arc::new(rows.iter().map(get).collect::<Int64Array>()) as ArrayRef;
    batch(catalog, relation, vec![column(|row| row.0), column(|row| row.1)])
}

#[test]
fn w4_tablesample_and_system_time_are_not_ignored() {
    let catalog = catalog();
    assert!(plan_error(&catalog, "SELECT a FROM ^t TABLESAMPLE (10)").message.contains("TABLESAMPLE"));
    assert!(plan_error(&catalog, "SELECT a FROM ^t FOR SYSTEM_TIME AS OF '2020-01-01'").message.contains("SYSTEM_TIME"));
}

#[test]
fn w5_is_not_distinct_from_binds_tighter_than_and() {
    let catalog = two_columns();
    let planned = plan(&catalog, "SELECT a FROM l WHERE a IS NOT DISTINCT FROM b AND b = 1 OR a IS DISTINCT FROM 5 AND b = 2");
    let l = pairs(&catalog, "l", &[(Some(1), Some(1)), (None, None), (Some(3), Some(2)), (Some(5), Some(2))]);
    assert_eq!(rows(&planned.circuit, &[("l", l)]), ["1 x1", "3 x1"]);
}

#[test]
fn null_safe_conditions_become_null_safe_keys() {
    let catalog = two_columns();
    let text = circuit(&catalog, "SELECT l.a, r.b FROM l JOIN r ON l.a = r.a AND l.b IS NOT DISTINCT FROM r.b");
    let planned = plan(&catalog, "SELECT l.a, l.b, r.a, r.b FROM l FULL JOIN r ON l.a = r.a AND r.b IS NOT DISTINCT FROM l.b");
    let l = pairs(&catalog, "l", &[(Some(1), None), (None, None)]);
    let r = pairs(&catalog, "r", &[(Some(1), None), (None, None)]);
    assert_eq!(rows(&planned.circuit, &[("l", l), ("r", r)]), ["1, NULL, 1, NULL x1", "NULL, NULL, NULL, NULL x2"], "{text}");
    assert!(!text.contains("residual"), "{text}");
}

#[test]
fn duplicate_and_unnamed_items_are_planned() {
    let catalog = catalog();
    let names = |sql: &str| -> Vec<String> {
        plan(&catalog, sql).circuit.schema().fields().iter().map(|field| field.name().clone()).collect()
    };
    assert_eq!(names("SELECT a, a FROM t"), ["a", "a"]);
    assert_eq!(names("SELECT sum(b), sum(b), sum(a) FROM t"), ["sum", "sum", "sum"]);
    assert_eq!(names("SELECT CAST(s AS INT), TRY_CAST(s AS INT), s::BIGINT FROM t"), ["s", "s", "s"]);
    assert_eq!(names("SELECT CAST(1 AS BIGINT), CAST(1 AS INT), 1 FROM t"), ["bigint", "int", "column3"]);
    assert_eq!(names("SELECT *, a + 1, f FROM t").last().unwrap(), "f");
    assert_eq!(names("SELECT t.a, u.a FROM t JOIN u ON t.a = u.a"), ["a", "a"]);
    assert_eq!(names("SELECT count(*) FROM t HAVING count(*) > 1"), ["count"]);
    assert_eq!(names("VALUES (1, 2)"), ["column1", "column2"]);
}

#[test]
fn a_thousand_or_terms_and_a_long_in_list_are_planned() {
    let catalog = catalog();
    let terms: Vec<String> = (0..5_000).map(|value| format!("a = {value} AND b > {value}")).collect();
    plan(&catalog, &format!("SELECT a FROM t WHERE {}", terms.join(" OR ")));
    let list: Vec<String> = (0..5_000).map(|value| value.to_string()).collect();
    plan(&catalog, &format!("SELECT a FROM t WHERE a IN ({}) OR b NOT IN (1, NULL)", list.join(", ")));
}

#[test]
fn a_cte_used_twice_is_computed_once() {
    let catalog = catalog();
    let planned = plan(
        &catalog,
        "WITH x AS (SELECT a, count(*) AS n FROM t GROUP BY a) SELECT p.a, q.n FROM x AS p JOIN x AS q ON p.a = q.a",
    );
    let aggregates =
        planned.circuit.nodes.iter().filter(|node| matches!(node.operator, deltic_circuit::Operator::Aggregate { .. })).count();
    assert_eq!(aggregates, 1, "{}", deltic_circuit::explain::text(&planned.circuit));
}

#[test]
fn averages_of_integers_are_summed_exactly() {
    let catalog = two_columns();
    let planned = plan(&catalog, "SELECT avg(a), sum(a), avg(a) FILTER (WHERE b = 1) FROM l");
    let big = 9_007_199_254_740_993; // 2^53 + 1 is no double
    let l = pairs(&catalog, "l", &[(Some(big), Some(1)), (Some(-big + 2), Some(2))]);
    assert_eq!(rows(&planned.circuit, &[("l", l)]), ["1.0, 2, 9007199254740992.0 x1"]);
}

#[test]
fn constants_are_folded_by_the_evaluator_of_rows() {
    let catalog = catalog_of("CREATE TABLE one (a BIGINT)");
    let one = || batch(&catalog, "one", vec![Arc::new(Int64Array::from(vec![1]))]);
    // DataFusion would truncate the cast, wrap the sum, and refuse the division while planning.
    let planned = plan(&catalog, "SELECT CAST(2.7 AS INT), CAST(-2.5 AS BIGINT) FROM one");
    assert_eq!(rows(&planned.circuit, &[("one", one())]), ["3, -3 x1"]);
    for sql in ["SELECT 9223372036854775807 + 1 FROM one", "SELECT 1 / 0 FROM one", "SELECT CAST(300 AS TINYINT) FROM one"] {
        let errors = rows(&plan(&catalog, sql).circuit, &[("one", one())]);
        assert!(errors.len() == 1 && errors[0].starts_with("error"), "{sql}: {errors:?}");
    }
    let planned = plan(&catalog, "SELECT a FROM one WHERE a = 1 OR 1 / 0 = 1");
    assert_eq!(rows(&planned.circuit, &[("one", one())]), ["1 x1"]);
}

#[test]
fn first_rows_of_partitions_are_a_top_k() {
    let catalog = two_columns();
    let numbered = "SELECT a, b, row_number() OVER (PARTITION BY a ORDER BY b DESC) AS n FROM l";
    let l = || {
        pairs(&catalog, "l", &[(Some(1), Some(10)), (Some(1), Some(20)), (Some(1), Some(30)), (Some(2), Some(5)), (None, None)])
    };
    for (condition, expected) in [
        ("n <= 1", vec!["1, 30 x1", "2, 5 x1", "NULL, NULL x1"]),
        ("n < 2", vec!["1, 30 x1", "2, 5 x1", "NULL, NULL x1"]),
        ("n = 1", vec!["1, 30 x1", "2, 5 x1", "NULL, NULL x1"]),
        ("2 > n AND a = 1", vec!["1, 30 x1"]),
        ("n = 2", vec!["1, 20 x1"]),
        ("n BETWEEN 2 AND 3", vec!["1, 10 x1", "1, 20 x1"]),
        ("n <= 3 AND b < 30", vec!["1, 10 x1", "1, 20 x1", "2, 5 x1"]),
    ] {
        let planned = plan(&catalog, &format!("SELECT a, b FROM ({numbered}) AS x WHERE {condition}"));
        assert_eq!(rows(&planned.circuit, &[("l", l())]), expected, "{condition}");
    }
    let planned = plan(&catalog, &format!("SELECT * FROM ({numbered}) AS x WHERE n <= 2"));
    assert_eq!(rows(&planned.circuit, &[("l", l())]), ["1, 20, 2 x1", "1, 30, 1 x1", "2, 5, 1 x1", "NULL, NULL, 1 x1"]);
    let text = circuit(&catalog, &format!("SELECT a FROM ({numbered}) AS x WHERE n <= 2"));
    assert!(!text.to_lowercase().contains("number"), "nobody reads the number: {text}");
}

#[test]
fn limits_and_orders() {
    let catalog = two_columns();
    let l = || pairs(&catalog, "l", &[(Some(1), Some(30)), (Some(2), Some(20)), (Some(3), Some(10)), (Some(3), None)]);
    for (sql, expected) in [
        ("SELECT a FROM l ORDER BY b LIMIT 2", vec!["2, 20 x1", "3, 10 x1"]),
        ("SELECT a FROM l ORDER BY b DESC LIMIT 1", vec!["3, NULL x1"]),
        ("SELECT a FROM l ORDER BY a + b OFFSET 3", vec!["3, NULL x1"]),
        ("SELECT b FROM l LIMIT 1", vec!["10 x1"]),
        ("SELECT a FROM (SELECT a, b FROM l ORDER BY b LIMIT 1) AS x", vec!["3 x1"]),
        ("SELECT count(*) FROM (SELECT a FROM l ORDER BY a) AS x", vec!["4 x1"]),
        ("SELECT a, b FROM l ORDER BY a DESC, b LIMIT 2 OFFSET 1", vec!["2, 20 x1", "3, NULL x1"]),
    ] {
        assert_eq!(rows(&plan(&catalog, sql).circuit, &[("l", l())]), expected, "{sql}");
    }
    let planned = plan(&catalog, "SELECT a AS x FROM l ORDER BY b DESC, x");
    assert_eq!((planned.hidden, planned.order.len()), (1, 2));
    assert_eq!((planned.order[0].column, planned.order[0].descending, planned.order[0].nulls_first), (1, true, true));
    assert_eq!((planned.order[1].column, planned.order[1].descending, planned.order[1].nulls_first), (0, false, false));
}

#[test]
fn outer_joins_keep_their_residual_conditions() {
    let catalog = two_columns();
    let l = || pairs(&catalog, "l", &[(Some(1), Some(1)), (Some(2), Some(1)), (None, Some(9))]);
    let r = || pairs(&catalog, "r", &[(Some(1), Some(2)), (Some(2), Some(0)), (Some(4), Some(4))]);
    for (sql, expected) in [
        ("SELECT l.a, r.a FROM l LEFT JOIN r ON l.a = r.a AND l.b < r.b", vec!["1, 1 x1", "2, NULL x1", "NULL, NULL x1"]),
        ("SELECT l.a, r.a FROM l RIGHT JOIN r ON l.a = r.a", vec!["1, 1 x1", "2, 2 x1", "NULL, 4 x1"]),
        (
            "SELECT l.a, r.a FROM l FULL JOIN r ON l.a + 1 = r.a",
            vec!["1, 2 x1", "2, NULL x1", "NULL, 1 x1", "NULL, 4 x1", "NULL, NULL x1"],
        ),
        ("SELECT count(*) FROM l CROSS JOIN r", vec!["9 x1"]),
        ("SELECT a, l.b FROM l JOIN r USING (a) WHERE r.b > 1", vec!["1, 1 x1"]),
        ("SELECT l.b FROM l, r WHERE l.a = r.a AND l.b < r.b", vec!["1 x1"]),
    ] {
        assert_eq!(rows(&plan(&catalog, sql).circuit, &[("l", l()), ("r", r())]), expected, "{sql}");
    }
}

#[test]
fn expressions_mean_what_postgres_says() {
    let catalog = catalog_of("CREATE TABLE x (a BIGINT, i INT, f DOUBLE, s TEXT, ok BOOLEAN)");
    let x = || {
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from(vec![Some(7)])),
            Arc::new(Int32Array::from(vec![None])),
            Arc::new(Float64Array::from(vec![0.0])),
            Arc::new(StringArray::from(vec!["Abc"])),
            Arc::new(BooleanArray::from(vec![None])),
        ];
        batch(&catalog, "x", columns)
    };
    for (expr, expected) in [
        ("CASE a WHEN 7 THEN 'seven' WHEN 8 THEN 'eight' END", "'seven'"),
        ("CASE WHEN ok THEN 1 ELSE 2 END", "2"),
        ("ok IS TRUE OR ok IS NOT UNKNOWN", "false"),
        ("a BETWEEN 1 AND 7 AND a NOT BETWEEN 8 AND 9", "true"),
        ("a IN (1, NULL)", "NULL"),
        ("a NOT IN (7, NULL)", "false"),
        ("a IN (1, a)", "true"),
        ("coalesce(i, a, 0)", "7"),
        ("nullif(a, 7)", "NULL"),
        ("nullif(a, 8)", "7"),
        ("s LIKE 'A_c' AND s ILIKE 'a%' AND s NOT LIKE 'b%'", "true"),
        ("s ~ '^A' AND s !~* '^b'", "true"),
        ("mod(a, 4) + a % 4", "6"),
        ("upper(s) || '-' || a", "'ABC-7'"),
        ("substring(s FROM 2 FOR 1) || trim('  x ') || position('c' IN s)", "'bx3'"),
        ("CAST('12' AS INT) + CAST(s || 'd' AS VARCHAR(2))::VARCHAR = '12Ab'", ""),
        ("CAST(s AS VARCHAR(2))", "'Ab'"),
        ("extract(year FROM DATE '2024-02-29') + date_part('hour', TIMESTAMP '2024-02-29 13:00:00')", "2037"),
        ("DATE '2024-01-31' + INTERVAL '1 month' = TIMESTAMP '2024-02-29 00:00:00'", "true"),
        ("date_bin(INTERVAL '10' SECOND, TIMESTAMP '1969-12-31 23:59:59') = TIMESTAMP '1969-12-31 23:59:50'", "true"),
        ("f > 1.5 OR f IN (2.5, 0.0) AND f BETWEEN -0.5 AND 0.5", "true"),
        ("coalesce(f / 0.0, 1.5) + CASE WHEN a = 7 THEN f ELSE 0.5 END", "NaN"),
        ("1.5e3 = 1500 AND 12.5e-1 = 1.25 AND 1E3 = 1000.0", "true"),
        ("date_bin(INTERVAL '1 day', TIMESTAMPTZ '2024-02-29 13:00:00+02') = TIMESTAMPTZ '2024-02-29 00:00:00+00'", "true"),
        ("date_bin(INTERVAL '1 week', TIMESTAMP '2024-02-29 13:00:00', TIMESTAMP '2024-01-01') = TIMESTAMP '2024-02-26 00:00:00'", "true"),
        ("sign(a)", "1.0"),
        ("NULL", "NULL"),
        ("NULL = 1", "NULL"),
        ("f = 0.0", "true"),
        ("0.1 + 0.2 = 0.3", "true"),
    ]
    .into_iter()
    .filter(|(_, expected)| !expected.is_empty())
    {
        assert_eq!(rows(&plan(&catalog, &format!("SELECT {expr} FROM x")).circuit, &[("x", x())]), [format!("{expected} x1")], "{expr}");
    }
}

#[test]
fn aggregates_with_distinct_filter_and_having() {
    let catalog = two_columns();
    let l =
        || pairs(&catalog, "l", &[(Some(1), Some(3)), (Some(1), Some(3)), (Some(1), None), (Some(2), Some(5)), (None, Some(1))]);
    for (sql, expected) in [
        (
            "SELECT a, count(*), count(b), count(DISTINCT b), sum(b), sum(DISTINCT b) FROM l GROUP BY a",
            vec!["1, 3, 2, 1, 6, 3 x1", "2, 1, 1, 1, 5, 5 x1", "NULL, 1, 1, 1, 1, 1 x1"],
        ),
        ("SELECT a FROM l GROUP BY a HAVING count(*) > 1", vec!["1 x1"]),
        (
            "SELECT a + 1 AS k, max(b * 2) FILTER (WHERE b > 3) FROM l GROUP BY a + 1",
            vec!["2, NULL x1", "3, 10 x1", "NULL, NULL x1"],
        ),
        ("SELECT DISTINCT a FROM l", vec!["1 x1", "2 x1", "NULL x1"]),
        ("SELECT a FROM l GROUP BY 1", vec!["1 x1", "2 x1", "NULL x1"]),
        ("SELECT a FROM l UNION SELECT 2", vec!["1 x1", "2 x1", "NULL x1"]),
        ("SELECT a FROM l UNION ALL SELECT b FROM l", vec!["1 x4", "2 x1", "3 x2", "5 x1", "NULL x2"]),
        ("SELECT a FROM l WHERE a = 1 UNION ALL SELECT 1.5", vec!["1.0 x3", "1.5 x1"]),
        ("SELECT CAST(1e20 AS DOUBLE) UNION ALL SELECT 0.5", vec!["0.5 x1", "1e20 x1"]),
        ("SELECT count(*), sum(a) FROM l WHERE a > 100", vec!["0, NULL x1"]),
        ("SELECT count(*) FROM l GROUP BY 'x'", vec!["5 x1"]),
        ("SELECT min(a), max(b), avg(b) FROM l WHERE a = 1", vec!["1, 3, 3.0 x1"]),
    ] {
        assert_eq!(rows(&plan(&catalog, sql).circuit, &[("l", l())]), expected, "{sql}");
    }
}

#[test]
fn changes_are_queries_for_rows() {
    let mut catalog = catalog_of("CREATE TABLE t (k BIGINT PRIMARY KEY, name VARCHAR(3) DEFAULT 'new', ts TIMESTAMP)");
    apply(&mut catalog, "CREATE STREAM e (k INT); CREATE VIEW v AS SELECT k FROM t").unwrap();
    let t = || {
        let names = StringArray::from(vec![Some("a"), Some("b")]);
        let times = arrow::array::TimestampMicrosecondArray::from(vec![None, Some(0)]);
        batch(&catalog, "t", vec![Arc::new(Int64Array::from(vec![1, 2])), Arc::new(names), Arc::new(times)])
    };
    let circuit = |sql: &str| match parse(sql).unwrap().remove(0).statement {
        Statement::Insert(insert) => plan_insert(&catalog, &insert, &|| 0),
        Statement::Update(update) => plan_update(&catalog, &update, &|| 0),
        Statement::Delete(delete) => plan_delete(&catalog, &delete, &|| 0),
        other => panic!("{other:?}"),
    };
    for (sql, expected) in [
        (
            "INSERT INTO t VALUES (1, 'x', '1970-01-01 00:00:01'), (2, DEFAULT, NULL)",
            vec!["1, 'x', 1970-01-01 00:00:01 x1", "2, 'new', NULL x1"],
        ),
        ("INSERT INTO t (ts, k) VALUES (NULL, '7')", vec!["7, 'new', NULL x1"]),
        ("INSERT INTO t DEFAULT VALUES", vec!["NULL, 'new', NULL x1"]),
        ("INSERT INTO t (k, name) SELECT k + 10, NULL FROM t", vec!["11, NULL, NULL x1", "12, NULL, NULL x1"]),
        ("INSERT INTO t VALUES (1, 'ab   ', NULL)", vec!["1, 'ab ', NULL x1"]),
        ("INSERT INTO e VALUES (1.5)", vec!["2 x1"]),
        (
            "UPDATE t SET k = k * 2, name = DEFAULT WHERE name = 'b'",
            vec!["2, 'b', 1970-01-01 00:00:00, 4, 'new', 1970-01-01 00:00:00 x1"],
        ),
        ("UPDATE t AS x SET ts = NULL WHERE x.k = 2", vec!["2, 'b', 1970-01-01 00:00:00, 2, 'b', NULL x1"]),
        ("DELETE FROM t WHERE k > 1", vec!["2, 'b', 1970-01-01 00:00:00 x1"]),
    ] {
        let circuit = circuit(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
        assert_eq!(rows(&circuit, &[("t", t())]), expected, "{sql}");
    }
    let too_long = rows(&circuit("INSERT INTO t VALUES (1, 'long', NULL)").unwrap(), &[]);
    assert!(too_long[0].contains("too long for type VARCHAR(3)"), "{too_long:?}");
    for (sql, code, part) in [
        ("INSERT INTO t VALUES (1)", "DT1016", "3 values are needed for t, not 1"),
        ("INSERT INTO t (k, nam) VALUES (1, 'x')", "DT1003", "did you mean name?"),
        ("INSERT INTO t (k, k) VALUES (1, 2)", "DT1008", "more than once"),
        ("INSERT INTO v VALUES (1)", "DT1013", "view"),
        ("INSERT INTO t (k) VALUES ('x')", "DT1016", "x"),
        ("INSERT INTO t SELECT 1, 2", "DT1016", "3 values"),
        ("UPDATE t SET nam = 'x'", "DT1003", "did you mean name?"),
        ("UPDATE t SET name = 'x', name = 'y'", "DT1008", "more than once"),
        ("UPDATE t SET name = nam", "DT1003", "nam"),
        ("UPDATE e SET k = 1", "DT1013", "stream"),
        ("DELETE FROM t WHERE random() > 1", "DT1011", "random"),
        ("DELETE FROM tt", "DT1002", "did you mean"),
    ] {
        let error = circuit(sql).expect_err(sql);
        assert_eq!(error.code, code, "{sql}: {error}");
        assert!(error.to_string().contains(part) && error.line > 0, "{sql}: {error}");
    }
}

#[test]
fn plain_views_are_inlined_and_materialized_ones_are_read() {
    let mut catalog = two_columns();
    apply(
        &mut catalog,
        "CREATE VIEW small (x) AS SELECT a FROM l WHERE a < 3 ORDER BY a;
         CREATE MATERIALIZED VIEW counts AS SELECT x, count(*) AS n FROM small GROUP BY x",
    )
    .unwrap();
    let l = pairs(&catalog, "l", &[(Some(1), None), (Some(5), None), (Some(1), None)]);
    assert_eq!(rows(&plan(&catalog, "SELECT x FROM small AS s WHERE s.x > 0").circuit, &[("l", l)]), ["1 x2"]);
    assert_eq!(plan(&catalog, "SELECT n FROM counts, small").circuit.sources(), ["counts", "l"]);
}

#[test]
fn a_panic_of_the_planner_is_an_error() {
    // Whatever it does, it must come back.
    let catalog = catalog();
    for sql in [
        "SELECT a[1] FROM t",
        "SELECT * FROM t AS x (p, q, r, s, t, u, v, w, x)",
        "SELECT 1 WHERE 'a'",
        "SELECT count() FROM t",
        "SELECT max(DISTINCT a, b) FROM t",
    ] {
        assert!(plan_query(&catalog, &query(sql), &|| 0).is_err(), "{sql}");
    }
}

#[test]
fn an_integer_beside_a_date_is_days() {
    let catalog = catalog_of("CREATE TABLE x (d DATE, n INT)");
    let planned = plan(&catalog, "SELECT d + 1, d - 2, d + n, n + d, d - n FROM x");
    let column = Arc::new(arrow::array::Date32Array::from(vec![10])) as ArrayRef;
    let x = batch(&catalog, "x", vec![column, Arc::new(Int32Array::from(vec![3]))]);
    assert_eq!(rows(&planned.circuit, &[("x", x)]), ["1970-01-12, 1970-01-09, 1970-01-14, 1970-01-14, 1970-01-08 x1"]);
}

#[test]
fn times_with_and_without_zone_have_a_difference() {
    let catalog = catalog();
    let planned = plan(&catalog, "SELECT CAST(TIMESTAMPTZ '2024-01-02 00:00:00Z' - TIMESTAMP '2024-01-01 12:00:00' AS TEXT)");
    assert!(!rows(&planned.circuit, &[]).join("").contains("error"));
}
