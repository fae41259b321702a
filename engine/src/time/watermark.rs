//! [`SourceTime`]: the watermark of one source, and what it means for its rows.
//!
//! A watermark never goes back. What moves it is the strategy of the source's definition, an explicit `ADVANCE WATERMARK`, or both.
//!
//! Idle sources are the subtle part. While a source is idle it holds nothing back, so operators that read it beside others close windows and free
//! state by the others' watermarks. When it wakes, rows that its own watermark would let in could reach what is gone. So the watermark of an idle source is
//! *lifted* along: it follows the least one of those that some view reads it beside.

use std::sync::Arc;

use arrow::array::Int64Array;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use deltic_circuit::time::{TimeSource, bound_column, bound_type, event_times};
use deltic_sql::{EventTimeDefinition, LatePolicy, Relation, WatermarkStrategy};

use super::acceptance::{Arrivals, Limits};
use super::late::LateCounters;
use super::partitions::{Partitions, is_over};
use crate::error::Result;
use crate::source::Source;

/// The event time of one source.
pub(crate) struct SourceTime {
    source: Arc<Source>,
    definition: EventTimeDefinition,
    watermark: Option<i64>,
    /// The time of the last epoch that brought rows, or of the source's creation.
    last_rows: i64,
    idle: bool,
    partitions: Option<Partitions>,
    /// What was not accepted so far.
    pub(crate) counters: LateCounters,
}

impl SourceTime {
    /// The event time of `source` as `definition` says, at `now`.
    ///
    /// # Errors
    /// If a partition column is of a type that no table has.
    pub(super) fn new(source: Arc<Source>, definition: EventTimeDefinition, now: i64) -> Result<Self> {
        let partitions = definition.partition.as_deref();
        let partitions = partitions.map(|columns| Partitions::new(columns, &source.schema)).transpose()?;
        let counters = LateCounters::default();
        Ok(SourceTime { source, definition, watermark: None, last_rows: now, idle: false, partitions, counters })
    }

    pub(crate) fn definition(&self) -> &EventTimeDefinition {
        &self.definition
    }

    /// The watermark after the last epoch.
    pub(crate) fn watermark(&self) -> Option<i64> {
        self.watermark
    }

    /// Whether no row came for the idle timeout.
    pub(crate) fn is_idle(&self) -> bool {
        self.idle
    }

    /// What rows of an epoch at `now` must keep to.
    pub(crate) fn limits(&self, now: i64) -> Limits {
        Limits::of(&self.definition, self.watermark, now)
    }

    /// Passes an epoch at `now`, which brought `arrivals` and, maybe, an explicit watermark.
    pub(super) fn pass(&mut self, now: i64, arrivals: Option<&Arrivals>, explicit: Option<i64>) {
        let strategy = match self.definition.strategy {
            WatermarkStrategy::Bounded { delay } => self.greatest(now, arrivals).map(|greatest| greatest.saturating_sub(delay)),
            WatermarkStrategy::ProcessingTime { delay } => Some(now.saturating_sub(delay)),
            WatermarkStrategy::Punctuated => None,
        };
        self.watermark = self.watermark.max(strategy).max(explicit);
        if let (WatermarkStrategy::Bounded { delay }, Some(partitions), Some(watermark)) =
            (self.definition.strategy, &mut self.partitions, self.watermark)
        {
            partitions.forget(|greatest| greatest.saturating_sub(delay) <= watermark);
        }
        if explicit.is_some() || arrivals.is_some_and(|arrivals| arrivals.any) {
            self.last_rows = now;
        }
        self.idle = is_over(self.last_rows, now, self.definition.idle_timeout);
    }

    /// The time that the strategy goes by.
    fn greatest(&mut self, now: i64, arrivals: Option<&Arrivals>) -> Option<i64> {
        let Some(partitions) = &mut self.partitions else { return arrivals?.greatest };
        for rows in arrivals.map_or(&[][..], |arrivals| &arrivals.rows) {
            partitions.observe(rows, &event_times(rows.column(self.definition.column)), now);
        }
        partitions.close(now, self.definition.idle_timeout)
    }

    /// Whether an epoch at `now` without rows changes what operators go by.
    pub(super) fn would_change(&self, now: i64) -> bool {
        let timeout = self.definition.idle_timeout;
        let follows_clock = match self.definition.strategy {
            WatermarkStrategy::ProcessingTime { delay } => Some(now.saturating_sub(delay)) > self.watermark,
            WatermarkStrategy::Bounded { .. } | WatermarkStrategy::Punctuated => false,
        };
        let falls_idle = !self.idle && is_over(self.last_rows, now, timeout);
        follows_clock || falls_idle || self.partitions.as_ref().is_some_and(|partitions| partitions.would_fall_idle(now, timeout))
    }

    /// Whether the clock alone can change what operators go by.
    pub(super) fn is_clocked(&self) -> bool {
        self.definition.idle_timeout.is_some() || matches!(self.definition.strategy, WatermarkStrategy::ProcessingTime { .. })
    }

    /// Lifts the watermark to one that views may have gone by without this source, while it is idle.
    pub(super) fn lift(&mut self, watermark: Option<i64>) {
        self.watermark = self.watermark.max(watermark);
    }

    /// How the source appears in what views go by.
    pub(crate) fn as_time_source(&self) -> TimeSource {
        let lateness = (self.definition.late_policy != LatePolicy::Accept).then_some(self.definition.allowed_lateness);
        TimeSource { relation: self.source.name.clone(), lateness }
    }

    /// Whether the rows themselves are needed when an epoch passes, not only their greatest time.
    pub(crate) fn is_partitioned(&self) -> bool {
        self.partitions.is_some()
    }
}

/// An event time of a table or stream as text: as its column shows it.
pub(crate) fn show_time(relation: &Relation, time: i64) -> String {
    let column = relation.event_time.as_ref().map_or(0, |definition| definition.column);
    let times = bound_column(Int64Array::from(vec![time]), &bound_type(relation.schema.field(column).data_type()));
    let options = FormatOptions::new().with_timestamp_format(Some("%Y-%m-%d %H:%M:%S%.f"));
    let options = options.with_timestamp_tz_format(Some("%Y-%m-%d %H:%M:%S%.f+00")).with_display_error(true);
    ArrayFormatter::try_new(&times, &options).map_or_else(|_| time.to_string(), |formatter| formatter.value(0).to_string())
}
