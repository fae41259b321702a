//! The slots of a table: from 32 bits of hash to the number of a row, by linear probing.
//!
//! A slot is the hash in its high half and the number of the row plus one in its low half; zero is empty. The home of a hash is
//! given by its low bits, so a slot array can be moved to one of another size without a look at the rows.
//!
//! Growing is incremental. The full array becomes the `old` one and is copied to the new one a few slots at a time, from the
//! front. It is never changed but for removals, so it is right at any moment for every row that was there when the growth began;
//! rows that came later are in the new one only. What has been copied is in both: hence a removal must look at both.

use crate::memory::{Pages, prefetch};

const FIRST_SLOTS: usize = 128;
/// Arrays up to this size are copied at once.
const COPIED_AT_ONCE: usize = 4096;
/// Old slots copied per key that may be inserted. The array is twice as large as before and five eighths full when it grows
/// again, so at least five eighths of the old size are inserted meanwhile: two per key would be enough.
const COPIED_PER_KEY: usize = 8;
/// What a removal leaves in the old array, where searches must go on past it.
const REMOVED: u64 = 1 << 32;

pub(super) struct Slots {
    current: Pages<u64>,
    /// Slots of `current` in use.
    used: usize,
    /// The array before the last growth, while it is copied, and how much of it has been.
    old: Option<(Pages<u64>, usize)>,
}

#[inline(always)]
fn slot(hash: u32, row: u32) -> u64 {
    u64::from(hash) << 32 | u64::from(row + 1)
}

#[inline(always)]
fn row_in(slot: u64) -> u32 {
    slot as u32 - 1
}

#[inline(always)]
fn has_hash(slot: u64, hash: u32) -> bool {
    (slot >> 32) as u32 == hash && slot as u32 != 0
}

impl Slots {
    pub(super) fn new() -> Self {
        Slots { current: Pages::zeroed(FIRST_SLOTS), used: 0, old: None }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.current.memory_bytes() + self.old.as_ref().map_or(0, |(old, _)| old.memory_bytes())
    }

    /// Sees to it that `keys` more keys can be inserted.
    #[inline(always)]
    pub(super) fn make_room(&mut self, keys: usize) {
        if self.old.is_some() {
            self.copy(keys * COPIED_PER_KEY);
        }
        // What is still to be copied counts as well: it may take a slot each.
        let waiting = self.old.as_ref().map_or(0, |(old, copied)| old.len() - copied);
        if self.used + waiting + keys > self.current.len() / 8 * 5 {
            self.grow(keys);
        }
    }

    #[cold]
    fn grow(&mut self, keys: usize) {
        self.copy(usize::MAX);
        while self.used + keys > self.current.len() / 8 * 5 {
            let old = std::mem::replace(&mut self.current, Pages::zeroed(0));
            self.current = Pages::zeroed(2 * old.len());
            let at_once = old.len() <= COPIED_AT_ONCE;
            self.used = 0;
            self.old = Some((old, 0));
            if at_once {
                self.copy(usize::MAX);
            } else {
                return;
            }
        }
    }

    /// Copies up to `slots` more of the old slots.
    fn copy(&mut self, slots: usize) {
        let Some((old, copied)) = &mut self.old else { return };
        let end = old.len().min(copied.saturating_add(slots));
        let mask = self.current.len() - 1;
        for slot in &old[*copied..end] {
            if *slot as u32 == 0 {
                continue;
            }
            let mut at = (*slot >> 32) as usize & mask;
            while self.current[at] != 0 {
                at = (at + 1) & mask;
            }
            self.current[at] = *slot;
            self.used += 1;
        }
        *copied = end;
        if end == old.len() {
            self.old = None;
        }
    }

    #[inline(always)]
    pub(super) fn prefetch(&self, hash: u32) {
        prefetch(&self.current[hash as usize & (self.current.len() - 1)]);
        if let Some((old, _)) = &self.old {
            prefetch(&old[hash as usize & (old.len() - 1)]);
        }
    }

    /// Where a search for `hash` may start, and the first row that has the hash.
    #[inline(always)]
    pub(super) fn candidate(&self, hash: u32) -> (usize, Option<u32>) {
        let at = first_of(&self.current, hash);
        let found = self.current[at];
        if found != 0 {
            return (at, Some(row_in(found)));
        }
        let Some((old, _)) = &self.old else { return (at, None) };
        let found = old[first_of(old, hash)];
        (at, (found != 0).then(|| row_in(found)))
    }

    /// The row with `hash` for which `equal` holds, or else the slot in which it is to be inserted. The search begins at `start`,
    /// which is the home of the hash or comes from [`Slots::candidate`]; insertions since then do no harm, removals would.
    #[inline(always)]
    pub(super) fn find(&self, hash: u32, start: usize, equal: impl Fn(u32) -> bool) -> Result<u32, usize> {
        let vacancy = match search(&self.current, hash, start, &equal) {
            Ok(row) => return Ok(row),
            Err(vacancy) => vacancy,
        };
        match &self.old {
            None => Err(vacancy),
            Some((old, _)) => search(old, hash, hash as usize & (old.len() - 1), &equal).map_err(|_| vacancy),
        }
    }

    /// Puts a row into the slot that [`Slots::find`] gave.
    #[inline(always)]
    pub(super) fn insert(&mut self, vacancy: usize, hash: u32, row: u32) {
        debug_assert_eq!(self.current[vacancy], 0);
        self.current[vacancy] = slot(hash, row);
        self.used += 1;
    }

    /// Removes a row, which must be there.
    pub(super) fn remove(&mut self, hash: u32, row: u32) {
        if let Some((old, _)) = &mut self.old
            && let Some(at) = position(old, hash, row)
        {
            old[at] = REMOVED;
        }
        if let Some(at) = position(&self.current, hash, row) {
            self.close_gap(at);
            self.used -= 1;
        }
    }

    /// Empties a slot and moves those behind it up, so that every row is still found from its home.
    fn close_gap(&mut self, mut gap: usize) {
        let mask = self.current.len() - 1;
        let mut at = gap;
        loop {
            at = (at + 1) & mask;
            let slot = self.current[at];
            if slot == 0 {
                break;
            }
            let home = (slot >> 32) as usize & mask;
            // It may move up only if its home is not behind the gap.
            if at.wrapping_sub(home) & mask >= at.wrapping_sub(gap) & mask {
                self.current[gap] = slot;
                gap = at;
            }
        }
        self.current[gap] = 0;
    }
}

/// The first slot, from the home of `hash`, that has the hash or is empty.
#[inline(always)]
fn first_of(slots: &[u64], hash: u32) -> usize {
    let mask = slots.len() - 1;
    let mut at = hash as usize & mask;
    while slots[at] != 0 && !has_hash(slots[at], hash) {
        at = (at + 1) & mask;
    }
    at
}

#[inline(always)]
fn search(slots: &[u64], hash: u32, start: usize, equal: &impl Fn(u32) -> bool) -> Result<u32, usize> {
    let mask = slots.len() - 1;
    let mut at = start;
    loop {
        let slot = slots[at];
        if slot == 0 {
            return Err(at);
        }
        if has_hash(slot, hash) && equal(row_in(slot)) {
            return Ok(row_in(slot));
        }
        at = (at + 1) & mask;
    }
}

fn position(slots: &[u64], hash: u32, row: u32) -> Option<usize> {
    let mask = slots.len() - 1;
    let mut at = hash as usize & mask;
    while slots[at] != 0 {
        if slots[at] == slot(hash, row) {
            return Some(at);
        }
        at = (at + 1) & mask;
    }
    None
}
