//! Window table functions in FROM.

use datafusion_common::{DataFusionError, Result};
use datafusion_expr::planner::{PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning};
use datafusion_expr::{Expr as PlanExpr, ExprSchemable, LogicalPlan};
use deltic_zset::types::canonical_type;
use sqlparser::ast::{Expr, Spanned, TableFactor};

use super::super::duration::constant_length;
use super::node::window_bound;
use super::{WindowCall, WindowNode, WindowShape, check_call};
use crate::SqlError;
use crate::error::{Code, Position};

/// The names of the columns that a window table function adds.
const BOUNDS: [&str; 2] = ["window_start", "window_end"];

/// Plans them where DataFusion finds them.
#[derive(Debug)]
pub(crate) struct WindowRelations;

impl RelationPlanner for WindowRelations {
    fn plan_relation(&self, relation: TableFactor, context: &mut dyn RelationPlannerContext) -> Result<RelationPlanning> {
        match check_call(&relation).map_err(external)? {
            None => Ok(RelationPlanning::Original(Box::new(relation))),
            Some((call, alias)) => {
                let plan = plan_call(call, context)?;
                Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(plan, alias))))
            }
        }
    }
}

/// An error of ours on its way through DataFusion.
pub(crate) fn external(error: SqlError) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

fn plan_call(call: WindowCall, context: &mut dyn RelationPlannerContext) -> Result<LogicalPlan> {
    let at = |expr: &Expr| match expr.span().start {
        start if start.line == 0 => call.position,
        start => Position::from(start),
    };
    let function = call.kind.name().to_uppercase();
    let input = context.plan(call.input)?;
    if let Some(taken) = BOUNDS.iter().find(|name| input.schema().fields().iter().any(|field| field.name() == *name)) {
        let message = format!("the input of {function} has a column {taken} already");
        let error = SqlError::new(Code::DuplicateColumn, call.position, message);
        return Err(external(error.with_hint("give it another name in a query below")));
    }
    let time = context.sql_to_expr(call.time.clone(), input.schema())?;
    let time_type = time.get_type(input.schema())?;
    let not_a_time = |error: DataFusionError| match error {
        DataFusionError::External(inner) => match inner.downcast::<SqlError>() {
            Ok(error) => external(error.or_at(at(&call.time))),
            Err(inner) => DataFusionError::External(inner),
        },
        other => other,
    };
    window_bound(call.kind.name(), &time_type).map_err(not_a_time)?;
    let time_type = canonical_type(&time_type).unwrap_or(time_type);
    let length = |expr: &Expr, name: &str| {
        constant_length(expr, &time_type, &format!("the {name} of {function}"), at(expr)).map_err(external)
    };
    let names = call.kind.lengths().iter();
    let lengths = call.lengths.iter().zip(names).map(|(expr, name)| length(expr, name)).collect::<Result<Vec<i64>>>()?;
    let offset = call.offset.as_ref().map_or(Ok(0), |expr| length(expr, "offset"))?;
    let shape = call.kind.shape(&lengths, offset, call.max_sessions).map_err(|error| external(error.or_at(call.position)))?;
    let mut partition = Vec::with_capacity(call.partition.len());
    for key in &call.partition {
        let key_position = at(key);
        match context.sql_to_expr(key.clone(), input.schema())? {
            column @ PlanExpr::Column(_) => partition.push(column),
            other => {
                let error = SqlError::unsupported(key_position, format!("{other} in PARTITION BY of {function}"));
                return Err(external(error.with_hint("name columns; compute them in a query below the window")));
            }
        }
    }
    debug_assert!(partition.is_empty() || matches!(shape, WindowShape::Session { .. }));
    Ok(WindowNode::try_new(input, shape, time, partition, BOUNDS)?.into_plan())
}
