//! When epochs are closed, and what the operator is told of their time. The operators' own tests see what comes of it.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion_common::ScalarValue;
use deltic_circuit::EpochInfo;
use timely::WorkerConfig;
use timely::communication::Allocator;
use timely::communication::allocator::thread::Thread;
use timely::worker::Worker;

use super::*;
use crate::dataflow::{EpochTimes, Feed};
use crate::testing::{batch, schema};

/// What the operator was told, in order.
type Calls = Rc<RefCell<Vec<String>>>;

struct Recorder(Calls);

impl EpochOperator for Recorder {
    fn push(&mut self, _port: usize, batch: ZBatch) {
        self.0.borrow_mut().push(format!("{} rows", batch.len()));
    }

    fn observe(&mut self, info: &EpochInfo) {
        self.0.borrow_mut().push(format!("now {}", info.now));
    }

    fn close(&mut self, epoch: u64) -> Output {
        self.0.borrow_mut().push(format!("close {epoch}"));
        Output::default()
    }
}

fn rows(count: i64) -> ZBatch {
    let rows: Vec<_> = (0..count).map(|row| (vec![ScalarValue::Int64(Some(row))], 1)).collect();
    batch(&schema(&[DataType::Int64]), &rows)
}

fn at(now: i64) -> Arc<EpochInfo> {
    Arc::new(EpochInfo { now, ..EpochInfo::default() })
}

#[test]
fn an_operator_of_time_is_closed_in_epochs_without_rows() {
    let mut worker = Worker::new(WorkerConfig::default(), Allocator::Thread(Thread::default()), None);
    let (times, calls, feed) = (EpochTimes::default(), Calls::default(), Feed::new(1));
    let operator: Box<dyn EpochOperator> = Box::new(Recorder(calls.clone()));
    let driven = Driven {
        name: "recorder".to_owned(),
        operator: Rc::new(RefCell::new(operator)),
        cadence: Cadence::EveryEpoch,
        since: 1,
        times: Some(times.reader(1, at(10))),
        publication: Publication::new(1, false),
    };
    worker.dataflow::<u64, _, _>(|scope| {
        let rows = feed.source(scope, "feed").rows;
        _ = drive(scope, driven, vec![Inlet { rows, exchange: None }]);
    });
    let heard = |worker: &mut Worker| {
        (0..10).for_each(|_| _ = worker.step());
        calls.take().join(", ")
    };
    assert_eq!(heard(&mut worker), "");
    feed.advance_to(2);
    assert_eq!(heard(&mut worker), "now 10, close 1");

    times.insert(3, at(30));
    times.insert(5, at(50));
    feed.push_rows(5, rows(2));
    assert_eq!(heard(&mut worker), "");
    feed.advance_to(6);
    assert_eq!(heard(&mut worker), "now 30, close 3, 2 rows, now 50, close 5");

    feed.push_rows(7, rows(1));
    times.insert(8, at(80));
    feed.close();
    assert_eq!(heard(&mut worker), "1 rows, now 50, close 7, now 80, close 8");
    assert!(!worker.has_dataflows());
}
