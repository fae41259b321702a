-- Sources with event time: strategies, lateness, policies, idleness. What windows make of it is in other files.

CREATE TABLE readings (
    sensor INT,
    at TIMESTAMP,
    value BIGINT,
    WATERMARK FOR at AS at - INTERVAL '5' SECOND PER PARTITION (sensor)
) WITH (allowed_lateness = '2 seconds', idle_timeout = '30 seconds');

CREATE TABLE devices (
    id INT PRIMARY KEY,
    name VARCHAR,
    seen DATE,
    WATERMARK FOR seen AS seen - INTERVAL '1' DAY
);

CREATE STREAM events (
    n BIGINT NOT NULL,
    kind SMALLINT,
    WATERMARK FOR n
) WITH (allowed_lateness = '3');

CREATE STREAM more_events (
    n BIGINT,
    kind SMALLINT,
    WATERMARK FOR n AS n - 2
) WITH (idle_timeout = '10 seconds', late_policy = 'drop');

CREATE STREAM arrivals (
    at TIMESTAMPTZ,
    what VARCHAR,
    WATERMARK FOR at AS PROCTIME() - INTERVAL '1' MINUTE
) WITH (max_future_skew = '1 minute');

CREATE TABLE anything (
    at TIMESTAMP,
    k INT,
    WATERMARK FOR at AS at
) WITH (late_policy = 'accept', max_future_skew = '1 hour');

CREATE MATERIALIZED VIEW per_sensor AS
    SELECT sensor, count(*) AS n, sum(value) AS total, max(at) AS newest FROM readings GROUP BY sensor;

CREATE MATERIALIZED VIEW late_readings AS
    SELECT late_reason, late_operation, count(*) AS n, max(late_watermark) AS watermark, max(late_epoch) AS epoch
    FROM "readings$late" GROUP BY late_reason, late_operation;

CREATE MATERIALIZED VIEW known AS
    SELECT r.at, r.value, d.name FROM readings AS r JOIN devices AS d ON r.sensor = d.id;

CREATE MATERIALIZED VIEW late_devices AS SELECT * FROM "devices$late";

CREATE MATERIALIZED VIEW all_events AS
    SELECT n, kind FROM events UNION ALL SELECT n, kind FROM more_events;

CREATE MATERIALIZED VIEW kinds AS
    SELECT kind, count(*) AS n, min(n) AS first FROM all_events GROUP BY kind;

CREATE MATERIALIZED VIEW late_events AS SELECT n, late_reason, late_watermark FROM "events$late";

CREATE MATERIALIZED VIEW arrived AS SELECT what, count(*) AS n FROM arrivals GROUP BY what;

CREATE MATERIALIZED VIEW not_arrived AS SELECT what, late_reason FROM "arrivals$late";

CREATE MATERIALIZED VIEW anywhen AS SELECT k, count(at) AS timed, count(*) AS n FROM anything GROUP BY k;
