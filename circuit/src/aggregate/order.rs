//! The functions that choose from the rows of a group in their order: which of them, and what is made of two.

use arrow::datatypes::{DataType, i256};
use datafusion_common::ScalarValue;
use deltic_zset::types::canonical_f64;

use super::{AggregateCall, AggregateFunction};
use crate::eval::decimal::divide_half_away;

/// Which copies, counted from 0 in the order of the call, the result is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Chosen {
    /// None: NULL.
    None,
    /// One of them.
    One(i64),
    /// This one and the next, with the part of the way from the first to the second.
    Between(i64, f64),
    /// The one with the most copies.
    MostFrequent,
}

/// What `call`, whose function chooses, takes of `count` copies.
pub fn choose(call: &AggregateCall, count: i64) -> Chosen {
    if count <= 0 {
        return Chosen::None;
    }
    let fraction = || match call.parameters.first() {
        Some(ScalarValue::Float64(Some(fraction))) => fraction.clamp(0.0, 1.0),
        _ => 0.0,
    };
    let interpolated = |position: f64| {
        let below = position.floor();
        // An index that rounds up in a double is still one of the rows.
        let first = (below as i64).min(count - 1);
        if position > below && first + 1 < count { Chosen::Between(first, position - below) } else { Chosen::One(first) }
    };
    match call.function {
        AggregateFunction::LastValue => Chosen::One(count - 1),
        AggregateFunction::NthValue => match call.parameters.first() {
            Some(ScalarValue::Int64(Some(place))) if (1..=count).contains(place) => Chosen::One(place - 1),
            Some(ScalarValue::Int64(Some(place))) if (-count..0).contains(place) => Chosen::One(count + place),
            _ => Chosen::None,
        },
        AggregateFunction::Median if count % 2 == 0 => Chosen::Between(count / 2 - 1, 0.5),
        AggregateFunction::Median => Chosen::One(count / 2),
        AggregateFunction::PercentileCont => interpolated(fraction() * (count - 1) as f64),
        AggregateFunction::PercentileDisc => Chosen::One(((fraction() * count as f64).ceil() as i64 - 1).clamp(0, count - 1)),
        AggregateFunction::Mode => Chosen::MostFrequent,
        _ => Chosen::One(0),
    }
}

/// The value at `part` of the way from `low` to `high`, as the type of `call`: of decimals the mean, rounded half away from zero; else a float.
/// With `high` absent, `low` itself.
pub fn interpolate(call: &AggregateCall, low: &ScalarValue, high: Option<&ScalarValue>, part: f64) -> ScalarValue {
    use DataType::{Decimal128, Float32, Float64};
    match (&call.data_type, low, high) {
        (Decimal128(..), _, None) => low.clone(),
        (Decimal128(..), ScalarValue::Decimal128(Some(low), precision, scale), Some(ScalarValue::Decimal128(Some(high), ..))) => {
            let sum = i256::from_i128(*low).wrapping_add(i256::from_i128(*high));
            ScalarValue::Decimal128(divide_half_away(sum, i256::from_i128(2)).to_i128(), *precision, *scale)
        }
        (Float32, ..) => ScalarValue::Float32(between(low, high, part).map(|value| value as f32)),
        (Float64, ..) => ScalarValue::Float64(between(low, high, part)),
        _ => low.clone(),
    }
}

fn between(low: &ScalarValue, high: Option<&ScalarValue>, part: f64) -> Option<f64> {
    let float = |value: &ScalarValue| match value {
        ScalarValue::Float64(value) => *value,
        ScalarValue::Int64(value) => value.map(|value| value as f64),
        value => match value.cast_to(&DataType::Float64) {
            Ok(ScalarValue::Float64(value)) => value,
            _ => None,
        },
    };
    let low = float(low)?;
    let Some(high) = high.map(float) else { return Some(canonical_f64(low)) };
    let high = high?;
    if low == high {
        return Some(canonical_f64(low));
    }
    let way = high - low;
    // Two numbers of opposite sign can be farther apart than the greatest double.
    let value = if way.is_infinite() && low.is_finite() && high.is_finite() {
        low * (1.0 - part) + high * part
    } else {
        low + way * part
    };
    Some(canonical_f64(value))
}
