//! Sealing against a naive model: a list of rows, changed one by one.
//!
//! Can catch: wrong deltas, refusals that should not be or that are missing, order of changes. Cannot: anything about epochs.
#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{AsArray, Int64Array, StringArray};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use deltic_sql::{Catalog, Created, Statement};
use proptest::prelude::*;

use super::*;
use crate::config::Config;
use crate::contents::Contents;

type Row = (i64, Option<String>);

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("k", DataType::Int64, false), Field::new("v", DataType::Utf8, true)]))
}

fn table(keyed: bool) -> Arc<Source> {
    let key = if keyed { ", PRIMARY KEY (k)" } else { "" };
    let parsed = deltic_sql::parse(&format!("CREATE TABLE t (k BIGINT NOT NULL, v VARCHAR{key})")).unwrap();
    let Statement::CreateTable(create) = &parsed[0].statement else { panic!("not a table") };
    match Catalog::new().create_table(create).unwrap() {
        Created::New(relation) => Source::new(relation, &Config::in_memory()),
        other => panic!("{other:?}"),
    }
}

fn batch(rows: &[(Row, i64)]) -> ZBatch {
    let keys = Int64Array::from_iter_values(rows.iter().map(|((key, _), _)| *key));
    let values: StringArray = rows.iter().map(|((_, value), _)| value.clone()).collect();
    let weights = rows.iter().map(|(_, weight)| *weight).collect();
    ZBatch::new(schema(), vec![Arc::new(keys), Arc::new(values)], Some(weights), rows.len())
}

fn rows(batches: &[ZBatch]) -> HashMap<Row, i64> {
    let mut sum = HashMap::new();
    for batch in batches {
        let keys = batch.column(0).as_primitive::<Int64Type>();
        let values = batch.column(1).as_string::<i32>();
        for row in 0..batch.len() {
            let value = (!values.is_null(row)).then(|| values.value(row).to_owned());
            *sum.entry((keys.value(row), value)).or_insert(0) += batch.weight(row);
        }
    }
    sum.retain(|_, weight| *weight != 0);
    sum
}

/// What the changes of a commit make of a table; `None` if they are refused.
fn model(before: &HashMap<Row, i64>, keyed: bool, commit: &[Vec<(Row, i64)>]) -> Option<HashMap<Row, i64>> {
    let mut after = before.clone();
    for (row, weight) in commit.iter().flatten() {
        if keyed {
            if *weight > 0 {
                after.retain(|(key, _), _| *key != row.0);
                after.insert(row.clone(), 1);
            } else if *weight < -1 || after.remove(row).is_none() {
                return None;
            }
        } else {
            *after.entry(row.clone()).or_insert(0) += weight;
        }
    }
    after.retain(|_, weight| *weight != 0);
    after.values().all(|weight| *weight > 0).then_some(after)
}

fn check(keyed: bool, commits: &[Vec<Vec<(Row, i64)>>]) {
    let source = table(keyed);
    let mut contents = Contents::new(schema(), source.lookup_key());
    let mut expected = HashMap::new();
    for commit in commits {
        let changes: Vec<ZBatch> = commit.iter().map(|change| batch(change)).collect();
        let snapshot = contents.snapshot();
        let over_snapshot = seal(&source, &changes, || Ok(snapshot)).map(|delta| rows(&delta)).ok();
        let delta = seal(&source, &changes, || contents.folded());
        assert_eq!(delta.as_ref().map(|delta| rows(delta)).ok(), over_snapshot, "a snapshot and the table itself disagree");
        match (delta, model(&expected, keyed, commit)) {
            (Ok(delta), Some(after)) => {
                delta.into_iter().for_each(|part| contents.push(part).unwrap());
                expected = after;
            }
            (Err(error), None) => assert_eq!(error.code(), code::MISSING_ROW),
            (delta, after) => panic!("sealed: {delta:?}, the model: {after:?}"),
        }
        assert_eq!(rows(&[contents.snapshot().consolidated().unwrap()]), expected);
    }
}

fn a_commit() -> impl Strategy<Value = Vec<Vec<(Row, i64)>>> {
    let value = prop_oneof![Just(None), Just(Some("a".to_owned())), Just(Some("a string that is not inlined".to_owned()))];
    let weight = prop_oneof![4 => Just(1i64), 2 => Just(-1i64), 1 => -2..3i64].prop_filter("no zero", |weight| *weight != 0);
    let row = ((0..6i64, value), weight);
    prop::collection::vec(prop::collection::vec(row, 0..5), 0..3)
}

proptest! {
    #[test]
    fn a_table_without_a_key_is_a_multiset(commits in prop::collection::vec(a_commit(), 1..12)) {
        check(false, &commits);
    }

    #[test]
    fn a_table_with_a_key_replaces(commits in prop::collection::vec(a_commit(), 1..12)) {
        check(true, &commits);
    }
}

fn row(key: i64, value: &str) -> Row {
    (key, Some(value.to_owned()))
}

#[test]
fn the_last_row_of_a_key_wins() {
    let source = table(true);
    let contents = Contents::new(schema(), vec![0]);
    let changes = [batch(&[(row(1, "a"), 1), (row(1, "b"), 1), (row(2, "c"), 1)])];
    let delta = seal(&source, &changes, || Ok(contents.snapshot())).unwrap();
    assert_eq!(rows(&delta), HashMap::from([(row(1, "b"), 1), (row(2, "c"), 1)]));
}

#[test]
fn inserting_what_is_there_changes_nothing() {
    let source = table(true);
    let mut contents = Contents::new(schema(), vec![0]);
    contents.push(batch(&[(row(1, "a"), 1)])).unwrap();
    let delta = seal(&source, &[batch(&[(row(1, "a"), 1)])], || contents.folded()).unwrap();
    assert_eq!(delta.iter().map(ZBatch::len).sum::<usize>(), 0);
}

#[test]
fn the_message_names_table_and_row() {
    let source = table(false);
    let mut contents = Contents::new(schema(), vec![0, 1]);
    let error = seal(&source, &[batch(&[(row(7, "x"), -1)])], || contents.folded()).unwrap_err();
    assert_eq!(error.code(), "DT4005");
    assert!(error.to_string().contains("(7, 'x')") && error.to_string().contains("'t'"), "{error}");
}
