//! Equality of pairs of rows, a column at a time.
//!
//! A hash table proposes pairs of rows with equal hashes; what is left is to check them. All pairs are checked on one column
//! before the next, so the type of a column is looked at once per batch and not once per pair. Because values are canonical,
//! floats are compared by their bits (so NaN equals NaN), and intervals by duration.

use arrow::array::{Array, ArrayRef, AsArray, GenericByteArray, UInt32Array, make_comparator};
use arrow::compute::{SortOptions, take};
use arrow::datatypes::{BinaryType, ByteArrayType, DataType, Decimal128Type, IntervalMonthDayNanoType, Utf8Type};

use crate::types::{justify_intervals, nanos_of};
use crate::word::{Word, match_word_type};

/// Replaces `keep`: `keep[i]` says whether row `left_rows[i]` of `left` equals row `right_rows[i]` of `right` in every column.
///
/// NULL equals NULL in the columns for which `null_equal` is true and equals nothing in the others. Without columns all rows
/// are equal.
///
/// # Panics
/// If the columns of the two sides have different types, or a row is out of bounds.
pub fn equal_pairs(
    left: &[ArrayRef],
    left_rows: &[u32],
    right: &[ArrayRef],
    right_rows: &[u32],
    null_equal: &[bool],
    keep: &mut Vec<bool>,
) {
    assert_eq!(left_rows.len(), right_rows.len());
    assert!(left.len() == right.len() && left.len() == null_equal.len());
    keep.clear();
    keep.resize(left_rows.len(), true);
    for ((left, right), null_equal) in left.iter().zip(right).zip(null_equal) {
        let mut pairs = Pairs { left, left_rows, right, right_rows, null_equal: *null_equal, keep };
        pairs.retain_equal();
    }
}

/// The pairs of one column, and which of them have been equal so far.
struct Pairs<'a> {
    left: &'a ArrayRef,
    left_rows: &'a [u32],
    right: &'a ArrayRef,
    right_rows: &'a [u32],
    null_equal: bool,
    keep: &'a mut [bool],
}

impl Pairs<'_> {
    fn retain_equal(&mut self) {
        let (left, right) = (self.left, self.right);
        match_word_type!(left.data_type(), T => {
            let (left, right) = (left.as_primitive::<T>().values(), right.as_primitive::<T>().values());
            self.retain(|l, r| left[l].to_word() == right[r].to_word())
        }, _ => {
            match left.data_type() {
                DataType::Boolean => {
                    let (left, right) = (left.as_boolean().values(), right.as_boolean().values());
                    self.retain(|l, r| left.value(l) == right.value(r))
                }
                DataType::Decimal128(..) => {
                    let (left, right) = (left.as_primitive::<Decimal128Type>(), right.as_primitive::<Decimal128Type>());
                    self.retain(|l, r| left.values()[l] == right.values()[r])
                }
                DataType::Interval(_) => {
                    let left = left.as_primitive::<IntervalMonthDayNanoType>().values();
                    let right = right.as_primitive::<IntervalMonthDayNanoType>().values();
                    self.retain(|l, r| nanos_of(left[l]) == nanos_of(right[r]))
                }
                DataType::Utf8 => self.retain_bytes(left.as_bytes::<Utf8Type>(), right.as_bytes::<Utf8Type>()),
                DataType::Binary => self.retain_bytes(left.as_bytes::<BinaryType>(), right.as_bytes::<BinaryType>()),
                _ => self.retain_nested(),
            }
        })
    }

    #[inline(always)]
    fn retain(&mut self, equal: impl Fn(usize, usize) -> bool) {
        let pairs = self.left_rows.iter().zip(self.right_rows).map(|(&left, &right)| (left as usize, right as usize));
        let (left_nulls, right_nulls) = (self.left.logical_nulls(), self.right.logical_nulls());
        if left_nulls.is_none() && right_nulls.is_none() {
            for (keep, (left, right)) in self.keep.iter_mut().zip(pairs) {
                *keep = *keep && equal(left, right);
            }
            return;
        }
        let left_null = |row| left_nulls.as_ref().is_some_and(|nulls| nulls.is_null(row));
        let right_null = |row| right_nulls.as_ref().is_some_and(|nulls| nulls.is_null(row));
        for (keep, (left, right)) in self.keep.iter_mut().zip(pairs) {
            *keep = *keep
                && match (left_null(left), right_null(right)) {
                    (false, false) => equal(left, right),
                    (true, true) => self.null_equal,
                    _ => false,
                };
        }
    }

    fn retain_bytes<T: ByteArrayType<Offset = i32>>(&mut self, left: &GenericByteArray<T>, right: &GenericByteArray<T>) {
        let bytes = |array: &GenericByteArray<T>, row: usize| {
            let offsets = array.value_offsets();
            offsets[row] as usize..offsets[row + 1] as usize
        };
        let (left_data, right_data) = (left.value_data(), right.value_data());
        self.retain(|l, r| left_data[bytes(left, l)] == right_data[bytes(right, r)]);
    }

    /// Only the rows of the pairs are looked at: either side may be a small part of a big stored column.
    fn retain_nested(&mut self) {
        let of_pairs = |column: &ArrayRef, rows: &[u32]| {
            let rows = UInt32Array::from(rows.to_vec());
            justify_intervals(take(column, &rows, None).expect("the rows are within bounds"))
        };
        let left = of_pairs(self.left, self.left_rows);
        let right = of_pairs(self.right, self.right_rows);
        let compare = make_comparator(&left, &right, SortOptions::default()).expect("both sides have one canonical type");
        for (pair, keep) in self.keep.iter_mut().enumerate() {
            let null = left.is_null(pair) && right.is_null(pair);
            *keep = *keep && if null { self.null_equal } else { compare(pair, pair).is_eq() };
        }
    }
}

#[cfg(test)]
mod tests {
    //! Against the cells of the rows. A comparison that is too strict and one that is too lax are both caught, since the
    //! columns repeat values; a wrong treatment of garbage under NULLs is too.

    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;
    use crate::test_support::{Cell, any_columns, any_type, row_of};

    fn naive(left: &[ArrayRef], l: u32, right: &[ArrayRef], r: u32, null_equal: &[bool]) -> bool {
        let cells = row_of(left, l as usize).into_iter().zip(row_of(right, r as usize));
        cells.zip(null_equal).all(|((left, right), null_equal)| left == right && (*null_equal || left != Cell::Null))
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]
        #[test]
        fn pairs_are_equal_as_their_cells_are(
            (left, right, null_equal) in prop::collection::vec((any_type(), any::<bool>()), 0..4).prop_flat_map(|columns| {
                let (types, null_equal): (Vec<_>, Vec<_>) = columns.into_iter().unzip();
                (any_columns(types.clone(), 1..8), any_columns(types, 1..8), Just(null_equal))
            }),
        ) {
            let rows = |columns: &[ArrayRef]| columns.first().map_or(1, |column| column.len()) as u32;
            let (left_rows, right_rows): (Vec<u32>, Vec<u32>) =
                (0..rows(&left)).flat_map(|l| (0..rows(&right)).map(move |r| (l, r))).unzip();
            let mut keep = vec![true, false];
            equal_pairs(&left, &left_rows, &right, &right_rows, &null_equal, &mut keep);
            let expected: Vec<bool> =
                left_rows.iter().zip(&right_rows).map(|(&l, &r)| naive(&left, l, &right, r, &null_equal)).collect();
            prop_assert_eq!(keep, expected);
        }
    }
}
