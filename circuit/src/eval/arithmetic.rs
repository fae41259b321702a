//! `+ - * / %`, negation and bit operations. Nothing wraps: what does not fit is an error of its row.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::kernels::{bitwise, numeric};
use arrow::datatypes::{DataType, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type};
use arrow::error::ArrowError;
use deltic_zset::types;

use super::isolate::isolate;
use super::text::{render_or_null, sql_type};
use super::value::{Evaluation, Value};
use super::{cast, decimal, temporal};
use crate::errors::code;
use crate::{BinaryOp, EvalError};

/// `left op right`, converted to `data_type` if the operator's own type is another.
pub(super) fn arithmetic(op: BinaryOp, left: &Value, right: &Value, data_type: &DataType, rows: usize) -> Evaluation {
    let (left_type, right_type) = (left.inner().data_type(), right.inner().data_type());
    let natural = op.result_type(left_type, right_type).unwrap_or_else(|| data_type.clone());
    let result = match (left_type, right_type) {
        (DataType::Decimal128(..), DataType::Decimal128(..)) => return decimal::arithmetic(op, left, right, data_type, rows),
        _ if temporal::is_own(op, left_type, right_type) => temporal::arithmetic(op, left, right, &natural, rows),
        _ => kernel(op, left, right, &natural, rows),
    };
    if result.value.inner().data_type() == data_type {
        return result;
    }
    let mut converted = cast::cast(&result.value, data_type, false, rows);
    let mut errors = result.errors;
    errors.merge(converted.errors);
    converted.errors = errors;
    converted
}

/// Arrow's checked kernels: integers of one type, floats, timestamps and intervals.
fn kernel(op: BinaryOp, left: &Value, right: &Value, data_type: &DataType, rows: usize) -> Evaluation {
    if let Some(shifted) = temporal::shifted(op, left, right) {
        return Evaluation::of(shifted);
    }
    let apply = |inputs: &[Value], _rows: usize| -> Result<ArrayRef, String> {
        let result = match op {
            BinaryOp::Add => numeric::add(&inputs[0], &inputs[1]),
            BinaryOp::Subtract => numeric::sub(&inputs[0], &inputs[1]),
            BinaryOp::Multiply => numeric::mul(&inputs[0], &inputs[1]),
            BinaryOp::Divide => numeric::div(&inputs[0], &inputs[1]),
            BinaryOp::Modulo => numeric::rem(&inputs[0], &inputs[1]),
            _ => Err(ArrowError::InvalidArgumentError(format!("{op} is not arithmetic"))),
        };
        let array = result.map_err(|error| message(&error))?;
        Ok(if array.data_type().is_floating() { types::canonicalize_floats(array) } else { array })
    };
    isolate(&[left.clone(), right.clone()], rows, data_type, &apply, &|inputs, message| {
        explain(op, &inputs[0], &inputs[1], message)
    })
}

const DIVIDE_BY_ZERO: &str = "division by zero";
const UNSUPPORTED: &str = "unsupported";

/// Which of the three failures an Arrow kernel means. Its own words carry positions in some versions, so they do not get into errors.
fn message(error: &ArrowError) -> String {
    match error {
        ArrowError::DivideByZero => DIVIDE_BY_ZERO.to_owned(),
        ArrowError::InvalidArgumentError(_) => UNSUPPORTED.to_owned(),
        _ => String::new(),
    }
}

/// The error of one row.
pub(super) fn explain(op: BinaryOp, left: &Value, right: &Value, message: String) -> EvalError {
    let operands = format!("{} {op} {}", render_or_null(left.inner(), 0), render_or_null(right.inner(), 0));
    match message.as_str() {
        DIVIDE_BY_ZERO => EvalError::new(code::DIVISION_BY_ZERO, format!("division by zero: {operands}")),
        UNSUPPORTED => {
            let types = (sql_type(left.inner().data_type()), sql_type(right.inner().data_type()));
            EvalError::new(code::UNSUPPORTED, format!("{op} is not defined for {} and {}", types.0, types.1))
        }
        _ => {
            let data_type = sql_type(left.inner().data_type());
            EvalError::new(code::OVERFLOW, format!("{data_type} out of range: {operands}"))
        }
    }
}

/// `- input`. The least integer has no negative.
pub(super) fn negate(input: &Value, rows: usize) -> Evaluation {
    let data_type = input.inner().data_type().clone();
    let apply = |inputs: &[Value], _rows: usize| {
        let array = numeric::neg(inputs[0].inner()).map_err(|error| message(&error))?;
        Ok(if data_type.is_floating() { types::canonicalize_floats(array) } else { array })
    };
    isolate(std::slice::from_ref(input), rows, &data_type, &apply, &|inputs, message| {
        let (value, data_type) = (render_or_null(inputs[0].inner(), 0), sql_type(&data_type));
        match message.as_str() {
            UNSUPPORTED => EvalError::new(code::UNSUPPORTED, format!("- is not defined for {data_type}")),
            _ => EvalError::new(code::OVERFLOW, format!("{data_type} out of range: - ({value})")),
        }
    })
}

/// `& | # << >>` on integers of one type. Shifts count modulo the width, as the processor's (and PostgreSQL's).
pub(super) fn bitwise(op: BinaryOp, left: &Value, right: &Value, rows: usize) -> Evaluation {
    let (left, right) = (left.clone().into_array(rows), right.clone().into_array(rows));
    macro_rules! typed {
        ($type:ty) => {{
            let (left, right) = (left.as_primitive::<$type>(), right.as_primitive::<$type>());
            let result = match op {
                BinaryOp::BitAnd => bitwise::bitwise_and(left, right),
                BinaryOp::BitOr => bitwise::bitwise_or(left, right),
                BinaryOp::BitXor => bitwise::bitwise_xor(left, right),
                BinaryOp::ShiftLeft => bitwise::bitwise_shift_left(left, right),
                _ => bitwise::bitwise_shift_right(left, right),
            };
            result.ok().map(|array| Arc::new(array) as ArrayRef)
        }};
    }
    let result = match left.data_type() {
        _ if left.data_type() != right.data_type() => None,
        DataType::Int8 => typed!(Int8Type),
        DataType::Int16 => typed!(Int16Type),
        DataType::Int32 => typed!(Int32Type),
        DataType::Int64 => typed!(Int64Type),
        DataType::UInt8 => typed!(UInt8Type),
        DataType::UInt16 => typed!(UInt16Type),
        DataType::UInt32 => typed!(UInt32Type),
        DataType::UInt64 => typed!(UInt64Type),
        _ => None,
    };
    match result {
        Some(array) => Evaluation::of(array),
        None => super::unsupported(&op.to_string(), &[&Value::Array(left), &Value::Array(right)], rows),
    }
}
