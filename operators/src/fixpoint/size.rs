//! How much the arrangements of a recursion hold.

use std::cell::RefCell;
use std::rc::Rc;

use differential_dataflow::operators::arrange::TraceAgent;
use differential_dataflow::trace::{BatchReader, Trace, TraceReader};
use timely::progress::Antichain;

use crate::StateSize;

/// The arrangements of a recursion on one worker. Clones are the same list.
#[derive(Clone, Default)]
pub(crate) struct Arrangements(Rc<RefCell<Vec<Measure>>>);

type Measure = Box<dyn FnMut() -> StateSize>;

impl Arrangements {
    /// Adds an arrangement of records that take `record_bytes` each, what they point to left out.
    pub(super) fn add<Tr: Trace + 'static>(&self, trace: &TraceAgent<Tr>, record_bytes: usize) {
        let mut trace = trace.clone();
        // This reader needs no times: it must not keep any apart.
        let nothing = Antichain::new();
        trace.set_logical_compaction(nothing.borrow());
        trace.set_physical_compaction(nothing.borrow());
        let measure = move || {
            let mut rows = 0;
            trace.map_batches(|batch| rows += batch.len());
            StateSize { rows, bytes: rows * record_bytes }
        };
        self.0.borrow_mut().push(Box::new(measure));
    }

    /// All of them together: records are counted once for each time at which they changed.
    pub(super) fn size(&self) -> StateSize {
        self.0.borrow_mut().iter_mut().map(|measure| measure()).fold(StateSize::default(), StateSize::plus)
    }
}
