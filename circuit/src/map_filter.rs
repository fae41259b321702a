//! Filter and projection of one batch: what [`Operator::MapFilter`](crate::Operator::MapFilter) means, for the operator and the
//! interpreter alike.

use arrow::array::{Array, ArrayRef, AsArray, UInt32Array};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::SchemaRef;
use deltic_zset::ZBatch;

use crate::eval::Frame;
use crate::{ErrorRows, Evaluated, Expr, RowErrors, error_schema, render_row};

/// The rows of `batch` on which every predicate is true, projected, and the error rows of those that fail (`operator` is their
/// operator text).
///
/// The predicates are one conjunction: `false` in any of them drops the row whatever the others say, else an error in any of
/// them is an error, else NULL drops the row. Projections are evaluated on the rows that pass only, and a row has one error: of the
/// first predicate or projection that fails. Nothing is consolidated: equal rows of the output stay apart.
pub fn map_filter(
    batch: &ZBatch,
    predicates: &[Expr],
    projections: Option<&[Expr]>,
    schema: &SchemaRef,
    operator: &str,
) -> (ZBatch, ZBatch) {
    let (passing, mut errors) = Conjunction::new(batch).evaluate(predicates);
    let Some(projections) = projections else {
        let passed = match passing {
            None => batch.clone(),
            Some(rows) => batch.take(&rows.into()).unwrap_or_else(|_| ZBatch::empty(batch.schema().clone())),
        };
        return (passed.with_schema(schema.clone()), error_rows(batch, errors, operator));
    };
    let all = Frame { columns: batch.columns(), rows: batch.len() };
    let (gathered, weights) = match &passing {
        None => (batch.columns().to_vec(), batch.weights().cloned()),
        Some(rows) => {
            let weights = batch.weights().map(|weights| rows.iter().map(|&row| weights[row as usize]).collect());
            (all.gather(projections, rows), weights)
        }
    };
    let frame = Frame { columns: &gathered, rows: passing.as_ref().map_or(batch.len(), Vec::len) };
    let mut failing = RowErrors::none();
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(projections.len());
    for projection in projections {
        let Evaluated { values, errors } = frame.evaluate(projection);
        failing.merge(errors);
        columns.push(values);
    }
    let mut output = ZBatch::new(schema.clone(), columns, weights, frame.rows);
    if !failing.is_empty() {
        let rows: UInt32Array = (0..frame.rows).filter(|&row| failing.get(row).is_none()).map(|row| row as u32).collect();
        output = output.take(&rows).unwrap_or_else(|_| ZBatch::empty(schema.clone()));
        errors.merge(match &passing {
            None => failing,
            Some(passing) => failing.renumber(passing),
        });
    }
    (output, error_rows(batch, errors, operator))
}

fn error_rows(batch: &ZBatch, errors: RowErrors, operator: &str) -> ZBatch {
    if errors.is_empty() {
        return ZBatch::empty(error_schema());
    }
    let mut rows = ErrorRows::new();
    for (row, error) in errors.iter() {
        rows.push(error, operator, render_row(batch, row), batch.weight(row));
    }
    rows.finish()
}

/// A conjunction under evaluation. A row leaves once a conjunct is false; one that failed or was NULL stays, because a later conjunct may still be
/// false (or fail, for NULL), unless no later one can matter.
struct Conjunction<'a> {
    batch: &'a ZBatch,
    /// The rows still in play; `None` is all.
    open: Option<Vec<u32>>,
    /// Rows in play with a NULL conjunct.
    unknown: Vec<u32>,
    errors: RowErrors,
}

impl<'a> Conjunction<'a> {
    fn new(batch: &'a ZBatch) -> Self {
        Conjunction { batch, open: None, unknown: Vec::new(), errors: RowErrors::none() }
    }

    /// The rows on which every predicate is true (`None`: all), and the failing ones.
    fn evaluate(mut self, predicates: &[Expr]) -> (Option<Vec<u32>>, RowErrors) {
        for (position, predicate) in predicates.iter().enumerate() {
            let later_fail = predicates[position + 1..].iter().any(Expr::can_fail);
            self.apply(predicate, later_fail);
        }
        if self.unknown.is_empty() && self.errors.is_empty() {
            return (self.open, self.errors);
        }
        let unknown: std::collections::HashSet<u32> = self.unknown.into_iter().collect();
        let all = (0..self.batch.len() as u32).collect();
        let mut passing = self.open.unwrap_or(all);
        passing.retain(|row| !unknown.contains(row) && self.errors.get(*row as usize).is_none());
        (Some(passing), self.errors)
    }

    fn apply(&mut self, predicate: &Expr, later_fail: bool) {
        let frame = Frame { columns: self.batch.columns(), rows: self.batch.len() };
        let Evaluated { values, errors } = match &self.open {
            None => frame.evaluate(predicate),
            Some(rows) if rows.is_empty() => return,
            Some(rows) => {
                let columns = frame.gather(std::slice::from_ref(predicate), rows);
                Frame { columns: &columns, rows: rows.len() }.evaluate(predicate)
            }
        };
        let booleans = values.as_boolean();
        if errors.is_empty() && booleans.null_count() == 0 {
            if booleans.true_count() < booleans.len() {
                self.keep(booleans.values());
            }
            return;
        }
        if errors.is_empty() && self.errors.is_empty() && !later_fail {
            // NULL is as good as false now.
            self.keep(&booleans.nulls().map_or_else(|| booleans.values().clone(), |valid| valid.inner() & booleans.values()));
            return;
        }
        self.apply_with_nulls(booleans, errors, later_fail);
    }

    /// Keeps the open rows for which `keep` is set.
    fn keep(&mut self, keep: &BooleanBuffer) {
        let open = keep.set_indices().map(|position| self.row(position)).collect();
        self.leave(open);
    }

    fn apply_with_nulls(&mut self, booleans: &arrow::array::BooleanArray, errors: RowErrors, later_fail: bool) {
        let mut open = Vec::with_capacity(booleans.len());
        for position in 0..booleans.len() {
            let row = self.row(position);
            match (booleans.is_valid(position), errors.get(position)) {
                (true, _) if booleans.value(position) => open.push(row),
                (true, _) => {}
                (false, Some(error)) => {
                    self.errors.insert(row as usize, error.clone());
                    open.push(row);
                }
                // An error that this row already has is not forgotten.
                (false, None) if later_fail || self.errors.get(row as usize).is_some() => {
                    self.unknown.push(row);
                    open.push(row);
                }
                (false, None) => {}
            }
        }
        self.leave(open);
    }

    fn row(&self, position: usize) -> u32 {
        self.open.as_ref().map_or(position as u32, |open| open[position])
    }

    /// The rows in play are `open` from now on; rows that left are not errors any more.
    fn leave(&mut self, open: Vec<u32>) {
        self.errors.retain(|row| open.binary_search(&(row as u32)).is_ok());
        self.open = Some(open);
    }
}
