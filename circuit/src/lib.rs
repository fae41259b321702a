//! Circuits: what a view computes, as a typed, positional graph of Z-set operators.
//!
//! The frontend makes a [`Circuit`] from SQL, `deltic-operators` runs it as dataflow, and the naive [`interpreter`] of this crate
//! says what it means. Columns are positions; names live at the borders only.

pub mod aggregate;
mod builder;
mod error;
pub mod errors;
mod eval;
pub mod explain;
mod expr;
mod fingerprint;
pub mod interpreter;
mod map_filter;
mod node;
mod properties;
mod validate;

pub use builder::{Built, CircuitBuilder};
pub use error::CircuitError;
pub use errors::{
    ErrorRows, EvalError, RowErrors, aggregate_label, aggregate_text, error_schema, operator_label, render_row, render_values,
};
pub use eval::Evaluated;
pub use expr::{BinaryOp, Expr};
pub use fingerprint::fingerprint;
pub use map_filter::map_filter;
pub use node::{
    AggregateCall, AggregateFunction, Circuit, CircuitRef, JoinKey, JoinKind, Node, NodeId, Operator, Properties, SortKey,
};
pub use properties::derive_properties;
pub use validate::validate;
