//! [`retention`]: how long an operator needs what it remembers, and why.
//!
//! Derived from the event times of its inputs ([`crate::Properties::event_times`]): state that no later change of an input can touch, and that no later
//! output needs, is dropped. It is a matter of memory only; no result depends on it.

use crate::properties::{slack, tied_slack};
use crate::{Circuit, EmitPolicy, JoinKey, Node, NodeId, Operator, Ticks, TimeSource};

/// How long an operator keeps what it knows of an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Retention {
    /// It keeps nothing.
    Stateless,
    /// Rows, or the groups they belong to, go once the event time in `column` of the input is before the bound of `sources`
    /// ([`crate::EpochInfo::bound`]) less `slack`.
    While {
        /// Column of the input.
        column: usize,
        /// How far below the bound it is still needed.
        slack: i64,
        /// Whose least watermark it goes by.
        sources: Vec<TimeSource>,
    },
    /// As it happens: what is due leaves, in order of time.
    UntilDue {
        /// What it waits for, for people.
        what: &'static str,
    },
    /// As long as the rows are there.
    Unbounded {
        /// Why, for people.
        why: String,
    },
}

/// The retention of each input of a node, in the order of its ports. A [`Operator::Index`] holds the state of the joins that read it.
pub fn retention(circuit: &Circuit, id: NodeId) -> Vec<Retention> {
    let node = circuit.node(id);
    let inputs: Vec<&Node> = node.inputs.iter().map(|&input| circuit.node(input)).collect();
    if let Operator::TemporalLookup { .. } = &node.operator {
        return vec![looked_up(node, inputs[0]), Retention::Stateless];
    }
    let reads = |reader: &Node| matches!(reader.operator, Operator::TemporalLookup { .. }) && reader.inputs.get(1) == Some(&id);
    if circuit.nodes.iter().any(reads) {
        return inputs.iter().map(|_| Retention::Unbounded { why: "any later row may look it up".to_owned() }).collect();
    }
    if let Some(each) = stateless_or_due(&node.operator) {
        return inputs.iter().map(|_| each.clone()).collect();
    }
    if let Operator::Fixpoint { .. } = &node.operator {
        return recursive(inputs.len());
    }
    if !bounded_sources(node) {
        return inputs.iter().map(|_| Retention::Unbounded { why: unbounded_sources(node) }).collect();
    }
    let sources = &node.properties.time_sources;
    let kept_while = |column: usize, slack: i64| Retention::While { column, slack, sources: sources.clone() };
    match &node.operator {
        Operator::Aggregate { group, .. } => vec![by_columns(inputs[0], group.iter().copied(), "no group column has")],
        Operator::Distinct => vec![by_columns(inputs[0], 0..inputs[0].schema.fields().len(), "no column has")],
        Operator::MaxOneRow { group } => vec![by_columns(inputs[0], group.iter().copied(), "no group column has")],
        // Of a row, the copies on both sides are kept together.
        Operator::SetOperation { .. } => {
            let times = |column: usize| Some((slack(&inputs[0].properties, column)?, slack(&inputs[1].properties, column)?));
            let columns = (0..inputs[0].schema.fields().len()).filter_map(|column| Some((times(column)?, column)));
            let least = columns.map(|((left, right), column)| (left.max(right), column)).min();
            vec![
                least.map_or_else(|| no_event_time("no column of both sides has"), |(slack, column)| kept_while(column, slack));
                2
            ]
        }
        Operator::TopK { partition, .. } | Operator::WindowFrame { partition, .. } => {
            vec![by_columns(inputs[0], partition.iter().copied(), "no partition column has")]
        }
        Operator::Session { max_sessions: Some(_), .. } => {
            vec![Retention::Unbounded { why: "sessions that have ended count for the most sessions of a key".to_owned() }]
        }
        Operator::Session { time, .. } => vec![by_columns(inputs[0], [*time].into_iter(), "the time column has not")],
        Operator::Index { .. } => vec![index(circuit, id)],
        Operator::IntervalJoin { left_time, right_time, lower, upper, .. } => {
            let times = slack(&inputs[0].properties, *left_time).zip(slack(&inputs[1].properties, *right_time));
            let Some((left, right)) = times else { return vec![no_event_time("one of the time columns has not"); 2] };
            vec![
                kept_while(*left_time, left.max(right.saturating_add(*upper))),
                kept_while(*right_time, right.max(left.saturating_sub(*lower))),
            ]
        }
        Operator::AsOfJoin { left_time, right_time, .. } => {
            let times = slack(&inputs[0].properties, *left_time).zip(slack(&inputs[1].properties, *right_time));
            let Some((left, right)) = times else { return vec![no_event_time("one of the time columns has not"); 2] };
            // Less ends than this says: of the right rows before the bound, the last of each key stays for a join that looks back, and a left row of one
            // that looks ahead stays until it has a match before the bound.
            let slack = left.max(right);
            vec![kept_while(*left_time, slack), kept_while(*right_time, slack)]
        }
        _ => Vec::new(),
    }
}

/// What each left row of a lookup was shown beside: needed as long as the row may go.
fn looked_up(node: &Node, left: &Node) -> Retention {
    if left.properties.append_only {
        Retention::Stateless
    } else if bounded_sources(node) {
        by_columns(left, 0..left.schema.fields().len(), "no column has")
    } else {
        Retention::Unbounded { why: unbounded_sources(node) }
    }
}

fn recursive(inputs: usize) -> Vec<Retention> {
    vec![Retention::Unbounded { why: "a later row may bring any of its rows back".to_owned() }; inputs]
}

fn stateless_or_due(operator: &Operator) -> Option<Retention> {
    Some(match operator {
        Operator::Source { .. }
        | Operator::Constant { .. }
        | Operator::MapFilter { .. }
        | Operator::Union
        | Operator::Negate
        | Operator::Unnest { .. }
        | Operator::TimeWindow { .. }
        | Operator::Join { .. } => Retention::Stateless,
        Operator::Emit { policy: EmitPolicy::OnWindowClose(_) } => Retention::UntilDue { what: "until its window closes" },
        Operator::Emit { policy: EmitPolicy::Final(_) } => Retention::UntilDue { what: "until its window is closed for good" },
        Operator::Emit { policy: EmitPolicy::Every { ticks: Ticks::Clock, .. } } => {
            Retention::UntilDue { what: "until the next tick of the clock" }
        }
        Operator::Emit { policy: EmitPolicy::Every { ticks: Ticks::Watermark, .. } } => {
            Retention::UntilDue { what: "until the next tick of the watermark" }
        }
        Operator::TemporalFilter { .. } => Retention::UntilDue { what: "until the clock passes its last instant" },
        _ => return None,
    })
}

fn bounded_sources(node: &Node) -> bool {
    let sources = &node.properties.time_sources;
    !sources.is_empty() && sources.iter().all(|source| source.lateness.is_some())
}

fn unbounded_sources(node: &Node) -> String {
    match node.properties.time_sources.iter().find(|source| source.lateness.is_none()) {
        Some(source) => format!("{} accepts rows however late", source.relation),
        None => "no source has a watermark".to_owned(),
    }
}

fn no_event_time(which: &str) -> Retention {
    Retention::Unbounded { why: format!("{which} an event time that moves with a watermark") }
}

/// The column with the least slack.
fn by_columns(input: &Node, columns: impl Iterator<Item = usize>, none: &str) -> Retention {
    let with_slack = columns.filter_map(|column| Some((slack(&input.properties, column)?, column)));
    with_slack.min().map_or_else(
        || no_event_time(none),
        |(slack, column)| Retention::While { column, slack, sources: input.properties.time_sources.clone() },
    )
}

/// What every join that reads the index allows: the join column that they agree on, for as long as one of them needs it.
fn index(circuit: &Circuit, id: NodeId) -> Retention {
    let mut allowed: Option<(usize, i64, Vec<TimeSource>)> = None;
    for join in circuit.nodes.iter().filter(|node| node.inputs.contains(&id)) {
        let Operator::Join { keys, .. } = &join.operator else {
            return Retention::Unbounded { why: "it is read by another operator than a join".to_owned() };
        };
        if !bounded_sources(join) {
            return Retention::Unbounded { why: unbounded_sources(join) };
        }
        let inputs = [circuit.node(join.inputs[0]), circuit.node(join.inputs[1])];
        for port in (0..2).filter(|&port| join.inputs[port] == id) {
            let side = |key: &JoinKey| if port == 0 { key.left } else { key.right };
            let tied = keys.iter().filter_map(|key| Some((side(key), tied_slack(*key, &inputs)?))).min();
            let Some((column, slack)) = tied else { return no_event_time("no pair of join columns has") };
            let (known, most, sources) = allowed.get_or_insert((column, slack, Vec::new()));
            if *known != column {
                return Retention::Unbounded { why: "several joins need it for different times".to_owned() };
            }
            *most = slack.max(*most);
            sources.extend(join.properties.time_sources.iter().cloned());
        }
    }
    let Some((column, slack, mut sources)) = allowed else {
        return Retention::Unbounded { why: "nothing says how long it is needed".to_owned() };
    };
    sources.sort_unstable();
    sources.dedup();
    Retention::While { column, slack, sources }
}
