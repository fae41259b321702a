//! Sessions under load: what a change costs by the number and the length of sessions, what a session takes, and what it costs when it ends.
//!
//! One operator on one thread, `count(*), sum(v), min(v), max(v)` by key with a gap of 10. Times are CPU time of the thread.

use std::error::Error;

use clap::Parser;
use deltic_benches::process::spent;
use deltic_benches::sessions::{Event, GAP, Order, Random, Recomputation, Sessions, Shape, batch, events};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures the session operator
#[derive(Parser, Debug)]
struct Args {
    /// Rows of each history. Those of one table have equally many, so the sessions of a key are the longer the fewer they are; with few rows they may be of one row
    /// each, which is another workload: then every row makes a session of output
    #[arg(long, default_value_t = 10_000_000)]
    rows: usize,
    /// Most rows of the other tables
    #[arg(long, default_value_t = 1_000_000)]
    other_rows: usize,
    /// Rows of an epoch of the table of histories
    #[arg(long, default_value_t = 10_000)]
    epoch_rows: usize,
    /// Tables to print: histories, single, recompute, watermark, memory [default: all]
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Only histories of so many keys
    #[arg(long, value_delimiter = ',', default_values_t = [10, 1_000, 10_000])]
    keys: Vec<usize>,
    /// Only histories of so many sessions per key
    #[arg(long, value_delimiter = ',', default_values_t = [1, 100, 1_000])]
    sessions: Vec<usize>,
    /// Only histories with deletes, or without
    #[arg(long)]
    deletes: Option<bool>,
    /// Show the rows with the bounds of their sessions instead of aggregates
    #[arg(long)]
    show_rows: bool,
    /// Let the values of the histories be DOUBLE, with exact sums
    #[arg(long)]
    floats: bool,
}

impl Args {
    fn prints(&self, table: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == table)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    if args.prints("histories") {
        histories(&args)?;
    }
    if args.prints("single") {
        single(&args)?;
    }
    if args.prints("recompute") {
        recompute(&args)?;
    }
    if args.prints("watermark") {
        watermark(&args)?;
    }
    if args.prints("memory") {
        memory(&args)?;
    }
    Ok(())
}

/// Nanoseconds of CPU time per event, and rows out per event.
fn run(sessions: &mut Sessions, events: &[Event], epoch_rows: usize) -> (f64, f64) {
    let batches: Vec<_> = events.chunks(epoch_rows).map(|events| batch(events, sessions.shape.floats)).collect();
    let mut out = 0;
    let spent = spent(|| batches.into_iter().for_each(|batch| out += sessions.epoch(batch)));
    (spent.cpu.as_nanos() as f64 / events.len() as f64, out as f64 / events.len() as f64)
}

fn histories(args: &Args) -> Result<(), Box<dyn Error>> {
    println!("\nhistories of {} rows, epochs of {} rows", args.rows, args.epoch_rows);
    println!(
        "{:>7} {:>9} {:>12} {:>9} {:>8} {:>9} {:>9} {:>8} {:>9} {:>10}",
        "keys", "sessions", "rows/session", "order", "deletes", "events in", "ns/event", "out/ev", "state", "bytes/row"
    );
    for &keys in &args.keys {
        for &per_key in &args.sessions {
            let rows = args.rows;
            if keys * per_key > rows {
                println!("{keys:>7} {per_key:>9} {:>12}", "more than rows");
                continue;
            }
            for (order, deletes) in
                [(Order::Ascending, false), (Order::Ascending, true), (Order::Shuffled, false), (Order::Shuffled, true)]
            {
                if args.deletes.is_some_and(|wanted| wanted != deletes) {
                    continue;
                }
                let events = events(rows, keys, per_key, order, deletes);
                let mut sessions = Sessions::new(Shape { rows: args.show_rows, floats: args.floats, ..Shape::default() })?;
                let (cost, out) = run(&mut sessions, &events, args.epoch_rows);
                let state = sessions.operator.state_size();
                println!(
                    "{keys:>7} {per_key:>9} {:>12} {:>9} {:>8} {:>9} {cost:>9.0} {out:>8.3} {:>9} {:>10.1}",
                    rows / keys / per_key,
                    format!("{order:?}"),
                    if deletes { "20 %" } else { "none" },
                    events.len(),
                    state.rows,
                    state.bytes as f64 / state.rows as f64
                );
            }
        }
    }
    Ok(())
}

/// The cost of an epoch of one row that comes into a session, and goes again, when there are so many and so long ones.
fn single(args: &Args) -> Result<(), Box<dyn Error>> {
    println!("\nepochs of one row");
    println!(
        "{:>7} {:>9} {:>12} {:>11} {:>11} {:>11} {:>11}",
        "keys", "sessions", "rows/session", "insert ns", "delete ns", "merge ns", "split ns"
    );
    // Always as many rows: more sessions, or longer ones.
    let shapes = [
        (1_000, 1, 1_000),
        (1_000, 10, 100),
        (1_000, 100, 10),
        (1_000, 1_000, 1),
        (100_000, 1, 10),
        (100, 1_000, 10),
        (1, 100_000, 10),
        (1, 1_000, 1_000),
        (1, 1, 1_000_000),
    ];
    for (keys, per_key, length) in shapes {
        if keys * per_key * length > args.other_rows {
            continue;
        }
        let rows = events(keys * per_key * length, keys, per_key, Order::Ascending, false);
        let mut sessions = Sessions::new(Shape::default())?;
        run(&mut sessions, &rows, 100_000);
        let mut random = Random(7);
        let singles: Vec<Event> = (0..20_000)
            .map(|_| {
                let (key, time, _, _) = rows[random.below(rows.len())];
                (key, time, random.below(1000) as i64, 1)
            })
            .collect();
        let negated = |events: &[Event]| events.iter().map(|&(k, t, v, w)| (k, t, v, -w)).collect::<Vec<_>>();
        let (insert, _) = run(&mut sessions, &singles, 1);
        let (delete, _) = run(&mut sessions, &negated(&singles), 1);
        // Far behind the last row of each key: two sessions that a third row joins.
        let far = rows.iter().map(|row| row.1).max().unwrap_or_default() + 1_000;
        let ends: Vec<Event> = (0..20_000)
            .flat_map(|n| [(n % keys as i64, far + 100 * n, 0, 1), (n % keys as i64, far + 100 * n + 14, 0, 1)])
            .collect();
        run(&mut sessions, &ends, 100_000);
        let bridges: Vec<Event> = (0..20_000).map(|n| (n % keys as i64, far + 100 * n + 7, 0, 1)).collect();
        let (merge, _) = run(&mut sessions, &bridges, 1);
        let (split, _) = run(&mut sessions, &negated(&bridges), 1);
        println!("{keys:>7} {per_key:>9} {length:>12} {insert:>11.0} {delete:>11.0} {merge:>11.0} {split:>11.0}");
    }
    Ok(())
}

fn recompute(args: &Args) -> Result<(), Box<dyn Error>> {
    println!("\nagainst the recomputation of touched keys, epochs of 100 rows, 20 % deletes");
    println!("{:>10} {:>14} {:>16} {:>8}", "rows/key", "deltic ns/row", "recompute ns/row", "ratio");
    for length in [100, 10_000, 1_000_000] {
        if length > args.other_rows {
            continue;
        }
        let mut rows = events(length + 2_000, 1, 1, Order::Shuffled, true);
        let tail = rows.split_off(rows.len() - 2_500);
        let mut sessions = Sessions::new(Shape::default())?;
        run(&mut sessions, &rows, 100_000);
        let (ours, _) = run(&mut sessions, &tail, 100);
        let mut recomputation = Recomputation::default();
        recomputation.epoch(&rows);
        let spent = spent(|| tail.chunks(100).map(|events| recomputation.epoch(events)).sum::<usize>());
        let theirs = spent.cpu.as_nanos() as f64 / tail.len() as f64;
        println!("{length:>10} {ours:>14.0} {theirs:>16.0} {:>8.1}", theirs / ours);
    }
    Ok(())
}

fn watermark(args: &Args) -> Result<(), Box<dyn Error>> {
    println!("\nsessions that end by one watermark");
    println!("{:>9} {:>9} {:>13} {:>14} {:>15}", "keys", "sessions", "rows/session", "idle epoch ns", "ns per session");
    for (keys, per_key, length) in [(10_000, 10, 1), (100_000, 10, 1), (1_000_000, 1, 1), (1_000, 100, 10), (100, 100, 100)] {
        if keys * per_key * length > args.other_rows {
            continue;
        }
        let rows = events(keys * per_key * length, keys, per_key, Order::Ascending, false);
        let mut sessions = Sessions::new(Shape { watermark: true, ..Shape::default() })?;
        run(&mut sessions, &rows, 100_000);
        let idle = spent(|| (0..1_000).map(|_| sessions.advance(i64::MIN + GAP)).sum::<usize>());
        let ended = spent(|| sessions.advance(i64::MAX));
        let count = (keys * per_key) as f64;
        println!(
            "{keys:>9} {per_key:>9} {length:>13} {:>14.0} {:>15.0}   (left: {} rows)",
            idle.cpu.as_nanos() as f64 / 1_000.0,
            ended.cpu.as_nanos() as f64 / count,
            sessions.operator.state_size().rows
        );
    }
    Ok(())
}

fn memory(args: &Args) -> Result<(), Box<dyn Error>> {
    println!("\nmemory");
    println!("{:<28} {:>9} {:>9} {:>9} {:>12} {:>14}", "shape", "keys", "sessions", "rows", "bytes/row", "bytes/session");
    let shapes = [
        ("aggregates", Shape::default()),
        ("aggregates, watermark", Shape { watermark: true, ..Shape::default() }),
        ("aggregates, append-only", Shape { append_only: true, ..Shape::default() }),
        ("rows", Shape { rows: true, ..Shape::default() }),
    ];
    for (name, shape) in shapes {
        for (keys, per_key, length) in
            [(1_000_000, 1, 1), (250_000, 1, 4), (100_000, 1, 10), (1_000, 1_000, 1), (1, 1, 1_000_000)]
        {
            let count = keys * per_key * length;
            if count > args.other_rows {
                continue;
            }
            let mut sessions = Sessions::new(shape)?;
            run(&mut sessions, &events(count, keys, per_key, Order::Shuffled, false), 10_000);
            let bytes = sessions.operator.state_size().bytes as f64;
            let per_session = bytes / (keys * per_key) as f64;
            println!("{name:<28} {keys:>9} {per_key:>9} {length:>9} {:>12.1} {per_session:>14.1}", bytes / count as f64);
        }
    }
    Ok(())
}
