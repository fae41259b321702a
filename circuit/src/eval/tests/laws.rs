//! Random expressions over random rows.

use std::sync::Arc;

use arrow::array::{ArrayRef, Decimal128Array, Float64Array, Int64Array, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, i256};
use datafusion_common::ScalarValue;
use deltic_zset::ZBatch;
use proptest::prelude::*;

use super::super::decimal::divide_half_away;
use super::super::text::decimal_text;
use super::results;
use crate::BinaryOp::{self, *};
use crate::{Expr, map_filter, render_row};

const DECIMAL: DataType = DataType::Decimal128(20, 2);

fn schema() -> SchemaRef {
    let types = [DataType::Int64, DataType::Int64, DataType::Utf8, DataType::Float64, DECIMAL];
    Arc::new(Schema::new(types.map(|data_type| Field::new("c", data_type, true)).to_vec()))
}

/// Few values, so that rows meet; the borders among them, so that operators fail.
fn batch() -> impl Strategy<Value = ZBatch> {
    let integer = || prop::sample::select(vec![None, Some(0), Some(1), Some(-1), Some(3), Some(i64::MIN), Some(i64::MAX)]);
    let text = prop::sample::select(vec![None, Some("1"), Some("abc"), Some(""), Some(" 7 "), Some("9223372036854775808")]);
    let float = prop::sample::select(vec![None, Some(0.0), Some(2.5), Some(-1e300), Some(f64::NAN), Some(f64::INFINITY)]);
    let decimal = prop::sample::select(vec![None, Some(0i128), Some(150), Some(-1), Some(10i128.pow(20) - 1)]);
    let weight = prop::sample::select(vec![-2i64, -1, 1, 3]);
    prop::collection::vec((integer(), integer(), text, float, decimal, weight), 1..12).prop_map(|rows| {
        let columns: Vec<ArrayRef> = vec![
            Arc::new(rows.iter().map(|row| row.0).collect::<Int64Array>()),
            Arc::new(rows.iter().map(|row| row.1).collect::<Int64Array>()),
            Arc::new(rows.iter().map(|row| row.2).collect::<StringArray>()),
            Arc::new(rows.iter().map(|row| row.3).collect::<Float64Array>()),
            Arc::new(rows.iter().map(|row| row.4).collect::<Decimal128Array>().with_data_type(DECIMAL)),
        ];
        let weights: Vec<i64> = rows.iter().map(|row| row.5).collect();
        ZBatch::new(schema(), columns, Some(weights.into()), rows.len())
    })
}

fn arithmetic() -> impl Strategy<Value = BinaryOp> {
    prop::sample::select(vec![Add, Subtract, Multiply, Divide, Modulo])
}

fn integer() -> impl Strategy<Value = Expr> {
    let leaf = prop_oneof![
        Just(Expr::column(0, DataType::Int64)),
        Just(Expr::column(1, DataType::Int64)),
        prop::sample::select(vec![0i64, 1, -1, i64::MAX]).prop_map(Expr::literal),
        Just(Expr::Literal(ScalarValue::Int64(None))),
        Just(Expr::column(2, DataType::Utf8).cast(DataType::Int64)),
        Just(Expr::column(2, DataType::Utf8).try_cast(DataType::Int64)),
        Just(Expr::column(3, DataType::Float64).cast(DataType::Int64)),
        Just(Expr::binary(Divide, Expr::column(4, DECIMAL), Expr::column(4, DECIMAL)).cast(DataType::Int64)),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            (arithmetic(), inner.clone(), inner.clone()).prop_map(|(op, left, right)| Expr::binary(op, left, right)),
            inner.clone().prop_map(Expr::negative),
            (inner.clone(), inner.clone()).prop_map(|(first, second)| Expr::coalesce(vec![first, second])),
            (inner.clone(), inner.clone(), inner.clone(), inner.clone()).prop_map(|(left, right, then, otherwise)| {
                Expr::case(vec![(Expr::binary(Less, left, right), then)], Some(otherwise))
            }),
            inner.prop_map(|argument| {
                let field = Arc::new(Field::new("abs", DataType::Int64, true));
                Expr::function(datafusion_functions::math::abs(), vec![argument], field)
            }),
        ]
    })
}

fn condition() -> impl Strategy<Value = Expr> {
    let compare = prop::sample::select(vec![Equal, NotEqual, Less, GreaterOrEqual, IsDistinctFrom, IsNotDistinctFrom]);
    let leaf = prop_oneof![
        (compare, integer(), integer()).prop_map(|(op, left, right)| Expr::binary(op, left, right)),
        integer().prop_map(Expr::is_null),
        integer().prop_map(|input| input.in_list(vec![1i64.into(), ScalarValue::Int64(None)], true)),
        Just(Expr::column(2, DataType::Utf8).like(Expr::literal("%b%"), false, false)),
        Just(Expr::column(2, DataType::Utf8).like(Expr::literal("_b%"), true, true)),
        Just(Expr::binary(RegexMatch, Expr::column(2, DataType::Utf8), Expr::literal("^[0-9]+$"))),
        Just(Expr::binary(Greater, Expr::column(3, DataType::Float64), Expr::literal(1.0f64))),
    ];
    leaf.prop_recursive(2, 6, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(left, right)| left.and(right)),
            (inner.clone(), inner.clone()).prop_map(|(left, right)| left.or(right)),
            inner.prop_map(Expr::negate),
        ]
    })
}

/// Rows and errors as text with weights, sorted.
fn outcome(parts: &[(ZBatch, ZBatch)], with_messages: bool) -> Vec<String> {
    let mut lines = Vec::new();
    for (rows, errors) in parts {
        lines.extend((0..rows.len()).map(|row| format!("{} {}", rows.weight(row), render_row(rows, row))));
        let shown =
            if with_messages { errors.clone() } else { errors.project(&[3], Arc::new(errors.schema().project(&[3]).unwrap())) };
        lines.extend((0..shown.len()).map(|row| format!("{} error {}", shown.weight(row), render_row(&shown, row))));
    }
    lines.sort();
    lines
}

/// Results without the kind of error: which of two errors a condition has depends on the order of its operands.
fn symmetric(expr: &Expr, batch: &ZBatch) -> Vec<String> {
    let results = results(expr, batch.columns(), batch.len());
    results.into_iter().map(|result| if result.starts_with("DT") { "error".to_owned() } else { result }).collect()
}

/// Decimal operators against fractions of 256 bits.
fn decimal_by_fractions(op: BinaryOp, left: i128, right: i128) -> Option<i128> {
    // Scale 2 with scale 3 gives scale 5 for a product, 6 for a quotient, 3 else.
    let (l, r) = (i256::from_i128(left), i256::from_i128(right));
    let ten = i256::from_i128(10);
    let result = match op {
        Add => l.wrapping_mul(ten).wrapping_add(r),
        Subtract => l.wrapping_mul(ten).wrapping_sub(r),
        Multiply => l.wrapping_mul(r),
        _ if right == 0 => return None,
        Divide => divide_half_away(l.wrapping_mul(ten.wrapping_pow(7)), r),
        _ => l.wrapping_mul(ten).wrapping_rem(r),
    };
    result.to_i128().filter(|digits| digits.unsigned_abs() < 10u128.pow(38))
}

proptest! {
    #[test]
    fn decimals_are_those_of_fractions(
        op in arithmetic(),
        left in prop_oneof![-1000i128..1000, -(10i128.pow(38) - 1)..10i128.pow(38)],
        right in prop_oneof![-10i128..10, -1000i128..1000, -(10i128.pow(38) - 1)..10i128.pow(38)],
    ) {
        let scale = match op { Multiply => 5, Divide => 6, _ => 3 };
        let decimal = |digits, scale| Expr::literal(ScalarValue::Decimal128(Some(digits), 38, scale));
        let expr = Expr::binary_typed(op, decimal(left, 2), decimal(right, 3), DataType::Decimal128(38, scale));
        let text = decimal_by_fractions(op, left, right).map(|digits| decimal_text(digits, scale));
        let found = results(&expr, &[], 1).remove(0);
        prop_assert_eq!(text, (!found.starts_with("DT")).then_some(found));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_batch_is_its_rows(batch in batch(), value in integer(), condition in condition()) {
        for expr in [value, condition] {
            let whole = expr.evaluate(batch.columns(), batch.len());
            let texts = results(&expr, batch.columns(), batch.len());
            for (row, text) in texts.iter().enumerate() {
                let alone = batch.slice(row, 1);
                let single = expr.evaluate(alone.columns(), 1);
                prop_assert_eq!(whole.errors.get(row), single.errors.get(0));
                prop_assert_eq!(text, &results(&expr, alone.columns(), 1)[0]);
                prop_assert!(expr.can_fail() || single.errors.is_empty(), "{} cannot fail", expr);
            }
        }
    }

    #[test]
    fn conditions_are_symmetric(batch in batch(), left in condition(), right in condition()) {
        prop_assert_eq!(symmetric(&left.clone().and(right.clone()), &batch), symmetric(&right.clone().and(left.clone()), &batch));
        prop_assert_eq!(symmetric(&left.clone().or(right.clone()), &batch), symmetric(&right.clone().or(left.clone()), &batch));
        let de_morgan = left.clone().negate().or(right.clone().negate()).negate();
        prop_assert_eq!(symmetric(&left.and(right), &batch), symmetric(&de_morgan, &batch));
    }

    #[test]
    fn map_filter_is_linear_and_its_predicates_commute(
        batch in batch(),
        predicates in prop::collection::vec(condition(), 0..4),
        value in integer(),
    ) {
        let output: SchemaRef = Arc::new(Schema::new(vec![Field::new("v", DataType::Int64, true)]));
        let run = |batch: &ZBatch, predicates: &[Expr]| {
            map_filter(batch, predicates, Some(std::slice::from_ref(&value)), &output, "filter/projection")
        };
        let whole = outcome(&[run(&batch, &predicates)], true);
        let alone: Vec<_> = (0..batch.len()).map(|row| run(&batch.slice(row, 1), &predicates)).collect();
        prop_assert_eq!(&whole, &outcome(&alone, true));
        let reversed: Vec<Expr> = predicates.iter().rev().cloned().collect();
        prop_assert_eq!(outcome(&[run(&batch, &predicates)], false), outcome(&[run(&batch, &reversed)], false));
        let conjunction: Vec<Expr> = Expr::conjunction(predicates).into_iter().collect();
        prop_assert_eq!(whole, outcome(&[run(&batch, &conjunction)], true));
    }
}
