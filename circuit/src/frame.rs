//! Window functions: what an [`Operator::WindowFrame`](crate::Operator::WindowFrame) appends to each row of a partition.
//!
//! Rows stand in a total order (the keys of the query, then the remaining columns ascending, NULLs last), and copies of a row are rows of
//! their own. Rows that are equal in the keys of the query are *peers*.

use arrow::datatypes::{DataType, TimeUnit};
use datafusion_common::ScalarValue;

use crate::AggregateCall;
use crate::calendar::{DAY_US, civil_of_day, day_of_civil, days_of_month};

/// One window function.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WindowCall {
    /// The function.
    pub function: WindowFunction,
    /// Type of the result.
    pub data_type: DataType,
}

/// A window function with its arguments.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum WindowFunction {
    /// The place in the partition, from 1.
    RowNumber,
    /// The place of the first peer.
    Rank,
    /// The number of groups of peers up to the row's.
    DenseRank,
    /// `(rank - 1) / (rows - 1)`; 0 for an only row.
    PercentRank,
    /// The rows up to the last peer, divided by all rows.
    CumeDist,
    /// The number, from 1, of the row's bucket, where the partition is cut into so many of as equal a size as possible, longer ones first.
    Ntile {
        /// Positive.
        buckets: u64,
    },
    /// The argument of the row that stands `offset` places before (after, if negative).
    Lag {
        /// Column of the input.
        argument: usize,
        /// How far.
        offset: i64,
        /// What there is where no row is; of the type of the result.
        default: ScalarValue,
        /// Whether rows with a NULL argument are passed over. They are not for an offset of 0.
        ignore_nulls: bool,
    },
    /// The argument of a row of the frame; NULL if there is none.
    Value {
        /// Column of the input.
        argument: usize,
        /// Which row.
        place: FramePlace,
        /// The frame.
        frame: Frame,
        /// Whether rows with a NULL argument are passed over.
        ignore_nulls: bool,
    },
    /// An aggregate over the rows of the frame.
    Aggregate {
        /// The aggregate. Its type is that of the window call.
        call: AggregateCall,
        /// The frame.
        frame: Frame,
    },
}

/// Which row of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FramePlace {
    /// `first_value`
    First,
    /// `last_value`
    Last,
    /// `nth_value`, from 1.
    Nth(u64),
}

/// The rows that a window function looks at, as seen from one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Frame {
    /// What the bounds are counted in.
    pub units: FrameUnits,
    /// The first row, as a distance after the current one (before it, if negative); `None`: the first of the partition.
    pub start: Option<FrameOffset>,
    /// The last row; `None`: the last of the partition.
    pub end: Option<FrameOffset>,
    /// Rows that are left out.
    pub exclude: Exclusion,
}

/// What the bounds of a frame are counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FrameUnits {
    /// Rows.
    Rows,
    /// Groups of peers.
    Groups,
    /// The unit of the only key of the order ([`range_unit`]), towards its end. An offset of 0 is the peers, whatever the order.
    Range,
}

/// A distance from the current row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FrameOffset {
    /// Rows, groups, or units of [`range_unit`].
    Exact(i128),
    /// The bits of a finite double, for an order by one.
    Float(u64),
    /// So many months by the calendar, then microseconds, for an order by dates or timestamps. See [`calendar_place`].
    Calendar {
        /// Not 0.
        months: i32,
        /// Days and parts of them.
        micros: i64,
    },
}

impl FrameOffset {
    /// `CURRENT ROW`.
    pub const CURRENT: FrameOffset = FrameOffset::Exact(0);

    /// A distance of a float.
    pub fn float(offset: f64) -> Self {
        FrameOffset::Float(offset.to_bits())
    }

    /// Whether it is the current row or its peers.
    pub fn is_current(self) -> bool {
        match self {
            FrameOffset::Exact(offset) => offset == 0,
            FrameOffset::Float(bits) => f64::from_bits(bits) == 0.0,
            FrameOffset::Calendar { .. } => false,
        }
    }

    /// The distance in the other direction.
    #[must_use]
    pub fn reversed(self) -> Self {
        match self {
            FrameOffset::Exact(offset) => FrameOffset::Exact(offset.saturating_neg()),
            FrameOffset::Float(bits) => FrameOffset::float(-f64::from_bits(bits)),
            FrameOffset::Calendar { months, micros } => {
                FrameOffset::Calendar { months: months.saturating_neg(), micros: micros.saturating_neg() }
            }
        }
    }

    /// The distance in rows or groups; one that no partition reaches if it is greater. Values alone are measured by the calendar.
    pub fn rows(self) -> i64 {
        /// Sums of two such numbers and a position do not overflow.
        const MOST: i128 = 1 << 60;
        match self {
            FrameOffset::Exact(offset) => offset.clamp(-MOST, MOST) as i64,
            FrameOffset::Float(bits) => f64::from_bits(bits) as i64,
            FrameOffset::Calendar { .. } => 0,
        }
    }
}

/// Rows that a frame leaves out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Exclusion {
    /// None.
    #[default]
    NoOthers,
    /// The current row.
    CurrentRow,
    /// The current row and its peers.
    Group,
    /// The peers, but not the current row.
    Ties,
}

impl Frame {
    /// The whole partition.
    pub const PARTITION: Frame = Frame { units: FrameUnits::Rows, start: None, end: None, exclude: Exclusion::NoOthers };

    /// Whether a bound is a distance in values.
    pub fn measures_values(&self) -> bool {
        let far = |bound: Option<FrameOffset>| bound.is_some_and(|offset| !offset.is_current());
        self.units == FrameUnits::Range && (far(self.start) || far(self.end))
    }

    /// Whether it depends on which rows are peers.
    pub fn reads_peers(&self) -> bool {
        let bounded = self.start.is_some() || self.end.is_some();
        (self.units != FrameUnits::Rows && bounded) || matches!(self.exclude, Exclusion::Group | Exclusion::Ties)
    }
}

impl WindowFunction {
    /// The frame, if it has one.
    pub fn frame(&self) -> Option<&Frame> {
        match self {
            WindowFunction::Value { frame, .. } | WindowFunction::Aggregate { frame, .. } => Some(frame),
            _ => None,
        }
    }

    /// The columns of the input that it reads.
    pub fn columns(&self) -> Vec<usize> {
        match self {
            WindowFunction::Lag { argument, .. } | WindowFunction::Value { argument, .. } => vec![*argument],
            WindowFunction::Aggregate { call, .. } => call.columns().collect(),
            _ => Vec::new(),
        }
    }

    /// Whether the result may be NULL.
    pub fn is_nullable(&self) -> bool {
        match self {
            WindowFunction::Lag { .. } | WindowFunction::Value { .. } => true,
            WindowFunction::Aggregate { call, .. } => call.function != crate::AggregateFunction::Count,
            _ => false,
        }
    }
}

/// How many units of a RANGE offset one step of the values of a column is: 1 for numbers (decimals: of their last digit), timestamps and
/// durations (microseconds), and the microseconds of a day for dates. `None` for floats, whose offsets are floats, and for types without offsets.
pub fn range_unit(data_type: &DataType) -> Option<i128> {
    match data_type {
        DataType::Date32 => Some(86_400_000_000),
        DataType::Timestamp(TimeUnit::Microsecond, _) | DataType::Duration(TimeUnit::Microsecond) | DataType::Decimal128(..) => {
            Some(1)
        }
        data_type if data_type.is_integer() => Some(1),
        _ => None,
    }
}

/// The place, in microseconds, that is `months` by the calendar and then `micros` away from a value of `data_type`, which is stored as the number `value`.
/// A day that the month has not is its last one: a month before 31 March is 28 or 29 February. So of two timestamps the later one may have the earlier
/// place, if both days are beyond the end of the month.
pub fn calendar_place(value: i128, data_type: &DataType, months: i32, micros: i64) -> i128 {
    let instant = value.saturating_mul(range_unit(data_type).unwrap_or(1));
    let day_micros = i128::from(DAY_US);
    // Dates and timestamps are of 32 bits of days and 64 bits of microseconds.
    let date = civil_of_day(instant.div_euclid(day_micros) as i64);
    let month = date.year * 12 + i64::from(date.month) - 1 + i64::from(months);
    let (year, month) = (month.div_euclid(12), month.rem_euclid(12) as u32 + 1);
    let day = day_of_civil(year, month, date.day.min(days_of_month(year, month)));
    i128::from(day) * day_micros + instant.rem_euclid(day_micros) + i128::from(micros)
}

/// Whether RANGE may have offsets by the calendar over an order by this type.
pub fn has_calendar(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Date32 | DataType::Timestamp(TimeUnit::Microsecond, _))
}

/// Whether RANGE may have offsets over an order by this type.
pub fn has_range(data_type: &DataType) -> bool {
    data_type == &DataType::Float64 || range_unit(data_type).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_end_with_their_last_day() {
        let place = |value: i64, months: i32, micros: i64| {
            calendar_place(i128::from(value), &DataType::Date32, months, micros) / i128::from(DAY_US)
        };
        let day = |year: i64, month: u32, day: u32| day_of_civil(year, month, day);
        assert_eq!(place(day(2026, 3, 31), -1, 0), i128::from(day(2026, 2, 28)));
        assert_eq!(place(day(2024, 3, 30), -1, 0), i128::from(day(2024, 2, 29)));
        assert_eq!(place(day(2024, 2, 29), 12, 0), i128::from(day(2025, 2, 28)));
        assert_eq!(place(day(2026, 1, 15), -13, 0), i128::from(day(2024, 12, 15)));
        // Months first, then days.
        assert_eq!(place(day(2026, 3, 31), -1, -DAY_US), i128::from(day(2026, 2, 27)));
        let noon = i128::from(day(1969, 5, 31)) * i128::from(DAY_US) + 1;
        let timestamp = DataType::Timestamp(TimeUnit::Microsecond, None);
        assert_eq!(calendar_place(noon, &timestamp, 1, 5), i128::from(day(1969, 6, 30)) * i128::from(DAY_US) + 6);
    }
}
