//! [`Version`]: the contents of an arrangement at one moment, for the thread that owns it.

use std::rc::Rc;

use arrow::array::ArrayRef;

use super::{Matches, Snapshot};

/// The contents of an [`Arrangement`](super::Arrangement) at one moment, frozen.
#[derive(Clone, Debug)]
pub struct Version {
    _local: Rc<()>,
}

impl Version {
    /// Adds to `matches` every stored entry whose key equals a row of `keys`.
    pub fn probe(&self, keys: &[ArrayRef], hashes: &[u64], null_safe: &[bool], matches: &mut Matches) {
        let _ = (keys, hashes, null_safe, matches);
        todo!()
    }

    /// The same contents, for any thread.
    pub fn snapshot(&self) -> Snapshot {
        todo!()
    }

    /// The number of entries.
    pub fn entries(&self) -> usize {
        todo!()
    }
}
