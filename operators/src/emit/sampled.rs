//! [`EmitSampled`]: the relation as it was at the last tick.
//!
//! Between ticks the changes are summed row by row, so that what waits is bounded by what has changed, not by how often.

use arrow::datatypes::SchemaRef;
use deltic_circuit::{EpochInfo, Ticks, TimeSource};
use deltic_zset::{Result, ZBatch};

use crate::exchange::consolidated;
use crate::rows_by_time::RowsByTime;
use crate::{EpochOperator, Output, StateSize, WindowMetrics};

/// The instant that all rows wait for: the next tick, whenever it is.
const NEXT: i64 = 0;

/// Shows one consolidated delta per tick.
pub struct EmitSampled {
    interval: i64,
    ticks: Ticks,
    sources: Vec<TimeSource>,
    changes: RowsByTime,
    pending: Vec<ZBatch>,
    /// In the open epoch; it never goes back.
    time: Option<i64>,
    last_tick: Option<i64>,
    retractions: u64,
}

impl EmitSampled {
    /// A tick whenever a multiple of `interval`, which is positive, is passed.
    ///
    /// # Errors
    /// If a column of `schema` has a type that cannot be stored.
    pub fn try_new(interval: i64, ticks: Ticks, sources: Vec<TimeSource>, schema: SchemaRef) -> Result<Self> {
        Ok(EmitSampled {
            interval: interval.max(1),
            ticks,
            sources,
            changes: RowsByTime::try_new(schema)?,
            pending: Vec::new(),
            time: None,
            last_tick: None,
            retractions: 0,
        })
    }

    fn is_tick(&self) -> bool {
        let number = |time: i64| time.div_euclid(self.interval);
        // `None`, no tick so far, is less than any.
        self.time.map(number) > self.last_tick.map(number)
    }
}

impl EpochOperator for EmitSampled {
    fn push(&mut self, _port: usize, batch: ZBatch) {
        self.pending.push(batch);
    }

    fn observe(&mut self, info: &EpochInfo) {
        let time = match self.ticks {
            Ticks::Clock => Some(info.now),
            Ticks::Watermark => info.watermark(&self.sources),
        };
        self.time = self.time.max(time);
    }

    fn close(&mut self, _epoch: u64) -> Output {
        let is_tick = self.is_tick();
        let pending = std::mem::take(&mut self.pending);
        let rows = if is_tick && self.changes.first_instant().is_none() {
            consolidated(pending)
        } else {
            for batch in pending {
                self.changes.add(&batch, &vec![NEXT; batch.len()]);
            }
            if is_tick { self.changes.drain_due(NEXT) } else { Vec::new() }
        };
        if is_tick {
            self.last_tick = self.time;
        }
        let removed = |batch: &ZBatch| {
            batch.weights().map_or(0, |weights| weights.iter().map(|weight| weight.min(&0).unsigned_abs()).sum())
        };
        self.retractions += rows.iter().map(removed).sum::<u64>();
        Output { rows, errors: Vec::new() }
    }

    fn state_size(&self) -> StateSize {
        self.changes.state_size()
    }

    fn metrics(&self) -> WindowMetrics {
        WindowMetrics { retractions_emitted: self.retractions, ..WindowMetrics::default() }
    }
}
