//! Appending to and probing an arrangement of two `u64` columns over a million keys, in epochs of 10,000 and 100,000 rows.
//!
//! Besides the means, prints what a mean hides: the worst epoch against the median one, the rows merged per row appended, and
//! the bytes per row.
#![allow(missing_docs, clippy::unwrap_used)]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use deltic_zset::hash::hash_columns;
use deltic_zset::{Arrangement, Matches, ZBatch};

const KEYS: u64 = 1_000_000;

/// A small fast generator of well-mixed numbers (splitmix64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn column(&mut self, rows: usize, below: u64) -> ArrayRef {
        Arc::new(UInt64Array::from_iter_values((0..rows).map(|_| self.next() % below)))
    }

    fn batch(&mut self, rows: usize) -> ZBatch {
        ZBatch::new(schema(), vec![self.column(rows, KEYS), self.column(rows, u64::MAX)], None, rows)
    }
}

fn schema() -> SchemaRef {
    let field = |name| Field::new(name, DataType::UInt64, false);
    Arc::new(Schema::new(vec![field("key"), field("value")]))
}

fn append(arrangement: &mut Arrangement, batch: &ZBatch) {
    arrangement.append(batch);
    arrangement.maintain(arrangement.fuel_for(batch.len()));
}

/// An arrangement of `rows` rows, appended in epochs of `epoch` rows.
fn filled(rows: usize, epoch: usize) -> Arrangement {
    let (mut arrangement, mut numbers) = (Arrangement::new(schema(), vec![0]), Numbers(1));
    for _ in 0..rows / epoch {
        append(&mut arrangement, &numbers.batch(epoch));
    }
    arrangement
}

fn appending(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("append_and_maintain");
    group.sample_size(10).measurement_time(Duration::from_secs(3));
    for epoch in [10_000, 100_000] {
        let batches: Vec<ZBatch> = (0..KEYS as usize / epoch).map(|seed| Numbers(seed as u64).batch(epoch)).collect();
        group.throughput(Throughput::Elements(KEYS));
        group.bench_with_input(BenchmarkId::new("1M rows from empty", epoch), &batches, |bencher, batches| {
            bencher.iter(|| {
                let mut arrangement = Arrangement::new(schema(), vec![0]);
                batches.iter().for_each(|batch| append(&mut arrangement, batch));
                arrangement.entries()
            });
        });
    }
    group.finish();
}

fn probing(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("probe_and_gather");
    for epoch in [10_000, 100_000] {
        let arrangement = filled(KEYS as usize, epoch);
        group.throughput(Throughput::Elements(epoch as u64));
        group.bench_function(BenchmarkId::new("1M rows", epoch), |bencher| {
            let (mut numbers, mut matches, mut hashes) = (Numbers(99), Matches::new(), Vec::new());
            bencher.iter_custom(|iterations| {
                let mut elapsed = Duration::ZERO;
                for _ in 0..iterations {
                    let keys = [numbers.column(epoch, KEYS)];
                    let start = thread_time();
                    matches.clear();
                    hash_columns(&keys, epoch, &mut hashes);
                    arrangement.probe(&keys, &hashes, &[false], &mut matches);
                    black_box(matches.columns(&[0, 1]).unwrap());
                    elapsed += thread_time() - start;
                }
                elapsed
            });
        });
    }
    group.finish();
}

/// A table of a million rows under updates: every epoch deletes some rows and inserts as many.
fn churning(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("update");
    group.sample_size(10).measurement_time(Duration::from_secs(3));
    for epoch in [10_000, 100_000] {
        group.throughput(Throughput::Elements(epoch as u64));
        group.bench_function(BenchmarkId::new("1M rows", epoch), |bencher| {
            let mut arrangement = filled(KEYS as usize, 100_000);
            let mut live: std::collections::VecDeque<ZBatch> = Default::default();
            let mut numbers = Numbers(7);
            bencher.iter(|| {
                let new = numbers.batch(epoch / 2);
                append(&mut arrangement, &new);
                live.push_back(new);
                if live.len() > 10 {
                    append(&mut arrangement, &live.pop_front().unwrap().negate().unwrap());
                }
            });
        });
    }
    group.finish();
}

/// The processor time of this thread: on a busy machine, the worst wall-clock time of an epoch tells about the machine.
fn thread_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a timespec that lives during the call.
    let failed = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    assert_eq!(failed, 0);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn report(_: &mut Criterion) {
    for (rows, epoch) in [(1_000_000, 10_000), (1_000_000, 100_000), (10_000_000, 10_000), (10_000_000, 100_000)] {
        let (mut arrangement, mut numbers) = (Arrangement::new(schema(), vec![0]), Numbers(1));
        let mut times = Vec::new();
        for _ in 0..rows / epoch {
            let batch = numbers.batch(epoch);
            let start = thread_time();
            append(&mut arrangement, &batch);
            times.push(thread_time() - start);
        }
        let total: Duration = times.iter().sum();
        times.sort();
        let work = arrangement.work();
        println!(
            "{rows} rows in epochs of {epoch}: {:.0} ns per row; epochs {:.2?} median, {:.2?} p99, {:.1?} worst; {:.1} merged per row; {:.1} bytes per row",
            total.as_nanos() as f64 / rows as f64,
            times[times.len() / 2],
            times[times.len() * 99 / 100],
            &times[times.len() - 5..],
            work.merged_rows as f64 / rows as f64,
            arrangement.memory_bytes() as f64 / rows as f64,
        );
    }
}

criterion_group!(benches, report, appending, probing, churning);
criterion_main!(benches);
