//! Monoids that an [`OrderedIndex`](super::OrderedIndex) keeps per subtree.
//!
//! A summary is a homomorphism from runs of entries to a monoid: the summary of two neighbouring runs is the combination of
//! theirs, in order. It need not be commutative ([`Span`] is not: it knows its ends).

/// What an [`OrderedIndex`](super::OrderedIndex) knows about a run of entries without looking at them.
///
/// Laws, trusted: [`combine`](Summary::combine) is associative with [`identity`](Summary::identity) as its unit. Weights are
/// never zero; they may be negative for a while inside an epoch.
pub trait Summary<K>: Clone {
    /// The summary of no entries.
    fn identity() -> Self;

    /// The summary of one entry.
    fn of(key: &K, weight: i64) -> Self;

    /// The summary of the entries of `self` followed by those of `right`.
    fn combine(&self, right: &Self) -> Self;

    /// Becomes the [combination](Summary::combine) with `right`: to be given where a clone is dear.
    fn append(&mut self, right: &Self) {
        *self = self.combine(right);
    }

    /// The summary of some entries in key order: to be given where a loop over them is cheaper than combining one by one, since every leaf that
    /// is written to is summarised anew.
    fn of_entries(keys: &[K], weights: &[i64]) -> Self {
        keys.iter().zip(weights).fold(Self::identity(), |summary, (key, &weight)| summary.combine(&Self::of(key, weight)))
    }
}

/// A summary that knows the sum of the weights, which is what positions in the order are counted in.
pub trait Weighted {
    /// The sum of the weights (modulo 2^64).
    fn weight(&self) -> i64;
}

/// No summary: an index for neighbours and ranges only.
impl<K> Summary<K> for () {
    fn identity() -> Self {}

    fn of(_: &K, _: i64) -> Self {}

    fn combine(&self, (): &Self) -> Self {}
}

/// The sum of the weights: what rank and select need.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WeightCount(pub i64);

impl<K> Summary<K> for WeightCount {
    fn identity() -> Self {
        WeightCount(0)
    }

    fn of(_: &K, weight: i64) -> Self {
        WeightCount(weight)
    }

    fn combine(&self, right: &Self) -> Self {
        WeightCount(self.0.wrapping_add(right.0))
    }
}

impl Weighted for WeightCount {
    fn weight(&self) -> i64 {
        self.0
    }
}

/// Two summaries at once.
impl<K, A: Summary<K>, B: Summary<K>> Summary<K> for (A, B) {
    fn identity() -> Self {
        (A::identity(), B::identity())
    }

    fn of(key: &K, weight: i64) -> Self {
        (A::of(key, weight), B::of(key, weight))
    }

    fn combine(&self, right: &Self) -> Self {
        (self.0.combine(&right.0), self.1.combine(&right.1))
    }
}

/// Positions are counted in the first of the two.
impl<A: Weighted, B> Weighted for (A, B) {
    fn weight(&self) -> i64 {
        self.0.weight()
    }
}

/// A key that stands for an event: a time within a partition, and a value.
pub trait Event {
    /// The partition. Events of different partitions are infinitely far apart.
    fn partition(&self) -> u64 {
        0
    }

    /// The place in the order of the partition, in any unit. Must not decrease within a partition in key order.
    fn time(&self) -> i64;

    /// The value that [`Span`] sums and takes the extremes of.
    fn value(&self) -> i64;
}

/// The number is time and value.
impl Event for i64 {
    fn time(&self) -> i64 {
        *self
    }

    fn value(&self) -> i64 {
        *self
    }
}

/// `(time, value)`.
impl Event for (i64, i64) {
    fn time(&self) -> i64 {
        self.0
    }

    fn value(&self) -> i64 {
        self.1
    }
}

/// `(partition, time, value)`.
impl Event for (u64, i64, i64) {
    fn partition(&self) -> u64 {
        self.0
    }

    fn time(&self) -> i64 {
        self.1
    }

    fn value(&self) -> i64 {
        self.2
    }
}

/// Everything a session or a window frame over [`Event`]s asks for.
///
/// With [`OrderedIndex::last_while`](super::OrderedIndex::last_while) and `|span| span.max_gap() <= gap` it finds the end of a
/// session in O(log n).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    weight: i64,
    sum: i128,
    max_gap: u64,
    /// `None` for the summary of no entries.
    extent: Option<Extent>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Extent {
    min: i64,
    max: i64,
    /// `(partition, time)`
    first: (u64, i64),
    /// `(partition, time)`
    last: (u64, i64),
}

impl Span {
    /// The sum of `value x weight`.
    pub fn sum(&self) -> i128 {
        self.sum
    }

    /// The least value, if there is an entry.
    pub fn min(&self) -> Option<i64> {
        self.extent.as_ref().map(|extent| extent.min)
    }

    /// The greatest value, if there is an entry.
    pub fn max(&self) -> Option<i64> {
        self.extent.as_ref().map(|extent| extent.max)
    }

    /// The time of the first entry.
    pub fn first(&self) -> Option<i64> {
        self.extent.as_ref().map(|extent| extent.first.1)
    }

    /// The time of the last entry.
    pub fn last(&self) -> Option<i64> {
        self.extent.as_ref().map(|extent| extent.last.1)
    }

    /// The greatest distance between neighbouring events; `u64::MAX` if there are several partitions, 0 if there are fewer
    /// than two events.
    pub fn max_gap(&self) -> u64 {
        self.max_gap
    }
}

impl<K: Event> Summary<K> for Span {
    fn identity() -> Self {
        Span { weight: 0, sum: 0, max_gap: 0, extent: None }
    }

    fn of(key: &K, weight: i64) -> Self {
        let value = key.value();
        let place = (key.partition(), key.time());
        Span {
            weight,
            sum: i128::from(value) * i128::from(weight),
            max_gap: 0,
            extent: Some(Extent { min: value, max: value, first: place, last: place }),
        }
    }

    fn combine(&self, right: &Self) -> Self {
        let (Some(a), Some(b)) = (&self.extent, &right.extent) else {
            return if self.extent.is_none() { right.clone() } else { self.clone() };
        };
        let gap = if a.last.0 == b.first.0 { a.last.1.abs_diff(b.first.1) } else { u64::MAX };
        Span {
            weight: self.weight.wrapping_add(right.weight),
            sum: self.sum.wrapping_add(right.sum),
            max_gap: self.max_gap.max(right.max_gap).max(gap),
            extent: Some(Extent { min: a.min.min(b.min), max: a.max.max(b.max), first: a.first, last: b.last }),
        }
    }
}

impl Weighted for Span {
    fn weight(&self) -> i64 {
        self.weight
    }
}
