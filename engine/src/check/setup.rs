//! The file under check: its relations and views, as the catalog sees them.

use std::sync::Arc;

use deltic_circuit::{Circuit, TimeSource, sql_type};
use deltic_sql::{Catalog, Created, EventTimeDefinition, Relation, RelationKind, Statement, WatermarkStrategy};

use super::history::InputRelation;
use super::{PlainView, Setup, ViewUnderCheck};

use crate::{Error, Result};

/// A setup in the making: statements are added one by one, and a view that is refused leaves no trace.
#[derive(Debug)]
pub(super) struct Draft {
    catalog: Catalog,
    setup: Setup,
}

impl Draft {
    pub(super) fn new() -> Self {
        let setup = Setup {
            relations: Vec::new(),
            ddl: Vec::new(),
            plain: Vec::new(),
            views: Vec::new(),
            selected: Vec::new(),
            equal: Vec::new(),
            skipped_statements: 0,
        };
        Draft { catalog: Catalog::new(), setup }
    }

    /// Reads the `CREATE` statements of `sql`; other statements are counted and left out.
    ///
    /// # Errors
    /// What the planner refuses; statements before the refused one are read.
    pub(super) fn read(&mut self, sql: &str) -> Result<()> {
        for parsed in deltic_sql::parse(sql)? {
            let (created, query) = match &parsed.statement {
                Statement::CreateTable(create) => (self.catalog.create_table(create)?, None),
                Statement::CreateView(create) => (self.catalog.create_view(create)?, Some(create.query.to_string())),
                Statement::CreateFunction(create) => {
                    self.catalog.create_function(create)?;
                    self.setup.ddl.push(parsed.sql.clone());
                    continue;
                }
                _ => {
                    self.setup.skipped_statements += 1;
                    continue;
                }
            };
            match created {
                Created::New(relation) => {
                    let late = relation.late_rows().and_then(|name| self.catalog.relation(&name).cloned());
                    self.setup.add(&relation, late.as_deref(), parsed.sql.clone(), query.unwrap_or_default())?;
                }
                Created::Exists(_) => {}
                Created::Replaced { new, .. } => {
                    return Err(Error::usage(format!("{} is defined twice in the file; check one of its definitions", new.name)));
                }
            }
        }
        Ok(())
    }

    /// The setup of what was read.
    pub(super) fn finish(mut self) -> Setup {
        self.setup.selected = vec![true; self.setup.views.len()];
        self.setup
    }
}

impl Setup {
    /// The `CREATE` statements of `sql`; other statements are counted and left out.
    pub(super) fn from_sql(sql: &str) -> Result<Self> {
        let mut draft = Draft::new();
        draft.read(sql)?;
        let setup = draft.finish();
        if setup.views.is_empty() {
            return Err(Error::usage("the file defines no materialized view, so there is nothing to check"));
        }
        Ok(setup)
    }

    fn add(&mut self, relation: &Arc<Relation>, late: Option<&Relation>, sql: String, query: String) -> Result<()> {
        match (relation.kind, &relation.circuit) {
            (RelationKind::Table | RelationKind::Stream, _) => {
                self.ddl.push(sql);
                self.relations.push(InputRelation {
                    name: relation.name.clone(),
                    schema: relation.schema.clone(),
                    primary_key: relation.primary_key.clone(),
                    stream: relation.kind == RelationKind::Stream,
                    type_names: relation.schema.fields().iter().map(|field| sql_type(field.data_type())).collect(),
                    event_time: relation.event_time.clone(),
                    late: late.map(|late| (late.name.clone(), late.schema.clone())),
                });
            }
            (RelationKind::View, _) => {
                let needs = self.plain_views_of(&relation.depends_on);
                self.plain.push(PlainView { name: relation.name.clone(), sql, needs });
            }
            (RelationKind::MaterializedView, Some(circuit)) => {
                let plain = self.plain_views_of(&relation.depends_on);
                let groups = groups(circuit);
                self.views.push(ViewUnderCheck {
                    name: relation.name.clone(),
                    sql,
                    query,
                    circuit: circuit.clone(),
                    plain,
                    groups,
                });
            }
            // Only sources with event time have some.
            (RelationKind::LateRows, _) => {}
            (RelationKind::MaterializedView, None) => {
                return Err(Error::internal(format!("the materialized view {} has no circuit", relation.name)));
            }
        }
        Ok(())
    }

    /// Whether the clock matters.
    pub(super) fn is_clocked(&self) -> bool {
        let of_source = |definition: &EventTimeDefinition| {
            definition.idle_timeout.is_some()
                || definition.max_future_skew.is_some()
                || matches!(definition.strategy, WatermarkStrategy::ProcessingTime { .. })
        };
        self.views.iter().any(|view| view.circuit.reads_clock())
            || self.relations.iter().filter_map(|relation| relation.event_time.as_ref()).any(of_source)
    }

    /// The plain views among `names` and those that they name in turn, in file order.
    fn plain_views_of(&self, names: &[String]) -> Vec<usize> {
        let mut found = Vec::new();
        for (index, plain) in self.plain.iter().enumerate() {
            if names.contains(&plain.name) {
                found.extend(&plain.needs);
                found.push(index);
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }
}

/// The sets of sources whose watermarks an operator of `circuit` goes by.
fn groups(circuit: &Circuit) -> Vec<Vec<TimeSource>> {
    let mut groups: Vec<Vec<TimeSource>> = circuit.nodes.iter().map(|node| node.properties.time_sources.clone()).collect();
    groups.sort();
    groups.dedup();
    groups.retain(|group| group.len() > 1);
    groups
}
