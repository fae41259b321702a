//! [`ExactSum`]: a sum of floats that is a group element.
//!
//! Float addition is not associative, so a running `f64` sum depends on the order of the rows, on how they were cut into
//! epochs and on the number of workers, and it drifts under deletes: `1e16 + 1 - 1e16` is 0. An incremental `SUM` needs the
//! opposite: whatever came in and went out again leaves no trace, to the bit.
//!
//! Every finite `f64` is a whole multiple of 2^-1074, so the exact sum is one big integer in that unit (Kulisch's
//! accumulator). It is held in two's complement in limbs of 64 bits, but only the *window* of limbs that is in use: numbers
//! of similar magnitude need two or three limbs, and four live inline without an allocation. A window that is too narrow
//! moves or grows; the limbs above it repeat the sign and those below it are zero. A `value x weight` has at most 117 bits,
//! so each addition is one multiplication, one shift and a carry through the window.
//!
//! Infinities and NaN are not numbers of that unit: they are counted apart and leave the sum as they came.

use std::borrow::Cow;

mod moments;
#[cfg(test)]
mod tests;

pub use moments::{Addend, ExactMoments, ExactNumber, Quotient, Sums, Unit};

/// Limbs that need no allocation: values whose exponents lie within some 140 binary orders of magnitude.
const INLINE: usize = 4;
/// Bits of a double's significand, the hidden one included.
const SIGNIFICAND_BITS: usize = 53;
/// The exponent field of infinities and NaN.
const SPECIAL_EXPONENT: u64 = 0x7ff;

/// An exact sum of `value x weight` over floats: any order, any weights, retractable.
///
/// Two sums of the same multiset read the same bits, whatever happened in between. Takes 48 bytes and, unless
/// magnitudes differ by more than some 2^140, no allocation; at most 290 bytes more.
///
/// ```
/// # use deltic_zset::ExactSum;
/// let mut sum = ExactSum::new();
/// sum.add(1e16, 1);
/// sum.add(0.5, 2);
/// sum.add(1e16, -1);
/// assert_eq!(sum.value(), 1.0);
/// ```
#[derive(Clone, Debug, Default)]
pub struct ExactSum {
    window: Window,
    specials: Option<Box<Specials>>,
}

/// The limbs in use, least first; limb `i` counts units of 2^(64 * (first + i) - 1074).
#[derive(Clone, Debug)]
enum Window {
    Inline { first: u8, limbs: [u64; INLINE] },
    Heap { first: u8, limbs: Vec<u64> },
}

/// How often each value that is no number is in the sum. Counts are modulo 2^64, hence still a group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Specials {
    nan: i64,
    positive_infinity: i64,
    negative_infinity: i64,
}

impl Default for Window {
    fn default() -> Self {
        Window::Inline { first: 0, limbs: [0; INLINE] }
    }
}

impl ExactSum {
    /// The sum of nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds `value x weight`, exactly.
    #[inline]
    pub fn add(&mut self, value: f64, weight: i64) {
        let bits = value.to_bits();
        let exponent = (bits >> 52) & SPECIAL_EXPONENT;
        if exponent == SPECIAL_EXPONENT {
            return self.add_special(value, weight);
        }
        let normal = u64::from(exponent != 0);
        let significand = ((bits & ((1 << 52) - 1)) | (normal << 52)) as i64;
        let significand = if value.is_sign_negative() { -significand } else { significand };
        let product = i128::from(significand) * i128::from(weight);
        let position = (exponent - normal) as usize;
        let (limb, shift) = (position / 64, position % 64);
        let low = (product as u128) << shift;
        let high = (product >> 64) >> (64 - shift);
        self.window.add(limb, [low as u64, (low >> 64) as u64, high as u64]);
    }

    /// Adds another sum, exactly.
    pub fn merge(&mut self, other: &ExactSum) {
        let (first, limbs) = other.window.parts();
        self.window.add_limbs(first, limbs);
        if let Some(theirs) = &other.specials {
            let ours = self.specials.get_or_insert_default();
            ours.nan = ours.nan.wrapping_add(theirs.nan);
            ours.positive_infinity = ours.positive_infinity.wrapping_add(theirs.positive_infinity);
            ours.negative_infinity = ours.negative_infinity.wrapping_add(theirs.negative_infinity);
            self.drop_empty_specials();
        }
    }

    /// The sum, rounded once (to nearest, ties to even). Infinite if it is beyond `f64::MAX`, and then no less retractable.
    ///
    /// With infinities of both signs or a NaN in it, NaN.
    pub fn value(&self) -> f64 {
        match &self.specials {
            Some(specials) => specials.value(),
            None => self.rounded().0,
        }
    }

    /// The sum divided by `count`, rounded once; NaN if `count` is 0.
    ///
    /// It is finite whenever the quotient is, even if the sum is beyond `f64::MAX`.
    pub fn quotient(&self, count: i64) -> f64 {
        if count == 0 {
            return f64::NAN;
        }
        if let Some(specials) = &self.specials {
            return specials.value() / count as f64;
        }
        let (sum, exact) = self.rounded();
        if exact && count.unsigned_abs() <= 1 << SIGNIFICAND_BITS {
            return sum / count as f64;
        }
        let (negative, first, limbs) = self.window.magnitude();
        let divisor = u128::from(count.unsigned_abs());
        let mut quotient = vec![0; limbs.len() + FRACTION_LIMBS];
        let mut remainder = 0u128;
        for (index, digit) in quotient.iter_mut().enumerate().rev() {
            let limb = if index < FRACTION_LIMBS { 0 } else { limbs[index - FRACTION_LIMBS] };
            let dividend = (remainder << 64) | u128::from(limb);
            *digit = (dividend / divisor) as u64;
            remainder = dividend % divisor;
        }
        let position = 64 * first as i64 - 64 * FRACTION_LIMBS as i64;
        let (magnitude, _) = round(&quotient, position, remainder != 0);
        if negative == (count < 0) { magnitude } else { -magnitude }
    }

    /// Whether the sum is exactly zero, with no infinity or NaN in it.
    pub fn is_empty_sum(&self) -> bool {
        self.specials.is_none() && self.window.parts().1.iter().all(|&limb| limb == 0)
    }

    /// Whether no infinity or NaN is in the sum; [`value`](Self::value) is infinite all the same if the sum is too great.
    pub fn is_finite_sum(&self) -> bool {
        self.specials.is_none()
    }

    /// The memory of the sum in bytes, itself included.
    pub fn memory_bytes(&self) -> usize {
        let limbs = match &self.window {
            Window::Inline { .. } => 0,
            Window::Heap { limbs, .. } => limbs.capacity() * 8,
        };
        size_of::<Self>() + limbs + self.specials.as_ref().map_or(0, |_| size_of::<Specials>())
    }

    #[cold]
    fn add_special(&mut self, value: f64, weight: i64) {
        let specials = self.specials.get_or_insert_default();
        let count = if value.is_nan() {
            &mut specials.nan
        } else if value > 0.0 {
            &mut specials.positive_infinity
        } else {
            &mut specials.negative_infinity
        };
        *count = count.wrapping_add(weight);
        self.drop_empty_specials();
    }

    fn drop_empty_specials(&mut self) {
        if self.specials.as_deref() == Some(&Specials::default()) {
            self.specials = None;
        }
    }

    /// The finite part rounded, and whether that is the sum itself.
    fn rounded(&self) -> (f64, bool) {
        let (negative, first, limbs) = self.window.magnitude();
        let (magnitude, exact) = round(&limbs, 64 * first as i64, false);
        (if negative { -magnitude } else { magnitude }, exact)
    }
}

/// Limbs appended below the sum before it is divided: with them every quotient has at least 65 bits.
const FRACTION_LIMBS: usize = 2;

impl Specials {
    fn value(&self) -> f64 {
        match (self.nan != 0, self.positive_infinity != 0, self.negative_infinity != 0) {
            (false, true, false) => f64::INFINITY,
            (false, false, true) => f64::NEG_INFINITY,
            _ => f64::NAN,
        }
    }
}

impl Window {
    /// Adds a number of three limbs at limb `at`.
    #[inline]
    fn add(&mut self, at: usize, addend: [u64; 3]) {
        if let Window::Inline { first, limbs } = self {
            let [a, b, c] = addend;
            let aligned = match at.wrapping_sub(*first as usize) {
                0 => [a, b, c, sign_of(c)],
                1 => [0, a, b, c],
                2 if c == sign_of(b) => [0, 0, a, b],
                _ => return self.add_limbs(at, &addend),
            };
            if add_in_place(limbs, &aligned) {
                self.extend_after_overflow();
            }
            return;
        }
        self.add_limbs(at, &addend);
    }

    /// Adds a number of any width at limb `at`.
    fn add_limbs(&mut self, at: usize, addend: &[u64]) {
        let addend = trim(addend);
        if addend == [0] {
            return;
        }
        let (first, limbs) = self.parts();
        if at < first || at + addend.len() > first + limbs.len() {
            self.reframe(at, addend.len());
        }
        let (first, limbs) = match self {
            Window::Inline { first, limbs } => (*first as usize, limbs.as_mut_slice()),
            Window::Heap { first, limbs } => (*first as usize, limbs.as_mut_slice()),
        };
        if add_in_place(&mut limbs[at - first..], addend) {
            self.extend_after_overflow();
        }
    }

    /// Moves the window so that it covers `width` limbs from `at`, besides what is in it.
    #[cold]
    fn reframe(&mut self, at: usize, width: usize) {
        let (first, limbs) = self.parts();
        let used = trim(limbs);
        let zeros = used.iter().take_while(|&&limb| limb == 0).count();
        let used = &used[zeros..];
        let (start, end) = match used {
            [] => (at, at + width),
            _ => (at.min(first + zeros), (at + width).max(first + zeros + used.len())),
        };
        let length = if end - start <= INLINE { INLINE } else { end - start + 1 };
        let mut moved = vec![used.last().map_or(0, |&top| sign_of(top)); length];
        if !used.is_empty() {
            let offset = first + zeros - start;
            moved[..offset].fill(0);
            moved[offset..offset + used.len()].copy_from_slice(used);
        }
        *self = Window::new(start, moved);
    }

    /// Appends the limb that a carry or borrow out of the window belongs to.
    #[cold]
    fn extend_after_overflow(&mut self) {
        let (first, limbs) = self.parts();
        let mut limbs = limbs.to_vec();
        let wrong_sign = limbs.last().map_or(0, |&top| sign_of(top));
        limbs.push(!wrong_sign);
        *self = Window::new(first, limbs);
    }

    fn new(first: usize, limbs: Vec<u64>) -> Self {
        let first = first as u8;
        match <[u64; INLINE]>::try_from(limbs) {
            Ok(limbs) => Window::Inline { first, limbs },
            Err(limbs) => Window::Heap { first, limbs },
        }
    }

    fn parts(&self) -> (usize, &[u64]) {
        match self {
            Window::Inline { first, limbs } => (*first as usize, limbs),
            Window::Heap { first, limbs } => (*first as usize, limbs),
        }
    }

    /// The number as sign, first limb and absolute value.
    fn magnitude(&self) -> (bool, usize, Cow<'_, [u64]>) {
        let (first, limbs) = self.parts();
        if limbs.last().is_none_or(|&top| sign_of(top) == 0) {
            return (false, first, Cow::Borrowed(limbs));
        }
        let mut carry = true;
        let negated = limbs.iter().map(|&limb| {
            let (limb, overflow) = (!limb).overflowing_add(u64::from(carry));
            carry = overflow;
            limb
        });
        (true, first, Cow::Owned(negated.collect()))
    }
}

/// All bits equal to the top bit of `limb`.
#[inline]
fn sign_of(limb: u64) -> u64 {
    ((limb as i64) >> 63) as u64
}

/// `limbs` without the top limbs that only repeat the sign; at least one stays.
fn trim(limbs: &[u64]) -> &[u64] {
    let mut used = limbs;
    while let [rest @ .., below, top] = used
        && *top == sign_of(*below)
    {
        used = &used[..rest.len() + 1];
    }
    used
}

/// Adds a two's complement number that is not wider; returns whether the result left the range of `limbs`.
#[inline]
fn add_in_place(limbs: &mut [u64], addend: &[u64]) -> bool {
    let sign = addend.last().map_or(0, |&top| sign_of(top));
    let mut carry = false;
    let mut overflow = false;
    for (index, limb) in limbs.iter_mut().enumerate() {
        let operand = addend.get(index).copied().unwrap_or(sign);
        let (result, carried) = limb.carrying_add(operand, carry);
        overflow = ((*limb ^ result) & (operand ^ result)) >> 63 != 0;
        carry = carried;
        *limb = result;
    }
    overflow
}

/// Rounds a magnitude to the nearest double, ties to even, and tells whether nothing was lost.
///
/// Bit 0 of `limbs` counts units of 2^(position - 1074); `more` says that there are further bits below it.
fn round(limbs: &[u64], position: i64, more: bool) -> (f64, bool) {
    let Some(top) = limbs.iter().rposition(|&limb| limb != 0) else {
        return (0.0, !more);
    };
    let length = 64 * top as i64 + i64::from(64 - limbs[top].leading_zeros());
    // The least bit that the result can hold; never below the unit, which is the least subnormal.
    let least = (position + length - SIGNIFICAND_BITS as i64).max(0);
    if least > 2045 {
        return (f64::INFINITY, false);
    }
    let dropped = least - position;
    if dropped <= 0 {
        return (from_significand(limbs[0] << -dropped, least), !more);
    }
    let (word, shift) = (dropped as usize / 64, dropped as usize % 64);
    let limb = |index: usize| limbs.get(index).copied().unwrap_or(0);
    let significand = (limb(word) >> shift) | if shift == 0 { 0 } else { limb(word + 1) << (64 - shift) };
    let half_at = dropped as usize - 1;
    let half = (limb(half_at / 64) >> (half_at % 64)) & 1 == 1;
    let below_half =
        more || limb(half_at / 64) & ((1 << (half_at % 64)) - 1) != 0 || limbs.iter().take(half_at / 64).any(|&limb| limb != 0);
    let up = half && (below_half || significand & 1 == 1);
    (from_significand(significand + u64::from(up), least), !half && !below_half)
}

/// `significand x 2^(least - 1074)`, where `least` is 0 unless the significand has all its bits. A carry into a 54th bit is
/// right too: the exponent field stands above the significand and takes it.
fn from_significand(significand: u64, least: i64) -> f64 {
    f64::from_bits(((least as u64) << 52) + significand)
}
