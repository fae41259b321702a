//! SQL types to Arrow types.
//!
//! DataFusion maps most of them; here are those that it maps otherwise than Deltic promises: times are microseconds, a time with zone is
//! in UTC, and a length or precision is never ignored.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, TimeUnit};
use datafusion_common::{DataFusionError, Result};
use datafusion_expr::planner::TypePlanner;
use deltic_zset::maps::map_type;
use deltic_zset::types::canonical_type;
use sqlparser::ast::{CharacterLength, DataType as SqlType, ExactNumberInfo, TimezoneInfo};

use crate::SqlError;
use crate::error::{Code, Position};

/// The names of types, for suggestions.
pub(crate) const TYPE_NAMES: &[&str] = &[
    "BOOLEAN",
    "TINYINT",
    "SMALLINT",
    "INT",
    "INTEGER",
    "BIGINT",
    "REAL",
    "FLOAT",
    "DOUBLE",
    "DECIMAL",
    "NUMERIC",
    "VARCHAR",
    "TEXT",
    "BYTEA",
    "DATE",
    "TIME",
    "TIMESTAMP",
    "TIMESTAMPTZ",
    "INTERVAL",
    "JSON",
    "JSONB",
    "MAP",
];

const MICROSECONDS: u64 = 6;

/// Plans the types that DataFusion would plan in another way.
#[derive(Debug)]
pub(crate) struct DelticTypes;

impl TypePlanner for DelticTypes {
    fn plan_type_field(&self, sql_type: &SqlType) -> Result<Option<FieldRef>> {
        let data_type = match sql_type {
            SqlType::Timestamp(precision, zone) => {
                check_precision(sql_type, *precision)?;
                let with_zone = matches!(zone, TimezoneInfo::Tz | TimezoneInfo::WithTimeZone);
                DataType::Timestamp(TimeUnit::Microsecond, with_zone.then(|| "UTC".into()))
            }
            SqlType::Datetime(precision) => {
                check_precision(sql_type, *precision)?;
                DataType::Timestamp(TimeUnit::Microsecond, None)
            }
            SqlType::Time(precision, zone) => {
                check_precision(sql_type, *precision)?;
                if matches!(zone, TimezoneInfo::Tz | TimezoneInfo::WithTimeZone) {
                    return Err(refused(sql_type, "a time of day has no zone: use TIME or TIMESTAMPTZ"));
                }
                DataType::Time64(TimeUnit::Microsecond)
            }
            // In PostgreSQL FLOAT is double precision, and FLOAT(n) counts binary digits.
            SqlType::Float(precision) => match precision {
                ExactNumberInfo::None | ExactNumberInfo::Precision(25..=53) => DataType::Float64,
                ExactNumberInfo::Precision(1..=24) => DataType::Float32,
                _ => return Err(refused(sql_type, "FLOAT(n) has at most 53 binary digits")),
            },
            SqlType::Map(key, value) => map_type(part(sql_type, key)?, part(sql_type, value)?),
            // JSON is kept as text: see [`json_kind`]. A text that is cast to another text is no JSON any more: DataFusion would keep its mark.
            SqlType::Varchar(_)
            | SqlType::Text
            | SqlType::String(_)
            | SqlType::Char(_)
            | SqlType::Nvarchar(_)
            | SqlType::CharacterVarying(_)
            | SqlType::CharVarying(_)
            | SqlType::Character(_)
            | SqlType::JSON
            | SqlType::JSONB => DataType::Utf8,
            _ => return Ok(None),
        };
        Ok(Some(Arc::new(Field::new("type", data_type, true))))
    }
}

/// The type of the keys or values of the map `whole`.
fn part(whole: &SqlType, part: &SqlType) -> Result<DataType> {
    if max_length(part).is_some() {
        return Err(refused(whole, "lengths are not checked in maps: use VARCHAR"));
    }
    if json_kind(part).is_some() {
        return Err(refused(whole, "JSON is not checked in maps: use VARCHAR"));
    }
    let planned = super::constant::plan_type(part)?;
    canonical_type(&planned).ok_or_else(|| refused(whole, "its keys or values are of a type that is not supported"))
}

fn check_precision(sql_type: &SqlType, precision: Option<u64>) -> Result<()> {
    match precision {
        None | Some(MICROSECONDS) => Ok(()),
        Some(_) => Err(refused(sql_type, "times are kept in microseconds: leave the precision out")),
    }
}

fn refused(sql_type: &SqlType, hint: &str) -> DataFusionError {
    let error = SqlError::unsupported(Position { line: 0, column: 0 }, format!("the type {sql_type}")).with_hint(hint);
    DataFusionError::External(Box::new(error))
}

/// The number of characters that `VARCHAR(n)` or `CHAR(n)` allows.
pub(crate) fn max_length(sql_type: &SqlType) -> Option<usize> {
    let length = match sql_type {
        SqlType::Varchar(length)
        | SqlType::Nvarchar(length)
        | SqlType::CharacterVarying(length)
        | SqlType::CharVarying(length) => length,
        // CHAR alone is CHAR(1).
        SqlType::Char(length) | SqlType::Character(length) => {
            &Some(length.unwrap_or(CharacterLength::IntegerLength { length: 1, unit: None }))
        }
        SqlType::String(Some(length)) => return Some(*length as usize),
        _ => return None,
    };
    match length {
        Some(CharacterLength::IntegerLength { length, .. }) => Some(*length as usize),
        _ => None,
    }
}

/// The kinds of JSON columns. Both are texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JsonKind {
    /// `JSON`: kept as it was written.
    Json,
    /// `JSONB`: kept in its canonical form, in which equal values are equal texts.
    Jsonb,
}

impl JsonKind {
    /// `JSON`, `JSONB`.
    pub fn as_str(self) -> &'static str {
        match self {
            JsonKind::Json => "JSON",
            JsonKind::Jsonb => "JSONB",
        }
    }
}

/// The kind of JSON that a column of this type holds.
pub(crate) fn json_kind(sql_type: &SqlType) -> Option<JsonKind> {
    match sql_type {
        SqlType::JSON => Some(JsonKind::Json),
        SqlType::JSONB => Some(JsonKind::Jsonb),
        _ => None,
    }
}

/// Whether it is a CHAR, which PostgreSQL pads with blanks.
pub(crate) fn is_padded(sql_type: &SqlType) -> bool {
    matches!(sql_type, SqlType::Char(_) | SqlType::Character(_))
}

/// The type in which `data_type` is kept.
///
/// # Errors
/// DT1010 if there is none.
pub(crate) fn canonical(data_type: &DataType, what: &str, position: Position) -> std::result::Result<DataType, SqlError> {
    canonical_type(data_type)
        .ok_or_else(|| SqlError::new(Code::Type, position, format!("{what} has the type {data_type}, which is not supported")))
}
