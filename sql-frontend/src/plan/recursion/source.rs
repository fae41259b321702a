//! Recursions as the relations that a plan scans.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion_common::tree_node::Transformed;
use datafusion_common::{DataFusionError, Result};
use datafusion_expr::{Expr, LogicalPlan, TableScan, TableSource};

use crate::error::Position;
use crate::plan::clock::{self, Clock};
use crate::plan::window::external;
use crate::plan::{check_volatility, optimise};

/// Definitions that depend on each other, as plans.
#[derive(Clone, Debug)]
pub(crate) struct RecursionPlan {
    /// Tells recursions apart.
    pub(crate) id: u64,
    pub(crate) variables: Vec<VariablePlan>,
    /// The variables that are read outside.
    pub(crate) shown: Vec<usize>,
    /// The limit that the query gives.
    pub(crate) limit: Option<u64>,
    pub(crate) position: Position,
    /// What the definitions refer to of the queries around the recursion.
    pub(crate) outer: Vec<Expr>,
}

/// One of the definitions.
#[derive(Clone, Debug)]
pub(crate) struct VariablePlan {
    pub(crate) name: String,
    pub(crate) columns: Vec<(String, DataType)>,
    pub(crate) definition: LogicalPlan,
}

/// A number that no other recursion has.
pub(crate) fn new_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// What a recursion comes to: one of its variables.
pub(crate) struct RecursionSource {
    pub(crate) recursion: Arc<RecursionPlan>,
    pub(crate) variable: usize,
}

impl TableSource for RecursionSource {
    fn schema(&self) -> SchemaRef {
        schema(&self.recursion.variables[self.variable].columns)
    }
}

/// A variable, as its definitions see it.
pub(crate) struct VariableSource {
    /// Of the recursion.
    pub(crate) id: u64,
    pub(crate) variable: usize,
    pub(crate) columns: Vec<(String, DataType)>,
}

impl TableSource for VariableSource {
    fn schema(&self) -> SchemaRef {
        schema(&self.columns)
    }
}

fn schema(columns: &[(String, DataType)]) -> SchemaRef {
    let fields = columns.iter().map(|(name, data_type)| Field::new(name, data_type.clone(), true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// `plan` with the definitions of its recursions optimised, and the time of `clock` in them.
pub(crate) fn prepare(plan: LogicalPlan, clock: Clock<'_>) -> Result<LogicalPlan> {
    let prepared = plan.transform_up_with_subqueries(|node| {
        let LogicalPlan::TableScan(scan) = node else { return Ok(Transformed::no(node)) };
        let Some(source) = scan.source.downcast_ref::<RecursionSource>() else {
            return Ok(Transformed::no(LogicalPlan::TableScan(scan)));
        };
        let recursion = Arc::new(prepared(&source.recursion, clock)?);
        let source = Arc::new(RecursionSource { recursion, variable: source.variable });
        Ok(Transformed::yes(LogicalPlan::TableScan(TableScan { source, ..scan })))
    })?;
    Ok(prepared.data)
}

fn prepared(recursion: &RecursionPlan, clock: Clock<'_>) -> Result<RecursionPlan, DataFusionError> {
    let mut recursion = recursion.clone();
    for variable in &mut recursion.variables {
        check_volatility(&variable.definition, recursion.position, true).map_err(external)?;
        let plan = clock::at(variable.definition.clone(), clock).and_then(optimise::optimise)?;
        variable.definition = prepare(plan, clock)?;
    }
    Ok(recursion)
}
