//! Row hashes: one strong 64-bit hash per row, a column at a time.
//!
//! A column is mixed into the running hashes of all rows by one folded multiplication per word (the high half of the 128-bit
//! product xor the low half, as in wyhash and foldhash), and a last one spreads what a short key left uneven. The constants are
//! fixed: a row must have the same hash on every worker of every process, and after a restart. Hence the hash is no defence
//! against keys that are made to collide; the tables stay correct under collisions, only slower.
//!
//! Who may use which bits: the exchange takes the *high* half ([`worker_of`]), the state tables the *low* half. Were they to
//! share bits, each worker's table would be filled at every n-th slot only.

use arrow::array::{Array, ArrayRef, AsArray, GenericByteArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{BinaryType, ByteArrayType, DataType, Decimal128Type, IntervalMonthDayNanoType, Utf8Type};

use crate::nested::nested_bytes;
use crate::types::nanos_of;
use crate::word::{Word, match_word_type};

// The fractional digits of pi.
const SEED: u64 = 0x243f_6a88_85a3_08d3;
const FACTOR: u64 = 0x1319_8a2e_0370_7345;
const LAST_SEED: u64 = 0xa409_3822_299f_31d0;
const LAST_FACTOR: u64 = 0x082e_fa98_ec4e_6c89;
const BYTES_SEED: u64 = 0x4528_21e6_38d0_1377;
const NULL: u64 = 0xbe54_66cf_34e9_0c6c;

/// Replaces `hashes` by one hash per row of `columns`. Equal canonical rows have equal hashes on every worker and in every
/// process; NULL is a value like any other. Without columns all rows have the same hash.
pub fn hash_columns(columns: &[ArrayRef], rows: usize, hashes: &mut Vec<u64>) {
    hashes.clear();
    hashes.resize(rows, SEED);
    for column in columns {
        debug_assert_eq!(column.len(), rows);
        mix_column(column, hashes);
    }
    for hash in hashes {
        *hash = fold(*hash ^ LAST_SEED, LAST_FACTOR);
    }
}

/// The worker, of `peers`, that holds the rows of this hash.
pub fn worker_of(hash: u64, peers: usize) -> usize {
    (((hash >> 32) * peers as u64) >> 32) as usize
}

#[inline(always)]
fn fold(left: u64, right: u64) -> u64 {
    let product = u128::from(left) * u128::from(right);
    (product >> 64) as u64 ^ product as u64
}

#[inline(always)]
fn mix(hash: u64, word: u64) -> u64 {
    fold(hash ^ word, FACTOR)
}

fn mix_column(column: &ArrayRef, hashes: &mut [u64]) {
    let nulls = column.nulls();
    match_word_type!(column.data_type(), T => {
        let values = column.as_primitive::<T>().values();
        mix_each(hashes, nulls, values.iter(), |hash, value| mix(hash, value.to_word()))
    }, _ => {
        match column.data_type() {
            DataType::Boolean => mix_each(hashes, nulls, column.as_boolean().values().iter(), |hash, value| mix(hash, value.into())),
            DataType::Decimal128(..) => {
                mix_each(hashes, nulls, column.as_primitive::<Decimal128Type>().values().iter(), |hash, value| mix_wide(hash, *value))
            }
            DataType::Interval(_) => {
                let values = column.as_primitive::<IntervalMonthDayNanoType>().values();
                mix_each(hashes, nulls, values.iter(), |hash, value| mix_wide(hash, nanos_of(*value)))
            }
            DataType::Utf8 => mix_bytes(column.as_bytes::<Utf8Type>(), nulls, hashes),
            DataType::Binary => mix_bytes(column.as_bytes::<BinaryType>(), nulls, hashes),
            _ => mix_bytes(&nested_bytes(column), nulls, hashes),
        }
    })
}

#[inline(always)]
fn mix_each<V>(
    hashes: &mut [u64],
    nulls: Option<&NullBuffer>,
    values: impl Iterator<Item = V>,
    mix_value: impl Fn(u64, V) -> u64,
) {
    match nulls.filter(|nulls| nulls.null_count() > 0) {
        None => {
            for (hash, value) in hashes.iter_mut().zip(values) {
                *hash = mix_value(*hash, value);
            }
        }
        Some(nulls) => {
            for ((hash, value), valid) in hashes.iter_mut().zip(values).zip(nulls.iter()) {
                *hash = if valid { mix_value(*hash, value) } else { mix(*hash, NULL) };
            }
        }
    }
}

#[inline(always)]
fn mix_wide(hash: u64, value: i128) -> u64 {
    mix(mix(hash, value as u64), (value >> 64) as u64)
}

fn mix_bytes<T: ByteArrayType<Offset = i32>>(array: &GenericByteArray<T>, nulls: Option<&NullBuffer>, hashes: &mut [u64]) {
    let data = array.value_data();
    let values = array.value_offsets().windows(2).map(|ends| &data[ends[0] as usize..ends[1] as usize]);
    mix_each(hashes, nulls, values, |hash, bytes| mix(hash, hash_bytes(bytes)));
}

/// A hash of a byte string, to be mixed on. Reads up to 16 bytes with two overlapping loads, more in steps of 16.
#[inline]
fn hash_bytes(bytes: &[u8]) -> u64 {
    let seed = BYTES_SEED ^ bytes.len() as u64;
    if bytes.len() > 16 {
        let mut hash = seed;
        // The last step overlaps the one before it: the length is in the seed, so no two strings read alike.
        let steps = (0..bytes.len() - 16).step_by(16).chain([bytes.len() - 16]);
        for start in steps {
            hash = fold(hash ^ word_at(bytes, start), FACTOR ^ word_at(bytes, start + 8));
        }
        return hash;
    }
    let (low, high) = match bytes.len() {
        8.. => (word_at(bytes, 0), word_at(bytes, bytes.len() - 8)),
        4.. => (half_at(bytes, 0), half_at(bytes, bytes.len() - 4)),
        1.. => (u64::from(bytes[0]), u64::from(bytes[bytes.len() / 2]) << 8 | u64::from(bytes[bytes.len() - 1])),
        0 => (0, 0),
    };
    fold(seed ^ low, FACTOR ^ high)
}

#[inline(always)]
fn word_at(bytes: &[u8], start: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[start..start + 8]);
    u64::from_le_bytes(word)
}

#[inline(always)]
fn half_at(bytes: &[u8], start: usize) -> u64 {
    let mut half = [0; 4];
    half.copy_from_slice(&bytes[start..start + 4]);
    u64::from(u32::from_le_bytes(half))
}

#[cfg(test)]
mod tests;
