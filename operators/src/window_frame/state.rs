//! The rows of all partitions in one ordered index, with what window functions ask of a range of them.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::Bound;

use deltic_zset::{Cursor, OrderedIndex, Summary, WeightCount, Weighted};

use crate::row_key::RowKey;
use crate::tally::{Results, Tally};

/// The greatest weight in the index. The sums of a billion such weights fit 64 bits twice over.
const CAP: i128 = 1 << 31;

/// A row, and what the aggregates need of it.
#[derive(Clone)]
pub(super) struct Entry<E> {
    pub(super) key: RowKey,
    pub(super) event: E,
}

impl<E: Default> Entry<E> {
    /// A place in the order.
    pub(super) fn place(key: RowKey) -> Self {
        Entry { key, event: E::default() }
    }
}

impl<E> PartialEq for Entry<E> {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl<E> Eq for Entry<E> {}

impl<E> PartialOrd for Entry<E> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> Ord for Entry<E> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key.cmp(&other.key)
    }
}

/// The tally of a range of rows.
#[derive(Clone)]
pub(super) struct Sum<T>(pub(super) T);

impl<T: Tally> Summary<Entry<T::Event>> for Sum<T> {
    fn identity() -> Self {
        Sum(T::default())
    }

    fn of(entry: &Entry<T::Event>, weight: i64) -> Self {
        let mut tally = T::default();
        tally.add(&entry.event, weight);
        Sum(tally)
    }

    fn combine(&self, right: &Self) -> Self {
        let mut sum = self.clone();
        sum.append(right);
        sum
    }

    fn append(&mut self, right: &Self) {
        self.0.merge(&right.0);
    }

    fn of_entries(entries: &[Entry<T::Event>], weights: &[i64]) -> Self {
        let mut tally = T::default();
        entries.iter().zip(weights).for_each(|(entry, &weight)| tally.add(&entry.event, weight));
        Sum(tally)
    }
}

impl<T: Results> Weighted for Sum<T> {
    fn weight(&self) -> i64 {
        self.0.total() as i64
    }
}

/// Rows in order, with their numbers of copies.
pub(super) type Rows<T> = OrderedIndex<Entry<<T as Tally>::Event>, Sum<T>>;

/// A place among them.
pub(super) type RowCursor<'a, T> = Cursor<'a, Entry<<T as Tally>::Event>, Sum<T>>;

/// The groups of peers that have rows, each with weight 1, by the bytes that their rows begin with.
pub(super) type Groups = OrderedIndex<RowKey, WeightCount>;

/// A row that an epoch changes.
pub(super) struct Change<T: Tally> {
    pub(super) entry: Entry<T::Event>,
    /// By how many copies it grows.
    pub(super) delta: i64,
    /// Its copies before.
    pub(super) copies: i64,
    /// The copies of all rows before it, then.
    rank: i64,
}

/// What the operator remembers.
pub(super) struct State<T: Results> {
    pub(super) rows: Rows<T>,
    /// If they are asked for.
    pub(super) groups: Option<Groups>,
    /// The true weights of rows whose weight is not in `0 ..= CAP`.
    uncut: BTreeMap<RowKey, i128>,
    pub(super) key_bytes: usize,
}

impl<T: Results> State<T> {
    pub(super) fn new(groups: bool) -> Self {
        State { rows: Rows::<T>::new(), groups: groups.then(Groups::new), uncut: BTreeMap::new(), key_bytes: 0 }
    }

    /// The changes of an epoch by row, each row once, ascending, by how much the weight in the index is to grow. Rows that become or cease to be negative are
    /// added to `negative`.
    pub(super) fn changes(
        &mut self,
        mut pending: Vec<(Entry<T::Event>, i64)>,
        negative: &mut Vec<(RowKey, i64)>,
    ) -> Vec<Change<T>> {
        pending.sort_unstable_by(|left, right| left.0.cmp(&right.0));
        self.rows.prefetch(pending.iter().map(|(entry, _)| entry));
        let mut changes = Vec::with_capacity(pending.len());
        let mut rows = pending.into_iter().peekable();
        while let Some((entry, weight)) = rows.next() {
            let mut sum = i128::from(weight);
            while let Some((_, weight)) = rows.next_if(|(next, _)| *next == entry) {
                sum += i128::from(weight);
            }
            if sum != 0 {
                changes.extend(self.change(entry, sum, negative));
            }
        }
        changes
    }

    fn change(&mut self, entry: Entry<T::Event>, sum: i128, negative: &mut Vec<(RowKey, i64)>) -> Option<Change<T>> {
        let (rank, copies) = self.rows.rank_and_weight(&entry);
        let before = self.uncut.get(&entry.key).copied().unwrap_or_else(|| i128::from(copies));
        let after = before + sum;
        if (0..=CAP).contains(&after) {
            self.uncut.remove(&entry.key);
        } else {
            self.uncut.insert(entry.key.clone(), after);
        }
        if (before < 0) != (after < 0) {
            negative.push((entry.key.clone(), if after < 0 { 1 } else { -1 }));
        }
        let delta = after.clamp(0, CAP) as i64 - copies;
        (delta != 0).then_some(Change { entry, delta, copies, rank })
    }

    /// Applies changes, which are ascending.
    pub(super) fn apply(&mut self, changes: &[Change<T>]) {
        let key_bytes = &mut self.key_bytes;
        let deltas = changes.iter().map(|change| (change.entry.clone(), change.delta));
        self.rows.update_sorted(deltas, |entry, before, after| {
            if before == 0 {
                *key_bytes += entry.key.memory_bytes();
            } else if after == 0 {
                *key_bytes -= entry.key.memory_bytes();
            }
        });
        let Some(groups) = &mut self.groups else { return };
        for peers in changes.chunk_by(|left, right| left.entry.key.peers() == right.entry.key.peers()) {
            let group = RowKey::start_of(peers[0].entry.key.peers());
            let first = Entry::place(group);
            let is = self.rows.first_from(Bound::Included(&first)).is_some_and(|(row, _)| row.key.peers() == first.key.bytes());
            let was = groups.weight(&first.key) != 0;
            if is != was {
                groups.update(first.key, i64::from(is) - i64::from(was));
            }
        }
    }

    /// Forgets the partition that begins at a place.
    pub(super) fn drop_partition(&mut self, start: RowKey) {
        let place = Entry::place(start);
        let start = &place.key;
        let rows = self.rows.range((Bound::Included(&place), Bound::Unbounded));
        let rows = rows.take_while(|(row, _)| start.same_partition(&row.key));
        let gone: Vec<(Entry<T::Event>, i64)> = rows.map(|(row, copies)| (row.clone(), -copies)).collect();
        self.key_bytes -= gone.iter().map(|(row, _)| row.key.memory_bytes()).sum::<usize>();
        self.rows.update_sorted(gone, |_, _, _| {});
        if let Some(groups) = &mut self.groups {
            let ended = groups.range((Bound::Included(start), Bound::Unbounded));
            let ended: Vec<RowKey> =
                ended.map(|(group, _)| group.clone()).take_while(|group| start.same_partition(group)).collect();
            groups.update_sorted(ended.into_iter().map(|group| (group, -1)), |_, _, _| {});
        }
        let uncut = self.uncut.range(start.clone()..).map(|(row, _)| row.clone());
        let uncut: Vec<RowKey> = uncut.take_while(|row| start.same_partition(row)).collect();
        uncut.iter().for_each(|row| _ = self.uncut.remove(row));
    }

    /// The memory in bytes.
    pub(super) fn memory_bytes(&self) -> usize {
        self.rows.memory_bytes() + self.key_bytes + self.groups.as_ref().map_or(0, Groups::memory_bytes)
    }
}

/// One partition at one moment. Positions count copies from its first row.
pub(super) struct View<'a, T: Results> {
    pub(super) rows: &'a Rows<T>,
    groups: Option<&'a Groups>,
    /// The copies before the partition.
    base: i64,
    /// Its copies.
    pub(super) len: i64,
    /// The groups before it, and its own.
    group_base: i64,
    pub(super) group_count: i64,
    pub(super) start: RowKey,
}

impl<'a, T: Results> View<'a, T> {
    /// The partition of `member`.
    pub(super) fn new(state: &'a State<T>, member: &RowKey) -> Self {
        let start = member.partition_start();
        let rows = &state.rows;
        let place = Entry::place(start);
        let base = rows.rank(&place);
        let start = place.key;
        let end = member.partition_end();
        let groups = state.groups.as_ref();
        let group_base = groups.map_or(0, |groups| groups.rank(&start));
        let group_end = |groups: &Groups| match &end {
            Some(end) => groups.rank(end),
            None => groups.summary(..).weight(),
        };
        let group_count = groups.map_or(0, group_end) - group_base;
        let end = match end {
            Some(end) => rows.rank(&Entry::place(end)),
            None => rows.summary(..).weight(),
        };
        View { rows, groups, base, len: end - base, group_base, group_count, start }
    }

    /// A cursor before the first row at or behind a place of the partition, and how many copies stand before it.
    pub(super) fn seek(&self, place: &Entry<T::Event>) -> (RowCursor<'a, T>, i64) {
        let (cursor, rank) = self.rows.cursor_and_rank(place);
        (cursor, rank - self.base)
    }

    /// Whether a row, be it of another partition, has several copies.
    pub(super) fn has_copies(&self) -> bool {
        self.rows.summary(..).weight() != self.rows.len() as i64
    }

    /// The copies of a row.
    pub(super) fn copies(&self, row: &Entry<T::Event>) -> i64 {
        self.rows.weight(row)
    }

    /// How many copies stand before a place of the partition.
    pub(super) fn rank(&self, place: RowKey) -> i64 {
        self.rows.rank(&Entry::place(place)) - self.base
    }

    /// As [`View::rank`], for a place that is behind all rows if it is `None`.
    pub(super) fn rank_of_end(&self, place: Option<RowKey>) -> i64 {
        place.map_or(self.len, |place| self.rank(place))
    }

    /// The position of a changed row before the epoch.
    pub(super) fn position(&self, change: &Change<T>) -> i64 {
        change.rank - self.base
    }

    /// A cursor before the row at a position, and how many of its copies stand before.
    pub(super) fn cursor_at(&self, position: i64) -> Option<(RowCursor<'a, T>, i64)> {
        if (0..self.len).contains(&position) { self.rows.cursor_at_copy(self.base + position) } else { None }
    }

    /// The row at a position, and how many of its copies stand before.
    pub(super) fn at(&self, position: i64) -> Option<(&'a Entry<T::Event>, i64)> {
        if (0..self.len).contains(&position) { self.rows.select(self.base + position) } else { None }
    }

    /// The tally of the rows at some positions.
    pub(super) fn tally(&self, from: i64, to: i64) -> T {
        let mut tally = T::default();
        let (from, to) = (from.max(0), to.min(self.len));
        let (Some((first, skipped)), Some((last, before))) = (self.at(from), self.at(to - 1)) else { return tally };
        if from >= to {
            return tally;
        }
        if first == last {
            tally.add(&first.event, to - from);
            return tally;
        }
        if skipped > 0 {
            tally.add(&first.event, self.rows.weight(first) - skipped);
        }
        let start = if skipped > 0 { Bound::Excluded(first) } else { Bound::Included(first) };
        tally.merge(&self.rows.summary((start, Bound::Excluded(last))).0);
        tally.add(&last.event, before + 1);
        tally
    }

    /// The position of the first row of a group, or that behind the last row.
    pub(super) fn group_start(&self, group: i64) -> i64 {
        if group <= 0 {
            return 0;
        }
        let found = self.groups.filter(|_| group < self.group_count).and_then(|groups| groups.select(self.group_base + group));
        found.map_or(self.len, |(place, _)| self.rank(place.clone()))
    }

    /// How many groups stand before the one of `row`.
    pub(super) fn group_of(&self, row: &RowKey) -> i64 {
        self.groups.map_or(0, |groups| groups.rank(&RowKey::start_of(row.peers())) - self.group_base)
    }

    /// The row of which it holds first that with it more than `passed` values of a stream have been counted since the start of the partition.
    pub(super) fn with_value(&self, stream: usize, passed: i64) -> Option<&'a Entry<T::Event>> {
        let start = Entry::place(self.start.clone());
        let before = self.rows.last_while(Bound::Included(&start), |sum| sum.0.count(stream) <= i128::from(passed));
        let from = before.map_or(Bound::Included(&start), |(row, _)| Bound::Excluded(row));
        self.rows.first_from(from).map(|(row, _)| row).filter(|row| self.start.same_partition(&row.key))
    }
}
