//! [`JoinKeys`]: numbers for the keys of both sides.

use arrow::array::{Array, ArrayRef, BooleanArray, Int64Array};
use arrow::datatypes::{DataType, SchemaRef};
use deltic_circuit::JoinKey;
use deltic_zset::hash::hash_columns;
use deltic_zset::{EncodedRows, GroupTable, Result, RowLayout, ZBatch};

use crate::StateSize;
use crate::join::Side;

/// The keys that rows of either side have. A key has a number as long as a row has it; the number is not given away within an epoch.
pub(super) struct JoinKeys {
    /// Payload: the number of rows that have the key. `None` if there are no key columns: then all rows have key 0.
    table: Option<GroupTable>,
    columns: [Vec<usize>; 2],
    null_safe: Vec<bool>,
    /// Keys that may have no row any more.
    loose: Vec<u32>,
    encoded: EncodedRows,
    hashes: Vec<u64>,
}

impl JoinKeys {
    /// No keys, of the columns that `keys` name in a left input with columns `left`.
    ///
    /// # Errors
    /// If a key has a type that cannot be stored.
    pub(super) fn try_new(keys: &[JoinKey], left: &SchemaRef) -> Result<Self> {
        let types: Vec<DataType> = keys.iter().map(|key| left.field(key.left).data_type().clone()).collect();
        let table = if keys.is_empty() { None } else { Some(GroupTable::new(RowLayout::try_new(&types)?, 1)) };
        Ok(JoinKeys {
            table,
            columns: [keys.iter().map(|key| key.left).collect(), keys.iter().map(|key| key.right).collect()],
            null_safe: keys.iter().map(|key| key.null_safe).collect(),
            loose: Vec::new(),
            encoded: EncodedRows::new(),
            hashes: Vec::new(),
        })
    }

    /// Splits a batch of `side` into the rows that can match at all, and those that cannot for a NULL in a key or in `times`.
    pub(super) fn split(&self, side: Side, batch: ZBatch, times: &Int64Array) -> [Option<ZBatch>; 2] {
        let strict = self.columns[side.port()].iter().zip(&self.null_safe).filter(|(_, null_safe)| !**null_safe);
        let mut strict: Vec<&dyn Array> = strict.map(|(&column, _)| batch.column(column).as_ref()).collect();
        strict.push(times);
        strict.retain(|column| column.null_count() > 0);
        if strict.is_empty() {
            return [Some(batch), None];
        }
        let can: Vec<bool> = (0..batch.len()).map(|row| strict.iter().all(|column| column.is_valid(row))).collect();
        let cannot: Vec<bool> = can.iter().map(|can| !can).collect();
        [can, cannot].map(|mask| {
            let rows = batch.filter(&BooleanArray::from(mask)).expect("a mask of the batch's length");
            Some(rows).filter(|rows| !rows.is_empty())
        })
    }

    /// The number of the key of each row of `batch`, which is of `side`.
    pub(super) fn numbers(&mut self, side: Side, batch: &ZBatch) -> Vec<u32> {
        let Some(table) = &mut self.table else { return vec![0; batch.len()] };
        let keys: Vec<ArrayRef> = self.columns[side.port()].iter().map(|&column| batch.column(column).clone()).collect();
        hash_columns(&keys, batch.len(), &mut self.hashes);
        table.layout().encode(&keys, batch.len(), &mut self.encoded);
        let mut numbers = Vec::new();
        table.upsert(&self.encoded, &self.hashes, &mut numbers);
        self.loose.extend(numbers.iter().filter(|&&number| table.payload(number)[0] == 0));
        numbers
    }

    /// A row has the key from now on.
    pub(super) fn retain(&mut self, key: u32) {
        if let Some(table) = &mut self.table {
            table.payload_mut(key)[0] += 1;
        }
    }

    /// A row has it no more.
    pub(super) fn release(&mut self, key: u32) {
        if let Some(table) = &mut self.table {
            let rows = &mut table.payload_mut(key)[0];
            *rows -= 1;
            self.loose.extend((*rows == 0).then_some(key));
        }
    }

    /// Gives away the numbers of keys without rows.
    pub(super) fn sweep(&mut self) {
        let Some(table) = &mut self.table else { return };
        self.loose.sort_unstable();
        self.loose.dedup();
        for key in self.loose.drain(..) {
            if table.payload(key)[0] == 0 {
                table.remove(key);
            }
        }
    }

    pub(super) fn state_size(&self) -> StateSize {
        self.table.as_ref().map_or_else(StateSize::default, |table| StateSize { rows: 0, bytes: table.memory_bytes() })
    }
}
