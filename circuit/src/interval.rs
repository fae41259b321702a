//! Intervals as text: the spellings of PostgreSQL.
//!
//! `1 year 2 mons 3 days 04:05:06.7`, `@ 5 minutes ago`, `15min`, the standard's `1-2` and `3 04:05`, and `P1Y2M3DT4H5M6S` of ISO 8601. A number without a
//! unit is in seconds. What is a fraction of a month is in days of which a month has 30, what is a fraction of a day is time.

use arrow::datatypes::IntervalMonthDayNano;

/// Numbers are kept as so many parts of one.
const ONE: i128 = 1_000_000_000;
const SECOND_NS: i128 = 1_000_000_000;
const DAY_NS: i128 = 86_400 * SECOND_NS;

/// A unit: so many months, days or nanoseconds.
#[derive(Clone, Copy)]
enum Unit {
    Months(i128),
    Days(i128),
    Nanos(i128),
}

const SECONDS: Unit = Unit::Nanos(SECOND_NS);

/// The units by their names, which may be in the plural.
const UNITS: &[(&[&str], Unit)] = &[
    (&["millennium", "millennia", "mil"], Unit::Months(12_000)),
    (&["century", "centurie", "cent", "c"], Unit::Months(1_200)),
    (&["decade", "dec"], Unit::Months(120)),
    (&["year", "yr", "y"], Unit::Months(12)),
    (&["quarter", "qtr"], Unit::Months(3)),
    (&["month", "mon"], Unit::Months(1)),
    (&["week", "w"], Unit::Days(7)),
    (&["day", "d"], Unit::Days(1)),
    (&["hour", "hr", "h"], Unit::Nanos(3_600 * SECOND_NS)),
    (&["minute", "min", "m"], Unit::Nanos(60 * SECOND_NS)),
    (&["second", "sec", "s"], SECONDS),
    (&["millisecond", "msec", "ms"], Unit::Nanos(1_000_000)),
    (&["microsecond", "usec", "us"], Unit::Nanos(1_000)),
    (&["nanosecond", "nsec", "ns"], Unit::Nanos(1)),
];

/// The interval that `text` is; `None` if it is none, or too long.
pub fn parse_interval(text: &str) -> Option<IntervalMonthDayNano> {
    let text = text.trim().to_ascii_lowercase();
    let sum = match text.strip_prefix('p') {
        Some(fields) => of_iso(fields)?,
        None => of_words(&text)?,
    };
    sum.interval()
}

/// What the fields of an interval add up to.
#[derive(Default)]
struct Sum {
    months: i128,
    days: i128,
    nanos: i128,
}

impl Sum {
    /// Adds `number` (in parts of [`ONE`]) of a unit.
    fn add(&mut self, number: i128, unit: Unit) -> Option<()> {
        match unit {
            Unit::Nanos(nanos) => self.nanos = self.nanos.checked_add(number.checked_mul(nanos)? / ONE)?,
            Unit::Days(days) => self.add_days(number.checked_mul(days)?)?,
            Unit::Months(1) => {
                self.months = self.months.checked_add(number / ONE)?;
                self.add_days((number % ONE).checked_mul(30)?)?;
            }
            // A fraction of a year is in months.
            Unit::Months(months) => self.months = self.months.checked_add(number.checked_mul(months)? / ONE)?,
        }
        Some(())
    }

    fn add_days(&mut self, days: i128) -> Option<()> {
        self.days = self.days.checked_add(days / ONE)?;
        self.nanos = self.nanos.checked_add((days % ONE) * DAY_NS / ONE)?;
        Some(())
    }

    fn interval(&self) -> Option<IntervalMonthDayNano> {
        let (months, days) = (i32::try_from(self.months).ok()?, i32::try_from(self.days).ok()?);
        Some(IntervalMonthDayNano::new(months, days, i64::try_from(self.nanos).ok()?))
    }
}

/// `1 year 2-3 4 05:06`, with `@` before and `ago` behind it.
fn of_words(text: &str) -> Option<Sum> {
    let mut words: Vec<&str> = text.strip_prefix('@').unwrap_or(text).split_whitespace().collect();
    let is_ago = words.last() == Some(&"ago");
    if is_ago {
        words.pop();
    }
    let mut words = words.into_iter().peekable();
    let mut sum = Sum::default();
    words.peek()?;
    while let Some(word) = words.next() {
        if word.contains(':') {
            sum.nanos = sum.nanos.checked_add(time(word)?)?;
        } else if let Some(months) = years_and_months(word) {
            sum.months = sum.months.checked_add(months)?;
        } else {
            let end = word.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(word.len());
            let (number, glued) = (number(&word[..end])?, &word[end..]);
            let unit = match words.peek() {
                _ if !glued.is_empty() => unit(glued)?,
                Some(next) if next.starts_with(|c: char| c.is_ascii_alphabetic()) => unit(words.next()?)?,
                // `3 04:05:06`
                Some(next) if next.contains(':') => Unit::Days(1),
                None => SECONDS,
                Some(_) => return None,
            };
            sum.add(number, unit)?;
        }
    }
    if is_ago {
        sum = Sum { months: -sum.months, days: -sum.days, nanos: -sum.nanos };
    }
    Some(sum)
}

/// `1y2m3dt4h5m6s`: what follows the P.
fn of_iso(fields: &str) -> Option<Sum> {
    let (date, time) = match fields.split_once('t') {
        Some((date, time)) => (date, Some(time)),
        None => (fields, None),
    };
    if time.map_or(date, |time| time).is_empty() {
        return None;
    }
    let mut sum = Sum::default();
    let mut add = |mut rest: &str, units: &[(char, Unit)]| {
        while !rest.is_empty() {
            let end = rest.find(|c: char| c.is_ascii_alphabetic())?;
            let letter = rest[end..].chars().next()?;
            let (_, unit) = units.iter().find(|(known, _)| *known == letter)?;
            sum.add(number(&rest[..end])?, *unit)?;
            rest = &rest[end + 1..];
        }
        Some(())
    };
    add(date, &[('y', Unit::Months(12)), ('m', Unit::Months(1)), ('w', Unit::Days(7)), ('d', Unit::Days(1))])?;
    let hours = Unit::Nanos(3_600 * SECOND_NS);
    add(time.unwrap_or_default(), &[('h', hours), ('m', Unit::Nanos(60 * SECOND_NS)), ('s', SECONDS)])?;
    Some(sum)
}

fn unit(name: &str) -> Option<Unit> {
    let named = |name: &str| UNITS.iter().find(|(names, _)| names.contains(&name)).map(|(_, unit)| *unit);
    named(name).or_else(|| named(name.strip_suffix('s')?))
}

/// `04:05`, `-04:05:06.7`, in nanoseconds.
fn time(text: &str) -> Option<i128> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let mut fields = digits.split(':');
    let whole = |field: Option<&str>| field.filter(|field| field.bytes().all(|byte| byte.is_ascii_digit()))?.parse::<i64>().ok();
    let (hours, minutes) = (whole(fields.next())?, whole(fields.next())?);
    let seconds = match fields.next() {
        Some(field) if field.starts_with(|c: char| c.is_ascii_digit()) => number(field)?,
        Some(_) => return None,
        None => 0,
    };
    let is_time = fields.next().is_none() && minutes < 60 && seconds < 60 * ONE;
    is_time.then(|| sign * ((i128::from(hours) * 3_600 + i128::from(minutes) * 60) * SECOND_NS + seconds * SECOND_NS / ONE))
}

/// `1-2`, `-1-2`: years and months, in months.
fn years_and_months(text: &str) -> Option<i128> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let (years, months) = digits.split_once('-')?;
    let whole = |text: &str| text.parse::<u32>().ok().map(i128::from);
    let months = whole(months).filter(|months| *months < 12)?;
    Some(sign * (whole(years)? * 12 + months))
}

/// `-1.5` in parts of [`ONE`]; digits beyond those are cut off.
fn number(text: &str) -> Option<i128> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.len() + fraction.len() == 0 || whole.len() > 18 || !is_digits(whole) || !is_digits(fraction) {
        return None;
    }
    let fraction: String = fraction.chars().chain(std::iter::repeat('0')).take(9).collect();
    let whole = if whole.is_empty() { 0 } else { whole.parse::<i128>().ok()? };
    Some(sign * (whole * ONE + fraction.parse::<i128>().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000_000_000;

    fn parsed(text: &str) -> Option<(i32, i32, i64)> {
        parse_interval(text).map(|interval| (interval.months, interval.days, interval.nanoseconds))
    }

    #[test]
    fn spellings_of_postgresql() {
        let time = 4 * HOUR + 5 * HOUR / 60 + 6 * HOUR / 3600;
        for text in ["1 year 2 months 3 days 04:05:06", "1-2 3 4:05:06", "P1Y2M3DT4H5M6S", "1y 2mons 3d 4hrs 5min 6s"] {
            assert_eq!(parsed(text), Some((14, 3, time)), "{text}");
        }
        assert_eq!(parsed("00:15:00"), Some((0, 0, HOUR / 4)));
        assert_eq!(parsed("-1:30"), Some((0, 0, -3 * HOUR / 2)));
        assert_eq!(parsed("@ 1 hour 2 days ago"), Some((0, -2, -HOUR)));
        assert_eq!(parsed("90"), Some((0, 0, 90 * HOUR / 3600)));
        assert_eq!(parsed("1.5 years"), Some((18, 0, 0)));
        assert_eq!(parsed("1.5 months"), Some((1, 15, 0)));
        assert_eq!(parsed("1.5 weeks"), Some((0, 10, 12 * HOUR)));
        assert_eq!(parsed("2.25 hours"), Some((0, 0, 9 * HOUR / 4)));
        assert_eq!(parsed("PT0.5S"), Some((0, 0, HOUR / 7200)));
        assert_eq!(parsed("1 day -00:00:01"), Some((0, 1, -HOUR / 3600)));
    }

    #[test]
    fn what_is_no_interval() {
        for text in ["", "day", "1 fortnight", "P", "PT", "1:2:3:4", "1 2", "1:60", "x:y", "1-13", "--1 day", "99999999999 years"]
        {
            assert_eq!(parsed(text), None, "{text}");
        }
    }
}
