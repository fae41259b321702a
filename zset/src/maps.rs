//! Maps: which arrays of entries are values of SQL.
//!
//! Arrow keeps the entries of a map in the order in which they were appended, and minds neither equal keys nor NULLs among them. In SQL a map is a function
//! of its keys, so two maps with the same entries must be one value of a Z-set. Therefore a canonical map has its entries in the ascending order of
//! their keys, and each key once; keys that are intervals are the ones that stand for all that equal them. Then a map is to everything that groups,
//! joins or compares rows what a list of pairs is, and a key is found by bisection.

use std::cmp::Ordering;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, DynComparator, MapArray, StructArray, UInt32Array, make_comparator};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::{SortOptions, take};
use arrow::datatypes::{DataType, Field, FieldRef, Fields};

use crate::Result;
use crate::types::justify_intervals;

/// The order of keys.
pub const KEY_ORDER: SortOptions = SortOptions { descending: false, nulls_first: false };

/// The canonical type of maps with keys and values of these canonical types.
pub fn map_type(key: DataType, value: DataType) -> DataType {
    DataType::Map(entries_field(key, value), false)
}

/// The types of the keys and of the values of a map; `None` if `data_type` is not one.
pub fn entry_types(data_type: &DataType) -> Option<(&DataType, &DataType)> {
    let DataType::Map(entries, _) = data_type else { return None };
    match entries.data_type() {
        DataType::Struct(fields) if fields.len() == 2 => Some((fields[0].data_type(), fields[1].data_type())),
        _ => None,
    }
}

fn entries_field(key: DataType, value: DataType) -> FieldRef {
    Arc::new(Field::new("entries", DataType::Struct(entry_fields(key, value)), false))
}

fn entry_fields(key: DataType, value: DataType) -> Fields {
    Fields::from(vec![Field::new("key", key, false), Field::new("value", value, true)])
}

/// Why entries are no map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A key is NULL.
    NullKey,
    /// The key of this entry, by its place among the keys of all rows, is there twice.
    EqualKeys(usize),
}

/// Maps of entries in any order: row `i` has the entries `offsets[i] .. offsets[i + 1]`, and is NULL where `nulls` says so. Also the rows whose
/// entries are no map, which are NULL. No entry is copied if all are in order already; else O(n log n) in the entries of a row.
///
/// # Errors
/// If keys have no order.
///
/// # Panics
/// If there are fewer keys or values than entries.
pub fn maps_of(
    keys: &ArrayRef,
    values: &ArrayRef,
    offsets: &OffsetBuffer<i32>,
    nulls: Option<&NullBuffer>,
) -> Result<(MapArray, Vec<(usize, Fault)>)> {
    let keys = justify_intervals(keys.clone());
    let compare = make_comparator(&keys, &keys, KEY_ORDER)?;
    let rows = offsets.len() - 1;
    let mut places: Vec<u32> = Vec::with_capacity(keys.len());
    let mut lengths = Vec::with_capacity(rows);
    let mut faults = Vec::new();
    for row in 0..rows {
        let start = places.len();
        if nulls.is_none_or(|nulls| nulls.is_valid(row)) {
            let entries = offsets[row] as usize..offsets[row + 1] as usize;
            if let Err(fault) = append_in_order(entries, &keys, &compare, &mut places) {
                places.truncate(start);
                faults.push((row, fault));
            }
        }
        lengths.push(places.len() - start);
    }
    let is_ordered = places.len() == keys.len() && places.iter().enumerate().all(|(place, &entry)| place == entry as usize);
    let (keys, values) = if is_ordered {
        (keys, values.slice(0, places.len()))
    } else {
        let places = UInt32Array::from(places);
        (take(&keys, &places, None)?, take(values, &places, None)?)
    };
    let nulls = if faults.is_empty() { nulls.cloned() } else { Some(without(nulls, &faults, rows)) };
    let fields = entry_fields(keys.data_type().clone(), values.data_type().clone());
    let field = entries_field(keys.data_type().clone(), values.data_type().clone());
    let entries = StructArray::try_new(fields, vec![keys, values], None)?;
    Ok((MapArray::try_new(field, OffsetBuffer::from_lengths(lengths), entries, nulls, false)?, faults))
}

/// Appends the places of `entries` in the order of their keys.
fn append_in_order(
    entries: Range<usize>,
    keys: &ArrayRef,
    compare: &DynComparator,
    places: &mut Vec<u32>,
) -> std::result::Result<(), Fault> {
    if keys.null_count() > 0 && entries.clone().any(|entry| keys.is_null(entry)) {
        return Err(Fault::NullKey);
    }
    let start = places.len();
    places.extend(entries.map(|entry| entry as u32));
    let places = &mut places[start..];
    let order = |left: u32, right: u32| compare(left as usize, right as usize);
    if places.windows(2).all(|pair| order(pair[0], pair[1]) == Ordering::Less) {
        return Ok(());
    }
    places.sort_unstable_by(|&left, &right| order(left, right));
    match places.windows(2).find(|pair| order(pair[0], pair[1]) == Ordering::Equal) {
        Some(pair) => Err(Fault::EqualKeys(pair[0] as usize)),
        None => Ok(()),
    }
}

/// `nulls`, with the rows of `faults` NULL too.
fn without(nulls: Option<&NullBuffer>, faults: &[(usize, Fault)], rows: usize) -> NullBuffer {
    let mut valid: Vec<bool> = (0..rows).map(|row| nulls.is_none_or(|nulls| nulls.is_valid(row))).collect();
    faults.iter().for_each(|(row, _)| valid[*row] = false);
    NullBuffer::from(valid)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use arrow::array::{AsArray, Int64Array, IntervalMonthDayNanoArray, StringArray};
    use arrow::datatypes::{Int64Type, IntervalMonthDayNano};

    use super::*;

    fn maps(keys: Vec<Option<&str>>, lengths: &[usize], nulls: Option<NullBuffer>) -> (MapArray, Vec<(usize, Fault)>) {
        let values: ArrayRef = Arc::new(Int64Array::from_iter_values(0..keys.len() as i64));
        let keys: ArrayRef = Arc::new(StringArray::from(keys));
        maps_of(&keys, &values, &OffsetBuffer::from_lengths(lengths.iter().copied()), nulls.as_ref()).unwrap()
    }

    fn entries(map: &MapArray, row: usize) -> Vec<(String, i64)> {
        let entries = map.value(row);
        let values = entries.column(1).as_primitive::<Int64Type>();
        entries.column(0).as_string::<i32>().iter().flatten().map(str::to_owned).zip(values.values().iter().copied()).collect()
    }

    #[test]
    fn entries_ascend_by_key() {
        let (map, faults) = maps(vec![Some("b"), Some("a"), Some("c"), Some("a")], &[3, 0, 1], None);
        assert!(faults.is_empty());
        assert_eq!(entries(&map, 0), [("a".into(), 1), ("b".into(), 0), ("c".into(), 2)]);
        assert_eq!(entries(&map, 1), []);
        assert_eq!(entries(&map, 2), [("a".into(), 3)]);
    }

    #[test]
    fn entries_in_order_are_not_copied() {
        let values: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3]));
        let keys: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 1]));
        let (map, _) = maps_of(&keys, &values, &OffsetBuffer::from_lengths([2, 1]), None).unwrap();
        assert!(Arc::ptr_eq(map.keys(), &keys));
    }

    #[test]
    fn equal_keys_and_nulls_are_faults_of_their_row() {
        let keys = vec![Some("a"), Some("b"), Some("a"), None, Some("x"), Some("y")];
        let (map, faults) = maps(keys, &[3, 1, 2], None);
        assert_eq!(faults, [(0, Fault::EqualKeys(0)), (1, Fault::NullKey)]);
        assert!(map.is_null(0) && map.is_null(1));
        assert_eq!(entries(&map, 2), [("x".into(), 4), ("y".into(), 5)]);
    }

    #[test]
    fn what_is_below_a_null_does_not_matter() {
        let (map, faults) = maps(vec![Some("a"), Some("a"), Some("b")], &[2, 1], Some(NullBuffer::from(vec![false, true])));
        assert!(faults.is_empty());
        assert!(map.is_null(0));
        assert_eq!(map.keys().len(), 1);
    }

    #[test]
    fn equal_intervals_are_one_key() {
        let day = |days, nanoseconds| IntervalMonthDayNano::new(0, days, nanoseconds);
        let keys: ArrayRef = Arc::new(IntervalMonthDayNanoArray::from(vec![day(1, 0), day(0, 86_400_000_000_000)]));
        let values: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
        let (_, faults) = maps_of(&keys, &values, &OffsetBuffer::from_lengths([2]), None).unwrap();
        assert!(matches!(faults.as_slice(), [(0, Fault::EqualKeys(_))]));
    }
}
