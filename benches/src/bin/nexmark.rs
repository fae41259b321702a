//! Nexmark through `Database` and SQL text: events/s, CPU-seconds, peak memory and commit latency of each query.
//!
//! The events are generated before the clock starts and held in memory; each commit clones handles to Arrow columns, not data. Streams, not tables:
//! nothing is kept but what the view needs and its contents. CPU-seconds are those of the whole process while the query runs (client, coordinator,
//! workers). Peak memory is the resident peak of the run less what was resident before it (events included).

use std::collections::VecDeque;
use std::error::Error;
use std::time::{Duration, Instant};

use clap::Parser;
use deltic::{Config, Database, Pending};
use deltic_benches::process;
use deltic_nexmark::{Batch, Events, QUERIES, Query, STREAMS, query, side_input_sql};
use serde_json::json;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Runs the Nexmark queries
#[derive(Parser, Debug)]
struct Args {
    /// Events to feed
    #[arg(long, default_value_t = 10_000_000)]
    events: u64,
    /// Events in a commit
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..))]
    commit_events: u64,
    /// Worker counts to run with
    #[arg(long, value_delimiter = ',', default_values_t = [1, 2, 4])]
    workers: Vec<usize>,
    /// Queries to run, such as q4,q7 [default: all]
    #[arg(long, value_delimiter = ',')]
    queries: Vec<String>,
    /// Commits in flight
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..))]
    in_flight: u64,
    /// Also write the figures to this file, as JSON
    #[arg(long)]
    json: Option<std::path::PathBuf>,
}

struct Figures {
    query: &'static Query,
    workers: usize,
    elapsed: Duration,
    cpu: Duration,
    peak_bytes: u64,
    p50: Duration,
    p99: Duration,
    worst: Duration,
    rows: u64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let chosen = choose(&args.queries)?;
    let (batches, generating) = generate(args.events, args.commit_events)?;
    eprintln!(
        "{} events in {} commits generated in {:.1} CPU-s, which the figures below leave out; {} cores",
        args.events,
        batches.len(),
        generating.as_secs_f64(),
        std::thread::available_parallelism().map_or(1, usize::from)
    );
    println!(
        "{:<5} {:>7} {:>12} {:>8} {:>9} {:>10} {:>10} {:>10} {:>12}",
        "query", "workers", "events/s", "CPU-s", "peak MiB", "p50 ms", "p99 ms", "worst ms", "result rows"
    );
    let mut all = Vec::new();
    for query in chosen {
        for &workers in &args.workers {
            let figures = run(query, workers, &batches, args.in_flight as usize)?;
            print(&figures, args.events);
            all.push(to_json(&figures, args.events));
        }
    }
    if let Some(path) = &args.json {
        let document = json!({
            "events": args.events,
            "commit_events": args.commit_events,
            "in_flight": args.in_flight,
            "generator_cpu_seconds": generating.as_secs_f64(),
            "queries": all,
        });
        std::fs::write(path, serde_json::to_string_pretty(&document)?)?;
    }
    Ok(())
}

fn choose(names: &[String]) -> Result<Vec<&'static Query>, String> {
    if names.is_empty() {
        return Ok(QUERIES.iter().collect());
    }
    let known = || QUERIES.iter().map(|query| query.name).collect::<Vec<_>>().join(", ");
    names.iter().map(|name| query(name).ok_or_else(|| format!("no query {name}; there are {}", known()))).collect()
}

fn generate(events: u64, commit_events: u64) -> Result<(Vec<Batch>, Duration), Box<dyn Error>> {
    let started = process::cpu_time();
    let generator = Events::at_rate(10_000);
    let starts: Vec<u64> = (0..events).step_by(commit_events as usize).collect();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let share = starts.len().div_ceil(threads).max(1);
    let mut batches = Vec::with_capacity(starts.len());
    std::thread::scope(|scope| {
        let handles: Vec<_> = starts
            .chunks(share)
            .map(|starts| {
                let generator = &generator;
                scope.spawn(move || {
                    starts
                        .iter()
                        .map(|&start| generator.batch(start..(start + commit_events).min(events)))
                        .collect::<Result<Vec<_>, _>>()
                })
            })
            .collect();
        for handle in handles {
            batches.extend(handle.join().map_err(|_| "the generator panicked")??);
        }
        Ok::<_, Box<dyn Error>>(())
    })?;
    Ok((batches, process::cpu_time().saturating_sub(started)))
}

fn run(query: &'static Query, workers: usize, batches: &[Batch], in_flight: usize) -> Result<Figures, Box<dyn Error>> {
    process::reset_peak_memory();
    let resident = process::resident_bytes();
    let db = Database::open(Config::in_memory().workers(workers))?;
    db.execute(STREAMS)?;
    if query.sql.contains("side_input") {
        db.execute(&side_input_sql())?;
    }
    db.execute(&format!("CREATE MATERIALIZED VIEW result AS {}", query.sql))?;
    let mut latencies = Vec::with_capacity(batches.len());
    let mut pending: VecDeque<(Instant, Pending)> = VecDeque::new();
    let cpu = process::cpu_time();
    let started = Instant::now();
    for batch in batches {
        while pending.len() >= in_flight {
            wait(&mut pending, &mut latencies)?;
        }
        let submitted = Instant::now();
        let mut transaction = db.begin();
        for (relation, rows) in batch.relations() {
            transaction.insert(relation, rows.clone())?;
        }
        pending.push_back((submitted, transaction.submit()?));
    }
    while !pending.is_empty() {
        wait(&mut pending, &mut latencies)?;
    }
    let elapsed = started.elapsed();
    let cpu = process::cpu_time().saturating_sub(cpu);
    let peak_bytes = process::peak_bytes().saturating_sub(resident);
    let rows = db.query("SELECT count(*) FROM result")?;
    let rows = arrow::array::AsArray::as_primitive::<arrow::datatypes::Int64Type>(rows[0].column(0)).value(0) as u64;
    latencies.sort_unstable();
    let at = |per_mille: usize| latencies.get(latencies.len().saturating_sub(1) * per_mille / 1000).copied().unwrap_or_default();
    Ok(Figures { query, workers, elapsed, cpu, peak_bytes, p50: at(500), p99: at(990), worst: at(1000), rows })
}

fn wait(pending: &mut VecDeque<(Instant, Pending)>, latencies: &mut Vec<Duration>) -> Result<(), deltic::Error> {
    if let Some((submitted, commit)) = pending.pop_front() {
        commit.wait()?;
        latencies.push(submitted.elapsed());
    }
    Ok(())
}

fn rate(figures: &Figures, events: u64) -> f64 {
    events as f64 / figures.elapsed.as_secs_f64().max(1e-9)
}

fn print(figures: &Figures, events: u64) {
    println!(
        "{:<5} {:>7} {:>12.0} {:>8.2} {:>9.0} {:>10.2} {:>10.2} {:>10.2} {:>12}",
        figures.query.name,
        figures.workers,
        rate(figures, events),
        figures.cpu.as_secs_f64(),
        figures.peak_bytes as f64 / f64::from(1 << 20),
        figures.p50.as_secs_f64() * 1e3,
        figures.p99.as_secs_f64() * 1e3,
        figures.worst.as_secs_f64() * 1e3,
        figures.rows
    );
}

fn to_json(figures: &Figures, events: u64) -> serde_json::Value {
    json!({
        "query": figures.query.name,
        "workers": figures.workers,
        "events_per_second": rate(figures, events),
        "cpu_seconds": figures.cpu.as_secs_f64(),
        "peak_bytes": figures.peak_bytes,
        "latency_ms_p50": figures.p50.as_secs_f64() * 1e3,
        "latency_ms_p99": figures.p99.as_secs_f64() * 1e3,
        "latency_ms_worst": figures.worst.as_secs_f64() * 1e3,
        "result_rows": figures.rows,
    })
}
