//! Rows back to columns, a column at a time.

use std::sync::Arc;

use arrow::array::{ArrayRef, ArrowPrimitiveType, BinaryArray, BooleanArray, PrimitiveArray, StringArray};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Decimal128Type, IntervalMonthDayNanoType};

use super::{Cell, EncodedRows, INLINE_BYTES, Kind, string_length};
use crate::types::interval_of_nanos;
use crate::word::{Word, match_word_type};

/// Rows of a layout, wherever they are.
pub(crate) trait RowSource {
    /// The number of rows.
    fn len(&self) -> usize;
    /// The words of row `row`; there may be more of them than the layout knows.
    fn row(&self, row: usize) -> &[u64];
    /// The long string of `length` bytes whose cell, the `string`-th of the string cells, says `place`.
    fn long_string(&self, string: usize, place: u64, length: usize) -> &[u8];
}

impl RowSource for EncodedRows {
    fn len(&self) -> usize {
        self.rows
    }

    fn row(&self, row: usize) -> &[u64] {
        EncodedRows::row(self, row)
    }

    #[inline(always)]
    fn long_string(&self, string: usize, place: u64, length: usize) -> &[u8] {
        &self.heaps[string][place as usize..place as usize + length]
    }
}

/// The values of `cell` in all `rows`, as a column of `data_type`.
pub(super) fn column(fixed_words: usize, cell: &Cell, data_type: &DataType, rows: &impl RowSource) -> ArrayRef {
    let nulls = nulls(cell, rows);
    match &cell.kind {
        Kind::Word => {
            match_word_type!(data_type, T => { words::<T>(cell, data_type, nulls, rows) }, _ => {
                unreachable!("a cell of one word has a type of one word")
            })
        }
        Kind::Boolean => {
            Arc::new(BooleanArray::new(BooleanBuffer::collect_bool(rows.len(), |row| rows.row(row)[cell.word] == 1), nulls))
        }
        Kind::Decimal => {
            let values = ScalarBuffer::from_iter(wide(cell, rows));
            Arc::new(PrimitiveArray::<Decimal128Type>::new(values, nulls).with_data_type(data_type.clone()))
        }
        Kind::Interval => {
            let values = ScalarBuffer::from_iter(wide(cell, rows).map(interval_of_nanos));
            Arc::new(PrimitiveArray::<IntervalMonthDayNanoType>::new(values, nulls))
        }
        Kind::Utf8 => {
            let (offsets, values) = strings(fixed_words, cell, rows);
            debug_assert!(StringArray::try_new(offsets.clone(), values.clone(), nulls.clone()).is_ok());
            // SAFETY: the cell is of a `Utf8` column, so each of its strings is UTF-8, and the offsets separate the strings.
            Arc::new(unsafe { StringArray::new_unchecked(offsets, values, nulls) })
        }
        Kind::Binary => {
            let (offsets, values) = strings(fixed_words, cell, rows);
            Arc::new(BinaryArray::new(offsets, values, nulls))
        }
        Kind::Nested(codec) => {
            let (offsets, values) = strings(fixed_words, cell, rows);
            codec.decode(BinaryArray::new(offsets, values, nulls).iter())
        }
    }
}

fn nulls(cell: &Cell, rows: &impl RowSource) -> Option<NullBuffer> {
    let valid = BooleanBuffer::collect_bool(rows.len(), |row| rows.row(row)[cell.null_word] & cell.null_bit == 0);
    Some(NullBuffer::new(valid)).filter(|nulls| nulls.null_count() > 0)
}

fn words<T>(cell: &Cell, data_type: &DataType, nulls: Option<NullBuffer>, rows: &impl RowSource) -> ArrayRef
where
    T: ArrowPrimitiveType<Native: Word>,
{
    let values: Vec<T::Native> = (0..rows.len()).map(|row| Word::from_word(rows.row(row)[cell.word])).collect();
    Arc::new(PrimitiveArray::<T>::new(values.into(), nulls).with_data_type(data_type.clone()))
}

fn wide(cell: &Cell, rows: &impl RowSource) -> impl Iterator<Item = i128> {
    (0..rows.len()).map(|row| {
        let row = rows.row(row);
        (u128::from(row[cell.word + 1]) << 64 | u128::from(row[cell.word])) as i128
    })
}

/// The strings of a cell, one after another.
fn strings(fixed_words: usize, cell: &Cell, rows: &impl RowSource) -> (OffsetBuffer<i32>, Buffer) {
    let string = (cell.word - fixed_words) / 2;
    let mut values: Vec<u8> = Vec::new();
    let mut offsets: Vec<i32> = Vec::with_capacity(rows.len() + 1);
    offsets.push(0);
    for row in 0..rows.len() {
        let row = rows.row(row);
        let (first, second) = (row[cell.word], row[cell.word + 1]);
        let length = string_length(first);
        if length <= INLINE_BYTES {
            let text = (u128::from(second) << 64 | u128::from(first)) >> 32;
            values.extend_from_slice(&text.to_le_bytes()[..length]);
        } else {
            values.extend_from_slice(rows.long_string(string, second, length));
        }
        offsets.push(i32::try_from(values.len()).expect("a column of a batch is smaller than 2 GiB"));
    }
    (OffsetBuffer::new(offsets.into()), values.into())
}
