//! The parts of a value as lists. In FROM and as items of SELECT their calls make rows, as PostgreSQL's functions of these names do.

use arrow::array::{ArrayRef, ListBuilder, StringBuilder};
use std::sync::Arc;

use super::super::call::Call;
use super::super::parameters::Kind;
use super::super::{Definition, Group, returns};
use super::definition;
use super::value::{Json, parse};

pub(super) const ELEMENTS: Definition = definition!(
    "jsonb_array_elements",
    &["json_array_elements"],
    "jsonb_array_elements(json)",
    "The elements of an array: rows in FROM and as an item of SELECT, else an array.",
    &[Kind::Text],
    1,
    false,
    returns::texts,
    |call| lists(call, |value| elements(value)?.into_iter().map(|element| Ok(Some(written(&element)))).collect())
);

pub(super) const ELEMENTS_TEXT: Definition = definition!(
    "jsonb_array_elements_text",
    &["json_array_elements_text"],
    "jsonb_array_elements_text(json)",
    "As `jsonb_array_elements`, as text.",
    &[Kind::Text],
    1,
    false,
    returns::texts,
    |call| lists(call, |value| Ok(elements(value)?.into_iter().map(as_text).collect()))
);

pub(super) const KEYS: Definition = definition!(
    "jsonb_object_keys",
    &["json_object_keys"],
    "jsonb_object_keys(json)",
    "The keys of an object in their order: rows in FROM and as an item of SELECT, else an array.",
    &[Kind::Text],
    1,
    false,
    returns::texts,
    |call| lists(call, |value| Ok(members(value)?.into_iter().map(|(key, _)| Some(key)).collect()))
);

pub(super) const VALUES: Definition = definition!(
    "jsonb_object_values",
    &["json_object_values"],
    "jsonb_object_values(json)",
    "The values of an object in the order of their keys, as an array; `jsonb_each` in FROM has them beside the keys.",
    &[Kind::Text],
    1,
    false,
    returns::texts,
    |call| lists(call, |value| Ok(members(value)?.into_iter().map(|(_, value)| Some(written(&value))).collect()))
);

pub(super) const VALUES_TEXT: Definition = definition!(
    "jsonb_object_values_text",
    &["json_object_values_text"],
    "jsonb_object_values_text(json)",
    "As `jsonb_object_values`, as text; `jsonb_each_text` in FROM has them beside the keys.",
    &[Kind::Text],
    1,
    false,
    returns::texts,
    |call| lists(call, |value| Ok(members(value)?.into_iter().map(|(_, value)| as_text(value)).collect()))
);

type Parts = Result<Vec<Option<String>>, String>;

/// A list per row; NULL for NULL.
fn lists(call: &Call<'_>, parts: impl Fn(Json) -> Parts) -> Result<ArrayRef, String> {
    let values = call.text(0);
    let mut builder = ListBuilder::new(StringBuilder::new());
    for row in 0..call.rows {
        if let Some(text) = values.get(row) {
            parts(parse(text)?)?.into_iter().for_each(|part| builder.values().append_option(part));
            builder.append(true);
        } else {
            builder.append(false);
        }
    }
    Ok(Arc::new(builder.finish()))
}

fn elements(value: Json) -> Result<Vec<Json>, String> {
    match value {
        Json::Array(elements) => Ok(elements),
        Json::Object(_) => Err("an object has no elements, it has keys".to_owned()),
        _ => Err("only an array has elements".to_owned()),
    }
}

fn members(value: Json) -> Result<Vec<(String, Json)>, String> {
    match value {
        Json::Object(members) => Ok(members.into_iter().collect()),
        Json::Array(_) => Err("an array has no keys, it has elements".to_owned()),
        _ => Err("only an object has keys".to_owned()),
    }
}

fn written(value: &Json) -> String {
    let mut out = String::new();
    value.write(&mut out);
    out
}

/// A string without its quotes, NULL for null.
fn as_text(value: Json) -> Option<String> {
    match value {
        Json::Null => None,
        Json::String(text) => Some(text),
        other => Some(written(&other)),
    }
}
