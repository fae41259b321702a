//! [`install`]: a circuit becomes a timely dataflow, or the part of it that no other dataflow has yet.
//!
//! First a plan: from the output down, each node is built, or followed if another dataflow has an equal one whose contents
//! can be read; below a followed node nothing is built. What is below still matters in one way: the errors of
//! a view are those of *all* nodes of its circuit, so the publications of the nodes that are not built are followed for their errors. Each
//! node publishes its own errors only, hence none is counted twice.
//!
//! The plan depends on the circuit and on earlier installations, not on rows: all workers come to the same one.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use deltic_circuit::{Circuit, Node, Operator, fingerprint, operator_label};
use deltic_zset::ZBatch;
use timely::dataflow::Scope;
use timely::worker::Worker;

use super::build::{Site, cadence, can_fail, holds_contents};
use super::feed::Feed;
use super::partitioning::{self, Partitioning};
use super::registry::{Fragment, Member, Publication, Registry, SharedNode, SharedView, User};
use super::sink::{Audience, sink};
use super::times::EpochTimes;
use super::{Dataflow, Install, Part};
use crate::Output;
use crate::arrange::SharedArrangement;
use crate::container::{DeltaStream, Outlet};
use crate::driver::{Cadence, Driven, Inlet, SharedOperator, drive};
use crate::fixpoint::recur;

/// Installs a view. `sink` is called with this worker's part of each epoch that has one, in the order of the epochs, the first being
/// `since` with the contents.
///
/// # Panics
/// If the circuit is not valid.
pub fn install(worker: &mut Worker, registry: &mut Registry, install: Install<'_>, sink: Box<dyn FnMut(u64, Part)>) -> Dataflow {
    let circuit = install.circuit;
    let plan = Plan::of(circuit, registry);
    let sources = sources_below(circuit);
    let user = User { id: registry.new_user(), sources: sources[circuit.output.0].as_slice().into() };
    let relations: Vec<String> = user.sources.iter().filter(|source| registry.view(source).is_none()).cloned().collect();
    let since = install.since;
    let audience = Audience {
        schema: circuit.schema().clone(),
        sink,
        publication: Publication::new(since, false),
        complete_before: Rc::new(Cell::new(since)),
    };
    let (publication, complete_before) = (audience.publication.clone(), audience.complete_before.clone());
    let view = install.view.to_owned();
    let times = registry.times().clone();
    let (fragment, published) = worker.dataflow_named::<u64, _, _>(&view, |scope| {
        let mut wiring = Wiring::new(scope, install, &plan, times);
        wiring.build_nodes();
        wiring.finish(audience, user.id, complete_before)
    });
    let fragment = Rc::new(fragment);
    let mut dataflow = Dataflow::join_fragments(user, fragment.clone(), since, relations);
    offer(registry, &fragment, published, &plan.fingerprints, sources);
    registry.offer_view(&view, SharedView { fragment, publication });
    dataflow.advance_to(since + 1);
    dataflow
}

/// Lets later dataflows share the nodes that were built.
fn offer(
    registry: &mut Registry,
    fragment: &Rc<Fragment>,
    published: Vec<(usize, Publication, Partitioning)>,
    fingerprints: &[u128],
    sources: Vec<Vec<String>>,
) {
    for (node, publication, partitioning) in published {
        let Some(member) = fragment.members.iter().find(|member| member.node == node) else { continue };
        let shared = SharedNode {
            fragment: fragment.clone(),
            holds_contents: member.holds_contents,
            operator: member.operator.clone(),
            publication,
            arrangement: member.arrangement.clone(),
            partitioning,
            sources: sources[node].clone(),
        };
        registry.offer_node(fingerprints[node], shared);
    }
}

/// For each node the relations and views that it depends on.
fn sources_below(circuit: &Circuit) -> Vec<Vec<String>> {
    let mut below: Vec<Vec<String>> = Vec::with_capacity(circuit.nodes.len());
    for node in &circuit.nodes {
        let mut sources: Vec<String> = match &node.operator {
            Operator::Source { relation } => vec![relation.clone()],
            _ => node.inputs.iter().flat_map(|input| below[input.0].iter().cloned()).collect(),
        };
        sources.sort_unstable();
        sources.dedup();
        below.push(sources);
    }
    below
}

/// Where the rows of a node come from.
#[derive(Clone)]
enum Origin {
    /// Nothing of this dataflow reads them.
    Unused,
    /// The engine.
    Input,
    /// Another view.
    View(SharedView),
    /// An equal node of another dataflow.
    Follow(SharedNode),
    /// An equal node of another dataflow has the errors; the rows are not needed, because the node is below a followed one.
    ErrorsOf(SharedNode),
    /// As [`Origin::ErrorsOf`], of a view.
    ErrorsOfView(SharedView),
    /// An operator of this dataflow.
    Build,
}

struct Plan {
    fingerprints: Vec<u128>,
    origins: Vec<Origin>,
}

impl Plan {
    fn of(circuit: &Circuit, registry: &Registry) -> Self {
        let fingerprints = fingerprint(circuit);
        let mut origins = vec![Origin::Unused; circuit.nodes.len()];
        let mut below = vec![false; circuit.nodes.len()];
        let mut needed = vec![false; circuit.nodes.len()];
        needed[circuit.output.0] = true;
        // Readers come after what they read, so one pass from the end settles every node after its readers.
        for (id, node) in circuit.nodes.iter().enumerate().rev() {
            if !needed[id] && !below[id] {
                continue;
            }
            let offers = registry.nodes(fingerprints[id]);
            let whole = || offers.iter().find(|offer| offer.holds_contents);
            origins[id] = match &node.operator {
                Operator::Source { relation } => match registry.view(relation) {
                    Some(view) if needed[id] => Origin::View(view.clone()),
                    Some(view) => Origin::ErrorsOfView(view.clone()),
                    None if needed[id] => Origin::Input,
                    None => Origin::Unused,
                },
                _ if needed[id] => whole().map_or(Origin::Build, |offer| Origin::Follow(offer.clone())),
                _ => offers.first().map_or(Origin::Unused, |offer| Origin::ErrorsOf(offer.clone())),
            };
            let inputs_needed = matches!(origins[id], Origin::Build);
            for input in &node.inputs {
                let mark = if inputs_needed { &mut needed } else { &mut below };
                mark[input.0] = true;
            }
        }
        Plan { fingerprints, origins }
    }

    /// Whether some node reads the rows of this source, and not only its errors are wanted.
    fn rows_wanted_of(&self, circuit: &Circuit, source: &str) -> bool {
        let names_it = |node: &Node| matches!(&node.operator, Operator::Source { relation } if relation == source);
        let mut nodes = circuit.nodes.iter().zip(&self.origins);
        nodes.any(|(node, origin)| names_it(node) && matches!(origin, Origin::Input | Origin::View(_)))
    }
}

/// What a dataflow under construction consists of.
struct Wiring<'a, 'scope> {
    scope: Scope<'scope, u64>,
    install: Install<'a>,
    plan: &'a Plan,
    times: EpochTimes,
    outlets: Vec<Option<Outlet<'scope>>>,
    partitionings: Vec<Partitioning>,
    arrangements: Vec<Option<SharedArrangement>>,
    /// The outlets of relations and views; a circuit may name one twice.
    sources: HashMap<String, Outlet<'scope>>,
    errors: Vec<DeltaStream<'scope>>,
    inputs: Vec<(String, Feed)>,
    /// An input without rows, for the nodes that are closed in every epoch: it ends only with the dataflow.
    clock: Option<(Feed, DeltaStream<'scope>)>,
    imports: Vec<Feed>,
    uses: Vec<Rc<Fragment>>,
    members: Vec<Member>,
    published: Vec<(usize, Publication, Partitioning)>,
}

impl<'a, 'scope> Wiring<'a, 'scope> {
    fn new(scope: Scope<'scope, u64>, install: Install<'a>, plan: &'a Plan, times: EpochTimes) -> Self {
        let nodes = install.circuit.nodes.len();
        Wiring {
            scope,
            install,
            plan,
            times,
            outlets: vec![None; nodes],
            partitionings: vec![Partitioning::default(); nodes],
            arrangements: vec![None; nodes],
            sources: HashMap::new(),
            errors: Vec::new(),
            inputs: Vec::new(),
            clock: None,
            imports: Vec::new(),
            uses: Vec::new(),
            members: Vec::new(),
            published: Vec::new(),
        }
    }

    fn build_nodes(&mut self) {
        let (circuit, plan) = (self.install.circuit, self.plan);
        for (id, (node, origin)) in circuit.nodes.iter().zip(&plan.origins).enumerate() {
            match origin {
                Origin::Unused => {}
                Origin::Input => self.outlets[id] = Some(self.source(node, None)),
                Origin::View(view) | Origin::ErrorsOfView(view) => self.outlets[id] = Some(self.source(node, Some(view))),
                Origin::Follow(shared) => self.outlets[id] = Some(self.follow(id, shared)),
                Origin::ErrorsOf(shared) => self.follow_errors(id, shared),
                Origin::Build => self.outlets[id] = Some(self.build(id)),
            }
        }
    }

    /// A relation that the engine feeds, or a view: once per dataflow, whatever the number of nodes that name it.
    fn source(&mut self, node: &Node, view: Option<&SharedView>) -> Outlet<'scope> {
        let Operator::Source { relation } = &node.operator else { unreachable!("only sources have no inputs to be built from") };
        if let Some(outlet) = self.sources.get(relation) {
            return outlet.clone();
        }
        let since = self.install.since;
        let feed = Feed::new(since);
        let wants_rows = self.plan.rows_wanted_of(self.install.circuit, relation);
        let rows = if wants_rows { self.install.hydrate.remove(relation) } else { None };
        let errors = self.install.hydrate_errors.remove(relation).unwrap_or_default();
        let has_errors = view.is_some() || !errors.is_empty();
        let outlet = self.enter(&feed, Output { rows: rows.unwrap_or_default(), errors }, has_errors, relation);
        match view {
            None => self.inputs.push((relation.clone(), feed)),
            Some(view) => {
                view.publication.follow(&feed, since, wants_rows);
                self.imports.push(feed);
                self.use_fragment(&view.fragment);
            }
        }
        self.sources.insert(relation.clone(), outlet.clone());
        outlet
    }

    /// The source operator of a feed that starts with `contents`.
    fn enter(&mut self, feed: &Feed, contents: Output, has_errors: bool, name: &str) -> Outlet<'scope> {
        let present = |batches: Vec<ZBatch>| batches.into_iter().filter(|batch| !batch.is_empty()).collect();
        feed.push(self.install.since, Output { rows: present(contents.rows), errors: present(contents.errors) });
        let outlet = feed.source(self.scope, name);
        if has_errors {
            self.errors.push(outlet.errors.clone());
        }
        outlet
    }

    fn follow(&mut self, id: usize, shared: &SharedNode) -> Outlet<'scope> {
        let node = &self.install.circuit.nodes[id];
        let rows = match &shared.arrangement {
            Some(arrangement) => arrangement.batches(),
            None => shared.operator.borrow().contents().into_iter().collect(),
        };
        // An equal node may have other column names.
        let rows = rows.into_iter().map(|batch| batch.with_schema(node.schema.clone())).collect();
        self.arrangements[id] = shared.arrangement.clone();
        self.partitionings[id] = shared.partitioning.clone();
        self.follow_publication(id, shared, rows, true)
    }

    fn follow_errors(&mut self, id: usize, shared: &SharedNode) {
        if can_fail(&self.install.circuit.nodes[id].operator) {
            self.follow_publication(id, shared, Vec::new(), false);
        }
    }

    fn follow_publication(&mut self, id: usize, shared: &SharedNode, rows: Vec<ZBatch>, wants_rows: bool) -> Outlet<'scope> {
        let operator = &self.install.circuit.nodes[id].operator;
        let feed = Feed::new(self.install.since);
        let name = format!("shared {} {id}", operator_label(operator));
        let outlet = self.enter(&feed, Output { rows, errors: Vec::new() }, can_fail(operator), &name);
        shared.publication.follow(&feed, self.install.since, wants_rows);
        self.imports.push(feed);
        self.use_fragment(&shared.fragment);
        outlet
    }

    fn use_fragment(&mut self, fragment: &Rc<Fragment>) {
        if !self.uses.iter().any(|known| Rc::ptr_eq(known, fragment)) {
            self.uses.push(fragment.clone());
        }
    }

    fn build(&mut self, id: usize) -> Outlet<'scope> {
        let circuit = self.install.circuit;
        let node = &circuit.nodes[id];
        let (mut inlets, recurring) = self.recurring(id);
        let cadence = cadence(circuit, id);
        let since = self.install.since;
        let times = (cadence == Cadence::EveryEpoch).then(|| {
            inlets.push(Inlet { rows: self.clock(), exchange: None });
            self.times.reader(since, self.install.info.clone())
        });
        if let Operator::Index { key } = &node.operator {
            self.arrangements[id] = Some(SharedArrangement::new(node.schema.clone(), key.clone()));
        }
        let operator = recurring.unwrap_or_else(|| self.operator(id));
        let fails = can_fail(&node.operator);
        let publication = Publication::new(since, fails);
        let label = operator_label(&node.operator);
        let driven = Driven {
            name: format!("{label} {id}"),
            operator: operator.clone(),
            cadence,
            since,
            times,
            publication: publication.clone(),
        };
        let outlet = drive(self.scope, driven, inlets);
        if fails {
            self.errors.push(outlet.errors.clone());
        }
        self.published.push((id, publication, self.partitionings[id].clone()));
        let (arrangement, holds_contents) = (self.arrangements[id].clone(), holds_contents(circuit, id));
        self.members.push(Member { node: id, label, operator, arrangement, holds_contents });
        outlet
    }

    fn clock(&mut self) -> DeltaStream<'scope> {
        let clock = self.clock.get_or_insert_with(|| {
            let feed = Feed::new(self.install.since);
            let rows = feed.source(self.scope, "clock").rows;
            (feed, rows)
        });
        clock.1.clone()
    }

    /// The inputs of a node that is built, with an exchange where its rows do not lie as it needs them.
    fn inlets(&mut self, id: usize) -> Vec<Inlet<'scope>> {
        let circuit = self.install.circuit;
        let node = &circuit.nodes[id];
        let mut partitionings = Vec::with_capacity(node.inputs.len());
        let mut inlets = Vec::with_capacity(node.inputs.len());
        for (port, input) in node.inputs.iter().enumerate() {
            let lies = &self.partitionings[input.0];
            let exchange = partitioning::exchange(circuit, node, port, lies).filter(|_| self.scope.peers() > 1);
            partitionings.push(partitioning::after_exchange(lies, exchange.as_deref()));
            let rows = self.outlets[input.0].as_ref().expect("inputs come before their readers").rows.clone();
            inlets.push(Inlet { rows, exchange });
        }
        self.partitionings[id] = partitioning::of_output(circuit, node, &partitionings);
        inlets
    }

    /// The inputs of the operator of a node; if it is a recursion, those are what comes out of its loop, and the operator is there as well.
    fn recurring(&mut self, id: usize) -> (Vec<Inlet<'scope>>, Option<SharedOperator>) {
        let circuit = self.install.circuit;
        let node = &circuit.nodes[id];
        let inlets = self.inlets(id);
        let Operator::Fixpoint { recursion } = &node.operator else { return (inlets, None) };
        let schemas = node.inputs.iter().map(|&input| circuit.node(input).schema.clone());
        let inputs = inlets.into_iter().map(|inlet| inlet.rows).zip(schemas).collect();
        let recurring = recur(self.scope, node, recursion, inputs, self.install.since);
        let recurring = recurring.expect("a valid circuit has types that can be stored");
        (recurring.inlets, Some(Rc::new(RefCell::new(recurring.operator))))
    }

    fn operator(&self, id: usize) -> SharedOperator {
        let site = Site {
            circuit: self.install.circuit,
            node: id,
            since: self.install.since,
            worker: self.scope.index(),
            peers: self.scope.peers(),
            arrangements: &self.arrangements,
        };
        Rc::new(RefCell::new(site.operator().expect("a valid circuit has types that can be stored")))
    }

    fn finish(
        mut self,
        audience: Audience,
        builder: u64,
        complete_before: Rc<Cell<u64>>,
    ) -> (Fragment, Vec<(usize, Publication, Partitioning)>) {
        let output = self.outlets[self.install.circuit.output.0].take().expect("the output is one of the nodes");
        sink(self.scope, self.install.view, output.rows, self.errors, audience);
        let fragment = Fragment {
            builder,
            inputs: self.inputs,
            clock: self.clock.map(|(feed, _)| feed),
            imports: self.imports,
            uses: self.uses,
            members: self.members,
            complete_before,
            users: RefCell::new(Vec::new()),
        };
        (fragment, self.published)
    }
}
