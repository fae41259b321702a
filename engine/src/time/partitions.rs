//! [`Partitions`]: the greatest time of each partition of a source, and the least of them.
//!
//! `WATERMARK FOR .. PER PARTITION (k)` waits for the slowest partition. Which one that is must not cost a look at all of them each epoch, so the
//! active partitions are kept ordered by time, and (if partitions can fall idle) by when they last brought rows. A partition that is idle keeps its greatest
//! time and takes it up again when it wakes.
//!
//! It is forgotten once the watermark of the source has reached it: whether it wakes with that time or with that of its new rows only, if those are earlier, neither
//! moves the watermark. So partitions that fall idle are as many as are ahead of the watermark; those of a source without an idle timeout are as many as the
//! values that the columns ever had.

use std::collections::BTreeSet;

use arrow::array::{ArrayRef, Int64Array};
use deltic_zset::{EncodedRows, GroupTable, RowLayout, ZBatch, hash};

use crate::error::Result;

/// The partitions of one source.
pub(super) struct Partitions {
    columns: Vec<usize>,
    table: GroupTable,
    states: Vec<Partition>,
    /// Active partitions by their greatest time.
    by_time: BTreeSet<(i64, u32)>,
    /// Active partitions by the time of the epoch that last brought rows.
    by_age: BTreeSet<(i64, u32)>,
    /// Idle partitions by their greatest time.
    asleep: BTreeSet<(i64, u32)>,
    /// Keys of rows in the open epoch that did not count: there may be no such partition.
    passing: Vec<u32>,
    /// Partitions with rows in the open epoch; emptied when it ends.
    touched: Vec<u32>,
    groups: Vec<u32>,
}

struct Partition {
    /// The greatest event time so far.
    greatest: i64,
    /// The time of the epoch that last brought rows.
    last_rows: i64,
    /// Whether rows came since it was last forgotten.
    known: bool,
    touched: bool,
}

impl Partitions {
    /// No partitions yet; a partition is a combination of values of `columns`, which are columns of `source`.
    ///
    /// # Errors
    /// If a column is of a type that no table has.
    pub(super) fn new(columns: &[usize], source: &arrow::datatypes::Schema) -> Result<Self> {
        let types: Vec<_> = columns.iter().map(|&column| source.field(column).data_type().clone()).collect();
        Ok(Partitions {
            columns: columns.to_vec(),
            table: GroupTable::new(RowLayout::try_new(&types)?, 0),
            states: Vec::new(),
            by_time: BTreeSet::new(),
            by_age: BTreeSet::new(),
            asleep: BTreeSet::new(),
            passing: Vec::new(),
            touched: Vec::new(),
            groups: Vec::new(),
        })
    }

    /// Takes the accepted rows of the epoch at `now`. `times` are their event times; NULLs and rows that are taken away do not count.
    pub(super) fn observe(&mut self, rows: &ZBatch, times: &Int64Array, now: i64) {
        let columns: Vec<ArrayRef> = self.columns.iter().map(|&column| rows.column(column).clone()).collect();
        let (mut encoded, mut hashes) = (EncodedRows::default(), Vec::new());
        self.table.layout().encode(&columns, rows.len(), &mut encoded);
        hash::hash_columns(&columns, rows.len(), &mut hashes);
        self.table.upsert(&encoded, &hashes, &mut self.groups);
        for (row, &group) in self.groups.iter().enumerate() {
            if rows.weight(row) < 0 || arrow::array::Array::is_null(times, row) {
                self.passing.push(group);
                continue;
            }
            let time = times.value(row);
            let position = group as usize;
            if position >= self.states.len() {
                self.states.resize_with(position + 1, || Partition::empty(now));
            }
            let partition = &mut self.states[position];
            if !partition.touched {
                partition.touched = true;
                self.touched.push(group);
                // Taken out of the order while it changes.
                self.by_time.remove(&(partition.greatest, group));
                self.by_age.remove(&(partition.last_rows, group));
                self.asleep.remove(&(partition.greatest, group));
            }
            partition.greatest = partition.greatest.max(time);
            partition.known = true;
        }
    }

    /// Ends the epoch at `now`: partitions without rows for `idle_timeout` no longer count. Returns the least of the greatest times of the
    /// active partitions; `None` if there is none.
    pub(super) fn close(&mut self, now: i64, idle_timeout: Option<i64>) -> Option<i64> {
        for group in self.touched.drain(..) {
            let partition = &mut self.states[group as usize];
            (partition.touched, partition.last_rows) = (false, now);
            self.by_time.insert((partition.greatest, group));
            if idle_timeout.is_some() {
                self.by_age.insert((now, group));
            }
        }
        while let Some(&(last_rows, group)) = self.by_age.first().filter(|(last_rows, _)| is_over(*last_rows, now, idle_timeout))
        {
            self.by_age.remove(&(last_rows, group));
            let partition = &mut self.states[group as usize];
            self.by_time.remove(&(partition.greatest, group));
            self.asleep.insert((partition.greatest, group));
        }
        for group in std::mem::take(&mut self.passing) {
            if self.states.get(group as usize).is_none_or(|partition| !partition.known) {
                self.table.remove(group);
            }
        }
        self.by_time.first().map(|(time, _)| *time)
    }

    /// Forgets the idle partitions whose greatest time is one that `is_reached` by the watermark, which holds for all times before such a one.
    pub(super) fn forget(&mut self, is_reached: impl Fn(i64) -> bool) {
        while let Some(&(greatest, group)) = self.asleep.first().filter(|(greatest, _)| is_reached(*greatest)) {
            self.asleep.remove(&(greatest, group));
            self.states[group as usize] = Partition::empty(0);
            self.table.remove(group);
        }
    }

    /// How many partitions are remembered.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether a partition falls idle if an epoch comes at `now` without rows.
    pub(super) fn would_fall_idle(&self, now: i64, idle_timeout: Option<i64>) -> bool {
        self.by_age.first().is_some_and(|(last_rows, _)| is_over(*last_rows, now, idle_timeout))
    }
}

impl Partition {
    fn empty(now: i64) -> Self {
        Partition { greatest: i64::MIN, last_rows: now, known: false, touched: false }
    }
}

/// Whether `timeout` has passed between `since` and `now`.
pub(super) fn is_over(since: i64, now: i64, timeout: Option<i64>) -> bool {
    timeout.is_some_and(|timeout| now.saturating_sub(since) >= timeout)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Arc;

    use arrow::datatypes::{DataType, Field, Schema};

    use super::*;

    fn rows(rows: &[(i64, i64)], weight: i64) -> (ZBatch, Int64Array) {
        let schema = Arc::new(Schema::new(vec![Field::new("k", DataType::Int64, true)]));
        let keys: ArrayRef = Arc::new(rows.iter().map(|row| Some(row.0)).collect::<Int64Array>());
        let weights = vec![weight; rows.len()];
        (ZBatch::new(schema, vec![keys], Some(weights.into()), rows.len()), rows.iter().map(|row| Some(row.1)).collect())
    }

    #[test]
    fn an_idle_partition_is_forgotten_when_the_watermark_has_reached_it() {
        let schema = rows(&[], 1).0.schema().clone();
        let mut partitions = Partitions::new(&[0], &schema).unwrap();
        let mut epoch = |events: &[(i64, i64)], weight: i64, now: i64, watermark: i64| {
            let (batch, times) = rows(events, weight);
            partitions.observe(&batch, &times, now);
            let least = partitions.close(now, Some(10));
            partitions.forget(|time| time <= watermark);
            (least, partitions.len())
        };
        assert_eq!(epoch(&[(1, 5), (2, 50), (3, 7)], 1, 0, 0), (Some(5), 3));
        // All but 3 fall idle: 1 is behind the watermark, 2 is not.
        assert_eq!(epoch(&[(3, 8)], 1, 10, 8), (Some(8), 2));
        // It wakes with its old time, and 1 with its new one.
        assert_eq!(epoch(&[(2, 9), (1, 20)], 1, 11, 8), (Some(8), 3));
        assert_eq!(epoch(&[(3, 60)], 1, 12, 20), (Some(20), 3));
        assert_eq!(epoch(&[(3, 61)], 1, 30, 50), (Some(61), 1));
        // A row that goes makes no partition.
        assert_eq!(epoch(&[(1, 20), (4, 20)], -1, 31, 50), (Some(61), 1));
        assert_eq!(epoch(&[(4, 70)], 1, 32, 50), (Some(61), 2));
    }
}
