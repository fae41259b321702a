//! The queries around a recursion, and what their rows are: definitions may refer to them.
//!
//! Recursions are planned before the queries that they are in. So the FROM of each of those, as far as a recursion in it can see it, is planned here once more, for
//! the names and types of its columns only.

use std::ops::ControlFlow;

use datafusion_common::DFSchemaRef;
use datafusion_expr::LogicalPlan;
use sqlparser::ast::{self, Visit};
use sqlparser::tokenizer::Span;

use super::group::{Group, Scope};
use crate::SqlError;
use crate::plan::constant::select;
use crate::plan::{Casts, bind_in};
use crate::statement::Query;

/// A query around another one.
#[derive(Clone)]
pub(super) struct Enclosing {
    pub(super) body: Box<ast::SetExpr>,
    /// How many common table expressions it can read.
    pub(super) scope: usize,
}

/// The columns of the rows of the queries around `group`, the outermost first. A query has none that reads no relation.
pub(super) fn outer_rows(scope: &Scope<'_>, enclosing: &[Enclosing], group: &Group) -> Result<Vec<DFSchemaRef>, SqlError> {
    let Some(place) = group.members.first().map(|member| member.alias.name.span) else { return Ok(Vec::new()) };
    let mut outers: Vec<DFSchemaRef> = Vec::new();
    for query in enclosing {
        let Some(from) = from_around(&query.body, place).filter(|from| !from.is_empty()) else { continue };
        let one = ast::SelectItem::UnnamedExpr(ast::Expr::value(ast::Value::Number("1".to_owned(), false)));
        let mut rows = select(vec![one], None);
        if let ast::SetExpr::Select(select) = rows.body.as_mut() {
            select.from = from;
        }
        rows.with = with(scope.visible[..query.scope.min(scope.visible.len())].to_vec());
        let query = Query { ast: Box::new(rows), position: scope.position };
        let plan = bind_in(scope.context, &query, None, &outers, Casts::AsWritten)?.plan;
        if let LogicalPlan::Projection(projection) = plan {
            outers.push(projection.input.schema().clone());
        }
    }
    Ok(outers)
}

fn with(cte_tables: Vec<ast::Cte>) -> Option<ast::With> {
    let with_token = ast::helpers::attached_token::AttachedToken::empty();
    (!cte_tables.is_empty()).then_some(ast::With { with_token, recursive: false, cte_tables })
}

/// The relations whose rows what is at `place` stands beside, of the SELECT that it is in: those before it, if it is one of them.
fn from_around(body: &ast::SetExpr, place: Span) -> Option<Vec<ast::TableWithJoins>> {
    match body {
        ast::SetExpr::Select(select) if holds(select.as_ref(), place) => {
            let mut before = Vec::new();
            for item in &select.from {
                if !holds(item, place) {
                    before.push(item.clone());
                    continue;
                }
                before.extend(before_join(item, place));
                break;
            }
            Some(before)
        }
        ast::SetExpr::SetOperation { left, right, .. } => from_around(left, place).or_else(|| from_around(right, place)),
        _ => None,
    }
}

/// The relations of a chain of joins before the one that is at `place`; both sides of a join in the condition of which it is.
fn before_join(item: &ast::TableWithJoins, place: Span) -> Option<ast::TableWithJoins> {
    if holds(&item.relation, place) {
        return None;
    }
    let mut before = ast::TableWithJoins { relation: item.relation.clone(), joins: Vec::new() };
    for join in &item.joins {
        if holds(&join.relation, place) {
            break;
        }
        if holds(join, place) {
            let join_operator = ast::JoinOperator::CrossJoin(ast::JoinConstraint::None);
            before.joins.push(ast::Join { join_operator, ..join.clone() });
            break;
        }
        before.joins.push(join.clone());
    }
    Some(before)
}

/// Whether the WITH of a query in `tree` has an expression whose name is at `place`.
fn holds(tree: &impl Visit, place: Span) -> bool {
    let is_there = |cte: &ast::Cte| cte.alias.name.span == place;
    any_query(tree, &|query| query.with.as_ref().is_some_and(|with| with.cte_tables.iter().any(is_there)))
}

/// Whether `is` holds for a query in `tree`.
pub(super) fn any_query(tree: &impl Visit, is: &dyn Fn(&ast::Query) -> bool) -> bool {
    struct Search<'a>(&'a dyn Fn(&ast::Query) -> bool);

    impl ast::Visitor for Search<'_> {
        type Break = ();

        fn pre_visit_query(&mut self, query: &ast::Query) -> ControlFlow<()> {
            if (self.0)(query) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        }
    }

    tree.visit(&mut Search(is)).is_break()
}
