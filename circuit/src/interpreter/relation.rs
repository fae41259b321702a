//! A Z-set as a map from row to weight.

use std::collections::HashMap;

use arrow::array::new_empty_array;
use arrow::datatypes::SchemaRef;
use datafusion_common::ScalarValue;
use deltic_zset::types::interval_nanos;
use deltic_zset::{Error, ZBatch};

use crate::CircuitError;

/// The values of one row.
pub(crate) type Row = Vec<ScalarValue>;

/// What two equal rows agree in: the row, with intervals as durations.
pub(crate) fn identity(row: &[ScalarValue]) -> Row {
    let value = |value: &ScalarValue| match value {
        ScalarValue::IntervalMonthDayNano(Some(interval)) => {
            ScalarValue::Decimal128(Some(interval_nanos(interval.months, interval.days, interval.nanoseconds)), 38, 0)
        }
        other => other.clone(),
    };
    row.iter().map(value).collect()
}

/// Rows with their weights, none of which is 0.
#[derive(Clone, Debug)]
pub(super) struct Relation {
    pub(super) schema: SchemaRef,
    /// By [`identity`]; the first of equal rows stands for them.
    rows: HashMap<Row, (Row, i64)>,
}

impl Relation {
    pub(super) fn new(schema: SchemaRef) -> Self {
        Relation { schema, rows: HashMap::new() }
    }

    pub(super) fn from_batch(batch: &ZBatch) -> Result<Self, CircuitError> {
        let mut relation = Relation::new(batch.schema().clone());
        for row in 0..batch.len() {
            let values = batch.columns().iter().map(|column| ScalarValue::try_from_array(column, row));
            let values: Row = values.collect::<Result<_, _>>().map_err(no_array)?;
            relation.add(values, batch.weight(row))?;
        }
        Ok(relation)
    }

    /// The rows in the order of their text, so that a printed result is always the same.
    pub(super) fn to_batch(&self) -> Result<ZBatch, CircuitError> {
        let mut rows: Vec<(&Row, i64)> = self.iter().collect();
        rows.sort_by_cached_key(|(row, _)| format!("{row:?}"));
        let column = |index: usize| match rows.is_empty() {
            true => Ok(new_empty_array(self.schema.field(index).data_type())),
            false => ScalarValue::iter_to_array(rows.iter().map(|(row, _)| row[index].clone())).map_err(no_array),
        };
        let columns = (0..self.schema.fields().len()).map(column).collect::<Result<_, _>>()?;
        let weights: Vec<i64> = rows.iter().map(|(_, weight)| *weight).collect();
        Ok(ZBatch::try_new(self.schema.clone(), columns, Some(weights.into()), rows.len())?)
    }

    pub(super) fn add(&mut self, row: Row, weight: i64) -> Result<(), CircuitError> {
        let identity = identity(&row);
        let entry = self.rows.entry(identity.clone()).or_insert((row, 0));
        entry.1 = entry.1.checked_add(weight).ok_or(Error::WeightOverflow)?;
        if entry.1 == 0 {
            self.rows.remove(&identity);
        }
        Ok(())
    }

    pub(super) fn add_all(&mut self, other: &Relation) -> Result<(), CircuitError> {
        other.iter().try_for_each(|(row, weight)| self.add(row.clone(), weight))
    }

    pub(super) fn map_weights(&self, weight: impl Fn(i64) -> Option<i64>) -> Result<Relation, CircuitError> {
        let mut result = Relation::new(self.schema.clone());
        for (row, old) in self.iter() {
            result.add(row.clone(), weight(old).ok_or(Error::WeightOverflow)?)?;
        }
        Ok(result)
    }

    /// The rows of this relation, each as often as `copies` says of its weights here and in `other`. Rows of `other` alone are left out.
    pub(super) fn combined(&self, other: &Relation, copies: impl Fn(i64, i64) -> i64) -> Result<Relation, CircuitError> {
        let mut result = Relation::new(self.schema.clone());
        for (identity, (row, weight)) in &self.rows {
            let there = other.rows.get(identity).map_or(0, |(_, weight)| *weight);
            result.add(row.clone(), copies(*weight, there))?;
        }
        Ok(result)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&Row, i64)> {
        self.rows.values().map(|(row, weight)| (row, *weight))
    }

    /// Whether the other one has the same rows, as often.
    pub(super) fn is(&self, other: &Relation) -> bool {
        let weight = |identity: &Row| other.rows.get(identity).map(|(_, weight)| *weight);
        self.rows.len() == other.rows.len() && self.rows.iter().all(|(row, (_, known))| weight(row) == Some(*known))
    }

    /// One row as a relation.
    pub(super) fn single(schema: SchemaRef, row: Row) -> Result<Relation, CircuitError> {
        Relation::weighted(schema, row, 1)
    }

    /// Copies of one row as a relation.
    pub(super) fn weighted(schema: SchemaRef, row: Row, weight: i64) -> Result<Relation, CircuitError> {
        let mut relation = Relation::new(schema);
        relation.add(row, weight)?;
        Ok(relation)
    }

    /// One row as a batch.
    pub(super) fn one_row(schema: SchemaRef, row: Row) -> Result<ZBatch, CircuitError> {
        Relation::single(schema, row)?.to_batch()
    }

    /// The same rows under a schema with the same types.
    pub(super) fn with_schema(self, schema: SchemaRef) -> Relation {
        Relation { schema, ..self }
    }
}

/// Values that make no array: an interpreter's mistake, told as an error.
pub(super) fn no_array(error: datafusion_common::DataFusionError) -> CircuitError {
    CircuitError::Arrow(arrow::error::ArrowError::ComputeError(error.to_string()))
}
