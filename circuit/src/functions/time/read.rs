//! Reading a date and time by a pattern.
//!
//! As PostgreSQL reads: blanks before a number do not count, a separator in the pattern stands for any separator in the text, a number has at most as
//! many digits as its field. What the text lacks is the start of its unit (`2024-05` is 2024-05-01). What follows the last field must be blank.

use super::pattern::{Field, Item, MONTHS, Pattern, WEEKDAYS};
use crate::calendar::{DAY_US, day_of_civil, day_of_week, days_of_month};

/// What was read.
#[derive(Default)]
struct Read {
    year: Option<i64>,
    iso_year: Option<i64>,
    century: Option<i64>,
    before_christ: bool,
    month: Option<i64>,
    day: Option<i64>,
    day_of_year: Option<i64>,
    iso_week: Option<i64>,
    iso_weekday: Option<i64>,
    julian: Option<i64>,
    hour: Option<i64>,
    hour_of_half: Option<i64>,
    afternoon: Option<bool>,
    minute: Option<i64>,
    second: Option<i64>,
    second_of_day: Option<i64>,
    unix_seconds: Option<i64>,
    micros: i64,
    offset_minutes: i64,
}

/// The microseconds since 1970 that `text` says by `pattern`.
///
/// # Errors
/// If it does not fit the pattern, or there is no such time.
pub(super) fn read(pattern: &Pattern, text: &str) -> Result<i64, String> {
    let mut read = Read::default();
    let mut rest = text;
    for (position, item) in pattern.items.iter().enumerate() {
        let next_is_digit = pattern.items.get(position + 1).is_some_and(is_digits);
        rest = read_item(item, next_is_digit, rest, &mut read)
            .map_err(|what| format!("'{text}' does not fit the pattern: {what}"))?;
    }
    if !rest.trim().is_empty() {
        return Err(format!("'{text}' does not fit the pattern: '{rest}' is left"));
    }
    read.micros().ok_or_else(|| format!("'{text}' is not a date and time"))
}

fn is_digits(item: &Item) -> bool {
    matches!(item, Item::Number { .. } | Item::ShortYear { .. } | Item::Fraction { .. })
}

fn read_item<'t>(item: &Item, next_is_digit: bool, text: &'t str, into: &mut Read) -> Result<&'t str, String> {
    match item {
        Item::Literal(literal) => literal.chars().try_fold(text, |text, wanted| read_literal(wanted, text)),
        Item::Number { field, width, ordinal, .. } => {
            // A year may have more digits than four if no digits follow it.
            let open = *field == Field::Year || matches!(field, Field::Julian | Field::UnixSeconds | Field::SecondOfDay);
            let most = if open && !next_is_digit { 19 } else { usize::from(*width).max(1) };
            let (value, rest) = read_number(text, most, next_is_digit)?;
            into.set(*field, value)?;
            Ok(if ordinal.is_some() { rest.get(2..).unwrap_or_default() } else { rest })
        }
        Item::ShortYear { digits, iso } => {
            let (value, rest) = read_number(text, usize::from(*digits).max(2), next_is_digit)?;
            // The year nearest to 2020, as in PostgreSQL.
            let year = if value < 70 {
                2000 + value
            } else if value < 100 {
                1900 + value
            } else {
                value
            };
            if *iso {
                into.iso_year = Some(year)
            } else {
                into.year = Some(year)
            }
            Ok(rest)
        }
        Item::YearWithComma => {
            let (thousands, rest) = read_number(text, 6, false)?;
            let (units, rest) = read_number(read_literal(',', rest)?, 3, next_is_digit)?;
            into.year = Some(thousands * 1000 + units);
            Ok(rest)
        }
        Item::Month { short, .. } => {
            let (index, rest) = read_name(&MONTHS, *short, text, "the name of a month")?;
            into.month = Some(index as i64 + 1);
            Ok(rest)
        }
        // The day of the week follows from the date.
        Item::Weekday { short, .. } => read_name(&WEEKDAYS, *short, text, "the name of a day").map(|(_, rest)| rest),
        Item::Fraction { digits } => {
            let (micros, rest) = read_fraction(text, usize::from(*digits))?;
            into.micros = micros;
            Ok(rest)
        }
        Item::OptionalFraction => match text.strip_prefix('.') {
            None => Ok(text),
            Some(digits) => {
                let (micros, rest) = read_fraction(digits, 9)?;
                into.micros = micros;
                Ok(rest)
            }
        },
        Item::HalfDay { .. } => {
            let (afternoon, rest) = read_mark(text, ["am", "pm"])?;
            into.afternoon = Some(afternoon);
            Ok(rest)
        }
        Item::Era { .. } => {
            let (before, rest) = read_mark(text, ["ad", "bc"])?;
            into.before_christ = before;
            Ok(rest)
        }
        Item::Zone { .. } => {
            let utc = text.get(..3).filter(|zone| zone.eq_ignore_ascii_case("utc")).map(|_| &text[3..]);
            utc.or_else(|| text.strip_prefix(['Z', 'z'])).ok_or_else(|| "only the zone UTC is read".to_owned())
        }
        Item::Offset { minutes, .. } => read_offset(text, *minutes, into),
        Item::OffsetMinutes => {
            let (minutes, rest) = read_number(text, 2, next_is_digit)?;
            into.offset_minutes += if into.offset_minutes < 0 { -minutes } else { minutes };
            Ok(rest)
        }
        Item::RomanMonth { .. } => Err("a month in Roman digits cannot be read".to_owned()),
    }
}

/// A letter or digit stands for itself; anything else for any separator, or for none at the end.
fn read_literal(wanted: char, text: &str) -> Result<&str, String> {
    match text.chars().next() {
        Some(found) if found == wanted => Ok(&text[found.len_utf8()..]),
        Some(found) if !wanted.is_alphanumeric() && !found.is_alphanumeric() => Ok(&text[found.len_utf8()..]),
        None if !wanted.is_alphanumeric() => Ok(text),
        _ if wanted.is_whitespace() => Ok(text),
        _ => Err(format!("'{wanted}' is missing")),
    }
}

fn read_number(text: &str, most: usize, exact: bool) -> Result<(i64, &str), String> {
    let text = text.trim_start();
    let digits = text.bytes().take(most).take_while(u8::is_ascii_digit).count();
    if digits == 0 || (exact && digits < most.min(2)) {
        return Err("a number is missing".to_owned());
    }
    let value = text[..digits].parse().map_err(|_| "a number is too long".to_owned())?;
    Ok((value, &text[digits..]))
}

/// So many digits of a fraction, as microseconds; further ones are cut off.
fn read_fraction(text: &str, most: usize) -> Result<(i64, &str), String> {
    let digits = text.bytes().take(most).take_while(u8::is_ascii_digit).count();
    if digits == 0 {
        return Err("the fraction of the second is missing".to_owned());
    }
    let micros =
        text[..digits].bytes().chain(std::iter::repeat(b'0')).take(6).fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0'));
    Ok((micros, &text[digits..]))
}

fn read_name<'t>(names: &[&str], short: bool, text: &'t str, what: &str) -> Result<(usize, &'t str), String> {
    let text = text.trim_start();
    let found = names.iter().enumerate().find_map(|(index, name)| {
        let name = if short { &name[..3] } else { name };
        text.get(..name.len()).filter(|start| start.eq_ignore_ascii_case(name)).map(|start| (index, &text[start.len()..]))
    });
    found.ok_or_else(|| format!("{what} is missing"))
}

fn read_mark<'t>(text: &'t str, marks: [&str; 2]) -> Result<(bool, &'t str), String> {
    let text = text.trim_start();
    for (second, mark) in [false, true].into_iter().zip(marks) {
        let dotted = format!("{}.{}.", &mark[..1], &mark[1..]);
        for spelling in [mark, &dotted] {
            if text.get(..spelling.len()).is_some_and(|start| start.eq_ignore_ascii_case(spelling)) {
                return Ok((second, &text[spelling.len()..]));
            }
        }
    }
    Err(format!("{} or {} is missing", marks[0], marks[1]))
}

/// `+01`, `-05:30`, `+0130`, `Z`.
fn read_offset<'t>(text: &'t str, minutes: bool, into: &mut Read) -> Result<&'t str, String> {
    if let Some(rest) = text.strip_prefix(['Z', 'z']) {
        return Ok(rest);
    }
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let (hours, mut rest) = read_number(text.trim_start_matches(['+', '-']), 2, false)?;
    into.offset_minutes = sign * hours * 60;
    if minutes {
        rest = rest.strip_prefix(':').unwrap_or(rest);
        let (minutes, after) = read_number(rest, 2, false)?;
        into.offset_minutes += sign * minutes;
        rest = after;
    }
    Ok(rest)
}

impl Read {
    fn set(&mut self, field: Field, value: i64) -> Result<(), String> {
        let place = match field {
            Field::Year => &mut self.year,
            Field::IsoYear => &mut self.iso_year,
            Field::Century => &mut self.century,
            Field::Month => &mut self.month,
            Field::Day => &mut self.day,
            Field::DayOfYear => &mut self.day_of_year,
            Field::IsoWeek => &mut self.iso_week,
            Field::IsoDayOfWeek => &mut self.iso_weekday,
            Field::Julian => &mut self.julian,
            Field::Hour24 => &mut self.hour,
            Field::Hour12 => &mut self.hour_of_half,
            Field::Minute => &mut self.minute,
            Field::Second => &mut self.second,
            Field::SecondOfDay => &mut self.second_of_day,
            Field::UnixSeconds => &mut self.unix_seconds,
            // They follow from the date.
            Field::Quarter
            | Field::DayOfWeek
            | Field::DayOfWeekFromZero
            | Field::WeekOfMonth
            | Field::WeekOfYear
            | Field::WeekFromSunday
            | Field::WeekFromMonday => return Ok(()),
        };
        match place.replace(value) {
            Some(other) if other != value => Err("a field is there twice with different values".to_owned()),
            _ => Ok(()),
        }
    }

    /// `None` if a field is out of its range.
    fn micros(&self) -> Option<i64> {
        if let Some(seconds) = self.unix_seconds {
            return seconds.checked_mul(1_000_000)?.checked_add(self.micros);
        }
        let time = match self.second_of_day {
            Some(seconds) => within(seconds, 0, 86_399)? * 1_000_000,
            None => {
                let hour = match (self.hour, self.hour_of_half) {
                    (Some(hour), _) => within(hour, 0, 24)?,
                    (None, Some(hour)) => within(hour, 1, 12)? % 12 + if self.afternoon == Some(true) { 12 } else { 0 },
                    (None, None) => 0,
                };
                let (minute, second) = (within(self.minute.unwrap_or(0), 0, 59)?, within(self.second.unwrap_or(0), 0, 60)?);
                ((hour * 60 + minute) * 60 + second) * 1_000_000
            }
        };
        let time = time + self.micros - within(self.offset_minutes, -16 * 60, 16 * 60)? * 60_000_000;
        self.day()?.checked_mul(DAY_US)?.checked_add(time)
    }

    fn day(&self) -> Option<i64> {
        if let Some(julian) = self.julian {
            return julian.checked_sub(2_440_588);
        }
        if let (Some(year), Some(week)) = (self.iso_year, self.iso_week) {
            // 4 January is in the first week.
            let fourth = day_of_civil(within(year, -290_000, 294_000)?, 1, 4);
            let monday = fourth - i64::from((day_of_week(fourth) + 6) % 7);
            return Some(monday + (within(week, 1, 53)? - 1) * 7 + within(self.iso_weekday.unwrap_or(1), 1, 7)? - 1);
        }
        let year = self.year.or(self.iso_year).or(self.century.map(|century| (century - 1) * 100 + 1)).unwrap_or(1);
        let year = within(if self.before_christ { 1 - year } else { year }, -290_000, 294_000)?;
        if let Some(day) = self.day_of_year {
            return Some(day_of_civil(year, 1, 1) + within(day, 1, 366)? - 1);
        }
        let month = within(self.month.unwrap_or(1), 1, 12)? as u32;
        let day = within(self.day.unwrap_or(1), 1, i64::from(days_of_month(year, month)))? as u32;
        Some(day_of_civil(year, month, day))
    }
}

fn within(value: i64, least: i64, most: i64) -> Option<i64> {
    (least..=most).contains(&value).then_some(value)
}
