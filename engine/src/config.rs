//! [`Config`]: how a database runs.

use std::time::Duration;

use crate::error::{Error, Result};
use crate::time::Clock;

/// What happens to a commit for which a source's ingest queue has no room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OverflowPolicy {
    /// The writer waits.
    #[default]
    Block,
    /// The commit is thrown away, whole, and counted.
    Drop,
    /// The commit is refused with an error.
    Error,
}

impl From<deltic_sql::OverflowPolicy> for OverflowPolicy {
    fn from(policy: deltic_sql::OverflowPolicy) -> Self {
        match policy {
            deltic_sql::OverflowPolicy::Block => OverflowPolicy::Block,
            deltic_sql::OverflowPolicy::Drop => OverflowPolicy::Drop,
            deltic_sql::OverflowPolicy::Error => OverflowPolicy::Error,
        }
    }
}

/// How a database runs. Start from [`Config::in_memory`].
///
/// ```
/// let config = deltic::Config::in_memory().workers(2).in_flight_epochs(4);
/// assert!(deltic::Database::open(config).is_ok());
/// ```
#[derive(Clone, Debug)]
pub struct Config {
    pub(crate) workers: usize,
    pub(crate) pin_workers: bool,
    pub(crate) in_flight_epochs: usize,
    pub(crate) queue_rows: usize,
    pub(crate) queue_bytes: usize,
    pub(crate) overflow: OverflowPolicy,
    pub(crate) subscription_epochs: usize,
    pub(crate) clock: Clock,
    pub(crate) tick_interval: Duration,
}

impl Config {
    /// A database that lives in memory and ends with its last handle: one worker, 8 epochs in flight, ingest queues of one million rows or
    /// 256 MiB per source that block when they are full.
    pub fn in_memory() -> Self {
        Config {
            workers: 1,
            pin_workers: true,
            in_flight_epochs: 8,
            queue_rows: 1_000_000,
            queue_bytes: 256 << 20,
            overflow: OverflowPolicy::Block,
            subscription_epochs: 65_536,
            clock: Clock::System,
            tick_interval: Duration::from_secs(1),
        }
    }

    /// The number of worker threads, at least 1.
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = workers;
        self
    }

    /// Whether each worker is pinned to a core (on by default, while there are at least as many cores as workers). Switch it off where several databases share a machine.
    pub fn pin_workers(mut self, pin: bool) -> Self {
        self.pin_workers = pin;
        self
    }

    /// How many epochs may be under way at once, at least 1. More hides round trips between workers, at the price of latency under load.
    pub fn in_flight_epochs(mut self, epochs: usize) -> Self {
        self.in_flight_epochs = epochs;
        self
    }

    /// The room of each source's ingest queue: rows that are accepted and not yet in every view. A single commit that is bigger than
    /// the queue is let in when the queue is empty.
    pub fn queue_rows(mut self, rows: usize) -> Self {
        self.queue_rows = rows;
        self
    }

    /// The room of each source's ingest queue in bytes; see [`Config::queue_rows`].
    pub fn queue_bytes(mut self, bytes: usize) -> Self {
        self.queue_bytes = bytes;
        self
    }

    /// What happens when an ingest queue is full, for sources that do not say it themselves.
    pub fn overflow(mut self, policy: OverflowPolicy) -> Self {
        self.overflow = policy;
        self
    }

    /// How many epochs a subscriber may be behind before its subscription ends with a `lagged` error, at least 1.
    pub fn subscription_epochs(mut self, epochs: usize) -> Self {
        self.subscription_epochs = epochs;
        self
    }

    /// Where `now()` and processing time come from: the clock of the machine, unless a [`ManualClock`](crate::ManualClock) is given.
    pub fn clock(mut self, clock: impl Into<Clock>) -> Self {
        self.clock = clock.into();
        self
    }

    /// How often time passes for views without commits (one second by default): with the clock of the machine, and views that depend on the time, an
    /// epoch without rows is made when there was none for so long. A [`ManualClock`](crate::ManualClock) makes no epochs.
    pub fn tick_interval(mut self, interval: Duration) -> Self {
        self.tick_interval = interval;
        self
    }

    pub(crate) fn check(&self) -> Result<()> {
        let positive = [
            ("workers", self.workers),
            ("in_flight_epochs", self.in_flight_epochs),
            ("queue_rows", self.queue_rows),
            ("queue_bytes", self.queue_bytes),
            ("subscription_epochs", self.subscription_epochs),
        ];
        match positive.iter().find(|(_, value)| *value == 0) {
            Some((name, _)) => Err(Error::usage(format!("the configuration has {name} = 0; it must be at least 1"))),
            None if self.tick_interval.is_zero() => {
                Err(Error::usage("the configuration has tick_interval = 0; time cannot pass that often"))
            }
            None => Ok(()),
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Config::in_memory()
    }
}
