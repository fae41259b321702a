//! Names in ORDER BY.
//!
//! A name alone is that of an item of the SELECT list; in an expression it is that of a column of FROM, as everywhere else: `SELECT -a AS a FROM t ORDER BY a` is by the item,
//! `ORDER BY a + 0` by the column. DataFusion takes the item in both. An expression may name an item all the same, if there is no such column.

use datafusion_common::tree_node::{Transformed, TreeNode};
use datafusion_common::{Column, Result};
use datafusion_expr::logical_plan::Projection;
use datafusion_expr::{Expr, LogicalPlan, Sort};

/// Lets the expressions of all orders in `plan` name the columns of FROM.
pub(super) fn name_columns_of_from(plan: LogicalPlan) -> Result<LogicalPlan> {
    let named = plan.transform_up_with_subqueries(|node| match node {
        LogicalPlan::Sort(sort) => named(sort),
        node => Ok(Transformed::no(node)),
    });
    named.map(|plan| plan.data)
}

fn named(mut sort: Sort) -> Result<Transformed<LogicalPlan>> {
    let LogicalPlan::Projection(projection) = sort.input.as_ref() else { return Ok(Transformed::no(LogicalPlan::Sort(sort))) };
    let mut hidden: Vec<Expr> = Vec::new();
    let mut keys = sort.expr.clone();
    for key in keys.iter_mut().filter(|key| !matches!(key.expr, Expr::Column(_))) {
        let replaced = key.expr.clone().transform_up(|expr| {
            let Expr::Column(item) = &expr else { return Ok(Transformed::no(expr)) };
            let Some(column) = column_of_from(projection, item) else { return Ok(Transformed::no(expr)) };
            let name = format!("__from_{}", item.name);
            let shown = Expr::Column(column).alias(&name);
            if !hidden.contains(&shown) {
                hidden.push(shown);
            }
            Ok(Transformed::yes(Expr::Column(Column::new_unqualified(name))))
        })?;
        key.expr = replaced.data;
    }
    if hidden.is_empty() {
        return Ok(Transformed::no(LogicalPlan::Sort(sort)));
    }
    let kept = projection.schema.columns().into_iter().map(Expr::Column).collect();
    let all = projection.expr.iter().cloned().chain(hidden).collect();
    let input = LogicalPlan::Projection(Projection::try_new(all, projection.input.clone())?);
    sort.input = input.into();
    sort.expr = keys;
    let plan = Projection::try_new(kept, LogicalPlan::Sort(sort).into())?;
    Ok(Transformed::yes(LogicalPlan::Projection(plan)))
}

/// The column that has the name of `item`, if it is another one.
fn column_of_from(projection: &Projection, item: &Column) -> Option<Column> {
    let expr = &projection.expr[projection.schema.maybe_index_of_column(item).filter(|_| item.relation.is_none())?];
    let (relation, field) = projection.input.schema().qualified_field_with_unqualified_name(&item.name).ok()?;
    let column = Column::from((relation, field));
    let is_it = matches!(expr.clone().unalias(), Expr::Column(shown) if shown == column);
    (!is_it).then_some(column)
}
