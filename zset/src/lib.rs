//! Z-sets: batches of weighted rows, and the structures that hold their state.
//!
//! A *Z-set* maps rows to non-zero `i64` weights. [`ZBatch`] is one, in Arrow columns; everything that flows through a
//! Deltic circuit is a `ZBatch`. State is held in three structures: the [`GroupTable`] for what is known per key (linear
//! aggregates, distinct, match counts), the arrangement for rows under a key (joins, shared indexes, table contents), and
//! the ordered index for questions of order. This crate knows neither SQL nor timely.

mod arrangement;
mod batch;
mod consolidate;
pub mod equality;
mod error;
mod exact_sum;
mod group_table;
pub mod hash;
mod layout;
pub mod maps;
pub mod memory;
mod nested;
mod ordered_index;
#[cfg(test)]
mod test_support;
pub mod types;
mod word;

pub use arrangement::{Arrangement, Matches, Snapshot, Version, Work};
pub use batch::ZBatch;
pub use error::{Error, Result};
pub use exact_sum::{Addend, ExactMoments, ExactNumber, ExactSum, Quotient, Sums, Unit};
pub use group_table::GroupTable;
pub use layout::{EncodedRows, HEADER_NULLS, RowLayout, RowPicks};
pub use ordered_index::{Cursor, Event, OrderedIndex, Range, Span, Summary, WeightCount, Weighted};
