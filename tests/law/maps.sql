-- Columns of maps, what makes and reads them, UNNEST of maps and map_agg. Checked by `cargo test --workspace --test law` and by
-- `deltic check tests/law/maps.sql`.

CREATE TABLE t (k INT, m MAP(VARCHAR, BIGINT));
CREATE TABLE u (k INT, m MAP(VARCHAR, BIGINT), d MAP(DOUBLE, VARCHAR));
CREATE TABLE w (k INT, iv MAP(INTERVAL, INT), l MAP(INT, BIGINT[]), n MAP(BOOLEAN, MAP(INT, DATE)));
CREATE TABLE p (a BIGINT, b INT, c VARCHAR, d DOUBLE, e DECIMAL(10, 2), ts TIMESTAMP);
CREATE TABLE ls (k INT, ks INT[], vs VARCHAR[]);
CREATE STREAM s (k INT, m MAP(VARCHAR, INT));

-- A map is a value.
CREATE MATERIALIZED VIEW maps AS SELECT m, k FROM t;
CREATE MATERIALIZED VIEW distinct_maps AS SELECT DISTINCT m FROM t;
CREATE MATERIALIZED VIEW by_map AS SELECT m, count(*) AS n, sum(k) AS s FROM t GROUP BY m;
CREATE MATERIALIZED VIEW by_float_map AS SELECT d, count(*) AS n, max(k) AS k FROM u GROUP BY d;
CREATE MATERIALIZED VIEW joined AS SELECT t.k AS a, u.k AS b, t.m FROM t JOIN u ON t.m = u.m;
CREATE MATERIALIZED VIEW joined_outer AS SELECT t.k AS a, u.k AS b, u.d FROM t LEFT JOIN u ON t.m IS NOT DISTINCT FROM u.m;
CREATE MATERIALIZED VIEW by_interval_map AS SELECT iv, count(*) AS n FROM w GROUP BY iv;
CREATE MATERIALIZED VIEW nested AS SELECT n, l, count(*) AS c FROM w GROUP BY n, l;
CREATE MATERIALIZED VIEW either AS SELECT m FROM t UNION SELECT m FROM u;
CREATE MATERIALIZED VIEW without AS SELECT m FROM t EXCEPT SELECT m FROM u;
CREATE MATERIALIZED VIEW counted AS SELECT k, count(DISTINCT m) AS n, count(m) AS c FROM t GROUP BY k;
CREATE MATERIALIZED VIEW extremes AS SELECT k, min(m) AS lo, max(m) AS hi FROM t GROUP BY k;
CREATE MATERIALIZED VIEW first_maps AS SELECT k, m FROM t ORDER BY m DESC, k LIMIT 3;
CREATE MATERIALIZED VIEW gathered AS SELECT k, array_agg(m) AS l FROM t GROUP BY k;
CREATE MATERIALIZED VIEW less AS SELECT t.k AS a, u.k AS b FROM t, u WHERE t.m < u.m;

-- Reading and making.
CREATE MATERIALIZED VIEW parts AS SELECT k, m['k1'] AS v, map_keys(m) AS ks, map_values(m) AS vs, map_entries(m) AS es, cardinality(m) AS c FROM t;
CREATE MATERIALIZED VIEW keys AS SELECT k, map_contains_key(m, '4') AS h, map_extract(m, '4') AS x, d[0.25] AS q, d['NaN'::DOUBLE] AS nan FROM u;
CREATE MATERIALIZED VIEW looked_up AS SELECT p.a, t.m[p.c] AS v, element_at(t.m, p.c) IS NULL AS absent FROM t, p WHERE t.k = p.b;
CREATE MATERIALIZED VIEW made AS SELECT MAP {c: a, 'x': b} AS m, count(*) AS n FROM p WHERE c <> 'x' GROUP BY 1;
CREATE MATERIALIZED VIEW of_lists AS SELECT k, map(ks, vs) AS m FROM ls;
CREATE MATERIALIZED VIEW together AS SELECT t.k, map_concat(t.m, u.m) AS m FROM t JOIN u ON t.k = u.k;
CREATE MATERIALIZED VIEW cast_maps AS SELECT k, m::VARCHAR AS t, TRY_CAST(m AS MAP(INT, VARCHAR)) AS n FROM t;
CREATE MATERIALIZED VIEW as_json AS SELECT k, to_jsonb(m) AS j FROM t;
CREATE MATERIALIZED VIEW chosen AS SELECT k, CASE WHEN k > 1 THEN m ELSE MAP {'other': 0} END AS m FROM t;
CREATE MATERIALIZED VIEW of_stream AS SELECT k, m, m['k1'] AS v FROM s WHERE cardinality(m) > 0;

-- Entries as rows.
CREATE MATERIALIZED VIEW entries AS SELECT k, key, value FROM t, UNNEST(m);
CREATE MATERIALIZED VIEW all_entries AS SELECT k, name, v, place FROM t LEFT JOIN UNNEST(m) WITH ORDINALITY AS e(name, v, place) ON TRUE;
CREATE MATERIALIZED VIEW by_key AS SELECT e.key, sum(e.value) AS s, count(*) AS n FROM t CROSS JOIN LATERAL UNNEST(t.m) AS e GROUP BY e.key;
CREATE MATERIALIZED VIEW beside AS SELECT k, a, x, b, y FROM u, UNNEST(m, d) AS e(a, x, b, y);
CREATE MATERIALIZED VIEW twice AS SELECT w.k, o.key AS a, i.key AS b, i.value AS v FROM w, UNNEST(w.n) AS o, UNNEST(o.value) AS i;

-- Rows as entries.
CREATE MATERIALIZED VIEW agg AS SELECT b, map_agg(a, c) FILTER (WHERE a IS NOT NULL) AS m FROM p GROUP BY b;
CREATE MATERIALIZED VIEW agg_in_order AS SELECT b, map_agg(c, e ORDER BY ts, a DESC) FILTER (WHERE c IS NOT NULL) AS m FROM p GROUP BY b;
CREATE MATERIALIZED VIEW agg_distinct AS SELECT b, map_agg(DISTINCT d, c) AS m FROM p WHERE d IS NOT NULL GROUP BY b;
CREATE MATERIALIZED VIEW agg_whole AS SELECT map_agg(ts, d) FILTER (WHERE ts IS NOT NULL AND b > 1) AS m FROM p;
CREATE MATERIALIZED VIEW agg_with_null_keys AS SELECT b, map_agg(c, a) AS m FROM p GROUP BY b;
CREATE MATERIALIZED VIEW agg_over AS SELECT a, b, map_agg(a, e) OVER (PARTITION BY b ORDER BY a, c, d, e, ts ROWS 2 PRECEDING) AS m FROM p WHERE a IS NOT NULL;
CREATE MATERIALIZED VIEW there_and_back AS SELECT k, map_agg(key, value) AS m FROM (SELECT DISTINCT k, m FROM t) AS q, UNNEST(m) GROUP BY k;
CREATE MATERIALIZED VIEW agg_of_maps AS SELECT k, map_agg(m, d) AS m FROM u WHERE m IS NOT NULL GROUP BY k;
