//! The law on whole circuits: random queries over two tables as dataflows on 1, 2 and 4 workers, several epochs in flight, against the interpreter
//! in every epoch; views installed later, on top of others or with parts in common, and taken away. What these tests cannot see: an
//! exchange that is needed but left out by luck of the hash, which the small domains make unlikely.

#![allow(clippy::unwrap_used)]

mod query;
mod stage;
mod timed;

use proptest::prelude::*;

use crate::testing::{Change, Row, history, play};
use query::{Query, TABLES, query, table_values};
use stage::{Epoch, Scene, Stage};

/// The histories of both tables as epochs; in the end everything goes.
fn epochs(histories: &[Vec<Vec<Vec<Change>>>; TABLES]) -> Vec<Epoch> {
    let mut live: [Vec<Row>; TABLES] = Default::default();
    let length = histories.iter().map(Vec::len).max().unwrap_or_default();
    let mut epochs: Vec<Epoch> = (0..length)
        .map(|epoch| {
            let change = |table: usize| histories[table].get(epoch).cloned().unwrap_or_default();
            std::array::from_fn(|table| play(change(table), &mut live[table]).concat())
        })
        .collect();
    epochs.push(live.map(|rows| rows.into_iter().map(|(values, weight)| (values, -weight)).collect()));
    epochs
}

/// Cuts epochs into three parts.
fn thirds(epochs: Vec<Epoch>) -> [Vec<Epoch>; 3] {
    let third = epochs.len().div_ceil(3);
    let mut parts = epochs.chunks(third).map(<[Epoch]>::to_vec);
    std::array::from_fn(|_| parts.next().unwrap_or_default())
}

/// A second view: another query, or one that has the first in it, as a part in common or as a source.
#[derive(Clone, Debug)]
enum Second {
    Other(Query),
    Around(Query),
    Above(Query),
}

impl Second {
    fn over(self, first: &Query) -> Query {
        match self {
            Second::Other(query) => query,
            Second::Around(query) => query.with_leaf(first),
            Second::Above(query) => query.with_leaf(&Query::View("first")),
        }
    }
}

fn second() -> impl Strategy<Value = Second> {
    prop_oneof![query().prop_map(Second::Other), query().prop_map(Second::Around), query().prop_map(Second::Above)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    #[test]
    fn views_that_come_and_go_are_their_queries_in_every_epoch(
        first in query(), second in second(),
        left in history(table_values()), right in history(table_values()),
        workers in prop_oneof![Just(1usize), Just(2), Just(4)], in_flight in 1usize..5
    ) {
        let reads_first = matches!(second, Second::Above(_));
        let second = second.over(&first);
        let [before, between, after] = thirds(epochs(&[left, right]));
        let mut scenes = vec![
            Scene::Install("first", first),
            Scene::Epochs(before),
            Scene::Install("second", second),
            Scene::Epochs(between),
        ];
        if !reads_first {
            scenes.push(Scene::Uninstall("first"));
        }
        scenes.push(Scene::Epochs(after));
        Stage::new(workers, in_flight).play(scenes);
    }
}

fn table(table: usize) -> Box<Query> {
    Box::new(Query::Table(table))
}

fn rows(keys: std::ops::Range<i64>) -> Vec<Row> {
    keys.map(|key| (query::values(Some(key), Some("a"), Some(key)), 1)).collect()
}

#[test]
fn two_views_with_an_index_in_common_have_one() {
    let join = |kind| Query::Join { kind, residual: false, left: table(0), right: table(1) };
    let scenes = vec![
        Scene::Install("first", join(deltic_circuit::JoinKind::Inner)),
        Scene::Epochs(vec![[rows(0..100), rows(50..150)]]),
        Scene::Install("second", join(deltic_circuit::JoinKind::Full)),
        Scene::Epochs(vec![[rows(100..120), vec![]], [vec![], rows(0..10)]]),
        Scene::ExpectState(
            "second",
            std::sync::Arc::new(|state| {
                let indexes: Vec<_> = state.iter().filter(|operator| operator.operator == "index").collect();
                assert_eq!(indexes.len(), 2);
                assert!(indexes.iter().all(|index| index.shared));
            }),
        ),
        Scene::Uninstall("first"),
        Scene::Epochs(vec![[rows(200..210), rows(200..220)]]),
    ];
    for workers in [1, 2] {
        Stage::new(workers, 2).play(scenes.clone());
    }
}

#[test]
fn a_shared_aggregate_starts_from_its_contents() {
    let aggregate = Query::Aggregate(Box::new(Query::Filter(table(0))));
    let around = Query::Distinct(Box::new(Query::Filter(Box::new(aggregate.clone()))));
    let scenes = vec![
        Scene::Install("first", aggregate),
        Scene::Epochs(vec![[rows(0..10), vec![]]]),
        Scene::Install("second", around),
        Scene::Epochs(vec![[rows(5..15), vec![]]]),
    ];
    Stage::new(2, 1).play(scenes);
}

#[test]
fn errors_below_a_shared_node_belong_to_both_views() {
    let zero = vec![(query::values(Some(1), None, Some(0)), 1)];
    let quotient = Query::Aggregate(Box::new(Query::Quotient(table(0))));
    let around = Query::Distinct(Box::new(quotient.clone()));
    let scenes = vec![
        Scene::Install("first", quotient),
        Scene::Epochs(vec![[zero.clone(), vec![]]]),
        Scene::Install("second", around),
        Scene::Epochs(vec![[zero, vec![]]]),
        Scene::Uninstall("first"),
        Scene::Epochs(vec![[vec![(query::values(Some(1), None, Some(0)), -2)], vec![]]]),
    ];
    for workers in [1, 4] {
        Stage::new(workers, 1).play(scenes.clone());
    }
}

#[test]
fn a_count_of_nothing_is_one_row_whatever_the_number_of_workers() {
    for workers in [1, 2, 4] {
        let scenes = vec![Scene::Install("first", Query::Count(table(0))), Scene::Epochs(vec![[vec![], vec![]]])];
        Stage::new(workers, 1).play(scenes);
    }
}

#[test]
fn run_once_is_the_interpreter() {
    let query = Query::Join { kind: deltic_circuit::JoinKind::Left, residual: true, left: table(0), right: table(1) };
    let circuit = query.circuit();
    let sources = [("t0", rows(0..20)), ("t1", rows(10..30))];
    let batches = sources.map(|(name, rows)| (name.to_owned(), crate::testing::batch(&query::table_schema(), &rows)));
    let expected = deltic_circuit::interpreter::evaluate(&circuit, &batches.clone().into_iter().collect()).unwrap();
    let sources = batches.map(|(name, rows)| (name, vec![rows])).into_iter().collect();
    let (rows, errors) = super::run_once(&circuit, sources, std::sync::Arc::default()).unwrap();
    assert_eq!(crate::testing::rows_of(&rows), crate::testing::rows_of(&expected.rows));
    assert_eq!(crate::testing::rows_of(&errors), crate::testing::rows_of(&expected.errors));
}
