//! Functions of numbers.

use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::{DataType, Decimal128Type, Float64Type, Int32Type, Int64Type};

use super::call::Call;
use super::parameters::Kind;
use super::{Definition, Group, number_pattern, returns};

/// The functions of this module.
pub(super) const DEFINITIONS: &[Definition] = &[
    Definition {
        name: "div",
        aliases: &[],
        group: Group::Number,
        usage: "div(a, b)",
        about: "The whole number of times that b is in a, cut off towards zero.",
        parameters: &[Kind::Number, Kind::Number],
        required: 2,
        variadic: false,
        returns: |bind| match bind.types {
            [a, b] if a.is_integer() && b.is_integer() => Ok(DataType::Int64),
            [a, b] if a.is_floating() || b.is_floating() => Ok(DataType::Float64),
            _ => Ok(DataType::Decimal128(38, 0)),
        },
        kernel: div,
    },
    Definition {
        name: "width_bucket",
        aliases: &[],
        group: Group::Number,
        usage: "width_bucket(value, low, high, count)",
        about: "Which of `count` equal parts of [low, high) the value is in, from 1; 0 is below, `count + 1` above.",
        parameters: &[Kind::Double, Kind::Double, Kind::Double, Kind::Integer],
        required: 4,
        variadic: false,
        returns: returns::integer,
        kernel: width_bucket,
    },
    Definition {
        name: "to_number",
        aliases: &[],
        group: Group::Number,
        usage: "to_number(text, template)",
        about: "The number that a text says by a constant template of PostgreSQL (`9G999D99S`), as a DECIMAL with the template's digits.",
        parameters: &[Kind::Text, Kind::Text],
        required: 2,
        variadic: false,
        returns: number_pattern::number_type,
        kernel: number_pattern::to_number,
    },
    Definition {
        name: "bit_count",
        aliases: &[],
        group: Group::Number,
        usage: "bit_count(integer)",
        about: "How many bits of a 64-bit integer are set.",
        parameters: &[Kind::Integer],
        required: 1,
        variadic: false,
        returns: returns::integer,
        kernel: |call| {
            let values = call.integer(0);
            call.compute::<Int32Type>(|row| Ok(values.get(row).map(|value| value.count_ones() as i32)))
        },
    },
];

fn div(call: &Call<'_>) -> Result<ArrayRef, String> {
    const BY_ZERO: &str = "division by zero";
    let [left, right] = [0, 1].map(|index| crate::eval::cast(call.value(index), &operand(call), call.rows));
    let (left, right) = (left?, right?);
    macro_rules! computed {
        ($type:ty, $divide:expr) => {{
            let divide: fn(_, _) -> Result<_, String> = $divide;
            let (a, b) = (left.inner().as_primitive::<$type>(), right.inner().as_primitive::<$type>());
            call.compute::<$type>(|row| {
                let (i, j) = (left.position(row), right.position(row));
                match arrow::array::Array::is_valid(a, i) && arrow::array::Array::is_valid(b, j) {
                    true => divide(a.value(i), b.value(j)).map(Some),
                    false => Ok(None),
                }
            })
        }};
    }
    match call.returns {
        DataType::Int64 => computed!(Int64Type, |a, b| match b {
            0 => Err(BY_ZERO.to_owned()),
            _ => i64::checked_div(a, b).ok_or_else(|| "BIGINT out of range".to_owned()),
        }),
        DataType::Float64 => {
            computed!(Float64Type, |a: f64, b: f64| if b == 0.0 { Err(BY_ZERO.to_owned()) } else { Ok((a / b).trunc()) })
        }
        _ => computed!(Decimal128Type, |a, b| i128::checked_div(a, b).ok_or_else(|| BY_ZERO.to_owned())),
    }
}

/// The common type of the operands of [`div`]: decimals of one scale divide as their digits do.
fn operand(call: &Call<'_>) -> DataType {
    let scale = |index: usize| match call.value(index).inner().data_type() {
        DataType::Decimal128(_, scale) => *scale,
        _ => 0,
    };
    match call.returns {
        DataType::Decimal128(..) => DataType::Decimal128(38, scale(0).max(scale(1))),
        other => other.clone(),
    }
}

fn width_bucket(call: &Call<'_>) -> Result<ArrayRef, String> {
    let [values, lows, highs] = [0, 1, 2].map(|index| call.double(index));
    let counts = call.integer(3);
    call.compute::<Int32Type>(|row| {
        let (Some(value), Some(low), Some(high)) = (values.get(row), lows.get(row), highs.get(row)) else { return Ok(None) };
        let Some(count) = counts.get(row) else { return Ok(None) };
        let count =
            i32::try_from(count).ok().filter(|count| (1..i32::MAX).contains(count)).ok_or("the count must be positive")?;
        if low == high || !low.is_finite() || !high.is_finite() || value.is_nan() {
            return Err("the bounds must be finite and differ, and the value a number".to_owned());
        }
        // With low above high the parts are counted downwards.
        let part = (value - low) / (high - low);
        Ok(Some(match part {
            part if part < 0.0 => 0,
            part if part >= 1.0 => count + 1,
            part => ((part * f64::from(count)) as i32 + 1).min(count),
        }))
    })
}
