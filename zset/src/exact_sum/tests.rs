//! Laws against a big-integer model, then the corner cases by name.
//!
//! The model holds the sum in 40 limbs of 64 bits in plain two's complement and rounds by searching the neighbouring doubles,
//! so it shares neither the window nor the rounding with the accumulator. It cannot catch a misreading of the f64 format
//! that both share; the comparisons with IEEE addition and division can.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::ExactSum;

const LIMBS: usize = 40;

/// A signed integer in units of 2^-1074.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Big([u64; LIMBS]);

impl Big {
    const ZERO: Big = Big([0; LIMBS]);

    fn plus(mut self, other: Big) -> Big {
        let mut carry = 0u128;
        for (a, b) in self.0.iter_mut().zip(other.0) {
            let sum = u128::from(*a) + u128::from(b) + carry;
            *a = sum as u64;
            carry = sum >> 64;
        }
        self
    }

    fn negated(self) -> Big {
        let mut one = Big::ZERO;
        one.0[0] = 1;
        Big(self.0.map(|limb| !limb)).plus(one)
    }

    fn times(self, factor: u64) -> Big {
        let mut result = Big::ZERO;
        let mut carry = 0u128;
        for (r, limb) in result.0.iter_mut().zip(self.0) {
            let product = u128::from(limb) * u128::from(factor) + carry;
            *r = product as u64;
            carry = product >> 64;
        }
        result
    }

    fn is_negative(self) -> bool {
        self.0[LIMBS - 1] >> 63 == 1
    }

    fn absolute(self) -> Big {
        if self.is_negative() { self.negated() } else { self }
    }

    /// Orders absolute values.
    fn compare(self, other: Big) -> std::cmp::Ordering {
        self.0.iter().rev().cmp(other.0.iter().rev())
    }

    fn of_finite(value: f64) -> Big {
        let bits = value.abs().to_bits();
        let (exponent, fraction) = (bits >> 52, bits & ((1 << 52) - 1));
        let (significand, shift) = if exponent == 0 { (fraction, 0) } else { (fraction | 1 << 52, exponent - 1) };
        let mut result = Big::ZERO;
        let (word, bit) = (shift as usize / 64, shift % 64);
        result.0[word] = significand << bit;
        result.0[word + 1] = (u128::from(significand) << bit >> 64) as u64;
        if value < 0.0 { result.negated() } else { result }
    }

    fn weighted(value: f64, weight: i64) -> Big {
        let product = Big::of_finite(value).times(weight.unsigned_abs());
        if weight < 0 { product.negated() } else { product }
    }

    /// `self / count` to the nearest double, ties to even, by bisection over all non-negative doubles.
    fn nearest_quotient(self, count: u64) -> f64 {
        let magnitude = self.absolute();
        // Greatest finite double d with d * count <= magnitude; doubles are ordered as their bits.
        let (mut low, mut high) = (0u64, f64::MAX.to_bits());
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            if Big::of_finite(f64::from_bits(middle)).times(count).compare(magnitude).is_le() {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        let below = Big::of_finite(f64::from_bits(low));
        // Above MAX the next step of the grid counts as infinity: same spacing.
        let step = if low == f64::MAX.to_bits() {
            below.plus(Big::of_finite(f64::from_bits(low - 1)).negated())
        } else {
            Big::of_finite(f64::from_bits(low + 1)).plus(below.negated())
        };
        let rest = magnitude.plus(below.times(count).negated());
        let up = match rest.plus(rest).compare(step.times(count)) {
            std::cmp::Ordering::Less => false,
            std::cmp::Ordering::Greater => true,
            std::cmp::Ordering::Equal => low & 1 == 1,
        };
        let result = f64::from_bits(low + u64::from(up));
        if self.is_negative() { -result } else { result }
    }
}

/// Doubles of all kinds: uniform bits, near one, small integers, near the ends.
fn finite() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<u64>().prop_map(f64::from_bits).prop_filter("finite", |x| x.is_finite()),
        -1e6..1e6f64,
        (-100i32..100).prop_map(f64::from),
        (0u64..1000).prop_map(f64::from_bits),
        (0u64..1000).prop_map(|bits| -f64::from_bits(f64::MAX.to_bits() - bits)),
        (0u64..1000).prop_map(|bits| f64::from_bits(f64::MAX.to_bits() - bits)),
    ]
}

fn weight() -> impl Strategy<Value = i64> {
    prop_oneof![Just(1), Just(-1), -5..5i64, any::<i64>(), Just(i64::MIN), Just(i64::MAX)]
}

fn sum_of(terms: &[(f64, i64)]) -> ExactSum {
    let mut sum = ExactSum::new();
    for &(value, weight) in terms {
        sum.add(value, weight);
    }
    sum
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_sum_and_the_quotient_are_those_of_the_big_integer(
        terms in prop::collection::vec((finite(), weight()), 0..20),
        count in prop_oneof![1..10i64, 1..i64::MAX],
    ) {
        let model = terms.iter().fold(Big::ZERO, |sum, &(value, weight)| sum.plus(Big::weighted(value, weight)));
        let sum = sum_of(&terms);
        prop_assert_eq!(sum.value(), model.nearest_quotient(1));
        prop_assert_eq!(sum.quotient(count), model.nearest_quotient(count as u64));
        prop_assert_eq!(sum.quotient(-count), -model.nearest_quotient(count as u64));
        prop_assert_eq!(sum.is_empty_sum(), model == Big::ZERO);
    }

    #[test]
    fn order_and_partition_do_not_matter(
        terms in prop::collection::vec((any::<u64>().prop_map(f64::from_bits), weight()), 0..30),
        rotation in 0usize..30,
        cut in 0usize..30,
    ) {
        let expected = sum_of(&terms).value().to_bits();
        let mut rotated = terms.clone();
        rotated.rotate_left(rotation % terms.len().max(1));
        prop_assert_eq!(sum_of(&rotated).value().to_bits(), expected);
        let (left, right) = rotated.split_at(cut % (terms.len() + 1));
        let mut merged = sum_of(left);
        merged.merge(&sum_of(right));
        prop_assert_eq!(merged.value().to_bits(), expected);
    }

    #[test]
    fn a_retraction_restores_the_former_bits(
        kept in prop::collection::vec((any::<u64>().prop_map(f64::from_bits), weight()), 0..10),
        removed in prop::collection::vec((any::<u64>().prop_map(f64::from_bits), weight()), 1..20),
    ) {
        let mut sum = sum_of(&kept);
        let (value, quotient) = (sum.value().to_bits(), sum.quotient(3).to_bits());
        for &(value, weight) in &removed {
            sum.add(value, weight);
        }
        for &(value, weight) in removed.iter().rev() {
            sum.add(value, weight.wrapping_neg());
            if weight == i64::MIN {
                // -MIN does not exist: MIN was added once more, so take both back in halves.
                for _ in 0..4 {
                    sum.add(value, 1 << 62);
                }
            }
        }
        prop_assert_eq!(sum.value().to_bits(), value);
        prop_assert_eq!(sum.quotient(3).to_bits(), quotient);
    }

    #[test]
    fn sums_of_two_and_quotients_are_those_of_ieee(a in finite(), b in finite(), count in 1i64..1 << 53) {
        prop_assert_eq!(sum_of(&[(a, 1), (b, 1)]).value(), a + b);
        prop_assert_eq!(sum_of(&[(a, 1), (b, -1)]).value(), a - b);
        prop_assert_eq!(sum_of(&[(a, 1)]).quotient(count), a / count as f64);
    }
}

#[test]
fn cancellation_loses_nothing() {
    assert_eq!(sum_of(&[(1e16, 1), (1.0, 1), (1e16, -1)]).value(), 1.0);
    assert_eq!(sum_of(&[(f64::MAX, 1), (f64::from_bits(1), 1), (-f64::MAX, 1)]).value(), f64::from_bits(1));
    assert_eq!(sum_of(&[(0.1, 10), (1.0, -1)]).value(), 5.551115123125783e-17);
}

#[test]
fn beyond_the_greatest_double_and_back() {
    let mut sum = sum_of(&[(f64::MAX, i64::MAX), (f64::MAX, i64::MAX)]);
    assert_eq!(sum.value(), f64::INFINITY);
    assert!(sum.is_finite_sum());
    assert_eq!(sum.quotient(i64::MAX), f64::INFINITY);
    sum.add(f64::MAX, -i64::MAX);
    assert_eq!(sum.quotient(i64::MAX), f64::MAX);
    sum.add(f64::MAX, -i64::MAX + 1);
    assert_eq!(sum.value(), f64::MAX);
    sum.add(f64::MAX, -3);
    assert_eq!(sum.value(), f64::NEG_INFINITY);
}

#[test]
fn subnormals_are_exact_and_quotients_round_to_their_grid() {
    let least = f64::from_bits(1);
    let sum = sum_of(&[(least, 3)]);
    assert_eq!(sum.value(), f64::from_bits(3));
    assert_eq!(sum.quotient(2), f64::from_bits(2));
    assert_eq!(sum_of(&[(least, 1)]).quotient(2), 0.0);
    assert_eq!(sum_of(&[(least, 1)]).quotient(i64::MAX), 0.0);
    assert_eq!(sum_of(&[(f64::MIN_POSITIVE, 1), (least, -1)]).value(), f64::from_bits((1 << 52) - 1));
}

#[test]
fn infinities_and_nan_leave_as_they_came() {
    let mut sum = sum_of(&[(1.5, 1), (f64::INFINITY, 2)]);
    assert_eq!(sum.value(), f64::INFINITY);
    assert_eq!(sum.quotient(2), f64::INFINITY);
    assert!(!sum.is_finite_sum());
    sum.add(f64::NEG_INFINITY, 1);
    assert!(sum.value().is_nan());
    sum.add(f64::INFINITY, -2);
    assert_eq!(sum.value(), f64::NEG_INFINITY);
    sum.add(f64::NEG_INFINITY, -1);
    assert_eq!(sum.value(), 1.5);
    sum.add(f64::NAN, 1);
    assert!(sum.value().is_nan());
    sum.add(f64::NAN, -1);
    assert_eq!(sum.value(), 1.5);
    assert_eq!(sum.memory_bytes(), size_of::<ExactSum>());
}

#[test]
fn zero_has_no_sign_and_nothing_divided_by_nothing_is_nan() {
    assert_eq!(sum_of(&[(-0.0, 1), (0.0, -7)]).value().to_bits(), 0);
    assert_eq!(sum_of(&[(1.0, 1), (1.0, -1)]).value().to_bits(), 0);
    assert!(ExactSum::new().quotient(0).is_nan());
    assert!(ExactSum::new().is_empty_sum());
    assert!(!sum_of(&[(f64::NAN, 1)]).is_empty_sum());
}

#[test]
fn numbers_of_similar_magnitude_need_no_allocation() {
    assert_eq!(size_of::<ExactSum>(), 48);
    let mut sum = ExactSum::new();
    for i in 0..100_000 {
        sum.add(f64::from(i) * 0.01, if i % 3 == 0 { -1 } else { 1000 });
    }
    assert_eq!(sum.memory_bytes(), 48);
    sum.add(f64::MAX, 1);
    sum.add(f64::from_bits(1), 1);
    assert!(sum.memory_bytes() > 48);
    assert!(sum.memory_bytes() <= 48 + 8 * 36);
}
