//! Lifting: correlated conditions move up through the operators of a subquery, until they are conditions of a join with the outer query.
//!
//! An equality of a column of the outer query with one of the inner query becomes a *key*: what stands above it computes its result for all
//! values of the key at once (an aggregation groups by it, a limit is one per key), and the join picks that of the outer row. So the outer rows
//! take no part in the subquery, which is cheap in work and in state. Any other correlated condition can only move up where the result does not depend
//! on which rows are together: through filters, projections and inner joins. Where neither goes, [`Lifting::lift`] says so, and the
//! subquery is computed over a domain instead ([`super::domain`]).

use datafusion_common::{DFSchema, Result};
use datafusion_expr::logical_plan::{FetchType, Projection, SkipType, Subquery};
use datafusion_expr::{Aggregate, Distinct, Expr, Filter, Join, JoinType, Limit, LogicalPlan, Operator, SortExpr, Window};

use super::outer::{boolean, bound, columns, conjunction, conjuncts, plan_refers_to, reads_columns, refers_to, substituted};
use super::{Fresh, empty_row, folded, plans};

/// What is asked of a subquery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// Its rows.
    Rows,
    /// Its rows, however often each is there.
    Set,
    /// Whether it has rows.
    Presence,
}

impl Asked {
    /// What is then asked of the parts that rows are made or picked from.
    fn of_parts(self) -> Self {
        if self == Asked::Presence { Asked::Set } else { self }
    }
}

/// An equality between an expression over the outer query and one over the rows of the subquery.
#[derive(Clone, Debug)]
pub(super) struct Key {
    /// With references to the outer query.
    pub(super) outer: Expr,
    pub(super) inner: Expr,
    /// NULL equals NULL.
    pub(super) null_safe: bool,
}

/// A subquery as a relation that knows nothing of the outer row, and what makes its rows belong to one.
#[derive(Debug)]
pub(super) struct Lifted {
    pub(super) plan: LogicalPlan,
    /// The columns of the subquery over those of `plan`; they may refer to the outer query.
    pub(super) outputs: Vec<Expr>,
    pub(super) keys: Vec<Key>,
    /// Further conditions over the columns of `plan` and those of the outer query.
    pub(super) residual: Vec<Expr>,
    /// The columns of the one row of the subquery for an outer row whose keys `plan` has no row for, if there is one.
    pub(super) default: Option<Vec<Expr>>,
    /// Whether `plan` has one row at most for each value of the keys.
    pub(super) single: bool,
    /// The order of an ORDER BY, for a LIMIT above it.
    order: Vec<SortExpr>,
}

impl Lifted {
    /// A subquery over which nothing is known but its rows.
    pub(super) fn new(plan: LogicalPlan, outputs: Vec<Expr>, keys: Vec<Key>) -> Self {
        Lifted { plan, outputs, keys, residual: vec![], default: None, single: false, order: vec![] }
    }

    fn inner_keys(&self) -> Vec<Expr> {
        self.keys.iter().map(|key| key.inner.clone()).collect()
    }

    /// The same with other names for the columns of `plan`, that no other relation has.
    pub(super) fn renamed(self, fresh: &mut Fresh) -> Result<Self> {
        let schema = self.plan.schema().clone();
        let names: Vec<String> = schema.fields().iter().map(|_| fresh.name()).collect();
        let renamed = columns(&self.plan).into_iter().zip(&names).map(|(column, name)| column.alias(name)).collect();
        let plan = LogicalPlan::Projection(Projection::try_new(renamed, self.plan.into())?);
        let named: Vec<Expr> = columns(&plan);
        let rename = |expr: &Expr| substituted(expr, &schema, &named);
        let all = |exprs: &[Expr]| exprs.iter().map(rename).collect::<Result<Vec<_>>>();
        let keys =
            self.keys.iter().map(|key| Ok(Key { inner: rename(&key.inner)?, ..key.clone() })).collect::<Result<Vec<_>>>()?;
        let order = self.order.iter().map(|key| Ok(key.with_expr(rename(&key.expr)?))).collect::<Result<Vec<_>>>()?;
        Ok(Lifted { plan, outputs: all(&self.outputs)?, keys, residual: all(&self.residual)?, order, ..self })
    }

    /// Whether there is one row of `plan` at most for each value of the keys, by the primary keys of relations if by nothing else.
    pub(super) fn is_single(&self) -> bool {
        let schema = self.plan.schema();
        let keys: Vec<usize> = self
            .keys
            .iter()
            .filter_map(|key| match &key.inner {
                Expr::Column(column) => schema.maybe_index_of_column(column),
                _ => None,
            })
            .collect();
        let width = schema.fields().len();
        self.single
            || schema.functional_dependencies().iter().any(|dependence| {
                dependence.mode == datafusion_common::Dependency::Single
                    && !dependence.nullable
                    && dependence.target_indices.len() == width
                    && dependence.source_indices.iter().all(|column| keys.contains(column))
            })
    }

    fn filtered(mut self, predicates: Vec<Expr>) -> Result<Self> {
        if let Some(predicate) = conjunction(predicates) {
            self.plan = LogicalPlan::Filter(Filter::try_new(predicate, self.plan.into())?);
        }
        Ok(self)
    }
}

/// Lifts the conditions of one subquery.
pub(super) struct Lifting<'a> {
    /// The rows of the outer query.
    pub(super) outer: &'a DFSchema,
    pub(super) fresh: &'a mut Fresh,
}

/// A subquery, or `None` if its conditions do not lift.
type MayLift = Result<Option<Lifted>>;

impl Lifting<'_> {
    /// Lifts `plan`, in which no subquery is left.
    pub(super) fn lift(&mut self, plan: &LogicalPlan, asked: Asked) -> MayLift {
        if !plan_refers_to(plan, self.outer) {
            let single = is_one_row(plan) || plan.max_rows().is_some_and(|rows| rows <= 1);
            return Ok(Some(Lifted { single, ..Lifted::new(plan.clone(), columns(plan), vec![]) }));
        }
        match plan {
            LogicalPlan::SubqueryAlias(alias) => self.lift(&alias.input, asked),
            LogicalPlan::Subquery(Subquery { subquery, .. }) => self.lift(subquery, asked),
            LogicalPlan::Projection(projection) => self.projection(projection, asked),
            LogicalPlan::Filter(filter) => self.filter(filter, asked),
            LogicalPlan::Sort(sort) if sort.fetch.is_none() => {
                let Some(below) = self.lift(&sort.input, asked)? else { return Ok(None) };
                let over = |key: &SortExpr| Ok(key.with_expr(substituted(&key.expr, sort.input.schema(), &below.outputs)?));
                let order = sort.expr.iter().map(over).collect::<Result<Vec<_>>>()?;
                Ok(Some(Lifted { order, ..below }))
            }
            LogicalPlan::Limit(limit) => self.limit(limit, asked),
            LogicalPlan::Distinct(Distinct::All(input)) => self.distinct(input, asked),
            LogicalPlan::Aggregate(aggregate) => self.aggregate(aggregate),
            LogicalPlan::Window(window) => self.window(window),
            LogicalPlan::Join(join) => self.join(join, asked),
            LogicalPlan::Union(union) => self.union(&union.inputs, asked),
            LogicalPlan::Values(values) => self.lift(&plans::rows_of_values(values)?, asked),
            _ => Ok(None),
        }
    }

    fn is_inner(&self, expr: &Expr) -> bool {
        !refers_to(expr, self.outer)
    }

    fn all_inner<'e>(&self, exprs: impl IntoIterator<Item = &'e Expr>) -> bool {
        exprs.into_iter().all(|expr| self.is_inner(expr))
    }

    fn projection(&mut self, projection: &Projection, asked: Asked) -> MayLift {
        let Some(below) = self.lift(&projection.input, asked)? else { return Ok(None) };
        let schema = projection.input.schema();
        let over = |outputs: &[Expr]| projection.expr.iter().map(|expr| substituted(expr, schema, outputs)).collect();
        let outputs: Result<Vec<Expr>> = over(&below.outputs);
        let default: Option<Result<Vec<Expr>>> = below.default.as_deref().map(over);
        Ok(Some(Lifted { outputs: outputs?, default: default.transpose()?, ..below }))
    }

    fn filter(&mut self, filter: &Filter, asked: Asked) -> MayLift {
        let Some(mut below) = self.lift(&filter.input, asked.of_parts())? else { return Ok(None) };
        let schema = filter.input.schema();
        if let Some(default) = &below.default {
            // What is not there for a key and what the filter takes away would be the same to a join.
            if !is_never_true(&substituted(&filter.predicate, schema, default)?) {
                return Ok(None);
            }
            below.default = None;
        }
        let mut plain = Vec::new();
        for conjunct in conjuncts(&filter.predicate) {
            let conjunct = substituted(&conjunct, schema, &below.outputs)?;
            self.place(conjunct, &mut plain, &mut below.keys, &mut below.residual);
        }
        below.order.clear();
        below.filtered(plain).map(Some)
    }

    /// Where a conjunct goes.
    fn place(&self, conjunct: Expr, plain: &mut Vec<Expr>, keys: &mut Vec<Key>, residual: &mut Vec<Expr>) {
        if self.is_inner(&conjunct) {
            plain.push(conjunct);
        } else if !reads_columns(&conjunct) {
            // Of the outer row alone: it is that the condition is true that is asked for.
            keys.push(Key { outer: conjunct, inner: boolean(true), null_safe: false });
        } else {
            match self.key(&conjunct) {
                Some(key) => keys.push(key),
                None => residual.push(conjunct),
            }
        }
    }

    fn key(&self, conjunct: &Expr) -> Option<Key> {
        let Expr::BinaryExpr(binary) = conjunct else { return None };
        let null_safe = match binary.op {
            Operator::Eq => false,
            Operator::IsNotDistinctFrom => true,
            _ => return None,
        };
        let is_outer = |expr: &Expr| !self.is_inner(expr) && !reads_columns(expr);
        let (outer, inner) = match (&binary.left, &binary.right) {
            (left, right) if is_outer(left) && self.is_inner(right) => (left, right),
            (left, right) if is_outer(right) && self.is_inner(left) => (right, left),
            _ => return None,
        };
        Some(Key { outer: outer.as_ref().clone(), inner: inner.as_ref().clone(), null_safe })
    }

    fn limit(&mut self, limit: &Limit, asked: Asked) -> MayLift {
        let (SkipType::Literal(skip), FetchType::Literal(fetch)) = (limit.get_skip_type()?, limit.get_fetch_type()?) else {
            return Ok(None);
        };
        let has_first = skip == 0 && fetch != Some(0);
        if asked == Asked::Presence && has_first {
            return self.lift(&limit.input, asked);
        }
        let Some(below) = self.lift(&limit.input, Asked::Rows)? else { return Ok(None) };
        if has_first && (below.single || fetch.is_none()) {
            return Ok(Some(below));
        }
        if below.default.is_some() || !below.residual.is_empty() || !self.all_inner(below.order.iter().map(|key| &key.expr)) {
            return Ok(None);
        }
        let partition = below.inner_keys();
        let plan = plans::first_rows(below.plan, partition, below.order, (skip, fetch), self.fresh)?;
        Ok(Some(Lifted { plan, order: vec![], single: fetch.is_some_and(|fetch| fetch <= 1), ..below }))
    }

    fn distinct(&mut self, input: &LogicalPlan, asked: Asked) -> MayLift {
        if asked != Asked::Rows {
            return self.lift(input, asked);
        }
        let Some(below) = self.lift(input, Asked::Rows)? else { return Ok(None) };
        if below.single {
            return Ok(Some(below));
        }
        if !below.residual.is_empty() || !self.all_inner(&below.outputs) {
            return Ok(None);
        }
        let lifted = self.materialised(below)?;
        let plan = LogicalPlan::Distinct(Distinct::All(lifted.plan.into()));
        Ok(Some(Lifted { plan, ..lifted }))
    }

    /// The same with its outputs and the inner sides of its keys as the only columns.
    fn materialised(&mut self, lifted: Lifted) -> Result<Lifted> {
        let exprs: Vec<Expr> = lifted.outputs.iter().cloned().chain(lifted.inner_keys()).collect();
        let (plan, named) = plans::projected(lifted.plan, exprs, self.fresh)?;
        let (outputs, inner) = named.split_at(lifted.outputs.len());
        let keys = lifted.keys.iter().zip(inner).map(|(key, inner)| Key { inner: inner.clone(), ..key.clone() }).collect();
        Ok(Lifted { plan, outputs: outputs.to_vec(), keys, order: vec![], ..lifted })
    }

    fn aggregate(&mut self, aggregate: &Aggregate) -> MayLift {
        let Some(below) = self.lift(&aggregate.input, Asked::Rows)? else { return Ok(None) };
        let schema = aggregate.input.schema();
        let over =
            |exprs: &[Expr]| exprs.iter().map(|expr| substituted(expr, schema, &below.outputs)).collect::<Result<Vec<_>>>();
        let (group, calls) = (over(&aggregate.group_expr)?, over(&aggregate.aggr_expr)?);
        let has_sets = group.iter().any(|expr| matches!(expr, Expr::GroupingSet(_)));
        if has_sets || below.default.is_some() || !below.residual.is_empty() || !self.all_inner(group.iter().chain(&calls)) {
            return Ok(None);
        }
        let inner = below.inner_keys();
        let is_global = group.is_empty() && !calls.is_empty();
        let single = group.iter().all(|expr| inner.contains(expr));
        let default = if is_global && !inner.is_empty() { Some(empty_row(aggregate)?) } else { None };
        let (plan, named) = plans::aggregated(below.plan, group.into_iter().chain(inner), calls, self.fresh)?;
        let width = aggregate.group_expr.len();
        let keys = below.keys.into_iter().zip(&named[width..]).map(|(key, inner)| Key { inner: inner.clone(), ..key });
        let keys: Vec<Key> = keys.collect();
        let outputs = named[..width].iter().chain(&named[width + keys.len()..]).cloned().collect();
        Ok(Some(Lifted { default, single, ..Lifted::new(plan, outputs, keys) }))
    }

    fn window(&mut self, window: &Window) -> MayLift {
        let Some(below) = self.lift(&window.input, Asked::Rows)? else { return Ok(None) };
        let schema = window.input.schema();
        let calls = window.window_expr.iter().map(|expr| substituted(expr, schema, &below.outputs));
        let calls = calls.collect::<Result<Vec<_>>>()?;
        if below.default.is_some() || !below.residual.is_empty() || !self.all_inner(&calls) {
            return Ok(None);
        }
        let (plan, named) = plans::windowed(below.plan.clone(), &below.inner_keys(), calls, self.fresh)?;
        let outputs = below.outputs.iter().cloned().chain(named).collect();
        Ok(Some(Lifted { plan, outputs, order: vec![], ..below }))
    }

    fn join(&mut self, join: &Join, asked: Asked) -> MayLift {
        // Whether there is a match is whether the join has the row.
        let as_inner = join.join_type == JoinType::Inner || (join.join_type == JoinType::LeftSemi && asked != Asked::Rows);
        let (left_lifts, right_lifts) = match join.join_type {
            _ if as_inner => (true, true),
            JoinType::Left | JoinType::LeftSemi | JoinType::LeftAnti => (true, false),
            JoinType::Right => (false, true),
            _ => (false, false),
        };
        let correlated = |plan: &LogicalPlan| plan_refers_to(plan, self.outer);
        if (!left_lifts && correlated(&join.left)) || (!right_lifts && correlated(&join.right)) {
            return Ok(None);
        }
        let asked = if as_inner { asked.of_parts() } else { Asked::Rows };
        let (Some(left), Some(right)) = (self.side(&join.left, asked)?, self.side(&join.right, asked)?) else { return Ok(None) };
        if left.default.is_some() || right.default.is_some() {
            return Ok(None);
        }
        let both = join.left.schema().join(join.right.schema())?;
        let outputs: Vec<Expr> = left.outputs.iter().chain(&right.outputs).cloned().collect();
        let (mut plain, mut keys, mut residual) =
            (Vec::new(), [left.keys, right.keys].concat(), [left.residual, right.residual].concat());
        for condition in plans::conditions(join) {
            let condition = substituted(&condition, &both, &outputs)?;
            if !as_inner && !self.is_inner(&condition) {
                return Ok(None);
            }
            self.place(condition, &mut plain, &mut keys, &mut residual);
        }
        let join_type = if as_inner { JoinType::Inner } else { join.join_type };
        let plan = plans::join(left.plan, right.plan, join_type, plain)?;
        let width =
            if matches!(join.join_type, JoinType::LeftSemi | JoinType::LeftAnti) { left.outputs.len() } else { outputs.len() };
        let single = left.single && (right.single || matches!(join_type, JoinType::LeftSemi | JoinType::LeftAnti));
        let single = single && join_type != JoinType::Right;
        let outputs = outputs[..width].to_vec();
        Ok(Some(Lifted { residual, single, ..Lifted::new(plan, outputs, keys) }))
    }

    /// A side of a join. What was lifted through an alias has lost the names that kept its columns apart from those of the other side.
    fn side(&mut self, plan: &LogicalPlan, asked: Asked) -> MayLift {
        match self.lift(plan, asked)? {
            Some(lifted) if plan_refers_to(plan, self.outer) => lifted.renamed(self.fresh).map(Some),
            lifted => Ok(lifted),
        }
    }

    /// All inputs must have the same keys.
    fn union(&mut self, inputs: &[std::sync::Arc<LogicalPlan>], asked: Asked) -> MayLift {
        let asked = asked.of_parts();
        let mut lifted: Vec<Lifted> = Vec::with_capacity(inputs.len());
        for input in inputs {
            let Some(mut input) = self.lift(input, asked)? else { return Ok(None) };
            if input.default.is_some() || !input.residual.is_empty() || !self.all_inner(&input.outputs) {
                return Ok(None);
            }
            if let Some(first) = lifted.first() {
                let same = |key: &Key, other: &Key| key.outer == other.outer && key.null_safe == other.null_safe;
                let keys = first.keys.iter().map(|key| input.keys.iter().find(|other| same(key, other)).cloned());
                let keys: Option<Vec<Key>> = keys.collect();
                match keys {
                    Some(keys) if keys.len() == input.keys.len() => input.keys = keys,
                    _ => return Ok(None),
                }
            }
            lifted.push(self.materialised(input)?);
        }
        let keys = lifted[0].keys.clone();
        let width = lifted[0].outputs.len();
        let (plan, named) = plans::union(lifted.into_iter().map(|lifted| lifted.plan).collect())?;
        let keys = keys.into_iter().zip(&named[width..]).map(|(key, inner)| Key { inner: inner.clone(), ..key }).collect();
        Ok(Some(Lifted::new(plan, named[..width].to_vec(), keys)))
    }
}

/// Whether `plan` is the one row that a SELECT without FROM reads.
pub(super) fn is_one_row(plan: &LogicalPlan) -> bool {
    matches!(plan, LogicalPlan::EmptyRelation(empty) if empty.produce_one_row)
}

/// What is below the projections and aliases of `plan`.
pub(super) fn below_projections(plan: &LogicalPlan) -> &LogicalPlan {
    match plan {
        LogicalPlan::Projection(projection) => below_projections(&projection.input),
        LogicalPlan::SubqueryAlias(alias) => below_projections(&alias.input),
        other => other,
    }
}

/// Whether `plan` has a row whatever the relations hold.
pub(super) fn has_always_a_row(plan: &LogicalPlan) -> bool {
    match below_projections(plan) {
        LogicalPlan::Aggregate(aggregate) => aggregate.group_expr.is_empty(),
        LogicalPlan::Sort(sort) => sort.fetch.is_none() && has_always_a_row(&sort.input),
        other => is_one_row(other),
    }
}

/// Whether a constant condition is false or NULL. One that refers to a row is not known.
fn is_never_true(predicate: &Expr) -> bool {
    conjuncts(predicate).iter().any(|conjunct| folded(conjunct).is_some_and(|value| value != Some(true)))
}

/// Keys and residual of `lifted` as conditions over the columns of the outer query and those of its plan.
pub(super) fn join_conditions(keys: &[Key], residual: &[Expr], outer: &DFSchema) -> Result<Vec<Expr>> {
    let keys =
        keys.iter().map(|key| Ok(super::outer::equality(bound(key.outer.clone(), outer)?, key.inner.clone(), key.null_safe)));
    keys.chain(residual.iter().map(|expr| bound(expr.clone(), outer))).collect()
}
