//! Regular expressions. Each is compiled once per thread and kept; DataFusion compiles them for each batch.
//!
//! The language is that of Rust's `regex`, as for the operator `~`: it matches in time linear in the text, and has no back references within a
//! pattern. Flags are PostgreSQL's: `i`, `c`, `g` (replace all), `n` and `m` (`^` and `$` match at lines), `s`, `x`.

use arrow::array::{ArrayRef, ListBuilder, StringArray, StringBuilder};
use arrow::datatypes::{DataType, Field, Int64Type};
use std::sync::Arc;

use ::regex::{CaptureLocations, Captures, Match, Regex};

use super::call::{Argument, Call};
use super::kept::{Kept, Last};
use super::parameters::Kind;
use super::{Definition, Group, returns};
use crate::eval::compile_regex;

macro_rules! definition {
    ($name:literal, $aliases:expr, $usage:literal, $about:literal, $parameters:expr, $required:literal, $returns:expr, $kernel:expr) => {
        Definition {
            name: $name,
            aliases: $aliases,
            group: Group::Pattern,
            usage: $usage,
            about: $about,
            parameters: $parameters,
            required: $required,
            variadic: false,
            returns: $returns,
            kernel: $kernel,
        }
    };
}

const T: Kind = Kind::Text;
const I: Kind = Kind::Integer;

/// The functions of this module.
pub(super) const DEFINITIONS: &[Definition] = &[
    definition!(
        "regexp_like",
        &["rlike"],
        "regexp_like(text, pattern [, flags])",
        "Whether the pattern matches somewhere in the text.",
        &[T, T, T],
        2,
        returns::boolean,
        regexp_like
    ),
    definition!(
        "regexp_count",
        &[],
        "regexp_count(text, pattern [, start [, flags]])",
        "How often the pattern matches, from character `start` (1) on.",
        &[T, T, I, T],
        2,
        returns::bigint,
        regexp_count
    ),
    definition!(
        "regexp_match",
        &[],
        "regexp_match(text, pattern [, flags])",
        "The groups of the first match as an array, or the whole match if the pattern has none; NULL without a match.",
        &[T, T, T],
        2,
        returns::texts,
        regexp_match
    ),
    definition!(
        "regexp_matches",
        &[],
        "regexp_matches(text, pattern [, flags])",
        "The groups of the first match (with the flag `g` of every match), each as `regexp_match`: rows in FROM and in SELECT, else an array of arrays.",
        &[T, T, T],
        2,
        |_| Ok(DataType::new_list(DataType::new_list(DataType::Utf8, true), true)),
        regexp_matches
    ),
    definition!(
        "regexp_extract",
        &[],
        "regexp_extract(text, pattern [, group])",
        "Group `group` (0 is the whole match, also without the argument) of the first match; NULL without a match.",
        &[T, T, I],
        2,
        returns::text,
        regexp_extract
    ),
    definition!(
        "regexp_extract_all",
        &[],
        "regexp_extract_all(text, pattern [, group])",
        "Group `group` (0 is the whole match, also without the argument) of every match, as an array.",
        &[T, T, I],
        2,
        returns::texts,
        regexp_extract_all
    ),
    definition!(
        "regexp_substr",
        &[],
        "regexp_substr(text, pattern [, start [, n [, flags [, group]]]])",
        "Match number `n` (1) from character `start` (1) on, or a group of it; NULL without one.",
        &[T, T, I, I, T, I],
        2,
        returns::text,
        regexp_substr
    ),
    definition!(
        "regexp_instr",
        &[],
        "regexp_instr(text, pattern [, start [, n [, end [, flags [, group]]]]])",
        "Where (in characters, from 1) match number `n` begins, or what follows it if `end` is 1; 0 without a match.",
        &[T, T, I, I, I, T, I],
        2,
        returns::bigint,
        regexp_instr
    ),
    definition!(
        "substring_by_regex",
        &[],
        "substring(text FROM pattern)",
        "The first group of the first match, or the whole match if the pattern has none; NULL without a match.",
        &[T, T],
        2,
        returns::text,
        substring_by_regex
    ),
    definition!(
        "regexp_replace",
        &[],
        "regexp_replace(text, pattern, replacement [, flags])",
        "The text with the first match (with the flag `g` every match) replaced; `\\1` is group 1, `\\&` the match.",
        &[T, T, T, T],
        3,
        returns::text,
        regexp_replace
    ),
    definition!(
        "regexp_split_to_array",
        &[],
        "regexp_split_to_array(text, pattern [, flags])",
        "The parts of the text between matches.",
        &[T, T, T],
        2,
        returns::texts,
        regexp_split_to_array
    ),
];

thread_local! {
    static REGEXES: Kept<Regex> = Kept::default();
}

/// The compiled expressions of the rows of one call.
struct Regexes<'a> {
    patterns: Argument<&'a StringArray>,
    flags: Option<Argument<&'a StringArray>>,
    last: Last<Regex>,
    with_flags: String,
}

impl<'a> Regexes<'a> {
    fn new(call: &'a Call<'_>, flags: Option<usize>) -> Self {
        let flags = flags.and_then(|index| call.optional_text(index));
        Regexes { patterns: call.text(1), flags, last: Last::new(&REGEXES, compile_regex), with_flags: String::new() }
    }

    /// The expression at `row`, and whether its flags have a `g`; `None` if pattern or flags are NULL.
    fn get(&mut self, row: usize) -> Result<Option<(&Regex, bool)>, String> {
        Ok(self.numbered(row)?.map(|(regex, _, global)| (regex, global)))
    }

    /// As [`Regexes::get`], with a number that stays the same as long as the expression does.
    fn numbered(&mut self, row: usize) -> Result<Option<(&Regex, usize, bool)>, String> {
        let with = |(regex, number), global| Ok(Some((regex, number, global)));
        let Some(pattern) = self.patterns.get(row) else { return Ok(None) };
        let Some(flags) = self.flags else { return with(self.last.numbered(pattern)?, false) };
        let Some(flags) = flags.get(row) else { return Ok(None) };
        let mut global = false;
        self.with_flags.clear();
        for flag in flags.chars() {
            match flag {
                'g' => global = true,
                'c' => {}
                'i' | 's' | 'x' => self.with_flags.push(flag),
                'm' | 'n' => self.with_flags.push('m'),
                other => return Err(format!("the flag {other} is not one of c, g, i, m, n, s, x")),
            }
        }
        if self.with_flags.is_empty() {
            return with(self.last.numbered(pattern)?, global);
        }
        let text = format!("(?{}){pattern}", self.with_flags);
        with(self.last.numbered(&text)?, global)
    }
}

/// An integer argument with the value that it has when it is left out.
fn optional(argument: Option<Argument<&arrow::array::Int64Array>>, row: usize, usual: i64) -> Option<i64> {
    argument.map_or(Some(usual), |argument| argument.get(row))
}

/// The text from character `start` on, counted from 1.
fn from_character(text: &str, start: i64) -> Result<&str, String> {
    if start < 1 {
        return Err(format!("the start must be positive, not {start}"));
    }
    let offset =
        text.char_indices().nth(usize::try_from(start - 1).unwrap_or(usize::MAX)).map_or(text.len(), |(offset, _)| offset);
    Ok(&text[offset..])
}

fn regexp_like(call: &Call<'_>) -> Result<ArrayRef, String> {
    let (texts, mut regexes) = (call.text(0), Regexes::new(call, Some(2)));
    call.test(|row| {
        let Some((regex, _)) = regexes.get(row)? else { return Ok(None) };
        Ok(texts.get(row).map(|text| regex.is_match(text)))
    })
}

fn regexp_count(call: &Call<'_>) -> Result<ArrayRef, String> {
    let (texts, mut regexes, starts) = (call.text(0), Regexes::new(call, Some(3)), call.optional_integer(2));
    call.compute::<Int64Type>(|row| {
        let Some((regex, _)) = regexes.get(row)? else { return Ok(None) };
        let (Some(text), Some(start)) = (texts.get(row), optional(starts, row, 1)) else { return Ok(None) };
        Ok(Some(regex.find_iter(from_character(text, start)?).count() as i64))
    })
}

/// Arrays of texts, one per row: `fill` appends the elements of a row and says whether it is not NULL.
fn lists(call: &Call<'_>, mut fill: impl FnMut(usize, &mut StringBuilder) -> Result<bool, String>) -> Result<ArrayRef, String> {
    let field = Arc::new(Field::new_list_field(DataType::Utf8, true));
    let mut lists = ListBuilder::new(StringBuilder::new()).with_field(field);
    for row in 0..call.rows {
        let is_value = fill(row, lists.values())?;
        lists.append(is_value);
    }
    Ok(Arc::new(lists.finish()))
}

fn regexp_match(call: &Call<'_>) -> Result<ArrayRef, String> {
    let (texts, mut regexes) = (call.text(0), Regexes::new(call, Some(2)));
    // Where the groups of a match are: made once for each expression, not for each row.
    let mut known: Option<(usize, CaptureLocations)> = None;
    lists(call, |row, list| {
        let (Some((regex, number, _)), Some(text)) = (regexes.numbered(row)?, texts.get(row)) else { return Ok(false) };
        if known.as_ref().is_none_or(|(known, _)| *known != number) {
            known = Some((number, regex.capture_locations()));
        }
        let Some((_, groups)) = &mut known else { return Ok(false) };
        if regex.captures_read(groups, text).is_none() {
            return Ok(false);
        }
        for group in usize::from(groups.len() > 1)..groups.len() {
            list.append_option(groups.get(group).map(|(from, to)| &text[from..to]));
        }
        Ok(true)
    })
}

fn regexp_matches(call: &Call<'_>) -> Result<ArrayRef, String> {
    let (texts, mut regexes) = (call.text(0), Regexes::new(call, Some(2)));
    let mut matches = ListBuilder::new(ListBuilder::new(StringBuilder::new()));
    for row in 0..call.rows {
        let (Some((regex, global)), Some(text)) = (regexes.get(row)?, texts.get(row)) else {
            matches.append_null();
            continue;
        };
        let first = usize::from(regex.captures_len() > 1);
        for captures in regex.captures_iter(text).take(if global { usize::MAX } else { 1 }) {
            let groups = matches.values();
            captures.iter().skip(first).for_each(|group| groups.values().append_option(group.map(|group| group.as_str())));
            groups.append(true);
        }
        matches.append(true);
    }
    Ok(Arc::new(matches.finish()))
}

fn regexp_extract(call: &Call<'_>) -> Result<ArrayRef, String> {
    let (texts, mut regexes, groups) = (call.text(0), Regexes::new(call, None), call.optional_integer(2));
    call.write(|row, out| {
        let (Some((regex, _)), Some(text)) = (regexes.get(row)?, texts.get(row)) else { return Ok(false) };
        let Some(group) = optional(groups, row, 0) else { return Ok(false) };
        Ok(append(find(regex, text, group)?, out))
    })
}

/// Group `group` of the first match. The whole match is found without looking for groups, which is several times faster.
fn find<'t>(regex: &Regex, text: &'t str, group: i64) -> Result<Option<&'t str>, String> {
    if group == 0 {
        return Ok(regex.find(text).map(|found| found.as_str()));
    }
    let captures = regex.captures(text);
    captures.map_or(Ok(None), |captures| nth_group(&captures, group))
}

fn nth_group<'t>(captures: &Captures<'t>, group: i64) -> Result<Option<&'t str>, String> {
    match usize::try_from(group).ok().filter(|group| *group < captures.len()) {
        Some(group) => Ok(captures.get(group).map(|group| group.as_str())),
        None => Err(format!("the pattern has {} groups, not {group}", captures.len() - 1)),
    }
}

fn append(text: Option<&str>, out: &mut String) -> bool {
    text.inspect(|text| out.push_str(text)).is_some()
}

fn regexp_extract_all(call: &Call<'_>) -> Result<ArrayRef, String> {
    let (texts, mut regexes, groups) = (call.text(0), Regexes::new(call, None), call.optional_integer(2));
    lists(call, |row, list| {
        let (Some((regex, _)), Some(text)) = (regexes.get(row)?, texts.get(row)) else { return Ok(false) };
        let Some(group) = optional(groups, row, 0) else { return Ok(false) };
        for captures in regex.captures_iter(text) {
            list.append_option(nth_group(&captures, group)?);
        }
        Ok(true)
    })
}

/// Match number `n` from a character on: its captures, and how many bytes of the text precede what was searched.
fn nth_match<'t>(regex: &Regex, text: &'t str, start: i64, n: i64) -> Result<Option<(Captures<'t>, usize)>, String> {
    let rest = from_character(text, start)?;
    let n = usize::try_from(n - 1).map_err(|_| format!("the number of the match must be positive, not {n}"))?;
    Ok(regex.captures_iter(rest).nth(n).map(|captures| (captures, text.len() - rest.len())))
}

fn regexp_substr(call: &Call<'_>) -> Result<ArrayRef, String> {
    let (texts, mut regexes) = (call.text(0), Regexes::new(call, Some(4)));
    let [starts, counts, groups] = [2, 3, 5].map(|index| call.optional_integer(index));
    call.write(|row, out| {
        let (Some((regex, _)), Some(text)) = (regexes.get(row)?, texts.get(row)) else { return Ok(false) };
        let arguments = (optional(starts, row, 1), optional(counts, row, 1), optional(groups, row, 0));
        let (Some(start), Some(n), Some(group)) = arguments else { return Ok(false) };
        let found = nth_match(regex, text, start, n)?;
        Ok(append(found.map_or(Ok(None), |(captures, _)| nth_group(&captures, group))?, out))
    })
}

fn regexp_instr(call: &Call<'_>) -> Result<ArrayRef, String> {
    let (texts, mut regexes) = (call.text(0), Regexes::new(call, Some(5)));
    let [starts, counts, ends, groups] = [2, 3, 4, 6].map(|index| call.optional_integer(index));
    call.compute::<Int64Type>(|row| {
        let (Some((regex, _)), Some(text)) = (regexes.get(row)?, texts.get(row)) else { return Ok(None) };
        let arguments = (optional(starts, row, 1), optional(counts, row, 1), optional(ends, row, 0), optional(groups, row, 0));
        let (Some(start), Some(n), Some(end), Some(group)) = arguments else { return Ok(None) };
        let Some((captures, before)) = nth_match(regex, text, start, n)? else { return Ok(Some(0)) };
        nth_group(&captures, group)?;
        let Some(found) = captures.get(group as usize) else { return Ok(Some(0)) };
        let bytes = before + if end == 0 { found.start() } else { found.end() };
        Ok(Some(text[..bytes].chars().count() as i64 + 1))
    })
}

fn substring_by_regex(call: &Call<'_>) -> Result<ArrayRef, String> {
    let (texts, mut regexes) = (call.text(0), Regexes::new(call, None));
    call.write(|row, out| {
        let (Some((regex, _)), Some(text)) = (regexes.get(row)?, texts.get(row)) else { return Ok(false) };
        Ok(append(find(regex, text, i64::from(regex.captures_len() > 1))?, out))
    })
}

fn regexp_replace(call: &Call<'_>) -> Result<ArrayRef, String> {
    let (texts, replacements, mut regexes) = (call.text(0), call.text(2), Regexes::new(call, Some(3)));
    call.write(|row, out| {
        let Some((regex, global)) = regexes.get(row)? else { return Ok(false) };
        let (Some(text), Some(replacement)) = (texts.get(row), replacements.get(row)) else { return Ok(false) };
        let mut last = 0;
        // Without groups, and one match at a time, matches are found several times faster.
        if !replacement.contains('\\') {
            let mut replace = |found: Match<'_>| {
                out.push_str(&text[last..found.start()]);
                out.push_str(replacement);
                last = found.end();
            };
            match global {
                true => regex.find_iter(text).for_each(replace),
                false => regex.find(text).into_iter().for_each(&mut replace),
            }
            out.push_str(&text[last..]);
            return Ok(true);
        }
        for captures in regex.captures_iter(text).take(if global { usize::MAX } else { 1 }) {
            let Some(whole) = captures.get(0) else { continue };
            out.push_str(&text[last..whole.start()]);
            expand(replacement, &captures, out);
            last = whole.end();
        }
        out.push_str(&text[last..]);
        Ok(true)
    })
}

/// Appends a replacement: `\1` to `\9` are groups, `\&` the match, `\\` a backslash.
fn expand(replacement: &str, captures: &Captures<'_>, out: &mut String) {
    let mut characters = replacement.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            out.push(character);
            continue;
        }
        match characters.next() {
            Some('&') => out.push_str(captures.get(0).map_or("", |group| group.as_str())),
            Some(digit @ '1'..='9') => {
                out.push_str(captures.get(digit as usize - '0' as usize).map_or("", |group| group.as_str()))
            }
            Some(other) => out.push(other),
            None => out.push('\\'),
        }
    }
}

fn regexp_split_to_array(call: &Call<'_>) -> Result<ArrayRef, String> {
    let (texts, mut regexes) = (call.text(0), Regexes::new(call, Some(2)));
    lists(call, |row, list| {
        let (Some((regex, _)), Some(text)) = (regexes.get(row)?, texts.get(row)) else { return Ok(false) };
        // An empty match at an end, or right behind another, cuts nothing off.
        let mut last = 0;
        for found in regex.find_iter(text) {
            if found.is_empty() && (found.start() == 0 || found.start() == text.len() || found.start() == last) {
                continue;
            }
            list.append_value(&text[last..found.start()]);
            last = found.end();
        }
        list.append_value(&text[last..]);
        Ok(true)
    })
}
