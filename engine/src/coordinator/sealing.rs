//! Sealing a commit: what it does to each table and stream, decided before it happens.
//!
//! Nothing is changed here, so a commit that is refused halfway leaves no trace.

use std::sync::Arc;

use super::flight::Deltas;
use super::relation::{Kind, Relation, Relations};
use super::{Commit, Coordinator};
use crate::changes::Changes;
use crate::contents::Contents;
use crate::error::{Error, Result, code};
use crate::seal::{Sealing, seal, seal_within};
use crate::source::Source;
use crate::time::{Passing, SourceTime};

/// A sealed commit.
pub(super) struct Sealed {
    /// What it does to tables, streams, and their relations of late rows.
    pub(super) deltas: Deltas,
    /// What it brings for the time.
    pub(super) passing: Passing,
}

impl Coordinator {
    /// What `commit` does, or why it is refused. Nothing is changed.
    pub(super) fn seal(&mut self, commit: &Commit) -> Result<Sealed> {
        for (source, _) in &commit.watermarks {
            known(&mut self.relations, source)?;
        }
        self.timeline.check_explicit(&commit.watermarks)?;
        let mut sealed = Sealed { deltas: Deltas::with_capacity(commit.changes.len()), passing: self.timeline.begin() };
        for changes in &commit.changes {
            let name = &changes.source.name;
            match self.timeline.source(name) {
                None => {
                    let relation = known(&mut self.relations, &changes.source)?;
                    let delta = match &mut relation.kind {
                        Kind::Table(table) => seal(&changes.source, &changes.batches, || table.contents.folded())?,
                        Kind::Stream { .. } | Kind::View(_) => changes.batches.clone(),
                    };
                    sealed.deltas.push((name.clone(), delta));
                }
                Some(time) => seal_timed(&mut self.relations, time, changes, self.sealed + 1, &mut sealed)?,
            }
        }
        Ok(sealed)
    }
}

/// The relation of `source`, unless it is gone (even if another one has its name).
fn known<'a>(relations: &'a mut Relations, source: &Arc<Source>) -> Result<&'a mut Relation> {
    let relation = relations.get_mut(&source.name);
    relation
        .filter(|relation| relation.as_source().is_some_and(|known| Arc::ptr_eq(known, source)))
        .ok_or_else(|| Error::new(code::DROPPED, format!("'{}' was dropped while the commit was under way", source.name)))
}

/// Seals the changes of a source with event time: those that it accepts.
fn seal_timed(relations: &mut Relations, time: &SourceTime, changes: &Changes, epoch: u64, sealed: &mut Sealed) -> Result<()> {
    let source = &changes.source;
    let relation = known(relations, source)?;
    let limits = time.limits(sealed.passing.now);
    let mut judged = limits.judge(changes)?;
    let delta = match &mut relation.kind {
        Kind::Stream { .. } | Kind::View(_) => judged.accepted.batches.clone(),
        Kind::Table(table) => {
            let contents: &mut Contents = &mut table.contents;
            match seal_within(source, &judged.accepted.batches, Some(&limits), || contents.folded())? {
                Sealing::Delta(delta) => delta,
                Sealing::Held(held) => {
                    judged.refuse_held(&held)?;
                    seal(source, &judged.accepted.batches, || contents.folded())?
                }
            }
        }
    };
    let late = source.relation.late_rows();
    let late = late.and_then(|name| relations.get(name.as_str())).map(|late| (late.name.clone(), late.schema().clone()));
    let schema = late.as_ref().map(|(_, schema)| (schema, epoch));
    let late_rows = sealed.passing.note(time, &source.name, &judged, schema)?;
    sealed.deltas.push((source.name.clone(), delta));
    if let Some((name, _)) = late.filter(|_| !late_rows.is_empty()) {
        // The same commit may truncate it.
        match sealed.deltas.iter_mut().find(|(other, _)| *other == name) {
            Some((_, delta)) => delta.extend(late_rows),
            None => sealed.deltas.push((name, late_rows)),
        }
    }
    Ok(())
}
