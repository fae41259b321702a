//! Rows as JSON can say them.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, FieldRef, Schema};
use arrow::error::ArrowError;
use deltic_zset::maps::{entry_types, map_type};
use deltic_zset::types::has_map;

/// `rows` with the keys of maps as text: the names of a JSON object are text, and Arrow's writer refuses any other map.
///
/// # Errors
/// If keys have no text.
pub fn text_keys(rows: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let schema = rows.schema();
    if !has_maps(&schema) {
        return Ok(rows.clone());
    }
    let field = |field: &FieldRef| field.as_ref().clone().with_data_type(with_text_keys(field.data_type()));
    let fields: Vec<Field> = schema.fields().iter().map(field).collect();
    let cast = |(column, field): (&ArrayRef, &Field)| cast_with_options(column, field.data_type(), &CastOptions::default());
    let columns = rows.columns().iter().zip(&fields).map(cast).collect::<Result<Vec<_>, _>>()?;
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
}

/// Whether there are maps in rows of this schema.
pub(crate) fn has_maps(schema: &Schema) -> bool {
    schema.fields().iter().any(|field| has_map(field.data_type()))
}

fn with_text_keys(data_type: &DataType) -> DataType {
    let inner = |field: &FieldRef| field.as_ref().clone().with_data_type(with_text_keys(field.data_type()));
    match (data_type, entry_types(data_type)) {
        (_, Some((_, value))) => map_type(DataType::Utf8, with_text_keys(value)),
        (DataType::List(item), _) => DataType::List(Arc::new(inner(item))),
        (DataType::Struct(fields), _) => DataType::Struct(fields.iter().map(inner).collect()),
        _ => data_type.clone(),
    }
}
