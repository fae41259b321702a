//! As-of joins.

use datafusion_expr::{LogicalPlan, Operator};
use deltic_circuit::{AsOfComparison, JoinKey, JoinKind, TimeMatch};

use super::expr::lower_expression;
use super::piped::Piped;
use super::{Lower, Lowering};
use crate::SqlError;
use crate::error::Code;
use crate::plan::AsOfNode;

impl Lowering {
    pub(super) fn as_of_join(&mut self, plan: &LogicalPlan) -> Lower<Piped> {
        let Some(node) = AsOfNode::of(plan) else {
            return Err(SqlError::nowhere(Code::Internal, "a plan that is no as-of join"));
        };
        let comparison = match node.comparison {
            Operator::GtEq => AsOfComparison::GreaterOrEqual,
            Operator::Gt => AsOfComparison::Greater,
            Operator::LtEq => AsOfComparison::LessOrEqual,
            Operator::Lt => AsOfComparison::Less,
            other => return Err(SqlError::nowhere(Code::Internal, format!("an as-of join by {other}"))),
        };
        let left_exprs = std::iter::once(&node.times.0).chain(node.keys.iter().map(|(left, _)| left));
        let left_exprs = left_exprs.map(|expr| lower_expression(expr, node.left.schema())).collect::<Lower<Vec<_>>>()?;
        let right_exprs = std::iter::once(&node.times.1).chain(node.keys.iter().map(|(_, right)| right));
        let right_exprs = right_exprs.map(|expr| lower_expression(expr, node.right.schema())).collect::<Lower<Vec<_>>>()?;
        let (left, right) = (self.piped(&node.left)?, self.piped(&node.right)?);
        let (left, left_columns, left_width) = self.with_keys(left, left_exprs)?;
        let (right, right_columns, right_width) = self.with_keys(right, right_exprs)?;
        let keys = left_columns[1..].iter().zip(&right_columns[1..]);
        let keys = keys.map(|(&left, &right)| JoinKey { left, right, null_safe: false }).collect();
        let on = TimeMatch { keys, left_time: left_columns[0], right_time: right_columns[0] };
        let kind = if node.keep_left { JoinKind::Left } else { JoinKind::Inner };
        let full_left = self.builder.schema(left).fields().len();
        let joined = self.built(|builder| builder.as_of_join([left, right], kind, on, comparison))?;
        let joined = self.materialise(joined)?;
        let mut columns = self.columns_of(joined);
        columns.truncate(full_left + right_width);
        columns.drain(left_width..full_left);
        Ok(Piped::columns(joined, columns))
    }
}
