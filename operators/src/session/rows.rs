//! [`RowSessions`]: each row with the bounds of its session.
//!
//! Rows are numbered by a table of their own, and an event is the number of its row. A session whose bounds stay shows its changed rows; one whose bounds
//! change takes all its rows back and shows them again, and these are read from the index.

use std::ops::Range;

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, SchemaRef};
use deltic_circuit::EpochInfo;
use deltic_zset::hash::hash_columns;
use deltic_zset::{EncodedRows, GroupTable, Result, RowLayout, ZBatch};

use super::SessionSpec;
use super::admission::{Admission, bounds, output};
use super::clusters::{Change, Cluster, Delta, Epoch};
use super::event::{Entry, Events, Place};
use super::sessions::Session;
use super::state::State;
use crate::tally::NoTally;
use crate::{EpochOperator, Output, StateSize, WindowMetrics};

/// Keeps the rows with the bounds of their sessions.
pub(super) struct RowSessions {
    schema: SchemaRef,
    /// No rows.
    nothing: ZBatch,
    partition: Vec<usize>,
    bound: DataType,
    admission: Admission,
    layout: RowLayout,
    /// The rows, by number.
    rows: GroupTable,
    state: State<NoTally>,
    pending: Vec<Change<NoTally>>,
    keys: Vec<u32>,
    numbers: Vec<u32>,
    encoded: EncodedRows,
    hashes: Vec<u64>,
    metrics: WindowMetrics,
}

impl RowSessions {
    /// The operator of `spec` over rows of these types.
    ///
    /// # Errors
    /// If a column cannot be stored.
    pub(super) fn try_new(mut spec: SessionSpec, types: &[DataType]) -> Result<Self> {
        // Rows are kept in any case: when their session grows they change.
        spec.append_only = false;
        let layout = RowLayout::try_new(types)?;
        Ok(RowSessions {
            admission: Admission::new(spec.time, spec.gap),
            state: spec.state()?,
            nothing: ZBatch::empty(spec.schema.clone()),
            schema: spec.schema,
            partition: spec.partition,
            bound: spec.bound,
            rows: GroupTable::new(layout.clone(), 0),
            layout,
            pending: Vec::new(),
            keys: Vec::new(),
            numbers: Vec::new(),
            encoded: EncodedRows::new(),
            hashes: Vec::new(),
            metrics: WindowMetrics::default(),
        })
    }

    fn number_rows(&mut self, batch: &ZBatch) {
        hash_columns(batch.columns(), batch.len(), &mut self.hashes);
        if let Some(words) = self.layout.single_word(batch.columns()) {
            self.rows.upsert_words(words, &self.hashes, &mut self.numbers);
        } else {
            self.layout.encode(batch.columns(), batch.len(), &mut self.encoded);
            self.rows.upsert(&self.encoded, &self.hashes, &mut self.numbers);
        }
    }

    fn batch(&self, shown: Shown) -> ZBatch {
        if shown.rows.is_empty() {
            return self.nothing.clone();
        }
        let Shown { rows, starts, ends, weights } = shown;
        let columns = self.rows.keys(&rows).into_iter().chain(bounds(starts, ends, &self.bound)).collect();
        let count = rows.len();
        let weights = weights.iter().any(|&weight| weight != 1).then(|| weights.into());
        ZBatch::new(self.schema.clone(), columns, weights, count)
    }

    /// Forgets the rows that are not there any more.
    fn forget_rows(&mut self, epoch: &Epoch<NoTally>) {
        for delta in epoch.deltas.iter().filter(|delta| delta.new == 0) {
            self.rows.remove(delta.entry.event);
        }
        for entry in &epoch.cancelled {
            let kept = self.state.events.as_ref().is_some_and(|events| events.weight(entry) != 0)
                || self.state.small_events(entry.place.key()).any(|(other, _)| other == *entry);
            if !kept {
                self.rows.remove(entry.event);
            }
        }
    }
}

/// Rows with bounds and weights.
#[derive(Default)]
struct Shown {
    rows: Vec<u32>,
    starts: Vec<i64>,
    ends: Vec<i64>,
    weights: Vec<i64>,
}

impl Shown {
    fn push(&mut self, row: u32, session: &Session<NoTally>, gap: i64, weight: i64) {
        if weight != 0 {
            self.rows.push(row);
            self.starts.push(session.place.time());
            self.ends.push(session.last + gap);
            self.weights.push(weight);
        }
    }
}

/// The delta of one cluster.
struct Showing<'a> {
    gap: i64,
    olds: &'a [Session<NoTally>],
    news: &'a [Session<NoTally>],
    shown: [bool; 2],
    rows: &'a mut Shown,
}

/// The session that holds a time; of ordered ones.
fn session_of(sessions: &[Session<NoTally>], time: i64) -> Option<&Session<NoTally>> {
    let after = sessions.partition_point(|session| session.place.time() <= time);
    sessions[..after].last().filter(|session| time <= session.last)
}

impl Showing<'_> {
    /// Shows what changes of a row with these weights before and after.
    fn show(&mut self, entry: &Entry<u32>, before: i64, after: i64) {
        let time = entry.place.time();
        let old = if self.shown[0] && before != 0 { session_of(self.olds, time) } else { None };
        let new = if self.shown[1] && after != 0 { session_of(self.news, time) } else { None };
        match (old, new) {
            (Some(old), Some(new)) if old.has_bounds_of(new) => {
                self.rows.push(entry.event, new, self.gap, after.wrapping_sub(before))
            }
            (old, new) => {
                old.into_iter().for_each(|old| self.rows.push(entry.event, old, self.gap, before.wrapping_neg()));
                new.into_iter().for_each(|new| self.rows.push(entry.event, new, self.gap, after));
            }
        }
    }

    /// Whether the rows of a new session have been shown with its bounds all along.
    fn stays(&self, new: &Session<NoTally>) -> bool {
        self.shown == [true; 2] && session_of(self.olds, new.place.time()).is_some_and(|old| old.has_bounds_of(new))
    }

    /// Shows the changed rows, and all rows of sessions whose bounds change.
    fn show_cluster(&mut self, deltas: &[Delta<u32>], is_whole: bool, events: Option<&Events<NoTally>>) {
        let mut next = 0;
        if let Some(events) = events.filter(|_| !is_whole) {
            for new in self.news.iter().filter(|new| !self.stays(new)).collect::<Vec<_>>() {
                self.show_until(deltas, &mut next, |place| place < new.place);
                let last = Place::new(new.place.key(), new.last);
                let mut cursor = events.cursor();
                cursor.seek(&Entry::first_of(new.place));
                while let Some((entry, weight)) = cursor.after().filter(|(entry, _)| entry.place <= last) {
                    // What has gone stands in the deltas only.
                    while let Some(delta) = deltas.get(next).filter(|delta| delta.entry < *entry) {
                        self.show(&delta.entry, delta.old, delta.new);
                        next += 1;
                    }
                    match deltas.get(next).filter(|delta| delta.entry == *entry) {
                        Some(delta) => {
                            self.show(entry, delta.old, delta.new);
                            next += 1;
                        }
                        None => self.show(entry, weight, weight),
                    }
                    cursor.step();
                }
            }
        }
        self.show_until(deltas, &mut next, |_| true);
    }

    fn show_until(&mut self, deltas: &[Delta<u32>], next: &mut usize, until: impl Fn(Place) -> bool) {
        while let Some(delta) = deltas.get(*next).filter(|delta| until(delta.entry.place)) {
            self.show(&delta.entry, delta.old, delta.new);
            *next += 1;
        }
    }
}

impl RowSessions {
    fn delta(&self, epoch: &Epoch<NoTally>) -> Shown {
        let mut rows = Shown::default();
        for Cluster { deltas, olds, news, is_whole, shown, .. } in &epoch.clusters {
            if *shown == [false; 2] {
                continue;
            }
            let (olds, news) = (&epoch.olds[olds.clone()], &epoch.news[news.clone()]);
            let mut showing = Showing { gap: self.state.gap, olds, news, shown: *shown, rows: &mut rows };
            showing.show_cluster(&epoch.deltas[deltas.clone()], *is_whole, self.state.events.as_ref());
        }
        rows
    }
}

impl EpochOperator for RowSessions {
    fn push(&mut self, _port: usize, batch: ZBatch) {
        let (batch, times) = self.admission.admit(batch);
        if batch.is_empty() {
            return;
        }
        let keys: Vec<ArrayRef> = self.partition.iter().map(|&column| batch.column(column).clone()).collect();
        self.state.number_keys(&keys, batch.len(), &mut self.keys);
        self.number_rows(&batch);
        let places = self.keys.iter().zip(times.values()).map(|(&key, &time)| Place::new(key, time));
        let entries = places.zip(&self.numbers).map(|(place, &event)| Entry { place, event });
        self.pending.extend(entries.enumerate().map(|(row, entry)| (entry, batch.weight(row))));
    }

    fn observe(&mut self, info: &EpochInfo) {
        if let Some(expiry) = &mut self.state.expiry {
            expiry.observe(info);
        }
    }

    fn close(&mut self, _epoch: u64) -> Output {
        let epoch = self.state.apply(std::mem::take(&mut self.pending));
        let shown = self.delta(&epoch);
        let retracted = shown.weights.iter().filter(|&&weight| weight < 0).map(|weight| weight.unsigned_abs());
        self.metrics.retractions_emitted = retracted.fold(self.metrics.retractions_emitted, u64::saturating_add);
        let rows = self.batch(shown);
        let mut errors = self.admission.take_errors();
        self.state.report_crowded(&epoch, &mut errors);
        epoch.count(&mut self.metrics);
        self.forget_rows(&epoch);
        self.state.forget_empty(&epoch.touched);
        let rows_table = &mut self.rows;
        self.state.expire(|row| rows_table.remove(row));
        output(rows, errors)
    }

    fn contents(&self) -> Option<ZBatch> {
        if self.state.expiry.is_some() {
            return None;
        }
        let mut shown = Shown::default();
        for session in self.state.shown_sessions() {
            let last = Place::new(session.place.key(), session.last);
            let range: Range<Entry<u32>> = Entry::first_of(session.place)..Entry { place: last, event: GroupTable::NONE };
            for (entry, weight) in self.state.events.iter().flat_map(|events| events.range(range.clone())) {
                shown.push(entry.event, &session, self.state.gap, weight);
            }
            for (entry, weight) in self.state.small_events(session.place.key()) {
                if session.place <= entry.place && entry.place <= last {
                    shown.push(entry.event, &session, self.state.gap, weight);
                }
            }
        }
        Some(self.batch(shown))
    }

    fn state_size(&self) -> StateSize {
        StateSize { rows: self.state.entries(), bytes: self.state.memory_bytes() + self.rows.memory_bytes() }
    }

    fn metrics(&self) -> WindowMetrics {
        self.metrics
    }
}
