//! The model: what tables, streams, late rows, watermarks and the clock are after each step, in the plainest way.
//!
//! A table is a list of rows; a watermark is a number; every rule of event time is a line or two, taken from the contract and not from the engine. Where the
//! two differ, one of them is wrong.

use std::collections::{BTreeSet, HashMap};

use datafusion_common::ScalarValue;
use deltic_circuit::{EpochInfo, TimeSource};
use deltic_sql::{EventTimeDefinition, LatePolicy, WatermarkStrategy};
use deltic_zset::ZBatch;

use super::history::{Change, InputRelation, Row, Step, rows_to_batch};
use super::times::{event_time, time_value};

/// What a change does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    Applied,
    /// It is not accepted, for this reason.
    Late(&'static str),
    /// It deletes a row that is not there.
    Impossible,
}

/// All relations after some steps.
#[derive(Clone, Debug)]
pub(super) struct Model {
    pub(super) sources: Vec<SourceModel>,
    /// What the last epoch knows beside its rows.
    pub(super) info: EpochInfo,
    /// Epochs so far.
    epoch: u64,
    /// The clock.
    now: i64,
    /// Sources that some view reads beside each other.
    groups: Vec<Vec<TimeSource>>,
}

/// One relation.
#[derive(Clone, Debug, Default)]
pub(super) struct SourceModel {
    pub(super) rows: Vec<Row>,
    /// The rows of its relation of late rows.
    pub(super) late: Vec<Row>,
    pub(super) watermark: Option<i64>,
    /// The clock when rows last came.
    last_rows: i64,
    idle: bool,
    /// The greatest time of each partition, and the clock when rows last came for it.
    partitions: HashMap<Row, (i64, i64)>,
    /// In the open step: whether rows came, and their partitions and times.
    any: bool,
    arrived: Vec<(Row, i64)>,
}

impl Model {
    pub(super) fn new(relations: &[InputRelation]) -> Self {
        let sources = vec![SourceModel::default(); relations.len()];
        Model { sources, info: EpochInfo::default(), epoch: 0, now: 0, groups: Vec::new() }
    }

    /// A view is created whose operators go by the watermarks of these sets of sources.
    pub(super) fn add_view(&mut self, relations: &[InputRelation], groups: &[Vec<TimeSource>]) {
        self.groups.extend(groups.iter().cloned());
        self.lift_idle(relations);
    }

    /// Applies a change of the open step.
    pub(super) fn apply(&mut self, relations: &[InputRelation], change: &Change) -> Effect {
        let (relation, source) = (&relations[change.relation], &mut self.sources[change.relation]);
        let key = relation.primary_key.as_ref().filter(|_| change.insert);
        let holder =
            key.and_then(|key| source.rows.iter().position(|row| key.iter().all(|&column| row[column] == change.row[column])));
        if let Some(definition) = &relation.event_time {
            let own = source.refusal(definition, &change.row, self.now);
            let of_holder = holder.and_then(|holder| source.refusal(definition, &source.rows[holder], self.now));
            if let Some(reason) = own.or(of_holder) {
                if let Some(late) = late_row(relation, source.watermark, change, reason, self.epoch + 1) {
                    source.late.push(late);
                }
                return Effect::Late(reason);
            }
        }
        if let Some(old) = holder {
            source.rows.remove(old);
        }
        if change.insert {
            source.rows.push(change.row.clone());
        } else {
            let Some(position) = source.rows.iter().position(|row| *row == change.row) else { return Effect::Impossible };
            source.rows.remove(position);
        }
        source.any = true;
        if let Some(definition) = relation.event_time.as_ref().filter(|_| change.insert)
            && let Some(time) = event_time(&change.row[definition.column])
            && definition.max_future_skew.is_none_or(|skew| time <= self.now.saturating_add(skew))
        {
            let columns = definition.partition.iter().flatten();
            source.arrived.push((columns.map(|&column| change.row[column].clone()).collect(), time));
        }
        Effect::Applied
    }

    /// Ends a step: the clock and the watermarks move. Watermarks that would go back are left out.
    pub(super) fn end(&mut self, relations: &[InputRelation], step: &Step) {
        self.now += step.clock;
        self.epoch += 1;
        for (index, relation) in relations.iter().enumerate() {
            let source = &mut self.sources[index];
            let explicit = step.watermarks.iter().filter(|(of, to)| *of == index && Some(*to) >= source.watermark);
            let explicit = explicit.map(|(_, to)| *to).max();
            if let Some(definition) = &relation.event_time {
                source.end(definition, explicit, self.now);
            }
        }
        self.lift_idle(relations);
        let with_time = || relations.iter().zip(&self.sources).map(|(relation, source)| (relation.name.as_str().into(), source));
        self.info = EpochInfo {
            now: self.now,
            watermarks: with_time().filter_map(|(name, source)| Some((name, source.watermark?))).collect(),
            idle: with_time().filter(|(_, source)| source.idle).map(|(name, _)| name).collect(),
        };
    }

    /// The watermark of an idle source follows the least of those it is read beside: so that neither the watermark nor the bound of an operator goes back when it
    /// wakes.
    fn lift_idle(&mut self, relations: &[InputRelation]) {
        let before = self.sources.clone();
        let find = |name: &str| relations.iter().position(|relation| relation.name == name);
        for group in &self.groups {
            let members = || group.iter().filter_map(|member| Some((find(&member.relation)?, member.lateness)));
            let awake: BTreeSet<usize> = members().map(|(index, _)| index).filter(|&index| !before[index].idle).collect();
            let awake = || members().filter(|(index, _)| awake.contains(index));
            let Some(watermarks) = awake().map(|(index, _)| before[index].watermark).collect::<Option<Vec<i64>>>() else {
                continue;
            };
            let bounds = awake().map(|(index, lateness)| Some(before[index].watermark?.saturating_sub(lateness?)));
            let bound = bounds.collect::<Option<Vec<i64>>>().and_then(|bounds| bounds.into_iter().min());
            for (index, lateness) in members().filter(|(index, _)| before[*index].idle) {
                let by_bound = bound.zip(lateness).map(|(bound, lateness)| bound.saturating_add(lateness));
                let source = &mut self.sources[index];
                source.watermark = source.watermark.max(watermarks.iter().min().copied()).max(by_bound);
            }
        }
    }

    /// The rows of relation `index`, leaving out the first `skip` (of a stream: what came before a view).
    pub(super) fn contents(&self, relations: &[InputRelation], index: usize, skip: usize) -> crate::Result<ZBatch> {
        rows_to_batch(&relations[index].schema, &self.sources[index].rows[skip..])
    }

    /// The rows of the relation of late rows of relation `index`.
    pub(super) fn late(&self, relations: &[InputRelation], index: usize) -> crate::Result<ZBatch> {
        let schema = relations[index].late.as_ref().map_or(&relations[index].schema, |(_, schema)| schema);
        rows_to_batch(schema, &self.sources[index].late)
    }

    /// The clock.
    pub(super) fn now(&self) -> i64 {
        self.now
    }
}

impl SourceModel {
    /// Why a row with this time cannot come or go; `None` if it can.
    fn refusal(&self, definition: &EventTimeDefinition, row: &Row, now: i64) -> Option<&'static str> {
        if definition.late_policy == LatePolicy::Accept {
            return None;
        }
        let Some(time) = event_time(&row[definition.column]) else { return Some("null_time") };
        if self.watermark.is_some_and(|watermark| time < watermark.saturating_sub(definition.allowed_lateness)) {
            return Some("late");
        }
        definition.max_future_skew.is_some_and(|skew| time > now.saturating_add(skew)).then_some("future")
    }

    fn end(&mut self, definition: &EventTimeDefinition, explicit: Option<i64>, now: i64) {
        let timeout = |since: i64| definition.idle_timeout.is_some_and(|timeout| now - since >= timeout);
        if std::mem::take(&mut self.any) || explicit.is_some() {
            self.last_rows = now;
        }
        for (partition, time) in self.arrived.drain(..) {
            let (greatest, last_rows) = self.partitions.entry(partition).or_insert((time, now));
            (*greatest, *last_rows) = (time.max(*greatest), now);
        }
        // Without PER PARTITION there is one partition, of no columns; a watermark never waits for it.
        let active = self.partitions.values().filter(|(_, last_rows)| definition.partition.is_none() || !timeout(*last_rows));
        let strategy = match definition.strategy {
            WatermarkStrategy::Bounded { delay } => active.map(|(greatest, _)| greatest.saturating_sub(delay)).min(),
            WatermarkStrategy::ProcessingTime { delay } => Some(now.saturating_sub(delay)),
            WatermarkStrategy::Punctuated => None,
        };
        self.watermark = self.watermark.max(strategy).max(explicit);
        self.idle = timeout(self.last_rows);
    }
}

/// The row of the relation of late rows, if there is one.
fn late_row(relation: &InputRelation, watermark: Option<i64>, change: &Change, reason: &str, epoch: u64) -> Option<Row> {
    let (_, schema) = relation.late.as_ref()?;
    let text = |text: &str| ScalarValue::Utf8(Some(text.to_owned()));
    let mut row = change.row.clone();
    row.push(text(reason));
    row.push(text(if change.insert { "insert" } else { "delete" }));
    row.push(time_value(schema.field(row.len()).data_type(), watermark));
    row.push(ScalarValue::Int64(i64::try_from(epoch).ok()));
    Some(row)
}
