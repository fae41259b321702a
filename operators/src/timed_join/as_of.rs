//! [`AsOfJoin`]: beside each left row the one right row whose time is nearest.
//!
//! A right row is the match of the left rows between its time and that of the next right row of its key, and of no others. So a change of a right row
//! touches these left rows only, and all of them alike: what they had before is one row, and what they get is one row.
//!
//! The changes of an epoch are applied one time after another, which is as good as epoch by epoch. In any order that would be right; in
//! this one no left row is touched more than twice: first the rows that come, the farthest from their left rows first, then the rows that go, the nearest
//! first. So a row that comes only takes over what lies between it and the next, and a row that goes hands over to one that stays.
//!
//! What must be kept as watermarks pass is not the same for both directions. Looking back, a left row that can meet no later right row is done; of
//! the right rows before the horizon each key needs the last one, which later left rows still meet. Looking ahead, right rows
//! before the horizon are done, but a left row waits until it has a match before the horizon: it is not final earlier.

use std::ops::Bound;

use arrow::array::{ArrayRef, UInt32Array, new_null_array};
use arrow::compute::{SortOptions, take};
use arrow::datatypes::SchemaRef;
use deltic_circuit::time::event_times;
use deltic_circuit::{AsOfComparison, Circuit, EpochInfo, JoinKind, NodeId, Operator, retention};
use deltic_zset::{Error, OrderedIndex, Result, ZBatch};

use super::changes::Place;
use super::{Change, JoinKeys, TimedRows, Trimming};
use crate::exchange::consolidated;
use crate::join::Side;
use crate::order::OrderBytes;
use crate::{EpochOperator, Output, StateSize};

/// Left rows that are emitted together.
const ROWS: usize = 1 << 15;

/// A right row, in the order in which left rows choose.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct RightRow {
    key: u32,
    time: i64,
    /// True for the place behind all rows of a time.
    behind: bool,
    /// The row in the order of its columns.
    bytes: Box<[u8]>,
}

impl RightRow {
    /// The place before the rows of a time.
    fn before(key: u32, time: i64) -> Self {
        RightRow { key, time, behind: false, bytes: Box::default() }
    }

    /// The place behind the rows of a time.
    fn behind(key: u32, time: i64) -> Self {
        RightRow { key, time, behind: true, bytes: Box::default() }
    }
}

/// Joins each left row with the nearest right row.
pub struct AsOfJoin {
    schema: SchemaRef,
    /// Columns of the left input.
    width: usize,
    keeps_unmatched: bool,
    comparison: AsOfComparison,
    times: [usize; 2],
    keys: JoinKeys,
    left: TimedRows,
    right: OrderedIndex<RightRow, ()>,
    right_bytes: usize,
    order: OrderBytes,
    trimming: Option<Trimming>,
    pending: [Vec<ZBatch>; 2],
}

/// The first right row of a time, and the times of the rows of its key before and after.
struct Around<'a> {
    first: Option<&'a RightRow>,
    previous: Option<i64>,
    next: Option<i64>,
}

/// Left rows beside numbers of right rows.
#[derive(Default)]
struct Emitted {
    left: Vec<u32>,
    right: Vec<Option<u32>>,
    weights: Vec<i64>,
    /// The right rows, encoded.
    matches: Vec<Box<[u8]>>,
}

impl Emitted {
    fn number(&mut self, right: Option<RightRow>) -> Option<u32> {
        self.matches.push(right?.bytes);
        Some(self.matches.len() as u32 - 1)
    }

    fn push(&mut self, left: u32, right: Option<u32>, weight: i64) {
        self.left.push(left);
        self.right.push(right);
        self.weights.push(weight);
    }
}

impl AsOfJoin {
    /// The operator of node `id` of a circuit.
    ///
    /// # Errors
    /// If the node is another one, or a column has a type that cannot be stored or has no order.
    pub fn try_new(circuit: &Circuit, id: NodeId) -> Result<Self> {
        let node = circuit.node(id);
        let Operator::AsOfJoin { kind, keys, left_time, right_time, comparison } = &node.operator else {
            return Err(Error::Shape("the node is no as-of join".to_owned()));
        };
        let inputs: Vec<&SchemaRef> = node.inputs.iter().map(|&input| &circuit.node(input).schema).collect();
        let [left, right] = inputs[..] else { return Err(Error::Shape("an as-of join has two inputs".to_owned())) };
        let ascending = SortOptions { descending: false, nulls_first: false };
        let columns: Vec<_> = right.fields().iter().map(|field| (field.data_type().clone(), ascending)).collect();
        let retention = retention(circuit, id);
        Ok(AsOfJoin {
            schema: node.schema.clone(),
            width: left.fields().len(),
            keeps_unmatched: *kind == JoinKind::Left,
            comparison: *comparison,
            times: [*left_time, *right_time],
            keys: JoinKeys::try_new(keys, left)?,
            left: TimedRows::try_new(left, 0)?,
            right: OrderedIndex::new(),
            right_bytes: 0,
            order: OrderBytes::try_new(&columns)?,
            trimming: Trimming::of(retention.first(), left.field(*left_time).data_type(), 0),
            pending: Default::default(),
        })
    }

    /// Whether the match of a left row is before it.
    fn looks_back(&self) -> bool {
        matches!(self.comparison, AsOfComparison::GreaterOrEqual | AsOfComparison::Greater)
    }

    fn stage_left(&mut self, batch: ZBatch, shown: &mut Vec<ZBatch>) {
        let times = event_times(batch.column(self.times[0]));
        let [can, cannot] = self.keys.split(Side::Left, batch, &times);
        if let Some(rows) = can {
            let keys = self.keys.numbers(Side::Left, &rows);
            self.left.stage(&rows, &keys, &event_times(rows.column(self.times[0])));
        }
        if let Some(rows) = cannot.filter(|_| self.keeps_unmatched) {
            let nulls = self.schema.fields()[self.width..].iter().map(|field| new_null_array(field.data_type(), rows.len()));
            let columns = rows.columns().iter().cloned().chain(nulls).collect();
            shown.push(ZBatch::new(self.schema.clone(), columns, rows.weights().cloned(), rows.len()));
        }
    }

    /// The changes of right rows, in order, one per row.
    fn stage_right(&mut self, batches: Vec<ZBatch>) -> Vec<(RightRow, i64)> {
        let mut changes: Vec<(RightRow, i64)> = Vec::new();
        for batch in batches {
            let times = event_times(batch.column(self.times[1]));
            let [Some(rows), _] = self.keys.split(Side::Right, batch, &times) else { continue };
            let (keys, times) = (self.keys.numbers(Side::Right, &rows), event_times(rows.column(self.times[1])));
            let encoded = self.order.encode(rows.columns());
            changes.extend(keys.into_iter().zip(times.values()).enumerate().map(|(row, (key, &time))| {
                (RightRow { key, time, behind: false, bytes: encoded.row(row).data().into() }, rows.weight(row))
            }));
        }
        changes.sort_unstable_by(|left, right| left.0.cmp(&right.0));
        changes.dedup_by(|(row, delta), (kept, sum)| {
            let same = row == kept;
            *sum = if same { sum.wrapping_add(*delta) } else { *sum };
            same
        });
        changes.retain(|(_, delta)| *delta != 0);
        changes
    }

    /// The first row of a time.
    fn first_of(&self, key: u32, time: i64) -> Option<&RightRow> {
        let (row, _) = self.right.first_from(Bound::Included(&RightRow::before(key, time)))?;
        (row.key == key && row.time == time).then_some(row)
    }

    /// The time of the last row before a place, of the same key.
    fn time_before(&self, place: &RightRow) -> Option<i64> {
        let (row, _) = self.right.last_to(Bound::Excluded(place))?;
        (row.key == place.key).then_some(row.time)
    }

    /// The time of the first row after a place, of the same key.
    fn time_after(&self, place: &RightRow) -> Option<i64> {
        let (row, _) = self.right.first_from(Bound::Included(place))?;
        (row.key == place.key).then_some(row.time)
    }

    /// The match of a left row.
    fn find(&self, key: u32, time: i64) -> Option<&RightRow> {
        let nearest = match self.comparison {
            AsOfComparison::GreaterOrEqual => self.time_before(&RightRow::behind(key, time)),
            AsOfComparison::Greater => self.time_before(&RightRow::before(key, time)),
            AsOfComparison::LessOrEqual => self.time_after(&RightRow::before(key, time)),
            AsOfComparison::Less => self.time_after(&RightRow::behind(key, time)),
        };
        self.first_of(key, nearest?)
    }

    /// Shows the changed left rows beside their matches.
    fn show_left(&self, changes: &[Change], shown: &mut Vec<ZBatch>) {
        for changes in changes.chunks(ROWS) {
            let mut matches: Vec<&RightRow> = Vec::new();
            let (mut left, mut right, mut weights) = (Vec::new(), Vec::new(), Vec::new());
            for change in changes.iter().filter(|change| change.before != change.after) {
                let (key, time, row) = change.place;
                let found = self.find(key, time);
                if found.is_none() && !self.keeps_unmatched {
                    continue;
                }
                // Neighbours often have the same match.
                if let Some(found) = found.filter(|&found| matches.last().is_none_or(|last| !std::ptr::eq(*last, found))) {
                    matches.push(found);
                }
                left.push(row);
                right.push(found.map(|_| matches.len() as u32 - 1));
                weights.push(change.delta());
            }
            let matches = self.order.decode(matches.into_iter().map(|row| &*row.bytes));
            self.show(&left, right, &weights, &matches, shown);
        }
    }

    /// Applies the changes of right rows, and notes what becomes of the left rows whose matches they are.
    fn apply_right(&mut self, changes: &[(RightRow, i64)], emitted: &mut Emitted) {
        let mut times: Vec<&[(RightRow, i64)]> =
            changes.chunk_by(|(left, _), (right, _)| (left.key, left.time) == (right.key, right.time)).collect();
        if self.looks_back() {
            times.reverse();
        }
        times.iter().for_each(|changes| self.apply_at(changes, |delta| delta > 0, emitted));
        times.iter().rev().for_each(|changes| self.apply_at(changes, |delta| delta < 0, emitted));
    }

    /// Applies some of the changes of one time.
    fn apply_at(&mut self, changes: &[(RightRow, i64)], wanted: impl Fn(i64) -> bool, emitted: &mut Emitted) {
        let Some((RightRow { key, time, .. }, _)) = changes.first().cloned() else { return };
        if !changes.iter().any(|(_, delta)| wanted(*delta)) {
            return;
        }
        let old = self.first_of(key, time).cloned();
        for (row, delta) in changes.iter().filter(|(_, delta)| wanted(*delta)) {
            let (before, after) = self.right.update(row.clone(), *delta);
            if before == 0 {
                self.keys.retain(key);
                self.right_bytes += row.bytes.len();
                if let Some(trimming) = &mut self.trimming {
                    trimming.note(key, time);
                }
            } else if after == 0 {
                self.keys.release(key);
                self.right_bytes -= row.bytes.len();
            }
        }
        let Around { first: new, previous, next } = self.around(key, time);
        if old.as_ref() == new {
            return;
        }
        let new = new.cloned();
        let Some((from, to, otherwise)) = self.reach(key, time, [previous, next]) else { return };
        let mut met = self.left.range(from, to).peekable();
        if met.peek().is_none() {
            return;
        }
        let otherwise = otherwise.and_then(|time| self.first_of(key, time)).cloned();
        let (old, new) = (emitted.number(old.or_else(|| otherwise.clone())), emitted.number(new.or(otherwise)));
        for ((_, _, row), weight) in met {
            emitted.push(row, old, weight.wrapping_neg());
            emitted.push(row, new, weight);
        }
    }

    /// What is found in one descent about the rows of a time and their neighbours.
    fn around(&self, key: u32, time: i64) -> Around<'_> {
        let mut cursor = self.right.cursor();
        cursor.seek(&RightRow::before(key, time));
        let of_key = |found: Option<(&RightRow, i64)>| found.filter(|(row, _)| row.key == key).map(|(row, _)| row.time);
        let previous = of_key(cursor.before());
        let first = cursor.after().map(|(row, _)| row).filter(|row| row.key == key && row.time == time);
        if first.is_some() {
            cursor.seek(&RightRow::behind(key, time));
        }
        Around { first, previous, next: of_key(cursor.after()) }
    }

    /// The left rows that a right row of this time is nearest to, and the time of the right rows that would be, without it. `neighbours` are the times of those
    /// before and after it.
    fn reach(&self, key: u32, time: i64, neighbours: [Option<i64>; 2]) -> Option<(Bound<Place>, Place, Option<i64>)> {
        let [previous, next] = neighbours;
        let (first, last) = (i64::MIN, i64::MAX);
        let (from, to, otherwise) = match self.comparison {
            AsOfComparison::GreaterOrEqual => {
                (Bound::Included((key, time, 0)), (key, next.map_or(last, |next| next - 1), u32::MAX), previous)
            }
            AsOfComparison::Greater => (Bound::Excluded((key, time, u32::MAX)), (key, next.unwrap_or(last), u32::MAX), previous),
            AsOfComparison::LessOrEqual => {
                let from = previous.map_or(Bound::Included((key, first, 0)), |time| Bound::Excluded((key, time, u32::MAX)));
                (from, (key, time, u32::MAX), next)
            }
            AsOfComparison::Less => {
                (Bound::Included((key, previous.unwrap_or(first), 0)), (key, time.checked_sub(1)?, u32::MAX), next)
            }
        };
        Some((from, to, otherwise))
    }

    /// Shows left rows beside some of `matches`, or NULLs.
    fn show(&self, left: &[u32], right: Vec<Option<u32>>, weights: &[i64], matches: &[ArrayRef], shown: &mut Vec<ZBatch>) {
        if left.is_empty() {
            return;
        }
        let right = UInt32Array::from(right);
        let beside = |(field, column): (usize, &ArrayRef)| match column.len() {
            0 => new_null_array(self.schema.field(field).data_type(), left.len()),
            _ => take(column, &right, None).expect("numbers of matches"),
        };
        let right = (self.width..).zip(matches).map(beside);
        let columns = self.left.columns(left).into_iter().chain(right).collect();
        shown.push(ZBatch::new(self.schema.clone(), columns, Some(weights.to_vec().into()), left.len()));
    }

    fn show_emitted(&self, emitted: Emitted, shown: &mut Vec<ZBatch>) {
        let Emitted { mut left, mut right, mut weights, matches } = emitted;
        if !self.keeps_unmatched {
            let kept: Vec<bool> = right.iter().map(Option::is_some).collect();
            let mut of_left = kept.iter();
            left.retain(|_| of_left.next() == Some(&true));
            let mut of_weights = kept.iter();
            weights.retain(|_| of_weights.next() == Some(&true));
            right.retain(Option::is_some);
        }
        let matches = self.order.decode(matches.iter().map(|bytes| &**bytes));
        for ((left, right), weights) in left.chunks(ROWS).zip(right.chunks(ROWS)).zip(weights.chunks(ROWS)) {
            self.show(left, right.to_vec(), weights, &matches, shown);
        }
    }

    fn trim(&mut self) {
        let Some((horizon, due)) = self.trimming.as_mut().and_then(Trimming::due) else { return };
        for key in due {
            let last = self.time_before(&RightRow::before(key, horizon));
            let (left_before, right_before) = match self.comparison {
                AsOfComparison::GreaterOrEqual | AsOfComparison::Greater => (Some(horizon), last),
                AsOfComparison::LessOrEqual => (last.map(|last| last + 1), Some(horizon)),
                AsOfComparison::Less => (last, Some(horizon)),
            };
            if let Some(before) = left_before {
                self.left.trim(key, before, &mut self.keys);
            }
            if let Some(before) = right_before {
                self.trim_right(key, before);
            }
        }
    }

    fn trim_right(&mut self, key: u32, before: i64) {
        let bounds = (Bound::Included(RightRow::before(key, i64::MIN)), Bound::Excluded(RightRow::before(key, before)));
        let gone: Vec<(RightRow, i64)> =
            self.right.range(bounds).map(|(row, weight)| (row.clone(), weight.wrapping_neg())).collect();
        for (row, _) in &gone {
            self.keys.release(key);
            self.right_bytes -= row.bytes.len();
        }
        self.right.update_sorted(gone, |_, _, _| {});
    }
}

impl EpochOperator for AsOfJoin {
    fn push(&mut self, port: usize, batch: ZBatch) {
        self.pending[port].push(batch);
    }

    fn observe(&mut self, info: &EpochInfo) {
        if let Some(trimming) = &mut self.trimming {
            trimming.observe(info);
        }
    }

    fn close(&mut self, _epoch: u64) -> Output {
        let mut shown = Vec::new();
        let [left, right] = std::mem::take(&mut self.pending);
        left.into_iter().for_each(|batch| self.stage_left(batch, &mut shown));
        let right = self.stage_right(right);
        let left = self.left.apply(&mut self.keys, self.trimming.as_mut());
        self.show_left(&left, &mut shown);
        let mut emitted = Emitted::default();
        self.apply_right(&right, &mut emitted);
        self.show_emitted(emitted, &mut shown);
        self.left.forget(&left);
        self.trim();
        self.keys.sweep();
        Output { rows: consolidated(shown), errors: Vec::new() }
    }

    fn state_size(&self) -> StateSize {
        let trimming = self.trimming.as_ref().map_or(0, Trimming::memory_bytes);
        let bytes = self.right.memory_bytes() + self.right_bytes + self.order.memory_bytes() + trimming;
        self.left.state_size().plus(StateSize { rows: self.right.len(), bytes }).plus(self.keys.state_size())
    }
}

#[cfg(test)]
#[path = "as_of_tests.rs"]
mod tests;
