//! [`OrderedIndex`]: an augmented B+tree.

mod summary;

pub use summary::{Event, Span, Summary, WeightCount, Weighted};

use std::ops::{Bound, RangeBounds};

/// A multiset of ordered keys with `i64` weights and a summary per subtree.
#[allow(dead_code)]
pub struct OrderedIndex<K, S> {
    entries: std::collections::BTreeMap<K, i64>,
    summary: S,
}

#[allow(unused_variables, clippy::todo)]
impl<K: Ord + Clone, S: Summary<K>> OrderedIndex<K, S> {
    /// An index without entries.
    pub fn new() -> Self {
        todo!()
    }
    /// Adds `delta` to the weight of `key`; returns the old and the new weight. The entry is removed at 0.
    pub fn update(&mut self, key: K, delta: i64) -> (i64, i64) {
        todo!()
    }
    /// Applies many changes; `observe(key, old weight, new weight)` sees each. Right in any order, fast if sorted by key.
    pub fn update_sorted<C, F>(&mut self, changes: C, observe: F)
    where
        C: IntoIterator<Item = (K, i64)>,
        F: FnMut(&K, i64, i64),
    {
        todo!()
    }
    /// The weight of `key`, 0 if it has no entry.
    pub fn weight(&self, key: &K) -> i64 {
        todo!()
    }
    /// The number of entries (distinct keys).
    pub fn len(&self) -> usize {
        todo!()
    }
    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        todo!()
    }
    /// The first entry at or after (`Included`) or after (`Excluded`) the bound.
    pub fn first_from(&self, bound: Bound<&K>) -> Option<(&K, i64)> {
        todo!()
    }
    /// The last entry at or before (`Included`) or before (`Excluded`) the bound.
    pub fn last_to(&self, bound: Bound<&K>) -> Option<(&K, i64)> {
        todo!()
    }
    /// The entries of a range, from both ends.
    pub fn range(&self, range: impl RangeBounds<K>) -> impl DoubleEndedIterator<Item = (&K, i64)> {
        let _ = range;
        self.entries.iter().map(|(key, weight)| (key, *weight))
    }
    /// The summary of a range.
    pub fn summary(&self, range: impl RangeBounds<K>) -> S {
        todo!()
    }
    /// The farthest entry `e` such that `holds(summary of from ..= e)`, where `holds` is monotone (once false, false for more).
    pub fn last_while(&self, from: Bound<&K>, holds: impl FnMut(&S) -> bool) -> Option<(&K, i64)> {
        todo!()
    }
    /// The farthest entry `e` to the left such that `holds(summary of e ..= to)`.
    pub fn first_while(&self, to: Bound<&K>, holds: impl FnMut(&S) -> bool) -> Option<(&K, i64)> {
        todo!()
    }
    /// The heap memory of the index in bytes, without what keys point to.
    pub fn memory_bytes(&self) -> usize {
        todo!()
    }
}

#[allow(unused_variables, clippy::todo)]
impl<K: Ord + Clone, S: Summary<K> + Weighted> OrderedIndex<K, S> {
    /// The sum of the weights of the keys strictly before `key`.
    pub fn rank(&self, key: &K) -> i64 {
        todo!()
    }
    /// The entry that holds copy `n` (from 0) in key order, and how many copies of its key stand before it.
    pub fn select(&self, n: i64) -> Option<(&K, i64)> {
        todo!()
    }
    /// As [`select`](Self::select), counted from the first copy at or after `start`.
    pub fn select_from(&self, start: &K, n: i64) -> Option<(&K, i64)> {
        todo!()
    }
}

impl<K: Ord + Clone, S: Summary<K>> Default for OrderedIndex<K, S> {
    fn default() -> Self {
        Self::new()
    }
}
