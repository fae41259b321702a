//! `AT TIME ZONE`.

use arrow::array::{Array, ArrayRef, AsArray, TimestampMicrosecondArray, new_null_array};
use arrow::compute::{CastOptions, binary, cast_with_options, concat};
use arrow::datatypes::{DataType, Date32Type, Time64MicrosecondType, TimeUnit, TimestampMicrosecondType};
use std::sync::Arc;

use super::super::call::{Bind, Call};
use super::super::parameters::Kind;
use super::super::{Definition, Group};
use crate::calendar::DAY_US;

pub(super) const TIMEZONE: Definition = Definition {
    name: "timezone",
    aliases: &[],
    group: Group::Time,
    usage: "time AT TIME ZONE zone",
    about: "The local TIMESTAMP of a TIMESTAMPTZ in a zone (`Europe/Paris`, `+02:00`), or the TIMESTAMPTZ of a local TIMESTAMP.",
    parameters: &[Kind::Text, Kind::Moment],
    required: 2,
    variadic: false,
    returns,
    kernel: timezone,
};

fn zoned(zone: &str) -> DataType {
    // Arrow knows the offset Z, and the names of zones in their own letters only.
    let zone = if zone.eq_ignore_ascii_case("utc") || zone == "Z" || zone.eq_ignore_ascii_case("gmt") { "+00:00" } else { zone };
    DataType::Timestamp(TimeUnit::Microsecond, Some(zone.into()))
}

const LOCAL: DataType = DataType::Timestamp(TimeUnit::Microsecond, None);

fn returns(bind: &Bind<'_>) -> Result<DataType, String> {
    if let Some(zone) = bind.constant_text(0) {
        check(zone)?;
    }
    match &bind.types[1] {
        DataType::Timestamp(_, Some(_)) => Ok(LOCAL),
        DataType::Timestamp(_, None) | DataType::Date32 => Ok(DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))),
        other => Err(format!("{} has no time zone", crate::eval::text::sql_type(other))),
    }
}

fn check(zone: &str) -> Result<(), String> {
    let probe: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![0]));
    let probe = strict(&probe, &zoned(zone));
    probe.map(|_| ()).map_err(|_| format!("the time zone '{zone}' is not known"))
}

fn strict(array: &ArrayRef, to: &DataType) -> Result<ArrayRef, String> {
    let options = CastOptions { safe: false, ..CastOptions::default() };
    cast_with_options(array, to, &options).map_err(|error| error.to_string())
}

fn timezone(call: &Call<'_>) -> Result<ArrayRef, String> {
    let (zones, times) = (call.text(0), call.column(1));
    let to_local = matches!(times.data_type(), DataType::Timestamp(_, Some(_)));
    let times = if times.data_type() == &DataType::Date32 { strict(&times, &LOCAL)? } else { times };
    // Runs of rows with one zone are converted at once; mostly there is one run.
    let (mut parts, mut start) = (Vec::new(), 0);
    while start < call.rows {
        let zone = zones.get(start);
        let end = (start..call.rows).find(|&row| zones.get(row) != zone).unwrap_or(call.rows);
        let run = times.slice(start, end - start);
        parts.push(match zone {
            None => new_null_array(&LOCAL, run.len()),
            Some(zone) if to_local => local_times(&run, zone)?,
            Some(zone) => instants(&run, zone)?,
        });
        start = end;
    }
    let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
    let micros = concat(&parts).map_err(|error| error.to_string())?;
    let micros = micros.as_primitive::<TimestampMicrosecondType>().clone();
    let DataType::Timestamp(_, zone) = call.returns else { return Err("the result is not a timestamp".to_owned()) };
    Ok(Arc::new(micros.with_timezone_opt(zone.clone())))
}

/// Instants as local times of `zone`.
fn local_times(instants: &ArrayRef, zone: &str) -> Result<ArrayRef, String> {
    check(zone)?;
    let instants = instants.as_primitive::<TimestampMicrosecondType>().clone().with_data_type(zoned(zone));
    let instants = Arc::new(instants) as ArrayRef;
    // Arrow's cast to a timestamp without zone keeps the instant; those to a date and to a time of day go by the zone.
    let (dates, times) = (strict(&instants, &DataType::Date32)?, strict(&instants, &DataType::Time64(TimeUnit::Microsecond))?);
    let (dates, times) = (dates.as_primitive::<Date32Type>(), times.as_primitive::<Time64MicrosecondType>());
    let local: Result<TimestampMicrosecondArray, _> = binary(dates, times, |date, time| i64::from(date) * DAY_US + time);
    Ok(Arc::new(local.map_err(|error| error.to_string())?))
}

/// Local times of `zone` as instants. One that is there twice, or not at all, when clocks are changed is read with the standard time, which
/// has the smaller of the two offsets, as in PostgreSQL.
fn instants(locals: &ArrayRef, zone: &str) -> Result<ArrayRef, String> {
    check(zone)?;
    let options = CastOptions { safe: true, ..CastOptions::default() };
    let converted = cast_with_options(locals, &zoned(zone), &options).map_err(|error| error.to_string())?;
    let converted = converted.as_primitive::<TimestampMicrosecondType>().clone().with_data_type(LOCAL);
    if converted.null_count() == locals.null_count() {
        return Ok(Arc::new(converted));
    }
    let locals = locals.as_primitive::<TimestampMicrosecondType>();
    let mended = (0..locals.len()).map(|row| match (locals.is_valid(row), converted.is_valid(row)) {
        (false, _) => Ok(None),
        (true, true) => Ok(Some(converted.value(row))),
        (true, false) => by_standard_time(locals.value(row), zone).map(Some),
    });
    Ok(Arc::new(mended.collect::<Result<TimestampMicrosecondArray, String>>()?))
}

fn by_standard_time(local: i64, zone: &str) -> Result<i64, String> {
    let around = [local.saturating_sub(DAY_US), local.saturating_add(DAY_US)];
    let instants: ArrayRef = Arc::new(TimestampMicrosecondArray::from(around.to_vec()));
    let locals = local_times(&instants, zone)?;
    let locals = locals.as_primitive::<TimestampMicrosecondType>();
    let offset = (locals.value(0) - around[0]).min(locals.value(1) - around[1]);
    local.checked_sub(offset).ok_or_else(|| "the time is out of range".to_owned())
}
