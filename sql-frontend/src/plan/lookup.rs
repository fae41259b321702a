//! `JOIN t FOR SYSTEM_TIME AS OF ..`: each left row beside the row of a table as it is when the left row comes.
//!
//! DataFusion drops the clause without a word. So, as an as-of join, such a join is put into parentheses of its own before binding
//! ([`nest_joins`](super::nesting::nest_joins)), and planned here when the binder comes to it.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion_common::{DFSchema, DFSchemaRef, Result};
use datafusion_expr::planner::{PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning};
use datafusion_expr::utils::{conjunction, split_conjunction_owned};
use datafusion_expr::{BinaryExpr, Expr, ExprSchemable, Extension, LogicalPlan, Operator, UserDefinedLogicalNodeCore};
use sqlparser::ast;

use super::as_of::Sides;
use super::context::RelationSource;
use super::window::{WindowNode, WindowShape, external};
use crate::SqlError;
use crate::error::{Code, Position};

/// The time in `FOR SYSTEM_TIME AS OF`, if the relation has the clause.
pub(super) fn system_time(relation: &ast::TableFactor) -> Option<&ast::Expr> {
    match relation {
        ast::TableFactor::Table { version: Some(ast::TableVersion::ForSystemTimeAsOf(time)), .. } => Some(time),
        _ => None,
    }
}

/// The relation without the clause.
pub(super) fn without_version(relation: &ast::TableFactor) -> ast::TableFactor {
    let mut relation = relation.clone();
    if let ast::TableFactor::Table { version, .. } = &mut relation {
        *version = None;
    }
    relation
}

/// Plans them.
#[derive(Debug)]
pub(crate) struct Lookups;

impl RelationPlanner for Lookups {
    fn plan_relation(&self, relation: ast::TableFactor, context: &mut dyn RelationPlannerContext) -> Result<RelationPlanning> {
        let ast::TableFactor::NestedJoin { table_with_joins, alias } = &relation else {
            return Ok(RelationPlanning::Original(Box::new(relation)));
        };
        let [join] = table_with_joins.joins.as_slice() else { return Ok(RelationPlanning::Original(Box::new(relation))) };
        let Some(time) = system_time(&join.relation) else { return Ok(RelationPlanning::Original(Box::new(relation))) };
        let (keep_left, constraint) = match &join.join_operator {
            ast::JoinOperator::Left(constraint) | ast::JoinOperator::LeftOuter(constraint) => (true, constraint),
            ast::JoinOperator::Join(constraint) | ast::JoinOperator::Inner(constraint) => (false, constraint),
            _ => return Ok(RelationPlanning::Original(Box::new(relation))),
        };
        let left = context.plan(table_with_joins.relation.clone())?;
        let right = context.plan(without_version(&join.relation))?;
        check_time(time, &left, context)?;
        let sides = Sides::new(left, right)?;
        let plan = plan_lookup(sides, keep_left, constraint, context)?;
        Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(plan, alias.clone()))))
    }
}

/// Whether `time` is the clock's or a time of the left side.
fn check_time(time: &ast::Expr, left: &LogicalPlan, context: &mut dyn RelationPlannerContext) -> Result<()> {
    if !matches!(time, ast::Expr::Identifier(_) | ast::Expr::CompoundIdentifier(_)) {
        return Ok(());
    }
    let column = context.sql_to_expr(time.clone(), left.schema())?;
    match column.get_type(left.schema())? {
        DataType::Timestamp(..) => Ok(()),
        other => {
            let position = Position::from(ast::Spanned::span(time).start);
            let message = format!("FOR SYSTEM_TIME AS OF needs a time, not a value of type {other}");
            Err(external(SqlError::new(Code::Type, position, message).with_hint("write PROCTIME()")))
        }
    }
}

fn plan_lookup(
    sides: Sides,
    keep_left: bool,
    constraint: &ast::JoinConstraint,
    context: &mut dyn RelationPlannerContext,
) -> Result<LogicalPlan> {
    let (mut keys, mut hidden, mut residual) = (Vec::new(), Vec::new(), Vec::new());
    match constraint {
        ast::JoinConstraint::On(on) => {
            for conjunct in split_conjunction_owned(context.sql_to_expr(on.clone(), &sides.both)?) {
                match key(&sides, &conjunct).map_err(external)? {
                    Some(key) => keys.push(key),
                    None => residual.push(conjunct),
                }
            }
        }
        ast::JoinConstraint::Using(names) => (keys, hidden) = sides.using(names)?,
        ast::JoinConstraint::None | ast::JoinConstraint::Natural => {
            return datafusion_common::internal_err!("a lookup has ON or USING");
        }
    }
    let node = LookupNode::try_new(sides.left, sides.right, keys, conjunction(residual), keep_left)?;
    super::as_of::without_columns(LogicalPlan::Extension(Extension { node: Arc::new(node) }), &hidden)
}

/// The two sides of an equality between them.
fn key(sides: &Sides, conjunct: &Expr) -> Result<Option<(Expr, Expr)>, SqlError> {
    let Expr::BinaryExpr(BinaryExpr { left: a, op: Operator::Eq, right: b }) = conjunct else { return Ok(None) };
    match (sides.is_left(a), sides.is_left(b)) {
        (Some(true), Some(false)) => sides.coerced(a.as_ref().clone(), b.as_ref().clone()).map(Some),
        (Some(false), Some(true)) => sides.coerced(b.as_ref().clone(), a.as_ref().clone()).map(Some),
        _ => Ok(None),
    }
}

/// Each left row beside the right row of its key at the time.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct LookupNode {
    pub(crate) left: LogicalPlan,
    pub(crate) right: LogicalPlan,
    /// Equal expressions over the left and the right rows.
    pub(crate) keys: Vec<(Expr, Expr)>,
    /// A further condition over both.
    pub(crate) residual: Option<Expr>,
    /// Whether left rows without a match stay.
    pub(crate) keep_left: bool,
    /// The columns of both sides, as the condition sees them.
    pub(crate) both: DFSchemaRef,
    schema: DFSchemaRef,
}

impl LookupNode {
    fn try_new(
        left: LogicalPlan,
        right: LogicalPlan,
        keys: Vec<(Expr, Expr)>,
        residual: Option<Expr>,
        keep_left: bool,
    ) -> Result<Self> {
        let both = left.schema().join(right.schema())?;
        let left_fields = left.schema().iter().map(|(table, field)| (table.cloned(), field.clone()));
        let right_fields = right.schema().iter().map(|(table, field)| {
            let nullable = keep_left || field.is_nullable();
            (table.cloned(), Arc::new(field.as_ref().clone().with_nullable(nullable)))
        });
        let schema = DFSchema::new_with_metadata(left_fields.chain(right_fields).collect(), left.schema().metadata().clone())?;
        Ok(LookupNode { left, right, keys, residual, keep_left, both: Arc::new(both), schema: Arc::new(schema) })
    }

    /// The node that `plan` is, if it is one.
    pub(crate) fn of(plan: &LogicalPlan) -> Option<&LookupNode> {
        match plan {
            LogicalPlan::Extension(extension) => extension.node.as_any().downcast_ref::<LookupNode>(),
            _ => None,
        }
    }
}

impl PartialOrd for LookupNode {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        let key = |node: &Self| (node.keys.clone(), node.residual.clone(), node.left.clone(), node.right.clone());
        key(self).partial_cmp(&key(other))
    }
}

impl UserDefinedLogicalNodeCore for LookupNode {
    fn name(&self) -> &str {
        "TemporalLookup"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.left, &self.right]
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        let keys = self.keys.iter().flat_map(|(left, right)| [left.clone(), right.clone()]);
        keys.chain(self.residual.clone()).collect()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "TemporalLookup: {}", if self.keep_left { "Left" } else { "Inner" })?;
        self.keys.iter().try_for_each(|(left, right)| write!(f, ", {left} = {right}"))?;
        self.residual.iter().try_for_each(|residual| write!(f, ", {residual}"))
    }

    fn with_exprs_and_inputs(&self, mut exprs: Vec<Expr>, inputs: Vec<LogicalPlan>) -> Result<Self> {
        let Ok([left, right]) = <[LogicalPlan; 2]>::try_from(inputs) else {
            return datafusion_common::internal_err!("a temporal lookup has two inputs");
        };
        let residual = if self.residual.is_some() { exprs.pop() } else { None };
        let mut exprs = exprs.into_iter();
        let keys = std::iter::from_fn(|| exprs.next().zip(exprs.next())).collect();
        LookupNode::try_new(left, right, keys, residual, self.keep_left)
    }

    fn necessary_children_exprs(&self, output_columns: &[usize]) -> Option<Vec<Vec<usize>>> {
        let width = self.left.schema().fields().len();
        let (left, right): (Vec<usize>, Vec<usize>) = output_columns.iter().partition(|&&column| column < width);
        // What was shown for a left row is taken back when that row goes: without one of its columns it could be taken for another.
        let left = if only_grows(&self.left) { left } else { (0..width).collect() };
        Some(vec![left, right.into_iter().map(|column| column - width).collect()])
    }
}

/// Whether rows of `plan` never go, as far as it is plain to see.
fn only_grows(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::TableScan(scan) => {
            scan.source.downcast_ref::<RelationSource>().is_some_and(|source| source.relation.properties.append_only)
        }
        LogicalPlan::Projection(projection) => only_grows(&projection.input),
        LogicalPlan::Filter(filter) => only_grows(&filter.input),
        LogicalPlan::SubqueryAlias(alias) => only_grows(&alias.input),
        plan => match (WindowNode::of(plan), LookupNode::of(plan)) {
            (Some(window), _) => !matches!(window.shape, WindowShape::Session { .. }) && only_grows(&window.input),
            (_, Some(lookup)) => only_grows(&lookup.left),
            _ => false,
        },
    }
}
