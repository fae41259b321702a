//! `deltic demo`: sessions that merge and split, then Nexmark live. Events are generated, committed and followed until the time or the number of events is up.

mod sessions;

use std::collections::VecDeque;
use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use arrow::util::display::{ArrayFormatter, FormatOptions};
use deltic::{Change, Config, Database, Pending, ViewDelta};
use deltic_nexmark::{Batch, Events, TIMED_STREAMS};

use crate::format::{display_options, print_rows};

/// Arguments of `deltic demo`.
#[derive(clap::Args, Debug)]
pub(crate) struct DemoArgs {
    /// Stop after this many events
    #[arg(long)]
    events: Option<u64>,
    /// Stop after this many seconds, unless --events is given
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Events in a commit
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    commit_events: u64,
    /// Worker threads [default: one for each core but one]
    #[arg(long)]
    workers: Option<usize>,
}

/// The views of the demo: small results over all that happened, so that they can be shown whole.
const VIEWS: &str = "
CREATE MATERIALIZED VIEW winning_bid AS
  SELECT id, category, price FROM (
    SELECT a.id, a.category, b.price,
           row_number() OVER (PARTITION BY a.id ORDER BY b.price DESC, b.date_time) AS place
    FROM auction AS a JOIN bid AS b ON a.id = b.auction
    WHERE b.date_time BETWEEN a.date_time AND a.expires) AS w
  WHERE place = 1;

CREATE MATERIALIZED VIEW category_price AS
  SELECT category, count(*) AS auctions_sold, avg(price) AS average_price, max(price) AS highest
  FROM winning_bid GROUP BY category;

CREATE MATERIALIZED VIEW channel AS
  SELECT channel, count(*) AS bids, count(DISTINCT bidder) AS bidders
  FROM bid GROUP BY channel ORDER BY bids DESC LIMIT 5;

CREATE MATERIALIZED VIEW suggestion AS
  SELECT p.name, p.city, a.id AS auction
  FROM auction AS a JOIN person AS p ON a.seller = p.id
  WHERE a.category = 10 AND p.state IN ('or', 'id', 'ca');

CREATE MATERIALIZED VIEW bidding_session AS
  SELECT bidder, window_start, window_end, count(*) AS bids, max(price) AS highest
  FROM bid GROUP BY bidder, SESSION(date_time, INTERVAL '1' SECOND)
  HAVING count(*) >= 50;
";

/// Views whose changes are followed and shown.
const FOLLOWED: [&str; 3] = ["category_price", "suggestion", "bidding_session"];
/// Lines of changes on the screen.
const SHOWN_CHANGES: usize = 8;
/// Commits that may be under way at once.
const IN_FLIGHT: usize = 8;
/// Batches that may wait for their commit.
const GENERATED_AHEAD: usize = 16;

/// What the display shows.
struct Progress {
    started: Instant,
    events: AtomicU64,
    changes: AtomicU64,
    latencies: Mutex<Vec<Duration>>,
    recent: Mutex<VecDeque<String>>,
    finished: AtomicBool,
}

pub(crate) fn demo(args: &DemoArgs) -> Result<(), Box<dyn std::error::Error>> {
    sessions::sessions()?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let workers = args.workers.unwrap_or_else(|| cores.saturating_sub(1).max(1));
    let db = Database::open(Config::in_memory().workers(workers))?;
    db.execute(TIMED_STREAMS)?;
    let started = Instant::now();
    let outcomes = db.execute(VIEWS)?;
    println!(
        "Nexmark: three streams, {} views created in {:.1} ms, {workers} workers, {} events to a commit.\n",
        outcomes.len(),
        started.elapsed().as_secs_f64() * 1e3,
        args.commit_events
    );

    let progress = Arc::new(Progress {
        started: Instant::now(),
        events: AtomicU64::new(0),
        changes: AtomicU64::new(0),
        latencies: Mutex::new(Vec::new()),
        recent: Mutex::new(VecDeque::new()),
        finished: AtomicBool::new(false),
    });
    let mut subscription = db.subscribe(&FOLLOWED)?;
    let outcome = std::thread::scope(|scope| {
        let following = scope.spawn(|| -> Result<(), deltic::Error> {
            while !progress.finished.load(Ordering::Acquire) {
                if let Some(change) = subscription.next_timeout(Duration::from_millis(50)) {
                    note_change(&progress, &change?);
                }
            }
            Ok(())
        });
        let showing = scope.spawn(|| show_until_finished(&progress));
        let fed = feed(&db, args, &progress);
        progress.finished.store(true, Ordering::Release);
        let followed = following.join();
        let _ = showing.join();
        fed?;
        Ok::<_, Box<dyn std::error::Error>>(followed.map_err(|_| "the thread that follows the views panicked")??)
    });
    outcome?;
    summary(&db, &progress)
}

/// Generates on a thread of its own and commits here, a few commits at a time.
fn feed(db: &Database, args: &DemoArgs, progress: &Progress) -> Result<(), Box<dyn std::error::Error>> {
    let last = args.events.unwrap_or(u64::MAX);
    let deadline = args.events.is_none().then(|| progress.started + Duration::from_secs(args.seconds));
    let step = args.commit_events;
    let (sender, receiver) = mpsc::sync_channel::<(u64, Result<Batch, arrow::error::ArrowError>)>(GENERATED_AHEAD);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let events = Events::at_rate(100_000);
            let mut next = 0;
            while next < last {
                let end = (next + step).min(last);
                if sender.send((end - next, events.batch(next..end))).is_err() {
                    return;
                }
                next = end;
            }
        });
        let mut pending: VecDeque<(u64, Instant, Pending)> = VecDeque::new();
        for (count, batch) in &receiver {
            let mut transaction = db.begin();
            for (relation, rows) in batch?.relations() {
                transaction.insert(relation, rows.clone())?;
            }
            pending.push_back((count, Instant::now(), transaction.submit()?));
            if pending.len() >= IN_FLIGHT {
                finish(&mut pending, progress)?;
            }
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                break;
            }
        }
        drop(receiver);
        while !pending.is_empty() {
            finish(&mut pending, progress)?;
        }
        Ok(())
    })
}

fn finish(pending: &mut VecDeque<(u64, Instant, Pending)>, progress: &Progress) -> Result<(), deltic::Error> {
    if let Some((count, submitted, commit)) = pending.pop_front() {
        commit.wait()?;
        progress.events.fetch_add(count, Ordering::Relaxed);
        lock(&progress.latencies).push(submitted.elapsed());
    }
    Ok(())
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn note_change(progress: &Progress, change: &Change) {
    for delta in &change.deltas {
        progress.changes.fetch_add(delta.rows.num_rows() as u64, Ordering::Relaxed);
        if let Some(line) = describe(change.epoch, delta) {
            let mut recent = lock(&progress.recent);
            recent.push_back(line);
            if recent.len() > SHOWN_CHANGES {
                recent.pop_front();
            }
        }
    }
}

/// The first retraction and the first insertion of a delta, on one line.
fn describe(epoch: u64, delta: &ViewDelta) -> Option<String> {
    let options = display_options();
    let rows: Option<Vec<String>> = [-1, 1]
        .into_iter()
        .filter_map(|sign| (0..delta.weights.len()).find(|&row| delta.weights.value(row).signum() == sign))
        .map(|row| Some(format!("{:+} {}", delta.weights.value(row), row_text(delta, row, &options)?)))
        .collect();
    let rest = match delta.rows.num_rows() {
        0..=2 => String::new(),
        n => format!("  and {} more", n - 2),
    };
    Some(format!("epoch {epoch:>6}  {:<15} {}{rest}", delta.view, rows?.join("   ")))
}

fn row_text(delta: &ViewDelta, row: usize, options: &FormatOptions) -> Option<String> {
    let values: Option<Vec<String>> = delta
        .rows
        .columns()
        .iter()
        .map(|column| ArrayFormatter::try_new(column, options).ok().map(|formatter| formatter.value(row).to_string()))
        .collect();
    Some(format!("({})", values?.join(", ")))
}

/// Redraws in place on a terminal; prints a line a second elsewhere.
fn show_until_finished(progress: &Progress) {
    let terminal = std::io::stdout().is_terminal();
    let pause = Duration::from_millis(if terminal { 200 } else { 1_000 });
    let mut drawn = 0;
    let mut next = Instant::now() + pause;
    while !progress.finished.load(Ordering::Acquire) {
        std::thread::sleep(Duration::from_millis(20));
        if Instant::now() < next {
            continue;
        }
        next += pause;
        if terminal {
            let mut screen = String::new();
            if drawn > 0 {
                screen.push_str(&format!("\x1b[{drawn}A\x1b[J"));
            }
            let recent = lock(&progress.recent);
            screen.push_str(&format!("{}\n\n", status(progress)));
            for line in recent.iter() {
                screen.extend(line.chars().take(140));
                screen.push('\n');
            }
            drawn = recent.len() + 2;
            print!("{screen}");
        } else {
            println!("{}", status(progress));
        }
        // A closed pipe ends the display, not the demo.
        if std::io::stdout().flush().is_err() {
            return;
        }
    }
}

fn status(progress: &Progress) -> String {
    let seconds = progress.started.elapsed().as_secs_f64();
    let events = progress.events.load(Ordering::Relaxed);
    let (p50, p99) = percentiles(&lock(&progress.latencies));
    format!(
        "{seconds:>5.1} s  {events:>10} events  {:>9.0} events/s  {:>8} changes  commit p50 {:.2} ms, p99 {:.2} ms",
        events as f64 / seconds.max(1e-9),
        progress.changes.load(Ordering::Relaxed),
        p50.as_secs_f64() * 1e3,
        p99.as_secs_f64() * 1e3
    )
}

fn percentiles(latencies: &[Duration]) -> (Duration, Duration) {
    let mut sorted = latencies.to_vec();
    sorted.sort_unstable();
    let at = |per_mille: usize| sorted.get(sorted.len().saturating_sub(1) * per_mille / 1000).copied().unwrap_or_default();
    (at(500), at(990))
}

fn summary(db: &Database, progress: &Progress) -> Result<(), Box<dyn std::error::Error>> {
    println!("{}\n\nThe views now:\n", status(progress));
    for query in [
        "SELECT * FROM category_price ORDER BY category",
        "SELECT * FROM channel ORDER BY bids DESC",
        "SELECT count(*) AS suggestions FROM suggestion",
        "SELECT count(*) AS sessions_of_50_bids_or_more, max(bids) AS most_bids FROM bidding_session",
    ] {
        println!("{query}");
        print_rows(&db.query(query)?, crate::format::Format::Table, &mut std::io::stdout())?;
        println!();
    }
    println!("Latency is from submit to every view reflecting the commit, with up to {IN_FLIGHT} commits in flight.");
    Ok(())
}
