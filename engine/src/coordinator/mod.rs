//! The coordinator: the one thread that gives commits their place in the order of epochs.
//!
//! It owns what must have one owner: the number of the epoch, the contents of tables, the subscriptions. A commit is sealed against the tables ([`crate::seal`]), gets its epoch, and its delta goes to the workers; up to
//! [`in_flight_epochs`](crate::Config::in_flight_epochs) are under way. When all workers have reported an epoch, and all epochs before
//! it are complete, it is *complete*: subscribers and the writer hear of it, then the [keeper](crate::keeper) of the views gets its deltas (a read goes
//! the same way, so it cannot come between).
//!
//! Tables are ahead of views by the epochs in flight. A read is of the last complete epoch: the tables' deltas since then are
//! subtracted from their snapshots, which is what having an inverse is good for. Changes of the catalog wait until nothing is in flight.

mod define;
mod flight;
mod read;
mod relation;
mod request;
mod sealing;
mod ticks;
mod workers;

use std::collections::{HashSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, TryRecvError, bounded, unbounded};

use deltic_circuit::EpochInfo;

use request::Ended;
pub(crate) use request::{Commit, Definition, Handle, Request, ViewDefinition};

use crate::config::Config;
use crate::error::{Error, Result, code};
use crate::keeper::Keeper;
use crate::spin::Spin;
use crate::subscription::Publisher;
use crate::time::Timeline;
use crate::worker::{Report, panic_message};
use flight::Flight;
use relation::Relations;
use ticks::Ticks;
use workers::Workers;

/// Starts the coordinator and its workers.
///
/// # Errors
/// If the threads cannot be started.
pub(crate) fn start(config: Config, epoch: Arc<AtomicU64>) -> Result<(Handle, JoinHandle<()>)> {
    let (requests, inbox) = unbounded();
    let ended = Ended::default();
    let (started, answer) = bounded(1);
    let thread = std::thread::Builder::new().name("deltic-coordinator".into()).spawn({
        let ended = ended.clone();
        move || main(&config, inbox, epoch, &ended, &started)
    });
    let thread = thread.map_err(|problem| Error::usage(format!("the coordinator cannot be started: {problem}")))?;
    match answer.recv() {
        Ok(Ok(())) => Ok((Handle::new(requests, thread.thread().clone(), ended), thread)),
        Ok(Err(error)) => Err(error),
        Err(_) => Err(Error::internal("the coordinator ended at its start")),
    }
}

fn main(config: &Config, inbox: Receiver<Request>, epoch: Arc<AtomicU64>, ended: &Ended, started: &Sender<Result<()>>) {
    let (workers, keeper) = match Workers::start(config).and_then(|workers| Ok((workers, Keeper::start()?))) {
        Ok(threads) => threads,
        Err(error) => {
            // Whoever opens the database waits for this.
            let _ = started.send(Err(error));
            return;
        }
    };
    let timeline = Timeline::new(config.clock.clone());
    let mut coordinator = Coordinator {
        config: config.clone(),
        inbox,
        workers,
        keeper,
        relations: Relations::default(),
        read_by_views: HashSet::new(),
        partitioned: HashSet::new(),
        publishers: Vec::new(),
        flights: VecDeque::new(),
        sealed: 0,
        sent: 0,
        complete: epoch,
        refused: 0,
        deferred: None,
        complete_info: timeline.info().clone(),
        timeline,
        ticks: Ticks::every(config.tick_interval),
    };
    let _ = started.send(Ok(()));
    let result = catch_unwind(AssertUnwindSafe(|| coordinator.run()));
    let error = match result {
        Ok(Ok(())) => Error::new(code::CLOSED, "the database is closed"),
        Ok(Err(error)) => error,
        Err(panic) => {
            let message = panic_message(panic.as_ref());
            Error::new(code::POISONED, format!("the database has failed and cannot go on: coordinator: {message}"))
        }
    };
    coordinator.end(ended, error);
}

struct Coordinator {
    config: Config,
    inbox: Receiver<Request>,
    workers: Workers,
    keeper: Keeper,
    relations: Relations,
    /// The relations that some view reads.
    read_by_views: HashSet<Arc<str>>,
    /// Those whose rows reach, through views perhaps, a view that remembers something.
    partitioned: HashSet<Arc<str>>,
    publishers: Vec<Publisher>,
    /// Epochs under way, in order.
    flights: VecDeque<Flight>,
    /// The last epoch that has a number.
    sealed: u64,
    /// The last epoch that the workers know of.
    sent: u64,
    /// The last complete epoch.
    complete: Arc<AtomicU64>,
    refused: u64,
    /// A request that waits until nothing is in flight.
    deferred: Option<Request>,
    /// The clock and the watermarks, at the last sealed epoch.
    timeline: Timeline,
    /// What the last complete epoch knows beside its rows.
    complete_info: Arc<EpochInfo>,
    ticks: Ticks,
}

impl Coordinator {
    /// Serves until the last handle is gone.
    ///
    /// # Errors
    /// What makes it impossible to go on.
    fn run(&mut self) -> Result<()> {
        let mut spin = Spin::new();
        loop {
            let mut busy = false;
            while let Some(report) = self.workers.try_report()? {
                self.hear(report)?;
                busy = true;
            }
            self.complete_flights()?;
            self.keeper.check()?;
            busy |= self.tick_if_due()?;
            match self.next_request() {
                Next::Request(Request::Shutdown) | Next::Gone => return Ok(()),
                Next::Request(request) => {
                    self.serve(request)?;
                    busy = true;
                }
                Next::Nothing => {}
            }
            if !busy {
                let (workers, inbox, full) = (&self.workers, &self.inbox, self.is_full());
                let found = spin.poll(|| (workers.has_report() || (!full && !inbox.is_empty())).then_some(()));
                if found.is_none() {
                    self.park();
                }
            }
        }
    }

    fn is_full(&self) -> bool {
        self.deferred.is_some() || self.flights.len() >= self.config.in_flight_epochs
    }

    fn next_request(&mut self) -> Next {
        if self.flights.is_empty()
            && let Some(request) = self.deferred.take()
        {
            return Next::Request(request);
        }
        if self.is_full() {
            return Next::Nothing;
        }
        match self.inbox.try_recv() {
            Ok(request @ (Request::Define { .. } | Request::Shutdown)) if !self.flights.is_empty() => {
                self.deferred = Some(request);
                Next::Nothing
            }
            Ok(request) => Next::Request(request),
            Err(TryRecvError::Empty) => Next::Nothing,
            Err(TryRecvError::Disconnected) if self.flights.is_empty() => Next::Gone,
            Err(TryRecvError::Disconnected) => Next::Nothing,
        }
    }

    /// Answers a request. Only what makes it impossible to go on is an error here; all else is told to the asker, who may be gone.
    fn serve(&mut self, request: Request) -> Result<()> {
        match request {
            Request::Commit(commit) => self.commit(commit)?,
            Request::Define { definitions, reply } => {
                self.define(definitions)?;
                let _ = reply.send(Ok(()));
            }
            Request::Read { relations, reply } => self.read(&relations, reply)?,
            Request::ReadErrors { view, reply } => self.read_errors(view, reply)?,
            Request::Subscribe { relations, reply } => _ = reply.send(self.subscribe(&relations)),
            Request::Stats { reply } => _ = reply.send(Ok(self.stats()?)),
            Request::Shutdown => {}
        }
        Ok(())
    }

    /// Takes note of a report about an epoch in flight.
    fn hear(&mut self, report: Report) -> Result<()> {
        match report {
            Report::Epoch { epoch, parts } => {
                let flight = self.flights.iter_mut().find(|flight| flight.epoch == epoch);
                let flight =
                    flight.ok_or_else(|| Error::internal(format!("a worker reported epoch {epoch}, which is not in flight")))?;
                flight.parts.extend(parts);
                flight.missing -= 1;
                Ok(())
            }
            Report::Uninstalled | Report::State(_) | Report::Failed(_) => {
                Err(Error::internal("a worker reported what nobody asked for"))
            }
        }
    }

    fn complete_epoch(&self) -> u64 {
        self.complete.load(Ordering::Acquire)
    }

    /// Tells everybody who waits, now or later, why there will be no answer, and ends the workers.
    fn end(self, ended: &Ended, error: Error) {
        let failed = error.code() != code::CLOSED;
        let _ = ended.set(error.clone());
        for relation in self.relations.values() {
            if let Some(source) = relation.as_source() {
                source.credits.close();
            }
        }
        if failed {
            self.publishers.iter().for_each(|publisher| publisher.fail(error.clone()));
            self.flights.into_iter().for_each(|flight| flight.refuse(&error));
        }
        // Requests that were not served are dropped with the inbox: their askers see the channel close, and look at `ended`.
    }
}

enum Next {
    Request(Request),
    Nothing,
    Gone,
}

#[cfg(test)]
mod tests;
