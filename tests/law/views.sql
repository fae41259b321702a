-- Views that between them use every clause and every aggregate of the supported SQL. Checked by `cargo test -p deltic-tests --test law`
-- and by `deltic check tests/law/views.sql`.

CREATE TABLE t (a BIGINT, b INT, c VARCHAR, d DOUBLE, e DECIMAL(10, 2), ts TIMESTAMP);
CREATE TABLE u (a BIGINT, x INT, y VARCHAR);
CREATE TABLE p (id INT PRIMARY KEY, grp VARCHAR, v BIGINT NOT NULL);
CREATE STREAM s (k INT, v BIGINT, at TIMESTAMP);
CREATE TABLE w (bo BOOLEAN, ti TINYINT, si SMALLINT, re REAL, bi BYTEA, da DATE, tm TIME, tz TIMESTAMPTZ, iv INTERVAL, ub BIGINT UNSIGNED);
CREATE TABLE n (k INT, l BIGINT[], z STRUCT<f INT, g VARCHAR>);

-- Stateless.
CREATE MATERIALIZED VIEW projection AS SELECT a, c, b * 2 AS b2 FROM t;
CREATE MATERIALIZED VIEW filtered AS SELECT * FROM t WHERE b > 0 AND c IS NOT NULL;
CREATE MATERIALIZED VIEW never AS SELECT * FROM t WHERE false;
CREATE MATERIALIZED VIEW conditional AS SELECT a, CASE WHEN b > 1 THEN 'big' WHEN b < 0 THEN 'negative' ELSE 'small' END AS size, CASE c WHEN 'k1' THEN 1 ELSE 0 END AS one, coalesce(c, 'none') AS c, nullif(b, 1) AS b FROM t;
CREATE MATERIALIZED VIEW predicates AS SELECT a FROM t WHERE c LIKE 'k%' OR c IN ('0', '4') OR b BETWEEN 1 AND 2 OR c ILIKE '%LONG%' OR NOT (a = 1);
CREATE MATERIALIZED VIEW bad_division AS SELECT a, 10 / b AS r, a % b AS m FROM t;
CREATE MATERIALIZED VIEW bad_cast AS SELECT a, CAST(c AS INT) AS n FROM t;
CREATE MATERIALIZED VIEW guarded AS SELECT a, b FROM t WHERE b <> 0 AND 10 / b > 1;
CREATE MATERIALIZED VIEW arithmetic AS SELECT a + b AS s, a - b AS m, a * b AS p, -a AS neg, e * 2 AS e2, e + 0.5 AS e3, d / 4 AS d4 FROM t;
CREATE MATERIALIZED VIEW texts AS SELECT upper(c) AS up, length(c) AS len, substr(c, 1, 2) AS start, c || '-' || coalesce(c, '') AS twice, replace(c, 'k', 'q') AS q, trim(c) AS tr FROM t;
CREATE MATERIALIZED VIEW times AS SELECT date_bin(INTERVAL '10' SECOND, ts) AS bin, date_trunc('minute', ts) AS minute, CAST(ts AS DATE) AS day FROM t WHERE ts < TIMESTAMP '2200-01-01 00:00:00' AND ts > TIMESTAMP '1700-01-01 00:00:00';
CREATE MATERIALIZED VIEW constants AS SELECT 1 AS one, 'x' AS x UNION ALL SELECT 2, NULL;
CREATE MATERIALIZED VIEW listed AS SELECT column1 AS i, column2 AS s FROM (VALUES (1, 'a'), (2, 'b'), (2, 'b')) AS x;

-- DISTINCT and UNION.
CREATE MATERIALIZED VIEW different AS SELECT DISTINCT c FROM t;
CREATE MATERIALIZED VIEW different_rows AS SELECT DISTINCT * FROM t;
CREATE MATERIALIZED VIEW both_all AS SELECT a FROM t UNION ALL SELECT a FROM u UNION ALL SELECT a FROM t;
CREATE MATERIALIZED VIEW both AS SELECT a, c FROM t UNION SELECT a, y FROM u;

-- Aggregates.
CREATE MATERIALIZED VIEW whole AS SELECT count(*) AS n, count(c) AS nc, sum(b) AS sb, min(d) AS ld, max(ts) AS mt, avg(e) AS ae FROM t;
CREATE MATERIALIZED VIEW grouped AS SELECT b, count(*) AS n, sum(a) AS sa, avg(a) AS aa, min(c) AS lc, max(c) AS mc FROM t GROUP BY b;
CREATE MATERIALIZED VIEW float_sums AS SELECT b, sum(d) AS s, avg(d) AS a, min(d) AS l, max(d) AS m FROM t GROUP BY b;
CREATE MATERIALIZED VIEW decimal_sums AS SELECT b, sum(e) AS s, avg(e) AS a, min(e) AS l, max(e) AS m FROM t GROUP BY b;
CREATE MATERIALIZED VIEW by_float AS SELECT d, count(*) AS n FROM t GROUP BY d;
CREATE MATERIALIZED VIEW by_text_and_time AS SELECT c, date_bin(INTERVAL '5' SECOND, ts) AS bin, count(*) AS n, max(ts) AS last FROM t GROUP BY c, date_bin(INTERVAL '5' SECOND, ts);
CREATE MATERIALIZED VIEW distinct_aggregates AS SELECT b, count(DISTINCT c) AS dc, sum(DISTINCT a) AS da, avg(DISTINCT a) AS ava, count(DISTINCT a) AS ca, min(DISTINCT c) AS lc FROM t GROUP BY b;
CREATE MATERIALIZED VIEW filtered_aggregates AS SELECT b, count(*) FILTER (WHERE a > 0) AS pos, sum(a) FILTER (WHERE c IS NOT NULL) AS named, max(c) FILTER (WHERE a < 3) AS mc, count(DISTINCT c) FILTER (WHERE a > 1) AS dc FROM t GROUP BY b;
CREATE MATERIALIZED VIEW having AS SELECT b, count(*) AS n FROM t GROUP BY b HAVING count(*) > 1 AND min(a) IS NOT NULL;
CREATE MATERIALIZED VIEW groups_only AS SELECT b, c FROM t GROUP BY b, c;
CREATE MATERIALIZED VIEW nested AS SELECT n, count(*) AS groups FROM (SELECT b, count(*) AS n FROM t GROUP BY b) AS g GROUP BY n;
CREATE MATERIALIZED VIEW distinct_float AS SELECT count(DISTINCT d) AS n, sum(DISTINCT d) AS s FROM t;

-- Joins.
CREATE MATERIALIZED VIEW inner_join AS SELECT t.a, t.c, u.y FROM t JOIN u ON t.a = u.a;
CREATE MATERIALIZED VIEW left_join AS SELECT t.a, t.c, u.x, u.y FROM t LEFT JOIN u ON t.a = u.a;
CREATE MATERIALIZED VIEW right_join AS SELECT t.a, t.c, u.x, u.y FROM t RIGHT JOIN u ON t.a = u.a;
CREATE MATERIALIZED VIEW full_join AS SELECT t.a AS ta, t.c, u.a AS ua, u.y FROM t FULL JOIN u ON t.a = u.a;
CREATE MATERIALIZED VIEW cross_join AS SELECT t.b, u.x FROM t CROSS JOIN u;
CREATE MATERIALIZED VIEW two_keys AS SELECT t.a, t.b, u.y FROM t JOIN u ON t.a = u.a AND t.b = u.x;
CREATE MATERIALIZED VIEW text_key AS SELECT t.a, u.x FROM t JOIN u ON t.c = u.y;
CREATE MATERIALIZED VIEW null_safe AS SELECT t.a AS ta, u.a AS ua, t.b FROM t JOIN u ON t.a IS NOT DISTINCT FROM u.a AND t.b = u.x;
CREATE MATERIALIZED VIEW residual_inner AS SELECT t.a, t.b, u.x FROM t JOIN u ON t.a = u.a AND t.b < u.x;
CREATE MATERIALIZED VIEW residual_left AS SELECT t.a, t.b, u.x FROM t LEFT JOIN u ON t.a = u.a AND t.b < u.x;
CREATE MATERIALIZED VIEW residual_right AS SELECT t.b, u.a, u.x FROM t RIGHT JOIN u ON t.a = u.a AND t.b < u.x;
CREATE MATERIALIZED VIEW residual_full AS SELECT t.a AS ta, t.b, u.a AS ua, u.x FROM t FULL JOIN u ON t.a = u.a AND t.b < u.x;
CREATE MATERIALIZED VIEW residual_error AS SELECT t.a, u.x FROM t LEFT JOIN u ON t.a = u.a AND 10 / u.x > t.b;
CREATE MATERIALIZED VIEW theta AS SELECT t.a, u.x FROM t JOIN u ON t.b < u.x;
CREATE MATERIALIZED VIEW theta_left AS SELECT t.a, u.x FROM t LEFT JOIN u ON t.b < u.x;
CREATE MATERIALIZED VIEW self_join AS SELECT l.a, r.b FROM t AS l JOIN t AS r ON l.a = r.a;
CREATE MATERIALIZED VIEW self_left AS SELECT l.a, l.b, r.c FROM t AS l LEFT JOIN t AS r ON l.a = r.b;
CREATE MATERIALIZED VIEW three_way AS SELECT t.c, u.y, p.v FROM t JOIN u ON t.a = u.a JOIN p ON p.id = u.x;
CREATE MATERIALIZED VIEW join_of_groups AS SELECT g.b, g.n, h.m FROM (SELECT b, count(*) AS n FROM t GROUP BY b) AS g LEFT JOIN (SELECT x, count(*) AS m FROM u GROUP BY x) AS h ON g.b = h.x;
CREATE MATERIALIZED VIEW group_of_join AS SELECT u.y, count(*) AS n, sum(t.b) AS s, max(t.a) AS m FROM t JOIN u ON t.a = u.a GROUP BY u.y;
CREATE MATERIALIZED VIEW using_keys AS SELECT a, c, y FROM t JOIN u USING (a);

CREATE MATERIALIZED VIEW implied_keys AS SELECT t.b, u.x, p.v FROM u, t, p WHERE t.b = u.x AND u.x = p.id;
CREATE MATERIALIZED VIEW implied_twice AS SELECT l.a, m.x, r.b FROM t AS l, u AS m, t AS r WHERE l.a = m.a AND m.a = r.a AND l.a = r.a AND l.b = m.x AND r.b = m.x;
CREATE MATERIALIZED VIEW implied_floats AS SELECT count(*) AS n FROM t AS l JOIN t AS m ON l.d = m.d JOIN t AS r ON m.d = r.d AND r.b > 0;
CREATE MATERIALIZED VIEW renamed AS SELECT * RENAME (a AS z, c AS d2) FROM t WHERE a > 0;

-- Top-k.
CREATE MATERIALIZED VIEW top AS SELECT a, b FROM t ORDER BY b DESC, a LIMIT 3;
CREATE MATERIALIZED VIEW top_offset AS SELECT a, c FROM t ORDER BY c NULLS FIRST LIMIT 2 OFFSET 1;
CREATE MATERIALIZED VIEW limited AS SELECT b FROM t LIMIT 4;
CREATE MATERIALIZED VIEW skipped AS SELECT a FROM t ORDER BY a OFFSET 2;
CREATE MATERIALIZED VIEW newest AS SELECT b, a, ts FROM (SELECT *, row_number() OVER (PARTITION BY b ORDER BY ts DESC) AS rn FROM t) AS x WHERE rn = 1;
CREATE MATERIALIZED VIEW ranked AS SELECT b, c, rn FROM (SELECT b, c, row_number() OVER (PARTITION BY b ORDER BY c, a) AS rn FROM t) AS x WHERE rn <= 2;
CREATE MATERIALIZED VIEW top_groups AS SELECT c, sum(b) AS s FROM t GROUP BY c ORDER BY s DESC LIMIT 2;
CREATE MATERIALIZED VIEW top_by_hidden AS SELECT c FROM t ORDER BY b DESC NULLS LAST, a LIMIT 3;
CREATE MATERIALIZED VIEW top_by_expression AS SELECT a, c FROM t ORDER BY b % 3, c || 'x' LIMIT 3 OFFSET 1;
CREATE MATERIALIZED VIEW top_by_hidden_sum AS SELECT c FROM t GROUP BY c ORDER BY sum(b), c LIMIT 2;
CREATE MATERIALIZED VIEW top_by_hidden_ties AS SELECT c FROM t ORDER BY b NULLS FIRST FETCH FIRST 2 ROWS WITH TIES;
CREATE MATERIALIZED VIEW ordered_by_hidden AS SELECT a FROM t ORDER BY c, 1 / b;
CREATE VIEW plain_top AS SELECT a, c FROM t ORDER BY d LIMIT 4;
CREATE MATERIALIZED VIEW over_plain_top AS SELECT c, count(*) AS n FROM plain_top GROUP BY c;
CREATE MATERIALIZED VIEW top_floats AS SELECT d FROM t ORDER BY d DESC NULLS LAST LIMIT 2;

-- Views over views, CTEs, primary keys, streams.
CREATE VIEW plain AS SELECT a, b FROM t WHERE a IS NOT NULL;
CREATE MATERIALIZED VIEW over_plain AS SELECT b, count(*) AS n FROM plain GROUP BY b;
CREATE MATERIALIZED VIEW over_view AS SELECT n, count(*) AS m FROM grouped GROUP BY n;
CREATE MATERIALIZED VIEW over_two AS SELECT g.b, g.n, h.n AS more FROM grouped AS g JOIN having AS h ON g.b = h.b;
CREATE MATERIALIZED VIEW over_errors AS SELECT r FROM bad_division WHERE r > 1;
CREATE MATERIALIZED VIEW common AS WITH x AS (SELECT a, b FROM t), y AS (SELECT a, count(*) AS n FROM x GROUP BY a) SELECT x.b, y.n FROM x JOIN y ON x.a = y.a;
CREATE MATERIALIZED VIEW keyed AS SELECT grp, sum(v) AS total, count(*) AS n, min(v) AS least, max(v) AS most FROM p GROUP BY grp;
CREATE MATERIALIZED VIEW keyed_join AS SELECT u.x, p.v, p.grp FROM u LEFT JOIN p ON u.x = p.id;
CREATE MATERIALIZED VIEW streamed AS SELECT k, count(*) AS n, sum(v) AS total, min(v) AS least, max(v) AS most FROM s GROUP BY k;
CREATE MATERIALIZED VIEW stream_window AS SELECT k, date_bin(INTERVAL '2' SECOND, at) AS start, count(*) AS n FROM s GROUP BY k, date_bin(INTERVAL '2' SECOND, at);
CREATE MATERIALIZED VIEW stream_join AS SELECT s.v, p.v AS pv FROM s JOIN p ON s.k = p.id;
CREATE MATERIALIZED VIEW stream_top AS SELECT k, v FROM (SELECT *, row_number() OVER (PARTITION BY k ORDER BY v DESC) AS rn FROM s) AS x WHERE rn <= 2;

-- Every type as a column, a group, a key and an order.
CREATE MATERIALIZED VIEW typed AS SELECT DISTINCT * FROM w;
CREATE MATERIALIZED VIEW typed_group AS SELECT bo, ti, da, count(*) AS n, max(tm) AS mtm, min(tz) AS ltz, max(re) AS mre, sum(re) AS sre, sum(si) AS ssi, max(bi) AS mbi, sum(ub) AS sub FROM w GROUP BY bo, ti, da;
CREATE MATERIALIZED VIEW typed_join AS SELECT l.ti, r.si FROM w AS l JOIN w AS r ON l.da = r.da AND l.bi = r.bi;
CREATE MATERIALIZED VIEW typed_top AS SELECT * FROM w ORDER BY bo, re DESC, tz, iv LIMIT 2;
CREATE MATERIALIZED VIEW intervals AS SELECT iv, count(*) AS n, max(iv) AS m FROM w GROUP BY iv;
CREATE MATERIALIZED VIEW lists AS SELECT DISTINCT l, z FROM n;
CREATE MATERIALIZED VIEW list_group AS SELECT l, count(*) AS n FROM n GROUP BY l;
CREATE MATERIALIZED VIEW structs AS SELECT z, max(k) AS m FROM n GROUP BY z;
