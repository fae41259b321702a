//! SQL text to statements, plans and circuits.
//!
//! ```text
//! text --parse--> Statement --plan_*(Catalog)--> DataFusion's optimised plan --lower--> Circuit
//! ```
//!
//! The parser is sqlparser's with a dialect and a statement level of our own. Binding, type coercion and the optimiser are DataFusion's,
//! with the rules that suit incremental maintenance. Two allow-lists stand around them, because DataFusion silently ignores some clauses
//! and leaves some subqueries where they are: one over the syntax tree before planning, one over the plan after it. What is not known
//! to be right is refused by name. This crate knows nothing of timely.

mod catalog;
mod error;
mod event_time;
mod lower;
mod parser;
mod plan;
mod stack;
mod statement;
mod suggest;

pub use catalog::{Catalog, Created, Relation, RelationKind, SqlFunction};
pub use error::{Code, Position, SqlError};
pub use event_time::{EventTimeDefinition, LatePolicy, OverflowPolicy, WatermarkStrategy};
pub use parser::parse;
pub use plan::{
    BuiltinFunctions, ClockStep, JsonKind, Now, PlannedQuery, builtin_functions, plan_advance_clock, plan_advance_watermark,
    plan_delete, plan_insert, plan_query, plan_update,
};
pub use statement::{
    AdvanceClock, AdvanceWatermark, Copy, CopyDirection, CopyFormat, CopySource, CreateFunction, CreateTable, CreateView, Delete,
    Drop, DropFunction, EmitClause, Explain, ExplainFormat, ExplainTarget, ExplainWhat, FunctionName, Insert, Name, Parsed,
    Query, Show, Span, Statement, Update,
};
