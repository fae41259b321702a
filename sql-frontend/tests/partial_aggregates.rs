//! Where facts are summed before they are joined, and where they are not: what `EXPLAIN CIRCUIT` shows.
#![allow(clippy::unwrap_used)]

mod common;

use common::{catalog_of, circuit};
use deltic_sql::Catalog;

fn star() -> Catalog {
    catalog_of(
        "CREATE TABLE facts (k INT, g INT, v INT, b BIGINT, u BIGINT UNSIGNED, m DECIMAL(12, 2), large DECIMAL(30, 2), f DOUBLE, s VARCHAR, o BOOLEAN);
         CREATE TABLE keyed (k INT PRIMARY KEY, v INT);
         CREATE TABLE groups (k INT PRIMARY KEY, x VARCHAR, y INT);
         CREATE TABLE pairs (k INT, g INT, z VARCHAR, PRIMARY KEY (k, g));
         CREATE TABLE loose (k INT, x VARCHAR);
         CREATE STREAM readings (k INT, v INT);
         CREATE STREAM timed (k INT, v INT, at TIMESTAMP, WATERMARK FOR at AS at - INTERVAL '1' SECOND)",
    )
}

/// The partial aggregate of a query, if it has one.
fn partial(sql: &str) -> Option<String> {
    let text = circuit(&star(), sql);
    text.lines().find(|line| line.contains("(partial, below the join)")).map(|line| line.trim().to_owned())
}

#[test]
fn facts_are_summed_by_the_key_of_the_join() {
    let sql = "SELECT x, sum(v) AS s, count(*) AS n FROM facts JOIN groups ON facts.k = groups.k GROUP BY x";
    insta::assert_snapshot!(circuit(&star(), sql));
}

#[test]
fn what_is_averaged_is_summed_and_counted_once() {
    let sql = "SELECT avg(m), sum(m), count(m), min(s), max(s), bool_or(o) FROM groups LEFT JOIN facts USING (k) GROUP BY x";
    insta::assert_snapshot!(circuit(&star(), sql));
}

#[test]
fn where_it_is_done() {
    let done = [
        // Without groups, with conditions and filters.
        "SELECT sum(v) FROM facts JOIN groups USING (k)",
        "SELECT x, sum(v) FROM facts JOIN groups USING (k) WHERE y > 3 AND v < 5 GROUP BY x HAVING count(*) > 1",
        "SELECT x, sum(v) FILTER (WHERE v > 3), count(*) FILTER (WHERE y > 3) FROM facts JOIN groups USING (k) GROUP BY x",
        "SELECT x, sum(v) FROM facts JOIN groups ON facts.k = groups.k AND facts.k < y GROUP BY x",
        // By the key too, by what is computed of the other side, beside its aggregates.
        "SELECT facts.k, x, sum(v) FROM facts JOIN groups ON facts.k = groups.k GROUP BY facts.k, x",
        "SELECT upper(x), sum(v), max(y), count(DISTINCT y), count(y) FROM facts JOIN groups USING (k) GROUP BY upper(x)",
        // By several columns, with NULLs, by expressions.
        "SELECT z, sum(v) FROM facts JOIN pairs ON facts.k = pairs.k AND facts.g = pairs.g GROUP BY z",
        "SELECT x, sum(v) FROM facts JOIN groups ON facts.k IS NOT DISTINCT FROM groups.k GROUP BY x",
        "SELECT x, sum(v) FROM facts JOIN groups ON facts.k % 10 = groups.k GROUP BY x",
        "SELECT x, sum(v) FROM facts JOIN groups ON facts.b = groups.k GROUP BY x",
        // On either side of outer joins.
        "SELECT x, sum(v), count(*) FROM facts LEFT JOIN groups USING (k) GROUP BY x",
        "SELECT x, sum(v), count(*), count(v) FROM groups LEFT JOIN facts USING (k) GROUP BY x",
        "SELECT x, avg(v) FROM facts RIGHT JOIN groups USING (k) GROUP BY x",
        // The other side is unique for another reason; the facts are a stream, or joined themselves.
        "SELECT l.k, sum(v) FROM facts JOIN (SELECT DISTINCT k FROM loose) AS l ON facts.k = l.k GROUP BY l.k",
        "SELECT x, sum(v) FROM readings JOIN groups USING (k) GROUP BY x",
        "SELECT x, sum(facts.v) FROM facts JOIN keyed ON facts.k = keyed.k JOIN groups ON groups.k = facts.g WHERE keyed.v = 3 GROUP BY x",
    ];
    for sql in done {
        assert!(partial(sql).is_some(), "{sql}\n{}", circuit(&star(), sql));
    }
}

#[test]
fn where_it_is_not_done() {
    let not_done = [
        // One fact per key, or several rows beside it.
        "SELECT x, sum(v) FROM keyed JOIN groups USING (k) GROUP BY x",
        "SELECT x, sum(v) FROM facts JOIN loose USING (k) GROUP BY x",
        "SELECT z, sum(v) FROM facts JOIN pairs ON facts.k = pairs.k GROUP BY z",
        "SELECT x, sum(v) FROM facts CROSS JOIN groups GROUP BY x",
        // Facts of a key belong to different groups, or match different rows.
        "SELECT x, g, sum(v) FROM facts JOIN groups USING (k) GROUP BY x, g",
        "SELECT x, sum(v) FROM facts JOIN groups ON facts.k = groups.k AND facts.v < y GROUP BY x",
        // Nothing but the key is read: copies are weights.
        "SELECT x, count(*) FROM facts JOIN groups USING (k) GROUP BY x",
        "SELECT x, sum(facts.k), max(y) FROM facts JOIN groups ON facts.k = groups.k GROUP BY x",
        // Sums that would be rounded or overflow, arguments that may fail or are of both sides, aggregates that are not made of parts.
        "SELECT x, sum(f) FROM facts JOIN groups USING (k) GROUP BY x",
        "SELECT x, sum(large) FROM facts JOIN groups USING (k) GROUP BY x",
        "SELECT x, sum(u) FROM facts JOIN groups USING (k) GROUP BY x",
        "SELECT x, sum(v * b) FROM facts JOIN groups USING (k) GROUP BY x",
        "SELECT x, sum(v + y) FROM facts JOIN groups USING (k) GROUP BY x",
        "SELECT x, sum(v), sum(y) FROM facts JOIN groups USING (k) GROUP BY x",
        "SELECT x, sum(v), median(v) FROM facts JOIN groups USING (k) GROUP BY x",
        "SELECT x, count(DISTINCT v) FROM facts JOIN groups USING (k) GROUP BY x",
        // The row of NULLs of an outer join would count.
        "SELECT x, sum(coalesce(v, 1)) FROM groups LEFT JOIN facts USING (k) GROUP BY x",
        "SELECT x, count(*) FILTER (WHERE v IS NULL) FROM groups LEFT JOIN facts USING (k) GROUP BY x",
        "SELECT x, sum(v) FROM groups FULL JOIN facts USING (k) GROUP BY x",
        // Time ends what is kept.
        "SELECT x, sum(v) FROM timed JOIN groups USING (k) GROUP BY x",
    ];
    for sql in not_done {
        assert_eq!(partial(sql), None, "{sql}\n{}", circuit(&star(), sql));
    }
}
