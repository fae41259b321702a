//! [`Cluster`]: what an epoch changes together.
//!
//! The changed events of a key and the old sessions that they touch form clusters: chains with steps of at most the gap. What is in no cluster does not
//! change. Without a retraction, all of a cluster becomes one session, and its aggregates are those of the old sessions and
//! of the new events together: the index is not asked. With one the cluster is cut again after the events are applied: a run without
//! a wider gap is found in one descent, and its aggregates in another.

use std::ops::{Bound, Range};

use super::event::{Entry, Events, Place};
use super::sessions::{Session, Sessions};
use crate::WindowMetrics;
use crate::tally::Tally;

/// A changed event, with its weights before and after the epoch.
pub(super) struct Delta<E> {
    pub(super) entry: Entry<E>,
    pub(super) old: i64,
    pub(super) new: i64,
}

/// A chain of changed events and the sessions that they touch.
pub(super) struct Cluster {
    pub(super) key: u32,
    /// The changed events, in [`Epoch::deltas`], if events are shown.
    pub(super) deltas: Range<usize>,
    /// The sessions before, in [`Epoch::olds`].
    pub(super) olds: Range<usize>,
    /// The sessions after, in [`Epoch::news`].
    pub(super) news: Range<usize>,
    /// Whether the deltas are all events of the key, not only the changed ones.
    pub(super) is_whole: bool,
    /// Whether sessions of the key are shown before and after.
    pub(super) shown: [bool; 2],
}

/// What an epoch has changed.
pub(super) struct Epoch<T: Tally> {
    pub(super) deltas: Vec<Delta<T::Event>>,
    pub(super) clusters: Vec<Cluster>,
    pub(super) olds: Vec<Session<T>>,
    /// The numbers of the records of `olds`; 0 for those of keys with few events, which have none.
    pub(super) records: Vec<u32>,
    pub(super) news: Vec<Session<T>>,
    /// The keys of all changes, even of those that cancel out.
    pub(super) touched: Vec<u32>,
    /// Events whose changes cancel out, if events are shown.
    pub(super) cancelled: Vec<Entry<T::Event>>,
    /// Keys that got (1) or no longer have (-1) too many sessions.
    pub(super) crowded: Vec<(u32, i64)>,
}

impl<T: Tally> Epoch<T> {
    /// Nothing, with room for what some changes mostly need.
    pub(super) fn with_capacity(changes: usize) -> Self {
        Epoch {
            deltas: Vec::new(),
            clusters: Vec::with_capacity(changes),
            olds: Vec::with_capacity(changes),
            records: Vec::with_capacity(changes),
            news: Vec::with_capacity(changes),
            touched: Vec::with_capacity(changes),
            cancelled: Vec::new(),
            crowded: Vec::new(),
        }
    }

    /// Counts the sessions that were joined and split off.
    pub(super) fn count(&self, metrics: &mut WindowMetrics) {
        for Cluster { olds, news, .. } in &self.clusters {
            let (merges, splits) = merges_and_splits(&self.olds[olds.clone()], &self.news[news.clone()]);
            metrics.session_merges += merges;
            metrics.session_splits += splits;
        }
    }
}

/// A change of an event.
pub(super) type Change<T> = (Entry<<T as Tally>::Event>, i64);

/// From the first to the last time of a cluster, and whether something is retracted in it.
struct Extent {
    first: i64,
    last: i64,
    retracts: bool,
}

/// Forms the clusters of `changes`, which are sorted; those that retract nothing get their new session. The others are returned, to be
/// [cut](cut_again) when the changes are applied. The deltas of the changes will be in the epoch from `first_delta` on.
pub(super) fn form<T: Tally>(
    changes: &[Change<T>],
    first_delta: usize,
    gap: i64,
    sessions: &Sessions<T>,
    epoch: &mut Epoch<T>,
) -> Vec<Torn> {
    let mut torn = Vec::new();
    let mut cursor = sessions.cursor();
    let mut next = 0;
    while let Some((entry, _)) = changes.get(next) {
        let (key, time) = (entry.place.key(), entry.place.time());
        let olds = epoch.olds.len();
        let mut extent = Extent { first: time, last: time, retracts: false };
        cursor.seek(entry.place);
        // Sessions end at least the gap before the end of time, since each time has been checked.
        if let Some((session, record)) = cursor.before(key, time.saturating_sub(gap)) {
            extent.first = session.place.time();
            extent.last = session.last.max(time);
            epoch.olds.push(session);
            epoch.records.push(record);
        }
        let from = next;
        loop {
            let reach = extent.last.saturating_add(gap);
            if let Some((session, record)) = cursor.take(key, reach) {
                extent.last = session.last.max(extent.last);
                epoch.olds.push(session);
                epoch.records.push(record);
                continue;
            }
            match changes.get(next) {
                Some((entry, weight)) if entry.place.key() == key && entry.place.time() <= reach => {
                    extent.last = extent.last.max(entry.place.time());
                    extent.retracts |= *weight < 0;
                    next += 1;
                }
                _ => break,
            }
        }
        let news = epoch.news.len();
        if extent.retracts {
            let from = Place::new(key, extent.first);
            torn.push(Torn { cluster: epoch.clusters.len(), from, to: Place::new(key, extent.last) });
        } else {
            let merged = merged(Place::new(key, extent.first), extent.last, &epoch.olds[olds..], &changes[from..next]);
            epoch.news.push(merged);
        }
        epoch.clusters.push(Cluster {
            key,
            deltas: first_delta + from..first_delta + next,
            olds: olds..epoch.olds.len(),
            news: news..epoch.news.len(),
            is_whole: false,
            shown: [true; 2],
        });
    }
    torn
}

fn merged<T: Tally>(place: Place, last: i64, olds: &[Session<T>], changes: &[Change<T>]) -> Session<T> {
    let mut olds = olds.iter();
    let mut tally = olds.next().map_or_else(T::default, |old| old.tally.clone());
    olds.for_each(|old| tally.merge(&old.tally));
    changes.iter().for_each(|(entry, weight)| tally.add(&entry.event, *weight));
    Session { place, last, tally }
}

/// A cluster that must be cut again, and the places of its first and last event before.
pub(super) struct Torn {
    cluster: usize,
    from: Place,
    to: Place,
}

/// Finds the new sessions of torn clusters in the events.
pub(super) fn cut_again<T: Tally>(torn: &[Torn], gap: i64, events: &Events<T>, epoch: &mut Epoch<T>) {
    let gap = gap as u64;
    for Torn { cluster, from, to } in torn {
        let first_new = epoch.news.len();
        let mut from = Bound::Included(Entry::first_of(*from));
        while let Some((last, _)) = events.last_while_of(from.as_ref(), |span| span.reach, |reach| reach.widest_gap <= gap) {
            let span = events.summary((from.as_ref(), Bound::Included(last)));
            let last = last.clone();
            if span.reach.first > *to {
                break;
            }
            epoch.news.push(Session { place: span.reach.first, last: last.place.time(), tally: span.tally });
            if last.place >= *to {
                break;
            }
            from = Bound::Excluded(last);
        }
        epoch.clusters[*cluster].news = first_new..epoch.news.len();
    }
}

/// How many sessions were joined with an earlier one, and how many were split off.
fn merges_and_splits<T>(olds: &[Session<T>], news: &[Session<T>]) -> (u64, u64) {
    let overlaps = |a: &Session<T>, b: &Session<T>| a.place.time() <= b.last && b.place.time() <= a.last;
    let (mut merges, mut splits) = (0, 0);
    let (mut old, mut new) = (0, 0);
    // The overlaps of two ordered lists of intervals are a staircase: at each step the one that ends first is left.
    let (mut left_old, mut left_new) = (None, None);
    while let (Some(before), Some(after)) = (olds.get(old), news.get(new)) {
        if overlaps(before, after) {
            merges += u64::from(left_new == Some(new));
            splits += u64::from(left_old == Some(old));
            (left_old, left_new) = (Some(old), Some(new));
        }
        if before.last < after.last {
            old += 1;
        } else {
            new += 1;
        }
    }
    (merges, splits)
}
