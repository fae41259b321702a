//! The rows of a table: key and payload side by side, found by their number.

use crate::layout::PRESENT;
use crate::memory::{Pages, prefetch};

/// Rows for which there is space at first.
const FIRST_ROWS: usize = 16;
/// Words of a cache line.
const LINE_WORDS: usize = 8;
/// The end of the list of free rows.
const NO_ROW: u32 = u32::MAX;

pub(super) struct Rows {
    words: Pages<u64>,
    /// At least the words of the key and of the payload.
    stride: usize,
    key_words: usize,
    payload_words: usize,
    /// Rows for which there is space.
    capacity: usize,
    /// Rows that are or were in use.
    end: u32,
    /// Rows in use.
    len: usize,
    /// The row freed last. The high half of the header of a free row is the one freed before it.
    free: u32,
}

impl Rows {
    pub(super) fn new(key_words: usize, payload_words: usize) -> Self {
        let words = key_words + payload_words;
        let stride = if words == LINE_WORDS - 1 { LINE_WORDS } else { words };
        Rows { words: Pages::zeroed(0), stride, key_words, payload_words, capacity: 0, end: 0, len: 0, free: NO_ROW }
    }

    /// Rows in use.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// One past the last row that was ever in use.
    pub(super) fn end(&self) -> u32 {
        self.end
    }

    pub(super) fn payload_words(&self) -> usize {
        self.payload_words
    }

    /// Without what was reserved but never touched.
    pub(super) fn memory_bytes(&self) -> usize {
        self.end as usize * self.stride * 8
    }

    #[inline(always)]
    pub(super) fn row(&self, row: u32) -> &[u64] {
        let start = row as usize * self.stride;
        &self.words[start..start + self.stride]
    }

    #[inline(always)]
    pub(super) fn row_mut(&mut self, row: u32) -> &mut [u64] {
        let start = row as usize * self.stride;
        &mut self.words[start..start + self.stride]
    }

    #[inline(always)]
    pub(super) fn payload(&self, row: u32) -> &[u64] {
        let start = row as usize * self.stride;
        &self.words[start + self.key_words..start + self.key_words + self.payload_words]
    }

    #[inline(always)]
    pub(super) fn payload_mut(&mut self, row: u32) -> &mut [u64] {
        let start = row as usize * self.stride;
        &mut self.words[start + self.key_words..start + self.key_words + self.payload_words]
    }

    /// Asks for the cache line in which the row begins, and for the one in which it ends if it may be the next.
    #[inline(always)]
    pub(super) fn prefetch(&self, row: u32) {
        let row = self.row(row);
        prefetch(&row[0]);
        prefetch(&row[row.len().min(8) - 1]);
    }

    /// A row for a new key, with a payload of zeros; what was in its key words may still be there.
    ///
    /// # Panics
    /// If all numbers of rows are taken.
    #[inline(always)]
    pub(super) fn allocate(&mut self) -> u32 {
        self.len += 1;
        if self.free != NO_ROW {
            return self.reuse();
        }
        let row = self.end;
        if row as usize == self.capacity {
            self.extend();
        }
        self.end += 1;
        row
    }

    fn reuse(&mut self) -> u32 {
        let row = self.free;
        self.free = (self.row(row)[0] >> 32) as u32;
        self.payload_mut(row).fill(0);
        row
    }

    #[cold]
    fn extend(&mut self) {
        // The last number is the end of the list of free rows, and slots count from one.
        assert!(self.end < NO_ROW - 1, "a table of one worker holds less than 2^32 - 1 groups");
        self.capacity = (2 * self.capacity).max(FIRST_ROWS);
        self.words.grow(self.capacity * self.stride);
    }

    /// Frees a row, which must be in use.
    pub(super) fn release(&mut self, row: u32) {
        debug_assert!(self.row(row)[0] & PRESENT != 0);
        let link = u64::from(self.free) << 32;
        self.row_mut(row)[0] = link;
        self.free = row;
        self.len -= 1;
    }
}
