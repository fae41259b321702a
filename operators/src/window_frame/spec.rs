//! [`Spec`]: what is to be computed of each row, and of what that depends.

use arrow::datatypes::{DataType, SchemaRef};
use deltic_circuit::frame::{Frame, FrameOffset, FrameUnits, WindowCall, WindowFunction};
use deltic_circuit::{AggregateCall, AggregateFunction, SortKey};
use deltic_zset::Result;

use super::distance::{Distances, Side};
use crate::tally::Plan;

/// Rows so near are loaded together with those that are to be computed.
const NEAR: i64 = 256;

/// The functions of one operator.
pub(super) struct Spec {
    pub(super) calls: Vec<Call>,
    /// The input.
    pub(super) schema: SchemaRef,
    /// Whether there are aggregates for which the rows of frames are read, and the columns that they read.
    pub(super) reads_frames: bool,
    pub(super) read: Vec<usize>,
    /// The frames of the aggregates in the plan, each once.
    pub(super) frames: Vec<Frame>,
    /// The aggregates, and counts of the values of arguments whose NULLs are passed over.
    pub(super) plan: Plan,
    /// Over the order, if a frame measures values.
    pub(super) distances: Option<Distances>,
    /// The bounds of frames that are a distance of values away from their row, each once.
    pub(super) measured: Vec<(FrameOffset, Side)>,
    /// Whether copies of one row may have different results.
    pub(super) per_copy: bool,
    pub(super) reads_peers: bool,
    pub(super) reads_groups: bool,
    /// Whether a function counts rows from its own, so that it can tell peers apart.
    pub(super) counts_rows: bool,
    /// How many rows before and behind are near enough to be wanted.
    pub(super) before: i64,
    pub(super) after: i64,
}

/// Rows whose neighbours are few enough to be loaded on the chance that they are asked for.
const FEW: i64 = 64;

/// A function and what it needs.
pub(super) struct Call {
    pub(super) call: WindowCall,
    /// For an aggregate that tallies hold, its place in the plan; for one that passes over NULLs, that of the count of its argument.
    pub(super) planned: Option<usize>,
    /// For an aggregate that tallies hold, the place of its frame.
    pub(super) frame: Option<usize>,
}

impl Call {
    /// The aggregate for which the rows of the frame are read.
    pub(super) fn reading(&self) -> Option<(&AggregateCall, &Frame)> {
        match &self.call.function {
            WindowFunction::Aggregate { call, frame } if !call.is_mergeable() => Some((call, frame)),
            _ => None,
        }
    }
}

impl Spec {
    /// The functions `calls` over rows of `input` in an order within partitions.
    ///
    /// # Errors
    /// If a function is not defined for a type, or the order has none.
    pub(super) fn try_new(calls: &[WindowCall], partition: &[usize], order: &[SortKey], input: &SchemaRef) -> Result<Self> {
        let mut aggregates: Vec<AggregateCall> = Vec::new();
        let mut frames: Vec<Frame> = Vec::new();
        let mut planned: Vec<Call> = Vec::new();
        for call in calls {
            let (aggregate, frame) = match &call.function {
                WindowFunction::Aggregate { call, frame } if call.is_mergeable() => (Some(call.clone()), Some(*frame)),
                WindowFunction::Lag { argument, ignore_nulls: true, .. }
                | WindowFunction::Value { argument, ignore_nulls: true, .. } => (Some(count(*argument)), None),
                _ => (None, None),
            };
            let place = |list: &mut Vec<AggregateCall>, aggregate: AggregateCall| {
                list.push(aggregate);
                list.len() - 1
            };
            let frame = frame.map(|frame| {
                frames.iter().position(|known| *known == frame).unwrap_or_else(|| {
                    frames.push(frame);
                    frames.len() - 1
                })
            });
            let aggregate = aggregate.map(|aggregate| place(&mut aggregates, aggregate));
            planned.push(Call { call: call.clone(), planned: aggregate, frame });
        }
        let used = || calls.iter().map(|call| &call.function);
        let mut measured: Vec<(FrameOffset, Side)> = Vec::new();
        for frame in used().filter_map(WindowFunction::frame).filter(|frame| frame.units == FrameUnits::Range) {
            let bounds = [(frame.start, Side::Start), (frame.end, Side::End)];
            let bounds = bounds.into_iter().filter_map(|(bound, side)| Some((bound?, side)));
            for bound in bounds.filter(|(offset, _)| !offset.is_current()) {
                if !measured.contains(&bound) {
                    measured.push(bound);
                }
            }
        }
        let distances = match order {
            [key, ..] if !measured.is_empty() => Some(Distances::try_new(*key, partition, input)?),
            _ => None,
        };
        let read = planned.iter().filter_map(Call::reading).flat_map(|(call, _)| call.columns().collect::<Vec<_>>()).collect();
        Ok(Spec {
            schema: input.clone(),
            reads_frames: planned.iter().any(|call| call.reading().is_some()),
            read,
            plan: Plan::try_new(&aggregates, input)?,
            calls: planned,
            frames,
            distances,
            measured,
            per_copy: used().any(is_per_copy),
            reads_peers: used().any(reads_peers),
            reads_groups: used().any(reads_groups),
            counts_rows: used().any(counts_rows),
            before: used().map(|function| reach(function, true)).max().unwrap_or(0),
            after: used().map(|function| reach(function, false)).max().unwrap_or(0),
        })
    }

    /// How many rows before and behind `rows` of them are worth loading too: those that functions count, and about as many as may be a distance of values
    /// away.
    pub(super) fn margins(&self, rows: i64) -> (i64, i64) {
        let near = if rows <= FEW { rows + rows / 2 + 8 } else { 0 };
        let margin = |counted: i64, side: Side| {
            let is_measured = self.measured.iter().any(|(_, measured)| *measured == side);
            counted.max(if is_measured { near } else { 0 })
        };
        (margin(self.before, Side::Start), margin(self.after, Side::End))
    }
}

/// Counts the values of a column.
fn count(argument: usize) -> AggregateCall {
    AggregateCall::new(AggregateFunction::Count, [argument], DataType::Int64)
}

fn is_per_copy(function: &WindowFunction) -> bool {
    match function {
        WindowFunction::RowNumber | WindowFunction::Ntile { .. } => true,
        function => counts_rows(function),
    }
}

fn counts_rows(function: &WindowFunction) -> bool {
    match function {
        WindowFunction::Lag { .. } => true,
        function => function
            .frame()
            .is_some_and(|frame| frame.units == FrameUnits::Rows && (frame.start.is_some() || frame.end.is_some())),
    }
}

fn reads_peers(function: &WindowFunction) -> bool {
    match function {
        WindowFunction::Rank | WindowFunction::DenseRank | WindowFunction::PercentRank | WindowFunction::CumeDist => true,
        function => function.frame().is_some_and(Frame::reads_peers),
    }
}

fn reads_groups(function: &WindowFunction) -> bool {
    let counts = |frame: &Frame| {
        let far = |bound: Option<FrameOffset>| bound.is_some_and(|offset| !offset.is_current());
        frame.units == FrameUnits::Groups && (far(frame.start) || far(frame.end))
    };
    *function == WindowFunction::DenseRank || function.frame().is_some_and(counts)
}

/// How many rows before, or behind, a row its result may depend on, if they are counted in rows and few.
fn reach(function: &WindowFunction, before: bool) -> i64 {
    let rows = match function {
        WindowFunction::Lag { offset, .. } => {
            if before {
                *offset
            } else {
                offset.saturating_neg()
            }
        }
        function => match function.frame() {
            Some(Frame { units: FrameUnits::Rows, start, .. }) if before => -start.map_or(0, FrameOffset::rows),
            Some(Frame { units: FrameUnits::Rows, end, .. }) => end.map_or(0, FrameOffset::rows),
            _ => 0,
        },
    };
    if (0..=NEAR).contains(&rows) { rows } else { 0 }
}
