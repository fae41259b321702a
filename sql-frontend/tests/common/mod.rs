//! A catalog to plan against, and marks for places in SQL.

#![allow(dead_code, reason = "each test uses a part")]

use deltic_sql::{Catalog, Created, PlannedQuery, Query, SqlError, Statement, parse, plan_query};

/// Runs the statements that change a catalog.
pub(crate) fn apply(catalog: &mut Catalog, script: &str) -> Result<Vec<Created>, SqlError> {
    let mut created = Vec::new();
    for parsed in parse(script)? {
        match parsed.statement {
            Statement::CreateTable(create) => created.push(catalog.create_table(&create)?),
            Statement::CreateView(create) => created.push(catalog.create_view(&create)?),
            Statement::Drop(drop) => {
                catalog.drop_relations(&drop)?;
            }
            other => panic!("{other:?} changes no catalog"),
        }
    }
    Ok(created)
}

/// A catalog with these relations.
pub(crate) fn catalog_of(script: &str) -> Catalog {
    let mut catalog = Catalog::new();
    apply(&mut catalog, script).unwrap_or_else(|error| panic!("{script}: {error}"));
    catalog
}

/// Two tables and a stream.
pub(crate) fn catalog() -> Catalog {
    catalog_of(
        "CREATE TABLE t (a BIGINT, b BIGINT, s TEXT, d DECIMAL(10, 2), f DOUBLE, i INT, ok BOOLEAN, ts TIMESTAMP);
         CREATE TABLE u (a BIGINT PRIMARY KEY, c BIGINT, s TEXT);
         CREATE STREAM e (k BIGINT, v BIGINT, ts TIMESTAMP)",
    )
}

/// The query that `sql` is.
pub(crate) fn query(sql: &str) -> Query {
    match parse(sql).unwrap_or_else(|error| panic!("{sql}: {error}")).remove(0).statement {
        Statement::Query(query) => query,
        other => panic!("{other:?} is not a query"),
    }
}

/// Plans `sql`, which is right.
pub(crate) fn plan(catalog: &Catalog, sql: &str) -> PlannedQuery {
    plan_query(catalog, &query(sql), &|| 0).unwrap_or_else(|error| panic!("{sql}: {error}"))
}

/// The circuit of `sql`, as text.
pub(crate) fn circuit(catalog: &Catalog, sql: &str) -> String {
    deltic_circuit::explain::text(&plan(catalog, sql).circuit)
}

/// The error of `marked`; its place is checked if there is a mark `^`.
pub(crate) fn plan_error(catalog: &Catalog, marked: &str) -> SqlError {
    let place = marked.split_once('^').map(|(before, _)| {
        (before.matches('\n').count() + 1, before.rsplit('\n').next().unwrap_or_default().chars().count() + 1)
    });
    let sql = marked.replacen('^', "", 1);
    let error = match plan_query(catalog, &query(&sql), &|| 0) {
        Err(error) => error,
        Ok(planned) => panic!("{sql} was planned:\n{}", planned.logical_plan),
    };
    if let Some(place) = place {
        assert_eq!((error.line, error.column), place, "{marked}: {error}");
    }
    error
}
