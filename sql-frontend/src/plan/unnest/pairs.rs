//! Outer joins whose condition has a subquery that belongs to neither side alone: it refers to both, or one side is computed for the rows of the other.
//!
//! The subquery has a value for each *pair* of rows, and which rows have no match is known only when all their pairs are. So the pairs come first, as an
//! inner join, where subqueries stand in a filter; of the side whose rows are kept, only the different values that the condition refers to take
//! part in it. That relation is then the other side of the outer join: by these values, NULL being equal to NULL, each row finds its pairs, however
//! often it is there. A full join is the left join, and the rows of the right side that have no match.

use datafusion_common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion_common::{Column, DFSchema, NullEquality, Result, ScalarValue};
use datafusion_expr::logical_plan::Projection;
use datafusion_expr::{Distinct, Expr, ExprSchemable, Join, JoinType, LogicalPlan};

use super::expressions::subquery_plan;
use super::outer::{boolean, columns, conjunction, equality, plan_refers_to, position};
use super::{Unnesting, plans};

impl Unnesting {
    /// A join of another kind than INNER, by way of its pairs. No subquery is left in its sides.
    pub(super) fn by_pairs(&mut self, join: Join) -> Result<LogicalPlan> {
        match join.join_type {
            JoinType::Left | JoinType::LeftSemi | JoinType::LeftAnti => self.left_by_pairs(join),
            JoinType::Right => {
                let kept = join.schema.columns().into_iter().map(Expr::Column).collect();
                let swapped = self.left_by_pairs(of_kind(swapped(&join), JoinType::Left)?)?;
                plans::with_columns(swapped, kept)
            }
            JoinType::Full => self.full_by_pairs(join),
            other => Err(plans::unsupported(format!("a subquery that refers to both sides in the ON of a {other} join"))),
        }
    }

    fn left_by_pairs(&mut self, join: Join) -> Result<LogicalPlan> {
        let left_only = matches!(join.join_type, JoinType::LeftSemi | JoinType::LeftAnti);
        let rows = join.left.as_ref().clone();
        let referred = referred(&join)?;
        let width = referred.len();
        // Where none is referred to, one row says that there are rows.
        let one = || vec![boolean(true).alias("__some")];
        let values = if referred.is_empty() { one() } else { referred.clone() };
        let values = LogicalPlan::Projection(Projection::try_new(values, rows.clone().into())?);
        let values = LogicalPlan::Distinct(Distinct::All(values.into()));
        let pairs = of_kind(Join { left: values.into(), ..join.clone() }, JoinType::Inner)?;
        let is_lateral = plan_refers_to(&pairs.right, pairs.left.schema());
        let pairs = if is_lateral { self.lateral(pairs)? } else { self.join_condition(pairs)? };
        let right = columns(&join.right);
        let shown = if left_only { vec![boolean(true)] } else { right.clone() };
        let (pairs, named) = plans::projected(pairs, referred.iter().cloned().chain(shown).collect(), &mut self.fresh)?;
        let same = referred.into_iter().zip(&named);
        let same = same.map(|(value, named)| equality(value, named.clone(), true)).collect();
        let kept = columns(&rows);
        let joined = plans::join(rows, pairs, join.join_type, same)?;
        if left_only {
            return Ok(joined);
        }
        let shown = right.into_iter().zip(&named[width..]).map(|(column, named)| match column {
            Expr::Column(Column { relation, name, .. }) => named.clone().alias_qualified(relation, name),
            other => other,
        });
        plans::with_columns(joined, kept.into_iter().chain(shown).collect())
    }

    fn full_by_pairs(&mut self, join: Join) -> Result<LogicalPlan> {
        let kept: Vec<Column> = join.schema.columns();
        let unmatched = self.left_by_pairs(of_kind(swapped(&join), JoinType::LeftAnti)?)?;
        let left = columns(&join.left);
        let nulls = left.iter().map(|column| null_like(column, join.left.schema())).collect::<Result<Vec<_>>>()?;
        let (unmatched, _) =
            plans::projected(unmatched, nulls.into_iter().chain(columns(&join.right)).collect(), &mut self.fresh)?;
        let joined = self.left_by_pairs(of_kind(join, JoinType::Left)?)?;
        let (joined, _) = plans::projected(joined, kept.iter().cloned().map(Expr::Column).collect(), &mut self.fresh)?;
        let (union, named) = plans::union(vec![joined, unmatched])?;
        let shown = kept.into_iter().zip(named).map(|(column, named)| named.alias_qualified(column.relation, column.name));
        plans::with_columns(union, shown.collect())
    }
}

/// The columns of the left side that the condition reads, in whatever depth of subqueries, or that the right side is computed for.
fn referred(join: &Join) -> Result<Vec<Expr>> {
    let schema = join.left.schema();
    let mut found = vec![false; schema.fields().len()];
    let mut see = |place: usize| found[place] = true;
    for condition in plans::conditions(join) {
        places(&condition, schema, &mut see)?;
    }
    in_plan(&join.right, &mut |expr| outer_place(expr, schema).into_iter().for_each(&mut see))?;
    let columns = schema.columns().into_iter().zip(found);
    Ok(columns.filter(|(_, found)| *found).map(|(column, _)| Expr::Column(column)).collect())
}

/// Whether `expr` reads a column of `schema`, in whatever depth of subqueries.
pub(super) fn reads(expr: &Expr, schema: &DFSchema) -> Result<bool> {
    let mut found = false;
    places(expr, schema, &mut |_| found = true)?;
    Ok(found)
}

/// The places of the columns of `schema` that `expr` reads.
fn places(expr: &Expr, schema: &DFSchema, see: &mut dyn FnMut(usize)) -> Result<()> {
    in_depth(expr, true, &mut |part, own| {
        let place = match part {
            Expr::Column(column) if own => position(schema, column),
            part => outer_place(part, schema),
        };
        place.into_iter().for_each(&mut *see);
    })
}

fn outer_place(expr: &Expr, schema: &DFSchema) -> Option<usize> {
    match expr {
        Expr::OuterReferenceColumn(_, column) => position(schema, column),
        _ => None,
    }
}

/// Shows `expr`, its parts and the expressions of the subqueries in it, and whether they are over the rows that it is over.
fn in_depth(expr: &Expr, own: bool, see: &mut dyn FnMut(&Expr, bool)) -> Result<()> {
    expr.apply(|part| {
        see(part, own);
        if let Some(plan) = subquery_plan(part) {
            in_plan(plan, &mut |expr| see(expr, false))?;
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(())
}

/// Shows the expressions of `plan` with all their parts and subqueries.
fn in_plan(plan: &LogicalPlan, see: &mut dyn FnMut(&Expr)) -> Result<()> {
    plan.apply(|node| {
        node.apply_expressions(|expr| {
            in_depth(expr, false, &mut |part, _| see(part))?;
            Ok(TreeNodeRecursion::Continue)
        })
    })?;
    Ok(())
}

fn swapped(join: &Join) -> Join {
    let on = join.on.iter().map(|(left, right)| (right.clone(), left.clone())).collect();
    Join { left: join.right.clone(), right: join.left.clone(), on, ..join.clone() }
}

/// The join as one of another kind, with the columns that this has.
fn of_kind(join: Join, join_type: JoinType) -> Result<Join> {
    let filter = conjunction(plans::conditions(&join));
    let nulls = NullEquality::NullEqualsNothing;
    Join::try_new(join.left, join.right, vec![], filter, join_type, join.join_constraint, nulls, false)
}

fn null_like(column: &Expr, schema: &DFSchema) -> Result<Expr> {
    Ok(Expr::Literal(ScalarValue::try_from(&column.get_type(schema)?)?, None))
}
