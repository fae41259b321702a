//! [`Feed`]: the way rows enter a dataflow, whoever sends them.
//!
//! A feed is a queue that its writer fills beside timely and a source operator that empties it. The writer is the engine (a
//! relation's deltas) or, as a follower, the publication of another dataflow on the same worker. The operator holds a capability for the feed's
//! frontier, so whoever is downstream waits for the slowest worker's writer as for any input.

use std::cell::RefCell;
use std::rc::Rc;

use deltic_zset::ZBatch;
use timely::dataflow::Scope;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::scheduling::Activator;

use crate::Output;
use crate::container::{Delta, Outlet};
use crate::driver::emit;

/// The frontier of what has ended.
pub(crate) const ENDED: u64 = u64::MAX;

/// The writer's side; clones write to the same queue.
#[derive(Clone)]
pub(crate) struct Feed(Rc<RefCell<State>>);

struct State {
    queue: Vec<(u64, Output)>,
    /// Nothing will be written for an epoch before this one; [`ENDED`] if nothing at all.
    frontier: u64,
    activator: Option<Activator>,
}

impl Feed {
    /// A feed that starts at epoch `since`.
    pub(crate) fn new(since: u64) -> Self {
        Feed(Rc::new(RefCell::new(State { queue: Vec::new(), frontier: since, activator: None })))
    }

    /// Writes a part of the delta of `epoch`, which has not ended.
    pub(crate) fn push(&self, epoch: u64, output: Output) {
        let state = &mut *self.0.borrow_mut();
        if state.frontier == ENDED {
            return;
        }
        debug_assert!(epoch >= state.frontier, "epoch {epoch} has ended");
        state.queue.push((epoch, output));
        state.activate();
    }

    /// As [`Feed::push`], of rows only.
    pub(crate) fn push_rows(&self, epoch: u64, rows: ZBatch) {
        self.push(epoch, Output { rows: vec![rows], errors: Vec::new() });
    }

    /// Ends all epochs before `epoch`.
    pub(crate) fn advance_to(&self, epoch: u64) {
        let state = &mut *self.0.borrow_mut();
        if epoch > state.frontier {
            state.frontier = epoch;
            state.activate();
        }
    }

    /// Ends the feed.
    pub(crate) fn close(&self) {
        self.advance_to(ENDED);
    }

    /// Whether the feed has ended.
    pub(crate) fn is_closed(&self) -> bool {
        self.0.borrow().frontier == ENDED
    }

    /// The source operator that empties the feed into `scope`.
    pub(crate) fn source<'scope>(&self, scope: Scope<'scope, u64>, name: &str) -> Outlet<'scope> {
        let mut builder = OperatorBuilder::new(name.to_owned(), scope);
        let (rows_output, rows) = builder.new_output::<Delta>();
        let (errors_output, errors) = builder.new_output::<Delta>();
        let (mut rows_output, mut errors_output) = (OutputBuilder::from(rows_output), OutputBuilder::from(errors_output));
        self.0.borrow_mut().activator = Some(scope.activator_for(builder.operator_info().address));
        let feed = self.clone();
        builder.build(move |capabilities| {
            let mut capabilities = capabilities;
            move |_frontiers| {
                let (queue, frontier) = feed.take();
                if let [rows, errors] = &capabilities[..] {
                    let delayed = |capability: &Capability<u64>, epoch| capability.delayed(&epoch);
                    let (mut rows_output, mut errors_output) = (rows_output.activate(), errors_output.activate());
                    for (epoch, output) in queue {
                        emit(&mut rows_output, &delayed(rows, epoch), output.rows);
                        emit(&mut errors_output, &delayed(errors, epoch), output.errors);
                    }
                }
                if frontier == ENDED {
                    capabilities.clear();
                }
                for capability in &mut capabilities {
                    capability.downgrade(&frontier);
                }
            }
        });
        Outlet { rows, errors }
    }

    fn take(&self) -> (Vec<(u64, Output)>, u64) {
        let state = &mut *self.0.borrow_mut();
        (std::mem::take(&mut state.queue), state.frontier)
    }
}

impl State {
    fn activate(&self) {
        if let Some(activator) = &self.activator {
            activator.activate();
        }
    }
}
