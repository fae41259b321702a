//! [`Database`]: the handle that everything starts from.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::thread::JoinHandle;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use deltic_zset::ZBatch;

use crate::config::Config;
use crate::coordinator::{self, Handle, Request};
use crate::error::{Error, Result, code};
use crate::names::Names;
use crate::outcome::{Outcome, Rows};
use crate::session::Session;
use crate::source::Source;
use crate::stats::Stats;
use crate::subscription::Subscription;
use crate::time::Clock;
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
    shared: Arc<Shared>,
}

struct Shared {
    config: Config,
    names: RwLock<Arc<Names>>,
    /// Held by the statement that changes the catalog.
    defining: Mutex<()>,
    handle: Handle,
    complete: Arc<AtomicU64>,
    coordinator: Option<JoinHandle<()>>,
}

/// What a relation is.
pub use deltic_sql::RelationKind;

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
    /// `DT4001` for a configuration that cannot mean anything, or if the threads cannot be started.
    pub fn open(config: Config) -> Result<Self> {
        config.check()?;
        let complete = Arc::new(AtomicU64::new(0));
        let (handle, coordinator) = coordinator::start(config.clone(), complete.clone())?;
        let shared = Shared {
            config,
            names: RwLock::default(),
            defining: Mutex::default(),
            handle,
            complete,
            coordinator: Some(coordinator),
        };
        Ok(Database { shared: Arc::new(shared) })
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
        self.session().query_rows(sql)
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
        let names = self.names();
        let mut resolved: Vec<String> = Vec::with_capacity(relations.len());
        for relation in relations {
            let name = folded(&names, relation)?;
            if names.catalog.relation(&name).is_some_and(|relation| relation.kind == RelationKind::View) {
                let message = format!("'{name}' is a plain view, which has no changes of its own");
                return Err(Error::new(code::RELATION, message).with_hint("subscribe to a materialized view"));
            }
            if resolved.contains(&name) {
                return Err(Error::usage(format!("'{name}' is subscribed to twice")));
            }
            resolved.push(name);
        }
        if resolved.is_empty() {
            return Err(Error::usage("a subscription needs at least one relation"));
        }
        self.handle().ask(|reply| Request::Subscribe { relations: resolved, reply })
    }

    /// Makes a function in Rust known to SQL: any scalar function of DataFusion ([`datafusion_expr::create_udf`] makes one of a closure). Views call it
    /// from then on; a row on which it fails, or panics, goes to the error relation of the view.
    ///
    /// The function must yield the same value for the same arguments for ever: a deletion evaluates its row again. It is registered anew each time
    /// that a database is opened.
    ///
    /// # Errors
    /// `DT1011` if its volatility is not immutable, `DT1006` if a function of its name exists.
    pub fn register_scalar_function(&self, function: datafusion_expr::ScalarUDF) -> Result<()> {
        crate::execute::register_scalar_function(self, function)
    }

    /// Makes an aggregate in Rust known to SQL: any aggregate function of DataFusion ([`datafusion_expr::create_udaf`] makes one of an accumulator). It is
    /// applied anew to all rows of a group that an epoch changed, in the order of the call's `ORDER BY` and then of its arguments; so its accumulators need
    /// neither retract nor merge. If it fails on a group, or panics, the group is in the error relation of the view until it changes again.
    ///
    /// The function must yield the same value for the same rows for ever. It is registered anew each time that a database is opened.
    ///
    /// # Errors
    /// `DT1011` if its volatility is not immutable, `DT1006` if a function of its name exists.
    pub fn register_aggregate_function(&self, function: datafusion_expr::AggregateUDF) -> Result<()> {
        crate::execute::register_aggregate_function(self, function)
    }

    /// All relations, by name.
    pub fn relations(&self) -> Vec<RelationInfo> {
        self.names().catalog.relations().map(|relation| info(relation)).collect()
    }

    /// One relation, by its name as SQL folds it (lower case unless it was quoted).
    pub fn relation(&self, name: &str) -> Option<RelationInfo> {
        let names = self.names();
        let name = folded(&names, name).ok()?;
        names.catalog.relation(&name).map(|relation| info(relation))
    }

    /// The error relation of a materialized view: columns `code`, `message`, `operator`, `row`, and `copies`, the number of rows with that error.
    ///
    /// # Errors
    /// `DT4002` if there is no such view.
    pub fn errors(&self, view: &str) -> Result<Vec<RecordBatch>> {
        Ok(crate::execute::errors(self, view)?.batches)
    }

    /// The error relation of a materialized view, with weights.
    pub(crate) fn error_rows(&self, view: &str) -> Result<ZBatch> {
        let view = folded(&self.names(), view)?;
        self.handle().ask(|reply| Request::ReadErrors { view, reply })?.consolidated()
    }

    /// What the database is doing and what it holds.
    ///
    /// # Errors
    /// If the database cannot answer any more.
    pub fn stats(&self) -> Result<Stats> {
        self.handle().ask(|reply| Request::Stats { reply })
    }

    /// Moves the watermark of a table or stream to `to`, as an epoch of its own: microseconds since 1970-01-01 in UTC, or the value of an
    /// integer column. Returns the epoch, when every view reflects it.
    ///
    /// # Errors
    /// `DT4015` if the source has no event time, or its watermark is past `to` already.
    pub fn advance_watermark(&self, source: &str, to: i64) -> Result<u64> {
        let mut transaction = self.begin();
        transaction.advance_watermark(source, to)?;
        transaction.commit()
    }

    /// Makes an epoch without rows, at the time that the clock shows: windows close, rows fall out of `now() - INTERVAL ..`, sources become idle.
    /// Returns the epoch, when every view reflects it. (With the clock of the machine, the database does this by itself; see
    /// [`Config::tick_interval`](crate::Config::tick_interval).)
    ///
    /// # Errors
    /// If the database cannot go on.
    pub fn tick(&self) -> Result<u64> {
        self.begin().commit()
    }

    /// Makes the clock's time that of an epoch, before something is evaluated that depends on it. A clock that is moved by hand is left to
    /// its owner.
    pub(crate) fn catch_up_with_clock(&self) -> Result<()> {
        match self.config().clock {
            Clock::System => self.tick().map(drop),
            Clock::Manual(_) => Ok(()),
        }
    }

    /// The time of the last epoch, for a statement that reads the clock.
    pub(crate) fn now(&self) -> i64 {
        // A database that cannot go on says so when the statement is carried out.
        let reading =
            self.catch_up_with_clock().and_then(|()| self.handle().ask(|reply| Request::Read { relations: Vec::new(), reply }));
        reading.map_or(0, |reading| reading.info.now)
    }

    /// The last epoch that every view reflects.
    pub fn epoch(&self) -> u64 {
        self.shared.complete.load(Ordering::Acquire)
    }

    pub(crate) fn config(&self) -> &Config {
        &self.shared.config
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.shared.handle
    }

    /// What names mean now.
    pub(crate) fn names(&self) -> Arc<Names> {
        self.shared.names.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The right to change the catalog, until dropped.
    pub(crate) fn define(&self) -> MutexGuard<'_, ()> {
        self.shared.defining.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a changed catalog in the place of the current one; for who holds [`Database::define`].
    pub(crate) fn set_names(&self, names: Names) {
        *self.shared.names.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(names);
    }

    /// The table or stream `name`.
    pub(crate) fn source(&self, name: &str) -> Result<Arc<Source>> {
        let names = self.names();
        let folded = folded(&names, name)?;
        if names.catalog.relation(&folded).is_some_and(|relation| relation.kind == RelationKind::LateRows) {
            return Err(Error::new(
                code::RELATION,
                format!("'{folded}' is filled by its source with the rows that come too late"),
            )
            .with_hint("TRUNCATE empties it, nothing else changes it"));
        }
        names.sources.get(&folded).cloned().ok_or_else(|| {
            Error::new(code::RELATION, format!("'{folded}' is a view, and views change only with what they read"))
                .with_hint("change the tables below it")
        })
    }
}

/// The relation that a caller means by `name`: as it is, or else in lower case.
fn folded(names: &Names, name: &str) -> Result<String> {
    let lower = name.to_lowercase();
    let found = [name, &lower].into_iter().find(|name| names.catalog.relation(name).is_some());
    found.map(ToOwned::to_owned).ok_or_else(|| {
        let known: Vec<&str> = names.catalog.relations().map(|relation| relation.name.as_str()).collect();
        Error::new(code::RELATION, format!("there is no relation '{name}'")).with_hint(format!("there are: {}", known.join(", ")))
    })
}

fn info(relation: &deltic_sql::Relation) -> RelationInfo {
    RelationInfo {
        name: relation.name.clone(),
        kind: relation.kind,
        schema: relation.schema.clone(),
        primary_key: relation.primary_key.clone(),
        sql: relation.sql.clone(),
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database").field("config", &self.shared.config).field("epoch", &self.epoch()).finish_non_exhaustive()
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // If the coordinator has ended before, there is nobody to tell.
        let _ = self.handle.send(Request::Shutdown);
        if let Some(coordinator) = self.coordinator.take() {
            let _ = coordinator.join();
        }
    }
}
