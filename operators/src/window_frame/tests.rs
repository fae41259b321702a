//! The law against the interpreter for any functions, frames and orders, and by name that no more is emitted than what changes. These tests cannot see two
//! workers.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema};
use datafusion_common::ScalarValue;
use deltic_circuit::frame::{Exclusion, Frame, FrameOffset, FramePlace, FrameUnits, WindowCall, WindowFunction, has_range};
use deltic_circuit::{AggregateCall, AggregateFunction, CircuitBuilder, Properties, SortKey};
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::testing::{Law, Row, check, history, schema};

/// Partition, order by a number, by a date, by a float, an argument, a text, a filter.
const TYPES: [DataType; 6] =
    [DataType::Int64, DataType::Int32, DataType::Date32, DataType::Float64, DataType::Int64, DataType::Boolean];
const NUMBER: usize = 1;
const DATE: usize = 2;
const FLOAT: usize = 3;
const ARGUMENT: usize = 4;
const FILTER: usize = 5;

fn law(partition: Vec<usize>, order: Vec<SortKey>, functions: Vec<WindowFunction>) -> Law<Box<dyn EpochOperator>> {
    let mut builder = CircuitBuilder::new();
    let source = builder.source("s0", schema(&TYPES), Properties::default());
    let calls = functions.into_iter().enumerate().map(|(position, function)| (format!("w{position}"), call(function)));
    let output = builder.window_frame(source, partition, order, calls.collect()).unwrap();
    let circuit = builder.finish(output, None).unwrap();
    let operator = window_frame(&circuit.nodes[1], &circuit.nodes[0].schema, None).unwrap();
    Law::new(operator, circuit, true)
}

fn call(function: WindowFunction) -> WindowCall {
    let data_type = match &function {
        WindowFunction::PercentRank | WindowFunction::CumeDist => DataType::Float64,
        WindowFunction::Lag { argument, .. } | WindowFunction::Value { argument, .. } => TYPES[*argument].clone(),
        WindowFunction::Aggregate { call, .. } => call.data_type.clone(),
        _ => DataType::UInt64,
    };
    WindowCall { function, data_type }
}

fn by(column: usize) -> SortKey {
    SortKey { column, descending: false, nulls_first: false }
}

fn rows(start: impl Into<Option<i128>>, end: impl Into<Option<i128>>) -> Frame {
    let bound = |bound: Option<i128>| bound.map(FrameOffset::Exact);
    Frame { units: FrameUnits::Rows, start: bound(start.into()), end: bound(end.into()), exclude: Exclusion::NoOthers }
}

fn sum(argument: usize, frame: Frame) -> WindowFunction {
    aggregate(AggregateFunction::Sum, Some(argument), None, frame)
}

fn aggregate(function: AggregateFunction, argument: Option<usize>, filter: Option<usize>, frame: Frame) -> WindowFunction {
    let arguments: Vec<DataType> = argument.into_iter().map(|column| TYPES[column].clone()).collect();
    let data_type = deltic_circuit::aggregate::aggregate_type(&function, &arguments).unwrap();
    WindowFunction::Aggregate { call: AggregateCall { filter, ..AggregateCall::new(function, argument, data_type) }, frame }
}

fn row(number: i32, argument: i64, weight: i64) -> Row {
    let values = vec![
        ScalarValue::Int64(Some(1)),
        ScalarValue::Int32(Some(number)),
        ScalarValue::Date32(Some(number)),
        ScalarValue::Float64(Some(f64::from(number))),
        ScalarValue::Int64(Some(argument)),
        ScalarValue::Boolean(Some(true)),
    ];
    (values, weight)
}

/// A partition with the numbers `0 .. n`.
fn filled(functions: Vec<WindowFunction>, n: i32) -> Law<Box<dyn EpochOperator>> {
    let mut law = law(vec![0], vec![by(NUMBER)], functions);
    let all: Vec<Row> = (0..n).map(|number| row(number, i64::from(number), 1)).collect();
    law.step(&[&all]);
    law
}

#[test]
fn an_insert_changes_the_numbers_behind_it_and_few_moving_sums() {
    let mut numbers = filled(vec![WindowFunction::RowNumber], 200);
    assert_eq!(numbers.step(&[&[row(190, 5, 1)]]).len(), 1 + 2 * 9 + 1 + 1);
    let mut sums = filled(vec![sum(ARGUMENT, rows(-2, 1))], 200);
    // The row itself, two rows behind it and one before it.
    assert_eq!(sums.step(&[&[row(100, 500, 1)]]).len(), 1 + 2 * 3);
    assert_eq!(sums.step(&[&[row(100, 500, -1)]]).len(), 1 + 2 * 3);
}

#[test]
fn what_adds_up_to_nothing_leaves_running_sums_alone() {
    let mut law = filled(vec![sum(ARGUMENT, rows(None, 0))], 200);
    // One row goes and one with the same argument comes behind nine others.
    let delta = law.step(&[&[row(100, 100, -1), row(110, 100, 1)]]);
    assert_eq!(delta.len(), 1 + 1 + 2 * 9);
}

/// Numbers every eighth of which is 10, the others 0.
#[test]
fn a_running_extreme_changes_up_to_the_next_row_that_is_as_great() {
    let max = |frame| aggregate(AggregateFunction::Max, Some(ARGUMENT), None, frame);
    let mut law = law(vec![0], vec![by(NUMBER)], vec![max(rows(None, 0)), max(rows(0, None)), max(rows(None, None))]);
    let all: Vec<Row> = (0..400).map(|number| row(number, if number % 8 == 7 { 10 } else { 0 }, 1)).collect();
    law.step(&[&all]);
    // What is no greater than what stands there alters nothing.
    assert_eq!(law.step(&[&[row(200, 9, 1)]]).len(), 1);
    // Nor does one more of the greatest, behind the first and before the last.
    assert_eq!(law.step(&[&[row(100, 10, 1), row(300, 10, 1)]]).len(), 2);
    // The first of the greatest goes: the running extreme is another one up to the next, eight rows behind.
    assert_eq!(law.step(&[&[row(7, 10, -1)]]).len(), 1 + 2 * 7);
    assert_eq!(law.step(&[&[row(399, 10, -1)]]).len(), 1 + 2 * 7);
    assert_eq!(law.step(&[&[row(0, 10, 1)]]).len(), 1 + 2 * 13);
    // A greater one alters the extreme of the whole partition.
    assert_eq!(law.step(&[&[row(50, 11, 1)]]).len(), 1 + 2 * 402);
}

#[test]
fn the_first_value_is_asked_for_only_where_the_first_row_changes() {
    let first = WindowFunction::Value { argument: ARGUMENT, place: FramePlace::First, frame: rows(None, 0), ignore_nulls: false };
    let mut law = filled(vec![first], 200);
    assert_eq!(law.step(&[&[row(100, 7, 1)]]).len(), 1);
    assert_eq!(law.step(&[&[row(-1, 8, 1)]]).len(), 1 + 2 * 201);
}

/// Two intervals would both hold the row, each with some of its copies.
#[test]
fn changes_on_both_sides_of_a_row_with_copies_alter_it_once() {
    let mut law = filled(vec![sum(ARGUMENT, rows(-1, 1))], 200);
    law.step(&[&[row(100, 100, 4)]]);
    assert_eq!(law.step(&[&[row(99, 500, 1), row(101, -1, 1)]]).len(), 2 + 2 * 4);
    law.step(&[&[row(99, 500, -1), row(101, -1, -1), row(100, 100, -2)]]);
}

#[test]
fn a_row_with_a_negative_weight_is_an_error_and_takes_no_place() {
    let mut builder = CircuitBuilder::new();
    let source = builder.source("s0", schema(&TYPES), Properties::default());
    let calls = vec![("n".to_owned(), call(WindowFunction::RowNumber))];
    let output = builder.window_frame(source, vec![], vec![by(NUMBER)], calls).unwrap();
    let circuit = builder.finish(output, None).unwrap();
    let mut operator = window_frame(&circuit.nodes[1], &circuit.nodes[0].schema, None).unwrap();
    operator.push(0, crate::testing::batch(&circuit.nodes[0].schema, &[row(1, 1, -1), row(2, 1, 1)]));
    let output = operator.close(1);
    assert_eq!((output.rows[0].len(), output.errors[0].len()), (1, 1));
    operator.push(0, crate::testing::batch(&circuit.nodes[0].schema, &[row(1, 1, 2)]));
    let output = operator.close(2);
    assert_eq!((output.rows[0].len(), output.errors[0].weight(0)), (3, -1));
}

#[test]
fn a_sum_that_does_not_fit_is_an_error_of_its_rows_only() {
    let mut law = filled(vec![sum(ARGUMENT, rows(-1, 0))], 100);
    law.step(&[&[row(50, i64::MAX, 1)]]);
    assert_eq!(law.errors().len(), 2);
    law.step(&[&[row(50, i64::MAX, -1)]]);
    assert!(law.errors().is_empty());
}

fn offsets(most: i128) -> impl Strategy<Value = Option<i128>> {
    prop_oneof![1 => Just(None), 4 => (-most..=most).prop_map(Some)]
}

fn exclusions() -> impl Strategy<Value = Exclusion> {
    prop_oneof![
        3 => Just(Exclusion::NoOthers),
        1 => Just(Exclusion::CurrentRow),
        1 => Just(Exclusion::Group),
        1 => Just(Exclusion::Ties)
    ]
}

/// Frames over an order by one column of `order`.
fn frames(order: DataType) -> impl Strategy<Value = Frame> {
    let units = prop_oneof![Just(FrameUnits::Rows), Just(FrameUnits::Groups), Just(FrameUnits::Range)];
    (units, offsets(4), offsets(4), exclusions(), any::<bool>()).prop_map(move |(units, start, end, exclude, months)| {
        let ranged = units == FrameUnits::Range;
        let bound = |bound: Option<i128>| {
            bound.map(|offset| match &order {
                _ if !ranged || !has_range(&order) => FrameOffset::Exact(if ranged { 0 } else { offset }),
                DataType::Float64 => FrameOffset::float(offset as f64 * 0.75),
                DataType::Date32 if months && offset != 0 => {
                    FrameOffset::Calendar { months: offset as i32, micros: offset.signum() as i64 * 43_200_000_000 }
                }
                // A day and a half.
                DataType::Date32 => FrameOffset::Exact(offset * 43_200_000_000),
                _ => FrameOffset::Exact(offset),
            })
        };
        Frame { units, start: bound(start), end: bound(end), exclude }
    })
}

/// Aggregates for which the rows of frames are read.
fn read_aggregates(order: DataType) -> impl Strategy<Value = WindowFunction> {
    use AggregateFunction::{
        ArgMax, ArrayAgg, Avg, BitXor, BoolOr, Count, FirstValue, Median, Mode, Moment, PercentileCont, PercentileDisc, Sum,
    };
    use deltic_circuit::Moment::{Corr, RegrIntercept, StddevSamp, VarPop};
    let one = |function: AggregateFunction, columns: &'static [usize]| {
        let columns = prop::sample::select(columns);
        columns.prop_map(move |column| (function.clone(), vec![column]))
    };
    const NUMBERS: &[usize] = &[ARGUMENT, NUMBER, FLOAT];
    const ALL: &[usize] = &[ARGUMENT, DATE, FILTER];
    let function = prop_oneof![
        one(Moment(VarPop), NUMBERS),
        one(Moment(StddevSamp), NUMBERS),
        Just((Moment(Corr), vec![ARGUMENT, FLOAT])),
        Just((Moment(RegrIntercept), vec![FLOAT, NUMBER])),
        Just((ArgMax, vec![ARGUMENT, NUMBER])),
        one(BitXor, &[ARGUMENT, NUMBER]),
        one(BoolOr, &[FILTER]),
        one(Median, NUMBERS),
        one(PercentileCont, NUMBERS),
        one(FirstValue, ALL),
        one(Avg, NUMBERS),
        Just((Count, vec![ARGUMENT, NUMBER])),
        one(PercentileDisc, ALL),
        one(Mode, ALL),
        one(ArrayAgg, ALL),
        one(Count, ALL),
        one(Sum, &[NUMBER, FLOAT]),
    ];
    let sorted = proptest::option::of(any::<bool>());
    (function, any::<bool>(), any::<bool>(), any::<bool>(), sorted, frames(order)).prop_map(
        |((function, arguments), distinct, filtered, ignore_nulls, sorted, frame)| {
            let types: Vec<DataType> = arguments.iter().map(|&column| TYPES[column].clone()).collect();
            let data_type = deltic_circuit::aggregate::aggregate_type(&function, &types).unwrap();
            let fraction = matches!(function, PercentileDisc | PercentileCont).then_some(ScalarValue::Float64(Some(0.3)));
            let key = sorted.filter(|_| function.is_ordered() && function != ArgMax);
            let key = key.map(|descending| SortKey { descending, ..by(arguments[0]) });
            let call = AggregateCall {
                filter: filtered.then_some(FILTER),
                parameters: fraction.into_iter().collect(),
                order: key.into_iter().collect(),
                distinct,
                ignore_nulls,
                ..AggregateCall::new(function, arguments, data_type)
            };
            WindowFunction::Aggregate { call, frame }
        },
    )
}

fn functions(order: DataType) -> impl Strategy<Value = WindowFunction> {
    use AggregateFunction::{Avg, Count, Max, Min, Sum};
    let place = prop_oneof![Just(FramePlace::First), Just(FramePlace::Last), (1..4u64).prop_map(FramePlace::Nth)];
    let argument = prop_oneof![Just(NUMBER), Just(DATE), Just(ARGUMENT)];
    let ranks = prop_oneof![
        Just(WindowFunction::RowNumber),
        Just(WindowFunction::Rank),
        Just(WindowFunction::DenseRank),
        Just(WindowFunction::PercentRank),
        Just(WindowFunction::CumeDist),
        (1..6u64).prop_map(|buckets| WindowFunction::Ntile { buckets }),
    ];
    let lags = (-3..4i64, any::<bool>(), proptest::option::of(0..3i64)).prop_map(|(offset, ignore_nulls, default)| {
        WindowFunction::Lag { argument: ARGUMENT, offset, default: ScalarValue::Int64(default), ignore_nulls }
    });
    let values = (argument, place, frames(order.clone()), any::<bool>())
        .prop_map(|(argument, place, frame, ignore_nulls)| WindowFunction::Value { argument, place, frame, ignore_nulls });
    let function = prop_oneof![Just(Count), Just(Sum), Just(Avg), Just(Min), Just(Max)];
    let argument = prop_oneof![3 => Just(ARGUMENT), 1 => Just(NUMBER), 1 => Just(FLOAT)];
    let reading = read_aggregates(order.clone());
    let aggregates = (function, argument, any::<bool>(), any::<bool>(), frames(order)).prop_map(
        |(function, argument, filtered, all, frame)| {
            let argument = (function != Count || !all).then_some(argument);
            aggregate(function, argument, filtered.then_some(FILTER), frame)
        },
    );
    prop_oneof![2 => ranks, 1 => lags, 2 => values, 4 => aggregates, 3 => reading]
}

/// A partition, an order and functions over it.
fn shapes() -> impl Strategy<Value = (Vec<usize>, Vec<SortKey>, Vec<WindowFunction>)> {
    let partition = prop_oneof![2 => Just(vec![]), 2 => Just(vec![0])];
    let key = |columns: std::ops::Range<usize>| {
        (columns, any::<bool>(), any::<bool>()).prop_map(|(column, descending, nulls_first)| SortKey {
            column,
            descending,
            nulls_first,
        })
    };
    let order = prop_oneof![4 => vec(key(1..4), 1..2), 1 => vec(key(1..5), 0..3)];
    (partition, order).prop_flat_map(|(partition, order)| {
        let data_type = if let [key] = order.as_slice() { TYPES[key.column].clone() } else { DataType::Utf8 };
        (Just(partition), Just(order), vec(functions(data_type), 1..4))
    })
}

fn values() -> impl Strategy<Value = Vec<ScalarValue>> + Clone {
    let number =
        prop_oneof![6 => (0..12i32).prop_map(Some), 1 => Just(None), 1 => Just(Some(i32::MAX)), 1 => Just(Some(i32::MIN))];
    let float = prop_oneof![
        6 => (0..9i32).prop_map(|number| Some(f64::from(number) * 0.5)),
        1 => Just(None),
        1 => Just(Some(f64::NAN)),
        1 => Just(Some(f64::INFINITY)),
        1 => Just(Some(-0.0)),
    ];
    let argument = prop_oneof![6 => (0..6i64).prop_map(Some), 3 => Just(None), 1 => Just(Some(i64::MAX))];
    let filter = proptest::option::of(any::<bool>());
    (0..2i64, number.clone(), number, float, argument, filter).prop_map(|(partition, number, date, float, argument, filter)| {
        vec![
            ScalarValue::Int64(Some(partition)),
            ScalarValue::Int32(number),
            ScalarValue::Date32(date),
            ScalarValue::Float64(float),
            ScalarValue::Int64(argument),
            ScalarValue::Boolean(filter),
        ]
    })
}

/// A first epoch that makes partitions too long to be evaluated whole.
fn base() -> impl Strategy<Value = Vec<Row>> {
    vec((values(), prop_oneof![6 => Just(1i64), 1 => 2i64..7]), 60..140)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn small_partitions_are_those_of_the_interpreter(shape in shapes(), history in history(values())) {
        let (partition, order, functions) = shape;
        check(law(partition, order, functions), history);
    }

    #[test]
    fn long_partitions_are_those_of_the_interpreter(
        shape in shapes(),
        base in base(),
        epochs in vec((vec((any::<prop::sample::Index>(), 1i64..7), 0..3), vec(values(), 0..3)), 1..5),
    ) {
        let (partition, order, functions) = shape;
        let mut law = law(partition, order, functions);
        law.step(&[&base]);
        let mut live = base;
        for (gone, come) in epochs {
            let mut changes: Vec<Row> = Vec::new();
            for (index, copies) in gone {
                let (values, weight) = live.swap_remove(index.index(live.len()));
                let copies = copies.min(weight);
                changes.push((values.clone(), -copies));
                live.extend(Some((values, weight - copies)).filter(|(_, left)| *left > 0));
            }
            live.extend(come.iter().map(|values| (values.clone(), 1)));
            changes.extend(come.into_iter().map(|values| (values, 1)));
            law.step(&[&changes]);
        }
    }
}

#[test]
fn a_place_at_the_bytes_of_a_row_is_before_it() {
    let input = schema(&[DataType::Int64]);
    let mut builder = CircuitBuilder::new();
    let source = builder.source("s0", input.clone(), Properties::default());
    let bound = |offset| Some(FrameOffset::Exact(offset));
    let frame = Frame { units: FrameUnits::Range, start: bound(1), end: bound(9), exclude: Exclusion::NoOthers };
    let calls = vec![("n".to_owned(), call(aggregate(AggregateFunction::Count, None, None, frame)))];
    let output = builder.window_frame(source, vec![], vec![SortKey { descending: true, ..by(0) }], calls).unwrap();
    let circuit = builder.finish(output, None).unwrap();
    let operator = window_frame(&circuit.nodes[1], &input, None).unwrap();
    let number = |number: i64| (vec![ScalarValue::Int64(Some(number))], 1);
    let delta = Law::new(operator, circuit, true).step(&[&[number(1), number(0)]]);
    assert_eq!(delta["(1, 1)"], 1);
}

#[test]
fn intervals_and_nested_columns_are_kept_whole() {
    let field = |name: &str, data_type: DataType| Field::new(name, data_type, true);
    let list = DataType::List(Arc::new(field("item", DataType::Int64)));
    let input = Arc::new(Schema::new(vec![field("c0", DataType::Int64), field("c1", list)]));
    let mut builder = CircuitBuilder::new();
    let source = builder.source("s0", input.clone(), Properties::default());
    let calls = vec![("n".to_owned(), call(WindowFunction::RowNumber))];
    let output = builder.window_frame(source, vec![], vec![by(0)], calls).unwrap();
    let circuit = builder.finish(output, None).unwrap();
    let operator = window_frame(&circuit.nodes[1], &input, None).unwrap();
    let mut law = Law::new(operator, circuit, true);
    let values = ScalarValue::List(ScalarValue::new_list_nullable(
        &[ScalarValue::Int64(Some(3)), ScalarValue::Int64(None)],
        &DataType::Int64,
    ));
    assert_eq!(law.step(&[&[(vec![ScalarValue::Int64(Some(1)), values], 1)]]).len(), 1);
}
