//! Histories: what happens to the tables, commit by commit, and when each view is created.
//!
//! A history is plain data, so that it can be replayed, cut down and printed. The model of a table here is a list of
//! rows: the simplest thing that says which deletions are valid and what a table holds after each commit.

use std::collections::HashMap;

use arrow::datatypes::{DataType, SchemaRef};
use datafusion_common::ScalarValue;
use deltic_zset::ZBatch;
use rand::Rng;
use rand::rngs::StdRng;

use super::values::{Profile, pick, random_value, sql_literal};

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

/// What happens, in order.
#[derive(Clone, Debug)]
pub(super) struct History {
    /// The changes of each commit.
    pub(super) commits: Vec<Vec<Change>>,
    /// For each view, the commit before which it is created; the number of commits means after all of them.
    pub(super) created_before: Vec<usize>,
    /// Workers to run with.
    pub(super) workers: usize,
}

/// The rows of all relations, maintained change by change.
#[derive(Clone, Debug)]
pub(super) struct Model {
    rows: Vec<Vec<Row>>,
}

impl Model {
    pub(super) fn new(relations: &[InputRelation]) -> Self {
        Model { rows: vec![Vec::new(); relations.len()] }
    }

    /// Applies a change; `false` (and nothing done) for the deletion of a row that is not there.
    pub(super) fn apply(&mut self, relations: &[InputRelation], change: &Change) -> bool {
        let rows = &mut self.rows[change.relation];
        if !change.insert {
            let Some(position) = rows.iter().position(|row| *row == change.row) else { return false };
            rows.swap_remove(position);
            return true;
        }
        if let Some(key) = &relations[change.relation].primary_key {
            rows.retain(|row| !key.iter().all(|&column| row[column] == change.row[column]));
        }
        rows.push(change.row.clone());
        true
    }

    /// The rows of relation `index`, leaving out the first `skip` (of a stream: what came before a view).
    pub(super) fn contents(&self, relations: &[InputRelation], index: usize, skip: usize) -> crate::Result<ZBatch> {
        rows_to_batch(&relations[index].schema, &self.rows[index][skip..])
    }

    /// The number of rows of relation `index`.
    pub(super) fn len(&self, index: usize) -> usize {
        self.rows[index].len()
    }
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

/// A random history for `views` views over `relations`.
pub(super) fn generate(rng: &mut StdRng, relations: &[InputRelation], views: usize, max_workers: usize) -> History {
    let profile = Profile::random(rng);
    let total = *pick(rng, &[3usize, 10, 30, 80]);
    let mean_commit = *pick(rng, &[1usize, 3, 10, 40]);
    let mut model = Model::new(relations);
    let mut commits = Vec::new();
    let mut left = total;
    while left > 0 && !relations.is_empty() {
        let size = rng.random_range(1..=mean_commit * 2).min(left);
        left -= size;
        commits.push(generate_commit(rng, relations, &profile, &mut model, size));
    }
    let created_before = (0..views)
        .scan(0, |least, _| {
            // A view may read the ones before it, so it is created no earlier than they are.
            *least = match rng.random_range(0..4u8) {
                0 | 1 => *least,
                2 => rng.random_range(*least..=commits.len()),
                _ => (*least).max(commits.len() / 2),
            };
            Some(*least)
        })
        .collect();
    History { commits, created_before, workers: rng.random_range(1..=max_workers.max(1)) }
}

fn generate_commit(
    rng: &mut StdRng,
    relations: &[InputRelation],
    profile: &Profile,
    model: &mut Model,
    size: usize,
) -> Vec<Change> {
    let mut changes = Vec::new();
    while changes.len() < size {
        let relation = rng.random_range(0..relations.len());
        let present = model.len(relation);
        let kind = rng.random_range(0..10u8);
        if relations[relation].stream || present == 0 || kind < 5 {
            push(
                relations,
                model,
                &mut changes,
                Change { relation, insert: true, row: random_row(rng, relations, relation, profile) },
            );
            continue;
        }
        let old = model.rows[relation][rng.random_range(0..present)].clone();
        let copy = Change { relation, insert: true, row: old.clone() };
        let removal = Change { relation, insert: false, row: old.clone() };
        match kind {
            5 => push(relations, model, &mut changes, copy),
            6 | 7 => push(relations, model, &mut changes, removal),
            8 => {
                // An update: one column changes.
                let mut row = old;
                let column = rng.random_range(0..row.len());
                row[column] = random_row(rng, relations, relation, profile)[column].clone();
                push(relations, model, &mut changes, removal);
                push(relations, model, &mut changes, Change { relation, insert: true, row });
            }
            _ => {
                // Noise that cancels within the commit.
                push(relations, model, &mut changes, removal);
                push(relations, model, &mut changes, copy);
            }
        }
    }
    changes
}

fn push(relations: &[InputRelation], model: &mut Model, changes: &mut Vec<Change>, change: Change) {
    if model.apply(relations, &change) {
        changes.push(change);
    }
}

fn random_row(rng: &mut StdRng, relations: &[InputRelation], relation: usize, profile: &Profile) -> Row {
    let relation = &relations[relation];
    relation
        .schema
        .fields()
        .iter()
        .map(|field| random_value(rng, field.data_type(), field.is_nullable(), profile))
        .map(canonical)
        .collect()
}

/// The canonical form of a value: what a table would hold.
fn canonical(value: ScalarValue) -> ScalarValue {
    match value {
        ScalarValue::Float64(Some(value)) if value.is_nan() => ScalarValue::Float64(Some(f64::NAN)),
        ScalarValue::Float64(Some(value)) => ScalarValue::Float64(Some(value + 0.0)),
        ScalarValue::Float32(Some(value)) if value.is_nan() => ScalarValue::Float32(Some(f32::NAN)),
        ScalarValue::Float32(Some(value)) => ScalarValue::Float32(Some(value + 0.0)),
        other => other,
    }
}

impl History {
    /// The same history without the changes that are no longer valid (after others were taken out).
    pub(super) fn normalized(mut self, relations: &[InputRelation]) -> Self {
        let mut model = Model::new(relations);
        for commit in &mut self.commits {
            commit.retain(|change| model.apply(relations, change));
        }
        let mut kept = Vec::with_capacity(self.commits.len());
        let mut position = vec![0; self.commits.len() + 1];
        for (index, commit) in self.commits.iter().enumerate() {
            position[index] = kept.len();
            if !commit.is_empty() {
                kept.push(commit.clone());
            }
        }
        position[self.commits.len()] = kept.len();
        for created in &mut self.created_before {
            *created = position[*created];
        }
        self.commits = kept;
        self
    }

    /// The number of changes.
    pub(super) fn len(&self) -> usize {
        self.commits.iter().map(Vec::len).sum()
    }

    /// The history as SQL: data before, between and after the definitions of the views, as it was run.
    pub(super) fn to_sql(&self, relations: &[InputRelation], ddl: &[String], views: &[String]) -> String {
        let mut sql = String::new();
        let mut model = Model::new(relations);
        for statement in ddl {
            sql.push_str(statement.trim().trim_end_matches(';'));
            sql.push_str(";\n");
        }
        for commit in 0..=self.commits.len() {
            for (view, _) in views.iter().zip(&self.created_before).filter(|(_, created)| **created == commit) {
                sql.push_str(view.trim().trim_end_matches(';'));
                sql.push_str(";\n");
            }
            if let Some(changes) = self.commits.get(commit) {
                sql.push_str("BEGIN;\n");
                for change in changes {
                    let copies = model.rows[change.relation].iter().filter(|row| **row == change.row).count();
                    sql.push_str(&change_sql(&relations[change.relation], change, copies));
                    model.apply(relations, change);
                }
                sql.push_str("COMMIT;\n");
            }
        }
        sql
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

/// The SQL name of a canonical type, for the literals of columns whose declaration is not at hand.
pub(super) fn type_name(data_type: &DataType) -> String {
    match data_type {
        DataType::Boolean => "BOOLEAN".into(),
        DataType::Int8 => "TINYINT".into(),
        DataType::Int16 => "SMALLINT".into(),
        DataType::Int32 => "INT".into(),
        DataType::Int64 => "BIGINT".into(),
        DataType::UInt8 => "TINYINT UNSIGNED".into(),
        DataType::UInt16 => "SMALLINT UNSIGNED".into(),
        DataType::UInt32 => "INT UNSIGNED".into(),
        DataType::UInt64 => "BIGINT UNSIGNED".into(),
        DataType::Float32 => "REAL".into(),
        DataType::Float64 => "DOUBLE".into(),
        DataType::Decimal128(precision, scale) => format!("DECIMAL({precision}, {scale})"),
        DataType::Utf8 => "VARCHAR".into(),
        DataType::Binary => "BYTEA".into(),
        DataType::Date32 => "DATE".into(),
        DataType::Time64(_) => "TIME".into(),
        DataType::Timestamp(_, None) => "TIMESTAMP".into(),
        DataType::Timestamp(_, Some(_)) => "TIMESTAMPTZ".into(),
        DataType::Interval(_) => "INTERVAL".into(),
        other => other.to_string(),
    }
}
