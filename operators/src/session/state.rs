//! [`State`]: events and sessions of all keys, and how an epoch changes them.
//!
//! A key with up to a few events is one short array ([`small`](super::small)); any other has its events and sessions in the ordered indexes that all
//! keys share. An input that never retracts has sessions and no events there.

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use deltic_zset::hash::hash_columns;
use deltic_zset::{EncodedRows, GroupTable, Result, RowLayout};

use super::clusters::{Change, Cluster, Delta, Epoch, cut_again, form};
use super::event::{Entry, Events};
use super::expiry::{Expiry, NO_TIMER};
use super::runs::Runs;
use super::sessions::{Session, Sessions};
use super::small::SmallEvent;
use crate::tally::Tally;

/// How much is known of a key: the first word of its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyState {
    /// Nothing: the key is new, or about to be removed.
    Empty,
    /// Its events are an array of this length.
    Few { first: u32, events: usize },
    /// Its events and this many sessions are in the indexes.
    Many { sessions: u32 },
}

impl KeyState {
    fn to_word(self) -> u64 {
        match self {
            KeyState::Empty => 0,
            KeyState::Few { first, events } => (events as u64) << 32 | (u64::from(first) + 1),
            KeyState::Many { sessions } => u64::from(sessions) << 32,
        }
    }

    fn from_word(word: u64) -> Self {
        match (word >> 32, word as u32) {
            (0, _) => KeyState::Empty,
            (sessions, 0) => KeyState::Many { sessions: sessions as u32 },
            (events, first) => KeyState::Few { first: first - 1, events: events as usize },
        }
    }
}

/// Where a payload has its [`KeyState`].
const STATE: usize = 0;
/// Where it has the end that a timer waits for, if sessions end at all.
const TIMER: usize = 1;

/// The events and sessions of one worker.
pub(super) struct State<T: Tally> {
    pub(super) gap: i64,
    /// The most sessions of a key.
    pub(super) most_sessions: Option<u64>,
    /// The keys, by number.
    pub(super) keys: GroupTable,
    /// `None` if the input never retracts.
    pub(super) events: Option<Events<T>>,
    pub(super) few: Runs<SmallEvent<T::Event>>,
    pub(super) sessions: Sessions<T>,
    pub(super) expiry: Option<Expiry>,
    layout: RowLayout,
    encoded: EncodedRows,
    hashes: Vec<u64>,
}

impl<T: Tally> State<T> {
    /// No events, of keys of these types.
    ///
    /// # Errors
    /// If a type cannot be stored.
    pub(super) fn try_new(
        types: &[DataType],
        gap: i64,
        most_sessions: Option<u64>,
        append_only: bool,
        expiry: Option<Expiry>,
    ) -> Result<Self> {
        let layout = RowLayout::try_new(types)?;
        Ok(State {
            gap,
            most_sessions,
            keys: GroupTable::new(layout.clone(), if expiry.is_some() { 2 } else { 1 }),
            events: (!append_only).then(Events::<T>::new),
            few: Runs::new(),
            sessions: Sessions::new(),
            expiry,
            layout,
            encoded: EncodedRows::new(),
            hashes: Vec::new(),
        })
    }

    /// Replaces `numbers` by the number of each key.
    pub(super) fn number_keys(&mut self, keys: &[ArrayRef], rows: usize, numbers: &mut Vec<u32>) {
        hash_columns(keys, rows, &mut self.hashes);
        if let Some(words) = self.layout.single_word(keys) {
            self.keys.upsert_words(words, &self.hashes, numbers);
        } else {
            self.layout.encode(keys, rows, &mut self.encoded);
            self.keys.upsert(&self.encoded, &self.hashes, numbers);
        }
    }

    pub(super) fn key_state(&self, key: u32) -> KeyState {
        KeyState::from_word(self.keys.payload(key)[STATE])
    }

    pub(super) fn set_key_state(&mut self, key: u32, state: KeyState) {
        self.keys.payload_mut(key)[STATE] = state.to_word();
    }

    /// The end that a timer of the key waits for, or [`NO_TIMER`].
    pub(super) fn timer(&self, key: u32) -> i64 {
        self.keys.payload(key)[TIMER] as i64 ^ NO_TIMER
    }

    pub(super) fn set_timer(&mut self, key: u32, end: i64) {
        // A new payload is zero, and says that there is no timer.
        self.keys.payload_mut(key)[TIMER] = (end ^ NO_TIMER) as u64;
    }

    /// Applies the changes of an epoch.
    pub(super) fn apply(&mut self, changes: Vec<Change<T>>) -> Epoch<T> {
        let mut epoch = Epoch::with_capacity(changes.len());
        if changes.is_empty() {
            return epoch;
        }
        let changes = net(changes, &mut epoch);
        let mut changes = self.apply_small(changes, &mut epoch);
        let small_clusters = epoch.clusters.len();
        let torn = form(&changes, epoch.deltas.len(), self.gap, &self.sessions, &mut epoch);
        if let Some(events) = &mut self.events {
            let deltas = &mut epoch.deltas;
            events.update_sorted(changes.drain(..), |entry, old, new| {
                if T::SHOWS_EVENTS {
                    deltas.push(Delta { entry: entry.clone(), old, new });
                }
            });
            cut_again(&torn, self.gap, events, &mut epoch);
        }
        for cluster in &epoch.clusters[small_clusters..] {
            let Cluster { olds, news, .. } = cluster;
            self.sessions.replace(&epoch.olds[olds.clone()], &epoch.records[olds.clone()], &epoch.news[news.clone()]);
        }
        self.sessions.commit();
        self.settle(&mut epoch, small_clusters);
        epoch
    }

    /// Counts the sessions of the changed keys, and sets their timers.
    fn settle(&mut self, epoch: &mut Epoch<T>, small_clusters: usize) {
        let (mut next, end) = (0, epoch.clusters.len());
        while next < end {
            let (first, key) = (next, epoch.clusters[next].key);
            next += epoch.clusters[first..end].iter().take_while(|cluster| cluster.key == key).count();
            let clusters = &epoch.clusters[first..next];
            let gone: usize = clusters.iter().map(|cluster| cluster.olds.len()).sum();
            let news: usize = clusters.iter().map(|cluster| cluster.news.len()).sum();
            let (mut before, mut after) = (gone, news);
            if first >= small_clusters {
                before = if let KeyState::Many { sessions } = self.key_state(key) { sessions as usize } else { 0 };
                after = before + news - gone;
                self.count_sessions(key, after);
            }
            self.expect_end(epoch, first..next);
            self.guard(epoch, first..next, before, after);
        }
    }

    /// Sets the state of a key whose sessions are in the index.
    pub(super) fn count_sessions(&mut self, key: u32, sessions: usize) {
        let sessions = u32::try_from(sessions).expect("each session has a record, of which there are fewer than 2^32");
        self.set_key_state(key, if sessions == 0 { KeyState::Empty } else { KeyState::Many { sessions } });
    }

    /// Removes those of the touched keys of which nothing is left. Their numbers will be others'.
    pub(super) fn forget_empty(&mut self, keys: &[u32]) {
        let empty: Vec<u32> = keys.iter().copied().filter(|&key| self.key_state(key) == KeyState::Empty).collect();
        self.keys.remove_all(&empty);
    }

    /// All sessions, in no particular order, of the keys that do not have too many.
    pub(super) fn shown_sessions(&self) -> Vec<Session<T>> {
        let mut sessions: Vec<Session<T>> =
            self.sessions.iter().filter(|session| !self.is_crowded(session.place.key())).collect();
        for key in self.keys.groups() {
            let first = sessions.len();
            self.cut_small(key, &mut sessions);
            if self.most_sessions.is_some_and(|most| (sessions.len() - first) as u64 > most) {
                sessions.truncate(first);
            }
        }
        sessions
    }

    /// Whether a key whose sessions are in the index has too many.
    pub(super) fn is_crowded(&self, key: u32) -> bool {
        let Some(most) = self.most_sessions else { return false };
        matches!(self.key_state(key), KeyState::Many { sessions } if u64::from(sessions) > most)
    }

    /// Events, or sessions of an input without retractions.
    pub(super) fn entries(&self) -> usize {
        self.events.as_ref().map_or(self.sessions.len(), Events::<T>::len) + self.few.elements()
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.keys.memory_bytes()
            + self.events.as_ref().map_or(0, Events::<T>::memory_bytes)
            + self.few.memory_bytes()
            + self.sessions.memory_bytes()
            + self.expiry.as_ref().map_or(0, Expiry::memory_bytes)
    }

    /// Sets the timer of a key to the end of its new sessions, if that is before what it waits for.
    fn expect_end(&mut self, epoch: &Epoch<T>, clusters: std::ops::Range<usize>) {
        if self.expiry.is_none() {
            return;
        }
        let key = epoch.clusters[clusters.start].key;
        let news = epoch.clusters[clusters].iter().flat_map(|cluster| &epoch.news[cluster.news.clone()]);
        let end = news.map(|session| session.last + self.gap).min().unwrap_or(NO_TIMER);
        if end < self.timer(key) {
            self.set_timer(key, end);
            if let Some(expiry) = &mut self.expiry {
                expiry.expect(key, end);
            }
            self.drop_stale_timers();
        }
    }
}

/// The net changes of an epoch, each event once, in order.
fn net<T: Tally>(mut changes: Vec<Change<T>>, epoch: &mut Epoch<T>) -> Vec<Change<T>> {
    changes.sort_unstable_by(|left, right| left.0.cmp(&right.0));
    changes.dedup_by(|next, kept| {
        let same = next.0 == kept.0;
        if same {
            kept.1 = kept.1.wrapping_add(next.1);
        }
        same
    });
    for (Entry { place, .. }, _) in &changes {
        if epoch.touched.last() != Some(&place.key()) {
            epoch.touched.push(place.key());
        }
    }
    changes.retain(|(entry, weight)| {
        if T::SHOWS_EVENTS && *weight == 0 {
            epoch.cancelled.push(entry.clone());
        }
        *weight != 0
    });
    changes
}
