//! Scalar functions of DataFusion, with their failures brought down to rows.
//!
//! A function refuses a whole batch when one row is bad, and may panic on an odd one. Both end as an error of that row: the batch is bisected
//! until the row stands alone, and a panic is caught. Results are made canonical, because functions return other spellings of a type
//! (`Utf8View`, nanoseconds), negative zeros and NaNs of many kinds.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, LazyLock};

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, PrimitiveArray, downcast_primitive_array, make_array};
use arrow::buffer::NullBuffer;
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, FieldRef};
use arrow::util::display::FormatOptions;
use datafusion_common::config::ConfigOptions;
use datafusion_common::{DataFusionError, ScalarValue};
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF};
use deltic_zset::types;

use super::cast;
use super::isolate::isolate;
use super::value::{Evaluation, Frame, Value};
use crate::errors::code;
use crate::{EvalError, Expr, RowErrors};

static CONFIG: LazyLock<Arc<ConfigOptions>> = LazyLock::new(|| Arc::new(ConfigOptions::default()));

/// `function(arguments)`.
pub(super) fn call(function: &Arc<ScalarUDF>, arguments: &[Expr], return_field: &FieldRef, frame: &Frame<'_>) -> Evaluation {
    let mut errors = RowErrors::none();
    let mut values: Vec<Value> = Vec::with_capacity(arguments.len());
    for argument in arguments {
        let evaluation = argument_value(argument, frame);
        errors.merge(evaluation.errors);
        values.push(evaluation.value);
    }
    let fields: Vec<FieldRef> =
        values.iter().map(|value| Arc::new(Field::new("", value.inner().data_type().clone(), true)) as FieldRef).collect();
    let data_type = types::canonical_type(return_field.data_type()).unwrap_or_else(|| return_field.data_type().clone());
    let apply = |inputs: &[Value], rows: usize| -> Result<ArrayRef, String> {
        let arguments = ScalarFunctionArgs {
            args: inputs.iter().map(columnar).collect::<Result<_, _>>().map_err(|error| text(&error))?,
            arg_fields: fields.clone(),
            number_rows: rows,
            return_field: return_field.clone(),
            config_options: CONFIG.clone(),
        };
        let result = catch_unwind(AssertUnwindSafe(|| function.invoke_with_args(arguments)));
        let result = result.unwrap_or_else(|panic| Err(DataFusionError::Execution(panic_text(panic.as_ref()))));
        let array = result.and_then(|result| result.into_array(rows)).map_err(|error| text(&error))?;
        match array.len() {
            len if len == rows && IS_NULL_OF_NULLS.contains(&function.name()) => canonical(&masked(&array, inputs), &data_type),
            len if len == rows => canonical(&array, &data_type),
            len => Err(format!("{len} values for {rows} rows")),
        }
    };
    // A function without arguments has no rows to cut: it is asked for each row at once.
    let result = isolate(&values, frame.rows, &data_type, &apply, &|_, message| {
        EvalError::new(code::FUNCTION, format!("{}: {message}", function.name()))
    });
    result.failing_on(errors, frame.rows)
}

/// Functions that are NULL as soon as an argument is, but that DataFusion answers otherwise where all second arguments of a batch are NULL or empty: so a
/// row would depend on its neighbours.
const IS_NULL_OF_NULLS: [&str; 2] = ["array_has_any", "array_has_all"];

/// `array` with NULL wherever one of `inputs` is.
fn masked(array: &ArrayRef, inputs: &[Value]) -> ArrayRef {
    let mut nulls = array.nulls().cloned();
    for input in inputs {
        let of_input = match input {
            Value::Scalar(value) => value.is_null(0).then(|| NullBuffer::new_null(array.len())),
            Value::Array(values) => values.nulls().cloned(),
        };
        nulls = NullBuffer::union(nulls.as_ref(), of_input.as_ref());
    }
    let masked = array.to_data().into_builder().nulls(nulls).build();
    masked.map_or_else(|_| array.clone(), make_array)
}

/// The result in the type that the call promised, up to its spelling (names of list elements, say).
fn canonical(array: &ArrayRef, data_type: &DataType) -> Result<ArrayRef, String> {
    let array = types::canonicalize(array).map_err(|error| error.to_string())?;
    if array.data_type() == data_type {
        return Ok(array);
    }
    let strict = CastOptions { safe: false, format_options: FormatOptions::default() };
    cast_with_options(&array, data_type, &strict).map_err(|error| error.to_string())
}

/// Literals and casts keep the spelling of their type: it is what the function asked for.
fn argument_value(argument: &Expr, frame: &Frame<'_>) -> Evaluation {
    match argument {
        Expr::Literal(value) => match value.to_array_of_size(1) {
            Ok(array) => Evaluation { value: Value::Scalar(array), errors: RowErrors::none() },
            Err(_) => super::evaluate(argument, frame),
        },
        Expr::Cast { input, data_type, safe } => {
            super::strict(frame, [super::evaluate(input, frame)], |[input]| cast::cast(&input, data_type, *safe, frame.rows))
        }
        _ => super::evaluate(argument, frame),
    }
}

fn columnar(value: &Value) -> Result<ColumnarValue, DataFusionError> {
    Ok(match value {
        Value::Array(array) => ColumnarValue::Array(over_zeros(array)),
        Value::Scalar(array) => ColumnarValue::Scalar(ScalarValue::try_from_array(array, 0)?),
    })
}

/// The same values with zeros below its NULLs: functions compute on what is there too, and some overflow on it.
fn over_zeros(array: &ArrayRef) -> ArrayRef {
    if array.null_count() == 0 {
        return array.clone();
    }
    downcast_primitive_array!(
        array => Arc::new(zeroed(array)),
        _ => array.clone(),
    )
}

fn zeroed<T: ArrowPrimitiveType>(array: &PrimitiveArray<T>) -> PrimitiveArray<T> {
    let values = array.iter().map(Option::unwrap_or_default).collect();
    PrimitiveArray::new(values, array.nulls().cloned()).with_data_type(array.data_type().clone())
}

/// The first line of the message, without the prefixes that say which layer of DataFusion spoke.
fn text(error: &DataFusionError) -> String {
    let text = match error.find_root() {
        DataFusionError::Execution(message) => message.clone(),
        other => other.strip_backtrace(),
    };
    text.lines().next().unwrap_or_default().to_owned()
}

/// What a panic said.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> String {
    let message = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    message.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "panicked".to_owned())
}
