//! In and out: batches of an epoch become records with times, and the records of an epoch become one batch.

use std::collections::{BTreeMap, HashMap};

use arrow::datatypes::Schema;
use deltic_zset::ZBatch;
use differential_dataflow::consolidation::consolidate;
use differential_dataflow::difference::{IsZero, Semigroup};
use differential_dataflow::{AsCollection, VecCollection};
use timely::container::CapacityContainerBuilder;
use timely::dataflow::Scope;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::operator::{Operator, source};
use timely::dataflow::operators::vec::Broadcast;

use super::format::{Format, Frame, batch, rows_of};
use super::weight::Weight;
use crate::container::{Delta, DeltaStream};

/// Records under an epoch.
pub(super) type Outside<'scope, D> = VecCollection<'scope, u64, D, Weight>;

/// The rows of an input as records.
pub(super) fn enter<'scope, F: Format>(rows: DeltaStream<'scope>, frame: Frame) -> Outside<'scope, F::Row> {
    let records = rows.unary::<CapacityContainerBuilder<Vec<_>>, _, _, _>(Pipeline, "enter recursion", move |_, _| {
        move |input, output| {
            input.for_each(|capability, delta| {
                let Delta(batch) = std::mem::take(delta);
                let mut records = Vec::with_capacity(batch.len());
                rows_of::<F>(&frame, &batch, |row, weight| records.push((row, *capability.time(), weight)));
                output.session(&capability).give_container(&mut records);
            });
        }
    });
    records.as_collection()
}

/// One record of one worker that is there from epoch `since` on.
pub(super) fn once<D: differential_dataflow::Data>(scope: Scope<'_, u64>, since: u64, record: D) -> Outside<'_, D> {
    let here = scope.index() == 0;
    let records = source::<_, CapacityContainerBuilder<Vec<_>>, _, _>(scope, "once", move |capability, _| {
        let mut pending = here.then_some((capability, record));
        move |output| {
            if let Some((capability, record)) = pending.take() {
                output.session(&capability.delayed(&since)).give((record, since, Weight::ONE));
            }
        }
    });
    records.as_collection()
}

/// What waits for the end of its epoch.
struct Open<D> {
    capability: Capability<u64>,
    records: Vec<(D, Weight)>,
}

/// Collects the records of each epoch, hands them to `close` when all are there, and sends what it makes of them.
fn by_epoch<'scope, D: differential_dataflow::Data>(
    records: Outside<'scope, D>,
    name: &str,
    mut close: impl FnMut(Vec<(D, Weight)>) -> Option<ZBatch> + 'static,
) -> DeltaStream<'scope> {
    records.inner.unary_frontier::<CapacityContainerBuilder<Delta>, _, _, _>(Pipeline, name, |_, _| {
        let mut open: BTreeMap<u64, Open<D>> = BTreeMap::new();
        move |(input, frontier), output| {
            input.for_each(|capability, records| {
                for (record, epoch, weight) in records.drain(..) {
                    let new = || Open { capability: capability.delayed(&epoch, 0), records: Vec::new() };
                    open.entry(epoch).or_insert_with(new).records.push((record, weight));
                }
            });
            while let Some(entry) = open.first_entry().filter(|entry| !frontier.less_equal(entry.key())) {
                let Open { capability, mut records } = entry.remove();
                consolidate(&mut records);
                if let Some(batch) = close(records).filter(|batch| !batch.is_empty()) {
                    output.session(&capability).give_container(&mut Delta(batch));
                }
            }
        }
    })
}

/// The records of each epoch as a batch, each row once.
pub(super) fn leave<'scope, F: Format>(records: Outside<'scope, F::Row>, frame: Frame) -> DeltaStream<'scope> {
    by_epoch(records, "leave recursion", move |records| {
        let weights = records.iter().map(|(_, weight)| weight.get()).collect();
        Some(batch::<F>(&frame, &mut records.iter().map(|(row, _)| row), weights))
    })
}

/// Tells all workers when there begins to be, and ceases to be, a record somewhere: rows without columns, whose sum is the number of workers
/// that have records.
pub(super) fn presence<'scope, D>(records: Outside<'scope, D>) -> DeltaStream<'scope>
where
    D: differential_dataflow::ExchangeData + std::hash::Hash,
{
    let mut present: HashMap<D, Weight> = HashMap::new();
    let signs = by_epoch(records, "presence", move |records| {
        let before = !present.is_empty();
        for (record, weight) in records {
            let sum = present.entry(record.clone()).or_default();
            sum.plus_equals(&weight);
            if sum.is_zero() {
                present.remove(&record);
            }
        }
        let change = i64::from(!present.is_empty()) - i64::from(before);
        (change != 0).then(|| sign(change))
    });
    let signs = signs.unary::<CapacityContainerBuilder<Vec<i64>>, _, _, _>(Pipeline, "signs", |_, _| {
        |input, output| input.for_each(|time, delta| output.session(&time).give(delta.0.weight(0)))
    });
    signs.broadcast().unary::<CapacityContainerBuilder<Delta>, _, _, _>(Pipeline, "signs", |_, _| {
        |input, output| {
            input.for_each(|time, signs| {
                let mut session = output.session(&time);
                signs.drain(..).for_each(|change| session.give_container(&mut Delta(sign(change))));
            });
        }
    })
}

fn sign(change: i64) -> ZBatch {
    ZBatch::new(Schema::empty().into(), Vec::new(), Some(vec![change].into()), 1)
}
