//! The proleptic Gregorian calendar by arithmetic on days counted from 1970-01-01: for every 64-bit timestamp, beyond chrono's range of years.
//!
//! The two conversions are Howard Hinnant's `civil_from_days` and `days_from_civil`: they count in eras of 400 years that begin on 1 March, so that
//! the leap day is the last of its year.

/// Microseconds of a day.
pub(crate) const DAY_US: i64 = 86_400_000_000;

/// A date. Years are astronomical: the year before 1 is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Civil {
    pub(crate) year: i64,
    /// 1 to 12.
    pub(crate) month: u32,
    /// 1 to 31.
    pub(crate) day: u32,
}

/// The date of a day counted from 1970-01-01.
pub(crate) fn civil_of_day(days: i64) -> Civil {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    Civil { year: year_of_era + era * 400 + i64::from(month <= 2), month: month as u32, day: day as u32 }
}

/// The day of a date whose month is 1 to 12, counted from 1970-01-01.
pub(crate) fn day_of_civil(year: i64, month: u32, day: u32) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = i64::from(if month > 2 { month - 3 } else { month + 9 });
    let day_of_year = (153 * month_from_march + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The number of days of a month.
pub(crate) fn days_of_month(year: i64, month: u32) -> u32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year.rem_euclid(4) == 0 && (year.rem_euclid(100) != 0 || year.rem_euclid(400) == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// The day of the week: 0 is Sunday.
pub(crate) fn day_of_week(days: i64) -> u32 {
    (days + 4).rem_euclid(7) as u32
}

/// The ISO 8601 year and week of a day.
pub(crate) fn iso_week(days: i64) -> (i64, u32) {
    // The week belongs to the year of its Thursday.
    let thursday = days - i64::from((day_of_week(days) + 6) % 7) + 3;
    let year = civil_of_day(thursday).year;
    (year, ((thursday - day_of_civil(year, 1, 1)) / 7) as u32 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_days_are_each_others_inverse() {
        for days in (-1_000_000..1_000_000).step_by(37).chain([0, -1, 11_016, i64::from(i32::MAX)]) {
            let date = civil_of_day(days);
            assert_eq!(day_of_civil(date.year, date.month, date.day), days);
            assert!(date.day >= 1 && date.day <= days_of_month(date.year, date.month), "{date:?}");
        }
        assert_eq!(civil_of_day(-719_529), Civil { year: -1, month: 12, day: 31 });
    }

    #[test]
    fn weeks_are_those_of_iso_8601() {
        let week = |year, month, day| iso_week(day_of_civil(year, month, day));
        assert_eq!(week(2021, 1, 3), (2020, 53));
        assert_eq!(week(2021, 1, 4), (2021, 1));
        assert_eq!(week(2018, 12, 31), (2019, 1));
        assert_eq!(day_of_week(day_of_civil(2024, 2, 29)), 4);
    }
}
