//! DISTINCT ON.
//!
//! After binding, DataFusion's node for it becomes one of our own: its optimiser moves filters below the former, where they change which row is the
//! first.

use std::fmt;
use std::sync::Arc;

use datafusion_common::tree_node::Transformed;
use datafusion_common::{DFSchemaRef, Result, internal_err};
use datafusion_expr::{Distinct, DistinctOn, Expr, Extension, LogicalPlan, SortExpr, UserDefinedLogicalNodeCore};

/// The first row of each group of rows that agree on some expressions.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd)]
pub(crate) struct DistinctOnNode {
    pub(crate) on: DistinctOn,
}

/// Puts our nodes in the places of DataFusion's.
pub(super) fn own_nodes(plan: LogicalPlan) -> Result<LogicalPlan> {
    let plan = plan.transform_up_with_subqueries(|plan| match plan {
        LogicalPlan::Distinct(Distinct::On(on)) => Ok(Transformed::yes(DistinctOnNode { on }.into_plan())),
        other => Ok(Transformed::no(other)),
    })?;
    Ok(plan.data)
}

impl DistinctOnNode {
    /// The node that `plan` is, if it is one.
    pub(crate) fn of(plan: &LogicalPlan) -> Option<&DistinctOnNode> {
        match plan {
            LogicalPlan::Extension(extension) => extension.node.as_any().downcast_ref::<DistinctOnNode>(),
            _ => None,
        }
    }

    pub(super) fn into_plan(self) -> LogicalPlan {
        LogicalPlan::Extension(Extension { node: Arc::new(self) })
    }

    /// The order within a group.
    pub(crate) fn order(&self) -> &[SortExpr] {
        self.on.sort_expr.as_deref().unwrap_or_default()
    }
}

impl UserDefinedLogicalNodeCore for DistinctOnNode {
    fn name(&self) -> &str {
        "DISTINCT ON"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.on.input]
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.on.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        let order = self.order().iter().map(|key| &key.expr);
        self.on.on_expr.iter().chain(&self.on.select_expr).chain(order).cloned().collect()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let list = |exprs: &[Expr]| exprs.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let order = self.order().iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        write!(f, "DISTINCT ON: on=[{}] select=[{}] order=[{order}]", list(&self.on.on_expr), list(&self.on.select_expr))
    }

    fn with_exprs_and_inputs(&self, mut exprs: Vec<Expr>, mut inputs: Vec<LogicalPlan>) -> Result<Self> {
        let (on_width, select_width) = (self.on.on_expr.len(), self.on.select_expr.len());
        let (Some(input), true) = (inputs.pop(), exprs.len() == on_width + select_width + self.order().len()) else {
            return internal_err!("DISTINCT ON has one input and as many expressions as before");
        };
        let order = exprs.split_off(on_width + select_width);
        let select = exprs.split_off(on_width);
        let order = self.order().iter().zip(order).map(|(key, expr)| key.with_expr(expr)).collect();
        let mut on = DistinctOn::try_new(exprs, select, None, Arc::new(input))?;
        on.sort_expr = self.on.sort_expr.as_ref().map(|_| order);
        Ok(DistinctOnNode { on })
    }

    fn necessary_children_exprs(&self, _output_columns: &[usize]) -> Option<Vec<Vec<usize>>> {
        // Those of the expressions are added.
        Some(vec![vec![]])
    }
}
