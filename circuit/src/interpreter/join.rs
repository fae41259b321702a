//! Joins by nested loops.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion_common::ScalarValue;
use deltic_zset::Error;

use super::relation::{Relation, Row, identity};
use crate::{CircuitError, Expr, JoinKey, JoinKind, map_filter};

/// The pairs that match, and for outer joins the rows without a match beside NULLs.
pub(super) fn join(
    kind: JoinKind,
    keys: &[JoinKey],
    residual: Option<&Expr>,
    left: &Relation,
    right: &Relation,
    schema: SchemaRef,
    errors: &mut Relation,
) -> Result<Relation, CircuitError> {
    let mut result = Relation::new(schema.clone());
    let (mut left_matched, mut right_matched) = (HashSet::new(), HashSet::new());
    let pairs = equal_pairs(keys, left, right, &schema)?;
    // The pairs are distinct rows: consolidating them loses nothing.
    let residual: Vec<Expr> = residual.cloned().into_iter().collect();
    let (matches, failed) = map_filter(&pairs.to_batch()?, &residual, None, &pairs.schema, "join condition");
    errors.add_all(&Relation::from_batch(&failed)?)?;
    let width = left.schema.fields().len();
    for (pair, weight) in Relation::from_batch(&matches)?.iter() {
        left_matched.insert(identity(&pair[..width]));
        right_matched.insert(identity(&pair[width..]));
        result.add(pair.clone(), weight)?;
    }
    if matches!(kind, JoinKind::Left | JoinKind::Full) {
        for (row, weight) in left.iter().filter(|(row, _)| !left_matched.contains(&identity(row))) {
            result.add(row.iter().cloned().chain(nulls(right)?).collect(), weight)?;
        }
    }
    if matches!(kind, JoinKind::Right | JoinKind::Full) {
        for (row, weight) in right.iter().filter(|(row, _)| !right_matched.contains(&identity(row))) {
            result.add(nulls(left)?.into_iter().chain(row.iter().cloned()).collect(), weight)?;
        }
    }
    Ok(result)
}

/// All pairs that agree in the keys, with the products of their weights.
fn equal_pairs(keys: &[JoinKey], left: &Relation, right: &Relation, schema: &SchemaRef) -> Result<Relation, CircuitError> {
    let fields = schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(true));
    let mut pairs = Relation::new(Arc::new(Schema::new(fields.collect::<Vec<Field>>())));
    for (left_row, left_weight) in left.iter() {
        for (right_row, right_weight) in right.iter() {
            if keys.iter().all(|key| agree(key, left_row, right_row)) {
                let weight = left_weight.checked_mul(right_weight).ok_or(Error::WeightOverflow)?;
                pairs.add(left_row.iter().chain(right_row).cloned().collect(), weight)?;
            }
        }
    }
    Ok(pairs)
}

fn agree(key: &JoinKey, left: &Row, right: &Row) -> bool {
    let (left, right) = (&left[key.left], &right[key.right]);
    if left.is_null() || right.is_null() {
        return key.null_safe && left.is_null() && right.is_null();
    }
    identity(std::slice::from_ref(left)) == identity(std::slice::from_ref(right))
}

fn nulls(side: &Relation) -> Result<Row, CircuitError> {
    let null = |data_type: &DataType| ScalarValue::try_new_null(data_type);
    let row = side.schema.fields().iter().map(|field| null(field.data_type())).collect::<Result<Row, _>>();
    row.map_err(|error| CircuitError::Arrow(arrow::error::ArrowError::ComputeError(error.to_string())))
}
