//! Exact decimal arithmetic.

use arrow::datatypes::i256;

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

/// Whether `value` has at most `precision` digits.
pub(crate) fn fits_precision(value: i128, precision: u8) -> bool {
    10u128.checked_pow(u32::from(precision)).is_none_or(|bound| value.unsigned_abs() < bound)
}
