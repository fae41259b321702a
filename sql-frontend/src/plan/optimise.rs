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
//! - all decorrelation: subqueries in expressions do not get here.

use std::sync::{Arc, LazyLock};

use datafusion_common::Result;
use datafusion_expr::LogicalPlan;
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
use datafusion_optimizer::{Optimizer, OptimizerContext, OptimizerRule};

use super::context::OPTIONS;

static OPTIMIZER: LazyLock<Optimizer> = LazyLock::new(|| {
    let rules: Vec<Arc<dyn OptimizerRule + Send + Sync>> = vec![
        Arc::new(OptimizeUnions::new()),
        Arc::new(ExtractEquijoinPredicate::new()),
        Arc::new(EliminateDuplicatedExpr::new()),
        Arc::new(EliminateFilter::new()),
        Arc::new(EliminateCrossJoin::new()),
        Arc::new(EliminateLimit::new()),
        Arc::new(PropagateEmptyRelation::new()),
        Arc::new(EliminateOuterJoin::new()),
        Arc::new(PushDownFilter::new()),
        Arc::new(EliminateGroupByConstant::new()),
        Arc::new(OptimizeProjections::new()),
    ];
    Optimizer::with_rules(rules)
});

/// Resolves types, then optimises.
pub(crate) fn optimise(plan: LogicalPlan) -> Result<LogicalPlan> {
    let plan = super::constant_conditions::decide(analyse(plan)?)?;
    let config = OptimizerContext::new_with_config_options(OPTIONS.clone()).without_query_execution_start_time();
    OPTIMIZER.optimize(plan, &config, |_, _| {})
}

/// Resolves types only.
pub(crate) fn analyse(plan: LogicalPlan) -> Result<LogicalPlan> {
    let plan = super::floats::prefer_floats(plan)?;
    Analyzer::new().execute_and_check(plan, &OPTIONS, |_, _| {})
}
