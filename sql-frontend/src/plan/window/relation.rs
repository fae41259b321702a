//! Window table functions in FROM.

use datafusion_common::{Column, DataFusionError, Result};
use datafusion_expr::planner::{PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning};
use datafusion_expr::{Expr as PlanExpr, ExprSchemable, LogicalPlan, LogicalPlanBuilder};
use deltic_zset::types::canonical_type;
use sqlparser::ast::{Expr, Spanned, TableFactor};

use super::super::duration::constant_length;
use super::node::window_bound;
use super::{WindowCall, WindowNode, WindowShape, check_call};
use crate::SqlError;
use crate::error::Position;

/// The names of the columns that a window table function adds.
const BOUNDS: [&str; 2] = ["window_start", "window_end"];

/// What they are called below their names, where the input has columns of these.
const HIDDEN_BOUNDS: [&str; 2] = ["__window_start", "__window_end"];

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
    windowed(input, shape, time, partition)
}

/// The rows of `input` with the bounds of their windows. Columns of the input that are called like bounds, as those of a window of windows are, make way
/// for them: `window_start` becomes `inner_window_start`, and that, if it is there too, `inner_inner_window_start`.
fn windowed(input: LogicalPlan, shape: WindowShape, time: PlanExpr, partition: Vec<PlanExpr>) -> Result<LogicalPlan> {
    let names: Vec<String> = input.schema().fields().iter().map(|field| field.name().clone()).collect();
    if !BOUNDS.iter().any(|bound| names.iter().any(|name| name == bound)) {
        return Ok(WindowNode::try_new(input, shape, time, partition, BOUNDS)?.into_plan());
    }
    let columns = input.schema().columns();
    let plan = WindowNode::try_new(input, shape, time, partition, HIDDEN_BOUNDS)?.into_plan();
    let renamed = columns.into_iter().map(|column| {
        let moved = BOUNDS.iter().find_map(|bound| moved(&column.name, bound, &names));
        match moved {
            Some(name) => PlanExpr::Column(column.clone()).alias_qualified(column.relation, name),
            None => PlanExpr::Column(column),
        }
    });
    let bounds = HIDDEN_BOUNDS.iter().zip(BOUNDS);
    let bounds = bounds.map(|(hidden, shown)| PlanExpr::Column(Column::new_unqualified(*hidden)).alias(shown));
    LogicalPlanBuilder::from(plan).project(renamed.chain(bounds).collect::<Vec<_>>())?.build()
}

/// The name of column `name` if it makes way for `bound`: if all are taken from `bound` up to it.
fn moved(name: &str, bound: &str, names: &[String]) -> Option<String> {
    let mut taken = bound.to_owned();
    loop {
        if !names.contains(&taken) {
            return None;
        }
        if name == taken {
            return Some(format!("inner_{name}"));
        }
        taken.insert_str(0, "inner_");
    }
}
