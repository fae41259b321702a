//! `date_dim` for 1998 to 2002 and a thin `time_dim`, with the benchmark's own numbering of days, weeks and months.

use super::values::{Row, Value, row, table};
use crate::feed::Table;

const YEARS: std::ops::RangeInclusive<i32> = 1998..=2002;
/// 1970-01-01 as the benchmark counts days (Julian day numbers).
const EPOCH_SK: i32 = 2_440_588;
const DAY_NAMES: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// The key in `date_dim` of a day of the proleptic Gregorian calendar.
pub(super) fn date_sk(year: i32, month: i32, day: i32) -> i32 {
    EPOCH_SK + days_since_1970(year, month, day)
}

/// Counted from the first of March, so that the leap day is the last of its year.
fn days_since_1970(year: i32, month: i32, day: i32) -> i32 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leaps = year / 4 - year / 100 + year / 400;
    365 * year + leaps + (153 * month + 2) / 5 + day - 1 - 719_468
}

/// Every day from 1998 to 2002.
pub(super) fn date_dim() -> Table {
    let mut rows = Vec::new();
    for year in YEARS {
        for month in 1..=12 {
            let first = days_since_1970(year, month, 1);
            let next = if month == 12 { days_since_1970(year + 1, 1, 1) } else { days_since_1970(year, month + 1, 1) };
            rows.extend((first..next).map(|days| day(year, month, days - first + 1, days)));
        }
    }
    table("date_dim", &rows)
}

fn day(year: i32, month: i32, day: i32, days: i32) -> Row {
    // 1970-01-01 was a Thursday; 1900-01-01, the first day of week 1, was a Monday 25,567 days before.
    let weekday = (days + 4).rem_euclid(7);
    let quarter = (month + 2) / 3;
    row! {
        d_date_sk: EPOCH_SK + days,
        d_date_id: format!("D{days:08}"),
        d_date: Value::Date(days),
        d_month_seq: (year - 1900) * 12 + month - 1,
        d_week_seq: (days + 25_567 + 1) / 7 + 1,
        d_quarter_seq: (year - 1900) * 4 + quarter,
        d_year: year,
        d_dow: weekday,
        d_moy: month,
        d_dom: day,
        d_qoy: quarter,
        d_day_name: DAY_NAMES[weekday as usize],
        d_quarter_name: format!("{year}Q{quarter}"),
        d_weekend: if weekday % 6 == 0 { "Y" } else { "N" },
    }
}

/// The key in `time_dim`: seconds since midnight.
pub(super) fn time_sk(hour: i32, minute: i32) -> i32 {
    hour * 3600 + minute * 60
}

/// Four minutes of each hour.
pub(super) const MINUTES: [i32; 4] = [5, 20, 35, 50];

/// Every hour of the day at [`MINUTES`].
pub(super) fn time_dim() -> Table {
    let mut rows = Vec::new();
    for hour in 0..24 {
        for minute in MINUTES {
            let time = time_sk(hour, minute);
            let mut row = row! {
                t_time_sk: time, t_time: time, t_hour: hour, t_minute: minute, t_second: 0, t_am_pm: if hour < 12 { "AM" } else { "PM" },
            };
            let meal = match hour {
                6..=8 => Some("breakfast"),
                11..=13 => Some("lunch"),
                17..=20 => Some("dinner"),
                _ => None,
            };
            row.extend(meal.map(|meal| ("t_meal_time", Value::from(meal))));
            rows.push(row);
        }
    }
    table("time_dim", &rows)
}
