//! `(a, b) IN (SELECT x, y ..)`: membership of a row value, spelled with EXISTS.
//!
//! It is true if all fields equal those of a row of the subquery; else NULL if of some row none of the comparisons is false; else false. As a condition
//! that WHERE has to be true, the first question is enough.

use std::ops::ControlFlow;

use sqlparser::ast::*;

use super::functions::FUNCTIONS;
use super::spelling::{binary, case, chain, negate_if, tuple};
use crate::parser::{bare_select, empty_select, fold};

/// The name of the subquery, and the beginning of those of its columns.
const ROW: &str = "__row";

/// The row value of a membership, if it is one of a row.
pub(super) fn row_of(expr: &Expr) -> Option<&[Expr]> {
    tuple(expr).filter(|row| row.iter().all(|field| tuple(field).is_none()))
}

/// Whether a field is computed over groups or windows: it means nothing inside of a subquery.
pub(super) fn has_aggregate(row: &[Expr]) -> bool {
    row.iter().any(|field| {
        let found = visit_expressions(field, |expr| match expr {
            Expr::Function(function) => {
                let name = function.name.0.last().and_then(ObjectNamePart::as_ident).map(fold).unwrap_or_default();
                let is_one = function.over.is_some() || FUNCTIONS.aggregate(&name).is_some();
                if is_one { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            }
            _ => ControlFlow::Continue(()),
        });
        found.is_break()
    })
}

/// The truth value of `row` IN `subquery`.
pub(super) fn membership(row: &[Expr], subquery: &Query, negated: bool) -> Option<Expr> {
    let found = exists(subquery, equalities(row))?;
    let is_not_false = |equality: Expr| Expr::Nested(Box::new(Expr::IsNotFalse(Box::new(equality))));
    let possible = exists(subquery, equalities(row).into_iter().map(is_not_false).collect())?;
    let boolean = |value| Expr::value(Value::Boolean(value));
    let branches = vec![(found, boolean(true)), (possible, Expr::value(Value::Null))];
    Some(negate_if(negated, case(branches, Some(boolean(false)))))
}

/// Spells the memberships of rows among the conditions of WHERE, where NULL is as good as false.
pub(super) fn respell_conditions(condition: &mut Expr) {
    match condition {
        Expr::Nested(inner) => respell_conditions(inner),
        Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
            respell_conditions(left);
            respell_conditions(right);
        }
        Expr::InSubquery { expr, subquery, negated: false } => {
            if let Some(found) = row_of(expr).and_then(|row| exists(subquery, equalities(row))) {
                *condition = found;
            }
        }
        _ => {}
    }
}

fn column(place: usize) -> Ident {
    Ident::with_quote('"', format!("{ROW}_{place}"))
}

fn equalities(row: &[Expr]) -> Vec<Expr> {
    let fields = row.iter().enumerate();
    fields.map(|(place, field)| binary(field.clone(), BinaryOperator::Eq, Expr::Identifier(column(place)))).collect()
}

/// Whether `subquery` has a row for which all `conditions` are true.
fn exists(subquery: &Query, conditions: Vec<Expr>) -> Option<Expr> {
    let columns = (0..conditions.len()).map(|place| TableAliasColumnDef { name: column(place), data_type: None });
    let alias = TableAlias { explicit: true, name: Ident::with_quote('"', ROW), columns: columns.collect(), at: None };
    let relation =
        TableFactor::Derived { lateral: false, subquery: Box::new(subquery.clone()), alias: Some(alias), sample: None };
    let select = Select {
        projection: vec![SelectItem::UnnamedExpr(Expr::value(Value::Boolean(true)))],
        from: vec![TableWithJoins { relation, joins: vec![] }],
        selection: Some(chain(conditions, &BinaryOperator::And)?),
        ..bare_select()
    };
    let query = Query { body: Box::new(SetExpr::Select(Box::new(select))), ..empty_select() };
    Some(Expr::Exists { subquery: Box::new(query), negated: false })
}
