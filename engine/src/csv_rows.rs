//! Rows as CSV can say them, where every value is one text: an array as PostgreSQL writes it, `{1,2}`, and a map, a struct or an array of them as JSON.

use std::io::Cursor;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::error::ArrowError;
use deltic_circuit::{Expr, functions};

/// `rows` with texts in the place of arrays, maps and structs.
///
/// # Errors
/// If a value has no text.
pub fn text_values(rows: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let schema = rows.schema();
    if !schema.fields().iter().any(|field| field.data_type().is_nested()) {
        return Ok(rows.clone());
    }
    let mut fields = Vec::with_capacity(schema.fields().len());
    let mut columns = Vec::with_capacity(schema.fields().len());
    for (index, (field, column)) in schema.fields().iter().zip(rows.columns()).enumerate() {
        if !field.data_type().is_nested() {
            fields.push(field.as_ref().clone());
            columns.push(column.clone());
            continue;
        }
        let value = Expr::column(index, field.data_type().clone());
        let text = match (is_json(field.data_type()), functions::named("to_jsonb")) {
            (true, Some(to_json)) => Expr::function(to_json, vec![value], Arc::new(Field::new("json", DataType::Utf8, true))),
            _ => value.cast(DataType::Utf8),
        };
        let evaluated = text.evaluate(rows.columns(), rows.num_rows());
        if let Some((_, error)) = evaluated.errors.iter().next() {
            return Err(ArrowError::CsvError(format!("column '{}': {}", field.name(), error.message)));
        }
        fields.push(Field::new(field.name(), DataType::Utf8, true));
        columns.push(evaluated.values);
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
}

/// Whether values of this type are JSON in CSV.
pub(crate) fn is_json(data_type: &DataType) -> bool {
    match data_type {
        DataType::List(item) => is_json(item.data_type()),
        other => other.is_nested(),
    }
}

/// The values that JSON texts say.
///
/// # Errors
/// The first row that says none, and why.
pub(crate) fn from_json(texts: &ArrayRef, to: &DataType) -> Result<ArrayRef, (usize, String)> {
    functions::json_column(texts, false)?;
    let texts = texts.as_string::<i32>();
    read(texts, to).map_err(|error| {
        // Arrow does not say which row it was.
        let of_row = |row| read(&texts.slice(row, 1), to).err().map(|error| (row, error.to_string()));
        (0..texts.len()).find_map(of_row).unwrap_or((0, error.to_string()))
    })
}

fn read(texts: &StringArray, to: &DataType) -> Result<ArrayRef, ArrowError> {
    const NAME: &str = "value";
    let lines: String = texts.iter().map(|text| format!("{{\"{NAME}\":{}}}\n", text.unwrap_or("null"))).collect();
    let schema = Arc::new(Schema::new(vec![Field::new(NAME, to.clone(), true)]));
    let reader = arrow::json::ReaderBuilder::new(schema.clone()).with_strict_mode(true).with_batch_size(texts.len().max(1));
    match reader.build(Cursor::new(lines))?.next() {
        Some(batch) => Ok(batch?.column(0).clone()),
        None => Ok(RecordBatch::new_empty(schema).column(0).clone()),
    }
}
