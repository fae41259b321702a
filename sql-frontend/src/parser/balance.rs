//! Balanced trees for chains of AND and OR.
//!
//! `a = 1 OR a = 2 OR ..` is parsed as a tree that leans to the left, as deep as it is long; a thousand terms overflow the stack of whoever walks
//! or drops it. Both operators are associative in Deltic, errors included (an error is a value, see the expressions of
//! `deltic-circuit`), so the tree may have any shape. Other operators keep theirs and have a limit instead.

use std::ops::ControlFlow;

use sqlparser::ast::{BinaryOperator, Expr, Value, VisitMut, VisitorMut};

use crate::SqlError;
use crate::error::{Code, Position};

/// The longest chain of other operators, such as `1 + 1 + ..`.
const MAX_CHAIN: usize = 400;

/// Chains up to this length keep their shape. The left edge of a balanced tree is never longer.
const SHORT: usize = 32;

/// Balances all chains in `tree`, and checks the length of those that cannot be.
///
/// # Errors
/// DT1017 if a chain of other operators is too long.
pub(crate) fn balance(tree: &mut impl VisitMut, position: Position) -> Result<(), SqlError> {
    match tree.visit(&mut Balance) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => {
            let message = format!("an expression has more than {MAX_CHAIN} operators in a row");
            Err(SqlError::new(Code::TooComplex, position, message).with_hint("put parentheses around parts of it"))
        }
    }
}

/// Works from the top down, so that no walk is ever deep.
struct Balance;

impl VisitorMut for Balance {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let Expr::BinaryOp { op, .. } = expr else { return ControlFlow::Continue(()) };
        let op = op.clone();
        let length = chain_length(expr, &op);
        if !matches!(op, BinaryOperator::And | BinaryOperator::Or) {
            return if length > MAX_CHAIN { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
        }
        if length > SHORT {
            let taken = std::mem::replace(expr, placeholder());
            *expr = rebuild(operands(taken, &op), &op);
        }
        ControlFlow::Continue(())
    }
}

fn placeholder() -> Expr {
    Expr::value(Value::Null)
}

/// How far `expr` leans to the left: over nodes of `op` only if that is AND or OR, else over all that are neither.
fn chain_length(expr: &Expr, op: &BinaryOperator) -> usize {
    let is_logic = |op: &BinaryOperator| matches!(op, BinaryOperator::And | BinaryOperator::Or);
    let mut length = 0;
    let mut next = expr;
    while let Expr::BinaryOp { left, op: this, .. } = next
        && (this == op || (!is_logic(this) && !is_logic(op)))
    {
        length += 1;
        next = left;
    }
    length
}

/// The operands of the chain of `op` that leans to the left from `expr`, in order.
fn operands(expr: Expr, op: &BinaryOperator) -> Vec<Expr> {
    let mut reversed = Vec::new();
    let mut next = expr;
    loop {
        match next {
            Expr::BinaryOp { left, op: this, right } if this == *op => {
                reversed.push(*right);
                next = *left;
            }
            first => {
                reversed.push(first);
                reversed.reverse();
                return reversed;
            }
        }
    }
}

fn rebuild(mut level: Vec<Expr>, op: &BinaryOperator) -> Expr {
    while level.len() > 1 {
        let mut pairs = level.into_iter();
        let mut above = Vec::with_capacity(pairs.len().div_ceil(2));
        while let Some(left) = pairs.next() {
            above.push(match pairs.next() {
                Some(right) => Expr::BinaryOp { left: Box::new(left), op: op.clone(), right: Box::new(right) },
                None => left,
            });
        }
        level = above;
    }
    level.pop().unwrap_or_else(placeholder)
}
