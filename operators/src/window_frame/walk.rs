//! [`Walk`]: the positions of places that ascend.

use super::pieces::{Piece, Pieces};
use super::state::{Entry, RowCursor, View};
use crate::row_key::RowKey;
use crate::tally::Results;

/// A place behind so many rows is looked up, not walked to.
const NEAR: usize = 64;

/// Finds positions of places in a partition, and goes from one to the next row by row while they are near.
pub(super) struct Walk<'v, 'a, T: Results> {
    view: &'v View<'a, T>,
    /// The last place, a cursor before the first row behind it, and its position.
    reached: Option<(RowKey, RowCursor<'a, T>, i64)>,
    /// The rows on the way since the last place that was looked up, and its position.
    passed: Vec<Piece<'a, T::Event>>,
    start: i64,
}

impl<'v, 'a, T: Results> Walk<'v, 'a, T> {
    pub(super) fn new(view: &'v View<'a, T>) -> Self {
        Walk { view, reached: None, passed: Vec::new(), start: 0 }
    }

    /// How many copies stand before a place of the partition; all of them if it is `None`.
    pub(super) fn position(&mut self, place: Option<RowKey>) -> i64 {
        let Some(place) = place else { return self.view.len };
        if let Some((last, cursor, position)) = &mut self.reached
            && *last <= place
        {
            for _ in 0..NEAR {
                match cursor.after().filter(|(row, _)| row.key < place) {
                    Some((entry, copies)) => {
                        self.passed.push(Piece { start: *position, copies, entry });
                        *position += copies;
                    }
                    None => {
                        *last = place;
                        return *position;
                    }
                }
                cursor.step();
            }
        }
        let entry = Entry::place(place);
        let (cursor, position) = self.view.seek(&entry);
        self.reached = Some((entry.key, cursor, position));
        self.passed.clear();
        self.start = position;
        position
    }

    /// Goes on to a position if that is near.
    pub(super) fn stroll(&mut self, to: i64) {
        let Some((_, cursor, position)) = &mut self.reached else { return };
        if to - *position > NEAR as i64 {
            return;
        }
        while *position < to
            && let Some((entry, copies)) = cursor.after()
        {
            self.passed.push(Piece { start: *position, copies, entry });
            *position += copies;
            cursor.step();
        }
    }

    /// The rows between the last places, which need not be all.
    pub(super) fn passed(self) -> Pieces<'a, T::Event> {
        let end = self.reached.map_or(self.start, |(.., position)| position);
        Pieces::new(self.start..end, self.passed)
    }
}
