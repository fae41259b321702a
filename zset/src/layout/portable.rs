//! Rows that stand alone: the words of a layout with the long strings behind them.
//!
//! An [`EncodedRows`] points into the buffers of the batch that it was made from, and a table's rows into its arena. A row that travels by itself
//! (through a sort, to another worker) has its long strings with it, one after another in the order of their cells, each padded to whole
//! words; the second word of such a cell is where its string begins, in words from the end of the cells. Equal rows have equal words, all of them, so
//! these rows can be compared, hashed and ordered as slices of words without knowing their layout.

use arrow::buffer::Buffer;

use super::{Cell, EncodedRows, INLINE_BYTES, PRESENT, RowLayout, string_length};

/// The bits of a header that say which columns are NULL, if there are not more than 31 columns.
pub const HEADER_NULLS: u64 = PRESENT - 1;

impl RowLayout {
    /// Whether no row has a string, and all NULL bits are in the header: then rows are words of one length.
    pub fn is_fixed(&self) -> bool {
        !self.has_strings() && self.shape.null_words == 0
    }

    /// The words of a column, of a row without strings; the header is word 0.
    pub fn cell(&self, column: usize) -> std::ops::Range<usize> {
        let cell = &self.shape.cells[column];
        cell.word..cell.word + cell.kind.words()
    }

    /// Whether `column` of a row of this layout is NULL.
    #[inline]
    pub fn is_null(&self, row: &[u64], column: usize) -> bool {
        let cell = &self.shape.cells[column];
        row[cell.null_word] & cell.null_bit != 0
    }

    /// Appends row `row` of `rows`, with its strings, to `out`.
    pub fn write_portable(&self, rows: &EncodedRows, row: usize, out: &mut Vec<u64>) {
        let start = out.len();
        out.extend_from_slice(rows.row(row));
        for (string, cell) in self.strings() {
            let length = string_length(out[start + cell.word]);
            if length > INLINE_BYTES {
                let place = out[start + cell.word + 1] as usize;
                out[start + cell.word + 1] = (out.len() - start - self.shape.words) as u64;
                push_bytes(out, &rows.heaps[string][place..place + length]);
            }
        }
    }

    /// Portable rows as encoded ones.
    pub fn read_portable<'a>(&self, rows: impl Iterator<Item = &'a [u64]>) -> EncodedRows {
        let stride = self.shape.words;
        let strings: Vec<&Cell> = self.strings().map(|(_, cell)| cell).collect();
        let mut heaps: Vec<Vec<u8>> = vec![Vec::new(); strings.len()];
        let mut words: Vec<u64> = Vec::with_capacity(rows.size_hint().0 * stride);
        for row in rows {
            let start = words.len();
            words.extend_from_slice(&row[..stride]);
            for (cell, heap) in strings.iter().zip(&mut heaps) {
                let length = string_length(row[cell.word]);
                if length > INLINE_BYTES {
                    words[start + cell.word + 1] = heap.len() as u64;
                    let tail = &row[stride + row[cell.word + 1] as usize..];
                    push_string(heap, tail, length);
                }
            }
        }
        let rows = words.len() / stride;
        EncodedRows { words, stride, rows, heaps: heaps.into_iter().map(Buffer::from_vec).collect() }
    }

    fn strings(&self) -> impl Iterator<Item = (usize, &Cell)> {
        self.shape.cells.iter().filter(|cell| cell.kind.is_string()).enumerate()
    }
}

impl EncodedRows {
    /// Rows of a layout without strings ([`RowLayout::is_fixed`]) from the NULL bits of each and its words behind the header.
    pub fn from_fixed<'a>(layout: &RowLayout, rows: impl Iterator<Item = (u64, &'a [u64])>) -> Self {
        debug_assert!(layout.is_fixed());
        let stride = layout.words();
        let mut words = Vec::with_capacity(rows.size_hint().0 * stride);
        for (nulls, row) in rows {
            words.push(PRESENT | nulls);
            words.extend_from_slice(&row[..stride - 1]);
        }
        EncodedRows { rows: words.len() / stride, words, stride, heaps: Vec::new() }
    }
}

/// Makes a portable row of columns of others.
#[derive(Clone, Debug)]
pub struct RowPicks {
    /// The words of each source's cells.
    strides: Vec<usize>,
    target: RowLayout,
    /// For each column: the source, the place of its cell there, and whether it is a string.
    columns: Vec<Pick>,
}

#[derive(Clone, Debug)]
struct Pick {
    source: usize,
    from: usize,
    null_word: usize,
    null_bit: u64,
    to: usize,
    to_null_word: usize,
    to_null_bit: u64,
    words: usize,
    is_string: bool,
}

impl RowPicks {
    /// `columns` are (source, column) of each column of `target`, whose types are those.
    pub fn new(sources: &[&RowLayout], columns: &[(usize, usize)], target: &RowLayout) -> Self {
        let pick = |(&(source, column), to): (&(usize, usize), &Cell)| {
            let from = &sources[source].shape.cells[column];
            Pick {
                source,
                from: from.word,
                null_word: from.null_word,
                null_bit: from.null_bit,
                to: to.word,
                to_null_word: to.null_word,
                to_null_bit: to.null_bit,
                words: to.kind.words(),
                is_string: to.kind.is_string(),
            }
        };
        let columns = columns.iter().zip(&target.shape.cells).map(pick).collect();
        RowPicks { strides: sources.iter().map(|source| source.words()).collect(), target: target.clone(), columns }
    }

    /// Replaces `out` by the row of the columns that are picked from `rows`, one per source.
    pub fn pick(&self, rows: &[&[u64]], out: &mut Vec<u64>) {
        out.clear();
        out.resize(self.target.words(), 0);
        out[0] = PRESENT;
        for pick in &self.columns {
            let row = rows[pick.source];
            if row[pick.null_word] & pick.null_bit != 0 {
                out[pick.to_null_word] |= pick.to_null_bit;
                continue;
            }
            out[pick.to..pick.to + pick.words].copy_from_slice(&row[pick.from..pick.from + pick.words]);
            let length = string_length(row[pick.from]);
            if pick.is_string && length > INLINE_BYTES {
                out[pick.to + 1] = (out.len() - self.target.words()) as u64;
                let place = self.strides[pick.source] + row[pick.from + 1] as usize;
                out.extend_from_slice(&row[place..place + length.div_ceil(8)]);
            }
        }
    }
}

fn push_bytes(out: &mut Vec<u64>, bytes: &[u8]) {
    out.extend(bytes.chunks(8).map(|chunk| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        u64::from_le_bytes(word)
    }));
}

fn push_string(heap: &mut Vec<u8>, words: &[u64], length: usize) {
    let end = heap.len() + length;
    words[..length.div_ceil(8)].iter().for_each(|word| heap.extend_from_slice(&word.to_le_bytes()));
    heap.truncate(end);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Arc;

    use arrow::array::{ArrayRef, Decimal128Array, Int64Array, StringArray};
    use arrow::datatypes::DataType;

    use super::*;

    fn columns() -> Vec<ArrayRef> {
        let long = "a string that is longer than a cell";
        vec![
            Arc::new(Int64Array::from(vec![Some(1), None, Some(-3)])),
            Arc::new(StringArray::from(vec![Some(long), Some("short"), None])),
            Arc::new(Decimal128Array::from(vec![Some(1i128 << 90), Some(-5), None])),
            Arc::new(StringArray::from(vec![Some("twelve bytes"), Some(long), Some("one more than that")])),
        ]
    }

    fn layout(columns: &[ArrayRef]) -> RowLayout {
        RowLayout::try_new(&columns.iter().map(|column| column.data_type().clone()).collect::<Vec<_>>()).unwrap()
    }

    fn portable(layout: &RowLayout, columns: &[ArrayRef]) -> Vec<Vec<u64>> {
        let mut encoded = EncodedRows::new();
        layout.encode(columns, columns[0].len(), &mut encoded);
        let row = |row| {
            let mut out = Vec::new();
            layout.write_portable(&encoded, row, &mut out);
            out
        };
        (0..encoded.len()).map(row).collect()
    }

    #[test]
    fn rows_come_back_as_they_went() {
        let columns = columns();
        let layout = layout(&columns);
        let rows = portable(&layout, &columns);
        let read = layout.read_portable(rows.iter().map(Vec::as_slice));
        assert_eq!(layout.decode(&read), columns);
        assert!(layout.is_null(&rows[1], 0) && !layout.is_null(&rows[1], 1));
    }

    #[test]
    fn equal_rows_have_equal_words_however_they_were_made() {
        let columns = columns();
        let all = layout(&columns);
        let picked: Vec<ArrayRef> = [3, 1, 0, 3].map(|column: usize| columns[column].clone()).to_vec();
        let target = layout(&picked);
        let picks = RowPicks::new(&[&all, &all], &[(0, 3), (1, 1), (0, 0), (1, 3)], &target);
        let (mut out, direct) = (Vec::new(), portable(&target, &picked));
        for (row, direct) in portable(&all, &columns).iter().zip(&direct) {
            picks.pick(&[row, row], &mut out);
            assert_eq!(&out, direct);
        }
    }

    #[test]
    fn fixed_rows_need_their_null_bits_only() {
        let columns: Vec<ArrayRef> =
            vec![Arc::new(Int64Array::from(vec![Some(1), None])), Arc::new(Decimal128Array::from(vec![None, Some(7)]))];
        let layout = layout(&columns);
        assert!(layout.is_fixed() && layout.cell(1) == (2..4));
        let rows = portable(&layout, &columns);
        let fixed = rows.iter().map(|row| (row[0] & HEADER_NULLS, &row[1..]));
        assert_eq!(layout.decode(&EncodedRows::from_fixed(&layout, fixed)), columns);
        assert!(!RowLayout::try_new(&[DataType::Utf8]).unwrap().is_fixed());
    }
}
