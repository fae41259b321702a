//! [`Timeline`]: the clock and the watermarks of all sources, epoch by epoch.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use deltic_circuit::Circuit;
use deltic_circuit::time::{EpochInfo, TimeSource};
use deltic_sql::LatePolicy;
use deltic_zset::ZBatch;

use super::acceptance::{Arrivals, Judged};
use super::late::{LateCounters, LateNotice, late_rows};
use super::watermark::show_time;
use super::{Clock, SourceTime};
use crate::error::{Error, Result, code};
use crate::source::Source;

/// The clock and the watermarks of all sources.
pub(crate) struct Timeline {
    clock: Clock,
    sources: BTreeMap<Arc<str>, SourceTime>,
    /// Sets of sources whose least watermark an operator goes by.
    groups: Vec<Vec<TimeSource>>,
    /// Whether a view depends on the time of the epoch.
    read_by_views: bool,
    /// That of the last epoch.
    info: Arc<EpochInfo>,
}

/// What an epoch did to the time.
pub(crate) struct Passage {
    pub(crate) info: Arc<EpochInfo>,
    /// Whether a view hears of it, beside its rows.
    pub(crate) concerns_views: bool,
}

/// What a commit brings for the time: known when it is sealed, and carried out when the epoch passes.
#[derive(Default)]
pub(crate) struct Passing {
    /// The time of the epoch.
    pub(crate) now: i64,
    arrivals: HashMap<Arc<str>, Arrivals>,
    counts: Vec<(Arc<str>, LateCounters)>,
    /// What the writer is told.
    pub(crate) notices: Vec<LateNotice>,
}

impl Timeline {
    /// The timeline of an empty database.
    pub(crate) fn new(clock: Clock) -> Self {
        let info = EpochInfo { now: clock.now(), ..EpochInfo::default() };
        Timeline { clock, sources: BTreeMap::new(), groups: Vec::new(), read_by_views: false, info: Arc::new(info) }
    }

    /// What the last epoch knows.
    pub(crate) fn info(&self) -> &Arc<EpochInfo> {
        &self.info
    }

    /// The event time of a source; `None` if it has none.
    pub(crate) fn source(&self, name: &str) -> Option<&SourceTime> {
        self.sources.get(name)
    }

    /// Adds a source, if it has event time.
    ///
    /// # Errors
    /// If a partition column is of a type that no table has.
    pub(crate) fn add(&mut self, source: &Arc<Source>) -> Result<()> {
        if let Some(definition) = &source.relation.event_time {
            let time = SourceTime::new(source.clone(), definition.clone(), self.info.now)?;
            self.sources.insert(source.name.clone(), time);
        }
        Ok(())
    }

    /// Forgets a source that is dropped.
    pub(crate) fn remove(&mut self, name: &str) {
        if self.sources.remove(name).is_some() {
            let info = Arc::make_mut(&mut self.info);
            info.watermarks.remove(name);
            info.idle.remove(name);
        }
    }

    /// Takes note of all views that there are now.
    pub(crate) fn follow<'a>(&mut self, circuits: impl Iterator<Item = &'a Circuit>) {
        self.groups.clear();
        self.read_by_views = false;
        for circuit in circuits {
            self.read_by_views |= circuit.reads_clock();
            for node in &circuit.nodes {
                let group = &node.properties.time_sources;
                if !group.is_empty() && !self.groups.contains(group) {
                    self.groups.push(group.clone());
                }
            }
        }
        // The new view starts with what the last epoch knew; the others hear of it with the next one.
        self.lift_idle();
    }

    /// Begins to seal an epoch.
    pub(crate) fn begin(&self) -> Passing {
        Passing { now: self.info.now.max(self.clock.now()), ..Passing::default() }
    }

    /// Ends the sealing of an epoch that brings explicit watermarks.
    ///
    /// # Errors
    /// If one of them would move a watermark back, or its source has no event time.
    pub(crate) fn check_explicit(&self, explicit: &[(Arc<Source>, i64)]) -> Result<()> {
        for (source, to) in explicit {
            let time = self.sources.get(&source.name).ok_or_else(|| no_event_time(&source.name))?;
            if let Some(watermark) = time.watermark().filter(|watermark| to < watermark) {
                let shown = |time: i64| show_time(&source.relation, time);
                let message =
                    format!("the watermark of '{}' is {} and cannot go back to {}", source.name, shown(watermark), shown(*to));
                return Err(Error::new(code::WATERMARK, message).with_hint("a watermark only advances"));
            }
        }
        Ok(())
    }

    /// Passes a sealed epoch: watermarks move, sources without rows fall idle.
    pub(crate) fn pass(&mut self, passing: &Passing, explicit: &[(Arc<Source>, i64)]) -> Passage {
        let before = self.info.clone();
        for (name, time) in &mut self.sources {
            let explicit = explicit.iter().filter(|(source, _)| source.name == *name).map(|(_, to)| *to).max();
            time.pass(passing.now, passing.arrivals.get(name), explicit);
        }
        for (name, counts) in &passing.counts {
            if let Some(time) = self.sources.get_mut(name) {
                time.counters.add(counts);
            }
        }
        self.lift_idle();
        let watermarks = self.sources.iter().filter_map(|(name, time)| Some((name.clone(), time.watermark()?))).collect();
        let idle = self.sources.iter().filter(|(_, time)| time.is_idle()).map(|(name, _)| name.clone()).collect();
        self.info = Arc::new(EpochInfo { now: passing.now, watermarks, idle });
        let (old, new) = (&before, &self.info);
        let moved = |source: &TimeSource| {
            let name = &source.relation;
            old.watermarks.get(name) != new.watermarks.get(name) || old.idle.contains(name) != new.idle.contains(name)
        };
        let concerns_views = (self.read_by_views && old.now != new.now) || self.groups.iter().flatten().any(moved);
        Passage { info: self.info.clone(), concerns_views }
    }

    /// Lifts the watermarks of idle sources to what operators that read them may go by without them: then neither the watermark nor the bound of
    /// any of them goes back when the source wakes.
    fn lift_idle(&mut self) {
        let idle = |name: &Arc<str>| self.sources.get(name).is_some_and(SourceTime::is_idle);
        let mut lifted: Vec<(Arc<str>, i64)> = Vec::new();
        for group in &self.groups {
            let (sleeping, awake): (Vec<&TimeSource>, Vec<&TimeSource>) = group.iter().partition(|source| idle(&source.relation));
            if sleeping.is_empty() {
                continue;
            }
            let watermark = |source: &TimeSource| self.sources.get(&source.relation)?.watermark();
            let Some(watermarks) = awake.iter().map(|source| watermark(source)).collect::<Option<Vec<i64>>>() else { continue };
            let bounds =
                awake.iter().zip(&watermarks).map(|(source, watermark)| Some(watermark.saturating_sub(source.lateness?)));
            let (Some(least), bound) = (watermarks.iter().min(), bounds.collect::<Option<Vec<i64>>>()) else { continue };
            for source in sleeping {
                let bound = bound.iter().flatten().min().zip(source.lateness);
                let for_bound = bound.map(|(bound, lateness)| bound.saturating_add(lateness));
                lifted.push((source.relation.clone(), Some(*least).max(for_bound).unwrap_or(*least)));
            }
        }
        for (name, watermark) in lifted {
            if let Some(time) = self.sources.get_mut(&name) {
                time.lift(Some(watermark));
            }
        }
    }

    /// How many rows the sources that `circuit` depends on have refused so far, because they were too late.
    pub(crate) fn refused_as_late(&self, circuit: &Circuit) -> u64 {
        let sources = &circuit.node(circuit.output).properties.time_sources;
        sources.iter().filter_map(|source| self.source(&source.relation)).map(|time| time.counters.late).sum()
    }

    /// Whether views hear of time that passes without commits, so that an epoch must come now and then.
    pub(crate) fn runs_by_itself(&self) -> bool {
        matches!(self.clock, Clock::System)
            && (self.read_by_views || self.groups.iter().flatten().any(|source| self.is_clocked(source)))
    }

    fn is_clocked(&self, source: &TimeSource) -> bool {
        self.sources.get(&source.relation).is_some_and(SourceTime::is_clocked)
    }

    /// Whether an epoch without rows would tell views something new.
    pub(crate) fn has_news(&self) -> bool {
        let now = self.clock.now();
        let changes = |source: &TimeSource| self.sources.get(&source.relation).is_some_and(|time| time.would_change(now));
        (self.read_by_views && now > self.info.now) || self.groups.iter().flatten().any(changes)
    }
}

impl Passing {
    /// Takes note of judged changes of a source with event time; returns the rows of its relation of late rows, which has `late_schema` if there is one.
    ///
    /// # Errors
    /// Arrow's.
    pub(crate) fn note(
        &mut self,
        time: &SourceTime,
        name: &Arc<str>,
        judged: &Judged,
        late: Option<(&arrow::datatypes::SchemaRef, u64)>,
    ) -> Result<Vec<ZBatch>> {
        let arrivals = time.limits(self.now).arrivals(judged, time.is_partitioned())?;
        self.arrivals.insert(name.clone(), arrivals);
        if judged.refused.is_empty() {
            return Ok(Vec::new());
        }
        let mut counts = LateCounters::count(&judged.refused);
        if late.is_none() {
            counts.lost = counts.total();
        }
        self.counts.push((name.clone(), counts));
        if time.definition().late_policy == LatePolicy::Warn {
            self.notices.push(LateNotice { relation: name.to_string(), rows: counts });
        }
        match late {
            Some((schema, epoch)) => late_rows(schema, &judged.refused, time.watermark(), epoch),
            None => Ok(Vec::new()),
        }
    }
}

/// The error for a source whose watermark does not exist.
pub(crate) fn no_event_time(name: &str) -> Error {
    Error::new(code::WATERMARK, format!("'{name}' has no event time, so it has no watermark"))
        .with_hint("declare it with WATERMARK FOR column in CREATE TABLE or CREATE STREAM")
}
