//! Variances, covariances, correlations and regressions, from exact sums of powers in a slab beside the table.
//!
//! The payload of a group has one word with the place in the slab plus one (0: all sums are zero and need no place), and one for each function
//! with its result as of the last [`Moments::settle`]: the bits of a float, inverted, so that 0 is NULL. The saved payload of a touched
//! group thereby holds the old results.

use arrow::array::{ArrayRef, ArrowPrimitiveType, AsArray};
use arrow::datatypes::{
    DataType, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, Schema, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use deltic_circuit::Moment;
use deltic_circuit::aggregate::{AggregateValue, moment_result, unit};
use deltic_zset::{Addend, ExactMoments, GroupTable, Unit, ZBatch};

use super::linear::Contribution;
use super::words::wide;

/// The sums of the values, or pairs of values, of each group.
pub(super) struct Moments {
    at: usize,
    /// The column of x.
    x: usize,
    /// The column of y, if there are two variables.
    y: Option<usize>,
    units: (Unit, Unit),
    /// The functions, and where their results are.
    readers: Vec<(Moment, usize)>,
    sums: Vec<ExactMoments>,
    free: Vec<u64>,
}

impl Moments {
    /// Nothing yet, for `arguments`: one variable, or y and x. The places are at word `at`.
    pub(super) fn new(at: usize, arguments: &[usize], input: &Schema) -> Self {
        let (x, y) = match arguments {
            &[y, x] => (x, Some(y)),
            arguments => (arguments[0], None),
        };
        let unit = |column: usize| unit(input.field(column).data_type());
        let units = (unit(x), unit(y.unwrap_or(x)));
        Moments { at, x, y, units, readers: Vec::new(), sums: Vec::new(), free: Vec::new() }
    }

    /// Where the result of `moment` is; `free` if it is a new one.
    pub(super) fn reader(&mut self, moment: Moment, free: usize) -> usize {
        if let Some((_, at)) = self.readers.iter().find(|(known, _)| *known == moment) {
            return *at;
        }
        self.readers.push((moment, free));
        free
    }

    /// Takes the rows of a batch.
    pub(super) fn add(&mut self, table: &mut GroupTable, contribution: Contribution<'_>, batch: &ZBatch) {
        let x = addends(batch.column(self.x));
        match self.y.map(|y| addends(batch.column(y))) {
            Some(y) => {
                contribution.for_each(|group, row, weight| self.sums_of(table, group).add_pair(x[row], y[row], weight));
            }
            None => contribution.for_each(|group, row, weight| self.sums_of(table, group).add(x[row], weight)),
        }
    }

    fn sums_of(&mut self, table: &mut GroupTable, group: u32) -> &mut ExactMoments {
        let place = &mut table.payload_mut(group)[self.at];
        if *place == 0 {
            *place = self.free.pop().unwrap_or_else(|| {
                self.sums.push(ExactMoments::default());
                self.sums.len() as u64
            });
        }
        &mut self.sums[*place as usize - 1]
    }

    /// Brings the results of `groups`, whose counts are at word `count`, up to date, and gives up the places of those that are zero.
    pub(super) fn settle(&mut self, table: &mut GroupTable, groups: &[u32], count: usize) {
        let none = ExactMoments::default();
        for &group in groups {
            let payload = table.payload_mut(group);
            let rows = wide(payload, count);
            let place = payload[self.at] as usize;
            if place > 0 && self.sums[place - 1].is_empty_sum() {
                self.sums[place - 1] = ExactMoments::default();
                self.free.push(place as u64);
                payload[self.at] = 0;
            }
            let sums = if payload[self.at] == 0 { &none } else { &self.sums[place - 1] };
            for (moment, at) in &self.readers {
                payload[*at] = match moment_result(*moment, sums, rows, self.units.0, self.units.1) {
                    AggregateValue::Float(value) => !value.to_bits(),
                    _ => 0,
                };
            }
        }
    }

    /// The result in a word.
    pub(super) fn result(word: u64) -> AggregateValue {
        if word == 0 { AggregateValue::Null } else { AggregateValue::Float(f64::from_bits(!word)) }
    }

    /// Gives up the places of `groups`, which are about to be removed.
    pub(super) fn release(&mut self, table: &GroupTable, groups: &[u32]) {
        for place in groups.iter().map(|&group| table.payload(group)[self.at]).filter(|&place| place != 0) {
            self.sums[place as usize - 1] = ExactMoments::default();
            self.free.push(place);
        }
    }

    /// The memory of the sums in bytes.
    pub(super) fn memory_bytes(&self) -> usize {
        self.sums.iter().map(ExactMoments::memory_bytes).sum::<usize>() + self.free.capacity() * 8
    }
}

/// The numbers of a column; what stands for a NULL is any number.
fn addends(column: &ArrayRef) -> Vec<Addend> {
    fn integers<T: ArrowPrimitiveType>(column: &ArrayRef) -> Vec<Addend>
    where
        T::Native: Into<i128>,
    {
        column.as_primitive::<T>().values().iter().map(|&value| Addend::Integer(value.into())).collect()
    }
    match column.data_type() {
        DataType::Float64 => column.as_primitive::<Float64Type>().values().iter().map(|&value| Addend::Float(value)).collect(),
        DataType::Float32 => {
            column.as_primitive::<Float32Type>().values().iter().map(|&value| Addend::Float(f64::from(value))).collect()
        }
        DataType::Int8 => integers::<Int8Type>(column),
        DataType::Int16 => integers::<Int16Type>(column),
        DataType::Int32 => integers::<Int32Type>(column),
        DataType::Int64 => integers::<Int64Type>(column),
        DataType::UInt8 => integers::<UInt8Type>(column),
        DataType::UInt16 => integers::<UInt16Type>(column),
        DataType::UInt32 => integers::<UInt32Type>(column),
        DataType::UInt64 => integers::<UInt64Type>(column),
        _ => integers::<Decimal128Type>(column),
    }
}
