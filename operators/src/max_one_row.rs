//! [`MaxOneRow`]: groups of one row at most, the others are errors.
//!
//! Which row a group shows is known without looking for it: the rows of a group are a doubly linked list through the table of rows, and a group with one row
//! has a list of one. A group with more is seen to have more at its second row, so an epoch costs as much as it changes, however big a group is. A
//! row that goes leaves the list when the epoch closes; a group that is as it was emits nothing.

use std::sync::LazyLock;

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, SchemaRef};
use deltic_circuit::errors::code;
use deltic_circuit::{EpochInfo, ErrorRows, EvalError, render_values};
use deltic_zset::hash::hash_columns;
use deltic_zset::{EncodedRows, GroupTable, Result, RowLayout, ZBatch};

use crate::expiring::Expiring;
use crate::{EpochOperator, Horizon, Output, StateSize};

/// Payload of a group: its first row plus one, and whether the open epoch has touched it.
const HEAD: usize = 0;
const TOUCHED: usize = 1;
const GROUP_WORDS: usize = 2;

/// Payload of a row: its weight (two words), the rows after and before it plus one, its group, and whether it is in the list and touched.
const NEXT: usize = 2;
const PREVIOUS: usize = 3;
const GROUP: usize = 4;
const STATE: usize = 5;
const ROW_WORDS: usize = 6;

/// Bits of a row's state.
const LISTED: u64 = 1;
const CHANGED: u64 = 2;

static SEVERAL: LazyLock<EvalError> =
    LazyLock::new(|| EvalError::new(code::SUBQUERY, "a subquery that is used as a value has more than one row"));

/// What a group is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    Nothing,
    Row(u32),
    Error,
}

/// Passes the rows of groups that have one.
pub struct MaxOneRow {
    schema: SchemaRef,
    group: Vec<usize>,
    label: &'static str,
    groups: GroupTable,
    rows: GroupTable,
    /// The groups that the open epoch touched, as they were before it.
    touched: Vec<(u32, Shown)>,
    changed: Vec<u32>,
    /// The groups by their time, if they end, and those that the open epoch has begun.
    expiring: Option<Expiring>,
    fresh: Vec<u32>,
}

fn weight(payload: &[u64]) -> i128 {
    (u128::from(payload[0]) | u128::from(payload[1]) << 64) as i128
}

fn find(table: &mut GroupTable, columns: &[ArrayRef], rows: usize) -> Vec<u32> {
    let (mut encoded, mut hashes, mut found) = (EncodedRows::new(), Vec::new(), Vec::new());
    hash_columns(columns, rows, &mut hashes);
    table.layout().encode(columns, rows, &mut encoded);
    table.upsert(&encoded, &hashes, &mut found);
    found
}

impl MaxOneRow {
    /// The operator over rows of `schema`, grouped by the columns `group`. `label` is what errors are said to arise in.
    ///
    /// # Errors
    /// If a column has a type that cannot be stored.
    pub fn try_new(group: &[usize], schema: SchemaRef, label: &'static str) -> Result<Self> {
        let types: Vec<DataType> = schema.fields().iter().map(|field| field.data_type().clone()).collect();
        let group_types: Vec<DataType> = group.iter().map(|&column| types[column].clone()).collect();
        Ok(MaxOneRow {
            group: group.to_vec(),
            label,
            groups: GroupTable::new(RowLayout::try_new(&group_types)?, GROUP_WORDS),
            rows: GroupTable::new(RowLayout::try_new(&types)?, ROW_WORDS),
            schema,
            touched: Vec::new(),
            changed: Vec::new(),
            expiring: None,
            fresh: Vec::new(),
        })
    }

    /// Drops the groups that `horizon` has passed. Its column must be one of the group columns: else nothing is dropped.
    pub fn with_horizon(mut self, horizon: Option<Horizon>) -> Self {
        self.expiring = horizon.and_then(|horizon| {
            let position = self.group.iter().position(|&column| column == horizon.column())?;
            let data_type = self.schema.field(horizon.column()).data_type().clone();
            Some(Expiring::new(horizon, position, &data_type))
        });
        self
    }

    /// Drops the groups that no later row can change.
    fn expire(&mut self) {
        let Some(expiring) = &mut self.expiring else { return };
        let mut fresh = std::mem::take(&mut self.fresh);
        fresh.retain(|&group| self.groups.contains(group));
        expiring.note_groups(&self.groups, &fresh);
        let Some((_, due)) = expiring.due(&self.groups) else { return };
        for group in due {
            let mut next = self.groups.payload(group)[HEAD];
            while let Some(row) = next.checked_sub(1) {
                next = self.rows.payload(row as u32)[NEXT];
                self.rows.remove(row as u32);
            }
            self.groups.remove(group);
        }
    }

    /// What `group` is now. Rows without copies are passed over.
    fn shown(&self, group: u32) -> Shown {
        let mut shown = Shown::Nothing;
        let mut next = self.groups.payload(group)[HEAD];
        while let Some(row) = next.checked_sub(1) {
            let row = row as u32;
            let payload = self.rows.payload(row);
            next = payload[NEXT];
            shown = match (weight(payload), shown) {
                (..=0, shown) => shown,
                (1, Shown::Nothing) => Shown::Row(row),
                _ => return Shown::Error,
            };
        }
        shown
    }

    fn add(&mut self, group: u32, row: u32, change: i64) {
        if self.groups.payload(group)[TOUCHED] == 0 {
            self.touched.push((group, self.shown(group)));
            self.groups.payload_mut(group)[TOUCHED] = 1;
        }
        let head = self.groups.payload(group)[HEAD];
        if head == 0 && self.expiring.is_some() {
            self.fresh.push(group);
        }
        let payload = self.rows.payload_mut(row);
        let after = weight(payload) + i128::from(change);
        (payload[0], payload[1]) = (after as u64, (after as u128 >> 64) as u64);
        let is_listed = payload[STATE] & LISTED != 0;
        if payload[STATE] & CHANGED == 0 {
            self.changed.push(row);
        }
        payload[STATE] = LISTED | CHANGED;
        if !is_listed {
            (payload[GROUP], payload[NEXT], payload[PREVIOUS]) = (u64::from(group), head, 0);
            if let Some(second) = head.checked_sub(1) {
                self.rows.payload_mut(second as u32)[PREVIOUS] = u64::from(row) + 1;
            }
            self.groups.payload_mut(group)[HEAD] = u64::from(row) + 1;
        }
    }

    /// Takes a row out of the list of its group.
    fn unlink(&mut self, row: u32) {
        let payload = self.rows.payload(row);
        let (next, previous, group) = (payload[NEXT], payload[PREVIOUS], payload[GROUP] as u32);
        match previous.checked_sub(1) {
            Some(previous) => self.rows.payload_mut(previous as u32)[NEXT] = next,
            None => self.groups.payload_mut(group)[HEAD] = next,
        }
        if let Some(next) = next.checked_sub(1) {
            self.rows.payload_mut(next as u32)[PREVIOUS] = previous;
        }
    }
}

impl EpochOperator for MaxOneRow {
    fn push(&mut self, _port: usize, batch: ZBatch) {
        let keys: Vec<ArrayRef> = self.group.iter().map(|&column| batch.column(column).clone()).collect();
        let groups = find(&mut self.groups, &keys, batch.len());
        let rows = find(&mut self.rows, batch.columns(), batch.len());
        for (place, (group, row)) in groups.into_iter().zip(rows).enumerate() {
            self.add(group, row, batch.weight(place));
        }
    }

    fn observe(&mut self, info: &EpochInfo) {
        if let Some(expiring) = &mut self.expiring {
            expiring.observe(info);
        }
    }

    fn close(&mut self, _epoch: u64) -> Output {
        let mut gone = Vec::new();
        for row in std::mem::take(&mut self.changed) {
            let payload = self.rows.payload_mut(row);
            payload[STATE] = LISTED;
            if weight(payload) == 0 {
                self.unlink(row);
                gone.push(row);
            }
        }
        let (mut rows, mut weights) = (Vec::new(), Vec::new());
        let mut errors = ErrorRows::new();
        let mut empty = Vec::new();
        for (group, before) in std::mem::take(&mut self.touched) {
            self.groups.payload_mut(group)[TOUCHED] = 0;
            let after = self.shown(group);
            if before != after {
                for (shown, sign) in [(before, -1), (after, 1)] {
                    match shown {
                        Shown::Nothing => {}
                        Shown::Row(row) => {
                            rows.push(row);
                            weights.push(sign);
                        }
                        Shown::Error => errors.push(&SEVERAL, self.label, render_values(&self.groups.keys(&[group]), 0), sign),
                    }
                }
            }
            empty.extend((self.groups.payload(group)[HEAD] == 0).then_some(group));
        }
        let weights = weights.iter().any(|&weight| weight != 1).then(|| weights.into());
        let shown = ZBatch::new(self.schema.clone(), self.rows.keys(&rows), weights, rows.len());
        gone.into_iter().for_each(|row| self.rows.remove(row));
        empty.into_iter().for_each(|group| self.groups.remove(group));
        self.expire();
        Output::of(shown, errors.finish())
    }

    fn state_size(&self) -> StateSize {
        let expiring = self.expiring.as_ref().map_or(0, Expiring::memory_bytes);
        StateSize { rows: self.rows.len(), bytes: self.rows.memory_bytes() + self.groups.memory_bytes() + expiring }
    }
}

#[cfg(test)]
mod tests;
