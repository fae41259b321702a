//! Syntax that is rewritten before names are bound ([`super::super::spelling`]): which forms of it can be.

use sqlparser::ast::*;

use super::super::spelling::{compares, tuple};
use super::expression::refused_name;
use super::{Valid, Validator};
use crate::SqlError;
use crate::error::Code;

impl Validator {
    /// `left op right`, where both may be row values.
    pub(super) fn row_comparison(self, left: &Expr, right: &Expr) -> Valid {
        match (tuple(left), tuple(right)) {
            (Some(left), Some(right)) if left.len() == right.len() => {
                left.iter().zip(right).try_for_each(|(left, right)| self.row_comparison(left, right))
            }
            (Some(fields), Some(others)) => {
                let message = format!("a row of {} values cannot be compared with one of {}", fields.len(), others.len());
                Err(SqlError::new(Code::Type, self.position, message))
            }
            _ => self.all([left, right]),
        }
    }

    pub(super) fn respelled(self, expr: &Expr) -> Valid {
        match expr {
            Expr::Like { any, expr, pattern, .. } | Expr::ILike { any, expr, pattern, .. } => {
                self.expr(expr)?;
                match pattern.as_ref() {
                    Expr::Tuple(patterns) if *any => self.all(patterns),
                    Expr::Array(patterns) if *any => self.all(&patterns.elem),
                    Expr::Nested(_) => self.expr(pattern),
                    _ if *any => self.refuse("LIKE ANY of what is not a list of patterns"),
                    pattern => self.expr(pattern),
                }
            }
            Expr::SimilarTo { expr, pattern, .. } | Expr::RLike { expr, pattern, .. } => self.all([expr.as_ref(), pattern]),
            Expr::AtTimeZone { timestamp, time_zone } => self.all([timestamp.as_ref(), time_zone]),
            Expr::AnyOp { left, compare_op, right, .. } | Expr::AllOp { left, compare_op, right } => {
                if !compares(compare_op) {
                    return self.refuse(format!("{compare_op} with ANY or ALL"));
                }
                self.all([left.as_ref(), right])
            }
            other => self.refuse(refused_name(other)),
        }
    }
}
