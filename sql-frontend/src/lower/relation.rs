//! The leaves of a plan, UNION, EXCEPT and INTERSECT.

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::compute::concat;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion_common::{DFSchema, ScalarValue};
use datafusion_expr::{EmptyRelation, Expr as PlanExpr, LogicalPlan, TableScan, Union, Values};
use deltic_circuit::{Expr, NodeId};
use deltic_zset::ZBatch;

use super::expr::{column_type, lower_expression};
use super::piped::Piped;
use super::{Lower, Lowering};
use crate::SqlError;
use crate::error::Code;
use crate::plan::{RecursionSource, RelationSource, SetOperationNode, VariableSource};

impl Lowering {
    pub(super) fn table_scan(&mut self, scan: &TableScan) -> Lower<Piped> {
        if !scan.filters.is_empty() || scan.fetch.is_some() {
            return Err(SqlError::nowhere(Code::Internal, "a filter or a limit was pushed into a relation"));
        }
        let piped = if let Some(source) = scan.source.downcast_ref::<RelationSource>() {
            let relation = &source.relation;
            Piped::node(self.builder.source(&relation.name, relation.schema.clone(), relation.properties.clone()))
        } else if let Some(source) = scan.source.downcast_ref::<VariableSource>() {
            Piped::node(self.variable(source)?)
        } else if let Some(source) = scan.source.downcast_ref::<RecursionSource>() {
            self.recursion(source)?
        } else {
            return Err(SqlError::nowhere(Code::Internal, format!("{} is not a relation of the catalog", scan.table_name)));
        };
        let Some(projection) = &scan.projection else { return Ok(piped) };
        let outputs = self.outputs_of(&piped);
        let columns = projection.iter().map(|&index| outputs[index].clone()).collect();
        Ok(self.only_columns(piped, columns))
    }

    pub(super) fn empty_relation(&mut self, empty: &EmptyRelation) -> Lower<Piped> {
        let rows = if empty.produce_one_row { rows_without_columns(1) } else { ZBatch::empty(circuit_schema(&empty.schema)?) };
        Ok(Piped::node(self.builder.constant(rows)))
    }

    pub(super) fn values(&mut self, values: &Values) -> Lower<Piped> {
        let schema = circuit_schema(&values.schema)?;
        let columns = schema.fields().iter().enumerate().map(|(index, field)| {
            let cells = values.values.iter().map(|row| &row[index]).collect::<Vec<_>>();
            column_of_values(&cells, field.data_type())
        });
        let columns = columns.collect::<Lower<Vec<_>>>()?;
        let rows = ZBatch::try_new(schema, columns, None, values.values.len());
        let rows = rows.map_err(|error| SqlError::nowhere(Code::Internal, error.to_string()))?;
        Ok(Piped::node(self.builder.constant(rows)))
    }

    pub(super) fn union(&mut self, union: &Union) -> Lower<Piped> {
        let types = circuit_schema(&union.schema)?;
        let inputs = union.inputs.iter().map(|input| self.rows_as(input, &types)).collect::<Lower<Vec<_>>>()?;
        self.built(|builder| builder.union(inputs))
    }

    pub(super) fn set_operation(&mut self, plan: &LogicalPlan) -> Lower<Piped> {
        let Some(node) = SetOperationNode::of(plan) else {
            return Err(SqlError::nowhere(Code::Internal, "a plan that is no set operation"));
        };
        let types = circuit_schema(&node.schema)?;
        let (left, right) = (self.rows_as(&node.left, &types)?, self.rows_as(&node.right, &types)?);
        self.built(|builder| builder.set_operation(left, right, node.kind))
    }

    /// The rows of `input`, cast to the types of `types`.
    fn rows_as(&mut self, input: &LogicalPlan, types: &SchemaRef) -> Lower<NodeId> {
        let input = self.piped(input)?;
        let node = self.materialise(input)?;
        let columns = self.columns_of(node).into_iter().zip(types.fields());
        let columns = columns.map(|((name, expr), field)| (name, expr.cast(field.data_type().clone())));
        self.materialise(Piped::columns(node, columns.collect()))
    }
}

/// Rows that have no columns.
pub(super) fn rows_without_columns(rows: usize) -> ZBatch {
    ZBatch::new(Arc::new(Schema::empty()), vec![], None, rows)
}

/// The columns of a plan with the types that a circuit has.
fn circuit_schema(schema: &DFSchema) -> Lower<SchemaRef> {
    let fields = schema.fields().iter().map(|field| Ok(Field::new(field.name(), column_type(field.data_type())?, true)));
    Ok(Arc::new(Schema::new(fields.collect::<Lower<Vec<_>>>()?)))
}

/// The array of one column of VALUES. Thousands of literals of one type, the usual INSERT, are made into an array first and cast together.
fn column_of_values(cells: &[&PlanExpr], data_type: &DataType) -> Lower<ArrayRef> {
    let internal = |error: &dyn std::fmt::Display| SqlError::nowhere(Code::Internal, error.to_string());
    if let Some(literals) = plain_literals(cells) {
        let array = ScalarValue::iter_to_array(literals).map_err(|error| internal(&error))?;
        let from = column_type(array.data_type())?;
        let array = match array.data_type() {
            DataType::Null => return Ok(arrow::array::new_null_array(data_type, cells.len())),
            _ => deltic_zset::types::canonicalize(&array).map_err(|error| internal(&error))?,
        };
        return evaluate(&Expr::column(0, from).cast(data_type.clone()), &[array], cells.len());
    }
    let empty = DFSchema::empty();
    let cells = cells.iter().map(|cell| evaluate(&lower_expression(cell, &empty)?.cast(data_type.clone()), &[], 1));
    let cells = cells.collect::<Lower<Vec<_>>>()?;
    let cells: Vec<&dyn arrow::array::Array> = cells.iter().map(|cell| cell.as_ref()).collect();
    concat(&cells).map_err(|error| internal(&error))
}

/// The literals of a column if all are of one type (or NULL), below the casts to the type of the column.
fn plain_literals(cells: &[&PlanExpr]) -> Option<Vec<ScalarValue>> {
    let mut literals = Vec::with_capacity(cells.len());
    let mut data_type = DataType::Null;
    for cell in cells {
        let value = match cell {
            PlanExpr::Literal(value, _) => value,
            PlanExpr::Cast(cast) => match cast.expr.as_ref() {
                PlanExpr::Literal(value, _) => value,
                _ => return None,
            },
            _ => return None,
        };
        match (value.data_type(), &data_type) {
            (DataType::Null, _) => {}
            (this, DataType::Null) => data_type = this,
            (this, known) if this == *known => {}
            _ => return None,
        }
        literals.push(value.clone());
    }
    let null = ScalarValue::try_from(&data_type).ok()?;
    Some(literals.into_iter().map(|value| if value.data_type() == DataType::Null { null.clone() } else { value }).collect())
}

fn evaluate(expr: &Expr, columns: &[ArrayRef], rows: usize) -> Lower<ArrayRef> {
    let evaluated = expr.evaluate(columns, rows);
    match evaluated.errors.iter().next() {
        None => Ok(evaluated.values),
        Some((_, error)) => Err(SqlError::nowhere(Code::Query, format!("a value of VALUES fails: {}", error.message))),
    }
}
