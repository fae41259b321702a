//! Random histories.

use deltic_circuit::AggregateFunction::{Avg, Count, Max, Min, Sum};
use deltic_zset::hash::{hash_columns, worker_of};
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::testing::{Change, batch, check, history, play_accepted, rows_of};

fn calls() -> impl Strategy<Value = Vec<AggregateCall>> {
    let argument = prop_oneof![2 => Just(NUMBER), 1 => Just(TIME), 3 => 3..12usize];
    let function = prop_oneof![Just(Count), Just(Sum), Just(Avg), Just(Min), Just(Max)];
    let call = (function, proptest::option::weighted(0.8, argument), proptest::bool::weighted(0.3));
    let call = call.prop_map(|(function, argument, filtered)| {
        let arguments: Vec<DataType> = argument.into_iter().map(|column: usize| TYPES[column].clone()).collect();
        let typed = aggregate_type(&function, &arguments);
        let (function, argument, data_type) = match typed {
            Some(data_type) => (function, argument, data_type),
            None => (Count, None, DataType::Int64),
        };
        AggregateCall { filter: filtered.then_some(FILTER), ..AggregateCall::new(function, argument, data_type) }
    });
    // Few calls are words more often.
    prop_oneof![vec(call.clone(), 0..3), vec(call, 1..7)]
}

fn few_words() -> impl Strategy<Value = Vec<AggregateCall>> {
    let function = prop_oneof![Just(Count), Just(Sum), Just(Avg), Just(Min), Just(Max)];
    let call = (function, prop_oneof![Just(NUMBER), Just(7)]).prop_map(|(function, argument)| call(function, Some(argument)));
    vec(call, 0..5)
}

/// Times that often touch for gaps of a few, and now and then the ends of the range.
fn times(span: i64) -> impl Strategy<Value = Option<i64>> + Clone {
    let time = prop_oneof![
        20 => -span..span,
        1 => Just(i64::MIN), 1 => Just(i64::MIN + 4), 1 => Just(i64::MAX), 1 => Just(i64::MAX - 4), 1 => Just(i64::MAX - 9)
    ];
    proptest::option::weighted(0.95, time)
}

fn values(span: i64) -> impl Strategy<Value = Vec<ScalarValue>> + Clone {
    let key = prop_oneof![6 => Just(Some(0i64)), 3 => (0..4i64).prop_map(Some), 1 => Just(None)];
    let number = prop_oneof![8 => -3..4i64, 1 => Just(i64::MAX), 1 => Just(i64::MIN)];
    let number = proptest::option::weighted(0.9, number);
    let float =
        prop_oneof![6 => (-3..4i32).prop_map(|n| f64::from(n) / 4.0), 1 => Just(f64::NAN), 1 => Just(-0.0), 1 => Just(1e300)];
    let text = proptest::option::of("[ab]{0,2}");
    let decimal = prop_oneof![6 => -3..4i128, 1 => Just(10i128.pow(38) - 1)];
    let small = proptest::option::of(-9..9i64);
    let interval = proptest::option::of(
        (-1..2i32, -31..32i32).prop_map(|(months, days)| arrow::datatypes::IntervalMonthDayNano::new(months, days, 0)),
    );
    (key, times(span), number, proptest::option::of(float), text, decimal, proptest::option::of(any::<bool>()), small, interval)
        .prop_map(|(key, time, number, float, text, decimal, filter, small, interval)| {
            vec![
                ScalarValue::Int64(key),
                ScalarValue::Int64(time),
                ScalarValue::Int64(number),
                ScalarValue::Float64(float),
                ScalarValue::Utf8(text),
                ScalarValue::Decimal128(Some(decimal), 38, 2),
                ScalarValue::Boolean(filter),
                ScalarValue::Decimal128(small.map(i128::from), 10, 3),
                ScalarValue::UInt64(small.map(|small| if small == 8 { u64::MAX } else { small.unsigned_abs() })),
                ScalarValue::TimestampMicrosecond(small, None),
                ScalarValue::IntervalMonthDayNano(interval),
                ScalarValue::Float32(float.map(|float| float as f32)),
            ]
        })
}

/// Rows that differ in little more than key and time, so that they are often equal.
fn plain_values(span: i64) -> impl Strategy<Value = Vec<ScalarValue>> + Clone {
    let key = prop_oneof![6 => Just(Some(0i64)), 3 => (0..4i64).prop_map(Some), 1 => Just(None)];
    (key, times(span), 0..3i64).prop_map(|(key, time, number)| row(key, time, Some(number), 1).0)
}

fn view(calls: impl Strategy<Value = Option<Vec<AggregateCall>>>) -> impl Strategy<Value = View> {
    let partition = prop_oneof![4 => Just(vec![KEY]), 1 => Just(vec![]), 1 => Just(vec![KEY, 4])];
    let gap = prop_oneof![Just(1i64), Just(3), Just(5), Just(20), Just(i64::MAX)];
    let most = proptest::option::weighted(0.3, 0..4u64);
    (partition, gap, most, calls).prop_map(|(partition, gap, most_sessions, calls)| View {
        partition,
        gap,
        most_sessions,
        ..View::of(calls)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_sum_of_the_deltas_is_the_sessions_of_the_sum(
        view in view(calls().prop_map(Some)), history in history(values(40))
    ) {
        check(view.law(), history);
    }

    #[test]
    fn so_it_is_with_words(view in view(few_words().prop_map(Some)), history in history(plain_values(25))) {
        check(view.law(), history);
    }

    #[test]
    fn so_it_is_with_rows(view in view(Just(None)), history in history(plain_values(25))) {
        check(view.law(), history);
    }

    #[test]
    fn inputs_that_never_retract_keep_no_rows(
        view in view(calls().prop_map(Some)), epochs in vec(vec((values(40), 1..3i64), 0..12), 1..6)
    ) {
        let view = View { append_only: true, ..view };
        let mut law = view.law();
        for rows in epochs {
            law.step(&[&rows]);
        }
    }
}

/// Long histories of few keys, so that keys outgrow the short arrays and the trees have several levels.
fn long_history() -> impl Strategy<Value = Vec<Vec<Vec<Change>>>> {
    let change = prop_oneof![
        4 => plain_values(600).prop_map(|values| Change::Insert((values, 1))),
        2 => (any::<usize>(), 1i64..2).prop_map(|(row, copies)| Change::Delete(row, copies)),
        1 => (any::<usize>(), plain_values(600)).prop_map(|(row, values)| Change::Update(row, values)),
    ];
    vec(vec(vec(change, 0..200), 1..2), 1..5)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(30))]

    #[test]
    fn keys_with_many_rows_are_as_those_with_few(
        view in view(prop_oneof![Just(None), few_words().prop_map(Some), calls().prop_map(Some)]), history in long_history()
    ) {
        check(view.law(), history);
    }
}

/// Epochs of changes, after each of which the watermark goes up by some.
fn watermarked(span: i64) -> impl Strategy<Value = Vec<(Vec<Vec<Change>>, i64)>> {
    let change = prop_oneof![
        5 => (plain_values(span), 1..3i64).prop_map(Change::Insert),
        2 => (any::<usize>(), 1i64..4).prop_map(|(row, copies)| Change::Delete(row, copies)),
        1 => (any::<usize>(), plain_values(span)).prop_map(|(row, values)| Change::Update(row, values)),
    ];
    vec((vec(vec(change, 0..12), 1..3), prop_oneof![1 => Just(0i64), 3 => 0..20i64]), 1..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_a_watermark_has_passed_leaves_the_state_and_not_the_view(
        view in view(prop_oneof![Just(None), few_words().prop_map(Some), calls().prop_map(Some)]),
        append_only in any::<bool>(),
        epochs in watermarked(60)
    ) {
        let append_only = append_only && view.calls.is_some();
        let view = View { has_watermark: true, most_sessions: None, append_only, ..view };
        let mut law = view.law();
        let (mut live, mut watermark) = (Vec::new(), -60);
        for (changes, by) in epochs {
            let changes = changes.into_iter().map(|changes| {
                changes.into_iter().filter(|change| !append_only || matches!(change, Change::Insert(_))).collect()
            });
            let accepted = |row: &[ScalarValue]| matches!(row[TIME], ScalarValue::Int64(Some(time)) if time >= watermark - LATENESS);
            let batches = play_accepted(changes.collect(), &mut live, accepted);
            watermark += by;
            law.info = at(watermark);
            law.step(&batches.iter().map(Vec::as_slice).collect::<Vec<_>>());
        }
        law.info = at(i64::MAX);
        law.step(&[]);
        // What ends at the last instant of all is never passed.
        let latest = live.iter().filter(|(row, _)| matches!(row[TIME], ScalarValue::Int64(Some(time)) if time > i64::MAX - 100));
        if view.gap < 100 && latest.count() == 0 {
            prop_assert_eq!(law.operator.state_size().rows, 0);
        }
    }

    #[test]
    fn three_workers_together_are_one(
        view in view(prop_oneof![Just(None), few_words().prop_map(Some)]), history in history(plain_values(25))
    ) {
        let circuit = view.circuit();
        let mut workers: Vec<_> = (0..3).map(|_| Any(session(&circuit, circuit.output).unwrap())).collect();
        let mut law = view.law();
        let (mut live, mut sum, mut errors) = (Vec::new(), std::collections::HashMap::new(), std::collections::HashMap::new());
        let (mut expected, mut expected_errors) = (sum.clone(), errors.clone());
        let mut hashes = Vec::new();
        for (epoch, changes) in history.into_iter().enumerate() {
            for rows in play_accepted(changes, &mut live, |_| true) {
                let rows = batch(&schema(&TYPES), &rows);
                let keys: Vec<_> = view.partition.iter().map(|&column| rows.column(column).clone()).collect();
                hash_columns(&keys, rows.len(), &mut hashes);
                for (number, worker) in workers.iter_mut().enumerate() {
                    let mine = hashes.iter().map(|&hash| worker_of(hash, 3) == number).collect();
                    worker.push(0, rows.filter(&mine).unwrap());
                }
                law.operator.push(0, rows);
            }
            let add = |output: Output, rows: &mut std::collections::HashMap<String, i64>, errors: &mut std::collections::HashMap<String, i64>| {
                for (batches, total) in [(output.rows, rows), (output.errors, errors)] {
                    for (row, weight) in batches.iter().flat_map(rows_of) {
                        *total.entry(row).or_default() += weight;
                    }
                    total.retain(|_, weight| *weight != 0);
                }
            };
            workers.iter_mut().for_each(|worker| add(worker.close(epoch as u64), &mut sum, &mut errors));
            add(law.operator.close(epoch as u64), &mut expected, &mut expected_errors);
            prop_assert_eq!((&sum, &errors), (&expected, &expected_errors));
        }
    }
}
