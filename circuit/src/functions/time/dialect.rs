//! The spellings of patterns: PostgreSQL's (`YYYY-MM-DD`), those of `strftime` (`%Y-%m-%d`), of Java (`yyyy-MM-dd`) and of MySQL (`%Y-%m-%d` with
//! other letters).
//!
//! `to_char` is PostgreSQL's, unless the pattern has a `%` before a letter: PostgreSQL would write that as it is, which nobody wants, and DataFusion
//! and many others read `strftime` there. `date_format` is Java's, as in Flink, unless there is such a `%`: then it is MySQL's.

use super::pattern::{Case, Field, Item, Pad, Pattern};

fn number(field: Field, width: u8) -> Item {
    Item::Number { field, width, pad: Pad::Zero, ordinal: None }
}

fn padded(field: Field, width: u8, pad: Pad) -> Item {
    Item::Number { field, width, pad, ordinal: None }
}

const MONTH: Item = Item::Month { short: false, case: Case::Capital, padded: false };
const SHORT_MONTH: Item = Item::Month { short: true, case: Case::Capital, padded: false };
const WEEKDAY: Item = Item::Weekday { short: false, case: Case::Capital, padded: false };
const SHORT_WEEKDAY: Item = Item::Weekday { short: true, case: Case::Capital, padded: false };
const HALF_DAY: Item = Item::HalfDay { case: Case::Upper, dots: false };

/// Collects items; literals that follow each other become one.
#[derive(Default)]
struct Items(Vec<Item>);

impl Items {
    fn literal(&mut self, character: char) {
        match self.0.last_mut() {
            Some(Item::Literal(text)) => text.push(character),
            _ => self.0.push(Item::Literal(character.to_string())),
        }
    }

    fn finish(self) -> Pattern {
        Pattern::new(self.0)
    }
}

/// Whether a `%` stands before a letter.
fn has_percent(text: &str) -> bool {
    text.as_bytes().windows(2).any(|pair| pair[0] == b'%' && pair[1].is_ascii_alphabetic())
}

/// A pattern of `to_char`, `to_date`, `to_timestamp`.
pub(super) fn of_to_char(text: &str) -> Result<Pattern, String> {
    if has_percent(text) { strftime(text) } else { postgres(text) }
}

/// A pattern of `date_format`, `from_unixtime`, `unix_timestamp`.
pub(super) fn of_date_format(text: &str) -> Result<Pattern, String> {
    if has_percent(text) { mysql(text) } else { java(text) }
}

/// The keywords of PostgreSQL, longer ones before those that they start with. Upper case; how they are written decides on the case of names.
const POSTGRES: &[&str] = &[
    "Y,YYY", "YYYY", "IYYY", "YYY", "IYY", "YY", "IY", "Y", "I", "HH24", "HH12", "HH", "MI", "SSSSS", "SSSS", "SS", "MS", "US",
    "FF1", "FF2", "FF3", "FF4", "FF5", "FF6", "A.M.", "P.M.", "AM", "PM", "B.C.", "A.D.", "BC", "AD", "MONTH", "MON", "MM",
    "DAY", "DY", "DDD", "IDDD", "DD", "ID", "D", "WW", "W", "IW", "CC", "J", "Q", "RM", "TZH", "TZM", "TZ", "OF",
];

/// PostgreSQL's patterns. What is no keyword is written as it is.
fn postgres(text: &str) -> Result<Pattern, String> {
    let (mut items, mut rest, mut fill) = (Items::default(), text, true);
    'next: while let Some(first) = rest.chars().next() {
        if first == '"' {
            rest = quoted(&rest[1..], '"', &mut items);
            continue;
        }
        if starts(rest, "FM") {
            (rest, fill) = (&rest[2..], false);
            continue;
        }
        if starts(rest, "FX") || starts(rest, "TM") {
            rest = &rest[2..];
            continue;
        }
        // Longer keywords win: IDDD over ID, YYYY over Y.
        let keyword = POSTGRES.iter().filter(|keyword| starts(rest, keyword)).max_by_key(|keyword| keyword.len());
        if let Some(keyword) = keyword {
            let written = &rest[..keyword.len()];
            rest = &rest[keyword.len()..];
            let mut item = postgres_item(keyword, written, fill)?;
            if let Item::Number { ordinal, .. } = &mut item
                && starts(rest, "TH")
            {
                *ordinal = Some(if rest.starts_with("TH") { Case::Upper } else { Case::Lower });
                rest = &rest[2..];
            }
            items.0.push(item);
            fill = true;
            continue 'next;
        }
        items.literal(first);
        rest = &rest[first.len_utf8()..];
    }
    Ok(items.finish())
}

fn starts(text: &str, keyword: &str) -> bool {
    text.get(..keyword.len()).is_some_and(|start| start.eq_ignore_ascii_case(keyword))
}

/// The text up to `end`; a backslash takes the next character literally. Returns what follows.
fn quoted<'t>(text: &'t str, end: char, items: &mut Items) -> &'t str {
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => characters.next().into_iter().for_each(|next| items.literal(next)),
            character if character == end => break,
            character => items.literal(character),
        }
    }
    characters.as_str()
}

fn postgres_item(keyword: &str, written: &str, fill: bool) -> Result<Item, String> {
    let mut letters = written.chars();
    let case = match (letters.next(), letters.next()) {
        (Some(first), _) if first.is_lowercase() => Case::Lower,
        (_, Some(second)) if second.is_lowercase() => Case::Capital,
        _ => Case::Upper,
    };
    let number = |field, width| padded(field, width, if fill { Pad::Zero } else { Pad::None });
    let dots = keyword.contains('.');
    Ok(match keyword {
        "Y,YYY" => Item::YearWithComma,
        "YYYY" => number(Field::Year, 4),
        "IYYY" => number(Field::IsoYear, 4),
        "YYY" | "YY" | "Y" => Item::ShortYear { digits: keyword.len() as u8, iso: false },
        "IYY" | "IY" | "I" => Item::ShortYear { digits: keyword.len() as u8, iso: true },
        "HH24" => number(Field::Hour24, 2),
        "HH12" | "HH" => number(Field::Hour12, 2),
        "MI" => number(Field::Minute, 2),
        "SSSSS" | "SSSS" => padded(Field::SecondOfDay, 0, Pad::None),
        "SS" => number(Field::Second, 2),
        "MS" => Item::Fraction { digits: 3 },
        "US" => Item::Fraction { digits: 6 },
        "FF1" | "FF2" | "FF3" | "FF4" | "FF5" | "FF6" => Item::Fraction { digits: keyword.as_bytes()[2] - b'0' },
        "A.M." | "P.M." | "AM" | "PM" => Item::HalfDay { case, dots },
        "B.C." | "A.D." | "BC" | "AD" => Item::Era { case, dots },
        "MONTH" => Item::Month { short: false, case, padded: fill },
        "MON" => Item::Month { short: true, case, padded: false },
        "MM" => number(Field::Month, 2),
        "DAY" => Item::Weekday { short: false, case, padded: fill },
        "DY" => Item::Weekday { short: true, case, padded: false },
        "DDD" => number(Field::DayOfYear, 3),
        "DD" => number(Field::Day, 2),
        "ID" => number(Field::IsoDayOfWeek, 1),
        "D" => number(Field::DayOfWeek, 1),
        "WW" => number(Field::WeekOfYear, 2),
        "W" => number(Field::WeekOfMonth, 1),
        "IW" => number(Field::IsoWeek, 2),
        "CC" => number(Field::Century, 2),
        "J" => number(Field::Julian, 1),
        "Q" => number(Field::Quarter, 1),
        "RM" => Item::RomanMonth { case, padded: fill },
        "TZ" => Item::Zone { case },
        "TZH" | "OF" => Item::Offset { minutes: false, colon: false },
        "TZM" => Item::OffsetMinutes,
        other => return Err(format!("the pattern {other} is not supported")),
    })
}

/// The patterns of `strftime`, as Rust's chrono and Python have them.
fn strftime(text: &str) -> Result<Pattern, String> {
    let mut items = Items::default();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character != '%' {
            items.literal(character);
            continue;
        }
        let mut letter = characters.next().ok_or("a pattern ends with %")?;
        let pad = match letter {
            '-' => Some(Pad::None),
            '_' => Some(Pad::Blank),
            '0' => Some(Pad::Zero),
            _ => None,
        };
        if pad.is_some() {
            letter = characters.next().ok_or("a pattern ends within a field")?;
        }
        if letter == '.' || letter.is_ascii_digit() {
            strftime_fraction(letter, &mut characters, &mut items)?;
            continue;
        }
        strftime_items(letter, pad, &mut items)?;
    }
    Ok(items.finish())
}

/// `%.f`, `%.3f`, `%3f`.
fn strftime_fraction(first: char, characters: &mut std::str::Chars<'_>, items: &mut Items) -> Result<(), String> {
    let wrong = || "a fraction is written as %f, %.f, %3f or %.3f".to_owned();
    let mut letter = first;
    let point = letter == '.';
    if point {
        letter = characters.next().ok_or_else(wrong)?;
    }
    match letter.to_digit(10) {
        Some(digits) => {
            if characters.next() != Some('f') || !(1..=9).contains(&digits) {
                return Err(wrong());
            }
            if point {
                items.literal('.');
            }
            items.0.push(Item::Fraction { digits: digits as u8 });
        }
        None if point && letter == 'f' => items.0.push(Item::OptionalFraction),
        None => return Err(wrong()),
    }
    Ok(())
}

fn strftime_items(letter: char, pad: Option<Pad>, items: &mut Items) -> Result<(), String> {
    let with = |field, width, usual| padded(field, width, pad.unwrap_or(usual));
    let whole = |items: &mut Items, pattern: &str| strftime(pattern).map(|pattern| items.0.extend(pattern.items));
    let item = match letter {
        'Y' => with(Field::Year, 4, Pad::Zero),
        'G' => with(Field::IsoYear, 4, Pad::Zero),
        'C' => {
            return Err("the pattern %C is not supported: use %Y".to_owned());
        }
        'y' => Item::ShortYear { digits: 2, iso: false },
        'g' => Item::ShortYear { digits: 2, iso: true },
        'q' => with(Field::Quarter, 1, Pad::None),
        'm' => with(Field::Month, 2, Pad::Zero),
        'b' | 'h' => SHORT_MONTH,
        'B' => MONTH,
        'd' => with(Field::Day, 2, Pad::Zero),
        'e' => with(Field::Day, 2, Pad::Blank),
        'a' => SHORT_WEEKDAY,
        'A' => WEEKDAY,
        'w' => with(Field::DayOfWeekFromZero, 1, Pad::None),
        'u' => with(Field::IsoDayOfWeek, 1, Pad::None),
        'j' => with(Field::DayOfYear, 3, Pad::Zero),
        'U' => with(Field::WeekFromSunday, 2, Pad::Zero),
        'W' => with(Field::WeekFromMonday, 2, Pad::Zero),
        'V' => with(Field::IsoWeek, 2, Pad::Zero),
        'H' => with(Field::Hour24, 2, Pad::Zero),
        'k' => with(Field::Hour24, 2, Pad::Blank),
        'I' => with(Field::Hour12, 2, Pad::Zero),
        'l' => with(Field::Hour12, 2, Pad::Blank),
        'M' => with(Field::Minute, 2, Pad::Zero),
        'S' => with(Field::Second, 2, Pad::Zero),
        'f' => Item::Fraction { digits: 9 },
        's' => with(Field::UnixSeconds, 1, Pad::None),
        'p' => HALF_DAY,
        'P' => Item::HalfDay { case: Case::Lower, dots: false },
        'Z' => Item::Zone { case: Case::Upper },
        'z' => Item::Offset { minutes: true, colon: false },
        'D' | 'x' => return whole(items, "%m/%d/%y"),
        'F' => return whole(items, "%Y-%m-%d"),
        'v' => return whole(items, "%e-%b-%Y"),
        'R' => return whole(items, "%H:%M"),
        'T' | 'X' => return whole(items, "%H:%M:%S"),
        'r' => return whole(items, "%I:%M:%S %p"),
        'c' => return whole(items, "%a %b %e %H:%M:%S %Y"),
        '%' | 'n' | 't' => {
            items.literal(match letter {
                'n' => '\n',
                't' => '\t',
                other => other,
            });
            return Ok(());
        }
        other => return Err(format!("the pattern %{other} is not supported")),
    };
    items.0.push(item);
    Ok(())
}

/// The patterns of MySQL's `DATE_FORMAT`.
fn mysql(text: &str) -> Result<Pattern, String> {
    let mut items = Items::default();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character != '%' {
            items.literal(character);
            continue;
        }
        let letter = characters.next().ok_or("a pattern ends with %")?;
        let item = match letter {
            'Y' => number(Field::Year, 4),
            'x' => number(Field::IsoYear, 4),
            'y' => Item::ShortYear { digits: 2, iso: false },
            'm' => number(Field::Month, 2),
            'c' => number(Field::Month, 1),
            'M' => MONTH,
            'b' => SHORT_MONTH,
            'd' => number(Field::Day, 2),
            'e' => number(Field::Day, 1),
            'D' => Item::Number { field: Field::Day, width: 1, pad: Pad::None, ordinal: Some(Case::Lower) },
            'j' => number(Field::DayOfYear, 3),
            'a' => SHORT_WEEKDAY,
            'W' => WEEKDAY,
            'w' => number(Field::DayOfWeekFromZero, 1),
            'U' => number(Field::WeekFromSunday, 2),
            'v' => number(Field::IsoWeek, 2),
            'H' => number(Field::Hour24, 2),
            'k' => number(Field::Hour24, 1),
            'h' | 'I' => number(Field::Hour12, 2),
            'l' => number(Field::Hour12, 1),
            'i' => number(Field::Minute, 2),
            's' | 'S' => number(Field::Second, 2),
            'f' => Item::Fraction { digits: 6 },
            'p' => HALF_DAY,
            'T' => {
                items.0.extend(java("HH:mm:ss")?.items);
                continue;
            }
            'r' => {
                items.0.extend(java("hh:mm:ss a")?.items);
                continue;
            }
            '%' => {
                items.literal('%');
                continue;
            }
            other => return Err(format!("the pattern %{other} is not supported")),
        };
        items.0.push(item);
    }
    Ok(items.finish())
}

/// The patterns of Java's `SimpleDateFormat` and `DateTimeFormatter`.
fn java(text: &str) -> Result<Pattern, String> {
    let (mut items, mut rest) = (Items::default(), text);
    while let Some(first) = rest.chars().next() {
        if first == '\'' {
            if rest.starts_with("''") {
                items.literal('\'');
                rest = &rest[2..];
            } else {
                rest = quoted(&rest[1..], '\'', &mut items);
            }
            continue;
        }
        if !first.is_ascii_alphabetic() {
            items.literal(first);
            rest = &rest[first.len_utf8()..];
            continue;
        }
        let count = rest.bytes().take_while(|byte| *byte == first as u8).count();
        items.0.push(java_item(first, count)?);
        rest = &rest[count..];
    }
    Ok(items.finish())
}

fn java_item(letter: char, count: usize) -> Result<Item, String> {
    let width = u8::try_from(count).map_err(|_| "a field of a pattern is too long".to_owned())?;
    Ok(match (letter, count) {
        ('y' | 'u', 2) => Item::ShortYear { digits: 2, iso: false },
        ('y' | 'u', _) => number(Field::Year, width),
        ('Y', 2) => Item::ShortYear { digits: 2, iso: true },
        ('Y', _) => number(Field::IsoYear, width),
        ('M' | 'L', 1 | 2) => number(Field::Month, width),
        ('M' | 'L', 3) => SHORT_MONTH,
        ('M' | 'L', 4) => MONTH,
        ('d', 1 | 2) => number(Field::Day, width),
        ('D', 1..=3) => number(Field::DayOfYear, width),
        ('E', 1..=3) => SHORT_WEEKDAY,
        ('E', 4) => WEEKDAY,
        ('Q' | 'q', 1 | 2) => number(Field::Quarter, width),
        ('w', 1 | 2) => number(Field::IsoWeek, width),
        ('a', 1) => HALF_DAY,
        ('H', 1 | 2) => number(Field::Hour24, width),
        ('h', 1 | 2) => number(Field::Hour12, width),
        ('m', 1 | 2) => number(Field::Minute, width),
        ('s', 1 | 2) => number(Field::Second, width),
        ('S', 1..=9) => Item::Fraction { digits: width },
        ('G', 1..=3) => Item::Era { case: Case::Upper, dots: false },
        ('z' | 'V', _) => Item::Zone { case: Case::Upper },
        ('Z' | 'x', 1..=2) => Item::Offset { minutes: true, colon: false },
        ('X' | 'x' | 'Z', 3..=5) => Item::Offset { minutes: true, colon: true },
        _ => return Err(format!("the pattern {} is not supported", letter.to_string().repeat(count))),
    })
}
