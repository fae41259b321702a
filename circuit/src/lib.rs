//! Circuits: what a view computes, as a typed, positional graph of Z-set operators.
//!
//! The frontend makes a [`Circuit`] from SQL, `deltic-operators` runs it as dataflow, and the naive interpreter of this crate
//! says what it means. Columns are positions; names live at the borders only.

mod expr;
mod node;

pub use expr::{BinaryOp, Expr};
pub use node::{
    AggregateCall, AggregateFunction, Circuit, JoinKey, JoinKind, Node, NodeId, Operator, Properties, SortKey,
};
