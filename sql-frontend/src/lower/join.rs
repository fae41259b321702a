//! Joins: equality conditions become keys, with null-safe ones lifted out of the filter; bounds on two times make an interval join; the rest is
//! the residual.
//!
//! A plan's join has one flag for how its keys treat NULL, so DataFusion leaves `IS NOT DISTINCT FROM` in the filter wherever there is
//! an `=` too. A circuit's keys have a flag each.

use datafusion_common::{JoinType, NullEquality};
use datafusion_expr::{Join, LogicalPlan};
use deltic_circuit::{BinaryOp, Expr, IntervalJoinKind, JoinKey, JoinKind, NodeId, TimeMatch};

use super::clock::{reads_clock, refused};
use super::expr::{internal, lower_expression};
use super::piped::{Piped, conjuncts};
use super::time_bounds::{Side, TimeBounds, side, take_bounds};
use super::{Lower, Lowering};
use crate::SqlError;
use crate::error::Code;
use crate::plan::MaxOneRowNode;

/// An equality between an expression over the left rows and one over the right rows, both by the positions of their side.
struct Equality {
    left: Expr,
    right: Expr,
    null_safe: bool,
}

/// When two rows match.
struct Condition {
    equalities: Vec<Equality>,
    times: Option<TimeBounds>,
    residual: Vec<Expr>,
    /// The bounds and the residual as conjuncts: the residual if the times are not used.
    untimed: Vec<Expr>,
}

impl Lowering {
    pub(super) fn join(&mut self, join: &Join) -> Lower<Piped> {
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
            // The schema of a semi-join has the left columns only.
            let both = join.left.schema().join(join.right.schema()).map_err(|error| internal(&error))?;
            for conjunct in conjuncts(lower_expression(filter, &both)?) {
                match equality(&conjunct, width) {
                    _ if reads_clock(&conjunct) => timed.push(conjunct),
                    Some(equality) => equalities.push(equality),
                    None => residual.push(conjunct),
                }
            }
        }
        if !timed.is_empty() && join.join_type != JoinType::Inner {
            return Err(refused("it is in the ON of an outer join"));
        }
        let untimed = residual.clone();
        let times = take_bounds(&mut residual, width);
        let joined = self.join_nodes(join, Condition { equalities, times, residual, untimed })?;
        self.filter_conjuncts(joined, timed)
    }

    fn join_nodes(&mut self, join: &Join, on: Condition) -> Lower<Piped> {
        let mut left = self.piped(&join.left)?;
        let mut right = self.piped(&join.right)?;
        // NULL keys and times of a side that is not preserved match nothing: they need not be kept.
        let (left_nulls, right_nulls) = nulls(&on);
        if !matches!(join.join_type, JoinType::Left | JoinType::Full | JoinType::LeftAnti) {
            left = self.without_nulls(left, left_nulls);
        }
        if !matches!(join.join_type, JoinType::Right | JoinType::Full) {
            right = self.without_nulls(right, right_nulls);
        }
        let Condition { equalities, times, residual, untimed } = on;
        let null_safe: Vec<bool> = equalities.iter().map(|equality| equality.null_safe).collect();
        let (mut left_keys, mut right_keys): (Vec<Expr>, Vec<Expr>) =
            equalities.into_iter().map(|equality| (equality.left, equality.right)).unzip();
        let range = times.map(|times| {
            left_keys.push(times.left);
            right_keys.push(times.right);
            (times.lower, times.upper)
        });
        let (left, left_keys, left_width) = self.with_keys(left, left_keys)?;
        let (right, right_keys, right_width) = self.with_keys(right, right_keys)?;
        let full_left = self.builder.schema(left).fields().len();
        // Keys that were computed for the join stand after the columns of their side.
        let place = |column: usize| if column < left_width { column } else { column - left_width + full_left };
        let conjunction = |conjuncts: Vec<Expr>| Expr::conjunction(conjuncts).map(|residual| residual.remap(&place));
        let mut keys: Vec<JoinKey> = Vec::new();
        for ((&left, &right), null_safe) in left_keys.iter().zip(&right_keys).zip(null_safe) {
            // The stricter of two conditions on one pair of columns holds.
            match keys.iter_mut().find(|key| key.left == left && key.right == right) {
                Some(key) => key.null_safe &= null_safe,
                None => keys.push(JoinKey { left, right, null_safe }),
            }
        }
        let joined = match (range, left_keys.last(), right_keys.last()) {
            (Some(range), Some(&left_time), Some(&right_time))
                if keys.is_empty() || (self.ends(left, left_time) && self.ends(right, right_time)) =>
            {
                let kind = interval_kind(join.join_type)?;
                let on = TimeMatch { keys, left_time, right_time };
                self.built(|builder| builder.interval_join([left, right], kind, on, range, conjunction(residual)))?
            }
            _ => {
                let kind = kind(join.join_type)?;
                self.built(|builder| builder.join(left, right, kind, keys, conjunction(untimed)))?
            }
        };
        let node = self.materialise(joined)?;
        let columns = self.columns_of(node);
        let left_only = matches!(join.join_type, JoinType::LeftSemi | JoinType::LeftAnti);
        let width = if left_only { left_width } else { left_width + right_width };
        let outputs = (0..width).map(|column| columns[place(column)].clone()).collect();
        Ok(Piped::columns(node, outputs))
    }
}

impl Lowering {
    /// The value of a scalar subquery, by group.
    pub(super) fn max_one_row(&mut self, plan: &LogicalPlan) -> Lower<Piped> {
        let Some(node) = MaxOneRowNode::of(plan) else {
            return Err(SqlError::nowhere(Code::Internal, "a plan that is no scalar subquery"));
        };
        let input = self.node(&node.input)?;
        let group = node.group.iter().map(|expr| Ok(lower_expression(expr, node.input.schema())?.as_column()));
        let group: Option<Vec<usize>> = group.collect::<Lower<_>>()?;
        let group = group.ok_or_else(|| SqlError::nowhere(Code::Internal, "a scalar subquery is grouped by an expression"))?;
        self.built(|builder| builder.max_one_row(input, group))
    }

    /// Whether a watermark says of rows with an early time in this column that they change no more. If it is so on both sides, an interval join can forget;
    /// else a join by its keys is the faster one.
    fn ends(&self, node: NodeId, time: usize) -> bool {
        let properties = self.builder.properties(node);
        properties.event_times.iter().any(|known| known.column == time)
            && properties.time_sources.iter().all(|source| source.lateness.is_some())
    }
}

/// The columns of both sides that match nothing if they are NULL.
fn nulls(on: &Condition) -> (Vec<Expr>, Vec<Expr>) {
    let keys = || on.equalities.iter().filter(|equality| !equality.null_safe);
    let left = keys().map(|key| &key.left).chain(on.times.iter().map(|times| &times.left));
    let right = keys().map(|key| &key.right).chain(on.times.iter().map(|times| &times.right));
    let is_column = |expr: &&Expr| expr.as_column().is_some();
    (left.filter(is_column).cloned().collect(), right.filter(is_column).cloned().collect())
}

fn kind(join_type: JoinType) -> Lower<JoinKind> {
    match join_type {
        JoinType::Inner => Ok(JoinKind::Inner),
        JoinType::Left => Ok(JoinKind::Left),
        JoinType::Right => Ok(JoinKind::Right),
        JoinType::Full => Ok(JoinKind::Full),
        JoinType::LeftSemi => Ok(JoinKind::Semi),
        JoinType::LeftAnti => Ok(JoinKind::Anti),
        other => Err(SqlError::nowhere(Code::Unsupported, format!("a {other} join is not supported"))),
    }
}

fn interval_kind(join_type: JoinType) -> Lower<IntervalJoinKind> {
    Ok(match join_type {
        JoinType::Inner => IntervalJoinKind::Inner,
        JoinType::Left => IntervalJoinKind::Left,
        JoinType::Right => IntervalJoinKind::Right,
        JoinType::Full => IntervalJoinKind::Full,
        JoinType::LeftSemi => IntervalJoinKind::Semi,
        JoinType::LeftAnti => IntervalJoinKind::Anti,
        other => return Err(SqlError::nowhere(Code::Unsupported, format!("a {other} join is not supported"))),
    })
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
