//! The delta of aggregates whose results are all counts and sums of 64 bits: the common case, in one pass over the groups.
//!
//! Such a result is a word of the payload, so what is to be emitted is decided and written while the payload is at hand, straight
//! into the columns of the delta: no copy of the payloads, no results of rows that stay. A group that is an error, or becomes one, is
//! left to the [changelog](super::changelog), with all of its block.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array};
use arrow::compute;
use arrow::datatypes::{DataType, SchemaRef};
use arrow::error::ArrowError;
use deltic_circuit::AggregateCall;
use deltic_zset::{GroupTable, ZBatch};

use super::AHEAD;
use super::plan::{Finish, Plan, TOTAL, TOUCHED};
use super::words::wide;

/// The rows of an open delta.
pub(super) struct PlainDelta {
    results: Vec<Column>,
    weights: Vec<i64>,
    /// The group columns of each block.
    keys: Vec<Vec<ArrayRef>>,
    /// The group of each row of the block at hand.
    groups: Vec<u32>,
}

/// The results of one call.
struct Column {
    /// Where the 128 bits are that should fit 64.
    at: usize,
    /// Where the count is with which the result is NULL, if it can be 0.
    count: Option<usize>,
    values: Vec<i64>,
    valid: Vec<bool>,
}

impl Column {
    fn try_new(call: &AggregateCall, finish: &Finish, rows: usize) -> Option<Self> {
        let (at, count) = match finish {
            Finish::Count { at } => (*at, None),
            // Groups that are there have rows.
            Finish::Sum { at, wide: false, count } => (*at, Some(*count).filter(|&count| count != TOTAL)),
            _ => return None,
        };
        let valid = Vec::with_capacity(if count.is_some() { rows } else { 0 });
        (call.data_type == DataType::Int64).then(|| Column { at, count, values: Vec::with_capacity(rows), valid })
    }

    #[inline(always)]
    fn is_null(&self, payload: &[u64]) -> bool {
        self.count.is_some_and(|count| wide(payload, count) == 0)
    }

    #[inline(always)]
    fn same(&self, old: &[u64], new: &[u64]) -> bool {
        old[self.at] == new[self.at] && old[self.at + 1] == new[self.at + 1] && self.is_null(old) == self.is_null(new)
    }

    /// Appends the result; `false` if it does not fit.
    #[inline(always)]
    fn push(&mut self, payload: &[u64]) -> bool {
        let value = wide(payload, self.at);
        if self.count.is_some() {
            self.valid.push(!self.is_null(payload));
        }
        self.values.push(value as i64);
        i128::from(value as i64) == value
    }

    fn truncate(&mut self, rows: usize) {
        self.values.truncate(rows);
        self.valid.truncate(rows);
    }

    fn finish(self) -> ArrayRef {
        let nulls = self.count.filter(|_| self.valid.contains(&false)).map(|_| self.valid.into());
        Arc::new(Int64Array::new(self.values.into(), nulls))
    }
}

impl PlainDelta {
    /// An empty delta with room for two rows of each of `groups` groups; `None` if a result is not a word of the payload, or there are
    /// no group columns.
    pub(super) fn try_new(calls: &[AggregateCall], plan: &Plan, global: bool, groups: usize) -> Option<Self> {
        if global {
            return None;
        }
        let columns = calls.iter().zip(&plan.finishes).map(|(call, finish)| Column::try_new(call, finish, 2 * groups));
        let results = columns.collect::<Option<Vec<_>>>()?;
        Some(PlainDelta { results, weights: Vec::with_capacity(2 * groups), keys: Vec::new(), groups: Vec::new() })
    }

    /// Adds the changes of `groups`, whose payloads before stand one after another in `saved`, and marks the groups as untouched. The groups
    /// without rows are added to `emptied`. Returns `false`, and adds nothing, if a group was or is an error.
    pub(super) fn add(&mut self, table: &mut GroupTable, groups: &[u32], saved: &[u64], emptied: &mut Vec<u32>) -> bool {
        let (rows, first_emptied) = (self.weights.len(), emptied.len());
        self.groups.clear();
        let stride = saved.len() / groups.len().max(1);
        for (index, (&group, old)) in groups.iter().zip(saved.chunks_exact(stride)).enumerate() {
            if let Some(&ahead) = groups.get(index + AHEAD) {
                table.prefetch(ahead);
            }
            let new = table.payload_mut(group);
            new[TOUCHED] = 0;
            let (was, is) = (wide(old, TOTAL), wide(new, TOTAL));
            let mut fits = was >= 0 && is >= 0;
            if is == 0 {
                emptied.push(group);
            }
            if was > 0 && is > 0 && self.results.iter().all(|column| column.same(old, new)) {
                continue;
            }
            if was > 0 {
                fits &= self.push(group, old, -1);
            }
            if is > 0 {
                fits &= self.push(group, new, 1);
            }
            if !fits {
                self.results.iter_mut().for_each(|column| column.truncate(rows));
                self.weights.truncate(rows);
                emptied.truncate(first_emptied);
                return false;
            }
        }
        if !self.groups.is_empty() {
            self.keys.push(table.keys(&self.groups));
        }
        true
    }

    #[inline(always)]
    fn push(&mut self, group: u32, payload: &[u64], weight: i64) -> bool {
        self.groups.push(group);
        self.weights.push(weight);
        self.results.iter_mut().fold(true, |fits, column| column.push(payload) & fits)
    }

    /// The delta: one batch, unless a string column would pass 2 GiB.
    pub(super) fn finish(self, schema: &SchemaRef) -> Vec<ZBatch> {
        let rows = self.weights.len();
        if rows == 0 {
            return Vec::new();
        }
        let weights = self.weights.iter().any(|&weight| weight != 1).then(|| self.weights.into());
        let results: Vec<ArrayRef> = self.results.into_iter().map(Column::finish).collect();
        let blocks: Vec<usize> = self.keys.iter().map(|keys| keys[0].len()).collect();
        if let Ok(keys) = concatenated(&self.keys) {
            return vec![ZBatch::new(schema.clone(), keys.into_iter().chain(results).collect(), weights, rows)];
        }
        let mut start = 0;
        let block = |(keys, rows): (Vec<ArrayRef>, usize)| {
            let columns = keys.into_iter().chain(results.iter().map(|column| column.slice(start, rows))).collect();
            let batch = ZBatch::new(schema.clone(), columns, weights.as_ref().map(|weights| weights.slice(start, rows)), rows);
            start += rows;
            batch
        };
        self.keys.into_iter().zip(blocks).map(block).collect()
    }
}

fn concatenated(blocks: &[Vec<ArrayRef>]) -> Result<Vec<ArrayRef>, ArrowError> {
    match blocks {
        [keys] => Ok(keys.clone()),
        _ => (0..blocks[0].len())
            .map(|column| compute::concat(&blocks.iter().map(|keys| keys[column].as_ref()).collect::<Vec<_>>()))
            .collect(),
    }
}
