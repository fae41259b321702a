//! Decimals beside floats become floats, as in PostgreSQL.
//!
//! DataFusion's analyzer does the contrary: `f > 1.5` would cast the column `f` to a decimal, on which infinities, NaN and large values fail. So
//! before it runs, the decimal side of every mixed comparison, calculation, CASE, COALESCE or UNION is cast to DOUBLE.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion_common::tree_node::{Transformed, TreeNode};
use datafusion_common::{DFSchema, Result};
use datafusion_expr::expr::ScalarFunction;
use datafusion_expr::expr_rewriter::NamePreserver;
use datafusion_expr::logical_plan::Subquery;
use datafusion_expr::utils::merge_schema;
use datafusion_expr::{Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, Union};

/// The functions whose arguments are brought to one type.
const ALIKE: &[&str] = &["coalesce", "nvl", "nullif", "greatest", "least"];

/// Casts the decimals that stand beside floats.
pub(super) fn prefer_floats(plan: LogicalPlan) -> Result<LogicalPlan> {
    Ok(plan
        .transform_up_with_subqueries(|plan| {
            let plan = match plan {
                LogicalPlan::Union(union) => prefer_floats_in_union(union)?,
                plan => plan,
            };
            let schema = merge_schema(&plan.inputs());
            let names = NamePreserver::new(&plan);
            let rewritten = plan.map_expressions(|expr| {
                let name = names.save(&expr);
                Ok(expr.transform_up(|expr| rewrite(expr, &schema))?.update_data(|expr| name.restore(expr)))
            })?;
            rewritten.map_data(LogicalPlan::recompute_schema)
        })?
        .data)
}

fn rewrite(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let is_mixed = |operands: &[&Expr]| -> Result<bool> {
        let types = operands.iter().map(|operand| operand.get_type(schema)).collect::<Result<Vec<_>>>()?;
        Ok(types.iter().any(is_float) && types.iter().any(is_decimal))
    };
    let float = |operand: Expr| to_float(operand, schema);
    match expr {
        Expr::BinaryExpr(mut binary) if is_mixed(&[&binary.left, &binary.right])? => {
            binary.left = Box::new(float(*binary.left)?);
            binary.right = Box::new(float(*binary.right)?);
            Ok(Transformed::yes(Expr::BinaryExpr(binary)))
        }
        Expr::Between(mut between) if is_mixed(&[&between.expr, &between.low, &between.high])? => {
            between.expr = Box::new(float(*between.expr)?);
            between.low = Box::new(float(*between.low)?);
            between.high = Box::new(float(*between.high)?);
            Ok(Transformed::yes(Expr::Between(between)))
        }
        Expr::InList(mut list) if is_mixed(&list.list.iter().chain([list.expr.as_ref()]).collect::<Vec<_>>())? => {
            list.expr = Box::new(float(*list.expr)?);
            list.list = list.list.into_iter().map(float).collect::<Result<_>>()?;
            Ok(Transformed::yes(Expr::InList(list)))
        }
        Expr::InSubquery(mut membership) if is_mixed_with(&membership.expr, &membership.subquery, schema)? => {
            membership.expr = Box::new(float(*membership.expr)?);
            membership.subquery = float_column(membership.subquery)?;
            Ok(Transformed::yes(Expr::InSubquery(membership)))
        }
        Expr::SetComparison(mut comparison) if is_mixed_with(&comparison.expr, &comparison.subquery, schema)? => {
            comparison.expr = Box::new(float(*comparison.expr)?);
            comparison.subquery = float_column(comparison.subquery)?;
            Ok(Transformed::yes(Expr::SetComparison(comparison)))
        }
        Expr::Case(mut case) => {
            let results: Vec<&Expr> =
                case.when_then_expr.iter().map(|(_, then)| then.as_ref()).chain(case.else_expr.as_deref()).collect();
            let mixed_results = is_mixed(&results)?;
            let tested: Vec<&Expr> =
                case.expr.iter().map(Box::as_ref).chain(case.when_then_expr.iter().map(|(when, _)| when.as_ref())).collect();
            let mixed_tests = case.expr.is_some() && is_mixed(&tested)?;
            let cast = |expr: Box<Expr>, mixed: bool| if mixed { float(*expr).map(Box::new) } else { Ok(expr) };
            case.expr = case.expr.map(|expr| cast(expr, mixed_tests)).transpose()?;
            case.else_expr = case.else_expr.map(|expr| cast(expr, mixed_results)).transpose()?;
            let branches =
                case.when_then_expr.into_iter().map(|(when, then)| Ok((cast(when, mixed_tests)?, cast(then, mixed_results)?)));
            case.when_then_expr = branches.collect::<Result<_>>()?;
            Ok(Transformed::yes(Expr::Case(case)))
        }
        Expr::ScalarFunction(ScalarFunction { func, args })
            if ALIKE.contains(&func.name()) && is_mixed(&args.iter().collect::<Vec<_>>())? =>
        {
            let args = args.into_iter().map(float).collect::<Result<_>>()?;
            Ok(Transformed::yes(Expr::ScalarFunction(ScalarFunction { func, args })))
        }
        expr => Ok(Transformed::no(expr)),
    }
}

/// Whether one of `expr` and the column of `subquery` is a float and the other a decimal.
fn is_mixed_with(expr: &Expr, subquery: &Subquery, schema: &DFSchema) -> Result<bool> {
    let types = [expr.get_type(schema)?, subquery.subquery.schema().field(0).data_type().clone()];
    Ok(types.iter().any(is_float) && types.iter().any(is_decimal))
}

/// The subquery with its only column as a float.
fn float_column(subquery: Subquery) -> Result<Subquery> {
    let columns = subquery.subquery.schema().columns().into_iter();
    let columns = columns.map(|column| to_float(Expr::Column(column), subquery.subquery.schema()));
    let columns = columns.collect::<Result<Vec<_>>>()?;
    let plan = LogicalPlanBuilder::from(subquery.subquery.as_ref().clone()).project(columns)?.build()?;
    Ok(subquery.with_plan(Arc::new(plan)))
}

/// The inputs of a union with their decimal columns cast where another input has a float.
fn prefer_floats_in_union(union: Union) -> Result<LogicalPlan> {
    let width = union.schema.fields().len();
    let of_type =
        |column: usize, is: fn(&DataType) -> bool| union.inputs.iter().any(|input| is(input.schema().field(column).data_type()));
    let mixed: Vec<bool> = (0..width).map(|column| of_type(column, is_float) && of_type(column, is_decimal)).collect();
    if !mixed.contains(&true) {
        return Ok(LogicalPlan::Union(union));
    }
    let mut inputs = Vec::with_capacity(union.inputs.len());
    for input in union.inputs {
        let columns = input.schema().columns().into_iter().zip(&mixed).map(|(column, mixed)| {
            let name = column.name.clone();
            let column = Expr::Column(column);
            if *mixed { to_float(column, input.schema()).map(|column| column.alias(name)) } else { Ok(column) }
        });
        let columns = columns.collect::<Result<Vec<_>>>()?;
        inputs.push(Arc::new(LogicalPlanBuilder::from(input.as_ref().clone()).project(columns)?.build()?));
    }
    Ok(LogicalPlan::Union(Union::try_new_with_loose_types(inputs)?))
}

fn to_float(expr: Expr, schema: &DFSchema) -> Result<Expr> {
    if is_decimal(&expr.get_type(schema)?) { expr.cast_to(&DataType::Float64, schema) } else { Ok(expr) }
}

pub(super) fn is_float(data_type: &DataType) -> bool {
    data_type.is_floating()
}

pub(super) fn is_decimal(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Decimal128(..) | DataType::Decimal256(..))
}
