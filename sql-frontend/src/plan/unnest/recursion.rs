//! Recursions that refer to an outer query.
//!
//! Each relation of the recursion gets the columns of the domain and carries them through every step: its definition, computed beside the domain like any
//! other part of a subquery, reads it for the same values. So one recursion computes what the outer rows would compute one by one, for each of their values
//! once. That it has an end is asked of all of them together.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion_common::tree_node::TreeNode;
use datafusion_common::{Result, TableReference};
use datafusion_expr::{Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, TableScan, TableSource};

use super::domain::{Pushed, Pushing, unsupported_below};
use super::outer::{columns, plan_refers_to, references};
use super::{Unnesting, plans};
use crate::plan::{RecursionPlan, RecursionSource, VariablePlan, VariableSource, new_id, optimise};

/// A recursion beside the domain, or one that is on its way there.
pub(super) struct PushedRecursion {
    /// Of the recursion as it was.
    id: u64,
    new: u64,
    /// The columns of each variable, those of the domain last.
    variables: Vec<Vec<(String, DataType)>>,
    /// `None` while its definitions are pushed.
    plan: Option<Arc<RecursionPlan>>,
}

/// The recursion that a node of a plan reads the rows of.
pub(super) fn recursion_of(plan: &LogicalPlan) -> Option<&RecursionSource> {
    let LogicalPlan::TableScan(scan) = plan else { return None };
    scan.source.downcast_ref()
}

fn variable_of(plan: &LogicalPlan) -> Option<&VariableSource> {
    let LogicalPlan::TableScan(scan) = plan else { return None };
    scan.source.downcast_ref()
}

impl Pushing<'_> {
    /// Whether `plan` depends on the values of the domain: it refers to the outer query, or reads a variable of a recursion that does.
    pub(super) fn refers(&self, plan: &LogicalPlan) -> bool {
        let is_variable = |node: &LogicalPlan| {
            variable_of(node).is_some_and(|source| self.recursions.iter().any(|recursion| recursion.id == source.id))
        };
        plan_refers_to(plan, self.outer) || plan.exists(|node| Ok(is_variable(node))).unwrap_or(true)
    }

    /// The rows of a recursion, or of one of its variables.
    pub(super) fn scan(&mut self, scan: &TableScan) -> Result<Pushed> {
        if let Some(source) = scan.source.downcast_ref::<RecursionSource>() {
            let recursion = self.recursion(&source.recursion)?;
            return self.rows_of(&scan.table_name, Arc::new(RecursionSource { recursion, variable: source.variable }));
        }
        let variable = scan.source.downcast_ref::<VariableSource>();
        let known = variable.and_then(|source| {
            let recursion = self.recursions.iter().find(|recursion| recursion.id == source.id)?;
            let columns = recursion.variables.get(source.variable)?.clone();
            Some(VariableSource { id: recursion.new, variable: source.variable, columns })
        });
        match known {
            Some(source) => self.rows_of(&scan.table_name, Arc::new(source)),
            None => Err(unsupported_below(&LogicalPlan::TableScan(scan.clone()))),
        }
    }

    /// The rows of `source`, the last columns of which are those of the domain.
    fn rows_of(&mut self, name: &TableReference, source: Arc<dyn TableSource>) -> Result<Pushed> {
        let rows = LogicalPlanBuilder::scan(name.clone(), source, None)?.build()?;
        let all = columns(&rows);
        let (plan, mut outputs) = plans::projected(rows, all, self.fresh)?;
        let values = outputs.split_off(outputs.len() - self.domain.outer.len());
        Ok(Pushed { plan, outputs, values, order: vec![], single: false })
    }

    /// The recursion for each value of the domain.
    fn recursion(&mut self, recursion: &RecursionPlan) -> Result<Arc<RecursionPlan>> {
        let known = self.recursions.iter().find(|known| known.id == recursion.id);
        if let Some(plan) = known.and_then(|known| known.plan.clone()) {
            return Ok(plan);
        }
        let types: Vec<DataType> = self.domain.types().collect();
        let values: Vec<(String, DataType)> = types.into_iter().map(|data_type| (self.fresh.name(), data_type)).collect();
        let columns = recursion.variables.iter().map(|variable| variable.columns.iter().chain(&values).cloned().collect());
        let (id, new) = (recursion.id, new_id());
        let place = self.recursions.len();
        self.recursions.push(PushedRecursion { id, new, variables: columns.collect(), plan: None });
        let mut variables = Vec::with_capacity(recursion.variables.len());
        let mut outer: Vec<Expr> = Vec::new();
        for (number, variable) in recursion.variables.iter().enumerate() {
            let definition = self.definition(variable)?;
            outer.extend(references(&definition).into_iter().filter(|found| !outer.contains(found)).collect::<Vec<_>>());
            let columns = self.recursions[place].variables[number].clone();
            variables.push(VariablePlan { name: variable.name.clone(), columns, definition });
        }
        let plan = Arc::new(RecursionPlan { id: new, variables, outer, ..recursion.clone() });
        self.recursions[place].plan = Some(plan.clone());
        Ok(plan)
    }

    /// A definition beside the domain: its columns, then those of the domain.
    fn definition(&mut self, variable: &VariablePlan) -> Result<LogicalPlan> {
        let mut unnesting = Unnesting { fresh: std::mem::take(self.fresh) };
        let definition = optimise::typed(variable.definition.clone()).and_then(|plan| unnesting.plan(plan));
        *self.fresh = unnesting.fresh;
        let pushed = self.bound(&definition?)?;
        let outputs = pushed.outputs.into_iter().zip(&variable.columns);
        let outputs = outputs.map(|(output, (_, data_type))| output.cast_to(data_type, pushed.plan.schema()));
        let outputs = outputs.collect::<Result<Vec<_>>>()?;
        Ok(self.materialised(Pushed { outputs, ..pushed })?.plan)
    }
}
