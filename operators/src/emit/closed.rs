//! [`EmitClosed`]: the rows whose windows have closed.
//!
//! A row of an open window waits for the watermark that closes it; what is due is found without looking at what is not. When a window has closed, the
//! changes of its rows pass as they come: a *late firing*. Closing is a function of the row and of a watermark that never goes back, so a
//! row and its deletion are always on the same side of it, and nothing is kept of rows that have been shown.

use arrow::array::{Array, BooleanArray};
use arrow::datatypes::SchemaRef;
use deltic_circuit::time::event_times;
use deltic_circuit::{Closing, EpochInfo, TimeSource};
use deltic_zset::{Result, ZBatch};

use super::late::LateFirings;
use crate::exchange::consolidated;
use crate::rows_by_time::RowsByTime;
use crate::{EpochOperator, Output, StateSize, WindowMetrics};

/// Shows the rows whose windows are closed.
pub struct EmitClosed {
    closing: Closing,
    sources: Vec<TimeSource>,
    /// Whether the allowed lateness must have passed as well.
    when_final: bool,
    waiting: RowsByTime,
    pending: Vec<ZBatch>,
    /// In the open epoch.
    watermark: Option<i64>,
    /// In the last epoch that was closed: a window that was closed by it has been shown.
    shown_at: Option<i64>,
    metrics: WindowMetrics,
    late: LateFirings,
}

/// When the windows of a batch close: an instant per row, `None` if never.
type Dues = Vec<Option<i64>>;

impl EmitClosed {
    /// Shows rows that are closed at the watermark of `sources`.
    ///
    /// # Errors
    /// If a column of `schema` has a type that cannot be stored.
    pub fn on_window_close(closing: Closing, sources: Vec<TimeSource>, schema: SchemaRef) -> Result<Self> {
        Self::try_new(closing, sources, false, schema)
    }

    /// Shows rows that are closed at the bound of `sources`: at the watermark less the allowed lateness.
    ///
    /// # Errors
    /// If a column of `schema` has a type that cannot be stored.
    pub fn when_final(closing: Closing, sources: Vec<TimeSource>, schema: SchemaRef) -> Result<Self> {
        Self::try_new(closing, sources, true, schema)
    }

    /// With these unique keys, by which late firings are counted.
    pub fn with_unique_keys(mut self, keys: Vec<Vec<usize>>) -> Self {
        self.late = LateFirings::new(keys);
        self
    }

    fn try_new(closing: Closing, sources: Vec<TimeSource>, when_final: bool, schema: SchemaRef) -> Result<Self> {
        Ok(EmitClosed {
            closing,
            sources,
            when_final,
            waiting: RowsByTime::try_new(schema)?,
            pending: Vec::new(),
            watermark: None,
            shown_at: None,
            metrics: WindowMetrics::default(),
            late: LateFirings::new(Vec::new()),
        })
    }

    fn dues(&self, batch: &ZBatch) -> Dues {
        let times = event_times(batch.column(self.closing.column));
        let Closing { offset, strict, .. } = self.closing;
        // As `Closing::is_closed` has it: an end out of range is the last instant there is.
        let due = |time: i64| {
            let end = time.saturating_add(offset);
            if strict { end.checked_add(1) } else { Some(end) }
        };
        (0..batch.len()).map(|row| if times.is_null(row) { None } else { due(times.value(row)) }).collect()
    }

    /// Lets the rows wait whose windows have not been shown. Those that were go to `late`; those that need not wait because nothing waits for the same
    /// windows, to `closed`.
    fn take(&mut self, batch: ZBatch, late: &mut Vec<ZBatch>, closed: &mut Vec<ZBatch>) {
        let dues = self.dues(&batch);
        let by = |watermark: Option<i64>, due: &Option<i64>| due.is_some_and(|due| watermark.is_some_and(|by| due <= by));
        let is_late: Vec<bool> = dues.iter().map(|due| by(self.shown_at, due)).collect();
        let some_are_due = self.waiting.first_instant().is_some_and(|first| by(self.watermark, &Some(first)));
        let is_closed = |row: usize| !some_are_due && !is_late[row] && by(self.watermark, &dues[row]);
        let is_closed: Vec<bool> = (0..batch.len()).map(is_closed).collect();
        let waits: Vec<bool> = (0..batch.len()).map(|row| dues[row].is_some() && !is_late[row] && !is_closed[row]).collect();
        let instants: Vec<i64> = dues.iter().zip(&waits).filter(|(_, waits)| **waits).filter_map(|(due, _)| *due).collect();
        if let Some(rows) = part(&batch, waits) {
            self.waiting.add(&rows, &instants);
        }
        late.extend(part(&batch, is_late));
        closed.extend(part(&batch, is_closed));
    }

    fn count(&mut self, closed: &[ZBatch], late: &[ZBatch]) {
        let weights =
            |batches: &[ZBatch]| -> Vec<i64> { batches.iter().flat_map(|batch| batch.weights_or_ones().to_vec()).collect() };
        for weight in weights(closed) {
            self.metrics.initial_firings += weight.max(0) as u64;
            self.metrics.retractions_emitted += weight.min(0).unsigned_abs();
        }
        for batch in late {
            let ends: Vec<i64> = self.dues(batch).into_iter().map(Option::unwrap_or_default).collect();
            self.late.count(batch, &ends, &mut self.metrics);
        }
    }
}

/// The rows of a batch for which `wanted` is true, if there are any.
fn part(batch: &ZBatch, wanted: Vec<bool>) -> Option<ZBatch> {
    let wanted = BooleanArray::from(wanted);
    match wanted.true_count() {
        0 => None,
        all if all == batch.len() => Some(batch.clone()),
        _ => Some(batch.filter(&wanted).expect("a mask of the batch's length")),
    }
}

impl EpochOperator for EmitClosed {
    fn push(&mut self, _port: usize, batch: ZBatch) {
        self.pending.push(batch);
    }

    fn observe(&mut self, info: &EpochInfo) {
        let time = if self.when_final { info.bound(&self.sources) } else { info.watermark(&self.sources) };
        self.watermark = self.watermark.max(time);
    }

    fn close(&mut self, _epoch: u64) -> Output {
        let (mut late, mut closed) = (Vec::new(), Vec::new());
        for batch in std::mem::take(&mut self.pending) {
            self.take(batch, &mut late, &mut closed);
        }
        let (late, mut closed) = (consolidated(late), consolidated(closed));
        if let Some(watermark) = self.watermark {
            closed.extend(self.waiting.drain_due(watermark));
        }
        self.shown_at = self.watermark;
        self.count(&closed, &late);
        closed.extend(late);
        Output { rows: closed, errors: Vec::new() }
    }

    fn state_size(&self) -> StateSize {
        self.waiting.state_size()
    }

    fn metrics(&self) -> WindowMetrics {
        self.metrics
    }
}
