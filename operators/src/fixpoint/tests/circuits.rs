//! Recursions over the tables `edges` and `roots`.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion_common::ScalarValue;
use deltic_circuit::{
    AggregateCall, AggregateFunction, BinaryOp, Circuit, CircuitBuilder, Defined, Expr, JoinKey, JoinKind, NodeId, Properties,
    SortKey,
};
use deltic_zset::ZBatch;

use crate::testing::{Row, batch};

/// A recursion, and the rows it is tried with.
#[derive(Clone)]
pub(super) struct Subject {
    pub(super) name: &'static str,
    pub(super) schema: SchemaRef,
    pub(super) circuit: Circuit,
    pub(super) roots: ZBatch,
    /// Whether edges go from small to great numbers only.
    acyclic: bool,
}

impl Subject {
    /// The edge that stands for these numbers.
    pub(super) fn edge(&self, from: i64, to: i64) -> (i64, i64) {
        if self.acyclic { (from.min(to), from.max(to) + 1) } else { (from, to) }
    }

    /// The row of an edge. The node 5 is NULL where that is possible.
    pub(super) fn row(&self, (from, to): (i64, i64)) -> Vec<ScalarValue> {
        let field = self.schema.field(0);
        let node = |number: i64| match field.data_type() {
            _ if number == 5 && field.is_nullable() => ScalarValue::Utf8(None),
            DataType::Utf8 if number % 2 == 0 => ScalarValue::Utf8(Some(format!("a node with a long name, number {number}"))),
            DataType::Utf8 => ScalarValue::Utf8(Some(number.to_string())),
            _ => ScalarValue::Int64(Some(number)),
        };
        vec![node(from), node(to)]
    }
}

/// All of them.
pub(super) const CIRCUITS: [fn() -> Subject; 18] = [
    || reach("reachable from roots", &DataType::Int64, false),
    || reach("reachable from roots, with NULLs", &DataType::Int64, true),
    || reach("reachable from roots, by name", &DataType::Utf8, true),
    || closure("pairs, linear", false, &DataType::Int64),
    || closure("pairs, not linear", true, &DataType::Utf8),
    || distances("least distances", Some(20)),
    || distances("least distances, at most three", Some(3)),
    || alike(true),
    || alike(false),
    || generations(false),
    || generations(true),
    || paths("paths of a graph without cycles", true, None),
    || paths("paths, not ending with cycles", false, Some(9)),
    even_and_odd,
    quotients,
    nearest,
    outer,
    total,
];

/// A recursion under construction.
struct Scene {
    builder: CircuitBuilder,
    edges: NodeId,
    roots: NodeId,
    schema: SchemaRef,
    node: DataType,
    nullable: bool,
}

impl Scene {
    fn new(node: &DataType, nullable: bool) -> Self {
        let schema = schema(&[node.clone(), node.clone()], nullable);
        let mut builder = CircuitBuilder::new();
        let edges = builder.source("edges", schema.clone(), Properties::default());
        let roots = builder.source("roots", self::schema(std::slice::from_ref(node), false), Properties::default());
        Scene { builder, edges, roots, schema, node: node.clone(), nullable }
    }

    fn variable(&mut self, name: &str, types: &[DataType]) -> NodeId {
        self.builder.variable(name, schema(types, self.nullable))
    }

    /// Columns of the pairs of `left` and `right` that agree in one column each.
    fn step(&mut self, left: (NodeId, usize), right: (NodeId, usize), columns: &[usize]) -> NodeId {
        let keys = vec![JoinKey { left: left.1, right: right.1, null_safe: false }];
        let pairs = self.builder.join(left.0, right.0, JoinKind::Inner, keys, None).unwrap();
        self.columns(pairs, columns)
    }

    fn columns(&mut self, input: NodeId, columns: &[usize]) -> NodeId {
        let columns = columns.iter().map(|&column| (format!("c{column}"), self.builder.column(input, column)));
        let columns = columns.collect();
        self.builder.map_filter(input, vec![], columns).unwrap()
    }

    fn union(&mut self, inputs: &[NodeId]) -> NodeId {
        let union = self.builder.union(inputs.to_vec()).unwrap();
        self.builder.distinct(union).unwrap()
    }

    fn finish(mut self, name: &'static str, variables: &[(NodeId, NodeId)], shown: NodeId, limit: Option<u64>) -> Subject {
        let defined = |(number, &(source, definition)): (usize, &(NodeId, NodeId))| Defined {
            name: format!("x{number}"),
            source,
            definition,
        };
        let variables: Vec<Defined> = variables.iter().enumerate().map(defined).collect();
        let output = self.builder.fixpoint(&variables, shown, limit).unwrap();
        let circuit = self.builder.finish(output, None).unwrap();
        let mut subject = Subject { name, schema: self.schema, circuit, roots: ZBatch::default(), acyclic: false };
        let root = subject.row((0, 0)).swap_remove(0);
        let rows: Vec<Row> = vec![(vec![root], 1)];
        subject.roots = batch(&schema(&[self.node], false), &rows);
        subject
    }
}

fn schema(types: &[DataType], nullable: bool) -> SchemaRef {
    let field = |(position, data_type): (usize, &DataType)| Field::new(format!("c{position}"), data_type.clone(), nullable);
    Arc::new(Schema::new(types.iter().enumerate().map(field).collect::<Vec<_>>()))
}

fn plus_one(column: Expr) -> Expr {
    Expr::binary(BinaryOp::Add, column, Expr::literal(1i64))
}

fn call(function: AggregateFunction, argument: Option<usize>) -> AggregateCall {
    AggregateCall::new(function, argument, DataType::Int64)
}

fn reach(name: &'static str, node: &DataType, nullable: bool) -> Subject {
    let mut scene = Scene::new(node, nullable);
    let reached = scene.variable("x", std::slice::from_ref(node));
    let (edges, roots) = (scene.edges, scene.roots);
    let next = scene.step((reached, 0), (edges, 0), &[2]);
    let definition = scene.union(&[roots, next]);
    scene.finish(name, &[(reached, definition)], definition, None)
}

fn closure(name: &'static str, squared: bool, node: &DataType) -> Subject {
    let mut scene = Scene::new(node, true);
    let pairs = scene.variable("x", &[node.clone(), node.clone()]);
    let edges = scene.edges;
    let next = scene.step((pairs, 1), (if squared { pairs } else { edges }, 0), &[0, 3]);
    let definition = scene.union(&[edges, next]);
    scene.finish(name, &[(pairs, definition)], definition, None)
}

/// The least number of steps to each node.
fn distances(name: &'static str, limit: Option<u64>) -> Subject {
    let mut scene = Scene::new(&DataType::Int64, true);
    let known = scene.variable("x", &[DataType::Int64, DataType::Int64]);
    let (edges, roots) = (scene.edges, scene.roots);
    let builder = &mut scene.builder;
    let start = vec![("node".to_owned(), builder.column(roots, 0)), ("steps".to_owned(), Expr::literal(0i64))];
    let start = builder.map_filter(roots, vec![], start).unwrap();
    let keys = vec![JoinKey { left: 0, right: 0, null_safe: false }];
    let pairs = builder.join(known, edges, JoinKind::Inner, keys, None).unwrap();
    let further = vec![("node".to_owned(), builder.column(pairs, 3)), ("steps".to_owned(), plus_one(builder.column(pairs, 1)))];
    let further = builder.map_filter(pairs, vec![], further).unwrap();
    let all = builder.union(vec![start, further]).unwrap();
    let least = builder.aggregate(all, vec![0], vec![("steps".to_owned(), call(AggregateFunction::Min, Some(1)))]).unwrap();
    scene.finish(name, &[(known, least)], least, limit)
}

/// Joins of one index, of which one takes NULL for equal to NULL. The variable has none if `nullable` is false.
fn alike(nullable: bool) -> Subject {
    let mut scene = Scene::new(&DataType::Int64, true);
    let (edges, roots) = (scene.edges, scene.roots);
    scene.nullable = nullable;
    let known = scene.variable("x", &[DataType::Int64]);
    let safe = vec![JoinKey { left: 0, right: 0, null_safe: true }];
    let pairs = scene.builder.join(known, edges, JoinKind::Inner, safe, None).unwrap();
    let first = scene.columns(pairs, &[2]);
    let second = scene.step((known, 0), (edges, 0), &[2]);
    let next = scene.builder.union(vec![first, second]).unwrap();
    let next = match nullable {
        true => next,
        false => {
            let value = Expr::Coalesce {
                arguments: vec![scene.builder.column(next, 0), Expr::literal(1i64)],
                data_type: DataType::Int64,
            };
            let operator = deltic_circuit::Operator::MapFilter { predicates: vec![], projections: Some(vec![value]) };
            scene.builder.node(operator, vec![next], schema(&[DataType::Int64], false)).unwrap()
        }
    };
    let definition = scene.union(&[roots, next]);
    scene.finish("NULLs alike", &[(known, definition)], definition, Some(30))
}

/// Nodes at the same distance from some node: two joins in a row.
fn generations(nullable: bool) -> Subject {
    let mut scene = Scene::new(&DataType::Int64, nullable);
    let same = scene.variable("x", &[DataType::Int64, DataType::Int64]);
    let edges = scene.edges;
    let start = scene.step((edges, 0), (edges, 0), &[1, 3]);
    let first = scene.step((edges, 0), (same, 0), &[1, 3]);
    let both = scene.step((first, 1), (edges, 0), &[0, 3]);
    let definition = scene.union(&[start, both]);
    scene.finish("same generation", &[(same, definition)], definition, None)
}

/// `UNION ALL`: each node once for every path to it.
fn paths(name: &'static str, acyclic: bool, limit: Option<u64>) -> Subject {
    let mut scene = Scene::new(&DataType::Int64, false);
    let reached = scene.variable("x", &[DataType::Int64]);
    let (edges, roots) = (scene.edges, scene.roots);
    let next = scene.step((reached, 0), (edges, 0), &[2]);
    let definition = scene.builder.union(vec![roots, next]).unwrap();
    Subject { acyclic, ..scene.finish(name, &[(reached, definition)], definition, limit) }
}

/// Nodes at an even and at an odd number of steps; the odd ones are shown, and those that are both.
fn even_and_odd() -> Subject {
    let mut scene = Scene::new(&DataType::Int64, true);
    let (even, odd) = (scene.variable("x", &[DataType::Int64]), scene.variable("y", &[DataType::Int64]));
    let (edges, roots) = (scene.edges, scene.roots);
    let after_odd = scene.step((odd, 0), (edges, 0), &[2]);
    let is_even = scene.union(&[roots, after_odd]);
    let after_even = scene.step((even, 0), (edges, 0), &[2]);
    let is_odd = scene.union(&[after_even]);
    let both = scene.step((is_even, 0), (is_odd, 0), &[0]);
    let shown = scene.builder.union(vec![is_odd, both]).unwrap();
    scene.finish("even and odd", &[(even, is_even), (odd, is_odd)], shown, None)
}

/// Divides by the nodes it comes to: zero is an error.
fn quotients() -> Subject {
    let mut scene = Scene::new(&DataType::Int64, true);
    let known = scene.variable("x", &[DataType::Int64]);
    let (edges, roots) = (scene.edges, scene.roots);
    let next = scene.step((known, 0), (edges, 0), &[2, 0]);
    let builder = &mut scene.builder;
    let quotient = Expr::binary(BinaryOp::Divide, Expr::literal(6i64), builder.column(next, 0));
    let small = Expr::binary(BinaryOp::Less, builder.column(next, 1), Expr::literal(5i64));
    let divided = builder.map_filter(next, vec![small], vec![("q".to_owned(), quotient)]).unwrap();
    let definition = scene.union(&[roots, next_column(divided), divided]);
    scene.finish("quotients", &[(known, definition)], definition, Some(12))
}

/// The same node: a union may name one twice.
fn next_column(node: NodeId) -> NodeId {
    node
}

/// From each node on, the two least of those that come next.
fn nearest() -> Subject {
    let mut scene = Scene::new(&DataType::Int64, true);
    let known = scene.variable("x", &[DataType::Int64, DataType::Int64]);
    let (edges, roots) = (scene.edges, scene.roots);
    let start = scene.columns(roots, &[0, 0]);
    let next = scene.step((known, 1), (edges, 0), &[2, 3]);
    let order = vec![SortKey { column: 1, descending: false, nulls_first: false }];
    let top = scene.builder.top_k(next, vec![0], order, 0, Some(2), None).unwrap();
    let definition = scene.union(&[start, top]);
    scene.finish("nearest", &[(known, definition)], definition, Some(30))
}

/// Edges beside what is known of their end, by an outer join.
fn outer() -> Subject {
    let mut scene = Scene::new(&DataType::Int64, true);
    let known = scene.variable("x", &[DataType::Int64]);
    let (edges, roots) = (scene.edges, scene.roots);
    let next = scene.step((known, 0), (edges, 0), &[2]);
    let definition = scene.union(&[roots, next]);
    let keys = vec![JoinKey { left: 1, right: 0, null_safe: false }];
    let residual = Expr::binary(BinaryOp::Less, scene.builder.column(edges, 0), Expr::column(2, DataType::Int64));
    let beside = scene.builder.join(edges, definition, JoinKind::Full, keys, Some(residual)).unwrap();
    scene.finish("outer", &[(known, definition)], beside, None)
}

/// The number of nodes known, as one row that is there without any, and an inner join with a condition.
fn total() -> Subject {
    let mut scene = Scene::new(&DataType::Int64, true);
    let known = scene.variable("x", &[DataType::Int64]);
    let edges = scene.edges;
    let keys = vec![JoinKey { left: 0, right: 0, null_safe: false }];
    let residual = Expr::binary(BinaryOp::Divide, Expr::literal(6i64), Expr::column(2, DataType::Int64));
    let residual = Expr::binary(BinaryOp::Less, residual, Expr::literal(6i64));
    let pairs = scene.builder.join(known, edges, JoinKind::Inner, keys, Some(residual)).unwrap();
    let next = scene.columns(pairs, &[2]);
    let count = scene.builder.aggregate(next, vec![], vec![("n".to_owned(), call(AggregateFunction::Count, None))]).unwrap();
    let definition = scene.union(&[count, next]);
    scene.finish("total", &[(known, definition)], definition, Some(15))
}
