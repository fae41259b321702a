//! What the tests of all operators share: the law, checked epoch by epoch against the interpreter.

#![allow(clippy::unwrap_used)]

pub(crate) mod timed;

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, new_null_array};
use arrow::compute::concat;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion_common::ScalarValue;
use deltic_circuit::{Circuit, EpochInfo, Node, NodeId, Operator, Properties, error_schema, interpreter, render_row};
use deltic_zset::{ZBatch, types};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::order::durations;
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

/// A Z-set as text rows with weights, for comparison. Equal intervals have one text.
pub(crate) fn rows_of(batch: &ZBatch) -> HashMap<String, i64> {
    let batch = &spelled(batch);
    let mut rows = HashMap::new();
    for row in 0..batch.len() {
        *rows.entry(render_row(batch, row)).or_insert(0) += batch.weight(row);
    }
    rows.retain(|_, weight| *weight != 0);
    rows
}

/// The same rows with intervals as durations.
fn spelled(batch: &ZBatch) -> ZBatch {
    let columns = batch.columns().iter().map(|column| match column.data_type() {
        DataType::Interval(_) => durations(column),
        _ => column.clone(),
    });
    let columns: Vec<ArrayRef> = columns.collect();
    let types: Vec<DataType> = columns.iter().map(|column| column.data_type().clone()).collect();
    ZBatch::new(schema(&types), columns, batch.weights().cloned(), batch.len())
}

/// Drives an operator and keeps the sums of what went in and came out.
pub(crate) struct Law<O> {
    pub(crate) operator: O,
    /// The time and the watermarks of the next epoch.
    pub(crate) info: EpochInfo,
    circuit: Circuit,
    history: interpreter::History,
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
        let info = EpochInfo::default();
        let history = interpreter::History::default();
        Law { operator, info, circuit, history, stateful, inputs, rows: HashMap::new(), errors: HashMap::new(), epoch: 0 }
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
        self.operator.observe(&self.info);
        let output = self.operator.close(self.epoch);
        let schema = self.circuit.schema();
        absorb(&mut self.rows, &output.rows, schema, self.stateful);
        absorb(&mut self.errors, &output.errors, &error_schema(), self.stateful);

        let sum = |(position, batches): (usize, &Vec<ZBatch>)| {
            let schema = &self.circuit.nodes[position].schema;
            (format!("s{position}"), ZBatch::concat(schema, batches).unwrap().consolidate().unwrap())
        };
        let sources: HashMap<String, ZBatch> = self.inputs.iter().enumerate().map(sum).collect();
        let expected = interpreter::evaluate_after(&self.circuit, &sources, &self.info, &mut self.history).unwrap();
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

/// So that a law can be about an operator that is chosen at run time.
impl EpochOperator for Box<dyn EpochOperator> {
    fn push(&mut self, port: usize, batch: ZBatch) {
        (**self).push(port, batch);
    }

    fn observe(&mut self, info: &EpochInfo) {
        (**self).observe(info);
    }

    fn close(&mut self, epoch: u64) -> Output {
        (**self).close(epoch)
    }

    fn contents(&self) -> Option<ZBatch> {
        (**self).contents()
    }

    fn state_size(&self) -> crate::StateSize {
        (**self).state_size()
    }
    fn metrics(&self) -> crate::WindowMetrics {
        (**self).metrics()
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

/// One change of a history.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// A row comes, with a positive weight.
    Insert(Row),
    /// Copies of some live row go.
    Delete(usize, i64),
    /// Some live row gets other values.
    Update(usize, Vec<ScalarValue>),
}

/// Epochs of changes, each cut into batches.
pub(crate) fn history(values: impl Strategy<Value = Vec<ScalarValue>> + Clone) -> impl Strategy<Value = Vec<Vec<Vec<Change>>>> {
    let change = prop_oneof![
        4 => (values.clone(), prop_oneof![4 => Just(1i64), 1 => 2i64..5]).prop_map(Change::Insert),
        2 => (any::<usize>(), 1i64..4).prop_map(|(row, copies)| Change::Delete(row, copies)),
        1 => (any::<usize>(), values).prop_map(|(row, values)| Change::Update(row, values)),
    ];
    vec(vec(vec(change, 0..8), 0..3), 1..8)
}

/// The rows of each batch of an epoch, given the rows that are live before it. No row is deleted that is not there, but a batch may
/// stand before the one that it depends on: inside an epoch there is no order.
pub(crate) fn play(epoch: Vec<Vec<Change>>, live: &mut Vec<Row>) -> Vec<Vec<Row>> {
    play_accepted(epoch, live, |_| true)
}

/// As [`play`], without the changes that add or remove a row that is not `accepted`.
pub(crate) fn play_accepted(
    epoch: Vec<Vec<Change>>,
    live: &mut Vec<Row>,
    accepted: impl Fn(&[ScalarValue]) -> bool,
) -> Vec<Vec<Row>> {
    let mut batches = Vec::new();
    for changes in epoch {
        let mut rows = Vec::new();
        for change in changes {
            match change {
                Change::Insert((values, weight)) if accepted(&values) => {
                    live.push((values.clone(), weight));
                    rows.push((values, weight));
                }
                Change::Delete(row, copies) if !live.is_empty() => {
                    let row = row % live.len();
                    if !accepted(&live[row].0) {
                        continue;
                    }
                    let copies = copies.min(live[row].1);
                    live[row].1 -= copies;
                    rows.push((live[row].0.clone(), -copies));
                    live.retain(|(_, weight)| *weight > 0);
                }
                Change::Update(row, values) if !live.is_empty() => {
                    let row = row % live.len();
                    if !accepted(&live[row].0) || !accepted(&values) {
                        continue;
                    }
                    let old = std::mem::replace(&mut live[row].0, values.clone());
                    rows.push((old, -live[row].1));
                    rows.push((values, live[row].1));
                }
                _ => {}
            }
        }
        batches.push(rows);
    }
    batches.reverse();
    batches
}

/// Checks the law of a unary operator on a history.
pub(crate) fn check(mut law: Law<impl EpochOperator>, history: Vec<Vec<Vec<Change>>>) {
    let mut live = Vec::new();
    for epoch in history {
        let batches = play(epoch, &mut live);
        law.step(&batches.iter().map(Vec::as_slice).collect::<Vec<_>>());
    }
    // What is emptied holds nothing.
    let rest: Vec<Row> = live.into_iter().map(|(values, weight)| (values, -weight)).collect();
    law.step(&[&rest]);
}
