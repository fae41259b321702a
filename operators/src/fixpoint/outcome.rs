//! [`Outcome`]: what a recursion shows of its rows.
//!
//! All of them, unless it has not come to an end within its limit: then no rows, no errors but one, until it does again. What there would be is kept
//! for that, so this operator has state if there is a limit.

use arrow::datatypes::SchemaRef;
use deltic_circuit::{ErrorRows, EvalError, error_schema};
use deltic_zset::ZBatch;

use super::size::Arrangements;
use crate::exchange::coalesce;
use crate::{EpochOperator, Output, StateSize};

/// The last operator of a recursion. Its ports: the rows, the errors, and rows without columns that tell how many workers know that the limit
/// was reached.
pub(super) struct Outcome {
    limit: Option<Limit>,
    pending: [Vec<ZBatch>; 3],
    /// Of the loop.
    arrangements: Arrangements,
}

struct Limit {
    error: EvalError,
    /// Whether this worker is the one with the error row.
    tells: bool,
    rows: Kept,
    errors: Kept,
    /// How many workers know that the limit was reached.
    over: i64,
}

impl Outcome {
    /// `error` is what is said when the limit is reached, if there is one; `tells` is true on one worker.
    pub(super) fn new(schema: SchemaRef, error: Option<EvalError>, tells: bool, arrangements: Arrangements) -> Self {
        let limit =
            error.map(|error| Limit { error, tells, rows: Kept::new(schema), errors: Kept::new(error_schema()), over: 0 });
        Outcome { limit, pending: Default::default(), arrangements }
    }
}

impl EpochOperator for Outcome {
    fn push(&mut self, port: usize, batch: ZBatch) {
        self.pending[port].push(batch);
    }

    fn close(&mut self, _epoch: u64) -> Output {
        let [rows, errors, over] = std::mem::take(&mut self.pending);
        let Some(limit) = &mut self.limit else { return Output { rows: coalesce(rows), errors: coalesce(errors) } };
        let was_over = limit.over > 0;
        limit.over += over.iter().flat_map(|batch| (0..batch.len()).map(|row| batch.weight(row))).sum::<i64>();
        let is_over = limit.over > 0;
        let mut output = Output::default();
        if was_over != is_over {
            output.errors.extend(limit.told(if is_over { 1 } else { -1 }));
        }
        if is_over && !was_over {
            output.rows.extend(limit.rows.negated());
            output.errors.extend(limit.errors.negated());
        }
        if !is_over && !was_over {
            output.rows.extend(rows.iter().cloned());
            output.errors.extend(errors.iter().cloned());
        }
        limit.rows.add(rows);
        limit.errors.add(errors);
        if !is_over && was_over {
            output.rows.extend(limit.rows.contents());
            output.errors.extend(limit.errors.contents());
        }
        Output { rows: coalesce(output.rows), errors: coalesce(output.errors) }
    }

    fn state_size(&self) -> StateSize {
        let kept = self.limit.as_ref().map_or_else(StateSize::default, |limit| limit.rows.size().plus(limit.errors.size()));
        self.arrangements.size().plus(kept)
    }
}

impl Limit {
    fn told(&self, weight: i64) -> Option<ZBatch> {
        let mut errors = ErrorRows::new();
        errors.push(&self.error, "recursion", "()".to_owned(), weight);
        self.tells.then(|| errors.finish())
    }
}

/// An integral, consolidated whenever it has doubled.
struct Kept {
    schema: SchemaRef,
    batches: Vec<ZBatch>,
    rows: usize,
    rows_when_consolidated: usize,
}

/// Not consolidated below this number of rows.
const LEAST: usize = 64;

impl Kept {
    fn new(schema: SchemaRef) -> Self {
        Kept { schema, batches: Vec::new(), rows: 0, rows_when_consolidated: 0 }
    }

    fn add(&mut self, delta: Vec<ZBatch>) {
        self.rows += delta.iter().map(ZBatch::len).sum::<usize>();
        self.batches.extend(delta);
        if self.rows > 2 * self.rows_when_consolidated + LEAST {
            self.consolidate();
        }
    }

    fn consolidate(&mut self) {
        if let Ok(sum) = ZBatch::concat(&self.schema, &self.batches).and_then(|all| all.consolidate()) {
            self.batches = if sum.is_empty() { Vec::new() } else { vec![sum] };
        }
        self.rows = self.batches.iter().map(ZBatch::len).sum();
        self.rows_when_consolidated = self.rows;
    }

    fn contents(&mut self) -> Vec<ZBatch> {
        self.consolidate();
        self.batches.clone()
    }

    fn negated(&mut self) -> Vec<ZBatch> {
        self.consolidate();
        // Weights below 2^60 have a negative.
        self.batches.iter().filter_map(|batch| batch.negate().ok()).collect()
    }

    fn size(&self) -> StateSize {
        StateSize { rows: self.rows, bytes: self.batches.iter().map(ZBatch::memory_bytes).sum() }
    }
}
