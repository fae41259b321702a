//! References to an outer query, and other things that are asked of expressions and plans.
//!
//! DataFusion binds a column of an outer query to the innermost one that has it, but keeps only its name. So a reference belongs to the first
//! query around it whose rows have a column of exactly this name and relation: the same search again.

use datafusion_common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion_common::{Column, DFSchema, Result, ScalarValue};
use datafusion_expr::{Expr, ExprSchemable, LogicalPlan, Operator};

use super::recursion::recursion_of;

/// Where in `schema` the column of an outer reference is, if it is there.
pub(super) fn position(schema: &DFSchema, column: &Column) -> Option<usize> {
    schema.iter().position(|(relation, field)| relation == column.relation.as_ref() && field.name() == &column.name)
}

/// Whether `expr` refers to a column of `outer`.
pub(super) fn refers_to(expr: &Expr, outer: &DFSchema) -> bool {
    any(expr, |expr| matches!(expr, Expr::OuterReferenceColumn(_, column) if position(outer, column).is_some()))
}

/// Whether an expression in `plan` refers to a column of `outer`.
pub(super) fn plan_refers_to(plan: &LogicalPlan, outer: &DFSchema) -> bool {
    any_in_plan(plan, &mut |expr| refers_to(expr, outer))
}

/// The columns of `outer` that `plan` refers to, each once.
pub(super) fn outer_columns(plan: &LogicalPlan, outer: &DFSchema) -> Vec<Expr> {
    let mut found: Vec<Expr> = Vec::new();
    any_in_plan(plan, &mut |expr| {
        any(expr, |expr| {
            if let Expr::OuterReferenceColumn(_, column) = expr
                && position(outer, column).is_some()
                && !found.contains(expr)
            {
                found.push(expr.clone());
            }
            false
        })
    });
    found
}

/// Whether `expr` holds a subquery.
pub(super) fn has_subquery(expr: &Expr) -> bool {
    any(expr, is_subquery)
}

pub(super) fn is_subquery(expr: &Expr) -> bool {
    matches!(expr, Expr::Exists(_) | Expr::InSubquery(_) | Expr::SetComparison(_) | Expr::ScalarSubquery(_))
}

/// Whether `is` holds for `expr` or a part of it. Plans of subqueries are no parts.
pub(super) fn any(expr: &Expr, mut is: impl FnMut(&Expr) -> bool) -> bool {
    let mut found = false;
    let walked = expr.apply(|expr| {
        found = is(expr);
        Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    });
    walked.is_ok() && found
}

/// All references to queries around `plan`, each once.
pub(crate) fn references(plan: &LogicalPlan) -> Vec<Expr> {
    let mut found: Vec<Expr> = Vec::new();
    any_in_plan(plan, &mut |expr| {
        any(expr, |expr| {
            if matches!(expr, Expr::OuterReferenceColumn(..)) && !found.contains(expr) {
                found.push(expr.clone());
            }
            false
        })
    });
    found
}

/// Whether `is` holds for an expression of a node of `plan`, or for a reference of a recursion that it reads.
pub(super) fn any_in_plan(plan: &LogicalPlan, is: &mut dyn FnMut(&Expr) -> bool) -> bool {
    let mut found = false;
    let walked = plan.apply(|node| {
        node.apply_expressions(|expr| {
            found = found || is(expr);
            Ok(TreeNodeRecursion::Continue)
        })?;
        let outer = recursion_of(node).map_or(&[][..], |source| &source.recursion.outer);
        found = found || outer.iter().any(&mut *is);
        Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    });
    walked.is_ok() && found
}

/// Whether `expr` reads columns of its own query.
pub(super) fn reads_columns(expr: &Expr) -> bool {
    any(expr, |expr| matches!(expr, Expr::Column(_)))
}

/// `expr` over rows with the columns `schema`, where each column is the expression in its place of `outputs`.
pub(super) fn substituted(expr: &Expr, schema: &DFSchema, outputs: &[Expr]) -> Result<Expr> {
    let replaced = expr.clone().transform_up(|expr| match &expr {
        Expr::Column(column) => Ok(Transformed::yes(outputs[schema.index_of_column(column)?].clone())),
        _ => Ok(Transformed::no(expr)),
    })?;
    Ok(replaced.data)
}

/// `expr` with the references to columns of `outer` as the columns that they are. A reference has the type that its column had when it was bound;
/// where the column has got another one since (in a UNION), it is cast.
pub(super) fn bound(expr: Expr, outer: &DFSchema) -> Result<Expr> {
    let replaced = expr.transform_up(|expr| {
        let Expr::OuterReferenceColumn(field, column) = &expr else { return Ok(Transformed::no(expr)) };
        if position(outer, column).is_none() {
            return Ok(Transformed::no(expr));
        }
        Ok(Transformed::yes(Expr::Column(column.clone()).cast_to(field.data_type(), outer)?))
    })?;
    Ok(replaced.data)
}

/// The operands of the ANDs at the top of `expr`.
pub(super) fn conjuncts(expr: &Expr) -> Vec<Expr> {
    datafusion_expr::utils::split_conjunction(expr).into_iter().cloned().collect()
}

/// All `conjuncts`, if there are some.
pub(super) fn conjunction(conjuncts: impl IntoIterator<Item = Expr>) -> Option<Expr> {
    datafusion_expr::utils::conjunction(conjuncts)
}

/// `left = right`, or `left IS NOT DISTINCT FROM right`.
pub(super) fn equality(left: Expr, right: Expr, null_safe: bool) -> Expr {
    let op = if null_safe { Operator::IsNotDistinctFrom } else { Operator::Eq };
    datafusion_expr::binary_expr(left, op, right)
}

pub(super) fn boolean(value: bool) -> Expr {
    Expr::Literal(ScalarValue::Boolean(Some(value)), None)
}

/// The columns of `plan` as expressions.
pub(super) fn columns(plan: &LogicalPlan) -> Vec<Expr> {
    plan.schema().columns().into_iter().map(Expr::Column).collect()
}
