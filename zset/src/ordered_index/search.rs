//! Questions that the summaries answer: ranges, ranks and monotone searches, all in O(log n).

use std::ops::{Bound, RangeBounds};

use super::path::{Path, Position, Step, is_reversed};
use super::{Cursor, OrderedIndex, Place, Summary, Weighted};

/// How far a search has come: the last entry, in the direction of the search, of what was accepted.
#[derive(Clone, Copy)]
enum Reached {
    Nothing,
    Entry {
        leaf: u32,
        at: usize,
    },
    /// A whole subtree, `depth` steps from the root.
    Subtree {
        node: u32,
        depth: usize,
    },
}

/// A search to one side: the summary of what was accepted, and how far that reaches. It looks at a part of the summaries of the index.
struct Search<P, G, F> {
    accepted: P,
    reached: Reached,
    part: G,
    holds: F,
}

impl<P, G, F: FnMut(&P) -> bool> Search<P, G, F> {
    fn accept(&mut self, summary: P, reached: Reached) -> bool {
        let holds = (self.holds)(&summary);
        if holds {
            self.accepted = summary;
            self.reached = reached;
        }
        holds
    }
}

impl<K: Ord + Clone, S: Summary<K>> OrderedIndex<K, S> {
    /// The summary of the entries in `range`; of none if its bounds are reversed.
    pub fn summary(&self, range: impl RangeBounds<K>) -> S {
        let (start, end) = (range.start_bound(), range.end_bound());
        if self.is_empty() || is_reversed(start, end) {
            return S::identity();
        }
        self.summary_between(self.root, 0, Place::of_start(start), Place::of_end(end))
    }

    fn summary_between(&self, node: u32, depth: usize, from: Place<'_, K>, to: Place<'_, K>) -> S {
        if depth == self.height {
            let leaf = &self.leaves[node];
            return leaf.fold(leaf.offset(from), leaf.offset(to));
        }
        let inner = &self.inners[node];
        let (first, last) = (inner.child_at(from), inner.child_at(to));
        if first == last {
            return match (from, to) {
                (Place::Start, Place::End) => inner.summaries[first].clone(),
                _ => self.summary_between(inner.children[first], depth + 1, from, to),
            };
        }
        let part = |child: usize, from, to| match (from, to) {
            (Place::Start, Place::End) => inner.summaries[child].clone(),
            _ => self.summary_between(inner.children[child], depth + 1, from, to),
        };
        let left = part(first, from, Place::End);
        let middle = inner.fold(first + 1, last);
        let mut summary = left;
        summary.append(&middle);
        summary.append(&part(last, Place::Start, to));
        summary
    }

    /// The farthest entry `e`, to the right, such that `holds(summary of from ..= e)`; `None` if it does not even hold for
    /// the first entry.
    ///
    /// `holds` must be monotone: once false, it is false for everything longer. Then this takes O(log n) calls. So
    /// `|span| span.max_gap() <= gap` finds the end of a session: whole subtrees without a greater gap are passed over.
    pub fn last_while(&self, from: Bound<&K>, holds: impl FnMut(&S) -> bool) -> Option<(&K, i64)> {
        self.last_while_of(from, S::clone, holds)
    }

    /// As [`last_while`](Self::last_while), for a condition on a part `P` of the summaries: cheaper if the rest of a summary is big.
    pub fn last_while_of<P: Summary<K>>(
        &self,
        from: Bound<&K>,
        part: impl Fn(&S) -> P,
        holds: impl FnMut(&P) -> bool,
    ) -> Option<(&K, i64)> {
        if self.is_empty() {
            return None;
        }
        let mut search = Search { accepted: P::identity(), reached: Reached::Nothing, part, holds };
        self.extend_right(self.root, 0, Place::of_start(from), &mut search);
        self.resolve(search.reached, Place::End)
    }

    /// The farthest entry `e`, to the left, such that `holds(summary of e ..= to)`. The mirror image of
    /// [`last_while`](Self::last_while).
    pub fn first_while(&self, to: Bound<&K>, holds: impl FnMut(&S) -> bool) -> Option<(&K, i64)> {
        if self.is_empty() {
            return None;
        }
        let mut search = Search { accepted: S::identity(), reached: Reached::Nothing, part: S::clone, holds };
        self.extend_left(self.root, 0, Place::of_end(to), &mut search);
        self.resolve(search.reached, Place::Start)
    }

    /// Accepts what it can of the entries of `node` behind `from`; returns whether that was all of them.
    fn extend_right<P, G, F>(&self, node: u32, depth: usize, from: Place<'_, K>, search: &mut Search<P, G, F>) -> bool
    where
        P: Summary<K>,
        G: Fn(&S) -> P,
        F: FnMut(&P) -> bool,
    {
        if depth == self.height {
            let leaf = &self.leaves[node];
            return (leaf.offset(from)..leaf.keys.len()).all(|at| {
                let summary = search.accepted.combine(&P::of(&leaf.keys[at], leaf.weights[at]));
                search.accept(summary, Reached::Entry { leaf: node, at })
            });
        }
        let inner = &self.inners[node];
        let first = inner.child_at(from);
        if !self.extend_right(inner.children[first], depth + 1, from, search) {
            return false;
        }
        (first + 1..inner.len()).all(|child| {
            let (node, depth) = (inner.children[child], depth + 1);
            let summary = search.accepted.combine(&(search.part)(&inner.summaries[child]));
            search.accept(summary, Reached::Subtree { node, depth }) || self.extend_right(node, depth, Place::Start, search)
        })
    }

    /// Accepts what it can of the entries of `node` before `to`, from the last; returns whether that was all of them.
    fn extend_left<P, G, F>(&self, node: u32, depth: usize, to: Place<'_, K>, search: &mut Search<P, G, F>) -> bool
    where
        P: Summary<K>,
        G: Fn(&S) -> P,
        F: FnMut(&P) -> bool,
    {
        if depth == self.height {
            let leaf = &self.leaves[node];
            return (0..leaf.offset(to)).rev().all(|at| {
                let summary = P::of(&leaf.keys[at], leaf.weights[at]).combine(&search.accepted);
                search.accept(summary, Reached::Entry { leaf: node, at })
            });
        }
        let inner = &self.inners[node];
        let last = inner.child_at(to);
        if !self.extend_left(inner.children[last], depth + 1, to, search) {
            return false;
        }
        (0..last).rev().all(|child| {
            let (node, depth) = (inner.children[child], depth + 1);
            let summary = (search.part)(&inner.summaries[child]).combine(&search.accepted);
            search.accept(summary, Reached::Subtree { node, depth }) || self.extend_left(node, depth, Place::End, search)
        })
    }

    /// The entry at the `side` end of what was reached.
    fn resolve(&self, reached: Reached, side: Place<'_, K>) -> Option<(&K, i64)> {
        let (leaf, at) = match reached {
            Reached::Nothing => return None,
            Reached::Entry { leaf, at } => (leaf, at),
            Reached::Subtree { node, depth } => {
                let mut node = node;
                for _ in depth..self.height {
                    let inner = &self.inners[node];
                    node = inner.children[inner.child_at(side)];
                }
                (node, self.leaves[node].offset(side).saturating_sub(1))
            }
        };
        Some((&self.leaves[leaf].keys[at], self.leaves[leaf].weights[at]))
    }
}

/// Positions in the order, counted in copies. They mean something only while no weight is negative.
impl<K: Ord + Clone, S: Summary<K> + Weighted> OrderedIndex<K, S> {
    /// The sum of the weights of the keys strictly before `key`.
    pub fn rank(&self, key: &K) -> i64 {
        self.rank_and_weight(key).0
    }

    /// The sum of the weights of the keys strictly before `key`, and its own weight.
    #[inline]
    pub fn rank_and_weight(&self, key: &K) -> (i64, i64) {
        if self.is_empty() {
            return (0, 0);
        }
        // The rest of the summaries is not asked for.
        let mut node = self.root;
        let mut rank = 0i64;
        for _ in 0..self.height {
            let inner = &self.inners[node];
            let child = inner.child_of(key);
            rank = inner.summaries[..child].iter().fold(rank, |rank, summary| rank.wrapping_add(summary.weight()));
            node = inner.children[child];
        }
        let leaf = &self.leaves[node];
        let at = leaf.offset(Place::Before(key));
        let rank = leaf.weights[..at].iter().fold(rank, |rank, weight| rank.wrapping_add(*weight));
        (rank, if leaf.keys.get(at) == Some(key) { leaf.weights[at] } else { 0 })
    }

    /// The entry that holds copy `n` (from 0) in key order, and how many copies of its key stand before that copy.
    pub fn select(&self, n: i64) -> Option<(&K, i64)> {
        if n < 0 || self.is_empty() {
            return None;
        }
        let mut node = self.root;
        let mut left = n;
        for _ in 0..self.height {
            let inner = &self.inners[node];
            node = inner.children[find_copy(inner.summaries.iter().map(Weighted::weight), &mut left)?];
        }
        let leaf = &self.leaves[node];
        let at = find_copy(leaf.weights.iter().copied(), &mut left)?;
        Some((&leaf.keys[at], left))
    }

    /// A cursor before the entry that holds copy `n`, and how many copies of its key stand before that copy.
    pub fn cursor_at_copy(&self, n: i64) -> Option<(Cursor<'_, K, S>, i64)> {
        if n < 0 || self.is_empty() {
            return None;
        }
        let mut path = Path { leaf: self.root, ..Path::default() };
        let mut left = n;
        for depth in 0..self.height {
            let inner = &self.inners[path.leaf];
            let child = find_copy(inner.summaries.iter().map(Weighted::weight), &mut left)?;
            path.steps[depth] = Step { node: path.leaf, child: child as u32 };
            path.leaf = inner.children[child];
        }
        let at = find_copy(self.leaves[path.leaf].weights.iter().copied(), &mut left)?;
        Some((Cursor::before_entry(self, Position { path, at }), left))
    }

    /// As [`cursor_at_copy`](Self::cursor_at_copy), counted from the first copy at or after `start`. What stands before `start` is not looked at, so it does not
    /// matter if weights are negative there.
    pub fn cursor_at_copy_from(&self, start: &K, n: i64) -> Option<(Cursor<'_, K, S>, i64)> {
        if n < 0 || self.is_empty() {
            return None;
        }
        let mut path = self.path_to(Place::Before(start));
        let leaf = &self.leaves[path.leaf];
        let first = leaf.offset(Place::Before(start));
        let mut left = n;
        if let Some(at) = find_copy(leaf.weights[first..].iter().copied(), &mut left) {
            return Some((Cursor::before_entry(self, Position { path, at: first + at }), left));
        }
        // Up to where a subtree to the right holds the copy, and down into it.
        let mut depth = self.height;
        let below = loop {
            depth = depth.checked_sub(1)?;
            let Step { node, child } = path.steps[depth];
            let beyond = child as usize + 1;
            let weights = self.inners[node].summaries[beyond..].iter().map(Weighted::weight);
            if let Some(child) = find_copy(weights, &mut left) {
                path.steps[depth].child = (beyond + child) as u32;
                break self.inners[node].children[beyond + child];
            }
        };
        path.leaf = below;
        for step in &mut path.steps[depth + 1..self.height] {
            let inner = &self.inners[path.leaf];
            let child = find_copy(inner.summaries.iter().map(Weighted::weight), &mut left)?;
            *step = Step { node: path.leaf, child: child as u32 };
            path.leaf = inner.children[child];
        }
        let at = find_copy(self.leaves[path.leaf].weights.iter().copied(), &mut left)?;
        Some((Cursor::before_entry(self, Position { path, at }), left))
    }

    /// A cursor before the first entry that is not less than `key`, and the sum of the weights before it.
    pub fn cursor_and_rank(&self, key: &K) -> (Cursor<'_, K, S>, i64) {
        if self.is_empty() {
            return (self.cursor(), 0);
        }
        let position = self.seek(Place::Before(key));
        let leaf = &self.leaves[position.path.leaf];
        let mut rank = leaf.weights[..position.at].iter().fold(0i64, |rank, weight| rank.wrapping_add(*weight));
        for step in &position.path.steps[..self.height] {
            let before = &self.inners[step.node].summaries[..step.child as usize];
            rank = before.iter().fold(rank, |rank, summary| rank.wrapping_add(summary.weight()));
        }
        (Cursor::before_entry(self, position), rank)
    }

    /// As [`select`](Self::select), counted from the first copy at or after `start`; negative `n` count back from there.
    pub fn select_from(&self, start: &K, n: i64) -> Option<(&K, i64)> {
        self.select(self.rank(start).checked_add(n)?)
    }
}

/// The part that holds copy `n`; `n` becomes its number within that part.
fn find_copy(weights: impl Iterator<Item = i64>, n: &mut i64) -> Option<usize> {
    for (index, weight) in weights.enumerate() {
        if *n < weight {
            return Some(index);
        }
        *n -= weight;
    }
    None
}
