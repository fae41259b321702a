//! [`Flush`]: rows that came in batches become a run.
//!
//! A radix pass over the leading bits of the order words cuts the rows into small buckets; then each step sorts the next
//! buckets and copies their rows into a segment. Until it is done the rows are read where they were.

use std::sync::Arc;

use super::batches::Batches;
use super::draft::{Draft, segment_rows};
use super::run::{Run, Segment};
use super::shape::Shape;

const MAX_BUCKETS: usize = 1 << 14;

/// The sorting of batches into a run, in steps.
#[derive(Debug)]
pub(super) struct Flush {
    batches: Batches,
    /// Order word and position of each row, bucket by bucket.
    entries: Vec<(u64, u32)>,
    /// The end of each bucket that is not copied yet, the next one last.
    ends: Vec<usize>,
    done: usize,
    segment_rows: usize,
    output: Vec<Arc<Segment>>,
}

impl Flush {
    /// # Panics
    /// If there are more than `u32::MAX` rows.
    pub(super) fn new(shape: &Shape, batches: Batches, orders: &[u64]) -> Self {
        assert!(u32::try_from(orders.len()).is_ok() && orders.len() == batches.rows(), "a flush has fewer than 2^32 rows");
        let buckets = (orders.len() / shape.limits.sort_bucket).next_power_of_two().min(MAX_BUCKETS);
        // A shift by 64 for the single bucket would overflow: two shifts.
        let bucket = |order: u64| ((order >> 1) >> (63 - buckets.ilog2())) as usize;
        let mut ends = vec![0usize; buckets];
        for &order in orders {
            ends[bucket(order)] += 1;
        }
        let mut sum = 0;
        for end in &mut ends {
            sum += std::mem::replace(end, sum);
        }
        let mut entries = vec![(0, 0); orders.len()];
        for (position, &order) in orders.iter().enumerate() {
            let place = &mut ends[bucket(order)];
            entries[*place] = (order, position as u32);
            *place += 1;
        }
        ends.reverse();
        let segment_rows = segment_rows(shape, batches.iter());
        Flush { batches, entries, ends, done: 0, segment_rows, output: Vec::new() }
    }

    pub(super) fn rows(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn is_done(&self) -> bool {
        self.ends.is_empty()
    }

    /// Sorts and copies about one segment; returns the number of rows.
    pub(super) fn step(&mut self, shape: &Shape) -> usize {
        let start = self.done;
        while let Some(&end) = self.ends.last() {
            // Empty buckets go with the one before them, so that each step does something.
            if end > self.done && self.done - start >= self.segment_rows {
                break;
            }
            self.entries[self.done..end].sort_unstable_by_key(|entry| entry.0);
            self.done = end;
            self.ends.pop();
        }
        let mut draft = Draft::with_capacity(self.done - start);
        let sources: Vec<usize> = self.batches.iter().map(|batch| draft.add_source(batch)).collect();
        for &(order, position) in &self.entries[start..self.done] {
            let (batch, row) = self.batches.locate(position as usize);
            draft.push(order, sources[batch], row);
        }
        draft.finish(shape, &mut self.output);
        self.done - start
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let output: usize = self.output.iter().map(|segment| segment.memory_bytes()).sum();
        output + self.entries.capacity() * size_of::<(u64, u32)>()
    }

    /// The run, once [`Flush::is_done`].
    pub(super) fn finish(self) -> Run {
        debug_assert!(self.is_done());
        Run::new(self.output, 0)
    }
}
