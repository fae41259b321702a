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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use arrow::datatypes::DataType;
    use datafusion_common::ScalarValue;
    use deltic_circuit::{BinaryOp, Operator};
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{Law, Row, check, circuit, history, schema};
    use crate::{Constant, Union};

    /// `SELECT c1 / c0 FROM s0 WHERE c0 < 2`
    fn law() -> Law<MapFilter> {
        let column = |index| Expr::column(index, DataType::Int64);
        let predicates = vec![Expr::binary(BinaryOp::Less, column(0), Expr::literal(2i64))];
        let projections = Some(vec![Expr::binary(BinaryOp::Divide, column(1), column(0))]);
        let output = schema(&[DataType::Int64]);
        let operator = Operator::MapFilter { predicates: predicates.clone(), projections: projections.clone() };
        let circuit = circuit(operator, &[schema(&[DataType::Int64, DataType::Int64])], &output);
        Law::new(MapFilter::new(predicates, projections, output), circuit, false)
    }

    fn row(left: i64, right: i64, weight: i64) -> Row {
        (vec![ScalarValue::Int64(Some(left)), ScalarValue::Int64(Some(right))], weight)
    }

    #[test]
    fn the_deletion_of_a_failing_row_retracts_its_error() {
        let mut law = law();
        assert_eq!(law.step(&[&[row(0, 1, 2), row(1, 6, 1), row(5, 0, 1)]])["(6)"], 1);
        assert_eq!(law.errors().values().copied().collect::<Vec<_>>(), [2]);
        law.step(&[&[row(0, 1, -2)]]);
        assert!(law.errors().is_empty());
    }

    #[test]
    fn a_union_is_the_sum_of_its_inputs() {
        let (left, right) = (schema(&[DataType::Int64]), schema(&[DataType::Int64]));
        let mut law = Law::new(Union::new(left.clone()), circuit(Operator::Union, &[left.clone(), right], &left), false);
        let batch = |weight| vec![crate::testing::batch(&left, &[(vec![ScalarValue::Int64(Some(1))], weight)])];
        law.epoch(&[batch(1), batch(1)]);
        law.epoch(&[batch(-1), vec![]]);
    }

    #[test]
    fn a_constant_is_emitted_once_and_by_one_worker() {
        let schema = schema(&[DataType::Int64]);
        let rows = crate::testing::batch(&schema, &[(vec![ScalarValue::Int64(Some(1))], 2)]);
        let circuit = circuit(Operator::Constant { rows: rows.clone() }, &[], &schema);
        let mut law = Law::new(Constant::new(rows.clone(), true), circuit, true);
        assert_eq!(law.epoch(&[]).rows.len(), 1);
        assert!(law.epoch(&[]).rows.is_empty());
        assert!(Constant::new(rows, false).close(1).rows.is_empty());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn it_is_linear(
            history in history((proptest::option::of(-1..4i64), prop_oneof![Just(i64::MIN), -2..3i64]).prop_map(|(left, right)| {
                vec![ScalarValue::Int64(left), ScalarValue::Int64(Some(right))]
            }))
        ) {
            check(law(), history);
        }
    }
}
