//! Waiting without going to sleep at once.
//!
//! Waking a parked thread costs tens of microseconds, more than a whole small epoch; spinning costs a core. So a waiter spins for a short
//! while and then parks, and how long it spins adapts: while work keeps arriving within the limit the limit grows, when it does
//! not it shrinks, so an idle database costs nothing and a busy one answers in microseconds. After the first moments the spin yields the
//! core in between, so that more threads than cores still make progress.

use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, TryRecvError};

const SHORTEST: Duration = Duration::from_micros(20);
const LONGEST: Duration = Duration::from_micros(100);
/// Polls between two looks at the clock.
const POLLS: u32 = 32;

/// The adaptive spin of one thread.
pub(crate) struct Spin {
    limit: Duration,
}

impl Spin {
    pub(crate) fn new() -> Self {
        Spin { limit: LONGEST }
    }

    /// Polls until there is something or the limit has passed.
    pub(crate) fn poll<T>(&mut self, mut poll: impl FnMut() -> Option<T>) -> Option<T> {
        let started = Instant::now();
        loop {
            for _ in 0..POLLS {
                if let Some(found) = poll() {
                    self.limit = (self.limit * 2).min(LONGEST);
                    return Some(found);
                }
                std::hint::spin_loop();
            }
            if started.elapsed() > self.limit {
                self.limit = (self.limit / 2).max(SHORTEST);
                return None;
            }
            std::thread::yield_now();
        }
    }
}

/// The next message of `channel`, after a short spin if it is not there yet; `None` if all senders are gone.
pub(crate) fn receive<T>(channel: &Receiver<T>) -> Option<T> {
    let polled = Spin::new().poll(|| match channel.try_recv() {
        Ok(message) => Some(Some(message)),
        Err(TryRecvError::Disconnected) => Some(None),
        Err(TryRecvError::Empty) => None,
    });
    polled.unwrap_or_else(|| channel.recv().ok())
}
