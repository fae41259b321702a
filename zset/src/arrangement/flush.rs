//! [`Flush`]: rows that came in batches become a run.
//!
//! A radix pass over the leading bits of the order words cuts the rows into small buckets; then each step sorts the next
//! buckets and copies their rows into a segment. Until it is done the rows are read where they were.

use std::sync::Arc;

use super::batches::Batches;
use super::draft::{Draft, segment_rows};
use super::run::{Run, Segment};
use super::shape::Shape;

const MAX_BUCKET_BITS: u32 = 14;
/// Putting a row into its bucket costs this much less than sorting and copying it.
const PLACED_PER_SORTED: usize = 4;

/// The sorting of batches into a run, in steps.
#[derive(Debug)]
pub(super) struct Flush {
    batches: Batches,
    /// The order words by position, until they are all in `entries`.
    orders: Vec<u64>,
    placed: usize,
    /// Order word and position of each row, bucket by bucket.
    entries: Vec<(u64, u32)>,
    /// The number of buckets is two to the power of this.
    bucket_bits: u32,
    /// The end of what is placed in each bucket; of those that are done, the end.
    ends: Vec<usize>,
    next_bucket: usize,
    done: usize,
    segment_rows: usize,
    output: Vec<Arc<Segment>>,
}

impl Flush {
    /// # Panics
    /// If there are more than `u32::MAX` rows.
    pub(super) fn new(shape: &Shape, batches: Batches, orders: Vec<u64>) -> Self {
        assert!(u32::try_from(orders.len()).is_ok() && orders.len() == batches.rows(), "a flush has fewer than 2^32 rows");
        let segment_rows = segment_rows(shape, batches.iter());
        let bucket_bits = (orders.len() / shape.limits.sort_bucket.min(segment_rows)).max(1).ilog2().min(MAX_BUCKET_BITS);
        let mut ends = vec![0usize; 1 << bucket_bits];
        for &order in &orders {
            ends[bucket(order, bucket_bits)] += 1;
        }
        let mut sum = 0;
        for end in &mut ends {
            sum += std::mem::replace(end, sum);
        }
        let entries = vec![(0, 0); orders.len()];
        Flush {
            batches,
            orders,
            placed: 0,
            entries,
            bucket_bits,
            ends,
            next_bucket: 0,
            done: 0,
            segment_rows,
            output: Vec::new(),
        }
    }

    pub(super) fn rows(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn is_done(&self) -> bool {
        self.done == self.entries.len()
    }

    /// Does about one segment's share of the work; returns it as a number of rows sorted and copied.
    pub(super) fn step(&mut self, shape: &Shape) -> usize {
        match self.orders.is_empty() {
            false => self.place().div_ceil(PLACED_PER_SORTED),
            true => self.sort(shape),
        }
    }

    /// Puts the next rows into their buckets; returns their number.
    fn place(&mut self) -> usize {
        let start = self.placed;
        self.placed = self.orders.len().min(start + PLACED_PER_SORTED * self.segment_rows);
        for (position, &order) in self.orders[..self.placed].iter().enumerate().skip(start) {
            let place = &mut self.ends[bucket(order, self.bucket_bits)];
            self.entries[*place] = (order, position as u32);
            *place += 1;
        }
        if self.placed == self.orders.len() {
            self.orders = Vec::new();
        }
        self.placed - start
    }

    /// Sorts and copies the next buckets; returns the number of their rows.
    fn sort(&mut self, shape: &Shape) -> usize {
        let start = self.done;
        while self.done - start < self.segment_rows
            && let Some(&end) = self.ends.get(self.next_bucket)
        {
            self.entries[self.done..end].sort_unstable_by_key(|entry| entry.0);
            self.done = end;
            self.next_bucket += 1;
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
        output + self.orders.capacity() * 8 + self.entries.capacity() * size_of::<(u64, u32)>()
    }

    /// The run, once [`Flush::is_done`].
    pub(super) fn finish(self) -> Run {
        debug_assert!(self.is_done());
        Run::new(self.output, 0)
    }
}

fn bucket(order: u64, bits: u32) -> usize {
    // A shift by 64, for the only bucket, would overflow: two shifts.
    ((order >> 1) >> (63 - bits)) as usize
}
