//! Z-sets: batches of weighted rows, and the structures that hold their state.
//!
//! A *Z-set* maps rows to non-zero `i64` weights. [`ZBatch`] is one, in Arrow columns; everything that flows through a
//! Deltic circuit is a `ZBatch`. This crate knows neither SQL nor timely.

mod batch;
mod error;

pub use batch::ZBatch;
pub use error::{Error, Result};
