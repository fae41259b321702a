//! [`Values`]: events and tallies of any streams, beside the fast path of [`words`](super::words).
//!
//! A value says by itself how it is added up, so a tally needs no plan: 128-bit decimals have 256-bit sums, floats that are summed exact sums, and
//! what is only compared is bytes in its order.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Decimal128Array, UInt32Array};
use arrow::buffer::NullBuffer;
use arrow::compute;
use arrow::datatypes::{Decimal128Type, i256};
use deltic_zset::{ExactSum, ZBatch};

use super::plan::{Kind, Plan, Stream};
use super::words::{SIGN, float};
use super::{End, Results, Tally};

/// One value of one stream.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Value {
    /// The event has none.
    Absent,
    /// It is only counted.
    Present,
    /// An order-preserving word of a type that is not signed.
    Unsigned(u64),
    /// An order-preserving word of a signed type.
    Signed(u64),
    /// A decimal.
    Wide(i128),
    /// The order-preserving word of a float that is summed.
    Float(u64),
    /// Order-preserving bytes.
    Bytes(Arc<[u8]>),
}

/// The values of an event, one per stream.
pub(crate) type Values = Arc<[Value]>;

#[derive(Clone, Default)]
enum Sum {
    #[default]
    None,
    Exact(i256),
    Float(ExactSum),
}

#[derive(Clone, Default)]
struct Cell {
    count: i128,
    sum: Sum,
    /// The least and the greatest value of positive weight.
    extremes: Option<(Value, Value)>,
}

impl Cell {
    fn add(&mut self, value: &Value, weight: i64) {
        self.count += i128::from(weight);
        let term = match value {
            Value::Absent | Value::Present => return,
            Value::Unsigned(word) => Some(i128::from(*word)),
            Value::Signed(word) => Some(i128::from((word ^ SIGN) as i64)),
            Value::Wide(digits) => Some(*digits),
            Value::Bytes(_) => None,
            Value::Float(word) => {
                if !matches!(self.sum, Sum::Float(_)) {
                    self.sum = Sum::Float(ExactSum::new());
                }
                if let Sum::Float(sum) = &mut self.sum {
                    sum.add(float(*word), weight);
                }
                None
            }
        };
        if let Some(term) = term {
            self.add_exact(i256::from_i128(term).wrapping_mul(i256::from_i128(i128::from(weight))));
        }
        if weight > 0 {
            self.widen(value, value);
        }
    }

    fn add_exact(&mut self, term: i256) {
        match &mut self.sum {
            Sum::Exact(sum) => *sum = sum.wrapping_add(term),
            other => *other = Sum::Exact(term),
        }
    }

    fn widen(&mut self, low: &Value, high: &Value) {
        match &mut self.extremes {
            Some((min, max)) => {
                if low < min {
                    *min = low.clone();
                }
                if high > max {
                    *max = high.clone();
                }
            }
            none => *none = Some((low.clone(), high.clone())),
        }
    }

    fn merge(&mut self, other: &Cell) {
        self.count += other.count;
        match (&mut self.sum, &other.sum) {
            (_, Sum::None) => {}
            (_, Sum::Exact(term)) => self.add_exact(*term),
            (Sum::Float(sum), Sum::Float(more)) => sum.merge(more),
            (sum, more) => *sum = more.clone(),
        }
        if let Some((low, high)) = &other.extremes {
            self.widen(low, high);
        }
    }
}

/// The tally of any streams. It has no cells as long as it has no events.
#[derive(Clone, Default)]
pub(crate) struct ValueTally {
    total: i128,
    cells: Vec<Cell>,
}

impl Tally for ValueTally {
    type Event = Values;

    fn add(&mut self, event: &Values, weight: i64) {
        self.total += i128::from(weight);
        self.cells.resize_with(event.len(), Cell::default);
        for (cell, value) in self.cells.iter_mut().zip(event.iter()) {
            if *value != Value::Absent {
                cell.add(value, weight);
            }
        }
    }

    fn merge(&mut self, other: &Self) {
        self.total += other.total;
        if self.cells.is_empty() {
            self.cells.clone_from(&other.cells);
        } else {
            self.cells.iter_mut().zip(&other.cells).for_each(|(cell, other)| cell.merge(other));
        }
    }

    fn is_same(&self, _: &Self) -> bool {
        false
    }
}

impl Results for ValueTally {
    fn events(plan: &Plan, batch: &ZBatch) -> Vec<Values> {
        let columns: Vec<Vec<Value>> = plan.streams.iter().map(|stream| values(stream, batch)).collect();
        let mut columns: Vec<_> = columns.into_iter().map(Vec::into_iter).collect();
        (0..batch.len()).map(|_| columns.iter_mut().filter_map(Iterator::next).collect()).collect()
    }

    fn total(&self) -> i128 {
        self.total
    }

    fn count(&self, stream: usize) -> i128 {
        self.cells.get(stream).map_or(0, |cell| cell.count)
    }

    fn sum(&self, number: usize, _: &Stream) -> i256 {
        match self.cells.get(number).map(|cell| &cell.sum) {
            Some(Sum::Exact(sum)) => *sum,
            _ => i256::ZERO,
        }
    }

    fn float_sum(&self, stream: usize) -> Option<&ExactSum> {
        match self.cells.get(stream).map(|cell| &cell.sum) {
            Some(Sum::Float(sum)) => Some(sum),
            _ => None,
        }
    }

    fn reaches(&self, other: &Self, stream: usize, end: End) -> bool {
        let extremes = |tally: &'_ Self| tally.cells.get(stream).and_then(|cell| cell.extremes.clone());
        match (extremes(self), extremes(other)) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some((min, max)), Some((other_min, other_max))) => match end {
                End::Min => min <= other_min,
                End::Max => max >= other_max,
            },
        }
    }

    fn extremes<'a>(tallies: impl Iterator<Item = &'a Self> + Clone, number: usize, stream: &Stream, end: End) -> ArrayRef {
        let extreme = |tally: &'a Self| -> Option<&'a Value> {
            let (min, max) = tally.cells.get(number)?.extremes.as_ref()?;
            Some(if end == End::Min { min } else { max })
        };
        column(&tallies.map(extreme).collect::<Vec<_>>(), stream)
    }
}

/// What the rows of `batch` have in a stream.
fn values(stream: &Stream, batch: &ZBatch) -> Vec<Value> {
    let mut values: Vec<Value> = match (&stream.kind, stream.argument) {
        (Kind::Bytes(order), Some(argument)) => {
            let rows = order.encode(std::slice::from_ref(batch.column(argument)));
            rows.iter().map(|row| Value::Bytes(row.data().into())).collect()
        }
        (Kind::Wide, Some(argument)) => {
            batch.column(argument).as_primitive::<Decimal128Type>().values().iter().map(|&digits| Value::Wide(digits)).collect()
        }
        (kind, _) => match stream.words(batch) {
            None => vec![Value::Present; batch.len()],
            Some(words) => {
                let value = match kind {
                    Kind::Float => Value::Float,
                    Kind::Word { signed: true } => Value::Signed,
                    _ => Value::Unsigned,
                };
                words.into_iter().map(value).collect()
            }
        },
    };
    if let Some(present) = stream.present(batch) {
        values.iter_mut().zip(present.iter()).filter(|(_, present)| !present).for_each(|(value, _)| *value = Value::Absent);
    }
    values
}

/// Values of a stream as a column.
fn column(values: &[Option<&Value>], stream: &Stream) -> ArrayRef {
    let valid: NullBuffer = values.iter().map(Option::is_some).collect();
    let valid = (valid.null_count() > 0).then_some(valid);
    match &stream.kind {
        Kind::Bytes(order) => {
            let bytes = values.iter().filter_map(|value| match value {
                Some(Value::Bytes(bytes)) => Some(&**bytes),
                _ => None,
            });
            let decoded = order.decode(bytes).swap_remove(0);
            let mut next = 0..;
            let places: UInt32Array = values.iter().map(|value| value.and_then(|_| next.next())).collect();
            compute::take(&decoded, &places, None).expect("each place has a value")
        }
        Kind::Wide => {
            let digits = values.iter().map(|value| if let Some(Value::Wide(digits)) = value { *digits } else { 0 });
            let digits: Vec<i128> = digits.collect();
            Arc::new(Decimal128Array::new(digits.into(), valid).with_data_type(stream.data_type.clone()))
        }
        _ => {
            let word = |value: &Option<&Value>| match value {
                Some(Value::Signed(word) | Value::Unsigned(word) | Value::Float(word)) => *word,
                _ => 0,
            };
            let words: Vec<u64> = values.iter().map(word).collect();
            stream.column_of_words(&words, valid)
        }
    }
}
