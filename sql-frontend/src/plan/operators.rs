//! Operators and syntax that are functions of ours: fields of times, multiples of intervals, maps, and navigation in JSON.
//!
//! What an operator means depends on the types of its sides (`@>` is of arrays and of JSON), which the syntax tree does not know: so it is chosen while
//! expressions are bound. `||` and `-` are those of JSON where a side is known to be JSON (see [`json`]).

use std::sync::Arc;

use arrow::array::new_empty_array;
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::DataType;
use datafusion_common::{DFSchema, DataFusionError, Result, ScalarValue, plan_datafusion_err, plan_err};
use datafusion_expr::expr::ScalarFunction;
use datafusion_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr, RawFieldAccessExpr};
use datafusion_expr::{Expr, ExprSchemable, GetFieldAccess};
use datafusion_functions_nested::make_array::make_array;
use deltic_circuit::functions::{self, map};
use deltic_zset::maps::maps_of;
use deltic_zset::types::canonical_type;
use sqlparser::ast::BinaryOperator;

use super::functions::FUNCTIONS;
use super::json;

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
        let is_map = matches!(access.expr.get_type(schema), Ok(DataType::Map(..)));
        let key = match &access.field_access {
            GetFieldAccess::NamedStructField { name } if is_map => Expr::Literal(name.clone(), None),
            GetFieldAccess::ListIndex { key } if is_map => key.as_ref().clone(),
            GetFieldAccess::ListRange { .. } if is_map => return plan_err!("a map has no ranges"),
            _ => return Ok(PlannerResult::Original(access)),
        };
        Ok(PlannerResult::Planned(call(map::ELEMENT, vec![access.expr, key])?))
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
            BinaryOperator::Multiply if is_interval(&expr.left, schema) => "interval_multiply",
            BinaryOperator::Multiply if is_interval(&expr.right, schema) => {
                return Ok(PlannerResult::Planned(call("interval_multiply", vec![expr.right, expr.left])?));
            }
            BinaryOperator::Divide if is_interval(&expr.left, schema) => "interval_divide",
            BinaryOperator::PGOverlap => {
                let function = FUNCTIONS.scalar("array_has_any").cloned();
                let function = function.ok_or_else(|| plan_datafusion_err!("there is no function array_has_any"))?;
                let call = ScalarFunction::new_udf(function, vec![expr.left, expr.right]);
                return Ok(PlannerResult::Planned(Expr::ScalarFunction(call)));
            }
            BinaryOperator::StringConcat if are_json(&expr.left, &expr.right, schema) => "jsonb_concat",
            _ => return Ok(PlannerResult::Original(expr)),
        };
        Ok(PlannerResult::Planned(call(function, vec![expr.left, expr.right])?))
    }
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

fn is_interval(expr: &Expr, schema: &DFSchema) -> bool {
    expr.get_type(schema).is_ok_and(|data_type| matches!(data_type, DataType::Interval(_)))
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
