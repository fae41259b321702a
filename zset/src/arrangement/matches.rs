//! [`Matches`]: what probes found.
//!
//! A probe goes by hashes first: the indexes propose pairs of a probed row and a stored row whose key hashes agree in 32 bits. Only then
//! are the keys compared, column by column over all proposals at once, and the few false ones dropped. Stored columns are copied out
//! when they are asked for, so a join pays for the columns it emits and not for the width of the state.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, UInt32Array, new_empty_array};
use arrow::compute::{interleave, take};
use arrow::datatypes::SchemaRef;

use super::probe::ProbeKeys;
use super::shape::Shape;
use crate::equality::equal_pairs;
use crate::{Error, Result, ZBatch};

/// With fewer proposals than this per stored batch, keys are gathered before they are compared.
const PROPOSALS_PER_SOURCE: usize = 8;

/// The stored rows that probes found, as pairs of a probed row and a stored row, in no particular order.
///
/// Probes *add* to it; [`Matches::clear`] empties it and keeps the memory for the next probe.
#[derive(Debug, Default)]
pub struct Matches {
    schema: Option<SchemaRef>,
    probe_rows: Vec<u32>,
    weights: Vec<i64>,
    sources: Vec<Arc<ZBatch>>,
    /// The stored row of each pair: which source, and which row of it.
    picks: Vec<(usize, usize)>,
    proposals: u64,
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

    /// The probed row of each pair.
    pub fn probe_rows(&self) -> &[u32] {
        &self.probe_rows
    }

    /// The weight of the stored row of each pair.
    pub fn weights(&self) -> &[i64] {
        &self.weights
    }

    /// How many stored rows were looked at since the last [`Matches::clear`]: the work of the probes, matches or not.
    pub fn examined_rows(&self) -> u64 {
        self.proposals
    }

    /// The stored columns `which`, one value per pair.
    ///
    /// # Errors
    /// Arrow's, if a string column passes 2 GiB (take the pairs in parts then, by [`Matches::columns_in`]); [`Error::Shape`] if
    /// nothing was probed yet.
    pub fn columns(&self, which: &[usize]) -> Result<Vec<ArrayRef>> {
        self.columns_in(which, 0..self.len())
    }

    /// As [`Matches::columns`], for the pairs of `range` only.
    ///
    /// # Errors
    /// As [`Matches::columns`].
    pub fn columns_in(&self, which: &[usize], range: Range<usize>) -> Result<Vec<ArrayRef>> {
        let schema = self.schema.as_ref().ok_or_else(|| Error::Shape("matches of no probe have no columns".into()))?;
        let picks = &self.picks[range];
        if picks.is_empty() {
            return Ok(which.iter().map(|&column| new_empty_array(schema.field(column).data_type())).collect());
        }
        gather(&self.sources, picks, which)
    }

    /// Forgets all pairs.
    pub fn clear(&mut self) {
        self.probe_rows.clear();
        self.weights.clear();
        self.sources.clear();
        self.picks.clear();
        self.proposals = 0;
    }

    pub(super) fn expect_schema(&mut self, schema: &SchemaRef) {
        self.schema = Some(schema.clone());
    }

    /// Makes `batch` a source of proposals; returns its number.
    pub(super) fn add_source(&mut self, batch: &Arc<ZBatch>) -> usize {
        self.sources.push(batch.clone());
        self.sources.len() - 1
    }

    pub(super) fn propose(&mut self, probe_row: u32, source: usize, row: usize) {
        self.probe_rows.push(probe_row);
        self.picks.push((source, row));
    }

    /// Compares the keys of all proposals since the last call and drops the pairs that only share a hash.
    pub(super) fn verify(&mut self, shape: &Shape, keys: &ProbeKeys<'_>) {
        let first = self.weights.len();
        let proposals = self.probe_rows.len() - first;
        self.proposals += proposals as u64;
        if proposals == 0 {
            return;
        }
        let mut keep = vec![true; proposals];
        if !shape.key.is_empty() {
            let groups = self.picks[first..].chunk_by(|a, b| a.0 == b.0).count();
            if groups * PROPOSALS_PER_SOURCE <= proposals {
                self.compare_by_source(first, shape, keys, &mut keep);
            } else {
                self.compare_gathered(first, shape, keys, &mut keep);
            }
        }
        let mut kept = first;
        for (offset, &keep) in keep.iter().enumerate() {
            if keep {
                self.probe_rows[kept] = self.probe_rows[first + offset];
                self.picks[kept] = self.picks[first + offset];
                kept += 1;
            }
        }
        self.probe_rows.truncate(kept);
        self.picks.truncate(kept);
        if self.sources.iter().all(|source| source.weights().is_none()) {
            self.weights.resize(kept, 1);
        } else {
            self.weights.extend(self.picks[first..].iter().map(|&(source, row)| self.sources[source].weight(row)));
        }
    }

    fn compare_by_source(&self, first: usize, shape: &Shape, keys: &ProbeKeys<'_>, keep: &mut Vec<bool>) {
        keep.clear();
        let mut rows = Vec::new();
        let mut equal = Vec::new();
        let mut start = first;
        for group in self.picks[first..].chunk_by(|a, b| a.0 == b.0) {
            rows.clear();
            rows.extend(group.iter().map(|&(_, row)| row as u32));
            let stored = shape.key_columns(&self.sources[group[0].0]);
            let end = start + group.len();
            equal_pairs(keys.columns, &self.probe_rows[start..end], &stored, &rows, keys.null_safe, &mut equal);
            keep.extend_from_slice(&equal);
            start = end;
        }
    }

    fn compare_gathered(&self, first: usize, shape: &Shape, keys: &ProbeKeys<'_>, keep: &mut Vec<bool>) {
        // Proposals that do not fit one array are compared source by source: slower, and always possible.
        let Ok(stored) = gather(&self.sources, &self.picks[first..], &shape.key) else {
            return self.compare_by_source(first, shape, keys, keep);
        };
        let rows: Vec<u32> = (0..(self.picks.len() - first) as u32).collect();
        equal_pairs(keys.columns, &self.probe_rows[first..], &stored, &rows, keys.null_safe, keep);
    }
}

/// The columns `which` of the rows `picks` (source, row) of `sources`.
pub(super) fn gather(sources: &[Arc<ZBatch>], picks: &[(usize, usize)], which: &[usize]) -> Result<Vec<ArrayRef>> {
    if let [source] = sources {
        let rows = UInt32Array::from_iter_values(picks.iter().map(|&(_, row)| row as u32));
        return which.iter().map(|&column| Ok(take(source.column(column), &rows, None)?)).collect();
    }
    which
        .iter()
        .map(|&column| {
            let values: Vec<&dyn Array> = sources.iter().map(|source| source.column(column).as_ref()).collect();
            Ok(interleave(&values, picks)?)
        })
        .collect()
}
