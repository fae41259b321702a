//! [`Format`]: what a row is while it is in a recursion.
//!
//! Differential dataflow is compiled for the types of its records, SQL's rows are known at run time. There are a few types of rows, and everything in a
//! recursion is compiled for each: one to a handful of words on the stack ([`Words`](super::words::Words)), which costs hardly more than types made for the
//! query would, and words on the heap for all other rows ([`Portable`](super::portable::Portable)).
//!
//! All rows of one recursion have one type, whatever their columns; a [`Frame`] says where these are.

use std::fmt::Debug;

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, SchemaRef};
use deltic_zset::{Result, RowLayout, ZBatch};
use differential_dataflow::ExchangeData;

use super::weight::Weight;

/// The time within a recursion: epoch and iteration.
pub(super) type Time = timely::order::Product<u64, u64>;

/// The columns of rows, and where they are.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub(super) schema: SchemaRef,
    pub(super) layout: RowLayout,
    /// Whether any row of the recursion may have NULLs.
    pub(super) nullable: bool,
}

impl Frame {
    pub(super) fn try_new(schema: SchemaRef, nullable: bool) -> Result<Self> {
        let types: Vec<DataType> = schema.fields().iter().map(|field| field.data_type().clone()).collect();
        Ok(Frame { layout: RowLayout::try_new(&types)?, schema, nullable })
    }

    pub(super) fn width(&self) -> usize {
        self.schema.fields().len()
    }
}

/// A column of one of several rows: which row, which column.
pub(super) type From = (usize, usize);

/// A type of rows, and of the two parts of a row in the index of a join. Equal rows are equal in all bits.
pub(super) trait Format: 'static {
    type Row: ExchangeData + std::hash::Hash;
    /// The values of the columns that are joined by.
    type Key: ExchangeData + std::hash::Hash;
    /// What is not in the key.
    type Rest: ExchangeData;
    /// How to make a row of columns of others.
    type Picks: Clone + 'static;
    /// How to make a key and a rest of a row.
    type Split: Clone + 'static;

    /// Hands over each row of `columns`, with its number.
    fn encode(frame: &Frame, columns: &[ArrayRef], rows: usize, take: &mut dyn FnMut(usize, Self::Row));

    /// The columns of rows.
    fn decode(frame: &Frame, rows: &mut dyn Iterator<Item = &Self::Row>) -> Vec<ArrayRef>;

    /// Whether a column is NULL.
    fn is_null(frame: &Frame, row: &Self::Row, column: usize) -> bool;

    /// Picks `columns` of rows of `sources` for rows of `target`.
    fn picks(sources: &[&Frame], columns: &[From], target: &Frame) -> Self::Picks;

    /// A row of the columns that are picked.
    fn pick(picks: &Self::Picks, rows: &[&Self::Row]) -> Self::Row;

    /// Splits rows of `frame` by the columns `key`, which as rows of their own have the frame `of_key`.
    fn splits(frame: &Frame, key: &[usize], of_key: &Frame) -> Self::Split;

    /// The parts of a row.
    fn split(split: &Self::Split, row: Self::Row) -> (Self::Key, Self::Rest);

    /// What is picked of two rows that are split, which have the key in common.
    fn joined(picks: &Self::Picks, splits: [&Self::Split; 2], key: &Self::Key, rests: [&Self::Rest; 2]) -> Self::Row;
}

/// Rows as a batch; `weights` are theirs.
pub(super) fn batch<F: Format>(frame: &Frame, rows: &mut dyn Iterator<Item = &F::Row>, weights: Vec<i64>) -> ZBatch {
    let columns = F::decode(frame, rows);
    let count = weights.len();
    let weights = weights.iter().any(|&weight| weight != 1).then(|| weights.into());
    ZBatch::new(frame.schema.clone(), columns, weights, count)
}

/// Each row of a batch with its weight.
pub(super) fn rows_of<F: Format>(frame: &Frame, batch: &ZBatch, mut take: impl FnMut(F::Row, Weight)) {
    F::encode(frame, batch.columns(), batch.len(), &mut |row, encoded| take(encoded, Weight::new(batch.weight(row))));
}
