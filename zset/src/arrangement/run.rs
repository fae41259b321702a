//! [`Run`]: immutable rows in the order of their order words, in [`Segment`]s of bounded size.
//!
//! Segments bound everything: offsets of string columns stay below 2 GiB, row numbers fit 16 bits in the directory, a merge writes and
//! releases one at a time. Each has a directory that maps a key word to the few rows that may have it, linearly between the
//! segment's first and last word, since hashes are uniform. A run that is being merged loses rows from its front: `skip` of the
//! first segment are gone already, and those segments that are gone entirely are not in the run any more.

use std::sync::Arc;

use super::matches::Matches;
use super::probe::{ProbeKeys, prefetch};
use super::shape::{Shape, key_of};
use crate::ZBatch;

/// The most rows of a segment: positions fit 16 bits.
pub(super) const MAX_SEGMENT_ROWS: usize = u16::MAX as usize;
/// Rows per bucket of a segment's directory, on average.
const BUCKET_ROWS: usize = 4;
/// Rows looked at at once: more than most buckets have.
const WINDOW: usize = 8;
/// How many keys are on their way from memory at a time.
const GROUP: usize = 32;

/// A bounded piece of a run. Never empty.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) rows: Arc<ZBatch>,
    /// The order word of each row, ascending.
    pub(super) orders: Vec<u64>,
    /// The first row of each bucket, and at the end the number of rows.
    directory: Vec<u16>,
    /// Buckets per key word, as a fraction of 2^32.
    buckets_per_word: u64,
}

impl Segment {
    /// # Panics
    /// If there are no rows, or too many.
    pub(super) fn new(rows: ZBatch, orders: Vec<u64>) -> Self {
        assert!(!orders.is_empty() && orders.len() <= MAX_SEGMENT_ROWS && orders.len() == rows.len());
        debug_assert!(orders.is_sorted());
        let first = key_of(orders[0]);
        let words = u64::from(key_of(orders[orders.len() - 1]) - first) + 1;
        let buckets = (orders.len() / BUCKET_ROWS).max(1);
        let buckets_per_word = (((buckets as u64) << 32) / words).min(1 << 32);
        let mut directory = Vec::with_capacity(buckets + 1);
        for (row, &order) in orders.iter().enumerate() {
            let bucket = bucket(key_of(order) - first, buckets_per_word);
            while directory.len() <= bucket {
                directory.push(row as u16);
            }
        }
        directory.push(orders.len() as u16);
        directory.shrink_to_fit();
        Segment { rows: Arc::new(rows), orders, directory, buckets_per_word }
    }

    fn first_word(&self) -> u32 {
        key_of(self.orders[0])
    }

    fn last_word(&self) -> u32 {
        key_of(self.orders[self.orders.len() - 1])
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.rows.memory_bytes() + self.orders.capacity() * 8 + self.directory.capacity() * 2 + size_of::<Self>()
    }
}

fn bucket(word: u32, buckets_per_word: u64) -> usize {
    ((u64::from(word) * buckets_per_word) >> 32) as usize
}

/// Rows in order. Cloning shares the segments.
#[derive(Debug, Default)]
pub(super) struct Run {
    segments: Vec<Arc<Segment>>,
    /// The first and last key word of each segment: read at every probe, so kept together.
    words: Vec<(u32, u32)>,
    /// The rows of the first segment that are not part of the run.
    skip: usize,
    rows: usize,
}

impl Run {
    /// The rows of `segments` without the first `skip` ones of the first segment.
    pub(super) fn new(segments: Vec<Arc<Segment>>, skip: usize) -> Self {
        let rows = segments.iter().map(|segment| segment.orders.len()).sum::<usize>() - skip;
        let words = segments.iter().map(|segment| (segment.first_word(), segment.last_word())).collect();
        debug_assert!(segments.is_sorted_by(|a, b| a.orders[a.orders.len() - 1] <= b.orders[0]));
        Run { segments, words, skip, rows }
    }

    pub(super) fn len(&self) -> usize {
        self.rows
    }

    pub(super) fn segments(&self) -> &[Arc<Segment>] {
        &self.segments
    }

    /// The rows, one batch per segment.
    pub(super) fn batches(&self) -> impl Iterator<Item = ZBatch> + '_ {
        self.segments.iter().enumerate().map(|(index, segment)| match index {
            0 if self.skip > 0 => segment.rows.slice(self.skip, segment.rows.len() - self.skip),
            _ => segment.rows.as_ref().clone(),
        })
    }

    /// Proposes the rows whose key hash is looked for, and verifies them.
    pub(super) fn probe(&self, shape: &Shape, keys: &ProbeKeys<'_>, matches: &mut Matches) {
        let mut places = [Place::default(); GROUP];
        let mut segment = 0;
        let mut source = None;
        for group in self.in_range(keys.sorted()).chunks(GROUP) {
            // Three rounds over a group, so that the memory a round needs is on its way since the round before.
            for (place, &(word, _)) in places.iter_mut().zip(group) {
                segment = self.segment_from(segment, word);
                *place = self.bucket_of(segment, word);
            }
            for place in &mut places[..group.len()] {
                self.enter(place);
            }
            for (place, &(word, probe_row)) in places.iter().zip(group) {
                self.propose(place, word, probe_row, &mut source, matches);
            }
        }
        matches.verify(shape, keys);
    }

    /// The keys that are not outside of the run altogether: of a run that is being merged, half of them are.
    fn in_range<'k>(&self, keys: &'k [(u32, u32)]) -> &'k [(u32, u32)] {
        let (Some(first), Some(&(_, last))) = (self.segments.first(), self.words.last()) else { return &[] };
        let first = key_of(first.orders[self.skip]);
        let keys = &keys[keys.partition_point(|&(word, _)| word < first)..];
        &keys[..keys.partition_point(|&(word, _)| word <= last)]
    }

    /// The first segment from `segment` on whose last word is not below `word`; the number of segments if there is none.
    fn segment_from(&self, segment: usize, word: u32) -> usize {
        let rest = &self.words[segment..];
        match rest.first() {
            Some(&(_, last)) if last < word => segment + 1 + rest[1..].partition_point(|&(_, last)| last < word),
            _ => segment,
        }
    }

    fn bucket_of(&self, segment: usize, word: u32) -> Place {
        match self.words.get(segment) {
            Some(&(first, _)) if first <= word => {
                let found = &self.segments[segment];
                let bucket = bucket(word - first, found.buckets_per_word);
                prefetch(&found.directory, bucket);
                Place { segment, row: bucket }
            }
            _ => Place { segment: usize::MAX, row: 0 },
        }
    }

    /// From the bucket of a place to its first row.
    fn enter(&self, place: &mut Place) {
        if let Some(segment) = self.segments.get(place.segment) {
            place.row = usize::from(segment.directory[place.row]);
            if place.segment == 0 {
                place.row = place.row.max(self.skip);
            }
            prefetch(&segment.orders, place.row);
            prefetch(&segment.orders, place.row + WINDOW - 1);
        }
    }

    fn propose(&self, place: &Place, word: u32, probe_row: u32, source: &mut Option<(usize, usize)>, matches: &mut Matches) {
        let Place { segment: mut index, mut row } = *place;
        while let Some(segment) = self.segments.get(index) {
            // How many rows to pass is as random as hashes are, so they are counted without branching on each.
            if let Some(window) = segment.orders.get(row..row + WINDOW) {
                let below = window.iter().filter(|&&order| key_of(order) < word).count();
                let upto = window.iter().filter(|&&order| key_of(order) <= word).count();
                if below == upto && below < WINDOW {
                    return;
                }
                row += below;
            }
            while row < segment.orders.len() && key_of(segment.orders[row]) < word {
                row += 1;
            }
            while row < segment.orders.len() && key_of(segment.orders[row]) == word {
                let number = match *source {
                    Some((known, number)) if known == index => number,
                    _ => {
                        let number = matches.add_source(&segment.rows);
                        *source = Some((index, number));
                        number
                    }
                };
                matches.propose(probe_row, number, row);
                row += 1;
            }
            // Only a key that reaches the end of its segment goes on in the next one.
            if row < segment.orders.len() {
                return;
            }
            (index, row) = (index + 1, 0);
        }
    }
}

/// Where the rows of a key may be: a segment, and in it first a bucket and then a row.
#[derive(Clone, Copy, Default)]
struct Place {
    segment: usize,
    row: usize,
}
