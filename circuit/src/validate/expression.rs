//! The types within an expression.

use arrow::compute::can_cast_types;
use arrow::datatypes::DataType;
use datafusion_expr::Volatility;
use deltic_zset::types;

use super::{Check, ensure};
use crate::{BinaryOp, Expr};

/// Checks that `expr` is a well-typed condition over `columns`.
pub(super) fn predicate(expr: &Expr, columns: &[DataType]) -> Check {
    check(expr, columns)?;
    boolean(expr)
}

fn boolean(expr: &Expr) -> Check {
    ensure(expr.data_type() == DataType::Boolean, || format!("{expr} is {}, not a condition", expr.data_type()))
}

/// Checks `expr` and everything in it over `columns`.
pub(super) fn check(expr: &Expr, columns: &[DataType]) -> Check {
    expr.children().into_iter().try_for_each(|child| check(child, columns))?;
    match expr {
        Expr::Column { index, data_type } => {
            let column = columns.get(*index).ok_or_else(|| format!("column #{index} of {}", columns.len()))?;
            ensure(column == data_type, || format!("column #{index} is {column}, not {data_type}"))
        }
        Expr::Literal(value) => {
            let data_type = value.data_type();
            ensure(data_type == DataType::Null || types::canonical_type(&data_type).is_some(), || {
                format!("a literal of type {data_type} cannot be stored")
            })
        }
        Expr::Binary { op, left, right, data_type } => binary(*op, left, right, data_type, expr),
        Expr::Not(input) => boolean(input),
        Expr::Negative(input) => {
            let data_type = input.data_type();
            let signed = data_type.is_signed_integer() || data_type.is_floating();
            let other = matches!(data_type, DataType::Decimal128(..) | DataType::Interval(_) | DataType::Duration(_));
            ensure(signed || other, || format!("{expr}: {data_type} has no negative"))
        }
        Expr::IsNull(_) => Ok(()),
        Expr::Cast { input, data_type, .. } => {
            let from = input.data_type();
            // Everything has a text.
            let defined = data_type == &DataType::Utf8 || can_cast_types(&from, data_type);
            ensure(defined && types::canonical_type(data_type).is_some(), || format!("{expr}: {from} has no cast to {data_type}"))
        }
        Expr::Case { branches, otherwise, data_type } => {
            branches.iter().try_for_each(|(condition, _)| boolean(condition))?;
            let results = branches.iter().map(|(_, result)| result).chain(otherwise.as_deref());
            alternatives(results, data_type, expr)
        }
        Expr::Coalesce { arguments, data_type } => alternatives(arguments.iter(), data_type, expr),
        Expr::Like { input, pattern, .. } => {
            let text = |expr: &Expr| expr.data_type() == DataType::Utf8;
            ensure(text(input) && text(pattern), || format!("{expr}: LIKE wants text"))
        }
        Expr::InList { input, list, .. } => {
            let data_type = input.data_type();
            let same = list.iter().all(|value| types::canonical_type(&value.data_type()).as_ref() == Some(&data_type));
            ensure(same, || format!("{expr}: the list is not of type {data_type}"))
        }
        Expr::Function { function, return_field, .. } => {
            ensure(function.signature().volatility == Volatility::Immutable, || {
                format!("{}() is not a function of its arguments alone", function.name())
            })?;
            ensure(types::canonical_type(return_field.data_type()).is_some(), || {
                format!("{}() returns {}, which cannot be stored", function.name(), return_field.data_type())
            })
        }
    }
}

fn binary(op: BinaryOp, left: &Expr, right: &Expr, data_type: &DataType, expr: &Expr) -> Check {
    let (left_type, right_type) = (left.data_type(), right.data_type());
    let Some(natural) = op.result_type(&left_type, &right_type) else {
        return Err(format!("{expr}: {op} is not defined for {left_type} and {right_type}"));
    };
    // Decimals may be declared with another precision and scale, temporal results in another unit: they are rounded and checked, or cast.
    let free = op.is_arithmetic() && (natural.is_numeric() == data_type.is_numeric());
    ensure(free || &natural == data_type, || format!("{expr}: {op} yields {natural}, not {data_type}"))
}

/// Results of one type; an untyped NULL is of any.
fn alternatives<'a>(mut results: impl Iterator<Item = &'a Expr>, data_type: &DataType, expr: &Expr) -> Check {
    let same = results.all(|result| {
        let result = result.data_type();
        result == DataType::Null || types::canonical_type(data_type).as_ref() == Some(&result)
    });
    ensure(same, || format!("{expr}: the alternatives are not all of type {data_type}"))
}
