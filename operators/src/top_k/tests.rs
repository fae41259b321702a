//! The law against the interpreter, ties and borders by name, and that nothing is emitted that does not move into or out of view. These
//! tests cannot see two workers.

#![allow(clippy::unwrap_used)]

use arrow::datatypes::DataType;
use datafusion_common::ScalarValue;
use deltic_circuit::{Circuit, Properties, SortKey, Ties};
use proptest::prelude::*;

use super::*;
use crate::testing::{Change, Law, Row, check, circuit, history, play, schema};

#[derive(Clone, Debug)]
struct Shape {
    partition: Vec<usize>,
    order: Vec<SortKey>,
    offset: u64,
    limit: Option<u64>,
    numbered: bool,
    ties: Ties,
}

const TYPES: [DataType; 3] = [DataType::Int64, DataType::Float64, DataType::Utf8];

fn law(shape: Shape) -> Law<TopK> {
    let circuit = top_k_circuit(shape, false);
    Law::new(TopK::try_new(&circuit.nodes[1], &circuit.nodes[0].schema).unwrap(), circuit, true)
}

fn append_only_law(shape: Shape) -> Law<AppendOnlyTopK> {
    let circuit = top_k_circuit(shape, true);
    Law::new(AppendOnlyTopK::try_new(&circuit.nodes[1], &circuit.nodes[0]).unwrap().unwrap(), circuit, true)
}

fn top_k_circuit(shape: Shape, append_only: bool) -> Circuit {
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
        ties: shape.ties,
    };
    let mut circuit = circuit(operator, std::slice::from_ref(&input), &output);
    circuit.nodes[0].properties.append_only = append_only;
    circuit
}

fn by(column: usize) -> SortKey {
    SortKey { column, descending: false, nulls_first: false }
}

/// The `limit` least rows by the second column.
fn least(limit: u64) -> Shape {
    Shape { partition: vec![], order: vec![by(1)], offset: 0, limit: Some(limit), numbered: false, ties: Ties::Cut }
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

/// The place behind the ties is where a row of NULLs is: that row is behind them.
#[test]
fn a_row_right_behind_the_ties_is_not_one() {
    let order = vec![by(1), SortKey { column: 2, descending: true, nulls_first: false }];
    let mut law = law(Shape { partition: vec![0], order, offset: 1, ties: Ties::Kept, ..least(1) });
    let nulls = |text: Option<&str>| -> Row {
        (vec![ScalarValue::Int64(None), ScalarValue::Float64(None), ScalarValue::Utf8(text.map(String::from))], 1)
    };
    assert_eq!(law.step(&[&[nulls(Some(""))]]).len(), 0);
    assert_eq!(law.step(&[&[nulls(None), nulls(Some(""))]]).len(), 1);
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
fn ties_come_and_go_with_the_last_row() {
    let mut law = law(Shape { ties: Ties::Kept, ..least(2) });
    assert_eq!(law.step(&[&[row(1, 1.0, "a", 1), row(1, 2.0, "b", 1), row(1, 2.0, "c", 3), row(1, 3.0, "d", 1)]]).len(), 3);
    // A new first row pushes nothing out before it fills the window alone.
    assert_eq!(law.step(&[&[row(1, 1.0, "e", 1)]]).len(), 3);
    assert_eq!(law.step(&[&[row(1, 1.0, "a", -1)], &[row(1, 2.0, "f", 1)]]).len(), 4);
    assert_eq!(law.step(&[&[row(1, 0.0, "g", i64::from(i32::MAX) + 5)]]).len(), 5);
    assert!(law.step(&[&[row(1, 0.5, "h", 1)]]).is_empty());
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
    let Shape { partition, order, offset, limit, numbered: with_row_number, ties } = shape;
    let operator = Operator::TopK { partition, order, offset, limit, with_row_number, ties };
    Node { operator, inputs: vec![], schema: schema(&TYPES), properties: Properties::default() }
}

fn shapes() -> impl Strategy<Value = Shape> {
    let key = (0..3usize, any::<bool>(), any::<bool>()).prop_map(|(column, descending, nulls_first)| SortKey {
        column,
        descending,
        nulls_first,
    });
    let partition = prop_oneof![Just(vec![]), Just(vec![0]), Just(vec![2, 0])];
    (partition, proptest::collection::vec(key, 0..3), 0..4u64, proptest::option::of(0..5u64), any::<bool>()).prop_map(
        |(partition, order, offset, limit, numbered)| Shape { partition, order, offset, limit, numbered, ties: Ties::Cut },
    )
}

fn values() -> impl Strategy<Value = Vec<ScalarValue>> + Clone {
    let number = proptest::option::of(0..3i64);
    let float = proptest::option::of(prop_oneof![Just(f64::NAN), Just(-0.0), Just(0.0), Just(1.5), Just(f64::NEG_INFINITY)]);
    (number, float, proptest::option::of("[ab]{0,2}"))
        .prop_map(|(number, float, text)| vec![ScalarValue::Int64(number), ScalarValue::Float64(float), ScalarValue::Utf8(text)])
}

#[test]
fn over_appended_rows_only_what_may_be_shown_is_kept() {
    let mut law = append_only_law(Shape { partition: vec![0], offset: 1, ..least(1) });
    assert!(law.step(&[&[row(1, 5.0, "a", 1)]]).is_empty());
    assert_eq!(law.step(&[&[row(1, 3.0, "b", 1), row(1, 4.0, "c", 1), row(2, 9.0, "d", 4)]]).len(), 2);
    // Two rows of the first partition, and of the second one row with two of its copies.
    assert_eq!(law.operator.state_size().rows, 3);
    assert!(law.step(&[&[row(1, 6.0, "e", 1), row(2, 9.0, "d", 1), row(2, 9.0, "e", 1)]]).is_empty());
    assert_eq!(law.operator.state_size().rows, 3);
    assert_eq!(law.step(&[&[row(2, 1.0, "f", i64::MAX - 1)], &[row(2, 1.0, "f", 1)]]).len(), 2);
    assert_eq!(law.operator.state_size().rows, 3);
}

#[test]
fn appended_rows_push_others_out_within_an_epoch() {
    let mut law = append_only_law(least(1));
    assert_eq!(law.step(&[&[row(1, 3.0, "a", 1)], &[row(1, 2.0, "b", 1)], &[row(1, 1.0, "c", 1)]]).len(), 1);
    assert_eq!(law.step(&[&[row(1, 0.5, "d", 1)], &[row(1, 0.5, "c", 1)], &[row(1, 0.5, "c", 1)]]).len(), 2);
}

#[test]
fn wide_windows_and_inputs_that_retract_are_for_the_index() {
    let of = |shape, append_only| {
        let circuit = top_k_circuit(shape, append_only);
        AppendOnlyTopK::try_new(&circuit.nodes[1], &circuit.nodes[0]).unwrap().is_some()
    };
    assert!(of(least(10), true));
    assert!(!of(least(10), false));
    assert!(!of(least(100_000), true));
    assert!(!of(Shape { offset: u64::MAX, ..least(2) }, true));
    assert!(!of(Shape { limit: None, ..least(1) }, true));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_sum_of_the_deltas_is_the_top_of_the_sum(shape in shapes(), history in history(values())) {
        check(law(shape), history);
    }

    #[test]
    fn ties_of_the_last_row_are_in_view(shape in shapes(), history in history(values())) {
        check(law(Shape { limit: shape.limit.or(Some(1)), numbered: false, ties: Ties::Kept, ..shape }), history);
    }

    #[test]
    fn first_groups_are_in_view(shape in shapes(), history in history(values())) {
        check(law(Shape { offset: 0, limit: shape.limit.or(Some(2)), numbered: false, ties: Ties::AsOne, ..shape }), history);
    }

    #[test]
    fn what_was_pushed_out_never_comes_back(shape in shapes(), history in history(values())) {
        let mut law = append_only_law(Shape { limit: shape.limit.or(Some(2)), ..shape });
        let inserts = |batch: Vec<Change>| batch.into_iter().filter(|change| matches!(change, Change::Insert(_))).collect();
        for epoch in history {
            let batches = play(epoch.into_iter().map(inserts).collect(), &mut Vec::new());
            law.step(&batches.iter().map(Vec::as_slice).collect::<Vec<_>>());
        }
    }
}
