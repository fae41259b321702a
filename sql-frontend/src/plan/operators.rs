//! Operators and syntax that are functions of ours: fields of times, and navigation in JSON.
//!
//! What an operator means depends on the types of its sides (`@>` is of arrays and of JSON), which the syntax tree does not know: so it is chosen while
//! expressions are bound.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion_common::{DFSchema, Result, plan_err};
use datafusion_expr::expr::ScalarFunction;
use datafusion_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion_expr::{Expr, ExprSchemable};
use deltic_circuit::functions;
use deltic_zset::types::canonical_type;
use sqlparser::ast::BinaryOperator;

/// Plans them before DataFusion does.
#[derive(Debug)]
pub(crate) struct DelticOperators;

impl ExprPlanner for DelticOperators {
    fn plan_extract(&self, arguments: Vec<Expr>) -> Result<PlannerResult<Vec<Expr>>> {
        Ok(PlannerResult::Planned(call("date_part", arguments)?))
    }

    fn plan_binary_op(&self, expr: RawBinaryExpr, schema: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
        let function = match &expr.op {
            BinaryOperator::Arrow => "json_get",
            BinaryOperator::LongArrow => "json_get_text",
            BinaryOperator::HashArrow => "json_get_path",
            BinaryOperator::HashLongArrow => "json_get_path_text",
            BinaryOperator::AtArrow if is_text(&expr.left, schema)? => "jsonb_contains",
            BinaryOperator::ArrowAt if is_text(&expr.left, schema)? => "jsonb_contained",
            _ => return Ok(PlannerResult::Original(expr)),
        };
        Ok(PlannerResult::Planned(call(function, vec![expr.left, expr.right])?))
    }
}

fn is_text(expr: &Expr, schema: &DFSchema) -> Result<bool> {
    Ok(canonical_type(&expr.get_type(schema)?) == Some(DataType::Utf8))
}

fn call(name: &str, arguments: Vec<Expr>) -> Result<Expr> {
    match functions::named(name) {
        Some(function) => Ok(Expr::ScalarFunction(ScalarFunction::new_udf(Arc::clone(&function), arguments))),
        None => plan_err!("there is no function {name}"),
    }
}
