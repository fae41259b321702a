//! PIVOT and UNPIVOT with static lists.
//!
//! Both ask for *the other columns* of a relation, which only the binder knows. So they are planned here when it comes to them: a PIVOT as a
//! GROUP BY these columns with one aggregate per value, each over the rows of that value; an UNPIVOT as lists side by side, made of the columns
//! and of their names, and expanded into rows.

use datafusion_common::{Column, Result, TableReference};
use datafusion_expr::planner::{PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning};
use datafusion_expr::{Expr as PlanExpr, LogicalPlan, LogicalPlanBuilder};
use sqlparser::ast::*;

use super::list_rows::UnnestNode;
use super::window::external;
use crate::SqlError;
use crate::error::{Code, Position};
use crate::parser::fold;

/// Plans them where the binder finds them.
#[derive(Debug)]
pub(crate) struct Pivots;

impl RelationPlanner for Pivots {
    fn plan_relation(&self, relation: TableFactor, context: &mut dyn RelationPlannerContext) -> Result<RelationPlanning> {
        let (plan, alias) = match &relation {
            TableFactor::Pivot { table, aggregate_functions, value_column, value_source, alias, .. } => {
                let PivotValueSource::List(values) = value_source else {
                    return Ok(RelationPlanning::Original(Box::new(relation)));
                };
                let input = context.plan(table.as_ref().clone())?;
                (pivot(input, aggregate_functions, value_column, values, context)?, alias)
            }
            TableFactor::Unpivot { table, value, name, columns, null_inclusion, alias } => {
                let input = context.plan(table.as_ref().clone())?;
                let keep_nulls = matches!(null_inclusion, Some(NullInclusion::IncludeNulls));
                (unpivot(input, value, name, columns, keep_nulls, context)?, alias)
            }
            _ => return Ok(RelationPlanning::Original(Box::new(relation))),
        };
        Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(plan, alias.clone()))))
    }
}

fn pivot(
    input: LogicalPlan,
    aggregates: &[ExprWithAlias],
    pivoted: &[Expr],
    values: &[ExprWithAlias],
    context: &mut dyn RelationPlannerContext,
) -> Result<LogicalPlan> {
    let schema = input.schema().clone();
    let mut made: Vec<PlanExpr> = Vec::new();
    let mut names: Vec<String> = Vec::new();
    let mut used: Vec<Column> = Vec::new();
    for column in pivoted {
        used.extend(context.sql_to_expr(column.clone(), &schema)?.column_refs().into_iter().cloned());
    }
    for value in values {
        let condition = matching(pivoted, &value.expr)?;
        let label = value.alias.as_ref().map_or_else(|| label(&value.expr), fold);
        for aggregate in aggregates {
            let Expr::Function(function) = &aggregate.expr else { return Err(not_an_aggregate(&aggregate.expr)) };
            let mut function = function.clone();
            let place = function.name.to_string().to_lowercase();
            let both = |filter: Expr| Expr::BinaryOp {
                left: Box::new(Expr::Nested(Box::new(filter))),
                op: BinaryOperator::And,
                right: Box::new(condition.clone()),
            };
            function.filter = Some(Box::new(function.filter.map_or_else(|| condition.clone(), |filter| both(*filter))));
            let expr = context.sql_to_expr(Expr::Function(function), &schema)?.unalias();
            let PlanExpr::AggregateFunction(call) = &expr else { return Err(not_an_aggregate(&aggregate.expr)) };
            used.extend(call.params.args.iter().flat_map(|argument| argument.column_refs().into_iter().cloned()));
            names.push(match (aggregates.len(), &aggregate.alias) {
                (1, _) => label.clone(),
                (_, Some(alias)) => format!("{label}_{}", fold(alias)),
                (_, None) => format!("{label}_{place}"),
            });
            made.push(expr);
        }
    }
    let groups: Vec<PlanExpr> =
        schema.columns().into_iter().filter(|column| !used.contains(column)).map(PlanExpr::Column).collect();
    // Two values that are equal make equal aggregates, which the plan has once.
    let mut distinct: Vec<PlanExpr> = Vec::new();
    made.iter().for_each(|expr| {
        if !distinct.contains(expr) {
            distinct.push(expr.clone());
        }
    });
    let grouped = LogicalPlanBuilder::from(input).aggregate(groups.clone(), distinct.clone())?.build()?;
    let columns = grouped.schema().columns();
    let (group_columns, aggregate_columns) = columns.split_at(groups.len());
    let mut outputs: Vec<PlanExpr> = group_columns.iter().cloned().map(PlanExpr::Column).collect();
    for (expr, name) in made.iter().zip(names) {
        let place = distinct.iter().position(|known| known == expr).unwrap_or_default();
        outputs.push(PlanExpr::Column(aggregate_columns[place].clone()).alias(name));
    }
    LogicalPlanBuilder::from(grouped).project(outputs)?.build()
}

fn not_an_aggregate(expr: &Expr) -> datafusion_common::DataFusionError {
    let position = Position::from(expr.span().start);
    external(SqlError::new(Code::Query, position, format!("PIVOT needs aggregates, not {expr}")))
}

/// The condition for the rows of a value, which is a list if several columns are pivoted.
fn matching(columns: &[Expr], value: &Expr) -> Result<Expr> {
    let values: Vec<&Expr> = match value {
        Expr::Tuple(values) => values.iter().collect(),
        Expr::Nested(value) if columns.len() == 1 => vec![value],
        value => vec![value],
    };
    if values.len() != columns.len() {
        let message = format!("{value} has {} values for {} pivoted columns", values.len(), columns.len());
        return Err(external(SqlError::new(Code::Query, Position::from(value.span().start), message)));
    }
    let equal = |(column, value): (&Expr, &Expr)| {
        let (left, right) = (Box::new(column.clone()), Box::new(value.clone()));
        match value {
            Expr::Value(ValueWithSpan { value: Value::Null, .. }) => Expr::IsNull(left),
            _ => Expr::BinaryOp { left, op: BinaryOperator::Eq, right },
        }
    };
    let conditions = columns.iter().zip(values).map(equal);
    let both = |left: Expr, right: Expr| Expr::BinaryOp { left: Box::new(left), op: BinaryOperator::And, right: Box::new(right) };
    Ok(conditions.reduce(both).unwrap_or_else(|| Expr::value(Value::Boolean(true))))
}

/// What a column of a value, or the name of a column in a row, is called.
fn label(expr: &Expr) -> String {
    match expr {
        Expr::Nested(inner) => label(inner),
        Expr::Tuple(parts) => parts.iter().map(label).collect::<Vec<_>>().join("_"),
        Expr::Identifier(ident) => fold(ident),
        Expr::CompoundIdentifier(parts) => parts.last().map(fold).unwrap_or_default(),
        Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(text), .. }) => text.clone(),
        other => other.to_string().to_lowercase(),
    }
}

fn unpivot(
    input: LogicalPlan,
    value: &Expr,
    name: &Ident,
    columns: &[ExprWithAlias],
    keep_nulls: bool,
    context: &mut dyn RelationPlannerContext,
) -> Result<LogicalPlan> {
    let schema = input.schema().clone();
    let value_names: Vec<String> = parts(value).into_iter().map(label).collect();
    let mut lists: Vec<Vec<Expr>> = vec![Vec::new(); value_names.len()];
    let mut labels: Vec<Expr> = Vec::new();
    for column in columns {
        let parts = parts(&column.expr);
        if parts.len() != lists.len() {
            let message = format!("{} has {} columns for {} of UNPIVOT", column.expr, parts.len(), lists.len());
            return Err(external(SqlError::new(Code::Query, Position::from(column.expr.span().start), message)));
        }
        parts.into_iter().zip(&mut lists).for_each(|(part, list)| list.push(part.clone()));
        let label = column.alias.as_ref().map_or_else(|| label(&column.expr), |alias| alias.value.clone());
        labels.push(Expr::value(Value::SingleQuotedString(label)));
    }
    let mut made = Vec::with_capacity(lists.len() + 1);
    for list in std::iter::once(labels).chain(lists) {
        made.push(context.sql_to_expr(Expr::Array(Array { elem: list, named: true }), &schema)?);
    }
    let used: Vec<Column> = made.iter().flat_map(|list| list.column_refs().into_iter().cloned()).collect();
    let names: Vec<String> = std::iter::once(fold(name)).chain(value_names).collect();
    let table = TableReference::bare("unpivot");
    let columns = names.iter().map(|name| Column::new(Some(table.clone()), name)).collect::<Vec<_>>();
    let others = schema.columns().into_iter().filter(|column| !used.contains(column)).map(PlanExpr::Column);
    let outputs: Vec<PlanExpr> = others.chain(columns.iter().cloned().map(PlanExpr::Column)).collect();
    let rows = UnnestNode::try_new(input, made, false, false, table, names)?.into_plan();
    let rows = LogicalPlanBuilder::from(rows);
    let present = columns[1..].iter().cloned().map(|column| PlanExpr::Column(column).is_not_null()).reduce(PlanExpr::or);
    let rows = match present {
        Some(present) if !keep_nulls => rows.filter(present)?,
        _ => rows,
    };
    rows.project(outputs)?.build()
}

fn parts(expr: &Expr) -> Vec<&Expr> {
    match expr {
        Expr::Tuple(parts) => parts.iter().collect(),
        Expr::Nested(inner) => parts(inner),
        other => vec![other],
    }
}
