//! Equality of pairs of rows, column at a time.

use arrow::array::ArrayRef;

/// Replaces `keep`: `keep[i]` says whether row `left_rows[i]` of `left` equals row `right_rows[i]` of `right` in every column.
///
/// NULL equals NULL in the columns for which `null_equal` is true and equals nothing in the others.
pub fn equal_pairs(
    left: &[ArrayRef],
    left_rows: &[u32],
    right: &[ArrayRef],
    right_rows: &[u32],
    null_equal: &[bool],
    keep: &mut Vec<bool>,
) {
    let _ = (left, left_rows, right, right_rows, null_equal, keep);
    todo!()
}
