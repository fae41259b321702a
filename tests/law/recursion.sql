-- Recursion: linear, not linear, mutual; sets and copies; aggregates, order and negation inside; recursions that do not end.

CREATE TABLE edges (
    src BIGINT,
    dst BIGINT
);

CREATE TABLE arcs (
    src BIGINT NOT NULL,
    dst BIGINT NOT NULL,
    cost BIGINT NOT NULL
);

CREATE TABLE roots (
    node BIGINT
);

CREATE TABLE staff (
    name TEXT,
    boss TEXT,
    pay INT
);

CREATE TABLE parts (
    part INT NOT NULL,
    component INT NOT NULL,
    quantity INT NOT NULL
);

CREATE MATERIALIZED VIEW reachable AS
    WITH RECURSIVE reach AS (
        SELECT node FROM roots
        UNION
        SELECT e.dst FROM reach AS r JOIN edges AS e ON e.src = r.node
    )
    SELECT node FROM reach;

CREATE MATERIALIZED VIEW reachable_not_null AS
    WITH RECURSIVE reach (node) AS (
        SELECT src FROM arcs WHERE cost = 0
        UNION
        SELECT a.dst FROM arcs AS a, reach WHERE a.src = reach.node AND a.cost > -2
    )
    SELECT node FROM reach;

CREATE MATERIALIZED VIEW closure AS
    WITH RECURSIVE pairs AS (
        SELECT src, dst FROM edges
        UNION
        SELECT p.src, e.dst FROM pairs AS p JOIN edges AS e ON p.dst = e.src
    )
    SELECT * FROM pairs;

CREATE MATERIALIZED VIEW closure_squared AS
    WITH RECURSIVE pairs AS (
        SELECT src, dst FROM edges
        UNION
        SELECT p.src, q.dst FROM pairs AS p JOIN pairs AS q ON p.dst = q.src
    )
    SELECT * FROM pairs;

CREATE MATERIALIZED VIEW same_generation AS
    WITH RECURSIVE same AS (
        SELECT a.dst AS x, b.dst AS y FROM arcs AS a JOIN arcs AS b ON a.src = b.src
        UNION
        SELECT a.dst, b.dst FROM arcs AS a JOIN same AS s ON a.src = s.x JOIN arcs AS b ON b.src = s.y
    )
    SELECT x, y FROM same WHERE x <> y;

CREATE MATERIALIZED VIEW superiors AS
    WITH RECURSIVE above (name, superior, steps) AS (
        SELECT name, boss, 1 FROM staff WHERE boss IS NOT NULL
        UNION
        SELECT a.name, s.boss, a.steps + 1 FROM above AS a JOIN staff AS s ON a.superior = s.name WHERE a.steps < 6
    )
    SELECT name, superior, min(steps) AS steps FROM above GROUP BY name, superior;

CREATE MATERIALIZED VIEW paths AS
    WITH RECURSIVE
        steps AS (SELECT DISTINCT src, dst FROM arcs WHERE src < dst),
        walk AS (
            SELECT src, dst FROM steps
            UNION ALL
            SELECT w.src, s.dst FROM walk AS w JOIN steps AS s ON w.dst = s.src
        )
    SELECT src, dst, count(*) AS paths FROM walk GROUP BY src, dst;

CREATE MATERIALIZED VIEW bill_of_materials AS
    WITH RECURSIVE
        uses AS (SELECT part, component, min(quantity) AS quantity FROM parts WHERE part < component GROUP BY part, component),
        needs AS (
            SELECT part, component, CAST(quantity AS BIGINT) AS quantity FROM uses
            UNION ALL
            SELECT n.part, u.component, n.quantity * u.quantity FROM needs AS n JOIN uses AS u ON n.component = u.part
        )
    SELECT part, component, count(*) AS ways, sum(quantity) AS quantity FROM needs GROUP BY part, component;

CREATE MATERIALIZED VIEW shortest AS
    WITH MUTUALLY RECURSIVE best (node BIGINT, cost BIGINT) AS (
        SELECT node, min(cost) FROM (
            SELECT node, 0 AS cost FROM roots WHERE node IS NOT NULL
            UNION ALL
            SELECT a.dst, b.cost + 1 FROM best AS b JOIN arcs AS a ON a.src = b.node
        ) AS found
        GROUP BY node
    )
    SELECT node, cost FROM best;

CREATE MATERIALIZED VIEW cheapest AS
    WITH MUTUALLY RECURSIVE (RECURSION LIMIT 12) best (node BIGINT, cost BIGINT) AS (
        SELECT node, min(cost) FROM (
            SELECT node, 0 AS cost FROM roots
            UNION ALL
            SELECT a.dst, b.cost + a.cost FROM best AS b JOIN arcs AS a ON a.src = b.node
        ) AS found
        GROUP BY node
    )
    SELECT node, cost FROM best;

CREATE MATERIALIZED VIEW even_and_odd AS
    WITH MUTUALLY RECURSIVE
        even (node BIGINT) AS (SELECT node FROM roots UNION SELECT e.dst FROM odd JOIN edges AS e ON e.src = odd.node),
        odd (node BIGINT) AS (SELECT DISTINCT e.dst FROM even JOIN edges AS e ON e.src = even.node)
    SELECT node, 'even' AS parity FROM even UNION ALL SELECT node, 'odd' FROM odd;

CREATE MATERIALIZED VIEW only_odd AS
    WITH RECURSIVE
        even (node) AS (SELECT node FROM roots UNION SELECT e.dst FROM odd JOIN edges AS e ON e.src = odd.node),
        odd (node) AS (SELECT src FROM edges WHERE src = dst UNION SELECT e.dst FROM even JOIN edges AS e ON e.src = even.node)
    SELECT node, count(*) AS n FROM odd GROUP BY node;

CREATE MATERIALIZED VIEW unreachable AS
    WITH RECURSIVE
        reach AS (SELECT node FROM roots UNION SELECT a.dst FROM reach AS r JOIN arcs AS a ON a.src = r.node),
        dead AS (
            SELECT a.src AS node FROM arcs AS a LEFT JOIN reach AS r ON a.src = r.node WHERE r.node IS NULL
            UNION
            SELECT a.dst FROM dead AS d JOIN arcs AS a ON a.src = d.node LEFT JOIN reach AS r ON r.node = a.dst WHERE r.node IS NULL
        )
    SELECT node FROM dead;

CREATE MATERIALIZED VIEW components AS
    WITH MUTUALLY RECURSIVE label (node BIGINT, least BIGINT) AS (
        SELECT node, min(least) FROM (
            SELECT src AS node, src AS least FROM arcs
            UNION ALL SELECT dst, dst FROM arcs
            UNION ALL SELECT a.dst, l.least FROM label AS l JOIN arcs AS a ON a.src = l.node
            UNION ALL SELECT a.src, l.least FROM label AS l JOIN arcs AS a ON a.dst = l.node
        ) AS seen
        GROUP BY node
    )
    SELECT least, count(*) AS nodes FROM label GROUP BY least;

CREATE MATERIALIZED VIEW over_a_join AS
    WITH RECURSIVE
        heavy AS (SELECT a.src, e.dst FROM arcs AS a JOIN edges AS e ON a.dst = e.src WHERE a.cost >= 0),
        reach AS (SELECT node FROM roots UNION SELECT h.dst FROM reach AS r JOIN heavy AS h ON h.src = r.node)
    SELECT r.node, count(a.src) AS arcs FROM reach AS r LEFT JOIN arcs AS a ON a.src = r.node GROUP BY r.node;

CREATE MATERIALIZED VIEW by_two_columns AS
    WITH RECURSIVE seen (part, component) AS (
        SELECT part, component FROM parts WHERE quantity > 1
        UNION
        SELECT p.component, p.part FROM seen AS s JOIN parts AS p ON p.part = s.part AND p.component = s.component
    )
    SELECT part, component FROM seen;

CREATE MATERIALIZED VIEW named_alike AS
    WITH RECURSIVE alike (name, other) AS (
        SELECT name, boss FROM staff
        UNION
        SELECT a.other, s.name FROM alike AS a JOIN staff AS s ON s.boss IS NOT DISTINCT FROM a.name
    )
    SELECT name, other FROM alike;

CREATE MATERIALIZED VIEW halves AS
    WITH RECURSIVE down (n) AS (
        SELECT cost FROM arcs
        UNION
        SELECT 12 / n FROM down WHERE n < 5
    )
    SELECT n FROM down;

CREATE MATERIALIZED VIEW numbers AS
    WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 10)
    SELECT r.node, n.i FROM roots AS r JOIN n ON n.i <= r.node;

CREATE MATERIALIZED VIEW walks AS
    WITH RECURSIVE (RECURSION LIMIT 8) walk AS (
        SELECT node FROM roots
        UNION ALL
        SELECT a.dst FROM walk AS w JOIN arcs AS a ON a.src = w.node
    )
    SELECT node, count(*) AS walks FROM walk GROUP BY node;

CREATE MATERIALIZED VIEW nearest AS
    WITH MUTUALLY RECURSIVE known (node BIGINT, next BIGINT) AS (
        SELECT node, node FROM roots
        UNION
        SELECT node, next FROM (
            SELECT e.src AS node, e.dst AS next, row_number() OVER (PARTITION BY e.src ORDER BY e.dst) AS place
            FROM known AS k JOIN edges AS e ON e.src = k.next
        ) AS ordered
        WHERE place <= 2
    )
    SELECT node, next FROM known;

CREATE MATERIALIZED VIEW how_many AS
    WITH MUTUALLY RECURSIVE (RECURSION LIMIT 9)
        grown (n BIGINT) AS (SELECT count(*) FROM arcs UNION SELECT g.n + 1 FROM grown AS g, total AS t WHERE g.n < t.n),
        total (n BIGINT) AS (SELECT count(*) + 2 FROM grown)
    SELECT n FROM grown;

CREATE MATERIALIZED VIEW without_detours AS
    WITH MUTUALLY RECURSIVE (RECURSION LIMIT 15) seen (src BIGINT, dst BIGINT) AS (
        SELECT src, dst FROM arcs
        UNION
        (SELECT s.src, e.dst FROM seen AS s JOIN edges AS e ON e.src = s.dst EXCEPT SELECT src, dst FROM arcs WHERE cost < 0)
    )
    SELECT src, dst FROM seen;

CREATE MATERIALIZED VIEW common AS
    WITH RECURSIVE common (node) AS (
        SELECT node FROM roots
        UNION
        (SELECT e.dst FROM common AS c JOIN edges AS e ON e.src = c.node INTERSECT SELECT a.dst FROM common AS c JOIN arcs AS a ON a.src = c.node)
    )
    SELECT node FROM common;

-- Recursions in subqueries that refer to the queries around them.
CREATE MATERIALIZED VIEW reached_from AS
    SELECT node, (WITH RECURSIVE r (n) AS (SELECT roots.node UNION SELECT e.dst FROM r JOIN edges AS e ON e.src = r.n) SELECT count(*) FROM r) AS n FROM roots;

CREATE MATERIALIZED VIEW reached_rows AS
    SELECT a.src, w.n
    FROM arcs AS a, LATERAL (
        WITH RECURSIVE r (n) AS (
            SELECT e.dst FROM edges AS e WHERE e.src = a.src
            UNION
            SELECT e.dst FROM r JOIN edges AS e ON e.src = r.n WHERE e.dst <> a.dst
        )
        SELECT n FROM r WHERE n > a.cost
    ) AS w;

CREATE MATERIALIZED VIEW on_a_cycle AS
    SELECT node FROM roots
    WHERE EXISTS (WITH RECURSIVE r (n) AS (SELECT e.dst FROM edges AS e WHERE e.src = node UNION SELECT e.dst FROM r JOIN edges AS e ON e.src = r.n) SELECT 1 FROM r WHERE n = node);

CREATE MATERIALIZED VIEW counted_up AS
    SELECT src, dst, (WITH RECURSIVE c (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM c WHERE i < arcs.cost) SELECT sum(i) FROM c) AS s FROM arcs;

CREATE MATERIALIZED VIEW two_levels AS
    SELECT s.node, (
        SELECT count(*) FROM arcs AS a
        WHERE a.dst IN (WITH RECURSIVE x (n) AS (SELECT s.node UNION SELECT e.dst FROM x JOIN edges AS e ON e.src = x.n WHERE e.dst <> a.src) SELECT n FROM x)
    ) AS n
    FROM roots AS s;

CREATE MATERIALIZED VIEW steps_at_most AS
    SELECT s.node, (
        WITH RECURSIVE d (n, steps) AS (
            SELECT s.node, CAST(0 AS BIGINT)
            UNION
            SELECT n, min(steps) FROM (SELECT e.dst AS n, d.steps + 1 AS steps FROM d JOIN edges AS e ON e.src = d.n WHERE d.steps < 3 AND e.dst <> s.node) AS next GROUP BY n
        )
        SELECT max(steps) FROM d
    ) AS steps
    FROM roots AS s;

CREATE MATERIALIZED VIEW read_twice AS
    SELECT s.node, w.a, w.b
    FROM roots AS s LEFT JOIN LATERAL (
        WITH RECURSIVE r (n) AS (SELECT s.node UNION SELECT e.dst FROM r JOIN edges AS e ON e.src = r.n)
        SELECT x.n AS a, y.n AS b FROM r AS x JOIN r AS y ON x.n < y.n
    ) AS w ON w.b > 0;

CREATE MATERIALIZED VIEW two_by_two AS
    SELECT s.node, (
        WITH MUTUALLY RECURSIVE
            even (n BIGINT) AS (SELECT s.node UNION SELECT e.dst FROM odd JOIN edges AS e ON e.src = odd.n),
            odd (n BIGINT) AS (SELECT e.dst FROM even JOIN edges AS e ON e.src = even.n)
        SELECT count(*) FROM even WHERE n NOT IN (SELECT n FROM odd WHERE n IS NOT NULL)
    ) AS n
    FROM roots AS s;
