//! Unnesting: a plan without subqueries in expressions, without `LATERAL` and without references to outer queries.
//!
//! Every subquery becomes a join of the rows that it stands beside with a relation that does not depend on them. Inner subqueries go first, so what is
//! left to do is always one query and one subquery in it, in two steps:
//!
//! 1. The subquery becomes a relation with keys. [`lift`] moves equalities with outer columns up to be the keys: the usual case, in which the outer rows
//!    take no part. Where that does not do, [`domain`] computes the subquery for all values that the outer rows have, as Neumann and
//!    Kemper showed in general ("Unnesting Arbitrary Queries", BTW 2015), and these are the keys.
//! 2. The relation is joined, as what is asked for: a value ([`scalar`]), a truth value of three ([`quantified`]), the rows that have a match or none
//!    (semi and anti joins, for the conditions of WHERE), or its rows ([`lateral`]). What an outer join asks of both its sides is joined with pairs
//!    of rows ([`pairs`]).
//!
//! DataFusion's own rules for this are not used: they leave some subqueries as they are, take NULL for false in others, and join a scalar subquery without a
//! look at the number of its rows. The types of the plan are resolved before, its rules of optimisation run after: pushing down filters, making inner
//! joins of outer ones and dropping columns is left to them.

mod domain;
mod expressions;
mod lateral;
mod lift;
mod max_one_row;
mod outer;
mod pairs;
mod plans;
mod quantified;
mod recursion;
mod rows;
mod scalar;

pub(super) use expressions::subquery_plan;
pub(crate) use max_one_row::MaxOneRowNode;
pub(crate) use outer::references;

use datafusion_common::tree_node::{Transformed, TreeNode};
use datafusion_common::{DFSchema, Result, ScalarValue};
use datafusion_expr::expr::Case;
use datafusion_expr::logical_plan::Subquery;
use datafusion_expr::{Aggregate, Expr, LogicalPlan};

use crate::lower::{fold, lower_expression, plan_name, value_of_no_rows};
use domain::over_domain;
use lift::{Asked, Lifted, Lifting};
use outer::{any_in_plan, has_subquery, is_subquery};
use rows::Rows;

/// Removes all subqueries from `plan`, whose types are resolved.
///
/// # Errors
/// If a subquery stands or refers where none can, named.
pub(super) fn unnest(plan: LogicalPlan) -> Result<LogicalPlan> {
    if !is_nested(&plan) {
        return Ok(plan);
    }
    let plan = unnest_inner(plan)?;
    check_left_over(&plan)?;
    Ok(plan)
}

/// The same for a part of a query that may refer to the queries around it.
pub(super) fn unnest_inner(plan: LogicalPlan) -> Result<LogicalPlan> {
    if is_nested(&plan) { Unnesting { fresh: Fresh::default() }.plan(plan) } else { Ok(plan) }
}

/// Whether there is a subquery in `plan`, in an expression or below LATERAL.
pub(super) fn is_nested(plan: &LogicalPlan) -> bool {
    let has_lateral = plan.exists(|node| Ok(matches!(node, LogicalPlan::Subquery(_)))).unwrap_or(true);
    has_lateral || any_in_plan(plan, &mut has_subquery)
}

/// Nothing of what this module removes may get further: there it would be taken for something else, or fail late.
fn check_left_over(plan: &LogicalPlan) -> Result<()> {
    let mut left_over = None;
    any_in_plan(plan, &mut |expr| {
        outer::any(expr, |expr| {
            left_over = match expr {
                Expr::OuterReferenceColumn(_, column) => Some(format!(
                    "a reference of a subquery to {column}, which is not a column of the rows that it stands beside (it may have to be in GROUP BY),"
                )),
                expr if is_subquery(expr) => Some("a subquery here".to_string()),
                _ => None,
            };
            left_over.is_some()
        })
    });
    left_over.map_or(Ok(()), |what| Err(plans::unsupported(what)))
}

/// Names of columns that no relation has.
#[derive(Debug, Default)]
struct Fresh {
    next: usize,
}

impl Fresh {
    fn name(&mut self) -> String {
        self.next += 1;
        format!("__sub_{}", self.next)
    }
}

/// The state of one run over a plan.
struct Unnesting {
    fresh: Fresh,
}

impl Unnesting {
    /// `plan` without subqueries. References to queries around it stay.
    fn plan(&mut self, plan: LogicalPlan) -> Result<LogicalPlan> {
        if let LogicalPlan::Subquery(Subquery { subquery, .. }) = plan {
            return self.plan(subquery.as_ref().clone());
        }
        let is_lateral = matches!(&plan, LogicalPlan::Join(join) if lateral::is_lateral(join));
        let plan = plan.map_children(|child| self.plan(child).map(Transformed::yes))?.data;
        match plan {
            LogicalPlan::Join(join) if is_lateral => self.lateral(join),
            LogicalPlan::Sort(sort) => self.sort(sort),
            plan if !plan.expressions().iter().any(has_subquery) => Ok(plan),
            LogicalPlan::Filter(filter) => self.filter(filter),
            LogicalPlan::Join(join) => self.join_condition(join),
            LogicalPlan::Projection(_) | LogicalPlan::Aggregate(_) | LogicalPlan::Window(_) => self.expressions(plan),
            other => Err(plans::unsupported(format!("a subquery in {}", plan_name(&other)))),
        }
    }

    /// `subquery`, in which no subquery is left, as a relation with keys and nothing else that ties it to `rows`.
    fn keyed(&mut self, rows: &Rows, subquery: &LogicalPlan, asked: Asked) -> Result<Lifted> {
        match self.lifted(rows, subquery, asked)? {
            Some(lifted) if lifted.residual.is_empty() => Ok(lifted),
            _ => self.over_domain(rows, subquery),
        }
    }

    /// As [`Unnesting::keyed`], with the columns of the subquery as columns of the relation, and all rows in it.
    fn keyed_columns(&mut self, rows: &Rows, subquery: &LogicalPlan, asked: Asked) -> Result<Lifted> {
        let lifted = self.keyed(rows, subquery, asked)?;
        let refers = |expr: &Expr| outer::refers_to(expr, rows.schema());
        if lifted.default.is_none() && !lifted.outputs.iter().any(refers) {
            return Ok(lifted);
        }
        self.over_domain(rows, subquery)
    }

    /// `subquery` for all values that `rows` have.
    fn over_domain(&mut self, rows: &Rows, subquery: &LogicalPlan) -> Result<Lifted> {
        over_domain(&rows.base, subquery, &mut self.fresh)?.renamed(&mut self.fresh)
    }

    /// `subquery` with its conditions lifted, if they can be.
    fn lifted(&mut self, rows: &Rows, subquery: &LogicalPlan, asked: Asked) -> Result<Option<Lifted>> {
        let lifted = Lifting { outer: rows.schema(), fresh: &mut self.fresh }.lift(subquery, asked)?;
        lifted.map(|lifted| lifted.renamed(&mut self.fresh)).transpose()
    }
}

/// The row of an aggregation without groups over no rows.
fn empty_row(aggregate: &Aggregate) -> Result<Vec<Expr>> {
    let fields = aggregate.schema.fields();
    // Grouping sets have a column for their number as well.
    let fields = fields.iter().skip(fields.len() - aggregate.aggr_expr.len());
    let values = aggregate.aggr_expr.iter().zip(fields).map(|(expr, field)| {
        let Expr::AggregateFunction(call) = expr.clone().unalias_nested().data else {
            return datafusion_common::internal_err!("{expr} is no aggregate");
        };
        Ok(Expr::Literal(value_of_no_rows(&call, field.data_type(), aggregate.input.schema())?, None))
    });
    values.collect()
}

/// `default` where `found` is NULL, else `value`; a column is NULL there, as it comes from the same side of an outer join.
fn default_or(found: &Expr, default: Expr, value: Expr) -> Expr {
    if matches!(&default, Expr::Literal(literal, _) if literal.is_null()) && matches!(value, Expr::Column(_)) {
        return value;
    }
    where_found(found, default, value)
}

/// `default` where `found` is NULL, else `value`, of whichever side.
fn where_found(found: &Expr, default: Expr, value: Expr) -> Expr {
    let when = (Box::new(found.clone().is_null()), Box::new(default));
    Expr::Case(Case { expr: None, when_then_expr: vec![when], else_expr: Some(Box::new(value)) })
}

/// The value of a condition that is constant and does not fail; `Some(None)` is NULL.
fn folded(condition: &Expr) -> Option<Option<bool>> {
    let folded = fold(lower_expression(condition, &DFSchema::empty()).ok()?);
    match folded.as_literal()? {
        ScalarValue::Boolean(value) => Some(*value),
        value if value.is_null() => Some(None),
        _ => None,
    }
}
