//! [`Aggregate`]: groups with aggregates, kept up to date.
//!
//! Each group has a row of words in a [`GroupTable`]: its total weight and the accumulators of the calls. Rows are applied as
//! they arrive, a column at a time. The first touch of a group in an epoch saves its payload; when the epoch closes, the results of
//! the saved and of the present payloads are compared and what differs is the delta. So a group that was
//! emptied and refilled, or whose average came out the same, emits nothing, and the cost is that of the touched groups.
//!
//! The subtle fact: nothing is decided before the close. Inside an epoch rows come in any order, so a total may be negative
//! or a sum out of range for a while; all accumulators are group homomorphisms that wrap, and only what they hold at the
//! close is looked at. A group then is one of three: absent (no rows), a row, or an error (a result does not fit its
//! type, or the total is negative, which only a wrong input can cause). Without group columns there is one group, and it is
//! never absent.

mod bits;
mod changelog;
mod distinct_arguments;
mod entries;
mod extremes;
mod linear;
mod moments;
mod ordered;
pub(crate) mod ordered_word;
mod output;
mod plain;
mod plan;
mod stream;
#[cfg(test)]
mod tests;
mod words;

use arrow::array::{Array, ArrayRef, Int64Array};
use arrow::datatypes::{DataType, SchemaRef};
use deltic_circuit::time::event_times;
use deltic_circuit::{AggregateCall, EpochInfo, Node};
use deltic_zset::hash::hash_columns;
use deltic_zset::{EncodedRows, GroupTable, Result, RowLayout, ZBatch};

use crate::expiring::Expiring;
use crate::{EpochOperator, Horizon, Output, StateSize};
use changelog::Changelog;
use output::Payloads;
use plain::PlainDelta;
use plan::{Plan, TOTAL, TOUCHED};
use stream::Stream;
use words::{add_wide, wide};

/// Rows that are applied, and groups whose changes are worked out, together: few enough that what they touch stays in the cache from
/// one pass over them to the next.
const BLOCK: usize = 1 << 12;
/// Groups whose rows are on their way from memory.
const AHEAD: usize = 16;

/// Keeps one row per group: the group columns, then the result of each call.
pub struct Aggregate {
    schema: SchemaRef,
    group: Vec<usize>,
    calls: Vec<AggregateCall>,
    layout: RowLayout,
    table: GroupTable,
    plan: Plan,
    /// Whether this worker has the one group of an aggregate without group columns.
    owns_global: bool,
    /// Whether an epoch was closed: the group of an aggregate without group columns exists since then.
    opened: bool,
    /// The groups by the time in their key, if they end.
    expiring: Option<Expiring>,
    /// The rows of a block that begin a group.
    fresh: Vec<u32>,
    /// The groups of the open epoch in the order of their first touch, and their payloads before it.
    touched: Vec<u32>,
    saved: Vec<u64>,
    encoded: EncodedRows,
    hashes: Vec<u64>,
    groups: Vec<u32>,
}

impl Aggregate {
    /// The operator `calls` over `group` columns of `input`, with rows of `schema`. Without group columns the rows of all workers
    /// come to one of them, which has `owns_global`.
    ///
    /// # Errors
    /// If a column has a type that cannot be stored, or that its function is not defined for.
    pub fn try_new(group: &[usize], calls: &[AggregateCall], input: &Node, schema: SchemaRef, owns_global: bool) -> Result<Self> {
        let types: Vec<DataType> = group.iter().map(|&column| input.schema.field(column).data_type().clone()).collect();
        let plan = Plan::try_new(calls, &input.schema, input.properties.append_only)?;
        let layout = RowLayout::try_new(&types)?;
        Ok(Aggregate {
            schema,
            group: group.to_vec(),
            calls: calls.to_vec(),
            table: GroupTable::new(layout.clone(), plan.words),
            layout,
            plan,
            owns_global,
            opened: false,
            expiring: None,
            fresh: Vec::new(),
            touched: Vec::new(),
            saved: Vec::new(),
            encoded: EncodedRows::new(),
            hashes: Vec::new(),
            groups: Vec::new(),
        })
    }

    /// Drops the groups that `horizon` has passed. Its column must be one of the group columns: else nothing is dropped.
    pub fn with_horizon(mut self, horizon: Option<Horizon>) -> Self {
        let Some(horizon) = horizon else { return self };
        let Some(position) = self.group.iter().position(|&column| column == horizon.column()) else { return self };
        let data_type = &self.layout.types()[position];
        self.plan.streams.iter_mut().for_each(|stream| stream.expect_ends(data_type));
        self.expiring = Some(Expiring::new(horizon, position, data_type));
        self
    }

    /// Fills `self.groups` with the group of each row.
    fn assign_groups(&mut self, keys: &[ArrayRef], rows: usize) {
        hash_columns(keys, rows, &mut self.hashes);
        if let Some(words) = self.layout.single_word(keys) {
            self.table.upsert_words(words, &self.hashes, &mut self.groups);
        } else {
            self.layout.encode(keys, rows, &mut self.encoded);
            self.table.upsert(&self.encoded, &self.hashes, &mut self.groups);
        }
    }

    /// Saves the payloads of groups that are touched for the first time and adds the weights to the totals.
    fn touch(&mut self, weights: Option<&[i64]>) {
        self.fresh.clear();
        let expires = self.expiring.is_some();
        for (row, &group) in self.groups.iter().enumerate() {
            let payload = self.table.payload_mut(group);
            if payload[TOUCHED] == 0 {
                // A payload is so short that the call of a copying function would cost more than the copy.
                payload.iter().for_each(|&word| self.saved.push(word));
                self.touched.push(group);
                payload[TOUCHED] = self.touched.len() as u64;
                if expires && wide(payload, TOTAL) == 0 {
                    self.fresh.push(row as u32);
                }
            }
            add_wide(payload, TOTAL, weights.map_or(1, |weights| i128::from(weights[row])));
        }
    }

    /// The payloads of `groups`, which were touched one after another from place `first` on: those saved, then the present ones, which
    /// count as untouched from now on.
    fn payloads(&mut self, first: usize, groups: &[u32]) -> Payloads {
        let stride = self.plan.words;
        let mut words = Vec::with_capacity(2 * groups.len() * stride);
        words.extend_from_slice(&self.saved[first * stride..(first + groups.len()) * stride]);
        for (index, &group) in groups.iter().enumerate() {
            if let Some(&ahead) = groups.get(index + AHEAD) {
                self.table.prefetch(ahead);
            }
            let payload = self.table.payload_mut(group);
            payload[TOUCHED] = 0;
            words.extend_from_slice(payload);
        }
        Payloads { words, stride }
    }

    fn changelog(&self) -> Changelog<'_> {
        let global = self.group.is_empty();
        Changelog { schema: &self.schema, calls: &self.calls, plan: &self.plan, table: &self.table, global }
    }

    /// Removes those of `groups` of which nothing is left.
    fn remove_empty(&mut self, groups: &[u32]) {
        for &group in groups {
            if self.table.payload(group).iter().all(|&word| word == 0) {
                self.table.remove(group);
            }
        }
    }
}

impl Aggregate {
    /// Applies the rows of a batch of at most [`BLOCK`] of them.
    fn apply(&mut self, batch: &ZBatch) {
        let keys: Vec<ArrayRef> = self.group.iter().map(|&column| batch.column(column).clone()).collect();
        self.assign_groups(&keys, batch.len());
        self.touch(batch.weights().map(|weights| &**weights));
        let times = self.note_fresh(batch);
        for stream in &mut self.plan.streams {
            stream.add(&mut self.table, &self.groups, batch, times.as_ref());
        }
    }

    /// Notes the groups that a block begins; returns the times of its rows, if groups end.
    fn note_fresh(&mut self, batch: &ZBatch) -> Option<Int64Array> {
        let expiring = self.expiring.as_mut()?;
        let times = event_times(batch.column(expiring.column()));
        for &row in &self.fresh {
            if times.is_valid(row as usize) {
                expiring.note(times.value(row as usize), self.groups[row as usize]);
            }
        }
        Some(times)
    }

    /// Drops the groups that no later row can change.
    fn expire(&mut self) {
        let Some((before, groups)) = self.expiring.as_mut().and_then(|expiring| expiring.due(&self.table)) else { return };
        for stream in &mut self.plan.streams {
            stream.release(&self.table, &groups, before);
        }
        groups.into_iter().for_each(|group| self.table.remove(group));
    }

    /// The delta of the `touched` groups, which are untouched from now on.
    fn delta(&mut self, touched: &[u32]) -> Output {
        let mut output = Output::default();
        let stride = self.plan.words;
        let mut plain = PlainDelta::try_new(&self.calls, &self.plan, self.group.is_empty(), touched.len());
        let mut emptied = Vec::new();
        for (block, groups) in touched.chunks(BLOCK).enumerate() {
            let first = block * BLOCK;
            let saved = &self.saved[first * stride..(first + groups.len()) * stride];
            if plain.as_mut().is_some_and(|plain| plain.add(&mut self.table, groups, saved, &mut emptied)) {
                self.remove_empty(&emptied);
                emptied.clear();
                continue;
            }
            let payloads = self.payloads(first, groups);
            let delta = self.changelog().delta(groups, &payloads, self.opened);
            output.rows.extend(delta.rows);
            output.errors.extend(delta.errors);
            if !self.group.is_empty() {
                self.remove_empty(groups);
            }
        }
        output.rows.extend(plain.map(|plain| plain.finish(&self.schema)).unwrap_or_default());
        output
    }
}

impl EpochOperator for Aggregate {
    fn push(&mut self, _port: usize, batch: ZBatch) {
        if (1..=BLOCK).contains(&batch.len()) {
            return self.apply(&batch);
        }
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
        if !self.opened && self.owns_global && self.group.is_empty() && self.touched.is_empty() {
            self.assign_groups(&[], 1);
            self.touch(Some(&[0]));
        }
        for stream in &mut self.plan.streams {
            stream.settle(&mut self.table, &self.touched);
        }
        let mut touched = std::mem::take(&mut self.touched);
        let output = self.delta(&touched);
        self.opened = true;
        self.plan.streams.iter_mut().for_each(Stream::forget);
        // The next epoch is likely to be as big as this one.
        self.saved.shrink_to(2 * self.saved.len());
        self.saved.clear();
        touched.shrink_to(2 * touched.len());
        touched.clear();
        self.touched = touched;
        self.expire();
        output
    }

    fn contents(&self) -> Option<ZBatch> {
        if self.expiring.is_some() {
            return None;
        }
        let groups: Vec<u32> = self.table.groups().collect();
        let words = groups.iter().flat_map(|&group| self.table.payload(group).iter().copied()).collect();
        Some(self.changelog().contents(&groups, &Payloads { words, stride: self.plan.words }))
    }

    fn state_size(&self) -> StateSize {
        let streams = &self.plan.streams;
        StateSize {
            rows: self.table.len() + streams.iter().map(Stream::entries).sum::<usize>(),
            bytes: self.table.memory_bytes()
                + self.expiring.as_ref().map_or(0, Expiring::memory_bytes)
                + streams.iter().map(Stream::memory_bytes).sum::<usize>(),
        }
    }
}
