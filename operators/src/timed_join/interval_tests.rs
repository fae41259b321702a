//! The law for all kinds of interval joins on random histories, in time and as late as they like, and that state ends.

#![allow(clippy::unwrap_used)]

use arrow::datatypes::DataType;
use datafusion_common::ScalarValue;
use deltic_circuit::{BinaryOp, CircuitBuilder, Expr, JoinKey, TimeMatch};
use proptest::prelude::*;

use super::*;
use crate::testing::timed::{Timed, check_timed, infos, lateness, sources};
use crate::testing::{Law, Row, batch, history, schema};

/// A key, a time, a value.
const TYPES: [DataType; 3] = [const { DataType::Int64 }; 3];

#[derive(Clone, Debug)]
struct Shape {
    kind: IntervalJoinKind,
    keys: Vec<JoinKey>,
    range: (i64, i64),
    /// `l.value < r.value`, or that of a quotient that may fail.
    residual: Option<bool>,
    lateness: [Option<i64>; 2],
}

fn inputs(lateness: [Option<i64>; 2]) -> [(SchemaRef, Timed); 2] {
    lateness.map(|lateness| (schema(&TYPES), Timed { time: 1, lateness }))
}

fn law(shape: &Shape) -> Law<IntervalJoin> {
    let mut builder = CircuitBuilder::new();
    let inputs = sources(&mut builder, &inputs(shape.lateness));
    let value = |column| Expr::column(column, DataType::Int64);
    let residual = shape.residual.map(|fails| {
        let left = if fails { Expr::binary(BinaryOp::Divide, Expr::literal(2i64), value(2)) } else { value(2) };
        Expr::binary(BinaryOp::Less, left, value(5))
    });
    let on = TimeMatch { keys: shape.keys.clone(), left_time: 1, right_time: 1 };
    let join = builder.interval_join([inputs[0], inputs[1]], shape.kind, on, shape.range, residual).unwrap();
    let circuit = builder.finish(join, None).unwrap();
    Law::new(IntervalJoin::try_new(&circuit, circuit.output).unwrap(), circuit, false)
}

fn row(key: i64, time: i64, value: i64, weight: i64) -> Row {
    ([key, time, value].map(|value| ScalarValue::Int64(Some(value))).to_vec(), weight)
}

fn by_key(kind: IntervalJoinKind, range: (i64, i64)) -> Shape {
    let keys = vec![JoinKey { left: 0, right: 0, null_safe: false }];
    Shape { kind, keys, range, residual: None, lateness: [Some(0), Some(0)] }
}

fn step(law: &mut Law<IntervalJoin>, left: &[Row], right: &[Row]) -> Vec<i64> {
    let output = law.epoch(&[vec![batch(&schema(&TYPES), left)], vec![batch(&schema(&TYPES), right)]]);
    output.rows.iter().flat_map(|rows| rows.weights_or_ones().to_vec()).collect()
}

#[test]
fn times_meet_at_both_ends_of_the_interval() {
    let mut law = law(&by_key(IntervalJoinKind::Inner, (-1, 2)));
    assert_eq!(
        step(&mut law, &[row(1, 10, 0, 2)], &[row(1, 8, 0, 1), row(1, 9, 0, 1), row(1, 12, 0, 3), row(1, 13, 0, 1)]).len(),
        2
    );
    assert_eq!(step(&mut law, &[], &[row(1, 12, 0, -3)]), [-6]);
}

#[test]
fn a_left_row_gains_and_loses_its_match() {
    let mut law = law(&by_key(IntervalJoinKind::Left, (0, 0)));
    assert_eq!(step(&mut law, &[row(1, 10, 0, 2)], &[]), [2]);
    assert_eq!(step(&mut law, &[], &[row(1, 10, 7, 1)]).len(), 2);
    assert_eq!(step(&mut law, &[], &[row(1, 10, 8, 1)]), [2]);
    assert_eq!(step(&mut law, &[row(1, 10, 0, -1)], &[row(1, 10, 7, -1), row(1, 10, 8, -1)]).len(), 3);
}

#[test]
fn intervals_that_leave_the_range_of_times_match_what_is_in_it() {
    let mut law = law(&by_key(IntervalJoinKind::Full, (i64::MIN, i64::MAX)));
    step(&mut law, &[row(1, i64::MAX, 0, 1), row(1, i64::MIN, 0, 1)], &[row(1, i64::MIN, 1, 1), row(1, 0, 1, 1)]);
}

#[test]
fn rows_that_no_later_row_can_meet_are_dropped() {
    let mut law = law(&by_key(IntervalJoinKind::Inner, (0, 5)));
    step(&mut law, &[row(1, 10, 0, 1), row(2, 11, 0, 1)], &[row(1, 12, 0, 1), row(3, 3, 0, 1)]);
    law.info.watermarks = [("s0".into(), 16), ("s1".into(), 20)].into();
    step(&mut law, &[], &[]);
    assert_eq!(
        law.operator.state_size().rows,
        1,
        "left rows until the right source is 5 past them, right ones until the left source is"
    );
    step(&mut law, &[row(2, 17, 0, 1)], &[row(2, 22, 0, 1)]);
    law.info.watermarks = [("s0".into(), 23), ("s1".into(), 23)].into();
    step(&mut law, &[], &[]);
    assert_eq!(law.operator.state_size().rows, 0);
}

fn shapes() -> impl Strategy<Value = Shape> {
    use IntervalJoinKind::{Anti, Full, Inner, Left, Right, Semi};
    let kind = prop_oneof![Just(Inner), Just(Left), Just(Right), Just(Full), Just(Semi), Just(Anti)];
    let keys = prop_oneof![Just(vec![]), any::<bool>().prop_map(|null_safe| vec![JoinKey { left: 0, right: 0, null_safe }])];
    let range = (-4..4i64, 0..5i64).prop_map(|(lower, width)| (lower, lower + width));
    (kind, keys, range, proptest::option::of(any::<bool>()), [lateness(), lateness()])
        .prop_map(|(kind, keys, range, residual, lateness)| Shape { kind, keys, range, residual, lateness })
}

fn values() -> impl Strategy<Value = Vec<ScalarValue>> + Clone {
    (proptest::option::weighted(0.9, 0..3i64), proptest::option::weighted(0.9, 0..20i64), -1..2i64)
        .prop_map(|(key, time, value)| [key, time, Some(value)].map(ScalarValue::Int64).to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn the_sum_of_the_deltas_is_the_join_of_the_sums(
        shape in shapes(), infos in infos(), left in history(values()), right in history(values())
    ) {
        let mut law = law(&shape);
        check_timed(&mut law, &[left, right], &infos, &inputs(shape.lateness));
        if shape.lateness.iter().all(Option::is_some) {
            prop_assert_eq!(law.operator.state_size().rows, 0, "state ends");
        }
    }
}
