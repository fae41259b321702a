//! What evaluating an expression costs, by its kind: 10,000 rows, every eleventh value NULL. Divide by 10,000 for a row. Functions of our own stand beside
//! DataFusion's of the same name.

use std::hint::black_box;
use std::sync::Arc;

use arrow::array::{ArrayRef, Decimal128Array, Float64Array, Int64Array, StringArray, TimestampMicrosecondArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, TimeUnit};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use datafusion_expr::ScalarUDF;
use deltic_circuit::{BinaryOp, Expr, functions};
use deltic_zset::maps::{map_type, maps_of};

const ROWS: usize = 10_000;
const DECIMAL: DataType = DataType::Decimal128(18, 2);

const TIMESTAMP: DataType = DataType::Timestamp(TimeUnit::Microsecond, None);

/// Columns: two integers, a float, a decimal, a text, a time, a map of eight entries.
fn columns() -> Vec<ArrayRef> {
    let value = |row: usize| (!row.is_multiple_of(11)).then_some((row * 7919 % 1000) as i64);
    let values = || (0..ROWS).map(value);
    let decimals: Decimal128Array = values().map(|value| value.map(i128::from)).collect();
    vec![
        Arc::new(values().collect::<Int64Array>()),
        Arc::new((0..ROWS).map(|row| Some(row as i64 % 100 + 1)).collect::<Int64Array>()),
        Arc::new(values().map(|value| value.map(|value| value as f64)).collect::<Float64Array>()),
        Arc::new(decimals.with_data_type(DECIMAL)),
        Arc::new(values().map(|value| value.map(|value| format!("https://example.org/{value}/item"))).collect::<StringArray>()),
        Arc::new(
            (0..ROWS)
                .map(|row| value(row).map(|value| 1_700_000_000_000_000 + value * 77_777_777))
                .collect::<TimestampMicrosecondArray>(),
        ),
        maps(),
    ]
}

fn maps() -> ArrayRef {
    let keys: ArrayRef = Arc::new(StringArray::from_iter_values((0..8 * ROWS).map(|entry| format!("key {}", entry % 8))));
    let values: ArrayRef = Arc::new(Int64Array::from_iter_values(0..8 * ROWS as i64));
    let (maps, _) = maps_of(&keys, &values, &OffsetBuffer::from_lengths([8; ROWS]), None).expect("texts have an order");
    Arc::new(maps)
}

fn expressions() -> Vec<(&'static str, Expr)> {
    let [a, b] = [0, 1].map(|index| Expr::column(index, DataType::Int64));
    let float = Expr::column(2, DataType::Float64);
    let decimal = Expr::column(3, DECIMAL);
    let text = Expr::column(4, DataType::Utf8);
    let less = |limit: i64| Expr::binary(BinaryOp::Less, a.clone(), Expr::literal(limit));
    vec![
        ("column", a.clone()),
        ("integer/add", Expr::binary(BinaryOp::Add, a.clone(), b.clone())),
        ("integer/multiply", Expr::binary(BinaryOp::Multiply, a.clone(), b.clone())),
        ("integer/modulo", Expr::binary(BinaryOp::Modulo, a.clone(), b.clone())),
        ("float/multiply", Expr::binary(BinaryOp::Multiply, float.clone(), float.clone())),
        ("decimal/add", Expr::binary(BinaryOp::Add, decimal.clone(), decimal.clone())),
        ("decimal/multiply", Expr::binary(BinaryOp::Multiply, decimal.clone(), decimal.clone())),
        ("compare/integer", less(500)),
        ("compare/text", Expr::binary(BinaryOp::Less, text.clone(), Expr::literal("https://example.org/5"))),
        ("and", less(900).and(Expr::binary(BinaryOp::Greater, b.clone(), Expr::literal(50i64)))),
        ("or", less(100).or(Expr::binary(BinaryOp::Greater, b.clone(), Expr::literal(50i64)))),
        ("is null", a.clone().is_null()),
        ("case", Expr::case(vec![(less(300), b.clone()), (less(600), a.clone())], Some(Expr::literal(0i64)))),
        ("coalesce", Expr::coalesce(vec![a.clone(), b.clone()])),
        ("cast/integer to text", a.clone().cast(DataType::Utf8)),
        ("cast/integer to decimal", a.clone().cast(DECIMAL)),
        ("cast/float to integer", float.cast(DataType::Int64)),
        ("like", text.clone().like(Expr::literal("%/77%/item"), false, false)),
        ("regex", Expr::binary(BinaryOp::RegexMatch, text.clone(), Expr::literal("/7[0-9]+/"))),
        ("concat", Expr::binary(BinaryOp::Concat, text.clone(), text)),
        ("in list", a.in_list((0..16i64).map(|value| (value * 60).into()).collect(), false)),
    ]
}

/// Functions: (name, DataFusion's or ours, expression).
fn calls() -> Vec<(String, Expr)> {
    let text = Expr::column(4, DataType::Utf8);
    let time = Expr::column(5, TIMESTAMP);
    let own = |name: &str| functions::named(name).unwrap_or_else(|| panic!("there is no {name}"));
    let list = || DataType::new_list(DataType::Utf8, true);
    let call = |function: Arc<ScalarUDF>, arguments: Vec<Expr>, returns: DataType| {
        Expr::function(function, arguments, Arc::new(Field::new("result", returns, true)))
    };
    let pair = |name: &str, theirs: Arc<ScalarUDF>, arguments: Vec<Expr>, returns: DataType| {
        let ours = call(own(name), arguments.clone(), returns.clone());
        [(format!("{name}/ours"), ours), (format!("{name}/datafusion"), call(theirs, arguments, returns))]
    };
    let mut calls = Vec::new();
    calls.extend(pair(
        "to_char",
        datafusion_functions::datetime::to_char(),
        vec![time.clone(), Expr::literal("%Y-%m-%d %H:%M:%S")],
        DataType::Utf8,
    ));
    calls.extend(pair(
        "regexp_match",
        datafusion_functions::regex::regexp_match(),
        vec![text.clone(), Expr::literal("/(7[0-9]+)/")],
        list(),
    ));
    calls.extend(pair(
        "regexp_replace",
        datafusion_functions::regex::regexp_replace(),
        vec![text.clone(), Expr::literal("[0-9]+"), Expr::literal("#")],
        DataType::Utf8,
    ));
    let format = vec![time, Expr::literal("yyyy-MM-dd HH:mm:ss")];
    calls.push(("date_format/ours".to_owned(), call(own("date_format"), format, DataType::Utf8)));
    let index = vec![text, Expr::literal("/"), Expr::literal(3i64)];
    calls.push(("split_index/ours".to_owned(), call(own("split_index"), index, DataType::Utf8)));
    let map = Expr::column(6, map_type(DataType::Utf8, DataType::Int64));
    let element = vec![map.clone(), Expr::literal("key 6")];
    calls.extend(pair("element_at", datafusion_functions::core::get_field(), element, DataType::Int64));
    calls.push(("map_concat/ours".to_owned(), call(own("map_concat"), vec![map.clone(), map.clone()], map.data_type())));
    calls
}

fn evaluation(criterion: &mut Criterion) {
    let columns = columns();
    let mut group = criterion.benchmark_group("expression");
    group.throughput(Throughput::Elements(ROWS as u64));
    for (name, expression) in expressions() {
        group.bench_function(name, |bencher| bencher.iter(|| black_box(expression.evaluate(black_box(&columns), ROWS))));
    }
    group.finish();
    let mut group = criterion.benchmark_group("function");
    group.throughput(Throughput::Elements(ROWS as u64));
    for (name, expression) in calls() {
        group.bench_function(name, |bencher| bencher.iter(|| black_box(expression.evaluate(black_box(&columns), ROWS))));
    }
    group.finish();
}

criterion_group!(benches, evaluation);
criterion_main!(benches);
