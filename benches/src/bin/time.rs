//! Windows and sessions end to end, through SQL and `Database`: throughput, latency, order of arrival, and what closing costs.

use std::error::Error;
use std::time::{Duration, Instant};

use clap::Parser;
use deltic::{Config, Database};
use deltic_benches::clicks::{COLUMNS, Click, batch, scattered};
use deltic_benches::process::{cpu_time, resident_bytes, warm_heap};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Measures windows and sessions end to end
#[derive(Parser, Debug)]
struct Args {
    /// Divide all sizes by this, for a quick look
    #[arg(long, default_value_t = 1)]
    scale: u64,
    /// Workers of the tumbling windows
    #[arg(long, default_value_t = 4)]
    workers: usize,
    /// MiB of heap that are touched before anything is measured
    #[arg(long, default_value_t = 2048)]
    warm_mib: usize,
    /// Which of `sessions`, `latency`, `tumble`, `orders`, `closing`, `joins`; all if none is given
    only: Vec<String>,
}

fn main() -> Result<()> {
    let args = Args::parse();
    warm_heap(args.warm_mib);
    let wanted = |name: &str| args.only.is_empty() || args.only.iter().any(|only| only == name);
    if wanted("sessions") {
        sessions(&args)?;
    }
    if wanted("latency") {
        latency(&args)?;
    }
    if wanted("tumble") {
        tumble(&args)?;
    }
    if wanted("orders") {
        orders(&args)?;
    }
    if wanted("joins") {
        joins(&args)?;
    }
    if wanted("closing") {
        closing(&args)?;
    }
    Ok(())
}

const SECOND: i64 = 1_000_000;

fn open(workers: usize, source: &str, view: &str) -> Result<Database> {
    let db = Database::open(Config::in_memory().workers(workers))?;
    db.execute(&format!("CREATE {source}; CREATE MATERIALIZED VIEW v AS {view}"))?;
    Ok(db)
}

fn commit(db: &Database, rows: &[Click]) -> Result<()> {
    let mut transaction = db.begin();
    transaction.insert("c", batch(rows)?)?;
    transaction.commit()?;
    Ok(())
}

const SESSIONS: &str = "SELECT k, window_start, window_end, count(*) AS n, sum(v) AS s, min(v) AS l, max(v) AS m \
                        FROM c GROUP BY k, SESSION(at, INTERVAL '10' SECOND)";

/// Sessions over rows in order of time, in commits of 10,000 rows.
fn sessions(args: &Args) -> Result<()> {
    println!("sessions with count, sum, min, max; rows in order; commits of 10,000 rows; 1 worker");
    println!("{:<22} {:>8} {:>12} {:>14} {:>16}", "source", "keys", "rows", "rows/s", "rows/CPU-second");
    for source in ["STREAM", "TABLE"] {
        for keys in [10, 1_000, 10_000] {
            let declared = format!("{source} c ({COLUMNS}, WATERMARK FOR at AS at - INTERVAL '5' SECOND)");
            let db = open(1, &declared, SESSIONS)?;
            let rows = 5_000_000 / args.scale;
            // A key has a row every half gap, and pauses after 20 of them.
            let click = |n: u64| {
                let (key, turn) = ((n % keys) as i64, (n / keys) as i64);
                Click { key, value: (n % 1_000) as i64, at: turn * 5 * SECOND + turn / 20 * 20 * SECOND + key % 1_000 }
            };
            let commits: Vec<Vec<Click>> =
                (0..rows).collect::<Vec<u64>>().chunks(10_000).map(|chunk| chunk.iter().map(|&n| click(n)).collect()).collect();
            let (started, cpu) = (Instant::now(), cpu_time());
            for rows in &commits {
                commit(&db, rows)?;
            }
            let (elapsed, cpu) = (started.elapsed().as_secs_f64(), (cpu_time() - cpu).as_secs_f64());
            println!("{source:<22} {keys:>8} {rows:>12} {:>14.0} {:>16.0}", rows as f64 / elapsed, rows as f64 / cpu);
        }
    }
    Ok(())
}

/// Commits of 100 rows to 10,000 keys that have 100 sessions each.
fn latency(args: &Args) -> Result<()> {
    let (keys, per_key) = ((10_000 / args.scale).max(10) as i64, 100);
    let db = open(1, &format!("TABLE c ({COLUMNS})"), SESSIONS)?;
    for session in 0..per_key {
        let rows: Vec<Click> = (0..keys).map(|key| Click { key, value: 1, at: session * 60 * SECOND }).collect();
        commit(&db, &rows)?;
    }
    let mut scatter = scattered((keys * per_key) as u64);
    let mut times = Vec::new();
    for _ in 0..5_000 {
        let rows: Vec<Click> = (&mut scatter)
            .take(100)
            .map(|n| {
                let (key, session) = (n as i64 % keys, n as i64 / keys);
                Click { key, value: n as i64 % 100, at: session * 60 * SECOND + (n as i64 % 9 - 4) * SECOND }
            })
            .collect();
        if rows.is_empty() {
            break;
        }
        let batch = batch(&rows)?;
        let started = Instant::now();
        let mut transaction = db.begin();
        transaction.insert("c", batch)?;
        transaction.commit()?;
        times.push(started.elapsed());
    }
    times.sort_unstable();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e6;
    println!(
        "\ncommits of 100 rows, {keys} keys with {per_key} sessions each: p50 {:.0} us, p90 {:.0} us, p99 {:.0} us, worst {:.0} us",
        at(0.5),
        at(0.9),
        at(0.99),
        at(1.0)
    );
    Ok(())
}

/// 10,000 groups in tumbling windows, in several orders of arrival.
fn tumble(args: &Args) -> Result<()> {
    println!("\ntumbling windows of 60 s, 10,000 groups, count and sum; commits of 10,000 rows; {} workers", args.workers);
    println!("{:<26} {:>12} {:>14} {:>16}", "order of arrival", "rows", "rows/s", "rows/CPU-second");
    let view = "SELECT k, window_start, count(*) AS n, sum(v) AS s FROM TUMBLE(c, at, INTERVAL '60' SECOND) GROUP BY k, window_start, window_end";
    // 100 keys in each of 100 windows: a row's number says both.
    let click = |n: u64, rows: u64| {
        let at = (n as f64 / rows as f64 * 6_000.0 * SECOND as f64) as i64;
        Click { key: (n % 100) as i64, value: (n % 1_000) as i64, at }
    };
    for rows in [10_000_000, 1_000_000, 100_000, 10_000].map(|rows| (rows / args.scale).max(10_000)) {
        for order in ["in order", "shuffled", "partition after partition"] {
            let source =
                format!("STREAM c ({COLUMNS}, WATERMARK FOR at AS at - INTERVAL '5' SECOND) WITH (allowed_lateness = '1 day')");
            let db = open(args.workers, &source, view)?;
            let numbers: Box<dyn Iterator<Item = u64>> = match order {
                "in order" => Box::new(0..rows),
                "shuffled" => Box::new(scattered(rows)),
                _ => Box::new((0..100).flat_map(|key| (0..rows / 100).map(move |turn| turn * 100 + key))),
            };
            let (elapsed, cpu) = submit(&db, "c", &numbers.collect::<Vec<u64>>(), 10_000, |n| click(n, rows))?;
            println!("{order:<26} {rows:>12} {:>14.0} {:>16.0}", rows as f64 / elapsed, rows as f64 / cpu.max(0.01));
        }
    }
    Ok(())
}

/// Inserts the rows of some numbers in commits of so many rows, a few of them under way at a time. Returns seconds, of the clock and of CPUs.
fn submit(db: &Database, source: &str, numbers: &[u64], commit_rows: usize, row: impl Fn(u64) -> Click) -> Result<(f64, f64)> {
    let commits = numbers.chunks(commit_rows).map(|chunk| batch(&chunk.iter().map(|&n| row(n)).collect::<Vec<_>>()));
    let commits: Vec<_> = commits.collect::<std::result::Result<_, _>>()?;
    let (started, cpu) = (Instant::now(), cpu_time());
    let mut pending = std::collections::VecDeque::new();
    for rows in commits {
        let mut transaction = db.begin();
        transaction.insert(source, rows)?;
        pending.push_back(transaction.submit()?);
        if pending.len() > 4
            && let Some(oldest) = pending.pop_front()
        {
            oldest.wait()?;
        }
    }
    pending.into_iter().try_for_each(|pending| pending.wait().map(drop))?;
    Ok((started.elapsed().as_secs_f64(), (cpu_time() - cpu).as_secs_f64()))
}

/// 10,000 groups, all of which every commit touches, whatever the order of arrival: so the output is the same, and only the order differs.
fn orders(args: &Args) -> Result<()> {
    println!(
        "\ntumbling windows, 10,000 keys in the open window, count and sum; commits of 100,000 rows; {} workers",
        args.workers
    );
    println!("{:<26} {:>12} {:>14} {:>16}", "order of arrival", "rows", "rows/s", "rows/CPU-second");
    let view = "SELECT k, window_start, count(*) AS n, sum(v) AS s FROM TUMBLE(c, at, INTERVAL '1' DAY) GROUP BY k, window_start, window_end";
    // The partition of a row (of ten) is not its key: each has all keys.
    let click = |n: u64| Click { key: (n / 10 % 10_000) as i64, value: (n % 1_000) as i64, at: n as i64 };
    for rows in [10_000_000, 1_000_000].map(|rows| (rows / args.scale).max(1_000_000)) {
        for order in ["in order", "shuffled", "partition after partition"] {
            let source =
                format!("STREAM c ({COLUMNS}, WATERMARK FOR at AS at - INTERVAL '5' SECOND) WITH (allowed_lateness = '1 day')");
            let db = open(args.workers, &source, view)?;
            let numbers: Box<dyn Iterator<Item = u64>> = match order {
                "in order" => Box::new(0..rows),
                "shuffled" => Box::new(scattered(rows)),
                _ => Box::new((0..10).flat_map(|partition| (0..rows / 10).map(move |turn| turn * 10 + partition))),
            };
            let (elapsed, cpu) = submit(&db, "c", &numbers.collect::<Vec<u64>>(), 100_000, click)?;
            println!("{order:<26} {rows:>12} {:>14.0} {:>16.0}", rows as f64 / elapsed, rows as f64 / cpu.max(0.01));
        }
    }
    Ok(())
}

/// Joins by time over streams, rows of both sides in turns, 1,000 keys.
fn joins(args: &Args) -> Result<()> {
    println!("\njoins by time over streams in order; 1,000 keys; commits of 10,000 rows of each side; 1 worker");
    println!("{:<26} {:>12} {:>14} {:>16}", "join", "rows", "rows/s", "rows/CPU-second");
    let both = "c JOIN r ON c.k = r.k AND r.at BETWEEN c.at - INTERVAL '1' SECOND AND c.at";
    let as_of = "c ASOF JOIN r ON c.k = r.k MATCH_CONDITION (c.at >= r.at)";
    let lookup = "c JOIN latest FOR SYSTEM_TIME AS OF c.at AS r ON c.k = r.k";
    for (name, from) in [("interval", both), ("as-of", as_of), ("lookup in a view", lookup)] {
        let db = Database::open(Config::in_memory().workers(1))?;
        db.execute(&format!("CREATE STREAM c ({COLUMNS}, WATERMARK FOR at); CREATE STREAM r ({COLUMNS}, WATERMARK FOR at)"))?;
        db.execute("CREATE MATERIALIZED VIEW latest AS SELECT k, max(v) AS v FROM r GROUP BY k")?;
        db.execute(&format!("CREATE MATERIALIZED VIEW v AS SELECT c.k, c.v, r.v AS rv FROM {from}"))?;
        let rows = 2_000_000 / args.scale;
        let click = |n: u64| Click { key: (n % 1_000) as i64, value: (n % 977) as i64, at: n as i64 * 100 };
        let numbers: Vec<u64> = (0..rows).collect();
        let chunks = numbers.chunks(10_000).map(|chunk| batch(&chunk.iter().map(|&n| click(n)).collect::<Vec<_>>()));
        let commits: Vec<_> = chunks.collect::<std::result::Result<_, _>>()?;
        let (started, cpu) = (Instant::now(), cpu_time());
        for commit in commits {
            let mut transaction = db.begin();
            transaction.insert("r", commit.clone())?;
            transaction.insert("c", commit)?;
            transaction.commit()?;
        }
        let (elapsed, cpu) = (started.elapsed().as_secs_f64(), (cpu_time() - cpu).as_secs_f64());
        println!("{name:<26} {:>12} {:>14.0} {:>16.0}", 2 * rows, 2.0 * rows as f64 / elapsed, 2.0 * rows as f64 / cpu.max(0.01));
    }
    Ok(())
}

/// Many open sessions, closed by one watermark; and epochs that close none while they are open.
fn closing(args: &Args) -> Result<()> {
    println!("\nclosing sessions by one watermark (EMIT ON WINDOW CLOSE), 1 worker");
    println!(
        "{:>12} {:>14} {:>18} {:>22} {:>14}",
        "open", "close, ms", "ns per session", "epoch that closes none", "bytes/session"
    );
    for open_sessions in [1_000_000, 100_000, 10_000].map(|sessions| (sessions / args.scale).max(1_000)) {
        let source = format!("STREAM c ({COLUMNS}, WATERMARK FOR at)");
        let before = resident_bytes();
        let db = open(1, &source, &format!("{SESSIONS} EMIT ON WINDOW CLOSE"))?;
        let numbers: Vec<u64> = (0..open_sessions).collect();
        for chunk in numbers.chunks(10_000) {
            let rows: Vec<Click> =
                chunk.iter().map(|&n| Click { key: n as i64, value: 1, at: (n % 1_000) as i64 * SECOND }).collect();
            commit(&db, &rows)?;
        }
        let bytes = resident_bytes().saturating_sub(before) / open_sessions;
        let mut quiet = Vec::new();
        for step in 1..200 {
            quiet.push(timed(|| Ok(db.advance_watermark("c", -SECOND + step).map(drop)?))?);
        }
        quiet.sort_unstable();
        let closing = timed(|| Ok(db.advance_watermark("c", 10_000 * SECOND).map(drop)?))?;
        let per_session = closing.as_nanos() as f64 / open_sessions as f64;
        println!(
            "{open_sessions:>12} {:>14.1} {per_session:>18.0} {:>19.0} us {bytes:>14}",
            closing.as_secs_f64() * 1e3,
            quiet[quiet.len() / 2].as_secs_f64() * 1e6
        );
    }
    Ok(())
}

fn timed(work: impl FnOnce() -> Result<()>) -> Result<Duration> {
    let started = Instant::now();
    work()?;
    Ok(started.elapsed())
}
