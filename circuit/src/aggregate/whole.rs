//! The functions that are made of all rows of a group.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, UInt32Array, make_comparator};
use arrow::buffer::OffsetBuffer;
use arrow::compute::{self, SortOptions};
use arrow::datatypes::{DataType, Field, FieldRef, Schema};
use datafusion_common::{DataFusionError, ScalarValue};
use datafusion_expr::AggregateUDF;
use datafusion_expr::function::AccumulatorArgs;
use datafusion_physical_expr::expressions::{Column, Literal};
use datafusion_physical_expr::{PhysicalExpr, PhysicalSortExpr};
use deltic_zset::maps::{KEY_ORDER, maps_of};
use deltic_zset::types::{canonicalize, justify_intervals};

use super::json::{write_json, write_key};
use super::{AggregateCall, AggregateFunction};
use crate::errors::code;
use crate::eval::function::panic_text;
use crate::{EvalError, SortKey, aggregate_text};

/// The most elements of an array, and bytes of a text: as in PostgreSQL, about a gigabyte.
const MOST_ELEMENTS: i128 = 1 << 27;
const MOST_BYTES: usize = 1 << 30;

/// The result of a function that [reads the group](AggregateFunction::reads_group): one row per entry, in the order of the call, with the columns of
/// the arguments and positive weights.
///
/// # Errors
/// If the result would be too long, a key of an object is NULL, or a function of DataFusion fails.
pub fn finish_group(call: &AggregateCall, arguments: &[ArrayRef], weights: &[i64]) -> Result<ScalarValue, EvalError> {
    // Equal intervals are one, whichever way they were written.
    let arguments: Vec<ArrayRef> = arguments.iter().map(|column| justify_intervals(column.clone())).collect();
    let copies: i128 = weights.iter().map(|&weight| i128::from(weight)).sum();
    if copies > MOST_ELEMENTS {
        return Err(too_long(call));
    }
    if let AggregateFunction::Other(function) = &call.function {
        return other(call, function, &arguments, weights);
    }
    let (Some(first), true) = (arguments.first(), copies > 0) else {
        return ScalarValue::try_new_null(&call.data_type).map_err(|error| refused(call, &error));
    };
    let mut text = Text { call, out: String::new() };
    match call.function {
        AggregateFunction::ArrayAgg => return array(call, first, weights),
        AggregateFunction::MapAgg => return map(call, &arguments),
        AggregateFunction::StringAgg => {
            let separator = match call.parameters.first() {
                Some(ScalarValue::Utf8(Some(separator))) => separator.as_str(),
                _ => "",
            };
            let strings = first.as_string::<i32>();
            text.each(weights, separator, |out, row| {
                out.push_str(strings.value(row));
                Ok(())
            })?;
        }
        AggregateFunction::JsonAgg => {
            text.out.push('[');
            text.each(weights, ", ", |out, row| {
                write_json(out, first, row);
                Ok(())
            })?;
            text.out.push(']');
        }
        _ => object(&mut text, &arguments, weights)?,
    }
    Ok(ScalarValue::Utf8(Some(text.out)))
}

/// A text that is not longer than it may be.
struct Text<'a> {
    call: &'a AggregateCall,
    out: String,
}

impl Text<'_> {
    /// Writes each copy of each row, with `separator` between them.
    fn each(
        &mut self,
        weights: &[i64],
        separator: &str,
        mut write: impl FnMut(&mut String, usize) -> Result<(), EvalError>,
    ) -> Result<(), EvalError> {
        let mut follows = false;
        for (row, &weight) in weights.iter().enumerate() {
            for _ in 0..weight {
                self.out.push_str(if follows { separator } else { "" });
                follows = true;
                write(&mut self.out, row)?;
                if self.out.len() > MOST_BYTES {
                    return Err(too_long(self.call));
                }
            }
        }
        Ok(())
    }
}

/// Keys, none of which is NULL, and values.
fn pairs<'a>(call: &AggregateCall, arguments: &'a [ArrayRef]) -> Result<(&'a ArrayRef, &'a ArrayRef), EvalError> {
    let [keys, values] = arguments else { return Err(refused(call, &"it has no values")) };
    match keys.null_count() {
        0 => Ok((keys, values)),
        _ => Err(EvalError::new(code::FUNCTION, format!("a key of {} is NULL", aggregate_text(call)))),
    }
}

/// The map of keys and values, in which the last of equal keys stays.
fn map(call: &AggregateCall, arguments: &[ArrayRef]) -> Result<ScalarValue, EvalError> {
    let (keys, values) = pairs(call, arguments)?;
    let run = || -> Result<ScalarValue, DataFusionError> {
        let compare = make_comparator(keys, keys, KEY_ORDER)?;
        let mut rows: Vec<u32> = (0..keys.len() as u32).rev().collect();
        // The sort is stable: of equal keys the last row comes first.
        rows.sort_by(|&left, &right| compare(left as usize, right as usize));
        rows.dedup_by(|next, kept| compare(*next as usize, *kept as usize).is_eq());
        let rows = UInt32Array::from(rows);
        let (keys, values) = (compute::take(keys, &rows, None)?, compute::take(values, &rows, None)?);
        let maps = maps_of(&keys, &values, &OffsetBuffer::from_lengths([rows.len()]), None);
        let (maps, _) = maps.map_err(|error| DataFusionError::External(Box::new(error)))?;
        Ok(ScalarValue::Map(Arc::new(maps)))
    };
    run().map_err(|error| refused(call, &error))
}

/// The object of keys and values: all pairs, or the last of each key.
fn object(text: &mut Text<'_>, arguments: &[ArrayRef], weights: &[i64]) -> Result<(), EvalError> {
    let (keys, values) = pairs(text.call, arguments)?;
    let mut weights = weights.to_vec();
    if text.call.function == AggregateFunction::JsonbObjectAgg {
        let mut last = std::collections::HashMap::new();
        for (row, weight) in weights.iter_mut().enumerate() {
            let mut key = String::new();
            write_key(&mut key, keys, row);
            last.insert(key, row);
            *weight = 0;
        }
        last.into_values().for_each(|row| weights[row] = 1);
    }
    text.out.push('{');
    text.each(&weights, ", ", |out, row| {
        write_key(out, keys, row);
        out.push_str(": ");
        write_json(out, values, row);
        Ok(())
    })?;
    text.out.push('}');
    Ok(())
}

fn array(call: &AggregateCall, values: &ArrayRef, weights: &[i64]) -> Result<ScalarValue, EvalError> {
    let values = copies(values, weights).map_err(|error| refused(call, &error))?;
    let DataType::List(item) = &call.data_type else { return Err(refused(call, &"its result is no array")) };
    let list = ListArray::try_new(item.clone(), OffsetBuffer::from_lengths([values.len()]), values, None);
    list.map(|list| ScalarValue::List(Arc::new(list))).map_err(|error| refused(call, &error))
}

/// Each row as often as its weight.
fn copies(column: &ArrayRef, weights: &[i64]) -> Result<ArrayRef, arrow::error::ArrowError> {
    if weights.iter().all(|&weight| weight == 1) {
        return Ok(column.clone());
    }
    let rows = weights.iter().enumerate().flat_map(|(row, &weight)| std::iter::repeat_n(row as u32, weight.max(0) as usize));
    compute::take(column, &UInt32Array::from_iter_values(rows), None)
}

/// DataFusion's function over the rows in their order.
fn other(
    call: &AggregateCall,
    function: &AggregateUDF,
    arguments: &[ArrayRef],
    weights: &[i64],
) -> Result<ScalarValue, EvalError> {
    let run = || -> Result<ScalarValue, DataFusionError> {
        let columns = arguments.iter().map(|column| copies(column, weights)).collect::<Result<Vec<_>, _>>()?;
        let column_fields = columns.iter().enumerate().map(|(index, column)| field(&format!("c{index}"), column.data_type()));
        let schema = Schema::new(column_fields.collect::<Vec<FieldRef>>());
        let of_column = |index: usize| Arc::new(Column::new(&format!("c{index}"), index)) as Arc<dyn PhysicalExpr>;
        let literals = call.parameters.iter().map(|value| Arc::new(Literal::new(value.clone())) as Arc<dyn PhysicalExpr>);
        let exprs: Vec<Arc<dyn PhysicalExpr>> = (0..columns.len()).map(of_column).chain(literals).collect();
        let parameter_fields = call.parameters.iter().map(|value| field("parameter", &value.data_type()));
        // An order of its own says which way a percentile counts.
        let argument = |key: &SortKey| call.arguments.iter().position(|column| *column == key.column);
        let sort = |key: &SortKey| {
            let options = SortOptions { descending: key.descending, nulls_first: key.nulls_first };
            Some(PhysicalSortExpr::new(of_column(argument(key)?), options))
        };
        let order: Vec<PhysicalSortExpr> = call.order.iter().filter_map(sort).collect();
        let expr_fields: Vec<FieldRef> = schema.fields().iter().cloned().chain(parameter_fields).collect();
        let mut accumulator = function.accumulator(AccumulatorArgs {
            return_field: function.return_field(&expr_fields)?,
            schema: &schema,
            ignore_nulls: call.ignore_nulls,
            order_bys: &order,
            is_reversed: false,
            name: function.name(),
            // Equal rows are one already.
            is_distinct: false,
            exprs: &exprs,
            expr_fields: &expr_fields,
        })?;
        let rows = columns.first().map_or(0, |column| column.len());
        let parameters = call.parameters.iter().map(|value| value.to_array_of_size(rows));
        let values = columns.iter().cloned().map(Ok).chain(parameters).collect::<Result<Vec<_>, _>>()?;
        if rows > 0 {
            accumulator.update_batch(&values)?;
        }
        let result =
            canonicalize(&accumulator.evaluate()?.to_array()?).map_err(|error| DataFusionError::External(Box::new(error)))?;
        ScalarValue::try_from_array(&result, 0)?.cast_to(&call.data_type)
    };
    // Functions of users may panic: that is an error of the group, too.
    let outcome =
        catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| Err(DataFusionError::Execution(panic_text(panic.as_ref()))));
    outcome.map_err(|error| EvalError::new(code::FUNCTION, format!("{} failed: {}", function.name(), error.strip_backtrace())))
}

fn field(name: &str, data_type: &DataType) -> FieldRef {
    Arc::new(Field::new(name, data_type.clone(), true))
}

fn too_long(call: &AggregateCall) -> EvalError {
    EvalError::new(code::OVERFLOW, format!("the result of {} is too long", aggregate_text(call)))
}

fn refused(call: &AggregateCall, why: &dyn std::fmt::Display) -> EvalError {
    EvalError::new(code::UNSUPPORTED, format!("{} has no result: {why}", aggregate_text(call)))
}
