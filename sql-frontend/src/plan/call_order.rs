//! The order inside of a call with OVER: `percentile_cont(0.5) WITHIN GROUP (ORDER BY x) OVER w`, `array_agg(x ORDER BY y) OVER w`.
//!
//! DataFusion's binder refuses both. So before binding, the order becomes a part of the FILTER, which is bound like any condition and is the call's own:
//! `__ordered(condition, 'a', x, 'd', y, ..)`, where a text says how its key is sorted. Lowering takes it apart again; nothing ever evaluates it.

use std::sync::{Arc, LazyLock};

use arrow::datatypes::DataType;
use datafusion_common::{Result, ScalarValue, internal_err};
use datafusion_expr::{ColumnarValue, Expr as PlanExpr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use sqlparser::ast::*;

use super::functions::FUNCTIONS;
use super::naming::call;
use crate::SqlError;
use crate::error::Code;
use crate::parser::fold;

const NAME: &str = "__ordered";

/// Ordered-set aggregates of DataFusion that do not say that they are.
const ORDERED_SETS: &[&str] =
    &["percentile_cont", "quantile_cont", "approx_percentile_cont", "approx_percentile_cont_with_weight"];

/// A condition with the order of its call.
pub(super) static ORDERED: LazyLock<Arc<ScalarUDF>> =
    LazyLock::new(|| Arc::new(ScalarUDF::from(Ordered { signature: Signature::variadic_any(Volatility::Immutable) })));

/// A key of an order, whether it is descending, and whether NULLs come first.
pub(crate) type Key<'a> = (&'a PlanExpr, bool, bool);

/// The condition and the order that a FILTER is made of.
pub(crate) fn take_order(filter: Option<&PlanExpr>) -> (Option<&PlanExpr>, Vec<Key<'_>>) {
    match filter {
        Some(PlanExpr::ScalarFunction(function)) if function.func.name() == NAME => {
            let (condition, keys) = match function.args.split_first() {
                Some((condition, keys)) => (Some(condition), keys),
                None => (None, [].as_slice()),
            };
            let is_true = |expr: &&PlanExpr| matches!(expr, PlanExpr::Literal(ScalarValue::Boolean(Some(true)), _));
            let keys = keys.chunks_exact(2).map(|pair| {
                let says =
                    |letter| matches!(&pair[0], PlanExpr::Literal(ScalarValue::Utf8(Some(text)), _) if text.contains(letter));
                (&pair[1], says('d'), says('f'))
            });
            (condition.filter(|condition| !is_true(condition)), keys.collect())
        }
        other => (other, Vec::new()),
    }
}

/// Puts the order inside of `function`, which has OVER, into its filter.
///
/// # Errors
/// If the function takes none.
pub(super) fn carry_order(function: &mut Function) -> Result<(), SqlError> {
    let position = function.name.span().start.into();
    let name = function.name.to_string();
    let takes_within_group = takes_within_group(function);
    // What is misspelt is told where the catalog is known.
    let within = takes_within_group.map_or_else(Vec::new, |_| std::mem::take(&mut function.within_group));
    let mut keys = Vec::new();
    if let FunctionArguments::List(list) = &mut function.args {
        list.clauses.retain_mut(|clause| match clause {
            FunctionArgumentClause::OrderBy(order) => {
                keys.append(order);
                false
            }
            _ => true,
        });
    }
    let refused = |what: &str| Err(SqlError::new(Code::Query, position, format!("{name} {what}")));
    if !within.is_empty() {
        let [key] = within.as_slice() else { return refused("has one key in WITHIN GROUP (ORDER BY ..)") };
        if takes_within_group != Some(true) {
            return refused("has no WITHIN GROUP");
        }
        if !keys.is_empty() {
            return refused("cannot have both ORDER BY and WITHIN GROUP");
        }
        let FunctionArguments::List(list) = &mut function.args else { return refused("has no arguments") };
        list.args.insert(0, FunctionArg::Unnamed(FunctionArgExpr::Expr(key.expr.clone())));
        keys = within;
    }
    if keys.is_empty() {
        return Ok(());
    }
    let condition = function.filter.take().map_or_else(|| Expr::value(Value::Boolean(true)), |filter| *filter);
    let mut arguments = vec![condition];
    for key in keys {
        let descending = key.options.asc == Some(false);
        let nulls_first = key.options.nulls_first.unwrap_or(descending);
        let text = format!("{}{}", if descending { "d" } else { "a" }, if nulls_first { "f" } else { "" });
        arguments.extend([Expr::value(Value::SingleQuotedString(text)), key.expr]);
    }
    function.filter = Some(Box::new(call(NAME, arguments)));
    Ok(())
}

/// Whether WITHIN GROUP says what the first argument of the function is; `None` if it is not built in.
fn takes_within_group(function: &Function) -> Option<bool> {
    let [ObjectNamePart::Identifier(ident)] = function.name.0.as_slice() else { return None };
    let name = fold(ident);
    let aggregate = FUNCTIONS.aggregate(&name)?;
    Some(aggregate.supports_within_group_clause() || ORDERED_SETS.contains(&name.as_str()))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Ordered {
    signature: Signature,
}

impl ScalarUDFImpl for Ordered {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        internal_err!("{NAME} is the order of a call")
    }
}
