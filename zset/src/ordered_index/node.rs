//! The nodes of the tree, and how one splits.

use super::slots::Slots;
use super::{Place, Summary};

/// Entries per leaf. A change moves half of a leaf and combines all of it anew, so that big trees cost bandwidth: with 64 entries of 48
/// bytes a random change of a million took two and a half times as long.
pub(super) const LEAF: usize = 24;
/// Children per inner node.
pub(super) const FAN_OUT: usize = 32;
/// Sequential insertions after which a leaf is split where they happen instead of in the middle.
const SEQUENCE: u8 = 8;

/// Entries in key order. Never empty while it is linked.
pub(super) struct Leaf<K> {
    pub(super) keys: Slots<K, LEAF>,
    pub(super) weights: Slots<i64, LEAF>,
    /// Where an insertion would continue the previous one.
    sequence_at: u8,
    /// How many insertions have continued one another.
    sequence: u8,
}

impl<K: Ord> Leaf<K> {
    pub(super) fn new() -> Self {
        Leaf { keys: Slots::new(), weights: Slots::new(), sequence_at: 0, sequence: 0 }
    }

    pub(super) fn summary<S: Summary<K>>(&self) -> S {
        self.fold(0, self.keys.len())
    }

    /// The summary of entries `from .. to`; of none if that is empty or reversed.
    pub(super) fn fold<S: Summary<K>>(&self, from: usize, to: usize) -> S {
        if from >= to {
            return S::identity();
        }
        S::of_entries(&self.keys[from..to], &self.weights[from..to])
    }

    pub(super) fn offset(&self, place: Place<'_, K>) -> usize {
        match place {
            Place::Start => 0,
            Place::Before(key) => self.keys.partition_point(|entry| entry < key),
            Place::After(key) => self.keys.partition_point(|entry| entry <= key),
            Place::End => self.keys.len(),
        }
    }

    /// Starts to load the entries.
    pub(super) fn prefetch(&self) {
        self.keys.prefetch_slots();
        self.weights.prefetch_slots();
    }

    pub(super) fn insert(&mut self, at: usize, key: K, weight: i64) {
        self.sequence = if at == self.sequence_at as usize { self.sequence.saturating_add(1) } else { 0 };
        self.sequence_at = at as u8 + 1;
        self.keys.insert(at, key);
        self.weights.insert(at, weight);
    }

    pub(super) fn remove(&mut self, at: usize) {
        self.keys.remove(at);
        self.weights.remove(at);
    }

    pub(super) fn remove_range(&mut self, from: usize, to: usize) {
        self.keys.remove_range(from, to);
        self.weights.remove_range(from, to);
    }

    pub(super) fn move_tail(&mut self, at: usize, target: &mut Self) {
        self.keys.move_tail(at, &mut target.keys);
        self.weights.move_tail(at, &mut target.weights);
    }

    /// Inserts into a full leaf and returns its new right neighbour. Neither is empty.
    ///
    /// Ascending insertions, also those at the end of one of many partitions, leave full leaves behind: then the cut is
    /// where they happen, and what comes next has room. Otherwise the cut is in the middle.
    pub(super) fn split(&mut self, at: usize, key: K, weight: i64) -> Self {
        let sequential = self.sequence >= SEQUENCE && at == self.sequence_at as usize;
        let cut = if sequential { at } else { LEAF / 2 };
        let mut right = Leaf::new();
        self.move_tail(cut, &mut right);
        if at <= cut && at < LEAF {
            self.insert(at, key, weight);
        } else {
            right.insert(at - cut, key, weight);
        }
        right
    }
}

/// Children in key order, each with its summary. Never empty while it is linked.
pub(super) struct Inner<K, S> {
    /// `keys[i]` is a lower bound of child `i` and an upper bound (exclusive) of the child before. `keys[0]` is not looked at.
    pub(super) keys: Slots<K, FAN_OUT>,
    pub(super) children: Slots<u32, FAN_OUT>,
    pub(super) summaries: Slots<S, FAN_OUT>,
    /// Steps down to the leaves; 1 if the children are leaves.
    pub(super) level: u8,
}

impl<K: Ord, S: Summary<K>> Inner<K, S> {
    pub(super) fn new(level: u8) -> Self {
        Inner { keys: Slots::new(), children: Slots::new(), summaries: Slots::new(), level }
    }

    pub(super) fn len(&self) -> usize {
        self.children.len()
    }

    pub(super) fn summary(&self) -> S {
        self.fold(0, self.len())
    }

    /// The summary of children `from .. to`.
    pub(super) fn fold(&self, from: usize, to: usize) -> S {
        let mut summary = S::identity();
        self.summaries[from..to].iter().for_each(|child| summary.append(child));
        summary
    }

    /// The child whose range holds `key`.
    #[inline]
    pub(super) fn child_of(&self, key: &K) -> usize {
        self.keys[1..].partition_point(|bound| bound <= key)
    }

    pub(super) fn child_at(&self, place: Place<'_, K>) -> usize {
        match place {
            Place::Start => 0,
            Place::Before(key) | Place::After(key) => self.child_of(key),
            Place::End => self.len() - 1,
        }
    }

    pub(super) fn insert(&mut self, at: usize, bound: K, child: u32, summary: S) {
        self.keys.insert(at, bound);
        self.children.insert(at, child);
        self.summaries.insert(at, summary);
    }

    pub(super) fn remove(&mut self, at: usize) {
        self.keys.remove(at);
        self.children.remove(at);
        self.summaries.remove(at);
    }

    pub(super) fn move_tail(&mut self, at: usize, target: &mut Self) {
        self.keys.move_tail(at, &mut target.keys);
        self.children.move_tail(at, &mut target.children);
        self.summaries.move_tail(at, &mut target.summaries);
    }

    /// Inserts into a full node and returns its new right neighbour. Neither is empty; ascending insertions leave full nodes.
    pub(super) fn split(&mut self, at: usize, bound: K, child: u32, summary: S) -> Self {
        let cut = if at == FAN_OUT { FAN_OUT } else { FAN_OUT / 2 };
        let mut right = Inner::new(self.level);
        self.move_tail(cut, &mut right);
        if at <= cut && at < FAN_OUT {
            self.insert(at, bound, child, summary);
        } else {
            right.insert(at - cut, bound, child, summary);
        }
        right
    }
}
