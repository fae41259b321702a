//! From a Z-set to rows for people: copies spelled out, in an order.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Decimal128Array, UInt32Array};
use arrow::compute::SortOptions;
use arrow::datatypes::{DataType, IntervalMonthDayNanoType, IntervalUnit};
use arrow::row::{RowConverter, SortField};
use deltic_circuit::SortKey;
use deltic_zset::{ZBatch, types};

use crate::error::{Error, Result};

/// Each row as often as its weight says.
///
/// # Errors
/// If a weight is negative, which a result never has, or there are more than 2^32 rows.
pub(crate) fn copies(rows: &ZBatch) -> Result<ZBatch> {
    if rows.weights().is_none() {
        return Ok(rows.clone());
    }
    let mut indices: Vec<u32> = Vec::with_capacity(rows.len());
    for row in 0..rows.len() {
        let copies =
            usize::try_from(rows.weight(row)).map_err(|_| Error::internal("a result has a row with a negative weight"))?;
        if indices.len() + copies > u32::MAX as usize {
            return Err(Error::usage("the result has more than 4294967295 rows").with_hint("aggregate it, or use LIMIT"));
        }
        indices.extend(std::iter::repeat_n(row as u32, copies));
    }
    Ok(rows.take(&UInt32Array::from(indices))?.with_weights(None))
}

/// `rows` in the order of `order`; as they are if there is none.
///
/// # Errors
/// Arrow's, for a type that has no order.
pub(crate) fn sorted(rows: ZBatch, order: &[SortKey]) -> Result<ZBatch> {
    if order.is_empty() || rows.len() < 2 {
        return Ok(rows);
    }
    let columns: Vec<ArrayRef> = order.iter().map(|key| comparable(rows.column(key.column))).collect::<Result<_>>()?;
    let fields = order.iter().zip(&columns).map(|(key, column)| {
        let options = SortOptions { descending: key.descending, nulls_first: key.nulls_first };
        SortField::new_with_options(column.data_type().clone(), options)
    });
    let encoded = RowConverter::new(fields.collect())?.convert_columns(&columns)?;
    let mut indices: Vec<u32> = (0..rows.len() as u32).collect();
    indices.sort_by(|&left, &right| encoded.row(left as usize).cmp(&encoded.row(right as usize)));
    Ok(rows.take(&UInt32Array::from(indices))?)
}

/// A column that Arrow orders as we do: intervals by their duration.
fn comparable(column: &ArrayRef) -> Result<ArrayRef> {
    if column.data_type() != &DataType::Interval(IntervalUnit::MonthDayNano) {
        return Ok(column.clone());
    }
    let intervals = column.as_primitive::<IntervalMonthDayNanoType>();
    let nanos = |interval: <IntervalMonthDayNanoType as arrow::datatypes::ArrowPrimitiveType>::Native| {
        types::interval_nanos(interval.months, interval.days, interval.nanoseconds)
    };
    let durations: Decimal128Array = intervals.iter().map(|interval| interval.map(nanos)).collect();
    Ok(Arc::new(durations.with_precision_and_scale(38, 0)?))
}
