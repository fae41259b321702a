//! Functions of dates and times.

mod dialect;
mod part;
mod pattern;
mod read;
mod span;
mod template;
mod unit;
mod zone;

use arrow::array::{
    Array, ArrayRef, AsArray, Date32Array, IntervalMonthDayNanoArray, PrimitiveArray, Time64MicrosecondArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{ArrowPrimitiveType, DataType, Date32Type, Int64Type, TimestampMicrosecondType};

use super::call::Call;
use super::kept::{Kept, Last};
use super::parameters::Kind;
use super::{Definition, Group, number_pattern, returns};
use crate::calendar::DAY_US;
use crate::eval::Value;
use pattern::{Moment, Pattern};

/// The functions of this module.
pub(super) const DEFINITIONS: &[Definition] = &[
    Definition {
        name: "to_char",
        aliases: &[],
        group: Group::Time,
        usage: "to_char(value, pattern)",
        about: "A time, interval or number as text, by a pattern of PostgreSQL; a pattern with `%Y` and the like is one of `strftime`.",
        parameters: &[Kind::Formatted, Kind::Text],
        required: 2,
        variadic: false,
        returns: returns::text,
        kernel: to_char,
    },
    Definition {
        name: "date_format",
        aliases: &[],
        group: Group::Time,
        usage: "date_format(time, pattern)",
        about: "A time as text, by a pattern of Java (`yyyy-MM-dd`); a pattern with `%Y` and the like is one of MySQL.",
        parameters: &[Kind::Timestamp, Kind::Text],
        required: 2,
        variadic: false,
        returns: returns::text,
        kernel: date_format,
    },
    Definition {
        name: "to_timestamp",
        aliases: &[],
        group: Group::Time,
        usage: "to_timestamp(seconds | text [, pattern])",
        about: "The TIMESTAMPTZ so many seconds after 1970, or the one that a text says by a pattern; without a pattern a TIMESTAMP.",
        parameters: &[Kind::Any, Kind::Text],
        required: 1,
        variadic: false,
        returns: |bind| match (bind.types, bind.types.len()) {
            ([DataType::Utf8, ..], 1) => returns::timestamp(bind),
            ([DataType::Utf8, ..], _) => returns::timestamp_utc(bind),
            ([first], _) if first.is_numeric() => returns::timestamp_utc(bind),
            ([first @ (DataType::Timestamp(..) | DataType::Date32)], _) => match first {
                DataType::Timestamp(_, Some(_)) => returns::timestamp_utc(bind),
                _ => returns::timestamp(bind),
            },
            _ => Err("it takes a number of seconds, or a text and perhaps a pattern".to_owned()),
        },
        kernel: to_timestamp,
    },
    Definition {
        name: "to_date",
        aliases: &[],
        group: Group::Time,
        usage: "to_date(text [, pattern])",
        about: "The date that a text says, by a pattern as for `to_char`.",
        parameters: &[Kind::Text, Kind::Text],
        required: 1,
        variadic: false,
        returns: returns::date,
        kernel: to_date,
    },
    Definition {
        name: "from_unixtime",
        aliases: &[],
        group: Group::Time,
        usage: "from_unixtime(seconds [, pattern])",
        about: "The time so many seconds after 1970 as text, `yyyy-MM-dd HH:mm:ss` or by a pattern as for `date_format`.",
        parameters: &[Kind::Integer, Kind::Text],
        required: 1,
        variadic: false,
        returns: returns::text,
        kernel: from_unixtime,
    },
    Definition {
        name: "unix_timestamp",
        aliases: &[],
        group: Group::Time,
        usage: "unix_timestamp(time | text [, pattern])",
        about: "Whole seconds from 1970 to a time, which a text says by a pattern as for `date_format`.",
        parameters: &[Kind::Any, Kind::Text],
        required: 1,
        variadic: false,
        returns: |bind| match bind.types {
            [DataType::Utf8] | [DataType::Utf8, _] | [DataType::Timestamp(..) | DataType::Date32] => returns::bigint(bind),
            _ => Err("it takes a time, or a text and perhaps a pattern".to_owned()),
        },
        kernel: unix_timestamp,
    },
    Definition {
        name: "to_timestamp_ltz",
        aliases: &[],
        group: Group::Time,
        usage: "to_timestamp_ltz(number, precision)",
        about: "The TIMESTAMPTZ so many seconds (precision 0), milliseconds (3) or microseconds (6) after 1970.",
        parameters: &[Kind::Integer, Kind::Integer],
        required: 2,
        variadic: false,
        returns: returns::timestamp_utc,
        kernel: to_timestamp_ltz,
    },
    part::DATE_PART,
    span::AGE,
    span::TIMESTAMPADD,
    span::TIMESTAMPDIFF,
    span::DATEDIFF,
    span::LAST_DAY,
    span::MAKE_TIMESTAMP,
    span::MAKE_TIMESTAMPTZ,
    span::MAKE_TIME,
    span::MAKE_INTERVAL,
    span::JUSTIFY_INTERVAL,
    span::INTERVAL_MULTIPLY,
    span::INTERVAL_DIVIDE,
    span::TIME_SUBTRACT,
    unit::DATE_FLOOR,
    unit::DATE_CEIL,
    zone::TIMEZONE,
];

/// A pattern with the dialect that it was compiled in: the shelves differ.
macro_rules! shelf {
    ($name:ident) => {
        thread_local! {
            static $name: Kept<Pattern> = Kept::default();
        }
    };
}

shelf!(TO_CHAR);
shelf!(DATE_FORMAT);

/// The microseconds since 1970 of a TIMESTAMP (of either kind) or DATE at `row`.
fn micros_at(value: &Value, row: usize) -> Option<i64> {
    let (array, position) = (value.inner(), value.position(row));
    if array.is_null(position) {
        return None;
    }
    match array.data_type() {
        DataType::Date32 => i64::from(array.as_primitive::<Date32Type>().value(position)).checked_mul(DAY_US),
        _ => Some(array.as_primitive::<TimestampMicrosecondType>().value(position)),
    }
}

/// The moments of a column, each made from the one before if that is on the same day.
struct Moments<'a> {
    source: Source<'a>,
    scalar: bool,
    zoned: bool,
    last: Option<Moment>,
}

/// A column of moments.
enum Source<'a> {
    Timestamp(&'a TimestampMicrosecondArray),
    Date(&'a Date32Array),
    Time(&'a Time64MicrosecondArray),
    Interval(&'a IntervalMonthDayNanoArray),
}

impl<'a> Moments<'a> {
    fn new(value: &'a Value) -> Self {
        let array = value.inner();
        let zoned = matches!(array.data_type(), DataType::Timestamp(_, Some(_)));
        let source = match array.data_type() {
            DataType::Timestamp(..) => Source::Timestamp(array.as_primitive()),
            DataType::Date32 => Source::Date(array.as_primitive()),
            DataType::Time64(_) => Source::Time(array.as_primitive()),
            _ => Source::Interval(array.as_primitive()),
        };
        Moments { source, scalar: value.is_scalar(), zoned, last: None }
    }

    fn get(&mut self, row: usize) -> Option<Moment> {
        fn at<T: ArrowPrimitiveType>(array: &PrimitiveArray<T>, row: usize) -> Option<T::Native> {
            array.is_valid(row).then(|| array.value(row))
        }
        let row = if self.scalar { 0 } else { row };
        let micros = match self.source {
            Source::Timestamp(times) => at(times, row)?,
            Source::Date(dates) => i64::from(at(dates, row)?) * DAY_US,
            Source::Time(times) => at(times, row)?,
            Source::Interval(intervals) => {
                let interval = at(intervals, row)?;
                return Some(Moment::span(interval.months, interval.days, interval.nanoseconds / 1000));
            }
        };
        let known = self.last.and_then(|last| last.on_same_day(micros));
        self.last = Some(known.unwrap_or_else(|| Moment::at(micros, self.zoned)));
        self.last
    }
}

fn to_char(call: &Call<'_>) -> Result<ArrayRef, String> {
    if call.value(0).inner().data_type().is_numeric() {
        return number_pattern::to_char(call);
    }
    format(call, Last::new(&TO_CHAR, dialect::of_to_char))
}

fn date_format(call: &Call<'_>) -> Result<ArrayRef, String> {
    format(call, Last::new(&DATE_FORMAT, dialect::of_date_format))
}

fn format(call: &Call<'_>, mut compiled: Last<Pattern>) -> Result<ArrayRef, String> {
    let (mut moments, patterns) = (Moments::new(call.value(0)), call.text(1));
    if let Some(pattern) = patterns.constant()
        && let Ok(pattern) = compiled.get(pattern)
    {
        return call.write(|row, out| match moments.get(row) {
            Some(moment) => pattern.write(moment, out).map(|()| true),
            None => Ok(false),
        });
    }
    call.write(|row, out| match (moments.get(row), patterns.get(row)) {
        (Some(moment), Some(pattern)) => compiled.get(pattern)?.write(moment, out).map(|()| true),
        _ => Ok(false),
    })
}

fn from_unixtime(call: &Call<'_>) -> Result<ArrayRef, String> {
    let (seconds, patterns) = (call.integer(0), call.optional_text(1));
    let mut compiled = Last::new(&DATE_FORMAT, dialect::of_date_format);
    call.write(|row, out| {
        let pattern = patterns.map_or(Some("yyyy-MM-dd HH:mm:ss"), |patterns| patterns.get(row));
        let (Some(seconds), Some(pattern)) = (seconds.get(row), pattern) else { return Ok(false) };
        let micros = seconds.checked_mul(1_000_000).ok_or_else(|| format!("{seconds} seconds are out of range"))?;
        compiled.get(pattern)?.write(Moment::at(micros, false), out).map(|()| true)
    })
}

fn to_timestamp(call: &Call<'_>) -> Result<ArrayRef, String> {
    let value = call.value(0);
    match value.inner().data_type() {
        DataType::Utf8 if call.len() == 1 => cast(call),
        DataType::Utf8 => read_by(call, Last::new(&TO_CHAR, dialect::of_to_char)),
        DataType::Timestamp(..) | DataType::Date32 => cast(call),
        _ => {
            let seconds = crate::eval::cast(value, &DataType::Float64, call.rows)?;
            call.compute::<TimestampMicrosecondType>(|row| {
                let array = seconds.inner().as_primitive::<arrow::datatypes::Float64Type>();
                let position = seconds.position(row);
                if array.is_null(position) {
                    return Ok(None);
                }
                let micros = (array.value(position) * 1e6).round();
                // 2^63 itself is the first double that does not fit.
                match (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&micros) {
                    true => Ok(Some(micros as i64)),
                    false => Err(format!("{} seconds are out of range", array.value(position))),
                }
            })
        }
    }
}

/// The first argument, cast to the type of the result.
fn cast(call: &Call<'_>) -> Result<ArrayRef, String> {
    Ok(crate::eval::cast(call.value(0), call.returns, call.rows)?.into_array(call.rows))
}

/// Texts read by patterns, as timestamps.
fn read_by(call: &Call<'_>, mut compiled: Last<Pattern>) -> Result<ArrayRef, String> {
    let (texts, patterns) = (call.text(0), call.text(1));
    call.compute::<TimestampMicrosecondType>(|row| match (texts.get(row), patterns.get(row)) {
        (Some(text), Some(pattern)) => read::read(compiled.get(pattern)?, text).map(Some),
        _ => Ok(None),
    })
}

fn to_date(call: &Call<'_>) -> Result<ArrayRef, String> {
    if call.len() == 1 {
        return cast(call);
    }
    let (texts, patterns) = (call.text(0), call.text(1));
    let mut compiled = Last::new(&TO_CHAR, dialect::of_to_char);
    call.compute::<Date32Type>(|row| match (texts.get(row), patterns.get(row)) {
        (Some(text), Some(pattern)) => {
            let days = read::read(compiled.get(pattern)?, text)?.div_euclid(DAY_US);
            i32::try_from(days).map(Some).map_err(|_| format!("'{text}' is out of range"))
        }
        _ => Ok(None),
    })
}

fn unix_timestamp(call: &Call<'_>) -> Result<ArrayRef, String> {
    let seconds = |micros: i64| micros.div_euclid(1_000_000);
    if call.value(0).inner().data_type() != &DataType::Utf8 {
        return call.compute::<Int64Type>(|row| Ok(micros_at(call.value(0), row).map(seconds)));
    }
    let (texts, patterns) = (call.text(0), call.optional_text(1));
    let mut compiled = Last::new(&DATE_FORMAT, dialect::of_date_format);
    call.compute::<Int64Type>(|row| {
        let pattern = patterns.map_or(Some("yyyy-MM-dd HH:mm:ss"), |patterns| patterns.get(row));
        let (Some(text), Some(pattern)) = (texts.get(row), pattern) else { return Ok(None) };
        read::read(compiled.get(pattern)?, text).map(seconds).map(Some)
    })
}

fn to_timestamp_ltz(call: &Call<'_>) -> Result<ArrayRef, String> {
    let (numbers, precisions) = (call.integer(0), call.integer(1));
    call.compute::<TimestampMicrosecondType>(|row| {
        let (Some(number), Some(precision)) = (numbers.get(row), precisions.get(row)) else { return Ok(None) };
        let unit = match precision {
            0 => 1_000_000,
            3 => 1000,
            6 => 1,
            other => return Err(format!("the precision is 0, 3 or 6, not {other}")),
        };
        number.checked_mul(unit).map(Some).ok_or_else(|| format!("{number} is out of range"))
    })
}
