//! Lists, structs and maps as byte strings.
//!
//! Two values of one nested type are equal exactly if their bytes in Arrow's row format are. That makes a nested column a
//! column of byte strings to everything in this crate. Intervals inside are justified first, as equal ones may differ.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BinaryArray};
use arrow::datatypes::DataType;
use arrow::row::{RowConverter, SortField};

use crate::types::{canonical_type, justify_intervals};
use crate::{Error, Result};

/// Turns values of one nested type to bytes and back.
#[derive(Clone, Debug)]
pub(crate) struct NestedCodec {
    data_type: DataType,
    converter: Arc<RowConverter>,
}

impl NestedCodec {
    pub(crate) fn try_new(data_type: &DataType) -> Result<Self> {
        if !data_type.is_nested() || canonical_type(data_type).is_none() {
            return Err(Error::UnsupportedType(data_type.clone()));
        }
        let converter = RowConverter::new(vec![SortField::new(data_type.clone())])?;
        Ok(NestedCodec { data_type: data_type.clone(), converter: Arc::new(converter) })
    }

    /// The bytes of each value. NULLs have bytes too; the column knows which they are.
    ///
    /// # Panics
    /// If `column` has another type than the codec, or more than 2 GiB.
    pub(crate) fn encode(&self, column: &ArrayRef) -> BinaryArray {
        let column = justify_intervals(column.clone());
        let rows = self.converter.convert_columns(&[column]).expect("the column has the type of the codec");
        rows.try_into_binary().expect("a column of a batch is smaller than 2 GiB")
    }

    /// The values of byte strings that [`NestedCodec::encode`] gave; `None` is NULL.
    pub(crate) fn decode<'a>(&self, values: impl Iterator<Item = Option<&'a [u8]>>) -> ArrayRef {
        let parser = self.converter.parser();
        let null_column = arrow::array::new_null_array(&self.data_type, 1);
        let null = self.converter.convert_columns(&[null_column]).expect("the NULL has the type of the codec");
        let rows = values.map(|bytes| bytes.map_or_else(|| null.row(0), |bytes| parser.parse(bytes)));
        let mut columns = self.converter.convert_rows(rows).expect("the bytes are from this converter");
        columns.swap_remove(0)
    }
}

/// The bytes of each value of a column of canonical nested type.
///
/// # Panics
/// If the type is not canonical: that is the contract of a [`ZBatch`](crate::ZBatch).
pub(crate) fn nested_bytes(column: &ArrayRef) -> BinaryArray {
    NestedCodec::try_new(column.data_type()).expect("columns have canonical types").encode(column)
}
