//! Event times and closings of a node's columns ([`crate::time`]).
//!
//! The rules follow *changes*: a column keeps its event time only if every change of the output has, in that column, a time that a
//! change of some input had, give or take a constant. A join breaks that (a late change on one side brings old rows of the other along) unless the
//! column is tied to the other side's time by the join condition; a session breaks it for its start, which a new row leaves in the past.

use arrow::datatypes::{DataType, TimeUnit};
use datafusion_common::ScalarValue;

use super::grids::window_slack;
use crate::time::{Closing, DAY_MICROS, EventTime, TimeSource};
use crate::{
    AsOfComparison, BinaryOp, EmitPolicy, Expr, IntervalJoinKind, JoinKey, JoinKind, Node, Operator, Properties, TemporalOutput,
    Window,
};

/// The sources with event time below a node: those of all inputs. What a lookup finds has no say in when its rows come.
pub(super) fn time_sources(operator: &Operator, inputs: &[&Node]) -> Vec<TimeSource> {
    let inputs = if matches!(operator, Operator::TemporalLookup { .. }) { &inputs[..1] } else { inputs };
    let mut sources: Vec<TimeSource> = inputs.iter().flat_map(|node| node.properties.time_sources.iter().cloned()).collect();
    sources.sort_unstable();
    sources.dedup();
    sources
}

/// The event times of the output, by column.
pub(super) fn event_times(operator: &Operator, inputs: &[&Node], width: usize) -> Vec<EventTime> {
    let own = |port: usize| inputs.get(port).map(|node| node.properties.event_times.clone()).unwrap_or_default();
    match operator {
        Operator::Source { .. } | Operator::Constant { .. } | Operator::TemporalFilter { .. } | Operator::Fixpoint { .. } => {
            Vec::new()
        }
        Operator::MapFilter { projections: None, .. } | Operator::Negate | Operator::Index { .. } | Operator::Distinct => own(0),
        Operator::TemporalLookup { .. } => own(0),
        Operator::MapFilter { projections: Some(projections), .. } => projections
            .iter()
            .enumerate()
            .filter_map(|(column, expr)| slack_of(expr, &inputs[0].properties).map(|slack| EventTime { column, slack }))
            .collect(),
        // Whatever changes has the time of a change of an input.
        Operator::Union | Operator::SetOperation { .. } => own(0)
            .into_iter()
            .filter_map(|time| {
                let slacks = inputs.iter().map(|node| slack(&node.properties, time.column)).collect::<Option<Vec<i64>>>();
                slacks.and_then(|slacks| slacks.into_iter().max()).map(|slack| EventTime { slack, ..time })
            })
            .collect(),
        Operator::Unnest { keep, .. } => keep
            .iter()
            .enumerate()
            .filter_map(|(column, &from)| slack(&inputs[0].properties, from).map(|slack| EventTime { column, slack }))
            .collect(),
        Operator::Join { keys, .. } => {
            // A semi or anti join has the left columns only.
            tied_keys(keys, inputs).into_iter().filter(|time| time.column < width).collect()
        }
        Operator::Aggregate { group, .. } => group
            .iter()
            .enumerate()
            .filter_map(|(column, &from)| slack(&inputs[0].properties, from).map(|slack| EventTime { column, slack }))
            .collect(),
        Operator::TopK { partition: group, .. }
        | Operator::WindowFrame { partition: group, .. }
        | Operator::MaxOneRow { group } => own(0).into_iter().filter(|time| group.contains(&time.column)).collect(),
        Operator::TimeWindow { time, window } => {
            let mut times = own(0);
            if let Some(slack) = window_slack(*window, *time, &inputs[0].properties) {
                times.push(EventTime { column: width - 2, slack: slack.saturating_add(window.size() - 1) });
                times.push(EventTime { column: width - 1, slack: slack.saturating_sub(1) });
            }
            times
        }
        Operator::Session { time, .. } => {
            let end = inputs[0].schema.fields().len();
            let end = match operator {
                Operator::Session { partition, output: crate::SessionOutput::Aggregates(_), .. } => partition.len() + 1,
                _ => end + 1,
            };
            slack(&inputs[0].properties, *time).map(|slack| EventTime { column: end, slack }).into_iter().collect()
        }
        Operator::Emit { policy } => emitted(*policy, &inputs[0].properties),
        Operator::IntervalJoin { kind, left_time, right_time, lower, upper, .. } => {
            let (left, right) = (slack(&inputs[0].properties, *left_time), slack(&inputs[1].properties, *right_time));
            let Some((left, right)) = left.zip(right) else { return Vec::new() };
            let mut times = vec![EventTime { column: *left_time, slack: left.max(right.saturating_add(*upper)) }];
            if !matches!(kind, IntervalJoinKind::Semi | IntervalJoinKind::Anti) {
                let column = inputs[0].schema.fields().len() + right_time;
                times.push(EventTime { column, slack: right.max(left.saturating_sub(*lower)) });
            }
            times
        }
        Operator::AsOfJoin { left_time, right_time, comparison, .. } => {
            let (left, right) = (slack(&inputs[0].properties, *left_time), slack(&inputs[1].properties, *right_time));
            match (comparison, left.zip(right)) {
                // A right row matters to left rows after it.
                (AsOfComparison::GreaterOrEqual | AsOfComparison::Greater, Some((left, right))) => {
                    vec![EventTime { column: *left_time, slack: left.max(right) }]
                }
                _ => Vec::new(),
            }
        }
    }
}

/// The closings of the output, those of the last window first.
pub(super) fn closings(operator: &Operator, inputs: &[&Node], width: usize) -> Vec<Closing> {
    let own = |port: usize| inputs.get(port).map(|node| node.properties.closings.clone()).unwrap_or_default();
    match operator {
        Operator::Source { .. } | Operator::Constant { .. } | Operator::Fixpoint { .. } => Vec::new(),
        Operator::MapFilter { projections: Some(projections), .. } => {
            let moved = |closing: Closing| {
                let place = |(column, expr): (usize, &Expr)| {
                    let (from, added) = column_plus(expr)?;
                    let offset = closing.offset.checked_sub(added)?;
                    (from == closing.column).then_some(Closing { column, offset, ..closing })
                };
                projections.iter().enumerate().find_map(place)
            };
            own(0).into_iter().filter_map(moved).collect()
        }
        Operator::Union | Operator::SetOperation { .. } => {
            own(0).into_iter().filter(|closing| inputs.iter().all(|node| node.properties.closings.contains(closing))).collect()
        }
        Operator::Aggregate { group, .. } => regrouped(own(0), group),
        Operator::Unnest { keep, .. } => regrouped(own(0), keep),
        Operator::Join { kind: JoinKind::Semi | JoinKind::Anti, .. }
        | Operator::IntervalJoin { kind: IntervalJoinKind::Semi | IntervalJoinKind::Anti, .. } => own(0),
        Operator::Join { .. } | Operator::AsOfJoin { .. } => joined(own(0), own(1), inputs),
        Operator::IntervalJoin { .. } => joined(own(0), own(1), inputs),
        Operator::TimeWindow { time, window } => {
            let mut closings = Vec::new();
            if slack(&inputs[0].properties, *time).is_some() {
                closings.push(Closing { column: width - 1, offset: 0, strict: false });
                if let Window::Tumble { size, .. } | Window::Hop { size, .. } = window {
                    closings.push(Closing { column: width - 2, offset: *size, strict: false });
                }
            }
            closings.extend(own(0));
            closings
        }
        Operator::Session { time, partition, output, .. } => {
            let (end, rest) = match output {
                crate::SessionOutput::Rows => (width - 1, own(0)),
                crate::SessionOutput::Aggregates(_) => (partition.len() + 1, regrouped(own(0), partition)),
            };
            let closing = slack(&inputs[0].properties, *time).map(|_| Closing { column: end, offset: 0, strict: true });
            closing.into_iter().chain(rest).collect()
        }
        _ => own(0),
    }
}

/// Whether every delta of an [`Operator::Emit`] has positive weights only, if it is not clear from its input.
pub(super) fn emits_once(policy: EmitPolicy, input: &Properties) -> bool {
    match policy {
        EmitPolicy::Final(_) => true,
        EmitPolicy::OnWindowClose(closing) => {
            let final_at_close = slack(input, closing.column)
                .is_some_and(|slack| closing.is_final_under(EventTime { column: closing.column, slack }));
            final_at_close && input.time_sources.iter().all(|source| source.lateness == Some(0))
        }
        EmitPolicy::Every { .. } => false,
    }
}

/// The slack of a column.
pub(crate) fn slack(properties: &Properties, column: usize) -> Option<i64> {
    properties.event_times.iter().find(|time| time.column == column).map(|time| time.slack)
}

/// Columns by their places among `columns`.
fn regrouped(closings: Vec<Closing>, columns: &[usize]) -> Vec<Closing> {
    let place = |closing: Closing| {
        let column = columns.iter().position(|&column| column == closing.column)?;
        Some(Closing { column, ..closing })
    };
    closings.into_iter().filter_map(place).collect()
}

fn joined(left: Vec<Closing>, right: Vec<Closing>, inputs: &[&Node]) -> Vec<Closing> {
    let width = inputs[0].schema.fields().len();
    left.into_iter().chain(right.into_iter().map(|closing| Closing { column: closing.column + width, ..closing })).collect()
}

/// Join columns that have an event time on both sides: a change on either side has it in its own column, which equals the other.
fn tied_keys(keys: &[JoinKey], inputs: &[&Node]) -> Vec<EventTime> {
    let width = inputs[0].schema.fields().len();
    let tied = keys.iter().filter_map(|key| Some((key, tied_slack(*key, inputs)?)));
    tied.flat_map(|(key, slack)| [key.left, key.right + width].map(|column| EventTime { column, slack })).collect()
}

/// The slack of both columns of a join key, if each has an event time.
pub(crate) fn tied_slack(key: JoinKey, inputs: &[&Node]) -> Option<i64> {
    let (left, right) = (slack(&inputs[0].properties, key.left)?, slack(&inputs[1].properties, key.right)?);
    Some(left.max(right))
}

/// A row that is shown later than it came is shown when its window closes: after the present watermark, which is no earlier than the bound.
fn emitted(policy: EmitPolicy, input: &Properties) -> Vec<EventTime> {
    match policy {
        EmitPolicy::OnWindowClose(closing) | EmitPolicy::Final(closing) => slack(input, closing.column)
            .map(|slack| {
                // What is still to be shown was not closed: time > watermark - offset, or >= where closing is strict.
                let shown = closing.offset.saturating_sub(i64::from(!closing.strict));
                EventTime { column: closing.column, slack: slack.max(shown) }
            })
            .into_iter()
            .collect(),
        EmitPolicy::Every { .. } => Vec::new(),
    }
}

/// The slack of a projected expression: of a column, a column and a constant, or one truncated.
fn slack_of(expr: &Expr, input: &Properties) -> Option<i64> {
    if let Some((column, added)) = column_plus(expr) {
        return slack(input, column)?.checked_sub(added);
    }
    match expr {
        Expr::Cast { input: inner, data_type, .. } => {
            let slack = slack_of(inner, input)?;
            match (inner.data_type(), data_type) {
                (DataType::Timestamp(TimeUnit::Microsecond, _), DataType::Timestamp(TimeUnit::Microsecond, _)) => Some(slack),
                (DataType::Date32, DataType::Timestamp(TimeUnit::Microsecond, _)) => Some(slack),
                (DataType::Timestamp(TimeUnit::Microsecond, _), DataType::Date32) => slack.checked_add(DAY_MICROS - 1),
                (from, to) if widens(&from, to) => Some(slack),
                _ => None,
            }
        }
        Expr::Function { function, arguments, .. } if function.name() == "date_trunc" => {
            let [Expr::Literal(unit), time] = arguments.as_slice() else { return None };
            slack_of(time, input)?.checked_add(unit_micros(unit)?)
        }
        Expr::Function { function, arguments, .. } if function.name() == "date_bin" => {
            let [Expr::Literal(stride), time, ..] = arguments.as_slice() else { return None };
            slack_of(time, input)?.checked_add(micros(stride)?)
        }
        _ => None,
    }
}

fn widens(from: &DataType, to: &DataType) -> bool {
    let signed = |data_type: &DataType| match data_type {
        DataType::Int8 => Some(8),
        DataType::Int16 => Some(16),
        DataType::Int32 => Some(32),
        DataType::Int64 => Some(64),
        _ => None,
    };
    signed(from).zip(signed(to)).is_some_and(|(from, to)| from <= to)
}

/// `column`, `column + constant`, `column - constant`: the column and what is added, in units of event time.
fn column_plus(expr: &Expr) -> Option<(usize, i64)> {
    match expr {
        Expr::Column { index, .. } => Some((*index, 0)),
        Expr::Binary { op: BinaryOp::Add, left, right, .. } => match (left.as_ref(), right.as_ref()) {
            (time, Expr::Literal(value)) | (Expr::Literal(value), time) => added(time, constant(value, &time.data_type())?),
            _ => None,
        },
        Expr::Binary { op: BinaryOp::Subtract, left, right, .. } => match right.as_ref() {
            Expr::Literal(value) => added(left, constant(value, &left.data_type())?.checked_neg()?),
            _ => None,
        },
        _ => None,
    }
}

fn added(time: &Expr, constant: i64) -> Option<(usize, i64)> {
    let (column, before) = column_plus(time)?;
    Some((column, before.checked_add(constant)?))
}

/// A literal that is added to a value of type `to`, in units of event time.
fn constant(value: &ScalarValue, to: &DataType) -> Option<i64> {
    match to {
        DataType::Timestamp(TimeUnit::Microsecond, _) => micros(value),
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => match value {
            ScalarValue::Int8(value) => value.map(i64::from),
            ScalarValue::Int16(value) => value.map(i64::from),
            ScalarValue::Int32(value) => value.map(i64::from),
            ScalarValue::Int64(value) => *value,
            _ => None,
        },
        _ => None,
    }
}

/// An interval without months, in microseconds.
fn micros(value: &ScalarValue) -> Option<i64> {
    match value {
        ScalarValue::IntervalMonthDayNano(Some(interval)) if interval.months == 0 && interval.nanoseconds % 1000 == 0 => {
            i64::from(interval.days).checked_mul(DAY_MICROS)?.checked_add(interval.nanoseconds / 1000)
        }
        _ => None,
    }
}

/// The most that `date_trunc` to this unit takes away.
fn unit_micros(unit: &ScalarValue) -> Option<i64> {
    let unit = unit.try_as_str().flatten()?.to_ascii_lowercase();
    Some(match unit.as_str() {
        "microsecond" => 0,
        "millisecond" => 1_000,
        "second" => 1_000_000,
        "minute" => 60_000_000,
        "hour" => 3_600_000_000,
        "day" => DAY_MICROS,
        "week" => 7 * DAY_MICROS,
        "month" => 31 * DAY_MICROS,
        "quarter" => 92 * DAY_MICROS,
        "year" => 366 * DAY_MICROS,
        _ => return None,
    })
}

/// Whether each delta of the node has positive weights only, for operators of time.
pub(super) fn append_only(operator: &Operator, inputs: &[&Node]) -> bool {
    let all_inputs = inputs.iter().all(|node| node.properties.append_only);
    match operator {
        Operator::TimeWindow { .. } => all_inputs,
        Operator::TemporalLookup { .. } => inputs[0].properties.append_only,
        // What is closed stays closed, because watermarks never go back, so a view over rows that only come retracts nothing.
        Operator::Emit { policy } => all_inputs || emits_once(*policy, &inputs[0].properties),
        Operator::TemporalFilter { until: None, output: TemporalOutput::Keep, .. } => all_inputs,
        Operator::IntervalJoin { kind: IntervalJoinKind::Inner | IntervalJoinKind::Semi, .. } => all_inputs,
        _ => false,
    }
}

/// The unique keys of operators of time.
pub(super) fn unique_keys(operator: &Operator, inputs: &[&Node], width: usize) -> Vec<Vec<usize>> {
    let own = |port: usize| inputs.get(port).map(|node| node.properties.unique_keys.clone()).unwrap_or_default();
    match operator {
        Operator::TimeWindow { window: Window::Tumble { .. }, .. } => own(0),
        Operator::TimeWindow { .. } => {
            own(0).into_iter().map(|key| key.into_iter().chain([width - 2, width - 1]).collect()).collect()
        }
        Operator::Session { output: crate::SessionOutput::Rows, .. }
        | Operator::Emit { .. }
        | Operator::TemporalFilter { .. } => own(0),
        // Sessions of a partition do not overlap.
        Operator::Session { partition, .. } => {
            let key = |bound: usize| (0..partition.len()).chain([partition.len() + bound]).collect();
            vec![key(0), key(1)]
        }
        Operator::IntervalJoin { kind: IntervalJoinKind::Semi | IntervalJoinKind::Anti, .. } => own(0),
        Operator::IntervalJoin { kind: IntervalJoinKind::Inner, .. } => {
            let shift = inputs[0].schema.fields().len();
            let pair =
                |left: &Vec<usize>, right: &Vec<usize>| left.iter().copied().chain(right.iter().map(|c| c + shift)).collect();
            own(0).iter().flat_map(|left| own(1).iter().map(|right| pair(left, right)).collect::<Vec<_>>()).collect()
        }
        // Each left row has one row beside it at most.
        Operator::AsOfJoin { kind: JoinKind::Inner | JoinKind::Left, .. } | Operator::TemporalLookup { .. } => own(0),
        _ => Vec::new(),
    }
}
