//! [`MaxOneRowNode`]: a scalar subquery has one row at most.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use datafusion_common::{DFSchemaRef, Result, internal_err};
use datafusion_expr::{Expr, Extension, LogicalPlan, UserDefinedLogicalNodeCore};

/// The rows of `input` whose group has one row. A group with more is an error row.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct MaxOneRowNode {
    pub(crate) input: LogicalPlan,
    /// Columns of the input.
    pub(crate) group: Vec<Expr>,
}

impl MaxOneRowNode {
    pub(super) fn try_new(input: LogicalPlan, group: Vec<Expr>) -> Result<Self> {
        if group.iter().any(|expr| !matches!(expr, Expr::Column(_))) {
            return internal_err!("the groups of a scalar subquery are columns");
        }
        Ok(MaxOneRowNode { input, group })
    }

    pub(super) fn into_plan(self) -> LogicalPlan {
        LogicalPlan::Extension(Extension { node: Arc::new(self) })
    }

    /// The node that `plan` is, if it is one.
    pub(crate) fn of(plan: &LogicalPlan) -> Option<&MaxOneRowNode> {
        match plan {
            LogicalPlan::Extension(extension) => extension.node.as_any().downcast_ref::<MaxOneRowNode>(),
            _ => None,
        }
    }
}

impl PartialOrd for MaxOneRowNode {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (&self.group, &self.input).partial_cmp(&(&other.group, &other.input))
    }
}

impl UserDefinedLogicalNodeCore for MaxOneRowNode {
    fn name(&self) -> &str {
        "MaxOneRow"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input]
    }

    fn schema(&self) -> &DFSchemaRef {
        self.input.schema()
    }

    fn expressions(&self) -> Vec<Expr> {
        self.group.clone()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let group: Vec<String> = self.group.iter().map(ToString::to_string).collect();
        write!(f, "MaxOneRow: group=[{}]", group.join(", "))
    }

    fn with_exprs_and_inputs(&self, exprs: Vec<Expr>, mut inputs: Vec<LogicalPlan>) -> Result<Self> {
        match (inputs.pop(), inputs.is_empty()) {
            (Some(input), true) => MaxOneRowNode::try_new(input, exprs),
            _ => internal_err!("a scalar subquery has one input"),
        }
    }

    fn necessary_children_exprs(&self, output_columns: &[usize]) -> Option<Vec<Vec<usize>>> {
        let schema = self.input.schema();
        let group = self.group.iter().filter_map(|expr| match expr {
            Expr::Column(column) => schema.maybe_index_of_column(column),
            _ => None,
        });
        let mut needed: Vec<usize> = output_columns.iter().copied().chain(group).collect();
        needed.sort_unstable();
        needed.dedup();
        Some(vec![needed])
    }
}
