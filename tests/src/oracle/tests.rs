//! Does the oracle run plain queries as Deltic means them, and does the comparison see what it must see and no more?
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Decimal128Array, Float64Array, Int64Array, IntervalMonthDayNanoArray, StringArray, TimestampMicrosecondArray,
    UInt64Array,
};
use arrow::datatypes::{DataType, Field, IntervalMonthDayNano, Schema, TimeUnit};
use deltic_zset::ZBatch;

use super::{Oracle, difference, query};

fn batch(columns: &[(&str, ArrayRef)], weights: Option<Vec<i64>>) -> ZBatch {
    let fields: Vec<Field> = columns.iter().map(|(name, column)| Field::new(*name, column.data_type().clone(), true)).collect();
    let arrays: Vec<ArrayRef> = columns.iter().map(|(_, column)| column.clone()).collect();
    let rows = arrays[0].len();
    ZBatch::try_new(Arc::new(Schema::new(fields)), arrays, weights.map(Into::into), rows).unwrap()
}

fn ints(values: &[i64]) -> ArrayRef {
    Arc::new(Int64Array::from(values.to_vec()))
}

fn floats(values: &[f64]) -> ArrayRef {
    Arc::new(Float64Array::from(values.to_vec()))
}

fn decimals(values: &[i128], scale: i8) -> ArrayRef {
    Arc::new(Decimal128Array::from(values.to_vec()).with_precision_and_scale(38, scale).unwrap())
}

fn numbers() -> Vec<(String, ZBatch)> {
    let names = Arc::new(StringArray::from(vec![Some("a"), None, Some("b")]));
    vec![("t".into(), batch(&[("k", ints(&[1, 2, 3])), ("name", names)], Some(vec![3, 1, 2])))]
}

#[test]
fn a_row_counts_as_often_as_its_weight() {
    let result = query("SELECT name, count(*) AS n, sum(k) AS s FROM t GROUP BY name", &numbers()).unwrap();
    let names = Arc::new(StringArray::from(vec![None, Some("b"), Some("a")]));
    let wanted = batch(&[("name", names), ("n", ints(&[1, 2, 3])), ("s", ints(&[2, 6, 3]))], None);
    assert_eq!(difference(&wanted, &result), None);
    let all = query("SELECT k FROM t WHERE name IS NOT NULL", &numbers()).unwrap();
    assert_eq!((all.len(), all.weights_or_ones().iter().sum::<i64>()), (2, 5));
}

#[test]
fn results_have_canonical_types() {
    let sql = "SELECT TIMESTAMP '2024-01-01 00:00:00' AS ts, 0.5 AS half, 'x' AS text, NULL AS nothing, count(*) OVER () AS n, \
               -0.0::DOUBLE AS zero FROM t";
    let result = query(sql, &numbers()).unwrap();
    let types: Vec<_> = result.schema().fields().iter().map(|field| field.data_type().clone()).collect();
    let expected = [
        DataType::Timestamp(TimeUnit::Microsecond, None),
        DataType::Decimal128(1, 1),
        DataType::Utf8,
        DataType::Utf8,
        DataType::Int64,
        DataType::Float64,
    ];
    assert_eq!(types, expected);
    let midnight = Arc::new(TimestampMicrosecondArray::from(vec![1_704_067_200_000_000]));
    assert_eq!(result.column(0).as_ref(), midnight.as_ref() as &dyn arrow::array::Array);
    assert_eq!(result.weight(0), 6);
}

#[test]
fn an_empty_table_and_an_empty_result_keep_their_columns() {
    let empty = vec![("t".to_string(), ZBatch::empty(numbers()[0].1.schema().clone()))];
    assert_eq!(query("SELECT k, name FROM t", &empty).unwrap().schema().fields().len(), 2);
    let count = query("SELECT count(*) AS n, sum(k) AS s FROM t", &empty).unwrap();
    assert_eq!(difference(&batch(&[("n", ints(&[0])), ("s", Arc::new(Int64Array::from(vec![None])))], None), &count), None);
}

#[test]
fn refusals_are_errors() {
    assert!(query("SELECT nonsense FROM t", &numbers()).is_err());
    assert!(query("SELECT 1 / (k - 1) FROM t", &numbers()).is_err());
    let negative = vec![("t".to_string(), batch(&[("k", ints(&[1]))], Some(vec![-1])))];
    assert!(query("SELECT k FROM t", &negative).unwrap_err().to_string().contains("weight -1"));
}

#[test]
fn a_difference_names_what_is_missing_and_what_is_too_much() {
    let wanted = batch(&[("k", ints(&[1, 2, 3]))], Some(vec![2, 1, 1]));
    let got = batch(&[("x", ints(&[3, 1, 1, 4]))], Some(vec![1, 4, -3, 1]));
    let text = difference(&wanted, &got).unwrap();
    assert_eq!(text, "missing: 2 different rows\n  1 x (1)\n  1 x (2)\ntoo much: 1 different rows\n  1 x (4)\n");
    assert_eq!(difference(&wanted, &wanted), None);
}

#[test]
fn order_and_number_types_do_not_matter_but_other_types_do() {
    let wanted = batch(&[("n", Arc::new(UInt64Array::from(vec![1, 2])))], None);
    assert_eq!(difference(&wanted, &batch(&[("n", ints(&[2, 1]))], None)), None);
    assert_eq!(difference(&wanted, &batch(&[("n", decimals(&[200, 100], 2))], None)), None);
    let text = batch(&[("n", Arc::new(StringArray::from(vec!["1", "2"])))], None);
    assert_eq!(difference(&wanted, &text).unwrap(), "column 0 is of type Utf8 instead of UInt64");
    let two = batch(&[("n", ints(&[1])), ("m", ints(&[1]))], None);
    assert_eq!(difference(&wanted, &two).unwrap(), "2 columns instead of 1");
}

#[test]
fn floats_may_be_rounded_differently_but_not_wrong() {
    let wanted = batch(&[("k", ints(&[1, 1, 2])), ("s", floats(&[0.3, 0.3, f64::NAN]))], None);
    let rounded = batch(&[("k", ints(&[2, 1])), ("s", floats(&[f64::NAN, 0.1 + 0.2]))], Some(vec![1, 2]));
    assert_eq!(difference(&wanted, &rounded), None);
    let wrong = batch(&[("k", ints(&[2, 1])), ("s", floats(&[f64::NAN, 0.3000001]))], Some(vec![1, 2]));
    assert!(difference(&wanted, &wrong).unwrap().contains("2 x (1, 0.3000001)"));
    let other_key = batch(&[("k", ints(&[1, 2, 2])), ("s", floats(&[0.3, 0.3, f64::NAN]))], None);
    assert!(difference(&wanted, &other_key).is_some());
}

#[test]
fn means_of_decimals_may_differ_in_the_last_digit_but_sums_may_not() {
    let mean = |unscaled, scale| batch(&[("a", decimals(&[unscaled], scale))], None);
    assert_eq!(difference(&mean(1_666_666, 6), &mean(1_666_667, 6)), None);
    assert!(difference(&mean(1_666_666, 6), &mean(1_666_668, 6)).is_some());
    assert!(difference(&mean(166, 2), &mean(167, 2)).is_some());
    assert_eq!(difference(&mean(-50, 2), &mean(-5, 1)), None);
    assert!(difference(&mean(5, 2), &mean(-5, 2)).unwrap().contains("1 x (-0.05)"));
}

#[test]
fn intervals_are_equal_if_they_last_equally_long() {
    let interval = |days, hours: i64| -> ZBatch {
        let value = IntervalMonthDayNano::new(0, days, hours * 3_600_000_000_000);
        batch(&[("i", Arc::new(IntervalMonthDayNanoArray::from(vec![value])))], None)
    };
    assert_eq!(difference(&interval(1, 0), &interval(0, 24)), None);
    assert!(difference(&interval(1, 0), &interval(0, 25)).is_some());
}

#[test]
fn the_oracle_abstains_where_it_is_wrong_and_says_how_often() {
    let oracle = Oracle::default();
    let wrong = batch(&[("k", ints(&[7]))], None);
    assert!(oracle.opinion("SELECT k FROM t", &numbers(), &wrong).is_some());
    assert_eq!((oracle.opinions(), oracle.abstentions()), (1, 0));
    for sql in ["SELECT k FROM t LIMIT 1", "SELECT k FROM t\nEXCEPT\n  ALL SELECT 1", "SELECT 1 / (k - 1) FROM t"] {
        assert_eq!(oracle.opinion(sql, &numbers(), &wrong), None);
    }
    let extreme = vec![("t".to_string(), batch(&[("k", ints(&[i64::MAX]))], None))];
    assert_eq!(oracle.opinion("SELECT k FROM t", &extreme, &wrong), None);
    assert_eq!((oracle.opinions(), oracle.abstentions()), (1, 4));
}
