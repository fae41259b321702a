//! Keys with up to a few events: most keys of most tables.
//!
//! Their events are one short array and nothing else. Their sessions are found by looking at all of them, before a change and after it. A
//! key that gets too many for that moves to the indexes, and stays there until it is empty.

use super::clusters::{Change, Cluster, Delta, Epoch};
use super::event::{Entry, Place};
use super::runs::LONGEST;
use super::sessions::Session;
use super::state::{KeyState, State};
use crate::tally::Tally;

/// An event whose key is known.
#[derive(Clone, Default)]
pub(super) struct SmallEvent<E> {
    pub(super) time: i64,
    pub(super) weight: i64,
    pub(super) event: E,
}

/// More changes of one key than this are not tried as a few.
const MOST_CHANGES: usize = 2 * LONGEST;

impl<T: Tally> State<T> {
    /// Applies the changes of keys that have few events before and after. The others are returned, and their keys are in the indexes.
    pub(super) fn apply_small(&mut self, changes: Vec<Change<T>>, epoch: &mut Epoch<T>) -> Vec<Change<T>> {
        let mut left = Vec::new();
        let mut moved = Vec::new();
        let mut deltas = Vec::new();
        for run in changes.chunk_by(|left, right| left.0.place.key() == right.0.place.key()) {
            let key = run[0].0.place.key();
            let state = self.key_state(key);
            if matches!(state, KeyState::Many { .. }) || (state == KeyState::Empty && run.len() > MOST_CHANGES) {
                left.reserve(if left.is_empty() { changes.len() } else { 0 });
                left.extend_from_slice(run);
                continue;
            }
            self.take(key, state, &mut deltas);
            if run.len() <= MOST_CHANGES {
                change(&mut deltas, run);
                if deltas.iter().filter(|delta| delta.new != 0).count() <= LONGEST {
                    self.put(key, &deltas);
                    self.report(key, &mut deltas, epoch);
                    continue;
                }
            }
            self.move_to_index(key, &deltas, &mut moved);
            deltas.clear();
            left.extend_from_slice(run);
        }
        if let Some(events) = &mut self.events {
            events.update_sorted(moved, |_, _, _| ());
        }
        self.sessions.commit();
        left
    }

    /// Takes the events of a key out, as deltas that change nothing.
    fn take(&mut self, key: u32, state: KeyState, deltas: &mut Vec<Delta<T::Event>>) {
        if let KeyState::Few { first, events } = state {
            deltas.extend(self.few.remove(first, events).map(|SmallEvent { time, weight, event }| Delta {
                entry: Entry { place: Place::new(key, time), event },
                old: weight,
                new: weight,
            }));
        }
    }

    fn put(&mut self, key: u32, deltas: &[Delta<T::Event>]) {
        let mut few: Vec<SmallEvent<T::Event>> = Vec::with_capacity(LONGEST);
        for Delta { entry, new, .. } in deltas.iter().filter(|delta| delta.new != 0) {
            few.push(SmallEvent { time: entry.place.time(), weight: *new, event: entry.event.clone() });
        }
        let events = few.len();
        let state = match events {
            0 => KeyState::Empty,
            _ => KeyState::Few { first: self.few.insert(few.into_iter()), events },
        };
        self.set_key_state(key, state);
    }

    /// What has changed of the key, as one cluster.
    fn report(&mut self, key: u32, deltas: &mut Vec<Delta<T::Event>>, epoch: &mut Epoch<T>) {
        let (olds, news, first) = (epoch.olds.len(), epoch.news.len(), epoch.deltas.len());
        cut(deltas.iter().map(|delta| (&delta.entry, delta.old)), self.gap, &mut epoch.olds);
        cut(deltas.iter().map(|delta| (&delta.entry, delta.new)), self.gap, &mut epoch.news);
        epoch.records.resize(epoch.olds.len(), 0);
        if T::SHOWS_EVENTS {
            epoch.deltas.append(deltas);
        }
        deltas.clear();
        epoch.clusters.push(Cluster {
            key,
            deltas: first..epoch.deltas.len(),
            olds: olds..epoch.olds.len(),
            news: news..epoch.news.len(),
            is_whole: true,
            shown: [true; 2],
        });
    }

    fn move_to_index(&mut self, key: u32, deltas: &[Delta<T::Event>], moved: &mut Vec<Change<T>>) {
        let before = deltas.iter().filter(|delta| delta.old != 0);
        let mut sessions = Vec::new();
        cut(before.clone().map(|delta| (&delta.entry, delta.old)), self.gap, &mut sessions);
        moved.extend(before.map(|delta| (delta.entry.clone(), delta.old)));
        self.count_sessions(key, sessions.len());
        sessions.into_iter().for_each(|session| self.sessions.insert(session));
    }

    /// Appends the sessions of a key with few events; nothing for others.
    pub(super) fn cut_small(&self, key: u32, sessions: &mut Vec<Session<T>>) {
        let events: Vec<(Entry<T::Event>, i64)> = self.small_events(key).collect();
        cut(events.iter().map(|(entry, weight)| (entry, *weight)), self.gap, sessions);
    }

    /// The events of a key with few of them; none for others.
    pub(super) fn small_events(&self, key: u32) -> impl Iterator<Item = (Entry<T::Event>, i64)> {
        let numbers = match self.key_state(key) {
            KeyState::Few { first, events } => first..first + events as u32,
            _ => 0..0,
        };
        numbers.map(move |number| {
            let SmallEvent { time, weight, event } = self.few.get(number);
            (Entry { place: Place::new(key, *time), event: event.clone() }, *weight)
        })
    }

    /// Removes the sessions of a key with few events that end before `horizon`. Returns the end of the first one that is left.
    pub(super) fn expire_small(&mut self, key: u32, horizon: i64, forget: &mut impl FnMut(T::Event)) -> Option<i64> {
        let KeyState::Few { first, events } = self.key_state(key) else { return None };
        let last = self.few.get(first + events as u32 - 1).time;
        if last + self.gap < horizon {
            // The most common case: there is no session that ends later.
            self.few.remove(first, events).for_each(|event| forget(event.event));
            self.set_key_state(key, KeyState::Empty);
            return None;
        }
        let mut sessions = Vec::new();
        self.cut_small(key, &mut sessions);
        let live = sessions.into_iter().find(|session| session.last + self.gap >= horizon);
        let from = live.as_ref().map(|session| session.place.time());
        let mut deltas = Vec::new();
        self.take(key, self.key_state(key), &mut deltas);
        for delta in &mut deltas {
            if from.is_none_or(|from| delta.entry.place.time() < from) {
                delta.new = 0;
                forget(delta.entry.event.clone());
            }
        }
        self.put(key, &deltas);
        live.map(|session| session.last + self.gap)
    }
}

/// Adds sorted changes to sorted events.
fn change<T: Clone + Ord>(deltas: &mut Vec<Delta<T>>, changes: &[(Entry<T>, i64)]) {
    for (entry, weight) in changes {
        match deltas.binary_search_by(|delta| delta.entry.cmp(entry)) {
            Ok(at) => deltas[at].new = deltas[at].new.wrapping_add(*weight),
            Err(at) => deltas.insert(at, Delta { entry: entry.clone(), old: 0, new: *weight }),
        }
    }
}

/// Appends the sessions of some events of one key, in order; those without weight are not there.
fn cut<'a, T: Tally>(events: impl Iterator<Item = (&'a Entry<T::Event>, i64)>, gap: i64, sessions: &mut Vec<Session<T>>) {
    let first = sessions.len();
    for (Entry { place, event }, weight) in events.filter(|(_, weight)| *weight != 0) {
        let open = if sessions.len() > first { sessions.last_mut() } else { None };
        match open {
            Some(session) if place.time().wrapping_sub(session.last) as u64 <= gap as u64 => {
                session.last = place.time();
                session.tally.add(event, weight);
            }
            _ => {
                let mut tally = T::default();
                tally.add(event, weight);
                sessions.push(Session { place: *place, last: place.time(), tally });
            }
        }
    }
}
