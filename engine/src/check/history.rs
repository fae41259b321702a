//! Histories: what happens to tables, watermarks and the clock, step by step, and when each view is created.
//!
//! A history is plain data, so that it can be replayed, cut down ([`shrink`](super::shrink)) and printed.

use std::collections::HashMap;

use arrow::datatypes::SchemaRef;
use datafusion_common::ScalarValue;
use deltic_sql::EventTimeDefinition;
use deltic_zset::ZBatch;

use super::Setup;
use super::model::{Effect, Model};
use super::times::advance_literal;
use super::values::sql_literal;

/// One row, by column.
pub(super) type Row = Vec<ScalarValue>;

/// A table or stream of the file under check.
#[derive(Clone, Debug)]
pub(super) struct InputRelation {
    /// Name in the catalog.
    pub(super) name: String,
    /// Columns.
    pub(super) schema: SchemaRef,
    /// Columns of the primary key.
    pub(super) primary_key: Option<Vec<usize>>,
    /// Whether it is a stream: insert-only, not kept.
    pub(super) stream: bool,
    /// The declared type of each column, for printing literals.
    pub(super) type_names: Vec<String>,
    /// Its event time.
    pub(super) event_time: Option<EventTimeDefinition>,
    /// Name and columns of the relation of its late rows.
    pub(super) late: Option<(String, SchemaRef)>,
}

/// One changed row.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Change {
    /// Index into the relations.
    pub(super) relation: usize,
    /// Insertion, or deletion of one copy.
    pub(super) insert: bool,
    /// The row.
    pub(super) row: Row,
}

/// One epoch: a commit, or a move of the clock.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Step {
    /// Rows that come and go.
    pub(super) changes: Vec<Change>,
    /// Explicit watermarks: index into the relations, and the time.
    pub(super) watermarks: Vec<(usize, i64)>,
    /// Microseconds by which the clock moves; then there are no changes.
    pub(super) clock: i64,
}

/// What happens, in order.
#[derive(Clone, Debug)]
pub(super) struct History {
    pub(super) steps: Vec<Step>,
    /// For each view, the step before which it is created; the number of steps means after all of them.
    pub(super) created_before: Vec<usize>,
    /// Workers to run with.
    pub(super) workers: usize,
}

/// The rows as a batch of weight-one rows.
pub(super) fn rows_to_batch(schema: &SchemaRef, rows: &[Row]) -> crate::Result<ZBatch> {
    if rows.is_empty() {
        return Ok(ZBatch::empty(schema.clone()));
    }
    let columns = (0..schema.fields().len())
        .map(|column| ScalarValue::iter_to_array(rows.iter().map(|row| row[column].clone())))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| crate::Error::internal(format!("check: rows do not fit their schema: {error}")))?;
    let columns = columns.iter().map(deltic_zset::types::canonicalize).collect::<Result<Vec<_>, _>>()?;
    Ok(ZBatch::try_new(schema.clone(), columns, None, rows.len())?)
}

/// Rows of a batch with their weights, for comparison and printing.
pub(super) fn weighted_rows(batch: &ZBatch) -> HashMap<Row, i64> {
    let mut rows = HashMap::new();
    for index in 0..batch.len() {
        let row: Row = batch.columns().iter().filter_map(|column| ScalarValue::try_from_array(column, index).ok()).collect();
        *rows.entry(row).or_insert(0) += batch.weight(index);
    }
    rows.retain(|_, weight| *weight != 0);
    rows
}

impl Step {
    /// The number of things that happen.
    pub(super) fn len(&self) -> usize {
        self.changes.len() + self.watermarks.len() + usize::from(self.clock != 0)
    }

    /// Keeps those of the things that happen, in their order, for which `keep` is true.
    pub(super) fn retain(&mut self, mut keep: impl FnMut() -> bool) {
        self.changes.retain(|_| keep());
        self.watermarks.retain(|_| keep());
        if self.clock != 0 && !keep() {
            self.clock = 0;
        }
    }
}

impl History {
    /// The same history without what cannot happen (after other things were taken out): deletions of rows that are not there, watermarks that go back,
    /// steps in which nothing happens.
    pub(super) fn normalized(mut self, setup: &Setup) -> Self {
        let relations = &setup.relations;
        let mut model = Model::new(relations);
        for (index, step) in self.steps.iter_mut().enumerate() {
            for view in created_at(&self.created_before, setup, index) {
                model.add_view(relations, &setup.views[view].groups);
            }
            step.watermarks.retain(|(relation, to)| Some(*to) >= model.sources[*relation].watermark);
            step.changes.retain(|change| model.apply(relations, change) != Effect::Impossible);
            model.end(relations, step);
        }
        let mut kept = Vec::with_capacity(self.steps.len());
        let mut position = vec![0; self.steps.len() + 1];
        for (index, step) in self.steps.iter().enumerate() {
            position[index] = kept.len();
            if step.len() > 0 {
                kept.push(step.clone());
            }
        }
        position[self.steps.len()] = kept.len();
        for created in &mut self.created_before {
            *created = position[*created];
        }
        self.steps = kept;
        self
    }

    /// The number of things that happen.
    pub(super) fn len(&self) -> usize {
        self.steps.iter().map(Step::len).sum()
    }

    /// The history as SQL: data before, between and after the definitions of the views, as it was run. `definitions` are those of the views that are
    /// created, by their index.
    pub(super) fn to_sql(&self, setup: &Setup, definitions: &[(usize, String)]) -> String {
        let relations = &setup.relations;
        let mut sql = String::new();
        if self.steps.iter().any(|step| step.clock != 0) || setup.is_clocked() {
            sql.push_str("-- deltic run --clock manual\n");
        }
        let mut model = Model::new(relations);
        for statement in &setup.ddl {
            sql.push_str(statement.trim().trim_end_matches(';'));
            sql.push_str(";\n");
        }
        for index in 0..=self.steps.len() {
            for (view, definition) in definitions.iter().filter(|(view, _)| self.created_before[*view] == index) {
                sql.push_str(definition.trim().trim_end_matches(';'));
                sql.push_str(";\n");
                model.add_view(relations, &setup.views[*view].groups);
            }
            if let Some(step) = self.steps.get(index) {
                step.write_sql(relations, &mut model, &mut sql);
            }
        }
        sql
    }
}

/// The selected views that are created before step `index`.
pub(super) fn created_at<'a>(created_before: &'a [usize], setup: &'a Setup, index: usize) -> impl Iterator<Item = usize> + 'a {
    (0..setup.views.len()).filter(move |&view| setup.selected[view] && created_before[view] == index)
}

impl Step {
    fn write_sql(&self, relations: &[InputRelation], model: &mut Model, sql: &mut String) {
        if self.clock != 0 {
            sql.push_str(&format!("ADVANCE CLOCK BY INTERVAL '{} microseconds';\n", self.clock));
        } else {
            sql.push_str("BEGIN;\n");
            for change in &self.changes {
                let rows = &model.sources[change.relation].rows;
                let copies = rows.iter().filter(|row| **row == change.row).count();
                sql.push_str(&change_sql(&relations[change.relation], change, copies));
                model.apply(relations, change);
            }
            for (relation, to) in &self.watermarks {
                let relation = &relations[*relation];
                let column = relation.event_time.as_ref().map_or(0, |definition| definition.column);
                let time = advance_literal(relation.schema.field(column).data_type(), *to);
                sql.push_str(&format!("ADVANCE WATERMARK {} TO {time};\n", quoted(&relation.name)));
            }
            sql.push_str("COMMIT;\n");
        }
        model.end(relations, self);
    }
}

/// `copies`: how often the row is in the table before. DELETE removes all of them, so that the others are put back.
fn change_sql(relation: &InputRelation, change: &Change, copies: usize) -> String {
    let literals: Vec<String> =
        change.row.iter().zip(&relation.type_names).map(|(value, name)| sql_literal(value, name)).collect();
    let name = quoted(&relation.name);
    let insert = format!("INSERT INTO {name} VALUES ({});\n", literals.join(", "));
    if change.insert {
        return insert;
    }
    let conditions: Vec<String> = relation
        .schema
        .fields()
        .iter()
        .zip(&literals)
        .map(|(field, literal)| match literal.as_str() {
            "NULL" => format!("{} IS NULL", quoted(field.name())),
            literal => format!("{} = {literal}", quoted(field.name())),
        })
        .collect();
    let delete = format!("DELETE FROM {name} WHERE {};\n", conditions.join(" AND "));
    delete + &insert.repeat(copies.saturating_sub(1))
}

/// The identifier as SQL, quoted only if it must be.
pub(super) fn quoted(name: &str) -> String {
    let plain = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        && !name.starts_with(|c: char| c.is_ascii_digit());
    if plain { name.to_string() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}
