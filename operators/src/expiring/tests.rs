//! The law of operators whose groups end, on histories in which rows come in time, and what is left of their state.

#![allow(clippy::unwrap_used)]

use arrow::datatypes::SchemaRef;
use datafusion_common::ScalarValue;
use deltic_circuit::frame::{Frame, FrameOffset, WindowCall, WindowFunction};
use deltic_circuit::{AggregateCall, AggregateFunction, Circuit, CircuitBuilder, Moment, NodeId, SortKey, retention};
use proptest::prelude::*;

use super::*;
use crate::testing::timed::{Timed, check_timed, infos, lateness, sources};
use crate::testing::{Law, history, schema};
use crate::{Aggregate, AppendOnlyTopK, Distinct, EpochOperator, MaxOneRow, TopK, window_frame};

#[test]
fn what_is_noted_often_takes_room_once() {
    let mut noted: Noted<u32> = Noted::new(&DataType::Int64);
    for round in 0..1000u32 {
        noted.note(3, round % 7);
    }
    assert!(noted.memory_bytes() < 200);
    assert_eq!(noted.take(3), None);
    assert_eq!(noted.take(4), Some((4, (0..7).collect())));
    assert_eq!(noted.take(i64::MAX), None);
}

/// A key, a time, a number, a float, a text.
const TYPES: [DataType; 5] = [DataType::Int64, DataType::Int64, DataType::Int64, DataType::Float64, DataType::Utf8];

#[derive(Clone, Copy, Debug)]
enum Query {
    /// Every kind of accumulator by key and time.
    Aggregate,
    Distinct,
    /// The first two by number, of each time and key.
    Top {
        with_row_number: bool,
    },
    /// The first two different numbers of each time and key.
    TopGroups,
    /// Ranks and a running sum by number, of each time and key.
    Window,
    /// The row of each time and key, if there is one only.
    OneRow,
}

fn calls() -> Vec<(String, AggregateCall)> {
    use AggregateFunction::{Avg, BitOr, Count, JsonAgg, Max, Median, Min, Mode, Sum};
    let call = |function, argument: Option<usize>, distinct, data_type| {
        ("call".to_owned(), AggregateCall { distinct, ..AggregateCall::new(function, argument, data_type) })
    };
    vec![
        call(Count, None, false, DataType::Int64),
        call(Sum, Some(2), true, DataType::Int64),
        call(Avg, Some(3), false, DataType::Float64),
        call(Min, Some(2), false, DataType::Int64),
        call(Max, Some(4), false, DataType::Utf8),
        call(Count, Some(4), true, DataType::Int64),
        call(AggregateFunction::Moment(Moment::VarPop), Some(3), false, DataType::Float64),
        call(BitOr, Some(2), false, DataType::Int64),
        call(Median, Some(2), true, DataType::Float64),
        call(Mode, Some(4), false, DataType::Utf8),
        call(JsonAgg, Some(3), false, DataType::Utf8),
    ]
}

fn inputs(lateness: Option<i64>) -> [(SchemaRef, Timed); 1] {
    [(schema(&TYPES), Timed { time: 1, lateness })]
}

fn circuit(query: Query, lateness: Option<i64>) -> Circuit {
    let mut builder = CircuitBuilder::new();
    let source = sources(&mut builder, &inputs(lateness))[0];
    let output = match query {
        Query::Aggregate => builder.aggregate(source, vec![0, 1], calls()).unwrap(),
        Query::Distinct => builder.distinct(source).unwrap(),
        Query::Top { with_row_number } => {
            let order = vec![SortKey { column: 2, descending: true, nulls_first: false }];
            let name = with_row_number.then(|| "row".to_owned());
            builder.top_k(source, vec![1, 0], order, 0, Some(2), name).unwrap()
        }
        Query::TopGroups => {
            let order = vec![SortKey { column: 2, descending: true, nulls_first: false }];
            builder.top_groups(source, vec![1, 0], order, 2).unwrap()
        }
        Query::Window => {
            let order = vec![SortKey { column: 2, descending: false, nulls_first: false }];
            let frame = Frame { end: Some(FrameOffset::CURRENT), ..Frame::PARTITION };
            let sum = AggregateCall::new(AggregateFunction::Sum, [2], DataType::Int64);
            let calls = [
                (WindowFunction::DenseRank, DataType::UInt64),
                (WindowFunction::Aggregate { call: sum, frame }, DataType::Int64),
            ];
            let calls = calls.map(|(function, data_type)| ("call".to_owned(), WindowCall { function, data_type }));
            builder.window_frame(source, vec![0, 1], order, calls.to_vec()).unwrap()
        }
        Query::OneRow => builder.max_one_row(source, vec![1, 0]).unwrap(),
    };
    builder.finish(output, None).unwrap()
}

fn operator(circuit: &Circuit) -> Box<dyn EpochOperator> {
    let (input, node) = (&circuit.nodes[0], &circuit.nodes[1]);
    let horizon = Horizon::of(&retention(circuit, NodeId(1))[0]);
    match &node.operator {
        deltic_circuit::Operator::Aggregate { group, aggregates } => {
            let operator = Aggregate::try_new(group, aggregates, input, node.schema.clone(), true).unwrap();
            Box::new(operator.with_horizon(horizon))
        }
        deltic_circuit::Operator::WindowFrame { .. } => window_frame(node, &input.schema, horizon).unwrap(),
        deltic_circuit::Operator::MaxOneRow { group } => {
            let label = deltic_circuit::operator_label(&node.operator);
            Box::new(MaxOneRow::try_new(group, node.schema.clone(), label).unwrap().with_horizon(horizon))
        }
        deltic_circuit::Operator::Distinct => Box::new(Distinct::try_new(node.schema.clone()).unwrap().with_horizon(horizon)),
        _ => match AppendOnlyTopK::try_new(node, input).unwrap() {
            Some(operator) => Box::new(operator.with_horizon(horizon)),
            None => Box::new(TopK::try_new(node, &input.schema).unwrap().with_horizon(horizon, &input.schema)),
        },
    }
}

fn values() -> impl Strategy<Value = Vec<ScalarValue>> + Clone {
    let time = 0..20i64;
    (0..2i64, time, proptest::option::of(0..4i64), proptest::option::of(0..3i64), proptest::option::of("[a-c]{0,15}")).prop_map(
        |(key, time, number, float, text)| {
            let [key, time, number] = [Some(key), Some(time), number].map(ScalarValue::Int64);
            vec![key, time, number, ScalarValue::Float64(float.map(|float| float as f64 / 2.0)), ScalarValue::Utf8(text)]
        },
    )
}

/// The law, and how many rows are left when the source has a watermark after all of them.
fn check(
    query: Query,
    lateness: Option<i64>,
    append_only: bool,
    history: Vec<Vec<Vec<crate::testing::Change>>>,
    infos: &[EpochInfo],
) -> usize {
    let mut circuit = circuit(query, lateness);
    circuit.nodes[0].properties.append_only = append_only;
    let history = history
        .into_iter()
        .map(|epoch| {
            let kept = |change: &crate::testing::Change| !append_only || matches!(change, crate::testing::Change::Insert(_));
            epoch.into_iter().map(|changes| changes.into_iter().filter(kept).collect()).collect()
        })
        .collect();
    let operator = operator(&circuit);
    let mut law = Law::new(operator, circuit, true);
    check_timed(&mut law, &[history], infos, &inputs(lateness));
    law.operator.state_size().rows
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn groups_that_end_change_nothing_and_leave_nothing(
        query in prop_oneof![
            Just(Query::Aggregate), Just(Query::Distinct), Just(Query::TopGroups), Just(Query::Window), Just(Query::OneRow), any::<bool>().prop_map(|with_row_number| Query::Top { with_row_number })
        ],
        lateness in lateness(), append_only in any::<bool>(), infos in infos(), history in history(values())
    ) {
        let left = check(query, lateness, append_only, history, &infos);
        prop_assert!(lateness.is_none() || left == 0, "{left} rows are left");
    }
}
