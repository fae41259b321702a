//! Runs a script of installations and epochs on a number of workers and checks every view in every epoch.

#![allow(clippy::unwrap_used)]

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use deltic_circuit::{error_schema, interpreter};
use deltic_zset::ZBatch;
use timely::worker::Worker;

use super::super::{Dataflow, Install, OperatorState, Part, Registry, install};
use super::query::{Query, TABLES, table_schema};
use crate::testing::{Row, batch, rows_of};

/// How long a worker waits for the others before it looks for an alarm.
const PARK: Duration = Duration::from_millis(1);

/// The changes of each table.
pub(super) type Epoch = [Vec<Row>; TABLES];

/// A step of a script. Installations and the like wait until all epochs before are complete.
#[derive(Clone)]
pub(super) enum Scene {
    Install(&'static str, Query),
    Epochs(Vec<Epoch>),
    Uninstall(&'static str),
    ExpectState(&'static str, Check),
}

/// A look at the state of a view on one worker.
pub(super) type Check = Arc<dyn Fn(&[OperatorState]) + Send + Sync>;

/// What a worker's sink heard: view, epoch, part.
type Heard = Vec<(&'static str, u64, Part)>;

/// Where scripts are played.
pub(super) struct Stage {
    workers: usize,
    in_flight: usize,
}

impl Stage {
    /// A number of workers, and of epochs that are pushed before the first of them is waited for.
    pub(super) fn new(workers: usize, in_flight: usize) -> Self {
        Stage { workers, in_flight }
    }

    /// Plays the script and compares every view in every epoch with the interpreter.
    pub(super) fn play(&self, scenes: Vec<Scene>) {
        let scenes = Arc::new(scenes);
        let (script, in_flight) = (scenes.clone(), self.in_flight);
        let config =
            timely::Config { communication: timely::CommunicationConfig::Process(self.workers), worker: Default::default() };
        let all: Arc<Mutex<Heard>> = Arc::default();
        let heard = all.clone();
        let failed: Arc<AtomicBool> = Arc::default();
        let guards = timely::execute(config, move |worker| {
            let heard_here = Actor::new(worker, in_flight, Alarm(failed.clone())).act(&script);
            heard.lock().unwrap().extend(heard_here);
        });
        for result in guards.unwrap().join() {
            result.unwrap();
        }
        let heard = std::mem::take(&mut *all.lock().unwrap());
        judge(&scenes, &heard);
    }
}

/// Tells the other workers that one has panicked, so that they do not wait for it.
struct Alarm(Arc<AtomicBool>);

impl Alarm {
    fn check(&self) {
        assert!(!self.0.load(Ordering::Relaxed), "another worker has failed");
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.store(true, Ordering::Relaxed);
        }
    }
}

/// One worker with its share of the rows.
struct Actor<'a> {
    worker: &'a mut Worker,
    registry: Registry,
    views: Vec<(&'static str, Dataflow)>,
    tables: [Vec<ZBatch>; TABLES],
    heard: Rc<RefCell<Heard>>,
    epoch: u64,
    in_flight: usize,
    alarm: Alarm,
}

impl<'a> Actor<'a> {
    fn new(worker: &'a mut Worker, in_flight: usize, alarm: Alarm) -> Self {
        Actor {
            worker,
            registry: Registry::default(),
            views: Vec::new(),
            tables: Default::default(),
            heard: Rc::default(),
            epoch: 0,
            in_flight,
            alarm,
        }
    }

    fn act(mut self, script: &[Scene]) -> Heard {
        for scene in script {
            match scene {
                Scene::Install(view, query) => self.install(view, query),
                Scene::Epochs(epochs) => {
                    for chunk in epochs.chunks(self.in_flight) {
                        chunk.iter().for_each(|epoch| self.push(epoch));
                        self.settle();
                    }
                }
                Scene::Uninstall(view) => {
                    let position = self.views.iter().position(|(name, _)| name == view).unwrap();
                    let (_, dataflow) = self.views.remove(position);
                    dataflow.uninstall(self.worker, &mut self.registry);
                }
                Scene::ExpectState(view, check) => {
                    let (_, dataflow) = self.views.iter().find(|(name, _)| name == view).unwrap();
                    check(&dataflow.state());
                }
            }
        }
        while let Some((_, dataflow)) = self.views.pop() {
            dataflow.uninstall(self.worker, &mut self.registry);
        }
        while self.worker.has_dataflows() {
            self.alarm.check();
            self.worker.step_or_park(Some(PARK));
        }
        self.heard.take()
    }

    /// An epoch is the installation's own, so that the contents can be told from a delta.
    fn install(&mut self, view: &'static str, query: &Query) {
        self.epoch += 1;
        for (_, dataflow) in &mut self.views {
            dataflow.advance_to(self.epoch + 1);
        }
        self.settle();
        let circuit = query.circuit();
        let mut hydrate: HashMap<String, Vec<ZBatch>> = HashMap::new();
        for (number, rows) in self.tables.iter().enumerate() {
            hydrate.insert(format!("t{number}"), rows.clone());
        }
        let mut hydrate_errors: HashMap<String, Vec<ZBatch>> = HashMap::new();
        for (name, _, part) in &*self.heard.borrow() {
            hydrate.entry((*name).to_owned()).or_default().push(part.rows.clone());
            hydrate_errors.entry((*name).to_owned()).or_default().push(part.errors.clone());
        }
        let heard = self.heard.clone();
        let sink = Box::new(move |epoch, part| heard.borrow_mut().push((view, epoch, part)));
        let request = Install { view, circuit: &circuit, since: self.epoch, info: Arc::default(), hydrate, hydrate_errors };
        self.views.push((view, install(self.worker, &mut self.registry, request, sink)));
        self.settle();
    }

    fn push(&mut self, epoch: &Epoch) {
        self.epoch += 1;
        for (number, rows) in epoch.iter().enumerate() {
            let (index, peers) = (self.worker.index(), self.worker.peers());
            // A row may come in by one worker and be deleted by another.
            let share: Vec<Row> = rows.iter().skip((index + self.epoch as usize) % peers).step_by(peers).cloned().collect();
            let share = batch(&table_schema(), &share);
            self.tables[number].push(share.clone());
            for (_, dataflow) in &mut self.views {
                dataflow.push(&format!("t{number}"), share.clone());
            }
        }
        for (_, dataflow) in &mut self.views {
            dataflow.advance_to(self.epoch + 1);
        }
    }

    fn settle(&mut self) {
        while !self.views.iter().all(|(_, dataflow)| dataflow.done(self.epoch)) {
            self.alarm.check();
            self.worker.step_or_park(Some(PARK));
        }
    }
}

/// Replays the script with the interpreter.
fn judge(scenes: &[Scene], heard: &Heard) {
    let mut tables: [Vec<ZBatch>; TABLES] = Default::default();
    let mut views: BTreeMap<&'static str, Query> = BTreeMap::new();
    let mut epoch = 0;
    for scene in scenes {
        match scene {
            Scene::Install(view, query) => {
                views.insert(view, query.clone());
                epoch += 1;
                judge_epoch(epoch, &tables, &views, heard);
            }
            Scene::Uninstall(view) => _ = views.remove(view),
            Scene::Epochs(epochs) => {
                for rows in epochs {
                    epoch += 1;
                    for (table, rows) in tables.iter_mut().zip(rows) {
                        table.push(batch(&table_schema(), rows));
                    }
                    judge_epoch(epoch, &tables, &views, heard);
                }
            }
            Scene::ExpectState(..) => {}
        }
    }
}

fn judge_epoch(epoch: u64, tables: &[Vec<ZBatch>; TABLES], views: &BTreeMap<&'static str, Query>, heard: &Heard) {
    let mut sources: HashMap<String, ZBatch> = HashMap::new();
    for (number, rows) in tables.iter().enumerate() {
        sources.insert(format!("t{number}"), ZBatch::concat(&table_schema(), rows).unwrap().consolidate().unwrap());
    }
    let mut errors_of: HashMap<&str, ZBatch> = HashMap::new();
    for (view, query) in views {
        let circuit = query.circuit();
        let mut expected = interpreter::evaluate(&circuit, &sources).unwrap();
        for source in circuit.sources() {
            if let Some(errors) = errors_of.get(source) {
                expected.errors = ZBatch::concat(&error_schema(), &[expected.errors, errors.clone()]).unwrap();
            }
        }
        let parts = heard.iter().filter(|(name, of, _)| name == view && *of <= epoch);
        let (rows, errors): (Vec<ZBatch>, Vec<ZBatch>) =
            parts.map(|(_, _, part)| (part.rows.clone(), part.errors.clone())).unzip();
        let sum = |batches: &[ZBatch], schema| rows_of(&ZBatch::concat(schema, batches).unwrap());
        assert_eq!(sum(&rows, circuit.schema()), rows_of(&expected.rows), "rows of {view} in epoch {epoch}");
        assert_eq!(sum(&errors, &error_schema()), rows_of(&expected.errors), "errors of {view} in epoch {epoch}");
        sources.insert((*view).to_owned(), expected.rows);
        errors_of.insert(view, expected.errors);
    }
}
