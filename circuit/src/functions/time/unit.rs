//! Units of time, and the start and end of the unit that a time is in.

use arrow::array::{ArrayRef, PrimitiveArray};
use arrow::datatypes::{DataType, Date32Type, TimestampMicrosecondType};
use std::sync::Arc;

use super::super::call::{Bind, Call};
use super::super::parameters::Kind;
use super::super::{Definition, Group};
use super::micros_at;
use crate::calendar::{Civil, DAY_US, civil_of_day, day_of_civil, days_of_month};

/// A unit of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    /// So many microseconds.
    Micros(i64),
    /// So many months.
    Months(i64),
}

/// The start of weeks: 1970-01-05 was a Monday.
const MONDAY: i64 = 4;

impl Unit {
    /// The unit of this name, also in the plural and with Calcite's `SQL_TSI_`.
    pub(super) fn named(name: &str) -> Result<Unit, String> {
        let folded = name.to_ascii_lowercase();
        let folded = folded.strip_prefix("sql_tsi_").unwrap_or(&folded);
        Ok(match folded {
            "microsecond" | "microseconds" | "us" | "usec" => Unit::Micros(1),
            "millisecond" | "milliseconds" | "ms" | "msec" => Unit::Micros(1000),
            "second" | "seconds" | "sec" | "s" => Unit::Micros(1_000_000),
            "minute" | "minutes" | "min" => Unit::Micros(60_000_000),
            "hour" | "hours" | "h" => Unit::Micros(3_600_000_000),
            "day" | "days" | "d" => Unit::Micros(DAY_US),
            "week" | "weeks" | "w" => Unit::Micros(7 * DAY_US),
            "month" | "months" | "mon" => Unit::Months(1),
            "quarter" | "quarters" => Unit::Months(3),
            "year" | "years" | "y" => Unit::Months(12),
            "decade" | "decades" => Unit::Months(120),
            "century" | "centuries" => Unit::Months(1200),
            "millennium" | "millenniums" | "millennia" => Unit::Months(12_000),
            _ => return Err(format!("{name} is not a unit of time")),
        })
    }

    /// `count` units after `micros`. Months keep the day of the month if there is one.
    pub(super) fn add(self, micros: i64, count: i64) -> Option<i64> {
        match self {
            Unit::Micros(unit) => micros.checked_add(unit.checked_mul(count)?),
            Unit::Months(unit) => add_months(micros, unit.checked_mul(count)?),
        }
    }

    /// The number of the unit that `micros` is in, counted from that of 1970.
    pub(super) fn index(self, micros: i64) -> i64 {
        match self {
            Unit::Micros(unit) if unit == 7 * DAY_US => micros.saturating_sub(MONDAY * DAY_US).div_euclid(unit),
            Unit::Micros(unit) => micros.div_euclid(unit),
            Unit::Months(unit) => months_of(micros).0.div_euclid(unit),
        }
    }

    /// Where unit `index` begins.
    fn start(self, index: i64) -> Option<i64> {
        match self {
            Unit::Micros(unit) if unit == 7 * DAY_US => index.checked_mul(unit)?.checked_add(MONDAY * DAY_US),
            Unit::Micros(unit) => index.checked_mul(unit),
            Unit::Months(unit) => {
                let months = index.checked_mul(unit)?;
                day_of_civil(months.div_euclid(12), months.rem_euclid(12) as u32 + 1, 1).checked_mul(DAY_US)
            }
        }
    }

    /// The start of the unit that `micros` is in.
    pub(super) fn floor(self, micros: i64) -> Option<i64> {
        self.start(self.index(micros))
    }

    /// `micros` if a unit starts there, else the start of the next one.
    fn ceil(self, micros: i64) -> Option<i64> {
        let floor = self.floor(micros)?;
        if floor == micros { Some(floor) } else { self.start(self.index(micros).checked_add(1)?) }
    }
}

/// Months since the year 0, and what is left: day of the month and time.
pub(super) fn months_of(micros: i64) -> (i64, u32, i64) {
    let Civil { year, month, day } = civil_of_day(micros.div_euclid(DAY_US));
    (year * 12 + i64::from(month) - 1, day, micros.rem_euclid(DAY_US))
}

fn add_months(micros: i64, count: i64) -> Option<i64> {
    let (months, day, time) = months_of(micros);
    let months = months.checked_add(count).filter(|months| months.abs() < 300_000 * 12)?;
    let (year, month) = (months.div_euclid(12), months.rem_euclid(12) as u32 + 1);
    day_of_civil(year, month, day.min(days_of_month(year, month))).checked_mul(DAY_US)?.checked_add(time)
}

pub(super) const DATE_FLOOR: Definition = Definition {
    name: "date_floor",
    aliases: &[],
    group: Group::Time,
    usage: "FLOOR(time TO unit)",
    about: "The start of the unit (`SECOND` .. `MILLENNIUM`) that a time is in; weeks begin on Monday.",
    parameters: &[Kind::Text, Kind::Moment],
    required: 2,
    variadic: false,
    returns: time_of_second,
    kernel: |call| rounded(call, Unit::floor),
};

pub(super) const DATE_CEIL: Definition = Definition {
    name: "date_ceil",
    aliases: &[],
    group: Group::Time,
    usage: "CEIL(time TO unit)",
    about: "A time if a unit (`SECOND` .. `MILLENNIUM`) starts there, else the start of the next one.",
    parameters: &[Kind::Text, Kind::Moment],
    required: 2,
    variadic: false,
    returns: time_of_second,
    kernel: |call| rounded(call, Unit::ceil),
};

fn time_of_second(bind: &Bind<'_>) -> Result<DataType, String> {
    if let Some(unit) = bind.constant_text(0) {
        Unit::named(unit)?;
    }
    match &bind.types[1] {
        data_type @ (DataType::Date32 | DataType::Timestamp(..)) => Ok(data_type.clone()),
        _ => Err("it takes a date or a timestamp".to_owned()),
    }
}

fn rounded(call: &Call<'_>, round: fn(Unit, i64) -> Option<i64>) -> Result<ArrayRef, String> {
    let (units, times) = (call.text(0), call.value(1));
    moved(call, |row| {
        let (Some(unit), Some(micros)) = (units.get(row), micros_at(times, row)) else { return Ok(None) };
        round(Unit::named(unit)?, micros).map(Some).ok_or_else(|| "the time is out of range".to_owned())
    })
}

/// Times that `compute` gives in microseconds, as timestamps or dates.
pub(super) fn moved(call: &Call<'_>, compute: impl Fn(usize) -> Result<Option<i64>, String>) -> Result<ArrayRef, String> {
    if call.returns != &DataType::Date32 {
        return call.compute::<TimestampMicrosecondType>(compute);
    }
    let days = (0..call.rows).map(|row| {
        let days = compute(row)?.map(|micros| i32::try_from(micros.div_euclid(DAY_US)));
        days.transpose().map_err(|_| "the date is out of range".to_owned())
    });
    let days = days.collect::<Result<Vec<_>, String>>()?;
    Ok(Arc::new(PrimitiveArray::<Date32Type>::from_iter(days)))
}

/// The last day of the month of `micros`.
pub(super) fn last_day(micros: i64) -> i64 {
    let Civil { year, month, .. } = civil_of_day(micros.div_euclid(DAY_US));
    day_of_civil(year, month, days_of_month(year, month))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calendar::day_of_week;

    #[test]
    fn weeks_begin_on_monday() {
        let week = Unit::Micros(7 * DAY_US);
        for day in -1000..1000 {
            let start = week.floor(day * DAY_US).map(|micros| micros / DAY_US);
            assert_eq!(start.map(day_of_week), Some(1));
            assert!(start.is_some_and(|start| start <= day && start + 7 > day));
        }
    }
}
