//! The coordinator without SQL: what happens when a worker fails.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use arrow::datatypes::{DataType, Field, Schema};
use crossbeam_channel::bounded;
use deltic_circuit::{Circuit, Expr, Node, NodeId, Operator, Properties};

use super::*;

/// A circuit that no frontend makes: its filter reads a column that is not there, so the workers panic.
fn broken_view() -> ViewDefinition {
    let schema = Arc::new(Schema::new(vec![Field::new("a", DataType::Int64, true)]));
    let node = |operator, inputs| Node { operator, inputs, schema: schema.clone(), properties: Properties::default() };
    let constant = deltic_zset::ZBatch::new(schema.clone(), vec![Arc::new(arrow::array::Int64Array::from(vec![1]))], None, 1);
    let missing = Expr::Column { index: 7, data_type: DataType::Boolean };
    let nodes = vec![
        node(Operator::Constant { rows: constant }, vec![]),
        node(Operator::MapFilter { predicates: vec![missing], projections: None }, vec![NodeId(0)]),
    ];
    ViewDefinition { name: "broken".into(), circuit: Arc::new(Circuit { nodes, output: NodeId(1) }), schema: schema.clone() }
}

#[test]
fn a_panic_of_a_worker_is_told_to_everybody() {
    for workers in [1, 3] {
        let config = Config::in_memory().workers(workers).pin_workers(false);
        let (handle, thread) = start(config, Arc::new(AtomicU64::new(0))).unwrap();
        let empty_commit =
            |reply| Request::Commit(Commit { changes: Vec::new(), watermarks: Vec::new(), grants: Vec::new(), reply });
        assert_eq!(handle.ask(empty_commit).unwrap().epoch, 1);

        let definitions = vec![Definition::CreateView(broken_view())];
        let error = handle.ask(|reply| Request::Define { definitions, reply }).unwrap_err();
        assert_eq!(error.code(), code::POISONED);
        assert!(error.message().contains("worker"), "{error}");
        // Who comes later hears the same, at once.
        let (reply, answer) = bounded(1);
        let later = handle.send(empty_commit(reply)).and_then(|()| handle.answer(&answer));
        assert_eq!(later.unwrap_err().code(), code::POISONED);
        thread.join().unwrap();
    }
}
