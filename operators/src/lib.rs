//! Circuit nodes as dataflow: one file per operator.
//!
//! An operator is an [`EpochOperator`], a state machine that takes the rows of an epoch and answers with one consolidated
//! delta. It knows no SQL and, the driver apart, no timely.

mod aggregate;
mod arrange;
mod constant;
mod container;
mod contract;
mod dataflow;
mod distinct;
mod driver;
mod emit;
mod exchange;
mod expiring;
mod fixpoint;
mod horizon;
mod join;
mod lookup;
mod map_filter;
mod max_one_row;
mod negate;
mod operator;
mod order;
mod row_key;
mod rows_by_time;
mod session;
mod set_operation;
mod tally;
mod temporal_filter;
#[cfg(test)]
mod testing;
mod time_window;
mod timed_join;
mod top_k;
mod union;
mod unnest;
mod window_frame;

pub use aggregate::Aggregate;
pub use arrange::{Index, Reader, SharedArrangement};
pub use constant::Constant;
pub use dataflow::{Dataflow, EpochTimes, Install, OperatorState, Part, Registry, holds_contents, install, run_once};
pub use distinct::Distinct;
pub use emit::{EmitClosed, EmitSampled};
pub use horizon::Horizon;
pub use join::Join;
pub use lookup::TemporalLookup;
pub use map_filter::MapFilter;
pub use max_one_row::MaxOneRow;
pub use negate::Negate;
pub use operator::{EpochOperator, Output, StateSize, WindowMetrics};
pub use order::OrderBytes;
pub use session::session;
pub use set_operation::SetOperation;
pub use temporal_filter::TemporalFilter;
pub use time_window::TimeWindow;
pub use timed_join::{AsOfJoin, IntervalJoin};
pub use top_k::{AppendOnlyTopK, TopK};
pub use union::Union;
pub use unnest::Unnest;
pub use window_frame::window_frame;
