//! [`Unnest`]: each row once per element of its lists.
//!
//! Linear and stateless. The elements of a batch are picked out of the lists' values by one `take` per column, and the other columns are repeated by
//! one each, so nothing is done row by row but counting. Where a list is shorter than the longest of its row, the index is NULL, and so is the element.

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, ListArray, UInt32Array, UInt64Array};
use arrow::compute::take;
use arrow::datatypes::SchemaRef;
use deltic_zset::ZBatch;

use crate::{EpochOperator, Output};

/// Rows of the output that are made at a time: one row may have very many elements.
const BATCH_ROWS: usize = 1 << 16;

/// Makes rows of the elements of lists.
pub struct Unnest {
    keep: Vec<usize>,
    lists: Vec<usize>,
    outer: bool,
    ordinality: bool,
    /// Of the output.
    schema: SchemaRef,
    output: Output,
}

/// Where the rows of a part of the output come from.
#[derive(Default)]
struct Part {
    /// The row of the input.
    rows: Vec<u32>,
    /// The element of each list, by its place among the list's values.
    elements: Vec<Vec<Option<u64>>>,
    places: Vec<Option<i64>>,
}

impl Unnest {
    /// The operator over `lists`, beside the columns `keep`; `schema` is that of its output.
    pub fn new(keep: Vec<usize>, lists: Vec<usize>, outer: bool, ordinality: bool, schema: SchemaRef) -> Self {
        Unnest { keep, lists, outer, ordinality, schema, output: Output::default() }
    }

    fn append(&mut self, batch: &ZBatch, lists: &[&ListArray], part: Part) {
        let rows = part.rows.len();
        if rows == 0 {
            return;
        }
        let indices = UInt32Array::from(part.rows);
        let repeated = |column: usize| take(batch.column(column), &indices, None).expect("rows of the batch");
        let mut columns: Vec<ArrayRef> = self.keep.iter().map(|&column| repeated(column)).collect();
        for (list, elements) in lists.iter().zip(part.elements) {
            columns.push(take(list.values(), &UInt64Array::from(elements), None).expect("elements of the list"));
        }
        if self.ordinality {
            columns.push(std::sync::Arc::new(Int64Array::from(part.places)));
        }
        let weights = batch.weights().map(|_| indices.values().iter().map(|&row| batch.weight(row as usize)).collect());
        self.output.rows.push(ZBatch::new(self.schema.clone(), columns, weights, rows));
    }
}

/// The elements of a row's list among the list's values.
fn span(list: &ListArray, row: usize) -> std::ops::Range<usize> {
    if list.is_null(row) {
        return 0..0;
    }
    let offsets = list.value_offsets();
    offsets[row] as usize..offsets[row + 1] as usize
}

impl EpochOperator for Unnest {
    fn push(&mut self, _port: usize, batch: ZBatch) {
        let columns: Vec<ArrayRef> = self.lists.iter().map(|&list| batch.column(list).clone()).collect();
        let lists: Vec<&ListArray> = columns.iter().map(|column| column.as_list::<i32>()).collect();
        let empty = || Part { elements: vec![Vec::new(); lists.len()], ..Part::default() };
        let mut part = empty();
        for row in 0..batch.len() {
            let longest = lists.iter().map(|list| span(list, row).len()).max().unwrap_or_default();
            for place in 0..longest.max(usize::from(self.outer)) {
                part.rows.push(row as u32);
                for (list, elements) in lists.iter().zip(&mut part.elements) {
                    let span = span(list, row);
                    elements.push((place < span.len()).then_some((span.start + place) as u64));
                }
                if self.ordinality {
                    part.places.push((place < longest).then_some(place as i64 + 1));
                }
                if part.rows.len() == BATCH_ROWS {
                    self.append(&batch, &lists, std::mem::replace(&mut part, empty()));
                }
            }
        }
        self.append(&batch, &lists, part);
    }

    fn close(&mut self, _epoch: u64) -> Output {
        std::mem::take(&mut self.output)
    }
}

#[cfg(test)]
mod tests;
