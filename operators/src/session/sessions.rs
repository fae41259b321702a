//! [`Sessions`]: the sessions of all keys with more than a few events, in order of key and start.
//!
//! The ordered index knows where a session starts; its end and its aggregates are in a record beside, so that a session that grows to the
//! right, which most do, changes nothing but its record.

use std::ops::Bound;

use deltic_zset::{Cursor, OrderedIndex};

use super::event::Place;
use super::runs::Runs;
use crate::tally::Tally;

/// A session.
#[derive(Clone)]
pub(super) struct Session<T> {
    /// Its key and the time of its first event.
    pub(super) place: Place,
    /// The time of its last event.
    pub(super) last: i64,
    pub(super) tally: T,
}

impl<T> Session<T> {
    /// Whether both are from the same time to the same time.
    pub(super) fn has_bounds_of(&self, other: &Session<T>) -> bool {
        self.place.time() == other.place.time() && self.last == other.last
    }
}

/// What is known of a session whose place is known.
#[derive(Default)]
struct Record<T> {
    last: i64,
    tally: T,
}

/// Sessions by place.
pub(super) struct Sessions<T> {
    /// The weight of an entry is the number of its record plus one.
    index: OrderedIndex<Place, ()>,
    records: Runs<Record<T>>,
    /// Changes of the index, in order, that are not made so far.
    changes: Vec<(Place, i64)>,
}

/// The number of a record, from the weight of an entry.
fn record(weight: i64) -> u32 {
    (weight - 1) as u32
}

impl<T: Tally> Sessions<T> {
    pub(super) fn new() -> Self {
        Sessions { index: OrderedIndex::new(), records: Runs::new(), changes: Vec::new() }
    }

    /// A cursor over the sessions as of the last [`Sessions::commit`].
    pub(super) fn cursor(&self) -> SessionCursor<'_, T> {
        SessionCursor { cursor: self.index.cursor(), sessions: self }
    }

    fn session(&self, place: Place, weight: i64) -> Session<T> {
        let Record { last, tally } = self.records.get(record(weight));
        Session { place, last: *last, tally: tally.clone() }
    }

    /// All sessions.
    pub(super) fn iter(&self) -> impl Iterator<Item = Session<T>> {
        self.index.range(..).map(|(place, weight)| self.session(*place, weight))
    }

    /// The sessions of a key in order.
    pub(super) fn of_key(&self, key: u32) -> impl Iterator<Item = Session<T>> {
        let bounds = (Bound::Included(Place::new(key, i64::MIN)), Bound::Included(Place::new(key, i64::MAX)));
        self.index.range(bounds).map(|(place, weight)| self.session(*place, weight))
    }

    /// Adds a session. Places of one commit must come in ascending order.
    pub(super) fn insert(&mut self, session: Session<T>) {
        let Session { place, last, tally } = session;
        let number = self.records.insert(std::iter::once(Record { last, tally }));
        self.changes.push((place, i64::from(number) + 1));
    }

    /// Puts `news` in the place of `olds`, whose records have these numbers. Both in order of start.
    pub(super) fn replace(&mut self, olds: &[Session<T>], records: &[u32], news: &[Session<T>]) {
        let mut olds = olds.iter().zip(records).peekable();
        for new in news {
            while let Some((old, &number)) = olds.next_if(|(old, _)| old.place < new.place) {
                self.remove(old.place, number);
            }
            match olds.next_if(|(old, _)| old.place == new.place) {
                Some((_, &number)) => {
                    *self.records.get_mut(number) = Record { last: new.last, tally: new.tally.clone() };
                }
                None => self.insert(new.clone()),
            }
        }
        olds.for_each(|(old, &number)| self.remove(old.place, number));
    }

    fn remove(&mut self, place: Place, number: u32) {
        drop(self.records.remove(number, 1));
        self.changes.push((place, -i64::from(number) - 1));
    }

    /// Removes the sessions of a key from the first on as long as their end is one that `ends` holds for; returns their bounds and the end of the
    /// first one that is left.
    pub(super) fn remove_first(
        &mut self,
        key: u32,
        mut ends: impl FnMut(i64) -> bool,
        removed: &mut Vec<(Place, i64)>,
    ) -> Option<i64> {
        let mut gone = Vec::new();
        let mut left = None;
        let mut cursor = self.index.cursor_at(&Place::new(key, i64::MIN));
        while let Some((place, weight)) = cursor.after().filter(|(place, _)| place.key() == key) {
            let last = self.records.get(record(weight)).last;
            if !ends(last) {
                left = Some(last);
                break;
            }
            removed.push((*place, last));
            gone.push((*place, record(weight)));
            cursor.step();
        }
        gone.into_iter().for_each(|(place, number)| self.remove(place, number));
        left
    }

    /// Makes the changes of the index.
    pub(super) fn commit(&mut self) {
        self.index.update_sorted(self.changes.drain(..), |_, _, _| ());
    }

    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let changes = self.changes.capacity() * size_of::<(Place, i64)>();
        self.index.memory_bytes() + self.records.memory_bytes() + changes
    }
}

/// A place among the sessions, for searches in ascending order.
pub(super) struct SessionCursor<'a, T> {
    cursor: Cursor<'a, Place, ()>,
    sessions: &'a Sessions<T>,
}

impl<T: Tally> SessionCursor<'_, T> {
    /// Moves before the first session that does not start before `place`.
    pub(super) fn seek(&mut self, place: Place) {
        self.cursor.seek(&place);
    }

    /// The session of `key` before the cursor, if its last event is at `least` or later, and the number of its record.
    pub(super) fn before(&self, key: u32, least: i64) -> Option<(Session<T>, u32)> {
        let (place, weight) = self.cursor.before().filter(|(place, _)| place.key() == key)?;
        let late = self.sessions.records.get(record(weight)).last >= least;
        late.then(|| (self.sessions.session(*place, weight), record(weight)))
    }

    /// Takes the session of `key` behind the cursor, if it starts at `most` or earlier, and the number of its record.
    pub(super) fn take(&mut self, key: u32, most: i64) -> Option<(Session<T>, u32)> {
        let (place, weight) = self.cursor.after().filter(|(place, _)| place.key() == key && place.time() <= most)?;
        self.cursor.step();
        Some((self.sessions.session(*place, weight), record(weight)))
    }
}
