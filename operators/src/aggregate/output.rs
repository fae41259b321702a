//! From payloads to output columns.
//!
//! The old and the new payloads of the touched groups stand one after the other in a [`Payloads`], so that each call
//! is finished by one loop over one vector of words, for both sides of the changelog at once.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, i256};
use deltic_circuit::aggregate::{AggregateValue, aggregate_column, average_result, count_result, sum_result};
use deltic_circuit::{AggregateCall, EvalError};

use super::bits;
use super::moments::Moments;
use super::plan::Finish;
use super::stream::Stream;
use super::words::{wide, wider};

/// Payloads of one stride, one after the other.
pub(super) struct Payloads {
    pub(super) words: Vec<u64>,
    pub(super) stride: usize,
}

impl Payloads {
    /// The number of payloads.
    pub(super) fn len(&self) -> usize {
        self.words.len() / self.stride
    }

    /// Payload `row`.
    pub(super) fn get(&self, row: usize) -> &[u64] {
        &self.words[row * self.stride..(row + 1) * self.stride]
    }

    /// All payloads.
    pub(super) fn iter(&self) -> impl Iterator<Item = &[u64]> + Clone {
        self.words.chunks_exact(self.stride)
    }
}

/// The results of all calls on some payloads.
pub(super) struct Results {
    /// One column per call.
    pub(super) columns: Vec<ArrayRef>,
    /// The payloads that a call has no result for: the first such call and its error.
    pub(super) errors: BTreeMap<usize, (usize, EvalError)>,
}

impl Results {
    /// The results of `calls`. Payloads of groups without rows have results too, which mean nothing.
    pub(super) fn of(payloads: &Payloads, calls: &[AggregateCall], finishes: &[Finish], streams: &[Stream]) -> Self {
        let mut results = Results { columns: Vec::with_capacity(calls.len()), errors: BTreeMap::new() };
        for (position, (call, finish)) in calls.iter().zip(finishes).enumerate() {
            let column = results.column(payloads, position, call, finish, streams);
            results.columns.push(column);
        }
        results
    }

    fn column(
        &mut self,
        payloads: &Payloads,
        position: usize,
        call: &AggregateCall,
        finish: &Finish,
        streams: &[Stream],
    ) -> ArrayRef {
        let exact = |payload: &[u64], at: usize, wide_sum: bool| {
            if wide_sum { wider(payload, at) } else { i256::from_i128(wide(payload, at)) }
        };
        match finish {
            Finish::Count { at } if call.data_type == DataType::Int64 => {
                self.int64(payloads, position, *at, None, |payload| count_result(wide(payload, *at), call))
            }
            Finish::Count { at } => self.values(payloads, position, call, |payload| count_result(wide(payload, *at), call)),
            Finish::Sum { at, wide: false, count } if call.data_type == DataType::Int64 => {
                self.int64(payloads, position, *at, Some(*count), |payload| {
                    sum_result(i256::from_i128(wide(payload, *at)), wide(payload, *count), call)
                })
            }
            Finish::Sum { at, wide: wide_sum, count } => self.values(payloads, position, call, |payload| {
                sum_result(exact(payload, *at, *wide_sum), wide(payload, *count), call)
            }),
            Finish::Average { at, wide: wide_sum, count, argument } => self.values(payloads, position, call, |payload| {
                average_result(exact(payload, *at, *wide_sum), wide(payload, *count), argument, call)
            }),
            Finish::Float { at, count } => self.values(payloads, position, call, |payload| {
                let missing = wide(payload, *count) == 0;
                Ok(if missing { AggregateValue::Null } else { AggregateValue::Float(f64::from_bits(payload[*at])) })
            }),
            Finish::Extreme { at, stream, end } => {
                streams[*stream].extremes().expect("the plan gave the stream extremes").column(payloads.iter(), *at, *end)
            }
            Finish::Moment { at } => self.values(payloads, position, call, |payload| Ok(Moments::result(payload[*at]))),
            Finish::Bits { at, count } => self.values(payloads, position, call, |payload| {
                Ok(bits::result(&call.function, &payload[*at..], wide(payload, *count), &call.data_type))
            }),
            Finish::Kept { stream, ordered, reader } => {
                let errors = &mut self.errors;
                streams[*stream].ordered[*ordered].column(*reader, payloads.iter(), |row, error| {
                    errors.entry(row).or_insert_with(|| (position, error.clone()));
                })
            }
        }
    }

    /// The common case, without a detour through [`AggregateValue`]: 128 bits that should fit 64. `explain` says why not.
    fn int64(
        &mut self,
        payloads: &Payloads,
        position: usize,
        at: usize,
        count: Option<usize>,
        explain: impl Fn(&[u64]) -> Result<AggregateValue, EvalError>,
    ) -> ArrayRef {
        let mut values = Vec::with_capacity(payloads.len());
        for (row, payload) in payloads.iter().enumerate() {
            let value = wide(payload, at);
            if i128::from(value as i64) != value
                && let Err(error) = explain(payload)
            {
                self.errors.entry(row).or_insert((position, error));
            }
            values.push(value as i64);
        }
        let valid = count.map(|count| payloads.iter().map(|payload| wide(payload, count) != 0).collect::<NullBuffer>());
        Arc::new(Int64Array::new(values.into(), valid.filter(|valid| valid.null_count() > 0)))
    }

    fn values(
        &mut self,
        payloads: &Payloads,
        position: usize,
        call: &AggregateCall,
        result: impl Fn(&[u64]) -> Result<AggregateValue, EvalError>,
    ) -> ArrayRef {
        let mut values = Vec::with_capacity(payloads.len());
        for (row, payload) in payloads.iter().enumerate() {
            values.push(result(payload).unwrap_or_else(|error| {
                self.errors.entry(row).or_insert((position, error));
                AggregateValue::Null
            }));
        }
        aggregate_column(&values, &call.data_type)
    }
}
