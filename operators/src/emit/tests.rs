//! The law of rows that show when their window closes, what is counted, and samples at ticks.

#![allow(clippy::unwrap_used)]

use arrow::datatypes::DataType;
use datafusion_common::ScalarValue;
use deltic_circuit::{Circuit, CircuitBuilder, Closing, Operator, Ticks};
use proptest::prelude::*;

use super::*;
use crate::testing::timed::{Timed, check_timed, infos, lateness, sources};
use crate::testing::{Law, Row, batch, history, play, rows_of, schema};
use crate::{EpochOperator, Output};

const TYPES: [DataType; 2] = [DataType::Utf8, DataType::Int64];

fn circuit(policy: EmitPolicy, lateness: Option<i64>) -> Circuit {
    let mut builder = CircuitBuilder::new();
    let source = sources(&mut builder, &[(schema(&TYPES), Timed { time: 1, lateness })])[0];
    let emitted = builder.emit(source, policy).unwrap();
    builder.finish(emitted, None).unwrap()
}

fn closed(policy: EmitPolicy, lateness: Option<i64>) -> Law<EmitClosed> {
    let circuit = circuit(policy, lateness);
    let (schema, sources) = (circuit.schema().clone(), circuit.nodes[1].properties.time_sources.clone());
    let operator = match policy {
        EmitPolicy::Final(closing) => EmitClosed::when_final(closing, sources, schema),
        EmitPolicy::OnWindowClose(closing) => EmitClosed::on_window_close(closing, sources, schema),
        EmitPolicy::Every { .. } => unreachable!("there is no law between ticks"),
    };
    Law::new(operator.unwrap(), circuit, true)
}

fn row(text: &str, end: i64, weight: i64) -> Row {
    (vec![ScalarValue::Utf8(Some(text.into())), ScalarValue::Int64(Some(end))], weight)
}

fn on_close(offset: i64, strict: bool) -> EmitPolicy {
    EmitPolicy::OnWindowClose(Closing { column: 1, offset, strict })
}

fn watermark(law: &mut Law<EmitClosed>, watermark: i64) {
    law.info.watermarks.insert("s0".into(), watermark);
}

#[test]
fn a_row_shows_once_its_window_is_closed_and_corrections_pass() {
    let mut law = closed(on_close(0, false), Some(5));
    watermark(&mut law, 8);
    assert!(law.step(&[&[row("a", 10, 1), row("b", 20, 1)]]).is_empty());
    assert!(law.step(&[&[row("a", 10, -1), row("A", 10, 1)]]).is_empty());
    watermark(&mut law, 10);
    assert_eq!(law.step(&[&[]]), [("('A', 10)".to_owned(), 1)].into());
    assert_eq!(law.step(&[&[row("A", 10, -1), row("AA", 10, 1)]]).len(), 2);
    assert_eq!(law.step(&[&[row("AA", 10, -1), row("A", 10, 1)]]).len(), 2);
    assert_eq!(law.operator.state_size().rows, 1);
    let metrics = law.operator.metrics();
    assert_eq!((metrics.initial_firings, metrics.late_firings, metrics.records_in_late_firing), (1, 2, 4));
    assert_eq!((metrics.windows_with_late_data, metrics.retractions_emitted), (1, 2));
}

#[test]
fn a_session_waits_until_the_watermark_is_past_its_end() {
    let mut law = closed(on_close(0, true), Some(0));
    watermark(&mut law, 10);
    assert!(law.step(&[&[row("a", 10, 1)]]).is_empty());
    watermark(&mut law, 11);
    assert_eq!(law.step(&[&[]]).len(), 1);
}

#[test]
fn a_session_that_is_reopened_is_taken_back_until_it_closes_again() {
    let mut law = closed(on_close(0, true), Some(10));
    watermark(&mut law, 11);
    assert_eq!(law.step(&[&[row("a", 10, 1)]]).len(), 1);
    assert_eq!(law.step(&[&[row("a", 10, -1), row("aa", 14, 1)]])["('a', 10)"], -1);
    watermark(&mut law, 15);
    assert_eq!(law.step(&[&[]])["('aa', 14)"], 1);
}

#[test]
fn a_session_that_grows_late_fires_once() {
    // Key, start, end: a key and a bound are one session.
    const SESSION: [DataType; 3] = [const { DataType::Int64 }; 3];
    let mut builder = CircuitBuilder::new();
    let source = sources(&mut builder, &[(schema(&SESSION), Timed { time: 2, lateness: Some(50) })])[0];
    let policy = EmitPolicy::OnWindowClose(Closing { column: 2, offset: 0, strict: true });
    let emitted = builder.emit(source, policy).unwrap();
    let circuit = builder.finish(emitted, None).unwrap();
    let of = circuit.nodes[1].properties.time_sources.clone();
    let operator = EmitClosed::on_window_close(Closing { column: 2, offset: 0, strict: true }, of, circuit.schema().clone());
    let keys = vec![vec![0, 1], vec![0, 2]];
    let mut law = Law::new(operator.unwrap().with_unique_keys(keys), circuit, true);
    let session = |key: i64, start: i64, end: i64, weight: i64| -> Row {
        ([key, start, end].map(|value| ScalarValue::Int64(Some(value))).to_vec(), weight)
    };
    watermark(&mut law, 100);
    let firings = |law: &Law<EmitClosed>| {
        let metrics = law.operator.metrics();
        (metrics.late_firings, metrics.windows_with_late_data)
    };
    law.step(&[&[session(1, 0, 20, 1), session(1, 40, 60, 1), session(2, 0, 20, 1), session(2, 40, 50, 1)]]);
    assert_eq!(firings(&law), (0, 0));
    // To the right, and to the left: each is one session that has grown.
    law.step(&[&[session(1, 0, 20, -1), session(1, 0, 25, 1)]]);
    assert_eq!(firings(&law), (1, 1));
    law.step(&[&[session(2, 40, 50, -1), session(2, 35, 50, 1)]]);
    assert_eq!(firings(&law), (2, 2));
    // Two become one; two of different keys change at once; one is gone.
    law.step(&[&[session(1, 0, 25, -1), session(1, 40, 60, -1), session(1, 0, 60, 1)]]);
    assert_eq!(firings(&law), (3, 2));
    law.step(&[&[session(1, 0, 60, -1), session(1, 0, 61, 1), session(2, 0, 20, -1), session(2, 0, 23, 1)]]);
    assert_eq!(firings(&law), (5, 2));
    law.step(&[&[session(2, 0, 23, -1)]]);
    assert_eq!(firings(&law), (6, 2));
}

#[test]
fn a_final_row_waits_for_the_lateness() {
    let mut law = closed(EmitPolicy::Final(Closing { column: 1, offset: 0, strict: false }), Some(5));
    watermark(&mut law, 14);
    assert!(law.step(&[&[row("a", 10, 1)]]).is_empty());
    watermark(&mut law, 15);
    assert_eq!(law.step(&[&[]]).len(), 1);
    assert_eq!(law.operator.state_size().rows, 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_is_shown_is_what_is_closed(
        when_final in any::<bool>(), offset in -3..4i64, strict in any::<bool>(), lateness in lateness(), infos in infos(),
        history in history(("[ab]", proptest::option::of(0..20i64)).prop_map(|(text, time)| {
            vec![ScalarValue::Utf8(Some(text)), ScalarValue::Int64(time)]
        }))
    ) {
        let closing = Closing { column: 1, offset, strict };
        let mut law = closed(if when_final { EmitPolicy::Final(closing) } else { EmitPolicy::OnWindowClose(closing) }, lateness);
        // Rows come as late as they like: what is shown does not depend on their being in time.
        check_timed(&mut law, &[history], &infos, &[(schema(&TYPES), Timed { time: 1, lateness: None })]);
        prop_assert!(when_final && lateness.is_none() || law.operator.state_size().rows == 0, "all is closed");
    }

    #[test]
    fn a_sample_is_the_relation_at_the_last_tick(
        interval in 1..6i64, by_watermark in any::<bool>(), infos in infos(),
        history in history(("[ab]", proptest::option::of(0..3i64)).prop_map(|(text, time)| {
            vec![ScalarValue::Utf8(Some(text)), ScalarValue::Int64(time)]
        }))
    ) {
        let ticks = if by_watermark { Ticks::Watermark } else { Ticks::Clock };
        let circuit = circuit(EmitPolicy::Every { interval, ticks }, Some(0));
        let Operator::Emit { policy } = circuit.nodes[1].operator else { unreachable!("it emits") };
        let mut operator = emit(policy, &circuit.nodes[1]).unwrap();
        let (mut live, mut shown, mut sample, mut last) = (Vec::new(), Vec::new(), Vec::new(), None);
        for (number, info) in infos.iter().enumerate() {
            for rows in play(history.get(number).cloned().unwrap_or_default(), &mut live) {
                operator.push(0, batch(circuit.schema(), &rows));
            }
            operator.observe(info);
            let Output { rows, .. } = operator.close(number as u64);
            let time = if by_watermark { info.watermarks.get("s0").copied() } else { Some(info.now) };
            let is_tick = time.is_some_and(|time| last.is_none_or(|last| (last + 1..=time).any(|instant| instant % interval == 0)));
            if is_tick {
                (sample, last) = (live.clone(), time);
            } else {
                prop_assert!(rows.is_empty(), "no tick, no change");
            }
            shown.extend(rows);
            let all = deltic_zset::ZBatch::concat(circuit.schema(), &shown).unwrap();
            prop_assert_eq!(rows_of(&all), rows_of(&batch(circuit.schema(), &sample)), "epoch {}", number);
        }
    }
}
