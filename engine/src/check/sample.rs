//! `EMIT EVERY`: between its ticks, a view is what it was at the last one.

use deltic_circuit::{Circuit, EmitPolicy, EpochInfo, Operator, Ticks, TimeSource};
use deltic_zset::ZBatch;

/// The ticks of a view, and what there was at the last one.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    interval: i64,
    ticks: Ticks,
    sources: Vec<TimeSource>,
    /// The number of the last tick.
    last: Option<i64>,
    rows: ZBatch,
}

impl Sample {
    /// That of the view with `circuit`, if it has ticks.
    pub(super) fn of(circuit: &Circuit) -> Option<Self> {
        circuit.nodes.iter().find_map(|node| match node.operator {
            Operator::Emit { policy: EmitPolicy::Every { interval, ticks } } => {
                let sources = node.properties.time_sources.clone();
                Some(Sample { interval, ticks, sources, last: None, rows: ZBatch::empty(circuit.schema().clone()) })
            }
            _ => None,
        })
    }

    /// What the view is in an epoch in which it would be `rows` without ticks.
    pub(super) fn at(&mut self, info: &EpochInfo, rows: ZBatch) -> ZBatch {
        let time = match self.ticks {
            Ticks::Clock => Some(info.now),
            Ticks::Watermark => info.watermark(&self.sources),
        };
        let number = time.map(|time| time.div_euclid(self.interval.max(1)));
        if number > self.last {
            (self.last, self.rows) = (number, rows);
        }
        self.rows.clone()
    }
}
