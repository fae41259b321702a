//! [`Runs`]: many short arrays in few allocations, by number.
//!
//! Arrays of one, two and up to four elements lie in chunks that never move, and what is given back is used again for
//! arrays of the same class. So a record costs its elements and nothing for being one of millions.

/// The longest array.
pub(super) const LONGEST: usize = 4;
/// Elements per chunk.
const CHUNK: usize = 1024;
const CLASSES: usize = 3;

/// Arrays of up to [`LONGEST`] elements.
pub(super) struct Runs<V> {
    chunks: Vec<Vec<V>>,
    /// The first elements of arrays that were given back, by class.
    free: [Vec<u32>; CLASSES],
    arrays: usize,
    elements: usize,
}

/// Arrays of this length take `1 << class` elements.
fn class(length: usize) -> usize {
    debug_assert!((1..=LONGEST).contains(&length));
    length.next_power_of_two().trailing_zeros() as usize
}

impl<V: Default> Runs<V> {
    pub(super) const fn new() -> Self {
        Runs { chunks: Vec::new(), free: [const { Vec::new() }; CLASSES], arrays: 0, elements: 0 }
    }

    /// A new array with these elements, of which there are one to [`LONGEST`].
    pub(super) fn insert(&mut self, elements: impl ExactSizeIterator<Item = V>) -> u32 {
        let class = class(elements.len());
        self.arrays += 1;
        self.elements += elements.len();
        let first = self.free[class].pop().unwrap_or_else(|| self.allocate(1 << class));
        for (number, element) in elements.enumerate() {
            *self.get_mut(first + number as u32) = element;
        }
        first
    }

    fn allocate(&mut self, length: usize) -> u32 {
        if self.chunks.last().is_none_or(|chunk| chunk.len() + length > CHUNK) {
            // The first chunk grows with its elements, so that a small operator stays small.
            self.chunks.push(if self.chunks.is_empty() { Vec::new() } else { Vec::with_capacity(CHUNK) });
        }
        let number = self.chunks.len() - 1;
        let chunk = &mut self.chunks[number];
        let first = number * CHUNK + chunk.len();
        chunk.resize_with(chunk.len() + length, V::default);
        u32::try_from(first).expect("fewer than 2^32 elements: there is a group of 32 bits for each array")
    }

    /// Takes the elements of an array of `length` out, which is then no more.
    pub(super) fn remove(&mut self, first: u32, length: usize) -> impl Iterator<Item = V> {
        self.arrays -= 1;
        self.elements -= length;
        self.free[class(length)].push(first);
        let mut taken: [Option<V>; LONGEST] = std::array::from_fn(|_| None);
        for (number, slot) in taken.iter_mut().take(length).enumerate() {
            *slot = Some(std::mem::take(self.get_mut(first + number as u32)));
        }
        if self.arrays == 0 {
            // The last one out gives back the memory.
            *self = Runs::new();
        }
        taken.into_iter().flatten()
    }

    /// An element by number.
    #[inline]
    pub(super) fn get(&self, number: u32) -> &V {
        &self.chunks[number as usize / CHUNK][number as usize % CHUNK]
    }

    /// An element by number, to be changed.
    #[inline]
    pub(super) fn get_mut(&mut self, number: u32) -> &mut V {
        &mut self.chunks[number as usize / CHUNK][number as usize % CHUNK]
    }

    /// The number of elements of all arrays.
    pub(super) fn elements(&self) -> usize {
        self.elements
    }

    /// The memory held, in bytes.
    pub(super) fn memory_bytes(&self) -> usize {
        let elements: usize = self.chunks.iter().map(Vec::capacity).sum();
        let free: usize = self.free.iter().map(Vec::capacity).sum();
        elements * size_of::<V>() + free * 4 + self.chunks.capacity() * size_of::<Vec<V>>()
    }
}

#[cfg(test)]
mod tests {
    use super::Runs;

    #[test]
    fn arrays_come_back_as_they_were_and_leave_nothing() {
        let mut runs = Runs::new();
        let arrays: Vec<(u32, Vec<usize>)> =
            (0..5000).map(|n| (n, (0..1 + n as usize % 4).map(|i| n as usize + i).collect())).collect();
        let mut kept: Vec<(u32, Vec<usize>)> =
            arrays.iter().map(|(_, values)| (runs.insert(values.iter().copied()), values.clone())).collect();
        for round in 0..3 {
            for (first, values) in &mut kept {
                assert_eq!(runs.remove(*first, values.len()).collect::<Vec<_>>(), *values);
                values.rotate_left(1);
                values.truncate(1 + round % 2);
                *first = runs.insert(values.iter().copied());
            }
        }
        assert_eq!(runs.elements(), kept.iter().map(|(_, values)| values.len()).sum::<usize>());
        kept.iter().for_each(|(first, values)| drop(runs.remove(*first, values.len())));
        assert_eq!((runs.elements(), runs.memory_bytes()), (0, 0));
    }
}
