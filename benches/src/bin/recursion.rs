//! Reachability in a random graph, against differential dataflow's `iterate` with types known at compile time: the load, then single edges that
//! come and go. Both sides take the same changes in turns, so that a noisy neighbour slows both.

use std::error::Error;
use std::time::{Duration, Instant};

use clap::Parser;
use deltic_benches::reachability::{Edges, Ours, Reachability, Typed};
use deltic_benches::rows::Rows;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Compares recursion with differential-dataflow's
#[derive(Parser, Debug)]
struct Args {
    /// Nodes of the graph
    #[arg(long, default_value_t = 200_000)]
    nodes: u64,
    /// Edges of the graph
    #[arg(long, default_value_t = 400_000)]
    edges: usize,
    /// Single edges that come, and as many that go
    #[arg(long, default_value_t = 1000)]
    changes: usize,
    /// How often the graph is loaded
    #[arg(long, default_value_t = 3)]
    loads: usize,
}

/// A way to compute it.
struct Side {
    name: &'static str,
    make: Make,
    load: Vec<Duration>,
    inserts: Vec<Duration>,
    deletes: Vec<Duration>,
}

/// Makes one with these roots.
type Make = fn(&[i64]) -> Result<Box<dyn Reachability>, Box<dyn Error>>;

impl Side {
    fn new(name: &'static str, make: Make) -> Self {
        Side { name, make, load: Vec::new(), inserts: Vec::new(), deletes: Vec::new() }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let mut generator = Rows::new(args.nodes, 7);
    let mut edge = || {
        let (from, _) = generator.epoch(1);
        let (to, _) = generator.epoch(1);
        (from[0], to[0])
    };
    let graph: Vec<(i64, i64)> = (0..args.edges).map(|_| edge()).collect();
    let new: Vec<(i64, i64)> = (0..args.changes).map(|_| edge()).collect();
    let roots: Vec<i64> = (0..10).collect();
    let mut sides = [
        Side::new("typed, iterate", |roots| Ok(Box::new(Typed::new(roots, false)))),
        Side::new("typed, index outside", |roots| Ok(Box::new(Typed::new(roots, true)))),
        Side::new("deltic, NOT NULL", |roots| Ok(Box::new(Ours::new(roots, false)?))),
        Side::new("deltic, with NULLs", |roots| Ok(Box::new(Ours::new(roots, true)?))),
    ];
    let load: Edges = graph.iter().map(|&(from, to)| (from, to, 1)).collect();
    for round in 0..args.loads {
        let mut running = Vec::new();
        for side in &mut sides {
            let mut this = (side.make)(&roots)?;
            let (reached, time) = timed(|| this.epoch(&load));
            side.load.push(time);
            running.push((this, reached));
        }
        let counts: Vec<u64> = running.iter().map(|(_, reached)| *reached).collect();
        println!("load {}: rows {counts:?}", round + 1);
        if round + 1 < args.loads {
            continue;
        }
        for (number, &(from, to)) in new.iter().enumerate() {
            // An edge of the graph goes for each that comes.
            let (old_from, old_to) = graph[number * (args.edges / args.changes.max(1))];
            for ((this, _), side) in running.iter_mut().zip(&mut sides) {
                side.inserts.push(timed(|| this.epoch(&vec![(from, to, 1)])).1);
            }
            for ((this, _), side) in running.iter_mut().zip(&mut sides) {
                side.deletes.push(timed(|| this.epoch(&vec![(old_from, old_to, -1)])).1);
            }
        }
    }
    print(&mut sides);
    Ok(())
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let started = Instant::now();
    let result = work();
    (result, started.elapsed())
}

fn print(sides: &mut [Side]) {
    println!(
        "{:<22} {:>9} {:>6} {:>14} {:>6} {:>14} {:>14} {:>6} {:>14}",
        "reachability", "load ms", "ratio", "insert p50 us", "ratio", "insert p99 us", "delete p50 us", "ratio", "delete p99 us"
    );
    let mut first: Option<[f64; 3]> = None;
    for side in sides {
        let load = at(&mut side.load, 500) / 1e3;
        let (insert, insert_99) = (at(&mut side.inserts, 500), at(&mut side.inserts, 990));
        let (delete, delete_99) = (at(&mut side.deletes, 500), at(&mut side.deletes, 990));
        let [load_1, insert_1, delete_1] = *first.get_or_insert([load, insert, delete]);
        println!(
            "{:<22} {load:>9.1} {:>6.2} {insert:>14.1} {:>6.2} {insert_99:>14.1} {delete:>14.1} {:>6.2} {delete_99:>14.1}",
            side.name,
            load / load_1,
            insert / insert_1,
            delete / delete_1
        );
    }
}

/// Microseconds, at so many of a thousand.
fn at(times: &mut [Duration], per_mille: usize) -> f64 {
    times.sort_unstable();
    times.get(times.len().saturating_sub(1) * per_mille / 1000).map_or(0.0, |time| time.as_secs_f64() * 1e6)
}
