//! FETCH FIRST and the other spellings of LIMIT, and ORDER BY ALL.
//!
//! All become LIMIT before binding. The binder knows no WITH TIES: there it is a great number that is added to the limit, and taken away when
//! the plan is lowered.

use std::ops::ControlFlow;

use sqlparser::ast::*;

/// Added to the limit of WITH TIES. Limits beyond it are none in effect.
pub(crate) const TIES: u64 = 1 << 62;

/// Spells the limits in `query` as LIMIT, and ORDER BY ALL as a list.
pub(super) fn spell_limits(query: &mut Query) {
    struct Spelling;

    impl VisitorMut for Spelling {
        type Break = std::convert::Infallible;

        fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Self::Break> {
            spell(query);
            order_by_all(query);
            ControlFlow::Continue(())
        }
    }

    let ControlFlow::Continue(()) = VisitMut::visit(query, &mut Spelling);
}

fn spell(query: &mut Query) {
    let (mut limit, offset) = match query.limit_clause.take() {
        None => (None, None),
        Some(LimitClause::LimitOffset { limit, offset, .. }) => (limit, offset),
        Some(LimitClause::OffsetCommaLimit { offset, limit }) => {
            (Some(limit), Some(Offset { value: offset, rows: OffsetRows::None }))
        }
    };
    let mut ties = 0;
    if let Some(fetch) = query.fetch.take() {
        limit = Some(fetch.quantity.unwrap_or_else(|| number(1)));
        ties = if fetch.with_ties { TIES } else { 0 };
    }
    let is_null = |expr: &Expr| matches!(expr, Expr::Value(ValueWithSpan { value: Value::Null, .. }));
    // LIMIT NULL is none.
    let offset = offset.filter(|offset| !is_null(&offset.value));
    let limit = limit.filter(|limit| !is_null(limit)).and_then(|limit| match count(&limit) {
        Some(count) if count < TIES => Some(number(count + ties)),
        Some(_) => None,
        None => Some(limit),
    });
    if limit.is_some() || offset.is_some() {
        query.limit_clause = Some(LimitClause::LimitOffset { limit, offset, limit_by: vec![] });
    }
}

/// The number that a limit is.
pub(super) fn count(expr: &Expr) -> Option<u64> {
    match expr {
        Expr::Nested(inner) => count(inner),
        Expr::Value(ValueWithSpan { value: Value::Number(text, _), .. }) => text.parse().ok(),
        _ => None,
    }
}

fn number(value: u64) -> Expr {
    Expr::value(Value::Number(value.to_string(), false))
}

/// `ORDER BY ALL`: by all columns of the list, from left to right. A list with `*` is left to the binder.
fn order_by_all(query: &mut Query) {
    let Some(OrderBy { kind: OrderByKind::All(options), interpolate }) = &query.order_by else { return };
    let Some(width) = width(&query.body) else { return };
    let key = |place: usize| OrderByExpr { expr: number(place as u64), options: *options, with_fill: None };
    let kind = OrderByKind::Expressions((1..=width).map(key).collect());
    query.order_by = Some(OrderBy { kind, interpolate: interpolate.clone() });
}

/// The number of columns of `body`, if its text says it.
pub(super) fn width(body: &SetExpr) -> Option<usize> {
    match body {
        SetExpr::Select(select) => {
            let is_one = |item: &SelectItem| matches!(item, SelectItem::UnnamedExpr(_) | SelectItem::ExprWithAlias { .. });
            select.projection.iter().all(is_one).then_some(select.projection.len())
        }
        SetExpr::SetOperation { left, .. } => width(left),
        SetExpr::Query(query) => width(&query.body),
        SetExpr::Values(values) => values.rows.first().map(|row| row.content.len()),
        _ => None,
    }
}
