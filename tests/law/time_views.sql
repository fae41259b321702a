-- Views that between them use every kind of window, every EMIT, the clock, and every join in time. Checked by
-- `cargo test --test law` and by `deltic check tests/law/time_views.sql`.

CREATE TABLE t (k INT, x BIGINT, c VARCHAR, d DOUBLE, e DECIMAL(10, 2), ts TIMESTAMP, WATERMARK FOR ts AS ts - INTERVAL '5' SECOND) WITH (allowed_lateness = '3 seconds');
CREATE STREAM s (k INT, v BIGINT, at TIMESTAMP, WATERMARK FOR at AS at - INTERVAL '2' SECOND);
CREATE TABLE n (k INT, v INT, seq BIGINT, WATERMARK FOR seq AS seq - 4);
CREATE TABLE p (id INT PRIMARY KEY, v INT, ts TIMESTAMP, WATERMARK FOR ts AS ts) WITH (late_policy = 'drop');
CREATE TABLE q (k INT, w INT, ts TIMESTAMP, WATERMARK FOR ts) WITH (late_policy = 'accept');
CREATE TABLE z (k INT, tz TIMESTAMPTZ, da DATE, si SMALLINT);

-- Windows of fixed size.
CREATE MATERIALIZED VIEW tumble_rows AS SELECT k, x, window_start, window_end FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '10' SECOND));
CREATE MATERIALIZED VIEW tumble_counts AS SELECT k, window_start, window_end, count(*) AS n, sum(x) AS s, min(c) AS l, max(d) AS m FROM TUMBLE(t, ts, INTERVAL '10' SECOND) GROUP BY k, window_start, window_end;
CREATE MATERIALIZED VIEW tumble_grouped AS SELECT TUMBLE_START(ts, INTERVAL '4' SECOND) AS start, TUMBLE_END(ts, INTERVAL '4' SECOND) AS fin, count(*) AS n FROM t GROUP BY TUMBLE(ts, INTERVAL '4' SECOND);
CREATE MATERIALIZED VIEW tumble_offset AS SELECT window_start, count(*) AS n FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '10' SECOND, INTERVAL '3' SECOND)) GROUP BY window_start, window_end;
CREATE MATERIALIZED VIEW hop_counts AS SELECT k, window_start, count(*) AS n, avg(x) AS a FROM HOP(t, ts, INTERVAL '3' SECOND, INTERVAL '10' SECOND) GROUP BY k, window_start, window_end;
CREATE MATERIALIZED VIEW hop_sparse AS SELECT window_start, window_end, x FROM HOP(t, ts, INTERVAL '10' SECOND, INTERVAL '4' SECOND);
CREATE MATERIALIZED VIEW cumulate_counts AS SELECT window_start, window_end, count(*) AS n, count(DISTINCT k) AS keys FROM CUMULATE(t, ts, INTERVAL '5' SECOND, INTERVAL '20' SECOND) GROUP BY window_start, window_end;
CREATE MATERIALIZED VIEW integer_windows AS SELECT k, window_start, sum(v) AS s FROM TUMBLE(n, seq, 5) GROUP BY k, window_start, window_end;
CREATE MATERIALIZED VIEW small_integer_windows AS SELECT window_start, count(*) AS rows FROM TUMBLE(z, si, 3) GROUP BY window_start;
CREATE MATERIALIZED VIEW zoned_windows AS SELECT window_start, window_end, count(*) AS rows FROM TUMBLE(z, tz, INTERVAL '1' HOUR) GROUP BY window_start, window_end;
CREATE MATERIALIZED VIEW date_windows AS SELECT window_start, count(*) AS rows FROM TUMBLE(z, da, INTERVAL '7' DAY) GROUP BY window_start, window_end;
CREATE MATERIALIZED VIEW windows_of_windows AS SELECT window_start, window_end, max(n) AS most FROM TUMBLE((SELECT window_start AS at, count(*) AS n FROM TUMBLE(t, ts, INTERVAL '2' SECOND) GROUP BY window_start, window_end), at, INTERVAL '10' SECOND) GROUP BY window_start, window_end;
CREATE MATERIALIZED VIEW windows_of_a_join AS SELECT window_start, count(*) AS rows FROM TUMBLE((SELECT t.ts, z.si FROM t JOIN z ON t.k = z.k), ts, INTERVAL '10' SECOND) GROUP BY window_start, window_end;
CREATE MATERIALIZED VIEW top_per_window AS SELECT window_start, k, n FROM (SELECT window_start, k, n, row_number() OVER (PARTITION BY window_start ORDER BY n DESC, k) AS place FROM (SELECT window_start, k, count(*) AS n FROM TUMBLE(t, ts, INTERVAL '10' SECOND) GROUP BY window_start, window_end, k) AS c) AS r WHERE place <= 2;
CREATE MATERIALIZED VIEW ranks_per_window AS SELECT window_start, k, x, rank() OVER w AS r, max(x) OVER w AS m, count(*) OVER (PARTITION BY k, window_end) AS n FROM TUMBLE(t, ts, INTERVAL '10' SECOND) WINDOW w AS (PARTITION BY window_start ORDER BY k, x);
CREATE MATERIALIZED VIEW dense_per_window AS SELECT window_start, v, d FROM (SELECT window_start, v, dense_rank() OVER (PARTITION BY window_start ORDER BY v) AS d FROM TUMBLE(s, at, INTERVAL '10' SECOND)) AS r WHERE d <= 2;
CREATE MATERIALIZED VIEW window_join AS SELECT a.k, a.window_start, a.n AS ts, b.n AS ss FROM (SELECT k, window_start, window_end, count(*) AS n FROM TUMBLE(t, ts, INTERVAL '10' SECOND) GROUP BY k, window_start, window_end) AS a JOIN (SELECT k, window_start, window_end, count(*) AS n FROM TUMBLE(s, at, INTERVAL '10' SECOND) GROUP BY k, window_start, window_end) AS b ON a.k = b.k AND a.window_start = b.window_start AND a.window_end = b.window_end;
CREATE MATERIALIZED VIEW distinct_per_window AS SELECT DISTINCT window_end, k FROM TUMBLE(t, ts, INTERVAL '10' SECOND);

CREATE MATERIALIZED VIEW outer_windows AS SELECT window_start, window_end, sum(n) AS n, count(inner_window_start) AS inner_windows FROM TUMBLE((SELECT k, window_start, window_end, count(*) AS n FROM t GROUP BY k, TUMBLE(ts, INTERVAL '2' SECOND)), window_start, INTERVAL '6' SECOND) GROUP BY window_start, window_end;

-- Sessions.
CREATE MATERIALIZED VIEW sessions AS SELECT k, window_start, window_end, count(*) AS n, sum(x) AS s, avg(x) AS a, min(x) AS l, max(x) AS m FROM t GROUP BY k, SESSION(ts, INTERVAL '2' SECOND);
CREATE MATERIALIZED VIEW session_texts AS SELECT k, SESSION_START(ts, INTERVAL '1' SECOND) AS start, SESSION_END(ts, INTERVAL '1' SECOND) AS fin, min(c) AS l, max(c) AS m, count(c) AS n FROM t GROUP BY k, SESSION(ts, INTERVAL '1' SECOND);
CREATE MATERIALIZED VIEW session_floats AS SELECT window_start, sum(d) AS s, avg(d) AS a, min(d) AS l, sum(e) AS se, avg(e) AS ae, max(e) AS me FROM t GROUP BY SESSION(ts, INTERVAL '1' SECOND);
CREATE MATERIALIZED VIEW session_filters AS SELECT c, window_start, count(*) FILTER (WHERE x > 0) AS p, sum(x) FILTER (WHERE k = 1) AS s, max(x) FILTER (WHERE x < 2) AS m FROM t GROUP BY c, SESSION(ts, INTERVAL '2' SECOND);
CREATE MATERIALIZED VIEW session_distinct AS SELECT k, window_start, window_end, count(DISTINCT c) AS cs, sum(DISTINCT x) AS xs FROM t GROUP BY k, SESSION(ts, INTERVAL '2' SECOND);
CREATE MATERIALIZED VIEW session_rows AS SELECT k, x, ts, window_start, window_end FROM TABLE(SESSION(TABLE t PARTITION BY k, DESCRIPTOR(ts), INTERVAL '2' SECOND));
CREATE MATERIALIZED VIEW session_of_stream AS SELECT k, window_start, window_end, count(*) AS n, sum(v) AS s, min(v) AS l, max(v) AS m FROM s GROUP BY k, SESSION(at, INTERVAL '2' SECOND);
CREATE MATERIALIZED VIEW session_integers AS SELECT k, window_start, window_end, count(*) AS n FROM n GROUP BY k, SESSION(seq, 2);
CREATE MATERIALIZED VIEW session_having AS SELECT k, window_start, count(*) AS n FROM t GROUP BY k, SESSION(ts, INTERVAL '2' SECOND) HAVING count(*) > 1;
CREATE MATERIALIZED VIEW session_lengths AS SELECT n, count(*) AS sessions FROM (SELECT k, window_start, count(*) AS n FROM t GROUP BY k, SESSION(ts, INTERVAL '2' SECOND)) AS y GROUP BY n;
CREATE MATERIALIZED VIEW session_upserts AS SELECT v, window_start, window_end, count(*) AS n, max(id) AS last FROM p GROUP BY v, SESSION(ts, INTERVAL '2' SECOND);
CREATE MATERIALIZED VIEW session_unbounded AS SELECT k, window_start, count(*) AS n FROM q GROUP BY k, SESSION(ts, INTERVAL '2' SECOND);
CREATE MATERIALIZED VIEW session_guarded AS SELECT k, window_start, window_end, count(*) AS n FROM t GROUP BY k, SESSION(ts, INTERVAL '1' SECOND, max_sessions_per_key => 2);
CREATE MATERIALIZED VIEW session_of_windows AS SELECT k, window_start, window_end, sum(n) AS n FROM (SELECT k, window_start, count(*) AS n FROM t GROUP BY k, TUMBLE(ts, INTERVAL '2' SECOND)) AS w GROUP BY k, SESSION(window_start, INTERVAL '2' SECOND);

-- EMIT.
CREATE MATERIALIZED VIEW tumble_closed AS SELECT k, window_start, window_end, count(*) AS n FROM TUMBLE(t, ts, INTERVAL '4' SECOND) GROUP BY k, window_start, window_end EMIT ON WINDOW CLOSE;
CREATE MATERIALIZED VIEW tumble_final AS SELECT k, window_start, sum(x) AS s FROM TUMBLE(t, ts, INTERVAL '4' SECOND) GROUP BY k, window_start, window_end EMIT FINAL;
CREATE MATERIALIZED VIEW hop_closed AS SELECT window_start, count(*) AS n FROM HOP(t, ts, INTERVAL '2' SECOND, INTERVAL '4' SECOND) GROUP BY window_start, window_end EMIT AFTER WATERMARK;
CREATE MATERIALIZED VIEW sessions_closed AS SELECT k, window_start, window_end, count(*) AS n, max(x) AS m FROM t GROUP BY k, SESSION(ts, INTERVAL '2' SECOND) EMIT ON WINDOW CLOSE;
CREATE MATERIALIZED VIEW sessions_final AS SELECT k, window_start, window_end, count(*) AS n FROM t GROUP BY k, SESSION(ts, INTERVAL '2' SECOND) EMIT FINAL;
CREATE MATERIALIZED VIEW stream_sessions_final AS SELECT k, window_start, window_end, sum(v) AS s FROM s GROUP BY k, SESSION(at, INTERVAL '2' SECOND) EMIT FINAL;
CREATE MATERIALIZED VIEW outer_final AS SELECT k, window_start, window_end, sum(n) AS n FROM (SELECT k, window_start, count(*) AS n FROM t GROUP BY k, TUMBLE(ts, INTERVAL '2' SECOND, INTERVAL '1' SECOND)) AS w GROUP BY k, TUMBLE(window_start, INTERVAL '4' SECOND, INTERVAL '3' SECOND) EMIT FINAL;
CREATE MATERIALIZED VIEW outer_hops_closed AS SELECT window_start, window_end, sum(n) AS n FROM (SELECT window_start, count(*) AS n FROM s GROUP BY TUMBLE(at, INTERVAL '2' SECOND)) AS w GROUP BY HOP(window_start, INTERVAL '4' SECOND, INTERVAL '8' SECOND) EMIT FINAL;
CREATE MATERIALIZED VIEW integer_closed AS SELECT window_start, window_end, sum(v) AS s FROM TUMBLE(n, seq, 5) GROUP BY window_start, window_end EMIT ON WINDOW CLOSE;
CREATE MATERIALIZED VIEW accepting_closed AS SELECT k, window_start, window_end, count(*) AS n FROM q GROUP BY k, SESSION(ts, INTERVAL '2' SECOND) EMIT ON WINDOW CLOSE;
CREATE MATERIALIZED VIEW explicit_changes AS SELECT k, count(*) AS n FROM t GROUP BY k EMIT CHANGES;
CREATE MATERIALIZED VIEW every_ten AS SELECT k, count(*) AS n FROM t GROUP BY k EMIT EVERY INTERVAL '10' SECOND;
CREATE MATERIALIZED VIEW every_watermark AS SELECT k, sum(x) AS s FROM t GROUP BY k EMIT EVERY INTERVAL '4' SECOND ON WATERMARK;
CREATE MATERIALIZED VIEW over_closed AS SELECT n, count(*) AS windows FROM tumble_closed GROUP BY n;
CREATE MATERIALIZED VIEW over_final AS SELECT k, max(window_end) AS last, count(*) AS sessions FROM sessions_final GROUP BY k;

-- The clock.
CREATE MATERIALIZED VIEW recent AS SELECT k, x, ts FROM t WHERE ts > now() - INTERVAL '5' SECOND;
CREATE MATERIALIZED VIEW recent_counts AS SELECT k, count(*) AS n, max(x) AS m FROM t WHERE ts >= now() - INTERVAL '5' SECOND AND ts <= now() GROUP BY k;
CREATE MATERIALIZED VIEW around AS SELECT k, ts FROM t WHERE ts BETWEEN now() - INTERVAL '3' SECOND AND now() + INTERVAL '3' SECOND;
CREATE MATERIALIZED VIEW upcoming AS SELECT k FROM q WHERE ts > now();
CREATE MATERIALIZED VIEW recent_flag AS SELECT k, CASE WHEN ts > now() - INTERVAL '5' SECOND THEN 'new' ELSE 'old' END AS age FROM t;
CREATE MATERIALIZED VIEW recent_filter AS SELECT k, count(*) AS n, count(*) FILTER (WHERE ts > now() - INTERVAL '5' SECOND) AS fresh FROM t GROUP BY k;
CREATE MATERIALIZED VIEW recent_groups AS SELECT k, max(ts) AS last FROM t GROUP BY k HAVING max(ts) > now() - INTERVAL '5' SECOND;
CREATE MATERIALIZED VIEW recent_join AS SELECT t.k, z.si FROM t JOIN z ON t.k = z.k AND t.ts > now() - INTERVAL '5' SECOND;

-- Joins in time.
CREATE MATERIALIZED VIEW interval_inner AS SELECT t.k, t.x, s.v FROM t JOIN s ON t.k = s.k AND s.at BETWEEN t.ts - INTERVAL '2' SECOND AND t.ts + INTERVAL '3' SECOND;
CREATE MATERIALIZED VIEW interval_left AS SELECT t.k, t.ts, q.w FROM t LEFT JOIN q ON t.k = q.k AND q.ts >= t.ts AND q.ts < t.ts + INTERVAL '3' SECOND;
CREATE MATERIALIZED VIEW interval_right AS SELECT t.ts, p.id, p.v FROM t RIGHT JOIN p ON t.k = p.v AND t.ts BETWEEN p.ts - INTERVAL '3' SECOND AND p.ts;
CREATE MATERIALIZED VIEW interval_full AS SELECT t.k AS tk, t.ts AS tt, s.k AS sk, s.at FROM t FULL JOIN s ON t.k = s.k AND s.at BETWEEN t.ts - INTERVAL '1' SECOND AND t.ts + INTERVAL '1' SECOND;
CREATE MATERIALIZED VIEW interval_residual AS SELECT t.x, s.v FROM t LEFT JOIN s ON t.k = s.k AND s.at BETWEEN t.ts - INTERVAL '3' SECOND AND t.ts + INTERVAL '3' SECOND AND t.x < s.v;
CREATE MATERIALIZED VIEW interval_integers AS SELECT a.v AS av, b.v AS bv FROM n AS a JOIN n AS b ON a.k = b.k AND b.seq BETWEEN a.seq + 1 AND a.seq + 3;
CREATE MATERIALIZED VIEW asof_last AS SELECT t.k, t.ts, q.w, q.ts AS qt FROM t ASOF JOIN q MATCH_CONDITION (t.ts >= q.ts) ON t.k = q.k;
CREATE MATERIALIZED VIEW asof_left AS SELECT t.k, t.ts, s.v, s.at FROM t ASOF LEFT JOIN s MATCH_CONDITION (t.ts > s.at) ON t.k = s.k;
CREATE MATERIALIZED VIEW asof_next AS SELECT t.k, t.ts, q.w FROM t ASOF JOIN q MATCH_CONDITION (t.ts <= q.ts) ON t.k = q.k;

-- Lookups of the row of the epoch.
CREATE MATERIALIZED VIEW lookup_stream AS SELECT s.k, s.v, s.at, r.v AS rv FROM s JOIN p FOR SYSTEM_TIME AS OF s.at AS r ON s.k = r.id;
CREATE MATERIALIZED VIEW lookup_left AS SELECT t.k, t.x, r.v FROM t LEFT JOIN p FOR SYSTEM_TIME AS OF PROCTIME() AS r ON t.k = r.id AND r.v > 0;
CREATE MATERIALIZED VIEW lookup_fails AS SELECT t.k, t.x, r.v FROM t LEFT JOIN p FOR SYSTEM_TIME AS OF now() AS r ON t.k = r.id AND t.x / r.v > 0;
CREATE MATERIALIZED VIEW lookup_of_view AS SELECT z.si, z.k, c.n FROM z LEFT JOIN explicit_changes FOR SYSTEM_TIME AS OF PROCTIME() AS c ON z.k = c.k;
CREATE MATERIALIZED VIEW lookup_counts AS SELECT r.v, count(*) AS n, max(t.x) AS m FROM t JOIN p FOR SYSTEM_TIME AS OF PROCTIME() AS r ON t.k = r.id GROUP BY r.v;
CREATE MATERIALIZED VIEW lookup_of_table AS SELECT z.k, a.v AS av, b.n FROM z JOIN p FOR SYSTEM_TIME AS OF PROCTIME() AS a ON z.k = a.id LEFT JOIN explicit_changes FOR SYSTEM_TIME AS OF PROCTIME() AS b ON a.v = b.k;
CREATE MATERIALIZED VIEW lookup_windows AS SELECT window_start, window_end, r.v, count(*) AS n FROM TUMBLE(s, at, INTERVAL '4' SECOND) AS w JOIN p FOR SYSTEM_TIME AS OF w.at AS r ON w.k = r.id GROUP BY window_start, window_end, r.v EMIT FINAL;
