//! [`TimeWindow`]: each row once per window that holds its time.
//!
//! Linear and stateless. Windows are found in one pass over the time column; rows that follow one another are mostly in the same window, so the last one
//! is tried before any division. Where every row has exactly one window, the columns are shared, not copied.

use std::sync::LazyLock;

use arrow::array::{Array, ArrayRef, BooleanArray, Int64Array, UInt32Array};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, SchemaRef};
use deltic_circuit::errors::code;
use deltic_circuit::time::{OUT_OF_RANGE, bound_column, bound_type, event_times};
use deltic_circuit::{ErrorRows, EvalError, Window, render_row};
use deltic_zset::ZBatch;

use crate::{EpochOperator, Output};

/// Rows of the output that are made at a time: one row may be in very many windows.
const BATCH_ROWS: usize = 1 << 16;

static FAILURE: LazyLock<EvalError> = LazyLock::new(|| EvalError::new(code::OVERFLOW, OUT_OF_RANGE));

/// Appends the bounds of the windows that hold a row's time.
pub struct TimeWindow {
    time: usize,
    window: Window,
    /// Of the output.
    schema: SchemaRef,
    output: Output,
}

impl TimeWindow {
    /// The operator that finds the windows of column `time`; `schema` is that of its output.
    pub fn new(time: usize, window: Window, schema: SchemaRef) -> Self {
        TimeWindow { time, window, schema, output: Output::default() }
    }

    fn tumble(&mut self, batch: &ZBatch, times: &Int64Array) {
        let mut starts: Vec<i64> = Vec::with_capacity(batch.len());
        let mut failed: Vec<u32> = Vec::new();
        let size = self.window.size();
        let mut start = None;
        for (row, &time) in times.values().iter().enumerate() {
            // The distance fits 64 bits without a sign; a time before the start is a very great one.
            if start.is_none_or(|start: i64| time.wrapping_sub(start) as u64 >= size as u64) {
                start = None;
                if self.window.of(time, |bounds| start = Some(bounds.start)).is_none() {
                    start = None;
                    failed.extend(times.is_valid(row).then_some(row as u32));
                }
            }
            starts.push(start.unwrap_or_default());
        }
        if failed.is_empty() && times.null_count() == 0 {
            let ends = starts.iter().map(|start| start + size).collect();
            return self.append(batch.clone(), starts, ends);
        }
        self.fail(batch, &failed);
        let mut kept: Vec<bool> = (0..batch.len()).map(|row| times.is_valid(row)).collect();
        failed.iter().for_each(|&row| kept[row as usize] = false);
        starts = starts.into_iter().zip(&kept).filter(|(_, kept)| **kept).map(|(start, _)| start).collect();
        let ends = starts.iter().map(|start| start + size).collect();
        let rows = batch.filter(&BooleanArray::from(kept)).expect("a mask of the batch's length");
        self.append(rows, starts, ends);
    }

    fn expand(&mut self, batch: &ZBatch, times: &Int64Array) {
        let (mut rows, mut starts, mut ends) = (Vec::new(), Vec::new(), Vec::new());
        let mut failed: Vec<u32> = Vec::new();
        let valid = |nulls: Option<&NullBuffer>, row: usize| nulls.is_none_or(|nulls| nulls.is_valid(row));
        for (row, &time) in (0u32..).zip(times.values()) {
            if !valid(times.nulls(), row as usize) {
                continue;
            }
            let before = starts.len();
            let found = self.window.of(time, |bounds| {
                starts.push(bounds.start);
                ends.push(bounds.end);
            });
            if found.is_none() {
                starts.truncate(before);
                ends.truncate(before);
                failed.push(row);
            }
            rows.resize(starts.len(), row);
            if rows.len() >= BATCH_ROWS {
                self.append_rows(batch, &mut rows, &mut starts, &mut ends);
            }
        }
        self.append_rows(batch, &mut rows, &mut starts, &mut ends);
        self.fail(batch, &failed);
    }

    fn append_rows(&mut self, batch: &ZBatch, rows: &mut Vec<u32>, starts: &mut Vec<i64>, ends: &mut Vec<i64>) {
        let rows = batch.take(&UInt32Array::from(std::mem::take(rows))).expect("rows of the batch");
        self.append(rows, std::mem::take(starts), std::mem::take(ends));
    }

    /// Emits rows with the bounds of their windows.
    fn append(&mut self, batch: ZBatch, starts: Vec<i64>, ends: Vec<i64>) {
        let bound: DataType = bound_type(batch.column(self.time).data_type());
        let bounds = [starts, ends].map(|times| bound_column(Int64Array::from(times), &bound));
        let columns: Vec<ArrayRef> = batch.columns().iter().cloned().chain(bounds).collect();
        let rows = ZBatch::new(self.schema.clone(), columns, batch.weights().cloned(), batch.len());
        self.output.rows.extend((!rows.is_empty()).then_some(rows));
    }

    fn fail(&mut self, batch: &ZBatch, rows: &[u32]) {
        let mut errors = ErrorRows::new();
        for &row in rows {
            errors.push(&FAILURE, "time window", render_row(batch, row as usize), batch.weight(row as usize));
        }
        self.output.errors.extend((!rows.is_empty()).then(|| errors.finish()));
    }
}

impl EpochOperator for TimeWindow {
    fn push(&mut self, _port: usize, batch: ZBatch) {
        let times = event_times(batch.column(self.time));
        match self.window {
            Window::Tumble { .. } => self.tumble(&batch, &times),
            Window::Hop { .. } | Window::Cumulate { .. } => self.expand(&batch, &times),
        }
    }

    fn close(&mut self, _epoch: u64) -> Output {
        std::mem::take(&mut self.output)
    }
}

#[cfg(test)]
mod tests;
