//! Lists as rows.

use arrow::array::Array;
use arrow::datatypes::SchemaRef;
use datafusion_common::ScalarValue;

use super::relation::{Relation, Row, no_array};
use crate::CircuitError;

/// Per row, one row for each place of its longest list.
pub(super) fn unnest(
    input: &Relation,
    keep: &[usize],
    lists: &[usize],
    outer: bool,
    ordinality: bool,
    schema: SchemaRef,
) -> Result<Relation, CircuitError> {
    let mut result = Relation::new(schema.clone());
    for (row, weight) in input.iter() {
        let elements = lists.iter().map(|&list| elements(&row[list])).collect::<Result<Vec<Row>, _>>()?;
        let longest = elements.iter().map(Vec::len).max().unwrap_or_default();
        for place in 0..longest.max(usize::from(outer)) {
            let mut made: Row = keep.iter().map(|&column| row[column].clone()).collect();
            for list in &elements {
                let null = || ScalarValue::try_from(schema.field(made.len()).data_type()).map_err(no_array);
                made.push(list.get(place).cloned().map_or_else(null, Ok)?);
            }
            let number = (place < longest).then_some(place as i64 + 1);
            made.extend(ordinality.then_some(ScalarValue::Int64(number)));
            result.add(made, weight)?;
        }
    }
    Ok(result)
}

fn elements(list: &ScalarValue) -> Result<Row, CircuitError> {
    match list {
        ScalarValue::List(list) if !list.is_empty() && list.is_valid(0) => {
            let values = list.value(0);
            (0..values.len()).map(|place| ScalarValue::try_from_array(&values, place).map_err(no_array)).collect()
        }
        _ => Ok(Row::new()),
    }
}
