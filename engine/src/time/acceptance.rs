//! Acceptance: which rows of a commit a source with event time lets in.
//!
//! A row is accepted iff its time is not below the bound (the watermark before the epoch, less the allowed lateness), not beyond the
//! ceiling (the clock and the allowed skew), and not NULL. A change of a table is one whole: an update, or an upsert, that takes away a row which is not acceptable
//! any more is not carried out in either half, because state that depended on the old row may be gone. So there are three ways to
//! be refused: by a row's own time, by that of its other half ([`Changes::replacements`]), and by that of the row which holds its key in the table
//! ([`Judged::refuse_held`]; only the table knows that one).
//!
//! Nearly every batch is accepted whole. That takes one pass over its time column, and no copy.

use arrow::array::{Array, BooleanArray, Int64Array};
use deltic_circuit::time::event_times;
use deltic_sql::{EventTimeDefinition, LatePolicy};
use deltic_zset::ZBatch;

use crate::changes::Changes;
use crate::error::Result;

/// What event times must keep to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// The column of the event time.
    pub(crate) column: usize,
    /// The least time that is accepted; `None` if all are.
    pub(crate) bound: Option<i64>,
    /// The greatest time that is accepted, or (if all are) that moves the watermark.
    pub(crate) ceiling: Option<i64>,
    /// Whether nothing is refused.
    pub(crate) accepts_all: bool,
}

/// What becomes of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is let in.
    Accepted,
    /// Its time, or that of a row it would take away, is below the bound.
    Late,
    /// It has no time.
    NullTime,
    /// Its time is beyond the ceiling.
    Future,
}

/// Accepted rows, as the watermark hears of them.
#[derive(Debug, Default)]
pub(crate) struct Arrivals {
    /// Whether there are any.
    pub(crate) any: bool,
    /// The greatest time of a row that came in.
    pub(crate) greatest: Option<i64>,
    /// The rows, if the watermark is that of several partitions.
    pub(crate) rows: Vec<ZBatch>,
}

/// The changes of one source after they were judged.
#[derive(Debug)]
pub(crate) struct Judged {
    /// To be sealed.
    pub(crate) accepted: Changes,
    /// Refused rows with the reason for each, in parts.
    pub(crate) refused: Vec<Refused>,
    /// The greatest time, if it is known from judging: no row was refused, and none goes.
    greatest: Option<i64>,
}

/// Refused rows.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) rows: ZBatch,
    pub(crate) verdicts: Vec<Verdict>,
}

impl Limits {
    /// Those of a source with `watermark`, for rows of an epoch at `now`. The policy `accept` limits nothing.
    pub(crate) fn of(definition: &EventTimeDefinition, watermark: Option<i64>, now: i64) -> Self {
        let accepts_all = definition.late_policy == LatePolicy::Accept;
        let bound = watermark.filter(|_| !accepts_all).map(|watermark| watermark.saturating_sub(definition.allowed_lateness));
        let ceiling = definition.max_future_skew.map(|skew| now.saturating_add(skew));
        Limits { column: definition.column, bound, ceiling, accepts_all }
    }

    /// Judges the changes of a source.
    ///
    /// # Errors
    /// Arrow's.
    pub(crate) fn judge(&self, changes: &Changes) -> Result<Judged> {
        let accepted = Changes::of(changes.source.clone());
        if self.accepts_all {
            return Ok(Judged { accepted: changes.clone(), refused: Vec::new(), greatest: None });
        }
        if let Some(greatest) = self.accepts_whole(changes) {
            let greatest = changes.batches.iter().all(|batch| batch.weights().is_none()).then_some(greatest);
            return Ok(Judged { accepted: changes.clone(), refused: Vec::new(), greatest });
        }
        let verdicts = changes.batches.iter().map(|batch| self.verdicts(batch)).collect();
        let mut judged = Judged { accepted, refused: Vec::new(), greatest: None };
        judged.split(changes, verdicts)?;
        Ok(judged)
    }

    /// The greatest time of `changes`, if all of them are accepted.
    fn accepts_whole(&self, changes: &Changes) -> Option<i64> {
        let mut greatest = i64::MIN;
        for batch in &changes.batches {
            let times = event_times(batch.column(self.column));
            let (least, most) = extent(&times);
            greatest = greatest.max(most);
            let inside = self.bound.is_none_or(|bound| least >= bound) && self.ceiling.is_none_or(|ceiling| most <= ceiling);
            if times.null_count() > 0 || !inside {
                return None;
            }
        }
        Some(greatest)
    }

    fn verdicts(&self, batch: &ZBatch) -> Vec<Verdict> {
        event_times(batch.column(self.column)).iter().map(|time| self.verdict(time)).collect()
    }

    fn verdict(&self, time: Option<i64>) -> Verdict {
        match time {
            None => Verdict::NullTime,
            Some(time) if self.bound.is_some_and(|bound| time < bound) => Verdict::Late,
            Some(time) if self.ceiling.is_some_and(|ceiling| time > ceiling) => Verdict::Future,
            Some(_) => Verdict::Accepted,
        }
    }

    /// Which of `rows`, rows of the table, can no longer be taken away; `None` if all can.
    pub(crate) fn held(&self, rows: &ZBatch) -> Option<Vec<bool>> {
        let bound = self.bound?;
        let times = event_times(rows.column(self.column));
        let held: Vec<bool> = times.iter().map(|time| time.is_some_and(|time| time < bound)).collect();
        held.contains(&true).then_some(held)
    }

    /// What the watermark hears of accepted changes; `with_rows` if it asks for the rows.
    ///
    /// # Errors
    /// Arrow's.
    pub(crate) fn arrivals(&self, judged: &Judged, with_rows: bool) -> Result<Arrivals> {
        let accepted = &judged.accepted;
        let mut arrivals = Arrivals { any: !accepted.batches.is_empty(), ..Arrivals::default() };
        if judged.greatest.is_some() {
            let rows = if with_rows { accepted.batches.clone() } else { Vec::new() };
            return Ok(Arrivals { greatest: judged.greatest, rows, ..arrivals });
        }
        for batch in &accepted.batches {
            let times = event_times(batch.column(self.column));
            // With the policy `accept` a time beyond the ceiling is let in, but does not move the watermark.
            let moves = |time: i64| self.ceiling.is_none_or(|ceiling| time <= ceiling);
            let came = times.iter().enumerate().filter(|(row, _)| batch.weight(*row) > 0);
            let greatest = came.filter_map(|(_, time)| time).filter(|&time| moves(time)).max();
            arrivals.greatest = arrivals.greatest.max(greatest);
            if with_rows {
                let moving: BooleanArray = times.iter().map(|time| Some(time.is_some_and(moves))).collect();
                arrivals.rows.push(batch.filter(&moving)?);
            }
        }
        Ok(arrivals)
    }
}

/// The least and the greatest of times, if none of them is NULL.
fn extent(times: &Int64Array) -> (i64, i64) {
    times.values().iter().fold((i64::MAX, i64::MIN), |(least, greatest), &time| (least.min(time), greatest.max(time)))
}

impl Judged {
    /// Refuses what holds a key that is held by a row which cannot be taken away. `held` says so for each row of the accepted batches, in their order.
    ///
    /// # Errors
    /// Arrow's.
    pub(crate) fn refuse_held(&mut self, held: &[bool]) -> Result<()> {
        self.greatest = None;
        let nothing = Changes::of(self.accepted.source.clone());
        let changes = std::mem::replace(&mut self.accepted, nothing);
        let mut rest = held;
        let mut verdicts = Vec::with_capacity(changes.batches.len());
        for batch in &changes.batches {
            let (held, after) = rest.split_at(batch.len());
            // A deletion takes away its own row, so its own time has been judged; if it is not there, that is an error.
            let late = |(row, &held): (usize, &bool)| {
                if held && batch.weight(row) > 0 { Verdict::Late } else { Verdict::Accepted }
            };
            verdicts.push(held.iter().enumerate().map(late).collect());
            rest = after;
        }
        self.split(&changes, verdicts)
    }

    /// Adds `changes` to the accepted and the refused, as `verdicts` say for each row.
    fn split(&mut self, changes: &Changes, mut verdicts: Vec<Vec<Verdict>>) -> Result<()> {
        for &old in &changes.replacements {
            let (before, after) = verdicts.split_at_mut(old + 1);
            for (old, new) in before[old].iter_mut().zip(&mut after[0]) {
                // The reason is that of the row that comes, if there is one.
                let whole = if *new == Verdict::Accepted { *old } else { *new };
                (*old, *new) = (whole, whole);
            }
        }
        for (position, (batch, verdicts)) in changes.batches.iter().zip(verdicts).enumerate() {
            // Of a replacement, the row that comes is what was refused.
            let goes = changes.replacements.contains(&position);
            let accepted = self.add(batch, verdicts, !goes)?;
            if goes {
                self.accepted.replacements.push(self.accepted.batches.len());
            }
            self.accepted.batches.push(accepted);
        }
        self.accepted.drop_empty();
        Ok(())
    }

    /// The accepted rows of `batch`; the others are noted as refused, if they are to be.
    fn add(&mut self, batch: &ZBatch, mut verdicts: Vec<Verdict>, note: bool) -> Result<ZBatch> {
        let keep: BooleanArray = verdicts.iter().map(|&verdict| Some(verdict == Verdict::Accepted)).collect();
        if keep.true_count() == batch.len() {
            return Ok(batch.clone());
        }
        if note {
            let rows = batch.filter(&arrow::compute::not(&keep)?)?;
            verdicts.retain(|&verdict| verdict != Verdict::Accepted);
            self.refused.push(Refused { rows, verdicts });
        }
        Ok(batch.filter(&keep)?)
    }
}
