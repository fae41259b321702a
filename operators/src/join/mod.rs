//! [`Join`]: rows of two inputs side by side, maintained from both deltas.
//!
//! Join is bilinear, so the delta of the output is `dL x R' + L x dR`, where `R'` is the right side after the epoch and `L` the left side
//! before it: the pairs in which both sides changed are in the first term, once. That is the subtle point, and the reason why the
//! join asks its indexes for versions by epoch: they may have gone on. It also makes a self-join right, where one index is both
//! sides. In the epoch of its installation a join that follows indexes of another dataflow gets their whole contents
//! as delta, and `L` is taken to be empty, whatever the index held before.
//!
//! An outer join adds the rows of a side that match nothing, beside NULLs. Without a residual condition all rows of a key share their fate,
//! so the weight of the other side is counted by key ([`KeyCounts`]), and only when a key's count leaves or reaches zero are the
//! rows of the key looked up. With a residual each row has its own matches, counted by row ([`RowCounts`]).
//!
//! A semi or anti join shows left rows only: those with a match, or those without. Its changes are found as those of the rows without a match are, and no
//! pair is formed but to evaluate a residual.
//!
//! The output is consolidated if it has a negative weight, for only then can rows of it cancel. Weights multiply; a product that is no
//! `i64` is an error row.

mod emission;
mod key_counts;
mod pairing;
mod row_counts;
#[cfg(test)]
mod tests;

use arrow::datatypes::SchemaRef;
use deltic_circuit::{EpochInfo, JoinKind, Node, Operator, operator_label};
use deltic_zset::{Error, Result, ZBatch};

use crate::arrange::Reader;
use crate::exchange::coalesce;
use crate::expiring::Expiring;
use crate::{EpochOperator, Horizon, Output, StateSize};
pub(crate) use emission::Emission;
use key_counts::KeyCounts;
pub(crate) use pairing::{PROBED_ROWS, Pairing, Pairs};
use row_counts::RowCounts;

/// One of the two inputs, by its port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Left,
    Right,
}

impl Side {
    pub(crate) fn port(self) -> usize {
        self as usize
    }

    pub(crate) fn other(self) -> Side {
        match self {
            Side::Left => Side::Right,
            Side::Right => Side::Left,
        }
    }
}

/// What is known of the matches of the rows of each side; `None` for a side whose rows without one are dropped.
enum Unmatched {
    ByKey([Option<KeyCounts>; 2]),
    ByRow([Option<RowCounts>; 2]),
}

/// A join of two indexes.
pub struct Join {
    pairing: Pairing,
    kind: JoinKind,
    readers: [Reader; 2],
    unmatched: Unmatched,
    pending: [Vec<ZBatch>; 2],
    /// Whether no epoch was closed yet.
    first: bool,
    schema: SchemaRef,
    label: &'static str,
}

impl Join {
    /// The operator of the join `node`, which reads its sides by `left` and `right`.
    ///
    /// # Errors
    /// [`Error::UnsupportedType`] if an outer join cannot count matches by a column's type; [`Error::Shape`] if `node` is no join.
    pub fn try_new(node: &Node, left: Reader, right: Reader) -> Result<Self> {
        let Operator::Join { kind, keys, residual } = &node.operator else {
            return Err(Error::Shape("the node is no join".to_owned()));
        };
        let schemas = [left.schema(), right.schema()];
        let counted = matches!(kind, JoinKind::Left | JoinKind::Full | JoinKind::Semi | JoinKind::Anti);
        let preserved = [counted, matches!(kind, JoinKind::Right | JoinKind::Full)];
        let sides = [Side::Left, Side::Right];
        let pairing = Pairing::new(keys, residual.clone(), schemas.each_ref().map(|schema| schema.fields().len()));
        let unmatched = if residual.is_some() {
            let mut counts = [None, None];
            for side in sides.into_iter().filter(|side| preserved[side.port()]) {
                counts[side.port()] = Some(RowCounts::try_new(&schemas[side.port()])?);
            }
            Unmatched::ByRow(counts)
        } else {
            let mut counts = [None, None];
            for side in sides.into_iter().filter(|side| preserved[side.port()]) {
                counts[side.port()] = Some(KeyCounts::try_new(&schemas[side.port()], keys, side)?);
            }
            Unmatched::ByKey(counts)
        };
        Ok(Join {
            pairing,
            kind: *kind,
            readers: [left, right],
            unmatched,
            pending: [Vec::new(), Vec::new()],
            first: true,
            schema: node.schema.clone(),
            label: operator_label(&node.operator),
        })
    }

    /// Drops what is known of rows without a match that the horizon of their side, left then right, has passed.
    pub fn with_horizons(mut self, horizons: [Option<Horizon>; 2]) -> Self {
        match &mut self.unmatched {
            Unmatched::ByKey(counts) => {
                for (counts, horizon) in counts.iter_mut().zip(horizons) {
                    _ = counts.as_mut().zip(horizon).map(|(counts, horizon)| counts.expect_ends(horizon));
                }
            }
            Unmatched::ByRow(counts) => {
                for (counts, horizon) in counts.iter_mut().zip(horizons) {
                    _ = counts.as_mut().zip(horizon).map(|(counts, horizon)| counts.expect_ends(horizon));
                }
            }
        }
        self
    }

    fn expire(&mut self) {
        match &mut self.unmatched {
            Unmatched::ByKey(counts) => counts.iter_mut().flatten().for_each(KeyCounts::expire),
            Unmatched::ByRow(counts) => counts.iter_mut().flatten().for_each(RowCounts::expire),
        }
    }

    /// The side whose delta meets the other side as it is after the epoch.
    fn primary(&self, deltas: &[Vec<ZBatch>; 2]) -> Side {
        let rows = |side: Side| deltas[side.port()].iter().map(ZBatch::len).sum::<usize>();
        match (self.kind, &self.unmatched) {
            (JoinKind::Right, Unmatched::ByRow(_)) => Side::Right,
            (_, Unmatched::ByKey(_)) if self.first && rows(Side::Right) < rows(Side::Left) => Side::Right,
            _ => Side::Left,
        }
    }

    /// Emits the pairs of both terms.
    fn pairs(&self, epoch: u64, deltas: &[Vec<ZBatch>; 2], emission: &mut Emission<'_>) {
        let primary = self.primary(deltas);
        for (side, deltas) in [(primary, &deltas[primary.port()]), (primary.other(), &deltas[primary.other().port()])] {
            if deltas.is_empty() || (self.first && side != primary) {
                continue;
            }
            let stored = self.stored(side.other(), epoch, side == primary);
            for delta in deltas {
                self.pairing.for_each(delta, side, &stored, &mut |pairs| {
                    let pairs = self.pairing.select(pairs, Some(&mut *emission));
                    emission.push_pairs(pairs);
                });
            }
        }
    }

    fn stored(&self, side: Side, epoch: u64, after: bool) -> deltic_zset::Version {
        let reader = &self.readers[side.port()];
        if after { reader.after(epoch) } else { reader.before(epoch) }
    }

    /// Whether the rows that are shown alone are those with a match.
    fn shows_matched(&self) -> bool {
        self.kind == JoinKind::Semi
    }

    /// Emits the change of the rows of `side` that are shown alone, given by key: those without a match, or with one in a semi join.
    fn alone_by_key(
        &self,
        counts: &mut KeyCounts,
        side: Side,
        epoch: u64,
        deltas: &[Vec<ZBatch>; 2],
        emission: &mut Emission<'_>,
    ) {
        let turned = counts.apply(&deltas[side.other().port()]);
        for delta in &deltas[side.port()] {
            if let Some(alone) = counts.select(delta, self.shows_matched()) {
                emission.push_padded(side, alone.columns().to_vec(), alone.weights_or_ones().to_vec());
            }
        }
        if self.first || turned.is_empty() {
            return;
        }
        let stored = self.stored(side, epoch, false);
        self.pairing.for_each_of_keys(&turned.keys, side, &stored, &mut |columns, probed, weights| {
            let sign = |key: u32| if turned.found(key) == self.shows_matched() { 1 } else { -1 };
            let signed = probed.iter().zip(weights).map(|(&key, &weight)| sign(key) * i128::from(weight));
            emission.push_padded_wide(side, columns, &signed.collect::<Vec<_>>());
        });
    }

    /// Emits the change of the rows of `side` that are shown alone, given by row; and, if it is the `first` side for which this is done, the errors of
    /// pairs and the pairs that are shown.
    fn alone_by_row(
        &self,
        counts: &mut RowCounts,
        side: Side,
        epoch: u64,
        deltas: &[Vec<ZBatch>; 2],
        emission: &mut Emission<'_>,
        first: bool,
    ) {
        let with_pairs = first && !self.kind.is_left_only();
        let mut changes = counts.change();
        let others = &deltas[side.other().port()];
        if !self.first && !others.is_empty() {
            let stored = self.stored(side, epoch, false);
            for delta in others {
                self.pairing.for_each(delta, side.other(), &stored, &mut |pairs| {
                    let pairs = self.pairing.select(pairs, first.then_some(&mut *emission));
                    changes.add_matches(self.pairing.columns_of(side, &pairs), &pairs);
                    if with_pairs {
                        emission.push_pairs(pairs);
                    }
                });
            }
        }
        if !deltas[side.port()].is_empty() {
            let stored = self.stored(side.other(), epoch, true);
            for delta in &deltas[side.port()] {
                let mut matches = vec![0i128; delta.len()];
                self.pairing.for_each(delta, side, &stored, &mut |pairs| {
                    let pairs = self.pairing.select(pairs, first.then_some(&mut *emission));
                    for (&row, &weight) in pairs.delta_rows.iter().zip(&pairs.stored_weights) {
                        matches[row as usize] += i128::from(weight);
                    }
                    if with_pairs {
                        emission.push_pairs(pairs);
                    }
                });
                changes.add_rows(delta, &matches);
            }
        }
        if let Some((columns, weights)) = changes.finish(self.shows_matched()) {
            emission.push_padded_wide(side, columns, &weights);
        }
    }

    fn emit(&mut self, epoch: u64, deltas: &[Vec<ZBatch>; 2], emission: &mut Emission<'_>) {
        let mut unmatched = std::mem::replace(&mut self.unmatched, Unmatched::ByKey([None, None]));
        match &mut unmatched {
            Unmatched::ByKey(counts) => {
                if !self.kind.is_left_only() {
                    self.pairs(epoch, deltas, emission);
                }
                for (side, counts) in [Side::Left, Side::Right].into_iter().zip(counts) {
                    if let Some(counts) = counts {
                        self.alone_by_key(counts, side, epoch, deltas, emission);
                    }
                }
            }
            Unmatched::ByRow([None, None]) => self.pairs(epoch, deltas, emission),
            Unmatched::ByRow(counts) => {
                // The first preserved side has the pairs; a second one only counts.
                let mut first = true;
                for (side, counts) in [Side::Left, Side::Right].into_iter().zip(counts) {
                    if let Some(counts) = counts {
                        self.alone_by_row(counts, side, epoch, deltas, emission, first);
                        first = false;
                    }
                }
            }
        }
        self.unmatched = unmatched;
    }
}

impl EpochOperator for Join {
    fn push(&mut self, port: usize, batch: ZBatch) {
        self.pending[port].push(batch);
    }

    fn observe(&mut self, info: &EpochInfo) {
        let observe = |expiring: &mut Option<Expiring>| {
            if let Some(expiring) = expiring {
                expiring.observe(info);
            }
        };
        match &mut self.unmatched {
            Unmatched::ByKey(counts) => counts.iter_mut().flatten().for_each(|counts| observe(&mut counts.expiring)),
            Unmatched::ByRow(counts) => counts.iter_mut().flatten().for_each(|counts| observe(&mut counts.expiring)),
        }
    }

    fn close(&mut self, epoch: u64) -> Output {
        let deltas = std::mem::take(&mut self.pending).map(coalesce);
        let (schema, [left, right]) = (self.schema.clone(), self.pairing.widths());
        let widths = [left, if self.kind.is_left_only() { 0 } else { right }];
        let mut emission = Emission::new(&schema, widths, self.label);
        if deltas.iter().any(|delta| !delta.is_empty()) {
            self.emit(epoch, &deltas, &mut emission);
        }
        self.expire();
        self.first = false;
        for reader in &self.readers {
            reader.advance_to(epoch + 1);
        }
        emission.finish()
    }

    fn state_size(&self) -> StateSize {
        let none = StateSize::default();
        match &self.unmatched {
            Unmatched::ByKey(counts) => counts.iter().flatten().map(KeyCounts::state_size).fold(none, StateSize::plus),
            Unmatched::ByRow(counts) => counts.iter().flatten().map(RowCounts::state_size).fold(none, StateSize::plus),
        }
    }
}
