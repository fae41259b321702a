//! What an operator promises, checked at every call in debug builds.
//!
//! The wrapper checks that batches fit the schemas of their ports, that epochs are closed in order (without state there is none to keep),
//! that an operator with state does not emit a row twice in one delta, and that no row of a relation that is a set of groups ends with
//! a negative number of copies. The last one needs the integral of the output, so it is checked for the first ten thousand rows and
//! not beyond.

use arrow::datatypes::SchemaRef;
use deltic_circuit::Node;

use crate::EpochOperator;

/// `operator` under check, if this is a debug build. `inputs` are the schemas of its ports.
#[cfg(not(debug_assertions))]
pub(crate) fn checked(operator: Box<dyn EpochOperator>, _node: &Node, _inputs: Vec<SchemaRef>) -> Box<dyn EpochOperator> {
    operator
}

#[cfg(debug_assertions)]
pub(crate) use debug::checked;

#[cfg(debug_assertions)]
mod debug {
    use std::collections::HashMap;

    use deltic_circuit::{EpochInfo, Operator, error_schema, operator_label, render_row};
    use deltic_zset::ZBatch;
    use deltic_zset::hash::hash_columns;

    use super::{EpochOperator, Node, SchemaRef};
    use crate::{Output, StateSize, WindowMetrics};

    /// The most rows of an integral that are kept for the check of its sign.
    const TRACKED_ROWS: usize = 10_000;

    /// `operator` under check. `inputs` are the schemas of its ports.
    pub(crate) fn checked(operator: Box<dyn EpochOperator>, node: &Node, inputs: Vec<SchemaRef>) -> Box<dyn EpochOperator> {
        let stateless = matches!(
            node.operator,
            Operator::MapFilter { .. }
                | Operator::Union
                | Operator::Negate
                | Operator::Unnest { .. }
                | Operator::TimeWindow { .. }
        );
        let groups = matches!(
            node.operator,
            Operator::Distinct
                | Operator::SetOperation { .. }
                | Operator::MaxOneRow { .. }
                | Operator::Aggregate { .. }
                | Operator::TopK { .. }
                | Operator::WindowFrame { .. }
                | Operator::Session { .. }
        );
        let waiting = matches!(
            node.operator,
            Operator::Emit { .. } | Operator::TemporalFilter { .. } | Operator::AsOfJoin { .. } | Operator::Fixpoint { .. }
        );
        Box::new(Contract {
            operator,
            label: operator_label(&node.operator),
            inputs,
            schema: node.schema.clone(),
            closed: None,
            stateless,
            consolidated: groups || waiting,
            integral: groups.then(HashMap::new),
        })
    }

    struct Contract {
        operator: Box<dyn EpochOperator>,
        label: &'static str,
        inputs: Vec<SchemaRef>,
        schema: SchemaRef,
        closed: Option<u64>,
        /// Whether epochs may be closed in any order, and once per batch.
        stateless: bool,
        consolidated: bool,
        /// Weight by row hash; none if it is not checked, or not any more.
        integral: Option<HashMap<u64, i64>>,
    }

    impl Contract {
        fn check_schema(&self, batch: &ZBatch, schema: &SchemaRef, what: &str) {
            let types = |schema: &SchemaRef| schema.fields().iter().map(|field| field.data_type().clone()).collect::<Vec<_>>();
            assert_eq!(types(batch.schema()), types(schema), "{}: {what} does not fit", self.label);
        }

        fn check_rows(&mut self, rows: &[ZBatch]) {
            let mut hashes = Vec::new();
            let mut seen = HashMap::new();
            for batch in rows {
                self.check_schema(batch, &self.schema, "output");
                if !self.consolidated {
                    continue;
                }
                hash_columns(batch.columns(), batch.len(), &mut hashes);
                for (row, &hash) in hashes.iter().enumerate() {
                    let weight = batch.weight(row);
                    assert_ne!(weight, 0, "{}: {} has weight 0", self.label, render_row(batch, row));
                    let twice = seen.insert(hash, ()).is_some();
                    assert!(!twice, "{}: {} occurs twice in a delta", self.label, render_row(batch, row));
                    self.integrate(hash, weight, || render_row(batch, row));
                }
            }
        }

        fn integrate(&mut self, hash: u64, weight: i64, row: impl Fn() -> String) {
            let Some(integral) = &mut self.integral else { return };
            let total = integral.entry(hash).or_default();
            *total += weight;
            assert!(*total >= 0, "{}: {} has {total} copies", self.label, row());
            if *total == 0 {
                integral.remove(&hash);
            } else if integral.len() > TRACKED_ROWS {
                self.integral = None;
            }
        }
    }

    impl EpochOperator for Contract {
        fn push(&mut self, port: usize, batch: ZBatch) {
            self.check_schema(&batch, &self.inputs[port], "input");
            self.operator.push(port, batch);
        }

        fn observe(&mut self, info: &EpochInfo) {
            self.operator.observe(info);
        }

        fn close(&mut self, epoch: u64) -> Output {
            let in_order = self.stateless || self.closed.is_none_or(|closed| closed < epoch);
            assert!(in_order, "{}: epoch {epoch} is closed after {:?}", self.label, self.closed);
            self.closed = Some(epoch);
            let output = self.operator.close(epoch);
            self.check_rows(&output.rows);
            for errors in &output.errors {
                self.check_schema(errors, &error_schema(), "error output");
            }
            output
        }

        fn contents(&self) -> Option<ZBatch> {
            self.operator.contents()
        }

        fn state_size(&self) -> StateSize {
            self.operator.state_size()
        }

        fn metrics(&self) -> WindowMetrics {
            self.operator.metrics()
        }
    }
}
