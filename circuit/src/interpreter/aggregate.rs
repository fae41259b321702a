//! Aggregates by recomputation over each group.

use std::collections::HashMap;

use arrow::datatypes::{DataType, SchemaRef, i256};
use datafusion_common::ScalarValue;
use deltic_zset::ExactSum;

use super::relation::{Relation, Row, identity};
use super::top_k::compare_values;
use crate::aggregate::{AggregateValue, aggregate_column, average_result, count_result, sum_result};
use crate::errors::code;
use crate::{AggregateCall, AggregateFunction, CircuitError, ErrorRows, EvalError, aggregate_label, render_row};

/// The key of a group and its rows with their weights.
type Group<'a> = (Row, Vec<(&'a Row, i64)>);

/// One row per group, or one error row for a group on which a call fails.
pub(super) fn aggregate(
    input: &Relation,
    group: &[usize],
    calls: &[AggregateCall],
    schema: SchemaRef,
    errors: &mut Relation,
) -> Result<Relation, CircuitError> {
    let mut groups: HashMap<Row, Group<'_>> = HashMap::new();
    if group.is_empty() {
        groups.insert(Vec::new(), (Vec::new(), Vec::new()));
    }
    for (row, weight) in input.iter() {
        let key: Row = group.iter().map(|&column| row[column].clone()).collect();
        groups.entry(identity(&key)).or_insert_with(|| (key, Vec::new())).1.push((row, weight));
    }
    let mut result = Relation::new(schema);
    for (key, rows) in groups.into_values() {
        let total: i128 = rows.iter().map(|(_, weight)| i128::from(*weight)).sum();
        // With negated inputs a group may have rows that outweigh each other: it is then not there.
        if total <= 0 && !(group.is_empty() && total == 0) {
            continue;
        }
        let results: Vec<Result<ScalarValue, EvalError>> = calls.iter().map(|call| evaluate(call, &rows, input)).collect();
        match results.iter().position(Result::is_err).zip(results.iter().find_map(|result| result.as_ref().err())) {
            Some((position, error)) => {
                let mut failed = ErrorRows::new();
                let text = render_row(&Relation::one_row(group_schema(input, group), key)?, 0);
                failed.push(error, &aggregate_label(&calls[position]), text, 1);
                errors.add_all(&Relation::from_batch(&failed.finish())?)?;
            }
            None => result.add(key.into_iter().chain(results.into_iter().flatten()).collect(), 1)?,
        }
    }
    Ok(result)
}

fn group_schema(input: &Relation, group: &[usize]) -> SchemaRef {
    let fields: Vec<_> = group.iter().map(|&column| input.schema.fields()[column].clone()).collect();
    std::sync::Arc::new(arrow::datatypes::Schema::new(fields))
}

/// One call on the rows of one group.
fn evaluate(call: &AggregateCall, rows: &[(&Row, i64)], input: &Relation) -> Result<ScalarValue, EvalError> {
    let counted = arguments(call, rows);
    let count: i128 = counted.iter().map(|(_, weight)| i128::from(*weight)).sum();
    let value = match call.function {
        AggregateFunction::Count => count_result(count, call)?,
        AggregateFunction::Min | AggregateFunction::Max => return Ok(extreme(call, &counted)),
        AggregateFunction::Sum | AggregateFunction::Avg if count == 0 => AggregateValue::Null,
        AggregateFunction::Sum | AggregateFunction::Avg => {
            let argument = input.schema.field(call.argument.unwrap_or_default()).data_type();
            match (call.function, argument.is_floating()) {
                (AggregateFunction::Sum, true) => AggregateValue::Float(float_sum(&counted).value()),
                (_, true) => AggregateValue::Float(float_sum(&counted).quotient(count as i64)),
                (AggregateFunction::Sum, false) => sum_result(exact_sum(&counted), count, call)?,
                (_, false) => average_result(exact_sum(&counted), count, argument, call)?,
            }
        }
    };
    let column = aggregate_column(&[value], &call.data_type);
    ScalarValue::try_from_array(&column, 0).map_err(|error| EvalError::new(code::UNSUPPORTED, error.to_string()))
}

/// The arguments that take part, with weights: those whose row passes the filter, not NULL, and each once if the call is DISTINCT.
fn arguments(call: &AggregateCall, rows: &[(&Row, i64)]) -> Vec<(ScalarValue, i64)> {
    let passes = |row: &Row| call.filter.is_none_or(|filter| row[filter] == ScalarValue::Boolean(Some(true)));
    let value = |row: &Row| call.argument.map_or(ScalarValue::Boolean(Some(true)), |argument| row[argument].clone());
    let taking_part = rows.iter().filter(|(row, _)| passes(row)).map(|(row, weight)| (value(row), *weight));
    let mut values: Vec<(ScalarValue, i64)> = taking_part.filter(|(value, _)| !value.is_null()).collect();
    if call.distinct {
        let mut weights: HashMap<Row, (ScalarValue, i128)> = HashMap::new();
        for (value, weight) in values {
            weights.entry(identity(std::slice::from_ref(&value))).or_insert((value, 0)).1 += i128::from(weight);
        }
        values = weights.into_values().filter(|(_, weight)| *weight > 0).map(|(value, _)| (value, 1)).collect();
    }
    values
}

fn extreme(call: &AggregateCall, values: &[(ScalarValue, i64)]) -> ScalarValue {
    let values = values.iter().filter(|(_, weight)| *weight > 0).map(|(value, _)| value);
    let best = match call.function {
        AggregateFunction::Min => values.min_by(|left, right| compare_values(left, right)),
        _ => values.max_by(|left, right| compare_values(left, right)),
    };
    best.cloned().or_else(|| ScalarValue::try_new_null(&call.data_type).ok()).unwrap_or(ScalarValue::Null)
}

fn float_sum(values: &[(ScalarValue, i64)]) -> ExactSum {
    let mut sum = ExactSum::new();
    for (value, weight) in values {
        if let Ok(ScalarValue::Float64(Some(value))) = value.cast_to(&DataType::Float64) {
            sum.add(value, *weight);
        }
    }
    sum
}

/// The exact sum of integers, unscaled decimals or durations.
fn exact_sum(values: &[(ScalarValue, i64)]) -> i256 {
    let terms = values.iter().map(|(value, weight)| unscaled(value).wrapping_mul(i256::from_i128(i128::from(*weight))));
    terms.fold(i256::ZERO, i256::wrapping_add)
}

fn unscaled(value: &ScalarValue) -> i256 {
    let integer = match value {
        ScalarValue::Decimal128(Some(digits), _, _) => *digits,
        ScalarValue::DurationMicrosecond(Some(micros)) => i128::from(*micros),
        ScalarValue::UInt64(Some(value)) => i128::from(*value),
        other => match other.cast_to(&DataType::Int64) {
            Ok(ScalarValue::Int64(Some(value))) => i128::from(value),
            _ => 0,
        },
    };
    i256::from_i128(integer)
}
