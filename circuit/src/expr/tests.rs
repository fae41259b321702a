//! Expressions as text, their rewriting, and the types of decimal results.

use std::collections::BTreeSet;

use arrow::datatypes::DataType;
use datafusion_common::ScalarValue;

use crate::{BinaryOp, Expr};

fn column(index: usize) -> Expr {
    Expr::column(index, DataType::Int64)
}

#[test]
fn expressions_read_like_sql() {
    let guarded = Expr::case(
        vec![(column(0).is_not_null().and(Expr::binary(BinaryOp::Less, column(1), Expr::literal(3i64))), column(1))],
        Some(column(2).negative()),
    );
    assert_eq!(guarded.to_string(), "CASE WHEN ((#0 IS NOT NULL) AND (#1 < 3)) THEN #1 ELSE (- #2) END");
    let text = column(3).cast(DataType::Utf8).like(Expr::literal("it's%"), true, false);
    assert_eq!(text.to_string(), "(CAST(#3 AS Utf8) NOT LIKE 'it''s%')");
    let list = column(0).in_list(vec![1i64.into(), 1i64.into(), ScalarValue::Int64(None)], false);
    assert_eq!(list.to_string(), "(#0 IN (1, NULL))");
    assert_eq!(Expr::coalesce(vec![column(0), column(1)]).to_string(), "coalesce(#0, #1)");
}

#[test]
fn columns_are_found_moved_and_replaced() {
    let sum = Expr::binary(BinaryOp::Add, column(4), Expr::coalesce(vec![column(2), Expr::literal(0i64)]));
    let mut columns = BTreeSet::new();
    sum.columns(&mut columns);
    assert_eq!(columns, BTreeSet::from([2, 4]));
    assert_eq!(sum.remap(&|index| index - 2).to_string(), "(#2 + coalesce(#0, 0))");
    let composed = sum.substitute(&|index| column(index).negative());
    assert_eq!(composed.to_string(), "((- #4) + coalesce((- #2), 0))");
}

#[test]
fn what_cannot_fail_is_known() {
    assert!(!column(0).equal(Expr::literal(1i64)).and(column(1).is_null()).can_fail());
    assert!(!column(0).cast(DataType::Float64).can_fail());
    assert!(!Expr::column(0, DataType::Int8).cast(DataType::Int16).can_fail());
    assert!(!column(0).try_cast(DataType::Int8).can_fail());
    assert!(column(0).cast(DataType::Int32).can_fail());
    assert!(Expr::binary(BinaryOp::Add, column(0), column(1)).can_fail());
    let float = || Expr::column(0, DataType::Float64);
    assert!(!Expr::binary(BinaryOp::Divide, float(), float()).can_fail());
}

#[test]
fn decimals_grow_by_their_rules() {
    let decimal = |precision, scale| DataType::Decimal128(precision, scale);
    let result = |op: BinaryOp, left, right| op.result_type(&left, &right);
    assert_eq!(result(BinaryOp::Add, decimal(5, 2), decimal(7, 1)), Some(decimal(9, 2)));
    assert_eq!(result(BinaryOp::Multiply, decimal(15, 2), decimal(15, 2)), Some(decimal(31, 4)));
    assert_eq!(result(BinaryOp::Multiply, decimal(38, 10), decimal(38, 10)), Some(decimal(38, 20)));
    assert_eq!(result(BinaryOp::Multiply, decimal(38, 30), decimal(38, 30)), None, "more decimals than there are digits");
    assert_eq!(result(BinaryOp::Divide, decimal(15, 2), decimal(15, 2)), Some(decimal(21, 6)));
    assert_eq!(result(BinaryOp::Modulo, decimal(5, 2), decimal(7, 1)), Some(decimal(5, 2)));
    assert_eq!(result(BinaryOp::Add, decimal(5, 2), DataType::Int64), None);
}
