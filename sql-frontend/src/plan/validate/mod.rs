//! The allow-list over the syntax tree: what is not listed here is refused by its name, with its position.
//!
//! DataFusion silently ignores some clauses (TABLESAMPLE, FOR SYSTEM_TIME AS OF), so "it could be planned" means nothing. Every field of a
//! clause is looked at; functions are resolved here because here their positions are known.

mod expression;
mod function;
mod query;
mod relation;
mod spelling;

use std::fmt::Display;

use sqlparser::ast::*;

use crate::SqlError;
use crate::error::Position;

type Valid = Result<(), SqlError>;

/// Checks `query` and all that is in it.
pub(crate) fn validate_query(query: &Query, position: Position) -> Valid {
    Validator { position }.query(query)
}

/// Checks an expression that stands outside of a query.
pub(crate) fn validate_expression(expr: &Expr, position: Position) -> Valid {
    Validator { position }.expr(expr)
}

/// Walks the tree with the last known position: not every node of sqlparser has one.
#[derive(Clone, Copy)]
struct Validator {
    position: Position,
}

impl Validator {
    fn at(self, node: &impl Spanned) -> Self {
        let start = node.span().start;
        if start.line == 0 { self } else { Validator { position: start.into() } }
    }

    fn refuse(self, what: impl Display) -> Valid {
        Err(SqlError::unsupported(self.position, what))
    }

    /// Refuses the first clause that is there.
    fn absent(self, clauses: &[(bool, &str)]) -> Valid {
        clauses.iter().find(|(present, _)| *present).map_or(Ok(()), |(_, name)| self.refuse(name))
    }
}
