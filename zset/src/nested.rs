//! Lists and structs as byte strings.
//!
//! Two values of one nested type are equal exactly if their bytes in Arrow's row format are. That makes a nested column a
//! column of byte strings to everything in this crate. Intervals inside are justified first, as equal ones may differ.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef};
use arrow::datatypes::DataType;
use arrow::row::{RowConverter, Rows, SortField};

use crate::types::justify_intervals;
use crate::{Error, Result};

/// Turns values of one nested type to bytes and back.
#[derive(Clone, Debug)]
pub(crate) struct NestedCodec {
    converter: Arc<RowConverter>,
}

impl NestedCodec {
    pub(crate) fn try_new(data_type: &DataType) -> Result<Self> {
        if !data_type.is_nested() {
            return Err(Error::UnsupportedType(data_type.clone()));
        }
        let converter = RowConverter::new(vec![SortField::new(data_type.clone())])?;
        Ok(NestedCodec { converter: Arc::new(converter) })
    }

    /// The bytes of each value.
    ///
    /// # Panics
    /// If `column` has another type than the codec.
    pub(crate) fn encode(&self, column: &ArrayRef) -> NestedRows {
        let column = justify_intervals(column.clone());
        let rows = self.converter.convert_columns(&[column]).expect("the column has the type of the codec");
        NestedRows { rows }
    }

    /// The values of byte strings that [`NestedCodec::encode`] gave.
    pub(crate) fn decode<'a>(&self, values: impl Iterator<Item = &'a [u8]>) -> ArrayRef {
        let parser = self.converter.parser();
        let mut columns =
            self.converter.convert_rows(values.map(|bytes| parser.parse(bytes))).expect("the bytes are from this converter");
        columns.swap_remove(0)
    }
}

/// The bytes of each value of a nested column.
pub(crate) struct NestedRows {
    rows: Rows,
}

impl NestedRows {
    /// The bytes of a column of canonical nested type.
    ///
    /// # Panics
    /// If the type is not canonical: that is the contract of a [`ZBatch`](crate::ZBatch).
    pub(crate) fn of_column(column: &ArrayRef) -> Self {
        NestedCodec::try_new(column.data_type()).expect("columns have canonical types").encode(column)
    }

    pub(crate) fn value(&self, row: usize) -> &[u8] {
        self.rows.row(row).data()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.rows.num_rows()).map(|row| self.value(row))
    }
}
