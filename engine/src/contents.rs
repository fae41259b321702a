//! [`Contents`]: what a table, a view or an error relation holds, outside of the workers.
//!
//! Reads and hydration never involve workers: the coordinator keeps the contents of every relation itself. Most epochs are never read, so a delta
//! is first only put aside ([`Contents::push`]); deltas are folded into the arrangement many at a time, where those that cancel (an
//! aggregate that changes each epoch) meet and vanish before they cost anything. A snapshot is the arrangement's snapshot and what is put aside.

use arrow::array::{Array, ArrayRef, BooleanArray};
use arrow::datatypes::SchemaRef;
use deltic_zset::{Arrangement, Snapshot, ZBatch, equality};

use crate::error::Result;

/// Rows put aside before they are folded.
const RECENT_ROWS: usize = 65_536;
/// Batches put aside before they are folded.
const RECENT_BATCHES: usize = 256;

/// The contents of one relation.
#[derive(Debug)]
pub(crate) struct Contents {
    arrangement: Arrangement,
    recent: Vec<ZBatch>,
    recent_rows: usize,
}

impl Contents {
    /// No rows; later found by the columns `key`.
    pub(crate) fn new(schema: SchemaRef, key: Vec<usize>) -> Self {
        Contents { arrangement: Arrangement::new_lazy(schema, key), recent: Vec::new(), recent_rows: 0 }
    }

    /// Adds a delta.
    ///
    /// # Errors
    /// If a weight leaves its range while deltas are folded.
    pub(crate) fn push(&mut self, delta: ZBatch) -> Result<()> {
        if delta.is_empty() {
            return Ok(());
        }
        self.recent_rows += delta.len();
        self.recent.push(delta);
        if self.recent_rows > RECENT_ROWS || self.recent.len() > RECENT_BATCHES {
            self.fold()?;
        }
        Ok(())
    }

    /// The arrangement with all deltas in it.
    ///
    /// # Errors
    /// As [`Contents::push`].
    pub(crate) fn folded(&mut self) -> Result<&Arrangement> {
        self.fold()?;
        Ok(&self.arrangement)
    }

    fn fold(&mut self) -> Result<()> {
        if self.recent.is_empty() {
            return Ok(());
        }
        let rows = std::mem::take(&mut self.recent_rows);
        let recent = std::mem::take(&mut self.recent);
        let insert_only = recent.iter().all(|delta| delta.weights().is_none());
        if recent.len() == 1 || (insert_only && rows / recent.len() >= 1024) {
            recent.iter().for_each(|delta| self.arrangement.append(delta));
        } else {
            let delta = ZBatch::concat(self.arrangement.schema(), &recent)?;
            self.arrangement.append(&if insert_only { delta } else { delta.consolidate()? });
        }
        self.arrangement.maintain(self.arrangement.fuel_for(rows));
        Ok(())
    }

    /// The contents now, for any thread.
    pub(crate) fn snapshot(&self) -> ContentsSnapshot {
        ContentsSnapshot {
            schema: self.arrangement.schema().clone(),
            key: self.arrangement.key().to_vec(),
            base: self.arrangement.snapshot(),
            recent: self.recent.clone(),
        }
    }

    /// Stored entries: at least as many as there are different rows.
    pub(crate) fn entries(&self) -> usize {
        self.arrangement.entries() + self.recent_rows
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.arrangement.memory_bytes() + self.recent.iter().map(ZBatch::memory_bytes).sum::<usize>()
    }
}

/// The contents of one relation at one epoch.
#[derive(Clone, Debug)]
pub(crate) struct ContentsSnapshot {
    schema: SchemaRef,
    key: Vec<usize>,
    base: Snapshot,
    recent: Vec<ZBatch>,
}

impl ContentsSnapshot {
    /// The same with `delta` added: how an earlier epoch, or a transaction's own changes, are laid over it.
    pub(crate) fn add(&mut self, delta: ZBatch) {
        if !delta.is_empty() {
            self.recent.push(delta);
        }
    }

    /// The columns that [`ContentsSnapshot::lookup`] finds rows by.
    pub(crate) fn key(&self) -> &[usize] {
        &self.key
    }

    /// All entries in parts. A row may occur more than once, also with weights that cancel.
    pub(crate) fn batches(&self) -> Vec<ZBatch> {
        self.base.batches().chain(self.recent.iter().cloned()).collect()
    }

    /// All rows, each once.
    ///
    /// # Errors
    /// Arrow's, if a string column passes 2 GiB.
    pub(crate) fn consolidated(&self) -> Result<ZBatch> {
        match self.recent.is_empty() {
            true => Ok(self.base.consolidated()?),
            false => Ok(ZBatch::concat(&self.schema, &self.batches())?.consolidate()?),
        }
    }

    /// The rows whose key is that of a row of `keys`, each once.
    ///
    /// # Errors
    /// As [`ContentsSnapshot::consolidated`].
    pub(crate) fn lookup(&self, keys: &[ArrayRef]) -> Result<ZBatch> {
        let mut parts = vec![self.base.lookup(keys)?];
        for delta in &self.recent {
            let with_key = matching(delta, &self.key, keys)?;
            parts.extend((!with_key.is_empty()).then_some(with_key));
        }
        if parts.len() == 1 { Ok(parts.remove(0)) } else { Ok(ZBatch::concat(&self.schema, &parts)?.consolidate()?) }
    }
}

/// The rows of `delta` whose columns `key` are those of a row of `keys`. For few keys.
fn matching(delta: &ZBatch, key: &[usize], keys: &[ArrayRef]) -> Result<ZBatch> {
    let columns: Vec<ArrayRef> = key.iter().map(|&column| delta.column(column).clone()).collect();
    let rows: Vec<u32> = (0..delta.len() as u32).collect();
    let mut found = vec![false; delta.len()];
    let mut equal = Vec::new();
    for wanted in 0..keys.first().map_or(0, |column| column.len()) as u32 {
        equality::equal_pairs(&columns, &rows, keys, &vec![wanted; rows.len()], &vec![true; key.len()], &mut equal);
        found.iter_mut().zip(&equal).for_each(|(found, equal)| *found |= equal);
    }
    Ok(delta.filter(&BooleanArray::from(found))?)
}
