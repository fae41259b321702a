//! A database session as a sqllogictest connection.

use arrow::array::Array;
use arrow::datatypes::DataType;
use arrow::util::display::{ArrayFormatter, DurationFormat, FormatOptions};
use deltic::{Database, Outcome, Rows, Session};
use sqllogictest::{DBOutput, DefaultColumnType};

/// One session; statements of a file run in it one after the other.
pub struct Connection {
    session: Session,
}

impl Connection {
    /// A new session of `db`.
    pub fn new(db: &Database) -> Self {
        Connection { session: db.session() }
    }
}

impl sqllogictest::DB for Connection {
    type Error = deltic::Error;
    type ColumnType = DefaultColumnType;

    fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, deltic::Error> {
        let mut outcomes = self.session.execute(sql)?;
        Ok(match outcomes.pop() {
            Some(Outcome::Rows(rows)) => DBOutput::Rows { types: types(&rows), rows: text(&rows)? },
            Some(Outcome::Changed { rows, .. }) => DBOutput::StatementComplete(rows),
            _ => DBOutput::StatementComplete(0),
        })
    }

    fn engine_name(&self) -> &str {
        "deltic"
    }

    fn error_sql_state(error: &deltic::Error) -> Option<String> {
        Some(error.code().to_string())
    }
}

fn types(rows: &Rows) -> Vec<DefaultColumnType> {
    rows.schema
        .fields()
        .iter()
        .map(|field| match field.data_type() {
            data_type if data_type.is_integer() => DefaultColumnType::Integer,
            DataType::Float32 | DataType::Float64 | DataType::Decimal128(_, _) => DefaultColumnType::FloatingPoint,
            _ => DefaultColumnType::Text,
        })
        .collect()
}

/// Every value as text: NULL is `NULL`, the empty string `(empty)`.
pub fn text(rows: &Rows) -> Result<Vec<Vec<String>>, deltic::Error> {
    let options = FormatOptions::new()
        .with_null("NULL")
        .with_timestamp_format(Some("%Y-%m-%d %H:%M:%S%.f"))
        .with_timestamp_tz_format(Some("%Y-%m-%d %H:%M:%S%.f+00"))
        .with_duration_format(DurationFormat::Pretty);
    let mut all = Vec::new();
    for batch in &rows.batches {
        let formatters =
            batch.columns().iter().map(|column| ArrayFormatter::try_new(column, &options)).collect::<Result<Vec<_>, _>>()?;
        for row in 0..batch.num_rows() {
            all.push(
                formatters
                    .iter()
                    .zip(batch.columns())
                    .map(|(formatter, column)| match formatter.value(row).to_string() {
                        empty if empty.is_empty() && !column.is_null(row) => "(empty)".to_string(),
                        value => value,
                    })
                    .collect(),
            );
        }
    }
    Ok(all)
}
