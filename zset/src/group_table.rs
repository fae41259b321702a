//! [`GroupTable`]: a few words of state per key, for linear aggregates, distinct and match counts.
//!
//! A table touches memory at random, so its speed is its number of cache misses and how many of them overlap. Here a touched key
//! costs two: its slot (8 bytes: 32 bits of hash and the number of the row) and its row, which holds the key as a
//! [`RowLayout`] lays it out, directly followed by the payload. A batch is walked in groups of 64 keys, in three steps: ask for
//! all their slots, read the slots and ask for all the rows, compare the rows. So 64 misses overlap.
//!
//! Memory: the row (8 bytes for header and hash, the key, the payload) and 13 to 26 bytes of slots. Measured with a key of two
//! `Int64` and two words of payload: 56 bytes per group at one million; with a `Utf8` of 25 bytes instead: 85. Rows that lack one
//! word of a cache line get it: then none is in two of them.
//!
//! No batch pays for the whole table:
//! - A full slot array is followed by one of twice the size, which each upserted key fills with four more of the old slots.
//! - Rows lie one after another in a buffer that grows without being copied ([`memory`](crate::memory)), so a group is known by a
//!   number that stays the same until it is removed.
//! - Removed long strings leave holes in the arena. When they are more than half of it, each batch and each removal moves the
//!   strings of a few rows to a new one.
//!
//! All of a table's hashes must come from one function, and equal keys must have equal hashes; trusted. Only the low half of a
//! hash is used ([`hash`](crate::hash) says why).

mod arena;
mod keys;
mod rows;
mod slots;

use arrow::array::ArrayRef;

use crate::layout::{INLINE_BYTES, PRESENT, RowSource, string_length};
use crate::{EncodedRows, RowLayout};

use arena::Arena;
use keys::{FixedKeys, Keys, SlicedKeys, StringKeys, WordKeys};
use rows::Rows;
use slots::Slots;

/// Keys whose cache misses overlap.
const GROUP: usize = 64;
/// Rows whose long strings are moved per upserted or removed key while the arena is compacted.
const COMPACTED_ROWS_PER_KEY: usize = 8;

/// A hash table from keys of one [`RowLayout`] to a payload of a fixed number of words.
///
/// ```
/// # use std::sync::Arc;
/// # use arrow::array::{ArrayRef, Int64Array};
/// # use arrow::datatypes::DataType;
/// use deltic_zset::{EncodedRows, GroupTable, RowLayout, hash::hash_columns};
///
/// let layout = RowLayout::try_new(&[DataType::Int64])?;
/// let mut counts = GroupTable::new(layout.clone(), 1);
/// let keys: Vec<ArrayRef> = vec![Arc::new(Int64Array::from(vec![Some(5), None, Some(5)]))];
///
/// let (mut rows, mut hashes, mut groups) = (EncodedRows::new(), Vec::new(), Vec::new());
/// layout.encode(&keys, 3, &mut rows);
/// hash_columns(&keys, 3, &mut hashes);
/// counts.upsert(&rows, &hashes, &mut groups);
/// for group in &groups {
///     counts.payload_mut(*group)[0] += 1;
/// }
/// assert_eq!(counts.len(), 2);
/// assert_eq!(counts.payload(groups[0]), [2]);
/// # Ok::<(), deltic_zset::Error>(())
/// ```
pub struct GroupTable {
    layout: RowLayout,
    slots: Slots,
    rows: Rows,
    arena: Arena,
    /// The next row whose strings are to be moved, while the arena is compacted.
    compaction: Option<u32>,
}

impl GroupTable {
    /// What [`GroupTable::find`] says for a key that is not in the table.
    pub const NONE: u32 = u32::MAX;

    /// An empty table with `payload_words` words of state per key.
    pub fn new(layout: RowLayout, payload_words: usize) -> Self {
        let rows = Rows::new(layout.words(), payload_words);
        GroupTable { layout, slots: Slots::new(), rows, arena: Arena::new(), compaction: None }
    }

    /// The layout of the keys.
    pub fn layout(&self) -> &RowLayout {
        &self.layout
    }

    /// Replaces `groups` by the group of each key; keys that are not in the table get a new one, with a payload of zeros.
    ///
    /// A group keeps its number until it is removed.
    ///
    /// # Panics
    /// If there are not as many hashes as keys, the keys have another layout, or the table would pass 2^32 - 2 groups.
    pub fn upsert(&mut self, keys: &EncodedRows, hashes: &[u64], groups: &mut Vec<u32>) {
        assert_eq!(keys.len(), hashes.len());
        assert!(keys.is_empty() || keys.stride() == self.layout.words());
        if self.layout.has_strings() {
            let layout = self.layout.clone();
            return self.upsert_keys(&StringKeys { rows: keys, layout: &layout }, hashes, groups);
        }
        match self.layout.words() {
            1 => self.upsert_keys(&FixedKeys::<1>::new(keys), hashes, groups),
            2 => self.upsert_keys(&FixedKeys::<2>::new(keys), hashes, groups),
            3 => self.upsert_keys(&FixedKeys::<3>::new(keys), hashes, groups),
            4 => self.upsert_keys(&FixedKeys::<4>::new(keys), hashes, groups),
            5 => self.upsert_keys(&FixedKeys::<5>::new(keys), hashes, groups),
            _ => self.upsert_keys(&SlicedKeys(keys), hashes, groups),
        }
    }

    /// As [`GroupTable::upsert`] for the keys that [`RowLayout::single_word`] gives.
    ///
    /// # Panics
    /// As [`GroupTable::upsert`]; the layout must be that of one column of 8 bytes.
    pub fn upsert_words(&mut self, keys: &[u64], hashes: &[u64], groups: &mut Vec<u32>) {
        assert_eq!(keys.len(), hashes.len());
        assert!(self.layout.types().len() == 1 && self.layout.words() == 2);
        self.upsert_keys(&WordKeys(keys), hashes, groups);
    }

    /// Replaces `groups` by the group of each key, or [`GroupTable::NONE`].
    ///
    /// # Panics
    /// If there are not as many hashes as keys, or the keys have another layout.
    pub fn find(&self, keys: &EncodedRows, hashes: &[u64], groups: &mut Vec<u32>) {
        assert_eq!(keys.len(), hashes.len());
        assert!(keys.is_empty() || keys.stride() == self.layout.words());
        if self.layout.has_strings() {
            return self.find_keys(&StringKeys { rows: keys, layout: &self.layout }, hashes, groups);
        }
        match self.layout.words() {
            2 => self.find_keys(&FixedKeys::<2>::new(keys), hashes, groups),
            3 => self.find_keys(&FixedKeys::<3>::new(keys), hashes, groups),
            _ => self.find_keys(&SlicedKeys(keys), hashes, groups),
        }
    }

    /// As [`GroupTable::find`] for the keys that [`RowLayout::single_word`] gives.
    ///
    /// # Panics
    /// As [`GroupTable::find`]; the layout must be that of one column of 8 bytes.
    pub fn find_words(&self, keys: &[u64], hashes: &[u64], groups: &mut Vec<u32>) {
        assert_eq!(keys.len(), hashes.len());
        assert!(self.layout.types().len() == 1 && self.layout.words() == 2);
        self.find_keys(&WordKeys(keys), hashes, groups);
    }

    /// The state of a group that is in the table.
    ///
    /// # Panics
    /// May panic if it is not.
    #[inline(always)]
    pub fn payload(&self, group: u32) -> &[u64] {
        self.rows.payload(group)
    }

    /// The state of a group that is in the table, to be changed.
    ///
    /// # Panics
    /// May panic if it is not.
    #[inline(always)]
    pub fn payload_mut(&mut self, group: u32) -> &mut [u64] {
        self.rows.payload_mut(group)
    }

    /// Asks for the row of a group that is in the table, to be read or changed some hundred instructions later.
    ///
    /// # Panics
    /// May panic if it is not.
    #[inline(always)]
    pub fn prefetch(&self, group: u32) {
        self.rows.prefetch(group);
    }

    /// Removes a group; its number will be given to another key. Nothing happens if it is not in the table.
    pub fn remove(&mut self, group: u32) {
        if !self.contains(group) {
            return;
        }
        let row = self.rows.row(group);
        for word in (self.layout.fixed_words()..self.layout.words()).step_by(2) {
            let length = string_length(row[word]);
            if length > INLINE_BYTES {
                self.arena.release(length);
            }
        }
        self.slots.remove(hash_of(row), group);
        self.rows.release(group);
        if self.rows.len() == 0 {
            // The last one out gives back the memory.
            *self = Self::new(self.layout.clone(), self.rows.payload_words());
        } else {
            self.compact(1);
        }
    }

    /// Removes groups, each named once: as [`GroupTable::remove`], with cache misses that overlap.
    pub fn remove_all(&mut self, groups: &[u32]) {
        for groups in groups.chunks(GROUP) {
            groups.iter().filter(|group| **group < self.rows.end()).for_each(|&group| self.rows.prefetch(group));
            for &group in groups {
                if self.contains(group) {
                    self.slots.prefetch(hash_of(self.rows.row(group)));
                }
            }
            groups.iter().for_each(|&group| self.remove(group));
        }
    }

    /// The number of groups.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no group.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All groups, in no particular order.
    pub fn groups(&self) -> impl Iterator<Item = u32> + '_ {
        (0..self.rows.end()).filter(|group| self.contains(*group))
    }

    /// Whether the table has a group of this number.
    pub fn contains(&self, group: u32) -> bool {
        group < self.rows.end() && self.rows.row(group)[0] & PRESENT != 0
    }

    /// The keys of `groups`, which are in the table, as columns with the types of the layout: to be read before a removal.
    ///
    /// # Panics
    /// May panic if one is not in the table. Panics if the strings of a column are more than 2 GiB.
    pub fn keys(&self, groups: &[u32]) -> Vec<ArrayRef> {
        self.layout.decode_from(&StoredKeys { table: self, groups })
    }

    /// The memory held, in bytes.
    pub fn memory_bytes(&self) -> usize {
        self.slots.memory_bytes() + self.rows.memory_bytes() + self.arena.memory_bytes()
    }

    fn upsert_keys<K: Keys>(&mut self, keys: &K, hashes: &[u64], groups: &mut Vec<u32>) {
        groups.clear();
        groups.reserve(hashes.len());
        let mut starts = [0; GROUP];
        for (first, hashes) in (0..).step_by(GROUP).zip(hashes.chunks(GROUP)) {
            self.slots.make_room(hashes.len());
            self.compact(hashes.len());
            self.prefetch_group(keys, hashes, &mut starts);
            for (index, (hash, start)) in hashes.iter().zip(starts).enumerate() {
                groups.push(self.upsert_key(keys, first + index, *hash as u32, start));
            }
        }
    }

    #[inline(always)]
    fn upsert_key<K: Keys>(&mut self, keys: &K, key: usize, hash: u32, start: usize) -> u32 {
        let equal = |group| keys.equal(key, hash, self.rows.row(group), &self.arena);
        let vacancy = match self.slots.find(hash, start, equal) {
            Ok(group) => return group,
            Err(vacancy) => vacancy,
        };
        let group = self.rows.allocate();
        keys.store(key, hash, self.rows.row_mut(group), &mut self.arena);
        self.slots.insert(vacancy, hash, group);
        group
    }

    fn find_keys<K: Keys>(&self, keys: &K, hashes: &[u64], groups: &mut Vec<u32>) {
        groups.clear();
        groups.reserve(hashes.len());
        let mut starts = [0; GROUP];
        for (first, hashes) in (0..).step_by(GROUP).zip(hashes.chunks(GROUP)) {
            self.prefetch_group(keys, hashes, &mut starts);
            for (index, (hash, start)) in hashes.iter().zip(starts).enumerate() {
                let hash = *hash as u32;
                let equal = |group| keys.equal(first + index, hash, self.rows.row(group), &self.arena);
                groups.push(self.slots.find(hash, start, equal).unwrap_or(Self::NONE));
            }
        }
    }

    /// Asks for the slots of all `hashes`, then for the rows that are in them; `starts` are where to search on.
    #[inline(always)]
    fn prefetch_group<K: Keys>(&self, keys: &K, hashes: &[u64], starts: &mut [usize; GROUP]) {
        for hash in hashes {
            self.slots.prefetch(*hash as u32);
        }
        let mut candidates = [Self::NONE; GROUP];
        for ((hash, start), candidate) in hashes.iter().zip(starts).zip(&mut candidates) {
            let (at, found) = self.slots.candidate(*hash as u32);
            *start = at;
            if let Some(row) = found {
                self.rows.prefetch(row);
                *candidate = row;
            }
        }
        if K::IN_ARENA {
            for row in candidates.into_iter().filter(|row| *row != Self::NONE) {
                keys.prefetch(self.rows.row(row), &self.arena);
            }
        }
    }

    /// Moves the strings of some rows to the new arena, if there is one or should be one.
    #[inline(always)]
    fn compact(&mut self, keys: usize) {
        if self.compaction.is_some() || self.arena.is_wasteful() {
            self.compact_some(keys * COMPACTED_ROWS_PER_KEY);
        }
    }

    #[cold]
    fn compact_some(&mut self, rows: usize) {
        let start = *self.compaction.get_or_insert_with(|| {
            self.arena.start_evacuation();
            0
        });
        let end = self.rows.end().min(start.saturating_add(rows as u32));
        for group in start..end {
            let row = self.rows.row_mut(group);
            if row[0] & PRESENT == 0 {
                continue;
            }
            for word in (self.layout.fixed_words()..self.layout.words()).step_by(2) {
                let length = string_length(row[word]);
                if length > INLINE_BYTES {
                    row[word + 1] = self.arena.evacuate(row[word + 1], length);
                }
            }
        }
        self.compaction = Some(end);
        if end == self.rows.end() {
            self.arena.finish_evacuation();
            self.compaction = None;
        }
    }
}

/// The hash that a stored row keeps in its header.
#[inline(always)]
fn hash_of(row: &[u64]) -> u32 {
    (row[0] >> 32) as u32
}

/// The keys of some groups, for decoding.
struct StoredKeys<'a> {
    table: &'a GroupTable,
    groups: &'a [u32],
}

impl RowSource for StoredKeys<'_> {
    fn len(&self) -> usize {
        self.groups.len()
    }

    #[inline(always)]
    fn row(&self, row: usize) -> &[u64] {
        // The first column pays for the misses of the rows; those after find them in the cache.
        const AHEAD: usize = 16;
        if let Some(group) = self.groups.get(row + AHEAD) {
            self.table.rows.prefetch(*group);
        }
        self.table.rows.row(self.groups[row])
    }

    fn long_string(&self, _: usize, place: u64, length: usize) -> &[u8] {
        self.table.arena.get(place, length)
    }
}

#[cfg(test)]
mod tests;
