//! Consolidation: each row once, with the sum of its weights.

use crate::{Result, ZBatch};

impl ZBatch {
    /// The same Z-set with each row once and no zero weight, in the order of first occurrence.
    ///
    /// # Errors
    /// [`crate::Error::WeightOverflow`] if a sum of weights leaves the range of `i64`.
    pub fn consolidate(&self) -> Result<ZBatch> {
        todo!()
    }
}
