//! Functions of text and bytes, and of values of any type.

use arrow::array::{Array, ArrayRef, AsArray, BinaryBuilder};
use arrow::datatypes::{DataType, Int32Type};
use std::sync::Arc;

use ::md5::{Digest, Md5};

use super::call::{Bind, Call};
use super::encoding;
use super::parameters::Kind;
use super::{Definition, Group, returns};
use crate::eval::Value;
use crate::eval::text::sql_type;

macro_rules! definition {
    ($group:ident, $name:literal, $aliases:expr, $usage:literal, $about:literal, $parameters:expr, $required:literal, $variadic:literal, $returns:expr, $kernel:expr) => {
        Definition {
            name: $name,
            aliases: $aliases,
            group: Group::$group,
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

const T: Kind = Kind::Text;
const I: Kind = Kind::Integer;

/// The functions of this module.
pub(super) const DEFINITIONS: &[Definition] = &[
    definition!(
        Text,
        "split_index",
        &[],
        "split_index(text, delimiter, index)",
        "Part `index` (from 0) of the text between delimiters; NULL if there is none.",
        &[T, T, I],
        3,
        false,
        returns::text,
        split_index
    ),
    definition!(
        Text,
        "locate",
        &[],
        "locate(part, text [, start])",
        "Where (in characters, from 1) the part is in the text from character `start` on; 0 if it is not.",
        &[T, T, I],
        2,
        false,
        returns::integer,
        locate
    ),
    definition!(
        Text,
        "format",
        &[],
        "format(pattern, value, ..)",
        "The pattern with values in the place of `%s`, quoted as a name of `%I`, as a literal of `%L`; `%2$s` is the second value.",
        &[T, Kind::Written],
        1,
        true,
        returns::text,
        format
    ),
    definition!(
        Text,
        "quote_literal",
        &[],
        "quote_literal(value)",
        "The value as a literal of SQL.",
        &[Kind::Written],
        1,
        false,
        returns::text,
        |call| {
            let texts = call.text(0);
            call.write(|row, out| Ok(texts.get(row).map(|text| quote(text, '\'', out)).is_some()))
        }
    ),
    definition!(
        Text,
        "quote_ident",
        &[],
        "quote_ident(text)",
        "The text as a name of SQL, quoted if it must be.",
        &[T],
        1,
        false,
        returns::text,
        |call| {
            let texts = call.text(0);
            call.write(|row, out| Ok(texts.get(row).map(|text| write_name(text, out)).is_some()))
        }
    ),
    definition!(
        Text,
        "encode",
        &[],
        "encode(bytes, 'hex' | 'base64' | 'escape')",
        "Bytes (or a text's) as text.",
        &[Kind::Any, T],
        2,
        false,
        bytes_as_text,
        encode
    ),
    definition!(
        Text,
        "decode",
        &[],
        "decode(text, 'hex' | 'base64' | 'escape')",
        "The bytes that `encode` made the text of.",
        &[T, T],
        2,
        false,
        |_| Ok(DataType::Binary),
        decode
    ),
    definition!(
        Text,
        "md5",
        &[],
        "md5(bytes | text)",
        "The MD5 digest of bytes, or of a text's, in hexadecimal digits. It is no protection against forgery.",
        &[Kind::Any],
        1,
        false,
        bytes_as_text,
        md5
    ),
    definition!(
        Text,
        "to_base64",
        &[],
        "to_base64(text)",
        "The text's bytes in base64.",
        &[T],
        1,
        false,
        returns::text,
        |call| {
            let texts = call.text(0);
            call.write(|row, out| Ok(texts.get(row).map(|text| encoding::write_base64(text.as_bytes(), out)).is_some()))
        }
    ),
    definition!(
        Text,
        "from_base64",
        &[],
        "from_base64(text)",
        "The text whose bytes are given in base64.",
        &[T],
        1,
        false,
        returns::text,
        from_base64
    ),
    definition!(
        Text,
        "url_encode",
        &[],
        "url_encode(text)",
        "The text with what a URL cannot hold as `%XX`, and blanks as `+`.",
        &[T],
        1,
        false,
        returns::text,
        |call| {
            let texts = call.text(0);
            call.write(|row, out| Ok(texts.get(row).map(|text| encoding::write_url(text, out)).is_some()))
        }
    ),
    definition!(
        Text,
        "url_decode",
        &[],
        "url_decode(text)",
        "The text that `url_encode` made the text of.",
        &[T],
        1,
        false,
        returns::text,
        |call| {
            let texts = call.text(0);
            call.write(|row, out| match texts.get(row) {
                Some(text) => encoding::read_url(text, out).map(|()| true),
                None => Ok(false),
            })
        }
    ),
    definition!(
        Text,
        "is_alpha",
        &[],
        "is_alpha(text)",
        "Whether the text has letters only, and at least one.",
        &[T],
        1,
        false,
        returns::boolean,
        |call| is_all(call, char::is_alphabetic)
    ),
    definition!(
        Text,
        "is_digit",
        &[],
        "is_digit(text)",
        "Whether the text has digits only, and at least one.",
        &[T],
        1,
        false,
        returns::boolean,
        |call| is_all(call, char::is_numeric)
    ),
    definition!(
        Text,
        "is_decimal",
        &[],
        "is_decimal(text)",
        "Whether the text is a number.",
        &[T],
        1,
        false,
        returns::boolean,
        |call| {
            let texts = call.text(0);
            call.test(|row| Ok(texts.get(row).map(|text| text.trim().parse::<f64>().is_ok_and(f64::is_finite))))
        }
    ),
    definition!(
        Other,
        "typeof",
        &["pg_typeof"],
        "typeof(value)",
        "The name of the value's type.",
        &[Kind::Any],
        1,
        false,
        returns::text,
        |call| {
            let name = sql_type(call.value(0).inner().data_type());
            call.write(|_, out| {
                out.push_str(&name);
                Ok(true)
            })
        }
    ),
    definition!(
        Other,
        "num_nulls",
        &[],
        "num_nulls(value, ..)",
        "How many of the values are NULL.",
        &[Kind::Any],
        1,
        true,
        returns::integer,
        |call| nulls(call, true)
    ),
    definition!(
        Other,
        "num_nonnulls",
        &[],
        "num_nonnulls(value, ..)",
        "How many of the values are not NULL.",
        &[Kind::Any],
        1,
        true,
        returns::integer,
        |call| nulls(call, false)
    ),
];

fn split_index(call: &Call<'_>) -> Result<ArrayRef, String> {
    let (texts, delimiters, indexes) = (call.text(0), call.text(1), call.integer(2));
    call.write(|row, out| {
        let (Some(text), Some(delimiter), Some(index)) = (texts.get(row), delimiters.get(row), indexes.get(row)) else {
            return Ok(false);
        };
        // Without a delimiter there is nothing to split at.
        let part = match usize::try_from(index) {
            Ok(_) if delimiter.is_empty() => None,
            Ok(index) => text.split(delimiter).nth(index),
            Err(_) => None,
        };
        Ok(part.map(|part| out.push_str(part)).is_some())
    })
}

fn locate(call: &Call<'_>) -> Result<ArrayRef, String> {
    let (parts, texts, starts) = (call.text(0), call.text(1), call.optional_integer(2));
    call.compute::<Int32Type>(|row| {
        let start = starts.map_or(Some(1), |starts| starts.get(row));
        let (Some(part), Some(text), Some(start)) = (parts.get(row), texts.get(row), start) else { return Ok(None) };
        let Some(skipped) = usize::try_from(start - 1).ok() else { return Ok(Some(0)) };
        let mut places = text.char_indices().map(|(offset, _)| offset).chain([text.len()]);
        let Some(offset) = places.nth(skipped) else { return Ok(Some(0)) };
        let found = text[offset..].find(part).map(|bytes| text[..offset + bytes].chars().count() + 1);
        i32::try_from(found.unwrap_or(0)).map(Some).map_err(|_| "the text is too long".to_owned())
    })
}

/// Appends `text` between quotes, which are doubled within it.
fn quote(text: &str, mark: char, out: &mut String) {
    out.push(mark);
    for character in text.chars() {
        out.push(character);
        if character == mark {
            out.push(mark);
        }
    }
    out.push(mark);
}

fn write_name(text: &str, out: &mut String) {
    let plain = text.chars().all(|character| character.is_ascii_lowercase() || character.is_ascii_digit() || character == '_');
    match plain && !text.is_empty() && !text.starts_with(|character: char| character.is_ascii_digit()) {
        true => out.push_str(text),
        false => quote(text, '"', out),
    }
}

fn format(call: &Call<'_>) -> Result<ArrayRef, String> {
    let patterns = call.text(0);
    let values: Vec<_> = (1..call.len()).map(|index| call.text(index)).collect();
    call.write(|row, out| {
        let Some(pattern) = patterns.get(row) else { return Ok(false) };
        let (mut rest, mut next) = (pattern, 0);
        while let Some((text, after)) = rest.split_once('%') {
            out.push_str(text);
            if let Some(after) = after.strip_prefix('%') {
                out.push('%');
                rest = after;
                continue;
            }
            // `2$` before the letter chooses the value.
            let digits = after.bytes().take_while(u8::is_ascii_digit).count();
            let (position, after) = match after[digits..].strip_prefix('$') {
                Some(after) if digits > 0 => (pattern_position(&rest[text.len() + 1..][..digits])?, after),
                _ => (next, after),
            };
            next = position + 1;
            let letter = after.chars().next().ok_or("a pattern of format ends within a field")?;
            let value = values.get(position).ok_or_else(|| format!("format has no value number {}", position + 1))?.get(row);
            match letter {
                's' => out.push_str(value.unwrap_or_default()),
                'I' => write_name(value.ok_or("NULL cannot be a name")?, out),
                'L' => match value {
                    Some(value) => quote(value, '\'', out),
                    None => out.push_str("NULL"),
                },
                other => return Err(format!("format knows %s, %I and %L, not %{other}")),
            }
            rest = &after[letter.len_utf8()..];
        }
        out.push_str(rest);
        Ok(true)
    })
}

fn pattern_position(digits: &str) -> Result<usize, String> {
    digits
        .parse()
        .ok()
        .and_then(|number: usize| number.checked_sub(1))
        .ok_or_else(|| format!("format has no value number {digits}"))
}

/// Text made of the first argument's bytes.
fn bytes_as_text(bind: &Bind<'_>) -> Result<DataType, String> {
    match &bind.types[0] {
        DataType::Utf8 | DataType::Binary => returns::text(bind),
        other => Err(format!("it takes bytes or text, not {}", sql_type(other))),
    }
}

/// The bytes, or those of the text, at `row`.
fn bytes_at(value: &Value, row: usize) -> Option<&[u8]> {
    let (array, position) = (value.inner(), value.position(row));
    array.is_valid(position).then(|| match array.data_type() {
        DataType::Binary => array.as_binary::<i32>().value(position),
        _ => array.as_string::<i32>().value(position).as_bytes(),
    })
}

fn encode(call: &Call<'_>) -> Result<ArrayRef, String> {
    let (values, formats) = (call.value(0), call.text(1));
    call.write(|row, out| match (bytes_at(values, row), formats.get(row)) {
        (Some(bytes), Some(format)) => encoding::encode(bytes, format, out).map(|()| true),
        _ => Ok(false),
    })
}

fn md5(call: &Call<'_>) -> Result<ArrayRef, String> {
    let values = call.value(0);
    call.write(|row, out| {
        let Some(bytes) = bytes_at(values, row) else { return Ok(false) };
        encoding::write_hex(&Md5::digest(bytes), out);
        Ok(true)
    })
}

fn decode(call: &Call<'_>) -> Result<ArrayRef, String> {
    let (texts, formats) = (call.text(0), call.text(1));
    let mut values = BinaryBuilder::new();
    for row in 0..call.rows {
        match (texts.get(row), formats.get(row)) {
            (Some(text), Some(format)) => values.append_value(encoding::decode(text, format)?),
            _ => values.append_null(),
        }
    }
    Ok(Arc::new(values.finish()))
}

fn from_base64(call: &Call<'_>) -> Result<ArrayRef, String> {
    let texts = call.text(0);
    call.write(|row, out| {
        let Some(text) = texts.get(row) else { return Ok(false) };
        let bytes = encoding::decode(text, "base64")?;
        out.push_str(std::str::from_utf8(&bytes).map_err(|_| format!("'{text}' is not text in base64"))?);
        Ok(true)
    })
}

fn is_all(call: &Call<'_>, holds: fn(char) -> bool) -> Result<ArrayRef, String> {
    let texts = call.text(0);
    call.test(|row| Ok(texts.get(row).map(|text| !text.is_empty() && text.chars().all(holds))))
}

fn nulls(call: &Call<'_>, null: bool) -> Result<ArrayRef, String> {
    let values: Vec<_> = (0..call.len()).map(|index| call.value(index)).collect();
    call.compute::<Int32Type>(|row| {
        let count = values.iter().filter(|value| value.inner().is_null(value.position(row)) == null).count();
        i32::try_from(count).map(Some).map_err(|_| "too many arguments".to_owned())
    })
}
