//! Where long strings are: bytes in segments that do not move, filled one after another.
//!
//! Nothing is freed by itself. The arena counts the bytes that are still in use, and when they are less than half, the owner
//! *evacuates* it: all strings that are in use are moved, a few at a time, behind a border; then the segments before the border go.

use std::collections::VecDeque;

use crate::memory::Pages;

const SMALLEST_SEGMENT: usize = 4 << 10;
const LARGEST_SEGMENT: usize = 4 << 20;
/// Below this nothing is worth moving.
const EVACUATED_BYTES: usize = 64 << 10;

pub(super) struct Arena {
    segments: VecDeque<Segment>,
    /// The number of the first of `segments`; numbers are not reused.
    first: u32,
    /// Segments before this one are being evacuated.
    border: u32,
    /// Bytes written, of all segments.
    used: usize,
    /// Bytes of strings that are in use.
    live: usize,
}

struct Segment {
    bytes: Pages<u8>,
    used: usize,
}

impl Arena {
    pub(super) fn new() -> Self {
        Arena { segments: VecDeque::new(), first: 0, border: 0, used: 0, live: 0 }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.segments.iter().map(|segment| segment.bytes.memory_bytes()).sum()
    }

    /// Copies a string, of less than 4 GiB, into the arena. The place is the number of the segment and the offset in it.
    pub(super) fn push(&mut self, string: &[u8]) -> u64 {
        let place = self.reserve(string.len());
        let segment = (place >> 32) as u32 - self.first;
        let start = place as u32 as usize;
        self.segments[segment as usize].bytes[start..start + string.len()].copy_from_slice(string);
        self.live += string.len();
        place
    }

    fn reserve(&mut self, length: usize) -> u64 {
        let last = self.first + self.segments.len() as u32;
        let fits = |segment: &&mut Segment| segment.bytes.len() - segment.used >= length;
        self.used += length;
        // Segments before the border are closed.
        if let Some(segment) = self.segments.back_mut().filter(|_| last > self.border).filter(fits) {
            let start = segment.used;
            segment.used += length;
            return u64::from(last - 1) << 32 | start as u64;
        }
        let size = (self.live / 4).clamp(SMALLEST_SEGMENT, LARGEST_SEGMENT).max(length);
        self.segments.push_back(Segment { bytes: Pages::zeroed(size), used: length });
        u64::from(last) << 32
    }

    /// The string of `length` bytes at `place`.
    #[inline(always)]
    pub(super) fn get(&self, place: u64, length: usize) -> &[u8] {
        let segment = (place >> 32) as u32 - self.first;
        let start = place as u32 as usize;
        &self.segments[segment as usize].bytes[start..start + length]
    }

    /// Says that a string of `length` bytes is no longer in use.
    pub(super) fn release(&mut self, length: usize) {
        self.live -= length;
    }

    /// Whether more than half of the bytes are of strings that are not in use.
    #[inline(always)]
    pub(super) fn is_wasteful(&self) -> bool {
        self.used >= EVACUATED_BYTES && self.live < self.used / 2
    }

    /// Closes all segments. From now on each string in use must be [evacuated](Arena::evacuate) once.
    pub(super) fn start_evacuation(&mut self) {
        self.border = self.first + self.segments.len() as u32;
    }

    /// Moves a string in use behind the border, unless it is there, and gives its place.
    pub(super) fn evacuate(&mut self, place: u64, length: usize) -> u64 {
        if (place >> 32) as u32 >= self.border {
            return place;
        }
        let target = self.reserve(length);
        let from = ((place >> 32) as u32 - self.first) as usize;
        let to = ((target >> 32) as u32 - self.first) as usize;
        let mut moved = self.segments.range_mut(from..=to);
        if let (Some(source), Some(destination)) = (moved.next(), moved.next_back()) {
            let (start, target) = (place as u32 as usize, target as u32 as usize);
            destination.bytes[target..target + length].copy_from_slice(&source.bytes[start..start + length]);
        }
        target
    }

    /// Frees the segments before the border: no string in use is in them any more.
    pub(super) fn finish_evacuation(&mut self) {
        while self.first < self.border {
            self.first += 1;
            let segment = self.segments.pop_front();
            self.used -= segment.map_or(0, |segment| segment.used);
        }
    }
}
