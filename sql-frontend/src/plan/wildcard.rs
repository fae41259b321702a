//! `* EXCLUDE`, `* EXCEPT` and `* REPLACE`.
//!
//! The binder compares the names in them with those of columns to the letter, so they are folded before; and it ignores a REPLACE of a column that is not
//! there. So each replacement is marked, and a mark that the plan does not have is an error.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::{Arc, LazyLock};

use arrow::datatypes::DataType;
use datafusion_common::tree_node::{Transformed, TreeNode};
use datafusion_common::{Result, ScalarValue, plan_err};
use datafusion_expr::{
    ColumnarValue, Expr as PlanExpr, LogicalPlan, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use sqlparser::ast::*;

use super::naming::call;
use super::window::external;
use crate::SqlError;
use crate::error::{Code, Position};
use crate::parser::fold;

/// The marks: functions of an expression, and the number of its replacement or the name that it gets.
pub(super) static MARKS: LazyLock<[Arc<ScalarUDF>; 2]> =
    LazyLock::new(|| [REPLACED_NAME, RENAMED_NAME].map(|name| Arc::new(ScalarUDF::from(Mark::new(name)))));

const REPLACED_NAME: &str = "__replaced";
/// A replacement of a column that RENAME gives a new name, the second argument.
pub(super) const RENAMED_NAME: &str = "__renamed";

/// The replaced columns by their numbers, and whether other items have marks.
#[derive(Default)]
pub(super) struct Replacements(BTreeMap<i64, (&'static str, String, Position)>, bool);

/// Folds the names in the options of wildcards, and marks what replaces.
pub(super) fn mark_replacements(query: &mut Query) -> Replacements {
    let mut marking = Marking(Replacements::default());
    let ControlFlow::Continue(()) = VisitMut::visit(query, &mut marking);
    marking.0
}

struct Marking(Replacements);

impl VisitorMut for Marking {
    type Break = std::convert::Infallible;

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Self::Break> {
        for item in &mut select.projection {
            if let SelectItem::Wildcard(options) | SelectItem::QualifiedWildcard(_, options) = item {
                self.options(options);
            }
            if let SelectItem::ExprWithAlias { expr: Expr::Function(function), .. } = item {
                self.0.1 |= function.name.to_string() == RENAMED_NAME;
            }
        }
        ControlFlow::Continue(())
    }
}

impl Marking {
    fn options(&mut self, options: &mut WildcardAdditionalOptions) {
        let folded = |ident: &mut Ident| *ident = Ident { value: fold(ident), quote_style: Some('"'), span: ident.span };
        let folded_name = |name: &mut ObjectName| {
            if let [ObjectNamePart::Identifier(ident)] = name.0.as_mut_slice() {
                folded(ident);
            }
        };
        match &mut options.opt_exclude {
            Some(ExcludeSelectItem::Single(name)) => folded_name(name),
            Some(ExcludeSelectItem::Multiple(names)) => names.iter_mut().for_each(folded_name),
            None => {}
        }
        if let Some(except) = &mut options.opt_except {
            folded(&mut except.first_element);
            except.additional_elements.iter_mut().for_each(folded);
        }
        for item in options.opt_replace.iter_mut().flat_map(|replace| replace.items.iter_mut()) {
            let position = Position::from(item.column_name.span.start);
            folded(&mut item.column_name);
            let number = self.0.0.len() as i64;
            let is_rename = matches!(&item.expr, Expr::Function(function) if function.name.to_string() == RENAMED_NAME);
            let clause = if is_rename { "RENAME" } else { "REPLACE" };
            self.0.0.insert(number, (clause, item.column_name.value.clone(), position));
            let expr = std::mem::replace(&mut item.expr, Expr::value(Value::Null));
            item.expr = call(REPLACED_NAME, [expr, Expr::value(Value::Number(number.to_string(), false))]);
        }
    }
}

impl Replacements {
    /// Takes the marks from `plan`.
    ///
    /// # Errors
    /// If one is not there.
    pub(super) fn unmark(mut self, plan: LogicalPlan) -> Result<LogicalPlan> {
        if self.0.is_empty() && !self.1 {
            return Ok(plan);
        }
        let plan = plan.transform_up_with_subqueries(|node| {
            node.map_expressions(|expr| {
                expr.transform_up(|expr| match expr {
                    PlanExpr::ScalarFunction(mut function) if function.func.name() == REPLACED_NAME => {
                        if let Some(PlanExpr::Literal(ScalarValue::Int64(Some(number)), _)) = function.args.get(1) {
                            self.0.remove(number);
                        }
                        Ok(Transformed::yes(function.args.swap_remove(0)))
                    }
                    PlanExpr::ScalarFunction(mut function) if function.func.name() == RENAMED_NAME => {
                        Ok(Transformed::yes(function.args.swap_remove(0)))
                    }
                    expr => Ok(Transformed::no(expr)),
                })
            })?
            .map_data(LogicalPlan::recompute_schema)
        })?;
        match self.0.into_values().next() {
            None => Ok(plan.data),
            Some((clause, name, position)) => {
                let message = format!("{clause} names {name}, which * does not have");
                Err(external(SqlError::new(Code::UnknownColumn, position, message)))
            }
        }
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Mark {
    name: &'static str,
    signature: Signature,
}

impl Mark {
    fn new(name: &'static str) -> Self {
        Mark { name, signature: Signature::any(2, Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for Mark {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        match arguments.first() {
            Some(data_type) => Ok(data_type.clone()),
            None => plan_err!("{} has an argument", self.name),
        }
    }

    fn invoke_with_args(&self, _arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        plan_err!("{} is taken away before a plan runs", self.name)
    }
}
