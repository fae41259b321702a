//! [`RowsByTime`]: rows that wait for an instant.
//!
//! The rows stand in a group table, which is what finds the row that a deletion means: by one probe, whatever waits. A row stands
//! in the bucket of its instant as a number, and knows its place there, so it leaves as quickly; what is due is the
//! first buckets. Buckets are as many as instants: few, if rows wait for their windows; as many as rows at worst, so one that has one row
//! allocates nothing of its own.

use std::collections::BTreeMap;

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, SchemaRef};
use deltic_zset::hash::hash_columns;
use deltic_zset::{EncodedRows, GroupTable, Result, RowLayout, ZBatch};

use crate::StateSize;

/// Payload: the weight, the instant, and the place in its bucket plus one (zero: in none).
const WEIGHT: usize = 0;
const INSTANT: usize = 1;
const PLACE: usize = 2;
const WORDS: usize = 3;

/// Rows of one batch that is read back: few enough to stay in the cache from one look at them to the next.
const BATCH_ROWS: usize = 1 << 13;

/// A Z-set of rows, each with an instant that is a function of the row.
pub(crate) struct RowsByTime {
    schema: SchemaRef,
    rows: GroupTable,
    instants: BTreeMap<i64, Bucket>,
    encoded: EncodedRows,
    hashes: Vec<u64>,
    groups: Vec<u32>,
}

enum Bucket {
    One(u32),
    Many(Vec<u32>),
}

impl Bucket {
    /// Adds a row and says at which place.
    fn push(&mut self, row: u32) -> usize {
        match self {
            Bucket::One(first) => {
                *self = Bucket::Many(vec![*first, row]);
                1
            }
            Bucket::Many(rows) => {
                rows.push(row);
                rows.len() - 1
            }
        }
    }

    /// Removes the row at `place`. Returns the row that is there now, and whether no row is left.
    fn remove(&mut self, place: usize) -> (Option<u32>, bool) {
        match self {
            Bucket::One(_) => (None, true),
            Bucket::Many(rows) => {
                rows.swap_remove(place);
                (rows.get(place).copied(), rows.is_empty())
            }
        }
    }

    fn into_rows(self) -> Vec<u32> {
        match self {
            Bucket::One(row) => vec![row],
            Bucket::Many(rows) => rows,
        }
    }

    fn memory_bytes(&self) -> usize {
        let own = size_of::<(i64, Bucket)>();
        match self {
            Bucket::One(_) => own,
            Bucket::Many(rows) => own + rows.capacity() * size_of::<u32>(),
        }
    }
}

impl RowsByTime {
    /// No rows, of `schema`.
    ///
    /// # Errors
    /// If a column has a type that cannot be stored.
    pub(crate) fn try_new(schema: SchemaRef) -> Result<Self> {
        let types: Vec<DataType> = schema.fields().iter().map(|field| field.data_type().clone()).collect();
        Ok(RowsByTime {
            schema,
            rows: GroupTable::new(RowLayout::try_new(&types)?, WORDS),
            instants: BTreeMap::new(),
            encoded: EncodedRows::new(),
            hashes: Vec::new(),
            groups: Vec::new(),
        })
    }

    /// Adds rows, each with its instant: O(log instants) for one that is new, else one probe.
    pub(crate) fn add(&mut self, batch: &ZBatch, instants: &[i64]) {
        debug_assert_eq!(batch.len(), instants.len());
        if batch.is_empty() {
            return;
        }
        hash_columns(batch.columns(), batch.len(), &mut self.hashes);
        self.rows.layout().encode(batch.columns(), batch.len(), &mut self.encoded);
        let mut groups = std::mem::take(&mut self.groups);
        self.rows.upsert(&self.encoded, &self.hashes, &mut groups);
        let mut emptied = Vec::new();
        for (row, (&group, &instant)) in groups.iter().zip(instants).enumerate() {
            let payload = self.rows.payload_mut(group);
            let weight = payload[WEIGHT].wrapping_add(batch.weight(row) as u64);
            payload[WEIGHT] = weight;
            if payload[PLACE] == 0 {
                self.schedule(group, instant);
            }
            emptied.extend((weight == 0).then_some(group));
        }
        self.groups = groups;
        // Numbers of rows that are removed are given away again, so that waits until all are looked at.
        emptied.sort_unstable();
        emptied.dedup();
        for group in emptied {
            if self.rows.payload(group)[WEIGHT] == 0 {
                self.unschedule(group);
                self.rows.remove(group);
            }
        }
    }

    /// Lets a row wait that waits for nothing.
    pub(crate) fn schedule(&mut self, row: u32, instant: i64) {
        let mut place = 0;
        self.instants.entry(instant).and_modify(|bucket| place = bucket.push(row)).or_insert(Bucket::One(row));
        let payload = self.rows.payload_mut(row);
        payload[INSTANT] = instant as u64;
        payload[PLACE] = place as u64 + 1;
    }

    fn unschedule(&mut self, row: u32) {
        let payload = self.rows.payload(row);
        let (instant, place) = (payload[INSTANT] as i64, payload[PLACE] as usize);
        if place == 0 {
            return;
        }
        let Some(bucket) = self.instants.get_mut(&instant) else { return };
        let (moved, empty) = bucket.remove(place - 1);
        if let Some(moved) = moved {
            self.rows.payload_mut(moved)[PLACE] = place as u64;
        }
        if empty {
            self.instants.remove(&instant);
        }
    }

    /// The first instant that a row waits for.
    pub(crate) fn first_instant(&self) -> Option<i64> {
        self.instants.first_key_value().map(|(instant, _)| *instant)
    }

    /// The rows whose instant is not after `until`, by instant. They wait for nothing any more and are still there: to be scheduled again, or removed.
    pub(crate) fn take_due(&mut self, until: i64) -> Vec<u32> {
        let mut due = Vec::new();
        while let Some(first) = self.instants.first_entry().filter(|first| *first.key() <= until) {
            due.extend(first.remove().into_rows());
        }
        for &row in &due {
            self.rows.payload_mut(row)[PLACE] = 0;
        }
        due
    }

    /// The given rows with their weights.
    pub(crate) fn batch(&self, rows: &[u32]) -> ZBatch {
        let weights: Vec<i64> = rows.iter().map(|&row| self.rows.payload(row)[WEIGHT] as i64).collect();
        let weights = weights.iter().any(|&weight| weight != 1).then(|| weights.into());
        let columns: Vec<ArrayRef> = self.rows.keys(rows);
        ZBatch::new(self.schema.clone(), columns, weights, rows.len())
    }

    /// Removes a row that waits for nothing.
    pub(crate) fn remove(&mut self, row: u32) {
        self.rows.remove(row);
    }

    /// Removes the rows whose instant is not after `until`, in no particular order.
    pub(crate) fn drain_due(&mut self, until: i64) -> Vec<ZBatch> {
        let mut due = Vec::new();
        while let Some(first) = self.instants.first_entry().filter(|first| *first.key() <= until) {
            due.extend(first.remove().into_rows());
        }
        // Their instants have them all over the table; in order of number they are walked through from one end to the other.
        due.sort_unstable();
        let read_and_remove = |rows: &[u32]| {
            let batch = self.batch(rows);
            self.rows.remove_all(rows);
            batch
        };
        due.chunks(BATCH_ROWS).map(read_and_remove).collect()
    }

    /// How many rows wait, in how many bytes.
    pub(crate) fn state_size(&self) -> StateSize {
        let buckets: usize = self.instants.values().map(Bucket::memory_bytes).sum();
        StateSize { rows: self.rows.len(), bytes: self.rows.memory_bytes() + buckets }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use datafusion_common::ScalarValue;
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{batch, rows_of, schema};

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        /// Values wait for their half.
        #[test]
        fn what_is_due_is_what_a_map_says(steps in vec((vec((0..40i64, -2..3i64), 0..12), proptest::option::of(0..22i64)), 0..12)) {
            let schema = schema(&[DataType::Int64]);
            let mut rows = RowsByTime::try_new(schema.clone()).unwrap();
            let mut model: BTreeMap<i64, i64> = BTreeMap::new();
            for (changes, until) in steps {
                let batched: Vec<_> = changes.iter().map(|&(value, weight)| (vec![ScalarValue::Int64(Some(value))], weight)).collect();
                let instants: Vec<i64> = changes.iter().map(|(value, _)| value / 2).collect();
                rows.add(&batch(&schema, &batched), &instants);
                changes.iter().for_each(|(value, weight)| *model.entry(*value).or_default() += weight);
                model.retain(|_, weight| *weight != 0);
                prop_assert_eq!(rows.first_instant(), model.keys().next().map(|value| value / 2));
                if let Some(until) = until {
                    let due = rows.drain_due(until);
                    let later = model.split_off(&(2 * until + 2));
                    let expected: Vec<_> = model.iter().map(|(&value, &weight)| (vec![ScalarValue::Int64(Some(value))], weight)).collect();
                    prop_assert_eq!(rows_of(&ZBatch::concat(&schema, &due).unwrap()), rows_of(&batch(&schema, &expected)));
                    model = later;
                }
                prop_assert_eq!(rows.state_size().rows, model.len());
            }
        }
    }
}
