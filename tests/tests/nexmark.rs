//! Every Nexmark query equals the batch result on 100,000 events, whatever the commits and the number of workers.
#![allow(clippy::unwrap_used)]

use deltic::{Config, Database};
use deltic_nexmark::{Events, QUERIES, SIDE_INPUT_ROWS, STREAMS, side_input_sql};
use deltic_tests::oracle;
use deltic_zset::ZBatch;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

const EVENTS: u64 = 100_000;

/// The query as the oracle needs it: ties broken by the remaining columns, which Deltic does by itself.
fn with_ties_broken(name: &str, sql: &str) -> String {
    let (order, total) = match name {
        "q9" => (
            "ORDER BY b.price DESC, b.date_time ASC)",
            "ORDER BY b.price DESC, b.date_time ASC, a.item_name, a.description, a.initial_bid, a.reserve, a.date_time, a.expires, \
             a.seller, a.category, a.extra, b.auction, b.bidder, b.extra)",
        ),
        "q18" => ("ORDER BY date_time DESC)", "ORDER BY date_time DESC, price, channel, url, extra)"),
        "q19" => ("ORDER BY price DESC)", "ORDER BY price DESC, bidder, channel, url, date_time, extra)"),
        _ => return sql.to_string(),
    };
    assert!(sql.contains(order), "{name} was changed: adapt its order here");
    sql.replace(order, total)
}

#[test]
fn nexmark_queries_equal_batch() {
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    // At 2,000 events a second the run spans 50 s, so that there are several windows.
    let events = Events::at_rate(2_000);
    let all = events.batch(0..EVENTS).unwrap();
    let mut sources: Vec<(String, ZBatch)> =
        all.relations().iter().map(|(name, rows)| ((*name).to_string(), ZBatch::from_record_batch(rows))).collect();
    for workers in [1, 3] {
        let db = Database::open(Config::in_memory().workers(workers).pin_workers(false)).unwrap();
        db.execute(STREAMS).unwrap();
        db.execute(&side_input_sql()).unwrap();
        for query in QUERIES {
            db.execute(&format!("CREATE MATERIALIZED VIEW {} AS {}", query.name, query.sql)).unwrap();
        }
        if workers == 1 {
            let side = db.query("SELECT * FROM side_input").unwrap();
            let side: Vec<ZBatch> = side.iter().map(ZBatch::from_record_batch).collect();
            let side = ZBatch::concat(side[0].schema(), &side).unwrap();
            assert_eq!(side.len(), SIDE_INPUT_ROWS);
            sources.push(("side_input".into(), side));
        }
        let mut next = 0;
        while next < EVENTS {
            let end = (next + rng.random_range(1..20_000)).min(EVENTS);
            let batch = events.batch(next..end).unwrap();
            let mut transaction = db.begin();
            for (name, rows) in batch.relations() {
                transaction.insert(name, rows.clone()).unwrap();
            }
            transaction.commit().unwrap();
            next = end;
        }
        for query in QUERIES {
            let wanted = oracle::query(&with_ties_broken(query.name, query.sql), &sources).unwrap();
            let got: Vec<ZBatch> =
                db.query(&format!("SELECT * FROM {}", query.name)).unwrap().iter().map(ZBatch::from_record_batch).collect();
            let got = ZBatch::concat(&db.relation(query.name).unwrap().schema, &got).unwrap();
            if let Some(difference) = oracle::difference(&wanted, &got) {
                panic!("{} with {workers} workers (seed {seed}): {difference}", query.name);
            }
            assert!(!got.is_empty(), "{} is empty: the test shows nothing", query.name);
        }
    }
}
