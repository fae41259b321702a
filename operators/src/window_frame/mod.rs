//! [`WindowFrame`]: window functions, kept up to date under inserts and deletes.
//!
//! All rows stand in one ordered index by (partition, order, rest of the row), whose subtrees know their copies and the aggregates of their rows: the place of
//! a row is a descent, and so is an aggregate over any frame. No result is stored. An epoch first finds, in the index as it was, the intervals of rows whose
//! results its changes can alter ([`affected`]), and evaluates them ([`evaluate`]); then it applies the changes, evaluates the same intervals again, and emits
//! what is not the same. Neighbouring rows share their way: a frame that slides over an interval takes each row in and out once ([`slide`]). For aggregates
//! that no subtree can know, such as a median or a list, the rows of frames are read ([`reading`]).
//!
//! So an epoch costs O(log n) per change and the rows of those intervals, and emits only rows whose results really change. An insert at the
//! front of a partition changes all row numbers behind it, and costs that; it changes as many moving sums as fit in a frame.
//!
//! Positions count copies, so the index holds no negative weights (see `state`); a row with one is an error row until it is made good.

mod affected;
mod distance;
mod evaluate;
mod extreme;
mod follow;
mod pieces;
mod reading;
mod slide;
mod spec;
mod state;
#[cfg(test)]
mod tests;
mod walk;

use std::ops::Bound;
use std::sync::LazyLock;

use arrow::array::{Array, ArrayRef};
use arrow::compute::interleave;
use arrow::datatypes::SchemaRef;
use deltic_circuit::errors::code;
use deltic_circuit::{EpochInfo, ErrorRows, EvalError, Node, Operator, render_values, window_label};
use deltic_zset::equality::equal_pairs;
use deltic_zset::{Error, ExactSum, Result, ZBatch};

use crate::expiring::EndingPartitions;
use crate::row_key::{KeyEncoder, RowKey};
use crate::tally::{Results, ValueTally, WordTally};
use crate::{EpochOperator, Horizon, Output, StateSize};
use affected::{Interval, affected};
use evaluate::{Asked, Evaluated, Evaluation};
use spec::Spec;
use state::{Change, Entry, State, View};

static NEGATIVE: LazyLock<EvalError> =
    LazyLock::new(|| EvalError::new(code::WEIGHT, "the row was deleted more often than inserted"));

/// The operator of `node`, which must be an [`Operator::WindowFrame`], over rows of `input`. Partitions that `horizon` has passed are dropped, if its
/// column is one of theirs.
///
/// # Errors
/// If the node is another one, or a column has a type without an order, or one that a function is not defined for.
pub fn window_frame(node: &Node, input: &SchemaRef, horizon: Option<Horizon>) -> Result<Box<dyn EpochOperator>> {
    let Operator::WindowFrame { partition, order, calls } = &node.operator else {
        return Err(Error::Shape("the node is no window function".to_owned()));
    };
    let keys = KeyEncoder::try_new(input, partition, order)?.with_peers(input, order)?;
    let spec = Spec::try_new(calls, partition, order, input)?;
    let streams = if spec.plan.fits_words() { spec.plan.streams.len() } else { usize::MAX };
    let (schema, ending) = (node.schema.clone(), EndingPartitions::of(horizon, &keys, input));
    Ok(match (streams, spec.plan.sums_floats()) {
        (0, _) => Box::new(WindowFrame::<WordTally<0>>::new(schema, keys, spec, ending)),
        (1, false) => Box::new(WindowFrame::<WordTally<1>>::new(schema, keys, spec, ending)),
        // No row has a value in the streams that are not there.
        (2..=4, false) => Box::new(WindowFrame::<WordTally<4>>::new(schema, keys, spec, ending)),
        (1..=4, true) => Box::new(WindowFrame::<WordTally<4, ExactSum>>::new(schema, keys, spec, ending)),
        _ => Box::new(WindowFrame::<ValueTally>::new(schema, keys, spec, ending)),
    })
}

/// Appends the results of window functions to each row.
struct WindowFrame<T: Results> {
    schema: SchemaRef,
    keys: KeyEncoder,
    spec: Spec,
    state: State<T>,
    /// The rows of the open epoch.
    pending: Vec<(Entry<T::Event>, i64)>,
    /// The partitions by their time, if they end.
    ending: Option<EndingPartitions>,
}

/// A row of the output that may have changed: the slots of its results before and now, and the copies that have them.
struct Candidate<'a> {
    row: &'a RowKey,
    old: Option<usize>,
    new: Option<usize>,
    old_copies: i64,
    new_copies: i64,
}

/// A row that is emitted: the results are those of a slot before (`false`) or now.
struct Shown<'a> {
    row: &'a RowKey,
    now: bool,
    slot: usize,
    weight: i64,
}

impl<T: Results> WindowFrame<T> {
    fn new(schema: SchemaRef, keys: KeyEncoder, spec: Spec, ending: Option<EndingPartitions>) -> Self {
        let state = State::new(spec.reads_groups);
        WindowFrame { schema, keys, spec, state, pending: Vec::new(), ending }
    }

    /// The delta of an epoch with these changes, which are applied.
    fn delta(&mut self, changes: &[Change<T>], errors: &mut ErrorRows) -> Result<ZBatch> {
        let partitions: Vec<&[Change<T>]> =
            changes.chunk_by(|left, right| left.entry.key.same_partition(&right.entry.key)).collect();
        let mut before = Evaluation::new(&self.spec, &self.keys);
        let views: Vec<View<'_, T>> = partitions.iter().map(|changes| View::new(&self.state, &changes[0].entry.key)).collect();
        if let Some(ending) = &mut self.ending {
            let fresh = partitions.iter().zip(&views).filter(|(_, view)| view.len == 0);
            fresh.for_each(|(changes, _)| ending.begin(&changes[0].entry.key));
        }
        let intervals = partitions.iter().zip(&views).map(|(changes, view)| affected(&self.spec, view, changes));
        let intervals: Vec<Vec<Interval>> = intervals.collect();
        let asked = intervals.iter().zip(&views).flat_map(|(intervals, view)| {
            intervals.iter().map(move |interval| Asked { view, from: interval.from, to: interval.to })
        });
        before.intervals(&asked.collect::<Vec<_>>(), |_, _| {});
        let before = before.finish();
        self.state.apply(changes);

        let mut now = Evaluation::new(&self.spec, &self.keys);
        let mut candidates = Candidates { per_copy: self.spec.per_copy, old: 0, new: 0, found: Vec::new() };
        let views: Vec<View<'_, T>> = partitions.iter().map(|changes| View::new(&self.state, &changes[0].entry.key)).collect();
        let (mut asked, mut changed) = (Vec::new(), Vec::new());
        for ((changes, intervals), view) in partitions.iter().zip(&intervals).zip(&views) {
            let (mut grown, mut rest) = (0, *changes);
            for interval in intervals {
                let (changes, later) = rest.split_at(interval.changes);
                let from = interval.from + grown;
                grown += changes.iter().map(|change| change.delta).sum::<i64>();
                asked.push(Asked { view, from, to: interval.to + grown });
                changed.push(changes);
                rest = later;
            }
        }
        now.intervals(&asked, |interval, rows| candidates.add(rows, changed[interval]));
        self.emit(&candidates.found, &before, &now.finish(), errors)
    }

    /// The rows of `candidates` that are not what they were.
    fn emit(&self, candidates: &[Candidate<'_>], before: &Evaluated, now: &Evaluated, errors: &mut ErrorRows) -> Result<ZBatch> {
        let pairs = candidates.iter().filter_map(|candidate| candidate.old.zip(candidate.new));
        let (olds, news): (Vec<u32>, Vec<u32>) = pairs.map(|(old, new)| (old as u32, new as u32)).unzip();
        let mut equal = Vec::new();
        equal_pairs(&before.columns, &olds, &now.columns, &news, &vec![true; now.columns.len()], &mut equal);
        let mut equal = equal.into_iter();
        let mut shown: Vec<Shown<'_>> = Vec::with_capacity(candidates.len());
        for candidate in candidates {
            let same = match (candidate.old, candidate.new) {
                (Some(old), Some(new)) => {
                    let (failed, fails) = (before.errors.get(&old), now.errors.get(&new));
                    let equal = equal.next().unwrap_or(false);
                    if failed.is_none() && fails.is_none() { equal } else { failed == fails }
                }
                _ => false,
            };
            let row = candidate.row;
            let mut show = |now: bool, slot: Option<usize>, weight: i64| {
                shown.extend(slot.filter(|_| weight != 0).map(|slot| Shown { row, now, slot, weight }));
            };
            if same {
                show(true, candidate.new, candidate.new_copies - candidate.old_copies);
            } else {
                show(false, candidate.old, -candidate.old_copies);
                show(true, candidate.new, candidate.new_copies);
            }
        }
        shown.retain(|shown| {
            let failed = if shown.now { &now.errors } else { &before.errors };
            let Some((call, error)) = failed.get(&shown.slot) else { return true };
            let label = window_label(&self.spec.calls[*call].call);
            errors.push(error, &label, render_values(&self.keys.decode([shown.row]), 0), shown.weight);
            false
        });
        let batch = self.batch(&shown, before, now)?;
        // Copies of one row may have exchanged their results.
        let same = |left: &Shown<'_>, right: &Shown<'_>| std::ptr::eq(left.row, right.row);
        let twice = shown.windows(2).any(|pair| same(&pair[0], &pair[1]) && pair[0].now == pair[1].now)
            || shown.windows(3).any(|rows| same(&rows[0], &rows[2]));
        if twice { batch.consolidate() } else { Ok(batch) }
    }

    fn batch(&self, shown: &[Shown<'_>], before: &Evaluated, now: &Evaluated) -> Result<ZBatch> {
        if shown.is_empty() {
            return Ok(ZBatch::empty(self.schema.clone()));
        }
        let mut columns = self.keys.decode(shown.iter().map(|shown| shown.row));
        let places: Vec<(usize, usize)> = shown.iter().map(|shown| (usize::from(shown.now), shown.slot)).collect();
        for (before, now) in before.columns.iter().zip(&now.columns) {
            let sides: [&dyn Array; 2] = [before, now];
            let column: ArrayRef = interleave(&sides, &places)?;
            columns.push(column);
        }
        let weights: Vec<i64> = shown.iter().map(|shown| shown.weight).collect();
        let weights = weights.iter().any(|&weight| weight != 1).then(|| weights.into());
        Ok(ZBatch::new(self.schema.clone(), columns, weights, shown.len()))
    }
}

/// The rows of intervals before and after an epoch, side by side.
struct Candidates<'a> {
    per_copy: bool,
    /// Slots that are used up.
    old: usize,
    new: usize,
    found: Vec<Candidate<'a>>,
}

impl<'a> Candidates<'a> {
    /// Adds the rows that are in an interval now, and those that were: `changes` are those of the interval.
    fn add<T: Results>(&mut self, rows: &[(&'a RowKey, i64)], changes: &'a [Change<T>]) {
        let mut changes = changes.iter().peekable();
        for &(row, copies) in rows {
            while let Some(gone) = changes.next_if(|change| change.entry.key < *row) {
                self.push(&gone.entry.key, gone.copies, 0);
            }
            let changed = changes.next_if(|change| change.entry.key == *row);
            self.push(row, changed.map_or(copies, |change| change.copies), copies);
        }
        changes.for_each(|gone| self.push(&gone.entry.key, gone.copies, 0));
    }

    fn push(&mut self, row: &'a RowKey, old_copies: i64, new_copies: i64) {
        let slots = |copies: i64| if self.per_copy { copies } else { copies.min(1) };
        let (olds, news) = (slots(old_copies), slots(new_copies));
        for slot in 0..olds.max(news) {
            let old = (slot < olds).then_some(self.old + slot as usize);
            let new = (slot < news).then_some(self.new + slot as usize);
            let (old_copies, new_copies) = if self.per_copy { (1, 1) } else { (old_copies, new_copies) };
            self.found.push(Candidate { row, old, new, old_copies, new_copies });
        }
        self.old += olds as usize;
        self.new += news as usize;
    }
}

impl<T: Results> EpochOperator for WindowFrame<T> {
    fn push(&mut self, _port: usize, batch: ZBatch) {
        let keys = self.keys.encode(batch.columns(), batch.len());
        let events = T::events(&self.spec.plan, &batch);
        let entries = keys.into_iter().zip(events).map(|(key, event)| Entry { key, event });
        self.pending.extend(entries.enumerate().map(|(row, entry)| (entry, batch.weight(row))));
    }

    fn observe(&mut self, info: &EpochInfo) {
        if let Some(ending) = &mut self.ending {
            ending.observe(info);
        }
    }

    fn close(&mut self, _epoch: u64) -> Output {
        let (mut negative, mut errors) = (Vec::new(), ErrorRows::new());
        let changes = self.state.changes(std::mem::take(&mut self.pending), &mut negative);
        for (row, weight) in negative {
            errors.push(&NEGATIVE, "window function", render_values(&self.keys.decode([&row]), 0), weight);
        }
        let rows = self.delta(&changes, &mut errors).expect("the columns before and now have the same types");
        if let Some(ending) = &mut self.ending {
            ending.take(&self.keys).into_iter().for_each(|start| self.state.drop_partition(start));
        }
        let errors = errors.finish().consolidate().expect("fewer errors than weights can count");
        Output::of(rows, errors)
    }

    fn contents(&self) -> Option<ZBatch> {
        if self.ending.is_some() {
            return None;
        }
        let mut all = Evaluation::new(&self.spec, &self.keys);
        let mut found = Candidates { per_copy: self.spec.per_copy, old: 0, new: 0, found: Vec::new() };
        let mut next = self.state.rows.first_from(Bound::Unbounded);
        while let Some((first, _)) = next {
            let view = View::new(&self.state, &first.key);
            let asked = Asked { view: &view, from: 0, to: view.len };
            all.intervals(&[asked], |_, rows| rows.iter().for_each(|(row, copies)| found.push(row, 0, *copies)));
            next = first.key.partition_end().and_then(|end| self.state.rows.first_from(Bound::Included(&Entry::place(end))));
        }
        let nothing = Evaluation::<T>::new(&self.spec, &self.keys).finish();
        let batch = self.emit(&found.found, &nothing, &all.finish(), &mut ErrorRows::new());
        Some(batch.expect("the columns of no rows have the types of the others"))
    }

    fn state_size(&self) -> StateSize {
        let ending = self.ending.as_ref().map_or(0, EndingPartitions::memory_bytes);
        StateSize { rows: self.state.rows.len(), bytes: self.state.memory_bytes() + self.keys.memory_bytes() + ending }
    }
}
