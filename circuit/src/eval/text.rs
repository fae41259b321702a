//! Values as text.

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;

/// The value at `row` (not NULL) as text.
pub(crate) fn render(column: &ArrayRef, row: usize) -> String {
    todo!()
}

/// The digits of a decimal with its point.
pub(crate) fn decimal_text(value: i128, scale: i8) -> String {
    todo!()
}

/// A type as SQL names it.
pub(crate) fn sql_type(data_type: &DataType) -> String {
    todo!()
}
