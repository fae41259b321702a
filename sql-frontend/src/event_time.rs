//! Event time of a table or stream: which column it is, how its watermark moves, and what happens to rows that come too late.
//!
//! All times are `i64`: microseconds for columns of a time type (a DATE is its midnight), the value itself for integer columns. Delays and
//! lateness are in the same unit; what is measured by the clock (`idle_timeout`, `max_future_skew`) is always in microseconds.

use std::fmt;

use arrow::datatypes::{DataType, Schema};
use deltic_circuit::TimeSource;

/// What follows a source's name in that of its relation of late rows.
pub(crate) const LATE_SUFFIX: &str = "$late";

/// `WATERMARK FOR ..` and the options that go with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventTimeDefinition {
    /// The column of the event time: TIMESTAMP, TIMESTAMPTZ, DATE or an integer.
    pub column: usize,
    /// How the watermark moves.
    pub strategy: WatermarkStrategy,
    /// `PER PARTITION (..)`: each combination of these columns has a watermark of its own; that of the source is the least.
    pub partition: Option<Vec<usize>>,
    /// Microseconds of clock time without rows after which a partition, or the source, no longer holds the minimum back.
    pub idle_timeout: Option<i64>,
    /// A row is accepted while its time is not less than the watermark minus this.
    pub allowed_lateness: i64,
    /// What happens to rows that are not accepted.
    pub late_policy: LatePolicy,
    /// Microseconds: a row whose time is later than the clock plus this is not accepted. For columns of a time type only.
    pub max_future_skew: Option<i64>,
}

/// How a watermark moves. It never moves back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WatermarkStrategy {
    /// `AS c` or `AS c - delay`: the greatest time seen, minus the delay.
    Bounded {
        /// How far the rows may be out of order; 0 if they are ascending.
        delay: i64,
    },
    /// No `AS`: only `ADVANCE WATERMARK` moves it.
    Punctuated,
    /// `AS PROCTIME() [- delay]`: the clock, minus the delay in microseconds.
    ProcessingTime {
        /// How far it stays behind the clock.
        delay: i64,
    },
}

/// What happens to rows that are not accepted: rows too late, without a time, or from too far in the future.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LatePolicy {
    /// They go to the relation `<source>$late` and are counted.
    #[default]
    DeadLetter,
    /// They are counted.
    Drop,
    /// They are counted, and a warning is logged.
    Warn,
    /// There are none: every row is accepted, however late.
    Accept,
}

/// `WITH (on_overflow = ..)`: what happens to a commit for which the source's queue has no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OverflowPolicy {
    /// The writer waits.
    Block,
    /// The commit is thrown away and counted.
    Drop,
    /// The commit is refused.
    Error,
}

impl LatePolicy {
    /// `dead_letter`, `drop`, `warn`, `accept`.
    pub fn as_str(self) -> &'static str {
        match self {
            LatePolicy::DeadLetter => "dead_letter",
            LatePolicy::Drop => "drop",
            LatePolicy::Warn => "warn",
            LatePolicy::Accept => "accept",
        }
    }
}

impl OverflowPolicy {
    /// `block`, `drop`, `error`.
    pub fn as_str(self) -> &'static str {
        match self {
            OverflowPolicy::Block => "block",
            OverflowPolicy::Drop => "drop",
            OverflowPolicy::Error => "error",
        }
    }
}

impl EventTimeDefinition {
    /// The source `relation` as circuits know it.
    pub(crate) fn source(&self, relation: &str) -> TimeSource {
        let lateness = (self.late_policy != LatePolicy::Accept).then_some(self.allowed_lateness);
        TimeSource { relation: relation.into(), lateness }
    }

    /// The clause over the columns of `schema`, as SQL: `WATERMARK FOR ts AS ts - INTERVAL '5 seconds'`. The options are not part of it.
    pub fn clause<'a>(&'a self, schema: &'a Schema) -> impl fmt::Display + 'a {
        Clause { definition: self, schema }
    }
}

struct Clause<'a> {
    definition: &'a EventTimeDefinition,
    schema: &'a Schema,
}

impl fmt::Display for Clause<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let field = self.schema.field(self.definition.column);
        let name = field.name();
        write!(f, "WATERMARK FOR {name}")?;
        let (base, delay) = match self.definition.strategy {
            WatermarkStrategy::Punctuated => return Ok(()),
            WatermarkStrategy::Bounded { delay } => (name.as_str(), delay),
            WatermarkStrategy::ProcessingTime { delay } => ("PROCTIME()", delay),
        };
        write!(f, " AS {base}")?;
        match field.data_type() {
            _ if delay == 0 => {}
            data_type if is_time(data_type) => write!(f, " - INTERVAL '{}'", Duration(delay))?,
            _ => write!(f, " - {delay}")?,
        }
        if let Some(partition) = &self.definition.partition {
            let names: Vec<&str> = partition.iter().map(|&column| self.schema.field(column).name().as_str()).collect();
            write!(f, " PER PARTITION ({})", names.join(", "))?;
        }
        Ok(())
    }
}

/// Microseconds as the text of an interval, in the greatest unit that is exact.
pub(crate) struct Duration(pub(crate) i64);

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: &[(i64, &str)] = &[
            (86_400_000_000, "day"),
            (3_600_000_000, "hour"),
            (60_000_000, "minute"),
            (1_000_000, "second"),
            (1_000, "millisecond"),
            (1, "microsecond"),
        ];
        let exact = UNITS.iter().find(|(size, _)| self.0 != 0 && self.0 % size == 0);
        let (size, unit) = exact.copied().unwrap_or((1_000_000, "second"));
        let count = self.0 / size;
        write!(f, "{count} {unit}{}", if count == 1 { "" } else { "s" })
    }
}

/// Whether event times of this type are microseconds.
pub(crate) fn is_time(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Timestamp(..) | DataType::Date32)
}

/// Whether a column of this type can be an event time. The greatest unsigned integers have no place in `i64`.
pub(crate) fn is_event_time(data_type: &DataType) -> bool {
    is_time(data_type) || (data_type.is_integer() && data_type != &DataType::UInt64)
}
