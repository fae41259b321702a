//! The slots of a table: from 32 bits of hash to the number of a row, by linear probing.
//!
//! A slot is the hash in its high half and the number of the row plus one in its low half; zero is empty. The home of a hash is
//! given by its low bits, so a slot array can be moved to one of another size without a look at the rows.
//!
//! Growing is incremental. The full array becomes the `old` one and is copied to the new one a few slots at a time, from the
//! front, and always up to an empty slot. Rows with one home or neighbouring ones are in one run of full slots, so a row whose home
//! is before the border is in the new array; one whose home is behind it is in the old one, or in the new one if it came later.
//! The old array is never changed but for removals.

use crate::memory::{Pages, prefetch};

const FIRST_SLOTS: usize = 128;
/// Arrays up to this size are copied at once.
const COPIED_AT_ONCE: usize = 4096;
/// Old slots copied per key that may be inserted. The array is twice as large as before and five eighths full when it grows
/// again, so at least five eighths of the old size are inserted meanwhile: two per key would be enough.
const COPIED_PER_KEY: usize = 4;
/// What a removal leaves in the old array, where searches must go on past it.
const REMOVED: u64 = 1 << 32;

pub(super) struct Slots {
    current: Pages<u64>,
    /// Slots of `current` in use.
    used: usize,
    /// The array before the last growth, while it is copied.
    old: Option<Old>,
}

struct Old {
    slots: Pages<u64>,
    /// Slots before this one have been copied; the last of them is empty.
    border: usize,
}

impl Old {
    /// Where a row with `hash` is to be searched for in here, if it is not in the new array.
    #[inline(always)]
    fn home(&self, hash: u32) -> Option<usize> {
        let home = hash as usize & (self.slots.len() - 1);
        (home >= self.border).then_some(home)
    }
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
        self.current.memory_bytes() + self.old.as_ref().map_or(0, |old| old.slots.memory_bytes())
    }

    /// Sees to it that `keys` more keys can be inserted.
    #[inline(always)]
    pub(super) fn make_room(&mut self, keys: usize) {
        if self.old.is_some() {
            self.copy(keys * COPIED_PER_KEY);
        }
        // What is still to be copied counts as well: it may take a slot each.
        let waiting = self.old.as_ref().map_or(0, |old| old.slots.len() - old.border);
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
            self.old = Some(Old { slots: old, border: 0 });
            if at_once {
                self.copy(usize::MAX);
            } else {
                return;
            }
        }
    }

    /// Copies about `count` more of the old slots.
    fn copy(&mut self, count: usize) {
        let Some(old) = &mut self.old else { return };
        let full = old.slots.len();
        let mut end = full.min(old.border.saturating_add(count));
        while end < full && old.slots[end - 1] != 0 {
            end += 1;
        }
        let mask = self.current.len() - 1;
        for slot in &old.slots[old.border..end] {
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
        old.border = end;
        if end == full {
            self.old = None;
        }
    }

    #[inline(always)]
    pub(super) fn prefetch(&self, hash: u32) {
        prefetch(&self.current[hash as usize & (self.current.len() - 1)]);
        if let Some(old) = &self.old
            && let Some(home) = old.home(hash)
        {
            prefetch(&old.slots[home]);
        }
    }

    /// Where a search for `hash` may start, and the first row that has the hash.
    #[inline(always)]
    pub(super) fn candidate(&self, hash: u32) -> (usize, Option<u32>) {
        let at = first_of(&self.current, hash, hash as usize & (self.current.len() - 1));
        let mut found = self.current[at];
        if found == 0
            && let Some(old) = &self.old
            && let Some(home) = old.home(hash)
        {
            found = old.slots[first_of(&old.slots, hash, home)];
        }
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
        if let Some(old) = &self.old
            && let Some(home) = old.home(hash)
        {
            return search(&old.slots, hash, home, &equal).map_err(|_| vacancy);
        }
        Err(vacancy)
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
        if let Some(old) = &mut self.old
            && let Some(at) = position(&old.slots, hash, row)
        {
            old.slots[at] = REMOVED;
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

/// The first slot, from `home` on, that has the hash or is empty.
#[inline(always)]
fn first_of(slots: &[u64], hash: u32, home: usize) -> usize {
    let mask = slots.len() - 1;
    let mut at = home;
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
