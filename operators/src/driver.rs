//! The driver: an [`EpochOperator`] as a timely operator.
//!
//! Timely delivers batches of several epochs in any order and says, by frontiers, which epochs will get no more. The driver keeps the batches
//! by epoch with the capability to answer, and closes the epochs in order as the frontiers of all inputs pass them. The epoch of
//! the installation is closed even if it brings no rows, since an aggregate without groups has a row over no input: the driver holds the
//! capability for it from the start. Other epochs without rows are closed only for operators that time matters to ([`Cadence::EveryEpoch`]).
//!
//! An operator without state has no reason to wait for the frontier, which with several workers costs a round of messages: it is closed
//! after each batch ([`Cadence::AtOnce`]).

#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use deltic_zset::ZBatch;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::Scope;
use timely::dataflow::channels::pact::{DistributorPact, Pipeline};
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::dataflow::operators::generic::{InputHandleCore, OutputBuilderSession};
use timely::dataflow::operators::{Capability, InputCapability};
use timely::progress::frontier::MutableAntichain;

use crate::container::{Delta, DeltaStream, Outlet};
use crate::dataflow::{ENDED, Publication, TimesReader};
use crate::exchange::HashDistributor;
use crate::{EpochOperator, Output};

/// An operator that its dataflow runs and others look into.
pub(crate) type SharedOperator = Rc<RefCell<Box<dyn EpochOperator>>>;

/// When epochs are closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cadence {
    /// When all rows of the epoch are in.
    AtFrontier,
    /// When all rows of the epoch are in, and in every epoch that the worker knows the time of, rows or not: for operators that depend on time, or
    /// drop state as it passes.
    EveryEpoch,
    /// After each batch, so possibly several times per epoch: for operators without state.
    AtOnce,
}

/// An input of a node.
pub(crate) struct Inlet<'scope> {
    /// Where the rows come from.
    pub(crate) rows: DeltaStream<'scope>,
    /// The columns by which they are exchanged among the workers; `None` if they stay where they are.
    pub(crate) exchange: Option<Vec<usize>>,
}

/// What the driver runs.
pub(crate) struct Driven {
    /// The name of the timely operator.
    pub(crate) name: String,
    /// The operator.
    pub(crate) operator: SharedOperator,
    /// When its epochs are closed.
    pub(crate) cadence: Cadence,
    /// The epoch of the installation.
    pub(crate) since: u64,
    /// What the epochs know beside their rows, for [`Cadence::EveryEpoch`].
    pub(crate) times: Option<TimesReader>,
    /// Where followers hear of the output.
    pub(crate) publication: Publication,
}

/// Builds the timely operator that runs `driven` over `inlets`, in the order of its ports.
pub(crate) fn drive<'scope>(scope: Scope<'scope, u64>, driven: Driven, inlets: Vec<Inlet<'scope>>) -> Outlet<'scope> {
    let mut builder = OperatorBuilder::new(driven.name.clone(), scope);
    let mut ports: Vec<Port> = inlets.into_iter().map(|inlet| port(&mut builder, inlet)).collect();
    let (rows_output, rows) = builder.new_output::<Delta>();
    let (errors_output, errors) = builder.new_output::<Delta>();
    let mut outputs = [OutputBuilder::from(rows_output), OutputBuilder::from(errors_output)];
    builder.build(move |capabilities| {
        let mut driver = Driver { driven, open: BTreeMap::new(), held: None };
        driver.open_first(&capabilities);
        drop(capabilities);
        move |frontiers| {
            for (number, port) in ports.iter_mut().enumerate() {
                port(&mut |capability, batch| driver.take(number, &capability, batch));
            }
            let [rows_output, errors_output] = &mut outputs;
            let (mut rows_output, mut errors_output) = (rows_output.activate(), errors_output.activate());
            let frontier = least(frontiers);
            driver.close_until(frontier, |[rows, errors], output| {
                emit(&mut rows_output, rows, output.rows);
                emit(&mut errors_output, errors, output.errors);
            });
        }
    });
    Outlet { rows, errors }
}

/// Reads what has arrived at an input.
pub(crate) type Port = Box<dyn FnMut(&mut dyn FnMut(InputCapability<u64>, ZBatch))>;

/// Adds an input to the operator that is being built.
pub(crate) fn port<'scope>(builder: &mut OperatorBuilder<'scope, u64>, inlet: Inlet<'scope>) -> Port {
    fn read<P>(mut input: InputHandleCore<u64, Delta, P>) -> Port
    where
        P: timely::communication::Pull<timely::dataflow::channels::Message<u64, Delta>> + 'static,
    {
        Box::new(move |take| input.for_each(|capability, delta| take(capability, std::mem::take(delta).0)))
    }
    match inlet.exchange {
        None => read(builder.new_input(inlet.rows, Pipeline)),
        Some(columns) => read(builder.new_input(inlet.rows, DistributorPact(move |_| HashDistributor::new(columns)))),
    }
}

/// Sends batches under a capability.
pub(crate) fn emit(
    output: &mut OutputBuilderSession<'_, u64, CapacityContainerBuilder<Delta>>,
    capability: &Capability<u64>,
    batches: Vec<ZBatch>,
) {
    if !batches.is_empty() {
        let mut session = output.session(capability);
        for batch in batches {
            session.give_container(&mut Delta(batch));
        }
    }
}

/// The least epoch that may still come in; [`ENDED`] if none.
pub(crate) fn least(frontiers: &[MutableAntichain<u64>]) -> u64 {
    frontiers.iter().filter_map(|frontier| frontier.frontier().first().copied()).min().unwrap_or(ENDED)
}

/// An epoch that is not closed.
struct OpenEpoch {
    capabilities: [Capability<u64>; 2],
    batches: Vec<(usize, ZBatch)>,
}

struct Driver {
    driven: Driven,
    open: BTreeMap<u64, OpenEpoch>,
    /// The capability to answer in epochs without rows, if there can be any.
    held: Option<[Capability<u64>; 2]>,
}

impl Driver {
    fn open_first(&mut self, capabilities: &[Capability<u64>]) {
        let since = self.driven.since;
        let [rows, errors] = capabilities else { return };
        let at_since = || [rows.delayed(&since), errors.delayed(&since)];
        if self.driven.cadence != Cadence::AtOnce {
            self.open.insert(since, OpenEpoch { capabilities: at_since(), batches: Vec::new() });
        }
        if self.driven.cadence == Cadence::EveryEpoch {
            self.held = Some(at_since());
        }
    }

    fn take(&mut self, port: usize, capability: &InputCapability<u64>, batch: ZBatch) {
        let retained = || OpenEpoch { capabilities: [capability.retain(0), capability.retain(1)], batches: Vec::new() };
        self.open.entry(*capability.time()).or_insert_with(retained).batches.push((port, batch));
    }

    fn close_until(&mut self, frontier: u64, mut emit: impl FnMut([&Capability<u64>; 2], Output)) {
        while let Some(epoch) = self.next_epoch(frontier) {
            let Some(OpenEpoch { capabilities: [rows, errors], batches }) = self.enter(epoch) else { break };
            let operator = &mut *self.driven.operator.borrow_mut();
            for (port, batch) in batches {
                operator.push(port, batch);
            }
            if let Some(times) = &mut self.driven.times {
                operator.observe(times.enter(epoch));
            }
            let output = operator.close(epoch);
            self.driven.publication.publish(epoch, &output);
            emit([&rows, &errors], output);
        }
        self.downgrade(frontier);
        self.driven.publication.advance_to(frontier);
    }

    /// The epoch that is closed next, if all its rows are in.
    fn next_epoch(&self, frontier: u64) -> Option<u64> {
        let with_rows = self.open.first_key_value().map(|(epoch, _)| *epoch);
        match self.driven.cadence {
            Cadence::AtOnce => with_rows,
            Cadence::AtFrontier => with_rows.filter(|epoch| *epoch < frontier),
            Cadence::EveryEpoch => {
                let with_time = self.driven.times.as_ref().and_then(TimesReader::next);
                with_rows.into_iter().chain(with_time).min().filter(|epoch| *epoch < frontier)
            }
        }
    }

    /// What came for `epoch`, and the capability to answer.
    fn enter(&mut self, epoch: u64) -> Option<OpenEpoch> {
        self.open.remove(&epoch).or_else(|| {
            let capabilities = self.held.as_ref()?.each_ref().map(|held| held.delayed(&epoch));
            Some(OpenEpoch { capabilities, batches: Vec::new() })
        })
    }

    /// Gives up the epochs before `frontier`.
    fn downgrade(&mut self, frontier: u64) {
        if frontier == ENDED {
            self.held = None;
        }
        for held in self.held.iter_mut().flatten() {
            if *held.time() < frontier {
                held.downgrade(&frontier);
            }
        }
        if let Some(times) = &mut self.driven.times {
            times.pass(frontier);
        }
    }
}
