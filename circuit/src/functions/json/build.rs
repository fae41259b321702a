//! Functions that make JSON.
//!
//! A text argument becomes a JSON string. What is known to be JSON when names are bound comes in a struct with one field of the name [`JSON_MARK`], and
//! stays what it is.
//!
//! [`JSON_MARK`]: super::super::JSON_MARK

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Float32Type, Float64Type};
use std::collections::BTreeMap;

use super::super::call::Call;
use super::super::parameters::Kind;
use super::super::{Definition, Group, is_embedded, returns};
use super::value::{Json, canonical_number, parse};
use super::{definition, keys_at};
use crate::eval::Value;
use crate::eval::text::render;

pub(super) const STRIP_NULLS: Definition = definition!(
    "jsonb_strip_nulls",
    &["json_strip_nulls"],
    "jsonb_strip_nulls(json)",
    "The value without the members of objects that are null.",
    &[Kind::Text],
    1,
    false,
    returns::text,
    |call| {
        let values = call.text(0);
        call.write(|row, out| {
            let Some(text) = values.get(row) else { return Ok(false) };
            let mut value = parse(text)?;
            value.strip_nulls();
            value.write(out);
            Ok(true)
        })
    }
);

pub(super) const SET: Definition = definition!(
    "jsonb_set",
    &["json_set"],
    "jsonb_set(json, path, value [, create])",
    "The value with the part at a path of keys and indexes replaced; a last key that is missing is added unless `create` is false.",
    &[Kind::Text, Kind::Any, Kind::Text, Kind::Boolean],
    3,
    false,
    super::path_of_keys,
    set
);

pub(super) const CONCAT: Definition = definition!(
    "jsonb_concat",
    &[],
    "json || json",
    "Two objects as one (the second one's members win), or two arrays; anything else is an array of one.",
    &[Kind::Text, Kind::Text],
    2,
    false,
    returns::text,
    |call| {
        let (lefts, rights) = (call.text(0), call.text(1));
        call.write(|row, out| {
            let (Some(left), Some(right)) = (lefts.get(row), rights.get(row)) else { return Ok(false) };
            let joined = match (parse(left)?, parse(right)?) {
                (Json::Object(mut left), Json::Object(right)) => {
                    left.extend(right);
                    Json::Object(left)
                }
                (left, right) => Json::Array([left, right].into_iter().flat_map(elements).collect()),
            };
            joined.write(out);
            Ok(true)
        })
    }
);

fn elements(value: Json) -> Vec<Json> {
    match value {
        Json::Array(values) => values,
        value => vec![value],
    }
}

pub(super) const TO_JSON: Definition = definition!(
    "to_jsonb",
    &["to_json"],
    "to_jsonb(value)",
    "Any value as JSON: arrays and structs as they are nested, times as text of ISO 8601.",
    &[Kind::Any],
    1,
    false,
    returns::text,
    |call| {
        let value = call.value(0);
        call.write(|row, out| {
            let (array, position) = (value.inner(), value.position(row));
            if array.is_null(position) {
                return Ok(false);
            }
            json_of(array, position)?.write(out);
            Ok(true)
        })
    }
);

pub(super) const BUILD_OBJECT: Definition = definition!(
    "jsonb_build_object",
    &["json_build_object", "json_object"],
    "jsonb_build_object(key, value, ..)",
    "An object of keys and values.",
    &[Kind::Any],
    1,
    true,
    |bind| match bind.types.len() % 2 {
        0 => Ok(DataType::Utf8),
        _ => Err("a key has no value".to_owned()),
    },
    |call| {
        let values: Vec<&Value> = (0..call.len()).map(|index| call.value(index)).collect();
        call.write(|row, out| {
            let mut members = BTreeMap::new();
            for pair in values.chunks(2) {
                let (key, position) = (pair[0].inner(), pair[0].position(row));
                if key.is_null(position) {
                    return Err("a key of an object must not be NULL".to_owned());
                }
                members.insert(render(key, position), json_at(pair[1], row)?);
            }
            Json::Object(members).write(out);
            Ok(true)
        })
    }
);

pub(super) const BUILD_ARRAY: Definition = definition!(
    "jsonb_build_array",
    &["json_build_array", "json_array"],
    "jsonb_build_array(value, ..)",
    "An array of the values.",
    &[Kind::Any],
    1,
    true,
    returns::text,
    |call| {
        call.write(|row, out| {
            let values = (0..call.len()).map(|index| json_at(call.value(index), row)).collect::<Result<Vec<_>, String>>()?;
            Json::Array(values).write(out);
            Ok(true)
        })
    }
);

fn json_at(value: &Value, row: usize) -> Result<Json, String> {
    json_of(value.inner(), value.position(row))
}

fn json_of(array: &ArrayRef, row: usize) -> Result<Json, String> {
    if array.is_null(row) {
        return Ok(Json::Null);
    }
    let number = |text: String| canonical_number(&text).map_or(Json::String(text), Json::Number);
    Ok(match array.data_type() {
        DataType::Boolean => Json::Bool(array.as_boolean().value(row)),
        // Infinity and NaN are no numbers of JSON.
        DataType::Float64 if !array.as_primitive::<Float64Type>().value(row).is_finite() => Json::String(render(array, row)),
        DataType::Float32 if !array.as_primitive::<Float32Type>().value(row).is_finite() => Json::String(render(array, row)),
        data_type if data_type.is_numeric() => number(render(array, row)),
        DataType::Timestamp(_, zone) => {
            let text = render(array, row).replacen(' ', "T", 1);
            Json::String(if zone.is_some() { text.replace("+00", "+00:00") } else { text })
        }
        DataType::List(_) => {
            let items = array.as_list::<i32>().value(row);
            Json::Array((0..items.len()).map(|index| json_of(&items, index)).collect::<Result<_, _>>()?)
        }
        DataType::Map(..) => {
            let entries = array.as_map().value(row);
            let member = |entry| Ok((render(entries.column(0), entry), json_of(entries.column(1), entry)?));
            Json::Object((0..entries.len()).map(member).collect::<Result<_, String>>()?)
        }
        DataType::Struct(fields) if is_embedded(fields) => match array.as_struct().column(0) {
            text if text.is_null(row) => Json::Null,
            text => parse(text.as_string::<i32>().value(row))?,
        },
        DataType::Struct(fields) => {
            let columns = array.as_struct().columns();
            let members = fields.iter().zip(columns).map(|(field, column)| Ok((field.name().clone(), json_of(column, row)?)));
            Json::Object(members.collect::<Result<_, String>>()?)
        }
        _ => Json::String(render(array, row)),
    })
}

fn set(call: &Call<'_>) -> Result<ArrayRef, String> {
    let (targets, paths, values) = (call.text(0), call.column(1), call.text(2));
    let create = (call.len() > 3).then(|| call.column(3));
    call.write(|row, out| {
        let (Some(target), Some(path), Some(value)) = (targets.get(row), keys_at(&paths, row)?, values.get(row)) else {
            return Ok(false);
        };
        let create = match &create {
            None => true,
            Some(create) if create.is_null(row) => return Ok(false),
            Some(create) => create.as_boolean().value(row),
        };
        let mut target = parse(target)?;
        if let Some((last, before)) = path.split_last() {
            set_at(&mut target, before, last, parse(value)?, create);
        }
        target.write(out);
        Ok(true)
    })
}

/// Replaces what is at the path; where the path ends early, nothing changes.
fn set_at(target: &mut Json, before: &[String], last: &str, value: Json, create: bool) {
    if let Some((key, rest)) = before.split_first() {
        let next = match target {
            Json::Object(members) => members.get_mut(key),
            Json::Array(values) => index_of(key, values.len()).and_then(|index| values.get_mut(index)),
            _ => None,
        };
        if let Some(next) = next {
            set_at(next, rest, last, value, create);
        }
        return;
    }
    match target {
        Json::Object(members) if create || members.contains_key(last) => {
            members.insert(last.to_owned(), value);
        }
        Json::Array(values) => match (index_of(last, values.len()), last.parse::<i64>()) {
            (Some(index), _) => values[index] = value,
            (None, Ok(index)) if create && index < 0 => values.insert(0, value),
            (None, Ok(_)) if create => values.push(value),
            _ => {}
        },
        _ => {}
    }
}

/// The place of element `key`, counted from the end if negative, if there is one.
fn index_of(key: &str, length: usize) -> Option<usize> {
    let index: i64 = key.trim().parse().ok()?;
    let index = if index < 0 { index + length as i64 } else { index };
    usize::try_from(index).ok().filter(|index| *index < length)
}
