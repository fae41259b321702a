//! The law, epoch by epoch, against the interpreter that follows the same epochs; and what is kept, by name. The right input changes in the same epochs as the
//! left one, so these tests see which of the two is first. They cannot see two workers.

#![allow(clippy::unwrap_used)]

use std::collections::HashMap;

use arrow::datatypes::DataType;
use datafusion_common::ScalarValue;
use deltic_circuit::{BinaryOp, Circuit, CircuitBuilder, EventTime, Expr, JoinKey, Properties, TimeSource, retention};
use proptest::prelude::*;

use super::*;
use crate::arrange::{Index, SharedArrangement};
use crate::testing::{Law, Row, batch, history, play, rows_of, schema};

/// A key, a value, a time.
const TYPES: [DataType; 3] = [const { DataType::Int64 }; 3];

#[derive(Clone, Copy, Debug)]
struct Shape {
    kind: JoinKind,
    append_only: bool,
    /// Left value divided by right value is positive: it fails where that is 0.
    residual: bool,
    timed: bool,
}

impl Shape {
    fn circuit(self) -> Circuit {
        let mut builder = CircuitBuilder::new();
        let mut left = Properties { append_only: self.append_only, ..Properties::default() };
        if self.timed {
            left.time_sources = vec![TimeSource { relation: "s0".into(), lateness: Some(0) }];
            left.event_times = vec![EventTime { column: 2, slack: 0 }];
        }
        let left = builder.source("s0", schema(&TYPES), left);
        let keyed = Properties { unique_keys: vec![vec![0]], ..Properties::default() };
        let right = builder.source("s1", schema(&TYPES), keyed);
        let residual = self.residual.then(|| {
            let quotient = Expr::binary(BinaryOp::Divide, Expr::column(1, DataType::Int64), Expr::column(4, DataType::Int64));
            Expr::binary(BinaryOp::Greater, quotient, Expr::literal(0i64))
        });
        let keys = vec![JoinKey { left: 0, right: 0, null_safe: false }];
        let lookup = builder.temporal_lookup([left, right], self.kind, keys, residual).unwrap();
        builder.finish(lookup, None).unwrap()
    }
}

/// The lookup with the index that it reads.
struct Indexed {
    index: Index,
    lookup: TemporalLookup,
}

impl EpochOperator for Indexed {
    fn push(&mut self, port: usize, batch: ZBatch) {
        match port {
            0 => self.lookup.push(0, batch),
            _ => self.index.push(0, batch),
        }
    }

    fn observe(&mut self, info: &EpochInfo) {
        self.lookup.observe(info);
    }

    fn close(&mut self, epoch: u64) -> Output {
        self.index.close(epoch).rows.into_iter().for_each(|batch| self.lookup.push(1, batch));
        self.lookup.close(epoch)
    }

    fn state_size(&self) -> StateSize {
        self.lookup.state_size()
    }
}

/// Errors of one pair may come in two parts, as those of a join may.
fn law(shape: Shape) -> Law<Indexed> {
    let circuit = shape.circuit();
    let arrangement = SharedArrangement::new(schema(&TYPES), vec![0]);
    let reader = arrangement.reader(0);
    let node = circuit.node(circuit.output);
    let horizon = retention(&circuit, circuit.output).first().and_then(Horizon::of);
    let lookup = TemporalLookup::try_new(node, circuit.node(node.inputs[0]), reader, horizon).unwrap();
    Law::new(Indexed { index: Index::new(arrangement), lookup }, circuit, !shape.append_only && !shape.residual)
}

fn row(key: i64, value: i64, weight: i64) -> Row {
    ([key, value, 0].map(|value| ScalarValue::Int64(Some(value))).to_vec(), weight)
}

fn step(law: &mut Law<Indexed>, left: &[Row], right: &[Row]) -> HashMap<String, i64> {
    let output = law.epoch(&[vec![batch(&schema(&TYPES), left)], vec![batch(&schema(&TYPES), right)]]);
    output.rows.iter().flat_map(rows_of).collect()
}

const LEFT: Shape = Shape { kind: JoinKind::Left, append_only: false, residual: false, timed: false };

#[test]
fn later_changes_of_the_table_change_nothing_that_was_shown() {
    let mut law = law(Shape { append_only: true, ..LEFT });
    let delta = step(&mut law, &[row(1, 10, 1), row(2, 20, 1)], &[row(1, 7, 1)]);
    let expected = [("(1, 10, 0, 1, 7, 0)".to_owned(), 1), ("(2, 20, 0, NULL, NULL, NULL)".to_owned(), 1)];
    assert_eq!(delta, expected.into());
    assert!(step(&mut law, &[], &[row(1, 7, -1), row(1, 8, 1), row(2, 9, 1)]).is_empty());
    // The table's changes of an epoch come first.
    let delta = step(&mut law, &[row(2, 21, 1)], &[row(2, 9, -1), row(2, 10, 1)]);
    assert_eq!(delta, [("(2, 21, 0, 2, 10, 0)".to_owned(), 1)].into());
    assert_eq!(law.operator.state_size().rows, 0, "rows that only come leave nothing behind");
}

#[test]
fn what_was_shown_is_taken_back_the_last_copies_first() {
    let mut law = law(LEFT);
    step(&mut law, &[row(1, 10, 2)], &[row(1, 7, 1)]);
    step(&mut law, &[row(1, 10, 1)], &[row(1, 7, -1)]);
    step(&mut law, &[row(1, 10, 1)], &[row(1, 8, 1)]);
    let beside = |text: &str, weight| (format!("(1, 10, 0, {text})"), weight);
    let taken = step(&mut law, &[row(1, 10, -3)], &[row(1, 8, -1)]);
    assert_eq!(taken, [beside("1, 8, 0", -1), beside("NULL, NULL, NULL", -1), beside("1, 7, 0", -1)].into());
    assert_eq!(step(&mut law, &[row(1, 10, -1)], &[]), [beside("1, 7, 0", -1)].into());
    let size = law.operator.state_size();
    assert_eq!(size.rows, 0);
}

#[test]
fn rows_that_no_change_reaches_any_more_are_forgotten() {
    let mut law = law(Shape { timed: true, ..LEFT });
    let timed = |time: i64| ([1, 1, time].map(|value| ScalarValue::Int64(Some(value))).to_vec(), 1);
    step(&mut law, &[timed(5), timed(6), timed(20)], &[row(1, 7, 1)]);
    assert_eq!(law.operator.state_size().rows, 3);
    law.info.watermarks = [("s0".into(), 10)].into();
    step(&mut law, &[], &[row(1, 7, -1)]);
    assert_eq!(law.operator.state_size().rows, 1);
}

#[test]
fn an_error_of_the_condition_goes_with_its_row() {
    let mut law = law(Shape { residual: true, ..LEFT });
    step(&mut law, &[row(1, 10, 1)], &[row(1, 0, 1)]);
    assert_eq!(law.errors().len(), 1);
    step(&mut law, &[], &[row(1, 0, -1), row(1, 5, 1)]);
    assert_eq!(law.errors().len(), 1);
    step(&mut law, &[row(1, 10, -1)], &[]);
    assert!(law.errors().is_empty());
}

fn values() -> impl Strategy<Value = Vec<ScalarValue>> + Clone {
    let small = || proptest::option::weighted(0.9, 0..3i64);
    (small(), small()).prop_map(|(key, value)| vec![key, value, Some(0)].into_iter().map(ScalarValue::Int64).collect())
}

/// By epoch: the new row of some keys, `None` if it goes.
fn table() -> impl Strategy<Value = Vec<HashMap<Option<i64>, Option<i64>>>> {
    let changes = proptest::collection::hash_map(proptest::option::weighted(0.9, 0..3i64), proptest::option::of(0..3i64), 0..3);
    proptest::collection::vec(changes, 8)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn lookups_follow_the_epochs(
        left in history(values()), table in table(), residual in any::<bool>(),
        kind in prop_oneof![Just(JoinKind::Inner), Just(JoinKind::Left)], append_only in any::<bool>()
    ) {
        let mut law = law(Shape { kind, append_only, residual, timed: false });
        let mut live = Vec::new();
        let mut rows: HashMap<Option<i64>, i64> = HashMap::new();
        for (epoch, changes) in left.into_iter().zip(table) {
            let left: Vec<Vec<Row>> = match append_only {
                false => play(epoch, &mut live),
                true => play(epoch, &mut Vec::new())
                    .into_iter()
                    .map(|rows| rows.into_iter().filter(|(_, weight)| *weight > 0).collect())
                    .collect(),
            };
            let mut right: Vec<Row> = Vec::new();
            let mut change = |key: Option<i64>, value: i64, weight| {
                right.push(([key, Some(value), Some(0)].map(ScalarValue::Int64).to_vec(), weight));
            };
            for (key, value) in changes {
                if let Some(old) = rows.remove(&key) {
                    change(key, old, -1);
                }
                if let Some(new) = value {
                    rows.insert(key, new);
                    change(key, new, 1);
                }
            }
            let batches = |parts: &[Vec<Row>]| parts.iter().map(|rows| batch(&schema(&TYPES), rows)).collect::<Vec<_>>();
            law.epoch(&[batches(&left), batches(&[right])]);
        }
        let rest: Vec<Row> = live.into_iter().map(|(values, weight)| (values, -weight)).collect();
        if !append_only {
            law.epoch(&[vec![batch(&schema(&TYPES), &rest)], vec![]]);
            prop_assert_eq!(law.operator.state_size().rows, 0);
        }
    }
}
