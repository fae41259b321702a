//! [`Walk`]: the positions of places that ascend.

use super::pieces::{Piece, Pieces};
use super::state::{Entry, RowCursor, View};
use crate::row_key::RowKey;
use crate::tally::Results;

/// A place behind more rows than these, and those of a leaf, is looked up, not walked to.
const NEAR: usize = 64;

/// Finds positions of places in a partition, and goes from one to the next row by row while they are near.
pub(super) struct Walk<'v, 'a, T: Results> {
    view: &'v View<'a, T>,
    /// Rows that are loaded, and the first of them that is not before the last place.
    known: &'v [Piece<'a, T::Event>],
    next: usize,
    /// The last place, a cursor before the first row behind it, and its position.
    reached: Option<(RowKey, RowCursor<'a, T>, i64)>,
    /// The rows on the way since the last place that was looked up, if they are asked for, and its position.
    passed: Option<Vec<Piece<'a, T::Event>>>,
    start: i64,
}

impl<'v, 'a, T: Results> Walk<'v, 'a, T> {
    pub(super) fn new(view: &'v View<'a, T>) -> Self {
        Walk { view, known: &[], next: 0, reached: None, passed: None, start: 0 }
    }

    /// One that remembers the rows that it passes beyond `known` ones, which it need not look up.
    pub(super) fn recording(view: &'v View<'a, T>, known: &'v Pieces<'a, T::Event>) -> Self {
        Walk { known: &known.pieces, passed: Some(Vec::new()), ..Walk::new(view) }
    }

    /// How many copies stand before a place of the partition; all of them if it is `None`.
    pub(super) fn position(&mut self, place: Option<RowKey>) -> i64 {
        let Some(place) = place else { return self.view.len };
        if let Some(position) = self.among_known(&place) {
            return position;
        }
        if let Some((last, cursor, position)) = &mut self.reached
            && *last <= place
        {
            let mut steps = 0;
            while steps < NEAR {
                let (entries, copies) = cursor.run();
                let near = entries.iter().zip(copies).take_while(|(entry, _)| entry.key < place);
                let passed = pass(near, position, i64::MAX, self.passed.as_mut());
                cursor.step_within(passed);
                if passed < entries.len() || entries.is_empty() {
                    *last = place;
                    return *position;
                }
                steps += passed;
            }
        }
        let entry = Entry::place(place);
        let (cursor, position) = self.view.seek(&entry);
        self.reached = Some((entry.key, cursor, position));
        self.passed.iter_mut().for_each(Vec::clear);
        self.start = position;
        position
    }

    /// The position of a place that has rows on both sides of it that are loaded, or the end of the partition.
    fn among_known(&mut self, place: &RowKey) -> Option<i64> {
        let is_before = |piece: &Piece<'_, T::Event>| piece.entry.key < *place;
        let reached = self.next.checked_sub(1).map_or(self.known.first()?.start == 0, |last| is_before(&self.known[last]));
        if !reached && (self.next > 0 || !is_before(&self.known[0])) {
            return None;
        }
        self.next += self.known[self.next..].iter().take_while(|piece| is_before(piece)).count();
        match self.known.get(self.next) {
            Some(piece) => Some(piece.start),
            None => self.known.last().map(|last| last.start + last.copies).filter(|end| *end == self.view.len),
        }
    }

    /// Goes on to a position if that is near.
    pub(super) fn stroll(&mut self, to: i64) {
        let Some((_, cursor, position)) = &mut self.reached else { return };
        if to - *position > NEAR as i64 {
            return;
        }
        while *position < to {
            let (entries, copies) = cursor.run();
            let passed = pass(entries.iter().zip(copies), position, to, self.passed.as_mut());
            if passed == 0 {
                return;
            }
            cursor.step_within(passed);
        }
    }

    /// The rows between the last places, which need not be all.
    pub(super) fn passed(self) -> Pieces<'a, T::Event> {
        let end = self.reached.map_or(self.start, |(.., position)| position);
        Pieces::new(self.start..end, self.passed.unwrap_or_default())
    }
}

/// Goes on by some rows, to `end` at most; returns how many.
#[inline]
fn pass<'a, E>(
    rows: impl Iterator<Item = (&'a Entry<E>, &'a i64)>,
    position: &mut i64,
    end: i64,
    mut passed: Option<&mut Vec<Piece<'a, E>>>,
) -> usize {
    let mut count = 0;
    for (entry, &copies) in rows {
        if *position >= end {
            break;
        }
        if let Some(passed) = &mut passed {
            passed.push(Piece { start: *position, copies, entry });
        }
        *position += copies;
        count += 1;
    }
    count
}
