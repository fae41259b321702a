//! The canonical types: one physical Arrow type per logical type, and one bit pattern per value.
//!
//! Arrow has many spellings of one type (`Utf8`, `LargeUtf8`, `Utf8View`, dictionaries; four units of time), and floats have
//! many bit patterns for values that SQL takes as equal (`-0.0`, the NaNs). Everything that groups, joins or compares rows
//! works on words and bytes, so every batch is made canonical once, where it enters, and each expression gives canonical
//! results. Then equal values have equal bits and no operator thinks about it again.
//!
//! The one exception is the interval: `1 DAY` and `24 HOURS` are equal but print differently. A column keeps them as they
//! were written; hashing, equality and [`RowLayout`](crate::RowLayout) go by the duration ([`interval_nanos`]).

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, MapArray, StructArray, UInt32Array};
use arrow::compute::{CastOptions, cast_with_options, take};
use arrow::datatypes::{
    DECIMAL128_MAX_PRECISION, DataType, Field, FieldRef, Float32Type, Float64Type, IntervalMonthDayNano,
    IntervalMonthDayNanoType, IntervalUnit, TimeUnit,
};
use arrow::util::display::array_value_to_string;

use crate::maps::{Fault, entry_types, map_type, maps_of};
use crate::{Error, Result};

const NANOS_PER_DAY: i128 = 86_400_000_000_000;
const NANOS_PER_MONTH: i128 = 30 * NANOS_PER_DAY;

/// The canonical type that values of `data_type` are stored in, or `None` if they cannot be stored.
///
/// List elements are a nullable field `item`; struct fields keep their names and are nullable. Maps: see [`maps`](crate::maps).
pub fn canonical_type(data_type: &DataType) -> Option<DataType> {
    use DataType::*;
    Some(match data_type {
        Boolean | Int8 | Int16 | Int32 | Int64 | UInt8 | UInt16 | UInt32 | UInt64 | Float32 | Float64 | Date32 => {
            data_type.clone()
        }
        Float16 => Float32,
        Decimal32(precision, scale) | Decimal64(precision, scale) | Decimal128(precision, scale) => {
            debug_assert!(*precision <= DECIMAL128_MAX_PRECISION);
            Decimal128(*precision, *scale)
        }
        Utf8 | LargeUtf8 | Utf8View => Utf8,
        Binary | LargeBinary | BinaryView | FixedSizeBinary(_) => Binary,
        Time32(_) | Time64(_) => Time64(TimeUnit::Microsecond),
        Date64 | Timestamp(_, None) => Timestamp(TimeUnit::Microsecond, None),
        Timestamp(_, Some(_)) => Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        Interval(_) => Interval(IntervalUnit::MonthDayNano),
        Duration(_) => Duration(TimeUnit::Microsecond),
        List(item) | LargeList(item) | FixedSizeList(item, _) => {
            List(Arc::new(Field::new_list_field(canonical_type(item.data_type())?, true)))
        }
        Struct(fields) => {
            let canonical = |field: &FieldRef| Some(Field::new(field.name(), canonical_type(field.data_type())?, true));
            Struct(fields.iter().map(canonical).collect::<Option<Vec<_>>>()?.into())
        }
        Map(..) => {
            let (key, value) = entry_types(data_type)?;
            map_type(canonical_type(key)?, canonical_type(value)?)
        }
        Dictionary(_, value) => canonical_type(value)?,
        _ => return None,
    })
}

/// `array` in its canonical type, with canonical floats and maps. The same array (no copy) if it is canonical already, unless there are maps in it.
///
/// # Errors
/// [`Error::UnsupportedType`] if there is no canonical type, [`Error::Map`] if entries are no map, Arrow's error if a value does not fit its type.
pub fn canonicalize(array: &ArrayRef) -> Result<ArrayRef> {
    let target = canonical_type(array.data_type()).ok_or_else(|| Error::UnsupportedType(array.data_type().clone()))?;
    if has_map(&target) {
        return canonicalize_maps(array);
    }
    if *array.data_type() == target {
        return Ok(canonicalize_floats(array.clone()));
    }
    let options = CastOptions { safe: false, ..CastOptions::default() };
    Ok(canonicalize_floats(cast_with_options(array, &target, &options)?))
}

/// Whether there are maps in values of this canonical type.
pub fn has_map(data_type: &DataType) -> bool {
    match data_type {
        DataType::Map(..) => true,
        DataType::List(item) => has_map(item.data_type()),
        DataType::Struct(fields) => fields.iter().any(|field| has_map(field.data_type())),
        _ => false,
    }
}

/// [`canonicalize`] for arrays that are maps, or have maps in them: a type does not tell whether the entries are in order.
fn canonicalize_maps(array: &ArrayRef) -> Result<ArrayRef> {
    match array.data_type() {
        DataType::Map(..) => {
            let maps = array.as_map();
            let (keys, values) = (canonicalize(maps.keys())?, canonicalize(maps.values())?);
            let (canonical, faults) = maps_of(&keys, &values, maps.offsets(), maps.nulls())?;
            match faults.first() {
                None => Ok(Arc::new(canonical)),
                Some((row, Fault::NullKey)) => Err(Error::Map { row: *row, what: "NULL".to_owned() }),
                Some((row, Fault::EqualKeys(entry))) => {
                    Err(Error::Map { row: *row, what: format!("{} twice", array_value_to_string(&keys, *entry)?) })
                }
            }
        }
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            let spelling = DataType::List(Arc::new(Field::new_list_field(item.data_type().clone(), true)));
            let lists = cast_with_options(array, &spelling, &CastOptions { safe: false, ..CastOptions::default() })?;
            // What no row refers to must not be refused.
            let lists = take(&lists, &UInt32Array::from_iter_values(0..lists.len() as u32), None)?;
            let lists = lists.as_list::<i32>();
            let values = canonicalize(lists.values())?;
            let item = Arc::new(Field::new_list_field(values.data_type().clone(), true));
            Ok(Arc::new(ListArray::try_new(item, lists.offsets().clone(), values, lists.nulls().cloned())?))
        }
        DataType::Struct(fields) => {
            let rows = array.as_struct();
            let columns = rows.columns().iter().map(canonicalize).collect::<Result<Vec<_>>>()?;
            let field = |(field, column): (&FieldRef, &ArrayRef)| Field::new(field.name(), column.data_type().clone(), true);
            let fields: Vec<Field> = fields.iter().zip(&columns).map(field).collect();
            Ok(Arc::new(StructArray::try_new(fields.into(), columns, rows.nulls().cloned())?))
        }
        DataType::Dictionary(_, value) => canonicalize(&cast_with_options(array, value, &CastOptions::default())?),
        other => Err(Error::UnsupportedType(other.clone())),
    }
}

/// `array` with one NaN and without `-0.0`, also inside of lists and structs. The same array (no copy) if it has neither.
pub fn canonicalize_floats(array: ArrayRef) -> ArrayRef {
    match array.data_type() {
        DataType::Float64 => {
            let floats = array.as_primitive::<Float64Type>();
            if floats.values().iter().all(|value| value.to_bits() == canonical_f64(*value).to_bits()) {
                return array;
            }
            Arc::new(floats.unary::<_, Float64Type>(canonical_f64)) as ArrayRef
        }
        DataType::Float32 => {
            let floats = array.as_primitive::<Float32Type>();
            if floats.values().iter().all(|value| value.to_bits() == canonical_f32(*value).to_bits()) {
                return array;
            }
            Arc::new(floats.unary::<_, Float32Type>(canonical_f32)) as ArrayRef
        }
        data_type if data_type.is_nested() => map_children(array, &canonicalize_floats),
        _ => array,
    }
}

/// The one `f64` that stands for `value`.
pub fn canonical_f64(value: f64) -> f64 {
    // `-0.0 + 0.0` is `0.0`, and every other number stays what it is.
    if value.is_nan() { f64::NAN } else { value + 0.0 }
}

/// The one `f32` that stands for `value`.
pub fn canonical_f32(value: f32) -> f32 {
    if value.is_nan() { f32::NAN } else { value + 0.0 }
}

/// The duration of an interval in nanoseconds, with months of 30 days and days of 24 hours as PostgreSQL has it: intervals
/// are equal, and are ordered, by it.
pub fn interval_nanos(months: i32, days: i32, nanoseconds: i64) -> i128 {
    i128::from(months) * NANOS_PER_MONTH + i128::from(days) * NANOS_PER_DAY + i128::from(nanoseconds)
}

/// [`interval_nanos`] of Arrow's form of an interval.
#[inline]
pub(crate) fn nanos_of(interval: IntervalMonthDayNano) -> i128 {
    interval_nanos(interval.months, interval.days, interval.nanoseconds)
}

/// The interval of this duration with the most months, then the most days: the one that stands for all that equal it.
///
/// `nanos` must come from [`interval_nanos`]; then nothing is lost, because what does not fit the months is left to the
/// days, and what does not fit those to the nanoseconds.
pub fn interval_of_nanos(nanos: i128) -> IntervalMonthDayNano {
    let clamp = |value: i128| value.clamp(i128::from(i32::MIN), i128::from(i32::MAX));
    let months = clamp(nanos / NANOS_PER_MONTH);
    let rest = nanos - months * NANOS_PER_MONTH;
    let days = clamp(rest / NANOS_PER_DAY);
    IntervalMonthDayNano::new(months as i32, days as i32, (rest - days * NANOS_PER_DAY) as i64)
}

/// `array` with each interval replaced by the one that stands for all that equal it, also inside of lists and structs, so
/// that equal values have equal bits. The same array (no copy) if its type has no interval.
pub fn justify_intervals(array: ArrayRef) -> ArrayRef {
    match array.data_type() {
        DataType::Interval(IntervalUnit::MonthDayNano) => {
            let intervals = array.as_primitive::<IntervalMonthDayNanoType>();
            Arc::new(intervals.unary::<_, IntervalMonthDayNanoType>(|interval| interval_of_nanos(nanos_of(interval))))
        }
        data_type if data_type.is_nested() => map_children(array, &justify_intervals),
        _ => array,
    }
}

/// A list, struct or map with its children mapped by `map`, which must keep their types and lengths, and canonical keys as they are. The same array (no copy) if
/// `map` gives all of them back as they are.
fn map_children(array: ArrayRef, map: &dyn Fn(ArrayRef) -> ArrayRef) -> ArrayRef {
    match array.data_type() {
        DataType::List(item) => {
            let list = array.as_list::<i32>();
            let values = map(list.values().clone());
            if Arc::ptr_eq(&values, list.values()) {
                return array;
            }
            Arc::new(ListArray::new(item.clone(), list.offsets().clone(), values, list.nulls().cloned()))
        }
        DataType::Struct(fields) if !fields.is_empty() => {
            let row = array.as_struct();
            let columns: Vec<ArrayRef> = row.columns().iter().cloned().map(map).collect();
            if columns.iter().zip(row.columns()).all(|(new, old)| Arc::ptr_eq(new, old)) {
                return array;
            }
            Arc::new(StructArray::new(fields.clone(), columns, row.nulls().cloned()))
        }
        DataType::Map(entries, ordered) => {
            let maps = array.as_map();
            let old: ArrayRef = Arc::new(maps.entries().clone());
            let new = map_children(old.clone(), map);
            if Arc::ptr_eq(&new, &old) {
                return array;
            }
            let new = new.as_struct().clone();
            Arc::new(MapArray::new(entries.clone(), maps.offsets().clone(), new, maps.nulls().cloned(), *ordered))
        }
        _ => array,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use arrow::array::{
        Date64Array, DictionaryArray, Float32Array, Float64Array, Int32Array, IntervalMonthDayNanoArray, StringArray,
        TimestampSecondArray,
    };
    use arrow::buffer::OffsetBuffer;
    use arrow::datatypes::Int8Type;

    use super::*;

    #[test]
    fn equal_floats_get_equal_bits() {
        let odd_nan = f64::from_bits(0xfff8_0000_0000_0001);
        let array: ArrayRef = Arc::new(Float64Array::from(vec![Some(-0.0), Some(odd_nan), None, Some(1.5)]));
        let canonical = canonicalize(&array).unwrap();
        let bits: Vec<u64> = canonical.as_primitive::<Float64Type>().values().iter().map(|value| value.to_bits()).collect();
        assert_eq!(&bits[..2], &[0, 0x7ff8_0000_0000_0000]);
        assert!(canonical.is_null(2));
        assert!(Arc::ptr_eq(&canonical, &canonicalize(&canonical).unwrap()), "a canonical array is not copied");
    }

    #[test]
    fn floats_inside_of_nested_columns_are_canonical_too() {
        let floats: ArrayRef = Arc::new(Float32Array::from(vec![-0.0, f32::from_bits(0xffff_ffff)]));
        let field = Arc::new(Field::new("x", DataType::Float32, true));
        let rows: ArrayRef = Arc::new(StructArray::new(vec![field].into(), vec![floats], None));
        let canonical = canonicalize_floats(rows);
        let values = canonical.as_struct().column(0).as_primitive::<Float32Type>();
        assert_eq!(values.values().iter().map(|value| value.to_bits()).collect::<Vec<_>>(), [0, 0x7fc0_0000]);
    }

    #[test]
    fn spellings_become_one_type() {
        let dictionary: DictionaryArray<Int8Type> = vec!["a", "b", "a"].into_iter().collect();
        let strings = canonicalize(&(Arc::new(dictionary) as ArrayRef)).unwrap();
        assert_eq!(strings.as_ref(), &StringArray::from(vec!["a", "b", "a"]) as &dyn Array);
        let days: ArrayRef = Arc::new(Date64Array::from(vec![86_400_000]));
        assert_eq!(canonicalize(&days).unwrap().data_type(), &DataType::Timestamp(TimeUnit::Microsecond, None));
        let list = DataType::LargeList(Arc::new(Field::new("element", DataType::Utf8View, false)));
        assert_eq!(canonical_type(&list), Some(DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true)))));
        assert_eq!(canonical_type(&DataType::Null), None);
        assert_eq!(canonical_type(&DataType::Decimal256(50, 2)), None);
    }

    #[test]
    fn a_time_that_does_not_fit_is_an_error() {
        let array: ArrayRef = Arc::new(TimestampSecondArray::from(vec![i64::MAX]));
        assert!(canonicalize(&array).is_err());
        let array: ArrayRef = Arc::new(arrow::array::NullArray::new(1));
        assert!(matches!(canonicalize(&array), Err(Error::UnsupportedType(_))));
        let array: ArrayRef = Arc::new(Int32Array::from(vec![1]));
        assert!(Arc::ptr_eq(&array, &canonicalize(&array).unwrap()));
    }

    #[test]
    fn maps_are_in_order_wherever_they_are() {
        let keys: ArrayRef = Arc::new(Float64Array::from(vec![1.0, -0.0, 7.0, 7.0]));
        let values: ArrayRef = Arc::new(arrow::array::LargeStringArray::from(vec!["one", "zero", "a", "b"]));
        let maps = |rows: &[usize]| {
            let entries = StructArray::from(vec![
                (Arc::new(Field::new("keys", DataType::Float64, false)), keys.clone()),
                (Arc::new(Field::new("values", DataType::LargeUtf8, true)), values.clone()),
            ]);
            let field = Arc::new(Field::new("pairs", entries.data_type().clone(), false));
            let offsets = OffsetBuffer::from_lengths(rows.iter().copied());
            Arc::new(MapArray::new(field, offsets, entries, None, true)) as ArrayRef
        };
        let canonical = canonicalize(&maps(&[2])).unwrap();
        assert_eq!(canonical.data_type(), &map_type(DataType::Float64, DataType::Utf8));
        assert_eq!(canonical.as_map().keys().as_primitive::<Float64Type>().values()[0].to_bits(), 0);
        assert_eq!(canonical.as_map().values().as_ref(), &StringArray::from(vec!["zero", "one"]) as &dyn Array);
        assert_eq!(&canonicalize(&canonical).unwrap(), &canonical);

        let list = |maps: ArrayRef, lengths: &[usize]| {
            let item = Arc::new(Field::new_list_field(maps.data_type().clone(), true));
            Arc::new(ListArray::new(item, OffsetBuffer::from_lengths(lengths.iter().copied()), maps, None)) as ArrayRef
        };
        let lists = canonicalize(&list(maps(&[2, 1]), &[1, 1])).unwrap();
        assert_eq!(lists.as_list::<i32>().values().as_map().value(0), canonical.as_map().value(0));
        let error = canonicalize(&list(maps(&[2, 2]), &[1, 1])).unwrap_err();
        assert_eq!(error.to_string(), "the map in row 2 has the key 7.0 twice");
        assert!(canonicalize(&list(maps(&[2, 2]), &[1, 1]).slice(0, 1)).is_ok(), "the second row is not there");
    }

    #[test]
    fn the_longest_intervals_survive_justification() {
        let ends =
            [(i32::MAX, i32::MAX, i64::MAX), (i32::MIN, i32::MIN, i64::MIN), (i32::MIN, i32::MAX, 1), (1, -31, 5), (0, 0, -1)];
        for (months, days, nanoseconds) in ends {
            let nanos = nanos_of(IntervalMonthDayNano::new(months, days, nanoseconds));
            assert_eq!(nanos_of(interval_of_nanos(nanos)), nanos);
        }
        let array: ArrayRef =
            Arc::new(IntervalMonthDayNanoArray::from(vec![IntervalMonthDayNano::new(0, 30, NANOS_PER_DAY as i64)]));
        let justified = justify_intervals(array);
        assert_eq!(justified.as_primitive::<IntervalMonthDayNanoType>().value(0), IntervalMonthDayNano::new(1, 1, 0));
    }
}
