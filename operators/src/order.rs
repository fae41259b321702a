//! Rows as byte strings whose `memcmp` order is the order of SQL.
//!
//! Arrow's row format does it for every type but one: an interval is ordered by its fields there and by its duration in
//! SQL (`24 hours = 1 day`). Intervals are therefore encoded as the number of nanoseconds they last and come back in
//! the one spelling that a duration has ([`justified`]), which is also what the group table does with them.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Decimal128Array, IntervalMonthDayNanoArray};
use arrow::compute::SortOptions;
use arrow::datatypes::{DataType, Decimal128Type, IntervalMonthDayNanoType, IntervalUnit};
use arrow::row::{RowConverter, Rows, SortField};
use deltic_zset::types::interval_nanos;
use deltic_zset::{Error, Result};

/// Encodes rows of some columns so that they sort as bytes.
pub(crate) struct OrderBytes {
    converter: RowConverter,
    intervals: Vec<bool>,
}

const INTERVAL: DataType = DataType::Interval(IntervalUnit::MonthDayNano);

impl OrderBytes {
    /// The encoding of rows with columns of these types, each in its own direction.
    ///
    /// # Errors
    /// [`Error::UnsupportedType`] for a type without an order.
    pub(crate) fn try_new(columns: &[(DataType, SortOptions)]) -> Result<Self> {
        let fields = columns.iter().map(|(data_type, options)| {
            let stored = if data_type == &INTERVAL { DataType::Decimal128(38, 0) } else { data_type.clone() };
            let field = SortField::new_with_options(stored.clone(), *options);
            if RowConverter::supports_fields(std::slice::from_ref(&field)) {
                Ok(field)
            } else {
                Err(Error::UnsupportedType(stored))
            }
        });
        let fields = fields.collect::<Result<Vec<_>>>()?;
        let intervals = columns.iter().map(|(data_type, _)| data_type == &INTERVAL).collect();
        Ok(OrderBytes { converter: RowConverter::new(fields)?, intervals })
    }

    /// The rows of `columns`, encoded.
    pub(crate) fn encode(&self, columns: &[ArrayRef]) -> Rows {
        let stored: Vec<ArrayRef> = columns
            .iter()
            .zip(&self.intervals)
            .map(|(column, &interval)| if interval { durations(column) } else { column.clone() })
            .collect();
        self.converter.convert_columns(&stored).expect("the columns have the types of the encoding")
    }

    /// The columns that `rows` were encoded from.
    pub(crate) fn decode<'a>(&self, rows: impl IntoIterator<Item = &'a [u8]>) -> Vec<ArrayRef> {
        let parser = self.converter.parser();
        let rows = rows.into_iter().map(|bytes| parser.parse(bytes));
        let columns = self.converter.convert_rows(rows).expect("the bytes were encoded here");
        let spelled = columns.into_iter().zip(&self.intervals);
        spelled.map(|(column, &interval)| if interval { justified(&column) } else { column }).collect()
    }

    /// The memory of the encoder in bytes.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.converter.size()
    }
}

/// Intervals as the nanoseconds they last.
pub(crate) fn durations(column: &ArrayRef) -> ArrayRef {
    let intervals = column.as_primitive::<IntervalMonthDayNanoType>();
    let nanos: Decimal128Array = intervals.unary(|interval| interval_nanos(interval.months, interval.days, interval.nanoseconds));
    Arc::new(nanos.with_data_type(DataType::Decimal128(38, 0)))
}

/// Durations in nanoseconds as intervals of months of 30 days, days of 24 hours, and a rest below a day.
fn justified(column: &ArrayRef) -> ArrayRef {
    const DAY: i128 = 86_400_000_000_000;
    const MONTH: i128 = 30 * DAY;
    let nanos = column.as_primitive::<Decimal128Type>();
    let intervals: IntervalMonthDayNanoArray = nanos.unary(|nanos| {
        // More months than an i32 holds can only come from days and nanoseconds: they stay there.
        let months = (nanos / MONTH).clamp(i128::from(i32::MIN), i128::from(i32::MAX));
        let rest = nanos - months * MONTH;
        let days = (rest / DAY).clamp(i128::from(i32::MIN), i128::from(i32::MAX));
        let rest = rest - days * DAY;
        IntervalMonthDayNanoType::make_value(months as i32, days as i32, rest as i64)
    });
    Arc::new(intervals)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use arrow::array::Array;

    use super::*;

    #[test]
    fn intervals_sort_by_duration_and_come_back_justified() {
        let column: ArrayRef = Arc::new(IntervalMonthDayNanoArray::from(vec![
            Some(IntervalMonthDayNanoType::make_value(0, 31, 0)),
            Some(IntervalMonthDayNanoType::make_value(1, 0, 0)),
            Some(IntervalMonthDayNanoType::make_value(0, 0, 30 * 86_400_000_000_000)),
            None,
            Some(IntervalMonthDayNanoType::make_value(0, -1, 1)),
        ]));
        let order = OrderBytes::try_new(&[(INTERVAL, SortOptions { descending: false, nulls_first: false })]).unwrap();
        let rows = order.encode(std::slice::from_ref(&column));
        assert!(rows.row(1) < rows.row(0));
        assert_eq!(rows.row(1), rows.row(2));
        assert!(rows.row(4) < rows.row(1));
        assert!(rows.row(3) > rows.row(0));
        let decoded = order.decode(rows.iter().map(|row| row.data()).collect::<Vec<_>>());
        let decoded = decoded[0].as_primitive::<IntervalMonthDayNanoType>();
        assert_eq!(decoded.value(0), IntervalMonthDayNanoType::make_value(1, 1, 0));
        assert_eq!(decoded.value(2), IntervalMonthDayNanoType::make_value(1, 0, 0));
        assert!(decoded.is_null(3));
        assert_eq!(decoded.value(4), IntervalMonthDayNanoType::make_value(0, 0, 1 - 86_400_000_000_000));
    }
}
