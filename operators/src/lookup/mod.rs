//! [`TemporalLookup`]: each left row beside the right row of its key as it is when the left row comes.
//!
//! Only the left input drives it: its delta is looked up in the arrangement of the right input as it is after the epoch, and what the right input becomes later
//! is nobody's business. Where the left input only ever grows nothing else is remembered. Where its rows can go, what each of them was shown beside is kept
//! ([`Shown`]), for it cannot be looked up any more: by then the right row may have changed.
//!
//! The residual condition is evaluated again when a row goes. It is a function of the pair, so it says what it said when the row came, and its
//! errors are taken back as they were made.

mod shown;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, Int64Array, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use deltic_circuit::{EpochInfo, JoinKind, Node, Operator, operator_label};
use deltic_zset::{Error, Result, Version, ZBatch};

use crate::arrange::Reader;
use crate::exchange::{coalesce, consolidated};
use crate::join::{Emission, PROBED_ROWS, Pairing, Pairs, Side};
use crate::{EpochOperator, Horizon, Output, StateSize};
use shown::{Shown, Taken};

/// Looks left rows up in the arrangement of the right input.
pub struct TemporalLookup {
    pairing: Pairing,
    keeps_unmatched: bool,
    reader: Reader,
    /// What was shown, if left rows can go.
    shown: Option<Shown>,
    pending: Vec<ZBatch>,
    schema: SchemaRef,
    label: &'static str,
}

impl TemporalLookup {
    /// The operator of `node`, whose left input is `left` and which reads the right one by `right`. What it remembers ends with `horizon`.
    ///
    /// # Errors
    /// [`Error::Shape`] if `node` is another one; [`Error::UnsupportedType`] if rows of the left input can go and one of its columns cannot be stored.
    pub fn try_new(node: &Node, left: &Node, right: Reader, horizon: Option<Horizon>) -> Result<Self> {
        let Operator::TemporalLookup { kind, keys, residual } = &node.operator else {
            return Err(Error::Shape("the node is no temporal lookup".to_owned()));
        };
        let schemas = [left.schema.clone(), right.schema()];
        let shown = match left.properties.append_only {
            true => None,
            false => Some(Shown::try_new(&schemas, horizon)?),
        };
        Ok(TemporalLookup {
            pairing: Pairing::new(keys, residual.clone(), schemas.each_ref().map(|schema| schema.fields().len())),
            keeps_unmatched: *kind == JoinKind::Left,
            reader: right,
            shown,
            pending: Vec::new(),
            schema: node.schema.clone(),
            label: operator_label(&node.operator),
        })
    }

    /// The left rows that have a right row, each beside it. As many rows as are probed at once.
    fn pairs(&self, rows: &ZBatch, stored: &Version) -> Option<Pairs> {
        let mut found: Vec<Pairs> = Vec::new();
        self.pairing.for_each(rows, Side::Left, stored, &mut |pairs| found.push(pairs));
        let mut seen = vec![false; rows.len()];
        let mut is_first = |&row: &u32| !std::mem::replace(&mut seen[row as usize], true);
        let mut plain =
            |pairs: &Pairs| pairs.stored_weights.iter().all(|&weight| weight == 1) && pairs.delta_rows.iter().all(&mut is_first);
        if found.len() < 2 && found.iter().all(&mut plain) {
            return found.pop();
        }
        // Right rows that have changed not long ago are stored as what came and what went.
        let number = Field::new("row", DataType::Int64, false);
        let fields = self.schema.fields().iter().map(|field| field.as_ref().clone()).chain([number]);
        let schema: SchemaRef = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let batches = found.into_iter().map(|pairs| {
            let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(pairs.delta_rows.iter().map(|&row| i64::from(row))));
            let columns = pairs.columns.into_iter().chain([numbers]).collect();
            ZBatch::new(schema.clone(), columns, Some(pairs.stored_weights.into()), pairs.rows)
        });
        let batches: Vec<ZBatch> = batches.collect();
        let sum = ZBatch::concat(&schema, &batches).and_then(|all| all.consolidate());
        let sum = sum.expect("rows of one probe fit a batch, and copies of stored rows are few");
        let mut columns = sum.columns().to_vec();
        let numbers = columns.pop().expect("the number was appended");
        let delta_rows: Vec<u32> = numbers.as_primitive::<Int64Type>().values().iter().map(|&row| row as u32).collect();
        Some(Pairs {
            columns,
            rows: sum.len(),
            delta_weights: delta_rows.iter().map(|&row| rows.weight(row as usize)).collect(),
            delta_rows,
            stored_weights: sum.weights_or_ones().to_vec(),
        })
    }

    /// Shows left rows that come: as many as are probed at once.
    fn come(&mut self, rows: &ZBatch, stored: &Version, emission: &mut Emission<'_>) {
        let mut found = vec![None; if self.shown.is_some() { rows.len() } else { 0 }];
        let mut matched = vec![false; rows.len()];
        if let Some(pairs) = self.pairs(rows, stored) {
            if let Some(shown) = &mut self.shown {
                let numbers = shown.number(self.pairing.columns_of(Side::Right, &pairs), pairs.rows);
                pairs.delta_rows.iter().zip(numbers).for_each(|(&row, number)| found[row as usize] = Some(number));
            }
            let pairs = self.pairing.select(pairs, Some(&mut *emission));
            pairs.delta_rows.iter().for_each(|&row| matched[row as usize] = true);
            emission.push_pairs(pairs);
        }
        if self.keeps_unmatched && matched.contains(&false) {
            let unmatched: BooleanArray = matched.iter().map(|matched| Some(!matched)).collect();
            let unmatched = rows.filter(&unmatched).expect("a mask of the batch's length");
            emission.push_padded(Side::Left, unmatched.columns().to_vec(), unmatched.weights_or_ones().to_vec());
        }
        if let Some(shown) = &mut self.shown {
            shown.push(rows, &found);
        }
    }

    /// Takes back what was shown for left rows that go.
    fn go(&mut self, rows: &ZBatch, emission: &mut Emission<'_>) {
        let Some(shown) = &mut self.shown else { return };
        let taken = shown.pop(rows);
        let left = |taken: &[&Taken]| -> Vec<ArrayRef> {
            let rows_of: UInt32Array = taken.iter().map(|taken| taken.row).collect();
            rows.columns().iter().map(|column| take(column, &rows_of, None).expect("rows of the batch")).collect()
        };
        let beside: Vec<&Taken> = taken.iter().filter(|taken| taken.right.is_some()).collect();
        let mut unmatched: Vec<&Taken> = taken.iter().filter(|taken| taken.right.is_none()).collect();
        if !beside.is_empty() {
            let numbers: Vec<u32> = beside.iter().filter_map(|taken| taken.right).collect();
            let pairs = Pairs {
                columns: left(&beside).into_iter().chain(shown.right_columns(&numbers)).collect(),
                rows: beside.len(),
                delta_rows: (0..beside.len() as u32).collect(),
                delta_weights: beside.iter().map(|taken| taken.copies.wrapping_neg()).collect(),
                stored_weights: vec![1; beside.len()],
            };
            let pairs = self.pairing.select(pairs, Some(&mut *emission));
            let mut matched = vec![false; beside.len()];
            pairs.delta_rows.iter().for_each(|&row| matched[row as usize] = true);
            emission.push_pairs(pairs);
            unmatched.extend(beside.iter().zip(matched).filter(|(_, matched)| !matched).map(|(taken, _)| *taken));
        }
        if self.keeps_unmatched && !unmatched.is_empty() {
            let weights = unmatched.iter().map(|taken| taken.copies.wrapping_neg()).collect();
            emission.push_padded(Side::Left, left(&unmatched), weights);
        }
    }
}

/// The rows of `batch` whose weights are positive, or those whose weights are negative.
fn signed(batch: &ZBatch, positive: bool) -> Option<ZBatch> {
    let wanted = |row: usize| (batch.weight(row) > 0) == positive;
    let rows = match batch.weights() {
        None => positive.then(|| batch.clone())?,
        Some(_) => {
            let mask: BooleanArray = (0..batch.len()).map(|row| Some(wanted(row))).collect();
            batch.filter(&mask).expect("a mask of the batch's length")
        }
    };
    (!rows.is_empty()).then_some(rows)
}

impl EpochOperator for TemporalLookup {
    fn push(&mut self, port: usize, batch: ZBatch) {
        // The right input is read where it is arranged.
        if port == 0 {
            self.pending.push(batch);
        }
    }

    fn observe(&mut self, info: &EpochInfo) {
        if let Some(shown) = &mut self.shown {
            shown.observe(info);
        }
    }

    fn close(&mut self, epoch: u64) -> Output {
        let pending = std::mem::take(&mut self.pending);
        // A row that comes and goes in one epoch was never there.
        let deltas = if self.shown.is_some() { consolidated(pending) } else { coalesce(pending) };
        let schema = self.schema.clone();
        let mut emission = Emission::new(&schema, self.pairing.widths(), self.label);
        if !deltas.is_empty() {
            let stored = self.reader.after(epoch);
            for rows in deltas.iter().filter_map(|delta| signed(delta, true)) {
                for first in (0..rows.len()).step_by(PROBED_ROWS) {
                    let slice = rows.slice(first, PROBED_ROWS.min(rows.len() - first));
                    self.come(&slice, &stored, &mut emission);
                }
            }
            deltas.iter().filter_map(|delta| signed(delta, false)).for_each(|rows| self.go(&rows, &mut emission));
        }
        if let Some(shown) = &mut self.shown {
            shown.sweep();
        }
        self.reader.advance_to(epoch + 1);
        emission.finish()
    }

    fn state_size(&self) -> StateSize {
        self.shown.as_ref().map_or_else(StateSize::default, Shown::state_size)
    }
}
