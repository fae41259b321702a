//! Recursions: the part of a circuit between variables and their definitions becomes the body of one node.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;

use super::{Built, CircuitBuilder};
use crate::recursion::{Variable, input_name, variable_name};
use crate::{Circuit, CircuitError, Expr, JoinKind, Node, NodeId, Operator, Properties, Recursion};

/// A variable of a recursion that is being built.
#[derive(Clone, Debug)]
pub struct Defined {
    /// What people call it.
    pub name: String,
    /// The source that stands for it ([`CircuitBuilder::variable`]).
    pub source: NodeId,
    /// The node that computes it.
    pub definition: NodeId,
}

impl CircuitBuilder {
    /// A source that stands for a variable of a recursion until [`CircuitBuilder::fixpoint`] is called. `relation` is the name of no other source.
    pub fn variable(&mut self, relation: &str, schema: SchemaRef) -> NodeId {
        // Inside, a variable is assumed to grow only; whether it does is seen when its definition is there.
        self.source(relation, schema, Properties { append_only: true, ..Properties::default() })
    }

    /// [`Operator::Fixpoint`]: the rows of `shown` once the variables are what their definitions say. The nodes that depend on
    /// variables become the body, those that they read become inputs. If `shown` depends on no variable, it is the result itself.
    ///
    /// # Errors
    /// If an operator cannot be in a recursion ([`crate::recursion::can_recur`]), or a definition has other columns than its variable.
    pub fn fixpoint(&mut self, variables: &[Defined], shown: NodeId, limit: Option<u64>) -> Built<NodeId> {
        let dependent = self.dependent(variables);
        if !dependent[shown.0] {
            return Ok(shown);
        }
        let (needed, used) = self.body_nodes(&dependent, variables, shown);
        let mut body = Body { builder: CircuitBuilder::new(), places: BTreeMap::new(), inputs: Vec::new() };
        for (number, variable) in used.iter().enumerate() {
            let schema = self.schema(variable.source).clone();
            body.places.insert(variable.source, body.builder.variable(&variable_name(number), schema));
        }
        for id in needed {
            body.add(self, id, &dependent)?;
        }
        let definitions = used.iter().map(|variable| {
            let definition = body.place(self, variable.definition);
            Variable { name: variable.name.clone(), definition }
        });
        let definitions: Vec<Variable> = definitions.collect();
        let output = body.places[&shown];
        let Body { builder, inputs, .. } = body;
        let recursion = Recursion { body: Circuit { nodes: builder.nodes, output }, variables: definitions, limit };
        let schema = recursion.body.schema().clone();
        self.node(Operator::Fixpoint { recursion: Arc::new(recursion) }, inputs, schema)
    }

    /// Whether the recursion of `variables` is known to come to an end: each definition is a set, grows with the variables, and has no values that
    /// are not values of an input or of the query. So there are only so many rows, and none is taken back.
    pub fn is_finite(&self, variables: &[Defined]) -> bool {
        let dependent = self.dependent(variables);
        let is_set = |variable: &Defined| {
            !dependent[variable.definition.0] || matches!(self.nodes[variable.definition.0].operator, Operator::Distinct)
        };
        let grows = |position: usize| match &self.nodes[position].operator {
            Operator::Source { .. } | Operator::Union | Operator::Index { .. } | Operator::Distinct => true,
            Operator::Join { kind, .. } => matches!(kind, JoinKind::Inner | JoinKind::Semi),
            Operator::MapFilter { projections, .. } => {
                projections.iter().flatten().all(|projection| matches!(projection, Expr::Column { .. } | Expr::Literal(_)))
            }
            _ => false,
        };
        let ends: Vec<NodeId> = variables.iter().map(|variable| variable.definition).collect();
        let mut needed = vec![false; self.nodes.len()];
        let mut pending = ends;
        while let Some(id) = pending.pop() {
            if dependent[id.0] && !std::mem::replace(&mut needed[id.0], true) {
                pending.extend(&self.nodes[id.0].inputs);
            }
        }
        variables.iter().all(is_set) && (0..needed.len()).all(|position| !needed[position] || grows(position))
    }

    fn dependent(&self, variables: &[Defined]) -> Vec<bool> {
        let mut dependent = vec![false; self.nodes.len()];
        for (position, node) in self.nodes.iter().enumerate() {
            let is_variable = variables.iter().any(|variable| variable.source.0 == position);
            dependent[position] = is_variable || node.inputs.iter().any(|input| dependent[input.0]);
        }
        dependent
    }

    /// The dependent nodes that `shown` needs, in order, without the sources of variables, and the variables that it needs.
    fn body_nodes<'v>(&self, dependent: &[bool], variables: &'v [Defined], shown: NodeId) -> (Vec<NodeId>, Vec<&'v Defined>) {
        let mut needed = vec![false; self.nodes.len()];
        let mut pending = vec![shown];
        while let Some(id) = pending.pop() {
            if std::mem::replace(&mut needed[id.0], true) || !dependent[id.0] {
                continue;
            }
            pending.extend(&self.nodes[id.0].inputs);
            pending.extend(variables.iter().filter(|variable| variable.source == id).map(|variable| variable.definition));
        }
        let used: Vec<&Defined> = variables.iter().filter(|variable| needed[variable.source.0]).collect();
        let is_source = |position: usize| used.iter().any(|variable| variable.source.0 == position);
        let nodes = (0..needed.len()).filter(|&position| needed[position] && dependent[position] && !is_source(position));
        (nodes.map(NodeId).collect(), used)
    }
}

/// A body under construction.
struct Body {
    builder: CircuitBuilder,
    /// Where the nodes of the outer circuit are in the body.
    places: BTreeMap<NodeId, NodeId>,
    /// The nodes of the outer circuit that are inputs.
    inputs: Vec<NodeId>,
}

impl Body {
    fn add(&mut self, outer: &CircuitBuilder, id: NodeId, dependent: &[bool]) -> Built<()> {
        let Node { operator, inputs, schema, .. } = &outer.nodes[id.0];
        if !crate::recursion::can_recur(operator) {
            let problem = "cannot depend on the recursion that it is in".to_owned();
            return Err(CircuitError::Invalid { node: id.0, operator: crate::operator_label(operator), problem });
        }
        debug_assert!(dependent[id.0], "what depends on no variable is an input");
        let inputs = inputs.iter().map(|&input| self.place(outer, input)).collect();
        let place = self.builder.node(operator.clone(), inputs, schema.clone())?;
        self.places.insert(id, place);
        Ok(())
    }

    /// Where `id` is in the body; what is not there becomes an input. An index belongs to the join that reads it, so its input is the input.
    fn place(&mut self, outer: &CircuitBuilder, id: NodeId) -> NodeId {
        if let Some(&place) = self.places.get(&id) {
            return place;
        }
        let Node { operator, inputs, schema, properties } = &outer.nodes[id.0];
        let place = if let Operator::Index { .. } = operator {
            let input = self.place(outer, inputs[0]);
            self.builder.insert(operator.clone(), vec![input], schema.clone(), None)
        } else {
            let known = Properties {
                unique_keys: properties.unique_keys.clone(),
                append_only: properties.append_only,
                ..Properties::default()
            };
            self.inputs.push(id);
            self.builder.source(&input_name(self.inputs.len() - 1), schema.clone(), known)
        };
        self.places.insert(id, place);
        place
    }
}
