//! [`Admission`]: which rows have a session.

use std::sync::LazyLock;

use arrow::array::{Array, ArrayRef, BooleanArray, Int64Array};
use arrow::datatypes::DataType;
use deltic_circuit::errors::code;
use deltic_circuit::time::{OUT_OF_RANGE, bound_column, event_times};
use deltic_circuit::{ErrorRows, EvalError, render_row};
use deltic_zset::ZBatch;

use crate::Output;

static FAILURE: LazyLock<EvalError> = LazyLock::new(|| EvalError::new(code::OVERFLOW, OUT_OF_RANGE));

/// Takes the rows whose time has a session, and keeps the errors of those whose session would end out of range.
pub(super) struct Admission {
    time: usize,
    gap: i64,
    errors: ErrorRows,
}

impl Admission {
    pub(super) fn new(time: usize, gap: i64) -> Self {
        Admission { time, gap, errors: ErrorRows::new() }
    }

    /// The rows that have a session, and their times.
    pub(super) fn admit(&mut self, batch: ZBatch) -> (ZBatch, Int64Array) {
        let times = event_times(batch.column(self.time));
        let latest = i64::MAX - self.gap;
        if times.null_count() == 0 && times.values().iter().all(|&time| time <= latest) {
            return (batch, times);
        }
        let mut kept = Vec::with_capacity(batch.len());
        for (row, time) in times.iter().enumerate() {
            let out_of_range = time.is_some_and(|time| time > latest);
            if out_of_range {
                self.errors.push(&FAILURE, "session", render_row(&batch, row), batch.weight(row));
            }
            kept.push(time.is_some() && !out_of_range);
        }
        let batch = batch.filter(&BooleanArray::from(kept)).expect("there is one mark per row");
        let times = event_times(batch.column(self.time));
        (batch, times)
    }

    /// The errors of the epoch.
    pub(super) fn take_errors(&mut self) -> ErrorRows {
        std::mem::take(&mut self.errors)
    }
}

/// The output of an epoch, each error row once.
pub(super) fn output(rows: ZBatch, errors: ErrorRows) -> Output {
    let mut output = Output::default();
    output.rows.extend((!rows.is_empty()).then_some(rows));
    if !errors.is_empty() {
        let errors = errors.finish();
        let consolidated = errors.consolidate().unwrap_or(errors);
        output.errors.extend((!consolidated.is_empty()).then_some(consolidated));
    }
    output
}

/// Starts and ends of sessions as columns of this type.
pub(super) fn bounds(starts: Vec<i64>, ends: Vec<i64>, bound: &DataType) -> [ArrayRef; 2] {
    [starts, ends].map(|times| bound_column(Int64Array::from(times), bound))
}
