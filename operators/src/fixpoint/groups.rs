//! Operators that work group by group, such as aggregates: each group that changes is computed anew, at each iteration in which it does.
//!
//! Differential dataflow says which rows a group has at a time; what the operator makes of them is computed by the very operator that works outside of
//! recursions, built for this one group and closed once.

use arrow::datatypes::SchemaRef;
use deltic_circuit::{Circuit, Node, NodeId, Operator, Properties};
use deltic_zset::{Result, ZBatch};

use crate::Output;
use crate::arrange::SharedArrangement;
use crate::dataflow::Site;

/// One node, over inputs that are given to it.
pub(super) struct Local {
    circuit: Circuit,
}

impl Local {
    /// The operator of `node` over inputs of these schemas. The inputs of a join are indexed.
    pub(super) fn new(node: &Node, inputs: &[SchemaRef]) -> Self {
        let mut nodes: Vec<Node> = Vec::new();
        let mut read: Vec<NodeId> = Vec::new();
        for (port, schema) in inputs.iter().enumerate() {
            let mut push = |operator: Operator, inputs: Vec<NodeId>| {
                nodes.push(Node { operator, inputs, schema: schema.clone(), properties: Properties::default() });
                NodeId(nodes.len() - 1)
            };
            let source = push(Operator::Source { relation: port.to_string() }, Vec::new());
            let input = match &node.operator {
                Operator::Join { keys, .. } => {
                    let key = keys.iter().map(|key| if port == 0 { key.left } else { key.right }).collect();
                    push(Operator::Index { key }, vec![source])
                }
                _ => source,
            };
            read.push(input);
        }
        nodes.push(Node { inputs: read, properties: Properties::default(), ..node.clone() });
        Local { circuit: Circuit { output: NodeId(nodes.len() - 1), nodes } }
    }

    /// What the operator says of these rows.
    ///
    /// # Errors
    /// If the operator has no state for a type; then it has not been built outside either.
    pub(super) fn evaluate(&self, inputs: Vec<ZBatch>) -> Result<Output> {
        let mut inputs = inputs.into_iter();
        let mut outputs: Vec<Vec<ZBatch>> = Vec::with_capacity(self.circuit.nodes.len());
        let mut arrangements: Vec<Option<SharedArrangement>> = Vec::with_capacity(self.circuit.nodes.len());
        let mut last = Output::default();
        for (position, node) in self.circuit.nodes.iter().enumerate() {
            arrangements.push(match &node.operator {
                Operator::Index { key } => Some(SharedArrangement::new(node.schema.clone(), key.clone())),
                _ => None,
            });
            if let Operator::Source { .. } = &node.operator {
                outputs.push(inputs.next().into_iter().filter(|batch| !batch.is_empty()).collect());
                continue;
            }
            let arrangements = &arrangements;
            let site = Site { circuit: &self.circuit, node: position, since: 0, worker: 0, peers: 1, arrangements };
            let mut operator = site.operator()?;
            for (port, input) in node.inputs.iter().enumerate() {
                outputs[input.0].iter().for_each(|batch| operator.push(port, batch.clone()));
            }
            last = operator.close(0);
            outputs.push(last.rows.clone());
        }
        Ok(last)
    }
}
