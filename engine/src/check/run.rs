//! Runs one history through the engine and compares each view with its meaning at every epoch.
//!
//! What a view means at an epoch is a function of the rows that its sources accepted and of what the epoch knows beside (its time and watermarks): the
//! model has both, and the reference interpreter does the rest.

use std::collections::HashMap;

use deltic_circuit::interpreter;
use deltic_zset::ZBatch;

use super::history::{Change, History, InputRelation, Row, Step, created_at, quoted, rows_to_batch, weighted_rows};
use super::model::{Effect, Model};
use super::sample::Sample;
use super::{BatchOracle, OracleInput, Setup, ViewUnderCheck};
use crate::execute::read_relation;
use crate::{Config, Database, Error, ManualClock, Result, Subscription};

/// Results of more rows are compared as they are held, not written out.
const MOST_ROWS: i128 = 1 << 20;

/// A view that was not what its query says.
#[derive(Clone, Debug)]
pub(super) struct Difference {
    /// Index of the view.
    pub(super) view: usize,
    /// After how many steps.
    pub(super) step: usize,
    /// What differed: contents, errors, changelog, or the oracle.
    pub(super) what: String,
    /// Whether nothing differed, because the engine failed.
    pub(super) failed: bool,
}

/// A view that exists in a run.
struct LiveView {
    subscription: Subscription,
    /// Sum of the changelog since creation, on top of the contents at creation.
    integral: HashMap<Row, i64>,
    /// Rows that each relation had when the view was created: what a stream's later view does not see.
    before: Vec<usize>,
    /// If it shows itself at ticks only.
    sample: Option<Sample>,
    /// What its lookups have shown.
    history: interpreter::History,
    /// The watermark that came with the last change.
    watermark: Option<Option<i64>>,
}

/// What a view should hold.
#[derive(Clone)]
struct Expected {
    rows: ZBatch,
    errors: ZBatch,
}

/// One run of a history.
pub(super) struct Run<'a> {
    setup: &'a Setup,
    history: &'a History,
    oracle: Option<&'a dyn BatchOracle>,
    db: Database,
    clock: ManualClock,
    model: Model,
    live: Vec<Option<LiveView>>,
    /// Which plain views exist.
    plain: Vec<bool>,
}

/// Runs `history`; `Ok(None)` if every view was right at every epoch.
///
/// # Errors
/// What the engine refused (a commit, a view), which a valid history never meets.
pub(super) fn run(setup: &Setup, history: &History, oracle: Option<&dyn BatchOracle>) -> Result<Option<Difference>> {
    let clock = ManualClock::default();
    let config = Config::in_memory().workers(history.workers).pin_workers(false).clock(clock.clone());
    let db = Database::open(config)?;
    for ddl in &setup.ddl {
        db.execute(ddl)?;
    }
    let live = setup.views.iter().map(|_| None).collect();
    let plain = vec![false; setup.plain.len()];
    let mut run = Run { setup, history, oracle, db, clock, model: Model::new(&setup.relations), live, plain };
    for index in 0..=history.steps.len() {
        run.create_views(index)?;
        if let Some(difference) = run.compare(index)? {
            return Ok(Some(difference));
        }
        if let Some(step) = history.steps.get(index) {
            run.step(step)?;
        }
    }
    Ok(None)
}

/// As [`run`], but an engine that fails is a difference as well: of the last view, as it does not say which one it failed at.
pub(super) fn outcome(setup: &Setup, history: &History, oracle: Option<&dyn BatchOracle>) -> Option<Difference> {
    run(setup, history, oracle).unwrap_or_else(|error| {
        let what = format!("the engine failed: {error}");
        Some(Difference { view: setup.views.len() - 1, step: history.steps.len(), what, failed: true })
    })
}

impl Run<'_> {
    fn create_views(&mut self, step: usize) -> Result<()> {
        for index in created_at(&self.history.created_before, self.setup, step) {
            let view = &self.setup.views[index];
            for &plain in &view.plain {
                if !std::mem::replace(&mut self.plain[plain], true) {
                    self.db.execute(&self.setup.plain[plain].sql)?;
                }
            }
            self.db.execute(&view.sql)?;
            let subscription = self.db.subscribe(&[view.name.as_str()])?;
            let integral = weighted_rows(&self.contents(view)?);
            let before = self.model.sources.iter().map(|source| source.rows.len()).collect();
            let sample = Sample::of(&view.circuit);
            let history = interpreter::History::default();
            self.live[index] = Some(LiveView { subscription, integral, before, sample, history, watermark: None });
            self.model.add_view(&self.setup.relations, &view.groups);
        }
        Ok(())
    }

    /// What a query of the view answers; what the view holds, if that is too much to be written out row by row.
    fn contents(&self, view: &ViewUnderCheck) -> Result<ZBatch> {
        let held = read_relation(&self.db, None, &view.name)?;
        if (0..held.len()).map(|row| i128::from(held.weight(row))).sum::<i128>() > MOST_ROWS {
            return Ok(held);
        }
        let batches = self.db.query(&format!("SELECT * FROM {}", quoted(&view.name)))?;
        let batches: Vec<ZBatch> = batches.iter().map(ZBatch::from_record_batch).collect();
        Ok(ZBatch::concat(view.circuit.schema(), &batches)?)
    }

    fn step(&mut self, step: &Step) -> Result<()> {
        if step.clock != 0 {
            self.clock.set(self.clock.now() + step.clock);
            self.db.tick()?;
        } else {
            self.commit(step)?;
        }
        self.model.end(&self.setup.relations, step);
        Ok(())
    }

    fn commit(&mut self, step: &Step) -> Result<()> {
        let mut transaction = self.db.begin();
        for (relation, to) in &step.watermarks {
            if Some(*to) >= self.model.sources[*relation].watermark {
                transaction.advance_watermark(&self.setup.relations[*relation].name, *to)?;
            }
        }
        // What cannot happen any more, because the history was cut down, is left out.
        let relations = &self.setup.relations;
        let changes: Vec<&Change> =
            step.changes.iter().filter(|change| self.model.apply(relations, change) != Effect::Impossible).collect();
        let mut rest = &changes[..];
        while let Some(first) = rest.first() {
            let alike =
                rest.iter().take_while(|change| change.relation == first.relation && change.insert == first.insert).count();
            let (group, after) = rest.split_at(alike);
            let relation = &relations[first.relation];
            let rows: Vec<Row> = group.iter().map(|change| change.row.clone()).collect();
            let batch = rows_to_batch(&relation.schema, &rows)?.to_record_batch()?;
            match first.insert {
                true => transaction.insert(&relation.name, batch)?,
                false => transaction.delete(&relation.name, batch)?,
            }
            rest = after;
        }
        transaction.commit()?;
        Ok(())
    }

    /// Compares all live views after `step` steps.
    fn compare(&mut self, step: usize) -> Result<Option<Difference>> {
        let mut expected: HashMap<String, Expected> = HashMap::new();
        for index in 0..self.setup.views.len() {
            let Some(mut live) = self.live[index].take() else { continue };
            let what = self.compare_view(index, &mut live, &mut expected)?;
            self.live[index] = Some(live);
            if let Some(what) = what {
                return Ok(Some(Difference { view: index, step, what, failed: false }));
            }
        }
        Ok(self.setup.equal.iter().find_map(|&(first, second)| {
            let [first_name, name] = [first, second].map(|view| &self.setup.views[view].name);
            let (wanted, got) = (expected.get(first_name)?, expected.get(name)?);
            if !wanted.errors.is_empty() || !got.errors.is_empty() {
                return None;
            }
            let what = format!("rows of {name}, which must be those of {first_name}");
            let what = difference(&what, &weighted_rows(&wanted.rows), &weighted_rows(&got.rows))?;
            Some(Difference { view: second, step, what, failed: false })
        }))
    }

    fn compare_view(
        &self,
        index: usize,
        live: &mut LiveView,
        expected: &mut HashMap<String, Expected>,
    ) -> Result<Option<String>> {
        let view = &self.setup.views[index];
        let sources = self.sources(view, live, expected)?;
        let rows = sources.iter().map(|(name, source)| (name.clone(), source.rows.clone())).collect();
        let meant = interpreter::evaluate_after(&view.circuit, &rows, &self.model.info, &mut live.history);
        let mut meant = meant.map_err(|error| Error::internal(format!("check: {error}")))?;
        if let Some(sample) = &mut live.sample {
            meant.rows = sample.at(&self.model.info, meant.rows);
        }
        let mut errors = vec![meant.errors.clone()];
        errors.extend(sources.values().map(|source| source.errors.clone()));
        let errors = ZBatch::concat(&deltic_circuit::errors::error_schema(), &errors)?;

        let wanted = weighted_rows(&meant.rows);
        if let Some(text) = difference("contents", &wanted, &weighted_rows(&self.contents(view)?)) {
            return Ok(Some(text));
        }
        if let Some(text) = difference("errors", &weighted_rows(&errors), &weighted_rows(&self.db.error_rows(&view.name)?)) {
            return Ok(Some(text));
        }
        if let Some(text) = follow(live)? {
            return Ok(Some(text));
        }
        let time_sources = &view.circuit.node(view.circuit.output).properties.time_sources;
        let watermark = self.model.info.watermark(time_sources);
        if let Some(told) = live.watermark.filter(|told| *told != watermark) {
            return Ok(Some(format!("watermark: should be {watermark:?}, the last change has {told:?}")));
        }
        if let Some(text) = difference("sum of the changelog", &wanted, &live.integral) {
            return Ok(Some(text));
        }
        // A batch engine knows no EMIT, no time of the epoch and no past.
        if let Some(oracle) = self.oracle
            && errors.is_empty()
            && !view.circuit.is_timed()
            && !view.circuit.depends_on_history()
            && let Some(text) = self.ask(oracle, view, &sources, &meant.rows)
        {
            return Ok(Some(text));
        }
        expected.insert(view.name.clone(), Expected { rows: meant.rows, errors });
        Ok(None)
    }

    /// What each source of the view holds, from the view's point of view.
    fn sources(
        &self,
        view: &ViewUnderCheck,
        live: &LiveView,
        expected: &HashMap<String, Expected>,
    ) -> Result<HashMap<String, Expected>> {
        let mut sources = HashMap::new();
        for name in view.circuit.sources() {
            let relations = &self.setup.relations;
            let errors = ZBatch::empty(deltic_circuit::errors::error_schema());
            let is_late = |relation: &InputRelation| relation.late.as_ref().is_some_and(|(late, _)| late == name);
            let found = if let Some(relation) = relations.iter().position(|relation| relation.name == name) {
                let skip = if relations[relation].stream { live.before[relation] } else { 0 };
                Expected { rows: self.model.contents(relations, relation, skip)?, errors }
            } else if let Some(relation) = relations.iter().position(is_late) {
                Expected { rows: self.model.late(relations, relation)?, errors }
            } else {
                let unknown = || Error::internal(format!("check: view {} reads {name}, which is not created", view.name));
                expected.get(name).cloned().ok_or_else(unknown)?
            };
            sources.insert(name.to_string(), found);
        }
        Ok(sources)
    }

    fn ask(
        &self,
        oracle: &dyn BatchOracle,
        view: &ViewUnderCheck,
        sources: &HashMap<String, Expected>,
        meant: &ZBatch,
    ) -> Option<String> {
        let inputs: Vec<OracleInput> =
            sources.iter().map(|(name, source)| OracleInput { name: name.clone(), rows: source.rows.clone() }).collect();
        oracle.compare(&view.query, &inputs, meant)
    }
}

/// Adds what the subscription has to the integral; a change that is not consolidated is a difference.
fn follow(live: &mut LiveView) -> Result<Option<String>> {
    while let Some(change) = live.subscription.try_next() {
        let change = change?;
        live.watermark = Some(change.watermark);
        for delta in change.deltas {
            let batch = ZBatch::from_record_batch(&delta.rows).with_weights(Some(delta.weights.values().clone()));
            let rows = weighted_rows(&batch);
            if rows.len() != batch.len() {
                return Ok(Some(format!("the changelog is not consolidated: {} entries for {} rows", batch.len(), rows.len())));
            }
            for (row, weight) in rows {
                *live.integral.entry(row).or_insert(0) += weight;
            }
        }
    }
    live.integral.retain(|_, weight| *weight != 0);
    Ok(None)
}

/// The rows in which two Z-sets differ, as text.
fn difference(what: &str, wanted: &HashMap<Row, i64>, got: &HashMap<Row, i64>) -> Option<String> {
    let mut lines: Vec<String> = Vec::new();
    for (row, weight) in wanted {
        let other = got.get(row).copied().unwrap_or(0);
        if other != *weight {
            lines.push(format!("  {}: should be there {weight} x, is there {other} x", show(row)));
        }
    }
    for (row, weight) in got {
        if !wanted.contains_key(row) {
            lines.push(format!("  {}: should not be there, is there {weight} x", show(row)));
        }
    }
    lines.sort();
    let shown = lines.len().min(10);
    (!lines.is_empty()).then(|| format!("{what}: {} rows differ\n{}", lines.len(), lines[..shown].join("\n")))
}

fn show(row: &Row) -> String {
    format!("({})", row.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
}
