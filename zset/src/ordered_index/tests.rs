//! The index against a `BTreeMap`, after histories that make it grow, split, run sparse, merge and lose levels.
//!
//! Two families. *Structure*: after every batch the whole tree is walked: order, bounds, every stored summary, no lost and
//! no leaked node, occupancy. *Answers*: every query is compared with a walk over the map. What they cannot catch is a cost
//! that is no longer logarithmic; the bench does.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::ops::Bound;
use std::rc::Rc;

use proptest::prelude::*;

use super::node::{FAN_OUT, LEAF};
use super::{Event, OrderedIndex, Span, Summary, WeightCount};

type Key = (i64, i64);
type Index = OrderedIndex<Key, Span>;
type Model = BTreeMap<Key, i64>;

impl<K: Ord + Clone + std::fmt::Debug, S: Summary<K> + PartialEq + std::fmt::Debug> OrderedIndex<K, S> {
    fn check(&self) {
        let (mut leaves, mut inners, mut entries) = (0, 0, 0);
        if !self.is_empty() {
            self.check_node(self.root, 0, None, None, &mut |leaf, size| {
                if leaf {
                    leaves += 1;
                    entries += size;
                } else {
                    inners += 1;
                }
            });
        }
        assert_eq!((leaves, inners, entries), (self.leaves.len(), self.inners.len(), self.len), "leaves, inner nodes, entries");
    }

    /// Checks a subtree whose keys must be in `low .. high`; returns its summary, combined anew from the entries.
    fn check_node(&self, node: u32, depth: usize, low: Option<&K>, high: Option<&K>, seen: &mut impl FnMut(bool, usize)) -> S {
        if depth == self.height {
            let leaf = &self.leaves[node];
            assert!(!leaf.keys.is_empty() && leaf.keys.len() == leaf.weights.len());
            assert!(leaf.keys.windows(2).all(|pair| pair[0] < pair[1]), "keys ascend");
            assert!(low.is_none_or(|low| low <= &leaf.keys[0]) && high.is_none_or(|high| leaf.keys.last().unwrap() < high));
            assert!(leaf.weights.iter().all(|&weight| weight != 0));
            seen(true, leaf.keys.len());
            return leaf.summary();
        }
        let inner = &self.inners[node];
        assert_eq!(usize::from(inner.level), self.height - depth);
        assert!(inner.len() > usize::from(depth == 0));
        seen(false, inner.len());
        let mut total = S::identity();
        for child in 0..inner.len() {
            let low = if child == 0 { low } else { Some(&inner.keys[child]) };
            let high = inner.keys.get(child + 1).or(high);
            let summary = self.check_node(inner.children[child], depth + 1, low, high, seen);
            assert_eq!(inner.summaries[child], summary, "summary of child {child} at depth {depth}");
            total = total.combine(&summary);
        }
        total
    }
}

/// A small generator, so that a long history is one seed in a failure report.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        ((u128::from(self.0 ^ (self.0 >> 29)) * u128::from(limit)) >> 64) as u64
    }
}

#[derive(Clone, Debug)]
enum Step {
    /// Ascending new keys.
    Append(u16),
    /// Descending new keys.
    Prepend(u16),
    /// `count` changes of random keys by -3..=3, in key order or not.
    Change { seed: u64, count: u16, sorted: bool },
    /// Removes every entry of a share of the key space but each `keep`th (none if 0).
    Thin { from: u8, to: u8, keep: u8 },
    /// One by one, removes random entries.
    Remove { seed: u64, count: u16 },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => (0u16..3000).prop_map(Step::Append),
        1 => (0u16..3000).prop_map(Step::Prepend),
        3 => (any::<u64>(), 0u16..2000, any::<bool>()).prop_map(|(seed, count, sorted)| Step::Change { seed, count, sorted }),
        2 => (any::<u8>(), any::<u8>(), 0u8..8).prop_map(|(from, to, keep)| Step::Thin { from, to, keep }),
        1 => (any::<u64>(), 0u16..500).prop_map(|(seed, count)| Step::Remove { seed, count }),
    ]
}

const SPACE: u64 = 20_000;

fn random_key(random: &mut Random) -> Key {
    let time = random.below(SPACE);
    ((time + time / 50 * 40) as i64, random.below(3) as i64)
}

fn run(step: &Step, index: &mut Index, model: &mut Model) {
    let changes: Vec<(Key, i64)> = match *step {
        Step::Append(count) => {
            let start = model.last_key_value().map_or(0, |(key, _)| key.0);
            (1..=i64::from(count)).map(|i| ((start + i, i % 7), 1)).collect()
        }
        Step::Prepend(count) => {
            let start = model.first_key_value().map_or(0, |(key, _)| key.0);
            (1..=i64::from(count)).map(|i| ((start - i, i % 7), 1)).collect()
        }
        Step::Change { seed, count, sorted } => {
            let mut random = Random(seed);
            let mut changes: Vec<_> = (0..count).map(|_| (random_key(&mut random), random.below(7) as i64 - 3)).collect();
            if sorted {
                changes.sort_unstable();
            }
            changes
        }
        Step::Thin { from, to, keep } => {
            let bound = |part: u8| (i64::from(part) * (SPACE as i64 * 2) / 255, 0);
            let (from, to) = (bound(from.min(to)), bound(from.max(to)));
            if keep == 0 {
                let mut removed = Vec::new();
                index.remove_range(from..=to, |key, weight| removed.push((*key, weight)));
                let expected: Vec<_> = model.extract_if(from..=to, |_, _| true).collect();
                assert_eq!(removed, expected);
                return;
            }
            let entries = model.range(from..=to).enumerate();
            entries.filter(|(number, _)| number % usize::from(keep) != 0).map(|(_, (key, weight))| (*key, -weight)).collect()
        }
        Step::Remove { seed, count } => {
            let mut random = Random(seed);
            for _ in 0..count {
                let from = random_key(&mut random);
                let Some((&key, &weight)) = model.range(from..).next() else { continue };
                assert_eq!(index.update(key, -weight), (weight, 0));
                model.remove(&key);
            }
            return;
        }
    };
    let mut observed = Vec::new();
    index.update_sorted(changes.iter().copied(), |key, old, new| observed.push((*key, old, new)));
    let expected: Vec<_> = changes
        .iter()
        .map(|&(key, delta)| {
            let old = model.get(&key).copied().unwrap_or(0);
            if old + delta == 0 {
                model.remove(&key);
            } else {
                model.insert(key, old + delta);
            }
            (key, old, old + delta)
        })
        .collect();
    assert_eq!(observed, expected);
}

fn entry<'a>(entry: Option<(&'a Key, &'a i64)>) -> Option<(&'a Key, i64)> {
    entry.map(|(key, weight)| (key, *weight))
}

fn span_of<'a>(entries: impl Iterator<Item = (&'a Key, &'a i64)>) -> Span {
    entries.fold(<Span as Summary<Key>>::identity(), |span, (key, &weight)| {
        <Span as Summary<Key>>::combine(&span, &<Span as Summary<Key>>::of(key, weight))
    })
}

fn check_answers(index: &Index, model: &Model, random: &mut Random) {
    let (a, b) = (random_key(random), random_key(random));
    let (low, high) = (a.min(b), a.max(b));
    assert_eq!(index.weight(&a), model.get(&a).copied().unwrap_or(0));
    for bound in [Bound::Included(&a), Bound::Excluded(&a), Bound::Unbounded] {
        let right = (bound, Bound::Unbounded);
        let left = (Bound::Unbounded, bound);
        assert_eq!(index.first_from(bound), entry(model.range::<Key, _>(right).next()));
        assert_eq!(index.last_to(bound), entry(model.range::<Key, _>(left).next_back()));
        // The end of a session in both directions.
        let gap = random.below(60);
        let within = |last: &mut Key, (key, weight): (&Key, &i64)| {
            let close = key.0.abs_diff(last.0) <= gap;
            *last = *key;
            close.then_some((*key, *weight))
        };
        let expected =
            model.range::<Key, _>(right).next().and_then(|(first, _)| model.range::<Key, _>(right).scan(*first, within).last());
        let found = index.last_while(bound, |span| span.max_gap() <= gap).map(|(key, weight)| (*key, weight));
        assert_eq!(found, expected);
        let found = index.last_while_of(bound, Span::clone, |span| span.max_gap() <= gap).map(|(key, weight)| (*key, weight));
        assert_eq!(found, expected);
        let expected = model
            .range::<Key, _>(left)
            .next_back()
            .and_then(|(last, _)| model.range::<Key, _>(left).rev().scan(*last, within).last());
        let found = index.first_while(bound, |span| span.max_gap() <= gap).map(|(key, weight)| (*key, weight));
        assert_eq!(found, expected);
    }
    assert_eq!(index.summary(low..high), span_of(model.range(low..high)));
    assert_eq!(index.summary(low..=high), span_of(model.range(low..=high)));
    assert_eq!(index.summary(..=low), span_of(model.range(..=low)));
    assert_eq!(index.summary(high..), span_of(model.range(high..)));
    assert!(index.range(low..high).eq(model.range(low..high).map(|(key, weight)| (key, *weight))));
    assert!(index.range(low..high).rev().eq(model.range(low..high).rev().map(|(key, weight)| (key, *weight))));
    index.prefetch([&a, &b, &low, &high]);
    let before = model.range(..a).map(|(_, weight)| weight).sum::<i64>();
    assert_eq!((index.rank(&a), index.rank_and_weight(&a)), (before, (before, index.weight(&a))));
    assert_eq!(index.cursor_at(&a).after(), entry(model.range(a..).next()));
    let mut cursor = index.cursor();
    for key in [low, high, a, b] {
        cursor.seek(&key);
        for expected in model.range(key..).take(3) {
            assert_eq!(cursor.after(), entry(Some(expected)));
            assert_eq!(cursor.before(), entry(model.range(..expected.0).next_back()));
            cursor.step();
        }
    }
}

#[test]
fn copies_are_counted_from_a_place_whatever_stands_before_it() {
    let mut index: OrderedIndex<i64, WeightCount> = OrderedIndex::new();
    index.update_sorted((0..500).map(|key| (key, if key < 100 { -7 } else { 2 })), |_, _, _| ());
    for n in 0..=800 {
        let found = index.cursor_at_copy_from(&100, n).map(|(cursor, copy)| (cursor.after(), copy));
        let key = 100 + n / 2;
        let there = index.range(key..=key).next();
        assert_eq!(found, (n < 800).then_some((there, n % 2)));
    }
}

/// Rank and select are each other's inverse; only for weights that are all positive.
fn check_positions(index: &Index, model: &Model, random: &mut Random) {
    let copies: Vec<(&Key, i64)> = model.iter().flat_map(|(key, &weight)| (0..weight).map(move |copy| (key, copy))).collect();
    for _ in 0..20 {
        let n = random.below(copies.len() as u64 + 1) as usize;
        assert_eq!(index.select(n as i64), copies.get(n).copied());
        let found = index.cursor_at_copy(n as i64).and_then(|(cursor, copy)| Some((cursor.after()?.0, copy)));
        assert_eq!(found, copies.get(n).copied());
        let start = random_key(random);
        let before = copies.partition_point(|(key, _)| **key < start);
        let offset = n as i64 - before as i64;
        assert_eq!(index.select_from(&start, offset), copies.get(n).copied());
        let found = index.cursor_at_copy_from(&start, offset).and_then(|(cursor, copy)| Some((cursor.after()?.0, copy)));
        assert_eq!(found, copies.get(n).copied().filter(|_| offset >= 0));
    }
    assert_eq!(index.select(-1), None);
    assert_eq!(index.select(i64::MAX), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_history_answers_like_a_map(steps in prop::collection::vec(step(), 1..12), seed in any::<u64>()) {
        let (mut index, mut model, mut random) = (Index::new(), Model::new(), Random(seed));
        for step in &steps {
            run(step, &mut index, &mut model);
            index.check();
            prop_assert_eq!(index.len(), model.len());
            for _ in 0..10 {
                check_answers(&index, &model, &mut random);
            }
        }
        let negative: Vec<_> = model.iter().filter(|(_, weight)| **weight < 0).map(|(key, weight)| (*key, -2 * weight)).collect();
        index.update_sorted(negative.iter().copied(), |_, _, _| ());
        model.values_mut().for_each(|weight| *weight = weight.abs());
        index.check();
        check_positions(&index, &model, &mut random);
        index.update_sorted(model.iter().map(|(key, weight)| (*key, -weight)), |_, _, _| ());
        index.check();
        prop_assert!(index.is_empty());
        prop_assert_eq!(index.memory_bytes(), 0);
    }
}

#[test]
fn nothing_is_found_in_an_empty_index() {
    let mut index = Index::new();
    assert_eq!(index.update((1, 1), 0), (0, 0));
    assert!(index.is_empty() && index.first_from(Bound::Unbounded).is_none() && index.last_to(Bound::Unbounded).is_none());
    assert!(index.select(0).is_none() && index.range(..).next().is_none() && index.range(..).next_back().is_none());
    assert!(index.last_while(Bound::Unbounded, |_| true).is_none() && index.first_while(Bound::Unbounded, |_| true).is_none());
    assert_eq!(index.rank(&(0, 0)), 0);
    index.check();
}

#[test]
fn a_weight_may_be_negative_for_a_while() {
    let mut index = Index::new();
    assert_eq!(index.update((5, 0), -2), (0, -2));
    assert_eq!(index.summary(..).sum(), 0);
    assert_eq!(index.weight(&(5, 0)), -2);
    assert_eq!(index.update((5, 0), 3), (-2, 1));
    assert_eq!(index.update((5, 0), 0), (1, 1));
    assert_eq!(index.update((5, 0), -1), (1, 0));
    assert_eq!(index.memory_bytes(), 0);
}

#[test]
fn an_overflow_wraps_and_comes_back() {
    let mut index: OrderedIndex<i64, WeightCount> = OrderedIndex::new();
    index.update(1, i64::MAX);
    assert_eq!(index.update(1, 1), (i64::MAX, i64::MIN));
    assert_eq!(index.update(1, -1), (i64::MIN, i64::MAX));
}

#[test]
fn reversed_bounds_hold_nothing() {
    let mut index = Index::new();
    index.update((1, 0), 1);
    let after = (Bound::Excluded((1, 0)), Bound::Included((1, 0)));
    assert_eq!(index.range(after).count(), 0);
    #[allow(clippy::reversed_empty_ranges)]
    let reversed = (3, 0)..(1, 0);
    assert_eq!(index.range(reversed.clone()).count(), 0);
    assert_eq!(index.summary(reversed).first(), None);
}

#[test]
fn a_range_is_read_from_both_ends_until_they_meet() {
    let mut index: OrderedIndex<i64, ()> = OrderedIndex::new();
    index.update_sorted((0..200).map(|key| (key, 1)), |_, _, _| ());
    let mut range = index.range(10..190);
    let (mut low, mut high) = (10, 190);
    while let (Some(front), Some(back)) = (range.next(), range.next_back()) {
        high -= 1;
        assert_eq!((*front.0, *back.0), (low, high));
        low += 1;
    }
    assert_eq!(low, high);
}

#[test]
fn ascending_keys_fill_their_nodes() {
    let mut index: OrderedIndex<i64, WeightCount> = OrderedIndex::new();
    for key in 0..100_000 {
        index.update(key, 1);
    }
    assert!(index.leaves.len() <= 100_000 / LEAF + 2);
    assert!(index.inners.len() <= 100_000 / LEAF / (FAN_OUT - 1) + 5);
    let mut partitions: OrderedIndex<(u64, i64, i64), Span> = OrderedIndex::new();
    for time in 0..2_000 {
        for partition in 0..50 {
            partitions.update((partition, time, 0), 1);
        }
    }
    assert!(
        partitions.leaves.len() <= 100_000 / LEAF * 11 / 10,
        "the ends of partitions fill as well: {}",
        partitions.leaves.len()
    );
    partitions.check();
    let start = (7, 100, 0);
    assert_eq!(partitions.last_while(Bound::Included(&start), |span| span.max_gap() <= 1), Some((&(7, 1999, 0), 1)));
    assert_eq!(partitions.first_while(Bound::Included(&start), |span| span.max_gap() <= 1), Some((&(7, 0, 0), 1)));
}

/// The first bound of an inner node is not looked at, so it may be too high; when the node is merged into its left neighbour
/// it becomes one that counts.
#[test]
fn a_merged_node_takes_its_bound_from_the_parent() {
    let width = (LEAF * FAN_OUT) as i64;
    let mut index: OrderedIndex<i64, WeightCount> = OrderedIndex::new();
    index.update_sorted((0..4 * width).map(|key| (key, 1)), |_, _, _| ());
    // The first leaf of the second inner node goes, and a key of its range comes back into the leaf after it.
    let first_leaf = width..width + LEAF as i64;
    index.update_sorted(first_leaf.map(|key| (key, -1)), |_, _, _| ());
    index.update(width + 1, 1);
    let removed = (0..width - 100).chain(width + 200..2 * width);
    for key in removed {
        index.update(key, -1);
    }
    index.check();
    assert_eq!(index.weight(&(width + 1)), 1);
}

#[test]
fn memory_follows_the_entries() {
    let mut index: OrderedIndex<i64, WeightCount> = OrderedIndex::new();
    index.update_sorted((0..200_000).map(|key| (key * 7919 % 200_000, 1)), |_, _, _| ());
    let full = index.memory_bytes();
    for key in 0..200_000 {
        if key % 20 != 0 {
            index.update(key, -1);
        }
    }
    index.check();
    assert_eq!(index.len(), 10_000);
    assert!(index.memory_bytes() * 8 < full, "{} of {full} bytes for a twentieth of the entries", index.memory_bytes());
}

#[test]
fn keys_are_dropped_with_their_entries() {
    let witness = Rc::new(0i64);
    let keys: Vec<Rc<i64>> = (0..5_000).map(Rc::new).collect();
    let mut index: OrderedIndex<(Rc<i64>, Rc<i64>), ()> = OrderedIndex::new();
    index.update_sorted(keys.iter().map(|key| ((key.clone(), witness.clone()), 1)), |_, _, _| ());
    assert!(Rc::strong_count(&witness) > 5_000);
    for key in keys.iter().rev().step_by(2) {
        index.update((key.clone(), witness.clone()), -1);
    }
    index.check();
    drop(index);
    assert_eq!(Rc::strong_count(&witness), 1);
    assert!(keys.iter().all(|key| Rc::strong_count(key) == 1));
}

#[test]
fn spans_of_different_partitions_are_far_apart() {
    let of = |key: (u64, i64, i64)| <Span as Summary<(u64, i64, i64)>>::of(&key, 2);
    let together = <Span as Summary<(u64, i64, i64)>>::combine(&of((1, i64::MIN, 3)), &of((1, i64::MAX, -4)));
    assert_eq!((together.max_gap(), together.sum(), together.min(), together.max()), (u64::MAX, -2, Some(-4), Some(3)));
    let apart = <Span as Summary<(u64, i64, i64)>>::combine(&of((1, 5, 0)), &of((2, 5, 0)));
    assert_eq!((apart.max_gap(), apart.first(), apart.last()), (u64::MAX, Some(5), Some(5)));
    assert_eq!((7i64.partition(), 7i64.time(), (7i64, 8i64).value()), (0, 7, 8));
}
