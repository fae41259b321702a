//! [`Snapshot`]: the contents of an arrangement at one moment, for any thread.
//!
//! Runs and batches are immutable and shared, so a snapshot copies a few pointers. It leaves behind the index of the head, which the
//! owning thread goes on changing: a lookup reads the head's rows one by one instead, which their number bounds.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::{Array, ArrayRef};
use arrow::datatypes::{Field, Schema};

use super::Matches;
use super::batches::Batches;
use super::probe::ProbeKeys;
use super::run::Run;
use super::shape::Shape;
use crate::hash::hash_columns;
use crate::{Result, ZBatch};

/// The contents of an [`Arrangement`](super::Arrangement) at one moment; any thread may read them.
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub(super) shape: Arc<Shape>,
    pub(super) runs: Arc<Vec<Arc<Run>>>,
    pub(super) heads: Vec<Batches>,
    pub(super) backlog: Arc<Batches>,
    pub(super) index_wanted: Arc<AtomicBool>,
}

impl Snapshot {
    /// All entries, in parts. A row may occur more than once, also with weights that cancel.
    pub fn batches(&self) -> impl Iterator<Item = ZBatch> + '_ {
        let runs = self.runs.iter().flat_map(|run| run.batches());
        let unsorted = self.heads.iter().chain(std::iter::once(self.backlog.as_ref()));
        runs.chain(unsorted.flat_map(|batches| batches.iter().map(|batch| batch.as_ref().clone())))
    }

    /// All rows, each once.
    ///
    /// # Errors
    /// Arrow's, if a string column passes 2 GiB (use [`Snapshot::batches`] then); [`Error::WeightOverflow`](crate::Error::WeightOverflow) if the weights of a
    /// row leave the range of `i64`.
    pub fn consolidated(&self) -> Result<ZBatch> {
        let batches: Vec<ZBatch> = self.batches().collect();
        ZBatch::concat(&self.shape.schema, &batches)?.consolidate()
    }

    /// The rows whose key equals a row of `keys` (here NULL equals NULL), each once.
    ///
    /// # Errors
    /// As [`Snapshot::consolidated`]; [`Error::Shape`](crate::Error::Shape) if `keys` does not have the columns of the key.
    pub fn lookup(&self, keys: &[ArrayRef]) -> Result<ZBatch> {
        let keys = self.distinct_keys(keys)?;
        let mut hashes = Vec::new();
        hash_columns(keys.columns(), keys.len(), &mut hashes);
        let null_safe = vec![true; keys.columns().len()];
        let keys = ProbeKeys::new(keys.columns(), &hashes, &null_safe);
        let mut matches = Matches::new();
        matches.expect_schema(&self.shape.schema);
        for run in self.runs.iter() {
            run.probe(&self.shape, &keys, &mut matches);
        }
        for head in &self.heads {
            keys.scan(&self.shape, head.iter(), &mut matches);
        }
        if !self.backlog.is_empty() {
            self.index_wanted.store(true, Ordering::Relaxed);
            keys.scan(&self.shape, self.backlog.iter(), &mut matches);
        }
        let every_column: Vec<usize> = (0..self.shape.schema.fields().len()).collect();
        let weights = matches.weights().to_vec().into();
        ZBatch::new(self.shape.schema.clone(), matches.columns(&every_column)?, Some(weights), matches.len()).consolidate()
    }

    /// Each of `keys` once: a key asked for twice must not count its rows twice.
    fn distinct_keys(&self, keys: &[ArrayRef]) -> Result<ZBatch> {
        // The empty key is one key, whatever it is that has no columns.
        let rows = keys.first().map_or(1, |column| column.len());
        let fields: Vec<Field> =
            self.shape.key.iter().map(|&column| self.shape.schema.field(column).clone().with_nullable(true)).collect();
        ZBatch::try_new(Arc::new(Schema::new(fields)), keys.to_vec(), None, rows)?.consolidate()
    }

    /// The number of entries.
    pub fn entries(&self) -> usize {
        let runs: usize = self.runs.iter().map(|run| run.len()).sum();
        let heads: usize = self.heads.iter().map(Batches::rows).sum();
        runs + heads + self.backlog.rows()
    }
}
