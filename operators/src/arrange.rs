//! [`Index`]: rows arranged by a key, once, for every join that wants them so.
//!
//! Several epochs are in flight at once and an index runs ahead of the joins that read it: when a join closes epoch `e`, the index may have
//! applied `e + 1` already. So the index keeps, for each epoch that a reader has not passed, the version of the arrangement *before* that
//! epoch, which is cheap since versions share everything. A reader at `e` sees exactly the rows of epochs `< e` ([`Reader::before`]) or
//! `<= e` ([`Reader::after`]).
//!
//! Contract: a reader asks in ascending epochs, from the one it was made for, and only for epochs that the index has closed, which the
//! dataflow guarantees because the reader's input is the index's output.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};

use arrow::datatypes::SchemaRef;
use deltic_zset::{Arrangement, Version, ZBatch};

use crate::exchange::coalesce;
use crate::{EpochOperator, Output, StateSize};

/// An arrangement that one [`Index`] writes and any number of joins of the same worker read.
#[derive(Clone)]
pub struct SharedArrangement(Rc<RefCell<State>>);

struct State {
    arrangement: Arrangement,
    /// By epoch: the contents before it was applied.
    before: BTreeMap<u64, Version>,
    /// The least epoch that each reader may still ask for.
    readers: Vec<Weak<Cell<u64>>>,
}

impl SharedArrangement {
    /// An empty arrangement of rows of `schema` by the columns `key`.
    pub fn new(schema: SchemaRef, key: Vec<usize>) -> Self {
        let arrangement = Arrangement::new(schema, key);
        SharedArrangement(Rc::new(RefCell::new(State { arrangement, before: BTreeMap::new(), readers: Vec::new() })))
    }

    /// The columns of the rows.
    pub fn schema(&self) -> SchemaRef {
        self.0.borrow().arrangement.schema().clone()
    }

    /// The key columns.
    pub fn key(&self) -> Vec<usize> {
        self.0.borrow().arrangement.key().to_vec()
    }

    /// Adds the rows of `epoch`, which no earlier call has reached, and does the maintenance that keeps up with them.
    pub fn apply(&self, epoch: u64, batches: &[ZBatch]) {
        let rows: usize = batches.iter().map(ZBatch::len).sum();
        if rows == 0 {
            return;
        }
        let state = &mut *self.0.borrow_mut();
        state.prune();
        if !state.readers.is_empty() {
            state.before.entry(epoch).or_insert_with(|| state.arrangement.version());
        }
        for batch in batches {
            state.arrangement.append(batch);
        }
        let fuel = state.arrangement.fuel_for(rows);
        state.arrangement.maintain(fuel);
    }

    /// Merges for at most `fuel_rows` rows of work; returns how much there was to do.
    pub fn maintain(&self, fuel_rows: usize) -> usize {
        self.0.borrow_mut().arrangement.maintain(fuel_rows)
    }

    /// A reader that will ask for the epochs from `since` on.
    pub fn reader(&self, since: u64) -> Reader {
        let needed_from = Rc::new(Cell::new(since));
        self.0.borrow_mut().readers.push(Rc::downgrade(&needed_from));
        Reader { shared: self.clone(), needed_from }
    }

    /// All rows. A row may occur in several batches only if they do not fit into one.
    pub fn batches(&self) -> Vec<ZBatch> {
        let snapshot = self.0.borrow().arrangement.snapshot();
        snapshot.consolidated().map_or_else(|_| snapshot.batches().collect(), |rows| vec![rows])
    }

    /// How many rows are stored, in how many bytes.
    pub fn state_size(&self) -> StateSize {
        let arrangement = &self.0.borrow().arrangement;
        StateSize { rows: arrangement.entries(), bytes: arrangement.memory_bytes() }
    }

    #[cfg(test)]
    pub(crate) fn versions_held(&self) -> usize {
        self.0.borrow().before.len()
    }
}

impl State {
    /// Drops the versions that every reader has passed.
    fn prune(&mut self) {
        self.readers.retain(|reader| reader.strong_count() > 0);
        let needed_from = self.readers.iter().filter_map(|reader| Some(reader.upgrade()?.get())).min();
        self.before = match needed_from {
            Some(epoch) => self.before.split_off(&epoch),
            None => BTreeMap::new(),
        };
    }

    /// The rows of the epochs before `epoch`.
    fn before(&self, epoch: u64) -> Version {
        let kept = self.before.range(epoch..).next();
        kept.map_or_else(|| self.arrangement.version(), |(_, version)| version.clone())
    }
}

/// One reader of a [`SharedArrangement`].
pub struct Reader {
    shared: SharedArrangement,
    needed_from: Rc<Cell<u64>>,
}

impl Reader {
    /// The columns of the rows.
    pub fn schema(&self) -> SchemaRef {
        self.shared.schema()
    }

    /// The rows of the epochs `< epoch`.
    pub fn before(&self, epoch: u64) -> Version {
        debug_assert!(epoch >= self.needed_from.get(), "a reader asks in ascending epochs");
        self.shared.0.borrow().before(epoch)
    }

    /// The rows of the epochs `<= epoch`.
    pub fn after(&self, epoch: u64) -> Version {
        self.before(epoch + 1)
    }

    /// Promises not to ask for epochs before `epoch` again.
    pub fn advance_to(&self, epoch: u64) {
        self.needed_from.set(epoch);
        self.shared.0.borrow_mut().prune();
    }
}

/// Arranges its input; the output is the input, as it is.
pub struct Index {
    shared: SharedArrangement,
    pending: Vec<ZBatch>,
}

impl Index {
    /// The operator that writes `shared`.
    pub fn new(shared: SharedArrangement) -> Self {
        Index { shared, pending: Vec::new() }
    }
}

impl EpochOperator for Index {
    fn push(&mut self, _port: usize, batch: ZBatch) {
        self.pending.push(batch);
    }

    fn close(&mut self, epoch: u64) -> Output {
        let rows = coalesce(std::mem::take(&mut self.pending));
        self.shared.apply(epoch, &rows);
        Output { rows, errors: Vec::new() }
    }

    fn contents(&self) -> Option<ZBatch> {
        ZBatch::concat(&self.shared.schema(), &self.shared.batches()).ok()
    }

    fn state_size(&self) -> StateSize {
        self.shared.state_size()
    }
}
