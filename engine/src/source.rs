//! [`Source`]: a table or a stream, as writers and the coordinator both know it.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use deltic_sql::{Relation, RelationKind};

use crate::config::{Config, OverflowPolicy};
use crate::ingest::Credits;

/// A table or a stream. Writers check their batches against it and queue them with it; the coordinator refuses those that name a source
/// which has been dropped since, even if another one has its name now.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) name: Arc<str>,
    pub(crate) schema: SchemaRef,
    pub(crate) kind: SourceKind,
    /// Defaults and lengths of the columns.
    pub(crate) relation: Arc<Relation>,
    pub(crate) credits: Arc<Credits>,
}

/// What a source keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SourceKind {
    /// All rows, as a multiset.
    Multiset,
    /// One row per value of the columns: an insert replaces.
    Keyed(Vec<usize>),
    /// Nothing.
    Stream,
}

impl Source {
    pub(crate) fn new(relation: Arc<Relation>, config: &Config) -> Arc<Self> {
        let name: Arc<str> = relation.name.as_str().into();
        let kind = match (&relation.kind, &relation.primary_key) {
            (RelationKind::Stream, _) => SourceKind::Stream,
            (_, Some(key)) => SourceKind::Keyed(key.clone()),
            (_, None) => SourceKind::Multiset,
        };
        let overflow = relation.overflow.map_or(config.overflow, OverflowPolicy::from);
        let credits = Credits::new(name.clone(), overflow, config.queue_rows, config.queue_bytes);
        Arc::new(Source { name, schema: relation.schema.clone(), kind, relation, credits })
    }

    /// The columns that the contents are found by.
    pub(crate) fn lookup_key(&self) -> Vec<usize> {
        match &self.kind {
            SourceKind::Keyed(key) => key.clone(),
            SourceKind::Multiset | SourceKind::Stream => (0..self.schema.fields().len()).collect(),
        }
    }

    pub(crate) fn is_stream(&self) -> bool {
        self.kind == SourceKind::Stream
    }
}
