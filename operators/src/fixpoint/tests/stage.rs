//! Where one view over the tables `edges` and `roots` is played.

#![allow(clippy::unwrap_used)]

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use deltic_circuit::{error_schema, interpreter};
use deltic_zset::ZBatch;
use timely::worker::Worker;

use super::circuits::Subject;
use crate::testing::{Row, batch, rows_of};
use crate::{Install, Part, Registry, install};

type Heard = Vec<(u64, Part)>;

/// Plays the changes of `edges`, of which each is one epoch and the first is there when the view is installed, and compares with the interpreter.
pub(super) fn play(subject: &Subject, changes: Vec<Vec<Row>>, workers: usize, in_flight: usize) {
    let config = timely::Config { communication: timely::CommunicationConfig::Process(workers), worker: Default::default() };
    let all: Arc<Mutex<Heard>> = Arc::default();
    let (heard, script) = (all.clone(), (subject.clone(), changes.clone()));
    let guards = timely::execute(config, move |worker| {
        let (subject, changes) = &script;
        let here = act(worker, subject, changes, in_flight);
        heard.lock().unwrap().extend(here);
    });
    guards.unwrap().join().into_iter().for_each(|result| result.unwrap());
    judge(subject, &changes, &all.lock().unwrap());
}

fn act(worker: &mut Worker, subject: &Subject, changes: &[Vec<Row>], in_flight: usize) -> Heard {
    let (index, peers) = (worker.index(), worker.peers());
    // A row may come in by one worker and be deleted by another.
    let share = |epoch: usize, rows: &[Row]| {
        let rows: Vec<Row> = rows.iter().skip((index + epoch) % peers).step_by(peers).cloned().collect();
        batch(&subject.schema, &rows)
    };
    let heard: Rc<RefCell<Heard>> = Rc::default();
    let (first, later) = changes.split_first().unwrap();
    let roots = if index == 0 { vec![subject.roots.clone()] } else { Vec::new() };
    let hydrate = HashMap::from([("edges".to_owned(), vec![share(0, first)]), ("roots".to_owned(), roots)]);
    let sink = heard.clone();
    let mut registry = Registry::default();
    let request = Install {
        view: "view",
        circuit: &subject.circuit,
        since: 1,
        info: Arc::default(),
        hydrate,
        hydrate_errors: HashMap::new(),
    };
    let mut view = install(worker, &mut registry, request, Box::new(move |epoch, part| sink.borrow_mut().push((epoch, part))));
    let mut epoch = 1;
    for chunk in later.chunks(in_flight) {
        for rows in chunk {
            epoch += 1;
            view.push("edges", share(epoch, rows));
            view.advance_to(epoch as u64 + 1);
        }
        while !view.done(epoch as u64) {
            worker.step_or_park(Some(Duration::from_millis(1)));
        }
    }
    view.uninstall(worker, &mut registry);
    while worker.has_dataflows() {
        worker.step_or_park(Some(Duration::from_millis(1)));
    }
    heard.take()
}

fn judge(subject: &Subject, changes: &[Vec<Row>], heard: &Heard) {
    let mut edges: Vec<ZBatch> = Vec::new();
    for (epoch, rows) in (1..).zip(changes) {
        edges.push(batch(&subject.schema, rows));
        let contents = ZBatch::concat(&subject.schema, &edges).unwrap().consolidate().unwrap();
        let sources = HashMap::from([("edges".to_owned(), contents), ("roots".to_owned(), subject.roots.clone())]);
        let expected = interpreter::evaluate(&subject.circuit, &sources).unwrap();
        let parts = heard.iter().filter(|(of, _)| *of <= epoch);
        let (rows, errors): (Vec<ZBatch>, Vec<ZBatch>) = parts.map(|(_, part)| (part.rows.clone(), part.errors.clone())).unzip();
        let sum = |batches: &[ZBatch], schema| rows_of(&ZBatch::concat(schema, batches).unwrap());
        let name = subject.name;
        assert_eq!(sum(&rows, subject.circuit.schema()), rows_of(&expected.rows), "rows of {name} in epoch {epoch}");
        assert_eq!(sum(&errors, &error_schema()), rows_of(&expected.errors), "errors of {name} in epoch {epoch}");
    }
}
