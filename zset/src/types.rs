//! The canonical types: one physical Arrow type per logical type, one bit pattern per value.

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;

use crate::Result;

/// The canonical type that values of `data_type` are stored in, or `None` if they cannot be stored.
pub fn canonical_type(data_type: &DataType) -> Option<DataType> {
    let _ = data_type;
    todo!()
}

/// `array` in its canonical type, with canonical floats.
///
/// # Errors
/// [`crate::Error::UnsupportedType`], or Arrow's if a value does not fit the canonical type.
pub fn canonicalize(array: &ArrayRef) -> Result<ArrayRef> {
    let _ = array;
    todo!()
}

/// `array` with one NaN and without `-0.0`, also inside of lists and structs. The same array (no copy) if it has neither.
pub fn canonicalize_floats(array: ArrayRef) -> ArrayRef {
    let _ = array;
    todo!()
}

/// The duration of an interval in nanoseconds, with months of 30 days and days of 24 hours: intervals are equal, and are
/// ordered, by it.
pub fn interval_nanos(months: i32, days: i32, nanoseconds: i64) -> i128 {
    i128::from(months) * (30 * 86_400_000_000_000) + i128::from(days) * 86_400_000_000_000 + i128::from(nanoseconds)
}
