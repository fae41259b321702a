//! [`Entries`]: the rows of all groups in one ordered index, with their numbers of copies.

use std::ops::Bound;

use deltic_zset::{Cursor, OrderedIndex, Summary, Weighted};

/// What a node of the index knows of the entries below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Copies {
    /// Their sum.
    all: i64,
    /// The greatest number of one entry.
    most: i64,
}

impl<K> Summary<K> for Copies {
    fn identity() -> Self {
        Copies { all: 0, most: 0 }
    }

    fn of(_: &K, weight: i64) -> Self {
        Copies { all: weight, most: weight }
    }

    fn combine(&self, right: &Self) -> Self {
        Copies { all: self.all.wrapping_add(right.all), most: self.most.max(right.most) }
    }

    fn of_entries(_: &[K], weights: &[i64]) -> Self {
        let all = weights.iter().fold(0i64, |all, &weight| all.wrapping_add(weight));
        Copies { all, most: weights.iter().fold(0, |most, &weight| most.max(weight)) }
    }
}

impl Weighted for Copies {
    fn weight(&self) -> i64 {
        self.all
    }
}

/// The greatest number of copies, as a summary of its own.
#[derive(Clone, Copy)]
struct Most(i64);

impl<K> Summary<K> for Most {
    fn identity() -> Self {
        Most(0)
    }

    fn of(_: &K, weight: i64) -> Self {
        Most(weight)
    }

    fn combine(&self, right: &Self) -> Self {
        Most(self.0.max(right.0))
    }
}

/// Which entries are selected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// That of one copy.
    Only,
    /// That of one copy, and that of the next copy.
    WithNext,
}

/// Rows by group, in an order in which `V::default()` is least.
pub(super) struct Entries<V> {
    index: OrderedIndex<(u32, V), Copies>,
}

impl<V: Ord + Clone + Default> Entries<V> {
    pub(super) fn new() -> Self {
        Entries { index: OrderedIndex::new() }
    }

    /// Applies changes, and tells for each the group and what it did to the number of entries.
    pub(super) fn update(&mut self, mut changes: Vec<((u32, V), i64)>, observe: &mut impl FnMut(u32, i64)) {
        changes.sort_unstable_by(|left, right| left.0.cmp(&right.0));
        self.index.update_sorted(changes, |(group, _), before, after| {
            observe(*group, i64::from(after != 0) - i64::from(before != 0));
        });
    }

    /// The entry of the copy that has `place` copies of its group before it, and maybe that of the next copy.
    pub(super) fn select<'a>(&'a self, group: u32, place: i64, which: Place) -> impl Iterator<Item = &'a V> {
        let found = self.index.cursor_at_copy_from(&(group, V::default()), place);
        let entry = |cursor: &Cursor<'a, (u32, V), Copies>| cursor.after().filter(|(key, weight)| key.0 == group && *weight > 0);
        let first = found.as_ref().and_then(|(cursor, _)| entry(cursor));
        let next = match (first, found) {
            (Some((_, weight)), Some((mut cursor, copy))) if which == Place::WithNext => {
                if copy + 1 == weight {
                    cursor.step();
                }
                entry(&cursor)
            }
            _ => None,
        };
        [first, next].into_iter().flatten().map(|((_, value), _)| value)
    }

    /// The first entry of the group that has as many copies as any.
    pub(super) fn most_frequent(&self, group: u32) -> Option<&V> {
        let (start, end) = ((group, V::default()), (group + 1, V::default()));
        let most = self.index.summary((Bound::Included(&start), Bound::Excluded(&end))).most;
        if most <= 0 {
            return None;
        }
        let fewer = self.index.last_while_of(Bound::Included(&start), |copies| Most(copies.most), |so_far| so_far.0 < most);
        let from = fewer.map_or(Bound::Included(start), |(key, _)| Bound::Excluded(key.clone()));
        self.index.range((from, Bound::Unbounded)).next().map(|((_, value), _)| value)
    }

    /// The entries of the group that are there, with their numbers of copies.
    pub(super) fn of(&self, group: u32) -> impl Iterator<Item = (&V, i64)> {
        let range = (Bound::Included((group, V::default())), Bound::Excluded((group + 1, V::default())));
        self.index.range(range).filter(|(_, weight)| *weight > 0).map(|((_, value), weight)| (value, weight))
    }

    /// Removes all entries of `groups`, ascending.
    pub(super) fn remove_groups(&mut self, groups: &[u32]) {
        let mut gone = Vec::new();
        for &group in groups {
            let range = (Bound::Included((group, V::default())), Bound::Excluded((group + 1, V::default())));
            gone.extend(self.index.range(range).map(|(key, weight)| (key.clone(), weight.wrapping_neg())));
        }
        self.index.update_sorted(gone, |_, _, _| {});
    }

    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.index.memory_bytes()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_selected_is_what_a_list_has_there(
            changes in proptest::collection::vec((0..3u32, 0..200u64, 1..4i64), 0..600),
            removed in proptest::collection::vec(any::<prop::sample::Index>(), 0..300),
        ) {
            let mut entries = Entries::new();
            let mut list: Vec<(u32, u64)> = Vec::new();
            for &(group, value, copies) in &changes {
                entries.update(vec![((group, value), copies)], &mut |_, _| {});
                list.extend(std::iter::repeat_n((group, value), copies as usize));
            }
            for index in removed.into_iter().filter(|_| !changes.is_empty()) {
                if !list.is_empty() {
                    let gone = list.swap_remove(index.index(list.len()));
                    entries.update(vec![(gone, -1)], &mut |_, _| {});
                }
            }
            list.sort_unstable();
            for group in 0..3 {
                let own: Vec<u64> = list.iter().filter(|(other, _)| *other == group).map(|(_, value)| *value).collect();
                for place in 0..own.len() {
                    let pair: Vec<u64> = entries.select(group, place as i64, Place::WithNext).copied().collect();
                    prop_assert_eq!(pair.as_slice(), &own[place..(place + 2).min(own.len())]);
                    prop_assert_eq!(entries.select(group, place as i64, Place::Only).count(), 1);
                }
                prop_assert_eq!(entries.select(group, own.len() as i64, Place::Only).count(), 0);
                let copies = |value: u64| own.iter().filter(|other| **other == value).count();
                let most = own.iter().map(|&value| copies(value)).max();
                let expected = own.iter().find(|&&value| Some(copies(value)) == most);
                prop_assert_eq!(entries.most_frequent(group), expected);
                prop_assert_eq!(entries.of(group).map(|(_, weight)| weight).sum::<i64>() as usize, own.len());
            }
            entries.remove_groups(&[0, 2]);
            prop_assert_eq!(entries.of(0).count() + entries.of(2).count(), 0);
            prop_assert_eq!(entries.of(1).count(), entries.len());
        }
    }
}
