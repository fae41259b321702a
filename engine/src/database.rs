//! [`Database`]: the handle that everything starts from.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use deltic_zset::ZBatch;

use crate::config::Config;
use crate::error::{Error, Result};
use crate::outcome::{Outcome, Rows};
use crate::session::Session;
use crate::stats::Stats;
use crate::subscription::Subscription;
use crate::transaction::Transaction;

/// A database: tables and streams, views that are kept exactly fresh, and the threads that do it.
///
/// A handle is cheap to clone and can be used from any thread; all calls block. The threads end when the last handle is dropped;
/// what was submitted before is still carried out.
///
/// ```
/// let db = deltic::Database::open(deltic::Config::in_memory())?;
/// db.execute("CREATE TABLE t (k BIGINT, v BIGINT);
///             CREATE MATERIALIZED VIEW s AS SELECT k, sum(v) AS total FROM t GROUP BY k;
///             INSERT INTO t VALUES (1, 10), (1, 5), (2, 7)")?;
/// let rows = db.query("SELECT * FROM s ORDER BY k")?;
/// assert_eq!(rows[0].num_rows(), 2);
/// # Ok::<(), deltic::Error>(())
/// ```
#[derive(Clone)]
pub struct Database {
    pub(crate) shared: Arc<()>,
}

/// What a relation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RelationKind {
    /// Keeps its rows.
    Table,
    /// Append-only; keeps nothing.
    Stream,
    /// A named query, computed where it is read.
    View,
    /// A query whose result is kept fresh.
    MaterializedView,
}

/// A relation of the catalog.
#[derive(Clone, Debug)]
pub struct RelationInfo {
    /// Its name, normalised.
    pub name: String,
    /// What it is.
    pub kind: RelationKind,
    /// Its columns.
    pub schema: SchemaRef,
    /// Positions of the columns of the primary key.
    pub primary_key: Option<Vec<usize>>,
    /// The statement that created it.
    pub sql: String,
}

impl Database {
    /// Starts a database.
    ///
    /// # Errors
    /// `DT4001` for a configuration that cannot mean anything.
    pub fn open(config: Config) -> Result<Self> {
        config.check()?;
        todo!()
    }

    /// Executes the statements of `sql`, each committed by itself unless the text says `BEGIN`. A transaction that the text leaves open is rolled back.
    ///
    /// # Errors
    /// The first error, with line and column in `sql`. The statements before it stay executed.
    pub fn execute(&self, sql: &str) -> Result<Vec<Outcome>> {
        self.session().execute(sql)
    }

    /// Runs one query and returns its rows: those of one epoch, for all relations that it reads.
    ///
    /// # Errors
    /// As [`Database::execute`]; also if a row that the query touches does not evaluate, and if `sql` is not one statement that answers with rows.
    pub fn query(&self, sql: &str) -> Result<Vec<RecordBatch>> {
        self.query_rows(sql).map(|rows| rows.batches)
    }

    /// As [`Database::query`], with the schema, which is known even if there are no rows.
    ///
    /// # Errors
    /// As [`Database::query`].
    pub fn query_rows(&self, sql: &str) -> Result<Rows> {
        let _ = sql;
        todo!()
    }

    /// A session: the scope of `BEGIN .. COMMIT`.
    pub fn session(&self) -> Session {
        Session::new(self.clone())
    }

    /// A transaction of row batches; see [`Transaction`].
    pub fn begin(&self) -> Transaction {
        Transaction::new(self.clone())
    }

    /// Follows tables, streams and materialized views, from the next epoch on.
    ///
    /// # Errors
    /// `DT4002` if one of them does not exist, or is a plain view.
    pub fn subscribe(&self, relations: &[&str]) -> Result<Subscription> {
        let _ = relations;
        todo!()
    }

    /// All relations, by name.
    pub fn relations(&self) -> Vec<RelationInfo> {
        todo!()
    }

    /// One relation; unquoted names are lower case.
    pub fn relation(&self, name: &str) -> Option<RelationInfo> {
        self.relations().into_iter().find(|relation| relation.name == name)
    }

    /// The error relation of a materialized view: columns `code`, `message`, `operator` and `row`.
    ///
    /// # Errors
    /// `DT4002` if there is no such view.
    pub fn errors(&self, view: &str) -> Result<Vec<RecordBatch>> {
        self.error_rows(view)?.to_record_batch().map(|batch| vec![batch]).map_err(Error::from)
    }

    /// The error relation of a materialized view, with weights.
    pub(crate) fn error_rows(&self, view: &str) -> Result<ZBatch> {
        let _ = view;
        todo!()
    }

    /// What the database is doing and what it holds.
    ///
    /// # Errors
    /// If the database cannot answer any more.
    pub fn stats(&self) -> Result<Stats> {
        todo!()
    }

    /// The last epoch that every view reflects.
    pub fn epoch(&self) -> u64 {
        todo!()
    }
}
