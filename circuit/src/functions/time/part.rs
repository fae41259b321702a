//! `date_part` and `EXTRACT`.
//!
//! DataFusion cuts the fraction of a second off. Here, as in PostgreSQL, seconds and milliseconds are exact numbers with it; the other fields are whole,
//! and integers.

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Decimal128Type, Int32Type, Int64Type};

use super::super::call::{Bind, Call};
use super::super::parameters::Kind;
use super::super::{Definition, Group};
use super::Moments;
use super::pattern::{Field, Moment};

pub(super) const DATE_PART: Definition = Definition {
    name: "date_part",
    aliases: &["datepart", "extract"],
    group: Group::Time,
    usage: "date_part(field, time), EXTRACT(field FROM time)",
    about: "A field of a time or interval: `millennium` .. `year`, `isoyear`, `quarter`, `month`, `week`, `day`, `dow`, `isodow`, `doy`, \
            `hour`, `minute`, `second`, `millisecond`, `microsecond`, `nanosecond`, `epoch`, `timezone`.",
    parameters: &[Kind::Text, Kind::Moment],
    required: 2,
    variadic: false,
    returns,
    kernel: date_part,
};

/// A field by name, also in the plural.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Millennium,
    Century,
    Decade,
    Year,
    IsoYear,
    Quarter,
    Month,
    Week,
    Day,
    DayOfWeek,
    IsoDayOfWeek,
    DayOfYear,
    Hour,
    Minute,
    Second,
    Millisecond,
    Microsecond,
    Nanosecond,
    Epoch,
    Zone,
}

/// What may have the field.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    Date,
    DateOrInterval,
    Any,
}

impl Part {
    fn named(name: &str) -> Result<Part, String> {
        use Part::*;
        Ok(match name.to_ascii_lowercase().as_str() {
            "millennium" | "millennia" => Millennium,
            "century" | "centuries" => Century,
            "decade" | "decades" => Decade,
            "year" | "years" | "y" => Year,
            "isoyear" => IsoYear,
            "quarter" | "quarters" | "qtr" => Quarter,
            "month" | "months" | "mon" => Month,
            "week" | "weeks" | "w" => Week,
            "day" | "days" | "d" | "dayofmonth" => Day,
            "dow" | "dayofweek" => DayOfWeek,
            "isodow" => IsoDayOfWeek,
            "doy" | "dayofyear" => DayOfYear,
            "hour" | "hours" | "h" => Hour,
            "minute" | "minutes" | "min" => Minute,
            "second" | "seconds" | "sec" | "s" => Second,
            "millisecond" | "milliseconds" | "ms" => Millisecond,
            "microsecond" | "microseconds" | "us" => Microsecond,
            "nanosecond" | "nanoseconds" => Nanosecond,
            "epoch" => Epoch,
            "timezone" | "timezone_hour" | "timezone_minute" => Zone,
            _ => return Err(format!("a time has no field {name}")),
        })
    }

    fn of(self) -> Of {
        match self {
            Part::IsoYear | Part::Week | Part::DayOfWeek | Part::IsoDayOfWeek | Part::DayOfYear | Part::Zone => Of::Date,
            Part::Millennium | Part::Century | Part::Decade | Part::Year | Part::Quarter | Part::Month | Part::Day => {
                Of::DateOrInterval
            }
            _ => Of::Any,
        }
    }

    fn data_type(self) -> DataType {
        match self {
            Part::Second => DataType::Decimal128(8, 6),
            Part::Millisecond => DataType::Decimal128(8, 3),
            Part::Epoch => DataType::Decimal128(20, 6),
            Part::Nanosecond => DataType::Int64,
            _ => DataType::Int32,
        }
    }

    /// The field in units of its type's last digit.
    fn value(self, moment: Moment) -> i128 {
        let within_minute = i128::from(moment.micros % 60_000_000);
        let whole = match self {
            Part::Second | Part::Millisecond | Part::Microsecond => return within_minute,
            Part::Nanosecond => return within_minute * 1000,
            Part::Epoch if moment.interval => {
                // A year is 365.25 days, a month of what is left 30 days, as in PostgreSQL.
                let days = i128::from(moment.year) * 1461 * 6 + (i128::from(moment.month) * 30 + i128::from(moment.day)) * 24;
                return days * 3_600_000_000 + i128::from(moment.micros);
            }
            Part::Epoch => return i128::from(moment.days) * i128::from(crate::calendar::DAY_US) + i128::from(moment.micros),
            Part::Millennium if moment.interval => moment.year / 1000,
            Part::Century if moment.interval => moment.year / 100,
            Part::Millennium => periods(moment.year, 1000),
            Part::Century => periods(moment.year, 100),
            Part::Decade if moment.interval => moment.year / 10,
            Part::Decade => moment.year.div_euclid(10),
            // There is no year 0: the one before 1 is 1 BC.
            Part::Year if moment.year <= 0 && !moment.interval => moment.year - 1,
            Part::Year => moment.year,
            Part::IsoYear => match moment.field(Field::IsoYear) {
                year @ 1.. => year,
                year => year - 1,
            },
            Part::Quarter if moment.interval => moment.month / 3 + 1,
            Part::Quarter => moment.field(Field::Quarter),
            Part::Month => moment.month,
            Part::Week => moment.field(Field::IsoWeek),
            Part::Day => moment.day,
            Part::DayOfWeek => moment.field(Field::DayOfWeekFromZero),
            Part::IsoDayOfWeek => moment.field(Field::IsoDayOfWeek),
            Part::DayOfYear => moment.day_of_year(),
            Part::Hour => moment.field(Field::Hour24),
            Part::Minute => moment.field(Field::Minute),
            Part::Zone => 0,
        };
        i128::from(whole)
    }
}

/// The period of so many years that a year is in: years 1 to 100 are the first century, those before it are -1.
fn periods(year: i64, years: i64) -> i64 {
    if year > 0 { (year + years - 1) / years } else { -((years - year) / years) }
}

fn returns(bind: &Bind<'_>) -> Result<DataType, String> {
    let field = bind.constant_text(0).ok_or_else(|| "the field must be a constant".to_owned())?;
    let part = Part::named(field)?;
    let of = match &bind.types[1] {
        DataType::Date32 | DataType::Timestamp(..) => Of::Date,
        DataType::Interval(_) => Of::DateOrInterval,
        _ => Of::Any,
    };
    let has = match part.of() {
        Of::Any => true,
        Of::DateOrInterval => of != Of::Any,
        Of::Date => of == Of::Date,
    };
    match has {
        true => Ok(part.data_type()),
        false => Err(format!("{} has no field {field}", crate::eval::text::sql_type(&bind.types[1]))),
    }
}

fn date_part(call: &Call<'_>) -> Result<ArrayRef, String> {
    let (fields, mut moments) = (call.text(0), Moments::new(call.value(1)));
    let Some(field) = fields.get(0) else { return Ok(arrow::array::new_null_array(call.returns, call.rows)) };
    let part = Part::named(field)?;
    match call.returns {
        DataType::Decimal128(..) => call.compute::<Decimal128Type>(|row| Ok(moments.get(row).map(|moment| part.value(moment)))),
        DataType::Int64 => call.compute::<Int64Type>(|row| Ok(moments.get(row).map(|moment| part.value(moment) as i64))),
        // All of them fit, but the microseconds of an interval's minute do so only just.
        _ => call.compute::<Int32Type>(|row| Ok(moments.get(row).map(|moment| part.value(moment) as i32))),
    }
}
