//! What a change of a session costs: `count(*), sum(v), min(v), max(v)` by key with a gap of 10, the operator alone, driven by hand.
//!
//! An iteration is two epochs on a history that is there already: rows come into its sessions, and go again. Keys, sessions per key and the length of
//! sessions vary, the number of rows does not; `recompute` is what a view costs that makes all sessions of a touched key anew. The small history
//! is for a test that the benchmarks run; set `SESSION_ROWS` for another.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, Int64Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use deltic_circuit::{AggregateCall, AggregateFunction, Circuit, CircuitBuilder, CircuitError, Properties};
use deltic_operators::{EpochOperator, session};
use deltic_zset::ZBatch;

const GAP: i64 = 10;
/// Rows that come and go.
const CHANGES: usize = 1_000;

/// Key, time, value.
type Event = (i64, i64, i64);

fn schema() -> SchemaRef {
    Arc::new(Schema::new(["k", "t", "v"].map(|name| Field::new(name, DataType::Int64, false)).to_vec()))
}

fn batch(events: &[Event], weight: i64) -> ZBatch {
    let column = |value: fn(&Event) -> i64| -> ArrayRef { Arc::new(events.iter().map(value).collect::<Int64Array>()) };
    let columns = vec![column(|event| event.0), column(|event| event.1), column(|event| event.2)];
    ZBatch::new(schema(), columns, Some(vec![weight; events.len()].into()), events.len())
}

fn circuit() -> Result<Circuit, CircuitError> {
    let mut builder = CircuitBuilder::new();
    let source = builder.source("s", schema(), Properties::default());
    let call = |function, argument| AggregateCall::new(function, argument, DataType::Int64);
    let calls = vec![
        ("n".to_owned(), call(AggregateFunction::Count, None)),
        ("s".to_owned(), call(AggregateFunction::Sum, Some(2))),
        ("a".to_owned(), call(AggregateFunction::Min, Some(2))),
        ("z".to_owned(), call(AggregateFunction::Max, Some(2))),
    ];
    let output = builder.session_aggregates(source, vec![0], 1, GAP, None, calls)?;
    builder.finish(output, None)
}

/// splitmix64.
fn random(state: &mut u64) -> usize {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut x = *state;
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (x ^ (x >> 31)) as usize
}

/// Rows of `keys`, in sessions of `length`.
fn history(rows: usize, keys: usize, length: usize) -> Vec<Event> {
    let mut seed = 1;
    let mut times = vec![0; keys];
    let event = |number: usize| {
        let key = number % keys;
        let step = 1 + random(&mut seed) % 9;
        times[key] += if (number / keys).is_multiple_of(length) { 40 + step } else { step } as i64;
        (key as i64, times[key], (random(&mut seed) % 1_000) as i64)
    };
    (0..rows).map(event).collect()
}

/// Copies of some rows of the history, with other values.
fn changes(history: &[Event]) -> Vec<Event> {
    let mut seed = 2;
    let pick = |_| {
        let (key, time, _) = history[random(&mut seed) % history.len()];
        (key, time, (random(&mut seed) % 1_000) as i64)
    };
    (0..CHANGES).map(pick).collect()
}

fn sessions(criterion: &mut Criterion) {
    let rows = std::env::var("SESSION_ROWS").ok().and_then(|rows| rows.parse().ok()).unwrap_or(20_000);
    let mut group = criterion.benchmark_group("session");
    group.sample_size(10).warm_up_time(Duration::from_millis(100)).measurement_time(Duration::from_millis(500));
    group.throughput(Throughput::Elements(2 * CHANGES as u64));
    for keys in [1, 10, 1_000] {
        for length in [1, 10, 1_000, 1_000_000] {
            if length > 1 && length / 10 * keys > rows {
                continue;
            }
            let history = history(rows, keys, length);
            let changes = changes(&history);
            let (come, go) = (batch(&changes, 1), batch(&changes, -1));
            let Ok(circuit) = circuit() else { return };
            let Ok(mut operator) = session(&circuit, circuit.output) else { return };
            let mut epoch = 0;
            let mut close = |operator: &mut dyn EpochOperator, batch: &ZBatch| {
                epoch += 1;
                operator.push(0, batch.clone());
                operator.close(epoch).rows.len()
            };
            close(&mut *operator, &batch(&history, 1));
            let name = format!("{keys} keys, sessions of {}", length.min(rows / keys));
            group.bench_function(BenchmarkId::new("in sessions", &name), |bencher| {
                bencher.iter(|| close(&mut *operator, &come) + close(&mut *operator, &go));
            });
            if keys == 1 {
                let mut events: BTreeMap<Event, i64> = BTreeMap::new();
                history.iter().for_each(|event| *events.entry(*event).or_default() += 1);
                group.bench_function(BenchmarkId::new("recompute", &name), |bencher| {
                    bencher.iter(|| recompute(&mut events, &changes, 1) + recompute(&mut events, &changes, -1));
                });
            }
        }
    }
    group.finish();
}

/// Changes the events of one key and makes its sessions anew; returns how many there are.
fn recompute(events: &mut BTreeMap<Event, i64>, changes: &[Event], weight: i64) -> usize {
    for event in changes {
        let copies = events.entry(*event).or_default();
        *copies += weight;
        if *copies == 0 {
            events.remove(event);
        }
    }
    let mut sessions: Vec<[i64; 6]> = Vec::new();
    for (&(_, time, value), &weight) in events.iter() {
        match sessions.last_mut() {
            Some([_, last, count, sum, min, max]) if time - *last <= GAP => {
                (*last, *count, *sum) = (time, *count + weight, *sum + value * weight);
                (*min, *max) = (value.min(*min), value.max(*max));
            }
            _ => sessions.push([time, time, weight, value * weight, value, value]),
        }
    }
    sessions.len()
}

criterion_group!(benches, sessions);
criterion_main!(benches);
