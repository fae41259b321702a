//! The law of [`Shelves`]: whatever was pushed, in whatever portions, the contents are its sum; a lookup finds the rows of its key; a snapshot stays as it was.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray, Int64Array, StringArray};
use arrow::datatypes::{DataType, Field, Int64Type, Schema};
use proptest::prelude::*;

use super::*;
use crate::contents::ContentsSnapshot;

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("k", DataType::Int64, true), Field::new("v", DataType::Utf8, true)]))
}

type Rows = BTreeMap<(i64, i64), i64>;

/// Rows (k, v) with their weights; `v` is a text.
fn batch(rows: &[(i64, i64, i64)]) -> ZBatch {
    let keys = Int64Array::from_iter_values(rows.iter().map(|row| row.0));
    let values = StringArray::from_iter_values(rows.iter().map(|row| row.1.to_string()));
    let weights: Vec<i64> = rows.iter().map(|row| row.2).collect();
    let weights = weights.iter().any(|&weight| weight != 1).then(|| weights.into());
    ZBatch::new(schema(), vec![Arc::new(keys), Arc::new(values)], weights, rows.len())
}

fn add(sum: &mut Rows, rows: &[(i64, i64, i64)]) {
    for &(key, value, weight) in rows {
        *sum.entry((key, value)).or_default() += weight;
    }
    sum.retain(|_, weight| *weight != 0);
}

fn rows_of(batch: &ZBatch) -> Rows {
    let (keys, values) = (batch.column(0).as_primitive::<Int64Type>(), batch.column(1).as_string::<i32>());
    assert_eq!(keys.null_count() + values.null_count(), 0);
    (0..batch.len()).map(|row| ((keys.value(row), values.value(row).parse().unwrap()), batch.weight(row))).collect()
}

fn contents(shelves: &Shelves) -> ContentsSnapshot {
    shelves.snapshot().into()
}

fn random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

/// An aggregate over `keys` groups: each epoch replaces the rows of some of them.
fn replacements(state: &mut u64, current: &mut BTreeMap<i64, i64>, keys: u64, rows: usize) -> Vec<(i64, i64, i64)> {
    let mut delta = Vec::new();
    let touched: std::collections::BTreeSet<i64> = (0..rows).map(|_| (random(state) % keys) as i64).collect();
    for key in touched {
        let value = (random(state) % 1000) as i64;
        match (random(state) % 8, current.get(&key).copied()) {
            (0, Some(old)) => {
                delta.push((key, old, -1));
                current.remove(&key);
            }
            (_, old) => {
                delta.extend(old.map(|old| (key, old, -1)));
                delta.push((key, value, 1));
                current.insert(key, value);
            }
        }
    }
    delta
}

#[test]
fn a_big_view_is_what_was_pushed_and_its_snapshots_stay() {
    for key in [vec![0], vec![0, 1]] {
        let (mut state, mut current) = (0x5eed_u64, BTreeMap::new());
        let mut shelves = Shelves::new(schema(), key.clone());
        let mut taken: Vec<(ContentsSnapshot, Rows)> = Vec::new();
        for epoch in 0..60 {
            let delta = replacements(&mut state, &mut current, 60_000, 9_000);
            shelves.push(batch(&delta)).unwrap();
            if epoch % 3 == 0 {
                shelves.tidy_some().unwrap();
            }
            if epoch % 15 == 7 {
                taken.push((contents(&shelves), current.iter().map(|(&key, &value)| ((key, value), 1)).collect()));
            }
        }
        assert!(shelves.shelves.len() > 4, "{} shelves", shelves.shelves.len());
        assert!(shelves.entries() < 3 * current.len(), "{} entries for {} rows", shelves.entries(), current.len());
        for (snapshot, rows) in &taken {
            assert_eq!(rows_of(&snapshot.consolidated().unwrap()), *rows);
        }
        let now = contents(&shelves);
        for (wanted, &value) in current.iter().take(50) {
            let mut keys: Vec<ArrayRef> = vec![Arc::new(Int64Array::from(vec![*wanted]))];
            if key.len() == 2 {
                keys.push(Arc::new(StringArray::from(vec![value.to_string()])));
            }
            assert_eq!(rows_of(&now.lookup(&keys).unwrap()), Rows::from([((*wanted, value), 1)]));
        }
    }
}

#[test]
fn insertions_stay_aside_until_a_deletion_or_a_lookup() {
    let rows: Vec<(i64, i64, i64)> = (0..40_000).map(|row| (row, row % 7, 1)).collect();
    for deletion in [true, false] {
        let mut shelves = Shelves::new(schema(), vec![0]);
        for part in rows.chunks(10_000) {
            shelves.push(batch(part)).unwrap();
        }
        assert!(!shelves.tidy_some().unwrap());
        assert_eq!(shelves.snapshot().batches().count(), 4, "as they came");
        if deletion {
            shelves.push(batch(&[(5, 5, -1)])).unwrap();
        } else {
            let keys: Vec<ArrayRef> = vec![Arc::new(Int64Array::from(vec![5]))];
            assert_eq!(rows_of(&contents(&shelves).lookup(&keys).unwrap()), Rows::from([((5, 5), 1)]));
        }
        while shelves.tidy_some().unwrap() {}
        assert!(shelves.aside_rows < ASIDE_ROWS.1 && shelves.tidy_rows > 0);
        let mut wanted = Rows::new();
        add(&mut wanted, &rows);
        if deletion {
            wanted.remove(&(5, 5));
        }
        assert_eq!(rows_of(&contents(&shelves).consolidated().unwrap()), wanted);
    }
}

#[test]
fn a_row_that_changes_in_every_small_epoch_takes_no_room() {
    let mut shelves = Shelves::new(schema(), vec![0]);
    shelves.push(batch(&[(1, 0, 1)])).unwrap();
    for value in 0..20_000 {
        shelves.push(batch(&[(1, value, -1), (1, value + 1, 1)])).unwrap();
        assert!(shelves.entries() <= 200, "{} entries", shelves.entries());
    }
    assert_eq!(rows_of(&contents(&shelves).consolidated().unwrap()), Rows::from([((1, 20_000), 1)]));
}

#[test]
fn a_weight_out_of_range_is_an_error() {
    let mut shelves = Shelves::new(schema(), vec![0]);
    let most: Vec<(i64, i64, i64)> = vec![(1, 1, i64::MAX)];
    let pushed: Result<()> = (0..40).try_for_each(|_| {
        shelves.push(batch(&most))?;
        shelves.push(batch(&[(2, 2, -1)]))
    });
    assert!(pushed.is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn contents_are_the_sum_of_the_deltas(
        deltas in prop::collection::vec(prop::collection::vec((0i64..6, 0i64..3, prop_oneof![Just(-1i64), 1i64..3]), 0..12), 0..60),
        every_column in any::<bool>(),
    ) {
        let mut shelves = Shelves::new(schema(), if every_column { vec![0, 1] } else { vec![0] });
        let mut wanted = Rows::new();
        for delta in &deltas {
            shelves.push(batch(delta)).unwrap();
            add(&mut wanted, delta);
        }
        prop_assert_eq!(rows_of(&contents(&shelves).consolidated().unwrap()), wanted.clone());
        let keys: Vec<ArrayRef> = vec![Arc::new(Int64Array::from(vec![3]))];
        if !every_column {
            let found = rows_of(&contents(&shelves).lookup(&keys).unwrap());
            wanted.retain(|row, _| row.0 == 3);
            prop_assert_eq!(found, wanted);
        }
    }
}
