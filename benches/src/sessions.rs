//! Sessions alone: the operator driven by hand, epoch by epoch, and the recomputation of touched keys that it replaces.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use deltic_circuit::{
    AggregateCall, AggregateFunction, Circuit, CircuitBuilder, CircuitError, EpochInfo, EventTime, Properties, TimeSource,
};
use deltic_operators::{EpochOperator, session};
use deltic_zset::ZBatch;

/// The longest step within a session.
pub const GAP: i64 = 10;

/// A change of a row: key, time, value, weight.
pub type Event = (i64, i64, i64, i64);

/// Which view of sessions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    /// Show the rows with bounds instead of `count(*), sum(v), min(v), max(v)`.
    pub rows: bool,
    /// No row is ever retracted.
    pub append_only: bool,
    /// The source has a watermark.
    pub watermark: bool,
    /// The values are DOUBLE, and their sums exact.
    pub floats: bool,
}

fn schema(floats: bool) -> SchemaRef {
    let value = if floats { DataType::Float64 } else { DataType::Int64 };
    let types = [("k", DataType::Int64), ("t", DataType::Int64), ("v", value)];
    Arc::new(Schema::new(types.map(|(name, data_type)| Field::new(name, data_type, false)).to_vec()))
}

/// The circuit of a view of sessions.
///
/// # Errors
/// None: the circuit is valid.
pub fn circuit(shape: Shape) -> Result<Circuit, CircuitError> {
    let mut properties = Properties { append_only: shape.append_only, ..Properties::default() };
    if shape.watermark {
        properties.time_sources = vec![TimeSource { relation: "s".into(), lateness: Some(0) }];
        properties.event_times = vec![EventTime { column: 1, slack: 0 }];
    }
    let mut builder = CircuitBuilder::new();
    let source = builder.source("s", schema(shape.floats), properties);
    let output = if shape.rows {
        builder.session_rows(source, vec![0], 1, GAP, None)?
    } else {
        let value = if shape.floats { DataType::Float64 } else { DataType::Int64 };
        let call = |function, argument: Option<usize>| {
            let data_type = argument.map_or(DataType::Int64, |_| value.clone());
            AggregateCall::new(function, argument, data_type)
        };
        let calls = [
            ("n", AggregateFunction::Count, None),
            ("s", AggregateFunction::Sum, Some(2)),
            ("a", AggregateFunction::Min, Some(2)),
            ("z", AggregateFunction::Max, Some(2)),
        ];
        let calls = calls.into_iter().map(|(name, function, argument)| (name.to_owned(), call(function, argument))).collect();
        builder.session_aggregates(source, vec![0], 1, GAP, None, calls)?
    };
    builder.finish(output, None)
}

/// Changes as a batch; the values are DOUBLE if `floats`.
pub fn batch(events: &[Event], floats: bool) -> ZBatch {
    let column = |value: fn(&Event) -> i64| -> ArrayRef { Arc::new(events.iter().map(value).collect::<Int64Array>()) };
    let values = match floats {
        true => Arc::new(events.iter().map(|event| event.2 as f64 / 8.0).collect::<Float64Array>()),
        false => column(|event| event.2),
    };
    let columns = vec![column(|event| event.0), column(|event| event.1), values];
    let weights = events.iter().any(|event| event.3 != 1).then(|| events.iter().map(|event| event.3).collect::<Vec<_>>().into());
    ZBatch::new(schema(floats), columns, weights, events.len())
}

/// A session operator, driven by hand.
pub struct Sessions {
    /// The operator.
    pub operator: Box<dyn EpochOperator>,
    /// What it shows.
    pub shape: Shape,
    epoch: u64,
}

impl Sessions {
    /// A view of this shape over no rows.
    ///
    /// # Errors
    /// None: the circuit is valid.
    pub fn new(shape: Shape) -> Result<Self, Box<dyn std::error::Error>> {
        let circuit = circuit(shape)?;
        Ok(Sessions { operator: session(&circuit, circuit.output)?, shape, epoch: 0 })
    }

    /// Applies an epoch; returns the number of rows that came out.
    pub fn epoch(&mut self, batch: ZBatch) -> usize {
        self.operator.push(0, batch);
        self.close()
    }

    /// Closes an epoch in which the watermark rises to `watermark`.
    pub fn advance(&mut self, watermark: i64) -> usize {
        let info = EpochInfo { watermarks: [("s".into(), watermark)].into(), ..EpochInfo::default() };
        self.operator.observe(&info);
        self.close()
    }

    fn close(&mut self) -> usize {
        self.epoch += 1;
        self.operator.close(self.epoch).rows.iter().map(ZBatch::len).sum()
    }
}

/// What an incremental operator is measured by: all sessions of every touched key are made anew in each epoch.
#[derive(Default)]
pub struct Recomputation {
    /// Time to count, sum, and values, by key.
    keys: BTreeMap<i64, BTreeMap<(i64, i64), i64>>,
    sessions: BTreeMap<i64, Vec<[i64; 6]>>,
}

impl Recomputation {
    /// Applies an epoch; returns the number of rows that came out.
    pub fn epoch(&mut self, events: &[Event]) -> usize {
        let mut touched: Vec<i64> = Vec::new();
        for &(key, time, value, weight) in events {
            let rows = self.keys.entry(key).or_default();
            let entry = rows.entry((time, value)).or_default();
            *entry += weight;
            if *entry == 0 {
                rows.remove(&(time, value));
            }
            touched.push(key);
        }
        touched.sort_unstable();
        touched.dedup();
        let mut out = 0;
        for key in touched {
            let mut sessions: Vec<[i64; 6]> = Vec::new();
            for (&(time, value), &weight) in &self.keys[&key] {
                match sessions.last_mut() {
                    Some([_, last, count, sum, min, max]) if time - *last <= GAP => {
                        (*last, *count, *sum) = (time, *count + weight, *sum + value * weight);
                        (*min, *max) = (value.min(*min), value.max(*max));
                    }
                    _ => sessions.push([time, time, weight, value * weight, value, value]),
                }
            }
            let old = self.sessions.insert(key, sessions.clone()).unwrap_or_default();
            let before: HashSet<_> = old.iter().collect();
            let same = sessions.iter().filter(|session| before.contains(session)).count();
            out += old.len() + sessions.len() - 2 * same;
        }
        out
    }
}

/// Numbers that are the same in every run.
pub struct Random(pub u64);

impl Random {
    /// A number below `limit`.
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        ((u128::from(self.0 ^ (self.0 >> 29)) * limit as u128) >> 64) as usize
    }
}

/// The order that events come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// By time, the keys in turns.
    Ascending,
    /// At random.
    Shuffled,
}

/// `events` rows, of as many keys, in so many sessions per key; within a session an average distance of half the gap. With `deletes`, a random live
/// row goes after every fourth that comes.
pub fn events(events: usize, keys: usize, sessions_per_key: usize, order: Order, deletes: bool) -> Vec<Event> {
    let mut random = Random(1);
    let per_session = (events / keys / sessions_per_key).max(1);
    let mut times = vec![0i64; keys];
    let mut rows: Vec<Event> = (0..events)
        .map(|number| {
            let (key, row) = (number % keys, number / keys);
            let step =
                if row.is_multiple_of(per_session) { GAP + 1 + random.below(50) as i64 } else { 1 + random.below(9) as i64 };
            times[key] += step;
            (key as i64, times[key], random.below(1000) as i64, 1)
        })
        .collect();
    if order == Order::Shuffled {
        for index in (1..rows.len()).rev() {
            rows.swap(index, random.below(index + 1));
        }
    }
    if !deletes {
        return rows;
    }
    let mut live = Vec::new();
    let mut changes = Vec::with_capacity(rows.len() * 5 / 4);
    for (number, row) in rows.into_iter().enumerate() {
        changes.push(row);
        live.push(row);
        if number % 4 == 3 {
            let (key, time, value, _) = live.swap_remove(random.below(live.len()));
            changes.push((key, time, value, -1));
        }
    }
    changes
}
