//! The law of the join against the interpreter: every kind of join, key, residual and history, with indexes that run ahead of the join, and
//! with a join that starts late on indexes that are there already. These tests cannot see two workers.

#![allow(clippy::unwrap_used)]

use std::collections::HashMap;

use arrow::datatypes::DataType;
use datafusion_common::ScalarValue;
use deltic_circuit::errors::code;
use deltic_circuit::{BinaryOp, Circuit, Expr, JoinKey, Node, NodeId, Properties, error_schema, interpreter};
use proptest::prelude::*;

use super::*;
use crate::arrange::{Index, SharedArrangement};
use crate::testing::{Change, Row, batch, history, play, rows_of, schema};

const COLUMNS: [DataType; 3] = [DataType::Int64, DataType::Utf8, DataType::Int64];

/// What is joined with what.
#[derive(Clone, Debug)]
struct Shape {
    kind: JoinKind,
    keys: Vec<JoinKey>,
    residual: Residual,
    /// One index is both sides.
    self_join: bool,
}

#[derive(Clone, Copy, Debug)]
enum Residual {
    None,
    /// `left.c2 < right.c2`.
    Less,
    /// `left.c2 / right.c2 > 0`, which fails where the divisor is zero.
    Quotient,
}

impl Residual {
    fn expr(self) -> Option<Expr> {
        let [left, right] = [2, 5].map(|column| Expr::column(column, DataType::Int64));
        match self {
            Residual::None => None,
            Residual::Less => Some(Expr::binary(BinaryOp::Less, left, right)),
            Residual::Quotient => {
                let quotient = Expr::binary(BinaryOp::Divide, left, right);
                Some(Expr::binary(BinaryOp::Greater, quotient, Expr::literal(0i64)))
            }
        }
    }
}

impl Shape {
    fn circuit(&self) -> Circuit {
        let sources = if self.self_join { 1 } else { 2 };
        let node = |operator, inputs: Vec<usize>, schema: SchemaRef| Node {
            operator,
            inputs: inputs.into_iter().map(NodeId).collect(),
            schema,
            properties: Properties::default(),
        };
        let side = schema(&COLUMNS);
        let mut nodes: Vec<Node> =
            (0..sources).map(|source| node(Operator::Source { relation: format!("s{source}") }, vec![], side.clone())).collect();
        for source in 0..sources {
            let key = self.keys.iter().map(|key| if source == 0 { key.left } else { key.right }).collect();
            nodes.push(node(Operator::Index { key }, vec![source], side.clone()));
        }
        let operator = Operator::Join { kind: self.kind, keys: self.keys.clone(), residual: self.residual.expr() };
        let output = if self.kind.is_left_only() { schema(&COLUMNS) } else { schema(&[COLUMNS, COLUMNS].concat()) };
        nodes.push(node(operator, vec![sources, 2 * sources - 1], output));
        Circuit { output: NodeId(nodes.len() - 1), nodes }
    }
}

/// The sum of deltas, by row.
type Sum = HashMap<String, i64>;

/// Indexes, the joins that read them, and the sums of what went in and came out.
struct Bench {
    circuit: Circuit,
    arrangements: Vec<SharedArrangement>,
    indexes: Vec<Index>,
    joins: Vec<(Join, Sum, Sum)>,
    inputs: Vec<Vec<ZBatch>>,
    epoch: u64,
}

fn absorb(sum: &mut Sum, delta: &[ZBatch], schema: &SchemaRef) {
    for (row, weight) in rows_of(&ZBatch::concat(schema, delta).unwrap()) {
        *sum.entry(row).or_insert(0) += weight;
    }
    sum.retain(|_, weight| *weight != 0);
}

impl Bench {
    fn new(shape: &Shape) -> Self {
        let circuit = shape.circuit();
        let arrangement = |node: &Node| match &node.operator {
            Operator::Index { key } => Some(SharedArrangement::new(node.schema.clone(), key.clone())),
            _ => None,
        };
        let arrangements: Vec<SharedArrangement> = circuit.nodes.iter().filter_map(arrangement).collect();
        let indexes: Vec<Index> = arrangements.iter().cloned().map(Index::new).collect();
        let inputs = vec![Vec::new(); arrangements.len()];
        let mut bench = Bench { circuit, arrangements, indexes, joins: Vec::new(), inputs, epoch: 0 };
        bench.start_join();
        bench.joins[0].0.close(0);
        bench
    }

    fn start_join(&mut self) {
        let node = self.circuit.node(self.circuit.output);
        let [left, right] = [0, self.arrangements.len() - 1].map(|side| self.arrangements[side].reader(self.epoch));
        self.joins.push((Join::try_new(node, left, right).unwrap(), Sum::new(), Sum::new()));
    }

    /// A second join of the same indexes, installed now.
    fn start_late(&mut self) {
        self.start_join();
        let contents: Vec<Vec<ZBatch>> = self.arrangements.iter().map(SharedArrangement::batches).collect();
        self.close(self.joins.len() - 1, self.epoch, &contents);
        self.check();
    }

    fn close(&mut self, join: usize, epoch: u64, deltas: &[Vec<ZBatch>]) {
        let schema = self.circuit.schema().clone();
        let (join, rows, errors) = &mut self.joins[join];
        for port in 0..2 {
            for delta in &deltas[port.min(deltas.len() - 1)] {
                join.push(port, delta.clone());
            }
        }
        let output = join.close(epoch);
        absorb(rows, &output.rows, &schema);
        absorb(errors, &output.errors, &error_schema());
    }

    /// Some epochs: the indexes apply all of them before the joins see the first.
    fn epochs(&mut self, epochs: Vec<Vec<Vec<Vec<Row>>>>) {
        let mut deltas = Vec::new();
        for sides in epochs {
            self.epoch += 1;
            let mut delta = Vec::new();
            for (side, batches) in sides.into_iter().enumerate() {
                for rows in batches {
                    let rows = batch(&self.circuit.nodes[side].schema, &rows);
                    self.inputs[side].push(rows.clone());
                    self.indexes[side].push(0, rows);
                }
                delta.push(self.indexes[side].close(self.epoch).rows);
            }
            deltas.push((self.epoch, delta));
        }
        for (epoch, delta) in deltas {
            for join in 0..self.joins.len() {
                self.close(join, epoch, &delta);
            }
        }
        self.check();
        assert_eq!(self.arrangements[0].versions_held(), 0, "versions that nobody needs are dropped");
    }

    fn check(&self) {
        let sum = |(side, batches): (usize, &Vec<ZBatch>)| {
            let sum = ZBatch::concat(&self.circuit.nodes[side].schema, batches).unwrap().consolidate().unwrap();
            (format!("s{side}"), sum)
        };
        let sources: HashMap<String, ZBatch> = self.inputs.iter().enumerate().map(sum).collect();
        let expected = interpreter::evaluate(&self.circuit, &sources).unwrap();
        for (_, rows, errors) in &self.joins {
            assert_eq!(rows, &rows_of(&expected.rows), "rows after epoch {}", self.epoch);
            assert_eq!(errors, &rows_of(&expected.errors), "errors after epoch {}", self.epoch);
        }
    }
}

fn shape() -> impl Strategy<Value = Shape> {
    use JoinKind::{Anti, Full, Inner, Left, Right, Semi};
    let kind = prop_oneof![Just(Inner), Just(Left), Just(Right), Just(Full), Just(Semi), Just(Anti)];
    let keys = (0usize..4, any::<[bool; 2]>(), any::<bool>()).prop_map(|(keys, null_safe, crossed)| {
        let column = |column: usize| JoinKey { left: column, right: column, null_safe: null_safe[column] };
        match keys {
            0 => vec![],
            1 if crossed => vec![JoinKey { left: 0, right: 2, null_safe: null_safe[0] }],
            1 => vec![column(0)],
            _ => vec![column(1), column(0)],
        }
    });
    let residual = prop_oneof![Just(Residual::None), Just(Residual::Less), Just(Residual::Quotient)];
    (kind, keys, residual, any::<bool>()).prop_map(|(kind, keys, residual, same)| {
        let self_join = same && keys.iter().all(|key| key.left == key.right);
        Shape { kind, keys, residual, self_join }
    })
}

fn values() -> impl Strategy<Value = Vec<ScalarValue>> + Clone {
    (proptest::option::of(0i64..3), proptest::option::of("[ab]{0,1}"), proptest::option::of(-1i64..3))
        .prop_map(|(number, text, value)| vec![ScalarValue::Int64(number), ScalarValue::Utf8(text), ScalarValue::Int64(value)])
}

fn check(shape: &Shape, histories: [Vec<Vec<Vec<Change>>>; 2], ahead: usize, late: usize) {
    let mut bench = Bench::new(shape);
    let sides = bench.inputs.len();
    let mut live: Vec<Vec<Row>> = vec![Vec::new(); sides];
    let length = histories.iter().map(Vec::len).max().unwrap_or_default();
    let mut epochs: Vec<Vec<Vec<Vec<Row>>>> = (0..length)
        .map(|epoch| {
            let change = |side: usize| histories[side].get(epoch).cloned().unwrap_or_default();
            (0..sides).map(|side| play(change(side), &mut live[side])).collect()
        })
        .collect();
    // In the end everything goes.
    let all = |rows: Vec<Row>| vec![rows.into_iter().map(|(values, weight)| (values, -weight)).collect()];
    epochs.push(live.into_iter().map(all).collect());
    for (number, chunk) in epochs.chunks(ahead).enumerate() {
        if number == late {
            bench.start_late();
        }
        bench.epochs(chunk.to_vec());
    }
    for (join, rows, errors) in &bench.joins {
        assert!(rows.is_empty() && errors.is_empty());
        assert_eq!(join.state_size().rows, 0, "what is emptied holds nothing");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_sum_of_the_deltas_is_the_join_of_the_sums(
        shape in shape(), left in history(values()), right in history(values()), ahead in 1usize..4, late in 0usize..6
    ) {
        check(&shape, [left, right], ahead, late);
    }
}

fn row(key: i64, value: i64, weight: i64) -> Row {
    (vec![ScalarValue::Int64(Some(key)), ScalarValue::Utf8(None), ScalarValue::Int64(Some(value))], weight)
}

fn by_first_column(kind: JoinKind, residual: Residual, self_join: bool) -> Shape {
    Shape { kind, keys: vec![JoinKey { left: 0, right: 0, null_safe: false }], residual, self_join }
}

#[test]
fn rows_that_come_together_meet_once() {
    let mut bench = Bench::new(&by_first_column(JoinKind::Inner, Residual::None, false));
    bench.epochs(vec![vec![vec![vec![row(1, 1, 1)]], vec![vec![row(1, 2, 1)]]]]);
    assert_eq!(bench.joins[0].1.values().copied().collect::<Vec<_>>(), [1]);
}

#[test]
fn a_row_that_comes_and_goes_beside_its_match_leaves_the_outer_row_alone() {
    let mut bench = Bench::new(&by_first_column(JoinKind::Left, Residual::Less, false));
    bench.epochs(vec![vec![vec![vec![row(1, 1, 2)]], vec![vec![]]]]);
    bench.epochs(vec![
        vec![vec![], vec![vec![row(1, 5, 1)]]],
        vec![vec![vec![row(1, 1, -2)]], vec![vec![row(1, 5, -1)]]],
        vec![vec![vec![row(1, 1, 1)]], vec![vec![row(1, 0, 1)]]],
    ]);
    assert_eq!(bench.joins[0].1.len(), 1);
}

#[test]
fn a_self_join_squares_the_weights() {
    let mut bench = Bench::new(&by_first_column(JoinKind::Inner, Residual::None, true));
    bench.epochs(vec![vec![vec![vec![row(1, 1, 2)]]], vec![vec![vec![row(1, 1, 1)]]]]);
    assert_eq!(bench.joins[0].1.values().copied().collect::<Vec<_>>(), [9]);
    bench.epochs(vec![vec![vec![vec![row(1, 1, -3)]]]]);
    assert!(bench.joins[0].1.is_empty());
}

#[test]
fn copies_beyond_the_range_of_weights_are_an_error_row() {
    let shape = by_first_column(JoinKind::Inner, Residual::None, false);
    let mut bench = Bench::new(&shape);
    let deltas: Vec<Vec<ZBatch>> =
        (0..2).map(|side| vec![batch(&bench.circuit.nodes[side].schema, &[row(1, 1, 1 << 40), row(2, 1, 3)])]).collect();
    for (index, delta) in bench.indexes.iter_mut().zip(&deltas) {
        index.push(0, delta[0].clone());
        index.close(1);
    }
    bench.close(0, 1, &deltas);
    let (_, rows, errors) = &bench.joins[0];
    assert_eq!(rows.values().copied().collect::<Vec<_>>(), [9]);
    assert_eq!(errors.len(), 1);
    assert!(errors.keys().all(|error| error.contains(code::WEIGHT)));
}
