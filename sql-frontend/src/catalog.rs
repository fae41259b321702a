//! [`Catalog`]: what relations there are, and which depend on which.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use deltic_circuit::{CircuitRef, Expr, Properties, SortKey};

use crate::statement::{CreateTable, CreateView, Drop, Name, Query};
use crate::SqlError;

/// What a relation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RelationKind {
    /// Keeps its rows.
    Table,
    /// Append-only; does not keep its rows.
    Stream,
    /// A named query, inlined where it is used.
    View,
    /// A query whose contents are maintained.
    MaterializedView,
}

/// A relation as the catalog knows it.
#[derive(Clone, Debug)]
pub struct Relation {
    /// Its folded name.
    pub name: String,
    /// What it is.
    pub kind: RelationKind,
    /// Its columns, with canonical types; a column that is not nullable is NOT NULL.
    pub schema: SchemaRef,
    /// The primary key's columns, in the order it names them.
    pub primary_key: Option<Vec<usize>>,
    /// Per column the value of an INSERT that leaves it out: a constant expression of the column's type; `None` is NULL.
    pub defaults: Vec<Option<Expr>>,
    /// Per column the greatest number of characters (`VARCHAR(n)`).
    pub max_lengths: Vec<Option<usize>>,
    /// The statement that created it.
    pub sql: String,
    /// What a view computes.
    pub query: Option<Arc<Query>>,
    /// The circuit of a materialized view.
    pub circuit: Option<CircuitRef>,
    /// The optimised logical plan of a view, as text.
    pub logical_plan: String,
    /// The order in which a read without ORDER BY presents a view.
    pub order: Vec<SortKey>,
    /// The relations that a view names, each once.
    pub depends_on: Vec<String>,
    /// What is known of its rows.
    pub properties: Properties,
}

/// All relations. Plain data: cloning it is cheap enough to try a statement on a copy.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    relations: BTreeMap<String, Arc<Relation>>,
}

/// What a CREATE did.
#[derive(Clone, Debug)]
pub enum Created {
    /// A new relation.
    New(Arc<Relation>),
    /// `OR REPLACE` put a new relation in the place of another.
    Replaced {
        /// The former one.
        old: Arc<Relation>,
        /// The one that is there now.
        new: Arc<Relation>,
    },
    /// `IF NOT EXISTS`, and it does.
    Exists(Arc<Relation>),
}

impl Catalog {
    /// A catalog without relations.
    pub fn new() -> Self {
        Self::default()
    }

    /// The relation with this folded name.
    pub fn relation(&self, name: &str) -> Option<&Arc<Relation>> {
        self.relations.get(name)
    }

    /// All relations, by name.
    pub fn relations(&self) -> impl Iterator<Item = &Arc<Relation>> {
        self.relations.values()
    }

    /// The relation called `name`.
    ///
    /// # Errors
    /// DT1002 with a suggestion if there is none.
    pub fn resolve(&self, name: &Name) -> Result<&Arc<Relation>, SqlError> {
        todo!()
    }

    /// The names of the relations that read `name`, directly or through others, each before what it reads.
    pub fn dependents(&self, name: &str) -> Vec<String> {
        todo!()
    }

    /// Adds a table or a stream.
    ///
    /// # Errors
    /// If the name is taken, or columns, types, key or defaults are wrong.
    pub fn create_table(&mut self, create: &CreateTable) -> Result<Created, SqlError> {
        todo!()
    }

    /// Plans and adds a view.
    ///
    /// # Errors
    /// If the name is taken, the query is refused, or (with OR REPLACE) other relations depend on the former one.
    pub fn create_view(&mut self, create: &CreateView) -> Result<Created, SqlError> {
        todo!()
    }

    /// Removes relations and, with CASCADE, what depends on them. Returns what was removed, each before what it reads. All or nothing.
    ///
    /// # Errors
    /// If one does not exist, is of another kind, or is in use without CASCADE.
    pub fn drop_relations(&mut self, drop: &Drop) -> Result<Vec<Arc<Relation>>, SqlError> {
        todo!()
    }
}
