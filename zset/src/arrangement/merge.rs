//! [`Merge`]: two runs become one, a segment at a time.
//!
//! What is merged is read in the output and what is not in the rest of the sources, whose finished segments are released on the way:
//! a merge needs memory for a segment, not for a second copy of the run, unless versions hold on to the sources.

use std::collections::VecDeque;
use std::sync::Arc;

use super::draft::{Draft, segment_rows};
use super::run::{Run, Segment};
use super::shape::Shape;

/// The merge of two runs, in steps.
#[derive(Debug)]
pub(super) struct Merge {
    sources: [Source; 2],
    output: Vec<Arc<Segment>>,
    remaining: usize,
    segment_rows: usize,
}

/// What is left of a run.
#[derive(Debug)]
struct Source {
    segments: VecDeque<Arc<Segment>>,
    skip: usize,
}

impl Source {
    fn new(run: &Run) -> Self {
        Source { segments: run.segments().iter().cloned().collect(), skip: 0 }
    }

    fn next_orders(&self) -> &[u64] {
        self.segments.front().map_or(&[], |segment| &segment.orders[self.skip..])
    }

    /// Drops the next `rows` rows; `true` if that used up the segment at hand.
    fn advance(&mut self, rows: usize) -> bool {
        self.skip += rows;
        let used_up = self.segments.front().is_some_and(|segment| segment.orders.len() == self.skip);
        if used_up {
            self.segments.pop_front();
            self.skip = 0;
        }
        used_up
    }

    fn rest(&self) -> Run {
        Run::new(self.segments.iter().cloned().collect(), self.skip)
    }
}

impl Merge {
    pub(super) fn new(shape: &Shape, left: &Run, right: &Run) -> Self {
        // The first segments tell how big rows are.
        let samples = left.segments().iter().take(1).chain(right.segments().iter().take(1));
        let segment_rows = segment_rows(shape, samples.map(|segment| &segment.rows));
        let remaining = left.len() + right.len();
        Merge { sources: [Source::new(left), Source::new(right)], output: Vec::new(), remaining, segment_rows }
    }

    /// The rows that are still to be merged.
    pub(super) fn remaining(&self) -> usize {
        self.remaining
    }

    /// Merges about one segment; returns the number of rows that went in.
    pub(super) fn step(&mut self, shape: &Shape) -> usize {
        let mut draft = Draft::with_capacity(self.segment_rows);
        let mut numbers = [None, None];
        while draft.len() < self.segment_rows && self.merge_stretch(self.segment_rows, &mut numbers, &mut draft) {}
        // All rows of an order word belong in one draft.
        while let Some(last) = draft.last_order() {
            let Some(side) = (0..2).find(|&side| self.sources[side].next_orders().first() == Some(&last)) else { break };
            self.take(side, 1, &mut numbers, &mut draft);
        }
        let rows = draft.len();
        self.remaining -= rows;
        draft.finish(shape, &mut self.output);
        rows
    }

    /// Merges until one of the segments at hand is used up or the draft has `limit` rows; `false` if there is nothing left.
    fn merge_stretch(&mut self, limit: usize, numbers: &mut [Option<usize>; 2], draft: &mut Draft) -> bool {
        let (left, right) = (self.sources[0].next_orders().len(), self.sources[1].next_orders().len());
        if left == 0 || right == 0 {
            let side = usize::from(left == 0);
            let rows = (left + right).min(limit - draft.len());
            self.take(side, rows, numbers, draft);
            return rows > 0;
        }
        let [left_number, right_number] = [0, 1].map(|side| self.number(side, numbers, draft));
        let [left, right] = &self.sources;
        let (left_orders, right_orders) = (left.next_orders(), right.next_orders());
        let (mut taken_left, mut taken_right) = (0, 0);
        let rows = (limit - draft.len()).min(left_orders.len() + right_orders.len());
        for _ in 0..rows {
            if taken_left == left_orders.len() || taken_right == right_orders.len() {
                break;
            }
            // Which side comes next is a coin toss: selected, not branched on.
            let (left_order, right_order) = (left_orders[taken_left], right_orders[taken_right]);
            let from_right = right_order < left_order;
            let order = if from_right { right_order } else { left_order };
            let number = if from_right { right_number } else { left_number };
            let row = if from_right { right.skip + taken_right } else { left.skip + taken_left };
            draft.push(order, number, row);
            taken_right += usize::from(from_right);
            taken_left += usize::from(!from_right);
        }
        self.advance(0, taken_left, numbers);
        self.advance(1, taken_right, numbers);
        true
    }

    /// Takes the next `rows` rows of one side, all in its segment at hand.
    fn take(&mut self, side: usize, rows: usize, numbers: &mut [Option<usize>; 2], draft: &mut Draft) {
        if rows == 0 {
            return;
        }
        let number = self.number(side, numbers, draft);
        let source = &self.sources[side];
        for (row, &order) in source.next_orders()[..rows].iter().enumerate() {
            draft.push(order, number, source.skip + row);
        }
        self.advance(side, rows, numbers);
    }

    /// The number of a side's segment at hand among the sources of the draft.
    fn number(&self, side: usize, numbers: &mut [Option<usize>; 2], draft: &mut Draft) -> usize {
        *numbers[side].get_or_insert_with(|| draft.add_source(&self.sources[side].segments[0].rows))
    }

    fn advance(&mut self, side: usize, rows: usize, numbers: &mut [Option<usize>; 2]) {
        if self.sources[side].advance(rows) {
            numbers[side] = None;
        }
    }

    /// The rows as they are to be read now: what is merged, and what is left of the sources.
    pub(super) fn visible(&self) -> impl Iterator<Item = Run> + '_ {
        std::iter::once(Run::new(self.output.clone(), 0)).chain(self.sources.iter().map(Source::rest))
    }

    /// The merged run, once nothing remains.
    pub(super) fn finish(self) -> Run {
        debug_assert_eq!(self.remaining, 0);
        Run::new(self.output, 0)
    }
}
