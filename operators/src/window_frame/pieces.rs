//! [`Pieces`]: neighbouring rows of a partition, loaded in one pass over the index.

use std::ops::{Bound, Range};

use super::state::{Entry, View};
use crate::tally::Results;

/// A row and the positions of its copies.
pub(super) struct Piece<'a, E> {
    pub(super) start: i64,
    pub(super) copies: i64,
    pub(super) entry: &'a Entry<E>,
}

/// The rows at some positions. The first and the last may reach beyond them.
pub(super) struct Pieces<'a, E> {
    pub(super) range: Range<i64>,
    pub(super) pieces: Vec<Piece<'a, E>>,
    /// No row has several copies.
    single: bool,
}

impl<'a, E: Clone> Pieces<'a, E> {
    fn new(range: Range<i64>, pieces: Vec<Piece<'a, E>>) -> Self {
        let single = pieces.iter().all(|piece| piece.copies == 1);
        Pieces { range, pieces, single }
    }

    /// The rows at positions `from .. to`, cut to the partition.
    pub(super) fn load<T: Results<Event = E>>(view: &View<'a, T>, from: i64, to: i64) -> Self {
        let (from, to) = (from.max(0), to.min(view.len));
        let Some((mut cursor, skipped)) = view.cursor_at(from).filter(|_| from < to) else {
            return Pieces::new(from..from, Vec::new());
        };
        let mut start = from - skipped;
        let mut pieces = Vec::with_capacity((to - from).min(1 << 20) as usize);
        while let Some((entry, copies)) = cursor.after().filter(|_| start < to) {
            pieces.push(Piece { start, copies, entry });
            start += copies;
            cursor.step();
        }
        Pieces::new(from..to, pieces)
    }

    /// The rows from the place `from`, which is at position `start`, to the bound `to`, with up to `before` positions before and `after` behind them. Returns, too, which of
    /// the pieces are within the bounds.
    pub(super) fn around<T: Results<Event = E>>(
        view: &View<'a, T>,
        start: i64,
        to: Bound<&Entry<E>>,
        before: i64,
        after: i64,
    ) -> (Self, Range<usize>) {
        let from = (start - before).max(0);
        let Some((mut cursor, skipped)) = view.cursor_at(from) else { return (Pieces::new(from..from, Vec::new()), 0..0) };
        let mut position = from - skipped;
        let mut pieces: Vec<Piece<'a, E>> = Vec::new();
        let (mut inside, mut beyond) = (0..0, None);
        while let Some((entry, copies)) = cursor.after() {
            let within = match to {
                Bound::Included(to) => entry <= to,
                Bound::Excluded(to) => entry < to,
                Bound::Unbounded => true,
            };
            if beyond.is_none() && !within {
                beyond = Some(position);
                inside.end = pieces.len();
            }
            if position >= view.len || beyond.is_some_and(|beyond| position >= beyond + after) {
                break;
            }
            if position < start {
                inside.start = pieces.len() + 1;
            }
            pieces.push(Piece { start: position, copies, entry });
            position += copies;
            cursor.step();
        }
        if beyond.is_none() {
            inside.end = pieces.len();
        }
        let loaded = from..position.min(view.len).max(from);
        (Pieces::new(loaded, pieces), inside.start.min(inside.end)..inside.end)
    }

    /// Whether all rows at these positions are here.
    pub(super) fn contains(&self, from: i64, to: i64) -> bool {
        from >= to || (self.range.start <= from && to <= self.range.end)
    }

    /// The piece that holds a position, which must be one that is loaded.
    fn index(&self, position: i64) -> usize {
        if self.single {
            return (position - self.pieces[0].start) as usize;
        }
        self.pieces.partition_point(|piece| piece.start + piece.copies <= position)
    }

    /// The row at a position, if it is loaded.
    pub(super) fn at(&self, position: i64) -> Option<&'a Entry<E>> {
        self.range.contains(&position).then(|| self.pieces[self.index(position)].entry)
    }

    /// Visits the rows at positions `from .. to`, which must be loaded, with the number of their copies there.
    #[inline]
    pub(super) fn visit(&self, from: i64, to: i64, mut visit: impl FnMut(&E, i64)) {
        if from >= to {
            return;
        }
        for piece in &self.pieces[self.index(from)..] {
            if piece.start >= to {
                return;
            }
            let copies = (piece.start + piece.copies).min(to) - piece.start.max(from);
            visit(&piece.entry.event, copies);
        }
    }
}
