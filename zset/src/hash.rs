//! Row hashes.

use arrow::array::ArrayRef;

/// Replaces `hashes` by one strong 64-bit hash per row of `columns`; equal canonical rows have equal hashes, everywhere.
pub fn hash_columns(columns: &[ArrayRef], rows: usize, hashes: &mut Vec<u64>) {
    let _ = (columns, rows, hashes);
    todo!()
}

/// The worker, of `peers`, that holds rows of this hash: a function of the high bits (state tables use the low ones).
pub fn worker_of(hash: u64, peers: usize) -> usize {
    (((hash >> 32) * peers as u64) >> 32) as usize
}
