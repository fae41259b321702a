-- Aggregates over joins, most of them computed in two steps: per key below the join, per group above it. Checked by
-- `cargo test -p deltic-tests --test law` and by `deltic check tests/law/partial_aggregates.sql`.

CREATE TABLE f (k INT, g INT, v INT, b BIGINT, m DECIMAL(12, 2), x DOUBLE, s VARCHAR, o BOOLEAN);
CREATE TABLE d (k INT PRIMARY KEY, x VARCHAR, y INT, w BIGINT);
CREATE TABLE p (k INT, g INT, z VARCHAR, PRIMARY KEY (k, g));
CREATE TABLE l (k INT, x VARCHAR);
CREATE STREAM e (k INT, v BIGINT);

CREATE MATERIALIZED VIEW totals AS SELECT d.x, sum(v) AS s, count(*) AS n, count(v) AS c, avg(v) AS a FROM f JOIN d ON f.k = d.k GROUP BY d.x;
CREATE MATERIALIZED VIEW extremes AS SELECT d.x, min(v) AS l, max(s) AS h, min(m) AS m, max(f.x) AS f, bool_and(o) AS every, bool_or(o) AS some FROM f JOIN d ON f.k = d.k GROUP BY d.x;
CREATE MATERIALIZED VIEW decimals AS SELECT d.x, sum(m) AS s, avg(m) AS a, count(m) AS n FROM f JOIN d USING (k) GROUP BY d.x;
CREATE MATERIALIZED VIEW total AS SELECT sum(v) AS s, avg(b) AS a, count(*) AS n, count(b) AS c, min(b) AS l FROM f JOIN d USING (k);
CREATE MATERIALIZED VIEW having_some AS SELECT d.x, sum(v) AS s FROM f JOIN d USING (k) GROUP BY d.x HAVING count(*) > 1 AND sum(v) <> 0;
CREATE MATERIALIZED VIEW conditions AS SELECT d.x, sum(v) AS s FROM f JOIN d ON f.k = d.k AND f.k <> d.y WHERE f.b > 0 AND (f.k > 1 OR d.x = 'a') GROUP BY d.x;
CREATE MATERIALIZED VIEW filters AS SELECT d.x, sum(v) FILTER (WHERE b > 0) AS s, count(*) FILTER (WHERE v > 0) AS n, count(v) FILTER (WHERE d.y > 1) AS c, avg(v) FILTER (WHERE d.y > 1) AS a, sum(v) FILTER (WHERE d.y > 1 AND d.y < 3) AS z FROM f JOIN d USING (k) GROUP BY d.x;
CREATE MATERIALIZED VIEW total_filters AS SELECT sum(v) FILTER (WHERE d.y > 1) AS s, count(*) FILTER (WHERE d.y > 1) AS n FROM f JOIN d USING (k);
CREATE MATERIALIZED VIEW both_sides AS SELECT d.x, sum(v) AS s, count(d.y) AS n, count(DISTINCT d.y) AS c, sum(DISTINCT d.w) AS w, max(d.w) AS h, min(f.k) AS k FROM f JOIN d ON f.k = d.k GROUP BY d.x;
CREATE MATERIALIZED VIEW by_key AS SELECT f.k, d.x, sum(v) AS s, f.k % 2 AS odd FROM f JOIN d ON f.k = d.k GROUP BY f.k, d.x;
CREATE MATERIALIZED VIEW by_expression AS SELECT upper(d.x) AS x, 10 / d.y AS q, sum(v) AS s FROM f JOIN d USING (k) GROUP BY upper(d.x), 10 / d.y;
CREATE MATERIALIZED VIEW two_keys AS SELECT z, sum(v) AS s, count(*) AS n FROM f JOIN p ON f.k = p.k AND f.g = p.g GROUP BY z;
CREATE MATERIALIZED VIEW null_safe AS SELECT dd.x, sum(v) AS s, count(*) AS n FROM f JOIN (SELECT k, min(x) AS x FROM l GROUP BY k) AS dd ON f.k IS NOT DISTINCT FROM dd.k GROUP BY dd.x;
CREATE MATERIALIZED VIEW computed_key AS SELECT d.x, sum(v) AS s FROM f JOIN d ON f.k + f.g = d.k GROUP BY d.x;
CREATE MATERIALIZED VIEW failing_key AS SELECT d.x, sum(v) AS s FROM f JOIN d ON 4 / f.k = d.k GROUP BY d.x;

CREATE MATERIALIZED VIEW facts_kept AS SELECT d.x, sum(v) AS s, count(*) AS n, count(d.y) AS c, avg(m) AS a FROM f LEFT JOIN d ON f.k = d.k GROUP BY d.x;
CREATE MATERIALIZED VIEW facts_kept_some AS SELECT d.x, sum(v) AS s, count(*) AS n FROM f LEFT JOIN d ON f.k = d.k AND d.y > f.k GROUP BY d.x;
CREATE MATERIALIZED VIEW groups_kept AS SELECT d.x, sum(v) AS s, count(*) AS n, count(v) AS c, count(d.y) AS y, avg(v) AS a, max(b) AS h FROM d LEFT JOIN f ON f.k = d.k GROUP BY d.x;
CREATE MATERIALIZED VIEW groups_kept_some AS SELECT d.k, sum(v) AS s, count(*) AS n, count(v) AS c FROM d LEFT JOIN f ON f.k = d.k AND d.y > f.k GROUP BY d.k;
CREATE MATERIALIZED VIEW groups_kept_total AS SELECT sum(v) AS s, count(*) AS n, count(v) AS c, count(*) FILTER (WHERE d.y > 1) AS y FROM f RIGHT JOIN d ON f.k = d.k;
CREATE MATERIALIZED VIEW groups_padded AS SELECT d.x, sum(coalesce(v, 7)) AS s FROM d LEFT JOIN f ON f.k = d.k GROUP BY d.x;
CREATE MATERIALIZED VIEW all_kept AS SELECT d.x, sum(v) AS s, count(*) AS n FROM f FULL JOIN d ON f.k = d.k GROUP BY d.x;

CREATE MATERIALIZED VIEW of_stream AS SELECT d.x, sum(v) AS s, max(v) AS h FROM e JOIN d ON e.k = d.k GROUP BY d.x;
CREATE MATERIALIZED VIEW stream_of_distinct AS SELECT l.k, sum(v) AS s, min(v) AS m FROM e JOIN (SELECT DISTINCT k FROM l) AS l ON e.k = l.k GROUP BY l.k;
CREATE MATERIALIZED VIEW chain AS SELECT d.x, sum(v) AS s, count(*) AS n FROM f JOIN l ON f.k = l.k JOIN d ON f.g = d.k GROUP BY d.x;
CREATE MATERIALIZED VIEW chain_of_keys AS SELECT d.x, sum(f.v) AS s, count(*) AS n FROM f JOIN p ON f.k = p.k AND f.g = p.g JOIN d ON f.g = d.k WHERE p.z <> 'b' GROUP BY d.x;
CREATE MATERIALIZED VIEW twice AS SELECT t.x, sum(t.s) AS s FROM (SELECT d.x, d.y, sum(v) AS s FROM f JOIN d USING (k) GROUP BY d.x, d.y) AS t JOIN d ON d.k = t.y GROUP BY t.x;
CREATE MATERIALIZED VIEW rolled AS SELECT d.x, d.y, sum(v) AS s FROM f JOIN d USING (k) GROUP BY ROLLUP (d.x, d.y);
CREATE MATERIALIZED VIEW picked AS SELECT d.x, sum(v) AS s FROM f JOIN d USING (k) GROUP BY d.x ORDER BY s DESC, x LIMIT 2;
CREATE MATERIALIZED VIEW correlated AS SELECT d.k, (SELECT sum(v) FROM f WHERE f.k = d.k) AS s FROM d;
CREATE MATERIALIZED VIEW existing AS SELECT d.x, sum(v) AS s FROM f JOIN d ON f.k = d.k WHERE EXISTS (SELECT 1 FROM l WHERE l.k = d.k) GROUP BY d.x;

-- Sums near the limits: a part of a group does not fit the type of its sum, the group may.
CREATE MATERIALIZED VIEW big AS SELECT k, g, v * 4611686018427387904 AS b FROM f WHERE v BETWEEN -2 AND 1;
CREATE MATERIALIZED VIEW big_sums AS SELECT d.x, sum(b) AS s, avg(b) AS a, count(*) AS n FROM big JOIN d ON big.k = d.k GROUP BY d.x;
CREATE MATERIALIZED VIEW big_total AS SELECT sum(b) AS s, avg(b) AS a FROM big JOIN d ON big.k = d.k;
CREATE MATERIALIZED VIEW big_kept AS SELECT d.k, sum(b) AS s FROM d LEFT JOIN big ON big.k = d.k GROUP BY d.k;
