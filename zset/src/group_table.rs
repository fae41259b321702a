//! [`GroupTable`]: a few words of state per key.

use arrow::array::ArrayRef;

use crate::{EncodedRows, RowLayout};

/// A hash table from keys of one [`RowLayout`] to a payload of a fixed number of words.
pub struct GroupTable {}

impl GroupTable {
    /// What [`GroupTable::find`] says for a key that is not in the table.
    pub const NONE: u32 = u32::MAX;

    /// An empty table with `payload_words` words of state per key.
    pub fn new(layout: RowLayout, payload_words: usize) -> Self {
        let _ = (layout, payload_words);
        todo!()
    }

    /// The layout of the keys.
    pub fn layout(&self) -> &RowLayout {
        todo!()
    }

    /// Replaces `groups` by the group of each key; keys that are not in the table get a new one, with a payload of zeros.
    pub fn upsert(&mut self, keys: &EncodedRows, hashes: &[u64], groups: &mut Vec<u32>) {
        let _ = (keys, hashes, groups);
        todo!()
    }

    /// As [`GroupTable::upsert`] for the keys that [`RowLayout::single_word`] gives.
    pub fn upsert_words(&mut self, keys: &[u64], hashes: &[u64], groups: &mut Vec<u32>) {
        let _ = (keys, hashes, groups);
        todo!()
    }

    /// Replaces `groups` by the group of each key, or [`GroupTable::NONE`].
    pub fn find(&self, keys: &EncodedRows, hashes: &[u64], groups: &mut Vec<u32>) {
        let _ = (keys, hashes, groups);
        todo!()
    }

    /// The state of a group.
    pub fn payload(&self, group: u32) -> &[u64] {
        let _ = group;
        todo!()
    }

    /// The state of a group, to be changed.
    pub fn payload_mut(&mut self, group: u32) -> &mut [u64] {
        let _ = group;
        todo!()
    }

    /// Removes a group; its id will be given to another key.
    pub fn remove(&mut self, group: u32) {
        let _ = group;
        todo!()
    }

    /// The number of groups.
    pub fn len(&self) -> usize {
        todo!()
    }

    /// Whether there is no group.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All groups, in no particular order.
    pub fn groups(&self) -> impl Iterator<Item = u32> + '_ {
        std::iter::empty()
    }

    /// The keys of `groups` as columns.
    pub fn keys(&self, groups: &[u32]) -> Vec<ArrayRef> {
        let _ = groups;
        todo!()
    }

    /// The memory held, in bytes.
    pub fn memory_bytes(&self) -> usize {
        todo!()
    }
}
