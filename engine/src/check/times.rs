//! Event times in histories: reading them, writing them, and making them up where it matters: around the watermark.

use arrow::datatypes::{DataType, TimeUnit};
use datafusion_common::ScalarValue;
use deltic_circuit::{Circuit, EmitPolicy, Expr, Operator, Window};
use deltic_sql::EventTimeDefinition;
use rand::Rng;
use rand::rngs::StdRng;

use super::values::{null_of, pick};

const DAY_MICROS: i64 = 86_400_000_000;
/// The years 1 to 9999, which Arrow and PostgreSQL both have.
const LEAST_MICROS: i64 = -62_135_596_800_000_000;
const GREATEST_MICROS: i64 = 253_402_300_799_999_999;

/// The event time of a value: microseconds, or the number itself.
pub(super) fn event_time(value: &ScalarValue) -> Option<i64> {
    match value {
        ScalarValue::TimestampMicrosecond(time, _) => *time,
        ScalarValue::Date32(days) => days.map(|days| i64::from(days) * DAY_MICROS),
        number => match number.cast_to(&DataType::Int64) {
            Ok(ScalarValue::Int64(number)) => number,
            _ => None,
        },
    }
}

/// An event time as a value of a column; NULL if the type cannot say it.
pub(super) fn time_value(data_type: &DataType, time: Option<i64>) -> ScalarValue {
    let Some(time) = time else { return null_of(data_type) };
    match data_type {
        DataType::Timestamp(TimeUnit::Microsecond, zone) => ScalarValue::TimestampMicrosecond(Some(time), zone.clone()),
        DataType::Date32 => ScalarValue::Date32(i32::try_from(time.div_euclid(DAY_MICROS)).ok()),
        data_type => ScalarValue::Int64(Some(time)).cast_to(data_type).unwrap_or_else(|_| null_of(data_type)),
    }
}

/// A time as a literal of `ADVANCE WATERMARK`.
pub(super) fn advance_literal(data_type: &DataType, time: i64) -> String {
    match data_type {
        data_type if data_type.is_integer() => time.to_string(),
        _ => {
            let value = time_value(&DataType::Timestamp(TimeUnit::Microsecond, None), Some(time));
            super::values::sql_literal(&value, "TIMESTAMP")
        }
    }
}

/// How times of one history are drawn.
#[derive(Clone, Debug)]
pub(super) struct Tempo {
    /// Distances that matter: sizes of windows, gaps, delays.
    spans: Vec<i64>,
    /// Per mille of steps that move the clock.
    pub(super) clock: u32,
    /// Per mille of commits that move a watermark.
    pub(super) watermarks: u32,
}

impl Tempo {
    /// A tempo for views with `circuits` over sources with `definitions`.
    pub(super) fn random<'a>(
        rng: &mut StdRng,
        definitions: impl Iterator<Item = &'a EventTimeDefinition>,
        circuits: impl Iterator<Item = &'a Circuit>,
    ) -> Self {
        let mut spans = vec![*pick(rng, &[1, 10, 1_000_000])];
        let (mut timed, mut clocked) = (false, false);
        for definition in definitions {
            timed = true;
            clocked |= matches!(definition.strategy, deltic_sql::WatermarkStrategy::ProcessingTime { .. });
            clocked |= definition.idle_timeout.is_some() || definition.max_future_skew.is_some();
            spans.extend(definition.idle_timeout.iter().chain(&definition.max_future_skew));
            spans.push(definition.allowed_lateness);
        }
        for circuit in circuits {
            clocked |= circuit.reads_clock();
            spans.extend(circuit.nodes.iter().flat_map(|node| spans_of(&node.operator)));
        }
        spans.retain(|span| *span > 0);
        let clock = if clocked { *pick(rng, &[100, 400]) } else { 0 };
        let watermarks = if timed { *pick(rng, &[0, 200, 500]) } else { 0 };
        Tempo { spans, clock, watermarks }
    }

    /// A distance.
    pub(super) fn span(&self, rng: &mut StdRng) -> i64 {
        let span = *pick(rng, &self.spans);
        *pick(rng, &[span, span, span / 2, span / 3, span.saturating_add(1), span - 1, 1])
    }

    /// A time near `around`, mostly later.
    pub(super) fn near(&self, rng: &mut StdRng, around: i64) -> i64 {
        let steps = i64::from(rng.random_range(-2..=4i8));
        let offset = self.span(rng).saturating_mul(steps).saturating_add(*pick(rng, &[0, 0, 0, 1, -1]));
        around.saturating_add(offset)
    }

    /// An event time for a column of type `data_type`, where `around` and `bound` matter.
    pub(super) fn value(&self, rng: &mut StdRng, data_type: &DataType, around: i64, bound: i64) -> ScalarValue {
        let time = match rng.random_range(0..10u8) {
            0 => bound,
            1 => bound.saturating_sub(1),
            _ => self.near(rng, around),
        };
        let time = if data_type.is_integer() { time } else { time.clamp(LEAST_MICROS, GREATEST_MICROS) };
        time_value(data_type, Some(time))
    }
}

/// The distances that an operator goes by.
fn spans_of(operator: &Operator) -> Vec<i64> {
    match operator {
        Operator::TimeWindow { window, .. } => match *window {
            Window::Tumble { size, .. } => vec![size],
            Window::Hop { slide, size, .. } => vec![slide, size],
            Window::Cumulate { step, size, .. } => vec![step, size],
        },
        Operator::Session { gap, .. } => vec![*gap],
        Operator::Emit { policy: EmitPolicy::Every { interval, .. } } => vec![*interval],
        Operator::IntervalJoin { lower, upper, .. } => vec![lower.saturating_abs(), upper.saturating_abs()],
        // `ts > now() - INTERVAL '1' HOUR` is a filter by `ts + INTERVAL '1' HOUR`.
        Operator::MapFilter { predicates, projections } => {
            let mut spans = Vec::new();
            predicates.iter().chain(projections.iter().flatten()).for_each(|expr| add_intervals(expr, &mut spans));
            spans
        }
        _ => Vec::new(),
    }
}

fn add_intervals(expr: &Expr, spans: &mut Vec<i64>) {
    match expr.as_literal() {
        Some(ScalarValue::IntervalMonthDayNano(Some(interval))) => {
            spans.push(
                i64::from(interval.days).saturating_mul(DAY_MICROS).saturating_add(interval.nanoseconds / 1_000).saturating_abs(),
            );
        }
        Some(ScalarValue::DurationMicrosecond(Some(micros))) => spans.push(micros.saturating_abs()),
        _ => expr.children().into_iter().for_each(|child| add_intervals(child, spans)),
    }
}
