//! The arguments of one call, and builders for its result.

use arrow::array::{
    ArrayAccessor, ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array, NullBufferBuilder, PrimitiveArray, StringArray,
};
use arrow::buffer::{OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{ArrowPrimitiveType, DataType, Float64Type, Int64Type};
use datafusion_common::{Result, ScalarValue};
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs};
use std::sync::Arc;

use crate::eval::Value;

/// What is known of a call before there are rows: the types, and the constants among the arguments.
pub(super) struct Bind<'a> {
    pub(super) types: &'a [DataType],
    pub(super) constants: &'a [Option<&'a ScalarValue>],
}

impl Bind<'_> {
    /// The constant text of argument `index`.
    pub(super) fn constant_text(&self, index: usize) -> Option<&str> {
        match self.constants.get(index).copied().flatten()? {
            ScalarValue::Utf8(text) | ScalarValue::LargeUtf8(text) | ScalarValue::Utf8View(text) => text.as_deref(),
            _ => None,
        }
    }
}

/// The arguments of a call.
pub(super) struct Call<'a> {
    arguments: Vec<Value>,
    /// The number of rows.
    pub(super) rows: usize,
    /// The type of the result.
    pub(super) returns: &'a DataType,
}

impl<'a> Call<'a> {
    pub(super) fn new(arguments: &'a ScalarFunctionArgs) -> Result<Self> {
        let values = arguments.args.iter().map(|argument| match argument {
            ColumnarValue::Array(array) => Ok(Value::Array(array.clone())),
            ColumnarValue::Scalar(value) => value.to_array_of_size(1).map(Value::Scalar),
        });
        let values = values.collect::<Result<_>>()?;
        Ok(Call { arguments: values, rows: arguments.number_rows, returns: arguments.return_field.data_type() })
    }

    /// The number of arguments.
    pub(super) fn len(&self) -> usize {
        self.arguments.len()
    }

    /// Argument `index` as it is.
    pub(super) fn value(&self, index: usize) -> &Value {
        &self.arguments[index]
    }

    /// Argument `index`, one value per row.
    pub(super) fn column(&self, index: usize) -> ArrayRef {
        self.arguments[index].clone().into_array(self.rows)
    }

    /// A text.
    pub(super) fn text(&self, index: usize) -> Argument<&StringArray> {
        self.argument(index, |array| array.as_string::<i32>())
    }

    /// A text, if it is given.
    pub(super) fn optional_text(&self, index: usize) -> Option<Argument<&StringArray>> {
        (index < self.len()).then(|| self.text(index))
    }

    /// An integer.
    pub(super) fn integer(&self, index: usize) -> Argument<&Int64Array> {
        self.primitive::<Int64Type>(index)
    }

    /// An integer, if it is given.
    pub(super) fn optional_integer(&self, index: usize) -> Option<Argument<&Int64Array>> {
        (index < self.len()).then(|| self.integer(index))
    }

    /// A double.
    pub(super) fn double(&self, index: usize) -> Argument<&Float64Array> {
        self.primitive::<Float64Type>(index)
    }

    /// A value of primitive type `T`.
    pub(super) fn primitive<T: ArrowPrimitiveType>(&self, index: usize) -> Argument<&PrimitiveArray<T>> {
        self.argument(index, |array| array.as_primitive::<T>())
    }

    fn argument<'s, A>(&'s self, index: usize, typed: impl FnOnce(&'s ArrayRef) -> A) -> Argument<A> {
        let value = &self.arguments[index];
        Argument { array: typed(value.inner()), scalar: value.is_scalar() }
    }

    /// Texts, one per row: `write` appends that of a row and says whether it is not NULL.
    pub(super) fn write(&self, mut write: impl FnMut(usize, &mut String) -> Result<bool, String>) -> Result<ArrayRef, String> {
        let mut texts = Texts::new(self.rows);
        for row in 0..self.rows {
            let is_value = write(row, &mut texts.values)?;
            texts.end(is_value)?;
        }
        Ok(texts.finish())
    }

    /// Numbers (of any primitive type), one per row.
    pub(super) fn compute<T: ArrowPrimitiveType>(
        &self,
        mut compute: impl FnMut(usize) -> Result<Option<T::Native>, String>,
    ) -> Result<ArrayRef, String> {
        let values = (0..self.rows).map(&mut compute).collect::<Result<Vec<_>, String>>()?;
        Ok(Arc::new(PrimitiveArray::<T>::from_iter(values).with_data_type(self.returns.clone())))
    }

    /// Truth values, one per row.
    pub(super) fn test(&self, mut test: impl FnMut(usize) -> Result<Option<bool>, String>) -> Result<ArrayRef, String> {
        let values = (0..self.rows).map(&mut test).collect::<Result<BooleanArray, String>>()?;
        Ok(Arc::new(values))
    }
}

/// One argument by row.
#[derive(Clone, Copy)]
pub(super) struct Argument<A> {
    array: A,
    scalar: bool,
}

impl<A: ArrayAccessor> Argument<A> {
    /// The value at `row`; `None` is NULL.
    #[inline]
    pub(super) fn get(&self, row: usize) -> Option<A::Item> {
        let position = if self.scalar { 0 } else { row };
        self.array.is_valid(position).then(|| self.array.value(position))
    }

    /// The value of all rows, if they have one.
    pub(super) fn constant(&self) -> Option<A::Item> {
        if self.scalar { self.get(0) } else { None }
    }
}

/// Texts in one buffer.
pub(super) struct Texts {
    /// All texts, end to end. What is appended belongs to the next one.
    pub(super) values: String,
    offsets: Vec<i32>,
    nulls: NullBufferBuilder,
}

impl Texts {
    pub(super) fn new(rows: usize) -> Self {
        let mut offsets = Vec::with_capacity(rows + 1);
        offsets.push(0);
        Texts { values: String::with_capacity(rows * 16), offsets, nulls: NullBufferBuilder::new(rows) }
    }

    /// Ends a text; one that is NULL loses what was appended for it.
    pub(super) fn end(&mut self, is_value: bool) -> Result<(), String> {
        if !is_value {
            let start = self.offsets.last().map_or(0, |offset| *offset as usize);
            self.values.truncate(start);
        }
        self.nulls.append(is_value);
        let end = i32::try_from(self.values.len()).map_err(|_| "the texts of one batch exceed 2 GiB".to_owned())?;
        self.offsets.push(end);
        Ok(())
    }

    pub(super) fn finish(mut self) -> ArrayRef {
        let offsets = OffsetBuffer::new(ScalarBuffer::from(self.offsets));
        Arc::new(StringArray::new(offsets, self.values.into_bytes().into(), self.nulls.finish()))
    }
}
