//! Reads: contents, errors, subscriptions and statistics.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crossbeam_channel::Sender;

use super::Coordinator;
use super::relation::{Kind, Relation};
use crate::contents::ContentsSnapshot;
use crate::error::{Error, Result, code};
use crate::keeper::{KeptSize, Reading};
use crate::stats::{OperatorStats, RelationStats, Stats};
use crate::subscription::{Subscription, subscription};
use crate::worker::{Command, Report};

impl Coordinator {
    /// Sends the contents of `relations` at the last complete epoch to `reply`.
    ///
    /// # Errors
    /// What makes it impossible to go on; all else is told to the asker.
    pub(super) fn read(&mut self, relations: &[String], reply: Sender<Result<Reading>>) -> Result<()> {
        let mut reading = Reading::with_capacity(relations.len());
        match self.read_tables(relations, &mut reading) {
            Ok(views) if !views.is_empty() => return self.keeper.read(views, reading, reply),
            // The asker may be gone.
            Ok(_) => _ = reply.send(Ok(reading)),
            Err(error) => _ = reply.send(Err(error)),
        }
        Ok(())
    }

    /// Reads those of `relations` that are tables; returns those that are views.
    fn read_tables(&self, relations: &[String], reading: &mut Reading) -> Result<Vec<String>> {
        let mut views = Vec::new();
        for name in relations {
            match &self.relation(name)?.kind {
                Kind::View(_) => views.push(name.clone()),
                Kind::Table(table) => {
                    let mut snapshot = table.contents.snapshot();
                    self.subtract_in_flight(name, &mut snapshot)?;
                    reading.insert(name.clone(), snapshot);
                }
                Kind::Stream { .. } => {
                    let message = format!("stream '{name}' keeps no rows, so there is nothing to read");
                    return Err(
                        Error::new(code::RELATION, message).with_hint("create a materialized view over it, or subscribe to it")
                    );
                }
            }
        }
        Ok(views)
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

    /// Sends the errors of `view` at the last complete epoch to `reply`.
    ///
    /// # Errors
    /// As [`Coordinator::read`].
    pub(super) fn read_errors(&mut self, view: String, reply: Sender<Result<ContentsSnapshot>>) -> Result<()> {
        let error = match self.relation(&view).map(|relation| &relation.kind) {
            Ok(Kind::View(_)) => return self.keeper.read_errors(view, reply),
            Ok(Kind::Table(_) | Kind::Stream { .. }) => {
                Error::new(code::RELATION, format!("'{view}' is not a materialized view, so it has no error relation"))
            }
            Err(error) => error,
        };
        let _ = reply.send(Err(error));
        Ok(())
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
        let kept = self.keeper.sizes()?;
        let mut relations: Vec<RelationStats> = self
            .relations
            .values()
            .map(|relation| {
                let kept = match &relation.kind {
                    Kind::Table(table) => {
                        KeptSize { entries: table.contents.entries(), bytes: table.contents.memory_bytes(), errors: 0 }
                    }
                    Kind::Stream { .. } | Kind::View(_) => kept.get(&relation.name).copied().unwrap_or_default(),
                };
                RelationStats {
                    name: relation.name.to_string(),
                    kind: relation.kind_name(),
                    entries: kept.entries,
                    bytes: kept.bytes,
                    errors: kept.errors,
                    changes: relation.changes,
                    ingest: relation.as_source().map(|source| source.credits.counters()).unwrap_or_default(),
                    operators: operators.remove(&relation.name).map_or_else(Vec::new, |nodes| nodes.into_values().collect()),
                }
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
