//! Event time in the engine: the clock, watermarks, and which rows are accepted.
//!
//! Everything about time is decided once per epoch, by the coordinator, before the workers hear of it. Sealing a commit goes in two steps. First
//! each source *judges* the rows that came for it ([`acceptance`]), against its watermark as it was before the epoch, and nothing
//! changes; a commit that is refused leaves no trace. Then, when the epoch has its number, the [`Timeline`] *passes* it: the clock is
//! looked at, watermarks move with the accepted rows, sources without rows fall idle, and the result is the
//! [`EpochInfo`](deltic_circuit::time::EpochInfo) that goes to the workers with the rows.
//!
//! Because lateness is decided here, all views see the same rows, and a view over late data is as exact as any other.

mod acceptance;
mod clock;
mod late;
mod partitions;
mod timeline;
mod watermark;

pub(crate) use acceptance::Limits;
pub use clock::{Clock, ManualClock};
pub use late::{LateCounters, LateNotice};
pub(crate) use timeline::{Passage, Passing, Timeline, no_event_time};
pub(crate) use watermark::{SourceTime, show_time};
