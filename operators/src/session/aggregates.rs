//! [`AggregateSessions`]: one row per session.

use arrow::array::{ArrayRef, UInt32Array};
use arrow::compute;
use arrow::datatypes::{DataType, SchemaRef};
use deltic_circuit::{EpochInfo, ErrorRows, aggregate_label, render_values};
use deltic_zset::equality::equal_pairs;
use deltic_zset::{Result, ZBatch};

use super::SessionSpec;
use super::admission::{Admission, bounds, output};
use super::clusters::{Change, Epoch};
use super::event::{Entry, Place};
use super::sessions::Session;
use super::state::State;
use crate::tally::Results;
use crate::tally::{CallResults, Plan};
use crate::{EpochOperator, Output, StateSize, WindowMetrics};

/// Keeps one row per session: partition columns, start, end, the result of each call.
pub(super) struct AggregateSessions<T: Results> {
    schema: SchemaRef,
    /// No rows.
    nothing: ZBatch,
    partition: Vec<usize>,
    bound: DataType,
    admission: Admission,
    plan: Plan,
    state: State<T>,
    pending: Vec<Change<T>>,
    keys: Vec<u32>,
    metrics: WindowMetrics,
}

impl<T: Results> AggregateSessions<T> {
    /// The operator of `spec` for the calls of `plan`.
    ///
    /// # Errors
    /// If a partition column cannot be stored.
    pub(super) fn try_new(spec: SessionSpec, plan: Plan) -> Result<Self> {
        Ok(AggregateSessions {
            admission: Admission::new(spec.time, spec.gap),
            state: spec.state()?,
            nothing: ZBatch::empty(spec.schema.clone()),
            schema: spec.schema,
            partition: spec.partition,
            bound: spec.bound,
            plan,
            pending: Vec::new(),
            keys: Vec::new(),
            metrics: WindowMetrics::default(),
        })
    }

    /// The delta of what the clusters show.
    fn delta(&mut self, epoch: &Epoch<T>, errors: &mut ErrorRows) -> ZBatch {
        let shown = self.shown(epoch);
        let batch = self.rows(&shown, errors);
        let retracted = batch.weights().map_or(0, |weights| weights.iter().filter(|&&weight| weight < 0).count());
        self.metrics.retractions_emitted += retracted as u64;
        batch
    }

    fn shown<'e>(&self, epoch: &'e Epoch<T>) -> Shown<'e, T> {
        let mut shown = Shown { sessions: Vec::with_capacity(epoch.olds.len() + epoch.news.len()), pairs: Vec::new() };
        for cluster in &epoch.clusters {
            let [before, after] = cluster.shown;
            let olds = if before { &epoch.olds[cluster.olds.clone()] } else { &[] };
            let mut news = if after { epoch.news[cluster.news.clone()].iter() } else { [].iter() };
            let mut new = news.next();
            for old in olds {
                while let Some(session) = new.filter(|new| new.place.time() < old.place.time()) {
                    shown.sessions.push((session, 1));
                    new = news.next();
                }
                if let Some(session) = new.filter(|new| new.has_bounds_of(old)) {
                    new = news.next();
                    if old.tally.is_same(&session.tally) {
                        continue;
                    }
                    if !self.plan.tells_totals() || old.tally.total() == session.tally.total() {
                        shown.pairs.push(shown.sessions.len() as u32);
                    }
                    shown.sessions.push((old, -1));
                    shown.sessions.push((session, 1));
                } else {
                    shown.sessions.push((old, -1));
                }
            }
            shown.sessions.extend(new.into_iter().chain(news).map(|session| (session, 1)));
        }
        shown
    }

    fn rows(&self, shown: &Shown<'_, T>, errors: &mut ErrorRows) -> ZBatch {
        let Shown { sessions, pairs } = shown;
        if sessions.is_empty() {
            return self.nothing.clone();
        }
        let tallies: Vec<&T> = sessions.iter().map(|(session, _)| &session.tally).collect();
        let results = self.plan.results(&tallies);
        let mut unchanged = unchanged(&results, pairs).into_iter().peekable();
        let mut rows: Vec<u32> = Vec::with_capacity(sessions.len());
        let mut failed: Vec<u32> = Vec::new();
        for (row, (session, _)) in (0..).zip(sessions) {
            // The two of an unchanged pair stand side by side.
            if unchanged.next_if(|&pair| pair + 1 == row).is_some() || unchanged.peek() == Some(&row) {
                continue;
            }
            if session.tally.total() > 0 {
                let list = if results.errors.contains_key(&(row as usize)) { &mut failed } else { &mut rows };
                list.push(row);
            }
        }
        for row in failed {
            self.push_error(row, sessions[row as usize], &results, errors);
        }
        let whole = rows.len() == sessions.len();
        let taken = UInt32Array::from(rows);
        let take = |column: &ArrayRef| {
            if whole { column.clone() } else { compute::take(column, &taken, None).expect("each row is there") }
        };
        let shown: Vec<(&Session<T>, i64)> = taken.values().iter().map(|&row| sessions[row as usize]).collect();
        let columns = self.key_columns(shown.iter().map(|(session, _)| *session)).into_iter();
        let columns = columns.chain(results.columns.iter().map(take)).collect();
        let weights: Vec<i64> = shown.iter().map(|(_, weight)| *weight).collect();
        let weights = weights.iter().any(|&weight| weight != 1).then(|| weights.into());
        ZBatch::new(self.schema.clone(), columns, weights, shown.len())
    }

    /// Partition columns, start and end.
    fn key_columns<'s>(&self, sessions: impl Iterator<Item = &'s Session<T>>) -> Vec<ArrayRef> {
        let (mut keys, mut starts, mut ends) = (Vec::new(), Vec::new(), Vec::new());
        for session in sessions {
            keys.push(session.place.key());
            starts.push(session.place.time());
            ends.push(session.last + self.state.gap);
        }
        self.state.keys.keys(&keys).into_iter().chain(bounds(starts, ends, &self.bound)).collect()
    }

    fn push_error(&self, row: u32, (session, weight): (&Session<T>, i64), results: &CallResults, errors: &mut ErrorRows) {
        if let Some((call, error)) = results.errors.get(&(row as usize)) {
            let key = render_values(&self.key_columns(std::iter::once(session)), 0);
            errors.push(error, &aggregate_label(&self.plan.calls[*call]), key, weight);
        }
    }
}

/// Sessions with the weights of their rows.
struct Shown<'e, T> {
    sessions: Vec<(&'e Session<T>, i64)>,
    /// Where an old and a new session with the same bounds stand side by side whose results may be the same.
    pairs: Vec<u32>,
}

/// Those of `pairs` whose results are the same.
fn unchanged(results: &CallResults, pairs: &[u32]) -> Vec<u32> {
    let news: Vec<u32> = pairs.iter().map(|pair| pair + 1).collect();
    let mut equal = Vec::new();
    equal_pairs(&results.columns, pairs, &results.columns, &news, &vec![true; results.columns.len()], &mut equal);
    let error = |row: u32| results.errors.get(&(row as usize));
    let same = |pair: u32, equal: bool| match (error(pair), error(pair + 1)) {
        (None, None) => equal,
        (old, new) => old == new,
    };
    pairs.iter().zip(equal).filter(|&(&pair, equal)| same(pair, equal)).map(|(&pair, _)| pair).collect()
}

impl<T: Results> EpochOperator for AggregateSessions<T> {
    fn push(&mut self, _port: usize, batch: ZBatch) {
        let (batch, times) = self.admission.admit(batch);
        if batch.is_empty() {
            return;
        }
        let keys: Vec<ArrayRef> = self.partition.iter().map(|&column| batch.column(column).clone()).collect();
        self.state.number_keys(&keys, batch.len(), &mut self.keys);
        let events = T::events(&self.plan, &batch);
        let places = self.keys.iter().zip(times.values()).map(|(&key, &time)| Place::new(key, time));
        let entries = places.zip(events).map(|(place, event)| Entry { place, event });
        match batch.weights() {
            Some(weights) => self.pending.extend(entries.zip(weights.iter().copied())),
            None => self.pending.extend(entries.map(|entry| (entry, 1))),
        }
    }

    fn observe(&mut self, info: &EpochInfo) {
        if let Some(expiry) = &mut self.state.expiry {
            expiry.observe(info);
        }
    }

    fn close(&mut self, _epoch: u64) -> Output {
        let epoch = self.state.apply(std::mem::take(&mut self.pending));
        let mut errors = self.admission.take_errors();
        let rows = self.delta(&epoch, &mut errors);
        self.state.report_crowded(&epoch, &mut errors);
        epoch.count(&mut self.metrics);
        self.state.forget_empty(&epoch.touched);
        self.state.expire(|_| ());
        output(rows, errors)
    }

    fn contents(&self) -> Option<ZBatch> {
        if self.state.expiry.is_some() {
            return None;
        }
        let sessions = self.state.shown_sessions();
        let sessions = sessions.iter().map(|session| (session, 1)).collect();
        Some(self.rows(&Shown { sessions, pairs: Vec::new() }, &mut ErrorRows::new()))
    }

    fn state_size(&self) -> StateSize {
        StateSize { rows: self.state.entries(), bytes: self.state.memory_bytes() }
    }

    fn metrics(&self) -> WindowMetrics {
        self.metrics
    }
}
