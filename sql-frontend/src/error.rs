//! [`SqlError`]: what is wrong with a statement, where, and what to do about it.
//!
//! Every error has a position. DataFusion's planner knows names only, so the position of an unknown column is found by looking its
//! name up among the tokens of the statement (see `plan/diagnose.rs`); an error that belongs to no token has that of the statement.

use std::fmt;

/// What kind of mistake a statement has: the stable part of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// DT1001: the text is not SQL.
    Syntax,
    /// DT1002: no such relation.
    UnknownRelation,
    /// DT1003: no such column.
    UnknownColumn,
    /// DT1004: no such function.
    UnknownFunction,
    /// DT1005: no such statement.
    UnknownStatement,
    /// DT1006: a relation of this name exists.
    RelationExists,
    /// DT1007: other relations depend on it.
    RelationInUse,
    /// DT1008: two columns have one name.
    DuplicateColumn,
    /// DT1009: SQL that Deltic does not support (yet); the message names it.
    Unsupported,
    /// DT1010: types that do not go together.
    Type,
    /// DT1011: a function whose result is not determined by its arguments.
    Volatile,
    /// DT1012: a name that may mean several columns.
    Ambiguous,
    /// DT1013: the statement needs another kind of relation.
    WrongKind,
    /// DT1014: a constraint or default that cannot be.
    Constraint,
    /// DT1015: an unknown option, or a value that it cannot have.
    Option,
    /// DT1016: a query that means nothing, such as a column neither grouped nor aggregated.
    Query,
    /// DT1017: a statement too deep or too long to plan.
    TooComplex,
    /// DT1099: a defect of Deltic; please report it.
    Internal,
}

impl Code {
    /// The code as users see it.
    pub fn as_str(self) -> &'static str {
        match self {
            Code::Syntax => "DT1001",
            Code::UnknownRelation => "DT1002",
            Code::UnknownColumn => "DT1003",
            Code::UnknownFunction => "DT1004",
            Code::UnknownStatement => "DT1005",
            Code::RelationExists => "DT1006",
            Code::RelationInUse => "DT1007",
            Code::DuplicateColumn => "DT1008",
            Code::Unsupported => "DT1009",
            Code::Type => "DT1010",
            Code::Volatile => "DT1011",
            Code::Ambiguous => "DT1012",
            Code::WrongKind => "DT1013",
            Code::Constraint => "DT1014",
            Code::Option => "DT1015",
            Code::Query => "DT1016",
            Code::TooComplex => "DT1017",
            Code::Internal => "DT1099",
        }
    }
}

/// A place in the text of a script, 1-based. `Position::default()` is the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column, in characters.
    pub column: usize,
}

impl Default for Position {
    fn default() -> Self {
        Position { line: 1, column: 1 }
    }
}

/// A refused statement. Nothing was changed by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqlError {
    /// The stable code, such as `DT1003`.
    pub code: &'static str,
    /// What is wrong; names the object.
    pub message: String,
    /// 1-based line in the text that was parsed.
    pub line: usize,
    /// 1-based column, in characters.
    pub column: usize,
    /// The way out, if there is one to tell.
    pub hint: Option<String>,
}

impl SqlError {
    /// An error of kind `code` at `position`.
    pub fn new(code: Code, position: Position, message: impl Into<String>) -> Self {
        SqlError { code: code.as_str(), message: message.into(), line: position.line, column: position.column, hint: None }
    }

    /// The error with a hint.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Where it is.
    pub fn position(&self) -> Position {
        Position { line: self.line, column: self.column }
    }

    /// `what` is not supported.
    pub(crate) fn unsupported(position: Position, what: impl fmt::Display) -> Self {
        Self::new(Code::Unsupported, position, format!("{what} is not supported"))
    }

    /// The error, at `position` if it has none of its own.
    pub(crate) fn or_at(self, position: Position) -> Self {
        if self.line > 0 { self } else { SqlError { line: position.line, column: position.column, ..self } }
    }

    /// An error whose position is known to the caller ([`SqlError::or_at`]).
    pub(crate) fn nowhere(code: Code, message: impl Into<String>) -> Self {
        Self::new(code, Position { line: 0, column: 0 }, message)
    }

    pub(crate) fn is(&self, code: Code) -> bool {
        self.code == code.as_str()
    }
}

impl fmt::Display for SqlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} (line {}, column {})", self.code, self.message, self.line, self.column)?;
        match &self.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for SqlError {}
