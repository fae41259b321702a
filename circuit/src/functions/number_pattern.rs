//! `to_char` of numbers and `to_number`: PostgreSQL's patterns of `9`, `0`, separators and signs.

use std::iter::Peekable;
use std::str::Chars;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Decimal128Type, Float32Type, Float64Type};

use super::call::{Bind, Call};
use super::kept::{Kept, Last};
use crate::eval::text::{decimal_text, render};

/// Where the sign goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Sign {
    /// A minus or a blank before the first digit.
    #[default]
    Blank,
    /// A minus or plus before the first digit (S).
    Before,
    /// A minus or plus at the end (S).
    After,
    /// A minus or a blank at the end (MI).
    MinusAfter,
    /// A minus or a blank at the start (MI).
    MinusBefore,
    /// Angle brackets around what is negative (PR).
    Brackets,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Item {
    /// A digit; with `zero` shown even where the number has none.
    Digit {
        zero: bool,
    },
    Group,
    Literal(String),
}

#[derive(Debug, Default)]
struct Pattern {
    whole: Vec<Item>,
    fraction: Vec<Item>,
    has_point: bool,
    sign: Sign,
    /// FM: no blanks and no zeros that are not asked for.
    tight: bool,
}

thread_local! {
    static PATTERNS: Kept<Pattern> = Kept::default();
}

pub(super) fn to_char(call: &Call<'_>) -> Result<ArrayRef, String> {
    let (numbers, patterns) = (call.value(0), call.text(1));
    let mut compiled = Last::new(&PATTERNS, compile);
    call.write(|row, out| {
        let (array, position) = (numbers.inner(), numbers.position(row));
        let (true, Some(pattern)) = (array.is_valid(position), patterns.get(row)) else { return Ok(false) };
        let pattern = compiled.get(pattern)?;
        let (negative, digits) = digits(array, position, pattern.digits_of_fraction());
        pattern.write(negative, &digits, out);
        Ok(true)
    })
}

/// The type of the numbers that a template reads: DECIMAL with its digits.
pub(super) fn number_type(bind: &Bind<'_>) -> Result<DataType, String> {
    const MOST_DIGITS: usize = 38;
    let template = bind.constant_text(1).ok_or("the template must be a constant")?;
    let pattern = compile(template)?;
    let (places, scale) = (pattern.places(), pattern.digits_of_fraction());
    match (places + scale, i8::try_from(scale)) {
        (1..=MOST_DIGITS, Ok(scale)) => Ok(DataType::Decimal128((places + scale as usize) as u8, scale)),
        (digits, _) => Err(format!("the template '{template}' has {digits} digits, and a number has 1 to {MOST_DIGITS}")),
    }
}

pub(super) fn to_number(call: &Call<'_>) -> Result<ArrayRef, String> {
    let (texts, templates) = (call.text(0), call.text(1));
    let mut compiled = Last::new(&PATTERNS, compile);
    call.compute::<Decimal128Type>(|row| {
        let (Some(text), Some(template)) = (texts.get(row), templates.get(row)) else { return Ok(None) };
        let number = compiled.get(template)?.read(text);
        number.map(Some).ok_or_else(|| format!("'{text}' is not a number of the template '{template}'"))
    })
}

fn compile(text: &str) -> Result<Pattern, String> {
    let mut pattern = Pattern::default();
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let started = !pattern.whole.is_empty() || pattern.has_point;
        match character.to_ascii_uppercase() {
            '9' => pattern.push(Item::Digit { zero: false }),
            '0' => pattern.push(Item::Digit { zero: true }),
            '.' | 'D' if pattern.has_point => return Err("a pattern of a number has one point".to_owned()),
            '.' | 'D' => pattern.has_point = true,
            ',' | 'G' => pattern.push(Item::Group),
            'S' if follows(&mut characters, 'G') => pattern.sign = Sign::Before,
            'S' => pattern.sign = if started { Sign::After } else { Sign::Before },
            'M' if follows(&mut characters, 'I') => pattern.sign = if started { Sign::MinusAfter } else { Sign::MinusBefore },
            'P' if follows(&mut characters, 'R') => pattern.sign = Sign::Brackets,
            'F' if follows(&mut characters, 'M') => pattern.tight = true,
            'L' | '$' => pattern.push(Item::Literal("$".to_owned())),
            '"' => pattern.push(Item::Literal(characters.by_ref().take_while(|character| *character != '"').collect())),
            other if !other.is_ascii_alphabetic() => pattern.push(Item::Literal(other.to_string())),
            _ => return Err(format!("the pattern '{text}' of a number has {character}, which is not supported")),
        }
    }
    Ok(pattern)
}

fn follows(characters: &mut Peekable<Chars<'_>>, letter: char) -> bool {
    characters.next_if(|next| next.eq_ignore_ascii_case(&letter)).is_some()
}

/// The digits of the number with so many behind the point, rounded half away from zero, and whether it is negative.
fn digits(array: &ArrayRef, row: usize, fraction: usize) -> (bool, String) {
    let text = match array.data_type() {
        DataType::Float64 => format!("{:.fraction$}", array.as_primitive::<Float64Type>().value(row)),
        DataType::Float32 => format!("{:.fraction$}", array.as_primitive::<Float32Type>().value(row)),
        DataType::Decimal128(_, scale) => {
            let value = array.as_primitive::<Decimal128Type>().value(row);
            let cut = u32::try_from(i64::from(*scale) - fraction as i64).unwrap_or(0);
            match 10_i128.checked_pow(cut) {
                Some(unit) if cut > 0 => {
                    let away = (value % unit).unsigned_abs() * 2 >= unit.unsigned_abs();
                    decimal_text(value / unit + if away { value.signum() } else { 0 }, *scale - cut as i8)
                }
                _ => decimal_text(value, *scale),
            }
        }
        _ => render(array, row),
    };
    let digits = text.trim_start_matches('-').to_owned();
    // What is rounded to zero has no sign.
    (text.starts_with('-') && digits.bytes().any(|digit| (b'1'..=b'9').contains(&digit)), digits)
}

impl Pattern {
    fn push(&mut self, item: Item) {
        if self.has_point { self.fraction.push(item) } else { self.whole.push(item) }
    }

    fn digits_of_fraction(&self) -> usize {
        self.fraction.iter().filter(|item| matches!(item, Item::Digit { .. })).count()
    }

    /// How many digits it has before the point.
    fn places(&self) -> usize {
        self.whole.iter().filter(|item| matches!(item, Item::Digit { .. })).count()
    }

    /// The number that `text` says, in units of its last digit. As in PostgreSQL each digit of the pattern, and its point, takes one character, which may
    /// be a digit or the point; separators and literals take what is there of their kind. `None` if there are no digits, or more than have a place.
    fn read(&self, text: &str) -> Option<i128> {
        let mut reading =
            Reading { pattern: self, rest: text.trim_start(), negative: None, point: false, digits: String::new(), behind: 0 };
        self.whole.iter().for_each(|item| reading.item(item));
        if self.has_point {
            reading.place();
            self.fraction.iter().for_each(|item| reading.item(item));
        }
        let is_behind = matches!(self.sign, Sign::After | Sign::MinusAfter);
        if is_behind && reading.negative.is_none() {
            reading.sign();
        }
        let scale = self.digits_of_fraction();
        if reading.digits.is_empty() || reading.digits.len() - reading.behind > self.places() {
            return None;
        }
        let zeros = scale - reading.behind;
        reading.digits.extend(std::iter::repeat_n('0', zeros));
        let value: i128 = reading.digits.parse().ok()?;
        Some(if reading.negative == Some(true) { -value } else { value })
    }

    fn write(&self, negative: bool, digits: &str, out: &mut String) {
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let whole = whole.trim_start_matches('0');
        let places = self.places();
        let too_long = whole.len() > places || !whole.bytes().all(|digit| digit.is_ascii_digit());
        let (blanks, body) = self.body(whole, fraction, places, too_long);
        let (before, after) = match (self.sign, negative) {
            (Sign::Blank, true) | (Sign::Before, true) => ("-", ""),
            (Sign::Blank, false) => (if self.tight { "" } else { " " }, ""),
            (Sign::Before, false) => ("+", ""),
            (Sign::After, true) => ("", "-"),
            (Sign::After, false) => ("", "+"),
            (Sign::MinusAfter, true) => ("", "-"),
            (Sign::MinusBefore, true) => ("-", ""),
            (Sign::MinusAfter, false) => ("", if self.tight { "" } else { " " }),
            (Sign::MinusBefore, false) => (if self.tight { "" } else { " " }, ""),
            (Sign::Brackets, true) => ("<", ">"),
            (Sign::Brackets, false) => (if self.tight { "" } else { " " }, if self.tight { "" } else { " " }),
        };
        if !self.tight {
            (0..blanks).for_each(|_| out.push(' '));
        }
        out.push_str(before);
        out.push_str(&body);
        out.push_str(after);
    }

    /// The number without its sign, and how many blanks stand before it.
    fn body(&self, whole: &str, fraction: &str, places: usize, too_long: bool) -> (usize, String) {
        let mut body = String::new();
        let (mut blanks, mut started, mut place) = (0, false, 0);
        let zero_is_shown = self.digits_of_fraction() == 0;
        for item in &self.whole {
            match item {
                Item::Digit { zero } => {
                    place += 1;
                    let from_end = places - place;
                    let digit = whole.len().checked_sub(from_end + 1).and_then(|index| whole.as_bytes().get(index));
                    let shown = started || *zero || (from_end == 0 && zero_is_shown);
                    match digit {
                        _ if too_long => body.push('#'),
                        Some(digit) => body.push(char::from(*digit)),
                        None if shown => body.push('0'),
                        None => {
                            blanks += 1;
                            continue;
                        }
                    }
                    started = true;
                }
                Item::Group if started => body.push(','),
                Item::Group => blanks += 1,
                Item::Literal(text) => body.push_str(text),
            }
        }
        if self.has_point {
            body.push('.');
            self.write_fraction(fraction, too_long, &mut body);
        }
        (blanks, body)
    }

    fn write_fraction(&self, fraction: &str, too_long: bool, body: &mut String) {
        // FM leaves the zeros at the end out that only a 9 asks for.
        let asked = self.fraction.iter().filter(|item| matches!(item, Item::Digit { .. }));
        let last_zero =
            asked.enumerate().filter(|(_, item)| matches!(item, Item::Digit { zero: true })).map(|(index, _)| index + 1).last();
        let needed = fraction.trim_end_matches('0').len().max(last_zero.unwrap_or(0));
        let mut place = 0;
        for item in &self.fraction {
            match item {
                Item::Digit { .. } => {
                    if too_long {
                        body.push('#');
                    } else if !self.tight || place < needed {
                        body.push(fraction.as_bytes().get(place).map_or('0', |digit| char::from(*digit)));
                    }
                    place += 1;
                }
                Item::Group => body.push(','),
                Item::Literal(text) => body.push_str(text),
            }
        }
    }
}

/// A text that is read by a pattern.
struct Reading<'a> {
    pattern: &'a Pattern,
    rest: &'a str,
    /// Known once a sign was read.
    negative: Option<bool>,
    /// Whether the point was read.
    point: bool,
    digits: String,
    /// How many of the digits are behind the point.
    behind: usize,
}

impl Reading<'_> {
    fn item(&mut self, item: &Item) {
        match item {
            Item::Digit { .. } => self.place(),
            Item::Group => self.rest = self.rest.strip_prefix(',').unwrap_or(self.rest),
            Item::Literal(literal) => {
                let is_data = |character: char| character.is_ascii_digit() || matches!(character, '.' | ',' | '+' | '-');
                for _ in literal.chars() {
                    self.rest = self.rest.strip_prefix(|character| !is_data(character)).unwrap_or(self.rest);
                }
            }
        }
    }

    /// Takes a digit or the point, and a sign before the first digit.
    fn place(&mut self) {
        self.rest = self.rest.trim_start();
        if self.negative.is_none() && self.digits.is_empty() {
            self.sign();
        }
        let Some(character) = self.rest.chars().next() else { return };
        // A sign behind the digits is for the end.
        if matches!(character, '-' | '+') {
            return;
        }
        self.rest = &self.rest[character.len_utf8()..];
        match character {
            '.' if self.pattern.has_point => self.point = true,
            '0'..='9' if !self.point => self.digits.push(character),
            '0'..='9' if self.behind < self.pattern.digits_of_fraction() => {
                self.digits.push(character);
                self.behind += 1;
            }
            _ => {}
        }
    }

    fn sign(&mut self) {
        let rest = self.rest.trim_start();
        let negative = match rest.chars().next() {
            Some('-') => true,
            Some('<') if self.pattern.sign == Sign::Brackets => true,
            Some('+') => false,
            _ => return,
        };
        (self.negative, self.rest) = (Some(negative), rest[1..].trim_start());
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn written(value: &str, pattern: &str) -> String {
        let mut out = String::new();
        let (negative, digits) = (value.starts_with('-'), value.trim_start_matches('-'));
        compile(pattern).unwrap().write(negative, digits, &mut out);
        out
    }

    #[test]
    fn numbers_are_written_as_by_postgresql() {
        for (value, pattern, wanted) in [
            ("125", "999", " 125"),
            ("-125", "999", "-125"),
            ("-12", "9999", "  -12"),
            ("12", "9990999.9", "    0012.0"),
            ("12", "FM9990999.9", "0012."),
            ("485", "9,999", "   485"),
            ("1485", "9,999", " 1,485"),
            ("-485", "999S", "485-"),
            ("485", "999MI", "485 "),
            ("-485", "999PR", "<485>"),
            ("485", "L999", " $485"),
            ("0.10", "0.99", " 0.10"),
            ("0.1", "9.9", "  .1"),
            ("0", "9", " 0"),
            ("1.50", "FM999.99", "1.5"),
            ("1.50", "FM999.00", "1.50"),
            ("12345", "999", " ###"),
            ("1234567.89", "FM9,999,999.00", "1,234,567.89"),
        ] {
            assert_eq!(written(value, pattern), wanted, "to_char({value}, '{pattern}')");
        }
        assert!(compile("9x9").is_err());
    }

    #[test]
    fn numbers_are_read_as_by_postgresql() {
        for (text, template, wanted) in [
            ("12,454.8-", "99G999D9S", Some(-124_548)),
            ("-34,338,492", "99G999G999", Some(-34_338_492)),
            ("0.00001-", "9.999999S", Some(-10)),
            ("  12", "9999", Some(12)),
            ("$1,234.5", "L9,999.99", Some(123_450)),
            ("<485>", "999PR", Some(-485)),
            ("5-", "9MI", Some(-5)),
            ("+7", "S9", Some(7)),
            (".5", "9.9", Some(5)),
            ("1.239", "9.99", Some(123)),
            ("12345", "999", Some(123)),
            ("1,234", "9999", Some(123)),
            ("12345", "99.9", None),
            ("", "99", None),
            ("x", "99", None),
            ("-", "99", None),
        ] {
            assert_eq!(compile(template).unwrap().read(text), wanted, "to_number('{text}', '{template}')");
        }
    }
}
