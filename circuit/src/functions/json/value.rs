//! JSON texts: reading, the canonical form, and cutting values out of a text.
//!
//! Numbers are exact decimals here and not doubles, so two texts have one canonical form iff they are the same value: keys sorted, of equal keys the
//! last, no blanks, numbers without needless digits, strings with the escapes that must be.

use std::borrow::Cow;
use std::collections::BTreeMap;

/// How deep values may nest.
const MAX_DEPTH: usize = 256;

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Json {
    Null,
    Bool(bool),
    /// Canonical digits.
    Number(String),
    String(String),
    Array(Vec<Json>),
    Object(BTreeMap<String, Json>),
}

/// Reads the value that `text` is.
///
/// # Errors
/// If it is not JSON.
pub(super) fn parse(text: &str) -> Result<Json, String> {
    let mut reader = Reader { text, at: 0 };
    let value = reader.value(0).and_then(|value| reader.end().map(|()| value));
    value.map_err(|problem| not_json(text, problem))
}

/// Checks that `text` is JSON.
///
/// # Errors
/// If it is not.
pub(super) fn check(text: &str) -> Result<(), String> {
    let mut reader = Reader { text, at: 0 };
    reader.skip(0).and_then(|()| reader.end()).map_err(|problem| not_json(text, problem))
}

fn not_json(text: &str, problem: &str) -> String {
    const SHOWN: usize = 60;
    match text.char_indices().nth(SHOWN) {
        None => format!("'{text}' is not JSON: {problem}"),
        Some((end, _)) => format!("'{}..' is not JSON: {problem}", &text[..end]),
    }
}

/// The kind of the value that a JSON text is, by its first character.
pub(super) fn kind(text: &str) -> &'static str {
    match text.trim_start().bytes().next() {
        Some(b'{') => "object",
        Some(b'[') => "array",
        Some(b'"') => "string",
        Some(b't' | b'f') => "boolean",
        Some(b'n') => "null",
        _ => "number",
    }
}

/// The value of `key` in the object `text`, as it is written there; of equal keys the last one's. `None` also if it is no object.
///
/// # Errors
/// If the text is not JSON.
pub(super) fn member<'t>(text: &'t str, key: &str) -> Result<Option<&'t str>, String> {
    let mut found = None;
    each_member(text, |name, value| {
        if unescaped(name).as_deref() == Some(key) {
            found = Some(value);
        }
    })?;
    Ok(found)
}

/// Element `index` of the array `text`, from the end if negative. `None` also if it is no array.
///
/// # Errors
/// If the text is not JSON.
pub(super) fn element(text: &str, index: i64) -> Result<Option<&str>, String> {
    let index = if index < 0 { elements(text)?.len() as i64 + index } else { index };
    let (mut position, mut found) = (0, None);
    each_element(text, |value| {
        if position == index {
            found = Some(value);
        }
        position += 1;
    })?;
    Ok(found)
}

/// The elements of the array `text`; none if it is no array.
pub(super) fn elements(text: &str) -> Result<Vec<&str>, String> {
    let mut found = Vec::new();
    each_element(text, |value| found.push(value))?;
    Ok(found)
}

/// The values of the object `text`; none if it is no object.
pub(super) fn members(text: &str) -> Result<Vec<&str>, String> {
    let mut found = Vec::new();
    each_member(text, |_, value| found.push(value))?;
    Ok(found)
}

fn each_element<'t>(text: &'t str, mut see: impl FnMut(&'t str)) -> Result<(), String> {
    let mut reader = Reader { text, at: 0 };
    let read = match reader.next() {
        Some(b'[') => reader.items(b']', 0, |reader| {
            reader.blanks();
            let start = reader.at;
            reader.skip(1)?;
            see(&text[start..reader.at]);
            Ok(())
        }),
        _ => reader.skip(0),
    };
    read.and_then(|()| reader.end()).map_err(|problem| not_json(text, problem))
}

/// Calls `see` with the keys, between quotes as they are written, and the values.
fn each_member<'t>(text: &'t str, mut see: impl FnMut(&'t str, &'t str)) -> Result<(), String> {
    let mut reader = Reader { text, at: 0 };
    let read = match reader.next() {
        Some(b'{') => reader.items(b'}', 0, |reader| {
            let name = reader.quoted()?;
            reader.expect(b':')?;
            reader.blanks();
            let start = reader.at;
            reader.skip(1)?;
            see(name, &text[start..reader.at]);
            Ok(())
        }),
        _ => reader.skip(0),
    };
    read.and_then(|()| reader.end()).map_err(|problem| not_json(text, problem))
}

/// The text of a string that stands between quotes as `raw`; `None` if an escape is wrong.
pub(super) fn unescaped(raw: &str) -> Option<Cow<'_, str>> {
    if !raw.contains('\\') {
        return Some(Cow::Borrowed(raw));
    }
    let mut text = String::with_capacity(raw.len());
    let mut characters = raw.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            text.push(character);
            continue;
        }
        text.push(match characters.next()? {
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => {
                let unit = four_digits(&mut characters)?;
                match unit {
                    0xd800..=0xdbff => {
                        let low = (characters.next() == Some('\\') && characters.next() == Some('u'))
                            .then(|| four_digits(&mut characters))
                            .flatten()
                            .filter(|low| (0xdc00..=0xdfff).contains(low))?;
                        char::from_u32(0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00))?
                    }
                    unit => char::from_u32(unit)?,
                }
            }
            other @ ('"' | '\\' | '/') => other,
            _ => return None,
        });
    }
    Some(Cow::Owned(text))
}

fn four_digits(characters: &mut std::str::Chars<'_>) -> Option<u32> {
    (0..4).try_fold(0, |value, _| Some(value * 16 + characters.next()?.to_digit(16)?))
}

impl Json {
    /// Appends the canonical form.
    pub(super) fn write(&self, out: &mut String) {
        match self {
            Json::Null => out.push_str("null"),
            Json::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Json::Number(digits) => out.push_str(digits),
            Json::String(text) => write_string(text, out),
            Json::Array(values) => {
                out.push('[');
                for (position, value) in values.iter().enumerate() {
                    out.push_str(if position > 0 { "," } else { "" });
                    value.write(out);
                }
                out.push(']');
            }
            Json::Object(members) => {
                out.push('{');
                for (position, (key, value)) in members.iter().enumerate() {
                    out.push_str(if position > 0 { "," } else { "" });
                    write_string(key, out);
                    out.push(':');
                    value.write(out);
                }
                out.push('}');
            }
        }
    }

    /// Whether all of `part` is in it, as PostgreSQL's `@>` has it: objects by their keys, arrays as sets.
    pub(super) fn contains(&self, part: &Json) -> bool {
        match (self, part) {
            (Json::Object(all), Json::Object(some)) => {
                some.iter().all(|(key, value)| all.get(key).is_some_and(|whole| whole.contains(value)))
            }
            (Json::Array(all), Json::Array(some)) => some.iter().all(|value| all.iter().any(|whole| whole.contains(value))),
            // An array may contain a scalar that stands alone.
            (Json::Array(all), Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_)) => all.contains(part),
            (whole, part) => whole == part,
        }
    }

    /// Takes the members of objects that are null away, at every depth.
    pub(super) fn strip_nulls(&mut self) {
        match self {
            Json::Object(members) => {
                members.retain(|_, value| value != &Json::Null);
                members.values_mut().for_each(Json::strip_nulls);
            }
            Json::Array(values) => values.iter_mut().for_each(Json::strip_nulls),
            _ => {}
        }
    }
}

/// Appends `text` as a JSON string.
pub(super) fn write_string(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            control if control < ' ' => out.push_str(&format!("\\u{:04x}", u32::from(control))),
            other => out.push(other),
        }
    }
    out.push('"');
}

/// A number of JSON without needless digits: no zeros at the ends, no exponent unless it would have very many digits.
pub(super) fn canonical_number(text: &str) -> Option<String> {
    const MOST_DIGITS: i64 = 400;
    let (sign, text) = text.strip_prefix('-').map_or(("", text), |text| ("-", text));
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let exponent: i64 = exponent.parse().ok().filter(|exponent: &i64| exponent.abs() < 1_000_000_000)?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let digits = digits.trim_start_matches('0');
    let short = digits.trim_end_matches('0');
    if short.is_empty() {
        return Some("0".to_owned());
    }
    // The value is `short` times ten to this.
    let exponent = exponent - fraction.len() as i64 + (digits.len() - short.len()) as i64;
    let length = short.len() as i64;
    Some(match exponent {
        0.. if length + exponent <= MOST_DIGITS => format!("{sign}{short}{}", "0".repeat(exponent as usize)),
        ..0 if -exponent < length => {
            let (whole, fraction) = short.split_at((length + exponent) as usize);
            format!("{sign}{whole}.{fraction}")
        }
        ..0 if -exponent <= MOST_DIGITS => format!("{sign}0.{}{short}", "0".repeat((-exponent - length) as usize)),
        _ => format!("{sign}{short}e{exponent}"),
    })
}

/// Reads along a text.
struct Reader<'t> {
    text: &'t str,
    at: usize,
}

type Read<T> = Result<T, &'static str>;

impl<'t> Reader<'t> {
    fn blanks(&mut self) {
        let rest = &self.text.as_bytes()[self.at..];
        self.at += rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count();
    }

    /// The next byte that is not blank; it is not read.
    fn next(&mut self) -> Option<u8> {
        self.blanks();
        self.text.as_bytes().get(self.at).copied()
    }

    fn expect(&mut self, byte: u8) -> Read<()> {
        if self.next() != Some(byte) {
            return Err(match byte {
                b':' => "a colon is missing",
                b'"' => "a string is missing",
                _ => "a comma or an end is missing",
            });
        }
        self.at += 1;
        Ok(())
    }

    fn end(&mut self) -> Read<()> {
        if self.next().is_none() { Ok(()) } else { Err("something follows the value") }
    }

    /// Reads an opening bracket, items between commas, and `close`.
    fn items(&mut self, close: u8, depth: usize, mut item: impl FnMut(&mut Self) -> Read<()>) -> Read<()> {
        if depth >= MAX_DEPTH {
            return Err("it nests too deep");
        }
        self.at += 1;
        if self.next() == Some(close) {
            self.at += 1;
            return Ok(());
        }
        loop {
            item(self)?;
            if self.next() == Some(b',') {
                self.at += 1;
            } else {
                return self.expect(close);
            }
        }
    }

    /// Reads a string; what stands between its quotes.
    fn quoted(&mut self) -> Read<&'t str> {
        self.expect(b'"')?;
        let start = self.at;
        let bytes = self.text.as_bytes();
        loop {
            match bytes.get(self.at) {
                Some(b'"') => break,
                Some(b'\\') => self.at += 2,
                Some(0..=31) => return Err("a string has a control character"),
                Some(_) => self.at += 1,
                None => return Err("a string does not end"),
            }
        }
        let raw = &self.text[start..self.at];
        self.at += 1;
        if raw.contains('\\') && unescaped(raw).is_none() { Err("a string has a wrong escape") } else { Ok(raw) }
    }

    fn word(&mut self, word: &str) -> Read<()> {
        if !self.text[self.at..].starts_with(word) {
            return Err("a value is missing");
        }
        self.at += word.len();
        Ok(())
    }

    fn number(&mut self) -> Read<&'t str> {
        let (start, bytes) = (self.at, self.text.as_bytes());
        let digits = |at: usize| bytes[at.min(bytes.len())..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let mut at = start + usize::from(bytes.get(start) == Some(&b'-'));
        let whole = digits(at);
        if whole == 0 || (whole > 1 && bytes[at] == b'0') {
            return Err("a value is missing or a number is wrong");
        }
        at += whole;
        if bytes.get(at) == Some(&b'.') {
            let fraction = digits(at + 1);
            if fraction == 0 {
                return Err("a number has no digits behind its point");
            }
            at += 1 + fraction;
        }
        if matches!(bytes.get(at), Some(b'e' | b'E')) {
            at += 1 + usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
            let exponent = digits(at);
            if exponent == 0 {
                return Err("a number has no exponent");
            }
            at += exponent;
        }
        self.at = at;
        Ok(&self.text[start..at])
    }

    /// Reads a value and forgets it.
    fn skip(&mut self, depth: usize) -> Read<()> {
        match self.next() {
            Some(b'{') => self.items(b'}', depth, |reader| {
                reader.quoted()?;
                reader.expect(b':')?;
                reader.skip(depth + 1)
            }),
            Some(b'[') => self.items(b']', depth, |reader| reader.skip(depth + 1)),
            Some(b'"') => self.quoted().map(|_| ()),
            Some(b't') => self.word("true"),
            Some(b'f') => self.word("false"),
            Some(b'n') => self.word("null"),
            Some(_) => self.number().map(|_| ()),
            None => Err("a value is missing"),
        }
    }

    fn value(&mut self, depth: usize) -> Read<Json> {
        Ok(match self.next() {
            Some(b'{') => {
                let mut members = BTreeMap::new();
                self.items(b'}', depth, |reader| {
                    let key = unescaped(reader.quoted()?).ok_or("a string has a wrong escape")?.into_owned();
                    reader.expect(b':')?;
                    members.insert(key, reader.value(depth + 1)?);
                    Ok(())
                })?;
                Json::Object(members)
            }
            Some(b'[') => {
                let mut values = Vec::new();
                self.items(b']', depth, |reader| {
                    values.push(reader.value(depth + 1)?);
                    Ok(())
                })?;
                Json::Array(values)
            }
            Some(b'"') => Json::String(unescaped(self.quoted()?).ok_or("a string has a wrong escape")?.into_owned()),
            Some(b't') => self.word("true").map(|()| Json::Bool(true))?,
            Some(b'f') => self.word("false").map(|()| Json::Bool(false))?,
            Some(b'n') => self.word("null").map(|()| Json::Null)?,
            Some(_) => Json::Number(canonical_number(self.number()?).ok_or("a number is out of range")?),
            None => return Err("a value is missing"),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn canonical(text: &str) -> String {
        let mut out = String::new();
        parse(text).unwrap().write(&mut out);
        out
    }

    #[test]
    fn equal_values_have_one_form() {
        for (text, wanted) in [
            (r#" { "b" : [1, 2.50,-0.0], "a" : null, "b" : "x\u0041\n" } "#, r#"{"a":null,"b":"xA\n"}"#),
            ("1e3", "1000"),
            ("1000.000", "1000"),
            ("0.001", "0.001"),
            ("1.5E-2", "0.015"),
            ("-0", "0"),
            ("12345678901234567890.12345678901234567890", "12345678901234567890.1234567890123456789"),
            ("1e500", "1e500"),
            (r#""\ud83d\ude00\/""#, "\"\u{1f600}/\""),
            ("[]", "[]"),
        ] {
            assert_eq!(canonical(text), wanted);
            assert_eq!(canonical(wanted), wanted, "the canonical form is its own");
            assert!(check(text).is_ok());
        }
    }

    #[test]
    fn what_is_not_json_is_refused() {
        let deep = "[".repeat(MAX_DEPTH + 1);
        for text in
            ["", "{", "[1,]", "{\"a\"}", "01", "1.", "nul", "\"\\x\"", "\"\\ud800\"", "1 2", "'a'", &deep, "[1", "\"a", "{1:2}"]
        {
            assert!(parse(text).is_err(), "{text}");
            assert!(check(text).is_err(), "{text}");
        }
    }

    #[test]
    fn values_are_cut_out() {
        let text = r#"{"a": [10, {"b": "x"}], "a\u0062": 1, "a": [20, 30]}"#;
        assert_eq!(member(text, "a").unwrap(), Some("[20, 30]"), "the last one");
        assert_eq!(member(text, "ab").unwrap(), Some("1"));
        assert_eq!(member("[1]", "a").unwrap(), None);
        assert_eq!(element("[1, [2, 3] ,4]", 1).unwrap(), Some("[2, 3]"));
        assert_eq!(element("[1,2]", -1).unwrap(), Some("2"));
        assert_eq!(element("[1,2]", 2).unwrap(), None);
        assert!(element("[1,2", 0).is_err());
    }

    #[test]
    fn containment_is_that_of_postgresql() {
        let contains = |whole: &str, part: &str| parse(whole).unwrap().contains(&parse(part).unwrap());
        assert!(contains(r#"{"a":1,"b":{"c":[1,2]}}"#, r#"{"b":{"c":[2]}}"#));
        assert!(contains("[1,[2,3]]", "[[3]]"));
        assert!(contains(r#"["foo","bar"]"#, r#""bar""#));
        assert!(!contains(r#""bar""#, r#"["bar"]"#));
        assert!(!contains(r#"{"a":{"b":1}}"#, r#"{"b":1}"#));
    }
}
