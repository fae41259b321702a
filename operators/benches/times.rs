//! What an epoch costs in the operators of time, while time passes: one worker, epochs of 1,000 and 10,000 rows, one per millisecond of event time, over
//! a thousand keys. State is that of the last million rows (of ten thousand, if it is only tested that the benchmarks run): as rows come, others
//! leave. Feeding, the dataflow around the operator and the emission of the delta are part of it.

mod common;

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use deltic_circuit::{
    AggregateCall, AggregateFunction, AsOfComparison, Circuit, CircuitBuilder, CircuitError, EmitPolicy, EpochInfo, EventTime,
    IntervalJoinKind, JoinKey, JoinKind, NodeId, Properties, TimeMatch, TimeSource, Window,
};
use deltic_zset::ZBatch;

use common::{Loop, random};

const EPOCH_ROWS: [usize; 2] = [1_000, 10_000];
const KEYS: u64 = 1_000;
/// Event time from row to row.
const STEP_MICROS: i64 = 1_000;

fn schema() -> SchemaRef {
    let time = DataType::Timestamp(TimeUnit::Microsecond, None);
    let fields = [("k", DataType::Int64), ("t", time.clone()), ("until", time)];
    Arc::new(Schema::new(fields.map(|(name, data_type)| Field::new(name, data_type, false)).to_vec()))
}

#[derive(Clone, Copy, Debug)]
enum Subject {
    Tumble,
    Hop,
    /// Counts by key and window, as they change.
    Counts,
    /// Counts by key and window, when it closes.
    CountsOnWindowClose,
    /// Rows for a span of time by the clock.
    TemporalFilter,
    /// Ten matches per row.
    IntervalJoin,
    AsOfJoin,
}

impl Subject {
    const ALL: [(&str, Subject); 7] = [
        ("time_window/tumble", Subject::Tumble),
        ("time_window/hop, 5 windows", Subject::Hop),
        ("windowed counts", Subject::Counts),
        ("windowed counts, on window close", Subject::CountsOnWindowClose),
        ("temporal_filter", Subject::TemporalFilter),
        ("interval_join", Subject::IntervalJoin),
        ("as_of_join", Subject::AsOfJoin),
    ];

    /// The circuit, with state for so much event time.
    fn circuit(self, kept: i64) -> Result<Circuit, CircuitError> {
        let mut builder = CircuitBuilder::new();
        let lateness = match self {
            Subject::AsOfJoin => kept,
            _ => 0,
        };
        let [left, right] = ["l", "r"].map(|relation| {
            let properties = Properties {
                time_sources: vec![TimeSource { relation: relation.into(), lateness: Some(lateness) }],
                event_times: vec![EventTime { column: 1, slack: 0 }],
                ..Properties::default()
            };
            builder.source(relation, schema(), properties)
        });
        let on = || TimeMatch { keys: vec![JoinKey { left: 0, right: 0, null_safe: false }], left_time: 1, right_time: 1 };
        let window = kept / 4;
        let output = match self {
            Subject::Tumble => builder.time_window(left, 1, Window::Tumble { size: window, offset: 0 })?,
            Subject::Hop => builder.time_window(left, 1, Window::Hop { slide: window / 5, size: window, offset: 0 })?,
            Subject::Counts => counts(&mut builder, left, window)?,
            Subject::CountsOnWindowClose => {
                let counts = counts(&mut builder, left, window)?;
                let closing = builder.properties(counts).closings[0];
                builder.emit(counts, EmitPolicy::OnWindowClose(closing))?
            }
            Subject::TemporalFilter => builder.temporal_filter(left, Some(1), Some(2))?,
            Subject::IntervalJoin => {
                let reach = 5 * KEYS as i64 * STEP_MICROS;
                builder.interval_join([left, right], IntervalJoinKind::Inner, on(), (-reach, reach), None)?
            }
            Subject::AsOfJoin => builder.as_of_join([left, right], JoinKind::Inner, on(), AsOfComparison::GreaterOrEqual)?,
        };
        builder.finish(output, None)
    }
}

fn counts(builder: &mut CircuitBuilder, input: NodeId, size: i64) -> Result<NodeId, CircuitError> {
    let windows = builder.time_window(input, 1, Window::Tumble { size, offset: 0 })?;
    let function = AggregateFunction::Count;
    let call = AggregateCall::new(function, None, DataType::Int64);
    builder.aggregate(windows, vec![0, 3, 4], vec![("n".to_owned(), call)])
}

/// Rows as time passes.
struct Stream {
    time: i64,
    kept: i64,
    state: u64,
}

impl Stream {
    /// The next rows of each relation, and what the epoch knows.
    fn epoch(&mut self, rows: usize) -> (EpochInfo, Vec<(&'static str, ZBatch)>) {
        let times: Vec<i64> = (0..rows as i64).map(|row| self.time + row * STEP_MICROS).collect();
        self.time += rows as i64 * STEP_MICROS;
        let watermarks = ["l", "r"].map(|relation| (relation.into(), self.time)).into();
        let info = EpochInfo { now: self.time, watermarks, ..EpochInfo::default() };
        let deltas = ["l", "r"].map(|relation| {
            let keys: Int64Array = (0..rows).map(|_| Some((random(&mut self.state) % KEYS) as i64)).collect();
            let until = times.iter().map(|time| time + self.kept).collect::<Vec<_>>();
            let times = [times.clone(), until].map(|times| Arc::new(TimestampMicrosecondArray::from(times)) as ArrayRef);
            let columns = std::iter::once(Arc::new(keys) as ArrayRef).chain(times).collect();
            (relation, ZBatch::new(schema(), columns, None, rows))
        });
        (info, deltas.to_vec())
    }
}

fn times(criterion: &mut Criterion) {
    // Criterion runs each benchmark once, to test it, unless it is told to measure.
    let measured = std::env::args().any(|argument| argument == "--bench");
    let kept_rows: usize = if measured { 1_000_000 } else { 10_000 };
    for (name, subject) in Subject::ALL {
        let mut group = criterion.benchmark_group(name);
        let kept = kept_rows as i64 * STEP_MICROS;
        let circuit = subject.circuit(kept).expect("the circuit is valid");
        for rows in EPOCH_ROWS {
            let (mut run, mut stream) = (Loop::new(&circuit), Stream { time: 0, kept, state: 42 });
            for _ in 0..kept_rows / rows + 1 {
                let (info, deltas) = stream.epoch(rows);
                run.feed(Some(info), deltas);
            }
            group.throughput(Throughput::Elements(rows as u64));
            group.bench_function(BenchmarkId::from_parameter(rows), |bencher| {
                bencher.iter_batched(
                    || stream.epoch(rows),
                    |(info, deltas)| run.feed(Some(info), deltas),
                    criterion::BatchSize::PerIteration,
                );
            });
        }
        group.finish();
    }
}

criterion_group!(benches, times);
criterion_main!(benches);
