//! ASOF JOIN.
//!
//! DataFusion plans no such join: it is put into parentheses of its own ([`super::nesting`]), and planned here when the binder comes to it.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use datafusion_common::{Column, DFSchema, DFSchemaRef, Result};
use datafusion_expr::planner::{PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning};
use datafusion_expr::type_coercion::binary::BinaryTypeCoercer;
use datafusion_expr::utils::split_conjunction_owned;
use datafusion_expr::{
    BinaryExpr, Expr, ExprSchemable, Extension, LogicalPlan, LogicalPlanBuilder, Operator, UserDefinedLogicalNodeCore,
};
use deltic_circuit::time::is_event_time;
use deltic_zset::types::canonical_type;
use sqlparser::ast;

use super::window::external;
use crate::SqlError;
use crate::error::{Code, Position};
use crate::parser::fold;

/// What the parser marks the condition of `ASOF LEFT JOIN` with.
pub(crate) const LEFT_AS_OF: &str = "__left";

/// The condition of an as-of join without the mark of a left one, and whether it is one.
pub(super) fn match_condition(condition: &ast::Expr) -> (&ast::Expr, bool) {
    if let ast::Expr::Function(function) = condition
        && matches!(function.name.0.as_slice(), [ast::ObjectNamePart::Identifier(ident)] if ident.value == LEFT_AS_OF)
        && let ast::FunctionArguments::List(list) = &function.args
        && let [ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Expr(condition))] = list.args.as_slice()
    {
        return (condition, true);
    }
    (condition, false)
}

/// Plans them.
#[derive(Debug)]
pub(crate) struct AsOfJoins;

impl RelationPlanner for AsOfJoins {
    fn plan_relation(&self, relation: ast::TableFactor, context: &mut dyn RelationPlannerContext) -> Result<RelationPlanning> {
        let ast::TableFactor::NestedJoin { table_with_joins, alias } = &relation else {
            return Ok(RelationPlanning::Original(Box::new(relation)));
        };
        let [
            ast::Join {
                relation: right, join_operator: ast::JoinOperator::AsOf { match_condition: condition, constraint }, ..
            },
        ] = table_with_joins.joins.as_slice()
        else {
            return Ok(RelationPlanning::Original(Box::new(relation)));
        };
        let left = context.plan(table_with_joins.relation.clone())?;
        let right = context.plan(right.clone())?;
        let (condition, keep_left) = match_condition(condition);
        let sides = Sides::new(left, right)?;
        let plan = sides.plan(condition, keep_left, constraint, context)?;
        Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(plan, alias.clone()))))
    }
}

/// The inputs of a join.
pub(super) struct Sides {
    pub(super) left: LogicalPlan,
    pub(super) right: LogicalPlan,
    pub(super) both: DFSchema,
}

/// `plan` without some of its columns.
pub(super) fn without_columns(plan: LogicalPlan, hidden: &[Column]) -> Result<LogicalPlan> {
    if hidden.is_empty() {
        return Ok(plan);
    }
    let columns = plan.schema().columns().into_iter().filter(|column| !hidden.contains(column));
    let shown: Vec<Expr> = columns.map(Expr::Column).collect();
    LogicalPlanBuilder::from(plan).project(shown)?.build()
}

/// Equal expressions of both sides.
type Keys = Vec<(Expr, Expr)>;

impl Sides {
    pub(super) fn new(left: LogicalPlan, right: LogicalPlan) -> Result<Self> {
        Ok(Sides { both: left.schema().join(right.schema())?, left, right })
    }

    /// The equalities of USING, and the columns of the right side that it hides.
    pub(super) fn using(&self, names: &[ast::ObjectName]) -> Result<(Keys, Vec<Column>)> {
        let (mut keys, mut hidden) = (Vec::new(), Vec::new());
        for name in names {
            let [ast::ObjectNamePart::Identifier(ident)] = name.0.as_slice() else {
                return datafusion_common::plan_err!("{name} in USING is not a column");
            };
            let column = |side: &LogicalPlan| {
                let (table, field) = side.schema().qualified_field_with_unqualified_name(&fold(ident))?;
                Result::<Column>::Ok(Column::from((table, field)))
            };
            let (left, right) = (column(&self.left)?, column(&self.right)?);
            hidden.push(right.clone());
            keys.push(self.coerced(Expr::Column(left), Expr::Column(right)).map_err(external)?);
        }
        Ok((keys, hidden))
    }

    fn plan(
        self,
        condition: &ast::Expr,
        keep_left: bool,
        constraint: &ast::JoinConstraint,
        context: &mut dyn RelationPlannerContext,
    ) -> Result<LogicalPlan> {
        let place = |expr: &ast::Expr| Position::from(ast::Spanned::span(expr).start);
        let condition_place = place(condition);
        let times = context.sql_to_expr(condition.clone(), &self.both)?;
        let (left_time, comparison, right_time) = self.times(times).map_err(|error| external(error.or_at(condition_place)))?;
        let mut keys = Vec::new();
        let mut hidden: Vec<Column> = Vec::new();
        match constraint {
            ast::JoinConstraint::None => {}
            ast::JoinConstraint::On(on) => {
                let on_place = place(on);
                for conjunct in split_conjunction_owned(context.sql_to_expr(on.clone(), &self.both)?) {
                    keys.push(self.key(conjunct).map_err(|error| external(error.or_at(on_place)))?);
                }
            }
            ast::JoinConstraint::Using(names) => (keys, hidden) = self.using(names)?,
            ast::JoinConstraint::Natural => {
                return Err(external(SqlError::unsupported(condition_place, "NATURAL ASOF JOIN")));
            }
        }
        let node = AsOfNode::try_new(self.left, self.right, keys, (left_time, right_time), comparison, keep_left)?;
        without_columns(LogicalPlan::Extension(Extension { node: Arc::new(node) }), &hidden)
    }

    /// `left OP right`, whichever way it was written.
    fn times(&self, condition: Expr) -> Result<(Expr, Operator, Expr), SqlError> {
        let hint = "write MATCH_CONDITION (a.ts >= b.ts), with >=, >, <= or <";
        let error = |message: &str| SqlError::nowhere(Code::Query, message).with_hint(hint);
        let Expr::BinaryExpr(BinaryExpr { left: a, op, right: b }) = condition else {
            return Err(error("MATCH_CONDITION must compare a time of each side"));
        };
        if !matches!(op, Operator::GtEq | Operator::Gt | Operator::LtEq | Operator::Lt) {
            return Err(error("MATCH_CONDITION must compare a time of each side"));
        }
        let (left, op, right) = match (self.is_left(&a), self.is_left(&b)) {
            (Some(true), Some(false)) => (*a, op, *b),
            (Some(false), Some(true)) => (*b, op.swap().unwrap_or(op), *a),
            _ => return Err(error("MATCH_CONDITION must compare a time of each side")),
        };
        let (left, right) = self.coerced(left, right)?;
        let time_type = left.get_type(&self.both).map_err(|error| SqlError::nowhere(Code::Type, error.to_string()))?;
        match canonical_type(&time_type) {
            Some(canonical) if is_event_time(&canonical) => Ok((left, op, right)),
            _ => {
                let message = format!("MATCH_CONDITION needs times, not values of type {time_type}");
                let hint = "TIMESTAMP, TIMESTAMPTZ, DATE and integers are times";
                Err(SqlError::nowhere(Code::Type, message).with_hint(hint))
            }
        }
    }

    fn key(&self, conjunct: Expr) -> Result<(Expr, Expr), SqlError> {
        let problem = format!("{conjunct} in the ON of an ASOF JOIN");
        if let Expr::BinaryExpr(BinaryExpr { left: a, op: Operator::Eq, right: b }) = conjunct {
            match (self.is_left(&a), self.is_left(&b)) {
                (Some(true), Some(false)) => return self.coerced(*a, *b),
                (Some(false), Some(true)) => return self.coerced(*b, *a),
                _ => {}
            }
        }
        let hint = "ON has equalities of the two sides; filter the sides in queries below";
        Err(SqlError::nowhere(Code::Unsupported, format!("{problem} is not supported")).with_hint(hint))
    }

    /// Whether `expr` reads the left side; `None` if it reads none or both.
    pub(super) fn is_left(&self, expr: &Expr) -> Option<bool> {
        let columns = expr.column_refs();
        let all_in = |side: &LogicalPlan| columns.iter().all(|column| side.schema().has_column(column));
        match (columns.is_empty(), all_in(&self.left), all_in(&self.right)) {
            (false, true, false) => Some(true),
            (false, false, true) => Some(false),
            _ => None,
        }
    }

    /// Both in the type in which they are compared.
    pub(super) fn coerced(&self, left: Expr, right: Expr) -> Result<(Expr, Expr), SqlError> {
        let error = |error: datafusion_common::DataFusionError| SqlError::nowhere(Code::Type, error.strip_backtrace());
        let types = (left.get_type(&self.both).map_err(error)?, right.get_type(&self.both).map_err(error)?);
        let (left_type, right_type) =
            BinaryTypeCoercer::new(&types.0, &Operator::Eq, &types.1).get_input_types().map_err(error)?;
        let left = left.cast_to(&left_type, &self.both).map_err(error)?;
        Ok((left, right.cast_to(&right_type, &self.both).map_err(error)?))
    }
}

/// Each left row beside the nearest right row.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct AsOfNode {
    pub(crate) left: LogicalPlan,
    pub(crate) right: LogicalPlan,
    /// Equal expressions over the left and the right rows.
    pub(crate) keys: Vec<(Expr, Expr)>,
    /// Over the left and the right rows.
    pub(crate) times: (Expr, Expr),
    /// Left time, operator, right time.
    pub(crate) comparison: Operator,
    /// Whether left rows without a match stay.
    pub(crate) keep_left: bool,
    schema: DFSchemaRef,
}

impl AsOfNode {
    fn try_new(
        left: LogicalPlan,
        right: LogicalPlan,
        keys: Vec<(Expr, Expr)>,
        times: (Expr, Expr),
        comparison: Operator,
        keep_left: bool,
    ) -> Result<Self> {
        let left_fields = left.schema().iter().map(|(table, field)| (table.cloned(), field.clone()));
        let right_fields = right.schema().iter().map(|(table, field)| {
            let nullable = keep_left || field.is_nullable();
            (table.cloned(), Arc::new(field.as_ref().clone().with_nullable(nullable)))
        });
        let schema = DFSchema::new_with_metadata(left_fields.chain(right_fields).collect(), left.schema().metadata().clone())?;
        Ok(AsOfNode { left, right, keys, times, comparison, keep_left, schema: Arc::new(schema) })
    }

    /// The node that `plan` is, if it is one.
    pub(crate) fn of(plan: &LogicalPlan) -> Option<&AsOfNode> {
        match plan {
            LogicalPlan::Extension(extension) => extension.node.as_any().downcast_ref::<AsOfNode>(),
            _ => None,
        }
    }
}

impl PartialOrd for AsOfNode {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        let key = |node: &Self| (node.keys.clone(), node.times.clone(), node.left.clone(), node.right.clone());
        key(self).partial_cmp(&key(other))
    }
}

impl UserDefinedLogicalNodeCore for AsOfNode {
    fn name(&self) -> &str {
        "AsOfJoin"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.left, &self.right]
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        let keys = self.keys.iter().flat_map(|(left, right)| [left.clone(), right.clone()]);
        [self.times.0.clone(), self.times.1.clone()].into_iter().chain(keys).collect()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let kind = if self.keep_left { "Left" } else { "Inner" };
        write!(f, "AsOfJoin: {kind} {} {} {}", self.times.0, self.comparison, self.times.1)?;
        self.keys.iter().try_for_each(|(left, right)| write!(f, ", {left} = {right}"))
    }

    fn with_exprs_and_inputs(&self, exprs: Vec<Expr>, inputs: Vec<LogicalPlan>) -> Result<Self> {
        let mut exprs = exprs.into_iter();
        let mut pair = || exprs.next().zip(exprs.next());
        let (Some(times), Ok([left, right])) = (pair(), <[LogicalPlan; 2]>::try_from(inputs)) else {
            return datafusion_common::internal_err!("an as-of join has two inputs and two times");
        };
        let keys = std::iter::from_fn(pair).collect();
        AsOfNode::try_new(left, right, keys, times, self.comparison, self.keep_left)
    }

    fn necessary_children_exprs(&self, output_columns: &[usize]) -> Option<Vec<Vec<usize>>> {
        let width = self.left.schema().fields().len();
        let left = output_columns.iter().copied().filter(|&column| column < width).collect();
        // All right columns decide between right rows of one time: none can be left out.
        Some(vec![left, (0..self.right.schema().fields().len()).collect()])
    }
}
