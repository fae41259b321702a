//! Whether a value has keys, and the value without them.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Int64Type};

use super::super::call::{Bind, Call};
use super::super::parameters::Kind;
use super::super::{Definition, Group, returns};
use super::value::{Json, parse};
use super::{definition, keys_at, path_of_keys, texts_at};

pub(super) const EXISTS: Definition = definition!(
    "jsonb_exists",
    &[],
    "json ? key",
    "Whether an object has a key, or an array a string.",
    &[Kind::Text, Kind::Text],
    2,
    false,
    returns::boolean,
    |call| {
        let (values, keys) = (call.text(0), call.text(1));
        call.test(|row| match (values.get(row), keys.get(row)) {
            (Some(value), Some(key)) => Ok(Some(has_key(&parse(value)?, key))),
            _ => Ok(None),
        })
    }
);

pub(super) const EXISTS_ANY: Definition = definition!(
    "jsonb_exists_any",
    &[],
    "json ?| ARRAY['a', 'b']",
    "Whether it has one of the keys, as `?`; NULLs among them are passed over.",
    &[Kind::Text, Kind::Any],
    2,
    false,
    of_keys,
    |call| has_keys(call, |value, keys| keys.iter().any(|key| has_key(value, key)))
);

pub(super) const EXISTS_ALL: Definition = definition!(
    "jsonb_exists_all",
    &[],
    "json ?& ARRAY['a', 'b']",
    "Whether it has all of the keys, as `?`; NULLs among them are passed over.",
    &[Kind::Text, Kind::Any],
    2,
    false,
    of_keys,
    |call| has_keys(call, |value, keys| keys.iter().all(|key| has_key(value, key)))
);

pub(super) const DELETE: Definition = definition!(
    "jsonb_delete",
    &[],
    "json - key, json - index, json - ARRAY['a', 'b']",
    "An object without a key, an array without a string or without an element (from 0; from the end if negative), either without several of them.",
    &[Kind::Text, Kind::Any],
    2,
    false,
    |bind| match &bind.types[1] {
        data_type if data_type.is_integer() => Ok(DataType::Utf8),
        _ => path_of_keys(bind),
    },
    delete
);

pub(super) const DELETE_PATH: Definition = definition!(
    "jsonb_delete_path",
    &[],
    "json #- ARRAY['a', '0']",
    "The value without the part at a path of keys and indexes; the path may be written `'{a,0}'`.",
    &[Kind::Text, Kind::Any],
    2,
    false,
    path_of_keys,
    |call| {
        let (values, paths) = (call.text(0), call.column(1));
        call.write(|row, out| {
            let (Some(value), Some(path)) = (values.get(row), keys_at(&paths, row)?) else { return Ok(false) };
            let mut value = parse(value)?;
            if !matches!(value, Json::Object(_) | Json::Array(_)) {
                return Err("a value that is neither object nor array has no path".to_owned());
            }
            delete_at(&mut value, &path)?;
            value.write(out);
            Ok(true)
        })
    }
);

fn of_keys(bind: &Bind<'_>) -> Result<DataType, String> {
    path_of_keys(bind).map(|_| DataType::Boolean)
}

fn has_key(value: &Json, key: &str) -> bool {
    match value {
        Json::Object(members) => members.contains_key(key),
        Json::Array(values) => values.iter().any(|value| is_string(value, key)),
        value => is_string(value, key),
    }
}

fn is_string(value: &Json, key: &str) -> bool {
    matches!(value, Json::String(text) if text == key)
}

fn has_keys(call: &Call<'_>, holds: impl Fn(&Json, &[String]) -> bool) -> Result<ArrayRef, String> {
    let (values, keys) = (call.text(0), call.column(1));
    call.test(|row| {
        let (Some(value), Some(keys)) = (values.get(row), texts_at(&keys, row)?) else { return Ok(None) };
        let keys: Vec<String> = keys.into_iter().flatten().collect();
        Ok(Some(holds(&parse(value)?, &keys)))
    })
}

fn delete(call: &Call<'_>) -> Result<ArrayRef, String> {
    let values = call.text(0);
    if call.value(1).inner().data_type().is_integer() {
        let indexes = crate::eval::cast(call.value(1), &DataType::Int64, call.rows)?;
        return call.write(|row, out| {
            let (array, position) = (indexes.inner().as_primitive::<Int64Type>(), indexes.position(row));
            let (Some(value), true) = (values.get(row), array.is_valid(position)) else { return Ok(false) };
            without_element(parse(value)?, array.value(position))?.write(out);
            Ok(true)
        });
    }
    if call.value(1).inner().data_type() == &DataType::Utf8 {
        let keys = call.text(1);
        return call.write(|row, out| {
            let (Some(value), Some(key)) = (values.get(row), keys.get(row)) else { return Ok(false) };
            without_keys(parse(value)?, &[key.to_owned()])?.write(out);
            Ok(true)
        });
    }
    let keys = call.column(1);
    call.write(|row, out| {
        let (Some(value), Some(keys)) = (values.get(row), texts_at(&keys, row)?) else { return Ok(false) };
        let keys: Vec<String> = keys.into_iter().flatten().collect();
        without_keys(parse(value)?, &keys)?.write(out);
        Ok(true)
    })
}

fn without_keys(value: Json, keys: &[String]) -> Result<Json, String> {
    match value {
        Json::Object(mut members) => {
            keys.iter().for_each(|key| {
                members.remove(key);
            });
            Ok(Json::Object(members))
        }
        Json::Array(mut values) => {
            values.retain(|value| !keys.iter().any(|key| is_string(value, key)));
            Ok(Json::Array(values))
        }
        _ => Err("a value that is neither object nor array has no keys".to_owned()),
    }
}

fn without_element(value: Json, index: i64) -> Result<Json, String> {
    let Json::Array(mut values) = value else { return Err("only an array has elements".to_owned()) };
    if let Some(place) = place_of(index, values.len()) {
        values.remove(place);
    }
    Ok(Json::Array(values))
}

/// The place of element `index`, counted from the end if negative, if there is one.
fn place_of(index: i64, length: usize) -> Option<usize> {
    let index = if index < 0 { index.checked_add(length as i64)? } else { index };
    usize::try_from(index).ok().filter(|place| *place < length)
}

/// Takes away what is at the path; where it leads to nothing, nothing.
fn delete_at(value: &mut Json, path: &[String]) -> Result<(), String> {
    let Some((key, rest)) = path.split_first() else { return Ok(()) };
    match value {
        Json::Object(members) if rest.is_empty() => {
            members.remove(key);
        }
        Json::Object(members) => {
            if let Some(next) = members.get_mut(key) {
                delete_at(next, rest)?;
            }
        }
        Json::Array(values) => {
            let index = key.trim().parse().map_err(|_| format!("'{key}' in a path stands for an element, and is no number"))?;
            let Some(place) = place_of(index, values.len()) else { return Ok(()) };
            if rest.is_empty() {
                values.remove(place);
            } else {
                delete_at(&mut values[place], rest)?;
            }
        }
        _ => {}
    }
    Ok(())
}
