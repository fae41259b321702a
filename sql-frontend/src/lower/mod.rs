//! An optimised logical plan becomes a circuit.
//!
//! DataFusion finds columns by name; here each reference becomes a position, once, against the schema of the node below, and names play
//! no role afterwards. Projections and filters do not become nodes one by one: they wait in a [`Piped`] until something needs their rows, so a
//! chain of them is one [`MapFilter`](deltic_circuit::Operator::MapFilter). The match over the plan is an allow-list: a node that is not
//! listed is an error, never ignored.

mod aggregate;
mod as_of;
mod clock;
mod emit;
mod expr;
mod function;
mod grouping;
mod join;
mod list_rows;
mod lookup;
mod narrow;
mod order;
mod partial;
mod piped;
mod recursion;
mod relation;
mod row_number;
mod time_bounds;
mod window;
mod window_function;

pub(crate) use aggregate::value_of_no_rows;
pub(crate) use clock::{check_clock, reads_clock};
pub(crate) use emit::{EmitMode, emit};
pub(crate) use expr::{fold, lower_expression};
pub(crate) use grouping::numbered;

use std::collections::HashMap;

use datafusion_expr::{Distinct, LogicalPlan};
use deltic_circuit::{CircuitBuilder, CircuitError, NodeId, SortKey};

use crate::SqlError;
use crate::error::Code;
use crate::plan::{AsOfNode, DistinctOnNode, LookupNode, MaxOneRowNode, SetOperationNode, UnnestNode, WindowNode};
use piped::Piped;

/// A plan as nodes of a circuit that is not finished.
pub(crate) struct Lowered {
    pub(crate) builder: CircuitBuilder,
    /// The node of its rows.
    pub(crate) output: NodeId,
    /// The order in which they are presented.
    pub(crate) order: Vec<SortKey>,
    /// How many of the last columns are there for the order only.
    pub(crate) hidden: usize,
    /// What was lowered.
    pub(crate) plan: LogicalPlan,
}

impl Lowered {
    /// One row without columns.
    pub(crate) fn one_row() -> Self {
        let plan = LogicalPlan::EmptyRelation(datafusion_expr::EmptyRelation {
            produce_one_row: true,
            schema: std::sync::Arc::new(datafusion_common::DFSchema::empty()),
        });
        let mut builder = CircuitBuilder::new();
        let output = builder.constant(relation::rows_without_columns(1));
        Lowered { builder, output, order: vec![], hidden: 0, plan }
    }
}

/// Lowers an optimised plan, of a view or of a query that runs once.
pub(crate) fn lower(plan: LogicalPlan, is_view: bool) -> Lower<Lowered> {
    let mut lowering = Lowering { is_view, ..Lowering::default() };
    let (output, order, hidden) = lowering.presented(&plan)?;
    Ok(Lowered { builder: lowering.builder, output, order, hidden, plan })
}

/// A result of lowering; an error has no position unless it got one.
type Lower<T> = Result<T, SqlError>;

#[derive(Default)]
struct Lowering {
    builder: CircuitBuilder,
    /// Whether the plan is that of a view: all its columns are shown.
    is_view: bool,
    /// The nodes that recursions come to, by their ids.
    recursions: HashMap<u64, NodeId>,
    /// The sources of the variables of recursions that are being lowered.
    variables: HashMap<(u64, usize), NodeId>,
    /// How often definitions were lowered; makes the names of sources differ.
    attempts: usize,
}

impl Lowering {
    /// The rows of `plan` as a node.
    fn node(&mut self, plan: &LogicalPlan) -> Lower<NodeId> {
        let piped = self.piped(plan)?;
        self.materialise(piped)
    }

    /// The rows of `plan`, the last filters and projections not made yet.
    fn piped(&mut self, plan: &LogicalPlan) -> Lower<Piped> {
        match plan {
            LogicalPlan::Projection(projection) => self.projection(projection),
            LogicalPlan::Filter(filter) => self.filter(filter),
            LogicalPlan::SubqueryAlias(alias) => self.piped(&alias.input),
            LogicalPlan::TableScan(scan) => self.table_scan(scan),
            LogicalPlan::Values(values) => self.values(values),
            LogicalPlan::EmptyRelation(empty) => self.empty_relation(empty),
            LogicalPlan::Join(join) => self.join(join),
            LogicalPlan::Aggregate(aggregate) => self.aggregate(aggregate),
            LogicalPlan::Union(union) => self.union(union),
            LogicalPlan::Distinct(Distinct::All(input)) => {
                let input = self.node(input)?;
                self.built(|builder| builder.distinct(input))
            }
            LogicalPlan::Limit(limit) => self.limit(limit),
            LogicalPlan::Extension(_) if WindowNode::of(plan).is_some() => self.window(plan),
            LogicalPlan::Extension(_) if SetOperationNode::of(plan).is_some() => self.set_operation(plan),
            LogicalPlan::Extension(_) if LookupNode::of(plan).is_some() => self.temporal_lookup(plan),
            LogicalPlan::Extension(_) if UnnestNode::of(plan).is_some() => self.unnest_node(plan),
            LogicalPlan::Extension(_) if DistinctOnNode::of(plan).is_some() => self.distinct_on(plan),
            LogicalPlan::Unnest(unnest) => self.unnest(unnest),
            LogicalPlan::Extension(_) if AsOfNode::of(plan).is_some() => self.as_of_join(plan),
            LogicalPlan::Extension(_) if MaxOneRowNode::of(plan).is_some() => self.max_one_row(plan),
            // A multiset has no order; that of the outermost query is kept beside the circuit.
            LogicalPlan::Sort(sort) if sort.fetch.is_none() => self.piped(&sort.input),
            LogicalPlan::Window(window) => self.window_functions(window),
            other => Err(SqlError::nowhere(Code::Unsupported, format!("{} is not supported", plan_name(other)))),
        }
    }

    fn built(&mut self, build: impl FnOnce(&mut CircuitBuilder) -> Result<NodeId, CircuitError>) -> Lower<Piped> {
        build(&mut self.builder).map(Piped::node).map_err(|error| circuit_error(&error))
    }
}

/// What a plan node is called in messages: an operator of ours by its name, others by their first word.
pub(crate) fn plan_name(plan: &LogicalPlan) -> String {
    if let LogicalPlan::Extension(extension) = plan {
        return extension.node.name().to_string();
    }
    let text = plan.display().to_string();
    text.split([':', ' ', '(']).next().unwrap_or_default().to_string()
}

/// An expression or node that the circuit refuses: its types do not go together.
pub(crate) fn circuit_error(error: &CircuitError) -> SqlError {
    SqlError::nowhere(Code::Type, error.to_string())
}
