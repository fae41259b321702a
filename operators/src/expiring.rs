//! [`Expiring`]: groups that end when watermarks pass their time.
//!
//! A group whose key has an event time gets no more changes once the horizon is past it: its state goes, what it has emitted stays. Groups are noted by
//! the span of time that theirs is in, when they begin, so an epoch looks at those that end in it and at no others.

mod partitions;

use std::collections::BTreeMap;

use arrow::array::Array;
use arrow::datatypes::DataType;
use deltic_circuit::EpochInfo;
use deltic_circuit::time::event_times;
use deltic_zset::GroupTable;

use crate::Horizon;
pub(crate) use partitions::EndingPartitions;

/// A tenth of a second.
const LEAST_SPAN_MICROS: i64 = 100_000;

/// Keys that are read back together.
const KEYS: usize = 1 << 16;

/// The shortest span of time by which state with times of this type is dropped together.
pub(crate) fn least_span(data_type: &DataType) -> i64 {
    if matches!(data_type, DataType::Timestamp(..) | DataType::Date32) { LEAST_SPAN_MICROS } else { 1 }
}

/// Things by the span of their time.
pub(crate) struct Noted<T> {
    span: i64,
    noted: BTreeMap<i64, Vec<T>>,
}

impl<T: Ord> Noted<T> {
    /// Nothing, by spans for times of `data_type`.
    pub(crate) fn new(data_type: &DataType) -> Self {
        Noted { span: least_span(data_type), noted: BTreeMap::new() }
    }

    /// Notes a thing with its time. The same thing may be noted often and takes room once or twice.
    pub(crate) fn note(&mut self, time: i64, thing: T) {
        let things = self.noted.entry(time.div_euclid(self.span)).or_default();
        if things.last() == Some(&thing) {
            return;
        }
        if things.len() == things.capacity() {
            things.sort_unstable();
            things.dedup();
        }
        things.push(thing);
    }

    /// The things of the spans that end before `horizon`, each once, and the time before which all of these spans are.
    pub(crate) fn take(&mut self, horizon: i64) -> Option<(i64, Vec<T>)> {
        let passed = horizon.div_euclid(self.span);
        let before = passed.checked_mul(self.span)?;
        let mut things = Vec::new();
        while let Some(first) = self.noted.first_entry().filter(|first| *first.key() < passed) {
            things.append(&mut first.remove());
        }
        things.sort_unstable();
        things.dedup();
        (!things.is_empty()).then_some((before, things))
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.noted.values().map(|things| 48 + things.capacity() * size_of::<T>()).sum()
    }
}

/// Groups of a table by the time in their key.
pub(crate) struct Expiring {
    horizon: Horizon,
    /// The place of the time among the columns of the key.
    key_column: usize,
    groups: Noted<u32>,
}

impl Expiring {
    /// No groups, of a table whose key has a time of `data_type` as column `key_column`.
    pub(crate) fn new(horizon: Horizon, key_column: usize, data_type: &DataType) -> Self {
        Expiring { horizon, key_column, groups: Noted::new(data_type) }
    }

    /// The column of the input that has the time.
    pub(crate) fn column(&self) -> usize {
        self.horizon.column()
    }

    pub(crate) fn observe(&mut self, info: &EpochInfo) {
        self.horizon.observe(info);
    }

    /// A group begins.
    pub(crate) fn note(&mut self, time: i64, group: u32) {
        self.groups.note(time, group);
    }

    /// Groups of `table` begin.
    pub(crate) fn note_groups(&mut self, table: &GroupTable, groups: &[u32]) {
        for groups in groups.chunks(KEYS) {
            let times = event_times(&table.keys(groups)[self.key_column]);
            for (row, &group) in groups.iter().enumerate().filter(|&(row, _)| times.is_valid(row)) {
                self.groups.note(times.value(row), group);
            }
        }
    }

    /// The groups of `table` that end, ascending, and a time that they are all before.
    pub(crate) fn due(&mut self, table: &GroupTable) -> Option<(i64, Vec<u32>)> {
        let (before, mut groups) = self.groups.take(self.horizon.least()?)?;
        // The number of a group that was emptied may be that of a later one by now.
        groups.retain(|&group| table.contains(group));
        let mut due = Vec::with_capacity(groups.len());
        for groups in groups.chunks(KEYS) {
            let times = event_times(&table.keys(groups)[self.key_column]);
            let is_due = |row: usize| times.is_valid(row) && times.value(row) < before;
            due.extend(groups.iter().enumerate().filter(|&(row, _)| is_due(row)).map(|(_, &group)| group));
        }
        Some((before, due))
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.groups.memory_bytes()
    }
}

#[cfg(test)]
mod tests;
