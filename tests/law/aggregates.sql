-- Every aggregate, alone and with DISTINCT, FILTER, ORDER BY and WITHIN GROUP. Checked by `cargo test --workspace --test law` and by
-- `deltic check tests/law/aggregates.sql`.

CREATE TABLE t (a BIGINT, b INT, c VARCHAR, d DOUBLE, e DECIMAL(10, 2), ts TIMESTAMP);
CREATE TABLE w (bo BOOLEAN, ti TINYINT, si SMALLINT, re REAL, bi BYTEA, da DATE, tm TIME, tz TIMESTAMPTZ, iv INTERVAL, ub BIGINT UNSIGNED);
CREATE TABLE n (k INT, l BIGINT[], z STRUCT<f INT, g VARCHAR>);
CREATE STREAM s (k INT, v BIGINT, at TIMESTAMP);
CREATE STREAM e (k INT, v BIGINT, x DOUBLE, at TIMESTAMP, WATERMARK FOR at AS at - INTERVAL '5' SECOND);

-- From sums of powers.
CREATE MATERIALIZED VIEW variances AS SELECT b, var_pop(a) AS vp, var_samp(a) AS vs, variance(a) AS v, stddev_pop(a) AS dp, stddev_samp(a) AS ds, stddev(a) AS dv FROM t GROUP BY b;
CREATE MATERIALIZED VIEW float_variances AS SELECT b, var_pop(d) AS vp, stddev(d) AS s, avg(d) AS av FROM t GROUP BY b;
CREATE MATERIALIZED VIEW decimal_variances AS SELECT c, var_samp(e) AS v, stddev_pop(e) AS s FROM t GROUP BY c;
CREATE MATERIALIZED VIEW whole_variance AS SELECT var_pop(a) AS v, stddev(d) AS s, count(*) AS n FROM t;
CREATE MATERIALIZED VIEW covariances AS SELECT c, covar_pop(a, b) AS p, covar_samp(a, d) AS s, corr(b, a) AS r FROM t GROUP BY c;
CREATE MATERIALIZED VIEW regressions AS SELECT c, regr_slope(a, b) AS sl, regr_intercept(a, b) AS i, regr_r2(a, b) AS r2, regr_count(a, b) AS n FROM t GROUP BY c;
CREATE MATERIALIZED VIEW regression_sums AS SELECT c, regr_avgx(a, d) AS ax, regr_avgy(a, d) AS ay, regr_sxx(a, d) AS xx, regr_syy(a, d) AS yy, regr_sxy(a, d) AS xy FROM t GROUP BY c;
CREATE MATERIALIZED VIEW filtered_variances AS SELECT b, var_pop(a) FILTER (WHERE c IS NOT NULL) AS v, covar_pop(a, e) FILTER (WHERE a > 0) AS cv FROM t GROUP BY b;
CREATE MATERIALIZED VIEW distinct_variances AS SELECT b, var_pop(DISTINCT a) AS v, stddev(DISTINCT d) AS s FROM t GROUP BY b;
CREATE MATERIALIZED VIEW typed_variances AS SELECT bo, var_pop(ti) AS t, var_samp(re) AS r, stddev(ub) AS u, corr(si, ub) AS c FROM w GROUP BY bo;

-- Truth values and bits.
CREATE MATERIALIZED VIEW truths AS SELECT b, bool_and(a > 0) AS al, bool_or(a > 0) AS an, every(c IS NOT NULL) AS ev FROM t GROUP BY b;
CREATE MATERIALIZED VIEW bits AS SELECT c, bit_and(a) AS an, bit_or(b) AS o, bit_xor(a) AS x, bit_xor(DISTINCT b) AS dx FROM t GROUP BY c;
CREATE MATERIALIZED VIEW typed_bits AS SELECT bit_and(ti) AS ta, bit_or(si) AS so, bit_xor(ub) AS ux, bool_or(bo) AS bo, bool_and(bo) FILTER (WHERE ti > 0) AS ba FROM w;

-- Counts of tuples.
CREATE MATERIALIZED VIEW tuples AS SELECT b, count(DISTINCT a, c) AS ac, count(a, c) AS n, count(DISTINCT c) AS cs FROM t GROUP BY b;
CREATE MATERIALIZED VIEW more_tuples AS SELECT count(DISTINCT b, c, d) FILTER (WHERE a > 0) AS bcd, approx_distinct(c) AS c FROM t;

-- Places in an order.
CREATE MATERIALIZED VIEW ends AS SELECT b, first_value(c ORDER BY ts) AS f, last_value(c ORDER BY ts) AS l, nth_value(c, 2 ORDER BY ts DESC) AS n, first_value(c ORDER BY ts DESC NULLS LAST, a) AS g FROM t GROUP BY b;
CREATE MATERIALIZED VIEW ends_without_order AS SELECT b, first_value(a) AS f, last_value(a) AS l, any_value(c) AS v, nth_value(d, -1) AS n FROM t GROUP BY b;
CREATE MATERIALIZED VIEW ends_without_nulls AS SELECT b, first_value(c ORDER BY a) IGNORE NULLS AS f, last_value(c ORDER BY a) IGNORE NULLS AS l, first_value(e ORDER BY d) FILTER (WHERE a > 0) AS fe FROM t GROUP BY b;
CREATE MATERIALIZED VIEW arguments AS SELECT b, arg_min(c, a) AS lo, arg_max(c, a) AS hi, min_by(d, ts) AS lod, max_by(e, d) AS hie FROM t GROUP BY b;
CREATE MATERIALIZED VIEW whole_arguments AS SELECT arg_max(c, a) AS hi, arg_min(ts, d) FILTER (WHERE b > 0) AS lo FROM t;
CREATE MATERIALIZED VIEW medians AS SELECT b, median(a) AS ma, median(d) AS md FROM t GROUP BY b;
CREATE MATERIALIZED VIEW more_medians AS SELECT c, median(e) AS me, median(DISTINCT a) AS da, median(b) FILTER (WHERE a > 0) AS mb, mode(b) AS mo FROM t GROUP BY c;
CREATE MATERIALIZED VIEW percentiles AS SELECT b, percentile_cont(0.25) WITHIN GROUP (ORDER BY d) AS q1, percentile_cont(0.75) WITHIN GROUP (ORDER BY d DESC) AS q3, percentile_cont(a, 0.5) AS h FROM t GROUP BY b;
CREATE MATERIALIZED VIEW discrete AS SELECT b, percentile_disc(0.5) WITHIN GROUP (ORDER BY c) AS pc, percentile_disc(0.9) WITHIN GROUP (ORDER BY ts DESC) AS pt, percentile_disc(0) WITHIN GROUP (ORDER BY a) AS lo, percentile_disc(1) WITHIN GROUP (ORDER BY a) AS hi FROM t GROUP BY b;
CREATE MATERIALIZED VIEW modes AS SELECT b, mode() WITHIN GROUP (ORDER BY c) AS mc, mode() WITHIN GROUP (ORDER BY a DESC) AS ma, mode(d) AS md FROM t GROUP BY b;
CREATE MATERIALIZED VIEW typed_order AS SELECT bo, first_value(tz ORDER BY da, tm) AS f, mode(da) AS m, percentile_disc(0.5) WITHIN GROUP (ORDER BY bi) AS p, median(re) AS r, median(ub) AS u, arg_max(iv, re) AS v FROM w GROUP BY bo;
CREATE MATERIALIZED VIEW nested_order AS SELECT k, first_value(l ORDER BY z) AS f, last_value(z) AS z, arg_min(z, k) AS a FROM n GROUP BY k;
CREATE MATERIALIZED VIEW streamed AS SELECT k, median(v) AS m, last_value(v ORDER BY at) AS l, var_pop(v) AS vp FROM s GROUP BY k;

-- All rows of a group.
CREATE MATERIALIZED VIEW arrays AS SELECT b, array_agg(a) AS aa, array_agg(c ORDER BY ts DESC, a) AS ac, array_agg(DISTINCT c) AS dc FROM t GROUP BY b;
CREATE MATERIALIZED VIEW more_arrays AS SELECT b, array_agg(d ORDER BY d DESC) FILTER (WHERE a > 0) AS d, array_agg(e) IGNORE NULLS AS e FROM t GROUP BY b;
CREATE MATERIALIZED VIEW texts AS SELECT b, string_agg(c, ', ') AS s, string_agg(c, '' ORDER BY a DESC) AS o, string_agg(DISTINCT c, '-' ORDER BY c DESC) AS d FROM t GROUP BY b;
CREATE MATERIALIZED VIEW whole_text AS SELECT string_agg(c, '/' ORDER BY c) FILTER (WHERE b > 0) AS s, array_agg(b) AS a FROM t;
CREATE MATERIALIZED VIEW jsons AS SELECT b, json_agg(a) AS a, jsonb_agg(c ORDER BY ts) AS c, json_agg(DISTINCT e) AS e FROM t GROUP BY b;
CREATE MATERIALIZED VIEW objects AS SELECT b, json_object_agg(c, a) AS o, jsonb_object_agg(c, d ORDER BY ts) AS j, map_agg(a, e) FILTER (WHERE a IS NOT NULL) AS m FROM t GROUP BY b;
CREATE MATERIALIZED VIEW nested_arrays AS SELECT k, array_agg(l) AS l, json_agg(z) AS z FROM n GROUP BY k;
CREATE MATERIALIZED VIEW anew AS SELECT b, approx_percentile_cont(0.5) WITHIN GROUP (ORDER BY d) AS p, approx_percentile_cont(0.9) WITHIN GROUP (ORDER BY a DESC) AS q FROM t WHERE a > -1000 AND a < 1000 GROUP BY b;

-- In windows, in sessions, above and below other aggregates.
CREATE MATERIALIZED VIEW windowed AS SELECT k, window_start, median(v) AS m, array_agg(v) AS l, arg_max(x, v) AS x FROM TABLE(TUMBLE(TABLE e, DESCRIPTOR(at), INTERVAL '10' SECOND)) GROUP BY k, window_start, window_end;
CREATE MATERIALIZED VIEW sessions AS SELECT k, SESSION_START(at, INTERVAL '3' SECOND) AS st, count(*) AS n, median(v) AS m, stddev(x) AS sx, string_agg(CAST(v AS VARCHAR), '+') AS t FROM e GROUP BY k, SESSION(at, INTERVAL '3' SECOND);
CREATE MATERIALIZED VIEW having AS SELECT b, median(a) AS m FROM t GROUP BY b HAVING bool_or(a > 1) AND count(DISTINCT a, c) > 1;
CREATE MATERIALIZED VIEW of_groups AS SELECT median(n) AS m, stddev(n) AS s, array_agg(n) AS l FROM (SELECT b, count(*) AS n FROM t GROUP BY b) AS g;
CREATE MATERIALIZED VIEW all_together AS SELECT b, count(*) AS n, sum(a) AS s, min(c) AS lc, max(d) AS hd, avg(e) AS ae, var_pop(a) AS vp, median(a) AS m, array_agg(a) AS l, bool_or(a > 1) AS o FROM t GROUP BY b;
