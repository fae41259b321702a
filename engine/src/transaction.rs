//! [`Transaction`]: changes that become one epoch.

use arrow::array::{Int64Array, RecordBatch};

use crate::Database;
use crate::error::Result;

/// Changes to tables and streams that become visible together, as one epoch. Dropped without a commit, it leaves nothing behind.
///
/// A batch is matched to its table by column names; a column that is left out gets its default. Values are cast where nothing can be lost
/// (`INTEGER` to `BIGINT`, `DATE` to `TIMESTAMP`) and refused otherwise. Inserting an existing primary key replaces the row; of rows with one key in one
/// commit the last one wins. After [`commit`](Transaction::commit) or [`submit`](Transaction::submit) the transaction is empty and can be filled again.
pub struct Transaction {
    database: Database,
}

/// A submitted transaction.
#[derive(Debug)]
pub struct Pending {}

impl Transaction {
    pub(crate) fn new(database: Database) -> Self {
        Transaction { database }
    }

    /// Adds rows.
    ///
    /// # Errors
    /// If the batch does not fit; the transaction is as before.
    pub fn insert(&mut self, relation: &str, rows: RecordBatch) -> Result<()> {
        let _ = (relation, rows, &self.database);
        todo!()
    }

    /// Takes rows away; all columns count.
    ///
    /// # Errors
    /// If the batch does not fit, or `relation` is a stream; the transaction is as before. That a row is not there shows at the commit.
    pub fn delete(&mut self, relation: &str, rows: RecordBatch) -> Result<()> {
        let _ = (relation, rows);
        todo!()
    }

    /// Adds copies of rows (positive weight) and takes them away (negative); weight 0 does nothing.
    ///
    /// # Errors
    /// As [`Transaction::insert`] and [`Transaction::delete`].
    pub fn apply(&mut self, relation: &str, rows: RecordBatch, weights: Int64Array) -> Result<()> {
        let _ = (relation, rows, weights);
        todo!()
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
        todo!()
    }
}

impl Pending {
    /// Waits until every view reflects the commit, and returns its epoch. (A commit that `on_overflow = 'drop'` threw away
    /// has the epoch that was current then.)
    ///
    /// # Errors
    /// If the commit was refused.
    pub fn wait(self) -> Result<u64> {
        todo!()
    }

    /// The epoch, if every view reflects the commit already.
    ///
    /// # Errors
    /// If the commit was refused.
    pub fn epoch(&mut self) -> Result<Option<u64>> {
        todo!()
    }
}
