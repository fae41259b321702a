//! [`Outcome`]: what a statement answers.

use std::fmt;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use crate::{LateNotice, Subscription};

/// Rows in answer to a statement.
#[derive(Clone, Debug)]
pub struct Rows {
    /// The columns; known even if there is no row.
    pub schema: SchemaRef,
    /// The rows.
    pub batches: Vec<RecordBatch>,
}

impl Rows {
    /// The number of rows.
    pub fn len(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What a statement did.
#[derive(Debug)]
#[non_exhaustive]
pub enum Outcome {
    /// A definition changed: `CREATE TABLE`, `DROP VIEW` ..
    Definition {
        /// What was done, such as `CREATE TABLE`.
        command: &'static str,
        /// The relation.
        name: String,
        /// False if there was nothing to do (`IF EXISTS`, `IF NOT EXISTS`).
        changed: bool,
    },
    /// Rows changed: `INSERT`, `UPDATE`, `DELETE`, `TRUNCATE`, `COPY`.
    Changed {
        /// What was done, such as `INSERT`.
        command: &'static str,
        /// How many rows, whether or not their table accepted them (a source with event time refuses late ones).
        rows: u64,
        /// The epoch of the (last) commit; `None` inside of a transaction, and where nothing was committed.
        epoch: Option<u64>,
        /// What sources with `late_policy = 'warn'` did not accept of it.
        notices: Vec<LateNotice>,
    },
    /// Time moved: `ADVANCE WATERMARK`, `ADVANCE CLOCK`.
    Advanced {
        /// What was done.
        command: &'static str,
        /// The epoch of the new time; `None` inside of a transaction.
        epoch: Option<u64>,
    },
    /// A transaction began or ended: `BEGIN`, `COMMIT`, `ROLLBACK`.
    Transaction {
        /// What was done.
        command: &'static str,
        /// The epoch of the commit.
        epoch: Option<u64>,
        /// What sources with `late_policy = 'warn'` did not accept of it.
        notices: Vec<LateNotice>,
    },
    /// Rows: `SELECT`, `EXPLAIN`, `SHOW`, `DESCRIBE`.
    Rows(Rows),
    /// `SUBSCRIBE`: changes from the next epoch on.
    Subscription(Subscription),
}

impl Outcome {
    /// What the user should hear beside the answer.
    pub fn notices(&self) -> &[LateNotice] {
        match self {
            Outcome::Changed { notices, .. } | Outcome::Transaction { notices, .. } => notices,
            _ => &[],
        }
    }

    /// The rows, if the statement answered with rows.
    pub fn into_rows(self) -> Option<Rows> {
        match self {
            Outcome::Rows(rows) => Some(rows),
            _ => None,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Definition { command, name, changed: true } => write!(f, "{command} {name}"),
            Outcome::Definition { command, name, changed: false } => write!(f, "{command} {name}: nothing to do"),
            Outcome::Changed { command, rows, .. } => write!(f, "{command} {rows}"),
            Outcome::Transaction { command, epoch, .. } | Outcome::Advanced { command, epoch } => match epoch {
                Some(epoch) => write!(f, "{command} (epoch {epoch})"),
                None => write!(f, "{command}"),
            },
            Outcome::Rows(rows) => write!(f, "{} rows", rows.len()),
            Outcome::Subscription(subscription) => {
                write!(f, "SUBSCRIBE {}", subscription.relations().collect::<Vec<_>>().join(", "))
            }
        }
    }
}
