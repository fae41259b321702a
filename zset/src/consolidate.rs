//! Consolidation: each row once, with the sum of its weights.
//!
//! No row is compared until the hashes have spoken: a small table over the hashes proposes for each row the first row that may
//! be equal to it, and all proposals are checked together, a column at a time. The rows whose proposal was wrong (two rows, one
//! hash) go into another round among themselves. Every round settles at least the row that was proposed, so it ends, and in
//! practice the first round settles everything.

use arrow::array::UInt32Array;

use crate::equality::equal_pairs;
use crate::hash::hash_columns;
use crate::{Error, Result, ZBatch};

impl ZBatch {
    /// The same Z-set with each row once and no zero weight, in the order of first occurrence; the weights are left out if
    /// they are all `+1`. Shares the columns if nothing is to be done. O(rows).
    ///
    /// # Errors
    /// [`Error::WeightOverflow`] if a sum of weights leaves the range of `i64`, [`Error::Shape`] above 2^32 - 1 rows.
    pub fn consolidate(&self) -> Result<ZBatch> {
        if self.len() <= 1 {
            return Ok(if self.is_empty() || self.weight(0) != 0 { self.clone() } else { self.slice(0, 0) }.without_ones());
        }
        let mut hashes = Vec::new();
        hash_columns(self.columns(), self.len(), &mut hashes);
        self.consolidate_hashed(&hashes)
    }

    /// As [`ZBatch::consolidate`], for one who has the hashes of the rows ([`hash_columns`] of all columns) already.
    ///
    /// # Errors
    /// Those of [`ZBatch::consolidate`].
    pub fn consolidate_hashed(&self, hashes: &[u64]) -> Result<ZBatch> {
        match self.survivors(hashes)? {
            None => Ok(self.clone().without_ones()),
            Some((rows, weights)) => {
                let kept = self.clone().with_weights(None).take(&UInt32Array::from(rows))?;
                Ok(kept.with_weights(Some(weights.into())).without_ones())
            }
        }
    }

    /// The rows that [`ZBatch::consolidate_hashed`] keeps, with the sums of their weights; `None` if it keeps all as they are. For one who has more to say of
    /// each row than the batch does.
    ///
    /// # Errors
    /// Those of [`ZBatch::consolidate`].
    pub fn survivors(&self, hashes: &[u64]) -> Result<Option<(Vec<u32>, Vec<i64>)>> {
        assert_eq!(hashes.len(), self.len());
        if u32::try_from(self.len()).is_err() {
            return Err(Error::Shape(format!("{} rows in one batch", self.len())));
        }
        let leaders = self.leaders(hashes);
        let repeated = leaders.iter().enumerate().any(|(row, leader)| *leader != row as u32);
        let zero = self.weights().is_some_and(|weights| weights.contains(&0));
        if !repeated && !zero {
            return Ok(None);
        }
        // In 128 bits, because a sum may leave 64 bits on its way and come back.
        let mut sums = vec![0i128; self.len()];
        for (row, leader) in leaders.iter().enumerate() {
            sums[*leader as usize] += i128::from(self.weight(row));
        }
        let rows: Vec<u32> = (0..self.len() as u32).filter(|row| sums[*row as usize] != 0).collect();
        let weights: Vec<i64> = rows
            .iter()
            .map(|row| i64::try_from(sums[*row as usize]).map_err(|_| Error::WeightOverflow))
            .collect::<Result<_>>()?;
        Ok(Some((rows, weights)))
    }

    /// For each row, the first row that equals it.
    fn leaders(&self, hashes: &[u64]) -> Vec<u32> {
        let mut leaders = vec![0u32; self.len()];
        let mut table = FirstOfHash::with_capacity(self.len());
        let null_equal = vec![true; self.columns().len()];
        let mut open: Vec<u32> = (0..self.len() as u32).collect();
        let (mut rows, mut proposed, mut equal) = (Vec::new(), Vec::new(), Vec::new());
        while !open.is_empty() {
            rows.clear();
            proposed.clear();
            for row in open.drain(..) {
                let first = table.first(hashes[row as usize], row);
                leaders[row as usize] = first;
                if first != row {
                    rows.push(row);
                    proposed.push(first);
                }
            }
            equal_pairs(self.columns(), &rows, self.columns(), &proposed, &null_equal, &mut equal);
            table.clear();
            open.extend(rows.iter().zip(&equal).filter(|(_, equal)| !**equal).map(|(row, _)| *row));
        }
        leaders
    }

    /// The same batch with the weights left out if they are all `+1`.
    fn without_ones(self) -> Self {
        if self.weights().is_some_and(|weights| weights.iter().all(|weight| *weight == 1)) {
            self.with_weights(None)
        } else {
            self
        }
    }
}

/// For each hash the first row that had it: open addressing, a load of at most one half.
struct FirstOfHash {
    /// The high half of the hash, and the number of the row plus one; zero where nothing is.
    slots: Vec<u64>,
}

impl FirstOfHash {
    fn with_capacity(rows: usize) -> Self {
        FirstOfHash { slots: vec![0; (2 * rows).next_power_of_two()] }
    }

    fn clear(&mut self) {
        self.slots.fill(0);
    }

    /// The first row with a hash like `hash`: `row` itself, if there was none. The low half of the hash tells only the place, so
    /// hashes that are alike are not always equal.
    #[inline]
    fn first(&mut self, hash: u64, row: u32) -> u32 {
        const HIGH: u64 = 0xffff_ffff << 32;
        let mask = self.slots.len() - 1;
        let mut at = hash as usize & mask;
        loop {
            let slot = &mut self.slots[at];
            if *slot == 0 {
                *slot = hash & HIGH | u64::from(row + 1);
                return row;
            }
            if (*slot ^ hash) & HIGH == 0 {
                return *slot as u32 - 1;
            }
            at = (at + 1) & mask;
        }
    }
}

#[cfg(test)]
mod tests {
    //! Against a map from cells to weights. With hashes cut down to two bits almost every proposal is wrong, so the rounds are
    //! exercised as no real hash would.

    #![allow(clippy::unwrap_used)]

    use std::sync::Arc;

    use arrow::datatypes::{DataType, Field, Schema};
    use proptest::prelude::*;

    use super::*;
    use crate::test_support::{Cell, any_columns, any_type, integers, rows_of};

    fn batch(columns: Vec<arrow::array::ArrayRef>, weights: Option<Vec<i64>>, rows: usize) -> ZBatch {
        let fields: Vec<Field> = columns.iter().map(|column| Field::new("c", column.data_type().clone(), true)).collect();
        ZBatch::try_new(Arc::new(Schema::new(fields)), columns, weights.map(Into::into), rows).unwrap()
    }

    /// The rows in order of first occurrence, with the sums of their weights, zeros left out.
    fn naive(batch: &ZBatch) -> Vec<(Vec<Cell>, i64)> {
        let mut sums: Vec<(Vec<Cell>, i64)> = Vec::new();
        for (row, cells) in rows_of(batch.columns(), batch.len()).into_iter().enumerate() {
            match sums.iter_mut().find(|(other, _)| *other == cells) {
                Some((_, sum)) => *sum += batch.weight(row),
                None => sums.push((cells, batch.weight(row))),
            }
        }
        sums.retain(|(_, sum)| *sum != 0);
        sums
    }

    fn weighted_rows(batch: &ZBatch) -> Vec<(Vec<Cell>, i64)> {
        rows_of(batch.columns(), batch.len()).into_iter().enumerate().map(|(row, cells)| (cells, batch.weight(row))).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]
        #[test]
        fn consolidation_sums_the_weights_of_equal_rows(
            (columns, weights) in prop::collection::vec(any_type(), 1..3)
                .prop_flat_map(|types| any_columns(types, 0..40))
                .prop_flat_map(|columns| {
                    let rows = columns[0].len();
                    (Just(columns), prop::option::of(prop::collection::vec(-2i64..3, rows)))
                }),
        ) {
            let rows = columns[0].len();
            let batch = batch(columns, weights, rows);
            let consolidated = batch.consolidate().unwrap();
            prop_assert_eq!(weighted_rows(&consolidated), naive(&batch));
            if let Some(weights) = consolidated.weights() {
                prop_assert!(weights.iter().any(|weight| *weight != 1));
            }
            let mut hashes = Vec::new();
            hash_columns(batch.columns(), rows, &mut hashes);
            hashes.iter_mut().for_each(|hash| *hash &= 3);
            prop_assert_eq!(weighted_rows(&batch.consolidate_hashed(&hashes).unwrap()), naive(&batch));
        }
    }

    #[test]
    fn a_sum_may_leave_64_bits_on_its_way_but_not_in_the_end() {
        let same = || vec![integers([7, 7, 7])];
        let back = batch(same(), Some(vec![i64::MAX, 1, -1]), 3).consolidate().unwrap();
        assert_eq!(back.weights_or_ones().as_ref(), &[i64::MAX]);
        assert!(matches!(batch(same(), Some(vec![i64::MAX, 1, 1]), 3).consolidate(), Err(Error::WeightOverflow)));
    }

    #[test]
    fn what_is_consolidated_shares_its_columns() {
        let clean = batch(vec![integers([1, 2, 3])], Some(vec![1, 1, 1]), 3);
        let same = clean.consolidate().unwrap();
        assert!(Arc::ptr_eq(same.column(0), clean.column(0)));
        assert!(same.weights().is_none());
    }

    #[test]
    fn rows_without_columns_are_one_row() {
        let rows = batch(Vec::new(), None, 5).consolidate().unwrap();
        assert_eq!((rows.len(), rows.weight(0)), (1, 5));
        assert!(batch(Vec::new(), Some(vec![2, -2]), 2).consolidate().unwrap().is_empty());
        assert!(batch(vec![integers([1])], Some(vec![0]), 1).consolidate().unwrap().is_empty());
        assert_eq!(batch(vec![integers([1])], None, 1).consolidate().unwrap().column(0).data_type(), &DataType::Int64);
    }
}
