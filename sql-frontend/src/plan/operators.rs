//! Operators and syntax that are functions of ours: fields of times, multiples of intervals, maps, and navigation in JSON.
//!
//! What an operator means depends on the types of its sides (`@>` is of arrays and of JSON), which the syntax tree does not know: so it is chosen while
//! expressions are bound. `||`, `-` and subscripts are those of JSON where it is known that a side is JSON (see [`json`]).

use std::sync::Arc;

use arrow::array::new_empty_array;
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, TimeUnit};
use datafusion_common::{DFSchema, DataFusionError, Result, ScalarValue, plan_datafusion_err, plan_err};
use datafusion_expr::expr::{Cast, ScalarFunction};
use datafusion_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr, RawFieldAccessExpr};
use datafusion_expr::{Expr, ExprSchemable, GetFieldAccess, Operator};
use datafusion_functions_nested::make_array::make_array;
use deltic_circuit::functions::{self, map};
use deltic_zset::maps::maps_of;
use deltic_zset::types::canonical_type;
use sqlparser::ast::BinaryOperator;

use super::functions::FUNCTIONS;
use super::json;
use super::list_rows::ENTRIES_OF_MAP;

/// Plans them before DataFusion does.
#[derive(Debug)]
pub(crate) struct DelticOperators;

impl ExprPlanner for DelticOperators {
    fn plan_extract(&self, arguments: Vec<Expr>) -> Result<PlannerResult<Vec<Expr>>> {
        Ok(PlannerResult::Planned(call("date_part", arguments)?))
    }

    fn plan_make_map(&self, arguments: Vec<Expr>) -> Result<PlannerResult<Vec<Expr>>> {
        if arguments.is_empty() {
            // Without entries it is of texts, as a NULL without a type is.
            let empty = new_empty_map(DataType::Utf8, DataType::Utf8)?;
            return Ok(PlannerResult::Planned(Expr::Literal(empty, None)));
        }
        if !arguments.len().is_multiple_of(2) {
            return plan_err!("the last key has no value: map is called as map(keys, values) or map(key, value, ..)");
        }
        let (mut keys, mut values) = (Vec::new(), Vec::new());
        for (place, argument) in arguments.into_iter().enumerate() {
            if place % 2 == 0 {
                keys.push(argument)
            } else {
                values.push(argument)
            };
        }
        Ok(PlannerResult::Planned(call(map::MAKE, vec![array_of(keys), array_of(values)])?))
    }

    fn plan_field_access(&self, access: RawFieldAccessExpr, schema: &DFSchema) -> Result<PlannerResult<RawFieldAccessExpr>> {
        if matches!(&access.field_access, GetFieldAccess::NamedStructField { name } if name == &ScalarValue::from(ENTRIES_OF_MAP))
        {
            return Ok(PlannerResult::Planned(match access.expr.get_type(schema)? {
                DataType::Map(..) => call(map::ENTRIES, vec![access.expr])?,
                _ => access.expr,
            }));
        }
        let (function, whole) = match access.expr.get_type(schema) {
            Ok(DataType::Map(..)) => (map::ELEMENT, "a map"),
            Ok(_) if is_json(&access.expr, schema) => ("json_get", "JSON"),
            _ => return Ok(PlannerResult::Original(access)),
        };
        let key = match access.field_access {
            GetFieldAccess::NamedStructField { name } => Expr::Literal(name, None),
            GetFieldAccess::ListIndex { key } => *key,
            GetFieldAccess::ListRange { .. } => return plan_err!("{whole} has no ranges"),
        };
        Ok(PlannerResult::Planned(call(function, vec![access.expr, key])?))
    }

    fn plan_binary_op(&self, expr: RawBinaryExpr, schema: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
        let function = match &expr.op {
            BinaryOperator::Arrow => "json_get",
            BinaryOperator::LongArrow => "json_get_text",
            BinaryOperator::HashArrow => "json_get_path",
            BinaryOperator::HashLongArrow => "json_get_path_text",
            BinaryOperator::AtArrow if is_text(&expr.left, schema)? => "jsonb_contains",
            BinaryOperator::ArrowAt if is_text(&expr.left, schema)? => "jsonb_contained",
            BinaryOperator::Question => "jsonb_exists",
            BinaryOperator::QuestionPipe => "jsonb_exists_any",
            BinaryOperator::QuestionAnd => "jsonb_exists_all",
            BinaryOperator::HashMinus => "jsonb_delete_path",
            BinaryOperator::AtQuestion => "json_exists",
            BinaryOperator::Minus if is_json(&expr.left, schema) => "jsonb_delete",
            BinaryOperator::Minus if is_time(&expr.left, schema) && is_time(&expr.right, schema) => "time_subtract",
            BinaryOperator::Plus if is_date(&expr.left, schema) && is_time(&expr.right, schema) => {
                return at_time(expr.left, expr.right).map(PlannerResult::Planned);
            }
            BinaryOperator::Plus if is_time(&expr.left, schema) && is_date(&expr.right, schema) => {
                return at_time(expr.right, expr.left).map(PlannerResult::Planned);
            }
            BinaryOperator::Multiply if is_interval(&expr.left, schema) => "interval_multiply",
            BinaryOperator::Multiply if is_interval(&expr.right, schema) => {
                return Ok(PlannerResult::Planned(call("interval_multiply", vec![expr.right, expr.left])?));
            }
            BinaryOperator::Divide if is_interval(&expr.left, schema) => "interval_divide",
            BinaryOperator::PGOverlap => {
                return call_any("array_has_any", vec![expr.left, expr.right]).map(PlannerResult::Planned);
            }
            BinaryOperator::PGExp => return power(expr.left, expr.right).map(PlannerResult::Planned),
            BinaryOperator::StringConcat if are_json(&expr.left, &expr.right, schema) => "jsonb_concat",
            _ => return Ok(PlannerResult::Original(expr)),
        };
        Ok(PlannerResult::Planned(call(function, vec![expr.left, expr.right])?))
    }
}

/// `base ^ exponent`, as DOUBLE: as an integer a power is soon out of range, and there is none with a negative exponent.
fn power(base: Expr, exponent: Expr) -> Result<Expr> {
    let double = |expr| Expr::Cast(Cast::new(Box::new(expr), DataType::Float64));
    call_any("power", vec![double(base), double(exponent)])
}

/// The timestamp of a time on a date.
fn at_time(date: Expr, time: Expr) -> Result<Expr> {
    let midnight = Expr::Literal(ScalarValue::Time64Microsecond(Some(0)), None);
    let since_midnight = call("time_subtract", vec![time, midnight])?;
    let date = Expr::Cast(Cast::new(Box::new(date), DataType::Timestamp(TimeUnit::Microsecond, None)));
    Ok(datafusion_expr::binary_expr(date, Operator::Plus, since_midnight))
}

/// The call of a function, of ours or of DataFusion's.
fn call_any(name: &str, arguments: Vec<Expr>) -> Result<Expr> {
    let function = FUNCTIONS.scalar(name).cloned().ok_or_else(|| plan_datafusion_err!("there is no function {name}"))?;
    Ok(Expr::ScalarFunction(ScalarFunction::new_udf(function, arguments)))
}

/// The array of `elements`; of nothing but NULLs one of texts.
fn array_of(mut elements: Vec<Expr>) -> Expr {
    let is_untyped = |element: &Expr| matches!(element, Expr::Literal(ScalarValue::Null, _));
    if elements.iter().all(is_untyped) {
        elements.fill(Expr::Literal(ScalarValue::Utf8(None), None));
    }
    make_array(elements)
}

fn new_empty_map(key: DataType, value: DataType) -> Result<ScalarValue> {
    let (keys, values) = (new_empty_array(&key), new_empty_array(&value));
    let maps = maps_of(&keys, &values, &OffsetBuffer::from_lengths([0]), None);
    let (maps, _) = maps.map_err(|error| DataFusionError::External(Box::new(error)))?;
    Ok(ScalarValue::Map(Arc::new(maps)))
}

fn is_text(expr: &Expr, schema: &DFSchema) -> Result<bool> {
    Ok(canonical_type(&expr.get_type(schema)?) == Some(DataType::Utf8))
}

/// An INTERVAL, or what is between two timestamps.
fn is_interval(expr: &Expr, schema: &DFSchema) -> bool {
    expr.get_type(schema).is_ok_and(|data_type| matches!(data_type, DataType::Interval(_) | DataType::Duration(_)))
}

fn is_date(expr: &Expr, schema: &DFSchema) -> bool {
    expr.get_type(schema).is_ok_and(|data_type| data_type == DataType::Date32)
}

fn is_time(expr: &Expr, schema: &DFSchema) -> bool {
    expr.get_type(schema).is_ok_and(|data_type| matches!(data_type, DataType::Time64(_)))
}

fn is_json(expr: &Expr, schema: &DFSchema) -> bool {
    json::kind(expr, schema).is_some()
}

/// Whether both are JSON; a literal is what the other side is.
fn are_json(left: &Expr, right: &Expr, schema: &DFSchema) -> bool {
    let is_literal = |expr: &Expr| matches!(expr, Expr::Literal(..));
    match (is_json(left, schema), is_json(right, schema)) {
        (true, true) => true,
        (true, false) => is_literal(right),
        (false, true) => is_literal(left),
        (false, false) => false,
    }
}

/// The call of a function of ours.
pub(super) fn call(name: &str, arguments: Vec<Expr>) -> Result<Expr> {
    match functions::named(name) {
        Some(function) => Ok(Expr::ScalarFunction(ScalarFunction::new_udf(Arc::clone(&function), arguments))),
        None => plan_err!("there is no function {name}"),
    }
}
