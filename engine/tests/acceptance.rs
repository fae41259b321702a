//! Acceptance against a plain model: a list of rows, one watermark, one rule after the other.
//!
//! Can catch: anything by which the vectorised judgement differs from the rules as they are written, in any mixture of insertions, deletions, upserts, NULLs
//! and explicit watermarks in one commit, and in any cut into commits. Cannot: anything about idleness or the clock.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use common::{manual, rows, stats, watermark};
use proptest::prelude::*;

type Row = (i64, Option<i64>);

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Stream,
    Multiset,
    Keyed,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Rule {
    Bounded { delay: i64 },
    PerKey,
    Punctuated,
}

#[derive(Clone, Debug)]
enum Step {
    Insert(Row),
    Delete(Row),
    Advance(i64),
}

#[derive(Clone, Debug)]
struct Case {
    kind: Kind,
    rule: Rule,
    lateness: i64,
    commits: Vec<Vec<Step>>,
}

#[derive(Clone, Debug, Default)]
struct Model {
    table: Vec<Row>,
    watermark: Option<i64>,
    greatest: HashMap<i64, i64>,
    /// Row, reason, operation, watermark.
    late: Vec<(Row, &'static str, &'static str, Option<i64>)>,
}

impl Model {
    /// What the commit makes of it; `None` if it is refused.
    fn commit(&self, case: &Case, steps: &[Step]) -> Option<Model> {
        let mut after = self.clone();
        let reason = |row: Row| match (row.1, self.watermark) {
            (None, _) => Some("null_time"),
            (Some(time), Some(watermark)) if time < watermark - case.lateness => Some("late"),
            _ => None,
        };
        let mut greatest = None;
        let mut deleted = Vec::new();
        for step in steps {
            match *step {
                Step::Advance(to) if self.watermark.is_some_and(|watermark| to < watermark) => return None,
                Step::Advance(to) => after.watermark = after.watermark.max(Some(to)),
                Step::Insert(row) => {
                    let holder = after.table.iter().position(|old| case.kind == Kind::Keyed && old.0 == row.0);
                    if let Some(reason) = reason(row).or_else(|| reason(after.table[holder?])) {
                        after.late.push((row, reason, "insert", self.watermark));
                        continue;
                    }
                    if let Some(holder) = holder {
                        after.table.remove(holder);
                    }
                    after.table.push(row);
                    greatest = greatest.max(row.1);
                    let of_key = after.greatest.entry(row.0).or_insert(i64::MIN);
                    *of_key = (*of_key).max(row.1.unwrap());
                }
                Step::Delete(row) => match reason(row) {
                    Some(reason) => after.late.push((row, reason, "delete", self.watermark)),
                    // With a key, changes apply in order; without one, they are summed.
                    None if case.kind == Kind::Keyed => _ = after.table.remove(after.table.iter().position(|old| *old == row)?),
                    None => deleted.push(row),
                },
            }
        }
        for row in deleted {
            after.table.remove(after.table.iter().position(|old| *old == row)?);
        }
        let strategy = match case.rule {
            Rule::Bounded { delay } => greatest.map(|greatest| greatest - delay),
            Rule::PerKey => after.greatest.values().min().copied(),
            Rule::Punctuated => None,
        };
        after.watermark = after.watermark.max(strategy);
        Some(after)
    }
}

fn rows_of(row: Row) -> RecordBatch {
    let column = |value: Option<i64>| Arc::new(Int64Array::from(vec![value])) as ArrayRef;
    RecordBatch::try_from_iter([("k", column(Some(row.0))), ("n", column(row.1))]).unwrap()
}

fn text(row: Row) -> String {
    format!("{}|{}", row.0, row.1.map_or("NULL".into(), |time| time.to_string()))
}

fn check(case: &Case) {
    let (db, _) = manual(0);
    let kind = if case.kind == Kind::Stream { "STREAM" } else { "TABLE" };
    let key = if case.kind == Kind::Keyed { ", PRIMARY KEY (k)" } else { "" };
    let strategy = match case.rule {
        Rule::Bounded { delay } => format!("AS n - {delay}"),
        Rule::PerKey => "AS n PER PARTITION (k)".to_owned(),
        Rule::Punctuated => String::new(),
    };
    let lateness = case.lateness;
    db.execute(&format!(
        "CREATE {kind} s (k BIGINT, n BIGINT{key}, WATERMARK FOR n {strategy}) WITH (allowed_lateness = '{lateness}');
         CREATE MATERIALIZED VIEW v AS SELECT k, n FROM s"
    ))
    .unwrap();
    let mut model = Model::default();
    for steps in &case.commits {
        let mut transaction = db.begin();
        for step in steps {
            match *step {
                Step::Insert(row) => transaction.insert("s", rows_of(row)).unwrap(),
                Step::Delete(row) => transaction.delete("s", rows_of(row)).unwrap(),
                Step::Advance(to) => transaction.advance_watermark("s", to).unwrap(),
            }
        }
        let after = model.commit(case, steps);
        assert_eq!(transaction.commit().is_ok(), after.is_some(), "{steps:?} after {model:?}");
        model = after.unwrap_or(model);
        let sorted = |mut rows: Vec<String>| {
            rows.sort();
            rows
        };
        assert_eq!(rows(&db, "SELECT k, n FROM v"), sorted(model.table.iter().map(|row| text(*row)).collect()));
        let late = model.late.iter().map(|(row, reason, operation, watermark)| {
            format!("{}|{reason}|{operation}|{}", text(*row), watermark.map_or("NULL".into(), |time| time.to_string()))
        });
        let found = rows(&db, "SELECT k, n, late_reason, late_operation, late_watermark FROM \"s$late\"");
        assert_eq!(found, sorted(late.collect()));
        assert_eq!(watermark(&db, "s"), model.watermark);
        assert_eq!(stats(&db, "s").late.total(), model.late.len() as u64);
    }
}

fn cases() -> impl Strategy<Value = Case> {
    let row = (0..3i64, prop_oneof![9 => (-10..10i64).prop_map(Some), 1 => Just(None)]);
    let kind = prop_oneof![Just(Kind::Stream), Just(Kind::Multiset), Just(Kind::Keyed)];
    let rule = prop_oneof![(0..3i64).prop_map(|delay| Rule::Bounded { delay }), Just(Rule::PerKey), Just(Rule::Punctuated)];
    (kind, rule, 0..4i64).prop_flat_map(move |(kind, rule, lateness)| {
        let deletions = if kind == Kind::Stream { 0 } else { 3 };
        let step = prop_oneof![
            6 => row.clone().prop_map(Step::Insert),
            deletions => row.clone().prop_map(Step::Delete),
            1 => (-10..10i64).prop_map(Step::Advance),
        ];
        let commits = prop::collection::vec(prop::collection::vec(step, 1..6), 1..8);
        commits.prop_map(move |commits| Case { kind, rule, lateness, commits })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn every_commit_does_what_the_rules_say(case in cases()) {
        check(&case);
    }
}
