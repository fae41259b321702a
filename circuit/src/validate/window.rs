//! Window functions: positions, types, and frames that mean something.

use arrow::datatypes::{DataType, Schema};

use super::{Check, aggregate_calls, ensure, in_range, same_types, types_of};
use crate::frame::{Frame, FrameOffset, FramePlace, FrameUnits, WindowCall, WindowFunction, has_calendar, has_range};
use crate::{Node, SortKey, window_text};

pub(super) fn check(partition: &[usize], order: &[SortKey], calls: &[WindowCall], input: &Node, schema: &Schema) -> Check {
    in_range(partition, input)?;
    in_range(&order.iter().map(|key| key.column).collect::<Vec<_>>(), input)?;
    ensure(!calls.is_empty(), || "has no function".to_owned())?;
    for call in calls {
        in_range(&call.function.columns(), input)?;
        function(call, input).map_err(|problem| format!("{}: {problem}", window_text(call)))?;
        call.function.frame().map_or(Ok(()), |frame| check_frame(frame, order, input))?;
    }
    let mut expected = types_of(&input.schema);
    expected.extend(calls.iter().map(|call| call.data_type.clone()));
    same_types(&expected, schema)
}

fn function(call: &WindowCall, input: &Node) -> Check {
    let yields = |natural: &DataType| ensure(natural == &call.data_type, || format!("yields {natural}, not {}", call.data_type));
    match &call.function {
        WindowFunction::RowNumber | WindowFunction::Rank | WindowFunction::DenseRank => {
            ensure(call.data_type.is_integer(), || format!("is no {}", call.data_type))
        }
        WindowFunction::Ntile { buckets } => {
            ensure(*buckets > 0, || "has no buckets".to_owned())?;
            ensure(call.data_type.is_integer(), || format!("is no {}", call.data_type))
        }
        WindowFunction::PercentRank | WindowFunction::CumeDist => yields(&DataType::Float64),
        WindowFunction::Lag { argument, default, .. } => {
            yields(input.schema.field(*argument).data_type())?;
            yields(&default.data_type())
        }
        WindowFunction::Value { argument, place, .. } => {
            ensure(*place != FramePlace::Nth(0), || "counts from 1".to_owned())?;
            yields(input.schema.field(*argument).data_type())
        }
        WindowFunction::Aggregate { call: aggregate, .. } => {
            aggregate_calls(std::slice::from_ref(aggregate), input)?;
            yields(&aggregate.data_type)
        }
    }
}

fn check_frame(frame: &Frame, order: &[SortKey], input: &Node) -> Check {
    let float = |bound: &FrameOffset| matches!(bound, FrameOffset::Float(_));
    let calendar = |bound: &FrameOffset| matches!(bound, FrameOffset::Calendar { .. });
    let mut bounds = frame.start.iter().chain(&frame.end);
    if !frame.measures_values() {
        let counted = |bound: &FrameOffset| !(float(bound) || calendar(bound)) || frame.units == FrameUnits::Range;
        return ensure(bounds.all(counted), || "a frame counts rows in fractions".to_owned());
    }
    let [key] = order else { return Err(format!("a frame measures values of an order by {} columns", order.len())) };
    let data_type = input.schema.field(key.column).data_type();
    ensure(has_range(data_type), || format!("a frame measures distances of {data_type}"))?;
    let fits = |bound: &FrameOffset| match bound {
        bound if bound.is_current() => true,
        FrameOffset::Float(_) => data_type == &DataType::Float64,
        FrameOffset::Calendar { .. } => has_calendar(data_type),
        FrameOffset::Exact(_) => data_type != &DataType::Float64,
    };
    ensure(bounds.all(fits), || format!("a frame measures distances of {data_type} in another type"))
}
