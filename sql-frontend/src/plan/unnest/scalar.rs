//! Scalar subqueries: the value of the one row, NULL without a row, an error with more.
//!
//! A subquery that is known to have one row at most is the right side of an outer join. Any other is looked at group by group, one for each value that
//! the outer rows have, by a [`MaxOneRowNode`]: groups with more than one row are not there afterwards, and so are not the outer rows beside
//! them; each is an error row for as long as that holds.

use datafusion_common::{Result, ScalarValue};
use datafusion_expr::{Expr, ExprSchemable, JoinType, LogicalPlan};

use super::domain::Domain;
use super::lift::{Asked, Lifted, below_projections, has_always_a_row, is_one_row, join_conditions};
use super::outer::{boolean, bound, equality, refers_to};
use super::{MaxOneRowNode, Rows, Unnesting, default_or, plans, where_found};

impl Unnesting {
    /// `rows` beside the scalar `subquery`, in which no subquery is left. Returns its value over these rows.
    pub(super) fn scalar(&mut self, rows: Rows, subquery: &LogicalPlan) -> Result<(Rows, Expr)> {
        let lifted = self.keyed(&rows, subquery, Asked::Rows)?;
        if lifted.keys.is_empty() && is_one_row(below_projections(&lifted.plan)) && refers_to(&lifted.outputs[0], rows.schema()) {
            let value = bound(lifted.outputs[0].clone(), rows.schema())?;
            return Ok((rows, value));
        }
        if lifted.is_single() { self.single(rows, lifted) } else { self.checked(rows, lifted) }
    }

    fn single(&mut self, rows: Rows, lifted: Lifted) -> Result<(Rows, Expr)> {
        let Extended { plan, value, found, where_shown } = self.with_value(&rows, &lifted)?;
        let conditions = join_conditions(&lifted.keys, &[], rows.schema())?;
        let join_type = if conditions.is_empty() && has_always_a_row(&plan) { JoinType::Inner } else { JoinType::Left };
        let default = lifted.default.as_deref().map(|row| bound(row[0].clone(), rows.schema())).transpose()?;
        let joined = rows.join(plan, join_type, conditions)?;
        let default = match default {
            Some(default) => default,
            None => null_like(&value, &joined)?,
        };
        Ok((joined, where_shown(&found, default, value)))
    }

    fn checked(&mut self, rows: Rows, lifted: Lifted) -> Result<(Rows, Expr)> {
        let Extended { plan, value, found, where_shown } = self.with_value(&rows, &lifted)?;
        let outer: Vec<Expr> = lifted.keys.iter().map(|key| key.outer.clone()).collect();
        let domain = Domain::of(&rows.base, outer.clone(), &mut self.fresh)?;
        let (groups, values) = domain.instance(&mut self.fresh)?;
        let keys = lifted.keys.iter().zip(&values);
        let keys = keys.map(|(key, value)| equality(value.clone(), key.inner.clone(), key.null_safe)).collect();
        let groups = plans::join(groups, plan, JoinType::Left, keys)?;
        let groups = MaxOneRowNode::try_new(groups, values.clone())?.into_plan();
        let back = outer.into_iter().zip(values).enumerate();
        let back = back.map(|(place, (outer, value))| Ok(equality(bound(outer, rows.schema())?, value, domain.null_safe(place))));
        let back = back.collect::<Result<_>>()?;
        let joined = rows.join(groups, JoinType::Inner, back)?;
        let null = null_like(&value, &joined)?;
        Ok((joined, where_shown(&found, null, value)))
    }

    /// The rows of the subquery with what is needed for its value.
    fn with_value(&mut self, rows: &Rows, lifted: &Lifted) -> Result<Extended> {
        let output = lifted.outputs[0].clone();
        if refers_to(&output, rows.schema()) {
            let (plan, mut added) = plans::extended(lifted.plan.clone(), vec![boolean(true)], &mut self.fresh)?;
            // It is not NULL by itself where there is no match.
            return Ok(Extended { plan, value: bound(output, rows.schema())?, found: added.remove(0), where_shown: where_found });
        }
        let (plan, mut added) = plans::extended(lifted.plan.clone(), vec![output, boolean(true)], &mut self.fresh)?;
        let found = added.remove(1);
        Ok(Extended { plan, value: added.remove(0), found, where_shown: default_or })
    }
}

/// A subquery that is about to be joined.
struct Extended {
    plan: LogicalPlan,
    /// Over the joined rows.
    value: Expr,
    /// A column that is never NULL, but for rows without a match.
    found: Expr,
    /// Makes what is shown of that column, a default and the value.
    where_shown: fn(&Expr, Expr, Expr) -> Expr,
}

fn null_like(value: &Expr, rows: &Rows) -> Result<Expr> {
    Ok(Expr::Literal(ScalarValue::try_from(&value.get_type(rows.schema())?)?, None))
}
