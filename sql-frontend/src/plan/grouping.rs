//! GROUPING SETS, ROLLUP and CUBE.
//!
//! Before binding, all that such a GROUP BY says is spelled out as one list of sets: `GROUP BY a, ROLLUP (b, c)` is
//! `GROUP BY GROUPING SETS ((a, b, c), (a, b), (a))`. The binder knows that form only in part: not with lists inside, not nested, and not with the
//! positions of columns. Nor does it know those in DISTINCT ON.

use std::ops::ControlFlow;

use sqlparser::ast::*;

use crate::SqlError;
use crate::error::Code;
use crate::parser::fold;

/// The function that says which keys a row is not grouped by.
pub(crate) const GROUPING: &str = "grouping";

/// Each set is an aggregation of its own: more are taken for a slip of the pen.
const MOST_SETS: usize = 256;

type Sets = Vec<Vec<Expr>>;

/// Spells out the sets in the GROUP BYs of `query`.
///
/// # Errors
/// If there are too many, or one names a column that the list does not have by its position.
pub(super) fn spell_out_sets(query: &mut Query) -> Result<(), SqlError> {
    struct SpellingOut;

    impl VisitorMut for SpellingOut {
        type Break = SqlError;

        fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<SqlError> {
            match spell_out(select) {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => ControlFlow::Break(error),
            }
        }
    }

    match VisitMut::visit(query, &mut SpellingOut) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(error),
    }
}

fn spell_out(select: &mut Select) -> Result<(), SqlError> {
    if let Some(Distinct::On(keys)) = &mut select.distinct {
        keys.iter_mut().try_for_each(|key| by_position(key, &select.projection, "DISTINCT ON"))?;
    }
    let GroupByExpr::Expressions(elements, modifiers) = &mut select.group_by else { return Ok(()) };
    if modifiers.is_empty() && !elements.iter().any(has_sets) {
        return Ok(());
    }
    let elements = std::mem::take(elements);
    let single: Sets = elements.iter().cloned().map(|element| vec![element]).collect();
    let mut sets = match modifiers.first() {
        Some(GroupByWithModifier::Rollup) => rollup(&single),
        Some(GroupByWithModifier::Cube) => cube(&single)?,
        _ => elements.iter().try_fold(vec![vec![]], |sets, element| product(&sets, &sets_of(element)?))?,
    };
    sets.iter_mut().flatten().try_for_each(|key| by_position(key, &select.projection, "GROUP BY"))?;
    let keys = match sets.as_slice() {
        [only] if !only.is_empty() => only.clone(),
        _ => vec![Expr::GroupingSets(sets)],
    };
    select.group_by = GroupByExpr::Expressions(keys, vec![]);
    Ok(())
}

/// Whether an element of GROUP BY is not just one key.
pub(super) fn has_sets(element: &Expr) -> bool {
    match element {
        Expr::Nested(inner) => has_sets(inner),
        other => matches!(other, Expr::GroupingSets(_) | Expr::Rollup(_) | Expr::Cube(_) | Expr::Tuple(_)),
    }
}

/// The sets that an element of GROUP BY stands for.
fn sets_of(element: &Expr) -> Result<Sets, SqlError> {
    match element {
        Expr::Nested(inner) => sets_of(inner),
        Expr::Tuple(parts) => Ok(vec![parts.clone()]),
        Expr::Rollup(parts) => Ok(rollup(parts)),
        Expr::Cube(parts) => cube(parts),
        Expr::GroupingSets(sets) => {
            let nested = sets.iter().map(|set| match set.as_slice() {
                [Expr::Function(function)] => match nested_sets(function) {
                    Some((GroupByWithModifier::Rollup, parts)) => Ok(rollup(&parts)),
                    Some((_, parts)) => cube(&parts),
                    None => Ok(vec![set.clone()]),
                },
                _ => Ok(vec![set.clone()]),
            });
            let sets = nested.collect::<Result<Vec<Sets>, SqlError>>()?.concat();
            checked(sets.len()).map(|()| sets)
        }
        key => Ok(vec![vec![key.clone()]]),
    }
}

/// `ROLLUP (..)` or `CUBE (..)` among grouping sets, which the parser takes for a call: which one, and its parts.
pub(super) fn nested_sets(function: &Function) -> Option<(GroupByWithModifier, Sets)> {
    let [ObjectNamePart::Identifier(name)] = function.name.0.as_slice() else { return None };
    let kind = match fold(name).as_str() {
        "rollup" => GroupByWithModifier::Rollup,
        "cube" => GroupByWithModifier::Cube,
        _ => return None,
    };
    let FunctionArguments::List(list) = &function.args else { return None };
    let part = |argument: &FunctionArg| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Tuple(keys))) => Some(keys.clone()),
        FunctionArg::Unnamed(FunctionArgExpr::Expr(key)) => Some(vec![key.clone()]),
        _ => None,
    };
    list.args.iter().map(part).collect::<Option<Sets>>().map(|parts| (kind, parts))
}

fn rollup(parts: &[Vec<Expr>]) -> Sets {
    (0..=parts.len()).rev().map(|length| parts[..length].concat()).collect()
}

fn cube(parts: &[Vec<Expr>]) -> Result<Sets, SqlError> {
    parts.iter().try_fold(vec![vec![]], |sets, part| product(&sets, &[part.clone(), vec![]]))
}

fn product(left: &[Vec<Expr>], right: &[Vec<Expr>]) -> Result<Sets, SqlError> {
    checked(left.len() * right.len())?;
    Ok(left.iter().flat_map(|left| right.iter().map(|right| [left.as_slice(), right].concat())).collect())
}

fn checked(sets: usize) -> Result<(), SqlError> {
    if sets <= MOST_SETS {
        return Ok(());
    }
    let message = format!("GROUP BY with more than {MOST_SETS} grouping sets");
    Err(SqlError::nowhere(Code::Unsupported, message).with_hint("write the sets that you need in GROUPING SETS"))
}

/// Replaces the position of a column in the SELECT list by its expression.
fn by_position(key: &mut Expr, items: &[SelectItem], clause: &str) -> Result<(), SqlError> {
    let Expr::Value(ValueWithSpan { value: Value::Number(text, _), .. }) = &*key else { return Ok(()) };
    let item = text.parse::<usize>().ok().and_then(|position| {
        let before = items.get(..position)?;
        // Nobody knows here how many columns a wildcard is.
        let named = before.iter().all(|item| !matches!(item, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..)));
        before.last().filter(|_| named)
    });
    match item {
        Some(SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }) => {
            *key = expr.clone();
            Ok(())
        }
        _ => Err(SqlError::nowhere(Code::Query, format!("{clause} position {text} is not one of the SELECT list"))),
    }
}
