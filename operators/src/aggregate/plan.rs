//! From aggregate calls to accumulators: what is kept per group, and where in its payload.
//!
//! Calls that read the same values share them: `sum(x)` and `avg(x)` one sum, `min(x)` and `max(x)` one index, `median(x)` and `mode(x)` another,
//! all calls without NULLs and filter the total weight of the group as their count.

use arrow::datatypes::{DataType, Schema};
use deltic_circuit::{AggregateCall, AggregateFunction};
use deltic_zset::{Error, Result};

use super::bits;
use super::distinct_arguments::DistinctArguments;
use super::extremes::{End, Extremes};
use super::linear::{FloatSums, SumWidth};
use super::moments::Moments;
use super::ordered::Ordered;
use super::stream::{Stream, Sum};

/// Where a payload says whether the group was touched in the open epoch: its place in the list of touched groups plus one.
pub(super) const TOUCHED: usize = 0;
/// Where a payload has the total weight of the group.
pub(super) const TOTAL: usize = 1;
/// The words that every payload begins with.
const HEADER: usize = 3;

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
    /// A word of [`Moments`].
    Moment { at: usize },
    /// Counts of bits.
    Bits { at: usize, count: usize },
    /// What a reader of an [`Ordered`] keeps.
    Kept { stream: usize, ordered: usize, reader: usize },
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
        if let Some([sum, count]) = call.sums_of_average() {
            return self.average_of_sums(&sum, &count, input, append_only);
        }
        let position = self.stream(call, input)?;
        let stream = &mut self.streams[position];
        let count = stream.count;
        if call.function == AggregateFunction::Count {
            return Ok(Finish::Count { at: count });
        }
        let Some(column) = call.argument() else {
            return Err(Error::Shape("an aggregate other than count has no argument".to_owned()));
        };
        let argument = input.field(column).data_type();
        match &call.function {
            AggregateFunction::Sum | AggregateFunction::Avg => self.sum(call, position, argument),
            AggregateFunction::Min | AggregateFunction::Max => {
                let end = if call.function == AggregateFunction::Min { End::Min } else { End::Max };
                if stream.extremes.is_none() {
                    stream.extremes = Some((self.words, Extremes::try_new(argument, append_only)?));
                    self.words += Extremes::WORDS;
                }
                let at = stream.extremes.as_ref().map_or(0, |(at, _)| *at);
                Ok(Finish::Extreme { at, stream: position, end })
            }
            AggregateFunction::Moment(moment) => {
                let place = self.words;
                let moments = stream.moments.get_or_insert_with(|| {
                    self.words += 1;
                    Moments::new(place, &call.arguments, input)
                });
                let at = moments.reader(*moment, self.words);
                self.words = self.words.max(at + 1);
                Ok(Finish::Moment { at })
            }
            function if function.is_ordered() => self.ordered(call, position, input),
            _ => {
                let width = bits::width(argument).ok_or_else(|| Error::UnsupportedType(argument.clone()))?;
                let at = *stream.bits.get_or_insert(self.words);
                self.words = self.words.max(at + width);
                Ok(Finish::Bits { at, count })
            }
        }
    }

    fn sum(&mut self, call: &AggregateCall, position: usize, argument: &DataType) -> Result<Finish> {
        let stream = &mut self.streams[position];
        let count = stream.count;
        let width = SumWidth::of(argument).ok_or_else(|| Error::UnsupportedType(argument.clone()))?;
        if stream.sum.is_none() {
            stream.sum = Some(Sum { at: self.words, width, floats: FloatSums::default() });
            self.words += width.words();
        }
        let at = stream.sum.as_ref().map_or(0, |sum| sum.at);
        let wide = width == SumWidth::Wide;
        Ok(match (&call.function, width) {
            (AggregateFunction::Avg, SumWidth::Float) => Finish::Float { at: at + FloatSums::AVERAGE, count },
            (_, SumWidth::Float) => Finish::Float { at: at + FloatSums::SUM, count },
            (AggregateFunction::Avg, _) => Finish::Average { at, wide, count, argument: argument.clone() },
            _ => Finish::Sum { at, wide, count },
        })
    }

    /// An average of sums and counts: the sum of the counts takes the place of the count.
    fn average_of_sums(
        &mut self,
        sum: &AggregateCall,
        count: &AggregateCall,
        input: &Schema,
        append_only: bool,
    ) -> Result<Finish> {
        let argument = sum.argument().map_or(DataType::Null, |column| input.field(column).data_type().clone());
        match (self.add(sum, input, append_only)?, self.add(count, input, append_only)?) {
            (Finish::Sum { at, wide, .. }, Finish::Sum { at: count, wide: false, .. }) => {
                Ok(Finish::Average { at, wide, count, argument })
            }
            _ => Err(Error::UnsupportedType(argument)),
        }
    }

    fn ordered(&mut self, call: &AggregateCall, position: usize, input: &Schema) -> Result<Finish> {
        let stream = &mut self.streams[position];
        let keys = call.sort_keys();
        let known = stream.ordered.iter().position(|ordered| ordered.keys() == keys);
        let ordered = match known {
            Some(known) => known,
            None => {
                stream.ordered.push(Ordered::try_new(keys, stream.required(), input, self.words)?);
                self.words += Ordered::WORDS;
                stream.ordered.len() - 1
            }
        };
        let reader = stream.ordered[ordered].read(call, self.words, input)?;
        self.words += 1;
        Ok(Finish::Kept { stream: position, ordered, reader })
    }

    /// The stream of a call's arguments and filter.
    fn stream(&mut self, call: &AggregateCall, input: &Schema) -> Result<usize> {
        // A value that occurs twice is as extreme as one that occurs once.
        let extreme = matches!(call.function, AggregateFunction::Min | AggregateFunction::Max);
        let distinct = call.distinct && !extreme;
        if let Some(position) = self.streams.iter().position(|stream| stream.serves(call, distinct)) {
            return Ok(position);
        }
        let nullable = call.required().iter().any(|&column| input.field(column).is_nullable());
        let complete = !distinct && call.filter.is_none() && !nullable;
        let count = if complete { TOTAL } else { self.take_words(2) };
        let distinct = match distinct {
            true => {
                let types = call.arguments.iter().map(|&column| input.field(column).data_type().clone());
                Some(DistinctArguments::try_new(types, self.take_words(1))?)
            }
            false => None,
        };
        self.streams.push(Stream::new(call, distinct, count));
        Ok(self.streams.len() - 1)
    }

    fn take_words(&mut self, words: usize) -> usize {
        self.words += words;
        self.words - words
    }
}
