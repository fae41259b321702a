//! Which circuits have operators.

use deltic_circuit::{Circuit, Operator, operator_label};

use crate::error::{Error, Result};

/// Refuses a circuit with a node that no operator runs yet.
///
/// # Errors
/// DT1009 with the name of the node.
pub(crate) fn check(circuit: &Circuit) -> Result<()> {
    let missing =
        circuit.nodes.iter().find(|node| matches!(node.operator, Operator::IntervalJoin { .. } | Operator::AsOfJoin { .. }));
    match missing {
        None => Ok(()),
        Some(node) => {
            let message = format!("the operator '{}' is not supported", operator_label(&node.operator));
            Err(Error::new(deltic_sql::Code::Unsupported.as_str(), message))
        }
    }
}
