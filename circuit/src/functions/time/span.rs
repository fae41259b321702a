//! Differences of times, and times made of their fields.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{
    DataType, Date32Type, Float64Type, Int64Type, IntervalMonthDayNano, IntervalMonthDayNanoType, Time64MicrosecondType,
    TimeUnit, TimestampMicrosecondType,
};

use super::super::call::{Bind, Call};
use super::super::parameters::Kind;
use super::super::{Definition, Group, returns};
use super::micros_at;
use super::unit::{Unit, last_day, months_of, moved};
use crate::calendar::{DAY_US, day_of_civil, days_of_month};

pub(super) const AGE: Definition = Definition {
    name: "age",
    aliases: &[],
    group: Group::Time,
    usage: "age(end, start)",
    about: "The interval from one time to another in years, months, days and time.",
    parameters: &[Kind::Timestamp, Kind::Timestamp],
    required: 2,
    variadic: false,
    returns: returns::interval,
    kernel: |call| {
        let (ends, starts) = (call.value(0), call.value(1));
        call.compute::<IntervalMonthDayNanoType>(|row| match (micros_at(ends, row), micros_at(starts, row)) {
            (Some(end), Some(start)) => age(end, start).map(Some).ok_or_else(|| "the interval is out of range".to_owned()),
            _ => Ok(None),
        })
    },
};

/// PostgreSQL's subtraction by fields: days are borrowed from the month of the earlier time.
fn age(end: i64, start: i64) -> Option<IntervalMonthDayNano> {
    let sign = if end < start { -1 } else { 1 };
    let (later, earlier) = (end.max(start), end.min(start));
    let ((later_months, later_day, later_time), (earlier_months, earlier_day, earlier_time)) =
        (months_of(later), months_of(earlier));
    let (mut months, mut days) = (later_months - earlier_months, i64::from(later_day) - i64::from(earlier_day));
    let mut time = later_time - earlier_time;
    if time < 0 {
        (time, days) = (time + DAY_US, days - 1);
    }
    // What is borrowed are the days of the month of the second argument's time if that is earlier, else of the first one's: the earlier one.
    let (year, month) = (earlier_months.div_euclid(12), earlier_months.rem_euclid(12) as u32 + 1);
    while days < 0 {
        (days, months) = (days + i64::from(days_of_month(year, month)), months - 1);
    }
    let (months, days) = (i32::try_from(sign * months).ok()?, i32::try_from(sign * days).ok()?);
    Some(IntervalMonthDayNano::new(months, days, sign * time * 1000))
}

pub(super) const TIMESTAMPADD: Definition = Definition {
    name: "timestampadd",
    aliases: &["dateadd"],
    group: Group::Time,
    usage: "timestampadd(unit, count, time)",
    about: "A time so many units later.",
    parameters: &[Kind::Text, Kind::Integer, Kind::Moment],
    required: 3,
    variadic: false,
    returns: |bind| {
        let unit = unit(bind)?;
        match &bind.types[2] {
            DataType::Date32 if matches!(unit, Unit::Micros(unit) if unit < DAY_US) => returns::timestamp(bind),
            data_type @ (DataType::Date32 | DataType::Timestamp(..)) => Ok(data_type.clone()),
            _ => Err("it takes a date or a timestamp".to_owned()),
        }
    },
    kernel: |call| {
        let (units, counts, times) = (call.text(0), call.integer(1), call.value(2));
        moved(call, |row| {
            let (Some(unit), Some(count), Some(time)) = (units.get(row), counts.get(row), micros_at(times, row)) else {
                return Ok(None);
            };
            Unit::named(unit)?.add(time, count).map(Some).ok_or_else(|| "the time is out of range".to_owned())
        })
    },
};

/// The unit that the first argument names.
fn unit(bind: &Bind<'_>) -> Result<Unit, String> {
    Unit::named(bind.constant_text(0).ok_or_else(|| "the unit must be a constant".to_owned())?)
}

pub(super) const TIMESTAMPDIFF: Definition = Definition {
    name: "timestampdiff",
    aliases: &[],
    group: Group::Time,
    usage: "timestampdiff(unit, start, end)",
    about: "How many whole units lie between two times.",
    parameters: &[Kind::Text, Kind::Timestamp, Kind::Timestamp],
    required: 3,
    variadic: false,
    returns: |bind| unit(bind).and_then(|_| returns::bigint(bind)),
    kernel: |call| {
        between(call, |unit, start, end| match unit {
            Unit::Micros(unit) => i64::try_from((i128::from(end) - i128::from(start)) / i128::from(unit)).ok(),
            Unit::Months(unit) => {
                let ((from, from_day, from_time), (to, to_day, to_time)) = (months_of(start), months_of(end));
                let rest = (to_day, to_time).cmp(&(from_day, from_time)) as i64;
                let months = to - from;
                // A month that is not full does not count.
                let full = if months > 0 && rest < 0 {
                    months - 1
                } else if months < 0 && rest > 0 {
                    months + 1
                } else {
                    months
                };
                Some(full / unit)
            }
        })
    },
};

pub(super) const DATEDIFF: Definition = Definition {
    name: "datediff",
    aliases: &["date_diff"],
    group: Group::Time,
    usage: "datediff(unit, start, end), datediff(end, start)",
    about: "How many borders of the unit lie between two times; without a unit, the days from the second one to the first.",
    parameters: &[Kind::Any, Kind::Timestamp, Kind::Timestamp],
    required: 2,
    variadic: false,
    returns: |bind| match bind.types {
        [DataType::Utf8, _, _] => unit(bind).and_then(|_| returns::bigint(bind)),
        [DataType::Utf8 | DataType::Date32 | DataType::Timestamp(..), _] => returns::bigint(bind),
        _ => Err("it takes a unit and two times, or two times".to_owned()),
    },
    kernel: |call| match call.len() {
        2 => {
            let ends = crate::eval::cast(call.value(0), call.value(1).inner().data_type(), call.rows)?;
            let starts = call.value(1);
            call.compute::<Int64Type>(|row| {
                let days = |micros: i64| micros.div_euclid(DAY_US);
                Ok(micros_at(&ends, row).zip(micros_at(starts, row)).map(|(end, start)| days(end) - days(start)))
            })
        }
        _ => between(call, |unit, start, end| unit.index(end).checked_sub(unit.index(start))),
    },
};

/// What `count` finds from the second argument to the third, by the unit that is the first.
fn between(call: &Call<'_>, count: fn(Unit, i64, i64) -> Option<i64>) -> Result<ArrayRef, String> {
    let (units, starts, ends) = (call.text(0), call.value(1), call.value(2));
    call.compute::<Int64Type>(|row| {
        let (Some(unit), Some(start), Some(end)) = (units.get(row), micros_at(starts, row), micros_at(ends, row)) else {
            return Ok(None);
        };
        count(Unit::named(unit)?, start, end).map(Some).ok_or_else(|| "the difference is out of range".to_owned())
    })
}

pub(super) const LAST_DAY: Definition = Definition {
    name: "last_day",
    aliases: &[],
    group: Group::Time,
    usage: "last_day(time)",
    about: "The last day of a time's month.",
    parameters: &[Kind::Timestamp],
    required: 1,
    variadic: false,
    returns: returns::date,
    kernel: |call| {
        call.compute::<Date32Type>(|row| match micros_at(call.value(0), row) {
            Some(micros) => i32::try_from(last_day(micros)).map(Some).map_err(|_| "the date is out of range".to_owned()),
            None => Ok(None),
        })
    },
};

pub(super) const MAKE_TIMESTAMP: Definition = Definition {
    name: "make_timestamp",
    aliases: &[],
    group: Group::Time,
    usage: "make_timestamp(year, month, day, hour, minute, second)",
    about: "The TIMESTAMP of these fields; the second may have a fraction.",
    parameters: FIELDS,
    required: 6,
    variadic: false,
    returns: returns::timestamp,
    kernel: make_timestamp,
};

pub(super) const MAKE_TIMESTAMPTZ: Definition = Definition {
    name: "make_timestamptz",
    aliases: &[],
    group: Group::Time,
    usage: "make_timestamptz(year, month, day, hour, minute, second)",
    about: "The TIMESTAMPTZ of these fields, which are in UTC.",
    parameters: FIELDS,
    required: 6,
    variadic: false,
    returns: returns::timestamp_utc,
    kernel: make_timestamp,
};

pub(super) const MAKE_TIME: Definition = Definition {
    name: "make_time",
    aliases: &[],
    group: Group::Time,
    usage: "make_time(hour, minute, second)",
    about: "The TIME of these fields; the second may have a fraction.",
    parameters: &[Kind::Integer, Kind::Integer, Kind::Double],
    required: 3,
    variadic: false,
    returns: |_| Ok(DataType::Time64(TimeUnit::Microsecond)),
    kernel: |call| {
        let [hours, minutes] = [0, 1].map(|index| call.integer(index));
        let seconds = call.double(2);
        call.compute::<Time64MicrosecondType>(|row| {
            let (Some(hour), Some(minute), Some(second)) = (hours.get(row), minutes.get(row), seconds.get(row)) else {
                return Ok(None);
            };
            let time = clock(hour, minute, second).filter(|time| *time < DAY_US);
            time.map(Some).ok_or_else(|| format!("there is no time {hour:02}:{minute:02}:{second}"))
        })
    },
};

/// The microseconds from midnight to a time of the day.
fn clock(hour: i64, minute: i64, second: f64) -> Option<i64> {
    let valid = (0..24).contains(&hour) && (0..60).contains(&minute) && (0.0..60.0).contains(&second);
    valid.then(|| (hour * 60 + minute) * 60_000_000 + (second * 1e6).round() as i64)
}

pub(super) const TIME_SUBTRACT: Definition = Definition {
    name: "time_subtract",
    aliases: &[],
    group: Group::Time,
    usage: "time - time",
    about: "The INTERVAL from the second TIME of a day to the first.",
    parameters: &[Kind::Moment, Kind::Moment],
    required: 2,
    variadic: false,
    returns: |bind| match bind.types {
        [DataType::Time64(_), DataType::Time64(_)] => returns::interval(bind),
        _ => Err("it takes two times of a day".to_owned()),
    },
    kernel: |call| {
        let [ends, starts] = [0, 1].map(|index| call.primitive::<Time64MicrosecondType>(index));
        call.compute::<IntervalMonthDayNanoType>(|row| {
            let times = ends.get(row).zip(starts.get(row));
            Ok(times.map(|(end, start)| IntervalMonthDayNano::new(0, 0, (end - start) * 1000)))
        })
    },
};

const FIELDS: &[Kind] = &[Kind::Integer, Kind::Integer, Kind::Integer, Kind::Integer, Kind::Integer, Kind::Double];

fn make_timestamp(call: &Call<'_>) -> Result<ArrayRef, String> {
    let fields = [0, 1, 2, 3, 4].map(|index| call.integer(index));
    let seconds = call.double(5);
    call.compute::<TimestampMicrosecondType>(|row| {
        let [Some(year), Some(month), Some(day), Some(hour), Some(minute)] = fields.map(|field| field.get(row)) else {
            return Ok(None);
        };
        let Some(second) = seconds.get(row) else { return Ok(None) };
        let wrong = || format!("there is no time {year}-{month:02}-{day:02} {hour:02}:{minute:02}:{second}");
        // PostgreSQL counts years before 1 from -1.
        let year = if year < 0 { year + 1 } else { year };
        let valid = (1..=12).contains(&month)
            && (-290_000..=294_000).contains(&year)
            && day >= 1
            && day <= i64::from(days_of_month(year, month as u32));
        let time = clock(hour, minute, second).filter(|_| valid).ok_or_else(wrong)?;
        day_of_civil(year, month as u32, day as u32)
            .checked_mul(DAY_US)
            .and_then(|day| day.checked_add(time))
            .map(Some)
            .ok_or_else(wrong)
    })
}

pub(super) const MAKE_INTERVAL: Definition = Definition {
    name: "make_interval",
    aliases: &[],
    group: Group::Time,
    usage: "make_interval(years [, months, weeks, days, hours, minutes, seconds])",
    about: "The INTERVAL of these fields.",
    parameters: &[Kind::Integer, Kind::Integer, Kind::Integer, Kind::Integer, Kind::Integer, Kind::Integer, Kind::Double],
    required: 1,
    variadic: false,
    returns: returns::interval,
    kernel: |call| {
        call.compute::<IntervalMonthDayNanoType>(|row| {
            let mut fields = [0_i64; 6];
            for (index, field) in fields.iter_mut().enumerate().take(call.len()) {
                let Some(value) = call.integer(index).get(row) else { return Ok(None) };
                *field = value;
            }
            let seconds = if call.len() > 6 { call.double(6).get(row) } else { Some(0.0) };
            let Some(seconds) = seconds else { return Ok(None) };
            interval(fields, seconds).map(Some).ok_or_else(|| "the interval is out of range".to_owned())
        })
    },
};

fn interval([years, months, weeks, days, hours, minutes]: [i64; 6], seconds: f64) -> Option<IntervalMonthDayNano> {
    let months = i32::try_from(years.checked_mul(12)?.checked_add(months)?).ok()?;
    let days = i32::try_from(weeks.checked_mul(7)?.checked_add(days)?).ok()?;
    let minutes = hours.checked_mul(60)?.checked_add(minutes)?;
    if seconds.is_nan() || seconds.abs() > 9e9 {
        return None;
    }
    let micros = minutes.checked_mul(60_000_000)?.checked_add((seconds * 1e6).round() as i64)?;
    Some(IntervalMonthDayNano::new(months, days, micros.checked_mul(1000)?))
}

pub(super) const JUSTIFY_INTERVAL: Definition = Definition {
    name: "justify_interval",
    aliases: &[],
    group: Group::Time,
    usage: "justify_interval(interval)",
    about: "An interval with 24 hours as a day and 30 days as a month.",
    parameters: &[Kind::Interval],
    required: 1,
    variadic: false,
    returns: returns::interval,
    kernel: |call| {
        let intervals = call.primitive::<IntervalMonthDayNanoType>(0);
        call.compute::<IntervalMonthDayNanoType>(|row| {
            Ok(intervals.get(row).map(|interval| {
                deltic_zset::types::interval_of_nanos(deltic_zset::types::interval_nanos(
                    interval.months,
                    interval.days,
                    interval.nanoseconds,
                ))
            }))
        })
    },
};

pub(super) const INTERVAL_MULTIPLY: Definition = Definition {
    name: "interval_multiply",
    aliases: &[],
    group: Group::Time,
    usage: "interval_multiply(interval, count)",
    about: "An interval so many times: what `interval * count` and `count * interval` mean. Fractions of months are in days of which a month has 30, fractions of days are time.",
    parameters: &[Kind::Interval, Kind::Number],
    required: 2,
    variadic: false,
    returns: returns::interval,
    kernel: |call| {
        let intervals = call.primitive::<IntervalMonthDayNanoType>(0);
        if call.value(1).inner().data_type().is_integer() {
            let counts = crate::eval::cast(call.value(1), &DataType::Int64, call.rows)?;
            return call.compute::<IntervalMonthDayNanoType>(|row| {
                let (array, position) = (counts.inner().as_primitive::<Int64Type>(), counts.position(row));
                let (Some(interval), true) = (intervals.get(row), array.is_valid(position)) else { return Ok(None) };
                multiplied(interval, array.value(position)).map(Some).ok_or_else(out_of_range)
            });
        }
        scaled_by(call, Ok)
    },
};

pub(super) const INTERVAL_DIVIDE: Definition = Definition {
    name: "interval_divide",
    aliases: &[],
    group: Group::Time,
    usage: "interval_divide(interval, count)",
    about: "A part of an interval: what `interval / count` means. Fractions are as those of `interval_multiply`.",
    parameters: &[Kind::Interval, Kind::Number],
    required: 2,
    variadic: false,
    returns: returns::interval,
    kernel: |call| {
        scaled_by(call, |divisor| match divisor {
            0.0 => Err("division by zero".to_owned()),
            divisor => Ok(1.0 / divisor),
        })
    },
};

fn out_of_range() -> String {
    "the interval is out of range".to_owned()
}

/// The first argument times what `factor` makes of the second.
fn scaled_by(call: &Call<'_>, factor: impl Fn(f64) -> Result<f64, String>) -> Result<ArrayRef, String> {
    let intervals = call.primitive::<IntervalMonthDayNanoType>(0);
    let numbers = crate::eval::cast(call.value(1), &DataType::Float64, call.rows)?;
    call.compute::<IntervalMonthDayNanoType>(|row| {
        let (array, position) = (numbers.inner().as_primitive::<Float64Type>(), numbers.position(row));
        let (Some(interval), true) = (intervals.get(row), array.is_valid(position)) else { return Ok(None) };
        scaled(interval, factor(array.value(position))?).map(Some).ok_or_else(out_of_range)
    })
}

/// Months, days and time each by themselves; what is left of a month is in days, what is left of a day is time, to the microsecond.
fn scaled(interval: IntervalMonthDayNano, factor: f64) -> Option<IntervalMonthDayNano> {
    const DAY_SECONDS: f64 = 86_400.0;
    let whole = |value: f64| (value.is_finite() && value.abs() < f64::from(i32::MAX)).then_some(value as i32);
    // A remainder is as exact as a microsecond, so that a third of three is one.
    let tidy = |value: f64| (value * 1e9).round() / 1e9;
    let months = tidy(f64::from(interval.months) * factor);
    let days = tidy(f64::from(interval.days) * factor);
    let month_days = tidy(months.fract() * 30.0);
    let seconds = tidy((days.fract() + month_days.fract()) * DAY_SECONDS) + interval.nanoseconds as f64 / 1e9 * factor;
    let micros = (seconds * 1e6).round();
    if !micros.is_finite() || micros.abs() > i64::MAX as f64 / 1e3 {
        return None;
    }
    let days = whole(days.trunc() + month_days.trunc())?;
    Some(IntervalMonthDayNano::new(whole(months.trunc())?, days, (micros as i64).checked_mul(1000)?))
}

fn multiplied(interval: IntervalMonthDayNano, count: i64) -> Option<IntervalMonthDayNano> {
    let times = |part: i32| i32::try_from(i64::from(part).checked_mul(count)?).ok();
    let (months, days) = (times(interval.months)?, times(interval.days)?);
    Some(IntervalMonthDayNano::new(months, days, interval.nanoseconds.checked_mul(count)?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::calendar::{Civil, civil_of_day};

    fn micros(year: i64, month: u32, day: u32, hour: i64) -> i64 {
        day_of_civil(year, month, day) * DAY_US + hour * 3_600_000_000
    }

    #[test]
    fn ages_borrow_days_from_the_earlier_month() {
        let fields = |end, start| {
            let age = age(end, start).unwrap();
            (age.months, age.days, age.nanoseconds / 3_600_000_000_000)
        };
        assert_eq!(
            fields(micros(2001, 4, 10, 0), micros(1957, 6, 13, 0)),
            (43 * 12 + 9, 27, 0),
            "the example of PostgreSQL's manual"
        );
        assert_eq!(fields(micros(2024, 3, 1, 0), micros(2024, 1, 31, 0)), (1, 1, 0));
        assert_eq!(fields(micros(2024, 1, 1, 0), micros(2024, 1, 1, 12)), (0, 0, -12));
        assert_eq!(civil_of_day(last_day(micros(2023, 2, 3, 4))), Civil { year: 2023, month: 2, day: 28 });
    }

    #[test]
    fn fractions_of_intervals_cascade() {
        let parts = |interval: IntervalMonthDayNano| (interval.months, interval.days, interval.nanoseconds / 1_000_000_000);
        let day = IntervalMonthDayNano::new(0, 1, 0);
        assert_eq!(parts(scaled(day, 2.5).unwrap()), (0, 2, 43_200));
        assert_eq!(parts(scaled(IntervalMonthDayNano::new(1, 0, 0), 0.5).unwrap()), (0, 15, 0));
        assert_eq!(parts(scaled(IntervalMonthDayNano::new(0, 3, 0), 1.0 / 3.0).unwrap()), (0, 1, 0));
        assert_eq!(parts(scaled(IntervalMonthDayNano::new(0, 0, 3_600_000_000_000), 0.25).unwrap()), (0, 0, 900));
        assert!(scaled(day, f64::NAN).is_none());
        assert!(scaled(day, 1e300).is_none());
    }
}
