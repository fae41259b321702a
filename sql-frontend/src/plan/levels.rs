//! To which of nested queries something belongs: two things that DataFusion decides otherwise than SQL does.
//!
//! - A name that two relations of a query have is ambiguous there. DataFusion goes on to the queries around it, and takes a column of this name that it finds there; so it does
//!   below LATERAL with a name that both the relation beside it and an enclosing query have. Such a query is refused. In the plan it looks like one that names the outer column
//!   with its relation: which it is shows if that is left out of the text and the reference is still there.
//! - An aggregate of nothing but columns of an enclosing query is an aggregate of that query. DataFusion computes it over the rows of the inner one. It is refused.

use std::ops::ControlFlow;

use datafusion_common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion_common::{Column, DFSchemaRef, DataFusionError, Result, SchemaError};
use datafusion_expr::{Expr, LogicalPlan};
use sqlparser::ast::{self, VisitMut};

use super::unnest::{is_nested, subquery_plan};
use super::window::external;
use crate::SqlError;
use crate::error::Code;
use crate::parser::fold;

/// Refuses aggregates of outer columns in `plan`, and names that are ambiguous where they stand. `bind` plans another text.
///
/// # Errors
/// If there is one.
pub(super) fn check(plan: &LogicalPlan, text: &ast::Query, bind: impl Fn(&ast::Query) -> Option<LogicalPlan>) -> Result<()> {
    if !is_nested(plan) {
        return Ok(());
    }
    let mut walk = Walk::default();
    walk.plan(plan, None);
    if let Some(aggregate) = walk.aggregate {
        let message = format!("{aggregate}, an aggregate of columns of an enclosing query alone, is not supported");
        let error = SqlError::nowhere(Code::Unsupported, message);
        return Err(external(error.with_hint("it is an aggregate of that query: compute it in a derived table there")));
    }
    for column in walk.doubtful {
        let is_left = |plan: &LogicalPlan| {
            let mut left = false;
            each_reference(plan, &mut |found| left |= *found == column);
            left
        };
        if bind(&without(text, &column)).is_some_and(|plan| is_left(&plan)) {
            let field = Box::new(Column::new_unqualified(column.name));
            return Err(DataFusionError::SchemaError(Box::new(SchemaError::AmbiguousReference { field }), Box::new(None)));
        }
    }
    Ok(())
}

/// A walk over a plan and the subqueries in it.
#[derive(Default)]
struct Walk {
    /// The rows of the queries around what is looked at, the innermost last: below LATERAL, those of the relations beside it come first.
    around: Vec<Vec<DFSchemaRef>>,
    /// References to columns that another relation in between has as well, if more than one has.
    doubtful: Vec<Column>,
    /// The text of an aggregate of outer columns.
    aggregate: Option<String>,
}

impl Walk {
    /// `beside` are the columns of the relations that something lateral in `plan` can see.
    fn plan(&mut self, plan: &LogicalPlan, beside: Option<&DFSchemaRef>) {
        let inputs = plan.inputs();
        let own: Vec<DFSchemaRef> = inputs.iter().map(|input| input.schema().clone()).collect();
        for expr in plan.expressions() {
            self.expression(&expr, &own);
        }
        if let LogicalPlan::Aggregate(aggregate) = plan {
            for call in &aggregate.aggr_expr {
                if is_of_outer_columns(call) {
                    self.aggregate.get_or_insert_with(|| text(call));
                }
            }
        }
        match plan {
            LogicalPlan::Subquery(lateral) => {
                let before = self.around.pop();
                let seen = beside.into_iter().cloned().chain(before.iter().flatten().cloned()).collect();
                self.around.push(seen);
                self.plan(&lateral.subquery, None);
                self.around.pop();
                self.around.extend(before);
            }
            LogicalPlan::Join(join) => {
                self.plan(&join.left, beside);
                self.plan(&join.right, Some(join.left.schema()));
            }
            _ => inputs.into_iter().for_each(|input| self.plan(input, beside)),
        }
    }

    fn expression(&mut self, expr: &Expr, own: &[DFSchemaRef]) {
        each_in(expr, &mut |expr| {
            if let Expr::OuterReferenceColumn(_, column) = expr {
                self.reference(column, own);
            } else if let Some(subquery) = subquery_plan(expr) {
                self.around.push(own.to_vec());
                self.plan(subquery, None);
                self.around.pop();
            }
        });
    }

    /// A name without a relation is found where there is one column of this name. It was passed by where there are several.
    fn reference(&mut self, column: &Column, own: &[DFSchemaRef]) {
        let mut ambiguous = count(own, &column.name) > 1;
        for rows in self.around.iter().rev() {
            let is_it = rows.iter().any(|schema| schema.has_column(column));
            let count = count(rows, &column.name);
            if is_it && count == 1 && ambiguous && !self.doubtful.contains(column) {
                self.doubtful.push(column.clone());
            }
            if is_it {
                return;
            }
            ambiguous |= count > 1;
        }
    }
}

/// How many columns are called `name`.
fn count(rows: &[DFSchemaRef], name: &str) -> usize {
    rows.iter().flat_map(|schema| schema.fields().iter()).filter(|field| field.name() == name).count()
}

/// Whether an aggregate reads columns, all of which are of outer queries. One that reads a subquery is not looked into: what that refers to may be in a common table
/// expression of the aggregate's own query.
fn is_of_outer_columns(call: &Expr) -> bool {
    let (mut outer, mut others) = (false, false);
    each_in(call, &mut |expr| {
        outer |= matches!(expr, Expr::OuterReferenceColumn(..));
        others |= matches!(expr, Expr::Column(_)) || subquery_plan(expr).is_some();
    });
    outer && !others
}

/// `call` as it is written.
fn text(call: &Expr) -> String {
    let written = call.clone().unalias().transform_up(|expr| match expr {
        Expr::OuterReferenceColumn(_, column) => Ok(Transformed::yes(Expr::Column(column))),
        expr => Ok(Transformed::no(expr)),
    });
    written.map_or_else(|_| call.to_string(), |written| written.data.to_string())
}

fn each_in(expr: &Expr, visit: &mut dyn FnMut(&Expr)) {
    // Nothing in the visit fails.
    let _ = expr.apply(|expr| {
        visit(expr);
        Ok(TreeNodeRecursion::Continue)
    });
}

/// All references to outer queries in `plan` and the subqueries in it.
fn each_reference(plan: &LogicalPlan, visit: &mut dyn FnMut(&Column)) {
    let _ = plan.apply_with_subqueries(|node| {
        for expr in node.expressions() {
            each_in(&expr, &mut |expr| {
                if let Expr::OuterReferenceColumn(_, column) = expr {
                    visit(column);
                }
            });
        }
        Ok(TreeNodeRecursion::Continue)
    });
}

/// `text` with NULL in the places of `column` with its relation.
fn without(text: &ast::Query, column: &Column) -> ast::Query {
    struct Replacing<'a>(&'a Column);

    impl ast::VisitorMut for Replacing<'_> {
        type Break = std::convert::Infallible;

        fn pre_visit_expr(&mut self, expr: &mut ast::Expr) -> ControlFlow<Self::Break> {
            if let ast::Expr::CompoundIdentifier(parts) = expr
                && let [relation, name] = parts.as_slice()
                && fold(name) == self.0.name
                && self.0.relation.as_ref().is_some_and(|table| table.table() == fold(relation))
            {
                *expr = ast::Expr::value(ast::Value::Null);
            }
            ControlFlow::Continue(())
        }
    }

    let mut text = text.clone();
    let ControlFlow::Continue(()) = VisitMut::visit(&mut text, &mut Replacing(column));
    text
}
