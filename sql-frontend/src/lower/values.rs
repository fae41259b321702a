//! Rows in the query itself: VALUES, and SELECT without FROM.

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::compute::concat;
use arrow::datatypes::{Field, Schema};
use datafusion_common::DFSchema;
use datafusion_expr::logical_plan::{EmptyRelation, Values};
use deltic_zset::ZBatch;

use super::Lowering;
use super::expression::{Scope, field_types};
use super::relation::Relation;
use crate::error::{Code, SqlError};

impl Lowering<'_> {
    pub(super) fn values(&mut self, values: &Values) -> Result<Relation, SqlError> {
        let types = field_types(values.schema.fields(), self.position)?;
        let empty = DFSchema::empty();
        let scope = Scope { schema: &empty, columns: &[], position: self.position };
        let mut columns: Vec<Vec<ArrayRef>> = types.iter().map(|_| Vec::with_capacity(values.values.len())).collect();
        for row in &values.values {
            for ((expr, to), column) in row.iter().zip(&types).zip(&mut columns) {
                let evaluated = scope.lower(expr)?.cast(to.clone()).evaluate(&[], 1);
                if let Some(error) = evaluated.errors.get(0) {
                    return Err(SqlError::new(Code::Query, self.position, format!("{expr}: {}", error.message)));
                }
                column.push(evaluated.values);
            }
        }
        let columns = columns
            .iter()
            .map(|parts| concat(&parts.iter().map(AsRef::as_ref).collect::<Vec<_>>()))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| SqlError::new(Code::Internal, self.position, format!("VALUES: {error}")))?;
        let fields: Vec<Field> =
            values.schema.fields().iter().zip(&types).map(|(field, to)| Field::new(field.name(), to.clone(), true)).collect();
        self.rows(Schema::new(fields), columns, values.values.len())
    }

    pub(super) fn empty(&mut self, empty: &EmptyRelation) -> Result<Relation, SqlError> {
        let types = field_types(empty.schema.fields(), self.position)?;
        let fields: Vec<Field> =
            empty.schema.fields().iter().zip(&types).map(|(field, to)| Field::new(field.name(), to.clone(), true)).collect();
        let rows = usize::from(empty.produce_one_row);
        let columns = types.iter().map(|to| arrow::array::new_null_array(to, rows)).collect();
        self.rows(Schema::new(fields), columns, rows)
    }

    fn rows(&mut self, schema: Schema, columns: Vec<ArrayRef>, rows: usize) -> Result<Relation, SqlError> {
        let rows = ZBatch::try_new(Arc::new(schema), columns, None, rows)
            .map_err(|error| SqlError::new(Code::Internal, self.position, error.to_string()))?;
        let node = self.builder.constant(rows);
        Ok(self.relation_of(node))
    }
}
