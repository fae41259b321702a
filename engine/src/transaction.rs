//! [`Transaction`]: changes that become one epoch.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch};
use arrow::datatypes::DataType;
use crossbeam_channel::{Receiver, TryRecvError, bounded};
use deltic_zset::ZBatch;

use crate::Database;
use crate::contents::ContentsSnapshot;
use crate::coordinator::{Commit, Request};
use crate::error::{Error, Result, code};
use crate::ingest::{Admission, Grant};
use crate::seal::seal;
use crate::shape;
use crate::source::Source;

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
    changes: Vec<(Arc<Source>, Vec<ZBatch>)>,
}

/// A submitted transaction.
#[derive(Debug)]
pub struct Pending {
    database: Database,
    state: State,
}

#[derive(Debug)]
enum State {
    Waiting(Receiver<Result<u64>>),
    Known(Result<u64>),
}

impl Transaction {
    pub(crate) fn new(database: Database) -> Self {
        Transaction { database, changes: Vec::new() }
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
        match self.changes.iter_mut().find(|(other, _)| Arc::ptr_eq(other, &source)) {
            Some((_, changes)) => changes.push(rows),
            None => self.changes.push((source, vec![rows])),
        }
        Ok(())
    }

    /// Whether nothing was changed yet.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Lays the changes that were made to table `name` so far over its contents.
    pub(crate) fn overlay(&self, name: &str, contents: &mut ContentsSnapshot) -> Result<()> {
        for (source, changes) in self.changes.iter().filter(|(source, _)| &*source.name == name) {
            let delta = seal(source, changes, || Ok(contents.clone()))?;
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
        let changes = std::mem::take(&mut self.changes);
        let Some(grants) = admit(&changes)? else {
            let epoch = database.epoch();
            return Ok(Pending { database, state: State::Known(Ok(epoch)) });
        };
        let (reply, answer) = bounded(1);
        database.handle().send(Request::Commit(Commit { changes, grants, reply }))?;
        Ok(Pending { database, state: State::Waiting(answer) })
    }
}

/// Credits for all `changes`, or `None` if the commit is to be dropped.
fn admit(changes: &[(Arc<Source>, Vec<ZBatch>)]) -> Result<Option<Vec<Grant>>> {
    let mut order: Vec<usize> = (0..changes.len()).collect();
    order.sort_by_key(|&position| &changes[position].0.name);
    let mut grants = Vec::with_capacity(changes.len());
    for &position in &order {
        let (source, batches) = &changes[position];
        let rows = batches.iter().map(ZBatch::len).sum();
        match source.credits.acquire(rows, batches.iter().map(bytes).sum())? {
            Admission::Granted(grant) => grants.push(grant),
            Admission::Dropped => {
                for &other in order.iter().filter(|&&other| other != position) {
                    let (source, batches) = &changes[other];
                    source.credits.count_dropped(batches.iter().map(ZBatch::len).sum());
                }
                return Ok(None);
            }
        }
    }
    Ok(Some(grants))
}

/// The bytes of a batch's rows (of a slice, its part of the buffers).
fn bytes(batch: &ZBatch) -> usize {
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
            State::Known(result) => result.clone().map(Some),
            State::Waiting(_) => Ok(None),
        }
    }
}
