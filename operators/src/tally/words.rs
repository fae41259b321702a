//! [`Words`]: events and tallies of up to a few streams whose values fit a word. No allocation, no indirection.
//!
//! Values are order-preserving words, so that extremes need no type. Their sum is taken over these words and
//! the offset that the encoding added is taken off where the sum is read: `sum(v) = sum(word) - offset x count`. Floats are the exception: an event
//! says which of its words are, and these go to exact sums.

use arrow::array::ArrayRef;
use arrow::buffer::NullBuffer;
use arrow::datatypes::i256;
use deltic_zset::{ExactSum, ZBatch};

use super::plan::{Kind, Plan, Stream};
use super::{End, Results, Tally};

/// What is added to a signed value to make its word.
pub(crate) const SIGN: u64 = 1 << 63;

/// Beside the bit for the presence of a value: it is a float that is summed.
const FLOAT: u8 = 1 << 4;

/// The values of an event for `N` streams, up to four. Packed: it is kept for every event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C, packed)]
pub(crate) struct Words<const N: usize> {
    /// Bit `i`: the event has a value in stream `i`. Bit `i + 4`: it is a float that is summed.
    present: u8,
    /// Zero where there is none.
    values: [u64; N],
}

impl<const N: usize> Default for Words<N> {
    fn default() -> Self {
        Words { present: 0, values: [0; N] }
    }
}

impl<const N: usize> Ord for Words<N> {
    #[inline]
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let (left, right) = (*self, *other);
        let (left_values, right_values) = (left.values, right.values);
        left.present.cmp(&right.present).then_with(|| left_values.cmp(&right_values))
    }
}

impl<const N: usize> PartialOrd for Words<N> {
    #[inline]
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// A 128-bit integer without the alignment of one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C, packed(8))]
struct Wide(i128);

impl Wide {
    #[inline(always)]
    fn add(&mut self, value: i128) {
        self.0 = { self.0 }.wrapping_add(value);
    }
}

/// What is known of one stream. Sums and counts wrap; they are right whenever the true value fits.
#[derive(Clone)]
struct Cell<F> {
    count: Wide,
    sum: Wide,
    /// Above `max` if there is no value.
    min: u64,
    max: u64,
    floats: F,
}

impl<F: Floats> Cell<F> {
    #[inline]
    fn empty() -> Self {
        Cell { count: Wide(0), sum: Wide(0), min: u64::MAX, max: 0, floats: F::default() }
    }
}

/// The sums of floats in a tally that may have some: exact ones, or nothing at all.
pub(crate) trait Floats: Clone + Default + 'static {
    /// Whether there may be floats.
    const SOME: bool;

    fn add(&mut self, word: u64, weight: i64);

    fn merge(&mut self, other: &Self);

    fn sum(&self) -> Option<&ExactSum>;
}

impl Floats for () {
    const SOME: bool = false;

    fn add(&mut self, _: u64, _: i64) {}

    fn merge(&mut self, (): &Self) {}

    fn sum(&self) -> Option<&ExactSum> {
        None
    }
}

impl Floats for ExactSum {
    const SOME: bool = true;

    fn add(&mut self, word: u64, weight: i64) {
        self.add(float(word), weight);
    }

    fn merge(&mut self, other: &Self) {
        self.merge(other);
    }

    fn sum(&self) -> Option<&ExactSum> {
        Some(self)
    }
}

/// The double of an order-preserving word.
pub(crate) fn float(word: u64) -> f64 {
    f64::from_bits(if word & SIGN != 0 { word & !SIGN } else { !word })
}

/// The tally of `N` streams of words.
#[derive(Clone)]
pub(crate) struct WordTally<const N: usize, F = ()> {
    total: Wide,
    cells: [Cell<F>; N],
}

impl<const N: usize, F: Floats> Default for WordTally<N, F> {
    #[inline]
    fn default() -> Self {
        WordTally { total: Wide(0), cells: std::array::from_fn(|_| Cell::empty()) }
    }
}

impl<const N: usize, F: Floats> Tally for WordTally<N, F> {
    type Event = Words<N>;

    #[inline]
    fn add(&mut self, event: &Words<N>, weight: i64) {
        let wide_weight = i128::from(weight);
        self.total.add(wide_weight);
        let (present, values) = (event.present, event.values);
        for (stream, cell) in self.cells.iter_mut().enumerate() {
            if present >> stream & 1 == 0 {
                continue;
            }
            let value = values[stream];
            cell.count.add(wide_weight);
            if F::SOME && present >> stream & FLOAT != 0 {
                cell.floats.add(value, weight);
            } else if weight == 1 {
                cell.sum.add(i128::from(value));
            } else {
                cell.sum.add(i128::from(value).wrapping_mul(wide_weight));
            }
            if weight > 0 {
                cell.min = cell.min.min(value);
                cell.max = cell.max.max(value);
            }
        }
    }

    #[inline]
    fn merge(&mut self, other: &Self) {
        self.total.add(other.total.0);
        for (cell, other) in self.cells.iter_mut().zip(&other.cells) {
            cell.count.add(other.count.0);
            cell.sum.add(other.sum.0);
            cell.min = cell.min.min(other.min);
            cell.max = cell.max.max(other.max);
            cell.floats.merge(&other.floats);
        }
    }

    fn is_same(&self, other: &Self) -> bool {
        let words = |tally: &Self| {
            let cells = tally.cells.each_ref().map(|cell| (cell.count, cell.sum, cell.min, cell.max));
            (tally.total, cells)
        };
        !F::SOME && words(self) == words(other)
    }
}

impl<const N: usize, F: Floats> Results for WordTally<N, F> {
    fn events(plan: &Plan, batch: &ZBatch) -> Vec<Words<N>> {
        let mut events = vec![Words::default(); batch.len()];
        for (number, stream) in plan.streams.iter().enumerate() {
            let bits = if matches!(stream.kind, Kind::Float) { 1 | FLOAT } else { 1 };
            let present = stream.present(batch);
            let words = stream.words(batch);
            let word = |row: usize| words.as_ref().map_or(0, |words| words[row]);
            for (row, event) in events.iter_mut().enumerate() {
                if present.as_ref().is_none_or(|present| present.value(row)) {
                    event.present |= bits << number;
                    let mut values = event.values;
                    values[number] = word(row);
                    event.values = values;
                }
            }
        }
        events
    }

    fn total(&self) -> i128 {
        self.total.0
    }

    fn count(&self, stream: usize) -> i128 {
        self.cells[stream].count.0
    }

    fn sum(&self, number: usize, stream: &Stream) -> i256 {
        let cell = &self.cells[number];
        let offset = if stream.kind.is_signed() { i128::from(SIGN) } else { 0 };
        i256::from_i128({ cell.sum.0 }.wrapping_sub({ cell.count.0 }.wrapping_mul(offset)))
    }

    fn float_sum(&self, stream: usize) -> Option<&ExactSum> {
        self.cells[stream].floats.sum()
    }

    fn reaches(&self, other: &Self, stream: usize, end: End) -> bool {
        let (own, other) = (&self.cells[stream], &other.cells[stream]);
        let is_there = |cell: &Cell<F>| cell.min <= cell.max;
        let beyond = match end {
            End::Min => own.min <= other.min,
            End::Max => own.max >= other.max,
        };
        !is_there(other) || is_there(own) && beyond
    }

    fn extremes<'a>(tallies: impl Iterator<Item = &'a Self> + Clone, number: usize, stream: &Stream, end: End) -> ArrayRef
    where
        Self: 'a,
    {
        let cells = tallies.map(|tally| &tally.cells[number]);
        let valid: NullBuffer = cells.clone().map(|cell| cell.min <= cell.max).collect();
        let words: Vec<u64> = cells.map(|cell| if end == End::Min { cell.min } else { cell.max }).collect();
        stream.column_of_words(&words, (valid.null_count() > 0).then_some(valid))
    }
}
