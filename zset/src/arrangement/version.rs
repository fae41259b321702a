//! [`Version`]: the contents of an arrangement at one moment, for the thread that owns it.
//!
//! A version is the list of runs, and each head with the length it had: nothing is copied, and later appends, flushes and merges change
//! none of it. Runs that merges have replaced live as long as a version holds them, so versions should not outlive the epoch
//! they are needed for.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::ArrayRef;

use super::batches::Batches;
use super::head::Head;
use super::probe::ProbeKeys;
use super::run::Run;
use super::shape::Shape;
use super::{Matches, Snapshot};

/// The contents of an [`Arrangement`](super::Arrangement) at one moment, frozen. For one thread; see [`Snapshot`] for others.
#[derive(Clone, Debug)]
pub struct Version {
    pub(super) shape: Arc<Shape>,
    pub(super) runs: Arc<Vec<Arc<Run>>>,
    /// The heads, each with the number of its rows that belong to this version.
    pub(super) heads: Vec<(Rc<Head>, usize)>,
    /// Rows without an index.
    pub(super) backlog: Arc<Batches>,
    /// Set when somebody looks for a key in the backlog.
    pub(super) index_wanted: Arc<AtomicBool>,
}

impl Version {
    /// Adds to `matches` every stored entry whose key equals a row of `keys`; a row that was inserted and deleted may show up as two
    /// entries, of weights `+1` and `-1`.
    ///
    /// `hashes` are those of [`hash_columns`](crate::hash::hash_columns) over `keys`; with no key columns, one per row all the
    /// same. NULL equals NULL in the columns where `null_safe` is true and nothing in the others. Matches can outnumber the keys by
    /// far (with no key columns, every stored row matches every key): a caller that cannot bound them probes in slices.
    ///
    /// # Panics
    /// If there are not as many columns and `null_safe` entries as key columns.
    pub fn probe(&self, keys: &[ArrayRef], hashes: &[u64], null_safe: &[bool], matches: &mut Matches) {
        assert_eq!(keys.len(), self.shape.key.len(), "a probe has the columns of the key");
        matches.expect_schema(&self.shape.schema);
        let keys = ProbeKeys::new(keys, hashes, null_safe);
        for run in self.runs.iter() {
            run.probe(&self.shape, &keys, matches);
        }
        for (head, len) in &self.heads {
            head.probe(*len, &self.shape, &keys, matches);
        }
        if !self.backlog.is_empty() {
            self.index_wanted.store(true, Ordering::Relaxed);
            keys.scan(&self.shape, self.backlog.iter(), matches);
        }
    }

    /// The same contents, for any thread. Takes microseconds.
    pub fn snapshot(&self) -> Snapshot {
        let heads = self.heads.iter().map(|(head, len)| head.rows().batches.prefix(*len)).collect();
        Snapshot {
            shape: self.shape.clone(),
            runs: self.runs.clone(),
            heads,
            backlog: self.backlog.clone(),
            index_wanted: self.index_wanted.clone(),
        }
    }

    /// The number of entries.
    pub fn entries(&self) -> usize {
        let runs: usize = self.runs.iter().map(|run| run.len()).sum();
        let heads: usize = self.heads.iter().map(|(_, len)| len).sum();
        runs + heads + self.backlog.rows()
    }
}
