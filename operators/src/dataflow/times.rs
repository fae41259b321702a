//! [`EpochTimes`]: what the epochs of a worker know beside their rows.
//!
//! The time of an epoch and its watermarks do not flow with the rows. They are written down here before the epoch is fed, and the drivers of
//! operators that time matters to look them up when they close it. By then the entry is there on every worker: an epoch cannot be complete
//! before this worker has ended it.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ops::Bound;
use std::rc::{Rc, Weak};
use std::sync::Arc;

use deltic_circuit::EpochInfo;

/// The times of the epochs that are not complete. Clones are the same.
#[derive(Clone, Default)]
pub struct EpochTimes(Rc<RefCell<State>>);

#[derive(Default)]
struct State {
    epochs: BTreeMap<u64, Arc<EpochInfo>>,
    /// The last epoch that each reader has passed.
    readers: Vec<Weak<Cell<u64>>>,
    /// The number of entries at which those are looked for that no reader needs.
    prune_at: usize,
}

/// No pruning below this number of entries.
const LEAST_PRUNED: usize = 16;

impl EpochTimes {
    /// Writes down what `epoch` knows. To be called before any dataflow is advanced past the epoch; epochs of which nothing is said know what the one before
    /// them knew.
    pub fn insert(&self, epoch: u64, info: Arc<EpochInfo>) {
        let state = &mut *self.0.borrow_mut();
        if state.epochs.len() >= state.prune_at {
            state.prune();
        }
        if !state.readers.is_empty() {
            state.epochs.insert(epoch, info);
        }
    }

    /// A reader that starts in epoch `since`, of which it knows `info`.
    pub(crate) fn reader(&self, since: u64, info: Arc<EpochInfo>) -> TimesReader {
        let passed = Rc::new(Cell::new(since));
        self.0.borrow_mut().readers.push(Rc::downgrade(&passed));
        TimesReader { times: self.clone(), passed, info }
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.0.borrow().epochs.len()
    }
}

impl State {
    fn prune(&mut self) {
        self.readers.retain(|reader| reader.strong_count() > 0);
        let passed = self.readers.iter().filter_map(|reader| Some(reader.upgrade()?.get())).min();
        self.epochs = match passed {
            Some(passed) => self.epochs.split_off(&passed.saturating_add(1)),
            None => BTreeMap::new(),
        };
        self.prune_at = 2 * self.epochs.len() + LEAST_PRUNED;
    }
}

/// One reader of [`EpochTimes`]; it goes through the epochs in order.
pub(crate) struct TimesReader {
    times: EpochTimes,
    passed: Rc<Cell<u64>>,
    /// What the last epoch that was passed knew.
    info: Arc<EpochInfo>,
}

impl TimesReader {
    /// The next epoch of which something is known.
    pub(crate) fn next(&self) -> Option<u64> {
        let state = self.times.0.borrow();
        let after = (Bound::Excluded(self.passed.get()), Bound::Unbounded);
        state.epochs.range(after).next().map(|(epoch, _)| *epoch)
    }

    /// Goes on to `epoch` and says what it knows.
    pub(crate) fn enter(&mut self, epoch: u64) -> &EpochInfo {
        self.pass(epoch.saturating_add(1));
        &self.info
    }

    /// Passes the epochs before `epoch`.
    pub(crate) fn pass(&mut self, epoch: u64) {
        let Some(last) = epoch.checked_sub(1).filter(|last| *last > self.passed.get()) else { return };
        let passed = (Bound::Excluded(self.passed.get()), Bound::Included(last));
        if let Some((_, info)) = self.times.0.borrow().epochs.range(passed).next_back() {
            self.info = info.clone();
        }
        self.passed.set(last);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(now: i64) -> Arc<EpochInfo> {
        Arc::new(EpochInfo { now, ..EpochInfo::default() })
    }

    #[test]
    fn an_epoch_of_which_nothing_is_said_knows_what_the_one_before_knew() {
        let times = EpochTimes::default();
        let mut reader = times.reader(3, at(30));
        times.insert(5, at(50));
        times.insert(7, at(70));
        assert_eq!(reader.enter(3).now, 30);
        assert_eq!(reader.next(), Some(5));
        assert_eq!(reader.enter(4).now, 30);
        assert_eq!(reader.enter(6).now, 50);
        assert_eq!(reader.next(), Some(7));
        reader.pass(8);
        assert_eq!(reader.next(), None);
        assert_eq!(reader.enter(9).now, 70);
    }

    #[test]
    fn what_all_have_passed_is_forgotten() {
        let times = EpochTimes::default();
        times.insert(0, at(0));
        assert_eq!(times.len(), 0, "nobody reads");
        let mut reader = times.reader(0, at(0));
        for epoch in 1..10_000 {
            times.insert(epoch, at(0));
            reader.enter(epoch);
            assert!(times.len() <= LEAST_PRUNED + 1);
        }
        drop(reader);
        (10_000..10_100).for_each(|epoch| times.insert(epoch, at(0)));
        assert_eq!(times.len(), 0);
    }
}
