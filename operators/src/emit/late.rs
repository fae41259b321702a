//! [`LateFirings`]: what is counted of windows that change after they have been shown.
//!
//! Rows of one window are known by a unique key of the view: the row that goes and the one that comes in its place agree in one. The two of a session
//! that has grown agree in its key and its start, or its end; so do a merged session and the two that it was made of. That is one firing, of one window. Where the
//! view has no key, rows that close together are taken for one window.

use std::collections::{BTreeSet, HashMap};

use arrow::array::ArrayRef;
use deltic_zset::ZBatch;
use deltic_zset::hash::hash_columns;

use crate::WindowMetrics;

/// Windows with late rows that are remembered, so that each is counted once.
const LATE_WINDOWS: usize = 1 << 12;

/// Counts them.
pub(super) struct LateFirings {
    /// The unique keys of the view.
    keys: Vec<Vec<usize>>,
    /// The ends of windows that late rows came to.
    seen: BTreeSet<i64>,
}

/// Late rows of one window.
#[derive(Default)]
struct Firing {
    added: u64,
    removed: u64,
    ends: Vec<i64>,
}

impl LateFirings {
    pub(super) fn new(keys: Vec<Vec<usize>>) -> Self {
        LateFirings { keys, seen: BTreeSet::new() }
    }

    /// Counts the late rows of an epoch, each of which is there once; `ends` are those of their windows.
    pub(super) fn count(&mut self, late: &ZBatch, ends: &[i64], metrics: &mut WindowMetrics) {
        let mut firings: HashMap<usize, Firing> = HashMap::new();
        for (row, window) in self.windows(late, ends).into_iter().enumerate() {
            let (firing, weight) = (firings.entry(window).or_default(), late.weight(row));
            firing.added += weight.max(0) as u64;
            firing.removed += weight.min(0).unsigned_abs();
            firing.ends.push(ends[row]);
        }
        for Firing { added, removed, ends } in firings.into_values() {
            metrics.late_firings += if self.keys.is_empty() || added == 0 { added.max(removed) } else { added };
            metrics.records_in_late_firing += added + removed;
            metrics.retractions_emitted += removed;
            let is_known = ends.iter().any(|end| self.seen.contains(end));
            metrics.windows_with_late_data += u64::from(!is_known);
            self.seen.extend(ends);
        }
        while self.seen.len() > LATE_WINDOWS {
            self.seen.pop_first();
        }
    }

    /// For each row the first row of its window.
    fn windows(&self, late: &ZBatch, ends: &[i64]) -> Vec<usize> {
        let mut first: Vec<usize> = (0..late.len()).collect();
        let mut hashes = Vec::new();
        for key in &self.keys {
            let columns: Vec<ArrayRef> = key.iter().map(|&column| late.column(column).clone()).collect();
            hash_columns(&columns, late.len(), &mut hashes);
            join_equal(&mut first, &hashes);
        }
        if self.keys.is_empty() {
            join_equal(&mut first, ends);
        }
        (0..late.len()).map(|row| root(&mut first, row)).collect()
    }
}

/// Makes one window of rows with equal names.
fn join_equal<T: Copy + Eq + std::hash::Hash>(first: &mut [usize], names: &[T]) {
    let mut named: HashMap<T, usize> = HashMap::new();
    for (row, &name) in names.iter().enumerate() {
        let other = *named.entry(name).or_insert(row);
        let (one, other) = (root(first, row), root(first, other));
        first[one.max(other)] = one.min(other);
    }
}

/// The first row of the window of `row`.
fn root(first: &mut [usize], mut row: usize) -> usize {
    while first[row] != row {
        first[row] = first[first[row]];
        row = first[row];
    }
    row
}
