//! [`Arrangement`]: rows with weights under a key, for joins, shared indexes, table contents and views.
//!
//! New rows go to a head: their batches as they came, with a hash index. A full head is sorted into an immutable run of columns
//! in hash order, and runs of similar size are merged, so that there are at most logarithmically many and each row is copied
//! logarithmically often (a log-structured merge tree; O'Neil et al., 1996). A deletion is one more row, of weight `-1`; it meets the
//! row that it deletes in a merge, where both vanish. So memory follows the live rows, and nothing ever walks the rows of a key.
//!
//! The subtle fact: sorting and merging is paid for in small steps ([`Arrangement::maintain`]), and everything is readable
//! between two steps. A merge in progress shows as its output so far and the rest of its sources, a flush as the head that it sorts.
//!
//! Two `u64` columns take 24.6 bytes per row in runs (16 of data, 8 of order word, the rest directory), and 25 to 28 over all with
//! the head. Appending and maintaining costs 60 to 100 ns per row, a probe with its gather 70 (epochs of 100,000 keys) to 130 ns (10,000)
//! per key in a million rows, on a busy machine (`benches/arrangement.rs`).
//!
//! Contract, trusted and not checked: rows are canonical (see [`crate::types`]), hashes are those of [`crate::hash::hash_columns`].

mod batches;
mod draft;
mod flush;
mod head;
mod levels;
mod matches;
mod merge;
mod probe;
mod run;
mod shape;
mod snapshot;
#[cfg(test)]
mod tests;
mod version;

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::ArrayRef;
use arrow::datatypes::SchemaRef;

use batches::Batches;
use head::Head;
use levels::Levels;
use shape::{Limits, Shape};

pub use levels::Work;
pub use matches::Matches;
pub use snapshot::Snapshot;
pub use version::Version;

use crate::ZBatch;

/// The head's share of all rows, within its limits: a bigger head means fewer merges and a bigger index.
const HEAD_SHARE: usize = 16;

/// Rows with weights under a key. For one thread; [`Arrangement::snapshot`] serves others.
///
/// ```
/// # use std::sync::Arc;
/// # use arrow::array::{ArrayRef, AsArray, UInt64Array};
/// # use arrow::datatypes::{DataType, Field, Schema, UInt64Type};
/// # use deltic_zset::{Arrangement, Matches, ZBatch, hash::hash_columns};
/// let schema = Arc::new(Schema::new(vec![
///     Field::new("key", DataType::UInt64, false),
///     Field::new("value", DataType::UInt64, false),
/// ]));
/// let columns: Vec<ArrayRef> = vec![Arc::new(UInt64Array::from(vec![1, 2, 1])), Arc::new(UInt64Array::from(vec![10, 20, 30]))];
/// let mut arrangement = Arrangement::new(schema.clone(), vec![0]);
/// arrangement.append(&ZBatch::new(schema, columns, None, 3));
/// arrangement.maintain(arrangement.fuel_for(3));
///
/// let keys: Vec<ArrayRef> = vec![Arc::new(UInt64Array::from(vec![2, 3]))];
/// let (mut hashes, mut matches) = (Vec::new(), Matches::new());
/// hash_columns(&keys, 2, &mut hashes);
/// arrangement.probe(&keys, &hashes, &[false], &mut matches);
/// assert_eq!(matches.probe_rows(), [0]);
/// assert_eq!(matches.columns(&[1])?[0].as_primitive::<UInt64Type>().values(), &[20]);
/// # Ok::<(), deltic_zset::Error>(())
/// ```
#[derive(Debug)]
pub struct Arrangement {
    shape: Arc<Shape>,
    /// Rows that were appended before anybody needed an index, then those that are not indexed yet.
    backlog: Arc<Batches>,
    /// Whether new rows still go to the backlog.
    lazy: bool,
    index_wanted: Arc<AtomicBool>,
    head: Rc<Head>,
    levels: Levels,
}

impl Arrangement {
    /// An empty arrangement of rows of `schema` under the columns `key` (none: all rows have the same, empty key).
    ///
    /// # Panics
    /// If `schema` lacks a column of `key`.
    pub fn new(schema: SchemaRef, key: Vec<usize>) -> Self {
        Self::with_limits(schema, key, false, Limits::default())
    }

    fn with_limits(schema: SchemaRef, key: Vec<usize>, lazy: bool, limits: Limits) -> Self {
        assert!(key.iter().all(|&column| column < schema.fields().len()), "the key is made of columns of the schema");
        let shape = Shape::new(schema, key, limits);
        Arrangement {
            shape: shape.clone(),
            backlog: Arc::default(),
            lazy,
            index_wanted: Arc::default(),
            head: Rc::default(),
            levels: Levels::new(shape),
        }
    }

    /// As [`Arrangement::new`], for contents that are mostly read whole: rows are kept as they come, without hashing or sorting, until the
    /// first deletion or the first look at a key (a [`Version::probe`] or [`Snapshot::lookup`], in any thread).
    ///
    /// From then on new rows are indexed, and the old ones bit by bit by [`Arrangement::maintain`]; looking up a key goes through
    /// those that are left one by one.
    pub fn new_lazy(schema: SchemaRef, key: Vec<usize>) -> Self {
        Self::with_limits(schema, key, true, Limits::default())
    }

    /// The schema of the rows.
    pub fn schema(&self) -> &SchemaRef {
        &self.shape.schema
    }

    /// The key columns.
    pub fn key(&self) -> &[usize] {
        &self.shape.key
    }

    /// Adds the rows of one epoch, in time proportional to their number.
    ///
    /// Call [`Arrangement::maintain`] after it, or heads and runs pile up and probes get slow.
    pub fn append(&mut self, batch: &ZBatch) {
        if self.stays_lazy(batch) {
            Arc::make_mut(&mut self.backlog).push(batch.clone());
        } else {
            self.append_indexed(batch, &self.shape.key_hashes(batch));
        }
    }

    /// As [`Arrangement::append`], for a caller that has the hashes of the key columns ([`crate::hash::hash_columns`]).
    ///
    /// # Panics
    /// If there is not one hash per row.
    pub fn append_hashed(&mut self, batch: &ZBatch, hashes: &[u64]) {
        if self.stays_lazy(batch) {
            Arc::make_mut(&mut self.backlog).push(batch.clone());
        } else {
            self.append_indexed(batch, hashes);
        }
    }

    fn stays_lazy(&mut self, batch: &ZBatch) -> bool {
        self.lazy &= batch.weights().is_none_or(|weights| weights.iter().all(|&weight| weight == 1));
        self.lazy &= !self.index_wanted.load(Ordering::Relaxed);
        self.lazy
    }

    fn append_indexed(&mut self, batch: &ZBatch, hashes: &[u64]) {
        if batch.is_empty() {
            return;
        }
        let mut orders = Vec::with_capacity(batch.len());
        self.shape.order_words(batch, hashes, &mut orders);
        let limit = (self.entries() / HEAD_SHARE).clamp(self.shape.limits.min_head, self.shape.limits.max_head);
        if batch.len() > limit {
            // So many rows are sorted at once, without going through an index first.
            self.levels.sort_now(batch, &orders);
            return;
        }
        self.head.append(batch.clone(), &orders);
        if self.head.len() >= limit {
            self.head = self.levels.flush(self.head.clone(), limit);
        }
    }

    /// The fuel that [`Arrangement::maintain`] needs to keep up with `appended_rows` more rows: what is being sorted or merged now is
    /// then done before as much again arrives, and no sooner than it takes to spread the work evenly over the epochs.
    pub fn fuel_for(&self, appended_rows: usize) -> usize {
        appended_rows * self.levels.urgency() + if self.must_index() { appended_rows.max(self.shape.limits.segment) } else { 0 }
    }

    /// Sorts and merges up to about `fuel_rows` rows; returns how many it did, `0` if nothing is left to do.
    ///
    /// A step is a few ten thousand rows; what a call does too much, the next ones do less.
    pub fn maintain(&mut self, fuel_rows: usize) -> usize {
        let mut done = self.levels.work_off(fuel_rows);
        while done < fuel_rows && self.levels.is_idle() && self.must_index() {
            done += self.index_backlog();
            self.levels.owe(done.saturating_sub(fuel_rows));
            done += self.levels.work_off(fuel_rows.saturating_sub(done));
        }
        done
    }

    fn must_index(&self) -> bool {
        !self.backlog.is_empty() && (!self.lazy || self.index_wanted.load(Ordering::Relaxed))
    }

    /// Sorts the newest part of the backlog into a run; returns the number of its rows.
    fn index_backlog(&mut self) -> usize {
        self.lazy = false;
        let rows = self.backlog.rows().min(self.shape.limits.backlog_part);
        let part = self.backlog.suffix(rows);
        let mut orders = Vec::with_capacity(rows);
        for batch in part.iter() {
            self.shape.order_words(batch, &self.shape.key_hashes(batch), &mut orders);
        }
        self.levels.sort_batches_now(part, orders);
        self.backlog = Arc::new(self.backlog.prefix(self.backlog.rows() - rows));
        rows
    }

    /// The contents as they are now, frozen, for this thread. Takes well under a microsecond.
    pub fn version(&self) -> Version {
        let heads = self.levels.flushing().chain(std::iter::once(&self.head));
        Version {
            shape: self.shape.clone(),
            runs: self.levels.visible(),
            heads: heads.filter(|head| head.len() > 0).map(|head| (head.clone(), head.len())).collect(),
            backlog: self.backlog.clone(),
            index_wanted: self.index_wanted.clone(),
        }
    }

    /// The contents as they are now, frozen, for any thread. Takes microseconds.
    pub fn snapshot(&self) -> Snapshot {
        self.version().snapshot()
    }

    /// As [`Version::probe`], on the current contents.
    ///
    /// # Panics
    /// As [`Version::probe`].
    pub fn probe(&self, keys: &[ArrayRef], hashes: &[u64], null_safe: &[bool], matches: &mut Matches) {
        self.version().probe(keys, hashes, null_safe, matches);
    }

    /// The number of stored entries; a row and its deletion count until a merge cancels them.
    pub fn entries(&self) -> usize {
        self.backlog.rows() + self.head.len() + self.levels.rows()
    }

    /// The work done since the beginning.
    pub fn work(&self) -> Work {
        self.levels.work()
    }

    /// The memory held, in bytes, not counting what only versions and snapshots hold.
    pub fn memory_bytes(&self) -> usize {
        self.backlog.memory_bytes() + self.head.memory_bytes() + self.levels.memory_bytes()
    }
}
