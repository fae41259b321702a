//! `AND` and `OR`, symmetric in their errors.
//!
//! `false AND error` is false on either side, so a guard protects wherever an optimiser puts it. Arrow's Kleene kernels do the
//! work: a failing operand is NULL in the values, and exactly the errors of rows whose result is still NULL remain.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use arrow::compute;

use super::value::{Evaluation, Frame, Value, scatter};
use crate::Expr;

/// `left AND right` if `conjunction`, else `left OR right`.
pub(super) fn and_or(conjunction: bool, left: &Expr, right: &Expr, frame: &Frame<'_>) -> Evaluation {
    let rows = frame.rows;
    let Evaluation { value, mut errors } = super::evaluate(left, frame);
    let left_values = value.into_array(rows);
    let Some(left_booleans) = left_values.as_boolean_opt() else {
        return super::unsupported("AND", &[&Value::Array(left_values)], rows);
    };
    let right = match undecided(conjunction, left_booleans, right) {
        Some(selection) if selection.is_empty() => return Evaluation::of(left_values.clone()),
        Some(selection) => scatter(frame.evaluate_on(right, &selection), &selection, rows),
        None => super::evaluate(right, frame),
    };
    let right_values = right.value.into_array(rows);
    let Some(right_booleans) = right_values.as_boolean_opt() else {
        return super::unsupported("AND", &[&Value::Array(right_values)], rows);
    };
    let result = match conjunction {
        true => compute::and_kleene(left_booleans, right_booleans),
        false => compute::or_kleene(left_booleans, right_booleans),
    };
    let result = result.unwrap_or_else(|_| BooleanArray::new_null(rows));
    errors.merge(right.errors);
    errors.retain(|row| result.is_null(row));
    Evaluation { value: Value::Array(Arc::new(result) as ArrayRef), errors }
}

/// The rows that `left` alone does not decide, if it pays to evaluate `right` on those only: it is more than a comparison, and
/// a good part is decided. Both ways give the same result.
fn undecided(conjunction: bool, left: &BooleanArray, right: &Expr) -> Option<Vec<u32>> {
    let decided = if conjunction { left.len() - left.null_count() - left.true_count() } else { left.true_count() };
    if decided * 4 < left.len() || !(right.can_fail() || decided == left.len()) {
        return None;
    }
    let open = |row: &usize| left.is_null(*row) || left.value(*row) == conjunction;
    Some((0..left.len()).filter(open).map(|row| row as u32).collect())
}
