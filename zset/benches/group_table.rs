//! What a group-by pays per row before its aggregates: two `Int64` keys (or one, or a string) in batches of 10,000 rows, drawn at
//! random out of a million keys. The numbers are per batch: divide by 10,000.
//!
//! `growth` fills a table from empty to a million keys and prints its median and worst batch, each the least of all runs and in
//! CPU time: what else runs on the machine can only add to them.

use std::hint::black_box;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use deltic_zset::hash::hash_columns;
use deltic_zset::{EncodedRows, GroupTable, RowLayout, ZBatch};

const ROWS: usize = 10_000;
const KEYS: u64 = 1_000_000;
const BATCHES: usize = 256;

/// splitmix64.
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut x = *state;
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// The CPU time of this thread, in microseconds.
fn cpu_us() -> u128 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the clock exists, and the time is written to a place of our own.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    time.tv_sec as u128 * 1_000_000 + time.tv_nsec as u128 / 1000
}

/// The kinds of keys.
#[derive(Clone, Copy)]
enum Kind {
    OneInteger,
    TwoIntegers,
    ShortText,
    LongText,
}

impl Kind {
    fn types(self) -> Vec<DataType> {
        match self {
            Kind::OneInteger => vec![DataType::Int64],
            Kind::TwoIntegers => vec![DataType::Int64; 2],
            Kind::ShortText | Kind::LongText => vec![DataType::Utf8],
        }
    }

    fn columns(self, keys: &[u64]) -> Vec<ArrayRef> {
        let integers = |f: fn(u64) -> i64| Arc::new(Int64Array::from_iter_values(keys.iter().map(|key| f(*key)))) as ArrayRef;
        let texts = |f: fn(u64) -> String| Arc::new(StringArray::from_iter_values(keys.iter().map(|key| f(*key)))) as ArrayRef;
        match self {
            Kind::OneInteger => vec![integers(|key| key as i64)],
            Kind::TwoIntegers => vec![integers(|key| (key / 1000) as i64), integers(|key| (key % 1000) as i64)],
            Kind::ShortText => vec![texts(|key| format!("key {key}"))],
            Kind::LongText => vec![texts(|key| format!("a key of twenty {key:09}"))],
        }
    }

    fn batches(self) -> Vec<Vec<ArrayRef>> {
        let mut state = 1;
        let batch = |_| self.columns(&(0..ROWS).map(|_| random(&mut state) % KEYS).collect::<Vec<_>>());
        (0..BATCHES).map(batch).collect()
    }
}

/// A group-by without aggregates: buffers and table.
struct GroupBy {
    layout: RowLayout,
    table: GroupTable,
    rows: EncodedRows,
    hashes: Vec<u64>,
    groups: Vec<u32>,
}

impl GroupBy {
    fn new(kind: Kind) -> Self {
        let layout = RowLayout::try_new(&kind.types()).expect("the types are canonical");
        let table = GroupTable::new(layout.clone(), 2);
        GroupBy { layout, table, rows: EncodedRows::new(), hashes: Vec::new(), groups: Vec::new() }
    }

    fn push(&mut self, columns: &[ArrayRef]) {
        hash_columns(columns, ROWS, &mut self.hashes);
        match self.layout.single_word(columns) {
            Some(words) => self.table.upsert_words(words, &self.hashes, &mut self.groups),
            None => {
                self.layout.encode(columns, ROWS, &mut self.rows);
                self.table.upsert(&self.rows, &self.hashes, &mut self.groups);
            }
        }
    }

    fn full(kind: Kind) -> Self {
        let mut group_by = GroupBy::new(kind);
        for first in (0..KEYS).step_by(ROWS) {
            group_by.push(&kind.columns(&(first..first + ROWS as u64).collect::<Vec<_>>()));
        }
        group_by
    }
}

fn upsert(c: &mut Criterion) {
    let mut group = c.benchmark_group("encode, hash and upsert");
    group.throughput(Throughput::Elements(ROWS as u64));
    let kinds = [
        ("one Int64", Kind::OneInteger),
        ("two Int64", Kind::TwoIntegers),
        ("short text", Kind::ShortText),
        ("long text", Kind::LongText),
    ];
    for (name, kind) in kinds {
        let batches = kind.batches();
        let mut group_by = GroupBy::full(kind);
        println!("{name}: {} bytes per group", group_by.table.memory_bytes() / group_by.table.len());
        let mut next = batches.iter().cycle();
        group.bench_function(name, |b| {
            b.iter_batched(
                || next.next().expect("a cycle has no end"),
                |columns| {
                    group_by.push(columns);
                    black_box(group_by.groups.last());
                },
                BatchSize::PerIteration,
            );
        });
    }
}

fn parts(c: &mut Criterion) {
    let mut group = c.benchmark_group("two Int64");
    group.throughput(Throughput::Elements(ROWS as u64));
    let batches = Kind::TwoIntegers.batches();
    let mut group_by = GroupBy::full(Kind::TwoIntegers);
    let mut next = batches.iter().cycle();
    group.bench_function("encode", |b| {
        b.iter(|| group_by.layout.encode(next.next().expect("a cycle has no end"), ROWS, &mut group_by.rows));
    });
    group.bench_function("hash", |b| {
        b.iter(|| hash_columns(next.next().expect("a cycle has no end"), ROWS, &mut group_by.hashes));
    });
    group.bench_function("decode", |b| {
        group_by.push(&batches[0]);
        b.iter(|| black_box(group_by.table.keys(&group_by.groups)));
    });
    let schema = Arc::new(Schema::new(vec![Field::new("a", DataType::Int64, true), Field::new("b", DataType::Int64, true)]));
    let batch = ZBatch::new(schema.clone(), batches[0].clone(), None, ROWS);
    group.bench_function("consolidate, all rows distinct", |b| b.iter(|| black_box(batch.consolidate())));
    let half = batch.slice(0, ROWS / 2);
    let twice = ZBatch::concat(&schema, &[half.clone(), half]).expect("one schema");
    group.bench_function("consolidate, all rows twice", |b| b.iter(|| black_box(twice.consolidate())));
}

fn growth(c: &mut Criterion) {
    let mut group = c.benchmark_group("growth");
    group.sample_size(10);
    group.throughput(Throughput::Elements(KEYS));
    let keys: Vec<u64> = (0..KEYS).collect();
    let batches: Vec<Vec<ArrayRef>> = keys.chunks(ROWS).map(|keys| Kind::TwoIntegers.columns(keys)).collect();
    let (mut median_us, mut worst_us) = (u128::MAX, u128::MAX);
    group.bench_function("to 1M keys of two Int64", |b| {
        b.iter(|| {
            let mut group_by = GroupBy::new(Kind::TwoIntegers);
            let mut times_us = Vec::new();
            for columns in &batches {
                let start = cpu_us();
                group_by.push(columns);
                times_us.push(cpu_us() - start);
            }
            times_us.sort_unstable();
            median_us = median_us.min(times_us[times_us.len() / 2]);
            worst_us = worst_us.min(times_us[times_us.len() - 1]);
        });
    });
    println!("growth: median batch {median_us} us, worst batch {worst_us} us");
}

criterion_group!(benches, upsert, parts, growth);
criterion_main!(benches);
