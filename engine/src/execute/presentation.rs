//! From a Z-set to rows for people: copies spelled out, in an order.

use arrow::array::{ArrayRef, UInt32Array};
use arrow::compute::SortOptions;
use deltic_circuit::SortKey;
use deltic_operators::OrderBytes;
use deltic_zset::ZBatch;

use crate::error::{Error, Result};

/// The rows of the longest result: so many take a gigabyte or more, and a few words of SQL can ask for more than any machine has.
const MOST_ROWS: usize = 1 << 27;

/// Each row as often as its weight says.
///
/// # Errors
/// If a weight is negative, which a result never has, or there are more than [`MOST_ROWS`].
pub(crate) fn copies(rows: &ZBatch) -> Result<ZBatch> {
    if rows.weights().is_none() {
        return Ok(rows.clone());
    }
    let mut indices: Vec<u32> = Vec::with_capacity(rows.len());
    for row in 0..rows.len() {
        let copies =
            usize::try_from(rows.weight(row)).map_err(|_| Error::internal("a result has a row with a negative weight"))?;
        if indices.len().saturating_add(copies) > MOST_ROWS {
            return Err(
                Error::usage(format!("the result has more than {MOST_ROWS} rows")).with_hint("aggregate it, or use LIMIT")
            );
        }
        indices.extend(std::iter::repeat_n(row as u32, copies));
    }
    Ok(rows.take(&UInt32Array::from(indices))?.with_weights(None))
}

/// `rows` in the order of `order`; as they are if there is none.
///
/// # Errors
/// For a type that has no order.
pub(crate) fn sorted(rows: ZBatch, order: &[SortKey]) -> Result<ZBatch> {
    if order.is_empty() || rows.len() < 2 {
        return Ok(rows);
    }
    let columns: Vec<ArrayRef> = order.iter().map(|key| rows.column(key.column).clone()).collect();
    let typed = order.iter().zip(&columns).map(|(key, column)| {
        (column.data_type().clone(), SortOptions { descending: key.descending, nulls_first: key.nulls_first })
    });
    let encoded = OrderBytes::try_new(&typed.collect::<Vec<_>>())?.encode(&columns);
    let mut indices: Vec<u32> = (0..rows.len() as u32).collect();
    indices.sort_by(|&left, &right| encoded.row(left as usize).cmp(&encoded.row(right as usize)));
    Ok(rows.take(&UInt32Array::from(indices))?)
}
