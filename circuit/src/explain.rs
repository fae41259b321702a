//! Circuits for people: as an indented text, as JSON, as a Mermaid graph. All three show of each node its operator, its columns with types,
//! its unique keys and whether it is append-only.

mod cost;
mod state;
#[cfg(test)]
mod tests;
mod timed;

pub use cost::costs;
pub use state::state;

use std::collections::HashSet;
use std::fmt::Write;

use serde_json::{Value, json};

use crate::aggregate::Cost;
use crate::eval::text::sql_type;
use crate::{
    AggregateCall, Circuit, Expr, JoinKey, JoinKind, Node, NodeId, Operator, Recursion, SetOperationKind, SortKey, Ties,
    Variable, aggregate_text, window_text,
};

/// The columns of partial results have names that begin so: of facts that are aggregated by the key of a join, before they are joined.
pub const PARTIAL: &str = "__partial_";

/// The circuit as an indented tree from the output down; a shared node is printed once and referred to afterwards.
pub fn text(circuit: &Circuit) -> String {
    let mut out = String::new();
    write_tree(&mut out, circuit, circuit.output, 0, &mut HashSet::new());
    out
}

fn write_tree(out: &mut String, circuit: &Circuit, id: NodeId, depth: usize, printed: &mut HashSet<NodeId>) {
    let node = circuit.node(id);
    let indent = "  ".repeat(depth);
    let _ = write!(out, "{indent}[{}] {}", id.0, node_text(circuit, node));
    if !printed.insert(id) && !node.inputs.is_empty() {
        let _ = writeln!(out, " (as above)");
        return;
    }
    let _ = writeln!(out, " -> {}", facts(node));
    if let Operator::Fixpoint { recursion } = &node.operator {
        write_definitions(out, recursion, depth + 1);
    }
    for &input in &node.inputs {
        write_tree(out, circuit, input, depth + 1, printed);
    }
}

/// The definitions of a recursion, each a tree with numbers of its own.
fn write_definitions(out: &mut String, recursion: &Recursion, depth: usize) {
    let mut printed = HashSet::new();
    for (number, variable) in recursion.variables.iter().enumerate() {
        let _ = writeln!(out, "{}variable {number}, {}:", "  ".repeat(depth), variable.name);
        write_tree(out, &recursion.body, variable.definition, depth + 1, &mut printed);
    }
    if recursion.variables.iter().all(|variable| variable.definition != recursion.body.output) {
        let _ = writeln!(out, "{}shown:", "  ".repeat(depth));
        write_tree(out, &recursion.body, recursion.body.output, depth + 1, &mut printed);
    }
}

/// The columns and what is known of the rows: `(id BIGINT NOT NULL, v VARCHAR) key (id) append-only`.
fn facts(node: &Node) -> String {
    let columns: Vec<String> = node
        .schema
        .fields()
        .iter()
        .map(|field| {
            let not_null = if field.is_nullable() { "" } else { " NOT NULL" };
            format!("{} {}{not_null}", field.name(), sql_type(field.data_type()))
        })
        .collect();
    let mut text = format!("({})", columns.join(", "));
    for key in &node.properties.unique_keys {
        let _ = write!(text, " key ({})", column_names(node, key).join(", "));
    }
    text.push_str(if node.properties.append_only { " append-only" } else { "" });
    let times: Vec<usize> = node.properties.event_times.iter().map(|time| time.column).collect();
    if !times.is_empty() {
        let _ = write!(text, " event time ({})", column_names(node, &times).join(", "));
    }
    text
}

fn column_names(node: &Node, columns: &[usize]) -> Vec<String> {
    columns.iter().map(|&column| node.schema.field(column).name().clone()).collect()
}

/// The operator with its parameters, and of an aggregate what a changed row costs, where that is not O(1).
fn node_text(circuit: &Circuit, node: &Node) -> String {
    let Operator::Aggregate { group, aggregates } = &node.operator else { return operator_text(&node.operator) };
    let append_only = node.inputs.iter().all(|&input| circuit.node(input).properties.append_only);
    let costed = |call: &AggregateCall| {
        let cost = match call.cost(append_only) {
            Cost::Constant => "",
            Cost::Logarithmic => " [O(log n)]",
            Cost::Group => " [O(group)]",
        };
        aggregate_text(call) + cost
    };
    aggregation_text(group, aggregates.iter().map(costed)) + partial_note(node)
}

/// Says of partial results what they are.
fn partial_note(node: &Node) -> &'static str {
    let is_partial = matches!(&node.operator, Operator::Aggregate { .. })
        && node.schema.fields().iter().any(|field| field.name().starts_with(PARTIAL));
    if is_partial { " (partial, below the join)" } else { "" }
}

fn aggregation_text(group: &[usize], calls: impl Iterator<Item = String>) -> String {
    let calls = calls.collect::<Vec<_>>().join(", ");
    let group = if group.is_empty() { String::new() } else { format!(" by ({})", positions(group)) };
    format!("Aggregate{group} {calls}").trim_end().to_owned()
}

/// The operator with its parameters, columns as `#position`.
fn operator_text(operator: &Operator) -> String {
    match operator {
        Operator::Source { relation } => format!("Source {relation}"),
        Operator::Constant { rows } => format!("Constant {} row{}", rows.len(), if rows.len() == 1 { "" } else { "s" }),
        Operator::MapFilter { predicates, projections } => {
            let filter = if predicates.is_empty() { String::new() } else { format!(" where {}", joined(predicates, " AND ")) };
            let project = projections.as_ref().map_or_else(String::new, |exprs| format!(" select {}", joined(exprs, ", ")));
            format!("MapFilter{project}{filter}")
        }
        Operator::Union => "Union".to_owned(),
        Operator::Negate => "Negate".to_owned(),
        Operator::Index { key } => format!("Index by ({})", positions(key)),
        Operator::Join { kind, keys, residual } => {
            let keys = keys.iter().map(key_text).collect::<Vec<_>>().join(" AND ");
            let on = if keys.is_empty() { String::new() } else { format!(" on {keys}") };
            let residual = residual.as_ref().map_or_else(String::new, |residual| format!(" where {residual}"));
            format!("Join {}{on}{residual}", kind_text(*kind))
        }
        Operator::Distinct => "Distinct".to_owned(),
        Operator::SetOperation { kind } => format!("SetOperation {}", set_operation_text(*kind)),
        Operator::Unnest { keep, lists, outer, ordinality } => {
            let outer = if *outer { " outer" } else { "" };
            let keep = if keep.is_empty() { String::new() } else { format!(" beside ({})", positions(keep)) };
            let ordinality = if *ordinality { " with ordinality" } else { "" };
            format!("Unnest{outer} ({}){keep}{ordinality}", positions(lists))
        }
        Operator::MaxOneRow { group } if group.is_empty() => "MaxOneRow".to_owned(),
        Operator::MaxOneRow { group } => format!("MaxOneRow per ({})", positions(group)),
        Operator::Aggregate { group, aggregates } => aggregation_text(group, aggregates.iter().map(aggregate_text)),
        Operator::TopK { partition, order, offset, limit, with_row_number, ties } => {
            let mut text = "TopK".to_owned();
            let order = order.iter().map(sort_text).collect::<Vec<_>>().join(", ");
            let partition = if partition.is_empty() { String::new() } else { format!(" per ({})", positions(partition)) };
            text.push_str(&partition);
            text.push_str(&if order.is_empty() { String::new() } else { format!(" order by {order}") });
            text.push_str(&limit.map_or_else(String::new, |limit| format!(" limit {limit}")));
            text.push_str(match ties {
                Ties::Cut => "",
                Ties::Kept => " with ties",
                Ties::AsOne => " groups",
            });
            text.push_str(&if *offset == 0 { String::new() } else { format!(" offset {offset}") });
            text.push_str(if *with_row_number { " with row number" } else { "" });
            text
        }
        Operator::Fixpoint { recursion } => {
            let names: Vec<&str> = recursion.variables.iter().map(|variable| variable.name.as_str()).collect();
            let limit = recursion.limit.map_or_else(String::new, |limit| format!(" limit {limit}"));
            format!("Fixpoint of {}{limit}", names.join(", "))
        }
        Operator::WindowFrame { partition, order, calls } => {
            let calls = calls.iter().map(window_text).collect::<Vec<_>>().join(", ");
            let order = order.iter().map(sort_text).collect::<Vec<_>>().join(", ");
            let partition = if partition.is_empty() { String::new() } else { format!(" per ({})", positions(partition)) };
            let order = if order.is_empty() { String::new() } else { format!(" order by {order}") };
            format!("WindowFrame{partition}{order}: {calls}")
        }
        timed => timed::operator_text(timed),
    }
}

fn joined(exprs: &[Expr], separator: &str) -> String {
    exprs.iter().map(ToString::to_string).collect::<Vec<_>>().join(separator)
}

fn positions(columns: &[usize]) -> String {
    columns.iter().map(|column| format!("#{column}")).collect::<Vec<_>>().join(", ")
}

/// Columns of the left and the right input.
fn key_text(key: &JoinKey) -> String {
    let operator = if key.null_safe { "IS NOT DISTINCT FROM" } else { "=" };
    format!("left #{} {operator} right #{}", key.left, key.right)
}

/// A column of an order: `#2 DESC`.
pub(crate) fn sort_text(key: &SortKey) -> String {
    let direction = if key.descending { " DESC" } else { "" };
    // PostgreSQL's default is NULLs as the greatest value.
    let nulls = match (key.descending, key.nulls_first) {
        (false, true) => " NULLS FIRST",
        (true, false) => " NULLS LAST",
        _ => "",
    };
    format!("#{}{direction}{nulls}", key.column)
}

fn kind_text(kind: JoinKind) -> &'static str {
    match kind {
        JoinKind::Inner => "inner",
        JoinKind::Left => "left",
        JoinKind::Right => "right",
        JoinKind::Full => "full",
        JoinKind::Semi => "semi",
        JoinKind::Anti => "anti",
    }
}

fn set_operation_text(kind: SetOperationKind) -> &'static str {
    match kind {
        SetOperationKind::Except => "except",
        SetOperationKind::ExceptAll => "except all",
        SetOperationKind::Intersect => "intersect",
        SetOperationKind::IntersectAll => "intersect all",
    }
}

/// The circuit as JSON: `{"output": id, "nodes": [..]}`.
pub fn json(circuit: &Circuit) -> String {
    format!("{:#}", circuit_json(circuit))
}

fn circuit_json(circuit: &Circuit) -> Value {
    let nodes: Vec<Value> = circuit.nodes.iter().enumerate().map(|(id, node)| node_json(circuit, id, node)).collect();
    json!({ "output": circuit.output.0, "nodes": nodes })
}

/// The definitions of a recursion and the circuit that they are in.
fn recursion_json(recursion: &Recursion) -> Value {
    let variable = |variable: &Variable| json!({ "name": variable.name, "definition": variable.definition.0 });
    let variables: Vec<Value> = recursion.variables.iter().map(variable).collect();
    json!({ "limit": recursion.limit, "variables": variables, "body": circuit_json(&recursion.body) })
}

fn node_json(circuit: &Circuit, id: usize, node: &Node) -> Value {
    let columns: Vec<Value> = node
        .schema
        .fields()
        .iter()
        .map(|field| json!({ "name": field.name(), "type": sql_type(field.data_type()), "nullable": field.is_nullable() }))
        .collect();
    let keys: Vec<Vec<String>> = node.properties.unique_keys.iter().map(|key| column_names(node, key)).collect();
    let mut value = json!({
        "id": id,
        "operator": operator_name(&node.operator),
        "description": node_text(circuit, node),
        "inputs": node.inputs.iter().map(|input| input.0).collect::<Vec<_>>(),
        "columns": columns,
        "unique_keys": keys,
        "append_only": node.properties.append_only,
        "event_times": node.properties.event_times.iter().map(|time| node.schema.field(time.column).name()).collect::<Vec<_>>(),
    });
    if let Operator::Fixpoint { recursion } = &node.operator {
        value["recursion"] = recursion_json(recursion);
    }
    value
}

fn operator_name(operator: &Operator) -> &'static str {
    match operator {
        Operator::Source { .. } => "Source",
        Operator::Constant { .. } => "Constant",
        Operator::MapFilter { .. } => "MapFilter",
        Operator::Union => "Union",
        Operator::Negate => "Negate",
        Operator::Index { .. } => "Index",
        Operator::Join { .. } => "Join",
        Operator::Distinct => "Distinct",
        Operator::SetOperation { .. } => "SetOperation",
        Operator::Unnest { .. } => "Unnest",
        Operator::MaxOneRow { .. } => "MaxOneRow",
        Operator::Aggregate { .. } => "Aggregate",
        Operator::TopK { .. } => "TopK",
        Operator::WindowFrame { .. } => "WindowFrame",
        Operator::TimeWindow { .. } => "TimeWindow",
        Operator::Session { .. } => "Session",
        Operator::Emit { .. } => "Emit",
        Operator::TemporalFilter { .. } => "TemporalFilter",
        Operator::IntervalJoin { .. } => "IntervalJoin",
        Operator::AsOfJoin { .. } => "AsOfJoin",
        Operator::TemporalLookup { .. } => "TemporalLookup",
        Operator::Fixpoint { .. } => "Fixpoint",
    }
}

/// The circuit as a Mermaid flow chart, sources at the top.
pub fn mermaid(circuit: &Circuit) -> String {
    let mut out = String::from("flowchart TD\n");
    for (id, node) in circuit.nodes.iter().enumerate() {
        let label = format!("{}\n{}", node_text(circuit, node), facts(node));
        let _ = writeln!(out, "  n{id}[\"{}\"]", escape(&label));
        for input in &node.inputs {
            let _ = writeln!(out, "  n{} --> n{id}", input.0);
        }
    }
    let _ = writeln!(out, "  n{} --> output([\"output\"])", circuit.output.0);
    out
}

/// Mermaid reads labels as HTML with its own entity for `#`, which begins every column here.
fn escape(label: &str) -> String {
    let mut escaped = String::with_capacity(label.len());
    for character in label.chars() {
        match character {
            '#' => escaped.push_str("#35;"),
            '"' => escaped.push_str("#quot;"),
            '<' => escaped.push_str("#lt;"),
            '>' => escaped.push_str("#gt;"),
            '\n' => escaped.push_str("<br/>"),
            other => escaped.push(other),
        }
    }
    escaped
}
