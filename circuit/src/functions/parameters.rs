//! What kinds of arguments a function takes, and the types that they are cast to.

use arrow::datatypes::{DataType, IntervalUnit, TimeUnit};
use deltic_zset::maps::entry_types;
use deltic_zset::types::canonical_type;

use super::Definition;
use crate::eval::text::sql_type;

/// The kind of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Text.
    Text,
    /// Text; anything else is written as text.
    Written,
    /// Any integer, as BIGINT.
    Integer,
    /// Any number, as DOUBLE.
    Double,
    /// Any number, as it is. An untyped NULL is a DOUBLE.
    Number,
    /// True or false.
    Boolean,
    /// A point in time without zone: TIMESTAMP, TIMESTAMPTZ (which is in UTC), DATE, or text.
    Timestamp,
    /// TIMESTAMP or TIMESTAMPTZ or DATE or TIME or INTERVAL, as it is; text is a TIMESTAMP.
    Moment,
    /// What `to_char` writes: a moment or a number.
    Formatted,
    /// An INTERVAL.
    Interval,
    /// Any array.
    Array,
    /// Any map.
    Map,
    /// A key of the map that is the first argument.
    Key,
    /// Anything, as it is. An untyped NULL is a text.
    Any,
}

const TIMESTAMP: DataType = DataType::Timestamp(TimeUnit::Microsecond, None);

impl Kind {
    /// The type that an argument of `data_type` is cast to, if it is of this kind.
    fn coerce(self, data_type: &DataType) -> Option<DataType> {
        use DataType::{Binary, Boolean, Date32, Duration, Float64, Int64, Interval, List, Map, Null, Time64, Timestamp, Utf8};
        let data_type = if data_type == &Null { Null } else { canonical_type(data_type)? };
        Some(match (self, data_type) {
            (Kind::Text, Utf8 | Null) => Utf8,
            (Kind::Written, data_type) if !data_type.is_nested() && data_type != Binary => Utf8,
            (Kind::Integer, Null) => Int64,
            (Kind::Integer, data_type) if data_type.is_integer() => Int64,
            (Kind::Double | Kind::Number, Null) => Float64,
            (Kind::Double, data_type) if data_type.is_numeric() => Float64,
            (Kind::Number, data_type) if data_type.is_numeric() => data_type,
            (Kind::Boolean, Boolean | Null) => Boolean,
            (Kind::Timestamp, Timestamp(..) | Date32 | Utf8 | Null) => TIMESTAMP,
            (Kind::Formatted, data_type) if data_type.is_numeric() => data_type,
            (Kind::Moment | Kind::Formatted, data_type @ (Timestamp(..) | Date32 | Time64(_) | Interval(_))) => data_type,
            (Kind::Moment | Kind::Formatted, Utf8 | Null) => TIMESTAMP,
            (Kind::Interval | Kind::Moment | Kind::Formatted, Interval(_) | Duration(_) | Null) => {
                Interval(IntervalUnit::MonthDayNano)
            }
            (Kind::Interval, Utf8) => Interval(IntervalUnit::MonthDayNano),
            (Kind::Array, data_type @ List(_)) => data_type,
            (Kind::Map, data_type @ Map(..)) => data_type,
            (Kind::Any, Null) => Utf8,
            (Kind::Any, data_type) => data_type,
            _ => return None,
        })
    }
}

/// The type that an argument of `data_type` is cast to if it can be a key of `map`. Numbers and times stay as they are: one that a cast would round is no
/// key, rather than another one.
fn key_of(map: &DataType, data_type: &DataType) -> Option<DataType> {
    let map = canonical_type(map)?;
    let (key, _) = entry_types(&map)?;
    if data_type == &DataType::Null {
        return Some(key.clone());
    }
    let data_type = canonical_type(data_type)?;
    let is_time = |data_type: &DataType| matches!(data_type, DataType::Timestamp(..) | DataType::Date32);
    if data_type == *key || data_type.is_numeric() && key.is_numeric() || is_time(&data_type) && is_time(key) {
        return Some(data_type);
    }
    let is_written = data_type == DataType::Utf8 && !key.is_nested();
    (is_written || data_type.is_nested() && key.is_nested()).then(|| key.clone())
}

/// The types that arguments of `types` are cast to.
pub(super) fn coerce(definition: &Definition, types: &[DataType]) -> Result<Vec<DataType>, String> {
    let most = if definition.variadic { usize::MAX } else { definition.parameters.len() };
    if types.len() < definition.required || types.len() > most {
        return Err(format!("{} is called as {}", definition.name, definition.usage));
    }
    let last = definition.parameters.len().saturating_sub(1);
    types
        .iter()
        .enumerate()
        .map(|(index, data_type)| {
            let coerced = match definition.parameters[index.min(last)] {
                Kind::Key => key_of(&types[0], data_type),
                // `x = ANY ('{1,2}')`
                Kind::Array if data_type == &DataType::Utf8 && definition.name.starts_with("compare_") => {
                    let item = canonical_type(&types[index - 1]).filter(|item| !item.is_null());
                    Some(DataType::new_list(item.unwrap_or(DataType::Utf8), true))
                }
                kind => kind.coerce(data_type),
            };
            coerced.ok_or_else(|| {
                let found = types.iter().map(sql_type).collect::<Vec<_>>().join(", ");
                format!("{} does not take the types ({found}): it is called as {}", definition.name, definition.usage)
            })
        })
        .collect()
}
