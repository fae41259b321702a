//! `INSERT`, `UPDATE`, `DELETE`, `TRUNCATE`: a query for the rows, and a commit of the difference.
//!
//! An update or delete outside of a transaction reads, computes, and commits; if another commit took one of its rows in between, the commit is
//! refused, and the statement runs again on the newer rows. So it behaves as if it were alone.

use std::sync::Arc;

use deltic_circuit::Circuit;
use deltic_sql::{Delete, Insert, Name, Update, plan_delete, plan_insert, plan_update};
use deltic_zset::ZBatch;

use super::query::{evaluate, read_relation};
use crate::error::{Error, Result, code};
use crate::names::Names;
use crate::outcome::Outcome;
use crate::session::Session;
use crate::shape;
use crate::source::Source;
use crate::transaction::{Pending, Receipt, Transaction};

/// How often a statement runs again because of other commits.
const ATTEMPTS: usize = 100;

pub(crate) fn insert(session: &mut Session, insert: &Insert) -> Result<Outcome> {
    change(session, "INSERT", &insert.table, |session, names, source, transaction| {
        let circuit = plan_insert(&names.catalog, insert, &|| session.database.now())?;
        let rows = evaluate_in(session, &circuit, transaction)?.with_schema(source.schema.clone());
        shape::check(source, &rows)?;
        let count = copies(&rows);
        transaction.change(source.clone(), rows)?;
        Ok(count)
    })
}

pub(crate) fn update(session: &mut Session, update: &Update) -> Result<Outcome> {
    change(session, "UPDATE", &update.table, |session, names, source, transaction| {
        let circuit = plan_update(&names.catalog, update, &|| session.database.now())?;
        let rows = evaluate_in(session, &circuit, transaction)?;
        let width = source.schema.fields().len();
        let half = |from: usize| rows.project(&(from..from + width).collect::<Vec<_>>(), source.schema.clone());
        let (old, new) = (half(0), half(width));
        shape::check(source, &new)?;
        transaction.replace(source.clone(), &old, new)?;
        Ok(copies(&rows))
    })
}

pub(crate) fn delete(session: &mut Session, delete: &Delete) -> Result<Outcome> {
    change(session, "DELETE", &delete.table, |session, names, source, transaction| {
        let circuit = plan_delete(&names.catalog, delete, &|| session.database.now())?;
        let rows = evaluate_in(session, &circuit, transaction)?.with_schema(source.schema.clone());
        transaction.change(source.clone(), rows.negate()?)?;
        Ok(copies(&rows))
    })
}

pub(crate) fn truncate(session: &mut Session, table: &Name) -> Result<Outcome> {
    change(session, "TRUNCATE", table, |session, _, source, transaction| {
        if source.is_stream() {
            return Err(Error::new(code::APPEND_ONLY, format!("'{}' is a stream: it keeps no rows to delete", source.name)));
        }
        let rows = read_relation(&session.database, Some(transaction), &source.name)?;
        transaction.change(source.clone(), rows.negate()?)?;
        Ok(copies(&rows))
    })
}

/// Runs `body`, which adds changes of `table` to a transaction and says how many rows: the session's, or one of its own that is committed.
fn change(
    session: &mut Session,
    command: &'static str,
    table: &Name,
    mut body: impl FnMut(&Session, &Names, &Arc<Source>, &mut Transaction) -> Result<u64>,
) -> Result<Outcome> {
    let mut open = session.transaction.take();
    let mut attempt = |transaction: &mut Transaction| {
        let names = session.database.names();
        let relation = names.catalog.resolve(table)?;
        let source = names.sources.get(&relation.name).ok_or_else(|| not_a_source(&relation.name, command))?;
        body(session, &names, source, transaction)
    };
    if let Some(transaction) = &mut open {
        let rows = attempt(transaction);
        session.transaction = open;
        return Ok(Outcome::Changed { command, rows: rows?, epoch: None, notices: Vec::new() });
    }
    for _ in 0..ATTEMPTS {
        let mut transaction = session.database.begin();
        let rows = attempt(&mut transaction)?;
        if transaction.is_empty() {
            return Ok(Outcome::Changed { command, rows, epoch: None, notices: Vec::new() });
        }
        match transaction.submit().and_then(Pending::receipt) {
            Ok(Receipt { epoch, notices }) => return Ok(Outcome::Changed { command, rows, epoch: Some(epoch), notices }),
            Err(error) if error.code() == code::MISSING_ROW => {}
            Err(error) => return Err(error),
        }
    }
    let message = format!("{command} of '{}' was overtaken {ATTEMPTS} times by commits that changed the same rows", table.value);
    Err(Error::new(code::CONFLICT, message).with_hint("try again"))
}

fn not_a_source(name: &str, command: &str) -> Error {
    Error::new(code::RELATION, format!("'{name}' is a view; {command} needs a table")).with_hint("change the tables below it")
}

/// The rows of `circuit`, over the changes that `transaction` has so far.
fn evaluate_in(session: &Session, circuit: &Circuit, transaction: &Transaction) -> Result<ZBatch> {
    evaluate(&session.database, Some(transaction), circuit)
}

fn copies(rows: &ZBatch) -> u64 {
    (0..rows.len()).map(|row| rows.weight(row).unsigned_abs()).sum()
}
