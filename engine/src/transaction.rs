//! [`Transaction`]: changes that become one epoch.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch};
use arrow::datatypes::DataType;
use crossbeam_channel::{Receiver, TryRecvError, bounded};
use deltic_circuit::EpochInfo;
use deltic_zset::ZBatch;

use crate::Database;
use crate::changes::Changes;
use crate::contents::ContentsSnapshot;
use crate::coordinator::{Commit, Request};
use crate::error::{Error, Result, code};
use crate::ingest::{Admission, Grant};
use crate::seal::{Sealing, seal, seal_within};
use crate::shape;
use crate::source::Source;
use crate::time::{LateNotice, Limits, no_event_time};

/// The greatest weight of one row in one change: small enough that sums of weights cannot overflow in practice.
const MAX_WEIGHT: i64 = i32::MAX as i64;

/// Changes to tables and streams that become visible together, as one epoch. Dropped without a commit, it leaves nothing behind.
///
/// A batch is matched to its table by column names; a column that is left out gets its default. Values are cast where nothing can be lost
/// (`INTEGER` to `BIGINT`, `DATE` to `TIMESTAMP`) and refused otherwise. Inserting an existing primary key replaces the row; of rows with one key in one
/// commit the last one wins. After [`commit`](Transaction::commit) or [`submit`](Transaction::submit) the transaction is empty and can be filled again.
#[derive(Debug)]
pub struct Transaction {
    database: Database,
    changes: Vec<Changes>,
    /// Explicit watermarks.
    watermarks: Vec<(Arc<Source>, i64)>,
}

/// What became of a commit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Receipt {
    /// Its epoch.
    pub epoch: u64,
    /// What sources with `late_policy = 'warn'` did not accept. (Other refused rows are counted silently; see
    /// [`RelationStats`](crate::RelationStats).)
    pub notices: Vec<LateNotice>,
}

/// A submitted transaction.
#[derive(Debug)]
pub struct Pending {
    database: Database,
    state: State,
}

#[derive(Debug)]
enum State {
    Waiting(Receiver<Result<Receipt>>),
    Known(Result<Receipt>),
}

impl Transaction {
    pub(crate) fn new(database: Database) -> Self {
        Transaction { database, changes: Vec::new(), watermarks: Vec::new() }
    }

    /// Adds rows.
    ///
    /// # Errors
    /// If the batch does not fit; the transaction is as before.
    pub fn insert(&mut self, relation: &str, rows: RecordBatch) -> Result<()> {
        let source = self.database.source(relation)?;
        let rows = shape::fit(&source, &rows)?;
        self.change(source, rows)
    }

    /// Takes rows away; all columns count.
    ///
    /// # Errors
    /// If the batch does not fit, or `relation` is a stream; the transaction is as before. That a row is not there shows at the commit.
    pub fn delete(&mut self, relation: &str, rows: RecordBatch) -> Result<()> {
        let source = self.database.source(relation)?;
        let rows = shape::fit(&source, &rows)?.negate()?;
        self.change(source, rows)
    }

    /// Adds copies of rows (positive weight) and takes them away (negative); weight 0 does nothing.
    ///
    /// # Errors
    /// As [`Transaction::insert`] and [`Transaction::delete`]; also if there is not one weight per row, or a weight is NULL or beyond 2^31 - 1.
    pub fn apply(&mut self, relation: &str, rows: RecordBatch, weights: Int64Array) -> Result<()> {
        let source = self.database.source(relation)?;
        if weights.len() != rows.num_rows() || weights.null_count() > 0 {
            let message =
                format!("{} rows for '{relation}' came with {} weights", rows.num_rows(), weights.len() - weights.null_count());
            return Err(Error::new(code::SHAPE, message).with_hint("give one weight per row, none of them NULL"));
        }
        if let Some(weight) = weights.values().iter().find(|weight| !(-MAX_WEIGHT..=MAX_WEIGHT).contains(*weight)) {
            return Err(Error::new(code::SHAPE, format!("weight {weight} of a row of '{relation}' is beyond {MAX_WEIGHT}")));
        }
        let rows = shape::fit(&source, &rows)?.with_weights(Some(weights.values().clone()));
        let rows = match weights.values().contains(&0) {
            true => rows.filter(&weights.values().iter().map(|&weight| Some(weight != 0)).collect::<BooleanArray>())?,
            false => rows,
        };
        self.change(source, rows)
    }

    /// Adds rows of `source` that fit it.
    pub(crate) fn change(&mut self, source: Arc<Source>, rows: ZBatch) -> Result<()> {
        if source.is_stream() && rows.weights().is_some_and(|weights| weights.iter().any(|&weight| weight < 0)) {
            return Err(Error::new(code::APPEND_ONLY, format!("'{}' is a stream: rows can be added only", source.name)));
        }
        if rows.is_empty() {
            return Ok(());
        }
        self.changes_of(source).batches.push(rows);
        Ok(())
    }

    /// Replaces each row of `old` by that of `new` at the same place. If the source has event time, it accepts both or neither.
    pub(crate) fn replace(&mut self, source: Arc<Source>, old: &ZBatch, new: ZBatch) -> Result<()> {
        if new.is_empty() {
            return Ok(());
        }
        let old = old.negate()?;
        let changes = self.changes_of(source);
        changes.replacements.push(changes.batches.len());
        changes.batches.extend([old, new]);
        Ok(())
    }

    fn changes_of(&mut self, source: Arc<Source>) -> &mut Changes {
        let known = self.changes.iter().position(|changes| Arc::ptr_eq(&changes.source, &source));
        let position = known.unwrap_or_else(|| {
            self.changes.push(Changes::of(source));
            self.changes.len() - 1
        });
        &mut self.changes[position]
    }

    /// Moves the watermark of a table or stream to `to` at the end of the epoch: microseconds since 1970-01-01 in UTC, or the value of an
    /// integer column. The rows of the same commit are judged by the watermark before.
    ///
    /// # Errors
    /// `DT4015` if the source has no event time. That the watermark would go back shows at the commit.
    pub fn advance_watermark(&mut self, source: &str, to: i64) -> Result<()> {
        let source = self.database.source(source)?;
        if source.relation.event_time.is_none() {
            return Err(no_event_time(&source.name));
        }
        self.watermarks.push((source, to));
        Ok(())
    }

    /// Whether nothing was changed yet.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.watermarks.is_empty()
    }

    /// Lays the changes that were made to table `name` so far over its contents, as they are at an epoch that knows `info`: those that the table accepts by
    /// its watermark then.
    pub(crate) fn overlay(&self, name: &str, info: &EpochInfo, contents: &mut ContentsSnapshot) -> Result<()> {
        for changes in self.changes.iter().filter(|changes| &*changes.source.name == name) {
            let current = || Ok(contents.clone());
            let delta = match &changes.source.relation.event_time {
                None => seal(&changes.source, &changes.batches, current)?,
                Some(definition) => {
                    let now = info.now.max(self.database.config().clock.now());
                    let limits = Limits::of(definition, info.watermarks.get(name).copied(), now);
                    let mut judged = limits.judge(changes)?;
                    match seal_within(&changes.source, &judged.accepted.batches, Some(&limits), current)? {
                        Sealing::Delta(delta) => delta,
                        Sealing::Held(held) => {
                            judged.refuse_held(&held)?;
                            seal(&changes.source, &judged.accepted.batches, current)?
                        }
                    }
                }
            };
            delta.into_iter().for_each(|part| contents.add(part));
        }
        Ok(())
    }

    /// Commits and returns the epoch, when every view reflects it.
    ///
    /// # Errors
    /// If the commit is refused (a deleted row is not there, a full queue): then nothing of it happened.
    pub fn commit(&mut self) -> Result<u64> {
        self.submit()?.wait()
    }

    /// Hands the changes to the database and returns when they are accepted into its queue: the way to keep several epochs under way.
    ///
    /// # Errors
    /// As far as they are known at once; [`Pending::wait`] tells the rest.
    pub fn submit(&mut self) -> Result<Pending> {
        let database = self.database.clone();
        let (changes, watermarks) = (std::mem::take(&mut self.changes), std::mem::take(&mut self.watermarks));
        let Some(grants) = admit(&changes)? else {
            let receipt = Receipt { epoch: database.epoch(), notices: Vec::new() };
            return Ok(Pending { database, state: State::Known(Ok(receipt)) });
        };
        let (reply, answer) = bounded(1);
        database.handle().send(Request::Commit(Commit { changes, watermarks, grants, reply }))?;
        Ok(Pending { database, state: State::Waiting(answer) })
    }
}

/// Credits for all `changes`, or `None` if the commit is to be dropped.
fn admit(changes: &[Changes]) -> Result<Option<Vec<Grant>>> {
    let mut order: Vec<usize> = (0..changes.len()).collect();
    order.sort_by_key(|&position| &changes[position].source.name);
    let mut grants = Vec::with_capacity(changes.len());
    for &position in &order {
        let Changes { source, batches, .. } = &changes[position];
        match source.credits.acquire(changes[position].rows(), batches.iter().map(bytes).sum())? {
            Admission::Granted(grant) => grants.push(grant),
            Admission::Dropped => {
                for &other in order.iter().filter(|&&other| other != position) {
                    changes[other].source.credits.count_dropped(changes[other].rows());
                }
                return Ok(None);
            }
        }
    }
    Ok(Some(grants))
}

/// The bytes of a batch's rows (of a slice, its part of the buffers).
pub(crate) fn bytes(batch: &ZBatch) -> usize {
    let column_bytes = |column: &ArrayRef| match column.data_type() {
        DataType::Boolean => column.len() / 8 + 1,
        DataType::Utf8 => {
            let offsets = column.as_string::<i32>().value_offsets();
            (offsets[offsets.len() - 1] - offsets[0]) as usize + 4 * column.len()
        }
        other => match other.primitive_width() {
            Some(width) => width * column.len(),
            None => column.to_data().get_slice_memory_size().unwrap_or_default(),
        },
    };
    batch.columns().iter().map(column_bytes).sum::<usize>() + batch.weights().map_or(0, |weights| 8 * weights.len())
}

impl Pending {
    /// Waits until every view reflects the commit, and returns its epoch. (A commit that the overflow policy `Drop` threw away
    /// has the epoch that was current then.)
    ///
    /// # Errors
    /// If the commit was refused.
    pub fn wait(self) -> Result<u64> {
        self.receipt().map(|receipt| receipt.epoch)
    }

    /// As [`Pending::wait`], with what the writer should know beside the epoch.
    ///
    /// # Errors
    /// If the commit was refused.
    pub fn receipt(self) -> Result<Receipt> {
        match self.state {
            State::Known(result) => result,
            State::Waiting(answer) => self.database.handle().answer(&answer),
        }
    }

    /// The epoch, if every view reflects the commit already.
    ///
    /// # Errors
    /// If the commit was refused.
    pub fn epoch(&mut self) -> Result<Option<u64>> {
        if let State::Waiting(answer) = &self.state {
            self.state = match answer.try_recv() {
                Ok(result) => State::Known(result),
                Err(TryRecvError::Disconnected) => State::Known(Err(self.database.handle().ended())),
                Err(TryRecvError::Empty) => return Ok(None),
            };
        }
        match &self.state {
            State::Known(result) => result.as_ref().map(|receipt| Some(receipt.epoch)).map_err(Clone::clone),
            State::Waiting(_) => Ok(None),
        }
    }
}
