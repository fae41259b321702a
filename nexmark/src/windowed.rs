//! The queries with windows, in window syntax, over streams that have a watermark.

use crate::Query;

/// How far behind the latest event an event may come: the delay of the watermarks of [`TIMED_STREAMS`], in milliseconds.
pub const WATERMARK_DELAY_MS: i64 = 4_000;

/// The three event relations as streams with event time.
pub const TIMED_STREAMS: &str = "\
CREATE STREAM person (id BIGINT, name VARCHAR, email_address VARCHAR, credit_card VARCHAR, city VARCHAR, state VARCHAR, date_time TIMESTAMP, extra VARCHAR, WATERMARK FOR date_time AS date_time - INTERVAL '4' SECOND);
CREATE STREAM auction (id BIGINT, item_name VARCHAR, description VARCHAR, initial_bid BIGINT, reserve BIGINT, date_time TIMESTAMP, expires TIMESTAMP, seller BIGINT, category BIGINT, extra VARCHAR, WATERMARK FOR date_time AS date_time - INTERVAL '4' SECOND);
CREATE STREAM bid (auction BIGINT, bidder BIGINT, price BIGINT, channel VARCHAR, url VARCHAR, date_time TIMESTAMP, extra VARCHAR, WATERMARK FOR date_time AS date_time - INTERVAL '4' SECOND);
";

/// The queries of the suite that have windows, as the suite for Flink spells them, with names in PostgreSQL's way.
pub const WINDOWED: &[Query] = &[
    Query {
        name: "q5",
        about: "hot items: the auctions with the most bids in each 10 s window, hopping by 2 s",
        sql: "SELECT a.auction, a.num FROM ( \
                SELECT auction, count(*) AS num, window_start AS start_time, window_end AS end_time \
                FROM TABLE(HOP(TABLE bid, DESCRIPTOR(date_time), INTERVAL '2' SECOND, INTERVAL '10' SECOND)) \
                GROUP BY auction, window_start, window_end) AS a JOIN ( \
                SELECT max(c.num) AS most, c.start_time, c.end_time FROM ( \
                  SELECT count(*) AS num, window_start AS start_time, window_end AS end_time \
                  FROM TABLE(HOP(TABLE bid, DESCRIPTOR(date_time), INTERVAL '2' SECOND, INTERVAL '10' SECOND)) \
                  GROUP BY auction, window_start, window_end) AS c \
                GROUP BY c.start_time, c.end_time) AS m \
              ON a.start_time = m.start_time AND a.end_time = m.end_time AND a.num >= m.most",
    },
    Query {
        name: "q6",
        about: "average of the winning bids of the last auctions of each seller",
        sql: "SELECT seller, avg(price) OVER ( \
                PARTITION BY seller ORDER BY date_time, id ROWS BETWEEN 10 PRECEDING AND CURRENT ROW) AS avg_price FROM ( \
                SELECT a.id, a.seller, b.price, b.date_time, \
                  row_number() OVER (PARTITION BY a.id ORDER BY b.price DESC, b.date_time ASC) AS place \
                FROM auction AS a JOIN bid AS b ON a.id = b.auction \
                WHERE b.date_time BETWEEN a.date_time AND a.expires) AS w \
              WHERE place <= 1",
    },
    Query {
        name: "q7",
        about: "highest bid of each 10 s",
        sql: "SELECT b.auction, b.price, b.bidder, b.date_time, b.extra FROM bid AS b JOIN ( \
                SELECT max(price) AS most, window_end AS date_time \
                FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(date_time), INTERVAL '10' SECOND)) GROUP BY window_start, window_end) AS m \
              ON b.price = m.most WHERE b.date_time BETWEEN m.date_time - INTERVAL '10' SECOND AND m.date_time",
    },
    Query {
        name: "q8",
        about: "people who opened an auction within 10 s of signing up",
        sql: "SELECT p.id, p.name, p.start_time FROM ( \
                SELECT id, name, window_start AS start_time, window_end AS end_time \
                FROM TABLE(TUMBLE(TABLE person, DESCRIPTOR(date_time), INTERVAL '10' SECOND)) \
                GROUP BY id, name, window_start, window_end) AS p JOIN ( \
                SELECT seller, window_start AS start_time, window_end AS end_time \
                FROM TABLE(TUMBLE(TABLE auction, DESCRIPTOR(date_time), INTERVAL '10' SECOND)) \
                GROUP BY seller, window_start, window_end) AS a \
              ON p.id = a.seller AND p.start_time = a.start_time AND p.end_time = a.end_time",
    },
    Query {
        name: "q11",
        about: "bids of each bidder in each session",
        sql: "SELECT bidder, count(*) AS bid_count, SESSION_START(date_time, INTERVAL '1' SECOND) AS start_time, \
                SESSION_END(date_time, INTERVAL '1' SECOND) AS end_time \
              FROM bid GROUP BY bidder, SESSION(date_time, INTERVAL '1' SECOND)",
    },
    Query {
        name: "q12",
        about: "bids of each bidder in each 10 s",
        sql: "SELECT bidder, count(*) AS bid_count, window_start AS start_time, window_end AS end_time \
              FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(date_time), INTERVAL '10' SECOND)) \
              GROUP BY bidder, window_start, window_end",
    },
];
