//! Changes of weights, and how the tree grows and shrinks with them.
//!
//! A batch is applied with a *finger*, the path to the leaf of the last change: the next change goes up only as far as
//! needed and down again, and the summaries of what it leaves behind are combined once, however many changes they saw.
//!
//! The subtle fact is when summaries are right: always, except on the finger's path, until that path is refreshed. What
//! changes the structure repairs the whole path and invalidates the finger. A finger does not outlive the call that made it,
//! so readers never see a stale summary.

use std::ops::RangeBounds;

use super::arena::Arena;
use super::node::{FAN_OUT, Inner, LEAF, Leaf};
use super::path::{Path, Place, Position};
use super::prefetch::AHEAD;
use super::{OrderedIndex, Summary};

/// Leaves with fewer entries look for a neighbour to merge with, at every fourth removal and when they run empty.
const SPARSE_LEAF: usize = LEAF / 2;
/// Nodes merge if the result is at most this full, so that it neither splits nor merges again soon.
const MERGED_LEAF: usize = LEAF * 3 / 4;
const MERGED_INNER: usize = FAN_OUT * 3 / 4;

/// The path to the leaf of the last change, if the tree still has it.
struct Finger {
    path: Path,
    valid: bool,
}

impl<K: Ord + Clone, S: Summary<K>> OrderedIndex<K, S> {
    /// Adds `delta` to the weight of `key` and returns the old and the new weight. An entry whose weight becomes 0 is gone.
    ///
    /// Weights are added modulo 2^64; `old.checked_add(delta)` tells whether one left the range of `i64`.
    pub fn update(&mut self, key: K, delta: i64) -> (i64, i64) {
        let mut weights = (0, 0);
        self.update_sorted([(key, delta)], |_, old, new| weights = (old, new));
        weights
    }

    /// Applies many changes as [`update`](Self::update) does; `observe(key, old weight, new weight)` sees each.
    ///
    /// Right for any order and repeated keys; fast if sorted by key, because neighbouring changes share their way.
    pub fn update_sorted<C, F>(&mut self, changes: C, mut observe: F)
    where
        C: IntoIterator<Item = (K, i64)>,
        F: FnMut(&K, i64, i64),
    {
        let mut changes = changes.into_iter();
        let mut finger = Finger { path: Path::default(), valid: false };
        let mut near: Vec<(K, i64)> = Vec::new();
        while let Some((key, delta)) = changes.next() {
            if self.is_beyond_caches() {
                near.extend(changes.by_ref().take(AHEAD));
                self.descend_together(near.iter().map(|(key, _)| key));
            }
            self.change(&mut finger, key, delta, &mut observe);
            for (key, delta) in near.drain(..) {
                self.change(&mut finger, key, delta, &mut observe);
            }
        }
        if finger.valid {
            self.refresh(&finger.path, 0);
        }
        if self.is_empty() {
            self.clear();
        }
    }

    /// Applies a change.
    #[inline]
    fn change(&mut self, finger: &mut Finger, key: K, delta: i64, observe: &mut impl FnMut(&K, i64, i64)) {
        if self.is_empty() {
            self.clear();
            self.root = self.leaves.push(Leaf::new());
            finger.valid = false;
        }
        if finger.valid {
            self.advance(&mut finger.path, &key);
        } else {
            self.descend(&mut finger.path, 0, self.root, Place::Before(&key));
        }
        finger.valid = self.apply(&mut finger.path, key, delta, observe);
    }

    /// Removes the entries of `range`; `observe(key, weight)` sees each, in order. O(log n) and what is removed: neighbours leave together.
    pub fn remove_range(&mut self, range: impl RangeBounds<K>, mut observe: impl FnMut(&K, i64)) {
        let (start, end) = (Place::of_start(range.start_bound()), Place::of_end(range.end_bound()));
        while !self.is_empty() {
            let Position { mut path, at } = self.seek(start);
            let leaf = &mut self.leaves[path.leaf];
            let end = leaf.offset(end);
            if end <= at {
                return;
            }
            leaf.keys[at..end].iter().zip(&leaf.weights[at..end]).for_each(|(key, &weight)| observe(key, weight));
            let more = end == leaf.keys.len();
            leaf.remove_range(at, end);
            self.len -= end - at;
            let sparse = leaf.keys.len() < SPARSE_LEAF;
            if self.is_empty() {
                self.clear();
            } else if !(sparse && self.shrink(&mut path)) {
                self.refresh(&path, 0);
            }
            if !more {
                return;
            }
        }
    }

    /// Removes all entries and gives back their memory.
    pub fn clear(&mut self) {
        *self = Self::new();
    }

    /// Moves the finger to the leaf of `key`.
    #[inline]
    fn advance(&mut self, path: &mut Path, key: &K) {
        // The deepest node on the path whose range reaches beyond the key. Upper bounds do not decrease upwards, so the first
        // that holds ends the search.
        let mut depth = self.height;
        for (above, step) in path.steps[..self.height].iter().enumerate().rev() {
            match self.inners[step.node].keys.get(step.child as usize + 1) {
                Some(bound) if key < bound => break,
                Some(_) => depth = above,
                None => {}
            }
        }
        if depth < self.height {
            self.refresh(path, depth);
            let node = path.steps[depth].node;
            self.descend(path, depth, node, Place::Before(key));
        } else if self.leaves[path.leaf].keys.first().is_none_or(|first| key < first) {
            // Perhaps the changes are not sorted: the key may belong to the left of this leaf.
            self.refresh(path, 0);
            *path = self.path_to(Place::Before(key));
        }
    }

    /// Changes the weight of `key`, whose leaf is at the end of `path`. Returns whether the path is still valid (and the
    /// summaries on it stale); otherwise it has been repaired.
    #[inline]
    fn apply(&mut self, path: &mut Path, key: K, delta: i64, observe: &mut impl FnMut(&K, i64, i64)) -> bool {
        let leaf = &mut self.leaves[path.leaf];
        match leaf.keys.binary_search(&key) {
            Ok(at) => {
                let old = leaf.weights[at];
                let new = old.wrapping_add(delta);
                observe(&leaf.keys[at], old, new);
                leaf.weights[at] = new;
                if new != 0 {
                    return true;
                }
                leaf.remove(at);
                self.len -= 1;
                let left = leaf.keys.len();
                let sparse = left < SPARSE_LEAF && left.is_multiple_of(4);
                !(sparse && self.shrink(path))
            }
            Err(at) => {
                observe(&key, 0, delta);
                if delta == 0 {
                    return true;
                }
                self.len += 1;
                if leaf.keys.is_full() {
                    self.split(path, at, key, delta);
                    return false;
                }
                leaf.insert(at, key, delta);
                true
            }
        }
    }

    /// Combines the summaries of the nodes below depth `depth` on the path again, and enters them in their parents.
    pub(super) fn refresh(&mut self, path: &Path, depth: usize) {
        for depth in (depth..self.height).rev() {
            let summary = match path.steps[..self.height].get(depth + 1) {
                Some(below) => self.inners[below.node].summary(),
                None => self.leaves[path.leaf].summary(),
            };
            let step = path.steps[depth];
            self.inners[step.node].summaries[step.child as usize] = summary;
        }
    }

    /// The same for inner nodes only, up from the one at depth `depth`.
    fn refresh_above(&mut self, path: &Path, depth: usize) {
        for depth in (0..depth).rev() {
            let summary = self.inners[path.steps[depth + 1].node].summary();
            let step = path.steps[depth];
            self.inners[step.node].summaries[step.child as usize] = summary;
        }
    }

    /// Inserts an entry into a full leaf.
    fn split(&mut self, path: &Path, at: usize, key: K, weight: i64) {
        let leaf = &mut self.leaves[path.leaf];
        let right = leaf.split(at, key, weight);
        let mut left_summary = leaf.summary();
        let mut right_summary = right.summary();
        let mut bound = right.keys[0].clone();
        let mut right = self.leaves.push(right);
        for (depth, step) in path.steps[..self.height].iter().enumerate().rev() {
            let inner = &mut self.inners[step.node];
            inner.summaries[step.child as usize] = left_summary;
            let at = step.child as usize + 1;
            if !inner.keys.is_full() {
                inner.insert(at, bound, right, right_summary);
                return self.refresh_above(path, depth);
            }
            let neighbour = inner.split(at, bound, right, right_summary);
            left_summary = inner.summary();
            right_summary = neighbour.summary();
            bound = neighbour.keys[0].clone();
            right = self.inners.push(neighbour);
        }
        self.height += 1;
        let mut root = Inner::new(self.height as u8);
        root.insert(0, bound.clone(), self.root, left_summary);
        root.insert(1, bound, right, right_summary);
        self.root = self.inners.push(root);
    }

    /// After a removal: merges the leaf with a neighbour or drops it. Returns whether it did.
    fn shrink(&mut self, path: &mut Path) -> bool {
        let Some(depth) = self.height.checked_sub(1) else { return false };
        let step = path.steps[depth];
        let child = step.child as usize;
        let parent = &self.inners[step.node];
        let count = self.leaves[path.leaf].keys.len();
        let fits = |child: usize| {
            let neighbour = parent.children.get(child)?;
            (self.leaves[*neighbour].keys.len() + count <= MERGED_LEAF).then_some(child)
        };
        let (removed, gone) = if count == 0 {
            (child, path.leaf)
        } else if let Some(right) = fits(child + 1).or_else(|| fits(child.wrapping_sub(1)).map(|_| child)) {
            let (left, gone) = (parent.children[right - 1], parent.children[right]);
            let mut moved = Leaf::new();
            self.leaves[gone].move_tail(0, &mut moved);
            moved.move_tail(0, &mut self.leaves[left]);
            let summary = self.leaves[left].summary();
            self.inners[step.node].summaries[right - 1] = summary;
            (right, gone)
        } else {
            return false;
        };
        self.inners[step.node].remove(removed);
        if let Some(last) = self.leaves.remove(gone) {
            self.redirect_leaf(last, gone);
        }
        self.shrink_inner(path, depth);
        true
    }

    /// After the node at depth `depth` of the path has lost a child: merges or drops it, then its parent likewise.
    fn shrink_inner(&mut self, path: &mut Path, depth: usize) {
        let mut depth = depth;
        while depth > 0 && self.merge_inner(path, depth) {
            depth -= 1;
        }
        self.refresh_above(path, depth);
        while self.height > 0 && self.inners[self.root].len() == 1 {
            let old = self.root;
            self.root = self.inners[old].children[0];
            self.height -= 1;
            self.free_inner(old, &mut Path::default(), 0);
        }
    }

    /// Merges the node at depth `depth` (not the root) with a neighbour, or drops it if it is empty. Returns whether it did.
    fn merge_inner(&mut self, path: &mut Path, depth: usize) -> bool {
        let node = path.steps[depth].node;
        let step = path.steps[depth - 1];
        let child = step.child as usize;
        let parent = &self.inners[step.node];
        let count = self.inners[node].len();
        let fits = |child: usize| {
            let neighbour = parent.children.get(child)?;
            (self.inners[*neighbour].len() + count <= MERGED_INNER).then_some(child)
        };
        let (removed, gone) = if count == 0 {
            (child, node)
        } else if let Some(right) = fits(child + 1).or_else(|| fits(child.wrapping_sub(1)).map(|_| child)) {
            let (left, gone) = (parent.children[right - 1], parent.children[right]);
            let bound = parent.keys[right].clone();
            let mut moved = Inner::new(0);
            self.inners[gone].move_tail(0, &mut moved);
            moved.keys[0] = bound;
            moved.move_tail(0, &mut self.inners[left]);
            let summary = self.inners[left].summary();
            self.inners[step.node].summaries[right - 1] = summary;
            (right, gone)
        } else {
            return false;
        };
        self.inners[step.node].remove(removed);
        self.free_inner(gone, path, depth);
        true
    }

    /// Gives back inner node `gone`. The node that takes over its number is linked anew, also on the part of `path` above
    /// depth `depth`.
    fn free_inner(&mut self, gone: u32, path: &mut Path, depth: usize) {
        let Some(last) = self.inners.remove(gone) else { return };
        if self.root == last {
            self.root = gone;
        }
        if let Some(found) = path.steps[..depth].iter().position(|step| step.node == last) {
            // It may have run empty, and then no key leads to it: but the path does.
            path.steps[found].node = gone;
            if let Some(above) = found.checked_sub(1) {
                let step = path.steps[above];
                self.inners[step.node].children[step.child as usize] = gone;
            }
        } else if self.root != gone {
            self.redirect_inner(last, gone);
        }
    }

    /// Lets the parent of the leaf that is now at `to` know that it is no longer at `from`.
    fn redirect_leaf(&mut self, from: u32, to: u32) {
        let key = self.leaves[to].keys[0].clone();
        self.redirect(&key, 1, from, to);
    }

    /// The same for an inner node.
    fn redirect_inner(&mut self, from: u32, to: u32) {
        let mut inner = &self.inners[to];
        let level = inner.level;
        while inner.len() < 2 && inner.level > 1 {
            inner = &self.inners[inner.children[0]];
        }
        let key = inner.keys.get(1).unwrap_or_else(|| &self.leaves[inner.children[0]].keys[0]).clone();
        self.redirect(&key, level + 1, from, to);
    }

    /// Replaces link `from` by `to` in the node of level `level` whose range holds `key`.
    fn redirect(&mut self, key: &K, level: u8, from: u32, to: u32) {
        let mut node = self.root;
        while self.inners[node].level > level {
            let inner = &self.inners[node];
            node = inner.children[inner.child_of(key)];
        }
        let inner = &mut self.inners[node];
        let child = inner.child_of(key);
        debug_assert_eq!(inner.children[child], from);
        inner.children[child] = to;
    }

    /// The heap memory of the index in bytes, without what the keys point to.
    pub fn memory_bytes(&self) -> usize {
        Arena::memory_bytes(&self.leaves) + Arena::memory_bytes(&self.inners)
    }
}
