//! Plans UNNEST, `generate_series` and `range`.

use arrow::datatypes::DataType;
use datafusion_common::{DFSchema, Result, ScalarValue, TableReference};
use datafusion_expr::expr::ScalarFunction;
use datafusion_expr::planner::{PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning};
use datafusion_expr::{Expr as PlanExpr, ExprSchemable, LogicalPlan, LogicalPlanBuilder};
use deltic_circuit::functions::map::ENTRIES;
use sqlparser::ast::{self, JoinConstraint, JoinOperator, Spanned, TableFactor};

use super::super::operators::call;
use super::super::window::external;
use super::node::{Element, UnnestNode, elements};
use super::series::SERIES;
use super::{Call, CallKind, expands};
use crate::SqlError;
use crate::error::{Code, Position};
use crate::parser::{UNNESTED, fold};

/// Plans them where the binder finds them.
#[derive(Debug)]
pub(crate) struct Unnests;

impl RelationPlanner for Unnests {
    fn plan_relation(&self, relation: TableFactor, context: &mut dyn RelationPlannerContext) -> Result<RelationPlanning> {
        let planned = |plan, alias| Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(plan, alias))));
        if let Some(call) = Call::of(&relation) {
            let plan = expand(LogicalPlanBuilder::empty(true).build()?, &call, false, context)?;
            return planned(plan, None);
        }
        let TableFactor::NestedJoin { table_with_joins, alias } = &relation else {
            return Ok(RelationPlanning::Original(Box::new(relation)));
        };
        let [join] = table_with_joins.joins.as_slice() else {
            return Ok(RelationPlanning::Original(Box::new(relation)));
        };
        let (Some(call), Some((outer, constraint)), true) =
            (Call::of(&join.relation), expansion(&join.join_operator), expands(join))
        else {
            return Ok(RelationPlanning::Original(Box::new(relation)));
        };
        let left = context.plan(table_with_joins.relation.clone())?;
        let plan = expand(left, &call, outer, context)?;
        let plan = restrict(plan, &call, outer, constraint, context)?;
        planned(plan, alias.clone())
    }
}

/// Whether rows without elements stay, and the condition.
pub(super) fn expansion(operator: &JoinOperator) -> Option<(bool, &JoinConstraint)> {
    match operator {
        JoinOperator::CrossJoin(constraint) | JoinOperator::Join(constraint) | JoinOperator::Inner(constraint) => {
            Some((false, constraint))
        }
        JoinOperator::Left(constraint) | JoinOperator::LeftOuter(constraint) => Some((true, constraint)),
        _ => None,
    }
}

/// The rows of `plan` on which the condition of the join is true.
fn restrict(
    plan: LogicalPlan,
    call: &Call<'_>,
    outer: bool,
    constraint: &JoinConstraint,
    context: &mut dyn RelationPlannerContext,
) -> Result<LogicalPlan> {
    let name = call.kind.name().to_uppercase();
    match constraint {
        JoinConstraint::None => Ok(plan),
        JoinConstraint::On(on) if is_true(on) => Ok(plan),
        JoinConstraint::On(on) if !outer => {
            let condition = context.sql_to_expr(on.clone(), plan.schema())?;
            LogicalPlanBuilder::from(plan).filter(condition)?.build()
        }
        JoinConstraint::On(on) => {
            let error = SqlError::unsupported(place(on), format!("LEFT JOIN {name} with a condition"));
            Err(external(error.with_hint("write ON TRUE; filter the elements in WHERE, or the list before")))
        }
        JoinConstraint::Using(_) | JoinConstraint::Natural => {
            let position = call.arguments.first().map_or(Position { line: 0, column: 0 }, |argument| place(argument));
            Err(external(SqlError::unsupported(position, format!("USING or NATURAL with {name}"))))
        }
    }
}

pub(super) fn is_true(expr: &ast::Expr) -> bool {
    match expr {
        ast::Expr::Nested(inner) => is_true(inner),
        ast::Expr::Value(value) => value.value == ast::Value::Boolean(true),
        _ => false,
    }
}

fn place(expr: &ast::Expr) -> Position {
    Position::from(expr.span().start)
}

/// The rows of `left`, once per element.
fn expand(left: LogicalPlan, call: &Call<'_>, outer: bool, context: &mut dyn RelationPlannerContext) -> Result<LogicalPlan> {
    let schema = left.schema().clone();
    let lists = match call.kind {
        CallKind::Unnest => {
            let list = |expr: &&ast::Expr| {
                let list = context.sql_to_expr((*expr).clone(), &schema)?;
                check_list(&list, &schema, place(expr)).map_err(external)?;
                listed(list, &schema)
            };
            call.arguments.iter().map(list).collect::<Result<Vec<_>>>()?
        }
        CallKind::GenerateSeries | CallKind::Range => vec![series(call, &schema, context)?],
    };
    let types = lists.iter().map(|list| list.get_type(&schema)).collect::<Result<Vec<_>>>()?;
    let alias = call.alias.map(|alias| fold(&alias.name));
    let function = call.kind.name();
    let names = names(call, &elements(&types), alias.as_deref())?;
    let table = TableReference::bare(alias.unwrap_or_else(|| function.to_string()));
    Ok(UnnestNode::try_new(left, lists, outer, call.ordinality, table, names)?.into_plan())
}

fn check_list(list: &PlanExpr, schema: &DFSchema, position: Position) -> std::result::Result<(), SqlError> {
    let data_type = list.get_type(schema).map_err(|error| SqlError::new(Code::Type, position, error.strip_backtrace()))?;
    match data_type {
        DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..) | DataType::Struct(_) | DataType::Map(..) => {
            Ok(())
        }
        other => {
            let message = format!("UNNEST needs a list, a map or a struct, not a value of type {other}");
            Err(SqlError::new(Code::Type, position, message))
        }
    }
}

/// A map as the list of its entries, which are structs of key and value.
fn listed(list: PlanExpr, schema: &DFSchema) -> Result<PlanExpr> {
    match list.get_type(schema)? {
        DataType::Map(..) => call(ENTRIES, vec![list]),
        _ => Ok(list),
    }
}

/// A series as a list.
fn series(call: &Call<'_>, schema: &DFSchema, context: &mut dyn RelationPlannerContext) -> Result<PlanExpr> {
    let name = call.kind.name().to_uppercase();
    let least = if call.kind == CallKind::Range { 1 } else { 2 };
    if call.arguments.len() < least || call.arguments.len() > 3 {
        let message = format!("{name} has {least} to 3 arguments, not {}", call.arguments.len());
        return Err(external(SqlError::nowhere(Code::Query, message).with_hint("start, stop and a step")));
    }
    let mut args = Vec::with_capacity(4);
    if call.arguments.len() == 1 {
        args.push(PlanExpr::Literal(ScalarValue::Int64(Some(0)), None));
    }
    for argument in &call.arguments {
        args.push(context.sql_to_expr((*argument).clone(), schema)?);
    }
    if args.len() == 2 {
        args.push(PlanExpr::Literal(ScalarValue::Int64(Some(1)), None));
    }
    args.push(PlanExpr::Literal(ScalarValue::Boolean(Some(call.kind == CallKind::GenerateSeries)), None));
    let series = PlanExpr::ScalarFunction(ScalarFunction::new_udf(SERIES.clone(), args));
    series.get_type(schema).map_err(|error| {
        let position = call.arguments.first().map_or(Position { line: 0, column: 0 }, |argument| place(argument));
        let message = error.strip_backtrace().lines().next().unwrap_or_default().to_string();
        external(SqlError::new(Code::Type, position, message))
    })?;
    Ok(series)
}

/// The names of the columns that the call makes: those of the alias, then as PostgreSQL has them: a field has its name, a single column that of the alias
/// of the relation, any other that of the function.
fn names(call: &Call<'_>, elements: &[Element], alias: Option<&str>) -> Result<Vec<String>> {
    let function = call.kind.name();
    if alias == Some(UNNESTED) && elements.iter().any(|element| matches!(element, Element::Field { .. })) {
        let position = call.arguments.first().map_or(Position { line: 0, column: 0 }, |argument| place(argument));
        let error = SqlError::unsupported(position, "unnest of a struct in SELECT without FROM");
        return Err(external(error.with_hint("write SELECT * FROM unnest(..)")));
    }
    let mut names: Vec<String> = Vec::with_capacity(elements.len() + 1);
    for (place, element) in elements.iter().enumerate() {
        names.push(match element {
            Element::Field { name, .. } => name.clone(),
            Element::Whole { .. } if elements.len() == 1 => alias.unwrap_or(function).to_string(),
            Element::Whole { .. } if place == 0 => function.to_string(),
            Element::Whole { .. } => format!("{function}_{}", place + 1),
        });
    }
    names.extend(call.ordinality.then(|| "ordinality".to_string()));
    let columns = call.alias.map_or(&[][..], |alias| alias.columns.as_slice());
    if columns.len() > names.len() {
        let (given, made) = (columns.len(), names.len());
        let message = format!("{} makes {made} columns, and its alias names {given}", function.to_uppercase());
        return Err(external(SqlError::new(Code::Query, Position::from(columns[made].name.span.start), message)));
    }
    for (name, column) in names.iter_mut().zip(columns) {
        *name = fold(&column.name);
    }
    Ok(names)
}
