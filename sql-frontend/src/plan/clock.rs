//! `now()` and its kin.
//!
//! All of them become calls of one function, [`NOW`]. In a query that runs once its value is known when the query is planned. In a materialized view it moves:
//! there lowering turns comparisons with it into filters by time ([`crate::lower`]), and nothing else may depend on it.

use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, TimeUnit};
use datafusion_common::tree_node::{Transformed, TreeNode};
use datafusion_common::{Result, ScalarValue, internal_err};
use datafusion_expr::{ColumnarValue, Expr, LogicalPlan, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use sqlparser::ast;

use super::naming::call;
use crate::parser::fold;

/// The functions of SQL that read the clock.
pub(crate) const CLOCK_FUNCTIONS: &[&str] = &["now", "current_timestamp", "localtimestamp", "current_date"];

/// What they are called inside.
pub(crate) const NOW_NAME: &str = "__now";

/// The time of the epoch, a TIMESTAMPTZ.
pub(crate) static NOW: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| Arc::new(ScalarUDF::from(NowFunction::new())));

/// Tells the time of `now()`, in microseconds since 1970 (UTC), to a statement that reads it.
pub type Now<'a> = &'a (dyn Fn() -> i64 + Sync);

/// Where a query gets its time from.
#[derive(Clone, Copy)]
pub(crate) enum Clock<'a> {
    /// It runs once. Asked at most once, and only by a query that reads the clock.
    At(Now<'a>),
    /// It is a materialized view.
    Moving,
}

/// The type of `now()`.
pub(crate) fn now_type() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

/// The call that `function` stands for, if it reads the clock.
pub(super) fn rewritten(function: &ast::Function) -> Option<ast::Expr> {
    let [ast::ObjectNamePart::Identifier(ident)] = function.name.0.as_slice() else { return None };
    let name = fold(ident);
    if !CLOCK_FUNCTIONS.contains(&name.as_str()) {
        return None;
    }
    let now = call(NOW_NAME, []);
    let data_type = match name.as_str() {
        "localtimestamp" => ast::DataType::Timestamp(None, ast::TimezoneInfo::None),
        "current_date" => ast::DataType::Date,
        _ => return Some(now),
    };
    Some(ast::Expr::Cast { kind: ast::CastKind::Cast, expr: Box::new(now), data_type, array: false, format: None })
}

/// `plan` with the time of `clock` in the place of `now()`.
pub(super) fn at(plan: LogicalPlan, clock: Clock<'_>) -> Result<LogicalPlan> {
    let Clock::At(clock) = clock else { return Ok(plan) };
    let mut now = None;
    let plan = plan.transform_up_with_subqueries(|node| {
        node.map_expressions(|expr| {
            expr.transform_up(|expr| match &expr {
                Expr::ScalarFunction(function) if function.func.name() == NOW_NAME => {
                    let micros = *now.get_or_insert_with(clock);
                    // The column keeps the name that others know it by.
                    let literal = Expr::Literal(ScalarValue::TimestampMicrosecond(Some(micros), Some("UTC".into())), None);
                    Ok(Transformed::yes(literal))
                }
                _ => Ok(Transformed::no(expr)),
            })?
            .map_data(Ok)
        })
    })?;
    Ok(plan.data)
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct NowFunction {
    signature: Signature,
}

impl NowFunction {
    fn new() -> Self {
        // One time for a whole epoch: what DataFusion calls stable.
        NowFunction { signature: Signature::nullary(Volatility::Stable) }
    }
}

impl ScalarUDFImpl for NowFunction {
    fn name(&self) -> &str {
        NOW_NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(now_type())
    }

    fn invoke_with_args(&self, _args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        internal_err!("now() has no value of its own")
    }
}
