//! [`TimedRows`]: the rows of one side, by key and time.

use std::ops::Bound;

use arrow::array::{ArrayRef, Int64Array};
use arrow::datatypes::{DataType, SchemaRef};
use deltic_zset::hash::hash_columns;
use deltic_zset::{EncodedRows, GroupTable, OrderedIndex, Result, RowLayout, ZBatch};

use super::{JoinKeys, Trimming};
use crate::StateSize;

/// Key, time, row.
pub(super) type Place = (u32, i64, u32);

/// The change of one row in an epoch: its weight before and after.
#[derive(Clone, Copy, Debug)]
pub(super) struct Change {
    pub(super) place: Place,
    pub(super) before: i64,
    pub(super) after: i64,
}

impl Change {
    /// By how much the weight grew.
    pub(super) fn delta(&self) -> i64 {
        self.after.wrapping_sub(self.before)
    }
}

/// A Z-set of rows. The rows stand in a group table, and their numbers and weights in an index.
pub(super) struct TimedRows {
    /// By row: a payload for who uses it.
    pub(super) rows: GroupTable,
    index: OrderedIndex<Place, ()>,
    /// The changes of the open epoch.
    staged: Vec<(Place, i64)>,
    encoded: EncodedRows,
    hashes: Vec<u64>,
    groups: Vec<u32>,
}

impl TimedRows {
    /// No rows of `schema`, with so many words for each.
    ///
    /// # Errors
    /// If a column has a type that cannot be stored.
    pub(super) fn try_new(schema: &SchemaRef, words: usize) -> Result<Self> {
        let types: Vec<DataType> = schema.fields().iter().map(|field| field.data_type().clone()).collect();
        Ok(TimedRows {
            rows: GroupTable::new(RowLayout::try_new(&types)?, words),
            index: OrderedIndex::new(),
            staged: Vec::new(),
            encoded: EncodedRows::new(),
            hashes: Vec::new(),
            groups: Vec::new(),
        })
    }

    /// Takes rows with the numbers of their keys and their times.
    pub(super) fn stage(&mut self, batch: &ZBatch, keys: &[u32], times: &Int64Array) {
        hash_columns(batch.columns(), batch.len(), &mut self.hashes);
        self.rows.layout().encode(batch.columns(), batch.len(), &mut self.encoded);
        self.rows.upsert(&self.encoded, &self.hashes, &mut self.groups);
        let places = keys.iter().zip(times.values()).zip(&self.groups);
        self.staged.extend(places.enumerate().map(|(row, ((&key, &time), &group))| ((key, time, group), batch.weight(row))));
    }

    /// Applies what was staged. The changes come in order, one per row. Rows that are gone keep their content until [`TimedRows::forget`].
    pub(super) fn apply(&mut self, keys: &mut JoinKeys, mut trimming: Option<&mut Trimming>) -> Vec<Change> {
        self.staged.sort_unstable_by_key(|(place, _)| *place);
        self.staged.dedup_by(|(place, delta), (kept, sum)| {
            let same = place == kept;
            *sum = if same { sum.wrapping_add(*delta) } else { *sum };
            same
        });
        let mut changes = Vec::with_capacity(self.staged.len());
        self.index.update_sorted(self.staged.drain(..), |&place, before, after| changes.push(Change { place, before, after }));
        for Change { place: (key, time, _), before, after } in &changes {
            if *before == 0 && *after != 0 {
                keys.retain(*key);
                if let Some(trimming) = &mut trimming {
                    trimming.note(*key, *time);
                }
            } else if *before != 0 && *after == 0 {
                keys.release(*key);
            }
        }
        changes
    }

    /// Forgets the content of changed rows that are gone.
    pub(super) fn forget(&mut self, changes: &[Change]) {
        changes.iter().filter(|change| change.after == 0).for_each(|change| self.rows.remove(change.place.2));
    }

    /// The rows from one place to another, with their weights.
    pub(super) fn range(&self, from: Bound<Place>, to: Place) -> impl Iterator<Item = (Place, i64)> {
        self.index.range((from, Bound::Included(to))).map(|(&place, weight)| (place, weight))
    }

    /// Drops the rows of a key before a time: O(log n) for each.
    pub(super) fn trim(&mut self, key: u32, before: i64, keys: &mut JoinKeys) {
        let bounds = (Bound::Included((key, i64::MIN, 0)), Bound::Excluded((key, before, 0)));
        let gone: Vec<(Place, i64)> = self.index.range(bounds).map(|(&place, weight)| (place, weight.wrapping_neg())).collect();
        for ((_, _, row), _) in &gone {
            self.rows.remove(*row);
            keys.release(key);
        }
        self.index.update_sorted(gone, |_, _, _| {});
    }

    /// The columns of rows, which may be repeated.
    pub(super) fn columns(&self, rows: &[u32]) -> Vec<ArrayRef> {
        self.rows.keys(rows)
    }

    pub(super) fn state_size(&self) -> StateSize {
        StateSize { rows: self.index.len(), bytes: self.rows.memory_bytes() + self.index.memory_bytes() }
    }
}
