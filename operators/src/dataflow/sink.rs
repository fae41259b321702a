//! The sink: where a view leaves its dataflow.
//!
//! It has one input for the rows and one for the errors of each node that can fail. An epoch is handed over once, when it is
//! complete on all workers, and only if this worker has a part of it. Handing over comes before the epoch counts as done.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

use arrow::datatypes::SchemaRef;
use deltic_circuit::error_schema;
use deltic_zset::ZBatch;
use timely::dataflow::Scope;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;

use super::Part;
use super::registry::Publication;
use crate::Output;
use crate::container::DeltaStream;
use crate::driver::{Inlet, Port, least, port};
use crate::exchange::coalesce;

/// Who hears of the view.
pub(super) struct Audience {
    pub(super) schema: SchemaRef,
    pub(super) sink: Box<dyn FnMut(u64, Part)>,
    /// The dataflows of the views that read this one.
    pub(super) publication: Publication,
    /// Set to the epoch before which all is handed over.
    pub(super) complete_before: Rc<Cell<u64>>,
}

/// Builds the sink of the view whose output is `rows`.
pub(super) fn sink<'scope>(
    scope: Scope<'scope, u64>,
    name: &str,
    rows: DeltaStream<'scope>,
    errors: Vec<DeltaStream<'scope>>,
    mut audience: Audience,
) {
    let mut builder = OperatorBuilder::new(format!("sink of {name}"), scope);
    let streams = std::iter::once(rows).chain(errors);
    let mut ports: Vec<Port> = streams.map(|rows| port(&mut builder, Inlet { rows, exchange: None })).collect();
    let mut open: BTreeMap<u64, Output> = BTreeMap::new();
    builder.build(move |_capabilities| {
        move |frontiers| {
            for (number, port) in ports.iter_mut().enumerate() {
                port(&mut |capability, batch| {
                    let output = open.entry(*capability.time()).or_default();
                    let part = if number == 0 { &mut output.rows } else { &mut output.errors };
                    part.push(batch);
                });
            }
            let frontier = least(frontiers);
            while let Some(entry) = open.first_entry().filter(|entry| *entry.key() < frontier) {
                let (epoch, output) = entry.remove_entry();
                audience.hear(epoch, output);
            }
            audience.publication.advance_to(frontier);
            audience.complete_before.set(frontier.max(audience.complete_before.get()));
        }
    });
}

impl Audience {
    fn hear(&mut self, epoch: u64, output: Output) {
        let output = Output { rows: coalesce(output.rows), errors: coalesce(output.errors) };
        self.publication.publish(epoch, &output);
        let Output { rows, errors } = output;
        // More than one batch means that they do not fit into one: then the part comes in parts.
        let (mut rows, mut errors) = (rows.into_iter(), errors.into_iter());
        loop {
            let (some_rows, some_errors) = (rows.next(), errors.next());
            if some_rows.is_none() && some_errors.is_none() {
                return;
            }
            let rows = some_rows.map(|rows| rows.with_schema(self.schema.clone()));
            (self.sink)(
                epoch,
                Part {
                    rows: rows.unwrap_or_else(|| ZBatch::empty(self.schema.clone())),
                    errors: some_errors.unwrap_or_else(|| ZBatch::empty(error_schema())),
                },
            );
        }
    }
}
