//! Window functions by looking at every row of the partition for every row of it.

use std::cmp::Ordering;
use std::collections::HashMap;

use arrow::datatypes::{DataType, SchemaRef};
use datafusion_common::ScalarValue;

use super::relation::{Relation, Row, identity};
use super::top_k::{compare, compare_keys};
use crate::aggregate::{evaluate as aggregate, sort_rows};
use crate::errors::code;
use crate::frame::{
    Exclusion, Frame, FrameOffset, FramePlace, FrameUnits, WindowCall, WindowFunction, calendar_place, range_unit,
};
use crate::{CircuitError, ErrorRows, EvalError, SortKey, render_row, window_label};

/// The rows of a partition in order, each copy by itself.
struct Partition<'a> {
    input: &'a Relation,
    order: &'a [SortKey],
    rows: Vec<&'a Row>,
    /// For each row the number of its group of peers.
    groups: Vec<usize>,
}

/// Each copy of a row with its results, or an error row if a call fails on it.
pub(super) fn window_frame(
    input: &Relation,
    partition: &[usize],
    order: &[SortKey],
    calls: &[WindowCall],
    schema: SchemaRef,
    errors: &mut Relation,
) -> Result<Relation, CircuitError> {
    let mut partitions: HashMap<Row, Vec<(&Row, i64)>> = HashMap::new();
    for (row, weight) in input.iter().filter(|(_, weight)| *weight > 0) {
        let key: Row = partition.iter().map(|&column| row[column].clone()).collect();
        partitions.entry(identity(&key)).or_default().push((row, weight));
    }
    let mut result = Relation::new(schema);
    for mut rows in partitions.into_values() {
        rows.sort_by(|left, right| compare(left.0, right.0, order));
        let partition = Partition::new(input, order, &rows);
        for (place, &row) in partition.rows.iter().enumerate() {
            let results: Vec<Result<ScalarValue, EvalError>> = calls.iter().map(|call| partition.evaluate(call, place)).collect();
            match results.iter().position(Result::is_err).zip(results.iter().find_map(|result| result.as_ref().err())) {
                Some((position, error)) => {
                    let mut failed = ErrorRows::new();
                    let text = render_row(&Relation::one_row(input.schema.clone(), row.clone())?, 0);
                    failed.push(error, &window_label(&calls[position]), text, 1);
                    errors.add_all(&Relation::from_batch(&failed.finish())?)?;
                }
                None => result.add(row.iter().cloned().chain(results.into_iter().flatten()).collect(), 1)?,
            }
        }
    }
    Ok(result)
}

impl<'a> Partition<'a> {
    fn new(input: &'a Relation, order: &'a [SortKey], weighted: &[(&'a Row, i64)]) -> Self {
        let rows: Vec<&Row> = weighted.iter().flat_map(|&(row, weight)| (0..weight).map(move |_| row)).collect();
        let mut groups = vec![0; rows.len()];
        for place in 1..rows.len() {
            let peers = compare_keys(rows[place - 1], rows[place], order).is_eq();
            groups[place] = groups[place - 1] + usize::from(!peers);
        }
        Partition { input, order, rows, groups }
    }

    fn evaluate(&self, call: &WindowCall, place: usize) -> Result<ScalarValue, EvalError> {
        let rows = self.rows.len();
        let first_peer = self.groups.partition_point(|&group| group < self.groups[place]);
        let after_peers = self.groups.partition_point(|&group| group <= self.groups[place]);
        let number = |number: usize| cast(ScalarValue::UInt64(Some(number as u64)), &call.data_type);
        match &call.function {
            WindowFunction::RowNumber => number(place + 1),
            WindowFunction::Rank => number(first_peer + 1),
            WindowFunction::DenseRank => number(self.groups[place] + 1),
            WindowFunction::PercentRank if rows == 1 => Ok(ScalarValue::Float64(Some(0.0))),
            WindowFunction::PercentRank => Ok(ScalarValue::Float64(Some(first_peer as f64 / (rows - 1) as f64))),
            WindowFunction::CumeDist => Ok(ScalarValue::Float64(Some(after_peers as f64 / rows as f64))),
            WindowFunction::Ntile { buckets } => {
                let buckets = usize::try_from(*buckets).unwrap_or(usize::MAX);
                let longer = rows % buckets;
                let sizes = (0..buckets.min(rows)).map(|bucket| rows / buckets + usize::from(bucket < longer));
                let ends = sizes.scan(0, |end, size| {
                    *end += size;
                    Some(*end)
                });
                number(ends.filter(|&end| end <= place).count() + 1)
            }
            WindowFunction::Lag { argument, offset, default, ignore_nulls } => {
                Ok(self.lag(place, *argument, *offset, *ignore_nulls).unwrap_or_else(|| default.clone()))
            }
            WindowFunction::Value { argument, place: which, frame, ignore_nulls } => {
                let values = self.frame(frame, place).into_iter().map(|row| &self.rows[row][*argument]);
                let mut values = values.filter(|value| !(*ignore_nulls && value.is_null()));
                let value = match which {
                    FramePlace::First => values.next(),
                    FramePlace::Last => values.next_back(),
                    FramePlace::Nth(number) => values.nth(usize::try_from(*number).unwrap_or(usize::MAX) - 1),
                };
                value.map_or_else(|| cast(ScalarValue::Null, &call.data_type), |value| Ok(value.clone()))
            }
            WindowFunction::Aggregate { call, frame } => {
                let mut rows: Vec<(&[ScalarValue], i64)> =
                    self.frame(frame, place).into_iter().map(|row| (self.rows[row].as_slice(), 1)).collect();
                if !call.follows_window() {
                    sort_rows(call, &mut rows);
                }
                aggregate(call, &self.input.schema, &rows)
            }
        }
    }

    fn lag(&self, place: usize, argument: usize, offset: i64, ignore_nulls: bool) -> Option<ScalarValue> {
        let value = |row: usize| self.rows[row][argument].clone();
        let counts = |row: &usize| !(ignore_nulls && self.rows[*row][argument].is_null());
        let steps = usize::try_from(offset.unsigned_abs()).unwrap_or(usize::MAX);
        match offset.cmp(&0) {
            Ordering::Equal => Some(value(place)),
            Ordering::Greater => (0..place).rev().filter(counts).nth(steps - 1).map(value),
            Ordering::Less => (place + 1..self.rows.len()).filter(counts).nth(steps - 1).map(value),
        }
    }

    /// The rows of the frame of a row, in order.
    fn frame(&self, frame: &Frame, place: usize) -> Vec<usize> {
        let excluded = |row: usize| match frame.exclude {
            Exclusion::NoOthers => false,
            Exclusion::CurrentRow => row == place,
            Exclusion::Group => self.groups[row] == self.groups[place],
            Exclusion::Ties => row != place && self.groups[row] == self.groups[place],
        };
        let within = |row: usize| {
            frame.start.is_none_or(|start| self.position(frame.units, row, place, start) != Ordering::Less)
                && frame.end.is_none_or(|end| self.position(frame.units, row, place, end) != Ordering::Greater)
        };
        (0..self.rows.len()).filter(|&row| within(row) && !excluded(row)).collect()
    }

    /// Whether `row` stands before, at or after the place that is `offset` away from the one at `place`.
    fn position(&self, units: FrameUnits, row: usize, place: usize, offset: FrameOffset) -> Ordering {
        let counted = |row: usize, place: usize| (row as i128).cmp(&(place as i128 + i128::from(offset.rows())));
        let peers = self.groups[row].cmp(&self.groups[place]);
        match units {
            FrameUnits::Rows => counted(row, place),
            FrameUnits::Groups => counted(self.groups[row], self.groups[place]),
            FrameUnits::Range if offset.is_current() => peers,
            FrameUnits::Range => {
                let Some(key) = self.order.first() else { return peers };
                let (value, current) = (&self.rows[row][key.column], &self.rows[place][key.column]);
                match value_position(value, current, offset, key.descending) {
                    Some(ordering) if key.descending => ordering.reverse(),
                    Some(ordering) => ordering,
                    // A NULL is no distance away from anything but NULLs.
                    None => peers,
                }
            }
        }
    }
}

/// Compares `value` with the value that is `offset` towards the end of the order away from `current`; `None` if one is NULL.
fn value_position(value: &ScalarValue, current: &ScalarValue, offset: FrameOffset, descending: bool) -> Option<Ordering> {
    let offset = if descending { offset.reversed() } else { offset };
    match (value, current, offset) {
        (ScalarValue::Float64(value), ScalarValue::Float64(current), FrameOffset::Float(bits)) => {
            // Without a sign of zero.
            let bound = (*current)? + f64::from_bits(bits) + 0.0;
            Some((*value)?.total_cmp(&if bound.is_nan() { f64::NAN } else { bound }))
        }
        (value, current, FrameOffset::Calendar { months, micros }) => {
            let data_type = value.data_type();
            let place = calendar_place(steps(current)?, &data_type, months, micros);
            Some(steps(value)?.saturating_mul(range_unit(&data_type)?).cmp(&place))
        }
        (value, current, FrameOffset::Exact(offset)) => {
            let unit = range_unit(&value.data_type())?;
            let bound = steps(current)?.saturating_mul(unit).saturating_add(offset);
            Some(steps(value)?.saturating_mul(unit).cmp(&bound))
        }
        _ => None,
    }
}

/// The number that a value is stored as.
fn steps(value: &ScalarValue) -> Option<i128> {
    match value {
        ScalarValue::Decimal128(value, _, _) => *value,
        ScalarValue::UInt64(value) => value.map(i128::from),
        ScalarValue::Int64(value) => value.map(i128::from),
        ScalarValue::Int32(value) => value.map(i128::from),
        ScalarValue::Date32(value) => value.map(i128::from),
        ScalarValue::TimestampMicrosecond(value, _) | ScalarValue::DurationMicrosecond(value) => value.map(i128::from),
        value => match value.cast_to(&DataType::Int64) {
            Ok(ScalarValue::Int64(value)) => value.map(i128::from),
            _ => None,
        },
    }
}

fn cast(value: ScalarValue, data_type: &DataType) -> Result<ScalarValue, EvalError> {
    value.cast_to(data_type).map_err(|error| EvalError::new(code::UNSUPPORTED, error.to_string()))
}
