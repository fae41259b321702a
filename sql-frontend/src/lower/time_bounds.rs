//! Bounds on the difference of two times in the condition of a join: `r.ts BETWEEN l.ts - i AND l.ts + j`, however it is written.
//!
//! Each comparison of a time of one side with a time of the other, give or take constants, bounds `right - left` on one side. A pair of times that is bounded on
//! both is what an interval join is by; what bounds other pairs stays a condition like any other.

use std::collections::BTreeSet;

use arrow::datatypes::DataType;
use datafusion_common::ScalarValue;
use deltic_circuit::time::{DAY_MICROS, is_event_time};
use deltic_circuit::{BinaryOp, Expr};

use super::clock::flipped;
use crate::event_time::is_time;
use crate::plan::interval_micros;

/// Times of two sides whose difference is bounded.
#[derive(Debug, PartialEq)]
pub(super) struct TimeBounds {
    /// Over the left rows.
    pub(super) left: Expr,
    /// Over the right rows, by their own positions.
    pub(super) right: Expr,
    /// The least `right - left`.
    pub(super) lower: i64,
    /// The greatest.
    pub(super) upper: i64,
}

/// One comparison: `right - left` is at least, or at most, `bound`.
struct Bound {
    left: Expr,
    right: Expr,
    lower: bool,
    bound: i64,
}

/// Takes the conjuncts that bound one pair of times on both sides out of `conjuncts`, which are over the columns of both sides; the left one has `width`.
pub(super) fn take_bounds(conjuncts: &mut Vec<Expr>, width: usize) -> Option<TimeBounds> {
    let bounds: Vec<Option<Bound>> = conjuncts.iter().map(|conjunct| bound(conjunct, width)).collect();
    let is_pair = |a: &Bound, b: &Bound| a.left == b.left && a.right == b.right;
    let found = bounds.iter().flatten().find_map(|first| {
        let of_pair = || bounds.iter().flatten().filter(|other| is_pair(first, other));
        let lower = of_pair().filter(|bound| bound.lower).map(|bound| bound.bound).max()?;
        let upper = of_pair().filter(|bound| !bound.lower).map(|bound| bound.bound).min()?;
        // What can never be true is left to be a condition.
        (lower <= upper).then(|| TimeBounds { left: first.left.clone(), right: first.right.clone(), lower, upper })
    })?;
    let mut used = bounds.iter().map(|bound| bound.as_ref().is_some_and(|b| b.left == found.left && b.right == found.right));
    conjuncts.retain(|_| !used.next().unwrap_or(false));
    Some(in_one_type(found, width))
}

/// The times in one type, and the right one by the positions of its side.
fn in_one_type(bounds: TimeBounds, width: usize) -> TimeBounds {
    let right = bounds.right.remap(&|column| column - width);
    let (left_type, right_type) = (bounds.left.data_type(), right.data_type());
    if left_type == right_type {
        return TimeBounds { right, ..bounds };
    }
    let common = match (&left_type, &right_type) {
        (DataType::Date32, other) | (other, DataType::Date32) | (other, _) if is_time(other) => other.clone(),
        _ => DataType::Int64,
    };
    TimeBounds { left: bounds.left.cast(common.clone()), right: right.cast(common), ..bounds }
}

fn bound(conjunct: &Expr, width: usize) -> Option<Bound> {
    let Expr::Binary { op, left, right, .. } = conjunct else { return None };
    if !matches!(op, BinaryOp::Less | BinaryOp::LessOrEqual | BinaryOp::Greater | BinaryOp::GreaterOrEqual) {
        return None;
    }
    // x - y op most
    let (x, y, op, most) = match (difference(left), difference(right)) {
        (Some((x, y)), None) => (x, y, *op, constant(right, &x.data_type())?),
        (None, Some((x, y))) => (x, y, flipped(*op), constant(left, &x.data_type())?),
        _ => {
            let ((x, plus_x), (y, plus_y)) = (time_plus(left)?, time_plus(right)?);
            (x, y, *op, plus_y.checked_sub(plus_x)?)
        }
    };
    if !is_event_time(&x.data_type()) || !is_event_time(&y.data_type()) || is_time(&x.data_type()) != is_time(&y.data_type()) {
        return None;
    }
    let (left, right, op, most) = match (side(x, width)?, side(y, width)?) {
        (Side::Left, Side::Right) => (x, y, flipped(op), most.checked_neg()?),
        (Side::Right, Side::Left) => (y, x, op, most),
        _ => return None,
    };
    let (lower, bound) = match op {
        BinaryOp::Greater => (true, most.checked_add(1)?),
        BinaryOp::GreaterOrEqual => (true, most),
        BinaryOp::Less => (false, most.checked_sub(1)?),
        _ => (false, most),
    };
    Some(Bound { left: left.clone(), right: right.clone(), lower, bound })
}

/// The two times whose difference `expr` is.
fn difference(expr: &Expr) -> Option<(&Expr, &Expr)> {
    match expr {
        Expr::Cast { input, data_type: DataType::Interval(_), safe: false } => difference(input),
        Expr::Binary { op: BinaryOp::Subtract, left, right, .. }
            if right.as_literal().is_none() && left.as_literal().is_none() =>
        {
            let (left, right) = (without_cast(left), without_cast(right));
            (is_event_time(&left.data_type()) && is_event_time(&right.data_type())).then_some((left, right))
        }
        _ => None,
    }
}

/// `expr` as a time and a constant added to it.
fn time_plus(expr: &Expr) -> Option<(&Expr, i64)> {
    let expr = without_cast(expr);
    match expr {
        Expr::Binary { op: op @ (BinaryOp::Add | BinaryOp::Subtract), left, right, .. } => {
            let (time, added) = match (left.as_literal(), right.as_literal()) {
                (None, Some(_)) => (left, constant(right, &left.data_type())?),
                (Some(_), None) if *op == BinaryOp::Add => (right, constant(left, &right.data_type())?),
                _ => return Some((expr, 0)),
            };
            let (time, before) = time_plus(time)?;
            let added = if *op == BinaryOp::Subtract { added.checked_neg()? } else { added };
            Some((time, before.checked_add(added)?))
        }
        _ => Some((expr, 0)),
    }
}

/// `expr` without casts that keep its event time.
fn without_cast(expr: &Expr) -> &Expr {
    let Expr::Cast { input, data_type, safe: false } = expr else { return expr };
    let from = input.data_type();
    let keeps = match data_type {
        DataType::Timestamp(..) => is_time(&from),
        DataType::Int64 => from.is_integer() && from != DataType::UInt64,
        DataType::Int32 | DataType::Int16 => from.is_signed_integer() && from.primitive_width() <= data_type.primitive_width(),
        _ => false,
    };
    if keeps { without_cast(input) } else { expr }
}

/// A constant beside a time of type `time_type`, in the unit of its event time.
fn constant(expr: &Expr, time_type: &DataType) -> Option<i64> {
    let expr = match expr {
        Expr::Cast { input, data_type: DataType::Duration(_) | DataType::Interval(_), .. } => input,
        other => other,
    };
    let value = expr.as_literal()?;
    match value {
        ScalarValue::IntervalMonthDayNano(Some(interval)) if is_time(time_type) => {
            let whole = time_type != &DataType::Date32 || interval.nanoseconds == 0;
            interval_micros(*interval).ok().filter(|_| whole)
        }
        ScalarValue::DurationMicrosecond(micros) if matches!(time_type, DataType::Timestamp(..)) => *micros,
        value if value.data_type().is_integer() => match value.cast_to(&DataType::Int64).ok()? {
            ScalarValue::Int64(Some(days)) if time_type == &DataType::Date32 => days.checked_mul(DAY_MICROS),
            ScalarValue::Int64(number) if time_type.is_integer() => number,
            _ => None,
        },
        _ => None,
    }
}

#[derive(PartialEq)]
pub(super) enum Side {
    Left,
    Right,
}

/// The side of which `expr` reads columns, if it reads any and of one side only.
pub(super) fn side(expr: &Expr, width: usize) -> Option<Side> {
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
