//! What a change of a partition does to the rows at positions `offset .. end`.
//!
//! Call `F(x)` the first `x` copies of the partition. The rows shown are `F(end) - F(offset)`, so their delta is the
//! difference of two deltas of prefixes. The delta of a prefix is the changes before its border, and around the border the copies that
//! moved over it. There cannot be more of those than changed copies. So only the keys between the old and the new border
//! are walked, never the window: the cost is O(changes x log n) whatever the limit.
//!
//! With row numbers every row behind a change moves, and the walk goes on until old and new positions agree again.

use std::cmp::Ordering;
use std::ops::{Bound, ControlFlow, Range};

use deltic_circuit::Ties;
use deltic_zset::{OrderedIndex, WeightCount};

use crate::row_key::RowKey;

/// Rows in order, with their numbers of copies.
pub(super) type Rows = OrderedIndex<RowKey, WeightCount>;

/// The groups of rows that are equal in the order, each with weight 1, by the bytes that their rows begin with.
pub(super) type Groups = OrderedIndex<RowKey, WeightCount>;

/// The positions that are shown.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    /// Copies to skip.
    pub(super) offset: i64,
    /// The first position not shown; `None` if all behind the offset are.
    pub(super) end: Option<i64>,
    /// Whether each copy is a row with its number.
    pub(super) numbered: bool,
    /// What happens to rows that are equal in the order. If those count as one, so does `end` count them.
    pub(super) ties: Ties,
}

/// A changed row of a partition: its key and by how many copies it grew.
pub(super) type Change = (RowKey, i64);

/// A changed row of the output: key, row number (0 if there is none), weight.
pub(super) type Shown = (RowKey, i64, i64);

/// The rows at the borders of a partition, if it reaches them.
#[derive(Clone, Debug)]
pub(super) struct Borders {
    /// Not asked for if nothing is skipped.
    offset: Option<RowKey>,
    end: Option<RowKey>,
}

impl Borders {
    /// Whether `row` is behind the last row that can be shown.
    pub(super) fn are_before(&self, row: &RowKey) -> bool {
        self.end.as_ref().is_some_and(|end| end < row)
    }
}

impl Window {
    /// Where the borders are at this moment in the partition of `row`.
    pub(super) fn borders(&self, rows: &Rows, groups: Option<&Groups>, row: &RowKey) -> Borders {
        let start = row.partition_start();
        let at = |position: i64| {
            let (key, _) = rows.select_from(&start, position)?;
            row.same_partition(key).then(|| key.clone())
        };
        let end = if self.ties == Ties::Cut { self.end.and_then(at) } else { self.end_of_ties(rows, groups, row) };
        Borders { offset: if self.offset > 0 { at(self.offset) } else { None }, end }
    }

    /// Where the rows equal to the last one before the end cease, in the partition of `row`; `None` if the partition does not reach the end, or ties
    /// are cut.
    pub(super) fn end_of_ties(&self, rows: &Rows, groups: Option<&Groups>, row: &RowKey) -> Option<RowKey> {
        match self.ties {
            Ties::Cut => None,
            Ties::Kept => {
                let (last, _) = rows.select_from(&row.partition_start(), self.end? - 1)?;
                if row.same_partition(last) { last.peers_end() } else { None }
            }
            Ties::AsOne => {
                let (beyond, _) = groups?.select_from(&row.partition_start(), self.end?)?;
                row.same_partition(beyond).then(|| beyond.clone())
            }
        }
    }

    /// Whether `position` is before the end.
    fn before_end(&self, position: i64) -> bool {
        self.end.is_none_or(|end| position < end)
    }

    /// Appends the delta of the output, given the `changes` of one partition (ascending, already applied to `rows`) and the borders before.
    pub(super) fn delta(
        &self,
        rows: &Rows,
        groups: Option<&Groups>,
        changes: &[Change],
        before: &Borders,
        shown: &mut Vec<Shown>,
    ) {
        let Some((first, _)) = changes.first() else { return };
        let now = self.borders(rows, groups, first);
        let offset_border = earlier(&before.offset, &now.offset);
        if self.numbered {
            match offset_border {
                Some(border) => self.numbered_delta(rows, changes, border.max(first), shown),
                None if self.offset == 0 => self.numbered_delta(rows, changes, first, shown),
                // The partition did not reach the offset and does not: nothing was shown and nothing is.
                None => {}
            }
            return;
        }
        let mut moved: Vec<Change> = Vec::new();
        if self.ties != Ties::Cut {
            tied_delta(rows, changes, &before.end, &now.end, &mut moved);
        } else if let Some(end) = self.end {
            prefix_delta(rows, changes, end, earlier(&before.end, &now.end), 1, &mut moved);
        } else {
            moved.extend(changes.iter().cloned());
        }
        if self.offset > 0 {
            prefix_delta(rows, changes, self.offset, offset_border, -1, &mut moved);
            moved.sort_by(|left, right| left.0.cmp(&right.0));
        }
        for change in moved {
            match shown.last_mut() {
                Some((key, _, weight)) if *key == change.0 => *weight += change.1,
                _ => shown.push((change.0, 0, change.1)),
            }
            shown.pop_if(|(_, _, weight)| *weight == 0);
        }
    }

    fn numbered_delta(&self, rows: &Rows, changes: &[Change], start: &RowKey, shown: &mut Vec<Shown>) {
        let Some((last, _)) = changes.last() else { return };
        walk(rows, changes, start, |key, old, new| {
            let settled = old.start == new.start && key > last;
            if settled || !(self.before_end(old.start) || self.before_end(new.start)) {
                return ControlFlow::Break(());
            }
            let (old, new) = (self.clip(old), self.clip(new));
            shown.extend(difference(&old, &new).map(|position| (key.clone(), position + 1, -1)));
            shown.extend(difference(&new, &old).map(|position| (key.clone(), position + 1, 1)));
            ControlFlow::Continue(())
        });
    }

    /// Those of `positions` that are shown.
    pub(super) fn clip(&self, positions: Range<i64>) -> Range<i64> {
        let end = self.end.filter(|_| self.ties == Ties::Cut).map_or(positions.end, |end| positions.end.min(end));
        let start = positions.start.max(self.offset);
        start..end.max(start)
    }
}

/// The positions of `left` that are not in `right`.
pub(super) fn difference(left: &Range<i64>, right: &Range<i64>) -> impl Iterator<Item = i64> {
    (left.start..left.end.min(right.start)).chain(left.start.max(right.end)..left.end)
}

/// The delta of the first `length` copies, times `sign`, given the earlier of its borders before and now (`None`: all copies of
/// the partition are among them, before and now).
fn prefix_delta(rows: &Rows, changes: &[Change], length: i64, border: Option<&RowKey>, sign: i64, delta: &mut Vec<Change>) {
    let inside = border.map_or(changes.len(), |border| changes.partition_point(|(key, _)| key < border));
    delta.extend(changes[..inside].iter().map(|(key, change)| (key.clone(), sign * change)));
    let Some(border) = border else { return };
    walk(rows, changes, border, |key, old, new| {
        if old.start >= length && new.start >= length {
            return ControlFlow::Break(());
        }
        let among = |positions: Range<i64>| positions.end.min(length) - positions.start.min(length);
        let change = among(new) - among(old);
        delta.extend((change != 0).then(|| (key.clone(), sign * change)));
        ControlFlow::Continue(())
    });
}

/// The delta of all copies before a border that was at `before` and is at `now`.
fn tied_delta(rows: &Rows, changes: &[Change], before: &Option<RowKey>, now: &Option<RowKey>, delta: &mut Vec<Change>) {
    let border = earlier(before, now);
    let inside = border.map_or(changes.len(), |border| changes.partition_point(|(key, _)| key < border));
    delta.extend(changes[..inside].iter().cloned());
    let Some(border) = border.filter(|_| before != now) else { return };
    let later = if Some(border) == before.as_ref() { now } else { before };
    walk_partition(rows, changes, border, &changes[0].0, |key, old, new| {
        if later.as_ref().is_some_and(|later| later <= key) {
            return ControlFlow::Break(());
        }
        // Either what is here now has come into view, or what was here has left it.
        let change = if Some(border) == before.as_ref() { new.end - new.start } else { old.start - old.end };
        delta.extend((change != 0).then(|| (key.clone(), change)));
        ControlFlow::Continue(())
    });
}

/// The earlier of two borders, where `None` is behind all rows.
fn earlier<'a>(left: &'a Option<RowKey>, right: &'a Option<RowKey>) -> Option<&'a RowKey> {
    match (left, right) {
        (Some(left), Some(right)) => Some(left.min(right)),
        _ => left.as_ref().or(right.as_ref()),
    }
}

/// Visits the rows of a partition that were there before the changes or are there now, ascending from `start`, with the positions of their
/// copies before and now.
fn walk(rows: &Rows, changes: &[Change], start: &RowKey, visit: impl FnMut(&RowKey, Range<i64>, Range<i64>) -> ControlFlow<()>) {
    walk_partition(rows, changes, start, start, visit);
}

/// As [`walk`], for a place `start` that is no row: its partition is that of `member`.
fn walk_partition(
    rows: &Rows,
    changes: &[Change],
    start: &RowKey,
    member: &RowKey,
    mut visit: impl FnMut(&RowKey, Range<i64>, Range<i64>) -> ControlFlow<()>,
) {
    let passed = changes.partition_point(|(key, _)| key < start);
    let mut new = rows.rank(start) - rows.rank(&member.partition_start());
    let mut old = new - changes[..passed].iter().map(|(_, change)| change).sum::<i64>();
    let mut changes = changes[passed..].iter().peekable();
    let mut stored = rows
        .range((Bound::Included(start.clone()), Bound::Unbounded))
        .take_while(|(key, _)| member.same_partition(key))
        .peekable();
    loop {
        let order = match (stored.peek(), changes.peek()) {
            (Some((key, _)), Some((changed, _))) => (*key).cmp(changed),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => return,
        };
        let present = if order.is_le() { stored.next() } else { None };
        let change = if order.is_ge() { changes.next() } else { None };
        let now = present.map_or(0, |(_, weight)| weight);
        let before = now - change.map_or(0, |(_, change)| *change);
        let Some(key) = present.map(|(key, _)| key).or(change.map(|(key, _)| key)) else { return };
        if visit(key, old..old + before, new..new + now).is_break() {
            return;
        }
        (old, new) = (old + before, new + now);
    }
}
