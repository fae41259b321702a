//! The law against the interpreter for all four operations, and what must not be emitted. These tests cannot see two workers.

#![allow(clippy::unwrap_used)]

use datafusion_common::ScalarValue;
use deltic_circuit::{Operator, Retention, TimeSource};
use proptest::prelude::*;

use super::*;
use crate::testing::{Change, Law, Row, batch, circuit, history, play, rows_of, schema};

const KINDS: [SetOperationKind; 4] =
    [SetOperationKind::Except, SetOperationKind::ExceptAll, SetOperationKind::Intersect, SetOperationKind::IntersectAll];

fn law(kind: SetOperationKind, types: &[DataType]) -> Law<SetOperation> {
    let schema = schema(types);
    let circuit = circuit(Operator::SetOperation { kind }, &[schema.clone(), schema.clone()], &schema);
    Law::new(SetOperation::try_new(kind, schema).unwrap(), circuit, true)
}

fn row(value: Option<i64>, weight: i64) -> Row {
    (vec![ScalarValue::Int64(value)], weight)
}

/// One epoch; the delta, in the order of its text.
fn step(law: &mut Law<SetOperation>, left: &[Row], right: &[Row]) -> Vec<(String, i64)> {
    let schema = schema(&[DataType::Int64]);
    let output = law.epoch(&[vec![batch(&schema, left)], vec![batch(&schema, right)]]);
    let mut rows: Vec<(String, i64)> = output.rows.iter().flat_map(|batch| rows_of(batch).into_iter()).collect();
    rows.sort();
    rows
}

#[test]
fn copies_are_counted_and_nulls_are_equal() {
    let left = [row(Some(1), 3), row(Some(2), 1), row(None, 1)];
    let right = [row(Some(1), 1), row(Some(3), 1), row(None, 2)];
    let expected: [&[(&str, i64)]; 4] =
        [&[("(2)", 1)], &[("(1)", 2), ("(2)", 1)], &[("(1)", 1), ("(NULL)", 1)], &[("(1)", 1), ("(NULL)", 1)]];
    for (kind, expected) in KINDS.into_iter().zip(expected) {
        let delta = step(&mut law(kind, &[DataType::Int64]), &left, &right);
        let expected: Vec<(String, i64)> = expected.iter().map(|(text, weight)| (text.to_string(), *weight)).collect();
        assert_eq!(delta, expected, "{kind:?}");
    }
}

#[test]
fn what_changes_on_both_sides_alike_emits_nothing() {
    let mut law = law(SetOperationKind::ExceptAll, &[DataType::Int64]);
    step(&mut law, &[row(Some(1), 3)], &[row(Some(1), 1)]);
    assert!(step(&mut law, &[row(Some(1), 2)], &[row(Some(1), 2)]).is_empty());
    assert_eq!(step(&mut law, &[], &[row(Some(1), -3)]), [("(1)".to_string(), 3)]);
    assert_eq!(step(&mut law, &[row(Some(1), -5)], &[]), [("(1)".to_string(), -5)]);
    assert_eq!(law.operator.state_size().rows, 0, "what is gone from both sides is forgotten");
}

#[test]
fn a_row_of_the_right_side_alone_waits_for_its_like() {
    let mut law = law(SetOperationKind::Intersect, &[DataType::Int64]);
    assert!(step(&mut law, &[], &[row(None, 2)]).is_empty());
    assert_eq!(step(&mut law, &[row(None, 4)], &[row(None, -1)]), [("(NULL)".to_string(), 1)]);
    assert_eq!(step(&mut law, &[], &[row(None, -1)]), [("(NULL)".to_string(), -1)]);
}

#[test]
fn rows_that_no_change_can_touch_are_forgotten() {
    let source = TimeSource { relation: "s0".into(), lateness: Some(0) };
    let retention = Retention::While { column: 0, slack: 0, sources: vec![source] };
    let mut law = law(SetOperationKind::ExceptAll, &[DataType::Int64]);
    law.operator = law.operator.with_horizon(Horizon::of(&retention));
    let rows = |times: std::ops::Range<i64>, weight| times.map(|time| row(Some(time), weight)).collect::<Vec<_>>();
    step(&mut law, &rows(0..10, 2), &rows(5..15, 1));
    assert_eq!(law.operator.state_size().rows, 15);
    law.info = EpochInfo { watermarks: [("s0".into(), 8)].into(), ..EpochInfo::default() };
    // What the output has of them stays.
    assert_eq!(step(&mut law, &rows(9..10, 1), &[]), [("(9)".to_string(), 1)]);
    assert_eq!(law.operator.state_size().rows, 7);
}

fn values() -> impl Strategy<Value = Vec<ScalarValue>> + Clone {
    (proptest::option::of(0i64..3), proptest::option::of("[ab]{0,1}|long long long text"))
        .prop_map(|(number, text)| vec![ScalarValue::Int64(number), ScalarValue::Utf8(text)])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn the_sum_of_the_deltas_is_the_operation_of_the_sums(left in history(values()), right in history(values())) {
        for kind in KINDS {
            let mut law = law(kind, &[DataType::Int64, DataType::Utf8]);
            let schema = schema(&[DataType::Int64, DataType::Utf8]);
            let mut live = [Vec::new(), Vec::new()];
            let epochs = left.len().max(right.len());
            for epoch in 0..epochs {
                let of = |history: &Vec<Vec<Vec<Change>>>| history.get(epoch).cloned().unwrap_or_default();
                let sides = [play(of(&left), &mut live[0]), play(of(&right), &mut live[1])];
                let batches = sides.map(|side| side.iter().map(|rows| batch(&schema, rows)).collect::<Vec<_>>());
                law.epoch(&batches);
            }
            let rest = live.map(|rows| {
                let gone: Vec<Row> = rows.into_iter().map(|(values, weight)| (values, -weight)).collect();
                vec![batch(&schema, &gone)]
            });
            law.epoch(&rest);
            prop_assert_eq!(law.operator.state_size().rows, 0);
        }
    }
}
