//! From a circuit's node to the operator that runs it on one worker.

use deltic_circuit::{Circuit, EmitPolicy, Expr, Node, NodeId, Operator, Retention, operator_label, retention};
use deltic_zset::Result;

use crate::arrange::{Index, SharedArrangement};
use crate::contract;
use crate::driver::Cadence;
use crate::emit::emit;
use crate::exchange::owner_of_empty_key;
use crate::join::Join;
use crate::{
    Aggregate, AppendOnlyTopK, AsOfJoin, Constant, Distinct, EpochOperator, Horizon, IntervalJoin, MapFilter, MaxOneRow, Negate,
    SetOperation, TemporalFilter, TemporalLookup, TimeWindow, TopK, Union, Unnest, session, window_frame,
};

/// Where an operator is built.
pub(crate) struct Site<'a> {
    pub(crate) circuit: &'a Circuit,
    /// The position of the node.
    pub(crate) node: usize,
    pub(crate) since: u64,
    pub(crate) worker: usize,
    pub(crate) peers: usize,
    /// The arrangements of the circuit's index nodes, this one's included.
    pub(crate) arrangements: &'a [Option<SharedArrangement>],
}

impl Site<'_> {
    /// The operator, in debug builds under the eyes of [`contract`].
    ///
    /// # Errors
    /// If the state structures have no layout for a type; a valid circuit has no such types.
    pub(crate) fn operator(&self) -> Result<Box<dyn EpochOperator>> {
        let operator = self.bare_operator()?;
        let node = self.this();
        let inputs = node.inputs.iter().map(|&input| self.circuit.node(input).schema.clone()).collect();
        Ok(contract::checked(operator, node, inputs))
    }

    fn this(&self) -> &Node {
        &self.circuit.nodes[self.node]
    }

    fn bare_operator(&self) -> Result<Box<dyn EpochOperator>> {
        let node = self.this();
        let schema = node.schema.clone();
        let input = |port: usize| self.circuit.node(node.inputs[port]);
        Ok(match &node.operator {
            Operator::Source { .. } => unreachable!("sources are fed, not run"),
            Operator::Constant { rows } => Box::new(Constant::new(rows.clone(), self.worker == 0)),
            Operator::MapFilter { predicates, projections } => {
                Box::new(MapFilter::new(predicates.clone(), projections.clone(), schema))
            }
            Operator::Union => Box::new(Union::new(schema)),
            Operator::Negate => Box::new(Negate::new()),
            Operator::Index { .. } => Box::new(Index::new(self.arrangement(self.node)).with_horizon(self.horizon())),
            Operator::Join { .. } => {
                let [left, right] = [0, 1].map(|port| self.arrangement(node.inputs[port].0).reader(self.since));
                let horizons = [0, 1].map(|port| self.horizon_of(node.inputs[port]));
                Box::new(Join::try_new(node, left, right)?.with_horizons(horizons))
            }
            Operator::Distinct => Box::new(Distinct::try_new(schema)?.with_horizon(self.horizon())),
            Operator::Unnest { keep, lists, outer, ordinality } => {
                Box::new(Unnest::new(keep.clone(), lists.clone(), *outer, *ordinality, schema))
            }
            Operator::SetOperation { kind } => Box::new(SetOperation::try_new(*kind, schema)?.with_horizon(self.horizon())),
            Operator::MaxOneRow { group } => {
                Box::new(MaxOneRow::try_new(group, schema, operator_label(&node.operator))?.with_horizon(self.horizon()))
            }
            Operator::Aggregate { group, aggregates } => {
                let owns_global = self.worker == owner_of_empty_key(self.peers);
                Box::new(Aggregate::try_new(group, aggregates, input(0), schema, owns_global)?.with_horizon(self.horizon()))
            }
            Operator::TopK { .. } => match AppendOnlyTopK::try_new(node, input(0))? {
                Some(operator) => Box::new(operator.with_horizon(self.horizon())),
                None => Box::new(TopK::try_new(node, &input(0).schema)?.with_horizon(self.horizon(), &input(0).schema)),
            },
            Operator::WindowFrame { .. } => window_frame(node, &input(0).schema, self.horizon())?,
            Operator::TimeWindow { time, window } => Box::new(TimeWindow::new(*time, *window, schema)),
            Operator::Emit { policy } => emit(*policy, node)?,
            Operator::TemporalFilter { .. } => Box::new(TemporalFilter::try_new(node, &input(0).schema)?),
            Operator::Session { .. } => session(self.circuit, NodeId(self.node))?,
            Operator::IntervalJoin { .. } => Box::new(IntervalJoin::try_new(self.circuit, NodeId(self.node))?),
            Operator::AsOfJoin { .. } => Box::new(AsOfJoin::try_new(self.circuit, NodeId(self.node))?),
            Operator::TemporalLookup { .. } => {
                let right = self.arrangement(node.inputs[1].0).reader(self.since);
                Box::new(TemporalLookup::try_new(node, input(0), right, self.horizon())?)
            }
            Operator::Fixpoint { .. } => unreachable!("recursions are loops"),
        })
    }

    /// When the state of the node's only input ends.
    fn horizon(&self) -> Option<Horizon> {
        self.horizon_of(NodeId(self.node))
    }

    fn horizon_of(&self, node: NodeId) -> Option<Horizon> {
        retention(self.circuit, node).first().and_then(Horizon::of)
    }

    fn arrangement(&self, node: usize) -> SharedArrangement {
        self.arrangements[node].clone().expect("the inputs of a join are index nodes")
    }
}

/// Operators without state answer at once, the others when the epoch is complete; those that time matters to, in every epoch.
pub(super) fn cadence(circuit: &Circuit, node: usize) -> Cadence {
    match &circuit.nodes[node].operator {
        Operator::MapFilter { .. }
        | Operator::Union
        | Operator::Negate
        | Operator::Unnest { .. }
        | Operator::TimeWindow { .. } => Cadence::AtOnce,
        Operator::Emit { .. } | Operator::TemporalFilter { .. } => Cadence::EveryEpoch,
        _ if state_ends(circuit, node) => Cadence::EveryEpoch,
        _ => Cadence::AtFrontier,
    }
}

/// Whether the operator drops state as watermarks pass.
fn state_ends(circuit: &Circuit, node: usize) -> bool {
    if let Operator::Join { .. } = &circuit.nodes[node].operator {
        // What it knows of rows without a match ends with its indexes, and those must hear how far it is.
        return circuit.nodes[node].inputs.iter().any(|input| state_ends(circuit, input.0));
    }
    retention(circuit, NodeId(node)).iter().any(|retention| matches!(retention, Retention::While { .. }))
}

/// Whether the state of the operator holds its whole output, so that a dataflow installed later can start from it. Not if some of it has been
/// dropped: what no later row can change is still part of the output. Nor if it depends on the epoch that it was installed in.
pub fn holds_contents(circuit: &Circuit, node: usize) -> bool {
    let operator = &circuit.nodes[node].operator;
    let holds = matches!(
        operator,
        Operator::Index { .. }
            | Operator::Distinct
            | Operator::SetOperation { .. }
            | Operator::Aggregate { .. }
            | Operator::TopK { .. }
            | Operator::WindowFrame { .. }
            | Operator::Session { .. }
    );
    holds && !state_ends(circuit, node) && !has_a_past(circuit, node)
}

/// Whether the node shows, or depends on, what was there at a tick or when rows came.
fn has_a_past(circuit: &Circuit, node: usize) -> bool {
    let mut past: Vec<bool> = Vec::with_capacity(node + 1);
    for node in &circuit.nodes[..=node] {
        let own = matches!(node.operator, Operator::Emit { policy: EmitPolicy::Every { .. } } | Operator::TemporalLookup { .. });
        past.push(own || node.inputs.iter().any(|input| past[input.0]));
    }
    past[node]
}

/// Whether errors can arise in the operator.
pub(super) fn can_fail(operator: &Operator) -> bool {
    match operator {
        Operator::MapFilter { predicates, projections } => {
            predicates.iter().chain(projections.iter().flatten()).any(Expr::can_fail)
        }
        Operator::Join { .. }
        | Operator::Distinct
        | Operator::Aggregate { .. }
        | Operator::TopK { .. }
        | Operator::WindowFrame { .. } => true,
        Operator::MaxOneRow { .. } => true,
        Operator::Source { .. } | Operator::Constant { .. } | Operator::Union | Operator::Negate | Operator::Index { .. } => {
            false
        }
        Operator::SetOperation { .. } | Operator::Unnest { .. } => false,
        Operator::Emit { .. } | Operator::TemporalFilter { .. } | Operator::AsOfJoin { .. } => false,
        Operator::TimeWindow { .. } | Operator::Session { .. } | Operator::IntervalJoin { .. } => true,
        Operator::TemporalLookup { .. } => true,
        Operator::Fixpoint { recursion } => {
            recursion.limit.is_some() || recursion.body.nodes.iter().any(|node| can_fail(&node.operator))
        }
    }
}
