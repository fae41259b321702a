//! The tallies of frames of neighbouring rows.
//!
//! Both ends of a frame move one way only from row to row. The rows are taken in runs within which all frames have a core in common: what
//! is before the core is added up from the core backwards, what is behind it forwards, and each frame is the sum of two of these. That is the queue made of two stacks, which
//! needs no inverse, so it does for extremes what it does for sums; and the core of a run, however wide, is one query of the index.

use super::pieces::Pieces;
use super::state::View;
use crate::tally::Results;

/// Cores of so many rows are added up row by row.
const NARROW: i64 = 32;

/// Appends the tallies of `frames`, each of them positions `from .. to` with `from <= to`. Both grow from frame to frame, but for a few by the calendar at the
/// end of a month. `loaded` are rows that are at hand.
pub(super) fn slide<'a, T: Results>(
    view: &View<'a, T>,
    loaded: &[&Pieces<'a, T::Event>],
    frames: &[(i64, i64)],
    tallies: &mut Vec<T>,
) {
    for growing in frames.chunk_by(|before, after| before.0 <= after.0 && before.1 <= after.1) {
        slide_on(view, loaded, growing, tallies);
    }
}

fn slide_on<'a, T: Results>(view: &View<'a, T>, loaded: &[&Pieces<'a, T::Event>], frames: &[(i64, i64)], tallies: &mut Vec<T>) {
    let (Some(&first), Some(&last)) = (frames.first(), frames.last()) else { return };
    let at_hand = |from: i64, to: i64| loaded.iter().copied().find(|loaded| loaded.contains(from, to));
    let (mut own_starts, mut own_ends) = (None, None);
    let starts = at_hand(first.0, last.0).unwrap_or_else(|| own_starts.insert(Pieces::load(view, first.0, last.0)));
    let ends = at_hand(first.1, last.1).unwrap_or_else(|| own_ends.insert(Pieces::load(view, first.1, last.1)));
    let mut rest = frames;
    while let Some(&(_, core_end)) = rest.first() {
        let length = rest.partition_point(|frame| frame.0 <= core_end).max(1);
        let (run, later) = rest.split_at(length);
        let core_start = run[length - 1].0;
        let mut tally = core(view, loaded.iter().copied().chain([starts, ends]), core_start, core_end);
        let begin = tallies.len();
        let mut reached = core_start;
        for &(from, _) in run.iter().rev() {
            starts.visit(from, reached, |event, copies| tally.add(event, copies));
            reached = from;
            tallies.push(tally.clone());
        }
        tallies[begin..].reverse();
        let (mut tally, mut reached) = (T::default(), core_end);
        for (&(_, to), whole) in run.iter().zip(&mut tallies[begin..]) {
            ends.visit(reached, to, |event, copies| tally.add(event, copies));
            reached = to;
            if reached > core_end {
                whole.merge(&tally);
            }
        }
        rest = later;
    }
}

fn core<'p, 'a: 'p, T: Results>(
    view: &View<'a, T>,
    mut at_hand: impl Iterator<Item = &'p Pieces<'a, T::Event>>,
    from: i64,
    to: i64,
) -> T
where
    T::Event: 'p,
{
    match at_hand.find(|pieces| to - from <= NARROW && pieces.contains(from, to)) {
        Some(pieces) => {
            let mut tally = T::default();
            pieces.visit(from, to, |event, copies| tally.add(event, copies));
            tally
        }
        None => view.tally(from, to),
    }
}
