//! Which rows an epoch can give other results.
//!
//! Everything is asked of the partition as it was before the epoch. Of two sequences of rows, a row that is in both sees different rows within
//! some distance only if in the older one a row within that distance goes, or a place within it is where a row comes: so the old positions say
//! all. The answer is a few intervals of the order, in which the rows before and after the epoch are then evaluated and compared.
//!
//! A frame that begins with the partition reaches all rows behind a change, unless what has changed adds up to nothing.

use deltic_circuit::frame::{Exclusion, Frame, FrameOffset, FramePlace, FrameUnits, WindowFunction};

use super::distance::{Place, Side};
use super::extreme::{Settled, settled};
use super::spec::{Call, Spec};
use super::state::{Change, View};
use super::walk::Walk;
use crate::row_key::RowKey;
use crate::tally::{End, Results};

/// Partitions with so few rows are evaluated whole: that is cheaper than to find out. In tests most partitions are small, and they should see the rest of this.
const FEW: i64 = if cfg!(debug_assertions) { 6 } else { 48 };

/// Rows of a partition that stand together: those with a copy at positions `from .. to` before the epoch, and in their stead those that are there after it, when all
/// positions behind a change have moved with it. Rows with changed copies are in it with all of them.
pub(super) struct Interval {
    pub(super) from: i64,
    pub(super) to: i64,
    /// How many of the changes of the epoch it holds: those that follow on what the intervals before it hold.
    pub(super) changes: usize,
}

/// Positions before the epoch.
#[derive(Clone, Copy, Debug)]
struct Span {
    from: i64,
    to: i64,
    /// How many changes are in it. A change is in the span that holds its own place, whatever rows it reaches besides.
    changes: usize,
}

/// The changes of one partition.
struct Affected<'a, T: Results> {
    spec: &'a Spec,
    view: &'a View<'a, T>,
    changes: &'a [Change<T>],
    positions: Vec<i64>,
    /// Where the peers of each begin and end, if that matters.
    peers: Vec<(i64, i64)>,
    /// By bound of a frame that is a distance of values away, how far each change is felt on the other side.
    measured: Vec<Vec<i64>>,
    /// By how many copies the partition grows.
    growth: i64,
    spans: Vec<Span>,
}

/// The intervals that `changes`, which are those of the partition of `view`, affect.
pub(super) fn affected<T: Results>(spec: &Spec, view: &View<'_, T>, changes: &[Change<T>]) -> Vec<Interval> {
    let growth: i64 = changes.iter().map(|change| change.delta).sum();
    if view.len <= FEW && view.len + growth <= FEW {
        return vec![Interval { from: 0, to: view.len, changes: changes.len() }];
    }
    let positions = changes.iter().map(|change| view.position(change)).collect();
    let (peers, measured, spans) = (Vec::new(), Vec::new(), Vec::new());
    let mut affected = Affected { spec, view, changes, positions, peers, measured, growth, spans };
    if spec.reads_peers {
        affected.look_around();
    }
    for change in 0..changes.len() {
        let own = || (affected.positions[change], affected.end_of(change));
        let (from, to) = affected.peers.get(change).copied().unwrap_or_else(own);
        affected.spans.push(Span { from, to, changes: 1 });
    }
    for call in &spec.calls {
        affected.call(call);
    }
    affected.merge();
    if spec.reads_peers && spec.counts_rows {
        affected.widen_to_peers();
        affected.merge();
    }
    if spec.per_copy && view.has_copies() {
        affected.widen_to_rows();
        affected.merge();
    }
    affected.spans.iter().map(|span| Interval { from: span.from, to: span.to, changes: span.changes }).collect()
}

impl<T: Results> Affected<'_, T> {
    /// Finds the peers of the changes and what is a distance away from them: together, since they mostly are near each other.
    fn look_around(&mut self) {
        let rows: Vec<&RowKey> = self.changes.iter().map(|change| &change.entry.key).collect();
        let opposite = |side| if side == Side::Start { Side::End } else { Side::Start };
        let distances =
            self.spec.distances.iter().flat_map(|distances| self.spec.measured.iter().map(move |bound| (distances, bound)));
        let places = distances.map(|(distances, &(offset, side))| distances.wider(&rows, offset.reversed(), opposite(side)));
        let places: Vec<Vec<Option<Place>>> = places.collect();
        self.measured = places.iter().map(|_| Vec::with_capacity(rows.len())).collect();
        let mut places: Vec<_> = places.into_iter().map(Vec::into_iter).collect();
        for row in rows {
            let mut walk = Walk::new(self.view);
            let mut reach = |walk: &mut Walk<'_, '_, T>, wanted: Side| {
                for (bound, (_, side)) in self.spec.measured.iter().enumerate().filter(|(_, (_, side))| opposite(*side) == wanted)
                {
                    let farthest = if *side == Side::End { 0 } else { self.view.len };
                    let place = places[bound].next().flatten().map(|place| bound_of(place, row, wanted));
                    self.measured[bound].push(place.map_or(farthest, |place| walk.position(place)));
                }
            };
            reach(&mut walk, Side::Start);
            self.peers.push((walk.position(Some(RowKey::start_of(row.peers()))), walk.position(row.peers_end())));
            reach(&mut walk, Side::End);
        }
    }

    /// How far a change is felt by frames with this bound, which is a distance of values away.
    fn felt(&self, offset: FrameOffset, side: Side, change: usize) -> Option<i64> {
        let bound = self.spec.measured.iter().position(|bound| *bound == (offset, side))?;
        self.measured.get(bound).map(|felt| felt[change])
    }

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

    /// Rows that see changes.
    fn add(&mut self, from: i64, to: i64) {
        let (from, to) = (from.max(0), to.min(self.view.len));
        if from < to {
            self.spans.push(Span { from, to, changes: 0 });
        }
    }

    fn call(&mut self, call: &Call) {
        let (start, end, len) = (self.positions[0], self.end_of(self.last()), self.view.len);
        match &call.call.function {
            WindowFunction::RowNumber | WindowFunction::Rank => self.add(start, if self.growth == 0 { end } else { len }),
            WindowFunction::DenseRank => {
                let end = if self.keeps_groups() { end } else { len };
                self.add(start, end);
            }
            WindowFunction::PercentRank | WindowFunction::CumeDist | WindowFunction::Ntile { .. } => match self.growth {
                0 => self.add(start, end),
                _ => self.add(0, len),
            },
            WindowFunction::Lag { offset, ignore_nulls: true, .. } if *offset != 0 => self.lag_of_values(call, *offset),
            WindowFunction::Lag { offset, .. } => {
                for change in 0..self.changes.len() {
                    let (from, to) = (self.positions[change], self.end_of(change));
                    self.add(from.saturating_add((*offset).min(0)), to.saturating_add((*offset).max(0)));
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
                    self.add(self.reached_from(frame.units, end, change), to);
                }
                (Some(start), _) => {
                    let from = self.settled_before(frame.units, start, change).min(self.short_of(frame.units, start, row));
                    self.add(from, self.reaching(frame.units, start, change));
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
                self.add(position.saturating_add(offset.min(0)), end.saturating_add(offset.max(0)));
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
                Some(row) if offset > 0 => self.add(position, self.view.rank_of_end(row.key.successor())),
                None if offset > 0 => self.add(position, self.view.len),
                Some(row) => self.add(self.view.rank(row.key.clone()), end),
                None => self.add(0, end),
            }
        }
    }

    /// Rows whose frame holds a change, or moves because of one. `nothing` says that the changes add up to nothing.
    fn frame(&mut self, frame: &Frame, nothing: bool) {
        let (last, len) = (self.last(), self.view.len);
        match (frame.start, frame.end) {
            (Some(start), Some(end)) => {
                for change in 0..self.changes.len() {
                    self.add(self.reached_from(frame.units, end, change), self.reaching(frame.units, start, change));
                }
            }
            (None, Some(end)) => {
                let to = if nothing { self.settled_behind(frame.units, end, last) } else { len };
                self.add(self.reached_from(frame.units, end, 0).min(self.positions[0]), to.max(self.end_of(last)));
            }
            (Some(start), None) => {
                let from = if nothing { self.settled_before(frame.units, start, 0) } else { 0 };
                let to = self.reaching(frame.units, start, last).max(self.end_of(last));
                self.add(from.min(self.positions[0]), to);
            }
            (None, None) if nothing => {}
            (None, None) => self.add(0, len),
        }
    }

    /// The first row whose frame, which ends at `end`, reaches a change.
    fn reached_from(&self, units: FrameUnits, end: FrameOffset, change: usize) -> i64 {
        let row = self.key(change);
        match units {
            FrameUnits::Rows => self.positions[change] - end.rows().max(0),
            _ if end.is_current() => self.peers[change].0,
            FrameUnits::Groups => self.view.group_start(self.view.group_of(row) - end.rows().max(0)),
            FrameUnits::Range => self.felt(end, Side::End, change).unwrap_or(0),
        }
    }

    /// Where the rows end whose frame, which begins at `start`, reaches back to a change.
    fn reaching(&self, units: FrameUnits, start: FrameOffset, change: usize) -> i64 {
        let row = self.key(change);
        match units {
            FrameUnits::Rows => self.end_of(change) - start.rows().min(0),
            _ if start.is_current() => self.peers[change].1,
            FrameUnits::Groups => self.view.group_start(self.view.group_of(row) - start.rows().min(0) + 1),
            FrameUnits::Range => self.felt(start, Side::Start, change).unwrap_or(self.view.len),
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
        let place = self.spec.distances.as_ref()?.wider(&[row], offset, side).pop()?;
        place.map(|place| self.view.rank_of_end(bound_of(place, row, side)))
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
        self.spans.sort_unstable_by_key(|span| span.from);
        let mut merged: Vec<Span> = Vec::with_capacity(self.spans.len());
        for span in self.spans.drain(..) {
            match merged.last_mut() {
                Some(last) if span.from <= last.to => {
                    last.to = last.to.max(span.to);
                    last.changes += span.changes;
                }
                _ => merged.push(span),
            }
        }
        self.spans = merged;
    }

    /// Spans may begin and end among the copies of a row: two of them would then both hold it.
    fn widen_to_rows(&mut self) {
        for span in self.spans.iter_mut().filter(|span| span.from < span.to) {
            let first = self.view.at(span.from).map_or(span.from, |(_, before)| span.from - before);
            let last = self.view.at(span.to - 1).map_or(span.to, |(row, before)| span.to - 1 - before + self.view.copies(row));
            (span.from, span.to) = (first, last);
        }
    }

    /// Spans may begin and end among peers. Those of the changed rows are in the spans of these.
    fn widen_to_peers(&mut self) {
        for span in self.spans.iter_mut().filter(|span| span.from < span.to) {
            let first = self.view.at(span.from).map(|(row, _)| self.view.rank(RowKey::start_of(row.key.peers())));
            let last = self.view.at(span.to - 1).map(|(row, _)| self.view.rank_of_end(row.key.peers_end()));
            (span.from, span.to) = (first.unwrap_or(span.from), last.unwrap_or(span.to));
        }
    }
}

/// The place that is a distance away from a row, or the end of its peers if it has no distance from others.
fn bound_of(place: Place, row: &RowKey, side: Side) -> Option<RowKey> {
    match place {
        Place::At(place) => place,
        Place::Peers if side == Side::Start => Some(RowKey::start_of(row.peers())),
        Place::Peers => row.peers_end(),
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
