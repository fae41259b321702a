//! Windows, sessions, EMIT and the clock, by recomputation.

use std::collections::{BTreeMap, HashMap};

use arrow::array::{Array, ArrayRef, Int64Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion_common::ScalarValue;

use super::aggregate::aggregate;
use super::relation::{Relation, Row, identity, no_array};
use crate::errors::code;
use crate::time::{OUT_OF_RANGE, bound_column, bound_type, event_times};
use crate::{
    CircuitError, Closing, EmitPolicy, EpochInfo, ErrorRows, EvalError, SessionOutput, TemporalOutput, TimeSource, Window,
    render_row,
};

/// The event time of a value; `None` if it is NULL.
pub(super) fn event_time(value: &ScalarValue) -> Result<Option<i64>, CircuitError> {
    let times = event_times(&value.to_array().map_err(no_array)?);
    Ok((!times.is_null(0)).then(|| times.value(0)))
}

fn bound(time: i64, data_type: &DataType) -> Result<ScalarValue, CircuitError> {
    let column: ArrayRef = bound_column(Int64Array::from(vec![time]), data_type);
    ScalarValue::try_from_array(&column, 0).map_err(no_array)
}

/// What is said of a row, or a key, that has no window.
pub(super) fn failure(
    code: &'static str,
    message: String,
    operator: &str,
    row: Relation,
    weight: i64,
) -> Result<Relation, CircuitError> {
    let mut failed = ErrorRows::new();
    failed.push(&EvalError::new(code, message), operator, render_row(&row.to_batch()?, 0), weight);
    Relation::from_batch(&failed.finish())
}

/// Each row once per window that holds its time.
pub(super) fn time_window(
    input: &Relation,
    time: usize,
    window: Window,
    schema: SchemaRef,
    errors: &mut Relation,
) -> Result<Relation, CircuitError> {
    let data_type = bound_type(input.schema.field(time).data_type());
    let mut result = Relation::new(schema);
    for (row, weight) in input.iter() {
        let Some(at) = event_time(&row[time])? else { continue };
        let mut windows = Vec::new();
        if window.of(at, |window| windows.push(window)).is_none() {
            let single = Relation::single(input.schema.clone(), row.clone())?;
            errors.add_all(&failure(code::OVERFLOW, OUT_OF_RANGE.to_owned(), "time window", single, weight)?)?;
            continue;
        }
        for window in windows {
            let bounds = [bound(window.start, &data_type)?, bound(window.end, &data_type)?];
            result.add(row.iter().cloned().chain(bounds).collect(), weight)?;
        }
    }
    Ok(result)
}

/// The parameters of a session node.
pub(super) struct Sessions<'a> {
    pub(super) partition: &'a [usize],
    pub(super) time: usize,
    pub(super) gap: i64,
    pub(super) max_sessions: Option<u64>,
}

impl Sessions<'_> {
    /// The rows with the bounds of their sessions, or one row per session.
    pub(super) fn evaluate(
        &self,
        input: &Relation,
        output: &SessionOutput,
        schema: SchemaRef,
        errors: &mut Relation,
    ) -> Result<Relation, CircuitError> {
        let data_type = bound_type(input.schema.field(self.time).data_type());
        let fields = input.schema.fields().iter().map(|field| field.as_ref().clone());
        let bounds = ["window_start", "window_end"].map(|name| Field::new(name, data_type.clone(), true));
        let mut rows = Relation::new(std::sync::Arc::new(Schema::new(fields.chain(bounds).collect::<Vec<_>>())));
        for (key, times) in self.partitions(input, errors)? {
            let sessions = self.sessions(times.keys().copied());
            if self.max_sessions.is_some_and(|most| sessions.len() as u64 > most) {
                let message = format!("more than {} sessions of one key", self.max_sessions.unwrap_or_default());
                let fields = self.partition.iter().map(|&column| input.schema.fields()[column].clone());
                let key = Relation::single(std::sync::Arc::new(Schema::new(fields.collect::<Vec<_>>())), key)?;
                errors.add_all(&failure(code::SESSIONS, message, "session", key, 1)?)?;
                continue;
            }
            for (start, last) in sessions {
                for (row, weight) in times.range(start..=last).flat_map(|(_, rows)| rows) {
                    let bounds = [bound(start, &data_type)?, bound(last + self.gap, &data_type)?];
                    rows.add(row.iter().cloned().chain(bounds).collect(), *weight)?;
                }
            }
        }
        match output {
            SessionOutput::Rows => Ok(rows.with_schema(schema)),
            SessionOutput::Aggregates(calls) => {
                let width = input.schema.fields().len();
                let group: Vec<usize> = self.partition.iter().copied().chain([width, width + 1]).collect();
                aggregate(&rows, &group, calls, schema, errors)
            }
        }
    }

    /// By partition and time, the rows that have one.
    #[allow(clippy::type_complexity, reason = "a map of maps is what it is")]
    fn partitions<'r>(
        &self,
        input: &'r Relation,
        errors: &mut Relation,
    ) -> Result<Vec<(Row, BTreeMap<i64, Vec<(&'r Row, i64)>>)>, CircuitError> {
        let mut partitions: HashMap<Row, (Row, BTreeMap<i64, Vec<(&Row, i64)>>)> = HashMap::new();
        for (row, weight) in input.iter() {
            let Some(at) = event_time(&row[self.time])? else { continue };
            if at.checked_add(self.gap).is_none() {
                let single = Relation::single(input.schema.clone(), row.clone())?;
                errors.add_all(&failure(code::OVERFLOW, OUT_OF_RANGE.to_owned(), "session", single, weight)?)?;
                continue;
            }
            let key: Row = self.partition.iter().map(|&column| row[column].clone()).collect();
            let (_, times) = partitions.entry(identity(&key)).or_insert_with(|| (key, BTreeMap::new()));
            times.entry(at).or_default().push((row, weight));
        }
        Ok(partitions.into_values().collect())
    }

    /// First and last time of each chain of ascending `times`.
    fn sessions(&self, times: impl Iterator<Item = i64>) -> Vec<(i64, i64)> {
        let mut sessions: Vec<(i64, i64)> = Vec::new();
        for time in times {
            match sessions.last_mut() {
                // Not `time - last`: that may not fit.
                Some((_, last)) if time <= last.saturating_add(self.gap) => *last = time,
                _ => sessions.push((time, time)),
            }
        }
        sessions
    }
}

/// The rows that a view shows at `info`. EMIT EVERY shows all: between its ticks, what it showed at the last one.
pub(super) fn emit(
    input: Relation,
    policy: EmitPolicy,
    sources: &[TimeSource],
    info: &EpochInfo,
) -> Result<Relation, CircuitError> {
    match policy {
        EmitPolicy::OnWindowClose(closing) => closed(&input, closing, info.watermark(sources)),
        EmitPolicy::Final(closing) => closed(&input, closing, info.bound(sources)),
        EmitPolicy::Every { .. } => Ok(input),
    }
}

fn closed(input: &Relation, closing: Closing, watermark: Option<i64>) -> Result<Relation, CircuitError> {
    let mut result = Relation::new(input.schema.clone());
    for (row, weight) in input.iter() {
        if event_time(&row[closing.column])?.is_some_and(|time| closing.is_closed(time, watermark)) {
            result.add(row.clone(), weight)?;
        }
    }
    Ok(result)
}

/// The rows that are in at `now`, or all rows with a flag.
pub(super) fn temporal_filter(
    input: &Relation,
    [from, until]: [Option<usize>; 2],
    output: TemporalOutput,
    schema: SchemaRef,
    now: i64,
) -> Result<Relation, CircuitError> {
    let mut result = Relation::new(schema);
    for (row, weight) in input.iter() {
        let compare = |column: Option<usize>, holds: &dyn Fn(i64) -> bool| -> Result<Option<bool>, CircuitError> {
            column.map_or(Ok(Some(true)), |column| Ok(event_time(&row[column])?.map(holds)))
        };
        let is_in = match [compare(from, &|from| from <= now)?, compare(until, &|until| now < until)?] {
            [Some(false), _] | [_, Some(false)] => Some(false),
            [Some(true), Some(true)] => Some(true),
            _ => None,
        };
        match output {
            TemporalOutput::Flag => result.add(row.iter().cloned().chain([ScalarValue::Boolean(is_in)]).collect(), weight)?,
            TemporalOutput::Keep if is_in == Some(true) => result.add(row.clone(), weight)?,
            TemporalOutput::Keep => {}
        }
    }
    Ok(result)
}
