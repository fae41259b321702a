//! [`Keeper`]: the thread that keeps the contents of views and their error relations.
//!
//! What a view holds is needed by reads and by new views, never by the epochs themselves, and keeping it costs about as much per changed row as computing
//! it. So it is done beside the path of commits: the coordinator hands the deltas of complete epochs over in order and goes on. Reads are handed over in
//! the same queue, so a read finds exactly the epochs that were complete when the coordinator took it; it waits for what is before it in the queue. Tables
//! are not here: sealing a commit looks up current rows at once, in the coordinator.
//!
//! Contract. The queue is bounded in bytes, rows and messages: the coordinator waits when the keeper is too far behind, so memory is
//! bounded and commits are never faster than keeping in the long run. The keeper never waits for the coordinator, so neither can lock the other up. Small deltas are
//! sent many at a time, because waking a thread costs more than they do. If keeping fails, the failure is remembered for the coordinator,
//! which ends the database with it.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{JoinHandle, Thread};
use std::time::Duration;

use arrow::datatypes::SchemaRef;
use crossbeam_channel::{Receiver, Sender, TryRecvError, bounded};
use deltic_circuit::{EpochInfo, error_schema};
use deltic_operators::Part;

use crate::contents::ContentsSnapshot;
use crate::error::{Error, Result, code};
use crate::shelves::Shelves;
use crate::spin;
use crate::transaction::bytes;
use crate::worker::panic_message;

/// How much may wait in the queue (see [`load`]): some hundred thousand narrow rows, some tens of milliseconds of keeping.
const QUEUE_LOAD: usize = 64 << 20;
/// What a row counts for besides its bytes.
const ROW_LOAD: usize = 64;
/// Messages that may wait in the queue.
const QUEUE_MESSAGES: usize = 256;
/// So many rows, or parts, are worth a message.
const MESSAGE_ROWS: usize = 1 << 13;
const MESSAGE_PARTS: usize = 256;
/// How long the coordinator sleeps at most while the queue is full: a bound on the cost of a lost wake-up.
const NAP: Duration = Duration::from_millis(1);

/// What there is at one epoch.
#[derive(Default)]
pub(crate) struct Reading {
    /// Contents by relation.
    pub(crate) contents: HashMap<String, ContentsSnapshot>,
    /// What the epoch knows beside.
    pub(crate) info: Arc<EpochInfo>,
}

impl Reading {
    /// Nothing yet, at an epoch that knows `info`.
    pub(crate) fn at(info: Arc<EpochInfo>) -> Self {
        Reading { contents: HashMap::new(), info }
    }
}

/// The coordinator's side of the keeper.
pub(crate) struct Keeper {
    queue: Option<Sender<Message>>,
    /// Parts that are not worth a message yet.
    parts: Vec<(Arc<str>, Part)>,
    part_rows: usize,
    part_load: usize,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// What both sides see.
#[derive(Default)]
struct Shared {
    /// The load of the parts in the queue.
    queued: AtomicUsize,
    failure: OnceLock<Error>,
}

enum Message {
    Create {
        view: Arc<str>,
        schema: SchemaRef,
        key: Vec<usize>,
    },
    Drop {
        view: Arc<str>,
    },
    /// Parts of deltas, in the order of the epochs.
    Parts {
        parts: Vec<(Arc<str>, Part)>,
        load: usize,
    },
    /// The contents of views, to be added to `reading`.
    Read {
        views: Vec<String>,
        reading: Reading,
        reply: Sender<Result<Reading>>,
    },
    ReadErrors {
        view: String,
        reply: Sender<Result<ContentsSnapshot>>,
    },
    Sizes {
        reply: Sender<Result<HashMap<Arc<str>, KeptSize>>>,
    },
}

/// How much is kept of a view.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct KeptSize {
    pub(crate) entries: usize,
    pub(crate) bytes: usize,
    pub(crate) errors: usize,
}

impl Keeper {
    /// Starts the thread; it wakes the calling one when there is room in a full queue, and when it fails.
    ///
    /// # Errors
    /// If the thread cannot be started.
    pub(crate) fn start() -> Result<Self> {
        let (queue, messages) = bounded(QUEUE_MESSAGES);
        let shared = Arc::<Shared>::default();
        let coordinator = std::thread::current();
        let thread = std::thread::Builder::new().name("deltic-keeper".into()).spawn({
            let shared = shared.clone();
            move || main(&messages, &shared, &coordinator)
        });
        let thread = thread.map_err(|problem| Error::usage(format!("the keeper of views cannot be started: {problem}")))?;
        Ok(Keeper { queue: Some(queue), parts: Vec::new(), part_rows: 0, part_load: 0, shared, thread: Some(thread) })
    }

    /// What made keeping impossible, if anything has.
    ///
    /// # Errors
    /// That.
    pub(crate) fn check(&self) -> Result<()> {
        self.shared.failure.get().map_or(Ok(()), |failure| Err(failure.clone()))
    }

    /// Keeps a new view, empty at first; its rows are found by the columns `key`.
    ///
    /// # Errors
    /// If keeping has failed; so for all that follow.
    pub(crate) fn create(&mut self, view: Arc<str>, schema: SchemaRef, key: Vec<usize>) -> Result<()> {
        self.send(Message::Create { view, schema, key })
    }

    /// Forgets a view.
    pub(crate) fn drop_view(&mut self, view: Arc<str>) -> Result<()> {
        self.send(Message::Drop { view })
    }

    /// Takes a part of a view's delta. Parts come in the order of the epochs. Waits while the keeper is too far behind.
    pub(crate) fn push(&mut self, view: Arc<str>, part: Part) -> Result<()> {
        self.part_rows += part.rows.len() + part.errors.len();
        self.part_load += load(&part);
        self.parts.push((view, part));
        if self.part_rows >= MESSAGE_ROWS || self.parts.len() >= MESSAGE_PARTS { self.send_parts() } else { Ok(()) }
    }

    /// Adds to `reading` the contents of `views` after all that was pushed, and sends it to `reply`.
    pub(crate) fn read(&mut self, views: Vec<String>, reading: Reading, reply: Sender<Result<Reading>>) -> Result<()> {
        self.send(Message::Read { views, reading, reply })
    }

    /// Sends the error relation of `view` to `reply`.
    pub(crate) fn read_errors(&mut self, view: String, reply: Sender<Result<ContentsSnapshot>>) -> Result<()> {
        self.send(Message::ReadErrors { view, reply })
    }

    /// How much is kept of each view.
    pub(crate) fn sizes(&mut self) -> Result<HashMap<Arc<str>, KeptSize>> {
        self.ask(|reply| Message::Sizes { reply })
    }

    /// As [`Keeper::read`], and waits for the answer.
    pub(crate) fn contents(&mut self, views: Vec<String>) -> Result<Reading> {
        self.ask(|reply| Message::Read { views, reading: Reading::default(), reply })
    }

    /// As [`Keeper::read_errors`], and waits for the answer.
    pub(crate) fn errors(&mut self, view: String) -> Result<ContentsSnapshot> {
        self.ask(|reply| Message::ReadErrors { view, reply })
    }

    fn ask<T>(&mut self, message: impl FnOnce(Sender<Result<T>>) -> Message) -> Result<T> {
        let (reply, answer) = bounded(1);
        self.send(message(reply))?;
        spin::receive(&answer).unwrap_or_else(|| Err(self.failure()))
    }

    fn send(&mut self, message: Message) -> Result<()> {
        self.send_parts()?;
        self.put(message)
    }

    fn send_parts(&mut self) -> Result<()> {
        if self.parts.is_empty() {
            return Ok(());
        }
        while self.shared.queued.load(Ordering::Acquire) > QUEUE_LOAD {
            self.check()?;
            std::thread::park_timeout(NAP);
        }
        let (parts, load) = (std::mem::take(&mut self.parts), std::mem::take(&mut self.part_load));
        self.part_rows = 0;
        self.shared.queued.fetch_add(load, Ordering::AcqRel);
        self.put(Message::Parts { parts, load })
    }

    fn put(&self, message: Message) -> Result<()> {
        let sent = self.queue.as_ref().is_some_and(|queue| queue.send(message).is_ok());
        if sent { Ok(()) } else { Err(self.failure()) }
    }

    /// Why the thread is gone.
    fn failure(&self) -> Error {
        self.check().err().unwrap_or_else(|| Error::internal("the keeper of views has ended"))
    }
}

impl Drop for Keeper {
    /// Ends the thread, which first does what it was asked to.
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(thread) = self.thread.take() {
            // A panic was caught, and remembered as the failure.
            let _ = thread.join();
        }
    }
}

/// How much work and memory a part is, in bytes, about.
fn load(part: &Part) -> usize {
    [&part.rows, &part.errors].into_iter().filter(|rows| !rows.is_empty()).map(|rows| bytes(rows) + ROW_LOAD * rows.len()).sum()
}

fn main(messages: &Receiver<Message>, shared: &Shared, coordinator: &Thread) {
    let result = catch_unwind(AssertUnwindSafe(|| keep(messages, shared, coordinator)));
    let failure = match result {
        Ok(Ok(())) => return,
        Ok(Err(error)) => error,
        Err(panic) => {
            let message = panic_message(panic.as_ref());
            Error::new(code::POISONED, format!("the database has failed and cannot go on: keeper of views: {message}"))
                .with_hint("this is a bug in Deltic; open the database again")
        }
    };
    let _ = shared.failure.set(failure);
    coordinator.unpark();
}

/// Keeps until the coordinator is gone.
fn keep(messages: &Receiver<Message>, shared: &Shared, coordinator: &Thread) -> Result<()> {
    let mut views = Views::default();
    loop {
        let message = match messages.try_recv() {
            Ok(message) => message,
            Err(TryRecvError::Disconnected) => return Ok(()),
            Err(TryRecvError::Empty) if views.tidy_some()? => continue,
            Err(TryRecvError::Empty) => match messages.recv() {
                Ok(message) => message,
                Err(_) => return Ok(()),
            },
        };
        if let Message::Parts { parts, load } = message {
            for (view, part) in parts {
                views.push(&view, part)?;
            }
            let before = shared.queued.fetch_sub(load, Ordering::AcqRel);
            if before > QUEUE_LOAD && before - load <= QUEUE_LOAD {
                coordinator.unpark();
            }
        } else {
            views.serve(message);
        }
    }
}

/// All views that are kept.
#[derive(Default)]
struct Views(HashMap<Arc<str>, Kept>);

struct Kept {
    rows: Shelves,
    errors: Shelves,
}

impl Views {
    /// # Errors
    /// If a weight leaves its range.
    fn push(&mut self, view: &str, part: Part) -> Result<()> {
        if let Some(kept) = self.0.get_mut(view) {
            kept.rows.push(part.rows)?;
            kept.errors.push(part.errors)?;
        }
        Ok(())
    }

    /// Does some work that nothing has to wait for then; `false` if there is none.
    fn tidy_some(&mut self) -> Result<bool> {
        for kept in self.0.values_mut() {
            if kept.rows.tidy_some()? || kept.errors.tidy_some()? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Does what is asked. An asker may be gone by now.
    fn serve(&mut self, message: Message) {
        match message {
            Message::Create { view, schema, key } => {
                let every_column = (0..error_schema().fields().len()).collect();
                let kept = Kept { rows: Shelves::new(schema, key), errors: Shelves::new(error_schema(), every_column) };
                self.0.insert(view, kept);
            }
            Message::Drop { view } => _ = self.0.remove(&view),
            Message::Parts { .. } => {}
            Message::Read { views, reading, reply } => _ = reply.send(self.read(views, reading)),
            Message::ReadErrors { view, reply } => _ = reply.send(self.kept(&view).map(|kept| kept.errors.snapshot().into())),
            Message::Sizes { reply } => {
                let sizes = self.0.iter().map(|(view, kept)| (view.clone(), kept.size()));
                let _ = reply.send(Ok(sizes.collect()));
            }
        }
    }

    fn read(&self, views: Vec<String>, mut reading: Reading) -> Result<Reading> {
        for view in views {
            let snapshot = self.kept(&view)?.rows.snapshot().into();
            reading.contents.insert(view, snapshot);
        }
        Ok(reading)
    }

    fn kept(&self, view: &str) -> Result<&Kept> {
        self.0.get(view).ok_or_else(|| Error::internal(format!("the contents of '{view}' are not kept")))
    }
}

impl Kept {
    fn size(&self) -> KeptSize {
        KeptSize { entries: self.rows.entries(), bytes: self.rows.memory_bytes(), errors: self.errors.entries() }
    }
}
