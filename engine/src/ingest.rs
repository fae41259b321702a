//! Credits: the bound on what is accepted and not yet in every view.
//!
//! Each table and stream has a budget of rows and bytes. A commit acquires its share before it is queued and gives it back when its epoch is
//! complete or refused, so the memory of everything under way is bounded whatever the writers do. A commit over several sources acquires in
//! the order of their names, so two writers never wait for each other. A commit bigger than the whole budget is let in when
//! nothing else is under way: it would wait forever otherwise.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use crate::config::OverflowPolicy;
use crate::error::{Error, Result, code};

/// What happened at one source's ingest queue since it was created.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IngestCounters {
    /// Rows let in.
    pub acquired_rows: u64,
    /// Rows whose epoch is complete, or was refused.
    pub released_rows: u64,
    /// Commits that had to wait.
    pub blocked: u64,
    /// Rows thrown away by `on_overflow = 'drop'`.
    pub dropped_rows: u64,
    /// Bytes under way now.
    pub bytes_in_flight: u64,
}

/// The budget of one source.
#[derive(Debug)]
pub(crate) struct Credits {
    relation: Arc<str>,
    policy: OverflowPolicy,
    rows: usize,
    bytes: usize,
    used: Mutex<Used>,
    freed: Condvar,
    closed: AtomicBool,
}

#[derive(Debug, Default)]
struct Used {
    rows: usize,
    bytes: usize,
    counters: IngestCounters,
}

/// The result of asking for credits.
#[derive(Debug)]
pub(crate) enum Admission {
    Granted(Grant),
    /// The policy is to drop, and there was no room.
    Dropped,
}

/// Credits held by a commit; given back when dropped.
#[derive(Debug)]
pub(crate) struct Grant {
    credits: Arc<Credits>,
    rows: usize,
    bytes: usize,
}

impl Credits {
    pub(crate) fn new(relation: Arc<str>, policy: OverflowPolicy, rows: usize, bytes: usize) -> Arc<Self> {
        Arc::new(Credits {
            relation,
            policy,
            rows,
            bytes,
            used: Mutex::default(),
            freed: Condvar::new(),
            closed: AtomicBool::new(false),
        })
    }

    /// Takes `rows` and `bytes` from the budget, as the policy says.
    ///
    /// # Errors
    /// `DT4007` if there is no room and the policy is to refuse; closed if the source went away while waiting.
    pub(crate) fn acquire(self: &Arc<Self>, rows: usize, bytes: usize) -> Result<Admission> {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.fits(&used, rows, bytes) {
            match self.policy {
                OverflowPolicy::Drop => {
                    used.counters.dropped_rows += rows as u64;
                    return Ok(Admission::Dropped);
                }
                OverflowPolicy::Error => return Err(self.overflow(&used)),
                OverflowPolicy::Block => {
                    used.counters.blocked += 1;
                    while !self.fits(&used, rows, bytes) && !self.closed.load(Ordering::Relaxed) {
                        used = self.freed.wait(used).unwrap_or_else(PoisonError::into_inner);
                    }
                }
            }
        }
        if self.closed.load(Ordering::Relaxed) {
            return Err(Error::new(code::DROPPED, format!("'{}' was dropped, or its database closed", self.relation)));
        }
        used.rows += rows;
        used.bytes += bytes;
        used.counters.acquired_rows += rows as u64;
        Ok(Admission::Granted(Grant { credits: self.clone(), rows, bytes }))
    }

    /// Wakes all writers that wait, with an error.
    pub(crate) fn close(&self) {
        let _used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        self.closed.store(true, Ordering::Relaxed);
        self.freed.notify_all();
    }

    pub(crate) fn counters(&self) -> IngestCounters {
        let used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        IngestCounters { bytes_in_flight: used.bytes as u64, ..used.counters }
    }

    /// Counts rows of a commit that was dropped because another source of it had no room.
    pub(crate) fn count_dropped(&self, rows: usize) {
        self.used.lock().unwrap_or_else(PoisonError::into_inner).counters.dropped_rows += rows as u64;
    }

    fn fits(&self, used: &Used, rows: usize, bytes: usize) -> bool {
        used.rows == 0 || (used.rows + rows <= self.rows && used.bytes + bytes <= self.bytes)
    }

    fn overflow(&self, used: &Used) -> Error {
        let message = format!(
            "the ingest queue of '{}' is full ({} of {} rows, {} of {} bytes)",
            self.relation, used.rows, self.rows, used.bytes, self.bytes
        );
        Error::new(code::OVERFLOW, message).with_hint("try again later, or let the writer wait with on_overflow = 'block'")
    }
}

impl Drop for Grant {
    fn drop(&mut self) {
        let mut used = self.credits.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.rows -= self.rows;
        used.bytes -= self.bytes;
        used.counters.released_rows += self.rows as u64;
        drop(used);
        self.credits.freed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn credits(policy: OverflowPolicy) -> Arc<Credits> {
        Credits::new("t".into(), policy, 10, 1000)
    }

    fn grant(credits: &Arc<Credits>, rows: usize) -> Grant {
        match credits.acquire(rows, rows * 8).unwrap() {
            Admission::Granted(grant) => grant,
            Admission::Dropped => panic!("dropped"),
        }
    }

    #[test]
    fn a_full_queue_refuses_and_counts() {
        let credits = credits(OverflowPolicy::Error);
        let held = grant(&credits, 8);
        assert_eq!(credits.acquire(3, 24).unwrap_err().code(), "DT4007");
        drop(held);
        drop(grant(&credits, 3));
        let counters = credits.counters();
        assert_eq!((counters.acquired_rows, counters.released_rows), (11, 11));
    }

    #[test]
    fn a_full_queue_drops_and_counts() {
        let credits = credits(OverflowPolicy::Drop);
        let _held = grant(&credits, 8);
        assert!(matches!(credits.acquire(3, 24).unwrap(), Admission::Dropped));
        assert_eq!(credits.counters().dropped_rows, 3);
    }

    #[test]
    fn a_writer_waits_for_room() {
        let credits = credits(OverflowPolicy::Block);
        let held = grant(&credits, 8);
        let writer = std::thread::spawn({
            let credits = credits.clone();
            move || drop(grant(&credits, 5))
        });
        while credits.counters().blocked == 0 {
            std::thread::yield_now();
        }
        drop(held);
        writer.join().unwrap();
        assert_eq!(credits.counters().released_rows, 13);
    }

    #[test]
    fn a_commit_bigger_than_the_queue_enters_the_empty_queue() {
        let credits = credits(OverflowPolicy::Error);
        drop(grant(&credits, 50));
    }

    #[test]
    fn closing_wakes_who_waits() {
        let credits = credits(OverflowPolicy::Block);
        let _held = grant(&credits, 10);
        let writer = std::thread::spawn({
            let credits = credits.clone();
            move || credits.acquire(5, 40).map(drop)
        });
        while credits.counters().blocked == 0 {
            std::thread::yield_now();
        }
        credits.close();
        assert_eq!(writer.join().unwrap().unwrap_err().code(), "DT4012");
    }
}
