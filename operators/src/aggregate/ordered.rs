//! Aggregates that choose from the rows of a group in an order, or are made of all of them: MEDIAN, percentiles, MODE, FIRST_VALUE .., ARG_MIN ..,
//! ARRAY_AGG .., and whatever is applied to a whole group anew.
//!
//! The sort keys and arguments of all groups stand in one ordered index keyed by (group, keys), with the number of copies below each node: a
//! change costs O(log n), and so does the search for the copy at a place or for the value with the most copies. Calls that see the
//! rows in one order share the index; each is a *reader* of it. Functions of the whole group read all of its entries, once per epoch in which
//! they changed.
//!
//! A single key of up to eight bytes that is never NULL is kept as an [order-preserving word](super::ordered_word), all others as
//! [order-preserving bytes](crate::order::OrderBytes).
//!
//! The payload of a group has [`Ordered::WORDS`] words, the number of entries and whether one changed since the last settling, and one word per
//! reader with the place of its result plus one; 0 is the result of no rows. Settling never overwrites a place: the saved payload of a touched
//! group still leads to the old result until [`Ordered::forget`].

use arrow::array::{ArrayRef, new_empty_array};
use arrow::compute::SortOptions;
use arrow::datatypes::{DataType, Schema};
use datafusion_common::ScalarValue;
use deltic_circuit::aggregate::{Chosen, choose, finish_group, interpolate};
use deltic_circuit::{AggregateCall, EvalError, SortKey};
use deltic_zset::{Error, GroupTable, Result, ZBatch};

use super::entries::{Entries, Place};
use super::linear::Contribution;
use super::ordered_word::{self, fits_word};
use super::words::wide;
use crate::order::OrderBytes;

const LIVE: usize = 0;
const CHANGED: usize = 1;

/// The result of a call on one group.
type Outcome = std::result::Result<ScalarValue, EvalError>;

/// The rows of each group in one order, and the calls that read them.
pub(super) struct Ordered {
    keys: Vec<SortKey>,
    index: Index,
    at: usize,
    readers: Vec<Reader>,
}

enum Index {
    /// Words, inverted if the order is descending.
    Words {
        entries: Entries<u64>,
        descending: bool,
        data_type: DataType,
    },
    Bytes {
        entries: Entries<Box<[u8]>>,
        order: OrderBytes,
    },
}

/// A call and its results.
struct Reader {
    call: AggregateCall,
    /// Where the place of the result is.
    at: usize,
    /// Which of the keys the arguments are.
    arguments: Vec<usize>,
    /// The result of no rows.
    empty: Outcome,
    results: Vec<Outcome>,
    free: Vec<u64>,
    /// Places to be freed by [`Ordered::forget`].
    retired: Vec<u64>,
}

impl Ordered {
    /// The words per group, besides those of the readers.
    pub(super) const WORDS: usize = 2;

    /// An empty index in the order of `keys`, of rows in which the `required` columns are not NULL. Its words are at `at`.
    ///
    /// # Errors
    /// If a key has a type without an order.
    pub(super) fn try_new(keys: Vec<SortKey>, required: &[usize], input: &Schema, at: usize) -> Result<Self> {
        let data_type = |key: &SortKey| input.field(key.column).data_type().clone();
        let index = match keys.as_slice() {
            [key] if fits_word(&data_type(key)) && required.contains(&key.column) => {
                Index::Words { entries: Entries::new(), descending: key.descending, data_type: data_type(key) }
            }
            keys => {
                let options = |key: &SortKey| SortOptions { descending: key.descending, nulls_first: key.nulls_first };
                let columns: Vec<_> = keys.iter().map(|key| (data_type(key), options(key))).collect();
                Index::Bytes { entries: Entries::new(), order: OrderBytes::try_new(&columns)? }
            }
        };
        Ok(Ordered { keys, index, at, readers: Vec::new() })
    }

    /// The order.
    pub(super) fn keys(&self) -> &[SortKey] {
        &self.keys
    }

    /// Adds a call whose result is kept at word `at`; returns its number.
    pub(super) fn read(&mut self, call: &AggregateCall, at: usize, input: &Schema) -> Result<usize> {
        let place = |argument: &usize| self.keys.iter().position(|key| key.column == *argument);
        let arguments = call.arguments.iter().map(place).collect::<Option<Vec<_>>>();
        let arguments = arguments.ok_or_else(|| Error::Shape("an argument is not among its sort keys".to_owned()))?;
        let none: Vec<ArrayRef> = call.arguments.iter().map(|&column| new_empty_array(input.field(column).data_type())).collect();
        let empty = if call.function.reads_group() { finish_group(call, &none, &[]) } else { null(call) };
        let (results, free, retired) = (Vec::new(), Vec::new(), Vec::new());
        self.readers.push(Reader { call: call.clone(), at, arguments, empty, results, free, retired });
        Ok(self.readers.len() - 1)
    }

    /// Takes the rows of a batch.
    pub(super) fn add(&mut self, table: &mut GroupTable, contribution: Contribution<'_>, batch: &ZBatch) {
        let columns: Vec<ArrayRef> = self.keys.iter().map(|key| batch.column(key.column).clone()).collect();
        let at = self.at;
        let mut observe = |group: u32, live: i64| {
            let payload = table.payload_mut(group);
            payload[at + LIVE] = payload[at + LIVE].wrapping_add_signed(live);
            payload[at + CHANGED] = 1;
        };
        match &mut self.index {
            Index::Words { entries, descending, .. } => {
                let words = ordered_word::encode(&columns[0]);
                let flip = if *descending { u64::MAX } else { 0 };
                let mut changes = Vec::with_capacity(words.len());
                contribution.for_each(|group, row, weight| changes.push(((group, words[row] ^ flip), weight)));
                entries.update(changes, &mut observe);
            }
            Index::Bytes { entries, order } => {
                let rows = order.encode(&columns);
                let mut changes = Vec::with_capacity(rows.num_rows());
                contribution.for_each(|group, row, weight| changes.push(((group, rows.row(row).data().into()), weight)));
                entries.update(changes, &mut observe);
            }
        }
    }

    /// Brings the results of those of `groups` that changed up to date; the number of copies is at word `count`.
    pub(super) fn settle(&mut self, table: &mut GroupTable, groups: &[u32], count: usize) {
        let changed = |group: &u32| std::mem::take(&mut table.payload_mut(*group)[self.at + CHANGED]) != 0;
        let groups: Vec<u32> = groups.iter().copied().filter(changed).collect();
        if groups.is_empty() {
            return;
        }
        for reader in &mut self.readers {
            let outcomes = match reader.call.function.reads_group() {
                true => groups.iter().map(|&group| self.index.whole(reader, group)).collect(),
                false => {
                    let copies = |group: u32| i64::try_from(wide(table.payload(group), count)).unwrap_or(i64::MAX);
                    self.index.chosen(reader, groups.iter().map(|&group| (group, copies(group))))
                }
            };
            for (&group, outcome) in groups.iter().zip(outcomes) {
                let payload = table.payload_mut(group);
                let outcome = if payload[self.at + LIVE] == 0 { None } else { Some(outcome) };
                reader.exchange(&mut payload[reader.at], outcome);
            }
        }
    }

    /// Drops the rows of `groups`, ascending, which are settled and about to be removed.
    pub(super) fn release(&mut self, table: &GroupTable, groups: &[u32]) {
        match &mut self.index {
            Index::Words { entries, .. } => entries.remove_groups(groups),
            Index::Bytes { entries, .. } => entries.remove_groups(groups),
        }
        for reader in &mut self.readers {
            let places = groups.iter().map(|&group| table.payload(group)[reader.at]).filter(|&place| place != 0);
            reader.retired.extend(places);
            reader.forget();
        }
    }

    /// Gives up what only the saved payloads of the epoch led to.
    pub(super) fn forget(&mut self) {
        self.readers.iter_mut().for_each(Reader::forget);
    }

    /// The result of a reader for each payload; those that are errors go to `failed` and are NULL.
    pub(super) fn column<'a>(
        &self,
        reader: usize,
        payloads: impl Iterator<Item = &'a [u64]>,
        mut failed: impl FnMut(usize, &EvalError),
    ) -> ArrayRef {
        let reader = &self.readers[reader];
        let null = ScalarValue::try_new_null(&reader.call.data_type).unwrap_or(ScalarValue::Null);
        let values = payloads.enumerate().map(|(row, payload)| {
            let outcome = match payload[reader.at] {
                0 => &reader.empty,
                place => &reader.results[place as usize - 1],
            };
            outcome.clone().unwrap_or_else(|error| {
                failed(row, &error);
                null.clone()
            })
        });
        let values: Vec<ScalarValue> = values.collect();
        if values.is_empty() {
            return new_empty_array(&reader.call.data_type);
        }
        ScalarValue::iter_to_array(values).expect("the results of a call have one type")
    }

    /// The number of entries.
    pub(super) fn len(&self) -> usize {
        match &self.index {
            Index::Words { entries, .. } => entries.len(),
            Index::Bytes { entries, .. } => entries.len(),
        }
    }

    /// The memory of entries and results in bytes, as far as it is known.
    pub(super) fn memory_bytes(&self) -> usize {
        let index = match &self.index {
            Index::Words { entries, .. } => entries.memory_bytes(),
            Index::Bytes { entries, order } => entries.memory_bytes() + order.memory_bytes(),
        };
        let size = |outcome: &Outcome| outcome.as_ref().map_or(0, ScalarValue::size);
        index + self.readers.iter().flat_map(|reader| &reader.results).map(size).sum::<usize>()
    }
}

fn null(call: &AggregateCall) -> Outcome {
    Ok(ScalarValue::try_new_null(&call.data_type).unwrap_or(ScalarValue::Null))
}

impl Index {
    /// The result of a function that chooses, for some groups with their numbers of copies.
    fn chosen(&self, reader: &Reader, groups: impl Iterator<Item = (u32, i64)>) -> Vec<Outcome> {
        match self {
            Index::Words { entries, descending, data_type } => {
                let flip = if *descending { u64::MAX } else { 0 };
                reader.choose(entries, groups, |words| {
                    ordered_word::decode(&words.into_iter().map(|word| word ^ flip).collect::<Vec<_>>(), None, data_type)
                })
            }
            Index::Bytes { entries, order } => {
                let argument = reader.arguments[0];
                reader.choose(entries, groups, |rows| order.decode(rows.iter().map(|row| &**row)).swap_remove(argument))
            }
        }
    }

    /// The result of a function of the whole group.
    fn whole(&self, reader: &Reader, group: u32) -> Outcome {
        let (columns, weights) = match self {
            Index::Words { entries, descending, data_type } => {
                let flip = if *descending { u64::MAX } else { 0 };
                let (words, weights): (Vec<u64>, Vec<i64>) =
                    entries.of(group).map(|(word, weight)| (word ^ flip, weight)).unzip();
                (vec![ordered_word::decode(&words, None, data_type)], weights)
            }
            Index::Bytes { entries, order } => {
                let (rows, weights): (Vec<&[u8]>, Vec<i64>) = entries.of(group).map(|(row, weight)| (&**row, weight)).unzip();
                (order.decode(rows), weights)
            }
        };
        let arguments: Vec<ArrayRef> = reader.arguments.iter().map(|&key| columns[key].clone()).collect();
        finish_group(&reader.call, &arguments, &weights)
    }
}

impl Reader {
    /// Chooses from groups with their numbers of copies; `decode` gives the argument of entries.
    fn choose<V: Ord + Clone + Default>(
        &self,
        entries: &Entries<V>,
        groups: impl Iterator<Item = (u32, i64)>,
        decode: impl Fn(Vec<V>) -> ArrayRef,
    ) -> Vec<Outcome> {
        // What is chosen, by its place among those to be decoded, with what follows it and how far towards that.
        let mut found: Vec<V> = Vec::new();
        let mut chosen: Vec<Option<(usize, Option<f64>)>> = Vec::new();
        for (group, copies) in groups {
            let first = found.len();
            let part = match choose(&self.call, copies) {
                Chosen::None => None,
                Chosen::One(place) => {
                    found.extend(entries.select(group, place, Place::Only).cloned());
                    None
                }
                Chosen::Between(place, part) => {
                    found.extend(entries.select(group, place, Place::WithNext).cloned());
                    Some(part)
                }
                Chosen::MostFrequent => {
                    found.extend(entries.most_frequent(group).cloned());
                    None
                }
            };
            // Of a group with wrong weights there may be less than was asked for.
            let complete = found.len() == first + 1 + usize::from(part.is_some());
            chosen.push(complete.then_some((first, part)));
        }
        let values = decode(found);
        let value = |row: usize| ScalarValue::try_from_array(&values, row).unwrap_or(ScalarValue::Null);
        let outcome = |chosen: Option<(usize, Option<f64>)>| match chosen {
            None => null(&self.call),
            Some((row, None)) => Ok(interpolate(&self.call, &value(row), None, 0.0)),
            Some((row, Some(part))) => Ok(interpolate(&self.call, &value(row), Some(&value(row + 1)), part)),
        };
        chosen.into_iter().map(outcome).collect()
    }

    /// Puts a result in the place of what `word` leads to, if it is another one; `None` is the result of no rows.
    fn exchange(&mut self, word: &mut u64, outcome: Option<Outcome>) {
        if *word != 0 {
            if outcome.as_ref() == Some(&self.results[*word as usize - 1]) {
                return;
            }
            self.retired.push(*word);
        }
        *word = match (outcome, self.free.pop()) {
            (None, free) => {
                self.free.extend(free);
                0
            }
            (Some(outcome), Some(place)) => {
                self.results[place as usize - 1] = outcome;
                place
            }
            (Some(outcome), None) => {
                self.results.push(outcome);
                self.results.len() as u64
            }
        };
    }

    fn forget(&mut self) {
        for place in self.retired.drain(..) {
            self.results[place as usize - 1] = Ok(ScalarValue::Null);
            self.free.push(place);
        }
    }
}
