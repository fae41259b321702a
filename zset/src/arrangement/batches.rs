//! [`Batches`]: a list of batches read as one sequence of rows.
//!
//! Batches are kept as they were appended, sharing their columns, except that many tiny ones are copied into one: every probe and
//! snapshot pays for each batch, and a batch of three rows costs more in bookkeeping than in data. Rows are named by their position
//! in the whole sequence, which copying does not change, so an index over positions survives it.

use std::sync::Arc;

use crate::ZBatch;

/// So many batches of one size class in a row become one batch.
const COALESCE: usize = 16;
/// Batches of this size class (16^class rows and more) stay as they are.
const BIG_CLASS: u32 = 3;

/// Batches in order; cloning shares them.
#[derive(Clone, Debug, Default)]
pub(super) struct Batches {
    batches: Vec<Arc<ZBatch>>,
    /// The position of the first row of each batch.
    starts: Vec<usize>,
    rows: usize,
}

impl Batches {
    pub(super) fn push(&mut self, batch: ZBatch) {
        if batch.is_empty() {
            return;
        }
        self.push_shared(Arc::new(batch));
        while self.coalesce() {}
    }

    fn push_shared(&mut self, batch: Arc<ZBatch>) {
        self.starts.push(self.rows);
        self.rows += batch.len();
        self.batches.push(batch);
    }

    /// Copies the last batches into one if enough of them are as small as the last or smaller; each row is copied at most once per
    /// size class. Returns whether it did.
    fn coalesce(&mut self) -> bool {
        let Some(class) = self.batches.last().map(|batch| size_class(batch)).filter(|&class| class < BIG_CLASS) else {
            return false;
        };
        let small = self.batches.iter().rev().take_while(|batch| size_class(batch) <= class).count();
        if small < COALESCE {
            return false;
        }
        let first = self.batches.len() - small;
        let parts: Vec<ZBatch> = self.batches[first..].iter().map(|batch| batch.as_ref().clone()).collect();
        // A string column past 2 GiB refuses: then they stay as they are.
        let Ok(whole) = ZBatch::concat(parts[0].schema(), &parts) else { return false };
        self.batches.truncate(first);
        self.starts.truncate(first);
        self.rows -= whole.len();
        self.push_shared(Arc::new(whole));
        true
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows == 0
    }

    pub(super) fn iter(&self) -> std::slice::Iter<'_, Arc<ZBatch>> {
        self.batches.iter()
    }

    /// The batch, and the row in it, of the row at `position`.
    pub(super) fn locate(&self, position: usize) -> (usize, usize) {
        let batch = match self.starts.len() {
            1 => 0,
            _ => self.starts.partition_point(|&start| start <= position) - 1,
        };
        (batch, position - self.starts[batch])
    }

    /// The first `rows` rows.
    pub(super) fn prefix(&self, rows: usize) -> Batches {
        let mut prefix = Batches::default();
        for batch in &self.batches {
            match rows - prefix.rows {
                0 => break,
                wanted if wanted >= batch.len() => prefix.push_shared(batch.clone()),
                wanted => prefix.push_shared(Arc::new(batch.slice(0, wanted))),
            }
        }
        prefix
    }

    /// The last `rows` rows.
    pub(super) fn suffix(&self, rows: usize) -> Batches {
        let skip = self.rows - rows;
        let mut suffix = Batches::default();
        for (batch, &start) in self.batches.iter().zip(&self.starts) {
            if start >= skip {
                suffix.push_shared(batch.clone());
            } else if start + batch.len() > skip {
                suffix.push_shared(Arc::new(batch.slice(skip - start, start + batch.len() - skip)));
            }
        }
        suffix
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.batches.iter().map(|batch| batch.memory_bytes()).sum()
    }
}

fn size_class(batch: &ZBatch) -> u32 {
    (batch.len().ilog2() / 4).min(BIG_CLASS)
}
