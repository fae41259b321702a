//! Vectorised evaluation of expressions, with errors as values.
//!
//! An expression is evaluated a column at a time by Arrow's kernels. Those stop at the first row that fails, so a kernel that refuses
//! a batch is run again on halves of it until the failing rows stand alone ([`isolate`]): batches without failures pay nothing, and
//! whether a row fails never depends on its neighbours. Three rules hold at every node:
//!
//! - a row that fails has a NULL in the values, so that kernels skip it, and its error beside them;
//! - what a literal evaluates to stays one value ([`Value::Scalar`]) and is not spread over the rows before it must be;
//! - values are canonical ([`deltic_zset::types`]): kernels may compare floats by their bits.

mod arithmetic;
mod cast;
mod compare;
mod conditional;
pub(crate) mod decimal;
pub(crate) mod function;
mod in_list;
mod isolate;
mod logic;
mod strings;
mod temporal;
#[cfg(test)]
mod tests;
pub(crate) mod text;
mod value;

use arrow::array::{Array, ArrayRef, AsArray, new_empty_array};
use arrow::compute;
use arrow::datatypes::DataType;
use datafusion_common::ScalarValue;
use deltic_zset::types;

pub(crate) use strings::compile_regex;
use value::Evaluation;
pub(crate) use value::{Frame, Value};

use crate::errors::code;
use crate::{BinaryOp, EvalError, Expr, RowErrors};

/// The values of an expression over some rows.
#[derive(Clone, Debug)]
pub struct Evaluated {
    /// One value per row, of the type [`Expr::data_type`]; NULL where the row fails.
    pub values: ArrayRef,
    /// The rows that fail.
    pub errors: RowErrors,
}

impl Expr {
    /// The values of the expression on `rows` rows of `columns`. Columns that the expression does not read may have any length.
    pub fn evaluate(&self, columns: &[ArrayRef], rows: usize) -> Evaluated {
        Frame { columns, rows }.evaluate(self)
    }
}

impl Frame<'_> {
    /// The values of `expr` on every row of the frame.
    pub(crate) fn evaluate(&self, expr: &Expr) -> Evaluated {
        let data_type = expr.data_type();
        if self.rows == 0 {
            return Evaluated { values: new_empty_array(&data_type), errors: RowErrors::none() };
        }
        let Evaluation { value, mut errors } = evaluate(expr, self);
        let values = value.into_array(self.rows);
        if values.data_type() == &data_type {
            return Evaluated { values, errors };
        }
        let Evaluation { value, errors: more } = cast::cast(&Value::Array(values), &data_type, false, self.rows);
        errors.merge(more);
        Evaluated { values: value.into_array(self.rows), errors }
    }
}

/// The value of `expr` on the rows of `frame`, of which there is at least one. Only an untyped NULL may have another type than the expression.
fn evaluate(expr: &Expr, frame: &Frame<'_>) -> Evaluation {
    match expr {
        Expr::Column { index, .. } => Evaluation::of(frame.columns[*index].clone()),
        Expr::Literal(value) => literal(value, frame.rows),
        Expr::Binary { op: op @ (BinaryOp::And | BinaryOp::Or), left, right, .. } => {
            logic::and_or(*op == BinaryOp::And, left, right, frame)
        }
        Expr::Binary { op, left, right, data_type } => {
            let (left, right) = (evaluate(left, frame), evaluate(right, frame));
            strict(frame, [left, right], |[left, right]| binary(*op, &left, &right, data_type, frame.rows))
        }
        Expr::Not(input) => strict(frame, [evaluate(input, frame)], |[input]| {
            let Some(values) = input.inner().as_boolean_opt() else { return unsupported("NOT", &[&input], frame.rows) };
            Evaluation::from_kernel(compute::not(values), &input, frame.rows)
        }),
        Expr::Negative(input) => strict(frame, [evaluate(input, frame)], |[input]| arithmetic::negate(&input, frame.rows)),
        Expr::IsNull(input) => strict(frame, [evaluate(input, frame)], |[input]| {
            Evaluation::from_kernel(compute::is_null(input.inner()), &input, frame.rows)
        }),
        Expr::Case { branches, otherwise, data_type } => conditional::case(branches, otherwise.as_deref(), data_type, frame),
        Expr::Coalesce { arguments, data_type } => conditional::coalesce(arguments, data_type, frame),
        Expr::Cast { input, data_type, safe } => {
            strict(frame, [evaluate(input, frame)], |[input]| cast::cast_canonically(&input, data_type, *safe, frame.rows))
        }
        Expr::Like { input, pattern, negated, case_insensitive } => {
            let operands = [evaluate(input, frame), evaluate(pattern, frame)];
            strict(frame, operands, |[input, pattern]| strings::like(&input, &pattern, *negated, *case_insensitive, frame.rows))
        }
        Expr::InList { input, list, list_has_null, negated } => strict(frame, [evaluate(input, frame)], |[input]| {
            in_list::in_list(&input, list, *list_has_null, *negated, frame.rows)
        }),
        Expr::Function { function, arguments, return_field } => function::call(function, arguments, return_field, frame),
    }
}

/// Applies a function that fails on every row on which an operand fails.
fn strict<const N: usize>(
    frame: &Frame<'_>,
    operands: [Evaluation; N],
    apply: impl FnOnce([Value; N]) -> Evaluation,
) -> Evaluation {
    let mut errors = RowErrors::none();
    let values = operands.map(|operand| {
        errors.merge(operand.errors);
        operand.value
    });
    apply(values).failing_on(errors, frame.rows)
}

fn binary(op: BinaryOp, left: &Value, right: &Value, data_type: &DataType, rows: usize) -> Evaluation {
    match op {
        _ if op.is_comparison() => compare::compare(op, left, right, rows),
        _ if op.is_regex() => strings::regex(op, left, right, rows),
        BinaryOp::Concat => strings::concat(left, right, rows),
        BinaryOp::BitAnd | BinaryOp::BitOr | BinaryOp::BitXor | BinaryOp::ShiftLeft | BinaryOp::ShiftRight => {
            arithmetic::bitwise(op, left, right, rows)
        }
        _ => arithmetic::arithmetic(op, left, right, data_type, rows),
    }
}

fn literal(value: &ScalarValue, rows: usize) -> Evaluation {
    let array = value.to_array_of_size(1).map_err(|error| error.to_string());
    let array = array.and_then(|array| match array.data_type() {
        DataType::Null => Ok(array),
        _ => types::canonicalize(&array).map_err(|error| error.to_string()),
    });
    match array {
        Ok(array) => Evaluation { value: Value::Scalar(array), errors: RowErrors::none() },
        Err(message) => Evaluation::failed(&value.data_type(), rows, &EvalError::new(code::UNSUPPORTED, message)),
    }
}

/// `value` as `to`, for functions.
///
/// # Errors
/// The first row that has no counterpart.
pub(crate) fn cast(value: &Value, to: &DataType, rows: usize) -> Result<Value, String> {
    kernel_result(cast::cast(value, to, false, rows))
}

/// As [`cast`], with NULL for what has no counterpart.
///
/// # Errors
/// If there is no such cast.
pub(crate) fn try_cast(value: &Value, to: &DataType, rows: usize) -> Result<Value, String> {
    kernel_result(cast::cast(value, to, true, rows))
}

/// `left op right` for a comparison of operands of one type, for functions.
///
/// # Errors
/// If the types are not compared.
pub(crate) fn compare(op: BinaryOp, left: &Value, right: &Value, rows: usize) -> Result<ArrayRef, String> {
    Ok(kernel_result(compare::compare(op, left, right, rows))?.into_array(rows))
}

fn kernel_result(evaluation: Evaluation) -> Result<Value, String> {
    match evaluation.errors.iter().next() {
        None => Ok(evaluation.value),
        Some((_, error)) => Err(error.message.clone()),
    }
}

/// Every row fails because the operation has no meaning for these types. [`crate::validate`] keeps such expressions out.
fn unsupported(operation: &str, operands: &[&Value], rows: usize) -> Evaluation {
    let types: Vec<String> = operands.iter().map(|operand| text::sql_type(operand.inner().data_type())).collect();
    let message = format!("{operation} is not defined for {}", types.join(" and "));
    Evaluation::failed(&DataType::Boolean, rows, &EvalError::new(code::UNSUPPORTED, message))
}
