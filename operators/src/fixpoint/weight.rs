//! [`Weight`]: copies of a row within a recursion, counted modulo a prime.
//!
//! A recursion that does not come to an end may double its copies in each iteration, and what is thrown away in the end must not stop the engine before. It must
//! not look finished either: modulo 2^64, `x = 1 + 2x` has the solution -1, and iteration finds it. Modulo a prime nothing but zero
//! divides zero, so copies that multiply without end go on changing for ever. Counts below 2^60 are exact.

use differential_dataflow::difference::{Abelian, IsZero, Monoid, Multiply, Semigroup};
use serde::{Deserialize, Serialize};

/// 2^61 - 1.
const MODULUS: i64 = (1 << 61) - 1;
/// Weights are between this and its negative.
const GREATEST: i64 = (MODULUS - 1) / 2;

/// A weight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(super) struct Weight(i64);

impl Weight {
    pub(super) const ONE: Weight = Weight(1);

    pub(super) fn new(weight: i64) -> Self {
        Weight::reduced(i128::from(weight))
    }

    pub(super) fn get(self) -> i64 {
        self.0
    }

    /// One for a positive weight, as DISTINCT has it.
    pub(super) fn present(self) -> Self {
        Weight(i64::from(self.0 > 0))
    }

    fn reduced(value: i128) -> Self {
        let rest = (value % i128::from(MODULUS)) as i64;
        if rest > GREATEST {
            Weight(rest - MODULUS)
        } else if rest < -GREATEST {
            Weight(rest + MODULUS)
        } else {
            Weight(rest)
        }
    }
}

impl IsZero for Weight {
    #[inline]
    fn is_zero(&self) -> bool {
        self.0 == 0
    }
}

impl Semigroup for Weight {
    #[inline]
    fn plus_equals(&mut self, other: &Self) {
        // Both are below 2^60, so the sum is an i64.
        let sum = self.0 + other.0;
        self.0 = if sum > GREATEST {
            sum - MODULUS
        } else if sum < -GREATEST {
            sum + MODULUS
        } else {
            sum
        };
    }
}

impl Monoid for Weight {
    fn zero() -> Self {
        Weight(0)
    }
}

impl Abelian for Weight {
    #[inline]
    fn negate(&mut self) {
        self.0 = -self.0;
    }
}

impl Multiply for Weight {
    type Output = Self;

    #[inline]
    fn multiply(self, other: &Self) -> Self {
        match (self.0, other.0) {
            (1, weight) | (weight, 1) => Weight(weight),
            (left, right) => Weight::reduced(i128::from(left) * i128::from(right)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_weights_are_integers() {
        let mut sum = Weight::new(7);
        sum.plus_equals(&Weight::new(-9));
        assert_eq!(sum.get(), -2);
        assert_eq!(sum.multiply(&Weight::new(-3)).get(), 6);
        sum.negate();
        assert_eq!(sum.get(), 2);
        assert_eq!(Weight::new(GREATEST).get(), GREATEST);
        assert_eq!(Weight::new(-5).present(), Weight::zero());
    }

    #[test]
    fn copies_that_double_never_stand_still() {
        let (mut weight, two) = (Weight::zero(), Weight::new(2));
        for _ in 0..10_000 {
            let mut next = weight.multiply(&two);
            next.plus_equals(&Weight::ONE);
            assert_ne!(next, weight);
            weight = next;
        }
    }
}
