//! [`Distances`]: places in the order that are a distance of values away from rows.
//!
//! The bytes of the order column of a row are decoded, the distance is added to the value, and the sum is encoded again: the place is then one of the
//! index. A sum that is no value of the column's type, because it is out of range or between two dates, is replaced by the
//! nearest one that the same rows are before.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, Decimal128Array, Int64Array, PrimitiveArray};
use arrow::compute::{self, SortOptions};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, DurationMicrosecondType, Float64Type, Int64Type, Schema, TimeUnit,
    TimestampMicrosecondType, UInt64Type,
};
use deltic_circuit::SortKey;
use deltic_circuit::frame::{FrameOffset, calendar_place, range_unit};
use deltic_zset::Result;

use crate::order::OrderBytes;
use crate::row_key::RowKey;

/// How far the way there and the way back by the calendar can be apart: the ends of two months by three days each, and as many months in two places of the
/// calendar by four.
const CALENDAR_SLACK_MICROS: i64 = 10 * 86_400_000_000;

/// What the bytes of a value that is not NULL begin with.
const VALUE: u8 = 1;

/// Which end of a frame a place is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// Before the first row of it.
    Start,
    /// Behind the last row of it.
    End,
}

/// Distances over an order by one column.
pub(super) struct Distances {
    data_type: DataType,
    descending: bool,
    order: OrderBytes,
    /// The columns of the partition and the place of the order column among them, if it is one: then it is not in the order of the keys, and all rows of
    /// a partition are peers.
    within: Option<(OrderBytes, usize)>,
}

/// The places of some rows.
pub(super) enum Place {
    /// The value of the row is NULL: it has no distance from others.
    Peers,
    /// Between two rows; `None` if it is behind all of them.
    At(Option<RowKey>),
}

impl Distances {
    /// Distances over an order by `key` of rows of `input`, within partitions by the columns `partition`.
    ///
    /// # Errors
    /// If a type has no order.
    pub(super) fn try_new(key: SortKey, partition: &[usize], input: &Schema) -> Result<Self> {
        let data_type = input.field(key.column).data_type();
        let mut columns: Vec<usize> = Vec::new();
        for &column in partition {
            if !columns.contains(&column) {
                columns.push(column);
            }
        }
        let ascending = SortOptions { descending: false, nulls_first: false };
        let within = match columns.iter().position(|&column| column == key.column) {
            Some(position) => {
                let typed = columns.iter().map(|&column| (input.field(column).data_type().clone(), ascending));
                Some((OrderBytes::try_new(&typed.collect::<Vec<_>>())?, position))
            }
            None => None,
        };
        let options = SortOptions { descending: key.descending, nulls_first: key.nulls_first };
        let order = OrderBytes::try_new(&[(data_type.clone(), options)])?;
        Ok(Distances { data_type: data_type.clone(), descending: key.descending, order, within })
    }

    /// For each row the start or the end of what is at least, or at most, `offset` towards the end of the order away from it.
    pub(super) fn places(&self, rows: &[&RowKey], offset: FrameOffset, side: Side) -> Vec<Place> {
        if let Some((partition, position)) = &self.within {
            let values = partition.decode(rows.iter().map(|row| row.partition())).swap_remove(*position);
            return rows.iter().enumerate().map(|(row, key)| self.place_among_peers(&values, row, key, offset, side)).collect();
        }
        if let FrameOffset::Exact(offset) = offset
            && let Some(places) = self.moved(rows, offset, side)
        {
            return places;
        }
        self.summed(rows, offset, side)
    }

    /// As [`Distances::places`], of rows that are no peers of all others of their partition.
    fn summed(&self, rows: &[&RowKey], offset: FrameOffset, side: Side) -> Vec<Place> {
        let values = self.order.decode(rows.iter().map(|row| row.order())).swap_remove(0);
        let offset = if self.descending { offset.reversed() } else { offset };
        // The place in the order of values is before the bound or behind it.
        let below = (side == Side::Start) != self.descending;
        let (bounds, beyond) = match offset {
            FrameOffset::Float(bits) => (float_bounds(&values, f64::from_bits(bits)), vec![false; values.len()]),
            FrameOffset::Exact(offset) => {
                let unit = range_unit(&self.data_type).unwrap_or(1);
                let bounds = || self.exact_bounds(&values, |value| value.saturating_mul(unit).saturating_add(offset), below);
                shifted(&values, offset).map_or_else(bounds, |bounds| (bounds, vec![false; values.len()]))
            }
            FrameOffset::Calendar { months, micros } => {
                self.exact_bounds(&values, |value| calendar_place(value, &self.data_type, months, micros), below)
            }
        };
        let encoded = self.order.encode(&[bounds]);
        let place = |(row, key): (usize, &&RowKey)| {
            if values.is_null(row) {
                return Place::Peers;
            }
            // What is beyond all values of the type lies on the other side of the last of them.
            let before = (side == Side::Start) != beyond[row];
            let place = RowKey::start_of_parts(key.partition(), encoded.row(row).data());
            Place::At(if before { Some(place) } else { place.peers_end() })
        };
        rows.iter().enumerate().map(place).collect()
    }

    /// As [`Distances::places`], if values are of 64 bits in steps of one, and no sum is beyond them: the common case, in which the bytes of the order
    /// are a marker and a number.
    fn moved(&self, rows: &[&RowKey], offset: i128, side: Side) -> Option<Vec<Place>> {
        let steps_of_one = matches!(self.data_type, DataType::Int64 | DataType::Timestamp(TimeUnit::Microsecond, _));
        let offset = i64::try_from(if self.descending { offset.checked_neg()? } else { offset }).ok().filter(|_| steps_of_one)?;
        // Signed numbers sort as bytes when their sign is flipped, and the other way round when all bits are.
        let flip = if self.descending { !(1 << 63) } else { 1 << 63 };
        let place = |row: &&RowKey| {
            let Some((&[VALUE], number)) = row.order().split_first_chunk() else { return Some(Place::Peers) };
            let value = (u64::from_be_bytes(number.try_into().ok()?) ^ flip) as i64;
            let mut bound = [VALUE; 9];
            bound[1..].copy_from_slice(&(value.checked_add(offset)? as u64 ^ flip).to_be_bytes());
            let place = RowKey::start_of_parts(row.partition(), &bound);
            Some(Place::At(if side == Side::Start { Some(place) } else { place.peers_end() }))
        };
        rows.iter().map(place).collect()
    }

    /// The values that are bounds: the least not below the `sum` of a value and the distance, if `below` says that the bound keeps out what is below it, else the greatest not above it. A
    /// bound beyond all values is the last value, and marked.
    fn exact_bounds(&self, values: &ArrayRef, sum: impl Fn(i128) -> i128, below: bool) -> (ArrayRef, Vec<bool>) {
        let unit = range_unit(&self.data_type).unwrap_or(1);
        let (least, greatest) = limits(&self.data_type);
        let mut beyond = vec![false; values.len()];
        let bounds = steps(values).into_iter().zip(&mut beyond).map(|(value, beyond)| {
            let sum = sum(value?);
            let floor = sum.div_euclid(unit);
            let bound = if below && sum.rem_euclid(unit) != 0 { floor.saturating_add(1) } else { floor };
            *beyond = if below { bound > greatest } else { bound < least };
            Some(bound.clamp(least, greatest))
        });
        let bounds: Vec<Option<i128>> = bounds.collect();
        (column(bounds, &self.data_type), beyond)
    }

    /// As [`Distances::places`], for a distance that is taken from the other side: rounding, or the end of a month, may put a row in a frame that this does
    /// not reach, so it reaches a little farther. `None` where that cannot be said.
    pub(super) fn wider(&self, rows: &[&RowKey], offset: FrameOffset, side: Side) -> Vec<Option<Place>> {
        let offset = match offset {
            FrameOffset::Float(bits) if self.within.is_none() => {
                return rows.iter().map(|row| self.wider_sum(row, bits, side)).collect();
            }
            FrameOffset::Calendar { months, micros } if self.within.is_none() => {
                let slack = if side == Side::Start { -CALENDAR_SLACK_MICROS } else { CALENDAR_SLACK_MICROS };
                FrameOffset::Calendar { months, micros: micros.saturating_add(slack) }
            }
            offset => offset,
        };
        self.places(rows, offset, side).into_iter().map(Some).collect()
    }

    /// As [`Distances::wider`], for a distance that is added as a float.
    fn wider_sum(&self, row: &RowKey, bits: u64, side: Side) -> Option<Place> {
        let values = self.order.decode([row.order()]).swap_remove(0);
        if values.is_null(0) {
            return Some(Place::Peers);
        }
        let (value, offset) = (values.as_primitive::<Float64Type>().value(0), f64::from_bits(bits));
        let slack = (value.abs() + offset.abs()) * (8.0 * f64::EPSILON) + f64::MIN_POSITIVE;
        let outwards = if side == Side::Start { -slack } else { slack };
        let wide = offset + outwards;
        ((value + wide).is_finite() && slack.is_finite()).then(|| self.places(&[row], FrameOffset::float(wide), side).pop())?
    }

    /// The place a distance away from a row all whose partition has its value: either all rows are within the distance, or none is.
    fn place_among_peers(&self, values: &ArrayRef, row: usize, key: &RowKey, offset: FrameOffset, side: Side) -> Place {
        let outwards = match offset {
            FrameOffset::Exact(offset) => offset.signum(),
            FrameOffset::Calendar { months, .. } => i128::from(months.signum()),
            FrameOffset::Float(bits) => {
                let value = values.as_primitive::<Float64Type>().value(row);
                let sum = value + f64::from_bits(bits);
                // A sum that rounds to the value, an infinity and NaN are as far as the row itself.
                if sum > value { 1 } else { -i128::from(sum < value) }
            }
        };
        match side {
            _ if values.is_null(row) => Place::Peers,
            Side::Start if outwards > 0 => Place::At(key.peers_end()),
            Side::End if outwards < 0 => Place::At(Some(RowKey::start_of(key.peers()))),
            _ => Place::Peers,
        }
    }
}

/// `values` with `offset` added, if they are of 64 bits in steps of one, and no sum is beyond them: the common case.
fn shifted(values: &ArrayRef, offset: i128) -> Option<ArrayRef> {
    fn add<T: ArrowPrimitiveType<Native = i64>>(values: &PrimitiveArray<T>, offset: i64) -> Option<ArrayRef> {
        let sums = values.values().iter().map(|value| value.checked_add(offset)).collect::<Option<Vec<i64>>>()?;
        let sums = PrimitiveArray::<T>::new(sums.into(), values.nulls().cloned());
        Some(Arc::new(sums.with_data_type(values.data_type().clone())))
    }
    let offset = i64::try_from(offset).ok()?;
    match values.data_type() {
        DataType::Int64 => add(values.as_primitive::<Int64Type>(), offset),
        DataType::Timestamp(TimeUnit::Microsecond, _) => add(values.as_primitive::<TimestampMicrosecondType>(), offset),
        _ => None,
    }
}

fn float_bounds(values: &ArrayRef, offset: f64) -> ArrayRef {
    let canonical = |value: f64| if value.is_nan() { f64::NAN } else { value + 0.0 };
    Arc::new(values.as_primitive::<Float64Type>().unary::<_, Float64Type>(|value| canonical(value + offset)))
}

/// The numbers that values are stored as.
fn steps(values: &ArrayRef) -> Vec<Option<i128>> {
    fn wide<T>(array: &PrimitiveArray<T>) -> Vec<Option<i128>>
    where
        T: ArrowPrimitiveType,
        T::Native: Into<i128>,
    {
        array.iter().map(|value| value.map(Into::into)).collect()
    }
    match values.data_type() {
        DataType::Decimal128(..) => wide(values.as_primitive::<Decimal128Type>()),
        DataType::Date32 => wide(values.as_primitive::<Date32Type>()),
        DataType::Timestamp(..) => wide(values.as_primitive::<TimestampMicrosecondType>()),
        DataType::Duration(_) => wide(values.as_primitive::<DurationMicrosecondType>()),
        DataType::UInt64 => wide(values.as_primitive::<UInt64Type>()),
        _ => {
            let integers = compute::cast(values, &DataType::Int64).expect("an integer of 32 bits fits 64");
            wide(integers.as_primitive::<Int64Type>())
        }
    }
}

/// The least and the greatest number that a type stores.
fn limits(data_type: &DataType) -> (i128, i128) {
    fn of<T: Into<i128>>(least: T, greatest: T) -> (i128, i128) {
        (least.into(), greatest.into())
    }
    match data_type {
        DataType::Int8 => of(i8::MIN, i8::MAX),
        DataType::Int16 => of(i16::MIN, i16::MAX),
        DataType::Int32 | DataType::Date32 => of(i32::MIN, i32::MAX),
        DataType::UInt8 => of(u8::MIN, u8::MAX),
        DataType::UInt16 => of(u16::MIN, u16::MAX),
        DataType::UInt32 => of(u32::MIN, u32::MAX),
        DataType::UInt64 => of(u64::MIN, u64::MAX),
        DataType::Decimal128(..) => (i128::MIN, i128::MAX),
        _ => of(i64::MIN, i64::MAX),
    }
}

/// Numbers within the limits of a type as a column of it.
fn column(values: Vec<Option<i128>>, data_type: &DataType) -> ArrayRef {
    let words = || values.iter().map(|value| value.map(|value| value as i64));
    match data_type {
        DataType::Decimal128(..) => Arc::new(values.into_iter().collect::<Decimal128Array>().with_data_type(data_type.clone())),
        DataType::UInt64 => {
            Arc::new(values.iter().map(|value| value.map(|value| value as u64)).collect::<PrimitiveArray<UInt64Type>>())
        }
        DataType::Date32 => {
            Arc::new(values.iter().map(|value| value.map(|value| value as i32)).collect::<PrimitiveArray<Date32Type>>())
        }
        DataType::Timestamp(TimeUnit::Microsecond, zone) => {
            let times: PrimitiveArray<TimestampMicrosecondType> = words().collect();
            Arc::new(times.with_timezone_opt(zone.clone()))
        }
        DataType::Duration(_) => Arc::new(words().collect::<PrimitiveArray<DurationMicrosecondType>>()),
        data_type => {
            let integers: ArrayRef = Arc::new(words().collect::<Int64Array>());
            compute::cast(&integers, data_type).expect("the number is within the limits of the type")
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use arrow::datatypes::Field;
    use proptest::prelude::*;

    use super::*;
    use crate::row_key::KeyEncoder;

    fn bytes(place: &Place) -> Option<Option<Vec<u8>>> {
        match place {
            Place::Peers => None,
            Place::At(place) => Some(place.as_ref().map(|place| place.bytes().to_vec())),
        }
    }

    proptest! {
        #[test]
        fn numbers_that_are_moved_as_bytes_are_where_their_sums_are(
            values in proptest::collection::vec(
                prop_oneof![Just(None), (-300..300i64).prop_map(Some), any::<i64>().prop_map(|value| Some(value / 4))], 1..20,
            ),
            offset in prop_oneof![-300..300i64, any::<i64>().prop_map(|offset| offset / 4)],
            descending: bool,
            nulls_first: bool,
            is_start: bool,
        ) {
            let schema = Schema::new(vec![Field::new("p", DataType::Utf8, false), Field::new("v", DataType::Int64, true)]);
            let names: ArrayRef = Arc::new(values.iter().map(|value| Some(format!("{value:?}"))).collect::<arrow::array::StringArray>());
            let columns = [names, Arc::new(Int64Array::from(values.clone())) as ArrayRef];
            let key = SortKey { column: 1, descending, nulls_first };
            let keys = KeyEncoder::try_new(&schema, &[0], &[key]).unwrap().with_peers(&schema, &[key]).unwrap();
            let rows = keys.encode(&columns, values.len());
            let rows: Vec<&RowKey> = rows.iter().collect();
            let side = if is_start { Side::Start } else { Side::End };
            let distances = Distances::try_new(key, &[0], &schema).unwrap();
            let moved = distances.moved(&rows, i128::from(offset), side).unwrap();
            // A distance in another unit takes the long way to the same places.
            let months = Distances { data_type: DataType::Date32, ..distances };
            prop_assert!(months.moved(&rows, i128::from(offset), side).is_none());
            let distances = Distances { data_type: DataType::Int64, ..months };
            let sums = distances.summed(&rows, FrameOffset::Exact(i128::from(offset)), side);
            let moved: Vec<_> = moved.iter().map(bytes).collect();
            let sums: Vec<_> = sums.iter().map(bytes).collect();
            prop_assert_eq!(moved, sums);
        }
    }
}
