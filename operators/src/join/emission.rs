//! [`Emission`]: the output of a join in an epoch as it grows.

use arrow::array::{ArrayRef, new_null_array};
use arrow::datatypes::SchemaRef;
use deltic_circuit::errors::code;
use deltic_circuit::{ErrorRows, EvalError, render_values};
use deltic_zset::ZBatch;

use super::{Pairs, Side};
use crate::Output;

/// The output of an epoch as it grows.
pub(crate) struct Emission<'a> {
    schema: &'a SchemaRef,
    widths: [usize; 2],
    pub(super) label: &'static str,
    rows: Vec<ZBatch>,
    pub(super) errors: ErrorRows,
}

impl<'a> Emission<'a> {
    /// No output yet, of rows with columns `schema`, `widths` of them left and right. `label` is what errors are said to arise in.
    pub(crate) fn new(schema: &'a SchemaRef, widths: [usize; 2], label: &'static str) -> Self {
        Emission { schema, widths, label, rows: Vec::new(), errors: ErrorRows::new() }
    }

    /// Pairs, each with the product of its weights.
    pub(crate) fn push_pairs(&mut self, pairs: Pairs) {
        let products = pairs.delta_weights.iter().zip(&pairs.stored_weights);
        let products: Option<Vec<i64>> = products.map(|(delta, stored)| delta.checked_mul(*stored)).collect();
        match products {
            Some(weights) => self.push_columns(pairs.columns, weights),
            None => {
                let weights: Vec<i128> = (0..pairs.rows).map(|row| pairs.product(row)).collect();
                self.push_wide(pairs.columns, &weights);
            }
        }
    }

    /// Rows of `side` beside NULLs.
    pub(crate) fn push_padded(&mut self, side: Side, columns: Vec<ArrayRef>, weights: Vec<i64>) {
        let columns = self.padded(side, columns, weights.len());
        self.push_columns(columns, weights);
    }

    /// As [`Emission::push_padded`], of weights that may not fit.
    pub(crate) fn push_padded_wide(&mut self, side: Side, columns: Vec<ArrayRef>, weights: &[i128]) {
        let columns = self.padded(side, columns, weights.len());
        self.push_wide(columns, weights);
    }

    fn padded(&self, side: Side, columns: Vec<ArrayRef>, rows: usize) -> Vec<ArrayRef> {
        let nulls = |fields: std::ops::Range<usize>| -> Vec<ArrayRef> {
            fields.map(|field| new_null_array(self.schema.field(field).data_type(), rows)).collect()
        };
        let [left, right] = self.widths;
        match side {
            Side::Left => columns.into_iter().chain(nulls(left..left + right)).collect(),
            Side::Right => nulls(0..left).into_iter().chain(columns).collect(),
        }
    }

    /// Rows whose weights may not fit: those that do not are errors.
    fn push_wide(&mut self, columns: Vec<ArrayRef>, weights: &[i128]) {
        let fits: Vec<bool> = weights.iter().map(|&weight| i64::try_from(weight).is_ok()).collect();
        for (row, &weight) in weights.iter().enumerate().filter(|&(row, _)| !fits[row]) {
            let error = EvalError::new(code::WEIGHT, "the number of copies of a joined row left the range of a 64-bit integer");
            self.errors.push(&error, self.label, render_values(&columns, row), weight.signum() as i64);
        }
        let narrow: Vec<i64> = weights.iter().map(|&weight| i64::try_from(weight).unwrap_or_default()).collect();
        let before = self.rows.len();
        self.push_columns(columns, narrow);
        if fits.contains(&false)
            && let Some(batch) = self.rows.get_mut(before)
        {
            *batch = batch.filter(&fits.into()).expect("columns of one batch have one length");
        }
    }

    fn push_columns(&mut self, columns: Vec<ArrayRef>, weights: Vec<i64>) {
        let rows = weights.len();
        if rows > 0 {
            let weights = if weights.iter().all(|&weight| weight == 1) { None } else { Some(weights.into()) };
            self.rows.push(ZBatch::new(self.schema.clone(), columns, weights, rows));
        }
    }

    /// The output.
    pub(crate) fn finish(self) -> Output {
        let mut rows = self.rows;
        let may_cancel = rows.iter().any(|batch| batch.weights().is_some_and(|weights| weights.iter().any(|&weight| weight < 0)));
        if may_cancel && let Ok(consolidated) = ZBatch::concat(self.schema, &rows).and_then(|all| all.consolidate()) {
            rows = vec![consolidated];
        }
        rows.retain(|batch| !batch.is_empty());
        let errors = if self.errors.is_empty() { Vec::new() } else { vec![self.errors.finish()] };
        Output { rows, errors }
    }
}
