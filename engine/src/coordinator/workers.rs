//! The coordinator's side of the workers: starting them, talking to them, ending them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::Thread;

use crossbeam_channel::{Receiver, Sender, TryRecvError, unbounded};
use timely::WorkerConfig;
use timely::communication::WorkerGuards;

use crate::config::Config;
use crate::error::{Error, Result, code};
use crate::spin;
use crate::worker::{self, Command, Mailbox, Report, Reporter};

/// The core that the next pinned worker of this process gets, so that databases in one process spread out.
static NEXT_CORE: AtomicUsize = AtomicUsize::new(0);

/// The running workers.
pub(super) struct Workers {
    mailboxes: Vec<(Sender<Command>, Thread)>,
    reports: Receiver<Report>,
    guards: Option<WorkerGuards<()>>,
}

impl Workers {
    /// Starts the workers; they report to the thread that calls this.
    pub(super) fn start(config: &Config) -> Result<Self> {
        let (report, reports) = unbounded();
        let reporter = Reporter { reports: report, coordinator: std::thread::current() };
        let mut senders = Vec::new();
        let mut mailboxes = Vec::new();
        for _ in 0..config.workers {
            let (sender, commands) = unbounded();
            senders.push(sender);
            mailboxes.push(Some(Mailbox { commands, reports: reporter.clone() }));
        }
        drop(reporter);
        let cores = cores_for(config);
        let mailboxes = Mutex::new(mailboxes);
        let timely_config = timely::Config {
            communication: timely::CommunicationConfig::Process(config.workers),
            worker: WorkerConfig::default(),
        };
        let guards = timely::execute(timely_config, move |timely_worker| {
            if let Some(core) = cores.get(timely_worker.index()) {
                core_affinity::set_for_current(*core);
            }
            let mailbox = mailboxes.lock().unwrap_or_else(PoisonError::into_inner)[timely_worker.index()].take();
            if let Some(mailbox) = mailbox {
                worker::run(timely_worker, &mailbox);
            }
        })
        .map_err(|problem| Error::usage(format!("the workers cannot be started: {problem}")))?;
        let threads = guards.guards().iter().map(|guard| guard.thread().clone());
        Ok(Workers { mailboxes: senders.into_iter().zip(threads).collect(), reports, guards: Some(guards) })
    }

    pub(super) fn count(&self) -> usize {
        self.mailboxes.len()
    }

    /// Gives `command` to one worker. (A worker that is gone has reported why.)
    pub(super) fn send(&self, worker: usize, command: Command) {
        let (mailbox, thread) = &self.mailboxes[worker];
        if mailbox.send(command).is_ok() {
            thread.unpark();
        }
    }

    /// Gives a command to each worker.
    pub(super) fn broadcast(&self, mut command: impl FnMut(usize) -> Command) {
        for worker in 0..self.count() {
            self.send(worker, command(worker));
        }
    }

    /// The next report, if there is one.
    ///
    /// # Errors
    /// If a worker failed.
    pub(super) fn try_report(&self) -> Result<Option<Report>> {
        match self.reports.try_recv() {
            Ok(report) => healthy(report).map(Some),
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => Err(failed("all workers have ended")),
        }
    }

    /// The next report.
    ///
    /// # Errors
    /// As [`Workers::try_report`].
    pub(super) fn report(&self) -> Result<Report> {
        spin::receive(&self.reports).map_or_else(|| Err(failed("all workers have ended")), healthy)
    }

    /// Whether a report is waiting.
    pub(super) fn has_report(&self) -> bool {
        !self.reports.is_empty()
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.broadcast(|_| Command::Stop);
        if let Some(guards) = self.guards.take() {
            // A worker reports its own panics; there is nothing to learn from the join.
            let _ = guards.join();
        }
    }
}

fn healthy(report: Report) -> Result<Report> {
    match report {
        Report::Failed(message) => Err(failed(&message)),
        report => Ok(report),
    }
}

fn failed(message: &str) -> Error {
    Error::new(code::POISONED, format!("the database has failed and cannot go on: {message}"))
        .with_hint("this is a bug in Deltic; open the database again")
}

/// The cores to pin the workers to; none if they are not to be pinned, or there are more workers than cores.
fn cores_for(config: &Config) -> Vec<core_affinity::CoreId> {
    let cores = core_affinity::get_core_ids().unwrap_or_default();
    if !config.pin_workers || cores.len() < config.workers {
        return Vec::new();
    }
    let first = NEXT_CORE.fetch_add(config.workers, Ordering::Relaxed);
    (0..config.workers).map(|worker| cores[(first + worker) % cores.len()]).collect()
}
