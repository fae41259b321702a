//! What each operator remembers, and for how long: the text of `EXPLAIN STATE`.

use std::fmt::Write;

use super::operator_text;
use crate::{AsOfComparison, Circuit, NodeId, Operator, Retention, TimeSource, retention};

/// One line per operator that keeps something, sources first: `[3] Session ..: while #1 >= watermark(bids) - 5000000`. State that grows with the
/// rows is called `unbounded`, with the reason.
pub fn state(circuit: &Circuit) -> String {
    let mut out = String::new();
    for (id, node) in circuit.nodes.iter().enumerate() {
        for (port, kept) in retention(circuit, NodeId(id)).into_iter().enumerate() {
            // All inputs of a recursion are kept alike.
            if port > 0 && matches!(node.operator, Operator::Fixpoint { .. }) {
                continue;
            }
            let side = match (&node.operator, port) {
                (Operator::IntervalJoin { .. } | Operator::AsOfJoin { .. } | Operator::SetOperation { .. }, 0) => " (left)",
                (Operator::IntervalJoin { .. } | Operator::AsOfJoin { .. } | Operator::SetOperation { .. }, _) => " (right)",
                (Operator::TemporalLookup { .. }, 0) => " (left)",
                _ => "",
            };
            if let Some(text) = retention_text(&kept) {
                let more = also_kept(&node.operator, port, &kept);
                let _ = writeln!(out, "[{id}] {}{side}: {text}{more}", operator_text(&node.operator));
            }
        }
    }
    if out.is_empty() { "stateless\n".to_owned() } else { out }
}

/// What of an as-of join stays although a watermark has passed it.
fn also_kept(operator: &Operator, port: usize, kept: &Retention) -> &'static str {
    let (Operator::AsOfJoin { comparison, .. }, Retention::While { .. }) = (operator, kept) else { return "" };
    match (comparison, port) {
        (AsOfComparison::GreaterOrEqual | AsOfComparison::Greater, 1) => ", and of each key the last row before that",
        (AsOfComparison::LessOrEqual | AsOfComparison::Less, 0) => ", or until a row before that is its match",
        _ => "",
    }
}

fn retention_text(kept: &Retention) -> Option<String> {
    Some(match kept {
        Retention::Stateless => return None,
        Retention::While { column, slack, sources } => format!("while #{column} >= {}", bound_text(sources, *slack)),
        Retention::UntilDue { what } => (*what).to_owned(),
        Retention::Unbounded { why } => format!("unbounded: {why}"),
    })
}

fn bound_text(sources: &[TimeSource], slack: i64) -> String {
    let watermark = |source: &TimeSource| match source.lateness.unwrap_or_default() {
        0 => format!("watermark({})", source.relation),
        lateness => format!("watermark({}) - {lateness}", source.relation),
    };
    let each: Vec<String> = sources.iter().map(watermark).collect();
    let least = if each.len() == 1 { each.concat() } else { format!("least({})", each.join(", ")) };
    match slack {
        0 => least,
        slack if slack > 0 => format!("{least} - {slack}"),
        slack => format!("{least} + {}", slack.unsigned_abs()),
    }
}
