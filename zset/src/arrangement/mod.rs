//! [`Arrangement`]: rows with weights under a key.

mod matches;
mod snapshot;
mod version;

use arrow::array::ArrayRef;
use arrow::datatypes::SchemaRef;

pub use matches::Matches;
pub use snapshot::Snapshot;
pub use version::Version;

use crate::ZBatch;

/// Rows with weights under a key.
#[derive(Debug)]
pub struct Arrangement {
    schema: SchemaRef,
    key: Vec<usize>,
}

impl Arrangement {
    /// An empty arrangement of rows of `schema` under the columns `key` (none: every row has the same, empty key).
    pub fn new(schema: SchemaRef, key: Vec<usize>) -> Self {
        Arrangement { schema, key }
    }

    /// As [`Arrangement::new`], but rows are kept as they come, without an index, until one is needed.
    pub fn new_lazy(schema: SchemaRef, key: Vec<usize>) -> Self {
        Arrangement { schema, key }
    }

    /// The schema of the rows.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The key columns.
    pub fn key(&self) -> &[usize] {
        &self.key
    }

    /// Adds the rows of one epoch.
    pub fn append(&mut self, batch: &ZBatch) {
        let _ = batch;
        todo!()
    }

    /// As [`Arrangement::append`], for a caller that has the hashes of the key columns (see [`crate::hash::hash_columns`]).
    pub fn append_hashed(&mut self, batch: &ZBatch, hashes: &[u64]) {
        let _ = (batch, hashes);
        todo!()
    }

    /// The fuel that [`Arrangement::maintain`] needs to keep up with `appended_rows` more rows.
    pub fn fuel_for(&self, appended_rows: usize) -> usize {
        let _ = appended_rows;
        todo!()
    }

    /// Does about `fuel_rows` rows of sorting and merging, at most; returns how many it did.
    pub fn maintain(&mut self, fuel_rows: usize) -> usize {
        let _ = fuel_rows;
        todo!()
    }

    /// The contents as they are now, for this thread.
    pub fn version(&self) -> Version {
        todo!()
    }

    /// The contents as they are now, for any thread.
    pub fn snapshot(&self) -> Snapshot {
        todo!()
    }

    /// As [`Version::probe`] on the current contents.
    pub fn probe(&self, keys: &[ArrayRef], hashes: &[u64], null_safe: &[bool], matches: &mut Matches) {
        let _ = (keys, hashes, null_safe, matches);
        todo!()
    }

    /// The number of stored entries; a row that was inserted and deleted may still count until a merge cancels it.
    pub fn entries(&self) -> usize {
        todo!()
    }

    /// The memory held, in bytes.
    pub fn memory_bytes(&self) -> usize {
        todo!()
    }
}
