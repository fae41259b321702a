//! The meaning of an aggregate call: its value over given rows, computed from scratch.
//!
//! The reference interpreter evaluates groups with it, and so may whatever has a short list of rows at hand. What it shares with the incremental
//! operator is the finishing only; how rows are taken, ordered, made distinct and summed up is written down here once more, naively.

use std::cmp::Ordering;
use std::collections::HashMap;

use arrow::array::{ArrayRef, new_empty_array};
use arrow::datatypes::{DataType, Schema, i256};
use datafusion_common::ScalarValue;
use deltic_zset::{ExactMoments, ExactSum};

use super::{
    AggregateCall, AggregateFunction, AggregateValue, Chosen, addend, aggregate_column, average_result, choose, count_result,
    finish_group, interpolate, moment_result, sum_result, unit,
};
use crate::EvalError;
use crate::errors::code;
use crate::interpreter::{compare_key, compare_values, identity};

/// The values of a row, and its weight.
type Weighted<'a> = (&'a [ScalarValue], i64);

/// Puts rows into the order in which `call` is to see them, unless it [follows](AggregateCall::follows_window) that of a window.
pub fn sort_rows(call: &AggregateCall, rows: &mut [Weighted<'_>]) {
    let keys = call.sort_keys();
    rows.sort_by(|(left, _), (right, _)| {
        let by_key = |key: &crate::SortKey| compare_key(&left[key.column], &right[key.column], *key);
        keys.iter().fold(Ordering::Equal, |decided, key| decided.then_with(|| by_key(key)))
    });
}

/// The value of `call` over `rows`, which have the columns `input`, in the given order: see [`sort_rows`]. Rows of a weight that is not positive
/// count as so many less where rows are counted or summed, and are not there where they are chosen from.
///
/// # Errors
/// If the result does not fit its type, or a function fails.
pub fn evaluate(call: &AggregateCall, input: &Schema, rows: &[Weighted<'_>]) -> Result<ScalarValue, EvalError> {
    if let Some(sums) = call.sums_of_average() {
        let [sum, count] = sums.map(|sum| exact_sum(&first_arguments(&sum, &taking_part(&sum, rows))));
        let data_type = input.field(call.arguments[0]).data_type();
        let value = average_result(sum, count.to_i128().unwrap_or_default(), data_type, call)?;
        return ScalarValue::try_from_array(&aggregate_column(&[value], &call.data_type), 0).map_err(impossible);
    }
    let rows = taking_part(call, rows);
    let count: i128 = rows.iter().map(|(_, weight)| i128::from(*weight)).sum();
    let data_type = |index: usize| call.arguments.get(index).map_or(&DataType::Null, |&column| input.field(column).data_type());
    let first = first_arguments(call, &rows);
    let value = match &call.function {
        AggregateFunction::Count => count_result(count, call)?,
        AggregateFunction::Min | AggregateFunction::Max => return null_or(call, extreme(call, &first)),
        AggregateFunction::Sum | AggregateFunction::Avg if count == 0 => AggregateValue::Null,
        AggregateFunction::Sum if data_type(0).is_floating() => AggregateValue::Float(float_sum(&first).value()),
        AggregateFunction::Avg if data_type(0).is_floating() => AggregateValue::Float(float_sum(&first).quotient(count as i64)),
        AggregateFunction::Sum => sum_result(exact_sum(&first), count, call)?,
        AggregateFunction::Avg => average_result(exact_sum(&first), count, data_type(0), call)?,
        AggregateFunction::Moment(moment) if moment.arity() == 1 => {
            let mut sums = ExactMoments::default();
            first.iter().filter_map(|(x, weight)| Some((addend(x)?, *weight))).for_each(|(x, weight)| sums.add(x, weight));
            moment_result(*moment, &sums, count, unit(data_type(0)), unit(data_type(0)))
        }
        AggregateFunction::Moment(moment) => {
            let mut sums = ExactMoments::default();
            for (row, weight) in &rows {
                if let (Some(y), Some(x)) = (addend(&row[call.arguments[0]]), addend(&row[call.arguments[1]])) {
                    sums.add_pair(x, y, *weight);
                }
            }
            moment_result(*moment, &sums, count, unit(data_type(1)), unit(data_type(0)))
        }
        _ if count == 0 && !call.function.is_ordered() => AggregateValue::Null,
        AggregateFunction::BoolAnd => AggregateValue::Boolean(first.iter().all(|(value, _)| is_true(value))),
        AggregateFunction::BoolOr => AggregateValue::Boolean(first.iter().any(|(value, _)| is_true(value))),
        AggregateFunction::BitAnd | AggregateFunction::BitOr | AggregateFunction::BitXor => bits(&call.function, &first),
        function if function.reads_group() => {
            let there: Vec<Weighted<'_>> = rows.into_iter().filter(|(_, weight)| *weight > 0).collect();
            let column =
                |&column: &usize| array(there.iter().map(|(row, _)| row[column].clone()), input.field(column).data_type());
            let columns = call.arguments.iter().map(column).collect::<Result<Vec<ArrayRef>, _>>()?;
            let weights: Vec<i64> = there.iter().map(|(_, weight)| *weight).collect();
            return finish_group(call, &columns, &weights);
        }
        _ => return null_or(call, chosen(call, &first)),
    };
    ScalarValue::try_from_array(&aggregate_column(&[value], &call.data_type), 0).map_err(impossible)
}

/// The values of the first argument, if there is one.
fn first_arguments<'a>(call: &AggregateCall, rows: &[Weighted<'a>]) -> Vec<(&'a ScalarValue, i64)> {
    let Some(column) = call.argument() else { return Vec::new() };
    rows.iter().map(|(row, weight)| (&row[column], *weight)).collect()
}

/// The rows that pass the filter and have no NULL where the function wants none; of rows with equal arguments the first, once, if the call is
/// DISTINCT.
fn taking_part<'a>(call: &AggregateCall, rows: &[Weighted<'a>]) -> Vec<Weighted<'a>> {
    let rows = rows.iter().filter(|(row, _)| takes_part(call, row)).copied();
    if !call.distinct {
        return rows.collect();
    }
    let mut places = HashMap::new();
    let mut different: Vec<(&[ScalarValue], i128)> = Vec::new();
    for (row, weight) in rows {
        let arguments: Vec<ScalarValue> = call.arguments.iter().map(|&column| row[column].clone()).collect();
        let place = *places.entry(identity(&arguments)).or_insert(different.len());
        if place == different.len() {
            different.push((row, 0));
        }
        different[place].1 += i128::from(weight);
    }
    different.into_iter().filter(|(_, weight)| *weight > 0).map(|(row, _)| (row, 1)).collect()
}

/// Whether a row passes the filter and has no NULL where the function wants none.
fn takes_part(call: &AggregateCall, row: &[ScalarValue]) -> bool {
    let kept = call.filter.is_none_or(|filter| row[filter] == ScalarValue::Boolean(Some(true)));
    kept && call.required().iter().all(|&column| !row[column].is_null())
}

/// For each of `rows` the place of the one that stands for it in `call`: of a call that is DISTINCT the first row with equal arguments, else the row
/// itself; `None` if it does not take part.
pub fn representatives(call: &AggregateCall, rows: &[&[ScalarValue]]) -> Vec<Option<usize>> {
    let mut firsts = HashMap::new();
    let representative = |(place, row): (usize, &&[ScalarValue])| {
        if !takes_part(call, row) {
            return None;
        }
        if !call.distinct {
            return Some(place);
        }
        let arguments: Vec<ScalarValue> = call.arguments.iter().map(|&column| row[column].clone()).collect();
        Some(*firsts.entry(identity(&arguments)).or_insert(place))
    };
    rows.iter().enumerate().map(representative).collect()
}

fn array(values: impl ExactSizeIterator<Item = ScalarValue>, data_type: &DataType) -> Result<ArrayRef, EvalError> {
    if values.len() == 0 { Ok(new_empty_array(data_type)) } else { ScalarValue::iter_to_array(values).map_err(impossible) }
}

fn null_or(call: &AggregateCall, value: Option<ScalarValue>) -> Result<ScalarValue, EvalError> {
    value.map_or_else(|| ScalarValue::try_new_null(&call.data_type).map_err(impossible), Ok)
}

/// What valid circuits have none of.
fn impossible(error: datafusion_common::DataFusionError) -> EvalError {
    EvalError::new(code::UNSUPPORTED, error.to_string())
}

fn is_true(value: &ScalarValue) -> bool {
    *value == ScalarValue::Boolean(Some(true))
}

fn bits(function: &AggregateFunction, values: &[(&ScalarValue, i64)]) -> AggregateValue {
    let bits = values.iter().map(|(value, weight)| (integer(value), *weight));
    AggregateValue::Integer(match function {
        AggregateFunction::BitAnd => bits.fold(-1, |all, (value, _)| all & value),
        AggregateFunction::BitOr => bits.fold(0, |any, (value, _)| any | value),
        _ => bits.filter(|(_, weight)| weight % 2 != 0).fold(0, |odd, (value, _)| odd ^ value),
    })
}

fn extreme(call: &AggregateCall, values: &[(&ScalarValue, i64)]) -> Option<ScalarValue> {
    let values = values.iter().filter(|(_, weight)| *weight > 0).map(|(value, _)| *value);
    let best = match call.function {
        AggregateFunction::Min => values.min_by(|left, right| compare_values(left, right)),
        _ => values.max_by(|left, right| compare_values(left, right)),
    };
    best.cloned()
}

/// What the call chooses of the values in their order.
fn chosen(call: &AggregateCall, values: &[(&ScalarValue, i64)]) -> Option<ScalarValue> {
    let there: Vec<(&ScalarValue, i64)> = values.iter().filter(|(_, weight)| *weight > 0).copied().collect();
    let copy = |place: i64| {
        let mut behind = i128::from(place);
        there.iter().find(|(_, weight)| {
            behind -= i128::from(*weight);
            behind < 0
        })
    };
    let count: i128 = there.iter().map(|(_, weight)| i128::from(*weight)).sum();
    match choose(call, i64::try_from(count).unwrap_or(i64::MAX)) {
        Chosen::None => None,
        Chosen::One(place) => copy(place).map(|(value, _)| interpolate(call, value, None, 0.0)),
        Chosen::Between(place, part) => Some(interpolate(call, copy(place)?.0, Some(copy(place + 1)?.0), part)),
        Chosen::MostFrequent => {
            let mut copies: HashMap<Vec<ScalarValue>, i128> = HashMap::new();
            let own = |value: &ScalarValue| identity(std::slice::from_ref(value));
            there.iter().for_each(|(value, weight)| *copies.entry(own(value)).or_default() += i128::from(*weight));
            let most = copies.values().max()?;
            there.iter().find(|(value, _)| copies.get(&own(value)) == Some(most)).map(|(value, _)| (*value).clone())
        }
    }
}

fn float_sum(values: &[(&ScalarValue, i64)]) -> ExactSum {
    let mut sum = ExactSum::new();
    for (value, weight) in values {
        if let Ok(ScalarValue::Float64(Some(value))) = value.cast_to(&DataType::Float64) {
            sum.add(value, *weight);
        }
    }
    sum
}

/// The exact sum of integers, unscaled decimals or durations.
fn exact_sum(values: &[(&ScalarValue, i64)]) -> i256 {
    let unscaled = |value: &ScalarValue| i256::from_i128(integer(value));
    let terms = values.iter().map(|(value, weight)| unscaled(value).wrapping_mul(i256::from_i128(i128::from(*weight))));
    terms.fold(i256::ZERO, i256::wrapping_add)
}

fn integer(value: &ScalarValue) -> i128 {
    match value {
        ScalarValue::Decimal128(Some(digits), _, _) => *digits,
        ScalarValue::DurationMicrosecond(Some(micros)) => i128::from(*micros),
        ScalarValue::UInt64(Some(value)) => i128::from(*value),
        other => match other.cast_to(&DataType::Int64) {
            Ok(ScalarValue::Int64(Some(value))) => i128::from(value),
            _ => 0,
        },
    }
}
