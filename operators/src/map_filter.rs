//! [`MapFilter`]: filter and projection, the operator that remembers nothing.
//!
//! It is linear: the delta of the output is the function applied to the delta of the input. What makes that true of the
//! *errors* as well is that the evaluator's answer for a row depends on the row alone, so the deletion of a row that
//! failed retracts the very error that its insertion produced.

use arrow::datatypes::SchemaRef;
use deltic_circuit::{Expr, map_filter};
use deltic_zset::ZBatch;

use crate::{EpochOperator, Output};

/// The operator text of the errors of a filter or projection ([`deltic_circuit::operator_label`]).
const LABEL: &str = "filter/projection";

/// Keeps the rows on which every predicate is true, and projects them.
pub struct MapFilter {
    predicates: Vec<Expr>,
    projections: Option<Vec<Expr>>,
    schema: SchemaRef,
    output: Output,
}

impl MapFilter {
    /// The operator; `schema` is that of its output.
    pub fn new(predicates: Vec<Expr>, projections: Option<Vec<Expr>>, schema: SchemaRef) -> Self {
        MapFilter { predicates, projections, schema, output: Output::default() }
    }
}

impl EpochOperator for MapFilter {
    fn push(&mut self, _port: usize, batch: ZBatch) {
        let (rows, errors) = map_filter(&batch, &self.predicates, self.projections.as_deref(), &self.schema, LABEL);
        self.output.push(rows, errors);
    }

    fn close(&mut self, _epoch: u64) -> Output {
        std::mem::take(&mut self.output)
    }
}
