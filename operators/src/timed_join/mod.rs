//! Joins by time: [`IntervalJoin`] and [`AsOfJoin`].
//!
//! Both sides keep their rows ordered by key and time, so that the rows that a changed row meets are a range of the other side: one descent, then only
//! what is met. Keys are numbers ([`JoinKeys`]) that both sides share, so the order compares words. As watermarks pass, rows that no later row
//! can meet are dropped key by key ([`Trimming`]).
//!
//! A row without a time, or with a NULL in a key that is not null-safe, meets nothing and is never stored.

mod as_of;
mod changes;
mod interval;
mod keys;
mod trimming;

pub use as_of::AsOfJoin;
pub use interval::IntervalJoin;

use changes::{Change, TimedRows};
use keys::JoinKeys;
use trimming::Trimming;
