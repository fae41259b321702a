-- Windows over sources with event time, and every EMIT.

CREATE STREAM clicks (
    k INT,
    at TIMESTAMP,
    v BIGINT,
    WATERMARK FOR at AS at - INTERVAL '3' SECOND
) WITH (allowed_lateness = '5 seconds');

CREATE TABLE readings (
    k INT,
    at TIMESTAMP,
    v BIGINT,
    WATERMARK FOR at AS at PER PARTITION (k)
) WITH (idle_timeout = '20 seconds');

CREATE TABLE owners (
    k INT PRIMARY KEY,
    since DATE,
    name VARCHAR,
    WATERMARK FOR since AS since
) WITH (late_policy = 'accept');

CREATE TABLE numbers (
    n INT NOT NULL,
    k INT,
    WATERMARK FOR n
) WITH (allowed_lateness = '4');

CREATE TABLE days (
    day DATE,
    k INT,
    WATERMARK FOR day AS day
);

CREATE MATERIALIZED VIEW per_window AS
    SELECT k, window_start, window_end, count(*) AS n, sum(v) AS total, max(v) AS most
    FROM TABLE(TUMBLE(TABLE clicks, DESCRIPTOR(at), INTERVAL '10' SECOND)) GROUP BY k, window_start, window_end;

CREATE MATERIALIZED VIEW closed AS
    SELECT k, window_start, window_end, count(*) AS n, sum(v) AS total
    FROM TABLE(TUMBLE(TABLE clicks, DESCRIPTOR(at), INTERVAL '10' SECOND)) GROUP BY k, window_start, window_end
    EMIT ON WINDOW CLOSE;

CREATE MATERIALIZED VIEW final AS
    SELECT k, window_start, window_end, count(*) AS n, min(v) AS least, count(DISTINCT v) AS kinds
    FROM TABLE(TUMBLE(TABLE clicks, DESCRIPTOR(at), INTERVAL '10' SECOND)) GROUP BY k, window_start, window_end
    EMIT FINAL;

CREATE MATERIALIZED VIEW hopping AS
    SELECT window_start, window_end, count(*) AS n, max(v) AS most
    FROM TABLE(HOP(TABLE readings, DESCRIPTOR(at), INTERVAL '4' SECOND, INTERVAL '10' SECOND)) GROUP BY window_start, window_end
    EMIT ON WINDOW CLOSE;

CREATE MATERIALIZED VIEW cumulating AS
    SELECT k, window_start, window_end, sum(v) AS total
    FROM TABLE(CUMULATE(TABLE readings, DESCRIPTOR(at), INTERVAL '5' SECOND, INTERVAL '20' SECOND)) GROUP BY k, window_start, window_end
    EMIT FINAL;

CREATE MATERIALIZED VIEW over_final AS
    SELECT window_end, sum(n) AS n, count(*) AS ks FROM final GROUP BY window_end;

CREATE MATERIALIZED VIEW sampled AS
    SELECT k, count(*) AS n FROM readings GROUP BY k EMIT EVERY INTERVAL '10' SECOND ON WATERMARK;

CREATE MATERIALIZED VIEW ticking AS
    SELECT k, count(*) AS n, sum(v) AS total FROM clicks GROUP BY k EMIT EVERY INTERVAL '10' SECOND ON CLOCK;

CREATE MATERIALIZED VIEW over_ticking AS SELECT n, count(*) AS ks FROM ticking GROUP BY n;

CREATE MATERIALIZED VIEW windowed_rows AS
    SELECT k, v, window_start FROM TABLE(TUMBLE(TABLE readings, DESCRIPTOR(at), INTERVAL '10' SECOND)) EMIT ON WINDOW CLOSE;

CREATE MATERIALIZED VIEW both AS
    SELECT k, window_start, window_end, count(*) AS n FROM TABLE(TUMBLE(TABLE clicks, DESCRIPTOR(at), INTERVAL '10' SECOND)) GROUP BY k, window_start, window_end
    UNION ALL
    SELECT k, window_start, window_end, count(*) AS n FROM TABLE(TUMBLE(TABLE readings, DESCRIPTOR(at), INTERVAL '10' SECOND)) GROUP BY k, window_start, window_end
    EMIT ON WINDOW CLOSE;

CREATE MATERIALIZED VIEW joined AS
    SELECT c.k, c.window_end, c.v, r.v AS w
    FROM TABLE(TUMBLE(TABLE clicks, DESCRIPTOR(at), INTERVAL '10' SECOND)) AS c
    JOIN TABLE(TUMBLE(TABLE readings, DESCRIPTOR(at), INTERVAL '10' SECOND)) AS r ON c.k = r.k AND c.window_start = r.window_start AND c.window_end = r.window_end
    EMIT ON WINDOW CLOSE;

CREATE MATERIALIZED VIEW owned AS
    SELECT o.name, p.window_end, p.n FROM per_window AS p JOIN owners AS o ON p.k = o.k;

CREATE MATERIALIZED VIEW top AS
    SELECT window_end, k, v FROM (
        SELECT window_end, k, v, row_number() OVER (PARTITION BY window_end ORDER BY v DESC, k) AS place
        FROM TABLE(TUMBLE(TABLE clicks, DESCRIPTOR(at), INTERVAL '10' SECOND))) AS w
    WHERE place <= 2 EMIT ON WINDOW CLOSE;

CREATE MATERIALIZED VIEW different AS
    SELECT DISTINCT k, window_end FROM TABLE(TUMBLE(TABLE readings, DESCRIPTOR(at), INTERVAL '10' SECOND)) EMIT FINAL;

CREATE MATERIALIZED VIEW session_rows AS
    SELECT k, v, window_start, window_end FROM TABLE(SESSION(TABLE readings PARTITION BY k, DESCRIPTOR(at), INTERVAL '4' SECOND));

CREATE MATERIALIZED VIEW visits AS
    SELECT k, window_start, window_end, count(*) AS n, sum(v) AS total, min(v) AS least, max(v) AS most
    FROM TABLE(SESSION(TABLE clicks PARTITION BY k, DESCRIPTOR(at), INTERVAL '4' SECOND)) GROUP BY k, window_start, window_end;

CREATE MATERIALIZED VIEW closed_visits AS
    SELECT k, window_start, window_end, count(*) AS n, sum(v) AS total
    FROM TABLE(SESSION(TABLE clicks PARTITION BY k, DESCRIPTOR(at), INTERVAL '4' SECOND)) GROUP BY k, window_start, window_end
    EMIT ON WINDOW CLOSE;

CREATE MATERIALIZED VIEW final_visits AS
    SELECT k, window_start, window_end, count(*) AS n, max(v) AS most
    FROM TABLE(SESSION(TABLE readings PARTITION BY k, DESCRIPTOR(at), INTERVAL '4' SECOND)) GROUP BY k, window_start, window_end
    EMIT FINAL;

CREATE MATERIALIZED VIEW visitors AS
    SELECT window_start, count(DISTINCT v) AS vs FROM TABLE(SESSION(TABLE clicks PARTITION BY k, DESCRIPTOR(at), INTERVAL '2' SECOND))
    GROUP BY k, window_start, window_end;

CREATE MATERIALIZED VIEW number_windows AS
    SELECT window_start, window_end, count(*) AS rows, sum(k) AS ks FROM TABLE(TUMBLE(TABLE numbers, DESCRIPTOR(n), 5))
    GROUP BY window_start, window_end EMIT ON WINDOW CLOSE;

CREATE MATERIALIZED VIEW number_sessions AS
    SELECT k, window_start, window_end, count(*) AS rows FROM TABLE(SESSION(TABLE numbers PARTITION BY k, DESCRIPTOR(n), 3))
    GROUP BY k, window_start, window_end EMIT FINAL;

CREATE MATERIALIZED VIEW weeks AS
    SELECT k, window_start, window_end, count(*) AS rows FROM TABLE(HOP(TABLE days, DESCRIPTOR(day), INTERVAL '1' DAY, INTERVAL '7' DAY))
    GROUP BY k, window_start, window_end EMIT ON WINDOW CLOSE;

CREATE MATERIALIZED VIEW recent AS
    SELECT k, v, at FROM clicks WHERE at > now() - INTERVAL '30' SECOND;

CREATE MATERIALIZED VIEW recent_totals AS
    SELECT k, count(*) AS n, sum(v) AS total FROM readings
    WHERE at BETWEEN now() - INTERVAL '1' MINUTE AND now() GROUP BY k;
