//! `--clock`: the clock that views go by.

use arrow::array::{Array, AsArray, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimeUnit, TimestampMicrosecondType};
use deltic::{Clock, ManualClock};

/// The clock of a session.
#[derive(clap::Args, Debug)]
pub(crate) struct ClockArgs {
    /// The clock: `system`, or `manual` for one that only ADVANCE CLOCK moves, from 1970 on or from a time such as '2024-01-01 12:00:00'
    #[arg(long, default_value = "system", value_name = "system|manual|TIME", value_parser = parse)]
    clock: ClockChoice,
}

impl ClockArgs {
    pub(crate) fn clock(&self) -> Clock {
        match self.clock {
            ClockChoice::System => Clock::System,
            ClockChoice::Manual { start } => ManualClock::new(start).into(),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ClockChoice {
    System,
    /// Microseconds since 1970-01-01 in UTC.
    Manual {
        start: i64,
    },
}

fn parse(text: &str) -> Result<ClockChoice, String> {
    match text {
        "system" => Ok(ClockChoice::System),
        "manual" => Ok(ClockChoice::Manual { start: 0 }),
        time => {
            let micros = DataType::Timestamp(TimeUnit::Microsecond, None);
            let times = cast(&StringArray::from(vec![time]), &micros).map_err(|error| error.to_string())?;
            let times = times.as_primitive::<TimestampMicrosecondType>();
            // What is no time is cast to NULL.
            let start = (!times.is_null(0)).then(|| times.value(0));
            let start = start.ok_or_else(|| format!("'{time}' is neither system, nor manual, nor a time"))?;
            Ok(ClockChoice::Manual { start })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_the_machines_or_starts_somewhere() {
        assert_eq!(parse("system"), Ok(ClockChoice::System));
        assert_eq!(parse("manual"), Ok(ClockChoice::Manual { start: 0 }));
        assert_eq!(parse("1970-01-01 00:00:01"), Ok(ClockChoice::Manual { start: 1_000_000 }));
        assert!(parse("noon").is_err());
    }
}
