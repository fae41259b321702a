//! Rows of fixed stride.

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;

use crate::Result;

/// How the rows of one list of column types are laid out in 8-byte words.
#[derive(Clone, Debug)]
pub struct RowLayout {}

impl RowLayout {
    /// The layout of rows of canonical `types`.
    ///
    /// # Errors
    /// [`crate::Error::UnsupportedType`] for a type that is not canonical.
    pub fn try_new(types: &[DataType]) -> Result<Self> {
        let _ = types;
        todo!()
    }

    /// The stride of a row, in words of 8 bytes.
    pub fn words(&self) -> usize {
        todo!()
    }

    /// The column types.
    pub fn types(&self) -> &[DataType] {
        todo!()
    }

    /// Replaces `encoded` by the rows of `columns`, whose types must be those of the layout.
    pub fn encode(&self, columns: &[ArrayRef], rows: usize, encoded: &mut EncodedRows) {
        let _ = (columns, rows, encoded);
        todo!()
    }

    /// The columns that `rows` were encoded from (intervals justified: equal intervals come back the same).
    pub fn decode(&self, rows: &EncodedRows) -> Vec<ArrayRef> {
        let _ = rows;
        todo!()
    }

    /// The values of a key of one 8-byte column without NULLs, as [`crate::GroupTable::upsert_words`] takes them without encoding.
    pub fn single_word<'a>(&self, columns: &'a [ArrayRef]) -> Option<&'a [u64]> {
        let _ = columns;
        todo!()
    }
}

/// Rows in the words of a [`RowLayout`]; reuse one for many batches to keep its buffers.
#[derive(Clone, Debug, Default)]
pub struct EncodedRows {}

impl EncodedRows {
    /// No rows.
    pub fn new() -> Self {
        Self::default()
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        todo!()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The words of row `row`.
    pub fn row(&self, row: usize) -> &[u64] {
        let _ = row;
        todo!()
    }
}
