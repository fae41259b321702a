//! Nodes of plans over expressions that refer to columns by names that are theirs alone.

use std::sync::Arc;

use datafusion_common::{DFSchema, DataFusionError, NullEquality, Result, ScalarValue};
use datafusion_expr::expr::{WindowFunction, WindowFunctionParams};
use datafusion_expr::logical_plan::Projection;
use datafusion_expr::{
    Aggregate, EmptyRelation, Expr, ExprSchemable, Filter, Join, JoinConstraint, JoinType, LogicalPlan, SortExpr, Union, Values,
    Window, WindowFrame,
};

use super::Fresh;
use super::outer::{columns, conjunction, conjuncts, equality};
use crate::plan::functions::FUNCTIONS;

/// The rows of `plan` with `exprs` as their only columns. Returns these columns too.
pub(super) fn projected(plan: LogicalPlan, exprs: Vec<Expr>, fresh: &mut Fresh) -> Result<(LogicalPlan, Vec<Expr>)> {
    let named = exprs.into_iter().map(|expr| expr.alias(fresh.name())).collect();
    let plan = LogicalPlan::Projection(Projection::try_new(named, plan.into())?);
    let named = columns(&plan);
    Ok((plan, named))
}

/// The rows of `plan` with their own columns first and `exprs` after them. Returns the new columns too.
pub(super) fn extended(plan: LogicalPlan, exprs: Vec<Expr>, fresh: &mut Fresh) -> Result<(LogicalPlan, Vec<Expr>)> {
    let width = plan.schema().fields().len();
    let mut all = columns(&plan);
    all.extend(exprs.into_iter().map(|expr| expr.alias(fresh.name())));
    let plan = LogicalPlan::Projection(Projection::try_new(all, plan.into())?);
    let added = columns(&plan).split_off(width);
    Ok((plan, added))
}

/// The rows of `plan` with `kept` as their only columns, names included.
pub(super) fn with_columns(plan: LogicalPlan, kept: Vec<Expr>) -> Result<LogicalPlan> {
    if columns(&plan) == kept {
        return Ok(plan);
    }
    Ok(LogicalPlan::Projection(Projection::try_new(kept, plan.into())?))
}

/// The groups of `plan`: the columns of `group`, then those of `calls`.
pub(super) fn aggregated(
    plan: LogicalPlan,
    group: impl IntoIterator<Item = Expr>,
    calls: Vec<Expr>,
    fresh: &mut Fresh,
) -> Result<(LogicalPlan, Vec<Expr>)> {
    // The optimiser takes keys that are no columns for constants, and does not look below their names.
    let (plan, group) = extended(plan, group.into_iter().map(Expr::unalias).collect(), fresh)?;
    let calls = calls.into_iter().map(|expr| expr.unalias().alias(fresh.name())).collect();
    let plan = LogicalPlan::Aggregate(Aggregate::try_new(plan.into(), group, calls)?);
    let named = columns(&plan);
    Ok((plan, named))
}

/// The rows of `plan` with a column for each of `calls`, whose partitions `partition` divides further. Returns these columns too.
pub(super) fn windowed(
    plan: LogicalPlan,
    partition: &[Expr],
    calls: Vec<Expr>,
    fresh: &mut Fresh,
) -> Result<(LogicalPlan, Vec<Expr>)> {
    let width = plan.schema().fields().len();
    let kept = columns(&plan);
    let mut windows: Vec<Expr> = Vec::with_capacity(calls.len());
    for call in calls {
        let Expr::WindowFunction(mut function) = call.unalias() else {
            return datafusion_common::internal_err!("a window computes window functions only");
        };
        function.params.partition_by.extend(partition.iter().cloned());
        windows.push(Expr::WindowFunction(function));
    }
    // Equal calls are one column of the window, which is called by its text: the projection above it gives it a name.
    let mut different: Vec<Expr> = Vec::with_capacity(windows.len());
    for window in &windows {
        if !different.contains(window) {
            different.push(window.clone());
        }
    }
    let plan = LogicalPlan::Window(Window::try_new(different.clone(), plan.into())?);
    let computed = columns(&plan).split_off(width);
    let place = |window: &Expr| different.iter().position(|other| other == window).unwrap_or_default();
    let mut all = kept;
    all.extend(windows.iter().map(|window| computed[place(window)].clone().alias(fresh.name())));
    let plan = LogicalPlan::Projection(Projection::try_new(all, plan.into())?);
    let named = columns(&plan).split_off(width);
    Ok((plan, named))
}

/// The first rows of each partition of `plan` in `order`: `fetch` of them after the first `skip`.
pub(super) fn first_rows(
    plan: LogicalPlan,
    partition: Vec<Expr>,
    order: Vec<SortExpr>,
    (skip, fetch): (usize, Option<usize>),
    fresh: &mut Fresh,
) -> Result<LogicalPlan> {
    let kept = columns(&plan);
    let Some(row_number) = FUNCTIONS.window("row_number") else {
        return datafusion_common::internal_err!("there is no row_number");
    };
    let function = WindowFunction::new(row_number.clone(), vec![]);
    let window_frame = WindowFrame::new((!order.is_empty()).then_some(false));
    let params = WindowFunctionParams { order_by: order, window_frame, ..function.params };
    let call = Expr::from(WindowFunction { params, ..function });
    let (plan, number) = windowed(plan, &partition, vec![call], fresh)?;
    let number = || number[0].clone();
    let literal = |value: usize| Expr::Literal(ScalarValue::UInt64(Some(value as u64)), None);
    let last = fetch.map(|fetch| number().lt_eq(literal(skip.saturating_add(fetch))));
    let first = (skip > 0).then(|| number().gt(literal(skip)));
    let plan = match conjunction(last.into_iter().chain(first)) {
        Some(bounds) => LogicalPlan::Filter(Filter::try_new(bounds, plan.into())?),
        None => plan,
    };
    with_columns(plan, kept)
}

/// All conditions of a join.
pub(super) fn conditions(join: &Join) -> Vec<Expr> {
    let null_safe = join.null_equality == NullEquality::NullEqualsNull;
    let equalities = join.on.iter().map(|(left, right)| equality(left.clone(), right.clone(), null_safe));
    equalities.chain(join.filter.iter().flat_map(conjuncts)).collect()
}

/// A join of relations without columns of one name. The optimiser finds the equalities among its conditions.
pub(super) fn join(left: LogicalPlan, right: LogicalPlan, join_type: JoinType, conditions: Vec<Expr>) -> Result<LogicalPlan> {
    let filter = conjunction(conditions);
    let nulls = NullEquality::NullEqualsNothing;
    let join = Join::try_new(left.into(), right.into(), vec![], filter, join_type, JoinConstraint::On, nulls, false)?;
    Ok(LogicalPlan::Join(join))
}

/// `UNION ALL` of relations with columns of the same types, under the names of the first. Returns its columns too.
///
/// All inputs get these names: where all inputs but one turn out to be empty, DataFusion reads the union's columns from the one that is left.
pub(super) fn union(inputs: Vec<LogicalPlan>) -> Result<(LogicalPlan, Vec<Expr>)> {
    let names: Vec<Expr> = inputs.first().map(columns).unwrap_or_default();
    let named = |input: LogicalPlan| {
        let same = columns(&input).into_iter().zip(&names).map(|(column, name)| column.alias(name.schema_name().to_string()));
        Ok(Arc::new(LogicalPlan::Projection(Projection::try_new(same.collect(), input.into())?)))
    };
    let inputs = inputs.into_iter().map(named).collect::<Result<_>>()?;
    let plan = LogicalPlan::Union(Union::try_new_with_loose_types(inputs)?);
    let named = columns(&plan);
    Ok((plan, named))
}

/// The rows of VALUES, each as a SELECT without FROM: those can refer to an outer query.
pub(super) fn rows_of_values(values: &Values) -> Result<LogicalPlan> {
    let names = values.schema.fields();
    let row = |row: &Vec<Expr>| {
        let one = EmptyRelation { produce_one_row: true, schema: Arc::new(DFSchema::empty()) };
        let columns = row
            .iter()
            .zip(names)
            .map(|(value, field)| Ok(value.clone().cast_to(field.data_type(), &DFSchema::empty())?.alias(field.name())));
        let columns = columns.collect::<Result<Vec<_>>>()?;
        Projection::try_new(columns, LogicalPlan::EmptyRelation(one).into()).map(LogicalPlan::Projection)
    };
    let mut rows = values.values.iter().map(row).collect::<Result<Vec<_>>>()?;
    match rows.len() {
        1 => Ok(rows.remove(0)),
        _ => Ok(union(rows)?.0),
    }
}

/// An error that names what a subquery cannot have.
pub(super) fn unsupported(what: impl std::fmt::Display) -> DataFusionError {
    let error = crate::SqlError::nowhere(crate::error::Code::Unsupported, format!("{what} is not supported"));
    DataFusionError::External(Box::new(error))
}
