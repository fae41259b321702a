use std::collections::BTreeMap;
use std::thread::{self, JoinHandle};

use arrow::array::ArrayRef;
use proptest::prelude::*;

use super::super::shape::Limits;
use super::super::{Arrangement, Snapshot, Version};
use super::{Multiset, add_batch, batch_of, contents, hashes_of, probed, rows_at, schema_of, settle};
use crate::test_support::{Cell, any_columns, any_type, row_of};

const TINY: Limits = Limits { min_head: 8, max_head: 20, backlog_part: 8, segment: 6, sort_bucket: 4 };

/// One step of a history. Rows are named by their place in a pool, so that they repeat.
#[derive(Clone, Debug)]
enum Step {
    Append(Vec<(u32, i64)>),
    Insert(Vec<u32>),
    Maintain(usize),
    KeepVersion,
    KeepSnapshot,
    Probe { rows: Vec<u32>, null_safe: u8 },
    CheckVersion { which: usize, rows: Vec<u32>, null_safe: u8 },
}

fn any_step() -> impl Strategy<Value = Step> {
    let rows = || prop::collection::vec(any::<u32>(), 0..12);
    let weight = prop_oneof![3 => Just(-1i64), 3 => Just(1), 1 => -3i64..0, 1 => 1i64..4];
    prop_oneof![
        4 => prop::collection::vec((any::<u32>(), weight), 0..16).prop_map(Step::Append),
        4 => prop::collection::vec(any::<u32>(), 0..30).prop_map(Step::Insert),
        4 => prop_oneof![0usize..20, Just(10_000)].prop_map(Step::Maintain),
        1 => Just(Step::KeepVersion),
        1 => Just(Step::KeepSnapshot),
        2 => (rows(), any::<u8>()).prop_map(|(rows, null_safe)| Step::Probe { rows, null_safe }),
        2 => (any::<usize>(), rows(), any::<u8>()).prop_map(|(which, rows, null_safe)| Step::CheckVersion { which, rows, null_safe }),
    ]
}

#[derive(Clone, Debug)]
struct History {
    pool: Vec<ArrayRef>,
    key: Vec<usize>,
    lazy: bool,
    /// Bits of the key hashes that are kept: few bits make different keys collide.
    hash_bits: u64,
    steps: Vec<Step>,
}

fn any_history() -> impl Strategy<Value = History> {
    let columns = prop::collection::vec(any_type(), 1..5).prop_flat_map(|types| any_columns(types, 1..40));
    let hash_bits = prop::sample::select(vec![u64::MAX, u64::MAX, 0x1_0000_0003, 0]);
    (columns, any::<u8>(), any::<bool>(), hash_bits, prop::collection::vec(any_step(), 1..40)).prop_map(
        |(pool, key, lazy, hash_bits, steps)| {
            let mut key: Vec<usize> = (0..pool.len()).filter(|column| key & (1 << column) != 0).collect();
            key.reverse();
            // Without an index, hashes are not the caller's to choose.
            History { pool, key, lazy, hash_bits: if lazy { u64::MAX } else { hash_bits }, steps }
        },
    )
}

struct Run {
    history: History,
    arrangement: Arrangement,
    model: Multiset,
    versions: Vec<(Version, Multiset)>,
    readers: Vec<JoinHandle<()>>,
}

impl Run {
    fn new(history: History) -> Self {
        let arrangement = Arrangement::with_limits(schema_of(&history.pool), history.key.clone(), history.lazy, TINY);
        Run { history, arrangement, model: Multiset::new(), versions: Vec::new(), readers: Vec::new() }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Append(rows) => {
                self.append(rows.iter().map(|row| row.0).collect(), Some(rows.iter().map(|row| row.1).collect()))
            }
            Step::Insert(rows) => self.append(rows.clone(), None),
            Step::Maintain(fuel) => {
                self.arrangement.maintain(*fuel);
            }
            Step::KeepVersion => self.versions.push((self.arrangement.version(), self.model.clone())),
            Step::KeepSnapshot => {
                let (snapshot, model, history) = (self.arrangement.snapshot(), self.model.clone(), self.history.clone());
                self.readers.push(thread::spawn(move || check_snapshot(&snapshot, &model, &history)));
            }
            Step::Probe { rows, null_safe } => self.check_probe(&self.arrangement.version(), &self.model, rows, *null_safe),
            Step::CheckVersion { which, rows, null_safe } => {
                if !self.versions.is_empty() {
                    let (version, model) = &self.versions[which % self.versions.len()];
                    self.check_probe(version, model, rows, *null_safe);
                }
            }
        }
    }

    fn append(&mut self, mut rows: Vec<u32>, weights: Option<Vec<i64>>) {
        rows.iter_mut().for_each(|row| *row %= self.history.pool[0].len() as u32);
        let batch = batch_of(&self.history.pool, &rows, weights);
        add_batch(&mut self.model, &batch);
        if self.history.hash_bits == u64::MAX {
            self.arrangement.append(&batch);
        } else {
            let hashes =
                self.hashes(&self.history.key.iter().map(|&column| batch.column(column).clone()).collect::<Vec<_>>(), rows.len());
            self.arrangement.append_hashed(&batch, &hashes);
        }
    }

    fn hashes(&self, keys: &[ArrayRef], rows: usize) -> Vec<u64> {
        hashes_of(keys, rows).into_iter().map(|hash| hash & self.history.hash_bits).collect()
    }

    fn check_probe(&self, version: &Version, model: &Multiset, rows: &[u32], null_safe: u8) {
        let History { pool, key, .. } = &self.history;
        let rows: Vec<u32> = rows.iter().map(|row| row % pool[0].len() as u32).collect();
        let null_safe: Vec<bool> = (0..key.len()).map(|column| null_safe & (1 << column) != 0).collect();
        let keys: Vec<ArrayRef> = key.iter().map(|&column| rows_at(pool, &rows)[column].clone()).collect();
        let mut expected = BTreeMap::new();
        for probe_row in 0..rows.len() {
            let wanted = row_of(&keys, probe_row);
            if wanted.iter().zip(&null_safe).any(|(cell, safe)| *cell == Cell::Null && !safe) {
                continue;
            }
            for (row, &weight) in model.iter().filter(|(row, _)| key_of(row, key) == wanted) {
                expected.insert((probe_row as u32, row.clone()), weight);
            }
        }
        assert_eq!(probed(version, &keys, &self.hashes(&keys, rows.len()), &null_safe), expected);
    }
}

fn key_of(row: &[Cell], key: &[usize]) -> Vec<Cell> {
    key.iter().map(|&column| row[column].clone()).collect()
}

fn check_snapshot(snapshot: &Snapshot, model: &Multiset, history: &History) {
    assert_eq!(contents(&snapshot.batches().collect::<Vec<_>>()), *model);
    assert_eq!(snapshot.entries(), snapshot.batches().map(|batch| batch.len()).sum::<usize>());
    let consolidated = snapshot.consolidated().unwrap();
    assert_eq!(consolidated.len(), model.len());
    assert_eq!(contents([&consolidated]), *model);
    if history.hash_bits == u64::MAX {
        // Some keys are asked for twice, and must not count twice.
        let rows = [0, 0, history.pool[0].len() as u32 - 1];
        let keys: Vec<ArrayRef> = history.key.iter().map(|&column| rows_at(&history.pool, &rows)[column].clone()).collect();
        let wanted = [row_of(&keys, 0), row_of(&keys, 2)];
        let expected = model.iter().filter(|(row, _)| wanted.contains(&key_of(row, &history.key)));
        let found = snapshot.lookup(&keys).unwrap();
        assert_eq!(contents([&found]), expected.map(|(row, &weight)| (row.clone(), weight)).collect::<Multiset>());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 384, ..ProptestConfig::default() })]

    #[test]
    fn any_history_reads_as_the_multiset_it_adds_up_to(history in any_history()) {
        let steps = history.steps.clone();
        let mut run = Run::new(history);
        for step in &steps {
            run.step(step);
        }
        let everything: Vec<u32> = (0..run.history.pool[0].len() as u32).collect();
        run.check_probe(&run.arrangement.version(), &run.model, &everything, u8::MAX);
        settle(&mut run.arrangement);
        run.check_probe(&run.arrangement.version(), &run.model, &everything, 0);
        prop_assert_eq!(contents(&run.arrangement.snapshot().batches().collect::<Vec<_>>()), run.model.clone());
        for (version, model) in &run.versions {
            run.check_probe(version, model, &everything, u8::MAX);
            check_snapshot(&version.snapshot(), model, &run.history);
        }
        for reader in run.readers {
            reader.join().unwrap();
        }
    }
}
