//! Window functions: what an [`Operator::WindowFrame`](crate::Operator::WindowFrame) appends to each row of a partition.
//!
//! Rows stand in a total order (the keys of the query, then the remaining columns ascending, NULLs last), and copies of a row are rows of
//! their own. Rows that are equal in the keys of the query are *peers*.

use arrow::datatypes::{DataType, TimeUnit};
use datafusion_common::ScalarValue;

use crate::AggregateCall;

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
        }
    }

    /// The distance in the other direction.
    #[must_use]
    pub fn reversed(self) -> Self {
        match self {
            FrameOffset::Exact(offset) => FrameOffset::Exact(offset.saturating_neg()),
            FrameOffset::Float(bits) => FrameOffset::float(-f64::from_bits(bits)),
        }
    }

    /// The distance in rows or groups; one that no partition reaches if it is greater.
    pub fn rows(self) -> i64 {
        /// Sums of two such numbers and a position do not overflow.
        const MOST: i128 = 1 << 60;
        match self {
            FrameOffset::Exact(offset) => offset.clamp(-MOST, MOST) as i64,
            FrameOffset::Float(bits) => f64::from_bits(bits) as i64,
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

/// Whether RANGE may have offsets over an order by this type.
pub fn has_range(data_type: &DataType) -> bool {
    data_type == &DataType::Float64 || range_unit(data_type).is_some()
}
