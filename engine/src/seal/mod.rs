//! Sealing: what the changes of a commit do to one table.
//!
//! A writer says "insert these, delete those"; an epoch needs the exact delta. For a table with a primary key an insert of an existing key
//! also deletes the row that had it, and of several rows with one key the last one stays. A deletion must find its row. All of it is decided here,
//! against the current rows of the table, before the epoch exists: one refusal refuses the whole commit.
//!
//! In a table without a key the changes of a commit are summed first, so their order does not matter; with a key they apply in
//! order, because each insert replaces.

use arrow::array::{Array, ArrayRef, BooleanArray, UInt32Array};
use deltic_circuit::render_row;
use deltic_zset::{Arrangement, EncodedRows, GroupTable, Matches, RowLayout, ZBatch, equality, hash};

use crate::contents::ContentsSnapshot;
use crate::error::{Error, Result, code};
use crate::source::{Source, SourceKind};
use crate::time::Limits;

/// Where the current rows of a table are found.
pub(crate) trait CurrentRows {
    /// The rows whose key is that of a row of `keys` (which are all different).
    fn lookup(&self, keys: &[ArrayRef]) -> Result<Found>;
}

/// Current rows, each once.
pub(crate) struct Found {
    rows: ZBatch,
    /// Which of the keys each row has, if that is known.
    keys: Option<Vec<u32>>,
}

impl CurrentRows for ContentsSnapshot {
    fn lookup(&self, keys: &[ArrayRef]) -> Result<Found> {
        Ok(Found { rows: ContentsSnapshot::lookup(self, keys)?, keys: None })
    }
}

impl CurrentRows for &Arrangement {
    fn lookup(&self, keys: &[ArrayRef]) -> Result<Found> {
        let rows = keys.first().map_or(0, |column| column.len());
        let mut hashes = Vec::with_capacity(rows);
        hash::hash_columns(keys, rows, &mut hashes);
        let mut matches = Matches::default();
        self.probe(keys, &hashes, &vec![true; keys.len()], &mut matches);
        if matches.is_empty() {
            return Ok(Found { rows: ZBatch::empty(self.schema().clone()), keys: Some(Vec::new()) });
        }
        let all: Vec<usize> = (0..self.schema().fields().len()).collect();
        let weights = matches.weights().to_vec().into();
        let found = ZBatch::new(self.schema().clone(), matches.columns(&all)?, Some(weights), matches.len());
        if one_row_per_key(&matches, rows) {
            return Ok(Found { rows: found, keys: Some(matches.probe_rows().to_vec()) });
        }
        Ok(Found { rows: found.consolidate()?, keys: None })
    }
}

/// Whether what was found needs no consolidation, because no two entries have one key: nothing there was changed lately.
fn one_row_per_key(matches: &Matches, keys: usize) -> bool {
    let mut seen = vec![false; keys];
    matches.probe_rows().iter().all(|&key| !std::mem::replace(&mut seen[key as usize], true))
}

/// What sealing comes to.
pub(crate) enum Sealing {
    /// The delta, in parts.
    Delta(Vec<ZBatch>),
    /// Nothing yet: for each row of the changes, whether its key is held by a row of the table that is too old to be taken away.
    Held(Vec<bool>),
}

/// The delta of `source` under `changes`, in parts. `current` gives its rows as they are; it is asked only if they matter.
///
/// # Errors
/// `DT4005` if a deleted row is not there.
pub(crate) fn seal<C: CurrentRows>(
    source: &Source,
    changes: &[ZBatch],
    current: impl FnOnce() -> Result<C>,
) -> Result<Vec<ZBatch>> {
    match seal_within(source, changes, None, current)? {
        Sealing::Delta(delta) => Ok(delta),
        Sealing::Held(_) => Ok(Vec::new()),
    }
}

/// As [`seal`], unless one of the `changes` concerns a key whose row the limits do not let go.
///
/// # Errors
/// As [`seal`].
pub(crate) fn seal_within<C: CurrentRows>(
    source: &Source,
    changes: &[ZBatch],
    limits: Option<&Limits>,
    current: impl FnOnce() -> Result<C>,
) -> Result<Sealing> {
    match &source.kind {
        SourceKind::Stream => Ok(Sealing::Delta(changes.to_vec())),
        SourceKind::Multiset => seal_multiset(source, changes, current).map(Sealing::Delta),
        SourceKind::Keyed(key) => {
            let changes = ZBatch::concat(&source.schema, changes)?;
            if changes.is_empty() {
                return Ok(Sealing::Delta(Vec::new()));
            }
            seal_keyed(source, key, changes, limits, &current()?)
        }
    }
}

fn seal_multiset<C: CurrentRows>(
    source: &Source,
    changes: &[ZBatch],
    current: impl FnOnce() -> Result<C>,
) -> Result<Vec<ZBatch>> {
    if changes.iter().all(|change| change.weights().is_none_or(|weights| weights.iter().all(|&weight| weight > 0))) {
        return Ok(changes.to_vec());
    }
    let delta = ZBatch::concat(&source.schema, changes)?.consolidate()?;
    let negative: BooleanArray = (0..delta.len()).map(|row| Some(delta.weight(row) < 0)).collect();
    let deleted = delta.filter(&negative)?;
    if !deleted.is_empty() {
        let there = current()?.lookup(deleted.columns())?.rows;
        let left = ZBatch::concat(&source.schema, &[there, deleted])?.consolidate()?;
        if let Some(row) = (0..left.len()).find(|&row| left.weight(row) < 0) {
            return Err(missing(source, &left, row));
        }
    }
    Ok(vec![delta])
}

/// The row that a key has while the changes of a commit are applied.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Holder {
    Nobody,
    /// A row of the table.
    Existing(u32),
    /// A row of the changes.
    New(u32),
}

fn seal_keyed(
    source: &Source,
    key: &[usize],
    changes: ZBatch,
    limits: Option<&Limits>,
    current: &impl CurrentRows,
) -> Result<Sealing> {
    let key_columns: Vec<ArrayRef> = key.iter().map(|&column| changes.column(column).clone()).collect();
    let mut keys = Keys::of(&key_columns, changes.len())?;
    let Found { rows: existing, keys: found_keys } = current.lookup(&keys.distinct(&key_columns)?)?;
    let insert_only = changes.weights().is_none_or(|weights| weights.iter().all(|&weight| weight > 0));
    if insert_only && existing.is_empty() && keys.count == changes.len() {
        return Ok(Sealing::Delta(vec![changes.with_weights(None)]));
    }
    let mut holders = vec![Holder::Nobody; keys.count];
    let groups: Vec<u32> = match found_keys {
        Some(found) => found.into_iter().map(|key| keys.groups[keys.first[key as usize] as usize]).collect(),
        None => keys.find(&key.iter().map(|&column| existing.column(column).clone()).collect::<Vec<_>>(), existing.len()),
    };
    if let Some(held) = limits.and_then(|limits| limits.held(&existing)) {
        let mut held_groups = vec![false; keys.count];
        groups.iter().zip(held).for_each(|(&group, held)| held_groups[group as usize] = held);
        return Ok(Sealing::Held(keys.groups.iter().map(|&group| held_groups[group as usize]).collect()));
    }
    for (row, group) in groups.into_iter().enumerate() {
        holders[group as usize] = Holder::Existing(row as u32);
    }
    let before = holders.clone();
    for row in 0..changes.len() {
        let holder = &mut holders[keys.groups[row] as usize];
        let weight = changes.weight(row);
        if weight > 0 {
            *holder = Holder::New(row as u32);
            continue;
        }
        let there = match *holder {
            Holder::Nobody => false,
            Holder::Existing(other) => same_row(&changes, row as u32, &existing, other),
            Holder::New(other) => same_row(&changes, row as u32, &changes, other),
        };
        if !there || weight < -1 {
            return Err(missing(source, &changes, row));
        }
        *holder = Holder::Nobody;
    }
    replaced(&changes, &existing, &before, &holders).map(Sealing::Delta)
}

/// The delta from the holders before to the holders after a commit: rows gone, rows come.
fn replaced(changes: &ZBatch, existing: &ZBatch, before: &[Holder], after: &[Holder]) -> Result<Vec<ZBatch>> {
    let (mut gone, mut come) = (Vec::new(), Vec::new());
    let (mut old, mut new) = (Vec::new(), Vec::new());
    for holders in before.iter().zip(after) {
        match holders {
            (Holder::Existing(before), Holder::New(after)) => {
                old.push(*before);
                new.push(*after);
            }
            (Holder::Existing(before), Holder::Nobody) => gone.push(*before),
            (Holder::Nobody, Holder::New(after)) => come.push(*after),
            (_, Holder::Existing(_)) | (Holder::Nobody | Holder::New(_), _) => {}
        }
    }
    let mut equal = Vec::new();
    let null_equal = vec![true; changes.columns().len()];
    equality::equal_pairs(existing.columns(), &old, changes.columns(), &new, &null_equal, &mut equal);
    // A row replaced by itself is no change.
    for (pair, _) in equal.iter().enumerate().filter(|(_, equal)| !**equal) {
        gone.push(old[pair]);
        come.push(new[pair]);
    }
    let gone = existing.take(&UInt32Array::from(gone))?.negate()?;
    let come = changes.take(&UInt32Array::from(come))?.with_weights(None);
    Ok([gone, come].into_iter().filter(|part| !part.is_empty()).collect())
}

fn same_row(left: &ZBatch, left_row: u32, right: &ZBatch, right_row: u32) -> bool {
    let mut equal = Vec::new();
    let null_equal = vec![true; left.columns().len()];
    equality::equal_pairs(left.columns(), &[left_row], right.columns(), &[right_row], &null_equal, &mut equal);
    equal == [true]
}

fn missing(source: &Source, rows: &ZBatch, row: usize) -> Error {
    let message =
        format!("cannot delete {} from '{}': there is no such row (or not as many copies)", render_row(rows, row), source.name);
    Error::new(code::MISSING_ROW, message).with_hint("the whole commit was refused; all columns of a deleted row must match")
}

/// The different keys of some rows, numbered.
struct Keys {
    table: Option<GroupTable>,
    /// The number of the key of each row.
    groups: Vec<u32>,
    /// A row of each key.
    first: Vec<u32>,
    count: usize,
}

impl Keys {
    fn of(columns: &[ArrayRef], rows: usize) -> Result<Self> {
        if rows == 1 {
            return Ok(Keys { table: None, groups: vec![0], first: vec![0], count: 1 });
        }
        let types: Vec<_> = columns.iter().map(|column| column.data_type().clone()).collect();
        let mut table = GroupTable::new(RowLayout::try_new(&types)?, 0);
        let (encoded, hashes) = encode(table.layout(), columns, rows);
        let mut groups = Vec::new();
        table.upsert(&encoded, &hashes, &mut groups);
        let count = table.len();
        let mut first = vec![0; count];
        for (row, &group) in groups.iter().enumerate().rev() {
            first[group as usize] = row as u32;
        }
        Ok(Keys { table: Some(table), groups, first, count })
    }

    /// Each key once.
    fn distinct(&self, columns: &[ArrayRef]) -> Result<Vec<ArrayRef>> {
        if self.count == self.groups.len() {
            return Ok(columns.to_vec());
        }
        let first = UInt32Array::from(self.first.clone());
        Ok(columns.iter().map(|column| arrow::compute::take(column, &first, None)).collect::<Result<_, _>>()?)
    }

    /// The number of each of these keys, all of which are there.
    fn find(&mut self, columns: &[ArrayRef], rows: usize) -> Vec<u32> {
        let mut groups = Vec::new();
        match &self.table {
            None => groups.resize(rows, 0),
            Some(table) => {
                let (encoded, hashes) = encode(table.layout(), columns, rows);
                table.find(&encoded, &hashes, &mut groups);
            }
        }
        groups
    }
}

fn encode(layout: &RowLayout, columns: &[ArrayRef], rows: usize) -> (EncodedRows, Vec<u64>) {
    let (mut encoded, mut hashes) = (EncodedRows::default(), Vec::new());
    layout.encode(columns, rows, &mut encoded);
    hash::hash_columns(columns, rows, &mut hashes);
    (encoded, hashes)
}

#[cfg(test)]
mod tests;
