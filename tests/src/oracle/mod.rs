//! The batch oracle: what a query means according to DataFusion, which shares the function library with Deltic but neither
//! planner options, nor operators, nor state.
//!
//! [`query`] runs a query over the contents of tables and [`difference`] compares two results. Both know Arrow and Z-sets
//! only. DataFusion's answer is not always the right one; [`Oracle`] knows where, and abstains there.

mod difference;
mod opinion;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, UInt32Array};
use arrow::compute;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::datasource::MemTable;
use datafusion::error::{DataFusionError, Result};
use datafusion::prelude::{SessionConfig, SessionContext};
use deltic_zset::ZBatch;
use deltic_zset::types::{canonical_type, canonicalize};

pub use difference::difference;
pub use opinion::Oracle;

/// The result of `sql` over tables with these names and contents: consolidated, in canonical types.
///
/// # Errors
/// What DataFusion refuses or fails at, a table with a negative weight, and a result type that Deltic has not.
pub fn query(sql: &str, tables: &[(String, ZBatch)]) -> Result<ZBatch> {
    answer(&SessionContext::new_with_config(options()), sql, tables)
}

/// As [`query`], for queries whose conditions may be constant: DataFusion pushes those below an aggregate without keys, which then has a row that they
/// should have removed. Slower, as conditions on products of tables stay above them.
fn query_in_order(sql: &str, tables: &[(String, ZBatch)]) -> Result<ZBatch> {
    let context = SessionContext::new_with_config(options());
    context.remove_optimizer_rule("push_down_filter");
    answer(&context, sql, tables)
}

fn answer(context: &SessionContext, sql: &str, tables: &[(String, ZBatch)]) -> Result<ZBatch> {
    for (name, rows) in tables {
        let rows = spelled_out(name, rows)?;
        let table = MemTable::try_new(rows.schema(), vec![vec![rows]])?;
        context.register_table(name.as_str(), Arc::new(table))?;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let (schema, batches) = runtime.block_on(async {
        let frame = context.sql(sql).await?;
        let schema = Arc::new(frame.schema().as_arrow().clone());
        Ok::<_, DataFusionError>((schema, frame.collect().await?))
    })?;
    canonical(&compute::concat_batches(&schema, &batches)?)
}

/// As Deltic's own frontend reads SQL; one partition, because the tables are small.
fn options() -> SessionConfig {
    let mut config = SessionConfig::new().with_target_partitions(1);
    let options = config.options_mut();
    options.sql_parser.parse_float_as_decimal = true;
    options.sql_parser.map_string_types_to_utf8view = false;
    options.execution.time_zone = Some("UTC".into());
    config
}

/// The table with each row as often as its weight says. All columns are nullable, so that no constraint helps the planner.
fn spelled_out(name: &str, rows: &ZBatch) -> Result<RecordBatch> {
    let mut copies = Vec::with_capacity(rows.len());
    for row in 0..rows.len() {
        let weight = usize::try_from(rows.weight(row)).map_err(|_| {
            DataFusionError::Plan(format!("table {name} has a row of weight {}, which no table has", rows.weight(row)))
        })?;
        copies.extend(std::iter::repeat_n(row as u32, weight));
    }
    let fields: Vec<Field> = rows.schema().fields().iter().map(|field| field.as_ref().clone().with_nullable(true)).collect();
    let rows = rows.take(&UInt32Array::from(copies)).map_err(external)?;
    let rows = rows.with_schema(Arc::new(Schema::new(fields)));
    rows.to_record_batch().map_err(external)
}

fn canonical(batch: &RecordBatch) -> Result<ZBatch> {
    let mut fields = Vec::new();
    let mut columns: Vec<ArrayRef> = Vec::new();
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        // A column of nothing but NULL literals is text in Deltic.
        let column = match column.data_type() {
            DataType::Null => compute::cast(column, &DataType::Utf8)?,
            _ => canonicalize(column).map_err(external)?,
        };
        let data_type = canonical_type(column.data_type()).unwrap_or_else(|| column.data_type().clone());
        fields.push(Field::new(field.name(), data_type, true));
        columns.push(column);
    }
    let schema: SchemaRef = Arc::new(Schema::new(fields));
    ZBatch::try_new(schema, columns, None, batch.num_rows()).and_then(|rows| rows.consolidate()).map_err(external)
}

fn external(error: deltic_zset::Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}
