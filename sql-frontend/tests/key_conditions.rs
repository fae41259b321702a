//! Conditions on the keys of a join reach the other side, where that changes no result.
#![allow(clippy::unwrap_used)]

mod common;

use common::{catalog_of, circuit};
use deltic_sql::Catalog;

fn catalog() -> Catalog {
    catalog_of(
        "CREATE TABLE a (k INT, v INT, s VARCHAR);
         CREATE TABLE b (k INT, w INT, t VARCHAR);
         CREATE TABLE c (k BIGINT, u INT)",
    )
}

/// The conditions that stand right above the rows of a relation in the circuit.
fn conditions(sql: &str, relation: &str) -> String {
    let text = circuit(&catalog(), sql);
    let lines: Vec<&str> = text.lines().collect();
    let is_source = |line: &str| line.contains(&format!("Source {relation} "));
    let above = lines.windows(2).filter(|pair| is_source(pair[1])).filter_map(|pair| pair[0].split(" -> ").next());
    above.filter_map(|line| line.split_once(" where ")).map(|(_, condition)| condition).collect::<Vec<_>>().join("; ")
}

#[test]
fn they_reach_the_other_side() {
    for (sql, relation) in [
        ("SELECT v FROM a WHERE k = 5 AND k IN (SELECT k FROM b)", "b"),
        ("SELECT v FROM a WHERE k = 5 AND k NOT IN (SELECT k FROM b WHERE k IS NOT NULL)", "b"),
        ("SELECT v FROM a WHERE k = 5 AND EXISTS (SELECT 1 FROM b WHERE b.k = a.k)", "b"),
        ("SELECT v FROM a WHERE k = 5 AND NOT EXISTS (SELECT 1 FROM b WHERE b.k = a.k)", "b"),
        ("SELECT v FROM a LEFT SEMI JOIN b ON a.k = b.k WHERE a.k = 5", "b"),
        ("SELECT v FROM a LEFT ANTI JOIN b ON a.k = b.k WHERE a.k = 5", "b"),
        ("SELECT v, w FROM a LEFT JOIN b ON a.k = b.k WHERE a.k = 5", "b"),
        ("SELECT v, w FROM b RIGHT JOIN a ON a.k = b.k WHERE a.k = 5", "b"),
        ("SELECT v, w FROM (SELECT * FROM a WHERE k = 5 LIMIT 10) AS a JOIN b ON a.k = b.k", "b"),
        ("SELECT v FROM a WHERE k IN (SELECT k FROM b WHERE k = 5)", "a"),
        ("SELECT v, n FROM a LEFT JOIN (SELECT k, count(*) AS n FROM b GROUP BY k) AS b ON a.k = b.k WHERE a.k = 5", "b"),
        ("SELECT k, (SELECT sum(w) FROM b WHERE b.k = a.k) AS s FROM a WHERE k = 5", "b"),
        ("SELECT v FROM a LEFT JOIN b ON s = t WHERE s = '5'", "b"),
    ] {
        let found = conditions(sql, relation);
        assert!(found.contains("= 5") || found.contains("= '5'"), "{sql}: {found}\n{}", circuit(&catalog(), sql));
    }
}

#[test]
fn they_stay_where_they_would_change_rows_or_fail() {
    for (sql, relation) in [
        // Left rows that the condition takes away are shown without a match.
        ("SELECT v FROM a LEFT JOIN (SELECT * FROM b WHERE k = 5) AS b ON a.k = b.k", "a"),
        ("SELECT v FROM a WHERE k NOT IN (SELECT k FROM b WHERE k = 5)", "a"),
        ("SELECT v FROM (SELECT * FROM a WHERE k = 5) AS a FULL JOIN b ON a.k = b.k", "b"),
        // Division fails for keys that match nothing.
        ("SELECT v FROM (SELECT * FROM a WHERE 10 / k = 5 LIMIT 3) AS a JOIN b ON a.k = b.k", "b"),
        // Not of the key.
        ("SELECT v FROM a LEFT JOIN b ON a.k = b.k WHERE a.v = 5", "b"),
        // Keys of two types.
        ("SELECT v FROM a LEFT JOIN c ON a.k = c.k WHERE a.k = 5", "c"),
    ] {
        let found = conditions(sql, relation);
        assert!(!found.contains("= 5"), "{sql}: {found}\n{}", circuit(&catalog(), sql));
    }
}
