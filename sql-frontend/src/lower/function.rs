//! Calls of scalar functions.
//!
//! A few functions of DataFusion exist in its simplifier only, or evaluate arguments that they must not: those become expressions of our
//! own. The others are called as they are. They are resolved once more for the canonical types of their arguments, because these may differ
//! from the ones that the analyzer coerced to.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, TimeUnit};
use datafusion_common::ScalarValue;
use datafusion_expr::expr::ScalarFunction;
use datafusion_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion_expr::type_coercion::functions::fields_with_udf;
use datafusion_expr::{ReturnFieldArgs, ScalarUDF, Volatility};
use deltic_circuit::{BinaryOp, Expr};
use deltic_zset::types::canonical_type;

use super::Lower;
use super::expr::{Scope, internal, is_untyped_null, typed, typed_null};
use crate::SqlError;
use crate::error::Code;
use crate::plan::{NOW_NAME, now_type};

/// Lowers a call whose value has the type `data_type`.
pub(super) fn lower_function(scope: Scope<'_>, call: &ScalarFunction, data_type: &DataType) -> Lower<Expr> {
    let function = &call.func;
    if function.name() == NOW_NAME {
        return Ok(Expr::function(function.clone(), vec![], Arc::new(Field::new("now", now_type(), false))));
    }
    if function.signature().volatility != Volatility::Immutable {
        let message = format!("{}() is not a function of its arguments, so its rows could not be retracted", function.name());
        return Err(SqlError::nowhere(Code::Volatile, message));
    }
    if matches!(function.name(), "arrow_cast" | "arrow_try_cast" | "cast_to_type" | "try_cast_to_type") {
        let context = SimplifyContext::builder().with_schema(Arc::new(scope.schema.clone())).build();
        return match function.simplify(call.args.clone(), &context).map_err(|error| internal(&error))? {
            ExprSimplifyResult::Simplified(expr) => scope.lower(&expr),
            ExprSimplifyResult::Original(_) => Err(super::expr::unsupported(function.name())),
        };
    }
    let arguments = call.args.iter().map(|argument| scope.lower(argument)).collect::<Lower<Vec<_>>>()?;
    match (function.name(), arguments.as_slice()) {
        ("coalesce" | "nvl", [_, ..]) => {
            let arguments = arguments.into_iter().map(|argument| typed(argument, data_type)).collect::<Lower<Vec<_>>>()?;
            Ok(if arguments.len() == 1 {
                arguments[0].clone()
            } else {
                Expr::Coalesce { arguments, data_type: data_type.clone() }
            })
        }
        ("nvl2", [test, value, otherwise]) => {
            let branch = (test.clone().is_not_null(), typed(value.clone(), data_type)?);
            Ok(Expr::Case {
                branches: vec![branch],
                otherwise: Some(Box::new(typed(otherwise.clone(), data_type)?)),
                data_type: data_type.clone(),
            })
        }
        ("nullif", [value, other]) => {
            let value = typed(value.clone(), data_type)?;
            if is_untyped_null(other) {
                return Ok(value);
            }
            let other = typed(other.clone(), data_type)?;
            let equal = Expr::binary_typed(BinaryOp::Equal, value.clone(), other, DataType::Boolean);
            let branches = vec![(equal, typed_null(data_type)?)];
            Ok(Expr::Case { branches, otherwise: Some(Box::new(value)), data_type: data_type.clone() })
        }
        ("date_bin", _) => date_bin(function, arguments, data_type),
        _ => resolve(function, arguments, data_type),
    }
}

/// `date_bin(stride, time [, origin])`: its signature asks for nanoseconds where there is an origin or a zone, but it computes in the unit of
/// the time; only the origin, a constant, must be in nanoseconds.
fn date_bin(function: &Arc<ScalarUDF>, mut arguments: Vec<Expr>, data_type: &DataType) -> Lower<Expr> {
    if let Some(origin) = arguments.get_mut(2) {
        let nanoseconds = match origin.as_literal() {
            Some(value) => value.cast_to(&DataType::Timestamp(TimeUnit::Nanosecond, None)).map_err(|error| internal(&error))?,
            None => return Err(super::expr::unsupported("an origin of date_bin that is not constant")),
        };
        *origin = Expr::Literal(nanoseconds);
    }
    let Some(time) = arguments.get(1).map(Expr::data_type) else { return resolve(function, arguments, data_type) };
    if !matches!(time, DataType::Timestamp(..)) {
        return resolve(function, arguments, data_type);
    }
    let field = Arc::new(Field::new("date_bin", time, true));
    Ok(Expr::function(function.clone(), arguments, field).cast(data_type.clone()))
}

/// The call for the canonical types of its arguments.
fn resolve(function: &Arc<ScalarUDF>, arguments: Vec<Expr>, data_type: &DataType) -> Lower<Expr> {
    let refused = |detail: &dyn std::fmt::Display| {
        SqlError::nowhere(Code::Type, format!("the function {} does not take these arguments: {detail}", function.name()))
    };
    let fields: Vec<FieldRef> =
        arguments.iter().map(|argument| Arc::new(Field::new("argument", argument.data_type(), true))).collect();
    let coerced = fields_with_udf(&fields, function.as_ref())
        .map_err(|error| refused(&error.strip_backtrace().lines().next().unwrap_or_default()))?;
    let mut cast = Vec::with_capacity(arguments.len());
    for (argument, field) in arguments.into_iter().zip(&coerced) {
        let wanted = field.data_type();
        if wanted == &argument.data_type() || is_untyped_null(&argument) && wanted == &DataType::Null {
            cast.push(argument);
        } else if canonical_type(wanted).as_ref() == Some(wanted) {
            cast.push(typed(argument, wanted)?);
        } else {
            return Err(refused(&format!("it wants {wanted}")));
        }
    }
    let fields: Vec<FieldRef> =
        cast.iter().map(|argument| Arc::new(Field::new("argument", argument.data_type(), true))).collect();
    let literals: Vec<Option<&ScalarValue>> = cast.iter().map(Expr::as_literal).collect();
    let arguments = ReturnFieldArgs { arg_fields: &fields, scalar_arguments: &literals };
    let return_field = function.return_field_from_args(arguments).map_err(|error| refused(&error.strip_backtrace()))?;
    Ok(Expr::function(function.clone(), cast, return_field).cast(data_type.clone()))
}
