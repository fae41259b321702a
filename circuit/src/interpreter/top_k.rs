//! Top-k by sorting every partition.

use std::cmp::Ordering;
use std::collections::HashMap;

use arrow::datatypes::SchemaRef;
use datafusion_common::ScalarValue;

use super::relation::{Relation, Row, identity};
use crate::{CircuitError, SortKey, Ties};

/// Which copies of a partition are kept.
pub(super) struct Bounds {
    pub(super) offset: u64,
    pub(super) limit: Option<u64>,
    pub(super) ties: Ties,
}

/// The copies `offset .. offset + limit` of each partition in the total order.
pub(super) fn top_k(
    input: &Relation,
    partition: &[usize],
    order: &[SortKey],
    bounds: Bounds,
    with_row_number: bool,
    schema: SchemaRef,
) -> Result<Relation, CircuitError> {
    let mut partitions: HashMap<Row, Vec<(&Row, i64)>> = HashMap::new();
    for (row, weight) in input.iter().filter(|(_, weight)| *weight > 0) {
        let key: Row = partition.iter().map(|&column| row[column].clone()).collect();
        partitions.entry(identity(&key)).or_default().push((row, weight));
    }
    let number_type = schema.fields().last().map(|field| field.data_type().clone());
    let mut result = Relation::new(schema);
    let (first, end) = (i128::from(bounds.offset), bounds.limit.map(|limit| i128::from(bounds.offset) + i128::from(limit)));
    for mut rows in partitions.into_values() {
        rows.sort_by(|left, right| compare(left.0, right.0, order));
        if bounds.ties == Ties::AsOne {
            first_groups(&rows, order, bounds.limit, &mut result)?;
            continue;
        }
        let mut before = 0i128;
        let mut last: Option<&Row> = None;
        for (row, weight) in rows {
            let after = before + i128::from(weight);
            let tied = bounds.ties == Ties::Kept && last.is_some_and(|last| compare_keys(last, row, order).is_eq());
            let (from, to) = (before.max(first), end.filter(|_| !tied).map_or(after, |end| after.min(end)));
            // The rest of the copies of the last row are equal to it.
            let to = if bounds.ties == Ties::Kept && from < to { after } else { to };
            if from < to {
                last = Some(row);
            }
            if from < to && !with_row_number {
                result.add(row.clone(), (to - from) as i64)?;
            } else if let Some(number_type) = number_type.as_ref().filter(|_| with_row_number) {
                for position in from..to {
                    let number = ScalarValue::UInt64(Some(position as u64 + 1)).cast_to(number_type).map_err(cast_failed)?;
                    result.add(row.iter().cloned().chain([number]).collect(), 1)?;
                }
            }
            before = after;
        }
    }
    Ok(result)
}

/// The rows, which are in order, of the first groups of peers.
fn first_groups(rows: &[(&Row, i64)], order: &[SortKey], limit: Option<u64>, result: &mut Relation) -> Result<(), CircuitError> {
    let groups = rows.chunk_by(|left, right| compare_keys(left.0, right.0, order).is_eq());
    let groups = groups.take(limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX)));
    groups.flatten().try_for_each(|(row, weight)| result.add((*row).clone(), *weight))
}

fn cast_failed(error: datafusion_common::DataFusionError) -> CircuitError {
    CircuitError::Arrow(arrow::error::ArrowError::ComputeError(error.to_string()))
}

/// All columns ascending, NULLs last.
pub(super) fn compare_rows(left: &Row, right: &Row) -> Ordering {
    compare(left, right, &[])
}

/// The order keys, then every column ascending with NULLs last.
pub(super) fn compare(left: &Row, right: &Row, order: &[SortKey]) -> Ordering {
    let rest: Vec<SortKey> = (0..left.len()).map(|column| SortKey { column, descending: false, nulls_first: false }).collect();
    compare_keys(left, right, order).then_with(|| compare_keys(left, right, &rest))
}

/// The order keys only: equal rows are peers.
pub(super) fn compare_keys(left: &Row, right: &Row, order: &[SortKey]) -> Ordering {
    order
        .iter()
        .fold(Ordering::Equal, |decided, &key| decided.then_with(|| compare_key(&left[key.column], &right[key.column], key)))
}

/// The order of two values by a key.
pub(crate) fn compare_key(left: &ScalarValue, right: &ScalarValue, key: SortKey) -> Ordering {
    match (left.is_null(), right.is_null()) {
        (true, true) => Ordering::Equal,
        (true, false) => {
            if key.nulls_first {
                Ordering::Less
            } else {
                Ordering::Greater
            }
        }
        (false, true) => {
            if key.nulls_first {
                Ordering::Greater
            } else {
                Ordering::Less
            }
        }
        (false, false) => {
            let ascending = compare_values(left, right);
            if key.descending { ascending.reverse() } else { ascending }
        }
    }
}

/// The order of two values of one type, neither NULL.
pub(crate) fn compare_values(left: &ScalarValue, right: &ScalarValue) -> Ordering {
    match (left, right) {
        // Canonical NaN is the greatest in the total order of floats.
        (ScalarValue::Float64(Some(left)), ScalarValue::Float64(Some(right))) => left.total_cmp(right),
        (ScalarValue::Float32(Some(left)), ScalarValue::Float32(Some(right))) => left.total_cmp(right),
        (ScalarValue::List(_) | ScalarValue::Struct(_) | ScalarValue::Map(_), _) => compare_nested(left, right),
        _ => {
            let (left, right) = (identity(std::slice::from_ref(left)), identity(std::slice::from_ref(right)));
            left[0].partial_cmp(&right[0]).unwrap_or(Ordering::Equal)
        }
    }
}

/// Lists, structs and maps element by element, NULLs in them last, as Arrow's comparator.
fn compare_nested(left: &ScalarValue, right: &ScalarValue) -> Ordering {
    let options = arrow::compute::SortOptions { descending: false, nulls_first: false };
    let arrays = left.to_array().and_then(|left| Ok((left, right.to_array()?)));
    arrays
        .ok()
        .and_then(|(left, right)| arrow::array::make_comparator(&left, &right, options).ok())
        .map_or(Ordering::Equal, |compare| compare(0, 0))
}
