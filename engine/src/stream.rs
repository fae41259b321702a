//! What the workers call a stream.
//!
//! A stream keeps nothing, so a view over it starts empty, whatever the stream has brought before. To the workers, though, equal circuits are one, and
//! a new view starts from the state that an equal part of an older view has. So in their circuits a stream's name includes the epoch in which the
//! view was created: parts of views that saw the same rows of the stream are equal, and others are not.

use std::sync::Arc;

use deltic_circuit::{Circuit, CircuitRef, Operator};

/// In no identifier that SQL can spell.
const SEPARATOR: char = '\0';

/// `circuit` as the workers install it at the end of epoch `since`.
pub(crate) fn starting_at(circuit: &CircuitRef, since: u64, is_stream: impl Fn(&str) -> bool) -> CircuitRef {
    if !circuit.sources().into_iter().any(&is_stream) {
        return circuit.clone();
    }
    let mut renamed = Circuit::clone(circuit);
    for node in &mut renamed.nodes {
        if let Operator::Source { relation } = &mut node.operator
            && is_stream(relation)
        {
            *relation = format!("{relation}{SEPARATOR}{since}");
        }
    }
    Arc::new(renamed)
}

/// The name of a relation in the catalog.
pub(crate) fn base_name(relation: &str) -> &str {
    relation.split(SEPARATOR).next().unwrap_or(relation)
}
