//! Operators on text: `||`, `LIKE`, regular expressions.
//!
//! A regular expression costs a hundred microseconds to compile and is nearly always a literal, while a batch may have one row: so compiled ones
//! are kept per thread, by pattern. `LIKE` needs one too, unless its pattern is a text with `%` at its ends only.

use std::rc::Rc;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, BooleanBuilder, StringArray};
use arrow::compute::kernels::comparison;
use arrow::compute::kernels::concat_elements::concat_elements_dyn;
use arrow::datatypes::DataType;
use regex::Regex;

use super::isolate::isolate;
use super::value::{Evaluation, Value};
use crate::errors::code;
use crate::functions::kept::{Kept, kept};
use crate::{BinaryOp, EvalError, RowErrors};

/// `left || right`: NULL if either is.
pub(super) fn concat(left: &Value, right: &Value, rows: usize) -> Evaluation {
    let data_type = left.inner().data_type();
    if data_type != right.inner().data_type() || !matches!(data_type, DataType::Utf8 | DataType::Binary) {
        return super::unsupported("||", &[left, right], rows);
    }
    let apply = |inputs: &[Value], rows: usize| {
        let (left, right) = (inputs[0].clone().into_array(rows), inputs[1].clone().into_array(rows));
        concat_elements_dyn(&left, &right).map_err(|error| error.to_string())
    };
    isolate(&[left.clone(), right.clone()], rows, data_type, &apply, &|_, message| EvalError::new(code::FUNCTION, message))
}

/// `input LIKE pattern` and its kin.
pub(super) fn like(input: &Value, pattern: &Value, negated: bool, case_insensitive: bool, rows: usize) -> Evaluation {
    if let Some(values) = like_by_regex(input, pattern, negated, case_insensitive) {
        return Evaluation::like(Arc::new(values), input);
    }
    let apply = |inputs: &[Value], _rows: usize| -> Result<ArrayRef, String> {
        let result = match (negated, case_insensitive) {
            (false, false) => comparison::like(&inputs[0], &inputs[1]),
            (true, false) => comparison::nlike(&inputs[0], &inputs[1]),
            (false, true) => comparison::ilike(&inputs[0], &inputs[1]),
            (true, true) => comparison::nilike(&inputs[0], &inputs[1]),
        };
        result.map(|array| Arc::new(array) as ArrayRef).map_err(|error| error.to_string())
    };
    isolate(&[input.clone(), pattern.clone()], rows, &DataType::Boolean, &apply, &|_, message| {
        EvalError::new(code::UNSUPPORTED, message)
    })
}

/// `LIKE` by a kept regular expression, if the pattern is a literal that Arrow would compile for each batch.
fn like_by_regex(input: &Value, pattern: &Value, negated: bool, case_insensitive: bool) -> Option<BooleanArray> {
    let texts = input.inner().as_string_opt::<i32>()?;
    let pattern = value(pattern.inner().as_string_opt::<i32>().filter(|_| pattern.is_scalar())?, 0)?;
    let simple = pattern.strip_prefix('%').unwrap_or(pattern);
    let simple = simple.strip_suffix('%').unwrap_or(simple);
    if !case_insensitive && !simple.contains(['%', '_', '\\']) {
        return None;
    }
    let regex = compiled(&like_pattern(pattern), case_insensitive).ok()?;
    Some(texts.iter().map(|text| text.map(|text| regex.is_match(text) != negated)).collect())
}

/// A `LIKE` pattern as a regular expression: `%` is anything, `_` one character, a backslash takes the next one literally. A `%` at an end
/// leaves that end open, which is faster to match than anything.
fn like_pattern(pattern: &str) -> String {
    let inner = pattern.trim_start_matches('%');
    let mut out = String::from(if inner.len() < pattern.len() { "(?s)" } else { "(?s)^" });
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        match character {
            '%' if characters.as_str().trim_start_matches('%').is_empty() => return out,
            '%' => out.push_str(".*"),
            '_' => out.push('.'),
            '\\' => out.push_str(&regex::escape(characters.next().unwrap_or('\\').encode_utf8(&mut [0; 4]))),
            other => out.push_str(&regex::escape(other.encode_utf8(&mut [0; 4]))),
        }
    }
    // An open end on the left that nothing follows matches everything.
    out.push_str(if inner.is_empty() && !pattern.is_empty() { "" } else { "$" });
    out
}

/// `left ~ right`, `~*`, `!~`, `!~*`: whether the expression matches anywhere in the text.
pub(super) fn regex(op: BinaryOp, left: &Value, right: &Value, rows: usize) -> Evaluation {
    let case_insensitive = matches!(op, BinaryOp::RegexIMatch | BinaryOp::RegexNotIMatch);
    let negated = matches!(op, BinaryOp::RegexNotMatch | BinaryOp::RegexNotIMatch);
    let (Some(texts), Some(patterns)) = (left.inner().as_string_opt::<i32>(), right.inner().as_string_opt::<i32>()) else {
        return super::unsupported(&op.to_string(), &[left, right], rows);
    };
    let mut values = BooleanBuilder::with_capacity(rows);
    let mut errors = RowErrors::none();
    let mut last: Option<(&str, Compiled)> = None;
    for row in 0..rows {
        let (Some(text), Some(pattern)) = (value(texts, left.position(row)), value(patterns, right.position(row))) else {
            values.append_null();
            continue;
        };
        if last.as_ref().is_none_or(|(known, _)| *known != pattern) {
            last = Some((pattern, compiled(pattern, case_insensitive)));
        }
        match &last {
            Some((_, Ok(regex))) => values.append_value(regex.is_match(text) != negated),
            Some((_, Err(reason))) => {
                values.append_null();
                errors.insert(row, EvalError::new(code::REGEX, format!("invalid regular expression '{pattern}': {reason}")));
            }
            None => values.append_null(),
        }
    }
    let values: BooleanArray = values.finish();
    Evaluation { value: Value::Array(Arc::new(values)), errors }
}

fn value(array: &StringArray, position: usize) -> Option<&str> {
    array.is_valid(position).then(|| array.value(position))
}

/// Shared and not cloned: a clone of a regex has to build its caches anew.
type Compiled = Result<Rc<Regex>, String>;

thread_local! {
    static COMPILED: Kept<Regex> = Kept::default();
}

fn compiled(pattern: &str, case_insensitive: bool) -> Compiled {
    if case_insensitive {
        return kept(&COMPILED, &format!("(?i){pattern}"), compile);
    }
    kept(&COMPILED, pattern, compile)
}

fn compile(pattern: &str) -> Result<Regex, String> {
    Regex::new(pattern).map_err(|error| last_line(&error))
}

/// A regular expression of a function; the error names it.
pub(crate) fn compile_regex(pattern: &str) -> Result<Regex, String> {
    compile(pattern).map_err(|reason| format!("invalid regular expression '{pattern}': {reason}"))
}

/// The reason without the drawing that points into the pattern.
fn last_line(error: &regex::Error) -> String {
    let text = error.to_string();
    text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
}
