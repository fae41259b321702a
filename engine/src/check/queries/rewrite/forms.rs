//! Laws of queries of some form: each yields `None` for queries of another.

use super::super::tree::{Body, Distinct, Expr, From, Group, GroupForm, Query, Select, Type};
use super::Law;

/// `query` by `law`, if that applies.
pub(super) fn rewritten(law: Law, query: &Query) -> Option<Query> {
    match law {
        Law::Commuted => commuted(query),
        Law::ConditionAsValue => condition_as_value(query),
        Law::OuterAsInner => outer_as_inner(query),
        Law::NumberedLimit => numbered_limit(query),
        _ => None,
    }
}

/// Inner joins with their sides changed, DISTINCT as groups.
fn commuted(query: &Query) -> Option<Query> {
    let Body::Select(select) = &query.body else { return None };
    let mut select = select.as_ref().clone();
    let grouped = matches!(select.distinct, Distinct::Yes) && query.order.is_empty();
    if grouped {
        select.distinct = Distinct::No;
    }
    // Windows order peers by the columns of the row, from left to right.
    let is_window = |expr: &Expr| expr.to_string().contains(" OVER (");
    let is_windowed = select.items.iter().chain(&select.qualify).any(is_window);
    let swapped = !is_windowed && select.from.as_mut().is_some_and(commute);
    if !grouped && !swapped {
        return None;
    }
    let mut result = Query { body: Body::Select(Box::new(select)), ..query.clone() };
    if grouped {
        let keys = (0..query.columns.len()).map(|index| Expr::text(query.columns[index], format!("w.c{index}"))).collect();
        result = Query::over(result.derived("w"), "w", &query.columns);
        if let Body::Select(select) = &mut result.body {
            select.group = Some(Group { form: GroupForm::Plain, keys });
        }
    }
    Some(result)
}

fn commute(from: &mut From) -> bool {
    let From::Join { kind, left, right, .. } = from else { return false };
    let below = commute(left);
    // What may refer to the relations before it stays behind them.
    if matches!(**right, From::Derived { lateral: true, .. } | From::Rows { .. }) {
        return below;
    }
    *kind = match *kind {
        "JOIN" => "JOIN",
        "LEFT JOIN" => "RIGHT JOIN",
        "RIGHT JOIN" => "LEFT JOIN",
        "FULL JOIN" => "FULL JOIN",
        "CROSS JOIN" => "CROSS JOIN",
        _ => return below,
    };
    std::mem::swap(left, right);
    true
}

/// WHERE, HAVING or QUALIFY as a column that the query around asks for.
fn condition_as_value(query: &Query) -> Option<Query> {
    let Body::Select(select) = &query.body else { return None };
    if !query.order.is_empty() || query.limit.is_some() || !matches!(select.distinct, Distinct::No) {
        return None;
    }
    let mut inner = select.as_ref().clone();
    let condition = match (&select.qualify, &select.having) {
        (Some(_), _) => inner.qualify.take()?,
        (None, Some(_)) => inner.having.take()?,
        (None, None) if select.by_row => inner.filter.take()?,
        _ => return None,
    };
    inner.items.push(condition);
    let count = inner.items.len() - 1;
    let inner = Query { with: query.with.clone(), ..Query::select(inner) };
    let mut outer = Query::over(inner.derived("w"), "w", &query.columns);
    if let Body::Select(select) = &mut outer.body {
        select.filter = Some(Expr::text(Type::Bool, format!("w.c{count}")));
    }
    Some(outer)
}

/// A LEFT JOIN as the pairs that it has, and the rows that have none.
fn outer_as_inner(query: &Query) -> Option<Query> {
    let select = query.of_rows()?;
    let Some(From::Join { kind: "LEFT JOIN", left, right, on: Some(on), .. }) = &select.from else { return None };
    let nothing = nothing_like(right)?;
    let part = |from: From| Query::select(Select { from: Some(from), ..select.clone() });
    let pairs = part(From::join("JOIN", left.as_ref().clone(), right.as_ref().clone(), Some(on.clone())));
    let alone = From::join("LEFT ANTI JOIN", left.as_ref().clone(), right.as_ref().clone(), Some(on.clone()));
    let padded = From::join("LEFT JOIN", alone, nothing, Some(Expr::text(Type::Bool, "true")));
    Some(Query::operation("UNION ALL", pairs, part(padded)))
}

/// The relation without its rows.
fn nothing_like(from: &From) -> Option<From> {
    match from {
        From::Relation { name, alias } => {
            Some(From::Relation { name: format!("(SELECT * FROM {name} WHERE false)"), alias: alias.clone() })
        }
        From::Derived { query, alias, lateral: false } => {
            let call = Expr::text(Type::Big, format!("(SELECT * FROM ({query}) AS nothing WHERE false)"));
            Some(From::Rows { call, alias: alias.clone(), columns: query.columns.len() })
        }
        _ => None,
    }
}

/// `LIMIT n OFFSET m` as a condition on the number of the row in the order, WITH TIES on its rank.
fn numbered_limit(query: &Query) -> Option<Query> {
    let limit = query.limit.as_ref()?;
    let Body::Select(select) = &query.body else { return None };
    if matches!(select.distinct, Distinct::On(_)) {
        return None;
    }
    let numbers: Vec<i64> = limit.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let (&count, skipped) = (numbers.first()?, numbers.get(1).copied().unwrap_or(0));
    let call = if limit.ends_with("TIES") { "rank" } else { "row_number" };
    let keys = query.order.iter().map(|(ordinal, direction)| format!("v.c{}{direction}", ordinal - 1));
    let keys = keys.collect::<Vec<_>>().join(", ");
    let all = Query { order: vec![], limit: None, ..query.clone() };
    let column = |index: usize| Expr::text(query.columns[index], format!("v.c{index}"));
    let mut items: Vec<Expr> = (0..query.columns.len()).map(column).collect();
    items.push(Expr::text(Type::Big, format!("CAST({call}() OVER (ORDER BY {keys}) AS BIGINT)")));
    let place = items.len() - 1;
    let mut inner = Select::of(items, Some(all.derived("v")));
    inner.by_row = false;
    let mut outer = Query::over(Query::select(inner).derived("w"), "w", &query.columns);
    if let Body::Select(select) = &mut outer.body {
        let condition = format!("(w.c{place} > {skipped} AND w.c{place} <= {})", skipped + count);
        select.filter = Some(Expr::text(Type::Bool, condition));
    }
    Some(outer)
}
