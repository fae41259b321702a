//! [`Template`]: a pattern whose text has the same length for all moments.
//!
//! Most patterns are numbers of two digits and years of four with marks between them. Such a text is copied whole, and its digits are put over it: that
//! takes half of the time of writing one part after the other.

use super::pattern::{Field, Item, Moment, Pad};

/// Longer texts are written part by part.
const LONGEST: usize = 64;

/// A text and what is put over it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template {
    text: [u8; LONGEST],
    length: usize,
    digits: Vec<Digits>,
}

/// A number within the text, at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Digits {
    place: usize,
    number: Number,
}

/// What is written in digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Number {
    /// Two digits.
    Field(Field),
    /// Four digits.
    Year,
    /// So many digits of the fraction of the second.
    Fraction(u8),
}

impl Template {
    /// The template of a pattern, if it has one.
    pub(super) fn of(items: &[Item]) -> Option<Self> {
        let mut template = Template { text: [b'0'; LONGEST], length: 0, digits: Vec::new() };
        for item in items {
            let (number, width) = match item {
                Item::Literal(text) => {
                    template.text.get_mut(template.length..)?.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
                    template.length += text.len();
                    continue;
                }
                Item::Number { field: Field::Year, width: 4, pad: Pad::Zero, ordinal: None } => (Number::Year, 4),
                Item::Number { field, width: 2, pad: Pad::Zero, ordinal: None } if has_two_digits(*field) => {
                    (Number::Field(*field), 2)
                }
                // What is smaller than a microsecond is zero, and so is the text before anything is put over it.
                Item::Fraction { digits: digits @ 1..=9 } => (Number::Fraction((*digits).min(6)), usize::from(*digits)),
                _ => return None,
            };
            template.digits.push(Digits { place: template.length, number });
            template.length += width;
        }
        (template.length <= LONGEST && !template.digits.is_empty()).then_some(template)
    }

    /// Appends a moment. Returns whether it could: it must be one of the years 1 to 9999, and no interval.
    #[inline]
    pub(super) fn write(&self, moment: Moment, out: &mut String) -> bool {
        if moment.interval || !(1..10_000).contains(&moment.year) {
            return false;
        }
        let mut text = self.text;
        // Numbers of 32 bits are divided in half of the time.
        let seconds = (moment.micros / 1_000_000) as u32;
        for Digits { place, number } in &self.digits {
            match *number {
                Number::Field(Field::Hour24) => put_pair(&mut text, *place, seconds / 3_600),
                Number::Field(Field::Minute) => put_pair(&mut text, *place, seconds / 60 % 60),
                Number::Field(Field::Second) => put_pair(&mut text, *place, seconds % 60),
                Number::Field(field) => put_pair(&mut text, *place, moment.field(field) as u32),
                Number::Year => {
                    let year = moment.year as u32;
                    put_pair(&mut text, *place, year / 100);
                    put_pair(&mut text, *place + 2, year % 100);
                }
                Number::Fraction(digits) => {
                    let mut rest = moment.micros % 1_000_000 / 10_i64.pow(6 - u32::from(digits));
                    for byte in text[*place..][..usize::from(digits)].iter_mut().rev() {
                        *byte = b'0' + (rest % 10) as u8;
                        rest /= 10;
                    }
                }
            }
        }
        let text = std::str::from_utf8(&text[..self.length]);
        text.map(|text| out.push_str(text)).is_ok()
    }
}

/// Whether a field is below 100 for all moments of the years 1 to 9999.
fn has_two_digits(field: Field) -> bool {
    matches!(field, Field::Month | Field::Day | Field::Hour24 | Field::Hour12 | Field::Minute | Field::Second)
}

#[inline]
fn put_pair(text: &mut [u8], place: usize, number: u32) {
    let pair = [b'0' + (number / 10) as u8, b'0' + (number % 10) as u8];
    if let Some(place) = text[place..].first_chunk_mut::<2>() {
        *place = pair;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::super::dialect::of_to_char;
    use super::*;

    const PATTERNS: [&str; 5] = [
        "YYYY-MM-DD HH24:MI:SS",
        "%H:%M:%S.%f on %d/%m/%Y",
        "é HH12 US MS",
        "YYYY",
        "YYYYMMDDHH24MISSMS YYYYMMDDHH24MISSMS YYYYMMDDHH24MISSMS YYYYMMDDHH24MISSMS",
    ];

    fn check(pattern: &str, moment: Moment) {
        let pattern = of_to_char(pattern).unwrap();
        let (mut whole, mut parts) = (String::new(), String::new());
        pattern.write(moment, &mut whole).unwrap();
        pattern.write_parts(moment, &mut parts).unwrap();
        assert_eq!(whole, parts);
    }

    #[test]
    fn patterns_of_one_length_have_a_template() {
        for (pattern, has) in PATTERNS.iter().zip([true, true, true, true, false]) {
            assert_eq!(Template::of(&of_to_char(pattern).unwrap().items).is_some(), has, "{pattern}");
        }
        assert!(Template::of(&of_to_char("Month").unwrap().items).is_none());
    }

    #[test]
    fn years_before_1_and_after_9999_and_intervals_are_written_part_by_part() {
        let year = |year| crate::calendar::day_of_civil(year, 1, 1) * crate::calendar::DAY_US;
        for pattern in PATTERNS {
            for micros in [year(0), year(1), year(1) - 1, year(-44), year(9_999), year(10_000), year(10_000) - 1] {
                check(pattern, Moment::at(micros, false));
            }
            check(pattern, Moment::span(-14, 3, -1));
        }
    }

    proptest! {
        #[test]
        fn a_template_writes_what_the_parts_write(micros in any::<i64>(), near in -62_135_596_800_000_000_i64..253_402_300_800_000_000) {
            for pattern in PATTERNS {
                check(pattern, Moment::at(micros, true));
                check(pattern, Moment::at(near, false));
            }
        }
    }
}
