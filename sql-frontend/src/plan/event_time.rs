//! The WATERMARK clause and the options of a table or stream, against its columns; and ADVANCE.

use arrow::datatypes::{DataType, Schema};
use datafusion_common::ScalarValue;
use sqlparser::ast;

use super::constant_value;
use super::duration::{constant_length, duration_of_text, interval_micros};
use crate::SqlError;
use crate::catalog::{Catalog, Relation};
use crate::error::Code;
use crate::event_time::{EventTimeDefinition, LatePolicy, OverflowPolicy, WatermarkStrategy, is_event_time, is_time};
use crate::statement::{AdvanceClock, AdvanceWatermark, CreateTable, Name, OptionClause, WatermarkClause};
use crate::suggest::did_you_mean;

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// What CREATE TABLE says of event time, and of overflow.
///
/// # Errors
/// If the clause or an option does not fit the columns.
pub(crate) fn event_time(
    create: &CreateTable,
    schema: &Schema,
) -> Result<(Option<EventTimeDefinition>, Option<OverflowPolicy>), SqlError> {
    let overflow = option(create, "on_overflow").map(overflow_policy).transpose()?;
    let Some(watermark) = &create.watermark else {
        return match create.options.iter().find(|option| option.name != "on_overflow") {
            None => Ok((None, overflow)),
            Some(option) => {
                let message = format!("option {} is for sources with event time", option.name);
                Err(SqlError::new(Code::Option, option.position, message).with_hint("add WATERMARK FOR column AS .."))
            }
        };
    };
    let column = column(schema, &watermark.column, "the watermark")?;
    let data_type = schema.field(column).data_type();
    if !is_event_time(data_type) {
        let message = format!("column {} cannot be an event time: its type is {data_type}", watermark.column.value);
        let error = SqlError::new(Code::Type, watermark.column.position, message);
        return Err(error.with_hint("TIMESTAMP, TIMESTAMPTZ, DATE and integers can"));
    }
    let strategy = strategy(watermark, data_type)?;
    let partition = watermark.partition.as_ref().map(|names| partition(watermark, names, schema, strategy)).transpose()?;
    let mut definition = EventTimeDefinition {
        column,
        strategy,
        partition,
        idle_timeout: None,
        allowed_lateness: 0,
        late_policy: LatePolicy::default(),
        max_future_skew: None,
    };
    for option in create.options.iter().filter(|option| option.name != "on_overflow") {
        apply(&mut definition, option, data_type)?;
    }
    if let (LatePolicy::Accept, Some(option)) = (definition.late_policy, option(create, "allowed_lateness")) {
        let message = "allowed_lateness means nothing where late_policy is 'accept': no row is late";
        return Err(SqlError::new(Code::Option, option.position, message));
    }
    Ok((Some(definition), overflow))
}

fn option<'a>(create: &'a CreateTable, name: &str) -> Option<&'a OptionClause> {
    create.options.iter().find(|option| option.name == name)
}

fn column(schema: &Schema, name: &Name, place: &str) -> Result<usize, SqlError> {
    schema.index_of(&name.value).map_err(|_| {
        let error = SqlError::new(Code::UnknownColumn, name.position, format!("unknown column {} in {place}", name.value));
        let hint = did_you_mean(&name.value, schema.fields().iter().map(|field| field.name().as_str()));
        SqlError { hint, ..error }
    })
}

fn strategy(watermark: &WatermarkClause, data_type: &DataType) -> Result<WatermarkStrategy, SqlError> {
    let Some(expr) = &watermark.strategy else { return Ok(WatermarkStrategy::Punctuated) };
    let position = watermark.strategy_position;
    let (base, delay) = match without_parentheses(expr) {
        ast::Expr::BinaryOp { left, op: ast::BinaryOperator::Minus, right } => (without_parentheses(left), Some(right)),
        base => (base, None),
    };
    let of_clock = is_proctime(base);
    if !of_clock && !is_column(base, &watermark.column.value) {
        let name = &watermark.column.value;
        let message = format!("{expr} is not a way in which a watermark can move");
        let hint = format!(
            "write AS {name}, AS {name} - INTERVAL '5' SECOND or AS PROCTIME(), or leave AS out and use ADVANCE WATERMARK"
        );
        return Err(SqlError::new(Code::Unsupported, position, message).with_hint(hint));
    }
    if of_clock && !is_time(data_type) {
        let message = format!("PROCTIME() is the clock's time, but column {} is a number", watermark.column.value);
        return Err(SqlError::new(Code::Type, position, message));
    }
    let delay = delay.map_or(Ok(0), |delay| constant_length(delay, data_type, "the delay of a watermark", position))?;
    if delay < 0 {
        return Err(SqlError::new(Code::Constraint, position, "the delay of a watermark cannot be negative"));
    }
    Ok(if of_clock { WatermarkStrategy::ProcessingTime { delay } } else { WatermarkStrategy::Bounded { delay } })
}

fn without_parentheses(mut expr: &ast::Expr) -> &ast::Expr {
    while let ast::Expr::Nested(inner) = expr {
        expr = inner;
    }
    expr
}

fn is_column(expr: &ast::Expr, name: &str) -> bool {
    matches!(expr, ast::Expr::Identifier(ident) if crate::parser::fold(ident) == name)
}

fn is_proctime(expr: &ast::Expr) -> bool {
    let ast::Expr::Function(function) = expr else { return false };
    let named = matches!(function.name.0.as_slice(), [ast::ObjectNamePart::Identifier(ident)] if crate::parser::fold(ident) == "proctime");
    named && matches!(&function.args, ast::FunctionArguments::List(list) if list.args.is_empty())
}

fn partition(
    watermark: &WatermarkClause,
    names: &[Name],
    schema: &Schema,
    strategy: WatermarkStrategy,
) -> Result<Vec<usize>, SqlError> {
    if !matches!(strategy, WatermarkStrategy::Bounded { .. }) {
        let message = "PER PARTITION needs a watermark that follows the rows";
        let hint = format!("write WATERMARK FOR {0} AS {0} PER PARTITION (..)", watermark.column.value);
        return Err(SqlError::new(Code::Constraint, watermark.partition_position, message).with_hint(hint));
    }
    let mut columns = Vec::with_capacity(names.len());
    for name in names {
        let column = column(schema, name, "PER PARTITION")?;
        if columns.contains(&column) {
            let message = format!("column {} is in PER PARTITION more than once", name.value);
            return Err(SqlError::new(Code::DuplicateColumn, name.position, message));
        }
        columns.push(column);
    }
    Ok(columns)
}

fn apply(definition: &mut EventTimeDefinition, option: &OptionClause, data_type: &DataType) -> Result<(), SqlError> {
    let of_clock = matches!(definition.strategy, WatermarkStrategy::ProcessingTime { .. });
    match option.name.as_str() {
        "allowed_lateness" if is_time(data_type) => definition.allowed_lateness = duration(option)?,
        "allowed_lateness" => {
            let value = option.value.as_deref().and_then(|value| value.trim().parse().ok()).filter(|value: &i64| *value >= 0);
            definition.allowed_lateness = value.ok_or_else(|| bad_value(option, "a whole number, as the event time is one"))?;
        }
        "late_policy" => {
            let known = [LatePolicy::DeadLetter, LatePolicy::Drop, LatePolicy::Warn, LatePolicy::Accept];
            definition.late_policy = one_of(option, &known.map(|policy| (policy.as_str(), policy)))?;
        }
        "max_future_skew" if is_time(data_type) => definition.max_future_skew = Some(duration(option)?),
        "max_future_skew" => {
            let message = "max_future_skew compares times with the clock, but the event time is a number";
            return Err(SqlError::new(Code::Option, option.position, message));
        }
        "idle_timeout" if of_clock => {
            let message = "idle_timeout means nothing for a watermark that follows the clock";
            return Err(SqlError::new(Code::Option, option.position, message));
        }
        "idle_timeout" => match duration(option)? {
            0 => return Err(bad_value(option, "a positive duration such as '30 seconds'")),
            timeout => definition.idle_timeout = Some(timeout),
        },
        name => return Err(SqlError::new(Code::Option, option.position, format!("unknown option {name}"))),
    }
    Ok(())
}

fn overflow_policy(option: &OptionClause) -> Result<OverflowPolicy, SqlError> {
    let known = [OverflowPolicy::Block, OverflowPolicy::Drop, OverflowPolicy::Error];
    one_of(option, &known.map(|policy| (policy.as_str(), policy)))
}

fn one_of<T: Clone>(option: &OptionClause, known: &[(&str, T)]) -> Result<T, SqlError> {
    let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
    let value = option.value.as_deref().unwrap_or_default();
    let found = known.iter().find(|(name, _)| value.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.clone()).ok_or_else(|| {
        let error = bad_value(option, &format!("one of {}", names.join(", ")));
        match did_you_mean(value, names) {
            Some(hint) => error.with_hint(hint),
            None => error,
        }
    })
}

fn duration(option: &OptionClause) -> Result<i64, SqlError> {
    let value = option.value.as_deref().and_then(duration_of_text).filter(|value| *value >= 0);
    value.ok_or_else(|| bad_value(option, "a duration such as '2 minutes'"))
}

fn bad_value(option: &OptionClause, expected: &str) -> SqlError {
    let given = option.value.as_ref().map_or("nothing".to_string(), |value| format!("'{value}'"));
    SqlError::new(Code::Option, option.value_position, format!("{} must be {expected}, not {given}", option.name))
}

/// The source of an `ADVANCE WATERMARK` and the event time to which it moves.
///
/// # Errors
/// If there is no such source, it has no event time, or the time is not a constant of its type.
pub fn plan_advance_watermark<'a>(
    catalog: &'a Catalog,
    advance: &AdvanceWatermark,
) -> Result<(&'a std::sync::Arc<Relation>, i64), SqlError> {
    let relation = catalog.resolve(&advance.source)?;
    let Some(event_time) = &relation.event_time else {
        let message = format!("{} has no event time, so it has no watermark", relation.name);
        let error = SqlError::new(Code::WrongKind, advance.source.position, message);
        return Err(error.with_hint("declare it with WATERMARK FOR in CREATE TABLE or CREATE STREAM"));
    };
    let data_type = relation.schema.field(event_time.column).data_type();
    let time = crate::stack::deep(|| constant_value(&advance.to, advance.position))??;
    let number = match (&time, data_type) {
        (ScalarValue::Utf8(Some(_)), _) => cast(&time, data_type),
        (time, data_type) if is_time(data_type) && is_time(&time.data_type()) => cast(time, data_type),
        (time, data_type) if data_type.is_integer() && time.data_type().is_integer() => cast(time, data_type),
        _ => None,
    };
    number.map(|number| (relation, number)).ok_or_else(|| {
        let message = format!("{} is not a time of {}, whose event time is of type {data_type}", advance.to, relation.name);
        SqlError::new(Code::Type, advance.position, message)
    })
}

/// Where an `ADVANCE CLOCK` moves the clock, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockStep {
    /// To this time (UTC).
    To(i64),
    /// By this duration; not negative.
    By(i64),
}

/// What an `ADVANCE CLOCK` says.
///
/// # Errors
/// If it is not a constant time or duration, or the duration is negative.
pub fn plan_advance_clock(advance: &AdvanceClock) -> Result<ClockStep, SqlError> {
    let value = crate::stack::deep(|| constant_value(&advance.value, advance.position))??;
    let error = |message: String| SqlError::new(Code::Type, advance.position, message);
    if !advance.by {
        let is_moment = is_time(&value.data_type()) || matches!(value, ScalarValue::Utf8(Some(_)));
        let timestamp = DataType::Timestamp(arrow::datatypes::TimeUnit::Microsecond, None);
        let time = if is_moment { cast(&value, &timestamp) } else { None };
        let hint = "write it as TIMESTAMP '2024-01-01 00:00:00'";
        return time.map(ClockStep::To).ok_or_else(|| error(format!("{} is not a time", advance.value)).with_hint(hint));
    }
    let ScalarValue::IntervalMonthDayNano(Some(interval)) = value else {
        return Err(error(format!("{} is not an interval", advance.value)).with_hint("write it as INTERVAL '5' SECOND"));
    };
    match interval_micros(interval) {
        Ok(micros) if micros < 0 => Err(error("the clock cannot go back".to_string())),
        Ok(micros) => Ok(ClockStep::By(micros)),
        Err(problem) => Err(error(format!("the interval {problem}"))),
    }
}

/// A constant as an event time of a column of type `data_type`.
fn cast(value: &ScalarValue, data_type: &DataType) -> Option<i64> {
    let expr = deltic_circuit::Expr::literal(value.clone()).cast(data_type.clone());
    let evaluated = expr.evaluate(&[], 1);
    if !evaluated.errors.is_empty() {
        return None;
    }
    match ScalarValue::try_from_array(&evaluated.values, 0).ok()? {
        ScalarValue::Date32(Some(days)) => Some(i64::from(days) * MICROS_PER_DAY),
        ScalarValue::TimestampMicrosecond(Some(micros), _) => Some(micros),
        number if data_type.is_integer() => match number.cast_to(&DataType::Int64).ok()? {
            ScalarValue::Int64(number) => number,
            _ => None,
        },
        _ => None,
    }
}
