//! What DataFusion's planner asks of its surroundings: relations, functions, types, options.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion_common::config::ConfigOptions;
use datafusion_common::{Constraint, Constraints, DataFusionError, Result, TableReference};
use datafusion_expr::planner::{ContextProvider, ExprPlanner, RelationPlanner, TypePlanner};
use datafusion_expr::{AggregateUDF, HigherOrderUDF, LogicalPlan, ScalarUDF, TableSource, WindowUDF};

use super::as_of::AsOfJoins;
use super::call_order::ORDERED;
use super::functions::FUNCTIONS;
use super::json;
use super::list_rows::Unnests;
use super::lookup::Lookups;
use super::overloaded;
use super::pivot::Pivots;
use super::rename::Renames;
use super::set_operation::SetOperations;
use super::table_alias::TableAliases;
use super::types::DelticTypes;
use super::using::MergingJoins;
use super::wildcard::MARKS;
use super::window::WindowRelations;
use crate::catalog::{Catalog, Relation, RelationKind};
use crate::error::Position;
use crate::statement::Name;

/// A relation that the planner can scan. Lowering finds it again in the plan by this type.
pub(crate) struct RelationSource {
    pub(crate) relation: Arc<Relation>,
    schema: SchemaRef,
    constraints: Constraints,
    /// A plain view is its plan.
    plan: Option<LogicalPlan>,
}

impl RelationSource {
    fn new(relation: Arc<Relation>, plan: Option<LogicalPlan>) -> Self {
        // What is computed may be NULL wherever the planner cannot prove the contrary.
        let is_base = matches!(relation.kind, RelationKind::Table | RelationKind::Stream | RelationKind::LateRows);
        let schema = marked(&relation, !is_base);
        let keys = relation.primary_key.iter().cloned().map(Constraint::PrimaryKey).collect();
        RelationSource { relation, schema, constraints: Constraints::new_unverified(keys), plan }
    }
}

/// The columns of `relation`, those of JSON with a mark.
fn marked(relation: &Relation, nullable: bool) -> SchemaRef {
    let fields = relation.schema.fields().iter().zip(&relation.json).map(|(field, json)| {
        let field = Field::new(field.name(), field.data_type().clone(), nullable || field.is_nullable());
        json.map_or(field.clone(), |kind| field.with_metadata(json::mark_of(kind)))
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

impl TableSource for RelationSource {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn constraints(&self) -> Option<&Constraints> {
        Some(&self.constraints)
    }

    fn get_logical_plan(&'_ self) -> Option<Cow<'_, LogicalPlan>> {
        self.plan.as_ref().map(Cow::Borrowed)
    }
}

/// The options of planner and optimiser. No start time: `now()` is never folded into a literal.
pub(crate) static OPTIONS: LazyLock<Arc<ConfigOptions>> = LazyLock::new(|| {
    let mut options = ConfigOptions::default();
    options.optimizer.skip_failed_rules = false;
    Arc::new(options)
});

static RELATION_PLANNERS: LazyLock<Vec<Arc<dyn RelationPlanner>>> = LazyLock::new(|| {
    vec![
        Arc::new(WindowRelations),
        Arc::new(AsOfJoins),
        Arc::new(Lookups),
        Arc::new(MergingJoins),
        Arc::new(SetOperations),
        Arc::new(Unnests),
        Arc::new(Pivots),
        Arc::new(Renames),
        // The last: what the others plan has an alias of its own kind.
        Arc::new(TableAliases),
    ]
});

/// A catalog as DataFusion sees it. Remembers which relations were asked for.
pub(crate) struct Context<'a> {
    catalog: &'a Catalog,
    named: RefCell<Vec<String>>,
    /// Relations that stand for parts of the query.
    internal: RefCell<HashMap<String, Arc<dyn TableSource>>>,
    /// The functions of users that those parts call.
    functions: RefCell<Vec<String>>,
}

impl<'a> Context<'a> {
    pub(crate) fn new(catalog: &'a Catalog) -> Self {
        Context {
            catalog,
            named: RefCell::new(Vec::new()),
            internal: RefCell::new(HashMap::new()),
            functions: RefCell::new(Vec::new()),
        }
    }

    /// The relations and functions that there are.
    pub(crate) fn catalog(&self) -> &'a Catalog {
        self.catalog
    }

    /// Remembers that a part of the query calls these functions of users.
    pub(crate) fn add_functions(&self, names: Vec<String>) {
        let mut functions = self.functions.borrow_mut();
        for name in names {
            if !functions.contains(&name) {
                functions.push(name);
            }
        }
    }

    /// The functions that parts of the query call, each once.
    pub(crate) fn functions(&self) -> Vec<String> {
        self.functions.borrow().clone()
    }

    /// Adds a relation that is not in the catalog.
    pub(crate) fn add_internal(&self, name: &str, source: Arc<dyn TableSource>) {
        self.internal.borrow_mut().insert(name.to_owned(), source);
    }

    /// The relations that were asked for, each once; not those inside of plain views.
    pub(crate) fn into_named(self) -> Vec<String> {
        self.named.into_inner()
    }
}

impl ContextProvider for Context<'_> {
    fn get_table_source(&self, name: TableReference) -> Result<Arc<dyn TableSource>> {
        if let Some(source) = self.internal.borrow().get(name.table()) {
            return Ok(source.clone());
        }
        let name = Name { value: name.table().to_string(), position: Position { line: 0, column: 0 } };
        let external = |error| DataFusionError::External(Box::new(error));
        let relation = self.catalog.resolve(&name).map_err(external)?.clone();
        let mut named = self.named.borrow_mut();
        if !named.contains(&name.value) {
            named.push(name.value);
        }
        let plan = match (relation.kind, &relation.query) {
            (RelationKind::View, Some(query)) => Some(super::inline_view(self.catalog, &relation, query).map_err(external)?),
            _ => None,
        };
        Ok(Arc::new(RelationSource::new(relation, plan)))
    }

    fn get_relation_planners(&self) -> &[Arc<dyn RelationPlanner>] {
        &RELATION_PLANNERS
    }

    fn get_expr_planners(&self) -> &[Arc<dyn ExprPlanner>] {
        &FUNCTIONS.planners
    }

    fn get_type_planner(&self) -> Option<Arc<dyn TypePlanner>> {
        Some(Arc::new(DelticTypes))
    }

    fn get_function_meta(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        if let Some(mark) = MARKS.iter().chain([&*ORDERED]).find(|mark| mark.name() == name) {
            return Some(Arc::clone(mark));
        }
        let known = FUNCTIONS.scalar(name).or_else(|| self.catalog.scalar_function(name)).cloned();
        known.or_else(|| overloaded::undecided(self.catalog, name))
    }

    fn get_higher_order_meta(&self, _name: &str) -> Option<Arc<HigherOrderUDF>> {
        None
    }

    fn get_aggregate_meta(&self, name: &str) -> Option<Arc<AggregateUDF>> {
        FUNCTIONS.aggregate(name).or_else(|| self.catalog.aggregate_function(name)).cloned()
    }

    fn get_window_meta(&self, name: &str) -> Option<Arc<WindowUDF>> {
        FUNCTIONS.window(name).cloned()
    }

    fn get_variable_type(&self, _variable_names: &[String]) -> Option<DataType> {
        None
    }

    fn options(&self) -> &ConfigOptions {
        &OPTIONS
    }

    fn udf_names(&self) -> Vec<String> {
        FUNCTIONS.scalar_names().map(str::to_string).collect()
    }

    fn higher_order_function_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn udaf_names(&self) -> Vec<String> {
        FUNCTIONS.aggregate_names().map(str::to_string).collect()
    }

    fn udwf_names(&self) -> Vec<String> {
        super::functions::WINDOW_FUNCTIONS.iter().map(|name| name.to_string()).collect()
    }
}
