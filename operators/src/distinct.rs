//! [`Distinct`]: each row once, whatever its weight.
//!
//! The state is the weight of each row. Only a row whose weight becomes positive, or stops being so, changes the output, and
//! that is decided when the epoch closes: a row that is deleted and inserted again inside an epoch emits nothing. A weight
//! that stays negative (only a wrong input can cause it) is an error row until it is made good.

use std::sync::LazyLock;

use arrow::array::Array;
use arrow::datatypes::{DataType, SchemaRef};
use deltic_circuit::errors::code;
use deltic_circuit::time::event_times;
use deltic_circuit::{EpochInfo, ErrorRows, EvalError, render_values};
use deltic_zset::hash::hash_columns;
use deltic_zset::{EncodedRows, GroupTable, Result, RowLayout, ZBatch};

use crate::expiring::Expiring;
use crate::{EpochOperator, Horizon, Output, StateSize};

/// Payload: the weight in two words, and whether the row is among the touched ones.
const WEIGHT: usize = 0;
const TOUCHED: usize = 2;
const WORDS: usize = 3;

/// Rows that are applied together: few enough that what they touch stays in the cache from one pass over them to the next.
const BLOCK: usize = 1 << 12;
/// Rows of the table that are on their way from memory.
const AHEAD: usize = 16;

static NEGATIVE: LazyLock<EvalError> =
    LazyLock::new(|| EvalError::new(code::WEIGHT, "the row was deleted more often than inserted"));

/// Keeps each row once.
pub struct Distinct {
    schema: SchemaRef,
    layout: RowLayout,
    weights: GroupTable,
    /// The rows that the open epoch touched, with the sign of their weight before it.
    touched: Vec<(u32, i8)>,
    /// The rows by their time, if they end.
    expiring: Option<Expiring>,
    encoded: EncodedRows,
    hashes: Vec<u64>,
    groups: Vec<u32>,
}

fn weight(payload: &[u64]) -> i128 {
    (u128::from(payload[WEIGHT]) | u128::from(payload[WEIGHT + 1]) << 64) as i128
}

impl Distinct {
    /// The operator over rows of `schema`.
    ///
    /// # Errors
    /// If a column has a type that cannot be stored.
    pub fn try_new(schema: SchemaRef) -> Result<Self> {
        let types: Vec<DataType> = schema.fields().iter().map(|field| field.data_type().clone()).collect();
        let layout = RowLayout::try_new(&types)?;
        Ok(Distinct {
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

    fn batch(&self, groups: &[u32], weights: Option<Vec<i64>>) -> ZBatch {
        ZBatch::new(self.schema.clone(), self.weights.keys(groups), weights.map(Into::into), groups.len())
    }
}

impl Distinct {
    /// Applies the rows of a batch of at most [`BLOCK`] of them.
    fn apply(&mut self, batch: &ZBatch) {
        hash_columns(batch.columns(), batch.len(), &mut self.hashes);
        self.layout.encode(batch.columns(), batch.len(), &mut self.encoded);
        self.weights.upsert(&self.encoded, &self.hashes, &mut self.groups);
        let mut expiring = self.expiring.as_mut().map(|expiring| (event_times(batch.column(expiring.column())), expiring));
        for (row, &group) in self.groups.iter().enumerate() {
            let payload = self.weights.payload_mut(group);
            let before = weight(payload);
            if payload[TOUCHED] == 0 {
                payload[TOUCHED] = 1;
                self.touched.push((group, before.signum() as i8));
                if let Some((times, expiring)) = &mut expiring
                    && before == 0
                    && times.is_valid(row)
                {
                    expiring.note(times.value(row), group);
                }
            }
            let after = before.wrapping_add(i128::from(batch.weight(row)));
            (payload[WEIGHT], payload[WEIGHT + 1]) = (after as u64, (after >> 64) as u64);
        }
    }
}

impl EpochOperator for Distinct {
    fn push(&mut self, _port: usize, batch: ZBatch) {
        for start in (0..batch.len()).step_by(BLOCK) {
            self.apply(&batch.slice(start, BLOCK.min(batch.len() - start)));
        }
    }

    fn observe(&mut self, info: &EpochInfo) {
        if let Some(expiring) = &mut self.expiring {
            expiring.observe(info);
        }
    }

    fn close(&mut self, _epoch: u64) -> Output {
        let (mut groups, mut weights, mut gone) = (Vec::new(), Vec::new(), Vec::new());
        let mut errors = ErrorRows::new();
        let mut touched = std::mem::take(&mut self.touched);
        for (index, &(group, before)) in touched.iter().enumerate() {
            if let Some(&(ahead, _)) = touched.get(index + AHEAD) {
                self.weights.prefetch(ahead);
            }
            let payload = self.weights.payload_mut(group);
            payload[TOUCHED] = 0;
            let after = weight(payload).signum() as i8;
            let change = i64::from(after > 0) - i64::from(before > 0);
            if change != 0 {
                groups.push(group);
                weights.push(change);
            }
            let failure = i64::from(after < 0) - i64::from(before < 0);
            if failure != 0 {
                errors.push(&NEGATIVE, "distinct", render_values(&self.weights.keys(&[group]), 0), failure);
            }
            gone.extend((after == 0).then_some(group));
        }
        let weights = weights.iter().any(|&weight| weight != 1).then_some(weights);
        let output = Output::of(self.batch(&groups, weights), errors.finish());
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
        let positive = |group: &u32| weight(self.weights.payload(*group)) > 0;
        let groups: Vec<u32> = self.weights.groups().filter(positive).collect();
        Some(self.batch(&groups, None))
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
