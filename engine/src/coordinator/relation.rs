//! What the coordinator knows of each relation.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use deltic_circuit::CircuitRef;
use deltic_sql::RelationKind;

use crate::contents::Contents;
use crate::source::Source;

/// A table, stream or materialized view.
pub(super) struct Relation {
    pub(super) name: Arc<str>,
    pub(super) kind: Kind,
    /// Changed rows since it was created.
    pub(super) changes: u64,
}

pub(super) enum Kind {
    Table(Box<Table>),
    Stream { source: Arc<Source> },
    View(View),
}

/// A table with its rows.
pub(super) struct Table {
    pub(super) source: Arc<Source>,
    pub(super) contents: Contents,
}

/// A materialized view; its rows and errors are with the [keeper](crate::keeper).
pub(super) struct View {
    pub(super) circuit: CircuitRef,
    pub(super) schema: SchemaRef,
    /// How many rows its sources had refused as too late when it was created.
    pub(super) refused_before: u64,
}

impl Relation {
    pub(super) fn source(source: Arc<Source>) -> Self {
        let name = source.name.clone();
        let kind = if source.is_stream() {
            Kind::Stream { source }
        } else {
            let contents = Contents::new(source.schema.clone(), source.lookup_key());
            Kind::Table(Box::new(Table { source, contents }))
        };
        Relation { name, kind, changes: 0 }
    }

    pub(super) fn view(name: Arc<str>, circuit: CircuitRef, schema: SchemaRef, refused_before: u64) -> Self {
        Relation { name, kind: Kind::View(View { circuit, schema, refused_before }), changes: 0 }
    }

    pub(super) fn schema(&self) -> &SchemaRef {
        match &self.kind {
            Kind::Table(table) => &table.source.schema,
            Kind::Stream { source } => &source.schema,
            Kind::View(view) => &view.schema,
        }
    }

    pub(super) fn as_source(&self) -> Option<&Arc<Source>> {
        match &self.kind {
            Kind::Table(table) => Some(&table.source),
            Kind::Stream { source } => Some(source),
            Kind::View(_) => None,
        }
    }

    pub(super) fn as_view(&self) -> Option<&View> {
        match &self.kind {
            Kind::View(view) => Some(view),
            Kind::Table(_) | Kind::Stream { .. } => None,
        }
    }

    pub(super) fn kind_name(&self) -> &'static str {
        match &self.kind {
            Kind::Table(table) if table.source.relation.kind == RelationKind::LateRows => "late rows",
            Kind::Table(_) => "table",
            Kind::Stream { .. } => "stream",
            Kind::View(_) => "materialized view",
        }
    }
}

/// All relations, by name.
pub(super) type Relations = HashMap<Arc<str>, Relation>;
