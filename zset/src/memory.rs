//! [`Pages`]: zeroed buffers of fixed length, on huge pages when they are big.
//!
//! The state structures touch their buffers at random. On 4 KiB pages most of these accesses miss the TLB on top of the cache,
//! which costs a hash table a fifth of its speed. So buffers of 2 MiB and more are mapped at 2 MiB boundaries and the kernel is
//! asked for huge pages. Such a buffer costs nothing until it is touched, and the zeros come from the kernel: that is what
//! makes it cheap to allocate a table twice the size and to fill it step by step. And it grows without a copy: its pages are moved to
//! their new address (`mremap`), which takes microseconds however big it is.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

/// The size and alignment of a huge page.
const HUGE_PAGE: usize = 2 << 20;
const CACHE_LINE: usize = 64;

/// Types for which all bit patterns, zero above all, are values.
///
/// # Safety
/// The type must have no padding, no invalid bit pattern, no drop glue, and an alignment of at most 64 bytes.
pub unsafe trait Plain: Copy + Send + Sync + 'static {}
// SAFETY: integers are plain.
unsafe impl Plain for u8 {}
// SAFETY: as above.
unsafe impl Plain for u32 {}
// SAFETY: as above.
unsafe impl Plain for u64 {}
// SAFETY: as above.
unsafe impl Plain for i64 {}

/// A buffer of `T`s, zeroed at first; it has a fixed length, and dereferences to a slice.
///
/// ```
/// use deltic_zset::memory::Pages;
/// let mut words = Pages::<u64>::zeroed(1 << 20);
/// words[7] = 1;
/// assert_eq!(words[6..9], [0, 1, 0]);
/// ```
pub struct Pages<T: Plain> {
    start: NonNull<T>,
    len: usize,
    element: PhantomData<T>,
}

// SAFETY: `Pages` owns its memory, like a boxed slice of a `Send` type.
unsafe impl<T: Plain> Send for Pages<T> {}
// SAFETY: shared access gives shared slices only.
unsafe impl<T: Plain> Sync for Pages<T> {}

impl<T: Plain> Pages<T> {
    /// `len` zeros.
    ///
    /// # Panics
    /// If the size in bytes leaves the range of `isize`. Aborts as [`Vec`] does if there is no memory.
    pub fn zeroed(len: usize) -> Self {
        let layout = Self::layout(len);
        let start = if layout.size() == 0 {
            NonNull::dangling()
        } else if on_huge_pages(layout.size()) {
            map(layout).cast()
        } else {
            // SAFETY: the size is not zero.
            NonNull::new(unsafe { alloc_zeroed(layout) }.cast()).unwrap_or_else(|| handle_alloc_error(layout))
        };
        Pages { start, len, element: PhantomData }
    }

    /// Moves to a buffer of `len` elements, more than before; those that are new are zero. Copies small buffers only.
    pub fn grow(&mut self, len: usize) {
        assert!(len >= self.len);
        let (old, new) = (Self::layout(self.len), Self::layout(len));
        if on_huge_pages(old.size()) {
            // SAFETY: `start` is from `map` with the old layout, and is replaced at once.
            self.start = unsafe { remap(self.start.cast(), old, new) }.cast();
            self.len = len;
        } else {
            let mut grown = Self::zeroed(len);
            grown[..self.len].copy_from_slice(self);
            *self = grown;
        }
    }

    /// The size in bytes.
    pub fn memory_bytes(&self) -> usize {
        self.len * size_of::<T>()
    }

    fn layout(len: usize) -> Layout {
        let array = Layout::array::<T>(len).and_then(|array| array.align_to(CACHE_LINE));
        array.expect("a buffer is smaller than the address space")
    }
}

impl<T: Plain> Drop for Pages<T> {
    fn drop(&mut self) {
        let layout = Self::layout(self.len);
        if layout.size() == 0 {
        } else if on_huge_pages(layout.size()) {
            // SAFETY: `start` is from `map` with this layout, and nobody has it after the drop.
            unsafe { unmap(self.start.cast(), layout) }
        } else {
            // SAFETY: `start` is from `alloc_zeroed` with this layout, and nobody has it after the drop.
            unsafe { dealloc(self.start.as_ptr().cast(), layout) }
        }
    }
}

impl<T: Plain> Deref for Pages<T> {
    type Target = [T];

    #[inline(always)]
    fn deref(&self) -> &[T] {
        // SAFETY: `start` points to `len` initialised elements, aligned, that live as long as `self`.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl<T: Plain> DerefMut for Pages<T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as in `deref`, and `self` is borrowed exclusively.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}

impl<T: Plain> Clone for Pages<T> {
    fn clone(&self) -> Self {
        let mut copy = Self::zeroed(self.len);
        copy.copy_from_slice(self);
        copy
    }
}

impl<T: Plain> std::fmt::Debug for Pages<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pages").field("len", &self.len).finish_non_exhaustive()
    }
}

/// Asks for the cache line of `value`, for a read or write that comes some hundred instructions later.
#[inline(always)]
pub fn prefetch<T>(value: &T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch changes nothing but the cache, and the address is that of a reference.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(value).cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = value;
}

/// Whether a buffer of this size is mapped rather than allocated.
const fn on_huge_pages(bytes: usize) -> bool {
    cfg!(all(target_os = "linux", not(miri))) && bytes >= HUGE_PAGE
}

#[cfg(all(target_os = "linux", not(miri)))]
fn map(layout: Layout) -> NonNull<u8> {
    let size = layout.size().next_multiple_of(HUGE_PAGE);
    let reserved = size + HUGE_PAGE;
    let (protection, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    // SAFETY: a fresh anonymous mapping touches no memory of others; what is cut off below lies inside of it and is not used.
    unsafe {
        let address = libc::mmap(std::ptr::null_mut(), reserved, protection, flags, -1, 0);
        if address == libc::MAP_FAILED {
            handle_alloc_error(layout);
        }
        let address = address.cast::<u8>();
        let front = address.align_offset(HUGE_PAGE);
        let start = address.add(front);
        if front > 0 {
            libc::munmap(address.cast(), front);
        }
        if front < HUGE_PAGE {
            libc::munmap(start.add(size).cast(), HUGE_PAGE - front);
        }
        // Only advice: without huge pages all is correct and slower.
        libc::madvise(start.cast(), size, libc::MADV_HUGEPAGE);
        NonNull::new_unchecked(start)
    }
}

/// # Safety
/// `start` must be from [`map`] with this layout, and must not be used again.
#[cfg(all(target_os = "linux", not(miri)))]
unsafe fn unmap(start: NonNull<u8>, layout: Layout) {
    // SAFETY: the mapping is exactly this long, and the caller gives it up.
    unsafe { libc::munmap(start.as_ptr().cast(), layout.size().next_multiple_of(HUGE_PAGE)) };
}

/// Moves a mapping, with its pages, to one of another size.
///
/// # Safety
/// `start` must be from [`map`] with layout `old`, and must not be used again; the result is as from [`map`] with `new`.
#[cfg(all(target_os = "linux", not(miri)))]
unsafe fn remap(start: NonNull<u8>, old: Layout, new: Layout) -> NonNull<u8> {
    let target = map(new);
    let (old_size, new_size) = (old.size().next_multiple_of(HUGE_PAGE), new.size().next_multiple_of(HUGE_PAGE));
    let flags = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED;
    // SAFETY: both mappings are ours and exactly this long. The target, untouched, makes room for the moved pages and for the
    // zero pages that follow them.
    let moved = unsafe { libc::mremap(start.as_ptr().cast(), old_size, new_size, flags, target.as_ptr()) };
    if moved == libc::MAP_FAILED {
        handle_alloc_error(new);
    }
    target
}

#[cfg(not(all(target_os = "linux", not(miri))))]
unsafe fn remap(_: NonNull<u8>, _: Layout, _: Layout) -> NonNull<u8> {
    unreachable!("buffers are mapped on Linux only")
}

#[cfg(not(all(target_os = "linux", not(miri))))]
fn map(_: Layout) -> NonNull<u8> {
    unreachable!("buffers are mapped on Linux only")
}

#[cfg(not(all(target_os = "linux", not(miri))))]
unsafe fn unmap(_: NonNull<u8>, _: Layout) {
    unreachable!("buffers are mapped on Linux only")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_of_all_sizes_are_zeroed_aligned_and_grow() {
        for bytes in [0, 1, 4096, HUGE_PAGE - 1, HUGE_PAGE, HUGE_PAGE + 1, 5 * HUGE_PAGE / 2] {
            let mut pages = Pages::<u8>::zeroed(bytes);
            assert_eq!(pages.len(), bytes);
            assert!(pages.iter().step_by(511).all(|byte| *byte == 0));
            pages.fill(7);
            pages.grow(bytes + HUGE_PAGE);
            assert!(pages.as_ptr().align_offset(HUGE_PAGE) == 0 || cfg!(any(miri, not(target_os = "linux"))));
            assert!(pages[..bytes].iter().step_by(511).all(|byte| *byte == 7));
            assert!(pages[bytes..].iter().step_by(511).all(|byte| *byte == 0));
            assert_eq!(pages.clone()[..], pages[..]);
        }
    }
}
