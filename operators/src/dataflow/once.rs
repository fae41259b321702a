//! [`run_once`]: a circuit over fixed contents, on the caller's thread.
//!
//! An ad hoc query is a view that lives for one epoch, and is run by the same operators.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use deltic_circuit::{Circuit, EpochInfo, error_schema};
use deltic_zset::{Result, ZBatch};
use timely::WorkerConfig;
use timely::communication::Allocator;
use timely::communication::allocator::thread::Thread;
use timely::worker::Worker;

use super::{Install, Registry, install};

/// The rows and the errors of `circuit` over `sources` at the time and the watermarks of `info`, both consolidated. Relations without an entry are
/// empty.
///
/// # Errors
/// Arrow's, if a string column of the result passes 2 GiB; [`deltic_zset::Error::WeightOverflow`] if a row occurs too often.
///
/// # Panics
/// If the circuit is not valid.
pub fn run_once(circuit: &Circuit, sources: HashMap<String, Vec<ZBatch>>, info: Arc<EpochInfo>) -> Result<(ZBatch, ZBatch)> {
    let mut worker = Worker::new(WorkerConfig::default(), Allocator::Thread(Thread::default()), None);
    let mut registry = Registry::default();
    let parts = Rc::new(RefCell::new((Vec::new(), Vec::new())));
    let collected = parts.clone();
    let query = Install { view: "query", circuit, since: 0, info, hydrate: sources, hydrate_errors: HashMap::new() };
    let dataflow = install(
        &mut worker,
        &mut registry,
        query,
        Box::new(move |_epoch, part| {
            let (rows, errors) = &mut *collected.borrow_mut();
            rows.push(part.rows);
            errors.push(part.errors);
        }),
    );
    while !dataflow.done(0) {
        worker.step();
    }
    let (rows, errors) = &*parts.borrow();
    let rows = ZBatch::concat(circuit.schema(), rows)?.consolidate()?;
    let errors = ZBatch::concat(&error_schema(), errors)?.consolidate()?;
    Ok((rows, errors))
}
