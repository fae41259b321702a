//! Which rows an epoch can give other results.
//!
//! Everything is asked of the partition as it was before the epoch. Of two sequences of rows, a row that is in both sees different rows within
//! some distance only if in the older one a row within that distance goes, or a place within it is where a row comes: so the old positions say
//! all. The answer is a few intervals of the order, in which the rows before and after the epoch are then evaluated and compared.
//!
//! A frame that begins with the partition reaches all rows behind a change, unless what has changed adds up to nothing.

use std::ops::Bound;

use deltic_circuit::frame::{Exclusion, Frame, FrameOffset, FramePlace, FrameUnits, WindowFunction};

use super::distance::{Place, Side};
use super::extreme::{Settled, settled};
use super::spec::{Call, Spec};
use super::state::{Change, View};
use crate::row_key::RowKey;
use crate::tally::{End, Results};

/// Partitions with so few rows are evaluated whole: that is cheaper than to find out.
const FEW: i64 = 48;

/// Rows of a partition that stand together.
pub(super) struct Interval {
    /// The end; behind the partition's last row if there is none.
    pub(super) to: Bound<RowKey>,
    /// The position of the first before the epoch.
    pub(super) start: i64,
    /// The first of the changes of the epoch that it holds.
    pub(super) first: usize,
}

/// Positions before the epoch.
#[derive(Clone, Copy, Debug)]
struct Span {
    from: i64,
    to: i64,
    /// The first and the last of the changes in it.
    first: usize,
    last: usize,
}

/// The changes of one partition.
struct Affected<'a, T: Results> {
    spec: &'a Spec,
    view: &'a View<'a, T>,
    changes: &'a [Change<T>],
    positions: Vec<i64>,
    /// By how many copies the partition grows.
    growth: i64,
    spans: Vec<Span>,
}

/// The intervals that `changes`, which are those of the partition of `view`, affect.
pub(super) fn affected<T: Results>(spec: &Spec, view: &View<'_, T>, changes: &[Change<T>]) -> Vec<Interval> {
    let growth: i64 = changes.iter().map(|change| change.delta).sum();
    if view.len <= FEW && view.len + growth <= FEW {
        return vec![Interval { to: Bound::Unbounded, start: 0, first: 0 }];
    }
    let positions = changes.iter().map(|change| view.position(change)).collect();
    let mut affected = Affected { spec, view, changes, positions, growth, spans: Vec::new() };
    for change in 0..changes.len() {
        affected.add(affected.positions[change], affected.end_of(change), change);
    }
    for call in &spec.calls {
        affected.call(call);
    }
    affected.merge();
    if spec.reads_peers {
        affected.widen_to_peers();
        affected.merge();
    }
    affected.spans.iter().map(|span| affected.interval(span)).collect()
}

impl<T: Results> Affected<'_, T> {
    fn key(&self, change: usize) -> &RowKey {
        &self.changes[change].entry.key
    }

    /// The position behind the copies that a changed row had.
    fn end_of(&self, change: usize) -> i64 {
        self.positions[change] + self.changes[change].copies
    }

    fn last(&self) -> usize {
        self.changes.len() - 1
    }

    /// A span around one change.
    fn add(&mut self, from: i64, to: i64, change: usize) {
        self.spans.push(Span { from: from.max(0), to: to.min(self.view.len), first: change, last: change });
    }

    /// A span around all changes.
    fn add_all(&mut self, from: i64, to: i64) {
        self.spans.push(Span { from: from.max(0), to: to.min(self.view.len), first: 0, last: self.last() });
    }

    fn call(&mut self, call: &Call) {
        let (start, end, len) = (self.positions[0], self.end_of(self.last()), self.view.len);
        match &call.call.function {
            WindowFunction::RowNumber | WindowFunction::Rank => self.add_all(start, if self.growth == 0 { end } else { len }),
            WindowFunction::DenseRank => {
                let end = if self.keeps_groups() { end } else { len };
                self.add_all(start, end);
            }
            WindowFunction::PercentRank | WindowFunction::CumeDist | WindowFunction::Ntile { .. } => match self.growth {
                0 => self.add_all(start, end),
                _ => self.add_all(0, len),
            },
            WindowFunction::Lag { offset, ignore_nulls: true, .. } if *offset != 0 => self.lag_of_values(call, *offset),
            WindowFunction::Lag { offset, .. } => {
                for change in 0..self.changes.len() {
                    let (from, to) = (self.positions[change], self.end_of(change));
                    self.add(from.saturating_add((*offset).min(0)), to.saturating_add((*offset).max(0)), change);
                }
            }
            WindowFunction::Value { place, frame, ignore_nulls, .. } => match narrowed(*place, frame, *ignore_nulls) {
                Some(frame) => self.frame(&frame, false),
                None if self.is_settled(*place, frame, *ignore_nulls) => {}
                None => self.frame(frame, false),
            },
            WindowFunction::Aggregate { frame, .. } => {
                let bounded = frame.start.is_some() && frame.end.is_some();
                match call.planned.filter(|_| !bounded).map(|planned| (planned, self.spec.plan.extreme(planned))) {
                    Some((_, Some((stream, end)))) if self.may_settle(frame) => self.extreme(frame, stream, end),
                    Some((planned, None)) => self.frame(frame, self.spec.plan.is_nothing(&self.sum(), planned)),
                    _ => self.frame(frame, false),
                }
            }
        }
    }

    /// Whether it is worth while to ask of each change how far it reaches, and frames hold what makes up for it.
    fn may_settle(&self, frame: &Frame) -> bool {
        frame.exclude == Exclusion::NoOthers && self.changes.len() as i64 <= self.view.len / 8
    }

    /// Rows whose frame, which reaches to an end of the partition, holds a change, but no row that makes up for it.
    fn extreme(&mut self, frame: &Frame, stream: usize, end: End) {
        let side = if frame.start.is_none() { Side::Start } else { Side::End };
        for change in 0..self.changes.len() {
            let row = match settled(self.view, self.changes, change, stream, end, side) {
                Settled::Always => self.key(change),
                Settled::With(row) => &row.key,
                Settled::Never => return self.frame(frame, false),
            };
            match (frame.start, frame.end) {
                (None, Some(end)) => {
                    let to = self.settled_behind(frame.units, end, change).max(self.beyond(frame.units, end, row));
                    self.add(self.reached_from(frame.units, end, change), to, change);
                }
                (Some(start), _) => {
                    let from = self.settled_before(frame.units, start, change).min(self.short_of(frame.units, start, row));
                    self.add(from, self.reaching(frame.units, start, change), change);
                }
                (None, None) => {}
            }
        }
    }

    /// What the changes add up to.
    fn sum(&self) -> T {
        let mut sum = T::default();
        self.changes.iter().for_each(|change| sum.add(&change.entry.event, change.delta));
        sum
    }

    /// Whether as many groups come as go.
    fn keeps_groups(&self) -> bool {
        let groups = self.changes.chunk_by(|left, right| left.entry.key.peers() == right.entry.key.peers());
        let growth = groups.map(|changes| {
            let row = &changes[0].entry.key;
            let copies = self.view.rank_of_end(row.peers_end()) - self.view.rank(RowKey::start_of(row.peers()));
            let after = copies + changes.iter().map(|change| change.delta).sum::<i64>();
            i64::from(after > 0) - i64::from(copies > 0)
        });
        growth.sum::<i64>() == 0
    }

    /// Rows up to the `offset`-th value behind each change, or back to it.
    fn lag_of_values(&mut self, call: &Call, offset: i64) {
        let stream = call.planned.and_then(|planned| self.spec.plan.counted(planned));
        for change in 0..self.changes.len() {
            let (position, end) = (self.positions[change], self.end_of(change));
            let Some(stream) = stream else {
                self.add(position.saturating_add(offset.min(0)), end.saturating_add(offset.max(0)), change);
                continue;
            };
            let mut row = T::default();
            row.add(&self.changes[change].entry.event, 1);
            if row.count(stream) == 0 {
                continue;
            }
            let passed = self.view.tally(0, position).count(stream) as i64;
            let copies = self.changes[change].copies;
            let sought = passed.saturating_add(offset).saturating_add(if offset > 0 { copies - 1 } else { 0 });
            let found = if sought < 0 { None } else { self.view.with_value(stream, sought) };
            match found {
                Some(row) if offset > 0 => self.add(position, self.view.rank_of_end(row.key.successor()), change),
                None if offset > 0 => self.add(position, self.view.len, change),
                Some(row) => self.add(self.view.rank(row.key.clone()), end, change),
                None => self.add(0, end, change),
            }
        }
    }

    /// Rows whose frame holds a change, or moves because of one. `nothing` says that the changes add up to nothing.
    fn frame(&mut self, frame: &Frame, nothing: bool) {
        let (last, len) = (self.last(), self.view.len);
        match (frame.start, frame.end) {
            (Some(start), Some(end)) => {
                for change in 0..self.changes.len() {
                    let (from, to) = (self.reached_from(frame.units, end, change), self.reaching(frame.units, start, change));
                    self.add(from, to, change);
                }
            }
            (None, Some(end)) => {
                let to = if nothing { self.settled_behind(frame.units, end, last) } else { len };
                self.add_all(self.reached_from(frame.units, end, 0).min(self.positions[0]), to.max(self.end_of(last)));
            }
            (Some(start), None) => {
                let from = if nothing { self.settled_before(frame.units, start, 0) } else { 0 };
                let to = self.reaching(frame.units, start, last).max(self.end_of(last));
                self.add_all(from.min(self.positions[0]), to);
            }
            (None, None) if nothing => {}
            (None, None) => self.add_all(0, len),
        }
    }

    /// The first row whose frame, which ends at `end`, reaches a change.
    fn reached_from(&self, units: FrameUnits, end: FrameOffset, change: usize) -> i64 {
        let row = self.key(change);
        match units {
            FrameUnits::Rows => self.positions[change] - end.rows().max(0),
            _ if end.is_current() => self.view.rank(RowKey::start_of(row.peers())),
            FrameUnits::Groups => self.view.group_start(self.view.group_of(row) - end.rows().max(0)),
            FrameUnits::Range => self.distant(row, end.reversed(), Side::Start).unwrap_or(0),
        }
    }

    /// Where the rows end whose frame, which begins at `start`, reaches back to a change.
    fn reaching(&self, units: FrameUnits, start: FrameOffset, change: usize) -> i64 {
        let row = self.key(change);
        match units {
            FrameUnits::Rows => self.end_of(change) - start.rows().min(0),
            _ if start.is_current() => self.view.rank_of_end(row.peers_end()),
            FrameUnits::Groups => self.view.group_start(self.view.group_of(row) - start.rows().min(0) + 1),
            FrameUnits::Range => self.distant(row, start.reversed(), Side::End).unwrap_or(self.view.len),
        }
    }

    /// From where on all frames that begin with the partition and end at `end` hold the changes up to this one.
    fn settled_behind(&self, units: FrameUnits, end: FrameOffset, change: usize) -> i64 {
        match units {
            FrameUnits::Rows => self.end_of(change) - end.rows().min(0),
            _ => self.beyond(units, end, self.key(change)),
        }
    }

    /// From where on all frames that begin with the partition and end at `end` hold a row.
    fn beyond(&self, units: FrameUnits, end: FrameOffset, row: &RowKey) -> i64 {
        match units {
            FrameUnits::Rows => self.view.rank_of_end(row.successor()) - end.rows().min(0),
            _ if end.is_current() => self.view.rank_of_end(row.peers_end()),
            FrameUnits::Groups => self.view.group_start(self.view.group_of(row) - end.rows().min(0) + 1),
            FrameUnits::Range => self.distant(row, end.reversed(), Side::End).unwrap_or(self.view.len),
        }
    }

    /// Up to where all frames that begin at `start` and end with the partition hold this change and all later ones.
    fn settled_before(&self, units: FrameUnits, start: FrameOffset, change: usize) -> i64 {
        self.short_of(units, start, self.key(change))
    }

    /// Up to where all frames that begin at `start` and end with the partition hold a row.
    fn short_of(&self, units: FrameUnits, start: FrameOffset, row: &RowKey) -> i64 {
        match units {
            FrameUnits::Rows => self.view.rank(row.clone()) - start.rows().max(0),
            _ if start.is_current() => self.view.rank(RowKey::start_of(row.peers())),
            FrameUnits::Groups => self.view.group_start(self.view.group_of(row) - start.rows().max(0)),
            FrameUnits::Range => self.distant(row, start.reversed(), Side::Start).unwrap_or(0),
        }
    }

    /// The position of a place that is a distance away from a row; `None` if it may be any.
    fn distant(&self, row: &RowKey, offset: FrameOffset, side: Side) -> Option<i64> {
        match self.spec.distances.as_ref()?.wider(row, offset, side)? {
            Place::At(place) => Some(self.view.rank_of_end(place)),
            Place::Peers if side == Side::Start => Some(self.view.rank(RowKey::start_of(row.peers()))),
            Place::Peers => Some(self.view.rank_of_end(row.peers_end())),
        }
    }

    /// Whether a function that looks at the first or the last rows of the partition finds the same there, in all frames that reach so far.
    fn is_settled(&self, place: FramePlace, frame: &Frame, ignore_nulls: bool) -> bool {
        if ignore_nulls || frame.exclude != Exclusion::NoOthers {
            return false;
        }
        let not_after = |bound: Option<FrameOffset>| bound.is_none_or(|offset| offset.is_current());
        let number = match place {
            FramePlace::Last => {
                return frame.end.is_none() && not_after(frame.start) && self.end_of(self.last()) < self.view.len;
            }
            FramePlace::First => 1,
            FramePlace::Nth(number) => i64::try_from(number).unwrap_or(i64::MAX),
        };
        frame.start.is_none() && not_after(frame.end) && self.positions[0] >= number
    }

    /// Sorts the spans and joins those that touch.
    fn merge(&mut self) {
        self.spans.sort_unstable_by_key(|span| (span.from, span.first));
        let mut merged: Vec<Span> = Vec::with_capacity(self.spans.len());
        for span in self.spans.drain(..) {
            match merged.last_mut() {
                Some(last) if span.from <= last.to => {
                    last.to = last.to.max(span.to);
                    (last.first, last.last) = (last.first.min(span.first), last.last.max(span.last));
                }
                _ => merged.push(span),
            }
        }
        self.spans = merged;
    }

    /// The least and the greatest row of a span, those that the epoch changes included, and the position of the least.
    fn ends(&self, span: &Span) -> (RowKey, RowKey, i64) {
        let (first, last) = (self.key(span.first), self.key(span.last));
        let stored = |position: i64| if span.from < span.to { self.view.at(position) } else { None };
        // The span may begin among the copies of a row.
        let least = stored(span.from).map(|(row, skipped)| (&row.key, span.from - skipped)).filter(|(row, _)| *row < first);
        let (least, start) = least.unwrap_or((first, self.positions[span.first]));
        let greatest = stored(span.to - 1).map(|(row, _)| &row.key).filter(|row| *row > last).unwrap_or(last);
        (least.clone(), greatest.clone(), start)
    }

    fn widen_to_peers(&mut self) {
        for index in 0..self.spans.len() {
            let (least, greatest, _) = self.ends(&self.spans[index]);
            let from = self.view.rank(RowKey::start_of(least.peers()));
            let to = self.view.rank_of_end(greatest.peers_end());
            let span = &mut self.spans[index];
            (span.from, span.to) = (from, to);
        }
    }

    fn interval(&self, span: &Span) -> Interval {
        let (_, greatest, start) = self.ends(span);
        let first = span.first;
        if self.spec.reads_peers {
            let to = greatest.peers_end().map_or(Bound::Unbounded, Bound::Excluded);
            return Interval { start: span.from, to, first };
        }
        Interval { start, to: Bound::Included(greatest), first }
    }
}

/// A frame in which a function finds the same row with all changes within reach, if there is one.
fn narrowed(place: FramePlace, frame: &Frame, ignore_nulls: bool) -> Option<Frame> {
    if ignore_nulls || frame.exclude != Exclusion::NoOthers {
        return None;
    }
    let near = |bound: FrameOffset| frame.units == FrameUnits::Rows || bound.is_current();
    match (place, frame.start, frame.end) {
        (FramePlace::First, Some(start), None) if near(start) => Some(Frame { end: Some(start), ..*frame }),
        (FramePlace::Last, None, Some(end)) if near(end) => Some(Frame { start: Some(end), ..*frame }),
        _ => None,
    }
}
