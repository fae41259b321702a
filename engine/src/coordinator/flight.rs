//! Epochs under way: from the commit to the moment when every view reflects it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crossbeam_channel::Sender;
use deltic_circuit::time::EpochInfo;
use deltic_operators::Part;
use deltic_zset::ZBatch;

use super::relation::Kind;
use super::sealing::Sealed;
use super::{Commit, Coordinator};
use crate::error::{Error, Result};
use crate::ingest::Grant;
use crate::subscription::Parts;
use crate::time::{LateNotice, Passage};
use crate::transaction::Receipt;
use crate::worker::Command;

/// An epoch with at most this many rows goes to one worker whole: cutting it would cost more messages than it saves work.
const SMALL_EPOCH_ROWS: usize = 512;
/// Rows that no view has to bring to the worker with their state are not cut into smaller shares than this: a batch that passes as it is costs nothing, and its
/// pieces cost something for whoever gets them. Workers take turns instead.
const STATELESS_SHARE_ROWS: usize = 32_768;

/// An epoch under way.
pub(super) struct Flight {
    pub(super) epoch: u64,
    /// Workers that have not reported it.
    pub(super) missing: usize,
    /// What the workers reported: view and its parts.
    pub(super) parts: Vec<(Arc<str>, Part)>,
    /// What it did to tables and streams.
    pub(super) deltas: Deltas,
    /// What it knows beside its rows.
    info: Arc<EpochInfo>,
    reply: Sender<Result<Receipt>>,
    notices: Vec<LateNotice>,
    grants: Vec<Grant>,
}

/// Deltas of sources, in parts.
pub(super) type Deltas = Vec<(Arc<str>, Vec<ZBatch>)>;

impl Flight {
    /// Tells the writer that the epoch will not come to an end.
    pub(super) fn refuse(self, error: &Error) {
        let _ = self.reply.send(Err(error.clone()));
    }
}

impl Coordinator {
    /// Seals a commit and sends it on its way, or refuses it.
    pub(super) fn commit(&mut self, commit: Commit) -> Result<()> {
        let Sealed { deltas, passing } = match self.seal(&commit) {
            Ok(sealed) => sealed,
            Err(error) => {
                self.refused += 1;
                drop(commit.grants);
                let _ = commit.reply.send(Err(error));
                return Ok(());
            }
        };
        self.sealed += 1;
        self.ticks.restart();
        for (name, parts) in &deltas {
            self.apply_to_table(name, parts)?;
        }
        let Passage { info, concerns_views } = self.timeline.pass(&passing, &commit.watermarks);
        let missing = if concerns_views || self.is_read(&deltas) { self.send_epoch(&deltas) } else { 0 };
        let Commit { grants, reply, .. } = commit;
        let notices = passing.notices;
        self.flights.push_back(Flight { epoch: self.sealed, missing, parts: Vec::new(), deltas, info, reply, notices, grants });
        self.complete_flights()
    }

    fn apply_to_table(&mut self, name: &str, parts: &[ZBatch]) -> Result<()> {
        let Some(relation) = self.relations.get_mut(name) else { return Ok(()) };
        relation.changes += parts.iter().map(|part| part.len() as u64).sum::<u64>();
        if let Kind::Table(table) = &mut relation.kind {
            for part in parts {
                table.contents.push(part.clone())?;
            }
        }
        Ok(())
    }

    /// Whether a view reads one of the changed relations.
    fn is_read(&self, deltas: &Deltas) -> bool {
        deltas.iter().any(|(name, parts)| !parts.is_empty() && self.read_by_views.contains(name))
    }

    /// Sends the sealed epoch, which has passed, to all workers; returns how many will report it.
    pub(super) fn send_epoch(&mut self, deltas: &Deltas) -> usize {
        let workers = self.workers.count();
        let rows: usize = deltas.iter().flat_map(|(_, parts)| parts).map(ZBatch::len).sum();
        let (epoch, info) = (self.sealed, self.timeline.info());
        let shares: Vec<usize> = deltas.iter().map(|(name, _)| self.shares(name, rows)).collect();
        self.workers.broadcast(|worker| {
            // Each epoch starts with another worker, so that those that are not cut take turns.
            let turn = (worker + workers - epoch as usize % workers) % workers;
            let mine = deltas.iter().zip(&shares).filter(|(_, shares)| turn < **shares);
            let parts =
                mine.flat_map(|((name, parts), &shares)| parts.iter().map(move |part| (name.clone(), share(part, turn, shares))));
            let deltas = parts.filter(|(_, part)| !part.is_empty()).collect();
            Command::Epoch { epoch, deltas, info: info.clone() }
        });
        self.sent = epoch;
        workers
    }

    /// How many workers get a share of the delta of `name` in an epoch of `rows` rows.
    fn shares(&self, name: &str, rows: usize) -> usize {
        match self.partitioned.contains(name) {
            true if rows <= SMALL_EPOCH_ROWS => 1,
            true => self.workers.count(),
            false => (rows / STATELESS_SHARE_ROWS).clamp(1, self.workers.count()),
        }
    }

    /// Completes the epochs at the front that all workers have reported.
    pub(super) fn complete_flights(&mut self) -> Result<()> {
        while self.flights.front().is_some_and(|flight| flight.missing == 0) {
            if let Some(flight) = self.flights.pop_front() {
                self.complete_flight(flight)?;
            }
        }
        Ok(())
    }

    fn complete_flight(&mut self, flight: Flight) -> Result<()> {
        let Flight { epoch, parts, deltas, info, reply, notices, grants, .. } = flight;
        self.publish(epoch, &info, &parts, &deltas);
        self.complete.store(epoch, Ordering::Release);
        self.complete_info = info;
        drop(grants);
        let _ = reply.send(Ok(Receipt { epoch, notices }));
        for (view, part) in parts {
            self.apply_to_view(&view, part)?;
        }
        Ok(())
    }

    /// Adds a part of a view's delta to its contents. Waits if the keeper is too far behind.
    pub(super) fn apply_to_view(&mut self, name: &str, part: Part) -> Result<()> {
        let Some(relation) = self.relations.get_mut(name) else { return Ok(()) };
        relation.changes += part.rows.len() as u64;
        self.keeper.push(relation.name.clone(), part)
    }

    fn publish(&mut self, epoch: u64, info: &EpochInfo, parts: &[(Arc<str>, Part)], deltas: &Deltas) {
        if self.publishers.is_empty() {
            return;
        }
        let mut changed: Parts = HashMap::with_capacity(parts.len() + deltas.len());
        for (name, delta) in deltas {
            changed.insert(name.clone(), delta.clone());
        }
        for (view, part) in parts.iter().filter(|(_, part)| !part.rows.is_empty()) {
            changed.entry(view.clone()).or_default().push(part.rows.clone());
        }
        self.publishers.retain(|publisher| publisher.publish(epoch, info, &changed));
    }
}

/// The share of worker `worker` of `workers` in the rows of `batch`.
pub(super) fn share(batch: &ZBatch, worker: usize, workers: usize) -> ZBatch {
    let (from, to) = (batch.len() * worker / workers, batch.len() * (worker + 1) / workers);
    if to - from == batch.len() { batch.clone() } else { batch.slice(from, to - from) }
}
