//! `ADVANCE WATERMARK` and `ADVANCE CLOCK`: time moved by hand.

use std::time::Duration;

use deltic_sql::{AdvanceClock, AdvanceWatermark, ClockStep, plan_advance_clock, plan_advance_watermark};

use crate::Database;
use crate::error::{Error, Result, code};
use crate::outcome::Outcome;
use crate::session::Session;
use crate::time::Clock;

/// Moves the watermark of a source: as an epoch of its own, or with the transaction that is open.
pub(crate) fn advance_watermark(session: &mut Session, advance: &AdvanceWatermark) -> Result<Outcome> {
    const COMMAND: &str = "ADVANCE WATERMARK";
    let names = session.database.names();
    let (relation, to) = plan_advance_watermark(&names.catalog, advance)?;
    if let Some(transaction) = &mut session.transaction {
        transaction.advance_watermark(&relation.name, to)?;
        return Ok(Outcome::Advanced { command: COMMAND, epoch: None });
    }
    let epoch = session.database.advance_watermark(&relation.name, to)?;
    Ok(Outcome::Advanced { command: COMMAND, epoch: Some(epoch) })
}

/// Moves the clock, if it is one that can be moved, and makes an epoch of the new time.
pub(crate) fn advance_clock(database: &Database, advance: &AdvanceClock) -> Result<Outcome> {
    let step = plan_advance_clock(advance)?;
    let Clock::Manual(clock) = &database.config().clock else {
        return Err(Error::new(code::WATERMARK, "the clock of the machine cannot be moved")
            .with_hint("open the database with Config::clock(ManualClock::new(0)), or run deltic with --clock manual"));
    };
    match step {
        ClockStep::To(to) if to < clock.now() => {
            return Err(Error::new(code::WATERMARK, "the clock cannot go back").with_hint("it only advances"));
        }
        ClockStep::To(to) => clock.set(to),
        ClockStep::By(micros) => clock.advance(Duration::from_micros(micros.unsigned_abs())),
    }
    let epoch = database.tick()?;
    Ok(Outcome::Advanced { command: "ADVANCE CLOCK", epoch: Some(epoch) })
}
