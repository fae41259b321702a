//! From aggregate calls to streams, and from tallies to the columns of the calls.
//!
//! A stream is an argument under a filter; calls with both in common share it.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::compute::{self, SortOptions};
use arrow::datatypes::{DataType, Decimal128Type, Schema, TimeUnit, i256};
use deltic_circuit::aggregate::{AggregateValue, aggregate_column, average_result, count_result, sum_result};
use deltic_circuit::{AggregateCall, AggregateFunction, EvalError};
use deltic_zset::{Error, Result, ZBatch, types};

use super::words::SIGN;
use super::{End, Results};
use crate::aggregate::ordered_word;
use crate::order::OrderBytes;

/// Decimals of up to this precision have values below 2^63.
const NARROW_PRECISION: u8 = 18;

/// How the values of a stream are kept.
pub(crate) enum Kind {
    /// They are only counted.
    Presence,
    /// As a word in their order.
    Word {
        /// Whether the word is that of a signed integer, which is 2^63 greater than the value.
        signed: bool,
    },
    /// As a 128-bit decimal.
    Wide,
    /// As a double that is summed.
    Float,
    /// As bytes in their order.
    Bytes(OrderBytes),
}

impl Kind {
    pub(crate) fn is_signed(&self) -> bool {
        matches!(self, Kind::Word { signed: true })
    }

    fn try_new(data_type: &DataType, summed: bool) -> Result<Self> {
        use DataType::{Boolean, Decimal128, Duration, Float32, Float64, UInt8, UInt16, UInt32, UInt64};
        if types::canonical_type(data_type).as_ref() != Some(data_type) {
            return Err(Error::UnsupportedType(data_type.clone()));
        }
        let has_sum =
            data_type.is_integer() || matches!(data_type, Decimal128(..) | Float32 | Float64 | Duration(TimeUnit::Microsecond));
        if summed && !has_sum {
            return Err(Error::UnsupportedType(data_type.clone()));
        }
        Ok(match data_type {
            Float32 | Float64 if summed => Kind::Float,
            Decimal128(precision, _) if *precision > NARROW_PRECISION => Kind::Wide,
            Decimal128(..) => Kind::Word { signed: true },
            Float32 | Float64 | Boolean | UInt8 | UInt16 | UInt32 | UInt64 => Kind::Word { signed: false },
            data_type if ordered_word::fits_word(data_type) => Kind::Word { signed: true },
            data_type => Kind::Bytes(OrderBytes::try_new(&[(data_type.clone(), SortOptions::default())])?),
        })
    }
}

/// The values of one argument under one filter.
pub(crate) struct Stream {
    pub(crate) argument: Option<usize>,
    filter: Option<usize>,
    pub(crate) kind: Kind,
    /// The type of the argument.
    pub(crate) data_type: DataType,
}

impl Stream {
    /// Which rows have a value and pass the filter; `None` if all do.
    pub(crate) fn present(&self, batch: &ZBatch) -> Option<BooleanBuffer> {
        let valid = self.argument.and_then(|column| batch.column(column).logical_nulls()).filter(|nulls| nulls.null_count() > 0);
        let kept = self.filter.map(|column| {
            let column = batch.column(column).as_boolean();
            column.nulls().map_or_else(|| column.values().clone(), |nulls| column.values() & nulls.inner())
        });
        match (valid, kept) {
            (Some(valid), Some(kept)) => Some(valid.inner() & &kept),
            (Some(valid), None) => Some(valid.into_inner()),
            (None, kept) => kept,
        }
    }

    /// The values as words; `None` if they are only counted. What stands for a missing value is any word.
    pub(crate) fn words(&self, batch: &ZBatch) -> Option<Vec<u64>> {
        let column = batch.column(self.argument?);
        match (&self.kind, column.data_type()) {
            (Kind::Presence | Kind::Wide | Kind::Bytes(_), _) => None,
            (_, DataType::Decimal128(..)) => {
                Some(column.as_primitive::<Decimal128Type>().values().iter().map(|&digits| digits as u64 ^ SIGN).collect())
            }
            (Kind::Float, DataType::Float32) => Some(ordered_word::encode(&doubles(column))),
            _ => Some(ordered_word::encode(column)),
        }
    }

    /// The column whose [`words`](Stream::words) these are.
    pub(crate) fn column_of_words(&self, words: &[u64], valid: Option<NullBuffer>) -> ArrayRef {
        match (&self.kind, &self.data_type) {
            (_, data_type @ DataType::Decimal128(..)) => {
                let digits: Vec<i128> = words.iter().map(|&word| i128::from((word ^ SIGN) as i64)).collect();
                Arc::new(arrow::array::Decimal128Array::new(digits.into(), valid).with_data_type(data_type.clone()))
            }
            (Kind::Float, DataType::Float32) => {
                let doubles = ordered_word::decode(words, valid, &DataType::Float64);
                compute::cast(&doubles, &DataType::Float32).expect("floats are cast to floats")
            }
            (_, data_type) => ordered_word::decode(words, valid, data_type),
        }
    }
}

fn doubles(column: &ArrayRef) -> ArrayRef {
    compute::cast(column, &DataType::Float64).expect("floats are cast to floats")
}

/// How the result of a call is read from a tally.
enum Finish {
    /// The number of rows.
    Total,
    Count(usize),
    Sum(usize),
    Average(usize),
    FloatSum(usize),
    FloatAverage(usize),
    Extreme(usize, End),
}

/// The streams and calls of one operator.
pub(crate) struct Plan {
    pub(crate) calls: Vec<AggregateCall>,
    pub(crate) streams: Vec<Stream>,
    finishes: Vec<Finish>,
}

impl Plan {
    /// Plans `calls` over rows of `input`.
    ///
    /// # Errors
    /// If a function is not defined for the type of its argument, or that cannot be stored.
    pub(crate) fn try_new(calls: &[AggregateCall], input: &Schema) -> Result<Self> {
        let mut plan = Plan { calls: calls.to_vec(), streams: Vec::new(), finishes: Vec::new() };
        for call in calls {
            let finish = plan.finish(call, input)?;
            plan.finishes.push(finish);
        }
        Ok(plan)
    }

    /// Whether all streams are kept as words.
    pub(crate) fn fits_words(&self) -> bool {
        self.streams.iter().all(|stream| matches!(stream.kind, Kind::Presence | Kind::Word { .. } | Kind::Float))
    }

    /// Whether floats are summed.
    pub(crate) fn sums_floats(&self) -> bool {
        self.streams.iter().any(|stream| matches!(stream.kind, Kind::Float))
    }

    /// Whether tallies with different totals have different results.
    pub(crate) fn tells_totals(&self) -> bool {
        self.finishes.iter().any(|finish| matches!(finish, Finish::Total))
    }

    fn finish(&mut self, call: &AggregateCall, input: &Schema) -> Result<Finish> {
        use AggregateFunction::{Avg, BoolAnd, BoolOr, Count, Max, Min, Sum};
        let complete = call.filter.is_none() && call.argument().is_none_or(|column| !input.field(column).is_nullable());
        if call.function == Count && complete {
            return Ok(Finish::Total);
        }
        let stream = self.stream(call, input)?;
        let floating = matches!(self.streams[stream].kind, Kind::Float);
        Ok(match &call.function {
            Count => Finish::Count(stream),
            Sum if floating => Finish::FloatSum(stream),
            Sum => Finish::Sum(stream),
            Avg if floating => Finish::FloatAverage(stream),
            Avg => Finish::Average(stream),
            // Of truth values.
            Min | BoolAnd => Finish::Extreme(stream, End::Min),
            Max | BoolOr => Finish::Extreme(stream, End::Max),
            other => return Err(Error::Shape(format!("{} is not kept by session", other.name()))),
        })
    }

    /// The stream of a call, as it suits all calls that share it.
    fn stream(&mut self, call: &AggregateCall, input: &Schema) -> Result<usize> {
        let same = |stream: &Stream| (stream.argument, stream.filter) == (call.argument(), call.filter);
        if let Some(known) = self.streams.iter().position(same) {
            return Ok(known);
        }
        let shares = |other: &&AggregateCall| (other.argument(), other.filter) == (call.argument(), call.filter);
        let functions: Vec<&AggregateFunction> = self.calls.iter().filter(shares).map(|call| &call.function).collect();
        let summed = functions.iter().any(|function| matches!(function, AggregateFunction::Sum | AggregateFunction::Avg));
        let counted = functions.iter().all(|function| **function == AggregateFunction::Count);
        let data_type = call.argument().map_or(DataType::Null, |column| input.field(column).data_type().clone());
        let kind = if counted { Kind::Presence } else { Kind::try_new(&data_type, summed)? };
        self.streams.push(Stream { argument: call.argument(), filter: call.filter, kind, data_type });
        Ok(self.streams.len() - 1)
    }

    /// The results of all calls on some tallies.
    pub(crate) fn results<T: Results>(&self, tallies: &[&T]) -> CallResults {
        let mut results = CallResults { columns: Vec::with_capacity(self.calls.len()), errors: BTreeMap::new() };
        for position in 0..self.calls.len() {
            let column = self.column(tallies, &mut results.errors, position);
            results.columns.push(column);
        }
        results
    }

    /// The stream in which the values of a call are counted; `None` if all rows have one.
    pub(crate) fn counted(&self, position: usize) -> Option<usize> {
        match self.finishes[position] {
            Finish::Count(stream) => Some(stream),
            _ => None,
        }
    }

    /// The stream whose extreme the call at `position` is, and which of the two.
    pub(crate) fn extreme(&self, position: usize) -> Option<(usize, End)> {
        match self.finishes[position] {
            Finish::Extreme(stream, end) => Some((stream, end)),
            _ => None,
        }
    }

    /// Whether what is in `change` certainly changes no result of the call at `position`: counts and sums of 0. There is no telling of extremes.
    pub(crate) fn is_nothing<T: Results>(&self, change: &T, position: usize) -> bool {
        let sum = |stream: usize| change.sum(stream, &self.streams[stream]);
        let float = |stream: usize| change.float_sum(stream).is_none_or(|sum| sum.value() == 0.0);
        match self.finishes[position] {
            Finish::Total => change.total() == 0,
            Finish::Count(stream) => change.count(stream) == 0,
            Finish::Sum(stream) | Finish::Average(stream) => change.count(stream) == 0 && sum(stream) == i256::ZERO,
            Finish::FloatSum(stream) | Finish::FloatAverage(stream) => change.count(stream) == 0 && float(stream),
            Finish::Extreme(..) => false,
        }
    }

    /// The results of the call at `position` on some tallies. Those on which it fails go to `errors`, unless they are there.
    pub(crate) fn column<T: Results>(
        &self,
        tallies: &[&T],
        errors: &mut BTreeMap<usize, (usize, EvalError)>,
        position: usize,
    ) -> ArrayRef {
        let (call, finish) = (&self.calls[position], &self.finishes[position]);
        let argument = |stream: usize| &self.streams[stream].data_type;
        let sum = |tally: &T, stream: usize| tally.sum(stream, &self.streams[stream]);
        let mut finish_each = |result: &dyn Fn(&T) -> std::result::Result<AggregateValue, EvalError>| {
            column_of(tallies.iter().map(|tally| result(tally)), &call.data_type, |row, error| {
                errors.entry(row).or_insert((position, error));
            })
        };
        match *finish {
            Finish::Total => finish_each(&|tally| count_result(tally.total(), call)),
            Finish::Count(stream) => finish_each(&|tally| count_result(tally.count(stream), call)),
            Finish::Sum(stream) => finish_each(&|tally| sum_result(sum(tally, stream), tally.count(stream), call)),
            Finish::Average(stream) => {
                finish_each(&|tally| average_result(sum(tally, stream), tally.count(stream), argument(stream), call))
            }
            Finish::FloatSum(stream) => finish_each(&|tally| {
                Ok(tally
                    .float_sum(stream)
                    .filter(|_| tally.count(stream) != 0)
                    .map_or(AggregateValue::Null, |sum| AggregateValue::Float(sum.value())))
            }),
            Finish::FloatAverage(stream) => finish_each(&|tally| {
                let count = tally.count(stream);
                let sum = tally.float_sum(stream).filter(|_| count != 0);
                Ok(sum.map_or(AggregateValue::Null, |sum| AggregateValue::Float(sum.quotient(count as i64))))
            }),
            Finish::Extreme(stream, end) => T::extremes(tallies.iter().copied(), stream, &self.streams[stream], end),
        }
    }
}

/// The results of all calls on some tallies.
pub(crate) struct CallResults {
    /// One column per call.
    pub(crate) columns: Vec<ArrayRef>,
    /// The tallies on which a call fails: the first such call and its error.
    pub(crate) errors: BTreeMap<usize, (usize, EvalError)>,
}

/// Results as a column; what failed is NULL in it and goes to `failed`.
fn column_of(
    results: impl ExactSizeIterator<Item = std::result::Result<AggregateValue, EvalError>>,
    data_type: &DataType,
    mut failed: impl FnMut(usize, EvalError),
) -> ArrayRef {
    let values = results.enumerate().map(|(row, result)| {
        result.unwrap_or_else(|error| {
            failed(row, error);
            AggregateValue::Null
        })
    });
    if data_type != &DataType::Int64 {
        return aggregate_column(&values.collect::<Vec<_>>(), data_type);
    }
    // The common case, without a detour through a vector of the wider values.
    let integers = values.map(|value| if let AggregateValue::Integer(value) = value { Some(value as i64) } else { None });
    Arc::new(integers.collect::<Int64Array>())
}
