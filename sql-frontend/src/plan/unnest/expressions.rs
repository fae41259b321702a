//! Where subqueries stand: conditions of WHERE, HAVING and ON, and expressions everywhere else.

use std::collections::HashMap;

use datafusion_common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion_common::{Column, Result};
use datafusion_expr::expr_rewriter::NamePreserver;
use datafusion_expr::logical_plan::Projection;
use datafusion_expr::{Expr, Filter, Join, JoinType, LogicalPlan, Sort};

use super::outer::{columns, conjunction, conjuncts, has_subquery, is_subquery, outer_columns, position};
use super::pairs::reads;
use super::{Rows, Unnesting, plans};

/// The subqueries that are joined already, with what stands for each over the rows.
type Joined = HashMap<Expr, Expr>;

impl Unnesting {
    /// A filter whose condition has subqueries. The conditions without one come first: what they drop needs no subquery.
    pub(super) fn filter(&mut self, filter: Filter) -> Result<LogicalPlan> {
        let kept = columns(&filter.input);
        let (nested, plain): (Vec<Expr>, Vec<Expr>) = conjuncts(&filter.predicate).into_iter().partition(has_subquery);
        let mut rows = filter.input.as_ref().clone();
        if let Some(plain) = conjunction(plain) {
            rows = LogicalPlan::Filter(Filter::try_new(plain, rows.into())?);
        }
        let mut rows = Rows::new(rows);
        let mut joined = Joined::new();
        for condition in nested {
            rows = self.condition(rows, condition, &mut joined)?;
        }
        plans::with_columns(rows.plan, kept)
    }

    /// The `rows` for which `condition` is true, maybe with further columns.
    fn condition(&mut self, rows: Rows, condition: Expr, joined: &mut Joined) -> Result<Rows> {
        match without_double_negation(condition) {
            Expr::Exists(exists) => {
                let subquery = self.subquery(&exists.subquery.subquery)?;
                self.where_exists(rows, &subquery, exists.negated)
            }
            Expr::InSubquery(membership) => {
                let subquery = self.subquery(&membership.subquery.subquery)?;
                let (rows, value) = self.replaced(rows, *membership.expr, joined)?;
                if membership.negated { self.where_not_in(rows, value, &subquery) } else { self.where_in(rows, value, &subquery) }
            }
            condition => {
                let (rows, condition) = self.replaced(rows, condition, joined)?;
                rows.filter(condition)
            }
        }
    }

    /// A node with one input whose expressions have subqueries.
    pub(super) fn expressions(&mut self, plan: LogicalPlan) -> Result<LogicalPlan> {
        let kept = columns(&plan);
        let names = NamePreserver::new(&plan);
        let [input] = plan.inputs()[..] else {
            return datafusion_common::internal_err!("{} has several inputs", plan.display());
        };
        let mut rows = Rows::new(input.clone());
        let mut joined = Joined::new();
        let mut exprs = Vec::new();
        for expr in plan.expressions() {
            let name = names.save(&expr);
            let (beside, expr) = self.replaced(rows, expr, &mut joined)?;
            rows = beside;
            exprs.push(name.restore(expr));
        }
        plans::with_columns(plan.with_new_exprs(exprs, vec![rows.plan])?, kept)
    }

    /// An order. It may be by subqueries that refer to columns which the SELECT list does not have.
    pub(super) fn sort(&mut self, sort: Sort) -> Result<LogicalPlan> {
        if !sort.expr.iter().any(|key| has_subquery(&key.expr)) {
            return Ok(LogicalPlan::Sort(sort));
        }
        let kept = columns(&sort.input);
        let plan = match sort.input.as_ref() {
            LogicalPlan::Projection(projection) => {
                let hidden = hidden_columns(&sort, projection)?;
                let all = projection.expr.iter().cloned().chain(hidden).collect();
                let input = LogicalPlan::Projection(Projection::try_new(all, projection.input.clone())?);
                LogicalPlan::Sort(Sort { input: input.into(), ..sort })
            }
            _ => LogicalPlan::Sort(sort),
        };
        plans::with_columns(self.expressions(plan)?, kept)
    }

    /// A join with subqueries in its condition. Beside an inner join the condition is a filter; else each subquery is joined with the side that it
    /// refers to, or with pairs of rows if that is both.
    pub(super) fn join_condition(&mut self, join: Join) -> Result<LogicalPlan> {
        let (nested, plain): (Vec<Expr>, Vec<Expr>) = plans::conditions(&join).into_iter().partition(has_subquery);
        if join.join_type == JoinType::Inner {
            let plain = LogicalPlan::Join(Join { on: vec![], filter: conjunction(plain), ..join });
            return match conjunction(nested) {
                Some(nested) => self.filter(Filter::try_new(nested, plain.into())?),
                None => Ok(plain),
            };
        }
        let kept: Vec<Expr> = join.schema.columns().into_iter().map(Expr::Column).collect();
        let Some(sides_of) = self.sides_of(&nested, &join)? else { return self.by_pairs(join) };
        let mut sides = [&join.left, &join.right].map(|side| Some(Rows::new(side.as_ref().clone())));
        let mut conditions = plain;
        let mut joined = [Joined::new(), Joined::new()];
        for condition in nested {
            let condition = condition.transform_down(|expr| {
                if !is_subquery(&expr) {
                    return Ok(Transformed::no(expr));
                }
                let side = sides_of.get(&expr).copied().unwrap_or_default();
                let Some(rows) = sides[side].take() else {
                    return datafusion_common::internal_err!("a subquery was left without rows");
                };
                let (rows, expr) = self.replaced(rows, expr, &mut joined[side])?;
                sides[side] = Some(rows);
                Ok(Transformed::yes(expr))
            })?;
            conditions.push(condition.data);
        }
        let [Some(left), Some(right)] = sides else {
            return datafusion_common::internal_err!("the rows beside a subquery are lost");
        };
        plans::with_columns(left.join(right.plan, join.join_type, conditions)?.plan, kept)
    }

    /// The sides of an outer join that the subqueries in its conditions belong to: 0 or 1. `None` if one refers to both.
    fn sides_of(&self, conditions: &[Expr], join: &Join) -> Result<Option<HashMap<Expr, usize>>> {
        let mut sides = HashMap::new();
        let mut to_both = false;
        for condition in conditions {
            condition.apply(|expr| {
                if !is_subquery(expr) {
                    return Ok(TreeNodeRecursion::Continue);
                }
                let side = match (reads(expr, join.left.schema())?, reads(expr, join.right.schema())?) {
                    (true, true) => {
                        to_both = true;
                        return Ok(TreeNodeRecursion::Stop);
                    }
                    (false, true) => 1,
                    _ => 0,
                };
                sides.insert(expr.clone(), side);
                Ok(TreeNodeRecursion::Jump)
            })?;
        }
        Ok((!to_both).then_some(sides))
    }

    /// `expr` over `rows` with a value in place of each subquery; the rows get columns for them.
    pub(super) fn replaced(&mut self, rows: Rows, expr: Expr, joined: &mut Joined) -> Result<(Rows, Expr)> {
        let mut rows = Some(rows);
        let replaced = expr.transform_up(|expr| {
            if !is_subquery(&expr) {
                return Ok(Transformed::no(expr));
            }
            if let Some(known) = joined.get(&expr) {
                return Ok(Transformed::yes(known.clone()));
            }
            let Some(beside) = rows.take() else {
                return datafusion_common::internal_err!("a subquery was left without rows");
            };
            let (beside, value) = self.value(beside, expr.clone())?;
            rows = Some(beside);
            joined.insert(expr, value.clone());
            Ok(Transformed::yes(value))
        })?;
        match rows {
            Some(rows) => Ok((rows, replaced.data)),
            None => datafusion_common::internal_err!("the rows beside a subquery are lost"),
        }
    }

    /// `rows` with what is needed for the value of the subquery `expr`, and that value.
    fn value(&mut self, rows: Rows, expr: Expr) -> Result<(Rows, Expr)> {
        match expr {
            Expr::Exists(exists) => {
                let subquery = self.subquery(&exists.subquery.subquery)?;
                self.exists(rows, &subquery, exists.negated)
            }
            Expr::InSubquery(membership) => {
                let subquery = self.subquery(&membership.subquery.subquery)?;
                let (rows, truth) = self.is_in(rows, *membership.expr, &subquery)?;
                Ok((rows, if membership.negated { Expr::Not(Box::new(truth)) } else { truth }))
            }
            Expr::SetComparison(comparison) => {
                let subquery = self.subquery(&comparison.subquery.subquery)?;
                self.compared(rows, *comparison.expr, comparison.op, &comparison.quantifier, &subquery)
            }
            Expr::ScalarSubquery(subquery) => {
                let subquery = self.subquery(&subquery.subquery)?;
                self.scalar(rows, &subquery)
            }
            other => Ok((rows, other)),
        }
    }

    /// The plan of a subquery, without the subqueries in it.
    fn subquery(&mut self, plan: &LogicalPlan) -> Result<LogicalPlan> {
        self.plan(plan.clone())
    }
}

/// The plan of a subquery, if `expr` is one.
pub(in crate::plan) fn subquery_plan(expr: &Expr) -> Option<&LogicalPlan> {
    match expr {
        Expr::Exists(exists) => Some(&exists.subquery.subquery),
        Expr::InSubquery(membership) => Some(&membership.subquery.subquery),
        Expr::SetComparison(comparison) => Some(&comparison.subquery.subquery),
        Expr::ScalarSubquery(subquery) => Some(&subquery.subquery),
        _ => None,
    }
}

/// `NOT` above EXISTS and IN as their own negation.
fn without_double_negation(expr: Expr) -> Expr {
    let Expr::Not(inner) = expr else { return expr };
    match without_double_negation(*inner) {
        Expr::Exists(mut exists) => {
            exists.negated = !exists.negated;
            Expr::Exists(exists)
        }
        Expr::InSubquery(mut membership) => {
            membership.negated = !membership.negated;
            Expr::InSubquery(membership)
        }
        other => Expr::Not(Box::new(other)),
    }
}

/// The columns below the SELECT list that subqueries in the order refer to, if the list does not have them.
fn hidden_columns(sort: &Sort, projection: &Projection) -> Result<Vec<Expr>> {
    let mut hidden: Vec<Expr> = Vec::new();
    for key in &sort.expr {
        key.expr.apply(|expr| {
            let plan = subquery_plan(expr);
            for outer in plan.map(|plan| outer_columns(plan, projection.input.schema())).unwrap_or_default() {
                let Expr::OuterReferenceColumn(_, Column { relation, name, .. }) = outer else { continue };
                let column = Column::new(relation, name);
                let is_shown = position(&projection.schema, &column).is_some();
                if !is_shown && !hidden.contains(&Expr::Column(column.clone())) {
                    hidden.push(Expr::Column(column));
                }
            }
            Ok(TreeNodeRecursion::Continue)
        })?;
    }
    Ok(hidden)
}
