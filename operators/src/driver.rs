//! The driver: an [`EpochOperator`] as a timely operator.
//!
//! Timely delivers batches of several epochs in any order and says, by frontiers, which epochs will get no more. The driver keeps the batches
//! by epoch with the capability to answer, and closes the epochs in order as the frontiers of all inputs pass them. The epoch of
//! the installation is closed even if it brings no rows, since an aggregate without groups has a row over no input: the driver holds the
//! capability for it from the start. No other epoch without rows is closed.
//!
//! An operator without state has no reason to wait for the frontier, which with several workers costs a round of messages: it is closed
//! after each batch ([`Cadence::AtOnce`]).

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
use crate::dataflow::{ENDED, Publication};
use crate::exchange::HashDistributor;
use crate::{EpochOperator, Output};

/// An operator that its dataflow runs and others look into.
pub(crate) type SharedOperator = Rc<RefCell<Box<dyn EpochOperator>>>;

/// When epochs are closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cadence {
    /// When all rows of the epoch are in.
    AtFrontier,
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
        let mut driver = Driver { driven, open: BTreeMap::new() };
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
}

impl Driver {
    fn open_first(&mut self, capabilities: &[Capability<u64>]) {
        if let (Cadence::AtFrontier, [rows, errors]) = (self.driven.cadence, capabilities) {
            let since = self.driven.since;
            let capabilities = [rows.delayed(&since), errors.delayed(&since)];
            self.open.insert(since, OpenEpoch { capabilities, batches: Vec::new() });
        }
    }

    fn take(&mut self, port: usize, capability: &InputCapability<u64>, batch: ZBatch) {
        let retained = || OpenEpoch { capabilities: [capability.retain(0), capability.retain(1)], batches: Vec::new() };
        self.open.entry(*capability.time()).or_insert_with(retained).batches.push((port, batch));
    }

    fn close_until(&mut self, frontier: u64, mut emit: impl FnMut([&Capability<u64>; 2], Output)) {
        while let Some(entry) = self.open.first_entry() {
            let epoch = *entry.key();
            if self.driven.cadence == Cadence::AtFrontier && epoch >= frontier {
                break;
            }
            let OpenEpoch { capabilities: [rows, errors], batches } = entry.remove();
            let operator = &mut *self.driven.operator.borrow_mut();
            for (port, batch) in batches {
                operator.push(port, batch);
            }
            let output = operator.close(epoch);
            self.driven.publication.publish(epoch, &output);
            emit([&rows, &errors], output);
        }
        self.driven.publication.advance_to(frontier);
    }
}
