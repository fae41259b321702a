//! Constant lengths of time: the delay of a watermark, the size of a window, the interval of EMIT EVERY.
//!
//! In event time a length is an `i64`: microseconds beside a column of a time type, a plain number beside an integer column. A month has no
//! length.

use arrow::compute::kernels::cast_utils::parse_interval_month_day_nano;
use arrow::datatypes::{DataType, IntervalMonthDayNano};
use datafusion_common::ScalarValue;
use sqlparser::ast;

use super::constant_value;
use crate::SqlError;
use crate::error::{Code, Position};
use crate::event_time::is_time;

const MICROS_PER_DAY: i64 = 86_400_000_000;
const NANOS_PER_MICRO: i64 = 1_000;

/// The microseconds of an interval.
///
/// # Errors
/// What is wrong with it as a length of time.
pub(crate) fn interval_micros(interval: IntervalMonthDayNano) -> Result<i64, &'static str> {
    if interval.months != 0 {
        return Err("has months, which differ in length; use days");
    }
    if interval.nanoseconds % NANOS_PER_MICRO != 0 {
        return Err("is finer than a microsecond");
    }
    let days = i64::from(interval.days).checked_mul(MICROS_PER_DAY);
    days.and_then(|days| days.checked_add(interval.nanoseconds / NANOS_PER_MICRO)).ok_or("is too long")
}

/// `value` as a length in the unit of event times of type `time_type`. `what` is named in errors.
///
/// # Errors
/// If it is not a constant length of that unit.
pub(crate) fn length(value: &ScalarValue, time_type: &DataType, what: &str, position: Position) -> Result<i64, SqlError> {
    let integer = || match value.cast_to(&DataType::Int64) {
        Ok(ScalarValue::Int64(number)) if value.data_type().is_integer() => number,
        _ => None,
    };
    let error = |message: String| SqlError::new(Code::Type, position, message);
    match (value, is_time(time_type)) {
        (ScalarValue::IntervalMonthDayNano(Some(interval)), true) => {
            interval_micros(*interval).map_err(|problem| error(format!("{what} {problem}")))
        }
        (_, true) => {
            let message = format!("{what} must be an interval, not {value}: the time is a {}", type_word(time_type));
            Err(error(message).with_hint("write it as INTERVAL '5' SECOND"))
        }
        (_, false) => integer().ok_or_else(|| {
            let message = format!("{what} must be a whole number, not {value}: the time is a {}", type_word(time_type));
            error(message).with_hint("times of an integer column have no unit")
        }),
    }
}

/// [`length`] of a constant expression.
///
/// # Errors
/// As [`length`], or if it is not constant.
pub(crate) fn constant_length(expr: &ast::Expr, time_type: &DataType, what: &str, position: Position) -> Result<i64, SqlError> {
    length(&constant_value(expr, position)?, time_type, what, position)
}

/// The microseconds of the text of an option, such as `2 minutes` or `30s`. `None` if it is not the text of an interval of fixed length, or a number
/// without a unit.
pub(crate) fn duration_of_text(text: &str) -> Option<i64> {
    if text.trim().parse::<f64>().is_ok() {
        return None;
    }
    interval_micros(parse_interval_month_day_nano(text).ok()?).ok()
}

fn type_word(data_type: &DataType) -> &'static str {
    match data_type {
        DataType::Timestamp(_, None) => "TIMESTAMP",
        DataType::Timestamp(_, Some(_)) => "TIMESTAMPTZ",
        DataType::Date32 => "DATE",
        _ => "number",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_durations() {
        assert_eq!(duration_of_text("2 minutes"), Some(120_000_000));
        assert_eq!(duration_of_text("30s"), Some(30_000_000));
        assert_eq!(duration_of_text("1 hour 30 minutes"), Some(5_400_000_000));
        assert_eq!(duration_of_text("500 milliseconds"), Some(500_000));
        assert_eq!(duration_of_text("500ms"), Some(500_000));
        assert_eq!(duration_of_text("1 day"), Some(86_400_000_000));
        assert_eq!(duration_of_text("1 month"), None);
        assert_eq!(duration_of_text("5"), None);
        assert_eq!(duration_of_text("soon"), None);
    }
}
