//! What an epoch costs in each operator: one worker, two `Int64` columns, epochs of 1,000 and 10,000 rows over a million keys (a thousand if it is
//! only tested that the benchmarks run). Feeding, the dataflow around the operator and the emission of the delta are part of it.
//!
//! An iteration is two epochs: rows come, and the same rows go, so that the state is the same before each. In the append-only ones rows come twice.

mod common;

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use deltic_circuit::{
    AggregateCall, AggregateFunction, BinaryOp, Circuit, CircuitBuilder, CircuitError, Expr, JoinKey, JoinKind, NodeId,
    Properties, SetOperationKind, SortKey,
};
use deltic_zset::ZBatch;

use common::{Loop, random};

const EPOCH_ROWS: [usize; 2] = [1_000, 10_000];

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("k", DataType::Int64, false), Field::new("v", DataType::Int64, false)]))
}

fn batch(rows: impl Iterator<Item = (i64, i64)>) -> ZBatch {
    let (keys, values): (Vec<i64>, Vec<i64>) = rows.unzip();
    let count = keys.len();
    let columns: Vec<ArrayRef> = vec![Arc::new(Int64Array::from(keys)), Arc::new(Int64Array::from(values))];
    ZBatch::new(schema(), columns, None, count)
}

/// A circuit of one operator over the relation `l`, and `r` if it has two inputs.
#[derive(Clone, Copy, Debug)]
enum Subject {
    MapFilter,
    Distinct,
    ExceptAll,
    Linear,
    Extremes,
    ExtremesAppendOnly,
    Join,
    SemiJoin,
    MaxOneRow,
    TopK,
    TopKAppendOnly,
}

impl Subject {
    const ALL: [(&str, Subject); 11] = [
        ("map_filter", Subject::MapFilter),
        ("distinct", Subject::Distinct),
        ("except all", Subject::ExceptAll),
        ("aggregate/linear", Subject::Linear),
        ("aggregate/extremes", Subject::Extremes),
        ("aggregate/extremes, append-only", Subject::ExtremesAppendOnly),
        ("join", Subject::Join),
        ("join/semi", Subject::SemiJoin),
        ("max_one_row", Subject::MaxOneRow),
        ("top_k", Subject::TopK),
        ("top_k, append-only", Subject::TopKAppendOnly),
    ];

    fn append_only(self) -> bool {
        matches!(self, Subject::ExtremesAppendOnly | Subject::TopKAppendOnly)
    }

    fn circuit(self) -> Result<Circuit, CircuitError> {
        let mut builder = CircuitBuilder::new();
        let properties = Properties { append_only: self.append_only(), ..Properties::default() };
        let input = builder.source("l", schema(), properties);
        let output = match self {
            Subject::MapFilter => {
                let [key, value] = [0, 1].map(|column| builder.column(input, column));
                let even = Expr::binary(BinaryOp::Modulo, value.clone(), Expr::literal(2i64)).equal(Expr::literal(0i64));
                let sum = Expr::binary(BinaryOp::Add, key.clone(), value);
                builder.map_filter(input, vec![even], vec![("k".to_owned(), key), ("s".to_owned(), sum)])?
            }
            Subject::Distinct => builder.distinct(input)?,
            Subject::ExceptAll => {
                let right = builder.source("r", schema(), Properties::default());
                builder.set_operation(input, right, SetOperationKind::ExceptAll)?
            }
            Subject::Linear => aggregate(&mut builder, input, [AggregateFunction::Sum, AggregateFunction::Count])?,
            Subject::Extremes | Subject::ExtremesAppendOnly => {
                aggregate(&mut builder, input, [AggregateFunction::Min, AggregateFunction::Max])?
            }
            Subject::Join | Subject::SemiJoin => {
                let right = builder.source("r", schema(), Properties::default());
                let kind = if let Subject::Join = self { JoinKind::Inner } else { JoinKind::Semi };
                builder.join(input, right, kind, vec![JoinKey { left: 0, right: 0, null_safe: false }], None)?
            }
            Subject::MaxOneRow => builder.max_one_row(input, vec![0])?,
            Subject::TopK | Subject::TopKAppendOnly => {
                let order = vec![SortKey { column: 1, descending: true, nulls_first: false }];
                builder.top_k(input, vec![0], order, 0, Some(1), None)?
            }
        };
        builder.finish(output, None)
    }
}

fn aggregate(builder: &mut CircuitBuilder, input: NodeId, functions: [AggregateFunction; 2]) -> Result<NodeId, CircuitError> {
    let call = |function| AggregateCall::new(function, Some(1), DataType::Int64);
    let [first, second] = functions.map(call);
    builder.aggregate(input, vec![0], vec![("a".to_owned(), first), ("b".to_owned(), second)])
}

fn epochs(criterion: &mut Criterion) {
    // Criterion runs each benchmark once, to test it, unless it is told to measure.
    let measured = std::env::args().any(|argument| argument == "--bench");
    let keys: u64 = if measured { 1_000_000 } else { 1_000 };
    for (name, subject) in Subject::ALL {
        let mut group = criterion.benchmark_group(name);
        let circuit = subject.circuit().expect("the circuit is valid");
        for rows in EPOCH_ROWS {
            let mut run = Loop::new(&circuit);
            let every_key = batch((0..keys as i64).map(|key| (key, key)));
            if let Subject::Join | Subject::SemiJoin | Subject::ExceptAll = subject {
                run.feed(None, vec![("r", every_key.clone())]);
            }
            run.feed(None, vec![("l", every_key)]);
            let mut state = 42;
            group.throughput(Throughput::Elements(2 * rows as u64));
            group.bench_function(BenchmarkId::from_parameter(rows), |bencher| {
                bencher.iter_batched(
                    || {
                        let mut row = || ((random(&mut state) % keys) as i64, (random(&mut state) >> 40) as i64);
                        let come = batch((0..rows).map(|_| row()));
                        let again = if subject.append_only() { come.clone() } else { come.negate().expect("weights of one") };
                        (come, again)
                    },
                    |(come, again)| {
                        run.feed(None, vec![("l", come)]);
                        run.feed(None, vec![("l", again)])
                    },
                    criterion::BatchSize::LargeInput,
                );
            });
        }
        group.finish();
    }
}

criterion_group!(benches, epochs);
criterion_main!(benches);
