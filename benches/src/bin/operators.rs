//! Our operators against differential-dataflow's typed ones: rows per CPU-second of one worker, side by side in one run, and the worst epoch.
//!
//! 1M keys, two 8-byte columns. Both sides are preloaded with every key, then run the same epochs in turns: one of ours, one of theirs, so that a noisy
//! neighbour slows both; between the two, a loop without memory shows what the machine itself takes away. Making the rows is not timed; putting them into the form that each side takes (a batch here, updates there) is.

use std::error::Error;
use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};
use deltic::{Config, Database};
use deltic_benches::differential::{self, EpochLoop};
use deltic_benches::operators::{self, Loop, batch};
use deltic_benches::process::{Spent, spent, warm_heap};
use deltic_benches::rows::{Rows, every_key};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Compares the operators with differential-dataflow's
#[derive(Parser, Debug)]
struct Args {
    /// Different keys
    #[arg(long, default_value_t = 1_000_000)]
    keys: u64,
    /// Rows of an epoch
    #[arg(long, value_delimiter = ',', default_values_t = [10_000, 100_000])]
    epoch_rows: Vec<usize>,
    /// Rows in all for each measurement
    #[arg(long, default_value_t = 10_000_000)]
    rows: usize,
    /// What to measure [default: all]
    #[arg(long, value_delimiter = ',')]
    only: Vec<Subject>,
    /// MiB of heap that are touched before anything is measured
    #[arg(long, default_value_t = 2048)]
    warm_mib: usize,
    /// Run only our side, for a profile
    #[arg(long)]
    alone: bool,
    /// Print so many of the slowest epochs of our side, with their CPU time and page faults
    #[arg(long, default_value_t = 0)]
    slowest: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Subject {
    /// The group-by against differential-dataflow's
    GroupBy,
    /// DISTINCT against differential-dataflow's
    Distinct,
    /// The join against differential-dataflow's
    Join,
    /// The group-by through SQL and `Database` against the operator alone
    Sql,
    /// Commits of one row
    OneRow,
    /// Creating a view over a loaded table
    Create,
    /// Changes of facts, and of what they refer to, with sums below the join and without
    PartialSums,
}

impl Args {
    fn measures(&self, subject: Subject) -> bool {
        self.only.is_empty() || self.only.contains(&subject)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    warm_heap(args.warm_mib);
    println!(
        "{:<10} {:>11} {:>14} {:>14} {:>6} {:>10} {:>9} {:>9} {:>7} {:>8} {:>13} {:>12} {:>12}",
        "operator",
        "epoch rows",
        "deltic rows/s",
        "diff. rows/s",
        "ratio",
        "median ms",
        "p99.9/med",
        "worst/med",
        "(cpu)",
        "worst ms",
        "diff. wst/med",
        "diff. worst",
        "spin wst/med"
    );
    for &rows in &args.epoch_rows {
        if args.measures(Subject::GroupBy) {
            let (mut ours, mut theirs) = (Loop::new(&operators::group_by()?), differential::GroupBy::default());
            compare("group by", &args, rows, Rows::epoch, &mut ours, &mut theirs);
        }
        if args.measures(Subject::Distinct) {
            let (mut ours, mut theirs) = (Loop::new(&operators::distinct()?), differential::Distinct::default());
            compare("distinct", &args, rows, Rows::epoch_of_pairs, &mut ours, &mut theirs);
        }
        if args.measures(Subject::Join) {
            let (keys, values) = every_key(args.keys);
            let (mut ours, mut theirs) = (Loop::new(&operators::join()?), differential::Join::default());
            ours.feed("r", batch(&keys, &values));
            theirs.load_right(&keys, &values);
            compare("join", &args, rows, Rows::epoch, &mut ours, &mut theirs);
        }
        if args.measures(Subject::Sql) {
            let mut ours = ThroughSql::new()?;
            let mut operator = Loop::new(&operators::group_by()?);
            compare("sql group", &args, rows, Rows::epoch, &mut ours, &mut operator);
        }
    }
    if args.measures(Subject::Sql) {
        println!("sql group: the group-by through SQL and Database; its ratio is to the operator alone");
    }
    if args.measures(Subject::Create) {
        create_over_loaded_table(args.keys)?;
    }
    if args.measures(Subject::OneRow) {
        one_row_commits()?;
    }
    if args.measures(Subject::PartialSums) {
        partial_sums()?;
    }
    Ok(())
}

/// Runs both sides over the same epochs, in turns, and prints a line.
fn compare(
    name: &str,
    args: &Args,
    rows: usize,
    make: impl Fn(&mut Rows, usize) -> (Vec<i64>, Vec<i64>),
    ours: &mut dyn EpochLoop,
    theirs: &mut dyn EpochLoop,
) {
    let epochs = (args.rows / rows).max(1);
    let (keys, values) = every_key(args.keys);
    for (keys, values) in keys.chunks(rows).zip(values.chunks(rows)) {
        ours.epoch(keys, values);
        if !args.alone {
            theirs.epoch(keys, values);
        }
    }
    let mut generator = Rows::new(args.keys, 42);
    let (mut our_times, mut their_times) = (Vec::with_capacity(epochs), Vec::with_capacity(epochs));
    let mut spin_times = Vec::with_capacity(epochs);
    for _ in 0..epochs {
        let (keys, values) = make(&mut generator, rows);
        our_times.push(spent(|| ours.epoch(&keys, &values)));
        spin_times.push(spent(|| spin(rows)));
        their_times.push(if args.alone { Spent::default() } else { spent(|| theirs.epoch(&keys, &values)) });
    }
    if args.slowest > 0 {
        print_slowest(&our_times, args.slowest);
    }
    let rate = |times: &[Spent]| (rows * epochs) as f64 / times.iter().map(|spent| spent.wall).sum::<Duration>().as_secs_f64();
    let (ours, theirs) = (rate(&our_times), rate(&their_times));
    our_times.sort_unstable();
    their_times.sort_unstable();
    spin_times.sort_unstable();
    let at = |times: &[Spent], per_mille: usize| times[(epochs - 1) * per_mille / 1000].wall.as_secs_f64() * 1e3;
    let (median, worst) = (at(&our_times, 500), at(&our_times, 1000));
    let worst_cpu = our_times[epochs - 1].cpu.as_secs_f64() * 1e3;
    let their_worst = at(&their_times, 1000);
    println!(
        "{name:<10} {rows:>11} {ours:>14.0} {theirs:>14.0} {:>6.2} {median:>10.2} {:>9.1} {:>9.1} {:>7.1} {worst:>8.2} {:>13.1} {:>12.1} {:>12.1}",
        ours / theirs,
        at(&our_times, 999) / median,
        worst / median,
        worst_cpu / median,
        their_worst / at(&their_times, 500),
        their_worst,
        at(&spin_times, 1000) / at(&spin_times, 500),
    );
}

/// Computes in registers alone, for about as long as an operator takes for so many rows: it varies by what the machine takes away.
fn spin(rows: usize) -> u64 {
    (0..rows as u64 * 32).fold(1, |hash: u64, step| std::hint::black_box(hash.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ step))
}

/// The slowest epochs: where they are, and whether the thread computed, waited, or was given memory.
fn print_slowest(times: &[Spent], count: usize) {
    let mut slowest: Vec<(usize, &Spent)> = times.iter().enumerate().collect();
    slowest.sort_unstable_by(|left, right| right.1.cmp(left.1));
    for (epoch, Spent { wall, cpu, faults }) in slowest.into_iter().take(count) {
        println!(
            "  epoch {epoch:>5}: {:>7.2} ms, {:>7.2} ms on the CPU, {faults} page faults",
            wall.as_secs_f64() * 1e3,
            cpu.as_secs_f64() * 1e3
        );
    }
}

fn time(epoch: impl FnOnce() -> u64) -> Duration {
    let started = Instant::now();
    std::hint::black_box(epoch());
    started.elapsed()
}

/// The group-by as a view over a stream, one worker, each epoch a commit.
struct ThroughSql {
    db: Database,
}

impl ThroughSql {
    fn new() -> Result<Self, deltic::Error> {
        let db = Database::open(Config::in_memory().workers(1))?;
        db.execute(
            "CREATE STREAM l (k BIGINT NOT NULL, v BIGINT NOT NULL);
             CREATE MATERIALIZED VIEW g AS SELECT k, count(*) AS n, sum(v) AS s FROM l GROUP BY k",
        )?;
        Ok(ThroughSql { db })
    }
}

impl EpochLoop for ThroughSql {
    fn epoch(&mut self, keys: &[i64], values: &[i64]) -> u64 {
        let mut transaction = self.db.begin();
        let rows = batch(keys, values).to_record_batch().expect("a batch of the benchmark");
        transaction.insert("l", rows).expect("the stream has these columns");
        transaction.commit().expect("a stream takes every row")
    }
}

/// The query of the views that are created, over a table `name`.
fn group_by_query(name: &str) -> String {
    format!("SELECT k, count(*) AS n, sum(v) AS s FROM {name} GROUP BY k")
}

/// Creating a view over a table with rows: what planning takes, and how fast the rows go in, beside the operator alone.
fn create_over_loaded_table(rows: u64) -> Result<(), Box<dyn Error>> {
    const REPETITIONS: usize = 5;
    let (keys, values) = every_key(rows);
    let db = Database::open(Config::in_memory().workers(1))?;
    db.execute(
        "CREATE TABLE loaded (k BIGINT NOT NULL, v BIGINT NOT NULL); CREATE TABLE empty (k BIGINT NOT NULL, v BIGINT NOT NULL)",
    )?;
    let mut transaction = db.begin();
    transaction.insert("loaded", batch(&keys, &values).to_record_batch()?)?;
    transaction.commit()?;

    let (mut planning, mut creating, mut loading, mut operator) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..REPETITIONS {
        let explain = format!("EXPLAIN {}", group_by_query("loaded"));
        planning.push(time_of(|| db.query(&explain))?);
        for (table, times) in [("empty", &mut creating), ("loaded", &mut loading)] {
            let create = format!("CREATE MATERIALIZED VIEW created AS {}", group_by_query(table));
            times.push(time_of(|| db.execute(&create))?);
            db.execute("DROP VIEW created")?;
        }
        let mut alone = Loop::new(&operators::group_by()?);
        operator.push(time(|| alone.epoch(&keys, &values)));
    }
    let (planning, creating, loading, operator) = (median(planning), median(creating), median(loading), median(operator));
    let rate = |time: Duration| rows as f64 / time.as_secs_f64();
    let (hydration, alone) = (rate(loading.saturating_sub(creating)), rate(operator));
    println!(
        "a view over a table of {rows} rows: planned in {:.2} ms, over no rows ready in {:.2} ms, over these in {:.1} ms: {hydration:.0} rows/s, {:.2} of the operator's {alone:.0}",
        planning.as_secs_f64() * 1e3,
        creating.as_secs_f64() * 1e3,
        loading.as_secs_f64() * 1e3,
        hydration / alone,
    );
    Ok(())
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn time_of<T, E>(work: impl FnOnce() -> Result<T, E>) -> Result<Duration, E> {
    let started = Instant::now();
    std::hint::black_box(work()?);
    Ok(started.elapsed())
}

/// Commits of one row through a view of five operators.
fn one_row_commits() -> Result<(), Box<dyn Error>> {
    const COMMITS: usize = 20_000;
    let db = Database::open(Config::in_memory().workers(1))?;
    db.execute(
        "CREATE TABLE t (k BIGINT, v BIGINT); CREATE TABLE u (k BIGINT, name VARCHAR);
         INSERT INTO u VALUES (0, 'zero'), (1, 'one'), (2, 'two');
         CREATE MATERIALIZED VIEW five AS
           SELECT name, count(*) AS n, sum(v) AS s FROM t JOIN u ON t.k = u.k WHERE v >= 0 GROUP BY name",
    )?;
    let mut times = Vec::with_capacity(COMMITS);
    for commit in 0..COMMITS as i64 {
        let rows = batch(&[commit % 3], &[commit]).to_record_batch()?;
        let started = Instant::now();
        let mut transaction = db.begin();
        transaction.insert("t", rows)?;
        transaction.commit()?;
        times.push(started.elapsed());
    }
    times.sort_unstable();
    let at = |per_mille: usize| times[(COMMITS - 1) * per_mille / 1000].as_secs_f64() * 1e6;
    println!(
        "1-row commits through filter, 2 indexes, join, aggregate: p50 {:.0} us, p90 {:.0} us, p99 {:.0} us",
        at(500),
        at(900),
        at(990)
    );
    Ok(())
}

/// A sum per group over facts beside what they refer to: summed per key below the join, and the same over an argument that may fail, which stays above.
fn partial_sums() -> Result<(), Box<dyn Error>> {
    const KEYS: i64 = 100;
    const FACTS_PER_KEY: i64 = 10_000;
    let mut medians = Vec::new();
    for argument in ["facts.v", "facts.v + 0"] {
        let db = Database::open(Config::in_memory().workers(1))?;
        db.execute(&format!(
            "CREATE TABLE facts (k BIGINT NOT NULL, v BIGINT NOT NULL); CREATE TABLE groups (k BIGINT PRIMARY KEY, v BIGINT NOT NULL);
             CREATE MATERIALIZED VIEW sums AS
               SELECT groups.v, sum({argument}) AS s FROM facts JOIN groups ON facts.k = groups.k GROUP BY groups.v"
        ))?;
        let commit = |table: &str, keys: &[i64], values: &[i64]| -> Result<Duration, Box<dyn Error>> {
            let rows = batch(keys, values).to_record_batch()?;
            time_of(|| {
                let mut transaction = db.begin();
                transaction.insert(table, rows)?;
                transaction.commit()
            })
            .map_err(Into::into)
        };
        let keys: Vec<i64> = (0..KEYS).collect();
        commit("groups", &keys, &keys.iter().map(|key| key % 10).collect::<Vec<_>>())?;
        let facts: Vec<i64> = (0..KEYS * FACTS_PER_KEY).collect();
        commit("facts", &facts.iter().map(|fact| fact % KEYS).collect::<Vec<_>>(), &facts)?;
        let fact = median((0..1_000).map(|fact| commit("facts", &[fact % KEYS], &[fact])).collect::<Result<_, _>>()?);
        let group = median((0..50).map(|change| commit("groups", &[change], &[change % 10 + 1])).collect::<Result<_, _>>()?);
        medians.push([fact, group]);
    }
    let micros = |time: Duration| time.as_secs_f64() * 1e6;
    let [below, above] = [medians[0], medians[1]];
    for (place, what) in ["a fact", "what 10,000 facts refer to"].into_iter().enumerate() {
        println!(
            "1-row commits, a change of {what}: {:.0} us with sums below the join, {:.0} us without ({:.1}x)",
            micros(below[place]),
            micros(above[place]),
            micros(above[place]) / micros(below[place]),
        );
    }
    Ok(())
}
