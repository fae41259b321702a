//! [`Arena`]: nodes by number, densely packed in chunks.
//!
//! Numbers instead of boxes keep the nodes of a tree together and the links to them at four bytes. Chunks never move, so
//! growing copies nothing. There is no free list: a removed node is replaced by the last one ([`Arena::remove`] tells the
//! caller, who has to redirect the link to it), hence memory follows the number of live nodes and deletes leave no holes.

use std::ops::{Index, IndexMut};

/// Nodes per chunk, a power of two.
const CHUNK: usize = 64;

pub(super) struct Arena<T> {
    /// All full but the last one in use; behind it at most one empty chunk is kept against thrashing.
    chunks: Vec<Vec<T>>,
    len: usize,
}

impl<T> Arena<T> {
    pub(super) const fn new() -> Self {
        Arena { chunks: Vec::new(), len: 0 }
    }

    pub(super) fn push(&mut self, node: T) -> u32 {
        let id = self.len;
        if id / CHUNK == self.chunks.len() {
            // The first chunk grows with its nodes, so that a small tree stays small.
            self.chunks.push(if id == 0 { Vec::new() } else { Vec::with_capacity(CHUNK) });
        }
        self.chunks[id / CHUNK].push(node);
        self.len += 1;
        u32::try_from(id).expect("fewer than 2^32 nodes: a node takes more than a hundred bytes")
    }

    /// Removes node `id`. The node that had the greatest number takes over `id`; returns its former number if it is another.
    pub(super) fn remove(&mut self, id: u32) -> Option<u32> {
        self.len -= 1;
        let last = self.len;
        let moved = self.chunks[last / CHUNK].pop().expect("the last chunk in use is not empty");
        self.chunks.truncate(last.div_ceil(CHUNK) + 1);
        if id as usize == last {
            return None;
        }
        self[id] = moved;
        Some(last as u32)
    }

    /// The memory of the chunks in bytes.
    pub(super) fn memory_bytes(&self) -> usize {
        let nodes: usize = self.chunks.iter().map(Vec::capacity).sum();
        nodes * size_of::<T>() + self.chunks.capacity() * size_of::<Vec<T>>()
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }
}

impl<T> Index<u32> for Arena<T> {
    type Output = T;

    #[inline]
    fn index(&self, id: u32) -> &T {
        &self.chunks[id as usize / CHUNK][id as usize % CHUNK]
    }
}

impl<T> IndexMut<u32> for Arena<T> {
    #[inline]
    fn index_mut(&mut self, id: u32) -> &mut T {
        &mut self.chunks[id as usize / CHUNK][id as usize % CHUNK]
    }
}
