//! [`Words`]: rows of a few fixed-width columns, in words on the stack.
//!
//! The words of the columns in order, then zeros; if rows of the recursion may have NULLs, the last word has a bit for each
//! column that is. The key of a join is one word.

use arrow::array::ArrayRef;
use deltic_zset::{EncodedRows, HEADER_NULLS};

use super::format::{Format, Frame, From};

/// Rows of `N` words.
pub(super) struct Words<const N: usize>;

/// Where words and NULL bits come from.
#[derive(Clone, Debug)]
pub(super) struct WordPicks {
    /// (word, row, word of that row)
    words: Vec<(usize, usize, usize)>,
    /// (column, row, column of that row); empty if there are no NULLs.
    nulls: Vec<(usize, usize, usize)>,
}

/// The words of a column. The layout has a header before them.
fn words_of(frame: &Frame, column: usize) -> std::ops::Range<usize> {
    let cell = frame.layout.cell(column);
    cell.start - 1..cell.end - 1
}

fn picks(sources: &[&Frame], columns: &[From], target: &Frame) -> WordPicks {
    let mut picks = WordPicks { words: Vec::new(), nulls: Vec::new() };
    for (to, &(source, from)) in columns.iter().enumerate() {
        let pairs = words_of(target, to).zip(words_of(sources[source], from));
        picks.words.extend(pairs.map(|(to, from)| (to, source, from)));
        if target.nullable {
            picks.nulls.push((to, source, from));
        }
    }
    picks
}

macro_rules! words {
    ($words:literal, $rest:literal) => {
        impl Format for Words<$words> {
            type Row = [u64; $words];
            type Key = u64;
            type Rest = [u64; $rest];
            type Picks = WordPicks;
            /// The word that is the key.
            type Split = usize;

            fn encode(frame: &Frame, columns: &[ArrayRef], rows: usize, take: &mut dyn FnMut(usize, Self::Row)) {
                let mut encoded = EncodedRows::new();
                frame.layout.encode(columns, rows, &mut encoded);
                for row in 0..rows {
                    let (mut words, from) = ([0; $words], encoded.row(row));
                    words[..from.len() - 1].copy_from_slice(&from[1..]);
                    if frame.nullable {
                        words[$words - 1] = from[0] & HEADER_NULLS;
                    }
                    take(row, words);
                }
            }

            fn decode(frame: &Frame, rows: &mut dyn Iterator<Item = &Self::Row>) -> Vec<ArrayRef> {
                let fixed = rows.map(|row| (if frame.nullable { row[$words - 1] } else { 0 }, &row[..]));
                frame.layout.decode(&EncodedRows::from_fixed(&frame.layout, fixed))
            }

            #[inline]
            fn is_null(frame: &Frame, row: &Self::Row, column: usize) -> bool {
                frame.nullable && row[$words - 1] >> column & 1 == 1
            }

            fn picks(sources: &[&Frame], columns: &[From], target: &Frame) -> WordPicks {
                picks(sources, columns, target)
            }

            #[inline]
            fn pick(picks: &WordPicks, rows: &[&Self::Row]) -> Self::Row {
                let mut words = [0; $words];
                for &(to, source, from) in &picks.words {
                    words[to] = rows[source][from];
                }
                for &(to, source, from) in &picks.nulls {
                    words[$words - 1] |= (rows[source][$words - 1] >> from & 1) << to;
                }
                words
            }

            fn splits(frame: &Frame, key: &[usize], _of_key: &Frame) -> usize {
                key.first().map_or(0, |&column| words_of(frame, column).start)
            }

            #[inline]
            fn split(&key: &usize, row: Self::Row) -> (u64, Self::Rest) {
                let mut rest = [0; $rest];
                rest[..key].copy_from_slice(&row[..key]);
                rest[key..].copy_from_slice(&row[key + 1..]);
                (row[key], rest)
            }

            #[inline]
            fn joined(picks: &WordPicks, splits: [&usize; 2], key: &u64, rests: [&Self::Rest; 2]) -> Self::Row {
                let whole = |side: usize| {
                    let (mut row, place) = ([0; $words], *splits[side]);
                    row[..place].copy_from_slice(&rests[side][..place]);
                    row[place] = *key;
                    row[place + 1..].copy_from_slice(&rests[side][place..]);
                    row
                };
                Self::pick(picks, &[&whole(0), &whole(1)])
            }
        }
    };
}

words!(2, 1);
words!(3, 2);
words!(5, 4);
