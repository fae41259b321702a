//! Circuit nodes as dataflow: one file per operator.
//!
//! An operator is an [`EpochOperator`], a state machine that takes the rows of an epoch and answers with one consolidated
//! delta. It knows no SQL and, the driver apart, no timely.

mod operator;

pub use operator::{EpochOperator, Output, StateSize};
