//! Recursions by hand.

#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use deltic_zset::ZBatch;

use super::evaluate;
use crate::{
    BinaryOp, Circuit, CircuitBuilder, CircuitError, Defined, Expr, JoinKey, JoinKind, NodeId, Properties, explain, render_row,
};

fn schema(columns: &[&str]) -> SchemaRef {
    Arc::new(Schema::new(columns.iter().map(|name| Field::new(*name, DataType::Int64, false)).collect::<Vec<_>>()))
}

/// `x = SELECT src FROM t UNION [ALL] SELECT dst FROM x JOIN t ON x.node = t.src`, and what `shown` makes of it.
fn reach(set: bool, limit: Option<u64>, shown: impl Fn(&mut CircuitBuilder, NodeId) -> NodeId) -> Result<Circuit, CircuitError> {
    let mut builder = CircuitBuilder::new();
    let t = builder.source("t", schema(&["src", "dst"]), Properties { append_only: true, ..Properties::default() });
    let x = builder.variable("x", schema(&["node"]));
    let first = vec![("node".to_owned(), builder.column(t, 0))];
    let start = builder.map_filter(t, vec![Expr::binary(BinaryOp::Equal, builder.column(t, 0), Expr::literal(1i64))], first)?;
    let pairs = builder.join(x, t, JoinKind::Inner, vec![JoinKey { left: 0, right: 0, null_safe: false }], None)?;
    let next = vec![("node".to_owned(), builder.column(pairs, 2))];
    let next = builder.map_filter(pairs, vec![], next)?;
    let union = builder.union(vec![start, next])?;
    let definition = if set { builder.distinct(union)? } else { union };
    let shown = shown(&mut builder, definition);
    let variables = [Defined { name: "x".to_owned(), source: x, definition }];
    let limit = limit.filter(|_| !builder.is_finite(&variables));
    let output = builder.fixpoint(&variables, shown, limit)?;
    builder.finish(output, None)
}

fn table(edges: &[(i64, i64)]) -> HashMap<String, ZBatch> {
    let column = |place: fn(&(i64, i64)) -> i64| -> ArrayRef { Arc::new(edges.iter().map(place).collect::<Int64Array>()) };
    let columns = vec![column(|edge| edge.0), column(|edge| edge.1)];
    HashMap::from([("t".to_owned(), ZBatch::new(schema(&["src", "dst"]), columns, None, edges.len()))])
}

fn show(circuit: &Circuit, edges: &[(i64, i64)]) -> (Vec<String>, Vec<String>) {
    let result = evaluate(circuit, &table(edges)).unwrap();
    let rows =
        |batch: &ZBatch| (0..batch.len()).map(|row| format!("{} x{}", render_row(batch, row), batch.weight(row))).collect();
    (rows(&result.rows), rows(&result.errors))
}

#[test]
fn a_set_is_reached_round_a_cycle() {
    let circuit = reach(true, Some(3), |_, shown| shown).unwrap();
    let (rows, errors) = show(&circuit, &[(1, 2), (2, 3), (3, 2), (3, 4), (4, 5), (5, 6), (7, 8)]);
    assert_eq!(rows, ["(1) x1", "(2) x1", "(3) x1", "(4) x1", "(5) x1", "(6) x1"]);
    assert!(errors.is_empty(), "a recursion that is known to end needs no limit");
    assert!(circuit.node(circuit.output).properties.append_only);
}

#[test]
fn copies_are_counted_or_there_is_an_error() {
    let circuit = reach(false, Some(9), |_, shown| shown).unwrap();
    let (rows, _) = show(&circuit, &[(1, 2), (2, 4), (1, 3), (3, 4)]);
    assert_eq!(rows, ["(1) x2", "(2) x2", "(3) x2", "(4) x4"]);
    let (rows, errors) = show(&circuit, &[(1, 2), (2, 1)]);
    assert!(rows.is_empty());
    let message = "the recursion of x has not come to an end after 9 iterations";
    assert_eq!(errors, [format!("('DT2010', '{message}', 'recursion', '()') x1")]);
    // Twice as many copies in each iteration: more than there are numbers, long before the limit.
    let circuit = reach(false, Some(1000), |_, shown| shown).unwrap();
    assert_eq!(show(&circuit, &[(1, 1), (1, 1)]).1.len(), 1);
    assert!(!circuit.node(circuit.output).properties.append_only);
}

#[test]
fn what_depends_on_no_variable_stays_outside() {
    let circuit = reach(true, None, |_, shown| shown).unwrap();
    let text = explain::text(&circuit);
    assert!(text.starts_with("[2] Fixpoint of x -> (node BIGINT NOT NULL) key (node) append-only\n  variable 0, x:\n"), "{text}");
    assert!(text.contains("Source input 0"), "{text}");
    assert!(text.contains("  [1] MapFilter select #0 where (#0 = 1)"), "{text}");
    let value: serde_json::Value = serde_json::from_str(&explain::json(&circuit)).unwrap();
    assert_eq!(value["nodes"][2]["recursion"]["variables"][0]["name"], "x");
    assert_eq!(value["nodes"][2]["recursion"]["body"]["nodes"][0]["operator"], "Source");
}

#[test]
fn some_operators_cannot_recur() {
    let negated = reach(true, None, |builder, shown| builder.negate(shown).unwrap()).unwrap();
    assert_eq!(show(&negated, &[(1, 2)]).0, ["(1) x-1", "(2) x-1"]);
    let refused =
        reach(true, None, |builder, shown| builder.time_window(shown, 0, crate::Window::Tumble { size: 5, offset: 0 }).unwrap());
    assert!(refused.unwrap_err().to_string().contains("time window"));
}
