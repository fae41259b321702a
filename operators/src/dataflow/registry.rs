//! [`Registry`]: what the dataflows of a worker share.
//!
//! A [`Fragment`] is what one installation built. It lives as long as it has *users*: the view it was built for, and every view whose own
//! fragment follows it, directly or not. Each of its inputs is fed by one user, the first that reads the relation; when that one goes, the
//! next takes over within the same epoch.
//!
//! A node is offered to new dataflows only while some user reads every source of it. That keeps two things true at
//! once: the node's inputs are fed, and none of the relations below it was dropped and created anew under its name.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use deltic_zset::ZBatch;

use super::OperatorState;
use super::feed::{ENDED, Feed};
use super::partitioning::Partitioning;
use super::times::EpochTimes;
use crate::arrange::SharedArrangement;
use crate::driver::SharedOperator;
use crate::{Output, WindowMetrics};

/// What other dataflows of this worker may share: views by name, nodes by fingerprint.
#[derive(Default)]
pub struct Registry {
    users: u64,
    views: HashMap<String, SharedView>,
    nodes: HashMap<u128, Vec<SharedNode>>,
    times: EpochTimes,
}

/// A view that others may read.
#[derive(Clone)]
pub(super) struct SharedView {
    pub(super) fragment: Rc<Fragment>,
    pub(super) publication: Publication,
}

/// A node that others may have in common.
#[derive(Clone)]
pub(super) struct SharedNode {
    pub(super) fragment: Rc<Fragment>,
    /// Whether a new dataflow can start from the contents of the operator.
    pub(super) holds_contents: bool,
    pub(super) operator: SharedOperator,
    pub(super) publication: Publication,
    pub(super) arrangement: Option<SharedArrangement>,
    pub(super) partitioning: Partitioning,
    /// All relations and views below it.
    pub(super) sources: Vec<String>,
}

impl Registry {
    /// What the epochs of this worker know beside their rows, for all its dataflows.
    pub fn times(&self) -> &EpochTimes {
        &self.times
    }

    /// A number for a new user.
    pub(super) fn new_user(&mut self) -> u64 {
        self.users += 1;
        self.users
    }

    pub(super) fn view(&self, name: &str) -> Option<&SharedView> {
        self.views.get(name)
    }

    /// The nodes of this fingerprint.
    pub(super) fn nodes(&self, fingerprint: u128) -> &[SharedNode] {
        self.nodes.get(&fingerprint).map_or(&[], Vec::as_slice)
    }

    pub(super) fn offer_view(&mut self, name: &str, view: SharedView) {
        self.views.insert(name.to_owned(), view);
    }

    pub(super) fn offer_node(&mut self, fingerprint: u128, node: SharedNode) {
        self.nodes.entry(fingerprint).or_default().push(node);
    }

    /// Withdraws what no installed view vouches for any more.
    pub(super) fn forget_unused(&mut self) {
        self.views.retain(|_, view| view.fragment.has_builder());
        self.nodes.retain(|_, nodes| {
            nodes.retain(|node| node.fragment.some_user_reads(&node.sources));
            !nodes.is_empty()
        });
    }
}

/// A view that uses a fragment.
#[derive(Clone)]
pub(super) struct User {
    pub(super) id: u64,
    /// The relations and views that its circuit reads.
    pub(super) sources: Rc<[String]>,
}

impl User {
    fn reads(&self, source: &str) -> bool {
        self.sources.iter().any(|name| name == source)
    }
}

/// An operator of a fragment.
pub(super) struct Member {
    pub(super) node: usize,
    pub(super) label: &'static str,
    pub(super) operator: SharedOperator,
    pub(super) arrangement: Option<SharedArrangement>,
    pub(super) holds_contents: bool,
}

/// The nodes that one installation built: one timely dataflow.
pub(super) struct Fragment {
    pub(super) builder: u64,
    /// The relations that the engine feeds.
    pub(super) inputs: Vec<(String, Feed)>,
    /// The input without rows.
    pub(super) clock: Option<Feed>,
    /// The followers of other fragments' publications.
    pub(super) imports: Vec<Feed>,
    pub(super) uses: Vec<Rc<Fragment>>,
    pub(super) members: Vec<Member>,
    /// All epochs before it are complete.
    pub(super) complete_before: Rc<Cell<u64>>,
    pub(super) users: RefCell<Vec<User>>,
}

impl Fragment {
    pub(super) fn uses(&self) -> &[Rc<Fragment>] {
        &self.uses
    }

    pub(super) fn complete_before(&self) -> u64 {
        self.complete_before.get()
    }

    pub(super) fn enter(&self, user: User) {
        self.users.borrow_mut().push(user);
    }

    /// Removes a user; the last one turns the inputs off, and the dataflow drains and ends.
    pub(super) fn leave(&self, user: u64) {
        let users = &mut *self.users.borrow_mut();
        users.retain(|known| known.id != user);
        if users.is_empty() {
            self.inputs.iter().map(|(_, feed)| feed).chain(&self.clock).chain(&self.imports).for_each(Feed::close);
        }
    }

    /// The input `relation`, if it is `user` who feeds it.
    pub(super) fn input_fed_by(&self, relation: &str, user: u64) -> Option<&Feed> {
        let (_, feed) = self.inputs.iter().find(|(name, _)| name == relation)?;
        (self.feeder(relation)? == user && self.reads(user, relation)).then_some(feed)
    }

    /// Ends the epochs before `epoch` on the inputs that `user` is in charge of.
    pub(super) fn advance_inputs_of(&self, user: u64, epoch: u64) {
        for (relation, feed) in &self.inputs {
            if self.feeder(relation) == Some(user) {
                feed.advance_to(epoch);
            }
        }
        if let Some(clock) = self.clock.as_ref().filter(|_| self.users.borrow().first().is_some_and(|first| first.id == user)) {
            clock.advance_to(epoch);
        }
    }

    /// The first user that reads the relation; if none does any more, the first user advances the input and nobody pushes.
    fn feeder(&self, relation: &str) -> Option<u64> {
        let users = self.users.borrow();
        let feeder = users.iter().find(|user| user.reads(relation)).or_else(|| users.first());
        feeder.map(|user| user.id)
    }

    fn reads(&self, user: u64, relation: &str) -> bool {
        self.users.borrow().iter().any(|known| known.id == user && known.reads(relation))
    }

    fn has_builder(&self) -> bool {
        self.users.borrow().iter().any(|user| user.id == self.builder)
    }

    fn some_user_reads(&self, sources: &[String]) -> bool {
        self.users.borrow().iter().any(|user| sources.iter().all(|source| user.reads(source)))
    }

    pub(super) fn maintain(&self, fuel_rows: usize) -> usize {
        let arrangements = self.members.iter().filter_map(|member| member.arrangement.as_ref());
        arrangements.fold(0, |done, arrangement| done + arrangement.maintain(fuel_rows.saturating_sub(done)))
    }

    pub(super) fn metrics(&self) -> WindowMetrics {
        self.members.iter().fold(WindowMetrics::default(), |sum, member| sum.plus(member.operator.borrow().metrics()))
    }

    pub(super) fn state(&self, shared: bool) -> Vec<OperatorState> {
        let state = |member: &Member| OperatorState {
            node: member.node,
            operator: member.label,
            shared,
            size: member.operator.borrow().state_size(),
        };
        self.members.iter().map(state).collect()
    }
}

/// What an operator tells its followers: every delta, and how far it is. Clones are the same publication.
#[derive(Clone)]
pub(crate) struct Publication(Rc<RefCell<Published>>);

struct Published {
    /// All epochs before it are published.
    frontier: u64,
    followers: Vec<Follower>,
    /// The integral of the errors, if it is kept.
    errors: Option<Vec<ZBatch>>,
    errors_at_last_compaction: usize,
}

struct Follower {
    feed: Feed,
    wants_rows: bool,
}

impl Publication {
    /// A publication that starts at epoch `since`. One that keeps its errors can tell a later follower which there are.
    pub(crate) fn new(since: u64, keeps_errors: bool) -> Self {
        let errors = keeps_errors.then(Vec::new);
        Publication(Rc::new(RefCell::new(Published {
            frontier: since,
            followers: Vec::new(),
            errors,
            errors_at_last_compaction: 0,
        })))
    }

    /// Publishes a part of the delta of `epoch`.
    pub(crate) fn publish(&self, epoch: u64, output: &Output) {
        let published = &mut *self.0.borrow_mut();
        published.keep_errors(&output.errors);
        published.followers.retain(|follower| !follower.feed.is_closed());
        for follower in &published.followers {
            let rows = if follower.wants_rows { output.rows.clone() } else { Vec::new() };
            if !rows.is_empty() || !output.errors.is_empty() {
                follower.feed.push(epoch, Output { rows, errors: output.errors.clone() });
            }
        }
    }

    /// All epochs before `epoch` are published; [`ENDED`] if nothing more comes.
    pub(crate) fn advance_to(&self, epoch: u64) {
        let published = &mut *self.0.borrow_mut();
        if epoch <= published.frontier {
            return;
        }
        published.frontier = epoch;
        for follower in &published.followers {
            // A follower whose leader will never say more is not over: it has nothing to wait for in any epoch.
            follower.feed.advance_to(epoch);
        }
    }

    /// Makes `feed` a follower from the epoch after `since`, of the rows too if it `wants_rows`, and starts it with
    /// the errors as they are. The caller pushes the contents.
    pub(crate) fn follow(&self, feed: &Feed, since: u64, wants_rows: bool) {
        let published = &mut *self.0.borrow_mut();
        if let Some(errors) = published.errors.clone().filter(|errors| !errors.is_empty()) {
            feed.push(since, Output { rows: Vec::new(), errors });
        }
        feed.advance_to(published.frontier.max(since + 1));
        if published.frontier != ENDED {
            published.followers.push(Follower { feed: feed.clone(), wants_rows });
        }
    }
}

impl Published {
    fn keep_errors(&mut self, delta: &[ZBatch]) {
        let Some(errors) = &mut self.errors else { return };
        if delta.is_empty() {
            return;
        }
        errors.extend_from_slice(delta);
        let rows: usize = errors.iter().map(ZBatch::len).sum();
        if rows > 2 * self.errors_at_last_compaction + 64 {
            let compact = ZBatch::concat(&deltic_circuit::error_schema(), errors).and_then(|all| all.consolidate());
            if let Ok(compact) = compact {
                self.errors_at_last_compaction = compact.len();
                *errors = vec![compact];
            }
        }
    }
}
