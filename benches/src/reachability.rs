//! What can be reached from some nodes of a graph: as a circuit, and as differential dataflow with types known at compile time.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use deltic_circuit::{Circuit, CircuitBuilder, CircuitError, Defined, JoinKey, JoinKind, Properties};
use deltic_zset::ZBatch;
use differential_dataflow::input::{Input, InputSession};
use differential_dataflow::operators::Iterate;
use timely::dataflow::ProbeHandle;
use timely::worker::Worker;

use crate::differential::single_worker;
use crate::operators::Loop;

/// Changes of edges: from, to, copies that come or go.
pub type Edges = Vec<(i64, i64, i64)>;

/// One side of the comparison.
pub trait Reachability {
    /// Feeds the changes of one epoch and waits for what follows from them. Returns how many rows have come out so far.
    fn epoch(&mut self, edges: &Edges) -> u64;
}

/// `WITH RECURSIVE x AS (SELECT node FROM roots UNION SELECT e.dst FROM x JOIN edges AS e ON e.src = x.node)`.
///
/// # Errors
/// None: the circuit is valid.
pub fn circuit(nullable: bool) -> Result<Circuit, CircuitError> {
    let mut builder = CircuitBuilder::new();
    let edges = builder.source("edges", schema(&["src", "dst"], nullable), Properties::default());
    let roots = builder.source("roots", schema(&["node"], nullable), Properties::default());
    let reached = builder.variable("x", schema(&["node"], nullable));
    let pairs = builder.join(reached, edges, JoinKind::Inner, vec![JoinKey { left: 0, right: 0, null_safe: false }], None)?;
    let next = vec![("node".to_owned(), builder.column(pairs, 2))];
    let next = builder.map_filter(pairs, vec![], next)?;
    let union = builder.union(vec![roots, next])?;
    let definition = builder.distinct(union)?;
    let output = builder.fixpoint(&[Defined { name: "x".to_owned(), source: reached, definition }], definition, None)?;
    builder.finish(output, None)
}

fn schema(columns: &[&str], nullable: bool) -> SchemaRef {
    let fields = columns.iter().map(|name| Field::new(*name, DataType::Int64, nullable));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// Our side: the circuit on one worker.
pub struct Ours {
    circuit: Loop,
    nullable: bool,
}

impl Ours {
    /// With these roots and no edges.
    ///
    /// # Errors
    /// None: the circuit is valid.
    pub fn new(roots: &[i64], nullable: bool) -> Result<Self, CircuitError> {
        let mut circuit = Loop::new(&circuit(nullable)?);
        let column: ArrayRef = Arc::new(Int64Array::from(roots.to_vec()));
        circuit.feed("roots", ZBatch::new(schema(&["node"], nullable), vec![column], None, roots.len()));
        Ok(Ours { circuit, nullable })
    }
}

impl Reachability for Ours {
    fn epoch(&mut self, edges: &Edges) -> u64 {
        let column =
            |place: fn(&(i64, i64, i64)) -> i64| -> ArrayRef { Arc::new(edges.iter().map(place).collect::<Int64Array>()) };
        let weights: Vec<i64> = edges.iter().map(|&(_, _, copies)| copies).collect();
        let columns = vec![column(|edge| edge.0), column(|edge| edge.1)];
        self.circuit
            .feed("edges", ZBatch::new(schema(&["src", "dst"], self.nullable), columns, Some(weights.into()), edges.len()))
    }
}

/// The other side.
pub struct Typed {
    worker: Worker,
    edges: InputSession<u64, (i64, i64), i64>,
    roots: InputSession<u64, i64, i64>,
    probe: ProbeHandle<u64>,
    rows: Rc<Cell<u64>>,
}

impl Typed {
    /// With these roots and no edges. The index of the edges is made within the loop, as `join` does it, or outside (`shared`).
    pub fn new(roots: &[i64], shared: bool) -> Self {
        let mut worker = single_worker();
        let (rows, probe) = (Rc::new(Cell::new(0)), ProbeHandle::new());
        let counter = rows.clone();
        let (edges, input) = worker.dataflow(|scope| {
            let (edges_input, edges) = scope.new_collection::<(i64, i64), i64>();
            let (roots_input, roots) = scope.new_collection::<i64, i64>();
            let index = shared.then(|| edges.clone().arrange_by_key());
            let reached = roots.clone().iterate(|inner, reached| {
                let roots = roots.enter(inner);
                let reached = reached.map(|node| (node, ()));
                let next = match index {
                    Some(index) => reached.join_core(index.enter(inner), |_, (), to| Some(*to)),
                    None => reached.join_map(edges.enter(inner), |_, (), to| *to),
                };
                next.concat(roots).threshold(|_, copies| i64::from(*copies > 0))
            });
            reached
                .inspect_container(move |event| {
                    if let Ok((_, data)) = event {
                        counter.set(counter.get() + data.len() as u64);
                    }
                })
                .probe_with(&probe);
            (edges_input, roots_input)
        });
        let mut this = Typed { worker, edges, roots: input, probe, rows };
        roots.iter().for_each(|&root| this.roots.update(root, 1));
        this.finish();
        this
    }

    fn finish(&mut self) {
        let next = self.edges.time() + 1;
        self.edges.advance_to(next);
        self.edges.flush();
        self.roots.advance_to(next);
        self.roots.flush();
        while self.probe.less_than(&next) {
            self.worker.step();
        }
    }
}

impl Reachability for Typed {
    fn epoch(&mut self, edges: &Edges) -> u64 {
        for &(from, to, copies) in edges {
            self.edges.update((from, to), copies);
        }
        self.finish();
        self.rows.get()
    }
}
