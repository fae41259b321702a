//! How a key is compared with and copied to a row: one type per kind of key, so that the inner loop is compiled for each.
//!
//! The header of a stored row has the hash in its high half, so the first compare settles almost all.

use super::arena::Arena;
use crate::layout::{INLINE_BYTES, PRESENT, RowSource, string_length};
use crate::memory::prefetch;
use crate::{EncodedRows, RowLayout};

/// The keys of a batch.
pub(super) trait Keys {
    /// Whether a part of the keys is in the arena.
    const IN_ARENA: bool = false;
    /// Whether key `key`, with this hash, is the key of `row`.
    fn equal(&self, key: usize, hash: u32, row: &[u64], arena: &Arena) -> bool;
    /// Asks for what of `row`, which is in the cache, is in the arena.
    #[inline(always)]
    fn prefetch(&self, _row: &[u64], _arena: &Arena) {}
    /// Makes `row` one of key `key`, with this hash.
    fn store(&self, key: usize, hash: u32, row: &mut [u64], arena: &mut Arena);
}

#[inline(always)]
fn with_hash(header: u64, hash: u32) -> u64 {
    header | u64::from(hash) << 32
}

/// Keys of `N` words without strings.
pub(super) struct FixedKeys<'a, const N: usize>(&'a [[u64; N]]);

impl<'a, const N: usize> FixedKeys<'a, N> {
    pub(super) fn new(rows: &'a EncodedRows) -> Self {
        FixedKeys(rows.words().as_chunks().0)
    }
}

impl<const N: usize> Keys for FixedKeys<'_, N> {
    #[inline(always)]
    fn equal(&self, key: usize, hash: u32, row: &[u64], _: &Arena) -> bool {
        let key = &self.0[key];
        row[0] == with_hash(key[0], hash) && row[1..N] == key[1..]
    }

    #[inline(always)]
    fn store(&self, key: usize, hash: u32, row: &mut [u64], _: &mut Arena) {
        let key = &self.0[key];
        row[..N].copy_from_slice(key);
        row[0] = with_hash(key[0], hash);
    }
}

/// Keys of one 8-byte column without NULLs, as they are in the column.
pub(super) struct WordKeys<'a>(pub(super) &'a [u64]);

impl Keys for WordKeys<'_> {
    #[inline(always)]
    fn equal(&self, key: usize, hash: u32, row: &[u64], _: &Arena) -> bool {
        row[0] == with_hash(PRESENT, hash) && row[1] == self.0[key]
    }

    #[inline(always)]
    fn store(&self, key: usize, hash: u32, row: &mut [u64], _: &mut Arena) {
        row[0] = with_hash(PRESENT, hash);
        row[1] = self.0[key];
    }
}

/// Keys of any number of words without strings.
pub(super) struct SlicedKeys<'a>(pub(super) &'a EncodedRows);

impl Keys for SlicedKeys<'_> {
    #[inline(always)]
    fn equal(&self, key: usize, hash: u32, row: &[u64], _: &Arena) -> bool {
        let key = self.0.row(key);
        row[0] == with_hash(key[0], hash) && row[1..key.len()] == key[1..]
    }

    #[inline(always)]
    fn store(&self, key: usize, hash: u32, row: &mut [u64], _: &mut Arena) {
        let key = self.0.row(key);
        row[..key.len()].copy_from_slice(key);
        row[0] = with_hash(key[0], hash);
    }
}

/// Keys with strings.
pub(super) struct StringKeys<'a> {
    pub(super) rows: &'a EncodedRows,
    pub(super) layout: &'a RowLayout,
}

impl StringKeys<'_> {
    /// The first words of the string cells, counted.
    #[inline(always)]
    fn string_cells(&self) -> impl Iterator<Item = (usize, usize)> {
        (self.layout.fixed_words()..self.layout.words()).step_by(2).enumerate()
    }
}

impl Keys for StringKeys<'_> {
    const IN_ARENA: bool = true;

    #[inline(always)]
    fn equal(&self, key: usize, hash: u32, row: &[u64], arena: &Arena) -> bool {
        let key = self.rows.row(key);
        let fixed = self.layout.fixed_words();
        if row[0] != with_hash(key[0], hash) || row[1..fixed] != key[1..fixed] {
            return false;
        }
        for (string, word) in self.string_cells() {
            let length = string_length(key[word]);
            let equal = row[word] == key[word]
                && if length <= INLINE_BYTES {
                    row[word + 1] == key[word + 1]
                } else {
                    arena.get(row[word + 1], length) == self.rows.long_string(string, key[word + 1], length)
                };
            if !equal {
                return false;
            }
        }
        true
    }

    #[inline(always)]
    fn prefetch(&self, row: &[u64], arena: &Arena) {
        for (_, word) in self.string_cells() {
            let length = string_length(row[word]);
            if length > INLINE_BYTES {
                let string = arena.get(row[word + 1], length);
                prefetch(&string[0]);
                prefetch(&string[length.min(64) - 1]);
            }
        }
    }

    fn store(&self, key: usize, hash: u32, row: &mut [u64], arena: &mut Arena) {
        let key = self.rows.row(key);
        row[..key.len()].copy_from_slice(key);
        row[0] = with_hash(key[0], hash);
        for (string, word) in self.string_cells() {
            let length = string_length(key[word]);
            if length > INLINE_BYTES {
                row[word + 1] = arena.push(self.rows.long_string(string, key[word + 1], length));
            }
        }
    }
}
