//! What a hash must not do: tell equal rows apart, or treat a position, a NULL or a length as if it were not there. That it is
//! *strong* is only sampled: sequential keys must spread over workers and over slots.

#![allow(clippy::unwrap_used)]

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{Int64Array, IntervalMonthDayNanoArray, StringArray};
use arrow::datatypes::IntervalMonthDayNano;
use proptest::prelude::*;

use super::*;
use crate::test_support::{any_columns, any_type};

fn hash(columns: &[ArrayRef], rows: usize) -> Vec<u64> {
    let mut hashes = vec![1, 2, 3];
    hash_columns(columns, rows, &mut hashes);
    hashes
}

#[test]
fn known_values_do_not_change() {
    // A stored state or another process relies on them.
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from(vec![Some(1), None])),
        Arc::new(StringArray::from(vec!["deltic", "a longer string of text"])),
    ];
    assert_eq!(hash(&columns, 2), [5737215124465474762, 17473524494960982229]);
}

#[test]
fn without_columns_all_rows_are_one_group() {
    let hashes = hash(&[], 3);
    assert!(hashes.iter().all(|hash| *hash == hashes[0]));
}

#[test]
fn equal_intervals_have_equal_hashes() {
    let day = IntervalMonthDayNano::new(0, 1, 0);
    let hours = IntervalMonthDayNano::new(0, 0, 86_400_000_000_000);
    let column: ArrayRef = Arc::new(IntervalMonthDayNanoArray::from(vec![day, hours]));
    let hashes = hash(&[column], 2);
    assert_eq!(hashes[0], hashes[1]);
}

#[test]
fn short_strings_do_not_collide() {
    let texts: Vec<String> =
        (0..40).flat_map(|length| [("a").repeat(length), ("b").repeat(length), ("\0").repeat(length + 1)]).collect();
    let distinct: HashSet<&String> = texts.iter().collect();
    let column: ArrayRef = Arc::new(StringArray::from_iter_values(&texts));
    let hashes: HashSet<u64> = hash(&[column], texts.len()).into_iter().collect();
    assert_eq!(hashes.len(), distinct.len());
}

#[test]
fn sequential_keys_spread_over_workers_and_slots() {
    for stride in [1i64, 8, 1 << 20, 1 << 40] {
        let column: ArrayRef = Arc::new(Int64Array::from_iter_values((0..1 << 14).map(|key| key * stride)));
        let hashes = hash(&[column], 1 << 14);
        let mut workers = [0u32; 7];
        let mut slots = vec![0u32; 1 << 10];
        for hash in hashes {
            workers[worker_of(hash, 7)] += 1;
            slots[hash as usize & 1023] += 1;
        }
        assert!(workers.iter().all(|rows| (2140..2540).contains(rows)), "stride {stride}: {workers:?}");
        assert!(slots.iter().all(|rows| *rows < 50), "stride {stride}: {}", slots.iter().max().unwrap());
    }
}

proptest! {
    #[test]
    fn a_row_hashes_the_same_wherever_it_stands(columns in prop::collection::vec(any_type(), 1..4).prop_flat_map(|types| any_columns(types, 0..20)), from in 0usize..20) {
        let rows = columns[0].len();
        let from = from.min(rows);
        let sliced: Vec<ArrayRef> = columns.iter().map(|column| column.slice(from, rows - from)).collect();
        prop_assert_eq!(&hash(&columns, rows)[from..], &hash(&sliced, rows - from)[..]);
    }
}
