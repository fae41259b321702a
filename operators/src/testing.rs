//! What the tests of all operators share: the law, checked epoch by epoch against the interpreter.

#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, new_null_array};
use arrow::compute::concat;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion_common::ScalarValue;
use deltic_circuit::{Circuit, Node, NodeId, Operator, Properties, error_schema, interpreter, render_row};
use deltic_zset::{ZBatch, types};

use crate::{EpochOperator, Output};

/// A row: values and weight.
pub(crate) type Row = (Vec<ScalarValue>, i64);

/// A schema of nullable columns `c0`, `c1` ..
pub(crate) fn schema(types: &[DataType]) -> SchemaRef {
    let field = |(position, data_type): (usize, &DataType)| Field::new(format!("c{position}"), data_type.clone(), true);
    Arc::new(Schema::new(types.iter().enumerate().map(field).collect::<Vec<_>>()))
}

/// Rows as a batch.
pub(crate) fn batch(schema: &SchemaRef, rows: &[Row]) -> ZBatch {
    let column = |position: usize| -> ArrayRef {
        let data_type = schema.field(position).data_type();
        if rows.is_empty() {
            return new_null_array(data_type, 0);
        }
        let values: Vec<ArrayRef> =
            rows.iter().map(|(row, _)| row[position].cast_to(data_type).unwrap().to_array().unwrap()).collect();
        let values: Vec<_> = values.iter().map(|value| value.as_ref()).collect();
        types::canonicalize_floats(concat(&values).unwrap())
    };
    let columns = (0..schema.fields().len()).map(column).collect();
    let weights: Vec<i64> = rows.iter().map(|(_, weight)| *weight).collect();
    let weights = weights.iter().any(|&weight| weight != 1).then(|| weights.into());
    ZBatch::new(schema.clone(), columns, weights, rows.len())
}

/// The circuit of one operator over sources `s0`, `s1` ..
pub(crate) fn circuit(operator: Operator, inputs: &[SchemaRef], output: &SchemaRef) -> Circuit {
    let source = |(position, schema): (usize, &SchemaRef)| Node {
        operator: Operator::Source { relation: format!("s{position}") },
        inputs: Vec::new(),
        schema: schema.clone(),
        properties: Properties::default(),
    };
    let mut nodes: Vec<Node> = inputs.iter().enumerate().map(source).collect();
    let node = Node {
        operator,
        inputs: (0..inputs.len()).map(NodeId).collect(),
        schema: output.clone(),
        properties: Properties::default(),
    };
    nodes.push(node);
    Circuit { output: NodeId(nodes.len() - 1), nodes }
}

/// A Z-set as text rows with weights, for comparison.
pub(crate) fn rows_of(batch: &ZBatch) -> HashMap<String, i64> {
    let mut rows = HashMap::new();
    for row in 0..batch.len() {
        *rows.entry(render_row(batch, row)).or_insert(0) += batch.weight(row);
    }
    rows.retain(|_, weight| *weight != 0);
    rows
}

/// Drives an operator and keeps the sums of what went in and came out.
pub(crate) struct Law<O> {
    pub(crate) operator: O,
    circuit: Circuit,
    /// Whether deltas must be consolidated.
    stateful: bool,
    inputs: Vec<Vec<ZBatch>>,
    rows: HashMap<String, i64>,
    errors: HashMap<String, i64>,
    epoch: u64,
}

impl<O: EpochOperator> Law<O> {
    pub(crate) fn new(operator: O, circuit: Circuit, stateful: bool) -> Self {
        let inputs = vec![Vec::new(); circuit.sources().len()];
        Law { operator, circuit, stateful, inputs, rows: HashMap::new(), errors: HashMap::new(), epoch: 0 }
    }

    /// One epoch with a list of batches per port; checks the law and returns the delta.
    pub(crate) fn epoch(&mut self, batches: &[Vec<ZBatch>]) -> Output {
        for (port, batches) in batches.iter().enumerate() {
            for batch in batches {
                self.operator.push(port, batch.clone());
                self.inputs[port].push(batch.clone());
            }
        }
        self.epoch += 1;
        let output = self.operator.close(self.epoch);
        let schema = self.circuit.schema();
        absorb(&mut self.rows, &output.rows, schema, self.stateful);
        absorb(&mut self.errors, &output.errors, &error_schema(), self.stateful);

        let sum = |(position, batches): (usize, &Vec<ZBatch>)| {
            let schema = &self.circuit.nodes[position].schema;
            (format!("s{position}"), ZBatch::concat(schema, batches).unwrap().consolidate().unwrap())
        };
        let sources: HashMap<String, ZBatch> = self.inputs.iter().enumerate().map(sum).collect();
        let expected = interpreter::evaluate(&self.circuit, &sources).unwrap();
        assert_eq!(self.rows, rows_of(&expected.rows), "rows after epoch {}", self.epoch);
        assert_eq!(self.errors, rows_of(&expected.errors), "errors after epoch {}", self.epoch);
        if let Some(contents) = self.operator.contents() {
            assert_eq!(rows_of(&contents), self.rows, "contents after epoch {}", self.epoch);
            assert_eq!(contents.consolidate().unwrap().len(), contents.len(), "contents are consolidated");
        }
        output
    }

    /// One epoch of an operator with one input: `batches` of rows. Returns the delta of the rows.
    pub(crate) fn step(&mut self, batches: &[&[Row]]) -> HashMap<String, i64> {
        let schema = self.circuit.nodes[0].schema.clone();
        let output = self.epoch(&[batches.iter().map(|rows| batch(&schema, rows)).collect()]);
        let mut rows = HashMap::new();
        absorb(&mut rows, &output.rows, self.circuit.schema(), self.stateful);
        rows
    }

    /// The errors that stand.
    pub(crate) fn errors(&self) -> &HashMap<String, i64> {
        &self.errors
    }
}

fn absorb(sum: &mut HashMap<String, i64>, delta: &[ZBatch], schema: &SchemaRef, consolidated: bool) {
    let delta = ZBatch::concat(schema, delta).unwrap();
    if consolidated {
        assert_eq!(delta.consolidate().unwrap().len(), delta.len(), "the delta is consolidated");
    }
    for (row, weight) in rows_of(&delta) {
        let total = sum.entry(row.clone()).or_insert(0);
        *total += weight;
        if *total == 0 {
            sum.remove(&row);
        }
    }
}
