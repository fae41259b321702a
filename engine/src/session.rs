//! [`Session`]: statements one after the other, and transactions over them.
//!
//! Inside of `BEGIN .. COMMIT`, statements that change rows collect their changes; the commit makes them one epoch. Each statement reads the
//! last complete epoch, as it is when the statement starts, with the transaction's own changes of *tables* laid over; views are read
//! as committed. A transaction that deletes or updates rows which another commit has taken away meanwhile is refused at its commit.

use std::panic::{AssertUnwindSafe, catch_unwind};

use deltic_sql::{Parsed, Statement};

use crate::Database;
use crate::error::{Error, Result, code};
use crate::execute;
use crate::outcome::{Outcome, Rows};
use crate::transaction::{Receipt, Transaction};
use crate::worker::panic_message;

/// A sequence of statements with at most one open transaction. Sessions of one database run concurrently. Dropped with an open
/// transaction, it rolls back.
#[derive(Debug)]
pub struct Session {
    pub(crate) database: Database,
    pub(crate) transaction: Option<Transaction>,
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
        for parsed in parse(sql)? {
            each(self.execute_parsed(&parsed)?)?;
        }
        Ok(())
    }

    /// Whether a transaction is open.
    pub fn in_transaction(&self) -> bool {
        self.transaction.is_some()
    }

    /// Runs the one query that `sql` is.
    pub(crate) fn query_rows(&mut self, sql: &str) -> Result<Rows> {
        let mut parsed = parse(sql)?;
        let answers = |statement: &Statement| {
            matches!(statement, Statement::Query(_) | Statement::Explain(_) | Statement::Show(_) | Statement::Describe { .. })
        };
        match (parsed.pop(), parsed.is_empty()) {
            (Some(only), true) if answers(&only.statement) => {
                let rows = self.execute_parsed(&only)?.into_rows();
                rows.ok_or_else(|| Error::internal("a query did not answer with rows"))
            }
            _ => Err(Error::usage("a query is one statement that answers with rows (SELECT, EXPLAIN, SHOW, DESCRIBE)")
                .with_hint("use execute for everything else")),
        }
    }

    fn execute_parsed(&mut self, parsed: &Parsed) -> Result<Outcome> {
        let result = unpanicked("a statement", || self.run(&parsed.statement));
        result.map_err(|error| error.at(parsed.span.line, parsed.span.column))
    }

    fn run(&mut self, statement: &Statement) -> Result<Outcome> {
        match statement {
            Statement::CreateTable(create) => self.outside("CREATE").and_then(|()| execute::create_table(&self.database, create)),
            Statement::CreateView(create) => self.outside("CREATE").and_then(|()| execute::create_view(&self.database, create)),
            Statement::CreateFunction(create) => {
                self.outside("CREATE").and_then(|()| execute::create_function(&self.database, create))
            }
            Statement::DropFunction(drop) => self.outside("DROP").and_then(|()| execute::drop_functions(&self.database, drop)),
            Statement::Drop(drop) => self.outside("DROP").and_then(|()| execute::drop_relations(&self.database, drop)),
            Statement::Insert(insert) => execute::insert(self, insert),
            Statement::Update(update) => execute::update(self, update),
            Statement::Delete(delete) => execute::delete(self, delete),
            Statement::Truncate { table } => execute::truncate(self, table),
            Statement::Copy(copy) => execute::copy(self, copy),
            Statement::Begin => self.begin(),
            Statement::Commit => self.commit(),
            Statement::Rollback => self.rollback(),
            Statement::Query(query) => execute::query(self, query).map(Outcome::Rows),
            Statement::Subscribe { relations } => execute::subscribe(&self.database, relations),
            Statement::Explain(explain) => execute::explain(&self.database, explain).map(Outcome::Rows),
            Statement::Show(show) => execute::show(&self.database, show).map(Outcome::Rows),
            Statement::AdvanceWatermark(advance) => execute::advance_watermark(self, advance),
            Statement::AdvanceClock(advance) => {
                self.outside("ADVANCE CLOCK").and_then(|()| execute::advance_clock(&self.database, advance))
            }
            Statement::Describe { relation } => execute::describe(&self.database, relation).map(Outcome::Rows),
        }
    }

    /// Refuses `what` inside of a transaction.
    pub(crate) fn outside(&self, what: &str) -> Result<()> {
        match &self.transaction {
            None => Ok(()),
            Some(_) => Err(Error::new(code::TRANSACTION, format!("{what} cannot be part of a transaction"))
                .with_hint("COMMIT or ROLLBACK first")),
        }
    }

    fn begin(&mut self) -> Result<Outcome> {
        if self.transaction.is_some() {
            return Err(Error::new(code::TRANSACTION, "a transaction is open already").with_hint("COMMIT or ROLLBACK first"));
        }
        self.transaction = Some(self.database.begin());
        Ok(Outcome::Transaction { command: "BEGIN", epoch: None, notices: Vec::new() })
    }

    fn commit(&mut self) -> Result<Outcome> {
        let mut transaction = self.take_transaction("COMMIT")?;
        if transaction.is_empty() {
            return Ok(Outcome::Transaction { command: "COMMIT", epoch: None, notices: Vec::new() });
        }
        let Receipt { epoch, notices } = transaction.submit()?.receipt()?;
        Ok(Outcome::Transaction { command: "COMMIT", epoch: Some(epoch), notices })
    }

    fn rollback(&mut self) -> Result<Outcome> {
        self.take_transaction("ROLLBACK")?;
        Ok(Outcome::Transaction { command: "ROLLBACK", epoch: None, notices: Vec::new() })
    }

    fn take_transaction(&mut self, command: &str) -> Result<Transaction> {
        self.transaction.take().ok_or_else(|| {
            Error::new(code::TRANSACTION, format!("there is no transaction to {}", command.to_lowercase()))
                .with_hint("BEGIN starts one")
        })
    }
}

fn parse(sql: &str) -> Result<Vec<Parsed>> {
    unpanicked("the parser", || Ok(deltic_sql::parse(sql)?))
}

/// Runs `body`; a panic in it is a bug, but not one that may take the caller's thread with it. (A transaction that was open is lost then: as if
/// rolled back.)
fn unpanicked<T>(what: &str, body: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(body))
        .unwrap_or_else(|panic| Err(Error::internal(format!("{what} panicked: {}", panic_message(panic.as_ref())))))
}
