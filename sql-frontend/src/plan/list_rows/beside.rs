//! Names beside an `unnest` in the SELECT list.
//!
//! DataFusion computes the other items below the expansion, where the columns that they read are, too: `SELECT unnest(l), a + 1 AS a, a AS b` has two `a`
//! there. So the items of such a SELECT get names of their own in a derived table, and theirs around it.

use std::collections::HashSet;
use std::convert::Infallible;
use std::ops::ControlFlow;

use sqlparser::ast::*;

use super::UNNEST;
use crate::parser::{bare_select, empty_select, fold};
use crate::plan::naming::postgres_name;

/// The derived table.
const BESIDE: &str = "__beside_unnest";

/// Makes derived tables of the SELECTs in `query` in which an alias beside an `unnest` is also the name of a column that is read.
pub(in crate::plan) fn set_apart(query: &mut Query) {
    struct Deriving;

    impl VisitorMut for Deriving {
        type Break = Infallible;

        fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Infallible> {
            if is_ambiguous(select) {
                derive(select);
            }
            ControlFlow::Continue(())
        }
    }

    let ControlFlow::Continue(()) = VisitMut::visit(query, &mut Deriving);
}

fn is_ambiguous(select: &Select) -> bool {
    let (mut aliases, mut columns, mut expands) = (HashSet::new(), HashSet::new(), false);
    for item in &select.projection {
        let expr = match item {
            SelectItem::UnnamedExpr(expr) => expr,
            SelectItem::ExprWithAlias { expr, alias } => {
                aliases.insert(fold(alias));
                expr
            }
            _ => return false,
        };
        let ControlFlow::Continue(()) = visit_expressions(expr, |expr| {
            match expr {
                Expr::Identifier(ident) => {
                    columns.insert(fold(ident));
                }
                Expr::CompoundIdentifier(parts) => columns.extend(parts.last().map(fold)),
                Expr::Function(function) => expands |= function.name.to_string().eq_ignore_ascii_case(UNNEST),
                _ => {}
            }
            ControlFlow::<Infallible>::Continue(())
        });
    }
    expands && !matches!(select.distinct, Some(Distinct::On(_))) && !aliases.is_disjoint(&columns)
}

fn derive(select: &mut Select) {
    let mut shown = Vec::with_capacity(select.projection.len());
    for (place, item) in select.projection.iter_mut().enumerate() {
        let (expr, name) = match item {
            SelectItem::UnnamedExpr(expr) => (expr, None),
            SelectItem::ExprWithAlias { expr, alias } => (expr, Some(alias.clone())),
            _ => continue,
        };
        let named = || postgres_name(expr).map(|name| Ident::with_quote('"', name));
        let alias = name.or_else(named).unwrap_or_else(|| Ident::new(format!("column{}", place + 1)));
        let inner = Ident::new(format!("{BESIDE}_{place}"));
        shown.push(SelectItem::ExprWithAlias { expr: Expr::Identifier(inner.clone()), alias });
        let expr = std::mem::replace(expr, Expr::value(Value::Null));
        *item = SelectItem::ExprWithAlias { expr, alias: inner };
    }
    let distinct = select.distinct.take();
    let inner = std::mem::replace(select, Select { projection: shown, distinct, ..bare_select() });
    let mut query = empty_select();
    *query.body = SetExpr::Select(Box::new(inner));
    let alias = TableAlias { explicit: true, name: Ident::new(BESIDE), columns: vec![], at: None };
    let relation = TableFactor::Derived { lateral: false, subquery: Box::new(query), alias: Some(alias), sample: None };
    select.from = vec![TableWithJoins { relation, joins: vec![] }];
}
