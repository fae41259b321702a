//! `DISTINCT` arguments: each value of a group counts once.
//!
//! A table keeps how often each value of each group occurs. Only the moments when a value appears (0 to positive) and
//! disappears (positive to 0) reach the accumulators, as `+1` and `-1`: what follows is linear again. All calls over the
//! same argument and filter share one table.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, UInt32Array};
use arrow::compute;
use arrow::datatypes::{DataType, UInt32Type};
use deltic_zset::hash::hash_columns;
use deltic_zset::{EncodedRows, GroupTable, Result, RowLayout};

use super::linear::Contribution;
use super::words::{add_wide, wide};
use crate::expiring::Noted;

/// How often each value of each group occurs.
pub(super) struct DistinctArguments {
    /// Keyed by group and value; two words of count.
    counts: GroupTable,
    layout: RowLayout,
    /// Where the payload of a group says how many values it has here.
    live: usize,
    /// The entries by the time of their group, if groups end.
    expiring: Option<Noted<u32>>,
    encoded: EncodedRows,
    hashes: Vec<u64>,
    entries: Vec<u32>,
}

impl DistinctArguments {
    /// A table for values, or tuples of values, of these types; word `live` of a group's payload counts its entries.
    ///
    /// # Errors
    /// If the type cannot be stored.
    pub(super) fn try_new(types: impl Iterator<Item = DataType>, live: usize) -> Result<Self> {
        let layout = RowLayout::try_new(&std::iter::once(DataType::UInt32).chain(types).collect::<Vec<_>>())?;
        Ok(DistinctArguments {
            counts: GroupTable::new(layout.clone(), 2),
            layout,
            live,
            expiring: None,
            encoded: EncodedRows::new(),
            hashes: Vec::new(),
            entries: Vec::new(),
        })
    }

    /// Prepares for groups that end by a time of `data_type`.
    pub(super) fn expect_ends(&mut self, data_type: &DataType) {
        self.expiring = Some(Noted::new(data_type));
    }

    /// Drops the values of `groups`, ascending: they are those whose time is before `before`.
    pub(super) fn release(&mut self, groups: &[u32], before: i64) {
        let Some((_, mut entries)) = self.expiring.as_mut().and_then(|expiring| expiring.take(before)) else { return };
        // The number of a value that disappeared may be that of a later one, of another group, by now.
        entries.retain(|&entry| self.counts.contains(entry));
        let of_group = self.counts.keys(&entries).swap_remove(0);
        for (&entry, group) in entries.iter().zip(of_group.as_primitive::<UInt32Type>().values()) {
            if groups.binary_search(group).is_ok() {
                self.counts.remove(entry);
            }
        }
    }

    /// Counts `values` and returns, per row, `+1` if its value appeared, `-1` if it disappeared, else 0. `times` are those of the groups, if they
    /// end.
    pub(super) fn transitions(
        &mut self,
        table: &mut GroupTable,
        contribution: Contribution<'_>,
        values: &[ArrayRef],
        times: Option<&Int64Array>,
    ) -> Vec<i64> {
        let (mut rows, mut groups, mut weights) = (Vec::new(), Vec::new(), Vec::new());
        contribution.for_each(|group, row, weight| {
            rows.push(row as u32);
            groups.push(group);
            weights.push(weight);
        });
        let mut keys: Vec<ArrayRef> = vec![Arc::new(UInt32Array::from(groups.clone()))];
        if rows.len() == contribution.groups.len() {
            keys.extend(values.iter().cloned());
        } else {
            let rows = UInt32Array::from(rows.clone());
            keys.extend(values.iter().map(|column| compute::take(column, &rows, None).expect("rows of a batch fit a batch")));
        }
        hash_columns(&keys, rows.len(), &mut self.hashes);
        self.layout.encode(&keys, rows.len(), &mut self.encoded);
        self.counts.upsert(&self.encoded, &self.hashes, &mut self.entries);

        let mut transitions = vec![0; contribution.groups.len()];
        let mut emptied = Vec::new();
        for (position, &entry) in self.entries.iter().enumerate() {
            let payload = self.counts.payload_mut(entry);
            let before = wide(payload, 0);
            add_wide(payload, 0, i128::from(weights[position]));
            let after = wide(payload, 0);
            transitions[rows[position] as usize] = i64::from(after > 0) - i64::from(before > 0);
            if (before == 0) != (after == 0) {
                let live = &mut table.payload_mut(groups[position])[self.live];
                *live = live.wrapping_add_signed(if before == 0 { 1 } else { -1 });
                emptied.extend((after == 0).then_some(entry));
                if let (Some(expiring), Some(times)) = (&mut self.expiring, times)
                    && before == 0
                    && times.is_valid(rows[position] as usize)
                {
                    expiring.note(times.value(rows[position] as usize), entry);
                }
            }
        }
        emptied.sort_unstable();
        emptied.dedup();
        for entry in emptied {
            if wide(self.counts.payload(entry), 0) == 0 {
                self.counts.remove(entry);
            }
        }
        transitions
    }

    /// The number of values kept.
    pub(super) fn len(&self) -> usize {
        self.counts.len()
    }

    /// The memory of the table in bytes.
    pub(super) fn memory_bytes(&self) -> usize {
        self.counts.memory_bytes() + self.expiring.as_ref().map_or(0, Noted::memory_bytes)
    }
}
