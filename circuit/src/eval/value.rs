//! What flows between the nodes of an expression: a column or one value, beside errors; and the frame it is evaluated in.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, Datum, UInt32Array, new_null_array};
use arrow::buffer::NullBuffer;
use arrow::compute;
use arrow::datatypes::DataType;
use arrow::error::ArrowError;

use crate::errors::code;
use crate::{EvalError, Expr, RowErrors};

/// One value per row, or one for all rows.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Array(ArrayRef),
    /// An array of length 1.
    Scalar(ArrayRef),
}

impl Datum for Value {
    fn get(&self) -> (&dyn Array, bool) {
        match self {
            Value::Array(array) => (array.as_ref(), false),
            Value::Scalar(array) => (array.as_ref(), true),
        }
    }
}

impl Value {
    /// The array, of length 1 for a scalar.
    pub(crate) fn inner(&self) -> &ArrayRef {
        match self {
            Value::Array(array) | Value::Scalar(array) => array,
        }
    }

    pub(crate) fn is_scalar(&self) -> bool {
        matches!(self, Value::Scalar(_))
    }

    /// The position of row `row` in [`Value::inner`].
    pub(crate) fn position(&self, row: usize) -> usize {
        if self.is_scalar() { 0 } else { row }
    }

    /// One value per row.
    pub(crate) fn into_array(self, rows: usize) -> ArrayRef {
        match self {
            Value::Array(array) => array,
            Value::Scalar(array) if rows == 1 => array,
            Value::Scalar(array) if array.is_null(0) => new_null_array(array.data_type(), rows),
            Value::Scalar(array) => spread(&array, rows),
        }
    }

    /// Rows `offset .. offset + rows`.
    pub(crate) fn slice(&self, offset: usize, rows: usize) -> Value {
        match self {
            Value::Array(array) => Value::Array(array.slice(offset, rows)),
            Value::Scalar(array) => Value::Scalar(array.clone()),
        }
    }

    /// Which of `rows` rows are not NULL; `None` if all are.
    pub(crate) fn validity(&self, rows: usize) -> Option<NullBuffer> {
        match self {
            Value::Array(array) => array.logical_nulls().filter(|nulls| nulls.null_count() > 0),
            Value::Scalar(array) => array.is_null(0).then(|| NullBuffer::new_null(rows)),
        }
    }
}

fn spread(array: &ArrayRef, rows: usize) -> ArrayRef {
    let positions = UInt32Array::from(vec![0; rows]);
    compute::take(array, &positions, None).unwrap_or_else(|_| new_null_array(array.data_type(), rows))
}

/// A value with the rows that fail; those are NULL in it. A scalar has no failing rows: if it fails, it is an array.
#[derive(Clone, Debug)]
pub(crate) struct Evaluation {
    pub(crate) value: Value,
    pub(crate) errors: RowErrors,
}

impl Evaluation {
    /// Values without errors.
    pub(crate) fn of(array: ArrayRef) -> Self {
        Evaluation { value: Value::Array(array), errors: RowErrors::none() }
    }

    /// `array` in the form of `like`: a scalar if that is one.
    pub(crate) fn like(array: ArrayRef, like: &Value) -> Self {
        let value = if like.is_scalar() { Value::Scalar(array) } else { Value::Array(array) };
        Evaluation { value, errors: RowErrors::none() }
    }

    /// Every row fails with `error`.
    pub(crate) fn failed(data_type: &DataType, rows: usize, error: &EvalError) -> Self {
        let mut errors = RowErrors::none();
        (0..rows).for_each(|row| errors.insert(row, error.clone()));
        Evaluation { value: Value::Array(new_null_array(data_type, rows)), errors }
    }

    /// What a kernel that cannot fail on a row returned for the one operand `input`.
    pub(crate) fn from_kernel<A: Array + 'static>(result: Result<A, ArrowError>, input: &Value, rows: usize) -> Self {
        match result {
            Ok(array) => Evaluation::like(Arc::new(array), input),
            Err(error) => Evaluation::failed(&DataType::Boolean, rows, &EvalError::new(code::UNSUPPORTED, error.to_string())),
        }
    }

    /// The same values, but the rows of `errors` fail (with these errors, if they failed already).
    pub(crate) fn failing_on(self, mut errors: RowErrors, rows: usize) -> Self {
        if errors.is_empty() {
            return self;
        }
        let values = null_out(&self.value.into_array(rows), &errors);
        errors.merge(self.errors);
        Evaluation { value: Value::Array(values), errors }
    }
}

/// `values` with NULL at the rows of `errors`.
fn null_out(values: &ArrayRef, errors: &RowErrors) -> ArrayRef {
    let mut valid = vec![true; values.len()];
    errors.iter().for_each(|(row, _)| valid[row] = false);
    let invalid = BooleanArray::from_iter(valid.into_iter().map(|valid| Some(!valid)));
    compute::nullif(values, &invalid).unwrap_or_else(|_| new_null_array(values.data_type(), values.len()))
}

/// The rows that an expression is evaluated on.
#[derive(Clone, Copy)]
pub(crate) struct Frame<'a> {
    /// All columns of the input. Those that the expression does not read may have another length.
    pub(crate) columns: &'a [ArrayRef],
    /// The number of rows.
    pub(crate) rows: usize,
}

impl Frame<'_> {
    /// The value of `expr` on the rows `selection` alone, in their order.
    pub(crate) fn evaluate_on(&self, expr: &Expr, selection: &[u32]) -> Evaluation {
        let rows = selection.len();
        if rows == 0 {
            return Evaluation::of(arrow::array::new_empty_array(&expr.data_type()));
        }
        let columns = self.gather(std::slice::from_ref(expr), selection);
        super::evaluate(expr, &Frame { columns: &columns, rows })
    }

    /// The columns with those that `exprs` read reduced to `selection`.
    pub(crate) fn gather(&self, exprs: &[Expr], selection: &[u32]) -> Vec<ArrayRef> {
        let mut read = BTreeSet::new();
        exprs.iter().for_each(|expr| expr.columns(&mut read));
        let positions = UInt32Array::from(selection.to_vec());
        let mut columns = self.columns.to_vec();
        for index in read {
            let column = &self.columns[index];
            columns[index] =
                compute::take(column, &positions, None).unwrap_or_else(|_| new_null_array(column.data_type(), selection.len()));
        }
        columns
    }
}

/// Puts what was evaluated on the rows `selection` back to their places among `rows` rows; the others are NULL.
pub(crate) fn scatter(evaluation: Evaluation, selection: &[u32], rows: usize) -> Evaluation {
    let mut places = vec![None; rows];
    for (position, &row) in selection.iter().enumerate() {
        places[row as usize] = Some(evaluation.value.position(position) as u32);
    }
    let inner = evaluation.value.inner();
    let values = match inner.len() {
        0 => new_null_array(inner.data_type(), rows),
        _ => compute::take(inner, &UInt32Array::from(places), None).unwrap_or_else(|_| new_null_array(inner.data_type(), rows)),
    };
    Evaluation { value: Value::Array(values), errors: evaluation.errors.renumber(selection) }
}
