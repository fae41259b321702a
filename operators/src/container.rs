//! [`Delta`]: a Z-set batch as what timely moves along an edge.
//!
//! A container carries no time: one message holds rows of one epoch, and the epoch is the message's timestamp. Within a process timely
//! hands containers over by pointer, so a batch crosses threads without a copy of its Arrow buffers.

use deltic_zset::ZBatch;
use timely::Accountable;
use timely::bytes::arc::Bytes;
use timely::dataflow::Stream;
use timely::dataflow::channels::ContainerBytes;

/// Rows of one epoch on an edge.
#[derive(Clone, Debug, Default)]
pub(crate) struct Delta(pub(crate) ZBatch);

/// An edge of a dataflow; its timestamps are epochs.
pub(crate) type DeltaStream<'scope> = Stream<'scope, u64, Delta>;

/// The two outputs of a node.
#[derive(Clone)]
pub(crate) struct Outlet<'scope> {
    /// The delta of its rows.
    pub(crate) rows: DeltaStream<'scope>,
    /// The delta of the errors that arise in it.
    pub(crate) errors: DeltaStream<'scope>,
}

impl Accountable for Delta {
    fn record_count(&self) -> i64 {
        self.0.len() as i64
    }
}

/// What a message to another process would be. All workers of a database are threads of one process, started with typed channels, so
/// timely asks for the bound and never calls it.
impl ContainerBytes for Delta {
    fn from_bytes(_bytes: Bytes) -> Self {
        unreachable!("deltas do not leave the process")
    }

    fn length_in_bytes(&self) -> usize {
        unreachable!("deltas do not leave the process")
    }

    fn into_bytes<W: std::io::Write>(&self, _writer: &mut W) {
        unreachable!("deltas do not leave the process")
    }
}
