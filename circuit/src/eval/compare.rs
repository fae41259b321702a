//! Comparisons. Values are canonical, so Arrow's total order of floats is SQL's: one NaN, equal to itself and greatest.
//!
//! Two kinds need more than Arrow's kernels: intervals compare by duration (1 month = 30 days, 1 day = 24 hours), lists, structs and maps
//! element by element with NULLs equal and last.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Decimal128Array, make_comparator};
use arrow::compute::SortOptions;
use arrow::compute::kernels::cmp;
use arrow::datatypes::{DataType, IntervalMonthDayNanoType};
use arrow::error::ArrowError;
use deltic_zset::types::interval_nanos;

use super::value::{Evaluation, Value};
use crate::BinaryOp;

/// `left op right` for a comparison.
pub(super) fn compare(op: BinaryOp, left: &Value, right: &Value, rows: usize) -> Evaluation {
    let (left_type, right_type) = (left.inner().data_type(), right.inner().data_type());
    let result = match (left_type, right_type) {
        (DataType::Interval(_), DataType::Interval(_)) => kernel(op, &durations(left), &durations(right)),
        _ if left_type.is_nested() => nested(op, left, right, rows),
        _ => kernel(op, left, right),
    };
    match result {
        Ok(array) => {
            // Like the operand that is a column, if one is.
            Evaluation::like(Arc::new(array), if left.is_scalar() { right } else { left })
        }
        Err(_) => super::unsupported(&op.to_string(), &[left, right], rows),
    }
}

fn kernel(op: BinaryOp, left: &Value, right: &Value) -> Result<BooleanArray, ArrowError> {
    match op {
        BinaryOp::Equal => cmp::eq(left, right),
        BinaryOp::NotEqual => cmp::neq(left, right),
        BinaryOp::Less => cmp::lt(left, right),
        BinaryOp::LessOrEqual => cmp::lt_eq(left, right),
        BinaryOp::Greater => cmp::gt(left, right),
        BinaryOp::GreaterOrEqual => cmp::gt_eq(left, right),
        BinaryOp::IsDistinctFrom => cmp::distinct(left, right),
        BinaryOp::IsNotDistinctFrom => cmp::not_distinct(left, right),
        _ => Err(ArrowError::InvalidArgumentError(format!("{op} is not a comparison"))),
    }
}

/// Intervals as their durations in nanoseconds.
pub(super) fn durations(value: &Value) -> Value {
    let Some(intervals) = value.inner().as_primitive_opt::<IntervalMonthDayNanoType>() else { return value.clone() };
    let nanos = intervals.iter().map(|interval| interval.map(|i| interval_nanos(i.months, i.days, i.nanoseconds)));
    let array: ArrayRef = Arc::new(nanos.collect::<Decimal128Array>());
    if value.is_scalar() { Value::Scalar(array) } else { Value::Array(array) }
}

fn nested(op: BinaryOp, left: &Value, right: &Value, rows: usize) -> Result<BooleanArray, ArrowError> {
    let (left_array, right_array) = (left.inner(), right.inner());
    let options = SortOptions { descending: false, nulls_first: false };
    let comparator = make_comparator(left_array, right_array, options)?;
    let rows = if left.is_scalar() && right.is_scalar() { 1 } else { rows };
    let null_safe = matches!(op, BinaryOp::IsDistinctFrom | BinaryOp::IsNotDistinctFrom);
    let value = |row: usize| {
        let (l, r) = (left.position(row), right.position(row));
        if !null_safe && (left_array.is_null(l) || right_array.is_null(r)) {
            return None;
        }
        let order = comparator(l, r);
        Some(match op {
            BinaryOp::Equal | BinaryOp::IsNotDistinctFrom => order == Ordering::Equal,
            BinaryOp::NotEqual | BinaryOp::IsDistinctFrom => order != Ordering::Equal,
            BinaryOp::Less => order == Ordering::Less,
            BinaryOp::LessOrEqual => order != Ordering::Greater,
            BinaryOp::Greater => order == Ordering::Greater,
            _ => order != Ordering::Less,
        })
    };
    Ok((0..rows).map(value).collect())
}
