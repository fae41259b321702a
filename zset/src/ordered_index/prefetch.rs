//! Many descents at once, for trees that are in no cache.
//!
//! A descent waits for the memory at every level, since it has to see a node to know the next one. Descents that go side by side, a level at a
//! time, wait together: that of a hundred random keys among a million takes a third of the time of one after the other. (Chen, Gibbons and Mowry, "Improving
//! index performance through prefetching", 2001, and the interleaved execution of later databases.)

use super::node::Leaf;
use super::{OrderedIndex, Summary};

/// Keys whose leaves are asked for together: so many leaves fit in a cache of the second level.
pub(super) const AHEAD: usize = 32;
/// Leaves of so many bytes in all are taken to be in a cache.
const CACHED: usize = if cfg!(test) { 1 << 12 } else { 1 << 21 };

impl<K: Ord + Clone, S: Summary<K>> OrderedIndex<K, S> {
    /// Asks the memory for what searches of `keys` will look at. Worth its while for dozens of keys, best in ascending order, and without any other
    /// effect; of some hundred keys the first may be gone before they are used.
    pub fn prefetch<'a>(&self, keys: impl IntoIterator<Item = &'a K>)
    where
        K: 'a,
    {
        if !self.is_beyond_caches() {
            return;
        }
        let mut keys = keys.into_iter();
        let mut near: Vec<&K> = Vec::with_capacity(AHEAD);
        loop {
            near.clear();
            near.extend(keys.by_ref().take(AHEAD));
            if near.is_empty() {
                return;
            }
            self.descend_together(near.iter().copied());
        }
    }

    /// Whether the entries are so many that a search has to wait for the memory.
    pub(super) fn is_beyond_caches(&self) -> bool {
        self.leaves.len() * size_of::<Leaf<K>>() > CACHED
    }

    /// Asks for the leaves of up to [`AHEAD`] keys. Of ascending keys most stand in or beside the node of the one before.
    pub(super) fn descend_together<'a>(&self, keys: impl Iterator<Item = &'a K> + Clone)
    where
        K: 'a,
    {
        let mut nodes = [self.root; AHEAD];
        for _ in 0..self.height {
            let (mut above, mut place) = (u32::MAX, 0);
            for (node, key) in nodes.iter_mut().zip(keys.clone()) {
                let inner = &self.inners[*node];
                let stays = above == *node
                    && inner.keys.get(place + 1).is_none_or(|bound| key < bound)
                    && (place == 0 || inner.keys[place] <= *key);
                above = *node;
                if stays {
                    *node = inner.children[place];
                    continue;
                }
                place = inner.child_of(key);
                *node = inner.children[place];
                match inner.level {
                    1 => self.leaves[*node].prefetch(),
                    _ => self.inners[*node].keys.prefetch_slots(),
                }
            }
        }
    }
}
