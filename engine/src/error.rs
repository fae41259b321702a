//! [`Error`]: what a caller can be told.
//!
//! Every error has a stable code. `DT1xxx` come from the SQL frontend (with line and column), `DT2xxx` are rows that do not
//! evaluate, `DT3xxx` circuits, and `DT4xxx` the engine itself. An error of a statement always means that the statement changed
//! nothing, with one exception that says so: a `COPY` that was cut into several commits.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use arrow::error::ArrowError;

/// The result of a fallible operation on a database.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an operation was refused. Cheap to clone.
#[derive(Clone, Debug, thiserror::Error)]
pub struct Error(Arc<Inner>);

#[derive(Clone, Debug)]
struct Inner {
    code: Cow<'static, str>,
    message: String,
    position: Option<(usize, usize)>,
    hint: Option<String>,
}

/// The codes of the engine's own errors.
pub(crate) mod code {
    /// A configuration or a call that cannot mean anything.
    pub(crate) const USAGE: &str = "DT4001";
    /// A relation that does not exist, or not as the kind that is needed.
    pub(crate) const RELATION: &str = "DT4002";
    /// A batch that does not fit its table.
    pub(crate) const SHAPE: &str = "DT4003";
    /// A NULL in a NOT NULL column.
    pub(crate) const NOT_NULL: &str = "DT4004";
    /// A deleted row that is not there.
    pub(crate) const MISSING_ROW: &str = "DT4005";
    /// A stream was asked to delete.
    pub(crate) const APPEND_ONLY: &str = "DT4006";
    /// An ingest queue with `on_overflow = 'error'` is full.
    pub(crate) const OVERFLOW: &str = "DT4007";
    /// A subscriber was too slow.
    pub(crate) const LAGGED: &str = "DT4008";
    /// A statement inside or outside of a transaction where it cannot be.
    pub(crate) const TRANSACTION: &str = "DT4009";
    /// A file that cannot be read or written.
    pub(crate) const FILE: &str = "DT4011";
    /// What was subscribed to, or read, was dropped.
    pub(crate) const DROPPED: &str = "DT4012";
    /// The database is closed.
    pub(crate) const CLOSED: &str = "DT4013";
    /// A commit refused because other commits kept changing the rows it was computed from.
    pub(crate) const CONFLICT: &str = "DT4014";
    /// A watermark that does not exist, or would go back; a clock that cannot be moved.
    pub(crate) const WATERMARK: &str = "DT4015";
    /// A worker or the coordinator failed: the database cannot go on.
    pub(crate) const POISONED: &str = "DT4900";
    /// A bug.
    pub(crate) const INTERNAL: &str = "DT4999";
}

impl Error {
    pub(crate) fn new(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Error(Arc::new(Inner { code: code.into(), message: message.into(), position: None, hint: None }))
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(code::USAGE, message)
    }

    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self::new(code::INTERNAL, message)
            .with_hint("this is a bug in Deltic; please report it with the statements that led to it")
    }

    pub(crate) fn with_hint(self, hint: impl Into<String>) -> Self {
        self.changed(|inner| inner.hint = Some(hint.into()))
    }

    /// The same error with the position of a statement, unless it has one already.
    pub(crate) fn at(self, line: usize, column: usize) -> Self {
        if self.0.position.is_some() { self } else { self.changed(|inner| inner.position = Some((line, column))) }
    }

    /// The same error with `text` before its message.
    pub(crate) fn context(self, text: impl fmt::Display) -> Self {
        self.changed(|inner| inner.message = format!("{text}: {}", inner.message))
    }

    fn changed(mut self, change: impl FnOnce(&mut Inner)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }

    /// The stable code, such as `DT4005`.
    pub fn code(&self) -> &str {
        &self.0.code
    }

    /// What happened, without code, position and hint.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The line of the SQL text, from 1, if the error has a place in one.
    pub fn line(&self) -> Option<usize> {
        self.0.position.map(|(line, _)| line)
    }

    /// The column (in characters) of the SQL text, from 1, if the error has a place in one.
    pub fn column(&self) -> Option<usize> {
        self.0.position.map(|(_, column)| column)
    }

    /// A way out, if there is an obvious one.
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.code, self.0.message)?;
        if let Some((line, column)) = self.0.position {
            write!(f, " at line {line}, column {column}")?;
        }
        match &self.0.hint {
            Some(hint) => write!(f, " ({hint})"),
            None => Ok(()),
        }
    }
}

impl From<deltic_zset::Error> for Error {
    fn from(error: deltic_zset::Error) -> Self {
        Self::new(code::SHAPE, error.to_string())
    }
}

impl From<ArrowError> for Error {
    fn from(error: ArrowError) -> Self {
        Self::new(code::SHAPE, error.to_string())
    }
}

impl From<deltic_sql::SqlError> for Error {
    fn from(error: deltic_sql::SqlError) -> Self {
        let converted = Self::new(error.code, error.message).at(error.line, error.column);
        match error.hint {
            Some(hint) => converted.with_hint(hint),
            None => converted,
        }
    }
}
