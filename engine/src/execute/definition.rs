//! `CREATE` and `DROP`.
//!
//! A definition is tried on a copy of the catalog, which checks and plans everything; then the coordinator carries it out between two epochs; then
//! the copy becomes the catalog. So a refused definition changes nothing. One definition is made at a time.

use std::sync::Arc;

use datafusion_expr::{AggregateUDF, ScalarUDF};
use deltic_sql::{CreateFunction, CreateTable, CreateView, Created, Drop, DropFunction, Relation, RelationKind, SqlError};

use crate::Database;
use crate::coordinator::{Definition, Request, ViewDefinition};
use crate::error::{Error, Result};
use crate::names::Names;
use crate::outcome::Outcome;
use crate::source::Source;

pub(crate) fn create_table(database: &Database, create: &CreateTable) -> Result<Outcome> {
    let command = if create.stream { "CREATE STREAM" } else { "CREATE TABLE" };
    define(database, command, |names| names.catalog.create_table(create))
}

pub(crate) fn create_view(database: &Database, create: &CreateView) -> Result<Outcome> {
    let command = if create.materialized { "CREATE MATERIALIZED VIEW" } else { "CREATE VIEW" };
    define(database, command, |names| names.catalog.create_view(create))
}

fn define(
    database: &Database,
    command: &'static str,
    create: impl FnOnce(&mut Names) -> Result<Created, SqlError>,
) -> Result<Outcome> {
    let guard = database.define();
    let mut names = Names::clone(&database.names());
    let (new, changed) = match create(&mut names)? {
        Created::Exists(existing) => (existing, false),
        Created::New(new) => {
            apply(database, names, None, Some(&new))?;
            (new, true)
        }
        Created::Replaced { old, new } => {
            apply(database, names, Some(&old), Some(&new))?;
            (new, true)
        }
    };
    drop(guard);
    Ok(Outcome::Definition { command, name: new.name.clone(), changed })
}

/// Has the coordinator drop `old` and create `new`, and makes `names` the catalog.
fn apply(database: &Database, mut names: Names, old: Option<&Relation>, new: Option<&Arc<Relation>>) -> Result<()> {
    let mut definitions = Vec::new();
    if let Some(old) = old.filter(|old| old.kind != RelationKind::View) {
        definitions.push(Definition::Drop(old.name.clone()));
    }
    match new.map(|new| (new, new.kind)) {
        Some((new, RelationKind::Table | RelationKind::Stream)) => {
            let late = new.late_rows().and_then(|name| names.catalog.relation(&name).cloned());
            for relation in std::iter::once(new).chain(&late) {
                let source = Source::new(relation.clone(), database.config());
                names.sources.insert(relation.name.clone(), source.clone());
                definitions.push(Definition::CreateSource(source));
            }
        }
        Some((new, RelationKind::MaterializedView)) => {
            let circuit = new.circuit.clone();
            let circuit = circuit.ok_or_else(|| Error::internal(format!("the view '{}' has no circuit", new.name)))?;
            deltic_circuit::validate(&circuit).map_err(|problem| Error::internal(problem.to_string()))?;
            if circuit.reads_clock() {
                // Its first contents are those of now, not of the last commit.
                database.catch_up_with_clock()?;
            }
            let (name, schema) = (new.name.as_str().into(), new.schema.clone());
            definitions.push(Definition::CreateView(ViewDefinition { name, circuit, schema }));
        }
        // Late rows come with their source.
        Some((_, RelationKind::View | RelationKind::LateRows)) | None => {}
    }
    if !definitions.is_empty() {
        database.handle().ask(|reply| Request::Define { definitions, reply })?;
    }
    database.set_names(names);
    Ok(())
}

/// Makes `names` the catalog, in which `dropped` are no more, and has the coordinator drop them.
fn remove(database: &Database, mut names: Names, dropped: &[Arc<Relation>]) -> Result<()> {
    let mut definitions = Vec::new();
    for relation in dropped {
        names.sources.remove(&relation.name);
        if relation.kind != RelationKind::View {
            definitions.push(Definition::Drop(relation.name.clone()));
        }
    }
    // The names go first: whoever plans from now on does not find what is about to vanish.
    database.set_names(names);
    if !definitions.is_empty() {
        database.handle().ask(|reply| Request::Define { definitions, reply })?;
    }
    Ok(())
}

pub(crate) fn create_function(database: &Database, create: &CreateFunction) -> Result<Outcome> {
    let guard = database.define();
    let mut names = Names::clone(&database.names());
    names.catalog.create_function(create)?;
    database.set_names(names);
    drop(guard);
    Ok(Outcome::Definition { command: "CREATE FUNCTION", name: create.name.value.clone(), changed: true })
}

pub(crate) fn drop_functions(database: &Database, drop: &DropFunction) -> Result<Outcome> {
    let guard = database.define();
    let mut names = Names::clone(&database.names());
    let (functions, relations) = names.catalog.drop_functions(drop)?;
    remove(database, names, &relations)?;
    std::mem::drop(guard);
    let name = drop.functions.iter().map(|function| function.name.value.as_str()).collect::<Vec<_>>().join(", ");
    Ok(Outcome::Definition { command: "DROP FUNCTION", name, changed: !functions.is_empty() })
}

/// Makes a function in Rust known to SQL.
pub(crate) fn register_scalar_function(database: &Database, function: ScalarUDF) -> Result<()> {
    let guard = database.define();
    let mut names = Names::clone(&database.names());
    names.catalog.register_scalar_function(function)?;
    database.set_names(names);
    drop(guard);
    Ok(())
}

/// Makes an aggregate in Rust known to SQL.
pub(crate) fn register_aggregate_function(database: &Database, function: AggregateUDF) -> Result<()> {
    let guard = database.define();
    let mut names = Names::clone(&database.names());
    names.catalog.register_aggregate_function(function)?;
    database.set_names(names);
    drop(guard);
    Ok(())
}

pub(crate) fn drop_relations(database: &Database, drop: &Drop) -> Result<Outcome> {
    let guard = database.define();
    let mut names = Names::clone(&database.names());
    let dropped = names.catalog.drop_relations(drop)?;
    remove(database, names, &dropped)?;
    std::mem::drop(guard);
    let command = match drop.kind {
        RelationKind::Table => "DROP TABLE",
        RelationKind::Stream => "DROP STREAM",
        RelationKind::View => "DROP VIEW",
        // Late rows are not dropped by name.
        RelationKind::MaterializedView | RelationKind::LateRows => "DROP MATERIALIZED VIEW",
    };
    let name = drop.names.iter().map(|name| name.value.as_str()).collect::<Vec<_>>().join(", ");
    Ok(Outcome::Definition { command, name, changed: !dropped.is_empty() })
}
