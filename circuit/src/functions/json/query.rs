//! What is at an SQL/JSON path.
//!
//! The functions of the SQL standard are NULL, or false, for what is no JSON or does not fit a strict path; PostgreSQL's `jsonb_path_query..` fail.

use std::sync::Arc;

use arrow::array::{ArrayRef, ListBuilder, StringBuilder};

use super::super::call::Call;
use super::super::kept::{Kept, Last};
use super::super::parameters::Kind;
use super::super::{Definition, Group, returns};
use super::path::{self, Path};
use super::value::{kind, parse};
use super::{append, definition};

pub(super) const VALUE: Definition = definition!(
    "json_value",
    &["json_extract_scalar"],
    "json_value(json, path)",
    "The one scalar at an SQL/JSON path, as text; NULL if there is none, several, or the text is no JSON.",
    &[Kind::Text, Kind::Text],
    2,
    false,
    returns::text,
    json_value
);

pub(super) const QUERY: Definition = definition!(
    "json_query",
    &["json_extract"],
    "json_query(json, path)",
    "The one value at an SQL/JSON path, as JSON; NULL if there is none, several, or the text is no JSON.",
    &[Kind::Text, Kind::Text],
    2,
    false,
    returns::text,
    json_query
);

pub(super) const EXISTS: Definition = definition!(
    "json_exists",
    &["jsonb_path_exists"],
    "json_exists(json, path)",
    "Whether something is at an SQL/JSON path.",
    &[Kind::Text, Kind::Text],
    2,
    false,
    returns::boolean,
    json_exists
);

pub(super) const QUERY_ARRAY: Definition = definition!(
    "jsonb_path_query_array",
    &[],
    "jsonb_path_query_array(json, path)",
    "All values at an SQL/JSON path, as a JSON array.",
    &[Kind::Text, Kind::Text],
    2,
    false,
    returns::text,
    |call| at_path(call, |found, out| {
        out.push('[');
        for (position, value) in found?.into_iter().enumerate() {
            out.push_str(if position > 0 { "," } else { "" });
            parse(value)?.write(out);
        }
        out.push(']');
        Ok(true)
    })
);

pub(super) const QUERY_FIRST: Definition = definition!(
    "jsonb_path_query_first",
    &[],
    "jsonb_path_query_first(json, path)",
    "The first value at an SQL/JSON path, as JSON; NULL if there is none.",
    &[Kind::Text, Kind::Text],
    2,
    false,
    returns::text,
    |call| at_path(call, |found, out| match found?.first() {
        Some(value) => parse(value).map(|value| value.write(out)).map(|()| true),
        None => Ok(false),
    })
);

pub(super) const QUERY_ROWS: Definition = definition!(
    "jsonb_path_query",
    &[],
    "jsonb_path_query(json, path)",
    "The values at an SQL/JSON path: rows in FROM and as an item of SELECT, else an array.",
    &[Kind::Text, Kind::Text],
    2,
    false,
    returns::texts,
    rows
);

thread_local! {
    static PATHS: Kept<Path> = Kept::default();
}

/// Calls `see` with what is at the path; what is no JSON, or does not fit a strict path, is seen as an error.
fn at_path(
    call: &Call<'_>,
    mut see: impl FnMut(Result<Vec<&str>, String>, &mut String) -> Result<bool, String>,
) -> Result<ArrayRef, String> {
    let (values, paths) = (call.text(0), call.text(1));
    let mut compiled = Last::new(&PATHS, path::compile);
    call.write(|row, out| {
        let (Some(value), Some(path)) = (values.get(row), paths.get(row)) else { return Ok(false) };
        see(compiled.get(path)?.find(value), out)
    })
}

fn json_value(call: &Call<'_>) -> Result<ArrayRef, String> {
    at_path(call, |found, out| match found.as_deref() {
        Ok([found]) if !matches!(kind(found), "object" | "array") => append(Some(found), true, out),
        _ => Ok(false),
    })
}

fn json_query(call: &Call<'_>) -> Result<ArrayRef, String> {
    at_path(call, |found, out| match found.as_deref() {
        Ok([found]) => append(Some(found), false, out),
        _ => Ok(false),
    })
}

fn json_exists(call: &Call<'_>) -> Result<ArrayRef, String> {
    let (values, paths) = (call.text(0), call.text(1));
    let mut compiled = Last::new(&PATHS, path::compile);
    call.test(|row| {
        let (Some(value), Some(path)) = (values.get(row), paths.get(row)) else { return Ok(None) };
        Ok(Some(compiled.get(path)?.find(value).is_ok_and(|found| !found.is_empty())))
    })
}

fn rows(call: &Call<'_>) -> Result<ArrayRef, String> {
    let (values, paths) = (call.text(0), call.text(1));
    let mut compiled = Last::new(&PATHS, path::compile);
    let (mut lists, mut written) = (ListBuilder::new(StringBuilder::new()), String::new());
    for row in 0..call.rows {
        let (Some(value), Some(path)) = (values.get(row), paths.get(row)) else {
            lists.append_null();
            continue;
        };
        for found in compiled.get(path)?.find(value)? {
            written.clear();
            parse(found)?.write(&mut written);
            lists.values().append_value(&written);
        }
        lists.append(true);
    }
    Ok(Arc::new(lists.finish()))
}
