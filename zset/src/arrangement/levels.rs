//! [`Levels`]: the runs of an arrangement, and the flushes and merges between them.
//!
//! Weights commute, so any two runs may be merged: those are that differ by less than a factor of two in size. Sizes of
//! the others at least double from one to the next, hence logarithmically many runs. Work is done smallest first, so that big merges
//! take the fuel that is left over and small runs never queue up behind them.

use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

use super::batches::Batches;
use super::flush::Flush;
use super::head::Head;
use super::merge::Merge;
use super::run::Run;
use super::shape::Shape;
use crate::ZBatch;

/// Sorting a row costs as much fuel as merging so many.
const SORT_COST: usize = 2;

/// The rows that an arrangement has sorted and merged, each as often as it was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Rows sorted into a run.
    pub sorted_rows: u64,
    /// Rows copied from two runs into one.
    pub merged_rows: u64,
}

/// The runs, and what is to become of them.
#[derive(Debug)]
pub(super) struct Levels {
    shape: Arc<Shape>,
    /// Full heads, oldest first; the first may be in the middle of its flush.
    heads: VecDeque<Rc<Head>>,
    flush: Option<Flush>,
    /// The head that was flushed last, while versions may still read it.
    retired: Option<Rc<Head>>,
    /// An empty head with memory for the next rows.
    spare: Option<Head>,
    /// Runs that take no part in a merge, smallest first.
    runs: Vec<Arc<Run>>,
    merges: Vec<Merge>,
    /// The runs as probes see them.
    visible: Arc<Vec<Arc<Run>>>,
    /// Rows of work done beyond the fuel, to be made up for.
    debt: usize,
    work: Work,
}

impl Levels {
    pub(super) fn new(shape: Arc<Shape>) -> Self {
        Levels {
            shape,
            heads: VecDeque::new(),
            flush: None,
            retired: None,
            spare: None,
            runs: Vec::new(),
            merges: Vec::new(),
            visible: Arc::default(),
            debt: 0,
            work: Work::default(),
        }
    }

    /// Takes over a full head; returns an empty one, if possible in the memory of one that is flushed: fresh memory costs a page fault
    /// at nearly every row of the first epochs.
    pub(super) fn flush(&mut self, head: Rc<Head>, limit: usize) -> Rc<Head> {
        self.heads.push_back(head);
        let spare = self.spare.take().filter(|spare| spare.capacity() >= limit);
        Rc::new(spare.unwrap_or_else(|| Head::with_capacity(limit)))
    }

    /// Sorts a batch into a run at once.
    pub(super) fn sort_now(&mut self, batch: &ZBatch, orders: &[u64]) {
        // Positions of a flush have 32 bits.
        const ROWS: usize = 1 << 30;
        for start in (0..batch.len()).step_by(ROWS) {
            let rows = ROWS.min(batch.len() - start);
            let mut part = Batches::default();
            part.push(batch.slice(start, rows));
            self.sort_batches_now(part, orders[start..start + rows].to_vec());
        }
    }

    /// Sorts batches into a run at once.
    pub(super) fn sort_batches_now(&mut self, batches: Batches, orders: Vec<u64>) {
        let mut flush = Flush::new(&self.shape, batches, orders);
        self.work.sorted_rows += flush.rows() as u64;
        while !flush.is_done() {
            flush.step(&self.shape);
        }
        self.add_run(flush.finish());
        self.publish();
    }

    /// Sorts and merges up to `fuel` rows, and to the end of a step; returns the number of rows.
    pub(super) fn work_off(&mut self, fuel: usize) -> usize {
        match self.retired.take().map(Rc::try_unwrap) {
            Some(Ok(head)) => self.spare = Some(head.emptied()),
            still_read => self.retired = still_read.and_then(Result::err),
        }
        if fuel <= self.debt {
            self.debt -= fuel;
            return 0;
        }
        let fuel = fuel - std::mem::take(&mut self.debt);
        let mut done = 0;
        while done < fuel {
            match self.step() {
                0 => break,
                rows => done += rows,
            }
        }
        if done > 0 {
            self.publish();
        }
        self.debt = done.saturating_sub(fuel);
        done
    }

    /// Whether there is nothing to sort or merge, and no fuel owed for it.
    pub(super) fn is_idle(&self) -> bool {
        self.heads.is_empty() && self.merges.is_empty() && self.debt == 0
    }

    /// The rows of work per row appended that keep the number of runs logarithmic: a head must be sorted while the next one fills,
    /// and two runs of n rows merged by the time n rows more have arrived at their level. Any slower and probes meet more runs.
    pub(super) fn urgency(&self) -> usize {
        1 + 2 * self.merges.len() + SORT_COST * self.heads.len()
    }

    /// Makes the next calls of [`Levels::work_off`] do `rows` rows less.
    pub(super) fn owe(&mut self, rows: usize) {
        self.debt += rows;
    }

    /// Sorts or merges about one segment; returns the number of rows, `0` if there is nothing to do.
    fn step(&mut self) -> usize {
        if self.flush.is_none()
            && let Some(head) = self.heads.front()
        {
            let (batches, orders) = head.seal();
            self.flush = Some(Flush::new(&self.shape, batches, orders));
        }
        if let Some(flush) = &mut self.flush {
            let rows = flush.step(&self.shape);
            self.work.sorted_rows += rows as u64;
            if let Some(done) = self.flush.take_if(|flush| flush.is_done()) {
                self.retired = self.heads.pop_front();
                self.add_run(done.finish());
            }
            return SORT_COST * rows;
        }
        let Some(next) = (0..self.merges.len()).min_by_key(|&merge| self.merges[merge].remaining()) else { return 0 };
        let rows = self.merges[next].step(&self.shape);
        self.work.merged_rows += rows as u64;
        if self.merges[next].remaining() == 0 {
            let done = self.merges.swap_remove(next);
            self.add_run(done.finish());
        }
        rows
    }

    /// Adds a run and starts the merge that it makes due.
    fn add_run(&mut self, run: Run) {
        if run.len() == 0 {
            return;
        }
        let place = self.runs.partition_point(|other| other.len() < run.len());
        self.runs.insert(place, Arc::new(run));
        while let Some(small) = self.runs.windows(2).position(|pair| pair[1].len() < 2 * pair[0].len()) {
            let pair: Vec<Arc<Run>> = self.runs.drain(small..small + 2).collect();
            self.merges.push(Merge::new(&self.shape, &pair[0], &pair[1]));
        }
    }

    /// Lets the next version see the runs as they are now.
    fn publish(&mut self) {
        let merging = self.merges.iter().flat_map(Merge::visible).filter(|run| run.len() > 0).map(Arc::new);
        self.visible = Arc::new(self.runs.iter().cloned().chain(merging).collect());
    }

    /// The runs of a version.
    pub(super) fn visible(&self) -> Arc<Vec<Arc<Run>>> {
        self.visible.clone()
    }

    /// The full heads that are not runs yet.
    pub(super) fn flushing(&self) -> impl Iterator<Item = &Rc<Head>> {
        self.heads.iter()
    }

    pub(super) fn rows(&self) -> usize {
        let heads: usize = self.heads.iter().map(|head| head.len()).sum();
        heads + self.visible.iter().map(|run| run.len()).sum::<usize>()
    }

    pub(super) fn work(&self) -> Work {
        self.work
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let heads: usize = self.heads.iter().map(|head| head.memory_bytes()).sum();
        let segments = self.visible.iter().flat_map(|run| run.segments());
        let heads = heads + self.spare.as_ref().map_or(0, Head::memory_bytes);
        heads + segments.map(|segment| segment.memory_bytes()).sum::<usize>() + self.flush.as_ref().map_or(0, Flush::memory_bytes)
    }
}
