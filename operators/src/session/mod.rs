//! Sessions as a relation, kept up to date under inserts and deletes: they grow, merge, shrink and split.
//!
//! An epoch's changes are applied at once. Sorted by key and time they form clusters with the sessions they touch ([`clusters`]); the old sessions of a
//! cluster are taken back, its new ones are shown, and what is the same on both sides is left out. So only the net effect of an
//! epoch is ever emitted.
//!
//! The subtle fact is the cost: per changed row O(log n) in the rows and sessions of its key, whatever the length of a session. Without
//! retractions the aggregates of a cluster are those of its old sessions and new events together. With one they must be had
//! from what is left, MIN and MAX included: the events of all keys stand in one ordered index whose subtrees know their widest
//! gap and their aggregates ([`event`]), so one descent finds the end of a session and another its results. Keys with a few events, which
//! are most, need none of it ([`small`]).
//!
//! When a watermark has passed a session, it leaves the state without output ([`expiry`]).
//!
//! Trusted: no row of the input has a negative weight after an epoch, and the copies of rows with equal key, time and arguments are
//! fewer than 2^63. Wrong weights make wrong sessions and nothing worse.

mod admission;
mod aggregates;
mod clusters;
mod event;
mod expiry;
mod guard;
mod rows;
mod runs;
mod sessions;
mod small;
mod state;
#[cfg(test)]
mod tests;

use arrow::datatypes::{DataType, SchemaRef};
use deltic_circuit::time::bound_type;
use deltic_circuit::{Circuit, NodeId, Operator, SessionOutput, retention};
use deltic_zset::{Error, ExactSum, Result};

use crate::tally::{Plan, Tally, ValueTally, WordTally};
use crate::{EpochOperator, Horizon};
use aggregates::AggregateSessions;
use expiry::Expiry;
use rows::RowSessions;
use state::State;

/// What all session operators have in common.
struct SessionSpec {
    partition: Vec<usize>,
    partition_types: Vec<DataType>,
    time: usize,
    gap: i64,
    most_sessions: Option<u64>,
    append_only: bool,
    /// The type of the bounds.
    bound: DataType,
    horizon: Option<Horizon>,
    /// Of the output.
    schema: SchemaRef,
}

impl SessionSpec {
    fn state<T: Tally>(&self) -> Result<State<T>> {
        let expiry = self.horizon.clone().map(Expiry::new);
        State::try_new(&self.partition_types, self.gap, self.most_sessions, self.append_only, expiry)
    }
}

/// The operator of a session node.
///
/// # Errors
/// If the node is another one, or a column has a type that cannot be stored or that its function is not defined for.
pub fn session(circuit: &Circuit, id: NodeId) -> Result<Box<dyn EpochOperator>> {
    let node = circuit.node(id);
    let Operator::Session { partition, time, gap, max_sessions, output } = &node.operator else {
        return Err(Error::Shape("the node is no session".to_owned()));
    };
    let input = circuit.node(node.inputs[0]);
    let data_type = |column: usize| input.schema.field(column).data_type();
    let spec = SessionSpec {
        partition: partition.clone(),
        partition_types: partition.iter().map(|&column| data_type(column).clone()).collect(),
        time: *time,
        gap: *gap,
        most_sessions: *max_sessions,
        append_only: input.properties.append_only,
        bound: bound_type(data_type(*time)),
        horizon: retention(circuit, id).first().and_then(Horizon::of),
        schema: node.schema.clone(),
    };
    let calls = match output {
        SessionOutput::Aggregates(calls) => calls,
        SessionOutput::Rows => {
            let types: Vec<DataType> = input.schema.fields().iter().map(|field| field.data_type().clone()).collect();
            return Ok(Box::new(RowSessions::try_new(spec, &types)?));
        }
    };
    let plan = Plan::try_new(calls, &input.schema)?;
    let streams = if plan.fits_words() { plan.streams.len() } else { usize::MAX };
    Ok(match (streams, plan.sums_floats()) {
        (0, _) => Box::new(AggregateSessions::<WordTally<0>>::try_new(spec, plan)?),
        (1, false) => Box::new(AggregateSessions::<WordTally<1>>::try_new(spec, plan)?),
        (2, false) => Box::new(AggregateSessions::<WordTally<2>>::try_new(spec, plan)?),
        // No event has a value in the streams that are not there.
        (3 | 4, false) => Box::new(AggregateSessions::<WordTally<4>>::try_new(spec, plan)?),
        (1, true) => Box::new(AggregateSessions::<WordTally<1, ExactSum>>::try_new(spec, plan)?),
        (2, true) => Box::new(AggregateSessions::<WordTally<2, ExactSum>>::try_new(spec, plan)?),
        (3 | 4, true) => Box::new(AggregateSessions::<WordTally<4, ExactSum>>::try_new(spec, plan)?),
        _ => Box::new(AggregateSessions::<ValueTally>::try_new(spec, plan)?),
    })
}
