//! The contract of sessions, case by case: rows in, deltas out.

use deltic_circuit::AggregateFunction::{Avg, Count, Max, Min, Sum};

use super::*;
use crate::testing::batch;

/// A row of key 1 by time, number, and weight.
type Event = (i64, i64, i64);

struct Play(Law<Any>);

impl Play {
    fn of(view: &View) -> Self {
        Play(view.law())
    }

    /// The delta of an epoch as sorted lines: weight and row.
    fn epoch(&mut self, events: &[Event]) -> Vec<String> {
        let rows: Vec<Row> =
            events.iter().map(|&(time, number, weight)| row(Some(1), Some(time), Some(number), weight)).collect();
        self.rows(&rows)
    }

    fn rows(&mut self, rows: &[Row]) -> Vec<String> {
        let mut lines: Vec<String> = self.0.step(&[rows]).into_iter().map(|(row, weight)| format!("{weight:+} {row}")).collect();
        lines.sort();
        lines
    }

    fn errors(&self) -> Vec<&String> {
        self.0.errors().keys().collect()
    }

    fn metrics(&self) -> WindowMetrics {
        self.0.operator.metrics()
    }

    fn state(&self) -> usize {
        self.0.operator.state_size().rows
    }
}

/// `count(*), sum(number), min(number), max(number)`, with gap 5.
fn numbers() -> View {
    View::of(Some(vec![call(Count, None), call(Sum, Some(NUMBER)), call(Min, Some(NUMBER)), call(Max, Some(NUMBER))]))
}

fn counts() -> View {
    View::of(Some(vec![call(Count, None)]))
}

/// Rows that are shown with bounds, without the columns that do not matter.
fn shown(lines: &[String]) -> Vec<String> {
    let short = |line: &String| {
        let values: Vec<&str> = line.trim_end_matches(')').split(", ").collect();
        let [.., start, end] = values.as_slice() else { panic!("a row has bounds") };
        format!("{} at {} in {start}..{end}", line.split_once(' ').unwrap().0, values[1])
    };
    lines.iter().map(short).collect()
}

const NOTHING: [String; 0] = [];

#[test]
fn the_first_row_makes_a_session() {
    assert_eq!(Play::of(&numbers()).epoch(&[(10, 7, 1)]), ["+1 (1, 10, 15, 1, 7, 7, 7)"]);
}

#[test]
fn a_row_inside_changes_the_aggregates_only() {
    let mut play = Play::of(&numbers());
    play.epoch(&[(10, 7, 1), (14, 7, 1)]);
    assert_eq!(play.epoch(&[(12, 9, 1)]), ["+1 (1, 10, 19, 3, 23, 7, 9)", "-1 (1, 10, 19, 2, 14, 7, 7)"]);
}

#[test]
fn a_row_inside_that_changes_no_result_emits_nothing() {
    let mut play = Play::of(&View::of(Some(vec![call(Min, Some(NUMBER)), call(Avg, Some(NUMBER))])));
    play.epoch(&[(10, 7, 1), (14, 7, 1)]);
    assert_eq!(play.epoch(&[(12, 7, 1)]), NOTHING);
    assert_eq!(play.epoch(&[(12, 7, -1)]), NOTHING);
}

#[test]
fn a_row_at_exactly_the_gap_extends_and_one_farther_does_not() {
    let mut play = Play::of(&counts());
    play.epoch(&[(10, 0, 1)]);
    assert_eq!(play.epoch(&[(15, 0, 1)]), ["+1 (1, 10, 20, 2)", "-1 (1, 10, 15, 1)"]);
    assert_eq!(play.epoch(&[(21, 0, 1)]), ["+1 (1, 21, 26, 1)"]);
    assert_eq!(play.epoch(&[(4, 0, 1)]), ["+1 (1, 4, 9, 1)"]);
    assert_eq!(play.epoch(&[(5, 0, 1)]), ["+1 (1, 4, 20, 4)", "-1 (1, 10, 20, 2)", "-1 (1, 4, 9, 1)"]);
}

#[test]
fn a_bridge_merges_and_its_deletion_splits() {
    let mut play = Play::of(&numbers());
    play.epoch(&[(0, 1, 1), (8, 2, 1)]);
    assert_eq!(play.epoch(&[(4, 3, 1)]), ["+1 (1, 0, 13, 3, 6, 1, 3)", "-1 (1, 0, 5, 1, 1, 1, 1)", "-1 (1, 8, 13, 1, 2, 2, 2)"]);
    assert_eq!(play.epoch(&[(4, 3, -1)]), ["+1 (1, 0, 5, 1, 1, 1, 1)", "+1 (1, 8, 13, 1, 2, 2, 2)", "-1 (1, 0, 13, 3, 6, 1, 3)"]);
    let metrics = play.metrics();
    assert_eq!((metrics.session_merges, metrics.session_splits, metrics.retractions_emitted), (1, 1, 3));
}

#[test]
fn a_bridge_that_comes_and_goes_in_one_epoch_is_not_seen() {
    let mut play = Play::of(&counts());
    play.epoch(&[(0, 0, 1), (8, 0, 1)]);
    assert_eq!(play.epoch(&[(4, 0, 1), (4, 0, -1)]), NOTHING);
    assert_eq!(play.epoch(&[(4, 0, -1), (4, 0, 1), (100, 0, 3), (100, 0, -3)]), NOTHING);
    assert_eq!(play.metrics(), WindowMetrics::default());
}

#[test]
fn two_merges_in_one_epoch() {
    let mut play = Play::of(&counts());
    play.epoch(&[(0, 0, 1), (8, 0, 1), (16, 0, 1), (100, 0, 1), (108, 0, 1)]);
    assert_eq!(
        play.epoch(&[(4, 0, 1), (12, 0, 1), (104, 0, 1)]),
        [
            "+1 (1, 0, 21, 5)",
            "+1 (1, 100, 113, 3)",
            "-1 (1, 0, 5, 1)",
            "-1 (1, 100, 105, 1)",
            "-1 (1, 108, 113, 1)",
            "-1 (1, 16, 21, 1)",
            "-1 (1, 8, 13, 1)"
        ]
    );
    assert_eq!(play.metrics().session_merges, 3);
}

#[test]
fn a_bridge_that_moves_keeps_the_session() {
    let mut play = Play::of(&counts());
    play.epoch(&[(0, 0, 1), (4, 0, 1), (8, 0, 1)]);
    assert_eq!(play.epoch(&[(4, 0, -1), (5, 0, 1)]), NOTHING);
}

#[test]
fn the_last_row_at_a_border_shortens_and_the_only_one_ends() {
    let mut play = Play::of(&counts());
    play.epoch(&[(0, 0, 1), (4, 1, 1), (4, 2, 2)]);
    assert_eq!(play.epoch(&[(4, 1, -1)]), ["+1 (1, 0, 9, 3)", "-1 (1, 0, 9, 4)"]);
    assert_eq!(play.epoch(&[(4, 2, -2)]), ["+1 (1, 0, 5, 1)", "-1 (1, 0, 9, 3)"]);
    assert_eq!(play.epoch(&[(0, 0, -1)]), ["-1 (1, 0, 5, 1)"]);
    assert_eq!(play.state(), 0);
}

#[test]
fn weights_count_and_multiply() {
    let mut play = Play::of(&numbers());
    assert_eq!(play.epoch(&[(0, 2, 3), (0, 5, 1)]), ["+1 (1, 0, 5, 4, 11, 2, 5)"]);
    assert_eq!(play.epoch(&[(0, 2, -2)]), ["+1 (1, 0, 5, 2, 7, 2, 5)", "-1 (1, 0, 5, 4, 11, 2, 5)"]);
}

#[test]
fn the_next_value_is_the_minimum_when_the_minimum_is_deleted() {
    let mut play = Play::of(&View::of(Some(vec![call(Min, Some(NUMBER)), call(Max, Some(4)), call(Sum, Some(3))])));
    for time in 0..20 {
        play.epoch(&[(time, time, 1)]);
    }
    assert_eq!(play.epoch(&[(0, 0, -1)]), ["+1 (1, 1, 24, 1, 'text 9', 190.0)", "-1 (1, 0, 24, 0, 'text 9', 190.0)"]);
    assert_eq!(play.epoch(&[(9, 9, -1)]), ["+1 (1, 1, 24, 1, 'text 8', 181.0)", "-1 (1, 1, 24, 1, 'text 9', 190.0)"]);
}

#[test]
fn no_key_is_a_key_and_no_time_is_no_session() {
    let mut play = Play::of(&counts());
    let rows = [row(None, Some(0), None, 1), row(None, Some(3), None, 1), row(Some(1), None, None, 1)];
    assert_eq!(play.rows(&rows), ["+1 (NULL, 0, 8, 2)"]);
    assert_eq!(play.rows(&[row(Some(1), None, None, -1)]), NOTHING);
    assert!(play.errors().is_empty());
}

#[test]
fn times_may_be_negative() {
    let mut play = Play::of(&counts());
    assert_eq!(play.epoch(&[(-3, 0, 1), (2, 0, 1), (-9, 0, 1)]), ["+1 (1, -3, 7, 2)", "+1 (1, -9, -4, 1)"]);
}

#[test]
fn a_session_that_would_end_out_of_range_is_an_error_per_row() {
    let mut play = Play::of(&counts());
    assert_eq!(play.epoch(&[(i64::MAX - 5, 0, 1)]), [format!("+1 (1, {}, {}, 1)", i64::MAX - 5, i64::MAX)]);
    assert_eq!(play.epoch(&[(i64::MAX - 4, 0, 2), (i64::MAX, 0, 1)]), NOTHING);
    assert_eq!(play.errors().len(), 2);
    assert_eq!(play.epoch(&[(i64::MIN, 0, 1)]), [format!("+1 (1, {}, {}, 1)", i64::MIN, i64::MIN + 5)]);
    play.epoch(&[(i64::MAX - 4, 0, -2), (i64::MAX, 0, -1)]);
    assert!(play.errors().is_empty());
}

#[test]
fn a_sum_that_does_not_fit_removes_the_session_until_it_fits_again() {
    let mut play = Play::of(&View::of(Some(vec![call(Sum, Some(NUMBER))])));
    play.epoch(&[(0, i64::MAX, 1)]);
    assert_eq!(play.epoch(&[(1, 1, 1)]), [format!("-1 (1, 0, 5, {})", i64::MAX)]);
    let [error] = play.errors()[..] else { panic!("there is one error") };
    assert!(error.ends_with("'aggregate sum(#2)', '(1, 0, 6)')"), "{error}");
    assert_eq!(play.epoch(&[(2, 2, 1)]), NOTHING);
    assert_eq!(play.epoch(&[(0, i64::MAX, -1)]), ["+1 (1, 1, 7, 3)"]);
    assert!(play.errors().is_empty());
}

#[test]
fn a_key_with_too_many_sessions_has_none_until_it_shrinks() {
    for few in [true, false] {
        let mut play = Play::of(&View { most_sessions: Some(2), ..counts() });
        // Copies of other numbers make the key too big for the short array.
        let filler: Vec<Event> = (0..6).map(|number| (0, number, 1)).collect();
        let n = if few { 1 } else { 6 };
        play.epoch(&filler[..n]);
        play.epoch(&[(100, 0, 1)]);
        assert_eq!(play.epoch(&[(200, 0, 1)]), [format!("-1 (1, 0, 5, {n})"), "-1 (1, 100, 105, 1)".to_owned()]);
        let [error] = play.errors()[..] else { panic!("there is one error") };
        assert_eq!(error, "('DT2008', 'more than 2 sessions of one key', 'session', '(1)')");
        assert_eq!(play.epoch(&[(300, 0, 1)]), NOTHING);
        assert_eq!(play.epoch(&[(100, 0, -1), (300, 0, -1)]), [format!("+1 (1, 0, 5, {n})"), "+1 (1, 200, 205, 1)".to_owned()]);
        assert!(play.errors().is_empty());
        assert_eq!(play.metrics().session_merges, 0);
    }
}

#[test]
fn rows_are_shown_with_the_bounds_of_their_session() {
    let mut play = Play::of(&View::of(None));
    assert_eq!(shown(&play.epoch(&[(0, 0, 1), (8, 0, 2)])), ["+1 at 0 in 0..5", "+2 at 8 in 8..13"]);
    assert_eq!(
        shown(&play.epoch(&[(4, 0, 1)])),
        ["+1 at 0 in 0..13", "+1 at 4 in 0..13", "+2 at 8 in 0..13", "-1 at 0 in 0..5", "-2 at 8 in 8..13"]
    );
    assert_eq!(shown(&play.epoch(&[(8, 0, -1), (6, 0, 1)])), ["+1 at 6 in 0..13", "-1 at 8 in 0..13"]);
}

#[test]
fn of_a_long_session_only_the_changed_row_is_shown() {
    let mut play = Play::of(&View::of(None));
    play.epoch(&(0..200).map(|time| (time, 0, 1)).collect::<Vec<_>>());
    assert_eq!(play.epoch(&[(50, 1, 1)]).len(), 1);
    assert_eq!(play.epoch(&[(50, 1, -1), (51, 0, -1)]).len(), 2);
    assert_eq!(play.epoch(&[(199, 0, -1)]).len(), 2 * 198 + 1);
}

#[test]
fn a_session_that_the_bound_has_passed_leaves_the_state_without_output() {
    for calls in [numbers().calls, View::of(None).calls] {
        let mut play = Play::of(&View { has_watermark: true, calls, ..numbers() });
        play.epoch(&[(0, 0, 1), (20, 0, 1), (22, 0, 1), (23, 0, 1), (24, 0, 1), (24, 1, 1)]);
        // The session ends at 5, rows are accepted from the watermark less 6 on.
        play.0.info = at(11);
        assert_eq!((play.epoch(&[]), play.state()), (vec![], 6));
        play.0.info = at(12);
        assert_eq!((play.epoch(&[]), play.state()), (vec![], 5));
        play.epoch(&[(30, 0, 1), (24, 0, -1)]);
        play.0.info = at(35);
        assert_eq!((play.epoch(&[]), play.state()), (vec![], 5));
        play.0.info = at(36);
        assert_eq!((play.epoch(&[]), play.state()), (vec![], 1));
        play.0.info = at(1000);
        assert_eq!((play.epoch(&[]), play.state()), (vec![], 0));
        assert_eq!(play.epoch(&[(1000, 0, 1)]).len(), 1);
    }
}

#[test]
fn a_key_that_comes_and_goes_under_a_watermark_that_stands_still_leaves_nothing() {
    let view = View { has_watermark: true, ..counts() };
    let circuit = view.circuit();
    let mut operator = session(&circuit, circuit.output).unwrap();
    for epoch in 0..40_000 {
        let weight = if epoch % 2 == 0 { 1 } else { -1 };
        operator.push(0, batch(&schema(&TYPES), &[row(Some(1), Some(0), None, weight)]));
        operator.observe(&at(0));
        operator.close(epoch);
    }
    assert!(operator.state_size().bytes < 1 << 18, "{:?}", operator.state_size());
    operator.observe(&at(1000));
    assert!(operator.close(40_000).rows.is_empty());
}

#[test]
fn an_append_only_input_keeps_sessions_and_no_rows() {
    let mut play = Play::of(&View { append_only: true, ..numbers() });
    for time in 0..100 {
        play.epoch(&[(time, time, 1)]);
    }
    assert_eq!(play.state(), 1);
    assert_eq!(play.epoch(&[(200, 1, 2)]), ["+1 (1, 200, 205, 2, 2, 1, 1)"]);
}

#[test]
fn a_retraction_of_what_is_not_there_breaks_nothing() {
    let view = counts();
    let circuit = view.circuit();
    let mut operator = session(&circuit, circuit.output).unwrap();
    let rows = |weight| batch(&schema(&TYPES), &[row(Some(1), Some(0), None, weight)]);
    operator.push(0, rows(-1));
    assert!(operator.close(1).rows.is_empty());
    operator.push(0, rows(3));
    let output = operator.close(2);
    assert_eq!((output.rows.len(), output.rows[0].len()), (1, 1));
}
