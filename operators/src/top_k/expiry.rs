//! Partitions that end when watermarks pass their time.

use std::ops::Bound;

use arrow::datatypes::SchemaRef;

use super::TopK;
use crate::Horizon;
use crate::expiring::EndingPartitions;
use crate::row_key::RowKey;

impl TopK {
    /// Drops the partitions that `horizon` has passed. Its column, of `input`, must be one of the partition columns: else nothing is
    /// dropped.
    pub fn with_horizon(mut self, horizon: Option<Horizon>, input: &SchemaRef) -> Self {
        self.expiring = EndingPartitions::of(horizon, &self.keys, input);
        self
    }

    /// Notes the partition of a row, which is about to be applied, if no row of it is there.
    pub(super) fn note(&mut self, row: &RowKey) {
        let Some(expiring) = &mut self.expiring else { return };
        let first = self.rows.first_from(Bound::Included(&row.partition_start()));
        if !first.is_some_and(|(first, _)| row.same_partition(first)) {
            expiring.begin(row);
        }
    }

    /// Drops the partitions that no later row can change.
    pub(super) fn expire(&mut self) {
        let Some(expiring) = &mut self.expiring else { return };
        for start in expiring.take(&self.keys) {
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
