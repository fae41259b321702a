//! The meaning of time, in small examples: each shows rows in, watermark or clock, rows out.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use deltic_zset::ZBatch;

use super::evaluate_at;
use crate::{
    AggregateCall, AggregateFunction, AsOfComparison, Circuit, CircuitBuilder, Closing, EmitPolicy, EpochInfo, EventTime,
    IntervalJoinKind, JoinKey, JoinKind, NodeId, Properties, Retention, TimeMatch, TimeSource, Window, explain, render_row,
    retention,
};

/// Columns `k`, `t`: key and time.
fn schema() -> SchemaRef {
    Arc::new(Schema::new(["k", "t"].map(|name| Field::new(name, DataType::Int64, true)).to_vec()))
}

fn timed(relation: &str, lateness: i64) -> Properties {
    Properties {
        time_sources: vec![TimeSource { relation: relation.into(), lateness: Some(lateness) }],
        event_times: vec![EventTime { column: 1, slack: 0 }],
        ..Properties::default()
    }
}

fn rows(rows: &[(i64, Option<i64>)]) -> ZBatch {
    let keys: ArrayRef = Arc::new(rows.iter().map(|row| Some(row.0)).collect::<Int64Array>());
    let times: ArrayRef = Arc::new(rows.iter().map(|row| row.1).collect::<Int64Array>());
    ZBatch::new(schema(), vec![keys, times], None, rows.len())
}

fn at(watermark: i64) -> EpochInfo {
    EpochInfo { watermarks: [("a".into(), watermark), ("b".into(), watermark)].into(), ..EpochInfo::default() }
}

fn show(batch: &ZBatch) -> Vec<String> {
    let mut shown: Vec<String> =
        (0..batch.len()).map(|row| format!("{} x{}", render_row(batch, row), batch.weight(row))).collect();
    shown.sort();
    shown
}

/// A source: its name and its rows.
type Table<'a> = (&'a str, &'a [(i64, Option<i64>)]);

fn answer(circuit: &Circuit, sources: &[Table<'_>], info: &EpochInfo) -> Vec<String> {
    let sources: HashMap<String, ZBatch> = sources.iter().map(|(name, table)| ((*name).to_owned(), rows(table))).collect();
    show(&evaluate_at(circuit, &sources, info).expect("it evaluates").rows)
}

fn count() -> Vec<(String, AggregateCall)> {
    let call = AggregateCall::new(AggregateFunction::Count, None, DataType::Int64);
    vec![("n".to_owned(), call)]
}

fn sessions(emit: impl Fn(Closing) -> Option<EmitPolicy>) -> Circuit {
    let mut builder = CircuitBuilder::new();
    let a = builder.source("a", schema(), timed("a", 3));
    let mut node = builder.session_aggregates(a, vec![0], 1, 5, None, count()).expect("valid");
    let closing = builder.properties(node).closings[0];
    if let Some(policy) = emit(closing) {
        node = builder.emit(node, policy).expect("valid");
    }
    builder.finish(node, None).expect("valid")
}

#[test]
fn a_step_of_exactly_the_gap_links_and_one_more_does_not() {
    let circuit = sessions(|_| None);
    let links = answer(&circuit, &[("a", &[(1, Some(0)), (1, Some(5)), (2, Some(0)), (2, Some(6)), (3, None)])], &at(0));
    assert_eq!(links, ["(1, 0, 10, 2) x1", "(2, 0, 5, 1) x1", "(2, 6, 11, 1) x1"]);
}

#[test]
fn a_session_closes_when_the_watermark_is_past_its_end() {
    let circuit = sessions(|closing| Some(EmitPolicy::OnWindowClose(closing)));
    let input: &[(i64, Option<i64>)] = &[(1, Some(0))];
    assert!(answer(&circuit, &[("a", input)], &EpochInfo::default()).is_empty(), "no watermark closes nothing");
    assert!(answer(&circuit, &[("a", input)], &at(5)).is_empty(), "a row at 5 would still merge");
    assert_eq!(answer(&circuit, &[("a", input)], &at(6)), ["(1, 0, 5, 1) x1"]);
}

#[test]
fn final_waits_for_the_lateness_too() {
    let circuit = sessions(|closing| Some(EmitPolicy::Final(closing)));
    let input: &[(i64, Option<i64>)] = &[(1, Some(0))];
    assert!(answer(&circuit, &[("a", input)], &at(8)).is_empty());
    assert_eq!(answer(&circuit, &[("a", input)], &at(9)), ["(1, 0, 5, 1) x1"]);
}

#[test]
fn a_key_with_too_many_sessions_is_an_error_row() {
    let mut builder = CircuitBuilder::new();
    let a = builder.source("a", schema(), timed("a", 0));
    let node = builder.session_rows(a, vec![0], 1, 5, Some(1)).expect("valid");
    let circuit = builder.finish(node, None).expect("valid");
    let sources = [("a".to_owned(), rows(&[(1, Some(0)), (1, Some(9)), (2, Some(0))]))].into();
    let result = evaluate_at(&circuit, &sources, &at(0)).expect("it evaluates");
    assert_eq!(show(&result.rows), ["(2, 0, 0, 5) x1"]);
    assert_eq!(show(&result.errors), ["('DT2008', 'more than 1 sessions of one key', 'session', '(1)') x1"]);
}

fn window(window: Window) -> (CircuitBuilder, NodeId) {
    let mut builder = CircuitBuilder::new();
    let a = builder.source("a", schema(), timed("a", 0));
    let node = builder.time_window(a, 1, window).expect("valid");
    (builder, node)
}

#[test]
fn every_window_of_a_row_has_a_copy_of_it() {
    let (builder, node) = window(Window::Hop { slide: 5, size: 10, offset: 0 });
    let circuit = builder.finish(node, None).expect("valid");
    let input: &[(i64, Option<i64>)] = &[(1, Some(7)), (2, None)];
    assert_eq!(answer(&circuit, &[("a", input)], &at(0)), ["(1, 7, 0, 10) x1", "(1, 7, 5, 15) x1"]);
}

#[test]
fn a_row_of_a_closed_tumbling_window_is_final_by_start_and_by_end() {
    let (mut builder, node) = window(Window::Tumble { size: 10, offset: 0 });
    let grouped = builder.aggregate(node, vec![2, 3], count()).expect("valid");
    let properties = builder.properties(grouped).clone();
    assert_eq!(properties.event_times, [EventTime { column: 0, slack: 9 }, EventTime { column: 1, slack: -1 }]);
    assert_eq!(properties.closings.len(), 2);
    for closing in &properties.closings {
        let time = properties.event_times.iter().find(|time| time.column == closing.column).expect("bounds have an event time");
        assert!(closing.is_final_under(*time), "{closing:?}");
    }
    let emitted = builder.emit(grouped, EmitPolicy::OnWindowClose(properties.closings[0])).expect("valid");
    assert!(builder.properties(emitted).append_only, "without lateness a closed window does not change");
    let circuit = builder.finish(emitted, None).expect("valid");
    assert!(answer(&circuit, &[("a", &[(1, Some(3))])], &at(9)).is_empty());
    assert_eq!(answer(&circuit, &[("a", &[(1, Some(3))])], &at(10)), ["(0, 10, 1) x1"]);
    let state = explain::state(&circuit);
    assert!(state.contains("while #3 >= watermark(a) + 1"), "{state}");
}

fn pair(build: impl Fn(&mut CircuitBuilder, [NodeId; 2]) -> NodeId) -> Circuit {
    let mut builder = CircuitBuilder::new();
    let inputs = ["a", "b"].map(|name| builder.source(name, schema(), timed(name, 0)));
    let node = build(&mut builder, inputs);
    builder.finish(node, None).expect("valid")
}

fn by_key() -> TimeMatch {
    TimeMatch { keys: vec![JoinKey { left: 0, right: 0, null_safe: false }], left_time: 1, right_time: 1 }
}

#[test]
fn an_interval_join_includes_both_ends() {
    let left: &[(i64, Option<i64>)] = &[(1, Some(10)), (2, Some(10)), (1, None)];
    let right: &[(i64, Option<i64>)] = &[(1, Some(8)), (1, Some(12)), (1, Some(7)), (1, Some(13))];
    let join = |kind| {
        let circuit = pair(|builder, inputs| builder.interval_join(inputs, kind, by_key(), (-2, 2), None).expect("valid"));
        answer(&circuit, &[("a", left), ("b", right)], &at(0))
    };
    assert_eq!(join(IntervalJoinKind::Inner), ["(1, 10, 1, 12) x1", "(1, 10, 1, 8) x1"]);
    assert_eq!(join(IntervalJoinKind::Semi), ["(1, 10) x1"]);
    assert_eq!(join(IntervalJoinKind::Anti), ["(1, NULL) x1", "(2, 10) x1"]);
    assert_eq!(join(IntervalJoinKind::Full).len(), 6);
}

#[test]
fn an_interval_join_keeps_rows_while_a_partner_may_come() {
    let circuit =
        pair(|builder, inputs| builder.interval_join(inputs, IntervalJoinKind::Inner, by_key(), (-2, 7), None).expect("valid"));
    let kept = retention(&circuit, circuit.output);
    let slacks: Vec<i64> =
        kept.iter().filter_map(|kept| if let Retention::While { slack, .. } = kept { Some(*slack) } else { None }).collect();
    assert_eq!(slacks, [7, 2]);
}

#[test]
fn an_as_of_join_takes_the_nearest_row() {
    let left: &[(i64, Option<i64>)] = &[(1, Some(10)), (1, Some(4)), (2, Some(1))];
    let right: &[(i64, Option<i64>)] = &[(1, Some(10)), (1, Some(5)), (1, Some(12))];
    let join = |kind, comparison| {
        let circuit = pair(|builder, inputs| builder.as_of_join(inputs, kind, by_key(), comparison).expect("valid"));
        answer(&circuit, &[("a", left), ("b", right)], &at(0))
    };
    assert_eq!(join(JoinKind::Inner, AsOfComparison::GreaterOrEqual), ["(1, 10, 1, 10) x1"]);
    assert_eq!(join(JoinKind::Inner, AsOfComparison::Greater), ["(1, 10, 1, 5) x1"]);
    assert_eq!(join(JoinKind::Inner, AsOfComparison::Less), ["(1, 10, 1, 12) x1", "(1, 4, 1, 5) x1"]);
    assert_eq!(
        join(JoinKind::Left, AsOfComparison::GreaterOrEqual),
        ["(1, 10, 1, 10) x1", "(1, 4, NULL, NULL) x1", "(2, 1, NULL, NULL) x1"]
    );
}

#[test]
fn an_idle_source_holds_nothing_back() {
    let sources: Vec<TimeSource> = ["a", "b"].map(|name| TimeSource { relation: name.into(), lateness: Some(1) }).to_vec();
    let mut info = EpochInfo { watermarks: [("a".into(), 10), ("b".into(), 20)].into(), ..EpochInfo::default() };
    assert_eq!((info.watermark(&sources), info.bound(&sources)), (Some(10), Some(9)));
    info.idle.insert("a".into());
    assert_eq!(info.watermark(&sources), Some(20));
    info.idle.insert("b".into());
    assert_eq!(info.watermark(&sources), Some(10), "if all are idle, none is");
    info.watermarks.remove("b");
    assert_eq!(info.watermark(&sources), None);
}
