//! [`Snapshot`]: the contents of an arrangement at one moment, for any thread.

use arrow::array::ArrayRef;

use crate::{Result, ZBatch};

/// The contents of an [`Arrangement`](super::Arrangement) at one moment; any thread may read it.
#[derive(Clone, Debug)]
pub struct Snapshot {
    batches: Vec<ZBatch>,
}

impl Snapshot {
    /// All entries, in parts. A row may occur more than once, also with weights that cancel.
    pub fn batches(&self) -> impl Iterator<Item = ZBatch> + '_ {
        self.batches.iter().cloned()
    }

    /// All rows, each once.
    ///
    /// # Errors
    /// Arrow's, if a string column passes 2 GiB.
    pub fn consolidated(&self) -> Result<ZBatch> {
        todo!()
    }

    /// The rows whose key equals a row of `keys` (NULL equals NULL), each once.
    ///
    /// # Errors
    /// Arrow's, if a string column passes 2 GiB.
    pub fn lookup(&self, keys: &[ArrayRef]) -> Result<ZBatch> {
        let _ = keys;
        todo!()
    }

    /// The number of entries.
    pub fn entries(&self) -> usize {
        todo!()
    }
}
