//! From payloads before and after an epoch to the delta of the output.

use std::sync::LazyLock;

use arrow::array::{ArrayRef, UInt32Array};
use arrow::compute;
use arrow::datatypes::SchemaRef;
use deltic_circuit::errors::code;
use deltic_circuit::{AggregateCall, ErrorRows, EvalError, aggregate_label, render_values};
use deltic_zset::equality::equal_pairs;
use deltic_zset::{GroupTable, ZBatch};

use super::output::{Payloads, Results};
use super::plan::{Finish, Plan, TOTAL};
use super::words::wide;
use crate::Output;

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

/// Everything that a payload is read with.
pub(super) struct Changelog<'a> {
    pub(super) schema: &'a SchemaRef,
    pub(super) calls: &'a [AggregateCall],
    pub(super) plan: &'a Plan,
    pub(super) table: &'a GroupTable,
    /// Whether there are no group columns: the one group is there without rows too.
    pub(super) global: bool,
}

impl Changelog<'_> {
    /// The delta of `groups`, whose payloads before are followed by those after. `opened` is whether a global group was there before.
    pub(super) fn delta(&self, groups: &[u32], payloads: &Payloads, opened: bool) -> Output {
        let count = groups.len();
        let results = self.results(payloads);
        let old: Vec<State<'_>> = (0..count).map(|row| self.state(payloads, &results, row, opened)).collect();
        let new: Vec<State<'_>> = (count..2 * count).map(|row| self.state(payloads, &results, row, true)).collect();
        let equal = self.equal_results(payloads, &results);
        let stays = |group: usize| match (&old[group], &new[group]) {
            (State::Row, State::Row) => equal[group],
            (old, new) => old == new,
        };
        let mut emission = Emission::default();
        let changed: Vec<usize> = (0..count).filter(|&group| !stays(group)).collect();
        changed.iter().for_each(|&group| emission.push(group, group, &old[group], -1));
        changed.iter().for_each(|&group| emission.push(count + group, group, &new[group], 1));
        self.emit(groups, emission, &results)
    }

    /// The rows of `groups`, which have these payloads.
    pub(super) fn contents(&self, groups: &[u32], payloads: &Payloads) -> ZBatch {
        let results = self.results(payloads);
        let mut emission = Emission::default();
        for group in 0..groups.len() {
            let state = self.state(payloads, &results, group, true);
            if state == State::Row {
                emission.push(group, group, &state, 1);
            }
        }
        self.emit(groups, emission, &results).rows.pop().unwrap_or_else(|| ZBatch::empty(self.schema.clone()))
    }

    fn results(&self, payloads: &Payloads) -> Results {
        Results::of(payloads, self.calls, &self.plan.finishes, &self.plan.streams)
    }

    fn state<'r>(&self, payloads: &Payloads, results: &'r Results, row: usize, opened: bool) -> State<'r> {
        let total = wide(payloads.get(row), TOTAL);
        if total < 0 {
            State::Error(None, &NEGATIVE)
        } else if total == 0 && !(self.global && opened) {
            State::Absent
        } else if let Some((call, error)) = results.errors.get(&row) {
            State::Error(Some(*call), error)
        } else {
            State::Row
        }
    }

    /// For each group, whether its results before and after are the same.
    fn equal_results(&self, payloads: &Payloads, results: &Results) -> Vec<bool> {
        let count = payloads.len() / 2;
        // Different counts or sums are different results; that is the common case, and it needs no look at the columns.
        let telling: Vec<usize> = self.plan.finishes.iter().filter_map(Finish::injective).collect();
        let mut equal = vec![false; count];
        let (mut old, mut new) = (Vec::new(), Vec::new());
        for (group, equal) in equal.iter_mut().enumerate() {
            let (before, after) = (payloads.get(group), payloads.get(count + group));
            if before == after {
                *equal = true;
            } else if telling.iter().all(|&at| wide(before, at) == wide(after, at)) {
                old.push(group as u32);
                new.push((count + group) as u32);
            }
        }
        let mut keep = Vec::new();
        equal_pairs(&results.columns, &old, &results.columns, &new, &vec![true; results.columns.len()], &mut keep);
        old.iter().zip(keep).for_each(|(&group, keep)| equal[group as usize] = keep);
        equal
    }

    fn emit(&self, groups: &[u32], emission: Emission<'_>, results: &Results) -> Output {
        let count = emission.rows.len();
        let rows = UInt32Array::from(emission.rows);
        let positions = UInt32Array::from(emission.positions);
        let take = |column: &ArrayRef, rows: &UInt32Array| compute::take(column, rows, None).expect("every row is there");
        let mut columns: Vec<ArrayRef> = self.table.keys(groups).iter().map(|key| take(key, &positions)).collect();
        if (0u32..).zip(rows.values()).all(|(position, &row)| row == position) {
            columns.extend(results.columns.iter().map(|column| column.slice(0, count)));
        } else {
            columns.extend(results.columns.iter().map(|column| take(column, &rows)));
        }
        let weights = emission.weights.iter().any(|&weight| weight != 1).then(|| emission.weights.into());
        let rows = ZBatch::new(self.schema.clone(), columns, weights, count);

        let mut errors = ErrorRows::new();
        for (position, call, error, weight) in emission.errors {
            let label = call.map_or_else(|| "aggregate".to_owned(), |call| aggregate_label(&self.calls[call]));
            errors.push(error, &label, render_values(&self.table.keys(&[groups[position]]), 0), weight);
        }
        Output::of(rows, errors.finish())
    }
}

/// The rows and errors to be emitted: each row with its payload, and with its place in the list of groups.
#[derive(Default)]
struct Emission<'a> {
    rows: Vec<u32>,
    positions: Vec<u32>,
    weights: Vec<i64>,
    errors: Vec<(usize, Option<usize>, &'a EvalError, i64)>,
}

impl<'a> Emission<'a> {
    fn push(&mut self, row: usize, position: usize, state: &State<'a>, weight: i64) {
        match state {
            State::Absent => {}
            State::Row => {
                self.rows.push(row as u32);
                self.positions.push(position as u32);
                self.weights.push(weight);
            }
            State::Error(call, error) => self.errors.push((position, *call, error, weight)),
        }
    }
}
