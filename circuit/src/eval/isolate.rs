//! Finding the rows on which a kernel fails.

use std::ops::Range;

use arrow::array::{Array, ArrayRef, new_null_array};
use arrow::compute;
use arrow::datatypes::DataType;

use super::value::{Evaluation, Value};
use crate::{EvalError, RowErrors};

/// Computes a column from the rows of its inputs, or refuses them.
pub(super) type Kernel<'a> = dyn Fn(&[Value], usize) -> Result<ArrayRef, String> + 'a;

/// Runs `kernel` on `rows` rows of `inputs`; if it refuses, on ever smaller parts of them, until each failing row stands alone and
/// `explain` says why it fails. `explain` gets the inputs cut to that one row and the kernel's own message.
///
/// A kernel must be a function of each row: then so are values and errors, whatever the batch. With f failing rows the kernel runs
/// O(f log(rows)) times. `data_type` is the type of what `kernel` returns.
pub(super) fn isolate(
    inputs: &[Value],
    rows: usize,
    data_type: &DataType,
    kernel: &Kernel<'_>,
    explain: &dyn Fn(&[Value], String) -> EvalError,
) -> Evaluation {
    // If every input is one value, so is the result.
    let scalar = !inputs.is_empty() && inputs.iter().all(Value::is_scalar);
    let run = Run { inputs, data_type, kernel, explain };
    if scalar {
        return match kernel(inputs, 1) {
            Ok(array) => Evaluation { value: Value::Scalar(array), errors: RowErrors::none() },
            Err(message) => Evaluation::failed(data_type, rows, &explain(inputs, message)),
        };
    }
    let (mut parts, mut errors) = (Vec::new(), RowErrors::none());
    run.range(0..rows, &mut parts, &mut errors);
    let values = match parts.as_slice() {
        [part] => part.clone(),
        parts => {
            let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
            compute::concat(&parts).unwrap_or_else(|_| new_null_array(data_type, rows))
        }
    };
    Evaluation { value: Value::Array(values), errors }
}

struct Run<'a> {
    inputs: &'a [Value],
    data_type: &'a DataType,
    kernel: &'a Kernel<'a>,
    explain: &'a dyn Fn(&[Value], String) -> EvalError,
}

impl Run<'_> {
    fn range(&self, range: Range<usize>, parts: &mut Vec<ArrayRef>, errors: &mut RowErrors) {
        let inputs: Vec<Value> = self.inputs.iter().map(|input| input.slice(range.start, range.len())).collect();
        match (self.kernel)(&inputs, range.len()) {
            Ok(part) => parts.push(part),
            Err(message) if range.len() == 1 => {
                errors.insert(range.start, (self.explain)(&inputs, message));
                parts.push(new_null_array(self.data_type, 1));
            }
            Err(_) => {
                let middle = range.start + range.len() / 2;
                self.range(range.start..middle, parts, errors);
                self.range(middle..range.end, parts, errors);
            }
        }
    }
}
