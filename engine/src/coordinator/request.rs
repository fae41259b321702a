//! What clients ask of the coordinator, and the handle they ask through.

use std::sync::{Arc, OnceLock};
use std::thread::Thread;

use arrow::datatypes::SchemaRef;
use crossbeam_channel::{Receiver, Sender, bounded};
use deltic_circuit::CircuitRef;

use crate::changes::Changes;
use crate::contents::ContentsSnapshot;
use crate::error::{Error, Result};
use crate::ingest::Grant;
use crate::keeper::Reading;
use crate::source::Source;
use crate::spin;
use crate::stats::Stats;
use crate::subscription::Subscription;
use crate::transaction::Receipt;

/// A request; each carries the channel that its answer goes to. If the coordinator ends, the channel closes and the asker is told why.
pub(crate) enum Request {
    /// One epoch's changes.
    Commit(Commit),
    /// The contents of relations at one epoch.
    Read { relations: Vec<String>, reply: Sender<Result<Reading>> },
    /// The error relation of a view.
    ReadErrors { view: String, reply: Sender<Result<ContentsSnapshot>> },
    /// Changes of the catalog, all between the same two epochs.
    Define { definitions: Vec<Definition>, reply: Sender<Result<()>> },
    /// Follow relations from the next epoch on.
    Subscribe { relations: Vec<String>, reply: Sender<Result<Subscription>> },
    /// What goes on.
    Stats { reply: Sender<Result<Stats>> },
    /// The last handle is gone: finish what was asked before, then end.
    Shutdown,
}

/// One epoch's changes.
pub(crate) struct Commit {
    /// In order of the calls, by source. Each source at most once.
    pub(crate) changes: Vec<Changes>,
    /// Explicit watermarks.
    pub(crate) watermarks: Vec<(Arc<Source>, i64)>,
    /// Given back when the epoch is complete.
    pub(crate) grants: Vec<Grant>,
    pub(crate) reply: Sender<Result<Receipt>>,
}

/// A change of the catalog. They cannot fail: the frontend has checked them.
pub(crate) enum Definition {
    CreateSource(Arc<Source>),
    CreateView(ViewDefinition),
    Drop(String),
}

/// A materialized view.
pub(crate) struct ViewDefinition {
    pub(crate) name: Arc<str>,
    pub(crate) circuit: CircuitRef,
    pub(crate) schema: SchemaRef,
}

/// Why the coordinator ended.
pub(crate) type Ended = Arc<OnceLock<Error>>;

/// The way to the coordinator.
pub(crate) struct Handle {
    requests: Sender<Request>,
    coordinator: Thread,
    ended: Ended,
}

impl Handle {
    pub(crate) fn new(requests: Sender<Request>, coordinator: Thread, ended: Ended) -> Self {
        Handle { requests, coordinator, ended }
    }

    /// Sends a request without waiting for the answer.
    ///
    /// # Errors
    /// Why the coordinator ended, if it has.
    pub(crate) fn send(&self, request: Request) -> Result<()> {
        match self.requests.send(request) {
            Ok(()) => {
                self.coordinator.unpark();
                Ok(())
            }
            Err(_) => Err(self.ended()),
        }
    }

    /// Sends a request and waits for its answer.
    ///
    /// # Errors
    /// That of the answer, or why the coordinator ended.
    pub(crate) fn ask<T>(&self, request: impl FnOnce(Sender<Result<T>>) -> Request) -> Result<T> {
        let (reply, answer) = bounded(1);
        self.send(request(reply))?;
        self.answer(&answer)
    }

    /// Waits for an answer.
    ///
    /// # Errors
    /// As [`Handle::ask`].
    pub(crate) fn answer<T>(&self, answer: &Receiver<Result<T>>) -> Result<T> {
        spin::receive(answer).unwrap_or_else(|| Err(self.ended()))
    }

    /// Why the coordinator ended; for who has seen one of its channels close. The reason may come a moment after that.
    pub(crate) fn ended(&self) -> Error {
        self.ended.wait().clone()
    }
}
