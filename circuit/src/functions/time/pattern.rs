//! Patterns of dates and times: compiled to a list of items, which write a moment, or read one ([`super::read`]).
//!
//! The spellings of PostgreSQL, `strftime`, Java and MySQL ([`super::dialect`]) become the same items, so a field is written in one place. Digits
//! go straight into the buffer of the column: formatting a timestamp allocates nothing and goes through no formatter.

use super::template::Template;
use crate::calendar::{Civil, DAY_US, civil_of_day, day_of_civil, day_of_week, iso_week};

/// A number within a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Year,
    IsoYear,
    Century,
    Quarter,
    Month,
    Day,
    DayOfYear,
    /// 1 is Sunday.
    DayOfWeek,
    /// 0 is Sunday.
    DayOfWeekFromZero,
    /// 1 is Monday.
    IsoDayOfWeek,
    WeekOfMonth,
    /// The first week begins on 1 January.
    WeekOfYear,
    /// The first week begins on the first Sunday; days before it are in week 0.
    WeekFromSunday,
    /// As above, with Monday.
    WeekFromMonday,
    IsoWeek,
    Julian,
    Hour24,
    Hour12,
    Minute,
    Second,
    SecondOfDay,
    /// Seconds since 1970.
    UnixSeconds,
}

/// What fills a number up to its width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pad {
    Zero,
    Blank,
    None,
}

/// How letters are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Case {
    Upper,
    Capital,
    Lower,
}

/// One part of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Item {
    Literal(String),
    /// A number with at least `width` digits; with `ordinal`, `st`, `nd`, `rd` or `th` behind it.
    Number {
        field: Field,
        width: u8,
        pad: Pad,
        ordinal: Option<Case>,
    },
    /// The last `digits` digits of the year (or of the ISO year).
    ShortYear {
        digits: u8,
        iso: bool,
    },
    /// `2,024`.
    YearWithComma,
    /// The name of the month; `padded` to nine letters.
    Month {
        short: bool,
        case: Case,
        padded: bool,
    },
    /// The month in Roman digits.
    RomanMonth {
        case: Case,
        padded: bool,
    },
    /// The name of the day.
    Weekday {
        short: bool,
        case: Case,
        padded: bool,
    },
    /// `digits` digits of the fraction of the second, cut off.
    Fraction {
        digits: u8,
    },
    /// The fraction with its point, as long as it must be; nothing if there is none.
    OptionalFraction,
    HalfDay {
        case: Case,
        dots: bool,
    },
    Era {
        case: Case,
        dots: bool,
    },
    /// The name of the zone, where there is one.
    Zone {
        case: Case,
    },
    /// Its offset: `+00`, or `+00:00`, or `+0000`.
    Offset {
        minutes: bool,
        colon: bool,
    },
    OffsetMinutes,
}

/// A compiled pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    pub(super) items: Vec<Item>,
    template: Option<Template>,
}

/// What is written: a point in time, or the fields of an interval.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub(super) year: i64,
    pub(super) month: i64,
    pub(super) day: i64,
    /// The day counted from 1970-01-01.
    pub(super) days: i64,
    /// Microseconds of the day; of an interval, all of its time.
    pub(super) micros: i64,
    pub(super) zoned: bool,
    pub(super) interval: bool,
}

impl Moment {
    /// The moment `micros` after 1970.
    pub(super) fn at(micros: i64, zoned: bool) -> Moment {
        let days = micros.div_euclid(DAY_US);
        let Civil { year, month, day } = civil_of_day(days);
        let micros = micros.rem_euclid(DAY_US);
        Moment { year, month: i64::from(month), day: i64::from(day), days, micros, zoned, interval: false }
    }

    /// An interval.
    pub(super) fn span(months: i32, days: i32, micros: i64) -> Moment {
        let (year, month) = (i64::from(months / 12), i64::from(months % 12));
        Moment { year, month, day: i64::from(days), days: i64::from(days), micros, zoned: false, interval: true }
    }

    /// This moment's day with another point in time, if it is on that day: the date need not be computed again.
    pub(super) fn on_same_day(self, micros: i64) -> Option<Moment> {
        let within = micros.checked_sub(self.days.checked_mul(DAY_US)?)?;
        (0..DAY_US).contains(&within).then_some(Moment { micros: within, ..self })
    }

    pub(super) fn day_of_year(self) -> i64 {
        if self.interval { self.days } else { self.days - day_of_civil(self.year, 1, 1) + 1 }
    }

    fn hour(self) -> i64 {
        self.micros / 3_600_000_000
    }

    pub(super) fn field(self, field: Field) -> i64 {
        // The year as it is counted: there is no year 0.
        let shown_year = if self.year > 0 || self.interval { self.year } else { 1 - self.year };
        let weekday = i64::from(day_of_week(self.days));
        match field {
            Field::Year => shown_year,
            Field::IsoYear => iso_week(self.days).0,
            Field::Century => (shown_year + 99) / 100,
            Field::Quarter => (self.month - 1) / 3 + 1,
            Field::Month => self.month,
            Field::Day => self.day,
            Field::DayOfYear => self.day_of_year(),
            Field::DayOfWeek => weekday + 1,
            Field::DayOfWeekFromZero => weekday,
            Field::IsoDayOfWeek => (weekday + 6) % 7 + 1,
            Field::WeekOfMonth => (self.day - 1) / 7 + 1,
            Field::WeekOfYear => (self.day_of_year() - 1) / 7 + 1,
            Field::WeekFromSunday => (self.day_of_year() + 6 - weekday) / 7,
            Field::WeekFromMonday => (self.day_of_year() + 6 - (weekday + 6) % 7) / 7,
            Field::IsoWeek => i64::from(iso_week(self.days).1),
            // Day 0 of the Julian count is 2,440,588 days before 1970.
            Field::Julian => self.days + 2_440_588,
            Field::Hour24 => self.hour(),
            Field::Hour12 => (self.hour() + 11).rem_euclid(12) + 1,
            Field::Minute => self.micros / 60_000_000 % 60,
            Field::Second => self.micros / 1_000_000 % 60,
            Field::SecondOfDay => self.micros / 1_000_000,
            Field::UnixSeconds => self.days * 86_400 + self.micros / 1_000_000,
        }
    }
}

pub(super) const MONTHS: [&str; 12] =
    ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];
pub(super) const WEEKDAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const ROMAN: [&str; 12] = ["I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII"];

impl Pattern {
    pub(super) fn new(items: Vec<Item>) -> Self {
        Pattern { template: Template::of(&items), items }
    }

    /// Appends `moment`.
    ///
    /// # Errors
    /// If the pattern has a field that an interval lacks.
    pub(super) fn write(&self, moment: Moment, out: &mut String) -> Result<(), String> {
        if let Some(template) = &self.template
            && template.write(moment, out)
        {
            return Ok(());
        }
        self.write_parts(moment, out)
    }

    /// As [`Pattern::write`], one part after the other.
    pub(super) fn write_parts(&self, moment: Moment, out: &mut String) -> Result<(), String> {
        self.items.iter().try_for_each(|item| write_item(item, moment, out))
    }
}

fn write_item(item: &Item, moment: Moment, out: &mut String) -> Result<(), String> {
    match item {
        Item::Literal(text) => out.push_str(text),
        Item::Number { field, width, pad, ordinal } => {
            let value = moment.field(*field);
            write_number(out, value, usize::from(*width), *pad);
            if let Some(case) = ordinal {
                out.push_str(if *case == Case::Upper { upper_ordinal(value) } else { lower_ordinal(value) });
            }
        }
        Item::ShortYear { digits, iso } => {
            let year = moment.field(if *iso { Field::IsoYear } else { Field::Year });
            write_number(out, year % 10_i64.pow(u32::from(*digits)), usize::from(*digits), Pad::Zero);
        }
        Item::YearWithComma => {
            let year = moment.field(Field::Year);
            write_number(out, year / 1000, 1, Pad::Zero);
            out.push(',');
            write_number(out, year % 1000, 3, Pad::Zero);
        }
        Item::Month { short, case, padded } => write_name(out, nth(&MONTHS, moment.month - 1)?, *short, *case, *padded),
        Item::RomanMonth { case, padded } => {
            let name = nth(&ROMAN, moment.month - 1)?;
            let start = out.len();
            match case {
                Case::Lower => out.extend(name.chars().map(|letter| letter.to_ascii_lowercase())),
                _ => out.push_str(name),
            }
            pad_to(out, start, if *padded { 4 } else { 0 });
        }
        Item::Weekday { .. } if moment.interval => return Err("an interval has no day of the week".to_owned()),
        Item::Weekday { short, case, padded } => {
            write_name(out, WEEKDAYS[day_of_week(moment.days) as usize], *short, *case, *padded);
        }
        Item::Fraction { digits } => {
            let micros = (moment.micros % 1_000_000).abs();
            match *digits {
                digits @ 0..=6 => write_number(out, micros / 10_i64.pow(6 - u32::from(digits)), usize::from(digits), Pad::Zero),
                digits => {
                    write_number(out, micros, 6, Pad::Zero);
                    (6..digits).for_each(|_| out.push('0'));
                }
            }
        }
        Item::OptionalFraction => match (moment.micros % 1_000_000).abs() {
            0 => {}
            micros if micros % 1000 == 0 => {
                out.push('.');
                write_number(out, micros / 1000, 3, Pad::Zero);
            }
            micros => {
                out.push('.');
                write_number(out, micros, 6, Pad::Zero);
            }
        },
        Item::HalfDay { case, dots } => {
            out.push_str(half_of_two(moment.hour().rem_euclid(24) >= 12, *case, *dots, [["AM", "A.M."], ["PM", "P.M."]]));
        }
        Item::Era { case, dots } => out.push_str(half_of_two(moment.year <= 0, *case, *dots, [["AD", "A.D."], ["BC", "B.C."]])),
        Item::Zone { case } if moment.zoned => out.push_str(if *case == Case::Lower { "utc" } else { "UTC" }),
        Item::Zone { .. } => {}
        Item::Offset { minutes: false, .. } => out.push_str("+00"),
        Item::Offset { minutes: true, colon } => out.push_str(if *colon { "+00:00" } else { "+0000" }),
        Item::OffsetMinutes => out.push_str("00"),
    }
    Ok(())
}

fn nth<'n>(names: &[&'n str], index: i64) -> Result<&'n str, String> {
    usize::try_from(index)
        .ok()
        .and_then(|index| names.get(index).copied())
        .ok_or_else(|| "an interval without months has no name of a month".to_owned())
}

/// One of two marks, in its four spellings.
fn half_of_two(second: bool, case: Case, dots: bool, marks: [[&'static str; 2]; 2]) -> &'static str {
    let mark = marks[usize::from(second)][usize::from(dots)];
    match (case, mark) {
        (Case::Lower, "AM") => "am",
        (Case::Lower, "PM") => "pm",
        (Case::Lower, "A.M.") => "a.m.",
        (Case::Lower, "P.M.") => "p.m.",
        (Case::Lower, "AD") => "ad",
        (Case::Lower, "BC") => "bc",
        (Case::Lower, "A.D.") => "a.d.",
        (Case::Lower, "B.C.") => "b.c.",
        (_, mark) => mark,
    }
}

/// The names of months and days have at most nine letters, to which they are padded.
fn write_name(out: &mut String, name: &str, short: bool, case: Case, padded: bool) {
    let start = out.len();
    let name = if short { &name[..3] } else { name };
    match case {
        Case::Capital => out.push_str(name),
        Case::Upper => out.extend(name.chars().map(|letter| letter.to_ascii_uppercase())),
        Case::Lower => out.extend(name.chars().map(|letter| letter.to_ascii_lowercase())),
    }
    pad_to(out, start, if padded && !short { 9 } else { 0 });
}

fn pad_to(out: &mut String, start: usize, width: usize) {
    (out.len() - start..width).for_each(|_| out.push(' '));
}

/// `value` with at least `width` digits.
pub(super) fn write_number(out: &mut String, value: i64, width: usize, pad: Pad) {
    if value < 0 {
        out.push('-');
    }
    let mut rest = value.unsigned_abs();
    // Nearly all fields have two digits, or are a year of four.
    if pad == Pad::Zero && width == 2 && rest < 100 {
        return out.push_str(pair(rest));
    }
    if pad == Pad::Zero && width == 4 && rest < 10_000 {
        out.push_str(pair(rest / 100));
        return out.push_str(pair(rest % 100));
    }
    let mut digits = [0_u8; 20];
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    let filler = if pad == Pad::Zero { '0' } else { ' ' };
    if pad != Pad::None {
        (digits.len() - start..width).for_each(|_| out.push(filler));
    }
    digits[start..].iter().for_each(|&byte| out.push(char::from(byte)));
}

/// The numbers below 100 with two digits each.
const PAIRS: &str = "00010203040506070809101112131415161718192021222324252627282930313233343536373839404142434445464748495051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899";

/// Two digits of a number below 100.
fn pair(value: u64) -> &'static str {
    let start = (value % 100) as usize * 2;
    &PAIRS[start..start + 2]
}

fn lower_ordinal(value: i64) -> &'static str {
    match (value.abs() % 10, value.abs() % 100) {
        (1, rest) if rest != 11 => "st",
        (2, rest) if rest != 12 => "nd",
        (3, rest) if rest != 13 => "rd",
        _ => "th",
    }
}

fn upper_ordinal(value: i64) -> &'static str {
    match lower_ordinal(value) {
        "st" => "ST",
        "nd" => "ND",
        "rd" => "RD",
        _ => "TH",
    }
}
