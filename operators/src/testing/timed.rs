//! Histories in which time passes.

use std::collections::BTreeMap;

use datafusion_common::ScalarValue;
use deltic_circuit::time::event_times;
use deltic_circuit::{CircuitBuilder, EpochInfo, EventTime, NodeId, Properties, TimeSource};
use proptest::collection::vec;
use proptest::prelude::*;

use super::{Change, Law, Row, SchemaRef, batch, play_accepted};
use crate::EpochOperator;

/// A source with event time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timed {
    /// The column.
    pub(crate) time: usize,
    /// How late a row may be; `None`: as late as it likes.
    pub(crate) lateness: Option<i64>,
}

/// The name of source `port`.
fn name(port: usize) -> String {
    format!("s{port}")
}

impl Timed {
    fn source(self, port: usize) -> TimeSource {
        TimeSource { relation: name(port).into(), lateness: self.lateness }
    }

    /// Whether a row is accepted in the epoch after one that knew `before`.
    fn accepts(self, port: usize, before: &EpochInfo, row: &[ScalarValue]) -> bool {
        let bound = before.bound(&[self.source(port)]);
        time_of(&row[self.time]).is_none_or(|time| bound.is_none_or(|bound| time >= bound))
    }
}

fn time_of(value: &ScalarValue) -> Option<i64> {
    let times = event_times(&value.to_array().expect("a scalar is an array of one"));
    times.iter().next().flatten()
}

/// Adds the sources `s0`, `s1` .. to a circuit.
pub(crate) fn sources(builder: &mut CircuitBuilder, inputs: &[(SchemaRef, Timed)]) -> Vec<NodeId> {
    let source = |(port, (schema, timed)): (usize, &(SchemaRef, Timed))| {
        let properties = Properties {
            time_sources: vec![timed.source(port)],
            event_times: vec![EventTime { column: timed.time, slack: 0 }],
            ..Properties::default()
        };
        builder.source(&name(port), schema.clone(), properties)
    };
    inputs.iter().enumerate().map(source).collect()
}

/// What the epochs of a history know: the clock and the watermarks of two sources go on, or stand still.
pub(crate) fn infos() -> impl Strategy<Value = Vec<EpochInfo>> {
    let step = prop_oneof![3 => Just(0i64), 3 => 1..4i64, 1 => 4..12i64];
    let steps = vec((0..4i64, proptest::option::weighted(0.8, step.clone()), proptest::option::weighted(0.8, step)), 10);
    steps.prop_map(|steps| {
        let mut info = EpochInfo::default();
        let mut watermarks: [Option<i64>; 2] = [None; 2];
        let pass = |(clock, left, right): (i64, Option<i64>, Option<i64>)| {
            info.now += clock;
            for (port, step) in [left, right].into_iter().enumerate() {
                watermarks[port] = step.map(|step| watermarks[port].unwrap_or(0) + step).or(watermarks[port]);
            }
            info.watermarks = watermarks_of(watermarks);
            info.clone()
        };
        steps.into_iter().map(pass).collect()
    })
}

fn watermarks_of(watermarks: [Option<i64>; 2]) -> BTreeMap<std::sync::Arc<str>, i64> {
    watermarks.into_iter().enumerate().filter_map(|(port, watermark)| Some((name(port).into(), watermark?))).collect()
}

/// The end of time, after which no row is accepted but those without a time.
pub(crate) fn end_of_time() -> EpochInfo {
    EpochInfo { now: i64::MAX, watermarks: watermarks_of([Some(i64::MAX); 2]), ..EpochInfo::default() }
}

/// How late rows may be.
pub(crate) fn lateness() -> impl Strategy<Value = Option<i64>> {
    prop_oneof![Just(Some(0)), Just(Some(3)), Just(None)]
}

/// The rows of each epoch and source, batch by batch, of the changes that are accepted.
pub(crate) fn play_timed(histories: &[Vec<Vec<Vec<Change>>>], infos: &[EpochInfo], inputs: &[Timed]) -> Vec<Vec<Vec<Vec<Row>>>> {
    let mut live: Vec<Vec<Row>> = vec![Vec::new(); histories.len()];
    let mut before = EpochInfo::default();
    let epoch = |(epoch, info): (usize, &EpochInfo)| {
        let batches = |(port, live): (usize, &mut Vec<Row>)| {
            let changes = histories[port].get(epoch).cloned().unwrap_or_default();
            play_accepted(changes, live, |row| inputs[port].accepts(port, &before, row))
        };
        let batches = live.iter_mut().enumerate().map(batches).collect();
        before = info.clone();
        batches
    };
    infos.iter().enumerate().map(epoch).collect()
}

/// Checks the law of an operator on histories of its inputs while time passes, and at the end of time.
pub(crate) fn check_timed<O: EpochOperator>(
    law: &mut Law<O>,
    histories: &[Vec<Vec<Vec<Change>>>],
    infos: &[EpochInfo],
    inputs: &[(SchemaRef, Timed)],
) {
    let timed: Vec<Timed> = inputs.iter().map(|(_, timed)| *timed).collect();
    for (epoch, info) in play_timed(histories, infos, &timed).into_iter().zip(infos) {
        let batches = |(batches, (schema, _)): (Vec<Vec<Row>>, &(SchemaRef, Timed))| {
            batches.iter().map(|rows| batch(schema, rows)).collect::<Vec<_>>()
        };
        let batches: Vec<_> = epoch.into_iter().zip(inputs).map(batches).collect();
        law.info = info.clone();
        law.epoch(&batches);
    }
    law.info = end_of_time();
    law.epoch(&vec![Vec::new(); inputs.len()]);
}
