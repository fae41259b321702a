//! The tables say what each operator and cast yields at its borders, in every form an operand can have: they catch a kernel that wraps, rounds
//! or compares in another way, and forms that disagree. The laws say that a row's value is the row's alone and that conditions are
//! symmetric: they catch failures that leak into neighbours. Neither can catch a wrong function of DataFusion's: those are taken as they are. Functions of our own have a table, too.

#![allow(clippy::unwrap_used)]

mod arithmetic;
mod casts;
mod conditions;
mod functions;
mod laws;
mod maps;
mod own_functions;

use arrow::array::{Array, ArrayRef};
use arrow::datatypes::{DataType, TimeUnit};
use datafusion_common::ScalarValue;
use deltic_zset::types;

use super::text::render;
use crate::{BinaryOp, Expr};

pub(super) const TIMESTAMP: DataType = DataType::Timestamp(TimeUnit::Microsecond, None);

/// What `expr` yields on each row: the text of the value, `NULL`, or the code of the error.
pub(super) fn results(expr: &Expr, columns: &[ArrayRef], rows: usize) -> Vec<String> {
    let evaluated = expr.evaluate(columns, rows);
    assert_eq!(evaluated.values.len(), rows, "{expr}");
    assert_eq!(evaluated.values.data_type(), &expr.data_type(), "{expr}");
    let result = |row: usize| match evaluated.errors.get(row) {
        Some(error) => {
            assert!(evaluated.values.is_null(row), "{expr}: a row that fails has a value");
            error.code.to_owned()
        }
        None if evaluated.values.is_null(row) => "NULL".to_owned(),
        None => render(&evaluated.values, row),
    };
    (0..rows).map(result).collect()
}

/// What `op` yields for two values, the same whether they are literals or columns, alone or beside a row of NULLs.
pub(super) fn binary(op: BinaryOp, left: impl Into<ScalarValue>, right: impl Into<ScalarValue>) -> String {
    let (left, right) = (left.into(), right.into());
    let (left_type, right_type) = (left.data_type(), right.data_type());
    let column = |value: &ScalarValue| {
        let null = ScalarValue::try_new_null(&value.data_type()).unwrap();
        // Columns are canonical, as on every edge; literals need not be.
        types::canonicalize_floats(ScalarValue::iter_to_array([null.clone(), value.clone(), null]).unwrap())
    };
    let columns = [column(&left), column(&right)];
    let forms = [
        (Expr::literal(left.clone()), Expr::literal(right.clone())),
        (Expr::column(0, left_type.clone()), Expr::column(1, right_type.clone())),
        (Expr::literal(left), Expr::column(1, right_type)),
        (Expr::column(0, left_type), Expr::literal(right)),
    ];
    let mut found: Vec<String> =
        forms.into_iter().map(|(left, right)| results(&Expr::binary(op, left, right), &columns, 3)[1].clone()).collect();
    found.dedup();
    assert_eq!(found.len(), 1, "the forms of {op} disagree: {found:?}");
    found.remove(0)
}

/// What a cast yields, the same for a literal and for a column.
pub(super) fn cast(value: impl Into<ScalarValue>, to: DataType) -> String {
    let value = value.into();
    let from = value.data_type();
    let null = ScalarValue::try_new_null(&from).unwrap();
    let column = ScalarValue::iter_to_array([null, value.clone()]).unwrap();
    let literal = results(&Expr::literal(value).cast(to.clone()), &[], 1).remove(0);
    let columns = [column];
    let by_column = results(&Expr::column(0, from.clone()).cast(to.clone()), &columns, 2);
    assert_eq!(by_column, ["NULL", &literal]);
    let tried = results(&Expr::column(0, from).try_cast(to), &columns, 2);
    assert_eq!(tried[1], if literal.starts_with("DT") { "NULL".to_owned() } else { literal.clone() });
    literal
}

pub(super) fn decimal(digits: i128, precision: u8, scale: i8) -> ScalarValue {
    ScalarValue::Decimal128(Some(digits), precision, scale)
}

pub(super) fn timestamp(micros: i64) -> ScalarValue {
    ScalarValue::TimestampMicrosecond(Some(micros), None)
}
