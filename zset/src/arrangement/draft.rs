//! [`Draft`]: the rows of the next segments of a run, chosen but not yet copied.
//!
//! Flushes and merges both end here: they name rows of their sources in the order of the order words, and the draft makes equal rows
//! one (their weights added; gone if the sum is zero) and copies the columns. Equal rows have equal order words and so stand side by
//! side; a draft therefore must hold either all or none of the rows of an order word.

use std::ops::Range;
use std::sync::Arc;

use super::matches::gather;
use super::run::{MAX_SEGMENT_ROWS, Segment};
use super::shape::Shape;
use crate::equality::equal_pairs;
use crate::{Result, ZBatch};

/// The bytes of a segment, about: with bigger rows it has fewer of them.
const SEGMENT_BYTES: usize = 4 << 20;
const MIN_SEGMENT_ROWS: usize = 64;
/// Rows that share an order word with so many different others are left apart: only keys made to collide do.
const MAX_ROUNDS: usize = 16;

/// Rows of `sources` in the order of their order words.
#[derive(Debug, Default)]
pub(super) struct Draft {
    sources: Vec<Arc<ZBatch>>,
    picks: Vec<(usize, usize)>,
    orders: Vec<u64>,
}

impl Draft {
    pub(super) fn with_capacity(rows: usize) -> Self {
        Draft { sources: Vec::new(), picks: Vec::with_capacity(rows), orders: Vec::with_capacity(rows) }
    }

    pub(super) fn add_source(&mut self, batch: &Arc<ZBatch>) -> usize {
        self.sources.push(batch.clone());
        self.sources.len() - 1
    }

    #[inline(always)]
    pub(super) fn push(&mut self, order: u64, source: usize, row: usize) {
        self.orders.push(order);
        self.picks.push((source, row));
    }

    pub(super) fn len(&self) -> usize {
        self.orders.len()
    }

    pub(super) fn last_order(&self) -> Option<u64> {
        self.orders.last().copied()
    }

    /// Copies the rows into segments, as many as it takes.
    pub(super) fn finish(mut self, shape: &Shape, output: &mut Vec<Arc<Segment>>) {
        let weights = self.consolidate(shape);
        let mut start = 0;
        while start < self.len() {
            let end = self.len().min(start + MAX_SEGMENT_ROWS);
            self.copy(start..end, weights.as_deref(), shape, output);
            start = end;
        }
    }

    /// Copies the rows of `range`; halves it as long as a string column would pass 2 GiB.
    fn copy(&self, range: Range<usize>, weights: Option<&[i64]>, shape: &Shape, output: &mut Vec<Arc<Segment>>) {
        let every_column: Vec<usize> = (0..shape.schema.fields().len()).collect();
        match gather(&self.sources, &self.picks[range.clone()], &every_column) {
            Ok(columns) => {
                let orders = self.orders[range.clone()].to_vec();
                let weights =
                    weights.map(|weights| &weights[range.clone()]).filter(|weights| weights.iter().any(|&weight| weight != 1));
                let rows =
                    ZBatch::new(shape.schema.clone(), columns, weights.map(|weights| weights.to_vec().into()), range.len());
                output.push(Arc::new(Segment::new(rows, orders)));
            }
            Err(error) => {
                assert!(range.len() > 1, "a single row is stored as it came: {error}");
                let middle = range.start + range.len() / 2;
                self.copy(range.start..middle, weights, shape, output);
                self.copy(middle..range.end, weights, shape, output);
            }
        }
    }

    /// Makes equal rows one and drops those of weight zero. Returns the weights of what is left, `None` if all are `+1`.
    fn consolidate(&mut self, shape: &Shape) -> Option<Vec<i64>> {
        let groups: Vec<Range<usize>> = equal_ranges(&self.orders).collect();
        if groups.is_empty() && self.sources.iter().all(|source| source.weights().is_none()) {
            return None;
        }
        let mut weights: Vec<i64> = self.picks.iter().map(|&(source, row)| self.sources[source].weight(row)).collect();
        // Rows too big to be compared in one go stay apart, which a Z-set allows.
        if groups.is_empty() || self.add_up(&groups, &mut weights, shape).is_err() {
            return Some(weights);
        }
        let mut kept = 0;
        for row in 0..weights.len() {
            if weights[row] != 0 {
                self.picks[kept] = self.picks[row];
                self.orders[kept] = self.orders[row];
                weights[kept] = weights[row];
                kept += 1;
            }
        }
        self.picks.truncate(kept);
        self.orders.truncate(kept);
        weights.truncate(kept);
        Some(weights)
    }

    /// Adds, within each group, the weights of equal rows to the first of them; the others get zero.
    ///
    /// In each round all rows of a group are compared with its first. Almost always they are all equal to it; rows that merely
    /// share its order word form the group of the next round.
    fn add_up(&self, groups: &[Range<usize>], weights: &mut [i64], shape: &Shape) -> Result<()> {
        let rows: Vec<u32> = groups.iter().flat_map(|group| group.start as u32..group.end as u32).collect();
        let picks: Vec<(usize, usize)> = rows.iter().map(|&row| self.picks[row as usize]).collect();
        let every_column: Vec<usize> = (0..shape.schema.fields().len()).collect();
        let columns = gather(&self.sources, &picks, &every_column)?;
        let null_equal = vec![true; columns.len()];
        // From here on a row is known by its place in `rows`.
        let mut pairs: (Vec<u32>, Vec<u32>) = (Vec::new(), Vec::new());
        let mut place = 0;
        for group in groups {
            for other in 1..group.len() as u32 {
                pairs.0.push(place);
                pairs.1.push(place + other);
            }
            place += group.len() as u32;
        }
        let mut equal = Vec::new();
        for _ in 0..MAX_ROUNDS {
            if pairs.0.is_empty() {
                break;
            }
            equal_pairs(&columns, &pairs.0, &columns, &pairs.1, &null_equal, &mut equal);
            let mut unequal: (Vec<u32>, Vec<u32>) = (Vec::new(), Vec::new());
            // The leader of the old group, and the leader of its rest.
            let mut rest: Option<(u32, u32)> = None;
            for ((&leader, &other), &equal) in pairs.0.iter().zip(&pairs.1).zip(&equal) {
                let (first, second) = (rows[leader as usize] as usize, rows[other as usize] as usize);
                // A sum that leaves the range stays in two parts: rows need not be consolidated.
                if equal {
                    if let Some(sum) = weights[first].checked_add(weights[second]) {
                        weights[first] = sum;
                        weights[second] = 0;
                    }
                } else if let Some((_, rest_leader)) = rest.filter(|&(old, _)| old == leader) {
                    unequal.0.push(rest_leader);
                    unequal.1.push(other);
                } else {
                    rest = Some((leader, other));
                }
            }
            pairs = unequal;
        }
        Ok(())
    }
}

/// The ranges of two and more equal words.
fn equal_ranges(orders: &[u64]) -> impl Iterator<Item = Range<usize>> + '_ {
    let mut next = 0;
    std::iter::from_fn(move || {
        let start = next + orders[next.min(orders.len())..].windows(2).position(|pair| pair[0] == pair[1])?;
        let length = orders[start..].iter().take_while(|&&order| order == orders[start]).count();
        next = start + length;
        Some(start..next)
    })
}

/// How many rows like these a segment should have.
pub(super) fn segment_rows<'a>(shape: &Shape, batches: impl Iterator<Item = &'a Arc<ZBatch>>) -> usize {
    let (mut rows, mut bytes) = (0, 0);
    for batch in batches {
        rows += batch.len();
        let columns = batch.columns().iter().map(|column| column.to_data().get_slice_memory_size().unwrap_or(0));
        bytes += columns.sum::<usize>();
    }
    (SEGMENT_BYTES / (bytes / rows.max(1)).max(1)).max(MIN_SEGMENT_ROWS).min(shape.limits.segment)
}
