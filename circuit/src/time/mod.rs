//! Event time: what an epoch knows beside its rows, and what the planner knows of times on the edges.
//!
//! The *event time* of a value is an `i64`: microseconds since 1970 for timestamps and dates (midnight), the value itself for
//! integers. Watermarks, window sizes, gaps and lateness are in the same unit. They do not flow with the rows: the watermarks of an
//! epoch and its `now` are computed once, where the epoch is sealed, and every operator looks them up in [`EpochInfo`].
//!
//! Two facts are derived for the columns of each edge. [`EventTime`] bounds what may still come: it is what lets state end, and what makes a row
//! final. [`Closing`] says when the window of a row closes: it is what EMIT goes by. Both speak of the least watermark of
//! all sources below the node ([`Properties::time_sources`](crate::Properties)).

mod window;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Date32Type, TimeUnit, TimestampMicrosecondType};

pub use window::{OUT_OF_RANGE, Window, WindowBounds};

/// Microseconds of a day.
pub const DAY_MICROS: i64 = 86_400_000_000;

/// What an epoch knows beside its rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EpochInfo {
    /// The time of the epoch: microseconds since 1970-01-01 in UTC. It never goes back.
    pub now: i64,
    /// The watermark of each source after the epoch. A source that has none yet is not in it.
    pub watermarks: BTreeMap<Arc<str>, i64>,
    /// Sources that do not hold others back because no row came for a while.
    pub idle: BTreeSet<Arc<str>>,
}

/// A source with event time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimeSource {
    /// Its name in the catalog.
    pub relation: Arc<str>,
    /// How far behind the watermark a row is still accepted; `None` if it is accepted however late.
    pub lateness: Option<i64>,
}

impl EpochInfo {
    /// The least watermark of `sources`, but for idle ones; `None` if one of them has none yet, or there are no sources. If all are idle, the
    /// least of all.
    pub fn watermark(&self, sources: &[TimeSource]) -> Option<i64> {
        self.least(sources, |_, watermark| Some(watermark))
    }

    /// As [`EpochInfo::watermark`], each less the lateness its source allows: no row with an earlier time is accepted from now on. `None`
    /// also if a source accepts whatever comes.
    pub fn bound(&self, sources: &[TimeSource]) -> Option<i64> {
        if sources.iter().any(|source| source.lateness.is_none()) {
            return None;
        }
        self.least(sources, |source, watermark| source.lateness.map(|lateness| watermark.saturating_sub(lateness)))
    }

    fn least(&self, sources: &[TimeSource], time: impl Fn(&TimeSource, i64) -> Option<i64>) -> Option<i64> {
        let all_idle = sources.iter().all(|source| self.idle.contains(&source.relation));
        let waited_for = sources.iter().filter(|source| all_idle || !self.idle.contains(&source.relation));
        let times = waited_for.map(|source| time(source, *self.watermarks.get(&source.relation)?));
        times.collect::<Option<Vec<i64>>>()?.into_iter().min()
    }
}

/// A promise about a column: every change of the edge in a later epoch has NULL in it, or an event time of at least
/// [`EpochInfo::bound`] (of the node's sources, after the present epoch) less `slack`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EventTime {
    /// The column.
    pub column: usize,
    /// How far below the bound a change may be. It may be negative.
    pub slack: i64,
}

/// A promise about a column: every change of the edge in a later epoch has NULL in it, or a multiple of `step` plus `offset`, the last one that is not after
/// some time of at least [`EpochInfo::bound`] less `slack`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TimeGrid {
    /// The column.
    pub column: usize,
    /// From one time of the grid to the next; positive.
    pub step: i64,
    /// One time of the grid.
    pub offset: i64,
    /// How far below the bound a time was before it was moved to the grid.
    pub slack: i64,
}

/// When the window of a row closes: at the first watermark `w` of the node's sources with `w >= column + offset`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Closing {
    /// The column. A row with NULL in it never closes.
    pub column: usize,
    /// From the value of the column to the end of the window.
    pub offset: i64,
    /// Whether the watermark must be past the end: `w > column + offset`, as for sessions.
    pub strict: bool,
}

impl Closing {
    /// Whether a row with event time `time` in the column is closed at watermark `watermark`.
    pub fn is_closed(&self, time: i64, watermark: Option<i64>) -> bool {
        let end = time.saturating_add(self.offset);
        watermark.is_some_and(|watermark| if self.strict { watermark > end } else { watermark >= end })
    }

    /// The least watermark at which a row with event time `time` is closed; `None` if there is none.
    pub fn closes_at(&self, time: i64) -> Option<i64> {
        let end = time.checked_add(self.offset)?;
        if self.strict { end.checked_add(1) } else { Some(end) }
    }

    /// Whether no later change can reach a row that is closed at the bound, given that its column has this [`EventTime`].
    pub fn is_final_under(&self, event_time: EventTime) -> bool {
        // Closed: time < bound - offset (strict) or time <= bound - offset. Changes: time >= bound - slack.
        if self.strict { self.offset >= event_time.slack } else { self.offset > event_time.slack }
    }
}

/// Whether a column of this type can be an event time.
pub fn is_event_time(data_type: &DataType) -> bool {
    use DataType::{Date32, Int8, Int16, Int32, Int64, Timestamp, UInt8, UInt16, UInt32};
    matches!(data_type, Timestamp(TimeUnit::Microsecond, _) | Date32 | Int8 | Int16 | Int32 | Int64 | UInt8 | UInt16 | UInt32)
}

/// The type of window bounds over a time column of this type, which [`is_event_time`].
pub fn bound_type(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Timestamp(..) => data_type.clone(),
        DataType::Date32 => DataType::Timestamp(TimeUnit::Microsecond, None),
        _ => DataType::Int64,
    }
}

/// The event times of a column whose type [`is_event_time`]. Timestamps and 64-bit integers are not copied.
///
/// # Panics
/// If the type is another one.
pub fn event_times(column: &ArrayRef) -> Int64Array {
    match column.data_type() {
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            let times = column.as_primitive::<TimestampMicrosecondType>();
            Int64Array::new(times.values().clone(), times.nulls().cloned())
        }
        DataType::Date32 => column.as_primitive::<Date32Type>().unary(|days| i64::from(days) * DAY_MICROS),
        data_type => {
            assert!(is_event_time(data_type), "{data_type} is not an event time");
            let times = cast(column, &DataType::Int64).expect("narrower integers fit");
            times.as_primitive::<arrow::datatypes::Int64Type>().clone()
        }
    }
}

/// Event times as a column of window bounds ([`bound_type`]).
pub fn bound_column(times: Int64Array, bound: &DataType) -> ArrayRef {
    match bound {
        DataType::Timestamp(_, zone) => {
            let (_, values, nulls) = times.into_parts();
            let column = arrow::array::TimestampMicrosecondArray::new(values, nulls);
            Arc::new(column.with_timezone_opt(zone.clone()))
        }
        _ => Arc::new(times),
    }
}
