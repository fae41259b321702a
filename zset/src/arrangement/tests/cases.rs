use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Int64Array, StringArray};

use super::super::shape::Limits;
use super::super::{Arrangement, Matches};
use super::{batch_of, contents, hashes_of, probed, schema_of, settle};
use crate::ZBatch;
use crate::test_support::{Cell, integers, row_of};

fn batch(columns: Vec<ArrayRef>, weights: Option<Vec<i64>>) -> ZBatch {
    let rows = columns[0].len();
    ZBatch::new(schema_of(&columns), columns, weights.map(Into::into), rows)
}

/// Rows (key, value) of weight `weight`.
fn pairs(rows: impl Iterator<Item = (i64, i64)> + Clone, weight: i64) -> ZBatch {
    let columns = vec![integers(rows.clone().map(|row| row.0)), integers(rows.map(|row| row.1))];
    let weights = vec![weight; columns[0].len()];
    batch(columns, (weight != 1).then_some(weights))
}

fn by_first_column(sample: &ZBatch, lazy: bool) -> Arrangement {
    Arrangement::with_limits(sample.schema().clone(), vec![0], lazy, Limits::default())
}

fn probe(arrangement: &Arrangement, keys: ArrayRef) -> Matches {
    let (keys, mut matches) = ([keys], Matches::new());
    arrangement.probe(&keys, &hashes_of(&keys, keys[0].len()), &[false], &mut matches);
    matches
}

#[test]
fn a_deletion_does_not_walk_the_million_rows_of_its_key() {
    let insert = pairs((0..1_000_000).map(|value| (7, value)), 1);
    let mut arrangement = by_first_column(&insert, false);
    arrangement.append(&insert);
    settle(&mut arrangement);
    let before = arrangement.work();
    for value in 0..1_000 {
        arrangement.append(&pairs([(7, value * 1_000)].into_iter(), -1));
        arrangement.maintain(arrangement.fuel_for(1));
    }
    assert_eq!(arrangement.work(), before, "deletions are rows of the head, and nothing else");
    assert_eq!(arrangement.entries(), 1_001_000);
    assert_eq!(probe(&arrangement, integers([8])).examined_rows(), 0, "another key does not see them");
    assert_eq!(probe(&arrangement, integers([7])).weights().iter().sum::<i64>(), 999_000);
}

#[test]
fn many_deletions_cost_their_share_of_merges_and_give_the_memory_back() {
    const ROWS: i64 = 400_000;
    let insert = pairs((0..ROWS).map(|value| (7, value)), 1);
    let mut arrangement = by_first_column(&insert, false);
    arrangement.append(&insert);
    settle(&mut arrangement);
    let before = arrangement.work();
    for start in (0..ROWS).step_by(1_000) {
        let delete = pairs((start..start + 1_000).map(|value| (7, value)), -1);
        arrangement.append(&delete);
        arrangement.maintain(arrangement.fuel_for(delete.len()));
    }
    settle(&mut arrangement);
    let merged = arrangement.work().merged_rows - before.merged_rows;
    assert!(merged < 8 * ROWS as u64, "{merged} rows merged for {ROWS} deletions");
    assert!(arrangement.entries() < ROWS as usize / 4, "{} entries are left of nothing", arrangement.entries());
    assert_eq!(contents(&arrangement.snapshot().batches().collect::<Vec<_>>()).len(), 0);
}

#[test]
fn maintenance_does_no_more_than_its_fuel_in_the_long_run() {
    let mut arrangement = by_first_column(&pairs([(0, 0)].into_iter(), 1), false);
    let (mut fuel, mut done) = (0, 0);
    for epoch in 0..400 {
        arrangement.append(&pairs((0..1_000).map(|row| (row * 7 % 911, epoch * 1_000 + row)), 1));
        fuel += 3_000;
        done += arrangement.maintain(3_000);
        assert!(done <= fuel + 4 * Limits::default().segment, "{done} of {fuel}");
    }
    assert!(done > 400_000);
    assert_eq!(arrangement.entries(), 400_000);
}

#[test]
fn two_integers_take_less_than_thirty_bytes() {
    let mut arrangement = by_first_column(&pairs([(0, 0)].into_iter(), 1), false);
    for epoch in 0..100 {
        arrangement.append(&pairs((0..10_000).map(|row| (epoch * 10_000 + row, row)), 1));
        arrangement.maintain(arrangement.fuel_for(10_000));
    }
    let bytes = arrangement.memory_bytes() as f64 / arrangement.entries() as f64;
    assert!(bytes < 30.0, "{bytes} bytes per row");
}

#[test]
fn a_merge_in_progress_needs_no_second_copy() {
    let mut arrangement = by_first_column(&pairs([(0, 0)].into_iter(), 1), false);
    let half = |parity: i64| pairs((0..500_000).map(move |row| (2 * row + parity, row)), 1);
    arrangement.append(&half(0));
    arrangement.append(&half(1));
    let before = arrangement.memory_bytes();
    arrangement.maintain(500_000);
    assert!(arrangement.maintain(1) <= Limits::default().segment, "the merge is not done yet");
    assert!(arrangement.memory_bytes() < before + before / 10, "{} of {before} bytes", arrangement.memory_bytes());
    assert_eq!(arrangement.entries(), 1_000_000);
    assert_eq!(probe(&arrangement, integers([0, 1, 999_998, 999_999, 1_000_000])).len(), 4);
}

#[test]
fn without_key_columns_every_row_matches_every_probe() {
    let rows = batch(vec![integers([1, 2, 2])], None);
    let mut arrangement =
        Arrangement::with_limits(rows.schema().clone(), vec![], false, Limits { min_head: 2, ..Limits::default() });
    for _ in 0..2 {
        arrangement.append(&rows);
        settle(&mut arrangement);
    }
    let one = |value| vec![Cell::Number(value)];
    let expected = [((0, one(1)), 2), ((0, one(2)), 4), ((1, one(1)), 2), ((1, one(2)), 4)];
    assert_eq!(probed(&arrangement.version(), &[], &hashes_of(&[], 2), &[]), BTreeMap::from(expected));
    assert_eq!(contents([&arrangement.snapshot().lookup(&[]).unwrap()]), [(one(1), 2), (one(2), 4)].into());
}

#[test]
fn null_keys_match_only_where_null_is_a_value() {
    let keys: ArrayRef = Arc::new(Int64Array::from(vec![None, Some(1)]));
    let rows = batch(vec![keys.clone(), integers([10, 20])], None);
    let mut arrangement = by_first_column(&rows, false);
    arrangement.append(&rows);
    let found = |null_safe| {
        let mut matches = Matches::new();
        arrangement.probe(std::slice::from_ref(&keys), &hashes_of(std::slice::from_ref(&keys), 2), &[null_safe], &mut matches);
        (matches.len(), matches.examined_rows())
    };
    assert_eq!(found(false), (1, 1), "a NULL key is not even looked for");
    assert_eq!(found(true), (2, 2));
}

#[test]
fn keys_and_rows_of_one_hash_stay_apart() {
    // Four times as many rows of one order word as a segment can hold.
    let rows = pairs((0..200_000).map(|row| (row % 1_000, row % 1_000)), 1);
    let mut arrangement = Arrangement::with_limits(rows.schema().clone(), vec![0, 1], false, Limits::default());
    arrangement.append_hashed(&rows, &vec![5; rows.len()]);
    arrangement.append_hashed(&rows, &vec![5; rows.len()]);
    settle(&mut arrangement);
    let keys = [integers([3]), integers([3])];
    let found = probed(&arrangement.version(), &keys, &[5], &[false, false]);
    assert_eq!(found, [((0, row_of(&keys, 0)), 400)].into());
}

#[test]
fn a_weight_that_would_overflow_stays_in_parts() {
    let huge = pairs([(1, 1)].into_iter(), i64::MAX);
    let mut arrangement =
        Arrangement::with_limits(huge.schema().clone(), vec![0], false, Limits { min_head: 1, ..Limits::default() });
    for _ in 0..2 {
        arrangement.append(&huge);
        settle(&mut arrangement);
    }
    assert_eq!(arrangement.entries(), 2);
    assert!(arrangement.snapshot().consolidated().is_err());
    arrangement.append(&pairs([(1, 1)].into_iter(), -i64::MAX));
    settle(&mut arrangement);
    assert_eq!(
        probe(&arrangement, integers([1])).weights().iter().map(|&weight| i128::from(weight)).sum::<i128>(),
        i64::MAX.into()
    );
}

#[test]
fn big_rows_make_small_segments() {
    let text = "x".repeat(100_000);
    let rows = batch(vec![integers(0..1_000), Arc::new(StringArray::from(vec![text.as_str(); 1_000]))], None);
    let limits = Limits { min_head: 100, max_head: 100, ..Limits::default() };
    let mut arrangement = Arrangement::with_limits(rows.schema().clone(), vec![0], false, limits);
    arrangement.append(&rows);
    let snapshot = arrangement.snapshot();
    assert!(snapshot.batches().all(|batch| batch.memory_bytes() < 16 << 20));
    assert_eq!(snapshot.entries(), 1_000);
    assert_eq!(snapshot.lookup(&[integers([3, 5_000])]).unwrap().len(), 1);
}

#[test]
fn tiny_batches_become_one_and_versions_still_see_their_part() {
    let mut arrangement = by_first_column(&pairs([(0, 0)].into_iter(), 1), false);
    let mut versions = Vec::new();
    for row in 0..1_000 {
        versions.push(arrangement.version());
        arrangement.append(&pairs([(row % 10, row)].into_iter(), 1));
    }
    assert!(arrangement.snapshot().batches().count() < 64);
    for (rows, version) in versions.iter().enumerate() {
        assert_eq!(version.entries(), rows);
        assert_eq!(version.snapshot().batches().map(|batch| batch.len()).sum::<usize>(), rows);
        let keys = [integers([0])];
        assert_eq!(probed(version, &keys, &hashes_of(&keys, 1), &[false]).len(), rows.div_ceil(10));
    }
}

#[test]
fn a_lazy_arrangement_shares_what_it_was_given_until_a_key_is_looked_for() {
    let rows = pairs((0..65_536).map(|row| (row, row)), 1);
    let mut arrangement = by_first_column(&rows, true);
    arrangement.append(&rows);
    arrangement.append(&rows);
    assert_eq!(arrangement.maintain(usize::MAX / 2), 0);
    let stored = arrangement.snapshot().batches().next().unwrap();
    assert!(Arc::ptr_eq(stored.column(0), rows.column(0)), "zero copy");

    let snapshot = arrangement.snapshot();
    let reader = std::thread::spawn(move || snapshot.lookup(&[integers([5, 5, -1])]).unwrap());
    assert_eq!(contents([&reader.join().unwrap()]), [(vec![Cell::Number(5), Cell::Number(5)], 2)].into());
    assert!(arrangement.fuel_for(1) > 1);
    settle(&mut arrangement);
    assert_eq!(arrangement.work().sorted_rows, 2 * 65_536, "now it is indexed");
    assert_eq!(arrangement.entries(), 65_536);
    assert_eq!(probe(&arrangement, integers([5])).examined_rows(), 1);
}

#[test]
fn the_first_deletion_ends_laziness() {
    let rows = pairs((0..1_000).map(|row| (row, row)), 1);
    let mut arrangement = by_first_column(&rows, true);
    arrangement.append(&rows);
    arrangement.append(&pairs([(5, 5)].into_iter(), -1));
    assert!(arrangement.maintain(usize::MAX / 2) > 0);
    arrangement.append(&rows);
    assert_eq!(arrangement.snapshot().consolidated().unwrap().len(), 1_000);
    let keys = [integers([5])];
    let found = probed(&arrangement.version(), &keys, &hashes_of(&keys, 1), &[false]);
    assert_eq!(found, [((0, vec![Cell::Number(5), Cell::Number(5)]), 1)].into());
}

#[test]
fn matches_are_taken_in_parts() {
    let rows = batch_of(&[integers(0..10), integers(10..20)], &[0, 1, 2, 3], None);
    let mut arrangement = by_first_column(&rows, false);
    assert!(Matches::new().columns(&[0]).is_err(), "no probe, no columns");
    assert_eq!(probe(&arrangement, integers([1])).columns(&[1, 0]).unwrap()[0].len(), 0);
    arrangement.append(&rows);
    let matches = probe(&arrangement, integers([3, 2]));
    let whole = matches.columns(&[1]).unwrap();
    for part in 0..2 {
        assert_eq!(matches.columns_in(&[1], part..part + 1).unwrap()[0].as_ref(), whole[0].slice(part, 1).as_ref());
    }
}
