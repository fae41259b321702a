//! `ARRAY(SELECT x FROM t ORDER BY y)`: the values of a query as an array, which is empty if there are none.
//!
//! It becomes `array_or_empty((SELECT array_agg(c ORDER BY k) FROM (SELECT x, y FROM t) AS q (c, k)))`: the keys of the order are columns of the query, so
//! that the aggregate sees them.

use sqlparser::ast::*;

use super::{bare_select, empty_select, fold};
use crate::plan::call;

const RELATION: &str = "__elements";

/// What `ARRAY(query)` stands for. None if the query has an order that its columns cannot say.
pub(super) fn array_of(mut query: Box<Query>) -> Option<Expr> {
    let keys = order(&mut query)?;
    let elements = Expr::CompoundIdentifier(vec![Ident::new(RELATION), column(0)]);
    let aggregate = aggregate(elements, keys.iter().map(|(place, options)| (column(*place), *options)));
    let columns = keys.iter().map(|(place, _)| *place).chain([0]).max().unwrap_or(0);
    let columns = (0..=columns).map(|place| TableAliasColumnDef { name: column(place), data_type: None });
    let alias = TableAlias { explicit: true, name: Ident::new(RELATION), columns: columns.collect(), at: None };
    let relation = TableFactor::Derived { lateral: false, subquery: query, alias: Some(alias), sample: None };
    let mut select = bare_select();
    select.projection = vec![SelectItem::UnnamedExpr(aggregate)];
    select.from = vec![TableWithJoins { relation, joins: vec![] }];
    let mut outer = empty_select();
    *outer.body = SetExpr::Select(Box::new(select));
    Some(call("array_or_empty", [Expr::Subquery(Box::new(outer))]))
}

fn column(place: usize) -> Ident {
    Ident::new(format!("c{place}"))
}

/// The keys of the query's order, as places of its columns; keys that are no columns are added.
fn order(query: &mut Query) -> Option<Vec<(usize, OrderByOptions)>> {
    let Some(OrderBy { kind: OrderByKind::Expressions(keys), interpolate: None }) = query.order_by.clone() else {
        return query.order_by.is_none().then(Vec::new);
    };
    let mut places = Vec::with_capacity(keys.len());
    let mut added = Vec::new();
    for OrderByExpr { expr, options, .. } in keys {
        let place = if is_first(&query.body, &expr) {
            0
        } else {
            added.push(expr);
            added.len()
        };
        places.push((place, options));
    }
    match query.body.as_mut() {
        SetExpr::Select(select) if select.distinct.is_none() => {
            select.projection.extend(added.into_iter().map(SelectItem::UnnamedExpr));
        }
        _ if added.is_empty() => {}
        _ => return None,
    }
    // Without a limit the order is only that of the elements.
    if query.limit_clause.is_none() && query.fetch.is_none() {
        query.order_by = None;
    }
    Some(places)
}

/// Whether `key` is the one column of the query: its position, its name, or the same expression.
fn is_first(body: &SetExpr, key: &Expr) -> bool {
    if matches!(key, Expr::Value(ValueWithSpan { value: Value::Number(text, _), .. }) if text == "1") {
        return true;
    }
    let SetExpr::Select(select) = body else { return matches!(key, Expr::Identifier(_)) };
    match select.projection.as_slice() {
        [SelectItem::ExprWithAlias { expr, alias }] => {
            expr == key || matches!(key, Expr::Identifier(ident) if fold(ident) == fold(alias))
        }
        [SelectItem::UnnamedExpr(expr)] => expr == key,
        _ => false,
    }
}

/// `array_agg(elements ORDER BY keys)`.
fn aggregate(elements: Expr, keys: impl Iterator<Item = (Ident, OrderByOptions)>) -> Expr {
    let mut aggregate = call("array_agg", [elements]);
    let keys: Vec<OrderByExpr> = keys
        .map(|(key, options)| OrderByExpr {
            expr: Expr::CompoundIdentifier(vec![Ident::new(RELATION), key]),
            options,
            with_fill: None,
        })
        .collect();
    if let Expr::Function(Function { args: FunctionArguments::List(list), .. }) = &mut aggregate
        && !keys.is_empty()
    {
        list.clauses.push(FunctionArgumentClause::OrderBy(keys));
    }
    aggregate
}
