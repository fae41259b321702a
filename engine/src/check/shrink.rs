//! Cuts a failing history down: fewer views, one worker, fewer steps, fewer rows and moves of time; as long as the view stays wrong.

use super::history::{History, Step};
use super::run::{Difference, outcome};
use super::{BatchOracle, CheckFailure, Setup};
use crate::Result;

/// Runs that the search may take.
const MAX_RUNS: usize = 400;

struct Shrinker<'a> {
    setup: Setup,
    oracle: Option<&'a dyn BatchOracle>,
    best: History,
    difference: Difference,
    runs: usize,
}

/// The smallest failing history found.
pub(super) fn shrink(
    setup: &Setup,
    history: History,
    difference: Difference,
    oracle: Option<&dyn BatchOracle>,
    iteration: u64,
) -> Result<CheckFailure> {
    let mut shrinker = Shrinker { setup: setup.clone(), oracle, best: history, difference, runs: 0 };
    shrinker.keep_only_the_view();
    shrinker.simplify();
    while shrinker.drop_parts() {}
    let Shrinker { setup, best, difference, .. } = shrinker;
    let definitions = definitions(&setup);
    Ok(CheckFailure {
        view: setup.views[difference.view].name.clone(),
        iteration,
        workers: best.workers,
        difference: format!("after step {} of {}, {}", difference.step, best.steps.len(), difference.what),
        sql: best.to_sql(&setup, &definitions),
    })
}

/// The definition of each selected view with its index, with those of the plain views that it is the first to need.
fn definitions(setup: &Setup) -> Vec<(usize, String)> {
    let mut defined = vec![false; setup.plain.len()];
    let mut definitions = Vec::new();
    for (index, view) in setup.views.iter().enumerate().filter(|(index, _)| setup.selected[*index]) {
        let mut sql = String::new();
        for &plain in &view.plain {
            if !std::mem::replace(&mut defined[plain], true) {
                sql.push_str(setup.plain[plain].sql.trim().trim_end_matches(';'));
                sql.push_str(";\n");
            }
        }
        sql.push_str(&view.sql);
        definitions.push((index, sql));
    }
    definitions
}

impl Shrinker<'_> {
    /// Whether `history` still shows a difference; then it is the new best. One that the engine fails at shows only that.
    fn fails(&mut self, history: History) -> bool {
        if self.runs >= MAX_RUNS {
            return false;
        }
        self.runs += 1;
        match outcome(&self.setup, &history, self.oracle) {
            Some(difference) if difference.failed == self.difference.failed => {
                self.best = history;
                self.difference = difference;
                true
            }
            _ => false,
        }
    }

    fn keep_only_the_view(&mut self) {
        let all = self.setup.selected.clone();
        let mut needed = vec![false; all.len()];
        let mut todo = vec![self.difference.view];
        todo.extend(self.setup.equal.iter().filter(|pair| pair.1 == self.difference.view).map(|pair| pair.0));
        while let Some(view) = todo.pop() {
            needed[view] = true;
            for source in self.setup.views[view].circuit.sources() {
                if let Some(position) = self.setup.views.iter().position(|other| other.name == source)
                    && !needed[position]
                {
                    todo.push(position);
                }
            }
        }
        self.setup.selected = needed;
        if !self.fails(self.best.clone()) {
            // It takes the company of other views (shared state, say).
            self.setup.selected = all;
        }
    }

    fn simplify(&mut self) {
        let one_worker = History { workers: 1, ..self.best.clone() };
        self.fails(one_worker);
        let first = History { created_before: vec![0; self.best.created_before.len()], ..self.best.clone() };
        self.fails(first);
        let steps: Vec<Step> = self.best.steps.iter().flat_map(single_steps).collect();
        let created = self.best.created_before.iter().map(|&created| if created == 0 { 0 } else { steps.len() }).collect();
        let singles = History { steps, created_before: created, workers: self.best.workers };
        self.fails(singles.normalized(&self.setup));
    }

    /// One pass of delta debugging over all that happens: ever smaller chunks are left out. Whether anything went.
    fn drop_parts(&mut self) -> bool {
        let before = self.best.len();
        let mut chunk = before.div_ceil(2);
        while chunk > 0 && self.runs < MAX_RUNS {
            let mut start = 0;
            while start < self.best.len() {
                let candidate = without(&self.best, start, chunk).normalized(&self.setup);
                if candidate.len() >= self.best.len() || !self.fails(candidate) {
                    start += chunk;
                }
            }
            chunk /= 2;
        }
        self.best.len() < before && self.runs < MAX_RUNS
    }
}

/// A step for each thing that happens in `step`.
fn single_steps(step: &Step) -> Vec<Step> {
    let changes = step.changes.iter().map(|change| Step { changes: vec![change.clone()], ..Step::default() });
    let watermarks = step.watermarks.iter().map(|watermark| Step { watermarks: vec![*watermark], ..Step::default() });
    let clock = (step.clock != 0).then(|| Step { clock: step.clock, ..Step::default() });
    changes.chain(watermarks).chain(clock).collect()
}

/// The history without the things `start .. start + count` that happen, counted through all steps.
fn without(history: &History, start: usize, count: usize) -> History {
    let mut position = 0;
    let mut result = history.clone();
    for step in &mut result.steps {
        step.retain(|| {
            let keep = !(start..start + count).contains(&position);
            position += 1;
            keep
        });
    }
    result
}
