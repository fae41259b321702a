//! [`Changes`]: what a commit does to one table or stream.

use std::sync::Arc;

use deltic_zset::ZBatch;

use crate::source::Source;

/// Insertions (positive weights) and deletions (negative ones) of one source, in order.
#[derive(Clone, Debug)]
pub(crate) struct Changes {
    pub(crate) source: Arc<Source>,
    pub(crate) batches: Vec<ZBatch>,
    /// Positions of batches of deletions whose rows are replaced, one by one, by those of the next batch: neither half of such a pair may happen
    /// without the other.
    pub(crate) replacements: Vec<usize>,
}

impl Changes {
    /// No changes yet.
    pub(crate) fn of(source: Arc<Source>) -> Self {
        Changes { source, batches: Vec::new(), replacements: Vec::new() }
    }

    /// The number of rows.
    pub(crate) fn rows(&self) -> usize {
        self.batches.iter().map(ZBatch::len).sum()
    }

    /// Leaves out batches without rows. (Of a replacement both halves are empty, or none.)
    pub(crate) fn drop_empty(&mut self) {
        let mut dropped = 0;
        let mut position_after = Vec::with_capacity(self.batches.len());
        for batch in &self.batches {
            position_after.push((!batch.is_empty()).then_some(position_after.len() - dropped));
            dropped += usize::from(batch.is_empty());
        }
        self.replacements = self.replacements.iter().filter_map(|&position| position_after[position]).collect();
        self.batches.retain(|batch| !batch.is_empty());
    }
}
