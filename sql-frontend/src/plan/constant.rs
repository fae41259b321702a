//! Constant expressions (DEFAULT, the delay of a watermark ..) and the types of columns.

use arrow::datatypes::DataType;
use datafusion_common::ScalarValue;
use datafusion_expr::LogicalPlan;
use deltic_circuit::Expr;
use sqlparser::ast;

use super::{JsonKind, bind, context::Context, diagnose, json_text, optimise, planner, types, validate};
use crate::catalog::Catalog;
use crate::error::{Code, Position};
use crate::lower::lower_expression;
use crate::statement::{ColumnDefinition, Query};
use crate::{SqlError, parser};

/// The value of the default `expr`, which names no column, as an expression of type `data_type`, which may be that of JSON.
///
/// # Errors
/// If it is wrong, not constant, or fails.
pub(crate) fn constant(
    expr: &ast::Expr,
    data_type: &DataType,
    json: Option<JsonKind>,
    position: Position,
) -> Result<Expr, SqlError> {
    let value = constant_expression(expr, position)?.cast(data_type.clone());
    let value = crate::lower::fold(match json {
        Some(kind) => json_text(crate::lower::fold(value), kind),
        None => value,
    });
    match value.evaluate(&[], 1).errors.iter().next() {
        None => Ok(value),
        Some((_, error)) => {
            Err(SqlError::new(Code::Constraint, position, format!("the default {expr} fails: {}", error.message)))
        }
    }
}

/// The value of `expr`, which names no column, in the type that it has.
///
/// # Errors
/// If it is wrong, not constant, or fails.
pub(crate) fn constant_value(expr: &ast::Expr, position: Position) -> Result<ScalarValue, SqlError> {
    let value = constant_expression(expr, position)?;
    let failed = |problem: &dyn std::fmt::Display| {
        SqlError::new(Code::Constraint, position, format!("the constant {expr} fails: {problem}"))
    };
    let evaluated = value.evaluate(&[], 1);
    match evaluated.errors.iter().next() {
        None => ScalarValue::try_from_array(&evaluated.values, 0).map_err(|error| failed(&error)),
        Some((_, error)) => Err(failed(&error.message)),
    }
}

fn constant_expression(expr: &ast::Expr, position: Position) -> Result<Expr, SqlError> {
    validate::validate_expression(expr, position)?;
    let query = Query { ast: Box::new(select(vec![ast::SelectItem::UnnamedExpr(expr.clone())], None)), position };
    let plan = bind(&Catalog::new(), &query, None)?.plan;
    super::check_volatility(&plan, position, false)?;
    let plan = optimise::analyse(plan).map_err(|error| diagnose::diagnose(&error, &query.ast, position))?;
    let LogicalPlan::Projection(projection) = &plan else {
        return Err(SqlError::new(Code::Constraint, position, format!("{expr} is not a constant")));
    };
    lower_expression(&projection.expr[0], projection.input.schema()).map_err(|error| error.or_at(position))
}

/// `SELECT items [FROM from]`.
pub(super) fn select(items: Vec<ast::SelectItem>, from: Option<ast::TableFactor>) -> ast::Query {
    let mut query = parser::empty_select();
    if let ast::SetExpr::Select(select) = query.body.as_mut() {
        select.projection = items;
        select.from = from.into_iter().map(|relation| ast::TableWithJoins { relation, joins: vec![] }).collect();
    }
    query
}

/// The type in which a column is kept.
///
/// # Errors
/// If the type is not supported.
pub(crate) fn plan_column_type(column: &ColumnDefinition) -> Result<DataType, SqlError> {
    declared_type(&column.data_type, &format!("column {}", column.name.value), column.type_position)
}

/// The type in which `what`, which is declared as `declared`, is kept.
///
/// # Errors
/// If the type is not supported.
pub(crate) fn declared_type(declared: &ast::DataType, what: &str, position: Position) -> Result<DataType, SqlError> {
    let data_type = plan_type(declared).map_err(|error| {
        let nothing = select(vec![], None);
        SqlError { code: Code::Type.as_str(), ..diagnose::diagnose(&error, &nothing, position) }
    })?;
    types::canonical(&data_type, what, position)
}

/// The type as DataFusion spells it.
///
/// # Errors
/// If there is no such type.
pub(super) fn plan_type(sql_type: &ast::DataType) -> datafusion_common::Result<DataType> {
    let catalog = Catalog::new();
    let context = Context::new(&catalog);
    let definition = ast::ColumnDef { name: ast::Ident::new("c"), data_type: sql_type.clone(), options: vec![] };
    let schema = planner(&context).build_schema(vec![definition])?;
    Ok(schema.field(0).data_type().clone())
}
