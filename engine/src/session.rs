//! [`Session`]: statements one after the other, and transactions over them.

use crate::Database;
use crate::error::Result;
use crate::outcome::Outcome;
use crate::transaction::Transaction;

/// A sequence of statements with at most one open transaction. Sessions of one database run concurrently.
pub struct Session {
    database: Database,
    transaction: Option<Transaction>,
}

impl Session {
    pub(crate) fn new(database: Database) -> Self {
        Session { database, transaction: None }
    }

    /// Executes the statements of `sql`.
    ///
    /// # Errors
    /// The first error, with line and column in `sql`. The statements before it stay executed.
    pub fn execute(&mut self, sql: &str) -> Result<Vec<Outcome>> {
        let mut outcomes = Vec::new();
        self.execute_each(sql, |outcome| {
            outcomes.push(outcome);
            Ok(())
        })?;
        Ok(outcomes)
    }

    /// As [`Session::execute`], but hands each outcome to `each` as soon as its statement is done, and stops at the first error.
    ///
    /// # Errors
    /// As [`Session::execute`], or the error of `each`.
    pub fn execute_each(&mut self, sql: &str, mut each: impl FnMut(Outcome) -> Result<()>) -> Result<()> {
        let _ = (sql, &mut each, &self.database);
        todo!()
    }

    /// Whether a transaction is open.
    pub fn in_transaction(&self) -> bool {
        self.transaction.is_some()
    }
}
