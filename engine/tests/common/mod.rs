//! What the tests of the engine share.
#![allow(dead_code, clippy::unwrap_used, reason = "each test binary uses its part of it")]

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, TimeUnit, TimestampMicrosecondType};
use arrow::util::display::array_value_to_string;
use deltic::{Config, Database, ManualClock, RelationStats, Subscription};

/// A database with `workers` workers that are not pinned (the tests run beside each other).
pub(crate) fn database(workers: usize) -> Database {
    Database::open(Config::in_memory().workers(workers).pin_workers(false)).unwrap()
}

/// The rows of a query as text, `a|b|c`, sorted.
pub(crate) fn rows(db: &Database, sql: &str) -> Vec<String> {
    let mut rows = ordered_rows(db, sql);
    rows.sort();
    rows
}

/// The rows of a query as text, in the order of the query.
pub(crate) fn ordered_rows(db: &Database, sql: &str) -> Vec<String> {
    db.query(sql).unwrap_or_else(|error| panic!("{sql}: {error}")).iter().flat_map(texts).collect()
}

/// Each row as text.
pub(crate) fn texts(batch: &RecordBatch) -> Vec<String> {
    (0..batch.num_rows()).map(|row| text(batch.columns(), row)).collect()
}

fn text(columns: &[ArrayRef], row: usize) -> String {
    let value = |column: &ArrayRef| if column.is_null(row) { "NULL".into() } else { array_value_to_string(column, row).unwrap() };
    columns.iter().map(value).collect::<Vec<_>>().join("|")
}

/// Rows of two BIGINT columns `k` and `v`.
pub(crate) fn pairs(pairs: &[(i64, i64)]) -> RecordBatch {
    let column = |values: Vec<i64>| Arc::new(Int64Array::from(values)) as ArrayRef;
    let (keys, values) = pairs.iter().copied().unzip();
    RecordBatch::try_from_iter([("k", column(keys)), ("v", column(values))]).unwrap()
}

/// The sum of the changes of `view` that a subscription has ready.
pub(crate) fn drain(subscription: &mut Subscription, view: &str, sum: &mut HashMap<String, i64>) {
    while let Some(change) = subscription.try_next() {
        for delta in change.unwrap().deltas.iter().filter(|delta| delta.view == view) {
            for (row, text) in texts(&delta.rows).into_iter().enumerate() {
                assert_ne!(delta.weights.value(row), 0, "a delta has no zero weights");
                *sum.entry(text).or_insert(0) += delta.weights.value(row);
            }
        }
    }
    sum.retain(|_, weight| *weight != 0);
}

/// A Z-set as sorted rows with copies.
pub(crate) fn copies(sum: &HashMap<String, i64>) -> Vec<String> {
    let mut rows: Vec<String> = sum
        .iter()
        .flat_map(|(row, &weight)| {
            assert!(weight > 0, "{row} has weight {weight}");
            std::iter::repeat_n(row.clone(), weight as usize)
        })
        .collect();
    rows.sort();
    rows
}

/// Fails the process if `body` does not return in time, so that a hang is a failure and not a stuck build.
pub(crate) fn within<T: Send + 'static>(time: Duration, body: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, answer) = std::sync::mpsc::channel();
    let thread = std::thread::spawn(move || {
        let _ = done.send(body());
    });
    match answer.recv_timeout(time) {
        Ok(value) => value,
        Err(std::sync::mpsc::RecvTimeoutError::Timeout) => panic!("still running after {time:?}"),
        Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => std::panic::resume_unwind(thread.join().err().unwrap()),
    }
}

/// A database whose clock is moved by hand, and starts at `now` (microseconds).
pub(crate) fn manual(now: i64) -> (Database, ManualClock) {
    let clock = ManualClock::new(now);
    let config = Config::in_memory().workers(2).pin_workers(false).clock(clock.clone());
    (Database::open(config).unwrap(), clock)
}

/// The watermark of a source.
pub(crate) fn watermark(db: &Database, source: &str) -> Option<i64> {
    stats(db, source).watermark
}

/// What is known of a relation.
pub(crate) fn stats(db: &Database, relation: &str) -> RelationStats {
    db.stats().unwrap().relations.into_iter().find(|stats| stats.name == relation).unwrap()
}

/// The microseconds of a time such as `2024-01-01 00:00:00`.
pub(crate) fn time_of(text: &str) -> i64 {
    let array = StringArray::from(vec![text]);
    let micros = arrow::compute::cast(&array, &DataType::Timestamp(TimeUnit::Microsecond, None)).unwrap();
    micros.as_primitive::<TimestampMicrosecondType>().value(0)
}
