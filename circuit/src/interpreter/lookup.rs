//! Temporal lookups: what was shown for each left row, epoch by epoch.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{Field, Schema};

use super::join::{agree, matches};
use super::relation::{Relation, Row, identity};
use crate::{CircuitError, Node, Operator};

/// What a lookup has shown so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Shown {
    /// By left row.
    rows: HashMap<Row, Copies>,
}

/// The copies of a left row.
#[derive(Clone, Debug)]
struct Copies {
    row: Row,
    /// The right row of their key when they came, and how many they are; those that came last are the last.
    beside: Vec<(Option<Row>, i64)>,
}

impl Shown {
    /// The output after an epoch in which the inputs have become `left` and `right`.
    pub(super) fn follow(
        &mut self,
        node: &Node,
        left: &Relation,
        right: &Relation,
        errors: &mut Relation,
    ) -> Result<Relation, CircuitError> {
        let Operator::TemporalLookup { kind, keys, residual } = &node.operator else {
            return Ok(Relation::new(node.schema.clone()));
        };
        let now: HashMap<Row, i64> = left.iter().map(|(row, weight)| (identity(row), weight)).collect();
        for (identity, copies) in &mut self.rows {
            copies.keep(now.get(identity).copied().unwrap_or(0));
        }
        for (row, weight) in left.iter() {
            let copies = self.rows.entry(identity(row)).or_insert_with(|| Copies { row: row.clone(), beside: Vec::new() });
            let more = weight - copies.count();
            if more > 0 {
                let found = right.iter().find(|(right, _)| keys.iter().all(|key| agree(key, row, right)));
                copies.beside.push((found.map(|(right, _)| right.clone()), more));
            }
        }
        self.rows.retain(|_, copies| !copies.beside.is_empty());
        let fields = left.schema.fields().iter().chain(right.schema.fields());
        let fields: Vec<Field> = fields.map(|field| field.as_ref().clone().with_nullable(true)).collect();
        let both = Arc::new(Schema::new(fields));
        let mut shown = Relation::new(node.schema.clone());
        for copies in self.rows.values() {
            for (found, weight) in &copies.beside {
                // One version of a left row at a time: whether a row has a match is asked of it alone.
                let single = Relation::weighted(left.schema.clone(), copies.row.clone(), *weight)?;
                let mut candidates = Relation::new(both.clone());
                if let Some(found) = found {
                    candidates.add(copies.row.iter().chain(found).cloned().collect(), *weight)?;
                }
                let part = matches(candidates, (*kind).into(), residual.as_ref(), &single, right, node.schema.clone(), errors)?;
                shown.add_all(&part)?;
            }
        }
        Ok(shown)
    }
}

impl Copies {
    fn count(&self) -> i64 {
        self.beside.iter().map(|(_, copies)| copies).sum()
    }

    /// Takes copies away, the last ones first, until no more than `most` are left.
    fn keep(&mut self, most: i64) {
        let mut surplus = self.count() - most;
        while surplus > 0
            && let Some((_, copies)) = self.beside.last_mut()
        {
            let taken = surplus.min(*copies);
            (*copies, surplus) = (*copies - taken, surplus - taken);
            if *copies == 0 {
                self.beside.pop();
            }
        }
    }
}
