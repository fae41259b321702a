//! BIT_AND, BIT_OR, BIT_XOR, BOOL_AND and BOOL_OR: how often each bit is set.
//!
//! A bit of the conjunction is set if it is set in every value, of the disjunction in any, of the exclusive one in an odd number: all three are
//! questions to one count, which is linear. Counts are modulo 2^64.

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use deltic_circuit::AggregateFunction;
use deltic_circuit::aggregate::AggregateValue;
use deltic_zset::GroupTable;

use super::linear::Contribution;
use super::ordered_word;

/// The bits of a value of the type; `None` if it has none.
pub(super) fn width(data_type: &DataType) -> Option<usize> {
    match data_type {
        DataType::Boolean => Some(1),
        data_type if data_type.is_integer() => data_type.primitive_width().map(|bytes| 8 * bytes),
        _ => None,
    }
}

/// Counts the bits of `values`, from word `at` on.
pub(super) fn add(table: &mut GroupTable, contribution: Contribution<'_>, values: &ArrayRef, at: usize) {
    let width = width(values.data_type()).unwrap_or_default();
    // The order-preserving words of signed integers have another highest bit.
    let flip = if values.data_type().is_signed_integer() { 1 << 63 } else { 0 };
    let words = ordered_word::encode(values);
    contribution.for_each(|group, row, weight| {
        let counts = &mut table.payload_mut(group)[at..at + width];
        let mut bits = (words[row] ^ flip) & (u64::MAX >> (64 - width));
        while bits != 0 {
            let count = &mut counts[bits.trailing_zeros() as usize];
            *count = count.wrapping_add_signed(weight);
            bits &= bits - 1;
        }
    });
}

/// The result of `function` on `count` values of type `data_type`, whose bits are counted in `counts`.
pub(super) fn result(function: &AggregateFunction, counts: &[u64], count: i128, data_type: &DataType) -> AggregateValue {
    if count == 0 {
        return AggregateValue::Null;
    }
    let width = width(data_type).unwrap_or(counts.len());
    let set = |ones: u64| match function {
        AggregateFunction::BitAnd | AggregateFunction::BoolAnd => ones == count as u64,
        AggregateFunction::BitXor => ones % 2 == 1,
        _ => ones != 0,
    };
    let bits = counts[..width].iter().enumerate().fold(0u64, |bits, (bit, &ones)| bits | u64::from(set(ones)) << bit);
    if data_type == &DataType::Boolean {
        return AggregateValue::Boolean(bits == 1);
    }
    let unused = 64 - width as u32;
    let signed = ((bits << unused) as i64) >> unused;
    AggregateValue::Integer(if data_type.is_signed_integer() { i128::from(signed) } else { i128::from(bits) })
}
