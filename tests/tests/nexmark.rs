//! Every Nexmark query equals the batch result on 100,000 events, whatever the commits and the number of workers.
#![allow(clippy::unwrap_used)]

use arrow::array::{AsArray, RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::TimestampMicrosecondType;
use deltic::{Config, Database};
use deltic_nexmark::{
    Events, QUERIES, SIDE_INPUT_ROWS, STREAMS, TIMED_STREAMS, WATERMARK_DELAY_MS, WINDOWED, query, side_input_sql,
};
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

/// Sessions as a batch engine has them: a session starts where the step from the row before is longer than the gap.
const Q11_BATCH: &str = "\
    WITH g AS (SELECT bidder, date_time, CASE WHEN date_time - lag(date_time) OVER (PARTITION BY bidder ORDER BY date_time) \
        <= INTERVAL '1' SECOND THEN 0 ELSE 1 END AS fresh FROM bid), \
      n AS (SELECT bidder, date_time, sum(fresh) OVER (PARTITION BY bidder ORDER BY date_time ROWS UNBOUNDED PRECEDING) AS n FROM g) \
    SELECT bidder, count(*) AS bid_count, min(date_time) AS start_time, max(date_time) + INTERVAL '1' SECOND AS end_time \
    FROM n GROUP BY bidder, n";

/// The rows in some order in which none comes later than the watermarks allow.
fn shuffled(rows: &RecordBatch, rng: &mut StdRng) -> RecordBatch {
    let times = rows.column_by_name("date_time").unwrap().as_primitive::<TimestampMicrosecondType>();
    let mut order: Vec<(i64, u32)> =
        times.values().iter().zip(0..).map(|(time, row)| (time + rng.random_range(0..WATERMARK_DELAY_MS * 1000), row)).collect();
    order.sort_unstable();
    take_record_batch(rows, &order.iter().map(|(_, row)| *row).collect::<UInt32Array>()).unwrap()
}

#[test]
fn windows_in_window_syntax_equal_batch_in_any_order_within_the_watermark() {
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    let all = Events::at_rate(2_000).batch(0..EVENTS).unwrap();
    let sources: Vec<(String, ZBatch)> =
        all.relations().iter().map(|(name, rows)| ((*name).to_string(), ZBatch::from_record_batch(rows))).collect();
    for (workers, emit) in [(1, ""), (3, ""), (3, " EMIT FINAL")] {
        let db = Database::open(Config::in_memory().workers(workers).pin_workers(false)).unwrap();
        db.execute(TIMED_STREAMS).unwrap();
        // q7 joins what is not in its window, and q6 has none, so their rows are never final.
        for query in WINDOWED {
            let emit = if matches!(query.name, "q6" | "q7") { "" } else { emit };
            db.execute(&format!("CREATE MATERIALIZED VIEW {} AS {}{emit}", query.name, query.sql)).unwrap();
        }
        let feeds: Vec<(&str, RecordBatch)> =
            all.relations().iter().map(|(name, rows)| (*name, shuffled(rows, &mut rng))).collect();
        let commits = 50;
        for commit in 0..commits {
            let mut transaction = db.begin();
            for (name, rows) in &feeds {
                let (from, to) = (rows.num_rows() * commit / commits, rows.num_rows() * (commit + 1) / commits);
                transaction.insert(name, rows.slice(from, to - from)).unwrap();
            }
            transaction.commit().unwrap();
        }
        for name in ["person", "auction", "bid"] {
            assert!(db.query(&format!("SELECT * FROM {name}$late")).unwrap().iter().all(|late| late.num_rows() == 0), "{name}");
            db.execute(&format!("ADVANCE WATERMARK {name} TO TIMESTAMP '2999-01-01'")).unwrap();
        }
        for windowed in WINDOWED {
            let batch = if windowed.name == "q11" { Q11_BATCH } else { query(windowed.name).unwrap().sql };
            let wanted = oracle::query(batch, &sources).unwrap();
            let got: Vec<ZBatch> =
                db.query(&format!("SELECT * FROM {}", windowed.name)).unwrap().iter().map(ZBatch::from_record_batch).collect();
            let got = ZBatch::concat(&db.relation(windowed.name).unwrap().schema, &got).unwrap();
            if let Some(difference) = oracle::difference(&wanted, &got) {
                panic!("{}{emit} with {workers} workers (seed {seed}): {difference}", windowed.name);
            }
            assert!(!got.is_empty(), "{} is empty: the test shows nothing", windowed.name);
        }
    }
}
