//! Views: names for their columns, and EMIT.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::datatypes::{DataType, Schema, TimeUnit};
use deltic_circuit::{Circuit, Ticks};
use sqlparser::ast;

use super::{Catalog, Relation, RelationKind};
use crate::error::{Code, Position};
use crate::event_time::is_time;
use crate::lower::{EmitMode, emit};
use crate::plan::constant_length;
use crate::statement::{CreateView, Emit, EmitClause};
use crate::{PlannedQuery, SqlError, stack};

/// The relation of a view whose query is planned; `catalog` is without it.
///
/// # Errors
/// If its columns have no names of their own, or its EMIT means nothing.
pub(super) fn view_relation(catalog: &Catalog, create: &CreateView, planned: PlannedQuery) -> Result<Relation, SqlError> {
    let mut circuit = planned.circuit;
    if !create.columns.is_empty() {
        rename(&mut circuit, create)?;
    }
    let schema = circuit.schema().clone();
    check_names(&schema, create)?;
    if let Some(clause) = &create.emit {
        circuit = emitted(catalog, create, clause, circuit)?;
    }
    let columns = schema.fields().len();
    Ok(Relation {
        name: create.name.value.clone(),
        kind: if create.materialized { RelationKind::MaterializedView } else { RelationKind::View },
        primary_key: None,
        defaults: vec![None; columns],
        default_syntax: vec![None; columns],
        max_lengths: vec![None; columns],
        json: planned.json,
        sql: create.sql.clone(),
        query: Some(Arc::new(create.query.clone())),
        properties: circuit.node(circuit.output).properties.clone(),
        circuit: create.materialized.then(|| Arc::new(circuit)),
        schema,
        logical_plan: planned.logical_plan,
        order: planned.order,
        depends_on: planned.relations,
        functions: planned.functions,
        event_time: None,
        overflow: None,
    })
}

/// Gives the columns the names in `CREATE VIEW v (a, b)`; as in PostgreSQL, there may be fewer names than columns.
fn rename(circuit: &mut Circuit, create: &CreateView) -> Result<(), SqlError> {
    let schema = circuit.schema().clone();
    if create.columns.len() > schema.fields().len() {
        let position = create.columns[schema.fields().len()].position;
        let message = format!("{} names for {} columns", create.columns.len(), schema.fields().len());
        return Err(SqlError::new(Code::Query, position, message));
    }
    let named = schema.fields().iter().enumerate().map(|(index, field)| match create.columns.get(index) {
        Some(name) => field.as_ref().clone().with_name(&name.value),
        None => field.as_ref().clone(),
    });
    let schema = Arc::new(Schema::new(named.collect::<Vec<_>>()));
    circuit.nodes[circuit.output.0].schema = schema;
    Ok(())
}

fn check_names(schema: &Schema, create: &CreateView) -> Result<(), SqlError> {
    let mut seen = HashSet::new();
    match schema.fields().iter().find(|field| !seen.insert(field.name())) {
        None => Ok(()),
        Some(field) => {
            let message = format!("column {} is there more than once in view {}", field.name(), create.name.value);
            let error = SqlError::new(Code::DuplicateColumn, create.query.position, message);
            Err(error.with_hint("give one of them an alias with AS"))
        }
    }
}

/// The circuit of a view with its EMIT.
fn emitted(catalog: &Catalog, create: &CreateView, clause: &EmitClause, circuit: Circuit) -> Result<Circuit, SqlError> {
    let position = clause.position;
    if !create.materialized {
        let message = "a plain view has no EMIT: it is part of the queries that name it";
        let error = SqlError::new(Code::Unsupported, position, message);
        return Err(error.with_hint("use CREATE MATERIALIZED VIEW"));
    }
    let mode = match &clause.emit {
        Emit::Changes => return Ok(circuit),
        Emit::OnWindowClose => EmitMode::OnWindowClose,
        Emit::Final => EmitMode::Final,
        Emit::Every { interval, on_watermark: false } => {
            let clock = DataType::Timestamp(TimeUnit::Microsecond, None);
            EmitMode::Every { interval: every(interval, &clock, position)?, ticks: Ticks::Clock }
        }
        Emit::Every { interval, on_watermark: true } => {
            let unit = watermark_type(catalog, &circuit, position)?;
            EmitMode::Every { interval: every(interval, &unit, position)?, ticks: Ticks::Watermark }
        }
    };
    emit(circuit, mode, position)
}

/// The interval of EMIT EVERY, in the unit of times of type `time_type`.
fn every(interval: &ast::Expr, time_type: &DataType, position: Position) -> Result<i64, SqlError> {
    let length = stack::deep(|| constant_length(interval, time_type, "the interval of EMIT EVERY", position))??;
    if length <= 0 {
        return Err(SqlError::new(Code::Constraint, position, "the interval of EMIT EVERY must be positive"));
    }
    Ok(length)
}

/// The type of the event times that the watermark of `circuit` is made of.
fn watermark_type(catalog: &Catalog, circuit: &Circuit, position: Position) -> Result<DataType, SqlError> {
    let sources = &circuit.node(circuit.output).properties.time_sources;
    let mut types = sources.iter().filter_map(|source| {
        let relation = catalog.relation(&source.relation)?;
        Some(relation.schema.field(relation.event_time.as_ref()?.column).data_type().clone())
    });
    let Some(first) = types.next() else {
        let message = "EMIT EVERY .. ON WATERMARK means nothing here: nothing that the query reads has a watermark";
        return Err(SqlError::new(Code::Query, position, message).with_hint("use ON CLOCK"));
    };
    if types.any(|other| is_time(&other) != is_time(&first)) {
        let message =
            "EMIT EVERY .. ON WATERMARK means nothing here: one source counts its watermark in numbers, another in time";
        return Err(SqlError::new(Code::Query, position, message).with_hint("use ON CLOCK"));
    }
    Ok(first)
}
