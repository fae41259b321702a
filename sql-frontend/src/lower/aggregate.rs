//! GROUP BY and aggregates: what they are computed from is projected first, so that the operator deals with columns only.
//!
//! The analyzer casts arguments to the type that DataFusion's own accumulators want. Sums and averages of integers need no such cast here,
//! and must not have it: `avg(CAST(x AS DOUBLE))` of a large integer would round before it adds.

use std::sync::Arc;

use arrow::array::{ArrayRef, new_empty_array};
use arrow::datatypes::DataType;
use datafusion_common::{DFSchema, DataFusionError, Result, ScalarValue};
use datafusion_expr::expr::{AggregateFunction as PlanAggregate, NullTreatment, WindowFunctionParams};
use datafusion_expr::{Aggregate, AggregateUDF, Expr as PlanExpr, ExprSchemable};
use deltic_circuit::aggregate::finish_group;
use deltic_circuit::{AggregateCall, AggregateFunction, Expr, Moment, SortKey};

use super::expr::{column_type, fold, lower_expression};
use super::partial::Grouping;
use super::piped::{Piped, inner_name};
use super::{Lower, Lowering};
use crate::SqlError;
use crate::error::Code;
use crate::plan::{Key, take_order};

/// The calls of an aggregation.
pub(super) struct Calls<'a> {
    /// With places among the arguments instead of columns.
    calls: Vec<(String, AggregateCall)>,
    /// What they are computed from: arguments, orders and filters.
    pub(super) arguments: Vec<&'a PlanExpr>,
}

impl<'a> Calls<'a> {
    pub(super) fn of(aggregate: &'a Aggregate) -> Lower<Self> {
        let mut calls = Calls { calls: Vec::new(), arguments: Vec::new() };
        // Grouping sets have a column more than keys.
        let fields = aggregate.schema.fields().iter().skip(aggregate.schema.fields().len() - aggregate.aggr_expr.len());
        for (expr, field) in aggregate.aggr_expr.iter().zip(fields) {
            let call = calls.call(Written::of(expr)?, column_type(field.data_type())?, aggregate.input.schema())?;
            calls.calls.push((inner_name(field.name()), call));
        }
        Ok(calls)
    }

    /// The call of an aggregate over a window.
    pub(super) fn of_window(
        function: &'a Arc<AggregateUDF>,
        params: &'a WindowFunctionParams,
        data_type: DataType,
        schema: &DFSchema,
    ) -> Lower<Self> {
        let WindowFunctionParams { args, distinct, null_treatment, .. } = params;
        let (filter, order) = take_order(params.filter.as_deref());
        let written = Written { function, args, distinct: *distinct, order, filter, null_treatment: *null_treatment };
        let mut calls = Calls { calls: Vec::new(), arguments: Vec::new() };
        let call = calls.call(written, data_type, schema)?;
        calls.calls.push((String::new(), call));
        Ok(calls)
    }

    /// Whether a session keeps what all calls need.
    pub(super) fn are_mergeable(&self) -> bool {
        self.calls.iter().all(|(_, call)| call.is_mergeable())
    }

    /// Takes away the casts of `lowered`, the arguments, that sums, averages and what is computed like them do not need.
    pub(super) fn strip_casts(&self, lowered: &mut [Expr]) {
        use AggregateFunction::{Avg, Median, Moment, PercentileCont, Sum};
        for (_, call) in &self.calls {
            let exact = matches!(call.function, Moment(_) | PercentileCont);
            if exact || matches!(call.function, Sum | Avg | Median) {
                call.arguments.iter().for_each(|&argument| strip_cast(&mut lowered[argument], exact));
            }
        }
    }

    /// The calls over columns, where `positions` are those of the arguments.
    pub(super) fn made(self, positions: &[usize]) -> Lower<Vec<(String, AggregateCall)>> {
        self.calls.into_iter().map(|(name, call)| Ok((name, placed(call, positions)?))).collect()
    }

    /// The only call, with places from `begin` on.
    pub(super) fn into_only(mut self, begin: usize) -> Option<AggregateCall> {
        let (_, mut call) = self.calls.pop()?;
        move_columns(&mut call, |place| place + begin);
        Some(call)
    }

    fn push(&mut self, expr: &'a PlanExpr) -> usize {
        self.arguments.push(expr);
        self.arguments.len() - 1
    }

    fn call(&mut self, written: Written<'a>, data_type: DataType, schema: &DFSchema) -> Lower<AggregateCall> {
        let Written { function: func, args, distinct, order, filter, null_treatment } = written;
        let unsupported = |what: String| SqlError::nowhere(Code::Unsupported, format!("{what} is not supported"));
        let function = function_of(func);
        let is_star = |args: &[PlanExpr]| matches!(args, [PlanExpr::Literal(value, _)] if !value.is_null());
        let arguments: Vec<&PlanExpr> = match function {
            // count(*) is the count of a literal.
            AggregateFunction::Count if is_star(args) && !distinct => Vec::new(),
            _ => args.iter().collect(),
        };
        let values = values(&function, &arguments, schema)?;
        if values > arguments.len() {
            return Err(unsupported(format!("{} with {} arguments", func.name(), arguments.len())));
        }
        let (arguments, constants) = arguments.split_at(values);
        let mut call = AggregateCall::new(function, [], data_type);
        call.parameters = parameters(&call.function, func.name(), constants, schema)?;
        call.arguments = arguments.iter().map(|expr| self.push(expr)).collect();
        if matches!(call.function, AggregateFunction::Other(_)) {
            let types = arguments.iter().map(|expr| Ok(lower_expression(expr, schema)?.data_type()));
            // Constants that it does not take are refused before there are any rows.
            try_out(&call, &types.collect::<Lower<Vec<_>>>()?)?;
        }
        let chosen_by_argument = matches!(call.function, AggregateFunction::ArgMin | AggregateFunction::ArgMax);
        if !order.is_empty() && chosen_by_argument {
            return Err(unsupported(format!("ORDER BY in {}", func.name())));
        }
        // The others see the rows in no order.
        if call.function.is_ordered() {
            let key = |(key, descending, nulls_first): Key<'a>| SortKey { column: self.push(key), descending, nulls_first };
            call.order = order.into_iter().map(key).collect();
        }
        call.filter = filter.map(|filter| self.push(filter));
        call.ignore_nulls = func.name() == ANY_VALUE || null_treatment == Some(NullTreatment::IgnoreNulls);
        // MIN and MAX of a set are those of the multiset.
        let extreme = matches!(call.function, AggregateFunction::Min | AggregateFunction::Max);
        call.distinct = distinct && !extreme || func.name() == APPROX_DISTINCT;
        Ok(call)
    }
}

/// An aggregate as the plan has it.
struct Written<'a> {
    function: &'a Arc<AggregateUDF>,
    args: &'a [PlanExpr],
    distinct: bool,
    order: Vec<Key<'a>>,
    filter: Option<&'a PlanExpr>,
    null_treatment: Option<NullTreatment>,
}

impl<'a> Written<'a> {
    fn of(expr: &'a PlanExpr) -> Lower<Self> {
        let PlanExpr::AggregateFunction(PlanAggregate { func, params }) = expr.unaliased() else {
            return Err(SqlError::nowhere(Code::Unsupported, format!("the aggregate {expr} is not supported")));
        };
        Ok(Written {
            function: func,
            args: &params.args,
            distinct: params.distinct,
            order: params.order_by.iter().map(|key| (&key.expr, !key.asc, key.nulls_first)).collect(),
            filter: params.filter.as_deref(),
            null_treatment: params.null_treatment,
        })
    }
}

/// `call` with `to` of each column instead of it.
pub(super) fn move_columns(call: &mut AggregateCall, to: impl Fn(usize) -> usize) {
    let moved = |column: &mut usize| *column = to(*column);
    call.arguments.iter_mut().for_each(moved);
    call.order.iter_mut().for_each(|key| moved(&mut key.column));
    call.filter.iter_mut().for_each(moved);
}

/// `call` over columns, where `positions` are those of its arguments.
pub(super) fn placed(mut call: AggregateCall, positions: &[usize]) -> Lower<AggregateCall> {
    move_columns(&mut call, |place| positions[place]);
    // What stands twice in an order decides once.
    let mut order: Vec<SortKey> = Vec::new();
    for key in call.order.drain(..) {
        if order.iter().all(|known| known.column != key.column) {
            order.push(key);
        }
    }
    if call.distinct && order.iter().any(|key| !call.arguments.contains(&key.column)) {
        let what = format!("{} with DISTINCT can be ordered by its arguments only", call.function.name());
        return Err(SqlError::nowhere(Code::Query, what));
    }
    call.order = order;
    Ok(call)
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
        let grouping = Grouping { groups: &groups, calls: &calls.calls, arguments: &lowered[group_width..] };
        if let Some(groups) = self.aggregated_below(&input, &grouping)? {
            return Ok(groups);
        }
        let (input, positions) = self.arguments(input, groups, lowered)?;
        let aggregates = calls.made(&positions[group_width..])?;
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

/// Any value will do: the first in order, which is a function of the rows.
const ANY_VALUE: &str = "any_value";
/// The exact number is an approximation too, and right when rows are deleted.
const APPROX_DISTINCT: &str = "approx_distinct";

/// A function of the binder as one of the circuit.
fn function_of(function: &Arc<AggregateUDF>) -> AggregateFunction {
    match function.name() {
        "var" => AggregateFunction::Moment(Moment::VarSamp),
        "stddev" => AggregateFunction::Moment(Moment::StddevSamp),
        "regr_count" | APPROX_DISTINCT => AggregateFunction::Count,
        ANY_VALUE => AggregateFunction::FirstValue,
        name => AggregateFunction::named(name).unwrap_or_else(|| AggregateFunction::Other(function.clone())),
    }
}

/// How many of the arguments are values of the rows: the others are constants.
fn values(function: &AggregateFunction, arguments: &[&PlanExpr], schema: &DFSchema) -> Lower<usize> {
    use AggregateFunction::{ArgMax, ArgMin, Count, JsonObjectAgg, JsonbObjectAgg, MapAgg, Moment, Other};
    Ok(match function {
        Count => arguments.len(),
        Moment(moment) => moment.arity(),
        ArgMin | ArgMax | JsonObjectAgg | JsonbObjectAgg | MapAgg => 2,
        Other(_) => {
            let lowered = arguments.iter().map(|argument| lower_expression(argument, schema)).collect::<Lower<Vec<_>>>()?;
            lowered.iter().rposition(|argument| argument.as_literal().is_none()).map_or(1, |last| last + 1)
        }
        _ => 1,
    })
}

/// The constant arguments in the types that the function wants.
fn parameters(function: &AggregateFunction, name: &str, constants: &[&PlanExpr], schema: &DFSchema) -> Lower<Vec<ScalarValue>> {
    use AggregateFunction::{NthValue, Other, PercentileCont, PercentileDisc, StringAgg};
    let (wanted, what, is_valid): (_, _, fn(&ScalarValue) -> bool) = match function {
        PercentileCont | PercentileDisc => {
            let is_fraction =
                |value: &ScalarValue| matches!(value, ScalarValue::Float64(Some(fraction)) if (0.0..=1.0).contains(fraction));
            (Some(DataType::Float64), "a number from 0 to 1", is_fraction)
        }
        NthValue => {
            let is_place = |value: &ScalarValue| matches!(value, ScalarValue::Int64(Some(place)) if *place != 0);
            (Some(DataType::Int64), "a number that is not 0", is_place)
        }
        StringAgg => (Some(DataType::Utf8), "a text", |_| true),
        _ => (None, "a constant", |_| true),
    };
    let expected = match function {
        Other(_) => constants.len(),
        _ => usize::from(wanted.is_some()),
    };
    if constants.len() != expected {
        let message = format!("{name} has {} constant argument(s), not {}", expected, constants.len());
        return Err(SqlError::nowhere(Code::Query, message));
    }
    let constant = |expr: &&PlanExpr| {
        let lowered = lower_expression(expr, schema)?;
        let lowered = wanted.iter().fold(lowered, |lowered, wanted| fold(lowered.cast(wanted.clone())));
        lowered.as_literal().filter(|value| is_valid(value)).cloned().ok_or_else(|| {
            let message = format!("the argument {expr} of {name} must be {what}, the same for all rows");
            SqlError::nowhere(Code::Query, message)
        })
    };
    constants.iter().map(constant).collect()
}

/// Applies a function of DataFusion to no rows.
fn try_out(call: &AggregateCall, types: &[DataType]) -> Lower<ScalarValue> {
    let columns: Vec<ArrayRef> = types.iter().map(new_empty_array).collect();
    finish_group(call, &columns, &[]).map_err(|error| SqlError::nowhere(Code::Query, error.message))
}

/// The value of `call` over no rows; its result is of type `data_type`.
pub(crate) fn value_of_no_rows(call: &PlanAggregate, data_type: &DataType, schema: &DFSchema) -> Result<ScalarValue> {
    let function = function_of(&call.func);
    if !matches!(function, AggregateFunction::Other(_)) {
        return call.func.default_value(data_type);
    }
    let args = &call.params.args;
    let is_constant = |expr: &PlanExpr| matches!(expr, PlanExpr::Literal(..));
    let values = args.iter().rposition(|expr| !is_constant(expr)).map_or(1, |last| last + 1).min(args.len());
    let external = |error: SqlError| DataFusionError::External(Box::new(error));
    let column_type = |data_type: &DataType| column_type(data_type).map_err(external);
    let types = args[..values].iter().map(|expr| column_type(&expr.get_type(schema)?)).collect::<Result<Vec<_>>>()?;
    let mut made = AggregateCall::new(function, 0..values, column_type(data_type)?);
    let constants = args[values..].iter();
    made.parameters =
        constants.filter_map(|expr| if let PlanExpr::Literal(value, _) = expr { Some(value.clone()) } else { None }).collect();
    try_out(&made, &types).map_err(external)
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

/// Takes away a cast that loses nothing, or, if the function is `exact` in any number, one to a float that would.
fn strip_cast(expr: &mut Expr, exact: bool) {
    let Expr::Cast { input, data_type, safe: false } = expr else { return };
    let to_float = data_type == &DataType::Float64;
    let from = input.data_type();
    let widens = to_float || data_type.is_integer() && data_type.primitive_width() >= from.primitive_width();
    if from.is_integer() && widens || exact && to_float && matches!(from, DataType::Decimal128(..)) {
        *expr = std::mem::replace(input.as_mut(), Expr::Literal(ScalarValue::Null));
    }
}
