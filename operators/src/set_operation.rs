//! [`SetOperation`]: `EXCEPT` and `INTERSECT`, with and without `ALL`.
//!
//! The state is, per row, its weight in either input: what the output has of a row is a function of these two, and they change only where a delta
//! has the row. So a changed row costs one probe of the table, however often it is there, and a row that goes from one input to the other
//! within an epoch is decided once, when the epoch closes. A weight below zero (only a wrong input can cause it) counts as none.

use arrow::array::Array;
use arrow::datatypes::{DataType, SchemaRef};
use deltic_circuit::time::event_times;
use deltic_circuit::{EpochInfo, SetOperationKind};
use deltic_zset::hash::hash_columns;
use deltic_zset::{EncodedRows, GroupTable, Result, RowLayout, ZBatch};

use crate::expiring::Expiring;
use crate::{EpochOperator, Horizon, Output, StateSize};

/// Payload: the weights in the left and in the right input, in two words each, and whether the row is among the touched ones.
const TOUCHED: usize = 4;
const WORDS: usize = 5;

/// Rows that are applied together: few enough that what they touch stays in the cache from one pass over them to the next.
const BLOCK: usize = 1 << 12;
/// Rows of the table that are on their way from memory.
const AHEAD: usize = 16;

/// Keeps of each row as many copies as its weights in the two inputs say.
pub struct SetOperation {
    kind: SetOperationKind,
    schema: SchemaRef,
    layout: RowLayout,
    weights: GroupTable,
    /// The rows that the open epoch touched, with the copies that the output had of them before it.
    touched: Vec<(u32, i64)>,
    /// The rows by their time, if they end.
    expiring: Option<Expiring>,
    encoded: EncodedRows,
    hashes: Vec<u64>,
    groups: Vec<u32>,
}

impl SetOperation {
    /// The operator over two inputs with columns like those of `schema`.
    ///
    /// # Errors
    /// If a column has a type that cannot be stored.
    pub fn try_new(kind: SetOperationKind, schema: SchemaRef) -> Result<Self> {
        let types: Vec<DataType> = schema.fields().iter().map(|field| field.data_type().clone()).collect();
        let layout = RowLayout::try_new(&types)?;
        Ok(SetOperation {
            kind,
            schema,
            weights: GroupTable::new(layout.clone(), WORDS),
            layout,
            touched: Vec::new(),
            expiring: None,
            encoded: EncodedRows::new(),
            hashes: Vec::new(),
            groups: Vec::new(),
        })
    }

    /// Drops the rows that `horizon` has passed.
    pub fn with_horizon(mut self, horizon: Option<Horizon>) -> Self {
        self.expiring = horizon.map(|horizon| {
            let column = horizon.column();
            Expiring::new(horizon, column, self.schema.field(column).data_type())
        });
        self
    }

    fn batch(&self, groups: &[u32], weights: Vec<i64>) -> ZBatch {
        let weights = weights.iter().any(|&weight| weight != 1).then(|| weights.into());
        ZBatch::new(self.schema.clone(), self.weights.keys(groups), weights, groups.len())
    }

    /// Applies the rows of a batch of at most [`BLOCK`] of them.
    fn apply(&mut self, port: usize, batch: &ZBatch) {
        hash_columns(batch.columns(), batch.len(), &mut self.hashes);
        self.layout.encode(batch.columns(), batch.len(), &mut self.encoded);
        self.weights.upsert(&self.encoded, &self.hashes, &mut self.groups);
        let mut expiring = self.expiring.as_mut().map(|expiring| (event_times(batch.column(expiring.column())), expiring));
        for (row, &group) in self.groups.iter().enumerate() {
            let payload = self.weights.payload_mut(group);
            if payload[TOUCHED] == 0 {
                payload[TOUCHED] = 1;
                self.touched.push((group, copies(self.kind, payload)));
                if let Some((times, expiring)) = &mut expiring
                    && is_new(payload)
                    && times.is_valid(row)
                {
                    expiring.note(times.value(row), group);
                }
            }
            let words = &mut payload[2 * port..2 * port + 2];
            let after = load(words).wrapping_add(i128::from(batch.weight(row)));
            (words[0], words[1]) = (after as u64, (after >> 64) as u64);
        }
    }
}

fn load(words: &[u64]) -> i128 {
    (u128::from(words[0]) | u128::from(words[1]) << 64) as i128
}

fn is_new(payload: &[u64]) -> bool {
    payload[..TOUCHED].iter().all(|&word| word == 0)
}

/// What the output has of a row.
fn copies(kind: SetOperationKind, payload: &[u64]) -> i64 {
    let (left, right) = (load(payload).max(0), load(&payload[2..]).max(0));
    let copies = match kind {
        SetOperationKind::Except => i128::from(left > 0 && right == 0),
        SetOperationKind::ExceptAll => (left - right).max(0),
        SetOperationKind::Intersect => i128::from(left > 0 && right > 0),
        SetOperationKind::IntersectAll => left.min(right),
    };
    // No relation has more copies of a row than a weight can count.
    i64::try_from(copies).unwrap_or(i64::MAX)
}

impl EpochOperator for SetOperation {
    fn push(&mut self, port: usize, batch: ZBatch) {
        for start in (0..batch.len()).step_by(BLOCK) {
            self.apply(port, &batch.slice(start, BLOCK.min(batch.len() - start)));
        }
    }

    fn observe(&mut self, info: &EpochInfo) {
        if let Some(expiring) = &mut self.expiring {
            expiring.observe(info);
        }
    }

    fn close(&mut self, _epoch: u64) -> Output {
        let (mut groups, mut weights, mut gone) = (Vec::new(), Vec::new(), Vec::new());
        let mut touched = std::mem::take(&mut self.touched);
        for (index, &(group, before)) in touched.iter().enumerate() {
            if let Some(&(ahead, _)) = touched.get(index + AHEAD) {
                self.weights.prefetch(ahead);
            }
            let payload = self.weights.payload_mut(group);
            payload[TOUCHED] = 0;
            let change = copies(self.kind, payload) - before;
            if change != 0 {
                groups.push(group);
                weights.push(change);
            }
            gone.extend(is_new(payload).then_some(group));
        }
        let output = Output::of(self.batch(&groups, weights), ZBatch::default());
        gone.into_iter().for_each(|group| self.weights.remove(group));
        // The next epoch is likely to be as big as this one.
        touched.shrink_to(2 * touched.len());
        touched.clear();
        self.touched = touched;
        if let Some((_, rows)) = self.expiring.as_mut().and_then(|expiring| expiring.due(&self.weights)) {
            rows.into_iter().for_each(|row| self.weights.remove(row));
        }
        output
    }

    fn contents(&self) -> Option<ZBatch> {
        if self.expiring.is_some() {
            return None;
        }
        let copies = |group: u32| copies(self.kind, self.weights.payload(group));
        let present = self.weights.groups().map(|group| (group, copies(group))).filter(|(_, copies)| *copies > 0);
        let (groups, weights): (Vec<u32>, Vec<i64>) = present.unzip();
        Some(self.batch(&groups, weights))
    }

    fn state_size(&self) -> StateSize {
        StateSize {
            rows: self.weights.len(),
            bytes: self.weights.memory_bytes() + self.expiring.as_ref().map_or(0, Expiring::memory_bytes),
        }
    }
}

#[cfg(test)]
mod tests;
