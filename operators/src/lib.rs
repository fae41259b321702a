//! Circuit nodes as dataflow: one file per operator.
//!
//! An operator is an [`EpochOperator`], a state machine that takes the rows of an epoch and answers with one consolidated
//! delta. It knows no SQL and, the driver apart, no timely.

mod aggregate;
mod constant;
mod distinct;
mod map_filter;
mod negate;
mod operator;
mod order;
#[cfg(test)]
mod testing;
mod top_k;
mod union;

pub use aggregate::Aggregate;
pub use constant::Constant;
pub use distinct::Distinct;
pub use map_filter::MapFilter;
pub use negate::Negate;
pub use operator::{EpochOperator, Output, StateSize};
pub use top_k::TopK;
pub use union::Union;
