//! State that ends: many rows through a session view, a hop view and an interval join with watermarks, while memory is watched.
//!
//! The views on top are small (totals over the windows), so that what grows, if anything, is the state of the windows and joins below them.

use std::error::Error;

use clap::Parser;
use deltic::{Config, Database};
use deltic_benches::clicks::{COLUMNS, Click, batch};
use deltic_benches::process::resident_bytes;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Watches memory over a long run of windows and joins
#[derive(Parser, Debug)]
struct Args {
    /// Rows in all
    #[arg(long, default_value_t = 50_000_000)]
    rows: u64,
    /// Workers
    #[arg(long, default_value_t = 2)]
    workers: usize,
}

const SECOND: i64 = 1_000_000;
const ROWS_PER_COMMIT: u64 = 10_000;
/// Rows of each stream in one second of event time.
const RATE: u64 = 5_000;
const KEYS: u64 = 50_000;

fn main() -> Result<()> {
    let args = Args::parse();
    let db = Database::open(Config::in_memory().workers(args.workers))?;
    for name in ["a", "b"] {
        db.execute(&format!("CREATE STREAM {name} ({COLUMNS}, WATERMARK FOR at AS at - INTERVAL '5' SECOND)"))?;
    }
    db.execute(
        "CREATE MATERIALIZED VIEW sessions AS SELECT count(*) AS n, sum(n) AS clicks, max(m) AS m FROM (
           SELECT k, window_start, count(*) AS n, max(v) AS m FROM a GROUP BY k, SESSION(at, INTERVAL '8' SECOND)) AS s;
         CREATE MATERIALIZED VIEW hops AS SELECT sum(n) AS n, max(m) AS m FROM (
           SELECT k, window_start, count(*) AS n, max(v) AS m
           FROM HOP(a, at, INTERVAL '5' SECOND, INTERVAL '10' SECOND) GROUP BY k, window_start, window_end) AS h;
         CREATE MATERIALIZED VIEW pairs AS SELECT count(*) AS n, sum(a.v + b.v) AS s
           FROM a JOIN b ON a.k = b.k AND b.at BETWEEN a.at - INTERVAL '2' SECOND AND a.at + INTERVAL '2' SECOND;",
    )?;
    for view in ["sessions", "hops", "pairs"] {
        for line in db.query(&format!("EXPLAIN STATE {view}")).into_iter().flatten() {
            println!("{}", arrow::util::pretty::pretty_format_batches(&[line])?);
        }
    }
    println!("{:>12} {:>14} {:>14}", "rows", "resident MB", "state MB");
    let commits = args.rows / ROWS_PER_COMMIT;
    let mut peak_after_warm_up = 0;
    let mut warm = 0;
    for number in 0..commits {
        let mut transaction = db.begin();
        for (side, name) in ["a", "b"].into_iter().enumerate() {
            transaction.insert(name, batch(&rows(number, side as u64))?)?;
        }
        transaction.commit()?;
        let resident = resident_bytes();
        if number == commits / 5 {
            warm = resident;
        }
        if number > commits / 5 {
            peak_after_warm_up = peak_after_warm_up.max(resident);
        }
        if number % (commits / 20).max(1) == 0 {
            println!("{:>12} {:>14.1} {:>14.1}", number * ROWS_PER_COMMIT, resident as f64 / 1e6, state(&db)?.1 as f64 / 1e6);
        }
    }
    for name in ["a", "b"] {
        db.advance_watermark(name, i64::MAX / 2)?;
    }
    println!("after the final watermark: {} rows of state", state(&db)?.0);
    println!("peak after warm-up / at warm-up: {:.2}", peak_after_warm_up as f64 / warm.max(1) as f64);
    for view in ["sessions", "hops", "pairs"] {
        println!("{view}\n{}", arrow::util::pretty::pretty_format_batches(&db.query(&format!("SELECT * FROM {view}"))?)?);
    }
    Ok(())
}

/// Half a commit: rows of one stream, out of order by up to four seconds.
fn rows(commit: u64, side: u64) -> Vec<Click> {
    let half = ROWS_PER_COMMIT / 2;
    (0..half)
        .map(|row| {
            let n = commit * half + row;
            let mixed = (n ^ (side << 40)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let late = (mixed >> 40) as i64 % (4 * SECOND);
            let at = (n as i64) * SECOND / RATE as i64 - late;
            // Keys come and go: a hundredth is new each second.
            Click { key: ((mixed >> 20) % KEYS + n / RATE * (KEYS / 100)) as i64, value: (mixed >> 54) as i64, at }
        })
        .collect()
}

/// Rows and bytes that the operators of all views hold.
fn state(db: &Database) -> Result<(usize, usize)> {
    let stats = db.stats()?;
    let operators = stats.relations.iter().flat_map(|relation| &relation.operators);
    Ok(operators.fold((0, 0), |(rows, bytes), operator| (rows + operator.rows, bytes + operator.bytes)))
}
