//! [`Partitions`]: the greatest time of each partition of a source, and the least of them.
//!
//! `WATERMARK FOR .. PER PARTITION (k)` waits for the slowest partition. Which one that is must not cost a look at all of them each epoch, so the
//! active partitions are kept ordered by time, and (if partitions can fall idle) by when they last brought rows. A partition that is idle keeps its greatest
//! time and takes it up again when it wakes. Partitions are never forgotten: their number is that of the values that the columns ever had.

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
    /// Partitions with rows in the open epoch; emptied when it ends.
    touched: Vec<u32>,
    groups: Vec<u32>,
}

struct Partition {
    /// The greatest event time so far.
    greatest: i64,
    /// The time of the epoch that last brought rows.
    last_rows: i64,
    active: bool,
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
            }
            partition.greatest = partition.greatest.max(time);
        }
    }

    /// Ends the epoch at `now`: partitions without rows for `idle_timeout` no longer count. Returns the least of the greatest times of the
    /// active partitions; `None` if there is none.
    pub(super) fn close(&mut self, now: i64, idle_timeout: Option<i64>) -> Option<i64> {
        for group in self.touched.drain(..) {
            let partition = &mut self.states[group as usize];
            (partition.touched, partition.active, partition.last_rows) = (false, true, now);
            self.by_time.insert((partition.greatest, group));
            if idle_timeout.is_some() {
                self.by_age.insert((now, group));
            }
        }
        while let Some(&(last_rows, group)) = self.by_age.first().filter(|(last_rows, _)| is_over(*last_rows, now, idle_timeout))
        {
            self.by_age.remove(&(last_rows, group));
            let partition = &mut self.states[group as usize];
            partition.active = false;
            self.by_time.remove(&(partition.greatest, group));
        }
        self.by_time.first().map(|(time, _)| *time)
    }

    /// Whether a partition falls idle if an epoch comes at `now` without rows.
    pub(super) fn would_fall_idle(&self, now: i64, idle_timeout: Option<i64>) -> bool {
        self.by_age.first().is_some_and(|(last_rows, _)| is_over(*last_rows, now, idle_timeout))
    }
}

impl Partition {
    fn empty(now: i64) -> Self {
        Partition { greatest: i64::MIN, last_rows: now, active: false, touched: false }
    }
}

/// Whether `timeout` has passed between `since` and `now`.
pub(super) fn is_over(since: i64, now: i64, timeout: Option<i64>) -> bool {
    timeout.is_some_and(|timeout| now.saturating_sub(since) >= timeout)
}
