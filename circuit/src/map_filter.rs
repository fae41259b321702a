//! Filter and projection of one batch: what [`Operator::MapFilter`](crate::Operator::MapFilter) means, for the operator and the
//! interpreter alike.

use arrow::datatypes::SchemaRef;
use deltic_zset::ZBatch;

use crate::Expr;

/// The rows of `batch` on which every predicate is true, projected, and the error rows of those that fail (`operator` is their
/// operator text).
///
/// The predicates are one conjunction: `false` in any of them drops the row whatever the others say, else an error in any of
/// them is an error, else NULL drops the row. Projections are evaluated on the rows that pass only, and a row has one error: of the first predicate or projection that fails.
pub fn map_filter(
    batch: &ZBatch,
    predicates: &[Expr],
    projections: Option<&[Expr]>,
    schema: &SchemaRef,
    operator: &str,
) -> (ZBatch, ZBatch) {
    todo!()
}
