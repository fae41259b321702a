//! The results of rows that stand together, a function at a time.
//!
//! A *slot* is what has results of its own: a copy of a row if copies may differ, else a row with all its copies. What each slot looks at is found first, as
//! positions; sums are read from tallies, values are decoded and ratios divided for all slots of an epoch at once.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, UInt32Array};
use arrow::compute;
use deltic_circuit::EvalError;
use deltic_circuit::frame::{Exclusion, Frame, FrameOffset, FramePlace, FrameUnits, WindowFunction};

use super::distance::{Place, Side};
use super::pieces::{Near, Pieces};
use super::reading::{FrameRows, Frames, Read, column};
use super::slide::slide;
use super::spec::{Call, Spec};
use super::state::View;
use super::walk::Walk;
use crate::row_key::{KeyEncoder, RowKey};
use crate::tally::Results;

/// So many intervals are looked at together: what is done at once for all of them costs little for each, and they are still in the cache when the rest is done.
const TOGETHER: usize = 32;

/// The results of some slots, as columns.
pub(super) struct Evaluated {
    /// One per function.
    pub(super) columns: Vec<ArrayRef>,
    /// Slots on which a function fails: the first such function and its error.
    pub(super) errors: BTreeMap<usize, (usize, EvalError)>,
}

/// The results of the slots so far.
pub(super) struct Evaluation<'a, T: Results> {
    spec: &'a Spec,
    keys: &'a KeyEncoder,
    pub(super) slots: usize,
    /// By function.
    found: Vec<Found<'a>>,
    /// By frame.
    tallies: Vec<Vec<T>>,
}

/// What was found for the slots, before it is made a column.
enum Found<'a> {
    Numbers(Vec<i64>),
    Ratios(Vec<f64>),
    /// Rows whose value it is, and for each slot which.
    Rows {
        rows: Vec<&'a RowKey>,
        chosen: Vec<Option<u32>>,
    },
    /// It is in the tallies.
    Aggregate,
    /// It was read from the rows of frames.
    Read(Vec<Read>),
}

/// The slots of an interval.
struct Slots<'p, 'a, T: Results> {
    view: &'p View<'a, T>,
    pieces: &'p Pieces<'a, T::Event>,
    /// The row of each.
    rows: Vec<&'a RowKey>,
    positions: Vec<i64>,
    /// Where the peers of each begin and end.
    peers: Vec<(i64, i64)>,
    /// The group of each.
    groups: Vec<i64>,
    /// The first slot of each group of peers.
    firsts: Vec<usize>,
    /// For each bound that is a distance of values away, its positions by groups of peers, and rows that were met there.
    measured: Vec<(Vec<i64>, Pieces<'a, T::Event>)>,
}

/// An interval to evaluate: all rows with a copy at positions `from .. to`.
pub(super) struct Asked<'v, 'a, T: Results> {
    pub(super) view: &'v View<'a, T>,
    pub(super) from: i64,
    pub(super) to: i64,
}

impl<'a, T: Results> Evaluation<'a, T> {
    pub(super) fn new(spec: &'a Spec, keys: &'a KeyEncoder) -> Self {
        let found = spec.calls.iter().map(|call| match &call.call.function {
            WindowFunction::PercentRank | WindowFunction::CumeDist => Found::Ratios(Vec::new()),
            WindowFunction::Lag { .. } | WindowFunction::Value { .. } => Found::Rows { rows: Vec::new(), chosen: Vec::new() },
            WindowFunction::Aggregate { .. } if call.reading().is_some() => Found::Read(Vec::new()),
            WindowFunction::Aggregate { .. } => Found::Aggregate,
            _ => Found::Numbers(Vec::new()),
        });
        let tallies = spec.frames.iter().map(|_| Vec::new()).collect();
        Evaluation { spec, keys, slots: 0, found: found.collect(), tallies }
    }

    /// Evaluates intervals, and hands the rows of each with their copies to `evaluated`.
    pub(super) fn intervals(&mut self, asked: &[Asked<'_, 'a, T>], mut evaluated: impl FnMut(usize, &[(&'a RowKey, i64)])) {
        let mut rows = Vec::new();
        for (chunk, together) in asked.chunks(TOGETHER).enumerate() {
            let loaded: Vec<(Pieces<'a, T::Event>, Range<usize>)> = together
                .iter()
                .map(|asked| {
                    let (before, after) = self.spec.margins(asked.to - asked.from);
                    Pieces::around(asked.view, asked.from, asked.to, before, after)
                })
                .collect();
            let slots = together
                .iter()
                .zip(&loaded)
                .map(|(asked, (pieces, inside))| Slots::new(self.spec, asked.view, pieces, inside.clone()));
            let mut slots: Vec<Slots<'_, 'a, T>> = slots.collect();
            measure(self.spec, &mut slots);
            for (place, (slots, (pieces, inside))) in slots.iter().zip(&loaded).enumerate() {
                self.add(slots);
                rows.clear();
                rows.extend(pieces.pieces[inside.clone()].iter().map(|piece| (&piece.entry.key, piece.copies)));
                evaluated(chunk * TOGETHER + place, &rows);
            }
        }
    }

    /// Evaluates the slots of an interval.
    fn add(&mut self, slots: &Slots<'_, 'a, T>) {
        if slots.positions.is_empty() {
            return;
        }
        let near = Near::new([slots.pieces].into_iter().chain(slots.measured.iter().map(|(_, passed)| passed)));
        for (frame, tallies) in self.spec.frames.iter().zip(&mut self.tallies) {
            let begin = tallies.len();
            for (part, ranges) in slots.ranges(self.spec, frame).iter().enumerate() {
                if part == 0 {
                    slide(slots.view, &near, ranges, tallies);
                    continue;
                }
                let mut more = Vec::with_capacity(ranges.len());
                slide(slots.view, &near, ranges, &mut more);
                tallies[begin..].iter_mut().zip(&more).for_each(|(tally, more)| tally.merge(more));
            }
        }
        for (call, found) in self.spec.calls.iter().zip(&mut self.found) {
            slots.find(self.spec, call, found);
        }
        if self.spec.reads_frames {
            self.read(slots);
        }
        self.slots += slots.positions.len();
    }

    /// Reads the rows of the frames of the slots, for the calls that need it.
    fn read(&mut self, slots: &Slots<'_, 'a, T>) {
        let frames = self.spec.calls.iter().map(|call| call.reading().map(|(_, frame)| slots.ranges(self.spec, frame)));
        let frames: Vec<Option<Frames>> = frames.collect();
        let all: Vec<&Frames> = frames.iter().flatten().collect();
        let rows = FrameRows::load(slots.view, slots.pieces, &all, self.keys, &self.spec.read);
        for ((call, found), frames) in self.spec.calls.iter().zip(&mut self.found).zip(&frames) {
            if let (Some((call, _)), Found::Read(results), Some(frames)) = (call.reading(), found, frames) {
                rows.read(call, &self.spec.schema, frames, results);
            }
        }
    }

    /// The results as columns.
    pub(super) fn finish(self) -> Evaluated {
        let mut errors: BTreeMap<usize, (usize, EvalError)> = BTreeMap::new();
        let tallies: Vec<Vec<&T>> = self.tallies.iter().map(|tallies| tallies.iter().collect()).collect();
        let columns = self.found.into_iter().zip(&self.spec.calls).enumerate().map(|(position, (found, call))| {
            let data_type = &call.call.data_type;
            match found {
                Found::Numbers(numbers) => {
                    let numbers: ArrayRef = Arc::new(Int64Array::from(numbers));
                    compute::cast(&numbers, data_type).expect("places are of an integer type")
                }
                Found::Ratios(ratios) => Arc::new(Float64Array::from(ratios)) as ArrayRef,
                Found::Rows { rows, chosen } => values(&call.call.function, self.keys, &rows, chosen),
                Found::Aggregate => {
                    let mut failed = BTreeMap::new();
                    let (planned, frame) = (call.planned.unwrap_or_default(), call.frame.unwrap_or_default());
                    let column = self.spec.plan.column(&tallies[frame], &mut failed, planned);
                    for (slot, (_, error)) in failed {
                        errors.entry(slot).or_insert((position, error));
                    }
                    column
                }
                Found::Read(results) => column(results, data_type, |slot, error| {
                    errors.entry(slot).or_insert((position, error));
                }),
            }
        });
        Evaluated { columns: columns.collect(), errors }
    }
}

/// The argument of the chosen rows, or what a function has for none.
fn values(function: &WindowFunction, keys: &KeyEncoder, rows: &[&RowKey], mut chosen: Vec<Option<u32>>) -> ArrayRef {
    let (argument, default) = match function {
        WindowFunction::Lag { argument, default, .. } => (*argument, Some(default).filter(|default| !default.is_null())),
        WindowFunction::Value { argument, .. } => (*argument, None),
        _ => (0, None),
    };
    let mut values = keys.decode(rows.iter().copied()).swap_remove(argument);
    if let Some(default) = default.and_then(|default| default.to_array().ok()) {
        values = compute::concat(&[&values, &default]).expect("a default is of the type of its argument");
        chosen.iter_mut().for_each(|row| *row = Some(row.unwrap_or(rows.len() as u32)));
    }
    compute::take(&values, &UInt32Array::from(chosen), None).expect("each chosen row is there")
}

impl<'p, 'a, T: Results> Slots<'p, 'a, T> {
    fn new(spec: &Spec, view: &'p View<'a, T>, pieces: &'p Pieces<'a, T::Event>, inside: Range<usize>) -> Self {
        let inside = &pieces.pieces[inside];
        let room = |is_asked: bool| if is_asked { inside.len() } else { 0 };
        let (rows, positions) = (Vec::with_capacity(inside.len()), Vec::with_capacity(inside.len()));
        let (peers, firsts) = (Vec::with_capacity(room(spec.reads_peers)), Vec::with_capacity(room(spec.reads_peers)));
        let (groups, measured) = (Vec::with_capacity(room(spec.reads_groups)), Vec::with_capacity(spec.measured.len()));
        let mut slots = Slots { view, pieces, rows, positions, peers, groups, firsts, measured };
        let first_group = match inside.first() {
            Some(first) if spec.reads_groups => view.group_of(&first.entry.key),
            _ => 0,
        };
        let alike = |left: &RowKey, right: &RowKey| !spec.reads_peers || left.peers() == right.peers();
        for (group, peers) in (first_group..).zip(inside.chunk_by(|left, right| alike(&left.entry.key, &right.entry.key))) {
            let (first, last) = (&peers[0], &peers[peers.len() - 1]);
            let bounds = (first.start, last.start + last.copies);
            if spec.reads_peers {
                slots.firsts.push(slots.positions.len());
            }
            for piece in peers {
                let copies = if spec.per_copy { piece.copies } else { 1 };
                slots.positions.extend(piece.start..piece.start + copies);
                slots.rows.extend((0..copies).map(|_| &piece.entry.key));
                slots.peers.extend((0..copies).filter(|_| spec.reads_peers).map(|_| bounds));
                slots.groups.extend((0..copies).filter(|_| spec.reads_groups).map(|_| group));
            }
        }
        slots
    }

    /// Appends what a function that is no aggregate finds for each slot.
    fn find(&self, spec: &Spec, call: &Call, found: &mut Found<'a>) {
        let rows = self.view.len;
        match (&call.call.function, found) {
            (WindowFunction::RowNumber, Found::Numbers(numbers)) => numbers.extend(self.positions.iter().map(|place| place + 1)),
            (WindowFunction::Rank, Found::Numbers(numbers)) => numbers.extend(self.peers.iter().map(|peers| peers.0 + 1)),
            (WindowFunction::DenseRank, Found::Numbers(numbers)) => numbers.extend(self.groups.iter().map(|group| group + 1)),
            (WindowFunction::Ntile { buckets }, Found::Numbers(numbers)) => {
                let buckets = i64::try_from(*buckets).unwrap_or(i64::MAX);
                let (size, longer) = (rows / buckets, rows % buckets);
                let in_longer = longer * (size + 1);
                numbers.extend(self.positions.iter().map(|&place| match place < in_longer {
                    true => place / (size + 1) + 1,
                    false => longer + (place - in_longer) / size + 1,
                }));
            }
            (WindowFunction::PercentRank, Found::Ratios(ratios)) => {
                let ratio = |first: i64| if rows == 1 { 0.0 } else { first as f64 / (rows - 1) as f64 };
                ratios.extend(self.peers.iter().map(|peers| ratio(peers.0)));
            }
            (WindowFunction::CumeDist, Found::Ratios(ratios)) => {
                ratios.extend(self.peers.iter().map(|peers| peers.1 as f64 / rows as f64));
            }
            (WindowFunction::Lag { offset, ignore_nulls, .. }, Found::Rows { rows, chosen }) => {
                let stream = if *ignore_nulls && *offset != 0 { counted(spec, call) } else { None };
                let mut seek = Seek::new(self, stream);
                for &position in &self.positions {
                    let row = seek.lag(position, *offset);
                    choose(row, rows, chosen);
                }
            }
            (WindowFunction::Value { place, frame, ignore_nulls, .. }, Found::Rows { rows, chosen }) => {
                let ranges = self.ranges(spec, frame);
                let mut seek = Seek::new(self, if *ignore_nulls { counted(spec, call) } else { None });
                for slot in 0..self.positions.len() {
                    let row = seek.value(*place, ranges.iter().map(|ranges| ranges[slot]));
                    choose(row, rows, chosen);
                }
            }
            _ => {}
        }
    }

    /// The positions of the frame of each slot: one list, or several if rows in the middle are left out.
    fn ranges(&self, spec: &Spec, frame: &Frame) -> Vec<Vec<(i64, i64)>> {
        let starts = self.ends(spec, frame, frame.start, Side::Start);
        let ends = self.ends(spec, frame, frame.end, Side::End);
        let whole = || starts.iter().zip(&ends).map(|(&from, &to)| (from, to.max(from)));
        let without = |gap: &dyn Fn(usize) -> (i64, i64)| {
            let before = whole().enumerate().map(|(slot, (from, to))| (from, to.min(gap(slot).0).max(from)));
            let behind = whole().enumerate().map(|(slot, (from, to))| (from.max(gap(slot).1), to.max(from.max(gap(slot).1))));
            vec![before.collect(), behind.collect::<Vec<_>>()]
        };
        let own = |slot: usize| (self.positions[slot], self.positions[slot] + 1);
        match frame.exclude {
            Exclusion::NoOthers => vec![whole().collect()],
            Exclusion::CurrentRow => without(&own),
            Exclusion::Group => without(&|slot| self.peers[slot]),
            Exclusion::Ties => {
                let mut parts = without(&|slot| self.peers[slot]);
                let within = |(slot, (from, to)): (usize, (i64, i64))| {
                    let (own, behind) = own(slot);
                    let from = from.max(own);
                    (from, to.min(behind).max(from))
                };
                parts.insert(1, whole().enumerate().map(within).collect());
                parts
            }
        }
    }

    /// The positions at which the frames of the slots begin, or end.
    fn ends(&self, spec: &Spec, frame: &Frame, bound: Option<FrameOffset>, side: Side) -> Vec<i64> {
        let len = self.view.len;
        let behind = i64::from(side == Side::End);
        let Some(offset) = bound else {
            return vec![if side == Side::Start { 0 } else { len }; self.positions.len()];
        };
        match frame.units {
            FrameUnits::Rows => {
                let distance = offset.rows() + behind;
                self.positions.iter().map(|position| (position + distance).clamp(0, len)).collect()
            }
            _ if offset.is_current() => {
                self.peers.iter().map(|peers| if side == Side::Start { peers.0 } else { peers.1 }).collect()
            }
            FrameUnits::Groups => {
                let distance = offset.rows() + behind;
                self.of_peers(self.firsts.iter().map(|&slot| self.view.group_start(self.groups[slot] + distance)))
            }
            FrameUnits::Range => {
                let bound = spec.measured.iter().position(|bound| *bound == (offset, side));
                self.of_peers(bound.into_iter().flat_map(|bound| self.measured[bound].0.iter().copied()))
            }
        }
    }

    /// What is so for each group of peers, for all of its slots.
    fn of_peers(&self, answers: impl Iterator<Item = i64>) -> Vec<i64> {
        if self.firsts.len() == self.positions.len() {
            return answers.collect();
        }
        let ends = self.firsts.iter().copied().skip(1).chain([self.positions.len()]);
        let lengths = self.firsts.iter().zip(ends).map(|(from, to)| to - from);
        answers.zip(lengths).flat_map(|(answer, length)| std::iter::repeat_n(answer, length)).collect()
    }
}

/// Finds the positions of all bounds that are a distance of values away: the values of all slots are read and moved at once, and their places are walked to.
fn measure<'a, T: Results>(spec: &Spec, slots: &mut [Slots<'_, 'a, T>]) {
    let Some(distances) = &spec.distances else { return };
    let rows = slots.iter().flat_map(|slots| slots.firsts.iter().map(|&slot| slots.rows[slot]));
    let rows: Vec<&RowKey> = rows.collect();
    for &(offset, side) in &spec.measured {
        let mut places = distances.places(&rows, offset, side).into_iter();
        for slots in slots.iter_mut() {
            let mut walk = Walk::recording(slots.view, slots.pieces);
            let positions = slots.firsts.iter().zip(places.by_ref()).map(|(&slot, place)| match place {
                Place::At(place) => walk.position(place),
                Place::Peers if side == Side::Start => slots.peers[slot].0,
                Place::Peers => slots.peers[slot].1,
            });
            let positions = positions.collect();
            if side == Side::Start {
                walk.stroll(slots.pieces.range.start);
            }
            slots.measured.push((positions, walk.passed()));
        }
    }
}

/// The stream that counts the values of the argument of a call that passes over NULLs.
fn counted(spec: &Spec, call: &Call) -> Option<usize> {
    call.planned.and_then(|planned| spec.plan.counted(planned))
}

/// Notes the row of a slot.
fn choose<'a>(row: Option<&'a RowKey>, rows: &mut Vec<&'a RowKey>, chosen: &mut Vec<Option<u32>>) {
    chosen.push(row.map(|row| {
        if rows.last().is_none_or(|last| !std::ptr::eq(*last, row)) {
            rows.push(row);
        }
        rows.len() as u32 - 1
    }));
}

/// Finds rows by position, or by the number of values before them.
struct Seek<'s, 'p, 'a, T: Results> {
    slots: &'s Slots<'p, 'a, T>,
    /// Where the values are counted, if rows without one are passed over.
    stream: Option<usize>,
    /// The last row that was asked for by its number, and the last count.
    known: Option<(i64, Option<&'a RowKey>)>,
    counted: Option<(i64, i64)>,
}

impl<'s, 'p, 'a, T: Results> Seek<'s, 'p, 'a, T> {
    fn new(slots: &'s Slots<'p, 'a, T>, stream: Option<usize>) -> Self {
        Seek { slots, stream, known: None, counted: None }
    }

    /// The row with `number` rows (or values) before it.
    fn row(&mut self, number: i64) -> Option<&'a RowKey> {
        if self.stream.is_none()
            && let Some(row) = self.slots.pieces.at(number)
        {
            return Some(&row.key);
        }
        if let Some((known, row)) = self.known
            && known == number
        {
            return row;
        }
        let view = self.slots.view;
        let row = match self.stream {
            _ if number < 0 => None,
            Some(stream) => view.with_value(stream, number).map(|row| &row.key),
            None => view.at(number).map(|(row, _)| &row.key),
        };
        self.known = Some((number, row));
        row
    }

    /// How many rows (or values) stand before a position.
    fn before(&mut self, position: i64) -> i64 {
        let Some(stream) = self.stream else { return position };
        let view = self.slots.view;
        let count = match self.counted {
            Some((known, count)) if known == position => count,
            Some((known, count)) if known < position && self.slots.pieces.contains(known, position) => {
                let mut between = T::default();
                self.slots.pieces.visit(known, position, |event, copies| between.add(event, copies));
                count + between.count(stream) as i64
            }
            _ => view.tally(0, position).count(stream) as i64,
        };
        self.counted = Some((position, count));
        count
    }

    fn lag(&mut self, position: i64, offset: i64) -> Option<&'a RowKey> {
        if self.stream.is_none() {
            return self.row(position.checked_sub(offset)?);
        }
        let number = if offset > 0 { self.before(position) } else { self.before(position + 1) - 1 };
        self.row(number.checked_sub(offset)?)
    }

    /// A row of the frame that has these positions.
    fn value(&mut self, place: FramePlace, ranges: impl Iterator<Item = (i64, i64)>) -> Option<&'a RowKey> {
        let mut numbers: Vec<(i64, i64)> = Vec::with_capacity(3);
        for (from, to) in ranges.filter(|(from, to)| from < to) {
            let from = self.before(from);
            numbers.push((from, self.before(to)));
        }
        let mut skipped = match place {
            FramePlace::First => 0,
            FramePlace::Last => numbers.iter().map(|(from, to)| to - from).sum::<i64>() - 1,
            FramePlace::Nth(number) => i64::try_from(number).unwrap_or(i64::MAX) - 1,
        };
        for (from, to) in numbers {
            if (0..to - from).contains(&skipped) {
                return self.row(from + skipped);
            }
            skipped -= to - from;
        }
        None
    }
}
