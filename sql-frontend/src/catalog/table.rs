//! Tables and streams, and the relations of their late rows.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema};
use deltic_circuit::{EventTime, Properties};

use super::{Relation, RelationKind};
use crate::SqlError;
use crate::error::Code;
use crate::plan::{constant, event_time, json_kind, max_length, plan_column_type};
use crate::statement::{CreateTable, Name};
use crate::suggest::did_you_mean;

/// The relation that `create` describes.
///
/// # Errors
/// If columns, types, key, defaults, watermark or options are wrong.
pub(super) fn table_relation(create: &CreateTable) -> Result<Relation, SqlError> {
    let primary_key = create.primary_key.as_deref().map(|key| key_columns(create, key)).transpose()?;
    let mut fields = Vec::with_capacity(create.columns.len());
    let mut defaults = Vec::with_capacity(create.columns.len());
    for (index, column) in create.columns.iter().enumerate() {
        let data_type = plan_column_type(column)?;
        let in_key = primary_key.as_ref().is_some_and(|key| key.contains(&index));
        let default = column
            .default
            .as_ref()
            .map(|value| constant(value, &data_type, json_kind(&column.data_type), column.name.position))
            .transpose()?;
        fields.push(Field::new(&column.name.value, data_type, !column.not_null && !in_key));
        defaults.push(default);
    }
    let schema = Arc::new(Schema::new(fields));
    let (event_time, overflow) = event_time(create, &schema)?;
    let properties = Properties {
        unique_keys: primary_key.iter().cloned().collect(),
        append_only: create.stream,
        time_sources: event_time.iter().map(|time| time.source(&create.name.value)).collect(),
        event_times: event_time.iter().map(|time| EventTime { column: time.column, slack: 0 }).collect(),
        closings: vec![],
        grids: vec![],
    };
    Ok(Relation {
        name: create.name.value.clone(),
        kind: if create.stream { RelationKind::Stream } else { RelationKind::Table },
        schema,
        primary_key,
        defaults,
        default_syntax: create.columns.iter().map(|column| column.default.clone()).collect(),
        max_lengths: create.columns.iter().map(|column| max_length(&column.data_type)).collect(),
        json: create.columns.iter().map(|column| json_kind(&column.data_type)).collect(),
        sql: create.sql.clone(),
        query: None,
        circuit: None,
        logical_plan: String::new(),
        order: vec![],
        depends_on: vec![],
        functions: vec![],
        properties,
        event_time,
        overflow,
    })
}

/// The relation of the late rows of `source`: its columns, why and when a row was late, and what it was to do.
pub(super) fn late_relation(source: &Relation, name: String, create: &CreateTable) -> Result<Relation, SqlError> {
    let Some(event_time) = &source.event_time else {
        return Err(SqlError::new(Code::Internal, create.name.position, "late rows without event time"));
    };
    let time_type = source.schema.field(event_time.column).data_type().clone();
    let mut fields: Vec<Field> =
        source.schema.fields().iter().map(|field| Field::new(field.name(), field.data_type().clone(), true)).collect();
    for (name, data_type, nullable) in [
        ("late_reason", DataType::Utf8, false),
        ("late_operation", DataType::Utf8, false),
        ("late_watermark", time_type, true),
        ("late_epoch", DataType::Int64, false),
    ] {
        if let Some(column) = create.columns.iter().find(|column| column.name.value == name) {
            let message = format!("column {name} is one that the late rows of {} have of their own", source.name);
            let error = SqlError::new(Code::DuplicateColumn, column.name.position, message);
            return Err(error.with_hint("rename it, or choose another late_policy than 'dead_letter'"));
        }
        fields.push(Field::new(name, data_type, nullable));
    }
    let columns = fields.len();
    let mut max_lengths = source.max_lengths.clone();
    max_lengths.resize(columns, None);
    let mut json = source.json.clone();
    json.resize(columns, None);
    Ok(Relation {
        name,
        kind: RelationKind::LateRows,
        schema: Arc::new(Schema::new(fields)),
        primary_key: None,
        defaults: vec![None; columns],
        default_syntax: vec![None; columns],
        max_lengths,
        json,
        sql: source.sql.clone(),
        query: None,
        circuit: None,
        logical_plan: String::new(),
        order: vec![],
        depends_on: vec![source.name.clone()],
        functions: vec![],
        // TRUNCATE takes rows away.
        properties: Properties::default(),
        event_time: None,
        overflow: None,
    })
}

fn key_columns(create: &CreateTable, key: &[Name]) -> Result<Vec<usize>, SqlError> {
    let mut columns = Vec::with_capacity(key.len());
    for name in key {
        let Some(column) = create.columns.iter().position(|column| column.name.value == name.value) else {
            let error =
                SqlError::new(Code::UnknownColumn, name.position, format!("unknown column {} in the primary key", name.value));
            let hint = did_you_mean(&name.value, create.columns.iter().map(|column| column.name.value.as_str()));
            return Err(SqlError { hint, ..error });
        };
        if columns.contains(&column) {
            let message = format!("column {} is in the primary key more than once", name.value);
            return Err(SqlError::new(Code::DuplicateColumn, name.position, message));
        }
        columns.push(column);
    }
    Ok(columns)
}
