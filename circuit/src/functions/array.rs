//! Functions of arrays that DataFusion lacks: comparison with any or all elements, and bounds.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, UInt32Array};
use arrow::buffer::OffsetBuffer;
use arrow::compute::take;
use arrow::datatypes::{DataType, Int32Type};

use super::call::{Bind, Call};
use super::parameters::Kind;
use super::{Definition, Group, returns};
use crate::BinaryOp;
use crate::eval::{self, Value};

/// The functions of this module.
pub(super) const DEFINITIONS: &[Definition] = &[
    Definition {
        name: "compare_any",
        aliases: &[],
        group: Group::Array,
        usage: "value = ANY (array)",
        about: "Whether the comparison (`=`, `<>`, `<`, `<=`, `>`, `>=`) holds for an element; three-valued.",
        parameters: &[Kind::Text, Kind::Any, Kind::Array],
        required: 3,
        variadic: false,
        returns: comparison,
        kernel: |call| compare(call, true),
    },
    Definition {
        name: "compare_all",
        aliases: &[],
        group: Group::Array,
        usage: "value = ALL (array)",
        about: "Whether the comparison holds for every element; three-valued.",
        parameters: &[Kind::Text, Kind::Any, Kind::Array],
        required: 3,
        variadic: false,
        returns: comparison,
        kernel: |call| compare(call, false),
    },
    Definition {
        name: "array_or_empty",
        aliases: &[],
        group: Group::Array,
        usage: "array_or_empty(array)",
        about: "The array, or an empty one for NULL: what `ARRAY(SELECT ..)` makes of the rows of a query.",
        parameters: &[Kind::Array],
        required: 1,
        variadic: false,
        returns: |bind| Ok(bind.types[0].clone()),
        kernel: |call| {
            let list = call.column(0).as_list::<i32>().clone();
            let (field, offsets, values, nulls) = list.into_parts();
            let Some(nulls) = nulls else { return Ok(Arc::new(ListArray::new(field, offsets, values, None))) };
            // What stands below a NULL is not part of the list that takes its place.
            let kept: Vec<(usize, usize)> = offsets.windows(2).map(|ends| (ends[0] as usize, ends[1] as usize)).collect();
            let lengths = kept.iter().enumerate().map(|(row, (start, end))| if nulls.is_valid(row) { end - start } else { 0 });
            let offsets = OffsetBuffer::from_lengths(lengths);
            let rows = kept.iter().enumerate().filter(|(row, _)| nulls.is_valid(*row));
            let indices: UInt32Array = rows.flat_map(|(_, (start, end))| *start as u32..*end as u32).collect();
            let values = take(&values, &indices, None).map_err(|error| error.to_string())?;
            Ok(Arc::new(ListArray::new(field, offsets, values, None)))
        },
    },
    Definition {
        name: "array_upper",
        aliases: &[],
        group: Group::Array,
        usage: "array_upper(array, 1)",
        about: "The number of the array's last element; NULL if it is empty.",
        parameters: &[Kind::Array, Kind::Integer],
        required: 2,
        variadic: false,
        returns: returns::integer,
        kernel: |call| bound(call, |length| length),
    },
    Definition {
        name: "array_lower",
        aliases: &[],
        group: Group::Array,
        usage: "array_lower(array, 1)",
        about: "The number of the array's first element, 1; NULL if it is empty.",
        parameters: &[Kind::Array, Kind::Integer],
        required: 2,
        variadic: false,
        returns: returns::integer,
        kernel: |call| bound(call, |_| 1),
    },
];

fn operator(name: &str) -> Option<BinaryOp> {
    Some(match name {
        "=" => BinaryOp::Equal,
        "<>" | "!=" => BinaryOp::NotEqual,
        "<" => BinaryOp::Less,
        "<=" => BinaryOp::LessOrEqual,
        ">" => BinaryOp::Greater,
        ">=" => BinaryOp::GreaterOrEqual,
        _ => return None,
    })
}

/// The type in which a value and the elements of an array are compared.
fn common(value: &DataType, element: &DataType) -> Option<DataType> {
    Some(match (value, element) {
        (value, element) if value == element => value.clone(),
        (value, element) if value.is_integer() && element.is_integer() => DataType::Decimal128(20, 0),
        (value, element) if value.is_floating() || element.is_floating() => match value.is_numeric() && element.is_numeric() {
            true => DataType::Float64,
            false => return None,
        },
        (value, element) if value.is_numeric() && element.is_numeric() => {
            let scale = |data_type: &DataType| if let DataType::Decimal128(_, scale) = data_type { *scale } else { 0 };
            DataType::Decimal128(38, scale(value).max(scale(element)))
        }
        _ => return None,
    })
}

fn comparison(bind: &Bind<'_>) -> Result<DataType, String> {
    let name = bind.constant_text(0).ok_or_else(|| "the operator must be a constant".to_owned())?;
    operator(name).ok_or_else(|| format!("{name} does not compare"))?;
    let DataType::List(item) = &bind.types[2] else { return Err("ANY and ALL take an array".to_owned()) };
    let (value, element) = (&bind.types[1], item.data_type());
    common(value, element)
        .map(|_| DataType::Boolean)
        .ok_or_else(|| format!("{} and {} cannot be compared", eval::text::sql_type(value), eval::text::sql_type(element)))
}

/// Compares each value with all elements of its array in one pass, then folds the answers by array.
fn compare(call: &Call<'_>, any: bool) -> Result<ArrayRef, String> {
    let operator = call.text(0).get(0).and_then(operator).ok_or("the operator is missing")?;
    let (values, arrays) = (call.column(1), call.column(2));
    let arrays = arrays.as_list::<i32>();
    let offsets = arrays.value_offsets();
    let (start, end) = (offsets[0] as usize, offsets[call.rows] as usize);
    let elements = arrays.values().slice(start, end - start);
    let rows = (0..call.rows).flat_map(|row| std::iter::repeat_n(row as u32, (offsets[row + 1] - offsets[row]) as usize));
    let values_of_elements = take(&values, &UInt32Array::from_iter_values(rows), None).map_err(|error| error.to_string())?;
    let common = common(values.data_type(), elements.data_type()).ok_or("the types cannot be compared")?;
    let count = elements.len();
    let left = eval::cast(&Value::Array(values_of_elements), &common, count)?;
    let right = eval::cast(&Value::Array(elements), &common, count)?;
    let answers = eval::compare(operator, &left, &right, count)?;
    let answers = answers.as_boolean();
    call.test(|row| {
        if arrays.is_null(row) {
            return Ok(None);
        }
        // One that decides does so; else one that is not known leaves it open.
        let mut known = true;
        for position in offsets[row] as usize - start..offsets[row + 1] as usize - start {
            match answers.is_valid(position).then(|| answers.value(position)) {
                Some(answer) if answer == any => return Ok(Some(any)),
                Some(_) => {}
                None => known = false,
            }
        }
        Ok(known.then_some(!any))
    })
}

fn bound(call: &Call<'_>, of: fn(i32) -> i32) -> Result<ArrayRef, String> {
    let (arrays, dimensions) = (call.column(0), call.integer(1));
    let arrays = arrays.as_list::<i32>();
    call.compute::<Int32Type>(|row| {
        let length = arrays.is_valid(row).then(|| arrays.value_length(row)).filter(|length| *length > 0);
        Ok(length.filter(|_| dimensions.get(row) == Some(1)).map(of))
    })
}
