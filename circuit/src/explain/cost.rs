//! What each operator costs: the text of `EXPLAIN COST`.

use std::collections::{HashMap, HashSet};
use std::fmt::Write;

use super::{operator_text, partial_note};
use crate::cost::{StateCost, cost};
use crate::{Circuit, NodeId};

/// The tree of [`super::text`] with, per operator, the work for a changed row and the state it keeps. `shared` are the views that have a node of the same
/// fingerprint already: it is built once for all of them.
pub fn costs(circuit: &Circuit, shared: &HashMap<NodeId, Vec<String>>) -> String {
    let mut out = String::new();
    write_tree(&mut out, circuit, shared, circuit.output, 0, &mut HashSet::new());
    out
}

fn write_tree(
    out: &mut String,
    circuit: &Circuit,
    shared: &HashMap<NodeId, Vec<String>>,
    id: NodeId,
    depth: usize,
    printed: &mut HashSet<NodeId>,
) {
    let node = circuit.node(id);
    let indent = "  ".repeat(depth);
    let _ = write!(out, "{indent}[{}] {}{}", id.0, operator_text(&node.operator), partial_note(node));
    if !printed.insert(id) {
        let _ = writeln!(out, " (as above)");
        return;
    }
    let cost = cost(circuit, id);
    let _ = writeln!(out, "\n{indent}    work: {}, {}", cost.growth, cost.work);
    let state = cost.state.iter().map(state_text).collect::<Vec<_>>().join("; ");
    let state = if state.is_empty() { "none".to_owned() } else { state };
    let with = match shared.get(&id) {
        Some(views) if !cost.state.is_empty() => format!(" (shared with {})", views.join(", ")),
        _ => String::new(),
    };
    let _ = writeln!(out, "{indent}    state: {state}{with}");
    for &input in &node.inputs {
        write_tree(out, circuit, shared, input, depth + 1, printed);
    }
}

fn state_text(state: &StateCost) -> String {
    let texts = match state.texts {
        0 => String::new(),
        1 => " and the text of 1 column".to_owned(),
        texts => format!(" and the text of {texts} columns"),
    };
    format!("about {} bytes{texts} per {}", state.bytes, state.per)
}
