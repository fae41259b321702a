//! Rows as lists of named values, and the Arrow columns that the schema asks for.

use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, Decimal128Array, Int32Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};

use super::SCHEMA;
use crate::feed::Table;

/// One value of a row; NULL is the absence of the column's name.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// An `INT`.
    Int(i32),
    /// A `DECIMAL` of two digits after the point, in hundredths.
    Cents(i64),
    /// A `VARCHAR`.
    Text(String),
    /// A `DATE`, in days since 1970.
    Date(i32),
}

impl From<i32> for Value {
    fn from(value: i32) -> Self {
        Value::Int(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Value::Text(value.into())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Value::Text(value)
    }
}

/// A row: its columns that are not NULL.
pub(super) type Row = Vec<(&'static str, Value)>;

/// A row from `name: value` pairs.
macro_rules! row {
    ($($name:ident: $value:expr),* $(,)?) => { vec![$((stringify!($name), crate::tpcds::values::Value::from($value))),*] };
}
pub(super) use row;

/// The table of that name with these rows, typed as [`SCHEMA`] says.
///
/// # Panics
/// If a row names a column that the table has not, or has a value of another type: a mistake of the generator.
pub(super) fn table(name: &str, rows: &[Row]) -> Table {
    let columns = columns_of(name);
    for (column, _) in rows.iter().flatten() {
        assert!(columns.iter().any(|(name, _)| name == column), "{name} has no column {column}");
    }
    let arrays = columns.iter().map(|(column, data_type)| array(column, data_type, rows)).collect();
    let fields: Vec<Field> = columns.iter().map(|(column, data_type)| Field::new(column, data_type.clone(), true)).collect();
    let rows = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).expect("columns are made for the schema");
    Table { name: name.into(), rows }
}

/// Names and types of a table's columns.
fn columns_of(table: &str) -> Vec<(String, DataType)> {
    let start = format!("CREATE TABLE {table} (");
    let (_, columns) = SCHEMA.split_once(&start).unwrap_or_else(|| panic!("no table {table}"));
    let (columns, _) = columns.split_once(");\n").expect("a statement ends");
    let columns = columns.replace(", 2)", ")");
    let parse = |column: &str| {
        let (name, data_type) = column.trim().split_once(' ').expect("a name and a type");
        let data_type = match data_type.trim_end_matches(" PRIMARY KEY") {
            "INT" => DataType::Int32,
            "VARCHAR" => DataType::Utf8,
            "DATE" => DataType::Date32,
            "DECIMAL(5)" => DataType::Decimal128(5, 2),
            "DECIMAL(7)" => DataType::Decimal128(7, 2),
            "DECIMAL(15)" => DataType::Decimal128(15, 2),
            other => panic!("TPC-DS has no {other}"),
        };
        (name.to_string(), data_type)
    };
    columns.split(',').map(parse).collect()
}

fn array(column: &str, data_type: &DataType, rows: &[Row]) -> ArrayRef {
    let values = rows.iter().map(|row| row.iter().find(|(name, _)| *name == column).map(|(_, value)| value));
    macro_rules! collect {
        ($array:ty, $variant:ident) => {
            values
                .map(|value| match value {
                    None => None,
                    Some(Value::$variant(value)) => Some(value.clone().into()),
                    Some(other) => panic!("{column} is {data_type}, not {other:?}"),
                })
                .collect::<$array>()
        };
    }
    match data_type {
        DataType::Int32 => Arc::new(collect!(Int32Array, Int)),
        DataType::Utf8 => Arc::new(
            values
                .map(|value| match value {
                    None => None,
                    Some(Value::Text(text)) => Some(text.as_str()),
                    Some(other) => panic!("{column} is {data_type}, not {other:?}"),
                })
                .collect::<StringArray>(),
        ),
        DataType::Date32 => Arc::new(collect!(Date32Array, Date)),
        DataType::Decimal128(precision, scale) => {
            let array = collect!(Decimal128Array, Cents);
            Arc::new(array.with_precision_and_scale(*precision, *scale).expect("a type of the schema"))
        }
        other => panic!("TPC-DS has no {other}"),
    }
}
