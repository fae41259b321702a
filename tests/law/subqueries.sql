-- Subqueries of every kind in every place. Checked by `cargo test -p deltic-tests --test law` and by `deltic check tests/law/subqueries.sql`.

CREATE TABLE t (a BIGINT, b INT, c VARCHAR, d DOUBLE);
CREATE TABLE u (a BIGINT, x INT, y VARCHAR);
CREATE TABLE p (id INT PRIMARY KEY, grp VARCHAR, v BIGINT NOT NULL);
CREATE STREAM s (k INT, v BIGINT);

-- Scalar subqueries.
CREATE MATERIALIZED VIEW scalar_alone AS SELECT a, (SELECT max(x) FROM u) AS m FROM t;
CREATE MATERIALIZED VIEW scalar_keyed AS SELECT a, b, (SELECT max(x) FROM u WHERE u.a = t.a) AS m FROM t;
CREATE MATERIALIZED VIEW scalar_counts AS SELECT a, (SELECT count(*) FROM u WHERE u.a = t.a) AS n, (SELECT count(x) + 10 FROM u WHERE u.a = t.a AND u.x > 0) AS m FROM t;
CREATE MATERIALIZED VIEW scalar_range AS SELECT a, b, (SELECT count(*) FROM u WHERE u.a = t.a AND u.x > t.b) AS n, (SELECT min(y) FROM u WHERE u.x < t.b) AS least FROM t;
CREATE MATERIALIZED VIEW scalar_two_keys AS SELECT a, b, (SELECT sum(v) FROM p WHERE p.grp = t.c AND p.id = t.b) AS s FROM t;
CREATE MATERIALIZED VIEW scalar_by_primary_key AS SELECT a, (SELECT v FROM p WHERE p.id = t.b) AS v FROM t;
CREATE MATERIALIZED VIEW scalar_of_any_number AS SELECT a, (SELECT x FROM u WHERE u.a = t.a) AS x FROM t;
CREATE MATERIALIZED VIEW scalar_of_any_number_alone AS SELECT a FROM t WHERE b > (SELECT x FROM u WHERE y = 'k1');
CREATE MATERIALIZED VIEW scalar_in_where AS SELECT a, b FROM t WHERE b > (SELECT avg(x) FROM u WHERE u.a = t.a);
CREATE MATERIALIZED VIEW scalar_is_null AS SELECT a FROM t WHERE (SELECT min(x) FROM u WHERE u.a = t.a) IS NULL;
CREATE MATERIALIZED VIEW scalar_least AS SELECT * FROM t WHERE a = (SELECT min(a) FROM t);
CREATE MATERIALIZED VIEW scalar_first AS SELECT a, (SELECT x FROM u WHERE u.a = t.a ORDER BY x DESC, y LIMIT 1) AS x FROM t;
CREATE MATERIALIZED VIEW scalar_second AS SELECT a, b, (SELECT x FROM u WHERE u.x > t.b ORDER BY x LIMIT 1 OFFSET 1) AS x FROM t;
CREATE MATERIALIZED VIEW scalar_of_having AS SELECT a, (SELECT count(*) FROM u WHERE u.a = t.a HAVING count(*) > 1) AS many, (SELECT count(*) FROM u WHERE u.a = t.a HAVING count(*) < 2) AS few FROM t;
CREATE MATERIALIZED VIEW scalar_grouped AS SELECT a, (SELECT max(n) FROM (SELECT count(*) AS n FROM u WHERE u.a = t.a GROUP BY u.x) AS g) AS m FROM t;
CREATE MATERIALIZED VIEW scalar_without_from AS SELECT a, (SELECT t.b + 1) AS b1, (SELECT t.b WHERE t.a > 1) AS b2 FROM t;
CREATE MATERIALIZED VIEW scalar_of_union AS SELECT a, (SELECT sum(n) FROM (SELECT x AS n FROM u WHERE u.a = t.a UNION ALL SELECT v FROM p WHERE p.id = t.a) AS g) AS s FROM t;
CREATE MATERIALIZED VIEW scalar_of_distinct AS SELECT a, (SELECT count(*) FROM (SELECT DISTINCT x FROM u WHERE u.a = t.a) AS g) AS n FROM t;
CREATE MATERIALIZED VIEW scalar_of_join AS SELECT a, (SELECT sum(p.v) FROM u JOIN p ON p.id = u.x WHERE u.a = t.a) AS s FROM t;
CREATE MATERIALIZED VIEW scalar_of_outer_join AS SELECT a, (SELECT count(p.v) FROM u LEFT JOIN p ON p.id = u.x AND p.v > t.b WHERE u.a = t.a) AS n FROM t;

-- Places.
CREATE MATERIALIZED VIEW in_case AS SELECT a, CASE WHEN EXISTS (SELECT 1 FROM u WHERE u.a = t.a) THEN 'some' WHEN b IN (SELECT x FROM u) THEN 'x' ELSE 'none' END AS k FROM t;
CREATE MATERIALIZED VIEW in_aggregate AS SELECT c, sum((SELECT max(x) FROM u WHERE u.a = t.a)) AS s, count(*) FILTER (WHERE EXISTS (SELECT 1 FROM u WHERE u.a = t.a)) AS n FROM t GROUP BY c;
CREATE MATERIALIZED VIEW in_group AS SELECT (SELECT max(x) FROM u WHERE u.a = t.a) AS m, count(*) AS n FROM t GROUP BY (SELECT max(x) FROM u WHERE u.a = t.a);
CREATE MATERIALIZED VIEW in_having AS SELECT c, sum(b) AS s FROM t GROUP BY c HAVING sum(b) > (SELECT avg(x) FROM u WHERE u.y = t.c);
CREATE MATERIALIZED VIEW in_on AS SELECT t.a, u.x FROM t JOIN u ON t.a = u.a AND u.x >= (SELECT max(w.x) FROM u AS w WHERE w.a = t.a);
CREATE MATERIALIZED VIEW in_outer_on AS SELECT t.a, u.x FROM t LEFT JOIN u ON t.a = u.a AND u.x NOT IN (SELECT id FROM p);
CREATE MATERIALIZED VIEW in_order AS SELECT a, b FROM (SELECT a, b FROM t ORDER BY (SELECT max(x) FROM u WHERE u.a = t.a), a, b LIMIT 3) AS f;

-- EXISTS.
CREATE MATERIALIZED VIEW exists_keyed AS SELECT a, b FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.a = t.a);
CREATE MATERIALIZED VIEW exists_not AS SELECT a, b FROM t WHERE NOT EXISTS (SELECT 1 FROM u WHERE u.a = t.a);
CREATE MATERIALIZED VIEW exists_residual AS SELECT a, b FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.a = t.a AND u.x <> t.b);
CREATE MATERIALIZED VIEW exists_not_residual AS SELECT a, b FROM t WHERE NOT EXISTS (SELECT 1 FROM u WHERE u.a = t.a AND u.x <> t.b);
CREATE MATERIALIZED VIEW exists_range AS SELECT a, b FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.x < t.b);
CREATE MATERIALIZED VIEW exists_alone AS SELECT a FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.x > 2);
CREATE MATERIALIZED VIEW exists_not_alone AS SELECT a FROM t WHERE NOT EXISTS (SELECT 1 FROM u WHERE u.x > 2);
CREATE MATERIALIZED VIEW exists_or AS SELECT a FROM t WHERE b > 1 OR EXISTS (SELECT 1 FROM u WHERE u.a = t.a AND u.x > t.b);
CREATE MATERIALIZED VIEW exists_null_safe AS SELECT a FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.a IS NOT DISTINCT FROM t.a);
CREATE MATERIALIZED VIEW exists_two_levels AS SELECT a FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.a = t.a AND EXISTS (SELECT 1 FROM p WHERE p.id = u.x AND p.v > t.b));
CREATE MATERIALIZED VIEW exists_division AS SELECT DISTINCT a FROM t WHERE NOT EXISTS (SELECT 1 FROM p WHERE NOT EXISTS (SELECT 1 FROM u WHERE u.a = t.a AND u.x = p.id));
CREATE MATERIALIZED VIEW exists_except AS SELECT a, b FROM t WHERE EXISTS (SELECT x FROM u WHERE u.a = t.a EXCEPT SELECT id FROM p WHERE p.v > t.b);

-- IN, ANY and ALL.
CREATE MATERIALIZED VIEW in_alone AS SELECT a, b FROM t WHERE b IN (SELECT x FROM u);
CREATE MATERIALIZED VIEW in_not_alone AS SELECT a, b FROM t WHERE b NOT IN (SELECT x FROM u);
CREATE MATERIALIZED VIEW in_not_without_nulls AS SELECT a, b FROM t WHERE b NOT IN (SELECT id FROM p);
CREATE MATERIALIZED VIEW in_keyed AS SELECT a, b FROM t WHERE b IN (SELECT x FROM u WHERE u.a = t.a);
CREATE MATERIALIZED VIEW in_not_keyed AS SELECT a, b FROM t WHERE b NOT IN (SELECT x FROM u WHERE u.a = t.a);
CREATE MATERIALIZED VIEW in_not_range AS SELECT a, b FROM t WHERE b NOT IN (SELECT x FROM u WHERE u.a > t.a);
CREATE MATERIALIZED VIEW in_values AS SELECT a, b, b IN (SELECT x FROM u) AS i, b NOT IN (SELECT x FROM u WHERE u.a = t.a) AS n, b IN (SELECT x FROM u WHERE u.a > t.a) AS r FROM t;
CREATE MATERIALIZED VIEW any_all AS SELECT a, b, b < ANY (SELECT x FROM u WHERE u.a = t.a) AS less, b >= ALL (SELECT x FROM u WHERE u.a = t.a) AS most, b <> ANY (SELECT x FROM u) AS other, b = ALL (SELECT x FROM u WHERE u.x < t.b) AS same FROM t;
CREATE MATERIALIZED VIEW all_where AS SELECT a, b FROM t WHERE b > ALL (SELECT x FROM u WHERE u.a = t.a);
CREATE MATERIALIZED VIEW any_text AS SELECT a, c <= ANY (SELECT y FROM u) AS l, c > ALL (SELECT y FROM u WHERE u.a = t.a) AS g FROM t;
CREATE MATERIALIZED VIEW in_expression AS SELECT a FROM t WHERE a + b IN (SELECT x * 2 FROM u WHERE u.y = t.c);
CREATE MATERIALIZED VIEW in_limited AS SELECT a FROM t WHERE b IN (SELECT x FROM u WHERE u.a = t.a ORDER BY x LIMIT 2);
CREATE MATERIALIZED VIEW in_of_stream AS SELECT k, v FROM s WHERE k IN (SELECT x FROM u);
CREATE MATERIALIZED VIEW stream_in_stream AS SELECT k FROM s WHERE v IN (SELECT v FROM s WHERE k > 0);
CREATE MATERIALIZED VIEW in_and_in AS SELECT id FROM p WHERE id IN (SELECT b FROM t) AND grp IN (SELECT y FROM u WHERE u.x = p.id) AND NOT EXISTS (SELECT 1 FROM s WHERE s.k = p.id);

-- Joins of one side.
CREATE MATERIALIZED VIEW semi AS SELECT a, b FROM t LEFT SEMI JOIN u ON t.a = u.a;
CREATE MATERIALIZED VIEW anti AS SELECT a, b FROM t LEFT ANTI JOIN u ON t.a = u.a AND u.x > t.b;

-- LATERAL.
CREATE MATERIALIZED VIEW lateral_top AS SELECT t.a, w.x FROM t, LATERAL (SELECT x FROM u WHERE u.a = t.a ORDER BY x DESC, y LIMIT 2) AS w;
CREATE MATERIALIZED VIEW lateral_left AS SELECT t.a, w.x FROM t LEFT JOIN LATERAL (SELECT x FROM u WHERE u.x > t.b ORDER BY x LIMIT 1) AS w ON true;
CREATE MATERIALIZED VIEW lateral_count AS SELECT t.a, w.n FROM t CROSS JOIN LATERAL (SELECT count(*) AS n FROM u WHERE u.a = t.a) AS w;
CREATE MATERIALIZED VIEW lateral_on AS SELECT t.a, w.n FROM t LEFT JOIN LATERAL (SELECT count(*) AS n FROM u WHERE u.a = t.a) AS w ON w.n > t.b;
CREATE MATERIALIZED VIEW lateral_values AS SELECT t.a, w.s FROM t JOIN LATERAL (SELECT u.x + t.b AS s FROM u WHERE u.a = t.a) AS w ON w.s > 1;
CREATE MATERIALIZED VIEW lateral_chain AS SELECT t.a, f.x, w.n FROM t, LATERAL (SELECT x FROM u WHERE u.a = t.a) AS f, LATERAL (SELECT count(*) AS n FROM p WHERE p.id < f.x AND p.v <> t.b) AS w;
CREATE MATERIALIZED VIEW lateral_rows AS SELECT t.a, v.n, v.x FROM t, LATERAL (VALUES ('a', t.a), ('b', t.b), ('c', NULL)) AS v (n, x);
CREATE MATERIALIZED VIEW largest_of_row AS SELECT t.a, (SELECT max(x) FROM (VALUES (t.a), (t.b), (5)) AS v (x)) AS most FROM t;
CREATE MATERIALIZED VIEW rows_in AS SELECT t.a, (t.a, t.b) IN (SELECT u.a, u.x FROM u) AS i, (t.b, t.c) NOT IN (SELECT x, y FROM u WHERE u.a = t.a) AS n FROM t;
CREATE MATERIALIZED VIEW rows_where AS SELECT t.a FROM t WHERE (t.a, t.b) IN (SELECT u.a, u.x FROM u) AND (t.b, t.c) NOT IN (SELECT x, y FROM u WHERE x > 0);

-- Subqueries of both sides of an outer join.
CREATE MATERIALIZED VIEW pairs_left AS SELECT t.a, t.b, u.x FROM t LEFT JOIN u ON EXISTS (SELECT 1 FROM p WHERE p.id = t.b AND p.v > u.x);
CREATE MATERIALIZED VIEW pairs_right AS SELECT t.a, u.a AS ua, u.x FROM t RIGHT JOIN u ON t.a = u.a AND NOT EXISTS (SELECT 1 FROM p WHERE p.id = t.b AND p.v < u.x);
CREATE MATERIALIZED VIEW pairs_full AS SELECT t.a, t.b, u.x FROM t FULL JOIN u ON t.b + u.x IN (SELECT v FROM p) OR t.a = u.a;
CREATE MATERIALIZED VIEW pairs_scalar AS SELECT t.a, t.b, u.x FROM t LEFT JOIN u ON u.x > (SELECT count(*) FROM p WHERE p.v > t.b AND p.id < u.a);
CREATE MATERIALIZED VIEW pairs_semi AS SELECT a, b FROM t LEFT SEMI JOIN u ON t.a = u.a AND EXISTS (SELECT 1 FROM p WHERE p.id = t.b AND p.v >= u.x);
CREATE MATERIALIZED VIEW pairs_anti AS SELECT * FROM t LEFT ANTI JOIN u ON t.b < (SELECT max(v) FROM p WHERE p.id = u.x);
CREATE MATERIALIZED VIEW pairs_lateral AS SELECT t.a, w.x FROM t LEFT JOIN LATERAL (SELECT x FROM u WHERE u.x > t.b) AS w ON EXISTS (SELECT 1 FROM p WHERE p.id = w.x AND p.v > t.b);

-- Grouping sets.
CREATE MATERIALIZED VIEW sets_lateral AS SELECT t.a, t.b, g.y, g.n, g.s FROM t, LATERAL (SELECT y, count(*) AS n, sum(x) AS s FROM u WHERE u.a = t.a GROUP BY ROLLUP (y)) AS g;
CREATE MATERIALIZED VIEW sets_range AS SELECT t.a, (SELECT max(n) FROM (SELECT count(x + t.b) AS n FROM u WHERE u.x > t.b GROUP BY CUBE (y, a)) AS g) AS m FROM t;
CREATE MATERIALIZED VIEW sets_exists AS SELECT t.a FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.a = t.a GROUP BY GROUPING SETS ((y), ()) HAVING grouping(y) = 1 AND sum(x) > t.b);
CREATE MATERIALIZED VIEW sets_alone AS SELECT t.a, (SELECT count(*) FROM (SELECT y, x FROM u WHERE u.x < t.b GROUP BY GROUPING SETS ((y), (y), (x, y), ())) AS g) AS n FROM t;

-- Conditions on the keys, which reach the other side.
CREATE MATERIALIZED VIEW key_in AS SELECT a, b FROM t WHERE a = 2 AND a IN (SELECT a FROM u);
CREATE MATERIALIZED VIEW key_not_in AS SELECT a, b FROM t WHERE a < 3 AND a NOT IN (SELECT a FROM u WHERE a IS NOT NULL);
CREATE MATERIALIZED VIEW key_not_exists AS SELECT a, b FROM t WHERE (a > 1 OR a IS NULL) AND NOT EXISTS (SELECT 1 FROM u WHERE u.a = t.a);
CREATE MATERIALIZED VIEW key_left AS SELECT t.a, u.x FROM t LEFT JOIN u ON t.a = u.a AND u.x = t.b WHERE t.a IN (0, 1) AND t.b <> 1;
CREATE MATERIALIZED VIEW key_right AS SELECT t.a, u.x FROM (SELECT * FROM t WHERE a > 0) AS t RIGHT JOIN u ON t.a = u.a WHERE u.a < 3;
CREATE MATERIALIZED VIEW key_full AS SELECT t.a, u.x FROM (SELECT * FROM t WHERE a > 0) AS t FULL JOIN u ON t.a = u.a;
CREATE MATERIALIZED VIEW key_below AS SELECT a, b FROM t WHERE a IN (SELECT a FROM u WHERE a > 0 AND x > 0);
CREATE MATERIALIZED VIEW key_value AS SELECT t.a, (SELECT sum(x) FROM u WHERE u.a = t.a) AS s, (SELECT count(*) FROM u WHERE u.a = t.a) AS n FROM t WHERE t.a BETWEEN 0 AND 2;
CREATE MATERIALIZED VIEW key_fails AS SELECT t.a, u.x FROM t LEFT JOIN u ON t.a = u.a WHERE 2 / t.a > 0;

-- Names: the same ones at several levels.
CREATE MATERIALIZED VIEW name_of_with AS SELECT a, (WITH c AS (SELECT t.a AS n) SELECT max((SELECT n FROM c)) FROM t) AS m FROM t;
CREATE MATERIALIZED VIEW name_unqualified AS SELECT a, b, (WITH c AS (SELECT x + b AS n FROM u) SELECT sum((SELECT max(n) FROM c)) FROM t) AS m FROM t;
CREATE MATERIALIZED VIEW name_below_lateral AS SELECT t.a, l.m FROM t, LATERAL (WITH c AS (SELECT t.b AS n) SELECT count(*) AS m FROM u AS t WHERE t.x >= (SELECT n FROM c)) AS l;
CREATE MATERIALIZED VIEW name_of_inner_with AS WITH c AS (SELECT a FROM t) SELECT x, (WITH c AS (SELECT id FROM p WHERE p.v = u.x) SELECT max(id) FROM c) AS m, (SELECT count(*) FROM c) AS n FROM u;
CREATE MATERIALIZED VIEW value_of_outer AS SELECT a, (SELECT b FROM u WHERE u.a = t.a LIMIT 1) AS n FROM t;
CREATE MATERIALIZED VIEW value_of_outer_below_left AS SELECT t.a, l.v, l.x FROM t LEFT JOIN LATERAL (SELECT t.b AS v, u.x FROM u WHERE u.a = t.a) AS l ON l.x > 5;
CREATE MATERIALIZED VIEW failing_condition_on_a_key AS SELECT t.a, u.x FROM t JOIN u ON t.a = u.a WHERE 10 / t.a > 2;
CREATE MATERIALIZED VIEW failing_condition_on_an_outer_key AS SELECT t.a, u.x FROM t LEFT JOIN u ON t.a = u.a WHERE 10 / t.a > 2;
