//! [`HashDistributor`]: sends every row to the worker that owns its key.
//!
//! The distributor must not *do* anything to the rows: with one worker timely bypasses it. It collects the batches of an epoch until timely
//! flushes it (at the end of the sender's activation, or when the epoch changes), so that many small batches become one per worker.
//! Progress tracking counts rows, so what `partition` takes, `flush` must give, to the row.

use arrow::array::{ArrayRef, UInt32Array};
use deltic_zset::ZBatch;
use deltic_zset::hash::{hash_columns, worker_of};
use timely::communication::Push;
use timely::dataflow::channels::Message;
use timely::dataflow::channels::pushers::exchange::Distributor;

use crate::container::Delta;

/// Rows that are held back, at most, to be sent as one batch per worker.
const COALESCED_ROWS: usize = 1 << 16;

/// Partitions batches by the hash of some columns.
pub(crate) struct HashDistributor {
    columns: Vec<usize>,
    held: Vec<ZBatch>,
    held_rows: usize,
    hashes: Vec<u64>,
}

impl HashDistributor {
    /// Rows that agree on `columns` go to one worker; without columns, all rows go to the same.
    pub(crate) fn new(columns: Vec<usize>) -> Self {
        HashDistributor { columns, held: Vec::new(), held_rows: 0, hashes: Vec::new() }
    }

    fn send_held<T: Clone, P: Push<Message<T, Delta>>>(&mut self, time: &T, pushers: &mut [P]) {
        self.held_rows = 0;
        for batch in coalesce(std::mem::take(&mut self.held)) {
            self.send(&batch, time, pushers);
        }
    }

    fn send<T: Clone, P: Push<Message<T, Delta>>>(&mut self, batch: &ZBatch, time: &T, pushers: &mut [P]) {
        let keys: Vec<ArrayRef> = self.columns.iter().map(|&column| batch.column(column).clone()).collect();
        hash_columns(&keys, batch.len(), &mut self.hashes);
        let peers = pushers.len();
        let mut rows: Vec<Vec<u32>> = vec![Vec::new(); peers];
        for (row, &hash) in (0u32..).zip(&self.hashes) {
            rows[worker_of(hash, peers)].push(row);
        }
        for (rows, pusher) in rows.into_iter().zip(pushers) {
            let part = match rows.len() {
                0 => continue,
                all if all == batch.len() => batch.clone(),
                _ => batch.take(&UInt32Array::from(rows)).expect("a part of a batch is not longer than the batch"),
            };
            Message::push_at(&mut Delta(part), time.clone(), pusher);
        }
    }
}

impl Distributor<Delta> for HashDistributor {
    fn partition<T: Clone, P: Push<Message<T, Delta>>>(&mut self, container: &mut Delta, time: &T, pushers: &mut [P]) {
        let Delta(batch) = std::mem::take(container);
        self.held_rows += batch.len();
        self.held.push(batch);
        if self.held_rows >= COALESCED_ROWS {
            self.send_held(time, pushers);
        }
    }

    fn flush<T: Clone, P: Push<Message<T, Delta>>>(&mut self, time: &T, pushers: &mut [P]) {
        self.send_held(time, pushers);
    }

    fn relax(&mut self) {
        self.hashes = Vec::new();
    }
}

/// The worker that owns the rows of the empty key: where everything goes that must be in one place.
pub(crate) fn owner_of_empty_key(peers: usize) -> usize {
    let mut hashes = Vec::new();
    hash_columns(&[], 1, &mut hashes);
    worker_of(hashes[0], peers)
}

/// The same rows in fewer batches: one, unless a string column would pass 2 GiB. Empty batches are left out.
pub(crate) fn coalesce(mut batches: Vec<ZBatch>) -> Vec<ZBatch> {
    batches.retain(|batch| !batch.is_empty());
    let Some(schema) = batches.first().map(|batch| batch.schema().clone()) else { return batches };
    match ZBatch::concat(&schema, &batches) {
        Ok(batch) => vec![batch],
        Err(_) => batches,
    }
}

/// The sum of the batches, each row once; the batches as they are, if a sum of weights (or a string column) does not fit.
pub(crate) fn consolidated(batches: Vec<ZBatch>) -> Vec<ZBatch> {
    let mut batches = coalesce(batches);
    if let [batch] = &batches[..]
        && let Ok(sum) = batch.consolidate()
    {
        batches = if sum.is_empty() { Vec::new() } else { vec![sum] };
    }
    batches
}
