//! DataFusion's functions: failures of rows, panics, other spellings of types.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, StringArray};
use arrow::datatypes::{DataType, Field};
use datafusion_common::ScalarValue;
use datafusion_expr::{ColumnarValue, ScalarUDF, Volatility, create_udf};

use super::results;
use crate::Expr;

fn call(function: Arc<ScalarUDF>, arguments: Vec<Expr>, returns: DataType) -> Expr {
    Expr::function(function, arguments, Arc::new(Field::new("result", returns, true)))
}

#[test]
fn a_bad_row_fails_alone() {
    let values: ArrayRef = Arc::new(Int64Array::from(vec![Some(-3), Some(i64::MIN), None, Some(4)]));
    let abs = call(datafusion_functions::math::abs(), vec![Expr::column(0, DataType::Int64)], DataType::Int64);
    assert_eq!(results(&abs, &[values], 4), ["3", "DT2005", "NULL", "4"]);
}

#[test]
fn a_panic_is_an_error_of_its_row() {
    let odd = create_udf(
        "odd",
        vec![DataType::Int64],
        DataType::Int64,
        Volatility::Immutable,
        Arc::new(|arguments| {
            let ColumnarValue::Array(array) = &arguments[0] else { return Ok(arguments[0].clone()) };
            let values = arrow::array::AsArray::as_primitive::<arrow::datatypes::Int64Type>(array);
            assert!(values.iter().flatten().all(|value| value != 13), "thirteen");
            Ok(ColumnarValue::Array(array.clone()))
        }),
    );
    let values: ArrayRef = Arc::new(Int64Array::from(vec![12, 13, 14]));
    let expr = call(Arc::new(odd), vec![Expr::column(0, DataType::Int64)], DataType::Int64);
    assert_eq!(results(&expr, std::slice::from_ref(&values), 3), ["12", "DT2005", "14"]);
    assert_eq!(expr.evaluate(&[values], 3).errors.get(1).unwrap().message, "odd: thirteen");
}

#[test]
fn a_failing_argument_fails_the_call() {
    let texts: ArrayRef = Arc::new(StringArray::from(vec!["1", "x"]));
    let number = Expr::column(0, DataType::Utf8).cast(DataType::Int64);
    let concat =
        call(datafusion_functions::string::concat(), vec![Expr::literal("n"), number.cast(DataType::Utf8)], DataType::Utf8);
    assert_eq!(results(&concat, &[texts], 2), ["n1", "DT2003"], "although concat() takes NULL");
}

#[test]
fn results_are_canonical() {
    let negative_zero = create_udf(
        "zero",
        vec![],
        DataType::Float64,
        Volatility::Immutable,
        Arc::new(|_| Ok(ColumnarValue::Array(Arc::new(Float64Array::from(vec![-0.0]))))),
    );
    let expr = call(Arc::new(negative_zero), vec![], DataType::Float64);
    assert_eq!(results(&expr, &[], 1), ["0.0"]);
    let view = create_udf(
        "view",
        vec![DataType::Utf8],
        DataType::Utf8View,
        Volatility::Immutable,
        Arc::new(|_| Ok(ColumnarValue::Scalar(ScalarValue::Utf8View(Some("seen".into()))))),
    );
    let expr = call(Arc::new(view), vec![Expr::column(0, DataType::Utf8)], DataType::Utf8View);
    let texts: ArrayRef = Arc::new(StringArray::from(vec!["1", "x"]));
    assert_eq!(results(&expr, &[texts], 2), ["seen", "seen"]);
    assert_eq!(expr.data_type(), DataType::Utf8);
}
