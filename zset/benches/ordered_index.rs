//! What an entry costs: a million events `(time, value)`, in order, shuffled, and with a fifth deleted again, changed one by
//! one or in sorted epochs of 10,000; then the queries on the full index. A `BTreeMap` shows what order alone costs.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::ops::Bound;
use std::time::Duration;

use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main, measurement::WallTime};
use deltic_zset::{OrderedIndex, Span, Summary, WeightCount};

const EVENTS: usize = 1_000_000;
const EPOCH: usize = 10_000;

type Key = (i64, i64);

struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        ((u128::from(self.0 ^ (self.0 >> 29)) * limit as u128) >> 64) as usize
    }
}

/// Events with an average distance of 5.
fn in_order() -> Vec<(Key, i64)> {
    let mut random = Random(1);
    let mut time = 0;
    (0..EVENTS)
        .map(|_| {
            time += 1 + random.below(9) as i64;
            ((time, random.below(1000) as i64), 1)
        })
        .collect()
}

fn shuffled() -> Vec<(Key, i64)> {
    let mut random = Random(2);
    let mut events = in_order();
    for index in (1..events.len()).rev() {
        events.swap(index, random.below(index + 1));
    }
    events
}

/// After every fourth insertion a random live event is deleted.
fn with_deletes(events: Vec<(Key, i64)>) -> Vec<(Key, i64)> {
    let mut random = Random(3);
    let mut live = Vec::new();
    let mut changes = Vec::with_capacity(events.len() * 5 / 4);
    for (number, (key, weight)) in events.into_iter().enumerate() {
        changes.push((key, weight));
        live.push(key);
        if number % 4 == 3 {
            changes.push((live.swap_remove(random.below(live.len())), -1));
        }
    }
    changes
}

fn one_by_one<S: Summary<Key>>(changes: &[(Key, i64)]) -> OrderedIndex<Key, S> {
    let mut index = OrderedIndex::new();
    for &(key, delta) in changes {
        index.update(key, delta);
    }
    index
}

fn in_epochs<S: Summary<Key>>(changes: &[(Key, i64)]) -> OrderedIndex<Key, S> {
    let mut index = OrderedIndex::new();
    let mut epoch = Vec::with_capacity(EPOCH);
    for changes in changes.chunks(EPOCH) {
        epoch.clear();
        epoch.extend_from_slice(changes);
        epoch.sort_unstable();
        index.update_sorted(epoch.iter().copied(), |_, _, _| ());
    }
    index
}

fn updates<S: Summary<Key>>(group: &mut BenchmarkGroup<'_, WallTime>, summary: &str, order: &str, changes: &[(Key, i64)]) {
    let index = one_by_one::<S>(changes);
    println!("{summary}, {order}: {:.1} bytes per entry", index.memory_bytes() as f64 / index.len() as f64);
    drop(index);
    group.bench_function(format!("{order}/{summary}/one by one"), |bencher| {
        bencher.iter_with_large_drop(|| one_by_one::<S>(black_box(changes)));
    });
    group.bench_function(format!("{order}/{summary}/epochs"), |bencher| {
        bencher.iter_with_large_drop(|| in_epochs::<S>(black_box(changes)));
    });
}

fn changes(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("update");
    group.sample_size(10).warm_up_time(Duration::from_millis(100)).measurement_time(Duration::from_secs(2));
    let orders = [
        ("in order", in_order()),
        ("in order, deletes", with_deletes(in_order())),
        ("shuffled", shuffled()),
        ("shuffled, deletes", with_deletes(shuffled())),
    ];
    for (order, changes) in orders {
        group.throughput(Throughput::Elements(changes.len() as u64));
        group.bench_function(format!("{order}/BTreeMap"), |bencher| {
            bencher.iter_with_large_drop(|| {
                let mut map = BTreeMap::new();
                for &(key, delta) in black_box(&changes) {
                    if delta < 0 {
                        map.remove(&key)
                    } else {
                        map.insert(key, delta)
                    };
                }
                map
            });
        });
        updates::<()>(&mut group, "neighbours only", order, &changes);
        updates::<WeightCount>(&mut group, "weights", order, &changes);
        updates::<Span>(&mut group, "span", order, &changes);
    }
    group.finish();
}

fn queries(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("query");
    group.measurement_time(Duration::from_secs(1));
    let index = in_epochs::<Span>(&shuffled());
    let end = index.last_to(Bound::Unbounded).map_or(0, |(key, _)| key.0) as usize;
    let mut random = Random(4);
    let mut key = move || (random.below(end) as i64, 0);
    group.bench_function("first_from", |bencher| bencher.iter(|| index.first_from(Bound::Included(&key()))));
    group.bench_function("rank", |bencher| bencher.iter(|| index.rank(&key())));
    group.bench_function("select", |bencher| bencher.iter(|| index.select(key().0 / 6)));
    group.bench_function("summary of a tenth", |bencher| {
        bencher.iter(|| {
            let from = key();
            index.summary(from..(from.0 + end as i64 / 10, 0))
        });
    });
    group.bench_function("end of a short session", |bencher| {
        bencher.iter(|| index.last_while(Bound::Included(&key()), |span| span.max_gap() <= 8));
    });
    group.bench_function("end of a session that spans all", |bencher| {
        bencher.iter(|| index.last_while(Bound::Included(&key()), |span| span.max_gap() <= 9));
    });
    group.throughput(Throughput::Elements(EVENTS as u64));
    group.sample_size(10);
    group.bench_function("range over all", |bencher| bencher.iter(|| index.range(..).map(|(key, _)| key.1).sum::<i64>()));
    group.finish();
}

criterion_group!(benches, changes, queries);
criterion_main!(benches);
