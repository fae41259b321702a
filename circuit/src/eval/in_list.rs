//! `IN` over literals: a comparison per literal for short lists, a hash set of encoded rows for long ones.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray};
use arrow::compute;
use arrow::datatypes::DataType;
use arrow::row::{RowConverter, SortField};
use datafusion_common::ScalarValue;
use deltic_zset::types;

use super::compare;
use super::value::{Evaluation, Value};
use crate::{BinaryOp, RowErrors};

/// Up to this many literals a kernel per literal is faster than hashing each row.
const SHORT: usize = 12;

/// `input [NOT] IN (list)`: NULL for a NULL, and for a value that is not found if the list had a NULL.
pub(super) fn in_list(input: &Value, list: &[ScalarValue], list_has_null: bool, negated: bool, rows: usize) -> Evaluation {
    let found = if list.len() <= SHORT || input.inner().data_type().is_nested() || is_interval(input) {
        by_comparison(input, list, rows)
    } else {
        by_hash(input, list).unwrap_or_else(|| by_comparison(input, list, rows))
    };
    if !found.errors.is_empty() {
        return found;
    }
    let found = found.value.into_array(if input.is_scalar() { 1 } else { rows });
    let Some(found) = found.as_any().downcast_ref::<BooleanArray>() else {
        return super::unsupported("IN", &[input], rows);
    };
    let values = input.inner();
    let result: BooleanArray = (0..values.len())
        .map(|row| match found.is_valid(row) && found.value(row) {
            // Without any literal, nothing is compared with: `NULL IN ()` is false.
            _ if values.is_null(row) && (!list.is_empty() || list_has_null) => None,
            true => Some(!negated),
            false if list_has_null => None,
            false => Some(negated),
        })
        .collect();
    Evaluation::like(Arc::new(result), input)
}

fn is_interval(input: &Value) -> bool {
    matches!(input.inner().data_type(), DataType::Interval(_))
}

fn by_comparison(input: &Value, list: &[ScalarValue], rows: usize) -> Evaluation {
    let none = BooleanArray::from(vec![false; input.inner().len()]);
    let mut found = Evaluation::like(Arc::new(none), input);
    for literal in list {
        let literal = super::literal(literal, rows).value;
        let equal = compare::compare(BinaryOp::Equal, input, &literal, rows);
        if !equal.errors.is_empty() {
            return equal;
        }
        let (Some(left), Some(right)) = (boolean(&found), boolean(&equal)) else { continue };
        if let Ok(either) = compute::or_kleene(left, right) {
            found = Evaluation::like(Arc::new(either), input);
        }
    }
    found
}

fn boolean(evaluation: &Evaluation) -> Option<&BooleanArray> {
    evaluation.value.inner().as_any().downcast_ref::<BooleanArray>()
}

/// `None` if the literals are not of the type of the input (then nothing can be said by bytes).
fn by_hash(input: &Value, list: &[ScalarValue]) -> Option<Evaluation> {
    let data_type = input.inner().data_type();
    let literals: ArrayRef = ScalarValue::iter_to_array(list.iter().cloned()).ok()?;
    let literals = types::canonicalize(&literals).ok()?;
    if literals.data_type() != data_type {
        return None;
    }
    let converter = RowConverter::new(vec![SortField::new(data_type.clone())]).ok()?;
    let literals = converter.convert_columns(&[literals]).ok()?;
    let set: HashSet<&[u8]> = literals.iter().map(|row| row.data()).collect();
    let values = converter.convert_columns(std::slice::from_ref(input.inner())).ok()?;
    let found: BooleanArray = values.iter().map(|row| Some(set.contains(row.data()))).collect();
    Some(Evaluation { value: Evaluation::like(Arc::new(found), input).value, errors: RowErrors::none() })
}
