//! [`Trimming`]: which keys have rows that the horizon has passed.
//!
//! Rows are dropped key by key, as a range of times. To know which keys to look at, each key is noted for the spans of time in which it has rows.
//! The spans are short beside the time that rows are kept for, so a key that is looked at has something to drop, and one that has
//! nothing is not looked at.

use std::collections::BTreeSet;

use arrow::datatypes::DataType;
use deltic_circuit::{EpochInfo, Retention};

use crate::Horizon;
use crate::expiring::least_span;

/// Spans in the time that rows are kept for.
const SPANS: i64 = 64;

/// The spans in which each key has rows.
pub(super) struct Trimming {
    horizon: Horizon,
    span: i64,
    /// Number of the span, key.
    noted: BTreeSet<(i64, u32)>,
    last: Option<(i64, u32)>,
}

impl Trimming {
    /// For rows with times of `data_type` that matter for `kept` at least; `None` if they are kept for ever.
    pub(super) fn of(retention: Option<&Retention>, data_type: &DataType, kept: i64) -> Option<Self> {
        let horizon = Horizon::of(retention?)?;
        Some(Trimming { horizon, span: least_span(data_type).max(kept / SPANS), noted: BTreeSet::new(), last: None })
    }

    /// A row of `key` is there at `time`.
    pub(super) fn note(&mut self, key: u32, time: i64) {
        let entry = (time.div_euclid(self.span), key);
        if self.last != Some(entry) {
            self.last = Some(entry);
            self.noted.insert(entry);
        }
    }

    pub(super) fn observe(&mut self, info: &EpochInfo) {
        self.horizon.observe(info);
    }

    /// The time before which rows can go, and the keys that have such rows: each key once per horizon and span.
    pub(super) fn due(&mut self) -> Option<(i64, Vec<u32>)> {
        let passed = self.horizon.least()?.div_euclid(self.span);
        let before = passed.checked_mul(self.span)?;
        let mut keys = Vec::new();
        while let Some(&entry) = self.noted.first().filter(|(span, _)| *span < passed) {
            self.noted.remove(&entry);
            keys.push(entry.1);
        }
        if keys.is_empty() {
            return None;
        }
        self.last = None;
        keys.sort_unstable();
        keys.dedup();
        Some((before, keys))
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.noted.len() * size_of::<(i64, u32)>()
    }
}
