//! Partitions that end when watermarks pass their time.

use std::ops::Bound;

use arrow::array::Array;
use arrow::datatypes::SchemaRef;
use deltic_circuit::EpochInfo;
use deltic_circuit::time::event_times;

use super::TopK;
use crate::Horizon;
use crate::expiring::Noted;
use crate::row_key::RowKey;

/// Partitions by the time in their key.
pub(super) struct Expiry {
    horizon: Horizon,
    /// The place of the time among the partition columns.
    position: usize,
    /// The bytes that the rows of partitions begin with.
    partitions: Noted<Box<[u8]>>,
    /// Partitions that the open epoch may have begun.
    fresh: Vec<Box<[u8]>>,
}

impl Expiry {
    pub(super) fn observe(&mut self, info: &EpochInfo) {
        self.horizon.observe(info);
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.partitions.memory_bytes()
    }
}

impl TopK {
    /// Drops the partitions that `horizon` has passed. Its column, of `input`, must be one of the partition columns: else nothing is
    /// dropped.
    pub fn with_horizon(mut self, horizon: Option<Horizon>, input: &SchemaRef) -> Self {
        self.expiring = horizon.and_then(|horizon| {
            let horizon_column = horizon.column();
            let position = self.keys.partition_position(horizon_column)?;
            Some(Expiry { horizon, position, partitions: Noted::new(input.field(horizon_column).data_type()), fresh: Vec::new() })
        });
        self
    }

    /// Notes the partition of a row, which is about to be applied, if no row of it is there.
    pub(super) fn note(&mut self, row: &RowKey) {
        let Some(expiry) = &mut self.expiring else { return };
        let first = self.rows.first_from(Bound::Included(&row.partition_start()));
        if !first.is_some_and(|(first, _)| row.same_partition(first)) {
            expiry.fresh.push(row.partition().into());
        }
    }

    /// Drops the partitions that no later row can change.
    pub(super) fn expire(&mut self) {
        let Some(expiry) = &mut self.expiring else { return };
        let fresh = std::mem::take(&mut expiry.fresh);
        if let Some(times) = self.keys.partition_column(fresh.iter().map(|bytes| &**bytes), expiry.position) {
            let times = event_times(&times);
            for (row, partition) in fresh.into_iter().enumerate().filter(|(row, _)| times.is_valid(*row)) {
                expiry.partitions.note(times.value(row), partition);
            }
        }
        let Some((_, due)) = expiry.horizon.least().and_then(|horizon| expiry.partitions.take(horizon)) else { return };
        for partition in due {
            let start = RowKey::start_of(&partition);
            let rows = self.rows.range((Bound::Included(start.clone()), Bound::Unbounded));
            let rows = rows.take_while(|(row, _)| start.same_partition(row));
            let gone: Vec<(RowKey, i64)> = rows.map(|(row, weight)| (row.clone(), weight.wrapping_neg())).collect();
            self.key_bytes -= gone.iter().map(|(row, _)| row.memory_bytes()).sum::<usize>();
            self.rows.update_sorted(gone, |_, _, _| {});
            if let Some(groups) = &mut self.groups {
                let ended = groups.range((Bound::Included(start.clone()), Bound::Unbounded));
                let ended = ended.take_while(|(group, _)| start.same_partition(group));
                let ended: Vec<(RowKey, i64)> = ended.map(|(group, weight)| (group.clone(), -weight)).collect();
                groups.update_sorted(ended, |_, _, _| {});
            }
            let uncut: Vec<RowKey> = self
                .uncut
                .range(start.clone()..)
                .map(|(row, _)| row.clone())
                .take_while(|row| start.same_partition(row))
                .collect();
            uncut.iter().for_each(|row| _ = self.uncut.remove(row));
        }
    }
}
