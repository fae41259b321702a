//! [`Negate`]: the group inverse of a Z-set.

use arrow::array::UInt32Array;
use deltic_zset::ZBatch;

use crate::{EpochOperator, Output};

/// The input with every weight negated.
#[derive(Default)]
pub struct Negate {
    rows: Vec<ZBatch>,
}

impl Negate {
    /// The operator.
    pub fn new() -> Self {
        Self::default()
    }
}

/// `-batch`. The one weight whose opposite is not an `i64` is spelled out as two rows of half of it each.
fn negate(batch: &ZBatch) -> ZBatch {
    if let Ok(negated) = batch.negate() {
        return negated;
    }
    let (mut rows, mut weights) = (Vec::new(), Vec::new());
    for (row, weight) in (0u32..).zip(batch.weights_or_ones().iter()) {
        match weight.checked_neg() {
            Some(weight) => {
                rows.push(row);
                weights.push(weight);
            }
            None => {
                rows.extend([row, row]);
                weights.extend([-(i64::MIN / 2); 2]);
            }
        }
    }
    let repeated = batch.take(&UInt32Array::from(rows)).expect("rows of a batch fit a batch");
    repeated.with_weights(Some(weights.into()))
}

impl EpochOperator for Negate {
    fn push(&mut self, _port: usize, batch: ZBatch) {
        if !batch.is_empty() {
            self.rows.push(negate(&batch));
        }
    }

    fn close(&mut self, _epoch: u64) -> Output {
        Output { rows: std::mem::take(&mut self.rows), errors: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::Int64Array;
    use arrow::datatypes::{DataType, Field, Schema};

    use super::*;

    #[test]
    fn the_least_weight_has_an_opposite() {
        let schema = Arc::new(Schema::new(vec![Field::new("a", DataType::Int64, false)]));
        let batch = ZBatch::new(schema, vec![Arc::new(Int64Array::from(vec![1, 2]))], Some(vec![3, i64::MIN].into()), 2);
        let mut negate = Negate::new();
        negate.push(0, batch);
        let output = negate.close(1);
        let weights: Vec<i64> = output.rows[0].weights_or_ones().to_vec();
        assert_eq!(weights, [-3, 1 << 62, 1 << 62]);
        assert!(output.errors.is_empty());
    }
}
