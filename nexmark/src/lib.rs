//! Nexmark, the auction benchmark of streaming systems: its events as Arrow batches and its queries as SQL.
//!
//! The events come from the crate `nexmark`, which follows the original generator (1 person : 3 auctions : 46 bids, hot
//! sellers and hot auctions). They are a pure function of their number, so a run can be repeated, cut into commits of any size, or generated on
//! several threads: see [`Events`].
//!
//! The queries are those of the Nexmark suite for Flink, q0 to q22, in Deltic's SQL; [`QUERIES`] says which.
//! Reference: P. Tucker et al., *NEXMark - A Benchmark for Queries over Data Streams* (2002); <https://github.com/nexmark/nexmark>.

mod events;
mod queries;
mod windowed;

pub use events::{Batch, Events, schema_auction, schema_bid, schema_person};
pub use queries::{QUERIES, Query, SIDE_INPUT_ROWS, STREAMS, TABLES, query, side_input_sql};
pub use windowed::{TIMED_STREAMS, WATERMARK_DELAY_MS, WINDOWED};
