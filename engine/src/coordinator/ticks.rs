//! Ticks: epochs without rows, so that time passes for views while nobody commits.
//!
//! They are made only with the clock of the machine, only while a view depends on time, and only if the last epoch is long enough ago: whoever
//! commits often pays nothing for them.

use std::time::{Duration, Instant};

use crossbeam_channel::bounded;

use super::{Commit, Coordinator};
use crate::error::Result;

/// When the next tick is due.
pub(super) struct Ticks {
    interval: Duration,
    /// When the last epoch was sealed, or there was last nothing to tell.
    last: Instant,
}

impl Ticks {
    pub(super) fn every(interval: Duration) -> Self {
        Ticks { interval, last: Instant::now() }
    }

    /// Starts the interval anew.
    pub(super) fn restart(&mut self) {
        self.last = Instant::now();
    }

    /// The time until the next tick.
    fn left(&self) -> Duration {
        self.interval.saturating_sub(self.last.elapsed())
    }
}

impl Coordinator {
    /// Makes an epoch that consists of its time only, if one is due. Whether it did.
    pub(super) fn tick_if_due(&mut self) -> Result<bool> {
        if self.is_full() || !self.timeline.runs_by_itself() || !self.ticks.left().is_zero() {
            return Ok(false);
        }
        self.ticks.restart();
        let news = self.timeline.has_news();
        if news {
            // Nobody waits for it.
            let (reply, _) = bounded(1);
            self.commit(Commit { changes: Vec::new(), watermarks: Vec::new(), grants: Vec::new(), reply })?;
        }
        Ok(news)
    }

    /// Sleeps until somebody wakes this thread, or a tick is due.
    pub(super) fn park(&self) {
        // With full flights a report comes first, and no tick.
        if self.is_full() || !self.timeline.runs_by_itself() {
            std::thread::park();
        } else {
            std::thread::park_timeout(self.ticks.left());
        }
    }
}
