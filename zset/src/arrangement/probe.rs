//! [`ProbeKeys`]: the keys of one probe, in the order of their hashes.
//!
//! Runs are ordered by hash, so keys in that order walk each run from front to back: the segment of the next key is the one at hand or
//! a later one, neighbours share cache lines and pages, and proposals come out grouped by segment. Sorting costs less than it saves from the
//! first run on.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef};

use super::matches::Matches;
use super::shape::{Shape, key_word};
use crate::ZBatch;

/// From so many keys on, radix passes beat a comparison sort.
const RADIX_KEYS: usize = 512;
const RADIX_BITS: u32 = 11;

/// The keys that one probe looks for.
pub(super) struct ProbeKeys<'a> {
    pub(super) columns: &'a [ArrayRef],
    pub(super) null_safe: &'a [bool],
    /// Key word and row of each key that can match at all, ordered by key word.
    sorted: Vec<(u32, u32)>,
}

impl<'a> ProbeKeys<'a> {
    /// The keys in the rows of `columns`, whose hashes are `hashes`. A key with a NULL in a column that is not null-safe equals nothing
    /// and is left out, so that a join pays nothing for all the NULL keys it stores.
    ///
    /// # Panics
    /// If there are more than `u32::MAX` keys.
    pub(super) fn new(columns: &'a [ArrayRef], hashes: &[u64], null_safe: &'a [bool]) -> Self {
        assert!(u32::try_from(hashes.len()).is_ok(), "a probe has fewer than 2^32 keys");
        assert_eq!(columns.len(), null_safe.len(), "null_safe has one entry per key column");
        debug_assert!(columns.iter().all(|column| column.len() == hashes.len()));
        let strict: Vec<_> =
            columns.iter().zip(null_safe).filter_map(|(column, safe)| column.nulls().filter(|_| !safe)).collect();
        let sorted = hashes.iter().enumerate().map(|(row, &hash)| (key_word(hash), row as u32));
        let mut sorted: Vec<(u32, u32)> = match strict.is_empty() {
            true => sorted.collect(),
            false => sorted.filter(|&(_, row)| strict.iter().all(|nulls| nulls.is_valid(row as usize))).collect(),
        };
        sort_by_word(&mut sorted);
        ProbeKeys { columns, null_safe, sorted }
    }

    /// Key word and row of each key, ordered by key word.
    pub(super) fn sorted(&self) -> &[(u32, u32)] {
        &self.sorted
    }

    /// Looks through the rows of `batches` that have no index.
    pub(super) fn scan<'b>(&self, shape: &Shape, batches: impl Iterator<Item = &'b Arc<ZBatch>>, matches: &mut Matches) {
        if self.sorted.is_empty() {
            return;
        }
        // One bit per 16 leading bits of the words that are looked for: most rows are dismissed by it.
        let mut present = vec![0u64; 1024];
        for &(word, _) in &self.sorted {
            present[(word >> 22) as usize] |= 1 << ((word >> 16) & 63);
        }
        for batch in batches {
            let source = matches.add_source(batch);
            for (row, &hash) in shape.key_hashes(batch).iter().enumerate() {
                let word = key_word(hash);
                if present[(word >> 22) as usize] & (1 << ((word >> 16) & 63)) != 0 {
                    let first = self.sorted.partition_point(|key| key.0 < word);
                    for key in self.sorted[first..].iter().take_while(|key| key.0 == word) {
                        matches.propose(key.1, source, row);
                    }
                }
            }
            matches.verify(shape, self);
        }
    }
}

fn sort_by_word(keys: &mut Vec<(u32, u32)>) {
    if keys.len() < RADIX_KEYS {
        keys.sort_unstable();
        return;
    }
    let mut other = vec![(0, 0); keys.len()];
    for shift in (0..u32::BITS).step_by(RADIX_BITS as usize) {
        let digit = |key: &(u32, u32)| (key.0 >> shift) as usize & ((1 << RADIX_BITS) - 1);
        let mut ends = vec![0usize; 1 << RADIX_BITS];
        for key in keys.iter() {
            ends[digit(key)] += 1;
        }
        let mut sum = 0;
        for end in &mut ends {
            sum += std::mem::replace(end, sum);
        }
        for key in keys.iter() {
            let place = &mut ends[digit(key)];
            other[*place] = *key;
            *place += 1;
        }
        std::mem::swap(keys, &mut other);
    }
}

/// Asks for the cache line of `values[index]`, if there is one.
#[inline(always)]
pub(super) fn prefetch<T>(values: &[T], index: usize) {
    #[cfg(target_arch = "x86_64")]
    if index < values.len() {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: the address is inside the slice, and a prefetch reads nothing that the program sees.
        unsafe { _mm_prefetch(values.as_ptr().add(index).cast(), _MM_HINT_T0) }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (values, index);
}
