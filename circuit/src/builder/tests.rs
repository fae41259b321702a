//! Circuits are built once per meaning, prune what is not needed, and refuse what does not fit.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion_common::ScalarValue;

use crate::{
    BinaryOp, Circuit, CircuitBuilder, CircuitError, Expr, JoinKey, JoinKind, NodeId, Operator, Properties, SortKey, fingerprint,
    validate,
};

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("id", DataType::Int64, false), Field::new("v", DataType::Utf8, true)]))
}

fn keyed(builder: &mut CircuitBuilder, name: &str) -> NodeId {
    builder.source(name, schema(), Properties { unique_keys: vec![vec![0]], append_only: false, ..Properties::default() })
}

fn id() -> Expr {
    Expr::column(0, DataType::Int64)
}

#[test]
fn equal_nodes_are_made_once_whatever_their_columns_are_called() {
    let mut builder = CircuitBuilder::new();
    let t = keyed(&mut builder, "t");
    assert_eq!(keyed(&mut builder, "t"), t);
    let x = builder.map_filter(t, vec![], vec![("x".to_owned(), id())]).unwrap();
    let y = builder.map_filter(t, vec![], vec![("y".to_owned(), id())]).unwrap();
    assert_eq!(x, y);
    let text = builder.map_filter(t, vec![], vec![("x".to_owned(), id().cast(DataType::Utf8))]).unwrap();
    assert_ne!(x, text);
}

#[test]
fn finish_renames_and_leaves_out_what_is_not_needed() {
    let mut builder = CircuitBuilder::new();
    keyed(&mut builder, "unused");
    let t = keyed(&mut builder, "t");
    let distinct = builder.distinct(t).unwrap();
    assert_eq!(distinct, t, "a row with a key is there once");
    let output = builder.map_filter(t, vec![], vec![("v".to_owned(), Expr::column(1, DataType::Utf8))]).unwrap();
    let circuit = builder.finish(output, Some(&["name".to_owned()])).unwrap();
    assert_eq!(circuit.nodes.len(), 2);
    assert_eq!(circuit.sources(), ["t"]);
    assert_eq!(circuit.schema().field(0).name(), "name");
}

#[test]
fn fingerprints_depend_on_meaning_and_not_on_position() {
    let circuit = |others: usize, bound: i64| {
        let mut builder = CircuitBuilder::new();
        let t = keyed(&mut builder, "t");
        let mut parts = vec![];
        for other in 0..others {
            parts.push(builder.filter(t, vec![id().equal(Expr::literal(other as i64))]).unwrap());
        }
        parts.push(builder.filter(t, vec![Expr::binary(BinaryOp::Less, id(), Expr::literal(bound))]).unwrap());
        let output = builder.union(parts).unwrap();
        builder.finish(output, None).unwrap()
    };
    let (alone, beside, other) = (circuit(0, 5), circuit(2, 5), circuit(0, 6));
    assert_eq!(fingerprint(&alone)[1], fingerprint(&beside)[3]);
    assert_ne!(fingerprint(&alone)[1], fingerprint(&other)[1]);
    assert_ne!(fingerprint(&alone)[2], fingerprint(&beside)[4]);
    // Types count: 5 of another width is another expression. So do operators of one shape.
    let print = |expr: Expr| {
        let mut builder = CircuitBuilder::new();
        let t = keyed(&mut builder, "t");
        let output = builder.map_filter(t, vec![], vec![("x".to_owned(), expr)]).unwrap();
        fingerprint(&builder.finish(output, None).unwrap())[1]
    };
    assert_ne!(print(Expr::literal(5i64)), print(Expr::literal(5i32)));
    assert_ne!(print(Expr::literal("5")), print(Expr::literal(5i64)));
    assert_ne!(print(id().is_null()), print(id().is_not_null()));
    // Values inside of others are not told apart by their text.
    let list = |texts: &[&str]| {
        let texts: Vec<ScalarValue> = texts.iter().map(|text| ScalarValue::from(*text)).collect();
        Expr::Literal(ScalarValue::List(ScalarValue::new_list_nullable(&texts, &DataType::Utf8)))
    };
    assert_ne!(print(list(&["a, b"])), print(list(&["a", "b"])));
    assert_eq!(print(list(&["a", "b"])), print(list(&["a", "b"])));
}

#[test]
fn a_fingerprint_is_the_same_in_every_process() {
    let mut builder = CircuitBuilder::new();
    let t = keyed(&mut builder, "t");
    let circuit = builder.finish(t, None).unwrap();
    assert_eq!(format!("{:032x}", fingerprint(&circuit)[0]), "ac4976f1930e491e3df71d8d5e00d83a");
}

#[test]
fn keys_go_through_the_operators_that_keep_them() {
    let mut builder = CircuitBuilder::new();
    let (t, u) = (keyed(&mut builder, "t"), keyed(&mut builder, "u"));
    let keys = |builder: &CircuitBuilder, id: NodeId| builder.properties(id).unique_keys.clone();
    let filtered = builder.filter(t, vec![id().is_not_null()]).unwrap();
    assert_eq!(keys(&builder, filtered), [[0]]);
    let swapped =
        builder.map_filter(t, vec![], vec![("v".to_owned(), Expr::column(1, DataType::Utf8)), ("id".to_owned(), id())]).unwrap();
    assert_eq!(keys(&builder, swapped), [[1]]);
    let on = |left, right| vec![JoinKey { left, right, null_safe: false }];
    let by_key = builder.join(t, u, JoinKind::Left, on(0, 0), None).unwrap();
    assert_eq!(keys(&builder, by_key), [[0]], "each left row once; right ones may be NULL");
    let inner = builder.join(t, u, JoinKind::Inner, on(0, 0), None).unwrap();
    assert_eq!(keys(&builder, inner), [[0], [2]]);
    let many = builder.join(t, u, JoinKind::Inner, on(1, 1), None).unwrap();
    assert_eq!(keys(&builder, many), [[0, 2]]);
    let full = builder.join(t, u, JoinKind::Full, on(0, 0), None).unwrap();
    assert!(keys(&builder, full).is_empty());
    let grouped = builder.aggregate(t, vec![1], vec![]).unwrap();
    assert_eq!(keys(&builder, grouped), [[0]]);
    let global = builder.aggregate(t, vec![], vec![]).unwrap();
    assert_eq!(keys(&builder, global), [Vec::<usize>::new()]);
    let union = builder.union(vec![t, u]).unwrap();
    assert!(keys(&builder, union).is_empty());
    let order = vec![SortKey { column: 0, descending: false, nulls_first: false }];
    let first = builder.top_k(union, vec![1], order, 0, Some(1), None).unwrap();
    assert_eq!(keys(&builder, first), [[1]]);
}

#[test]
fn nodes_that_do_not_fit_are_refused() {
    let mut builder = CircuitBuilder::new();
    let t = keyed(&mut builder, "t");
    let mut refuse = |expr: Expr| match builder.filter(t, vec![expr]) {
        Err(CircuitError::Invalid { problem, .. }) => problem,
        other => format!("{other:?}"),
    };
    assert_eq!(refuse(Expr::column(7, DataType::Boolean)), "column #7 of 2");
    assert_eq!(refuse(Expr::column(0, DataType::Boolean)), "column #0 is Int64, not Boolean");
    assert_eq!(refuse(id()), "#0 is Int64, not a condition");
    assert_eq!(refuse(id().equal(Expr::literal("a"))), "(#0 = 'a'): = is not defined for Int64 and Utf8");
    let random = datafusion_functions::math::random();
    let call = Expr::function(random, vec![], Arc::new(Field::new("r", DataType::Float64, false)));
    assert_eq!(
        refuse(Expr::binary(BinaryOp::Less, call, Expr::literal(0.5f64))),
        "random() is not a function of its arguments alone"
    );
    assert!(builder.union(vec![]).is_err());
    assert!(builder.index(t, vec![2]).is_err());
    assert!(builder.aggregate(t, vec![2], vec![]).is_err());
}

#[test]
fn a_join_wants_indexes_and_nullable_padding() {
    let mut builder = CircuitBuilder::new();
    let t = keyed(&mut builder, "t");
    let join = Operator::Join { kind: JoinKind::Left, keys: vec![], residual: None };
    let both = Arc::new(Schema::new([schema().fields().to_vec(), schema().fields().to_vec()].concat()));
    assert!(builder.node(join.clone(), vec![t, t], both.clone()).is_err(), "not indexed");
    let index = builder.index(t, vec![]).unwrap();
    assert!(builder.node(join, vec![index, index], both).is_err(), "the right id can be NULL");
}

#[test]
fn the_order_of_nodes_is_checked() {
    let mut builder = CircuitBuilder::new();
    let t = keyed(&mut builder, "t");
    let distinct = builder.negate(t).unwrap();
    let mut circuit: Circuit = builder.finish(distinct, None).unwrap();
    circuit.nodes[1].inputs = vec![NodeId(1)];
    assert!(validate(&circuit).is_err());
    circuit.nodes[1].inputs = vec![NodeId(0)];
    circuit.output = NodeId(2);
    assert!(validate(&circuit).is_err());
}
