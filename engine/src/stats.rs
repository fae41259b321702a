//! [`Stats`]: what a database is doing and what it holds.

use deltic_operators::WindowMetrics;

use crate::ingest::IngestCounters;
use crate::time::LateCounters;

/// A database at one moment.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    /// The number of workers.
    pub workers: usize,
    /// The last epoch that every view reflects.
    pub epoch: u64,
    /// Epochs under way.
    pub epochs_in_flight: usize,
    /// Commits refused so far.
    pub refused_commits: u64,
    /// Tables, streams and materialized views, by name.
    pub relations: Vec<RelationStats>,
}

/// One table, stream or materialized view.
#[derive(Clone, Debug, Default)]
pub struct RelationStats {
    /// Its name.
    pub name: String,
    /// `table`, `stream`, `late rows` or `materialized view`.
    pub kind: &'static str,
    /// Rows with weights that its contents are kept in: at least the number of distinct rows. 0 for a stream.
    pub entries: usize,
    /// Bytes that its contents take.
    pub bytes: usize,
    /// Rows in its error relation.
    pub errors: usize,
    /// Changed rows (of deltas) since it was created.
    pub changes: u64,
    /// The ingest queue; zeros for a view.
    pub ingest: IngestCounters,
    /// The watermark of a source with event time, if it has one yet: microseconds since 1970-01-01 in UTC, or the value of an integer column.
    pub watermark: Option<i64>,
    /// Whether it is a source that holds nothing back, because no row came for its `idle_timeout`.
    pub idle: bool,
    /// Rows that a source with event time did not accept.
    pub late: LateCounters,
    /// What has happened to the windows of a view, over all workers. Rows that its sources refused as too late since it was created
    /// are `data_dropped_after_grace`.
    pub windows: WindowMetrics,
    /// The operators of a view, over all workers.
    pub operators: Vec<OperatorStats>,
}

/// The state of one operator of a view, summed over the workers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OperatorStats {
    /// The node of the circuit.
    pub node: usize,
    /// What it is.
    pub operator: String,
    /// Rows, groups or entries in its state.
    pub rows: usize,
    /// Bytes of its state.
    pub bytes: usize,
}
