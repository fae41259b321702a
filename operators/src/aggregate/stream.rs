//! [`Stream`]: the values of some arguments under one filter, and all that is kept of them.

use arrow::array::{Array, ArrayRef, AsArray, Int64Array};
use arrow::buffer::NullBuffer;
use deltic_circuit::AggregateCall;
use deltic_zset::{GroupTable, ZBatch};

use super::bits;
use super::distinct_arguments::DistinctArguments;
use super::extremes::Extremes;
use super::linear::{self, Contribution, FloatSums, SumWidth};
use super::moments::Moments;
use super::ordered::Ordered;
use super::plan::TOTAL;

/// The values of some arguments under one filter, and what is kept of them.
pub(super) struct Stream {
    arguments: Vec<usize>,
    /// A row with a NULL in one of these columns does not take part.
    required: Vec<usize>,
    filter: Option<usize>,
    distinct: Option<DistinctArguments>,
    /// Where the number of values is; [`TOTAL`] if every row has one.
    pub(super) count: usize,
    pub(super) sum: Option<Sum>,
    pub(super) extremes: Option<(usize, Extremes)>,
    pub(super) moments: Option<Moments>,
    /// Where the counts of bits are.
    pub(super) bits: Option<usize>,
    pub(super) ordered: Vec<Ordered>,
}

pub(super) struct Sum {
    pub(super) at: usize,
    pub(super) width: SumWidth,
    pub(super) floats: FloatSums,
}

impl Stream {
    /// The stream of `call`, of which nothing is kept yet but its count, at `count`.
    pub(super) fn new(call: &AggregateCall, distinct: Option<DistinctArguments>, count: usize) -> Self {
        Stream {
            arguments: call.arguments.clone(),
            required: call.required().to_vec(),
            filter: call.filter,
            distinct,
            count,
            sum: None,
            extremes: None,
            moments: None,
            bits: None,
            ordered: Vec::new(),
        }
    }

    /// Whether the rows of `call` are those of the stream.
    pub(super) fn serves(&self, call: &AggregateCall, distinct: bool) -> bool {
        let same_rows = self.required == call.required() && self.filter == call.filter;
        same_rows && self.arguments == call.arguments && self.distinct.is_some() == distinct
    }

    /// The columns that are not NULL in rows that take part.
    pub(super) fn required(&self) -> &[usize] {
        &self.required
    }

    /// Prepares for groups that end by a time of `data_type` in their key.
    pub(super) fn expect_ends(&mut self, data_type: &arrow::datatypes::DataType) {
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
        if let Some(moments) = &mut self.moments {
            moments.release(table, groups);
        }
        self.ordered.iter_mut().for_each(|ordered| ordered.release(table, groups));
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
        if let Some(distinct) = &mut self.distinct {
            let values: Vec<ArrayRef> = self.arguments.iter().map(|&column| batch.column(column).clone()).collect();
            transitions = distinct.transitions(table, Contribution { groups, weights }, &values, times);
            weights = Some(&transitions);
        }
        let contribution = Contribution { groups, weights };
        if self.count != TOTAL {
            linear::add_counts(table, contribution, self.count);
        }
        let Some(values) = self.arguments.first().map(|&column| batch.column(column)) else { return };
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
        if let Some(moments) = &mut self.moments {
            moments.add(table, contribution, batch);
        }
        if let Some(at) = self.bits {
            bits::add(table, contribution, values, at);
        }
        self.ordered.iter_mut().for_each(|ordered| ordered.add(table, contribution, batch));
    }

    /// The weights of the rows that have values and pass the filter, 0 for others; `None` if those of the batch will do.
    fn weights(&self, batch: &ZBatch) -> Option<Vec<i64>> {
        let nulls = |column: &usize| batch.column(*column).logical_nulls().filter(|nulls| nulls.null_count() > 0);
        let nulls: Vec<NullBuffer> = self.required.iter().filter_map(nulls).collect();
        debug_assert!(nulls.is_empty() || self.count != TOTAL, "a column that is not nullable has a NULL");
        let filter = self.filter.map(|column| batch.column(column).as_boolean());
        if nulls.is_empty() && filter.is_none() {
            return None;
        }
        let mut weights = batch.weights_or_ones().to_vec();
        for nulls in nulls {
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
        if let Some(moments) = &mut self.moments {
            moments.settle(table, groups, self.count);
        }
        self.ordered.iter_mut().for_each(|ordered| ordered.settle(table, groups, self.count));
    }

    /// Gives up what only the saved payloads of the epoch led to.
    pub(super) fn forget(&mut self) {
        if let Some((_, extremes)) = &mut self.extremes {
            extremes.forget();
        }
        self.ordered.iter_mut().for_each(Ordered::forget);
    }

    /// The extremes that a [`Finish::Extreme`](super::plan::Finish::Extreme) of this stream reads.
    pub(super) fn extremes(&self) -> Option<&Extremes> {
        self.extremes.as_ref().map(|(_, extremes)| extremes)
    }

    /// The values kept beside the table.
    pub(super) fn entries(&self) -> usize {
        let distinct = self.distinct.as_ref().map_or(0, DistinctArguments::len);
        distinct + self.extremes().map_or(0, Extremes::len) + self.ordered.iter().map(Ordered::len).sum::<usize>()
    }

    /// The memory beside the table in bytes.
    pub(super) fn memory_bytes(&self) -> usize {
        let distinct = self.distinct.as_ref().map_or(0, DistinctArguments::memory_bytes);
        let sums = self.sum.as_ref().map_or(0, |sum| sum.floats.memory_bytes());
        let moments = self.moments.as_ref().map_or(0, Moments::memory_bytes);
        let ordered: usize = self.ordered.iter().map(Ordered::memory_bytes).sum();
        distinct + sums + moments + ordered + self.extremes().map_or(0, Extremes::memory_bytes)
    }
}
