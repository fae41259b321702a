//! What the benchmarks share: figures of the running process, the rows that both sides of a comparison are fed, and
//! typed differential-dataflow twins of our operators.

pub mod clicks;
pub mod differential;
pub mod operators;
pub mod process;
pub mod reachability;
pub mod rows;
pub mod sessions;
