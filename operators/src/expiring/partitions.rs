//! [`EndingPartitions`]: partitions of rows in an ordered index that end when watermarks pass their time.

use arrow::array::Array;
use arrow::datatypes::SchemaRef;
use deltic_circuit::EpochInfo;
use deltic_circuit::time::event_times;

use super::Noted;
use crate::Horizon;
use crate::row_key::{KeyEncoder, RowKey};

/// Partitions by the time in their key.
pub(crate) struct EndingPartitions {
    horizon: Horizon,
    /// The place of the time among the partition columns.
    position: usize,
    /// The bytes that the rows of partitions begin with.
    partitions: Noted<Box<[u8]>>,
    /// Partitions that the open epoch has begun.
    fresh: Vec<Box<[u8]>>,
}

impl EndingPartitions {
    /// None so far, of rows of `input`. `None` if they do not end: the column of the horizon must be one of the partition columns of `keys`.
    pub(crate) fn of(horizon: Option<Horizon>, keys: &KeyEncoder, input: &SchemaRef) -> Option<Self> {
        let horizon = horizon?;
        let position = keys.partition_position(horizon.column())?;
        let partitions = Noted::new(input.field(horizon.column()).data_type());
        Some(EndingPartitions { horizon, position, partitions, fresh: Vec::new() })
    }

    pub(crate) fn observe(&mut self, info: &EpochInfo) {
        self.horizon.observe(info);
    }

    /// Notes the partition of a row, of which no row was there.
    pub(crate) fn begin(&mut self, row: &RowKey) {
        self.fresh.push(row.partition().into());
    }

    /// The partitions that no later row can change, by the places before their first rows.
    pub(crate) fn take(&mut self, keys: &KeyEncoder) -> Vec<RowKey> {
        let fresh = std::mem::take(&mut self.fresh);
        if let Some(times) = keys.partition_column(fresh.iter().map(|bytes| &**bytes), self.position) {
            let times = event_times(&times);
            for (row, partition) in fresh.into_iter().enumerate().filter(|(row, _)| times.is_valid(*row)) {
                self.partitions.note(times.value(row), partition);
            }
        }
        let due = self.horizon.least().and_then(|horizon| self.partitions.take(horizon));
        due.map_or_else(Vec::new, |(_, due)| due.iter().map(|partition| RowKey::start_of(partition)).collect())
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.partitions.memory_bytes()
    }
}
