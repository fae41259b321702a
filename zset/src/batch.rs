//! [`ZBatch`]: rows in Arrow columns, each with a weight.
//!
//! The weights are kept apart from the columns and left out (`None`) while they are all `+1`, which is what an insert-only
//! source produces: then no operator pays for them. A batch carries no time: a batch belongs to one epoch, and who holds
//! it knows which.
//!
//! Contract, trusted and not checked per row: floats are canonical (one NaN, no `-0.0`; see [`crate::types`]), columns have
//! the types of the schema, no weight is zero.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions, UInt32Array, new_empty_array};
use arrow::buffer::ScalarBuffer;
use arrow::compute;
use arrow::datatypes::{Schema, SchemaRef};

use crate::{Error, Result};

/// A batch of weighted rows under one schema: a Z-set, or a part of one.
///
/// A row may occur more than once; its weight is then the sum ([`ZBatch`] is *consolidated* if each row occurs once and no weight
/// is zero). Cloning shares the columns.
#[derive(Clone, Debug)]
pub struct ZBatch {
    schema: SchemaRef,
    columns: Vec<ArrayRef>,
    /// `None` means that every row has weight `+1`.
    weights: Option<ScalarBuffer<i64>>,
    rows: usize,
}

impl Default for ZBatch {
    fn default() -> Self {
        ZBatch { schema: Arc::new(Schema::empty()), columns: Vec::new(), weights: None, rows: 0 }
    }
}

impl ZBatch {
    /// A batch of `rows` rows; `weights` is `None` if they are all `+1`.
    ///
    /// # Errors
    /// [`Error::Shape`] if the number, types or lengths of the columns or weights do not fit.
    pub fn try_new(schema: SchemaRef, columns: Vec<ArrayRef>, weights: Option<ScalarBuffer<i64>>, rows: usize) -> Result<Self> {
        if columns.len() != schema.fields().len() {
            return Err(Error::Shape(format!("{} columns for {} fields", columns.len(), schema.fields().len())));
        }
        for (column, field) in columns.iter().zip(schema.fields()) {
            if column.data_type() != field.data_type() {
                return Err(Error::Shape(format!(
                    "column {} is {}, not {}",
                    field.name(),
                    column.data_type(),
                    field.data_type()
                )));
            }
            if column.len() != rows {
                return Err(Error::Shape(format!("column {} has {} rows, not {rows}", field.name(), column.len())));
            }
        }
        if let Some(weights) = &weights
            && weights.len() != rows
        {
            return Err(Error::Shape(format!("{} weights for {rows} rows", weights.len())));
        }
        Ok(ZBatch { schema, columns, weights, rows })
    }

    /// As [`ZBatch::try_new`], for columns that fit by construction (checked in debug builds).
    pub fn new(schema: SchemaRef, columns: Vec<ArrayRef>, weights: Option<ScalarBuffer<i64>>, rows: usize) -> Self {
        debug_assert!(
            Self::try_new(schema.clone(), columns.clone(), weights.clone(), rows).is_ok(),
            "{:?}",
            Self::try_new(schema.clone(), columns.clone(), weights.clone(), rows)
        );
        ZBatch { schema, columns, weights, rows }
    }

    /// The batch without rows.
    pub fn empty(schema: SchemaRef) -> Self {
        let columns = schema.fields().iter().map(|field| new_empty_array(field.data_type())).collect();
        ZBatch { schema, columns, weights: None, rows: 0 }
    }

    /// The rows of `batch`, each with weight `+1`.
    pub fn from_record_batch(batch: &RecordBatch) -> Self {
        ZBatch { schema: batch.schema(), columns: batch.columns().to_vec(), weights: None, rows: batch.num_rows() }
    }

    /// The columns as a record batch, without the weights.
    pub fn to_record_batch(&self) -> Result<RecordBatch> {
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        Ok(RecordBatch::try_new_with_options(self.schema.clone(), self.columns.clone(), &options)?)
    }

    /// The schema that every column fits.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// All columns.
    pub fn columns(&self) -> &[ArrayRef] {
        &self.columns
    }

    /// Column `index`.
    pub fn column(&self, index: usize) -> &ArrayRef {
        &self.columns[index]
    }

    /// The number of rows (not of copies).
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// The weights, or `None` if all are `+1`.
    pub fn weights(&self) -> Option<&ScalarBuffer<i64>> {
        self.weights.as_ref()
    }

    /// The weight of row `row`.
    pub fn weight(&self, row: usize) -> i64 {
        self.weights.as_ref().map_or(1, |weights| weights[row])
    }

    /// The weights, spelled out.
    pub fn weights_or_ones(&self) -> ScalarBuffer<i64> {
        self.weights.clone().unwrap_or_else(|| ScalarBuffer::from(vec![1i64; self.rows]))
    }

    /// The same rows with other weights.
    pub fn with_weights(mut self, weights: Option<ScalarBuffer<i64>>) -> Self {
        debug_assert!(weights.as_ref().is_none_or(|weights| weights.len() == self.rows));
        self.weights = weights;
        self
    }

    /// The same rows under another schema of the same types (other names, other nullability).
    pub fn with_schema(mut self, schema: SchemaRef) -> Self {
        debug_assert_eq!(schema.fields().len(), self.columns.len());
        self.schema = schema;
        self
    }

    /// The group inverse: every weight with the other sign.
    ///
    /// # Errors
    /// [`Error::WeightOverflow`] for a weight of `i64::MIN`.
    pub fn negate(&self) -> Result<Self> {
        let weights = match &self.weights {
            None => vec![-1i64; self.rows],
            Some(weights) => weights.iter().map(|w| w.checked_neg()).collect::<Option<Vec<_>>>().ok_or(Error::WeightOverflow)?,
        };
        Ok(self.clone().with_weights(Some(weights.into())))
    }

    /// The columns named by `indices`, in that order, under `schema`. The result is in general not consolidated.
    pub fn project(&self, indices: &[usize], schema: SchemaRef) -> Self {
        let columns = indices.iter().map(|&index| self.columns[index].clone()).collect();
        ZBatch::new(schema, columns, self.weights.clone(), self.rows)
    }

    /// Rows `offset .. offset + rows`, sharing the columns.
    pub fn slice(&self, offset: usize, rows: usize) -> Self {
        ZBatch {
            schema: self.schema.clone(),
            columns: self.columns.iter().map(|column| column.slice(offset, rows)).collect(),
            weights: self.weights.as_ref().map(|weights| weights.slice(offset, rows)),
            rows,
        }
    }

    /// The rows at `indices`, in that order.
    pub fn take(&self, indices: &UInt32Array) -> Result<Self> {
        let columns = self.columns.iter().map(|column| compute::take(column, indices, None)).collect::<Result<_, _>>()?;
        let weights = self.weights.as_ref().map(|weights| indices.values().iter().map(|&row| weights[row as usize]).collect());
        Ok(ZBatch { schema: self.schema.clone(), columns, weights, rows: indices.len() })
    }

    /// The rows for which `keep` is true (NULL counts as false).
    pub fn filter(&self, keep: &BooleanArray) -> Result<Self> {
        let predicate = compute::FilterBuilder::new(keep).optimize().build();
        let columns = self.columns.iter().map(|column| predicate.filter(column)).collect::<Result<_, _>>()?;
        let weights = match &self.weights {
            None => None,
            Some(weights) => {
                let weights = arrow::array::Int64Array::new(weights.clone(), None);
                let kept = predicate.filter(&weights)?;
                Some(arrow::array::AsArray::as_primitive::<arrow::datatypes::Int64Type>(&kept).values().clone())
            }
        };
        Ok(ZBatch { schema: self.schema.clone(), columns, weights, rows: predicate.count() })
    }

    /// All rows of `batches`, in order. Not consolidated.
    ///
    /// # Errors
    /// Arrow's, if the types differ or a string column passes 2 GiB.
    pub fn concat(schema: &SchemaRef, batches: &[ZBatch]) -> Result<Self> {
        match batches {
            [] => return Ok(ZBatch::empty(schema.clone())),
            [batch] => return Ok(batch.clone().with_schema(schema.clone())),
            _ => {}
        }
        let rows = batches.iter().map(ZBatch::len).sum();
        let columns = (0..schema.fields().len())
            .map(|index| {
                let parts: Vec<&dyn Array> = batches.iter().map(|batch| batch.columns[index].as_ref()).collect();
                compute::concat(&parts)
            })
            .collect::<Result<_, _>>()?;
        let weights = if batches.iter().all(|batch| batch.weights.is_none()) {
            None
        } else {
            let mut weights = Vec::with_capacity(rows);
            for batch in batches {
                match &batch.weights {
                    None => weights.resize(weights.len() + batch.rows, 1),
                    Some(more) => weights.extend_from_slice(more),
                }
            }
            Some(weights.into())
        };
        Ok(ZBatch { schema: schema.clone(), columns, weights, rows })
    }

    /// The memory that the buffers of this batch hold, in bytes. Shared buffers count in each batch that shares them.
    pub fn memory_bytes(&self) -> usize {
        let columns: usize = self.columns.iter().map(|column| column.get_array_memory_size()).sum();
        columns + self.weights.as_ref().map_or(0, |weights| weights.len() * 8)
    }
}
