//! A dataflow in a closed loop, and random numbers.

use std::cell::Cell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use deltic_circuit::{Circuit, EpochInfo};
use deltic_operators::{Dataflow, Install, Registry, install};
use deltic_zset::ZBatch;
use timely::WorkerConfig;
use timely::communication::Allocator;
use timely::communication::allocator::thread::Thread;
use timely::worker::Worker;

/// splitmix64.
pub(crate) fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut x = *state;
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// A circuit on a single-threaded worker, fed epoch by epoch.
pub(crate) struct Loop {
    worker: Worker,
    dataflow: Dataflow,
    epoch: u64,
    rows: Rc<Cell<usize>>,
    // Dropped last: the dataflow is registered in it.
    registry: Registry,
}

impl Loop {
    /// Installs `circuit` over empty relations.
    pub(crate) fn new(circuit: &Circuit) -> Self {
        let mut worker = Worker::new(WorkerConfig::default(), Allocator::Thread(Thread::default()), Some(Instant::now()));
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
        let sink = Box::new(move |_, part: deltic_operators::Part| counter.set(counter.get() + part.rows.len()));
        let dataflow = install(&mut worker, &mut registry, installed, sink);
        Loop { worker, dataflow, epoch: 1, rows, registry }
    }

    /// Feeds one epoch, which has this time, and waits for its output. Returns the rows that came out so far.
    pub(crate) fn feed(&mut self, info: Option<EpochInfo>, deltas: Vec<(&str, ZBatch)>) -> usize {
        if let Some(info) = info {
            self.registry.times().insert(self.epoch, Arc::new(info));
        }
        for (relation, batch) in deltas {
            self.dataflow.push(relation, batch);
        }
        self.dataflow.advance_to(self.epoch + 1);
        while !self.dataflow.done(self.epoch) {
            self.worker.step();
        }
        self.epoch += 1;
        self.rows.get()
    }
}
