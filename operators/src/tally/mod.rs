//! [`Tally`]: what is known of some events, as the aggregates of a session or of the frame of a window function.
//!
//! A monoid over weighted events, and commutative: sums and counts are, and so are extremes. It has no inverse, because extremes have none: where an
//! event goes, what is left is asked of the index. Two tallies make that of both without their events, so a session of an input
//! that never retracts is its tally and nothing else.

mod plan;
mod values;
mod words;

use arrow::array::ArrayRef;
use arrow::datatypes::i256;
use deltic_zset::{ExactSum, ZBatch};

pub(crate) use plan::{CallResults, Plan, Stream};
pub(crate) use values::ValueTally;
pub(crate) use words::WordTally;

/// The aggregates of some events.
pub(crate) trait Tally: Clone + Default + 'static {
    /// What is kept of an event besides key and time. The default is its least value.
    type Event: Clone + Ord + Default + 'static;

    /// Whether the changes of single events matter, and not only those of sessions.
    const SHOWS_EVENTS: bool = false;

    /// Adds an event.
    fn add(&mut self, event: &Self::Event, weight: i64);

    /// Adds the events of another tally.
    fn merge(&mut self, other: &Self);

    /// Whether both certainly have the same results.
    fn is_same(&self, other: &Self) -> bool;
}

/// Which extreme.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Min,
    Max,
}

/// A tally that the results of aggregate calls are read from, stream by stream (see [`Plan`]).
pub(crate) trait Results: Tally {
    /// What the calls need of the rows of `batch`, in order.
    fn events(plan: &Plan, batch: &ZBatch) -> Vec<Self::Event>;

    /// The number of rows, by weight.
    fn total(&self) -> i128;

    /// The number of values of a stream, by weight.
    fn count(&self, stream: usize) -> i128;

    /// The sum of the values of a stream of integers, decimals (unscaled) or durations.
    fn sum(&self, number: usize, stream: &Stream) -> i256;

    /// The sum of the values of a stream of floats.
    fn float_sum(&self, stream: usize) -> Option<&ExactSum>;

    /// Whether the extreme of the values of a stream is that of `other`, or beyond it. It is if `other` has none.
    fn reaches(&self, other: &Self, stream: usize, end: End) -> bool;

    /// The extremes of the values of a stream; NULL where there are none.
    fn extremes<'a>(tallies: impl Iterator<Item = &'a Self> + Clone, number: usize, stream: &Stream, end: End) -> ArrayRef
    where
        Self: 'a;
}

/// The tally of sessions whose rows are shown: an event is the number of a row, and there is nothing to add up.
#[derive(Clone, Default)]
pub(crate) struct NoTally;

impl Tally for NoTally {
    type Event = u32;

    const SHOWS_EVENTS: bool = true;

    fn add(&mut self, _: &u32, _: i64) {}

    fn merge(&mut self, _: &Self) {}

    fn is_same(&self, _: &Self) -> bool {
        true
    }
}
