//! [`TemporalFilter`]: rows that are there for a span of time.
//!
//! What is shown of a row is a function of the row and of the time of the epoch, with at most two instants at which it changes. So a row that will
//! change waits for the next of them ([`RowsByTime`]), and an epoch costs what changes in it. A deletion finds the row
//! that waits, because it computes the same instant: between two changes of what is shown, the next change is the same seen from everywhere.
//! Nothing is kept of a row that is shown as it will be for ever, or will never be shown.

use arrow::array::{Array, ArrayRef, BooleanArray, Int64Array};
use arrow::datatypes::SchemaRef;
use deltic_circuit::time::event_times;
use deltic_circuit::{EpochInfo, Node, Operator, TemporalOutput};
use deltic_zset::{Error, Result, ZBatch};

use crate::exchange::consolidated;
use crate::rows_by_time::RowsByTime;
use crate::{EpochOperator, Output, StateSize};

/// Rows that are looked at together.
const BATCH_ROWS: usize = 1 << 16;

/// Keeps the rows that are in at the time of the epoch, or says of all rows whether they are.
pub struct TemporalFilter {
    /// Of the output.
    schema: SchemaRef,
    columns: [Option<usize>; 2],
    output: TemporalOutput,
    /// Rows whose appearance will change, by when it does first.
    waiting: RowsByTime,
    pending: Vec<ZBatch>,
    /// The time of the open epoch.
    now: i64,
    /// The time of the last epoch that was closed.
    shown_at: i64,
}

/// One end of the span in which a row is in.
#[derive(Clone, Copy)]
enum End {
    /// Not given: it does not limit.
    Absent,
    /// NULL.
    Unknown,
    At(i64),
}

/// The span of one row.
#[derive(Clone, Copy)]
struct Span {
    from: End,
    until: End,
}

impl Span {
    /// Whether the row is in at `time`; `None` if that is not known.
    fn holds(self, time: i64) -> Option<bool> {
        let from = match self.from {
            End::Absent => Some(true),
            End::Unknown => None,
            End::At(from) => Some(from <= time),
        };
        let until = match self.until {
            End::Absent => Some(true),
            End::Unknown => None,
            End::At(until) => Some(time < until),
        };
        match (from, until) {
            (Some(false), _) | (_, Some(false)) => Some(false),
            (Some(true), Some(true)) => Some(true),
            _ => None,
        }
    }
}

/// The ends of the spans of a batch.
struct Spans([Option<Int64Array>; 2]);

impl Spans {
    fn of(batch: &ZBatch, columns: [Option<usize>; 2]) -> Self {
        Spans(columns.map(|column| column.map(|column| event_times(batch.column(column)))))
    }

    fn get(&self, row: usize) -> Span {
        let end = |times: &Option<Int64Array>| match times {
            None => End::Absent,
            Some(times) if times.is_null(row) => End::Unknown,
            Some(times) => End::At(times.value(row)),
        };
        Span { from: end(&self.0[0]), until: end(&self.0[1]) }
    }
}

impl TemporalFilter {
    /// The operator of `node` over rows of `input`.
    ///
    /// # Errors
    /// If the node is another one, or a column has a type that cannot be stored.
    pub fn try_new(node: &Node, input: &SchemaRef) -> Result<Self> {
        let Operator::TemporalFilter { from, until, output } = &node.operator else {
            return Err(Error::Shape("the node is no temporal filter".to_owned()));
        };
        Ok(TemporalFilter {
            schema: node.schema.clone(),
            columns: [*from, *until],
            output: *output,
            waiting: RowsByTime::try_new(input.clone())?,
            pending: Vec::new(),
            now: i64::MIN,
            shown_at: i64::MIN,
        })
    }

    /// How a row looks at `time`: without a flag, in or not.
    fn look(&self, span: Span, time: i64) -> Option<bool> {
        match self.output {
            TemporalOutput::Keep => Some(span.holds(time) == Some(true)),
            TemporalOutput::Flag => span.holds(time),
        }
    }

    /// When it will look otherwise than at `now`.
    fn next_change(&self, span: Span) -> Option<i64> {
        let now = self.look(span, self.now);
        let instant = |end: End| match end {
            End::At(instant) if instant > self.now && self.look(span, instant) != now => Some(instant),
            _ => None,
        };
        let [from, until] = [span.from, span.until].map(instant);
        from.into_iter().chain(until).min()
    }

    /// Takes back how the rows that have changed looked, and shows how they look now.
    fn change(&mut self, due: &[u32], shown: &mut Vec<ZBatch>) {
        let batch = self.waiting.batch(due);
        let spans = Spans::of(&batch, self.columns);
        let [mut before, mut after] = [Vec::new(), Vec::new()];
        for (row, &waiting) in due.iter().enumerate() {
            let span = spans.get(row);
            before.push(self.look(span, self.shown_at));
            after.push(self.look(span, self.now));
            match self.next_change(span) {
                Some(instant) => self.waiting.schedule(waiting, instant),
                None => self.waiting.remove(waiting),
            }
        }
        // Spent copies are subtracted by wrapping: a weight of `i64::MIN` is none that a row has.
        let negated = batch.weights_or_ones().iter().map(|weight| weight.wrapping_neg()).collect::<Vec<_>>();
        self.show(batch.clone().with_weights(Some(negated.into())), &before, shown);
        self.show(batch, &after, shown);
    }

    /// Shows rows that look so.
    fn show(&self, batch: ZBatch, looks: &[Option<bool>], shown: &mut Vec<ZBatch>) {
        let looks = BooleanArray::from(looks.to_vec());
        let rows = match self.output {
            TemporalOutput::Keep if looks.true_count() == looks.len() => batch.with_schema(self.schema.clone()),
            TemporalOutput::Keep => batch.filter(&looks).expect("a mask of the batch's length").with_schema(self.schema.clone()),
            TemporalOutput::Flag => {
                let flag = std::sync::Arc::new(looks) as ArrayRef;
                let columns = batch.columns().iter().cloned().chain([flag]).collect();
                ZBatch::new(self.schema.clone(), columns, batch.weights().cloned(), batch.len())
            }
        };
        shown.extend((!rows.is_empty()).then_some(rows));
    }

    /// Shows new rows, and lets those wait that will change.
    fn take(&mut self, batch: ZBatch, shown: &mut Vec<ZBatch>) {
        let spans = Spans::of(&batch, self.columns);
        let looks: Vec<Option<bool>> = (0..batch.len()).map(|row| self.look(spans.get(row), self.now)).collect();
        let instants: Vec<Option<i64>> = (0..batch.len()).map(|row| self.next_change(spans.get(row))).collect();
        let waits: BooleanArray = instants.iter().map(|instant| Some(instant.is_some())).collect();
        match waits.true_count() {
            0 => {}
            all if all == batch.len() => self.waiting.add(&batch, &instants.into_iter().flatten().collect::<Vec<_>>()),
            _ => {
                let rows = batch.filter(&waits).expect("a mask of the batch's length");
                self.waiting.add(&rows, &instants.into_iter().flatten().collect::<Vec<_>>());
            }
        }
        self.show(batch, &looks, shown);
    }
}

impl EpochOperator for TemporalFilter {
    fn push(&mut self, _port: usize, batch: ZBatch) {
        self.pending.push(batch);
    }

    fn observe(&mut self, info: &EpochInfo) {
        self.now = self.now.max(info.now);
    }

    fn close(&mut self, _epoch: u64) -> Output {
        let mut shown = Vec::new();
        let due = self.waiting.take_due(self.now);
        for due in due.chunks(BATCH_ROWS) {
            self.change(due, &mut shown);
        }
        for batch in std::mem::take(&mut self.pending) {
            self.take(batch, &mut shown);
        }
        self.shown_at = self.now;
        Output { rows: consolidated(shown), errors: Vec::new() }
    }

    fn state_size(&self) -> StateSize {
        self.waiting.state_size()
    }
}

#[cfg(test)]
mod tests;
