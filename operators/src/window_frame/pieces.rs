//! [`Pieces`]: neighbouring rows of a partition, loaded in one pass over the index.

use std::ops::Range;

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
    pub(super) fn new(range: Range<i64>, pieces: Vec<Piece<'a, E>>) -> Self {
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
        while start < to {
            let (entries, copies) = cursor.run();
            let known = pieces.len();
            for (entry, &copies) in entries.iter().zip(copies) {
                if start >= to {
                    break;
                }
                pieces.push(Piece { start, copies, entry });
                start += copies;
            }
            if pieces.len() == known {
                break;
            }
            cursor.step_within(pieces.len() - known);
        }
        Pieces::new(from..to, pieces)
    }

    /// The rows at positions `from .. to`, with up to `before` positions before and `after` behind them. Returns, too, which of the pieces have one of these
    /// positions.
    pub(super) fn around<T: Results<Event = E>>(
        view: &View<'a, T>,
        from: i64,
        to: i64,
        before: i64,
        after: i64,
    ) -> (Self, Range<usize>) {
        if from >= to {
            return (Pieces::new(from..from, Vec::new()), 0..0);
        }
        let loaded = Pieces::load(view, from - before, to + after);
        let inside = loaded.pieces.partition_point(|piece| piece.start + piece.copies <= from);
        let beyond = loaded.pieces.partition_point(|piece| piece.start < to);
        (loaded, inside..beyond)
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

/// Rows from several places: what is asked for may begin in one list and go on in another.
pub(super) struct Near<'p, 'a, E> {
    /// By their positions.
    lists: Vec<&'p Pieces<'a, E>>,
}

impl<'p, 'a, E: Clone> Near<'p, 'a, E> {
    pub(super) fn new(lists: impl Iterator<Item = &'p Pieces<'a, E>>) -> Self {
        let mut lists: Vec<&Pieces<'a, E>> = lists.filter(|pieces| !pieces.range.is_empty()).collect();
        lists.sort_unstable_by_key(|pieces| pieces.range.start);
        Near { lists }
    }

    /// These and others.
    pub(super) fn with<'q>(&self, others: [Option<&'q Pieces<'a, E>>; 2]) -> Near<'q, 'a, E>
    where
        'p: 'q,
    {
        Near::new(self.lists.iter().copied().chain(others.into_iter().flatten()))
    }

    /// Whether all rows at these positions are here.
    pub(super) fn contains(&self, from: i64, to: i64) -> bool {
        let end = self.lists.iter().fold(from, |end, pieces| if pieces.range.contains(&end) { pieces.range.end } else { end });
        end >= to
    }

    /// Visits the rows at positions `from .. to`, which must be here, with the number of their copies there.
    #[inline]
    pub(super) fn visit(&self, from: i64, to: i64, mut visit: impl FnMut(&E, i64)) {
        let mut from = from;
        for pieces in &self.lists {
            if from < to && pieces.range.contains(&from) {
                let end = pieces.range.end.min(to);
                pieces.visit(from, end, &mut visit);
                from = end;
            }
        }
    }
}
