//! Conditions that name no column are decided before the optimiser sees them.
//!
//! DataFusion pushes a condition below an aggregate if all its columns are keys of the groups. One without columns always passes, but below an aggregate
//! without keys it removes the rows that are counted, not the row of their count. So what is always true goes, what never is makes the relation empty, and a NULL
//! beside other conditions, which may fail and then count as errors, is tied to their columns.

use std::sync::Arc;

use datafusion_common::tree_node::{Transformed, TreeNode};
use datafusion_common::{DFSchemaRef, JoinType, Result, ScalarValue};
use datafusion_expr::utils::{conjunction, split_conjunction_owned};
use datafusion_expr::{Case, EmptyRelation, Expr, Filter, LogicalPlan, lit};

use crate::lower::{lower_expression, reads_clock};

/// What is left of a condition.
enum Decided {
    /// It is true of each row.
    Always,
    /// It is true of no row, and fails on none.
    Never,
    Rest(Expr),
}

/// Decides the conditions of all filters and joins.
pub(super) fn decide(plan: LogicalPlan) -> Result<LogicalPlan> {
    Ok(plan
        .transform_up(|plan| match plan {
            LogicalPlan::Filter(filter) => decide_filter(filter),
            LogicalPlan::Join(mut join) => {
                let Some(filter) = join.filter.take() else { return Ok(Transformed::no(LogicalPlan::Join(join))) };
                match decided(filter) {
                    Decided::Always => {}
                    Decided::Rest(rest) => join.filter = Some(rest),
                    Decided::Never => match join.join_type {
                        JoinType::Inner => return Ok(Transformed::yes(empty(&join.schema))),
                        JoinType::Left | JoinType::LeftSemi | JoinType::LeftAnti | JoinType::LeftMark => {
                            join.right = Arc::new(empty(join.right.schema()));
                        }
                        JoinType::Right | JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark => {
                            join.left = Arc::new(empty(join.left.schema()));
                        }
                        // Nothing is pushed below this one.
                        JoinType::Full => join.filter = Some(lit(false)),
                    },
                }
                Ok(Transformed::yes(LogicalPlan::Join(join)))
            }
            plan => Ok(Transformed::no(plan)),
        })?
        .data)
}

fn decide_filter(filter: Filter) -> Result<Transformed<LogicalPlan>> {
    let schema = filter.input.schema().clone();
    Ok(Transformed::yes(match decided(filter.predicate) {
        Decided::Always => Arc::unwrap_or_clone(filter.input),
        Decided::Never => empty(&schema),
        Decided::Rest(rest) => LogicalPlan::Filter(Filter::try_new(rest, filter.input)?),
    }))
}

fn empty(schema: &DFSchemaRef) -> LogicalPlan {
    LogicalPlan::EmptyRelation(EmptyRelation { produce_one_row: false, schema: schema.clone() })
}

fn decided(condition: Expr) -> Decided {
    let mut rest = Vec::new();
    let mut unknown = false;
    for conjunct in split_conjunction_owned(condition) {
        match constant(&conjunct) {
            Some(Some(true)) => {}
            Some(Some(false)) => return Decided::Never,
            Some(None) => unknown = true,
            None => rest.push(conjunct),
        }
    }
    match conjunction(rest) {
        None if unknown => Decided::Never,
        None => Decided::Always,
        Some(rest) if unknown => {
            let unknown = Box::new(Expr::Literal(ScalarValue::Boolean(None), None));
            let tied = Case::new(None, vec![(Box::new(rest), unknown)], Some(Box::new(lit(false))));
            Decided::Rest(Expr::Case(tied))
        }
        Some(rest) => Decided::Rest(rest),
    }
}

/// The truth value of an expression without columns; `None` if it has some, fails, or depends on the time.
fn constant(expr: &Expr) -> Option<Option<bool>> {
    if expr.any_column_refs() || expr.contains_outer() {
        return None;
    }
    let lowered = lower_expression(expr, &datafusion_common::DFSchema::empty()).ok()?;
    if reads_clock(&lowered) {
        return None;
    }
    let evaluated = lowered.evaluate(&[], 1);
    if !evaluated.errors.is_empty() {
        return None;
    }
    match ScalarValue::try_from_array(&evaluated.values, 0).ok()? {
        ScalarValue::Boolean(value) => Some(value),
        ScalarValue::Null => Some(None),
        _ => None,
    }
}
