//! From aggregate calls to accumulators: what is kept per group, and where in its payload.
//!
//! Calls that read the same values share them: `sum(x)` and `avg(x)` one sum, `min(x)` and `max(x)` one index, all calls
//! without NULLs and filter the total weight of the group as their count.

use arrow::array::{Array, AsArray, Int64Array};
use arrow::datatypes::{DataType, Schema};
use deltic_circuit::{AggregateCall, AggregateFunction};
use deltic_zset::{Error, GroupTable, Result, ZBatch};

use super::distinct_arguments::DistinctArguments;
use super::extremes::{End, Extremes};
use super::linear::{self, Contribution, FloatSums, SumWidth};

/// Where a payload says whether the group was touched in the open epoch: its place in the list of touched groups plus one.
pub(super) const TOUCHED: usize = 0;
/// Where a payload has the total weight of the group.
pub(super) const TOTAL: usize = 1;
/// The words that every payload begins with.
const HEADER: usize = 3;

/// The values of one argument under one filter, and what is kept of them.
pub(super) struct Stream {
    argument: Option<usize>,
    filter: Option<usize>,
    distinct: Option<DistinctArguments>,
    /// Where the number of values is; [`TOTAL`] if every row has one.
    count: usize,
    sum: Option<Sum>,
    extremes: Option<(usize, Extremes)>,
}

struct Sum {
    at: usize,
    width: SumWidth,
    floats: FloatSums,
}

/// How the result of one call is read from a payload.
#[derive(Clone, Debug)]
pub(super) enum Finish {
    /// The count at a word.
    Count { at: usize },
    /// An exact integer sum; NULL if the count is 0.
    Sum { at: usize, wide: bool, count: usize },
    /// An exact integer sum divided by the count.
    Average { at: usize, wide: bool, count: usize, argument: DataType },
    /// The bits of a float; NULL if the count is 0.
    Float { at: usize, count: usize },
    /// An extreme of a stream.
    Extreme { at: usize, stream: usize, end: End },
}

impl Finish {
    /// The 128-bit word of which the result is an injective function, if it is one.
    pub(super) fn injective(&self) -> Option<usize> {
        match self {
            Finish::Count { at } | Finish::Sum { at, wide: false, .. } => Some(*at),
            _ => None,
        }
    }
}

/// The streams and calls of one operator.
pub(super) struct Plan {
    /// What is kept.
    pub(super) streams: Vec<Stream>,
    /// One per call.
    pub(super) finishes: Vec<Finish>,
    /// The words of a payload.
    pub(super) words: usize,
}

impl Plan {
    /// Plans `calls` over rows of `input`; `append_only` if no weight will ever be negative.
    ///
    /// # Errors
    /// If an argument has a type that its function is not defined for or that cannot be stored.
    pub(super) fn try_new(calls: &[AggregateCall], input: &Schema, append_only: bool) -> Result<Self> {
        let mut plan = Plan { streams: Vec::new(), finishes: Vec::new(), words: HEADER };
        for call in calls {
            let finish = plan.add(call, input, append_only)?;
            plan.finishes.push(finish);
        }
        Ok(plan)
    }

    fn add(&mut self, call: &AggregateCall, input: &Schema, append_only: bool) -> Result<Finish> {
        let position = self.stream(call, input)?;
        let stream = &mut self.streams[position];
        let count = stream.count;
        if call.function == AggregateFunction::Count {
            return Ok(Finish::Count { at: count });
        }
        let Some(column) = call.argument else {
            return Err(Error::Shape("an aggregate other than count has no argument".to_owned()));
        };
        let argument = input.field(column).data_type();
        if let AggregateFunction::Min | AggregateFunction::Max = call.function {
            let end = if call.function == AggregateFunction::Min { End::Min } else { End::Max };
            if stream.extremes.is_none() {
                stream.extremes = Some((self.words, Extremes::try_new(argument, append_only)?));
                self.words += Extremes::WORDS;
            }
            let at = stream.extremes.as_ref().map_or(0, |(at, _)| *at);
            return Ok(Finish::Extreme { at, stream: position, end });
        }
        let width = SumWidth::of(argument).ok_or_else(|| Error::UnsupportedType(argument.clone()))?;
        if stream.sum.is_none() {
            stream.sum = Some(Sum { at: self.words, width, floats: FloatSums::default() });
            self.words += width.words();
        }
        let at = stream.sum.as_ref().map_or(0, |sum| sum.at);
        let wide = width == SumWidth::Wide;
        Ok(match (call.function, width) {
            (AggregateFunction::Avg, SumWidth::Float) => Finish::Float { at: at + FloatSums::AVERAGE, count },
            (_, SumWidth::Float) => Finish::Float { at: at + FloatSums::SUM, count },
            (AggregateFunction::Avg, _) => Finish::Average { at, wide, count, argument: argument.clone() },
            _ => Finish::Sum { at, wide, count },
        })
    }

    /// The stream of a call's argument and filter.
    fn stream(&mut self, call: &AggregateCall, input: &Schema) -> Result<usize> {
        // A value that occurs twice is as extreme as one that occurs once.
        let extreme = matches!(call.function, AggregateFunction::Min | AggregateFunction::Max);
        let distinct = call.argument.filter(|_| call.distinct && !extreme);
        let found = self.streams.iter().position(|stream| {
            stream.argument == call.argument && stream.filter == call.filter && stream.distinct.is_some() == distinct.is_some()
        });
        if let Some(position) = found {
            return Ok(position);
        }
        let complete =
            distinct.is_none() && call.filter.is_none() && call.argument.is_none_or(|column| !input.field(column).is_nullable());
        let count = if complete { TOTAL } else { self.take_words(2) };
        let distinct = match distinct {
            Some(column) => Some(DistinctArguments::try_new(input.field(column).data_type(), self.take_words(1))?),
            None => None,
        };
        self.streams.push(Stream { argument: call.argument, filter: call.filter, distinct, count, sum: None, extremes: None });
        Ok(self.streams.len() - 1)
    }

    fn take_words(&mut self, words: usize) -> usize {
        self.words += words;
        self.words - words
    }
}

impl Stream {
    /// Prepares for groups that end by a time of `data_type` in their key.
    pub(super) fn expect_ends(&mut self, data_type: &DataType) {
        if let Some(distinct) = &mut self.distinct {
            distinct.expect_ends(data_type);
        }
    }

    /// Drops what is kept beside the table of `groups`, ascending, which are about to be removed. They are those whose time is before `before`.
    pub(super) fn release(&mut self, table: &GroupTable, groups: &[u32], before: i64) {
        if let Some(distinct) = &mut self.distinct {
            distinct.release(groups, before);
        }
        if let Some(Sum { at, width: SumWidth::Float, floats }) = &mut self.sum {
            floats.release(table, groups, *at);
        }
        if let Some((at, extremes)) = &mut self.extremes {
            extremes.release(table, groups, *at);
        }
    }

    /// Adds the rows of `batch`, whose groups are `groups`, and `times` what is in their key, if groups end.
    pub(super) fn add(&mut self, table: &mut GroupTable, groups: &[u32], batch: &ZBatch, times: Option<&Int64Array>) {
        let own;
        let mut weights = match self.weights(batch) {
            Some(weights) => {
                own = weights;
                Some(own.as_slice())
            }
            None => batch.weights().map(|weights| &**weights),
        };
        let transitions;
        let argument = self.argument.map(|column| batch.column(column));
        if let (Some(distinct), Some(values)) = (&mut self.distinct, argument) {
            transitions = distinct.transitions(table, Contribution { groups, weights }, values, times);
            weights = Some(&transitions);
        }
        let contribution = Contribution { groups, weights };
        if self.count != TOTAL {
            linear::add_counts(table, contribution, self.count);
        }
        let Some(values) = argument else { return };
        if let Some(sum) = &mut self.sum {
            match sum.width {
                SumWidth::Narrow => linear::add_narrow(table, contribution, values, sum.at),
                SumWidth::Wide => linear::add_wide_sum(table, contribution, values, sum.at),
                SumWidth::Float => sum.floats.add(table, contribution, values, sum.at),
            }
        }
        if let Some((at, extremes)) = &mut self.extremes {
            extremes.add(table, contribution, values, *at);
        }
    }

    /// The weights of the rows that have a value and pass the filter, 0 for others; `None` if those of the batch will do.
    fn weights(&self, batch: &ZBatch) -> Option<Vec<i64>> {
        let nulls = self.argument.and_then(|column| batch.column(column).logical_nulls()).filter(|nulls| nulls.null_count() > 0);
        debug_assert!(nulls.is_none() || self.count != TOTAL, "a column that is not nullable has a NULL");
        let filter = self.filter.map(|column| batch.column(column).as_boolean());
        if nulls.is_none() && filter.is_none() {
            return None;
        }
        let mut weights = batch.weights_or_ones().to_vec();
        if let Some(nulls) = nulls {
            weights.iter_mut().zip(nulls.iter()).for_each(|(weight, valid)| *weight *= i64::from(valid));
        }
        if let Some(filter) = filter {
            weights.iter_mut().zip(filter.iter()).for_each(|(weight, keep)| *weight *= i64::from(keep == Some(true)));
        }
        Some(weights)
    }

    /// Brings the results in the payloads of `groups` up to date.
    pub(super) fn settle(&mut self, table: &mut GroupTable, groups: &[u32]) {
        if let Some(Sum { at, width: SumWidth::Float, floats }) = &mut self.sum {
            floats.settle(table, groups, *at, self.count);
        }
        if let Some((at, extremes)) = &mut self.extremes {
            extremes.settle(table, groups, *at);
        }
    }

    /// Gives up what only the saved payloads of the epoch led to.
    pub(super) fn forget(&mut self) {
        if let Some((_, extremes)) = &mut self.extremes {
            extremes.forget();
        }
    }

    /// The extremes that a [`Finish::Extreme`] of this stream reads.
    pub(super) fn extremes(&self) -> Option<&Extremes> {
        self.extremes.as_ref().map(|(_, extremes)| extremes)
    }

    /// The values kept beside the table.
    pub(super) fn entries(&self) -> usize {
        let distinct = self.distinct.as_ref().map_or(0, DistinctArguments::len);
        distinct + self.extremes().map_or(0, Extremes::len)
    }

    /// The memory beside the table in bytes.
    pub(super) fn memory_bytes(&self) -> usize {
        let distinct = self.distinct.as_ref().map_or(0, DistinctArguments::memory_bytes);
        let sums = self.sum.as_ref().map_or(0, |sum| sum.floats.memory_bytes());
        distinct + sums + self.extremes().map_or(0, Extremes::memory_bytes)
    }
}
