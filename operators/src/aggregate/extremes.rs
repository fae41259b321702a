//! MIN and MAX, exact under deletion.
//!
//! They are not linear: when the minimum is deleted the next one must be known. So the values of all groups stand in one
//! ordered index keyed by (group, value), where a change costs O(log n) and the ends of a group are two descents. An
//! input that never retracts needs none of it: the extreme so far is all that later rows can change.
//!
//! Values of up to eight bytes are kept as [order-preserving words](super::ordered_word), others as
//! [order-preserving bytes](crate::order::OrderBytes).
//!
//! The payload of a group has [`Extremes::WORDS`] words: the number of entries in the index, flags, the minimum and the maximum. A
//! value that appears can only widen them; one that disappears makes them [`STALE`] if it was one of them, and only then
//! [`Extremes::settle`] asks the index. For bytes the extremes are places in a slab plus one. Settling never overwrites a place:
//! the saved payload of a touched group still leads to the old extremes until [`Extremes::forget`].

use std::collections::HashMap;
use std::ops::Bound;

use arrow::array::{Array, ArrayRef, UInt32Array};
use arrow::buffer::NullBuffer;
use arrow::compute::{self, SortOptions};
use arrow::datatypes::DataType;
use deltic_zset::{Error, GroupTable, OrderedIndex, Result, types};

use super::linear::Contribution;
use super::ordered_word::{self, fits_word};
use crate::order::OrderBytes;

/// Which end of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Min,
    Max,
}

impl End {
    /// Where it is, from the first word.
    fn word(self) -> usize {
        match self {
            End::Min => MIN,
            End::Max => MAX,
        }
    }
}

const LIVE: usize = 0;
const FLAGS: usize = 1;
const MIN: usize = 2;
const MAX: usize = 3;
/// Flag: there is an extreme.
const PRESENT: u64 = 1;
/// Flag: a value that was an extreme disappeared.
const STALE: u64 = 2;

/// The least and the greatest value of each group.
pub(super) struct Extremes {
    data_type: DataType,
    values: Values,
}

enum Values {
    Words(Option<OrderedIndex<(u32, u64), ()>>),
    Bytes(ByteValues),
}

type Bytes = Box<[u8]>;

struct ByteValues {
    order: OrderBytes,
    /// Absent if the input is append-only.
    index: Option<OrderedIndex<(u32, Bytes), ()>>,
    /// The least and the greatest value that appeared since the last settling.
    pending: HashMap<u32, (Bytes, Bytes)>,
    slab: Vec<Bytes>,
    free: Vec<u64>,
    /// Places to be freed by [`Extremes::forget`].
    retired: Vec<u64>,
}

impl Extremes {
    /// The words per group.
    pub(super) const WORDS: usize = 4;

    /// For values of `data_type`; `append_only` if no weight will ever be negative.
    ///
    /// # Errors
    /// If the type is not canonical or has no order.
    pub(super) fn try_new(data_type: &DataType, append_only: bool) -> Result<Self> {
        if types::canonical_type(data_type).as_ref() != Some(data_type) {
            return Err(Error::UnsupportedType(data_type.clone()));
        }
        let values = if fits_word(data_type) {
            Values::Words((!append_only).then(OrderedIndex::new))
        } else {
            Values::Bytes(ByteValues {
                order: OrderBytes::try_new(&[(data_type.clone(), SortOptions::default())])?,
                index: (!append_only).then(OrderedIndex::new),
                pending: HashMap::new(),
                slab: Vec::new(),
                free: Vec::new(),
                retired: Vec::new(),
            })
        };
        Ok(Extremes { data_type: data_type.clone(), values })
    }

    /// Takes `values`, with the words of their groups at `at`.
    pub(super) fn add(&mut self, table: &mut GroupTable, contribution: Contribution<'_>, values: &ArrayRef, at: usize) {
        match &mut self.values {
            Values::Words(index) => {
                let words = ordered_word::encode(values);
                match index {
                    Some(index) => {
                        let mut changes = Vec::with_capacity(words.len());
                        contribution.for_each(|group, row, weight| changes.push(((group, words[row]), weight)));
                        update(index, changes, |(group, word), transition| {
                            let payload = &mut table.payload_mut(*group)[at..at + 4];
                            transition.count(payload);
                            match transition {
                                Transition { shown: 1, .. } => widen(payload, *word),
                                Transition { shown: -1, .. } if payload[MIN] == *word || payload[MAX] == *word => {
                                    payload[FLAGS] |= STALE
                                }
                                _ => {}
                            }
                        });
                    }
                    None => contribution.for_each(|group, row, _| widen(&mut table.payload_mut(group)[at..at + 4], words[row])),
                }
            }
            Values::Bytes(bytes) => {
                let rows = bytes.order.encode(std::slice::from_ref(values));
                let ByteValues { index, pending, slab, .. } = bytes;
                match index {
                    Some(index) => {
                        let mut changes = Vec::with_capacity(rows.num_rows());
                        contribution.for_each(|group, row, weight| changes.push(((group, rows.row(row).data().into()), weight)));
                        update(index, changes, |(group, value), transition| {
                            let payload = &mut table.payload_mut(*group)[at..at + 4];
                            transition.count(payload);
                            match transition.shown {
                                1 => widen_bytes(pending, *group, value),
                                -1 if is_extreme(pending, slab, *group, payload, value) => payload[FLAGS] |= STALE,
                                _ => {}
                            }
                        });
                    }
                    None => contribution.for_each(|group, row, _| widen_bytes(pending, group, rows.row(row).data())),
                }
            }
        }
    }

    /// Brings the extremes of `groups` in their payloads up to date.
    pub(super) fn settle(&mut self, table: &mut GroupTable, groups: &[u32], at: usize) {
        for &group in groups {
            let payload = &mut table.payload_mut(group)[at..at + 4];
            match &mut self.values {
                Values::Words(Some(index)) if payload[FLAGS] & STALE != 0 => {
                    let ends = ends(index, (group, 0), (group, u64::MAX));
                    let [flags, min, max] = ends.map_or([0; 3], |(min, max)| [PRESENT, min.1, max.1]);
                    (payload[FLAGS], payload[MIN], payload[MAX]) = (flags, min, max);
                }
                Values::Words(_) => {}
                Values::Bytes(bytes) => bytes.settle(payload, group),
            }
        }
    }

    /// Drops the values of `groups`, ascending, which are settled and about to be removed.
    pub(super) fn release(&mut self, table: &GroupTable, groups: &[u32], at: usize) {
        match &mut self.values {
            Values::Words(Some(index)) => remove_groups(index, groups, |group| ((group, 0), (group, u64::MAX))),
            Values::Words(None) => {}
            Values::Bytes(bytes) => {
                if let Some(index) = &mut bytes.index {
                    remove_groups(index, groups, |group| ((group, Box::default()), (group + 1, Box::default())));
                }
                for payload in groups.iter().map(|&group| &table.payload(group)[at..at + 4]) {
                    for place in [payload[MIN], payload[MAX]].into_iter().filter(|&place| place != 0) {
                        bytes.slab[place as usize - 1] = Box::default();
                        bytes.free.push(place);
                    }
                }
            }
        }
    }

    /// Gives up what only the saved payloads of the epoch led to.
    pub(super) fn forget(&mut self) {
        if let Values::Bytes(bytes) = &mut self.values {
            for place in bytes.retired.drain(..) {
                bytes.slab[place as usize - 1] = Box::default();
                bytes.free.push(place);
            }
        }
    }

    /// The extreme of each payload in `payloads` as a column.
    pub(super) fn column<'a>(&self, payloads: impl Iterator<Item = &'a [u64]> + Clone, at: usize, end: End) -> ArrayRef {
        let words: Vec<u64> = payloads.clone().map(|payload| payload[at + end.word()]).collect();
        match &self.values {
            Values::Words(_) => {
                let valid: NullBuffer = payloads.map(|payload| payload[at + FLAGS] & PRESENT != 0).collect();
                ordered_word::decode(&words, (valid.null_count() > 0).then_some(valid), &self.data_type)
            }
            Values::Bytes(bytes) => bytes.column(&words, &self.data_type),
        }
    }

    /// The number of values kept.
    pub(super) fn len(&self) -> usize {
        match &self.values {
            Values::Words(index) => index.as_ref().map_or(0, OrderedIndex::len),
            Values::Bytes(bytes) => bytes.index.as_ref().map_or(0, OrderedIndex::len),
        }
    }

    /// The memory of the values in bytes, as far as it is known.
    pub(super) fn memory_bytes(&self) -> usize {
        match &self.values {
            Values::Words(index) => index.as_ref().map_or(0, OrderedIndex::memory_bytes),
            Values::Bytes(bytes) => bytes.memory_bytes(),
        }
    }
}

/// What a change did to an entry of the index: +1, -1 or 0 for its being there, and for its having a positive weight.
struct Transition {
    live: isize,
    shown: i8,
}

impl Transition {
    /// Counts the entry of a group.
    fn count(&self, payload: &mut [u64]) {
        payload[LIVE] = payload[LIVE].wrapping_add_signed(self.live as i64);
    }
}

/// Removes the entries of some groups, each between two keys of which the last is of the group or not there.
fn remove_groups<V: Ord + Clone>(
    index: &mut OrderedIndex<(u32, V), ()>,
    groups: &[u32],
    keys: impl Fn(u32) -> ((u32, V), (u32, V)),
) {
    let mut gone = Vec::new();
    for (group, (from, to)) in groups.iter().map(|&group| (group, keys(group))) {
        let entries = index.range((Bound::Included(from), Bound::Included(to))).filter(|(key, _)| key.0 == group);
        gone.extend(entries.map(|(key, weight)| (key.clone(), weight.wrapping_neg())));
    }
    index.update_sorted(gone, |_, _, _| {});
}

/// Applies changes to an index and tells what became of their entries.
fn update<V: Ord + Clone>(
    index: &mut OrderedIndex<(u32, V), ()>,
    mut changes: Vec<((u32, V), i64)>,
    mut observe: impl FnMut(&(u32, V), Transition),
) {
    changes.sort_unstable_by(|left, right| left.0.cmp(&right.0));
    index.update_sorted(changes, |key, before, after| {
        let live = isize::from(after != 0) - isize::from(before != 0);
        let shown = i8::from(after > 0) - i8::from(before > 0);
        if live != 0 || shown != 0 {
            observe(key, Transition { live, shown });
        }
    });
}

/// The first and the last entry of positive weight between two keys.
fn ends<K: Ord + Clone>(index: &OrderedIndex<K, ()>, from: K, to: K) -> Option<(&K, &K)> {
    let mut range = index.range((Bound::Included(from), Bound::Included(to))).filter(|(_, weight)| *weight > 0);
    let (first, _) = range.next()?;
    let last = range.next_back().map_or(first, |(last, _)| last);
    Some((first, last))
}

fn widen(payload: &mut [u64], word: u64) {
    if payload[FLAGS] & PRESENT == 0 {
        payload[FLAGS] |= PRESENT;
        (payload[MIN], payload[MAX]) = (word, word);
    } else {
        payload[MIN] = payload[MIN].min(word);
        payload[MAX] = payload[MAX].max(word);
    }
}

/// Whether `value` is an extreme of its group, or would be one after settling.
fn is_extreme(pending: &HashMap<u32, (Bytes, Bytes)>, slab: &[Bytes], group: u32, payload: &[u64], value: &[u8]) -> bool {
    let settled =
        [payload[MIN], payload[MAX]].into_iter().filter(|&place| place != 0).any(|place| *slab[place as usize - 1] == *value);
    settled || pending.get(&group).is_some_and(|(min, max)| **min == *value || **max == *value)
}

fn widen_bytes(pending: &mut HashMap<u32, (Bytes, Bytes)>, group: u32, value: &[u8]) {
    let (min, max) = pending.entry(group).or_insert_with(|| (value.into(), value.into()));
    if value < &**min {
        *min = value.into();
    } else if value > &**max {
        *max = value.into();
    }
}

impl ByteValues {
    fn settle(&mut self, payload: &mut [u64], group: u32) {
        let appeared = self.pending.remove(&group);
        let stale = payload[FLAGS] & STALE != 0;
        let extremes = match &self.index {
            Some(index) if stale => {
                ends(index, (group, Box::default()), (group + 1, Box::default())).map(|(min, max)| (min.1.clone(), max.1.clone()))
            }
            _ => appeared,
        };
        if let Some((min, max)) = extremes {
            payload[FLAGS] = PRESENT;
            self.exchange(&mut payload[MIN], min, |new, old| stale || new < old);
            self.exchange(&mut payload[MAX], max, |new, old| stale || new > old);
        } else if stale {
            self.retired.extend([payload[MIN], payload[MAX]].into_iter().filter(|&place| place != 0));
            payload[FLAGS..].fill(0);
        }
    }

    /// Puts `value` in the place of what `word` leads to, if it is another one and `better`.
    fn exchange(&mut self, word: &mut u64, value: Bytes, better: impl Fn(&[u8], &[u8]) -> bool) {
        if *word != 0 {
            let old = &self.slab[*word as usize - 1];
            if *old == value || !better(&value, old) {
                return;
            }
            self.retired.push(*word);
        }
        *word = match self.free.pop() {
            Some(place) => {
                self.slab[place as usize - 1] = value;
                place
            }
            None => {
                self.slab.push(value);
                self.slab.len() as u64
            }
        };
    }

    fn column(&self, places: &[u64], data_type: &DataType) -> ArrayRef {
        let present = places.iter().filter(|&&place| place != 0);
        let values = self.order.decode(present.map(|&place| &*self.slab[place as usize - 1])).swap_remove(0);
        debug_assert_eq!(values.data_type(), data_type);
        if values.len() == places.len() {
            return values;
        }
        let mut next = 0;
        let rows: UInt32Array = places
            .iter()
            .map(|&place| {
                (place != 0).then(|| {
                    next += 1;
                    next - 1
                })
            })
            .collect();
        compute::take(&values, &rows, None).expect("each place has a value")
    }

    fn memory_bytes(&self) -> usize {
        let index = self.index.as_ref().map_or(0, OrderedIndex::memory_bytes);
        let slab: usize = self.slab.iter().map(|value| size_of_val(value) + value.len()).sum();
        self.order.memory_bytes() + index + slab
    }
}
