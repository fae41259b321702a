//! Joins: equality conditions become keys, with null-safe ones lifted out of the filter; the rest is the residual.
//!
//! A plan's join has one flag for how its keys treat NULL, so DataFusion leaves `IS NOT DISTINCT FROM` in the filter wherever there is
//! an `=` too. A circuit's keys have a flag each.

use std::collections::BTreeSet;

use datafusion_common::{JoinType, NullEquality};
use datafusion_expr::Join;
use deltic_circuit::{BinaryOp, Expr, JoinKey, JoinKind};

use super::clock::{reads_clock, refused};
use super::expr::lower_expression;
use super::piped::{Piped, conjuncts};
use super::{Lower, Lowering};
use crate::SqlError;
use crate::error::Code;

/// An equality between an expression over the left rows and one over the right rows, both by the positions of their side.
struct Equality {
    left: Expr,
    right: Expr,
    null_safe: bool,
}

impl Lowering {
    pub(super) fn join(&mut self, join: &Join) -> Lower<Piped> {
        let kind = match join.join_type {
            JoinType::Inner => JoinKind::Inner,
            JoinType::Left => JoinKind::Left,
            JoinType::Right => JoinKind::Right,
            JoinType::Full => JoinKind::Full,
            other => return Err(SqlError::nowhere(Code::Unsupported, format!("a {other} join is not supported"))),
        };
        let width = join.left.schema().fields().len();
        let null_safe = join.null_equality == NullEquality::NullEqualsNull;
        let mut equalities = Vec::new();
        for (left, right) in &join.on {
            let left = lower_expression(left, join.left.schema())?;
            let right = lower_expression(right, join.right.schema())?;
            equalities.push(Equality { left, right, null_safe });
        }
        let mut residual = Vec::new();
        let mut timed = Vec::new();
        if let Some(filter) = &join.filter {
            for conjunct in conjuncts(lower_expression(filter, &join.schema)?) {
                match equality(&conjunct, width) {
                    _ if reads_clock(&conjunct) => timed.push(conjunct),
                    Some(equality) => equalities.push(equality),
                    None => residual.push(conjunct),
                }
            }
        }
        if !timed.is_empty() && kind != JoinKind::Inner {
            return Err(refused("it is in the ON of an outer join"));
        }
        let joined = self.join_nodes(join, kind, equalities, residual)?;
        self.filter_conjuncts(joined, timed)
    }

    fn join_nodes(&mut self, join: &Join, kind: JoinKind, equalities: Vec<Equality>, residual: Vec<Expr>) -> Lower<Piped> {
        let mut left = self.piped(&join.left)?;
        let mut right = self.piped(&join.right)?;
        // NULL keys of a side that is not preserved match nothing: they need not be kept.
        let nulls_of = |keep: bool, key: fn(&Equality) -> &Expr| -> Vec<Expr> {
            let dropped = equalities.iter().filter(|equality| !keep && !equality.null_safe);
            dropped.map(|equality| key(equality).clone()).filter(|key| key.as_column().is_some()).collect()
        };
        let left_nulls = nulls_of(matches!(kind, JoinKind::Left | JoinKind::Full), |equality| &equality.left);
        let right_nulls = nulls_of(matches!(kind, JoinKind::Right | JoinKind::Full), |equality| &equality.right);
        left = self.without_nulls(left, left_nulls);
        right = self.without_nulls(right, right_nulls);
        let null_safe: Vec<bool> = equalities.iter().map(|equality| equality.null_safe).collect();
        let (left_keys, right_keys) = equalities.into_iter().map(|equality| (equality.left, equality.right)).unzip();
        let (left, left_keys, left_width) = self.with_keys(left, left_keys)?;
        let (right, right_keys, right_width) = self.with_keys(right, right_keys)?;
        let full_left = self.builder.schema(left).fields().len();
        // Keys that were computed for the join stand after the columns of their side.
        let place = |column: usize| if column < left_width { column } else { column - left_width + full_left };
        let residual = Expr::conjunction(residual).map(|residual| residual.remap(&place));
        let mut keys: Vec<JoinKey> = Vec::new();
        for ((left, right), null_safe) in left_keys.into_iter().zip(right_keys).zip(null_safe) {
            // The stricter of two conditions on one pair of columns holds.
            match keys.iter_mut().find(|key| key.left == left && key.right == right) {
                Some(key) => key.null_safe &= null_safe,
                None => keys.push(JoinKey { left, right, null_safe }),
            }
        }
        let joined = self.built(|builder| builder.join(left, right, kind, keys, residual))?;
        let node = self.materialise(joined)?;
        let columns = self.columns_of(node);
        let outputs = (0..left_width + right_width).map(|column| columns[place(column)].clone()).collect();
        Ok(Piped::columns(node, outputs))
    }
}

/// `conjunct` as an equality between the sides, of which the left one has `width` columns.
fn equality(conjunct: &Expr, width: usize) -> Option<Equality> {
    let Expr::Binary { op: op @ (BinaryOp::Equal | BinaryOp::IsNotDistinctFrom), left: a, right: b, .. } = conjunct else {
        return None;
    };
    let (left, right) = match (side(a, width)?, side(b, width)?) {
        (Side::Left, Side::Right) => (a, b),
        (Side::Right, Side::Left) => (b, a),
        _ => return None,
    };
    let null_safe = *op == BinaryOp::IsNotDistinctFrom;
    Some(Equality { left: left.as_ref().clone(), right: right.remap(&|column| column - width), null_safe })
}

#[derive(PartialEq)]
enum Side {
    Left,
    Right,
}

/// The side of which `expr` reads columns, if it reads any and of one side only.
fn side(expr: &Expr, width: usize) -> Option<Side> {
    let mut columns = BTreeSet::new();
    expr.columns(&mut columns);
    let (first, last) = (*columns.first()?, *columns.last()?);
    if last < width {
        Some(Side::Left)
    } else if first >= width {
        Some(Side::Right)
    } else {
        None
    }
}
