//! The reference: what a circuit means, by recomputation from whole relations. Slow, plain, and the judge of the operators.

use std::collections::HashMap;

use deltic_zset::ZBatch;

use crate::{Circuit, CircuitError};

/// The output of a circuit, both parts consolidated.
#[derive(Clone, Debug)]
pub struct Interpreted {
    /// The rows of the view.
    pub rows: ZBatch,
    /// Its error relation ([`crate::error_schema`]).
    pub errors: ZBatch,
}

/// Evaluates `circuit` over the whole contents of its sources.
///
/// # Errors
/// If a source is missing or does not fit, or has a negative weight.
pub fn evaluate(circuit: &Circuit, sources: &HashMap<String, ZBatch>) -> Result<Interpreted, CircuitError> {
    todo!()
}
