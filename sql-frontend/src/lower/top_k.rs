//! ORDER BY with LIMIT, LIMIT alone, and the filter `row_number() <= k`: all are one operator. ORDER BY alone orders reads.

use std::collections::BTreeSet;

use datafusion_common::ScalarValue;
use datafusion_expr::expr::{BinaryExpr, Sort as SortExpr, WindowFunction};
use datafusion_expr::logical_plan::{Filter, Limit, LogicalPlan, Window};
use datafusion_expr::utils::split_conjunction;
use datafusion_expr::{Expr as PlanExpr, Operator, WindowFunctionDefinition};
use deltic_circuit::{Expr, SortKey};

use super::Lowering;
use super::relation::Relation;
use crate::error::{Code, SqlError};

impl Lowering<'_> {
    /// The rows of a whole query and the order in which to present them, over its columns and hidden ones behind them.
    pub(super) fn top_level(&mut self, plan: &LogicalPlan) -> Result<(Relation, Vec<SortKey>), SqlError> {
        match plan {
            LogicalPlan::Sort(sort) => {
                let relation = match sort.fetch {
                    None => self.lower_whole(&sort.input)?,
                    Some(fetch) => self.top_k(&sort.expr, &sort.input, 0, Some(fetch as u64))?,
                };
                self.presented(relation, sort.input.schema(), &sort.expr)
            }
            LogicalPlan::Limit(limit) => {
                let relation = self.limit(limit)?;
                match sort_below(&limit.input) {
                    Some(Ordered { order, schema }) if same_columns(schema, limit.input.schema()) => {
                        self.presented(relation, schema, order)
                    }
                    _ => Ok((relation, Vec::new())),
                }
            }
            LogicalPlan::SubqueryAlias(alias) => self.top_level(&alias.input),
            LogicalPlan::Projection(projection) if sort_below(&projection.input).is_some() => {
                let (input, order) = self.top_level(&projection.input)?;
                self.projected(projection, input, &order)
            }
            other => Ok((self.lower_whole(other)?, Vec::new())),
        }
    }

    /// `relation` with the sort keys among its columns.
    fn presented(
        &self,
        mut relation: Relation,
        schema: &datafusion_common::DFSchema,
        order: &[SortExpr],
    ) -> Result<(Relation, Vec<SortKey>), SqlError> {
        let visible = relation.clone();
        let scope = self.scope(schema, &visible);
        let mut keys = Vec::with_capacity(order.len());
        for SortExpr { expr, asc, nulls_first } in order {
            let column = position(&mut relation.columns, scope.lower(expr)?);
            keys.push(SortKey { column, descending: !asc, nulls_first: *nulls_first });
        }
        Ok((relation, keys))
    }

    /// A projection above an order: what the order needs stays behind the visible columns.
    fn projected(
        &self,
        projection: &datafusion_expr::logical_plan::Projection,
        input: Relation,
        order: &[SortKey],
    ) -> Result<(Relation, Vec<SortKey>), SqlError> {
        let scope = self.scope(projection.input.schema(), &input);
        let mut columns = projection.expr.iter().map(|expr| scope.lower(expr)).collect::<Result<Vec<_>, _>>()?;
        let order = order
            .iter()
            .map(|key| SortKey { column: position(&mut columns, input.columns[key.column].clone()), ..*key })
            .collect();
        Ok((Relation { columns, ..input }, order))
    }

    pub(super) fn limit(&mut self, limit: &Limit) -> Result<Relation, SqlError> {
        let count = |expr: &Option<Box<PlanExpr>>| expr.as_ref().map(|expr| self.count(expr)).transpose();
        let (offset, fetch) = (count(&limit.skip)?.unwrap_or(0), count(&limit.fetch)?);
        self.limited(&limit.input, offset, fetch)
    }

    /// Finds the order that a limit stands on, through projections.
    fn limited(&mut self, input: &LogicalPlan, offset: u64, fetch: Option<u64>) -> Result<Relation, SqlError> {
        match input {
            LogicalPlan::Sort(sort) => {
                let fetch = match (fetch, sort.fetch) {
                    (Some(fetch), Some(inner)) => Some(fetch.min((inner as u64).saturating_sub(offset))),
                    (fetch, inner) => fetch.or(inner.map(|inner| (inner as u64).saturating_sub(offset))),
                };
                self.top_k(&sort.expr, &sort.input, offset, fetch)
            }
            LogicalPlan::Projection(projection) if sort_below(&projection.input).is_some() => {
                let relation = self.limited(&projection.input, offset, fetch)?;
                let scope = self.scope(projection.input.schema(), &relation);
                let columns = projection.expr.iter().map(|expr| scope.lower(expr)).collect::<Result<Vec<_>, _>>()?;
                Ok(Relation { columns, ..relation })
            }
            other => self.top_k(&[], other, offset, fetch),
        }
    }

    fn count(&self, expr: &PlanExpr) -> Result<u64, SqlError> {
        let value = match expr {
            PlanExpr::Literal(ScalarValue::Int64(Some(value)), _) => u64::try_from(*value).ok(),
            PlanExpr::Literal(ScalarValue::UInt64(Some(value)), _) => Some(*value),
            _ => None,
        };
        value.ok_or_else(|| {
            SqlError::new(Code::Query, self.position, format!("LIMIT and OFFSET must be non-negative integers, not {expr}"))
        })
    }

    /// The rows `offset .. offset + limit` of `input` in `order`.
    pub(super) fn top_k(
        &mut self,
        order: &[SortExpr],
        input: &LogicalPlan,
        offset: u64,
        limit: Option<u64>,
    ) -> Result<Relation, SqlError> {
        let relation = self.lower_whole(input)?;
        let width = relation.columns.len();
        let (relation, keys) = self.presented(relation, input.schema(), order)?;
        let node = self.node(relation)?;
        let node = self.builder.top_k(node, Vec::new(), keys, offset, limit, None).map_err(|error| self.internal(&error))?;
        let mut relation = self.relation_of(node);
        relation.columns.truncate(width);
        Ok(relation)
    }

    /// `Filter(row_number <= k)` over `row_number() OVER (..)`; `None` for any other filter.
    pub(super) fn numbered_top_k(
        &mut self,
        filter: &Filter,
        required: Option<&BTreeSet<usize>>,
    ) -> Result<Option<Relation>, SqlError> {
        let mut input = filter.input.as_ref();
        while let LogicalPlan::SubqueryAlias(alias) = input {
            input = &alias.input;
        }
        let LogicalPlan::Window(window) = input else { return Ok(None) };
        let Some(function) = row_number(window) else {
            return self.unsupported("a window function other than row_number() under a filter such as row_number <= 3");
        };
        let number = window.input.schema().fields().len();
        let schema = filter.input.schema();
        let conjuncts = split_conjunction(&filter.predicate);
        let bounds: Vec<Option<u64>> =
            conjuncts.iter().map(|conjunct| upper_bound(conjunct, |column| schema.maybe_index_of_column(column) == Some(number))).collect();
        let Some(limit) = bounds.iter().flatten().copied().min() else {
            return self.unsupported("row_number() without a filter that bounds it, such as row_number <= 3,");
        };
        let rest: Vec<&PlanExpr> =
            conjuncts.into_iter().zip(&bounds).filter(|(_, bound)| bound.is_none()).map(|(conjunct, _)| conjunct).collect();
        let reads_number = |expr: &PlanExpr| {
            expr.column_refs().into_iter().any(|column| schema.maybe_index_of_column(column) == Some(number))
        };
        let numbered = required.is_none_or(|required| required.contains(&number)) || rest.iter().any(|expr| reads_number(expr));
        let mut relation = self.numbered(window, function, limit, numbered)?;
        let scope = self.scope(schema, &relation);
        let predicates = rest.into_iter().map(|conjunct| scope.lower(conjunct)).collect::<Result<Vec<_>, _>>()?;
        relation.predicates.extend(predicates);
        Ok(Some(relation))
    }

    fn numbered(
        &mut self,
        window: &Window,
        function: &WindowFunction,
        limit: u64,
        numbered: bool,
    ) -> Result<Relation, SqlError> {
        let input = self.lower_whole(&window.input)?;
        let width = input.columns.len();
        let (mut input, keys) = self.presented(input, window.input.schema(), &function.params.order_by)?;
        let visible = Relation { columns: input.columns[..width].to_vec(), ..input.clone() };
        let scope = self.scope(window.input.schema(), &visible);
        let mut partition = Vec::with_capacity(function.params.partition_by.len());
        for expr in &function.params.partition_by {
            partition.push(position(&mut input.columns, scope.lower(expr)?));
        }
        let node = self.node(input)?;
        let name = numbered.then(|| "row_number".to_string());
        let node = self.builder.top_k(node, partition, keys, 0, Some(limit), name).map_err(|error| self.internal(&error))?;
        let mut relation = self.relation_of(node);
        // The plan has the number right behind the input's columns; nobody reads it if it is not computed.
        let number = match numbered {
            true => relation.columns.pop(),
            false => None,
        };
        relation.columns.truncate(width);
        relation.columns.push(number.unwrap_or(Expr::Literal(ScalarValue::UInt64(None))));
        Ok(relation)
    }
}

/// The position of `expr` among `columns`; it is added if it is none of them.
fn position(columns: &mut Vec<Expr>, expr: Expr) -> usize {
    columns.iter().position(|known| *known == expr).unwrap_or_else(|| {
        columns.push(expr);
        columns.len() - 1
    })
}

/// The order of a plan, if projections apart it is sorted.
struct Ordered<'p> {
    order: &'p [SortExpr],
    /// The columns that the order is over.
    schema: &'p datafusion_common::DFSchema,
}

fn sort_below(plan: &LogicalPlan) -> Option<Ordered<'_>> {
    match plan {
        LogicalPlan::Sort(sort) => Some(Ordered { order: &sort.expr, schema: sort.input.schema() }),
        LogicalPlan::Projection(projection) => sort_below(&projection.input),
        LogicalPlan::Limit(limit) => sort_below(&limit.input),
        _ => None,
    }
}

fn same_columns(a: &datafusion_common::DFSchema, b: &datafusion_common::DFSchema) -> bool {
    a.columns() == b.columns()
}

/// The one window function of a node, if it is `row_number()` without decoration.
fn row_number(window: &Window) -> Option<&WindowFunction> {
    let [expr] = window.window_expr.as_slice() else { return None };
    let expr = match expr {
        PlanExpr::Alias(alias) => alias.expr.as_ref(),
        expr => expr,
    };
    let PlanExpr::WindowFunction(function) = expr else { return None };
    let WindowFunctionDefinition::WindowUDF(udf) = &function.fun else { return None };
    let plain = function.params.args.is_empty() && function.params.filter.is_none() && !function.params.distinct;
    (udf.name() == "row_number" && plain).then_some(function)
}

/// `k` of `number <= k`, `number < k + 1`, `number = 1` and their mirror images.
fn upper_bound(conjunct: &PlanExpr, is_number: impl Fn(&datafusion_common::Column) -> bool) -> Option<u64> {
    let PlanExpr::BinaryExpr(BinaryExpr { left, op, right }) = conjunct else { return None };
    let is_number = |expr: &PlanExpr| matches!(uncast(expr), PlanExpr::Column(column) if is_number(column));
    let (op, bound) = match (is_number(left), is_number(right)) {
        (true, false) => (*op, integer(right)?),
        (false, true) => (op.swap()?, integer(left)?),
        _ => return None,
    };
    match op {
        Operator::LtEq => Some(bound),
        Operator::Lt => Some(bound.saturating_sub(1)),
        Operator::Eq if bound <= 1 => Some(bound),
        _ => None,
    }
}

fn uncast(expr: &PlanExpr) -> &PlanExpr {
    match expr {
        PlanExpr::Cast(cast) => uncast(&cast.expr),
        PlanExpr::Alias(alias) => uncast(&alias.expr),
        expr => expr,
    }
}

/// A constant count; negative ones bound to nothing.
fn integer(expr: &PlanExpr) -> Option<u64> {
    let PlanExpr::Literal(value, _) = uncast(expr) else { return None };
    match value.cast_to(&arrow::datatypes::DataType::Int64).ok()? {
        ScalarValue::Int64(Some(value)) => Some(u64::try_from(value).unwrap_or(0)),
        _ => None,
    }
}
