//! Reads: contents, errors, subscriptions and statistics.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::relation::{Kind, Relation};
use super::{Coordinator, Reading};
use crate::contents::ContentsSnapshot;
use crate::error::{Error, Result, code};
use crate::stats::{OperatorStats, RelationStats, Stats};
use crate::subscription::{Subscription, subscription};
use crate::worker::{Command, Report};

impl Coordinator {
    /// The contents of `relations` at the last complete epoch.
    pub(super) fn read(&self, relations: &[String]) -> Result<Reading> {
        let mut found = Reading::with_capacity(relations.len());
        for name in relations {
            let relation = self.relation(name)?;
            let contents = relation.contents().ok_or_else(|| {
                Error::new(code::RELATION, format!("stream '{name}' keeps no rows, so there is nothing to read"))
                    .with_hint("create a materialized view over it, or subscribe to it")
            })?;
            let mut snapshot = contents.snapshot();
            if let Kind::Table(_) = relation.kind {
                self.subtract_in_flight(name, &mut snapshot)?;
            }
            found.insert(name.clone(), snapshot);
        }
        Ok(found)
    }

    /// Takes from a table's contents what belongs to epochs that are not complete.
    fn subtract_in_flight(&self, name: &str, snapshot: &mut ContentsSnapshot) -> Result<()> {
        for flight in &self.flights {
            for (_, parts) in flight.deltas.iter().filter(|(changed, _)| &**changed == name) {
                for part in parts {
                    snapshot.add(part.negate()?);
                }
            }
        }
        Ok(())
    }

    pub(super) fn read_errors(&self, view: &str) -> Result<ContentsSnapshot> {
        match &self.relation(view)?.kind {
            Kind::View(view) => Ok(view.errors.snapshot()),
            Kind::Table(_) | Kind::Stream { .. } => {
                Err(Error::new(code::RELATION, format!("'{view}' is not a materialized view, so it has no error relation")))
            }
        }
    }

    pub(super) fn subscribe(&mut self, relations: &[String]) -> Result<Subscription> {
        let mut followed = Vec::with_capacity(relations.len());
        for name in relations {
            let relation = self.relation(name)?;
            followed.push((relation.name.clone(), relation.schema().clone()));
        }
        let (publisher, subscription) = subscription(followed, self.config.subscription_epochs);
        self.publishers.push(publisher);
        Ok(subscription)
    }

    fn relation(&self, name: &str) -> Result<&Relation> {
        let relation = self.relations.get(name);
        relation.ok_or_else(|| Error::new(code::DROPPED, format!("'{name}' does not exist (any more)")))
    }

    /// What goes on.
    ///
    /// # Errors
    /// If a worker fails.
    pub(super) fn stats(&mut self) -> Result<Stats> {
        let mut operators = self.operator_stats()?;
        let mut relations: Vec<RelationStats> = self
            .relations
            .values()
            .map(|relation| RelationStats {
                name: relation.name.to_string(),
                kind: relation.kind_name(),
                entries: relation.contents().map_or(0, |contents| contents.entries()),
                bytes: relation.contents().map_or(0, |contents| contents.memory_bytes()),
                errors: if let Kind::View(view) = &relation.kind { view.errors.entries() } else { 0 },
                changes: relation.changes,
                ingest: relation.as_source().map(|source| source.credits.counters()).unwrap_or_default(),
                operators: operators.remove(&relation.name).map_or_else(Vec::new, |nodes| nodes.into_values().collect()),
            })
            .collect();
        relations.sort_by(|left, right| left.name.cmp(&right.name));
        Ok(Stats {
            workers: self.workers.count(),
            epoch: self.complete_epoch(),
            epochs_in_flight: self.flights.len(),
            refused_commits: self.refused,
            relations,
        })
    }

    /// The state of each view's operators, by node, summed over the workers.
    fn operator_stats(&mut self) -> Result<HashMap<Arc<str>, BTreeMap<usize, OperatorStats>>> {
        self.workers.broadcast(|_| Command::State);
        let mut views: HashMap<Arc<str>, BTreeMap<usize, OperatorStats>> = HashMap::new();
        let mut missing = self.workers.count();
        while missing > 0 {
            match self.workers.report()? {
                Report::State(state) => {
                    missing -= 1;
                    for (view, operators) in state {
                        let nodes = views.entry(view).or_default();
                        for operator in operators {
                            let sum = nodes.entry(operator.node).or_default();
                            sum.node = operator.node;
                            sum.operator = operator.operator.to_string();
                            sum.rows += operator.size.rows;
                            sum.bytes += operator.size.bytes;
                        }
                    }
                }
                report => self.hear(report)?,
            }
        }
        Ok(views)
    }
}
