//! The law against the interpreter: empty, missing and unequal lists.

#![allow(clippy::unwrap_used)]

use arrow::datatypes::{DataType, Field, Int64Type};
use datafusion_common::ScalarValue;
use deltic_circuit::Operator;
use proptest::prelude::*;

use super::*;
use crate::testing::{Law, Row, check, circuit, history, schema};

fn list_type() -> DataType {
    DataType::List(std::sync::Arc::new(Field::new_list_field(DataType::Int64, true)))
}

fn list(values: Option<Vec<Option<i64>>>) -> ScalarValue {
    ScalarValue::List(std::sync::Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>([values])))
}

/// `SELECT c0, unnest(c1), unnest(c2)`
fn law(outer: bool, ordinality: bool) -> Law<Unnest> {
    let mut types = vec![DataType::Int64, DataType::Int64, DataType::Int64];
    types.extend(ordinality.then_some(DataType::Int64));
    let output = schema(&types);
    let operator = Operator::Unnest { keep: vec![0], lists: vec![1, 2], outer, ordinality };
    let circuit = circuit(operator, &[schema(&[DataType::Int64, list_type(), list_type()])], &output);
    Law::new(Unnest::new(vec![0], vec![1, 2], outer, ordinality, output), circuit, false)
}

fn row(key: i64, first: Option<Vec<Option<i64>>>, second: Option<Vec<Option<i64>>>, weight: i64) -> Row {
    (vec![ScalarValue::Int64(Some(key)), list(first), list(second)], weight)
}

#[test]
fn shorter_lists_are_padded_and_copies_stay_copies() {
    let delta = law(false, true).step(&[&[row(7, Some(vec![Some(1), None, Some(1)]), Some(vec![Some(5)]), 2)]]);
    assert_eq!(delta.len(), 3);
    assert_eq!(delta["(7, 1, 5, 1)"], 2);
    assert_eq!(delta["(7, NULL, NULL, 2)"], 2);
    assert_eq!(delta["(7, 1, NULL, 3)"], 2);
}

#[test]
fn a_row_without_elements_stays_only_if_it_is_outer() {
    let rows = [row(1, None, Some(vec![]), 1)];
    assert!(law(false, false).step(&[&rows]).is_empty());
    assert_eq!(law(true, true).step(&[&rows])["(1, NULL, NULL, NULL)"], 1);
}

#[test]
fn many_elements_come_in_several_batches() {
    let elements = (0..(2 * BATCH_ROWS as i64 + 1)).map(Some).collect();
    let mut unnest = Unnest::new(vec![], vec![0], false, false, schema(&[DataType::Int64]));
    let input = schema(&[list_type()]);
    unnest.push(0, crate::testing::batch(&input, &[(vec![list(Some(elements))], 1)]));
    let lengths: Vec<usize> = unnest.close(1).rows.iter().map(ZBatch::len).collect();
    assert_eq!(lengths, [BATCH_ROWS, BATCH_ROWS, 1]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn it_is_linear(
        history in history({
            let values = || proptest::option::of(proptest::collection::vec(proptest::option::of(0i64..3), 0..4));
            (0i64..3, values(), values()).prop_map(|(key, first, second)| row(key, first, second, 1).0)
        }),
        outer: bool,
        ordinality: bool,
    ) {
        check(law(outer, ordinality), history);
    }
}
