//! [`EpochOperator`]: what every operator of a circuit is to the dataflow that runs it.
//!
//! Epochs are totally ordered and an operator never sees two of them at once, so it needs no notion of time: the driver
//! hands it the rows of the open epoch in as many batches as they come in, then closes the epoch, and the operator
//! answers with one delta. Everything timely knows (frontiers, capabilities, other workers) stays in the driver; an
//! operator is a plain state machine that a test can drive by hand.
//!
//! Contract, checked by the driver's wrapper in debug builds and trusted otherwise: batches fit the schema of their port,
//! epochs are closed in ascending order, and the deltas that come out are what the interpreter says the operator means:
//! the sum of the outputs up to an epoch equals the interpreter's answer for the sum of the inputs up to it, rows and
//! errors alike.

use deltic_circuit::EpochInfo;
use deltic_zset::ZBatch;

/// What an operator emits when an epoch closes: the delta of its rows and the delta of its errors.
#[derive(Debug, Default)]
pub struct Output {
    /// The delta of the rows, consolidated over all batches if the operator keeps state, else as consolidated as its input.
    pub rows: Vec<ZBatch>,
    /// The delta of the errors that arise in this operator, under [`deltic_circuit::errors::error_schema`]. Errors of
    /// its inputs do not pass through it.
    pub errors: Vec<ZBatch>,
}

impl Output {
    /// The output that has `rows` and `errors`; empty batches are left out.
    pub fn of(rows: ZBatch, errors: ZBatch) -> Self {
        let mut output = Output::default();
        output.push(rows, errors);
        output
    }

    /// Adds a delta of rows and one of errors; empty batches are left out.
    pub fn push(&mut self, rows: ZBatch, errors: ZBatch) {
        self.rows.extend((!rows.is_empty()).then_some(rows));
        self.errors.extend((!errors.is_empty()).then_some(errors));
    }
}

/// How much an operator remembers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StateSize {
    /// Rows, groups or entries, whatever the operator counts its state in.
    pub rows: usize,
    /// Memory in bytes, as far as the state structures can tell.
    pub bytes: usize,
}

impl StateSize {
    /// The two sizes together.
    pub fn plus(self, other: StateSize) -> StateSize {
        StateSize { rows: self.rows + other.rows, bytes: self.bytes + other.bytes }
    }
}

/// What has happened to the windows of an operator since it was installed, on this worker.
///
/// A change is *late* here if it is accepted and changes rows of a window that have already been shown as closed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WindowMetrics {
    /// Copies of rows that were shown because their window closed.
    pub initial_firings: u64,
    /// Copies of rows of closed windows that were replaced, added or removed: in each epoch and window, the greater of the copies that came and those that went.
    pub late_firings: u64,
    /// Copies that came and copies that went in those.
    pub records_in_late_firing: u64,
    /// Closed windows with late changes, by the time they closed, each once; a worker that has seen thousands of them forgets the oldest.
    pub windows_with_late_data: u64,
    /// Changes that came after their window was shown for good, and were left out. None, as long as sources refuse late rows.
    pub data_dropped_after_grace: u64,
    /// How many sessions were joined with an earlier one.
    pub session_merges: u64,
    /// How many sessions were split off.
    pub session_splits: u64,
    /// Copies of rows that were shown and then taken back.
    pub retractions_emitted: u64,
}

impl WindowMetrics {
    /// The sums of two.
    pub fn plus(self, other: WindowMetrics) -> WindowMetrics {
        WindowMetrics {
            initial_firings: self.initial_firings + other.initial_firings,
            late_firings: self.late_firings + other.late_firings,
            records_in_late_firing: self.records_in_late_firing + other.records_in_late_firing,
            windows_with_late_data: self.windows_with_late_data + other.windows_with_late_data,
            data_dropped_after_grace: self.data_dropped_after_grace + other.data_dropped_after_grace,
            session_merges: self.session_merges + other.session_merges,
            session_splits: self.session_splits + other.session_splits,
            retractions_emitted: self.retractions_emitted + other.retractions_emitted,
        }
    }
}

/// An operator of a circuit on one worker.
///
/// Nothing that the rows contain makes an operator panic: what cannot be computed becomes an error row, and it is
/// retracted when the rows that caused it are.
pub trait EpochOperator: 'static {
    /// Takes rows of the open epoch that arrived at input `port`.
    fn push(&mut self, port: usize, batch: ZBatch);

    /// Takes the time and the watermarks of the epoch that is closed next. Only operators that depend on time, or whose state ends
    /// ([`deltic_circuit::retention`]), are told: before each `close`, and they are closed in every epoch, rows or not.
    fn observe(&mut self, info: &EpochInfo) {
        let _ = info;
    }

    /// All rows of `epoch` are in: applies them and emits the delta. The first epoch that is closed is the one that the
    /// operator is installed in; it is closed even if no row came.
    fn close(&mut self, epoch: u64) -> Output;

    /// The integral of all rows emitted so far, consolidated, if the state holds it. A view that has the same operator in
    /// its circuit starts from it.
    fn contents(&self) -> Option<ZBatch> {
        None
    }

    /// How much the operator remembers; nothing if it is stateless.
    fn state_size(&self) -> StateSize {
        StateSize::default()
    }
    /// What has happened to its windows.
    fn metrics(&self) -> WindowMetrics {
        WindowMetrics::default()
    }
}
