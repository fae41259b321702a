//! [`Catalog`]: what relations there are, and which depend on which.

mod function;
mod function_body;
mod overloads;
mod table;
mod view;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion_expr::{AggregateUDF, ScalarUDF};
use deltic_circuit::{CircuitRef, Expr, Properties, SortKey};
use sqlparser::ast;

pub use function::SqlFunction;
pub(crate) use function::usages;
pub(crate) use overloads::{Given, Undecided, choose};

use crate::error::Code;
use crate::event_time::{EventTimeDefinition, LATE_SUFFIX, LatePolicy, OverflowPolicy};
use crate::plan::{JsonKind, plan_view};
use crate::statement::{CreateTable, CreateView, Drop, Name, Query};
use crate::suggest::did_you_mean;
use crate::{SqlError, stack};

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
    /// `<source>$late`: the rows of a source with event time that were not accepted. Comes and goes with its source, which alone fills it; TRUNCATE
    /// empties it.
    LateRows,
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
    /// The same as written, for DEFAULT in VALUES.
    pub(crate) default_syntax: Vec<Option<ast::Expr>>,
    /// Per column the greatest number of characters (`VARCHAR(n)`).
    pub max_lengths: Vec<Option<usize>>,
    /// Per column whether it holds JSON.
    pub json: Vec<Option<JsonKind>>,
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
    /// The relations that a view names, each once; of late rows, their source.
    pub depends_on: Vec<String>,
    /// The functions of users that a view calls, each once.
    pub functions: Vec<String>,
    /// What is known of its rows.
    pub properties: Properties,
    /// The event time of a table or stream, if it has one.
    pub event_time: Option<EventTimeDefinition>,
    /// `WITH (on_overflow = ..)`; `None` is what the database does otherwise.
    pub overflow: Option<OverflowPolicy>,
}

impl Relation {
    /// The name of the relation of its late rows, if it has one.
    pub fn late_rows(&self) -> Option<String> {
        let event_time = self.event_time.as_ref()?;
        (event_time.late_policy == LatePolicy::DeadLetter).then(|| format!("{}{LATE_SUFFIX}", self.name))
    }
}

/// All relations and functions. Plain data: cloning it is cheap enough to try a statement on a copy.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    relations: BTreeMap<String, Arc<Relation>>,
    /// By their signatures.
    sql_functions: BTreeMap<String, Arc<SqlFunction>>,
    scalar_functions: BTreeMap<String, Arc<ScalarUDF>>,
    aggregate_functions: BTreeMap<String, Arc<AggregateUDF>>,
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
        self.relations.get(&name.value).ok_or_else(|| {
            let error = SqlError::new(Code::UnknownRelation, name.position, format!("unknown relation {}", name.value));
            match did_you_mean(&name.value, self.relations.keys().map(String::as_str)) {
                Some(hint) => error.with_hint(hint),
                None => error,
            }
        })
    }

    /// The names of the relations that read `name`, directly or through others, each before what it reads.
    pub fn dependents(&self, name: &str) -> Vec<String> {
        let mut found = Vec::new();
        self.add_dependents(name, &mut found);
        found
    }

    fn add_dependents(&self, name: &str, found: &mut Vec<String>) {
        for relation in self.relations.values().filter(|relation| relation.depends_on.iter().any(|on| on == name)) {
            if !found.contains(&relation.name) {
                self.add_dependents(&relation.name, found);
                found.push(relation.name.clone());
            }
        }
    }

    /// Adds a table or a stream, and the relation of its late rows ([`Relation::late_rows`]).
    ///
    /// # Errors
    /// If the name is taken, or columns, types, key or defaults are wrong.
    pub fn create_table(&mut self, create: &CreateTable) -> Result<Created, SqlError> {
        if let Some(existing) = self.existing(&create.name, create.if_not_exists)? {
            return Ok(Created::Exists(existing));
        }
        let relation = stack::deep(|| table::table_relation(create))??;
        if let Some(name) = relation.late_rows() {
            let name = Name { value: name, position: create.name.position };
            self.existing(&name, false)?;
            let late = table::late_relation(&relation, name.value, create)?;
            self.add(late);
        }
        Ok(Created::New(self.add(relation)))
    }

    /// Plans and adds a view.
    ///
    /// # Errors
    /// If the name is taken, the query is refused, or (with OR REPLACE) other relations depend on the former one.
    pub fn create_view(&mut self, create: &CreateView) -> Result<Created, SqlError> {
        if !create.or_replace
            && let Some(existing) = self.existing(&create.name, create.if_not_exists)?
        {
            return Ok(Created::Exists(existing));
        }
        let old = self.relations.get(&create.name.value).cloned();
        if let Some(old) = &old {
            self.check_replaceable(old, create)?;
        }
        let mut others = self.clone();
        others.relations.remove(&create.name.value);
        let planned = plan_view(&others, &create.query, create.materialized)?;
        let new = self.add(view::view_relation(&others, create, planned)?);
        Ok(match old {
            Some(old) => Created::Replaced { old, new },
            None => Created::New(new),
        })
    }

    /// Removes relations and, with CASCADE, what depends on them. Returns what was removed, each before what it reads. All or nothing.
    ///
    /// # Errors
    /// If one does not exist, is of another kind, or is in use without CASCADE.
    pub fn drop_relations(&mut self, drop: &Drop) -> Result<Vec<Arc<Relation>>, SqlError> {
        let mut named: Vec<&Name> = Vec::new();
        for name in &drop.names {
            match self.resolve(name) {
                Ok(relation) => check_kind(relation, drop.kind, name)?,
                Err(_) if drop.if_exists => continue,
                Err(error) => return Err(error),
            }
            named.push(name);
        }
        let mut doomed: Vec<String> = Vec::new();
        for name in &named {
            for dependent in self.dependents(&name.value) {
                let is_late = self.relations.get(&dependent).is_some_and(|relation| relation.kind == RelationKind::LateRows);
                if !drop.cascade && !is_late && named.iter().all(|name| name.value != dependent) {
                    let message = format!("{} is used by {dependent}", name.value);
                    let error = SqlError::new(Code::RelationInUse, name.position, message);
                    return Err(error.with_hint("DROP .. CASCADE drops what uses it, too"));
                }
                doomed.push(dependent);
            }
            doomed.push(name.value.clone());
        }
        Ok(doomed.iter().filter_map(|name| self.relations.remove(name)).collect())
    }

    fn existing(&self, name: &Name, if_not_exists: bool) -> Result<Option<Arc<Relation>>, SqlError> {
        match self.relations.get(&name.value) {
            None => Ok(None),
            Some(relation) if if_not_exists => Ok(Some(relation.clone())),
            Some(relation) => {
                let message = format!("a {} called {} exists already", relation.kind.as_str(), name.value);
                Err(SqlError::new(Code::RelationExists, name.position, message))
            }
        }
    }

    fn check_replaceable(&self, old: &Relation, create: &CreateView) -> Result<(), SqlError> {
        let kind = if create.materialized { RelationKind::MaterializedView } else { RelationKind::View };
        check_kind(old, kind, &create.name)?;
        match self.dependents(&old.name).last() {
            None => Ok(()),
            Some(dependent) => {
                let message = format!("{} cannot be replaced: {dependent} uses it", old.name);
                Err(SqlError::new(Code::RelationInUse, create.name.position, message))
            }
        }
    }

    fn add(&mut self, relation: Relation) -> Arc<Relation> {
        let relation = Arc::new(relation);
        self.relations.insert(relation.name.clone(), relation.clone());
        relation
    }
}

impl RelationKind {
    /// `table`, `stream`, `view`, `materialized view`, `relation of late rows`.
    pub fn as_str(self) -> &'static str {
        match self {
            RelationKind::Table => "table",
            RelationKind::Stream => "stream",
            RelationKind::View => "view",
            RelationKind::MaterializedView => "materialized view",
            RelationKind::LateRows => "relation of late rows",
        }
    }
}

fn check_kind(relation: &Relation, kind: RelationKind, name: &Name) -> Result<(), SqlError> {
    // DROP VIEW is meant for both kinds of views.
    if relation.kind == kind || (kind == RelationKind::View && relation.kind == RelationKind::MaterializedView) {
        return Ok(());
    }
    let message = format!("{} is a {}, not a {}", name.value, relation.kind.as_str(), kind.as_str());
    let error = SqlError::new(Code::WrongKind, name.position, message);
    Err(match relation.kind {
        RelationKind::LateRows => error.with_hint("it is dropped with its source"),
        _ => error,
    })
}
