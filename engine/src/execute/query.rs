//! Queries: the same circuits as views, run for one epoch over a consistent snapshot, in the caller's thread.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use deltic_circuit::{BinaryOp, Circuit, Expr, NodeId, Operator};
use deltic_operators::run_once;
use deltic_sql::{Name, PlannedQuery, Query, plan_query};
use deltic_zset::ZBatch;

use super::presentation::{copies, sorted};
use crate::Database;
use crate::contents::ContentsSnapshot;
use crate::coordinator::Request;
use crate::error::{Error, Result};
use crate::outcome::{Outcome, Rows};
use crate::session::Session;
use crate::transaction::Transaction;

/// Runs a query and returns its rows in the order it asks for.
pub(crate) fn query(session: &Session, query: &Query) -> Result<Rows> {
    let planned = plan_query(&session.database.names().catalog, query, &|| session.database.now())?;
    let rows = run(session, &planned)?;
    Ok(Rows { schema: rows.schema().clone(), batches: vec![rows.to_record_batch()?] })
}

/// The rows of a planned query as the user sees them: copies spelled out, in order, without the columns that are there for the order only.
pub(crate) fn run(session: &Session, planned: &PlannedQuery) -> Result<ZBatch> {
    let rows = evaluate(&session.database, session.transaction.as_ref(), &planned.circuit)?;
    let rows = copies(&sorted(rows, &planned.order)?)?;
    let shown: Vec<usize> = (0..rows.columns().len() - planned.hidden).collect();
    let schema = Arc::new(rows.schema().project(&shown)?);
    Ok(rows.project(&shown, schema))
}

/// The rows of `circuit` over the last complete epoch, with the changes of `transaction` laid over its tables.
///
/// # Errors
/// If a row does not evaluate, or a relation cannot be read.
pub(crate) fn evaluate(database: &Database, transaction: Option<&Transaction>, circuit: &Circuit) -> Result<ZBatch> {
    let mut sources = HashMap::new();
    let mut info = Arc::default();
    let relations: Vec<String> = circuit.sources().into_iter().map(ToOwned::to_owned).collect();
    if circuit.reads_clock() {
        database.catch_up_with_clock()?;
    }
    if !relations.is_empty() || circuit.is_timed() {
        let reading = database.handle().ask(|reply| Request::Read { relations, reply })?;
        info = reading.info;
        for (name, mut contents) in reading.contents {
            if let Some(transaction) = transaction {
                transaction.overlay(&name, &info, &mut contents)?;
            }
            let rows = match wanted_key(circuit, &name, &contents) {
                Some(key) => vec![contents.lookup(&key)?],
                None => contents.batches(),
            };
            sources.insert(name, rows);
        }
    }
    let (rows, errors) = run_once(circuit, sources, info)?;
    first_error(&errors)?;
    Ok(rows)
}

/// The contents of a table or materialized view, with the changes of `transaction` laid over.
///
/// # Errors
/// If it cannot be read.
pub(crate) fn read_relation(database: &Database, transaction: Option<&Transaction>, name: &str) -> Result<ZBatch> {
    let relations = vec![name.to_owned()];
    let mut reading = database.handle().ask(|reply| Request::Read { relations, reply })?;
    let contents = reading.contents.remove(name);
    let mut contents = contents.ok_or_else(|| Error::internal("a read was not answered in full"))?;
    if let Some(transaction) = transaction {
        transaction.overlay(name, &reading.info, &mut contents)?;
    }
    contents.consolidated()
}

/// The error of a query one of whose rows does not evaluate.
fn first_error(errors: &ZBatch) -> Result<()> {
    if errors.is_empty() {
        return Ok(());
    }
    let text = |column: usize| errors.column(column).as_string::<i32>().value(0).to_owned();
    let more = if errors.len() > 1 { format!(" (and {} more rows)", errors.len() - 1) } else { String::new() };
    // A query without FROM computes on a row without columns.
    let row = Some(text(3)).filter(|row| row != "()").map_or_else(String::new, |row| format!(" of row {row}"));
    Err(Error::new(text(0), format!("{} in {}{row}{more}", text(1), text(2))))
}

/// The one key that `circuit` reads of `relation`: if the relation is read once, through a filter that fixes each key column by
/// equality with a constant. The filter still runs; this only spares it the other rows.
fn wanted_key(circuit: &Circuit, relation: &str, contents: &ContentsSnapshot) -> Option<Vec<ArrayRef>> {
    let is_source = |operator: &Operator| matches!(operator, Operator::Source { relation: name } if name == relation);
    let mut sources = circuit.nodes.iter().enumerate().filter(|(_, node)| is_source(&node.operator));
    let (source, _) = sources.next()?;
    if sources.next().is_some() || contents.key().is_empty() {
        return None;
    }
    let mut readers = circuit.nodes.iter().filter(|node| node.inputs.contains(&NodeId(source)));
    let reader = readers.next()?;
    let Operator::MapFilter { predicates, .. } = &reader.operator else { return None };
    if readers.next().is_some() || circuit.output == NodeId(source) {
        return None;
    }
    contents.key().iter().map(|&column| predicates.iter().find_map(|predicate| constant_of(predicate, column))).collect()
}

/// The constant that `predicate` says column `column` equals.
fn constant_of(predicate: &Expr, column: usize) -> Option<ArrayRef> {
    let Expr::Binary { op: BinaryOp::Equal, left, right, .. } = predicate else { return None };
    let (index, data_type, value) = match (&**left, &**right) {
        (Expr::Column { index, data_type }, Expr::Literal(value)) => (index, data_type, value),
        (Expr::Literal(value), Expr::Column { index, data_type }) => (index, data_type, value),
        _ => return None,
    };
    if *index != column || value.is_null() {
        return None;
    }
    let array = value.to_array().ok()?;
    (array.data_type() == data_type && array.null_count() == 0).then_some(array)
}

/// `SUBSCRIBE`: changes from the next epoch on.
pub(crate) fn subscribe(database: &Database, relations: &[Name]) -> Result<Outcome> {
    let names = database.names();
    for name in relations {
        names.catalog.resolve(name)?;
    }
    let relations: Vec<&str> = relations.iter().map(|name| name.value.as_str()).collect();
    database.subscribe(&relations).map(Outcome::Subscription)
}
