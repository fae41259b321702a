//! [`IntervalJoin`]: rows side by side whose keys agree and whose times are near.
//!
//! Bilinear like any join: the delta is `dL x R + L' x dR`, where `R` is the right side before the epoch and `L'` the left one after it. Each changed row
//! meets a range of the other side, found by one descent.
//!
//! What makes the outer kinds hard is that a row is shown, or not, by whether it has a match at all. Each row of a side for which that matters counts the rows
//! that it meets. The same pairs that make the delta move the counts: a row that appears counts what it meets, and a row of the
//! other side that appears or disappears moves the counts of those it meets. A row that only changes its weight moves none.

use std::ops::Bound;

use arrow::datatypes::SchemaRef;
use deltic_circuit::time::event_times;
use deltic_circuit::{Circuit, EpochInfo, IntervalJoinKind, NodeId, Operator, operator_label, retention};
use deltic_zset::{Error, Result, ZBatch};

use super::{Change, JoinKeys, TimedRows, Trimming};
use crate::join::{Emission, Pairing, Pairs, Side};
use crate::{EpochOperator, Output, StateSize};

/// Payload of a row that counts: how many rows it meets, and its place in the list of touched rows plus one, or zero.
const MATCHES: usize = 0;
const TOUCHED: usize = 1;
const WORDS: usize = 2;

/// Pairs that are looked at together.
const PAIRS: usize = 1 << 15;

/// Which rows of a side are shown by themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    /// Those that meet nothing.
    Unmatched,
    /// Those that meet something.
    Matched,
}

/// A row whose weight or count may have changed in the open epoch.
struct Touched {
    row: u32,
    before: i64,
    after: i64,
    matches_before: u64,
}

struct SideState {
    rows: TimedRows,
    time: usize,
    shown: Option<Shown>,
    touched: Vec<Touched>,
    trimming: Option<Trimming>,
}

/// Rows that meet, as far as their counts are concerned.
#[derive(Clone, Copy)]
struct Pair {
    rows: [u32; 2],
    /// Of the changed row: by how much it grew.
    delta: i64,
    stored: i64,
    /// The changed row's side.
    side: Side,
    /// Whether the changed row appears (1), disappears (-1), or stays.
    appears: i8,
}

/// Joins two inputs by key and distance in time.
pub struct IntervalJoin {
    schema: SchemaRef,
    label: &'static str,
    emits_pairs: bool,
    has_residual: bool,
    pairing: Pairing,
    /// The least and the greatest time of the right row less that of the left one.
    range: (i64, i64),
    keys: JoinKeys,
    sides: [SideState; 2],
    pending: [Vec<ZBatch>; 2],
}

impl IntervalJoin {
    /// The operator of node `id` of a circuit.
    ///
    /// # Errors
    /// If the node is another one, or a column has a type that cannot be stored.
    pub fn try_new(circuit: &Circuit, id: NodeId) -> Result<Self> {
        let node = circuit.node(id);
        let Operator::IntervalJoin { kind, keys, left_time, right_time, lower, upper, residual } = &node.operator else {
            return Err(Error::Shape("the node is no interval join".to_owned()));
        };
        let inputs: Vec<&SchemaRef> = node.inputs.iter().map(|&input| &circuit.node(input).schema).collect();
        let [left, right] = inputs[..] else { return Err(Error::Shape("an interval join has two inputs".to_owned())) };
        let retention = retention(circuit, id);
        let (shown, emits_pairs) = shown(*kind);
        let side = |side: Side, schema: &SchemaRef, time: usize| -> Result<SideState> {
            let data_type = schema.field(time).data_type();
            let shown = shown[side.port()];
            Ok(SideState {
                rows: TimedRows::try_new(schema, if shown.is_some() { WORDS } else { 0 })?,
                time,
                shown,
                touched: Vec::new(),
                trimming: Trimming::of(retention.get(side.port()), data_type, upper.saturating_sub(*lower)),
            })
        };
        let widths = [left.fields().len(), if emits_pairs { right.fields().len() } else { 0 }];
        Ok(IntervalJoin {
            schema: node.schema.clone(),
            label: operator_label(&node.operator),
            emits_pairs,
            has_residual: residual.is_some(),
            pairing: Pairing::new(keys, residual.clone(), widths),
            range: (*lower, *upper),
            keys: JoinKeys::try_new(keys, left)?,
            sides: [side(Side::Left, left, *left_time)?, side(Side::Right, right, *right_time)?],
            pending: Default::default(),
        })
    }

    /// Takes the rows of a side that can match; shows the others, if that is what the kind does with them.
    fn stage(&mut self, side: Side, batch: ZBatch, emission: &mut Emission<'_>) {
        let state = &mut self.sides[side.port()];
        let times = event_times(batch.column(state.time));
        let [can, cannot] = self.keys.split(side, batch, &times);
        if let Some(rows) = can {
            let keys = self.keys.numbers(side, &rows);
            state.rows.stage(&rows, &keys, &event_times(rows.column(state.time)));
        }
        if let Some(rows) = cannot.filter(|_| state.shown == Some(Shown::Unmatched)) {
            emission.push_padded(side, rows.columns().to_vec(), rows.weights_or_ones().to_vec());
        }
    }

    fn apply(&mut self, side: Side) -> Vec<Change> {
        let state = &mut self.sides[side.port()];
        let changes = state.rows.apply(&mut self.keys, state.trimming.as_mut());
        if state.shown.is_some() {
            for change in &changes {
                state.touch(change.place.2, change.before).after = change.after;
            }
        }
        changes
    }

    /// The times of the other side that a row of `side` with this time meets.
    fn met_by(&self, side: Side, time: i64) -> Option<(i64, i64)> {
        let (lower, upper) = self.range;
        let time = i128::from(time);
        let (first, last) = match side {
            Side::Left => (time + i128::from(lower), time + i128::from(upper)),
            Side::Right => (time - i128::from(upper), time - i128::from(lower)),
        };
        let (least, greatest) = (i128::from(i64::MIN), i128::from(i64::MAX));
        let (first, last) = (first.max(least), last.min(greatest));
        (first <= last).then_some((first as i64, last as i64))
    }

    /// Lets the changed rows of `side` meet the other side as it is now.
    fn meet(&mut self, side: Side, changes: &[Change], emission: &mut Emission<'_>) {
        let mut pairs: Vec<Pair> = Vec::new();
        for change in changes.iter().filter(|change| change.before != change.after) {
            let (key, time, row) = change.place;
            let Some((first, last)) = self.met_by(side, time) else { continue };
            let appears = i8::from(change.before == 0) - i8::from(change.after == 0);
            let mut from = Bound::Included((key, first, 0));
            loop {
                let met = self.sides[side.other().port()].rows.range(from, (key, last, u32::MAX));
                let room = PAIRS - pairs.len();
                for (place, stored) in met.take(room) {
                    from = Bound::Excluded(place);
                    let rows = if side == Side::Left { [row, place.2] } else { [place.2, row] };
                    pairs.push(Pair { rows, delta: change.delta(), stored, side, appears });
                }
                if pairs.len() < PAIRS {
                    break;
                }
                self.settle(&pairs, emission);
                pairs.clear();
            }
        }
        self.settle(&pairs, emission);
    }

    /// Emits and counts those of the pairs on which the residual is true.
    fn settle(&mut self, pairs: &[Pair], emission: &mut Emission<'_>) {
        if pairs.is_empty() {
            return;
        }
        let counts = self.sides.iter().any(|side| side.shown.is_some());
        if !self.emits_pairs && !self.has_residual {
            return pairs.iter().for_each(|pair| self.count(pair));
        }
        let columns = [0, 1].map(|side| {
            let rows: Vec<u32> = pairs.iter().map(|pair| pair.rows[side]).collect();
            self.sides[side].rows.columns(&rows)
        });
        let candidates = Pairs {
            columns: columns.into_iter().flatten().collect(),
            rows: pairs.len(),
            delta_rows: (0..pairs.len() as u32).collect(),
            delta_weights: pairs.iter().map(|pair| pair.delta).collect(),
            stored_weights: pairs.iter().map(|pair| pair.stored).collect(),
        };
        let matches = self.pairing.select(candidates, Some(&mut *emission));
        if counts {
            matches.delta_rows.iter().for_each(|&pair| self.count(&pairs[pair as usize]));
        }
        if self.emits_pairs {
            emission.push_pairs(matches);
        }
    }

    fn count(&mut self, pair: &Pair) {
        let (changed, stored) = (pair.side.port(), pair.side.other().port());
        if self.sides[changed].shown.is_some() && pair.appears == 1 {
            self.sides[changed].rows.rows.payload_mut(pair.rows[changed])[MATCHES] += 1;
        }
        if self.sides[stored].shown.is_some() && pair.appears != 0 {
            self.sides[stored].touch(pair.rows[stored], pair.stored);
            let matches = &mut self.sides[stored].rows.rows.payload_mut(pair.rows[stored])[MATCHES];
            *matches = matches.wrapping_add_signed(i64::from(pair.appears));
        }
    }

    /// Emits the change of the rows that are shown by themselves.
    fn show(&mut self, side: Side, emission: &mut Emission<'_>) {
        let state = &mut self.sides[side.port()];
        let Some(shown) = state.shown else { return };
        let copies =
            |weight: i64, matches: u64| if (matches == 0) == (shown == Shown::Unmatched) { i128::from(weight) } else { 0 };
        let (mut rows, mut weights) = (Vec::new(), Vec::new());
        for touched in state.touched.drain(..) {
            let payload = state.rows.rows.payload_mut(touched.row);
            payload[TOUCHED] = 0;
            let change = copies(touched.after, payload[MATCHES]) - copies(touched.before, touched.matches_before);
            if change != 0 {
                rows.push(touched.row);
                weights.push(change);
            }
        }
        for (rows, weights) in rows.chunks(PAIRS).zip(weights.chunks(PAIRS)) {
            emission.push_padded_wide(side, state.rows.columns(rows), weights);
        }
    }
}

impl SideState {
    fn touch(&mut self, row: u32, weight: i64) -> &mut Touched {
        let payload = self.rows.rows.payload_mut(row);
        if payload[TOUCHED] == 0 {
            payload[TOUCHED] = self.touched.len() as u64 + 1;
            self.touched.push(Touched { row, before: weight, after: weight, matches_before: payload[MATCHES] });
        }
        let place = payload[TOUCHED] as usize - 1;
        &mut self.touched[place]
    }

    fn trim(&mut self, keys: &mut JoinKeys) {
        let Some((before, due)) = self.trimming.as_mut().and_then(Trimming::due) else { return };
        due.into_iter().for_each(|key| self.rows.trim(key, before, keys));
    }
}

/// What is shown of each side by itself, and whether pairs are shown.
fn shown(kind: IntervalJoinKind) -> ([Option<Shown>; 2], bool) {
    match kind {
        IntervalJoinKind::Inner => ([None, None], true),
        IntervalJoinKind::Left => ([Some(Shown::Unmatched), None], true),
        IntervalJoinKind::Right => ([None, Some(Shown::Unmatched)], true),
        IntervalJoinKind::Full => ([Some(Shown::Unmatched); 2], true),
        IntervalJoinKind::Semi => ([Some(Shown::Matched), None], false),
        IntervalJoinKind::Anti => ([Some(Shown::Unmatched), None], false),
    }
}

impl EpochOperator for IntervalJoin {
    fn push(&mut self, port: usize, batch: ZBatch) {
        self.pending[port].push(batch);
    }

    fn observe(&mut self, info: &EpochInfo) {
        self.sides.iter_mut().flat_map(|side| &mut side.trimming).for_each(|trimming| trimming.observe(info));
    }

    fn close(&mut self, _epoch: u64) -> Output {
        let (schema, widths) = (self.schema.clone(), self.pairing.widths());
        let mut emission = Emission::new(&schema, widths, self.label);
        let [left, right] = std::mem::take(&mut self.pending);
        left.into_iter().for_each(|batch| self.stage(Side::Left, batch, &mut emission));
        right.into_iter().for_each(|batch| self.stage(Side::Right, batch, &mut emission));
        let left = self.apply(Side::Left);
        self.meet(Side::Left, &left, &mut emission);
        let right = self.apply(Side::Right);
        self.meet(Side::Right, &right, &mut emission);
        for (side, changes) in [(Side::Left, left), (Side::Right, right)] {
            self.show(side, &mut emission);
            self.sides[side.port()].rows.forget(&changes);
            self.sides[side.port()].trim(&mut self.keys);
        }
        self.keys.sweep();
        emission.finish()
    }

    fn state_size(&self) -> StateSize {
        let side = |side: &SideState| {
            let trimming = StateSize { rows: 0, bytes: side.trimming.as_ref().map_or(0, Trimming::memory_bytes) };
            side.rows.state_size().plus(trimming)
        };
        self.sides.iter().map(side).fold(self.keys.state_size(), StateSize::plus)
    }
}

#[cfg(test)]
#[path = "interval_tests.rs"]
mod tests;
