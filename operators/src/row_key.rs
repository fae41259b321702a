//! Rows as keys of one ordered index: partition, order, then every other column.
//!
//! The encoding of a row is the concatenation of those of its columns, so rows of one partition share a prefix, in which
//! they stand in the order of the query, and ties are broken by what is left of the row. The key holds the whole row.

use std::cmp::Ordering;

use arrow::array::ArrayRef;
use arrow::compute::SortOptions;
use arrow::datatypes::{DataType, Schema};
use deltic_circuit::SortKey;
use deltic_zset::Result;

use crate::order::OrderBytes;

/// Keys of so many bytes have no memory of their own: three 64-bit columns take 27.
const INLINE: usize = 28;

/// A row, encoded. A key made of the prefix alone comes before all rows of its partition. Keys compare by their bytes alone: a place before a row is where
/// that row is, whatever prefixes it knows of.
///
/// Short keys are in place: an ordered index that holds a million of them would else wait for the memory at each comparison with an equal key, and the
/// allocator at each change.
#[derive(Clone, Debug)]
pub(crate) struct RowKey {
    /// All bytes, if there are more than [`INLINE`]. Boxed twice, for a pointer of one word.
    long: Option<Box<Box<[u8]>>>,
    /// The first bytes, filled up with zeros.
    head: [u8; INLINE],
    length: u32,
    /// The length of the prefix that names the partition.
    prefix: u32,
    /// The length of the prefix that all rows share that are equal in the order, if it is asked for; else that of the partition.
    peers: u32,
}

impl PartialEq for RowKey {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for RowKey {}

impl Ord for RowKey {
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        self.words().cmp(&other.words()).then_with(|| match (&self.long, &other.long) {
            // Of two keys with equal heads the one that is the beginning of the other is the shorter one.
            (None, None) => self.length.cmp(&other.length),
            _ => self.bytes().cmp(other.bytes()),
        })
    }
}

impl PartialOrd for RowKey {
    #[inline]
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl RowKey {
    fn new(bytes: &[u8], prefix: u32, peers: u32) -> Self {
        let mut head = [0; INLINE];
        let short = bytes.len().min(INLINE);
        head[..short].copy_from_slice(&bytes[..short]);
        let long = (bytes.len() > INLINE).then(|| Box::new(bytes.into()));
        RowKey { long, head, length: bytes.len() as u32, prefix, peers }
    }

    /// The head as numbers that are in the order of its bytes.
    #[inline]
    fn words(&self) -> (u128, u64, u32) {
        let (first, rest) = self.head.split_first_chunk::<16>().expect("a head has 28 bytes");
        let (second, rest) = rest.split_first_chunk::<8>().expect("of which 12 are left");
        let third = rest.first_chunk::<4>().expect("of which 4 are left");
        (u128::from_be_bytes(*first), u64::from_be_bytes(*second), u32::from_be_bytes(*third))
    }

    /// The bytes that all rows of the partition begin with.
    pub(crate) fn partition(&self) -> &[u8] {
        &self.bytes()[..self.prefix as usize]
    }

    /// The place before the first row of the partition.
    pub(crate) fn partition_start(&self) -> RowKey {
        RowKey::new(self.partition(), self.prefix, self.prefix)
    }

    /// The bytes in which the row differs from others of its partition that are no peers of it.
    pub(crate) fn order(&self) -> &[u8] {
        &self.bytes()[self.prefix as usize..self.peers as usize]
    }

    /// The bytes that all rows begin with that are equal to this one in the order.
    pub(crate) fn peers(&self) -> &[u8] {
        &self.bytes()[..self.peers as usize]
    }

    /// The place behind the last row of the partition; `None` if no row of another partition can come after it.
    pub(crate) fn partition_end(&self) -> Option<RowKey> {
        end_of(self.partition())
    }

    /// The place behind the row and before all later ones; `None` if no row can come after it.
    pub(crate) fn successor(&self) -> Option<RowKey> {
        end_of(self.bytes())
    }

    /// The place behind the last row that is equal to this one in the order, and before all later rows; `None` if no row can come after it.
    pub(crate) fn peers_end(&self) -> Option<RowKey> {
        end_of(self.peers())
    }

    /// The place before the first row of the partition that begins with `bytes`.
    pub(crate) fn start_of(bytes: &[u8]) -> RowKey {
        RowKey::new(bytes, bytes.len() as u32, bytes.len() as u32)
    }

    /// As [`RowKey::start_of`], of bytes in two parts.
    pub(crate) fn start_of_parts(first: &[u8], second: &[u8]) -> RowKey {
        let length = first.len() + second.len();
        if length > INLINE {
            return RowKey::start_of(&[first, second].concat());
        }
        let mut head = [0; INLINE];
        head[..first.len()].copy_from_slice(first);
        head[first.len()..length].copy_from_slice(second);
        let length = length as u32;
        RowKey { long: None, head, length, prefix: length, peers: length }
    }

    /// The whole key.
    #[inline]
    pub(crate) fn bytes(&self) -> &[u8] {
        match &self.long {
            Some(bytes) => bytes,
            None => &self.head[..self.length as usize],
        }
    }

    /// Whether both rows are of one partition.
    pub(crate) fn same_partition(&self, other: &RowKey) -> bool {
        other.bytes().starts_with(self.partition())
    }

    /// The heap memory of the key in bytes.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.long.as_ref().map_or(0, |bytes| bytes.len() + size_of::<Box<[u8]>>())
    }
}

/// The place behind all keys that begin with `prefix`.
fn end_of(prefix: &[u8]) -> Option<RowKey> {
    let (last, before) = prefix[..prefix.iter().rposition(|&byte| byte < u8::MAX)? + 1].split_last()?;
    Some(RowKey::start_of_parts(before, &[last + 1]))
}

/// How rows of one schema become keys.
pub(crate) struct KeyEncoder {
    /// The columns in the order of the key.
    columns: Vec<usize>,
    partition: Option<OrderBytes>,
    partition_columns: usize,
    /// Columns of the partition and the order.
    ordered_columns: usize,
    /// Encodes those, if peers are asked for.
    ordered: Option<OrderBytes>,
    row: OrderBytes,
}

impl KeyEncoder {
    /// Keys for rows of `schema`.
    ///
    /// # Errors
    /// If a column has a type without an order.
    pub(crate) fn try_new(schema: &Schema, partition: &[usize], order: &[SortKey]) -> Result<Self> {
        let ascending = SortOptions { descending: false, nulls_first: false };
        let mut columns: Vec<(usize, SortOptions)> = Vec::new();
        let ordered =
            order.iter().map(|key| (key.column, SortOptions { descending: key.descending, nulls_first: key.nulls_first }));
        let all = partition
            .iter()
            .map(|&column| (column, ascending))
            .chain(ordered)
            .chain((0..schema.fields().len()).map(|column| (column, ascending)));
        let (mut partition_columns, mut ordered_columns) = (0, 0);
        for (position, (column, options)) in all.enumerate() {
            if columns.iter().all(|(known, _)| *known != column) {
                columns.push((column, options));
                partition_columns += usize::from(position < partition.len());
                ordered_columns += usize::from(position < partition.len() + order.len());
            }
        }
        let typed: Vec<(DataType, SortOptions)> =
            columns.iter().map(|&(column, options)| (schema.field(column).data_type().clone(), options)).collect();
        let prefix = if partition_columns == 0 { None } else { Some(OrderBytes::try_new(&typed[..partition_columns])?) };
        let columns = columns.into_iter().map(|(column, _)| column).collect();
        let row = OrderBytes::try_new(&typed)?;
        Ok(KeyEncoder { columns, partition: prefix, partition_columns, ordered_columns, ordered: None, row })
    }

    /// The same keys, which know besides how far they are equal in the order.
    ///
    /// # Errors
    /// If a column has a type without an order.
    pub(crate) fn with_peers(mut self, schema: &Schema, order: &[SortKey]) -> Result<Self> {
        let typed = self.columns[..self.ordered_columns].iter().enumerate().map(|(position, &column)| {
            let key = order.iter().find(|key| key.column == column && position >= self.partition_columns);
            let (descending, nulls_first) = key.map_or((false, false), |key| (key.descending, key.nulls_first));
            (schema.field(column).data_type().clone(), SortOptions { descending, nulls_first })
        });
        let typed: Vec<(DataType, SortOptions)> = typed.collect();
        self.ordered = if typed.is_empty() { None } else { Some(OrderBytes::try_new(&typed)?) };
        Ok(self)
    }

    /// The keys of the rows of `columns`.
    pub(crate) fn encode(&self, columns: &[ArrayRef], rows: usize) -> Vec<RowKey> {
        let columns: Vec<ArrayRef> = self.columns.iter().map(|&column| columns[column].clone()).collect();
        if columns.is_empty() {
            return vec![RowKey::start_of(&[]); rows];
        }
        let prefixes = self.partition.as_ref().map(|partition| partition.encode(&columns[..self.partition_columns]));
        let encoded = self.row.encode(&columns);
        let prefix = |row| prefixes.as_ref().map_or(0, |prefixes| prefixes.row(row).data().len() as u32);
        let ordered = self.ordered.as_ref().map(|ordered| ordered.encode(&columns[..self.ordered_columns]));
        let peers = |row| ordered.as_ref().map_or_else(|| prefix(row), |ordered| ordered.row(row).data().len() as u32);
        (0..rows).map(|row| RowKey::new(encoded.row(row).data(), prefix(row), peers(row))).collect()
    }

    /// The place of a column among those of the partition.
    pub(crate) fn partition_position(&self, column: usize) -> Option<usize> {
        self.columns[..self.partition_columns].iter().position(|&known| known == column)
    }

    /// A column of the partition, by its place, of partitions that are known by the bytes that their rows begin with.
    pub(crate) fn partition_column<'a>(
        &self,
        partitions: impl IntoIterator<Item = &'a [u8]>,
        position: usize,
    ) -> Option<ArrayRef> {
        Some(self.partition.as_ref()?.decode(partitions).swap_remove(position))
    }

    /// The rows of `keys` as columns in the order of the schema.
    pub(crate) fn decode<'a>(&self, keys: impl IntoIterator<Item = &'a RowKey>) -> Vec<ArrayRef> {
        let decoded = self.row.decode(keys.into_iter().map(RowKey::bytes));
        let mut columns: Vec<(usize, ArrayRef)> = self.columns.iter().copied().zip(decoded).collect();
        columns.sort_unstable_by_key(|(column, _)| *column);
        columns.into_iter().map(|(_, column)| column).collect()
    }

    /// The memory of the encoder in bytes.
    pub(crate) fn memory_bytes(&self) -> usize {
        let prefixes = [&self.partition, &self.ordered].into_iter().flatten();
        self.row.memory_bytes() + prefixes.map(OrderBytes::memory_bytes).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::{INLINE, RowKey};

    /// On both sides of the length from which on keys have memory of their own, zeros at the end among them: heads are filled up with zeros.
    #[test]
    fn keys_are_in_the_order_of_their_bytes() {
        let mut texts: Vec<Vec<u8>> = Vec::new();
        for length in [0, 1, 15, 16, 17, 24, INLINE - 1, INLINE, INLINE + 1, 2 * INLINE] {
            for filling in [0, 1, 127, 128, 255] {
                let text = vec![filling; length];
                for (place, last) in [(length.checked_sub(1), 0), (length.checked_sub(1), 255), (Some(length / 2), 7)] {
                    let mut changed = text.clone();
                    if let Some(byte) = place.and_then(|place| changed.get_mut(place)) {
                        *byte = last;
                    }
                    texts.push(changed);
                }
                texts.push(text);
            }
        }
        for left in &texts {
            for right in &texts {
                let (one, other) = (RowKey::start_of(left), RowKey::start_of(right));
                assert_eq!(one.cmp(&other), left.cmp(right), "{left:?} and {right:?}");
                assert_eq!(one == other, left == right, "{left:?} and {right:?}");
                assert_eq!(one.bytes(), left);
            }
        }
    }
}
