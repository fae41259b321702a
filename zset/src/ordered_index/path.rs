//! The way from the root to a leaf, and positions between entries.

use std::ops::Bound;

use super::{OrderedIndex, Summary};

/// No tree is higher: two neighbouring siblings have more than 24 children together (splits and merges see to it), so with
/// fewer than 2^32 leaves the height stays below ten.
const MAX_HEIGHT: usize = 16;

/// A cut of the key order: all entries are before or after it.
#[derive(Debug)]
pub(super) enum Place<'a, K> {
    Start,
    Before(&'a K),
    After(&'a K),
    End,
}

impl<K> Clone for Place<'_, K> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K> Copy for Place<'_, K> {}

impl<'a, K> Place<'a, K> {
    /// The cut at which a range with this lower bound starts.
    pub(super) fn of_start(bound: Bound<&'a K>) -> Self {
        match bound {
            Bound::Unbounded => Place::Start,
            Bound::Included(key) => Place::Before(key),
            Bound::Excluded(key) => Place::After(key),
        }
    }

    /// The cut at which a range with this upper bound ends.
    pub(super) fn of_end(bound: Bound<&'a K>) -> Self {
        match bound {
            Bound::Unbounded => Place::End,
            Bound::Included(key) => Place::After(key),
            Bound::Excluded(key) => Place::Before(key),
        }
    }
}

/// One step down: `child` of inner node `node`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Step {
    pub(super) node: u32,
    pub(super) child: u32,
}

/// The steps from the root to a leaf. Valid until the structure of the tree changes.
#[derive(Clone, Debug, Default)]
pub(super) struct Path {
    /// As many as the tree is high, from the root; the rest is unused.
    pub(super) steps: [Step; MAX_HEIGHT],
    pub(super) leaf: u32,
}

impl<K: Ord + Clone, S: Summary<K>> OrderedIndex<K, S> {
    /// The path to the leaf that holds `place`. The tree must not be empty.
    pub(super) fn path_to(&self, place: Place<'_, K>) -> Path {
        let mut path = Path::default();
        self.descend(&mut path, 0, self.root, place);
        path
    }

    /// Completes `path` from `node`, which is `depth` steps from the root.
    #[inline]
    pub(super) fn descend(&self, path: &mut Path, depth: usize, node: u32, place: Place<'_, K>) {
        let mut node = node;
        for step in &mut path.steps[depth..self.height] {
            let inner = &self.inners[node];
            inner.keys.prefetch();
            let child = inner.child_at(place);
            *step = Step { node, child: child as u32 };
            node = inner.children[child];
        }
        self.leaves[node].keys.prefetch();
        path.leaf = node;
    }

    /// The first position after `place`. The tree must not be empty.
    pub(super) fn seek(&self, place: Place<'_, K>) -> Position {
        let path = self.path_to(place);
        let leaf = &self.leaves[path.leaf];
        let mut position = Position { at: leaf.offset(place), path };
        if position.at == leaf.keys.len() {
            self.step_to_next_leaf(&mut position);
        }
        position
    }

    /// The entry behind the position, unless it is the end.
    pub(super) fn entry(&self, position: &Position) -> Option<(&K, i64)> {
        let leaf = &self.leaves[position.path.leaf];
        Some((leaf.keys.get(position.at)?, *leaf.weights.get(position.at)?))
    }

    /// Moves behind the entry at the position, which must not be the end.
    pub(super) fn step_forward(&self, position: &mut Position) {
        position.at += 1;
        if position.at == self.leaves[position.path.leaf].keys.len() {
            self.step_to_next_leaf(position);
        }
    }

    /// Moves before the previous entry; tells whether there was one.
    pub(super) fn step_back(&self, position: &mut Position) -> bool {
        if position.at > 0 {
            position.at -= 1;
            return true;
        }
        let Some(depth) = position.path.steps[..self.height].iter().rposition(|step| step.child > 0) else { return false };
        self.move_sideways(&mut position.path, depth, -1, Place::End);
        position.at = self.leaves[position.path.leaf].keys.len() - 1;
        true
    }

    /// Moves from the end of a leaf to the start of the next; stays if there is none.
    fn step_to_next_leaf(&self, position: &mut Position) {
        let steps = &position.path.steps[..self.height];
        let Some(depth) = steps.iter().rposition(|step| (step.child as usize) < self.inners[step.node].len() - 1) else {
            return;
        };
        self.move_sideways(&mut position.path, depth, 1, Place::Start);
        position.at = 0;
    }

    fn move_sideways(&self, path: &mut Path, depth: usize, by: i32, place: Place<'_, K>) {
        let step = &mut path.steps[depth];
        step.child = step.child.wrapping_add_signed(by);
        let node = self.inners[step.node].children[step.child as usize];
        self.descend(path, depth + 1, node, place);
    }
}

/// A place between two entries: before entry `at` of the leaf. Behind the last entry of a leaf only at the end of all.
#[derive(Clone, Debug)]
pub(super) struct Position {
    pub(super) path: Path,
    pub(super) at: usize,
}

impl PartialEq for Position {
    fn eq(&self, other: &Self) -> bool {
        self.path.leaf == other.path.leaf && self.at == other.at
    }
}

/// The entries of a range in key order; from [`OrderedIndex::range`].
pub struct Range<'a, K, S> {
    index: &'a OrderedIndex<K, S>,
    /// The positions before and behind what is left; `None` if nothing ever was.
    ends: Option<(Position, Position)>,
}

impl<'a, K: Ord + Clone, S: Summary<K>> Range<'a, K, S> {
    pub(super) fn new(index: &'a OrderedIndex<K, S>, start: Bound<&K>, end: Bound<&K>) -> Self {
        let ends = (!index.is_empty() && !is_reversed(start, end))
            .then(|| (index.seek(Place::of_start(start)), index.seek(Place::of_end(end))));
        Range { index, ends }
    }
}

/// Whether the bounds leave no room for any key because they are in the wrong order.
pub(super) fn is_reversed<K: Ord>(start: Bound<&K>, end: Bound<&K>) -> bool {
    match (start, end) {
        (Bound::Included(start), Bound::Included(end)) => start > end,
        (Bound::Included(start) | Bound::Excluded(start), Bound::Included(end) | Bound::Excluded(end)) => start >= end,
        _ => false,
    }
}

impl<'a, K: Ord + Clone, S: Summary<K>> Iterator for Range<'a, K, S> {
    type Item = (&'a K, i64);

    fn next(&mut self) -> Option<Self::Item> {
        let (front, back) = self.ends.as_mut()?;
        if front == back {
            return None;
        }
        let entry = self.index.entry(front)?;
        self.index.step_forward(front);
        Some(entry)
    }
}

impl<K: Ord + Clone, S: Summary<K>> DoubleEndedIterator for Range<'_, K, S> {
    fn next_back(&mut self) -> Option<Self::Item> {
        let (front, back) = self.ends.as_mut()?;
        if front == back || !self.index.step_back(back) {
            return None;
        }
        self.index.entry(back)
    }
}
