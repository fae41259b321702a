//! Integers of several words inside the payload of a group.
//!
//! They wrap. Addition modulo 2^n is a group, so whatever passes through an accumulator on the way (transient overflow
//! inside an epoch included), its value is right again as soon as the true value fits.

use arrow::datatypes::i256;

/// The 128-bit integer at word `at`.
#[inline]
pub(super) fn wide(words: &[u64], at: usize) -> i128 {
    (u128::from(words[at]) | u128::from(words[at + 1]) << 64) as i128
}

/// Adds to the 128-bit integer at word `at`.
#[inline]
pub(super) fn add_wide(words: &mut [u64], at: usize, delta: i128) {
    let words = &mut words[at..at + 2];
    let sum = (u128::from(words[0]) | u128::from(words[1]) << 64).wrapping_add(delta as u128);
    words[0] = sum as u64;
    words[1] = (sum >> 64) as u64;
}

/// The 256-bit integer at word `at`.
pub(super) fn wider(words: &[u64], at: usize) -> i256 {
    i256::from_parts(wide(words, at) as u128, wide(words, at + 2))
}

/// Adds to the 256-bit integer at word `at`.
pub(super) fn add_wider(words: &mut [u64], at: usize, delta: i256) {
    let (low, high) = wider(words, at).wrapping_add(delta).to_parts();
    let [w0, w1, w2, w3] = &mut words[at..at + 4] else { return };
    (*w0, *w1) = (low as u64, (low >> 64) as u64);
    (*w2, *w3) = (high as u64, ((high as u128) >> 64) as u64);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn carries_cross_words() {
        let mut words = [0; 7];
        add_wide(&mut words, 1, -1);
        add_wide(&mut words, 1, i128::from(u64::MAX));
        assert_eq!(wide(&words, 1), i128::from(u64::MAX) - 1);
        add_wider(&mut words, 3, i256::MINUS_ONE);
        assert_eq!(wider(&words, 3), i256::MINUS_ONE);
        add_wider(&mut words, 3, i256::from_i128(i128::MAX));
        add_wider(&mut words, 3, i256::from_i128(i128::MAX));
        assert_eq!(wider(&words, 3), i256::from_i128(i128::MAX).wrapping_mul(i256::from_i128(2)).wrapping_sub(i256::ONE));
    }
}
