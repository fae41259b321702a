//! The operators of time.

use arrow::datatypes::{DataType, Schema};

use super::{Check, ensure, expression, in_range, same_types, types_of};
use crate::time::{bound_type, is_event_time};
use crate::{
    AggregateCall, EmitPolicy, IntervalJoinKind, JoinKey, JoinKind, Node, Operator, SessionOutput, TemporalOutput, Window,
};

/// Checks one of them against its inputs and its schema.
pub(super) fn check(operator: &Operator, inputs: &[&Node], schema: &Schema) -> Check {
    let mut columns = types_of(&inputs[0].schema);
    match operator {
        Operator::TimeWindow { time, window } => {
            let bound = bound_type(&time_column(*time, inputs[0])?);
            check_window(*window)?;
            columns.extend([bound.clone(), bound]);
            same_types(&columns, schema)
        }
        Operator::Session { partition, time, gap, output, .. } => {
            in_range(partition, inputs[0])?;
            let bound = bound_type(&time_column(*time, inputs[0])?);
            ensure(*gap > 0, || format!("a gap of {gap}"))?;
            match output {
                SessionOutput::Rows => columns.extend([bound.clone(), bound]),
                SessionOutput::Aggregates(calls) => {
                    columns = partition.iter().map(|&column| columns[column].clone()).collect();
                    columns.extend([bound.clone(), bound]);
                    ensure(calls.iter().all(AggregateCall::is_mergeable), || {
                        "an aggregate that sessions do not keep".to_owned()
                    })?;
                    super::aggregate_calls(calls, inputs[0])?;
                    columns.extend(calls.iter().map(|call| call.data_type.clone()));
                }
            }
            same_types(&columns, schema)
        }
        Operator::Emit { policy } => {
            match policy {
                EmitPolicy::OnWindowClose(closing) | EmitPolicy::Final(closing) => {
                    _ = time_column(closing.column, inputs[0])?;
                }
                EmitPolicy::Every { interval, .. } => ensure(*interval > 0, || format!("an interval of {interval}"))?,
            }
            same_types(&columns, schema)
        }
        Operator::TemporalFilter { from, until, output } => {
            for column in from.iter().chain(until) {
                let data_type = time_column(*column, inputs[0])?;
                ensure(matches!(data_type, DataType::Timestamp(..)), || format!("{data_type} is compared with the clock"))?;
            }
            columns.extend((*output == TemporalOutput::Flag).then_some(DataType::Boolean));
            same_types(&columns, schema)
        }
        Operator::IntervalJoin { kind, keys, left_time, right_time, lower, upper, residual } => {
            ensure(lower <= upper, || format!("no time is between {lower} and {upper}"))?;
            check_pair(keys, [*left_time, *right_time], inputs)?;
            let right = types_of(&inputs[1].schema);
            let both: Vec<DataType> = columns.iter().chain(&right).cloned().collect();
            residual.as_ref().map_or(Ok(()), |residual| expression::predicate(residual, &both))?;
            let left_only = matches!(kind, IntervalJoinKind::Semi | IntervalJoinKind::Anti);
            same_types(if left_only { &columns } else { &both }, schema)
        }
        Operator::AsOfJoin { kind, keys, left_time, right_time, .. } => {
            ensure(matches!(kind, JoinKind::Inner | JoinKind::Left), || format!("an as-of join that is {kind:?}"))?;
            check_pair(keys, [*left_time, *right_time], inputs)?;
            columns.extend(types_of(&inputs[1].schema));
            same_types(&columns, schema)
        }
        Operator::TemporalLookup { kind, keys, residual } => {
            ensure(matches!(kind, JoinKind::Inner | JoinKind::Left), || format!("a lookup that is {kind:?}"))?;
            check_keys(keys, inputs)?;
            let key: Vec<usize> = keys.iter().map(|key| key.right).collect();
            let indexed = matches!(&inputs[1].operator, Operator::Index { key: by } if *by == key);
            ensure(indexed, || format!("the right input is not indexed by the join columns {key:?}"))?;
            let unique = inputs[1].properties.unique_keys.iter().any(|unique| unique.iter().all(|column| key.contains(column)));
            ensure(unique, || format!("no unique key of the right input is among the join columns {key:?}"))?;
            columns.extend(types_of(&inputs[1].schema));
            residual.as_ref().map_or(Ok(()), |residual| expression::predicate(residual, &columns))?;
            same_types(&columns, schema)
        }
        _ => Ok(()),
    }
}

fn time_column(column: usize, input: &Node) -> Result<DataType, String> {
    in_range(&[column], input)?;
    let data_type = input.schema.field(column).data_type().clone();
    ensure(is_event_time(&data_type), || format!("{data_type} is not a time"))?;
    Ok(data_type)
}

fn check_window(window: Window) -> Check {
    let positive = match window {
        Window::Tumble { size, .. } => size > 0,
        Window::Hop { slide, size, .. } => slide > 0 && size > 0,
        Window::Cumulate { step, size, .. } => step > 0 && size > 0 && size % step == 0,
    };
    ensure(positive, || format!("{window:?} has no windows"))
}

fn check_pair(keys: &[JoinKey], times: [usize; 2], inputs: &[&Node]) -> Check {
    let [left, right] = [time_column(times[0], inputs[0])?, time_column(times[1], inputs[1])?];
    ensure(left == right, || format!("compares times of {left} with {right}"))?;
    check_keys(keys, inputs)
}

fn check_keys(keys: &[JoinKey], inputs: &[&Node]) -> Check {
    for key in keys {
        in_range(&[key.left], inputs[0])?;
        in_range(&[key.right], inputs[1])?;
        let (left, right) = (inputs[0].schema.field(key.left).data_type(), inputs[1].schema.field(key.right).data_type());
        ensure(left == right, || format!("joins {left} with {right}"))?;
    }
    Ok(())
}
