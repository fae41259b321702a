//! Expressions.

use sqlparser::ast::*;

use super::super::row_membership;
use super::super::spelling::{compares, unary_function};
use super::{Valid, Validator};

impl Validator {
    pub(super) fn expr(self, expr: &Expr) -> Valid {
        let here = self.at(expr);
        match expr {
            Expr::Identifier(_) | Expr::CompoundIdentifier(_) | Expr::TypedString(_) => Ok(()),
            Expr::Value(value) => match &value.value {
                Value::Placeholder(name) => here.refuse(format!("the parameter {name}")),
                _ => Ok(()),
            },
            Expr::IsFalse(e)
            | Expr::IsNotFalse(e)
            | Expr::IsTrue(e)
            | Expr::IsNotTrue(e)
            | Expr::IsNull(e)
            | Expr::IsNotNull(e)
            | Expr::IsUnknown(e)
            | Expr::IsNotUnknown(e)
            | Expr::Nested(e) => here.expr(e),
            Expr::IsDistinctFrom(left, right) | Expr::IsNotDistinctFrom(left, right) => here.row_comparison(left, right),
            Expr::InList { expr, list, .. } => list.iter().try_for_each(|item| here.row_comparison(expr, item)),
            Expr::Between { expr, low, high, .. } => here.all([expr.as_ref(), low, high]),
            Expr::BinaryOp { left, op, right } if compares(op) => here.row_comparison(left, right),
            Expr::BinaryOp { left, right, .. } => here.all([left.as_ref(), right]),
            Expr::Like { .. } | Expr::ILike { .. } | Expr::SimilarTo { .. } | Expr::RLike { .. } | Expr::AtTimeZone { .. } => {
                here.respelled(expr)
            }
            Expr::UnaryOp {
                op: UnaryOperator::Plus | UnaryOperator::Minus | UnaryOperator::Not | UnaryOperator::BitwiseNot,
                expr,
            } => here.expr(expr),
            Expr::UnaryOp { op, expr } if unary_function(op).is_some() => here.expr(expr),
            Expr::Cast { kind, expr, array, format, .. } => {
                here.absent(&[
                    (*array, "CAST AS .. ARRAY"),
                    (format.is_some(), "CAST .. FORMAT"),
                    (matches!(kind, CastKind::SafeCast), "SAFE_CAST"),
                ])?;
                here.expr(expr)
            }
            Expr::Extract { .. }
            | Expr::Ceil { .. }
            | Expr::Floor { .. }
            | Expr::Position { .. }
            | Expr::Substring { .. }
            | Expr::Trim { .. }
            | Expr::Overlay { .. } => here.call_syntax(expr),
            Expr::Function(function) => here.function(function),
            Expr::Case { operand, conditions, else_result, .. } => {
                let branches = conditions.iter().flat_map(|branch| [&branch.condition, &branch.result]);
                here.all(operand.as_deref().into_iter().chain(branches).chain(else_result.as_deref()))
            }
            Expr::Subquery(query) | Expr::Exists { subquery: query, .. } => here.query(query),
            Expr::InSubquery { expr, subquery, .. } => {
                match row_membership::row_of(expr) {
                    Some(row) if row_membership::has_aggregate(row) => {
                        return here.refuse("a row of aggregates or window functions with IN (SELECT ..)");
                    }
                    Some(row) => here.all(row)?,
                    None => here.expr(expr)?,
                }
                here.query(subquery)
            }
            Expr::AnyOp { left, compare_op, right, .. } | Expr::AllOp { left, compare_op, right } => {
                let name = if matches!(expr, Expr::AnyOp { .. }) { "ANY" } else { "ALL" };
                let Expr::Subquery(query) = right.as_ref() else { return here.respelled(expr) };
                use BinaryOperator::{Eq, Gt, GtEq, Lt, LtEq, NotEq};
                if !matches!(compare_op, Eq | NotEq | Lt | LtEq | Gt | GtEq) {
                    return here.refuse(format!("the operator {compare_op} with {name}"));
                }
                here.expr(left)?;
                here.query(query)
            }
            Expr::Array(array) => here.all(&array.elem),
            Expr::Map(map) => here.all(map.entries.iter().flat_map(|entry| [entry.key.as_ref(), &entry.value])),
            Expr::Interval(interval) => here.expr(&interval.value),
            Expr::CompoundFieldAccess { root, access_chain } => {
                here.expr(root)?;
                access_chain.iter().try_for_each(|access| match access {
                    AccessExpr::Dot(_) => Ok(()),
                    AccessExpr::Subscript(Subscript::Index { index }) => here.expr(index),
                    AccessExpr::Subscript(Subscript::Slice { lower_bound, upper_bound, stride }) => {
                        here.all([lower_bound, upper_bound, stride].into_iter().flatten())
                    }
                })
            }
            Expr::Struct { values, .. } => here.all(values),
            Expr::Named { expr, .. } => here.expr(expr),
            other => here.refuse(refused_name(other)),
        }
    }

    /// Calls that have a syntax of their own.
    fn call_syntax(self, expr: &Expr) -> Valid {
        let here = self;
        match expr {
            Expr::Extract { expr, .. } => here.expr(expr),
            Expr::Ceil { expr, field } | Expr::Floor { expr, field } => {
                here.absent(&[(matches!(field, CeilFloorKind::Scale(_)), "CEIL / FLOOR with a scale")])?;
                here.expr(expr)
            }
            Expr::Position { expr, r#in } => here.all([expr.as_ref(), r#in]),
            Expr::Substring { expr, substring_from, substring_for, .. } => {
                here.expr(expr)?;
                here.all(substring_from.as_deref().into_iter().chain(substring_for.as_deref()))
            }
            Expr::Trim { expr, trim_what, trim_characters, .. } => {
                here.expr(expr)?;
                here.all(trim_what.as_deref().into_iter().chain(trim_characters.iter().flatten()))
            }
            Expr::Overlay { expr, overlay_what, overlay_from, overlay_for } => {
                here.all([expr.as_ref(), overlay_what, overlay_from].into_iter().chain(overlay_for.as_deref()))
            }
            other => here.refuse(refused_name(other)),
        }
    }

    pub(super) fn all<'e>(self, exprs: impl IntoIterator<Item = &'e Expr>) -> Valid {
        exprs.into_iter().try_for_each(|expr| self.expr(expr))
    }

    /// An expression, or a list of some in parentheses.
    pub(super) fn parts(self, expr: &Expr) -> Valid {
        match expr {
            Expr::Tuple(parts) => self.all(parts),
            other => self.expr(other),
        }
    }
}

/// What an expression that is not supported is called.
pub(super) fn refused_name(expr: &Expr) -> String {
    match expr {
        Expr::InUnnest { .. } => "IN UNNEST".to_string(),
        Expr::IsNormalized { .. } => "IS NORMALIZED".to_string(),
        Expr::Collate { .. } => "COLLATE".to_string(),
        Expr::Convert { .. } => "CONVERT".to_string(),
        Expr::JsonAccess { .. } => "access by a JSON path".to_string(),
        Expr::Tuple(_) => "a row value".to_string(),
        Expr::Lambda(_) => "a lambda".to_string(),
        Expr::GroupingSets(_) | Expr::Cube(_) | Expr::Rollup(_) => "a grouping set".to_string(),
        other => format!("the expression {other}"),
    }
}
