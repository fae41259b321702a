//! Random values of every column type, and their spelling in SQL.
//!
//! Values come from small pools so that keys meet, groups fill up and empty again, and duplicates occur; now and then one is
//! NULL, extreme (the ends of a type's range, NaN, the empty string, times before 1970) or from a wide range.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, new_empty_array};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, IntervalMonthDayNano, TimeUnit};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion_common::ScalarValue;
use deltic_zset::maps::{entry_types, maps_of};
use deltic_zset::types::canonicalize;
use rand::Rng;
use rand::rngs::StdRng;

/// How values of one history are drawn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Profile {
    /// Different ordinary values of a column.
    pub(super) domain: i64,
    /// Per mille of NULLs in nullable columns.
    pub(super) nulls: u32,
    /// Per mille of extreme values.
    pub(super) extremes: u32,
    /// Per mille of the one hot value.
    pub(super) hot: u32,
}

impl Profile {
    /// A profile for one history: mostly mild, sometimes harsh.
    pub(super) fn random(rng: &mut StdRng) -> Self {
        Profile {
            domain: *pick(rng, &[2, 4, 10, 100]),
            nulls: *pick(rng, &[0, 50, 300]),
            extremes: *pick(rng, &[0, 0, 20, 200]),
            hot: *pick(rng, &[0, 300, 800]),
        }
    }
}

/// One of `choices`, which is not empty.
pub(super) fn pick<'a, T>(rng: &mut StdRng, choices: &'a [T]) -> &'a T {
    &choices[rng.random_range(0..choices.len())]
}

fn chance(rng: &mut StdRng, per_mille: u32) -> bool {
    rng.random_range(0..1000) < per_mille
}

/// A value for a column of type `data_type`.
pub(super) fn random_value(rng: &mut StdRng, data_type: &DataType, nullable: bool, profile: &Profile) -> ScalarValue {
    if nullable && chance(rng, profile.nulls) {
        return null_of(data_type);
    }
    if chance(rng, profile.extremes) {
        return extreme_value(rng, data_type);
    }
    let seed = if chance(rng, profile.hot) { 1 } else { rng.random_range(0..profile.domain) };
    ordinary_value(rng, data_type, seed, profile)
}

/// NULL of a type (every canonical type has one).
pub(super) fn null_of(data_type: &DataType) -> ScalarValue {
    ScalarValue::try_from(data_type).unwrap_or(ScalarValue::Null)
}

/// The `seed`-th ordinary value: neighbours in the pool are neighbours in the type's order.
fn ordinary_value(rng: &mut StdRng, data_type: &DataType, seed: i64, profile: &Profile) -> ScalarValue {
    let micros = (seed - 1) * 3_700_000 + i64::from(rng.random_range(0..2u8)) * 500_000;
    match data_type {
        DataType::Boolean => ScalarValue::Boolean(Some(seed % 2 == 0)),
        DataType::Int8 => ScalarValue::Int8(Some((seed - 1) as i8)),
        DataType::Int16 => ScalarValue::Int16(Some((seed - 1) as i16)),
        DataType::Int32 => ScalarValue::Int32(Some((seed - 1) as i32)),
        DataType::Int64 => ScalarValue::Int64(Some(seed - 1)),
        DataType::UInt8 => ScalarValue::UInt8(Some(seed as u8)),
        DataType::UInt16 => ScalarValue::UInt16(Some(seed as u16)),
        DataType::UInt32 => ScalarValue::UInt32(Some(seed as u32)),
        DataType::UInt64 => ScalarValue::UInt64(Some(seed as u64)),
        DataType::Float32 => ScalarValue::Float32(Some((seed - 1) as f32 * 0.5)),
        // Multiples of 1/4 are summed exactly by a naive oracle too.
        DataType::Float64 => ScalarValue::Float64(Some((seed - 1) as f64 * 0.25)),
        DataType::Decimal128(precision, scale) => {
            let limit = 10i128.checked_pow(u32::from(*precision)).unwrap_or(i128::MAX);
            ScalarValue::Decimal128(Some((i128::from(seed - 1) * 25) % limit), *precision, *scale)
        }
        DataType::Utf8 => ScalarValue::Utf8(Some(text(seed))),
        DataType::Binary => ScalarValue::Binary(Some(text(seed).into_bytes())),
        DataType::Date32 => ScalarValue::Date32(Some(seed as i32 * 17 - 5)),
        DataType::Time64(TimeUnit::Microsecond) => ScalarValue::Time64Microsecond(Some(micros.rem_euclid(86_400_000_000))),
        DataType::Timestamp(TimeUnit::Microsecond, zone) => ScalarValue::TimestampMicrosecond(Some(micros), zone.clone()),
        DataType::Duration(TimeUnit::Microsecond) => ScalarValue::DurationMicrosecond(Some(micros)),
        DataType::Interval(_) => {
            let nanoseconds = (seed % 5) * 3_600_000_000_000;
            ScalarValue::IntervalMonthDayNano(Some(IntervalMonthDayNano::new((seed % 2) as i32, (seed % 3) as i32, nanoseconds)))
        }
        DataType::List(field) => {
            let len = rng.random_range(0..3);
            let values: Vec<_> = (0..len).map(|_| random_value(rng, field.data_type(), field.is_nullable(), profile)).collect();
            ScalarValue::List(ScalarValue::new_list(&values, field.data_type(), field.is_nullable()))
        }
        DataType::Map(..) => random_map(rng, data_type, profile).unwrap_or_else(|| null_of(data_type)),
        DataType::Struct(fields) => {
            let mut builder = datafusion_common::scalar::ScalarStructBuilder::new();
            for field in fields {
                builder =
                    builder.with_scalar(Arc::clone(field), random_value(rng, field.data_type(), field.is_nullable(), profile));
            }
            builder.build().unwrap_or_else(|_| null_of(data_type))
        }
        other => null_of(other),
    }
}

fn random_map(rng: &mut StdRng, data_type: &DataType, profile: &Profile) -> Option<ScalarValue> {
    let (key, value) = entry_types(data_type)?;
    let mut entries = HashMap::new();
    for _ in 0..rng.random_range(0..3) {
        entries.insert(random_value(rng, key, false, profile), random_value(rng, value, true, profile));
    }
    let (keys, values): (Vec<ScalarValue>, Vec<ScalarValue>) = entries.into_iter().unzip();
    let column = |values: Vec<ScalarValue>, data_type: &DataType| match values.is_empty() {
        true => Some(new_empty_array(data_type)),
        false => ScalarValue::iter_to_array(values).ok().and_then(|values| canonicalize(&values).ok()),
    };
    let offsets = OffsetBuffer::from_lengths([keys.len()]);
    let (maps, _) = maps_of(&column(keys, key)?, &column(values, value)?, &offsets, None).ok()?;
    Some(ScalarValue::Map(Arc::new(maps)))
}

/// Short and long strings, with a common prefix beyond what state structures keep inline.
fn text(seed: i64) -> String {
    match seed % 4 {
        0 => format!("{seed}"),
        1 => format!("k{seed}"),
        2 => format!("a-common-prefix-that-is-long-{seed}"),
        _ => format!("{}%_'ü", seed),
    }
}

fn extreme_value(rng: &mut StdRng, data_type: &DataType) -> ScalarValue {
    let high = rng.random_bool(0.5);
    macro_rules! ends {
        ($variant:ident, $native:ty) => {
            ScalarValue::$variant(Some(if high { <$native>::MAX } else { <$native>::MIN }))
        };
    }
    match data_type {
        DataType::Int8 => ends!(Int8, i8),
        DataType::Int16 => ends!(Int16, i16),
        DataType::Int32 => ends!(Int32, i32),
        DataType::Int64 => ends!(Int64, i64),
        DataType::UInt8 => ends!(UInt8, u8),
        DataType::UInt16 => ends!(UInt16, u16),
        DataType::UInt32 => ends!(UInt32, u32),
        DataType::UInt64 => ends!(UInt64, u64),
        DataType::Float32 => ScalarValue::Float32(Some(*pick(rng, &[f32::MAX, f32::MIN_POSITIVE, f32::NAN, f32::INFINITY, 0.1]))),
        DataType::Float64 => {
            ScalarValue::Float64(Some(*pick(rng, &[f64::MAX, f64::MIN, 5e-324, f64::NAN, f64::NEG_INFINITY, -0.0, 0.1, 1e16])))
        }
        DataType::Decimal128(precision, scale) => {
            let limit = 10i128.checked_pow(u32::from(*precision)).map_or(i128::MAX, |limit| limit - 1);
            ScalarValue::Decimal128(Some(if high { limit } else { -limit }), *precision, *scale)
        }
        DataType::Utf8 => {
            let choices = [String::new(), " ".into(), "x".repeat(300), "\u{1F980}\u{0}end".into(), "NULL".into()];
            ScalarValue::Utf8(Some(pick(rng, &choices).clone()))
        }
        DataType::Binary => ScalarValue::Binary(Some(if high { vec![0xff; 40] } else { Vec::new() })),
        // PostgreSQL's and Arrow's ranges both hold the years 1 to 9999.
        DataType::Date32 => ScalarValue::Date32(Some(if high { 2_932_896 } else { -719_162 })),
        DataType::Time64(TimeUnit::Microsecond) => ScalarValue::Time64Microsecond(Some(if high { 86_399_999_999 } else { 0 })),
        DataType::Timestamp(TimeUnit::Microsecond, zone) => ScalarValue::TimestampMicrosecond(
            Some(if high { 253_402_300_799_999_999 } else { -62_135_596_800_000_000 }),
            zone.clone(),
        ),
        other => ordinary_value(rng, other, 0, &Profile { domain: 1, nulls: 0, extremes: 0, hot: 0 }),
    }
}

/// The value as a SQL expression that yields exactly it.
pub(super) fn sql_literal(value: &ScalarValue, type_name: &str) -> String {
    if value.is_null() {
        return "NULL".into();
    }
    match value {
        ScalarValue::Boolean(Some(value)) => value.to_string(),
        ScalarValue::Int8(_) | ScalarValue::Int16(_) | ScalarValue::Int32(_) | ScalarValue::UInt8(_) | ScalarValue::UInt16(_) => {
            display(value)
        }
        ScalarValue::Utf8(Some(text)) => quote(text),
        ScalarValue::Binary(Some(bytes)) => {
            format!("X'{}'", bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
        }
        ScalarValue::List(list) => {
            let values = list.value(0);
            let items: Vec<String> = (0..values.len())
                .filter_map(|row| ScalarValue::try_from_array(&values, row).ok())
                .map(|item| sql_literal(&item, &item.data_type().to_string()))
                .collect();
            format!("[{}]", items.join(", "))
        }
        ScalarValue::Map(maps) => {
            let entries = maps.value(0);
            let part = |column: usize, row| {
                let array = entries.column(column);
                ScalarValue::try_from_array(array, row)
                    .map(|value| sql_literal(&value, &deltic_circuit::sql_type(array.data_type())))
                    .ok()
            };
            let items: Vec<String> =
                (0..entries.len()).filter_map(|row| Some(format!("{}: {}", part(0, row)?, part(1, row)?))).collect();
            format!("MAP {{{}}}", items.join(", "))
        }
        ScalarValue::Struct(fields) => {
            let items: Vec<String> = fields
                .fields()
                .iter()
                .zip(fields.columns())
                .filter_map(|(field, column)| ScalarValue::try_from_array(column, 0).ok().map(|item| (field, item)))
                .map(|(field, item)| format!("{}, {}", quote(field.name()), sql_literal(&item, &item.data_type().to_string())))
                .collect();
            format!("named_struct({})", items.join(", "))
        }
        ScalarValue::IntervalMonthDayNano(Some(value)) => {
            format!("INTERVAL '{} months {} days {} microseconds'", value.months, value.days, value.nanoseconds / 1_000)
        }
        other => format!("CAST({} AS {type_name})", quote(&display(other))),
    }
}

fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn display(value: &ScalarValue) -> String {
    let options = FormatOptions::default().with_display_error(true);
    let Ok(array) = value.to_array() else { return value.to_string() };
    match ArrayFormatter::try_new(&array, &options) {
        Ok(formatter) => formatter.value(0).to_string(),
        Err(_) => value.to_string(),
    }
}
