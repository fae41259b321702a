//! Functions of maps: what each yields for constants, and for columns between rows of NULLs.

use std::sync::Arc;

use arrow::buffer::OffsetBuffer;
use arrow::datatypes::DataType;
use datafusion_common::ScalarValue;
use deltic_zset::maps::maps_of;

use super::own_functions::of;

fn integer(value: i64) -> ScalarValue {
    ScalarValue::Int64(Some(value))
}

fn text(text: &str) -> ScalarValue {
    ScalarValue::Utf8(Some(text.to_owned()))
}

fn list(values: &[ScalarValue], data_type: DataType) -> ScalarValue {
    ScalarValue::List(ScalarValue::new_list_nullable(values, &data_type))
}

fn map(entries: &[(i64, Option<&str>)]) -> ScalarValue {
    let keys =
        ScalarValue::new_list_nullable(&entries.iter().map(|(key, _)| integer(*key)).collect::<Vec<_>>(), &DataType::Int64);
    let values: Vec<ScalarValue> = entries.iter().map(|(_, value)| ScalarValue::from(*value)).collect();
    let values = ScalarValue::new_list_nullable(&values, &DataType::Utf8);
    let offsets = OffsetBuffer::from_lengths([entries.len()]);
    let (maps, faults) = maps_of(keys.values(), values.values(), &offsets, None).unwrap();
    assert!(faults.is_empty());
    ScalarValue::Map(Arc::new(maps))
}

#[test]
fn maps_are_made_of_lists() {
    let made = |keys: &[ScalarValue], values: &[ScalarValue]| {
        of("map", &[list(keys, DataType::Int64), list(values, DataType::Utf8)], &[])
    };
    assert_eq!(made(&[integer(2), integer(1)], &[text("b"), ScalarValue::Utf8(None)]), "{1=>NULL,2=>b}");
    assert_eq!(made(&[], &[]), "{}");
    assert_eq!(made(&[integer(1), integer(1)], &[text("a"), text("b")]), "DT2005");
    assert_eq!(made(&[ScalarValue::Int64(None)], &[text("a")]), "DT2005");
    assert_eq!(made(&[integer(1)], &[]), "DT2005");
}

#[test]
fn a_key_is_found_if_it_is_equal() {
    let found = |key: ScalarValue| of("element_at", &[map(&[(5, Some("five")), (-3, None), (7, Some("seven"))]), key], &[]);
    assert_eq!(found(integer(5)), "five");
    assert_eq!(found(integer(-3)), "NULL");
    assert_eq!(found(integer(6)), "NULL");
    assert_eq!(found(ScalarValue::Int16(Some(7))), "seven");
    assert_eq!(found(ScalarValue::Float64(Some(7.0))), "seven");
    assert_eq!(found(ScalarValue::Float64(Some(7.25))), "NULL");
    assert_eq!(found(ScalarValue::Float64(Some(f64::NAN))), "NULL");
    assert_eq!(found(ScalarValue::UInt64(Some(u64::MAX))), "NULL");
    assert_eq!(found(ScalarValue::Decimal128(Some(700), 10, 2)), "seven");
    assert_eq!(found(ScalarValue::Decimal128(Some(701), 10, 2)), "NULL");
    assert_eq!(found(text("7")), "seven");
    assert!(found(ScalarValue::Boolean(Some(true))).contains("element_at does not take the types"));
}

#[test]
fn a_map_is_the_lists_of_its_keys_and_values() {
    let two = map(&[(2, Some("b")), (1, None)]);
    assert_eq!(of("map_keys", std::slice::from_ref(&two), &[]), "{1,2}");
    assert_eq!(of("map_values", std::slice::from_ref(&two), &[]), "{NULL,b}");
    assert_eq!(of("map_entries", std::slice::from_ref(&two), &[]), r#"{"(1,NULL)","(2,b)"}"#);
    assert_eq!(of("map_keys", &[map(&[])], &[]), "{}");
    assert_eq!(of("map_extract", &[two.clone(), integer(2)], &[]), "{b}");
    assert_eq!(of("map_extract", &[two.clone(), integer(3)], &[]), "{}");
    assert_eq!(of("map_contains_key", &[two.clone(), integer(1)], &[]), "true");
    assert_eq!(of("map_contains_key", &[two, integer(0)], &[]), "false");
}

#[test]
fn the_last_map_wins() {
    let (first, second) = (map(&[(1, Some("a")), (2, Some("b"))]), map(&[(0, None), (2, Some("c"))]));
    assert_eq!(of("map_concat", &[first.clone(), second.clone()], &[]), "{0=>NULL,1=>a,2=>c}");
    assert_eq!(of("map_concat", &[second, first, map(&[])], &[]), "{0=>NULL,1=>a,2=>b}");
}
