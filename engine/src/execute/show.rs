//! `SHOW`, `DESCRIBE` and `EXPLAIN`: what there is, as rows.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{Field, Schema};
use deltic_circuit::{Circuit, NodeId, explain, fingerprint, sql_type};
use deltic_operators::holds_contents;
use deltic_sql::{
    Catalog, Explain, ExplainFormat, ExplainTarget, ExplainWhat, Name, Relation, RelationKind, Show, SqlFunction, plan_query,
};

use crate::Database;
use crate::error::{Error, Result, code};
use crate::outcome::Rows;
use crate::stats::{RelationStats, Stats};
use crate::time::show_time;

pub(crate) fn show(database: &Database, show: &Show) -> Result<Rows> {
    let names = database.names();
    match show {
        Show::Tables => tables(&names.catalog, RelationKind::Table),
        Show::Streams => tables(&names.catalog, RelationKind::Stream),
        Show::Views => views(&names.catalog),
        Show::Functions => functions(&names.catalog),
        Show::Stats(None) => stats(&names.catalog, &database.stats()?),
        Show::Stats(Some(name)) => {
            let relation = names.catalog.resolve(name)?;
            let stats = database.stats()?;
            let found = stats.relations.iter().find(|stats| stats.name == relation.name);
            operators(found.ok_or_else(|| plain_view(&relation.name, "has no state of its own"))?)
        }
        Show::Errors(name) => {
            let relation = names.catalog.resolve(name)?;
            if relation.kind != RelationKind::MaterializedView {
                return Err(plain_view(&relation.name, "is not a materialized view, so it has no error relation"));
            }
            errors(database, &relation.name)
        }
    }
}

/// The error relation of `view`: each error once, with the number of rows (in `copies`) that have it.
pub(crate) fn errors(database: &Database, view: &str) -> Result<Rows> {
    let errors = database.error_rows(view)?;
    let schema = errors.schema();
    let mut columns: Vec<(&str, ArrayRef)> =
        schema.fields().iter().map(|field| field.name().as_str()).zip(errors.columns().iter().cloned()).collect();
    columns.push(("copies", Arc::new(Int64Array::new(errors.weights_or_ones(), None))));
    rows(columns)
}

fn plain_view(name: &str, problem: &str) -> Error {
    Error::new(code::RELATION, format!("'{name}' {problem}"))
}

fn tables(catalog: &Catalog, kind: RelationKind) -> Result<Rows> {
    let found: Vec<&Arc<Relation>> = catalog.relations().filter(|relation| relation.kind == kind).collect();
    rows(vec![
        ("name", strings(found.iter().map(|relation| relation.name.clone()))),
        ("columns", strings(found.iter().map(|relation| column_names(relation, 0..relation.schema.fields().len())))),
        ("primary_key", optional(found.iter().map(|relation| Some(column_names(relation, relation.primary_key.clone()?))))),
    ])
}

fn column_names(relation: &Relation, columns: impl IntoIterator<Item = usize>) -> String {
    columns.into_iter().map(|column| relation.schema.field(column).name().as_str()).collect::<Vec<_>>().join(", ")
}

fn views(catalog: &Catalog) -> Result<Rows> {
    let is_view = |relation: &&Arc<Relation>| matches!(relation.kind, RelationKind::View | RelationKind::MaterializedView);
    let found: Vec<&Arc<Relation>> = catalog.relations().filter(is_view).collect();
    let kind = |relation: &Relation| if relation.kind == RelationKind::View { "view" } else { "materialized view" };
    rows(vec![
        ("name", strings(found.iter().map(|relation| relation.name.clone()))),
        ("kind", strings(found.iter().map(|relation| kind(relation).to_owned()))),
        ("reads", strings(found.iter().map(|relation| relation.depends_on.join(", ")))),
        ("definition", strings(found.iter().map(|relation| relation.sql.clone()))),
    ])
}

/// The functions of users: first those in SQL, then those in Rust.
fn functions(catalog: &Catalog) -> Result<Rows> {
    let sql: Vec<&SqlFunction> = catalog.sql_functions().collect();
    let scalar = catalog.scalar_functions().map(|function| function.name().to_owned());
    let rust: Vec<String> = scalar.chain(catalog.aggregate_functions().map(|function| function.name().to_owned())).collect();
    let nothing = |_: &String| None;
    rows(vec![
        ("name", strings(sql.iter().map(|function| function.name.clone()).chain(rust.iter().cloned()))),
        ("language", strings(sql.iter().map(|_| "SQL".to_owned()).chain(rust.iter().map(|_| "Rust".to_owned())))),
        ("usage", optional(sql.iter().map(|function| Some(function.usage())).chain(rust.iter().map(nothing)))),
        ("returns", optional(sql.iter().map(|function| Some(function.returns())).chain(rust.iter().map(nothing)))),
        ("definition", optional(sql.iter().map(|function| Some(function.sql.clone())).chain(rust.iter().map(nothing)))),
    ])
}

fn stats(catalog: &Catalog, stats: &Stats) -> Result<Rows> {
    let watermark = |stats: &RelationStats| Some(show_time(catalog.relation(&stats.name)?, stats.watermark?));
    let idle = |stats: &RelationStats| catalog.relation(&stats.name)?.event_time.as_ref().map(|_| yes_no(stats.idle));
    let numbers = |number: fn(&RelationStats) -> u64| integers(stats.relations.iter().map(number));
    rows(vec![
        ("name", strings(stats.relations.iter().map(|relation| relation.name.clone()))),
        ("kind", strings(stats.relations.iter().map(|relation| relation.kind.to_owned()))),
        ("entries", numbers(|relation| relation.entries as u64)),
        ("bytes", numbers(|relation| relation.bytes as u64)),
        ("state_bytes", numbers(|relation| relation.operators.iter().map(|operator| operator.bytes as u64).sum())),
        ("errors", numbers(|relation| relation.errors as u64)),
        ("changes", numbers(|relation| relation.changes)),
        ("acquired", numbers(|relation| relation.ingest.acquired_rows)),
        ("released", numbers(|relation| relation.ingest.released_rows)),
        ("blocked", numbers(|relation| relation.ingest.blocked)),
        ("dropped", numbers(|relation| relation.ingest.dropped_rows)),
        ("watermark", optional(stats.relations.iter().map(watermark))),
        ("idle", optional(stats.relations.iter().map(idle))),
        ("late", numbers(|relation| relation.late.late)),
        ("null_time", numbers(|relation| relation.late.null_time)),
        ("future", numbers(|relation| relation.late.future)),
        ("lost", numbers(|relation| relation.late.lost)),
        ("initial_firings", numbers(|relation| relation.windows.initial_firings)),
        ("late_firings", numbers(|relation| relation.windows.late_firings)),
        ("records_in_late_firing", numbers(|relation| relation.windows.records_in_late_firing)),
        ("windows_with_late_data", numbers(|relation| relation.windows.windows_with_late_data)),
        ("data_dropped_after_grace", numbers(|relation| relation.windows.data_dropped_after_grace)),
        ("session_merges", numbers(|relation| relation.windows.session_merges)),
        ("session_splits", numbers(|relation| relation.windows.session_splits)),
        ("retractions_emitted", numbers(|relation| relation.windows.retractions_emitted)),
    ])
}

fn operators(relation: &RelationStats) -> Result<Rows> {
    rows(vec![
        ("node", integers(relation.operators.iter().map(|operator| operator.node as u64))),
        ("operator", strings(relation.operators.iter().map(|operator| operator.operator.clone()))),
        ("rows", integers(relation.operators.iter().map(|operator| operator.rows as u64))),
        ("bytes", integers(relation.operators.iter().map(|operator| operator.bytes as u64))),
    ])
}

pub(crate) fn describe(database: &Database, name: &Name) -> Result<Rows> {
    let names = database.names();
    let relation = names.catalog.resolve(name)?;
    let key = relation.primary_key.clone().unwrap_or_default();
    let fields = relation.schema.fields();
    let default = |column: usize| relation.defaults.get(column)?.as_ref().map(ToString::to_string);
    rows(vec![
        ("column", strings(fields.iter().map(|field| field.name().clone()))),
        ("type", strings((0..fields.len()).map(|column| column_type(relation, column)))),
        ("nullable", strings(fields.iter().map(|field| yes_no(field.is_nullable())))),
        ("key", strings((0..fields.len()).map(|column| if key.contains(&column) { "PRIMARY KEY" } else { "" }.to_owned()))),
        ("default", optional((0..fields.len()).map(default))),
    ])
}

fn yes_no(yes: bool) -> String {
    if yes { "YES" } else { "NO" }.to_owned()
}

fn column_type(relation: &Relation, column: usize) -> String {
    let json = relation.json.get(column).copied().flatten();
    match relation.max_lengths.get(column).copied().flatten() {
        Some(length) => format!("VARCHAR({length})"),
        None => json.map_or_else(|| sql_type(relation.schema.field(column).data_type()), |kind| kind.as_str().to_owned()),
    }
}

pub(crate) fn explain(database: &Database, explain: &Explain) -> Result<Rows> {
    let names = database.names();
    let mut explained = None;
    let (circuit, plan) = match &explain.target {
        ExplainTarget::Query(query) => {
            let planned = plan_query(&names.catalog, query, &|| database.now())?;
            (Arc::new(planned.circuit), planned.logical_plan)
        }
        ExplainTarget::View(name) => {
            let relation = names.catalog.resolve(name)?;
            explained = Some(relation.name.clone());
            match (&relation.circuit, &relation.query) {
                (Some(circuit), _) => (circuit.clone(), relation.logical_plan.clone()),
                (None, Some(query)) => {
                    (Arc::new(plan_query(&names.catalog, query, &|| database.now())?.circuit), relation.logical_plan.clone())
                }
                (None, None) => {
                    let message = format!("'{}' is not a view, so there is nothing to explain", relation.name);
                    return Err(Error::new(code::RELATION, message));
                }
            }
        }
    };
    let text = match explain.what {
        ExplainWhat::Plan => plan,
        ExplainWhat::Circuit => circuit_text(&circuit, explain.format),
        ExplainWhat::State => explain::state(&circuit),
        ExplainWhat::Cost => explain::costs(&circuit, &sharing(&names.catalog, &circuit, explained.as_deref())),
    };
    rows(vec![("plan", strings(text.lines().map(ToOwned::to_owned)))])
}

/// The nodes whose state other views of the catalog share, with these views.
fn sharing(catalog: &Catalog, circuit: &Circuit, explained: Option<&str>) -> HashMap<NodeId, Vec<String>> {
    let ids: HashMap<u128, NodeId> = fingerprint(circuit).into_iter().zip((0..).map(NodeId)).collect();
    let mut shared: HashMap<NodeId, Vec<String>> = HashMap::new();
    for view in catalog.relations().filter(|view| Some(view.name.as_str()) != explained) {
        let Some(other) = &view.circuit else { continue };
        for (node, print) in fingerprint(other).into_iter().enumerate() {
            if let (true, Some(&id)) = (holds_contents(other, node), ids.get(&print)) {
                shared.entry(id).or_default().push(view.name.clone());
            }
        }
    }
    shared
}

fn circuit_text(circuit: &Circuit, format: ExplainFormat) -> String {
    match format {
        ExplainFormat::Text => explain::text(circuit),
        ExplainFormat::Json => explain::json(circuit),
        ExplainFormat::Mermaid => explain::mermaid(circuit),
    }
}

fn strings(values: impl Iterator<Item = String>) -> ArrayRef {
    Arc::new(values.map(Some).collect::<StringArray>())
}

fn optional(values: impl Iterator<Item = Option<String>>) -> ArrayRef {
    Arc::new(values.collect::<StringArray>())
}

fn integers(values: impl Iterator<Item = u64>) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(values.map(|value| i64::try_from(value).unwrap_or(i64::MAX))))
}

fn rows(columns: Vec<(&str, ArrayRef)>) -> Result<Rows> {
    let fields: Vec<Field> =
        columns.iter().map(|(name, column)| Field::new(*name, column.data_type().clone(), column.null_count() > 0)).collect();
    let schema = Arc::new(Schema::new(fields));
    let batch = RecordBatch::try_new(schema.clone(), columns.into_iter().map(|(_, column)| column).collect())?;
    Ok(Rows { schema, batches: vec![batch] })
}
