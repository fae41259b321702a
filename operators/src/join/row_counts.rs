//! [`RowCounts`]: how many matches each row has.
//!
//! The count of a row is the total weight of the rows of the other side that match it, whatever its own weight is. A row that
//! comes in is probed anyway, so its count is taken from there. For a row that stays, the pairs with the other side's delta give its own weight times
//! the change of the count; its own weight is known, so the division is exact, also when the index has the row in
//! several entries that partly cancel.

use arrow::array::{Array, ArrayRef};
use arrow::datatypes::{DataType, SchemaRef};
use deltic_circuit::time::event_times;
use deltic_zset::{GroupTable, Result, RowLayout, ZBatch};

use super::key_counts::Probe;
use super::pairing::Pairs;
use crate::expiring::Expiring;
use crate::{Horizon, StateSize};

/// Words of a row: its weight (two), its matches (two), and its place in the open epoch's list plus one, or zero.
const WORDS: usize = 5;
const MATCHES: usize = 2;
const PLACE: usize = 4;

/// An `i128` from two words.
pub(super) fn load(words: &[u64]) -> i128 {
    (u128::from(words[0]) | u128::from(words[1]) << 64) as i128
}

/// An `i128` into two words.
pub(super) fn store(words: &mut [u64], value: i128) {
    words[0] = value as u64;
    words[1] = (value as u128 >> 64) as u64;
}

/// Weight and matches of every row of one side.
pub(super) struct RowCounts {
    table: GroupTable,
    /// The rows by their time, if they end.
    pub(super) expiring: Option<Expiring>,
}

impl RowCounts {
    pub(super) fn try_new(schema: &SchemaRef) -> Result<Self> {
        let types: Vec<DataType> = schema.fields().iter().map(|field| field.data_type().clone()).collect();
        Ok(RowCounts { table: GroupTable::new(RowLayout::try_new(&types)?, WORDS), expiring: None })
    }

    /// Drops the rows that `horizon` has passed.
    pub(super) fn expect_ends(&mut self, horizon: Horizon) {
        let column = horizon.column();
        let data_type = self.table.layout().types()[column].clone();
        self.expiring = Some(Expiring::new(horizon, column, &data_type));
    }

    /// Drops the rows that no later row can meet.
    pub(super) fn expire(&mut self) {
        if let Some((_, rows)) = self.expiring.as_mut().and_then(|expiring| expiring.due(&self.table)) {
            rows.into_iter().for_each(|row| self.table.remove(row));
        }
    }

    /// Starts the changes of an epoch.
    pub(super) fn change(&mut self) -> Change<'_> {
        Change { table: &mut self.table, expiring: self.expiring.as_mut(), touched: Vec::new(), probe: Probe::default() }
    }

    pub(super) fn state_size(&self) -> StateSize {
        StateSize {
            rows: self.table.len(),
            bytes: self.table.memory_bytes() + self.expiring.as_ref().map_or(0, Expiring::memory_bytes),
        }
    }
}

/// The changes of an epoch. First the matches with the other side's delta, then the rows of this side's.
pub(super) struct Change<'a> {
    table: &'a mut GroupTable,
    expiring: Option<&'a mut Expiring>,
    touched: Vec<Touched>,
    probe: Probe,
}

/// A row as it was before the epoch, and what is known of its change.
struct Touched {
    group: u32,
    weight: i128,
    matches: i128,
    /// Weight times the change of the matches.
    products: i128,
    /// The matches after the epoch, if they were counted afresh.
    counted: Option<i128>,
}

impl Touched {
    fn matches_after(&self) -> i128 {
        let change = if self.weight == 0 { 0 } else { self.products / self.weight };
        self.counted.unwrap_or(self.matches + change)
    }
}

impl Change<'_> {
    /// Pairs of rows as they were before the epoch, of which `columns` are the columns, with the other side's delta.
    pub(super) fn add_matches(&mut self, columns: &[ArrayRef], pairs: &Pairs) {
        if pairs.rows == 0 {
            return;
        }
        self.probe.encode(columns, pairs.rows, self.table.layout());
        self.table.find(&self.probe.keys, &self.probe.hashes, &mut self.probe.groups);
        for (row, group) in std::mem::take(&mut self.probe.groups).into_iter().enumerate() {
            // A row that is gone but for entries that cancel has no count.
            if group != GroupTable::NONE {
                self.touch(group).products += pairs.product(row);
            }
        }
    }

    /// Rows of this side's delta, with the matches that each has after the epoch.
    pub(super) fn add_rows(&mut self, delta: &ZBatch, matches: &[i128]) {
        let times = self.expiring.as_ref().map(|expiring| event_times(delta.column(expiring.column())));
        self.probe.encode(delta.columns(), delta.len(), self.table.layout());
        self.table.upsert(&self.probe.keys, &self.probe.hashes, &mut self.probe.groups);
        for (row, group) in std::mem::take(&mut self.probe.groups).into_iter().enumerate() {
            self.touch(group).counted = Some(matches[row]);
            let words = self.table.payload_mut(group);
            let before = load(words);
            store(words, before + i128::from(delta.weight(row)));
            if let (Some(times), Some(expiring)) = (&times, &mut self.expiring)
                && before == 0
                && times.is_valid(row)
            {
                expiring.note(times.value(row), group);
            }
        }
    }

    fn touch(&mut self, group: u32) -> &mut Touched {
        let words = self.table.payload_mut(group);
        if words[PLACE] == 0 {
            words[PLACE] = self.touched.len() as u64 + 1;
            let (weight, matches) = (load(words), load(&words[MATCHES..]));
            self.touched.push(Touched { group, weight, matches, products: 0, counted: None });
        }
        let place = words[PLACE] as usize - 1;
        &mut self.touched[place]
    }

    /// Applies the changes; returns the columns and weights of the change of the rows without a match (with one, if `matched`), if there is one.
    pub(super) fn finish(self, matched: bool) -> Option<(Vec<ArrayRef>, Vec<i128>)> {
        let (mut groups, mut weights, mut gone) = (Vec::new(), Vec::new(), Vec::new());
        for touched in &self.touched {
            let words = self.table.payload_mut(touched.group);
            let (weight, matches) = (load(words), touched.matches_after());
            store(&mut words[MATCHES..], matches);
            words[PLACE] = 0;
            let alone = |weight: i128, matches: i128| if (matches == 0) != matched { weight } else { 0 };
            let change = alone(weight, matches) - alone(touched.weight, touched.matches);
            if change != 0 {
                groups.push(touched.group);
                weights.push(change);
            }
            gone.extend((weight == 0).then_some(touched.group));
        }
        let columns = self.table.keys(&groups);
        for group in gone {
            self.table.remove(group);
        }
        (!groups.is_empty()).then_some((columns, weights))
    }
}
