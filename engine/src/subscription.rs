//! [`Subscription`]: the changes of some relations, one bundle per epoch.
//!
//! The coordinator only queues what the workers produced; concatenation and consolidation happen in the thread that reads. The queue is
//! bounded. A reader that falls behind is told so by an explicit error, with the epoch to take up again from, and never by a
//! missing bundle: once the queue overflowed, what is in it is still delivered, then the error, then nothing.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arrow::array::{Int64Array, RecordBatch};
use arrow::datatypes::SchemaRef;
use deltic_circuit::time::{EpochInfo, TimeSource};
use deltic_zset::ZBatch;

use crate::error::{Error, Result, code};

/// Rows that a subscription may queue, whatever the number of epochs.
const MAX_ROWS: usize = 16 << 20;

/// What one epoch did to the relations of a subscription.
#[derive(Clone, Debug)]
pub struct Change {
    /// The epoch.
    pub epoch: u64,
    /// The watermark after the epoch: the least one of all sources with event time that the relations depend on; `None` if there is none, or one of
    /// them has none yet. Microseconds since 1970-01-01 in UTC, or the value of an integer column.
    pub watermark: Option<i64>,
    /// The relations that changed, in the order of the subscription. Empty if the epoch changed none of them.
    pub deltas: Vec<ViewDelta>,
}

/// What one epoch did to one relation.
#[derive(Clone, Debug)]
pub struct ViewDelta {
    /// The name of the relation.
    pub view: String,
    /// The rows that changed, each once.
    pub rows: RecordBatch,
    /// How many copies of each row came (positive) or went (negative); never 0.
    pub weights: Int64Array,
}

/// The changes of some relations from the epoch after the subscription on: an iterator with one [`Change`] per epoch, in order, without gaps.
///
/// `next` blocks until there is an epoch. The iterator ends when the database is closed, and after an error: the reader was too slow
/// (`DT4008`), or a relation was dropped (`DT4012`).
#[derive(Debug)]
pub struct Subscription {
    queue: Arc<Queue>,
    names: Vec<Arc<str>>,
    schemas: Vec<SchemaRef>,
}

/// The parts of an epoch's delta, by relation.
pub(crate) type Parts = HashMap<Arc<str>, Vec<ZBatch>>;

#[derive(Debug)]
struct Raw {
    epoch: u64,
    watermark: Option<i64>,
    /// Position in the subscription and parts.
    deltas: Vec<(usize, Vec<ZBatch>)>,
    rows: usize,
}

#[derive(Debug, Default)]
struct Queued {
    changes: VecDeque<Raw>,
    rows: usize,
    end: Option<End>,
}

#[derive(Debug)]
enum End {
    Error(Error),
    Closed,
}

#[derive(Debug)]
struct Queue {
    queued: Mutex<Queued>,
    arrived: Condvar,
}

impl Queued {
    /// What is next: an epoch, the error at the end, or the end.
    fn pop(&mut self) -> Option<Next> {
        if let Some(raw) = self.changes.pop_front() {
            self.rows -= raw.rows;
            return Some(Next::Epoch(raw));
        }
        let end = self.end.take()?;
        self.end = Some(End::Closed);
        Some(match end {
            End::Error(error) => Next::Error(error),
            End::Closed => Next::End,
        })
    }
}

enum Next {
    Epoch(Raw),
    Error(Error),
    End,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Queued> {
        self.queued.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The coordinator's end of a subscription.
#[derive(Debug)]
pub(crate) struct Publisher {
    queue: Arc<Queue>,
    names: Vec<Arc<str>>,
    /// Whose watermarks go with the changes.
    sources: Vec<TimeSource>,
    capacity: usize,
}

/// The two ends of a subscription to `relations`, which depend on the times of `sources`.
pub(crate) fn subscription(
    relations: Vec<(Arc<str>, SchemaRef)>,
    sources: Vec<TimeSource>,
    capacity: usize,
) -> (Publisher, Subscription) {
    let queue = Arc::new(Queue { queued: Mutex::default(), arrived: Condvar::new() });
    let (names, schemas): (Vec<_>, Vec<_>) = relations.into_iter().unzip();
    (Publisher { queue: queue.clone(), names: names.clone(), sources, capacity }, Subscription { queue, names, schemas })
}

impl Publisher {
    /// Queues an epoch. False if nobody will read it any more: the subscription was dropped, or has ended.
    pub(crate) fn publish(&self, epoch: u64, info: &EpochInfo, parts: &Parts) -> bool {
        if Arc::strong_count(&self.queue) == 1 {
            return false;
        }
        let deltas: Vec<(usize, Vec<ZBatch>)> = self
            .names
            .iter()
            .enumerate()
            .filter_map(|(position, name)| Some((position, parts.get(name).filter(|parts| !parts.is_empty())?.clone())))
            .collect();
        let rows = deltas.iter().flat_map(|(_, parts)| parts).map(ZBatch::len).sum();
        let mut queued = self.queue.lock();
        if queued.changes.len() >= self.capacity || queued.rows > MAX_ROWS {
            queued.end = Some(End::Error(lagged(epoch, queued.changes.len())));
        } else {
            queued.rows += rows;
            queued.changes.push_back(Raw { epoch, watermark: info.watermark(&self.sources), deltas, rows });
        }
        let ended = queued.end.is_some();
        drop(queued);
        self.queue.arrived.notify_all();
        !ended
    }

    pub(crate) fn reads(&self, relation: &str) -> bool {
        self.names.iter().any(|name| &**name == relation)
    }

    /// Ends the subscription with `error` after what is queued.
    pub(crate) fn fail(&self, error: Error) {
        self.end(End::Error(error));
    }

    fn end(&self, end: End) {
        self.queue.lock().end.get_or_insert(end);
        self.queue.arrived.notify_all();
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.end(End::Closed);
    }
}

fn lagged(epoch: u64, epochs: usize) -> Error {
    Error::new(
        code::LAGGED,
        format!("the subscription lagged: {epochs} epochs were waiting to be read; it ends before epoch {epoch}"),
    )
    .with_hint("read faster, or allow more with Config::subscription_epochs; take up again with a query and a new subscription")
}

impl Subscription {
    /// The names of the relations, as subscribed.
    pub fn relations(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(|name| &**name)
    }

    /// The columns of each relation, in the order of [`Subscription::relations`].
    pub fn schemas(&self) -> &[SchemaRef] {
        &self.schemas
    }

    /// The next epoch if it is there already; `None` if not, or if the subscription has ended.
    pub fn try_next(&mut self) -> Option<Result<Change>> {
        let next = self.queue.lock().pop()?;
        self.finish(next)
    }

    /// The next epoch, waiting for at most `timeout`; `None` if there was none in that time, or if the subscription has ended.
    pub fn next_timeout(&mut self, timeout: Duration) -> Option<Result<Change>> {
        let deadline = Instant::now() + timeout;
        let mut queued = self.queue.lock();
        loop {
            if let Some(next) = queued.pop() {
                drop(queued);
                return self.finish(next);
            }
            let left = deadline.checked_duration_since(Instant::now())?;
            queued = self.queue.arrived.wait_timeout(queued, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Whether the subscription has ended, and everything in it was read.
    pub fn is_finished(&self) -> bool {
        let queued = self.queue.lock();
        queued.changes.is_empty() && matches!(queued.end, Some(End::Closed))
    }

    fn finish(&self, next: Next) -> Option<Result<Change>> {
        match next {
            Next::Epoch(raw) => Some(self.change(raw)),
            Next::Error(error) => Some(Err(error)),
            Next::End => None,
        }
    }

    fn change(&self, raw: Raw) -> Result<Change> {
        let mut deltas = Vec::with_capacity(raw.deltas.len());
        for (position, parts) in raw.deltas {
            let delta = ZBatch::concat(&self.schemas[position], &parts)?.consolidate()?;
            if !delta.is_empty() {
                let weights = Int64Array::new(delta.weights_or_ones(), None);
                deltas.push(ViewDelta { view: self.names[position].to_string(), rows: delta.to_record_batch()?, weights });
            }
        }
        Ok(Change { epoch: raw.epoch, watermark: raw.watermark, deltas })
    }
}

impl Iterator for Subscription {
    type Item = Result<Change>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut queued = self.queue.lock();
        loop {
            if let Some(next) = queued.pop() {
                drop(queued);
                return self.finish(next);
            }
            queued = self.queue.arrived.wait(queued).unwrap_or_else(PoisonError::into_inner);
        }
    }
}
