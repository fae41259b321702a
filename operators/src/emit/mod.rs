//! EMIT: when a view shows what it knows.
//!
//! It filters one and the same relation by time, so a policy changes when rows show and never what they are. [`EmitClosed`] shows the rows whose
//! windows have closed, [`EmitSampled`] the relation as it was at the last tick.

mod closed;
mod late;
mod sampled;

use deltic_circuit::{EmitPolicy, Node};
use deltic_zset::Result;

pub use closed::EmitClosed;
pub use sampled::EmitSampled;

use crate::EpochOperator;

/// The operator of `policy` for `node`.
///
/// # Errors
/// If a column has a type that cannot be stored.
pub(crate) fn emit(policy: EmitPolicy, node: &Node) -> Result<Box<dyn EpochOperator>> {
    let (schema, sources) = (node.schema.clone(), node.properties.time_sources.clone());
    let keys = node.properties.unique_keys.clone();
    Ok(match policy {
        EmitPolicy::OnWindowClose(closing) => {
            Box::new(EmitClosed::on_window_close(closing, sources, schema)?.with_unique_keys(keys))
        }
        EmitPolicy::Final(closing) => Box::new(EmitClosed::when_final(closing, sources, schema)?.with_unique_keys(keys)),
        EmitPolicy::Every { interval, ticks } => Box::new(EmitSampled::try_new(interval, ticks, sources, schema)?),
    })
}

#[cfg(test)]
mod tests;
