//! Events in the order of their keys and times, and what a subtree of them knows: its ends, its widest gap, its aggregates.
//!
//! One ordered index holds the events of all keys. Events of different keys are infinitely far apart, so the search for the
//! end of a session stops at the end of the key by itself.

use deltic_zset::{GroupTable, OrderedIndex, Summary};

use crate::tally::Tally;

/// A time of a key. Packed: twelve bytes, because there is one for every event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C, packed)]
pub(super) struct Place {
    key: u32,
    time: i64,
}

impl Place {
    /// No place of any key, and after all of them.
    const NOWHERE: Place = Place { key: GroupTable::NONE, time: i64::MAX };

    #[inline(always)]
    pub(super) fn new(key: u32, time: i64) -> Self {
        Place { key, time }
    }

    #[inline(always)]
    pub(super) fn key(self) -> u32 {
        self.key
    }

    #[inline(always)]
    pub(super) fn time(self) -> i64 {
        self.time
    }

    /// The first place behind this one.
    pub(super) fn next(self) -> Self {
        match self.time.checked_add(1) {
            Some(time) => Place { key: self.key, time },
            None => Place { key: self.key + 1, time: i64::MIN },
        }
    }

    /// In the same order as the place.
    #[inline(always)]
    pub(super) fn word(self) -> u128 {
        u128::from(self.key) << 64 | u128::from(self.time as u64 ^ 1 << 63)
    }
}

impl Ord for Place {
    #[inline(always)]
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.word().cmp(&other.word())
    }
}

impl PartialOrd for Place {
    #[inline(always)]
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// An event: its place, and what else is kept of it. Equal entries are one with the sum of their weights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry<E> {
    pub(super) place: Place,
    pub(super) event: E,
}

impl<E: Ord> Ord for Entry<E> {
    #[inline(always)]
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.place.cmp(&other.place).then_with(|| self.event.cmp(&other.event))
    }
}

impl<E: Ord> PartialOrd for Entry<E> {
    #[inline(always)]
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<E: Default> Entry<E> {
    /// Not after any event of this place.
    pub(super) fn first_of(place: Place) -> Self {
        Entry { place, event: E::default() }
    }
}

/// The events of all keys with more than a few.
pub(super) type Events<T> = OrderedIndex<Entry<<T as Tally>::Event>, Span<T>>;

/// Where a run of events is, and whether it is one session.
#[derive(Clone, Copy)]
pub(super) struct Reach {
    /// [`Place::NOWHERE`] if there are no events.
    pub(super) first: Place,
    last: Place,
    /// The greatest distance of neighbours; `u64::MAX` if there are several keys.
    pub(super) widest_gap: u64,
}

impl Reach {
    const NONE: Reach = Reach { first: Place::NOWHERE, last: Place::NOWHERE, widest_gap: 0 };

    fn at(place: Place) -> Self {
        Reach { first: place, last: place, widest_gap: 0 }
    }

    #[inline(always)]
    fn join(self, right: Reach) -> Self {
        if self.first == Place::NOWHERE {
            return right;
        }
        if right.first == Place::NOWHERE {
            return self;
        }
        let between = gap(self.last, right.first);
        Reach { first: self.first, last: right.last, widest_gap: self.widest_gap.max(right.widest_gap).max(between) }
    }
}

#[inline(always)]
fn gap(left: Place, right: Place) -> u64 {
    if left.key == right.key { right.time.wrapping_sub(left.time) as u64 } else { u64::MAX }
}

impl<E> Summary<Entry<E>> for Reach {
    fn identity() -> Self {
        Reach::NONE
    }

    fn of(entry: &Entry<E>, _: i64) -> Self {
        Reach::at(entry.place)
    }

    fn combine(&self, right: &Self) -> Self {
        self.join(*right)
    }
}

/// What an ordered index knows of a run of events.
#[derive(Clone)]
pub(super) struct Span<T> {
    pub(super) reach: Reach,
    /// Its aggregates.
    pub(super) tally: T,
}

impl<T: Tally> Summary<Entry<T::Event>> for Span<T> {
    fn identity() -> Self {
        Span { reach: Reach::NONE, tally: T::default() }
    }

    fn of(entry: &Entry<T::Event>, weight: i64) -> Self {
        let mut tally = T::default();
        tally.add(&entry.event, weight);
        Span { reach: Reach::at(entry.place), tally }
    }

    fn combine(&self, right: &Self) -> Self {
        let mut span = self.clone();
        span.append(right);
        span
    }

    #[inline]
    fn append(&mut self, right: &Self) {
        self.reach = self.reach.join(right.reach);
        self.tally.merge(&right.tally);
    }

    fn of_entries(entries: &[Entry<T::Event>], weights: &[i64]) -> Self {
        let (Some(first), Some(last)) = (entries.first(), entries.last()) else { return Self::identity() };
        let (mut tally, mut widest_gap, mut before) = (T::default(), 0, first.place);
        for (entry, &weight) in entries.iter().zip(weights) {
            tally.add(&entry.event, weight);
            widest_gap = widest_gap.max(gap(before, entry.place));
            before = entry.place;
        }
        Span { reach: Reach { first: first.place, last: last.place, widest_gap }, tally }
    }
}
