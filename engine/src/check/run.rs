//! Runs one history through the engine and compares each view with its meaning at every epoch.

use std::collections::HashMap;

use deltic_circuit::interpreter;
use deltic_zset::ZBatch;

use super::history::{Change, History, Model, Row, quoted, rows_to_batch, weighted_rows};
use super::{BatchOracle, OracleInput, Setup, ViewUnderCheck};
use crate::{Config, Database, Error, Result, Subscription};

/// A view that was not what its query says.
#[derive(Clone, Debug)]
pub(super) struct Difference {
    /// Index of the view.
    pub(super) view: usize,
    /// After how many commits.
    pub(super) commit: usize,
    /// What differed: contents, errors, changelog, or the oracle.
    pub(super) what: String,
}

/// A view that exists in a run.
struct LiveView {
    subscription: Subscription,
    /// Sum of the changelog since creation, on top of the contents at creation.
    integral: HashMap<Row, i64>,
    /// Rows that each relation had when the view was created: what a stream's later view does not see.
    before: Vec<usize>,
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
    let db = Database::open(Config::in_memory().workers(history.workers).pin_workers(false))?;
    for ddl in &setup.ddl {
        db.execute(ddl)?;
    }
    let live = setup.views.iter().map(|_| None).collect();
    let plain = vec![false; setup.plain.len()];
    let mut run = Run { setup, history, oracle, db, model: Model::new(&setup.relations), live, plain };
    for commit in 0..=history.commits.len() {
        run.create_views(commit)?;
        if let Some(difference) = run.compare(commit)? {
            return Ok(Some(difference));
        }
        if let Some(changes) = history.commits.get(commit) {
            run.commit(changes)?;
        }
    }
    run.compare(history.commits.len())
}

impl Run<'_> {
    fn create_views(&mut self, commit: usize) -> Result<()> {
        for (index, view) in self.setup.views.iter().enumerate() {
            if self.history.created_before[index] != commit || !self.setup.selected[index] {
                continue;
            }
            for &plain in &view.plain {
                if !std::mem::replace(&mut self.plain[plain], true) {
                    self.db.execute(&self.setup.plain[plain].sql)?;
                }
            }
            self.db.execute(&view.sql)?;
            let subscription = self.db.subscribe(&[view.name.as_str()])?;
            let integral = weighted_rows(&self.contents(view)?);
            let before = (0..self.setup.relations.len()).map(|relation| self.model.len(relation)).collect();
            self.live[index] = Some(LiveView { subscription, integral, before });
        }
        Ok(())
    }

    fn contents(&self, view: &ViewUnderCheck) -> Result<ZBatch> {
        let batches = self.db.query(&format!("SELECT * FROM {}", quoted(&view.name)))?;
        let batches: Vec<ZBatch> = batches.iter().map(ZBatch::from_record_batch).collect();
        Ok(ZBatch::concat(view.circuit.schema(), &batches)?)
    }

    fn commit(&mut self, changes: &[Change]) -> Result<()> {
        let mut transaction = self.db.begin();
        let mut rest = changes;
        while let Some(first) = rest.first() {
            let alike =
                rest.iter().take_while(|change| change.relation == first.relation && change.insert == first.insert).count();
            let (group, after) = rest.split_at(alike);
            let relation = &self.setup.relations[first.relation];
            let rows: Vec<Row> = group.iter().map(|change| change.row.clone()).collect();
            let batch = rows_to_batch(&relation.schema, &rows)?.to_record_batch()?;
            match first.insert {
                true => transaction.insert(&relation.name, batch)?,
                false => transaction.delete(&relation.name, batch)?,
            }
            rest = after;
        }
        transaction.commit()?;
        for change in changes {
            self.model.apply(&self.setup.relations, change);
        }
        Ok(())
    }

    /// Compares all live views after `commit` commits.
    fn compare(&mut self, commit: usize) -> Result<Option<Difference>> {
        let mut expected: HashMap<String, Expected> = HashMap::new();
        for index in 0..self.setup.views.len() {
            let Some(mut live) = self.live[index].take() else { continue };
            let what = self.compare_view(index, &mut live, &mut expected)?;
            self.live[index] = Some(live);
            if let Some(what) = what {
                return Ok(Some(Difference { view: index, commit, what }));
            }
        }
        Ok(None)
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
        let meant = interpreter::evaluate(&view.circuit, &rows).map_err(|error| Error::internal(format!("check: {error}")))?;
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
        if let Some(text) = difference("sum of the changelog", &wanted, &live.integral) {
            return Ok(Some(text));
        }
        if let Some(oracle) = self.oracle
            && errors.is_empty()
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
            let found = match self.setup.relations.iter().position(|relation| relation.name == name) {
                Some(relation) => {
                    let skip = if self.setup.relations[relation].stream { live.before[relation] } else { 0 };
                    let rows = self.model.contents(&self.setup.relations, relation, skip)?;
                    Expected { rows, errors: ZBatch::empty(deltic_circuit::errors::error_schema()) }
                }
                None => expected
                    .get(name)
                    .cloned()
                    .ok_or_else(|| Error::internal(format!("check: view {} reads {name}, which is not created", view.name)))?,
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
        for delta in change?.deltas {
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
