//! [`Index`]: rows arranged by a key, once, for every join that wants them so.
//!
//! Several epochs are in flight at once and an index runs ahead of the joins that read it: when a join closes epoch `e`, the index may have
//! applied `e + 1` already. So the index keeps, for each epoch that a reader has not passed, the version of the arrangement *before* that
//! epoch, which is cheap since versions share everything. A reader at `e` sees exactly the rows of epochs `< e` ([`Reader::before`]) or
//! `<= e` ([`Reader::after`]).
//!
//! Rows that a watermark has passed are dropped once no reader can ask for an epoch in which they matter. They are
//! counted by the span of their time; when as many are past as are not, the arrangement is built anew without them, so
//! that each row that comes pays for at most one more copy.
//!
//! Contract: a reader asks in ascending epochs, from the one it was made for, and only for epochs that the index has closed, which the
//! dataflow guarantees because the reader's input is the index's output.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::{Rc, Weak};

use arrow::array::{Array, BooleanArray};
use arrow::datatypes::SchemaRef;
use deltic_circuit::EpochInfo;
use deltic_circuit::time::event_times;
use deltic_zset::{Arrangement, Version, ZBatch};

use crate::exchange::coalesce;
use crate::expiring::least_span;
use crate::{EpochOperator, Horizon, Output, StateSize};

/// An arrangement that one [`Index`] writes and any number of joins of the same worker read.
#[derive(Clone)]
pub struct SharedArrangement(Rc<RefCell<State>>);

struct State {
    arrangement: Arrangement,
    /// By epoch: the contents before it was applied.
    before: BTreeMap<u64, Version>,
    /// The least epoch that each reader may still ask for.
    readers: Vec<Weak<Cell<u64>>>,
    ages: Option<Ages>,
}

/// How old the rows are, of an arrangement whose rows end.
struct Ages {
    column: usize,
    span: i64,
    /// By span: how many rows came that are not past.
    rows: BTreeMap<i64, usize>,
    /// How many those are together, and those without a time.
    present: usize,
    /// How many are past and still there.
    past: usize,
    /// Epochs after which nothing earlier than a time is needed, and that time.
    horizons: VecDeque<(u64, i64)>,
}

impl SharedArrangement {
    /// An empty arrangement of rows of `schema` by the columns `key`.
    pub fn new(schema: SchemaRef, key: Vec<usize>) -> Self {
        let arrangement = Arrangement::new(schema, key);
        SharedArrangement(Rc::new(RefCell::new(State { arrangement, before: BTreeMap::new(), readers: Vec::new(), ages: None })))
    }

    /// Prepares for rows that end by the time in `column`.
    fn expect_ends(&self, column: usize) {
        let state = &mut *self.0.borrow_mut();
        let span = least_span(state.arrangement.schema().field(column).data_type());
        state.ages = Some(Ages { column, span, rows: BTreeMap::new(), present: 0, past: 0, horizons: VecDeque::new() });
    }

    /// After `epoch`, rows with a time before `horizon` meet nothing any more.
    fn expect_passed(&self, epoch: u64, horizon: i64) {
        let state = &mut *self.0.borrow_mut();
        let Some(ages) = &mut state.ages else { return };
        if ages.horizons.back().is_none_or(|(_, last)| *last < horizon) {
            ages.horizons.push_back((epoch, horizon));
        }
        state.drop_passed();
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
            if let Some(ages) = &mut state.ages {
                ages.count(batch);
            }
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
        self.before = match self.needed_from() {
            Some(epoch) => self.before.split_off(&epoch),
            None => BTreeMap::new(),
        };
    }

    /// Drops rows that all readers have passed the last epoch for.
    fn drop_passed(&mut self) {
        let needed_from = self.needed_from();
        let Some(ages) = &mut self.ages else { return };
        let mut passed = None;
        while let Some(&(_, horizon)) =
            ages.horizons.front().filter(|(epoch, _)| needed_from.is_none_or(|needed| *epoch < needed))
        {
            passed = Some(horizon);
            ages.horizons.pop_front();
        }
        if let Some(before) = passed.and_then(|horizon| ages.drop_before(horizon)) {
            self.rebuild(before);
        }
    }

    /// The least epoch that a reader may still ask for.
    fn needed_from(&self) -> Option<u64> {
        self.readers.iter().filter_map(|reader| Some(reader.upgrade()?.get())).min()
    }

    /// Replaces the arrangement by one without the rows of a time before `before`. Versions keep what they have.
    fn rebuild(&mut self, before: i64) {
        let Some(ages) = &self.ages else { return };
        let mut rebuilt = Arrangement::new(self.arrangement.schema().clone(), self.arrangement.key().to_vec());
        if ages.present > 0 {
            for batch in self.arrangement.snapshot().batches() {
                let times = event_times(batch.column(ages.column));
                let kept: BooleanArray =
                    (0..batch.len()).map(|row| Some(times.is_null(row) || times.value(row) >= before)).collect();
                let kept = batch.filter(&kept).expect("a mask of the batch's length");
                rebuilt.append(&kept);
                rebuilt.maintain(rebuilt.fuel_for(kept.len()));
            }
        }
        self.arrangement = rebuilt;
    }

    /// The rows of the epochs before `epoch`.
    fn before(&self, epoch: u64) -> Version {
        let kept = self.before.range(epoch..).next();
        kept.map_or_else(|| self.arrangement.version(), |(_, version)| version.clone())
    }
}

impl Ages {
    fn count(&mut self, batch: &ZBatch) {
        let times = event_times(batch.column(self.column));
        // Rows that come together are mostly of one time.
        let mut counted: Option<(i64, usize)> = None;
        for row in 0..batch.len() {
            if times.is_null(row) {
                self.present += 1;
                continue;
            }
            let span = times.value(row).div_euclid(self.span);
            match &mut counted {
                Some((of, rows)) if *of == span => *rows += 1,
                _ => self.add(counted.replace((span, 1))),
            }
        }
        self.add(counted);
    }

    fn add(&mut self, counted: Option<(i64, usize)>) {
        if let Some((span, rows)) = counted {
            *self.rows.entry(span).or_default() += rows;
            self.present += rows;
        }
    }

    /// The time before which rows are to be dropped, if at least half of all are past; they are not counted any more then.
    fn drop_before(&mut self, horizon: i64) -> Option<i64> {
        let passed = horizon.div_euclid(self.span);
        let before = passed.checked_mul(self.span)?;
        while let Some(first) = self.rows.first_entry().filter(|first| *first.key() < passed) {
            let rows = first.remove();
            self.present -= rows;
            self.past += rows;
        }
        if self.past == 0 || self.past < self.present {
            return None;
        }
        self.past = 0;
        Some(before)
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
        let state = &mut *self.shared.0.borrow_mut();
        state.prune();
        state.drop_passed();
    }
}

/// Arranges its input; the output is the input, as it is.
pub struct Index {
    shared: SharedArrangement,
    pending: Vec<ZBatch>,
    horizon: Option<Horizon>,
}

impl Index {
    /// The operator that writes `shared`.
    pub fn new(shared: SharedArrangement) -> Self {
        Index { shared, pending: Vec::new(), horizon: None }
    }

    /// Drops the rows that `horizon` has passed.
    pub fn with_horizon(mut self, horizon: Option<Horizon>) -> Self {
        if let Some(horizon) = &horizon {
            self.shared.expect_ends(horizon.column());
        }
        self.horizon = horizon;
        self
    }
}

impl EpochOperator for Index {
    fn push(&mut self, _port: usize, batch: ZBatch) {
        self.pending.push(batch);
    }

    fn observe(&mut self, info: &EpochInfo) {
        if let Some(horizon) = &mut self.horizon {
            horizon.observe(info);
        }
    }

    fn close(&mut self, epoch: u64) -> Output {
        let rows = coalesce(std::mem::take(&mut self.pending));
        self.shared.apply(epoch, &rows);
        if let Some(horizon) = self.horizon.as_ref().and_then(Horizon::least) {
            self.shared.expect_passed(epoch, horizon);
        }
        Output { rows, errors: Vec::new() }
    }

    fn contents(&self) -> Option<ZBatch> {
        ZBatch::concat(&self.shared.schema(), &self.shared.batches()).ok()
    }

    fn state_size(&self) -> StateSize {
        self.shared.state_size()
    }
}
