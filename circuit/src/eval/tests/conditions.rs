//! AND and OR with errors, CASE, COALESCE, IN, LIKE.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, StringArray};
use arrow::datatypes::DataType;
use datafusion_common::ScalarValue;

use super::results;
use crate::{BinaryOp, Expr};

/// A condition with each of the four outcomes: false, true, NULL, error.
fn outcomes() -> [(&'static str, Expr); 4] {
    let boolean = |value| Expr::Literal(ScalarValue::Boolean(value));
    let error = Expr::binary(BinaryOp::Divide, Expr::literal(1i64), Expr::literal(0i64)).equal(Expr::literal(1i64));
    [("false", boolean(Some(false))), ("true", boolean(Some(true))), ("NULL", boolean(None)), ("DT2002", error)]
}

#[test]
fn and_or_have_the_errors_that_nothing_decides() {
    for (left, left_expr) in outcomes() {
        for (right, right_expr) in outcomes() {
            let both = [left, right];
            let pick = |order: [&'static str; 4]| order.into_iter().find(|outcome| both.contains(outcome)).unwrap();
            let and = results(&left_expr.clone().and(right_expr.clone()), &[], 2);
            assert_eq!(and[0], pick(["false", "DT2002", "NULL", "true"]), "{left} AND {right}");
            let or = results(&left_expr.clone().or(right_expr.clone()), &[], 2);
            assert_eq!(or[0], pick(["true", "DT2002", "NULL", "false"]), "{left} OR {right}");
        }
    }
}

fn numbers() -> ArrayRef {
    Arc::new(Int64Array::from(vec![Some(0), Some(2), None, Some(5)]))
}

fn column() -> Expr {
    Expr::column(0, DataType::Int64)
}

fn quotient() -> Expr {
    Expr::binary(BinaryOp::Divide, Expr::literal(10i64), column())
}

#[test]
fn a_guard_protects_on_either_side() {
    let guard = Expr::binary(BinaryOp::NotEqual, column(), Expr::literal(0i64));
    let test = Expr::binary(BinaryOp::Greater, quotient(), Expr::literal(3i64));
    let expected = ["false", "true", "NULL", "false"];
    assert_eq!(results(&guard.clone().and(test.clone()), &[numbers()], 4), expected);
    assert_eq!(results(&test.and(guard), &[numbers()], 4), expected);
}

#[test]
fn case_evaluates_what_a_row_reaches() {
    let zero = column().equal(Expr::literal(0i64));
    let guarded = Expr::case(vec![(zero, Expr::literal(-1i64))], Some(quotient()));
    assert_eq!(results(&guarded, &[numbers()], 4), ["-1", "5", "NULL", "2"]);
    let failing = Expr::case(vec![(quotient().equal(Expr::literal(5i64)), Expr::literal("five"))], None);
    assert_eq!(results(&failing, &[numbers()], 4), ["DT2002", "five", "NULL", "NULL"]);
    let typed_by_null = Expr::Case {
        branches: vec![(column().is_null(), Expr::Literal(ScalarValue::Null))],
        otherwise: Some(Box::new(column())),
        data_type: DataType::Int64,
    };
    assert_eq!(results(&typed_by_null, &[numbers()], 4), ["0", "2", "NULL", "5"]);
}

#[test]
fn coalesce_stops_at_the_first_value() {
    let first = Expr::coalesce(vec![column(), quotient()]);
    assert_eq!(results(&first, &[numbers()], 4), ["0", "2", "NULL", "5"]);
    let failing = Expr::coalesce(vec![quotient(), Expr::literal(7i64)]);
    assert_eq!(results(&failing, &[numbers()], 4), ["DT2002", "5", "7", "2"], "an error is not NULL");
}

#[test]
fn is_null_of_an_error_is_the_error() {
    assert_eq!(results(&quotient().is_null(), &[numbers()], 4), ["DT2002", "false", "true", "false"]);
    assert_eq!(results(&column().is_not_null(), &[numbers()], 4), ["true", "true", "false", "true"]);
}

#[test]
fn in_is_three_valued_for_short_and_long_lists() {
    for fill in [0i64, 40] {
        let mut list: Vec<ScalarValue> = vec![2i64.into(), 5i64.into()];
        list.extend((100..100 + fill).map(ScalarValue::from));
        let found = column().in_list(list.clone(), false);
        assert_eq!(results(&found, &[numbers()], 4), ["false", "true", "NULL", "true"]);
        let missing = column().in_list(list.clone(), true);
        assert_eq!(results(&missing, &[numbers()], 4), ["true", "false", "NULL", "false"]);
        list.push(ScalarValue::Int64(None));
        let unknown = column().in_list(list, true);
        assert_eq!(results(&unknown, &[numbers()], 4), ["NULL", "false", "NULL", "false"]);
    }
}

#[test]
fn like_and_ilike() {
    let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("Hello"), Some("help_me"), None, Some("a%b")]));
    let text = || Expr::column(0, DataType::Utf8);
    let like = |pattern: &str, negated, insensitive| {
        results(&text().like(Expr::literal(pattern), negated, insensitive), std::slice::from_ref(&texts), 4)
    };
    assert_eq!(like("Hel%", false, false), ["true", "false", "NULL", "false"]);
    assert_eq!(like("hel%", false, true), ["true", "true", "NULL", "false"]);
    assert_eq!(like("hel%", true, true), ["false", "false", "NULL", "true"]);
    assert_eq!(like("help\\_me", false, false), ["false", "true", "NULL", "false"]);
    assert_eq!(like("_\\%_", false, false), ["false", "false", "NULL", "true"]);
    assert_eq!(like("%l%", false, false), ["true", "true", "NULL", "false"]);
    assert_eq!(like("%L_O", false, true), ["true", "false", "NULL", "false"]);
    assert_eq!(like("%e%_%", false, false), ["true", "true", "NULL", "false"]);
    assert_eq!(like("a_b\\%", false, false), ["false", "false", "NULL", "false"], "an escaped end is an end");
    assert_eq!(like("a.b", false, true), ["false", "false", "NULL", "false"], "a point is a point");
    let own = text().like(text(), false, false);
    assert_eq!(results(&own, std::slice::from_ref(&texts), 4), ["true", "true", "NULL", "true"], "a pattern per row");
}
