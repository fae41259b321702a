//! [`ExactMoments`]: exact sums of numbers, of their squares and of their products.
//!
//! A variance is a small difference of large sums, so a running one that rounds loses it, and one that must also forget rows loses it for good. Here
//! nothing is rounded before the end: every number is an integer of some unit (2^-1074 for floats, a power of ten for decimals), so sums, squares
//! and products are big integers in the limbs of [`ExactSum`](super::ExactSum), and so is `n * sum(x * y) - sum(x) * sum(y)`, of which all
//! that is asked is a quotient. It is a group element: any order, any weights, retractable.

use super::{FRACTION_LIMBS, SPECIAL_EXPONENT, Window, round, sign_of};

/// The binary exponent of the unit of a double.
const UNIT: i64 = -1074;

/// A number to be summed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Addend {
    /// A double.
    Float(f64),
    /// An integer, or the digits of a decimal.
    Integer(i128),
}

/// A finite number as `magnitude x 2^position` units.
#[derive(Clone, Copy)]
struct Units {
    negative: bool,
    magnitude: u128,
    position: usize,
}

impl Addend {
    /// `None` for infinities and NaN.
    #[inline]
    fn units(self) -> Option<Units> {
        match self {
            Addend::Integer(value) => Some(Units { negative: value < 0, magnitude: value.unsigned_abs(), position: 0 }),
            Addend::Float(value) => {
                let bits = value.to_bits();
                let exponent = (bits >> 52) & SPECIAL_EXPONENT;
                if exponent == SPECIAL_EXPONENT {
                    return None;
                }
                let normal = u64::from(exponent != 0);
                let magnitude = u128::from((bits & ((1 << 52) - 1)) | (normal << 52));
                Some(Units { negative: value.is_sign_negative(), magnitude, position: (exponent - normal) as usize })
            }
        }
    }
}

/// The sums of one or of pairs of numbers, with their weights.
///
/// ```
/// # use deltic_zset::{Addend, ExactMoments, Sums, Unit};
/// let mut sums = ExactMoments::default();
/// [1e9, 1e9 + 1.0, 1e9 + 2.0].map(|value| sums.add(Addend::Float(value), 1));
/// assert_eq!(sums.deviation(Sums::XX, 3, Unit::Float, Unit::Float).divided_by(3).value(), 2.0);
/// ```
#[derive(Clone, Debug, Default)]
pub struct ExactMoments {
    x: Window,
    xx: Window,
    /// y, yy and xy.
    pair: Option<Box<[Window; 3]>>,
    /// Rows with an infinity or a NaN, which are in no other sum.
    specials: i64,
}

/// Which of the sums of products.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Sums {
    XX,
    XY,
    YY,
}

/// What the numbers of one variable are integers of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// They are floats.
    Float,
    /// They are integers of `10^-scale`.
    Decimal(i8),
}

impl Unit {
    fn binary(self) -> i64 {
        if self == Unit::Float { UNIT } else { 0 }
    }

    fn decimals(self) -> i64 {
        if let Unit::Decimal(scale) = self { i64::from(scale) } else { 0 }
    }
}

impl ExactMoments {
    /// Adds `x` with a weight.
    #[inline]
    pub fn add(&mut self, x: Addend, weight: i64) {
        match x.units() {
            Some(x) => {
                add_product(&mut self.x, x, ONE, weight);
                add_product(&mut self.xx, x, x, weight);
            }
            None => self.specials = self.specials.wrapping_add(weight),
        }
    }

    /// Adds the pair of `x` and `y` with a weight.
    #[inline]
    pub fn add_pair(&mut self, x: Addend, y: Addend, weight: i64) {
        let (Some(x), Some(y)) = (x.units(), y.units()) else {
            self.specials = self.specials.wrapping_add(weight);
            return;
        };
        let [sum, squares, products] = &mut **self.pair.get_or_insert_default();
        add_product(&mut self.x, x, ONE, weight);
        add_product(&mut self.xx, x, x, weight);
        add_product(sum, y, ONE, weight);
        add_product(squares, y, y, weight);
        add_product(products, x, y, weight);
    }

    /// Whether all sums are zero.
    pub fn is_empty_sum(&self) -> bool {
        let zero = |window: &Window| window.parts().1.iter().all(|&limb| limb == 0);
        self.specials == 0 && zero(&self.x) && zero(&self.xx) && self.pair.as_ref().is_none_or(|pair| pair.iter().all(zero))
    }

    /// Whether no infinity or NaN is in the sums.
    pub fn is_finite(&self) -> bool {
        self.specials == 0
    }

    /// The sum of the x.
    pub fn sum_x(&self, unit: Unit) -> ExactNumber {
        ExactNumber::of(&self.x, unit.binary(), unit.decimals())
    }

    /// The sum of the y.
    pub fn sum_y(&self, unit: Unit) -> ExactNumber {
        let sum = self.pair.as_ref().map(|pair| &pair[0]);
        sum.map_or_else(ExactNumber::zero, |sum| ExactNumber::of(sum, unit.binary(), unit.decimals()))
    }

    /// `count * sum(a * b) - sum(a) * sum(b)`, which is the sum of the products of the deviations from the means, times `count`.
    pub fn deviation(&self, which: Sums, count: u64, x: Unit, y: Unit) -> ExactNumber {
        let (a, b, products) = match (which, &self.pair) {
            (Sums::XX, _) => (self.sum_x(x), self.sum_x(x), &self.xx),
            (Sums::YY, Some(pair)) => (self.sum_y(y), self.sum_y(y), &pair[1]),
            (Sums::XY, Some(pair)) => (self.sum_x(x), self.sum_y(y), &pair[2]),
            (_, None) => return ExactNumber::zero(),
        };
        let products =
            ExactNumber { binary: a.binary + b.binary, decimals: a.decimals + b.decimals, ..ExactNumber::of(products, 0, 0) };
        products.times_count(count).minus(&a.times(&b))
    }

    /// The memory of the sums in bytes, themselves included.
    pub fn memory_bytes(&self) -> usize {
        let heap = |window: &Window| if let Window::Heap { limbs, .. } = window { limbs.capacity() * 8 } else { 0 };
        let pair = self.pair.as_ref().map_or(0, |pair| size_of_val(&**pair) + pair.iter().map(heap).sum::<usize>());
        size_of::<Self>() + heap(&self.x) + heap(&self.xx) + pair
    }
}

const ONE: Units = Units { negative: false, magnitude: 1, position: 0 };

/// Adds `a x b x weight`.
#[inline]
fn add_product(window: &mut Window, a: Units, b: Units, weight: i64) {
    let position = a.position + b.position;
    let (at, shift) = (position / 64, position % 64);
    let negative = a.negative != b.negative;
    // The common case: a product of at most 127 bits, once.
    if let Some(product) =
        a.magnitude.checked_mul(b.magnitude).filter(|product| product >> 127 == 0 && weight.unsigned_abs() == 1)
    {
        let product = product as i128;
        let product = if negative == (weight < 0) { product } else { -product };
        let low = (product as u128) << shift;
        let high = if shift == 0 { product >> 127 } else { product >> (128 - shift) };
        return window.add(at, [low as u64, (low >> 64) as u64, high as u64]);
    }
    let words = |value: u128| [value as u64, (value >> 64) as u64];
    let product = multiply(&multiply(&words(a.magnitude), &words(b.magnitude)), &[weight.unsigned_abs()]);
    let shifted = multiply(&product, &[1 << shift]);
    window.add_limbs(at, &signed(shifted, negative != (weight < 0)));
}

/// The product of two magnitudes.
fn multiply(a: &[u64], b: &[u64]) -> Vec<u64> {
    let mut product = vec![0; a.len() + b.len()];
    for (i, &x) in a.iter().enumerate() {
        let mut carry = 0u128;
        for (j, &y) in b.iter().enumerate() {
            let sum = u128::from(x) * u128::from(y) + u128::from(product[i + j]) + carry;
            product[i + j] = sum as u64;
            carry = sum >> 64;
        }
        product[i + b.len()] = carry as u64;
    }
    product
}

/// A magnitude with a sign in two's complement.
fn signed(mut limbs: Vec<u64>, negative: bool) -> Vec<u64> {
    limbs.push(0);
    if negative {
        negate(&mut limbs);
    }
    limbs
}

/// Changes the sign of a number in two's complement.
fn negate(limbs: &mut [u64]) {
    let mut carry = true;
    for limb in limbs {
        (*limb, carry) = (!*limb).overflowing_add(u64::from(carry));
    }
}

/// A number without rounding: an integer times a power of two, divided by a power of ten.
#[derive(Clone, Debug)]
pub struct ExactNumber {
    negative: bool,
    /// Limbs below those of the magnitude, all of them zero.
    first: usize,
    magnitude: Vec<u64>,
    binary: i64,
    decimals: i64,
}

impl ExactNumber {
    fn zero() -> Self {
        ExactNumber { negative: false, first: 0, magnitude: Vec::new(), binary: 0, decimals: 0 }
    }

    fn of(window: &Window, binary: i64, decimals: i64) -> Self {
        let (negative, first, limbs) = window.magnitude();
        ExactNumber { negative, first, magnitude: limbs.into_owned(), binary, decimals }
    }

    /// Whether it is zero.
    pub fn is_zero(&self) -> bool {
        self.magnitude.iter().all(|&limb| limb == 0)
    }

    /// The product.
    pub fn times(&self, other: &Self) -> Self {
        ExactNumber {
            negative: self.negative != other.negative,
            first: self.first + other.first,
            magnitude: multiply(&self.magnitude, &other.magnitude),
            binary: self.binary + other.binary,
            decimals: self.decimals + other.decimals,
        }
    }

    /// The product with an integer.
    pub fn times_count(&self, count: u64) -> Self {
        ExactNumber { magnitude: multiply(&self.magnitude, &[count]), ..self.clone() }
    }

    /// The difference of two numbers of one unit.
    pub fn minus(&self, other: &Self) -> Self {
        debug_assert!(self.is_zero() || other.is_zero() || (self.binary, self.decimals) == (other.binary, other.decimals));
        let unit = if self.is_zero() { other } else { self };
        let first = self.first.min(other.first);
        let mut limbs = vec![0u64; self.first.max(other.first) - first + self.magnitude.len().max(other.magnitude.len()) + 2];
        for (number, negative) in [(self, self.negative), (other, !other.negative)] {
            let addend = signed(number.magnitude.clone(), negative);
            let addend_sign = addend.last().map_or(0, |&top| sign_of(top));
            let mut carry = false;
            let at = number.first - first;
            for (index, limb) in limbs.iter_mut().enumerate().skip(at) {
                let operand = addend.get(index - at).copied().unwrap_or(addend_sign);
                (*limb, carry) = limb.carrying_add(operand, carry);
            }
        }
        let negative = limbs.last().is_some_and(|&top| sign_of(top) != 0);
        if negative {
            negate(&mut limbs);
        }
        while limbs.last() == Some(&0) {
            limbs.pop();
        }
        ExactNumber { negative, first, magnitude: limbs, binary: unit.binary, decimals: unit.decimals }
    }

    /// The quotient by an integer that is not 0, with as many bits as a correct rounding needs.
    pub fn divided_by(&self, divisor: u64) -> Quotient {
        Quotient::of(self, &[divisor])
    }

    /// The quotient by two integers that are not 0.
    pub fn divided_by_both(&self, divisors: [u64; 2]) -> Quotient {
        Quotient::of(self, &divisors)
    }
}

/// An exact number divided by integers, rounded once to 53 bits, with an exponent of any size.
#[derive(Clone, Copy, Debug)]
pub struct Quotient {
    /// 0, or of a magnitude in `0.5 ..= 1`.
    significand: f64,
    exponent: i64,
}

/// 10^19, the greatest power of ten in 64 bits, and its exponent.
const TEN_TO_19: (u64, i64) = (10_000_000_000_000_000_000, 19);

impl Quotient {
    fn of(number: &ExactNumber, divisors: &[u64]) -> Self {
        let mut limbs = number.magnitude.clone();
        let mut position = 64 * number.first as i64 + number.binary;
        let mut decimals = number.decimals;
        while decimals < 0 {
            let step = (-decimals).min(TEN_TO_19.1);
            limbs = multiply(&limbs, &[10u64.pow(step as u32)]);
            decimals += step;
        }
        let mut more = false;
        let mut divide = |limbs: &mut Vec<u64>, divisor: u64| {
            // Enough bits below the integer that what is cut off cannot matter.
            limbs.splice(0..0, [0; FRACTION_LIMBS]);
            position -= 64 * FRACTION_LIMBS as i64;
            let mut remainder = 0u128;
            for limb in limbs.iter_mut().rev() {
                let dividend = (remainder << 64) | u128::from(*limb);
                *limb = (dividend / u128::from(divisor)) as u64;
                remainder = dividend % u128::from(divisor);
            }
            more |= remainder != 0;
        };
        divisors.iter().filter(|&&divisor| divisor != 1).for_each(|&divisor| divide(&mut limbs, divisor));
        while decimals > 0 {
            let step = decimals.min(TEN_TO_19.1);
            divide(&mut limbs, 10u64.pow(step as u32));
            decimals -= step;
        }
        let Some(top) = limbs.iter().rposition(|&limb| limb != 0) else {
            return Quotient { significand: 0.0, exponent: 0 };
        };
        let length = 64 * top as i64 + i64::from(64 - limbs[top].leading_zeros());
        // As if the highest bit stood for 1/2.
        let (magnitude, _) = round(&limbs, -UNIT - length, more);
        let significand = if number.negative { -magnitude } else { magnitude };
        Quotient { significand, exponent: position + length }
    }

    /// The quotient as a double; infinite if it is too great.
    pub fn value(self) -> f64 {
        scaled(self.significand, self.exponent)
    }

    /// `self / other`, rounded once more; `other` is not 0.
    pub fn over(self, other: Self) -> f64 {
        scaled(self.significand / other.significand, self.exponent - other.exponent)
    }

    /// `self / sqrt(a * b)`, rounded a few times more; neither is 0.
    pub fn over_root(self, a: Self, b: Self) -> f64 {
        let exponent = a.exponent + b.exponent;
        let odd = exponent.rem_euclid(2);
        let product = a.significand * b.significand * if odd == 1 { 2.0 } else { 1.0 };
        scaled(self.significand / product.sqrt(), self.exponent - (exponent - odd) / 2)
    }

    /// `self^2 / (a * b)`, rounded a few times more; neither is 0.
    pub fn square_over(self, a: Self, b: Self) -> f64 {
        let square = self.significand * self.significand;
        scaled(square / (a.significand * b.significand), 2 * self.exponent - a.exponent - b.exponent)
    }
}

/// `significand x 2^exponent`, rounded once, for a significand near 1.
fn scaled(significand: f64, exponent: i64) -> f64 {
    // In two steps, because one of them alone may be out of the range of exponents; the first loses nothing.
    let exponent = exponent.clamp(-2000, 2000) as i32;
    significand * 2f64.powi(exponent / 2) * 2f64.powi(exponent - exponent / 2)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A value whose square is an exact double, and an integer of it.
    fn deviation(values: &[i64], weights: &[i64]) -> i128 {
        let count: i128 = weights.iter().map(|&weight| i128::from(weight)).sum();
        let pairs = || values.iter().zip(weights).map(|(&value, &weight)| (i128::from(value), i128::from(weight)));
        let sum: i128 = pairs().map(|(value, weight)| value * weight).sum();
        count * pairs().map(|(value, weight)| value * value * weight).sum::<i128>() - sum * sum
    }

    #[test]
    fn large_numbers_keep_their_small_differences() {
        let mut sums = ExactMoments::default();
        for value in [1e300, 1e300 + 1e284, 1e-300, 5e-324] {
            sums.add(Addend::Float(value), 1);
        }
        sums.add(Addend::Float(1e300), -1);
        sums.add(Addend::Float(1e300 + 1e284), -1);
        // (1e-300 - 5e-324)^2 / 2 is far below the least double.
        assert_eq!(sums.deviation(Sums::XX, 2, Unit::Float, Unit::Float).divided_by_both([2, 1]).value(), 0.0);
        sums.add(Addend::Float(1e-300), -1);
        sums.add(Addend::Float(5e-324), -1);
        assert!(sums.is_empty_sum());
    }

    #[test]
    fn ratios_survive_where_their_terms_do_not() {
        // The squares of both are out of the range of doubles, in opposite directions.
        let mut sums = ExactMoments::default();
        for (x, y) in [(1e-200, 3e200), (2e-200, 5e200), (3e-200, 7e200)] {
            sums.add_pair(Addend::Float(x), Addend::Float(y), 1);
        }
        let quotient = |which| sums.deviation(which, 3, Unit::Float, Unit::Float).divided_by(3);
        assert_eq!(quotient(Sums::XY).over_root(quotient(Sums::XX), quotient(Sums::YY)), 1.0);
        assert!((quotient(Sums::XY).square_over(quotient(Sums::XX), quotient(Sums::YY)) - 1.0).abs() < 1e-15);
        assert_eq!(quotient(Sums::XX).value(), 0.0);
        assert_eq!(quotient(Sums::YY).value(), f64::INFINITY);
    }

    #[test]
    fn infinities_come_and_go() {
        let mut sums = ExactMoments::default();
        sums.add(Addend::Float(f64::NAN), 2);
        sums.add(Addend::Float(1.0), 1);
        assert!(!sums.is_finite());
        sums.add(Addend::Float(f64::INFINITY), -2);
        assert!(sums.is_finite());
        assert_eq!(sums.sum_x(Unit::Float).divided_by(1).value(), 1.0);
    }

    #[test]
    fn decimals_are_divided_by_their_power_of_ten() {
        let mut sums = ExactMoments::default();
        let digits = 10i128.pow(38) - 1;
        sums.add(Addend::Integer(digits), i64::MAX);
        sums.add(Addend::Integer(-digits), i64::MAX - 1);
        assert_eq!(sums.sum_x(Unit::Decimal(38)).divided_by(1).value(), 1.0);
        assert_eq!(sums.sum_x(Unit::Decimal(-2)).divided_by(1).value(), 1e40);
    }

    proptest! {
        #[test]
        fn integers_and_floats_agree_with_wide_integers(
            values in proptest::collection::vec(-(1i64 << 30)..1i64 << 30, 1..20),
            weights in proptest::collection::vec(prop_oneof![Just(1i64), 1..1i64 << 20], 20),
        ) {
            let weights = &weights[..values.len()];
            let (mut integers, mut floats) = (ExactMoments::default(), ExactMoments::default());
            for (&value, &weight) in values.iter().zip(weights) {
                integers.add_pair(Addend::Integer(value.into()), Addend::Integer(i128::from(value) << 40), weight);
                floats.add_pair(Addend::Float(value as f64 / 1024.0), Addend::Float(-value as f64), weight);
            }
            let count = weights.iter().map(|&weight| weight as u64).sum();
            let expected = deviation(&values, weights) as f64;
            let value = |sums: &ExactMoments, which, unit| sums.deviation(which, count, unit, unit).divided_by(1).value();
            prop_assert_eq!(value(&integers, Sums::XX, Unit::Decimal(0)), expected);
            prop_assert_eq!(value(&integers, Sums::XY, Unit::Decimal(0)), expected * 2f64.powi(40));
            prop_assert_eq!(value(&floats, Sums::XX, Unit::Float), expected / 2f64.powi(20));
            prop_assert_eq!(value(&floats, Sums::XY, Unit::Float), -expected / 1024.0);
            prop_assert_eq!(value(&floats, Sums::YY, Unit::Float), expected);
        }
    }
}
