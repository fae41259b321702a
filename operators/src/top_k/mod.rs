//! [`TopK`]: the first rows of each partition, in order.
//!
//! All rows stand in one ordered index by (partition, order, rest of the row), which counts copies below every subtree:
//! position to row and row to position are descents. An epoch's changes are summed per row first, so only their net effect is
//! applied; then each changed partition yields its delta from the changes and from what crossed the borders (see [`window`]).
//! Rows that cannot get into view cost their index update and nothing else.
//!
//! Positions count copies, so the index must not hold negative weights, nor such that their sums leave 64 bits. It holds each
//! weight cut to `0 ..= cap`; true weights outside of that are kept beside it. A negative one (only a wrong input can cause
//! it) is an error row until it is made good.
//!
//! Over an input that never retracts, a short window needs far less: [`AppendOnlyTopK`].

mod append_only;
mod expiry;
mod kept;
#[cfg(test)]
mod tests;
mod window;

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, LazyLock};

use arrow::array::{ArrayRef, Int64Array};
use arrow::compute;
use arrow::datatypes::SchemaRef;
use deltic_circuit::errors::code;
use deltic_circuit::{EpochInfo, ErrorRows, EvalError, Node, Operator, Ties, render_values};
use deltic_zset::{Error, Result, ZBatch};

use crate::expiring::EndingPartitions;
use crate::row_key::{KeyEncoder, RowKey};
use crate::{EpochOperator, Output, StateSize};
pub use append_only::AppendOnlyTopK;
use window::{Change, Groups, Rows, Shown, Window};

static NEGATIVE: LazyLock<EvalError> =
    LazyLock::new(|| EvalError::new(code::WEIGHT, "the row was deleted more often than inserted"));

/// Keeps the rows `offset .. offset + limit` of each partition.
pub struct TopK {
    schema: SchemaRef,
    keys: KeyEncoder,
    window: Window,
    rows: Rows,
    /// The groups of rows that are equal in the order, if those are counted.
    groups: Option<Groups>,
    /// The greatest weight in `rows`. Copies of a row beyond it are behind the end of the window anyway.
    cap: i64,
    /// The true weights of rows whose weight is not in `0 ..= cap`.
    uncut: BTreeMap<RowKey, i128>,
    /// The rows of the open epoch.
    pending: Vec<Change>,
    key_bytes: usize,
    /// The partitions by their time, if they end.
    expiring: Option<EndingPartitions>,
}

impl TopK {
    /// The operator of `node`, which must be an [`Operator::TopK`], over rows of `input`.
    ///
    /// # Errors
    /// If the node is another one, or a column has a type without an order.
    pub fn try_new(node: &Node, input: &SchemaRef) -> Result<Self> {
        let Operator::TopK { partition, order, offset, limit, with_row_number, ties } = &node.operator else {
            return Err(Error::Shape("the node is no top-k".to_owned()));
        };
        let position = |position: u64| i64::try_from(position).unwrap_or(i64::MAX);
        let end = limit.map(|limit| position(offset.saturating_add(limit)));
        // Nothing is equal to the last of no rows.
        let ties = if *limit == Some(0) { Ties::Cut } else { *ties };
        let keys = KeyEncoder::try_new(input, partition, order)?;
        let keys = if ties != Ties::Cut { keys.with_peers(input, order)? } else { keys };
        Ok(TopK {
            schema: node.schema.clone(),
            keys,
            window: Window { offset: position(*offset), end, numbered: *with_row_number, ties },
            rows: Rows::new(),
            groups: (ties == Ties::AsOne).then(Groups::new),
            // More copies than rows have, and so few that billions of such rows can be counted. With ties all copies of a row can be shown.
            cap: if ties != Ties::Cut { 1 << 48 } else { end.unwrap_or(0).clamp(i64::from(i32::MAX), 1 << 61) },
            uncut: BTreeMap::new(),
            pending: Vec::new(),
            key_bytes: 0,
            expiring: None,
        })
    }

    /// The changes of the epoch by row, each row once, ascending.
    fn take_changes(&mut self) -> Vec<(RowKey, i128)> {
        self.pending.sort_unstable_by(|left, right| left.0.cmp(&right.0));
        let mut changes: Vec<(RowKey, i128)> = Vec::with_capacity(self.pending.len());
        for (key, weight) in self.pending.drain(..) {
            match changes.last_mut() {
                Some((last, sum)) if *last == key => *sum += i128::from(weight),
                _ => changes.push((key, i128::from(weight))),
            }
        }
        changes.retain(|(_, weight)| *weight != 0);
        changes
    }

    /// Applies the changes of one partition. Returns those of the index; rows that become or cease to be negative are added to `negative`.
    fn apply(&mut self, changes: &[(RowKey, i128)], negative: &mut Vec<Change>) -> Vec<Change> {
        let cap = i128::from(self.cap);
        if self.uncut.is_empty() && changes.iter().all(|(_, change)| (-cap..=cap).contains(change)) {
            return self.apply_plain(changes, negative);
        }
        self.apply_each(changes, negative)
    }

    fn apply_each(&mut self, changes: &[(RowKey, i128)], negative: &mut Vec<Change>) -> Vec<Change> {
        let applied = changes.iter().map(|(key, change)| (key.clone(), self.apply_cut(key, *change, negative)));
        applied.filter(|(_, delta)| *delta != 0).collect()
    }

    /// Applies changes in one pass, while no row has a weight that must be cut.
    fn apply_plain(&mut self, changes: &[(RowKey, i128)], negative: &mut Vec<Change>) -> Vec<Change> {
        let applied: Vec<Change> = changes.iter().map(|(key, change)| (key.clone(), *change as i64)).collect();
        let mut fits = true;
        self.update_sorted(&applied, |after, cap| fits &= (0..=cap).contains(&after));
        if fits {
            return applied;
        }
        let undone: Vec<Change> = applied.into_iter().map(|(key, delta)| (key, -delta)).collect();
        self.update_sorted(&undone, |_, _| ());
        self.apply_each(changes, negative)
    }

    fn apply_cut(&mut self, key: &RowKey, change: i128, negative: &mut Vec<Change>) -> i64 {
        let cap = i128::from(self.cap);
        let before = self.uncut.get(key).copied().unwrap_or_else(|| i128::from(self.rows.weight(key)));
        let after = before + change;
        if (0..=cap).contains(&after) {
            self.uncut.remove(key);
        } else {
            self.uncut.insert(key.clone(), after);
        }
        if (before < 0) != (after < 0) {
            negative.push((key.clone(), if after < 0 { 1 } else { -1 }));
        }
        let delta = (after.clamp(0, cap) - before.clamp(0, cap)) as i64;
        if delta != 0 {
            self.update(key, delta);
        }
        delta
    }

    fn update(&mut self, key: &RowKey, delta: i64) {
        self.update_sorted(&[(key.clone(), delta)], |_, _| ());
    }

    /// Changes the index. `observe` sees each weight after its change, and the cap.
    fn update_sorted(&mut self, changes: &[Change], mut observe: impl FnMut(i64, i64)) {
        let (cap, key_bytes) = (self.cap, &mut self.key_bytes);
        let mut regrouped = Vec::new();
        self.rows.update_sorted(changes.iter().cloned(), |key, before, after| {
            observe(after, cap);
            if before == 0 {
                *key_bytes += key.memory_bytes();
            } else if after == 0 {
                *key_bytes -= key.memory_bytes();
            }
            if self.groups.is_some() && (before == 0) != (after == 0) {
                regrouped.push(key.clone());
            }
        });
        regrouped.iter().for_each(|row| self.regroup(row));
    }

    /// Brings the group of a row up to date that has come or gone.
    fn regroup(&mut self, row: &RowKey) {
        let Some(groups) = &mut self.groups else { return };
        let group = RowKey::start_of(row.peers());
        let first = self.rows.first_from(Bound::Included(&group));
        let is = first.is_some_and(|(first, _)| first.peers() == group.bytes());
        let was = groups.weight(&group) != 0;
        if is != was {
            groups.update(group, i64::from(is) - i64::from(was));
        }
    }

    /// The delta of the output as a batch.
    fn batch(&self, shown: &[Shown]) -> ZBatch {
        let mut columns = self.keys.decode(shown.iter().map(|(key, _, _)| key));
        if self.window.numbered {
            let numbers: ArrayRef = Arc::new(shown.iter().map(|(_, number, _)| *number).collect::<Int64Array>());
            let data_type = self.schema.field(columns.len()).data_type();
            columns.push(compute::cast(&numbers, data_type).expect("row numbers are of an integer type"));
        }
        let weights: Vec<i64> = shown.iter().map(|(_, _, weight)| *weight).collect();
        let weights = weights.iter().any(|&weight| weight != 1).then(|| weights.into());
        ZBatch::new(self.schema.clone(), columns, weights, shown.len())
    }

    fn errors(&self, negative: &[Change]) -> ZBatch {
        let mut errors = ErrorRows::new();
        for (key, weight) in negative {
            errors.push(&NEGATIVE, "top-k", render_values(&self.keys.decode([key]), 0), *weight);
        }
        errors.finish()
    }

    /// Appends what is shown of the partition that begins with `first`.
    fn show_partition(&self, first: &RowKey, shown: &mut Vec<Shown>) {
        let start = first.partition_start();
        let Some((from, copies)) = self.rows.select_from(&start, self.window.offset) else { return };
        let mut position = self.window.offset - copies;
        let border = self.window.end_of_ties(&self.rows, self.groups.as_ref(), first);
        for (key, weight) in self.rows.range((Bound::Included(from.clone()), Bound::Unbounded)) {
            let positions = self.window.clip(position..position + weight);
            if positions.is_empty() || !first.same_partition(key) || border.as_ref().is_some_and(|border| border <= key) {
                return;
            }
            if self.window.numbered {
                shown.extend(positions.map(|position| (key.clone(), position + 1, 1)));
            } else {
                shown.push((key.clone(), 0, positions.end - positions.start));
            }
            position += weight;
        }
    }
}

impl EpochOperator for TopK {
    fn push(&mut self, _port: usize, batch: ZBatch) {
        let keys = self.keys.encode(batch.columns(), batch.len());
        self.pending.extend(keys.into_iter().enumerate().map(|(row, key)| (key, batch.weight(row))));
    }

    fn observe(&mut self, info: &EpochInfo) {
        if let Some(expiring) = &mut self.expiring {
            expiring.observe(info);
        }
    }

    fn close(&mut self, _epoch: u64) -> Output {
        let changes = self.take_changes();
        let (mut shown, mut negative) = (Vec::new(), Vec::new());
        for changes in changes.chunk_by(|(left, _), (right, _)| left.same_partition(right)) {
            self.note(&changes[0].0);
            let before = self.window.borders(&self.rows, self.groups.as_ref(), &changes[0].0);
            let applied = self.apply(changes, &mut negative);
            if before.are_before(&changes[0].0) {
                continue;
            }
            self.window.delta(&self.rows, self.groups.as_ref(), &applied, &before, &mut shown);
        }
        let output = Output::of(self.batch(&shown), self.errors(&negative));
        self.expire();
        output
    }

    fn contents(&self) -> Option<ZBatch> {
        if self.expiring.is_some() {
            return None;
        }
        let mut shown = Vec::new();
        let mut next = self.rows.first_from(Bound::Unbounded);
        while let Some((first, _)) = next {
            self.show_partition(first, &mut shown);
            next = first.partition_end().and_then(|end| self.rows.first_from(Bound::Included(&end)));
        }
        Some(self.batch(&shown))
    }

    fn state_size(&self) -> StateSize {
        StateSize {
            rows: self.rows.len(),
            bytes: self.rows.memory_bytes()
                + self.groups.as_ref().map_or(0, Groups::memory_bytes)
                + self.key_bytes
                + self.keys.memory_bytes()
                + self.expiring.as_ref().map_or(0, EndingPartitions::memory_bytes),
        }
    }
}
