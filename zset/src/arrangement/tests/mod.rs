//! Tests of the arrangement against a naive multiset.
//!
//! `model` drives random histories (appends, deletions, maintenance in odd portions, versions and snapshots that outlive them) over random
//! schemas, with parts so small that every history passes through several flushes and merges: it catches rows lost, doubled or
//! seen too early anywhere between them. It cannot catch work done twice or memory kept; `cases` counts those, and holds the corners
//! that random histories rarely reach.
#![allow(clippy::unwrap_used)]

mod cases;
mod model;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::{Field, Schema, SchemaRef};

use super::{Arrangement, Matches, Version};
use crate::ZBatch;
use crate::hash::hash_columns;
use crate::test_support::{Cell, row_of, rows_of};

/// A Z-set, as plain as can be.
type Multiset = BTreeMap<Vec<Cell>, i64>;

fn schema_of(columns: &[ArrayRef]) -> SchemaRef {
    let field = |(index, column): (usize, &ArrayRef)| Field::new(format!("c{index}"), column.data_type().clone(), true);
    Arc::new(Schema::new(columns.iter().enumerate().map(field).collect::<Vec<_>>()))
}

/// The rows of `columns` at `rows` with these weights.
fn batch_of(columns: &[ArrayRef], rows: &[u32], weights: Option<Vec<i64>>) -> ZBatch {
    ZBatch::new(schema_of(columns), rows_at(columns, rows), weights.map(Into::into), rows.len())
}

fn rows_at(columns: &[ArrayRef], rows: &[u32]) -> Vec<ArrayRef> {
    let rows = UInt32Array::from(rows.to_vec());
    columns.iter().map(|column| take(column, &rows, None).unwrap()).collect()
}

fn add(multiset: &mut Multiset, row: Vec<Cell>, weight: i64) {
    let sum = multiset.entry(row.clone()).or_default();
    *sum += weight;
    if *sum == 0 {
        multiset.remove(&row);
    }
}

fn add_batch(multiset: &mut Multiset, batch: &ZBatch) {
    for row in 0..batch.len() {
        add(multiset, row_of(batch.columns(), row), batch.weight(row));
    }
}

fn contents<'a>(batches: impl IntoIterator<Item = &'a ZBatch>) -> Multiset {
    let mut multiset = Multiset::new();
    batches.into_iter().for_each(|batch| add_batch(&mut multiset, batch));
    multiset
}

/// What a probe finds: probed row and stored row, with the sum of the weights.
fn probed(version: &Version, keys: &[ArrayRef], hashes: &[u64], null_safe: &[bool]) -> BTreeMap<(u32, Vec<Cell>), i64> {
    let mut matches = Matches::new();
    version.probe(keys, hashes, null_safe, &mut matches);
    let every_column: Vec<usize> = (0..version.shape.schema.fields().len()).collect();
    let stored = rows_of(&matches.columns(&every_column).unwrap(), matches.len());
    let mut found = BTreeMap::new();
    for ((&probe_row, stored), &weight) in matches.probe_rows().iter().zip(stored).zip(matches.weights()) {
        *found.entry((probe_row, stored)).or_insert(0) += weight;
    }
    found.retain(|_, weight| *weight != 0);
    found
}

fn hashes_of(columns: &[ArrayRef], rows: usize) -> Vec<u64> {
    let mut hashes = Vec::new();
    hash_columns(columns, rows, &mut hashes);
    hashes
}

/// Sorts and merges all there is to sort and merge.
fn settle(arrangement: &mut Arrangement) {
    while arrangement.maintain(usize::MAX / 2) > 0 {}
}
