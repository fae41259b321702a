//! [`Expiry`]: sessions that no accepted row can touch any more leave the state, without output.
//!
//! Each key has one timer: it waits for a time that is not after the end of the key's first session. When the horizon has
//! passed it, the sessions that have ended are removed from the first on, and the timer is set to the end of the one that is left. A
//! timer that comes too early, because its session has grown since, is set again; it has changed rows to blame for that. So an epoch
//! costs what ends in it, and nothing for what is open.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use deltic_circuit::EpochInfo;

use super::event::{Entry, Place};
use super::state::{KeyState, State};
use crate::Horizon;
use crate::tally::Tally;

/// The time that no horizon passes.
pub(super) const NO_TIMER: i64 = i64::MAX;

/// Keys whose ended sessions are removed together.
const BATCH: usize = 1 << 12;

/// Stale timers that are not worth dropping.
const FEW_TIMERS: usize = 1 << 12;

/// The timers of all keys.
pub(super) struct Expiry {
    horizon: Horizon,
    /// Times and keys. A key has no more than one that its payload knows of; others are stale, and ignored.
    timers: BinaryHeap<Reverse<(i64, u32)>>,
}

impl Expiry {
    /// No timers.
    pub(super) fn new(horizon: Horizon) -> Self {
        Expiry { horizon, timers: BinaryHeap::new() }
    }

    /// Takes the watermarks of an epoch.
    pub(super) fn observe(&mut self, info: &EpochInfo) {
        self.horizon.observe(info);
    }

    /// Sets a timer.
    pub(super) fn expect(&mut self, key: u32, end: i64) {
        self.timers.push(Reverse((end, key)));
    }

    /// Takes the timers before the horizon, by key.
    fn due(&mut self, horizon: i64) -> Vec<(u32, i64)> {
        let mut due = Vec::new();
        // To take a timer out of many is a walk from the first to the last, a cache miss for each step: one look at all of them costs less than a share of them
        // one by one.
        let one_by_one = FEW_TIMERS.max(self.timers.len() / 16);
        while let Some(Reverse((end, key))) = self.timers.peek()
            && *end < horizon
        {
            if due.len() >= one_by_one {
                let mut timers = std::mem::take(&mut self.timers).into_vec();
                due.extend(timers.iter().filter(|Reverse((end, _))| *end < horizon).map(|Reverse((end, key))| (*key, *end)));
                timers.retain(|Reverse((end, _))| *end >= horizon);
                timers.shrink_to(2 * timers.len());
                self.timers = timers.into();
                break;
            }
            due.push((*key, *end));
            self.timers.pop();
        }
        if self.timers.is_empty() {
            self.timers = BinaryHeap::new();
        }
        // Keys that came one after the other are beside one another.
        due.sort_unstable();
        due
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.timers.capacity() * size_of::<Reverse<(i64, u32)>>()
    }
}

impl<T: Tally> State<T> {
    /// Drops stale timers if they are most of all: a key that comes and goes leaves one each time, and the watermark may stand still.
    pub(super) fn drop_stale_timers(&mut self) {
        let Some(expiry) = &mut self.expiry else { return };
        if expiry.timers.len() <= 2 * self.keys.len() + FEW_TIMERS {
            return;
        }
        let mut timers = std::mem::take(&mut expiry.timers).into_vec();
        timers.sort_unstable();
        timers.dedup();
        timers.retain(|Reverse((end, key))| self.keys.contains(*key) && self.timer(*key) == *end);
        timers.shrink_to(2 * timers.len());
        if let Some(expiry) = &mut self.expiry {
            expiry.timers = timers.into();
        }
    }

    /// Removes all sessions that end before the horizon; `forget` sees their events.
    pub(super) fn expire(&mut self, mut forget: impl FnMut(T::Event)) {
        let Some(horizon) = self.expiry.as_ref().and_then(|expiry| expiry.horizon.least()) else { return };
        let due = self.expiry.as_mut().map(|expiry| expiry.due(horizon)).unwrap_or_default();
        // What they are set to is not before the horizon.
        due.chunks(BATCH).for_each(|due| self.expire_keys(due, horizon, &mut forget));
    }

    fn expire_keys(&mut self, due: &[(u32, i64)], horizon: i64, forget: &mut impl FnMut(T::Event)) {
        let mut ended: Vec<(Place, i64)> = Vec::new();
        let mut touched = Vec::with_capacity(due.len());
        for &(key, timer) in due {
            // The key may have gone, and its number may be another's, or its timer may have been set to an earlier time.
            if !self.keys.contains(key) || self.timer(key) != timer {
                continue;
            }
            let first = ended.len();
            let next = match self.key_state(key) {
                KeyState::Empty => None,
                KeyState::Few { .. } => self.expire_small(key, horizon, forget),
                KeyState::Many { sessions } => {
                    let gap = self.gap;
                    let left = self.sessions.remove_first(key, |last| last + gap < horizon, &mut ended);
                    self.count_sessions(key, sessions as usize - (ended.len() - first));
                    left.map(|last| last + gap)
                }
            };
            let next = next.unwrap_or(NO_TIMER);
            self.set_timer(key, next);
            match &mut self.expiry {
                Some(expiry) if next != NO_TIMER => expiry.expect(key, next),
                _ => touched.push(key),
            }
        }
        self.sessions.commit();
        self.remove_events(&ended, forget);
        self.forget_empty(&touched);
    }

    /// Removes the events of sessions with these bounds, which are in order.
    fn remove_events(&mut self, ended: &[(Place, i64)], forget: &mut impl FnMut(T::Event)) {
        let Some(events) = &mut self.events else { return };
        for &(start, last) in ended {
            let behind = Place::new(start.key(), last).next();
            let gone = Entry::first_of(start)..Entry::first_of(behind);
            events.remove_range(gone, |entry, _| forget(entry.event.clone()));
        }
    }
}
