//! Two laws: decoding gives back the values, and rows have equal words exactly if their values are equal (long strings, which
//! are compared where they are, aside). The second is what the hash tables rely on.

#![allow(clippy::unwrap_used)]

use arrow::array::{Int64Array, StringArray};
use proptest::prelude::*;

use super::*;
use crate::Error;
use crate::test_support::{any_columns, any_type, column_of, integers, rows_of};

/// The words of a row with long strings spelled out, so that they can be compared.
fn spelled(layout: &RowLayout, rows: &EncodedRows, row: usize) -> (Vec<u64>, Vec<Vec<u8>>) {
    let mut words = RowSource::row(rows, row).to_vec();
    let mut long = Vec::new();
    for (string, word) in (layout.fixed_words()..layout.words()).step_by(2).enumerate() {
        let length = string_length(words[word]);
        if length > INLINE_BYTES {
            long.push(rows.long_string(string, words[word + 1], length).to_vec());
            words[word + 1] = 0;
        }
    }
    (words, long)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]
    #[test]
    fn rows_come_back_and_are_equal_as_their_values_are(
        columns in prop::collection::vec(any_type(), 1..5).prop_flat_map(|types| any_columns(types, 0..12)),
        dirty in 0usize..30,
    ) {
        let rows = columns[0].len();
        let types: Vec<DataType> = columns.iter().map(|column| column.data_type().clone()).collect();
        let layout = RowLayout::try_new(&types).unwrap();
        // What was in the buffer before must not show.
        let mut encoded = EncodedRows { words: vec![u64::MAX; dirty], ..EncodedRows::new() };
        layout.encode(&columns, rows, &mut encoded);
        prop_assert_eq!(encoded.len(), rows);
        let decoded = layout.decode(&encoded);
        for (decoded, column) in decoded.iter().zip(&columns) {
            prop_assert_eq!(decoded.data_type(), column.data_type());
        }
        let cells = rows_of(&columns, rows);
        prop_assert_eq!(&rows_of(&decoded, rows), &cells);
        for left in 0..rows {
            for right in 0..rows {
                let equal_words = spelled(&layout, &encoded, left) == spelled(&layout, &encoded, right);
                prop_assert_eq!(equal_words, cells[left] == cells[right]);
            }
        }
    }
}

#[test]
fn many_columns_have_further_null_words() {
    let types = vec![DataType::Int64; 100];
    let layout = RowLayout::try_new(&types).unwrap();
    assert_eq!(layout.words(), 1 + 2 + 100);
    let columns: Vec<ArrayRef> =
        (0..100).map(|column| Arc::new(Int64Array::from(vec![None, Some(column)])) as ArrayRef).collect();
    let mut encoded = EncodedRows::new();
    layout.encode(&columns, 2, &mut encoded);
    assert_eq!(rows_of(&layout.decode(&encoded), 2), rows_of(&columns, 2));
}

#[test]
fn strings_of_twelve_bytes_are_inline_and_of_thirteen_are_not() {
    let layout = RowLayout::try_new(&[DataType::Utf8]).unwrap();
    let column: ArrayRef = Arc::new(StringArray::from(vec!["123456789012", "1234567890123", ""]));
    let mut encoded = EncodedRows::new();
    layout.encode(std::slice::from_ref(&column), 3, &mut encoded);
    assert_eq!(encoded.row(0)[2].to_le_bytes(), *b"56789012");
    assert_eq!(encoded.row(1)[2], 12, "the offset in the column");
    assert_eq!(encoded.row(2), [PRESENT, 0, 0]);
    assert_eq!(layout.decode(&encoded)[0].as_ref(), column.as_ref());
}

#[test]
fn only_keys_of_one_full_word_are_taken_as_they_are() {
    let layout = RowLayout::try_new(&[DataType::Int64]).unwrap();
    assert_eq!(layout.single_word(&[integers([1, -1])]), Some(&[1, u64::MAX][..]));
    assert_eq!(layout.single_word(&[integers([1, 2, 3]).slice(1, 2)]), Some(&[2, 3][..]));
    assert_eq!(layout.single_word(&[Arc::new(Int64Array::from(vec![None, Some(1)]))]), None);
    assert_eq!(layout.single_word(&[column_of(&DataType::Int32, &[])]), None);
    assert_eq!(layout.single_word(&[integers([1]), integers([1])]), None);
}

#[test]
fn types_that_are_not_canonical_are_refused() {
    for data_type in [DataType::Utf8View, DataType::Null, DataType::Date64, DataType::Interval(IntervalUnit::DayTime)] {
        assert!(matches!(RowLayout::try_new(&[data_type]), Err(Error::UnsupportedType(_))));
    }
}
