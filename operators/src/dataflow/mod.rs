//! Dataflows: a circuit on a worker, installed, fed epoch by epoch, and taken away again.
//!
//! One view is one timely dataflow, which every worker builds in the same order; within it one timely operator per node, fed through
//! [`feed`]s. What lives in several dataflows at once is shared worker by worker, without exchange: a view that reads another
//! view, or has a part in common with it, follows the other's *publication*, a queue beside its operator. Epochs are totally ordered, so a
//! follower needs two things only: the contents at the epoch it starts in, and every later delta.
//!
//! Lifetimes are the subtle part. A dataflow is kept while anything reads it: [`Dataflow::uninstall`] of a view that shares nodes with
//! others leaves the whole of its dataflow running, fed by those who share it, until the last of them goes. Relations that
//! none of them reads stand still from then on, and what depends on them is shared no more.
//!
//! Contract, the engine's part: installations happen while no epoch is in flight and in the same order on all workers; what an epoch knows
//! of time is told ([`EpochTimes::insert`]), and relations are pushed, before the epoch is advanced; and a relation is not dropped while a view that reads it is installed.

mod build;
mod feed;
mod install;
mod once;
mod partitioning;
mod registry;
mod sink;
#[cfg(test)]
mod tests;
mod times;

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use deltic_circuit::{Circuit, EpochInfo};
use deltic_zset::ZBatch;
use timely::worker::Worker;

pub use build::holds_contents;
pub use install::install;
pub use once::run_once;
pub use registry::Registry;
pub use times::EpochTimes;

pub(crate) use build::Site;
pub(crate) use feed::ENDED;
#[cfg(test)]
pub(crate) use feed::Feed;
pub(crate) use partitioning::group_columns;
pub(crate) use registry::Publication;
use registry::{Fragment, User};
pub(crate) use times::TimesReader;

use crate::{StateSize, WindowMetrics};

/// One worker's share of the delta of a view in one epoch. Not consolidated across batches or workers.
#[derive(Clone, Debug)]
pub struct Part {
    /// The delta of its rows.
    pub rows: ZBatch,
    /// The delta of its error relation.
    pub errors: ZBatch,
}

/// A view to install.
pub struct Install<'a> {
    /// Its name, under which other circuits find it as a source.
    pub view: &'a str,
    /// What it computes; valid (see [`deltic_circuit::validate`]).
    pub circuit: &'a Circuit,
    /// The epoch in which it starts, the last one that is complete: the first output is the contents at its end.
    pub since: u64,
    /// The time and the watermarks of `since`. Those of later epochs come by [`Registry::times`].
    pub info: Arc<EpochInfo>,
    /// This worker's share of the contents of each source at the end of `since`. The shares may be cut in any way.
    pub hydrate: HashMap<String, Vec<ZBatch>>,
    /// This worker's share of the error relation of each source at the end of `since`.
    pub hydrate_errors: HashMap<String, Vec<ZBatch>>,
}

/// The state of one operator on one worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorState {
    /// The position of its node in the circuit of the view that built it.
    pub node: usize,
    /// What it is: the operator's label.
    pub operator: &'static str,
    /// Whether it is part of another view's dataflow.
    pub shared: bool,
    /// How much it remembers.
    pub size: StateSize,
}

/// An installed view on one worker.
pub struct Dataflow {
    user: u64,
    relations: Vec<String>,
    /// The own fragment first, then all it depends on.
    fragments: Vec<Rc<Fragment>>,
    epoch: u64,
}

impl Dataflow {
    /// The relations that must be pushed, each once: the sources of the circuit that are not installed views.
    pub fn relations(&self) -> &[String] {
        &self.relations
    }

    /// Gives this worker's share of the delta of `relation` in the open epoch. Other relations are ignored.
    pub fn push(&mut self, relation: &str, batch: ZBatch) {
        if batch.is_empty() {
            return;
        }
        for fragment in &self.fragments {
            if let Some(feed) = fragment.input_fed_by(relation, self.user) {
                feed.push_rows(self.epoch, batch.clone());
            }
        }
    }

    /// Ends the open epoch, and every one before `epoch`, which is open from now on.
    pub fn advance_to(&mut self, epoch: u64) {
        debug_assert!(epoch >= self.epoch, "epochs ascend");
        self.epoch = epoch;
        for fragment in &self.fragments {
            fragment.advance_inputs_of(self.user, epoch);
        }
    }

    /// Whether `epoch` is complete: on all workers everything before it is computed, and this worker's sink has had its part.
    pub fn done(&self, epoch: u64) -> bool {
        self.fragments[0].complete_before() > epoch
    }

    /// Does up to `fuel_rows` rows of merging in the indexes of this view, while there is nothing else to do; returns how many there
    /// were to do.
    pub fn maintain(&self, fuel_rows: usize) -> usize {
        let mut done = 0;
        for fragment in &self.fragments {
            done += fragment.maintain(fuel_rows - done.min(fuel_rows));
        }
        done
    }

    /// The state of every operator that the view needs, its own and shared ones.
    pub fn state(&self) -> Vec<OperatorState> {
        let states = self.fragments.iter().enumerate().flat_map(|(position, fragment)| fragment.state(position > 0));
        states.collect()
    }

    /// What has happened on this worker to the windows of the view, in the nodes that were built for it.
    pub fn metrics(&self) -> WindowMetrics {
        self.fragments[0].metrics()
    }

    /// Takes the view away, and what nobody else needs with it. Steps the worker once, so that the memory is given back even if there is
    /// nothing else to run; with several workers it takes until all of them have done so.
    pub fn uninstall(self, worker: &mut Worker, registry: &mut Registry) {
        for fragment in &self.fragments {
            fragment.leave(self.user);
        }
        registry.forget_unused();
        worker.step();
    }

    fn join_fragments(user: User, own: Rc<Fragment>, epoch: u64, relations: Vec<String>) -> Self {
        let id = user.id;
        let mut fragments = vec![own];
        let mut next = 0;
        while next < fragments.len() {
            let fragment = fragments[next].clone();
            for used in fragment.uses() {
                if !fragments.iter().any(|known| Rc::ptr_eq(known, used)) {
                    fragments.push(used.clone());
                }
            }
            fragment.enter(user.clone());
            next += 1;
        }
        Dataflow { user: id, relations, fragments, epoch }
    }
}
