//! [`ExactSum`]: an exact, weighted, retractable sum of floats.

/// An exact sum of `value x weight` over floats.
#[derive(Clone, Debug, Default)]
pub struct ExactSum {}

#[allow(unused_variables, clippy::todo)]
impl ExactSum {
    /// The sum of nothing.
    pub fn new() -> Self {
        Self::default()
    }
    /// Adds `value x weight`, exactly.
    pub fn add(&mut self, value: f64, weight: i64) {
        todo!()
    }
    /// Adds another sum, exactly.
    pub fn merge(&mut self, other: &ExactSum) {
        todo!()
    }
    /// The sum, rounded once (to nearest, ties to even).
    pub fn value(&self) -> f64 {
        todo!()
    }
    /// The sum divided by `count`, rounded once.
    pub fn quotient(&self, count: i64) -> f64 {
        todo!()
    }
    /// Whether the sum is exactly zero and no infinity or NaN is in it.
    pub fn is_empty_sum(&self) -> bool {
        todo!()
    }
    /// The memory of the sum in bytes, itself included.
    pub fn memory_bytes(&self) -> usize {
        todo!()
    }
}
