//! [`Kept`]: rows in lists, each list in the order of its keys and no longer than a window.
//!
//! The lists of all partitions share one slab: a list of one row, the common case, takes the row and nothing else. Rows are linked by
//! number, in the order of their keys. What falls off a list stays readable until [`Kept::forget`].

use std::cmp::Ordering;

use deltic_zset::memory::prefetch;

/// The end of a list.
const NONE: u32 = u32::MAX;
/// Rows that are allocated together: growing copies nothing.
const CHUNK: usize = 1 << 12;

/// The first bytes of a key as a big-endian word, filled up with zeros: they sort before what they are the head of, or with it.
pub(super) fn head(key: &[u8]) -> u64 {
    match key.first_chunk() {
        Some(bytes) => u64::from_be_bytes(*bytes),
        None => {
            let mut bytes = [0; 8];
            bytes[..key.len()].copy_from_slice(key);
            u64::from_be_bytes(bytes)
        }
    }
}

/// A row of a list.
struct Entry {
    head: u64,
    key: Box<[u8]>,
    copies: i64,
    next: u32,
}

/// Where a key is in its list, or would be: behind `previous`, and there or before `next`.
pub(super) struct Place {
    previous: u32,
    next: u32,
    found: bool,
    /// The copies of the rows up to `previous`.
    before: i64,
}

/// The rows of all lists. A list is known by its first row plus one; 0 is the empty list.
#[derive(Default)]
pub(super) struct Kept {
    chunks: Vec<Vec<Entry>>,
    free: Vec<u32>,
    /// Rows that fell off their lists and may still be read.
    dropped: Vec<u32>,
    key_bytes: usize,
}

fn first_of(list: u64) -> u32 {
    (list as u32).wrapping_sub(1)
}

impl Kept {
    fn entry(&self, row: u32) -> &Entry {
        &self.chunks[row as usize / CHUNK][row as usize % CHUNK]
    }

    fn entry_mut(&mut self, row: u32) -> &mut Entry {
        &mut self.chunks[row as usize / CHUNK][row as usize % CHUNK]
    }

    /// The rows of a list with their copies.
    pub(super) fn list(&self, list: u64) -> impl Iterator<Item = (u32, i64)> + '_ {
        let mut next = first_of(list);
        std::iter::from_fn(move || {
            let row = next;
            (row != NONE).then(|| {
                let entry = self.entry(row);
                next = entry.next;
                (row, entry.copies)
            })
        })
    }

    /// The key of a row.
    pub(super) fn key(&self, row: u32) -> &[u8] {
        &self.entry(row).key
    }

    /// Asks for the first row of a list.
    pub(super) fn prefetch(&self, list: u64) {
        let first = first_of(list);
        if first != NONE {
            prefetch(self.entry(first));
        }
    }

    /// Where `key` belongs in a list; `None` if `end` copies come before it.
    pub(super) fn search(&self, list: u64, key: &[u8], end: i64) -> Option<Place> {
        let head = head(key);
        let mut place = Place { previous: NONE, next: first_of(list), found: false, before: 0 };
        while place.next != NONE {
            let entry = self.entry(place.next);
            match entry.head.cmp(&head).then_with(|| (*entry.key).cmp(key)) {
                Ordering::Less => {
                    place.before += entry.copies;
                    place.previous = std::mem::replace(&mut place.next, entry.next);
                    if place.before >= end {
                        return None;
                    }
                }
                order => {
                    place.found = order.is_eq();
                    break;
                }
            }
        }
        Some(place)
    }

    /// Adds copies of `key` at the place that [`Kept::search`] gave in `list`, and drops what is behind the first `end` copies then. Returns the first
    /// bytes of the last key if there are so many.
    pub(super) fn insert(&mut self, list: &mut u64, place: Place, key: &[u8], copies: i64, end: i64) -> Option<u64> {
        let mut row = place.next;
        if place.found {
            let entry = self.entry_mut(row);
            // More copies than the window has are as good as these.
            entry.copies = entry.copies.saturating_add(copies).min(end);
        } else {
            row = self.allocate(Entry { head: head(key), key: key.into(), copies: copies.min(end), next: place.next });
            if place.previous == NONE {
                *list = u64::from(row) + 1;
            } else {
                self.entry_mut(place.previous).next = row;
            }
        }
        let mut copies = place.before;
        while row != NONE {
            let entry = self.entry_mut(row);
            copies += entry.copies;
            if copies >= end {
                let border = entry.head;
                let rest = std::mem::replace(&mut entry.next, NONE);
                self.drop_list(rest);
                return Some(border);
            }
            row = entry.next;
        }
        None
    }

    /// Drops all rows of a list, which is of no use after that.
    pub(super) fn release(&mut self, list: u64) {
        self.drop_list(first_of(list));
    }

    fn drop_list(&mut self, mut row: u32) {
        while row != NONE {
            self.dropped.push(row);
            row = self.entry(row).next;
        }
    }

    fn allocate(&mut self, entry: Entry) -> u32 {
        self.key_bytes += entry.key.len();
        if let Some(row) = self.free.pop() {
            *self.entry_mut(row) = entry;
            return row;
        }
        if self.chunks.last().is_none_or(|chunk| chunk.len() == CHUNK) {
            // The first chunk grows with its rows, so that a small operator stays small.
            self.chunks.push(if self.chunks.is_empty() { Vec::new() } else { Vec::with_capacity(CHUNK) });
        }
        let chunk = self.chunks.len() - 1;
        self.chunks[chunk].push(entry);
        let row = chunk * CHUNK + self.chunks[chunk].len() - 1;
        u32::try_from(row).ok().filter(|&row| row != NONE).expect("a worker keeps fewer than 2^32 rows: each takes 40 bytes")
    }

    /// Gives up the rows that have fallen off their lists.
    pub(super) fn forget(&mut self) {
        for row in std::mem::take(&mut self.dropped) {
            let entry = self.entry_mut(row);
            let key = std::mem::take(&mut entry.key);
            self.key_bytes -= key.len();
            self.free.push(row);
        }
    }

    /// The number of rows in lists.
    pub(super) fn len(&self) -> usize {
        self.chunks.iter().map(Vec::len).sum::<usize>() - self.free.len() - self.dropped.len()
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let entries: usize = self.chunks.iter().map(Vec::capacity).sum();
        entries * size_of::<Entry>() + self.free.capacity() * 4 + self.key_bytes
    }
}
