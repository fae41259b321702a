//! Rows as byte strings whose `memcmp` order is the order of SQL.
//!
//! Arrow's row format does it but for two things. An interval is ordered by its fields there and by its duration in
//! SQL (`24 hours = 1 day`). Intervals are therefore encoded as the number of nanoseconds they last and come back in
//! the one spelling that a duration has ([`justified`]), which is also what the group table does with them. And NULLs inside of a list or a struct
//! follow the NULLS FIRST of their column there, while in SQL they are the greatest elements wherever NULLs of the column go: such a column is encoded
//! in an order in which that is so, behind a column that says whether it is NULL.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Decimal128Array, IntervalMonthDayNanoArray};
use arrow::compute::{SortOptions, is_null};
use arrow::datatypes::{DataType, Decimal128Type, IntervalMonthDayNanoType, IntervalUnit};
use arrow::row::{RowConverter, Rows, SortField};
use deltic_zset::types::interval_nanos;
use deltic_zset::{Error, Result};

/// Encodes rows of some columns so that they sort as bytes.
pub struct OrderBytes {
    converter: RowConverter,
    stored: Vec<Stored>,
}

/// How a column is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stored {
    AsIs,
    Duration,
    /// As two columns: whether it is NULL, and it.
    BehindNulls,
}

const INTERVAL: DataType = DataType::Interval(IntervalUnit::MonthDayNano);

impl Stored {
    fn of(data_type: &DataType, options: SortOptions) -> Self {
        if data_type == &INTERVAL {
            Stored::Duration
        } else if data_type.is_nested() && options.nulls_first != options.descending {
            Stored::BehindNulls
        } else {
            Stored::AsIs
        }
    }

    /// The fields of a column.
    fn fields(self, data_type: &DataType, options: SortOptions) -> Vec<SortField> {
        match self {
            Stored::AsIs => vec![SortField::new_with_options(data_type.clone(), options)],
            Stored::Duration => vec![SortField::new_with_options(DataType::Decimal128(38, 0), options)],
            Stored::BehindNulls => {
                let nulls = SortOptions { descending: options.nulls_first, nulls_first: false };
                let elements = SortOptions { nulls_first: options.descending, ..options };
                vec![
                    SortField::new_with_options(DataType::Boolean, nulls),
                    SortField::new_with_options(data_type.clone(), elements),
                ]
            }
        }
    }
}

impl OrderBytes {
    /// The encoding of rows with columns of these types, each in its own direction.
    ///
    /// # Errors
    /// [`Error::UnsupportedType`] for a type without an order.
    pub fn try_new(columns: &[(DataType, SortOptions)]) -> Result<Self> {
        let stored: Vec<Stored> = columns.iter().map(|(data_type, options)| Stored::of(data_type, *options)).collect();
        let mut fields = Vec::with_capacity(columns.len());
        for ((data_type, options), stored) in columns.iter().zip(&stored) {
            let of_column = stored.fields(data_type, *options);
            if !RowConverter::supports_fields(&of_column) {
                return Err(Error::UnsupportedType(data_type.clone()));
            }
            fields.extend(of_column);
        }
        Ok(OrderBytes { converter: RowConverter::new(fields)?, stored })
    }

    /// The rows of `columns`, encoded.
    ///
    /// # Panics
    /// If the columns have other types than the encoding.
    pub fn encode(&self, columns: &[ArrayRef]) -> Rows {
        let mut encoded: Vec<ArrayRef> = Vec::with_capacity(columns.len());
        for (column, stored) in columns.iter().zip(&self.stored) {
            match stored {
                Stored::AsIs => encoded.push(column.clone()),
                Stored::Duration => encoded.push(durations(column)),
                Stored::BehindNulls => {
                    encoded.push(Arc::new(is_null(column).expect("any column has NULLs or none")));
                    encoded.push(column.clone());
                }
            }
        }
        self.converter.convert_columns(&encoded).expect("the columns have the types of the encoding")
    }

    /// The columns that `rows` were encoded from.
    pub(crate) fn decode<'a>(&self, rows: impl IntoIterator<Item = &'a [u8]>) -> Vec<ArrayRef> {
        let parser = self.converter.parser();
        let rows = rows.into_iter().map(|bytes| parser.parse(bytes));
        let mut columns = self.converter.convert_rows(rows).expect("the bytes were encoded here").into_iter();
        let mut next = || columns.next().expect("each field is a column");
        let decoded = self.stored.iter().map(|stored| match stored {
            Stored::AsIs => next(),
            Stored::Duration => justified(&next()),
            Stored::BehindNulls => {
                next();
                next()
            }
        });
        decoded.collect()
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

    use arrow::array::{Array, ListArray};
    use arrow::datatypes::Int64Type;

    use super::*;

    #[test]
    fn nulls_in_lists_are_the_greatest_elements_wherever_nulls_go() {
        let lists: ListArray =
            ListArray::from_iter_primitive::<Int64Type, _, _>([Some(vec![Some(2)]), Some(vec![None]), None, Some(vec![])]);
        let lists: ArrayRef = Arc::new(lists);
        for (descending, nulls_first) in [(false, false), (false, true), (true, false), (true, true)] {
            let order = OrderBytes::try_new(&[(lists.data_type().clone(), SortOptions { descending, nulls_first })]).unwrap();
            let rows = order.encode(std::slice::from_ref(&lists));
            let mut places: Vec<usize> = (0..4).collect();
            places.sort_by_key(|&place| rows.row(place));
            let mut expected = vec![3, 0, 1];
            if descending {
                expected.reverse();
            }
            expected.insert(if nulls_first { 0 } else { 3 }, 2);
            assert_eq!(places, expected, "descending {descending}, NULLs first {nulls_first}");
            let decoded = order.decode(rows.iter().map(|row| row.data()).collect::<Vec<_>>());
            assert_eq!(&decoded[0], &lists);
        }
    }

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
