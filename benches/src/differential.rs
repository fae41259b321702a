//! Typed differential-dataflow twins of our operators: the best idioms for totally ordered time, with types known at compile time.
//!
//! Each twin owns a single-threaded timely worker and runs epochs in a closed loop: feed, then step until the probe has passed.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Instant;

use differential_dataflow::input::{Input, InputSession};
use differential_dataflow::operators::count::CountTotal;
use differential_dataflow::operators::threshold::ThresholdTotal;
use timely::WorkerConfig;
use timely::communication::Allocator;
use timely::communication::allocator::thread::Thread;
use timely::dataflow::ProbeHandle;
use timely::worker::Worker;

/// A fresh single-threaded worker.
pub fn single_worker() -> Worker {
    Worker::new(WorkerConfig::default(), Allocator::Thread(Thread::default()), Some(Instant::now()))
}

/// An operator under comparison: takes epochs of two-column rows.
pub trait EpochLoop {
    /// Feeds one epoch and waits for its output. Returns the rows that came out so far.
    fn epoch(&mut self, keys: &[i64], values: &[i64]) -> u64;
}

/// `SELECT k, count(*), sum(v) GROUP BY k` as `count_total` with the sum in the difference.
pub struct GroupBy {
    worker: Worker,
    input: InputSession<u64, i64, (i64, i64)>,
    probe: ProbeHandle<u64>,
    rows: Rc<Cell<u64>>,
}

impl Default for GroupBy {
    fn default() -> Self {
        let mut worker = single_worker();
        let rows = Rc::new(Cell::new(0));
        let probe = ProbeHandle::new();
        let input = worker.dataflow(|scope| {
            let (input, collection) = scope.new_collection::<i64, (i64, i64)>();
            let counter = rows.clone();
            collection
                .count_total_core::<i64>()
                .inspect_container(move |event| {
                    if let Ok((_, data)) = event {
                        counter.set(counter.get() + data.len() as u64);
                    }
                })
                .probe_with(&probe);
            input
        });
        GroupBy { worker, input, probe, rows }
    }
}

impl EpochLoop for GroupBy {
    fn epoch(&mut self, keys: &[i64], values: &[i64]) -> u64 {
        for (&key, &value) in keys.iter().zip(values) {
            self.input.update(key, (1, value));
        }
        finish(&mut self.worker, &mut self.input, &self.probe);
        self.rows.get()
    }
}

/// `SELECT DISTINCT k, v` as `threshold_semigroup`.
pub struct Distinct {
    worker: Worker,
    input: InputSession<u64, (i64, i64), i64>,
    probe: ProbeHandle<u64>,
    rows: Rc<Cell<u64>>,
}

impl Default for Distinct {
    fn default() -> Self {
        let mut worker = single_worker();
        let rows = Rc::new(Cell::new(0));
        let probe = ProbeHandle::new();
        let input = worker.dataflow(|scope| {
            let (input, collection) = scope.new_collection::<(i64, i64), i64>();
            let counter = rows.clone();
            collection
                .threshold_semigroup(|_, _, old: Option<&i64>| old.is_none().then_some(1i64))
                .inspect_container(move |event| {
                    if let Ok((_, data)) = event {
                        counter.set(counter.get() + data.len() as u64);
                    }
                })
                .probe_with(&probe);
            input
        });
        Distinct { worker, input, probe, rows }
    }
}

impl EpochLoop for Distinct {
    fn epoch(&mut self, keys: &[i64], values: &[i64]) -> u64 {
        for (&key, &value) in keys.iter().zip(values) {
            self.input.update((key, value), 1);
        }
        finish(&mut self.worker, &mut self.input, &self.probe);
        self.rows.get()
    }
}

/// `SELECT .. FROM l JOIN r ON l.k = r.k` over two arrangements; epochs go to the left side.
pub struct Join {
    worker: Worker,
    left: InputSession<u64, (i64, i64), i64>,
    right: InputSession<u64, (i64, i64), i64>,
    probe: ProbeHandle<u64>,
    rows: Rc<Cell<u64>>,
}

impl Default for Join {
    fn default() -> Self {
        let mut worker = single_worker();
        let rows = Rc::new(Cell::new(0));
        let probe = ProbeHandle::new();
        let (left, right) = worker.dataflow(|scope| {
            let (left, l) = scope.new_collection::<(i64, i64), i64>();
            let (right, r) = scope.new_collection::<(i64, i64), i64>();
            let counter = rows.clone();
            l.arrange_by_key()
                .join_core(r.arrange_by_key(), |key, left, right| Some((*key, *left, *right)))
                .inspect_container(move |event| {
                    if let Ok((_, data)) = event {
                        counter.set(counter.get() + data.len() as u64);
                    }
                })
                .probe_with(&probe);
            (left, right)
        });
        Join { worker, left, right, probe, rows }
    }
}

impl Join {
    /// Loads the right side.
    pub fn load_right(&mut self, keys: &[i64], values: &[i64]) {
        for (&key, &value) in keys.iter().zip(values) {
            self.right.update((key, value), 1);
        }
        let next = self.left.time() + 1;
        self.left.advance_to(next);
        self.left.flush();
        finish(&mut self.worker, &mut self.right, &self.probe);
    }
}

impl EpochLoop for Join {
    fn epoch(&mut self, keys: &[i64], values: &[i64]) -> u64 {
        for (&key, &value) in keys.iter().zip(values) {
            self.left.update((key, value), 1);
        }
        let next = self.right.time() + 1;
        self.right.advance_to(next);
        self.right.flush();
        finish(&mut self.worker, &mut self.left, &self.probe);
        self.rows.get()
    }
}

/// Ends the epoch of `input` and steps until its output is complete.
fn finish<D, R>(worker: &mut Worker, input: &mut InputSession<u64, D, R>, probe: &ProbeHandle<u64>)
where
    D: differential_dataflow::Data,
    R: differential_dataflow::difference::Semigroup + 'static,
{
    let next = input.time() + 1;
    input.advance_to(next);
    input.flush();
    while probe.less_than(input.time()) {
        worker.step();
    }
}
