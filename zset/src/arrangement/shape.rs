//! [`Shape`]: which columns an arrangement holds, the order word of a row, and the sizes of the parts.
//!
//! Inside a run, rows are ordered by one 64-bit word: the low half of the key's hash above the hash of the whole row. The upper half
//! is what a probe looks for; the lower half brings equal rows of two runs together, so that a merge sees a row and its retraction side
//! by side even if a million other rows share their key. The high half of the key's hash is left out of the upper word because
//! it chose the worker: on one worker its leading bits are all alike and would leave most of a directory unused.

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::SchemaRef;

use crate::ZBatch;
use crate::hash::hash_columns;

/// The sizes of an arrangement's parts, in rows. Tests use small ones.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// A smaller head is not flushed, whatever the size of the arrangement.
    pub(super) min_head: usize,
    /// A head of this size is flushed.
    pub(super) max_head: usize,
    /// So many unindexed rows are indexed at a time.
    pub(super) backlog_part: usize,
    /// A segment has about this many rows, if they are small.
    pub(super) segment: usize,
    /// A flush sorts about this many rows at a time: few enough to stay in the cache.
    pub(super) sort_bucket: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { min_head: 1 << 15, max_head: 1 << 17, backlog_part: 1 << 16, segment: 1 << 14, sort_bucket: 1 << 10 }
    }
}

/// The columns of an arrangement.
#[derive(Debug)]
pub(super) struct Shape {
    pub(super) limits: Limits,
    pub(super) schema: SchemaRef,
    pub(super) key: Vec<usize>,
    /// The columns that are not in the key.
    rest: Vec<usize>,
}

impl Shape {
    pub(super) fn new(schema: SchemaRef, key: Vec<usize>, limits: Limits) -> Arc<Self> {
        let rest = (0..schema.fields().len()).filter(|column| !key.contains(column)).collect();
        Arc::new(Shape { limits, schema, key, rest })
    }

    pub(super) fn key_columns(&self, batch: &ZBatch) -> Vec<ArrayRef> {
        self.key.iter().map(|&column| batch.column(column).clone()).collect()
    }

    pub(super) fn key_hashes(&self, batch: &ZBatch) -> Vec<u64> {
        let mut hashes = Vec::new();
        hash_columns(&self.key_columns(batch), batch.len(), &mut hashes);
        hashes
    }

    /// Adds the order words of the rows of `batch`, whose keys have the hashes `key_hashes`.
    pub(super) fn order_words(&self, batch: &ZBatch, key_hashes: &[u64], orders: &mut Vec<u64>) {
        assert_eq!(key_hashes.len(), batch.len(), "one key hash per row");
        if self.rest.is_empty() {
            orders.extend(key_hashes.iter().map(|hash| hash.rotate_left(32)));
            return;
        }
        let rest: Vec<ArrayRef> = self.rest.iter().map(|&column| batch.column(column).clone()).collect();
        let mut hashes = Vec::new();
        hash_columns(&rest, batch.len(), &mut hashes);
        orders.extend(key_hashes.iter().zip(&hashes).map(|(key, rest)| (key << 32) | ((rest ^ (key >> 32)) & 0xffff_ffff)));
    }
}

/// The part of a key hash that orders rows.
pub(super) fn key_word(hash: u64) -> u32 {
    hash as u32
}

/// The part of an order word that is the key's.
pub(super) fn key_of(order: u64) -> u32 {
    (order >> 32) as u32
}
