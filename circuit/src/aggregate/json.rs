//! Values as JSON text.
//!
//! As PostgreSQL has it: numbers and truth values are themselves, arrays are arrays, structs and maps are objects, times are strings in ISO 8601, and
//! everything else is the string of its text, NaN and infinities included. What is known to be JSON (see [`is_embedded`]) stays as it is.

use std::fmt::Write;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Float32Type, Float64Type};

use crate::eval::text::render;
use crate::functions::is_embedded;

/// Appends the value at `row`.
pub(super) fn write_json(out: &mut String, column: &ArrayRef, row: usize) {
    if column.is_null(row) {
        return out.push_str("null");
    }
    match column.data_type() {
        DataType::Boolean => out.push_str(if column.as_boolean().value(row) { "true" } else { "false" }),
        DataType::Float64 if !column.as_primitive::<Float64Type>().value(row).is_finite() => quoted(out, &render(column, row)),
        DataType::Float32 if !column.as_primitive::<Float32Type>().value(row).is_finite() => quoted(out, &render(column, row)),
        data_type if data_type.is_numeric() => out.push_str(&render(column, row)),
        DataType::Timestamp(_, zone) => {
            // `2024-01-01 10:00:00+00` is not a time of ISO 8601.
            let text = render(column, row).replacen(' ', "T", 1);
            quoted(out, &if zone.is_some() { text + ":00" } else { text });
        }
        DataType::List(_) => {
            let items = column.as_list::<i32>().value(row);
            out.push('[');
            for item in 0..items.len() {
                out.push_str(if item > 0 { ", " } else { "" });
                write_json(out, &items, item);
            }
            out.push(']');
        }
        DataType::Map(..) => {
            let entries = column.as_map().value(row);
            out.push('{');
            for entry in 0..entries.len() {
                out.push_str(if entry > 0 { ", " } else { "" });
                write_key(out, entries.column(0), entry);
                out.push_str(": ");
                write_json(out, entries.column(1), entry);
            }
            out.push('}');
        }
        DataType::Struct(fields) if is_embedded(fields) => match column.as_struct().column(0) {
            text if text.is_null(row) => out.push_str("null"),
            text => out.push_str(text.as_string::<i32>().value(row)),
        },
        DataType::Struct(fields) => {
            out.push('{');
            for (position, (field, values)) in fields.iter().zip(column.as_struct().columns()).enumerate() {
                out.push_str(if position > 0 { ", " } else { "" });
                quoted(out, field.name());
                out.push_str(": ");
                write_json(out, values, row);
            }
            out.push('}');
        }
        _ => quoted(out, &render(column, row)),
    }
}

/// Appends the value at `row`, which is not NULL, as the key of an object.
pub(super) fn write_key(out: &mut String, column: &ArrayRef, row: usize) {
    quoted(out, &render(column, row));
}

fn quoted(out: &mut String, text: &str) {
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
            control if control < ' ' => {
                let _ = write!(out, "\\u{:04x}", u32::from(control));
            }
            other => out.push(other),
        }
    }
    out.push('"');
}
