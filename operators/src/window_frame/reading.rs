//! Aggregates that no tally holds: the rows of frames are read.
//!
//! The rows of all frames of an interval are decoded once. An aggregate that is [reversible](AggregateCall::is_reversible) follows the frames from row to
//! row ([`Following`]). Of the others each frame is evaluated anew, unless it is that of the row before.

use arrow::array::{Array, ArrayRef, new_empty_array};
use arrow::compute;
use arrow::datatypes::{DataType, Schema};
use datafusion_common::ScalarValue;
use deltic_circuit::aggregate::{evaluate, sort_rows};
use deltic_circuit::{AggregateCall, EvalError};

use super::follow::Following;
use super::pieces::Pieces;
use super::state::View;
use crate::row_key::{KeyEncoder, RowKey};
use crate::tally::Results;

/// The result of a call for one slot.
pub(super) type Read = Result<ScalarValue, EvalError>;

/// The frames of some slots: one list, or several that a frame is made of, of positions `from .. to`.
pub(super) type Frames = Vec<Vec<(i64, i64)>>;

/// Neighbouring rows with the columns that are read.
pub(super) struct FrameRows {
    /// The position of the first copy of each, and how many there are.
    places: Vec<(i64, i64)>,
    /// As wide as the input; a column that is not read is NULL.
    values: Vec<Vec<ScalarValue>>,
}

impl FrameRows {
    /// The rows of all `frames`. `loaded` are rows that are at hand.
    pub(super) fn load<'a, T: Results>(
        view: &View<'a, T>,
        loaded: &Pieces<'a, T::Event>,
        frames: &[&Frames],
        keys: &KeyEncoder,
        columns: &[usize],
    ) -> Self {
        let ranges = || frames.iter().flat_map(|frames| frames.iter().flatten()).filter(|(from, to)| from < to);
        let from = ranges().map(|(from, _)| *from).min().unwrap_or(0);
        let to = ranges().map(|(_, to)| *to).max().unwrap_or(0);
        let own = (!loaded.contains(from, to)).then(|| Pieces::load(view, from, to));
        let pieces = &own.as_ref().unwrap_or(loaded).pieces;
        let pieces = &pieces[pieces.partition_point(|piece| piece.start + piece.copies <= from)..];
        let pieces = &pieces[..pieces.partition_point(|piece| piece.start < to)];
        let rows: Vec<&RowKey> = pieces.iter().map(|piece| &piece.entry.key).collect();
        let decoded = keys.decode(rows.iter().copied());
        let value = |row: usize, column: usize| match columns.contains(&column) {
            true => ScalarValue::try_from_array(&decoded[column], row).expect("columns of rows have scalar values"),
            false => ScalarValue::Null,
        };
        let values = (0..rows.len()).map(|row| (0..decoded.len()).map(|column| value(row, column)).collect());
        FrameRows { places: pieces.iter().map(|piece| (piece.start, piece.copies)).collect(), values: values.collect() }
    }

    /// The rows at positions `from .. to`, with the number of their copies there.
    fn within(&self, (from, to): (i64, i64)) -> impl Iterator<Item = (usize, i64)> + '_ {
        let first = self.places.partition_point(|(start, copies)| start + copies <= from);
        let rows = self.places[first..].iter().enumerate().take_while(move |(_, (start, _))| from < to && *start < to);
        rows.map(move |(row, (start, copies))| (first + row, (start + copies).min(to) - (*start).max(from)))
    }

    /// The place of each row in the order in which `call` sees them; `None` if it sees them as they stand, or in no order.
    fn ranks(&self, call: &AggregateCall) -> Option<Vec<usize>> {
        if call.follows_window() || !call.function.is_ordered() {
            return None;
        }
        let mut sorted: Vec<(&[ScalarValue], i64)> =
            self.values.iter().enumerate().map(|(row, values)| (values.as_slice(), row as i64)).collect();
        sort_rows(call, &mut sorted);
        let mut ranks = vec![0; sorted.len()];
        sorted.iter().enumerate().for_each(|(rank, (_, row))| ranks[*row as usize] = rank);
        Some(ranks)
    }

    /// Appends the results of `call`, over rows of `input`, for each slot of `frames`.
    pub(super) fn read(&self, call: &AggregateCall, input: &Schema, frames: &Frames, results: &mut Vec<Read>) {
        if call.is_reversible() {
            return self.follow(call, input, frames, results);
        }
        let ranks = self.ranks(call);
        for slot in 0..frames[0].len() {
            let is_same = slot > 0 && frames.iter().all(|part| part[slot] == part[slot - 1]);
            if let Some(result) = results.last().filter(|_| is_same) {
                results.push(result.clone());
                continue;
            }
            let mut seen: Vec<(usize, i64)> = frames.iter().flat_map(|part| self.within(part[slot])).collect();
            if let Some(ranks) = &ranks {
                seen.sort_by_key(|(row, _)| ranks[*row]);
            }
            let rows: Vec<(&[ScalarValue], i64)> =
                seen.into_iter().map(|(row, copies)| (self.values[row].as_slice(), copies)).collect();
            results.push(evaluate(call, input, &rows));
        }
    }

    fn follow(&self, call: &AggregateCall, input: &Schema, frames: &Frames, results: &mut Vec<Read>) {
        let mut following = Following::new(call, input, &self.values);
        let mut reached: Vec<(i64, i64)> = vec![(0, 0); frames.len()];
        for slot in 0..frames[0].len() {
            for (part, reached) in frames.iter().zip(&mut reached) {
                let (old, new) = (*reached, part[slot]);
                // What both have in common stays, if neither end goes back.
                let (gone, come) = match new.0 < old.1 && old.0 <= new.0 && old.1 <= new.1 {
                    true => ((old.0, new.0), (old.1, new.1)),
                    false => (old, new),
                };
                self.within(gone).for_each(|(row, copies)| following.add(row, -copies));
                self.within(come).for_each(|(row, copies)| following.add(row, copies));
                *reached = new;
            }
            results.push(following.result(input));
        }
    }
}

/// Results as a column; what failed is NULL in it and goes to `failed`.
pub(super) fn column(results: Vec<Read>, data_type: &DataType, mut failed: impl FnMut(usize, EvalError)) -> ArrayRef {
    if results.is_empty() {
        return new_empty_array(data_type);
    }
    let null = || ScalarValue::try_new_null(data_type).expect("each type has a NULL");
    let values = results.into_iter().enumerate().map(|(slot, result)| {
        result.unwrap_or_else(|error| {
            failed(slot, error);
            null()
        })
    });
    let column = ScalarValue::iter_to_array(values.collect::<Vec<_>>()).expect("the results of a call have one type");
    if column.data_type() == data_type {
        return column;
    }
    compute::cast(&column, data_type).expect("a result is of the type of the call, but for the names of parts")
}
