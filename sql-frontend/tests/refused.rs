//! What planning refuses: by its name, with a code and a place. The list is that of what DataFusion would plan, ignore or fail on later, so
//! each line is a clause that must not slip through the allow-lists.

#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use common::{catalog, plan_error};

#[test]
fn what_is_not_supported_is_refused_by_name() {
    let catalog = catalog();
    for (marked, part) in [
        // Subqueries.
        ("SELECT a FROM t WHERE ^a ~ ANY (SELECT c FROM u)", "the operator ~ with ANY"),
        ("^SELECT a FROM t GROUP BY a HAVING EXISTS (SELECT 1 FROM u WHERE u.a = t.b)", "GROUP BY"),
        ("SELECT * FROM t, LATERAL (^SELECT a FROM u WHERE u.a = t.a)", "without an alias"),
        // Windows.
        ("SELECT a, ^first_value(DISTINCT b) OVER (PARTITION BY a) FROM t", "DISTINCT in a window function"),
        ("SELECT a, ^rank() FILTER (WHERE a > 1) OVER (ORDER BY b) FROM t", "FILTER of a window function"),
        ("SELECT a, ^sum(b) IGNORE NULLS OVER (ORDER BY b) FROM t", "IGNORE NULLS"),
        ("SELECT a, ^abs(b) OVER (PARTITION BY a) FROM t", "abs with OVER"),
        ("^SELECT a, sum(b) OVER (ORDER BY s RANGE 1 PRECEDING) FROM t", "RANGE with an offset"),
        // Set operations, grouping sets.
        ("SELECT a FROM t INTERSECT BY NAME ^SELECT a FROM u", "INTERSECT BY NAME"),
        ("SELECT a FROM t EXCEPT BY NAME ^SELECT a FROM u", "EXCEPT BY NAME"),
        ("^SELECT a, count(*) FROM t GROUP BY a WITH TOTALS", "WITH TOTALS"),
        ("SELECT count(*) FROM t GROUP BY ^TUMBLE(ts, INTERVAL '1' MINUTE), ROLLUP (a)", "a window beside grouping sets"),
        // FROM.
        ("SELECT * FROM UNNEST(ARRAY[1, 2]) WITH OFFSET", "WITH OFFSET"),
        ("SELECT ^unnest(ARRAY[1], ARRAY[2])", "UNNEST of several lists"),
        ("SELECT a FROM ^t TABLESAMPLE (10)", "TABLESAMPLE"),
        ("SELECT a FROM ^t FOR SYSTEM_TIME AS OF '2020-01-01'", "FOR SYSTEM_TIME"),
        ("SELECT * FROM ^tumbel(t, ts, INTERVAL '1' MINUTE)", "TUMBEL"),
        ("SELECT * FROM ^t PIVOT (sum(a) FOR b IN (ANY))", "values that are not listed"),
        ("SELECT * FROM ^public.t", "schema"),
        // The rest of SELECT.
        ("SELECT a FROM t ORDER BY a FETCH FIRST 3 PERCENT ROWS ONLY", "PERCENT"),
        ("SELECT a FROM t LIMIT 2 BY a", "LIMIT BY"),
        ("SELECT a FROM t FOR UPDATE", "FOR UPDATE"),
        ("SELECT a INTO x FROM t", "SELECT INTO"),
        ("SELECT ^* ILIKE 'a%', * FROM t", "beside another"),
        // Functions and expressions.
        ("SELECT abs(a ORDER BY b) FROM t", "ORDER BY b in a call"),
        ("SELECT ^abs(a) WITHIN GROUP (ORDER BY b) FROM t", "WITHIN GROUP"),
        ("SELECT array_agg(a LIMIT 2) FROM t", "LIMIT 2 in a call"),
        ("SELECT ceil(a, 2) FROM t", "CEIL"),
        ("SELECT a FROM t WHERE a = ^$1", "$1"),
        ("SELECT arrow_cast(ts, 'Timestamp(us, \"Europe/Berlin\")') FROM t", "Europe/Berlin"),
        ("SELECT CAST(s AS TIMESTAMP(3)) FROM t", "TIMESTAMP(3)"),
    ] {
        let error = plan_error(&catalog, marked);
        assert_eq!(error.code, "DT1009", "{marked}: {error}");
        assert!(error.to_string().contains(part), "{marked}: {error}");
    }
}

#[test]
fn impure_functions_are_refused_by_name() {
    let catalog = catalog();
    for (marked, part) in [
        ("SELECT a, ^random() AS r FROM t", "random"),
        ("SELECT ^current_time FROM t", "current_time"),
        ("SELECT ^uuid() FROM t", "uuid"),
    ] {
        let error = plan_error(&catalog, marked);
        assert_eq!(error.code, "DT1011", "{marked}: {error}");
        assert!(error.message.contains(part), "{marked}: {error}");
    }
}

#[test]
fn names_have_a_place_and_a_suggestion() {
    let catalog = catalog();
    for (marked, code, part) in [
        ("SELECT a FROM ^tt", "DT1002", "did you mean t?"),
        ("SELECT 1,\n  ^aa FROM t", "DT1003", "did you mean a?"),
        ("SELECT t.a FROM t WHERE ^t.aa = 1", "DT1003", "did you mean a?"),
        ("SELECT a FROM t ORDER BY ^zzz", "DT1003", "zzz"),
        ("SELECT ^uper(s) FROM t", "DT1004", "did you mean upper?"),
        ("SELECT ^a FROM t JOIN u ON t.a = u.a", "DT1012", "ambiguous"),
        ("SELECT a, ^b FROM t GROUP BY a", "DT1016", "column t.b is neither in GROUP BY"),
        ("SELECT a FROM t LIMIT ^a", "DT1016", "LIMIT must be"),
        ("SELECT ^count() FROM t", "DT1016", "one argument"),
        ("SELECT a FROM t WHERE sum(a) > 1", "DT1016", ""),
        ("SELECT a FROM t WHERE b AND a", "DT1010", ""),
        ("SELECT a + true FROM t", "DT1010", ""),
    ] {
        let error = plan_error(&catalog, marked);
        assert_eq!(error.code, code, "{marked}: {error}");
        assert!(error.to_string().contains(part), "{marked}: {error}");
    }
}
