//! Every cast that is not Arrow's own, and the borders of those that are.

use arrow::datatypes::{DataType, IntervalUnit, TimeUnit};
use datafusion_common::ScalarValue;

use super::{TIMESTAMP, cast, decimal, results, timestamp};
use crate::Expr;

#[test]
fn floats_round_to_even_integers() {
    let cases: &[(f64, &str)] = &[
        (2.5, "2"),
        (3.5, "4"),
        (-2.5, "-2"),
        (2.7, "3"),
        (-0.4, "0"),
        (f64::NAN, "DT2003"),
        (f64::INFINITY, "DT2003"),
        (9.3e18, "DT2003"),
        (-9_223_372_036_854_775_808.0, "-9223372036854775808"),
        (9_223_372_036_854_775_808.0, "DT2003"),
    ];
    for (value, expected) in cases {
        assert_eq!(cast(*value, DataType::Int64), *expected, "{value}");
    }
    assert_eq!(cast(127.4f32, DataType::Int8), "127");
    assert_eq!(cast(127.5f32, DataType::Int8), "DT2003");
    assert_eq!(cast(-0.5f64, DataType::UInt8), "0");
    assert_eq!(cast(-1.0f64, DataType::UInt8), "DT2003");
    assert_eq!(cast(1e300, DataType::Float32), "DT2003");
    assert_eq!(cast(f64::INFINITY, DataType::Float32), "inf");
}

#[test]
fn decimals_round_half_away_from_zero() {
    assert_eq!(cast(decimal(25, 3, 1), DataType::Int64), "3");
    assert_eq!(cast(decimal(-25, 3, 1), DataType::Int64), "-3");
    assert_eq!(cast(decimal(24, 3, 1), DataType::Int64), "2");
    assert_eq!(cast(decimal(1275, 5, 1), DataType::Int8), "DT2003");
    assert_eq!(cast(decimal(125, 5, 2), DataType::Decimal128(3, 1)), "1.3");
    assert_eq!(cast(decimal(9995, 5, 2), DataType::Decimal128(3, 1)), "DT2003", "100.0 has four digits");
    assert_eq!(cast(decimal(125, 5, 2), DataType::Utf8), "1.25");
    assert_eq!(cast(decimal(-5, 5, 2), DataType::Utf8), "-0.05");
    assert_eq!(cast(decimal(5, 5, 2), DataType::Float64), "0.05");
    assert_eq!(cast(1234i64, DataType::Decimal128(5, 2)), "DT2003");
}

#[test]
fn integers_narrow_if_they_fit() {
    assert_eq!(cast(127i64, DataType::Int8), "127");
    assert_eq!(cast(128i64, DataType::Int8), "DT2003");
    assert_eq!(cast(-1i64, DataType::UInt64), "DT2003");
    assert_eq!(cast(u64::MAX, DataType::Int64), "DT2003");
    assert_eq!(cast(2i64, DataType::Boolean), "true");
    assert_eq!(cast(true, DataType::Int32), "1");
}

#[test]
fn text_is_read_as_postgresql_does() {
    let cases: &[(&str, DataType, &str)] = &[
        ("12", DataType::Int64, "12"),
        (" 12\n", DataType::Int64, "12"),
        ("+5", DataType::Int64, "5"),
        ("1.5", DataType::Int64, "DT2003"),
        ("", DataType::Int64, "DT2003"),
        ("abc", DataType::Int64, "DT2003"),
        ("9223372036854775808", DataType::Int64, "DT2003"),
        ("1.50", DataType::Decimal128(5, 2), "1.50"),
        ("1.5", DataType::Float64, "1.5"),
        ("NaN", DataType::Float64, "NaN"),
        ("-0", DataType::Float64, "0.0"),
        ("yes", DataType::Boolean, "true"),
        ("OFF", DataType::Boolean, "false"),
        ("maybe", DataType::Boolean, "DT2003"),
        ("2024-02-29", DataType::Date32, "2024-02-29"),
        ("2023-02-29", DataType::Date32, "DT2003"),
        ("2024-02-29 12:34:56.789", TIMESTAMP, "2024-02-29 12:34:56.789"),
        ("1969-12-31T23:59:59.999999", TIMESTAMP, "1969-12-31 23:59:59.999999"),
        ("2024-02-29", TIMESTAMP, "2024-02-29 00:00:00"),
    ];
    for (text, to, expected) in cases {
        assert_eq!(cast(*text, to.clone()), *expected, "'{text}' as {to}");
    }
    assert_eq!(cast(ScalarValue::Binary(Some(vec![0xff])), DataType::Utf8), "DT2003", "not UTF-8");
}

#[test]
fn the_error_says_what_could_not_be_cast() {
    let errors = Expr::literal("abc").cast(DataType::Int64).evaluate(&[], 1).errors;
    assert_eq!(errors.get(0).unwrap().message, "cannot cast 'abc' to BIGINT");
    let errors = Expr::literal(300i64).cast(DataType::Int8).evaluate(&[], 1).errors;
    assert_eq!(errors.get(0).unwrap().message, "cannot cast 300 to TINYINT");
}

#[test]
fn times_print_as_postgresql_does() {
    assert_eq!(cast(timestamp(0), DataType::Utf8), "1970-01-01 00:00:00");
    assert_eq!(cast(timestamp(-1), DataType::Utf8), "1969-12-31 23:59:59.999999");
    assert_eq!(cast(timestamp(1_500_000), DataType::Utf8), "1970-01-01 00:00:01.5");
    assert_eq!(cast(timestamp(951_782_400_000_000), DataType::Utf8), "2000-02-29 00:00:00");
    let zoned = ScalarValue::TimestampMicrosecond(Some(0), Some("UTC".into()));
    assert_eq!(cast(zoned, DataType::Utf8), "1970-01-01 00:00:00+00");
    assert_eq!(cast(ScalarValue::Date32(Some(-719_162)), DataType::Utf8), "0001-01-01");
    assert_eq!(cast(true, DataType::Utf8), "true");
    let duration = ScalarValue::DurationMicrosecond(Some(-90_061_000_000));
    assert_eq!(cast(duration.clone(), DataType::Utf8), "-1 days -01:01:01");
    assert_eq!(cast(duration, DataType::Interval(IntervalUnit::MonthDayNano)), "-1 days -01:01:01");
    let longest = ScalarValue::DurationMicrosecond(Some(i64::MIN));
    assert_eq!(cast(longest, DataType::Interval(IntervalUnit::MonthDayNano)), "-106751991 days -04:00:54.775808");
}

#[test]
fn times_before_1970_floor() {
    assert_eq!(cast(timestamp(-1), DataType::Date32), "1969-12-31");
    assert_eq!(cast(timestamp(-86_400_000_000), DataType::Date32), "1969-12-31");
    assert_eq!(cast(ScalarValue::Date32(Some(-1)), TIMESTAMP), "1969-12-31 00:00:00");
    assert_eq!(cast(ScalarValue::Date32(Some(i32::MAX)), TIMESTAMP), "DT2003");
    assert_eq!(cast(timestamp(-1), DataType::Time64(TimeUnit::Microsecond)), "23:59:59.999999");
    assert_eq!(cast(timestamp(i64::MIN), DataType::Utf8), "-290308-12-21 19:59:05.224192");
}

#[test]
fn other_spellings_of_a_type_become_the_canonical_one() {
    let nanoseconds = DataType::Timestamp(TimeUnit::Nanosecond, None);
    let expr = Expr::literal(1_500_000_000i64).cast(nanoseconds);
    assert_eq!(expr.data_type(), TIMESTAMP);
    assert_eq!(results(&expr.clone().equal(Expr::literal(timestamp(1_500_000))), &[], 1), ["true"]);
    assert_eq!(results(&expr, &[], 1), ["1970-01-01 00:00:01.5"]);
}
