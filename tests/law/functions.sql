-- Scalar functions, operators and functions in SQL, each in a view: rows that fail come and go with their sources.

CREATE TABLE t (a BIGINT, b INT, c VARCHAR, d DOUBLE, e DECIMAL(10, 2), ts TIMESTAMP);
CREATE TABLE u (a BIGINT, x INT, y VARCHAR);
CREATE TABLE w (da DATE, tm TIME, tz TIMESTAMPTZ, iv INTERVAL);
CREATE TABLE n (k INT, l BIGINT[]);
CREATE TABLE j (id INT, doc VARCHAR);

CREATE FUNCTION double(a BIGINT) RETURNS BIGINT AS 'a * 2';
CREATE FUNCTION ratio(x BIGINT, y BIGINT DEFAULT 2) RETURNS BIGINT RETURN 100 / (x - y);
CREATE FUNCTION label(a BIGINT, c VARCHAR) RETURNS VARCHAR STRICT AS $$ c || ':' || double(a)::VARCHAR $$;

CREATE FUNCTION kind(a BIGINT) RETURNS VARCHAR AS '''big '' || a / 10';
CREATE FUNCTION kind(c VARCHAR) RETURNS VARCHAR AS '''text '' || left(c, 1)';

-- Times.
CREATE MATERIALIZED VIEW written AS SELECT to_char(ts, 'YYYY-MM-DD HH24:MI:SS.US Dy IW') AS pg, to_char(ts, '%Y %j %H:%M') AS st, date_format(ts, 'yyyy-MM-dd HH:mm:ss.SSS') AS ja FROM t;
CREATE MATERIALIZED VIEW by_day AS SELECT to_char(ts, 'YYYY-MM-DD') AS day, count(*) AS n, max(a) AS most FROM t GROUP BY to_char(ts, 'YYYY-MM-DD');
CREATE MATERIALIZED VIEW readings AS SELECT a, to_timestamp(c, 'YYYY-MM-DD') AS read, to_date(c, 'DD.MM.YYYY') AS day FROM t;
CREATE MATERIALIZED VIEW fields AS SELECT extract(year FROM ts) AS y, quarter(ts) AS q, extract(isodow FROM ts) AS wd, extract(doy FROM ts) AS doy, extract(second FROM ts) AS s, extract(epoch FROM ts) AS ep FROM t;
CREATE MATERIALIZED VIEW date_fields AS SELECT extract(week FROM da) AS w, extract(month FROM da) AS m, extract(hour FROM tm) AS h, extract(minute FROM tz) AS mi, extract(day FROM iv) AS d FROM w;
CREATE MATERIALIZED VIEW units AS SELECT floor(ts TO HOUR) AS f, ceil(ts TO MONTH) AS c, timestampadd(MONTH, b, ts) AS later, timestampdiff(DAY, TIMESTAMP '2000-01-01 00:00:00', ts) AS days FROM t;
CREATE MATERIALIZED VIEW ages AS SELECT age(ts, TIMESTAMP '2000-02-29 12:00:00')::VARCHAR AS age, last_day(ts) AS last FROM t;
CREATE MATERIALIZED VIEW multiples AS SELECT b, ts + b * INTERVAL '1 month 2 days' AS later, ts - INTERVAL '1' HOUR * a AS sooner FROM t;
CREATE MATERIALIZED VIEW zones AS SELECT tz AT TIME ZONE 'Europe/Paris' AS paris, (tz AT TIME ZONE 'America/New_York') AT TIME ZONE 'America/New_York' AS back FROM w;
CREATE MATERIALIZED VIEW made AS SELECT make_timestamp(a, b, 1, 0, 0, 0.5) AS made FROM t;

-- Text and patterns.
CREATE MATERIALIZED VIEW parts AS SELECT split_index(c, '-', 0) AS i, split_part(c, '-', 1) AS p, locate('k', c) AS l, initcap(c) AS ic, lpad(c, 5, '.') AS lp, reverse(c) AS r FROM t;
CREATE MATERIALIZED VIEW matches AS SELECT regexp_extract(c, '([a-z]+)([0-9]*)', 2) AS d, regexp_replace(c, '[0-9]', '#', 'g') AS r, regexp_count(c, '[a-z]') AS n, regexp_match(c, 'k(.)') AS m FROM t;
CREATE MATERIALIZED VIEW by_pattern AS SELECT c, regexp_like(y, c) AS r FROM t JOIN u ON t.a = u.a;
CREATE MATERIALIZED VIEW likes AS SELECT a FROM t WHERE c LIKE ANY ('k%', '%1') OR c SIMILAR TO '(a|b|x)%' OR c LIKE '#%%' ESCAPE '#';
CREATE MATERIALIZED VIEW decoded AS SELECT encode(c, 'hex') AS h, decode(c, 'base64') AS b, url_encode(c) AS u FROM t;
CREATE MATERIALIZED VIEW formatted AS SELECT format('%s-%s', c, a) AS f, to_char(e, 'FM999,990.00') AS e FROM t;

-- Numbers and values of any type.
CREATE MATERIALIZED VIEW numbers AS SELECT div(a, b) AS q, mod(a, b) AS m, abs(a) AS ab, sign(d) AS sg, bit_count(a) AS bits FROM t;
CREATE MATERIALIZED VIEW rounded AS SELECT round(e, 1) AS r1, trunc(e) AS t0, ceil(e) AS c, floor(d) AS f FROM t;
CREATE MATERIALIZED VIEW buckets AS SELECT width_bucket(b, 0, 10, 5) AS bucket, count(*) AS n FROM t GROUP BY width_bucket(b, 0, 10, 5);
CREATE MATERIALIZED VIEW chosen AS SELECT if(a > 1, c, 'few') AS i, decode(b, 1, 'one', NULL, 'none', 'other') AS d, greatest(a, b) AS g, least(a, b) AS l, num_nulls(a, b, c) AS nn FROM t;

-- Rows and arrays.
CREATE MATERIALIZED VIEW row_values AS SELECT a, b FROM t WHERE (a, b) < (2, 3) OR (a, c) IN ((1, 'k1'), (2, 'k2')) OR (a, b) IS NOT DISTINCT FROM (NULL, 1);
CREATE MATERIALIZED VIEW row_join AS SELECT t.a, u.y FROM t JOIN u ON (t.a, t.b) = (u.a, u.x);
CREATE MATERIALIZED VIEW quantified AS SELECT k, k = ANY(l) AS any, k <> ALL(l) AS not_all, k < ANY(l) AS less FROM n;
CREATE MATERIALIZED VIEW slices AS SELECT l[1:2] AS s, cardinality(l) AS c, array_append(l, k) AS ap, array_upper(l, 1) AS u FROM n;

-- JSON: most of these texts are none, and fail.
CREATE MATERIALIZED VIEW documents AS SELECT id, doc::jsonb AS doc FROM j;
CREATE MATERIALIZED VIEW built AS SELECT id, jsonb_build_object('id', id, 'doc', doc) -> 'doc' AS doc, jsonb_build_array(id, doc) ->> 0 AS first FROM j;
CREATE MATERIALIZED VIEW same_values AS SELECT to_jsonb(a) AS v, count(*) AS n FROM t GROUP BY to_jsonb(a);
CREATE MATERIALIZED VIEW keys AS SELECT id, jsonb_build_object('id', id, 'x', doc) ? 'x' AS x, jsonb_build_array(id, doc) ?| ARRAY[doc, 'k1'] AS some, jsonb_build_object('a', doc) - 'b' || '{"b":1}' AS added, jsonb_build_array(id, doc) - 0 AS less, jsonb_build_object('a', jsonb_build_array(id, doc)) #- '{a,-1}' AS cut FROM j;
CREATE MATERIALIZED VIEW keys_of_texts AS SELECT id, doc::jsonb ?& ARRAY['a'] AS a, doc::jsonb - 'a' AS less FROM j;
CREATE MATERIALIZED VIEW valid AS SELECT is_json(doc) AS ok, count(*) AS n FROM j GROUP BY is_json(doc);
CREATE MATERIALIZED VIEW at_path AS SELECT id, json_value(jsonb_build_object('a', jsonb_build_array(id)), '$.a') AS v, json_exists(doc, '$.a') AS e FROM j;

-- Functions in SQL.
CREATE MATERIALIZED VIEW doubled AS SELECT a, double(a) AS d, label(a, c) AS l FROM t;
CREATE MATERIALIZED VIEW ratios AS SELECT b, ratio(b) AS r, ratio(b, 1) AS r1 FROM t WHERE ratio(a) <> 0;
CREATE MATERIALIZED VIEW by_double AS SELECT double(b) AS d, count(*) AS n FROM t GROUP BY double(b);
CREATE MATERIALIZED VIEW overloaded AS SELECT kind(a) AS ka, kind(c) AS kc, count(*) AS n FROM t WHERE kind(b) <> 'big 7' GROUP BY kind(a), kind(c);

-- JSON in JSON, and rows made of it.
CREATE MATERIALIZED VIEW embedded AS SELECT id, jsonb_build_object('in', jsonb_build_array(id, doc)) AS e, jsonb_build_array(id, doc) || jsonb_build_array('x') AS c FROM j;
CREATE MATERIALIZED VIEW gathered AS SELECT id % 2 AS k, jsonb_agg(jsonb_build_object('id', id) ORDER BY id) AS l, jsonb_object_agg(id, to_jsonb(id) ORDER BY id) AS o FROM j GROUP BY id % 2;
CREATE MATERIALIZED VIEW element_rows AS SELECT id, e, i FROM j, jsonb_array_elements_text(jsonb_build_array(id, doc, id + 1)) WITH ORDINALITY AS x (e, i);
CREATE MATERIALIZED VIEW member_rows AS SELECT id, m.key, m.value FROM j LEFT JOIN LATERAL jsonb_each(jsonb_build_object('id', id, 'doc', doc)) AS m ON true;
CREATE MATERIALIZED VIEW whole_rows AS SELECT to_json(q) AS doc, count(*) AS n FROM (SELECT a, c FROM t) AS q GROUP BY to_json(q);

-- Forms of PostgreSQL.
CREATE MATERIALIZED VIEW own_arrays AS SELECT u.a, ARRAY(SELECT t.b FROM t WHERE t.a = u.a ORDER BY t.b DESC) AS bs, (SELECT sum(e) FROM n, unnest(n.l) AS e WHERE n.k = u.x) AS s FROM u;
CREATE MATERIALIZED VIEW lists_of_rows AS SELECT k, (SELECT max(e) FROM (SELECT unnest(n.l) AS e) AS q) AS most FROM n;
CREATE MATERIALIZED VIEW overlapping AS SELECT a, (ts, ts + INTERVAL '2 hours') OVERLAPS (TIMESTAMP '2000-01-01 00:00', INTERVAL '300 days') AS o, b BETWEEN SYMMETRIC 3 AND a AS s FROM t;
CREATE MATERIALIZED VIEW read_texts AS SELECT a, ('{' || a || ',' || b || '}')::BIGINT[] AS l, c::BYTEA AS bytes, (b || ' days ' || b || ':30')::INTERVAL AS iv FROM t;
CREATE MATERIALIZED VIEW scaled AS SELECT b, INTERVAL '1 month 1 day' * d AS x, INTERVAL '1 day' / b AS y FROM t;

-- PostgreSQL's functions and spellings.
CREATE MATERIALIZED VIEW digests AS SELECT md5(c) AS m, count(*) AS n FROM t GROUP BY md5(c);
CREATE MATERIALIZED VIEW all_matches AS SELECT a, m[1] AS letter, count(*) AS n FROM t, regexp_matches(c, '([a-z])|[0-9]', 'g') AS m GROUP BY a, m[1];
CREATE MATERIALIZED VIEW read_numbers AS SELECT a, to_number(c, '9D99S') AS n, round(e, b) AS by_column, round(e, 1) AS r, trunc(e, 1) AS t FROM t;
CREATE MATERIALIZED VIEW operators AS SELECT |/ abs(d) AS root, @ a - b AS distance, a # b AS x, c::CHAR(2) AS two FROM t;
CREATE MATERIALIZED VIEW time_differences AS SELECT x.tm - y.tm AS apart, make_time(extract(hour FROM x.tm), 0, 0.5) AS made FROM w AS x, w AS y (d) WHERE x.da = y.d AND y.tm <= x.tm;
CREATE MATERIALIZED VIEW path_rows AS SELECT id, v, q.o['id'] AS again FROM (SELECT id, jsonb_build_object('id', id, 'l', jsonb_build_array(id, doc)) AS o FROM j) AS q (id), jsonb_path_query(q.o, '$.l[*]') AS v;
CREATE MATERIALIZED VIEW paths AS SELECT jsonb_path_query_array(doc, '$[*]') AS l, jsonb_path_query_first(doc, '$.a') AS f, jsonb_pretty(doc) AS p FROM j;
