//! Domains: a subquery for all outer rows at once, whatever it does with them.
//!
//! The domain is the relation of the different values that the outer rows have in the columns that the subquery refers to. The subquery is computed
//! beside it: each operator keeps the columns of the domain, an aggregation groups by them, a limit or a window is one per value, two sides of a join
//! agree on them. The result holds, for each value, the rows that the subquery has for an outer row with it; a join by these columns, NULL being
//! equal to NULL, puts them beside the outer rows, however many there are of each. The domain enters as low as the first operator that refers to the
//! outer query, as one more input of a join there, with the correlated conditions as the conditions of that join.
//!
//! T. Neumann and A. Kemper: Unnesting Arbitrary Queries. BTW 2015.

use arrow::datatypes::DataType;
use datafusion_common::{DFSchema, Result, ScalarValue};
use datafusion_expr::logical_plan::{FetchType, Projection, SkipType, Subquery};
use datafusion_expr::{
    Aggregate, Distinct, DistinctOn, Expr, ExprSchemable, Filter, GroupingSet, Join, JoinType, Limit, LogicalPlan, Operator,
    SortExpr, Union, UserDefinedLogicalNodeCore, Window,
};

use super::lift::{Key, Lifted, is_one_row};
use super::max_one_row::MaxOneRowNode;
use super::outer::{boolean, columns, conjunction, conjuncts, equality, outer_columns, position, refers_to, substituted};
use super::recursion::PushedRecursion;
use super::{Fresh, default_or, empty_row, plans};
use crate::lower::{numbered, plan_name};
use crate::plan::{DistinctOnNode, SetOperationNode, UnnestNode, WindowNode, WindowShape};

/// The values of outer rows that a subquery refers to.
pub(super) struct Domain {
    plan: LogicalPlan,
    /// What each of its columns is of the outer row.
    pub(super) outer: Vec<Expr>,
    /// Whether a column can be NULL.
    nullable: Vec<bool>,
}

impl Domain {
    /// The domain of the expressions `outer` over `rows`. If there are none, its one row says that there are rows.
    pub(super) fn of(rows: &LogicalPlan, outer: Vec<Expr>, fresh: &mut Fresh) -> Result<Self> {
        let mut values = outer.iter().map(|expr| super::outer::bound(expr.clone(), rows.schema())).collect::<Result<Vec<_>>>()?;
        let nullable = values.iter().map(|value| value.nullable(rows.schema())).collect::<Result<_>>()?;
        if values.is_empty() {
            values.push(boolean(true));
        }
        let (plan, _) = plans::projected(rows.clone(), values, fresh)?;
        Ok(Domain { plan: LogicalPlan::Distinct(Distinct::All(plan.into())), outer, nullable })
    }

    /// The domain with column names of its own.
    pub(super) fn instance(&self, fresh: &mut Fresh) -> Result<(LogicalPlan, Vec<Expr>)> {
        let (plan, mut values) = plans::projected(self.plan.clone(), columns(&self.plan), fresh)?;
        values.truncate(self.outer.len());
        Ok((plan, values))
    }

    /// The types of its columns.
    pub(super) fn types(&self) -> impl Iterator<Item = DataType> + '_ {
        self.plan.schema().fields().iter().take(self.outer.len()).map(|field| field.data_type().clone())
    }

    /// Whether NULL must equal NULL when the columns at `place` are compared.
    pub(super) fn null_safe(&self, place: usize) -> bool {
        self.nullable[place]
    }
}

/// A part of a subquery beside the domain.
pub(super) struct Pushed {
    pub(super) plan: LogicalPlan,
    /// The columns of the part.
    pub(super) outputs: Vec<Expr>,
    /// The columns of the domain.
    pub(super) values: Vec<Expr>,
    /// The order of an ORDER BY, for a LIMIT above it.
    pub(super) order: Vec<SortExpr>,
    /// Whether there is one row at most for each value.
    pub(super) single: bool,
}

/// `subquery` over the domain of its references to `rows`.
pub(super) fn over_domain(rows: &LogicalPlan, subquery: &LogicalPlan, fresh: &mut Fresh) -> Result<Lifted> {
    let outer = outer_columns(subquery, rows.schema());
    let domain = Domain::of(rows, outer, fresh)?;
    let pushed = Pushing { domain: &domain, outer: rows.schema(), fresh, recursions: vec![] }.bound(subquery)?;
    let keys = domain.outer.iter().zip(&pushed.values).enumerate();
    let keys = keys.map(|(place, (outer, inner))| Key {
        outer: outer.clone(),
        inner: inner.clone(),
        null_safe: domain.null_safe(place),
    });
    let mut lifted = Lifted::new(pushed.plan, pushed.outputs, keys.collect());
    lifted.single = pushed.single;
    Ok(lifted)
}

/// Puts a subquery beside its domain.
pub(super) struct Pushing<'a> {
    pub(super) domain: &'a Domain,
    pub(super) outer: &'a DFSchema,
    pub(super) fresh: &'a mut Fresh,
    /// The recursions beside the domain.
    pub(super) recursions: Vec<PushedRecursion>,
}

impl Pushing<'_> {
    /// `plan` beside the domain.
    pub(super) fn bound(&mut self, plan: &LogicalPlan) -> Result<Pushed> {
        if !self.refers(plan) {
            return self.beside(plan, vec![]);
        }
        match plan {
            LogicalPlan::SubqueryAlias(alias) => self.bound(&alias.input),
            LogicalPlan::Subquery(Subquery { subquery, .. }) => self.bound(subquery),
            LogicalPlan::Projection(projection) => self.projection(projection),
            LogicalPlan::Filter(filter) => self.filter(filter),
            LogicalPlan::Sort(sort) if sort.fetch.is_none() => {
                let below = self.bound(&sort.input)?;
                let over = |key: &SortExpr| Ok(key.with_expr(self.over(&key.expr, sort.input.schema(), &below)?));
                let order = sort.expr.iter().map(over).collect::<Result<_>>()?;
                Ok(Pushed { order, ..below })
            }
            LogicalPlan::Limit(limit) => self.limit(limit),
            LogicalPlan::Distinct(Distinct::All(input)) => {
                let below = self.bound(input)?;
                let below = self.materialised(below)?;
                let plan = LogicalPlan::Distinct(Distinct::All(below.plan.into()));
                Ok(Pushed { plan, ..below })
            }
            LogicalPlan::Aggregate(aggregate) => self.aggregate(aggregate),
            LogicalPlan::Window(window) => self.window(window),
            LogicalPlan::Join(join) => self.join(join),
            LogicalPlan::Union(union) => self.union(union),
            LogicalPlan::Values(values) => self.bound(&plans::rows_of_values(values)?),
            LogicalPlan::Extension(_) => self.extension(plan),
            LogicalPlan::TableScan(scan) => self.scan(scan),
            other => Err(unsupported_below(other)),
        }
    }

    /// The rows of `plan`, which refers to no outer query, for each value of the domain: pairs for which `conditions` are true.
    fn beside(&mut self, plan: &LogicalPlan, conditions: Vec<Expr>) -> Result<Pushed> {
        let (domain, values) = self.domain.instance(self.fresh)?;
        let outputs = columns(plan);
        let conditions = conditions.iter().map(|condition| self.valued(condition, &values)).collect::<Result<_>>()?;
        let single = is_one_row(plan) || plan.max_rows().is_some_and(|rows| rows <= 1);
        let plan = plans::join(domain, plan.clone(), JoinType::Inner, conditions)?;
        Ok(Pushed { plan, outputs, values, order: vec![], single })
    }

    /// `expr` with the columns of the domain for its references.
    fn valued(&self, expr: &Expr, values: &[Expr]) -> Result<Expr> {
        use datafusion_common::tree_node::{Transformed, TreeNode};
        let replaced = expr.clone().transform_up(|expr| {
            let place = match &expr {
                Expr::OuterReferenceColumn(_, column) if position(self.outer, column).is_some() => {
                    self.domain.outer.iter().position(|outer| *outer == expr)
                }
                _ => None,
            };
            Ok(place.map_or_else(|| Transformed::no(expr), |place| Transformed::yes(values[place].clone())))
        })?;
        Ok(replaced.data)
    }

    fn over(&self, expr: &Expr, schema: &DFSchema, below: &Pushed) -> Result<Expr> {
        self.valued(&substituted(expr, schema, &below.outputs)?, &below.values)
    }

    fn all_over(&self, exprs: &[Expr], schema: &DFSchema, below: &Pushed) -> Result<Vec<Expr>> {
        exprs.iter().map(|expr| self.over(expr, schema, below)).collect()
    }

    /// The same with the outputs and the values as its only columns, in this order.
    pub(super) fn materialised(&mut self, pushed: Pushed) -> Result<Pushed> {
        let width = pushed.outputs.len();
        let exprs = pushed.outputs.into_iter().chain(pushed.values).collect();
        let (plan, mut outputs) = plans::projected(pushed.plan, exprs, self.fresh)?;
        let values = outputs.split_off(width);
        Ok(Pushed { plan, outputs, values, order: vec![], single: pushed.single })
    }

    fn projection(&mut self, projection: &Projection) -> Result<Pushed> {
        let below = self.bound(&projection.input)?;
        let outputs = self.all_over(&projection.expr, projection.input.schema(), &below)?;
        let (plan, outputs) = plans::extended(below.plan, outputs, self.fresh)?;
        Ok(Pushed { plan, outputs, ..below })
    }

    fn filter(&mut self, filter: &Filter) -> Result<Pushed> {
        let predicates = conjuncts(&filter.predicate);
        if !self.refers(&filter.input) {
            return self.beside(&filter.input, predicates);
        }
        let below = self.bound(&filter.input)?;
        let mut predicates = self.all_over(&predicates, filter.input.schema(), &below)?;
        predicates.retain(|predicate| !is_of_equals(predicate));
        let Some(predicate) = conjunction(predicates) else { return Ok(below) };
        let plan = LogicalPlan::Filter(Filter::try_new(predicate, below.plan.into())?);
        Ok(Pushed { plan, order: vec![], ..below })
    }

    fn limit(&mut self, limit: &Limit) -> Result<Pushed> {
        let (SkipType::Literal(skip), FetchType::Literal(fetch)) = (limit.get_skip_type()?, limit.get_fetch_type()?) else {
            return Err(plans::unsupported("a LIMIT that is no number"));
        };
        let below = self.bound(&limit.input)?;
        let plan = plans::first_rows(below.plan, below.values.clone(), below.order, (skip, fetch), self.fresh)?;
        let single = below.single || fetch.is_some_and(|fetch| fetch <= 1);
        Ok(Pushed { plan, order: vec![], single, ..below })
    }

    fn aggregate(&mut self, aggregate: &Aggregate) -> Result<Pushed> {
        let below = self.bound(&aggregate.input)?;
        let schema = aggregate.input.schema();
        let calls = self.all_over(&aggregate.aggr_expr, schema, &below)?;
        if let [Expr::GroupingSet(sets)] = aggregate.group_expr.as_slice() {
            return self.grouping_sets(aggregate, sets, below, &calls);
        }
        let group = self.all_over(&aggregate.group_expr, schema, &below)?;
        self.groups(aggregate, below, group, calls)
    }

    /// The groups of `below` by `group`: these columns, and those of `calls`.
    fn groups(&mut self, aggregate: &Aggregate, below: Pushed, group: Vec<Expr>, calls: Vec<Expr>) -> Result<Pushed> {
        let is_global = group.is_empty() && !calls.is_empty();
        let width = group.len();
        let (plan, mut outputs) = plans::aggregated(below.plan, group.into_iter().chain(below.values), calls, self.fresh)?;
        let values: Vec<Expr> = outputs.drain(width..width + self.domain.outer.len()).collect();
        let groups = Pushed { plan, outputs, values, order: vec![], single: width == 0 };
        if is_global { self.with_empty_groups(groups, empty_row(aggregate)?) } else { Ok(groups) }
    }

    /// The groups of each set, one set below the other: that of all rows is there for each value.
    fn grouping_sets(&mut self, aggregate: &Aggregate, sets: &GroupingSet, below: Pushed, calls: &[Expr]) -> Result<Pushed> {
        let GroupingSet::GroupingSets(lists) = sets else {
            return datafusion_common::internal_err!("grouping sets are not spelled out");
        };
        let keys = sets.distinct_expr();
        let width = keys.len();
        let all: Vec<Expr> = keys.iter().map(|key| self.over(key, aggregate.input.schema(), &below)).collect::<Result<_>>()?;
        let mut parts = Vec::with_capacity(lists.len());
        for set in numbered(lists, &keys) {
            let groups = if set.keys.is_empty() && calls.is_empty() {
                let (plan, values) = self.domain.instance(self.fresh)?;
                Pushed { plan, outputs: vec![], values, order: vec![], single: true }
            } else {
                let below = Pushed {
                    plan: below.plan.clone(),
                    outputs: vec![],
                    values: below.values.clone(),
                    order: vec![],
                    single: false,
                };
                let group = set.keys.iter().map(|&key| all[key].clone()).collect();
                self.groups(aggregate, below, group, calls.to_vec())?
            };
            let types = aggregate.schema.fields().iter().map(|field| field.data_type());
            let outputs = types.enumerate().map(|(place, data_type)| {
                if place > width {
                    return Ok(groups.outputs[set.keys.len() + place - width - 1].clone());
                }
                let value = match set.keys.iter().position(|&key| key == place) {
                    Some(column) => return Ok(groups.outputs[column].clone()),
                    None if place == width => ScalarValue::UInt64(Some(set.id)).cast_to(data_type)?,
                    None => ScalarValue::try_from(data_type)?,
                };
                Ok(Expr::Literal(value, None))
            });
            let outputs = outputs.collect::<Result<_>>()?;
            parts.push(self.materialised(Pushed { outputs, ..groups })?.plan);
        }
        let (plan, mut outputs) = plans::union(parts)?;
        let values = outputs.split_off(aggregate.schema.fields().len());
        Ok(Pushed { plan, outputs, values, order: vec![], single: false })
    }

    /// Adds the row of the empty group for the values that have no group.
    fn with_empty_groups(&mut self, groups: Pushed, empty: Vec<Expr>) -> Result<Pushed> {
        let (plan, found) = plans::extended(groups.plan, vec![boolean(true)], self.fresh)?;
        let (domain, values) = self.domain.instance(self.fresh)?;
        let conditions = self.same_values(&values, &groups.values);
        let plan = plans::join(domain, plan, JoinType::Left, conditions)?;
        let outputs = groups.outputs.into_iter().zip(empty);
        let outputs = outputs.map(|(output, empty)| default_or(&found[0], empty, output)).collect();
        let (plan, outputs) = plans::extended(plan, outputs, self.fresh)?;
        Ok(Pushed { plan, outputs, values, order: vec![], single: true })
    }

    fn same_values(&self, left: &[Expr], right: &[Expr]) -> Vec<Expr> {
        let pairs = left.iter().zip(right).enumerate();
        pairs.map(|(place, (left, right))| equality(left.clone(), right.clone(), self.domain.null_safe(place))).collect()
    }

    fn window(&mut self, window: &Window) -> Result<Pushed> {
        let below = self.bound(&window.input)?;
        let calls = self.all_over(&window.window_expr, window.input.schema(), &below)?;
        let (plan, added) = plans::windowed(below.plan, &below.values, calls, self.fresh)?;
        let outputs = below.outputs.into_iter().chain(added).collect();
        Ok(Pushed { plan, outputs, values: below.values, order: vec![], single: below.single })
    }

    fn join(&mut self, join: &Join) -> Result<Pushed> {
        let conditions = plans::conditions(join);
        let in_condition = conditions.iter().any(|condition| refers_to(condition, self.outer));
        let [left, right] = [&join.left, &join.right].map(|side| self.refers(side));
        // A side whose rows are shown without a match needs the domain as soon as anything else has it.
        let (keeps_left, keeps_right) = match join.join_type {
            JoinType::Inner => (false, false),
            JoinType::Left | JoinType::LeftSemi | JoinType::LeftAnti => (true, false),
            JoinType::Right => (false, true),
            JoinType::Full => (true, true),
            other => return Err(plans::unsupported(format!("a reference to an outer query in a {other} join"))),
        };
        let left_bound = left || keeps_left || (in_condition && !right);
        let right_bound = right || keeps_right;
        let left = self.side(&join.left, left_bound)?;
        let right = self.side(&join.right, right_bound)?;
        let both = join.left.schema().join(join.right.schema())?;
        let outputs = [left.outputs.clone(), right.outputs.clone()].concat();
        let values = if left_bound { left.values.clone() } else { right.values.clone() };
        let over = |condition: &Expr| self.valued(&substituted(condition, &both, &outputs)?, &values);
        let mut on = conditions.iter().map(over).collect::<Result<Vec<_>>>()?;
        if left_bound && right_bound {
            on.extend(self.same_values(&left.values, &right.values));
        }
        let plan = plans::join(left.plan, right.plan, join.join_type, on)?;
        let left_only = matches!(join.join_type, JoinType::LeftSemi | JoinType::LeftAnti);
        let outputs = if left_only { left.outputs } else { outputs };
        let single = matches!(join.join_type, JoinType::Inner | JoinType::Left) && left.single && right.single;
        let pushed = Pushed { plan, outputs, values, order: vec![], single };
        match join.join_type {
            JoinType::Full => self.either_values(pushed, right.values),
            JoinType::Right => Ok(Pushed { values: right.values, ..pushed }),
            _ => Ok(pushed),
        }
    }

    /// A row of a full join has its values on one side at least.
    fn either_values(&mut self, pushed: Pushed, right: Vec<Expr>) -> Result<Pushed> {
        let either = pushed.values.iter().zip(right).map(|(left, right)| default_or(left, right, left.clone())).collect();
        let (plan, values) = plans::extended(pushed.plan, either, self.fresh)?;
        Ok(Pushed { plan, values, ..pushed })
    }

    /// A side of a join, with names that the other side does not have.
    fn side(&mut self, plan: &LogicalPlan, bound: bool) -> Result<Pushed> {
        if !bound {
            let single = plan.max_rows().is_some_and(|rows| rows <= 1);
            return Ok(Pushed { outputs: columns(plan), plan: plan.clone(), values: vec![], order: vec![], single });
        }
        let pushed = self.bound(plan)?;
        self.materialised(pushed)
    }

    fn union(&mut self, union: &Union) -> Result<Pushed> {
        let mut inputs = Vec::with_capacity(union.inputs.len());
        let width = union.schema.fields().len();
        for input in &union.inputs {
            let input = self.bound(input)?;
            inputs.push(self.materialised(input)?.plan);
        }
        let (plan, mut outputs) = plans::union(inputs)?;
        let values = outputs.split_off(width);
        Ok(Pushed { plan, outputs, values, order: vec![], single: false })
    }

    fn set_operation(&mut self, node: &SetOperationNode) -> Result<Pushed> {
        let mut sides = Vec::with_capacity(2);
        for side in [&node.left, &node.right] {
            let side = self.bound(side)?;
            let types = node.schema.fields().iter();
            let outputs = side
                .outputs
                .iter()
                .zip(types)
                .map(|(output, field)| output.clone().cast_to(field.data_type(), side.plan.schema()));
            let outputs = outputs.collect::<Result<_>>()?;
            sides.push(self.materialised(Pushed { outputs, ..side })?.plan);
        }
        let (Some(right), Some(left)) = (sides.pop(), sides.pop()) else {
            return datafusion_common::internal_err!("a set operation has two sides");
        };
        let plan = SetOperationNode::plan(node.kind, left, right)?;
        let mut outputs = columns(&plan);
        let values = outputs.split_off(node.schema.fields().len());
        Ok(Pushed { plan, outputs, values, order: vec![], single: false })
    }

    /// Nodes of our own.
    fn extension(&mut self, plan: &LogicalPlan) -> Result<Pushed> {
        if let Some(node) = MaxOneRowNode::of(plan) {
            return self.max_one_row(node);
        }
        if let Some(node) = SetOperationNode::of(plan) {
            return self.set_operation(node);
        }
        if let Some(node) = DistinctOnNode::of(plan) {
            return self.distinct_on(node);
        }
        let node: Box<dyn Fn(Vec<Expr>, LogicalPlan) -> Result<LogicalPlan>> = match (WindowNode::of(plan), UnnestNode::of(plan))
        {
            (Some(node), _) => Box::new(|exprs, input| Ok(node.with_exprs_and_inputs(exprs, vec![input])?.into_plan())),
            (None, Some(node)) => Box::new(|exprs, input| Ok(node.with_exprs_and_inputs(exprs, vec![input])?.into_plan())),
            (None, None) => return Err(unsupported_below(plan)),
        };
        // Both show the columns of their input, and some after them.
        let [input] = plan.inputs()[..] else { return Err(unsupported_below(plan)) };
        let below = self.bound(input)?;
        let mut exprs = self.all_over(&plan.expressions(), input.schema(), &below)?;
        if WindowNode::of(plan).is_some_and(|node| matches!(node.shape, WindowShape::Session { .. })) {
            exprs.extend(below.values.iter().cloned());
        }
        let width = below.plan.schema().fields().len();
        let plan = node(exprs, below.plan)?;
        let outputs = below.outputs.into_iter().chain(columns(&plan).split_off(width)).collect();
        Ok(Pushed { plan, outputs, values: below.values, order: vec![], single: false })
    }

    fn distinct_on(&mut self, node: &DistinctOnNode) -> Result<Pushed> {
        let input = &node.on.input;
        let below = self.bound(input)?;
        let mut on = self.all_over(&node.on.on_expr, input.schema(), &below)?;
        on.extend(below.values.iter().cloned());
        let mut select = self.all_over(&node.on.select_expr, input.schema(), &below)?;
        let width = select.len();
        select.extend(below.values.iter().cloned());
        let select = select.into_iter().map(|expr| expr.unalias().alias(self.fresh.name())).collect();
        let over = |key: &SortExpr| Ok(key.with_expr(self.over(&key.expr, input.schema(), &below)?));
        let order = node.order().iter().map(over).collect::<Result<Vec<_>>>()?;
        let mut first = DistinctOn::try_new(on, select, None, below.plan.clone().into())?;
        first.sort_expr = node.on.sort_expr.as_ref().map(|_| order);
        let plan = DistinctOnNode { on: first }.into_plan();
        let mut outputs = columns(&plan);
        let values = outputs.split_off(width);
        Ok(Pushed { plan, outputs, values, order: vec![], single: node.on.on_expr.is_empty() })
    }

    fn max_one_row(&mut self, node: &MaxOneRowNode) -> Result<Pushed> {
        let below = self.bound(&node.input)?;
        let below = self.materialised(below)?;
        let group = self.all_over(&node.group, node.input.schema(), &below)?;
        let group = group.into_iter().chain(below.values.iter().cloned()).collect();
        let plan = MaxOneRowNode::try_new(below.plan, group)?.into_plan();
        let single = node.group.is_empty();
        Ok(Pushed { plan, outputs: below.outputs, values: below.values, order: vec![], single })
    }
}

/// Whether a condition says that a column is what it is: that of a recursion, by which it is seen to refer to the outer query.
fn is_of_equals(predicate: &Expr) -> bool {
    let Expr::BinaryExpr(binary) = predicate else { return false };
    binary.op == Operator::IsNotDistinctFrom && binary.left == binary.right && matches!(*binary.left, Expr::Column(_))
}

pub(super) fn unsupported_below(plan: &LogicalPlan) -> datafusion_common::DataFusionError {
    plans::unsupported(format!("a reference to an outer query below {}", plan_name(plan)))
}
