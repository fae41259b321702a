//! Borders of the result types, and averages against arithmetic that rounds once by construction.

#![allow(clippy::unwrap_used)]

use arrow::datatypes::{DataType, i256};
use proptest::prelude::*;

use super::{AggregateValue, aggregate_column, average_result, count_result, quotient_as_float, sum_result};
use crate::eval::text::render_or_null;
use crate::{AggregateCall, AggregateFunction};

fn call(function: AggregateFunction, data_type: DataType) -> AggregateCall {
    AggregateCall::new(function, Some(0), data_type)
}

fn sum(value: i128, data_type: DataType) -> Result<AggregateValue, &'static str> {
    sum_result(i256::from_i128(value), 1, &call(AggregateFunction::Sum, data_type)).map_err(|error| error.code)
}

#[test]
fn sums_fit_or_fail() {
    let most = i128::from(i64::MAX);
    assert_eq!(sum(most, DataType::Int64), Ok(AggregateValue::Integer(most)));
    assert_eq!(sum(most + 1, DataType::Int64), Err("DT2001"));
    assert_eq!(sum(-most - 1, DataType::Int64), Ok(AggregateValue::Integer(-most - 1)));
    assert_eq!(sum(-1, DataType::UInt64), Err("DT2001"));
    assert_eq!(sum(999, DataType::Decimal128(3, 1)), Ok(AggregateValue::Integer(999)));
    assert_eq!(sum(-1000, DataType::Decimal128(3, 1)), Err("DT2001"));
    let wide = i256::from_i128(i128::MAX).wrapping_mul(i256::from_i128(4));
    let decimal = call(AggregateFunction::Sum, DataType::Decimal128(38, 0));
    assert_eq!(sum_result(wide, 4, &decimal).unwrap_err().code, "DT2001");
    assert_eq!(sum_result(wide, 0, &decimal).unwrap(), AggregateValue::Null);
    assert!(count_result(most + 1, &call(AggregateFunction::Count, DataType::Int64)).is_err());
}

#[test]
fn decimal_averages_round_half_away_from_zero() {
    let average = |sum: i128, count: i128| {
        let decimal = call(AggregateFunction::Avg, DataType::Decimal128(9, 4));
        let value = average_result(i256::from_i128(sum), count, &DataType::Decimal128(5, 2), &decimal).unwrap();
        render_or_null(&aggregate_column(&[value], &decimal.data_type), 0)
    };
    assert_eq!(average(500, 3), "1.6667");
    assert_eq!(average(-500, 3), "-1.6667");
    assert_eq!(average(1, 8), "0.0013");
    assert_eq!(average(-1, 8), "-0.0013");
    assert_eq!(average(0, 0), "NULL");
}

proptest! {
    #[test]
    fn integer_averages_round_once(sum in -(1i64 << 53)..(1i64 << 53), count in 1i64..1_000_000) {
        // Both are exact doubles, so their quotient is rounded once.
        prop_assert_eq!(quotient_as_float(i256::from_i128(sum.into()), count.into()), sum as f64 / count as f64);
    }

    #[test]
    fn any_integer_becomes_the_nearest_float(value in any::<i128>()) {
        prop_assert_eq!(quotient_as_float(i256::from_i128(value), 1), value as f64);
        prop_assert_eq!(quotient_as_float(i256::from_i128(value).wrapping_mul(i256::from_i128(3)), 3), value as f64);
    }
}
