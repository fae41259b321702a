//! Values as text, as PostgreSQL prints them: for casts to VARCHAR, for error messages and for the rows of the error relation.
//!
//! Arrow prints `2024-01-01T00:00:00` and its own words for intervals; it also depends on chrono's range of years. Here every 64-bit timestamp
//! has a text.

use std::fmt::Write;

use arrow::array::{Array, ArrayRef, AsArray, MapArray};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, DurationMicrosecondType, IntervalMonthDayNano, IntervalMonthDayNanoType, IntervalUnit,
    Time64MicrosecondType, TimeUnit, TimestampMicrosecondType,
};
use arrow::util::display::array_value_to_string;
use deltic_zset::maps::entry_types;

use crate::calendar::{Civil, DAY_US, civil_of_day};

/// The value at `row` as text, `NULL` if it is.
pub(crate) fn render_or_null(column: &ArrayRef, row: usize) -> String {
    if column.is_null(row) { "NULL".to_owned() } else { render(column, row) }
}

/// The value at `row` (not NULL) as text. Strings are themselves, without quotes.
pub(crate) fn render(column: &ArrayRef, row: usize) -> String {
    let mut out = String::new();
    write_value(&mut out, column, row);
    out
}

/// Appends the value at `row` (not NULL).
pub(super) fn write_value(out: &mut String, column: &ArrayRef, row: usize) {
    match column.data_type() {
        DataType::Date32 => write_date(out, i64::from(column.as_primitive::<Date32Type>().value(row))),
        DataType::Time64(TimeUnit::Microsecond) => write_time(out, column.as_primitive::<Time64MicrosecondType>().value(row)),
        DataType::Timestamp(TimeUnit::Microsecond, zone) => {
            let micros = column.as_primitive::<TimestampMicrosecondType>().value(row);
            write_date(out, micros.div_euclid(DAY_US));
            out.push(' ');
            write_time(out, micros.rem_euclid(DAY_US));
            out.push_str(if zone.is_some() { "+00" } else { "" });
        }
        DataType::Interval(IntervalUnit::MonthDayNano) => {
            write_interval(out, column.as_primitive::<IntervalMonthDayNanoType>().value(row));
        }
        DataType::Duration(TimeUnit::Microsecond) => {
            let micros = column.as_primitive::<DurationMicrosecondType>().value(row);
            // Days of a 64-bit number of microseconds are few enough for 32 bits.
            let days = (micros / DAY_US) as i32;
            write_interval(out, IntervalMonthDayNano::new(0, days, (micros % DAY_US) * 1000));
        }
        DataType::Decimal128(_, scale) => {
            out.push_str(&decimal_text(column.as_primitive::<Decimal128Type>().value(row), *scale));
        }
        DataType::Binary => {
            out.push_str("\\x");
            for byte in column.as_binary::<i32>().value(row) {
                let _ = write!(out, "{byte:02x}");
            }
        }
        DataType::List(_) => write_list(out, &column.as_list::<i32>().value(row)),
        DataType::Map(..) => write_map(out, column.as_map(), row),
        DataType::Struct(_) => {
            write_elements(out, ('(', ')'), column.as_struct().columns().iter().map(|field| (field.clone(), row)));
        }
        _ => out.push_str(&array_value_to_string(column, row).unwrap_or_default()),
    }
}

/// `{a,"b c",NULL}`, as PostgreSQL prints arrays: what could be read as something else is quoted, so that the text reads back.
fn write_list(out: &mut String, elements: &ArrayRef) {
    let is_special = |character: char| matches!(character, '{' | '}' | '"' | '\\' | ',') || character.is_whitespace();
    let is_plain = matches!(elements.data_type(), DataType::List(_));
    out.push('{');
    for row in 0..elements.len() {
        out.push_str(if row > 0 { "," } else { "" });
        if elements.is_null(row) {
            out.push_str("NULL");
            continue;
        }
        let start = out.len();
        write_value(out, elements, row);
        let written = &out[start..];
        if !is_plain && (written.is_empty() || written.eq_ignore_ascii_case("null") || written.contains(is_special)) {
            let quoted = format!("\"{}\"", written.replace('\\', "\\\\").replace('"', "\\\""));
            out.replace_range(start.., &quoted);
        }
    }
    out.push('}');
}

fn write_elements(out: &mut String, (open, close): (char, char), elements: impl Iterator<Item = (ArrayRef, usize)>) {
    out.push(open);
    for (position, (array, row)) in elements.enumerate() {
        out.push_str(if position > 0 { "," } else { "" });
        match array.is_null(row) {
            true => out.push_str("NULL"),
            false => write_value(out, &array, row),
        }
    }
    out.push(close);
}

/// `{key=>value,..}`, as Materialize prints maps.
fn write_map(out: &mut String, maps: &MapArray, row: usize) {
    out.push('{');
    let entries = maps.value_offsets()[row] as usize..maps.value_offsets()[row + 1] as usize;
    for entry in entries.clone() {
        out.push_str(if entry > entries.start { "," } else { "" });
        write_value(out, maps.keys(), entry);
        out.push_str("=>");
        match maps.values().is_null(entry) {
            true => out.push_str("NULL"),
            false => write_value(out, maps.values(), entry),
        }
    }
    out.push('}');
}

/// The date of a day counted from 1970-01-01.
fn write_date(out: &mut String, days: i64) {
    let Civil { year, month, day } = civil_of_day(days);
    // PostgreSQL has no year 0: the year before 1 is 1 BC. ISO 8601's astronomical years are kept here, so that text reads back.
    out.push_str(if year < 0 { "-" } else { "" });
    match year.unsigned_abs() {
        year @ ..10_000 => {
            write_two(out, year / 100);
            write_two(out, year % 100);
        }
        year => {
            let _ = write!(out, "{year}");
        }
    }
    out.push('-');
    write_two(out, u64::from(month));
    out.push('-');
    write_two(out, u64::from(day));
}

/// Two digits, without the detour through `fmt` that made casts of timestamps several times slower.
fn write_two(out: &mut String, value: u64) {
    let digit = |value: u64| char::from(b'0' + (value % 10) as u8);
    out.push(digit(value / 10));
    out.push(digit(value));
}

/// `HH:MM:SS`, with more digits for more than 99 hours.
fn write_clock(out: &mut String, seconds: u64) {
    match seconds / 3600 {
        hours @ ..100 => write_two(out, hours),
        hours => {
            let _ = write!(out, "{hours}");
        }
    }
    out.push(':');
    write_two(out, seconds / 60 % 60);
    out.push(':');
    write_two(out, seconds % 60);
}

/// `HH:MM:SS[.ffffff]` without trailing zeros.
fn write_time(out: &mut String, micros: i64) {
    let micros = micros.unsigned_abs();
    write_clock(out, micros / 1_000_000);
    write_fraction(out, micros % 1_000_000, 6);
}

fn write_fraction(out: &mut String, fraction: u64, digits: u32) {
    if fraction == 0 {
        return;
    }
    out.push('.');
    let (mut rest, mut unit) = (fraction, 10u64.pow(digits - 1));
    while rest > 0 {
        out.push(char::from(b'0' + (rest / unit) as u8));
        (rest, unit) = (rest % unit, unit / 10);
    }
}

/// `1 year 2 mons -3 days 04:05:06.789`, as PostgreSQL's default style.
fn write_interval(out: &mut String, interval: IntervalMonthDayNano) {
    let start = out.len();
    let mut part = |value: i32, unit: &str| {
        if value != 0 {
            let space = if out.len() > start { " " } else { "" };
            let plural = if value == 1 { "" } else { "s" };
            let _ = write!(out, "{space}{value} {unit}{plural}");
        }
    };
    part(interval.months / 12, "year");
    part(interval.months % 12, "mon");
    part(interval.days, "day");
    if interval.nanoseconds != 0 || out.len() == start {
        out.push_str(if out.len() > start { " " } else { "" });
        out.push_str(if interval.nanoseconds < 0 { "-" } else { "" });
        let nanos = interval.nanoseconds.unsigned_abs();
        write_clock(out, nanos / 1_000_000_000);
        write_fraction(out, nanos % 1_000_000_000, 9);
    }
}

/// The digits of a decimal with its point: `-0.05` for -5 at scale 2, `500` for 5 at scale -2.
pub(crate) fn decimal_text(value: i128, scale: i8) -> String {
    let sign = if value < 0 { "-" } else { "" };
    let digits = value.unsigned_abs().to_string();
    match usize::try_from(scale) {
        Ok(0) => format!("{sign}{digits}"),
        Ok(scale) => {
            let padded = format!("{digits:0>width$}", width = scale + 1);
            let (whole, fraction) = padded.split_at(padded.len() - scale);
            format!("{sign}{whole}.{fraction}")
        }
        Err(_) if value == 0 => "0".to_owned(),
        Err(_) => format!("{sign}{digits}{}", "0".repeat(usize::from(scale.unsigned_abs()))),
    }
}

/// A type as SQL names it.
pub fn sql_type(data_type: &DataType) -> String {
    match data_type {
        DataType::Boolean => "BOOLEAN".to_owned(),
        DataType::Int8 => "TINYINT".to_owned(),
        DataType::Int16 => "SMALLINT".to_owned(),
        DataType::Int32 => "INTEGER".to_owned(),
        DataType::Int64 => "BIGINT".to_owned(),
        DataType::UInt8 => "TINYINT UNSIGNED".to_owned(),
        DataType::UInt16 => "SMALLINT UNSIGNED".to_owned(),
        DataType::UInt32 => "INTEGER UNSIGNED".to_owned(),
        DataType::UInt64 => "BIGINT UNSIGNED".to_owned(),
        DataType::Float32 => "REAL".to_owned(),
        DataType::Float64 => "DOUBLE".to_owned(),
        DataType::Decimal128(precision, scale) => format!("DECIMAL({precision}, {scale})"),
        DataType::Utf8 => "VARCHAR".to_owned(),
        DataType::Binary => "BYTEA".to_owned(),
        DataType::Date32 => "DATE".to_owned(),
        DataType::Time64(_) => "TIME".to_owned(),
        DataType::Timestamp(_, None) => "TIMESTAMP".to_owned(),
        DataType::Timestamp(_, Some(_)) => "TIMESTAMPTZ".to_owned(),
        DataType::Interval(_) => "INTERVAL".to_owned(),
        DataType::Duration(_) => "DURATION".to_owned(),
        DataType::List(element) => format!("{}[]", sql_type(element.data_type())),
        DataType::Struct(fields) => {
            let fields: Vec<String> =
                fields.iter().map(|field| format!("{} {}", field.name(), sql_type(field.data_type()))).collect();
            format!("STRUCT<{}>", fields.join(", "))
        }
        DataType::Map(..) => match entry_types(data_type) {
            Some((key, value)) => format!("MAP({}, {})", sql_type(key), sql_type(value)),
            None => data_type.to_string(),
        },
        other => other.to_string(),
    }
}
