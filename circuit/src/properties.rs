//! What is known of a node's rows, derived from its operator and its inputs.
//!
//! A unique key is a promise about every consolidated state of the edge at the end of an epoch, not about each delta. The rules are sound and not
//! complete: a missing key costs speed (a `Distinct` that was not needed), a wrong one costs the result.

mod grids;
mod times;

use arrow::datatypes::SchemaRef;

pub(crate) use times::{slack, tied_slack};

use crate::frame::WindowFunction;
use crate::{Expr, JoinKind, Node, NodeId, Operator, Properties, SetOperationKind, Ties};

/// No node needs more than a few keys; joins would multiply them.
const MOST_KEYS: usize = 8;

/// The properties of a node that computes `operator` over `inputs` with output columns `schema`. A source has those of its relation:
/// they are not derived.
pub fn derive_properties(operator: &Operator, inputs: &[&Node], schema: &SchemaRef) -> Properties {
    let append_only = append_only(operator, inputs);
    let input = || inputs.first().map(|node| node.properties.unique_keys.clone()).unwrap_or_default();
    let unique_keys = match operator {
        Operator::Source { .. } | Operator::Union | Operator::Negate => Vec::new(),
        // One row is unique without any column.
        Operator::Constant { rows } if rows.len() <= 1 && rows.weights().is_none() => vec![vec![]],
        Operator::Constant { .. } => Vec::new(),
        Operator::Index { .. } => input(),
        Operator::MapFilter { projections: None, .. } => input(),
        Operator::MapFilter { projections: Some(projections), .. } => projected(&input(), projections),
        Operator::Join { kind, keys, .. } => joined(*kind, keys, inputs),
        Operator::Distinct => {
            let mut keys = input();
            keys.push((0..schema.fields().len()).collect());
            keys
        }
        Operator::SetOperation { kind } => of_set_operation(*kind, inputs, schema.fields().len()),
        // With their places, the elements of a row are different.
        Operator::Unnest { keep, ordinality: true, .. } => {
            let kept = |key: &Vec<usize>| key.iter().map(|column| keep.iter().position(|kept| kept == column)).collect();
            let keys = input().iter().filter_map(kept).collect::<Vec<Vec<usize>>>();
            keys.into_iter().map(|key| key.into_iter().chain([schema.fields().len() - 1]).collect()).collect()
        }
        Operator::Unnest { .. } => Vec::new(),
        Operator::MaxOneRow { group } => {
            let mut keys = input();
            keys.push(group.clone());
            keys
        }
        // The groups are the first columns of the output.
        Operator::Aggregate { group, .. } => vec![(0..group.len()).collect()],
        Operator::TopK { partition, limit, with_row_number, ties, .. } => {
            let mut keys = input();
            if *limit == Some(1) && *ties == Ties::Cut {
                keys.push(partition.clone());
            }
            if *with_row_number {
                keys.push(partition.iter().copied().chain([schema.fields().len() - 1]).collect());
            }
            keys
        }
        Operator::Fixpoint { recursion } => recursion.body.node(recursion.body.output).properties.unique_keys.clone(),
        // Copies of a row are rows of their own: only their number tells them apart.
        Operator::WindowFrame { partition, calls, .. } => {
            let mut keys = input();
            let width = schema.fields().len() - calls.len();
            let number = calls.iter().position(|call| call.function == WindowFunction::RowNumber);
            keys.extend(number.map(|number| partition.iter().copied().chain([width + number]).collect()));
            keys
        }
        Operator::TimeWindow { .. }
        | Operator::Session { .. }
        | Operator::Emit { .. }
        | Operator::TemporalFilter { .. }
        | Operator::IntervalJoin { .. }
        | Operator::AsOfJoin { .. }
        | Operator::TemporalLookup { .. } => times::unique_keys(operator, inputs, schema.fields().len()),
    };
    let width = schema.fields().len();
    Properties {
        unique_keys: minimal(unique_keys),
        append_only,
        time_sources: times::time_sources(operator, inputs),
        event_times: times::event_times(operator, inputs, width),
        closings: times::closings(operator, inputs, width),
        grids: grids::grids(operator, inputs, width),
    }
}

fn append_only(operator: &Operator, inputs: &[&Node]) -> bool {
    let all_inputs = inputs.iter().all(|node| node.properties.append_only);
    match operator {
        Operator::Constant { .. } => true,
        Operator::MapFilter { .. } | Operator::Union | Operator::Index { .. } | Operator::Distinct | Operator::Unnest { .. } => {
            all_inputs
        }
        Operator::SetOperation { kind: SetOperationKind::Intersect | SetOperationKind::IntersectAll } => all_inputs,
        // A row beside NULLs, or that is shown for having no match, goes when its first match comes.
        Operator::Join { kind, .. } => matches!(kind, JoinKind::Inner | JoinKind::Semi) && all_inputs,
        Operator::TopK { limit: None, offset: 0, with_row_number: false, .. } => all_inputs,
        Operator::Aggregate { group, aggregates } => aggregates.is_empty() && !group.is_empty() && all_inputs,
        // What one iteration adds, the next ones keep, and so do the epochs; but one that does not end has no rows.
        Operator::Fixpoint { recursion } => {
            let grows = |id: NodeId| recursion.body.node(id).properties.append_only;
            let variables = recursion.variables.iter().all(|variable| grows(variable.definition));
            recursion.limit.is_none() && all_inputs && variables && grows(recursion.body.output)
        }
        Operator::Source { .. }
        | Operator::Negate
        | Operator::TopK { .. }
        | Operator::WindowFrame { .. }
        | Operator::SetOperation { .. }
        | Operator::MaxOneRow { .. } => false,
        _ => times::append_only(operator, inputs),
    }
}

/// The rows are some of the left ones, and those of an intersection some of the right ones too.
fn of_set_operation(kind: SetOperationKind, inputs: &[&Node], width: usize) -> Vec<Vec<usize>> {
    use SetOperationKind::{Except, Intersect, IntersectAll};
    let sides = if matches!(kind, Intersect | IntersectAll) { 2 } else { 1 };
    let mut keys: Vec<Vec<usize>> = inputs.iter().take(sides).flat_map(|node| node.properties.unique_keys.clone()).collect();
    if matches!(kind, Except | Intersect) {
        keys.push((0..width).collect());
    }
    keys
}

/// Keys whose columns all survive, at their first new positions.
fn projected(keys: &[Vec<usize>], projections: &[Expr]) -> Vec<Vec<usize>> {
    let position = |column: &usize| projections.iter().position(|expr| expr.as_column() == Some(*column));
    keys.iter().filter_map(|key| key.iter().map(position).collect()).collect()
}

/// If a side has a key within its join columns, each row of the other side has one match at most: then the other side's keys stay keys.
/// A pair of keys is always one.
fn joined(kind: JoinKind, keys: &[crate::JoinKey], inputs: &[&Node]) -> Vec<Vec<usize>> {
    let [left, right] = inputs else { return Vec::new() };
    let width = left.schema.fields().len();
    let (left_keys, right_keys) = (&left.properties.unique_keys, &right.properties.unique_keys);
    if kind.is_left_only() {
        return left_keys.clone();
    }
    let shifted = |key: &Vec<usize>| -> Vec<usize> { key.iter().map(|column| column + width).collect() };
    let within = |unique: &[Vec<usize>], join: &dyn Fn(usize) -> bool| unique.iter().any(|key| key.iter().all(|&c| join(c)));
    let left_at_most_one = within(left_keys, &|column| keys.iter().any(|key| key.left == column));
    let right_at_most_one = within(right_keys, &|column| keys.iter().any(|key| key.right == column));
    let mut unique = Vec::new();
    // Rows of the right side without a match have NULLs in the left columns: several of them would agree there.
    if right_at_most_one && matches!(kind, JoinKind::Inner | JoinKind::Left) {
        unique.extend(left_keys.iter().cloned());
    }
    if left_at_most_one && matches!(kind, JoinKind::Inner | JoinKind::Right) {
        unique.extend(right_keys.iter().map(shifted));
    }
    if kind == JoinKind::Inner {
        for left in left_keys {
            unique.extend(right_keys.iter().map(|right| left.iter().copied().chain(shifted(right)).collect::<Vec<_>>()));
        }
    }
    unique
}

/// Each key sorted, without keys that contain another one.
fn minimal(keys: Vec<Vec<usize>>) -> Vec<Vec<usize>> {
    let mut sorted: Vec<Vec<usize>> = keys
        .into_iter()
        .map(|mut key| {
            key.sort_unstable();
            key.dedup();
            key
        })
        .collect();
    sorted.sort_by_key(|key| (key.len(), key.clone()));
    let mut minimal: Vec<Vec<usize>> = Vec::new();
    for key in sorted {
        if minimal.len() < MOST_KEYS && !minimal.iter().any(|less| less.iter().all(|column| key.contains(column))) {
            minimal.push(key);
        }
    }
    minimal
}
