//! Against a map from cells to state, under random inserts, lookups, removals: keys of all types and any number of columns, with
//! hashes cut down so that keys collide. Growth, which these small tables hardly see, and the arena have tests of their own.

#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Int64Array, StringArray, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::DataType;
use proptest::prelude::*;

use super::*;
use crate::hash::hash_columns;
use crate::test_support::{Cell, any_columns, any_type, integers, row_of, rows_of};

/// A step of a random run. Rows are picked out of a pool of keys.
#[derive(Clone, Debug)]
enum Step {
    Upsert(Vec<prop::sample::Index>),
    Find(Vec<prop::sample::Index>),
    Remove(Vec<prop::sample::Index>),
}

fn any_step() -> impl Strategy<Value = Step> {
    let picks = || prop::collection::vec(any::<prop::sample::Index>(), 0..100);
    prop_oneof![picks().prop_map(Step::Upsert), picks().prop_map(Step::Find), picks().prop_map(Step::Remove)]
}

/// A table beside its model: key to group and number of upserts, which is also the payload.
struct Checked {
    table: GroupTable,
    model: HashMap<Vec<Cell>, (u32, u64)>,
    hash_mask: u64,
}

impl Checked {
    fn new(types: &[DataType], hash_mask: u64) -> Self {
        let table = GroupTable::new(RowLayout::try_new(types).unwrap(), 1);
        Checked { table, model: HashMap::new(), hash_mask }
    }

    fn encode(&self, columns: &[ArrayRef], rows: usize) -> (EncodedRows, Vec<u64>) {
        let (mut encoded, mut hashes) = (EncodedRows::new(), Vec::new());
        self.table.layout().encode(columns, rows, &mut encoded);
        hash_columns(columns, rows, &mut hashes);
        hashes.iter_mut().for_each(|hash| *hash &= self.hash_mask);
        (encoded, hashes)
    }

    fn upsert(&mut self, columns: &[ArrayRef], rows: usize) {
        let (encoded, hashes) = self.encode(columns, rows);
        let mut groups = vec![7];
        match self.table.layout().single_word(columns) {
            Some(words) => self.table.upsert_words(words, &hashes, &mut groups),
            None => self.table.upsert(&encoded, &hashes, &mut groups),
        }
        assert_eq!(groups.len(), rows);
        for (cells, group) in rows_of(columns, rows).into_iter().zip(groups) {
            let expected = self.model.entry(cells).or_insert((group, 0));
            assert_eq!(group, expected.0, "a group keeps its number");
            assert_eq!(self.table.payload(group), [expected.1], "the payload is there, and zero at first");
            expected.1 += 1;
            self.table.payload_mut(group)[0] += 1;
        }
    }

    fn find(&self, columns: &[ArrayRef], rows: usize) {
        let (encoded, hashes) = self.encode(columns, rows);
        let (mut groups, mut by_words) = (Vec::new(), Vec::new());
        self.table.find(&encoded, &hashes, &mut groups);
        if let Some(words) = self.table.layout().single_word(columns) {
            self.table.find_words(words, &hashes, &mut by_words);
            assert_eq!(by_words, groups);
        }
        let expected = |cells| self.model.get(&cells).map_or(GroupTable::NONE, |state| state.0);
        assert_eq!(groups, rows_of(columns, rows).into_iter().map(expected).collect::<Vec<_>>());
    }

    fn remove(&mut self, columns: &[ArrayRef], rows: usize) {
        let gone: Vec<u32> =
            rows_of(columns, rows).into_iter().filter_map(|cells| self.model.remove(&cells)).map(|(group, _)| group).collect();
        // One by one, and again, or all together.
        let (first, rest) = gone.split_at(gone.len() / 2);
        for &group in first {
            self.table.remove(group);
            self.table.remove(group);
        }
        self.table.remove_all(rest);
    }

    fn check_all(&self) {
        assert_eq!(self.table.len(), self.model.len());
        let groups: Vec<u32> = self.table.groups().collect();
        assert_eq!(groups.len(), self.model.len());
        let keys = self.table.keys(&groups);
        for (row, group) in groups.iter().enumerate() {
            assert_eq!(self.model[&row_of(&keys, row)], (*group, self.table.payload(*group)[0]));
        }
    }
}

/// The rows of the pool that were picked.
fn pick(pool: &[ArrayRef], picks: &[prop::sample::Index]) -> (Vec<ArrayRef>, usize) {
    let rows = pool.first().map_or(1, |column| column.len());
    let picks = UInt32Array::from_iter_values(picks.iter().map(|pick| pick.index(rows) as u32));
    (pool.iter().map(|column| take(column, &picks, None).unwrap()).collect(), picks.len())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]
    #[test]
    fn a_table_is_a_map(
        pool in prop::collection::vec(any_type(), 0..4).prop_flat_map(|types| any_columns(types, 1..60)),
        steps in prop::collection::vec(any_step(), 0..8),
        hash_mask in prop::sample::select(vec![u64::MAX, 0, 3, 0xff00_0000]),
    ) {
        let types: Vec<DataType> = pool.iter().map(|column| column.data_type().clone()).collect();
        let mut checked = Checked::new(&types, hash_mask);
        for step in steps {
            match step {
                Step::Upsert(picks) => {
                    let (columns, rows) = pick(&pool, &picks);
                    checked.upsert(&columns, rows);
                }
                Step::Find(picks) => {
                    let (columns, rows) = pick(&pool, &picks);
                    checked.find(&columns, rows);
                }
                Step::Remove(picks) => {
                    let (columns, rows) = pick(&pool, &picks);
                    checked.remove(&columns, rows);
                }
            }
            checked.check_all();
        }
    }
}

/// Grows past the size up to which slots are copied at once, with lookups and removals while two arrays are in use.
#[test]
fn nothing_is_lost_while_the_slots_grow() {
    for (column_count, hash_mask) in [(1, u64::MAX), (2, u64::MAX), (7, u64::MAX), (2, 0x3fff)] {
        let mut checked = Checked::new(&vec![DataType::Int64; column_count], hash_mask);
        let key = |n: i64| -> Vec<ArrayRef> {
            (0..column_count as i64).map(|column| integers((n..n + 300).map(|n| n * 7 + column))).collect()
        };
        for batch in 0..70 {
            checked.upsert(&key(batch * 300), 300);
            checked.find(&key(batch * 150), 300);
            let gone: Vec<ArrayRef> = key(batch * 100).iter().map(|column| column.slice(0, 90)).collect();
            checked.remove(&gone, 90);
            checked.find(&key(batch * 100 - 50), 300);
        }
        checked.check_all();
        assert!(checked.table.len() > 10_000);
    }
}

fn long_texts(range: std::ops::Range<usize>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(range.map(|n| format!("the text of key {n} is longer than a cell"))))
}

#[test]
fn removed_strings_give_back_their_space() {
    let mut checked = Checked::new(&[DataType::Utf8, DataType::Int64], u64::MAX);
    let keys = |n: usize| vec![long_texts(n..n + 1000), integers((n as i64..).take(1000))];
    let mut most = 0;
    for batch in 0..60 {
        checked.upsert(&keys(batch * 1000), 1000);
        if batch >= 3 {
            checked.remove(&keys((batch - 3) * 1000), 1000);
        }
        checked.find(&keys(batch.saturating_sub(2) * 1000), 1000);
        most = most.max(checked.table.arena.memory_bytes());
    }
    checked.check_all();
    let live = 4 * 1000 * "the text of key 12345 is longer than a cell".len();
    assert!(most < 4 * live, "{most} bytes for {live}");
}

#[test]
fn numbers_are_reused_and_an_empty_table_is_small() {
    let layout = RowLayout::try_new(&[DataType::Int64]).unwrap();
    let mut table = GroupTable::new(layout, 2);
    let mut groups = Vec::new();
    table.upsert_words(&[1, 2, 3], &[10, 20, 30], &mut groups);
    assert_eq!(groups, [0, 1, 2]);
    table.payload_mut(1).fill(9);
    table.remove(1);
    table.upsert_words(&[4], &[40], &mut groups);
    assert_eq!((groups[0], table.payload(1)), (1, &[0, 0][..]));
    let many: Vec<u64> = (100..20_100).collect();
    table.upsert_words(&many, &many, &mut groups);
    let full = table.memory_bytes();
    for group in 0..20_003 {
        table.remove(group);
    }
    assert!(table.is_empty() && table.memory_bytes() < full / 100);
    table.upsert_words(&[7], &[7], &mut groups);
    assert_eq!(table.keys(&groups)[0].as_ref(), &Int64Array::from(vec![7]));
}

#[test]
fn the_key_without_columns_is_one_group() {
    let mut checked = Checked::new(&[], u64::MAX);
    checked.upsert(&[], 5);
    checked.upsert(&[], 1);
    checked.check_all();
    assert_eq!(checked.table.payload(0), [6]);
}
