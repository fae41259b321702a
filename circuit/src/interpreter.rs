//! The reference: what a circuit means, by recomputation from whole relations. Slow, plain, and the judge of the operators.
//!
//! Every node is evaluated over rows of `ScalarValue`s in an ordinary map from row to weight. It shares with the operators the evaluator of
//! expressions ([`map_filter`], there is one) and the finishing of accumulators ([`crate::aggregate`]), and nothing else: no batches, no
//! state, no deltas.
//!
//! # What it fixes
//!
//! - An aggregate without group columns yields exactly one row, on empty input as well.
//! - An aggregate that fails (a sum that does not fit) removes the row of its group; instead there is one error row with weight 1, whose operator is
//!   `aggregate sum(#2)` and whose row text is the rendered group key. The first failing call of the group is the one.
//! - A group with more than one row, where one is allowed, is one error row with the rendered group key as its text, whatever the number of rows.
//! - A predicate that is `false` drops a row whatever else fails on it; an error is an error even beside a NULL predicate.
//! - A join residual that fails on a pair makes one error row of the pair, columns of the left row and then of the right one, with the product of their weights; the
//!   pair is no match.
//! - Top-k is a total order: the order keys, then all other columns ascending with NULLs last; NaN is the greatest float, text compares by bytes, intervals by duration.
//!   `offset` and `limit` count copies, and with row numbers each copy is a row of its own.
//! - A temporal lookup is the only node whose output is no function of what its inputs hold. It is evaluated epoch after epoch ([`evaluate_after`]); of equal
//!   left rows that came in several epochs, those that came last go first.
//! - A recursion that is not at its end after its limit of iterations has no rows and one error row, `()`; else the errors of its body are those of the
//!   iteration that changes nothing.
//! - Rows are equal if their canonical values are, intervals if their durations are.

mod aggregate;
mod fixpoint;
#[cfg(test)]
mod fixpoint_tests;
mod join;
mod lookup;
mod relation;
#[cfg(test)]
mod tests;
mod timed;
#[cfg(test)]
mod timed_tests;
mod top_k;
mod unnest;
mod window_frame;

use std::collections::HashMap;

use deltic_zset::ZBatch;

pub(crate) use relation::identity;
pub(crate) use top_k::{compare_key, compare_values};

use relation::Relation;

use crate::{
    Circuit, CircuitError, EpochInfo, Node, NodeId, Operator, SetOperationKind, error_schema, map_filter, operator_label,
};

/// The output of a circuit, both parts consolidated.
#[derive(Clone, Debug)]
pub struct Interpreted {
    /// The rows of the view.
    pub rows: ZBatch,
    /// Its error relation ([`error_schema`]).
    pub errors: ZBatch,
}

/// Evaluates `circuit` over the whole contents of its sources.
///
/// # Errors
/// If a source is missing or does not fit, or has a negative weight.
pub fn evaluate(circuit: &Circuit, sources: &HashMap<String, ZBatch>) -> Result<Interpreted, CircuitError> {
    evaluate_at(circuit, sources, &EpochInfo::default())
}

/// Evaluates `circuit` over the whole contents of its sources, at an epoch with these watermarks and this time. `EMIT EVERY` shows all there:
/// between its ticks, a view is what it was at the last one.
///
/// # Errors
/// As [`evaluate`].
pub fn evaluate_at(circuit: &Circuit, sources: &HashMap<String, ZBatch>, info: &EpochInfo) -> Result<Interpreted, CircuitError> {
    evaluate_after(circuit, sources, info, &mut History::default())
}

/// What a circuit remembers of the epochs that it was evaluated at, apart from what its sources hold: what each [`Operator::TemporalLookup`] has shown.
/// Without such nodes it is empty.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// By position of the node.
    lookups: HashMap<usize, lookup::Shown>,
}

/// Evaluates `circuit` over the whole contents of its sources at the epoch that follows those in `history`, and adds it to them. The first epoch is the one in
/// which the circuit begins to run: there the whole contents have just come. For a circuit that does not
/// [depend on its history](Circuit::depends_on_history) this is [`evaluate_at`].
///
/// # Errors
/// As [`evaluate`].
pub fn evaluate_after(
    circuit: &Circuit,
    sources: &HashMap<String, ZBatch>,
    info: &EpochInfo,
    history: &mut History,
) -> Result<Interpreted, CircuitError> {
    let (given, errors) = (HashMap::new(), Relation::new(error_schema()));
    let mut interpreter = Interpreter { sources, given, info, history, outputs: Vec::new(), errors };
    for position in needed(circuit) {
        interpreter.outputs.resize_with(position + 1, || None);
        let output = interpreter.node(position, &circuit.nodes[position])?;
        interpreter.outputs[position] = Some(output);
    }
    let rows = interpreter.outputs.get(circuit.output.0).and_then(Option::as_ref);
    let rows = rows.map_or_else(|| Ok(ZBatch::empty(circuit.schema().clone())), Relation::to_batch)?;
    Ok(Interpreted { rows: rows.with_schema(circuit.schema().clone()), errors: interpreter.errors.to_batch()? })
}

/// The nodes that the output depends on, in order. The errors of others are not the view's.
fn needed(circuit: &Circuit) -> Vec<usize> {
    let mut needed = vec![false; circuit.nodes.len()];
    needed[circuit.output.0] = true;
    for position in (0..circuit.nodes.len()).rev() {
        if needed[position] {
            circuit.nodes[position].inputs.iter().for_each(|input| needed[input.0] = true);
        }
    }
    (0..needed.len()).filter(|&position| needed[position]).collect()
}

struct Interpreter<'a> {
    sources: &'a HashMap<String, ZBatch>,
    /// Sources that are relations already: those within a recursion.
    given: HashMap<String, Relation>,
    info: &'a EpochInfo,
    history: &'a mut History,
    /// The whole output of each node so far.
    outputs: Vec<Option<Relation>>,
    errors: Relation,
}

impl Interpreter<'_> {
    fn node(&mut self, position: usize, node: &Node) -> Result<Relation, CircuitError> {
        match &node.operator {
            Operator::Source { relation } => self.source(relation, node),
            Operator::Constant { rows } => Relation::from_batch(rows),
            Operator::MapFilter { predicates, projections } => {
                let input = self.input(node, 0)?.to_batch()?;
                let label = operator_label(&node.operator);
                let (rows, errors) = map_filter(&input, predicates, projections.as_deref(), &node.schema, label);
                self.errors.add_all(&Relation::from_batch(&errors)?)?;
                Relation::from_batch(&rows)
            }
            Operator::Union => {
                let mut sum = Relation::new(node.schema.clone());
                for port in 0..node.inputs.len() {
                    sum.add_all(&self.input(node, port)?)?;
                }
                Ok(sum)
            }
            Operator::Negate => self.input(node, 0)?.map_weights(|weight| weight.checked_neg()),
            Operator::Index { .. } => self.input(node, 0),
            Operator::Join { kind, keys, residual } => {
                let (left, right) = (self.input(node, 0)?, self.input(node, 1)?);
                join::join(*kind, keys, residual.as_ref(), &left, &right, node.schema.clone(), &mut self.errors)
            }
            Operator::Distinct => self.input(node, 0)?.map_weights(|weight| Some(i64::from(weight > 0))),
            Operator::SetOperation { kind } => self.input(node, 0)?.combined(&self.input(node, 1)?, |left, right| match kind {
                SetOperationKind::Except => i64::from(left > 0 && right <= 0),
                SetOperationKind::ExceptAll => left.max(0).saturating_sub(right.max(0)).max(0),
                SetOperationKind::Intersect => i64::from(left > 0 && right > 0),
                SetOperationKind::IntersectAll => left.min(right).max(0),
            }),
            Operator::Unnest { keep, lists, outer, ordinality } => {
                unnest::unnest(&self.input(node, 0)?, keep, lists, *outer, *ordinality, node.schema.clone())
            }
            Operator::MaxOneRow { group } => {
                aggregate::max_one_row(&self.input(node, 0)?, group, node.schema.clone(), &mut self.errors)
            }
            Operator::Aggregate { group, aggregates } => {
                let input = self.input(node, 0)?;
                aggregate::aggregate(&input, group, aggregates, node.schema.clone(), &mut self.errors)
            }
            Operator::TopK { partition, order, offset, limit, with_row_number, ties } => {
                let bounds = top_k::Bounds { offset: *offset, limit: *limit, ties: *ties };
                top_k::top_k(&self.input(node, 0)?, partition, order, bounds, *with_row_number, node.schema.clone())
            }
            Operator::WindowFrame { partition, order, calls } => {
                let input = self.input(node, 0)?;
                window_frame::window_frame(&input, partition, order, calls, node.schema.clone(), &mut self.errors)
            }
            Operator::TimeWindow { time, window } => {
                let input = self.input(node, 0)?;
                timed::time_window(&input, *time, *window, node.schema.clone(), &mut self.errors)
            }
            Operator::Session { partition, time, gap, max_sessions, output } => {
                let sessions = timed::Sessions { partition, time: *time, gap: *gap, max_sessions: *max_sessions };
                let input = self.input(node, 0)?;
                sessions.evaluate(&input, output, node.schema.clone(), &mut self.errors)
            }
            Operator::Emit { policy } => timed::emit(self.input(node, 0)?, *policy, &node.properties.time_sources, self.info),
            Operator::TemporalFilter { from, until, output } => {
                let input = self.input(node, 0)?;
                timed::temporal_filter(&input, [*from, *until], *output, node.schema.clone(), self.info.now)
            }
            Operator::IntervalJoin { .. } => {
                let (left, right) = (self.input(node, 0)?, self.input(node, 1)?);
                join::interval_join(&node.operator, &left, &right, node.schema.clone(), &mut self.errors)
            }
            Operator::AsOfJoin { .. } => {
                join::as_of_join(&node.operator, &self.input(node, 0)?, &self.input(node, 1)?, node.schema.clone())
            }
            Operator::TemporalLookup { .. } => {
                let (left, right) = (self.input(node, 0)?, self.input(node, 1)?);
                self.history.lookups.entry(position).or_default().follow(node, &left, &right, &mut self.errors)
            }
            Operator::Fixpoint { recursion } => {
                let inputs = (0..node.inputs.len()).map(|port| self.input(node, port)).collect::<Result<_, _>>()?;
                let (rows, errors) = fixpoint::fixpoint(recursion, inputs, self.info)?;
                self.errors.add_all(&errors)?;
                Ok(rows.with_schema(node.schema.clone()))
            }
        }
    }

    fn input(&self, node: &Node, port: usize) -> Result<Relation, CircuitError> {
        let NodeId(position) = node.inputs[port];
        self.outputs.get(position).cloned().flatten().ok_or_else(|| CircuitError::Invalid {
            node: position,
            operator: operator_label(&node.operator),
            problem: "is read before it is computed".to_owned(),
        })
    }

    fn source(&self, relation: &str, node: &Node) -> Result<Relation, CircuitError> {
        if let Some(rows) = self.given.get(relation) {
            return Ok(rows.clone().with_schema(node.schema.clone()));
        }
        let batch = self.sources.get(relation).ok_or_else(|| CircuitError::UnknownSource(relation.to_owned()))?;
        let mismatch = |problem: String| CircuitError::SourceMismatch { relation: relation.to_owned(), problem };
        let types = |schema: &arrow::datatypes::Schema| -> Vec<_> {
            schema.fields().iter().map(|field| field.data_type().clone()).collect()
        };
        let (given, expected) = (types(batch.schema()), types(&node.schema));
        if given != expected {
            return Err(mismatch(format!("columns of types {given:?} were given, {expected:?} are wanted")));
        }
        let contents = Relation::from_batch(&batch.clone().with_schema(node.schema.clone()))?;
        if contents.iter().any(|(_, weight)| weight < 0) {
            return Err(mismatch("a row has a negative weight".to_owned()));
        }
        Ok(contents)
    }
}
