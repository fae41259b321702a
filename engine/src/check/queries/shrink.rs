//! Cuts a failing query down, then its history.
//!
//! The query is kept alone with its history; ever smaller trees take its place as long as some view still fails. Its equivalent forms are dropped if the
//! query fails without them, else what is needed of them is made anew of each smaller query.

use super::super::history::History;
use super::super::run::{Difference, outcome};
use super::super::{BatchOracle, CheckFailure, Setup, shrink as histories};
use super::tree::Query;
use super::{Batch, Case, name};
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
    let found = candidates(&batch, &setup.views[difference.view].name);
    let mut failing = Failing { batch, setup: setup.clone(), history, difference };
    // Only an error of the engine does not say which query it is of: any of them may be.
    if let Some(found) = found.into_iter().find_map(|case| failing.replaced(case, oracle)) {
        failing = found;
        let mut tries = 0;
        while tries < MAX_TRIES && failing.step(&mut tries, oracle) {}
    }
    let Failing { setup, history, difference, .. } = failing;
    histories::shrink(&setup, history, difference, oracle, number)
}

/// What may fail alone: the query of the failing view, another form of it, the query beside one form; then the other queries.
fn candidates(batch: &Batch, failing: &str) -> Vec<Case> {
    let number = failing.trim_start_matches('v').split('_').next().and_then(|digits| digits.parse().ok());
    let mut cases: Vec<(usize, &Case)> = batch.cases.iter().enumerate().collect();
    cases.sort_by_key(|(index, _)| Some(*index) != number);
    let alone = |query: Query| Case { query, again: vec![] };
    let of_case = |(index, case): (usize, &Case)| {
        let part = name(index, None);
        let mut found = vec![alone(case.query.clone())];
        found.extend(case.again.iter().filter_map(|again| again.apply(&case.query, &part)).map(alone));
        found.extend(case.again.iter().map(|again| Case { query: case.query.clone(), again: vec![*again] }));
        found
    };
    cases.into_iter().flat_map(of_case).collect()
}

impl Failing {
    /// The same with one case, if it still fails.
    fn replaced(&self, case: Case, oracle: Option<&dyn BatchOracle>) -> Option<Failing> {
        let batch = Batch { ddl: self.batch.ddl.clone(), cases: vec![case] };
        let setup = batch.setup().ok()?;
        let history = History { created_before: vec![self.created(); setup.views.len()], ..self.history.clone() };
        let difference = outcome(&setup, &history, oracle)?;
        Some(Failing { batch, setup, history, difference })
    }

    /// When the failing view was created.
    fn created(&self) -> usize {
        self.history.created_before.get(self.difference.view).copied().unwrap_or_default()
    }

    /// Takes the first smaller case that fails. Whether there is one.
    fn step(&mut self, tries: &mut usize, oracle: Option<&dyn BatchOracle>) -> bool {
        let Some(case) = self.batch.cases.first().cloned() else { return false };
        let candidates = case.query.smaller().into_iter().map(|query| Case { query, again: case.again.clone() });
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
