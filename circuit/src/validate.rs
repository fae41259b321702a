//! Checks that a circuit is well formed, so that operators need not.

use crate::{Circuit, CircuitError};

/// Checks order, arity, positions and types of every node.
///
/// # Errors
/// [`CircuitError::Invalid`] for the first node that does not fit.
pub fn validate(circuit: &Circuit) -> Result<(), CircuitError> {
    todo!()
}
