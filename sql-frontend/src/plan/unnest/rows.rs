//! [`Rows`]: the rows of an outer query while subqueries are joined with them.

use datafusion_common::{DFSchemaRef, Result};
use datafusion_expr::{Expr, Filter, JoinType, LogicalPlan};

use super::plans;

/// The rows of an outer query, with the columns of the subqueries that have been joined so far.
pub(super) struct Rows {
    /// The rows before any subquery was joined. Domains are made of these: were they made of `plan`, each subquery would double it.
    pub(super) base: LogicalPlan,
    pub(super) plan: LogicalPlan,
}

impl Rows {
    pub(super) fn new(plan: LogicalPlan) -> Self {
        Rows { base: plan.clone(), plan }
    }

    pub(super) fn schema(&self) -> &DFSchemaRef {
        self.plan.schema()
    }

    /// The rows joined with a relation that has no column of theirs.
    pub(super) fn join(self, right: LogicalPlan, join_type: JoinType, conditions: Vec<Expr>) -> Result<Self> {
        Ok(Rows { base: self.base, plan: plans::join(self.plan, right, join_type, conditions)? })
    }

    /// The rows for which `predicate` is true.
    pub(super) fn filter(self, predicate: Expr) -> Result<Self> {
        Ok(Rows { base: self.base, plan: LogicalPlan::Filter(Filter::try_new(predicate, self.plan.into())?) })
    }
}
