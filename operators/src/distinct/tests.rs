//! The law against the interpreter, and what must not be emitted. These tests cannot see two workers.

#![allow(clippy::unwrap_used)]

use datafusion_common::ScalarValue;
use proptest::prelude::*;

use super::*;
use crate::testing::{Law, Row, check, circuit, history, schema};
use deltic_circuit::Operator;

fn law(types: &[DataType]) -> Law<Distinct> {
    let schema = schema(types);
    let circuit = circuit(Operator::Distinct, std::slice::from_ref(&schema), &schema);
    Law::new(Distinct::try_new(schema).unwrap(), circuit, true)
}

fn row(value: Option<f64>, weight: i64) -> Row {
    (vec![ScalarValue::Float64(value)], weight)
}

#[test]
fn only_appearing_and_disappearing_is_emitted() {
    let mut law = law(&[DataType::Float64]);
    assert_eq!(law.step(&[&[row(Some(1.0), 2), row(None, 1)]]).len(), 2);
    assert!(law.step(&[&[row(Some(1.0), -1), row(None, 5)]]).is_empty());
    assert_eq!(law.step(&[&[row(Some(1.0), -1)]]).values().copied().collect::<Vec<_>>(), [-1]);
    assert_eq!(law.operator.state_size().rows, 1);
}

#[test]
fn a_row_that_is_deleted_and_inserted_again_emits_nothing() {
    let mut law = law(&[DataType::Float64]);
    law.step(&[&[row(Some(1.0), 1)]]);
    assert!(law.step(&[&[row(Some(1.0), -1)], &[row(Some(1.0), 1)]]).is_empty());
    assert!(law.step(&[&[row(Some(2.0), -1)], &[row(Some(2.0), 1)]]).is_empty());
    assert_eq!(law.operator.state_size().rows, 1);
}

#[test]
fn there_is_one_nan_and_one_zero() {
    let mut law = law(&[DataType::Float64]);
    let rows = [row(Some(0.0), 1), row(Some(-0.0), 1), row(Some(f64::NAN), 1), row(Some(-f64::NAN), 1)];
    assert_eq!(law.step(&[&rows]).len(), 2);
}

#[test]
fn a_negative_weight_is_an_error_until_it_is_made_good() {
    let schema = schema(&[DataType::Float64]);
    let mut distinct = Distinct::try_new(schema.clone()).unwrap();
    let mut step = |weight| {
        distinct.push(0, crate::testing::batch(&schema, &[row(Some(1.0), weight)]));
        let output = distinct.close(1);
        let sum =
            |batches: &[ZBatch]| batches.iter().flat_map(|batch| (0..batch.len()).map(|row| batch.weight(row))).sum::<i64>();
        (sum(&output.rows), sum(&output.errors))
    };
    assert_eq!(step(-1), (0, 1));
    assert_eq!(step(-1), (0, 0));
    assert_eq!(step(3), (1, -1));
    assert_eq!(step(-2), (-1, 1));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn the_sum_of_the_deltas_is_the_distinct_of_the_sum(
        history in history((proptest::option::of(0i64..4), proptest::option::of("[ab]{0,14}")).prop_map(|(number, text)| {
            vec![ScalarValue::Int64(number), ScalarValue::Utf8(text)]
        }))
    ) {
        check(law(&[DataType::Int64, DataType::Utf8]), history);
    }
}
