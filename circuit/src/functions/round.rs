//! `round` and `trunc` to a number of digits.
//!
//! DataFusion keeps the scale of a decimal (`round(2.345, 2)` is 2.350). Here the result has as many digits behind the point as are asked for, as in
//! PostgreSQL, if that number is a constant; one that comes from a column cannot be in the type, so those results have the scale of the argument.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, Decimal128Array, PrimitiveArray};
use arrow::datatypes::{DataType, Decimal128Type, Float32Type, Float64Type, Int64Type};
use datafusion_common::ScalarValue;

use super::call::{Argument, Bind, Call};
use super::parameters::Kind;
use super::{Definition, Group};
use crate::eval::Value;

const MOST_DIGITS: i64 = 38;

/// The functions of this module.
pub(super) const DEFINITIONS: &[Definition] = &[
    Definition {
        name: "round",
        aliases: &[],
        group: Group::Number,
        usage: "round(number [, digits])",
        about: "The nearest number with so many digits (0) behind the point, before it if negative; halves go away from zero.",
        parameters: &[Kind::Number, Kind::Integer],
        required: 1,
        variadic: false,
        returns: |bind| result_type(bind, true),
        kernel: |call| cut(call, true),
    },
    Definition {
        name: "trunc",
        aliases: &[],
        group: Group::Number,
        usage: "trunc(number [, digits])",
        about: "The number cut off behind so many digits (0) behind the point, before it if negative.",
        parameters: &[Kind::Number, Kind::Integer],
        required: 1,
        variadic: false,
        returns: |bind| result_type(bind, false),
        kernel: |call| cut(call, false),
    },
];

/// Integers and floats keep their type when they are rounded; an integer that is cut off is a DOUBLE, as in PostgreSQL.
#[allow(clippy::unnecessary_wraps, reason = "other functions refuse arguments here")]
fn result_type(bind: &Bind<'_>, rounds: bool) -> Result<DataType, String> {
    let digits = match bind.constants.get(1).copied().flatten() {
        None if bind.types.len() < 2 => Some(0),
        None => None,
        Some(constant) => constant.cast_to(&DataType::Int64).ok().and_then(|constant| match constant {
            ScalarValue::Int64(digits) => Some(digits.unwrap_or(0)),
            _ => None,
        }),
    };
    Ok(match &bind.types[0] {
        DataType::Decimal128(precision, scale) => {
            let (precision, scale) = (i64::from(*precision), i64::from(*scale));
            // Rounding may carry into a further digit.
            let carry = i64::from(rounds);
            let kept = match digits {
                None => scale,
                Some(digits) if digits > scale => digits.min((MOST_DIGITS - (precision - scale)).max(scale)),
                Some(digits) => digits.max(0).min(scale),
            };
            let precision = (precision - scale + carry + kept).clamp(1, MOST_DIGITS);
            DataType::Decimal128(precision as u8, kept as i8)
        }
        integer if integer.is_integer() && !rounds => DataType::Float64,
        other => other.clone(),
    })
}

fn cut(call: &Call<'_>, rounds: bool) -> Result<ArrayRef, String> {
    let value = call.value(0);
    let digits = Digits(call.optional_integer(1));
    match call.returns {
        DataType::Decimal128(_, kept) => decimals(call, *kept, &digits, rounds),
        DataType::Float32 => {
            numbers::<Float32Type>(call, value, |row, number| Some(near(f64::from(number), digits.places(row)?, rounds) as f32))
        }
        DataType::Float64 => {
            let value = crate::eval::cast(value, &DataType::Float64, call.rows)?;
            numbers::<Float64Type>(call, &value, |row, number| Some(near(number, digits.places(row)?, rounds)))
        }
        _ if call.len() == 1 => Ok(call.column(0)),
        _ => integers(call, &digits),
    }
}

/// How many digits are kept at each row.
struct Digits<'a>(Option<Argument<&'a PrimitiveArray<Int64Type>>>);

impl Digits<'_> {
    fn at(&self, row: usize) -> Option<i64> {
        self.0.map_or(Some(0), |digits| digits.get(row))
    }

    /// For floats, which have no more than 308 digits on either side of the point.
    fn places(&self, row: usize) -> Option<i32> {
        self.at(row).map(|digits| digits.clamp(-400, 400) as i32)
    }
}

/// `number` with so many digits.
fn near(number: f64, places: i32, rounds: bool) -> f64 {
    let factor = 10_f64.powi(places);
    let scaled = number * factor;
    match rounds {
        // So many digits more than it has.
        _ if !number.is_finite() || !factor.is_finite() || !scaled.is_finite() => number,
        // So many digits before the point that nothing is left.
        _ if factor == 0.0 => 0.0,
        true => scaled.round() / factor,
        false => scaled.trunc() / factor,
    }
}

fn numbers<T: ArrowPrimitiveType>(
    call: &Call<'_>,
    value: &Value,
    cut: impl Fn(usize, T::Native) -> Option<T::Native>,
) -> Result<ArrayRef, String> {
    let array = value.inner().as_primitive::<T>();
    call.compute::<T>(|row| {
        let position = value.position(row);
        Ok(array.is_valid(position).then(|| array.value(position)).and_then(|number| cut(row, number)))
    })
}

/// Integers change only where digits before the point are rounded away.
fn integers(call: &Call<'_>, digits: &Digits<'_>) -> Result<ArrayRef, String> {
    let wide = crate::eval::cast(call.value(0), &DataType::Decimal128(MOST_DIGITS as u8, 0), call.rows)?;
    let array = wide.inner().as_primitive::<Decimal128Type>();
    let rounded = (0..call.rows).map(|row| {
        let position = wide.position(row);
        let (true, Some(digits)) = (array.is_valid(position), digits.at(row)) else { return Ok(None) };
        rescaled(array.value(position), 0, 0, digits, true).map(Some).ok_or_else(|| "the result is out of range".to_owned())
    });
    let rounded: Vec<Option<i128>> = rounded.collect::<Result<_, String>>()?;
    let rounded =
        Decimal128Array::from(rounded).with_precision_and_scale(MOST_DIGITS as u8, 0).map_err(|error| error.to_string())?;
    Ok(crate::eval::cast(&Value::Array(Arc::new(rounded)), call.returns, call.rows)?.into_array(call.rows))
}

fn decimals(call: &Call<'_>, kept: i8, digits: &Digits<'_>, rounds: bool) -> Result<ArrayRef, String> {
    let value = call.value(0);
    let array = value.inner().as_primitive::<Decimal128Type>();
    let scale = i64::from(array.scale());
    call.compute::<Decimal128Type>(|row| {
        let position = value.position(row);
        let (true, Some(digits)) = (array.is_valid(position), digits.at(row)) else { return Ok(None) };
        let rescaled = rescaled(array.value(position), scale, i64::from(kept), digits, rounds);
        rescaled.map(Some).ok_or_else(|| "the result is out of range".to_owned())
    })
}

/// The digits `value` of a number with `scale` digits behind the point, cut to `digits` of them and written with `kept` of them. `None` if that has more
/// than 38.
fn rescaled(value: i128, scale: i64, kept: i64, digits: i64, rounds: bool) -> Option<i128> {
    let power = |exponent: i64| u32::try_from(exponent).ok().and_then(|exponent| 10_i128.checked_pow(exponent));
    let (mut value, mut scale) = (value, scale);
    let away = scale.saturating_sub(digits);
    if away > 0 {
        value = match power(away) {
            Some(unit) => {
                let up = rounds && (value % unit).unsigned_abs() >= unit.unsigned_abs() / 2;
                value / unit + if up { value.signum() } else { 0 }
            }
            None => 0,
        };
        scale = digits;
    }
    if value == 0 {
        return Some(0);
    }
    let value = match kept - scale {
        missing @ 0.. => value.checked_mul(power(missing)?)?,
        // The digits that are not kept are zeros: `digits` is less than `kept` or was limited to it.
        extra => value / power(-extra)?,
    };
    (value.unsigned_abs() < 10_u128.pow(MOST_DIGITS as u32)).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::rescaled;

    #[test]
    fn digits_are_cut_and_written() {
        for (value, scale, kept, digits, rounds, wanted) in [
            (2345, 3, 2, 2, true, Some(235)),
            (-2345, 3, 2, 2, true, Some(-235)),
            (2345, 3, 2, 2, false, Some(234)),
            (2344, 3, 2, 2, true, Some(234)),
            (23, 1, 3, 3, true, Some(2300)),
            (995, 2, 0, 0, true, Some(10)),
            (155, 0, 0, -1, true, Some(160)),
            (155, 0, 0, -1, false, Some(150)),
            (5, 0, 0, -1, true, Some(10)),
            (5, 0, 0, -50, true, Some(0)),
            (49, 2, 2, 1, true, Some(50)),
            (0, 2, 2, i64::MIN, true, Some(0)),
            (10_i128.pow(38) - 1, 0, 0, -1, true, None),
        ] {
            assert_eq!(rescaled(value, scale, kept, digits, rounds), wanted, "{value} {scale} {kept} {digits} {rounds}");
        }
    }
}
