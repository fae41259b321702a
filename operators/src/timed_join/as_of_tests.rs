//! The law for both directions on random histories, corrections by name, and what is kept.

#![allow(clippy::unwrap_used)]

use std::collections::HashMap;

use arrow::datatypes::DataType;
use datafusion_common::ScalarValue;
use deltic_circuit::{CircuitBuilder, JoinKey, TimeMatch};
use proptest::prelude::*;

use super::*;
use crate::testing::timed::{Timed, check_timed, infos, lateness, sources};
use crate::testing::{Law, Row, batch, history, rows_of, schema};

/// A key, a time, a value.
const TYPES: [DataType; 3] = [const { DataType::Int64 }; 3];

#[derive(Clone, Debug)]
struct Shape {
    kind: JoinKind,
    keys: Vec<JoinKey>,
    comparison: AsOfComparison,
    lateness: [Option<i64>; 2],
}

fn inputs(lateness: [Option<i64>; 2]) -> [(SchemaRef, Timed); 2] {
    lateness.map(|lateness| (schema(&TYPES), Timed { time: 1, lateness }))
}

fn law(shape: &Shape) -> Law<AsOfJoin> {
    let mut builder = CircuitBuilder::new();
    let inputs = sources(&mut builder, &inputs(shape.lateness));
    let on = TimeMatch { keys: shape.keys.clone(), left_time: 1, right_time: 1 };
    let join = builder.as_of_join([inputs[0], inputs[1]], shape.kind, on, shape.comparison).unwrap();
    let circuit = builder.finish(join, None).unwrap();
    Law::new(AsOfJoin::try_new(&circuit, circuit.output).unwrap(), circuit, true)
}

fn row(time: i64, value: i64, weight: i64) -> Row {
    ([1, time, value].map(|value| ScalarValue::Int64(Some(value))).to_vec(), weight)
}

fn by_key(comparison: AsOfComparison) -> Law<AsOfJoin> {
    let keys = vec![JoinKey { left: 0, right: 0, null_safe: false }];
    law(&Shape { kind: JoinKind::Left, keys, comparison, lateness: [Some(0), Some(0)] })
}

fn step(law: &mut Law<AsOfJoin>, left: &[Row], right: &[Row]) -> HashMap<String, i64> {
    let output = law.epoch(&[vec![batch(&schema(&TYPES), left)], vec![batch(&schema(&TYPES), right)]]);
    output.rows.iter().flat_map(rows_of).collect()
}

#[test]
fn a_better_right_row_corrects_the_left_rows_behind_it() {
    let mut law = by_key(AsOfComparison::GreaterOrEqual);
    let left: Vec<Row> = (0..10).map(|time| row(10 * time, 0, 1)).collect();
    assert_eq!(step(&mut law, &left, &[row(0, 1, 1), row(50, 2, 1)]).len(), 10);
    let delta = step(&mut law, &[], &[row(35, 3, 1)]);
    assert_eq!(delta, [("(1, 40, 0, 1, 0, 1)".to_owned(), -1), ("(1, 40, 0, 1, 35, 3)".to_owned(), 1)].into());
    let delta = step(&mut law, &[], &[row(0, 1, -1)]);
    assert_eq!(delta["(1, 0, 0, NULL, NULL, NULL)"], 1);
    assert_eq!(delta.len(), 8, "the rows from 0 to 30");
}

#[test]
fn a_right_row_that_moves_is_one_correction() {
    let mut law = by_key(AsOfComparison::GreaterOrEqual);
    step(&mut law, &[row(20, 0, 1)], &[row(10, 1, 1)]);
    let delta = step(&mut law, &[], &[row(10, 1, -1), row(11, 1, 1)]);
    assert_eq!(delta, [("(1, 20, 0, 1, 10, 1)".to_owned(), -1), ("(1, 20, 0, 1, 11, 1)".to_owned(), 1)].into());
}

#[test]
fn of_right_rows_of_one_time_the_first_is_the_match() {
    let mut law = by_key(AsOfComparison::LessOrEqual);
    step(&mut law, &[row(5, 0, 2)], &[row(7, 4, 1)]);
    assert!(step(&mut law, &[], &[row(7, 5, 1)]).is_empty());
    assert_eq!(step(&mut law, &[], &[row(7, 3, 1)]).len(), 2);
    assert_eq!(step(&mut law, &[], &[row(7, 3, -1), row(7, 4, -1)])["(1, 5, 0, 1, 7, 5)"], 2);
}

#[test]
fn looking_back_the_last_right_row_before_the_horizon_stays() {
    let mut law = by_key(AsOfComparison::GreaterOrEqual);
    let right: Vec<Row> = (0..10).map(|time| row(time, 0, 1)).collect();
    step(&mut law, &[row(3, 0, 1), row(6, 0, 1)], &right);
    law.info.watermarks = [("s0".into(), 6), ("s1".into(), 6)].into();
    step(&mut law, &[], &[]);
    assert_eq!(law.operator.state_size().rows, 6, "the left row of 6, the right rows from 5 to 9");
    law.info.watermarks = [("s0".into(), 60), ("s1".into(), 60)].into();
    step(&mut law, &[], &[]);
    assert_eq!(law.operator.state_size().rows, 1);
    assert_eq!(step(&mut law, &[row(70, 0, 1)], &[])["(1, 70, 0, 1, 9, 0)"], 1);
}

#[test]
fn looking_ahead_a_left_row_waits_for_its_match() {
    let mut law = by_key(AsOfComparison::Less);
    step(&mut law, &[row(3, 0, 1), row(4, 0, 1)], &[row(4, 0, 1)]);
    law.info.watermarks = [("s0".into(), 10), ("s1".into(), 10)].into();
    step(&mut law, &[], &[]);
    assert_eq!(law.operator.state_size().rows, 1, "the left row of 4 has no match yet");
    assert_eq!(step(&mut law, &[], &[row(12, 0, 1)])["(1, 4, 0, 1, 12, 0)"], 1);
    law.info.watermarks = [("s0".into(), 13), ("s1".into(), 13)].into();
    step(&mut law, &[], &[]);
    assert_eq!(law.operator.state_size().rows, 0);
}

fn shapes() -> impl Strategy<Value = Shape> {
    use AsOfComparison::{Greater, GreaterOrEqual, Less, LessOrEqual};
    let keys = prop_oneof![Just(vec![]), any::<bool>().prop_map(|null_safe| vec![JoinKey { left: 0, right: 0, null_safe }])];
    let comparison = prop_oneof![Just(Greater), Just(GreaterOrEqual), Just(Less), Just(LessOrEqual)];
    (prop_oneof![Just(JoinKind::Inner), Just(JoinKind::Left)], keys, comparison, [lateness(), lateness()])
        .prop_map(|(kind, keys, comparison, lateness)| Shape { kind, keys, comparison, lateness })
}

fn values() -> impl Strategy<Value = Vec<ScalarValue>> + Clone {
    (proptest::option::weighted(0.9, 0..3i64), proptest::option::weighted(0.9, 0..20i64), proptest::option::of(0..2i64))
        .prop_map(|(key, time, value)| [key, time, value].map(ScalarValue::Int64).to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(800))]

    #[test]
    fn the_sum_of_the_deltas_is_the_join_of_the_sums(
        shape in shapes(), infos in infos(), left in history(values()), right in history(values())
    ) {
        let mut law = law(&shape);
        let looks_back = law.operator.looks_back();
        check_timed(&mut law, &[left, right], &infos, &inputs(shape.lateness));
        let state = law.operator.state_size().rows;
        if shape.lateness.iter().all(Option::is_some) && looks_back {
            // Three keys and NULL, each with at most two values at its last time and NULL.
            prop_assert!(state <= 4 * 3, "{} rows stay", state);
        }
    }
}
