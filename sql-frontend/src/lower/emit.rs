//! EMIT: where in the circuit of a view its rows are held back, and whether the clause means anything there.
//!
//! What is shown is decided by the window of a row, so the node goes where the rows still have a column that says when their window closes: onto the
//! result, or below its last filters and projections, through which rows pass one by one.

use deltic_circuit::{Circuit, Closing, EmitPolicy, Node, NodeId, Operator, Ticks, derive_properties};

use super::circuit_error;
use crate::SqlError;
use crate::error::{Code, Position};

/// What EMIT says, its interval evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EmitMode {
    OnWindowClose,
    Final,
    Every { interval: i64, ticks: Ticks },
}

/// `circuit` with EMIT.
///
/// # Errors
/// If the clause cannot mean anything for the query.
pub(crate) fn emit(circuit: Circuit, mode: EmitMode, position: Position) -> Result<Circuit, SqlError> {
    let (at, policy) = match mode {
        EmitMode::Every { interval, ticks } => (circuit.output.0, EmitPolicy::Every { interval, ticks }),
        EmitMode::OnWindowClose => {
            let (at, closing) = closing(&circuit, "EMIT ON WINDOW CLOSE", position)?;
            (at, EmitPolicy::OnWindowClose(closing))
        }
        EmitMode::Final => {
            let (at, closing) = closing(&circuit, "EMIT FINAL", position)?;
            check_final(&circuit.nodes[at], closing, position)?;
            (at, EmitPolicy::Final(closing))
        }
    };
    let circuit = insert(circuit, at, policy);
    deltic_circuit::validate(&circuit).map_err(|error| circuit_error(&error).or_at(position))?;
    Ok(circuit)
}

/// The last node whose rows say when their windows close, and how.
fn closing(circuit: &Circuit, clause: &str, position: Position) -> Result<(usize, Closing), SqlError> {
    let mut at = circuit.output.0;
    loop {
        let node = &circuit.nodes[at];
        if let Some(closing) = node.properties.closings.first() {
            return Ok((at, *closing));
        }
        match (&node.operator, node.inputs.as_slice()) {
            (Operator::MapFilter { .. }, [input]) => at = input.0,
            _ => return Err(no_closing(circuit, clause, position)),
        }
    }
}

fn no_closing(circuit: &Circuit, clause: &str, position: Position) -> SqlError {
    let is_window = |node: &Node| matches!(node.operator, Operator::TimeWindow { .. } | Operator::Session { .. });
    let closes = |node: &Node| !node.properties.closings.is_empty();
    let (problem, hint) = if circuit.nodes.iter().any(closes) {
        let hint = "keep window_end (or window_start) in GROUP BY, PARTITION BY and the SELECT lists up to the result";
        ("the rows of the result do not say which window they belong to", hint)
    } else if circuit.nodes.iter().any(is_window) {
        let hint = "declare WATERMARK FOR the time column in CREATE TABLE or CREATE STREAM";
        ("no watermark closes the windows: the time has none, or has lost it on the way", hint)
    } else {
        ("the query has no window", "use TUMBLE, HOP, CUMULATE or SESSION, or EMIT EVERY")
    };
    SqlError::new(Code::Query, position, format!("{clause} means nothing here: {problem}")).with_hint(hint)
}

/// Whether no row can change once its window is closed and nothing more is accepted for it.
fn check_final(node: &Node, closing: Closing, position: Position) -> Result<(), SqlError> {
    let error = |problem: String| SqlError::new(Code::Query, position, format!("EMIT FINAL cannot be kept: {problem}"));
    if let Some(source) = node.properties.time_sources.iter().find(|source| source.lateness.is_none()) {
        let message = format!("{} accepts rows however late, so no window is ever final", source.relation);
        return Err(error(message).with_hint("use another late_policy than 'accept', or EMIT ON WINDOW CLOSE"));
    }
    let time = node.properties.event_times.iter().find(|time| time.column == closing.column);
    if time.is_some_and(|time| closing.is_final_under(*time)) {
        return Ok(());
    }
    let problem = "a row can change after its window has closed, because it depends on more than the rows of that window";
    let hint = "use EMIT ON WINDOW CLOSE; or join and rank within the window, by its window_end";
    Err(error(problem.to_string()).with_hint(hint))
}

/// Puts a node onto `at`. All that follow it are filters and projections, each over the one before.
fn insert(mut circuit: Circuit, at: usize, policy: EmitPolicy) -> Circuit {
    let pipe = circuit.nodes.split_off(at + 1);
    let operator = Operator::Emit { policy };
    let schema = circuit.nodes[at].schema.clone();
    let properties = derive_properties(&operator, &[&circuit.nodes[at]], &schema);
    circuit.nodes.push(Node { operator, inputs: vec![NodeId(at)], schema, properties });
    for mut node in pipe {
        let below = circuit.nodes.len() - 1;
        node.properties = derive_properties(&node.operator, &[&circuit.nodes[below]], &node.schema);
        node.inputs = vec![NodeId(below)];
        circuit.nodes.push(node);
    }
    circuit.output = NodeId(circuit.nodes.len() - 1);
    circuit
}
