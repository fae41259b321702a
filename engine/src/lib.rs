//! Deltic: SQL views kept exactly fresh, embedded.
//!
//! [`Database`] is the way in: `CREATE TABLE`, `CREATE MATERIALIZED VIEW`, feed rows with SQL or with a [`Transaction`] of Arrow batches, read
//! contents with [`Database::query`] and exact changes with [`Database::subscribe`].
//!
//! Inside: client threads check the shape of what they bring and queue it, within a bound; one coordinator thread gives each commit its
//! place in a total order of *epochs*, keeps the contents of tables and views, and sends the epoch to the workers; pinned
//! timely workers run the circuits of all views and report what changed.

mod changes;
pub mod check;
mod config;
mod contents;
mod coordinator;
mod csv_rows;
mod database;
mod error;
mod execute;
mod ingest;
mod json_rows;
mod keeper;
mod names;
mod outcome;
mod seal;
mod session;
mod shape;
mod shelves;
mod source;
mod spin;
mod stats;
mod stream;
mod subscription;
mod time;
mod transaction;
mod worker;

/// The crates whose types are in batches of rows and in functions in Rust ([`Database::register_scalar_function`], [`Database::register_aggregate_function`]), in the versions that Deltic uses.
pub use {arrow, datafusion_common, datafusion_expr};

pub use config::{Config, OverflowPolicy};
pub use csv_rows::text_values;
pub use database::{Database, RelationInfo, RelationKind};
pub use deltic_operators::WindowMetrics;
pub use error::{Error, Result};
pub use ingest::IngestCounters;
pub use json_rows::text_keys;
pub use outcome::{Outcome, Rows};
pub use session::Session;
pub use stats::{OperatorStats, RelationStats, Stats};
pub use subscription::{Change, Subscription, ViewDelta};
pub use time::{Clock, LateCounters, LateNotice, ManualClock};
pub use transaction::{Pending, Receipt, Transaction};

/// The examples of the book's page on the library, compiled and run with the tests.
#[cfg(doctest)]
#[doc = include_str!("../../docs/src/library.md")]
struct BookPageLibrary;
