//! The law for all kinds of windows, with times that have none.

#![allow(clippy::unwrap_used)]

use datafusion_common::ScalarValue;
use deltic_circuit::{CircuitBuilder, Properties};
use proptest::prelude::*;

use super::*;
use crate::testing::{Law, Row, check, history, schema};

fn law(window: Window, time: DataType) -> Law<TimeWindow> {
    let mut builder = CircuitBuilder::new();
    let source = builder.source("s0", schema(&[DataType::Utf8, time]), Properties::default());
    let windows = builder.time_window(source, 1, window).unwrap();
    let circuit = builder.finish(windows, None).unwrap();
    Law::new(TimeWindow::new(1, window, circuit.schema().clone()), circuit, false)
}

fn row(name: &str, time: Option<i64>, weight: i64) -> Row {
    (vec![ScalarValue::Utf8(Some(name.into())), ScalarValue::Int64(time)], weight)
}

const TUMBLE: Window = Window::Tumble { size: 10, offset: 0 };

#[test]
fn a_row_is_in_the_window_that_starts_at_its_time() {
    let mut law = law(TUMBLE, DataType::Int64);
    let delta = law.step(&[&[row("a", Some(9), 1), row("b", Some(10), 2), row("c", Some(-1), 1), row("d", None, 1)]]);
    assert_eq!(delta["('a', 9, 0, 10)"], 1);
    assert_eq!(delta["('b', 10, 10, 20)"], 2);
    assert_eq!(delta["('c', -1, -10, 0)"], 1);
    assert_eq!(delta.len(), 3, "a row without a time is in no window");
}

#[test]
fn a_deletion_takes_the_row_out_of_all_its_windows() {
    let mut law = law(Window::Hop { slide: 5, size: 10, offset: 0 }, DataType::Int64);
    assert_eq!(law.step(&[&[row("a", Some(7), 1)]]).len(), 2);
    assert_eq!(law.step(&[&[row("a", Some(7), -1)]])["('a', 7, 5, 15)"], -1);
}

#[test]
fn a_window_out_of_range_is_an_error_row() {
    let mut law = law(TUMBLE, DataType::Int64);
    assert_eq!(law.step(&[&[row("a", Some(i64::MAX), 2), row("b", Some(1), 1)]]).len(), 1);
    assert_eq!(law.errors().values().copied().collect::<Vec<_>>(), [2]);
    law.step(&[&[row("a", Some(i64::MAX), -2)]]);
    assert!(law.errors().is_empty());
}

#[test]
fn columns_are_shared_where_each_row_has_one_window() {
    let mut operator = TimeWindow::new(0, TUMBLE, schema(&[DataType::Int64, DataType::Int64, DataType::Int64]));
    let input = crate::testing::batch(&schema(&[DataType::Int64]), &[(vec![ScalarValue::Int64(Some(3))], 1)]);
    operator.push(0, input.clone());
    let output = operator.close(1);
    assert!(std::sync::Arc::ptr_eq(output.rows[0].column(0), input.column(0)));
}

fn windows() -> impl Strategy<Value = Window> {
    prop_oneof![
        (1..12i64, -3..4i64).prop_map(|(size, offset)| Window::Tumble { size, offset }),
        (1..6i64, 1..12i64, -3..4i64).prop_map(|(slide, size, offset)| Window::Hop { slide, size, offset }),
        (1..5i64, 1..4i64, -3..4i64).prop_map(|(step, steps, offset)| Window::Cumulate { step, size: step * steps, offset }),
    ]
}

fn values(dated: bool) -> impl Strategy<Value = Vec<ScalarValue>> + Clone {
    let time = proptest::option::of(prop_oneof![20 => -20..20i64, 1 => Just(i64::MAX), 1 => Just(i64::MIN)]);
    ("[ab]", time).prop_map(move |(name, time)| {
        let days = || time.and_then(|time| i32::try_from(time).ok());
        let time = if dated { ScalarValue::Date32(days()) } else { ScalarValue::Int64(time) };
        vec![ScalarValue::Utf8(Some(name)), time]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn each_row_is_in_its_windows(
        window in windows(), (dated, history) in any::<bool>().prop_flat_map(|dated| (Just(dated), history(values(dated))))
    ) {
        check(law(window, if dated { DataType::Date32 } else { DataType::Int64 }), history);
    }
}
