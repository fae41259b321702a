//! Random columns of every canonical type, and the plain reading of their rows that models compare with.
//!
//! A [`Cell`] is the value of a row in one column as SQL sees it: cells are equal exactly if the values are. The columns made
//! of cells are as nasty as the contract allows: values drawn from small domains (so that rows repeat), extremes, garbage under
//! NULLs, two spellings of equal intervals, sliced buffers.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BinaryArray, BooleanArray, Decimal128Array, IntervalMonthDayNanoArray,
    ListArray, PrimitiveArray, StringArray, StructArray,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{
    DataType, Decimal128Type, Field, Int64Type, IntervalMonthDayNano, IntervalMonthDayNanoType, IntervalUnit, TimeUnit,
};
use proptest::prelude::*;

use crate::maps::{entry_types, map_type, maps_of};
use crate::types::{interval_of_nanos, nanos_of};
use crate::word::{Word, match_word_type};

/// A value as SQL sees it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Cell {
    Null,
    /// A value of one word, as that word; a decimal; an interval, as its nanoseconds.
    Number(i128),
    Bytes(Vec<u8>),
    Nested(Vec<Cell>),
}

/// Any canonical type.
pub(crate) fn any_type() -> impl Strategy<Value = DataType> {
    let leaves = vec![
        DataType::Boolean,
        DataType::Int8,
        DataType::Int16,
        DataType::Int32,
        DataType::Int64,
        DataType::UInt8,
        DataType::UInt16,
        DataType::UInt32,
        DataType::UInt64,
        DataType::Float32,
        DataType::Float64,
        DataType::Decimal128(38, 4),
        DataType::Utf8,
        DataType::Utf8,
        DataType::Binary,
        DataType::Date32,
        DataType::Time64(TimeUnit::Microsecond),
        DataType::Timestamp(TimeUnit::Microsecond, None),
        DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        DataType::Interval(IntervalUnit::MonthDayNano),
        DataType::Duration(TimeUnit::Microsecond),
    ];
    prop::sample::select(leaves).prop_recursive(2, 4, 2, |inner| {
        prop_oneof![
            inner.clone().prop_map(|item| DataType::List(Arc::new(Field::new_list_field(item, true)))),
            (inner.clone(), inner.clone()).prop_map(|(key, value)| map_type(key, value)),
            prop::collection::vec(inner, 0..3).prop_map(|children| {
                let fields: Vec<Field> =
                    children.into_iter().enumerate().map(|(index, child)| Field::new(format!("f{index}"), child, true)).collect();
                DataType::Struct(fields.into())
            }),
        ]
    })
}

/// Columns of `types` with as many rows as `rows` allows.
pub(crate) fn any_columns(types: Vec<DataType>, rows: Range<usize>) -> impl Strategy<Value = Vec<ArrayRef>> {
    rows.prop_flat_map(move |rows| {
        let columns: Vec<_> = types.iter().map(|data_type| any_column(data_type, rows)).collect();
        columns
    })
}

fn any_column(data_type: &DataType, rows: usize) -> BoxedStrategy<ArrayRef> {
    let data_type = data_type.clone();
    (prop::collection::vec(any_cell(&data_type), rows), 0usize..3)
        .prop_map(move |(cells, front)| {
            let padded: Vec<Cell> = std::iter::repeat_n(Cell::Null, front).chain(cells).collect();
            column_of(&data_type, &padded).slice(front, padded.len() - front)
        })
        .boxed()
}

fn any_cell(data_type: &DataType) -> BoxedStrategy<Cell> {
    let value = match data_type {
        DataType::Boolean => (0i128..2).prop_map(Cell::Number).boxed(),
        DataType::Float32 => float_cell([0.0f32, 1.5, -2.0, f32::NAN, f32::INFINITY].map(f32::to_word)),
        DataType::Float64 => float_cell([0.0f64, 1.5, -2.0, f64::NAN, f64::NEG_INFINITY].map(f64::to_word)),
        DataType::Decimal128(..) => {
            prop_oneof![-2i128..3, Just(i128::pow(10, 37)), Just(1i128 << 64)].prop_map(Cell::Number).boxed()
        }
        DataType::Interval(_) => (-3i128..40).prop_map(|days| Cell::Number(days * 86_400_000_000_000 + days % 2)).boxed(),
        DataType::Utf8 | DataType::Binary => {
            let text = prop_oneof!["[a-c]{0,3}", "[ab]{11,13}", "common prefix of a long text [ab]{0,9}", "\u{e4}{0,2}\0{0,2}"];
            text.prop_map(|text: String| Cell::Bytes(text.into_bytes())).boxed()
        }
        DataType::List(item) => prop::collection::vec(any_cell(item.data_type()), 0..3).prop_map(Cell::Nested).boxed(),
        DataType::Map(entries, _) => prop::collection::vec(any_cell(entries.data_type()), 0..3).prop_map(map_cell).boxed(),
        DataType::Struct(fields) => {
            let children: Vec<_> = fields.iter().map(|field| any_cell(field.data_type())).collect();
            children.prop_map(Cell::Nested).boxed()
        }
        _ => prop_oneof![4 => 0i128..4, 1 => Just(127i128)].prop_map(Cell::Number).boxed(),
    };
    prop_oneof![1 => Just(Cell::Null), 5 => value].boxed()
}

/// The map of those entries that have a key; of equal keys the last stays.
fn map_cell(entries: Vec<Cell>) -> Cell {
    let pair = |entry| match entry {
        Cell::Nested(entry) => <[Cell; 2]>::try_from(entry).ok().filter(|[key, _]| *key != Cell::Null),
        _ => None,
    };
    let entries: BTreeMap<Cell, Cell> = entries.into_iter().filter_map(pair).map(<(Cell, Cell)>::from).collect();
    Cell::Nested(entries.into_iter().map(|(key, value)| Cell::Nested(vec![key, value])).collect())
}

fn float_cell<const N: usize>(words: [u64; N]) -> BoxedStrategy<Cell> {
    prop::sample::select(words.to_vec()).prop_map(|word| Cell::Number(word.into())).boxed()
}

/// The column of `cells`.
pub(crate) fn column_of(data_type: &DataType, cells: &[Cell]) -> ArrayRef {
    let nulls = NullBuffer::from(cells.iter().map(|cell| *cell != Cell::Null).collect::<Vec<_>>());
    let nulls = (nulls.null_count() > 0).then_some(nulls);
    let number = |(row, cell): (usize, &Cell)| if let Cell::Number(number) = cell { *number } else { row as i128 % 2 };
    let numbers = cells.iter().enumerate().map(number);
    match_word_type!(data_type, T => {
        let values: Vec<_> = numbers.map(|number| Word::from_word(number as u64)).collect();
        Arc::new(PrimitiveArray::<T>::new(values.into(), nulls).with_data_type(data_type.clone()))
    }, _ => {
        match data_type {
            DataType::Boolean => Arc::new(BooleanArray::new(numbers.map(|number| number == 1).collect::<Vec<_>>().into(), nulls)),
            DataType::Decimal128(..) => {
                Arc::new(Decimal128Array::new(numbers.collect::<Vec<_>>().into(), nulls).with_data_type(data_type.clone()))
            }
            DataType::Interval(_) => {
                let spell = |(row, nanos): (usize, i128)| match row % 2 {
                    0 => IntervalMonthDayNano::new(0, 0, nanos as i64),
                    _ => interval_of_nanos(nanos),
                };
                Arc::new(IntervalMonthDayNanoArray::new(numbers.enumerate().map(spell).collect::<Vec<_>>().into(), nulls))
            }
            DataType::Utf8 => {
                let text = |cell: &Cell| if let Cell::Bytes(bytes) = cell { String::from_utf8_lossy(bytes).into_owned() } else { "?".into() };
                let (offsets, values, _) = StringArray::from_iter_values(cells.iter().map(text)).into_parts();
                Arc::new(StringArray::new(offsets, values, nulls))
            }
            DataType::Binary => {
                let bytes = |cell: &Cell| if let Cell::Bytes(bytes) = cell { bytes.clone() } else { b"?".to_vec() };
                let (offsets, values, _) = BinaryArray::from_iter_values(cells.iter().map(bytes)).into_parts();
                Arc::new(BinaryArray::new(offsets, values, nulls))
            }
            _ => nested_column_of(data_type, cells, nulls),
        }
    })
}

fn nested_column_of(data_type: &DataType, cells: &[Cell], nulls: Option<NullBuffer>) -> ArrayRef {
    let children = |cell: &Cell| if let Cell::Nested(children) = cell { children.clone() } else { Vec::new() };
    match data_type {
        DataType::List(item) => {
            let lists: Vec<Vec<Cell>> = cells.iter().map(children).collect();
            let values = column_of(item.data_type(), &lists.concat());
            Arc::new(ListArray::new(item.clone(), OffsetBuffer::from_lengths(lists.iter().map(Vec::len)), values, nulls))
        }
        DataType::Struct(fields) => {
            let child = |index: usize| -> Vec<Cell> {
                cells.iter().map(|cell| children(cell).get(index).cloned().unwrap_or(Cell::Null)).collect()
            };
            let columns: Vec<ArrayRef> =
                fields.iter().enumerate().map(|(index, field)| column_of(field.data_type(), &child(index))).collect();
            Arc::new(StructArray::try_new_with_length(fields.clone(), columns, nulls, cells.len()).expect("children fit"))
        }
        DataType::Map(..) => {
            let rows: Vec<Vec<Cell>> = cells.iter().map(children).collect();
            let part = |index: usize| rows.iter().flatten().map(|entry| children(entry)[index].clone()).collect::<Vec<_>>();
            let (keys, values) = (part(0), part(1));
            let (key, value) = entry_types(data_type).expect("a map has keys and values");
            let offsets = OffsetBuffer::from_lengths(rows.iter().map(Vec::len));
            let (maps, faults) = maps_of(&column_of(key, &keys), &column_of(value, &values), &offsets, nulls.as_ref())
                .expect("any keys have an order");
            assert!(faults.is_empty(), "keys are there once");
            Arc::new(maps)
        }
        other => unreachable!("{other} is not canonical"),
    }
}

/// The value of row `row`.
pub(crate) fn cell(column: &dyn Array, row: usize) -> Cell {
    if column.is_null(row) {
        return Cell::Null;
    }
    match_word_type!(column.data_type(), T => { number_of::<T>(column, row) }, _ => {
        match column.data_type() {
            DataType::Boolean => Cell::Number(column.as_boolean().value(row).into()),
            DataType::Decimal128(..) => Cell::Number(column.as_primitive::<Decimal128Type>().value(row)),
            DataType::Interval(_) => Cell::Number(nanos_of(column.as_primitive::<IntervalMonthDayNanoType>().value(row))),
            DataType::Utf8 => Cell::Bytes(column.as_string::<i32>().value(row).as_bytes().to_vec()),
            DataType::Binary => Cell::Bytes(column.as_binary::<i32>().value(row).to_vec()),
            DataType::List(_) => {
                let items = column.as_list::<i32>().value(row);
                Cell::Nested((0..items.len()).map(|item| cell(&items, item)).collect())
            }
            DataType::Map(..) => {
                let entries = column.as_map().value(row);
                Cell::Nested((0..entries.len()).map(|entry| cell(&entries, entry)).collect())
            }
            DataType::Struct(_) => Cell::Nested(column.as_struct().columns().iter().map(|child| cell(child, row)).collect()),
            other => unreachable!("{other} is not canonical"),
        }
    })
}

fn number_of<T: ArrowPrimitiveType<Native: Word>>(column: &dyn Array, row: usize) -> Cell {
    Cell::Number(column.as_primitive::<T>().value(row).to_word().into())
}

/// Row `row` of `columns`.
pub(crate) fn row_of(columns: &[ArrayRef], row: usize) -> Vec<Cell> {
    columns.iter().map(|column| cell(column, row)).collect()
}

/// All rows of `columns`.
pub(crate) fn rows_of(columns: &[ArrayRef], rows: usize) -> Vec<Vec<Cell>> {
    (0..rows).map(|row| row_of(columns, row)).collect()
}

/// A column of integers.
pub(crate) fn integers(values: impl IntoIterator<Item = i64>) -> ArrayRef {
    Arc::new(PrimitiveArray::<Int64Type>::from_iter_values(values))
}
