//! [`Clock`]: where the time of an epoch comes from.
//!
//! Nothing in the engine asks the operating system for the time of day but this: the time of an epoch is read once, when it is sealed, and
//! goes with the epoch from then on. So a test that drives the clock by hand sees exactly what it means to see.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Where `now()` and processing time come from.
#[derive(Clone, Debug, Default)]
pub enum Clock {
    /// The clock of the machine.
    #[default]
    System,
    /// A clock that stands still until it is moved.
    Manual(ManualClock),
}

impl Clock {
    /// Microseconds since 1970-01-01 in UTC.
    pub fn now(&self) -> i64 {
        match self {
            Clock::System => match SystemTime::now().duration_since(UNIX_EPOCH) {
                Ok(since) => micros(since),
                Err(before) => -micros(before.duration()),
            },
            Clock::Manual(clock) => clock.now(),
        }
    }
}

impl From<ManualClock> for Clock {
    fn from(clock: ManualClock) -> Self {
        Clock::Manual(clock)
    }
}

/// A clock that is moved by hand, for tests and replays. Clones are one clock.
///
/// Moving it makes no epoch: the next one, whatever causes it, has the new time ([`Database::tick`](crate::Database::tick) makes one at once).
///
/// ```
/// use std::time::Duration;
///
/// let clock = deltic::ManualClock::new(0);
/// let db = deltic::Database::open(deltic::Config::in_memory().clock(clock.clone()))?;
/// clock.advance(Duration::from_secs(60));
/// db.tick()?;
/// # Ok::<(), deltic::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct ManualClock {
    micros: Arc<AtomicI64>,
}

impl ManualClock {
    /// A clock that shows `micros` microseconds since 1970-01-01 in UTC.
    pub fn new(micros: i64) -> Self {
        ManualClock { micros: Arc::new(AtomicI64::new(micros)) }
    }

    /// Microseconds since 1970-01-01 in UTC.
    pub fn now(&self) -> i64 {
        self.micros.load(Ordering::Acquire)
    }

    /// Moves it forward.
    pub fn advance(&self, by: Duration) {
        // The closure always answers with a new value.
        let _ = self.micros.fetch_update(Ordering::AcqRel, Ordering::Acquire, |now| Some(now.saturating_add(micros(by))));
    }

    /// Sets it. Set back, it stands still for a database that has seen a later time: the time of epochs never goes back.
    pub fn set(&self, micros: i64) {
        self.micros.store(micros, Ordering::Release);
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_of_a_manual_clock_are_one_clock() {
        let clock = ManualClock::new(-5);
        let other = Clock::from(clock.clone());
        clock.advance(Duration::from_micros(7));
        assert_eq!(other.now(), 2);
        clock.set(i64::MAX - 1);
        clock.advance(Duration::from_secs(1));
        assert_eq!(other.now(), i64::MAX);
    }

    #[test]
    fn the_system_clock_is_past_2020() {
        assert!(Clock::System.now() > 1_577_836_800_000_000);
    }
}
