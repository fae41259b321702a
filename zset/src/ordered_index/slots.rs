//! [`Slots`]: a vector of fixed capacity whose elements lie in place, so that a node of the tree is one piece of memory.
//!
//! This is the only unsafe code of the index. The invariant: the first `len` slots are initialised, the others are not.
//! Everything that reads goes through the slice of the first `len`; what moves elements keeps `len` at a prefix that is valid
//! even if a destructor panics.

use std::mem::MaybeUninit;
use std::ops::{Deref, DerefMut};
use std::ptr;

#[cfg(target_arch = "x86_64")]
const CACHE_LINE: usize = 64;

/// Up to `N` elements in place.
pub(super) struct Slots<T, const N: usize> {
    len: u16,
    slots: [MaybeUninit<T>; N],
}

impl<T, const N: usize> Slots<T, N> {
    pub(super) const fn new() -> Self {
        Slots { len: 0, slots: [const { MaybeUninit::uninit() }; N] }
    }

    pub(super) fn is_full(&self) -> bool {
        self.len() == N
    }

    /// Starts to load all elements, so that a binary search does not wait for one cache line after the other.
    #[inline]
    pub(super) fn prefetch(&self) {
        #[cfg(target_arch = "x86_64")]
        for line in (0..self.len() * size_of::<T>()).step_by(CACHE_LINE) {
            use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            // SAFETY: the address is inside the array, and a prefetch reads nothing that the program sees.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(self.slots.as_ptr().cast::<i8>().add(line)) }
        }
    }

    /// Starts to load all slots without a look at how many are in use, which would wait for the memory.
    #[inline]
    pub(super) fn prefetch_slots(&self) {
        #[cfg(target_arch = "x86_64")]
        for line in (0..size_of::<Self>()).step_by(CACHE_LINE) {
            use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            // SAFETY: the address is inside the vector, and a prefetch reads nothing that the program sees.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(ptr::from_ref(self).cast::<i8>().add(line)) }
        }
    }

    /// Inserts before element `index`.
    ///
    /// # Panics
    /// If the vector is full or has fewer than `index` elements.
    #[inline]
    pub(super) fn insert(&mut self, index: usize, value: T) {
        let len = self.len();
        assert!(index <= len && len < N, "insertion at {index} into {len} of {N} slots");
        // SAFETY: index <= len < N, so the elements index..len may move up by one slot within the array; the slot at
        // `index` is then free to be written without dropping.
        unsafe {
            let at = self.slots.as_mut_ptr().add(index);
            ptr::copy(at, at.add(1), len - index);
            (*at).write(value);
        }
        self.len += 1;
    }

    /// Removes and returns element `index`.
    ///
    /// # Panics
    /// If there is none.
    #[inline]
    pub(super) fn remove(&mut self, index: usize) -> T {
        let len = self.len();
        assert!(index < len, "removal of {index} from {len} elements");
        self.len -= 1;
        // SAFETY: index < the old len, so the slot is initialised; it is moved out once and overwritten by its successors,
        // and `len` already excludes the last slot, whose contents are moved too.
        unsafe {
            let at = self.slots.as_mut_ptr().add(index);
            let value = (*at).assume_init_read();
            ptr::copy(at.add(1), at, len - 1 - index);
            value
        }
    }

    /// Removes the elements `from .. to`.
    ///
    /// # Panics
    /// If the range is reversed or reaches beyond the elements.
    pub(super) fn remove_range(&mut self, from: usize, to: usize) {
        let len = self.len();
        assert!(from <= to && to <= len, "removal of {from} to {to} from {len} elements");
        self.len = from as u16;
        // SAFETY: the slots from .. len were initialised and `len` excludes them now, so nothing else drops or reads them;
        // those before `to` are dropped once, and those behind it are moved to where they were. Should a destructor panic, the rest
        // is leaked.
        unsafe {
            let start = self.slots.as_mut_ptr().add(from);
            ptr::drop_in_place(ptr::slice_from_raw_parts_mut(start.cast::<T>(), to - from));
            ptr::copy(self.slots.as_ptr().add(to), start, len - to);
        }
        self.len = (len - (to - from)) as u16;
    }

    /// Moves the elements from `index` on to the end of `target`.
    ///
    /// # Panics
    /// If there are fewer than `index`, or they do not fit.
    pub(super) fn move_tail(&mut self, index: usize, target: &mut Self) {
        let (len, targets) = (self.len(), target.len());
        assert!(index <= len && targets + len - index <= N, "{len} - {index} elements behind {targets} of {N}");
        self.len = index as u16;
        // SAFETY: the source slots index..len were initialised and `len` excludes them now; the target has room for them
        // behind its own elements, and two `&mut` do not overlap.
        unsafe {
            let from = self.slots.as_ptr().add(index);
            ptr::copy_nonoverlapping(from, target.slots.as_mut_ptr().add(targets), len - index);
        }
        target.len = (targets + len - index) as u16;
    }
}

impl<T, const N: usize> Deref for Slots<T, N> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        // SAFETY: the first `len` slots are initialised.
        unsafe { std::slice::from_raw_parts(self.slots.as_ptr().cast(), self.len as usize) }
    }
}

impl<T, const N: usize> DerefMut for Slots<T, N> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: the first `len` slots are initialised.
        unsafe { std::slice::from_raw_parts_mut(self.slots.as_mut_ptr().cast(), self.len as usize) }
    }
}

impl<T, const N: usize> Drop for Slots<T, N> {
    fn drop(&mut self) {
        let elements: *mut [T] = &mut **self;
        self.len = 0;
        // SAFETY: these elements were initialised, and `len` no longer includes them: nothing drops them again.
        unsafe { ptr::drop_in_place(elements) }
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::Slots;

    /// Run under Miri to check the unsafe code: each element is counted, so a double drop or a leak shows as well.
    #[test]
    fn elements_move_and_drop_once() {
        let witness = Rc::new(());
        let mut model = Vec::new();
        let mut slots: Slots<(usize, Rc<()>), 8> = Slots::new();
        for step in 0..8 {
            let at = (step * 5) % (model.len() + 1);
            slots.insert(at, (step, witness.clone()));
            model.insert(at, step);
        }
        assert!(slots.is_full());
        assert_eq!(slots.remove(3).0, model.remove(3));
        let mut tail = Slots::new();
        tail.insert(0, (99, witness.clone()));
        slots.move_tail(4, &mut tail);
        let seen = |slots: &[(usize, Rc<()>)]| slots.iter().map(|slot| slot.0).collect::<Vec<_>>();
        assert_eq!(seen(&slots), model[..4]);
        assert_eq!(seen(&tail)[1..], model[4..]);
        assert_eq!(Rc::strong_count(&witness), 1 + 4 + 4);
        tail.remove_range(1, 3);
        let gone: Vec<usize> = model.drain(4..6).collect();
        assert_eq!((tail.len(), gone.len(), seen(&tail)[1..].to_vec()), (2, 2, model[4..].to_vec()));
        assert_eq!(Rc::strong_count(&witness), 1 + 4 + 2);
        drop(slots);
        drop(tail);
        assert_eq!(Rc::strong_count(&witness), 1);
    }

    #[test]
    #[should_panic(expected = "insertion at 2 into 2 of 2 slots")]
    fn a_full_vector_refuses() {
        let mut slots: Slots<usize, 2> = Slots::new();
        (0..3).for_each(|value| slots.insert(value, value));
    }
}
