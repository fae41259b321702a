//! GROUP BY and aggregates: what they are computed from is projected first, so that the operator deals with columns only.
//!
//! The analyzer casts arguments to the type that DataFusion's own accumulators want. Sums and averages of integers need no such cast here,
//! and must not have it: `avg(CAST(x AS DOUBLE))` of a large integer would round before it adds.

use arrow::datatypes::DataType;
use datafusion_common::ScalarValue;
use datafusion_expr::expr::AggregateFunction as PlanAggregate;
use datafusion_expr::{Aggregate, Expr as PlanExpr};
use deltic_circuit::{AggregateCall, AggregateFunction, Expr};

use super::expr::column_type;
use super::piped::{Piped, inner_name};
use super::{Lower, Lowering};
use crate::SqlError;
use crate::error::Code;

/// The calls of an aggregation.
pub(super) struct Calls<'a> {
    calls: Vec<Call>,
    /// What they are computed from: arguments and filters.
    pub(super) arguments: Vec<&'a PlanExpr>,
}

/// An aggregate with places among the arguments.
struct Call {
    function: AggregateFunction,
    argument: Option<usize>,
    distinct: bool,
    filter: Option<usize>,
    data_type: DataType,
    name: String,
}

impl<'a> Calls<'a> {
    pub(super) fn of(aggregate: &'a Aggregate) -> Lower<Self> {
        let mut arguments = Vec::new();
        // Grouping sets have a column more than keys.
        let fields = aggregate.schema.fields().iter().skip(aggregate.schema.fields().len() - aggregate.aggr_expr.len());
        let calls = aggregate.aggr_expr.iter().zip(fields);
        let calls = calls.map(|(expr, field)| call(expr, column_type(field.data_type())?, field.name(), &mut arguments));
        Ok(Calls { calls: calls.collect::<Lower<Vec<_>>>()?, arguments })
    }

    pub(super) fn has_distinct(&self) -> bool {
        self.calls.iter().any(|call| call.distinct)
    }

    /// Takes away the casts of `lowered`, the arguments, that sums and averages do not need.
    pub(super) fn strip_casts(&self, lowered: &mut [Expr]) {
        for call in &self.calls {
            if let Some(argument) = call.argument
                && matches!(call.function, AggregateFunction::Sum | AggregateFunction::Avg)
            {
                strip_integer_cast(&mut lowered[argument]);
            }
        }
    }

    /// The calls over columns, where `positions` are those of the arguments.
    pub(super) fn made(self, positions: &[usize]) -> Vec<(String, AggregateCall)> {
        let made = self.calls.into_iter().map(|call| {
            let place = |index: usize| positions[index];
            let made = AggregateCall {
                function: call.function,
                argument: call.argument.map(place),
                distinct: call.distinct,
                filter: call.filter.map(place),
                data_type: call.data_type,
            };
            (call.name, made)
        });
        made.collect()
    }
}

impl Lowering {
    pub(super) fn aggregate(&mut self, aggregate: &Aggregate) -> Lower<Piped> {
        if let [PlanExpr::GroupingSet(sets)] = aggregate.group_expr.as_slice() {
            return self.grouping_sets(aggregate, sets);
        }
        if let Some(sessions) = self.session_aggregates(aggregate)? {
            return Ok(sessions);
        }
        let calls = Calls::of(aggregate)?;
        let group_width = aggregate.group_expr.len();
        let exprs: Vec<&PlanExpr> = aggregate.group_expr.iter().chain(calls.arguments.iter().copied()).collect();
        let input = self.piped(&aggregate.input)?;
        let (input, mut lowered) = self.lower_over(input, &exprs, aggregate.input.schema())?;
        calls.strip_casts(&mut lowered[group_width..]);
        let group_names = aggregate.schema.fields().iter().take(group_width).map(|field| inner_name(field.name()));
        let groups: Vec<(String, Expr)> = group_names.zip(lowered.iter().cloned()).collect();
        if calls.calls.is_empty() && group_width > 0 {
            let rows = self.only_columns(input, groups);
            let rows = self.materialise(rows)?;
            return self.built(|builder| builder.distinct(rows));
        }
        let (input, positions) = self.arguments(input, groups, lowered)?;
        let aggregates = calls.made(&positions[group_width..]);
        self.built(|builder| builder.aggregate(input, positions[..group_width].to_vec(), aggregates))
    }

    /// The node with the columns that groups and aggregates need, and where each is. Columns of the input stay where they are.
    pub(super) fn arguments(
        &mut self,
        input: Piped,
        groups: Vec<(String, Expr)>,
        exprs: Vec<Expr>,
    ) -> Lower<(deltic_circuit::NodeId, Vec<usize>)> {
        if !self.waits(&input) && exprs.iter().all(|expr| expr.as_column().is_some()) {
            let positions = exprs.iter().filter_map(Expr::as_column).collect();
            return Ok((self.materialise(input)?, positions));
        }
        let mut outputs = groups;
        let mut positions: Vec<usize> = (0..outputs.len()).collect();
        for expr in exprs.into_iter().skip(positions.len()) {
            let known = outputs.iter().position(|(_, output)| *output == expr);
            positions.push(known.unwrap_or_else(|| {
                outputs.push((format!("__argument_{}", outputs.len()), expr));
                outputs.len() - 1
            }));
        }
        let narrowed = self.only_columns(input, outputs);
        Ok((self.materialise(narrowed)?, positions))
    }
}

fn call<'a>(expr: &'a PlanExpr, data_type: DataType, name: &str, exprs: &mut Vec<&'a PlanExpr>) -> Lower<Call> {
    let unsupported = |what: String| SqlError::nowhere(Code::Unsupported, format!("{what} is not supported"));
    let PlanExpr::AggregateFunction(PlanAggregate { func, params }) = expr.unaliased() else {
        return Err(unsupported(format!("the aggregate {expr}")));
    };
    let function = match func.name() {
        "count" => AggregateFunction::Count,
        "sum" => AggregateFunction::Sum,
        "avg" => AggregateFunction::Avg,
        "min" => AggregateFunction::Min,
        "max" => AggregateFunction::Max,
        other => return Err(unsupported(format!("the aggregate {other}"))),
    };
    if !params.order_by.is_empty() || params.null_treatment.is_some() {
        return Err(unsupported(format!("ORDER BY or IGNORE NULLS in {}", func.name())));
    }
    let mut push = |expr: &'a PlanExpr| {
        exprs.push(expr);
        exprs.len() - 1
    };
    let argument = match params.args.as_slice() {
        // count(*) is the count of a literal.
        [PlanExpr::Literal(value, _)] if function == AggregateFunction::Count && !value.is_null() && !params.distinct => None,
        [argument] => Some(push(argument)),
        _ => return Err(unsupported(format!("{} with several arguments", func.name()))),
    };
    let filter = params.filter.as_deref().map(push);
    // MIN and MAX of a set are those of the multiset.
    let distinct = params.distinct && !matches!(function, AggregateFunction::Min | AggregateFunction::Max);
    Ok(Call { function, argument, distinct, filter, data_type, name: inner_name(name) })
}

trait Unaliased {
    /// The expression below its aliases.
    fn unaliased(&self) -> &PlanExpr;
}

impl Unaliased for PlanExpr {
    fn unaliased(&self) -> &PlanExpr {
        let mut expr = self;
        while let PlanExpr::Alias(alias) = expr {
            expr = &alias.expr;
        }
        expr
    }
}

fn strip_integer_cast(expr: &mut Expr) {
    if let Expr::Cast { input, data_type, safe: false } = expr
        && input.data_type().is_integer()
        && (data_type.is_integer() || data_type == &DataType::Float64)
    {
        let widens = data_type == &DataType::Float64 || data_type.primitive_width() >= input.data_type().primitive_width();
        if widens {
            *expr = std::mem::replace(input.as_mut(), Expr::Literal(ScalarValue::Null));
        }
    }
}
