//! [`Union`]: the sum of several Z-sets (`UNION ALL`).
//!
//! Addition needs no work: the batches of all ports pass through under the output's schema, whose column names are those
//! of the first input. A row that two inputs have stays two rows; who needs the sum consolidates.

use arrow::datatypes::SchemaRef;
use deltic_zset::ZBatch;

use crate::{EpochOperator, Output};

/// The sum of all inputs.
pub struct Union {
    schema: SchemaRef,
    rows: Vec<ZBatch>,
}

impl Union {
    /// The operator; `schema` is that of its output.
    pub fn new(schema: SchemaRef) -> Self {
        Union { schema, rows: Vec::new() }
    }
}

impl EpochOperator for Union {
    fn push(&mut self, _port: usize, batch: ZBatch) {
        if !batch.is_empty() {
            self.rows.push(batch.with_schema(self.schema.clone()));
        }
    }

    fn close(&mut self, _epoch: u64) -> Output {
        Output { rows: std::mem::take(&mut self.rows), errors: Vec::new() }
    }
}
