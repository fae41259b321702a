//! The law against the interpreter, and what must not be emitted. These tests cannot see two workers.

#![allow(clippy::unwrap_used)]

use std::collections::HashMap;

use datafusion_common::ScalarValue;
use deltic_circuit::{Operator, operator_label};
use proptest::prelude::*;

use super::*;
use crate::testing::{Law, Row, check, circuit, history, schema};

const TYPES: [DataType; 2] = [DataType::Int64, DataType::Utf8];

fn law(group: &[usize]) -> Law<MaxOneRow> {
    let schema = schema(&TYPES);
    let operator = Operator::MaxOneRow { group: group.to_vec() };
    let label = operator_label(&operator);
    let circuit = circuit(operator, std::slice::from_ref(&schema), &schema);
    Law::new(MaxOneRow::try_new(group, schema, label).unwrap(), circuit, true)
}

fn row(key: Option<i64>, text: &str, weight: i64) -> Row {
    (vec![ScalarValue::Int64(key), ScalarValue::Utf8(Some(text.to_owned()))], weight)
}

fn delta(rows: &[(&str, i64)]) -> HashMap<String, i64> {
    rows.iter().map(|(row, weight)| (row.to_string(), *weight)).collect()
}

#[test]
fn a_group_is_shown_while_it_has_one_row() {
    let mut law = law(&[0]);
    assert_eq!(law.step(&[&[row(Some(1), "a", 1), row(None, "n", 1)]]), delta(&[("(1, 'a')", 1), ("(NULL, 'n')", 1)]));
    // A second row, then a third: the error is one.
    assert_eq!(law.step(&[&[row(Some(1), "b", 1)]]), delta(&[("(1, 'a')", -1)]));
    assert!(law.step(&[&[row(Some(1), "c", 1)]]).is_empty());
    assert!(law.step(&[&[row(Some(1), "a", -1)]]).is_empty());
    // The last one that is left is another than the first.
    assert_eq!(law.step(&[&[row(Some(1), "c", -1)]]), delta(&[("(1, 'b')", 1)]));
    assert_eq!(law.step(&[&[row(Some(1), "b", -1), row(None, "n", -1)]]), delta(&[("(1, 'b')", -1), ("(NULL, 'n')", -1)]));
    assert_eq!(law.operator.state_size().rows, 0, "what is gone is forgotten");
}

#[test]
fn two_copies_are_two_rows() {
    let mut law = law(&[]);
    assert!(law.step(&[&[row(Some(1), "a", 2)]]).is_empty());
    assert_eq!(law.step(&[&[row(Some(1), "a", -1)]]), delta(&[("(1, 'a')", 1)]));
}

#[test]
fn a_row_that_comes_and_goes_in_an_epoch_changes_nothing() {
    let mut law = law(&[0]);
    law.step(&[&[row(Some(1), "a", 1)]]);
    assert!(law.step(&[&[row(Some(1), "b", 1)], &[row(Some(1), "b", -1)]]).is_empty());
    // One row takes the place of another.
    assert_eq!(law.step(&[&[row(Some(1), "b", 1)], &[row(Some(1), "a", -1)]]), delta(&[("(1, 'a')", -1), ("(1, 'b')", 1)]));
}

fn values() -> impl Strategy<Value = Vec<ScalarValue>> + Clone {
    (proptest::option::of(0i64..3), proptest::option::of("[ab]{0,1}|long long long text"))
        .prop_map(|(number, text)| vec![ScalarValue::Int64(number), ScalarValue::Utf8(text)])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn the_sum_of_the_deltas_is_the_rows_of_single_groups(
        history in history(values()),
        group in prop_oneof![Just(vec![]), Just(vec![0]), Just(vec![1, 0])],
    ) {
        check(law(&group), history);
    }
}
