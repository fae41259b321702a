//! Conditions on the keys of a join hold on both sides of it.
//!
//! In `a.k = 5 AND a.k IN (SELECT k FROM b)` rows of `b` with another key match nothing, so the join need not keep them, nor what computes them. The
//! optimiser moves such a condition to the other side of an inner join if it stands above the join, and to no other. Here what is known of the rows of
//! one side is told to the other:
//! - both ways in an inner join and in a semi-join;
//! - from the preserved side of an outer join, and from the left of an anti-join, to the other side: all rows that are shown have the key, so those without it
//!   match none of them.
//!
//! Conditions that may fail stay where they are: rows that match nothing must not fail. A pair of keys of two types stays, too.

use std::sync::Arc;

use datafusion_common::tree_node::{Transformed, TreeNode};
use datafusion_common::{Column, DFSchema, ExprSchema, Result};
use datafusion_expr::utils::{conjunction, split_conjunction};
use datafusion_expr::{Distinct, Expr, Filter, Join, JoinType, LogicalPlan};

use crate::lower::{lower_expression, reads_clock};

/// Adds the conditions to all joins of the plan, from the top: what a side is told holds for the joins in it. Conditions must be where they belong and equalities be keys.
pub(super) fn spread(plan: LogicalPlan) -> Result<LogicalPlan> {
    Ok(plan
        .transform_down(|plan| match plan {
            LogicalPlan::Join(join) if !join.on.is_empty() && !join.null_aware => spread_in(join),
            plan => Ok(Transformed::no(plan)),
        })?
        .data)
}

/// Whether the plan has a join.
pub(super) fn has_join(plan: &LogicalPlan) -> Result<bool> {
    plan.exists(|plan| Ok(matches!(plan, LogicalPlan::Join(_))))
}

fn spread_in(mut join: Join) -> Result<Transformed<LogicalPlan>> {
    use JoinType::{Inner, Left, LeftAnti, LeftSemi, Right};
    let keys: Vec<(Column, Column)> = join.on.iter().filter_map(|(left, right)| pair(&join, left, right)).collect();
    let back: Vec<(Column, Column)> = keys.iter().map(|(left, right)| (right.clone(), left.clone())).collect();
    let to_right = match join.join_type {
        Inner | LeftSemi | LeftAnti | Left => told(&join.left, &join.right, &keys)?,
        _ => Vec::new(),
    };
    let to_left = match join.join_type {
        Inner | LeftSemi | Right => told(&join.right, &join.left, &back)?,
        _ => Vec::new(),
    };
    if to_left.is_empty() && to_right.is_empty() {
        return Ok(Transformed::no(LogicalPlan::Join(join)));
    }
    join.left = filtered(join.left, to_left)?;
    join.right = filtered(join.right, to_right)?;
    Ok(Transformed::yes(LogicalPlan::Join(join)))
}

/// A pair of columns of one type.
fn pair(join: &Join, left: &Expr, right: &Expr) -> Option<(Column, Column)> {
    let (Expr::Column(left), Expr::Column(right)) = (left, right) else { return None };
    let data_type = |plan: &LogicalPlan, column: &Column| Some(plan.schema().field_from_column(column).ok()?.data_type().clone());
    (data_type(&join.left, left)? == data_type(&join.right, right)?).then(|| (left.clone(), right.clone()))
}

/// What `from` knows of its keys and `to` does not, said of those of `to`.
fn told(from: &LogicalPlan, to: &LogicalPlan, keys: &[(Column, Column)]) -> Result<Vec<Expr>> {
    let mut told = Vec::new();
    let known = known(to);
    for condition in self::known(from) {
        let columns = condition.column_refs();
        let is_of_keys = !columns.is_empty() && columns.iter().all(|column| keys.iter().any(|(key, _)| key == *column));
        if !is_of_keys || matches!(condition, Expr::IsNotNull(_)) {
            continue;
        }
        let condition =
            replaced(condition, &|column| keys.iter().find(|(key, _)| key == column).map(|(_, other)| other.clone()))?;
        if !known.contains(&condition) && !told.contains(&condition) && is_total(&condition, to.schema()) {
            told.push(condition);
        }
    }
    Ok(told)
}

/// Whether a condition has a value for every row, at any time.
fn is_total(condition: &Expr, schema: &DFSchema) -> bool {
    lowered(condition, schema).is_some_and(|lowered| !lowered.can_fail() && !reads_clock(&lowered))
}

/// Whether a condition may fail for a row.
pub(super) fn can_fail(condition: &Expr, schema: &DFSchema) -> bool {
    lowered(condition, schema).is_none_or(|lowered| lowered.can_fail())
}

fn lowered(condition: &Expr, schema: &DFSchema) -> Option<deltic_circuit::Expr> {
    lower_expression(condition, schema).ok()
}

fn replaced(expr: Expr, by: &impl Fn(&Column) -> Option<Column>) -> Result<Expr> {
    let replaced = expr.transform_up(|expr| match &expr {
        Expr::Column(column) => {
            Ok(by(column).map_or_else(|| Transformed::no(expr), |other| Transformed::yes(Expr::Column(other))))
        }
        _ => Ok(Transformed::no(expr)),
    });
    Ok(replaced?.data)
}

fn filtered(plan: Arc<LogicalPlan>, conditions: Vec<Expr>) -> Result<Arc<LogicalPlan>> {
    let Some(condition) = conjunction(conditions) else { return Ok(plan) };
    Ok(Arc::new(LogicalPlan::Filter(Filter::try_new(condition, plan)?)))
}

/// Conditions that are true of all rows of `plan`, over its columns.
fn known(plan: &LogicalPlan) -> Vec<Expr> {
    match plan {
        LogicalPlan::Filter(filter) => {
            let own = split_conjunction(&filter.predicate).into_iter().cloned();
            own.chain(known(&filter.input)).collect()
        }
        LogicalPlan::TableScan(scan) => scan.filters.clone(),
        LogicalPlan::Distinct(Distinct::All(input)) => known(input),
        LogicalPlan::Sort(sort) => known(&sort.input),
        LogicalPlan::Limit(limit) => known(&limit.input),
        LogicalPlan::SubqueryAlias(alias) => {
            let columns = alias.input.schema().columns().into_iter().zip(alias.schema.columns()).collect::<Vec<_>>();
            renamed(known(&alias.input), &columns)
        }
        LogicalPlan::Projection(projection) => {
            let outputs = projection.expr.iter().zip(projection.schema.columns());
            renamed(
                known(&projection.input),
                &outputs.filter_map(|(expr, column)| shown(expr).map(|below| (below, column))).collect::<Vec<_>>(),
            )
        }
        LogicalPlan::Aggregate(aggregate) => {
            let groups = aggregate.group_expr.iter().zip(aggregate.schema.columns());
            renamed(
                known(&aggregate.input),
                &groups.filter_map(|(expr, column)| shown(expr).map(|below| (below, column))).collect::<Vec<_>>(),
            )
        }
        LogicalPlan::Join(join) => match join.join_type {
            JoinType::Inner => known(&join.left).into_iter().chain(known(&join.right)).collect(),
            JoinType::Left | JoinType::LeftSemi | JoinType::LeftAnti => known(&join.left),
            JoinType::Right => known(&join.right),
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

/// The column that an output shows as it is.
fn shown(expr: &Expr) -> Option<Column> {
    match expr {
        Expr::Column(column) => Some(column.clone()),
        Expr::Alias(alias) => shown(&alias.expr),
        _ => None,
    }
}

/// Those of the conditions whose columns all have a new name.
fn renamed(conditions: Vec<Expr>, columns: &[(Column, Column)]) -> Vec<Expr> {
    let new = |column: &Column| columns.iter().find(|(old, _)| old == column).map(|(_, new)| new.clone());
    let has_names = |condition: &Expr| condition.column_refs().into_iter().all(|column| new(column).is_some());
    conditions.into_iter().filter(has_names).filter_map(|condition| replaced(condition, &new).ok()).collect()
}
