//! Exact decimal arithmetic: computed in 128 bits where that is enough, else in 256, rounded once to the scale of the result (half away
//! from zero, as PostgreSQL), and an error where the result has more digits than its type.

use std::sync::Arc;

use arrow::array::{Array, AsArray, Decimal128Array};
use arrow::datatypes::{DataType, Decimal128Type, i256};

use super::text::{render_or_null, sql_type};
use super::value::{Evaluation, Value};
use crate::errors::code;
use crate::{BinaryOp, EvalError, RowErrors};

/// `dividend / divisor` rounded half away from zero. The divisor is not zero.
pub(crate) fn divide_half_away(dividend: i256, divisor: i256) -> i256 {
    let quotient = dividend.wrapping_div(divisor);
    let remainder = dividend.wrapping_rem(divisor).wrapping_abs();
    // Twice the remainder could overflow; the distance to the divisor cannot.
    if remainder >= divisor.wrapping_abs().wrapping_sub(remainder) {
        let one = if (dividend < i256::ZERO) == (divisor < i256::ZERO) { i256::ONE } else { i256::MINUS_ONE };
        quotient.wrapping_add(one)
    } else {
        quotient
    }
}

/// A product of 64-bit numbers, which most are, is one instruction.
fn multiply(left: i128, right: i128) -> Option<i128> {
    match (i64::try_from(left), i64::try_from(right)) {
        (Ok(left), Ok(right)) => Some(i128::from(left) * i128::from(right)),
        _ => left.checked_mul(right),
    }
}

/// [`divide_half_away`] in 128 bits; `None` for a divisor of zero, and where the magnitudes do not fit.
fn divide_half_away_narrow(dividend: i128, divisor: i128) -> Option<i128> {
    let (quotient, remainder) = match (i64::try_from(dividend), i64::try_from(divisor)) {
        // The processor divides 64 bits several times faster.
        (Ok(dividend), Ok(divisor)) => {
            let quotient = dividend.checked_div(divisor)?;
            (i128::from(quotient), i128::from(dividend) - i128::from(quotient) * i128::from(divisor))
        }
        _ => (dividend.checked_div(divisor)?, dividend.checked_rem(divisor)?),
    };
    if remainder.unsigned_abs() >= divisor.unsigned_abs() - remainder.unsigned_abs() {
        quotient.checked_add(if (dividend < 0) == (divisor < 0) { 1 } else { -1 })
    } else {
        Some(quotient)
    }
}

/// Whether `value` has at most `precision` digits.
pub(crate) fn fits_precision(value: i128, precision: u8) -> bool {
    10u128.checked_pow(u32::from(precision)).is_none_or(|bound| value.unsigned_abs() < bound)
}

/// `left op right` of the decimal type `data_type`.
pub(super) fn arithmetic(op: BinaryOp, left: &Value, right: &Value, data_type: &DataType, rows: usize) -> Evaluation {
    let Some(operation) = Operation::new(op, left, right, data_type) else {
        return super::unsupported(&op.to_string(), &[left, right], rows);
    };
    let scalar = left.is_scalar() && right.is_scalar();
    let all_rows = rows;
    let rows = if scalar { 1 } else { rows };
    let (left_values, right_values) =
        (left.inner().as_primitive::<Decimal128Type>().values(), right.inner().as_primitive::<Decimal128Type>().values());
    let nulls = arrow::buffer::NullBuffer::union(left.validity(rows).as_ref(), right.validity(rows).as_ref());
    let mut values = vec![0i128; rows];
    let mut errors = RowErrors::none();
    for (row, value) in values.iter_mut().enumerate() {
        if nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
            continue;
        }
        let (l, r) = (left_values[left.position(row)], right_values[right.position(row)]);
        match operation.apply(l, r) {
            Some(result) => *value = result,
            None => errors.insert(row, operation.explain(left, right, row, r, data_type)),
        }
    }
    let array = Decimal128Array::new(values.into(), nulls).with_data_type(data_type.clone());
    match errors.get(0) {
        Some(error) if scalar => Evaluation::failed(data_type, all_rows, error),
        None if scalar => Evaluation { value: Value::Scalar(Arc::new(array)), errors },
        _ => Evaluation::of(Arc::new(array)).failing_on(errors, rows),
    }
}

/// An operator with the powers of ten that its operands and its result are scaled by.
struct Operation {
    op: BinaryOp,
    /// What brings the operands to one scale (for a quotient: the dividend to that of the result).
    left_factor: i256,
    right_factor: i256,
    /// What the exact result is divided by.
    divisor: i256,
    /// The three of them, if they fit 128 bits.
    narrow: Option<[i128; 3]>,
    /// Results are smaller: ten to the precision.
    bound: u128,
}

impl Operation {
    fn new(op: BinaryOp, left: &Value, right: &Value, data_type: &DataType) -> Option<Self> {
        let (DataType::Decimal128(_, s1), DataType::Decimal128(_, s2), DataType::Decimal128(precision, scale)) =
            (left.inner().data_type(), right.inner().data_type(), data_type)
        else {
            return None;
        };
        let (s1, s2, scale) = (i32::from(*s1), i32::from(*s2), i32::from(*scale));
        let (left_shift, right_shift, natural) = match op {
            BinaryOp::Add | BinaryOp::Subtract | BinaryOp::Modulo => (s1.max(s2) - s1, s1.max(s2) - s2, s1.max(s2)),
            BinaryOp::Multiply => (0, 0, s1 + s2),
            BinaryOp::Divide => ((scale - s1 + s2).max(0), (s1 - s2 - scale).max(0), scale),
            _ => return None,
        };
        // More digits in the result than are exact only append zeros.
        let zeros = (scale - natural).max(0);
        let (left_shift, right_shift) = match op {
            BinaryOp::Divide => (left_shift, right_shift),
            BinaryOp::Multiply => (left_shift + zeros, right_shift),
            _ => (left_shift + zeros, right_shift + zeros),
        };
        let power = |shift: i32| i256::from_i128(10).checked_pow(u32::try_from(shift).ok()?);
        let (left_factor, right_factor, divisor) = (power(left_shift)?, power(right_shift)?, power((natural - scale).max(0))?);
        let narrow = || Some([left_factor.to_i128()?, right_factor.to_i128()?, divisor.to_i128()?]);
        let bound = 10u128.checked_pow(u32::from(*precision)).unwrap_or(u128::MAX);
        Some(Operation { op, left_factor, right_factor, divisor, narrow: narrow(), bound })
    }

    /// The result, or `None` if there is none: division by zero or too many digits.
    fn apply(&self, left: i128, right: i128) -> Option<i128> {
        let result = match self.apply_narrow(left, right) {
            Some(result) => result,
            None => self.apply_wide(left, right)?,
        };
        (result.unsigned_abs() < self.bound).then_some(result)
    }

    /// The exact result in 128 bits, or `None` if they are too few (or there is no result).
    fn apply_narrow(&self, left: i128, right: i128) -> Option<i128> {
        let [left_factor, right_factor, divisor] = self.narrow?;
        let left = if left_factor == 1 { left } else { multiply(left, left_factor)? };
        let right = if right_factor == 1 { right } else { multiply(right, right_factor)? };
        let exact = match self.op {
            BinaryOp::Add => left.checked_add(right)?,
            BinaryOp::Subtract => left.checked_sub(right)?,
            BinaryOp::Multiply => multiply(left, right)?,
            BinaryOp::Divide => return divide_half_away_narrow(left, right),
            _ => left.checked_rem(right)?,
        };
        if divisor == 1 { Some(exact) } else { divide_half_away_narrow(exact, divisor) }
    }

    fn apply_wide(&self, left: i128, right: i128) -> Option<i128> {
        let left = i256::from_i128(left).checked_mul(self.left_factor)?;
        let right = i256::from_i128(right).checked_mul(self.right_factor)?;
        let exact = match self.op {
            BinaryOp::Add => left.checked_add(right)?,
            BinaryOp::Subtract => left.checked_sub(right)?,
            BinaryOp::Multiply => left.checked_mul(right)?,
            _ if right == i256::ZERO => return None,
            BinaryOp::Divide => return divide_half_away(left, right).to_i128(),
            _ => left.wrapping_rem(right),
        };
        if self.divisor == i256::ONE { exact.to_i128() } else { divide_half_away(exact, self.divisor).to_i128() }
    }

    fn explain(&self, left: &Value, right: &Value, row: usize, divisor: i128, data_type: &DataType) -> EvalError {
        let left = render_or_null(left.inner(), left.position(row));
        let right = render_or_null(right.inner(), right.position(row));
        let operands = format!("{left} {} {right}", self.op);
        if divisor == 0 && matches!(self.op, BinaryOp::Divide | BinaryOp::Modulo) {
            EvalError::new(code::DIVISION_BY_ZERO, format!("division by zero: {operands}"))
        } else {
            EvalError::new(code::OVERFLOW, format!("{} out of range: {operands}", sql_type(data_type)))
        }
    }
}
