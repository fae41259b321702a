//! Functions of maps.
//!
//! DataFusion's do not put the entries in order, let NULLs be keys where the map is no constant, and answer lists where SQL has values. The maps of a
//! column are canonical ([`deltic_zset::maps`]), so a key is found by bisection, and keys, values and entries are the lists that the map consists of.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, ListArray, MapArray, StructArray, UInt32Array, make_comparator};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::{concat, nullif, take};
use arrow::datatypes::{DataType, Field, Fields};
use deltic_zset::maps::{Fault, KEY_ORDER, entry_types, map_type, maps_of};
use deltic_zset::types::justify_intervals;

use super::call::{Bind, Call};
use super::parameters::Kind;
use super::{Definition, Group, returns};
use crate::BinaryOp;
use crate::eval::text::{render, sql_type};
use crate::eval::{self, Value};

/// The name of the function that `map[key]` calls.
pub const ELEMENT: &str = "element_at";
/// The name of the function that yields the entries of a map as a list.
pub const ENTRIES: &str = "map_entries";
/// The name of the function that makes a map of two lists.
pub const MAKE: &str = "map";

macro_rules! definition {
    ($name:expr, $aliases:expr, $usage:expr, $about:expr, $parameters:expr, $returns:expr, $kernel:expr) => {
        Definition {
            name: $name,
            aliases: $aliases,
            group: Group::Map,
            usage: $usage,
            about: $about,
            parameters: $parameters,
            required: $parameters.len(),
            variadic: false,
            returns: $returns,
            kernel: $kernel,
        }
    };
}

/// The functions of this module.
pub(super) const DEFINITIONS: &[Definition] = &[
    definition!(
        MAKE,
        &["map_from_arrays"],
        "map(keys, values)",
        "A map of two arrays of the same length; `MAP {key: value, ..}`, or `map(key, value, ..)` of what are no two arrays, makes one of entries. A key that is NULL or there twice is an error.",
        &[Kind::Array, Kind::Array],
        |bind| Ok(map_type(item(&bind.types[0])?.clone(), item(&bind.types[1])?.clone())),
        of_lists
    ),
    definition!(
        "map_from_entries",
        &[],
        "map_from_entries(array)",
        "A map of an array of structs, whose first field is the key and whose second one is the value.",
        &[Kind::Array],
        |bind| match item(&bind.types[0])? {
            DataType::Struct(fields) if fields.len() == 2 =>
                Ok(map_type(fields[0].data_type().clone(), fields[1].data_type().clone())),
            other => Err(format!("an entry is a struct of two fields, not {}", sql_type(other))),
        },
        of_entries
    ),
    definition!(
        ELEMENT,
        &["map_get"],
        "map[key]",
        "The value of a key; NULL if the map does not have it. Also `element_at(map, key)`.",
        &[Kind::Map, Kind::Key],
        |bind| Ok(types(bind)?.1),
        |call| {
            let (maps, places) = find(call)?;
            take(maps.as_map().values(), &UInt32Array::from(places), None).map_err(|error| error.to_string())
        }
    ),
    definition!(
        "map_extract",
        &[],
        "map_extract(map, key)",
        "The value of a key as an array of one; an empty array if the map does not have it.",
        &[Kind::Map, Kind::Key],
        |bind| Ok(list_of(types(bind)?.1)),
        extract
    ),
    definition!(
        "map_contains_key",
        &["map_contains"],
        "map_contains_key(map, key)",
        "Whether the map has the key.",
        &[Kind::Map, Kind::Key],
        returns::boolean,
        |call| {
            let (maps, places) = find(call)?;
            let nulls = NullBuffer::union(maps.nulls(), call.column(1).nulls());
            let found = places.iter().map(Option::is_some).collect::<Vec<bool>>();
            Ok(Arc::new(BooleanArray::new(found.into(), nulls)))
        }
    ),
    definition!(
        "map_keys",
        &[],
        "map_keys(map)",
        "The keys in ascending order, as an array.",
        &[Kind::Map],
        |bind| Ok(list_of(types(bind)?.0)),
        |call| list(call, |maps| Ok(maps.keys().clone()))
    ),
    definition!(
        "map_values",
        &[],
        "map_values(map)",
        "The values in the order of their keys, as an array.",
        &[Kind::Map],
        |bind| Ok(list_of(types(bind)?.1)),
        |call| list(call, |maps| Ok(maps.values().clone()))
    ),
    definition!(
        ENTRIES,
        &[],
        "map_entries(map)",
        "The entries in the order of their keys, as an array of structs with the fields `key` and `value`.",
        &[Kind::Map],
        |bind| {
            let (key, value) = types(bind)?;
            Ok(list_of(DataType::Struct(pair(key, value))))
        },
        |call| list(call, |maps| {
            let fields = pair(maps.key_type().clone(), maps.value_type().clone());
            let entries = StructArray::try_new(fields, vec![maps.keys().clone(), maps.values().clone()], None);
            Ok(Arc::new(entries.map_err(|error| error.to_string())?))
        })
    ),
    Definition {
        name: "map_concat",
        aliases: &[],
        group: Group::Map,
        usage: "map_concat(map, map ..)",
        about: "The entries of all maps, which are of one type; of equal keys that of the last map.",
        parameters: &[Kind::Map],
        required: 2,
        variadic: true,
        returns: |bind| match bind.types.split_first() {
            Some((first, others)) if others.iter().all(|other| other == first) => Ok(first.clone()),
            _ => Err("the maps are of several types".to_owned()),
        },
        kernel: union,
    },
];

fn item(list: &DataType) -> Result<&DataType, String> {
    match list {
        DataType::List(item) => Ok(item.data_type()),
        other => Err(format!("{} is no array", sql_type(other))),
    }
}

fn list_of(item: DataType) -> DataType {
    DataType::List(Arc::new(Field::new_list_field(item, true)))
}

fn pair(key: DataType, value: DataType) -> Fields {
    Fields::from(vec![Field::new("key", key, true), Field::new("value", value, true)])
}

/// The types of the keys and values of the first argument.
fn types(bind: &Bind<'_>) -> Result<(DataType, DataType), String> {
    let (key, value) = entry_types(&bind.types[0]).ok_or_else(|| format!("{} is no map", sql_type(&bind.types[0])))?;
    Ok((key.clone(), value.clone()))
}

/// The maps, if none of their rows is wrong.
fn checked(keys: &ArrayRef, values: &ArrayRef, lengths: Vec<usize>, nulls: Option<&NullBuffer>) -> Result<ArrayRef, String> {
    let maps = maps_of(keys, values, &OffsetBuffer::from_lengths(lengths), nulls);
    let (maps, faults) = maps.map_err(|error| error.to_string())?;
    match faults.first() {
        None => Ok(Arc::new(maps)),
        Some((_, Fault::NullKey)) => Err("a key is NULL".to_owned()),
        Some((_, Fault::EqualKeys(entry))) => Err(format!("the key {} is there twice", render(keys, *entry))),
    }
}

/// The elements of the rows that `nulls` leaves.
fn elements(list: &ListArray, nulls: Option<&NullBuffer>) -> Result<ArrayRef, String> {
    let offsets = list.value_offsets();
    let rows = (0..list.len()).filter(|&row| nulls.is_none_or(|nulls| nulls.is_valid(row)));
    let places = UInt32Array::from_iter_values(rows.flat_map(|row| offsets[row] as u32..offsets[row + 1] as u32));
    take(list.values(), &places, None).map_err(|error| error.to_string())
}

fn of_lists(call: &Call<'_>) -> Result<ArrayRef, String> {
    let (keys, values) = (call.column(0), call.column(1));
    let (keys, values) = (keys.as_list::<i32>(), values.as_list::<i32>());
    let nulls = NullBuffer::union(keys.nulls(), values.nulls());
    let mut lengths = Vec::with_capacity(call.rows);
    for row in 0..call.rows {
        let (of_keys, of_values) = (keys.value_length(row), values.value_length(row));
        let is_null = nulls.as_ref().is_some_and(|nulls| nulls.is_null(row));
        if of_keys != of_values && !is_null {
            return Err(format!("there are {of_keys} keys and {of_values} values"));
        }
        lengths.push(if is_null { 0 } else { of_keys as usize });
    }
    let (keys, values) = (elements(keys, nulls.as_ref())?, elements(values, nulls.as_ref())?);
    checked(&keys, &values, lengths, nulls.as_ref())
}

fn of_entries(call: &Call<'_>) -> Result<ArrayRef, String> {
    let entries = call.column(0);
    let entries = entries.as_list::<i32>();
    let lengths = (0..call.rows).map(|row| if entries.is_valid(row) { entries.value_length(row) as usize } else { 0 }).collect();
    let pairs = elements(entries, entries.nulls())?;
    let pairs = pairs.as_struct();
    if pairs.null_count() > 0 {
        return Err("an entry is NULL".to_owned());
    }
    checked(pairs.column(0), pairs.column(1), lengths, entries.nulls())
}

/// A list per map.
fn list(call: &Call<'_>, items: impl FnOnce(&MapArray) -> Result<ArrayRef, String>) -> Result<ArrayRef, String> {
    let maps = call.column(0);
    let maps = maps.as_map();
    let items = items(maps)?;
    let field = Arc::new(Field::new_list_field(items.data_type().clone(), true));
    let lists = ListArray::try_new(field, maps.offsets().clone(), items, maps.nulls().cloned());
    lists.map(|lists| Arc::new(lists) as ArrayRef).map_err(|error| error.to_string())
}

/// The maps of the first argument, and the place among all their entries of the one with the key.
fn find(call: &Call<'_>) -> Result<(ArrayRef, Vec<Option<u32>>), String> {
    let column = call.column(0);
    let maps = column.as_map();
    let keys = exactly(call.value(1), maps.key_type(), call.rows)?;
    let wanted = justify_intervals(keys.inner().clone());
    let compare = make_comparator(maps.keys(), &wanted, KEY_ORDER).map_err(|error| error.to_string())?;
    let offsets = maps.value_offsets();
    let place = |row: usize| {
        let key = keys.position(row);
        if maps.is_null(row) || wanted.is_null(key) {
            return None;
        }
        let (mut low, mut high) = (offsets[row] as usize, offsets[row + 1] as usize);
        while low < high {
            let middle = low + (high - low) / 2;
            match compare(middle, key) {
                Ordering::Less => low = middle + 1,
                Ordering::Equal => return Some(middle as u32),
                Ordering::Greater => high = middle,
            }
        }
        None
    };
    let places = (0..call.rows).map(place).collect();
    Ok((column, places))
}

/// `value` as values of `data_type`; NULL where it is none of these.
fn exactly(value: &Value, data_type: &DataType, rows: usize) -> Result<Value, String> {
    if value.inner().data_type() == data_type {
        return Ok(value.clone());
    }
    let there = eval::try_cast(value, data_type, rows)?;
    let back = eval::try_cast(&there, value.inner().data_type(), rows)?;
    let differs = eval::compare(BinaryOp::IsDistinctFrom, value, &back, rows)?;
    let kept = nullif(&there.into_array(rows), differs.as_boolean());
    kept.map(Value::Array).map_err(|error| error.to_string())
}

fn extract(call: &Call<'_>) -> Result<ArrayRef, String> {
    let (maps, places) = find(call)?;
    let nulls = NullBuffer::union(maps.nulls(), call.column(1).nulls());
    let lengths = OffsetBuffer::from_lengths(places.iter().map(|place| usize::from(place.is_some())));
    let found = UInt32Array::from_iter_values(places.into_iter().flatten());
    let values = take(maps.as_map().values(), &found, None).map_err(|error| error.to_string())?;
    let field = Arc::new(Field::new_list_field(values.data_type().clone(), true));
    let lists = ListArray::try_new(field, lengths, values, nulls);
    lists.map(|lists| Arc::new(lists) as ArrayRef).map_err(|error| error.to_string())
}

/// The entries of several maps in one.
fn union(call: &Call<'_>) -> Result<ArrayRef, String> {
    let columns: Vec<ArrayRef> = (0..call.len()).map(|index| call.column(index)).collect();
    let maps: Vec<&MapArray> = columns.iter().map(|column| column.as_map()).collect();
    let all = |part: fn(&MapArray) -> &ArrayRef| {
        let parts: Vec<&dyn Array> = maps.iter().map(|map| part(map).as_ref()).collect();
        concat(&parts).map_err(|error| error.to_string())
    };
    let (keys, values) = (all(MapArray::keys)?, all(MapArray::values)?);
    let compare = make_comparator(&keys, &keys, KEY_ORDER).map_err(|error| error.to_string())?;
    let nulls = maps.iter().fold(None, |nulls, map| NullBuffer::union(nulls.as_ref(), map.nulls()));
    let (mut places, mut lengths) = (Vec::new(), Vec::with_capacity(call.rows));
    for row in 0..call.rows {
        let start = places.len();
        if nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row)) {
            let mut entries: Vec<u32> = Vec::new();
            let mut before = 0;
            for map in &maps {
                let offsets = map.value_offsets();
                entries.extend(before + offsets[row] as u32..before + offsets[row + 1] as u32);
                before += map.keys().len() as u32;
            }
            // The sort is stable: of equal keys the last map's comes first.
            entries.reverse();
            entries.sort_by(|&left, &right| compare(left as usize, right as usize));
            entries.dedup_by(|next, kept| compare(*next as usize, *kept as usize) == Ordering::Equal);
            places.append(&mut entries);
        }
        lengths.push(places.len() - start);
    }
    let places = UInt32Array::from(places);
    let taken = |array: &ArrayRef| take(array, &places, None).map_err(|error| error.to_string());
    checked(&taken(&keys)?, &taken(&values)?, lengths, nulls.as_ref())
}
