//! Casts. Arrow's cast gives NULL where a value has no counterpart; here that is an error with the value in its text, or stays NULL for `TRY_CAST`.
//!
//! What differs from Arrow follows PostgreSQL: floats and decimals round to integers and are not cut off, text may have blanks around it, and
//! dates, times, intervals, arrays and bytes have PostgreSQL's text.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BinaryArray, Float32Array, IntervalMonthDayNanoArray, ListArray, MapArray,
    PrimitiveArray, StringArray, StringBuilder, new_null_array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, DurationMicrosecondType, FieldRef, Float32Type, Float64Type, Int8Type, Int16Type,
    Int32Type, Int64Type, IntervalMonthDayNano, IntervalMonthDayNanoType, IntervalUnit, TimeUnit, TimestampMicrosecondType,
    UInt8Type, UInt16Type, UInt32Type, UInt64Type, i256,
};
use arrow::error::ArrowError;
use arrow::util::display::FormatOptions;
use deltic_zset::{maps, types};

use super::decimal::divide_half_away;
use super::text::{render, sql_type, write_value};
use super::value::{Evaluation, Value};
use crate::calendar::DAY_US;
use crate::errors::code;
use crate::interval::parse_interval;
use crate::{EvalError, RowErrors};

/// `CAST(value AS to)`, or `TRY_CAST` if `safe`.
pub(super) fn cast(value: &Value, to: &DataType, safe: bool, rows: usize) -> Evaluation {
    let from = value.inner();
    if from.data_type() == to {
        return Evaluation { value: value.clone(), errors: RowErrors::none() };
    }
    if from.data_type() == &DataType::Null {
        return Evaluation::like(new_null_array(to, from.len()), value);
    }
    let Ok(array) = convert(from, to) else {
        let message = format!("cannot cast {} to {}", sql_type(from.data_type()), sql_type(to));
        return Evaluation::failed(to, rows, &EvalError::new(code::UNSUPPORTED, message));
    };
    let array =
        if array.data_type().is_nested() || array.data_type().is_floating() { types::canonicalize_floats(array) } else { array };
    let result = Evaluation::like(array, value);
    if safe || result.value.inner().null_count() == from.null_count() {
        return result;
    }
    let array = result.value.inner();
    let failing = (0..from.len()).filter(|&row| array.is_null(row) && from.is_valid(row));
    if value.is_scalar() {
        return Evaluation::failed(to, rows, &failure(from, 0, to));
    }
    let mut errors = RowErrors::none();
    failing.for_each(|row| errors.insert(row, failure(from, row, to)));
    Evaluation { value: result.value, errors }
}

/// As [`cast`], with the result in the canonical spelling of `to`: a cast to nanoseconds gives microseconds.
pub(super) fn cast_canonically(value: &Value, to: &DataType, safe: bool, rows: usize) -> Evaluation {
    let exact = cast(value, to, safe, rows);
    match types::canonical_type(to) {
        Some(canonical) if &canonical != to => cast(&exact.value, &canonical, safe, rows).failing_on(exact.errors, rows),
        _ => exact,
    }
}

fn failure(from: &ArrayRef, row: usize, to: &DataType) -> EvalError {
    let text = render(from, row);
    let text = if from.data_type() == &DataType::Utf8 { format!("'{text}'") } else { text };
    EvalError::new(code::CAST, format!("cannot cast {text} to {}", sql_type(to)))
}

/// `from` as `to`, NULL where a value has no counterpart; an error if no value has.
fn convert(from: &ArrayRef, to: &DataType) -> Result<ArrayRef, ArrowError> {
    use DataType::*;
    match (from.data_type(), to) {
        (Float32 | Float64, to) if to.is_integer() => Ok(float_to_integer(from, to)),
        (Float64, Float32) => Ok(Arc::new(float_to_real(from))),
        (Decimal128(_, scale), to) if to.is_integer() => Ok(decimal_to_integer(from, *scale, to)),
        (Date32, Timestamp(TimeUnit::Microsecond, zone)) => {
            let timestamps: PrimitiveArray<TimestampMicrosecondType> =
                from.as_primitive::<Date32Type>().unary_opt(|day| i64::from(day).checked_mul(DAY_US));
            Ok(Arc::new(timestamps.with_timezone_opt(zone.clone())))
        }
        (Timestamp(TimeUnit::Microsecond, _), Date32) => {
            let dates: PrimitiveArray<Date32Type> =
                from.as_primitive::<TimestampMicrosecondType>().unary_opt(|micros| i32::try_from(micros.div_euclid(DAY_US)).ok());
            Ok(Arc::new(dates))
        }
        (Date32 | Time64(TimeUnit::Microsecond) | Timestamp(TimeUnit::Microsecond, _) | Interval(_) | Duration(_), Utf8)
        | (List(_) | Struct(_) | Map(..), Utf8) => Ok(to_text(from)),
        (Duration(TimeUnit::Microsecond), Interval(IntervalUnit::MonthDayNano)) => Ok(Arc::new(duration_to_interval(from))),
        (Map(..), Map(..)) => map_to_map(from.as_map(), to),
        (Utf8, Binary) => Ok(text_to_bytes(from.as_string())),
        (Utf8, LargeBinary | BinaryView | Utf8View | LargeUtf8) => arrow_cast(from, to),
        (Utf8, Boolean) => Ok(text_to_boolean(trimmed(from).as_string())),
        (Utf8, Interval(IntervalUnit::MonthDayNano)) => Ok(text_to_interval(from.as_string())),
        (Utf8, Timestamp(..)) => arrow_cast(&with_seconds(&trimmed(from)), to),
        (Utf8, List(item)) => text_to_list(from.as_string(), item),
        (Utf8, to) => arrow_cast(&trimmed(from), to),
        _ => arrow_cast(from, to),
    }
}

/// Whole days and the time that is left, both towards zero: as PostgreSQL subtracts timestamps, so that `extract(day FROM t - s)` are the days between them.
pub(super) fn duration_to_interval(durations: &ArrayRef) -> PrimitiveArray<IntervalMonthDayNanoType> {
    durations.as_primitive::<DurationMicrosecondType>().unary(|micros| {
        // At most 106,751,991 days.
        IntervalMonthDayNano::new(0, (micros / DAY_US) as i32, micros % DAY_US * 1000)
    })
}

/// Each key and each value cast; a map has no counterpart if one of these has none, or if keys become equal.
fn map_to_map(from: &MapArray, to: &DataType) -> Result<ArrayRef, ArrowError> {
    let Some((key, value)) = maps::entry_types(to) else { return arrow_cast(&(Arc::new(from.clone()) as ArrayRef), to) };
    let convert = |entries: &ArrayRef, to: &DataType| match entries.data_type() {
        same if same == to => Ok(entries.clone()),
        _ => convert(entries, to).map(types::canonicalize_floats),
    };
    let (keys, values) = (convert(from.keys(), key)?, convert(from.values(), value)?);
    let offsets = from.value_offsets();
    let is_whole = |row: usize| {
        let mut entries = offsets[row] as usize..offsets[row + 1] as usize;
        from.is_valid(row) && entries.all(|entry| keys.is_valid(entry) && values.is_null(entry) == from.values().is_null(entry))
    };
    let nulls = NullBuffer::from((0..from.len()).map(is_whole).collect::<Vec<_>>());
    let (made, _) =
        maps::maps_of(&keys, &values, from.offsets(), Some(&nulls)).map_err(|error| ArrowError::CastError(error.to_string()))?;
    Ok(Arc::new(made))
}

fn arrow_cast(from: &ArrayRef, to: &DataType) -> Result<ArrayRef, ArrowError> {
    let options = CastOptions { safe: true, format_options: FormatOptions::default() };
    cast_with_options(from, to, &options)
}

/// Round half to even, as PostgreSQL does for floats. NaN, infinities and what does not fit have no counterpart.
fn float_to_integer(from: &ArrayRef, to: &DataType) -> ArrayRef {
    let floats: PrimitiveArray<Float64Type> = match from.data_type() {
        DataType::Float32 => from.as_primitive::<Float32Type>().unary(f64::from),
        _ => from.as_primitive::<Float64Type>().clone(),
    };
    // Every float of magnitude below 2^65 is exact in 128 bits; the cast saturates beyond, which fits no 64-bit type.
    let whole = |value: f64| (!value.is_nan()).then(|| value.round_ties_even() as i128);
    integers(&floats, to, whole)
}

fn decimal_to_integer(from: &ArrayRef, scale: i8, to: &DataType) -> ArrayRef {
    let power = i256::from_i128(10).wrapping_pow(u32::from(scale.unsigned_abs()));
    integers(from.as_primitive::<Decimal128Type>(), to, |value| {
        let value = i256::from_i128(value);
        if scale >= 0 { divide_half_away(value, power).to_i128() } else { value.checked_mul(power)?.to_i128() }
    })
}

fn integers<T: ArrowPrimitiveType>(
    from: &PrimitiveArray<T>,
    to: &DataType,
    whole: impl Fn(T::Native) -> Option<i128>,
) -> ArrayRef {
    macro_rules! narrow {
        ($type:ty, $native:ty) => {{
            let result: PrimitiveArray<$type> =
                from.unary_opt(|value| whole(value).and_then(|value| <$native>::try_from(value).ok()));
            Arc::new(result)
        }};
    }
    match to {
        DataType::Int8 => narrow!(Int8Type, i8),
        DataType::Int16 => narrow!(Int16Type, i16),
        DataType::Int32 => narrow!(Int32Type, i32),
        DataType::Int64 => narrow!(Int64Type, i64),
        DataType::UInt8 => narrow!(UInt8Type, u8),
        DataType::UInt16 => narrow!(UInt16Type, u16),
        DataType::UInt32 => narrow!(UInt32Type, u32),
        DataType::UInt64 => narrow!(UInt64Type, u64),
        _ => new_null_array(to, from.len()),
    }
}

/// A finite double that is infinite as a REAL does not fit.
fn float_to_real(from: &ArrayRef) -> Float32Array {
    from.as_primitive::<Float64Type>().unary_opt(|value| {
        let narrow = value as f32;
        (narrow.is_finite() || !value.is_finite()).then_some(narrow)
    })
}

fn to_text(from: &ArrayRef) -> ArrayRef {
    let mut builder = StringBuilder::with_capacity(from.len(), from.len() * 24);
    let mut text = String::new();
    for row in 0..from.len() {
        if from.is_null(row) {
            builder.append_null();
        } else {
            text.clear();
            write_value(&mut text, from, row);
            builder.append_value(&text);
        }
    }
    Arc::new(builder.finish())
}

/// Texts without the blanks around them; the same array if there are none.
fn trimmed(from: &ArrayRef) -> ArrayRef {
    let texts = from.as_string::<i32>();
    if texts.iter().flatten().all(|text| text.trim_ascii().len() == text.len()) {
        return from.clone();
    }
    Arc::new(texts.iter().map(|text| text.map(str::trim_ascii)).collect::<StringArray>())
}

/// The spellings of PostgreSQL: unique prefixes of true, false, yes, no; on, off; 1, 0.
fn text_to_boolean(texts: &StringArray) -> ArrayRef {
    let value = |text: &str| match text.to_ascii_lowercase().as_str() {
        "t" | "tr" | "tru" | "true" | "y" | "ye" | "yes" | "on" | "1" => Some(true),
        "f" | "fa" | "fal" | "fals" | "false" | "n" | "no" | "of" | "off" | "0" => Some(false),
        _ => None,
    };
    Arc::new(texts.iter().map(|text| text.and_then(value)).collect::<arrow::array::BooleanArray>())
}

fn text_to_interval(texts: &StringArray) -> ArrayRef {
    let intervals: IntervalMonthDayNanoArray = texts.iter().map(|text| text.and_then(parse_interval)).collect();
    Arc::new(intervals)
}

/// `\x0a0b` in hexadecimal digits; any other text is its bytes.
fn text_to_bytes(texts: &StringArray) -> ArrayRef {
    let bytes = |text: &str| match text.strip_prefix("\\x") {
        None => Some(text.as_bytes().to_vec()),
        Some(digits) => {
            let pairs = digits.as_bytes().chunks(2);
            pairs
                .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2)?, 16).ok())
                .collect()
        }
    };
    Arc::new(texts.iter().map(|text| text.and_then(bytes)).collect::<BinaryArray>())
}

/// Where the minutes of `2024-01-02 03:04` end.
const MINUTES_END: usize = 16;

/// Times with their seconds, which PostgreSQL lets one leave out; the same array if all have them.
fn with_seconds(from: &ArrayRef) -> ArrayRef {
    let lacks = |text: &str| {
        let bytes = text.as_bytes();
        bytes.len() >= MINUTES_END
            && bytes[MINUTES_END - 3] == b':'
            && bytes[MINUTES_END - 1].is_ascii_digit()
            && !matches!(bytes.get(MINUTES_END), Some(b':' | b'0'..=b'9'))
    };
    let texts = from.as_string::<i32>();
    if !texts.iter().flatten().any(lacks) {
        return from.clone();
    }
    let whole = |text: &str| match lacks(text) {
        true => format!("{}:00{}", &text[..MINUTES_END], &text[MINUTES_END..]),
        false => text.to_owned(),
    };
    Arc::new(texts.iter().map(|text| text.map(whole)).collect::<StringArray>())
}

/// `{1,2}` as a list of `item`s. A text that is no such list, or has an element that is no such item, has no counterpart.
fn text_to_list(texts: &StringArray, item: &FieldRef) -> Result<ArrayRef, ArrowError> {
    let mut elements: Vec<Option<String>> = Vec::new();
    let (mut lengths, mut valid) = (Vec::with_capacity(texts.len()), Vec::with_capacity(texts.len()));
    let mut rows = Vec::new();
    for text in texts {
        let list = text.and_then(|text| array_elements(text, item.data_type().is_nested()));
        valid.push(list.is_some());
        let list = list.unwrap_or_default();
        lengths.push(list.len());
        rows.extend(std::iter::repeat_n(lengths.len() - 1, list.len()));
        elements.extend(list);
    }
    let elements: ArrayRef = Arc::new(StringArray::from(elements));
    let values = match item.data_type() {
        DataType::Utf8 => elements.clone(),
        other => convert(&elements, other)?,
    };
    for (element, row) in rows.into_iter().enumerate() {
        valid[row] &= values.is_valid(element) || elements.is_null(element);
    }
    let list = ListArray::try_new(item.clone(), OffsetBuffer::from_lengths(lengths), values, Some(NullBuffer::from(valid)))?;
    Ok(Arc::new(list))
}

/// The elements of an array as PostgreSQL writes it; those of an array of arrays (`nested`) are such texts themselves.
fn array_elements(text: &str, nested: bool) -> Option<Vec<Option<String>>> {
    let inner = text.trim().strip_prefix('{')?.strip_suffix('}')?;
    let mut elements = Vec::new();
    if inner.trim().is_empty() {
        return Some(elements);
    }
    let (mut element, mut quoted, mut was_quoted, mut depth) = (String::new(), false, false, 0usize);
    let end = |element: &mut String, was_quoted: &mut bool| {
        let text = std::mem::take(element);
        match std::mem::take(was_quoted) {
            true => Some(Some(text)),
            false => match text.trim() {
                "" => None,
                null if null.eq_ignore_ascii_case("null") => Some(None),
                text => Some(Some(text.to_owned())),
            },
        }
    };
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' if depth == 0 => (quoted, was_quoted) = (!quoted, true),
            '"' => {
                quoted = !quoted;
                element.push('"');
            }
            '\\' => {
                if depth > 0 {
                    element.push('\\');
                }
                element.push(characters.next()?);
            }
            ',' if !quoted && depth == 0 => elements.push(end(&mut element, &mut was_quoted)?),
            '{' if !quoted => {
                depth += 1;
                element.push('{');
            }
            '}' if !quoted => {
                depth = depth.checked_sub(1)?;
                element.push('}');
            }
            blank if was_quoted && !quoted && depth == 0 => {
                if !blank.is_whitespace() {
                    return None;
                }
            }
            other => element.push(other),
        }
    }
    if quoted || depth > 0 {
        return None;
    }
    elements.push(end(&mut element, &mut was_quoted)?);
    let is_list = |element: &Option<String>| element.as_ref().is_some_and(|element| element.starts_with('{'));
    let fits = elements.iter().all(|element| element.is_none() || nested == is_list(element) || !nested);
    fits.then_some(elements)
}
