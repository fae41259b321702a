//! From a parsed statement to a circuit.

use deltic_circuit::{Circuit, SortKey};

use crate::statement::{Delete, Insert, Query, Update};
use crate::{Catalog, SqlError};

/// A query as a circuit.
#[derive(Clone, Debug)]
pub struct PlannedQuery {
    /// What computes its rows. The names of its columns are those that the user sees.
    pub circuit: Circuit,
    /// The order of a top-level ORDER BY, over the circuit's columns. The rows themselves are a multiset.
    pub order: Vec<SortKey>,
    /// DataFusion's optimised plan, as text.
    pub logical_plan: String,
    /// The relations that the query names (plain views and what those name included), each once.
    pub relations: Vec<String>,
}

/// Plans a query. Two columns of one name are allowed here; a view refuses them.
///
/// # Errors
/// If the query is wrong or not supported.
pub fn plan_query(catalog: &Catalog, query: &Query) -> Result<PlannedQuery, SqlError> {
    todo!()
}

/// The rows that `insert` adds: the columns of the table in its order, defaults filled in, cast to their types. NOT NULL is for the
/// table to check.
///
/// # Errors
/// If the statement is wrong, or its target is a view.
pub fn plan_insert(catalog: &Catalog, insert: &Insert) -> Result<Circuit, SqlError> {
    todo!()
}

/// The rows that `update` changes: the columns of the old row, then those of the new one.
///
/// # Errors
/// If the statement is wrong, or its target is not a table.
pub fn plan_update(catalog: &Catalog, update: &Update) -> Result<Circuit, SqlError> {
    todo!()
}

/// The rows that `delete` takes away.
///
/// # Errors
/// If the statement is wrong, or its target is not a table.
pub fn plan_delete(catalog: &Catalog, delete: &Delete) -> Result<Circuit, SqlError> {
    todo!()
}
