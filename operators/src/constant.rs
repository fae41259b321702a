//! [`Constant`]: rows that are there from the beginning and never change.

use deltic_zset::ZBatch;

use crate::{EpochOperator, Output};

/// Emits its rows when the first epoch closes, on one of the workers.
pub struct Constant {
    rows: ZBatch,
    emitted: bool,
}

impl Constant {
    /// The operator. The rows exist once, not once per worker: only one worker has `owns_rows`.
    pub fn new(rows: ZBatch, owns_rows: bool) -> Self {
        Constant { rows, emitted: !owns_rows }
    }
}

impl EpochOperator for Constant {
    fn push(&mut self, _port: usize, _batch: ZBatch) {
        debug_assert!(false, "a constant has no input");
    }

    fn close(&mut self, _epoch: u64) -> Output {
        if std::mem::replace(&mut self.emitted, true) {
            return Output::default();
        }
        Output::of(self.rows.clone(), ZBatch::default())
    }
}
