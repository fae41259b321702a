//! Columns to rows. Every word of every row is written, so a reused buffer needs no clearing.

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, GenericByteArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{BinaryType, ByteArrayType, Decimal128Type, IntervalMonthDayNanoType, Utf8Type};

use super::{Cell, EncodedRows, INLINE_BYTES, Kind, PRESENT, Shape};
use crate::types::nanos_of;
use crate::word::{Word, match_word_type};

impl EncodedRows {
    pub(super) fn encode(&mut self, shape: &Shape, columns: &[ArrayRef], rows: usize) {
        self.stride = shape.words;
        self.rows = rows;
        self.heaps.clear();
        self.words.resize(rows * shape.words, 0);
        if rows == 0 {
            return;
        }
        self.write(0, (0..rows).map(|_| PRESENT));
        for word in 1..=shape.null_words {
            self.write(word, (0..rows).map(|_| 0));
        }
        for ((cell, column), data_type) in shape.cells.iter().zip(columns).zip(&shape.types) {
            assert_eq!(column.data_type(), data_type);
            assert_eq!(column.len(), rows);
            self.write_column(cell, column);
            if let Some(nulls) = column.nulls().filter(|nulls| nulls.null_count() > 0) {
                self.write_nulls(cell, nulls);
            }
        }
    }

    /// Writes word `word` of each row.
    #[inline(always)]
    fn write(&mut self, word: usize, values: impl Iterator<Item = u64>) {
        for (place, value) in self.words[word..].iter_mut().step_by(self.stride).zip(values) {
            *place = value;
        }
    }

    /// Sets the NULL bits of a column and clears the cells of its NULLs.
    fn write_nulls(&mut self, cell: &Cell, nulls: &NullBuffer) {
        for (row, valid) in self.words.chunks_exact_mut(self.stride).zip(nulls) {
            if !valid {
                row[cell.null_word] |= cell.null_bit;
                row[cell.word..cell.word + cell.kind.words()].fill(0);
            }
        }
    }

    fn write_column(&mut self, cell: &Cell, column: &ArrayRef) {
        match &cell.kind {
            Kind::Word => {
                match_word_type!(column.data_type(), T => { self.write_words::<T>(cell.word, column) }, _ => {
                    unreachable!("a cell of one word has a type of one word")
                })
            }
            Kind::Boolean => self.write(cell.word, column.as_boolean().values().iter().map(u64::from)),
            Kind::Decimal => self.write_wide(cell.word, column.as_primitive::<Decimal128Type>().values().iter().copied()),
            Kind::Interval => {
                let intervals = column.as_primitive::<IntervalMonthDayNanoType>().values();
                self.write_wide(cell.word, intervals.iter().map(|interval| nanos_of(*interval)));
            }
            Kind::Utf8 => self.write_strings(cell.word, column.as_bytes::<Utf8Type>()),
            Kind::Binary => self.write_strings(cell.word, column.as_bytes::<BinaryType>()),
            Kind::Nested(codec) => self.write_strings(cell.word, &codec.encode(column)),
        }
    }

    fn write_words<T: ArrowPrimitiveType<Native: Word>>(&mut self, word: usize, column: &ArrayRef) {
        self.write(word, column.as_primitive::<T>().values().iter().map(|value| value.to_word()));
    }

    fn write_wide(&mut self, word: usize, values: impl Iterator<Item = i128>) {
        for (row, value) in self.words.chunks_exact_mut(self.stride).zip(values) {
            row[word] = value as u64;
            row[word + 1] = (value >> 64) as u64;
        }
    }

    fn write_strings<T: ByteArrayType<Offset = i32>>(&mut self, word: usize, array: &GenericByteArray<T>) {
        let data = array.value_data();
        for (row, ends) in self.words.chunks_exact_mut(self.stride).zip(array.value_offsets().windows(2)) {
            let cell = string_cell(data, ends[0] as usize, ends[1] as usize);
            row[word] = cell[0];
            row[word + 1] = cell[1];
        }
        self.heaps.push(array.values().clone());
    }
}

/// The cell of the string `data[start..end]`, which is in `data` if it is long.
#[inline(always)]
fn string_cell(data: &[u8], start: usize, end: usize) -> [u64; 2] {
    let length = end - start;
    if length > INLINE_BYTES {
        let mut prefix = [0; 4];
        prefix.copy_from_slice(&data[start..start + 4]);
        return [length as u64 | u64::from(u32::from_le_bytes(prefix)) << 32, start as u64];
    }
    let text = match data.get(start..start + 16) {
        // One load of 16 bytes, of which what is not text is masked out.
        Some(bytes) => {
            let mut text = [0; 16];
            text.copy_from_slice(bytes);
            u128::from_le_bytes(text) & !(u128::MAX << (8 * length))
        }
        None => {
            let mut text = [0; 16];
            text[..length].copy_from_slice(&data[start..end]);
            u128::from_le_bytes(text)
        }
    };
    let cell = text << 32 | length as u128;
    [cell as u64, (cell >> 64) as u64]
}
