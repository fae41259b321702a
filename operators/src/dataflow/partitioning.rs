//! [`Partitioning`]: how the rows of an edge lie on the workers, and when an exchange is needed.
//!
//! The rows of an edge may be placed by the hash of some columns. There can be several true answers: after an inner join, the left keys and
//! the right keys say the same. Operators that group need rows that agree on the group columns to be together, for which a
//! placement by *some* of these columns is enough; the two sides of a join must be placed by the same function, so there it is exactly the
//! key columns, in order.

use deltic_circuit::{Circuit, Expr, IntervalJoinKind, JoinKey, JoinKind, Node, Operator, SessionOutput};

/// Column lists by any of which the rows are placed; none if nothing is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Partitioning(Vec<Vec<usize>>);

impl Partitioning {
    fn by(columns: &[usize]) -> Self {
        Partitioning(vec![columns.to_vec()])
    }

    fn is_exactly(&self, columns: &[usize]) -> bool {
        self.0.iter().any(|placed_by| placed_by == columns)
    }

    fn is_within(&self, columns: &[usize]) -> bool {
        self.0.iter().any(|placed_by| placed_by.iter().all(|column| columns.contains(column)))
    }

    /// The same placement after columns have moved; `position` tells where to, or that one is gone.
    fn moved(&self, position: impl Fn(usize) -> Option<usize>) -> Self {
        let moved = self.0.iter().filter_map(|placed_by| placed_by.iter().map(|&column| position(column)).collect());
        Partitioning(moved.collect())
    }
}

/// The columns by which the input at `port` of `node` must be exchanged, given how it lies; `None` if it may stay.
pub(super) fn exchange(circuit: &Circuit, node: &Node, port: usize, input: &Partitioning) -> Option<Vec<usize>> {
    let (wanted, exactly) = match &node.operator {
        Operator::Index { key } => (key.clone(), true),
        Operator::Aggregate { group, .. } | Operator::MaxOneRow { group } => (group.clone(), false),
        Operator::TopK { partition, .. } | Operator::WindowFrame { partition, .. } | Operator::Session { partition, .. } => {
            (partition.clone(), false)
        }
        Operator::IntervalJoin { keys, .. } | Operator::AsOfJoin { keys, .. } => {
            let side = |key: &JoinKey| if port == 0 { key.left } else { key.right };
            (keys.iter().map(side).collect(), true)
        }
        Operator::SetOperation { .. } => ((0..circuit.node(node.inputs[port]).schema.fields().len()).collect(), true),
        // The right side lies where its index is.
        Operator::TemporalLookup { keys, .. } if port == 0 => (keys.iter().map(|key| key.left).collect(), true),
        Operator::Distinct => ((0..circuit.node(node.inputs[0]).schema.fields().len()).collect(), false),
        _ => return None,
    };
    let lies_so = if exactly { input.is_exactly(&wanted) } else { input.is_within(&wanted) };
    (!lies_so).then_some(wanted)
}

/// The columns of the input at `port` of `node` by which its rows must be together.
pub(crate) fn group_columns(circuit: &Circuit, node: &Node, port: usize) -> Vec<usize> {
    exchange(circuit, node, port, &Partitioning::default()).unwrap_or_default()
}

/// How the output of `node` lies, given how its inputs do (after the exchange).
pub(super) fn of_output(circuit: &Circuit, node: &Node, inputs: &[Partitioning]) -> Partitioning {
    match &node.operator {
        Operator::MapFilter { projections: Some(projections), .. } => inputs[0].moved(|column| {
            projections.iter().position(|projection| matches!(projection, Expr::Column { index, .. } if *index == column))
        }),
        Operator::MapFilter { projections: None, .. }
        | Operator::Negate
        | Operator::Distinct
        | Operator::TopK { .. }
        | Operator::MaxOneRow { .. } => inputs[0].clone(),
        Operator::Union | Operator::SetOperation { .. } => match inputs {
            [first, rest @ ..] => Partitioning(
                first.0.iter().filter(|columns| rest.iter().all(|input| input.is_exactly(columns))).cloned().collect(),
            ),
            [] => Partitioning::default(),
        },
        Operator::Unnest { keep, .. } => inputs[0].moved(|column| keep.iter().position(|&kept| kept == column)),
        Operator::Index { key } => Partitioning::by(key),
        Operator::Aggregate { group, .. } => {
            inputs[0].moved(|column| group.iter().position(|&group_column| group_column == column))
        }
        Operator::Join { kind, keys, .. } => of_join(circuit, node, *kind, keys),
        Operator::WindowFrame { .. } | Operator::TimeWindow { .. } | Operator::Emit { .. } | Operator::TemporalFilter { .. } => {
            inputs[0].clone()
        }
        Operator::Session { output: SessionOutput::Rows, .. } => inputs[0].clone(),
        Operator::Session { partition, output: SessionOutput::Aggregates(_), .. } => {
            inputs[0].moved(|column| partition.iter().position(|&key| key == column))
        }
        Operator::IntervalJoin { kind, keys, .. } => {
            let kind = match kind {
                IntervalJoinKind::Inner => JoinKind::Inner,
                IntervalJoinKind::Left | IntervalJoinKind::Semi | IntervalJoinKind::Anti => JoinKind::Left,
                IntervalJoinKind::Right => JoinKind::Right,
                IntervalJoinKind::Full => JoinKind::Full,
            };
            of_join(circuit, node, kind, keys)
        }
        Operator::AsOfJoin { kind, keys, .. } | Operator::TemporalLookup { kind, keys, .. } => {
            of_join(circuit, node, *kind, keys)
        }
        Operator::Source { .. } | Operator::Constant { .. } | Operator::Fixpoint { .. } => Partitioning::default(),
    }
}

/// How pairs lie: as the keys of either side. A row without a match has NULLs on the other side, and lies where its own key says.
fn of_join(circuit: &Circuit, node: &Node, kind: JoinKind, keys: &[JoinKey]) -> Partitioning {
    let left_width = circuit.node(node.inputs[0]).schema.fields().len();
    let left: Vec<usize> = keys.iter().map(|key| key.left).collect();
    let right: Vec<usize> = keys.iter().map(|key| left_width + key.right).collect();
    match kind {
        JoinKind::Inner => Partitioning(vec![left, right]),
        JoinKind::Left | JoinKind::Semi | JoinKind::Anti => Partitioning::by(&left),
        JoinKind::Right => Partitioning::by(&right),
        JoinKind::Full if keys.is_empty() => Partitioning::by(&[]),
        JoinKind::Full => Partitioning::default(),
    }
}

/// How the input of `node` lies once it is exchanged by `columns`.
pub(super) fn after_exchange(input: &Partitioning, columns: Option<&[usize]>) -> Partitioning {
    columns.map_or_else(|| input.clone(), Partitioning::by)
}
