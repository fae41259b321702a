//! [`Portable`]: rows of any columns, on the heap, with their strings ([`deltic_zset::RowPicks`]).

use std::cell::RefCell;

use arrow::array::ArrayRef;
use deltic_zset::{EncodedRows, RowPicks};

use super::format::{Format, Frame, From};

/// Rows of any columns.
pub(super) struct Portable;

thread_local! {
    /// Rows are made here and copied to where they stay, in one allocation of their size.
    static MADE: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

fn picked(picks: &RowPicks, rows: &[&[u64]]) -> Box<[u64]> {
    MADE.with_borrow_mut(|made| {
        picks.pick(rows, made);
        made.as_slice().into()
    })
}

impl Format for Portable {
    type Row = Box<[u64]>;
    type Key = Box<[u64]>;
    /// The whole row.
    type Rest = Box<[u64]>;
    type Picks = RowPicks;
    /// The columns of the key.
    type Split = RowPicks;

    fn encode(frame: &Frame, columns: &[ArrayRef], rows: usize, take: &mut dyn FnMut(usize, Self::Row)) {
        let (mut encoded, mut words) = (EncodedRows::new(), Vec::new());
        frame.layout.encode(columns, rows, &mut encoded);
        for row in 0..rows {
            words.clear();
            frame.layout.write_portable(&encoded, row, &mut words);
            take(row, words.as_slice().into());
        }
    }

    fn decode(frame: &Frame, rows: &mut dyn Iterator<Item = &Self::Row>) -> Vec<ArrayRef> {
        frame.layout.decode(&frame.layout.read_portable(rows.map(|row| &row[..])))
    }

    fn is_null(frame: &Frame, row: &Self::Row, column: usize) -> bool {
        frame.layout.is_null(row, column)
    }

    fn picks(sources: &[&Frame], columns: &[From], target: &Frame) -> RowPicks {
        let sources: Vec<_> = sources.iter().map(|source| &source.layout).collect();
        RowPicks::new(&sources, columns, &target.layout)
    }

    fn pick(picks: &RowPicks, rows: &[&Self::Row]) -> Self::Row {
        match rows {
            [row] => picked(picks, &[row]),
            [left, right] => picked(picks, &[left, right]),
            rows => picked(picks, &rows.iter().map(|row| &row[..]).collect::<Vec<_>>()),
        }
    }

    fn splits(frame: &Frame, key: &[usize], of_key: &Frame) -> RowPicks {
        let columns: Vec<From> = key.iter().map(|&column| (0, column)).collect();
        RowPicks::new(&[&frame.layout], &columns, &of_key.layout)
    }

    fn split(split: &RowPicks, row: Self::Row) -> (Self::Key, Self::Rest) {
        (picked(split, &[&row]), row)
    }

    fn joined(picks: &RowPicks, _splits: [&RowPicks; 2], _key: &Self::Key, [left, right]: [&Self::Rest; 2]) -> Self::Row {
        picked(picks, &[left, right])
    }
}
