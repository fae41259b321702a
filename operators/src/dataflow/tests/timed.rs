//! The law on circuits of time: random histories while clock and watermarks go on, on several workers, several epochs in flight, against the
//! interpreter in every epoch. Rows that come later than their source allows are left out of the histories, as sources do.

#![allow(clippy::unwrap_used)]

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arrow::datatypes::{DataType, SchemaRef, TimeUnit};
use datafusion_common::ScalarValue;
use deltic_circuit::{
    AggregateCall, AggregateFunction, AsOfComparison, BinaryOp, Circuit, CircuitBuilder, EmitPolicy, EpochInfo, Expr,
    IntervalJoinKind, JoinKey, JoinKind, NodeId, TimeMatch, Window, error_schema, interpreter,
};
use deltic_zset::ZBatch;
use proptest::prelude::*;
use timely::worker::Worker;

use super::super::{Install, OperatorState, Part, Registry, install};
use crate::testing::timed::{Timed, end_of_time, infos, lateness, play_timed, sources};
use crate::testing::{Row, batch, history, rows_of, schema};

/// A key, a time, and a time that may be NULL.
const TYPES: [DataType; 3] =
    [DataType::Int64, DataType::Timestamp(TimeUnit::Microsecond, None), DataType::Timestamp(TimeUnit::Microsecond, None)];

/// A tenth of a second: no state is dropped for less.
const UNIT: i64 = 100_000;

/// The rows of each source in an epoch, and what it knows.
type Epoch = (Vec<Vec<Row>>, EpochInfo);

/// What the sinks heard, and the state at the end.
type Heard = (Vec<(u64, Part)>, Vec<OperatorState>);

/// Runs a circuit that is installed in the first epoch, and feeds the others.
fn run(circuit: &Circuit, workers: usize, in_flight: usize, epochs: &[Epoch]) -> Heard {
    let config = timely::Config { communication: timely::CommunicationConfig::Process(workers), worker: Default::default() };
    let all: Arc<Mutex<Heard>> = Arc::default();
    let (heard, circuit, epochs) = (all.clone(), circuit.clone(), epochs.to_vec());
    let guards = timely::execute(config, move |worker| {
        let (parts, state) = run_worker(worker, &circuit, in_flight, &epochs);
        let mut heard = heard.lock().unwrap();
        heard.0.extend(parts);
        heard.1.extend(state);
    });
    guards.unwrap().join().into_iter().for_each(|result| result.unwrap());
    std::mem::take(&mut *all.lock().unwrap())
}

fn run_worker(worker: &mut Worker, circuit: &Circuit, in_flight: usize, epochs: &[Epoch]) -> Heard {
    let (index, peers) = (worker.index(), worker.peers());
    let share = |number: usize, rows: &[Row]| {
        let rows: Vec<Row> = rows.iter().skip((index + number) % peers).step_by(peers).cloned().collect();
        batch(&schema(&TYPES), &rows)
    };
    let mut registry = Registry::default();
    let parts: Rc<RefCell<Vec<(u64, Part)>>> = Rc::default();
    let sink = parts.clone();
    let (first, info) = &epochs[0];
    let hydrate = first.iter().enumerate().map(|(port, rows)| (format!("s{port}"), vec![share(0, rows)])).collect();
    let request =
        Install { view: "view", circuit, since: 0, info: Arc::new(info.clone()), hydrate, hydrate_errors: HashMap::new() };
    let mut view = install(worker, &mut registry, request, Box::new(move |epoch, part| sink.borrow_mut().push((epoch, part))));
    let settle = |worker: &mut Worker, view: &super::super::Dataflow, epoch: u64| {
        while !view.done(epoch) {
            worker.step_or_park(Some(Duration::from_millis(1)));
        }
    };
    settle(worker, &view, 0);
    for (number, (rows, info)) in epochs.iter().enumerate().skip(1) {
        let epoch = number as u64;
        registry.times().insert(epoch, Arc::new(info.clone()));
        for (port, rows) in rows.iter().enumerate() {
            view.push(&format!("s{port}"), share(number, rows));
        }
        view.advance_to(epoch + 1);
        if number % in_flight == 0 || number + 1 == epochs.len() {
            settle(worker, &view, epoch);
        }
    }
    let state = view.state();
    view.uninstall(worker, &mut registry);
    while worker.has_dataflows() {
        worker.step_or_park(Some(Duration::from_millis(1)));
    }
    (parts.take(), state)
}

/// Compares every epoch with the interpreter.
fn judge(circuit: &Circuit, epochs: &[Epoch], heard: &[(u64, Part)]) {
    let mut contents: Vec<Vec<ZBatch>> = vec![Vec::new(); epochs[0].0.len()];
    let mut history = interpreter::History::default();
    for (epoch, (rows, info)) in epochs.iter().enumerate() {
        for (contents, rows) in contents.iter_mut().zip(rows) {
            contents.push(batch(&schema(&TYPES), rows));
        }
        let source = |(port, rows): (usize, &Vec<ZBatch>)| {
            (format!("s{port}"), ZBatch::concat(&schema(&TYPES), rows).unwrap().consolidate().unwrap())
        };
        let sources = contents.iter().enumerate().map(source).collect();
        let expected = interpreter::evaluate_after(circuit, &sources, info, &mut history).unwrap();
        let parts = heard.iter().filter(|(of, _)| *of <= epoch as u64);
        let (rows, errors): (Vec<_>, Vec<_>) = parts.map(|(_, part)| (part.rows.clone(), part.errors.clone())).unzip();
        let sum = |schema: &SchemaRef, batches: &[ZBatch]| rows_of(&ZBatch::concat(schema, batches).unwrap());
        assert_eq!(sum(circuit.schema(), &rows), rows_of(&expected.rows), "rows in epoch {epoch}");
        assert_eq!(sum(&error_schema(), &errors), rows_of(&expected.errors), "errors in epoch {epoch}");
    }
}

/// A query over `s0` and `s1`.
#[derive(Clone, Copy, Debug)]
enum Query {
    /// `SELECT window_start, window_end, count(*) .. GROUP BY ..` over windows of the time, as EMIT has it.
    Windows(Window, Emit),
    /// Rows while the time of the epoch is between their two times.
    Present,
    /// How many of them there are by key.
    CountPresent,
    /// Rows of both beside one another, by key and distance.
    Interval(IntervalJoinKind),
    /// Rows of both by key and time.
    Join(JoinKind, bool),
    /// Each row once.
    Distinct,
    /// Rows of the first beside the nearest of the second, by key.
    AsOf(AsOfComparison),
    /// How often rows of the first have seen each count of their key in the second, as it was when they came.
    Lookup(JoinKind),
}

#[derive(Clone, Copy, Debug)]
enum Emit {
    Changes,
    OnWindowClose,
    Final,
}

fn count() -> Vec<(String, AggregateCall)> {
    let function = AggregateFunction::Count;
    vec![("n".to_owned(), AggregateCall::new(function, None, DataType::Int64))]
}

/// The same times in tenths of seconds.
fn in_units(info: EpochInfo) -> EpochInfo {
    let watermarks = info.watermarks.into_iter().map(|(source, watermark)| (source, watermark * UNIT)).collect();
    EpochInfo { now: info.now * UNIT, watermarks, idle: info.idle }
}

impl Query {
    /// Whether all of its state does.
    fn ends(self) -> bool {
        !matches!(self, Query::CountPresent | Query::AsOf(_) | Query::Lookup(_))
    }

    fn circuit(self, inputs: &[(SchemaRef, Timed)]) -> Circuit {
        let mut builder = CircuitBuilder::new();
        let sources = sources(&mut builder, inputs);
        let output = self.build(&mut builder, &sources);
        builder.finish(output, None).unwrap()
    }

    fn build(self, builder: &mut CircuitBuilder, sources: &[NodeId]) -> NodeId {
        match self {
            Query::Windows(window, emit) => {
                let both = builder.union(sources.to_vec()).unwrap();
                let windows = builder.time_window(both, 1, window).unwrap();
                let counts = builder.aggregate(windows, vec![3, 4], count()).unwrap();
                let closing = builder.properties(counts).closings[0];
                match emit {
                    Emit::Changes => counts,
                    Emit::OnWindowClose => builder.emit(counts, EmitPolicy::OnWindowClose(closing)).unwrap(),
                    Emit::Final => builder.emit(counts, EmitPolicy::Final(closing)).unwrap(),
                }
            }
            Query::Present => builder.temporal_filter(sources[0], Some(1), Some(2)).unwrap(),
            Query::CountPresent => {
                let present = builder.temporal_filter(sources[0], Some(1), Some(2)).unwrap();
                builder.aggregate(present, vec![0], count()).unwrap()
            }
            Query::Interval(kind) => {
                builder.interval_join([sources[0], sources[1]], kind, by_key(), (-2 * UNIT, 3 * UNIT), None).unwrap()
            }
            Query::Join(kind, with_residual) => {
                let residual = with_residual.then(|| {
                    let until = |column| Expr::column(column, TYPES[2].clone());
                    Expr::binary(BinaryOp::Less, until(2), until(5))
                });
                let keys = [0, 1].map(|column| JoinKey { left: column, right: column, null_safe: false });
                builder.join(sources[0], sources[1], kind, keys.to_vec(), residual).unwrap()
            }
            Query::Distinct => builder.distinct(sources[0]).unwrap(),
            Query::AsOf(comparison) => {
                builder.as_of_join([sources[0], sources[1]], JoinKind::Left, by_key(), comparison).unwrap()
            }
            Query::Lookup(kind) => {
                let counts = builder.aggregate(sources[1], vec![0], count()).unwrap();
                let seen = builder.temporal_lookup([sources[0], counts], kind, by_key().keys, None).unwrap();
                builder.aggregate(seen, vec![0, 4], count()).unwrap()
            }
        }
    }
}

fn by_key() -> TimeMatch {
    TimeMatch { keys: vec![JoinKey { left: 0, right: 0, null_safe: false }], left_time: 1, right_time: 1 }
}

fn query() -> impl Strategy<Value = Query> {
    let window = prop_oneof![
        Just(Window::Tumble { size: 4 * UNIT, offset: UNIT }),
        Just(Window::Hop { slide: 2 * UNIT, size: 5 * UNIT, offset: 0 }),
        Just(Window::Cumulate { step: 2 * UNIT, size: 6 * UNIT, offset: 0 })
    ];
    let emit = prop_oneof![Just(Emit::Changes), Just(Emit::OnWindowClose), Just(Emit::Final)];
    let kind = prop_oneof![
        Just(IntervalJoinKind::Inner),
        Just(IntervalJoinKind::Left),
        Just(IntervalJoinKind::Full),
        Just(IntervalJoinKind::Semi)
    ];
    let join = prop_oneof![Just(JoinKind::Inner), Just(JoinKind::Left), Just(JoinKind::Full)];
    let comparison = prop_oneof![Just(AsOfComparison::Greater), Just(AsOfComparison::LessOrEqual)];
    prop_oneof![
        4 => (window, emit).prop_map(|(window, emit)| Query::Windows(window, emit)),
        1 => Just(Query::Present),
        1 => Just(Query::CountPresent),
        2 => kind.prop_map(Query::Interval),
        3 => (join, any::<bool>()).prop_map(|(kind, residual)| Query::Join(kind, residual)),
        1 => Just(Query::Distinct),
        2 => comparison.prop_map(Query::AsOf),
        2 => prop_oneof![Just(JoinKind::Inner), Just(JoinKind::Left)].prop_map(Query::Lookup)
    ]
}

fn values() -> impl Strategy<Value = Vec<ScalarValue>> + Clone {
    let time = |time: Option<i64>| ScalarValue::TimestampMicrosecond(time.map(|time| time * UNIT), None);
    (0..3i64, proptest::option::weighted(0.95, -2..20i64), proptest::option::weighted(0.8, 0..20i64))
        .prop_map(move |(key, at, until)| vec![ScalarValue::Int64(Some(key)), time(at), time(until)])
}

fn row(key: i64, from: i64, until: i64) -> Row {
    let time = |time: i64| ScalarValue::TimestampMicrosecond(Some(time), None);
    (vec![ScalarValue::Int64(Some(key)), time(from), time(until)], 1)
}

#[test]
fn rows_that_never_change_come_and_go_as_time_passes() {
    let mut builder = CircuitBuilder::new();
    let constant = builder.constant(batch(&schema(&TYPES), &[row(1, 1, 3), row(2, 2, 4)]));
    let present = builder.temporal_filter(constant, Some(1), Some(2)).unwrap();
    let circuit = builder.finish(present, None).unwrap();
    let at = |now| (vec![], EpochInfo { now, ..EpochInfo::default() });
    let epochs: Vec<Epoch> = (0..6).map(at).collect();
    for workers in [1, 3] {
        let (heard, state) = run(&circuit, workers, 2, &epochs);
        judge(&circuit, &epochs, &heard);
        assert!(state.iter().all(|operator| operator.size.rows == 0));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn views_of_time_are_their_queries_in_every_epoch(
        query in query(), infos in infos(), lateness in [lateness(), lateness()],
        left in history(values()), right in history(values()),
        workers in prop_oneof![Just(1usize), Just(3)], in_flight in 1usize..4
    ) {
        let timed = lateness.map(|lateness| Timed { time: 1, lateness: lateness.map(|late| late * UNIT) });
        let infos: Vec<EpochInfo> = infos.into_iter().map(in_units).collect();
        let mut epochs: Vec<Epoch> = play_timed(&[left, right], &infos, &timed)
            .into_iter()
            .map(|sources| sources.into_iter().map(|batches| batches.concat()).collect())
            .zip(infos)
            .collect();
        epochs.push((vec![vec![], vec![]], end_of_time()));
        let circuit = query.circuit(&timed.map(|timed| (schema(&TYPES), timed)));
        let (heard, state) = run(&circuit, workers, in_flight, &epochs);
        judge(&circuit, &epochs, &heard);
        // A row without a time has no end, nor has a right row that later left rows would meet.
        let timeless = |(rows, _): &Epoch| rows.iter().flatten().any(|(values, _)| values[1].is_null());
        if timed.iter().all(|timed| timed.lateness.is_some()) && !epochs.iter().any(timeless) && query.ends() {
            let left: Vec<_> = state.iter().filter(|operator| operator.size.rows > 0).collect();
            prop_assert!(left.is_empty(), "{:?} are left", left);
        }
    }
}
