//! Reads: contents, errors, subscriptions and statistics.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crossbeam_channel::Sender;
use deltic_circuit::TimeSource;
use deltic_operators::WindowMetrics;

use super::Coordinator;
use super::relation::{Kind, Relation};
use crate::contents::ContentsSnapshot;
use crate::error::{Error, Result, code};
use crate::keeper::{KeptSize, Reading};
use crate::stats::{OperatorStats, RelationStats, Stats};
use crate::subscription::{Subscription, subscription};
use crate::time::SourceTime;
use crate::worker::{Command, Report, ViewState};

impl Coordinator {
    /// Sends the contents of `relations` at the last complete epoch to `reply`.
    ///
    /// # Errors
    /// What makes it impossible to go on; all else is told to the asker.
    pub(super) fn read(&mut self, relations: &[String], reply: Sender<Result<Reading>>) -> Result<()> {
        let mut reading = Reading::at(self.complete_info.clone());
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
                    reading.contents.insert(name.clone(), snapshot);
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
        let mut sources = Vec::new();
        for name in relations {
            let relation = self.relation(name)?;
            followed.push((relation.name.clone(), relation.schema().clone()));
            sources.extend(self.time_sources(relation));
        }
        let (publisher, subscription) = subscription(followed, sources, self.config.subscription_epochs);
        self.publishers.push(publisher);
        Ok(subscription)
    }

    /// The sources with event time that `relation` depends on.
    fn time_sources(&self, relation: &Relation) -> Vec<TimeSource> {
        match &relation.kind {
            Kind::View(view) => view.circuit.node(view.circuit.output).properties.time_sources.clone(),
            Kind::Table(_) | Kind::Stream { .. } => {
                // Late rows go by the watermark of their source.
                let owner = relation.as_source().and_then(|source| source.relation.depends_on.first());
                let owner = owner.map_or(&*relation.name, String::as_str);
                self.timeline.source(owner).map(SourceTime::as_time_source).into_iter().collect()
            }
        }
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
        let mut totals = self.view_totals()?;
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
                let totals = totals.remove(&relation.name).unwrap_or_default();
                let time = self.timeline.source(&relation.name);
                RelationStats {
                    name: relation.name.to_string(),
                    kind: relation.kind_name(),
                    entries: kept.entries,
                    bytes: kept.bytes,
                    errors: kept.errors,
                    changes: relation.changes,
                    ingest: relation.as_source().map(|source| source.credits.counters()).unwrap_or_default(),
                    watermark: time.and_then(SourceTime::watermark),
                    idle: time.is_some_and(SourceTime::is_idle),
                    late: time.map(|time| time.counters).unwrap_or_default(),
                    windows: WindowMetrics {
                        data_dropped_after_grace: totals.windows.data_dropped_after_grace + self.refused_since(relation),
                        ..totals.windows
                    },
                    operators: totals.operators.into_values().collect(),
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

    /// What the workers know of each view, summed over them.
    fn view_totals(&mut self) -> Result<HashMap<Arc<str>, ViewTotals>> {
        self.workers.broadcast(|_| Command::State);
        let mut views: HashMap<Arc<str>, ViewTotals> = HashMap::new();
        let mut missing = self.workers.count();
        while missing > 0 {
            match self.workers.report()? {
                Report::State(state) => {
                    missing -= 1;
                    for ViewState { view, operators, windows } in state {
                        let totals = views.entry(view).or_default();
                        totals.windows = totals.windows.plus(windows);
                        for operator in operators {
                            let sum = totals.operators.entry(operator.node).or_default();
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

    /// How many rows the sources that `relation`, a view, depends on have refused as too late since it was created.
    fn refused_since(&self, relation: &Relation) -> u64 {
        let Kind::View(view) = &relation.kind else { return 0 };
        self.timeline.refused_as_late(&view.circuit).saturating_sub(view.refused_before)
    }
}

/// What the workers know of a view.
#[derive(Default)]
struct ViewTotals {
    /// By node.
    operators: BTreeMap<usize, OperatorStats>,
    windows: WindowMetrics,
}
