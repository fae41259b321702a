//! `COPY`: files into tables and tables into files.
//!
//! A file is read in batches, so it need not fit into memory unless all of it is to be one commit. With `rows_per_commit` an error leaves the commits before
//! it in place, and says how many rows they have; within a commit it is all or nothing.

mod read;
mod write;

use std::collections::VecDeque;
use std::sync::Arc;

use arrow::array::RecordBatch;
use deltic_sql::{Copy, CopyDirection, CopySource, Name, RelationKind, plan_query};
use deltic_zset::ZBatch;

use super::presentation::{copies, sorted};
use super::query::{read_relation, run};
use crate::error::{Error, Result, code};
use crate::outcome::Outcome;
use crate::session::Session;
use crate::source::Source;
use crate::time::LateNotice;
use crate::transaction::{Pending, Receipt};
use read::FileReader;

/// Commits under way at once while a file is read.
const PIPELINED_COMMITS: usize = 8;

pub(crate) fn copy(session: &mut Session, copy: &Copy) -> Result<Outcome> {
    let rows = match copy.direction {
        CopyDirection::From => return copy_from(session, copy),
        CopyDirection::To => copy_to(session, copy)?,
    };
    Ok(Outcome::Changed { command: "COPY", rows, epoch: None, notices: Vec::new() })
}

/// What concerns the file of `copy`.
fn file_error(copy: &Copy, problem: impl std::fmt::Display) -> Error {
    Error::new(code::FILE, format!("{}: {problem}", copy.path)).at(copy.position.line, copy.position.column)
}

fn copy_to(session: &Session, copy: &Copy) -> Result<u64> {
    let names = session.database.names();
    let rows = match &copy.source {
        CopySource::Query(query) => run(session, &plan_query(&names.catalog, query, &|| session.database.now())?)?,
        CopySource::Relation(name) => {
            let relation = names.catalog.resolve(name)?;
            match (&relation.kind, &relation.query) {
                (RelationKind::View, Some(query)) => {
                    run(session, &plan_query(&names.catalog, query, &|| session.database.now())?)?
                }
                _ => {
                    let rows = read_relation(&session.database, session.transaction.as_ref(), &relation.name)?;
                    copies(&sorted(rows, &relation.order)?)?
                }
            }
        }
    };
    let rows = project(rows, &copy.columns)?;
    write::write(copy, &rows.to_record_batch()?).map_err(|error| file_error(copy, error.message()))?;
    Ok(rows.len() as u64)
}

fn project(rows: ZBatch, columns: &[Name]) -> Result<ZBatch> {
    if columns.is_empty() {
        return Ok(rows);
    }
    let schema = rows.schema().clone();
    let indices = columns.iter().map(|name| {
        let index = schema.index_of(&name.value);
        index.map_err(|_| unknown_column(name))
    });
    let indices: Vec<usize> = indices.collect::<Result<_>>()?;
    let schema = Arc::new(schema.project(&indices)?);
    Ok(rows.project(&indices, schema))
}

fn unknown_column(name: &Name) -> Error {
    Error::new(code::SHAPE, format!("there is no column '{}'", name.value)).at(name.position.line, name.position.column)
}

fn copy_from(session: &mut Session, copy: &Copy) -> Result<Outcome> {
    let CopySource::Relation(name) = &copy.source else {
        return Err(Error::usage("COPY .. FROM fills a table or stream, not a query"));
    };
    let names = session.database.names();
    let relation = names.catalog.resolve(name)?;
    let source = names.sources.get(&relation.name).filter(|_| relation.kind != RelationKind::LateRows);
    let source = source.ok_or_else(|| {
        let message = format!("'{}' is a {}; COPY .. FROM needs a table or stream", relation.name, relation.kind.as_str());
        Error::new(code::RELATION, message)
    })?;
    if session.transaction.is_some() && copy.rows_per_commit.is_some() {
        return Err(Error::new(
            code::TRANSACTION,
            "COPY with rows_per_commit commits by itself, so it cannot be part of a transaction",
        )
        .with_hint("leave rows_per_commit out"));
    }
    let mut load = Load {
        session,
        copy,
        source,
        batches: Vec::new(),
        rows: 0,
        pending: VecDeque::new(),
        committed: 0,
        epoch: None,
        notices: Vec::new(),
    };
    let result = load.run();
    let drained = load.settle(0);
    let Load { committed, epoch, notices, .. } = load;
    match result.and(drained) {
        Ok(()) => Ok(Outcome::Changed { command: "COPY", rows: committed, epoch, notices }),
        Err(error) if copy.rows_per_commit.is_some() => {
            Err(error.with_hint(format!("{committed} rows were committed before the error")))
        }
        Err(error) => Err(error.with_hint("nothing was committed")),
    }
}

/// A file on its way into a source.
struct Load<'a> {
    session: &'a mut Session,
    copy: &'a Copy,
    source: &'a Arc<Source>,
    /// Rows of the next commit.
    batches: Vec<RecordBatch>,
    rows: usize,
    /// Commits under way, with their rows.
    pending: VecDeque<(u64, Pending)>,
    committed: u64,
    epoch: Option<u64>,
    /// What was not accepted, over all commits.
    notices: Vec<LateNotice>,
}

impl Load<'_> {
    fn run(&mut self) -> Result<()> {
        let mut reader = FileReader::open(self.copy, self.source)?;
        let per_commit = self.copy.rows_per_commit.unwrap_or(usize::MAX).max(1);
        while let Some(mut batch) = reader.next()? {
            while self.rows + batch.num_rows() >= per_commit {
                let fits = per_commit - self.rows;
                self.add(batch.slice(0, fits));
                batch = batch.slice(fits, batch.num_rows() - fits);
                self.submit()?;
            }
            self.add(batch);
        }
        self.submit()
    }

    fn add(&mut self, batch: RecordBatch) {
        self.rows += batch.num_rows();
        self.batches.push(batch);
    }

    /// Commits the collected rows, or adds them to the open transaction.
    fn submit(&mut self) -> Result<()> {
        let rows = std::mem::take(&mut self.rows) as u64;
        let batches = std::mem::take(&mut self.batches);
        if rows == 0 {
            return Ok(());
        }
        let database = self.session.database.clone();
        let mut own = None;
        let transaction = match &mut self.session.transaction {
            Some(open) => open,
            None => own.insert(database.begin()),
        };
        for batch in batches {
            let rows = ZBatch::from_record_batch(&batch).with_schema(self.source.schema.clone());
            transaction.change(self.source.clone(), rows)?;
        }
        match own {
            None => self.committed += rows,
            Some(mut own) => {
                self.pending.push_back((rows, own.submit()?));
                self.settle(PIPELINED_COMMITS)?;
            }
        }
        Ok(())
    }

    /// Waits until at most `under_way` commits are under way.
    fn settle(&mut self, under_way: usize) -> Result<()> {
        let mut result = Ok(());
        while self.pending.len() > under_way
            && let Some((rows, pending)) = self.pending.pop_front()
        {
            match pending.receipt() {
                Ok(Receipt { epoch, notices }) => {
                    self.epoch = Some(epoch);
                    self.committed += rows;
                    LateNotice::collect(&mut self.notices, notices);
                }
                Err(error) => result = result.and(Err(error)),
            }
        }
        result
    }
}
