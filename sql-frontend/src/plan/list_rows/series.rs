//! [`SERIES`]: the numbers or times from one to another, as a list.
//!
//! `generate_series` and `range` in FROM are UNNEST over it. DataFusion's own functions of these names know no bound: a slip of the pen in one row would take
//! all memory. Here such a row fails, as a row.

use std::str::FromStr;
use std::sync::{Arc, LazyLock};

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, ListArray, TimestampMicrosecondArray};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{
    DataType, Field, Int64Type, IntervalMonthDayNano, IntervalMonthDayNanoType, IntervalUnit, TimeUnit, TimestampMicrosecondType,
};
use datafusion_common::{Result, exec_err, plan_err};
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use deltic_zset::types::interval_nanos;

/// More elements than this for one row are taken for a mistake.
const MOST_ELEMENTS: usize = 1_000_000;

/// Start, stop, step (integers; or two timestamps and an interval), and whether stop belongs to it.
pub(super) static SERIES: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| Arc::new(ScalarUDF::from(SeriesFunction::new())));

#[derive(Debug, PartialEq, Eq, Hash)]
struct SeriesFunction {
    signature: Signature,
}

impl SeriesFunction {
    fn new() -> Self {
        SeriesFunction { signature: Signature::user_defined(Volatility::Immutable) }
    }
}

fn micros(zone: Option<Arc<str>>) -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, zone)
}

impl ScalarUDFImpl for SeriesFunction {
    fn name(&self) -> &str {
        "series"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        let Some(first) = arguments.first() else { return plan_err!("a series needs a start") };
        Ok(DataType::List(Arc::new(Field::new_list_field(first.clone(), true))))
    }

    fn coerce_types(&self, arguments: &[DataType]) -> Result<Vec<DataType>> {
        let [start, stop, step, _] = arguments else { return plan_err!("a series needs start, stop and step") };
        let is_number = |data_type: &DataType| data_type.is_integer() || data_type.is_null();
        if is_number(start) && is_number(stop) && is_number(step) {
            return Ok(vec![DataType::Int64, DataType::Int64, DataType::Int64, DataType::Boolean]);
        }
        let zone = |data_type: &DataType| match data_type {
            DataType::Timestamp(_, zone) => zone.clone(),
            _ => None,
        };
        let is_time = |data_type: &DataType| {
            matches!(data_type, DataType::Timestamp(..) | DataType::Date32 | DataType::Null | DataType::Utf8)
        };
        let is_step = matches!(step, DataType::Interval(_) | DataType::Duration(_) | DataType::Utf8 | DataType::Null);
        if is_time(start) && is_time(stop) && is_step {
            let time = micros(zone(start).or_else(|| zone(stop)));
            return Ok(vec![time.clone(), time, DataType::Interval(IntervalUnit::MonthDayNano), DataType::Boolean]);
        }
        plan_err!("a series is of integers, or of times with an interval as step, not of types {start}, {stop} and {step}")
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&arguments.args)?;
        let [start, stop, step, inclusive] = arrays.as_slice() else { return plan_err!("a series needs start, stop and step") };
        let made = Made::of(start.len(), inclusive, start, stop, step)?;
        Ok(ColumnarValue::Array(Arc::new(made.into_list(start.data_type())?)))
    }
}

/// The lists of some rows.
struct Made {
    values: Vec<i64>,
    lengths: Vec<usize>,
    /// Whether each row has a list.
    valid: Vec<bool>,
}

impl Made {
    fn of(rows: usize, inclusive: &ArrayRef, start: &ArrayRef, stop: &ArrayRef, step: &ArrayRef) -> Result<Self> {
        let mut made = Made { values: Vec::new(), lengths: Vec::with_capacity(rows), valid: Vec::with_capacity(rows) };
        let inclusive = inclusive.as_boolean();
        let times = matches!(start.data_type(), DataType::Timestamp(..));
        for row in 0..rows {
            let before = made.values.len();
            let valid = [start, stop, step].iter().all(|array| array.is_valid(row));
            let inclusive = inclusive.is_valid(row) && inclusive.value(row);
            if valid && times {
                let bound = |array: &ArrayRef| array.as_primitive::<TimestampMicrosecondType>().value(row);
                let step = step.as_primitive::<IntervalMonthDayNanoType>().value(row);
                let (forward, next) = stepping(step)?;
                push(&mut made.values, bound(start), bound(stop), inclusive, forward, next)?;
            } else if valid {
                let number = |array: &ArrayRef| array.as_primitive::<Int64Type>().value(row);
                let step = number(step);
                if step == 0 {
                    return exec_err!("the step of a series is zero");
                }
                push(&mut made.values, number(start), number(stop), inclusive, step > 0, |value| value.checked_add(step))?;
            }
            made.lengths.push(made.values.len() - before);
            made.valid.push(valid);
        }
        Ok(made)
    }

    fn into_list(self, item: &DataType) -> Result<ListArray> {
        if i32::try_from(self.values.len()).is_err() {
            return exec_err!("the series of these rows have {} elements", self.values.len());
        }
        let values: ArrayRef = match item {
            DataType::Timestamp(_, zone) => {
                Arc::new(TimestampMicrosecondArray::from(self.values).with_timezone_opt(zone.clone()))
            }
            _ => Arc::new(Int64Array::from(self.values)),
        };
        let field = Arc::new(Field::new_list_field(item.clone(), true));
        Ok(ListArray::try_new(field, OffsetBuffer::from_lengths(self.lengths), values, Some(NullBuffer::from(self.valid)))?)
    }
}

/// Whether the step goes forward, and the time after a time.
fn stepping(step: IntervalMonthDayNano) -> Result<(bool, impl Fn(i64) -> Option<i64>)> {
    let length = interval_nanos(step.months, step.days, step.nanoseconds);
    if length == 0 {
        return exec_err!("the step of a series is zero");
    }
    // Times are in UTC, whether they have a zone or not.
    let utc = arrow::array::timezone::Tz::from_str("UTC")?;
    let next = move |time: i64| {
        let next = TimestampMicrosecondType::add_month_day_nano(time, step, utc)?;
        // A month forward and days back may stand still; that would never end.
        ((next > time) == (length > 0) && next != time).then_some(next)
    };
    Ok((length > 0, next))
}

/// Appends the values from `start` to `stop`.
fn push(
    values: &mut Vec<i64>,
    start: i64,
    stop: i64,
    inclusive: bool,
    forward: bool,
    next: impl Fn(i64) -> Option<i64>,
) -> Result<()> {
    let before = values.len();
    let mut value = Some(start);
    while let Some(this) = value {
        let within = if forward { this < stop } else { this > stop };
        let is_in = within || (inclusive && this == stop);
        if !is_in {
            break;
        }
        if values.len() - before == MOST_ELEMENTS {
            return exec_err!("a series has more than {MOST_ELEMENTS} elements");
        }
        values.push(this);
        value = next(this);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn numbers(start: i64, stop: i64, step: i64, inclusive: bool) -> Vec<i64> {
        let mut values = Vec::new();
        push(&mut values, start, stop, inclusive, step > 0, |value| value.checked_add(step)).unwrap();
        values
    }

    #[test]
    fn a_series_ends_at_its_stop_and_at_the_end_of_the_numbers() {
        assert_eq!(numbers(1, 3, 1, true), [1, 2, 3]);
        assert_eq!(numbers(1, 3, 1, false), [1, 2]);
        assert_eq!(numbers(3, 1, -1, true), [3, 2, 1]);
        assert_eq!(numbers(1, 6, 2, true), [1, 3, 5]);
        assert!(numbers(3, 1, 1, true).is_empty());
        assert_eq!(numbers(i64::MAX - 1, i64::MAX, 1, true), [i64::MAX - 1, i64::MAX]);
        assert_eq!(numbers(i64::MIN, i64::MIN, -5, true), [i64::MIN]);
    }

    #[test]
    fn a_step_that_stands_still_ends_the_series() {
        let back = IntervalMonthDayNano { months: 1, days: -31, nanoseconds: 0 };
        let (forward, next) = stepping(back).unwrap();
        // From the first of January a month forward and 31 days back is the first of January.
        assert!(!forward);
        assert_eq!(next(0), None);
        assert!(stepping(IntervalMonthDayNano { months: 1, days: -30, nanoseconds: 0 }).is_err());
    }

    #[test]
    fn too_many_elements_are_an_error() {
        assert!(push(&mut Vec::new(), 0, i64::MAX, true, true, |value| value.checked_add(1)).is_err());
    }
}
