//! The tallies of frames of neighbouring rows.
//!
//! Both ends of a frame move one way only from row to row. The rows are taken in runs within which all frames have a core in common: what
//! is before the core is added up from the core backwards, what is behind it forwards, and each frame is the sum of two of these. That is the queue made of two stacks, which
//! needs no inverse, so it does for extremes what it does for sums; and the core of a run, however wide, is one query of the index.

use super::pieces::{Near, Pieces};
use super::state::View;
use crate::tally::Results;

/// Cores of so many rows are added up row by row.
const NARROW: i64 = 32;

/// Appends the tallies of `frames`, each of them positions `from .. to` with `from <= to`. Both grow from frame to frame, but for a few by the calendar at the
/// end of a month. `loaded` are rows that are at hand.
pub(super) fn slide<'a, T: Results>(
    view: &View<'a, T>,
    loaded: &Near<'_, 'a, T::Event>,
    frames: &[(i64, i64)],
    tallies: &mut Vec<T>,
) {
    for growing in frames.chunk_by(|before, after| before.0 <= after.0 && before.1 <= after.1) {
        slide_on(view, loaded, growing, tallies);
    }
}

fn slide_on<'a, T: Results>(view: &View<'a, T>, loaded: &Near<'_, 'a, T::Event>, frames: &[(i64, i64)], tallies: &mut Vec<T>) {
    let (Some(&first), Some(&last)) = (frames.first(), frames.last()) else { return };
    let own = |from: i64, to: i64| (!loaded.contains(from, to)).then(|| Pieces::load(view, from, to));
    let (own_starts, own_ends) = (own(first.0, last.0), own(first.1, last.1));
    let near = loaded.with([own_starts.as_ref(), own_ends.as_ref()]);
    let mut rest = frames;
    while let Some(&(_, core_end)) = rest.first() {
        let length = rest.partition_point(|frame| frame.0 <= core_end).max(1);
        let (run, later) = rest.split_at(length);
        let core_start = run[length - 1].0;
        let mut tally = core(view, &near, core_start, core_end);
        let begin = tallies.len();
        let mut reached = core_start;
        for &(from, _) in run.iter().rev() {
            near.visit(from, reached, |event, copies| tally.add(event, copies));
            reached = from;
            tallies.push(tally.clone());
        }
        tallies[begin..].reverse();
        let (mut tally, mut reached) = (T::default(), core_end);
        for (&(_, to), whole) in run.iter().zip(&mut tallies[begin..]) {
            near.visit(reached, to, |event, copies| tally.add(event, copies));
            reached = to;
            if reached > core_end {
                whole.merge(&tally);
            }
        }
        rest = later;
    }
}

fn core<'a, T: Results>(view: &View<'a, T>, near: &Near<'_, 'a, T::Event>, from: i64, to: i64) -> T {
    if to - from > NARROW || !near.contains(from, to) {
        return view.tally(from, to);
    }
    let mut tally = T::default();
    near.visit(from, to, |event, copies| tally.add(event, copies));
    tally
}
