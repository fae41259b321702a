//! The law against the interpreter, and the corner cases by name. These tests cannot see two workers, nor a mistake in the finishing of
//! accumulators, which the interpreter shares.

#![allow(clippy::unwrap_used)]

use arrow::datatypes::{IntervalMonthDayNano, IntervalUnit, TimeUnit};
use datafusion_common::ScalarValue;
use deltic_circuit::AggregateFunction::{self, *};
use deltic_circuit::{Operator, SortKey, aggregate::aggregate_type};
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::testing::{Law, Row, check, circuit, history, schema};

/// The input: key, key, then arguments.
const TYPES: [DataType; 13] = [
    DataType::Int64,
    DataType::Utf8,
    DataType::Int64,
    DataType::Int32,
    DataType::Decimal128(38, 2),
    DataType::Float64,
    DataType::Utf8,
    DataType::Boolean,
    DataType::Decimal128(10, 3),
    DataType::UInt64,
    DataType::Float32,
    INTERVAL,
    DataType::Timestamp(TimeUnit::Microsecond, None),
];
const INTERVAL: DataType = DataType::Interval(IntervalUnit::MonthDayNano);
const FILTER: usize = 7;

fn call(function: AggregateFunction, argument: Option<usize>) -> AggregateCall {
    let data_type =
        aggregate_type(&function, &argument.map(|column| TYPES[column].clone()).into_iter().collect::<Vec<_>>()).unwrap();
    AggregateCall::new(function, argument, data_type)
}

fn law_over(group: &[usize], calls: &[AggregateCall], append_only: bool) -> Law<Aggregate> {
    let input = schema(&TYPES);
    let types: Vec<DataType> =
        group.iter().map(|&column| TYPES[column].clone()).chain(calls.iter().map(|call| call.data_type.clone())).collect();
    let output = schema(&types);
    let operator = Operator::Aggregate { group: group.to_vec(), aggregates: calls.to_vec() };
    let mut circuit = circuit(operator, std::slice::from_ref(&input), &output);
    circuit.nodes[0].properties.append_only = append_only;
    let aggregate = Aggregate::try_new(group, calls, &circuit.nodes[0], output, true).unwrap();
    Law::new(aggregate, circuit, true)
}

fn law(group: &[usize], calls: &[AggregateCall]) -> Law<Aggregate> {
    law_over(group, calls, false)
}

/// A row with key `key`, number `number` in all numeric columns, and text `text`.
fn row(key: i64, number: Option<i64>, text: &str, weight: i64) -> Row {
    let decimal = |precision, scale| ScalarValue::Decimal128(number.map(i128::from), precision, scale);
    let values = vec![
        ScalarValue::Int64(Some(key)),
        ScalarValue::Utf8(None),
        ScalarValue::Int64(number),
        ScalarValue::Int32(number.map(|number| number as i32)),
        decimal(38, 2),
        ScalarValue::Float64(number.map(|number| number as f64)),
        ScalarValue::Utf8(Some(text.to_owned())),
        ScalarValue::Boolean(number.map(|number| number > 0)),
        decimal(10, 3),
        ScalarValue::UInt64(None),
        ScalarValue::Float32(None),
        ScalarValue::IntervalMonthDayNano(None),
        ScalarValue::TimestampMicrosecond(None, None),
    ];
    (values, weight)
}

fn float(value: f64, weight: i64) -> Row {
    let (mut values, _) = row(1, Some(0), "", weight);
    values[5] = ScalarValue::Float64(Some(value));
    (values, weight)
}

#[test]
fn without_group_columns_there_is_always_one_row() {
    let mut law = law(&[], &[call(Count, None), call(Sum, Some(2)), call(Min, Some(6))]);
    assert_eq!(law.step(&[])["(0, NULL, NULL)"], 1);
    assert!(law.step(&[]).is_empty());
    assert_eq!(law.step(&[&[row(1, Some(5), "a", 2)]]).len(), 2);
    assert_eq!(law.step(&[&[row(1, Some(5), "a", -2)]])["(0, NULL, NULL)"], 1);
}

#[test]
fn an_error_among_counts_and_sums_leaves_the_other_groups_alone() {
    let mut law = law(&[0], &[call(Count, None), call(Sum, Some(2)), call(Count, Some(2))]);
    assert_eq!(law.step(&[&[row(1, Some(i64::MAX), "", 1), row(2, None, "", 1), row(3, Some(7), "", 1)]])["(2, 1, NULL, 0)"], 1);
    let delta = law.step(&[&[row(1, Some(1), "", 1), row(2, Some(0), "", 1), row(3, Some(7), "", -1)]]);
    assert_eq!((delta.len(), law.errors().len()), (4, 1));
    assert_eq!(delta["(2, 2, 0, 1)"], 1);
    assert_eq!(law.step(&[&[row(1, Some(1), "", -1)]])[&format!("(1, 1, {}, 1)", i64::MAX)], 1);
    assert!(law.errors().is_empty());
}

#[test]
fn the_row_of_no_group_may_come_with_the_first_rows() {
    let mut law = law(&[], &[call(Count, None)]);
    assert_eq!(law.step(&[&[row(1, None, "", 3)]]).into_iter().collect::<Vec<_>>(), [("(3)".to_owned(), 1)]);
}

#[test]
fn only_the_owner_has_the_row_of_no_group() {
    let circuit = circuit(Operator::Union, &[schema(&TYPES)], &schema(&TYPES));
    let schema = schema(&[DataType::Int64]);
    let mut other = Aggregate::try_new(&[], &[call(Count, None)], &circuit.nodes[0], schema, false).unwrap();
    assert!(other.close(1).rows.is_empty());
    assert!(other.contents().unwrap().is_empty());
}

#[test]
fn a_group_that_is_emptied_and_refilled_in_one_epoch_emits_nothing() {
    let mut law = law(&[0], &[call(Count, None), call(Sum, Some(2)), call(Max, Some(6)), call(Avg, Some(5))]);
    law.step(&[&[row(1, Some(5), "a", 1)]]);
    assert!(law.step(&[&[row(1, Some(5), "a", -1)], &[row(1, Some(5), "a", 1)]]).is_empty());
    assert_eq!(law.step(&[&[row(1, Some(5), "a", -1)]]).len(), 1);
    assert_eq!(law.operator.state_size().rows, 0);
    assert_eq!(law.step(&[&[row(1, Some(5), "a", 1)]]).len(), 1);
}

#[test]
fn an_update_that_leaves_the_result_unchanged_emits_nothing() {
    let mut law = law(&[0], &[call(Avg, Some(2)), call(Min, Some(2))]);
    law.step(&[&[row(1, Some(4), "", 1)]]);
    assert!(law.step(&[&[row(1, Some(4), "", 2)]]).is_empty());
    assert!(law.step(&[&[row(1, Some(4), "", -2)]]).is_empty());
}

#[test]
fn overflow_is_an_error_until_it_fits_again() {
    let mut law = law(&[0], &[call(Count, None), call(Sum, Some(2))]);
    law.step(&[&[row(1, Some(i64::MAX), "", 1)]]);
    assert!(law.errors().is_empty());
    assert_eq!(law.step(&[&[row(1, Some(1), "", 1)]]).values().copied().collect::<Vec<_>>(), [-1]);
    assert_eq!(law.errors().len(), 1);
    assert!(law.step(&[&[row(1, Some(1), "", 1)]]).is_empty());
    assert_eq!(law.errors().len(), 1);
    assert_eq!(law.step(&[&[row(1, Some(-2), "", 1)]]).len(), 1);
    assert!(law.errors().is_empty());
}

#[test]
fn a_sum_may_overflow_inside_an_epoch() {
    let mut law = law(&[0], &[call(Sum, Some(2))]);
    assert_eq!(law.step(&[&[row(1, Some(i64::MAX), "", 4)], &[row(1, Some(i64::MAX), "", -3)]]).len(), 1);
    assert!(law.errors().is_empty());
}

#[test]
fn a_big_weight_multiplies() {
    let mut law = law(&[0], &[call(Count, None), call(Sum, Some(2)), call(Sum, Some(4)), call(Avg, Some(4))]);
    law.step(&[&[row(1, Some(1), "", 1 << 40), row(2, Some(i64::MAX), "", 1 << 40)]]);
    assert_eq!(law.errors().len(), 1);
}

#[test]
fn the_next_value_is_the_minimum_when_the_minimum_is_deleted() {
    let mut law = law(&[0], &[call(Min, Some(2)), call(Max, Some(6))]);
    law.step(&[&[row(1, Some(3), "b", 1), row(1, Some(-2), "a", 2), row(1, None, "c", 1)]]);
    assert!(law.step(&[&[row(1, Some(-2), "a", -1)]]).is_empty());
    assert_eq!(law.step(&[&[row(1, Some(-2), "a", -1)]])["(1, 3, 'c')"], 1);
    assert_eq!(law.step(&[&[row(1, Some(3), "b", -1)]])["(1, NULL, 'c')"], 1);
}

#[test]
fn floats_cancel_exactly() {
    let mut law = law(&[0], &[call(Sum, Some(5)), call(Avg, Some(5)), call(Max, Some(5))]);
    law.step(&[&[float(1e300, 1), float(1.0, 1), float(f64::NAN, 1), float(f64::INFINITY, 1)]]);
    law.step(&[&[float(f64::NAN, -1), float(f64::INFINITY, -1)]]);
    assert_eq!(law.step(&[&[float(1e300, -1)]])["(1, 1.0, 1.0, 1.0)"], 1);
    assert_eq!(law.step(&[&[float(-1.0, 1)]])["(1, 0.0, 0.0, 1.0)"], 1);
}

/// NULLs are left out of the sums and of the counts, each for itself.
#[test]
fn an_average_of_sums_and_counts() {
    let mut law = law(&[0], &[AggregateCall::new(Avg, [4, 2], DataType::Decimal128(38, 6)), call(Sum, Some(2))]);
    let part = |sum: Option<i128>, count: Option<i64>, weight: i64| {
        let (mut values, _) = row(1, count, "", weight);
        values[4] = ScalarValue::Decimal128(sum, 38, 2);
        (values, weight)
    };
    assert_eq!(law.step(&[&[part(Some(1000), Some(3), 2), part(None, Some(0), 1)]])["(1, 3.333333, 6)"], 1);
    assert_eq!(law.step(&[&[part(Some(500), None, 1), part(None, Some(4), 1)]])["(1, 2.500000, 10)"], 1);
    assert_eq!(law.step(&[&[part(Some(1000), Some(3), -2), part(None, Some(4), -1)]])["(1, NULL, 0)"], 1);
}

#[test]
fn distinct_arguments_count_once() {
    let distinct = |function, column| AggregateCall { distinct: true, ..call(function, Some(column)) };
    let mut law = law(&[0], &[distinct(Count, 2), distinct(Sum, 2), call(Count, Some(2)), distinct(Count, 6)]);
    assert_eq!(law.step(&[&[row(1, Some(5), "a", 3), row(1, Some(7), "a", 1), row(1, None, "b", 1)]])["(1, 2, 12, 4, 2)"], 1);
    assert_eq!(law.step(&[&[row(1, Some(5), "a", -2)]])["(1, 2, 12, 2, 2)"], 1);
    assert_eq!(law.step(&[&[row(1, Some(5), "a", -1)]])["(1, 1, 7, 1, 2)"], 1);
}

#[test]
fn a_negative_total_is_an_error_until_it_is_made_good() {
    let input = schema(&TYPES);
    let circuit = circuit(Operator::Union, std::slice::from_ref(&input), &input);
    let output = schema(&[DataType::Int64, DataType::Int64]);
    let mut aggregate = Aggregate::try_new(&[0], &[call(Count, None)], &circuit.nodes[0], output, true).unwrap();
    let mut step = |weight| {
        aggregate.push(0, crate::testing::batch(&input, &[row(1, None, "", weight)]));
        let output = aggregate.close(1);
        let sum =
            |batches: &[ZBatch]| batches.iter().flat_map(|batch| (0..batch.len()).map(|row| batch.weight(row))).sum::<i64>();
        (sum(&output.rows), sum(&output.errors))
    };
    assert_eq!(step(-1), (0, 1));
    assert_eq!(step(-1), (0, 0));
    assert_eq!(step(3), (1, -1));
    assert_eq!(step(-1), (-1, 0));
}

/// One call of `function` if it is defined for the types of its arguments, else a count.
fn call_of(function: AggregateFunction, arguments: Vec<usize>) -> AggregateCall {
    let types: Vec<DataType> = arguments.iter().map(|&column| TYPES[column].clone()).collect();
    match aggregate_type(&function, &types) {
        Some(data_type) => AggregateCall::new(function, arguments, data_type),
        None => AggregateCall::new(Count, None, DataType::Int64),
    }
}

fn argument() -> impl Strategy<Value = usize> {
    prop_oneof![2..7usize, 8..13usize]
}

/// Sums, counts and extremes; of two arguments an average of sums and counts.
fn plain_call() -> impl Strategy<Value = AggregateCall> {
    let function = prop_oneof![Just(Count), Just(Sum), Just(Avg), Just(Min), Just(Max)];
    (function, vec(argument(), 0..3)).prop_map(|(function, mut arguments)| {
        arguments.truncate(if matches!(function, Count | Avg) { 2 } else { 1 });
        call_of(function, arguments)
    })
}

/// What is computed from sums of powers, and from counts of bits.
fn linear_call() -> impl Strategy<Value = AggregateCall> {
    use deltic_circuit::Moment::*;
    let one = prop_oneof![Just(VarPop), Just(VarSamp), Just(StddevPop), Just(StddevSamp)];
    let two = prop_oneof![Just(CovarPop), Just(CovarSamp), Just(Corr), Just(RegrAvgX), Just(RegrAvgY), Just(RegrIntercept)];
    let more = prop_oneof![Just(RegrR2), Just(RegrSlope), Just(RegrSxx), Just(RegrSxy), Just(RegrSyy)];
    let number = prop_oneof![2..6usize, 8..11usize];
    let bits = prop_oneof![Just(BitAnd), Just(BitOr), Just(BitXor)];
    prop_oneof![
        (one, number.clone()).prop_map(|(moment, x)| call_of(Moment(moment), vec![x])),
        (prop_oneof![two, more], number.clone(), number).prop_map(|(moment, y, x)| call_of(Moment(moment), vec![y, x])),
        (bits, prop_oneof![Just(2usize), Just(3), Just(9)]).prop_map(|(function, x)| call_of(function, vec![x])),
        prop_oneof![Just(BoolAnd), Just(BoolOr)].prop_map(|function| call_of(function, vec![FILTER])),
    ]
}

/// What depends on an order, or reads the whole group.
fn ordered_call() -> impl Strategy<Value = AggregateCall> {
    let function = prop_oneof![
        prop_oneof![Just(FirstValue), Just(LastValue), Just(NthValue), Just(ArgMin), Just(ArgMax), Just(Mode)],
        prop_oneof![Just(Median), Just(PercentileCont), Just(PercentileDisc)],
        prop_oneof![Just(StringAgg), Just(ArrayAgg), Just(JsonAgg), Just(JsonObjectAgg), Just(JsonbObjectAgg), Just(MapAgg)],
    ];
    let key = (argument(), any::<bool>(), any::<bool>());
    let fraction = prop_oneof![Just(0.0), Just(0.1), Just(0.25), Just(0.5), Just(0.9), Just(1.0)];
    let constants = (fraction, prop_oneof![-3..0i64, 1..4i64]);
    (function, argument(), argument(), vec(key, 0..3), constants, any::<bool>()).prop_map(
        |(function, first, second, order, (fraction, place), ignore_nulls)| {
            let mut call = match function {
                ArgMin | ArgMax | JsonObjectAgg | JsonbObjectAgg | MapAgg => call_of(function, vec![first, second]),
                StringAgg => call_of(function, vec![6]),
                Median | PercentileCont => call_of(function, vec![if first == 6 || first > 10 { 5 } else { first }]),
                function => call_of(function, vec![first]),
            };
            let argument = call.argument();
            let choosing = matches!(call.function, Median | PercentileCont | PercentileDisc | Mode);
            if call.function.is_ordered() && !matches!(call.function, ArgMin | ArgMax) {
                let key = |(column, descending, nulls_first): (usize, bool, bool)| SortKey {
                    column: argument.filter(|_| choosing).unwrap_or(column),
                    descending,
                    nulls_first,
                };
                call.order = order.into_iter().map(key).collect();
                call.order.truncate(if choosing { 1 } else { 2 });
                call.order.dedup_by_key(|key| key.column);
            }
            call.parameters = match call.function {
                PercentileCont | PercentileDisc => vec![ScalarValue::Float64(Some(fraction))],
                NthValue => vec![ScalarValue::Int64(Some(place))],
                StringAgg => vec![ScalarValue::Utf8(Some("-".to_owned()))],
                _ => vec![],
            };
            call.ignore_nulls = ignore_nulls && call.function.is_ordered();
            call
        },
    )
}

fn calls() -> impl Strategy<Value = Vec<AggregateCall>> {
    let call = prop_oneof![2 => plain_call(), 2 => linear_call(), 3 => ordered_call()];
    let call = (call, any::<bool>(), proptest::bool::weighted(0.3)).prop_map(|(mut call, distinct, filtered)| {
        let orders_by_others = call.order.iter().any(|key| !call.arguments.contains(&key.column));
        call.distinct = distinct && !call.arguments.is_empty() && !orders_by_others;
        call.filter = filtered.then_some(FILTER);
        call
    });
    vec(call, 1..6)
}

fn values() -> impl Strategy<Value = Vec<ScalarValue>> + Clone {
    let maybe = proptest::option::weighted::<std::ops::Range<i64>>;
    let integer = prop_oneof![6 => -3..4i64, 1 => Just(i64::MAX), 1 => Just(i64::MIN)];
    let decimal = prop_oneof![6 => -3..4i128, 1 => Just(10i128.pow(38) - 1), 1 => Just(1 - 10i128.pow(38))];
    let float = prop_oneof![
        6 => (-3..4i32).prop_map(|n| f64::from(n) / 4.0),
        1 => Just(f64::NAN),
        1 => Just(f64::INFINITY),
        1 => Just(-0.0),
        1 => Just(1e300),
        1 => Just(1e-300),
    ];
    let option = proptest::option::of::<BoxedStrategy<i64>>;
    (
        maybe(0.8, 0..3),
        proptest::option::of("[ab]"),
        option(integer.boxed()),
        maybe(0.8, -4..4),
        proptest::option::of(decimal),
        proptest::option::of(float),
        proptest::option::of("[ab]{0,15}"),
        proptest::option::of(any::<bool>()),
        (maybe(0.8, -9..9), proptest::option::of(prop_oneof![Just(u64::MAX), 0..9u64]), intervals()),
    )
        .prop_map(|(key, text_key, integer, small, decimal, float, text, filter, (narrow, unsigned, interval))| {
            vec![
                ScalarValue::Int64(key),
                ScalarValue::Utf8(text_key),
                ScalarValue::Int64(integer),
                ScalarValue::Int32(small.map(|small| small as i32)),
                ScalarValue::Decimal128(decimal, 38, 2),
                ScalarValue::Float64(float),
                ScalarValue::Utf8(text),
                ScalarValue::Boolean(filter),
                ScalarValue::Decimal128(narrow.map(i128::from), 10, 3),
                ScalarValue::UInt64(unsigned),
                ScalarValue::Float32(float.map(|float| float as f32)),
                ScalarValue::IntervalMonthDayNano(interval),
                ScalarValue::TimestampMicrosecond(narrow, None),
            ]
        })
}

/// Durations of a few days in several spellings.
fn intervals() -> impl Strategy<Value = Option<IntervalMonthDayNano>> + Clone {
    let interval = (-1..2i32, -31..32i32, -2..3i64)
        .prop_map(|(months, days, hours)| IntervalMonthDayNano::new(months, days, hours * 12 * 3_600_000_000_000));
    proptest::option::of(interval)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_sum_of_the_deltas_is_the_aggregate_of_the_sum(
        group in prop_oneof![Just(vec![]), Just(vec![0]), Just(vec![1]), Just(vec![0, 1]), Just(vec![5])],
        calls in calls(),
        history in history(values()),
    ) {
        check(law(&group, &calls), history);
    }

    #[test]
    fn append_only_inputs_need_no_index(
        group in prop_oneof![Just(vec![]), Just(vec![0])],
        calls in calls(),
        epochs in vec(vec((values(), 1..3i64), 0..12), 1..5),
    ) {
        let mut law = law_over(&group, &calls, true);
        for rows in epochs {
            law.step(&[&rows]);
        }
    }
}
