//! Nexmark's queries with windows as Flink and RisingWave write them. They plan as they stand, both to the same circuit but for names.

#![allow(clippy::unwrap_used, missing_docs)]

mod common;
#[path = "common/meaning.rs"]
mod meaning;

use common::{apply, catalog_of, circuit, plan};
use deltic_sql::Catalog;

fn catalog() -> Catalog {
    catalog_of(
        "CREATE STREAM person (id BIGINT, name VARCHAR, `dateTime` TIMESTAMP, WATERMARK FOR `dateTime` AS `dateTime` - INTERVAL '4' SECOND);
         CREATE STREAM auction (id BIGINT, seller BIGINT, `dateTime` TIMESTAMP, WATERMARK FOR `dateTime` AS `dateTime` - INTERVAL '4' SECOND);
         CREATE STREAM bid (auction BIGINT, bidder BIGINT, price BIGINT, `dateTime` TIMESTAMP, extra VARCHAR,
                            WATERMARK FOR `dateTime` AS `dateTime` - INTERVAL '4' SECOND)",
    )
}

const Q5: &str = "
    SELECT AuctionBids.auction, AuctionBids.num FROM (
        SELECT auction, count(*) AS num, window_start AS starttime, window_end AS endtime
        FROM {hop} GROUP BY auction, window_start, window_end
    ) AS AuctionBids
    JOIN (
        SELECT max(CountBids.num) AS maxn, CountBids.starttime, CountBids.endtime
        FROM (
            SELECT count(*) AS num, window_start AS starttime, window_end AS endtime
            FROM {hop} GROUP BY auction, window_start, window_end
        ) AS CountBids
        GROUP BY CountBids.starttime, CountBids.endtime
    ) AS MaxBids
    ON AuctionBids.starttime = MaxBids.starttime AND AuctionBids.endtime = MaxBids.endtime AND AuctionBids.num >= MaxBids.maxn";

const Q7: &str = "
    SELECT B.auction, B.price, B.bidder, B.`dateTime`, B.extra
    FROM bid B
    JOIN (SELECT MAX(price) AS maxprice, window_end AS `dateTime` FROM {tumble bid} GROUP BY window_start, window_end) B1
    ON B.price = B1.maxprice
    WHERE B.`dateTime` BETWEEN B1.`dateTime` - INTERVAL '10' SECOND AND B1.`dateTime`";

const Q8: &str = "
    SELECT P.id, P.name, P.starttime
    FROM (
        SELECT id, name, window_start AS starttime, window_end AS endtime
        FROM {tumble person} GROUP BY id, name, window_start, window_end
    ) P
    JOIN (
        SELECT seller, window_start AS starttime, window_end AS endtime
        FROM {tumble auction} GROUP BY seller, window_start, window_end
    ) A
    ON P.id = A.seller AND P.starttime = A.starttime AND P.endtime = A.endtime";

const Q11: &str = "
    SELECT B.bidder, count(*) AS bid_count,
           SESSION_START(B.`dateTime`, INTERVAL '10' SECOND) AS starttime,
           SESSION_END(B.`dateTime`, INTERVAL '10' SECOND) AS endtime
    FROM bid B
    GROUP BY B.bidder, SESSION(B.`dateTime`, INTERVAL '10' SECOND)";

fn flink(query: &str) -> String {
    let mut query =
        query.replace("{hop}", "TABLE(HOP(TABLE bid, DESCRIPTOR(`dateTime`), INTERVAL '2' SECOND, INTERVAL '10' SECOND))");
    for table in ["bid", "person", "auction"] {
        let tumble = format!("TABLE(TUMBLE(TABLE {table}, DESCRIPTOR(`dateTime`), INTERVAL '10' SECOND))");
        query = query.replace(&format!("{{tumble {table}}}"), &tumble);
    }
    query
}

fn risingwave(query: &str) -> String {
    let mut query = query.replace("{hop}", "HOP(bid, \"dateTime\", INTERVAL '2' SECOND, INTERVAL '10' SECOND)");
    for table in ["bid", "person", "auction"] {
        query = query.replace(&format!("{{tumble {table}}}"), &format!("TUMBLE({table}, \"dateTime\", INTERVAL '10' SECOND)"));
    }
    query
}

#[test]
fn flink_and_risingwave_mean_the_same() {
    let catalog = catalog();
    for query in [Q5, Q7, Q8, Q11] {
        assert_eq!(circuit(&catalog, &flink(query)), circuit(&catalog, &risingwave(query)), "{query}");
    }
    let text = circuit(&catalog, &flink(Q5));
    assert_eq!(text.matches("TimeWindow of").count(), 1, "both halves share the counts of the windows\n{text}");
    assert!(circuit(&catalog, &flink(Q7)).contains("IntervalJoin"));
    let text = circuit(&catalog, &flink(Q11));
    assert!(text.contains("Session") && !text.contains("Aggregate"), "{text}");
}

#[test]
fn their_rows() {
    let catalog = catalog();
    let bids = (
        "bid",
        "(1, 7, 10, '1970-01-01 00:00:01', 'a'), (1, 8, 30, '1970-01-01 00:00:03', 'b'), (2, 7, 20, '1970-01-01 00:00:12', 'c')",
    );
    let people = ("person", "(7, 'x', '1970-01-01 00:00:02'), (8, 'y', '1970-01-01 00:00:11')");
    let auctions = ("auction", "(1, 7, '1970-01-01 00:00:09'), (2, 8, '1970-01-01 00:00:09')");
    let rows = |query: &str| meaning::rows(&catalog, &plan(&catalog, &flink(query)).circuit, &[bids, people, auctions]);
    // Four windows, a new one every 2 s, hold both bids of the first auction; five hold the one of the second.
    let hottest = rows(Q5);
    assert_eq!(hottest.iter().filter(|row| *row == "1, 2").count(), 4, "{hottest:?}");
    assert_eq!(hottest.iter().filter(|row| *row == "2, 1").count(), 5, "{hottest:?}");
    assert_eq!(rows(Q7), ["1, 30, 8, 00:00:03, b", "2, 20, 7, 00:00:12, c"]);
    assert_eq!(rows(Q8), ["7, x, 00:00:00"]);
    assert_eq!(rows(Q11), ["7, 1, 00:00:01, 00:00:11", "7, 1, 00:00:12, 00:00:22", "8, 1, 00:00:03, 00:00:13"]);
}

#[test]
fn they_may_wait_for_their_windows() {
    let mut catalog = catalog();
    for (name, query) in [("q5", Q5), ("q8", Q8), ("q11", Q11)] {
        for emit in ["ON WINDOW CLOSE", "FINAL"] {
            let view = format!("CREATE OR REPLACE MATERIALIZED VIEW {name} AS {} EMIT {emit}", flink(query));
            apply(&mut catalog, &view).unwrap_or_else(|error| panic!("{view}: {error}"));
        }
    }
}
