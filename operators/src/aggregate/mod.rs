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

mod distinct_arguments;
mod extremes;
mod linear;
mod ordered_word;
mod output;
mod plan;
#[cfg(test)]
mod tests;
mod words;

use std::sync::LazyLock;

use arrow::array::{ArrayRef, UInt32Array};
use arrow::compute;
use arrow::datatypes::{DataType, SchemaRef};
use deltic_circuit::errors::code;
use deltic_circuit::{AggregateCall, ErrorRows, EvalError, Node, aggregate_label, render_values};
use deltic_zset::equality::equal_pairs;
use deltic_zset::hash::hash_columns;
use deltic_zset::{EncodedRows, GroupTable, Result, RowLayout, ZBatch};

use crate::{EpochOperator, Output, StateSize};
use output::{Payloads, Results};
use plan::{Plan, Stream, TOTAL, TOUCHED};
use words::{add_wide, wide};

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
    /// The groups of the open epoch in the order of their first touch, and their payloads before it.
    touched: Vec<u32>,
    saved: Vec<u64>,
    encoded: EncodedRows,
    hashes: Vec<u64>,
    groups: Vec<u32>,
}

/// A group cannot have fewer rows than none.
static NEGATIVE: LazyLock<EvalError> =
    LazyLock::new(|| EvalError::new(code::WEIGHT, "more rows were deleted from the group than it had"));

/// What a payload says of its group: that it is not there, its row, or the call that has no result (`None`: the group itself).
#[derive(PartialEq)]
enum State<'a> {
    Absent,
    Row,
    Error(Option<usize>, &'a EvalError),
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
            touched: Vec::new(),
            saved: Vec::new(),
            encoded: EncodedRows::new(),
            hashes: Vec::new(),
            groups: Vec::new(),
        })
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
        for (row, &group) in self.groups.iter().enumerate() {
            let payload = self.table.payload_mut(group);
            if payload[TOUCHED] == 0 {
                self.saved.extend_from_slice(payload);
                self.touched.push(group);
                payload[TOUCHED] = self.touched.len() as u64;
            }
            add_wide(payload, TOTAL, weights.map_or(1, |weights| i128::from(weights[row])));
        }
    }

    /// The saved payloads of the touched groups, then their present ones.
    fn take_payloads(&mut self) -> Payloads {
        let mut words = std::mem::take(&mut self.saved);
        words.reserve(words.len());
        for &group in &self.touched {
            let payload = self.table.payload_mut(group);
            payload[TOUCHED] = 0;
            words.extend_from_slice(payload);
        }
        Payloads { words, stride: self.plan.words }
    }

    fn results(&self, payloads: &Payloads) -> Results {
        Results::of(payloads, &self.calls, &self.plan.finishes, &self.plan.streams)
    }

    /// What each payload says; the first `absent` ones are of a time when a global group was not there yet.
    fn states<'a>(&self, payloads: &Payloads, results: &'a Results, absent: usize) -> Vec<State<'a>> {
        let state = |(row, payload): (usize, &[u64])| {
            let total = wide(payload, TOTAL);
            if total < 0 {
                State::Error(None, &NEGATIVE)
            } else if total == 0 && (row < absent || !self.group.is_empty()) {
                State::Absent
            } else if let Some((call, error)) = results.errors.get(&row) {
                State::Error(Some(*call), error)
            } else {
                State::Row
            }
        };
        payloads.iter().enumerate().map(state).collect()
    }

    /// The delta of the touched groups.
    fn changes(&self, payloads: &Payloads, results: &Results) -> Output {
        let touched = self.touched.len();
        let states = self.states(payloads, results, if self.opened { 0 } else { touched });
        let equal = equal_results(payloads, results);
        let mut emission = Emission::default();
        for (position, &group) in self.touched.iter().enumerate() {
            let (old, new) = (&states[position], &states[touched + position]);
            let stays = match (old, new) {
                (State::Row, State::Row) => equal[position],
                (State::Error(..), State::Error(..)) => old == new,
                _ => false,
            };
            if !stays {
                emission.push(position, group, old, -1);
                emission.push(touched + position, group, new, 1);
            }
        }
        self.emit(emission, results)
    }

    fn emit(&self, emission: Emission<'_>, results: &Results) -> Output {
        let rows = emission.rows.len();
        let indices = UInt32Array::from(emission.rows);
        let mut columns = self.table.keys(&emission.groups);
        let take = |column: &ArrayRef| compute::take(column, &indices, None).expect("the payloads have results");
        columns.extend(results.columns.iter().map(take));
        let weights = emission.weights.iter().any(|&weight| weight != 1).then(|| emission.weights.into());
        let rows = ZBatch::new(self.schema.clone(), columns, weights, rows);

        let mut errors = ErrorRows::new();
        for (group, call, error, weight) in emission.errors {
            let label = call.map_or_else(|| "aggregate".to_owned(), |call| aggregate_label(&self.calls[call]));
            errors.push(error, &label, render_values(&self.table.keys(&[group]), 0), weight);
        }
        Output::of(rows, errors.finish())
    }

    /// Removes the groups of which nothing is left.
    fn remove_empty(&mut self, payloads: &Payloads) {
        if self.group.is_empty() {
            return;
        }
        let present = payloads.words.chunks_exact(payloads.stride).skip(self.touched.len());
        for (&group, payload) in self.touched.iter().zip(present) {
            if payload.iter().all(|&word| word == 0) {
                self.table.remove(group);
            }
        }
    }
}

/// The rows and errors to be emitted.
#[derive(Default)]
struct Emission<'a> {
    rows: Vec<u32>,
    groups: Vec<u32>,
    weights: Vec<i64>,
    errors: Vec<(u32, Option<usize>, &'a EvalError, i64)>,
}

impl<'a> Emission<'a> {
    fn push(&mut self, row: usize, group: u32, state: &State<'a>, weight: i64) {
        match state {
            State::Absent => {}
            State::Row => {
                self.rows.push(row as u32);
                self.groups.push(group);
                self.weights.push(weight);
            }
            State::Error(call, error) => self.errors.push((group, *call, error, weight)),
        }
    }
}

/// For each touched group, whether its results before and after the epoch are the same.
fn equal_results(payloads: &Payloads, results: &Results) -> Vec<bool> {
    let touched = payloads.len() / 2;
    let mut equal: Vec<bool> = (0..touched).map(|row| payloads.get(row) == payloads.get(touched + row)).collect();
    let old: Vec<u32> = (0u32..).zip(&equal).filter(|(_, equal)| !**equal).map(|(row, _)| row).collect();
    let new: Vec<u32> = old.iter().map(|row| row + touched as u32).collect();
    let mut keep = Vec::new();
    equal_pairs(&results.columns, &old, &results.columns, &new, &vec![true; results.columns.len()], &mut keep);
    old.iter().zip(keep).for_each(|(&row, keep)| equal[row as usize] = keep);
    equal
}

impl EpochOperator for Aggregate {
    fn push(&mut self, _port: usize, batch: ZBatch) {
        if batch.is_empty() {
            return;
        }
        let keys: Vec<ArrayRef> = self.group.iter().map(|&column| batch.column(column).clone()).collect();
        self.assign_groups(&keys, batch.len());
        self.touch(batch.weights().map(|weights| &**weights));
        for stream in &mut self.plan.streams {
            stream.add(&mut self.table, &self.groups, &batch);
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
        let payloads = self.take_payloads();
        let output = self.changes(&payloads, &self.results(&payloads));
        self.remove_empty(&payloads);
        self.opened = true;
        self.plan.streams.iter_mut().for_each(Stream::forget);
        self.touched.clear();
        self.saved = payloads.words;
        self.saved.clear();
        output
    }

    fn contents(&self) -> Option<ZBatch> {
        let groups: Vec<u32> = self.table.groups().collect();
        let words = groups.iter().flat_map(|&group| self.table.payload(group).iter().copied()).collect();
        let payloads = Payloads { words, stride: self.plan.words };
        let results = self.results(&payloads);
        let mut emission = Emission::default();
        for (row, state) in self.states(&payloads, &results, 0).iter().enumerate() {
            if let State::Row = state {
                emission.push(row, groups[row], state, 1);
            }
        }
        self.emit(emission, &results).rows.pop().or_else(|| Some(ZBatch::empty(self.schema.clone())))
    }

    fn state_size(&self) -> StateSize {
        let streams = &self.plan.streams;
        StateSize {
            rows: self.table.len() + streams.iter().map(Stream::entries).sum::<usize>(),
            bytes: self.table.memory_bytes() + streams.iter().map(Stream::memory_bytes).sum::<usize>(),
        }
    }
}
