//! Cuts a failing query down, then its history.
//!
//! The query is kept alone with its history; ever smaller trees take its place as long as some view still fails. The equivalent form is dropped if the
//! query fails without it, else it is made anew of each smaller query.

use super::super::history::History;
use super::super::run::{Difference, run};
use super::super::{BatchOracle, CheckFailure, Setup, shrink as histories};
use super::tree::Query;
use super::{Batch, Case};
use crate::Result;

/// Candidates that the search may try.
const MAX_TRIES: usize = 600;

/// A failing query.
struct Failing {
    batch: Batch,
    setup: Setup,
    history: History,
    difference: Difference,
}

/// The smallest failing case found.
pub(super) fn shrink(
    batch: Batch,
    setup: &Setup,
    history: History,
    difference: Difference,
    oracle: Option<&dyn BatchOracle>,
    number: u64,
) -> Result<CheckFailure> {
    let name = setup.views[difference.view].name.clone();
    let index: usize = name.trim_end_matches("_again").trim_start_matches('v').parse().unwrap_or_default();
    let mut failing = Failing { batch, setup: setup.clone(), history, difference };
    let case = failing.batch.cases.get(index).cloned();
    if let Some(case) = case {
        let mut tries = 0;
        let alone = |query: Query| Case { query, again: None };
        let again = case.again.map(|again| again.apply(&case.query, &name));
        let found = failing.replaced(alone(case.query.clone()), oracle);
        let found = found.or_else(|| failing.replaced(alone(again?), oracle)).or_else(|| failing.replaced(case, oracle));
        if let Some(found) = found {
            failing = found;
            while tries < MAX_TRIES && failing.step(&mut tries, oracle) {}
        }
    }
    let Failing { setup, history, difference, .. } = failing;
    histories::shrink(&setup, history, difference, oracle, number)
}

impl Failing {
    /// The same with one case, if it still fails.
    fn replaced(&self, case: Case, oracle: Option<&dyn BatchOracle>) -> Option<Failing> {
        let batch = Batch { ddl: self.batch.ddl.clone(), cases: vec![case] };
        let setup = batch.setup().ok()?;
        let history = History { created_before: vec![self.created(); setup.views.len()], ..self.history.clone() };
        let difference = run(&setup, &history, oracle).ok().flatten()?;
        Some(Failing { batch, setup, history, difference })
    }

    /// When the failing view was created.
    fn created(&self) -> usize {
        self.history.created_before.get(self.difference.view).copied().unwrap_or_default()
    }

    /// Takes the first smaller case that fails. Whether there is one.
    fn step(&mut self, tries: &mut usize, oracle: Option<&dyn BatchOracle>) -> bool {
        let Some(case) = self.batch.cases.first().cloned() else { return false };
        let candidates = case.query.smaller().into_iter().map(|query| Case { query, again: case.again });
        for candidate in candidates {
            if *tries >= MAX_TRIES {
                return false;
            }
            *tries += 1;
            if let Some(found) = self.replaced(candidate, oracle) {
                *self = found;
                return true;
            }
        }
        false
    }
}
