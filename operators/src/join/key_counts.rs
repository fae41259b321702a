//! [`KeyCounts`]: which keys have a match on the other side.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use deltic_circuit::JoinKey;
use deltic_circuit::time::event_times;
use deltic_zset::hash::hash_columns;
use deltic_zset::{EncodedRows, GroupTable, Result, RowLayout, ZBatch};

use super::Side;
use super::row_counts::{load, store};
use crate::expiring::Expiring;
use crate::{Horizon, StateSize};

/// Words of a group: its weight (two), and whether the open epoch has touched it.
const WORDS: usize = 3;
const TOUCHED: usize = 2;

/// For the rows of one side (the preserved one): the total weight of the other side's rows, by key.
pub(super) struct KeyCounts {
    table: GroupTable,
    schema: SchemaRef,
    /// Key columns of the preserved side.
    key: Vec<usize>,
    /// Key columns of the other side.
    other_key: Vec<usize>,
    null_safe: Vec<bool>,
    /// The keys by their time, if they end; its place among the key columns.
    pub(super) expiring: Option<Expiring>,
    time: usize,
}

/// The keys whose rows of the preserved side have found a match in an epoch, or lost the last one.
pub(super) struct Turned {
    pub(super) keys: ZBatch,
    /// By key: whether it has found a match.
    found: Vec<bool>,
}

impl Turned {
    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Whether the key has found a match; else it has lost the last.
    pub(super) fn found(&self, key: u32) -> bool {
        self.found[key as usize]
    }
}

impl KeyCounts {
    /// Counts for the rows of `side`, which has columns `schema`.
    pub(super) fn try_new(schema: &SchemaRef, keys: &[JoinKey], side: Side) -> Result<Self> {
        let [left, right] = [keys.iter().map(|key| key.left).collect(), keys.iter().map(|key| key.right).collect::<Vec<usize>>()];
        let (key, other_key) = match side {
            Side::Left => (left, right),
            Side::Right => (right, left),
        };
        let types: Vec<DataType> = key.iter().map(|&column| schema.field(column).data_type().clone()).collect();
        let fields: Vec<Field> = types.iter().map(|data_type| Field::new("key", data_type.clone(), true)).collect();
        let null_safe = keys.iter().map(|key| key.null_safe).collect();
        let table = GroupTable::new(RowLayout::try_new(&types)?, WORDS);
        Ok(KeyCounts { table, schema: Arc::new(Schema::new(fields)), key, other_key, null_safe, expiring: None, time: 0 })
    }

    /// Drops the keys that `horizon`, of a key column of the preserved side, has passed.
    pub(super) fn expect_ends(&mut self, horizon: Horizon) {
        let Some(time) = self.key.iter().position(|&column| column == horizon.column()) else { return };
        self.time = time;
        self.expiring = Some(Expiring::new(horizon, time, self.schema.field(time).data_type()));
    }

    /// Drops the keys that no later row can have.
    pub(super) fn expire(&mut self) {
        if let Some((_, keys)) = self.expiring.as_mut().and_then(|expiring| expiring.due(&self.table)) {
            keys.into_iter().for_each(|key| self.table.remove(key));
        }
    }

    /// Counts the delta of the other side.
    pub(super) fn apply(&mut self, deltas: &[ZBatch]) -> Turned {
        let mut touched: Vec<(u32, i128)> = Vec::new();
        let mut probe = Probe::default();
        for delta in deltas {
            let keys: Vec<ArrayRef> = self.other_key.iter().map(|&column| delta.column(column).clone()).collect();
            let matchable = self.matchable(&keys, delta.len());
            probe.encode(&keys, delta.len(), self.table.layout());
            let mut expiring = self.expiring.as_mut().map(|expiring| (event_times(&keys[self.time]), expiring));
            let Probe { keys, hashes, groups } = &mut probe;
            self.table.upsert(keys, hashes, groups);
            for (row, &group) in groups.iter().enumerate() {
                let words = self.table.payload_mut(group);
                let weight = load(words);
                if words[TOUCHED] == 0 {
                    words[TOUCHED] = 1;
                    touched.push((group, weight));
                    if let Some((times, expiring)) = &mut expiring
                        && weight == 0
                        && times.is_valid(row)
                    {
                        expiring.note(times.value(row), group);
                    }
                }
                // A NULL key matches nothing: it gets a group, for the length of the epoch, and no weight.
                if matchable.as_ref().is_none_or(|matchable| matchable.value(row)) {
                    store(words, weight + i128::from(delta.weight(row)));
                }
            }
        }
        self.turned(touched)
    }

    fn turned(&mut self, touched: Vec<(u32, i128)>) -> Turned {
        let (mut turned, mut found) = (Vec::new(), Vec::new());
        let mut empty = Vec::new();
        for (group, before) in touched {
            let words = self.table.payload_mut(group);
            words[TOUCHED] = 0;
            let after = load(words);
            if (before == 0) != (after == 0) {
                turned.push(group);
                found.push(after != 0);
            }
            empty.extend((after == 0).then_some(group));
        }
        let keys = self.table.keys(&turned);
        let keys = ZBatch::new(self.schema.clone(), keys, None, turned.len());
        for group in empty {
            self.table.remove(group);
        }
        Turned { keys, found }
    }

    /// The rows of a delta of the preserved side that have a match now (or have none, if not `matched`), if there are any.
    pub(super) fn select(&self, delta: &ZBatch, matched: bool) -> Option<ZBatch> {
        let keys: Vec<ArrayRef> = self.key.iter().map(|&column| delta.column(column).clone()).collect();
        let matchable = self.matchable(&keys, delta.len());
        let mut probe = Probe::default();
        probe.encode(&keys, delta.len(), self.table.layout());
        self.table.find(&probe.keys, &probe.hashes, &mut probe.groups);
        let unmatched = |row: usize| {
            probe.groups[row] == GroupTable::NONE || matchable.as_ref().is_some_and(|matchable| !matchable.value(row))
        };
        let selected: BooleanArray = (0..delta.len()).map(|row| Some(unmatched(row) != matched)).collect();
        (selected.true_count() > 0).then(|| delta.filter(&selected).expect("a mask of the batch's length"))
    }

    /// Which rows can match at all; `None` if all can.
    fn matchable(&self, keys: &[ArrayRef], rows: usize) -> Option<BooleanArray> {
        let strict = keys.iter().zip(&self.null_safe).filter(|(key, null_safe)| !**null_safe && key.null_count() > 0);
        let strict: Vec<&ArrayRef> = strict.map(|(key, _)| key).collect();
        if strict.is_empty() {
            return None;
        }
        Some((0..rows).map(|row| Some(strict.iter().all(|key| key.is_valid(row)))).collect())
    }

    pub(super) fn state_size(&self) -> StateSize {
        StateSize {
            rows: self.table.len(),
            bytes: self.table.memory_bytes() + self.expiring.as_ref().map_or(0, Expiring::memory_bytes),
        }
    }
}

/// Keys on their way to a table.
#[derive(Default)]
pub(super) struct Probe {
    pub(super) keys: EncodedRows,
    pub(super) hashes: Vec<u64>,
    pub(super) groups: Vec<u32>,
}

impl Probe {
    pub(super) fn encode(&mut self, columns: &[ArrayRef], rows: usize, layout: &RowLayout) {
        hash_columns(columns, rows, &mut self.hashes);
        layout.encode(columns, rows, &mut self.keys);
    }
}
