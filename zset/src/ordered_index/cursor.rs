//! [`Cursor`]: a place between two entries that moves.

use super::path::Position;
use super::{OrderedIndex, Place, Summary};

/// A place between two entries. Moving it a little costs little: most ascending seeks stay in one leaf and descend no path.
///
/// ```
/// # use deltic_zset::OrderedIndex;
/// let mut index: OrderedIndex<i64, ()> = OrderedIndex::new();
/// index.update_sorted([(10, 1), (20, 1)], |_, _, _| ());
/// let mut cursor = index.cursor();
/// cursor.seek(&15);
/// assert_eq!(cursor.before(), Some((&10, 1)));
/// assert_eq!(cursor.after(), Some((&20, 1)));
/// cursor.step();
/// assert_eq!(cursor.after(), None);
/// ```
pub struct Cursor<'a, K, S> {
    index: &'a OrderedIndex<K, S>,
    /// `None` if there are no entries.
    position: Option<Position>,
}

impl<'a, K: Ord + Clone, S: Summary<K>> Cursor<'a, K, S> {
    pub(super) fn new(index: &'a OrderedIndex<K, S>) -> Self {
        Cursor { index, position: (!index.is_empty()).then(|| index.seek(Place::Start)) }
    }

    pub(super) fn at(index: &'a OrderedIndex<K, S>, key: &K) -> Self {
        Cursor { index, position: (!index.is_empty()).then(|| index.seek(Place::Before(key))) }
    }

    pub(super) fn before_entry(index: &'a OrderedIndex<K, S>, position: Position) -> Self {
        Cursor { index, position: Some(position) }
    }

    /// Moves before the first entry that is not less than `key`.
    pub fn seek(&mut self, key: &K) {
        let Some(position) = &mut self.position else { return };
        let leaf = &self.index.leaves[position.path.leaf];
        if leaf.keys.first().is_some_and(|first| first < key) && leaf.keys.last().is_some_and(|last| key <= last) {
            position.at = leaf.offset(Place::Before(key));
        } else {
            *position = self.index.seek(Place::Before(key));
        }
    }

    /// The entry behind the cursor.
    pub fn after(&self) -> Option<(&'a K, i64)> {
        self.index.entry(self.position.as_ref()?)
    }

    /// The entry before the cursor.
    pub fn before(&self) -> Option<(&'a K, i64)> {
        let position = self.position.as_ref()?;
        if let Some(at) = position.at.checked_sub(1) {
            let leaf = &self.index.leaves[position.path.leaf];
            return Some((&leaf.keys[at], leaf.weights[at]));
        }
        let mut position = position.clone();
        if self.index.step_back(&mut position) { self.index.entry(&position) } else { None }
    }

    /// Entries behind the cursor that stand side by side in memory, with their weights: as many as are left of a leaf. None at the end of all.
    #[inline]
    pub fn run(&self) -> (&'a [K], &'a [i64]) {
        let Some(position) = &self.position else { return (&[], &[]) };
        let leaf = &self.index.leaves[position.path.leaf];
        (&leaf.keys[position.at..], &leaf.weights[position.at..])
    }

    /// Moves behind so many entries of the [`run`](Self::run).
    #[inline]
    pub fn step_within(&mut self, entries: usize) {
        let Some(position) = &mut self.position else { return };
        if entries > 0 {
            position.at += entries - 1;
            self.index.step_forward(position);
        }
    }

    /// Moves behind the next entry, if there is one.
    pub fn step(&mut self) {
        if let Some(position) = &mut self.position
            && self.index.entry(position).is_some()
        {
            self.index.step_forward(position);
        }
    }
}
