//! [`WindowNode`]: windows in a logical plan.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field};
use datafusion_common::{DFSchema, DFSchemaRef, Result};
use datafusion_expr::{Expr, ExprSchemable, Extension, LogicalPlan, UserDefinedLogicalNodeCore};
use deltic_circuit::time::{bound_type, is_event_time};
use deltic_zset::types::canonical_type;

use super::WindowShape;
use crate::SqlError;
use crate::error::Code;

/// The rows of `input` with the bounds of their windows appended.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct WindowNode {
    pub(crate) input: LogicalPlan,
    pub(crate) shape: WindowShape,
    /// The event time, over the input.
    pub(crate) time: Expr,
    /// The partition of a session, over the input.
    pub(crate) partition: Vec<Expr>,
    /// The names of the two columns.
    bounds: [&'static str; 2],
    schema: DFSchemaRef,
}

impl WindowNode {
    pub(crate) fn try_new(
        input: LogicalPlan,
        shape: WindowShape,
        time: Expr,
        partition: Vec<Expr>,
        bounds: [&'static str; 2],
    ) -> Result<Self> {
        let bound = window_bound(shape.kind().name(), &time.get_type(input.schema())?)?;
        let mut fields: Vec<_> = input.schema().iter().map(|(table, field)| (table.cloned(), field.clone())).collect();
        fields.extend(bounds.map(|name| (None, Arc::new(Field::new(name, bound.clone(), true)))));
        let schema = DFSchema::new_with_metadata(fields, input.schema().metadata().clone())?;
        Ok(WindowNode { input, shape, time, partition, bounds, schema: Arc::new(schema) })
    }

    pub(crate) fn into_plan(self) -> LogicalPlan {
        LogicalPlan::Extension(Extension { node: Arc::new(self) })
    }

    /// The node that `plan` is, if it is one.
    pub(crate) fn of(plan: &LogicalPlan) -> Option<&WindowNode> {
        match plan {
            LogicalPlan::Extension(extension) => extension.node.as_any().downcast_ref::<WindowNode>(),
            _ => None,
        }
    }

    /// The lengths as SQL writes them are gone; these are numbers.
    fn describe(&self) -> String {
        match self.shape {
            WindowShape::Tumble { size, offset } => format!("Tumble: size={size} offset={offset}"),
            WindowShape::Hop { slide, size, offset } => format!("Hop: slide={slide} size={size} offset={offset}"),
            WindowShape::Cumulate { step, size, offset } => format!("Cumulate: step={step} size={size} offset={offset}"),
            WindowShape::Session { gap, .. } => {
                let partition: Vec<String> = self.partition.iter().map(ToString::to_string).collect();
                format!("Session: gap={gap} partition=[{}]", partition.join(", "))
            }
        }
    }
}

/// The type of the bounds of windows over times of type `data_type`.
///
/// # Errors
/// If it is not that of a time.
pub(super) fn window_bound(function: &str, data_type: &DataType) -> Result<DataType> {
    match canonical_type(data_type) {
        Some(canonical) if is_event_time(&canonical) => Ok(bound_type(&canonical)),
        _ => {
            let message = format!("{} needs a time, not a value of type {data_type}", function.to_uppercase());
            let error = SqlError::nowhere(Code::Type, message).with_hint("TIMESTAMP, TIMESTAMPTZ, DATE and integers are times");
            Err(super::relation::external(error))
        }
    }
}

impl PartialOrd for WindowNode {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        let key = |node: &Self| (node.shape, node.time.clone(), node.partition.clone(), node.input.clone());
        key(self).partial_cmp(&key(other))
    }
}

impl UserDefinedLogicalNodeCore for WindowNode {
    fn name(&self) -> &str {
        "Window"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input]
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        std::iter::once(&self.time).chain(&self.partition).cloned().collect()
    }

    fn prevent_predicate_push_down_columns(&self) -> HashSet<String> {
        let width = self.input.schema().fields().len();
        let is_session = matches!(self.shape, WindowShape::Session { .. });
        // DataFusion asks by name only: a name is free if all columns that have it are.
        let is_free = |column: Expr| !is_session || self.partition.contains(&column);
        let columns = self.schema.columns().into_iter().enumerate();
        let held = columns.filter(|(index, column)| *index >= width || !is_free(Expr::Column(column.clone())));
        held.map(|(_, column)| column.name).collect()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{} time={}", self.describe(), self.time)
    }

    fn with_exprs_and_inputs(&self, exprs: Vec<Expr>, mut inputs: Vec<LogicalPlan>) -> Result<Self> {
        let mut exprs = exprs.into_iter();
        let (Some(time), Some(input), true) = (exprs.next(), inputs.pop(), inputs.is_empty()) else {
            return datafusion_common::internal_err!("a window has one input and a time");
        };
        WindowNode::try_new(input, self.shape, time, exprs.collect(), self.bounds)
    }

    fn necessary_children_exprs(&self, output_columns: &[usize]) -> Option<Vec<Vec<usize>>> {
        let width = self.input.schema().fields().len();
        Some(vec![output_columns.iter().copied().filter(|&column| column < width).collect()])
    }
}
