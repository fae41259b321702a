//! [`Pairing`]: which rows of a delta meet which stored rows.
//!
//! A delta is probed in slices and what they find is copied out in slices, so that neither a big delta nor a hot key makes one huge batch.
//! The two sides keep their places: columns are left, then right, whichever side the delta is of.

use std::ops::Range;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, UInt32Array};
use arrow::compute::{filter, take};
use deltic_circuit::{Expr, JoinKey, render_values};
use deltic_zset::hash::hash_columns;
use deltic_zset::{Matches, Version, ZBatch};

use super::{Emission, Side};

/// Rows of a delta that are probed at once.
pub(crate) const PROBED_ROWS: usize = 4096;
/// Pairs that become one batch.
const PAIRS: usize = 1 << 15;

/// Receives stored rows: their columns, the probing row of each, and their weights.
type TakeStored<'a> = dyn FnMut(Vec<ArrayRef>, &[u32], &[i64]) + 'a;

/// The condition of a join.
pub(crate) struct Pairing {
    /// The key columns of each side.
    keys: [Vec<usize>; 2],
    null_safe: Vec<bool>,
    residual: Option<Expr>,
    /// The number of columns of each side.
    widths: [usize; 2],
}

/// Rows of a delta beside stored rows.
pub(crate) struct Pairs {
    /// Left, then right.
    pub(crate) columns: Vec<ArrayRef>,
    pub(crate) rows: usize,
    /// The row of the delta in each pair.
    pub(crate) delta_rows: Vec<u32>,
    pub(crate) delta_weights: Vec<i64>,
    pub(crate) stored_weights: Vec<i64>,
}

impl Pairs {
    /// The weight of a pair.
    pub(super) fn product(&self, row: usize) -> i128 {
        i128::from(self.delta_weights[row]) * i128::from(self.stored_weights[row])
    }
}

impl Pairing {
    /// The condition that `keys` agree and `residual` is true, for sides with so many columns.
    pub(crate) fn new(keys: &[JoinKey], residual: Option<Expr>, widths: [usize; 2]) -> Self {
        Pairing {
            keys: [keys.iter().map(|key| key.left).collect(), keys.iter().map(|key| key.right).collect()],
            null_safe: keys.iter().map(|key| key.null_safe).collect(),
            residual,
            widths,
        }
    }

    /// The number of columns of each side.
    pub(crate) fn widths(&self) -> [usize; 2] {
        self.widths
    }

    /// The columns of one side of `pairs`.
    pub(crate) fn columns_of<'a>(&self, side: Side, pairs: &'a Pairs) -> &'a [ArrayRef] {
        let (left, right) = pairs.columns.split_at(self.widths[0]);
        match side {
            Side::Left => left,
            Side::Right => right,
        }
    }

    /// All pairs of a row of `delta`, which is of `side`, and a row of `stored`, which is of the other side, with equal keys.
    pub(crate) fn for_each(&self, delta: &ZBatch, side: Side, stored: &Version, take_pairs: &mut dyn FnMut(Pairs)) {
        for first in (0..delta.len()).step_by(PROBED_ROWS) {
            let slice = delta.slice(first, PROBED_ROWS.min(delta.len() - first));
            let keys: Vec<ArrayRef> = self.keys[side.port()].iter().map(|&column| slice.column(column).clone()).collect();
            self.probe(&keys, slice.len(), side.other(), stored, &mut |columns, probed, weights| {
                take_pairs(self.beside(&slice, first, side, columns, probed, weights));
            });
        }
    }

    /// All rows of `stored`, which is of `side`, that have one of the keys.
    pub(super) fn for_each_of_keys(&self, keys: &ZBatch, side: Side, stored: &Version, take_stored: &mut TakeStored<'_>) {
        self.probe(keys.columns(), keys.len(), side, stored, take_stored);
    }

    fn probe(&self, keys: &[ArrayRef], rows: usize, side: Side, stored: &Version, take_stored: &mut TakeStored<'_>) {
        let mut hashes = Vec::new();
        hash_columns(keys, rows, &mut hashes);
        let mut matches = Matches::new();
        stored.probe(keys, &hashes, &self.null_safe, &mut matches);
        let columns: Vec<usize> = (0..self.widths[side.port()]).collect();
        for first in (0..matches.len()).step_by(PAIRS) {
            gather(&matches, &columns, first..matches.len().min(first + PAIRS), take_stored);
        }
    }

    /// Pairs the stored rows with the rows of the delta that found them. `delta` starts at row `first` of the whole.
    fn beside(&self, delta: &ZBatch, first: usize, side: Side, stored: Vec<ArrayRef>, probed: &[u32], weights: &[i64]) -> Pairs {
        let rows = UInt32Array::from(probed.to_vec());
        let taken = delta.columns().iter().map(|column| take(column, &rows, None).expect("values of 2 GiB are not repeated"));
        let taken: Vec<ArrayRef> = taken.collect();
        let columns = match side {
            Side::Left => taken.into_iter().chain(stored).collect(),
            Side::Right => stored.into_iter().chain(taken).collect(),
        };
        Pairs {
            columns,
            rows: probed.len(),
            delta_rows: probed.iter().map(|&row| row + first as u32).collect(),
            delta_weights: probed.iter().map(|&row| delta.weight(row as usize)).collect(),
            stored_weights: weights.to_vec(),
        }
    }

    /// The pairs on which the residual is true. Those on which it fails are errors of `emission`, if it is given.
    pub(crate) fn select(&self, pairs: Pairs, emission: Option<&mut Emission<'_>>) -> Pairs {
        let Some(residual) = &self.residual else { return pairs };
        let evaluated = residual.evaluate(&pairs.columns, pairs.rows);
        if let Some(emission) = emission {
            for (row, error) in evaluated.errors.iter() {
                let product = pairs.product(row);
                let weight = i64::try_from(product).unwrap_or(product.signum() as i64);
                emission.errors.push(error, emission.label, render_values(&pairs.columns, row), weight);
            }
        }
        let values = evaluated.values.as_boolean();
        let keep: BooleanArray = (0..pairs.rows).map(|row| Some(values.is_valid(row) && values.value(row))).collect();
        if keep.true_count() == pairs.rows { pairs } else { filtered(pairs, &keep) }
    }
}

fn filtered(pairs: Pairs, keep: &BooleanArray) -> Pairs {
    let kept = |row: &usize| keep.value(*row);
    let rows: Vec<usize> = (0..pairs.rows).filter(kept).collect();
    let columns = pairs.columns.iter().map(|column| filter(column, keep).expect("a mask of the columns' length")).collect();
    Pairs {
        columns,
        rows: rows.len(),
        delta_rows: rows.iter().map(|&row| pairs.delta_rows[row]).collect(),
        delta_weights: rows.iter().map(|&row| pairs.delta_weights[row]).collect(),
        stored_weights: rows.iter().map(|&row| pairs.stored_weights[row]).collect(),
    }
}

/// The stored rows of `range`, in halves if they do not fit one batch.
fn gather(matches: &Matches, columns: &[usize], range: Range<usize>, take_stored: &mut TakeStored<'_>) {
    match matches.columns_in(columns, range.clone()) {
        Ok(stored) => {
            take_stored(stored, &matches.probe_rows()[range.clone()], &matches.weights()[range]);
        }
        Err(_) if range.len() > 1 => {
            let middle = range.start + range.len() / 2;
            gather(matches, columns, range.start..middle, take_stored);
            gather(matches, columns, middle..range.end, take_stored);
        }
        Err(error) => unreachable!("one stored row fits a batch: {error}"),
    }
}
