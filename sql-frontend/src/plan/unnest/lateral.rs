//! `LATERAL`: a relation in FROM that is computed for each row to its left.
//!
//! The binder marks what is lateral and refers to something; the join that it refers to may be several levels up.

use datafusion_common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion_common::{DFSchema, Result, ScalarValue};
use datafusion_expr::{Expr, ExprSchemable, Filter, Join, JoinType, LogicalPlan};

use super::expressions::subquery_plan;
use super::lift::{Asked, Lifted, join_conditions};
use super::outer::{boolean, bound, columns, conjunction, has_subquery, refers_to, substituted};
use super::{Rows, Unnesting, default_or, plans, where_found};

/// Whether something lateral in the right side of `join` refers to the left one. The binder leaves out the mark where only a subquery in it does. No subquery may have been
/// touched yet.
pub(super) fn is_lateral(join: &Join) -> bool {
    let left = join.left.schema();
    let mut found = false;
    let walked = join.right.apply(|node| {
        if let LogicalPlan::Subquery(subquery) = node {
            found = found || any_refers_to(&subquery.subquery, left);
        }
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                found = found || subquery_plan(expr).is_some_and(|subquery| any_refers_to(subquery, left));
                Ok(TreeNodeRecursion::Continue)
            })
        })?;
        Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    });
    walked.is_ok() && found
}

/// Whether an expression in `plan`, or in a subquery of it, refers to a column of `outer`.
fn any_refers_to(plan: &LogicalPlan, outer: &DFSchema) -> bool {
    let mut found = false;
    let walked = plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            found = found || refers_to(expr, outer);
            Ok(TreeNodeRecursion::Continue)
        })
    });
    walked.is_ok() && found
}

impl Unnesting {
    /// A lateral join, in whose sides no subquery is left.
    pub(super) fn lateral(&mut self, join: Join) -> Result<LogicalPlan> {
        if !matches!(join.join_type, JoinType::Inner | JoinType::Left | JoinType::LeftSemi | JoinType::LeftAnti) {
            return Err(plans::unsupported(format!("a {} join with LATERAL", join.join_type)));
        }
        let (nested, conditions): (Vec<Expr>, Vec<Expr>) = plans::conditions(&join).into_iter().partition(has_subquery);
        if !nested.is_empty() && join.join_type != JoinType::Inner {
            return self.by_pairs(join);
        }
        let rows = Rows::new(join.left.as_ref().clone());
        let lifted = match self.lifted(&rows, &join.right, Asked::Rows)? {
            // Which rows have no match is decided by the keys and the condition together.
            Some(lifted) if lifted.default.is_none() || (conditions.is_empty() && join.join_type == JoinType::Left) => lifted,
            Some(lifted) if join.join_type == JoinType::Inner => lifted,
            _ => self.over_domain(&rows, &join.right)?,
        };
        let left_only = matches!(join.join_type, JoinType::LeftSemi | JoinType::LeftAnti);
        let kept = columns(&rows.plan);
        let (joined, outputs, later) = self.joined(rows, lifted, &join, &conditions)?;
        let joined = match conjunction(later) {
            Some(later) => joined.filter(later)?,
            None => joined,
        };
        let names = join.right.schema().columns().into_iter().zip(outputs);
        let outputs = names.map(|(name, output)| output.alias_qualified(name.relation, name.name));
        let all = kept.into_iter().chain(outputs.filter(|_| !left_only)).collect();
        let joined = plans::with_columns(joined.plan, all)?;
        match conjunction(nested) {
            Some(nested) => self.filter(Filter::try_new(nested, joined.into())?),
            None => Ok(joined),
        }
    }

    /// `rows` joined with `lifted`: the join, the columns of the right side over it, and conditions that hold after it.
    fn joined(&mut self, rows: Rows, lifted: Lifted, join: &Join, conditions: &[Expr]) -> Result<(Rows, Vec<Expr>, Vec<Expr>)> {
        let outer = rows.schema().clone();
        let both = join.left.schema().join(join.right.schema())?;
        let with_default = lifted.default.is_some();
        let join_type = if with_default { JoinType::Left } else { join.join_type };
        let padded = join_type == JoinType::Left;
        let right = self.right_side(lifted, &outer, padded)?;
        let values = |outputs: &[Expr]| -> Vec<Expr> { columns(&rows.plan).into_iter().chain(outputs.iter().cloned()).collect() };
        let over = |outputs: &[Expr]| -> Result<Vec<Expr>> {
            conditions.iter().map(|condition| substituted(condition, &both, &values(outputs))).collect()
        };
        let mut on = join_conditions(&right.lifted.keys, &right.lifted.residual, &outer)?;
        let mut later = Vec::new();
        if with_default {
            later = over(&right.after)?;
        } else {
            on.extend(over(&right.during)?);
        }
        let joined = rows.join(right.lifted.plan, join_type, on)?;
        Ok((joined, right.after, later))
    }

    /// The right side with the columns that it has for a match, and those that it has after the join.
    fn right_side(&mut self, mut lifted: Lifted, outer: &DFSchema, padded: bool) -> Result<RightSide> {
        let width = lifted.outputs.len();
        let mut added: Vec<Expr> = Vec::with_capacity(width + 1);
        for output in &lifted.outputs {
            // What refers to the left side can only be computed beside it.
            added.push(if refers_to(output, outer) { boolean(true) } else { output.clone() });
        }
        added.push(boolean(true));
        let (plan, named) = plans::extended(lifted.plan.clone(), added, &mut self.fresh)?;
        let (found, named) = (named[width].clone(), &named[..width]);
        let both = outer.join(plan.schema())?;
        let mut during = Vec::with_capacity(width);
        let mut after = Vec::with_capacity(width);
        for (place, output) in lifted.outputs.iter().enumerate() {
            let of_left = refers_to(output, outer);
            let value = if of_left { bound(output.clone(), outer)? } else { named[place].clone() };
            let default = match &lifted.default {
                Some(default) => bound(default[place].clone(), outer)?,
                None => Expr::Literal(ScalarValue::try_from(&value.get_type(&both)?)?, None),
            };
            during.push(value.clone());
            // What is of the left side is not NULL by itself where there is no match.
            let or_default = if of_left { where_found } else { default_or };
            after.push(if padded { or_default(&found, default, value) } else { value });
        }
        lifted.plan = plan;
        Ok(RightSide { lifted, during, after })
    }
}

/// The right side of a lateral join.
struct RightSide {
    lifted: Lifted,
    /// Its columns over a pair of rows.
    during: Vec<Expr>,
    /// Its columns over the join, in which rows of the left side may be without a match.
    after: Vec<Expr>,
}
