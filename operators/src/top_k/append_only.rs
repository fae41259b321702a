//! [`AppendOnlyTopK`]: the first rows of each partition of an input that never retracts.
//!
//! What has fallen out of the window cannot come back, so it is forgotten: a partition keeps the rows at positions before the end of the
//! window and nothing else, in a list in their order. Partitions stand in a [`GroupTable`], whose payload has the first bytes of the last
//! row of a full list: a row that comes after it costs the encoding of its order columns, a touch of its partition and one comparison.
//! Only rows that may get into view are encoded whole and compared along the list.
//!
//! The rows that an epoch pushes out stay until it closes: the delta is the difference of the lists before and after it.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, UInt32Array};
use arrow::compute::{self, SortOptions};
use arrow::datatypes::{DataType, Schema, SchemaRef};
use arrow::row::Rows;
use deltic_circuit::{EpochInfo, LONGEST_LIST, Node, Operator, SortKey, Ties};
use deltic_zset::hash::hash_columns;
use deltic_zset::{EncodedRows, Error, GroupTable, Result, RowLayout, ZBatch};

use super::kept::{Kept, head};
use super::window::{Window, difference};
use crate::expiring::Expiring;
use crate::order::OrderBytes;
use crate::{EpochOperator, Horizon, Output, StateSize};

/// Payload of a partition: whether the open epoch changed it.
const TOUCHED: usize = 0;
/// Payload: its first row plus one.
const FIRST: usize = 1;
/// Payload: the first bytes of its last row, once its list is full.
const BORDER: usize = 2;
/// Payload: whether its list is full.
const FULL: usize = 3;
const WORDS: usize = 4;

/// Partitions whose rows are on their way from memory.
const AHEAD: usize = 8;

/// Keeps the rows `offset .. offset + limit` of each partition, of rows that never go.
pub struct AppendOnlyTopK {
    schema: SchemaRef,
    columns: Columns,
    layout: RowLayout,
    window: Window,
    /// The end of the window.
    end: i64,
    partitions: GroupTable,
    kept: Kept,
    /// The partitions by the time in their key, if they end.
    expiring: Option<Expiring>,
    /// The partitions that the open epoch changed; of each, where its part of `before` ends.
    touched: Vec<(u32, usize)>,
    /// The rows of these partitions before the epoch, with their copies.
    before: Vec<(u32, i64)>,
    encoded: EncodedRows,
    hashes: Vec<u64>,
    groups: Vec<u32>,
}

/// A change of the output: partition, row, row number (0 if there is none), weight.
type Shown = (u32, u32, i64, i64);

impl AppendOnlyTopK {
    /// The operator of `node`, which must be an [`Operator::TopK`], over rows of `input`; `None` if it is not one for this operator: the input may
    /// retract, the window is wide, or ties are kept.
    ///
    /// # Errors
    /// If a column has a type without an order.
    pub fn try_new(node: &Node, input: &Node) -> Result<Option<Self>> {
        let Operator::TopK { partition, order, offset, limit: Some(limit), with_row_number, ties: Ties::Cut } = &node.operator
        else {
            return Ok(None);
        };
        let end = i64::try_from(offset.saturating_add(*limit)).unwrap_or(i64::MAX);
        if !input.properties.append_only || end > LONGEST_LIST {
            return Ok(None);
        }
        let columns = Columns::try_new(&input.schema, partition, order)?;
        let types: Vec<DataType> =
            columns.partition.iter().map(|&column| input.schema.field(column).data_type().clone()).collect();
        let layout = RowLayout::try_new(&types)?;
        let offset = i64::try_from(*offset).map_err(|_| Error::Shape("the window has no end".to_owned()))?;
        Ok(Some(AppendOnlyTopK {
            schema: node.schema.clone(),
            columns,
            window: Window { offset, end: Some(end), numbered: *with_row_number, ties: Ties::Cut },
            end,
            partitions: GroupTable::new(layout.clone(), WORDS),
            layout,
            kept: Kept::default(),
            expiring: None,
            touched: Vec::new(),
            before: Vec::new(),
            encoded: EncodedRows::new(),
            hashes: Vec::new(),
            groups: Vec::new(),
        }))
    }

    /// Drops the partitions that `horizon` has passed. Its column must be one of the partition columns: else nothing is dropped.
    pub fn with_horizon(mut self, horizon: Option<Horizon>) -> Self {
        let Some(horizon) = horizon else { return self };
        let position = self.columns.partition.iter().position(|&column| column == horizon.column());
        self.expiring = position.map(|position| Expiring::new(horizon, position, &self.layout.types()[position]));
        self
    }

    /// Notes the partitions that the open epoch has begun, and drops those that no later row can change.
    fn expire(&mut self) {
        let Some(expiring) = &mut self.expiring else { return };
        let mut start = 0;
        let ends = self.touched.iter().map(|&(group, end)| (group, std::mem::replace(&mut start, end), end));
        let fresh: Vec<u32> = ends.filter(|(_, start, end)| start == end).map(|(group, ..)| group).collect();
        expiring.note_groups(&self.partitions, &fresh);
        let Some((_, due)) = expiring.due(&self.partitions) else { return };
        for group in due {
            self.kept.release(self.partitions.payload(group)[FIRST]);
            self.partitions.remove(group);
        }
    }

    /// The rows of `batch` that may get into view, with their partitions.
    fn candidates(&mut self, batch: &ZBatch) -> (ZBatch, Vec<u32>) {
        let keys: Vec<ArrayRef> = self.columns.partition.iter().map(|&column| batch.column(column).clone()).collect();
        hash_columns(&keys, batch.len(), &mut self.hashes);
        self.layout.encode(&keys, batch.len(), &mut self.encoded);
        self.partitions.upsert(&self.encoded, &self.hashes, &mut self.groups);
        let heads = self.columns.order_heads(batch);
        let may_show = |&(row, &group): &(usize, &u32)| {
            let payload = self.partitions.payload(group);
            payload[FULL] == 0 || heads.get(row).is_none_or(|&head| head <= payload[BORDER])
        };
        let rows: Vec<u32> = self.groups.iter().enumerate().filter(may_show).map(|(row, _)| row as u32).collect();
        if rows.len() == batch.len() {
            return (batch.clone(), std::mem::take(&mut self.groups));
        }
        let groups = rows.iter().map(|&row| self.groups[row as usize]).collect();
        (batch.take(&UInt32Array::from(rows)).expect("a part of a batch is not longer than the batch"), groups)
    }

    /// Puts copies of a row into its partition's list, at the place that `key` has in it, and cuts the list to the window.
    fn insert(&mut self, group: u32, key: &[u8], copies: i64) {
        let first = self.partitions.payload(group)[FIRST];
        let Some(place) = self.kept.search(first, key, self.end) else { return };
        self.touch(group);
        let payload = self.partitions.payload_mut(group);
        if let Some(border) = self.kept.insert(&mut payload[FIRST], place, key, copies, self.end) {
            (payload[BORDER], payload[FULL]) = (border, 1);
        }
    }

    /// Remembers the list of a partition that the epoch changes for the first time.
    fn touch(&mut self, group: u32) {
        let payload = self.partitions.payload_mut(group);
        if payload[TOUCHED] == 0 {
            payload[TOUCHED] = 1;
            self.before.extend(self.kept.list(payload[FIRST]));
            self.touched.push((group, self.before.len()));
        }
    }

    /// Appends the difference of the list of a partition before and now.
    fn difference(&self, group: u32, before: &[(u32, i64)], shown: &mut Vec<Shown>) {
        let mut old = before.iter().copied().peekable();
        let (mut old_position, mut new_position) = (0, 0);
        // What was kept stands in the same order as before, with new rows between; what was pushed out was behind all that stays.
        for (row, copies) in self.kept.list(self.partitions.payload(group)[FIRST]) {
            let was = old.next_if(|&(kept, _)| kept == row).map_or(0, |(_, copies)| copies);
            self.show(group, row, old_position..old_position + was, new_position..new_position + copies, shown);
            (old_position, new_position) = (old_position + was, new_position + copies);
        }
        for (row, was) in old {
            self.show(group, row, old_position..old_position + was, new_position..new_position, shown);
            old_position += was;
        }
    }

    /// Appends what it means that the copies of a row have moved from some positions to others.
    fn show(&self, group: u32, row: u32, old: Range<i64>, new: Range<i64>, shown: &mut Vec<Shown>) {
        let (old, new) = (self.window.clip(old), self.window.clip(new));
        if self.window.numbered {
            shown.extend(difference(&old, &new).map(|position| (group, row, position + 1, -1)));
            shown.extend(difference(&new, &old).map(|position| (group, row, position + 1, 1)));
        } else {
            let change = (new.end - new.start) - (old.end - old.start);
            shown.extend((change != 0).then_some((group, row, 0, change)));
        }
    }

    /// Rows of the output as a batch.
    fn batch(&self, shown: &[Shown]) -> ZBatch {
        let groups: Vec<u32> = shown.iter().map(|(group, ..)| *group).collect();
        let rows = shown.iter().map(|(_, row, ..)| self.kept.key(*row));
        let mut columns = self.columns.restore(self.partitions.keys(&groups), rows);
        if self.window.numbered {
            let numbers: ArrayRef = Arc::new(shown.iter().map(|(_, _, number, _)| *number).collect::<Int64Array>());
            let data_type = self.schema.field(columns.len()).data_type();
            columns.push(compute::cast(&numbers, data_type).expect("row numbers are of an integer type"));
        }
        let weights: Vec<i64> = shown.iter().map(|(.., weight)| *weight).collect();
        let weights = weights.iter().any(|&weight| weight != 1).then(|| weights.into());
        ZBatch::new(self.schema.clone(), columns, weights, shown.len())
    }
}

impl EpochOperator for AppendOnlyTopK {
    fn push(&mut self, _port: usize, batch: ZBatch) {
        if batch.is_empty() || self.end == 0 {
            return;
        }
        let (batch, groups) = self.candidates(&batch);
        let keys = self.columns.encode(&batch);
        for (row, &group) in groups.iter().enumerate() {
            if let Some(&ahead) = groups.get(row + AHEAD) {
                self.kept.prefetch(self.partitions.payload(ahead)[FIRST]);
            }
            let key = keys.as_ref().map_or(&[][..], |keys| keys.row(row).data());
            self.insert(group, key, batch.weight(row));
        }
        self.groups = groups;
    }

    fn observe(&mut self, info: &EpochInfo) {
        if let Some(expiring) = &mut self.expiring {
            expiring.observe(info);
        }
    }

    fn close(&mut self, _epoch: u64) -> Output {
        let mut shown = Vec::new();
        let mut start = 0;
        for (index, &(group, end)) in self.touched.iter().enumerate() {
            if let Some(&(ahead, _)) = self.touched.get(index + AHEAD) {
                self.partitions.prefetch(ahead);
            }
            self.difference(group, &self.before[start..end], &mut shown);
            self.partitions.payload_mut(group)[TOUCHED] = 0;
            start = end;
        }
        let output = Output::of(self.batch(&shown), ZBatch::default());
        self.expire();
        self.touched.clear();
        self.before.clear();
        self.kept.forget();
        output
    }

    fn contents(&self) -> Option<ZBatch> {
        if self.expiring.is_some() {
            return None;
        }
        let mut shown = Vec::new();
        self.partitions.groups().for_each(|group| {
            let mut position = 0;
            for (row, copies) in self.kept.list(self.partitions.payload(group)[FIRST]) {
                self.show(group, row, 0..0, position..position + copies, &mut shown);
                position += copies;
            }
        });
        Some(self.batch(&shown))
    }

    fn state_size(&self) -> StateSize {
        let bytes = self.partitions.memory_bytes() + self.kept.memory_bytes() + self.columns.memory_bytes();
        StateSize { rows: self.kept.len(), bytes }
    }
}

/// How the columns of the input are shared out: those of the partition to the table, the others to the key of the row.
struct Columns {
    /// Each once.
    partition: Vec<usize>,
    /// The columns of the query's order, then the rest, both without those of the partition.
    others: Vec<usize>,
    /// The first so many of `others` are the order.
    ordered: usize,
    /// Encodes the order alone.
    order: OrderBytes,
    /// Encodes all others.
    row: OrderBytes,
}

impl Columns {
    fn try_new(schema: &Schema, partition: &[usize], order: &[SortKey]) -> Result<Self> {
        let mut columns = Columns {
            partition: Vec::new(),
            others: Vec::new(),
            ordered: 0,
            order: OrderBytes::try_new(&[])?,
            row: OrderBytes::try_new(&[])?,
        };
        for &column in partition {
            if !columns.partition.contains(&column) {
                columns.partition.push(column);
            }
        }
        let mut typed: Vec<(DataType, SortOptions)> = Vec::new();
        for key in order {
            let options = SortOptions { descending: key.descending, nulls_first: key.nulls_first };
            columns.add(schema, key.column, options, &mut typed);
        }
        columns.ordered = typed.len();
        columns.order = OrderBytes::try_new(&typed)?;
        for column in 0..schema.fields().len() {
            columns.add(schema, column, SortOptions { descending: false, nulls_first: false }, &mut typed);
        }
        columns.row = OrderBytes::try_new(&typed)?;
        Ok(columns)
    }

    /// Adds a column to the others, unless it is known.
    fn add(&mut self, schema: &Schema, column: usize, options: SortOptions, typed: &mut Vec<(DataType, SortOptions)>) {
        if !self.partition.contains(&column) && !self.others.contains(&column) {
            self.others.push(column);
            typed.push((schema.field(column).data_type().clone(), options));
        }
    }

    /// The first bytes of the keys of `batch`; empty if there is no order, and then they would tell nothing.
    fn order_heads(&self, batch: &ZBatch) -> Vec<u64> {
        if self.ordered == 0 {
            return Vec::new();
        }
        let columns: Vec<ArrayRef> = self.others[..self.ordered].iter().map(|&column| batch.column(column).clone()).collect();
        self.order.encode(&columns).iter().map(|row| head(row.data())).collect()
    }

    /// The keys of the rows of `batch`; `None` if they are all empty.
    fn encode(&self, batch: &ZBatch) -> Option<Rows> {
        let columns: Vec<ArrayRef> = self.others.iter().map(|&column| batch.column(column).clone()).collect();
        (!columns.is_empty()).then(|| self.row.encode(&columns))
    }

    /// The rows with these partition columns and keys, in the order of the schema.
    fn restore<'a>(&self, partition: Vec<ArrayRef>, keys: impl Iterator<Item = &'a [u8]>) -> Vec<ArrayRef> {
        let others = if self.others.is_empty() { Vec::new() } else { self.row.decode(keys) };
        let partition = self.partition.iter().copied().zip(partition);
        let mut columns: Vec<(usize, ArrayRef)> = self.others.iter().copied().zip(others).chain(partition).collect();
        columns.sort_unstable_by_key(|(column, _)| *column);
        columns.into_iter().map(|(_, column)| column).collect()
    }

    fn memory_bytes(&self) -> usize {
        self.order.memory_bytes() + self.row.memory_bytes()
    }
}
