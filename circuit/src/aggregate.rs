//! Aggregates: the [calls](AggregateCall), their [meaning](evaluate) over the rows of a group, and the way from exact accumulators to the values of
//! SQL, which is the one place where a sum is narrowed and an average is rounded.
//!
//! The incremental operator and the reference interpreter accumulate in different ways and both finish here, so they cannot
//! disagree on a rounding. Accumulators are exact (256-bit integers here, `deltic_zset::ExactSum` for floats), hence what is returned
//! is a function of the multiset of arguments alone, and a sum that once overflowed its type has its value back when enough is
//! retracted.

mod call;
mod evaluate;
mod json;
mod moment;
mod order;
mod whole;

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Decimal128Array, DurationMicrosecondArray, Float32Array, Float64Array, Int8Array, Int16Array,
    Int32Array, Int64Array, UInt8Array, UInt16Array, UInt32Array, UInt64Array, new_null_array,
};
use arrow::datatypes::{DataType, Field, TimeUnit, i256};
use deltic_zset::maps::map_type;

use crate::errors::code;
use crate::eval::decimal::{divide_half_away, fits_precision};
use crate::eval::text::{decimal_text, sql_type};
use crate::{EvalError, aggregate_text};

pub use call::{AggregateCall, AggregateFunction, Cost, Moment};
pub use evaluate::{evaluate, representatives, sort_rows};
pub use moment::{addend, moment_result, unit};
pub use order::{Chosen, choose, interpolate};
pub use whole::finish_group;

/// One aggregate's result before it is put into a column.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum AggregateValue {
    /// NULL.
    Null,
    /// A truth value.
    Boolean(bool),
    /// An integer, or the unscaled digits of a decimal, or the microseconds of a duration.
    Integer(i128),
    /// A float.
    Float(f64),
}

/// `count(..)`.
///
/// # Errors
/// If the count does not fit the type of the call (weights can be large).
pub fn count_result(count: i128, call: &AggregateCall) -> Result<AggregateValue, EvalError> {
    if fits_type(count, &call.data_type) {
        Ok(AggregateValue::Integer(count))
    } else {
        Err(overflow(i256::from_i128(count), call))
    }
}

/// The sum of `count` integers, decimals (unscaled, at the scale of the result) or durations: NULL if there are none.
///
/// # Errors
/// If the sum does not fit the type of the call.
pub fn sum_result(sum: i256, count: i128, call: &AggregateCall) -> Result<AggregateValue, EvalError> {
    if count == 0 {
        return Ok(AggregateValue::Null);
    }
    if call.data_type.is_floating() {
        return Ok(AggregateValue::Float(quotient_as_float(sum, 1)));
    }
    match sum.to_i128() {
        Some(value) if fits_type(value, &call.data_type) => Ok(AggregateValue::Integer(value)),
        _ => Err(overflow(sum, call)),
    }
}

/// The sum of `count` integers or decimals of type `argument` divided by `count`, rounded once: half away from zero to the scale of a
/// decimal result, half to even to a float. NULL if there are none.
///
/// # Errors
/// If a decimal average does not fit the type of the call.
pub fn average_result(sum: i256, count: i128, argument: &DataType, call: &AggregateCall) -> Result<AggregateValue, EvalError> {
    if count == 0 {
        return Ok(AggregateValue::Null);
    }
    let argument_scale = if let DataType::Decimal128(_, scale) = argument { *scale } else { 0 };
    let DataType::Decimal128(_, scale) = call.data_type else {
        return Ok(AggregateValue::Float(quotient_as_float(sum, count) / 10f64.powi(i32::from(argument_scale))));
    };
    // Digits that the result has more than the argument are multiplied in before the division; fewer digits divide with it.
    let shift = i32::from(scale) - i32::from(argument_scale);
    let power = i256::from_i128(10).checked_pow(shift.unsigned_abs()).ok_or_else(|| overflow(sum, call))?;
    let count = i256::from_i128(count);
    let (dividend, divisor) =
        if shift >= 0 { (sum.checked_mul(power), Some(count)) } else { (Some(sum), count.checked_mul(power)) };
    let (Some(dividend), Some(divisor)) = (dividend, divisor) else { return Err(overflow(sum, call)) };
    match divide_half_away(dividend, divisor).to_i128() {
        Some(value) if fits_type(value, &call.data_type) => Ok(AggregateValue::Integer(value)),
        _ => Err(overflow(sum, call)),
    }
}

/// `sum / count` rounded once, half to even.
///
/// 64 significant bits of the quotient are computed, the last one being 1 if anything was cut off (a sticky bit): rounding those to the
/// 53 bits of a double is rounding the true quotient.
fn quotient_as_float(sum: i256, count: i128) -> f64 {
    if sum == i256::ZERO {
        return 0.0;
    }
    // Operands that are doubles: IEEE division rounds their quotient once.
    let exact = |value: i128| value.unsigned_abs() <= 1 << f64::MANTISSA_DIGITS;
    if let Some(sum) = sum.to_i128().filter(|&sum| exact(sum) && exact(count)) {
        return sum as f64 / count as f64;
    }
    let negative = (sum < i256::ZERO) != (count < 0);
    let mut dividend = sum.wrapping_abs();
    let mut divisor = i256::from_i128(count).wrapping_abs();
    let bits = |value: i256| 256 - i32::try_from(value.leading_zeros()).unwrap_or(0);
    let shift = 64 - (bits(dividend) - bits(divisor));
    if shift > 0 && bits(dividend) + shift < 256 {
        dividend = dividend << u8::try_from(shift).unwrap_or(0);
    } else if shift < 0 && bits(divisor) - shift < 256 {
        divisor = divisor << u8::try_from(-shift).unwrap_or(0);
    }
    let quotient = dividend.wrapping_div(divisor);
    let sticky = u128::from(dividend.wrapping_rem(divisor) != i256::ZERO);
    let magnitude = quotient.to_i128().map_or(f64::INFINITY, |quotient| (quotient.unsigned_abs() | sticky) as f64);
    let value = magnitude * 2f64.powi(-shift);
    if negative { -value } else { value }
}

fn overflow(sum: i256, call: &AggregateCall) -> EvalError {
    let text = match call.data_type {
        DataType::Decimal128(_, scale) => sum.to_i128().map(|sum| decimal_text(sum, scale)),
        _ => Some(sum.to_string()),
    };
    let value = text.map_or_else(String::new, |text| format!(" {text}"));
    EvalError::new(
        code::OVERFLOW,
        format!("the result{value} of {} does not fit {}", aggregate_text(call), sql_type(&call.data_type)),
    )
}

fn fits_type(value: i128, data_type: &DataType) -> bool {
    match data_type {
        DataType::Int8 => i8::try_from(value).is_ok(),
        DataType::Int16 => i16::try_from(value).is_ok(),
        DataType::Int32 => i32::try_from(value).is_ok(),
        DataType::Int64 | DataType::Duration(TimeUnit::Microsecond) => i64::try_from(value).is_ok(),
        DataType::UInt8 => u8::try_from(value).is_ok(),
        DataType::UInt16 => u16::try_from(value).is_ok(),
        DataType::UInt32 => u32::try_from(value).is_ok(),
        DataType::UInt64 => u64::try_from(value).is_ok(),
        DataType::Decimal128(precision, _) => fits_precision(value, *precision),
        _ => false,
    }
}

/// `values` as a column of type `data_type`, which must be one that [`count_result`], [`sum_result`] or [`average_result`] finished for.
/// A value that does not fit is NULL.
pub fn aggregate_column(values: &[AggregateValue], data_type: &DataType) -> ArrayRef {
    let integers = values.iter().map(|value| if let AggregateValue::Integer(value) = value { Some(*value) } else { None });
    let floats = values.iter().map(|value| if let AggregateValue::Float(value) = value { Some(*value) } else { None });
    macro_rules! integer_column {
        ($array:ty, $native:ty) => {
            Arc::new(integers.map(|value| value.and_then(|value| <$native>::try_from(value).ok())).collect::<$array>())
        };
    }
    match data_type {
        DataType::Boolean => {
            let truths = values.iter().map(|value| if let AggregateValue::Boolean(value) = value { Some(*value) } else { None });
            Arc::new(truths.collect::<BooleanArray>())
        }
        DataType::Int8 => integer_column!(Int8Array, i8),
        DataType::Int16 => integer_column!(Int16Array, i16),
        DataType::Int32 => integer_column!(Int32Array, i32),
        DataType::Int64 => integer_column!(Int64Array, i64),
        DataType::UInt8 => integer_column!(UInt8Array, u8),
        DataType::UInt16 => integer_column!(UInt16Array, u16),
        DataType::UInt32 => integer_column!(UInt32Array, u32),
        DataType::UInt64 => integer_column!(UInt64Array, u64),
        DataType::Duration(TimeUnit::Microsecond) => integer_column!(DurationMicrosecondArray, i64),
        DataType::Float32 => Arc::new(floats.map(|value| value.map(|value| canonical(value) as f32)).collect::<Float32Array>()),
        DataType::Float64 => Arc::new(floats.map(|value| value.map(canonical)).collect::<Float64Array>()),
        DataType::Decimal128(..) => {
            let array = integers.collect::<Decimal128Array>().with_data_type(data_type.clone());
            Arc::new(array)
        }
        _ => new_null_array(data_type, values.len()),
    }
}

/// `-0.0` is `0.0` and there is one NaN, as everywhere on edges.
fn canonical(value: f64) -> f64 {
    if value.is_nan() { f64::NAN } else { value + 0.0 }
}

/// The type that `function` yields for arguments of these types, or `None` if it is not defined for them.
///
/// Integers sum to 64 bits, decimals gain ten digits in a sum and four decimals in an average, floats sum to doubles.
pub fn aggregate_type(function: &AggregateFunction, arguments: &[DataType]) -> Option<DataType> {
    use AggregateFunction::*;
    if let Other(udaf) = function {
        return udaf.return_type(arguments).ok();
    }
    match (function, arguments) {
        (Count, _) => Some(DataType::Int64),
        (Moment(moment), arguments) => {
            (arguments.len() == moment.arity() && arguments.iter().all(is_number)).then_some(DataType::Float64)
        }
        (ArgMin | ArgMax, [value, _]) => Some(value.clone()),
        (JsonObjectAgg | JsonbObjectAgg, [_, _]) => Some(DataType::Utf8),
        (MapAgg, [key, value]) => Some(map_type(key.clone(), value.clone())),
        (Avg, [sum, DataType::Int64]) if !sum.is_floating() => unary_type(function, sum),
        (function, [argument]) => unary_type(function, argument),
        _ => None,
    }
}

fn unary_type(function: &AggregateFunction, argument: &DataType) -> Option<DataType> {
    use AggregateFunction::*;
    match function {
        Min | Max | FirstValue | LastValue | NthValue | PercentileDisc | Mode => Some(argument.clone()),
        Sum => match argument {
            argument if argument.is_signed_integer() => Some(DataType::Int64),
            argument if argument.is_unsigned_integer() => Some(DataType::UInt64),
            DataType::Float32 | DataType::Float64 => Some(DataType::Float64),
            DataType::Decimal128(precision, scale) => Some(DataType::Decimal128((precision + 10).min(38), *scale)),
            DataType::Duration(unit) => Some(DataType::Duration(*unit)),
            _ => None,
        },
        Avg => match argument {
            DataType::Decimal128(precision, scale) => Some(DataType::Decimal128((precision + 4).min(38), (scale + 4).min(38))),
            argument => argument.is_numeric().then_some(DataType::Float64),
        },
        BoolAnd | BoolOr => (argument == &DataType::Boolean).then_some(DataType::Boolean),
        BitAnd | BitOr | BitXor => argument.is_integer().then(|| argument.clone()),
        Median if matches!(argument, DataType::Decimal128(..)) => Some(argument.clone()),
        Median | PercentileCont => is_number(argument).then_some(DataType::Float64),
        StringAgg => (argument == &DataType::Utf8).then_some(DataType::Utf8),
        ArrayAgg => Some(DataType::List(Arc::new(Field::new_list_field(argument.clone(), true)))),
        JsonAgg => Some(DataType::Utf8),
        _ => None,
    }
}

fn is_number(data_type: &DataType) -> bool {
    data_type.is_integer() || matches!(data_type, DataType::Float32 | DataType::Float64 | DataType::Decimal128(..))
}

#[cfg(test)]
mod tests;
