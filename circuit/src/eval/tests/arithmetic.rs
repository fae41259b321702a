//! Arithmetic and comparisons at their borders.

use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, Int64Array, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, IntervalMonthDayNano};
use datafusion_common::ScalarValue;

use super::{TIMESTAMP, binary, decimal, results, timestamp};
use crate::BinaryOp::{self, *};
use crate::Expr;

const DAY_US: i64 = 86_400_000_000;

fn interval(months: i32, days: i32, nanos: i64) -> ScalarValue {
    ScalarValue::IntervalMonthDayNano(Some(IntervalMonthDayNano::new(months, days, nanos)))
}

#[test]
fn integers_do_not_wrap() {
    let cases: &[(i64, BinaryOp, i64, &str)] = &[
        (1, Add, 2, "3"),
        (i64::MAX, Add, 1, "DT2001"),
        (i64::MAX, Add, 0, "9223372036854775807"),
        (i64::MIN, Add, -1, "DT2001"),
        (i64::MIN, Subtract, 1, "DT2001"),
        (0, Subtract, i64::MIN, "DT2001"),
        (i64::MAX, Multiply, 2, "DT2001"),
        (i64::MIN, Multiply, -1, "DT2001"),
        (i64::MIN, Multiply, 1, "-9223372036854775808"),
        (i64::MIN, Divide, -1, "DT2001"),
        (1, Divide, 0, "DT2002"),
        (0, Divide, 0, "DT2002"),
        (-7, Divide, 2, "-3"),
        (i64::MIN, Modulo, -1, "0"),
        (-7, Modulo, 3, "-1"),
        (1, Modulo, 0, "DT2002"),
        (6, BitAnd, 3, "2"),
        (6, BitOr, 3, "7"),
        (6, BitXor, 3, "5"),
        (1, ShiftLeft, 3, "8"),
        (-8, ShiftRight, 1, "-4"),
    ];
    for (left, op, right, expected) in cases {
        assert_eq!(binary(*op, *left, *right), *expected, "{left} {op} {right}");
    }
    assert_eq!(binary(Add, 127i8, 1i8), "DT2001");
    assert_eq!(binary(Subtract, 0u64, 1u64), "DT2001");
    assert_eq!(binary(Add, i32::MAX, 1i32), "DT2001");
    assert_eq!(binary(Divide, ScalarValue::Int64(None), 0i64), "NULL");
}

#[test]
fn negation_overflows_at_the_least_integer() {
    let negative = |value: ScalarValue| results(&Expr::literal(value).negative(), &[], 2);
    assert_eq!(negative(5i64.into()), ["-5", "-5"]);
    assert_eq!(negative(i64::MIN.into()), ["DT2001", "DT2001"]);
    assert_eq!(negative(0.0f64.into()), ["0.0", "0.0"], "there is no negative zero");
    assert_eq!(negative(decimal(-5, 3, 1)), ["0.5", "0.5"]);
}

#[test]
fn an_error_names_the_operands_and_not_the_batch() {
    let error = Expr::binary(Add, Expr::literal(i64::MAX), Expr::literal(1i64)).evaluate(&[], 1).errors;
    assert_eq!(error.get(0).unwrap().message, "BIGINT out of range: 9223372036854775807 + 1");
    let error = Expr::binary(Divide, Expr::literal(4i64), Expr::literal(0i64)).evaluate(&[], 1).errors;
    assert_eq!(error.get(0).unwrap().message, "division by zero: 4 / 0");
}

#[test]
fn floats_are_ieee_but_canonical() {
    let cases: &[(f64, BinaryOp, f64, &str)] = &[
        (1.0, Divide, 0.0, "inf"),
        (0.0, Divide, 0.0, "NaN"),
        (f64::NAN, Equal, f64::NAN, "true"),
        (f64::NAN, Greater, f64::INFINITY, "true"),
        (-f64::NAN, Equal, f64::NAN, "true"),
        (-0.0, Equal, 0.0, "true"),
        (-0.0, Less, 0.0, "false"),
        (-1.0, Multiply, 0.0, "0.0"),
        (1e308, Multiply, 10.0, "inf"),
    ];
    for (left, op, right, expected) in cases {
        assert_eq!(binary(*op, *left, *right), *expected, "{left} {op} {right}");
    }
}

#[test]
fn decimals_are_exact_and_checked() {
    let most = 10i128.pow(38) - 1;
    // 1.25 + 0.5, 1.25 * 0.5, 1.25 / 3 at scale 6, 1.25 % 0.5.
    assert_eq!(binary(Add, decimal(125, 5, 2), decimal(5, 3, 1)), "1.75");
    assert_eq!(binary(Subtract, decimal(125, 5, 2), decimal(5, 3, 1)), "0.75");
    assert_eq!(binary(Multiply, decimal(125, 5, 2), decimal(5, 3, 1)), "0.625");
    assert_eq!(binary(Divide, decimal(125, 5, 2), decimal(3, 3, 0)), "0.416667", "rounded, not cut off");
    assert_eq!(binary(Divide, decimal(-200, 5, 2), decimal(3, 3, 0)), "-0.666667");
    assert_eq!(binary(Modulo, decimal(125, 5, 2), decimal(5, 3, 1)), "0.25");
    assert_eq!(binary(Divide, decimal(1, 5, 2), decimal(0, 3, 0)), "DT2002");
    assert_eq!(binary(Modulo, decimal(1, 5, 2), decimal(0, 3, 0)), "DT2002");
    assert_eq!(binary(Add, decimal(most, 38, 0), decimal(1, 38, 0)), "DT2001");
    assert_eq!(binary(Add, decimal(most - 1, 38, 0), decimal(1, 38, 0)), most.to_string());
    assert_eq!(binary(Multiply, decimal(10i128.pow(37), 38, 0), decimal(10, 38, 0)), "DT2001");
    assert_eq!(binary(Subtract, decimal(-most, 38, 0), decimal(1, 38, 0)), "DT2001");
    // The product needs 256 bits on its way to a declared scale.
    let product = Expr::binary_typed(
        Multiply,
        Expr::literal(decimal(10i128.pow(20), 38, 20)),
        Expr::literal(decimal(25 * 10i128.pow(19), 38, 20)),
        DataType::Decimal128(38, 10),
    );
    assert_eq!(results(&product, &[], 1), ["2.5000000000"]);
}

#[test]
fn times_add_and_subtract() {
    let january_31 = timestamp(30 * DAY_US);
    assert_eq!(binary(Add, january_31, interval(1, 0, 0)), "1970-02-28 00:00:00", "clamped to the month");
    assert_eq!(binary(Subtract, timestamp(0), interval(0, 0, 1_000)), "1969-12-31 23:59:59.999999");
    assert_eq!(binary(Subtract, timestamp(-1), interval(0, 1, 0)), "1969-12-30 23:59:59.999999");
    assert_eq!(binary(Add, interval(0, 0, 1_000_000_000), timestamp(0)), "1970-01-01 00:00:01");
    assert_eq!(binary(Subtract, timestamp(DAY_US + 1), timestamp(0)), "1 day 00:00:00.000001");
    assert_eq!(binary(Subtract, timestamp(i64::MAX), timestamp(-1)), "DT2001");
    assert_eq!(binary(Add, timestamp(i64::MAX), interval(0, 0, 1_000)), "DT2001");
    assert_eq!(binary(Add, ScalarValue::Date32(Some(-1)), 1i64), "1970-01-01");
    assert_eq!(binary(Add, 1i32, ScalarValue::Date32(Some(-1))), "1970-01-01");
    assert_eq!(binary(Subtract, ScalarValue::Date32(Some(0)), 1i64), "1969-12-31");
    assert_eq!(binary(Add, ScalarValue::Date32(Some(i32::MAX)), 1i64), "DT2001");
    assert_eq!(binary(Subtract, ScalarValue::Date32(Some(10)), ScalarValue::Date32(Some(-5))), "15");
    assert_eq!(binary(Add, ScalarValue::Date32(Some(30)), interval(1, 0, 0)), "1970-02-28");
    let late = ScalarValue::Time64Microsecond(Some(DAY_US - 1_000_000));
    assert_eq!(binary(Add, late, interval(0, 0, 2_000_000_000)), "00:00:01");
    assert_eq!(binary(Multiply, interval(1, 2, 3), 2i64), "2 mons 4 days 00:00:00.000000006");
}

#[test]
fn a_row_that_overflows_leaves_its_neighbours_their_values() {
    let times = |micros: [i64; 3]| -> ArrayRef { Arc::new(TimestampMicrosecondArray::from(micros.to_vec())) };
    let columns = [times([i64::MAX, 5, DAY_US]), times([-1, 3, 0])];
    let column = |index| Expr::column(index, TIMESTAMP);
    let difference = Expr::binary(Subtract, column(0), column(1));
    assert_eq!(results(&difference, &columns, 3), ["DT2001", "00:00:00.000002", "1 day"]);
    let days: [ArrayRef; 2] = [Arc::new(Date32Array::from(vec![i32::MAX, 1])), Arc::new(Int64Array::from(vec![1, 1]))];
    let sum = Expr::binary(Add, Expr::column(1, DataType::Int64), Expr::column(0, DataType::Date32));
    assert_eq!(results(&sum, &days, 2), ["DT2001", "1970-01-03"]);
}

#[test]
fn intervals_compare_by_duration() {
    let day_ns = DAY_US * 1000;
    assert_eq!(binary(Equal, interval(1, 0, 0), interval(0, 30, 0)), "true");
    assert_eq!(binary(Equal, interval(0, 1, 0), interval(0, 0, day_ns)), "true");
    assert_eq!(binary(Less, interval(0, 0, day_ns), interval(0, 1, 1)), "true");
    assert_eq!(binary(IsNotDistinctFrom, ScalarValue::IntervalMonthDayNano(None), interval(0, 0, 0)), "false");
}

#[test]
fn null_is_equal_to_null_only_where_asked() {
    let null = ScalarValue::Int64(None);
    assert_eq!(binary(Equal, null.clone(), 1i64), "NULL");
    assert_eq!(binary(Equal, null.clone(), null.clone()), "NULL");
    assert_eq!(binary(IsDistinctFrom, null.clone(), 1i64), "true");
    assert_eq!(binary(IsNotDistinctFrom, null.clone(), null), "true");
}

#[test]
fn text_compares_by_bytes() {
    assert_eq!(binary(Less, "a", "b"), "true");
    assert_eq!(binary(Less, "Z", "a"), "true");
    assert_eq!(binary(Equal, "a", "a "), "false");
    assert_eq!(binary(Less, "z", "ä"), "true");
    assert_eq!(binary(Concat, "a", "b"), "ab");
    assert_eq!(binary(Concat, "a", ScalarValue::Utf8(None)), "NULL");
    assert_eq!(binary(RegexMatch, "2024-01", r"^\d+-\d+$"), "true");
    assert_eq!(binary(RegexIMatch, "ABC", "b"), "true");
    assert_eq!(binary(RegexNotMatch, "ABC", "b"), "true");
    assert_eq!(binary(RegexNotIMatch, "ABC", "b"), "false");
    assert_eq!(binary(RegexMatch, "a", "("), "DT2004");
}
