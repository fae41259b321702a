//! Arithmetic of dates and times that Arrow's kernels lack: `date +- days`, `date - date` in days, `time +- interval`.
//!
//! Timestamps and intervals are Arrow's: months are added by the calendar (and clamp to the end of the month), then days, then the time.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Date32Array, Int64Array, Time64MicrosecondArray, TimestampMicrosecondArray};
use arrow::compute;
use arrow::datatypes::{
    DataType, Date32Type, Int64Type, IntervalMonthDayNanoType, Time64MicrosecondType, TimeUnit, TimestampMicrosecondType,
};

use super::arithmetic::explain;
use super::cast::duration_to_interval;
use super::isolate::isolate;
use super::value::{Evaluation, Value};
use crate::BinaryOp;
use crate::calendar::DAY_US;

/// Whether `left op right` is computed here and not by Arrow.
pub(super) fn is_own(op: BinaryOp, left: &DataType, right: &DataType) -> bool {
    use DataType::{Date32, Duration, Interval, Time64, Timestamp};
    match (left, right) {
        (Date32, right) => right.is_integer() || matches!(right, Duration(_)) || (op == BinaryOp::Subtract && right == &Date32),
        (left, Date32) => left.is_integer() || matches!(left, Duration(_)),
        (Time64(_), Interval(_) | Duration(_)) => true,
        (Interval(_) | Duration(_), Time64(_)) => op == BinaryOp::Add,
        (Interval(_), Duration(_)) | (Duration(_), Interval(_)) => true,
        (Duration(_), Timestamp(..)) => op == BinaryOp::Add,
        _ => false,
    }
}

/// `left op right` for the operands of [`is_own`].
pub(super) fn arithmetic(op: BinaryOp, left: &Value, right: &Value, data_type: &DataType, rows: usize) -> Evaluation {
    let apply = |inputs: &[Value], rows: usize| -> Result<ArrayRef, String> {
        let (left, right) = (inputs[0].clone().into_array(rows), inputs[1].clone().into_array(rows));
        apply(op, &left, &right).unwrap_or_else(|| Err("unsupported".to_owned()))
    };
    isolate(&[left.clone(), right.clone()], rows, data_type, &apply, &|inputs, message| {
        explain(op, &inputs[0], &inputs[1], message)
    })
}

/// Timestamps this far from 1970 can all be written as dates, so no kernel refuses them.
const SAFE_MICROS: i64 = 8_000_000_000_000_000_000;

/// A column of timestamps plus or minus one interval without months, where days are 24 hours: an addition per row, where Arrow's kernel goes through
/// calendar dates (50 times slower). `None` where it would not be the same: months, zones, fractions of microseconds, and times so far away that
/// the kernel may refuse them.
pub(super) fn shifted(op: BinaryOp, left: &Value, right: &Value) -> Option<ArrayRef> {
    let (times, by) = match (op, left, right) {
        (BinaryOp::Add | BinaryOp::Subtract, Value::Array(times), Value::Scalar(by)) => (times, by),
        (BinaryOp::Add, Value::Scalar(by), Value::Array(times)) => (times, by),
        _ => return None,
    };
    let DataType::Timestamp(TimeUnit::Microsecond, zone) = times.data_type() else { return None };
    let by = by.as_primitive_opt::<IntervalMonthDayNanoType>().filter(|by| by.is_valid(0))?.value(0);
    if zone.as_ref().is_some_and(|zone| !matches!(zone.as_ref(), "UTC" | "+00:00"))
        || by.months != 0
        || by.nanoseconds % 1000 != 0
    {
        return None;
    }
    let micros = i64::from(by.days).checked_mul(DAY_US)?.checked_add(by.nanoseconds / 1000)?;
    let micros = if op == BinaryOp::Subtract { micros.checked_neg()? } else { micros };
    let column = times.as_primitive::<TimestampMicrosecondType>();
    let (least, greatest) = (compute::min(column).unwrap_or(0), compute::max(column).unwrap_or(0));
    let is_safe = |time: i64| (-SAFE_MICROS..=SAFE_MICROS).contains(&time);
    if ![least, greatest, least.checked_add(micros)?, greatest.checked_add(micros)?].into_iter().all(is_safe) {
        return None;
    }
    // What stands below a NULL may be anything.
    let sum: TimestampMicrosecondArray = column.unary(|time| time.wrapping_add(micros));
    Some(Arc::new(sum.with_timezone_opt(zone.clone())))
}

type Computed = Result<ArrayRef, String>;

/// `None` if the operands have no such operator.
fn apply(op: BinaryOp, left: &ArrayRef, right: &ArrayRef) -> Option<Computed> {
    use DataType::{Date32, Duration, Interval, Time64, Timestamp};
    let negative = match op {
        BinaryOp::Add => false,
        BinaryOp::Subtract => true,
        _ => return None,
    };
    match (left.data_type(), right.data_type()) {
        (Date32, Date32) if negative => Some(days_between(left, right)),
        (Date32, integer) if integer.is_integer() => Some(date_plus_days(left, right, negative)),
        (integer, Date32) if integer.is_integer() && !negative => Some(date_plus_days(right, left, false)),
        (Time64(_), Interval(_) | Duration(_)) => Some(time_plus(left, right, negative)),
        (Interval(_) | Duration(_), Time64(_)) if !negative => Some(time_plus(right, left, false)),
        (Duration(_), Timestamp(..)) if !negative => Some(kernel(compute::kernels::numeric::add(right, left))),
        (Date32, Duration(_)) => Some(as_interval(right).and_then(|interval| kernel_op(negative, left, &interval))),
        (Duration(_), Date32) if !negative => Some(as_interval(left).and_then(|interval| kernel_op(false, right, &interval))),
        (Interval(_), Duration(_)) => Some(as_interval(right).and_then(|interval| kernel_op(negative, left, &interval))),
        (Duration(_), Interval(_)) => Some(as_interval(left).and_then(|interval| kernel_op(negative, &interval, right))),
        _ => None,
    }
}

fn kernel(result: Result<ArrayRef, arrow::error::ArrowError>) -> Computed {
    result.map_err(|_| String::new())
}

fn kernel_op(negative: bool, left: &ArrayRef, right: &ArrayRef) -> Computed {
    kernel(if negative { compute::kernels::numeric::sub(left, right) } else { compute::kernels::numeric::add(left, right) })
}

/// A duration as an interval of nanoseconds; a cast that loses a row is an overflow.
fn as_interval(durations: &ArrayRef) -> Computed {
    Ok(Arc::new(duration_to_interval(durations)))
}

fn days_between(left: &ArrayRef, right: &ArrayRef) -> Computed {
    let (left, right) = (left.as_primitive::<Date32Type>(), right.as_primitive::<Date32Type>());
    let days = compute::binary::<_, _, _, Int64Type>(left, right, |left, right| i64::from(left) - i64::from(right));
    days.map(|days: Int64Array| Arc::new(days) as ArrayRef).map_err(|_| String::new())
}

fn date_plus_days(dates: &ArrayRef, days: &ArrayRef, negative: bool) -> Computed {
    let days = kernel(compute::cast(days, &DataType::Int64))
        .and_then(|cast| if cast.null_count() == days.null_count() { Ok(cast) } else { Err(String::new()) })?;
    let (dates, days) = (dates.as_primitive::<Date32Type>(), days.as_primitive::<Int64Type>());
    let sum: Result<Date32Array, _> = compute::try_binary(dates, days, |date, days| {
        let sum = if negative { i64::from(date).checked_sub(days) } else { i64::from(date).checked_add(days) };
        let date = sum.and_then(|sum| i32::try_from(sum).ok());
        date.ok_or_else(|| arrow::error::ArrowError::ArithmeticOverflow(String::new()))
    });
    sum.map(|dates| Arc::new(dates) as ArrayRef).map_err(|_| String::new())
}

/// Times of day go round the clock: `23:30 + 1 hour` is `00:30`. Months and days of the interval change nothing.
fn time_plus(times: &ArrayRef, by: &ArrayRef, negative: bool) -> Computed {
    let by: Int64Array = match by.data_type() {
        DataType::Duration(TimeUnit::Microsecond) => {
            by.as_primitive::<arrow::datatypes::DurationMicrosecondType>().reinterpret_cast::<Int64Type>()
        }
        DataType::Interval(arrow::datatypes::IntervalUnit::MonthDayNano) => {
            by.as_primitive::<IntervalMonthDayNanoType>().unary(|interval| interval.nanoseconds / 1000)
        }
        _ => return Err("unsupported".to_owned()),
    };
    let times = times.as_primitive::<Time64MicrosecondType>();
    let result: Result<Time64MicrosecondArray, _> = compute::binary(times, &by, |time, by| {
        let by = by % DAY_US;
        (if negative { time - by } else { time + by }).rem_euclid(DAY_US)
    });
    result.map(|times| Arc::new(times) as ArrayRef).map_err(|_| String::new())
}

#[cfg(test)]
mod tests {
    use arrow::array::IntervalMonthDayNanoArray;
    use arrow::datatypes::IntervalMonthDayNano;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_shift_is_what_the_kernel_says(
            times in prop::collection::vec(prop::option::of(-9_000_000_000_000_000_000..9_000_000_000_000_000_000i64), 1..20),
            near in prop::collection::vec(-100_000_000_000_000..100_000_000_000_000i64, 1..20),
            days in -5000..5000i32, micros in -1_000_000_000_000..1_000_000_000_000i64, subtract in any::<bool>(), zoned in any::<bool>(),
        ) {
            let op = if subtract { BinaryOp::Subtract } else { BinaryOp::Add };
            for times in [times, near.into_iter().map(Some).collect()] {
                let zone = zoned.then(|| Arc::<str>::from("UTC"));
                let times: ArrayRef = Arc::new(TimestampMicrosecondArray::from(times).with_timezone_opt(zone));
                let by = IntervalMonthDayNano::new(0, days, micros * 1000);
                let by: ArrayRef = Arc::new(IntervalMonthDayNanoArray::from(vec![by]));
                let (left, right) = (Value::Array(times.clone()), Value::Scalar(by));
                if let Some(shifted) = shifted(op, &left, &right) {
                    let wanted = kernel(if subtract {
                        compute::kernels::numeric::sub(&left, &right)
                    } else {
                        compute::kernels::numeric::add(&left, &right)
                    });
                    prop_assert_eq!(&shifted, &wanted.expect("no time is too far away"));
                }
            }
        }
    }
}
