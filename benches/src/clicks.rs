//! Rows with a time for the benchmarks of windows: a key, a value, an event time in microseconds.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow::error::ArrowError;

/// The columns as SQL.
pub const COLUMNS: &str = "k BIGINT, v BIGINT, at TIMESTAMP";

/// One row.
#[derive(Clone, Copy, Debug)]
pub struct Click {
    /// Key.
    pub key: i64,
    /// Value.
    pub value: i64,
    /// Microseconds.
    pub at: i64,
}

/// The rows as a batch under [`COLUMNS`].
///
/// # Errors
/// None that these columns can have.
pub fn batch(rows: &[Click]) -> Result<RecordBatch, ArrowError> {
    let keys: ArrayRef = Arc::new(rows.iter().map(|row| row.key).collect::<Int64Array>());
    let values: ArrayRef = Arc::new(rows.iter().map(|row| row.value).collect::<Int64Array>());
    let times: ArrayRef = Arc::new(rows.iter().map(|row| Some(row.at)).collect::<TimestampMicrosecondArray>());
    RecordBatch::try_new(schema(), vec![keys, values, times])
}

fn schema() -> SchemaRef {
    let time = DataType::Timestamp(TimeUnit::Microsecond, None);
    let fields = [("k", DataType::Int64), ("v", DataType::Int64), ("at", time)];
    Arc::new(Schema::new(fields.map(|(name, data_type)| Field::new(name, data_type, true)).to_vec()))
}

/// A permutation of `0..n` that looks random and needs no memory: the multiples of a large step that shares no factor with `n`.
pub fn scattered(n: u64) -> impl Iterator<Item = u64> {
    let mut step = (n as f64 * 0.618_033_988_749) as u64 | 1;
    while greatest_common_divisor(step, n) > 1 {
        step += 2;
    }
    (0..n).map(move |i| ((u128::from(i) * u128::from(step)) % u128::from(n)) as u64)
}

fn greatest_common_divisor(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}
