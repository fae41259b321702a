//! [`Contents`]: what a table holds, and [`ContentsSnapshot`], what any relation holds at one epoch.
//!
//! Reads and hydration never involve workers: the coordinator keeps tables itself, because sealing a commit looks up current rows, and the
//! [keeper](crate::keeper) keeps views, on [shelves](crate::shelves). A delta of a table is first only put aside ([`Contents::push`]) and folded into an arrangement
//! when a commit has to look up rows. If none ever does, each push of a big backlog folds twice what it brings, so that what is put aside stays bounded. A snapshot is
//! the arrangement's snapshot and what is put aside.

use std::collections::VecDeque;

use arrow::array::{Array, ArrayRef, BooleanArray};
use arrow::datatypes::SchemaRef;
use deltic_zset::{Arrangement, Snapshot, ZBatch, equality};

use crate::error::Result;
use crate::shelves::ShelvesSnapshot;

/// Rows put aside before they are worth folding.
const RECENT_ROWS: usize = 65_536;
/// Batches put aside before they are worth folding.
const RECENT_BATCHES: usize = 256;
/// Rows folded at a time, at least.
const SLICE_ROWS: usize = 8_192;
/// With this many times the rows or batches that are worth folding, a push folds as well.
const BACKLOG: usize = 4;

/// The contents of a table.
#[derive(Debug)]
pub(crate) struct Contents {
    arrangement: Arrangement,
    recent: VecDeque<ZBatch>,
    recent_rows: usize,
}

impl Contents {
    /// No rows; later found by the columns `key`.
    pub(crate) fn new(schema: SchemaRef, key: Vec<usize>) -> Self {
        Contents { arrangement: Arrangement::new_lazy(schema, key), recent: VecDeque::new(), recent_rows: 0 }
    }

    /// Adds a delta.
    ///
    /// # Errors
    /// If a weight leaves its range while deltas are folded.
    pub(crate) fn push(&mut self, delta: ZBatch) -> Result<()> {
        if delta.is_empty() {
            return Ok(());
        }
        let rows = delta.len();
        self.recent_rows += rows;
        self.recent.push_back(delta);
        if self.recent_rows > BACKLOG * RECENT_ROWS || self.recent.len() > BACKLOG * RECENT_BATCHES {
            self.fold_rows((2 * rows).max(SLICE_ROWS))?;
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
        self.fold_rows(self.recent_rows)
    }

    /// Folds the oldest deltas, up to `rows` rows of them.
    fn fold_rows(&mut self, rows: usize) -> Result<()> {
        let mut left = rows.min(self.recent_rows);
        let mut oldest = Vec::new();
        while left > 0
            && let Some(delta) = self.recent.pop_front()
        {
            if delta.len() <= left {
                left -= delta.len();
                oldest.push(delta);
            } else {
                oldest.push(delta.slice(0, left));
                self.recent.push_front(delta.slice(left, delta.len() - left));
                left = 0;
            }
        }
        let rows: usize = oldest.iter().map(ZBatch::len).sum();
        self.recent_rows -= rows;
        let insert_only = oldest.iter().all(|delta| delta.weights().is_none());
        match oldest.as_slice() {
            [] => return Ok(()),
            deltas if deltas.len() == 1 || (insert_only && rows / deltas.len() >= 1024) => {
                deltas.iter().for_each(|delta| self.arrangement.append(delta));
            }
            deltas => {
                let delta = ZBatch::concat(self.arrangement.schema(), deltas)?;
                self.arrangement.append(&if insert_only { delta } else { delta.consolidate()? });
            }
        }
        self.arrangement.maintain(self.arrangement.fuel_for(rows));
        Ok(())
    }

    /// The contents now, for any thread.
    pub(crate) fn snapshot(&self) -> ContentsSnapshot {
        ContentsSnapshot {
            schema: self.arrangement.schema().clone(),
            key: self.arrangement.key().to_vec(),
            base: Base::Arranged(self.arrangement.snapshot()),
            recent: self.recent.iter().cloned().collect(),
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
    base: Base,
    recent: Vec<ZBatch>,
}

#[derive(Clone, Debug)]
enum Base {
    Arranged(Snapshot),
    Shelved(ShelvesSnapshot),
}

impl From<ShelvesSnapshot> for ContentsSnapshot {
    fn from(base: ShelvesSnapshot) -> Self {
        ContentsSnapshot {
            schema: base.schema().clone(),
            key: base.key().to_vec(),
            base: Base::Shelved(base),
            recent: Vec::new(),
        }
    }
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
        let mut batches: Vec<ZBatch> = match &self.base {
            Base::Arranged(base) => base.batches().collect(),
            Base::Shelved(base) => base.batches().collect(),
        };
        batches.extend(self.recent.iter().cloned());
        batches
    }

    /// All rows, each once.
    ///
    /// # Errors
    /// Arrow's, if a string column passes 2 GiB.
    pub(crate) fn consolidated(&self) -> Result<ZBatch> {
        Ok(ZBatch::concat(&self.schema, &self.batches())?.consolidate()?)
    }

    /// The rows whose key is that of a row of `keys`, each once.
    ///
    /// # Errors
    /// As [`ContentsSnapshot::consolidated`].
    pub(crate) fn lookup(&self, keys: &[ArrayRef]) -> Result<ZBatch> {
        let (mut parts, candidates) = match &self.base {
            Base::Arranged(base) => (vec![base.lookup(keys)?], Vec::new()),
            Base::Shelved(base) => (Vec::new(), base.candidates(keys)?),
        };
        let consolidated = parts.len();
        for delta in candidates.iter().chain(&self.recent) {
            let with_key = matching(delta, &self.key, keys)?;
            parts.extend((!with_key.is_empty()).then_some(with_key));
        }
        match parts.len() {
            1 if consolidated == 1 => Ok(parts.remove(0)),
            _ => Ok(ZBatch::concat(&self.schema, &parts)?.consolidate()?),
        }
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
