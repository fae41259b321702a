//! Subqueries against the same question asked without one, or asked in another way: pairs of views whose contents must be the same multiset at every
//! commit of a random history with NULLs, duplicates and deletes.
//!
//! It finds what is wrong with a plan, which the interpreter of circuits cannot see. It cannot find what both forms of a pair have wrong.
#![allow(clippy::unwrap_used)]

use deltic::{Config, Database};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// Each: a name, a query with a subquery, the same without (or with one of another kind).
const PAIRS: &[(&str, &str, &str)] = &[
    (
        "count",
        "SELECT id, (SELECT count(*) FROM u WHERE u.k = t.k) AS n FROM t",
        "SELECT t.id, coalesce(g.n, 0) AS n FROM t LEFT JOIN (SELECT k, count(*) AS n FROM u GROUP BY k) AS g ON g.k = t.k",
    ),
    (
        "count by range",
        "SELECT id, (SELECT count(*) FROM u WHERE u.x > t.v) AS n FROM t",
        "SELECT t.id, count(u.x) AS n FROM t LEFT JOIN u ON u.x > t.v GROUP BY t.id, t.k, t.v",
    ),
    (
        "count by range and key",
        "SELECT id, (SELECT count(*) FROM u WHERE u.k = t.k AND u.x <> t.v) AS n FROM t",
        "SELECT t.id, count(u.x) AS n FROM t LEFT JOIN u ON u.k = t.k AND u.x <> t.v GROUP BY t.id, t.k, t.v",
    ),
    (
        "sum in an expression",
        "SELECT id, coalesce((SELECT sum(x) FROM u WHERE u.k = t.k), -1) + 1 AS s FROM t",
        "SELECT t.id, coalesce(g.s, -1) + 1 AS s FROM t LEFT JOIN (SELECT k, sum(x) AS s FROM u GROUP BY k) AS g ON g.k = t.k",
    ),
    (
        "exists",
        "SELECT id FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.k = t.k AND u.x >= t.v)",
        "SELECT id FROM t WHERE (SELECT count(*) FROM u WHERE u.k = t.k AND u.x >= t.v) > 0",
    ),
    (
        "not exists",
        "SELECT id FROM t WHERE NOT EXISTS (SELECT 1 FROM u WHERE u.x < t.v)",
        "SELECT t.id FROM t LEFT JOIN (SELECT DISTINCT x FROM u WHERE x IS NOT NULL) AS g ON g.x < t.v WHERE g.x IS NULL",
    ),
    (
        "exists as a value",
        "SELECT id, EXISTS (SELECT 1 FROM u WHERE u.k = t.k AND u.x <> t.v) AS e FROM t",
        "SELECT id, (SELECT count(*) FROM u WHERE u.k = t.k AND u.x <> t.v) > 0 AS e FROM t",
    ),
    (
        "in",
        "SELECT id FROM t WHERE v IN (SELECT x FROM u WHERE u.k = t.k)",
        "SELECT t.id FROM t JOIN (SELECT DISTINCT k, x FROM u) AS g ON g.k = t.k AND g.x = t.v",
    ),
    (
        "not in",
        "SELECT id FROM t WHERE v NOT IN (SELECT x FROM u WHERE u.k = t.k)",
        "SELECT id FROM t WHERE NOT EXISTS (SELECT 1 FROM u WHERE u.k = t.k AND (u.x = t.v) IS NOT FALSE)",
    ),
    (
        "not in, alone",
        "SELECT id FROM t WHERE v NOT IN (SELECT x FROM u)",
        "SELECT id FROM t WHERE (SELECT count(*) FROM u WHERE (u.x = t.v) IS NOT FALSE) = 0",
    ),
    (
        "truth of in",
        "SELECT id, v IN (SELECT x FROM u WHERE u.k <= t.k) AS i FROM t",
        "SELECT id, CASE WHEN EXISTS (SELECT 1 FROM u WHERE u.k <= t.k AND u.x = t.v) THEN true
           WHEN EXISTS (SELECT 1 FROM u WHERE u.k <= t.k AND (u.x = t.v) IS NULL) THEN NULL ELSE false END AS i FROM t",
    ),
    (
        "truth of all",
        "SELECT id, v >= ALL (SELECT x FROM u WHERE u.k = t.k) AS a FROM t",
        "SELECT id, CASE WHEN EXISTS (SELECT 1 FROM u WHERE u.k = t.k AND NOT (t.v >= u.x)) THEN false
           WHEN EXISTS (SELECT 1 FROM u WHERE u.k = t.k AND (t.v >= u.x) IS NULL) THEN NULL ELSE true END AS a FROM t",
    ),
    (
        "truth of any",
        "SELECT id, v <> ANY (SELECT x FROM u WHERE u.k <> t.k) AS a FROM t",
        "SELECT id, CASE WHEN EXISTS (SELECT 1 FROM u WHERE u.k <> t.k AND t.v <> u.x) THEN true
           WHEN EXISTS (SELECT 1 FROM u WHERE u.k <> t.k AND (t.v <> u.x) IS NULL) THEN NULL ELSE false END AS a FROM t",
    ),
    (
        "the first row",
        "SELECT id, (SELECT x FROM u WHERE u.k = t.k ORDER BY x DESC LIMIT 1) AS x FROM t",
        "SELECT t.id, g.x FROM t LEFT JOIN (SELECT k, x FROM (SELECT *, row_number() OVER (PARTITION BY k ORDER BY x DESC) AS n FROM u) AS r WHERE n = 1) AS g
           ON g.k = t.k",
    ),
    (
        "lateral top",
        "SELECT t.id, w.x FROM t, LATERAL (SELECT x FROM u WHERE u.k = t.k ORDER BY x LIMIT 2) AS w",
        "SELECT t.id, g.x FROM t JOIN (SELECT k, x FROM (SELECT *, row_number() OVER (PARTITION BY k ORDER BY x) AS n FROM u) AS r WHERE n <= 2) AS g
           ON g.k = t.k",
    ),
    (
        "lateral by range",
        "SELECT t.id, w.m FROM t LEFT JOIN LATERAL (SELECT min(x) AS m FROM u WHERE u.x > t.v) AS w ON true",
        "SELECT t.id, min(u.x) AS m FROM t LEFT JOIN u ON u.x > t.v GROUP BY t.id, t.k, t.v",
    ),
    (
        "two levels",
        "SELECT id FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.k = t.k AND EXISTS (SELECT 1 FROM w WHERE w.a = u.x AND w.b = t.v))",
        "SELECT id FROM t WHERE EXISTS (SELECT 1 FROM u JOIN w ON w.a = u.x WHERE u.k = t.k AND w.b = t.v)",
    ),
    (
        "division",
        "SELECT id FROM t WHERE NOT EXISTS (SELECT 1 FROM w WHERE NOT EXISTS (SELECT 1 FROM u WHERE u.k = t.k AND u.x = w.a))",
        "SELECT t.id FROM t LEFT JOIN (SELECT DISTINCT t.k, w.a FROM t, w WHERE NOT EXISTS (SELECT 1 FROM u WHERE u.k = t.k AND u.x = w.a)) AS g
           ON g.k IS NOT DISTINCT FROM t.k AND g.k IS NOT NULL
         WHERE g.k IS NULL AND (t.k IS NOT NULL OR NOT EXISTS (SELECT 1 FROM w))",
    ),
    (
        "nested aggregation over two levels",
        "SELECT id, (SELECT max(n) FROM (SELECT count(*) AS n FROM u WHERE u.k >= t.k GROUP BY u.x) AS g) AS m FROM t",
        "SELECT t.id, max(g.n) AS m FROM t LEFT JOIN (SELECT s.k, u.x, count(*) AS n FROM (SELECT DISTINCT k FROM t) AS s JOIN u ON u.k >= s.k GROUP BY s.k, u.x) AS g
           ON g.k = t.k GROUP BY t.id, t.k, t.v",
    ),
    (
        "outer join inside",
        "SELECT id, (SELECT count(w.b) FROM u LEFT JOIN w ON w.a = u.x AND w.b > t.v WHERE u.k = t.k) AS n FROM t",
        "SELECT t.id, count(w.b) AS n FROM t LEFT JOIN u ON u.k = t.k LEFT JOIN w ON w.a = u.x AND w.b > t.v GROUP BY t.id, t.k, t.v",
    ),
    (
        "a value in a join condition",
        "SELECT t.id, u.x FROM t LEFT JOIN u ON u.k = t.k AND u.x = (SELECT max(b) FROM w WHERE w.a = t.v)",
        "SELECT t.id, u.x FROM t LEFT JOIN (SELECT a, max(b) AS m FROM w GROUP BY a) AS g ON g.a = t.v LEFT JOIN u ON u.k = t.k AND u.x = g.m",
    ),
    (
        "a semi join with a condition",
        "SELECT id FROM t LEFT SEMI JOIN u ON u.k = t.k AND u.x < t.v",
        "SELECT id FROM t WHERE (SELECT min(x) FROM u WHERE u.k = t.k) < v",
    ),
];

fn value(rng: &mut StdRng) -> String {
    if rng.random_bool(0.2) { "NULL".to_owned() } else { rng.random_range(0..4).to_string() }
}

/// A commit: rows come into one table, or go from it.
fn change(rng: &mut StdRng, next_id: &mut i64) -> String {
    let table = ["t", "u", "w"][rng.random_range(0..3)];
    if rng.random_bool(0.35) {
        let column = match table {
            "t" => ["id % 5", "k", "v"][rng.random_range(0..3)],
            "u" => ["k", "x"][rng.random_range(0..2)],
            _ => ["a", "b"][rng.random_range(0..2)],
        };
        return format!("DELETE FROM {table} WHERE {column} IS NOT DISTINCT FROM {}", value(rng));
    }
    let rows: Vec<String> = (0..rng.random_range(1..4))
        .map(|_| {
            // The rows of `t` are different: where a pair groups by them, copies would be one group.
            *next_id += 1;
            let values = format!("{}, {}", value(rng), value(rng));
            if table == "t" { format!("({next_id}, {values})") } else { format!("({values})") }
        })
        .collect();
    format!("INSERT INTO {table} VALUES {}", rows.join(", "))
}

fn run(workers: usize, seed: u64, commits: usize) {
    println!("seed {seed}, {workers} workers");
    let mut rng = StdRng::seed_from_u64(seed);
    let db = Database::open(Config::in_memory().workers(workers).pin_workers(false)).unwrap();
    db.execute("CREATE TABLE t (id BIGINT, k INT, v INT); CREATE TABLE u (k INT, x INT); CREATE TABLE w (a INT, b INT)").unwrap();
    for (index, (name, one, other)) in PAIRS.iter().enumerate() {
        for (side, query) in [("one", one), ("other", other)] {
            let sql = format!("CREATE MATERIALIZED VIEW {side}_{index} AS {query}");
            db.execute(&sql).unwrap_or_else(|error| panic!("{name}, {side}: {error}"));
        }
    }
    let mut next_id = 0;
    for commit in 0..commits {
        let sql = change(&mut rng, &mut next_id);
        db.execute(&sql).unwrap();
        for (index, (name, ..)) in PAIRS.iter().enumerate() {
            for (left, right) in [("one", "other"), ("other", "one")] {
                let query = format!("SELECT * FROM {left}_{index} EXCEPT ALL SELECT * FROM {right}_{index}");
                let rows: usize = db.query(&query).unwrap().iter().map(|batch| batch.num_rows()).sum();
                assert_eq!(rows, 0, "{name}: {left} has rows that {right} has not, after commit {commit}: {sql} (seed {seed})");
            }
        }
    }
}

#[test]
fn pairs_of_views_agree_on_one_worker() {
    run(1, rand::random(), 40);
}

#[test]
fn pairs_of_views_agree_on_three_workers() {
    run(3, rand::random(), 30);
}
