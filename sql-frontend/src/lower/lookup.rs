//! Temporal lookups.

use datafusion_expr::LogicalPlan;
use deltic_circuit::{JoinKey, JoinKind};

use super::expr::lower_expression;
use super::piped::Piped;
use super::{Lower, Lowering};
use crate::SqlError;
use crate::error::Code;
use crate::plan::LookupNode;

impl Lowering {
    pub(super) fn temporal_lookup(&mut self, plan: &LogicalPlan) -> Lower<Piped> {
        let Some(node) = LookupNode::of(plan) else {
            return Err(SqlError::nowhere(Code::Internal, "a plan that is no temporal lookup"));
        };
        let left_keys = node.keys.iter().map(|(left, _)| lower_expression(left, node.left.schema()));
        let left_keys = left_keys.collect::<Lower<Vec<_>>>()?;
        let right_keys = node.keys.iter().map(|(_, right)| lower_expression(right, node.right.schema()));
        let right_keys = right_keys.collect::<Lower<Vec<_>>>()?;
        let residual = node.residual.as_ref().map(|residual| lower_expression(residual, &node.both)).transpose()?;
        let (left, right) = (self.piped(&node.left)?, self.piped(&node.right)?);
        let (left, left_keys, left_width) = self.with_keys(left, left_keys)?;
        let (right, right_keys, right_width) = self.with_keys(right, right_keys)?;
        let is_key = |column: &usize| right_keys.contains(column);
        if !self.builder.properties(right).unique_keys.iter().any(|unique| unique.iter().all(is_key)) {
            let message = "FOR SYSTEM_TIME AS OF looks one row up, but ON compares no unique key of the table";
            let hint =
                "compare all columns of its PRIMARY KEY, or of the GROUP BY of a view, each with an expression over the left row";
            return Err(SqlError::nowhere(Code::Query, message).with_hint(hint));
        }
        let full_left = self.builder.schema(left).fields().len();
        // Keys that were computed for the join stand after the columns of their side.
        let place = |column: usize| if column < left_width { column } else { column - left_width + full_left };
        let residual = residual.map(|residual| residual.remap(&place));
        let keys = left_keys.iter().zip(&right_keys).map(|(&left, &right)| JoinKey { left, right, null_safe: false }).collect();
        let kind = if node.keep_left { JoinKind::Left } else { JoinKind::Inner };
        let joined = self.built(|builder| builder.temporal_lookup([left, right], kind, keys, residual))?;
        let joined = self.materialise(joined)?;
        let columns = self.columns_of(joined);
        let outputs = (0..left_width + right_width).map(|column| columns[place(column)].clone()).collect();
        Ok(Piped::columns(joined, outputs))
    }
}
