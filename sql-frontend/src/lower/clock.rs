//! Comparisons with `now()` in a materialized view.
//!
//! A comparison of a time of the row with `now()`, give or take constant intervals, is solved for `now()`: `ts > now() - i` is true until `ts + i`. The instants are
//! columns, and the operator that knows the clock lets rows in and out as it passes them. As a condition that rows must fulfil the
//! comparison becomes a filter; anywhere else a flag, a boolean column that takes its place.

use arrow::datatypes::{DataType, IntervalMonthDayNano, TimeUnit};
use datafusion_common::ScalarValue;
use deltic_circuit::{BinaryOp, Circuit, Expr, Operator};

use super::piped::{Piped, conjuncts};
use super::{Lower, Lowering};
use crate::SqlError;
use crate::error::Code;
use crate::plan::{NOW_NAME, interval_micros};

/// The instants at which a comparison begins and ceases to be true.
#[derive(Clone, PartialEq)]
struct Span {
    from: Option<Expr>,
    until: Option<Expr>,
}

impl Lowering {
    /// The rows of `piped` for which all `predicates`, over these rows, are true.
    pub(super) fn filter_conjuncts(&mut self, piped: Piped, predicates: Vec<Expr>) -> Lower<Piped> {
        let mut spans = Vec::new();
        let mut plain = Vec::new();
        for conjunct in predicates.into_iter().flat_map(conjuncts) {
            match as_comparison(&conjunct) {
                Some((op, left, right)) if reads_clock(&conjunct) => spans.push(solve(op, left, right)?),
                _ => plain.push(conjunct),
            }
        }
        let (mut piped, plain) = self.over(piped, plain)?;
        self.add_node_predicates(&mut piped, plain);
        if spans.is_empty() { Ok(piped) } else { self.keep(piped, spans) }
    }

    /// Puts filters by time onto `piped`.
    fn keep(&mut self, piped: Piped, spans: Vec<Span>) -> Lower<Piped> {
        let (from, until): (Vec<_>, Vec<_>) = spans.into_iter().map(|span| (span.from, span.until)).unzip();
        let (from, until): (Vec<Expr>, Vec<Expr>) = (from.into_iter().flatten().collect(), until.into_iter().flatten().collect());
        let froms = from.len();
        let (mut node, columns, width) = self.with_keys(piped, from.into_iter().chain(until).collect())?;
        let (from, until) = columns.split_at(froms);
        for filter in 0..from.len().max(until.len()) {
            let (from, until) = (from.get(filter).copied(), until.get(filter).copied());
            let kept = self.built(|builder| builder.temporal_filter(node, from, until))?;
            node = self.materialise(kept)?;
        }
        let mut outputs = self.columns_of(node);
        outputs.truncate(width);
        Ok(Piped::columns(node, outputs))
    }

    /// `exprs`, over the rows of `piped`, some of which read the clock, as expressions over its node, where flags take the place of
    /// comparisons with `now()`.
    pub(super) fn with_flags(&mut self, piped: Piped, mut exprs: Vec<Expr>) -> Lower<(Piped, Vec<Expr>)> {
        let first = self.outputs_of(&piped).len();
        let mut spans: Vec<Span> = Vec::new();
        for expr in &mut exprs {
            flag(expr, first, &mut spans)?;
        }
        let instants = spans.iter().flat_map(|span| span.from.iter().chain(&span.until)).cloned().collect();
        let (mut node, columns, width) = self.with_keys(piped, instants)?;
        let flags = self.builder.schema(node).fields().len();
        let mut columns = columns.into_iter();
        for span in &spans {
            let from = span.from.as_ref().and_then(|_| columns.next());
            let until = span.until.as_ref().and_then(|_| columns.next());
            let flagged = self.built(|builder| builder.temporal_flag(node, from, until, "in_time"))?;
            node = self.materialise(flagged)?;
        }
        let mut outputs = self.columns_of(node);
        outputs.truncate(width);
        let place = |column: usize| if column < first { column } else { flags + column - first };
        Ok((Piped::columns(node, outputs), exprs.iter().map(|expr| expr.remap(&place)).collect()))
    }
}

/// Whether `now()` is in `expr`.
pub(crate) fn reads_clock(expr: &Expr) -> bool {
    is_now(expr) || expr.children().into_iter().any(reads_clock)
}

fn is_now(expr: &Expr) -> bool {
    matches!(expr, Expr::Function { function, .. } if function.name() == NOW_NAME)
}

/// Refuses a circuit in which `now()` is left.
///
/// # Errors
/// DT1011; the position is for the caller to find.
pub(crate) fn check_clock(circuit: &Circuit) -> Result<(), SqlError> {
    let left = circuit.nodes.iter().any(|node| match &node.operator {
        Operator::MapFilter { predicates, projections } => predicates.iter().chain(projections.iter().flatten()).any(reads_clock),
        Operator::Join { residual, .. } | Operator::IntervalJoin { residual, .. } | Operator::TemporalLookup { residual, .. } => {
            residual.as_ref().is_some_and(reads_clock)
        }
        _ => false,
    });
    if left { Err(refused("it stands where time cannot pass")) } else { Ok(()) }
}

/// `now()` where it cannot be.
pub(super) fn refused(problem: &str) -> SqlError {
    let message = format!("now() in a materialized view can be compared with a time of the row only: {problem}");
    let hint = "write ts > now() - INTERVAL '1' HOUR; the row leaves the view when that is no longer true";
    SqlError::nowhere(Code::Volatile, message).with_hint(hint)
}

fn as_comparison(expr: &Expr) -> Option<(BinaryOp, &Expr, &Expr)> {
    match expr {
        Expr::Binary { op, left, right, .. } if op.is_comparison() => Some((*op, left, right)),
        _ => None,
    }
}

/// Puts the columns of flags, which begin at `first`, in the place of comparisons with `now()`.
fn flag(expr: &mut Expr, first: usize, spans: &mut Vec<Span>) -> Lower<()> {
    if !reads_clock(expr) {
        return Ok(());
    }
    let Some((op, left, right)) = as_comparison(expr) else {
        if is_now(expr) {
            return Err(refused("its value cannot be shown or computed with"));
        }
        return expr.children_mut().into_iter().try_for_each(|child| flag(child, first, spans));
    };
    let span = solve(op, left, right)?;
    let known = spans.iter().position(|other| *other == span);
    let index = known.unwrap_or_else(|| {
        spans.push(span);
        spans.len() - 1
    });
    *expr = Expr::column(first + index, DataType::Boolean);
    Ok(())
}

/// When `left op right` is true.
fn solve(op: BinaryOp, left: &Expr, right: &Expr) -> Lower<Span> {
    match (reads_clock(left), reads_clock(right)) {
        (true, true) => Err(refused("it is on both sides of a comparison")),
        (true, false) => solved(left.clone(), op, right.clone()),
        _ => solved(right.clone(), flipped(op), left.clone()),
    }
}

/// When `clock op other` is true: what is done to `now()` in `clock` is undone on both sides, until it is alone.
fn solved(clock: Expr, op: BinaryOp, other: Expr) -> Lower<Span> {
    if is_now(&clock) {
        return span(op, other);
    }
    let clock_type = clock.data_type();
    match clock {
        Expr::Cast { input, data_type, safe: false } => match (&input.data_type(), &data_type) {
            (DataType::Timestamp(..), DataType::Timestamp(..)) | (DataType::Duration(_), DataType::Interval(_)) => {
                solved(*input, op, other)
            }
            (DataType::Timestamp(..), DataType::Date32) => solved_by_day(*input, op, other),
            (DataType::Date32, DataType::Timestamp(..)) => {
                // Midnight of a day is before a time iff the day is before the first midnight not before that time.
                let day = match op {
                    BinaryOp::Less | BinaryOp::GreaterOrEqual => plus_days(day_of(minus_instant(other)), 1),
                    BinaryOp::LessOrEqual | BinaryOp::Greater => day_of(other),
                    _ => return Err(refused("a day that equals a time is not supported")),
                };
                solved(*input, op, day)
            }
            _ => Err(refused(&format!("a cast of it to {data_type} is not supported"))),
        },
        Expr::Binary { op: BinaryOp::Add, left, right, .. } => {
            let (clock, added) = if reads_clock(&left) { (*left, *right) } else { (*right, *left) };
            check_constant(&added, &clock_type)?;
            solved(clock, op, Expr::binary(BinaryOp::Subtract, other, added))
        }
        Expr::Binary { op: BinaryOp::Subtract, left, right, .. } if reads_clock(&right) => {
            // left - clock op other: clock flipped(op) left - other.
            check_constant(&other, &clock_type)?;
            solved(*right, flipped(op), Expr::binary(BinaryOp::Subtract, *left, other))
        }
        Expr::Binary { op: BinaryOp::Subtract, left, right, .. } => {
            if matches!(right.data_type(), DataType::Timestamp(..)) {
                check_constant(&other, &clock_type)?;
            } else {
                check_constant(&right, &clock_type)?;
            }
            // clock - right op other: clock op right + other; a time comes before an interval.
            let sum = if matches!(right.data_type(), DataType::Timestamp(..)) { (*right, other) } else { (other, *right) };
            solved(*left, op, Expr::binary(BinaryOp::Add, sum.0, sum.1))
        }
        _ => Err(refused("what is done to it here cannot be undone")),
    }
}

/// When the day of `clock` is in relation `op` to the date `day`.
fn solved_by_day(clock: Expr, op: BinaryOp, day: Expr) -> Lower<Span> {
    if day.data_type() != DataType::Date32 {
        return Err(refused("a day can be compared with a date only"));
    }
    let midnight = |day: Expr| day.cast(DataType::Timestamp(TimeUnit::Microsecond, None));
    let next = || midnight(plus_days(day.clone(), 1));
    match op {
        BinaryOp::GreaterOrEqual => solved(clock, BinaryOp::GreaterOrEqual, midnight(day)),
        BinaryOp::Greater => solved(clock, BinaryOp::GreaterOrEqual, next()),
        BinaryOp::Less => solved(clock, BinaryOp::Less, midnight(day)),
        BinaryOp::LessOrEqual => solved(clock, BinaryOp::Less, next()),
        BinaryOp::Equal => {
            let until = solved(clock.clone(), BinaryOp::Less, next())?;
            let from = solved(clock, BinaryOp::GreaterOrEqual, midnight(day))?;
            Ok(Span { from: from.from, until: until.until })
        }
        _ => Err(refused("it can be compared by <, <=, >, >= only")),
    }
}

/// When `now() op instant` is true.
fn span(op: BinaryOp, instant: Expr) -> Lower<Span> {
    let fold = super::fold;
    let next = |instant: Expr| fold(Expr::binary(BinaryOp::Add, instant, microsecond()));
    if !matches!(instant.data_type(), DataType::Timestamp(..)) {
        return Err(refused(&format!("a value of type {} is no time", instant.data_type())));
    }
    Ok(match op {
        BinaryOp::GreaterOrEqual => Span { from: Some(fold(instant)), until: None },
        BinaryOp::Greater => Span { from: Some(next(instant)), until: None },
        BinaryOp::Less => Span { from: None, until: Some(fold(instant)) },
        BinaryOp::LessOrEqual => Span { from: None, until: Some(next(instant)) },
        _ => return Err(refused("it can be compared by <, <=, >, >= only")),
    })
}

/// The comparison with its sides swapped.
pub(super) fn flipped(op: BinaryOp) -> BinaryOp {
    match op {
        BinaryOp::Less => BinaryOp::Greater,
        BinaryOp::LessOrEqual => BinaryOp::GreaterOrEqual,
        BinaryOp::Greater => BinaryOp::Less,
        BinaryOp::GreaterOrEqual => BinaryOp::LessOrEqual,
        other => other,
    }
}

/// What is added to or taken from a time must be undone exactly: a constant without months, and of whole days for a date.
fn check_constant(expr: &Expr, of: &DataType) -> Lower<()> {
    let interval = match super::fold(expr.clone()).as_literal() {
        Some(ScalarValue::IntervalMonthDayNano(Some(interval))) => *interval,
        Some(ScalarValue::DurationMicrosecond(Some(_))) => return Ok(()),
        Some(value) if value.data_type().is_integer() => return Ok(()),
        _ => return Err(refused("an interval beside it must be a constant")),
    };
    match interval_micros(interval) {
        Err(problem) => Err(refused(&format!("an interval beside it {problem}"))),
        Ok(_) if of == &DataType::Date32 && interval.nanoseconds != 0 => {
            Err(refused("an interval beside a date must be of whole days"))
        }
        Ok(_) => Ok(()),
    }
}

fn microsecond() -> Expr {
    Expr::literal(ScalarValue::IntervalMonthDayNano(Some(IntervalMonthDayNano::new(0, 0, 1_000))))
}

fn minus_instant(time: Expr) -> Expr {
    Expr::binary(BinaryOp::Subtract, time, microsecond())
}

fn day_of(time: Expr) -> Expr {
    time.cast(DataType::Date32)
}

fn plus_days(day: Expr, days: i64) -> Expr {
    Expr::binary(BinaryOp::Add, day, Expr::literal(days))
}
