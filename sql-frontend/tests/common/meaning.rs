//! What a planned circuit computes, as the interpreter has it, over tables written as SQL.

#![allow(dead_code, reason = "each test uses a part")]

use std::collections::HashMap;

use deltic_circuit::{Circuit, EpochInfo, interpreter, render_row};
use deltic_sql::{Catalog, Statement, parse, plan_insert};
use deltic_zset::ZBatch;

/// The rows that `INSERT INTO relation VALUES values` would add.
pub(crate) fn values(catalog: &Catalog, relation: &str, values: &str) -> ZBatch {
    let sql = format!("INSERT INTO {relation} VALUES {values}");
    let Statement::Insert(insert) = parse(&sql).unwrap().remove(0).statement else { panic!("{sql}") };
    let circuit = plan_insert(catalog, &insert, &|| 0).unwrap_or_else(|error| panic!("{sql}: {error}"));
    let rows = interpreter::evaluate(&circuit, &HashMap::new()).unwrap();
    assert!(rows.errors.is_empty(), "{sql}");
    rows.rows.with_schema(catalog.relation(relation).unwrap().schema.clone())
}

/// The rows of `circuit` over `tables` (relation, VALUES) with the time of `info`, sorted, copies repeated, then its errors.
pub(crate) fn rows_at(catalog: &Catalog, circuit: &Circuit, tables: &[(&str, &str)], info: &EpochInfo) -> Vec<String> {
    let mut sources: HashMap<String, ZBatch> = HashMap::new();
    for name in circuit.sources() {
        sources.insert(name.to_string(), ZBatch::empty(catalog.relation(name).unwrap().schema.clone()));
    }
    for (name, rows) in tables {
        sources.insert(name.to_string(), values(catalog, name, rows));
    }
    let result = interpreter::evaluate_at(circuit, &sources, info).unwrap();
    let mut rows = shown(&result.rows);
    rows.extend(shown(&result.errors).into_iter().map(|error| format!("error {error}")));
    rows
}

/// [`rows_at`] without watermarks, at 1970-01-01.
pub(crate) fn rows(catalog: &Catalog, circuit: &Circuit, tables: &[(&str, &str)]) -> Vec<String> {
    rows_at(catalog, circuit, tables, &EpochInfo::default())
}

/// The rows as text. Times of day are enough: tests are about 1970-01-01.
fn shown(batch: &ZBatch) -> Vec<String> {
    let text = |row| render_row(batch, row).replace("1970-01-01 ", "").replace("1970-01-01T", "").replace(['\'', '(', ')'], "");
    let mut rows: Vec<String> =
        (0..batch.len()).flat_map(|row| vec![text(row); usize::try_from(batch.weight(row)).unwrap()]).collect();
    rows.sort();
    rows
}
