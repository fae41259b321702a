//! Circuits for people: as an indented text, as JSON, as a Mermaid graph.

use crate::Circuit;

/// The circuit as an indented tree from the output down; a shared node is printed once and referred to afterwards.
pub fn text(circuit: &Circuit) -> String {
    todo!()
}

/// The circuit as JSON.
pub fn json(circuit: &Circuit) -> String {
    todo!()
}

/// The circuit as a Mermaid flow chart.
pub fn mermaid(circuit: &Circuit) -> String {
    todo!()
}
