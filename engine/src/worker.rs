//! A worker: one pinned thread that runs its share of every view.
//!
//! A worker does what its mailbox says, in order, and reports to the coordinator. Between commands it steps timely as long as an epoch is
//! open, spins for a moment when none is, then parks; whoever sends a command or a timely message unparks it. All workers get the same
//! installations in the same order, because timely numbers channels by order of construction.
//!
//! A panic ends the worker, not the process: it is caught, reported, and poisons the database, so that whoever waits is told.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};
use deltic_circuit::{CircuitRef, EpochInfo};
use deltic_operators::{Dataflow, Install, OperatorState, Part, Registry, WindowMetrics, install};
use deltic_zset::ZBatch;
use timely::worker::Worker;

use crate::spin::Spin;
use crate::stream;

/// How long a worker with open epochs parks at most: a bound on the cost of a wake-up that timely does not send.
const PARK: Duration = Duration::from_millis(1);

/// Rows to merge at a time while there is nothing else to do: well below a millisecond.
const IDLE_FUEL_ROWS: usize = 4096;

/// What a worker is told.
pub(crate) enum Command {
    /// The worker's share of an epoch. Every worker gets every epoch, if only to advance.
    Epoch { epoch: u64, deltas: Vec<(Arc<str>, ZBatch)>, info: Arc<EpochInfo> },
    /// A new view.
    Install(Box<Installation>),
    /// A view that nothing reads any more.
    Uninstall { view: Arc<str> },
    /// Asks for [`Report::State`].
    State,
    /// Ends the worker.
    Stop,
}

/// A view to install, with this worker's share of what its sources hold.
pub(crate) struct Installation {
    pub(crate) view: Arc<str>,
    pub(crate) circuit: CircuitRef,
    pub(crate) since: u64,
    /// What epoch `since` knows beside its rows.
    pub(crate) info: Arc<EpochInfo>,
    pub(crate) rows: HashMap<String, Vec<ZBatch>>,
    pub(crate) errors: HashMap<String, Vec<ZBatch>>,
}

/// What a worker tells.
pub(crate) enum Report {
    /// The worker has finished an epoch (or, at the epoch of its installation, a new view): its share of the deltas.
    Epoch { epoch: u64, parts: Vec<(Arc<str>, Part)> },
    /// A view is gone.
    Uninstalled,
    /// The state of the operators of each view.
    State(Vec<ViewState>),
    /// The worker panicked.
    Failed(String),
}

/// One worker's share of a view.
pub(crate) struct ViewState {
    pub(crate) view: Arc<str>,
    pub(crate) operators: Vec<OperatorState>,
    pub(crate) windows: WindowMetrics,
}

/// The worker's side of its channels.
pub(crate) struct Mailbox {
    pub(crate) commands: Receiver<Command>,
    pub(crate) reports: Reporter,
}

/// Sends to the coordinator and wakes it.
#[derive(Clone)]
pub(crate) struct Reporter {
    pub(crate) reports: Sender<Report>,
    pub(crate) coordinator: std::thread::Thread,
}

impl Reporter {
    fn send(&self, report: Report) {
        // A coordinator that is gone has told everybody already.
        if self.reports.send(report).is_ok() {
            self.coordinator.unpark();
        }
    }
}

/// Runs a worker until it is told to stop.
pub(crate) fn run(worker: &mut Worker, mailbox: &Mailbox) {
    let result = catch_unwind(AssertUnwindSafe(|| Shift::new(worker, mailbox).run()));
    if let Err(panic) = result {
        let message = panic_message(panic.as_ref());
        mailbox.reports.send(Report::Failed(format!("worker {}: {message}", worker.index())));
    }
    for dataflow in worker.installed_dataflows() {
        worker.drop_dataflow(dataflow);
    }
}

/// The text of a panic.
pub(crate) fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "panicked".to_owned())
}

/// An epoch that this worker has not reported yet, with what the sinks of its views have put out so far.
#[derive(Default)]
struct OpenEpoch {
    epoch: u64,
    parts: Vec<(Arc<str>, Part)>,
}

type OpenEpochs = Rc<RefCell<VecDeque<OpenEpoch>>>;

struct Shift<'a> {
    worker: &'a mut Worker,
    mailbox: &'a Mailbox,
    registry: Registry,
    /// In the order of their installation.
    dataflows: Vec<(Arc<str>, Dataflow)>,
    /// The dataflows that each relation is pushed into, and what they call it.
    readers: HashMap<String, Vec<(usize, String)>>,
    /// The epoch that the dataflows take rows of.
    next_epoch: u64,
    open: OpenEpochs,
    /// While no epoch is open.
    idle: Spin,
    /// While epochs wait for other workers.
    busy: Spin,
}

impl<'a> Shift<'a> {
    fn new(worker: &'a mut Worker, mailbox: &'a Mailbox) -> Self {
        Shift {
            worker,
            mailbox,
            registry: Registry::default(),
            dataflows: Vec::new(),
            readers: HashMap::new(),
            next_epoch: 0,
            open: OpenEpochs::default(),
            idle: Spin::new(),
            busy: Spin::new(),
        }
    }

    fn run(&mut self) {
        loop {
            while let Ok(command) = self.mailbox.commands.try_recv() {
                if !self.obey(command) {
                    return;
                }
            }
            if self.open.borrow().is_empty() {
                let commands = &self.mailbox.commands;
                if self.idle.poll(|| (!commands.is_empty()).then_some(())).is_none() && !self.maintain() {
                    self.worker.step_or_park(None);
                }
            } else {
                self.advance();
            }
        }
    }

    /// Does some of the merging that was left over; false if none was.
    fn maintain(&self) -> bool {
        self.dataflows.iter().any(|(_, dataflow)| dataflow.maintain(IDLE_FUEL_ROWS) > 0)
    }

    /// Steps until the oldest epoch is done or a command comes; parks if there is nothing to do but wait for other workers.
    fn advance(&mut self) {
        let (worker, open, dataflows) = (&mut *self.worker, &self.open, &self.dataflows);
        let commands = &self.mailbox.commands;
        let progress = self.busy.poll(|| {
            worker.step();
            let oldest = open.borrow().front().map(|open| open.epoch)?;
            (dataflows.iter().all(|(_, dataflow)| dataflow.done(oldest)) || !commands.is_empty()).then_some(())
        });
        if progress.is_none() {
            self.worker.step_or_park(Some(PARK));
        }
        self.report_finished();
    }

    fn report_finished(&mut self) {
        loop {
            let Some(oldest) = self.open.borrow().front().map(|open| open.epoch) else { return };
            if !self.dataflows.iter().all(|(_, dataflow)| dataflow.done(oldest)) {
                return;
            }
            if let Some(OpenEpoch { epoch, parts }) = self.open.borrow_mut().pop_front() {
                self.mailbox.reports.send(Report::Epoch { epoch, parts });
            }
        }
    }

    /// False if it was the last command.
    fn obey(&mut self, command: Command) -> bool {
        match command {
            Command::Epoch { epoch, deltas, info } => self.begin(epoch, deltas, info),
            Command::Install(installation) => self.install(*installation),
            Command::Uninstall { view } => self.uninstall(&view),
            Command::State => {
                let state = self.dataflows.iter().map(|(view, dataflow)| ViewState {
                    view: view.clone(),
                    operators: dataflow.state(),
                    windows: dataflow.metrics(),
                });
                self.mailbox.reports.send(Report::State(state.collect()));
            }
            Command::Stop => return false,
        }
        true
    }

    fn begin(&mut self, epoch: u64, deltas: Vec<(Arc<str>, ZBatch)>, info: Arc<EpochInfo>) {
        self.open.borrow_mut().push_back(OpenEpoch { epoch, parts: Vec::new() });
        self.registry.times().insert(epoch, info);
        if epoch > self.next_epoch {
            // Epochs that no view reads are left out: without this, the rows would be pushed into the first of them.
            self.advance_to(epoch);
        }
        for (relation, delta) in deltas {
            for (reader, name) in self.readers.get(&*relation).map_or(&[][..], Vec::as_slice) {
                self.dataflows[*reader].1.push(name, delta.clone());
            }
        }
        self.advance_to(epoch + 1);
    }

    fn advance_to(&mut self, epoch: u64) {
        self.next_epoch = epoch;
        for (_, dataflow) in &mut self.dataflows {
            dataflow.advance_to(epoch);
        }
    }

    fn install(&mut self, installation: Installation) {
        let Installation { view, circuit, since, info, rows, errors } = installation;
        self.open.borrow_mut().push_back(OpenEpoch { epoch: since, parts: Vec::new() });
        let sink = {
            let (open, view) = (self.open.clone(), view.clone());
            Box::new(move |epoch: u64, part: Part| {
                if let Some(open) = open.borrow_mut().iter_mut().find(|open| open.epoch == epoch) {
                    open.parts.push((view.clone(), part));
                }
            })
        };
        let install_view = Install { view: &view, circuit: &circuit, since, info, hydrate: rows, hydrate_errors: errors };
        let dataflow = install(self.worker, &mut self.registry, install_view, sink);
        self.dataflows.push((view, dataflow));
        self.index_readers();
    }

    fn uninstall(&mut self, view: &str) {
        if let Some(position) = self.dataflows.iter().position(|(name, _)| &**name == view) {
            let (_, dataflow) = self.dataflows.remove(position);
            dataflow.uninstall(self.worker, &mut self.registry);
            self.index_readers();
        }
        self.mailbox.reports.send(Report::Uninstalled);
    }

    fn index_readers(&mut self) {
        self.readers.clear();
        for (position, (_, dataflow)) in self.dataflows.iter().enumerate() {
            for relation in dataflow.relations() {
                let readers = self.readers.entry(stream::base_name(relation).into()).or_default();
                readers.push((position, relation.clone()));
            }
        }
    }
}
