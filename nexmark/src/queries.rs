//! The queries. Windows are spelled with `date_bin`; a hopping window is the union of the tumbling windows it is made of.

use std::fmt::Write;

/// The three event relations as streams: nothing is kept but what the views need.
pub const STREAMS: &str = "\
CREATE STREAM person (id BIGINT, name VARCHAR, email_address VARCHAR, credit_card VARCHAR, city VARCHAR, state VARCHAR, date_time TIMESTAMP, extra VARCHAR);
CREATE STREAM auction (id BIGINT, item_name VARCHAR, description VARCHAR, initial_bid BIGINT, reserve BIGINT, date_time TIMESTAMP, expires TIMESTAMP, seller BIGINT, category BIGINT, extra VARCHAR);
CREATE STREAM bid (auction BIGINT, bidder BIGINT, price BIGINT, channel VARCHAR, url VARCHAR, date_time TIMESTAMP, extra VARCHAR);
";

/// The same as tables, whose rows are kept and can be deleted.
pub const TABLES: &str = "\
CREATE TABLE person (id BIGINT, name VARCHAR, email_address VARCHAR, credit_card VARCHAR, city VARCHAR, state VARCHAR, date_time TIMESTAMP, extra VARCHAR);
CREATE TABLE auction (id BIGINT, item_name VARCHAR, description VARCHAR, initial_bid BIGINT, reserve BIGINT, date_time TIMESTAMP, expires TIMESTAMP, seller BIGINT, category BIGINT, extra VARCHAR);
CREATE TABLE bid (auction BIGINT, bidder BIGINT, price BIGINT, channel VARCHAR, url VARCHAR, date_time TIMESTAMP, extra VARCHAR);
";

/// Rows of `side_input`, the bounded relation that q13 joins.
pub const SIDE_INPUT_ROWS: usize = 10_000;

/// Creates and fills `side_input`.
pub fn side_input_sql() -> String {
    let mut sql =
        String::from("CREATE TABLE side_input (key BIGINT PRIMARY KEY, value VARCHAR);\nINSERT INTO side_input VALUES ");
    for key in 0..SIDE_INPUT_ROWS {
        // Writing to a String cannot fail.
        let _ = write!(sql, "{}({key}, '{key}')", if key == 0 { "" } else { ", " });
    }
    sql.push_str(";\n");
    sql
}

/// One query of the suite.
#[derive(Clone, Copy, Debug)]
pub struct Query {
    /// `q0` ..
    pub name: &'static str,
    /// What it asks, in a few words.
    pub about: &'static str,
    /// The SELECT.
    pub sql: &'static str,
}

/// The query called `name`, if it is in the suite.
pub fn query(name: &str) -> Option<&'static Query> {
    QUERIES.iter().find(|query| query.name.eq_ignore_ascii_case(name))
}

/// The queries that need no windows, or can do with `date_bin`. q11 (sessions, see [`crate::WINDOWED`]) is left out; q10
/// without the files that it writes.
pub const QUERIES: &[Query] = &[
    Query { name: "q0", about: "pass through", sql: "SELECT auction, bidder, price, date_time, extra FROM bid" },
    Query {
        name: "q1",
        about: "currency conversion",
        sql: "SELECT auction, bidder, 0.908 * price AS price, date_time, extra FROM bid",
    },
    Query { name: "q2", about: "selection", sql: "SELECT auction, price FROM bid WHERE auction % 123 = 0" },
    Query {
        name: "q3",
        about: "local item suggestion",
        sql: "SELECT p.name, p.city, p.state, a.id FROM auction AS a JOIN person AS p ON a.seller = p.id \
              WHERE a.category = 10 AND (p.state = 'or' OR p.state = 'id' OR p.state = 'ca')",
    },
    Query {
        name: "q4",
        about: "average price of a category",
        sql: "SELECT q.category, avg(q.final) AS avg_price FROM ( \
                SELECT max(b.price) AS final, a.category FROM auction AS a JOIN bid AS b ON a.id = b.auction \
                WHERE b.date_time BETWEEN a.date_time AND a.expires GROUP BY a.id, a.category) AS q \
              GROUP BY q.category",
    },
    Query {
        name: "q5",
        about: "hot items: the auctions with the most bids in each 10 s window, hopping by 2 s",
        sql: "WITH bin AS (SELECT auction, date_bin(INTERVAL '2' SECOND, date_time) AS start FROM bid), \
              hop AS ( \
                SELECT auction, start FROM bin \
                UNION ALL SELECT auction, start - INTERVAL '2' SECOND FROM bin \
                UNION ALL SELECT auction, start - INTERVAL '4' SECOND FROM bin \
                UNION ALL SELECT auction, start - INTERVAL '6' SECOND FROM bin \
                UNION ALL SELECT auction, start - INTERVAL '8' SECOND FROM bin), \
              counts AS (SELECT auction, start, count(*) AS num FROM hop GROUP BY auction, start), \
              most AS (SELECT start, max(num) AS num FROM counts GROUP BY start) \
              SELECT c.auction, c.num FROM counts AS c JOIN most AS m ON c.start = m.start AND c.num >= m.num",
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
                SELECT max(price) AS price, date_bin(INTERVAL '10' SECOND, date_time) + INTERVAL '10' SECOND AS date_time \
                FROM bid GROUP BY date_bin(INTERVAL '10' SECOND, date_time)) AS m \
              ON b.price = m.price WHERE b.date_time BETWEEN m.date_time - INTERVAL '10' SECOND AND m.date_time",
    },
    Query {
        name: "q8",
        about: "people who opened an auction within 10 s of signing up",
        sql: "SELECT p.id, p.name, p.start FROM ( \
                SELECT id, name, date_bin(INTERVAL '10' SECOND, date_time) AS start FROM person \
                GROUP BY id, name, date_bin(INTERVAL '10' SECOND, date_time)) AS p JOIN ( \
                SELECT seller, date_bin(INTERVAL '10' SECOND, date_time) AS start FROM auction \
                GROUP BY seller, date_bin(INTERVAL '10' SECOND, date_time)) AS a \
              ON p.id = a.seller AND p.start = a.start",
    },
    Query {
        name: "q9",
        about: "the winning bid of each auction",
        sql: "SELECT id, item_name, description, initial_bid, reserve, date_time, expires, seller, category, extra, \
                auction, bidder, price, bid_date_time, bid_extra FROM ( \
                SELECT a.*, b.auction, b.bidder, b.price, b.date_time AS bid_date_time, b.extra AS bid_extra, \
                  row_number() OVER (PARTITION BY a.id ORDER BY b.price DESC, b.date_time ASC) AS place \
                FROM auction AS a JOIN bid AS b ON a.id = b.auction \
                WHERE b.date_time BETWEEN a.date_time AND a.expires) AS w \
              WHERE place <= 1",
    },
    Query {
        name: "q10",
        about: "bids with the day and the minute of their file",
        sql: "SELECT auction, bidder, price, date_time, extra, to_char(date_time, '%Y-%m-%d') AS day, \
                to_char(date_time, '%H:%M') AS minute FROM bid",
    },
    Query {
        name: "q12",
        about: "bids of each bidder in each 10 s",
        sql: "SELECT bidder, count(*) AS bid_count, date_bin(INTERVAL '10' SECOND, date_time) AS start_time, \
                date_bin(INTERVAL '10' SECOND, date_time) + INTERVAL '10' SECOND AS end_time \
              FROM bid GROUP BY bidder, date_bin(INTERVAL '10' SECOND, date_time)",
    },
    Query {
        name: "q13",
        about: "join with a bounded side input",
        sql: "SELECT b.auction, b.bidder, b.price, b.date_time, s.value FROM bid AS b \
              JOIN side_input AS s ON b.auction % 10000 = s.key",
    },
    Query {
        name: "q14",
        about: "calculation: bid time of day and characters counted",
        sql: "SELECT auction, bidder, 0.908 * price AS price, \
                CASE WHEN date_part('hour', date_time) >= 8 AND date_part('hour', date_time) <= 18 THEN 'dayTime' \
                     WHEN date_part('hour', date_time) <= 6 OR date_part('hour', date_time) >= 20 THEN 'nightTime' \
                     ELSE 'otherTime' END AS bid_time_type, \
                date_time, extra, length(extra) - length(replace(extra, 'c', '')) AS c_counts \
              FROM bid WHERE 0.908 * price > 1000000 AND 0.908 * price < 50000000",
    },
    Query {
        name: "q15",
        about: "bidding statistics of a day",
        sql: "SELECT CAST(date_time AS DATE) AS day, count(*) AS total_bids, \
                count(*) FILTER (WHERE price < 10000) AS rank1_bids, \
                count(*) FILTER (WHERE price >= 10000 AND price < 1000000) AS rank2_bids, \
                count(*) FILTER (WHERE price >= 1000000) AS rank3_bids, \
                count(DISTINCT bidder) AS total_bidders, \
                count(DISTINCT bidder) FILTER (WHERE price < 10000) AS rank1_bidders, \
                count(DISTINCT bidder) FILTER (WHERE price >= 10000 AND price < 1000000) AS rank2_bidders, \
                count(DISTINCT bidder) FILTER (WHERE price >= 1000000) AS rank3_bidders, \
                count(DISTINCT auction) AS total_auctions, \
                count(DISTINCT auction) FILTER (WHERE price < 10000) AS rank1_auctions, \
                count(DISTINCT auction) FILTER (WHERE price >= 10000 AND price < 1000000) AS rank2_auctions, \
                count(DISTINCT auction) FILTER (WHERE price >= 1000000) AS rank3_auctions \
              FROM bid GROUP BY CAST(date_time AS DATE)",
    },
    Query {
        name: "q16",
        about: "statistics of a channel and day",
        sql: "SELECT channel, CAST(date_time AS DATE) AS day, \
                max(date_bin(INTERVAL '1' MINUTE, date_time)) AS minute, count(*) AS total_bids, \
                count(*) FILTER (WHERE price < 10000) AS rank1_bids, \
                count(*) FILTER (WHERE price >= 10000 AND price < 1000000) AS rank2_bids, \
                count(*) FILTER (WHERE price >= 1000000) AS rank3_bids, \
                count(DISTINCT bidder) AS total_bidders, \
                count(DISTINCT bidder) FILTER (WHERE price < 10000) AS rank1_bidders, \
                count(DISTINCT bidder) FILTER (WHERE price >= 10000 AND price < 1000000) AS rank2_bidders, \
                count(DISTINCT bidder) FILTER (WHERE price >= 1000000) AS rank3_bidders, \
                count(DISTINCT auction) AS total_auctions, \
                count(DISTINCT auction) FILTER (WHERE price < 10000) AS rank1_auctions, \
                count(DISTINCT auction) FILTER (WHERE price >= 10000 AND price < 1000000) AS rank2_auctions, \
                count(DISTINCT auction) FILTER (WHERE price >= 1000000) AS rank3_auctions \
              FROM bid GROUP BY channel, CAST(date_time AS DATE)",
    },
    Query {
        name: "q17",
        about: "statistics of an auction and day",
        sql: "SELECT auction, CAST(date_time AS DATE) AS day, count(*) AS total_bids, \
                count(*) FILTER (WHERE price < 10000) AS rank1_bids, \
                count(*) FILTER (WHERE price >= 10000 AND price < 1000000) AS rank2_bids, \
                count(*) FILTER (WHERE price >= 1000000) AS rank3_bids, \
                min(price) AS min_price, max(price) AS max_price, avg(price) AS avg_price, sum(price) AS sum_price \
              FROM bid GROUP BY auction, CAST(date_time AS DATE)",
    },
    Query {
        name: "q18",
        about: "the last bid of each bidder on each auction",
        sql: "SELECT auction, bidder, price, channel, url, date_time, extra FROM ( \
                SELECT *, row_number() OVER (PARTITION BY bidder, auction ORDER BY date_time DESC) AS place FROM bid) AS b \
              WHERE place <= 1",
    },
    Query {
        name: "q19",
        about: "the ten highest bids of each auction",
        sql: "SELECT * FROM ( \
                SELECT *, row_number() OVER (PARTITION BY auction ORDER BY price DESC) AS place FROM bid) AS b \
              WHERE place <= 10",
    },
    Query {
        name: "q20",
        about: "bids with their auction, in one category",
        sql: "SELECT b.auction, b.bidder, b.price, b.channel, b.url, b.date_time AS bid_date_time, b.extra AS bid_extra, \
                a.item_name, a.description, a.initial_bid, a.reserve, a.date_time AS auction_date_time, a.expires, a.seller, \
                a.category, a.extra AS auction_extra \
              FROM bid AS b JOIN auction AS a ON b.auction = a.id WHERE a.category = 10",
    },
    Query {
        name: "q21",
        about: "the channel of a bid, by name or from the URL",
        sql: "SELECT auction, bidder, price, channel, \
                CASE WHEN lower(channel) = 'apple' THEN '0' WHEN lower(channel) = 'google' THEN '1' \
                     WHEN lower(channel) = 'facebook' THEN '2' WHEN lower(channel) = 'baidu' THEN '3' \
                     ELSE array_element(regexp_match(url, '(&|^)channel_id=([^&]*)'), 2) END AS channel_id \
              FROM bid WHERE array_element(regexp_match(url, '(&|^)channel_id=([^&]*)'), 2) IS NOT NULL \
                OR lower(channel) IN ('apple', 'google', 'facebook', 'baidu')",
    },
    Query {
        name: "q22",
        about: "directories of the URL",
        sql: "SELECT auction, bidder, price, channel, split_part(url, '/', 4) AS dir1, split_part(url, '/', 5) AS dir2, \
                split_part(url, '/', 6) AS dir3 FROM bid",
    },
];
