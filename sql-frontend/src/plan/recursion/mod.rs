//! `WITH RECURSIVE` and `WITH MUTUALLY RECURSIVE`.
//!
//! DataFusion plans recursion with one reference and one table only, so it never sees any. Before a query is bound, the common table expressions
//! that depend on themselves are taken out of it, each group that depends on itself in common by itself, so that what a group reads of an earlier one is
//! at its end: negation and aggregation of an earlier group mean what they say. Each definition is a query of its own, planned
//! like any other, in which the group's names are relations ([`VariableSource`]); and what remains in the place of the expressions are relations too
//! ([`RecursionSource`]), whose rows lowering computes from the plans of the definitions ([`crate::lower`]).

mod enclosing;
mod group;
mod source;
mod unfold;

pub(crate) use source::{RecursionPlan, RecursionSource, VariablePlan, VariableSource, new_id, prepare};
pub(super) use unfold::unfold;

/// The name of what marks `WITH MUTUALLY RECURSIVE`; its query is the limit.
pub(crate) const MUTUALLY_RECURSIVE: &str = "__mutually recursive";

/// The name of what marks a limit after `WITH RECURSIVE`.
pub(crate) const WITH_LIMIT: &str = "__recursion limit";

/// Whether a common table expression is a mark of the parser's.
pub(super) fn is_mark(cte: &sqlparser::ast::Cte) -> bool {
    [MUTUALLY_RECURSIVE, WITH_LIMIT].contains(&cte.alias.name.value.as_str())
}
