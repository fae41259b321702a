//! [`Matches`]: what a probe found.

use arrow::array::ArrayRef;

use crate::Result;

/// The stored rows that probes found: pairs of a probed row and a stored row. Probes add to it; [`Matches::clear`] empties it.
#[derive(Debug, Default)]
pub struct Matches {
    probe_rows: Vec<u32>,
    weights: Vec<i64>,
}

impl Matches {
    /// No matches.
    pub fn new() -> Self {
        Self::default()
    }

    /// The number of pairs.
    pub fn len(&self) -> usize {
        self.probe_rows.len()
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.probe_rows.is_empty()
    }

    /// The probed row of each pair. In no particular order.
    pub fn probe_rows(&self) -> &[u32] {
        &self.probe_rows
    }

    /// The weight of the stored row of each pair.
    pub fn weights(&self) -> &[i64] {
        &self.weights
    }

    /// The stored columns `which` of all pairs.
    ///
    /// # Errors
    /// Arrow's, if a string column passes 2 GiB: take the pairs in parts then, by [`Matches::columns_in`].
    pub fn columns(&self, which: &[usize]) -> Result<Vec<ArrayRef>> {
        self.columns_in(which, 0..self.len())
    }

    /// As [`Matches::columns`], for the pairs of `range`.
    ///
    /// # Errors
    /// As [`Matches::columns`].
    pub fn columns_in(&self, which: &[usize], range: std::ops::Range<usize>) -> Result<Vec<ArrayRef>> {
        let _ = (which, range);
        todo!()
    }

    /// Forgets all pairs.
    pub fn clear(&mut self) {
        todo!()
    }
}
