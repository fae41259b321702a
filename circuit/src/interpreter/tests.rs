//! Examples of what the module's text fixes, worked out by hand: the interpreter judges the operators, so nothing but the reader judges it.

#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use deltic_zset::ZBatch;

use super::evaluate;
use crate::{
    AggregateCall, AggregateFunction, BinaryOp, Circuit, CircuitBuilder, CircuitError, Expr, JoinKey, JoinKind, NodeId,
    Properties, SortKey, render_row,
};

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("k", DataType::Int64, true),
        Field::new("v", DataType::Int64, true),
        Field::new("s", DataType::Utf8, true),
    ]))
}

type Row = (Option<i64>, Option<i64>, &'static str, i64);

fn rows(rows: &[Row]) -> ZBatch {
    let columns: Vec<ArrayRef> = vec![
        Arc::new(rows.iter().map(|row| row.0).collect::<Int64Array>()),
        Arc::new(rows.iter().map(|row| row.1).collect::<Int64Array>()),
        Arc::new(rows.iter().map(|row| Some(row.2)).collect::<StringArray>()),
    ];
    let weights: Vec<i64> = rows.iter().map(|row| row.3).collect();
    ZBatch::new(schema(), columns, Some(weights.into()), rows.len())
}

/// Rows with weights, sorted.
fn lines(batch: &ZBatch) -> Vec<String> {
    let mut lines: Vec<String> =
        (0..batch.len()).map(|row| format!("{:+} {}", batch.weight(row), render_row(batch, row))).collect();
    lines.sort();
    lines
}

fn run(circuit: &Circuit, tables: &[(&str, ZBatch)]) -> (Vec<String>, Vec<String>) {
    let sources: HashMap<String, ZBatch> = tables.iter().map(|(name, rows)| ((*name).to_owned(), rows.clone())).collect();
    let interpreted = evaluate(circuit, &sources).unwrap();
    (lines(&interpreted.rows), lines(&interpreted.errors))
}

fn over_t(build: impl FnOnce(&mut CircuitBuilder, NodeId) -> NodeId) -> Circuit {
    let mut builder = CircuitBuilder::new();
    let t = builder.source("t", schema(), Properties::default());
    let output = build(&mut builder, t);
    builder.finish(output, None).unwrap()
}

fn call(function: AggregateFunction, argument: Option<usize>) -> (String, AggregateCall) {
    let argument_type = argument.map(|column| schema().field(column).data_type().clone());
    let data_type = crate::aggregate::aggregate_type(&function, argument_type.as_slice()).unwrap();
    ("a".to_owned(), AggregateCall::new(function, argument, data_type))
}

#[test]
fn rows_that_fail_go_to_the_errors() {
    let circuit = over_t(|builder, t| {
        let quotient = Expr::binary(BinaryOp::Divide, Expr::literal(10i64), builder.column(t, 0));
        builder.map_filter(t, vec![], vec![("q".to_owned(), quotient)]).unwrap()
    });
    let table = rows(&[(Some(5), None, "a", 2), (Some(0), Some(1), "it's", 3), (None, None, "", 1)]);
    let (rows, errors) = run(&circuit, &[("t", table)]);
    assert_eq!(rows, ["+1 (NULL)", "+2 (2)"]);
    assert_eq!(errors, ["+3 ('DT2002', 'division by zero: 10 / 0', 'filter/projection', '(0, 1, ''it''''s'')')"]);
}

#[test]
fn a_global_aggregate_has_one_row_on_empty_input() {
    let circuit = over_t(|builder, t| {
        let calls = vec![
            call(AggregateFunction::Count, None),
            call(AggregateFunction::Sum, Some(1)),
            call(AggregateFunction::Min, Some(2)),
        ];
        builder.aggregate(t, vec![], calls).unwrap()
    });
    assert_eq!(run(&circuit, &[("t", rows(&[]))]).0, ["+1 (0, NULL, NULL)"]);
    let table = rows(&[(None, Some(3), "b", 2), (None, None, "a", 1)]);
    assert_eq!(run(&circuit, &[("t", table)]).0, ["+1 (3, 6, 'a')"]);
}

#[test]
fn a_sum_that_does_not_fit_takes_the_row_of_its_group() {
    let circuit = over_t(|builder, t| builder.aggregate(t, vec![0], vec![call(AggregateFunction::Sum, Some(1))]).unwrap());
    let table = rows(&[(Some(1), Some(i64::MAX), "a", 2), (Some(2), Some(1), "a", 1), (None, Some(4), "a", 1)]);
    let (rows, errors) = run(&circuit, &[("t", table)]);
    assert_eq!(rows, ["+1 (2, 1)", "+1 (NULL, 4)"]);
    let message = "the result 18446744073709551614 of sum(#1) does not fit BIGINT";
    assert_eq!(errors, [format!("+1 ('DT2001', '{message}', 'aggregate sum(#1)', '(1)')")]);
}

#[test]
fn aggregates_are_distinct_and_filtered() {
    let circuit = over_t(|builder, t| {
        let positive = Expr::binary(BinaryOp::Greater, builder.column(t, 1), Expr::literal(0i64));
        let columns = vec![("v".to_owned(), builder.column(t, 1)), ("p".to_owned(), positive)];
        let input = builder.map_filter(t, vec![], columns).unwrap();
        let mut calls: Vec<(String, AggregateCall)> = Vec::new();
        for (distinct, filter) in [(false, None), (true, None), (true, Some(1))] {
            let data_type = DataType::Int64;
            let function = AggregateFunction::Sum;
            calls.push(("s".to_owned(), AggregateCall { distinct, filter, ..AggregateCall::new(function, [0], data_type) }));
        }
        builder.aggregate(input, vec![], calls).unwrap()
    });
    let table = rows(&[(None, Some(3), "a", 2), (None, Some(3), "b", 1), (None, Some(-1), "c", 5), (None, None, "d", 1)]);
    assert_eq!(run(&circuit, &[("t", table)]).0, ["+1 (4, 2, 3)"]);
}

#[test]
fn averages_are_rounded_once() {
    let circuit = over_t(|builder, t| builder.aggregate(t, vec![], vec![call(AggregateFunction::Avg, Some(1))]).unwrap());
    let table = rows(&[(None, Some(i64::MAX), "a", 1), (None, Some(i64::MAX), "b", 1), (None, Some(1), "c", 1)]);
    let expected = (2.0f64.powi(64) - 1.0) / 3.0;
    assert_eq!(run(&circuit, &[("t", table)]).0, [format!("+1 ({expected:?})")]);
}

fn joined(kind: JoinKind, null_safe: bool, residual: Option<Expr>) -> Circuit {
    let mut builder = CircuitBuilder::new();
    let t = builder.source("t", schema(), Properties::default());
    let u = builder.source("u", schema(), Properties::default());
    let keys = vec![JoinKey { left: 0, right: 0, null_safe }];
    let output = builder.join(t, u, kind, keys, residual).unwrap();
    builder.finish(output, None).unwrap()
}

#[test]
fn joins_multiply_weights_and_null_joins_only_null_safely() {
    let t = rows(&[(Some(1), None, "l", 2), (None, None, "l", 1)]);
    let u = rows(&[(Some(1), None, "r", 3), (None, None, "r", 1)]);
    let tables = [("t", t), ("u", u)];
    let pair = "+6 (1, NULL, 'l', 1, NULL, 'r')";
    assert_eq!(run(&joined(JoinKind::Inner, false, None), &tables).0, [pair]);
    let null_pair = "+1 (NULL, NULL, 'l', NULL, NULL, 'r')";
    assert_eq!(run(&joined(JoinKind::Inner, true, None), &tables).0, [null_pair, pair]);
    let left_alone = "+1 (NULL, NULL, 'l', NULL, NULL, NULL)";
    let right_alone = "+1 (NULL, NULL, NULL, NULL, NULL, 'r')";
    assert_eq!(run(&joined(JoinKind::Left, false, None), &tables).0, [left_alone, pair]);
    assert_eq!(run(&joined(JoinKind::Right, false, None), &tables).0, [right_alone, pair]);
    assert_eq!(run(&joined(JoinKind::Full, false, None), &tables).0, [left_alone, right_alone, pair]);
}

#[test]
fn a_pair_whose_condition_fails_is_an_error_and_no_match() {
    let column = |index| Expr::column(index, DataType::Int64);
    let residual = Expr::binary(BinaryOp::Divide, column(1), column(4)).equal(Expr::literal(2i64));
    let t = rows(&[(Some(1), Some(4), "l", 2)]);
    let u = rows(&[(Some(1), Some(0), "r", 3)]);
    let (rows, errors) = run(&joined(JoinKind::Left, false, Some(residual)), &[("t", t), ("u", u)]);
    assert_eq!(rows, ["+2 (1, 4, 'l', NULL, NULL, NULL)"]);
    let pair = "(1, 4, ''l'', 1, 0, ''r'')";
    assert_eq!(errors, [format!("+6 ('DT2002', 'division by zero: 4 / 0', 'join condition', '{pair}')")]);
}

#[test]
fn top_k_counts_copies_in_a_total_order() {
    let order = vec![SortKey { column: 1, descending: true, nulls_first: true }];
    let table =
        rows(&[(Some(1), Some(5), "b", 2), (Some(1), Some(5), "a", 1), (Some(1), None, "z", 1), (Some(2), Some(1), "x", 4)]);
    let top = |offset, limit, number: Option<&str>| {
        let circuit =
            over_t(|builder, t| builder.top_k(t, vec![0], order.clone(), offset, limit, number.map(str::to_owned)).unwrap());
        run(&circuit, &[("t", table.clone())]).0
    };
    assert_eq!(top(0, Some(3), None), ["+1 (1, 5, 'a')", "+1 (1, 5, 'b')", "+1 (1, NULL, 'z')", "+3 (2, 1, 'x')"]);
    assert_eq!(top(3, None, None), ["+1 (1, 5, 'b')", "+1 (2, 1, 'x')"]);
    let numbered = ["+1 (1, 5, 'a', 2)", "+1 (1, 5, 'b', 3)", "+1 (2, 1, 'x', 2)", "+1 (2, 1, 'x', 3)"];
    assert_eq!(top(1, Some(2), Some("n")), numbered);
    let tied = |offset, limit| {
        let circuit = over_t(|builder, t| builder.top_k_with_ties(t, vec![0], order.clone(), offset, limit).unwrap());
        run(&circuit, &[("t", table.clone())]).0
    };
    assert_eq!(tied(0, 2), ["+1 (1, 5, 'a')", "+1 (1, NULL, 'z')", "+2 (1, 5, 'b')", "+4 (2, 1, 'x')"]);
    assert_eq!(tied(2, 1), ["+2 (1, 5, 'b')", "+2 (2, 1, 'x')"]);
    assert_eq!(tied(0, 0), Vec::<String>::new());
    let groups = |limit| {
        let circuit = over_t(|builder, t| builder.top_groups(t, vec![0], order.clone(), limit).unwrap());
        run(&circuit, &[("t", table.clone())]).0
    };
    assert_eq!(groups(0), Vec::<String>::new());
    assert_eq!(groups(1), ["+1 (1, NULL, 'z')", "+4 (2, 1, 'x')"]);
    assert_eq!(groups(2), ["+1 (1, 5, 'a')", "+1 (1, NULL, 'z')", "+2 (1, 5, 'b')", "+4 (2, 1, 'x')"]);
}

#[test]
fn the_greatest_float_is_nan() {
    let schema: SchemaRef = Arc::new(Schema::new(vec![Field::new("f", DataType::Float64, true)]));
    let column: ArrayRef = Arc::new(Float64Array::from(vec![Some(f64::INFINITY), Some(f64::NAN), None, Some(0.0)]));
    let table = ZBatch::new(schema.clone(), vec![column], None, 4);
    let mut builder = CircuitBuilder::new();
    let t = builder.source("t", schema, Properties::default());
    let order = vec![SortKey { column: 0, descending: true, nulls_first: false }];
    let output = builder.top_k(t, vec![], order, 0, Some(2), None).unwrap();
    let circuit = builder.finish(output, None).unwrap();
    assert_eq!(run(&circuit, &[("t", table)]).0, ["+1 (NaN)", "+1 (inf)"]);
}

#[test]
fn union_negate_distinct_are_those_of_z_sets() {
    let circuit = over_t(|builder, t| {
        let column = builder.column(t, 0);
        let positive = builder.filter(t, vec![Expr::binary(BinaryOp::Greater, column, Expr::literal(0i64))]).unwrap();
        let negated = builder.negate(positive).unwrap();
        let difference = builder.union(vec![t, negated]).unwrap();
        builder.distinct(difference).unwrap()
    });
    let table = rows(&[(Some(1), None, "a", 4), (Some(0), None, "b", 3), (None, None, "c", 1)]);
    assert_eq!(run(&circuit, &[("t", table)]).0, ["+1 (0, NULL, 'b')", "+1 (NULL, NULL, 'c')"]);
}

#[test]
fn sources_must_be_given_fit_and_be_positive() {
    let circuit = over_t(|_, t| t);
    let fails = |table: Option<ZBatch>| {
        let sources = table.into_iter().map(|rows| ("t".to_owned(), rows)).collect();
        evaluate(&circuit, &sources).unwrap_err()
    };
    assert!(matches!(fails(None), CircuitError::UnknownSource(name) if name == "t"));
    assert!(matches!(fails(Some(rows(&[(None, None, "a", -1)]))), CircuitError::SourceMismatch { .. }));
    let narrow = ZBatch::empty(Arc::new(schema().project(&[0]).unwrap()));
    assert!(matches!(fails(Some(narrow)), CircuitError::SourceMismatch { .. }));
}
