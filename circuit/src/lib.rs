//! Circuits: what a view computes, as a typed, positional graph of Z-set operators.
//!
//! The frontend makes a [`Circuit`] from SQL, `deltic-operators` runs it as dataflow, and the naive [`interpreter`] of this crate
//! says what it means. Columns are positions; names live at the borders only.
//!
//! ```
//! use std::sync::Arc;
//!
//! use arrow::array::{ArrayRef, Int64Array};
//! use arrow::datatypes::{DataType, Field, Schema};
//! use deltic_circuit::{BinaryOp, CircuitBuilder, Expr, Properties, explain, interpreter, render_row};
//! use deltic_zset::ZBatch;
//!
//! // SELECT 12 / n AS q FROM t
//! let schema = Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, true)]));
//! let mut builder = CircuitBuilder::new();
//! let t = builder.source("t", schema.clone(), Properties::default());
//! let quotient = Expr::binary(BinaryOp::Divide, Expr::literal(12i64), builder.column(t, 0));
//! let q = builder.map_filter(t, vec![], vec![("q".to_owned(), quotient)])?;
//! let circuit = builder.finish(q, None)?;
//! assert!(explain::text(&circuit).starts_with("[1] MapFilter select (12 / #0) -> (q BIGINT)"));
//!
//! // A row that cannot be evaluated stops nothing: it is in the errors instead.
//! let numbers: ArrayRef = Arc::new(Int64Array::from(vec![4, 0]));
//! let sources = [("t".to_owned(), ZBatch::new(schema, vec![numbers], None, 2))].into();
//! let result = interpreter::evaluate(&circuit, &sources)?;
//! assert_eq!(render_row(&result.rows, 0), "(3)");
//! assert_eq!(render_row(&result.errors, 0), "('DT2002', 'division by zero: 12 / 0', 'filter/projection', '(0)')");
//! # Ok::<(), deltic_circuit::CircuitError>(())
//! ```

pub mod aggregate;
mod builder;
mod calendar;
mod cost;
mod error;
pub mod errors;
mod eval;
pub mod explain;
mod expr;
mod fingerprint;
pub mod frame;
pub mod functions;
pub mod interpreter;
mod interval;
mod map_filter;
mod node;
mod properties;
pub mod recursion;
mod retention;
pub mod time;
mod validate;

pub use aggregate::{AggregateCall, AggregateFunction, Moment};
pub use builder::{Built, CircuitBuilder, Defined, TimeMatch};
pub use cost::{Cost, LONGEST_LIST, StateCost, cost};
pub use error::CircuitError;
pub use errors::{
    ErrorRows, EvalError, RowErrors, aggregate_label, aggregate_text, error_schema, operator_label, render_row, render_values,
    window_label, window_text,
};
pub use eval::Evaluated;
pub use eval::text::sql_type;
pub use expr::{BinaryOp, Expr};
pub use fingerprint::fingerprint;
pub use interval::parse_interval;
pub use map_filter::map_filter;
pub use node::{
    AsOfComparison, Circuit, CircuitRef, EmitPolicy, IntervalJoinKind, JoinKey, JoinKind, Node, NodeId, Operator, Properties,
    SessionOutput, SetOperationKind, SortKey, TemporalOutput, Ticks, Ties,
};
pub use properties::derive_properties;
pub use recursion::{DEFAULT_RECURSION_LIMIT, Recursion, Variable};
pub use retention::{Retention, retention};
pub use time::{Closing, EpochInfo, EventTime, TimeGrid, TimeSource, Window};
pub use validate::validate;
