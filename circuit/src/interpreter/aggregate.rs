//! Aggregates by recomputation over each group.

use std::collections::HashMap;

use arrow::datatypes::SchemaRef;
use datafusion_common::ScalarValue;

use super::relation::{Relation, Row, identity};
use crate::aggregate::{evaluate, sort_rows};
use crate::errors::code;
use crate::{AggregateCall, CircuitError, ErrorRows, EvalError, Operator, aggregate_label, operator_label, render_row};

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
        let mut rows: Vec<(&[ScalarValue], i64)> = rows.iter().map(|(row, weight)| (row.as_slice(), *weight)).collect();
        let results = calls.iter().map(|call| {
            sort_rows(call, &mut rows);
            evaluate(call, &input.schema, &rows)
        });
        let results: Vec<Result<ScalarValue, EvalError>> = results.collect();
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

/// The rows of the groups that have one, and an error row for each group with more.
pub(super) fn max_one_row(
    input: &Relation,
    group: &[usize],
    schema: SchemaRef,
    errors: &mut Relation,
) -> Result<Relation, CircuitError> {
    let mut groups: HashMap<Row, Group<'_>> = HashMap::new();
    for (row, weight) in input.iter().filter(|(_, weight)| *weight > 0) {
        let key: Row = group.iter().map(|&column| row[column].clone()).collect();
        groups.entry(identity(&key)).or_insert_with(|| (key, Vec::new())).1.push((row, weight));
    }
    let mut result = Relation::new(schema);
    for (key, rows) in groups.into_values() {
        match rows.as_slice() {
            [(row, 1)] => result.add((*row).clone(), 1)?,
            _ => {
                let mut failed = ErrorRows::new();
                let error = EvalError::new(code::SUBQUERY, "a subquery that is used as a value has more than one row");
                let text = render_row(&Relation::one_row(group_schema(input, group), key)?, 0);
                failed.push(&error, operator_label(&Operator::MaxOneRow { group: vec![] }), text, 1);
                errors.add_all(&Relation::from_batch(&failed.finish())?)?;
            }
        }
    }
    Ok(result)
}

fn group_schema(input: &Relation, group: &[usize]) -> SchemaRef {
    let fields: Vec<_> = group.iter().map(|&column| input.schema.fields()[column].clone()).collect();
    std::sync::Arc::new(arrow::datatypes::Schema::new(fields))
}
