//! Changes of the catalog, between two epochs.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use deltic_circuit::Circuit;
use deltic_zset::ZBatch;

use super::flight::share;
use super::relation::{Kind, Relation};
use super::{Coordinator, Definition, ViewDefinition};
use crate::error::{Error, Result, code};
use crate::stream;
use crate::worker::{Command, Installation, Report};

/// For each worker, its share of what each source holds.
type Shares = Vec<HashMap<String, Vec<ZBatch>>>;

impl Coordinator {
    /// Carries out `definitions`. Nothing is in flight.
    ///
    /// # Errors
    /// If a worker fails.
    pub(super) fn define(&mut self, definitions: Vec<Definition>) -> Result<()> {
        for definition in definitions {
            match definition {
                Definition::CreateSource(source) => {
                    self.timeline.add(&source)?;
                    self.relations.insert(source.name.clone(), Relation::source(source));
                }
                Definition::CreateView(view) => self.create_view(view)?,
                Definition::Drop(name) => self.drop_relation(&name)?,
            }
            self.index_readers();
        }
        Ok(())
    }

    fn create_view(&mut self, definition: ViewDefinition) -> Result<()> {
        self.catch_up()?;
        let ViewDefinition { name, circuit, schema } = definition;
        let (rows, errors) = self.hydration(&circuit.sources())?;
        let mut shares: Vec<_> = rows.into_iter().zip(errors).map(Some).collect();
        let (since, info) = (self.sealed, self.timeline.info().clone());
        let installed = stream::starting_at(&circuit, since, |source| self.is_stream(source));
        self.workers.broadcast(|worker| {
            let (rows, errors) = shares[worker].take().unwrap_or_default();
            let (view, circuit, info) = (name.clone(), installed.clone(), info.clone());
            Command::Install(Box::new(Installation { view, circuit, since, info, rows, errors }))
        });
        self.keeper.create(name.clone(), schema.clone(), key_of(&circuit, &schema))?;
        let refused_before = self.timeline.refused_as_late(&circuit);
        self.relations.insert(name.clone(), Relation::view(name, circuit, schema, refused_before));
        for _ in 0..self.workers.count() {
            for (view, part) in self.expect_epoch(since)? {
                self.apply_to_view(&view, part)?;
            }
        }
        Ok(())
    }

    fn is_stream(&self, name: &str) -> bool {
        self.relations.get(name).is_some_and(|relation| matches!(relation.kind, Kind::Stream { .. }))
    }

    /// Brings the workers to the last epoch, if no view read what changed lately.
    fn catch_up(&mut self) -> Result<()> {
        if self.sent < self.sealed {
            for _ in 0..self.send_epoch(&Vec::new()) {
                self.expect_epoch(self.sealed)?;
            }
        }
        Ok(())
    }

    fn expect_epoch(&self, wanted: u64) -> Result<Vec<(Arc<str>, deltic_operators::Part)>> {
        match self.workers.report()? {
            Report::Epoch { epoch, parts } if epoch == wanted => Ok(parts),
            _ => Err(Error::internal(format!("a worker did not answer to epoch {wanted}"))),
        }
    }

    /// The contents and errors of `sources`, cut into shares.
    fn hydration(&mut self, sources: &[&str]) -> Result<(Shares, Shares)> {
        let workers = self.workers.count();
        let (mut rows, mut errors) = (vec![HashMap::new(); workers], vec![HashMap::new(); workers]);
        for &source in sources {
            let relation = self.relations.get(source);
            let relation = relation.ok_or_else(|| Error::internal(format!("a view reads '{source}', which does not exist")))?;
            match &relation.kind {
                Kind::Stream { .. } => {}
                Kind::Table(table) => cut(source, &table.contents.snapshot().batches(), &mut rows),
                Kind::View(_) => {
                    for contents in self.keeper.contents(vec![source.to_owned()])?.contents.values() {
                        cut(source, &contents.batches(), &mut rows);
                    }
                    cut(source, &self.keeper.errors(source.to_owned())?.batches(), &mut errors);
                }
            }
        }
        Ok((rows, errors))
    }

    fn drop_relation(&mut self, name: &str) -> Result<()> {
        let Some(relation) = self.relations.remove(name) else { return Ok(()) };
        if let Some(source) = relation.as_source() {
            source.credits.close();
            self.timeline.remove(name);
        } else {
            self.workers.broadcast(|_| Command::Uninstall { view: relation.name.clone() });
            for _ in 0..self.workers.count() {
                match self.workers.report()? {
                    Report::Uninstalled => {}
                    _ => return Err(Error::internal("a worker did not answer to a drop")),
                }
            }
            self.keeper.drop_view(relation.name.clone())?;
        }
        self.publishers.retain(|publisher| {
            let reads = publisher.reads(name);
            if reads {
                publisher.fail(Error::new(code::DROPPED, format!("'{name}' was dropped")));
            }
            !reads
        });
        Ok(())
    }

    fn index_readers(&mut self) {
        self.read_by_views.clear();
        self.partitioned.clear();
        let views: Vec<_> =
            self.relations.values().filter_map(|relation| relation.as_view().map(|view| (&relation.name, view))).collect();
        self.timeline.follow(views.iter().map(|(_, view)| &*view.circuit));
        self.read_by_views.extend(views.iter().flat_map(|(_, view)| view.circuit.sources()).map(Arc::from));
        let stateful = views.iter().filter(|(_, view)| !view.circuit.is_stateless());
        let mut reached: Vec<Arc<str>> = stateful.flat_map(|(_, view)| view.circuit.sources()).map(Arc::from).collect();
        while let Some(name) = reached.pop() {
            if self.partitioned.insert(name.clone()) {
                let below = views.iter().filter(|(view, _)| **view == name);
                reached.extend(below.flat_map(|(_, view)| view.circuit.sources()).map(Arc::from));
            }
        }
    }
}

/// Adds each worker's share of `batches` to `shares`.
fn cut(source: &str, batches: &[ZBatch], shares: &mut Shares) {
    let workers = shares.len();
    for (worker, shares) in shares.iter_mut().enumerate() {
        let mine = batches.iter().map(|batch| share(batch, worker, workers)).filter(|batch| !batch.is_empty()).collect();
        shares.insert(source.to_owned(), mine);
    }
}

/// The columns that the rows of a view are found by: the shortest unique key.
fn key_of(circuit: &Circuit, schema: &SchemaRef) -> Vec<usize> {
    let keys = &circuit.node(circuit.output).properties.unique_keys;
    keys.iter().min_by_key(|key| key.len()).cloned().unwrap_or_else(|| (0..schema.fields().len()).collect())
}
