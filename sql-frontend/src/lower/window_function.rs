//! Window functions: calls with one partition and order are one WindowFrame, several windows are a chain of them.
//!
//! What partitions, orders and arguments are computed from is projected first, as for aggregates. The rows keep their columns in front, so each
//! node of the chain finds them where the first one did.

use arrow::datatypes::{DataType, IntervalMonthDayNano};
use datafusion_common::ScalarValue;
use datafusion_expr::expr::{NullTreatment, WindowFunctionParams};
use datafusion_expr::{
    Expr as PlanExpr, SortExpr, Window, WindowFrame as PlanFrame, WindowFrameBound, WindowFrameUnits, WindowFunctionDefinition,
};
use deltic_circuit::frame::{
    Exclusion, Frame, FrameOffset, FramePlace, FrameUnits, WindowCall, WindowFunction, has_calendar, range_unit,
};
use deltic_circuit::{Expr, NodeId};

use super::aggregate::{self, Calls};
use super::expr::{column_type, lower_expression};
use super::piped::{Piped, inner_name};
use super::row_number::integer;
use super::{Lower, Lowering, circuit_error};
use crate::SqlError;
use crate::error::Code;
use crate::plan::{exclusion_of, interval_micros};

/// A call of a Window node.
struct Call<'a> {
    function: &'a WindowFunctionDefinition,
    params: &'a WindowFunctionParams,
    data_type: DataType,
    name: String,
}

impl Lowering {
    /// The rows of `window` with the results of its functions.
    pub(super) fn window_functions(&mut self, window: &Window) -> Lower<Piped> {
        let input = self.piped(&window.input)?;
        let node = self.materialise(input)?;
        self.window_functions_over(window, node)
    }

    /// [`Lowering::window_functions`], where `node` has the rows of the input, perhaps with further columns behind.
    pub(super) fn window_functions_over(&mut self, window: &Window, node: NodeId) -> Lower<Piped> {
        let width = window.input.schema().fields().len();
        let calls = calls(window)?;
        let mut node = node;
        let mut results: Vec<Option<usize>> = vec![None; calls.len()];
        while let Some(first) = results.iter().position(Option::is_none) {
            let params = calls[first].params;
            let same = |params: &WindowFunctionParams, other: &WindowFunctionParams| {
                params.partition_by == other.partition_by && params.order_by == other.order_by
            };
            let together: Vec<usize> = (first..calls.len()).filter(|&call| same(calls[call].params, params)).collect();
            let of_window: Vec<&Call<'_>> = together.iter().map(|&call| &calls[call]).collect();
            node = self.one_window(window, node, &of_window)?;
            let begin = self.builder.schema(node).fields().len() - together.len();
            together.iter().enumerate().for_each(|(place, &call)| results[call] = Some(begin + place));
        }
        let columns = self.columns_of(node);
        let outputs = (0..width).chain(results.into_iter().flatten()).map(|column| columns[column].clone());
        Ok(Piped::columns(node, outputs.collect()))
    }

    /// The functions of one window, over `node`, whose first columns are those of the input.
    fn one_window(&mut self, window: &Window, node: NodeId, calls: &[&Call<'_>]) -> Lower<NodeId> {
        let schema = window.input.schema();
        let params = calls[0].params;
        let exclude = params.partition_by.iter().find_map(exclusion_of).unwrap_or_default();
        let partition: Vec<PlanExpr> = params.partition_by.iter().filter(|key| exclusion_of(key).is_none()).cloned().collect();
        let (node, columns, _) = self.order_columns(Piped::node(node), &params.order_by, &partition, schema)?;
        let mut arguments: Vec<Expr> = Vec::new();
        let mut made: Vec<(String, WindowCall)> = Vec::new();
        for call in calls {
            let begin = arguments.len();
            let lowered = |expr: &PlanExpr| lower_expression(expr, schema);
            let order = self.order_type(&params.order_by, &columns.keys, node);
            let frame = || Ok(Frame { exclude, ..frame(&call.params.window_frame, order.as_ref())? });
            let (function, own) = match call.function {
                WindowFunctionDefinition::AggregateUDF(aggregate) => {
                    let calls = Calls::of_window(aggregate, call.params, call.data_type.clone(), schema)?;
                    let mut own = calls.arguments.iter().copied().map(lowered).collect::<Lower<Vec<Expr>>>()?;
                    calls.strip_casts(&mut own);
                    let only = calls.into_only(begin);
                    let aggregate = only.ok_or_else(|| SqlError::nowhere(Code::Internal, "an aggregate without a call"))?;
                    (WindowFunction::Aggregate { call: aggregate, frame: frame()? }, own)
                }
                WindowFunctionDefinition::WindowUDF(window) => {
                    let mut own = call.params.args.iter().map(lowered).collect::<Lower<Vec<Expr>>>()?;
                    (function(call, window.name(), &mut own, begin, frame)?, own)
                }
            };
            arguments.extend(own);
            made.push((call.name.clone(), WindowCall { function, data_type: call.data_type.clone() }));
        }
        let (node, positions, _) = self.with_columns(Piped::node(node), arguments)?;
        let made = made.into_iter().map(|(name, call)| Ok((name, placed(call, &positions)?))).collect::<Lower<_>>()?;
        self.builder.window_frame(node, columns.partition, columns.keys, made).map_err(|error| circuit_error(&error))
    }

    /// The type of the only column that is ordered by.
    fn order_type(&self, order: &[SortExpr], keys: &[deltic_circuit::SortKey], node: NodeId) -> Option<DataType> {
        match (order, keys) {
            ([_], [key]) => Some(self.builder.schema(node).field(key.column).data_type().clone()),
            _ => None,
        }
    }
}

fn calls(window: &Window) -> Lower<Vec<Call<'_>>> {
    let fields = window.schema.fields().iter().skip(window.input.schema().fields().len());
    let calls = window.window_expr.iter().zip(fields).map(|(expr, field)| {
        let mut expr = expr;
        while let PlanExpr::Alias(alias) = expr {
            expr = &alias.expr;
        }
        let PlanExpr::WindowFunction(function) = expr else {
            return Err(SqlError::nowhere(Code::Internal, format!("{expr} is no window function")));
        };
        let data_type = column_type(field.data_type())?;
        Ok(Call { function: &function.fun, params: &function.params, data_type, name: inner_name(field.name()) })
    });
    calls.collect()
}

/// The function `name` of a call, with `begin` as the place of its first argument. What is no column of it is taken out of `arguments`.
fn function(
    call: &Call<'_>,
    name: &str,
    arguments: &mut Vec<Expr>,
    begin: usize,
    frame: impl Fn() -> Lower<Frame>,
) -> Lower<WindowFunction> {
    let ignore_nulls = call.params.null_treatment == Some(NullTreatment::IgnoreNulls);
    let mut constants = arguments.split_off(arguments.len().min(usize::from(has_argument(name)))).into_iter();
    let mut whole = |what: &str, default: i64| match constants.next() {
        None => Ok(default),
        Some(expr) => constant(&expr)
            .as_ref()
            .and_then(integer)
            .and_then(|number| i64::try_from(number).ok())
            .ok_or_else(|| SqlError::nowhere(Code::Query, format!("the {what} of {name}() must be a constant whole number"))),
    };
    let positive = |what: &str, number: i64| {
        let message = format!("the {what} of {name}() must be greater than 0, not {number}");
        u64::try_from(number).ok().filter(|number| *number > 0).ok_or_else(|| SqlError::nowhere(Code::Query, message))
    };
    let value = |place: FramePlace| Ok(WindowFunction::Value { argument: begin, place, frame: frame()?, ignore_nulls });
    match name {
        "row_number" => Ok(WindowFunction::RowNumber),
        "rank" => Ok(WindowFunction::Rank),
        "dense_rank" => Ok(WindowFunction::DenseRank),
        "percent_rank" => Ok(WindowFunction::PercentRank),
        "cume_dist" => Ok(WindowFunction::CumeDist),
        "ntile" => Ok(WindowFunction::Ntile { buckets: positive("number", whole("number of buckets", 0)?)? }),
        "lag" | "lead" => {
            let offset = whole("offset", 1)?;
            let offset = if name == "lead" { offset.checked_neg() } else { Some(offset) };
            let offset = offset.ok_or_else(|| SqlError::nowhere(Code::Query, format!("the offset of {name}() is too far")))?;
            let default = match constants.next() {
                None => ScalarValue::try_from(&call.data_type).ok(),
                Some(expr) => constant(&expr).and_then(|default| default.cast_to(&call.data_type).ok()),
            };
            let default = default.ok_or_else(|| {
                SqlError::nowhere(Code::Query, format!("the default of {name}() must be a constant of the type of its argument"))
            })?;
            Ok(WindowFunction::Lag { argument: begin, offset, default, ignore_nulls })
        }
        "first_value" => value(FramePlace::First),
        "last_value" => value(FramePlace::Last),
        "nth_value" => {
            let number = whole("number", 1)?;
            value(FramePlace::Nth(positive("number", number)?))
        }
        other => Err(SqlError::nowhere(Code::Unsupported, format!("the window function {other} is not supported"))),
    }
}

fn has_argument(name: &str) -> bool {
    matches!(name, "lag" | "lead" | "first_value" | "last_value" | "nth_value")
}

fn constant(expr: &Expr) -> Option<ScalarValue> {
    super::fold(expr.clone()).as_literal().cloned()
}

/// A call over columns, where `positions` are those of the arguments.
fn placed(mut call: WindowCall, positions: &[usize]) -> Lower<WindowCall> {
    match &mut call.function {
        WindowFunction::Lag { argument, .. } | WindowFunction::Value { argument, .. } => *argument = positions[*argument],
        WindowFunction::Aggregate { call, .. } => *call = aggregate::placed(call.clone(), positions)?,
        _ => {}
    }
    Ok(call)
}

/// A frame over an order by one column of type `order`, or by another number of columns.
fn frame(frame: &PlanFrame, order: Option<&DataType>) -> Lower<Frame> {
    let units = match frame.units {
        WindowFrameUnits::Rows => FrameUnits::Rows,
        WindowFrameUnits::Groups => FrameUnits::Groups,
        WindowFrameUnits::Range => FrameUnits::Range,
    };
    let bound = |bound: &WindowFrameBound| match bound {
        WindowFrameBound::CurrentRow => Ok(Some(FrameOffset::CURRENT)),
        WindowFrameBound::Preceding(value) | WindowFrameBound::Following(value) if value.is_null() => Ok(None),
        WindowFrameBound::Preceding(value) => Ok(Some(distance(value, units, order)?.reversed())),
        WindowFrameBound::Following(value) => distance(value, units, order).map(Some),
    };
    Ok(Frame { units, start: bound(&frame.start_bound)?, end: bound(&frame.end_bound)?, exclude: Exclusion::NoOthers })
}

/// How far a bound is away.
fn distance(value: &ScalarValue, units: FrameUnits, order: Option<&DataType>) -> Lower<FrameOffset> {
    let error = |message: String| SqlError::nowhere(Code::Query, message);
    let wrong = || error(format!("{value} is no distance for a frame"));
    if units != FrameUnits::Range {
        return integer(value).map(FrameOffset::Exact).ok_or_else(wrong);
    }
    let Some(order) = order else {
        return Err(error("RANGE with an offset needs an ORDER BY of one column".to_string()));
    };
    let offset = match (value, order) {
        (value, DataType::Float64) => match value.cast_to(&DataType::Float64) {
            Ok(ScalarValue::Float64(Some(offset))) if offset.is_finite() => FrameOffset::float(offset),
            _ => return Err(wrong()),
        },
        (ScalarValue::IntervalMonthDayNano(Some(interval)), order) if interval.months != 0 && has_calendar(order) => {
            let rest = IntervalMonthDayNano { months: 0, ..*interval };
            let micros = interval_micros(rest).map_err(|problem| error(format!("the offset of RANGE {problem}")))?;
            // Which way it leads must not depend on the month.
            if (interval.months < 0) != (micros < 0) && micros != 0 {
                return Err(error(format!("the months and the days of the offset {value} have different signs")));
            }
            FrameOffset::Calendar { months: interval.months, micros }
        }
        (ScalarValue::IntervalMonthDayNano(Some(interval)), order) if range_unit(order).is_some() => {
            let micros = interval_micros(*interval).map_err(|problem| error(format!("the offset of RANGE {problem}")))?;
            FrameOffset::Exact(i128::from(micros))
        }
        (ScalarValue::Decimal128(Some(digits), _, scale), DataType::Decimal128(_, of_order)) if scale == of_order => {
            FrameOffset::Exact(*digits)
        }
        (value, order) if order.is_integer() => FrameOffset::Exact(integer(value).ok_or_else(wrong)?),
        (_, order) => {
            let message = format!("RANGE with an offset over an order by {order} is not supported");
            return Err(SqlError::nowhere(Code::Unsupported, message).with_hint("order by a number, a date or a timestamp"));
        }
    };
    let negative = match offset {
        FrameOffset::Exact(offset) => offset < 0,
        FrameOffset::Float(bits) => f64::from_bits(bits) < 0.0,
        FrameOffset::Calendar { months, .. } => months < 0,
    };
    if negative { Err(error(format!("the offset of a frame must not be negative: {value}"))) } else { Ok(offset) }
}
