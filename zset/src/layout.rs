//! [`RowLayout`]: rows of a schema that is only known at run time, as words of fixed stride.
//!
//! A hash table that keeps its keys in columns pays a cache miss per column and key; one that keeps them in rows pays one or two
//! in all. The row of a key is
//!
//! ```text
//! header | further null words | fixed-width cells, in column order | string cells, in column order
//! ```
//!
//! - The low half of the header has one NULL bit for each of the first 31 columns and, at bit 31, a one that tells a row from
//!   free space. Its high half is zero, for a table to put the hash there. Each further 64 columns add a null word.
//! - A cell is one word: integers sign-extended, floats as bits, booleans 0 or 1. Decimals take two, intervals their duration in
//!   nanoseconds in two. The cell of a NULL is zero.
//! - A string cell is two words: the length in the low half of the first, then up to 12 bytes of text. Of a longer string the
//!   first four bytes stay there and the second word says where the rest is: in the buffer of the batch it came from
//!   ([`EncodedRows`]), or in the arena of the table it is stored in. Lists, structs and maps are strings of bytes.
//!
//! The subtle fact: for canonical values equality of keys is equality of words, except for the second word of long strings. So a
//! key without strings is compared with a handful of word compares, whatever its types.

mod decode;
mod encode;
mod portable;

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::buffer::Buffer;
use arrow::datatypes::{DataType, IntervalUnit};

use crate::Result;
use crate::nested::NestedCodec;
use crate::word::match_word_type;

pub(crate) use decode::RowSource;
pub use portable::{HEADER_NULLS, RowPicks};

/// The bit of the header that is set in every row.
pub(crate) const PRESENT: u64 = 1 << 31;
/// Columns whose NULL bit is in the header.
const HEADER_COLUMNS: usize = 31;
/// The longest string that is stored in its cell.
pub(crate) const INLINE_BYTES: usize = 12;

/// How the rows of one list of column types are laid out in 8-byte words. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct RowLayout {
    shape: Arc<Shape>,
}

#[derive(Debug)]
struct Shape {
    types: Vec<DataType>,
    cells: Vec<Cell>,
    null_words: usize,
    /// Words before the first string cell.
    fixed_words: usize,
    words: usize,
}

/// Where the values of a column are in a row.
#[derive(Debug)]
struct Cell {
    kind: Kind,
    /// The first word of the cell.
    word: usize,
    /// The word of the NULL bit, and the bit.
    null_word: usize,
    null_bit: u64,
}

#[derive(Debug)]
enum Kind {
    Word,
    Boolean,
    Decimal,
    Interval,
    Utf8,
    Binary,
    Nested(NestedCodec),
}

impl Kind {
    fn try_new(data_type: &DataType) -> Result<Self> {
        Ok(match_word_type!(data_type, T => { assert_word_size::<T>() }, _ => {
            match data_type {
                DataType::Boolean => Kind::Boolean,
                DataType::Decimal128(..) => Kind::Decimal,
                DataType::Interval(IntervalUnit::MonthDayNano) => Kind::Interval,
                DataType::Utf8 => Kind::Utf8,
                DataType::Binary => Kind::Binary,
                _ => Kind::Nested(NestedCodec::try_new(data_type)?),
            }
        }))
    }

    fn is_string(&self) -> bool {
        matches!(self, Kind::Utf8 | Kind::Binary | Kind::Nested(_))
    }

    fn words(&self) -> usize {
        if matches!(self, Kind::Word | Kind::Boolean) { 1 } else { 2 }
    }
}

fn assert_word_size<T: arrow::datatypes::ArrowPrimitiveType>() -> Kind {
    const { assert!(size_of::<T::Native>() <= 8) };
    Kind::Word
}

impl RowLayout {
    /// The layout of rows of canonical `types`.
    ///
    /// # Errors
    /// [`crate::Error::UnsupportedType`] for a type that is not canonical.
    pub fn try_new(types: &[DataType]) -> Result<Self> {
        let kinds = types.iter().map(Kind::try_new).collect::<Result<Vec<_>>>()?;
        let null_words = types.len().saturating_sub(HEADER_COLUMNS).div_ceil(64);
        let words_of =
            |strings: bool| -> usize { kinds.iter().filter(|kind| kind.is_string() == strings).map(Kind::words).sum() };
        let fixed_words = 1 + null_words + words_of(false);
        let words = fixed_words + words_of(true);
        let (mut next_fixed, mut next_string) = (1 + null_words, fixed_words);
        let mut cells = Vec::with_capacity(kinds.len());
        for (column, kind) in kinds.into_iter().enumerate() {
            let next = if kind.is_string() { &mut next_string } else { &mut next_fixed };
            let word = *next;
            *next += kind.words();
            let (null_word, null_bit) = match column.checked_sub(HEADER_COLUMNS) {
                None => (0, column),
                Some(further) => (1 + further / 64, further % 64),
            };
            cells.push(Cell { kind, word, null_word, null_bit: 1 << null_bit });
        }
        Ok(RowLayout { shape: Arc::new(Shape { types: types.to_vec(), cells, null_words, fixed_words, words }) })
    }

    /// The stride of a row, in words of 8 bytes.
    pub fn words(&self) -> usize {
        self.shape.words
    }

    /// The column types.
    pub fn types(&self) -> &[DataType] {
        &self.shape.types
    }

    /// The words of a row before its string cells, which are two words each and go to the end of the row.
    pub(crate) fn fixed_words(&self) -> usize {
        self.shape.fixed_words
    }

    /// Whether rows have string cells.
    pub(crate) fn has_strings(&self) -> bool {
        self.shape.fixed_words < self.shape.words
    }

    /// Replaces `encoded` by the rows of `columns`. O(rows x columns), column at a time; long strings are not copied.
    ///
    /// # Panics
    /// If the columns do not have the types of the layout.
    pub fn encode(&self, columns: &[ArrayRef], rows: usize, encoded: &mut EncodedRows) {
        assert_eq!(columns.len(), self.shape.types.len());
        encoded.encode(&self.shape, columns, rows);
    }

    /// The columns that `rows` were encoded from. Equal intervals come back the same, with as many months and days as fit.
    ///
    /// # Panics
    /// If `rows` are of another layout.
    pub fn decode(&self, rows: &EncodedRows) -> Vec<ArrayRef> {
        assert_eq!(rows.stride, self.words());
        self.decode_from(rows)
    }

    /// As [`RowLayout::decode`], for rows wherever they are.
    pub(crate) fn decode_from(&self, rows: &impl RowSource) -> Vec<ArrayRef> {
        let columns = self.shape.types.iter().zip(&self.shape.cells);
        columns.map(|(data_type, cell)| decode::column(self.shape.fixed_words, cell, data_type, rows)).collect()
    }

    /// The values of a key of one 8-byte column without NULLs, as [`GroupTable::upsert_words`](crate::GroupTable::upsert_words)
    /// takes them: such keys need no encoding.
    pub fn single_word<'a>(&self, columns: &'a [ArrayRef]) -> Option<&'a [u64]> {
        let [column] = columns else { return None };
        if column.null_count() > 0 {
            return None;
        }
        match_word_type!(column.data_type(), T => {
            (size_of::<<T as arrow::datatypes::ArrowPrimitiveType>::Native>() == 8)
                .then(|| column.as_primitive::<T>().values().inner().typed_data::<u64>())
        }, _ => { None })
    }
}

/// Rows in the words of a [`RowLayout`]; reuse one for many batches to keep its buffers.
///
/// Holds on to the string buffers of the columns that were encoded last.
#[derive(Clone, Debug, Default)]
pub struct EncodedRows {
    words: Vec<u64>,
    stride: usize,
    rows: usize,
    /// For each string cell, in order, the buffer that its long strings are in.
    heaps: Vec<Buffer>,
}

impl EncodedRows {
    /// No rows.
    pub fn new() -> Self {
        Self::default()
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// The words of row `row`.
    #[inline(always)]
    pub fn row(&self, row: usize) -> &[u64] {
        &self.words[row * self.stride..(row + 1) * self.stride]
    }

    /// The words of all rows, one after another.
    pub(crate) fn words(&self) -> &[u64] {
        &self.words
    }

    /// The words of a row.
    pub(crate) fn stride(&self) -> usize {
        self.stride
    }
}

/// The length of the string in a cell.
#[inline(always)]
pub(crate) fn string_length(first: u64) -> usize {
    first as u32 as usize
}

#[cfg(test)]
mod tests;
