//! What kinds of arguments a function takes, and the types that they are cast to.

use arrow::datatypes::{DataType, IntervalUnit, TimeUnit};
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
    /// Anything, as it is. An untyped NULL is a text.
    Any,
}

const TIMESTAMP: DataType = DataType::Timestamp(TimeUnit::Microsecond, None);

impl Kind {
    /// The type that an argument of `data_type` is cast to, if it is of this kind.
    fn coerce(self, data_type: &DataType) -> Option<DataType> {
        use DataType::{Binary, Boolean, Date32, Duration, Float64, Int64, Interval, List, Null, Time64, Timestamp, Utf8};
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
            (Kind::Any, Null) => Utf8,
            (Kind::Any, data_type) => data_type,
            _ => return None,
        })
    }
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
            definition.parameters[index.min(last)].coerce(data_type).ok_or_else(|| {
                let found = types.iter().map(sql_type).collect::<Vec<_>>().join(", ");
                format!("{} does not take the types ({found}): it is called as {}", definition.name, definition.usage)
            })
        })
        .collect()
}
