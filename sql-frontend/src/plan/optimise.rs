//! DataFusion's analyzer and the rules of its optimiser that suit incremental maintenance.
//!
//! Left out, and why:
//! - `simplify_expressions` folds constants with DataFusion's evaluator, which wraps integers and truncates casts: Deltic has one evaluator,
//!   and lowering folds with that;
//! - `replace_distinct_aggregate`, `single_distinct_to_group_by`: there are operators for both;
//! - `eliminate_join` makes semi-joins of joins: those cost more state here;
//! - `push_down_limit` scatters limits that belong to one TopK;
//! - `common_sub_expression_eliminate`, `extract_leaf_expressions`, `push_down_leaf_projections` add projections for nothing;
//! - `filter_null_join_keys` pushes `IS NOT NULL` of a computed key below what computes it, which then is computed twice; lowering does
//!   it for keys that are columns;
//! - all decorrelation: no subquery gets here ([`super::unnest`]).

use std::sync::{Arc, LazyLock};

use datafusion_common::Result;
use datafusion_common::tree_node::{Transformed, TreeNode};
use datafusion_expr::expr::InList;
use datafusion_expr::utils::{conjunction, split_conjunction};
use datafusion_expr::{Expr, Filter, InvariantLevel, Join, LogicalPlan, Operator, binary_expr, lit};
use datafusion_optimizer::analyzer::Analyzer;
use datafusion_optimizer::eliminate_cross_join::EliminateCrossJoin;
use datafusion_optimizer::eliminate_duplicated_expr::EliminateDuplicatedExpr;
use datafusion_optimizer::eliminate_filter::EliminateFilter;
use datafusion_optimizer::eliminate_group_by_constant::EliminateGroupByConstant;
use datafusion_optimizer::eliminate_limit::EliminateLimit;
use datafusion_optimizer::eliminate_outer_join::EliminateOuterJoin;
use datafusion_optimizer::extract_equijoin_predicate::ExtractEquijoinPredicate;
use datafusion_optimizer::optimize_projections::OptimizeProjections;
use datafusion_optimizer::optimize_unions::OptimizeUnions;
use datafusion_optimizer::propagate_empty_relation::PropagateEmptyRelation;
use datafusion_optimizer::push_down_filter::PushDownFilter;
use datafusion_optimizer::{ApplyOrder, Optimizer, OptimizerConfig, OptimizerContext, OptimizerRule};

use super::context::OPTIONS;
use super::join_order::{has_chain, order_joins};
use super::key_conditions::{self, can_fail};

/// The rules that move conditions to the relations and joins that they are about.
fn conditions() -> Vec<Arc<dyn OptimizerRule + Send + Sync>> {
    vec![
        Arc::new(OptimizeUnions::new()),
        Arc::new(JoinKeys::default()),
        Arc::new(EliminateDuplicatedExpr::new()),
        Arc::new(EliminateFilter::new()),
        Arc::new(EliminateCrossJoin::new()),
        Arc::new(EliminateLimit::new()),
        Arc::new(PropagateEmptyRelation::new()),
        Arc::new(EliminateOuterJoin::new()),
        Arc::new(ConditionsBelow::default()),
    ]
}

/// Before joins are ordered: columns are dropped later, because projections between joins would hide which belong together.
static CONDITIONS: LazyLock<Optimizer> = LazyLock::new(|| Optimizer::with_rules(conditions()));

static OPTIMIZER: LazyLock<Optimizer> = LazyLock::new(|| {
    let mut rules = conditions();
    rules.push(Arc::new(EliminateGroupByConstant::new()));
    rules.push(Arc::new(OptimizeProjections::new()));
    Optimizer::with_rules(rules)
});

/// [`ExtractEquijoinPredicate`], except that a condition `IS NOT DISTINCT FROM` stays one. DataFusion would make it a key and set the join to match NULL
/// keys; a later `=` that is pushed into this join would then match NULLs as well. Lowering makes a key of it, with a flag of its own.
#[derive(Debug, Default)]
struct JoinKeys {
    rule: ExtractEquijoinPredicate,
}

impl OptimizerRule for JoinKeys {
    fn name(&self) -> &str {
        "join_keys"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        self.rule.apply_order()
    }

    fn rewrite(&self, plan: LogicalPlan, config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        let null_safe = |expr: &&Expr| matches!(expr, Expr::BinaryExpr(binary) if binary.op == Operator::IsNotDistinctFrom);
        match &plan {
            LogicalPlan::Join(Join { filter: Some(filter), .. }) if split_conjunction(filter).iter().any(null_safe) => {
                Ok(Transformed::no(plan))
            }
            _ => self.rule.rewrite(plan, config),
        }
    }
}

/// [`PushDownFilter`], with two exceptions:
/// - Nothing passes an aggregate that has a row for no rows at all. DataFusion lets a condition without columns pass: it would
///   remove the rows that are counted, not the row of their count. A condition can lose its columns on the way, at a projection of constants.
/// - Conditions that follow from others are told to a side of a join only if they cannot fail. Those are a condition on a key, said of the key of the other side, and
///   the part of an OR that is about one side. Nobody wrote them there: a row that has no match would be an error by a condition that is not about it.
#[derive(Debug, Default)]
struct ConditionsBelow {
    rule: PushDownFilter,
}

impl OptimizerRule for ConditionsBelow {
    fn name(&self) -> &str {
        "conditions_below"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        self.rule.apply_order()
    }

    fn rewrite(&self, plan: LogicalPlan, config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        match &plan {
            LogicalPlan::Filter(filter) if is_total(&filter.input) => Ok(Transformed::no(plan)),
            _ => match Told::by(&plan) {
                Some(told) => self.rule.rewrite(plan, config)?.map_data(|plan| told.without_inferred(plan)),
                None => self.rule.rewrite(plan, config),
            },
        }
    }
}

/// What is told of a join, and its sides, before conditions go there.
struct Told {
    conditions: Vec<Expr>,
    sides: [Arc<LogicalPlan>; 2],
}

impl Told {
    /// What `plan` tells, if it is a join with conditions.
    fn by(plan: &LogicalPlan) -> Option<Self> {
        match plan {
            LogicalPlan::Filter(filter) => {
                let mut told = Told::by(&filter.input).or_else(|| Told::of(&filter.input))?;
                told.conditions.extend(split_conjunction(&filter.predicate).into_iter().cloned());
                Some(told)
            }
            LogicalPlan::Join(join) if join.filter.is_some() => Told::of(plan),
            _ => None,
        }
    }

    fn of(plan: &LogicalPlan) -> Option<Self> {
        let LogicalPlan::Join(join) = plan else { return None };
        let conditions = join.filter.iter().flat_map(split_conjunction).cloned().collect();
        Some(Told { conditions, sides: [join.left.clone(), join.right.clone()] })
    }

    /// The join in `plan` without the conditions of its sides that nobody told and that can fail.
    fn without_inferred(&self, plan: LogicalPlan) -> Result<LogicalPlan> {
        match plan {
            LogicalPlan::Filter(filter) => {
                let input = self.without_inferred(Arc::unwrap_or_clone(filter.input))?;
                Ok(LogicalPlan::Filter(Filter::try_new(filter.predicate, input.into())?))
            }
            LogicalPlan::Join(mut join) => {
                let [left, right] = &self.sides;
                join.left = self.side(join.left, left)?;
                join.right = self.side(join.right, right)?;
                Ok(LogicalPlan::Join(join))
            }
            plan => Ok(plan),
        }
    }

    /// One side as it is now; it was `before`.
    fn side(&self, side: Arc<LogicalPlan>, before: &Arc<LogicalPlan>) -> Result<Arc<LogicalPlan>> {
        let LogicalPlan::Filter(filter) = side.as_ref() else { return Ok(side) };
        if !Arc::ptr_eq(&filter.input, before) {
            return Ok(side);
        }
        let conditions = split_conjunction(&filter.predicate);
        let count = conditions.len();
        let kept = conditions
            .into_iter()
            .filter(|&condition| self.conditions.contains(condition) || !can_fail(condition, before.schema()));
        let kept: Vec<Expr> = kept.cloned().collect();
        if kept.len() == count {
            return Ok(side);
        }
        let Some(predicate) = conjunction(kept) else { return Ok(before.clone()) };
        Ok(Arc::new(LogicalPlan::Filter(Filter::try_new(predicate, before.clone())?)))
    }
}

/// Whether `plan` has a row for no rows at all. The rule joins conditions that stand one above the other and pushes them on in one step, so those are looked through.
fn is_total(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Aggregate(aggregate) => {
            let keys = &aggregate.group_expr;
            keys.is_empty() || keys.iter().any(|key| matches!(key, Expr::GroupingSet(_)))
        }
        LogicalPlan::Filter(filter) => is_total(&filter.input),
        _ => false,
    }
}

/// `x IN (a, b)` as `x = a OR x = b` in conditions, if `a` is computed from constants: DataFusion evaluates such a list on no rows to find out whether NULLs pass a join,
/// and panics.
fn spell_out_lists(plan: LogicalPlan) -> Result<LogicalPlan> {
    let is_computed = |item: &Expr| !matches!(item, Expr::Literal(..)) && item.column_refs().is_empty();
    let spell_out = |expr: Expr| match expr {
        Expr::InList(InList { expr, list, negated }) if list.iter().any(is_computed) => {
            let (compare, join) = if negated { (Operator::NotEq, Operator::And) } else { (Operator::Eq, Operator::Or) };
            let parts = list.into_iter().map(|item| binary_expr(expr.as_ref().clone(), compare, item));
            Ok(Transformed::yes(parts.reduce(|left, right| binary_expr(left, join, right)).unwrap_or_else(|| lit(negated))))
        }
        expr => Ok(Transformed::no(expr)),
    };
    let plan = plan.transform_up(|node| match &node {
        LogicalPlan::Filter(_) | LogicalPlan::Join(_) => node.map_expressions(|expr| expr.transform_up(spell_out)),
        _ => Ok(Transformed::no(node)),
    })?;
    Ok(plan.data)
}

/// Resolves types, then optimises.
pub(crate) fn optimise(plan: LogicalPlan) -> Result<LogicalPlan> {
    let plan = spell_out_lists(super::constant_conditions::decide(analyse(plan)?)?)?;
    let config = OptimizerContext::new_with_config_options(OPTIONS.clone()).without_query_execution_start_time();
    let plan = if key_conditions::has_join(&plan)? {
        let plan = key_conditions::spread(CONDITIONS.optimize(plan, &config, |_, _| {})?)?;
        if has_chain(&plan)? { order_joins(plan)? } else { plan }
    } else {
        plan
    };
    OPTIMIZER.optimize(plan, &config, |_, _| {})
}

/// Resolves types and removes subqueries, no more. The rules run one by one: the checks of [`Analyzer::execute_and_check`] refuse subqueries that
/// DataFusion could not remove.
pub(crate) fn analyse(plan: LogicalPlan) -> Result<LogicalPlan> {
    let plan = super::unnest::unnest(typed(plan)?)?;
    plan.check_invariants(InvariantLevel::Executable)?;
    Ok(plan)
}

/// The same for a part of a query that may refer to the queries around it.
pub(crate) fn analyse_inner(plan: LogicalPlan) -> Result<LogicalPlan> {
    super::unnest::unnest_inner(typed(plan)?)
}

/// Resolves types.
pub(crate) fn typed(plan: LogicalPlan) -> Result<LogicalPlan> {
    let mut plan = super::floats::prefer_floats(plan)?;
    for rule in Analyzer::new().rules {
        plan = rule.analyze(plan, &OPTIONS).map_err(|error| error.context(rule.name()))?;
    }
    Ok(plan)
}
