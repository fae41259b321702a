//! Random queries. Every query has the columns of the tables, so that any operator can stand on any other.

#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion_common::ScalarValue;
use deltic_circuit::{
    AggregateCall, AggregateFunction, BinaryOp, Circuit, Expr, JoinKey, JoinKind, Node, NodeId, Operator, Properties, SortKey,
    Ties,
};
use proptest::prelude::*;

use crate::testing::schema;

/// The number of tables, `t0` and `t1`.
pub(super) const TABLES: usize = 2;

const COLUMNS: [DataType; 3] = [DataType::Int64, DataType::Utf8, DataType::Int64];

/// A query with the columns of a table.
#[derive(Clone, Debug)]
pub(super) enum Query {
    Table(usize),
    View(&'static str),
    /// `c2 > 0`.
    Filter(Box<Query>),
    /// `6 / c2` for `c2`: fails where that is zero.
    Quotient(Box<Query>),
    /// The sum of `c2` by the other columns.
    Aggregate(Box<Query>),
    /// The number of rows, as one row.
    Count(Box<Query>),
    Distinct(Box<Query>),
    /// The two greatest of `c2` for each `c0`.
    Top(Box<Query>),
    Union(Box<Query>, Box<Query>),
    /// By `c0`; the residual is `left.c2 < right.c2`.
    Join {
        kind: JoinKind,
        residual: bool,
        left: Box<Query>,
        right: Box<Query>,
    },
}

pub(super) fn query() -> impl Strategy<Value = Query> {
    use JoinKind::{Anti, Full, Inner, Left, Right, Semi};
    let kind = prop_oneof![Just(Inner), Just(Left), Just(Right), Just(Full), Just(Semi), Just(Anti)];
    (0..TABLES).prop_map(Query::Table).prop_recursive(4, 8, 2, move |inner| {
        let one = inner.clone().prop_map(Box::new);
        prop_oneof![
            one.clone().prop_map(Query::Filter),
            one.clone().prop_map(Query::Quotient),
            one.clone().prop_map(Query::Aggregate),
            one.clone().prop_map(Query::Count),
            one.clone().prop_map(Query::Distinct),
            one.clone().prop_map(Query::Top),
            (one.clone(), one.clone()).prop_map(|(left, right)| Query::Union(left, right)),
            (kind.clone(), any::<bool>(), one.clone(), one).prop_map(|(kind, residual, left, right)| Query::Join {
                kind,
                residual,
                left,
                right
            }),
        ]
    })
}

/// Values of a row of a table.
pub(super) fn values(number: Option<i64>, text: Option<&str>, value: Option<i64>) -> Vec<ScalarValue> {
    vec![ScalarValue::Int64(number), ScalarValue::Utf8(text.map(str::to_owned)), ScalarValue::Int64(value)]
}

pub(super) fn table_values() -> impl Strategy<Value = Vec<ScalarValue>> + Clone {
    (proptest::option::of(0i64..4), proptest::option::of("[ab]{0,1}"), proptest::option::of(-1i64..4))
        .prop_map(|(number, text, value)| values(number, text.as_deref(), value))
}

pub(super) fn table_schema() -> SchemaRef {
    schema(&COLUMNS)
}

impl Query {
    /// The same query with the leftmost leaf replaced.
    pub(super) fn with_leaf(self, leaf: &Query) -> Query {
        let replace = |query: Box<Query>| Box::new(query.with_leaf(leaf));
        match self {
            Query::Table(_) | Query::View(_) => leaf.clone(),
            Query::Filter(input) => Query::Filter(replace(input)),
            Query::Quotient(input) => Query::Quotient(replace(input)),
            Query::Aggregate(input) => Query::Aggregate(replace(input)),
            Query::Count(input) => Query::Count(replace(input)),
            Query::Distinct(input) => Query::Distinct(replace(input)),
            Query::Top(input) => Query::Top(replace(input)),
            Query::Union(left, right) => Query::Union(replace(left), right),
            Query::Join { kind, residual, left, right } => Query::Join { kind, residual, left: replace(left), right },
        }
    }

    pub(super) fn circuit(&self) -> Circuit {
        let mut builder = Builder::default();
        let output = builder.query(self);
        Circuit { nodes: builder.nodes, output }
    }
}

/// Nodes so far; equal queries become one node.
#[derive(Default)]
struct Builder {
    nodes: Vec<Node>,
    known: HashMap<String, NodeId>,
}

impl Builder {
    fn node(&mut self, operator: Operator, inputs: Vec<NodeId>, schema: SchemaRef) -> NodeId {
        let name = format!("{operator:?} of {inputs:?}");
        if let Some(&id) = self.known.get(&name) {
            return id;
        }
        self.nodes.push(Node { operator, inputs, schema, properties: Properties::default() });
        let id = NodeId(self.nodes.len() - 1);
        self.known.insert(name, id);
        id
    }

    fn query(&mut self, query: &Query) -> NodeId {
        let table = table_schema();
        let number = |column| Expr::column(column, DataType::Int64);
        match query {
            Query::Table(table_number) => self.node(Operator::Source { relation: format!("t{table_number}") }, vec![], table),
            Query::View(view) => self.node(Operator::Source { relation: (*view).to_owned() }, vec![], table),
            Query::Filter(input) => {
                let input = self.query(input);
                let positive = Expr::binary(BinaryOp::Greater, number(2), Expr::literal(0i64));
                self.node(Operator::MapFilter { predicates: vec![positive], projections: None }, vec![input], table)
            }
            Query::Quotient(input) => {
                let input = self.query(input);
                let quotient = Expr::binary(BinaryOp::Divide, Expr::literal(6i64), number(2));
                self.project(input, vec![number(0), Expr::column(1, DataType::Utf8), quotient])
            }
            Query::Aggregate(input) => {
                let input = self.query(input);
                self.aggregate(input, vec![0, 1], AggregateFunction::Sum, Some(2), table)
            }
            Query::Count(input) => {
                let input = self.query(input);
                let output = Arc::new(Schema::new(vec![Field::new("count", DataType::Int64, false)]));
                let count = self.aggregate(input, vec![], AggregateFunction::Count, None, output);
                self.project(count, vec![number(0), Expr::literal(ScalarValue::Utf8(Some("all".into()))), number(0)])
            }
            Query::Distinct(input) => {
                let input = self.query(input);
                self.node(Operator::Distinct, vec![input], table)
            }
            Query::Top(input) => {
                let input = self.query(input);
                let order = vec![SortKey { column: 2, descending: true, nulls_first: false }];
                let top = Operator::TopK {
                    partition: vec![0],
                    order,
                    offset: 0,
                    limit: Some(2),
                    with_row_number: false,
                    ties: Ties::Cut,
                };
                self.node(top, vec![input], table)
            }
            Query::Union(left, right) => {
                let inputs = vec![self.query(left), self.query(right)];
                self.node(Operator::Union, inputs, table)
            }
            Query::Join { kind, residual, left, right } => self.join(*kind, *residual, left, right),
        }
    }

    fn join(&mut self, kind: JoinKind, residual: bool, left: &Query, right: &Query) -> NodeId {
        let sides = [left, right].map(|side| {
            let input = self.query(side);
            self.node(Operator::Index { key: vec![0] }, vec![input], table_schema())
        });
        let number = |column| Expr::column(column, DataType::Int64);
        let residual = residual.then(|| Expr::binary(BinaryOp::Less, number(2), number(5)));
        let keys = vec![JoinKey { left: 0, right: 0, null_safe: false }];
        if kind.is_left_only() {
            return self.node(Operator::Join { kind, keys, residual }, sides.to_vec(), table_schema());
        }
        let output = schema(&[COLUMNS, COLUMNS].concat());
        let join = self.node(Operator::Join { kind, keys, residual }, sides.to_vec(), output);
        self.project(join, vec![number(0), Expr::column(4, DataType::Utf8), number(5)])
    }

    fn project(&mut self, input: NodeId, projections: Vec<Expr>) -> NodeId {
        let operator = Operator::MapFilter { predicates: vec![], projections: Some(projections) };
        self.node(operator, vec![input], table_schema())
    }

    fn aggregate(
        &mut self,
        input: NodeId,
        group: Vec<usize>,
        function: AggregateFunction,
        argument: Option<usize>,
        schema: SchemaRef,
    ) -> NodeId {
        let call = AggregateCall::new(function, argument, DataType::Int64);
        self.node(Operator::Aggregate { group, aggregates: vec![call] }, vec![input], schema)
    }
}
