//! The law against the interpreter, ties and borders by name, and that nothing is emitted that does not move into or out of view. These
//! tests cannot see two workers.

#![allow(clippy::unwrap_used)]

use arrow::datatypes::DataType;
use datafusion_common::ScalarValue;
use deltic_circuit::{Properties, SortKey};
use proptest::prelude::*;

use super::*;
use crate::testing::{Law, Row, check, circuit, history, schema};

#[derive(Clone, Debug)]
struct Shape {
    partition: Vec<usize>,
    order: Vec<SortKey>,
    offset: u64,
    limit: Option<u64>,
    numbered: bool,
}

const TYPES: [DataType; 3] = [DataType::Int64, DataType::Float64, DataType::Utf8];

fn law(shape: Shape) -> Law<TopK> {
    let input = schema(&TYPES);
    let mut types = TYPES.to_vec();
    types.extend(shape.numbered.then_some(DataType::UInt64));
    let output = schema(&types);
    let operator = Operator::TopK {
        partition: shape.partition,
        order: shape.order,
        offset: shape.offset,
        limit: shape.limit,
        with_row_number: shape.numbered,
    };
    let circuit = circuit(operator, std::slice::from_ref(&input), &output);
    Law::new(TopK::try_new(&circuit.nodes[1], &input).unwrap(), circuit, true)
}

fn by(column: usize) -> SortKey {
    SortKey { column, descending: false, nulls_first: false }
}

/// The `limit` least rows by the second column.
fn least(limit: u64) -> Shape {
    Shape { partition: vec![], order: vec![by(1)], offset: 0, limit: Some(limit), numbered: false }
}

fn row(partition: i64, order: f64, rest: &str, weight: i64) -> Row {
    (vec![ScalarValue::Int64(Some(partition)), ScalarValue::Float64(Some(order)), ScalarValue::Utf8(Some(rest.into()))], weight)
}

#[test]
fn the_next_row_moves_up_when_one_is_deleted() {
    let mut law = law(least(2));
    assert_eq!(law.step(&[&[row(1, 3.0, "c", 1), row(1, 1.0, "a", 1), row(1, 2.0, "b", 1)]]).len(), 2);
    assert_eq!(law.step(&[&[row(1, 1.0, "a", -1)]]).len(), 2);
}

#[test]
fn rows_behind_the_border_emit_nothing() {
    let mut law = law(least(2));
    law.step(&[&[row(1, 1.0, "a", 1), row(1, 2.0, "b", 1)]]);
    assert!(law.step(&[&[row(1, 3.0, "c", 5), row(1, 2.0, "c", 1)]]).is_empty());
    assert!(law.step(&[&[row(1, 3.0, "c", -5)]]).is_empty());
}

#[test]
fn ties_are_broken_by_the_rest_of_the_row() {
    let mut law = law(least(1));
    law.step(&[&[row(1, 1.0, "b", 1)]]);
    let delta = law.step(&[&[row(1, 1.0, "a", 1), row(1, 1.0, "c", 1)]]);
    assert_eq!(delta["(1, 1.0, 'a')"], 1);
    assert_eq!(delta["(1, 1.0, 'b')"], -1);
    assert_eq!(delta.len(), 2);
}

#[test]
fn limit_counts_copies() {
    let mut law = law(least(3));
    assert_eq!(law.step(&[&[row(1, 1.0, "a", 2), row(1, 2.0, "b", 7)]])["(1, 2.0, 'b')"], 1);
    assert_eq!(law.step(&[&[row(1, 1.0, "a", -1)]]).len(), 2);
    assert_eq!(law.step(&[&[row(1, 0.0, "z", i64::MAX)]]).len(), 3);
    assert_eq!(law.step(&[&[row(1, 0.0, "z", -i64::MAX)]]).len(), 3);
}

#[test]
fn an_offset_skips_copies() {
    let mut law = law(Shape { offset: 2, ..least(2) });
    assert_eq!(law.step(&[&[row(1, 1.0, "a", 3), row(1, 2.0, "b", 1), row(1, 3.0, "c", 1)]]).len(), 2);
    assert_eq!(law.step(&[&[row(1, 1.0, "a", -3)]]).len(), 2);
}

#[test]
fn nan_comes_after_infinity_and_before_null() {
    let mut law = law(least(3));
    let null = (vec![ScalarValue::Int64(None), ScalarValue::Float64(None), ScalarValue::Utf8(None)], 1);
    let delta = law.step(&[&[row(1, f64::NAN, "", 1), row(1, f64::INFINITY, "", 1), null, row(1, f64::NEG_INFINITY, "", 1)]]);
    assert_eq!(delta.len(), 3);
}

#[test]
fn a_negative_weight_is_an_error_and_takes_no_place() {
    let input = schema(&TYPES);
    let circuit = law_circuit(least(1));
    let mut top = TopK::try_new(&circuit, &input).unwrap();
    top.push(0, crate::testing::batch(&input, &[row(1, 1.0, "a", -1), row(1, 2.0, "b", 1)]));
    let output = top.close(1);
    assert_eq!((output.rows[0].len(), output.errors[0].len()), (1, 1));
    top.push(0, crate::testing::batch(&input, &[row(1, 1.0, "a", 2)]));
    let output = top.close(2);
    assert_eq!((output.rows[0].len(), output.errors[0].weight(0)), (2, -1));
}

fn law_circuit(shape: Shape) -> Node {
    let Shape { partition, order, offset, limit, numbered: with_row_number } = shape;
    let operator = Operator::TopK { partition, order, offset, limit, with_row_number };
    Node { operator, inputs: vec![], schema: schema(&TYPES), properties: Properties::default() }
}

fn shapes() -> impl Strategy<Value = Shape> {
    let key = (0..3usize, any::<bool>(), any::<bool>()).prop_map(|(column, descending, nulls_first)| SortKey {
        column,
        descending,
        nulls_first,
    });
    let partition = prop_oneof![Just(vec![]), Just(vec![0]), Just(vec![2, 0])];
    (partition, proptest::collection::vec(key, 0..3), 0..4u64, proptest::option::of(0..5u64), any::<bool>())
        .prop_map(|(partition, order, offset, limit, numbered)| Shape { partition, order, offset, limit, numbered })
}

fn values() -> impl Strategy<Value = Vec<ScalarValue>> + Clone {
    let number = proptest::option::of(0..3i64);
    let float = proptest::option::of(prop_oneof![Just(f64::NAN), Just(-0.0), Just(0.0), Just(1.5), Just(f64::NEG_INFINITY)]);
    (number, float, proptest::option::of("[ab]{0,2}"))
        .prop_map(|(number, float, text)| vec![ScalarValue::Int64(number), ScalarValue::Float64(float), ScalarValue::Utf8(text)])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_sum_of_the_deltas_is_the_top_of_the_sum(shape in shapes(), history in history(values())) {
        check(law(shape), history);
    }
}
