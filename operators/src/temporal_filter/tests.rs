//! The law while the clock goes on, by hand and at random, and what is kept.

#![allow(clippy::unwrap_used)]

use arrow::datatypes::{DataType, TimeUnit};
use datafusion_common::ScalarValue;
use deltic_circuit::{CircuitBuilder, Properties};
use proptest::prelude::*;

use super::*;
use crate::testing::timed::{Timed, check_timed, infos};
use crate::testing::{Law, Row, history, schema};

const TIME: DataType = DataType::Timestamp(TimeUnit::Microsecond, None);

fn law(columns: [Option<usize>; 2], output: TemporalOutput) -> Law<TemporalFilter> {
    let mut builder = CircuitBuilder::new();
    let source = builder.source("s0", schema(&[TIME, TIME, DataType::Utf8]), Properties::default());
    let [from, until] = columns;
    let filter = match output {
        TemporalOutput::Keep => builder.temporal_filter(source, from, until).unwrap(),
        TemporalOutput::Flag => builder.temporal_flag(source, from, until, "in").unwrap(),
    };
    let circuit = builder.finish(filter, None).unwrap();
    Law::new(TemporalFilter::try_new(&circuit.nodes[1], &circuit.nodes[0].schema).unwrap(), circuit, true)
}

fn values(from: Option<i64>, until: Option<i64>, text: &str) -> Vec<ScalarValue> {
    vec![
        ScalarValue::TimestampMicrosecond(from, None),
        ScalarValue::TimestampMicrosecond(until, None),
        ScalarValue::Utf8(Some(text.into())),
    ]
}

fn row(from: i64, until: i64, weight: i64) -> Row {
    (values(Some(from), Some(until), "a"), weight)
}

#[test]
fn a_row_enters_and_leaves_as_time_passes() {
    let mut law = law([Some(0), Some(1)], TemporalOutput::Keep);
    let mut at = |now: i64, rows: &[Row]| -> Vec<i64> {
        law.info.now = now;
        let delta = law.step(&[rows]).into_values().collect();
        assert_eq!(law.operator.state_size().rows, usize::from(now < 7));
        delta
    };
    assert_eq!(at(1, &[row(3, 7, 2), row(5, 5, 1), row(0, 1, 1)]), [0i64; 0]);
    assert_eq!(at(2, &[]), [0i64; 0]);
    assert_eq!(at(3, &[]), [2]);
    assert_eq!(at(6, &[row(3, 7, -1)]), [-1]);
    assert_eq!(at(7, &[]), [-1]);
    assert_eq!(at(8, &[row(3, 7, -1)]), [0i64; 0]);
}

#[test]
fn a_deletion_takes_away_what_was_to_come() {
    let mut law = law([Some(0), Some(1)], TemporalOutput::Keep);
    law.step(&[&[row(3, 7, 1)]]);
    law.step(&[&[row(3, 7, -1)]]);
    assert_eq!(law.operator.state_size().rows, 0);
    law.info.now = 3;
    assert!(law.step(&[&[]]).is_empty());
}

#[test]
fn a_row_that_comes_and_goes_between_two_epochs_is_not_shown() {
    let mut law = law([Some(0), Some(1)], TemporalOutput::Keep);
    law.step(&[&[row(3, 7, 1)]]);
    law.info.now = 9;
    assert!(law.step(&[&[]]).is_empty());
    assert_eq!(law.operator.state_size().rows, 0);
}

#[test]
fn a_flag_turns_in_place() {
    let mut law = law([None, Some(1)], TemporalOutput::Flag);
    law.step(&[&[row(0, 5, 1)]]);
    law.info.now = 5;
    let delta = law.step(&[&[]]);
    assert_eq!(delta.values().sum::<i64>(), 0);
    assert_eq!(delta.len(), 2);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_is_shown_is_what_is_in_at_the_time_of_the_epoch(
        columns in prop_oneof![Just([Some(0), Some(1)]), Just([Some(0), None]), Just([None, Some(1)]), Just([Some(1), Some(1)])],
        flag in any::<bool>(), infos in infos(),
        history in history((proptest::option::of(-2..20i64), proptest::option::of(-2..20i64), "[ab]")
            .prop_map(|(from, until, text)| values(from, until, &text)))
    ) {
        let mut law = law(columns, if flag { TemporalOutput::Flag } else { TemporalOutput::Keep });
        let input = (schema(&[TIME, TIME, DataType::Utf8]), Timed { time: 0, lateness: None });
        check_timed(&mut law, &[history], &infos, &[input]);
        prop_assert_eq!(law.operator.state_size().rows, 0, "all has become as it will be for ever");
    }
}
