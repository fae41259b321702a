//! JSON. A JSON value is a text: of a `JSON` column as it was written, of a `JSONB` column in its canonical form ([`value`]), so that grouping, joining,
//! DISTINCT and `=` compare values by their bytes.

mod build;
mod keys;
mod path;
mod pretty;
mod query;
mod rows;
mod value;

use arrow::array::{Array, ArrayRef, AsArray, StringArray};
use arrow::datatypes::{DataType, Int32Type, Int64Type};

use super::call::{Argument, Bind, Call};
use super::parameters::Kind;
use super::{Definition, Group, returns};
use value::{Json, kind, member, parse, unescaped};

macro_rules! definition {
    ($name:literal, $aliases:expr, $usage:literal, $about:literal, $parameters:expr, $required:literal, $variadic:literal, $returns:expr, $kernel:expr) => {
        Definition {
            name: $name,
            aliases: $aliases,
            group: Group::Json,
            usage: $usage,
            about: $about,
            parameters: $parameters,
            required: $required,
            variadic: $variadic,
            returns: $returns,
            kernel: $kernel,
        }
    };
}
use definition;

const T: Kind = Kind::Text;
const A: Kind = Kind::Any;

/// The functions of this module.
pub(super) const DEFINITIONS: &[Definition] = &[
    definition!(
        "json",
        &["json_parse"],
        "text::json, CAST(text AS JSON)",
        "The text itself, which must be JSON.",
        &[T],
        1,
        false,
        returns::text,
        |call| checked(call, false)
    ),
    definition!(
        "jsonb",
        &[],
        "text::jsonb, CAST(text AS JSONB)",
        "The canonical form of a JSON text.",
        &[T],
        1,
        false,
        returns::text,
        |call| checked(call, true)
    ),
    definition!(
        "try_json",
        &[],
        "TRY_CAST(text AS JSON)",
        "The text itself if it is JSON, else NULL.",
        &[T],
        1,
        false,
        returns::text,
        |call| { tried(call, false) }
    ),
    definition!(
        "try_jsonb",
        &[],
        "TRY_CAST(text AS JSONB)",
        "The canonical form of a JSON text, NULL if it is none.",
        &[T],
        1,
        false,
        returns::text,
        |call| tried(call, true)
    ),
    definition!(
        "is_json",
        &["json_valid"],
        "is_json(text)",
        "Whether the text is JSON.",
        &[T],
        1,
        false,
        returns::boolean,
        |call| {
            let texts = call.text(0);
            call.test(|row| Ok(texts.get(row).map(|text| value::check(text).is_ok())))
        }
    ),
    definition!(
        "json_get",
        &["jsonb_object_field", "json_object_field", "jsonb_array_element", "json_array_element"],
        "json -> key, json -> index",
        "The member of an object, or the element (from 0; from the end if negative) of an array, as JSON; NULL if there is none.",
        &[T, A],
        2,
        false,
        key_or_index,
        |call| get(call, false)
    ),
    definition!(
        "json_get_text",
        &["jsonb_object_field_text", "json_object_field_text", "jsonb_array_element_text", "json_array_element_text"],
        "json ->> key, json ->> index",
        "As `->`, as text: a string without its quotes, NULL for null.",
        &[T, A],
        2,
        false,
        key_or_index,
        |call| get(call, true)
    ),
    definition!(
        "json_get_path",
        &[],
        "json #> ARRAY['a', '0']",
        "The value at a path of keys and indexes, as JSON; the path may be written `'{a,0}'`.",
        &[T, A],
        2,
        false,
        path_of_keys,
        |call| get_path(call, false)
    ),
    definition!(
        "json_get_path_text",
        &[],
        "json #>> ARRAY['a', '0']",
        "As `#>`, as text.",
        &[T, A],
        2,
        false,
        path_of_keys,
        |call| get_path(call, true)
    ),
    definition!(
        "json_extract_path",
        &["jsonb_extract_path"],
        "json_extract_path(json, key, ..)",
        "As `#>` with the keys as arguments.",
        &[T, T],
        2,
        true,
        returns::text,
        |call| extract_path(call, false)
    ),
    definition!(
        "json_extract_path_text",
        &["jsonb_extract_path_text"],
        "json_extract_path_text(json, key, ..)",
        "As `#>>` with the keys as arguments.",
        &[T, T],
        2,
        true,
        returns::text,
        |call| extract_path(call, true)
    ),
    query::VALUE,
    query::QUERY,
    query::EXISTS,
    query::QUERY_ARRAY,
    query::QUERY_FIRST,
    query::QUERY_ROWS,
    pretty::PRETTY,
    definition!(
        "jsonb_contains",
        &[],
        "json @> json",
        "Whether the first value has all of the second: objects by their keys, arrays as sets.",
        &[T, T],
        2,
        false,
        returns::boolean,
        |call| contains(call, 0, 1)
    ),
    definition!(
        "jsonb_contained",
        &[],
        "json <@ json",
        "As `@>` with the sides exchanged.",
        &[T, T],
        2,
        false,
        returns::boolean,
        |call| { contains(call, 1, 0) }
    ),
    definition!(
        "jsonb_typeof",
        &["json_typeof"],
        "jsonb_typeof(json)",
        "`object`, `array`, `string`, `number`, `boolean` or `null`.",
        &[T],
        1,
        false,
        returns::text,
        |call| {
            let values = call.text(0);
            call.write(|row, out| {
                let Some(value) = values.get(row) else { return Ok(false) };
                value::check(value)?;
                out.push_str(kind(value));
                Ok(true)
            })
        }
    ),
    definition!(
        "jsonb_array_length",
        &["json_array_length"],
        "jsonb_array_length(json)",
        "The number of elements of an array.",
        &[T],
        1,
        false,
        returns::integer,
        array_length
    ),
    keys::EXISTS,
    keys::EXISTS_ANY,
    keys::EXISTS_ALL,
    keys::DELETE,
    keys::DELETE_PATH,
    build::STRIP_NULLS,
    build::SET,
    build::CONCAT,
    build::TO_JSON,
    build::BUILD_OBJECT,
    build::BUILD_ARRAY,
    rows::ELEMENTS,
    rows::ELEMENTS_TEXT,
    rows::KEYS,
    rows::VALUES,
    rows::VALUES_TEXT,
];

/// The functions whose results are JSON.
pub(super) const YIELD_JSON: &[&str] = &[
    "json",
    "jsonb",
    "try_json",
    "try_jsonb",
    "json_get",
    "json_get_path",
    "json_extract_path",
    "json_query",
    "jsonb_path_query_array",
    "jsonb_path_query_first",
    "jsonb_set",
    "jsonb_strip_nulls",
    "jsonb_concat",
    "jsonb_delete",
    "jsonb_delete_path",
    "to_jsonb",
    "jsonb_build_object",
    "jsonb_build_array",
];

fn checked(call: &Call<'_>, canonical: bool) -> Result<ArrayRef, String> {
    let texts = call.text(0);
    call.write(|row, out| match texts.get(row) {
        Some(text) if canonical => {
            parse(text)?.write(out);
            Ok(true)
        }
        Some(text) => {
            value::check(text)?;
            out.push_str(text);
            Ok(true)
        }
        None => Ok(false),
    })
}

/// Texts as a column of JSON keeps them: checked, and in their canonical form if `canonical`.
///
/// # Errors
/// The first row that is not JSON, and why.
pub fn json_column(texts: &ArrayRef, canonical: bool) -> Result<ArrayRef, (usize, String)> {
    let Some(texts) = texts.as_string_opt::<i32>() else { return Err((0, "JSON is text".to_owned())) };
    let stored = texts.iter().enumerate().map(|(row, text)| {
        let stored = text.map(|text| {
            let mut out = String::with_capacity(text.len());
            match canonical {
                true => parse(text)?.write(&mut out),
                false => {
                    value::check(text)?;
                    out.push_str(text);
                }
            }
            Ok(out)
        });
        stored.transpose().map_err(|message: String| (row, message))
    });
    Ok(std::sync::Arc::new(stored.collect::<Result<StringArray, _>>()?))
}

fn tried(call: &Call<'_>, canonical: bool) -> Result<ArrayRef, String> {
    let texts = call.text(0);
    call.write(|row, out| {
        let Some(value) = texts.get(row).and_then(|text| Some((text, parse(text).ok()?))) else { return Ok(false) };
        match value {
            (_, value) if canonical => value.write(out),
            (text, _) => out.push_str(text),
        }
        Ok(true)
    })
}

fn key_or_index(bind: &Bind<'_>) -> Result<DataType, String> {
    match &bind.types[1] {
        DataType::Utf8 => Ok(DataType::Utf8),
        data_type if data_type.is_integer() => Ok(DataType::Utf8),
        other => Err(format!("the right side is a key or an index, not {}", crate::eval::text::sql_type(other))),
    }
}

/// Appends a value found in a text: as JSON, or as text; `false` is NULL.
fn append(found: Option<&str>, as_text: bool, out: &mut String) -> Result<bool, String> {
    let Some(found) = found else { return Ok(false) };
    if as_text && kind(found) == "null" {
        return Ok(false);
    }
    match found.strip_prefix('"').and_then(|raw| raw.strip_suffix('"')) {
        Some(raw) if as_text => out.push_str(&unescaped(raw).ok_or("a string has a wrong escape")?),
        _ => out.push_str(found),
    }
    Ok(true)
}

fn get(call: &Call<'_>, as_text: bool) -> Result<ArrayRef, String> {
    let values = call.text(0);
    if call.value(1).inner().data_type() == &DataType::Utf8 {
        let keys = call.text(1);
        return call.write(|row, out| {
            let (Some(value), Some(key)) = (values.get(row), keys.get(row)) else { return Ok(false) };
            append(member(value, key)?, as_text, out)
        });
    }
    let indexes = crate::eval::cast(call.value(1), &DataType::Int64, call.rows)?;
    call.write(|row, out| {
        let (array, position) = (indexes.inner().as_primitive::<Int64Type>(), indexes.position(row));
        let (Some(value), true) = (values.get(row), array.is_valid(position)) else { return Ok(false) };
        append(value::element(value, array.value(position))?, as_text, out)
    })
}

fn path_of_keys(bind: &Bind<'_>) -> Result<DataType, String> {
    match &bind.types[1] {
        DataType::Utf8 => Ok(DataType::Utf8),
        DataType::List(item) if item.data_type() == &DataType::Utf8 => Ok(DataType::Utf8),
        other => Err(format!("the right side is an array of texts, not {}", crate::eval::text::sql_type(other))),
    }
}

/// The keys at `row`: the elements of an array of texts, or of one written `{a,b}`. `None` if it or one of them is NULL.
fn keys_at(keys: &ArrayRef, row: usize) -> Result<Option<Vec<String>>, String> {
    Ok(texts_at(keys, row)?.and_then(|keys| keys.into_iter().collect()))
}

/// The same with NULLs among the elements.
fn texts_at(keys: &ArrayRef, row: usize) -> Result<Option<Vec<Option<String>>>, String> {
    if keys.is_null(row) {
        return Ok(None);
    }
    if let Some(texts) = keys.as_string_opt::<i32>() {
        let text = texts.value(row).trim();
        let inner = text.strip_prefix('{').and_then(|text| text.strip_suffix('}'));
        let inner = inner.ok_or_else(|| format!("'{text}' is not an array of keys: write {{a,b}}"))?;
        let keys = inner.split(',').filter(|key| !inner.is_empty() || !key.is_empty());
        return Ok(Some(keys.map(|key| Some(key.trim().trim_matches('"').to_owned())).collect()));
    }
    let list = keys.as_list::<i32>().value(row);
    let texts: &StringArray = list.as_string::<i32>();
    Ok(Some(texts.iter().map(|key| key.map(str::to_owned)).collect()))
}

/// The value at a path of keys and indexes.
fn follow<'t>(value: &'t str, keys: &[impl AsRef<str>]) -> Result<Option<&'t str>, String> {
    let mut found = value.trim();
    for key in keys {
        let key = key.as_ref();
        let next = match (kind(found), key.trim().parse()) {
            ("array", Ok(index)) => value::element(found, index)?,
            ("array", Err(_)) => None,
            _ => member(found, key)?,
        };
        let Some(next) = next else { return Ok(None) };
        found = next;
    }
    Ok(Some(found))
}

fn get_path(call: &Call<'_>, as_text: bool) -> Result<ArrayRef, String> {
    let (values, keys) = (call.text(0), call.column(1));
    call.write(|row, out| {
        let (Some(value), Some(keys)) = (values.get(row), keys_at(&keys, row)?) else { return Ok(false) };
        value::check(value)?;
        append(follow(value, &keys)?, as_text, out)
    })
}

fn extract_path(call: &Call<'_>, as_text: bool) -> Result<ArrayRef, String> {
    let values = call.text(0);
    let keys: Vec<Argument<&StringArray>> = (1..call.len()).map(|index| call.text(index)).collect();
    call.write(|row, out| {
        let keys: Option<Vec<&str>> = keys.iter().map(|key| key.get(row)).collect();
        let (Some(value), Some(keys)) = (values.get(row), keys) else { return Ok(false) };
        value::check(value)?;
        append(follow(value, &keys)?, as_text, out)
    })
}

fn contains(call: &Call<'_>, whole: usize, part: usize) -> Result<ArrayRef, String> {
    let (wholes, parts) = (call.text(whole), call.text(part));
    // The part is mostly a constant.
    let mut last: Option<(&str, Json)> = None;
    call.test(|row| {
        let (Some(whole), Some(part)) = (wholes.get(row), parts.get(row)) else { return Ok(None) };
        if last.as_ref().is_none_or(|(known, _)| *known != part) {
            last = Some((part, parse(part)?));
        }
        let whole = parse(whole)?;
        Ok(last.as_ref().map(|(_, part)| whole.contains(part)))
    })
}

fn array_length(call: &Call<'_>) -> Result<ArrayRef, String> {
    let values = call.text(0);
    call.compute::<Int32Type>(|row| {
        let Some(value) = values.get(row) else { return Ok(None) };
        let length = value::elements(value)?.len();
        match kind(value) {
            "array" => i32::try_from(length).map(Some).map_err(|_| "the array is too long".to_owned()),
            other => Err(format!("the value is of type {other} and has no elements")),
        }
    })
}
