//! [`Head`]: the newest rows of an arrangement, in batches as they came, with a hash index over them.
//!
//! Per distinct key hash there is one slot with the newest row of that hash, and each row names the next older one. Rows are only added,
//! so the state of any earlier moment is the same chain without the rows from its length on: a version is a head and a length, and
//! costs nothing. That also is why appending a deletion never walks: it is one more row at the front of its chain.
//!
//! A head is owned by one thread and shared with its versions by `Rc`; the borrow of its cell never outlives a call.

use std::cell::{Ref, RefCell};

use super::batches::Batches;
use super::matches::Matches;
use super::probe::{ProbeKeys, prefetch};
use super::shape::{Shape, key_of};
use crate::ZBatch;

/// No older row of this key hash.
const END: u32 = u32::MAX;
/// How many keys are on their way from memory at a time.
const GROUP: usize = 32;
const MIN_SLOTS: usize = 64;

/// The newest rows, indexed.
#[derive(Debug, Default)]
pub(super) struct Head {
    rows: RefCell<HeadRows>,
}

/// What a [`Head`] holds.
#[derive(Debug, Default)]
pub(super) struct HeadRows {
    pub(super) batches: Batches,
    /// The order word of each row.
    pub(super) orders: Vec<u64>,
    /// The next older row of the same key hash.
    older: Vec<u32>,
    /// Open addressing: key hash in the upper half, newest row plus one in the lower; zero is free.
    slots: Vec<u64>,
    used_slots: usize,
}

impl Head {
    /// A head with room for `rows` rows.
    pub(super) fn with_capacity(rows: usize) -> Self {
        let slots = if rows == 0 { 0 } else { (rows * 3 / 2).next_power_of_two().max(MIN_SLOTS) };
        let rows = HeadRows {
            orders: Vec::with_capacity(rows),
            older: Vec::with_capacity(rows),
            slots: vec![0; slots],
            ..HeadRows::default()
        };
        Head { rows: RefCell::new(rows) }
    }

    /// The number of rows that there is memory for.
    pub(super) fn capacity(&self) -> usize {
        self.rows.borrow().older.capacity()
    }

    /// No rows, in the memory of these.
    pub(super) fn emptied(self) -> Self {
        let mut rows = self.rows.into_inner();
        rows.older.clear();
        rows.slots.fill(0);
        let rows = HeadRows { older: rows.older, slots: rows.slots, ..HeadRows::default() };
        Head { rows: RefCell::new(rows) }
    }

    pub(super) fn len(&self) -> usize {
        self.rows.borrow().batches.rows()
    }

    pub(super) fn rows(&self) -> Ref<'_, HeadRows> {
        self.rows.borrow()
    }

    /// Gives away what a flush needs: the rows, and their order words. Probes go on as before, but nothing more may be appended.
    pub(super) fn seal(&self) -> (Batches, Vec<u64>) {
        let mut rows = self.rows.borrow_mut();
        (rows.batches.clone(), std::mem::take(&mut rows.orders))
    }

    /// Adds the rows of `batch`, whose order words are `orders`.
    ///
    /// # Panics
    /// If the head had more than `u32::MAX` rows: it is full long before.
    pub(super) fn append(&self, batch: ZBatch, orders: &[u64]) {
        let mut rows = self.rows.borrow_mut();
        assert!(u32::try_from(rows.orders.len() + orders.len() + 1).is_ok(), "a head has fewer than 2^32 rows");
        rows.batches.push(batch);
        for group in orders.chunks(GROUP) {
            rows.index(group);
        }
        debug_assert_eq!(rows.batches.rows(), rows.orders.len());
    }

    /// Proposes the rows of the first `len` whose key hash is looked for, and verifies them.
    pub(super) fn probe(&self, len: usize, shape: &Shape, keys: &ProbeKeys<'_>, matches: &mut Matches) {
        let rows = self.rows.borrow();
        if len == 0 || rows.slots.is_empty() {
            return;
        }
        let sources: Vec<usize> = rows.batches.iter().map(|batch| matches.add_source(batch)).collect();
        let mask = rows.slots.len() - 1;
        for group in keys.sorted().chunks(GROUP) {
            for &(word, _) in group {
                prefetch(&rows.slots, word as usize & mask);
            }
            for &(word, probe_row) in group {
                let mut position = rows.newest(word);
                while position != END {
                    if (position as usize) < len {
                        let (batch, row) = rows.batches.locate(position as usize);
                        matches.propose(probe_row, sources[batch], row);
                    }
                    position = rows.older[position as usize];
                }
            }
        }
        matches.verify(shape, keys);
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let rows = self.rows.borrow();
        rows.batches.memory_bytes() + rows.orders.capacity() * 8 + rows.older.capacity() * 4 + rows.slots.capacity() * 8
    }
}

impl HeadRows {
    fn index(&mut self, orders: &[u64]) {
        if (self.used_slots + orders.len()) * 4 > self.slots.len() * 3 {
            self.grow();
        }
        let mask = self.slots.len() - 1;
        for &order in orders {
            prefetch(&self.slots, key_of(order) as usize & mask);
        }
        for &order in orders {
            let (word, newest) = (key_of(order), self.orders.len() as u32);
            let mut place = word as usize & mask;
            let older = loop {
                let slot = self.slots[place];
                if slot == 0 {
                    self.used_slots += 1;
                    break END;
                }
                if key_of(slot) == word {
                    break slot as u32 - 1;
                }
                place = (place + 1) & mask;
            };
            self.slots[place] = (u64::from(word) << 32) | u64::from(newest + 1);
            self.older.push(older);
            self.orders.push(order);
        }
    }

    /// The newest row of a key hash, or [`END`].
    fn newest(&self, word: u32) -> u32 {
        let mask = self.slots.len() - 1;
        let mut place = word as usize & mask;
        loop {
            match self.slots[place] {
                0 => return END,
                slot if key_of(slot) == word => return slot as u32 - 1,
                _ => place = (place + 1) & mask,
            }
        }
    }

    fn grow(&mut self) {
        let slots = (self.slots.len() * 2).max(MIN_SLOTS);
        let mask = slots - 1;
        let old = std::mem::replace(&mut self.slots, vec![0; slots]);
        for slot in old.into_iter().filter(|&slot| slot != 0) {
            let mut place = key_of(slot) as usize & mask;
            while self.slots[place] != 0 {
                place = (place + 1) & mask;
            }
            self.slots[place] = slot;
        }
    }
}
