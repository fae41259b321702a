//! Our operators in the same closed loop as their [differential](crate::differential) twins: one worker, one circuit, no engine.

use std::cell::Cell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use deltic_circuit::{
    AggregateCall, AggregateFunction, Circuit, CircuitBuilder, CircuitError, JoinKey, JoinKind, NodeId, Properties,
};
use deltic_operators::{Dataflow, Install, Registry, install};
use deltic_zset::ZBatch;
use timely::worker::Worker;

use crate::differential::{EpochLoop, single_worker};

/// The schema of every input: a key and a value.
pub fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("k", DataType::Int64, false), Field::new("v", DataType::Int64, false)]))
}

/// Rows as a batch.
pub fn batch(keys: &[i64], values: &[i64]) -> ZBatch {
    let columns: Vec<ArrayRef> = vec![Arc::new(Int64Array::from(keys.to_vec())), Arc::new(Int64Array::from(values.to_vec()))];
    ZBatch::new(schema(), columns, None, keys.len())
}

fn source(builder: &mut CircuitBuilder, relation: &str) -> NodeId {
    builder.source(relation, schema(), Properties::default())
}

/// `SELECT k, count(*), sum(v) FROM l GROUP BY k`.
///
/// # Errors
/// None: the circuit is valid.
pub fn group_by() -> Result<Circuit, CircuitError> {
    let mut builder = CircuitBuilder::new();
    let input = source(&mut builder, "l");
    let call = |function, argument| AggregateCall::new(function, argument, DataType::Int64);
    let calls =
        vec![("n".to_string(), call(AggregateFunction::Count, None)), ("s".to_string(), call(AggregateFunction::Sum, Some(1)))];
    let output = builder.aggregate(input, vec![0], calls)?;
    builder.finish(output, None)
}

/// `SELECT DISTINCT k, v FROM l`.
///
/// # Errors
/// None: the circuit is valid.
pub fn distinct() -> Result<Circuit, CircuitError> {
    let mut builder = CircuitBuilder::new();
    let input = source(&mut builder, "l");
    let output = builder.distinct(input)?;
    builder.finish(output, None)
}

/// `SELECT * FROM l JOIN r ON l.k = r.k`.
///
/// # Errors
/// None: the circuit is valid.
pub fn join() -> Result<Circuit, CircuitError> {
    let mut builder = CircuitBuilder::new();
    let left = source(&mut builder, "l");
    let right = source(&mut builder, "r");
    let key = JoinKey { left: 0, right: 0, null_safe: false };
    let output = builder.join(left, right, JoinKind::Inner, vec![key], None)?;
    builder.finish(output, None)
}

/// A circuit on a single-threaded worker, fed epoch by epoch.
pub struct Loop {
    worker: Worker,
    dataflow: Dataflow,
    epoch: u64,
    rows: Rc<Cell<u64>>,
    // Dropped last: the dataflow is registered in it.
    _registry: Registry,
}

impl Loop {
    /// Installs `circuit` over empty relations.
    pub fn new(circuit: &Circuit) -> Self {
        let mut worker = single_worker();
        let mut registry = Registry::default();
        let rows = Rc::new(Cell::new(0));
        let counter = rows.clone();
        let installed = Install {
            view: "bench",
            circuit,
            since: 0,
            info: Arc::default(),
            hydrate: HashMap::new(),
            hydrate_errors: HashMap::new(),
        };
        let dataflow = install(
            &mut worker,
            &mut registry,
            installed,
            Box::new(move |_, part| counter.set(counter.get() + part.rows.len() as u64)),
        );
        let mut this = Loop { worker, dataflow, epoch: 1, rows, _registry: registry };
        while !this.dataflow.done(0) {
            this.worker.step();
        }
        this
    }

    /// Feeds one epoch of one relation and waits for its output. Returns the rows that came out so far.
    pub fn feed(&mut self, relation: &str, batch: ZBatch) -> u64 {
        self.dataflow.push(relation, batch);
        self.dataflow.advance_to(self.epoch + 1);
        while !self.dataflow.done(self.epoch) {
            self.worker.step();
        }
        self.epoch += 1;
        self.rows.get()
    }
}

impl EpochLoop for Loop {
    fn epoch(&mut self, keys: &[i64], values: &[i64]) -> u64 {
        self.feed("l", batch(keys, values))
    }
}
