//! A stable 128-bit name for what a node computes.
//!
//! Two nodes with one fingerprint compute the same rows from the same relations, whatever circuit, process or column names they are in: so state
//! can be shared between views, and a checkpoint finds the operator it belongs to. It covers operators, expressions with all their types, the types of
//! columns and the fingerprints of the inputs, in a canonical text that is hashed by FNV-1a.

use std::fmt::Write;

use arrow::array::{Array, ArrayRef};
use arrow::datatypes::{DataType, Schema};
use datafusion_common::ScalarValue;
use deltic_zset::ZBatch;

use crate::{AggregateCall, Circuit, Expr, Operator, SessionOutput, aggregate_text};

/// The fingerprint of every node, by position.
pub fn fingerprint(circuit: &Circuit) -> Vec<u128> {
    let mut prints: Vec<u128> = Vec::with_capacity(circuit.nodes.len());
    for node in &circuit.nodes {
        let inputs: Vec<u128> = node.inputs.iter().map(|input| prints[input.0]).collect();
        prints.push(node_fingerprint(&node.operator, &inputs, &node.schema));
    }
    prints
}

/// The fingerprint of one node over inputs with known ones.
pub(crate) fn node_fingerprint(operator: &Operator, inputs: &[u128], schema: &Schema) -> u128 {
    let mut text = String::new();
    write_operator(&mut text, operator);
    for input in inputs {
        let _ = write!(text, " <{input:032x}>");
    }
    for field in schema.fields() {
        let _ = write!(text, " {}", field.data_type());
    }
    fnv1a(text.as_bytes())
}

fn fnv1a(bytes: &[u8]) -> u128 {
    const OFFSET: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    bytes.iter().fold(OFFSET, |hash, &byte| (hash ^ u128::from(byte)).wrapping_mul(PRIME))
}

fn write_operator(text: &mut String, operator: &Operator) {
    let _ = match operator {
        Operator::Source { relation } => write!(text, "source {relation:?}"),
        Operator::Constant { rows } => {
            text.push_str("constant");
            write_rows(text, rows);
            Ok(())
        }
        Operator::MapFilter { predicates, projections } => {
            text.push_str("filter");
            predicates.iter().for_each(|predicate| write_expr(text, predicate));
            if let Some(projections) = projections {
                text.push_str(" project");
                projections.iter().for_each(|projection| write_expr(text, projection));
            }
            Ok(())
        }
        Operator::Union => write!(text, "union"),
        Operator::Negate => write!(text, "negate"),
        Operator::Index { key } => write!(text, "index {key:?}"),
        Operator::Join { kind, keys, residual } => {
            let _ = write!(text, "join {kind:?} {keys:?}");
            residual.iter().for_each(|residual| write_expr(text, residual));
            Ok(())
        }
        Operator::Unnest { keep, lists, outer, ordinality } => {
            write!(text, "unnest {keep:?} {lists:?} {outer} {ordinality}")
        }
        Operator::Distinct => write!(text, "distinct"),
        Operator::SetOperation { kind } => write!(text, "set-operation {kind:?}"),
        Operator::MaxOneRow { group } => write!(text, "max-one-row {group:?}"),
        Operator::Aggregate { group, aggregates } => {
            let _ = write!(text, "aggregate {group:?}");
            write_calls(text, aggregates)
        }
        Operator::TopK { partition, order, offset, limit, with_row_number, ties } => {
            write!(text, "top-k {partition:?} {order:?} {offset} {limit:?} {with_row_number} {ties:?}")
        }
        Operator::WindowFrame { partition, order, calls } => {
            // The debug form says everything of a call, types and literals included.
            write!(text, "window-frame {partition:?} {order:?} {calls:?}")
        }
        Operator::TimeWindow { time, window } => write!(text, "time-window {time} {window:?}"),
        Operator::Session { partition, time, gap, max_sessions, output } => {
            let _ = write!(text, "session {partition:?} {time} {gap} {max_sessions:?}");
            match output {
                SessionOutput::Rows => write!(text, " rows"),
                SessionOutput::Aggregates(calls) => write_calls(text, calls),
            }
        }
        Operator::Emit { policy } => write!(text, "emit {policy:?}"),
        Operator::TemporalFilter { from, until, output } => write!(text, "temporal {from:?} {until:?} {output:?}"),
        Operator::IntervalJoin { kind, keys, left_time, right_time, lower, upper, residual } => {
            let _ = write!(text, "interval-join {kind:?} {keys:?} {left_time} {right_time} {lower} {upper}");
            residual.iter().for_each(|residual| write_expr(text, residual));
            Ok(())
        }
        Operator::AsOfJoin { kind, keys, left_time, right_time, comparison } => {
            write!(text, "as-of-join {kind:?} {keys:?} {left_time} {right_time} {comparison:?}")
        }
        Operator::TemporalLookup { kind, keys, residual } => {
            let _ = write!(text, "temporal-lookup {kind:?} {keys:?}");
            residual.iter().for_each(|residual| write_expr(text, residual));
            Ok(())
        }
        Operator::Fixpoint { recursion } => {
            let body = fingerprint(&recursion.body);
            let _ = write!(text, "fixpoint {:?} {:032x}", recursion.limit, body[recursion.body.output.0]);
            recursion.variables.iter().try_for_each(|variable| write!(text, " {:032x}", body[variable.definition.0]))
        }
    };
}

fn write_calls(text: &mut String, calls: &[AggregateCall]) -> std::fmt::Result {
    calls.iter().try_for_each(|call| write!(text, " {} {}", aggregate_text(call), call.data_type))
}

fn write_rows(text: &mut String, rows: &ZBatch) {
    for row in 0..rows.len() {
        let _ = write!(text, " {}:", rows.weight(row));
        for column in rows.columns() {
            match ScalarValue::try_from_array(column, row) {
                Ok(value) => write_value(text, &value),
                Err(error) => text.push_str(&error.to_string()),
            }
        }
    }
}

/// The debug form of a value shows its variant and escapes strings, so it is unambiguous; but not that of values inside of others.
fn write_value(text: &mut String, value: &ScalarValue) {
    let parts: Vec<ArrayRef> = match value {
        ScalarValue::List(list) if list.is_valid(0) => vec![list.value(0)],
        ScalarValue::Struct(fields) if fields.is_valid(0) => fields.columns().to_vec(),
        ScalarValue::Map(map) if map.is_valid(0) => map.value(0).columns().to_vec(),
        _ => {
            let _ = write!(text, " {value:?}:{}", value.data_type());
            return;
        }
    };
    let _ = write!(text, " {}", value.data_type());
    for part in parts {
        let _ = write!(text, " [{}", part.len());
        for row in 0..part.len() {
            match ScalarValue::try_from_array(&part, row) {
                Ok(value) => write_value(text, &value),
                Err(error) => text.push_str(&error.to_string()),
            }
        }
        text.push(']');
    }
}

/// Prefix notation with the type of every node.
fn write_expr(text: &mut String, expr: &Expr) {
    let mut typed = |head: std::fmt::Arguments<'_>, data_type: &DataType| {
        let _ = write!(text, " ({head}:{data_type}");
    };
    match expr {
        Expr::Column { index, data_type } => typed(format_args!("#{index}"), data_type),
        Expr::Literal(value) => {
            text.push_str(" (literal");
            write_value(text, value);
        }
        Expr::Binary { op, data_type, .. } => typed(format_args!("{op}"), data_type),
        Expr::Not(_) => text.push_str(" (not"),
        Expr::Negative(_) => text.push_str(" (negative"),
        Expr::IsNull(_) => text.push_str(" (is-null"),
        Expr::Case { branches, otherwise, data_type } => {
            typed(format_args!("case {} {}", branches.len(), otherwise.is_some()), data_type);
        }
        Expr::Coalesce { data_type, .. } => typed(format_args!("coalesce"), data_type),
        Expr::Cast { data_type, safe, .. } => typed(format_args!("cast {safe}"), data_type),
        Expr::Like { negated, case_insensitive, .. } => {
            let _ = write!(text, " (like {negated} {case_insensitive}");
        }
        Expr::InList { list, list_has_null, negated, .. } => {
            let _ = write!(text, " (in {list_has_null} {negated}");
            list.iter().for_each(|value| write_value(text, value));
        }
        Expr::Function { function, return_field, .. } => {
            typed(format_args!("function {:?}", function.name()), return_field.data_type());
        }
    }
    expr.children().into_iter().for_each(|child| write_expr(text, child));
    text.push(')');
}
