//! Expressions over records: vectorised, a container at a time.
//!
//! The records are decoded to columns and evaluated as everywhere. What a batch has for weights is the number of the record here: weights are carried along
//! and never looked at, so they tell for each row that comes out, and for each error, which record it is from, and with that its time and its weight.

use arrow::datatypes::SchemaRef;
use deltic_circuit::{Expr, error_schema, map_filter};
use differential_dataflow::{AsCollection, VecCollection};
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;

use super::ErrorRow;
use super::format::{Format, Frame, Time};
use super::portable::Portable;
use super::weight::Weight;

/// Records within the recursion.
pub(super) type Inside<'scope, D> = VecCollection<'scope, Time, D, Weight>;

/// A filter and a projection.
pub(super) struct Evaluation {
    pub(super) predicates: Vec<Expr>,
    /// `None`: the columns stay.
    pub(super) projections: Option<Vec<Expr>>,
    pub(super) label: &'static str,
    pub(super) from: Frame,
    pub(super) to: Frame,
    pub(super) errors: Frame,
}

impl Evaluation {
    /// The records on which the predicates are true, projected, and the errors of those on which something fails.
    pub(super) fn apply<'scope, F: Format>(
        self,
        records: Inside<'scope, F::Row>,
    ) -> (Inside<'scope, F::Row>, Inside<'scope, ErrorRow>) {
        let mut builder = OperatorBuilder::new(self.label.to_owned(), records.inner.scope());
        let mut input = builder.new_input(records.inner, Pipeline);
        let (rows_output, rows) = builder.new_output::<Vec<(F::Row, Time, Weight)>>();
        let (errors_output, errors) = builder.new_output::<Vec<(ErrorRow, Time, Weight)>>();
        let (mut rows_output, mut errors_output) = (OutputBuilder::from(rows_output), OutputBuilder::from(errors_output));
        builder.build(move |_capabilities| {
            move |_frontiers| {
                let (mut rows_output, mut errors_output) = (rows_output.activate(), errors_output.activate());
                input.for_each(|capability, records| {
                    let (mut rows, mut errors) = self.evaluate::<F>(&std::mem::take(records));
                    if !rows.is_empty() {
                        rows_output.session(&capability).give_container(&mut rows);
                    }
                    if !errors.is_empty() {
                        errors_output.session(&capability).give_container(&mut errors);
                    }
                });
            }
        });
        (rows.as_collection(), errors.as_collection())
    }

    fn evaluate<F: Format>(&self, records: &[Record<F::Row>]) -> (Vec<Record<F::Row>>, Vec<Record<ErrorRow>>) {
        let numbers: Vec<i64> = (1..=records.len() as i64).collect();
        let columns = F::decode(&self.from, &mut records.iter().map(|(row, _, _)| row));
        let schema: SchemaRef = self.from.schema.clone();
        let batch = deltic_zset::ZBatch::new(schema, columns, Some(numbers.into()), records.len());
        let (rows, errors) = map_filter(&batch, &self.predicates, self.projections.as_deref(), &self.to.schema, self.label);
        let origin = |number: i64| {
            let (_, time, weight) = &records[number as usize - 1];
            (*time, *weight)
        };
        let mut results = Vec::with_capacity(rows.len());
        F::encode(&self.to, rows.columns(), rows.len(), &mut |row, encoded| {
            let (time, weight) = origin(rows.weight(row));
            results.push((encoded, time, weight));
        });
        let mut failed = Vec::new();
        if !errors.is_empty() {
            debug_assert_eq!(errors.schema(), &error_schema());
            Portable::encode(&self.errors, errors.columns(), errors.len(), &mut |row, encoded| {
                let (time, weight) = origin(errors.weight(row));
                failed.push((encoded, time, weight));
            });
        }
        (results, failed)
    }
}

type Record<D> = (D, Time, Weight);
