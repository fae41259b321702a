//! Linear aggregates: what the sum over a group is made of.
//!
//! An accumulator is a homomorphism from Z-sets to a group (weights count as multiples, deletions as negatives), so a
//! change costs O(1) whatever the size of the group, and a retraction restores exactly what was there. The loops run
//! over one column at a time with its type known.

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray};
use arrow::datatypes::{
    DataType, Decimal128Type, DurationMicrosecondType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimeUnit, UInt8Type, UInt16Type, UInt32Type, UInt64Type, i256,
};
use deltic_zset::{ExactSum, GroupTable};

use super::words::{add_wide, add_wider, wide};

/// Decimals of up to this precision have values below 2^63: their sums fit 128 bits as long as their counts fit 64.
const NARROW_PRECISION: u8 = 18;

/// The rows of one batch for one accumulator: a group and a weight for each value.
#[derive(Clone, Copy)]
pub(super) struct Contribution<'a> {
    /// The group of each row.
    pub(super) groups: &'a [u32],
    /// The weight of each row, 0 if it does not take part; `None` if all are `+1`.
    pub(super) weights: Option<&'a [i64]>,
}

impl Contribution<'_> {
    /// Calls `apply(group, row, weight)` for each row that takes part.
    #[inline]
    pub(super) fn for_each(&self, mut apply: impl FnMut(u32, usize, i64)) {
        match self.weights {
            None => self.groups.iter().enumerate().for_each(|(row, &group)| apply(group, row, 1)),
            Some(weights) => {
                for (row, (&group, &weight)) in self.groups.iter().zip(weights).enumerate() {
                    if weight != 0 {
                        apply(group, row, weight);
                    }
                }
            }
        }
    }
}

/// Adds the weights to the 128-bit count at word `at`.
pub(super) fn add_counts(table: &mut GroupTable, contribution: Contribution<'_>, at: usize) {
    contribution.for_each(|group, _, weight| add_wide(table.payload_mut(group), at, i128::from(weight)));
}

/// How sums of a type are held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SumWidth {
    /// 128 bits (two words): values below 2^63 times a count below 2^64.
    Narrow,
    /// 256 bits (four words).
    Wide,
    /// An [`ExactSum`] beside the table, see [`FloatSums`].
    Float,
}

impl SumWidth {
    /// How sums of `data_type` are held; `None` if it has no sum.
    pub(super) fn of(data_type: &DataType) -> Option<Self> {
        match data_type {
            DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => Some(SumWidth::Narrow),
            DataType::UInt8 | DataType::UInt16 | DataType::UInt32 => Some(SumWidth::Narrow),
            DataType::Duration(TimeUnit::Microsecond) => Some(SumWidth::Narrow),
            DataType::Decimal128(precision, _) if *precision <= NARROW_PRECISION => Some(SumWidth::Narrow),
            DataType::UInt64 | DataType::Decimal128(..) => Some(SumWidth::Wide),
            DataType::Float32 | DataType::Float64 => Some(SumWidth::Float),
            _ => None,
        }
    }

    /// The words that a sum takes in the payload.
    pub(super) fn words(self) -> usize {
        match self {
            SumWidth::Narrow => 2,
            SumWidth::Wide => 4,
            SumWidth::Float => FloatSums::WORDS,
        }
    }
}

/// Adds `values x weights` to the 128-bit sum at word `at`.
pub(super) fn add_narrow(table: &mut GroupTable, contribution: Contribution<'_>, values: &ArrayRef, at: usize) {
    fn add<T: ArrowPrimitiveType>(table: &mut GroupTable, contribution: Contribution<'_>, values: &ArrayRef, at: usize)
    where
        T::Native: Into<i128>,
    {
        let values: &[T::Native] = values.as_primitive::<T>().values();
        contribution.for_each(|group, row, weight| {
            let value: i128 = values[row].into();
            add_wide(table.payload_mut(group), at, value.wrapping_mul(i128::from(weight)));
        });
    }
    match values.data_type() {
        DataType::Int8 => add::<Int8Type>(table, contribution, values, at),
        DataType::Int16 => add::<Int16Type>(table, contribution, values, at),
        DataType::Int32 => add::<Int32Type>(table, contribution, values, at),
        DataType::Int64 => add::<Int64Type>(table, contribution, values, at),
        DataType::UInt8 => add::<UInt8Type>(table, contribution, values, at),
        DataType::UInt16 => add::<UInt16Type>(table, contribution, values, at),
        DataType::UInt32 => add::<UInt32Type>(table, contribution, values, at),
        DataType::Decimal128(..) => add::<Decimal128Type>(table, contribution, values, at),
        _ => add::<DurationMicrosecondType>(table, contribution, values, at),
    }
}

/// Adds `values x weights` to the 256-bit sum at word `at`.
pub(super) fn add_wide_sum(table: &mut GroupTable, contribution: Contribution<'_>, values: &ArrayRef, at: usize) {
    let product = |value: i128, weight: i64| i256::from_i128(value).wrapping_mul(i256::from_i128(i128::from(weight)));
    if values.data_type() == &DataType::UInt64 {
        let values = values.as_primitive::<UInt64Type>().values();
        contribution.for_each(|group, row, weight| {
            add_wider(table.payload_mut(group), at, product(i128::from(values[row]), weight));
        });
    } else {
        let values = values.as_primitive::<Decimal128Type>().values();
        contribution.for_each(|group, row, weight| add_wider(table.payload_mut(group), at, product(values[row], weight)));
    }
}

/// Exact sums of floats, in a slab beside the table.
///
/// The payload of a group has three words for each: the place in the slab plus one (0: the sum is exactly zero and needs no
/// place), and the bits of the rounded sum and of the rounded average as of the last [`FloatSums::settle`]. The saved payload
/// of a touched group thereby holds the old results although the exact sum itself is changed in place.
#[derive(Default)]
pub(super) struct FloatSums {
    sums: Vec<ExactSum>,
    free: Vec<u64>,
}

impl FloatSums {
    /// The words per group.
    pub(super) const WORDS: usize = 3;
    /// Where the rounded sum is, from the first word.
    pub(super) const SUM: usize = 1;
    /// Where the rounded average is, from the first word.
    pub(super) const AVERAGE: usize = 2;

    /// Adds `values x weights` to the sums at word `at`.
    pub(super) fn add(&mut self, table: &mut GroupTable, contribution: Contribution<'_>, values: &ArrayRef, at: usize) {
        if values.data_type() == &DataType::Float32 {
            let values = values.as_primitive::<Float32Type>().values();
            contribution.for_each(|group, row, weight| self.sum(table, group, at).add(f64::from(values[row]), weight));
        } else {
            let values = values.as_primitive::<Float64Type>().values();
            contribution.for_each(|group, row, weight| self.sum(table, group, at).add(values[row], weight));
        }
    }

    fn sum(&mut self, table: &mut GroupTable, group: u32, at: usize) -> &mut ExactSum {
        let place = &mut table.payload_mut(group)[at];
        if *place == 0 {
            *place = self.free.pop().unwrap_or_else(|| {
                self.sums.push(ExactSum::new());
                self.sums.len() as u64
            });
        }
        &mut self.sums[*place as usize - 1]
    }

    /// Rounds the sums at word `at` of `groups`, whose counts are at word `count`, and gives up the places of those that are zero.
    pub(super) fn settle(&mut self, table: &mut GroupTable, groups: &[u32], at: usize, count: usize) {
        for &group in groups {
            let payload = table.payload_mut(group);
            let place = payload[at];
            if place == 0 {
                continue;
            }
            let sum = &mut self.sums[place as usize - 1];
            if sum.is_empty_sum() {
                *sum = ExactSum::new();
                self.free.push(place);
                payload[at..at + Self::WORDS].fill(0);
                continue;
            }
            payload[at + Self::SUM] = sum.value().to_bits();
            let average = i64::try_from(wide(payload, count)).ok().filter(|&count| count != 0).map(|count| sum.quotient(count));
            payload[at + Self::AVERAGE] = average.unwrap_or(f64::NAN).to_bits();
        }
    }

    /// Gives up the places of `groups`, which are about to be removed.
    pub(super) fn release(&mut self, table: &GroupTable, groups: &[u32], at: usize) {
        for place in groups.iter().map(|&group| table.payload(group)[at]).filter(|&place| place != 0) {
            self.sums[place as usize - 1] = ExactSum::new();
            self.free.push(place);
        }
    }

    /// The memory of the sums in bytes.
    pub(super) fn memory_bytes(&self) -> usize {
        self.sums.iter().map(ExactSum::memory_bytes).sum::<usize>() + self.free.capacity() * 8
    }
}
